/* SPDX-License-Identifier: MIT */
/*
 * speed.c - sluice-speed: the rows that scripts/regress watches, measured often and briefly.
 *
 *	sluice-speed MILLISECONDS ROUNDS
 *
 * Each round measures every row once, for so long, verified as in sluice-bench, and prints a line
 * for it: its name, a tabulator, items a second. The mutex is not measured beside it: who compares
 * two versions runs this program of the one and of the other in turns, and is better off with twice
 * the pairs. The last line is what others had of the machine meanwhile, in per cent.
 *
 * Exit status 1, and a line on stderr, when a measurement fails its verification; 2 for bad
 * arguments.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "machine.h"
#include "queues.h"
#include "workloads.h"

/* The headline, and each one-sided queue where it is made for. */
static const struct row {
	const char *queue;
	unsigned int producers;
	unsigned int consumers;
} rows[] = {
	{"mpmc", 4, 2},
	{"spmc", 1, 4},
	{"mpsc", 4, 1},
	{"spsc", 1, 1},
};

enum {
	ROWS = sizeof(rows) / sizeof(rows[0]),
	CAPACITY = 64,
	LONGEST = 10000 /* milliseconds; a minute ends the program */
};

/* The first of the workloads that fits is the plain one. */
static const struct bench_workload *
workload_of(const struct row *row)
{
	for (size_t i = 0; i < bench_workload_count; i++) {
		const struct bench_workload *w = &bench_workloads[i];

		if (strcmp(w->kind, "transfer") == 0 && w->producers == row->producers &&
		    w->consumers == row->consumers && w->capacity == CAPACITY)
			return w;
	}
	abort();
}

static const struct bench_queue *
queue_of(const struct row *row, const struct bench_workload *workload)
{
	for (size_t i = 0; i < bench_queue_count; i++) {
		if (strcmp(bench_queues[i]->name, row->queue) == 0 &&
		    bench_admits(bench_queues[i], workload))
			return bench_queues[i];
	}
	abort();
}

/* Returns whether all went well. */
static bool
measure(const struct row *row, unsigned int milliseconds)
{
	struct bench_workload workload = *workload_of(row);
	struct bench_result result;
	const char *error;

	workload.milliseconds = milliseconds;
	error = bench_measure(queue_of(row, &workload), &workload, &result);
	if (error) {
		fprintf(stderr, "sluice-speed: %u:%u/%d %s: %s\n", row->producers, row->consumers,
			CAPACITY, row->queue, error);
		return false;
	}
	printf("%u:%u/%d %s\t%.0f\n", row->producers, row->consumers, CAPACITY, row->queue,
	       (double)result.items / result.seconds);
	return true;
}

/* A number from 1 to greatest; 0 for anything else. */
static unsigned int
number(const char *text, unsigned long greatest)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	return *end == '\0' && value <= greatest ? (unsigned int)value : 0;
}

int
main(int argc, char **argv)
{
	const unsigned int milliseconds = argc == 3 ? number(argv[1], LONGEST) : 0;
	const unsigned int rounds = argc == 3 ? number(argv[2], 1000000) : 0;
	const struct machine_use before = machine_use();

	if (milliseconds == 0 || rounds == 0) {
		fputs("usage: sluice-speed MILLISECONDS ROUNDS\n", stderr);
		return 2;
	}
	for (unsigned int round = 0; round < rounds; round++) {
		for (size_t i = 0; i < ROWS; i++) {
			if (!measure(&rows[i], milliseconds))
				return 1;
		}
	}
	printf("others\t%.0f\n", 100 * machine_others(before, machine_use()));
	return 0;
}
