/* SPDX-License-Identifier: MIT */
/*
 * rte_ring.c - DPDK's ring, in its three modes for many producers and consumers.
 *
 * libdpdk-dev 22.11; https://doc.dpdk.org/guides-22.11/prog_guide/ring_lib.html. No operation
 * sleeps. With RING_F_EXACT_SZ it holds exactly what is asked for. The ring lives in memory of our
 * own: rte_ring_init and the operations need no EAL.
 *
 *   mp    the default: a put takes its place, and publishes when all before it have published
 *   rts   relaxed tail sync: the last of those that are at it publishes for all
 *   hts   head/tail sync: one at a time
 */
#include <rte_ring.h>
#include <rte_ring_elem.h>

#include "try_only.h"

/* Returns NULL when there is no memory. */
static struct rte_ring *
ring_create(size_t item_bytes, size_t capacity, unsigned int flags)
{
	unsigned int slots = 2;
	struct rte_ring *ring;

	while (slots <= capacity)
		slots *= 2;
	ring = bench_allocate((size_t)rte_ring_get_memsize_elem((unsigned int)item_bytes, slots));
	if (!ring ||
	    rte_ring_init(ring, "bench", (unsigned int)capacity, flags | RING_F_EXACT_SZ) == 0)
		return ring;
	free(ring);
	return NULL;
}

/* The mode is read from the ring at each call, as in any program that uses rte_ring_enqueue. */
#define RTE_RING(NAME, ITEM, FLAGS)                                                                \
	struct NAME {                                                                              \
		struct rte_ring *ring;                                                             \
	};                                                                                         \
                                                                                                   \
	static inline int NAME##_init(struct NAME *r, size_t capacity)                             \
	{                                                                                          \
		r->ring = ring_create(sizeof(ITEM), capacity, FLAGS);                              \
		return r->ring ? 0 : ENOMEM;                                                       \
	}                                                                                          \
                                                                                                   \
	static inline void NAME##_destroy(struct NAME *r)                                          \
	{                                                                                          \
		free(r->ring);                                                                     \
	}                                                                                          \
                                                                                                   \
	static inline size_t NAME##_capacity(const struct NAME *r)                                 \
	{                                                                                          \
		return rte_ring_get_capacity(r->ring);                                             \
	}                                                                                          \
                                                                                                   \
	static inline bool NAME##_push(struct NAME *r, ITEM item)                                  \
	{                                                                                          \
		return rte_ring_enqueue_elem(r->ring, &item, sizeof(item)) == 0;                   \
	}                                                                                          \
                                                                                                   \
	static inline bool NAME##_pop(struct NAME *r, ITEM *item)                                  \
	{                                                                                          \
		return rte_ring_dequeue_elem(r->ring, item, sizeof(*item)) == 0;                   \
	}

#define MODE(NAME, FLAGS)                                                                          \
	RTE_RING(ring_##NAME, bench_item8, FLAGS)                                                  \
	RTE_RING(ring_##NAME##64, bench_item64, FLAGS)                                             \
	TRY_ONLY_SPIN(peer_##NAME##_spin, #NAME "_spin", ring_##NAME, bench_item8, NULL)           \
	TRY_ONLY_YIELD(peer_##NAME##_yield, #NAME "_yield", ring_##NAME, bench_item8, NULL)        \
	TRY_ONLY_SPIN(peer_##NAME##_spin64, #NAME "_spin", ring_##NAME##64, bench_item64, NULL)    \
	TRY_ONLY_YIELD(peer_##NAME##_yield64, #NAME "_yield", ring_##NAME##64, bench_item64, NULL)

MODE(rte_mp, 0)
MODE(rte_rts, RING_F_MP_RTS_ENQ | RING_F_MC_RTS_DEQ)
MODE(rte_hts, RING_F_MP_HTS_ENQ | RING_F_MC_HTS_DEQ)
