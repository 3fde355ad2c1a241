/* SPDX-License-Identifier: MIT */
/* workloads.c - the threads of a measurement and their bookkeeping; see workloads.h. */
#define _GNU_SOURCE /* RUSAGE_THREAD, sched_setaffinity, pthread_clockjoin_np */

#include "workloads.h"

#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* One measurement, shared by its threads. */
struct crew {
	const struct bench_workload *workload;
	const struct bench_queue *ops;
	void *queue;
	void *back; /* a second queue, for the way back */
	atomic_bool stop;
	atomic_bool cut;
	atomic_uint sending; /* threads that still send */
	pthread_barrier_t gate;
	struct bench_times times;
};

struct bench_worker {
	struct crew *crew;
	void (*body)(struct bench_worker *worker);
	unsigned int index;
	uint64_t first; /* the numbers it sends: first, first + 1, ... */
	pthread_t thread;
	struct bench_tally tally;
	uint64_t start_ns;
	uint64_t end_ns;
	double cpu_seconds;
	double ready_seconds;
	uint64_t switches;
};

static void
done_sending(struct crew *crew)
{
	if (atomic_fetch_sub(&crew->sending, 1) == 1)
		crew->ops->close(crew->queue);
}

static void
transfer_produce(struct bench_worker *worker)
{
	struct crew *crew = worker->crew;

	worker->tally = crew->ops->produce(crew->queue, worker->first, &crew->stop);
	done_sending(crew);
}

static void
transfer_consume(struct bench_worker *worker)
{
	struct crew *crew = worker->crew;

	worker->tally = crew->ops->consume(crew->queue, &crew->cut);
}

static void
roundtrip_ping(struct bench_worker *worker)
{
	struct crew *crew = worker->crew;

	worker->tally = crew->ops->ping(crew->queue, crew->back, &crew->stop, &crew->times);
	done_sending(crew);
}

static void
roundtrip_echo(struct bench_worker *worker)
{
	struct crew *crew = worker->crew;

	worker->tally = crew->ops->echo(crew->queue, crew->back);
}

static void
trypair(struct bench_worker *worker)
{
	struct crew *crew = worker->crew;

	worker->tally = crew->ops->trypair(crew->queue, &crew->stop);
}

static void
sleep_ns(long ns)
{
	nanosleep(&(struct timespec){ns / 1000000000, ns % 1000000000}, NULL);
}

static void
paced_produce(struct bench_worker *worker)
{
	struct crew *crew = worker->crew;
	struct bench_tally *tally = &worker->tally;

	do { /* once, however late this thread begins */
		uint64_t item = worker->first + tally->items;

		sleep_ns(300000);
		tally->failed = crew->ops->put(crew->queue, item) != 0;
		tally->items++;
		tally->sum += item;
	} while (!bench_stopped(&crew->stop) && !tally->failed);
	done_sending(crew);
}

static void
paced_consume(struct bench_worker *worker)
{
	struct crew *crew = worker->crew;
	struct bench_tally *tally = &worker->tally;
	uint64_t item;
	int error;

	while ((error = crew->ops->get(crew->queue, &item)) == 0) {
		sleep_ns(100000);
		tally->items++;
		tally->sum += item;
	}
	tally->failed = error != EPIPE;
}

/*
 * 100 ms are some thirty time slices of the scheduler. A roundtrip may take 60 us, and its last
 * percentile of a thousand wants thousands of them; the paced rows count few items, too.
 */
/* clang-format off */
#define TRANSFER .produce = transfer_produce, .consume = transfer_consume, .has_arguments = true
#define APART    .placement = BENCH_APART, .variation = true
#define ONE      .placement = BENCH_ONE, .variation = true
#define VARIED   .variation = true
const struct bench_workload bench_workloads[] = {
	/* kind          p    c capacity bytes batch  ms   shortest run */
	{ "transfer",    4,   2,    64,    8,  1,  100, BENCH_QUICK_WITH_PEERS, TRANSFER },
	{ "transfer",    1,   1,    64,    8,  1,  100, BENCH_QUICK_WITH_PEERS, TRANSFER },
	{ "transfer",    1,   4,    64,    8,  1,  100, BENCH_QUICK, TRANSFER },
	{ "transfer",    4,   1,    64,    8,  1,  100, BENCH_QUICK, TRANSFER },
	{ "transfer",    8,   8,    64,    8,  1,  100, BENCH_FULL, TRANSFER },
	{ "transfer",   64,  32,    64,    8,  1,  100, BENCH_FULL, TRANSFER },
	{ "transfer",  200, 100,    64,    8,  1,  100, BENCH_FULL, TRANSFER },
	{ "transfer",    4,   2,     1,    8,  1,  100, BENCH_FULL, TRANSFER },
	{ "transfer",    4,   2,   100,    8,  1,  100, BENCH_FULL, TRANSFER },
	{ "transfer",    4,   2,  1024,    8,  1,  100, BENCH_FULL, TRANSFER },
	{ "transfer",    4,   2, 65536,    8,  1,  100, BENCH_FULL, TRANSFER },
	{ "transfer",    2,   2,  1024,    8,  1,  100, BENCH_FULL, TRANSFER },
	{ "transfer",    1,   1,  1024,    8,  1,  100, BENCH_FULL, TRANSFER },
	{ "transfer",    4,   2,    64,   24,  1,  100, BENCH_FULL, TRANSFER },
	{ "transfer",    4,   2,    64,   64,  1,  100, BENCH_FULL, TRANSFER },
	{ "transfer",    4,   2,    64,  200,  1,  100, BENCH_FULL, TRANSFER },
	{ "transfer",    1,   1,    64,   24,  1,  100, BENCH_FULL, TRANSFER, VARIED },
	{ "transfer",    1,   1,    64,   64,  1,  100, BENCH_FULL, TRANSFER, VARIED },
	{ "transfer",    1,   1,    64,  200,  1,  100, BENCH_FULL, TRANSFER, VARIED },
	{ "transfer",    1,   4,    64,   64,  1,  100, BENCH_FULL, TRANSFER, VARIED },
	{ "transfer",    4,   1,    64,   64,  1,  100, BENCH_FULL, TRANSFER, VARIED },
	{ "transfer",    4,   2,  1024,    8, 32,  100, BENCH_FULL, TRANSFER },
	{ "transfer",    1,   1,  1024,    8, 32,  100, BENCH_FULL, TRANSFER, VARIED },
	{ "transfer",    1,   4,  1024,    8, 32,  100, BENCH_FULL, TRANSFER, VARIED },
	{ "transfer",    4,   1,  1024,    8, 32,  100, BENCH_FULL, TRANSFER, VARIED },
	{ "transfer",    4,   2,    64,    8,  1,  100, BENCH_FULL, TRANSFER, APART },
	{ "transfer",    4,   2,    64,    8,  1,  100, BENCH_FULL, TRANSFER, ONE },
	{ "transfer",    1,   1,    64,    8,  1,  100, BENCH_FULL, TRANSFER, APART },
	{ "transfer",    1,   1,    64,    8,  1,  100, BENCH_FULL, TRANSFER, ONE },
	{ "fair",        4,   2,    64,    8,  1, 1000, BENCH_FULL, TRANSFER, VARIED, .shares = true },
	{ "roundtrip",   1,   1,     1,    8,  1,  200, BENCH_FULL,
	  .produce = roundtrip_ping, .consume = roundtrip_echo },
	{ "trypair",     1,   0,    64,    8,  1,   20, BENCH_FULL, .produce = trypair },
	{ "paced",       4,   2,    64,    8,  1,  200, BENCH_FULL,
	  .produce = paced_produce, .consume = paced_consume },
};
/* clang-format on */
const size_t bench_workload_count = sizeof(bench_workloads) / sizeof(bench_workloads[0]);

const struct bench_percentile bench_percentiles[BENCH_PERCENTILES] = {
	{0, "p0_ns"},          {0.1, "p10_ns"}, {0.25, "p25_ns"}, {0.5, "p50_ns"},
	{0.75, "p75_ns"},      {0.9, "p90_ns"}, {0.99, "p99_ns"}, {0.999, "p99.9_ns"},
	{0.9999, "p99.99_ns"}, {1, "p100_ns"},
};

bool
bench_admits(const struct bench_queue *queue, const struct bench_workload *workload)
{
	return workload->producers <= queue->producers && workload->consumers <= queue->consumers &&
	       workload->item_bytes == queue->item_bytes && workload->batch == queue->batch;
}

static double
timeval_seconds(const struct timeval *t)
{
	return (double)t->tv_sec + (double)t->tv_usec * 1e-6;
}

static double
cpu_seconds(const struct rusage *usage)
{
	return timeval_seconds(&usage->ru_utime) + timeval_seconds(&usage->ru_stime);
}

/* Which of so many processors the worker begins on, or stays on. */
static unsigned int
place_of(const struct bench_worker *worker, unsigned int processors)
{
	const struct bench_workload *workload = worker->crew->workload;
	const bool sends = worker->index < workload->producers;
	const unsigned int half = processors / 2;

	if (workload->placement == BENCH_FREE)
		return worker->index % processors;
	if (workload->placement == BENCH_ONE || half == 0)
		return 0;
	return sends ? worker->index % half
		     : half + (worker->index - workload->producers) % (processors - half);
}

/* Moves the calling thread to that one of the processors in allowed, counted from 0. */
static void
stand_on(unsigned int place, const cpu_set_t *allowed)
{
	unsigned int skip = place;
	cpu_set_t one;
	size_t cpu = 0;

	while (!CPU_ISSET(cpu, allowed) || skip-- > 0)
		cpu++;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	sched_setaffinity(0, sizeof(one), &one);
}

/*
 * How long the thread of this /proc/.../schedstat has been ready to run, but had to wait for a
 * processor; NAN where the kernel does not tell. The second number there, in nanoseconds.
 */
static double
seconds_ready(int schedstat)
{
	char text[96] = "";
	unsigned long long ns;

	if (schedstat < 0 || pread(schedstat, text, sizeof(text) - 1, 0) <= 0 ||
	    sscanf(text, "%*s %llu", &ns) != 1)
		return NAN;
	return (double)ns * 1e-9;
}

static void *
work(void *arg)
{
	struct bench_worker *worker = arg;
	/* Opened before the start, because that takes longer than reading. */
	const int schedstat = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
	cpu_set_t allowed;
	bool placed;
	struct rusage before;
	struct rusage after;

	/* Fails with more processors than a cpu_set_t has bits: then it starts anywhere. */
	placed = sched_getaffinity(0, sizeof(allowed), &allowed) == 0;
	if (placed)
		stand_on(place_of(worker, (unsigned int)CPU_COUNT(&allowed)), &allowed);
	pthread_barrier_wait(&worker->crew->gate);
	if (placed && worker->crew->workload->placement == BENCH_FREE)
		sched_setaffinity(0, sizeof(allowed), &allowed);
	getrusage(RUSAGE_THREAD, &before);
	worker->ready_seconds = -seconds_ready(schedstat);
	worker->start_ns = bench_now();
	worker->body(worker);
	worker->end_ns = bench_now();
	worker->ready_seconds += seconds_ready(schedstat);
	getrusage(RUSAGE_THREAD, &after);
	if (schedstat >= 0)
		close(schedstat);
	worker->cpu_seconds = cpu_seconds(&after) - cpu_seconds(&before);
	worker->switches =
		(uint64_t)(after.ru_nvcsw - before.ru_nvcsw + after.ru_nivcsw - before.ru_nivcsw);
	return NULL;
}

static void
start(struct bench_worker *worker)
{
	if (pthread_create(&worker->thread, NULL, work, worker) == 0)
		return;
	/* Those that run already wait at the barrier for ever. */
	fputs("sluice-bench: cannot create a thread\n", stderr);
	exit(1);
}

static int
compare_times(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a;
	uint64_t y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* The time that the given share of the times, sorted, does not exceed. */
static double
percentile(const struct bench_times *times, double share)
{
	return (double)times->ns[(size_t)(share * (double)(times->count - 1))];
}

static void
summarise_times(struct bench_times *times, struct bench_result *result)
{
	qsort(times->ns, times->count, sizeof(times->ns[0]), compare_times);
	for (size_t i = 0; i < BENCH_PERCENTILES; i++) {
		const double share = bench_percentiles[i].share;

		if (share == 1 ? times->count > 0 : (1 - share) * (double)times->count >= 1)
			result->percentiles[i] = percentile(times, share);
	}
}

/*
 * Waits for the worker to end. Returns false if it has not ended at the deadline; NULL: there is
 * none.
 */
static bool
join(struct bench_worker *worker, const struct timespec *deadline)
{
	if (!deadline)
		return pthread_join(worker->thread, NULL) == 0;
	return pthread_clockjoin_np(worker->thread, NULL, CLOCK_MONOTONIC, deadline) == 0;
}

/* Waits for all workers to end, and sees to it that they do where that is allowed. */
static void
join_all(struct bench_worker *workers, unsigned int count, struct crew *crew)
{
	const bool may_be_cut = crew->ops->may_be_cut && workers[0].body == transfer_produce;
	struct timespec limit;

	clock_gettime(CLOCK_MONOTONIC, &limit);
	limit.tv_sec++;
	for (unsigned int i = 0; i < count; i++) {
		if (join(&workers[i], may_be_cut && !atomic_load(&crew->cut) ? &limit : NULL))
			continue;
		atomic_store(&crew->cut, true);
		crew->ops->close(crew->queue);
		join(&workers[i], NULL);
	}
}

/* What parts of their sum these workers had. */
static struct bench_shares
shares(const struct bench_worker *workers, unsigned int count)
{
	uint64_t smallest = UINT64_MAX;
	uint64_t largest = 0;
	uint64_t sum = 0;

	for (unsigned int i = 0; i < count; i++) {
		const uint64_t items = workers[i].tally.items;

		smallest = items < smallest ? items : smallest;
		largest = items > largest ? items : largest;
		sum += items;
	}
	if (sum == 0)
		return (struct bench_shares){0, 0};
	return (struct bench_shares){(double)smallest / (double)sum, (double)largest / (double)sum};
}

/* Adds what the workers did to *result and checks it. The senders stand before the others. */
static const char *
summarise(const struct bench_worker *workers, struct crew *crew, struct bench_result *result)
{
	const unsigned int senders = crew->workload->producers;
	const unsigned int receivers = crew->workload->consumers;
	struct bench_tally sent = BENCH_TALLY_ZERO;
	struct bench_tally received = BENCH_TALLY_ZERO;
	uint64_t start_ns = UINT64_MAX;
	uint64_t end_ns = 0;
	uint64_t item;

	for (unsigned int i = 0; i < senders + receivers; i++) {
		const struct bench_worker *worker = &workers[i];
		struct bench_tally *tally = i < senders ? &sent : &received;

		tally->items += worker->tally.items;
		tally->sum += worker->tally.sum;
		tally->failed |= worker->tally.failed;
		tally->refused |= worker->tally.refused;
		start_ns = worker->start_ns < start_ns ? worker->start_ns : start_ns;
		end_ns = worker->end_ns > end_ns ? worker->end_ns : end_ns;
		result->thread_seconds += (double)(worker->end_ns - worker->start_ns) * 1e-9;
		result->cpu_seconds += worker->cpu_seconds;
		result->ready_seconds += worker->ready_seconds;
		result->switches += worker->switches;
	}
	result->items = receivers > 0 ? received.items : sent.items;
	result->seconds = (double)(end_ns - start_ns) * 1e-9;
	result->sent = shares(workers, senders);
	result->received = shares(workers + senders, receivers);
	result->cut = atomic_load(&crew->cut);
	while (result->cut && crew->ops->get(crew->queue, &item) == 0) {
		received.items++;
		received.sum += item;
	}
	if (sent.failed || received.failed || (sent.refused && !result->cut))
		return "a verb returned what its contract excludes";
	if (sent.items == 0)
		return "nothing was sent";
	if (receivers > 0 && received.items != sent.items)
		return "not as many items arrived as were sent";
	if (receivers > 0 && received.sum != sent.sum)
		return "other items arrived than were sent";
	return result->items > 0 ? NULL : "nothing arrived before it was cut off";
}

const char *
bench_measure(const struct bench_queue *queue, const struct bench_workload *workload,
	      struct bench_result *result)
{
	/* In memory before a round trip is timed: a page fault costs as much as one. */
	static uint64_t ns[1 << 18];
	const unsigned int count = workload->producers + workload->consumers;
	struct bench_worker workers[count];
	struct crew crew = {
		.workload = workload,
		.ops = queue,
		.queue = queue->create(workload->capacity),
		.back = queue->create(workload->capacity),
		.sending = workload->producers,
		.times = {.ns = ns, .max = sizeof(ns) / sizeof(ns[0])},
	};
	const char *error = "the queue cannot be made";

	*result = (struct bench_result){0};
	if (crew.queue && crew.back) {
		memset(ns, 0xff, sizeof(ns));
		alarm(60);
		pthread_barrier_init(&crew.gate, NULL, count + 1);
		for (unsigned int i = 0; i < count; i++) {
			workers[i] = (struct bench_worker){
				.crew = &crew,
				.body = i < workload->producers ? workload->produce
								: workload->consume,
				.index = i,
				.first = (uint64_t)i << 40,
			};
			start(&workers[i]);
		}
		pthread_barrier_wait(&crew.gate);
		sleep_ns(workload->milliseconds * 1000000L);
		atomic_store(&crew.stop, true);
		join_all(workers, count, &crew);
		alarm(0);
		pthread_barrier_destroy(&crew.gate);
		error = summarise(workers, &crew, result);
		result->capacity = queue->capacity(crew.queue);
		summarise_times(&crew.times, result);
	}
	if (crew.back)
		queue->destroy(crew.back);
	if (crew.queue)
		queue->destroy(crew.queue);
	return error;
}
