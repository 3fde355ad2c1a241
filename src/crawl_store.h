/* SPDX-License-Identifier: MIT */
/*
 * crawl_store.h - what was found, in an SQLite database.
 *
 *   seeds   url
 *   hosts   name
 *   pages   id, url, depth, hops, status, error, detail, target, type, bytes, title, length,
 *           milliseconds: one row for every address that was fetched or given up; error is NULL
 *           where that went well, target is where a redirect leads
 *   links   page, url: each address that a page links to, once
 *
 * A batch of pages is one transaction: rows and links of all of them, or of none. The database is
 * in WAL mode, so that it can be read while the crawl runs, and is whole whenever the program, or the
 * machine, is ended. (After a failure of the power the last transactions may be missing.)
 *
 * Which addresses were met but not yet fetched is not written down: they are the links and targets
 * without a row.
 *
 * A redirect that leads round in a circle ends as rows, each of a redirect. The one that closes the
 * circle finds the others here, and turns them into errors, and those that lead into it; and one that
 * comes later and leads into it finds that. So it does not matter which producer meets which first.
 *
 * One connection, which its users take in turns: SQLite has one writer at a time anyway. Any number
 * of threads, but for open and close. What goes wrong is said on stderr in one line.
 */
#ifndef CRAWL_STORE_H
#define CRAWL_STORE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "crawl_fetch.h"
#include "crawl_frontier.h"
#include "crawl_hosts.h"
#include "crawl_page.h"

struct store;

/*
 * store_open - makes the database, or with `resume` opens one that is there. Returns NULL if that
 * cannot be done, if there is one already, or if another crawl is using it.
 */
struct store *store_open(const char *path, bool resume);
bool store_close(struct store *store);

/* Writes seeds and hosts down (lists with NULL behind the last, or NULL), */
bool store_remember(struct store *store, char *const *seeds, char *const *hosts);
/* and gives hosts back, and the frontier what is stored and what is not yet. */
bool store_recall(struct store *store, struct hosts *hosts, struct frontier *frontier);

struct store_row {
	const struct page *page;
	const struct content *content; /* or NULL */
};

bool store_rows(struct store *store, const struct store_row *rows, size_t count);

/* All that is stored. */
struct store_totals {
	uint64_t pages; /* rows without error that are no redirect */
	uint64_t redirects;
	uint64_t errors;
	uint64_t bytes; /* of pages */
	uint64_t links;
	uint64_t seeds_failed; /* which lead to no page, by whatever redirects */
};

bool store_sum(struct store *store, struct store_totals *totals);

/* Calls say(argument, reason, how often) for each reason, the most frequent first. */
bool store_errors(struct store *store,
		  void (*say)(void *argument, const char *reason, uint64_t count), void *argument);

#endif
