/* SPDX-License-Identifier: MIT */
/*
 * queue.h - what the comparison asks of a queue, and how a queue answers it.
 *
 *	SLUICE_DEFINE_SPSC(spsc, uint64_t)
 *	BENCH_QUEUE(spsc, bench_item8, .name = "spsc", .producers = 1, .consumers = 1)
 *
 * defines const struct bench_queue spsc_bench. BENCH_QUEUE takes the name of a queue type that has
 * the verbs init (with NULL options), destroy, put, try_put, get, try_get, close and capacity of
 * sluice.h, the type of its items, one of item.h, and what else stands in struct bench_queue, in
 * that order. After it,
 *
 *	BENCH_QUEUE_BATCH(spsc, bench_item8, .name = "spsc", .producers = 1, .consumers = 1)
 *
 * defines spsc_batch_bench: the same queue, moved by put_many and get_many.
 *
 * The loops that touch an item at full speed are compiled once for each queue, with its verbs
 * before the compiler's eyes, as in a program that uses that queue; whether to inline them is the
 * compiler's decision there, too. That is why this file is C and C++: a queue written in C++ gets
 * its loops from here as well. The function pointers to verbs serve workloads that sleep for each
 * item, and tests. So no queue pays for the harness, and all loops are the same code.
 */
#ifndef BENCH_QUEUE_H
#define BENCH_QUEUE_H

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#ifdef __cplusplus
#include <atomic>
using std::atomic_bool;
using std::atomic_load_explicit;
using std::memory_order_relaxed;
extern "C" {
#else
#include <stdatomic.h>
#endif

#include "item.h"

#define BENCH_ANY UINT_MAX

/* Items a call, where a queue is moved by batches. */
#define BENCH_BATCH 32

/* What a thread sent or received; sums are modulo 2^64. */
struct bench_tally {
	uint64_t items;
	uint64_t sum;
	bool failed;  /* a verb did what its contract excludes */
	bool refused; /* a put answered that the queue is closed */
};

/* How long single events took, in nanoseconds, the first of them up to max. */
struct bench_times {
	uint64_t *ns;
	size_t count;
	size_t max;
};

struct bench_queue {
	const char *name;
	unsigned int producers; /* at most: 1 or BENCH_ANY */
	unsigned int consumers; /* likewise; 0 where one thread does both */
	const char *note;       /* what a reader of its numbers must know, or NULL */
	bool never_sleeps;      /* waits by looking again and again */
	/*
	 * Whether a measurement may be cut off: close may be called while others put, and makes a put
	 * that waits give up. An item that slips in afterwards stays in the queue.
	 */
	bool may_be_cut;
	bool peer; /* another library's */

	/* From here on what BENCH_QUEUE fills in. */
	size_t item_bytes;
	size_t batch; /* items a call */

	/* NULL: no memory, or init refused the capacity. */
	void *(*create)(size_t capacity);
	void (*destroy)(void *queue);
	size_t (*capacity)(const void *queue); /* what it really holds */
	void (*close)(void *queue);
	int (*put)(void *queue, uint64_t number);
	int (*get)(void *queue, uint64_t *number);
	int (*try_put)(void *queue, uint64_t number);
	int (*try_get)(void *queue, uint64_t *number);

	/* Put first, first + 1, and so on until told to stop, or until the queue is closed. */
	struct bench_tally (*produce)(void *queue, uint64_t first, const atomic_bool *stop);
	/* Get until the queue is closed and drained, or until cut off. */
	struct bench_tally (*consume)(void *queue, const atomic_bool *cut);
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

#define BENCH_TALLY_ZERO                                                                           \
	{                                                                                          \
		0, 0, false, false                                                                 \
	}

typedef int bench_put_fn(void *queue, uint64_t number);
typedef int bench_get_fn(void *queue, uint64_t *number);

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
	struct bench_tally tally = BENCH_TALLY_ZERO;

	do {
		for (int i = 0; i < BENCH_BLOCK; i++) {
			int error = put(queue, first + tally.items);

			if (error) {
				tally.refused = error == EPIPE;
				tally.failed = error != EPIPE;
				return tally;
			}
			tally.sum += first + tally.items++;
		}
	} while (!bench_stopped(stop));
	return tally;
}

BENCH_INLINE struct bench_tally
bench_consume(bench_get_fn *get, void *queue, const atomic_bool *cut)
{
	struct bench_tally tally = BENCH_TALLY_ZERO;
	uint64_t item = 0;

	do {
		for (int i = 0; i < BENCH_BLOCK; i++) {
			int error = get(queue, &item);

			if (error) {
				tally.failed = error != EPIPE;
				return tally;
			}
			tally.items++;
			tally.sum += item;
		}
	} while (!bench_stopped(cut));
	return tally;
}

/* A round trip includes one reading of the clock: 21 ns where that needs no system call. */
BENCH_INLINE struct bench_tally
bench_ping(bench_put_fn *put, bench_get_fn *get, void *there, void *back, const atomic_bool *stop,
	   struct bench_times *times)
{
	struct bench_tally tally = BENCH_TALLY_ZERO;
	uint64_t item;
	uint64_t now = bench_now();

	times->count = 0;
	do { /* once, however late this thread begins */
		uint64_t start = now;

		if (put(there, start) != 0 || get(back, &item) != 0 || item != start) {
			tally.failed = true;
			break;
		}
		now = bench_now();
		times->ns[times->count++] = now - start;
		tally.items++;
		tally.sum += start;
	} while (times->count < times->max && !bench_stopped(stop));
	return tally;
}

BENCH_INLINE struct bench_tally
bench_echo(bench_put_fn *put, bench_get_fn *get, void *there, void *back)
{
	struct bench_tally tally = BENCH_TALLY_ZERO;
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
	struct bench_tally tally = BENCH_TALLY_ZERO;
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

#define BENCH_QUEUE(NAME, ITEM, ...)                                                               \
	static void *NAME##_bench_create(size_t capacity)                                          \
	{                                                                                          \
		struct NAME *q = (struct NAME *)bench_allocate(sizeof(*q));                        \
                                                                                                   \
		if (!q || NAME##_init(q, capacity, NULL) == 0)                                     \
			return q;                                                                  \
		free(q);                                                                           \
		return NULL;                                                                       \
	}                                                                                          \
                                                                                                   \
	static void NAME##_bench_destroy(void *queue)                                              \
	{                                                                                          \
		NAME##_destroy((struct NAME *)queue);                                              \
		free(queue);                                                                       \
	}                                                                                          \
                                                                                                   \
	static size_t NAME##_bench_capacity(const void *queue)                                     \
	{                                                                                          \
		return NAME##_capacity((const struct NAME *)queue);                                \
	}                                                                                          \
                                                                                                   \
	static void NAME##_bench_close(void *queue)                                                \
	{                                                                                          \
		NAME##_close((struct NAME *)queue);                                                \
	}                                                                                          \
                                                                                                   \
	BENCH_INLINE int NAME##_bench_put(void *queue, uint64_t number)                            \
	{                                                                                          \
		return NAME##_put((struct NAME *)queue, ITEM##_of(number));                        \
	}                                                                                          \
                                                                                                   \
	BENCH_INLINE int NAME##_bench_get(void *queue, uint64_t *number)                           \
	{                                                                                          \
		ITEM item = ITEM##_none();                                                         \
		int error = NAME##_get((struct NAME *)queue, &item);                               \
                                                                                                   \
		if (error)                                                                         \
			return error;                                                              \
		*number = ITEM##_number(&item);                                                    \
		return 0;                                                                          \
	}                                                                                          \
                                                                                                   \
	BENCH_INLINE int NAME##_bench_try_put(void *queue, uint64_t number)                        \
	{                                                                                          \
		return NAME##_try_put((struct NAME *)queue, ITEM##_of(number));                    \
	}                                                                                          \
                                                                                                   \
	BENCH_INLINE int NAME##_bench_try_get(void *queue, uint64_t *number)                       \
	{                                                                                          \
		ITEM item = ITEM##_none();                                                         \
		int error = NAME##_try_get((struct NAME *)queue, &item);                           \
                                                                                                   \
		if (error)                                                                         \
			return error;                                                              \
		*number = ITEM##_number(&item);                                                    \
		return 0;                                                                          \
	}                                                                                          \
                                                                                                   \
	static struct bench_tally NAME##_bench_produce(void *queue, uint64_t first,                \
						       const atomic_bool *stop)                    \
	{                                                                                          \
		return bench_produce(NAME##_bench_put, queue, first, stop);                        \
	}                                                                                          \
                                                                                                   \
	static struct bench_tally NAME##_bench_consume(void *queue, const atomic_bool *cut)        \
	{                                                                                          \
		return bench_consume(NAME##_bench_get, queue, cut);                                \
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
	BENCH_QUEUE_OBJECT(NAME, ITEM, NAME##_bench, 1, NAME##_bench_produce,                      \
			   NAME##_bench_consume, __VA_ARGS__)

/* The loops of bench_produce and bench_consume, by batches. */
#define BENCH_QUEUE_BATCH(NAME, ITEM, ...)                                                         \
	static struct bench_tally NAME##_bench_produce_many(void *queue, uint64_t first,           \
							    const atomic_bool *stop)               \
	{                                                                                          \
		struct bench_tally tally = BENCH_TALLY_ZERO;                                       \
		ITEM items[BENCH_BATCH];                                                           \
                                                                                                   \
		do {                                                                               \
			for (size_t i = 0; i < BENCH_BATCH; i++)                                   \
				items[i] = ITEM##_of(first + tally.items + i);                     \
			size_t n = NAME##_put_many((struct NAME *)queue, items, BENCH_BATCH);      \
                                                                                                   \
			for (size_t i = 0; i < n; i++)                                             \
				tally.sum += first + tally.items++;                                \
			tally.refused = n < BENCH_BATCH;                                           \
		} while (!tally.refused && !bench_stopped(stop));                                  \
		return tally;                                                                      \
	}                                                                                          \
                                                                                                   \
	static struct bench_tally NAME##_bench_consume_many(void *queue, const atomic_bool *cut)   \
	{                                                                                          \
		struct bench_tally tally = BENCH_TALLY_ZERO;                                       \
		ITEM items[BENCH_BATCH];                                                           \
		size_t n;                                                                          \
                                                                                                   \
		do {                                                                               \
			n = NAME##_get_many((struct NAME *)queue, items, BENCH_BATCH);             \
			for (size_t i = 0; i < n; i++)                                             \
				tally.sum += ITEM##_number(&items[i]);                             \
			tally.items += n;                                                          \
		} while (n > 0 && !bench_stopped(cut));                                            \
		return tally;                                                                      \
	}                                                                                          \
                                                                                                   \
	BENCH_QUEUE_OBJECT(NAME, ITEM, NAME##_batch_bench, BENCH_BATCH, NAME##_bench_produce_many, \
			   NAME##_bench_consume_many, __VA_ARGS__)

#define BENCH_QUEUE_OBJECT(NAME, ITEM, OBJECT, BATCH, PRODUCE, CONSUME, ...)                       \
	const struct bench_queue OBJECT = {                                                        \
		__VA_ARGS__,                                                                       \
		.item_bytes = sizeof(ITEM),                                                        \
		.batch = BATCH,                                                                    \
		.create = NAME##_bench_create,                                                     \
		.destroy = NAME##_bench_destroy,                                                   \
		.capacity = NAME##_bench_capacity,                                                 \
		.close = NAME##_bench_close,                                                       \
		.put = NAME##_bench_put,                                                           \
		.get = NAME##_bench_get,                                                           \
		.try_put = NAME##_bench_try_put,                                                   \
		.try_get = NAME##_bench_try_get,                                                   \
		.produce = PRODUCE,                                                                \
		.consume = CONSUME,                                                                \
		.ping = NAME##_bench_ping,                                                         \
		.echo = NAME##_bench_echo,                                                         \
		.trypair = NAME##_bench_trypair,                                                   \
	};

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif
