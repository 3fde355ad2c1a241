/* SPDX-License-Identifier: MIT */
/*
 * handover.c - what one thread wrote is handed to another through a queue, and ThreadSanitizer agrees.
 *
 * The items are pointers to plain memory, which is all that ThreadSanitizer looks at: it complains
 * unless put and get, task_done and join order what the threads do there. So the tests of the suite
 * `handover` must run without a report. Those of `race` leave the queue's promise, and must be
 * reported, each of them in every run: they show that the tool sees.
 *
 * Compiled as specification.c is, by tsan.sh only.
 */
#include <stdint.h>
#include <stdlib.h>

#include QUEUE_HEADER
#include "threads.h"

enum {
	PRODUCERS = LONE_PRODUCER ? 1 : 3,
	CONSUMERS = LONE_CONSUMER ? 1 : 3,
	PARCELS = 2000, /* of each producer */
	CAPACITY = 5
};

struct parcel {
	uint64_t number;
	uint64_t answer;
};

/* Wider than a cell's value. */
struct crate {
	struct parcel *parcel;
	uint64_t number[2];
};

QUEUE_DEFINE(pointers, struct parcel *)
QUEUE_DEFINE(crates, struct crate)

static struct pointers pointers;
static struct crates crates;

static void *
send_pointers(void *opaque)
{
	for (uint64_t i = 0; i < PARCELS; i++) {
		struct parcel *const parcel = malloc(sizeof(*parcel));

		cr_assert_not_null(parcel);
		parcel->number = i;
		parcel->answer = 0;
		cr_assert_eq(pointers_put(&pointers, parcel), 0);
	}
	return opaque;
}

static void *
receive_pointers(void *opaque)
{
	struct parcel *parcel;

	while (pointers_get(&pointers, &parcel) == 0) {
		cr_assert_lt(parcel->number, PARCELS);
		parcel->answer = parcel->number;
		free(parcel);
	}
	return opaque;
}

static void *
send_crates(void *opaque)
{
	for (uint64_t i = 0; i < PARCELS; i++) {
		struct parcel *const parcel = malloc(sizeof(*parcel));

		cr_assert_not_null(parcel);
		parcel->number = i;
		cr_assert_eq(crates_put(&crates, (struct crate){parcel, {i, ~i}}), 0);
	}
	return opaque;
}

static void *
receive_crates(void *opaque)
{
	struct crate crate;

	while (crates_get(&crates, &crate) == 0) {
		cr_assert_eq(crate.parcel->number, crate.number[0]);
		cr_assert_eq(~crate.number[0], crate.number[1]);
		free(crate.parcel);
	}
	return opaque;
}

TEST(handover, what_was_written_before_put_is_seen_after_get)
{
	struct worker senders[PRODUCERS];
	struct worker receivers[CONSUMERS];

	cr_assert_eq(pointers_init(&pointers, CAPACITY, NULL), 0);
	for (int i = 0; i < CONSUMERS; i++)
		worker_start(&receivers[i], receive_pointers, NULL);
	for (int i = 0; i < PRODUCERS; i++)
		worker_start(&senders[i], send_pointers, NULL);
	for (int i = 0; i < PRODUCERS; i++)
		worker_join(&senders[i]);
	pointers_close(&pointers);
	for (int i = 0; i < CONSUMERS; i++)
		worker_join(&receivers[i]);
	pointers_destroy(&pointers);
}

TEST(handover, wide_items_and_what_they_point_to_arrive_whole)
{
	struct worker senders[PRODUCERS];
	struct worker receivers[CONSUMERS];

	cr_assert_eq(crates_init(&crates, CAPACITY, NULL), 0);
	for (int i = 0; i < CONSUMERS; i++)
		worker_start(&receivers[i], receive_crates, NULL);
	for (int i = 0; i < PRODUCERS; i++)
		worker_start(&senders[i], send_crates, NULL);
	for (int i = 0; i < PRODUCERS; i++)
		worker_join(&senders[i]);
	crates_close(&crates);
	for (int i = 0; i < CONSUMERS; i++)
		worker_join(&receivers[i]);
	crates_destroy(&crates);
}

static void *
answer_pointers(void *opaque)
{
	struct parcel *parcel;

	while (pointers_get(&pointers, &parcel) == 0) {
		parcel->answer = parcel->number + 1;
		cr_assert_eq(pointers_task_done(&pointers), 0);
	}
	return opaque;
}

TEST(handover, what_was_written_before_task_done_is_seen_after_join)
{
	static struct parcel parcels[PARCELS];
	struct worker receivers[CONSUMERS];

	cr_assert_eq(pointers_init(&pointers, CAPACITY, NULL), 0);
	for (int i = 0; i < CONSUMERS; i++)
		worker_start(&receivers[i], answer_pointers, NULL);
	for (uint64_t i = 0; i < PARCELS; i++) {
		parcels[i].number = i;
		cr_assert_eq(pointers_put(&pointers, &parcels[i]), 0);
	}
	cr_assert_eq(pointers_join(&pointers), 0);
	for (uint64_t i = 0; i < PARCELS; i++)
		cr_assert_eq(parcels[i].answer, i + 1);
	pointers_close(&pointers);
	for (int i = 0; i < CONSUMERS; i++)
		worker_join(&receivers[i]);
	pointers_destroy(&pointers);
}

/* ------------------------------------------------------------------------------------ races -- */

/* Relaxed: it keeps two accesses apart in time, since TSan may miss what meets, and orders nothing. */
static uint32_t was_read;

static void *
receive_one_pointer(void *opaque)
{
	struct parcel *parcel = NULL;

	cr_assert_eq(pointers_get(&pointers, &parcel), 0);
	parcel->answer = parcel->number;
	__atomic_store_n(&was_read, 1, __ATOMIC_RELAXED);
	return opaque;
}

TEST(race, an_item_is_written_after_it_was_put)
{
	static struct parcel parcel;
	struct worker receiver;

	cr_assert_eq(pointers_init(&pointers, CAPACITY, NULL), 0);
	worker_start(&receiver, receive_one_pointer, NULL);
	cr_assert_eq(pointers_put(&pointers, &parcel), 0);
	while (__atomic_load_n(&was_read, __ATOMIC_RELAXED) == 0)
		sched_yield();
	parcel.number = 1;
	worker_join(&receiver);
	pointers_destroy(&pointers);
}

/* Passed around the queue: the receiver knows the place, and that it was written, but has got nothing. */
static struct parcel passed_around;
static uint32_t is_written;

static void *
receive_around_the_queue(void *opaque)
{
	while (ck_pr_load_32(&is_written) == 0)
		sched_yield();
	cr_assert_eq(passed_around.number, 1);
	return opaque;
}

TEST(race, an_item_goes_around_the_queue)
{
	struct worker receiver;

	cr_assert_eq(pointers_init(&pointers, CAPACITY, NULL), 0);
	worker_start(&receiver, receive_around_the_queue, NULL);
	passed_around.number = 1;
	cr_assert_eq(pointers_put(&pointers, &passed_around), 0);
	ck_pr_store_32(&is_written, 1);
	worker_join(&receiver);
	pointers_destroy(&pointers);
}
