/* SPDX-License-Identifier: MIT */
/*
 * ck_mpmc_ring.h - Concurrency Kit's ck_ring with its own operations for many producers and consumers.
 *
 *	CK_RING(NAME, ITEM)		struct NAME and NAME_init, _destroy, _capacity, _push, _pop
 *
 * libck-dev 0.7.1; ck_ring(3), ck_ring.h. No operation sleeps. It holds a power of two less one: the
 * next above the capacity asked for. A put takes a ticket and publishes in the order of tickets.
 */
#ifndef BENCH_PEERS_CK_MPMC_RING_H
#define BENCH_PEERS_CK_MPMC_RING_H

#include <sluice/platform.h> /* ck_ring.h as it is does not compile everywhere */

#include "../queue.h"

/* ck_ring keeps its counters apart, but does not end with a line of its own. */
#define CK_RING(NAME, ITEM)                                                                        \
	struct NAME##_entry {                                                                      \
		ITEM item;                                                                         \
	};                                                                                         \
	CK_RING_PROTOTYPE(NAME, NAME##_entry)                                                      \
                                                                                                   \
	struct NAME {                                                                              \
		struct NAME##_entry *buffer;                                                       \
		char pad0[BENCH_ALIGNMENT];                                                        \
		struct ck_ring ring;                                                               \
		char pad1[BENCH_ALIGNMENT];                                                        \
	};                                                                                         \
                                                                                                   \
	static inline int NAME##_init(struct NAME *r, size_t capacity)                             \
	{                                                                                          \
		unsigned int size = 2;                                                             \
                                                                                                   \
		while (size <= capacity)                                                           \
			size *= 2;                                                                 \
		ck_ring_init(&r->ring, size);                                                      \
		r->buffer = (struct NAME##_entry *)bench_allocate(size * sizeof(*r->buffer));      \
		return r->buffer ? 0 : ENOMEM;                                                     \
	}                                                                                          \
                                                                                                   \
	static inline void NAME##_destroy(struct NAME *r)                                          \
	{                                                                                          \
		free(r->buffer);                                                                   \
	}                                                                                          \
                                                                                                   \
	static inline size_t NAME##_capacity(const struct NAME *r)                                 \
	{                                                                                          \
		return ck_ring_capacity(&r->ring) - 1;                                             \
	}                                                                                          \
                                                                                                   \
	static inline bool NAME##_push(struct NAME *r, ITEM item)                                  \
	{                                                                                          \
		struct NAME##_entry entry = {item};                                                \
                                                                                                   \
		return CK_RING_ENQUEUE_MPMC(NAME, &r->ring, r->buffer, &entry);                    \
	}                                                                                          \
                                                                                                   \
	static inline bool NAME##_pop(struct NAME *r, ITEM *item)                                  \
	{                                                                                          \
		struct NAME##_entry entry;                                                         \
                                                                                                   \
		if (!CK_RING_DEQUEUE_MPMC(NAME, &r->ring, r->buffer, &entry))                      \
			return false;                                                              \
		*item = entry.item;                                                                \
		return true;                                                                       \
	}

#endif
