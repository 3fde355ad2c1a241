#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# models.sh - do the protocols hold in every interleaving, and does each line of their defence matter?
#
# Spin searches each model of models/ exhaustively and must find no error; then each of its variants
# that lack one defence, and must find one. What is modelled, each model says at its top. Prints
# `ok NAME (states, seconds)` or `FAIL NAME` and what Spin printed, then `N passed, N failed`.

# Functions are called by way of check.
# shellcheck disable=SC2317

set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
models=$here/models
# shellcheck source-path=SCRIPTDIR
source "$here/../scripts/tally.sh"

megabytes=900 # that one search may use: as many run side by side as there are processors

# search LEVEL FOLDER MODEL FLAGS...: FOLDER/said is what the search said. LEVEL of optimisation: of a
# search that ends at its first error the compiler takes the longer part.
search() {
  local level=$1
  shift
  mkdir "$1"
  cd "$1"
  # Spin says what is wrong with a model on stdout, and not always by its status.
  spin -a "${@:3}" "$models/$2.pml" 2>&1 | tee translated
  if grep -qi error translated; then
    return 1
  fi
  gcc -w "$level" -DSAFETY -DCOLLAPSE -DMEMLIM="$megabytes" -o pan pan.c
  # A depth of 200,000 steps; -b makes reaching it an error.
  timeout -k 5 600 ./pan -b -m200000 >said 2>&1 || true
  cat said
  # For the table.
  awk '/states, stored/ { states = $1 } /elapsed time/ { seconds = $4 }
    END { printf "%d states, %s s\n", states, seconds }' said >states
}

# complete FOLDER: nothing was left out.
complete() {
  grep -q '^Full statespace search for' "$1/said"
  grep -q '^State-vector .* errors: ' "$1/said"
  if grep -qE 'not completed|depth too small|out of memory|max search depth|hash conflicts only|Bit statespace|truncated' "$1/said"; then
    return 1
  fi
}

# holds FOLDER MODEL FLAGS...: the whole of it was searched, and no error found.
holds() {
  search -O1 "$@"
  complete "$1"
  grep -q ', errors: 0$' "$1/said"
}

# falls FOLDER MODEL FLAGS...: an error was found, and it is one of what the model asserts.
falls() {
  search -O0 "$@"
  grep -q ', errors: 1$' "$1/said"
  grep -q '^pan:1: assertion violated' "$1/said"
}

number=0

# model MODEL FLAGS..., variant MODEL FLAGS...
model() {
  number=$((number + 1))
  check "$*" holds "$scratch/$number" "$@"
}
variant() {
  number=$((number + 1))
  check "rejected: $*" falls "$scratch/$number" "$@"
}

model park -DPASSER_BY
model park -DDEADLINES
model park -DWAITERS=3 -DWAKERS=1 -DITEMS=2 -DPASSER_BY
model park -DWAKERS=1 -DITEMS=2 -DCLOSER -DDEADLINES
model park -DFREEZE
model park -DLONE -DPASSER_BY
model park -DLONE -DWAKERS=1 -DITEMS=2 -DCLOSER -DDEADLINES
model park -DWAKERS=1 -DITEMS=2 -DCLOSER -DFREEZE
for defence in EPOCH_LATE NO_ATTEMPT NO_F1 NO_F2 SIGNAL_KEPT NO_S2 NO_S3; do
  variant park -DWAITERS=1 -DPASSER_BY -D$defence
done
variant park -DWAITERS=1 -DPASSER_BY -DLONE -DNO_HEAVY
variant park -DWAKERS=1 -DITEMS=2 -DWAKE_ONE
variant park -DWAKERS=1 -DDEADLINES -DGIVES_UP_WOKEN
variant park -DWAKERS=1 -DDEADLINES -DTIMED_OUT_BLIND
variant park -DWAKERS=1 -DCLOSER -DWAKE_ALL_LEAVES_EPOCH
variant park -DWAKERS=1 -DCLOSER -DFREEZE -DWAKE_ALL_ONLY_UNSIGNALLED

lone_producer=(-DLONE_PRODUCER -DPRODUCERS=1)
lone_consumer=(-DLONE_CONSUMER -DCONSUMERS=1)

model cell_ring -DCAPACITY=1 -DPUTS=1
model cell_ring -DCAPACITY=2 -DPUTS=1
model cell_ring -DCAPACITY=3 -DPUTS=1 -DGETS=1
model cell_ring -DCAPACITY=3 -DPRODUCERS=1 -DCONSUMERS=1 -DPUTS=5 -DGETS=5
model cell_ring -DCAPACITY=1 -DCONSUMERS=1 -DGETS=3
model cell_ring -DCAPACITY=2 "${lone_producer[@]}" -DPUTS=3
model cell_ring -DCAPACITY=1 "${lone_consumer[@]}" -DGETS=3
model cell_ring -DCAPACITY=1 "${lone_producer[@]}" "${lone_consumer[@]}" -DPUTS=4 -DGETS=4
model cell_ring -DCAPACITY=3 "${lone_producer[@]}" "${lone_consumer[@]}" -DPUTS=5 -DGETS=5 -DSTART=6
for defence in JUMP_A_LAP_TOO_FAR JUMP_AS_IF_TAKEN HINT_FIRST PLAIN_VALUE VALUE_BEFORE_STATE; do
  variant cell_ring -DCAPACITY=2 -D$defence
done
for defence in CAPACITY_ONE_MORE CAPACITY_ONE_LESS; do
  variant cell_ring -DCAPACITY=3 -DPRODUCERS=1 -DCONSUMERS=1 -DPUTS=4 -D$defence
done
variant cell_ring -DCAPACITY=2 "${lone_producer[@]}" -DSTATE_BEFORE_VALUE
variant cell_ring -DCAPACITY=1 "${lone_consumer[@]}" -DFREED_FIRST

model close -DCAPACITY=2 -DCONSUMERS=1
model close -DCAPACITY=2 -DPRODUCERS=1
model close -DCAPACITY=1 -DPRODUCERS=1 -DDISCARD -DSTART=0
model close -DCAPACITY=2 "${lone_producer[@]}" -DPUTS=2 -DCONSUMERS=1
model close -DCAPACITY=2 "${lone_producer[@]}" -DPUTS=2 -DCONSUMERS=1 -DSYMMETRIC
model close -DCAPACITY=2 "${lone_producer[@]}" -DCONSUMERS=1 -DPUTS=2 -DDISCARD
model close -DCAPACITY=2 "${lone_consumer[@]}" -DPRODUCERS=1 -DPUTS=2 -DDISCARD
model close -DCAPACITY=2 "${lone_producer[@]}" "${lone_consumer[@]}" -DPUTS=2 -DDISCARD
model close -DCAPACITY=1 "${lone_producer[@]}" "${lone_consumer[@]}" -DPUTS=2 -DDISCARD -DSYMMETRIC
for defence in END_STORED NO_WALK_TO_THE_END LOOKS_ONCE TAKES_ALL NO_FLAG DRAINED_WHEN_EMPTY \
  CLOSED_FIRST; do
  variant close -DCAPACITY=2 -DCONSUMERS=1 -D$defence
done
for defence in REST_STORED NOT_MARKED; do
  variant close -DCAPACITY=2 -DPRODUCERS=1 -DDISCARD -D$defence
done
for defence in NO_HEAVY_FENCE CLAIMED_LATE; do
  variant close -DCAPACITY=2 "${lone_producer[@]}" "${lone_consumer[@]}" -DPUTS=2 -DDISCARD -D$defence
done
variant close -DCAPACITY=2 "${lone_producer[@]}" -DCONSUMERS=1 -DNO_HEAVY_FENCE
variant close -DCAPACITY=2 "${lone_consumer[@]}" -DPRODUCERS=1 -DDISCARD -DNO_HEAVY_FENCE
variant close -DCAPACITY=2 "${lone_producer[@]}" -DCONSUMERS=1 -DSYMMETRIC -DNO_LIGHT_FENCE

model join -DCAPACITY=1 -DPUTS=1
model join -DCAPACITY=1 -DCONSUMERS=1
model join -DCAPACITY=2 -DCONSUMERS=1
model join -DCAPACITY=1 -DCONSUMERS=1 -DCLOSE -DPUTS=1 -DSTART=0
model join -DCAPACITY=2 -DCONSUMERS=0 -DDISCARD -DSTART=0
model join -DCAPACITY=1 -DCONSUMERS=1 -DDISCARD -DPUTS=1 -DSTART=0 -DOVERCALLED
for defence in DONE_LAST NO_LOOK LOOK_FIRST NO_WALK; do
  variant join -DCAPACITY=1 -D$defence
done
variant join -DCAPACITY=1 -DCONSUMERS=1 -DCLOSE -DPUTS=1 -DCOUNTS_REFUSED
variant join -DCAPACITY=1 -DCONSUMERS=1 -DCLOSE -DPUTS=1 -DOVERCALLED -DTRUSTS_THE_GETS
variant join -DCAPACITY=1 -DCONSUMERS=1 -DDISCARD -DPUTS=1 -DOVERCALLED -DCUT_FIRST
variant join -DCAPACITY=2 -DCONSUMERS=0 -DDISCARD -DSTART=0 -DDISCARDS_SILENTLY

status=0
tally >"$scratch/tally" || status=$?

# The same, with what each search has printed for the table.
number=0
while IFS= read -r line; do
  case $line in
    "ok "*)
      number=$((number + 1))
      echo "$line ($(cat "$scratch/$number/states"))"
      ;;
    "FAIL "*)
      number=$((number + 1))
      echo "$line"
      ;;
    *) echo "$line" ;;
  esac
done <"$scratch/tally"
exit "$status"
