/* SPDX-License-Identifier: MIT */
/*
 * ck_ring.h - ck_ring with slots that ThreadSanitizer takes for atomic. For tests only; see ck_pr.h.
 *
 * A consumer of ck_ring copies a slot before its swap tells whether the item is its own; meanwhile a
 * producer of the next lap may write there. What was copied then is thrown away, so the race is
 * harmless, but it is one. Copied piece by piece with relaxed atomic loads and stores it is none any
 * more, and ThreadSanitizer still sees what the item was copied from and to. That a slot is written
 * before it is published is then shown by the order of what the items point to: see handover.c.
 */
#ifndef TSAN_CK_RING_H
#define TSAN_CK_RING_H

#include <stdint.h>
#include <string.h>

#include <ck_pr.h>

static inline void
tsan_copy(void *to, const void *from, size_t bytes)
{
	const size_t word = sizeof(uint64_t);
	unsigned char *t = to;
	const unsigned char *f = from;

	if (((uintptr_t)t | (uintptr_t)f) % word == 0) {
		for (; bytes >= word; bytes -= word, t += word, f += word)
			__atomic_store_n((uint64_t *)(void *)t,
					 __atomic_load_n((const uint64_t *)(const void *)f,
							 __ATOMIC_RELAXED),
					 __ATOMIC_RELAXED);
	}
	for (; bytes > 0; bytes--, t++, f++)
		__atomic_store_n(t, __atomic_load_n(f, __ATOMIC_RELAXED), __ATOMIC_RELAXED);
}

#define memcpy(to, from, bytes) tsan_copy(to, from, bytes)
#include_next <ck_ring.h>
#undef memcpy

#endif
