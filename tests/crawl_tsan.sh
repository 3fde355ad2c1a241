#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# crawl_tsan.sh - ThreadSanitizer on the crawler: do any two of its threads race for plain memory?
#
# Compiles sluice-crawl with tests/tsan/ck_pr.h, in which ThreadSanitizer sees every operation of the
# queues, and lets tests/crawl.c crawl its site with it. Of libcurl, libxml2 and SQLite, which are not
# instrumented, it sees what they lock, and what they do through the C library; no suppressions. Then a
# copy of which one line is wrong must be reported.
#
# Prints `ok NAME` or `FAIL NAME` and what was said for each check, then `N passed, N failed`.

set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source-path=SCRIPTDIR
source "$here/../scripts/tally.sh"

export TSAN_OPTIONS=halt_on_error=0:exitcode=66
read -ra libraries < <(pkg-config --cflags --libs libcurl libxml-2.0 sqlite3)

# crawls SOURCES: tests/crawl.c, with the crawler of that folder, compiled for ThreadSanitizer. What it
# says goes to stderr, where the test expects nothing.
crawls() {
  local program=$scratch/program.$BASHPID
  gcc -std=gnu11 -O1 -g -fsanitize=thread -fno-builtin-memcpy -fno-builtin-memset -pthread \
    -DCRAWL_VERSION='"0"' -isystem "$here/tsan" "-I$here/../include" \
    "$1"/{crawl*,arguments,crew,memory,report}.c -o "$program" "${libraries[@]}"
  gcc -std=gnu11 -O1 -pthread "-DSLUICE_CRAWL=\"$program\"" "-I$here" "-I$here/../include" \
    "$here"/{crawl,crawl_site}.c -o "$program.test" -lcriterion "${libraries[@]}"
  timeout -k 5 200 "$program.test" -j1 --verbose --filter 'crawl/four_*' >"$program.said" 2>&1 ||
    { cat "$program.said" && return 1; }
  grep -q 'Tested: [1-9]' "$program.said" # a filter that matches nothing is content, too
}

is_reported() {
  local status=0
  mkdir "$scratch/broken"
  cp "$here"/../src/*.[ch] "$scratch/broken"
  # What is said of a site is read without waiting for who asks.
  sed -i '/^take_turn(/,/^}/{/pthread_mutex_\(un\)\?lock/d}' "$scratch/broken/crawl_sites.c"
  if cmp -s "$scratch/broken/crawl_sites.c" "$here/../src/crawl_sites.c"; then
    echo "nothing was broken; crawl_sites.c has changed"
    return 1
  fi
  crawls "$scratch/broken" >"$scratch/said" 2>&1 || status=$?
  cat "$scratch/said"
  ((status != 0)) && grep -q 'WARNING: ThreadSanitizer: data race' "$scratch/said"
}

check "the crawler has no race" crawls "$here/../src"
check "reported: turns taken without the lock" is_reported
tally
