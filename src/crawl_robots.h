/* SPDX-License-Identifier: MIT */
/*
 * crawl_robots.h - what a robots.txt allows, by RFC 9309.
 *
 * The rules of the groups that name this program, or of those for "*" where none does. The longest
 * rule that matches a path decides, and of two equally long ones the one that allows; "*" stands for
 * anything, "$" at the end for the end. Crawl-delay, which the RFC does not know, is read as well.
 */
#ifndef CRAWL_ROBOTS_H
#define CRAWL_ROBOTS_H

#include <stdbool.h>
#include <stddef.h>

struct robots;

/* text: `size` bytes of anything. agent: the name of this program in small letters. */
struct robots *robots_parse(const char *text, size_t size, const char *agent);
void robots_free(struct robots *robots);

/* May this be fetched? path: of a canonical address, with its query. */
bool robots_allow(const struct robots *robots, const char *path);

/* The least milliseconds between two fetches; 0 when nothing is said. */
unsigned robots_delay(const struct robots *robots);

#endif
