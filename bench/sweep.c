/* SPDX-License-Identifier: MIT */
/*
 * sweep.c - sluice-sweep: which numbers of struct sluice_options suit this machine?
 *
 * Every set of options, in every shape, is measured beside the default ones, now one first, now the
 * other; what counts is the ratio of the two, the median of the repetitions. All pairs of sets and
 * shapes are shuffled anew for each repetition. The default set is swept like the others: what its
 * ratios are away from 1 is the error of the method.
 *
 * How idle a set is, is measured too: a thread that has just got many items, which makes for the longest
 * bursts (park.h), begins to wait where nothing comes, and another, on a processor of its own, reads in
 * /proc when it is asleep. That is late by up to one such reading.
 *
 * The choice. A set that is not asleep within 100 us (median) is refused: a queue that nobody uses
 * must cost nothing. So is one that loses more than a tenth in some shape, in three of four repetitions,
 * because nobody who runs that shape is helped by the others' gain. Of the rest the largest geometric
 * mean of the ratios wins: that treats twice as fast here and half as fast there as even. If it is ahead
 * by no more than twice the error, the default stays.
 */
#define _GNU_SOURCE /* sched_setaffinity, gettid */

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <sluice.h>

#include "queue.h"
#include "workloads.h"

enum {
	VALUES = 16, /* of an option */
	IDLE_TRIALS = 41,
	IDLE_LIMIT_NS = 100000,
};

/* A repetition below this is a loss. */
static const double tolerated = 0.9;

/* --- The queues, with options that are set at run time ---------------------------------------- */

static struct sluice_options options; /* of the queues that are made from now on */
static const struct sluice_options defaults = SLUICE_OPTIONS_DEFAULT;

#define TUNED(NAME, DEFINE)                                                                        \
	DEFINE(NAME, bench_item8)                                                                  \
	BENCH_QUEUE(NAME, bench_item8, .name = #NAME)                                              \
                                                                                                   \
	static void *NAME##_create(size_t capacity)                                                \
	{                                                                                          \
		struct NAME *q = bench_allocate(sizeof(*q));                                       \
                                                                                                   \
		if (!q || NAME##_init(q, capacity, &options) == 0)                                 \
			return q;                                                                  \
		free(q);                                                                           \
		return NULL;                                                                       \
	}

TUNED(tuned_mpmc, SLUICE_DEFINE)
TUNED(tuned_spmc, SLUICE_DEFINE_SPMC)
TUNED(tuned_mpsc, SLUICE_DEFINE_MPSC)
TUNED(tuned_spsc, SLUICE_DEFINE_SPSC)

struct shape {
	const struct bench_queue *queue;
	void *(*create)(size_t capacity);
	unsigned int producers;
	unsigned int consumers;
	size_t capacity;
};

#define OF(NAME) &NAME##_bench, NAME##_create
static const struct shape shapes[] = {
	{OF(tuned_mpmc), 4, 2, 64},   {OF(tuned_mpmc), 8, 8, 64},   {OF(tuned_spmc), 1, 4, 64},
	{OF(tuned_mpsc), 4, 1, 64},   {OF(tuned_spsc), 1, 1, 64},   {OF(tuned_mpmc), 4, 2, 1},
	{OF(tuned_mpmc), 4, 2, 1024}, {OF(tuned_spsc), 1, 1, 1024}, {OF(tuned_mpmc), 4, 2, 65536},
};

enum {
	SHAPES = sizeof(shapes) / sizeof(shapes[0])
};

/* Items a second; ends the program when the transfer was wrong. */
static double
rate(const struct shape *shape, const struct sluice_options *with, unsigned int milliseconds)
{
	struct bench_queue queue = *shape->queue;
	struct bench_workload workload = bench_workloads[0]; /* a transfer */
	struct bench_result result;
	const char *error;

	queue.create = shape->create;
	options = *with;
	workload.producers = shape->producers;
	workload.consumers = shape->consumers;
	workload.capacity = shape->capacity;
	workload.milliseconds = milliseconds;
	error = bench_measure(&queue, &workload, &result);
	if (error) {
		fprintf(stderr, "sluice-sweep: %s: %s\n", queue.name, error);
		exit(1);
	}
	return (double)result.items / result.seconds;
}

/* --- Idleness --------------------------------------------------------------------------------- */

struct waiter {
	struct tuned_mpmc *queue;
	size_t stream;       /* items in one */
	atomic_int thread;   /* its number in /proc */
	atomic_uint streams; /* that are queued, or were */
	atomic_uint waits;   /* that it has begun */
	uint64_t start_ns;   /* of the last */
};

/* Where the program may run. */
static cpu_set_t allowed;

/* Keeps the calling thread on that one of them, counted from 0. */
static void
pin(unsigned int place)
{
	cpu_set_t one;
	size_t cpu = 0;

	while (!CPU_ISSET(cpu, &allowed) || place-- > 0)
		cpu++;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	sched_setaffinity(0, sizeof(one), &one);
}

static void *
wait_again_and_again(void *arg)
{
	struct waiter *const waiter = arg;
	uint64_t item;

	pin(1);
	atomic_store(&waiter->thread, gettid());
	do {
		while (atomic_load(&waiter->streams) == atomic_load(&waiter->waits))
			ck_pr_stall();
		while (tuned_mpmc_try_get(waiter->queue, &item) == 0)
			;
		waiter->start_ns = bench_now();
		atomic_fetch_add(&waiter->waits, 1);
	} while (tuned_mpmc_get(waiter->queue, &item) == 0);
	return NULL;
}

static void
send_stream(struct waiter *waiter)
{
	for (size_t i = 0; i < waiter->stream; i++)
		(void)tuned_mpmc_put(waiter->queue, 0);
	atomic_fetch_add(&waiter->streams, 1);
}

/* Whether the thread whose /proc/.../stat this is sleeps. */
static bool
is_asleep(int stat)
{
	char text[512];
	const ssize_t length = pread(stat, text, sizeof(text) - 1, 0);
	const char *name_end;

	if (length <= 0)
		return false;
	text[length] = '\0';
	name_end = strrchr(text, ')');
	return name_end && name_end[1] == ' ' && name_end[2] == 'S';
}

static int
compare(const void *a, const void *b)
{
	const double x = *(const double *)a;
	const double y = *(const double *)b;

	return (x > y) - (x < y);
}

static double
median(double *values, size_t n)
{
	qsort(values, n, sizeof(values[0]), compare);
	return (values[(n - 1) / 2] + values[n / 2]) / 2;
}

/* Nanoseconds from the beginning of a wait until the thread sleeps, the median. */
static double
idle_ns(const struct sluice_options *with)
{
	double times[IDLE_TRIALS];
	struct tuned_mpmc queue;
	struct waiter waiter = {.queue = &queue, .stream = with->pauses + 1};
	pthread_t thread;
	char path[64];
	int stat;

	pin(0);
	if (tuned_mpmc_init(&queue, 8 * waiter.stream, with) != 0 ||
	    pthread_create(&thread, NULL, wait_again_and_again, &waiter) != 0) {
		fputs("sluice-sweep: no memory, or no thread\n", stderr);
		exit(1);
	}
	while (atomic_load(&waiter.thread) == 0)
		ck_pr_stall();
	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", atomic_load(&waiter.thread));
	stat = open(path, O_RDONLY);
	if (stat < 0) {
		fprintf(stderr, "sluice-sweep: %s: %s\n", path, strerror(errno));
		exit(1);
	}
	for (unsigned int i = 0; i < IDLE_TRIALS; i++) {
		send_stream(&waiter);
		while (atomic_load(&waiter.waits) == i)
			ck_pr_stall();
		while (!is_asleep(stat))
			;
		times[i] = (double)(bench_now() - waiter.start_ns);
		(void)tuned_mpmc_put(&queue, 0);
	}
	close(stat);
	tuned_mpmc_close(&queue);
	send_stream(&waiter); /* which is refused */
	pthread_join(thread, NULL);
	tuned_mpmc_destroy(&queue);
	sched_setaffinity(0, sizeof(allowed), &allowed);
	return median(times, IDLE_TRIALS);
}

/* --- The sweep -------------------------------------------------------------------------------- */

struct set {
	struct sluice_options options;
	double idle_ns;
	double ratio[SHAPES]; /* medians */
	double mean;          /* geometric */
	double worst;
	bool loses; /* in some shape */
};

struct sweep {
	struct set *sets;
	size_t count;
	size_t repetitions;
	unsigned int milliseconds;
	double *ratios; /* of each set, in it of each shape, in it of each repetition */
};

static bool
same(const struct sluice_options *a, const struct sluice_options *b)
{
	return a->bursts == b->bursts && a->pauses == b->pauses && a->yields == b->yields;
}

/* Measures how idle the sets are, says which are refused for it, and takes those out. */
static void
refuse_the_restless(struct sweep *sweep)
{
	size_t kept = 0;

	for (size_t i = 0; i < sweep->count; i++) {
		struct set *const set = &sweep->sets[i];

		set->idle_ns = idle_ns(&set->options);
		if (set->idle_ns > IDLE_LIMIT_NS && !same(&set->options, &defaults))
			printf("refused: { %u, %u, %u } is asleep after %.0f us, not within 100\n",
			       set->options.bursts, set->options.pauses, set->options.yields,
			       set->idle_ns * 1e-3);
		else
			sweep->sets[kept++] = *set;
	}
	sweep->count = kept;
}

static double *
ratios_of(const struct sweep *sweep, size_t set, size_t shape)
{
	return sweep->ratios + (set * SHAPES + shape) * sweep->repetitions;
}

/* The set beside the default one. */
static double
measure_pair(const struct sweep *sweep, const struct set *set, size_t shape, bool default_first)
{
	double mine;
	double base = 0;

	if (default_first)
		base = rate(&shapes[shape], &defaults, sweep->milliseconds);
	mine = rate(&shapes[shape], &set->options, sweep->milliseconds);
	if (!default_first)
		base = rate(&shapes[shape], &defaults, sweep->milliseconds);
	return mine / base;
}

/* A set in a shape, and when its turn comes. */
struct turn {
	long lot;
	size_t set;
	size_t shape;
};

static int
compare_turns(const void *a, const void *b)
{
	const struct turn *const x = a;
	const struct turn *const y = b;

	return (x->lot > y->lot) - (x->lot < y->lot);
}

static void
measure_all(const struct sweep *sweep)
{
	const size_t count = sweep->count * SHAPES;
	struct turn *const turns = calloc(count, sizeof(*turns));

	if (!turns)
		abort();
	srandom((unsigned int)bench_now());
	for (size_t repetition = 0; repetition < sweep->repetitions; repetition++) {
		fprintf(stderr, "sweep: repetition %zu of %zu\n", repetition + 1,
			sweep->repetitions);
		for (size_t i = 0; i < count; i++)
			turns[i] = (struct turn){random(), i / SHAPES, i % SHAPES};
		qsort(turns, count, sizeof(turns[0]), compare_turns);
		for (size_t i = 0; i < count; i++) {
			const struct turn *const turn = &turns[i];

			ratios_of(sweep, turn->set, turn->shape)[repetition] =
				measure_pair(sweep, &sweep->sets[turn->set], turn->shape,
					     (repetition + turn->set + turn->shape) % 2 == 0);
		}
	}
	free(turns);
}

static void
summarise(const struct sweep *sweep)
{
	for (size_t i = 0; i < sweep->count; i++) {
		struct set *const set = &sweep->sets[i];
		double logs = 0;

		set->worst = HUGE_VAL;
		for (size_t shape = 0; shape < SHAPES; shape++) {
			double *const ratios = ratios_of(sweep, i, shape);

			set->ratio[shape] = median(ratios, sweep->repetitions); /* and sorts */
			set->loses |= ratios[sweep->repetitions * 3 / 4] < tolerated;
			set->worst = fmin(set->worst, set->ratio[shape]);
			logs += log(set->ratio[shape]);
		}
		set->mean = exp(logs / SHAPES);
	}
}

/* Why a set is refused, or NULL. What the default loses beside itself is error. */
static const char *
refusal(const struct set *set)
{
	if (set->idle_ns > IDLE_LIMIT_NS)
		return "not asleep within 100 us";
	return set->loses && !same(&set->options, &defaults) ? "loses" : NULL;
}

/* The best first, those that are refused last. */
static int
compare_sets(const void *a, const void *b)
{
	const struct set *const x = a;
	const struct set *const y = b;
	const bool x_refused = refusal(x) != NULL;
	const bool y_refused = refusal(y) != NULL;

	if (x_refused != y_refused)
		return x_refused - y_refused;
	return (x->mean < y->mean) - (x->mean > y->mean);
}

static void
print_table(const struct sweep *sweep)
{
	printf("\nitems a second, as a multiple of those with the default options\n\n");
	printf("%6s %6s %6s %8s", "bursts", "pauses", "yields", "idle us");
	for (size_t shape = 0; shape < SHAPES; shape++) {
		char name[48];

		snprintf(name, sizeof(name), "%u:%u/%zu", shapes[shape].producers,
			 shapes[shape].consumers, shapes[shape].capacity);
		printf(" %8s", name);
	}
	printf(" %8s %8s\n", "mean", "worst");
	for (size_t i = 0; i < sweep->count; i++) {
		const struct set *const set = &sweep->sets[i];
		const char *const refused = refusal(set);

		printf("%6u %6u %6u %8.1f", set->options.bursts, set->options.pauses,
		       set->options.yields, set->idle_ns * 1e-3);
		for (size_t shape = 0; shape < SHAPES; shape++)
			printf(" %8.2f", set->ratio[shape]);
		printf(" %8.3f %8.2f", set->mean, set->worst);
		if (same(&set->options, &defaults))
			printf("  default");
		printf("%s%s\n", refused ? "  refused: " : "", refused ? refused : "");
	}
}

static void
print_choice(const struct sweep *sweep)
{
	const struct set *const best = &sweep->sets[0];
	const struct set *base = best;
	double error = 0;

	while (!same(&base->options, &defaults))
		base++;
	for (size_t shape = 0; shape < SHAPES; shape++)
		error = fmax(error, fabs(log(base->ratio[shape])));
	/* Of a mean of so many shapes. */
	error = fmax(error / sqrt(SHAPES), fabs(log(base->mean)));
	printf("\nerror of a mean, by the default beside itself: %.1f %%\n", 100 * error);
	if (refusal(best))
		printf("every set is refused\n");
	else if (log(best->mean) <= 2 * error)
		printf("choice: { %u, %u, %u }, the default; nothing is ahead by twice the error\n",
		       defaults.bursts, defaults.pauses, defaults.yields);
	else
		printf("choice: { %u, %u, %u }, %.2f times the default in the mean, %.2f at worst, "
		       "asleep in %.0f us\n",
		       best->options.bursts, best->options.pauses, best->options.yields, best->mean,
		       best->worst, best->idle_ns * 1e-3);
}

/* --- The command line ------------------------------------------------------------------------- */

struct values {
	const char *option;
	unsigned int value[VALUES];
	size_t count;
};

static const char usage[] =
	"usage: sluice-sweep [--bursts=N,...] [--pauses=N,...] [--yields=N,...]\n"
	"                    [--repetitions=N] [--milliseconds=N]\n"
	"\n"
	"Measures every combination of these beside the default options, in nine shapes, and "
	"says\n"
	"which it would choose. The numbers left out are 2,4,8, 64,256,1024, 16,32, 5 and 30; a\n"
	"sweep of those takes a minute.\n";

/* Reads numbers up to most, separated by commas. Returns whether that is what there is. */
static bool
read_values(const char *text, struct values *values, unsigned int least, unsigned int most)
{
	values->count = 0;
	for (;;) {
		char *end;
		unsigned long value;

		if (*text < '0' || *text > '9' || values->count == VALUES)
			return false;
		errno = 0;
		value = strtoul(text, &end, 10);
		if (errno != 0 || value < least || value > most)
			return false;
		values->value[values->count++] = (unsigned int)value;
		if (*end == '\0')
			return true;
		if (*end != ',')
			return false;
		text = end + 1;
	}
}

enum {
	BURSTS,
	PAUSES,
	YIELDS,
	REPETITIONS,
	MILLISECONDS,
	OPTIONS
};

/* Returns whether the argument was understood. */
static bool
read_argument(const char *argument, struct values *values)
{
	for (int i = 0; i < OPTIONS; i++) {
		const size_t length = strlen(values[i].option);
		const bool option_of_sluice = i <= YIELDS;

		if (strncmp(argument, values[i].option, length) == 0)
			return read_values(argument + length, &values[i], option_of_sluice ? 0 : 1,
					   option_of_sluice ? SLUICE_OPTION_MAX : 1000) &&
			       (option_of_sluice || values[i].count == 1);
	}
	return false;
}

/* All combinations, and the default if it is not among them. */
static void
make_sets(struct sweep *sweep, const struct values *values)
{
	const size_t most = values[BURSTS].count * values[PAUSES].count * values[YIELDS].count + 1;
	bool has_default = false;

	sweep->sets = calloc(most, sizeof(*sweep->sets));
	sweep->ratios = calloc(most * SHAPES * sweep->repetitions, sizeof(*sweep->ratios));
	if (!sweep->sets || !sweep->ratios)
		abort();
	for (size_t b = 0; b < values[BURSTS].count; b++) {
		for (size_t p = 0; p < values[PAUSES].count; p++) {
			for (size_t y = 0; y < values[YIELDS].count; y++) {
				struct sluice_options *const set =
					&sweep->sets[sweep->count++].options;

				set->bursts = values[BURSTS].value[b];
				set->pauses = values[PAUSES].value[p];
				set->yields = values[YIELDS].value[y];
				has_default |= same(set, &defaults);
			}
		}
	}
	if (!has_default)
		sweep->sets[sweep->count++].options = defaults;
}

int
main(int argc, char **argv)
{
	struct values values[OPTIONS] = {
		[BURSTS] = {"--bursts=", {2, 4, 8}, 3},
		[PAUSES] = {"--pauses=", {64, 256, 1024}, 3},
		[YIELDS] = {"--yields=", {16, 32}, 2},
		[REPETITIONS] = {"--repetitions=", {5}, 1},
		[MILLISECONDS] = {"--milliseconds=", {30}, 1},
	};
	struct sweep sweep = {0};

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--help") == 0) {
			fputs(usage, stdout);
			return 0;
		}
		if (!read_argument(argv[i], values)) {
			fprintf(stderr, "sluice-sweep: what is \"%s\"? (--help)\n", argv[i]);
			return 2;
		}
	}
	if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0 || CPU_COUNT(&allowed) < 2) {
		fputs("sluice-sweep: needs two processors, to see when a thread sleeps\n", stderr);
		return 2;
	}
	sweep.repetitions = values[REPETITIONS].value[0];
	sweep.milliseconds = values[MILLISECONDS].value[0];
	make_sets(&sweep, values);
	refuse_the_restless(&sweep);
	measure_all(&sweep);
	summarise(&sweep);
	qsort(sweep.sets, sweep.count, sizeof(sweep.sets[0]), compare_sets);
	print_table(&sweep);
	print_choice(&sweep);
	free(sweep.ratios);
	free(sweep.sets);
	return 0;
}
