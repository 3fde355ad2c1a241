/* SPDX-License-Identifier: MIT */
/*
 * crawl.h - the crawler: its vocabulary, its options, and where to read on.
 *
 *                 +---- [addresses] ----> producers ---- [pages] ----+
 *                 |                       (fetch)                    v
 *              frontier                                          consumers --> database
 *                 ^                                                  |
 *                 +--------------------- [reports] ------------------+
 *
 * Vocabulary
 *
 *   address   a URL in its one canonical form; each is fetched once
 *   page      what came back for an address: HTML, or the reason why not. Every address that was
 *             handed to a producer becomes exactly one row of the database
 *   report    what a consumer found out about an address: where the page leads
 *   frontier  who knows every address that was ever met, and hands out those not yet fetched
 *   site      scheme, host and port: what has one robots.txt and is spared by --delay
 *   depth     how many links lead to an address from a seed; a redirect is none
 *
 * Reading order: crawl_cycle.h (the queues, why they cannot deadlock, when they end),
 * crawl_frontier.h, crawl_address.h, crawl_hosts.h, crawl_stop.h, crawl_fetch.h, crawl_sites.h,
 * crawl_robots.h, crawl_page.h, crawl_store.h, crawl_summary.h, crawl.c (all of it together).
 */
#ifndef CRAWL_H
#define CRAWL_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#define CRAWL_NO_LIMIT UINT_MAX

struct crawl_options {
	unsigned producers;
	unsigned consumers;
	unsigned capacity;
	unsigned depth;     /* or CRAWL_NO_LIMIT */
	unsigned max_pages; /* or CRAWL_NO_LIMIT */
	unsigned max_bytes;
	unsigned delay_ms;
	unsigned timeout_ms;
	unsigned rate; /* fetches a second, or CRAWL_NO_LIMIT */
	const char *db;
	bool resume;
	bool quiet;
	bool json;
	char **seeds; /* addresses, NULL behind the last; or NULL for none */
	char **hosts; /* those of the seeds and those named, likewise */
};

/* Returns the exit status when the program ends here, or -1 when it goes on. */
int crawl_parse(int argc, char **argv, struct crawl_options *options);
void crawl_options_free(struct crawl_options *options);

#endif
