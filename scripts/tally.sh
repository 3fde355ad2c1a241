# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# tally.sh - checks that run side by side and are counted; to be sourced by bash scripts.
#
#   check NAME COMMAND...   starts COMMAND, or waits until a processor is free for it. COMMAND may be
#                           a function, whose first failing command ends it
#   tally                   waits for all; prints, in order, `ok NAME`, or `FAIL NAME` and what the
#                           command printed; then `N passed, N failed`. Fails unless all passed
#
# $scratch is a folder of the script's own, removed when it ends.

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

tally_processors=$(nproc)
tally_names=()

check() {
  local name=$1
  shift
  while (($(jobs -rp | wc -l) >= tally_processors)); do
    wait -n || true
  done
  # A file says that it passed: bash forgets a status when the process number is given out again.
  {
    "$@"
    : >"$scratch/passed.${#tally_names[@]}"
  } >"$scratch/log.${#tally_names[@]}" 2>&1 </dev/null &
  tally_names+=("$name")
}

tally() {
  local passed=0 failed=0 i
  wait
  for i in "${!tally_names[@]}"; do
    if [[ -e $scratch/passed.$i ]]; then
      echo "ok ${tally_names[i]}"
      passed=$((passed + 1))
    else
      echo "FAIL ${tally_names[i]}"
      cat "$scratch/log.$i"
      failed=$((failed + 1))
    fi
  done
  echo "$passed passed, $failed failed"
  ((failed == 0 && passed > 0))
}
