/* SPDX-License-Identifier: MIT */
/*
 * ck_ec.c - ck_ring (see ck_mpmc_ring.h) with Concurrency Kit's own event counts to sleep on.
 *
 * libck 0.7.1; ck_ec.h. Two event counts with many producers each, one that items came and one that
 * room came. Who finds the ring empty or full has read the count before, and sleeps until it
 * differs: the count is advanced after the ring has changed, so that no wake-up is lost. ck_ec wakes
 * all that wait, spins 100 times before it sleeps, and at first sleeps 2 ms at most.
 *
 * close sets a flag that is read when an attempt has failed, and advances both counts.
 */
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <ck_ec.h>

#include "ck_mpmc_ring.h"
#include "try_only.h"

static int
now(const struct ck_ec_ops *ops, struct timespec *out)
{
	(void)ops;
	return clock_gettime(CLOCK_MONOTONIC, out);
}

/* FUTEX_WAIT_BITSET takes an absolute CLOCK_MONOTONIC deadline. */
static void
wait32(const struct ck_ec_wait_state *state, const uint32_t *address, uint32_t expected,
       const struct timespec *deadline)
{
	(void)state;
	syscall(SYS_futex, address, FUTEX_WAIT_BITSET_PRIVATE, expected, deadline, NULL,
		FUTEX_BITSET_MATCH_ANY);
}

static void
wake32(const struct ck_ec_ops *ops, const uint32_t *address)
{
	(void)ops;
	syscall(SYS_futex, address, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

static const struct ck_ec_ops futex_ops = {.gettime = now, .wait32 = wait32, .wake32 = wake32};
static const struct ck_ec_mode many_wake = {.ops = &futex_ops, .single_producer = false};

struct event {
	struct ck_ec32 count;
	char pad[BENCH_ALIGNMENT - sizeof(struct ck_ec32)];
};

#define CK_EC(NAME, RING, ITEM)                                                                    \
	struct NAME {                                                                              \
		struct try_only_end end;                                                           \
		struct event items;                                                                \
		struct event room;                                                                 \
		struct RING ring;                                                                  \
	};                                                                                         \
                                                                                                   \
	static inline int NAME##_init(struct NAME *q, size_t capacity, const void *options)        \
	{                                                                                          \
		(void)options;                                                                     \
		q->end.closed = false;                                                             \
		ck_ec32_init(&q->items.count, 0);                                                  \
		ck_ec32_init(&q->room.count, 0);                                                   \
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
		ck_ec32_inc(&q->items.count, &many_wake);                                          \
		ck_ec32_inc(&q->room.count, &many_wake);                                           \
	}                                                                                          \
                                                                                                   \
	static inline int NAME##_try_put(struct NAME *q, ITEM item)                                \
	{                                                                                          \
		if (!RING##_push(&q->ring, item))                                                  \
			return try_only_closed(&q->end) ? EPIPE : EAGAIN;                          \
		ck_ec32_inc(&q->items.count, &many_wake);                                          \
		return 0;                                                                          \
	}                                                                                          \
                                                                                                   \
	static inline int NAME##_try_get(struct NAME *q, ITEM *item)                               \
	{                                                                                          \
		if (!RING##_pop(&q->ring, item)) {                                                 \
			if (!try_only_closed(&q->end))                                             \
				return EAGAIN;                                                     \
			if (!RING##_pop(&q->ring, item))                                           \
				return EPIPE;                                                      \
		}                                                                                  \
		ck_ec32_inc(&q->room.count, &many_wake);                                           \
		return 0;                                                                          \
	}                                                                                          \
                                                                                                   \
	static inline int NAME##_put(struct NAME *q, ITEM item)                                    \
	{                                                                                          \
		for (;;) {                                                                         \
			uint32_t seen = ck_ec32_value(&q->room.count);                             \
			int error = NAME##_try_put(q, item);                                       \
                                                                                                   \
			if (error != EAGAIN)                                                       \
				return error;                                                      \
			ck_ec32_wait(&q->room.count, &many_wake, seen, NULL);                      \
		}                                                                                  \
	}                                                                                          \
                                                                                                   \
	static inline int NAME##_get(struct NAME *q, ITEM *item)                                   \
	{                                                                                          \
		for (;;) {                                                                         \
			uint32_t seen = ck_ec32_value(&q->items.count);                            \
			int error = NAME##_try_get(q, item);                                       \
                                                                                                   \
			if (error != EAGAIN)                                                       \
				return error;                                                      \
			ck_ec32_wait(&q->items.count, &many_wake, seen, NULL);                     \
		}                                                                                  \
	}                                                                                          \
                                                                                                   \
	BENCH_QUEUE(NAME, ITEM, PEER_TRAITS("ck_ec", false, true, "ck_ring and ck_ec"))

CK_RING(ring8, bench_item8)
CK_RING(ring64, bench_item64)
CK_EC(peer_ck_ec, ring8, bench_item8)
CK_EC(peer_ck_ec64, ring64, bench_item64)
