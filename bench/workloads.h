/* SPDX-License-Identifier: MIT */
/*
 * workloads.h - what is done with a queue, and one measurement of it.
 *
 * In words:
 *   transfer   producers put numbers as fast as they can, consumers get them until the queue is
 *              closed and drained
 *   roundtrip  two threads, two queues of capacity 1: a number goes there and back, one at a time
 *   trypair    one thread, try_put and then try_get, over and over
 *   fair       a transfer of a second, long enough to ask what share of it each thread had
 *   paced      as transfer, but a producer sleeps 300 us before each item, as if fetching it, and a
 *              consumer 100 us after each, as if processing it: most of the time is idle
 *
 * A measurement runs a workload once: it makes the queue, starts all threads, releases them through
 * a barrier, tells those that send to stop when the workload's time is over, and lets those that
 * receive drain the queue. It lasts from the moment the first thread was released until the last
 * one, a consumer, found the queue closed and drained; the thread that stops sending last closes
 * it, so that no wake-up of anybody else stands in between.
 *
 * The threads start spread over the processors, round robin, and are free to move from then on.
 * Left where they were created, two threads that take turns may share a core for the whole
 * measurement while the other idles: each is awake too often to be moved. A row then shows where
 * its threads happened to begin (spsc 1:1: 7 or 90 million items a second) more than what the queue
 * does. Some workloads pin them instead: producers and consumers apart, so that every item crosses
 * from one processor to another, or all of them on one, so that none does.
 *
 * Senders stop by time and not after a number of items, so that a queue that is a thousand times
 * slower than another takes as long as that one, and so that no thread runs alone at the end
 * because it was slow.
 *
 * A queue whose operations wait for threads that do not run can fall to a thousand items a second
 * and below. It is cut off (see bench_queue.may_be_cut) a second after its senders were told to
 * stop: the queue is closed, so that a put that waits gives up, and those that receive leave. What
 * they had received by then is the result, and what is left in the queue is taken out and verified
 * like the rest. Sluice and the mutex are never cut off: what does not end there has lost a wake-up.
 *
 * Every measurement is verified: as many items must arrive as were sent, with the same sum (they
 * are all different), a round trip must bring back its number, and no verb may fail.
 */
#ifndef BENCH_WORKLOADS_H
#define BENCH_WORKLOADS_H

#include "queue.h"

struct bench_worker;

/* The runs that a workload is part of; each holds those below it. */
enum bench_length {
	BENCH_FULL,
	BENCH_QUICK,
	BENCH_QUICK_WITH_PEERS,
};

/* Where the threads run. */
enum bench_placement {
	BENCH_FREE,  /* anywhere */
	BENCH_APART, /* pinned: no producer on a processor of a consumer, if there are two */
	BENCH_ONE,   /* pinned: all on one processor */
};

struct bench_workload {
	const char *kind;
	unsigned int producers; /* threads that run the first of the two bodies */
	unsigned int consumers; /* and the second */
	size_t capacity;
	size_t item_bytes;
	size_t batch;              /* items a call */
	unsigned int milliseconds; /* until the senders are told to stop */
	enum bench_length length;  /* the shortest run that has it */
	bool has_arguments;        /* there are several of this kind, told apart by the numbers */
	enum bench_placement placement;
	bool variation; /* only for queues made for just its producers and consumers, one or many */
	bool shares;    /* what each thread had of the items is part of the result */
	void (*produce)(struct bench_worker *worker);
	void (*consume)(struct bench_worker *worker);
};

extern const struct bench_workload bench_workloads[];
extern const size_t bench_workload_count;

/* The smallest and the largest part of the whole, 0 to 1, that one thread of a side had. */
struct bench_shares {
	double smallest;
	double largest;
};

/* A share of the round trips, 0 to 1, and what to call the time that this share does not exceed. */
struct bench_percentile {
	double share;
	const char *name;
};

#define BENCH_PERCENTILES 10
extern const struct bench_percentile bench_percentiles[BENCH_PERCENTILES];

struct bench_result {
	uint64_t items; /* received; round trips; pairs */
	double seconds;
	/* Of the threads that took part, added up: from the start to the end of each, */
	double thread_seconds;
	double cpu_seconds;   /* of that running, user and system, */
	double ready_seconds; /* ready, but without a processor (NAN: the kernel does not tell), */
	uint64_t switches;    /* and how often a thread left its processor, voluntarily or not. */
	/* In nanoseconds; 0 where there are no round trips, or none beyond this percentile. */
	double percentiles[BENCH_PERCENTILES];
	struct bench_shares sent;     /* what part of the items each producer put, */
	struct bench_shares received; /* each consumer got */
	size_t capacity;              /* what the queue really holds */
	bool cut;                     /* was cut off */
};

/* Whether the queue allows the threads, and carries the items, that the workload has. */
bool bench_admits(const struct bench_queue *queue, const struct bench_workload *workload);

/*
 * Measure once. Returns NULL, or what went wrong as a constant text, *result being void then. A
 * measurement that has not ended after a minute ends the program by SIGALRM: a queue has lost a
 * wake-up. Not reentrant.
 */
const char *bench_measure(const struct bench_queue *queue, const struct bench_workload *workload,
			  struct bench_result *result);

#endif
