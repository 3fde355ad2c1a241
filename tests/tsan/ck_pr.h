/* SPDX-License-Identifier: MIT */
/*
 * ck_pr.h - Concurrency Kit's operations in a form that ThreadSanitizer sees. For tests only.
 *
 * ThreadSanitizer cannot look into ck's inline assembly, and does not model fences. A test compiled
 * with -isystem tests/tsan finds this file in the place of ck's own, and Sluice's headers as they are
 * then run on the operations below: each is an atomic builtin, and the fences become what the builtins
 * can say.
 *
 *   a release fence   makes this thread's next store, swap or addition a release
 *   an acquire fence  makes this thread's latest load, swap or addition an acquire
 *   anything else     is relaxed; a store-load fence is a real one, and no more
 *
 * In Sluice and ck_ring every fence stands beside the operation that it is for, so nothing is lost by
 * this. What ThreadSanitizer then reports is a plain access (an item, what one points to, what init and destroy
 * write) that no release and acquire on the way orders: also when only the fence is missing that made
 * them so. It cannot report a missing store-load fence, a wrong order among atomic words alone, or
 * anything that did not happen in this run; tests/schedule_*.c and tests/models are about those.
 *
 * What is not listed here is ck's own form for compilers' builtins (CK_USE_CC_BUILTINS): swaps and
 * additions are then seen as sequentially consistent, loads and stores as plain, which is reported.
 */
#ifndef TSAN_CK_PR_H
#define TSAN_CK_PR_H

#define CK_USE_CC_BUILTINS 1
#include_next <ck_pr.h>

#include <sanitizer/tsan_interface.h>

#if !defined(__x86_64__)
#error "Written for x86-64."
#endif

static __thread bool tsan_released; /* a release fence was passed, and nothing written since */
static __thread const void *tsan_last_read; /* what the last operation read */

static inline bool
tsan_take_release(void)
{
	const bool released = tsan_released;

	tsan_released = false;
	return released;
}

static inline void
tsan_fence_release(void)
{
	ck_pr_barrier();
	tsan_released = true;
}

/* Takes over what was released there up to now, which may be a little more than what was read. */
static inline void
tsan_fence_acquire(void)
{
	ck_pr_barrier();
	if (tsan_last_read != NULL)
		__tsan_acquire((void *)(uintptr_t)tsan_last_read);
}

#define TSAN_OPERATIONS(BITS, T)                                                                   \
	static inline T tsan_load_##BITS(const T *from)                                            \
	{                                                                                          \
		tsan_last_read = from;                                                             \
		return __atomic_load_n(from, __ATOMIC_RELAXED);                                    \
	}                                                                                          \
                                                                                                   \
	static inline void tsan_store_##BITS(T *to, T value)                                       \
	{                                                                                          \
		if (tsan_take_release())                                                           \
			__atomic_store_n(to, value, __ATOMIC_RELEASE);                             \
		else                                                                               \
			__atomic_store_n(to, value, __ATOMIC_RELAXED);                             \
	}                                                                                          \
                                                                                                   \
	static inline bool tsan_cas_##BITS##_value(T *at, T expected, T desired, T *found)         \
	{                                                                                          \
		bool won;                                                                          \
                                                                                                   \
		tsan_last_read = at;                                                               \
		if (tsan_take_release())                                                           \
			won = __atomic_compare_exchange_n(at, &expected, desired, false,           \
							  __ATOMIC_RELEASE, __ATOMIC_RELAXED);     \
		else                                                                               \
			won = __atomic_compare_exchange_n(at, &expected, desired, false,           \
							  __ATOMIC_RELAXED, __ATOMIC_RELAXED);     \
		*found = expected;                                                                 \
		return won;                                                                        \
	}                                                                                          \
                                                                                                   \
	static inline bool tsan_cas_##BITS(T *at, T expected, T desired)                           \
	{                                                                                          \
		return tsan_cas_##BITS##_value(at, expected, desired, &expected);                  \
	}                                                                                          \
                                                                                                   \
	static inline T tsan_exchange_##BITS(T *at, T value)                                       \
	{                                                                                          \
		tsan_last_read = at;                                                               \
		return tsan_take_release() ? __atomic_exchange_n(at, value, __ATOMIC_RELEASE)      \
					   : __atomic_exchange_n(at, value, __ATOMIC_RELAXED);     \
	}                                                                                          \
                                                                                                   \
	static inline void tsan_add_##BITS(T *at, T value)                                         \
	{                                                                                          \
		tsan_last_read = at;                                                               \
		if (tsan_take_release())                                                           \
			(void)__atomic_fetch_add(at, value, __ATOMIC_RELEASE);                     \
		else                                                                               \
			(void)__atomic_fetch_add(at, value, __ATOMIC_RELAXED);                     \
	}

TSAN_OPERATIONS(32, uint32_t)
TSAN_OPERATIONS(64, uint64_t)

/*
 * The double-width swap. ThreadSanitizer's own takes a lock in its library, which the swaps of the
 * cell's first half pass by: two of them could both win. So this is the instruction itself, with the
 * order and the access told beside it. It releases before it is known to win; that hides a race only
 * from a thread that meets the loser's claim.
 */
static inline bool
tsan_cas_64_2_value(uint64_t target[2], uint64_t expected[2], uint64_t desired[2],
		    uint64_t found[2])
{
	bool won;

	(void)tsan_load_64(&target[1]);
	(void)tsan_load_64(&target[0]); /* what an acquire fence behind it is about */
	if (tsan_take_release())
		__tsan_release(target);
	found[0] = expected[0];
	found[1] = expected[1];
	__asm__ __volatile__("lock cmpxchg16b %0"
			     : "+m"(target[0]), "+m"(target[1]), "+a"(found[0]), "+d"(found[1]),
			       "=@ccz"(won)
			     : "b"(desired[0]), "c"(desired[1])
			     : "memory");
	return won;
}

#undef ck_pr_load_32
#undef ck_pr_load_64
#undef ck_pr_load_uint
#undef ck_pr_store_32
#undef ck_pr_store_64
#undef ck_pr_store_uint
#define ck_pr_load_32(from)                       tsan_load_32(from)
#define ck_pr_load_64(from)                       tsan_load_64(from)
#define ck_pr_load_uint(from)                     tsan_load_32(from)
#define ck_pr_store_32(to, value)                 tsan_store_32(to, value)
#define ck_pr_store_64(to, value)                 tsan_store_64(to, value)
#define ck_pr_store_uint(to, value)               tsan_store_32(to, value)
#define ck_pr_cas_32(at, old, new)                tsan_cas_32(at, old, new)
#define ck_pr_cas_64(at, old, new)                tsan_cas_64(at, old, new)
#define ck_pr_cas_uint(at, old, new)              tsan_cas_32(at, old, new)
#define ck_pr_cas_uint_value(at, old, new, found) tsan_cas_32_value(at, old, new, found)
#define ck_pr_cas_64_2_value(at, old, new, found) tsan_cas_64_2_value(at, old, new, found)
#define CK_F_PR_CAS_64_2_VALUE
#define ck_pr_fas_32(at, value)    tsan_exchange_32(at, value)
#define ck_pr_add_32(at, value)    tsan_add_32(at, value)
#define ck_pr_add_64(at, value)    tsan_add_64(at, value)
#define ck_pr_inc_32(at)           tsan_add_32(at, 1)
#define ck_pr_fence_acquire()      tsan_fence_acquire()
#define ck_pr_fence_load()         tsan_fence_acquire()
#define ck_pr_fence_release()      tsan_fence_release()
#define ck_pr_fence_store()        tsan_fence_release()
#define ck_pr_fence_store_atomic() tsan_fence_release()

#endif
