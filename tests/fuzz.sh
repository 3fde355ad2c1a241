#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# fuzz.sh - does any program of calls get other results from a queue than from an array?
#
# What is compared, fuzz.c says. libFuzzer first runs the programs kept in fuzz/, which reach all the
# code that it ever reached, then goes on from them: some seconds, or a minute with
# SLUICE_TEST_LONG=1. SLUICE_TEST_SEED repeats a run; its length is a number of programs for that
# reason, but for the long one. A program that fails is printed call by call, and as the bytes to put
# into a file of fuzz/ once the fault is found.
#
# Prints `ok NAME` or `FAIL NAME` and the program for each check, then `N passed, N failed`.

# Functions are called by way of check.
# shellcheck disable=SC2317

set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source-path=SCRIPTDIR
source "$here/../scripts/tally.sh"

seed=${SLUICE_TEST_SEED:-$((RANDOM * 32768 + RANDOM + 1))}
length=(-runs=20000)
if [[ ${SLUICE_TEST_LONG-} == 1 ]]; then
  length=(-max_total_time=60)
fi
echo "SLUICE_TEST_SEED=$seed"

# shellcheck disable=SC2054
flags=(
  -std=gnu11 -O1 -gline-tables-only -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror
  -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all "-I$here/../include" -pthread
)

# explain PROGRAM FILE: the calls, and the bytes.
explain() {
  SLUICE_FUZZ_TRACE=1 timeout -k 5 30 "$1" -timeout=10 "$2" 2>&1 |
    sed -n '/, as if .* had passed:$/,/^==/p' || true
  echo "in base64: $(base64 -w 0 "$2")"
}

# fuzz ENGINE: one program has all queues of the engine.
fuzz() {
  local folder=$scratch/$1
  local fuzz=$folder/fuzz
  mkdir -p "$folder/found"
  clang "${flags[@]}" "-DFUZZ_${1^^}" -o "$fuzz" "$here/fuzz.c"
  # A call that hangs is a failure like another. What is new goes to found/.
  if timeout -k 5 240 "$fuzz" "${length[@]}" -seed="$seed" -max_len=256 -timeout=20 \
    -artifact_prefix="$folder/bad-" "$folder/found" "$here/fuzz/$1" >"$folder/said" 2>&1; then
    tail -n 1 "$folder/said"
    return
  fi
  local bad
  bad=$(find "$folder" -name 'bad-*')
  if [[ -n $bad ]]; then
    explain "$fuzz" "$bad"
  else
    cat "$folder/said"
  fi
  return 1
}

check "the cell ring's flavours" fuzz cell
check "ck_ring's flavours, and the mutex baseline" fuzz ck
tally
