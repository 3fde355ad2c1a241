/* SPDX-License-Identifier: MIT */
/*
 * pill.h - an end for a queue that waits by itself and cannot be closed.
 *
 *	struct ring { ... };
 *	int ring_init(struct ring *, size_t capacity);		0 or ENOMEM
 *	void ring_destroy(struct ring *);
 *	size_t ring_capacity(const struct ring *);
 *	void ring_push(struct ring *, bench_item8);		waits while full
 *	void ring_pop(struct ring *, bench_item8 *);		waits while empty
 *	bool ring_try_push(struct ring *, bench_item8);		false: full
 *	bool ring_try_pop(struct ring *, bench_item8 *);	false: empty
 *	void ring_push_pill(struct ring *, bench_item8);	need not mind the capacity
 *
 *	PILL_QUEUE(peer, "peer", ring, bench_item8, NULL)
 *
 * The end. close puts one item more, the pill. Who gets it puts it back and answers EPIPE, so that
 * one is enough for any number of consumers; an item costs a comparison. close comes after the last
 * put, but not every queue is first in, first out for items of different producers: who gets the
 * pill takes what else is there first. A put that waits cannot be made to give up, so that these
 * queues are not cut off; none of them has been seen to need it.
 */
#ifndef BENCH_PEERS_PILL_H
#define BENCH_PEERS_PILL_H

#include "peers.h"

/* Nobody sends it: numbers begin at 0 for the first producer, at 2^40 for the next. */
#define PILL (UINT64_MAX - 1)

#define PILL_QUEUE(NAME, SHOWN, RING, ITEM, NOTE)                                                  \
	struct NAME {                                                                              \
		struct RING ring;                                                                  \
	};                                                                                         \
                                                                                                   \
	static inline int NAME##_init(struct NAME *q, size_t capacity, const void *options)        \
	{                                                                                          \
		(void)options;                                                                     \
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
		RING##_push_pill(&q->ring, ITEM##_of(PILL));                                       \
	}                                                                                          \
                                                                                                   \
	/* 0 if there is an item, which then is in *item in place of the pill. */                  \
	static inline int NAME##_swallow(struct NAME *q, ITEM *item)                               \
	{                                                                                          \
		const ITEM pill = *item;                                                           \
		bool found = RING##_try_pop(&q->ring, item);                                       \
                                                                                                   \
		RING##_push_pill(&q->ring, pill);                                                  \
		return found ? 0 : EPIPE;                                                          \
	}                                                                                          \
                                                                                                   \
	static inline int NAME##_put(struct NAME *q, ITEM item)                                    \
	{                                                                                          \
		RING##_push(&q->ring, item);                                                       \
		return 0;                                                                          \
	}                                                                                          \
                                                                                                   \
	static inline int NAME##_get(struct NAME *q, ITEM *item)                                   \
	{                                                                                          \
		RING##_pop(&q->ring, item);                                                        \
		return ITEM##_number(item) == PILL ? NAME##_swallow(q, item) : 0;                  \
	}                                                                                          \
                                                                                                   \
	static inline int NAME##_try_put(struct NAME *q, ITEM item)                                \
	{                                                                                          \
		return RING##_try_push(&q->ring, item) ? 0 : EAGAIN;                               \
	}                                                                                          \
                                                                                                   \
	static inline int NAME##_try_get(struct NAME *q, ITEM *item)                               \
	{                                                                                          \
		if (!RING##_try_pop(&q->ring, item))                                               \
			return EAGAIN;                                                             \
		return ITEM##_number(item) == PILL ? NAME##_swallow(q, item) : 0;                  \
	}                                                                                          \
                                                                                                   \
	BENCH_QUEUE(NAME, ITEM, PEER_TRAITS(SHOWN, false, false, NOTE))

#endif
