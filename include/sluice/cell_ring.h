/* SPDX-License-Identifier: MIT */
/*
 * cell_ring.h - the lock-free engine: a bounded ring of double-width cells.
 *
 * One compare-and-swap per operation, or one store where a side is alone, and no window between reserving
 * a place and publishing it, hence lock-free and linearizable: a thread suspended at any instruction stops
 * nobody. Only a put of an item wider than 8 bytes has such a window, and others step over it.
 * Sources: Shann, Huang and Chen, "A practical nonblocking queue algorithm using compare-and-swap",
 * ICPADS 2000; Tsigas and Zhang, "A simple, fast and scalable non-blocking concurrent FIFO queue",
 * SPAA 2001; for the side that is alone, Giacomoni, Moseley and Vachharajani, "FastForward for
 * efficient pipeline parallelism", PPoPP 2008, and for its fences, Dice, Huang and Yang, "Asymmetric
 * Dekker synchronization", 2001, and membarrier(2).
 *
 * Tickets. Items are numbered by 64-bit tickets, never reused. A ticket is lap * P + offset, where
 * offset is the distance in bytes of the item's cell from the first one, and P is that distance for as
 * many cells as the least power of two not below the capacity. So the cell of a ticket is found by a
 * mask for every capacity. Below, t + 1 stands for the ticket behind t, which is a cell's distance away,
 * or in the next lap. Where the capacity is a power of two, a ring ends after 2^60 items: at 10^9 a second
 * in 36 years; else after half as many at least.
 *
 * Cells. {state, value}, 16-byte aligned. With L = ticket & ~(P - 1), the lap's first ticket:
 *
 *   state    meaning                            changed by
 *   L        free for the item of lap L         put: to L + 2, with the value; or to L + 1
 *   L + 1    free, and claimed by a wide put    that put: to L + 2; or another, with another value
 *   L + 2    holds the item of lap L            get: to L + P
 *
 * States only grow. Zeroed memory is an empty ring. The index is implied by the place.
 *
 * Hints. `tail` and `head` are tickets at or below the first one not yet filled (taken).
 *
 * Invariant. Every ticket below a stored hint has been filled (taken). For t + 1 is stored only by
 * the thread that filled (took) t, and it reached t from a hint by passing only tickets that it saw
 * filled (taken). So tickets are filled in order, and taken in order.
 *
 * put at ticket t, the cell of t read:
 *   L(t)     free. Swap in {L + 2, item}; that compare-and-swap is the linearization point.
 *   less     the item of ticket t one lap before is still there, and all after it up to t - 1: the
 *            ring was full at this read, which is the linearization point of "full".
 *   more     t has been filled. The state tells the last ticket filled in this cell; all up to it are
 *            filled, so go on behind it.
 * get at ticket h is the mirror image: L + 2 take, less: empty, more: go on behind the last one taken.
 *
 * A hint may be moved back by a store that was delayed (its thread was suspended just before). That
 * costs the next thread a walk of less than a lap, and no correctness; whoever asks for a count walks
 * from the hint to the truth.
 *
 * Why the get swaps eight bytes and the put sixteen. A cell's value changes only while the cell is free
 * or as it becomes full; states never come back; so a get whose swap of the state succeeds knows
 * that the value it read after the state belongs to it. A put must change both at once, or its value
 * could land in a cell that another has filled.
 *
 * A side that is alone has no such rival, and swaps nothing. A lone producer stores the value, then the
 * state; that store is the linearization point. A lone consumer takes ticket h by storing h + 1 into
 * `head`, which only it writes: that store is the linearization point, and makes `head` the truth, not
 * a hint. Then it reads the item, and only then frees the cell, by a store. On such a side there is no
 * locked instruction; the fences that it owes to sleepers (F2 of park.h) and to close are the light
 * halves of asymmetric ones.
 *
 * Closing. The queue's flag `closed` is set, which a put reads before it begins. To tell what the puts
 * did that had begun, the end of the ring is decided, once and for all: `end`, the first ticket whose
 * item is not accepted. Whoever has seen `closed` decides it, if nobody has:
 *	E1  passes a full fence (a heavy one, if a side is alone)
 *	E2  walks to the first ticket not yet filled
 *	E3  swaps that ticket into `end`, where nothing is
 * A put that has filled ticket t passes F2 and reads `closed` again. If the queue is still open, its item
 * is accepted; by F2 and E1, whoever decides finds t filled. If not, its item is accepted if t is below
 * the end. So is, for a get that has taken ticket h, passed F2 and found the queue closed: what lies at
 * or behind the end was never accepted, and its put said so. A get that has found the queue open took an
 * item that is below any end: t was filled before that. EPIPE is the answer of a get when the first
 * ticket not yet taken is not below the end. Nobody waits for anybody: a put suspended inside is decided
 * upon by others.
 *
 * Discarding. What close_discard drops is decided likewise: `rest`, the first ticket that no get has
 * taken; all from there up to the end count as dropped.
 *	D1  the first close_discard marks that it has begun, by a swap, and closes before that
 *	D2  full fence (a heavy one, if a side is alone)
 *	D3  walk to the first ticket not yet taken
 *	D4  swap it into `rest`
 * A get that has taken h, passed F2 and found the queue closed reads `rest`. If no discard has begun, its
 * item is its own; by F2 and D2, whoever decides finds h taken. If one has, it decides (D2 to D4) if
 * nobody has, and the item is its own if h is below the rest. If it is not, the item counts as dropped,
 * and the get has written nothing yet to its caller's memory: therefore a lone consumer reads the item
 * after it took the ticket. Nobody adds to a count what is dropped: puts and gets alike are counted up to
 * the rest.
 *
 * Items wider than 8 bytes lie in slots. There is one for each cell, and the cell's value names the one that
 * is the cell's: its number, exclusive or the cell's own, so that zeroed memory names each its own. A put claims
 * the free cell by a swap of its state to L + 1, writes the item into the cell's slot, and swaps the state to
 * L + 2, which is the linearization point. A lone producer has nobody to claim against.
 *
 * A get that has rivals copies the item into memory of its own first, and swaps the state then. If that
 * succeeds, the cell was full all the while, so its slot was nobody's to write, and the copy is whole. So a get
 * holds nothing but its item. A lone consumer takes the ticket first, and frees the cell when it has copied.
 * Words of a slot are read and written one by one, since the losers of that race read what others write.
 *
 * A put suspended between claim and second swap is stepped over. Who finds a cell claimed, and still claimed
 * after a pause, writes its item into a spare slot, and swaps that slot's number in with L + 2. The one that
 * had claimed finds its second swap refused. It keeps the slot, in which its item is by now, and goes on in the
 * same way: at the next free cell it swaps its slot in for the cell's, which is then the spare one. Whoever
 * comes by a slot so returns it. There are SLUICE_PRIV_SPARE_SLOTS spare ones, on a stack. Only while as many
 * puts hold one, because they copy or are suspended, does a put at a claimed cell find none, and can only come
 * again (EBUSY).
 *
 * Cells lie closely packed. A cell alone in its line spares two neighbours the fight for it,
 * but four cells in one line come over together, and that counts for more. On 2 cores (Zen 4), Mitems/s
 * packed and apart, from one run of an earlier form: 4:2/64 158 and 150, 4:2/1024 171 and 28 (what is apart
 * overflows the first-level cache), 1:1/64 256 and 154.
 *
 * Labelled orders, for machines that have to be told:
 *   R1  a hint or a state is stored with release, and every state is swapped with release
 *   A1  a hint or a state is read with acquire; so who sees a ticket sees all that came before it
 *       (no state older than the hint it followed), and who sees a full cell sees its item; and what a
 *       get has copied from a slot, it had copied before anybody could see the cell free
 *   F2  see park.h: every operation that succeeded has passed a full fence behind its swap, or a light
 *       one behind its store
 *   V1  the stack of spare slots is swapped with release and read with acquire: who takes a slot from it
 *       writes there after the one that put it there had done with it
 */
#ifndef SLUICE_CELL_RING_H
#define SLUICE_CELL_RING_H

#include <errno.h>

#include <sluice/futex.h>

/* A cell is an array, since that is what a double-width compare-and-swap takes: cell[STATE], cell[VALUE]. */
enum {
	SLUICE_PRIV_STATE,
	SLUICE_PRIV_VALUE,
	SLUICE_PRIV_CELL_WORDS
};

/* The distance between cells. */
#define SLUICE_PRIV_CELL_BYTES (SLUICE_PRIV_CELL_WORDS * sizeof(uint64_t))

/* The low bits of a state, which are 0 in every lap. */
#define SLUICE_PRIV_CELL_CLAIMED ((uint64_t)1)
#define SLUICE_PRIV_CELL_FULL    ((uint64_t)2)

/*
 * Which sides are alone: constants of the flavour. `asymmetric`: one is, and heavy fences are to be had, so
 * that a lone side's are light ones.
 */
struct sluice_priv_sides {
	bool lone_producer;
	bool lone_consumer;
	bool asymmetric;
};

/* F2 of the side of which `lone` tells whether it is alone. */
SLUICE_PRIV_INLINE void
sluice_priv_sides_fence(bool lone, bool asymmetric)
{
	if (lone)
		sluice_priv_fence_light(asymmetric);
	else
		sluice_priv_fence_full_after_atomic();
}

/* E1, D2: pairs with F2 of both sides. */
SLUICE_PRIV_COLD void
sluice_priv_sides_fence_all(bool asymmetric)
{
	ck_pr_fence_memory();
	if (asymmetric)
		sluice_priv_fence_heavy();
}

/* Constant from init on. Operations copy it, since a compiler must take it for changed by every atomic. */
struct sluice_priv_geometry {
	unsigned char *base; /* the first cell, aligned to a line */
	uint64_t mask;       /* P - 1 */
	uint64_t laps;       /* ~mask, which costs an instruction */
	uint64_t bytes;      /* from the first cell to behind the last */
};

/*
 *   end    0      not decided                         rest   0      no close_discard has begun
 *          t + 1  decided: ticket t                          1      one has, nothing is decided
 *                                                            t + 2  decided: ticket t
 */
struct sluice_priv_cells {
	struct sluice_priv_geometry geometry;
	void *memory; /* what free() gets */
	uint64_t end;
	uint64_t rest;
	char pad0[SLUICE_PRIV_LINE];
	uint64_t tail;
	char pad1[SLUICE_PRIV_LINE];
	uint64_t head;
	char pad2[SLUICE_PRIV_LINE];
};

/* Zeroed, aligned to a pair of lines, with a line before it. NULL: no memory. *memory is what free() gets. */
SLUICE_PRIV_INLINE unsigned char *
sluice_priv_allocate(size_t count, size_t bytes_each, void **memory)
{
	const size_t pair = 2 * SLUICE_PRIV_LINE;
	unsigned char *base = NULL;

	*memory = NULL;
	if (bytes_each <= (SIZE_MAX - SLUICE_PRIV_LINE - pair) / count)
		*memory = calloc(1, count * bytes_each + SLUICE_PRIV_LINE + pair);
	if (*memory != NULL) {
		base = (unsigned char *)*memory + SLUICE_PRIV_LINE;
		base += pair - (uintptr_t)base % pair;
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
	g->mask = per_lap * SLUICE_PRIV_CELL_BYTES - 1;
	g->laps = ~g->mask;
	g->bytes = capacity * SLUICE_PRIV_CELL_BYTES;
	ring->end = 0;
	ring->rest = 0;
	ring->tail = 0;
	ring->head = 0;
	g->base = sluice_priv_allocate(capacity, SLUICE_PRIV_CELL_BYTES, &ring->memory);
	return g->base != NULL ? 0 : ENOMEM;
}

SLUICE_PRIV_INLINE void
sluice_priv_cells_destroy(struct sluice_priv_cells *ring)
{
	free(ring->memory);
}

SLUICE_PRIV_INLINE uint64_t *
sluice_priv_cells_at(const struct sluice_priv_geometry *g, uint64_t ticket)
{
	return (uint64_t *)(void *)(g->base + (ticket & g->mask));
}

/* The state of a ticket's cell while the cell is free for it. */
SLUICE_PRIV_INLINE uint64_t
sluice_priv_cells_free_state(const struct sluice_priv_geometry *g, uint64_t ticket)
{
	return ticket & g->laps;
}

/* The ticket behind this one. The comparison never holds where the capacity is a power of two. */
SLUICE_PRIV_INLINE uint64_t
sluice_priv_cells_next(const struct sluice_priv_geometry *g, uint64_t ticket)
{
	const uint64_t next = ticket + SLUICE_PRIV_CELL_BYTES;

	if (SLUICE_PRIV_UNLIKELY((next & g->mask) == g->bytes)) {
		sluice_priv_keep_branch();
		return (next | g->mask) + 1;
	}
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
	const uint64_t lap = (state & g->laps) - g->mask - 1;

	return sluice_priv_cells_next(g, lap | (ticket & g->mask));
}

/* Behind the last ticket filled in the cell of `ticket`, likewise: of this lap if the cell is full. */
SLUICE_PRIV_INLINE uint64_t
sluice_priv_cells_behind_filled(const struct sluice_priv_geometry *g, uint64_t ticket,
				uint64_t state)
{
	if ((state & SLUICE_PRIV_CELL_FULL) != 0)
		return sluice_priv_cells_next(g,
					      (state - SLUICE_PRIV_CELL_FULL) | (ticket & g->mask));
	return sluice_priv_cells_behind_taken(g, ticket, state);
}

/*
 * Before the first cell of a line is looked at: asks for that line and the next two, to be written. Else
 * each would come only when the one before is done with, and twice, since a cell is read first and then
 * swapped. Mitems/s on two cores (Zen 4) with two lines ahead, with one, and without all this, when a line
 * took 30 ns from one core to the other: 4:2/64 191, 209 and 148, 1:4/64 158, 240 and 178; when it took 165
 * ns: 100, 77 and 48, and 104, 77 and 54. More lines are taken away from the side that still works in them.
 * An attempt that fails takes them from it in vain; but to ask only behind success cost 15 % at 8:8/64.
 *
 * Where the capacity is no power of two, a line behind the ring may be asked for in place of the first. Of
 * wide items, each of which takes several lines, nothing is: it made them slower.
 */
SLUICE_PRIV_INLINE void
sluice_priv_cells_prefetch(const struct sluice_priv_geometry *g, uint64_t ticket)
{
	uint64_t line;

	if (ticket % SLUICE_PRIV_LINE != 0)
		return;
	for (line = 0; line <= 2; line++)
		sluice_priv_prefetch_to_write(g->base,
					      (ticket + line * SLUICE_PRIV_LINE) & g->mask);
}

/* Where a walk ended: at which ticket, and what its cell says there. */
struct sluice_priv_place {
	uint64_t ticket;
	int result;
};

/*
 * Walks from `ticket` to the first ticket not yet filled. The result is 0 when its cell is free, claimed
 * or not, EAGAIN when the ring is full. Progress: lock-free.
 */
SLUICE_PRIV_COLD struct sluice_priv_place
sluice_priv_cells_walk_tail(const struct sluice_priv_geometry *g, uint64_t ticket)
{
	struct sluice_priv_place place;

	for (;;) {
		const uint64_t *const cell = sluice_priv_cells_at(g, ticket);
		const uint64_t state =
			sluice_priv_load_64_acquire(&cell[SLUICE_PRIV_STATE]); /* A1 */
		const uint64_t free_state = sluice_priv_cells_free_state(g, ticket);

		if (state <= (free_state | SLUICE_PRIV_CELL_CLAIMED)) {
			place.ticket = ticket;
			place.result = state >= free_state ? 0 : EAGAIN;
			return place;
		}
		ticket = sluice_priv_cells_behind_filled(g, ticket, state);
	}
}

/*
 * Walks from `ticket` to the first ticket not yet taken. The result is 0 when its cell holds an item,
 * EAGAIN when the ring is empty. Progress: lock-free.
 */
SLUICE_PRIV_COLD struct sluice_priv_place
sluice_priv_cells_walk_head(const struct sluice_priv_geometry *g, uint64_t ticket)
{
	struct sluice_priv_place place;

	for (;;) {
		const uint64_t *const cell = sluice_priv_cells_at(g, ticket);
		const uint64_t state =
			sluice_priv_load_64_acquire(&cell[SLUICE_PRIV_STATE]); /* A1 */
		const uint64_t free_state = sluice_priv_cells_free_state(g, ticket);

		/* Less: free, or the ring has one cell, and a lone consumer still reads what it took there. */
		if (state <= (free_state | SLUICE_PRIV_CELL_FULL)) {
			place.ticket = ticket;
			place.result = state == (free_state | SLUICE_PRIV_CELL_FULL) ? 0 : EAGAIN;
			return place;
		}
		ticket = sluice_priv_cells_behind_taken(g, ticket, state);
	}
}

/* The same from *ticket, for who is probably there already, and wants the result. */
SLUICE_PRIV_INLINE int
sluice_priv_cells_seek_tail(const struct sluice_priv_cells *ring,
			    const struct sluice_priv_geometry *g, uint64_t *ticket)
{
	const uint64_t *const cell = sluice_priv_cells_at(g, *ticket);
	struct sluice_priv_place place;

	if (SLUICE_PRIV_LIKELY(sluice_priv_load_64_acquire(&cell[SLUICE_PRIV_STATE]) == /* A1 */
			       sluice_priv_cells_free_state(g, *ticket)))
		return 0;
	place = sluice_priv_cells_walk_tail(&ring->geometry, *ticket);
	*ticket = place.ticket;
	return place.result;
}

SLUICE_PRIV_INLINE int
sluice_priv_cells_seek_head(const struct sluice_priv_cells *ring,
			    const struct sluice_priv_geometry *g, uint64_t *ticket)
{
	const uint64_t *const cell = sluice_priv_cells_at(g, *ticket);
	struct sluice_priv_place place;

	if (SLUICE_PRIV_LIKELY(sluice_priv_load_64_acquire(&cell[SLUICE_PRIV_STATE]) == /* A1 */
			       (sluice_priv_cells_free_state(g, *ticket) | SLUICE_PRIV_CELL_FULL)))
		return 0;
	place = sluice_priv_cells_walk_head(&ring->geometry, *ticket);
	*ticket = place.ticket;
	return place.result;
}

/* How many pauses; a test that counts steps has none. */
#if !defined(SLUICE_PRIV_BACK_OFF)
#define SLUICE_PRIV_BACK_OFF 64
#endif

/*
 * After another was faster: lets it run a stretch, since two that swap in the same line wait for it at
 * every item, and one alone does not. 4:2/65536 moved 185 Mitems/s with this, 151 without, and as much
 * within the error with 16 pauses or 256, in one run of a bare loop. It is bounded, so progress is what it
 * was. Returns where to go on: at the hint as it is by then, if that is further on.
 */
SLUICE_PRIV_SLOW uint64_t
sluice_priv_cells_back_off(const uint64_t *hint, uint64_t ticket)
{
	uint64_t now;
	int i;

	for (i = 0; i < SLUICE_PRIV_BACK_OFF; i++)
		ck_pr_stall();
	now = sluice_priv_load_64_acquire(hint); /* A1 */
	return now > ticket ? now : ticket;
}

/*
 * Fills the first free ticket at or behind *ticket, and leaves that ticket there. Returns 0 or EAGAIN
 * (full). The caller stores the hint, and passes F2.
 * Progress: lock-free; with a lone producer wait-free.
 */
SLUICE_PRIV_INLINE int
sluice_priv_cells_fill(const struct sluice_priv_cells *ring, const struct sluice_priv_geometry *g,
		       bool lone_producer, uint64_t *ticket, uint64_t value)
{
	for (;;) {
		uint64_t *cell;
		uint64_t free_state;
		uint64_t expected[2];
		uint64_t desired[2];
		const int result = sluice_priv_cells_seek_tail(ring, g, ticket);

		if (SLUICE_PRIV_UNLIKELY(result != 0))
			return result;
		cell = sluice_priv_cells_at(g, *ticket);
		free_state = sluice_priv_cells_free_state(g, *ticket);
		if (lone_producer) {
			ck_pr_store_64(&cell[SLUICE_PRIV_VALUE], value);
			sluice_priv_store_64_release(&cell[SLUICE_PRIV_STATE], /* R1 */
						     free_state | SLUICE_PRIV_CELL_FULL);
			return 0;
		}
		expected[0] = free_state;
		expected[1] = ck_pr_load_64(&cell[SLUICE_PRIV_VALUE]);
		desired[0] = free_state | SLUICE_PRIV_CELL_FULL;
		desired[1] = value;
		if (SLUICE_PRIV_LIKELY(sluice_priv_cas_64_2_acq_rel(cell, expected, desired)))
			return 0;
		*ticket = sluice_priv_cells_back_off(&ring->tail, *ticket);
	}
}

/* Frees the cell of a ticket for the next lap: by a swap, which tells whether it was full, */
SLUICE_PRIV_INLINE bool
sluice_priv_cells_try_free(const struct sluice_priv_geometry *g, uint64_t ticket)
{
	const uint64_t free_state = sluice_priv_cells_free_state(g, ticket);

	return sluice_priv_cas_64_acq_rel(&sluice_priv_cells_at(g, ticket)[SLUICE_PRIV_STATE],
					  free_state | SLUICE_PRIV_CELL_FULL,
					  free_state + g->mask + 1);
}

/* or, by a lone consumer, which knows, by a store. */
SLUICE_PRIV_INLINE void
sluice_priv_cells_free(const struct sluice_priv_geometry *g, uint64_t ticket)
{
	sluice_priv_store_64_release(&sluice_priv_cells_at(g, ticket)[SLUICE_PRIV_STATE], /* R1 */
				     sluice_priv_cells_free_state(g, ticket) + g->mask + 1);
}

/*
 * Takes the first item at or behind *ticket, and leaves its ticket there. Returns 0 or EAGAIN (empty).
 * The caller passes F2 and stores the hint; but of a lone consumer the hint was the taking, and the
 * caller frees the cell when it has read the item. Progress: lock-free.
 */
SLUICE_PRIV_INLINE int
sluice_priv_cells_take(struct sluice_priv_cells *ring, const struct sluice_priv_geometry *g,
		       bool lone_consumer, uint64_t *ticket, uint64_t *value)
{
	for (;;) {
		const int result = sluice_priv_cells_seek_head(ring, g, ticket);

		if (SLUICE_PRIV_UNLIKELY(result != 0))
			return result;
		*value = ck_pr_load_64(&sluice_priv_cells_at(g, *ticket)[SLUICE_PRIV_VALUE]);
		if (lone_consumer) {
			sluice_priv_store_64_release(&ring->head,
						     sluice_priv_cells_next(g, *ticket));
			return 0;
		}
		if (SLUICE_PRIV_LIKELY(sluice_priv_cells_try_free(g, *ticket)))
			return 0;
		*ticket = sluice_priv_cells_back_off(&ring->head, *ticket);
	}
}

/* How many items have ticket numbers below this one. */
SLUICE_PRIV_INLINE uint64_t
sluice_priv_cells_count(const struct sluice_priv_geometry *g, uint64_t ticket)
{
	return ticket / (g->mask + 1) * (g->bytes / SLUICE_PRIV_CELL_BYTES) +
	       (ticket & g->mask) / SLUICE_PRIV_CELL_BYTES;
}

/* The first ticket not yet filled, and not yet taken: at least what was true when the call began. */
SLUICE_PRIV_INLINE uint64_t
sluice_priv_cells_tail(const struct sluice_priv_cells *ring)
{
	return sluice_priv_cells_walk_tail(&ring->geometry,
					   sluice_priv_load_64_acquire(&ring->tail))
		.ticket;
}

SLUICE_PRIV_INLINE uint64_t
sluice_priv_cells_head(const struct sluice_priv_cells *ring)
{
	return sluice_priv_cells_walk_head(&ring->geometry,
					   sluice_priv_load_64_acquire(&ring->head))
		.ticket;
}

/*
 * Where the ring ends: the first ticket whose item is not accepted. Decides it if nobody has.
 * Callers: any number of threads, all of which have seen that the queue is closed. Progress: lock-free.
 */
SLUICE_PRIV_COLD uint64_t
sluice_priv_cells_end(struct sluice_priv_cells *ring, bool asymmetric)
{
	uint64_t end = sluice_priv_load_64_acquire(&ring->end);

	if (end == 0) {
		sluice_priv_sides_fence_all(asymmetric); /* E1: pairs with F2 of a put */
		(void)sluice_priv_cas_64_acq_rel(&ring->end, 0,
						 sluice_priv_cells_tail(ring) + 1); /* E2, E3 */
		end = sluice_priv_load_64_acquire(&ring->end);
	}
	return end - 1;
}

/* What no get takes any more: the first ticket that was dropped, or the end if there is no discard. */
SLUICE_PRIV_COLD uint64_t
sluice_priv_cells_rest(struct sluice_priv_cells *ring, bool asymmetric)
{
	const uint64_t end = sluice_priv_cells_end(ring, asymmetric);
	uint64_t rest = sluice_priv_load_64_acquire(&ring->rest);

	if (rest == 0)
		return end;
	if (rest == 1) {
		uint64_t ticket;

		sluice_priv_sides_fence_all(asymmetric); /* D2: pairs with F2 of a get */
		ticket = sluice_priv_cells_head(ring);   /* D3 */
		ticket = ticket < end ? ticket : end;
		(void)sluice_priv_cas_64_acq_rel(&ring->rest, 1, ticket + 2); /* D4 */
		rest = sluice_priv_load_64_acquire(&ring->rest);
	}
	return rest - 2;
}

/* Is a closed queue drained: has everything that a get may have been taken? Callers as above. */
SLUICE_PRIV_COLD bool
sluice_priv_cells_drained(struct sluice_priv_cells *ring, bool asymmetric)
{
	const uint64_t rest = sluice_priv_cells_rest(ring, asymmetric);

	return sluice_priv_cells_head(ring) >= rest;
}

/* Drops what is queued. Returns how many items that were; 0 if another call has begun to. */
SLUICE_PRIV_COLD uint64_t
sluice_priv_cells_discard(struct sluice_priv_cells *ring, bool asymmetric)
{
	const struct sluice_priv_geometry *const g = &ring->geometry;
	const uint64_t end = sluice_priv_cells_end(ring, asymmetric);

	if (!sluice_priv_cas_64_acq_rel(&ring->rest, 0, 1)) /* D1 */
		return 0;
	return sluice_priv_cells_count(g, end) -
	       sluice_priv_cells_count(g, sluice_priv_cells_rest(ring, asymmetric));
}

/*
 * Only tickets below this one count: the rest or the end, where they are decided. To be read after what
 * is compared with it.
 */
SLUICE_PRIV_INLINE uint64_t
sluice_priv_cells_limit(const struct sluice_priv_cells *ring)
{
	const uint64_t rest = sluice_priv_load_64_acquire(&ring->rest);

	return rest > 1 ? rest - 2 : sluice_priv_load_64_acquire(&ring->end) - 1;
}

/*
 * How many items were ever put, and neither refused when the ring ended nor dropped. At least what was
 * true when the call began, until the end and the rest are decided.
 */
SLUICE_PRIV_INLINE uint64_t
sluice_priv_cells_puts(const struct sluice_priv_cells *ring)
{
	const uint64_t tail = sluice_priv_cells_tail(ring);
	const uint64_t limit = sluice_priv_cells_limit(ring);

	return sluice_priv_cells_count(&ring->geometry, tail < limit ? tail : limit);
}

/* How many items were ever got, likewise. */
SLUICE_PRIV_INLINE uint64_t
sluice_priv_cells_gets(const struct sluice_priv_cells *ring)
{
	const uint64_t head = sluice_priv_cells_head(ring);
	const uint64_t limit = sluice_priv_cells_limit(ring);

	return sluice_priv_cells_count(&ring->geometry, head < limit ? head : limit);
}

/*
 * Roughly, by the hints alone, modulo 2^32, and where the capacity is no power of two with the numbers that
 * each lap leaves out: how much has come and gone meanwhile.
 */
SLUICE_PRIV_INLINE uint32_t
sluice_priv_cells_puts_about(const struct sluice_priv_cells *ring)
{
	return (uint32_t)(ck_pr_load_64(&ring->tail) / SLUICE_PRIV_CELL_BYTES);
}

SLUICE_PRIV_INLINE uint32_t
sluice_priv_cells_gets_about(const struct sluice_priv_cells *ring)
{
	return (uint32_t)(ck_pr_load_64(&ring->head) / SLUICE_PRIV_CELL_BYTES);
}

/*
 * Slots. They lie closely packed, unless that is 256 KiB at most with whole pairs of lines for each: a
 * processor that fetches lines by pairs takes a neighbour's along, which another core is writing.
 * Mitems/s of a bare loop at 4:2/64, on 2 cores (Zen 4), apart and packed: items of 16 bytes 76 and 63, of
 * 24 bytes 75 and 55, of 64 bytes 72 and 46. At 4:2/65536 packed ones are as fast, small ones faster.
 */
struct sluice_priv_slots {
	unsigned char *base; /* the first one, aligned to a pair of lines */
	size_t apart;        /* the distance between them, a multiple of a word */
	uint64_t *spare; /* the stack: spare[CHANGES], spare[TOP]; in the line before the slots */
	void *memory;    /* what free() gets */
};

#define SLUICE_PRIV_SPARE_SLOTS      64
#define SLUICE_PRIV_SLOTS_APART_MOST ((size_t)256 * 1024)

/* The stack's top is the number of a slot + 1, or 0; the first word of a slot on it is the next top. */
enum {
	SLUICE_PRIV_CHANGES,
	SLUICE_PRIV_TOP
};

#define SLUICE_PRIV_NO_SLOT UINT64_MAX

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

SLUICE_PRIV_INLINE uint64_t *
sluice_priv_slot_at(const struct sluice_priv_slots *slots, uint64_t slot)
{
	return (uint64_t *)(void *)(slots->base + slot * slots->apart);
}

/* The number of a cell, and of the slot that its value names if it is 0. */
SLUICE_PRIV_INLINE uint64_t
sluice_priv_slot_of_cell(const struct sluice_priv_geometry *g, uint64_t ticket)
{
	return (ticket & g->mask) / SLUICE_PRIV_CELL_BYTES;
}

SLUICE_PRIV_COLD void
sluice_priv_slots_push(const struct sluice_priv_slots *slots, uint64_t slot)
{
	uint64_t expected[2];
	uint64_t desired[2];

	do {
		expected[SLUICE_PRIV_CHANGES] =
			sluice_priv_load_64_acquire(&slots->spare[SLUICE_PRIV_CHANGES]); /* V1 */
		expected[SLUICE_PRIV_TOP] = ck_pr_load_64(&slots->spare[SLUICE_PRIV_TOP]);
		ck_pr_store_64(sluice_priv_slot_at(slots, slot), expected[SLUICE_PRIV_TOP]);
		desired[SLUICE_PRIV_CHANGES] = expected[SLUICE_PRIV_CHANGES] + 1;
		desired[SLUICE_PRIV_TOP] = slot + 1;
	} while (!sluice_priv_cas_64_2_acq_rel(slots->spare, expected, desired)); /* V1 */
}

/*
 * NO_SLOT: there is none. Another may take the top and write an item there, while its first word is read
 * here; the count of changes tells, and never comes round.
 */
SLUICE_PRIV_COLD uint64_t
sluice_priv_slots_pop(const struct sluice_priv_slots *slots)
{
	uint64_t expected[2];
	uint64_t desired[2];

	do {
		expected[SLUICE_PRIV_CHANGES] =
			sluice_priv_load_64_acquire(&slots->spare[SLUICE_PRIV_CHANGES]); /* V1 */
		expected[SLUICE_PRIV_TOP] =
			sluice_priv_load_64_acquire(&slots->spare[SLUICE_PRIV_TOP]); /* V1 */
		if (expected[SLUICE_PRIV_TOP] == 0)
			return SLUICE_PRIV_NO_SLOT;
		desired[SLUICE_PRIV_CHANGES] = expected[SLUICE_PRIV_CHANGES] + 1;
		desired[SLUICE_PRIV_TOP] =
			ck_pr_load_64(sluice_priv_slot_at(slots, expected[SLUICE_PRIV_TOP] - 1));
	} while (!sluice_priv_cas_64_2_acq_rel(slots->spare, expected, desired)); /* V1 */
	return expected[SLUICE_PRIV_TOP] - 1;
}

/* 0 or ENOMEM. `spare`: how many more than the capacity. */
SLUICE_PRIV_INLINE int
sluice_priv_slots_init(struct sluice_priv_slots *slots, size_t capacity, size_t spare,
		       size_t item_size)
{
	const size_t pair = 2 * SLUICE_PRIV_LINE;
	const size_t apart = (item_size + pair - 1) / pair * pair;
	const size_t packed =
		(item_size + sizeof(uint64_t) - 1) / sizeof(uint64_t) * sizeof(uint64_t);
	const size_t count = capacity + spare;
	size_t slot;

	slots->apart = apart <= SLUICE_PRIV_SLOTS_APART_MOST / count ? apart : packed;
	slots->base = sluice_priv_allocate(count, slots->apart, &slots->memory);
	if (slots->base == NULL)
		return ENOMEM;
	slots->spare = (uint64_t *)(void *)(slots->base - SLUICE_PRIV_LINE);
	for (slot = capacity; slot < count; slot++)
		sluice_priv_slots_push(slots, slot);
	return 0;
}

#define SLUICE_PRIV_WORDS_PER_LINE (SLUICE_PRIV_LINE / sizeof(uint64_t))

SLUICE_PRIV_INLINE void
sluice_priv_slot_write(uint64_t *slot, const unsigned char *item, size_t item_size)
{
	const size_t whole = item_size / sizeof(uint64_t);
	const size_t rest = item_size % sizeof(uint64_t);
	uint64_t word;
	size_t i;

	for (i = 0; i < whole; i++) {
		memcpy(&word, item + i * sizeof(word), sizeof(word));
		ck_pr_store_64(&slot[i], word);
	}
	if (rest != 0) {
		word = 0;
		memcpy(&word, item + whole * sizeof(word), rest);
		ck_pr_store_64(&slot[whole], word);
	}
}

/*
 * A word of a slot, and the slot's line with it, for this core alone. For if it were read only, both cores
 * would have it, and the put of the next lap would wait until the other had given it up: nothing fetches such
 * a line ahead, not even PREFETCHW, since it is there. So the word is written as it is: by a store if the slot
 * is this thread's, else by an atomic operation that changes nothing, whoever may write there meanwhile.
 * Mitems/s of 64 bytes at 1:1 with and without this, on 2 cores (Zen 4), capacity 64 64 and 23, 1024 58 and
 * 25; and when a line took not 30 ns from one core to the other but 165: 24 and 5, 35 and 4.
 */
SLUICE_PRIV_INLINE uint64_t
sluice_priv_slot_take_word(uint64_t *word, bool owned)
{
	uint64_t value;

	if (!owned)
		ck_pr_or_64(word, 0);
	value = ck_pr_load_64(word);
	if (owned)
		ck_pr_store_64(word, value);
	return value;
}

/* owned: nobody else writes there, or frees it. Where slots are packed, neighbours share lines and this. */
SLUICE_PRIV_INLINE void
sluice_priv_slot_read(uint64_t *slot, bool owned, unsigned char *item, size_t item_size)
{
	const size_t whole = item_size / sizeof(uint64_t);
	const size_t rest = item_size % sizeof(uint64_t);
	uint64_t word;
	size_t i;

	for (i = 0; i < whole; i++) {
		word = i % SLUICE_PRIV_WORDS_PER_LINE == 0
			       ? sluice_priv_slot_take_word(&slot[i], owned)
			       : ck_pr_load_64(&slot[i]);
		memcpy(item + i * sizeof(word), &word, sizeof(word));
	}
	if (rest != 0) {
		word = whole % SLUICE_PRIV_WORDS_PER_LINE == 0
			       ? sluice_priv_slot_take_word(&slot[whole], owned)
			       : ck_pr_load_64(&slot[whole]);
		memcpy(item + whole * sizeof(word), &word, rest);
	}
}

/*
 * Asks for the slot of the ticket after the next one, to be written. 64 bytes at 4:2/64 moved 41 Mitems/s where
 * puts did so, 59 where gets did as well. Not for items of several lines: at 200 bytes that was 15 % slower.
 */
SLUICE_PRIV_INLINE void
sluice_priv_slots_prefetch(const struct sluice_priv_slots *slots,
			   const struct sluice_priv_geometry *g, uint64_t ticket, size_t item_size)
{
	if (item_size <= SLUICE_PRIV_LINE)
		sluice_priv_prefetch_to_write(
			slots->base,
			sluice_priv_slot_of_cell(g, ticket + 2 * SLUICE_PRIV_CELL_BYTES) *
				slots->apart);
}

/*
 * The engine that queue.h drives: the ring of items, and slots for the wide ones.
 */
struct sluice_priv_cell_engine {
	struct sluice_priv_cells items;
	struct sluice_priv_slots slots; /* of wide items; else nothing */
};

SLUICE_PRIV_INLINE void
sluice_priv_cell_destroy(struct sluice_priv_cell_engine *engine)
{
	sluice_priv_cells_destroy(&engine->items);
	free(engine->slots.memory);
}

/* 0 or ENOMEM. */
SLUICE_PRIV_INLINE int
sluice_priv_cell_init(struct sluice_priv_cell_engine *engine, bool lone_producer, size_t capacity,
		      size_t item_size)
{
	static const struct sluice_priv_slots none = {NULL, 0, NULL, NULL};
	const size_t spare = lone_producer ? 0 : SLUICE_PRIV_SPARE_SLOTS;

	engine->slots = none;
	if (sluice_priv_cells_init(&engine->items, capacity) != 0)
		return ENOMEM;
	if (sluice_priv_cell_wide(item_size) &&
	    sluice_priv_slots_init(&engine->slots, capacity, spare, item_size) != 0) {
		sluice_priv_cell_destroy(engine);
		return ENOMEM;
	}
	return 0;
}

/*
 * Fills the first free ticket at or behind *ticket, claimed or not, by way of a slot of this thread's own:
 * `slot`, in which the item is, or if that is NO_SLOT a spare one. Leaves the ticket there. Returns 0, EAGAIN
 * (full) or EBUSY (no slot to spare). Progress: lock-free.
 */
SLUICE_PRIV_SLOW int
sluice_priv_cell_fill_aside(struct sluice_priv_cell_engine *engine, uint64_t *ticket, uint64_t slot,
			    const unsigned char *item, size_t item_size)
{
	const struct sluice_priv_geometry *const g = &engine->items.geometry;
	uint64_t freed = SLUICE_PRIV_NO_SLOT;
	struct sluice_priv_place place;

	if (slot == SLUICE_PRIV_NO_SLOT) {
		slot = sluice_priv_slots_pop(&engine->slots);
		if (slot == SLUICE_PRIV_NO_SLOT)
			return EBUSY;
		sluice_priv_slot_write(sluice_priv_slot_at(&engine->slots, slot), item, item_size);
	}
	for (;;) {
		uint64_t *cell;
		uint64_t free_state;
		uint64_t expected[2];
		uint64_t desired[2];

		place = sluice_priv_cells_walk_tail(g, *ticket);
		*ticket = place.ticket;
		if (place.result != 0) {
			freed = slot;
			break;
		}
		cell = sluice_priv_cells_at(g, *ticket);
		free_state = sluice_priv_cells_free_state(g, *ticket);
		expected[0] = sluice_priv_load_64_acquire(&cell[SLUICE_PRIV_STATE]); /* A1 */
		expected[1] = ck_pr_load_64(&cell[SLUICE_PRIV_VALUE]);
		desired[0] = free_state | SLUICE_PRIV_CELL_FULL;
		desired[1] = slot ^ sluice_priv_slot_of_cell(g, *ticket);
		if ((expected[0] & ~SLUICE_PRIV_CELL_CLAIMED) == free_state &&
		    sluice_priv_cas_64_2_acq_rel(cell, expected, desired)) { /* R1 */
			if (expected[0] == free_state)
				freed = expected[1] ^ sluice_priv_slot_of_cell(g, *ticket);
			break;
		}
		*ticket = sluice_priv_cells_back_off(&engine->items.tail, *ticket);
	}
	if (freed != SLUICE_PRIV_NO_SLOT)
		sluice_priv_slots_push(&engine->slots, freed);
	return place.result;
}

/* sluice_priv_cells_fill for an item wider than a value. Returns EBUSY too. Progress: as there. */
SLUICE_PRIV_INLINE int
sluice_priv_cell_fill_wide(struct sluice_priv_cell_engine *engine,
			   const struct sluice_priv_geometry *g,
			   const struct sluice_priv_slots *slots, bool lone_producer,
			   uint64_t *ticket, const unsigned char *item, size_t item_size)
{
	for (;;) {
		const int result = sluice_priv_cells_seek_tail(&engine->items, g, ticket);
		uint64_t *const cell = sluice_priv_cells_at(g, *ticket);
		uint64_t *const state = &cell[SLUICE_PRIV_STATE];
		const uint64_t free_state = sluice_priv_cells_free_state(g, *ticket);
		const uint64_t claimed = free_state | SLUICE_PRIV_CELL_CLAIMED;
		const uint64_t full = free_state | SLUICE_PRIV_CELL_FULL;
		const uint64_t before = *ticket;
		uint64_t slot;

		if (SLUICE_PRIV_UNLIKELY(result != 0))
			return result;
		slot = ck_pr_load_64(&cell[SLUICE_PRIV_VALUE]) ^
		       sluice_priv_slot_of_cell(g, before);
		if (lone_producer) {
			sluice_priv_slot_write(sluice_priv_slot_at(slots, slot), item, item_size);
			sluice_priv_store_64_release(state, full); /* R1 */
			return 0;
		}
		if (SLUICE_PRIV_LIKELY(sluice_priv_cas_64_acq_rel(state, free_state, claimed))) {
			sluice_priv_slot_write(sluice_priv_slot_at(slots, slot), item, item_size);
			if (SLUICE_PRIV_LIKELY(
				    sluice_priv_cas_64_acq_rel(state, claimed, full))) /* R1 */
				return 0;
			return sluice_priv_cell_fill_aside(engine, ticket, slot, item, item_size);
		}
		*ticket = sluice_priv_cells_back_off(&engine->items.tail, before);
		if (*ticket == before && ck_pr_load_64(state) == claimed)
			return sluice_priv_cell_fill_aside(engine, ticket, SLUICE_PRIV_NO_SLOT,
							   item, item_size);
	}
}

/* sluice_priv_cells_take for an item wider than a value, by a consumer that has rivals. Lock-free. */
SLUICE_PRIV_INLINE int
sluice_priv_cell_take_wide(struct sluice_priv_cell_engine *engine,
			   const struct sluice_priv_geometry *g,
			   const struct sluice_priv_slots *slots, uint64_t *ticket,
			   unsigned char *item, size_t item_size)
{
	for (;;) {
		const int result = sluice_priv_cells_seek_head(&engine->items, g, ticket);
		uint64_t slot;

		if (SLUICE_PRIV_UNLIKELY(result != 0))
			return result;
		slot = ck_pr_load_64(&sluice_priv_cells_at(g, *ticket)[SLUICE_PRIV_VALUE]) ^
		       sluice_priv_slot_of_cell(g, *ticket);
		sluice_priv_slot_read(sluice_priv_slot_at(slots, slot), false, item, item_size);
		if (SLUICE_PRIV_LIKELY(sluice_priv_cells_try_free(g, *ticket))) /* R1 */
			return 0;
		*ticket = sluice_priv_cells_back_off(&engine->items.head, *ticket);
	}
}

/*
 * Appends up to n items; *moved is how many. Returns 0 when all went in, else EAGAIN, EPIPE, or of wide items
 * EBUSY: there is room, but for now no slot. Has passed F2 if anything went in.
 */
SLUICE_PRIV_INLINE int
sluice_priv_cell_put(struct sluice_priv_cell_engine *engine, struct sluice_priv_sides sides,
		     const uint32_t *closed, const unsigned char *items, size_t n, size_t item_size,
		     size_t *moved)
{
	const struct sluice_priv_geometry g = engine->items.geometry;
	const struct sluice_priv_slots slots = engine->slots;
	uint64_t ticket = sluice_priv_load_64_acquire(&engine->items.tail); /* A1 */
	int result = 0;
	size_t i;

	for (i = 0; i < n; i++) {
		const unsigned char *const item = items + i * item_size;

		if (sluice_priv_cell_wide(item_size)) {
			sluice_priv_slots_prefetch(&slots, &g, ticket, item_size);
			result = sluice_priv_cell_fill_wide(engine, &g, &slots, sides.lone_producer,
							    &ticket, item, item_size);
		} else {
			uint64_t value = 0;

			memcpy(&value, item, sluice_priv_cell_narrow(item_size));
			sluice_priv_cells_prefetch(&g, ticket);
			result = sluice_priv_cells_fill(&engine->items, &g, sides.lone_producer,
							&ticket, value);
		}
		if (SLUICE_PRIV_UNLIKELY(result != 0))
			break;
		sluice_priv_sides_fence(sides.lone_producer, sides.asymmetric); /* F2 */
		if (SLUICE_PRIV_UNLIKELY(ck_pr_load_32(closed) != 0) &&
		    ticket >= sluice_priv_cells_end(&engine->items, sides.asymmetric)) {
			result = EPIPE;
			break;
		}
		ticket = sluice_priv_cells_next(&g, ticket);
	}
	if (SLUICE_PRIV_LIKELY(i != 0))
		sluice_priv_store_64_release(&engine->items.tail, ticket); /* R1 */
	*moved = i;
	return result;
}

/*
 * Takes up to n items. Returns how many; fewer than n if the ring was found empty, or has ended. Has
 * passed F2 if there were any.
 * scratch: item_size bytes, since a wide item is copied before it is known who gets it.
 */
SLUICE_PRIV_INLINE size_t
sluice_priv_cell_get(struct sluice_priv_cell_engine *engine, struct sluice_priv_sides sides,
		     const uint32_t *closed, unsigned char *items, size_t n, size_t item_size,
		     unsigned char *scratch)
{
	const struct sluice_priv_geometry g = engine->items.geometry;
	const bool wide = sluice_priv_cell_wide(item_size);
	const struct sluice_priv_slots slots = engine->slots;
	uint64_t ticket = sluice_priv_load_64_acquire(&engine->items.head); /* A1 */
	size_t i;

	for (i = 0; i < n; i++) {
		unsigned char *const item = items + i * item_size;
		uint64_t value = 0;
		int result;

		if (wide)
			sluice_priv_slots_prefetch(&slots, &g, ticket, item_size);
		else
			sluice_priv_cells_prefetch(&g, ticket);
		if (wide && !sides.lone_consumer)
			result = sluice_priv_cell_take_wide(engine, &g, &slots, &ticket, scratch,
							    item_size);
		else
			result = sluice_priv_cells_take(&engine->items, &g, sides.lone_consumer,
							&ticket, &value);
		if (SLUICE_PRIV_UNLIKELY(result != 0))
			break;
		sluice_priv_sides_fence(sides.lone_consumer, sides.asymmetric); /* F2 */
		if (SLUICE_PRIV_UNLIKELY(ck_pr_load_32(closed) != 0) &&
		    ticket >= sluice_priv_cells_rest(&engine->items, sides.asymmetric))
			break;
		if (!wide) {
			memcpy(item, &value, sluice_priv_cell_narrow(item_size));
		} else if (!sides.lone_consumer) {
			memcpy(item, scratch, item_size);
		} else {
			value ^= sluice_priv_slot_of_cell(&g, ticket);
			sluice_priv_slot_read(sluice_priv_slot_at(&slots, value), true, item,
					      item_size);
		}
		if (sides.lone_consumer)
			sluice_priv_cells_free(&g, ticket);
		ticket = sluice_priv_cells_next(&g, ticket);
	}
	if (SLUICE_PRIV_LIKELY(i != 0)) {
		if (sides.lone_consumer)
			sluice_priv_fence_light(sides.asymmetric); /* F2: the cells are free */
		else
			sluice_priv_store_64_release(&engine->items.head, ticket); /* R1 */
	}
	return i;
}

#endif /* SLUICE_CELL_RING_H */
