#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# bench.sh PROGRAM - does sluice-bench keep its word about exit statuses, rows and files?
#
# Short runs, and no word about speed: a test that depended on it would fail on a busy machine.

set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source-path=SCRIPTDIR
source "$here/../scripts/tally.sh"

program=$1
headline='transfer/(mpmc|mutex)/p:4/c:2/cap:64/manual_time' # and not those with wide items

# ends_with STATUS ARGUMENTS...: and says why in one line on stderr when the status is not 0.
ends_with() {
  local expected=$1 status=0 errors
  shift
  errors=$(mktemp -p "$scratch")
  timeout -k 5 120 "$program" "$@" >/dev/null 2>"$errors" || status=$?
  [[ $status -eq $expected ]]
  ((expected == 0)) || [[ $(wc -l <"$errors") -eq 1 ]]
}

writes_results() {
  local out=$scratch/results.json
  timeout -k 5 120 "$program" --benchmark_filter="$headline" --benchmark_repetitions=3 \
    --benchmark_out="$out" >"$scratch/table"
  # Three repetitions of two rows, each with the counters that the table is made of.
  [[ $(grep -c '"run_type": "iteration"' "$out") -eq 6 ]]
  [[ $(grep -c '"times_mutex": ' "$out") -ge 6 ]]
  [[ $(grep -c '"cpu_ns_per_item": ' "$out") -ge 6 ]]
  # The table at the end begins with the headline's workload, the fastest first.
  grep -A 2 '^median of repetitions' "$scratch/table" | grep -q '^transfer/mpmc/p:4/c:2/cap:64 '
  grep -A 2 '^median of repetitions' "$scratch/table" | awk 'NR > 1 { print $2 }' | sort -cgr
}

lists_every_workload() {
  local rows
  rows=$("$program" --benchmark_list_tests)
  for row in transfer/mpmc/p:4/c:2/cap:64 transfer/spsc/p:1/c:1/cap:64 transfer/spmc/p:1/c:4/cap:64 \
    transfer/mpsc/p:4/c:1/cap:64 transfer/mpmc/p:8/c:8/cap:64 transfer/mpmc/p:2/c:2/cap:1024 \
    transfer/mpmc/p:4/c:2/cap:1024 transfer/ck_mpmc/p:4/c:2/cap:64 \
    transfer/ck_stock_mpmc/p:4/c:2/cap:64 transfer/mpmc/p:200/c:100/cap:64 \
    transfer/mpmc/p:4/c:2/cap:65536 transfer/mpmc/p:4/c:2/cap:1/ \
    transfer/mpmc/p:4/c:2/cap:64/bytes:200 transfer/mpmc/p:4/c:2/cap:1024/bytes:8/batch:32 \
    transfer/mpmc/p:4/c:2/cap:100/ transfer/mpmc/p:64/c:32/cap:64/ transfer/spsc/p:1/c:1/cap:1024/ \
    transfer/spmc/p:1/c:4/cap:64/bytes:64 transfer/mpsc/p:4/c:1/cap:1024/bytes:8/batch:32 \
    transfer/mpmc/p:4/c:2/cap:64/pin:apart transfer/mpmc/p:4/c:2/cap:64/pin:one \
    transfer/spsc/p:1/c:1/cap:64/pin:apart transfer/spsc/p:1/c:1/cap:64/pin:one \
    fair/mpmc/p:4/c:2/cap:64 fair/ck_mpmc/p:4/c:2/cap:64 fair/mutex/p:4/c:2/cap:64 roundtrip/mpmc trypair/spsc paced/mutex; do
    grep -q "^$row" <<<"$rows" || { echo "no row $row" && return 1; }
  done
  # A queue has no row in which its lone side would have two threads.
  if grep -E -e '^transfer/(spmc|ck_spmc|spsc|ck_spsc)/p:[2-9]' \
    -e '^transfer/(mpsc|spsc|ck_spsc)/.*/c:[2-9]' <<<"$rows"; then
    return 1
  fi
}

# What it runs of 4:2/64 is one repetition here, which is too few for a judgement, but not for a verdict.
says_whether_the_bars_are_met() {
  local status=0
  [[ $("$program" --bars --benchmark_list_tests | wc -l) -ge 17 ]]
  timeout -k 5 120 "$program" --bars --benchmark_filter=trypair --benchmark_repetitions=1 >"$scratch/bars" || status=$?
  # Two bars about these rows, all others without.
  [[ $(grep -cE '^try pair .* (met|NOT MET)$' "$scratch/bars") -eq 2 ]]
  [[ $(grep -c ' not measured$' "$scratch/bars") -eq 15 ]]
  if grep -q 'NOT MET$' "$scratch/bars"; then
    [[ $status -eq 1 ]]
  else
    [[ $status -eq 0 ]]
  fi
}

# So few round trips that one in a thousand is none of them: the program is suspended most of the time.
# Where it ran on meanwhile, because this script was not let run, that is tried again.
leaves_out_percentiles_of_too_few_round_trips() {
  local out=$scratch/few.json table=$scratch/few
  for _ in {1..9}; do
    "$program" --benchmark_filter=roundtrip/mutex --benchmark_repetitions=1 --benchmark_out="$out" >"$table" &
    while kill -STOP $! 2>/dev/null; do
      sleep 0.1
      kill -CONT $!
      sleep 0.002
    done
    wait $!
    cat "$table"
    grep -q '"p50_ns": ' "$out"
    grep -q '"p99.9_ns": ' "$out" || break
  done
  grep -qE '^roundtrip/mutex .* p50 [0-9]+(, p99 [0-9]+)? ns( |$)' "$table"
}

# The crawler on both queues, two rows like the others; where it is not built there is nothing to run.
crawls() {
  local out=$scratch/crawl.json table=$scratch/crawl status=0
  timeout -k 5 120 "$program" --crawl --benchmark_repetitions=2 --benchmark_out="$out" >"$table" || status=$?
  if [[ ! -x ${program%/*}/../src/sluice-crawl ]]; then
    [[ $status -eq 2 ]]
    return
  fi
  [[ $status -eq 0 ]]
  [[ $(grep -c '"name": "crawl/mpmc/p:4/c:2/cap:64/manual_time"' "$out") -eq 2 ]]
  [[ $(grep -c '"name": "crawl/mutex/p:4/c:2/cap:64/manual_time"' "$out") -eq 2 ]]
  [[ $(grep -c '"times_mutex": ' "$out") -ge 4 ]]
  if grep -iwE 'nan|inf' "$out" "$table"; then
    return 1
  fi
  grep -q '^crawl/mpmc/p:4/c:2/cap:64 ' "$table"
}

check help_ends_with_0 ends_with 0 --help
check an_unknown_option_ends_with_2 ends_with 2 --nonsense
check a_filter_that_admits_nothing_ends_with_2 ends_with 2 --benchmark_filter=nothing_is_called_this
check writes_results_and_ends_with_the_table writes_results
check says_whether_the_bars_are_met says_whether_the_bars_are_met
check leaves_out_percentiles_of_too_few_round_trips leaves_out_percentiles_of_too_few_round_trips
check crawls crawls
check lists_every_workload lists_every_workload
tally
