#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# regress.sh - does scripts/regress keep its word: what it calls a loss, what it leaves behind?
#
# It is run on a repository made for that, of which every revision is known. Nothing here depends on
# what the measurements say: of those it is asked that they are made, and what becomes of them when a
# signal comes. Takes a minute.

# Functions are called by way of check.
# shellcheck disable=SC2317

set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source-path=SCRIPTDIR
source "$here/../scripts/tally.sh"

header=include/sluice/queue.h
marked='\t\*moved = 0;$' # a line that every put runs through

# One instruction more in each put; and what the headers need not be.
put_a_nop() {
  sed -i "s/^$marked/&\n\t__asm__ __volatile__(\"nop\");/" $header
  grep -q nop $header
}

# Of a thousand puts that may wait, one says that it has put and has not.
lose_an_item() {
  sed -i "s/^$marked/&\n\tstatic unsigned calls;\n\tif (may_sleep \&\& ++calls % 1000 == 0) {\n\t\t*moved = n;\n\t\treturn 0;\n\t}/" $header
  grep -q '% 1000' $header
}

# Each put ends the process.
crash() {
  sed -i "s/^$marked/&\n\t__builtin_trap();/" $header
  grep -q trap $header
}

repository=$scratch/repository
mkdir "$repository"
cp -r "$here"/../{CMakeLists.txt,bench,include,scripts} "$repository"
cd "$repository"
export GIT_AUTHOR_NAME=test GIT_AUTHOR_EMAIL=test@example.org
export GIT_COMMITTER_NAME=test GIT_COMMITTER_EMAIL=test@example.org
git init -q .
printf '/build*/\n' >.gitignore
git add .
git commit -qm 'as it is'
git tag as_it_is
put_a_nop
git commit -qam 'one instruction more'
git tag more
echo '#error "not for anybody"' >include/sluice.h
git commit -qam 'does not compile'
git tag broken
git rm -q -r include bench CMakeLists.txt
git commit -qm 'before there was a benchmark'
git tag without
git checkout -q as_it_is
lose_an_item
git commit -qam 'loses items'
git tag lossy
git checkout -q as_it_is
crash
git commit -qam 'crashes'
git tag crashing
git checkout -q as_it_is

# A clone in the folder $own, its working tree at REVISION.
clone() {
  own=$(mktemp -d -p "$scratch")
  mkdir "$own/tmp"
  git clone -q "$repository" "$own/clone"
  git -C "$own/clone" checkout -q "$1"
}

# Runs scripts/regress there; its exit status is in $status then, what it printed in files.
regress() {
  status=0
  TMPDIR=$own/tmp timeout -k 5 600 "$own/clone/scripts/regress" "$@" >"$own/stdout" 2>"$own/stderr" || status=$?
  cat "$own/stdout" "$own/stderr"
  leaves_nothing
}

# Nothing in the folder for temporary files, and no worktree but the clone itself.
leaves_nothing() {
  [[ -z $(ls -A "$own/tmp") ]]
  [[ $(git -C "$own/clone" worktree list | wc -l) -eq 1 ]]
}

# ends_with STATUS PATTERN REVISION ARGUMENTS...: and a line on stdout matches, or the only one on
# stderr.
ends_with() {
  local expected=$1 pattern=$2
  clone "$3"
  shift 3
  regress "$@"
  [[ $status -eq $expected ]]
  if [[ -s $own/stdout ]]; then
    [[ ! -s $own/stderr ]]
    grep -qE "$pattern" "$own/stdout"
  else
    [[ $(wc -l <"$own/stderr") -eq 1 ]]
    grep -qE "$pattern" "$own/stderr"
  fi
}

changed_and_not_committed() {
  clone as_it_is
  (cd "$own/clone" && put_a_nop)
  regress --only instructions HEAD
  [[ $status -eq 1 ]]
}

# The rows of both, and the status that goes with them, whatever they say.
measures_both_halves() {
  local row expected=0
  clone as_it_is
  regress --pairs 7 HEAD
  grep -qE '^same +28 calls: ' "$own/stdout"
  for row in 4:2/64\ mpmc 1:4/64\ spmc 4:1/64\ mpsc 1:1/64\ spsc; do
    grep -qE "^(loss|unclear|gain|same) +$row: .*, between .* and " "$own/stdout"
  done
  if grep -q ^loss "$own/stdout"; then
    expected=1
  elif grep -q ^unclear "$own/stdout"; then
    expected=2
  fi
  [[ $status -eq $expected ]]
}

writes_markdown() {
  clone more
  regress --only instructions --markdown "$own/table" as_it_is
  grep -qE '^\| \*\*loss\*\* \| mpmc put \| [0-9.]+ .* -> [0-9.]+ .* \|$' "$own/table"
  regress --only instructions as_it_is
  cmp "$own/table" "$own/clone/build/regress.md"
}

# stopped_by SIGNAL STATUS FILE: the signal comes when there is FILE, by which is known what goes on.
stopped_by() {
  local signal=$1 expected=$2 file=$3 status=0
  clone as_it_is
  # Too many pairs to end by itself.
  TMPDIR=$own/tmp timeout -k 5 600 "$own/clone/scripts/regress" --only speed --pairs 100000 HEAD \
    >"$own/log" 2>&1 & # timeout hands the signal on
  until compgen -G "$own/tmp/sluice-regress.*/$file" >/dev/null; do
    [[ -n $(jobs -r) ]] || { cat "$own/log" && return 1; }
    sleep 0.05 # to leave it the processor
  done
  kill "-$signal" $!
  wait $! || status=$?
  cat "$own/log"
  [[ $status -eq $expected ]]
  leaves_nothing
}

check a_tree_costs_what_it_costs ends_with 0 '^same +28 calls: instruction for instruction' as_it_is --only instructions HEAD
check one_instruction_more_in_put_is_a_loss ends_with 1 '^loss +mpmc put: [0-9.]+ .*->' more --only instructions as_it_is
check one_instruction_less_is_a_gain ends_with 0 '^gain +mpmc put: [0-9.]+ .*->' as_it_is --only instructions more
check the_working_tree_counts_and_not_its_commit changed_and_not_committed
check both_halves_are_judged measures_both_halves
check it_writes_a_table_for_a_pull_request writes_markdown
lost='4:2/64 mpmc: not as many items arrived as were sent'
check lost_items_are_a_loss ends_with 1 "^loss +working tree: fails where the base does not: .*$lost" lossy --only speed as_it_is
check a_crash_is_a_loss ends_with 1 '^loss +working tree: fails where the base does not: .*instructions' crashing --only instructions as_it_is
check a_base_that_loses_items_is_said_so ends_with 2 "^regress: base fails, so nothing is compared: .*$lost" as_it_is --only speed lossy
check both_lose_items_and_that_is_said_so ends_with 2 "^regress: base fails, and so does the tree, so .*$lost" lossy --only speed HEAD
check a_base_that_does_not_compile_is_said_so ends_with 2 '^regress: base does not compile .*not for anybody' as_it_is broken
check a_base_without_the_library_is_said_so ends_with 2 '^regress: base does not compile' as_it_is without
check an_unknown_revision ends_with 2 '^regress: nothing_is_called_this is no revision' as_it_is nothing_is_called_this
check an_option_is_no_revision ends_with 2 '^regress: ' as_it_is --exec=true
check a_base_is_needed ends_with 2 '^regress: .*BASE' as_it_is
check seven_pairs_are_the_least ends_with 2 '^regress: --pairs: 7 are the least' as_it_is --pairs 6 HEAD
check interrupted_while_it_checks_out_it_leaves_nothing stopped_by INT 130 base
check interrupted_while_it_compiles_it_leaves_nothing stopped_by INT 130 base/build/CMakeCache.txt
check interrupted_while_it_measures_it_leaves_nothing stopped_by INT 130 tree/build/bench/sluice-speed
check terminated_it_leaves_nothing stopped_by TERM 143 base/build/CMakeCache.txt
tally
