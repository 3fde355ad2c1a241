/* SPDX-License-Identifier: MIT */
/*
 * platform.h - what Sluice asks of compiler, processor and Concurrency Kit.
 *
 * Every conditional on compiler, target or ck version stands in this file, so that the others read
 * as plain C. It supplies:
 *
 *   SLUICE_PRIV_INLINE, _SLOW, _COLD,  how functions of a header are declared
 *     _API
 *   SLUICE_PRIV_LIKELY, _LINE          a branch hint; the distance that keeps two words apart
 *   sluice_priv_prefetch_to_write      asks for a cache line
 *   sluice_priv_*_acquire, _release    ck_pr operations whose names say their ordering
 *   sluice_priv_cas_64_2               the double-width compare-and-swap
 *   sluice_priv_fence_*                the fences of the waiting protocol; the heavy half of the
 *                                      asymmetric one is a system call, in futex.h
 *   ck_ring.h                          included in a form that compiles as C++ and that is strong
 *                                      enough for machines with relaxed memory order
 *
 * Ordering. ck_pr's plain operations order nothing by themselves on a machine with relaxed memory
 * order (RMO), not even the atomic ones. The wrappers here add the fence that their name promises;
 * on x86 (TSO) these fences are compiler barriers.
 *
 * Every word that threads race for is read and written through ck_pr_* or these wrappers, and every
 * sleep goes through the two functions of futex.h. A test that replaces those sees all that the
 * threads do to each other. (What only the holder of a gate writes moves plainly.)
 */
#ifndef SLUICE_PLATFORM_H
#define SLUICE_PLATFORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <ck_cc.h>
#include <ck_md.h>
#include <ck_pr.h>

#if !defined(__GNUC__)
#error "Sluice needs a compiler that understands GNU C (gcc or clang)."
#endif
#if !defined(__linux__) || !defined(__LP64__)
#error "Sluice needs 64-bit Linux: it sleeps on futexes and counts in 64-bit words."
#endif

#if defined(CK_MD_TSO) && defined(__aarch64__)
#error "This ck_md.h was made for x86: with it ck leaves out the fences that AArch64 needs."
#endif

#if defined(__cplusplus)
#define SLUICE_PRIV_STATIC_ASSERT static_assert
#define SLUICE_PRIV_EXTERN        extern "C"
/* Items are moved as bytes, which C++ allows for trivially copyable types only. */
#define SLUICE_PRIV_ITEM_IS_BYTES(T) __is_trivially_copyable(T)
#else
#define SLUICE_PRIV_STATIC_ASSERT    _Static_assert
#define SLUICE_PRIV_EXTERN           extern
#define SLUICE_PRIV_ITEM_IS_BYTES(T) 1
#endif

/* Bodies that must fold into their caller: flavour and item size are constants there. */
#define SLUICE_PRIV_INLINE static inline __attribute__((always_inline, unused))
/* Out of line, so that the fast paths stay short, but run under load: looking again and again. */
#define SLUICE_PRIV_SLOW static __attribute__((noinline, unused))
/* Out of line, and seldom run: sleeping, waking, closing, walking from a stale hint. */
#define SLUICE_PRIV_COLD static __attribute__((noinline, cold, unused))
/* What the SLUICE_DEFINE macros generate; a program need not use all of it. */
#define SLUICE_PRIV_API static inline __attribute__((unused))

#define SLUICE_PRIV_LIKELY(x)   CK_CC_LIKELY(x)
#define SLUICE_PRIV_UNLIKELY(x) CK_CC_UNLIKELY(x)

/* Two words this far apart never share a cache line, however the object that holds them is aligned. */
#define SLUICE_PRIV_LINE CK_MD_CACHELINE

SLUICE_PRIV_INLINE uint64_t
sluice_priv_load_64_acquire(const uint64_t *from)
{
	const uint64_t value = ck_pr_load_64(from);

	ck_pr_fence_acquire();
	return value;
}

SLUICE_PRIV_INLINE uint32_t
sluice_priv_load_32_acquire(const uint32_t *from)
{
	const uint32_t value = ck_pr_load_32(from);

	ck_pr_fence_acquire();
	return value;
}

SLUICE_PRIV_INLINE void
sluice_priv_store_64_release(uint64_t *to, uint64_t value)
{
	ck_pr_fence_release();
	ck_pr_store_64(to, value);
}

SLUICE_PRIV_INLINE bool
sluice_priv_cas_64_acq_rel(uint64_t *target, uint64_t expected, uint64_t desired)
{
	bool won;

	ck_pr_fence_release();
	won = ck_pr_cas_64(target, expected, desired);
	ck_pr_fence_acquire();
	return won;
}

SLUICE_PRIV_INLINE bool
sluice_priv_cas_32_acq_rel(uint32_t *target, uint32_t expected, uint32_t desired)
{
	bool won;

	ck_pr_fence_release();
	won = ck_pr_cas_32(target, expected, desired);
	ck_pr_fence_acquire();
	return won;
}

SLUICE_PRIV_INLINE uint32_t
sluice_priv_exchange_32_acq_rel(uint32_t *target, uint32_t value)
{
	uint32_t old;

	ck_pr_fence_release();
	old = ck_pr_fas_32(target, value);
	ck_pr_fence_acquire();
	return old;
}

/*
 * In a branch that is never taken: keeps a compiler from computing both ways and choosing by a
 * conditional move, on which all that follows would wait. No instruction.
 */
SLUICE_PRIV_INLINE void
sluice_priv_keep_branch(void)
{
	__asm__ __volatile__("");
}

/* Keeps a compiler from warning that these bytes may be read unwritten. No instruction. */
SLUICE_PRIV_INLINE void
sluice_priv_assume_written(unsigned char *bytes)
{
	__asm__ __volatile__("" : : "r"(bytes) : "memory");
}

/*
 * Asks for the line at this offset, to be written. Whatever it is: it need not be mapped, nor be written
 * then. Intel's processors without PREFETCHW take it for no operation; gcc has its builtin give another
 * instruction, unless told that there is this one.
 */
SLUICE_PRIV_INLINE void
sluice_priv_prefetch_to_write(const unsigned char *base, uint64_t offset)
{
#if defined(__x86_64__)
	__asm__ __volatile__("prefetchw (%0,%1)" : : "r"(base), "r"(offset));
#else
	__builtin_prefetch((const void *)((uintptr_t)base + offset), 1);
#endif
}

/*
 * The double-width compare-and-swap on a 16-byte aligned pair. Release before, acquire after.
 *
 * ck has it for x86-64 and AArch64. Where ck is told to use compiler builtins (CK_USE_CC_BUILTINS)
 * it has none; the compiler's 16-byte builtin stands in (x86-64: build with -mcx16).
 */
#if defined(CK_F_PR_CAS_64_2_VALUE)
SLUICE_PRIV_INLINE bool
sluice_priv_cas_64_2_relaxed(uint64_t target[2], uint64_t expected[2], uint64_t desired[2])
{
	uint64_t found[2];

	/* The variant that returns what it found keeps `expected` in registers. */
	return ck_pr_cas_64_2_value(target, expected, desired, found);
}
#elif defined(__GCC_HAVE_SYNC_COMPARE_AND_SWAP_16)
__extension__ typedef unsigned __int128 sluice_priv_u128 __attribute__((may_alias));

SLUICE_PRIV_INLINE bool
sluice_priv_cas_64_2_relaxed(uint64_t target[2], uint64_t expected[2], uint64_t desired[2])
{
	sluice_priv_u128 from;
	sluice_priv_u128 to;

	memcpy(&from, expected, sizeof(from));
	memcpy(&to, desired, sizeof(to));
	return __sync_bool_compare_and_swap((sluice_priv_u128 *)(void *)target, from, to);
}
#else
#error "Sluice needs a 16-byte compare-and-swap: ck_pr_cas_64_2, or (x86-64) -mcx16."
#endif

SLUICE_PRIV_INLINE bool
sluice_priv_cas_64_2_acq_rel(uint64_t target[2], uint64_t expected[2], uint64_t desired[2])
{
	bool won;

	ck_pr_fence_release();
	won = sluice_priv_cas_64_2_relaxed(target, expected, desired);
	ck_pr_fence_acquire();
	return won;
}

/*
 * A full fence right after an atomic read-modify-write of the same thread. On TSO that instruction
 * was the fence. Elsewhere not even a sequentially consistent one orders a later load, so a fence
 * instruction is needed.
 */
SLUICE_PRIV_INLINE void
sluice_priv_fence_full_after_atomic(void)
{
#if defined(CK_MD_TSO) && !CK_USE_CC_BUILTINS
	ck_pr_fence_atomic_load();
#else
	ck_pr_fence_memory();
#endif
}

/*
 * The light half of an asymmetric fence, whose heavy half is sluice_priv_fence_heavy() of futex.h: no
 * instruction at all. Where there is no heavy half (`asymmetric` is false), a full fence.
 */
SLUICE_PRIV_INLINE void
sluice_priv_fence_light(bool asymmetric)
{
	if (SLUICE_PRIV_LIKELY(asymmetric))
		ck_pr_barrier();
	else
		ck_pr_fence_memory();
}

/*
 * ck_ring.h of ck 0.7.1 needs two corrections, made around its inclusion:
 *
 * - As C++ it does not compile, because one function returns `false` for a pointer.
 * - Between a consumer's read of the slot and its compare-and-swap stands a store fence. On RMO
 *   machines that leaves the read free to move behind the swap, where the slot may already hold the
 *   item of the next lap (corrected in ck after 0.7.2). A full fence takes its place.
 */
#if !defined(CK_MD_TSO)
#if defined(CK_RING_H)
#error "On this machine include <sluice.h> before <ck_ring.h>: it repairs a fence there."
#endif
#define ck_pr_fence_store_atomic ck_pr_fence_memory
#endif
#if defined(__cplusplus) && !defined(CK_RING_H)
#pragma push_macro("false")
#undef false
#if defined(__clang__)
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wkeyword-macro"
#endif
#define false 0
#include <ck_ring.h>
#undef false
#if defined(__clang__)
#pragma clang diagnostic pop
#endif
#pragma pop_macro("false")
#else
#include <ck_ring.h>
#endif
#if !defined(CK_MD_TSO)
#undef ck_pr_fence_store_atomic
#endif

#endif /* SLUICE_PLATFORM_H */
