/* SPDX-License-Identifier: MIT */
/*
 * specification.c - what every queue must do, whatever it is made of.
 *
 * Compiled once for each flavour and for the mutex baseline, which shows that the baseline is right
 * and that the specification is not written around the flavours. The build defines
 *
 *   QUEUE_HEADER   the header to include         QUEUE_DEFINE   the macro that defines the queue
 *   LONE_PRODUCER, LONE_CONSUMER   0 or 1
 *
 * Items are numbers: an item of any width is made from a number and can be checked to be whole. Where
 * a behaviour may depend on the width, the test goes through all of them.
 *
 * The stress tests show that nothing is lost, doubled or reordered in the schedules that happened.
 * They cannot show the absence of a rare one; ordering bugs of the sleeping protocol survive them.
 */
#include <errno.h>
#include <stdint.h>
#include <time.h>

#include QUEUE_HEADER
#include "threads.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum {
	MAX_PRODUCERS = LONE_PRODUCER ? 1 : 8,
	MAX_CONSUMERS = LONE_CONSUMER ? 1 : 8
};

static size_t
at_most(size_t wanted, size_t allowed)
{
	return wanted < allowed ? wanted : allowed;
}

/* What queues are made with: NULL, or to sleep at once. */
static const struct sluice_options at_once = {0, 0, 0};
static const struct sluice_options *looking;

/* A queue for items of one width, seen through functions. */
struct kind {
	size_t bytes;
	void *(*create)(size_t capacity);
	void (*delete)(void *queue);
	int (*put)(void *queue, const void *item);
	int (*try_put)(void *queue, const void *item);
	int (*put_until)(void *queue, const void *item, const struct timespec *deadline);
	int (*get)(void *queue, void *item);
	int (*try_get)(void *queue, void *item);
	int (*get_until)(void *queue, void *item, const struct timespec *deadline);
	size_t (*put_many)(void *queue, const void *items, size_t n);
	size_t (*try_put_many)(void *queue, const void *items, size_t n);
	size_t (*get_many)(void *queue, void *items, size_t max);
	size_t (*try_get_many)(void *queue, void *items, size_t max);
	void (*close)(void *queue);
	size_t (*close_discard)(void *queue);
	bool (*is_closed)(const void *queue);
	size_t (*size)(const void *queue);
	size_t (*capacity)(const void *queue);
	int (*task_done)(void *queue);
	int (*join)(void *queue);
	int (*join_until)(void *queue, const struct timespec *deadline);
};

/* clang-format off */
#define PUT_BY_VALUE(NAME, BYTES, CALL)                                                            \
	struct NAME##_item item;                                                                   \
	memcpy(&item, from, BYTES);                                                                \
	return NAME##_##CALL

#define KIND(NAME, BYTES)                                                                          \
	struct NAME##_item { unsigned char bytes[BYTES]; };                                        \
	QUEUE_DEFINE(NAME, struct NAME##_item)                                                     \
	static void *NAME##_k_create(size_t capacity)                                              \
	{                                                                                          \
		struct NAME *const q = malloc(sizeof(*q));                                         \
		cr_assert_not_null(q);                                                             \
		cr_assert_eq(NAME##_init(q, capacity, looking), 0);                                   \
		return q;                                                                          \
	}                                                                                          \
	static void NAME##_k_delete(void *q) { NAME##_destroy(q); free(q); }                       \
	static int NAME##_k_put(void *q, const void *from)                                         \
	{ PUT_BY_VALUE(NAME, BYTES, put)(q, item); }                                               \
	static int NAME##_k_try_put(void *q, const void *from)                                     \
	{ PUT_BY_VALUE(NAME, BYTES, try_put)(q, item); }                                           \
	static int NAME##_k_put_until(void *q, const void *from, const struct timespec *deadline)  \
	{ PUT_BY_VALUE(NAME, BYTES, put_until)(q, item, deadline); }                               \
	static int NAME##_k_get(void *q, void *to) { return NAME##_get(q, to); }                   \
	static int NAME##_k_try_get(void *q, void *to) { return NAME##_try_get(q, to); }           \
	static int NAME##_k_get_until(void *q, void *to, const struct timespec *deadline)          \
	{ return NAME##_get_until(q, to, deadline); }                                              \
	static size_t NAME##_k_put_many(void *q, const void *from, size_t n)                       \
	{ return NAME##_put_many(q, from, n); }                                                    \
	static size_t NAME##_k_try_put_many(void *q, const void *from, size_t n)                   \
	{ return NAME##_try_put_many(q, from, n); }                                                \
	static size_t NAME##_k_get_many(void *q, void *to, size_t max)                             \
	{ return NAME##_get_many(q, to, max); }                                                    \
	static size_t NAME##_k_try_get_many(void *q, void *to, size_t max)                         \
	{ return NAME##_try_get_many(q, to, max); }                                                \
	static void NAME##_k_close(void *q) { NAME##_close(q); }                                   \
	static size_t NAME##_k_close_discard(void *q) { return NAME##_close_discard(q); }          \
	static bool NAME##_k_is_closed(const void *q) { return NAME##_is_closed(q); }              \
	static size_t NAME##_k_size(const void *q) { return NAME##_size(q); }                      \
	static size_t NAME##_k_capacity(const void *q) { return NAME##_capacity(q); }              \
	static int NAME##_k_task_done(void *q) { return NAME##_task_done(q); }                     \
	static int NAME##_k_join(void *q) { return NAME##_join(q); }                               \
	static int NAME##_k_join_until(void *q, const struct timespec *deadline)                   \
	{ return NAME##_join_until(q, deadline); }                                                 \
	static const struct kind NAME##_kind = {                                                   \
		BYTES, NAME##_k_create, NAME##_k_delete, NAME##_k_put, NAME##_k_try_put,           \
		NAME##_k_put_until, NAME##_k_get, NAME##_k_try_get, NAME##_k_get_until,            \
		NAME##_k_put_many, NAME##_k_try_put_many, NAME##_k_get_many,                       \
		NAME##_k_try_get_many, NAME##_k_close, NAME##_k_close_discard, NAME##_k_is_closed, \
		NAME##_k_size, NAME##_k_capacity, NAME##_k_task_done, NAME##_k_join,               \
		NAME##_k_join_until                                                                \
	};
/* clang-format on */

KIND(items1, 1)
KIND(items3, 3)
KIND(items8, 8)
KIND(items24, 24)
KIND(items200, 200)

static const struct kind *const kinds[] = {&items1_kind, &items3_kind, &items8_kind, &items24_kind,
					   &items200_kind};
static const size_t capacities[] = {1, 2, 3, 63, 64, 65, 100, 1000};

#define MAX_BYTES 200

/* The low bytes of the number as far as the width goes, then bytes that follow from it. */
static void
item_make(const struct kind *kind, uint64_t number, void *item)
{
	unsigned char *const bytes = item;
	size_t i;

	for (i = 0; i < kind->bytes; i++)
		bytes[i] = i < sizeof(number) ? (unsigned char)(number >> (8 * i))
					      : (unsigned char)(bytes[i - 8] * (size_t)5 + i);
}

static uint64_t
item_number(const struct kind *kind, const void *item)
{
	const unsigned char *const bytes = item;
	uint64_t number = 0;
	size_t i;

	for (i = 0; i < at_most(kind->bytes, sizeof(number)); i++)
		number |= (uint64_t)bytes[i] << (8 * i);
	return number;
}

/* What of a number an item of this width can hold. */
static uint64_t
number_held(const struct kind *kind, uint64_t number)
{
	return kind->bytes >= sizeof(number) ? number
					     : number & (((uint64_t)1 << (8 * kind->bytes)) - 1);
}

static bool
item_whole(const struct kind *kind, const void *item)
{
	unsigned char whole[MAX_BYTES];

	item_make(kind, item_number(kind, item), whole);
	return memcmp(whole, item, kind->bytes) == 0;
}

static int
put_number(const struct kind *kind, void *q, uint64_t number)
{
	unsigned char item[MAX_BYTES];

	item_make(kind, number, item);
	return kind->put(q, item);
}

static int
try_put_number(const struct kind *kind, void *q, uint64_t number)
{
	unsigned char item[MAX_BYTES];

	item_make(kind, number, item);
	return kind->try_put(q, item);
}

/* The next item must be this number, whole. */
static void
expect_number(const struct kind *kind, void *q, uint64_t number)
{
	unsigned char item[MAX_BYTES];

	cr_assert_eq(kind->try_get(q, item), 0);
	cr_assert_eq(item_number(kind, item), number_held(kind, number));
	cr_assert(item_whole(kind, item));
}

#define FOR_EACH_KIND(kind)                                                                        \
	for (const struct kind *const *kind##_at = kinds, *kind;                                   \
	     kind##_at < kinds + COUNT(kinds) && (kind = *kind##_at, true); kind##_at++)

/* ------------------------------------------------------------------------------- one thread -- */

TEST(specification, capacity_0_and_capacity_beyond_the_maximum_are_refused)
{
	struct items8 q;

	cr_assert_eq(items8_init(&q, 0, NULL), EINVAL);
	cr_assert_eq(items8_init(&q, SLUICE_CAPACITY_MAX + 1, NULL), EINVAL);
	cr_assert_eq(items8_init(&q, SIZE_MAX, NULL), EINVAL);
}

TEST(specification, options_beyond_the_maximum_are_refused)
{
	const struct sluice_options good = SLUICE_OPTIONS_DEFAULT;
	struct sluice_options bad;
	struct items8 q;

	bad = good;
	bad.bursts = SLUICE_OPTION_MAX + 1;
	cr_assert_eq(items8_init(&q, 1, &bad), EINVAL);
	bad = good;
	bad.pauses = SLUICE_OPTION_MAX + 1;
	cr_assert_eq(items8_init(&q, 1, &bad), EINVAL);
	bad = good;
	bad.yields = SLUICE_OPTION_MAX + 1;
	cr_assert_eq(items8_init(&q, 1, &bad), EINVAL);
}

TEST(specification, a_capacity_that_memory_cannot_hold_is_refused)
{
	struct items200 q;
	const int result = items200_init(&q, SLUICE_CAPACITY_MAX, NULL);

	/* 200 GiB. A system that promises memory freely may grant it; then it must also be freed. */
	cr_assert(result == 0 || result == ENOMEM);
	if (result == 0)
		items200_destroy(&q);
}

TEST(specification, a_new_queue_is_open_and_empty_and_has_the_capacity_asked_for)
{
	FOR_EACH_KIND (kind) {
		for (size_t c = 0; c < COUNT(capacities); c++) {
			void *const q = kind->create(capacities[c]);
			unsigned char item[MAX_BYTES];

			cr_assert_eq(kind->capacity(q), capacities[c]);
			cr_assert_eq(kind->size(q), 0);
			cr_assert_not(kind->is_closed(q));
			cr_assert_eq(kind->try_get(q, item), EAGAIN);
			kind->delete (q);
		}
	}
}

TEST(specification, holds_exactly_its_capacity_and_keeps_order_in_every_lap)
{
	FOR_EACH_KIND (kind) {
		for (size_t c = 0; c < COUNT(capacities); c++) {
			const size_t capacity = capacities[c];
			void *const q = kind->create(capacity);
			uint64_t in = 0;
			uint64_t out = 0;

			for (int lap = 0; lap < 7; lap++) {
				while (in - out < capacity) {
					cr_assert_eq(try_put_number(kind, q, in++), 0);
					cr_assert_eq(kind->size(q), in - out);
				}
				cr_assert_eq(try_put_number(kind, q, in), EAGAIN);
				/* Not always down to empty, so that laps begin everywhere. */
				while (out < in - (lap % 2 == 0 ? 0 : capacity / 3))
					expect_number(kind, q, out++);
				cr_assert_eq(kind->size(q), in - out);
			}
			while (out < in)
				expect_number(kind, q, out++);
			cr_assert_eq(kind->try_get(q, &(unsigned char[MAX_BYTES]){0}), EAGAIN);
			kind->delete (q);
		}
	}
}

TEST(specification, a_get_that_fails_leaves_its_target_alone)
{
	FOR_EACH_KIND (kind) {
		const struct timespec past = {0, 0};
		void *const q = kind->create(2);
		unsigned char item[MAX_BYTES];
		unsigned char before[MAX_BYTES];

		memset(before, 0xa5, sizeof(before));
		memcpy(item, before, sizeof(item));
		/* Memory of an earlier lap must not show through either. */
		put_number(kind, q, 1);
		expect_number(kind, q, 1);
		cr_assert_eq(kind->try_get(q, item), EAGAIN);
		cr_assert_eq(kind->get_until(q, item, &past), ETIMEDOUT);
		cr_assert_eq(kind->get_until(q, item, NULL), EINVAL);
		cr_assert_eq(kind->try_get_many(q, item, 1), 0);
		kind->close(q);
		cr_assert_eq(kind->try_get(q, item), EPIPE);
		cr_assert_eq(kind->get(q, item), EPIPE);
		cr_assert_eq(kind->get_until(q, item, &past), EPIPE);
		cr_assert_eq(kind->get_many(q, item, 1), 0);
		cr_assert_arr_eq(item, before, sizeof(item));
		kind->delete (q);
	}
}

TEST(specification, errno_is_left_alone)
{
	const struct timespec soon = sluice_deadline(1000000);
	struct items8 q;
	struct items8_item item;

	cr_assert_eq(items8_init(&q, 1, NULL), 0);
	errno = 4711;
	cr_assert_eq(items8_get_until(&q, &item, &soon), ETIMEDOUT);
	cr_assert_eq(errno, 4711);
	items8_destroy(&q);
}

/* -------------------------------------------------------------------------------- deadlines -- */

static const struct timespec malformed[] = {
	{0, -1}, {0, 1000000000}, {INT64_MAX, -1}, {-1, 1000000000}};

TEST(specification, a_malformed_deadline_is_refused_and_nothing_is_tried)
{
	FOR_EACH_KIND (kind) {
		void *const q = kind->create(2);
		unsigned char item[MAX_BYTES];

		item_make(kind, 1, item);
		cr_assert_eq(kind->put(q, item), 0); /* there is room, and an item */
		for (size_t i = 0; i < COUNT(malformed); i++) {
			cr_assert_eq(kind->put_until(q, item, &malformed[i]), EINVAL);
			cr_assert_eq(kind->get_until(q, item, &malformed[i]), EINVAL);
			cr_assert_eq(kind->join_until(q, &malformed[i]), EINVAL);
		}
		cr_assert_eq(kind->put_until(q, item, NULL), EINVAL);
		cr_assert_eq(kind->get_until(q, item, NULL), EINVAL);
		cr_assert_eq(kind->join_until(q, NULL), EINVAL);
		cr_assert_eq(kind->size(q), 1);
		kind->delete (q);
	}
}

TEST(specification, room_and_items_beat_an_expired_deadline)
{
	static const struct timespec expired[] = {{0, 0}, {-1, 0}, {INT64_MIN, 0}, {0, 999999999}};

	FOR_EACH_KIND (kind) {
		void *const q = kind->create(1);
		unsigned char item[MAX_BYTES];

		item_make(kind, 7, item);
		for (size_t i = 0; i < COUNT(expired); i++) {
			cr_assert_eq(kind->get_until(q, item, &expired[i]), ETIMEDOUT);
			cr_assert_eq(kind->put_until(q, item, &expired[i]), 0);
			cr_assert_eq(kind->put_until(q, item, &expired[i]), ETIMEDOUT);
			cr_assert_eq(kind->join_until(q, &expired[i]), ETIMEDOUT);
			cr_assert_eq(kind->get_until(q, item, &expired[i]), 0);
			cr_assert_eq(kind->task_done(q), 0);
			cr_assert_eq(kind->join_until(q, &expired[i]), 0);
		}
		kind->delete (q);
	}
}

TEST(specification, a_timed_wait_ends_at_its_deadline_and_not_before)
{
	const struct kind *const kind = &items8_kind;
	void *const q = kind->create(1);
	unsigned char item[MAX_BYTES];

	for (int full = 0; full < 2; full++) {
		const struct timespec deadline = sluice_deadline(3000000);
		struct timespec now;

		item_make(kind, 1, item);
		cr_assert_eq(full ? kind->put_until(q, item, &deadline)
				  : kind->get_until(q, item, &deadline),
			     ETIMEDOUT);
		clock_gettime(CLOCK_MONOTONIC, &now);
		cr_assert(now.tv_sec > deadline.tv_sec ||
			  (now.tv_sec == deadline.tv_sec && now.tv_nsec >= deadline.tv_nsec));
		cr_assert_eq(kind->try_put(q, item), full ? EAGAIN : 0);
	}
	kind->delete (q);
}

TEST(specification, sluice_deadline_adds_up)
{
	const struct timespec now = sluice_deadline(0);
	const struct timespec later = sluice_deadline(1999999999);
	const struct timespec latest = sluice_deadline(UINT64_MAX);
	const int64_t apart =
		(later.tv_sec - now.tv_sec) * 1000000000 + later.tv_nsec - now.tv_nsec;

	cr_assert_geq(apart, 1999999999);
	cr_assert(later.tv_nsec >= 0 && later.tv_nsec <= 999999999);
	cr_assert_geq(latest.tv_sec - now.tv_sec, INT64_C(18446744073));
	cr_assert(latest.tv_nsec >= 0 && latest.tv_nsec <= 999999999);
}

/* ---------------------------------------------------------------------------------- batches -- */

TEST(specification, batches_move_as_many_as_fit_and_as_are_there)
{
	FOR_EACH_KIND (kind) {
		for (size_t c = 0; c < COUNT(capacities); c++) {
			const size_t capacity = capacities[c];
			const size_t n = capacity + 5;
			void *const q = kind->create(capacity);
			unsigned char *const items = malloc(n * kind->bytes);

			for (size_t i = 0; i < n; i++)
				item_make(kind, i, items + i * kind->bytes);
			cr_assert_eq(kind->try_put_many(q, items, 0), 0);
			cr_assert_eq(kind->put_many(q, items, 0), 0);
			cr_assert_eq(kind->try_put_many(q, items, n), capacity);
			cr_assert_eq(kind->try_put_many(q, items, n), 0);
			cr_assert_eq(kind->put_many(q, items, 0), 0); /* must not wait for room */
			cr_assert_eq(kind->get_many(q, items, 0), 0);
			cr_assert_eq(kind->try_get_many(q, items, 0), 0);
			memset(items, 0, n * kind->bytes);
			cr_assert_eq(kind->get_many(q, items, n), capacity);
			for (size_t i = 0; i < capacity; i++) {
				const void *const item = items + i * kind->bytes;

				cr_assert_eq(item_number(kind, item), number_held(kind, i));
				cr_assert(item_whole(kind, item));
			}
			cr_assert_eq(kind->try_get_many(q, items, n), 0);
			cr_assert_eq(kind->get_many(q, items, 0),
				     0); /* must not wait for an item */
			free(items);
			kind->delete (q);
		}
	}
}

struct batch {
	const struct kind *kind;
	void *q;
	uint64_t n;
	size_t moved;
};

static void *
put_batch(void *opaque)
{
	struct batch *const batch = opaque;
	unsigned char *const items = malloc(batch->n * batch->kind->bytes);

	for (uint64_t i = 0; i < batch->n; i++)
		item_make(batch->kind, i, items + i * batch->kind->bytes);
	batch->moved = batch->kind->put_many(batch->q, items, batch->n);
	free(items);
	return NULL;
}

TEST(specification, put_many_waits_for_room_as_often_as_needed)
{
	FOR_EACH_KIND (kind) {
		for (size_t c = 0; c < COUNT(capacities); c++) {
			struct batch batch = {kind, kind->create(capacities[c]), 3000, 0};
			unsigned char items[7 * MAX_BYTES];
			struct worker producer;
			uint64_t next = 0;

			worker_start(&producer, put_batch, &batch);
			while (next < batch.n) {
				const size_t got = kind->get_many(batch.q, items, 7);

				cr_assert_gt(got, 0);
				for (size_t i = 0; i < got; i++)
					cr_assert_eq(item_number(kind, items + i * kind->bytes),
						     number_held(kind, next++));
			}
			worker_join(&producer);
			cr_assert_eq(batch.moved, batch.n);
			kind->delete (batch.q);
		}
	}
}

TEST(specification, put_many_cut_short_by_close_says_how_many_went_in)
{
	FOR_EACH_KIND (kind) {
		struct batch batch = {kind, kind->create(3), 10, 0};
		struct worker producer;

		worker_start(&producer, put_batch, &batch);
		wait_until_asleep(&producer);
		kind->close(batch.q);
		worker_join(&producer);
		cr_assert_eq(batch.moved, 3);
		for (uint64_t i = 0; i < 3; i++)
			expect_number(kind, batch.q, i);
		cr_assert_eq(kind->try_get(batch.q, &(unsigned char[MAX_BYTES]){0}), EPIPE);
		kind->delete (batch.q);
	}
}

/* ---------------------------------------------------------------------------------- closing -- */

TEST(specification, items_put_before_close_are_still_got_and_later_puts_are_refused)
{
	FOR_EACH_KIND (kind) {
		for (size_t c = 0; c < COUNT(capacities); c++) {
			const struct timespec past = {0, 0};
			const size_t n = (capacities[c] + 1) / 2;
			void *const q = kind->create(capacities[c]);
			unsigned char item[MAX_BYTES];

			for (size_t i = 0; i < n; i++)
				cr_assert_eq(put_number(kind, q, i), 0);
			kind->close(q);
			kind->close(q);
			cr_assert(kind->is_closed(q));
			item_make(kind, 99, item);
			cr_assert_eq(kind->put(q, item), EPIPE);
			cr_assert_eq(kind->try_put(q, item), EPIPE);
			cr_assert_eq(kind->put_until(q, item, &past), EPIPE);
			cr_assert_eq(kind->put_many(q, item, 1), 0);
			cr_assert_eq(kind->try_put_many(q, item, 1), 0);
			cr_assert_eq(kind->size(q), n);
			for (size_t i = 0; i < n; i++)
				expect_number(kind, q, i);
			for (int again = 0; again < 2; again++) {
				cr_assert_eq(kind->try_get(q, item), EPIPE);
				cr_assert_eq(kind->get(q, item), EPIPE);
				cr_assert_eq(kind->get_until(q, item, &past), EPIPE);
				cr_assert_eq(kind->put(q, item), EPIPE);
				cr_assert_eq(kind->size(q), 0);
			}
			kind->delete (q);
		}
	}
}

TEST(specification, close_discard_drops_what_is_queued_and_counts_it_as_done)
{
	FOR_EACH_KIND (kind) {
		for (size_t c = 0; c < COUNT(capacities); c++) {
			void *const q = kind->create(capacities[c]);

			for (size_t i = 0; i < capacities[c]; i++)
				cr_assert_eq(put_number(kind, q, i), 0);
			expect_number(kind, q, 0);
			cr_assert_eq(kind->close_discard(q), capacities[c] - 1);
			cr_assert_eq(kind->close_discard(q), 0);
			cr_assert(kind->is_closed(q));
			cr_assert_eq(kind->size(q), 0);
			cr_assert_eq(try_put_number(kind, q, 0), EPIPE);
			cr_assert_eq(kind->try_get(q, &(unsigned char[MAX_BYTES]){0}), EPIPE);
			/* The one that was got is still somebody's task. */
			cr_assert_eq(kind->join_until(q, &(struct timespec){0, 0}), ETIMEDOUT);
			cr_assert_eq(kind->task_done(q), 0);
			cr_assert_eq(kind->task_done(q), EINVAL);
			cr_assert_eq(kind->join(q), 0);
			kind->delete (q);
		}
	}
}

struct call {
	const struct kind *kind;
	void *q;
	uint64_t number;
	int result;
};

static void *
call_put(void *opaque)
{
	struct call *const call = opaque;

	call->result = put_number(call->kind, call->q, call->number);
	return NULL;
}

static void *
call_get(void *opaque)
{
	struct call *const call = opaque;
	unsigned char item[MAX_BYTES];

	call->result = call->kind->get(call->q, item);
	call->number = call->result == 0 ? item_number(call->kind, item) : 0;
	return NULL;
}

static void *
call_get_until_the_end_of_time(void *opaque)
{
	const struct timespec end = {INT64_MAX, 999999999};
	struct call *const call = opaque;
	unsigned char item[MAX_BYTES];

	call->result = call->kind->get_until(call->q, item, &end);
	call->number = call->result == 0 ? item_number(call->kind, item) : 0;
	return NULL;
}

static void *
call_join(void *opaque)
{
	struct call *const call = opaque;

	call->result = call->kind->join(call->q);
	return NULL;
}

/* Starts n threads in the same call and returns when all of them sleep in it. */
static void
start_sleepers(struct worker *workers, struct call *calls, size_t n, void *(*body)(void *),
	       const struct kind *kind, void *q)
{
	for (size_t i = 0; i < n; i++) {
		calls[i] = (struct call){kind, q, i, -1};
		worker_start(&workers[i], body, &calls[i]);
	}
	for (size_t i = 0; i < n; i++)
		wait_until_asleep(&workers[i]);
}

TEST(specification, close_wakes_every_get_that_waits)
{
	FOR_EACH_KIND (kind) {
		void *const q = kind->create(4);
		struct worker workers[MAX_CONSUMERS];
		struct call calls[MAX_CONSUMERS];

		start_sleepers(workers, calls, MAX_CONSUMERS, call_get, kind, q);
		kind->close(q);
		for (size_t i = 0; i < MAX_CONSUMERS; i++) {
			worker_join(&workers[i]);
			cr_assert_eq(calls[i].result, EPIPE);
		}
		kind->delete (q);
	}
}

TEST(specification, close_wakes_every_put_that_waits_and_their_items_are_not_taken)
{
	FOR_EACH_KIND (kind) {
		void *const q = kind->create(1);
		struct worker workers[MAX_PRODUCERS];
		struct call calls[MAX_PRODUCERS];

		cr_assert_eq(put_number(kind, q, 77), 0);
		start_sleepers(workers, calls, MAX_PRODUCERS, call_put, kind, q);
		kind->close(q);
		for (size_t i = 0; i < MAX_PRODUCERS; i++) {
			worker_join(&workers[i]);
			cr_assert_eq(calls[i].result, EPIPE);
		}
		expect_number(kind, q, 77);
		cr_assert_eq(kind->get(q, &(unsigned char[MAX_BYTES]){0}), EPIPE);
		kind->delete (q);
	}
}

TEST(specification, close_discard_wakes_every_put_that_waits)
{
	FOR_EACH_KIND (kind) {
		void *const q = kind->create(1);
		struct worker workers[MAX_PRODUCERS];
		struct call calls[MAX_PRODUCERS];
		size_t accepted = 1;

		cr_assert_eq(put_number(kind, q, 77), 0);
		start_sleepers(workers, calls, MAX_PRODUCERS, call_put, kind, q);
		const size_t dropped = kind->close_discard(q);
		for (size_t i = 0; i < MAX_PRODUCERS; i++) {
			worker_join(&workers[i]);
			accepted += calls[i].result == 0;
		}
		cr_assert_eq(dropped, accepted);
		kind->delete (q);
	}
}

/* --------------------------------------------------------------------------- sleep and wake -- */

TEST(specification, each_put_wakes_one_of_many_waiting_gets)
{
	FOR_EACH_KIND (kind) {
		void *const q = kind->create(MAX_CONSUMERS);
		struct worker workers[MAX_CONSUMERS];
		struct call calls[MAX_CONSUMERS];
		uint64_t sum = 0;

		start_sleepers(workers, calls, MAX_CONSUMERS, call_get, kind, q);
		for (uint64_t i = 0; i < MAX_CONSUMERS; i++)
			cr_assert_eq(put_number(kind, q, i), 0);
		for (size_t i = 0; i < MAX_CONSUMERS; i++) {
			worker_join(&workers[i]);
			cr_assert_eq(calls[i].result, 0);
			sum += calls[i].number;
		}
		cr_assert_eq(sum, MAX_CONSUMERS * (MAX_CONSUMERS - 1) / 2);
		kind->delete (q);
	}
}

TEST(specification, one_put_many_wakes_all_the_gets_it_can_serve)
{
	FOR_EACH_KIND (kind) {
		void *const q = kind->create(MAX_CONSUMERS);
		struct worker workers[MAX_CONSUMERS];
		struct call calls[MAX_CONSUMERS];
		unsigned char items[MAX_CONSUMERS * MAX_BYTES] = {0};

		start_sleepers(workers, calls, MAX_CONSUMERS, call_get, kind, q);
		cr_assert_eq(kind->put_many(q, items, MAX_CONSUMERS), MAX_CONSUMERS);
		for (size_t i = 0; i < MAX_CONSUMERS; i++) {
			worker_join(&workers[i]);
			cr_assert_eq(calls[i].result, 0);
		}
		kind->delete (q);
	}
}

TEST(specification, each_get_wakes_one_of_many_waiting_puts)
{
	FOR_EACH_KIND (kind) {
		void *const q = kind->create(1);
		struct worker workers[MAX_PRODUCERS];
		struct call calls[MAX_PRODUCERS];
		unsigned char item[MAX_BYTES];

		cr_assert_eq(put_number(kind, q, 0), 0);
		start_sleepers(workers, calls, MAX_PRODUCERS, call_put, kind, q);
		for (size_t i = 0; i < MAX_PRODUCERS + 1; i++)
			cr_assert_eq(kind->get(q, item), 0);
		for (size_t i = 0; i < MAX_PRODUCERS; i++) {
			worker_join(&workers[i]);
			cr_assert_eq(calls[i].result, 0);
		}
		kind->delete (q);
	}
}

TEST(specification, one_get_many_wakes_all_the_puts_it_makes_room_for)
{
	FOR_EACH_KIND (kind) {
		void *const q = kind->create(MAX_PRODUCERS);
		struct worker workers[MAX_PRODUCERS];
		struct call calls[MAX_PRODUCERS];
		unsigned char items[MAX_PRODUCERS * MAX_BYTES] = {0};

		cr_assert_eq(kind->put_many(q, items, MAX_PRODUCERS), MAX_PRODUCERS);
		start_sleepers(workers, calls, MAX_PRODUCERS, call_put, kind, q);
		cr_assert_eq(kind->get_many(q, items, MAX_PRODUCERS), MAX_PRODUCERS);
		for (size_t i = 0; i < MAX_PRODUCERS; i++) {
			worker_join(&workers[i]);
			cr_assert_eq(calls[i].result, 0);
		}
		kind->delete (q);
	}
}

TEST(specification, a_get_until_the_end_of_time_is_woken_like_any_other)
{
	const struct kind *const kind = &items8_kind;
	void *const q = kind->create(1);
	struct worker worker;
	struct call call;

	start_sleepers(&worker, &call, 1, call_get_until_the_end_of_time, kind, q);
	cr_assert_eq(put_number(kind, q, 5), 0);
	worker_join(&worker);
	cr_assert_eq(call.result, 0);
	cr_assert_eq(call.number, 5);
	kind->delete (q);
}

/* The processor time that these threads have used so far, in ns. */
static int64_t
time_used(const struct worker *workers, size_t n)
{
	int64_t sum = 0;

	for (size_t i = 0; i < n; i++) {
		struct timespec used;
		clockid_t clock;

		cr_assert_eq(pthread_getcpuclockid(workers[i].thread, &clock), 0);
		cr_assert_eq(clock_gettime(clock, &used), 0);
		sum += used.tv_sec * 1000000000 + used.tv_nsec;
	}
	return sum;
}

/*
 * It is the clocks of those who wait that are read, and nobody else's. While they are asleep those stand
 * still, whatever else the machine does: they move on by what the last takes from "asleep", as the kernel
 * sees it, to the end of its stretch on the processor, which is microseconds.
 */
TEST(specification, threads_that_wait_use_no_processor_time)
{
	const struct kind *const kind = &items8_kind;
	const struct timespec half_a_second = {0, 500000000};
	struct worker workers[16];
	struct call calls[16];
	void *queues[16];
	int64_t used;

	/* 16 of them, on as many queues as the flavour needs. */
	for (size_t i = 0; i < COUNT(queues); i++) {
		queues[i] = kind->create(1);
		start_sleepers(&workers[i], &calls[i], 1, call_get, kind, queues[i]);
	}
	used = time_used(workers, COUNT(workers));
	nanosleep(&half_a_second, NULL);
	used = time_used(workers, COUNT(workers)) - used;
	cr_assert_lt(used, 1000000, "16 waiting threads used %lld ns of processor time in 500 ms",
		     (long long)used);
	for (size_t i = 0; i < COUNT(queues); i++) {
		kind->close(queues[i]);
		worker_join(&workers[i]);
		kind->delete (queues[i]);
	}
}

/* ---------------------------------------------------------------------------------- joining -- */

TEST(specification, task_done_called_more_often_than_items_were_got_is_refused)
{
	FOR_EACH_KIND (kind) {
		for (size_t c = 0; c < COUNT(capacities); c++) {
			void *const q = kind->create(capacities[c]);

			for (uint64_t i = 0; i < 2 * capacities[c] + 3; i++) {
				cr_assert_eq(kind->task_done(q), EINVAL);
				cr_assert_eq(put_number(kind, q, i), 0);
				cr_assert_eq(kind->task_done(q), EINVAL);
				expect_number(kind, q, i);
				cr_assert_eq(kind->task_done(q), 0);
				cr_assert_eq(kind->join(q), 0);
			}
			kind->delete (q);
		}
	}
}

TEST(specification, join_of_a_queue_that_never_had_an_item_returns_at_once)
{
	FOR_EACH_KIND (kind) {
		void *const q = kind->create(3);

		cr_assert_eq(kind->join(q), 0);
		kind->close(q);
		cr_assert_eq(kind->join(q), 0);
		kind->delete (q);
	}
}

TEST(specification, join_waits_for_the_last_task_whether_the_queue_is_closed_or_not)
{
	FOR_EACH_KIND (kind) {
		void *const q = kind->create(2);
		struct worker workers[3];
		struct call calls[3];

		cr_assert_eq(put_number(kind, q, 1), 0);
		cr_assert_eq(put_number(kind, q, 2), 0);
		start_sleepers(workers, calls, 3, call_join, kind, q);
		expect_number(kind, q, 1);
		cr_assert_eq(kind->task_done(q), 0);
		kind->close(q);
		expect_number(kind, q, 2);
		for (size_t i = 0; i < 3; i++)
			wait_until_asleep(&workers[i]);
		cr_assert_eq(calls[0].result, -1);
		cr_assert_eq(kind->task_done(q), 0);
		for (size_t i = 0; i < 3; i++) {
			worker_join(&workers[i]);
			cr_assert_eq(calls[i].result, 0);
		}
		kind->delete (q);
	}
}

TEST(specification, close_discard_ends_a_join)
{
	FOR_EACH_KIND (kind) {
		void *const q = kind->create(2);
		struct worker worker;
		struct call call;

		cr_assert_eq(put_number(kind, q, 1), 0);
		start_sleepers(&worker, &call, 1, call_join, kind, q);
		cr_assert_eq(kind->close_discard(q), 1);
		worker_join(&worker);
		cr_assert_eq(call.result, 0);
		kind->delete (q);
	}
}

/* ----------------------------------------------------------------------------------- stress -- */

enum {
	SEQUENCE_BITS =
		20, /* a number is producer << 20 | sequence; narrow items hold part of it */
	MAX_THREADS = 8
};

/* How the threads of a run move their items. */
enum manner {
	WAITING, /* put, get */
	TRYING,  /* try_put, try_get, and yield */
	TIMED,   /* put_until, get_until with deadlines that often pass */
	BATCHES, /* put_many, get_many of changing length */
	ANYHOW   /* one of these at a time */
};

struct flow {
	const struct kind *kind;
	void *q;
	enum manner manner;
	uint64_t per_producer;
	bool tasks; /* consumers call task_done */
};

struct producer {
	const struct flow *flow;
	uint64_t id;
	uint64_t chance;
	uint64_t accepted; /* how many; always the first ones */
};

struct consumer {
	const struct flow *flow;
	uint64_t chance;
	uint64_t count[MAX_THREADS];       /* per producer */
	uint64_t last[MAX_THREADS];        /* sequence + 1 of the last one got */
	uint64_t sums_of_bytes[MAX_BYTES]; /* over all items, by position */
	bool broken;
};

static enum manner
manner_now(const struct flow *flow, uint64_t *state)
{
	return flow->manner == ANYHOW ? (enum manner)(chance(state) % ANYHOW) : flow->manner;
}

static void *
produce(void *opaque)
{
	struct producer *const me = opaque;
	const struct flow *const flow = me->flow;
	const struct kind *const kind = flow->kind;
	unsigned char items[16 * MAX_BYTES];

	while (me->accepted < flow->per_producer) {
		const enum manner manner = manner_now(flow, &me->chance);
		size_t n = manner == BATCHES ? 1 + chance(&me->chance) % 16 : 1;
		struct timespec deadline;
		size_t moved;
		int result = 0;

		n = at_most(n, flow->per_producer - me->accepted);
		for (size_t i = 0; i < n; i++)
			item_make(kind, me->id << SEQUENCE_BITS | (me->accepted + i),
				  items + i * kind->bytes);
		switch (manner) {
		case BATCHES:
			moved = chance(&me->chance) % 2 ? kind->put_many(flow->q, items, n)
							: kind->try_put_many(flow->q, items, n);
			me->accepted += moved;
			result = moved == 0 && kind->is_closed(flow->q) ? EPIPE : 0;
			break;
		case TRYING:
			result = kind->try_put(flow->q, items);
			break;
		case TIMED:
			deadline = sluice_deadline(chance(&me->chance) % 100000);
			result = kind->put_until(flow->q, items, &deadline);
			break;
		default:
			result = kind->put(flow->q, items);
		}
		if (result == EPIPE)
			break;
		if (result != 0)
			sched_yield();
		else if (manner != BATCHES)
			me->accepted++;
	}
	return NULL;
}

static void
consume_one(struct consumer *me, const void *item)
{
	const struct kind *const kind = me->flow->kind;
	const unsigned char *const bytes = item;
	const uint64_t number = item_number(kind, item);
	const uint64_t id = number >> SEQUENCE_BITS;
	const uint64_t sequence = number & ((1u << SEQUENCE_BITS) - 1);

	for (size_t i = 0; i < kind->bytes; i++)
		me->sums_of_bytes[i] += bytes[i];
	me->broken |= !item_whole(kind, item);
	if (kind->bytes == 1) {
		me->count[0]++;
		return;
	}
	/* What one consumer gets from one producer comes in order. */
	if (id >= MAX_THREADS || sequence < me->last[id]) {
		me->broken = true;
		return;
	}
	me->last[id] = sequence + 1;
	me->count[id]++;
}

static void *
consume(void *opaque)
{
	struct consumer *const me = opaque;
	const struct flow *const flow = me->flow;
	const struct kind *const kind = flow->kind;
	unsigned char items[16 * MAX_BYTES];
	unsigned char before[MAX_BYTES];

	memset(before, 0xa5, sizeof(before));
	for (;;) {
		const enum manner manner = manner_now(flow, &me->chance);
		struct timespec deadline;
		size_t got = 1;
		int result = 0;

		memcpy(items, before, kind->bytes);
		switch (manner) {
		case BATCHES:
			if (chance(&me->chance) % 2) {
				got = kind->get_many(flow->q, items, 1 + chance(&me->chance) % 16);
				result = got == 0 ? EPIPE : 0;
			} else {
				got = kind->try_get_many(flow->q, items, 16);
			}
			break;
		case TRYING:
			result = kind->try_get(flow->q, items);
			break;
		case TIMED:
			deadline = sluice_deadline(chance(&me->chance) % 100000);
			result = kind->get_until(flow->q, items, &deadline);
			break;
		default:
			result = kind->get(flow->q, items);
		}
		if (result != 0 || got == 0) {
			me->broken |= memcmp(items, before, kind->bytes) != 0;
			if (result == EPIPE)
				return NULL;
			sched_yield();
			continue;
		}
		for (size_t i = 0; i < got; i++) {
			consume_one(me, items + i * kind->bytes);
			if (flow->tasks && kind->task_done(flow->q) != 0)
				me->broken = true;
		}
	}
}

/* When the flow is ended: after all is put, or in the middle of it. */
enum ending {
	CLOSE_AT_THE_END,
	CLOSE_IN_THE_MIDDLE,
	DISCARD_IN_THE_MIDDLE,
	DISCARD_TWICE_IN_THE_MIDDLE /* by two threads */
};

struct discarder {
	const struct flow *flow;
	size_t dropped;
};

static void *
discard(void *opaque)
{
	struct discarder *const me = opaque;

	me->dropped = me->flow->kind->close_discard(me->flow->q);
	return NULL;
}

/* Runs a flow and checks that what was accepted was got (or dropped): once, whole, in order. */
static void
run_flow(const struct flow *flow, size_t producers, size_t consumers, enum ending ending,
	 uint64_t *state)
{
	struct worker producing[MAX_THREADS];
	struct worker consuming[MAX_THREADS];
	struct producer producer[MAX_THREADS] = {0};
	struct consumer consumer[MAX_THREADS] = {0};
	struct discarder other = {.flow = flow};
	struct worker discarding;
	uint64_t expected[MAX_BYTES] = {0};
	uint64_t accepted = 0;
	uint64_t got = 0;
	uint64_t dropped = 0;
	unsigned char item[MAX_BYTES];

	for (size_t i = 0; i < consumers; i++) {
		consumer[i].flow = flow;
		consumer[i].chance = chance(state) | 1;
		worker_start(&consuming[i], consume, &consumer[i]);
	}
	for (size_t i = 0; i < producers; i++) {
		producer[i].flow = flow;
		producer[i].id = i;
		producer[i].chance = chance(state) | 1;
		worker_start(&producing[i], produce, &producer[i]);
	}
	if (ending != CLOSE_AT_THE_END) {
		for (uint64_t spin = chance(state) % 100000; spin > 0; spin--)
			__asm__ __volatile__("");
		if (ending == DISCARD_TWICE_IN_THE_MIDDLE)
			worker_start(&discarding, discard, &other);
		if (ending != CLOSE_IN_THE_MIDDLE)
			dropped = flow->kind->close_discard(flow->q);
		else
			flow->kind->close(flow->q);
		if (ending == DISCARD_TWICE_IN_THE_MIDDLE)
			worker_join(&discarding);
		dropped += other.dropped;
	}
	for (size_t i = 0; i < producers; i++)
		worker_join(&producing[i]);
	if (flow->tasks)
		cr_assert_eq(flow->kind->join(flow->q), 0);
	flow->kind->close(flow->q);
	for (size_t i = 0; i < consumers; i++)
		worker_join(&consuming[i]);

	for (size_t p = 0; p < producers; p++) {
		uint64_t of_this_producer = 0;

		accepted += producer[p].accepted;
		cr_assert(ending != CLOSE_AT_THE_END || producer[p].accepted == flow->per_producer);
		for (size_t c = 0; c < consumers; c++)
			of_this_producer += consumer[c].count[p];
		if (dropped == 0 && flow->kind->bytes > 1)
			cr_assert_eq(of_this_producer, producer[p].accepted);
		for (uint64_t i = 0; i < producer[p].accepted; i++) {
			item_make(flow->kind, p << SEQUENCE_BITS | i, item);
			for (size_t b = 0; b < flow->kind->bytes; b++)
				expected[b] += item[b];
		}
	}
	for (size_t c = 0; c < consumers; c++) {
		cr_assert_not(consumer[c].broken);
		for (size_t p = 0; p < MAX_THREADS; p++)
			got += consumer[c].count[p];
		for (size_t b = 0; b < flow->kind->bytes; b++)
			expected[b] -= consumer[c].sums_of_bytes[b];
	}
	cr_assert_eq(got + dropped, accepted);
	for (size_t b = 0; dropped == 0 && b < flow->kind->bytes; b++)
		cr_assert_eq(expected[b], 0);
	cr_assert_eq(flow->kind->size(flow->q), 0);
	cr_assert_eq(flow->kind->try_get(flow->q, item), EPIPE);
}

static void
stress(enum manner manner, uint64_t per_producer, bool tasks, enum ending ending, uint64_t rounds)
{
	static const struct {
		size_t producers;
		size_t consumers;
	} shapes[] = {{4, 2}, {1, 1}, {1, 4}, {4, 1}, {8, 8}};
	uint64_t state = chance_seed();

	for (uint64_t round = 0; round < rounds; round++) {
		FOR_EACH_KIND (kind) {
			for (size_t s = 0; s < COUNT(shapes); s++) {
				const size_t capacity =
					capacities[chance(&state) % COUNT(capacities)];
				looking = chance(&state) % 2 ? &at_once : NULL;
				void *const q = kind->create(capacity);
				const struct flow flow = {kind, q, manner, per_producer, tasks};

				run_flow(&flow, at_most(shapes[s].producers, MAX_PRODUCERS),
					 at_most(shapes[s].consumers, MAX_CONSUMERS), ending,
					 &state);
				kind->delete (q);
			}
		}
	}
}

TEST(stress, everything_put_is_got_once_and_in_order_by_waiting)
{
	stress(WAITING, 5000, false, CLOSE_AT_THE_END, stress_scale());
}

TEST(stress, everything_put_is_got_once_and_in_order_by_trying)
{
	stress(TRYING, 5000, false, CLOSE_AT_THE_END, stress_scale());
}

TEST(stress, everything_put_is_got_once_and_in_order_before_deadlines)
{
	stress(TIMED, 1000, false, CLOSE_AT_THE_END, stress_scale());
}

TEST(stress, everything_put_is_got_once_and_in_order_in_batches)
{
	stress(BATCHES, 5000, false, CLOSE_AT_THE_END, stress_scale());
}

TEST(stress, everything_put_is_got_once_and_in_order_anyhow)
{
	stress(ANYHOW, 2000, false, CLOSE_AT_THE_END, stress_scale());
}

TEST(stress, join_returns_when_all_tasks_are_done)
{
	stress(ANYHOW, 1000, true, CLOSE_AT_THE_END, stress_scale());
}

TEST(stress, what_was_accepted_before_a_racing_close_is_got)
{
	stress(WAITING, 100000, false, CLOSE_IN_THE_MIDDLE, 20 * stress_scale());
	stress(ANYHOW, 100000, true, CLOSE_IN_THE_MIDDLE, 5 * stress_scale());
}

TEST(stress, what_was_accepted_before_a_racing_close_discard_is_got_or_dropped)
{
	stress(WAITING, 100000, false, DISCARD_IN_THE_MIDDLE, 20 * stress_scale());
	stress(ANYHOW, 100000, true, DISCARD_IN_THE_MIDDLE, 5 * stress_scale());
}

TEST(stress, what_two_racing_close_discards_drop_is_counted_once)
{
	stress(WAITING, 100000, false, DISCARD_TWICE_IN_THE_MIDDLE, 5 * stress_scale());
	stress(ANYHOW, 100000, true, DISCARD_TWICE_IN_THE_MIDDLE, 5 * stress_scale());
}
