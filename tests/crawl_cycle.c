/* SPDX-License-Identifier: MIT */
/*
 * crawl_cycle.c - tests of the circle of queues (src/crawl_cycle.h), with pretended work and the
 * frontier as it is.
 *
 * The site is a tree of numbers: every address leads to `fan` others, as long as there are any, and
 * the threads can be held up where they work. A hang is a failure: it ends at the limit of the test.
 *
 * With NAIVE the same source is compiled as naive programs are written: with a frontier that waits
 * for room. That it comes to a standstill shows that there is something to defend against.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../src/crawl.h"
#include "../src/crawl_cycle.h"
#include "../src/crew.h"
#include "../src/memory.h"

#include "crawl_held.h"
#include "test.h"

#undef frontier_take_back
#undef crew_start

#define COUNT 5000

struct page {
	const struct address *address;
};

static struct cycle cycle;
static unsigned fan;
static atomic_uint fetches[COUNT];

/* How many have passed each place, and how many may. */
static atomic_uint fetched, digested, taken;
static atomic_uint may_digest, may_take;
static atomic_uint broken_off_from; /* fetches from this one on are broken off */

static void
wait_until(const atomic_uint *limit, unsigned passed)
{
	while (*limit <= passed)
		sched_yield();
}

static unsigned
number_of(const struct address *address)
{
	return (unsigned)strtoul(address->url + strlen("http://h/"), NULL, 10);
}

static struct page *
fetch(void *job, unsigned number, const struct address *address)
{
	struct page *page;

	(void)job, (void)number;
	if (fetched >= broken_off_from) {
		cycle_stop(&cycle);
		return NULL;
	}
	page = memory_new(sizeof *page);
	page->address = address;
	fetches[number_of(address)]++;
	fetched++;
	return page;
}

static void
digest(void *job, struct page *const *pages, size_t count, struct report **reports)
{
	(void)job;
	for (size_t i = 0; i < count; i++) {
		unsigned number = number_of(pages[i]->address);
		struct report *report = memory_new(sizeof *report);

		wait_until(&may_digest, digested);
		report->depth = pages[i]->address->depth + 1;
		report->urls = memory_resize(NULL, fan, sizeof *report->urls);
		for (unsigned child = 1; child <= fan && number * fan + child < COUNT; child++) {
			char url[40];

			snprintf(url, sizeof url, "http://h/%u", number * fan + child);
			report->urls[report->count++] = memory_copy(url);
		}
		free(pages[i]);
		reports[i] = report;
		digested++;
	}
}

void
take_back(struct frontier *frontier, const struct report *report)
{
	wait_until(&may_take, taken);
	frontier_take_back(frontier, report);
	taken++;
}

static unsigned started; /* crews */
static unsigned may_start;

/* Of the crew that is one too many the last thread cannot be started. */
int
start_crew(struct crew *crew, unsigned size, void (*role)(void *job, unsigned number), void *job)
{
	if (started++ < may_start)
		return crew_start(crew, size, role, job);
	if (size > 1)
		crew_start(crew, size - 1, role, job);
	return EAGAIN;
}

static const struct cycle_work work = {.fetch = fetch, .digest = digest};

static struct hosts *hosts;
static struct frontier *frontier;

static void
set_up(unsigned producers, unsigned capacity, unsigned with_fan)
{
	memset(fetches, 0, sizeof fetches);
	fetched = digested = taken = 0;
	may_digest = may_take = broken_off_from = UINT_MAX;
	started = 0;
	may_start = UINT_MAX;
	fan = with_fan;
	hosts = hosts_new();
	hosts_add(hosts, "h");
	frontier = frontier_new(hosts, CRAWL_NO_LIMIT, CRAWL_NO_LIMIT);
	frontier_offer(frontier, "http://h/0", 0, 0);
	cr_assert_eq(cycle_init(&cycle, producers, capacity, frontier, &work, NULL), 0);
}

#if !defined(NAIVE)
static void
tear_down(void)
{
	cr_expect_eq(addresses_size(&cycle.addresses), 0);
	cr_expect_eq(pages_size(&cycle.pages), 0);
	cr_expect_eq(reports_size(&cycle.reports), 0);
	cr_expect_eq(digested, fetched, "%u digested, %u fetched", digested, fetched);
	cr_expect_eq(taken, fetched, "%u taken back, %u fetched", taken, fetched);
	cycle_destroy(&cycle);
	frontier_free(frontier);
	hosts_free(hosts);
}

static void
expect_each_once(void)
{
	for (unsigned i = 0; i < COUNT; i++)
		cr_expect_eq(fetches[i], 1, "%u was fetched %u times", i, fetches[i]);
}

TEST(cycle, every_address_goes_round_once_whatever_the_queues_hold)
{
	static const unsigned crews[][2] = {{1, 1}, {4, 2}, {8, 1}, {1, 8}};
	static const unsigned capacities[] = {1, 2, 64};
	static const unsigned fans[] = {1, 2, COUNT}; /* a chain, a tree, all on one page */

	for (int i = 0; i < 4 * 3 * 3; i++) {
		const unsigned *crew = crews[i / 9];

		set_up(crew[0], capacities[i / 3 % 3], fans[i % 3]);
		cr_expect_eq(cycle_run(&cycle, crew[0], crew[1]), 0);
		expect_each_once();
		tear_down();
	}
}

static void *
run_cycle(void *crews)
{
	const unsigned *sizes = crews;

	cr_expect_eq(cycle_run(&cycle, sizes[0], sizes[1]), 0);
	return NULL;
}

static pthread_t
start(unsigned *crews)
{
	pthread_t thread;

	cr_assert_eq(pthread_create(&thread, NULL, run_cycle, crews), 0);
	return thread;
}

/*
 * The frontier is held up with a report in its hands, so there is one more in the queue, one for
 * which its consumer waits for room, one page in the queue, and one for which each producer waits
 * for room: every thread stands still. That takes 12 pages under way, and the frontier hands out at
 * least 8 addresses at a time: more, where producers take some meanwhile. So at least 8 are fetched
 * before its second report, with which come 8 more.
 */
TEST(cycle, with_both_queues_full_and_all_threads_waiting_it_goes_on_with_the_frontier)
{
	unsigned crews[] = {8, 1};
	pthread_t thread;

	set_up(8, 1, COUNT);
	may_digest = 1;
	thread = start(crews);
	while (taken != 1 || fetched < 1 + 8)
		sched_yield();
	may_digest = 2;
	while (taken != 2 || fetched != 2 + 1 + 1 + 8)
		sched_yield();
	may_take = 2;
	may_digest = UINT_MAX;
	while (fetched - taken != 1 + 1 + 1 + 1 + 8 || reports_size(&cycle.reports) != 1 ||
	       pages_size(&cycle.pages) != 1)
		sched_yield();
	may_take = UINT_MAX;
	pthread_join(thread, NULL);
	expect_each_once();
	tear_down();
}

/* Is all that was ever put done? */
static bool
is_joined(void)
{
	const struct timespec past = {0};

	return addresses_join_until(&cycle.addresses, &past) == 0;
}

/* The last page is held up by its consumer, then its report by the frontier. */
TEST(cycle, it_does_not_end_while_the_last_page_is_in_flight)
{
	unsigned crews[] = {4, 2};
	pthread_t thread;

	set_up(4, 64, 1);
	may_digest = may_take = COUNT - 1;
	thread = start(crews);
	while (fetched != COUNT || taken != COUNT - 1)
		sched_yield();
	cr_expect_not(is_joined());
	may_digest = UINT_MAX;
	while (digested != COUNT)
		sched_yield();
	cr_expect_not(is_joined());
	may_take = UINT_MAX;
	pthread_join(thread, NULL);
	cr_expect(is_joined());
	expect_each_once();
	tear_down();
}

TEST(cycle, stopped_it_digests_what_was_fetched_and_ends)
{
	for (unsigned from = 0; from < 100; from += 9) {
		set_up(8, 1, COUNT);
		broken_off_from = from;
		cr_expect_eq(cycle_run(&cycle, 8, 2), 0);
		cr_expect_geq(fetched, from);
		cr_expect_leq(fetched, from + 8);
		tear_down();
	}
}

TEST(cycle, where_a_thread_cannot_be_started_it_says_so_and_ends)
{
	for (unsigned crews = 0; crews < 3; crews++) {
		set_up(8, 1, COUNT);
		may_start = crews;
		cr_expect_eq(cycle_run(&cycle, 8, 2), EAGAIN);
		tear_down();
	}
}

TEST(cycle, without_an_address_it_ends_at_once)
{
	set_up(4, 64, 1);
	frontier_free(frontier);
	frontier = cycle.frontier = frontier_new(hosts, CRAWL_NO_LIMIT, CRAWL_NO_LIMIT);
	cr_expect_eq(cycle_run(&cycle, 4, 2), 0);
	tear_down();
}

#else

static void *
run_naive(void *nothing)
{
	cycle_run(&cycle, 4, 1);
	return nothing;
}

/*
 * All three queues full, a page with each producer, a report with the consumer: each waits for room
 * that only the next in the circle makes, and the frontier waits among them.
 */
TEST(naive_cycle, a_frontier_that_waits_for_room_brings_it_to_a_standstill)
{
	pthread_t thread;

	set_up(4, 1, COUNT);
	cr_assert_eq(pthread_create(&thread, NULL, run_naive, NULL), 0);
	while (addresses_size(&cycle.addresses) != 4 || pages_size(&cycle.pages) != 1 ||
	       reports_size(&cycle.reports) != 1 || fetched != taken + 1 + 1 + 1 + 4)
		sched_yield();
	pthread_detach(thread); /* for good */
}
#endif
