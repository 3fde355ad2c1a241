/* SPDX-License-Identifier: MIT */
/*
 * ck_stock_mpmc.h - Concurrency Kit's own ck_ring_*_mpmc behind Sluice's waiting layer.
 *
 * struct ck_stock_mpmc and its functions do what sluice.h says of a queue of uint64_t, with two
 * exceptions. Capacity is what ck_ring makes of it: the next power of two above, less one. And
 * close should be called after the last put has returned, because nothing here decides between the
 * two: an item put later may stay in the queue.
 *
 * It is in the comparison to show what the cell ring, and the gate of CK_MPMC, are for. ck's put
 * takes a ticket and publishes in the order of tickets: a producer that is preempted in between
 * stops all others, who spin while it is away. All else, the waiting above all, is as in Sluice, so
 * that a difference in numbers is a difference between these operations.
 *
 * No wake-up is lost: a put that returns has published, since it waited for all tickets before its
 * own; a get makes its room by a compare-and-swap.
 */
#ifndef BENCH_QUEUES_CK_STOCK_MPMC_H
#define BENCH_QUEUES_CK_STOCK_MPMC_H

#include <sluice.h>

struct ck_stock_mpmc {
	struct ck_ring_buffer *buffer;
	struct sluice_options options;
	uint32_t closed;
	char pad0[SLUICE_PRIV_LINE];
	struct ck_ring ring; /* keeps its own counters apart */
	char pad1[SLUICE_PRIV_LINE];
	struct sluice_priv_event not_empty;
	struct sluice_priv_event not_full;
};

static inline int
ck_stock_mpmc_init(struct ck_stock_mpmc *q, size_t capacity, const struct sluice_options *options)
{
	static const struct sluice_options defaults = SLUICE_OPTIONS_DEFAULT;
	unsigned int size = 2;

	if (capacity == 0 || capacity > SLUICE_CAPACITY_MAX)
		return EINVAL;
	while (size <= capacity)
		size *= 2;
	q->buffer = calloc(size, sizeof(*q->buffer));
	if (!q->buffer)
		return ENOMEM;
	q->options = options ? *options : defaults;
	q->closed = 0;
	ck_ring_init(&q->ring, size);
	sluice_priv_event_init(&q->not_empty);
	sluice_priv_event_init(&q->not_full);
	return 0;
}

static inline void
ck_stock_mpmc_destroy(struct ck_stock_mpmc *q)
{
	free(q->buffer);
}

static inline size_t
ck_stock_mpmc_capacity(const struct ck_stock_mpmc *q)
{
	return ck_ring_capacity(&q->ring) - 1;
}

static inline int
ck_stock_mpmc_try_put(struct ck_stock_mpmc *q, uint64_t item)
{
	if (sluice_priv_load_32_acquire(&q->closed))
		return EPIPE;
	if (!ck_ring_enqueue_mpmc(&q->ring, q->buffer, (void *)(uintptr_t)item))
		return EAGAIN;
	ck_pr_fence_memory(); /* F2, after a plain store: pairs with F1 of a get that waits */
	sluice_priv_event_wake(&q->not_empty, 1);
	return 0;
}

static inline int
ck_stock_mpmc_try_get(struct ck_stock_mpmc *q, uint64_t *item)
{
	/* Read before the attempt, which then sees all that was put before close. */
	bool closed = sluice_priv_load_32_acquire(&q->closed) != 0;
	void *found;

	if (!ck_ring_dequeue_mpmc(&q->ring, q->buffer, &found))
		return closed ? EPIPE : EAGAIN;
	*item = (uintptr_t)found;
	sluice_priv_fence_full_after_atomic(); /* F2: pairs with F1 of a put that waits */
	sluice_priv_event_wake(&q->not_full, 1);
	return 0;
}

static inline int
ck_stock_mpmc_put(struct ck_stock_mpmc *q, uint64_t item)
{
	struct sluice_priv_wait wait = sluice_priv_wait_begin(&q->not_full, &q->options, NULL);
	int result;

	while ((result = ck_stock_mpmc_try_put(q, item)) == EAGAIN && sluice_priv_wait_step(&wait))
		;
	sluice_priv_wait_end(&wait);
	return result;
}

static inline int
ck_stock_mpmc_get(struct ck_stock_mpmc *q, uint64_t *item)
{
	struct sluice_priv_wait wait = sluice_priv_wait_begin(&q->not_empty, &q->options, NULL);
	int result;

	while ((result = ck_stock_mpmc_try_get(q, item)) == EAGAIN && sluice_priv_wait_step(&wait))
		;
	sluice_priv_wait_end(&wait);
	return result;
}

static inline void
ck_stock_mpmc_close(struct ck_stock_mpmc *q)
{
	(void)sluice_priv_exchange_32_acq_rel(&q->closed, 1);
	sluice_priv_fence_full_after_atomic(); /* F2: pairs with F1 of all that wait */
	sluice_priv_event_wake_all(&q->not_empty);
	sluice_priv_event_wake_all(&q->not_full);
}

#endif
