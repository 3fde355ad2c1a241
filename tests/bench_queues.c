/* SPDX-License-Identifier: MIT */
/*
 * bench_queues.c - is what the comparison measures a queue, and does the measurement notice if not?
 *
 * Every queue of bench/queues.h, with those of other libraries where they were built, in one thread:
 * what it holds, in which order, what is left after close. Every row in which items are handed over,
 * with few items; those in which a queue that never sleeps has up to 300 threads, and crawls, only
 * with SLUICE_TEST_LONG=1. Then two queues made to fail: one that loses an item, one that crawls. And
 * where the threads of a measurement run.
 */
#define _GNU_SOURCE /* sched_getcpu */

#include <math.h>
#include <sched.h>
#include <unistd.h>

#include "../bench/peers/try_only.h"
#include "../bench/queues.h"
#include "../bench/workloads.h"

#define TEST_SECONDS 200
#include "test.h"

#define FOR_EACH_KIND(queue)                                                                       \
	for (const struct bench_queue *const *at = bench_queues, *queue;                           \
	     at < bench_queues + bench_queue_count && (queue = *at, true); at++)

static void *
create(const struct bench_queue *queue, size_t capacity)
{
	void *q = queue->create(capacity);

	cr_assert_not_null(q, "%s of %zu", queue->name, capacity);
	return q;
}

/* Puts 0, 1, ... until the queue is full. Returns how many went in. */
static size_t
fill(const struct bench_queue *queue, void *q)
{
	size_t n = 0;
	int error;

	while ((error = queue->try_put(q, n)) == 0)
		n++;
	cr_assert_eq(error, EAGAIN, "%s", queue->name);
	return n;
}

TEST(bench_queues, each_holds_exactly_what_it_says)
{
	static const size_t capacities[] = {1, 2, 3, 63, 64, 65, 1024, 65536};

	FOR_EACH_KIND (queue) {
		for (size_t i = 0; i < sizeof(capacities) / sizeof(capacities[0]); i++) {
			void *q = create(queue, capacities[i]);

			cr_assert_eq(fill(queue, q), queue->capacity(q), "%s of %zu", queue->name,
				     capacities[i]);
			queue->destroy(q);
		}
	}
}

TEST(bench_queues, each_returns_what_one_thread_put_in_that_order)
{
	FOR_EACH_KIND (queue) {
		void *q = create(queue, 64);
		uint64_t item;

		for (int lap = 0; lap < 3; lap++) {
			size_t n = fill(queue, q);

			cr_assert_eq(n, queue->capacity(q), "%s", queue->name);
			for (size_t i = 0; i < n; i++) {
				cr_assert_eq(queue->try_get(q, &item), 0, "%s", queue->name);
				cr_assert_eq(item, i, "%s", queue->name);
			}
			cr_assert_eq(queue->try_get(q, &item), EAGAIN, "%s", queue->name);
		}
		queue->destroy(q);
	}
}

TEST(bench_queues, what_was_put_before_close_is_still_got)
{
	FOR_EACH_KIND (queue) {
		void *q = create(queue, 64);
		const uint64_t n = queue->capacity(q) < 3 ? queue->capacity(q) : 3;
		uint64_t item;

		for (uint64_t i = 0; i < n; i++)
			cr_assert_eq(queue->put(q, i), 0, "%s", queue->name);
		queue->close(q);
		for (uint64_t i = 0; i < n; i++) {
			cr_assert_eq(queue->get(q, &item), 0, "%s", queue->name);
			cr_assert_eq(item, i, "%s", queue->name);
		}
		/* Told to each consumer. */
		cr_assert_eq(queue->get(q, &item), EPIPE, "%s", queue->name);
		cr_assert_eq(queue->get(q, &item), EPIPE, "%s", queue->name);
		queue->destroy(q);
	}
}

TEST(bench_queues, a_put_that_waits_gives_up_when_a_queue_that_may_be_cut_is_closed)
{
	FOR_EACH_KIND (queue) {
		void *q = create(queue, 1);

		if (queue->may_be_cut) {
			fill(queue, q);
			queue->close(q);
			cr_assert_eq(queue->put(q, 0), EPIPE, "%s", queue->name);
		}
		queue->destroy(q);
	}
}

TEST(bench_queues, every_row_passes_verification)
{
	const bool thorough = getenv("SLUICE_TEST_LONG") != NULL;

	for (size_t w = 0; w < bench_workload_count; w++) {
		struct bench_workload workload = bench_workloads[w];

		workload.milliseconds = 1;
		if (workload.consumers == 0)
			continue;
		FOR_EACH_KIND (queue) {
			struct bench_result result;
			const char *error;

			if (!bench_admits(queue, &workload) ||
			    (queue->may_be_cut && workload.producers > 8 && !thorough))
				continue;
			error = bench_measure(queue, &workload, &result);
			cr_assert_null(error, "%s %s %u:%u/%zu: %s", workload.kind, queue->name,
				       workload.producers, workload.consumers, workload.capacity,
				       error);
			cr_assert(!result.cut || queue->may_be_cut, "%s", queue->name);
		}
	}
}

/* A ring for one producer and one consumer, whose pop can be made to go wrong. */
enum {
	POOR_CAPACITY = 128
};

struct poor_ring {
	atomic_uint head;
	atomic_uint tail;
	bench_item8 items[POOR_CAPACITY];
};

static atomic_uint lost = UINT_MAX;    /* the index of an item */
static atomic_uint changed = UINT_MAX; /* likewise */
static atomic_bool crawls;
static atomic_ullong put_on; /* processors, a bit each */
static atomic_ullong got_on;

static void
note_processor(atomic_ullong *on)
{
	atomic_fetch_or(on, 1ULL << ((unsigned int)sched_getcpu() % 64));
}

static int
poor_ring_init(struct poor_ring *r, size_t capacity)
{
	(void)capacity;
	atomic_init(&r->head, 0);
	atomic_init(&r->tail, 0);
	return 0;
}

static void
poor_ring_destroy(struct poor_ring *r)
{
	(void)r;
}

static size_t
poor_ring_capacity(const struct poor_ring *r)
{
	(void)r;
	return POOR_CAPACITY;
}

static bool
poor_ring_push(struct poor_ring *r, bench_item8 item)
{
	const unsigned int tail = atomic_load(&r->tail);

	note_processor(&put_on);
	if (tail - atomic_load(&r->head) == POOR_CAPACITY)
		return false;
	r->items[tail % POOR_CAPACITY] = item;
	atomic_store(&r->tail, tail + 1);
	return true;
}

static bool
poor_ring_pop(struct poor_ring *r, bench_item8 *item)
{
	const unsigned int head = atomic_load(&r->head);

	note_processor(&got_on);
	if (head == atomic_load(&r->tail))
		return false;
	if (atomic_load(&crawls))
		usleep(25000);
	*item = r->items[head % POOR_CAPACITY] + (head == atomic_load(&changed));
	atomic_store(&r->head, head + 1);
	return head != atomic_load(&lost);
}

TRY_ONLY_YIELD(poor, "poor", poor_ring, bench_item8, NULL)

static const char *
measure_poor_placed(enum bench_placement placement, struct bench_result *result)
{
	struct bench_workload workload = bench_workloads[0];

	workload.producers = 1;
	workload.consumers = 1;
	workload.milliseconds = 1;
	workload.placement = placement;
	return bench_measure(&poor_bench, &workload, result);
}

static const char *
measure_poor(struct bench_result *result)
{
	return measure_poor_placed(BENCH_FREE, result);
}

TEST(measurement, passes_where_nothing_is_wrong)
{
	struct bench_result result;

	cr_assert_null(measure_poor(&result));
	cr_assert_not(result.cut);
	cr_assert_eq(result.capacity, POOR_CAPACITY);
}

static struct bench_result
measure_kind(const char *kind)
{
	struct bench_result result = {0};

	for (size_t w = 0; w < bench_workload_count; w++) {
		struct bench_workload workload = bench_workloads[w];

		if (strcmp(workload.kind, kind) != 0 || !bench_admits(bench_queues[0], &workload))
			continue;
		workload.milliseconds = 20;
		cr_assert_null(bench_measure(bench_queues[0], &workload, &result));
		return result;
	}
	cr_assert_fail("no row %s", kind);
	return result;
}

TEST(measurement, tells_percentiles_of_round_trips_that_ascend_as_far_as_there_are_any_beyond)
{
	const struct bench_result result = measure_kind("roundtrip");
	double last = 1;

	for (size_t i = 0; i < BENCH_PERCENTILES; i++) {
		const double share = bench_percentiles[i].share;
		const double ns = result.percentiles[i];
		const bool any_beyond = share == 1 || (double)result.items * (1 - share) >= 1;

		cr_assert_eq(ns > 0, any_beyond, "%s of %llu", bench_percentiles[i].name,
			     (unsigned long long)result.items);
		if (any_beyond) {
			cr_assert_geq(ns, last, "%s", bench_percentiles[i].name);
			last = ns;
		}
	}
}

/* Whoever is paced sleeps at each item. */
TEST(measurement, tells_how_much_of_their_time_the_threads_ran_and_waited_for_a_processor)
{
	const struct bench_result result = measure_kind("paced");

	cr_assert_gt(result.cpu_seconds, 0);
	cr_assert_gt(result.thread_seconds, result.seconds);
	cr_assert_leq(result.thread_seconds, 6.001 * result.seconds);
	if (isnan(result.ready_seconds)) /* the kernel does not tell */
		return;
	cr_assert_geq(result.ready_seconds, 0);
	cr_assert_lt(result.cpu_seconds + result.ready_seconds, result.thread_seconds);
}

TEST(measurement, keeps_pinned_threads_where_the_workload_says)
{
	struct bench_result result;

	cr_assert_null(measure_poor_placed(BENCH_ONE, &result));
	cr_assert_eq(atomic_load(&put_on), atomic_load(&got_on));
	cr_assert_eq(atomic_load(&put_on) & (atomic_load(&put_on) - 1), 0);

	atomic_store(&put_on, 0);
	atomic_store(&got_on, 0);
	cr_assert_null(measure_poor_placed(BENCH_APART, &result));
	if (sysconf(_SC_NPROCESSORS_ONLN) > 1)
		cr_assert_eq(atomic_load(&put_on) & atomic_load(&got_on), 0);
}

/* Of ten items the producers say that they put 1, 2, 3 and 4, the consumers that they got 3 and 7. */
static struct bench_tally
say_what_was_put(void *queue, uint64_t first, const atomic_bool *stop)
{
	const uint64_t items = 1 + (first >> 40);

	(void)queue;
	(void)stop;
	return (struct bench_tally){.items = items, .sum = items};
}

static atomic_bool seven_were_got;

static struct bench_tally
say_what_was_got(void *queue, const atomic_bool *cut)
{
	const uint64_t items = atomic_exchange(&seven_were_got, true) ? 3 : 7;

	(void)queue;
	(void)cut;
	return (struct bench_tally){.items = items, .sum = items};
}

TEST(measurement, says_what_part_of_the_items_each_thread_had)
{
	struct bench_queue queue = *bench_queues[0];
	struct bench_result result;

	queue.produce = say_what_was_put;
	queue.consume = say_what_was_got;
	cr_assert_eq(bench_workloads[0].producers, 4);
	cr_assert_null(bench_measure(&queue, &bench_workloads[0], &result));
	cr_assert_float_eq(result.sent.smallest, 0.1, 1e-9);
	cr_assert_float_eq(result.sent.largest, 0.4, 1e-9);
	cr_assert_float_eq(result.received.smallest, 0.3, 1e-9);
	cr_assert_float_eq(result.received.largest, 0.7, 1e-9);
}

/* The number of the first item is 0: the sum is right. */
TEST(measurement, fails_when_the_first_item_is_lost)
{
	struct bench_result result;

	atomic_store(&lost, 0);
	cr_assert_not_null(measure_poor(&result));
}

TEST(measurement, fails_when_an_item_is_changed)
{
	struct bench_result result;

	atomic_store(&changed, 5);
	cr_assert_not_null(measure_poor(&result));
}

/*
 * A second is over after some 40 items, and whoever puts looks at the time after a block: the last item
 * of the first one is always sent, and is in the ring when all have left.
 */
TEST(measurement, of_a_queue_that_crawls_is_cut_off_and_still_verified)
{
	struct bench_result result;

	atomic_store(&crawls, true);
	cr_assert_null(measure_poor(&result));
	cr_assert(result.cut);
	cr_assert_gt(result.items, 0);

	atomic_store(&lost, BENCH_BLOCK - 1);
	cr_assert_not_null(measure_poor(&result));
}
