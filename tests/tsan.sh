#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# tsan.sh - ThreadSanitizer, with gcc and with clang: do any two threads race for plain memory?
#
# Compiles the test files as they are with tests/tsan/ck_pr.h, in which ThreadSanitizer sees every
# operation, and with tests/runner.h in Criterion's place. No suppressions. Then it shows that there
# is something to see: programs that race, and copies of the headers in which one line is wrong, must
# be reported. With SLUICE_TEST_LONG=1 every queue, every test of a header, and all of the stress.
#
# Prints `ok NAME` or `FAIL NAME` and what was said for each check, then `N passed, N failed`.

set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source-path=SCRIPTDIR
source "$here/../scripts/tally.sh"

# One test asks for 200 GiB. ThreadSanitizer would spend minutes on giving it out.
export TSAN_OPTIONS=halt_on_error=0:exitcode=66:allocator_may_return_null=1:max_allocation_size_mb=4096
long=${SLUICE_TEST_LONG:-0}
compilers=(gcc clang)

# Of each queue: its macro, is the producer alone, is the consumer alone, its header.
declare -A queue=(
  [mpmc]='SLUICE_DEFINE         0 0 <sluice.h>'
  [spmc]='SLUICE_DEFINE_SPMC    1 0 <sluice.h>'
  [mpsc]='SLUICE_DEFINE_MPSC    0 1 <sluice.h>'
  [spsc]='SLUICE_DEFINE_SPSC    1 1 <sluice.h>'
  [ck_spsc]='SLUICE_DEFINE_CK_SPSC 1 1 <sluice.h>'
  [ck_spmc]='SLUICE_DEFINE_CK_SPMC 1 0 <sluice.h>'
  [ck_mpmc]='SLUICE_DEFINE_CK_MPMC 0 0 <sluice.h>'
  [mutex]='MUTEX_QUEUE_DEFINE    0 0 "../bench/queues/mutex.h"'
)

# program COMPILER SOURCE QUEUE [HEADERS]: compiles SOURCE for QUEUE (- for none) and sets $program.
# HEADERS is the folder of include/ and tsan/, if these are not the real ones.
program() {
  local macro lone_producer lone_consumer header
  local flags=(-std=gnu11 -O1 -g -fsanitize=thread -pthread -DTEST_RUNNER)
  # gcc makes plain moves of a short memcpy where ThreadSanitizer cannot see them any more.
  flags+=(-fno-builtin-memcpy -fno-builtin-memset)
  if (($# > 3)); then
    flags+=(-isystem "$4/tsan" "-I$4/include")
  else
    flags+=(-isystem "$here/tsan" "-I$here/../include")
  fi
  if [[ $3 != - ]]; then
    read -r macro lone_producer lone_consumer header <<<"${queue[$3]}"
    flags+=("-DQUEUE_DEFINE=$macro" "-DQUEUE_HEADER=$header"
      "-DLONE_PRODUCER=$lone_producer" "-DLONE_CONSUMER=$lone_consumer")
  fi
  program=$scratch/program.$BASHPID
  "$1" "${flags[@]}" "-I$here" -o "$program" "$here/$2"
}

# run PATTERN...: runs the tests of $program. The runner limits each of them; this limits the runner.
run() {
  timeout -k 5 1500 "$program" "$@"
}

# silent COMPILER SOURCE QUEUE PATTERN...: the tests pass, and nothing is reported.
silent() {
  program "${@:1:3}"
  run "${@:4}"
}

# reported COMPILER QUEUE PATTERN [HEADERS]: the tests of handover.c race, and are told so.
reported() {
  local status=0
  program "$1" tsan/handover.c "$2" "${@:4}"
  run "$3" >"$program.said" 2>&1 || status=$?
  cat "$program.said"
  ((status != 0)) && grep -q '^WARNING: ThreadSanitizer: data race' "$program.said"
}

# breaks NAME FILE SED: makes $scratch/NAME, a copy of the headers in which the command changes FILE.
breaks() {
  mkdir "$scratch/$1"
  cp -r "$here/../include" "$here/tsan" "$scratch/$1"
  sed -i -E "$3" "$scratch/$1/$2"
  if cmp -s "$scratch/$1/$2" "$here/tsan/${2#tsan/}" ||
    cmp -s "$scratch/$1/$2" "$here/../$2"; then
    echo "tsan.sh: '$1' breaks nothing; $2 has changed" >&2
    exit 1
  fi
}

# counts COMPILER: the runner passes, fails and skips what it should (see runner.c).
counts() {
  local status=0
  program "$1" runner.c -
  run >"$program.said" 2>&1 || status=$?
  cat "$program.said"
  ((status != 0)) && [[ $(tail -n 1 "$program.said") == '2 passed, 6 failed' ]] &&
    [[ $(grep -c '^\[PASS] passes::' "$program.said") == 2 ]]
}

# The longest first, so that they do not run alone at the end.
queues=(mpmc ck_mpmc mpsc spsc)
stress=('stress::*_anyhow' 'stress::join_*' 'stress::*_racing_close_is_got')
headers=()
if [[ $long == 1 ]]; then
  queues=("${!queue[@]}")
  stress=('stress::*')
  headers=(platform futex park cell_ring ck_engine queue)
fi
for name in "${queues[@]}"; do
  for compiler in "${compilers[@]}"; do
    check "$compiler, $name: the specification" silent "$compiler" specification.c "$name" \
      'specification::*' "${stress[@]}"
  done
done
for name in "${!queue[@]}"; do
  for compiler in "${compilers[@]}"; do
    check "$compiler, $name: what is handed over is ordered" silent "$compiler" tsan/handover.c \
      "$name" 'handover::*'
  done
done
for name in "${headers[@]}"; do
  for compiler in "${compilers[@]}"; do
    check "$compiler, $name.c" silent "$compiler" "$name.c" -
  done
done

# One wrong line each.
breaks store_unreleased include/sluice/platform.h \
  '/^sluice_priv_store_64_release/,/^}/s/ck_pr_fence_release\(\);//'
breaks put_unreleased include/sluice/platform.h \
  '/^sluice_priv_cas_64_2_acq_rel/,/^}/s/ck_pr_fence_release\(\);//'
breaks swap_unreleased include/sluice/platform.h \
  '/^sluice_priv_cas_64_acq_rel/,/^}/s/ck_pr_fence_release\(\);//'
breaks state_unacquired include/sluice/platform.h \
  '/^sluice_priv_load_64_acquire/,/^}/s/ck_pr_fence_acquire\(\);//'
breaks ring_unreleased tsan/ck_pr.h 's/^(#define ck_pr_fence_store\(\)).*/\1/'

for compiler in "${compilers[@]}"; do
  check "$compiler: the runner counts" counts "$compiler"
  for name in mpmc ck_mpmc mutex; do
    check "$compiler, $name, reported: written after put" reported "$compiler" "$name" \
      race::an_item_is_written_after_it_was_put
    check "$compiler, $name, reported: around the queue" reported "$compiler" "$name" \
      race::an_item_goes_around_the_queue
  done
  check "$compiler, reported: the second swap of a wide put is no release" reported "$compiler" mpmc \
    'handover::wide_*' "$scratch/swap_unreleased"
  check "$compiler, reported: the store of a lone put is no release" reported "$compiler" spsc \
    'handover::*_after_get' "$scratch/store_unreleased"
  check "$compiler, reported: the swap of put is no release" reported "$compiler" mpmc \
    'handover::*_after_get' "$scratch/put_unreleased"
  check "$compiler, reported: the swap of task_done is no release" reported "$compiler" mpmc \
    'handover::*_after_join' "$scratch/swap_unreleased"
  check "$compiler, reported: what is read is not acquired" reported "$compiler" mpmc \
    'handover::*' "$scratch/state_unacquired"
  check "$compiler, reported: ck_ring publishes without release" reported "$compiler" ck_mpmc \
    'handover::*_after_get' "$scratch/ring_unreleased"
done

tally
