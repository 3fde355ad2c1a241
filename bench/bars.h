/* SPDX-License-Identifier: MIT */
/*
 * bars.h - how fast Sluice claims to be, and whether it is.
 *
 *	harness_register_for(bars_mention, BARS_PEER_REPETITIONS);
 *	harness_run(...);
 *	harness_report(...);
 *	met = bars_report(stdout);
 *
 * A bar is a number that a row must reach: mostly its rate as a multiple of the mutex baseline's, the
 * median of its repetitions. Where the queues of other libraries took part, Sluice's queue must
 * further be ahead of all those in its workload that sleep, and at 4:2/64 of all.
 */
#ifndef BENCH_BARS_H
#define BENCH_BARS_H

#include <stdbool.h>
#include <stdio.h>

#include "harness.h"

/* How often a row is run. Those of other libraries are many, and far away: less often. */
#define BARS_REPETITIONS      20
#define BARS_PEER_REPETITIONS 5

/* Whether a bar is about the row of that name, and which queues it must be ahead of. */
bool bars_mention(const char *row, enum harness_rivals *rivals);

/*
 * Print each bar, what was measured, and whether it is met; nothing if nothing was measured. Returns
 * whether all that were measured are met.
 */
bool bars_report(FILE *out);

#endif
