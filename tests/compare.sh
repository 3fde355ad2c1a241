#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# compare.sh - does scripts/compare keep its word about losses, doubts and files it cannot use?
#
# The results files are made up here, so that what they say is known. Takes 5 seconds.

# Functions are called by way of check.
# shellcheck disable=SC2317

set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source-path=SCRIPTDIR
source "$here/../scripts/tally.sh"

mpmc=transfer/mpmc/p:4/c:2/cap:64
spsc=transfer/spsc/p:1/c:1/cap:64
nine='100 101 99 102 98 103 97 104 96'

# results HOST [ROW COUNTERS VALUE...]...: a results file on stdout. COUNTERS: a comma between the
# names of those that get each value; the values in one word.
results() {
  local row counters value separator=
  printf '{"context": {"host_name": "%s", "num_cpus": 2}, "benchmarks": [' "$1"
  shift
  while (($# > 0)); do
    row=$1 counters=$2
    for value in $3; do
      printf '%s{"run_name": "%s/manual_time", "run_type": "iteration", "%s": %s}' \
        "$separator" "$row" "${counters//,/\": $value, \"}" "$value"
      separator=,
    done
    shift 3
  done
  printf ']}\n'
}

# A results file with a failed repetition, and nothing else.
failed() {
  printf '{"context": {"host_name": "here", "num_cpus": 2}, "benchmarks": [{"run_name": "%s/manual_time", ' $mpmc
  printf '"run_type": "iteration", "error_occurred": true, "error_message": "not as many items"}]}\n'
}

# times FACTOR: the nine values, so many times.
times() {
  awk -v factor="$1" '{ for (i = 1; i <= NF; i++) printf "%g ", $i * factor }' <<<"$nine"
}

both=items_per_second,times_mutex
results here $mpmc $both "$nine" $spsc $both "$nine" >"$scratch/old"
results here $mpmc $both "$(times 0.8)" $spsc $both "$(times 1.5)" >"$scratch/slower"
results here $mpmc $both "$(times 0.99)" $spsc $both "$nine" >"$scratch/same"
results here $mpmc $both '100 100 100' >"$scratch/few"
results here $mpmc $both '100 10 190 50 150 30 170 70 130' >"$scratch/wild"
results there $mpmc $both "$(times 0.8)" >"$scratch/elsewhere"
results there $mpmc items_per_second "$(times 0.1)" $mpmc times_mutex "$nine" >"$scratch/half_as_big"
results here $mpmc items_per_second "$nine" >"$scratch/alone"
results here $mpmc items_per_second "$(times 0.8)" >"$scratch/slower_alone"
results there $mpmc items_per_second "$nine" >"$scratch/alone_elsewhere"
results here transfer/mpmc/p:8/c:8/cap:64 $both "$nine" >"$scratch/other_row"
results here transfer/mutex/p:4/c:2/cap:64 $both "$nine" >"$scratch/mutex"
results here $mpmc real_time "$nine" >"$scratch/foreign"
failed >"$scratch/failed"
echo '[1, 2]' >"$scratch/list"
head -c 100 "$scratch/old" >"$scratch/torn"

# ends_with STATUS PATTERN ARGUMENTS...: and a line on stdout matches, or the only one on stderr.
ends_with() {
  local expected=$1 pattern=$2 status=0 out
  shift 2
  out=$(mktemp -d -p "$scratch")
  (cd "$scratch" && "$here/../scripts/compare" "$@") >"$out/stdout" 2>"$out/stderr" || status=$?
  cat "$out"/*
  [[ $status -eq $expected ]]
  if [[ -s $out/stdout ]]; then
    [[ ! -s $out/stderr ]]
    grep -qE "$pattern" "$out/stdout"
  else
    [[ $(wc -l <"$out/stderr") -eq 1 ]]
    grep -qE "$pattern" "$out/stderr"
  fi
}

check a_run_is_the_same_as_itself ends_with 0 '^same +4:2/64 mpmc: as fast, between .* \(p = 1\)$' old old
check one_percent_is_no_loss ends_with 0 '^same +4:2/64 mpmc: 1 % slower, between .* faster and .* slower' old same
check a_fifth_is_a_loss ends_with 1 '^loss +4:2/64 mpmc: 20 % slower, between 1[0-9] % and 2[0-9] % \(p = 0.0' old slower
check one_row_may_gain_while_another_loses ends_with 1 '^gain +1:1/64 spsc: 50 % faster, between 4' old slower
check a_loss_within_the_tolerance_is_none ends_with 0 '^same .*20 % slower' --tolerance 30 old slower
check a_small_tolerance_asks_for_more ends_with 2 '^unclear .* 1 % slower' --tolerance 1 old same
check a_wide_interval_tells_nothing ends_with 2 '^unclear .*mpmc: as fast' old wild
check three_repetitions_are_too_few ends_with 2 '^unclear .*: 9 and 3 repetitions' old few
check two_machines_are_related_by_the_mutex ends_with 1 '^loss .* 20 % slower' old elsewhere
check a_slower_machine_is_no_loss ends_with 0 '^same .*mpmc: as fast' old half_as_big
check without_the_mutex_one_machine_will_do ends_with 1 '^loss .* 20 % slower' alone slower_alone
check without_the_mutex_two_machines_cannot_be_compared ends_with 2 '^unclear .*other machines' alone alone_elsewhere
check a_row_that_fails_now_is_a_loss ends_with 1 '^loss .*: fails: not as many' old failed
check a_row_that_failed_before_is_unclear ends_with 2 '^unclear .*: failed before: not as many' failed old
check rows_of_one_run_only_are_counted ends_with 1 '^Rows that only old has: 1\.$' old elsewhere
check no_row_in_common ends_with 2 'no row in common' old other_row
check the_mutex_is_the_measure_and_not_compared ends_with 2 'no row in common' mutex mutex
check a_file_that_is_not_there ends_with 2 '^compare: nowhere: No such file' old nowhere
check a_file_that_is_torn ends_with 2 '^compare: torn: is not JSON$' torn old
check a_file_of_something_else ends_with 2 '^compare: list: is not a results file' list old
check a_file_of_another_benchmark ends_with 2 '^compare: foreign: has no repetition' foreign old
check a_tolerance_must_be_a_percentage ends_with 2 '^compare: argument --tolerance: ' --tolerance 120 old old
check two_files_are_needed ends_with 2 '^compare: .*NEW' old
tally
