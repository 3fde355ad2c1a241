#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# cross.sh - do the headers hold on AArch64, and do they stop where they cannot hold?
#
# - The barriers. cross_barriers.c is compiled for AArch64 and disassembled. Wherever the headers rely
#   on an order, a barrier that is strong enough must stand between the two accesses.
# - Behaviour. The programs that fuzz.sh keeps in fuzz/, every call of compile.c, the README's example
#   and a few threads run under qemu-user. That shows that the code is right for one thread and that
#   sleeping works. It proves nothing about weak memory: qemu runs on this machine's stronger one.
# - Machines that will not do. The compiler stops with the #error that was written for them, first.
#
# ck's headers for other machines are those of this one with another ck_md.h: Debian's packages for
# amd64 and arm64 differ in no other file. It says CK_MD_RMO in the place of CK_MD_TSO. So nothing has
# to be fetched, and apt needs no foreign architecture.
#
# Prints `ok NAME` or `FAIL NAME` and what was said for each check, then `N passed, N failed`.

# Functions are called by way of check.
# shellcheck disable=SC2317

set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
include=$here/../include
# shellcheck source-path=SCRIPTDIR
source "$here/../scripts/tally.sh"

# ---------------------------------------------------------------------------- what is compiled with

flags=(-std=c11 -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror "-I$include")

ck=$(echo '#include <ck_ring.h>' | gcc -M -x c - | grep -o '/[^ ]*/ck_ring\.h')
ck=$(dirname "$ck")
# Apart from the other headers of this machine, which must not stand in for the target's.
for order in rmo tso; do
  mkdir "$scratch/$order"
  cp -r "$ck"/ck_*.h "$ck"/gcc "$scratch/$order"
done
sed -i 's/\bCK_MD_TSO\b/CK_MD_RMO/' "$scratch/rmo/ck_md.h"

# compile COMPILER ORDER FLAGS...: for AArch64. With clang its own headers, then the target's.
compile() {
  local compiler=("$1" -isystem "$scratch/$2" "${flags[@]}" "${@:3}")
  if [[ $1 == clang ]]; then
    compiler+=(--target=aarch64-linux-gnu)
  fi
  "${compiler[@]}"
}

gcc=aarch64-linux-gnu-gcc

# --------------------------------------------------------------------------------------- barriers

# FUNCTION: FIRST BARRIER SECOND. In FUNCTION, between every access that is a SECOND and the nearest
# FIRST above it, stands a BARRIER. The numbers of the edges are those of the headers.
#
#   load, store   an access of memory other than the stack     ishst, ishld, ish   these or stronger
#   swap, swapped an atomic read-modify-write, as it begins (a load) and when it is done
#   wake, heavy   the call that wakes, or is a heavy fence     none                no barrier at all
#   begin         where the function begins
rules='
swap_64:          store ish swap        R1
swap_64:          swapped ishld load    A1
swap_32:          store ish swap
swap_32:          swapped ishld load
swap_64_2:        store ish swap        R1
swap_64_2:        swapped ishld load    A1
exchange_32:      store ish swap
exchange_32:      swapped ishld load
full_after_swap:  swapped ish load      F1, F2
light:               store none load    F2 of a lone side
light_without_heavy: store ish load     F2 of a lone side
load_64:          load ishld load       A1
load_32:          load ishld load
store_64:         store ish store       R1

announce:         load ishld swap       W1 before W2
announce:         swapped ish load      F1
announce:         swapped ish heavy     F1

fill:             load ish swap
fill_alone:       store ish store       the value of a lone producer before its state
take:             load ishld load       the state before the value
take:             load ish swap         the value before the swap that frees its cell
take_alone:       load ishld load       the state before the value
take_alone:       load ish store        R1: the hint, which is the taking
free_alone:       load ish store        the item before the store that frees its cell
sluice_priv_sides_fence_all: begin ish heavy   E1, D2

ck_enqueue:       store ishst store     the slot before the counter
ck_dequeue:       load ish swap         the slot before the counter
ck_enter_alone:   swapped ish load      G1
ck_end:           store ish load        C2

mpmc_try_put:        swapped ish store  R1: the hint
spsc_try_put:        store ish store    R1: the value, the state, the hint

mpmc_try_put:        swapped ish load   F2: before closed is looked at
mpmc_try_get:        swapped ish load   F2
mpmc_try_put:        swapped ish wake   F2
mpmc_try_get:        swapped ish wake   F2
mpmc_task_done:      swapped ish wake   F2
mpmc_close:          swapped ish wake   F2
mpmc_wide_try_put:   swapped ish wake   F2
mpmc_wide_try_get:   swapped ish wake   F2
mpsc_try_put:        swapped ish wake   F2
spmc_try_get:        swapped ish wake   F2
ck_mpmc_try_put:     swapped ish wake   F2
ck_mpmc_try_get:     store ish wake     F2
ck_mpmc_close:       swapped ish wake   F2
ck_spsc_try_put:     swapped ish wake   F2
ck_spsc_try_get:     store ish wake     F2
'

# barriers COMPILER FLAGS...
barriers() {
  local object=$scratch/barriers.$BASHPID.o
  compile "$1" rmo "${@:2}" -c -o "$object" "$here/cross_barriers.c"
  aarch64-linux-gnu-objdump -dr --no-show-raw-insn "$object" >"$object.text"
  awk '
    FNR == NR && NF >= 4 {
      n++; function_of[n] = substr($1, 1, length($1) - 1); first[n] = $2; fence[n] = $3
      second[n] = $4; found[n] = 0; wrong[n] = 0; rule[n] = $0
    }
    FNR == NR { next }

    # ADDRESS <NAME>: begins a function; ADDRESS: INSTRUCTION OPERANDS; ADDRESS: R_AARCH64_... SYMBOL
    /^[0-9a-f]+ <.*>:$/ {
      name = $2; gsub(/[<>:]|\.(constprop|isra|part).*/, "", name)
      for (i = 1; i <= n; i++) state[i] = first[i] == "begin" ? "first" : "none"
      next
    }
    {
      split("", is)
      strength = 0
      if ($2 == "dmb") strength = $3 == "ish" ? 3 : $3 == "ishld" ? 2 : $3 == "ishst" ? 1 : 0
      if ($2 ~ /^(ldxr|ldxp)/) is["swap"] = 1
      else if ($2 ~ /^(stxr|stxp)/) is["swapped"] = is["store"] = 1
      else if ($2 ~ /^ld/ && !/\[(sp|x29)/) is["load"] = 1
      else if ($2 ~ /^st/ && !/\[(sp|x29)/) is["store"] = 1
      else if ($2 ~ /^R_AARCH64_(CALL|JUMP)26$/ && $3 ~ /^(wake|heavy)$/) is[$3] = 1
      for (i = 1; i <= n; i++) {
        if (function_of[i] != name) continue
        # What follows comes from further up, perhaps from before the FIRST.
        if ($2 == "ret" && state[i] == "first") state[i] = "left"
        if (fence[i] == "none") {
          if (strength > 0 && state[i] == "first") { wrong[i] = 1; at[i] = $0 }
          if (second[i] in is && state[i] == "first") found[i] = 1
          if (first[i] in is) state[i] = "first"
          continue
        }
        needed = fence[i] == "ish" ? 3 : fence[i] == "ishld" ? 2 : 1
        # dmb ishld does not order two stores.
        if (strength >= needed && !(needed == 1 && strength == 2)) {
          if (state[i] != "none") state[i] = "fenced"
        }
        if (second[i] in is && (state[i] == "first" || state[i] == "fenced")) {
          found[i] = 1
          if (state[i] == "first") { wrong[i] = 1; at[i] = $0 }
        }
        if (first[i] in is) state[i] = "first"
      }
    }
    END {
      for (i = 1; i <= n; i++) {
        if (!found[i]) print "found no such place:  " rule[i]
        if (wrong[i]) print "no barrier before" at[i] ": " rule[i]
        bad += !found[i] || wrong[i]
      }
      exit n == 0 || bad > 0
    }' <(echo "$rules") "$object.text"
}

# -------------------------------------------------------------------------------------- behaviour

# runs NAME SOURCES FLAGS... -- ARGUMENTS...: compiled for AArch64 and run, it ends with status 0.
runs() {
  local program=$scratch/$1 compiled=()
  shift
  while (($# > 0)) && [[ $1 != -- ]]; do
    compiled+=("$1")
    shift
  done
  compile "$gcc" rmo -O2 -static -pthread -o "$program" "${compiled[@]}"
  timeout -k 5 240 qemu-aarch64 -cpu max "$program" "${@:2}"
}

# ------------------------------------------------------------------------------------- elsewhere

# stops MESSAGE COMPILER FLAGS...: compiling sluice.h fails, and MESSAGE begins the first complaint.
stops() {
  local said
  if said=$(echo '#include <sluice.h>' |
    "$2" -std=c11 "-I$include" "${@:3}" -x c -fsyntax-only - 2>&1); then
    echo "accepted"
    return 1
  fi
  echo "$said"
  said=$(grep -m 1 'error:' <<<"$said")
  [[ $said == *"error: $1"* || $said == *"error: #error \"$1"* || $said == *"error: \"$1"* ]]
}

# target TRIPLE ORDER: what makes clang compile for it, with the headers of its C library.
target() {
  echo "--target=$1 -nostdlibinc -isystem /usr/$1/include -isystem $scratch/$2"
}

apart=(-fno-ipa-icf) # flavours whose code is the same keep a copy each
needs_64_bits='Sluice needs 64-bit Linux'
needs_16_bytes='Sluice needs a 16-byte compare-and-swap'
needs_its_own='This ck_md.h was made for x86'

check "aarch64, barriers, gcc -O2" barriers "$gcc" -O2 "${apart[@]}"
check "aarch64, barriers, gcc -O3" barriers "$gcc" -O3 "${apart[@]}"
check "aarch64, barriers, clang -O2" barriers clang -O2 -isystem /usr/aarch64-linux-gnu/include

for engine in CELL CK; do
  check "aarch64, the programs of fuzz/${engine,,}" runs "fuzz-$engine" -std=gnu11 -DFUZZ_$engine \
    "$here/fuzz.c" "$here/fuzz_replay.c" -- "$here/fuzz/${engine,,}"/*
done
check "aarch64, every call" runs compile "$here/compile.c"
check "aarch64, the example" runs example -std=gnu11 "$here/example.c"
check "aarch64, a few threads" runs behaviour -std=gnu11 "$here/cross_behaviour.c"

check "aarch64 stops at the ck_md.h of x86" stops "$needs_its_own" "$gcc" -isystem "$scratch/tso"
# shellcheck disable=SC2046
{
  check "riscv64 stops: no 16-byte swap" stops "$needs_16_bytes" \
    clang $(target riscv64-linux-gnu rmo)
  check "32-bit arm stops" stops "$needs_64_bits" clang $(target arm-linux-gnueabihf rmo)
  check "32-bit x86 stops" stops "$needs_64_bits" clang $(target i686-linux-gnu tso)
}

tally
