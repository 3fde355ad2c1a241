/* SPDX-License-Identifier: MIT */
/* crawl_frontier.c - see crawl_frontier.h. */
#define _GNU_SOURCE /* tdestroy */
#include "crawl_frontier.h"

#include <search.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "crawl.h"
#include "memory.h"

/* One address that was met, in the set of all, and in the list of its depth while it waits. */
struct met {
	struct address address;
	bool waits;
	TAILQ_ENTRY(met) others;
	char url[];
};

TAILQ_HEAD(met_list, met);

struct frontier {
	void *seen; /* a tree of struct met, by URL */
	const struct hosts *hosts;
	unsigned depth_max;
	unsigned left; /* how many may still be handed out, or CRAWL_NO_LIMIT */

	struct met_list *levels; /* those that wait, by depth */
	unsigned level_count;
	unsigned level; /* every list below is empty */
	size_t size;
	size_t out; /* handed out and not back */
};

void
report_free(struct report *report)
{
	for (size_t i = 0; i < report->count; i++)
		free(report->urls[i]);
	free(report->urls);
	free(report);
}

static int
compare(const void *a, const void *b)
{
	return strcmp(((const struct met *)a)->address.url, ((const struct met *)b)->address.url);
}

struct frontier *
frontier_new(const struct hosts *hosts, unsigned depth, unsigned max)
{
	struct frontier *frontier = memory_new(sizeof *frontier);

	frontier->hosts = hosts;
	frontier->depth_max = depth;
	frontier->left = max;
	return frontier;
}

void
frontier_free(struct frontier *frontier)
{
	tdestroy(frontier->seen, free);
	free(frontier->levels);
	free(frontier);
}

static struct met *
find(const struct frontier *frontier, const char *url)
{
	struct met key = {.address.url = url};
	struct met **found = tfind(&key, &frontier->seen, compare);

	return found != NULL ? *found : NULL;
}

static struct met *
add(struct frontier *frontier, const char *url)
{
	size_t bytes = strlen(url) + 1;
	struct met *met = memory_new(sizeof *met + bytes);

	memcpy(met->url, url, bytes);
	met->address.url = met->url;
	tsearch(met, &frontier->seen, compare);
	return met;
}

static struct met_list *
level_of(struct frontier *frontier, unsigned depth)
{
	if (depth >= frontier->level_count) {
		unsigned count = depth + 1 + depth / 2;
		/* A list knows where it stands, so each is moved for itself. */
		struct met_list *levels = memory_new(count * sizeof *levels);

		for (unsigned i = 0; i < count; i++) {
			TAILQ_INIT(&levels[i]);
			if (i < frontier->level_count)
				TAILQ_CONCAT(&levels[i], &frontier->levels[i], others);
		}
		free(frontier->levels);
		frontier->levels = levels;
		frontier->level_count = count;
	}
	return &frontier->levels[depth];
}

static void
wait_at(struct frontier *frontier, struct met *met, unsigned depth, unsigned hops)
{
	met->address.depth = depth;
	met->address.hops = hops;
	met->waits = true;
	TAILQ_INSERT_TAIL(level_of(frontier, depth), met, others);
	frontier->size++;
	if (depth < frontier->level)
		frontier->level = depth;
}

static void
wait_no_more(struct frontier *frontier, struct met *met)
{
	met->waits = false;
	TAILQ_REMOVE(level_of(frontier, met->address.depth), met, others);
	frontier->size--;
}

static void
count_one(struct frontier *frontier)
{
	if (frontier->left != CRAWL_NO_LIMIT && frontier->left > 0)
		frontier->left--;
}

void
frontier_know(struct frontier *frontier, const char *url)
{
	if (find(frontier, url) == NULL) {
		add(frontier, url);
		count_one(frontier);
	}
}

void
frontier_offer(struct frontier *frontier, const char *url, unsigned depth, unsigned hops)
{
	struct met *met = find(frontier, url);

	if (met == NULL) {
		if (depth <= frontier->depth_max && hosts_contain(frontier->hosts, url))
			wait_at(frontier, add(frontier, url), depth, hops);
	} else if (met->waits && depth < met->address.depth) {
		wait_no_more(frontier, met);
		wait_at(frontier, met, depth, hops);
	}
}

/* The first of those that wait, of whatever depth. */
static struct met *
first(const struct frontier *frontier)
{
	for (unsigned depth = frontier->level; depth < frontier->level_count; depth++) {
		if (!TAILQ_EMPTY(&frontier->levels[depth]))
			return TAILQ_FIRST(&frontier->levels[depth]);
	}
	return NULL;
}

const struct address *
frontier_next(const struct frontier *frontier)
{
	const struct met *met = first(frontier);

	if (met == NULL || frontier->left == 0)
		return NULL;
	if (frontier->depth_max != CRAWL_NO_LIMIT && frontier->out > 0 &&
	    met->address.depth > frontier->level)
		return NULL;
	return &met->address;
}

void
frontier_hand_out(struct frontier *frontier)
{
	struct met *met = first(frontier);

	if (met == NULL)
		return;
	frontier->level = met->address.depth;
	wait_no_more(frontier, met);
	frontier->out++;
	count_one(frontier);
}

void
frontier_take_back(struct frontier *frontier, const struct report *report)
{
	frontier->out--;
	for (size_t i = 0; i < report->count; i++)
		frontier_offer(frontier, report->urls[i], report->depth, report->hops);
}

size_t
frontier_size(const struct frontier *frontier)
{
	return frontier->size;
}
