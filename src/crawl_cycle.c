/* SPDX-License-Identifier: MIT */
/* crawl_cycle.c - see crawl_cycle.h. */
#include "crawl_cycle.h"

#include <errno.h>
#include <stdint.h>
#include <time.h>

#include "crew.h"

static unsigned long long
now(void)
{
	struct timespec at;

	clock_gettime(CLOCK_MONOTONIC, &at);
	return (unsigned long long)at.tv_sec * 1000000000 + (unsigned long long)at.tv_nsec;
}

/* The waits: attempted first, so that who need not wait is not asked for the time either. */

static int
get_address(struct cycle *cycle, const struct address **address)
{
	int result = addresses_try_get(&cycle->addresses, address);

	if (result == EAGAIN) {
		unsigned long long begin = now();

		result = addresses_get(&cycle->addresses, address);
		cycle->waits.producers_for_addresses += now() - begin;
	}
	return result;
}

static void
put_page(struct cycle *cycle, struct page *page)
{
	if (pages_try_put(&cycle->pages, page) == EAGAIN) {
		unsigned long long begin = now();

		pages_put(&cycle->pages, page);
		cycle->waits.producers_for_room += now() - begin;
	}
}

static size_t
get_pages(struct cycle *cycle, struct page **pages)
{
	size_t capacity = pages_capacity(&cycle->pages);
	size_t max = capacity < CYCLE_BATCH ? capacity : CYCLE_BATCH;
	size_t count = pages_try_get_many(&cycle->pages, pages, max);

	if (count == 0) {
		unsigned long long begin = now();

		count = pages_get_many(&cycle->pages, pages, max);
		cycle->waits.consumers_for_pages += now() - begin;
	}
	return count;
}

static void
put_reports(struct cycle *cycle, struct report *const *reports, size_t count)
{
	size_t put = reports_try_put_many(&cycle->reports, reports, count);

	if (put < count) {
		unsigned long long begin = now();

		reports_put_many(&cycle->reports, reports + put, count - put);
		cycle->waits.consumers_for_room += now() - begin;
	}
}

/* The roles. */

static void
produce(void *argument, unsigned number)
{
	struct cycle *cycle = argument;
	const struct address *address;

	while (get_address(cycle, &address) == 0) {
		struct page *page = cycle->work->fetch(cycle->job, number, address);

		if (page != NULL)
			put_page(cycle, page);
		else
			addresses_task_done(&cycle->addresses);
	}
}

static void
consume(void *argument, unsigned number)
{
	struct cycle *cycle = argument;
	struct page *pages[CYCLE_BATCH];
	struct report *reports[CYCLE_BATCH];
	size_t count;

	(void)number; /* a consumer is like the other */
	while ((count = get_pages(cycle, pages)) > 0) {
		cycle->work->digest(cycle->job, pages, count, reports);
		put_reports(cycle, reports, count);
	}
}

static void
hand_out(struct cycle *cycle)
{
	const struct address *address;

	while ((address = frontier_next(cycle->frontier)) != NULL &&
	       addresses_try_put(&cycle->addresses, address) == 0)
		frontier_hand_out(cycle->frontier);
	cycle->waiting = frontier_size(cycle->frontier);
}

static void
lead(void *argument, unsigned number)
{
	struct cycle *cycle = argument;
	struct report *report;

	(void)number; /* there is one frontier */
	while (reports_get(&cycle->reports, &report) == 0) {
		frontier_take_back(cycle->frontier, report);
		report_free(report);
		hand_out(cycle);
		addresses_task_done(&cycle->addresses);
	}
}

int
cycle_init(struct cycle *cycle, unsigned producers, unsigned capacity, struct frontier *frontier,
	   const struct cycle_work *work, void *job)
{
	unsigned address_capacity = capacity > producers ? capacity : producers;
	int error;

	*cycle = (struct cycle){.frontier = frontier, .work = work, .job = job};
	error = addresses_init(&cycle->addresses, address_capacity, NULL);
	if (error != 0)
		return error;
	error = pages_init(&cycle->pages, capacity, NULL);
	if (error == 0) {
		error = reports_init(&cycle->reports, capacity, NULL);
		if (error == 0)
			return 0;
		pages_destroy(&cycle->pages);
	}
	addresses_destroy(&cycle->addresses);
	return error;
}

/*
 * The first addresses are handed out before there are threads: the frontier's is the only one that
 * puts any from then on, and join has something to wait for. A role is started when the one that
 * empties its queue runs: also where a start fails, whatever was fetched comes to its end.
 */
int
cycle_run(struct cycle *cycle, unsigned producer_count, unsigned consumer_count)
{
	struct crew frontier = {0}, consumers = {0}, producers = {0};
	int error;

	hand_out(cycle);
	error = crew_start(&frontier, 1, lead, cycle);
	if (error == 0)
		error = crew_start(&consumers, consumer_count, consume, cycle);
	if (error == 0)
		error = crew_start(&producers, producer_count, produce, cycle);
	if (error != 0)
		cycle_stop(cycle);

	addresses_join(&cycle->addresses);
	addresses_close(&cycle->addresses);
	crew_join(&producers);
	pages_close(&cycle->pages);
	crew_join(&consumers);
	reports_close(&cycle->reports);
	crew_join(&frontier);
	return error;
}

void
cycle_stop(struct cycle *cycle)
{
	addresses_close_discard(&cycle->addresses);
}

void
cycle_destroy(struct cycle *cycle)
{
	reports_destroy(&cycle->reports);
	pages_destroy(&cycle->pages);
	addresses_destroy(&cycle->addresses);
}
