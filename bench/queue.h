/* SPDX-License-Identifier: MIT */
/*
 * queue.h - what the comparison asks of a queue of uint64_t, and how a queue answers it.
 *
 *	SLUICE_DEFINE_SPSC(spsc, uint64_t)
 *	BENCH_QUEUE(spsc, 1, 1, NULL)		const struct bench_queue spsc_bench
 *
 * BENCH_QUEUE takes the name of a queue type that has the verbs init (with NULL options), destroy,
 * put, try_put, get, try_get and close of sluice.h, how many producers and consumers it allows at
 * most (1 or BENCH_ANY), and what a reader of its numbers must know (NULL: nothing).
 *
 * The loops that touch an item at full speed are compiled once for each queue, with its verbs
 * before the compiler's eyes, as in a program that uses that queue; whether to inline them is the
 * compiler's decision there, too. The two function pointers to verbs serve workloads that sleep for
 * each item. So no queue pays for the harness, and all loops are the same code.
 */
#ifndef BENCH_QUEUE_H
#define BENCH_QUEUE_H

#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#define BENCH_ANY UINT_MAX

/* What a thread sent or received; sums are modulo 2^64. */
struct bench_tally {
	uint64_t items;
	uint64_t sum;
	bool failed; /* a verb did what its contract excludes */
};

/* How long single events took, in nanoseconds, the first of them up to max. */
struct bench_times {
	uint64_t *ns;
	size_t count;
	size_t max;
};

struct bench_queue {
	const char *name;
	unsigned int producers; /* at most */
	unsigned int consumers;
	const char *note; /* or NULL */

	/* NULL: no memory, or init refused the capacity. */
	void *(*create)(size_t capacity);
	void (*destroy)(void *queue);
	void (*close)(void *queue);
	int (*put)(void *queue, uint64_t item);
	int (*get)(void *queue, uint64_t *item);

	/* Put first, first + 1, and so on until told to stop. */
	struct bench_tally (*produce)(void *queue, uint64_t first, const atomic_bool *stop);
	/* Get until the queue is closed and drained. */
	struct bench_tally (*consume)(void *queue);
	/* Send a number there and wait until it is back, until told to stop. */
	struct bench_tally (*ping)(void *there, void *back, const atomic_bool *stop,
				   struct bench_times *times);
	/* Send back what comes, until the queue is closed and drained. */
	struct bench_tally (*echo)(void *there, void *back);
	/* try_put and try_get in turn, until told to stop. */
	struct bench_tally (*trypair)(void *queue, const atomic_bool *stop);
};

/*
 * Between two looks at the flag. Small, because a queue that has collapsed to a thousand items a
 * second shall still stop soon; 64 puts take 0.5 us or more, one load among them is nothing.
 */
#define BENCH_BLOCK 64

#define BENCH_INLINE static inline __attribute__((always_inline))

typedef int bench_put_fn(void *queue, uint64_t item);
typedef int bench_get_fn(void *queue, uint64_t *item);

BENCH_INLINE uint64_t
bench_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

BENCH_INLINE bool
bench_stopped(const atomic_bool *stop)
{
	return atomic_load_explicit(stop, memory_order_relaxed);
}

BENCH_INLINE struct bench_tally
bench_produce(bench_put_fn *put, void *queue, uint64_t first, const atomic_bool *stop)
{
	struct bench_tally tally = {0};

	do {
		for (int i = 0; i < BENCH_BLOCK; i++) {
			if (put(queue, first + tally.items) != 0) {
				tally.failed = true;
				return tally;
			}
			tally.sum += first + tally.items++;
		}
	} while (!bench_stopped(stop));
	return tally;
}

BENCH_INLINE struct bench_tally
bench_consume(bench_get_fn *get, void *queue)
{
	struct bench_tally tally = {0};
	uint64_t item = 0;
	int error;

	while ((error = get(queue, &item)) == 0) {
		tally.items++;
		tally.sum += item;
	}
	tally.failed = error != EPIPE;
	return tally;
}

/* A round trip includes one reading of the clock: 21 ns where that needs no system call. */
BENCH_INLINE struct bench_tally
bench_ping(bench_put_fn *put, bench_get_fn *get, void *there, void *back, const atomic_bool *stop,
	   struct bench_times *times)
{
	struct bench_tally tally = {0};
	uint64_t item;
	uint64_t now = bench_now();

	times->count = 0;
	while (times->count < times->max && !bench_stopped(stop)) {
		uint64_t start = now;

		if (put(there, start) != 0 || get(back, &item) != 0 || item != start) {
			tally.failed = true;
			break;
		}
		now = bench_now();
		times->ns[times->count++] = now - start;
		tally.items++;
		tally.sum += start;
	}
	return tally;
}

BENCH_INLINE struct bench_tally
bench_echo(bench_put_fn *put, bench_get_fn *get, void *there, void *back)
{
	struct bench_tally tally = {0};
	uint64_t item = 0;
	int error;

	while ((error = get(there, &item)) == 0 && (error = put(back, item)) == 0) {
		tally.items++;
		tally.sum += item;
	}
	tally.failed = error != EPIPE;
	return tally;
}

BENCH_INLINE struct bench_tally
bench_trypair(bench_put_fn *try_put, bench_get_fn *try_get, void *queue, const atomic_bool *stop)
{
	struct bench_tally tally = {0};
	uint64_t item;

	do {
		for (int i = 0; i < BENCH_BLOCK; i++) {
			if (try_put(queue, tally.items) != 0 || try_get(queue, &item) != 0 ||
			    item != tally.items) {
				tally.failed = true;
				return tally;
			}
			tally.sum += tally.items++;
		}
	} while (!bench_stopped(stop));
	return tally;
}

/* Two cache lines, so that no queue gains or loses by where malloc happens to put it. */
#define BENCH_ALIGNMENT 128

BENCH_INLINE void *
bench_allocate(size_t size)
{
	return aligned_alloc(BENCH_ALIGNMENT,
			     (size + BENCH_ALIGNMENT - 1) / BENCH_ALIGNMENT * BENCH_ALIGNMENT);
}

#define BENCH_QUEUE(NAME, PRODUCERS, CONSUMERS, NOTE)                                              \
	static void *NAME##_bench_create(size_t capacity)                                          \
	{                                                                                          \
		struct NAME *q = bench_allocate(sizeof(*q));                                       \
                                                                                                   \
		if (!q || NAME##_init(q, capacity, NULL) == 0)                                     \
			return q;                                                                  \
		free(q);                                                                           \
		return NULL;                                                                       \
	}                                                                                          \
                                                                                                   \
	static void NAME##_bench_destroy(void *queue)                                              \
	{                                                                                          \
		NAME##_destroy(queue);                                                             \
		free(queue);                                                                       \
	}                                                                                          \
                                                                                                   \
	static void NAME##_bench_close(void *queue)                                                \
	{                                                                                          \
		NAME##_close(queue);                                                               \
	}                                                                                          \
                                                                                                   \
	static inline int NAME##_bench_put(void *queue, uint64_t item)                             \
	{                                                                                          \
		return NAME##_put(queue, item);                                                    \
	}                                                                                          \
                                                                                                   \
	static inline int NAME##_bench_get(void *queue, uint64_t *item)                            \
	{                                                                                          \
		return NAME##_get(queue, item);                                                    \
	}                                                                                          \
                                                                                                   \
	static inline int NAME##_bench_try_put(void *queue, uint64_t item)                         \
	{                                                                                          \
		return NAME##_try_put(queue, item);                                                \
	}                                                                                          \
                                                                                                   \
	static inline int NAME##_bench_try_get(void *queue, uint64_t *item)                        \
	{                                                                                          \
		return NAME##_try_get(queue, item);                                                \
	}                                                                                          \
                                                                                                   \
	static struct bench_tally NAME##_bench_produce(void *queue, uint64_t first,                \
						       const atomic_bool *stop)                    \
	{                                                                                          \
		return bench_produce(NAME##_bench_put, queue, first, stop);                        \
	}                                                                                          \
                                                                                                   \
	static struct bench_tally NAME##_bench_consume(void *queue)                                \
	{                                                                                          \
		return bench_consume(NAME##_bench_get, queue);                                     \
	}                                                                                          \
                                                                                                   \
	static struct bench_tally NAME##_bench_ping(                                               \
		void *there, void *back, const atomic_bool *stop, struct bench_times *times)       \
	{                                                                                          \
		return bench_ping(NAME##_bench_put, NAME##_bench_get, there, back, stop, times);   \
	}                                                                                          \
                                                                                                   \
	static struct bench_tally NAME##_bench_echo(void *there, void *back)                       \
	{                                                                                          \
		return bench_echo(NAME##_bench_put, NAME##_bench_get, there, back);                \
	}                                                                                          \
                                                                                                   \
	static struct bench_tally NAME##_bench_trypair(void *queue, const atomic_bool *stop)       \
	{                                                                                          \
		return bench_trypair(NAME##_bench_try_put, NAME##_bench_try_get, queue, stop);     \
	}                                                                                          \
                                                                                                   \
	static const struct bench_queue NAME##_bench = {                                           \
		.name = #NAME,                                                                     \
		.producers = PRODUCERS,                                                            \
		.consumers = CONSUMERS,                                                            \
		.note = NOTE,                                                                      \
		.create = NAME##_bench_create,                                                     \
		.destroy = NAME##_bench_destroy,                                                   \
		.close = NAME##_bench_close,                                                       \
		.put = NAME##_bench_put,                                                           \
		.get = NAME##_bench_get,                                                           \
		.produce = NAME##_bench_produce,                                                   \
		.consume = NAME##_bench_consume,                                                   \
		.ping = NAME##_bench_ping,                                                         \
		.echo = NAME##_bench_echo,                                                         \
		.trypair = NAME##_bench_trypair,                                                   \
	};

#endif
