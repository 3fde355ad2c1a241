#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# instructions.sh PROGRAM - does a call still cost what bench/instructions.txt says?
#
# PROGRAM is sluice-instructions. With the compiler of the file its output must be the same to the
# letter; an intended change is recorded with `scripts/bench --instructions >bench/instructions.txt`.
# With any compiler: a put and a get of MPMC is one locked instruction and no fence beside it; a side that
# is alone has neither.

set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source-path=SCRIPTDIR
source "$here/../scripts/tally.sh"

recorded=$here/../bench/instructions.txt
measured=$scratch/measured
if ! "$1" >"$measured" 2>"$scratch/errors"; then
  cat "$scratch/errors"
  echo "0 passed, 1 failed"
  exit 1
fi

# has ROW PAIRS: the pairs "(locked,fences)" of try_put, try_get, put and get.
has() {
  [[ $(sed -n "/^$1 /s/[^(]*\(([^)]*)\)/\1/gp" "$measured") == "$2" ]]
}

is_as_recorded() {
  diff "$recorded" "$measured"
}

check "a put, or a get, of MPMC is one locked instruction" has mpmc '( 1, 0)( 1, 0)( 1, 0)( 1, 0)'
check "a put of SPMC is none, and no fence" has spmc '( 0, 0)( 1, 0)( 0, 0)( 1, 0)'
check "a get of MPSC is none, and no fence" has mpsc '( 1, 0)( 0, 0)( 1, 0)( 0, 0)'
check "SPSC has neither" has spsc '( 0, 0)( 0, 0)( 0, 0)( 0, 0)'
if [[ $(head -n 1 "$measured") == "$(head -n 1 "$recorded")" ]]; then
  check "calls cost what bench/instructions.txt says" is_as_recorded
else
  echo "[SKIP] bench/instructions.txt is of another compiler: $(head -n 1 "$recorded")"
fi
tally
