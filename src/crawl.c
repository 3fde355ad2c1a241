/* SPDX-License-Identifier: MIT */
/*
 * crawl.c - sluice-crawl: the parts of the crawler, put together.
 *
 * A run has no other memory of earlier ones than the database: it writes its seeds down there, and
 * reads back what is known and what waits. For a new crawl these are the seeds.
 *
 * Signals are blocked in every thread and taken by one that waits for them. The first SIGINT or
 * SIGTERM stops the crawl: sleeping and fetching are broken off, what was fetched is stored. The next
 * ends the program as if nobody had asked for it, which harms nothing.
 */
#include "crawl.h"

#include <errno.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "crawl_cycle.h"
#include "crawl_fetch.h"
#include "crawl_page.h"
#include "crawl_sites.h"
#include "crawl_store.h"
#include "crawl_summary.h"
#include "crew.h"
#include "memory.h"
#include "report.h"

#define HOPS_MAX 10 /* redirects in a row; browsers go up to 20 */

#define PROGRESS_NANOSECONDS 250000000

struct crawl {
	struct crawl_options options;
	struct hosts *hosts;
	struct frontier *frontier;
	struct store *store;
	struct sites *sites;
	struct fetcher **fetchers; /* one for each producer */
	struct stop stop;
	struct cycle cycle;
	struct counts counts;
	atomic_bool over;
};

/* Producers. */

static struct page *
fetch(void *job, unsigned number, const struct address *address)
{
	struct crawl *crawl = job;
	struct fetcher *fetcher = crawl->fetchers[number];
	struct page *page = page_new(address);
	enum sites_answer answer = sites_enter(crawl->sites, fetcher, page);

	if (answer == SITES_CLOSED ||
	    (answer == SITES_OPEN && fetcher_fetch(fetcher, FETCH_HTML, address->url, page)))
		return page;
	page_free(page);
	return NULL;
}

/* Consumers. */

/* Reads the page, or finds the reason why not. Returns whether there is content. */
static bool
read_page(const struct crawl *crawl, struct page *page, struct content *content)
{
	const char *problem;

	if (page->error[0] != '\0')
		return false;
	if (page->target != NULL) {
		if (!hosts_contain(crawl->hosts, page->target))
			page_fail(page, "redirect off the hosts", NULL);
		else if (page->address->hops == HOPS_MAX)
			page_fail(page, "too many redirects", NULL);
		return false;
	}
	problem = page_read(page->address->url, page->charset, page->bytes, page->size, content);
	if (problem != NULL)
		page_fail(page, problem, page->charset);
	return problem == NULL;
}

/* Takes the links over. content: or NULL. */
static struct report *
make_report(struct page *page, struct content *content)
{
	struct report *report = memory_new(sizeof *report);

	report->depth = page->address->depth;
	if (content != NULL) {
		report->depth++;
		report->urls = content->links;
		report->count = content->link_count;
		content->links = NULL;
		content->link_count = 0;
	} else if (page->target != NULL && page->error[0] == '\0') {
		report->hops = page->address->hops + 1;
		report->urls = memory_resize(NULL, 1, sizeof *report->urls);
		report->urls[0] = memory_copy(page->target);
		report->count = 1;
	}
	return report;
}

static void
stop(struct crawl *crawl)
{
	stop_call(&crawl->stop);
	cycle_stop(&crawl->cycle);
}

static void
digest(void *job, struct page *const *pages, size_t count, struct report **reports)
{
	struct crawl *crawl = job;
	struct content contents[CYCLE_BATCH] = {0};
	struct store_row rows[CYCLE_BATCH];

	for (size_t i = 0; i < count; i++) {
		bool good = read_page(crawl, pages[i], &contents[i]);

		rows[i] = (struct store_row){pages[i], good ? &contents[i] : NULL};
		crawl->counts.errors += pages[i]->error[0] != '\0';
	}
	if (store_rows(crawl->store, rows, count)) {
		crawl->counts.stored += count;
	} else {
		crawl->counts.failed = true;
		stop(crawl);
	}
	for (size_t i = 0; i < count; i++) {
		reports[i] = make_report(pages[i], rows[i].content != NULL ? &contents[i] : NULL);
		content_free(&contents[i]);
		page_free(pages[i]);
	}
}

static const struct cycle_work work = {.fetch = fetch, .digest = digest};

/* Signals, and the progress. */

static sigset_t
signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGUSR1); /* from this program itself: it is over */
	return set;
}

static void
die_of(int number)
{
	sigset_t set = signals();

	signal(number, SIG_DFL);
	raise(number);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

static void
watch(void *job, unsigned number)
{
	struct crawl *crawl = job;
	const struct timespec pause = {.tv_nsec = PROGRESS_NANOSECONDS};
	bool progress = !crawl->options.quiet && isatty(STDERR_FILENO);
	sigset_t set = signals();

	(void)number; /* there is one watch */
	while (!crawl->over) {
		int taken = sigtimedwait(&set, NULL, progress ? &pause : NULL);

		if (taken == SIGINT || taken == SIGTERM) {
			if (crawl->counts.stopped)
				die_of(taken);
			crawl->counts.stopped = true;
			stop(crawl);
		}
		if (progress)
			summary_progress(&crawl->counts, &crawl->cycle);
	}
	if (progress)
		summary_progress_end();
}

/* Beginning and end. */

static bool
open_store(struct crawl *crawl)
{
	const struct crawl_options *options = &crawl->options;

	crawl->store = store_open(options->db, options->resume);
	return crawl->store != NULL &&
	       store_remember(crawl->store, options->seeds, options->hosts) &&
	       store_recall(crawl->store, crawl->hosts, crawl->frontier);
}

/* Returns 0, or why it cannot be done. */
static int
run(struct crawl *crawl)
{
	const struct crawl_options *options = &crawl->options;
	struct crew watchers = {0};
	int error;

	clock_gettime(CLOCK_MONOTONIC, &crawl->counts.begin);
	error = crew_start(&watchers, 1, watch, crawl);
	if (error == 0)
		error = cycle_run(&crawl->cycle, options->producers, options->consumers);
	crawl->over = true;
	kill(getpid(), SIGUSR1);
	crew_join(&watchers);
	return error;
}

/* Returns the exit status. */
static int
conclude(struct crawl *crawl)
{
	struct store_totals totals;

	if (!store_sum(crawl->store, &totals))
		return EXIT_FAILURE;
	if (!crawl->options.quiet && !summary_print(&crawl->counts, &crawl->cycle, crawl->store,
						    &totals, crawl->options.json))
		return EXIT_FAILURE;
	return crawl->counts.failed || totals.seeds_failed > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* No thread runs yet and nothing is stored, so there is nothing to undo. */
static void
prepare(struct crawl *crawl)
{
	const struct crawl_options *options = &crawl->options;
	int error = stop_init(&crawl->stop);

	crawl->hosts = hosts_new();
	crawl->frontier = frontier_new(crawl->hosts, options->depth, options->max_pages);
	crawl->sites = sites_new(options->delay_ms, options->rate, &crawl->stop);
	if (error == 0)
		error = cycle_init(&crawl->cycle, options->producers, options->capacity,
				   crawl->frontier, &work, crawl);
	if (error != 0) {
		report_problem("cannot make the queues", strerror(error));
		exit(EXIT_FAILURE);
	}
	crawl->fetchers = memory_new(options->producers * sizeof(struct fetcher *));
	for (unsigned i = 0; i < options->producers; i++) {
		crawl->fetchers[i] =
			fetcher_new(options->timeout_ms, options->max_bytes, &crawl->stop);
		if (crawl->fetchers[i] == NULL) {
			report_problem("cannot set up libcurl", "it refuses an option");
			exit(EXIT_FAILURE);
		}
	}
}

static void
dispose(struct crawl *crawl)
{
	for (unsigned i = 0; i < crawl->options.producers; i++)
		fetcher_free(crawl->fetchers[i]);
	free(crawl->fetchers);
	cycle_destroy(&crawl->cycle);
	sites_free(crawl->sites);
	frontier_free(crawl->frontier);
	hosts_free(crawl->hosts);
	stop_destroy(&crawl->stop);
}

static int
crawl_all(struct crawl *crawl)
{
	int status = EXIT_FAILURE;
	int error;

	prepare(crawl);
	if (open_store(crawl)) {
		error = run(crawl);
		if (error != 0)
			report_problem("cannot start a thread", strerror(error));
		else
			status = conclude(crawl);
	}
	if (crawl->store != NULL && !store_close(crawl->store))
		status = EXIT_FAILURE;
	dispose(crawl);
	return status;
}

int
main(int argc, char **argv)
{
	static char name[] = "sluice-crawl"; /* what getopt begins its messages with */
	static struct crawl crawl;
	sigset_t set = signals();
	int status;

	report_begin(name);
	argv[0] = name;
	setlocale(LC_CTYPE, "C.UTF-8"); /* for names of hosts */
	signal(SIGPIPE, SIG_IGN);       /* a server that hangs up is no reason to end */
	fetch_begin();
	page_begin();
	status = crawl_parse(argc, argv, &crawl.options);
	if (status < 0) {
		pthread_sigmask(SIG_BLOCK, &set, NULL);
		status = crawl_all(&crawl);
	}
	crawl_options_free(&crawl.options);
	page_end();
	fetch_end();
	return report_end(status);
}
