#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# criterion.sh SECONDS PROGRAM [WRAPPER] - runs a program of Criterion tests and counts.
#
# SECONDS are five times as many when SLUICE_TEST_LONG=1. WRAPPER is a program that runs another in
# circumstances of its making. Prints what PROGRAM printed (it is kept in PROGRAM.log), then `N passed, N failed`. A test that crashed or ran out of time has failed. If PROGRAM
# fails otherwise, hangs, ends early or contains no test, that is a failure of its own; so is what a
# sanitizer reported about tests that had passed, as LeakSanitizer does. A skipped test is in neither
# number; its line says [SKIP].

set -euo pipefail

seconds=$1
program=$2
wrapper=${3-}
log=$program${wrapper:+.${wrapper##*/}}.log

[[ ${SLUICE_TEST_LONG-} != 1 ]] || seconds=$((5 * seconds))

status=0
# To a file, not to a pipe: a process that outlives the program would keep a pipe open.
timeout -k 5 "$seconds" ${wrapper:+"$wrapper"} "$program" --verbose >"$log" 2>&1 || status=$?
cat "$log"

count='^\[====] Synthesis: Tested: ([0-9]+) \| Passing: ([0-9]+) \| .*$'
read -r tested passed < <(sed -nE "s/$count/\1 \2/p" "$log" | tail -n 1) || tested=0 passed=0
failed=$((tested - passed))

if ((tested == 0)); then
  echo "$program: no test was run to its end (status $status)"
  failed=1
elif ((status != 0 && failed == 0)); then
  echo "$program: every test passed, but the program ended with status $status"
  failed=1
elif ((failed == 0)) && grep -qE '==ERROR: [A-Za-z]+Sanitizer|: runtime error: ' "$log"; then
  echo "$program: every test passed, but a sanitizer has something to report"
  failed=1
fi
echo "$passed passed, $failed failed"
((failed == 0))
