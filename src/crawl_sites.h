/* SPDX-License-Identifier: MIT */
/*
 * crawl_sites.h - being a polite guest: robots.txt, and not too often.
 *
 * Before a site's first page its robots.txt is fetched, by the producer that comes first; others
 * for the same site wait for it. What it says holds for the whole crawl. By RFC 9309 a site without
 * one (status 4xx) is open, and one that cannot answer for it (5xx) is closed; where no answer came
 * at all, each page of the site has the same reason.
 *
 * Between the beginnings of two fetches from a site there is the delay, or the site's own Crawl-delay
 * if that is longer; between any two fetches what the rate asks for. Each producer reserves its time
 * and sleeps until then.
 */
#ifndef CRAWL_SITES_H
#define CRAWL_SITES_H

#include "crawl_fetch.h"

struct sites;

/* rate: fetches a second, or CRAWL_NO_LIMIT. */
struct sites *sites_new(unsigned delay_ms, unsigned rate, struct stop *stop);
void sites_free(struct sites *sites);

enum sites_answer {
	SITES_OPEN,
	SITES_CLOSED, /* the page has the reason */
	SITES_STOPPED,
};

/* Returns when it is time to fetch the page, or certain that it is not to be fetched. */
enum sites_answer sites_enter(struct sites *sites, struct fetcher *fetcher, struct page *page);

#endif
