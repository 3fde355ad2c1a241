/* SPDX-License-Identifier: MIT */
/*
 * cas16.h - what a queue costs at least whose put and get are one 16-byte compare-and-swap each.
 *
 * struct cas16 and its functions do what sluice.h says of a queue of uint64_t for a single thread, which
 * puts and gets: one cell, no indexes, nobody to wake. A put swaps {2t, -} for {2t + 1, item} and a
 * get swaps that for {2t + 2, -}. Who cannot go on is told so, since nobody else could change it:
 * put and get never wait.
 *
 * It is in the comparison as the floor under trypair.
 */
#ifndef BENCH_QUEUES_CAS16_H
#define BENCH_QUEUES_CAS16_H

#include <sluice.h>

struct cas16 {
	uint64_t cell[2] __attribute__((aligned(16)));
	uint64_t state; /* of the cell, as this thread knows */
	uint64_t value;
	bool closed;
};

static inline int
cas16_init(struct cas16 *q, size_t capacity, const struct sluice_options *options)
{
	(void)capacity;
	(void)options;
	*q = (struct cas16){{0, 0}, 0, 0, false};
	return 0;
}

static inline void
cas16_destroy(struct cas16 *q)
{
	(void)q;
}

static inline size_t
cas16_capacity(const struct cas16 *q)
{
	(void)q;
	return 1;
}

static inline void
cas16_close(struct cas16 *q)
{
	q->closed = true;
}

static inline int
cas16_swap(struct cas16 *q, uint64_t value)
{
	uint64_t expected[2] = {q->state, q->value};
	uint64_t desired[2] = {q->state + 1, value};

	if (!sluice_priv_cas_64_2_acq_rel(q->cell, expected, desired))
		return EINVAL; /* a second thread */
	q->state++;
	q->value = value;
	return 0;
}

static inline int
cas16_try_put(struct cas16 *q, uint64_t item)
{
	if (q->closed)
		return EPIPE;
	return q->state % 2 == 0 ? cas16_swap(q, item) : EAGAIN;
}

static inline int
cas16_try_get(struct cas16 *q, uint64_t *item)
{
	if (q->state % 2 == 0)
		return q->closed ? EPIPE : EAGAIN;
	*item = q->value;
	return cas16_swap(q, 0);
}

static inline int
cas16_put(struct cas16 *q, uint64_t item)
{
	return cas16_try_put(q, item);
}

static inline int
cas16_get(struct cas16 *q, uint64_t *item)
{
	return cas16_try_get(q, item);
}

#endif
