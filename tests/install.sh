#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# install.sh - is what `cmake --install` leaves behind complete, and do all ways to use it work?
#
# Prints `ok NAME` or `FAIL NAME` and what the tools said for each check, then `N passed, N failed`.

set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/.." && pwd)
# shellcheck source-path=SCRIPTDIR
source "$root/scripts/tally.sh"

prefix=$scratch/installed

# The prefix that counts is the one given last: an installed tree may be moved.
install_all() {
  cmake -S "$root" -B "$scratch/build" -DCMAKE_INSTALL_PREFIX=/nowhere -DSLUICE_REQUIRE_ALL=ON \
    -DSLUICE_BUILD_TESTS=OFF -DSLUICE_BUILD_BENCH=OFF
  cmake --build "$scratch/build"
  cmake --install "$scratch/build" --prefix "$prefix"
}

holds_the_headers() {
  diff -r "$root/include" "$prefix/include"
}

holds_the_program() {
  "$prefix/bin/sluice-pipeline" --quiet --links 2 --fetch-ms 0 --process-ms 0
}

names_no_build_folder() {
  if grep -rlF -e "$root" -e "$scratch/build" -e /nowhere "$prefix/share"; then
    return 1
  fi
}

# by_cmake LANGUAGE WAY: a project of the given language that reaches the library by the CMake
# command WAY compiles, and its program runs.
by_cmake() {
  local project=$scratch/project.$BASHPID
  mkdir "$project"
  cat >"$project/CMakeLists.txt" <<END
cmake_minimum_required(VERSION 3.21)
project(user LANGUAGES $1)
$2
set_source_files_properties("$here/compile.c" PROPERTIES LANGUAGE $1)
add_executable(user "$here/compile.c")
target_link_libraries(user sluice::sluice)
END
  cmake -S "$project" -B "$project/build" -DCMAKE_PREFIX_PATH="$prefix"
  cmake --build "$project/build"
  "$project/build/user"
}

# As a subproject the library brings no other target and installs nothing.
is_a_quiet_subproject() {
  by_cmake C "add_subdirectory(\"$root\" sluice)"
  local build=$scratch/project.$BASHPID/build
  cmake --build "$build" --target help | tee "$scratch/targets"
  if grep -E 'sluice-|test-' "$scratch/targets"; then
    return 1
  fi
  cmake --install "$build" --prefix "$scratch/nothing"
  [[ ! -e $scratch/nothing ]]
}

# by_compiler FLAGS...
by_compiler() {
  local program=$scratch/program.$BASHPID
  gcc "$here/compile.c" -o "$program" "$@"
  "$program"
}

by_pkg_config() {
  local flags
  flags=$(PKG_CONFIG_PATH=$prefix/share/pkgconfig pkg-config --cflags --libs sluice)
  # shellcheck disable=SC2086 # several flags
  by_compiler $flags
}

other_version_is_refused() {
  if by_cmake C "find_package(sluice 99 REQUIRED)"; then
    return 1
  fi
}

install_all >"$scratch/install.log" 2>&1 || {
  cat "$scratch/install.log"
  echo "FAIL cmake --install"
  echo "0 passed, 1 failed"
  exit 1
}

check "every header is installed" holds_the_headers
check "the program is installed and runs" holds_the_program
check "the installed files name no build folder" names_no_build_folder
check "find_package" by_cmake C "find_package(sluice 0.1 REQUIRED)"
check "find_package, C++" by_cmake CXX "find_package(sluice REQUIRED)"
check "find_package refuses another version" other_version_is_refused
check "add_subdirectory" is_a_quiet_subproject
check "add_subdirectory, C++" by_cmake CXX "add_subdirectory(\"$root\" sluice)"
check "pkg-config" by_pkg_config
check "plain -I" by_compiler "-I$root/include"

tally
