#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# example.sh PROGRAM - does the compiled example print what its source says it prints?
#
# In example.c a comment of the form "prints: TEXT" announces each line, in order.

set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source-path=SCRIPTDIR
source "$here/../scripts/tally.sh"

prints_what_it_says() {
  sed -nE 's|.*/\* prints: (.*) \*/.*|\1|p' "$here/example.c" >"$scratch/expected"
  [[ -s $scratch/expected ]]
  timeout -k 5 60 "$1" >"$scratch/printed"
  diff "$scratch/expected" "$scratch/printed"
}

check "the example prints what it says" prints_what_it_says "$1"
tally
