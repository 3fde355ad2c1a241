/* SPDX-License-Identifier: MIT */
/*
 * crawl_fetch.h - what a producer gets for an address, by libcurl.
 *
 * Each producer has a fetcher, which keeps its connections. A redirect is not followed here: it is
 * what came back for the address, and where it leads is an address like any other, which the
 * frontier may know, another site may forbid, and nobody fetches twice.
 *
 * A body is read only where it is HTML, after decompression, and only up to the limit: what is too
 * large is given up there, and never in memory as a whole.
 */
#ifndef CRAWL_FETCH_H
#define CRAWL_FETCH_H

#include <stdbool.h>
#include <stddef.h>

#include "crawl_stop.h"

#define CRAWL_AGENT "sluice-crawl"

struct address;

struct page {
	const struct address *address;
	char error
		[32]; /* the reason why there is none: a word or two, the same for the same; or "" */
	char *detail;  /* what else is known about the reason, or NULL */
	long status;   /* of HTTP, 0 where no answer came */
	char *target;  /* of a redirect, canonical, or NULL */
	char *type;    /* of the content, without its parameters, or NULL */
	char *charset; /* as named with the type, or NULL */
	char *bytes;
	size_t size;
	unsigned milliseconds; /* that the answer took */
};

struct page *page_new(const struct address *address);
void page_free(struct page *page);

/* Sets the reason, and what else is known about it (or NULL). */
void page_fail(struct page *page, const char *error, const char *detail);

struct fetcher;

/* Before there are threads, and after. */
void fetch_begin(void);
void fetch_end(void);

/* Returns NULL when libcurl refuses. */
struct fetcher *fetcher_new(unsigned timeout_ms, size_t max_bytes, const struct stop *stop);
void fetcher_free(struct fetcher *fetcher);

enum fetch_what {
	FETCH_HTML,
	FETCH_ROBOTS, /* of any type, what is too large is cut off, redirects are followed */
};

/* Fills the page in. Returns false when it was broken off by stop. */
bool fetcher_fetch(struct fetcher *fetcher, enum fetch_what what, const char *url,
		   struct page *page);

#endif
