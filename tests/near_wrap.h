/* SPDX-License-Identifier: MIT */
/*
 * near_wrap.h - a queue whose counters stand where years of use would have brought them.
 *
 * near_wrap() takes a queue that NAME_init has just made, and moves everything in it that counts, as
 * if so many items had been put, got and done. For tests only: it writes private fields.
 *
 *   cell ring   tickets, and the laps in the states of the cells
 *   ck_ring     head and tail (32 bits), and how many were put (64 bits)
 *   queue       how many are done; the epochs of the events, which wrap at the next wake but one
 *
 * What wraps where. A ticket counts bytes, 16 from one cell to the next, and the state of a cell is the
 * first ticket of its lap, plus a bit. So both pass 2^32 after 2^28 items, and at 2^64, after 2^60, there
 * are no more of them: that is the end of a cell ring. The 32 bits of ck_ring wrap for good, its 64-bit
 * count could do so too.
 */
#ifndef NEAR_WRAP_H
#define NEAR_WRAP_H

#include <sluice/queue.h>

static inline void
near_wrap_event(struct sluice_priv_event *event)
{
	event->epoch = UINT32_MAX - 1;
}

/* Moves a ring of cells that is at rest, whatever it holds, by so many tickets, in whole laps. */
static inline void
near_wrap_cells(struct sluice_priv_cells *ring, uint64_t tickets)
{
	const struct sluice_priv_geometry *const g = &ring->geometry;
	uint64_t offset;

	tickets &= g->laps;
	for (offset = 0; offset < g->bytes; offset += SLUICE_PRIV_CELL_BYTES)
		sluice_priv_cells_at(g, offset)[SLUICE_PRIV_STATE] += tickets;
	ring->tail += tickets;
	ring->head += tickets;
}

/* As if `laps` times the capacity had been put, got and done. The queue is new. */
static inline void
near_wrap(struct sluice_priv_queue *q, bool ck, uint64_t laps)
{
	const uint64_t items = laps * q->capacity;

	q->done = items;
	near_wrap_event(&q->not_empty);
	near_wrap_event(&q->not_full);
	near_wrap_event(&q->all_done);
	if (ck) {
		struct sluice_priv_ck_engine *const engine = &q->engine.ck;

		engine->puts = items;
		engine->ring.c_head = (unsigned int)items;
		engine->ring.p_head = (unsigned int)items;
		engine->ring.p_tail = (unsigned int)items;
		near_wrap_event(&engine->gate_free);
	} else {
		struct sluice_priv_cells *const ring = &q->engine.cell.items;

		near_wrap_cells(ring, laps * (ring->geometry.mask + 1));
	}
}

#endif
