/* SPDX-License-Identifier: MIT */
/*
 * queue.h - a queue: an engine, three events, a flag and a count. The verbs, once for every flavour.
 *
 * Every function takes the flavour and the item size as constants and is inlined into the function
 * that a SLUICE_DEFINE macro generates, where all that does not concern the flavour folds away.
 *
 * The shape of every verb that moves items: an attempt on the engine, then, if something moved, one
 * look at the event of the other side. Verbs that wait repeat this in the waiting loop of park.h.
 *
 *   event       its condition               waits           wakes
 *   not_empty   an item, or closed          get             put, close
 *   not_full    room, or closed             put             get, close
 *   all_done    every item put is done      join            task_done, close_discard
 *
 * Closing. `closed` is set first, then every sleeper is woken (F2 stands between). A put looks at the
 * flag before it attempts, so a put that begins later answers EPIPE. A put that looked before may still
 * succeed; the engine's end (decided by ticket, or by the gate) stands between it and the get that wants
 * to answer EPIPE, so that what was accepted is always got.
 *
 * Joining. How many items were put, and how many were got, stands in the engine. `done` counts
 * task_done calls and never exceeds the gets. join reads `done`, then the puts: both only grow, so if
 * they are equal, everything was done at the moment of the second read. While the end of a closed queue is
 * not decided, a put may be counted that will be refused, and a get that took its item; so join and
 * task_done, if they then find the queue closed, have end and rest decided and cut the count off there.
 * (size does not: it may count such a put.)
 */
#ifndef SLUICE_QUEUE_H
#define SLUICE_QUEUE_H

#include <sluice/cell_ring.h>
#include <sluice/ck_engine.h>
#include <sluice/park.h>

/*
 * A flavour, as bits. That a consumer is alone is a promise of the caller which the CK engine makes no
 * use of: its swap is the fence that it owes anyway (ck_engine.h).
 */
#define SLUICE_PRIV_LONE_PRODUCER 1u
#define SLUICE_PRIV_LONE_CONSUMER 2u
#define SLUICE_PRIV_CK            4u

#define SLUICE_CAPACITY_MAX ((size_t)1 << 30)

/*
 * Batches are moved in parts of at most this many items. Between two parts those who sleep are woken,
 * the gate of CK_MPMC is left, and `closed` is looked at.
 */
#define SLUICE_PRIV_PART ((size_t)64)

struct sluice_priv_queue {
	size_t capacity;
	struct sluice_options options;
	uint32_t closed;
	bool asymmetric; /* the fences of a lone side; constant */
	char pad0[SLUICE_PRIV_LINE];
	struct sluice_priv_event not_empty;
	struct sluice_priv_event not_full;
	struct sluice_priv_event all_done;
	uint64_t done;
	char pad1[SLUICE_PRIV_LINE];
	union {
		struct sluice_priv_cell_engine cell;
		struct sluice_priv_ck_engine ck;
	} engine;
};

SLUICE_PRIV_INLINE bool
sluice_priv_is_ck(unsigned int flavour)
{
	return (flavour & SLUICE_PRIV_CK) != 0;
}

SLUICE_PRIV_INLINE bool
sluice_priv_is_lone_producer(unsigned int flavour)
{
	return (flavour & SLUICE_PRIV_LONE_PRODUCER) != 0;
}

SLUICE_PRIV_INLINE bool
sluice_priv_is_lone_consumer(unsigned int flavour)
{
	return (flavour & SLUICE_PRIV_LONE_CONSUMER) != 0;
}

/* Of a queue on cells. */
SLUICE_PRIV_INLINE struct sluice_priv_sides
sluice_priv_sides_of(const struct sluice_priv_queue *q, unsigned int flavour)
{
	struct sluice_priv_sides sides;

	sides.lone_producer = sluice_priv_is_lone_producer(flavour);
	sides.lone_consumer = sluice_priv_is_lone_consumer(flavour);
	/* As init has it; said again, it is a constant where no side is alone. */
	sides.asymmetric = (sides.lone_producer || sides.lone_consumer) && q->asymmetric;
	return sides;
}

SLUICE_PRIV_INLINE int
sluice_priv_init(struct sluice_priv_queue *q, unsigned int flavour, size_t item_size,
		 size_t capacity, const struct sluice_options *options)
{
	static const struct sluice_options defaults = SLUICE_OPTIONS_DEFAULT;
	const bool lone_producer = sluice_priv_is_lone_producer(flavour);
	const bool lone_consumer = sluice_priv_is_lone_consumer(flavour);

	if (options == NULL)
		options = &defaults;
	if (capacity == 0 || capacity > SLUICE_CAPACITY_MAX ||
	    options->bursts > SLUICE_OPTION_MAX || options->pauses > SLUICE_OPTION_MAX ||
	    options->yields > SLUICE_OPTION_MAX)
		return EINVAL;
	q->capacity = capacity;
	q->options = *options;
	q->closed = 0;
	q->done = 0;
	q->asymmetric = !sluice_priv_is_ck(flavour) && (lone_producer || lone_consumer) &&
			sluice_priv_fence_heavy_prepare();
	sluice_priv_event_init(&q->not_empty);
	sluice_priv_event_init(&q->not_full);
	sluice_priv_event_init(&q->all_done);
	q->not_empty.heavy = q->asymmetric && lone_producer;
	q->not_full.heavy = q->asymmetric && lone_consumer;
	if (sluice_priv_is_ck(flavour))
		return sluice_priv_ck_init(&q->engine.ck, capacity, item_size);
	return sluice_priv_cell_init(&q->engine.cell, lone_producer, capacity, item_size);
}

SLUICE_PRIV_INLINE void
sluice_priv_destroy(struct sluice_priv_queue *q, unsigned int flavour)
{
	if (sluice_priv_is_ck(flavour))
		sluice_priv_ck_destroy(&q->engine.ck);
	else
		sluice_priv_cell_destroy(&q->engine.cell);
}

SLUICE_PRIV_INLINE bool
sluice_priv_is_closed(const struct sluice_priv_queue *q)
{
	return sluice_priv_load_32_acquire(&q->closed) != 0;
}

SLUICE_PRIV_INLINE uint64_t
sluice_priv_puts(const struct sluice_priv_queue *q, unsigned int flavour)
{
	return sluice_priv_is_ck(flavour) ? sluice_priv_ck_puts(&q->engine.ck)
					  : sluice_priv_cells_puts(&q->engine.cell.items);
}

SLUICE_PRIV_INLINE uint64_t
sluice_priv_gets(const struct sluice_priv_queue *q, unsigned int flavour)
{
	return sluice_priv_is_ck(flavour) ? sluice_priv_ck_gets(&q->engine.ck)
					  : sluice_priv_cells_gets(&q->engine.cell.items);
}

/*
 * The gets are read first: the difference may be too large by what came and went between the reads. It is
 * negative only if a get was counted that took a refused item, and then all that was accepted is out.
 */
SLUICE_PRIV_INLINE size_t
sluice_priv_size(const struct sluice_priv_queue *q, unsigned int flavour)
{
	const uint64_t gets = sluice_priv_gets(q, flavour);
	const uint64_t puts = sluice_priv_puts(q, flavour);
	const uint64_t size = puts > gets ? puts - gets : 0;

	return size < q->capacity ? (size_t)size : q->capacity;
}

/*
 * Cuts a count of puts or gets off where a closed ring ends, or its rest begins, and has that decided. It
 * is looked for after the count was read: a rest that nobody had begun then takes nothing from the count.
 */
SLUICE_PRIV_INLINE uint64_t
sluice_priv_cut(struct sluice_priv_queue *q, unsigned int flavour, uint64_t count)
{
	struct sluice_priv_cells *const items = &q->engine.cell.items;
	uint64_t limit;

	if (sluice_priv_is_ck(flavour) || SLUICE_PRIV_LIKELY(!sluice_priv_is_closed(q)))
		return count;
	limit = sluice_priv_cells_count(&items->geometry,
					sluice_priv_cells_rest(items, q->asymmetric));
	return count < limit ? count : limit;
}

/* Did a put find no slot (cell_ring.h)? Only those of wide items by one of several producers can. */
SLUICE_PRIV_INLINE bool
sluice_priv_is_busy(unsigned int flavour, size_t item_size, int result)
{
	return !sluice_priv_is_ck(flavour) && !sluice_priv_is_lone_producer(flavour) &&
	       sluice_priv_cell_wide(item_size) && result == EBUSY;
}

/*
 * Puts up to n items without waiting for room; *moved is how many, and as many consumers are woken.
 * Returns 0 when all went in, else EAGAIN, EBUSY (cell_ring.h) or EPIPE. may_sleep and deadline concern
 * the turn at the gate of CK_MPMC, which adds ETIMEDOUT.
 */
SLUICE_PRIV_INLINE int
sluice_priv_put_some(struct sluice_priv_queue *q, unsigned int flavour, size_t item_size,
		     const void *items, size_t n, size_t *moved, bool may_sleep,
		     const struct timespec *deadline)
{
	int result;

	*moved = 0;
	if (SLUICE_PRIV_UNLIKELY(sluice_priv_is_closed(q)))
		return EPIPE;
	if (sluice_priv_is_ck(flavour)) {
		result = sluice_priv_ck_put(&q->engine.ck, sluice_priv_is_lone_producer(flavour),
					    &q->closed, (const unsigned char *)items, n, item_size,
					    moved, &q->options, may_sleep, deadline);
		/* Consumers that met the closed gate wait for this put to leave it. */
		if (SLUICE_PRIV_UNLIKELY(sluice_priv_is_closed(q)))
			sluice_priv_event_wake_all(&q->not_empty);
	} else {
		result = sluice_priv_cell_put(&q->engine.cell, sluice_priv_sides_of(q, flavour),
					      &q->closed, (const unsigned char *)items, n,
					      item_size, moved);
		/* What made it full may have been refused. */
		if (SLUICE_PRIV_UNLIKELY(result == EAGAIN) && sluice_priv_is_closed(q))
			result = EPIPE;
	}
	/* Returns here, not around the wake: else gcc takes what follows a put for cold. */
	if (SLUICE_PRIV_UNLIKELY(*moved == 0))
		return result;
	/* The engine has passed F2: it pairs with F1 of a get that waits. */
	sluice_priv_event_wake(&q->not_empty, *moved);
	return result;
}

/*
 * Gets up to n items, n > 0, without waiting; *moved is how many, and as many producers are woken.
 * Returns 0 when it got any, else EAGAIN or EPIPE. scratch: room for one item, which the engines may use.
 */
SLUICE_PRIV_INLINE int
sluice_priv_get_some(struct sluice_priv_queue *q, unsigned int flavour, size_t item_size,
		     void *items, size_t n, unsigned char *scratch, size_t *moved)
{
	int result;

	do {
		*moved = sluice_priv_is_ck(flavour)
				 ? sluice_priv_ck_get(&q->engine.ck, (unsigned char *)items, n,
						      item_size, scratch)
				 : sluice_priv_cell_get(&q->engine.cell,
							sluice_priv_sides_of(q, flavour),
							&q->closed, (unsigned char *)items, n,
							item_size, scratch);
		if (SLUICE_PRIV_LIKELY(*moved != 0)) {
			/* The engine has passed F2: it pairs with F1 of a put that waits. */
			sluice_priv_event_wake(&q->not_full, *moved);
			return 0;
		}
		if (!sluice_priv_is_closed(q)) /* C1 */
			return EAGAIN;
		/* Closed and, it seems, drained: make sure of it, or find that there is an item after all. */
		if (sluice_priv_is_ck(flavour))
			result = sluice_priv_ck_end(&q->engine.ck);
		else
			result = sluice_priv_cells_drained(&q->engine.cell.items, q->asymmetric)
					 ? EPIPE
					 : 0;
	} while (result == 0);
	return result == EPIPE ? EPIPE : EAGAIN; /* not 0, which gcc -O1 sees in constants only */
}

/* How long an item takes its side at best, in eighths of a pause: a narrow one, and wide ones by lines. */
SLUICE_PRIV_INLINE size_t
sluice_priv_pace(size_t item_size)
{
	const size_t lines = (item_size + SLUICE_PRIV_LINE - 1) / SLUICE_PRIV_LINE;

	if (!sluice_priv_cell_wide(item_size))
		return 2;
	return lines <= 3 ? 7 : 2 * lines;
}

/* The most pauses of a burst: they let the other side run through half of the ring. */
SLUICE_PRIV_INLINE size_t
sluice_priv_burst(const struct sluice_priv_queue *q, size_t item_size)
{
	return q->capacity * sluice_priv_pace(item_size) / 16;
}

/* The beginning of a wait for room, and of one for an item; the items that passed are counted roughly. */
SLUICE_PRIV_INLINE struct sluice_priv_wait
sluice_priv_wait_for_room(struct sluice_priv_queue *q, unsigned int flavour, size_t item_size,
			  const struct timespec *deadline)
{
	struct sluice_priv_wait wait = sluice_priv_wait_begin(&q->not_full, &q->options, deadline);

	sluice_priv_wait_tune(&wait,
			      sluice_priv_is_ck(flavour)
				      ? sluice_priv_ck_puts_about(&q->engine.ck)
				      : sluice_priv_cells_puts_about(&q->engine.cell.items),
			      sluice_priv_pace(item_size), sluice_priv_burst(q, item_size));
	return wait;
}

SLUICE_PRIV_INLINE struct sluice_priv_wait
sluice_priv_wait_for_item(struct sluice_priv_queue *q, unsigned int flavour, size_t item_size,
			  const struct timespec *deadline)
{
	struct sluice_priv_wait wait = sluice_priv_wait_begin(&q->not_empty, &q->options, deadline);

	sluice_priv_wait_tune(&wait,
			      sluice_priv_is_ck(flavour)
				      ? sluice_priv_ck_gets_about(&q->engine.ck)
				      : sluice_priv_cells_gets_about(&q->engine.cell.items),
			      sluice_priv_pace(item_size), sluice_priv_burst(q, item_size));
	return wait;
}

/*
 * Puts the rest of n items after an attempt has failed: waits for room. As sluice_priv_put_all. Who finds
 * it busy does not sleep, since nobody would wake it.
 */
SLUICE_PRIV_SLOW int
sluice_priv_put_waiting(struct sluice_priv_queue *q, unsigned int flavour, size_t item_size,
			const void *items, size_t n, size_t *moved, const struct timespec *deadline)
{
	struct sluice_priv_wait wait = sluice_priv_wait_for_room(q, flavour, item_size, deadline);
	int result = EAGAIN;
	size_t now;

	while (result == EAGAIN || sluice_priv_is_busy(flavour, item_size, result)) {
		if (result == EAGAIN && !sluice_priv_wait_step(&wait))
			break;
		if (sluice_priv_is_busy(flavour, item_size, result)) {
			if (deadline != NULL && sluice_priv_deadline_passed(deadline))
				break;
			sluice_priv_yield();
		}
		result = sluice_priv_put_some(q, flavour, item_size,
					      (const unsigned char *)items + *moved * item_size,
					      n - *moved, &now, true, deadline);
		*moved += now;
		if (now != 0) {
			/* Room came and was used: from here on it is a new wait. */
			sluice_priv_wait_end(&wait);
			wait = sluice_priv_wait_for_room(q, flavour, item_size, deadline);
		}
	}
	sluice_priv_wait_end(&wait);
	if (sluice_priv_is_busy(flavour, item_size, result) ||
	    (sluice_priv_is_ck(flavour) && result == ETIMEDOUT)) {
		/* It gave up busy, or at the gate; if it was woken for room, another must hear of it. */
		sluice_priv_fence_full_after_atomic();
		sluice_priv_event_wake(&q->not_full, 1);
	}
	return result == EAGAIN || sluice_priv_is_busy(flavour, item_size, result) ? ETIMEDOUT
										   : result;
}

/* Puts all n items, 0 < n, waiting for room. Returns 0, EPIPE or ETIMEDOUT; *moved is how many went in. */
SLUICE_PRIV_INLINE int
sluice_priv_put_all(struct sluice_priv_queue *q, unsigned int flavour, size_t item_size,
		    const void *items, size_t n, size_t *moved, const struct timespec *deadline)
{
	const int result =
		sluice_priv_put_some(q, flavour, item_size, items, n, moved, true, deadline);

	if (SLUICE_PRIV_LIKELY(result != EAGAIN &&
			       !sluice_priv_is_busy(flavour, item_size, result)))
		return result;
	return sluice_priv_put_waiting(q, flavour, item_size, items, n, moved, deadline);
}

/* Gets up to n items, n > 0, after an attempt has failed: waits for one. 0, EPIPE or ETIMEDOUT. */
SLUICE_PRIV_SLOW int
sluice_priv_get_waiting(struct sluice_priv_queue *q, unsigned int flavour, size_t item_size,
			void *items, size_t n, unsigned char *scratch, size_t *moved,
			const struct timespec *deadline)
{
	struct sluice_priv_wait wait = sluice_priv_wait_for_item(q, flavour, item_size, deadline);
	int result = EAGAIN;

	while (result == EAGAIN && sluice_priv_wait_step(&wait))
		result = sluice_priv_get_some(q, flavour, item_size, items, n, scratch, moved);
	sluice_priv_wait_end(&wait);
	return result == EAGAIN ? ETIMEDOUT : result;
}

/*
 * The verbs, as sluice.h documents them. Deadlines are valid here, or NULL for none.
 */
SLUICE_PRIV_INLINE int
sluice_priv_put(struct sluice_priv_queue *q, unsigned int flavour, size_t item_size,
		const void *item, const struct timespec *deadline)
{
	size_t moved;

	return sluice_priv_put_all(q, flavour, item_size, item, 1, &moved, deadline);
}

SLUICE_PRIV_INLINE int
sluice_priv_try_put(struct sluice_priv_queue *q, unsigned int flavour, size_t item_size,
		    const void *item)
{
	size_t moved;
	const int result =
		sluice_priv_put_some(q, flavour, item_size, item, 1, &moved, false, NULL);

	return sluice_priv_is_busy(flavour, item_size, result) ? EAGAIN : result;
}

/* The next part of a batch of which `moved` of n items have been moved. */
SLUICE_PRIV_INLINE size_t
sluice_priv_part(size_t n, size_t moved)
{
	return n - moved < SLUICE_PRIV_PART ? n - moved : SLUICE_PRIV_PART;
}

SLUICE_PRIV_INLINE size_t
sluice_priv_put_many(struct sluice_priv_queue *q, unsigned int flavour, size_t item_size,
		     const void *items, size_t n)
{
	size_t moved = 0;
	size_t now;
	int result = 0;

	while (moved < n && result == 0) {
		result = sluice_priv_put_all(q, flavour, item_size,
					     (const unsigned char *)items + moved * item_size,
					     sluice_priv_part(n, moved), &now, NULL);
		moved += now;
	}
	return moved;
}

SLUICE_PRIV_INLINE size_t
sluice_priv_try_put_many(struct sluice_priv_queue *q, unsigned int flavour, size_t item_size,
			 const void *items, size_t n)
{
	size_t moved = 0;
	size_t now;
	int result = 0;

	while (moved < n && result == 0) {
		result = sluice_priv_put_some(q, flavour, item_size,
					      (const unsigned char *)items + moved * item_size,
					      sluice_priv_part(n, moved), &now, false, NULL);
		moved += now;
	}
	return moved;
}

/*
 * scratch: room for two items. An item that comes after waiting lands there first, so that the caller's
 * own variable is written in plain sight of a compiler, which else would warn of it or keep it in memory.
 */
SLUICE_PRIV_INLINE int
sluice_priv_get(struct sluice_priv_queue *q, unsigned int flavour, size_t item_size, void *item,
		unsigned char *scratch, const struct timespec *deadline)
{
	unsigned char *const landing = scratch + item_size;
	size_t moved;
	int result = sluice_priv_get_some(q, flavour, item_size, item, 1, scratch, &moved);

	if (SLUICE_PRIV_LIKELY(result != EAGAIN))
		return result == 0 ? 0 : EPIPE; /* constants again */
	result = sluice_priv_get_waiting(q, flavour, item_size, landing, 1, scratch, &moved,
					 deadline);
	if (result != 0)
		return result == EPIPE ? EPIPE : ETIMEDOUT;
	sluice_priv_assume_written(landing);
	memcpy(item, landing, item_size);
	return 0;
}

SLUICE_PRIV_INLINE int
sluice_priv_try_get(struct sluice_priv_queue *q, unsigned int flavour, size_t item_size, void *item,
		    unsigned char *scratch)
{
	size_t moved;

	return sluice_priv_get_some(q, flavour, item_size, item, 1, scratch, &moved);
}

SLUICE_PRIV_INLINE size_t
sluice_priv_try_get_many(struct sluice_priv_queue *q, unsigned int flavour, size_t item_size,
			 void *items, size_t max, unsigned char *scratch)
{
	size_t moved = 0;
	size_t now;
	int result = 0;

	while (moved < max && result == 0) {
		result = sluice_priv_get_some(q, flavour, item_size,
					      (unsigned char *)items + moved * item_size,
					      sluice_priv_part(max, moved), scratch, &now);
		moved += now;
	}
	return moved;
}

SLUICE_PRIV_INLINE size_t
sluice_priv_get_many(struct sluice_priv_queue *q, unsigned int flavour, size_t item_size,
		     void *items, size_t max, unsigned char *scratch)
{
	const size_t part = sluice_priv_part(max, 0);
	size_t moved = sluice_priv_try_get_many(q, flavour, item_size, items, max, scratch);

	if (moved != 0 || max == 0)
		return moved;
	(void)sluice_priv_get_waiting(q, flavour, item_size, items, part, scratch, &moved, NULL);
	if (moved == part) /* there may be more */
		moved += sluice_priv_try_get_many(q, flavour, item_size,
						  (unsigned char *)items + moved * item_size,
						  max - moved, scratch);
	return moved;
}

/* Is every item that was ever put done? Otherwise EAGAIN. */
SLUICE_PRIV_INLINE int
sluice_priv_try_join(struct sluice_priv_queue *q, unsigned int flavour)
{
	const uint64_t done = sluice_priv_load_64_acquire(&q->done);
	const uint64_t puts = sluice_priv_cut(q, flavour, sluice_priv_puts(q, flavour));

	return done == puts ? 0 : EAGAIN;
}

SLUICE_PRIV_INLINE int
sluice_priv_join(struct sluice_priv_queue *q, unsigned int flavour, const struct timespec *deadline)
{
	struct sluice_priv_wait wait = sluice_priv_wait_begin(&q->all_done, &q->options, deadline);
	int result = sluice_priv_try_join(q, flavour);

	while (result == EAGAIN && sluice_priv_wait_step(&wait))
		result = sluice_priv_try_join(q, flavour);
	sluice_priv_wait_end(&wait);
	return result == EAGAIN ? ETIMEDOUT : result;
}

/* Wakes those who wait in join, if all is done. The caller has passed F2, which pairs with F1 of a join. */
SLUICE_PRIV_INLINE void
sluice_priv_wake_joins(struct sluice_priv_queue *q, unsigned int flavour)
{
	if (SLUICE_PRIV_UNLIKELY(ck_pr_load_64(&q->all_done.word) != 0) &&
	    sluice_priv_try_join(q, flavour) == 0)
		sluice_priv_event_wake_all(&q->all_done);
}

SLUICE_PRIV_INLINE int
sluice_priv_task_done(struct sluice_priv_queue *q, unsigned int flavour)
{
	uint64_t done;
	uint64_t gets;

	do {
		done = sluice_priv_load_64_acquire(&q->done);
		gets = sluice_priv_cut(q, flavour, sluice_priv_gets(q, flavour));
		if (done == gets)
			return EINVAL;
	} while (!sluice_priv_cas_64_acq_rel(&q->done, done, done + 1));
	sluice_priv_fence_full_after_atomic(); /* F2 */
	sluice_priv_wake_joins(q, flavour);
	return 0;
}

SLUICE_PRIV_INLINE void
sluice_priv_close(struct sluice_priv_queue *q, unsigned int flavour)
{
	(void)sluice_priv_exchange_32_acq_rel(&q->closed, 1);
	sluice_priv_fence_full_after_atomic(); /* F2: pairs with F1 of all that wait */
	sluice_priv_event_wake_all(&q->not_empty);
	sluice_priv_event_wake_all(&q->not_full);
	if (sluice_priv_is_ck(flavour))
		sluice_priv_event_wake_all(&q->engine.ck.gate_free);
}

/* item: room for one, scratch: for two; of the CK engine only, which gets what is queued. */
SLUICE_PRIV_INLINE size_t
sluice_priv_close_discard(struct sluice_priv_queue *q, unsigned int flavour, size_t item_size,
			  void *item, unsigned char *scratch)
{
	size_t dropped = 0;

	sluice_priv_close(q, flavour);
	if (!sluice_priv_is_ck(flavour)) {
		dropped = (size_t)sluice_priv_cells_discard(&q->engine.cell.items, q->asymmetric);
		ck_pr_fence_memory(); /* F2 */
		sluice_priv_wake_joins(q, flavour);
		return dropped;
	}
	while (sluice_priv_get(q, flavour, item_size, item, scratch, NULL) == 0) {
		/* Fails only if a caller over-called task_done meanwhile; then it is counted already. */
		(void)sluice_priv_task_done(q, flavour);
		dropped++;
	}
	return dropped;
}

#endif /* SLUICE_QUEUE_H */
