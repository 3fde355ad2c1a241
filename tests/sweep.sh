#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# sweep.sh PROGRAM - does sluice-sweep refuse what it must, and end with a choice?
#
# The shortest of sweeps, and no word about speed.

set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source-path=SCRIPTDIR
source "$here/../scripts/tally.sh"

program=$1

# is_refused ARGUMENT: with status 2 and one line on stderr that names it.
is_refused() {
  local status=0 errors
  errors=$(mktemp -p "$scratch")
  "$program" "$1" >/dev/null 2>"$errors" || status=$?
  [[ $status -eq 2 && $(wc -l <"$errors") -eq 1 ]]
  grep -qF -e "$1" "$errors"
}

# A wait of 4000 times 64 pauses takes milliseconds on any machine.
chooses_among_those_that_are_soon_asleep() {
  local out=$scratch/sweep
  timeout -k 5 120 "$program" --bursts=16,4000 --pauses=64 --yields=4 --repetitions=1 --milliseconds=1 \
    >"$out" 2>/dev/null
  grep -q '^refused: { 4000, 64, 4 } is asleep after [0-9]* us, not within 100$' "$out"
  # The default is swept, though nobody asked. (On a busy machine the other set may look restless, too.)
  grep -qE ' default( |$)' "$out"
  if grep -qE '^ +4000 ' "$out"; then
    return 1
  fi
  tail -n 1 "$out" | grep -qE '^(choice: \{ [0-9]+, [0-9]+, [0-9]+ \}|every set is refused)'
}

if (($(nproc) < 2)); then
  echo "[SKIP] sluice-sweep needs two processors"
else
  check chooses_among_those_that_are_soon_asleep chooses_among_those_that_are_soon_asleep
fi
for argument in --bursts=1,x --pauses= --yields=1000001 --repetitions=1,2 --repetitions=0 nonsense; do
  check "$argument is refused" is_refused "$argument"
done
tally
