/* SPDX-License-Identifier: MIT */
/*
 * crawl_site.h - a web site on loopback that knows what a crawler must find there.
 *
 *	site_start(&site, 2000);              from now on http://127.0.0.1:PORT/ answers
 *	... a crawler runs, in a process of its own ...
 *	site_find(&site, "/p/7")->requests    how often that was asked for
 *
 * The site is the same every time. It has `count` numbered pages, each with links to others in every
 * spelling there is, and cycles all over; among them large and slow ones. Beside them stand the
 * addresses with which something is wrong, or which lead elsewhere. For each address the truth is
 * written down next to what is sent: the row that a crawler must store.
 *
 * The server is a thread for each connection, and lives as long as the process.
 */
#ifndef CRAWL_SITE_H
#define CRAWL_SITE_H

#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#define SITE_MAX_BYTES 300000 /* the --max-bytes to crawl it with */

#define SITE_FAR UINT_MAX

struct site_page {
	char *path;
	char *url;

	/* What is sent. */
	int status;
	const char *header; /* further lines, each with its end */
	const char *type;   /* or NULL */
	char *body;
	size_t size;
	unsigned slow_ms;
	enum {
		SITE_WHOLE,
		SITE_UNANNOUNCED, /* no Content-Length: the end is where the connection ends */
		SITE_CUT,         /* more was announced */
		SITE_HANG_UP,     /* nothing is sent */
		SITE_NEVER        /* nor is the connection closed */
	} manner;

	/* What is true of it. */
	const char *error; /* NULL: none */
	char *target;      /* a URL, or NULL */
	char *title;       /* or NULL */
	size_t length;
	char **links; /* URLs, each once */
	size_t link_count;
	bool forbidden; /* by robots.txt: never to be asked for */
	unsigned depth; /* the least number of links from "/" */

	atomic_uint requests;
};

struct site {
	unsigned port;
	char url[64]; /* of "/" */
	struct site_page *pages;
	size_t page_count;
	struct site_page robots; /* as it is sent; forbids /private/ */

	/* Called by a server thread that has read a request, before it answers; or NULL. number counts
	 * from 1; that for robots.txt is 0, and has no page. */
	void (*on_request)(struct site *site, struct site_page *page, unsigned number);
	void *argument;
	atomic_uint requests; /* of all, robots.txt left out */
	atomic_uint robots_requests;
	atomic_uint agents; /* requests that named sluice-crawl */
	atomic_uint strays; /* requests for what is not there */

	int listener;
};

/* Aborts where the machine does not let it. */
void site_start(struct site *site, unsigned count);

/* NULL: there is none. path as it is sent. */
struct site_page *site_find(struct site *site, const char *path);

/* By the whole URL. */
struct site_page *site_find_url(struct site *site, const char *url);

#endif
