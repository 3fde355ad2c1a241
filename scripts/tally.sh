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
# $scratch is a folder of the script's own, removed when it ends. A script that is interrupted or
# terminated ends what it has started, too.

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
trap 'tally_stop INT' INT
trap 'tally_stop TERM' TERM

# The descendants of process $1, but for the shell that asks.
tally_descendants() {
  local child
  for child in $(ps -o pid= --ppid "$1"); do
    [[ $child != "$BASHPID" ]] || continue
    echo "$child"
    tally_descendants "$child"
  done
}

# Those are stopped before they are killed, or what they start meanwhile would be missed.
tally_stop() {
  local all='' before=none
  trap '' INT TERM
  while [[ $all != "$before" ]]; do
    before=$all
    all=$(tally_descendants $$)
    # shellcheck disable=SC2086 # several
    [[ -z $all ]] || kill -STOP $all 2>/dev/null || true
  done
  # shellcheck disable=SC2086
  [[ -z $all ]] || kill -KILL $all 2>/dev/null || true
  exit $((128 + $(kill -l "$1")))
}

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
