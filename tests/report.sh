#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# report.sh PROGRAM - does scripts/report show what a results file says, and nothing else?
#
# PROGRAM is sluice-bench, which makes such a file; another, made up, has rows that no run should have.
# report_page.py looks at the pages in a browser. Takes 30 seconds.

# Functions are called by way of check.
# shellcheck disable=SC2317

set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source-path=SCRIPTDIR
source "$here/../scripts/tally.sh"

program=$1
report=$here/../scripts/report

# Something for each picture.
measure() {
  timeout -k 5 120 "$program" --benchmark_repetitions=3 --benchmark_out="$scratch/measured.json" \
    --benchmark_filter='transfer/(mpmc|mutex|spsc)/p:(4/c:2|1/c:1)/cap:(64|1024)/man|(roundtrip|paced)/m' \
    >"$scratch/measured.log" 2>&1
}

# run NAME [ERROR or COUNTER VALUE]...: a repetition, with whatever the numbers are.
run() {
  local counters=''
  printf '%s{"name": "%s", "run_name": "%s/manual_time", "run_type": "iteration"' "$separator" "$1" "$1"
  shift
  while (($# > 1)); do
    counters+=", \"$1\": $2"
    shift 2
  done
  printf '%s}' "$counters"
  separator=,
}

# A results file of rows that are odd, each in its way.
odd() {
  local separator='' script='"never sleeps | <script>window.hacked = 1</script> & *x*"' i
  printf '{"context": {"date": "<i>now</i>", "num_cpus": 2, "commit": "a|b"}, "benchmarks": ['
  for i in 3 1 2; do
    run transfer/mpmc/p:4/c:2/cap:64 items_per_second $((i * 1000000)) times_mutex "$i" cpu_ns_per_item 1e-3
    run transfer/mpmc/p:4/c:2/cap:65536 items_per_second $((i * 70000)) times_mutex 1e9
    run transfer/mutex/p:4/c:2/cap:64 items_per_second 1234567.5 times_mutex 1 cpu_ns_per_item 12345.6
    run 'transfer/<b>&\"q|`*_/p:4/c:2/cap:64' items_per_second $((i * 10)) \
      label "$script" cpu_ns_per_item 9
    run transfer/crawls/p:4/c:2/cap:64 items_per_second $((i * i)) label '"cut off in 1 of 3: still going"'
  done
  run transfer/once/p:4/c:2/cap:64 items_per_second 7e7 cpu_ns_per_item 5
  run transfer/nothing/p:4/c:2/cap:64 items_per_second 0
  run transfer/failed/p:4/c:2/cap:64 error_occurred true error_message '"not as many <items>"'
  run transfer/half_failed/p:4/c:2/cap:64 error_occurred true error_message '"other items"'
  run transfer/half_failed/p:4/c:2/cap:64 items_per_second 5e6
  run transfer/mpmc/p:few/c:2/cap:many items_per_second 1e6
  run fair/mpmc/p:4/c:2/cap:64/pin:apart items_per_second 5e6 largest_share_sent 0.5
  run paced/mutex items_per_second 1e4 running_share 1e-7
  run transfer/tbb/p:4/c:2/cap:64/repeats:1 items_per_second 3e6 # has repetitions of its own
  run BM_foreign items_per_second 1e6
  printf ']}\n'
}

# shows NAME PATTERN...: the page of that file is in order, and a line of what was seen there matches.
shows() {
  local seen=$scratch/$1.seen pattern
  "$report" "$scratch/$1.json" "$scratch/$1"
  timeout -k 5 150 /usr/bin/python3 -B "$here/report_page.py" "$scratch/$1" >"$seen" || { cat "$seen" && return 1; }
  shift
  for pattern; do
    grep -q -x -e "$pattern" "$seen" || { echo "no line $pattern in:" && cat "$seen" && return 1; }
  done
}

is_the_same_again() {
  "$report" "$scratch/measured.json" "$scratch/again"
  "$report" "$scratch/measured.json" "$scratch/again"
  "$report" "$scratch/measured.json" "$scratch/another"
  diff -r "$scratch/again" "$scratch/another"
  cmp "$scratch/measured.json" "$scratch/again/results.json"
}

# A picture that the file has nothing for is not left from another file.
leaves_out_old_pictures() {
  "$report" "$scratch/measured.json" "$scratch/reused"
  [[ -e $scratch/reused/chart-roundtrip.svg ]]
  "$report" "$scratch/odd.json" "$scratch/reused"
  [[ ! -e $scratch/reused/chart-roundtrip.svg && -e $scratch/reused/chart-paced.svg ]]
}

# refuses ARGUMENTS...: status 2, one line on stderr, none on stdout.
refuses() {
  local status=0 out errors
  out=$(mktemp -p "$scratch")
  errors=$(mktemp -p "$scratch")
  "$report" "$@" >"$out" 2>"$errors" || status=$?
  [[ $status -eq 2 && ! -s $out && $(wc -l <"$errors") -eq 1 ]] || { cat "$out" "$errors" && return 1; }
}

is_read_by_the_librarys_own_comparison() {
  /usr/bin/python3 -B /usr/share/benchmark/compare.py --no-color benchmarks "$scratch/measured.json" \
    "$scratch/measured.json" >"$scratch/compared"
  grep -q '^transfer/mpmc/p:4/c:2/cap:64/manual_time_pvalue .*Repetitions: 3 vs 3' "$scratch/compared"
}

odd >"$scratch/odd.json"
echo '[1, 2]' >"$scratch/list.json"
measure || { cat "$scratch/measured.log" && echo "0 passed, 1 failed" && exit 1; }

check shows_what_the_bench_measured shows measured \
  'Sluice MPMC moves [0-9.,]* million items a second, [0-9.,]* times the mutex' \
  'Sluice .* million items a second from 1:1 to 4:2 threads, the mutex .*' \
  'Sluice MPMC .* million items a second from capacity 64 to 1,024, the mutex .*' \
  'Sluice MPMC spends .* ns of processor time on an item; the mutex .* ns' \
  'Half of all round trips through Sluice MPMC take .*s or less; through the mutex .*s' \
  'With little to do, the threads of Sluice MPMC sleep .* %.*; those of the mutex .* %' 'All 15 rows'
check shows_odd_rows_as_they_are shows odd 'Sluice MPMC moves 2.00 million items a second, 2.00 times the mutex' \
  'All 14 rows, of which 2 failed' 'alert: transfer/failed/p:4/c:2/cap:64: not as many <items>' \
  'alert: transfer/half_failed/p:4/c:2/cap:64: other items'
check the_same_file_makes_the_same_report is_the_same_again
check leaves_out_old_pictures leaves_out_old_pictures
check a_file_that_is_missing_is_refused refuses "$scratch/nowhere.json"
check a_file_of_something_else_is_refused refuses "$scratch/list.json"
check a_folder_that_cannot_be_made_is_refused refuses "$scratch/measured.json" "$scratch/list.json/folder"
check no_file_is_refused refuses
check too_many_arguments_are_refused refuses "$scratch/measured.json" "$scratch/many" more
check is_read_by_the_librarys_own_comparison is_read_by_the_librarys_own_comparison
tally
