/* SPDX-License-Identifier: MIT */
/*
 * try_only.h - a queue that waits, out of a ring that can only try.
 *
 *	struct ring { ... };
 *	int ring_init(struct ring *, size_t capacity);		0 or ENOMEM
 *	void ring_destroy(struct ring *);
 *	size_t ring_capacity(const struct ring *);
 *	bool ring_push(struct ring *, bench_item8);		false: full
 *	bool ring_pop(struct ring *, bench_item8 *);		false: empty
 *
 *	TRY_ONLY_SPIN(peer_spin, "peer_spin", ring, bench_item8, NULL)
 *	TRY_ONLY_YIELD(peer_yield, "peer_yield", ring, bench_item8, NULL)
 *
 * define two queues, which differ in what a thread does between two attempts: a pause, or
 * sched_yield. Neither ever sleeps. The last argument is the note for the reader, or NULL.
 *
 * The end. close sets a flag that is read only when an attempt has failed, so that an item pays
 * nothing for it. A put that has failed then gives up: only when the measurement is cut off, since
 * close otherwise comes after the last put. A get that has failed tries once more after it has read
 * the flag, and so finds whatever was put before close.
 */
#ifndef BENCH_PEERS_TRY_ONLY_H
#define BENCH_PEERS_TRY_ONLY_H

#include <sched.h>

#include <ck_pr.h>

#include "peers.h"

/* A line of its own, and one for the prefetcher, which shares with nothing that is written. */
struct try_only_end {
	bool closed;
	char pad[BENCH_ALIGNMENT - sizeof(bool)];
};

static inline void
try_only_close(struct try_only_end *end)
{
	__atomic_store_n(&end->closed, true, __ATOMIC_RELEASE);
}

static inline bool
try_only_closed(const struct try_only_end *end)
{
	return __atomic_load_n(&end->closed, __ATOMIC_ACQUIRE);
}

#define TRY_ONLY_SPIN(NAME, SHOWN, RING, ITEM, NOTE)                                               \
	TRY_ONLY(NAME, SHOWN, RING, ITEM, NOTE, ck_pr_stall())

#define TRY_ONLY_YIELD(NAME, SHOWN, RING, ITEM, NOTE)                                              \
	TRY_ONLY(NAME, SHOWN, RING, ITEM, NOTE, sched_yield())

#define TRY_ONLY(NAME, SHOWN, RING, ITEM, NOTE, PAUSE)                                             \
	struct NAME {                                                                              \
		struct try_only_end end;                                                           \
		struct RING ring;                                                                  \
	};                                                                                         \
                                                                                                   \
	static inline int NAME##_init(struct NAME *q, size_t capacity, const void *options)        \
	{                                                                                          \
		(void)options;                                                                     \
		q->end.closed = false;                                                             \
		return RING##_init(&q->ring, capacity);                                            \
	}                                                                                          \
                                                                                                   \
	static inline void NAME##_destroy(struct NAME *q)                                          \
	{                                                                                          \
		RING##_destroy(&q->ring);                                                          \
	}                                                                                          \
                                                                                                   \
	static inline size_t NAME##_capacity(const struct NAME *q)                                 \
	{                                                                                          \
		return RING##_capacity(&q->ring);                                                  \
	}                                                                                          \
                                                                                                   \
	static inline void NAME##_close(struct NAME *q)                                            \
	{                                                                                          \
		try_only_close(&q->end);                                                           \
	}                                                                                          \
                                                                                                   \
	static inline int NAME##_try_put(struct NAME *q, ITEM item)                                \
	{                                                                                          \
		if (RING##_push(&q->ring, item))                                                   \
			return 0;                                                                  \
		return try_only_closed(&q->end) ? EPIPE : EAGAIN;                                  \
	}                                                                                          \
                                                                                                   \
	static inline int NAME##_try_get(struct NAME *q, ITEM *item)                               \
	{                                                                                          \
		if (RING##_pop(&q->ring, item))                                                    \
			return 0;                                                                  \
		if (!try_only_closed(&q->end))                                                     \
			return EAGAIN;                                                             \
		return RING##_pop(&q->ring, item) ? 0 : EPIPE;                                     \
	}                                                                                          \
                                                                                                   \
	static inline int NAME##_put(struct NAME *q, ITEM item)                                    \
	{                                                                                          \
		int error;                                                                         \
                                                                                                   \
		while ((error = NAME##_try_put(q, item)) == EAGAIN)                                \
			PAUSE;                                                                     \
		return error;                                                                      \
	}                                                                                          \
                                                                                                   \
	static inline int NAME##_get(struct NAME *q, ITEM *item)                                   \
	{                                                                                          \
		int error;                                                                         \
                                                                                                   \
		while ((error = NAME##_try_get(q, item)) == EAGAIN)                                \
			PAUSE;                                                                     \
		return error;                                                                      \
	}                                                                                          \
                                                                                                   \
	BENCH_QUEUE(NAME, ITEM, PEER_TRAITS(SHOWN, true, true, NOTE))

#endif
