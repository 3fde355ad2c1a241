/* SPDX-License-Identifier: MIT */
/* crawl_summary.c - see crawl_summary.h. */
#include "crawl_summary.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

static double
seconds_since(struct timespec begin)
{
	struct timespec end;

	clock_gettime(CLOCK_MONOTONIC, &end);
	return (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) / 1e9;
}

void
summary_progress(const struct counts *counts, struct cycle *cycle)
{
	double seconds = seconds_since(counts->begin);
	unsigned long stored = counts->stored;

	/* The end of the line is erased: a shorter one may follow a longer one. */
	fprintf(stderr,
		"\r%lu pages, %zu queued, %.0f per second, %lu errors, queue %zu of %zu\033[K",
		stored - counts->errors, cycle->waiting + addresses_size(&cycle->addresses),
		seconds > 0 ? (double)stored / seconds : 0, counts->errors,
		pages_size(&cycle->pages), pages_capacity(&cycle->pages));
	fflush(stderr);
}

void
summary_progress_end(void)
{
	fputc('\n', stderr);
}

/* The numbers, in the order in which they are printed. */

enum figure {
	PAGES,
	REDIRECTS,
	BYTES,
	LINKS,
	ERRORS,
	SEEDS_FAILED,
	FETCHED,
	FIGURES
};

struct name {
	const char *text;
	const char *json;
};

static const struct name figure_names[FIGURES] = {
	[PAGES] = {"pages", "pages"},
	[REDIRECTS] = {"redirects", "redirects"},
	[BYTES] = {"bytes", "bytes"},
	[LINKS] = {"links", "links"},
	[ERRORS] = {"errors", "errors"},
	[SEEDS_FAILED] = {"seeds that failed", "seeds_failed"},
	[FETCHED] = {"addresses in this run", "addresses"},
};

enum duration {
	ELAPSED,
	PRODUCERS_ROOM,
	PRODUCERS_ADDRESSES,
	CONSUMERS_PAGES,
	CONSUMERS_ROOM,
	DURATIONS
};

static const struct name duration_names[DURATIONS] = {
	[ELAPSED] = {"seconds", "seconds"},
	[PRODUCERS_ROOM] = {"producers, for room", "producers_waited_for_room"},
	[PRODUCERS_ADDRESSES] = {"producers, for addresses", "producers_waited_for_addresses"},
	[CONSUMERS_PAGES] = {"consumers, for pages", "consumers_waited_for_pages"},
	[CONSUMERS_ROOM] = {"consumers, for room", "consumers_waited_for_room"},
};

static void
say_error(void *nothing, const char *reason, uint64_t count)
{
	(void)nothing;
	printf("  %-24s %12" PRIu64 "\n", reason, count);
}

static void
say_json_error(void *argument, const char *reason, uint64_t count)
{
	const char **separator = argument;

	printf("%s\"", *separator);
	for (; *reason != '\0'; reason++) {
		if ((unsigned char)*reason < ' ' || *reason == '"' || *reason == '\\')
			printf("\\u%04x", (unsigned)(unsigned char)*reason);
		else
			putchar(*reason);
	}
	printf("\": %" PRIu64, count);
	*separator = ", ";
}

static bool
print_text(struct store *store, const uint64_t *figures, const double *durations, bool stopped)
{
	for (int i = 0; i < FIGURES; i++) {
		printf("%-26s %12" PRIu64 "\n", figure_names[i].text, figures[i]);
		if (i == ERRORS && !store_errors(store, say_error, NULL))
			return false;
	}
	for (int i = 0; i < DURATIONS; i++) {
		if (i == ELAPSED + 1)
			puts("waited, all threads of a role together, in seconds:");
		printf("%s%-*s %12.2f\n", i > ELAPSED ? "  " : "", i > ELAPSED ? 24 : 26,
		       duration_names[i].text, durations[i]);
	}
	if (stopped)
		puts("stopped; --resume goes on");
	return true;
}

static bool
print_json(struct store *store, const uint64_t *figures, const double *durations, bool stopped)
{
	const char *separator = "";
	bool good;

	putchar('{');
	for (int i = 0; i < FIGURES; i++)
		printf("\"%s\": %" PRIu64 ", ", figure_names[i].json, figures[i]);
	printf("\"errors_by_reason\": {");
	good = store_errors(store, say_json_error, &separator);
	putchar('}');
	for (int i = 0; i < DURATIONS; i++)
		printf(", \"%s\": %.3f", duration_names[i].json, durations[i]);
	printf(", \"stopped\": %s}\n", stopped ? "true" : "false");
	return good;
}

bool
summary_print(const struct counts *counts, const struct cycle *cycle, struct store *store,
	      const struct store_totals *totals, bool json)
{
	const struct cycle_waits *waits = &cycle->waits;
	const uint64_t figures[FIGURES] = {
		[PAGES] = totals->pages,    [REDIRECTS] = totals->redirects,
		[BYTES] = totals->bytes,    [LINKS] = totals->links,
		[ERRORS] = totals->errors,  [SEEDS_FAILED] = totals->seeds_failed,
		[FETCHED] = counts->stored,
	};
	const double durations[DURATIONS] = {
		[ELAPSED] = seconds_since(counts->begin),
		[PRODUCERS_ROOM] = (double)waits->producers_for_room / 1e9,
		[PRODUCERS_ADDRESSES] = (double)waits->producers_for_addresses / 1e9,
		[CONSUMERS_PAGES] = (double)waits->consumers_for_pages / 1e9,
		[CONSUMERS_ROOM] = (double)waits->consumers_for_room / 1e9,
	};

	return (json ? print_json : print_text)(store, figures, durations, counts->stopped);
}
