/* SPDX-License-Identifier: MIT */
/*
 * fairness.c - nobody starves: a call comes to its end while others do only so much.
 *
 * Compiled once for each flavour and for the mutex baseline, as specification.c is; the build defines
 * QUEUE_HEADER, QUEUE_DEFINE, LONE_PRODUCER and LONE_CONSUMER.
 *
 * Threads put and get without end. For every call it is counted how many items the others moved from
 * its beginning to its end, and a judge looks at the calls that have not ended: none may see more than
 * a limit. The test ends when every thread has moved a number of items.
 *
 * No clock is read, and the limit is not one in disguise: it grows with what the others do, not with
 * time. Only the scheduler can hold a thread back while they go on, and it comes round to every thread
 * that is ready: after a slice of some milliseconds (say 3) of each of the five others at the most. The
 * fastest row of the comparison moves 100,000 items a millisecond, which makes 1.5 million; counting
 * slows this test down further. The limit is more than sixty times that, for machines that are busy. A
 * lock-free operation promises less than this (somebody goes on, not everybody): that losing again and
 * again is improbable is what is shown.
 */
#include <errno.h>
#include <stdint.h>

#include QUEUE_HEADER
#include "threads.h"

QUEUE_DEFINE(fair_queue, uint64_t)

enum {
	PRODUCERS = LONE_PRODUCER ? 1 : 4,
	CONSUMERS = LONE_CONSUMER ? 1 : 2,
	MEMBERS = PRODUCERS + CONSUMERS,
	CAPACITY = 64,
	ENOUGH = 2000, /* items of each thread */
	NOBODY = MEMBERS
};

#define LIMIT UINT64_C(100000000)

struct member {
	struct worker worker;
	int index;
	uint64_t moved;
	uint64_t begun; /* what the others had moved when its call began, plus 1; 0 between calls */
	uint64_t worst; /* of its calls that have ended, what the others moved meanwhile */
	char pad[128];
};

static struct fair_queue queue;
static struct member members[MEMBERS];
static uint64_t limit;
static int held_back = NOBODY; /* by the unfair queue */

static uint64_t
moved_by(int index)
{
	return __atomic_load_n(&members[index].moved, __ATOMIC_RELAXED);
}

static uint64_t
moved_by_others(int index)
{
	uint64_t sum = 0;

	for (int i = 0; i < MEMBERS; i++)
		sum += i == index ? 0 : moved_by(i);
	return sum;
}

/* A queue that lets one thread in only when the others have moved twice as much as they may. */
static void
hold_back(const struct member *member)
{
	const uint64_t until = moved_by_others(member->index) + 2 * limit;

	while (moved_by_others(member->index) < until && !fair_queue_is_closed(&queue))
		sched_yield();
}

static int
move(const struct member *member)
{
	uint64_t item;

	if (member->index == held_back)
		hold_back(member);
	if (member->index < PRODUCERS)
		return fair_queue_put(&queue, moved_by(member->index));
	return fair_queue_get(&queue, &item);
}

static void *
move_without_end(void *argument)
{
	struct member *const member = argument;

	for (;;) {
		const uint64_t before = moved_by_others(member->index);
		uint64_t meanwhile;
		int error;

		__atomic_store_n(&member->begun, before + 1, __ATOMIC_RELEASE);
		error = move(member);
		if (error != 0) {
			cr_assert_eq(error, EPIPE);
			return NULL;
		}
		meanwhile = moved_by_others(member->index) - before;
		if (meanwhile > member->worst)
			__atomic_store_n(&member->worst, meanwhile, __ATOMIC_RELAXED);
		__atomic_store_n(&member->begun, 0, __ATOMIC_RELEASE);
		__atomic_store_n(&member->moved, member->moved + 1, __ATOMIC_RELEASE);
	}
}

/* Whether a call of the member has seen, or goes on to see, more than the limit. */
static bool
is_starved(const struct member *member)
{
	const uint64_t moved = __atomic_load_n(&member->moved, __ATOMIC_ACQUIRE);
	const uint64_t begun = __atomic_load_n(&member->begun, __ATOMIC_ACQUIRE);
	const uint64_t others = moved_by_others(member->index);

	if (__atomic_load_n(&member->worst, __ATOMIC_RELAXED) > limit)
		return true;
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return begun != 0 && others - (begun - 1) > limit && moved_by(member->index) == moved &&
	       __atomic_load_n(&member->begun, __ATOMIC_ACQUIRE) == begun;
}

/* The index of a thread that is starved, or NOBODY when all have moved enough. */
static int
judge(void)
{
	for (;;) {
		bool enough = true;

		for (int i = 0; i < MEMBERS; i++) {
			if (is_starved(&members[i]))
				return i;
			enough &= moved_by(i) >= ENOUGH;
		}
		if (enough)
			return NOBODY;
		sched_yield();
	}
}

static int
run(uint64_t allowed)
{
	int starved;

	limit = allowed;
	cr_assert_eq(fair_queue_init(&queue, CAPACITY, NULL), 0);
	for (int i = 0; i < MEMBERS; i++) {
		members[i].index = i;
		worker_start(&members[i].worker, move_without_end, &members[i]);
	}
	starved = judge();
	fair_queue_close(&queue);
	for (int i = 0; i < MEMBERS; i++)
		worker_join(&members[i].worker);
	fair_queue_destroy(&queue);
	return starved;
}

TEST(fairness, every_call_ends_while_others_move_a_bounded_number_of_items)
{
	cr_assert_eq(run(LIMIT), NOBODY);
}

#if !LONE_PRODUCER
TEST(fairness, a_producer_that_is_held_back_is_noticed)
{
	held_back = 0;
	cr_assert_eq(run(1000000), held_back);
}
#endif

#if !LONE_CONSUMER
TEST(fairness, a_consumer_that_is_held_back_is_noticed)
{
	held_back = MEMBERS - 1;
	cr_assert_eq(run(1000000), held_back);
}
#endif
