/* SPDX-License-Identifier: MIT */
/*
 * pipeline_links.c - a bounded queue in its three usual forms, with pretended work.
 *
 *   the classic run   producers fetch links, each its share -> [links] -> consumers process them
 *   --feeder          a feeder -> [feed] -> producers fetch what they get -> [links] -> consumers
 *   --workers-join    main -> [links] -> workers fetch and process, and say when an item is done
 *
 * A line ends by close, not by sentinels: once nobody puts any more, main closes the queue; gets
 * still return every item that was accepted and then EPIPE, which ends the consumers, however many
 * there are. With several stages closing cascades in the direction of flow: join those who put,
 * close, join those who get, who put into the next queue, and so on.
 *
 * --workers-join shows the other question one can ask: not "will nothing more come" but "is all
 * that came finished". A worker calls task_done after its work on an item, and join returns when
 * that has been said of every item ever put. The workers then still wait for more; closing lets
 * them go.
 *
 * When a thread cannot be started, main closes with close_discard: puts fail from then on, queued
 * items are dropped, every thread that did start runs into EPIPE, and the way out is the usual one.
 *
 * Each queue is of the flavour that its ends need. The results are one too, with room for all of
 * them, so that putting a result never waits and main can take them when all is over.
 */
#include "pipeline.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <sluice.h>

#include "crew.h"
#include "report.h"

SLUICE_DEFINE(links, unsigned)
SLUICE_DEFINE_SPMC(feed, unsigned)
SLUICE_DEFINE_MPSC(results, unsigned)

struct run {
	const struct options *options;
	struct links links;
	struct feed feed;
	struct results results;
};

/* One call is one line: stdio locks the stream for its length. */
static void say(const struct run *run, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void
say(const struct run *run, const char *format, ...)
{
	va_list arguments;

	if (run->options->quiet)
		return;
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
}

/* Against an absolute time, so that an interrupted sleep goes on where it was. */
static void
pretend_to_work(unsigned milliseconds)
{
	struct timespec end = sluice_deadline(milliseconds * UINT64_C(1000000));

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, NULL) == EINTR)
		;
}

/* Returns false when the run was broken off. */
static bool
fetch(struct run *run, unsigned number, unsigned link)
{
	pretend_to_work(run->options->fetch_ms);
	if (links_put(&run->links, link) != 0)
		return false;
	say(run, "producer %u: added item %u to the queue\n", number, link);
	return true;
}

static void
process(struct run *run, unsigned link)
{
	pretend_to_work(run->options->process_ms);
	results_put(&run->results, link * 10);
}

static void
generate_links(void *job, unsigned number)
{
	struct run *run = job;

	(void)number; /* there is one feeder */
	say(run, "feeder: is working\n");
	for (unsigned link = 0; link < run->options->links; link++) {
		if (feed_put(&run->feed, link) != 0)
			break;
	}
	say(run, "feeder: ending\n");
}

static void
produce(void *job, unsigned number)
{
	struct run *run = job;
	const struct options *options = run->options;
	unsigned link;

	say(run, "producer %u: is working\n", number);
	if (options->feeder) {
		while (feed_get(&run->feed, &link) == 0 && fetch(run, number, link))
			;
	} else {
		link = number;
		while (link < options->links && fetch(run, number, link))
			link += options->producers;
	}
	say(run, "producer %u: ending\n", number);
}

static void
consume(void *job, unsigned number)
{
	struct run *run = job;
	unsigned link;

	while (links_get(&run->links, &link) == 0) {
		say(run, "consumer %u: get item %u\n", number, link);
		process(run, link);
	}
	say(run, "consumer %u: ending\n", number);
}

static void
work(void *job, unsigned number)
{
	struct run *run = job;
	unsigned link;

	while (links_get(&run->links, &link) == 0) {
		say(run, "worker %u: get item %u\n", number, link);
		pretend_to_work(run->options->fetch_ms);
		process(run, link);
		say(run, "worker %u: done with item %u\n", number, link);
		links_task_done(&run->links);
	}
	say(run, "worker %u: ending\n", number);
}

/* No thread runs yet, so there is nothing to undo. */
static void
make_queues(struct run *run)
{
	const struct options *options = run->options;
	int error = links_init(&run->links, options->capacity, NULL);

	if (error == 0)
		error = feed_init(&run->feed, options->capacity, NULL);
	if (error == 0)
		error = results_init(&run->results, options->links > 0 ? options->links : 1, NULL);
	if (error != 0) {
		report_problem("cannot make the queues", strerror(error));
		exit(EXIT_FAILURE);
	}
}

static void
break_off(struct run *run, int error)
{
	report_problem("cannot start a thread", strerror(error));
	feed_close_discard(&run->feed);
	links_close_discard(&run->links);
}

/* Prints the results in the order in which they were completed, and their number. */
static void
print_results(struct run *run)
{
	const char *separator = "";
	unsigned result, count = 0;

	results_close(&run->results);
	printf("results: [");
	while (results_get(&run->results, &result) == 0) {
		printf("%s%u", separator, result);
		separator = ", ";
		count++;
	}
	printf("]\n%u results\n", count);
}

static int
finish(struct run *run, int error)
{
	if (error == 0)
		print_results(run);
	results_destroy(&run->results);
	feed_destroy(&run->feed);
	links_destroy(&run->links);
	return error == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int
pipeline_links(const struct options *options)
{
	struct run run = {.options = options};
	struct crew feeder = {0}, producers = {0}, consumers = {0};
	int error;

	make_queues(&run);
	error = crew_start(&consumers, options->consumers, consume, &run);
	if (error == 0)
		error = crew_start(&producers, options->producers, produce, &run);
	if (error == 0 && options->feeder)
		error = crew_start(&feeder, 1, generate_links, &run);
	if (error != 0)
		break_off(&run, error);

	crew_join(&feeder);
	feed_close(&run.feed);
	crew_join(&producers);
	links_close(&run.links);
	crew_join(&consumers);
	return finish(&run, error);
}

int
pipeline_workers(const struct options *options)
{
	struct run run = {.options = options};
	struct crew workers = {0};
	int error;

	make_queues(&run);
	error = crew_start(&workers, options->consumers, work, &run);
	if (error == 0) {
		for (unsigned link = 0; link < options->links; link++)
			links_put(&run.links, link);
		links_join(&run.links);
		say(&run, "main: every item is done\n");
		links_close(&run.links);
	} else {
		break_off(&run, error);
	}

	crew_join(&workers);
	return finish(&run, error);
}
