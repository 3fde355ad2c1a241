/* SPDX-License-Identifier: MIT */
/*
 * wrap.c - queues whose counters pass 2^31, 2^32, 2^63, and whose epochs wrap.
 *
 * near_wrap.h puts the counters of a new queue a little below such a place, and the verbs then carry
 * them across: one thread, which knows every answer; a close at every distance from the place; and
 * several threads with tasks and joins. That the epochs wrap in the same runs matters to the threads,
 * which sleep at once when they have to wait.
 *
 * ck_engine.c does the first of these for ck's 32-bit counters and one flavour; frozen.c and the
 * schedules move counters by a few laps only.
 */
#include "flavours.h"
#include "near_wrap.h"

/* A place, and after how many laps a queue of this capacity comes to it. */
struct start {
	const char *place;
	uint64_t (*laps)(uint64_t capacity);
};

/* The distance of laps in tickets. */
static uint64_t
tickets_per_lap(uint64_t capacity)
{
	uint64_t per_lap = SLUICE_PRIV_CELL_BYTES;

	while (per_lap < SLUICE_PRIV_CELL_BYTES * capacity)
		per_lap *= 2;
	return per_lap;
}

static uint64_t
tickets_at_2_31(uint64_t capacity)
{
	return ((uint64_t)1 << 31) / tickets_per_lap(capacity);
}

static uint64_t
tickets_at_2_32(uint64_t capacity)
{
	return ((uint64_t)1 << 32) / tickets_per_lap(capacity);
}

static uint64_t
tickets_at_2_63(uint64_t capacity)
{
	return ((uint64_t)1 << 63) / tickets_per_lap(capacity);
}

static uint64_t
items_at_2_31(uint64_t capacity)
{
	return ((uint64_t)1 << 31) / capacity;
}

static uint64_t
items_at_2_32(uint64_t capacity)
{
	return ((uint64_t)1 << 32) / capacity;
}

static uint64_t
items_at_2_63(uint64_t capacity)
{
	return ((uint64_t)1 << 63) / capacity;
}

static const struct start cell_starts[] = {
	{"tickets pass 2^31", tickets_at_2_31},   {"tickets pass 2^32", tickets_at_2_32},
	{"the count passes 2^31", items_at_2_31}, {"the count passes 2^32", items_at_2_32},
	{"tickets pass 2^63", tickets_at_2_63},
};

static const struct start ck_starts[] = {
	{"counters pass 2^31", items_at_2_31},
	{"counters pass 2^32", items_at_2_32},
	{"the count passes 2^63", items_at_2_63},
};

static const uint64_t capacities[] = {1, 3, 4};

struct place {
	const struct flavour *flavour;
	uint64_t capacity;
	uint64_t laps; /* to the place */
};

/* A new queue, so many laps before the place. */
static void *
queue_before(const struct place *place, uint64_t laps)
{
	void *const q = queue_new(place->flavour, place->capacity, &at_once);

	near_wrap(q, place->flavour->ck, place->laps - laps);
	return q;
}

static void
at_every_place(const struct flavour *flavour, void (*body)(const struct place *place))
{
	const struct start *const starts = flavour->ck ? ck_starts : cell_starts;
	const size_t n = flavour->ck ? COUNT(ck_starts) : COUNT(cell_starts);

	for (size_t s = 0; s < n; s++) {
		for (size_t c = 0; c < COUNT(capacities); c++) {
			const struct place place = {flavour, capacities[c],
						    starts[s].laps(capacities[c])};

			printf("  %s, capacity %d\n", starts[s].place, (int)capacities[c]);
			fflush(stdout);
			body(&place);
		}
	}
}

/* ------------------------------------------------------------------------------- one thread -- */

static const struct timespec past = {0, 0};

/* Fills and drains the queue, and asks for everything that can be known on the way. */
static void
run_a_lap(const struct flavour *flavour, void *q, uint64_t capacity)
{
	uint64_t number;

	for (uint64_t i = 0; i < capacity; i++) {
		cr_assert_eq(flavour->size(q), i);
		cr_assert_eq(flavour->try_put(q, i), 0);
	}
	cr_assert_eq(flavour->size(q), capacity);
	cr_assert_eq(flavour->try_put(q, 0), EAGAIN);
	for (uint64_t i = 0; i < capacity; i++) {
		cr_assert_eq(flavour->task_done(q), EINVAL);
		cr_assert_eq(flavour->join_until(q, &past), ETIMEDOUT);
		cr_assert_eq(flavour->try_get(q, &number), 0);
		cr_assert_eq(number, i);
		cr_assert_eq(flavour->size(q), capacity - i - 1);
		cr_assert_eq(flavour->task_done(q), 0);
	}
	cr_assert_eq(flavour->try_get(q, &number), EAGAIN);
	cr_assert_eq(flavour->join(q), 0);
}

static void
run_across(const struct place *place)
{
	void *const q = queue_before(place, 2);

	for (int lap = 0; lap < 5; lap++) {
		run_a_lap(place->flavour, q, place->capacity);
		/* One item on, so that laps begin everywhere. */
		cr_assert_eq(place->flavour->put(q, 9), 0);
		expect_get(place->flavour, q, 9);
		cr_assert_eq(place->flavour->task_done(q), 0);
	}
	queue_delete(place->flavour, q);
}

static void
runs_across_every_place(const struct flavour *flavour)
{
	at_every_place(flavour, run_across);
}

TEST(wrap, every_answer_is_right_on_both_sides_and_in_between)
{
	with_every_flavour(runs_across_every_place);
}

/* What a get asks that found a closed queue empty: 0 if there is an item after all. */
static int
end_engine(const struct flavour *flavour, struct sluice_priv_queue *q)
{
	const struct sluice_priv_sides sides = {flavour->lone_producer, flavour->lone_consumer,
						q->asymmetric};

	if (flavour->ck)
		return sluice_priv_ck_end(&q->engine.ck);
	return sluice_priv_cells_drained(&q->engine.cell.items, sides.asymmetric) ? EPIPE : 0;
}

/* Closed after `moved` items, with `left` more inside. */
static void
close_after(const struct place *place, uint64_t moved, uint64_t left)
{
	const struct flavour *const flavour = place->flavour;
	void *const q = queue_before(place, 1);
	uint64_t number;

	for (uint64_t i = 0; i < moved; i++) {
		cr_assert_eq(flavour->put(q, i), 0);
		expect_get(flavour, q, i);
		cr_assert_eq(flavour->task_done(q), 0);
	}
	for (uint64_t i = 0; i < left; i++)
		cr_assert_eq(flavour->put(q, i), 0);
	flavour->close(q);
	cr_assert_eq(flavour->try_put(q, 0), EPIPE);
	for (uint64_t i = 0; i < left; i++) {
		cr_assert_eq(flavour->size(q), left - i);
		cr_assert_eq(end_engine(flavour, q), 0);
		expect_get(flavour, q, i);
	}
	for (int again = 0; again < 2; again++) {
		cr_assert_eq(flavour->get(q, &number), EPIPE);
		cr_assert_eq(flavour->put(q, 0), EPIPE);
		cr_assert_eq(flavour->size(q), 0);
	}
	for (uint64_t i = 0; i < left; i++) {
		cr_assert_eq(flavour->join_until(q, &past), ETIMEDOUT);
		cr_assert_eq(flavour->task_done(q), 0);
	}
	cr_assert_eq(flavour->task_done(q), EINVAL);
	cr_assert_eq(flavour->join(q), 0);
	queue_delete(flavour, q);
}

static void
close_around(const struct place *place)
{
	for (uint64_t moved = 0; moved <= 3 * place->capacity; moved++)
		for (uint64_t left = 0; left <= place->capacity; left++)
			close_after(place, moved, left);
}

static void
closes_around_every_place(const struct flavour *flavour)
{
	at_every_place(flavour, close_around);
}

TEST(wrap, a_queue_may_be_closed_anywhere_around_it)
{
	with_every_flavour(closes_around_every_place);
}

static void
runs_to_the_end(const struct flavour *flavour)
{
	if (flavour->ck)
		return;
	for (size_t c = 0; c < COUNT(capacities); c++) {
		const uint64_t capacity = capacities[c];
		const struct place end = {flavour, capacity,
					  ((uint64_t)1 << 63) / tickets_per_lap(capacity) * 2};
		void *const q = queue_before(&end, 8);

		for (int lap = 0; lap < 7; lap++)
			run_a_lap(flavour, q, capacity);
		queue_delete(flavour, q);
	}
}

TEST(wrap, cell_rings_count_up_to_2_to_the_64)
{
	with_every_flavour(runs_to_the_end);
}

/* A waiter's thread and its waker's in turn: the signal falls between announcement and sleep. */
TEST(wrap, a_signal_that_wraps_the_epoch_prevents_the_sleep_like_any_other)
{
	struct sluice_priv_event event;
	struct sluice_priv_wait wait;

	sluice_priv_event_init(&event);
	event.epoch = UINT32_MAX;
	wait = sluice_priv_wait_begin(&event, &at_once, NULL);
	cr_assert(sluice_priv_wait_step(&wait)); /* W1, W2, F1 */
	sluice_priv_event_wake(&event, 1);
	cr_assert_eq(event.epoch, 0);
	cr_assert(sluice_priv_wait_step(&wait)); /* W4 must return */
	sluice_priv_wait_end(&wait);
	cr_assert_eq(event.word, 0);
}

/* --------------------------------------------------------------------------------- threads -- */

enum {
	THREADS = 2, /* on each side, where the flavour allows more than one */
	LAPS_BEFORE = 60,
	LAPS = 200
};

struct side {
	const struct flavour *flavour;
	void *q;
	uint64_t first; /* producer: puts first, first + THREADS, ... below limit */
	uint64_t limit;
	uint64_t count; /* what it moved */
	uint64_t sum;
	int result; /* of the call that ended it */
};

static void *
produce(void *opaque)
{
	struct side *const me = opaque;

	for (uint64_t number = me->first; number < me->limit; number += THREADS) {
		me->result = me->flavour->put(me->q, number);
		if (me->result != 0)
			break;
		me->count++;
		me->sum += number;
	}
	return NULL;
}

static void *
consume(void *opaque)
{
	struct side *const me = opaque;
	uint64_t number;

	while ((me->result = me->flavour->get(me->q, &number)) == 0) {
		me->count++;
		me->sum += number;
		if (me->flavour->task_done(me->q) != 0)
			break;
	}
	return NULL;
}

/* Runs threads across the place; closes when all is done, or in the middle. */
static void
flow(const struct place *place, bool close_early)
{
	const struct flavour *const flavour = place->flavour;
	void *const q = queue_before(place, LAPS_BEFORE);
	const size_t producers = flavour->lone_producer ? 1 : THREADS;
	const size_t consumers = flavour->lone_consumer ? 1 : THREADS;
	const uint64_t limit = LAPS * place->capacity;
	struct worker producing[THREADS];
	struct worker consuming[THREADS];
	struct side producer[THREADS] = {0};
	struct side consumer[THREADS] = {0};
	uint64_t count = 0;
	uint64_t sum = 0;

	for (size_t i = 0; i < consumers; i++) {
		consumer[i] = (struct side){.flavour = flavour, .q = q};
		worker_start(&consuming[i], consume, &consumer[i]);
	}
	for (size_t i = 0; i < producers; i++) {
		producer[i] = (struct side){flavour, q, i, limit, 0, 0, 0};
		worker_start(&producing[i], produce, &producer[i]);
	}
	if (close_early)
		flavour->close(q);
	for (size_t i = 0; i < producers; i++)
		worker_join(&producing[i]);
	cr_assert_eq(flavour->join(q), 0);
	flavour->close(q);
	for (size_t i = 0; i < consumers; i++)
		worker_join(&consuming[i]);
	for (size_t i = 0; i < producers; i++) {
		cr_assert(producer[i].result == 0 || (close_early && producer[i].result == EPIPE));
		count += producer[i].count;
		sum += producer[i].sum;
	}
	for (size_t i = 0; i < consumers; i++) {
		cr_assert_eq(consumer[i].result, EPIPE);
		count -= consumer[i].count;
		sum -= consumer[i].sum;
	}
	cr_assert_eq(count, 0);
	cr_assert_eq(sum, 0);
	cr_assert_eq(flavour->size(q), 0);
	cr_assert_eq(flavour->task_done(q), EINVAL);
	queue_delete(flavour, q);
}

static void
flow_across(const struct place *place)
{
	for (int round = rounds(3); round > 0; round--) {
		flow(place, false);
		flow(place, true);
	}
}

static void
flows_across_every_place(const struct flavour *flavour)
{
	at_every_place(flavour, flow_across);
}

TEST(wrap, threads_lose_nothing_on_the_way_across)
{
	with_every_flavour(flows_across_every_place);
}
