/* SPDX-License-Identifier: MIT */
/*
 * pipeline.h - what the parts of sluice-pipeline know of each other.
 *
 * Reading order: crew.h (threads), pipeline_links.c (the queue in its three usual forms),
 * pipeline_digest.c (the queue doing real work), pipeline.c (the command line).
 */
#ifndef PIPELINE_H
#define PIPELINE_H

#include <stdbool.h>

struct options {
	unsigned producers;
	unsigned consumers;
	unsigned capacity;
	unsigned links;
	unsigned fetch_ms;
	unsigned process_ms;
	bool quiet;
	bool feeder;
	bool workers_join;
};

/* Each carries out one form of the program and returns its exit status. */
int pipeline_links(const struct options *options);
int pipeline_workers(const struct options *options);
int pipeline_digest(const struct options *options, char *const *paths);

#endif
