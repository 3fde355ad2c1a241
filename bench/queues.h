/* SPDX-License-Identifier: MIT */
/*
 * queues.h - the queues that are compared.
 *
 * To add one: give it the verbs of sluice.h under a name, in a header in queues/, and add it to
 * queues.c. The mutex queue is the baseline: every other is measured against it. The queues of other
 * libraries, in peers/, are in the list only when they were built (SLUICE_BUILD_PEERS).
 */
#ifndef BENCH_QUEUES_H
#define BENCH_QUEUES_H

#include "queue.h"

extern const struct bench_queue *const bench_queues[];
extern const size_t bench_queue_count;
extern const bool bench_with_peers;

/* The mutex queue that carries the same items, as many a call. */
const struct bench_queue *bench_baseline(const struct bench_queue *queue);

#endif
