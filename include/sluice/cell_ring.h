/* SPDX-License-Identifier: MIT */
/*
 * cell_ring.h - the lock-free engine: a bounded ring of double-width cells.
 *
 * One compare-and-swap per operation and no window between reserving a place and publishing it,
 * hence lock-free and linearizable: a thread suspended at any instruction stops nobody.
 * Sources: Shann, Huang and Chen, "A practical nonblocking queue algorithm using compare-and-swap",
 * ICPADS 2000; Tsigas and Zhang, "A simple, fast and scalable non-blocking concurrent FIFO queue",
 * SPAA 2001; for the side that is alone, Giacomoni, Moseley and Vachharajani, "FastForward for
 * efficient pipeline parallelism", PPoPP 2008.
 *
 * Tickets. Items are numbered by 64-bit tickets, never reused. A ticket is lap * P + index, where
 * index runs from 0 to capacity - 1 and P is the least power of two not below the capacity. So the
 * cell of a ticket is found by a mask for every capacity, and where the capacity is a power of two
 * the tickets are simply 0, 1, 2, ... States hold the lap in 62 bits, so a ring ends after 2^62 tickets,
 * which at 10^9 items a second is in 146 years.
 *
 * Cells. {state, value}, 16-byte aligned. With L = ticket & ~(P - 1), the lap's first ticket:
 *
 *   state    meaning                                      changed by
 *   4L       free for the item of lap L                   put: to 4L + 1, with the value
 *   4L + 1   holds the item of lap L                      get: to 4(L + P)
 *   4L + 2   tombstone, where the item of lap L would go  nobody: the ring has ended
 *
 * States only grow. Zeroed memory is an empty ring. The index is implied by the place. The tombstone
 * keeps its lap, so that whoever comes to it from an older ticket still learns how far the ring got.
 *
 * Hints. `tail` and `head` are tickets at or below the first one not yet filled (taken).
 *
 * Invariant. Every ticket below a stored hint has been filled (taken). For t + 1 is stored only by
 * the thread that filled (took) t, and it reached t from a hint by passing only tickets that it saw
 * filled (taken). So tickets are filled in order, and taken in order.
 *
 * put at ticket t, the cell of t read:
 *   4L(t)    free. Swap in {4L + 1, item}; that compare-and-swap is the linearization point.
 *   less     the item of ticket t one lap before is still there, and all after it up to t - 1: the
 *            ring was full at this read, which is the linearization point of "full".
 *   more     t has been filled. The state tells the last ticket filled in this cell; all up to it are
 *            filled, so go on behind it.
 *   4L + 2   the ring ended before this item.
 * get at ticket h is the mirror image: 4L + 1 take, 4L empty, more: go on behind the last one taken.
 *
 * A hint may be moved back by a store that was delayed (its thread was suspended just before). That
 * costs the next thread a walk of less than a lap, and no correctness; whoever asks for a count walks
 * from the hint to the truth.
 *
 * Why the get swaps eight bytes and the put sixteen. A cell's value changes only while the cell is free
 * or as it becomes full; states never come back; so a get whose swap of the state succeeds knows
 * that the value it read after the state belongs to it. A put must change both at once, or its value
 * could land in a cell that another has filled. A lone producer has no such rival: it writes the
 * value of a free cell plainly and then swaps the state alone. It needs a swap, not a store, because
 * of the tombstone; and that swap is the fence that it owes to sleepers anyway (F2 of park.h). The
 * same holds for a lone consumer: its store would need a full fence behind it, a locked instruction
 * on x86 as well; the swap in its place lets close_discard take items beside it.
 *
 * Closing. When a get finds the ring empty and the queue closed, it swaps a tombstone in at the place
 * where the next item would go, before it says so. No put can pass the tombstone, so nothing is
 * accepted behind the back of a consumer that was told "drained"; and before the tombstone stands,
 * whatever was accepted is found by the gets.
 *
 * Items wider than 8 bytes lie in slots, and the cell holds the slot's index. Free slots are handed
 * out by a second ring of the same kind. A put takes a slot, writes it, and swaps its index into the
 * ring of items; a get takes the index, copies the item out, and gives the slot back. A thread
 * suspended while it copies holds one slot and stops nobody: there are SLUICE_PRIV_SPARE_SLOTS slots
 * more than the capacity. Only when that many threads are inside their copies at the same moment may
 * a put say "full" a little early.
 *
 * Labelled orders, for machines that have to be told:
 *   R1  a hint or a state is stored with release, and every state is swapped with release
 *   A1  a hint or a state is read with acquire; so who sees a ticket sees all that came before it
 *       (no state older than the hint it followed), and who sees a full cell sees its item
 *   F2  see park.h: every operation that succeeded has passed a full fence behind its swap
 */
#ifndef SLUICE_CELL_RING_H
#define SLUICE_CELL_RING_H

#include <errno.h>

#include <sluice/platform.h>

/* A cell is an array, since that is what a double-width compare-and-swap takes: cell[STATE], cell[VALUE]. */
enum {
	SLUICE_PRIV_STATE,
	SLUICE_PRIV_VALUE,
	SLUICE_PRIV_CELL_WORDS
};

/* The two low bits of a state; above them is the lap. */
enum {
	SLUICE_PRIV_CELL_FREE,
	SLUICE_PRIV_CELL_FULL,
	SLUICE_PRIV_CELL_TOMBSTONE,
	SLUICE_PRIV_CELL_MASK
};

/* Constant from init on. Operations copy it, since a compiler must take it for changed by every atomic. */
struct sluice_priv_geometry {
	unsigned char *base; /* the first cell, aligned to a line */
	uint64_t mask;       /* P - 1 */
	uint64_t capacity;
	unsigned int stride_log2; /* of the distance between cells */
};

struct sluice_priv_cells {
	struct sluice_priv_geometry geometry;
	void *memory; /* what free() gets */
	char pad0[SLUICE_PRIV_LINE];
	uint64_t tail;
	char pad1[SLUICE_PRIV_LINE];
	uint64_t head;
	char pad2[SLUICE_PRIV_LINE];
};

/*
 * A cell, or a slot, is alone in its cache line as long as all of them together stay within this many
 * bytes; otherwise they lie closely packed. Alone, 4 producers and 2 consumers at capacity 64 move
 * 1.2 times as much.
 */
#define SLUICE_PRIV_SPREAD_BYTES ((size_t)1 << 20)

SLUICE_PRIV_INLINE bool
sluice_priv_spread(size_t count, size_t bytes_each)
{
	return count <= SLUICE_PRIV_SPREAD_BYTES / bytes_each;
}

/* Zeroed, aligned to a line; NULL: no memory. *memory is what free() gets. */
SLUICE_PRIV_INLINE unsigned char *
sluice_priv_allocate(size_t count, size_t bytes_each, void **memory)
{
	unsigned char *base = NULL;

	*memory = NULL;
	if (bytes_each <= (SIZE_MAX - SLUICE_PRIV_LINE) / count)
		*memory = calloc(1, count * bytes_each + SLUICE_PRIV_LINE);
	if (*memory != NULL) {
		base = (unsigned char *)*memory;
		base += SLUICE_PRIV_LINE - (uintptr_t)base % SLUICE_PRIV_LINE;
	}
	return base;
}

SLUICE_PRIV_INLINE int
sluice_priv_cells_init(struct sluice_priv_cells *ring, size_t capacity)
{
	struct sluice_priv_geometry *const g = &ring->geometry;
	uint64_t per_lap = 1;

	while (per_lap < capacity)
		per_lap *= 2;
	g->mask = per_lap - 1;
	g->capacity = capacity;
	g->stride_log2 = sluice_priv_spread(capacity, 64) ? 6 : 4;
	ring->tail = 0;
	ring->head = 0;
	g->base = sluice_priv_allocate(capacity, (size_t)1 << g->stride_log2, &ring->memory);
	return g->base != NULL ? 0 : ENOMEM;
}

SLUICE_PRIV_STATIC_ASSERT(sizeof(uint64_t[SLUICE_PRIV_CELL_WORDS]) == 16,
			  "cells lie 16 bytes apart");

SLUICE_PRIV_INLINE void
sluice_priv_cells_destroy(struct sluice_priv_cells *ring)
{
	free(ring->memory);
}

SLUICE_PRIV_INLINE uint64_t *
sluice_priv_cells_at(const struct sluice_priv_geometry *g, uint64_t ticket)
{
	return (uint64_t *)(void *)(g->base + ((ticket & g->mask) << g->stride_log2));
}

/* The state of a ticket's cell while the cell is free for it. */
SLUICE_PRIV_INLINE uint64_t
sluice_priv_cells_free_state(const struct sluice_priv_geometry *g, uint64_t ticket)
{
	return (ticket & ~g->mask) << 2;
}

/* The ticket behind this one. The comparison never holds where the capacity is a power of two. */
SLUICE_PRIV_INLINE uint64_t
sluice_priv_cells_next(const struct sluice_priv_geometry *g, uint64_t ticket)
{
	const uint64_t next = ticket + 1;

	if (SLUICE_PRIV_UNLIKELY((next & g->mask) == g->capacity))
		return (next | g->mask) + 1;
	return next;
}

/*
 * Behind the last ticket taken in the cell of `ticket`, whose state shows that `ticket` itself has
 * been taken. Whatever lap the cell is at, what was taken last is of the lap before.
 */
SLUICE_PRIV_INLINE uint64_t
sluice_priv_cells_behind_taken(const struct sluice_priv_geometry *g, uint64_t ticket,
			       uint64_t state)
{
	const uint64_t lap = (state >> 2) - g->mask - 1;

	return sluice_priv_cells_next(g, lap | (ticket & g->mask));
}

/* Behind the last ticket filled in the cell of `ticket`, likewise: of this lap if the cell is full. */
SLUICE_PRIV_INLINE uint64_t
sluice_priv_cells_behind_filled(const struct sluice_priv_geometry *g, uint64_t ticket,
				uint64_t state)
{
	if ((state & SLUICE_PRIV_CELL_MASK) == SLUICE_PRIV_CELL_FULL)
		return sluice_priv_cells_next(g, (state >> 2) | (ticket & g->mask));
	return sluice_priv_cells_behind_taken(g, ticket, state);
}

/*
 * Walks from *ticket to the first ticket not yet filled. Returns 0 when its cell is free, EAGAIN when
 * the ring is full, EPIPE when it has ended. Progress: lock-free.
 */
SLUICE_PRIV_INLINE int
sluice_priv_cells_seek_tail(const struct sluice_priv_geometry *g, uint64_t *ticket)
{
	for (;;) {
		const uint64_t *const cell = sluice_priv_cells_at(g, *ticket);
		const uint64_t state =
			sluice_priv_load_64_acquire(&cell[SLUICE_PRIV_STATE]); /* A1 */
		const uint64_t free_state = sluice_priv_cells_free_state(g, *ticket);

		if (SLUICE_PRIV_LIKELY(state == free_state))
			return 0;
		if (state < free_state)
			return EAGAIN;
		if (state == (free_state | SLUICE_PRIV_CELL_TOMBSTONE))
			return EPIPE;
		*ticket = sluice_priv_cells_behind_filled(g, *ticket, state);
	}
}

/*
 * Walks from *ticket to the first ticket not yet taken. Returns 0 when its cell holds an item, EAGAIN
 * when the ring is empty, EPIPE when it has ended. Progress: lock-free.
 */
SLUICE_PRIV_INLINE int
sluice_priv_cells_seek_head(const struct sluice_priv_geometry *g, uint64_t *ticket)
{
	for (;;) {
		const uint64_t *const cell = sluice_priv_cells_at(g, *ticket);
		const uint64_t state =
			sluice_priv_load_64_acquire(&cell[SLUICE_PRIV_STATE]); /* A1 */
		const uint64_t free_state = sluice_priv_cells_free_state(g, *ticket);

		if (SLUICE_PRIV_LIKELY(state == (free_state | SLUICE_PRIV_CELL_FULL)))
			return 0;
		if (state == free_state)
			return EAGAIN;
		if (state == (free_state | SLUICE_PRIV_CELL_TOMBSTONE))
			return EPIPE;
		*ticket = sluice_priv_cells_behind_taken(g, *ticket, state);
	}
}

/*
 * Fills the first free ticket at or behind *ticket and moves *ticket behind it. The caller stores
 * the hint. Returns 0, EAGAIN (full) or EPIPE (ended).
 * Progress: lock-free; with a lone producer wait-free (its swap fails against the tombstone only).
 */
SLUICE_PRIV_INLINE int
sluice_priv_cells_fill(const struct sluice_priv_geometry *g, bool lone_producer, uint64_t *ticket,
		       uint64_t value)
{
	for (;;) {
		uint64_t *cell;
		uint64_t free_state;
		bool won;
		const int result = sluice_priv_cells_seek_tail(g, ticket);

		if (SLUICE_PRIV_UNLIKELY(result != 0))
			return result;
		cell = sluice_priv_cells_at(g, *ticket);
		free_state = sluice_priv_cells_free_state(g, *ticket);
		if (lone_producer) {
			ck_pr_store_64(&cell[SLUICE_PRIV_VALUE], value);
			won = sluice_priv_cas_64_acq_rel(&cell[SLUICE_PRIV_STATE], free_state,
							 free_state | SLUICE_PRIV_CELL_FULL);
		} else {
			uint64_t expected[2];
			uint64_t desired[2];

			expected[0] = free_state;
			expected[1] = ck_pr_load_64(&cell[SLUICE_PRIV_VALUE]);
			desired[0] = free_state | SLUICE_PRIV_CELL_FULL;
			desired[1] = value;
			won = sluice_priv_cas_64_2_acq_rel(cell, expected, desired);
		}
		if (SLUICE_PRIV_LIKELY(won)) {
			*ticket = sluice_priv_cells_next(g, *ticket);
			return 0;
		}
	}
}

/*
 * Takes the first item at or behind *ticket and moves *ticket behind it. The caller stores the hint.
 * Returns 0, EAGAIN (empty) or EPIPE (ended). Progress: lock-free.
 */
SLUICE_PRIV_INLINE int
sluice_priv_cells_take(const struct sluice_priv_geometry *g, uint64_t *ticket, uint64_t *value)
{
	for (;;) {
		uint64_t *cell;
		uint64_t free_state;
		uint64_t found;
		const int result = sluice_priv_cells_seek_head(g, ticket);

		if (SLUICE_PRIV_UNLIKELY(result != 0))
			return result;
		cell = sluice_priv_cells_at(g, *ticket);
		free_state = sluice_priv_cells_free_state(g, *ticket);
		found = ck_pr_load_64(&cell[SLUICE_PRIV_VALUE]);
		if (SLUICE_PRIV_LIKELY(sluice_priv_cas_64_acq_rel(
			    &cell[SLUICE_PRIV_STATE], free_state | SLUICE_PRIV_CELL_FULL,
			    free_state + 4 * (g->mask + 1)))) {
			*value = found;
			*ticket = sluice_priv_cells_next(g, *ticket);
			return 0;
		}
	}
}

/*
 * Ends an empty ring. Returns EPIPE when it has ended, 0 when it holds an item after all.
 * Callers: any number of threads, all of which know that the queue is closed. Progress: lock-free.
 */
SLUICE_PRIV_INLINE int
sluice_priv_cells_end(struct sluice_priv_cells *ring)
{
	const struct sluice_priv_geometry *const g = &ring->geometry;
	uint64_t ticket = sluice_priv_load_64_acquire(&ring->head);

	for (;;) {
		const int result = sluice_priv_cells_seek_head(g, &ticket);
		uint64_t free_state;

		if (result != EAGAIN)
			return result;
		free_state = sluice_priv_cells_free_state(g, ticket);
		if (sluice_priv_cas_64_acq_rel(&sluice_priv_cells_at(g, ticket)[SLUICE_PRIV_STATE],
					       free_state, free_state | SLUICE_PRIV_CELL_TOMBSTONE))
			return EPIPE;
	}
}

/* How many items have ticket numbers below this one. */
SLUICE_PRIV_INLINE uint64_t
sluice_priv_cells_count(const struct sluice_priv_geometry *g, uint64_t ticket)
{
	return ticket / (g->mask + 1) * g->capacity + (ticket & g->mask);
}

/* How many items were ever put. At least what was true when the call began. */
SLUICE_PRIV_INLINE uint64_t
sluice_priv_cells_puts(const struct sluice_priv_cells *ring)
{
	const struct sluice_priv_geometry *const g = &ring->geometry;
	uint64_t ticket = sluice_priv_load_64_acquire(&ring->tail);

	(void)sluice_priv_cells_seek_tail(g, &ticket);
	return sluice_priv_cells_count(g, ticket);
}

/* How many items were ever got, likewise. */
SLUICE_PRIV_INLINE uint64_t
sluice_priv_cells_gets(const struct sluice_priv_cells *ring)
{
	const struct sluice_priv_geometry *const g = &ring->geometry;
	uint64_t ticket = sluice_priv_load_64_acquire(&ring->head);

	(void)sluice_priv_cells_seek_head(g, &ticket);
	return sluice_priv_cells_count(g, ticket);
}

/*
 * The engine that queue.h drives: the ring of items, and slots for the wide ones.
 */
struct sluice_priv_cell_engine {
	struct sluice_priv_cells items;
	struct sluice_priv_cells free_slots; /* of wide items only, like all below */
	unsigned char *slots;
	size_t slot_bytes;
	void *slots_memory; /* what free() gets */
};

#define SLUICE_PRIV_SPARE_SLOTS 64

/* Wider than a cell's value: through a slot. A constant wherever it is asked. */
SLUICE_PRIV_INLINE bool
sluice_priv_cell_wide(size_t item_size)
{
	return item_size > sizeof(uint64_t);
}

/* How many bytes of an item lie in the cell's value, if it is not wide. */
SLUICE_PRIV_INLINE size_t
sluice_priv_cell_narrow(size_t item_size)
{
	return sluice_priv_cell_wide(item_size) ? sizeof(uint64_t) : item_size;
}

SLUICE_PRIV_INLINE void
sluice_priv_cell_destroy(struct sluice_priv_cell_engine *engine, size_t item_size)
{
	sluice_priv_cells_destroy(&engine->items);
	if (sluice_priv_cell_wide(item_size)) {
		sluice_priv_cells_destroy(&engine->free_slots);
		free(engine->slots_memory);
	}
}

/* 0 or ENOMEM. */
SLUICE_PRIV_INLINE int
sluice_priv_cell_init(struct sluice_priv_cell_engine *engine, size_t capacity, size_t item_size)
{
	const size_t slots = capacity + SLUICE_PRIV_SPARE_SLOTS;
	const size_t lines = (item_size + SLUICE_PRIV_LINE - 1) / SLUICE_PRIV_LINE;
	uint64_t ticket = 0;
	uint64_t slot;

	if (sluice_priv_cells_init(&engine->items, capacity) != 0)
		return ENOMEM;
	if (!sluice_priv_cell_wide(item_size))
		return 0;
	engine->slot_bytes = sluice_priv_spread(slots, lines * SLUICE_PRIV_LINE)
				     ? lines * SLUICE_PRIV_LINE
				     : item_size;
	engine->slots = sluice_priv_allocate(slots, engine->slot_bytes, &engine->slots_memory);
	if (sluice_priv_cells_init(&engine->free_slots, slots) != 0 || engine->slots == NULL) {
		sluice_priv_cell_destroy(engine, item_size);
		return ENOMEM;
	}
	for (slot = 0; slot < slots; slot++)
		(void)sluice_priv_cells_fill(&engine->free_slots.geometry, true, &ticket, slot);
	engine->free_slots.tail = ticket;
	return 0;
}

SLUICE_PRIV_INLINE int
sluice_priv_cell_take_slot(struct sluice_priv_cell_engine *engine, uint64_t *slot)
{
	const struct sluice_priv_geometry g = engine->free_slots.geometry;
	uint64_t ticket = sluice_priv_load_64_acquire(&engine->free_slots.head);
	const int result = sluice_priv_cells_take(&g, &ticket, slot);

	if (SLUICE_PRIV_LIKELY(result == 0))
		sluice_priv_store_64_release(&engine->free_slots.head, ticket);
	return result;
}

/* The ring of free slots has room for all of them, so this cannot fail. */
SLUICE_PRIV_INLINE void
sluice_priv_cell_free_slot(struct sluice_priv_cell_engine *engine, uint64_t slot)
{
	const struct sluice_priv_geometry g = engine->free_slots.geometry;
	uint64_t ticket = sluice_priv_load_64_acquire(&engine->free_slots.tail);

	(void)sluice_priv_cells_fill(&g, false, &ticket, slot);
	sluice_priv_store_64_release(&engine->free_slots.tail, ticket);
}

/*
 * Appends up to n items; *moved is how many. Returns 0 when all went in, else EAGAIN or EPIPE.
 * *slot_returned: a slot was taken and given back unused, which another put may be waiting for.
 */
SLUICE_PRIV_INLINE int
sluice_priv_cell_put(struct sluice_priv_cell_engine *engine, bool lone_producer,
		     const unsigned char *items, size_t n, size_t item_size, size_t *moved,
		     bool *slot_returned)
{
	const struct sluice_priv_geometry g = engine->items.geometry;
	uint64_t ticket = sluice_priv_load_64_acquire(&engine->items.tail); /* A1 */
	int result = 0;
	size_t i;

	for (i = 0; i < n; i++) {
		const unsigned char *const item = items + i * item_size;
		uint64_t value = 0;

		if (sluice_priv_cell_wide(item_size)) {
			/* A full ring is found before a slot is taken: who waits must not hold one. */
			result = sluice_priv_cells_seek_tail(&g, &ticket);
			if (SLUICE_PRIV_LIKELY(result == 0))
				result = sluice_priv_cell_take_slot(engine, &value);
			if (SLUICE_PRIV_UNLIKELY(result != 0))
				break;
			memcpy(engine->slots + value * engine->slot_bytes, item, item_size);
		} else {
			memcpy(&value, item, sluice_priv_cell_narrow(item_size));
		}
		result = sluice_priv_cells_fill(&g, lone_producer, &ticket, value);
		if (SLUICE_PRIV_UNLIKELY(result != 0)) {
			if (sluice_priv_cell_wide(item_size)) {
				sluice_priv_cell_free_slot(engine, value);
				*slot_returned = true;
			}
			break;
		}
	}
	if (SLUICE_PRIV_LIKELY(i != 0))
		sluice_priv_store_64_release(&engine->items.tail, ticket); /* R1 */
	*moved = i;
	return result;
}

/* Takes up to n items. Returns how many; fewer than n if the ring was found empty, or ended. */
SLUICE_PRIV_INLINE size_t
sluice_priv_cell_get(struct sluice_priv_cell_engine *engine, unsigned char *items, size_t n,
		     size_t item_size)
{
	const struct sluice_priv_geometry g = engine->items.geometry;
	uint64_t ticket = sluice_priv_load_64_acquire(&engine->items.head); /* A1 */
	size_t i;

	for (i = 0; i < n; i++) {
		unsigned char *const item = items + i * item_size;
		uint64_t value = 0;

		if (SLUICE_PRIV_UNLIKELY(sluice_priv_cells_take(&g, &ticket, &value) != 0))
			break;
		if (sluice_priv_cell_wide(item_size)) {
			memcpy(item, engine->slots + value * engine->slot_bytes, item_size);
			sluice_priv_cell_free_slot(engine, value);
		} else {
			memcpy(item, &value, sluice_priv_cell_narrow(item_size));
		}
	}
	if (SLUICE_PRIV_LIKELY(i != 0))
		sluice_priv_store_64_release(&engine->items.head, ticket); /* R1 */
	return i;
}

#endif /* SLUICE_CELL_RING_H */
