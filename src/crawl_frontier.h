/* SPDX-License-Identifier: MIT */
/*
 * crawl_frontier.h - every address that was ever met, and the order in which they are handed out.
 *
 * Each address is handed out once, within the given hosts, up to a depth, and so many at most; those
 * of the least depth first, then in the order in which they were met. The list of what waits is as
 * long as it gets: addresses take little room, pages take much, and pages are what the queues bound.
 *
 * A depth is the least number of links that lead there only if no deeper address is fetched earlier:
 * a page that answers slowly may be the short way to an address that was met by a detour. So where
 * depth decides what is fetched, nothing of the next depth is handed out before all of this one is
 * back. Without a limit nobody waits, and the depth is that of the way by which an address was met.
 *
 * One thread at a time. Whatever is handed out stays where it is until frontier_free.
 */
#ifndef CRAWL_FRONTIER_H
#define CRAWL_FRONTIER_H

#include <stddef.h>

#include "crawl_address.h"
#include "crawl_hosts.h"

struct frontier;

/* Where the page of one address leads: to these, of this depth, by so many redirects. */
struct report {
	unsigned depth;
	unsigned hops;
	size_t count;
	char **urls;
};

void report_free(struct report *report);

/* max: how many are handed out, or CRAWL_NO_LIMIT. */
struct frontier *frontier_new(const struct hosts *hosts, unsigned depth, unsigned max);
void frontier_free(struct frontier *frontier);

/* It was fetched in an earlier run: it is not handed out, and counts as if it had been. */
void frontier_know(struct frontier *frontier, const char *url);

/* Adds it, unless it lies outside. If it waits already, it may come nearer by this. */
void frontier_offer(struct frontier *frontier, const char *url, unsigned depth, unsigned hops);

/* The next to hand out, or NULL if there is none now. It stays the next until it was handed out. */
const struct address *frontier_next(const struct frontier *frontier);
void frontier_hand_out(struct frontier *frontier);

/* One that was handed out is back, and leads there. */
void frontier_take_back(struct frontier *frontier, const struct report *report);

/* How many wait. */
size_t frontier_size(const struct frontier *frontier);

#endif
