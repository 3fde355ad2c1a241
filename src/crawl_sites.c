/* SPDX-License-Identifier: MIT */
/* crawl_sites.c - see crawl_sites.h. */
#define _GNU_SOURCE /* tdestroy, asprintf */
#include "crawl_sites.h"

#include <pthread.h>
#include <search.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crawl.h"
#include "crawl_address.h"
#include "crawl_robots.h"
#include "memory.h"

struct site {
	char *name;
	enum {
		UNKNOWN,
		ASKING, /* somebody is fetching its robots.txt */
		KNOWN
	} state;
	struct robots *robots; /* what it said, or NULL with */
	struct page *problem;  /* the reason why it said nothing */
	uint64_t next;         /* when it may be fetched from again */
	uint64_t delay;
};

struct sites {
	pthread_mutex_t lock; /* for all of it */
	pthread_cond_t known; /* a site is no longer being asked */
	void *tree;
	struct stop *stop;
	uint64_t next;
	uint64_t interval;
	uint64_t delay; /* nanoseconds, as the other two */
};

static int
compare(const void *a, const void *b)
{
	return strcmp(((const struct site *)a)->name, ((const struct site *)b)->name);
}

struct sites *
sites_new(unsigned delay_ms, unsigned rate, struct stop *stop)
{
	struct sites *sites = memory_new(sizeof *sites);

	pthread_mutex_init(&sites->lock, NULL);
	pthread_cond_init(&sites->known, NULL);
	sites->stop = stop;
	sites->delay = delay_ms * UINT64_C(1000000);
	sites->interval = rate == CRAWL_NO_LIMIT ? 0 : 1000000000 / rate;
	return sites;
}

static void
free_site(void *argument)
{
	struct site *site = argument;

	robots_free(site->robots);
	if (site->problem != NULL)
		page_free(site->problem);
	free(site->name);
	free(site);
}

void
sites_free(struct sites *sites)
{
	tdestroy(sites->tree, free_site);
	pthread_cond_destroy(&sites->known);
	pthread_mutex_destroy(&sites->lock);
	free(sites);
}

/* The lock held. */
static struct site *
find(struct sites *sites, const char *url)
{
	struct site *site = memory_new(sizeof *site);
	struct site *found;

	site->name = address_site(url);
	site->delay = sites->delay;
	found = *(struct site **)tsearch(site, &sites->tree, compare);
	if (found != site)
		free_site(site);
	return found;
}

/* Reserves the next time that is free, and sleeps until then. */
static bool
take_turn(struct sites *sites, uint64_t *next, const uint64_t *distance)
{
	struct timespec at = sluice_deadline(0);
	uint64_t now = (uint64_t)at.tv_sec * 1000000000 + (uint64_t)at.tv_nsec;
	uint64_t turn;

	pthread_mutex_lock(&sites->lock);
	turn = *next > now ? *next : now;
	*next = turn + *distance;
	pthread_mutex_unlock(&sites->lock);
	if (turn == now)
		return !stop_was_called(sites->stop);
	return stop_sleep_until(sites->stop, sluice_deadline(turn - now));
}

static bool
take_turns(struct sites *sites, struct site *site)
{
	return take_turn(sites, &site->next, &site->delay) &&
	       take_turn(sites, &sites->next, &sites->interval);
}

/* What the answer to the question for robots.txt means. The lock held. */
static void
learn(struct site *site, struct page *answer)
{
	bool failed = answer->error[0] != '\0';
	bool broken = failed && answer->status < 300; /* also where no status came */

	if (broken || answer->status >= 500) {
		char *detail;

		if (asprintf(&detail, "robots.txt: %s",
			     answer->detail != NULL ? answer->detail : answer->error) < 0)
			memory_end();
		if (!broken)
			page_fail(answer, "robots.txt", NULL);
		free(answer->detail);
		answer->detail = detail;
		site->problem = answer;
		return;
	}
	if (failed) /* there is none */
		answer->size = 0;
	site->robots = robots_parse(answer->bytes, answer->size, CRAWL_AGENT);
	if (robots_delay(site->robots) * UINT64_C(1000000) > site->delay)
		site->delay = robots_delay(site->robots) * UINT64_C(1000000);
	page_free(answer);
}

/* Returns false when it was broken off. The site is this thread's to ask. */
static bool
ask(struct sites *sites, struct site *site, struct fetcher *fetcher)
{
	struct page *answer = page_new(NULL);
	char *url;
	bool asked;

	if (asprintf(&url, "%s/robots.txt", site->name) < 0)
		memory_end();
	asked = take_turns(sites, site) && fetcher_fetch(fetcher, FETCH_ROBOTS, url, answer);
	free(url);

	pthread_mutex_lock(&sites->lock);
	if (asked)
		learn(site, answer);
	site->state = asked ? KNOWN : UNKNOWN;
	pthread_cond_broadcast(&sites->known);
	pthread_mutex_unlock(&sites->lock);
	if (!asked)
		page_free(answer);
	return asked;
}

enum sites_answer
sites_enter(struct sites *sites, struct fetcher *fetcher, struct page *page)
{
	const char *url = page->address->url;
	struct site *site;
	bool mine;

	pthread_mutex_lock(&sites->lock);
	site = find(sites, url);
	while (site->state == ASKING)
		pthread_cond_wait(&sites->known, &sites->lock);
	mine = site->state == UNKNOWN;
	if (mine)
		site->state = ASKING;
	pthread_mutex_unlock(&sites->lock);

	if (mine && !ask(sites, site, fetcher))
		return SITES_STOPPED;
	/* Known, and so it stays as it is. */
	if (site->problem != NULL) {
		page_fail(page, site->problem->error, site->problem->detail);
		return SITES_CLOSED;
	}
	if (!robots_allow(site->robots, address_path(url))) {
		page_fail(page, "robots.txt", "not allowed");
		return SITES_CLOSED;
	}
	return take_turns(sites, site) ? SITES_OPEN : SITES_STOPPED;
}
