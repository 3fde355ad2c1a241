/* SPDX-License-Identifier: MIT */
/*
 * crawl_hosts.h - the hosts that a crawl keeps within, by name; any port of them.
 *
 * Any number of threads, once all are added.
 */
#ifndef CRAWL_HOSTS_H
#define CRAWL_HOSTS_H

#include <stdbool.h>

struct hosts;

struct hosts *hosts_new(void);
void hosts_free(struct hosts *hosts);

/* The name as it stands in canonical addresses, to be freed; or NULL: it is none. */
char *hosts_name(const char *name);

/* Before there are threads. name: as it stands in canonical addresses. */
void hosts_add(struct hosts *hosts, const char *name);

/* Is this canonical address on one of them? */
bool hosts_contain(const struct hosts *hosts, const char *url);

#endif
