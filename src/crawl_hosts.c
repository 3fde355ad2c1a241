/* SPDX-License-Identifier: MIT */
/* crawl_hosts.c - see crawl_hosts.h. */
#define _GNU_SOURCE /* tdestroy, asprintf */
#include "crawl_hosts.h"

#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crawl_address.h"
#include "memory.h"

struct hosts {
	void *names; /* a tree of them */
};

static int
compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

struct hosts *
hosts_new(void)
{
	return memory_new(sizeof(struct hosts));
}

void
hosts_free(struct hosts *hosts)
{
	tdestroy(hosts->names, free);
	free(hosts);
}

char *
hosts_name(const char *name)
{
	char *reference, *url, *host = NULL;

	if (asprintf(&reference, "http://%s/", name) < 0)
		memory_end();
	url = address_resolve(NULL, reference);
	free(reference);
	if (url != NULL && strcmp(address_path(url), "/") == 0)
		host = address_host(url);
	free(url);
	return host;
}

void
hosts_add(struct hosts *hosts, const char *name)
{
	char *host = memory_copy(name);

	if (*(char **)tsearch(host, &hosts->names, compare) != host)
		free(host);
}

bool
hosts_contain(const struct hosts *hosts, const char *url)
{
	char *host = address_host(url);
	bool found = tfind(host, &hosts->names, compare) != NULL;

	free(host);
	return found;
}
