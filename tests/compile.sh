#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# compile.sh - do the headers compile wherever they promise to, without a warning, and nowhere else?
#
# Prints `ok NAME` or `FAIL NAME` and the compiler's output for each check, then `N passed, N failed`.

set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
include=$here/../include
# shellcheck source-path=SCRIPTDIR
source "$here/../scripts/tally.sh"

flags=(-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror "-I$include")

# language COMPILER: what -x takes.
language() {
  case $1 in
    *++) echo c++ ;;
    *) echo c ;;
  esac
}

# object FILE COMPILER FLAGS...: compiles compile.c.
object() {
  "$2" -x "$(language "$2")" "${flags[@]}" "${@:3}" -c -o "$1" "$here/compile.c"
}

# links PROGRAM COMPILER OBJECT...: in C with no library but C's (and libgcc.a, the compiler's own).
links() {
  if [[ $(language "$2") == c ]]; then
    "$2" -o "$1" "${@:3}" -nodefaultlibs -lc -lgcc
  else
    "$2" -o "$1" "${@:3}"
  fi
}

# runs COMPILER FLAGS...: the program compiles and runs.
runs() {
  local program=$scratch/program.$BASHPID
  object "$program.o" "$@"
  links "$program" "$1" "$program.o"
  "$program"
}

# two_units COMPILER FLAGS...: so does a program of two source files that define the same queues.
two_units() {
  local program=$scratch/program.$BASHPID
  object "$program.1.o" "$@" -DFIRST_UNIT
  object "$program.2.o" "$@" -DSECOND_UNIT
  links "$program" "$1" "$program.1.o" "$program.2.o"
  "$program"
}

# alone HEADER COMPILER FLAGS...: a source file that includes nothing else compiles.
alone() {
  echo "#include <$1>" | "$2" -x "$(language "$2")" "${flags[@]}" "${@:3}" -c -o /dev/null -
}

# after COMPILER FLAGS...: it makes no difference what was defined or included before.
after() {
  object /dev/null "$@" -fsyntax-only
}

# rejects_nontrivial COMPILER: a C++ type that must not be moved as bytes stops the compiler, by the
# message that is meant for this, and the same type made trivial does not.
rejects_nontrivial() {
  local compile=("$1" -x c++ -std=c++17 "${flags[@]}" -c -o /dev/null -)
  local unit='#include <sluice.h>
    struct item { COPY int i; };
    SLUICE_DEFINE(items, item)'
  local copy='item(const item &other) : i(other.i) {}'
  local said

  "${compile[@]}" <<<"${unit/COPY/}"
  if said=$("${compile[@]}" <<<"${unit/COPY/"$copy"}" 2>&1); then
    echo "accepted"
    return 1
  fi
  echo "$said"
  [[ $said == *"T must be trivially copyable"* ]]
}

# macros COMPILER: the names of all macros after the source text on stdin.
macros() {
  "$1" -x "$(language "$1")" "${@:2}" "-I$include" -dM -E - | sed -E 's/#define (\w+).*/\1/' | sort
}

# defines_only_its_own COMPILER FLAGS...: what the headers define begins with SLUICE_. Everything
# else, and so every feature-test macro, is there too when only the foreign headers are included.
defines_only_its_own() {
  grep -rhoE '^# *include <[^>]*' "$include" | sed 's/.*<//' | grep -v '^sluice' | sort -u |
    sed 's/.*/#include <&>/' >"$scratch/foreign.$1"
  [[ -s $scratch/foreign.$1 ]]
  macros "$@" <"$scratch/foreign.$1" >"$scratch/without.$1"
  macros "$@" <<<'#include <sluice.h>' >"$scratch/with.$1"
  grep -qx SLUICE_DEFINE "$scratch/with.$1"
  comm -13 "$scratch/without.$1" "$scratch/with.$1" >"$scratch/own.$1"
  if grep -v '^SLUICE_' "$scratch/own.$1"; then
    echo "defined by the headers, and not theirs to define"
    return 1
  fi
}

for optimize in -O0 -O2; do
  for standard in c11 c17; do
    for compiler in gcc clang; do
      check "$compiler -std=$standard $optimize" runs "$compiler" -std=$standard $optimize
    done
  done
  for standard in c++17 c++20; do
    for compiler in g++ clang++; do
      check "$compiler -std=$standard $optimize" runs "$compiler" -std=$standard $optimize
    done
  done
done

# What CMake calls Release. gcc, inlining more, sees more that might be uninitialized.
check "gcc -std=c11 -O3" runs gcc -std=c11 -O3
check "g++ -std=c++17 -O3" runs g++ -std=c++17 -O3

check "two units, gcc" two_units gcc -std=c11
check "two units, clang++" two_units clang++ -std=c++17

for header in $(cd "$include" && echo sluice.h sluice/*.h); do
  check "$header alone, gcc" alone "$header" gcc -std=c11
  check "$header alone, clang++" alone "$header" clang++ -std=c++17
done

for compiler in gcc clang; do
  for before in -D_POSIX_C_SOURCE=1 -D_XOPEN_SOURCE=500 -D_GNU_SOURCE; do
    check "$compiler -std=c11 $before" after "$compiler" -std=c11 $before
  done
  check "$compiler -std=c11 -D_POSIX_C_SOURCE=1, after other headers" after "$compiler" -std=c11 \
    -D_POSIX_C_SOURCE=1 -include time.h -include stdbool.h -include ck_ring.h
done

if [[ $(uname -m) == x86_64 ]]; then
  for compiler in gcc clang; do
    check "$compiler -DCK_USE_CC_BUILTINS=1" runs "$compiler" -DCK_USE_CC_BUILTINS=1 -mcx16 -O2
  done
fi

check "g++ rejects items that are more than bytes" rejects_nontrivial g++
check "clang++ rejects items that are more than bytes" rejects_nontrivial clang++
check "no foreign macro is defined, C" defines_only_its_own gcc -std=c11
check "no foreign macro is defined, C++" defines_only_its_own g++ -std=c++17

tally
