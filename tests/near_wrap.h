/* SPDX-License-Identifier: MIT */
/*
 * near_wrap.h - a queue whose counters stand where years of use would have brought them.
 *
 * near_wrap() takes a queue that NAME_init has just made, and moves everything in it that counts, as
 * if so many items had been put, got and done. For tests only: it writes private fields.
 *
 *   cell ring   tickets, and the laps in the states of the cells; those of the free slots as well
 *   ck_ring     head and tail (32 bits), and how many were put (64 bits)
 *   queue       how many are done; the epochs of the events, which wrap at the next wake but one
 *
 * What wraps where. The state of a cell is four times its lap's first ticket, plus two bits. So it
 * passes 2^32 at ticket 2^30 and 2^63 at ticket 2^61, and at ticket 2^62 there are no more states: that
 * is the end of a cell ring, after a thousand years of 10^8 items a second. The 32 bits of ck_ring wrap
 * for good, its 64-bit count could do so too.
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
	uint64_t index;

	tickets &= ~g->mask;
	for (index = 0; index < g->capacity; index++)
		sluice_priv_cells_at(g, index)[SLUICE_PRIV_STATE] += tickets << 2;
	ring->tail += tickets;
	ring->head += tickets;
}

/* As if `laps` times the capacity had been put, got and done. The queue is new. */
static inline void
near_wrap(struct sluice_priv_queue *q, bool ck, size_t item_size, uint64_t laps)
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
		const uint64_t tickets = laps * (q->engine.cell.items.geometry.mask + 1);

		near_wrap_cells(&q->engine.cell.items, tickets);
		if (sluice_priv_cell_wide(item_size))
			near_wrap_cells(&q->engine.cell.free_slots, tickets);
	}
}

#endif
