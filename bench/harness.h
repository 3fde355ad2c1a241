/* SPDX-License-Identifier: MIT */
/*
 * harness.h - the rows of the comparison, run by Google Benchmark, and the table at the end.
 *
 *	harness_register(quick);	after gbench_init
 *	harness_run(9);
 *	failed = harness_report(stdout, "what machine this is");
 *
 * A row is a workload with a queue, such as transfer/mpmc/p:4/c:2/cap:64. There is one for every
 * queue and every workload that fit: the queue allows so many threads, and carries such items.
 * Where items are wider than 8 bytes the name goes on with /bytes:64, with batches /bytes:8/batch:32,
 * with pinned threads /pin:apart or /pin:one.
 *
 * Beside the numbers stands what they do not tell: that a queue never sleeps (it looks again and
 * again, at the cost of a core, however long there is nothing to do), that it holds more or less
 * than the row's capacity, that it was cut off (see workloads.h).
 *
 * How a ratio comes about. Each repetition of a row runs two measurements side by side: the queue's
 * and the mutex baseline's, now one first, now the other; their quotient is the repetition's ratio,
 * and the table shows the median of these. On a shared machine a speed drifts within seconds, and
 * it drifts for both. Google Benchmark's own interleaving shuffles all repetitions of all rows over
 * the whole run. That spreads each row's repetitions over all that the run goes through, and is
 * therefore switched on, but it makes no pairs: the third repetition of one row may be minutes away
 * from the third of another. The rows of the baseline itself are measured in the same way against
 * the baseline: what their ratio is away from 1 is the error of the method.
 */
#ifndef BENCH_HARNESS_H
#define BENCH_HARNESS_H

#include <stdbool.h>
#include <stdio.h>

/*
 * Register all rows, or only those of the short run: transfer at capacity 64, each with the queues
 * that are made for exactly its kind of producers and consumers, one or many. With the peers it is
 * transfer at 4:2 and 1:1, with all queues that allow it.
 */
void harness_register(bool quick);

/* The queues of other libraries that a row is compared with. */
enum harness_rivals {
	HARNESS_NOBODY,
	HARNESS_SLEEPERS, /* those that sleep when they wait long */
	HARNESS_EVERYBODY,
};

/*
 * Register the rows that are mentioned, and with each, in the same workload, those of its rivals,
 * which are run as often as told here, whatever the options say.
 */
void harness_register_for(bool (*mentioned)(const char *row, enum harness_rivals *rivals),
			  size_t rival_repetitions);

/*
 * Register a row that is measured in a way of its own, as bench_measure does it (workloads.h), and its
 * baseline likewise. Both are kept.
 */
struct bench_queue;
struct bench_workload;
struct bench_result;
typedef const char *harness_measure(const struct bench_queue *queue,
				    const struct bench_workload *workload,
				    struct bench_result *result);
void harness_register_measured(const struct bench_workload *workload,
			       const struct bench_queue *queue, harness_measure *measure);

/*
 * Run what --benchmark_filter admits, and say on stderr how far it has come; repetitions, of each
 * row, serve that alone. Returns how many rows ran, 0 after a message.
 */
size_t harness_run(size_t repetitions);

/*
 * Print the table and the footer below it; nothing if nothing ran. The headline's workload stands
 * first, and in each workload the fastest row. Returns whether a row failed.
 */
bool harness_report(FILE *out, const char *footer);

/* Over a row's repetitions. */
struct harness_spread {
	double min;
	double median;
	double max;
};

/* What that counter of the row of that name was. Returns false if there is no such number. */
bool harness_spread(const char *row, const char *counter, struct harness_spread *spread);

/*
 * The row of the fastest of these rivals, measured by the mutex, in the workload of the row of that
 * name; NULL if none ran.
 */
const char *harness_rival(const char *row, enum harness_rivals rivals);

#endif
