/* SPDX-License-Identifier: MIT */
/* harness.c - see harness.h. */
#include "harness.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gbench.h"
#include "queues.h"
#include "workloads.h"

/* What a repetition yields, by the names of its counters. A row need not have all of them. */
enum column {
	ITEMS_PER_SECOND,
	TIMES_MUTEX,
	CPU_NS_PER_ITEM,
	CPU_TIMES_MUTEX,
	SWITCHES_PER_1000,
	NS_PER_PAIR,
	P50_NS,
	P50_TIMES_MUTEX,
	P99_NS,
	P999_NS,
	SENT_MIN,
	SENT_MAX,
	RECEIVED_MIN,
	RECEIVED_MAX,
	COLUMNS,
};

static const char *const counters[COLUMNS] = {
	[ITEMS_PER_SECOND] = "items_per_second",   /* the name that Google Benchmark gives it */
	[TIMES_MUTEX] = "times_mutex",             /* items/s, as a multiple of the baseline's */
	[CPU_NS_PER_ITEM] = "cpu_ns_per_item",     /* user + system */
	[CPU_TIMES_MUTEX] = "cpu_times_mutex",     /* that, as a multiple of the baseline's */
	[SWITCHES_PER_1000] = "switches_per_1000", /* context switches per 1000 items */
	[NS_PER_PAIR] = "ns_per_pair",
	[P50_NS] = "p50_ns",
	[P50_TIMES_MUTEX] = "p50_times_mutex",
	[P99_NS] = "p99_ns",
	[P999_NS] = "p99.9_ns",
	[SENT_MIN] = "smallest_share_sent", /* of a producer, in all items, 0 to 1 */
	[SENT_MAX] = "largest_share_sent",
	[RECEIVED_MIN] = "smallest_share_received", /* of a consumer */
	[RECEIVED_MAX] = "largest_share_received",
};

struct row {
	const struct bench_workload *workload;
	const struct bench_queue *queue;
	harness_measure *measure;
	char name[96];
	size_t repetitions;  /* 0: as the options say */
	bool baseline_first; /* next time */
	size_t capacity;     /* what the queue really holds; 0 before the first measurement */
	size_t measured;     /* times */
	size_t cut;          /* times that was cut off */
	char error[128];     /* of the last failed repetition */
	double (*samples)[COLUMNS];
	size_t count;
};

static struct row *rows;
static size_t row_count;

/* --- Running a row ---------------------------------------------------------------------------- */

static void
add(struct bench_result *sum, const struct bench_result *result)
{
	sum->items += result->items;
	sum->seconds += result->seconds;
	sum->thread_seconds += result->thread_seconds;
	sum->cpu_seconds += result->cpu_seconds;
	sum->ready_seconds += result->ready_seconds;
	sum->switches += result->switches;
	/* Percentiles and shares do not add up: those of the last iteration stand. */
	memcpy(sum->percentiles, result->percentiles, sizeof(sum->percentiles));
	sum->sent = result->sent;
	sum->received = result->received;
}

static double
items_per_second(const struct bench_result *result)
{
	return (double)result->items / result->seconds;
}

static double
cpu_per_item(const struct bench_result *result)
{
	return result->cpu_seconds / (double)result->items;
}

static void
count(struct gbench_state *st, enum column column, double value)
{
	gbench_set_counter(st, counters[column], value, GBENCH_PLAIN);
}

/* What a reader must know of the row, in a few words; "" if that is nothing. */
static void
describe(const struct row *row, char *text, size_t size)
{
	char holds[48] = "";
	char cut[96] = "";
	const char *const parts[] = {
		row->queue->never_sleeps ? "never sleeps" : "",
		holds,
		row->queue->note ? row->queue->note : "",
		cut,
	};
	size_t length = 0;

	if (row->capacity != 0 && row->capacity != row->workload->capacity)
		snprintf(holds, sizeof(holds), "holds %zu", row->capacity);
	if (row->cut > 0)
		snprintf(cut, sizeof(cut), "cut off in %zu of %zu: still going 1 s after the end",
			 row->cut, row->measured);
	text[0] = '\0';
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]) && length < size; i++) {
		if (parts[i][0])
			length += (size_t)snprintf(text + length, size - length, "%s%s",
						   length > 0 ? ", " : "", parts[i]);
	}
}

/*
 * How the threads spent their time: running, ready to run on a processor that others had, and the
 * rest asleep. A thread that has just been told to run may count as both for a moment.
 */
static void
report_shares(struct gbench_state *st, const struct bench_result *mine)
{
	const double running = mine->cpu_seconds / mine->thread_seconds;
	const double ready = mine->ready_seconds / mine->thread_seconds;

	if (isnan(running))
		return;
	gbench_set_counter(st, "running_share", running, GBENCH_PLAIN);
	if (isnan(ready))
		return;
	gbench_set_counter(st, "ready_share", ready, GBENCH_PLAIN);
	gbench_set_counter(st, "asleep_share", fmax(0, 1 - running - ready), GBENCH_PLAIN);
}

static void
report_shares_of_items(struct gbench_state *st, const struct bench_result *mine)
{
	count(st, SENT_MIN, mine->sent.smallest);
	count(st, SENT_MAX, mine->sent.largest);
	count(st, RECEIVED_MIN, mine->received.smallest);
	count(st, RECEIVED_MAX, mine->received.largest);
}

static void
report_counters(struct gbench_state *st, const struct row *row, const struct bench_result *mine,
		const struct bench_result *base)
{
	char text[256];

	gbench_set_items_processed(st, (int64_t)mine->items);
	count(st, TIMES_MUTEX, items_per_second(mine) / items_per_second(base));
	count(st, CPU_NS_PER_ITEM, cpu_per_item(mine) * 1e9);
	count(st, CPU_TIMES_MUTEX, cpu_per_item(mine) / cpu_per_item(base));
	count(st, SWITCHES_PER_1000, (double)mine->switches * 1000 / (double)mine->items);
	gbench_set_counter(st, "mutex_items_per_second", items_per_second(base), GBENCH_PLAIN);
	gbench_set_counter(st, "wall_seconds", mine->seconds, GBENCH_PLAIN);
	gbench_set_counter(st, "cpu_seconds", mine->cpu_seconds, GBENCH_PLAIN);
	report_shares(st, mine);
	if (row->workload->consumers == 0)
		count(st, NS_PER_PAIR, 1e9 / items_per_second(mine));
	for (size_t i = 0; i < BENCH_PERCENTILES; i++) {
		if (mine->percentiles[i] > 0)
			gbench_set_counter(st, bench_percentiles[i].name, mine->percentiles[i],
					   GBENCH_PLAIN);
		if (strcmp(bench_percentiles[i].name, counters[P50_NS]) == 0 &&
		    mine->percentiles[i] > 0)
			count(st, P50_TIMES_MUTEX, mine->percentiles[i] / base->percentiles[i]);
	}
	if (row->workload->shares)
		report_shares_of_items(st, mine);
	describe(row, text, sizeof(text));
	if (text[0])
		gbench_set_label(st, text);
}

/*
 * An interleaved run shows no row before it is nearly over. So a terminal shows what is measured,
 * how much there is, and what time it will still take; another file gets a line now and then.
 */
#define PROGRESS_NS 30000000000 /* from one line to the next */

static struct {
	size_t total;
	size_t begun;
	uint64_t start_ns;
	uint64_t shown_ns;
} progress;

static void
show_progress(const char *what)
{
	const uint64_t now = bench_now();
	const size_t done = progress.begun++;
	char left[48] = "";
	char text[160];

	/* There are more where the options ask for longer repetitions, which are tried for length. */
	if (progress.total <= done)
		progress.total = done + 1;
	if (done > 0) {
		const uint64_t seconds =
			(now - progress.start_ns) * (progress.total - done) / done / 1000000000;

		snprintf(left, sizeof(left), ", %llu:%02llu min left",
			 (unsigned long long)seconds / 60, (unsigned long long)seconds % 60);
	}
	snprintf(text, sizeof(text), "%zu of %zu%s: %s", done + 1, progress.total, left, what);
	if (isatty(STDERR_FILENO)) {
		fprintf(stderr, "\r%.79s\033[K", text);
	} else if (now - progress.shown_ns >= PROGRESS_NS) {
		fprintf(stderr, "%s\n", text);
		progress.shown_ns = now;
	}
}

static void
hide_progress(void)
{
	if (isatty(STDERR_FILENO))
		fputs("\r\033[K", stderr);
}

/* Measures the queue and the baseline next to each other. Returns NULL or what went wrong. */
static const char *
measure_pair(struct row *row, struct bench_result *mine, struct bench_result *base)
{
	const struct bench_queue *baseline = bench_baseline(row->queue);
	const bool baseline_first = row->baseline_first;
	const char *error = NULL;

	row->baseline_first = !baseline_first;
	if (baseline_first)
		error = row->measure(baseline, row->workload, base);
	if (!error)
		error = row->measure(row->queue, row->workload, mine);
	if (!error && !baseline_first)
		error = row->measure(baseline, row->workload, base);
	return error;
}

static void
run_row(struct gbench_state *st, void *user)
{
	struct row *row = user;
	struct bench_result mine_sum = {0};
	struct bench_result base_sum = {0};
	struct bench_result mine;
	struct bench_result base;
	const char *error;

	show_progress(row->name);
	while (gbench_keep_running(st)) {
		error = measure_pair(row, &mine, &base);
		if (error) {
			gbench_skip_with_error(st, error);
			return;
		}
		gbench_set_iteration_time(st, mine.seconds);
		row->capacity = mine.capacity;
		row->measured++;
		row->cut += mine.cut;
		add(&mine_sum, &mine);
		add(&base_sum, &base);
	}
	report_counters(st, row, &mine_sum, &base_sum);
}

/* --- Registration ----------------------------------------------------------------------------- */

static bool
same_kind(unsigned int threads, unsigned int at_most)
{
	return (threads == 1) == (at_most == 1);
}

static bool
is_made_for(const struct bench_queue *queue, const struct bench_workload *workload)
{
	return same_kind(workload->producers, queue->producers) &&
	       same_kind(workload->consumers, queue->consumers);
}

static bool
has_row(const struct bench_workload *workload, const struct bench_queue *queue, bool quick)
{
	if (!bench_admits(queue, workload))
		return false;
	if (workload->variation && (queue->peer || !is_made_for(queue, workload)))
		return false;
	if (!quick)
		return true;
	if (bench_with_peers)
		return workload->length == BENCH_QUICK_WITH_PEERS;
	return workload->length >= BENCH_QUICK && is_made_for(queue, workload);
}

/* Writes the name of the row that the workload makes with the queue. */
static void
name_row(char *name, size_t size, const struct bench_workload *w, const struct bench_queue *queue)
{
	static const char *const placements[] = {
		[BENCH_FREE] = "", [BENCH_APART] = "/pin:apart", [BENCH_ONE] = "/pin:one"};
	size_t length = (size_t)snprintf(name, size, "%s/%s", w->kind, queue->name);

	if (!w->has_arguments)
		return;
	length += (size_t)snprintf(name + length, size - length, "/p:%u/c:%u/cap:%zu", w->producers,
				   w->consumers, w->capacity);
	if (w->item_bytes != sizeof(bench_item8) || w->batch > 1)
		length +=
			(size_t)snprintf(name + length, size - length, "/bytes:%zu", w->item_bytes);
	if (w->batch > 1)
		length += (size_t)snprintf(name + length, size - length, "/batch:%zu", w->batch);
	snprintf(name + length, size - length, "%s", placements[w->placement]);
}

/* Repetitions: 0 for as many as the options say. */
static void
register_row(const struct bench_workload *workload, const struct bench_queue *queue,
	     harness_measure *measure, size_t repetitions)
{
	struct row *row = &rows[row_count++];
	struct gbench *bench;

	row->workload = workload;
	row->queue = queue;
	row->measure = measure;
	row->repetitions = repetitions;
	name_row(row->name, sizeof(row->name), workload, queue);
	bench = gbench_register(row->name, run_row, row);
	gbench_use_manual_time(bench);
	gbench_unit(bench, GBENCH_MILLISECOND);
	if (repetitions > 0)
		gbench_repetitions(bench, (int)repetitions);
}

static void
make_place_for_rows(void)
{
	rows = calloc(bench_workload_count * bench_queue_count, sizeof(*rows));
	if (!rows)
		abort();
}

void
harness_register(bool quick)
{
	make_place_for_rows();
	for (size_t w = 0; w < bench_workload_count; w++) {
		for (size_t q = 0; q < bench_queue_count; q++) {
			if (has_row(&bench_workloads[w], bench_queues[q], quick))
				register_row(&bench_workloads[w], bench_queues[q], bench_measure,
					     0);
		}
	}
}

void
harness_register_measured(const struct bench_workload *workload, const struct bench_queue *queue,
			  harness_measure *measure)
{
	if (!rows)
		make_place_for_rows();
	register_row(workload, queue, measure, 0);
}

static bool
is_rival(const struct bench_queue *queue, enum harness_rivals rivals)
{
	return queue->peer && (rivals == HARNESS_EVERYBODY ||
			       (rivals == HARNESS_SLEEPERS && !queue->never_sleeps));
}

void
harness_register_for(bool (*mentioned)(const char *row, enum harness_rivals *rivals),
		     size_t rival_repetitions)
{
	make_place_for_rows();
	for (size_t w = 0; w < bench_workload_count; w++) {
		const struct bench_workload *const workload = &bench_workloads[w];
		enum harness_rivals most = HARNESS_NOBODY;

		for (size_t q = 0; q < bench_queue_count; q++) {
			enum harness_rivals rivals;
			char name[sizeof(rows[0].name)];

			name_row(name, sizeof(name), workload, bench_queues[q]);
			if (!has_row(workload, bench_queues[q], false) || !mentioned(name, &rivals))
				continue;
			register_row(workload, bench_queues[q], bench_measure, 0);
			if (rivals > most)
				most = rivals;
		}
		for (size_t q = 0; q < bench_queue_count; q++) {
			if (is_rival(bench_queues[q], most) &&
			    has_row(workload, bench_queues[q], false))
				register_row(workload, bench_queues[q], bench_measure,
					     rival_repetitions);
		}
	}
}

/* --- Results ---------------------------------------------------------------------------------- */

/*
 * The row of a run, whose name the library ends in "/manual_time" and the like: the longest, because
 * some names begin with all of another.
 */
static struct row *
row_of(const struct gbench_run *run)
{
	struct row *found = NULL;
	size_t longest = 0;

	for (size_t i = 0; i < row_count; i++) {
		size_t length = strlen(rows[i].name);

		if (length > longest && strncmp(run->name, rows[i].name, length) == 0 &&
		    run->name[length] == '/') {
			found = &rows[i];
			longest = length;
		}
	}
	return found;
}

static void
add_sample(struct row *row, const struct gbench_run *run)
{
	double(*samples)[COLUMNS] =
		realloc(row->samples, (row->count + 1) * sizeof(row->samples[0]));

	if (!samples)
		abort();
	row->samples = samples;
	for (int column = 0; column < COLUMNS; column++) {
		double *value = &samples[row->count][column];

		*value = NAN;
		gbench_run_counter(run, counters[column], value);
	}
	row->count++;
}

/*
 * Collects the repetitions. Where the user's options suppress those, the median stands in for them.
 * The console gets one line for each row: the median, if there is one.
 */
static bool
on_run(const struct gbench_run *run, void *user)
{
	struct row *row = row_of(run);
	bool median = run->aggregate && strcmp(run->aggregate, "median") == 0;

	(void)user;
	hide_progress();
	if (!row)
		return true;
	if (run->error)
		snprintf(row->error, sizeof(row->error), "%s", run->error);
	else if (!run->aggregate || (median && row->count == 0))
		add_sample(row, run);
	return median || run->error || run->repetitions == 1;
}

size_t
harness_run(size_t repetitions)
{
	size_t ran;

	for (size_t i = 0; i < row_count; i++) {
		char full_name[sizeof(rows[i].name) + 16];

		snprintf(full_name, sizeof(full_name), "%s/manual_time", rows[i].name);
		if (gbench_admits(full_name))
			progress.total +=
				rows[i].repetitions > 0 ? rows[i].repetitions : repetitions;
	}
	progress.start_ns = progress.shown_ns = bench_now();
	ran = gbench_run_all(on_run, NULL);
	hide_progress();
	return ran;
}

static int
compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Of the repetitions that have it; NAN if none does. */
static struct harness_spread
spread(const struct row *row, enum column column)
{
	double values[row->count];
	size_t n = 0;

	assert(row->count > 0);
	for (size_t i = 0; i < row->count; i++) {
		if (!isnan(row->samples[i][column]))
			values[n++] = row->samples[i][column];
	}
	if (n == 0)
		return (struct harness_spread){NAN, NAN, NAN};
	qsort(values, n, sizeof(values[0]), compare_doubles);
	return (struct harness_spread){values[0], (values[(n - 1) / 2] + values[n / 2]) / 2,
				       values[n - 1]};
}

static double
median(const struct row *row, enum column column)
{
	return spread(row, column).median;
}

static const struct row *
row_named(const char *name)
{
	for (size_t i = 0; i < row_count; i++) {
		if (strcmp(rows[i].name, name) == 0)
			return &rows[i];
	}
	return NULL;
}

bool
harness_spread(const char *name, const char *counter, struct harness_spread *found)
{
	const struct row *const row = row_named(name);

	for (int column = 0; row && row->count > 0 && column < COLUMNS; column++) {
		if (strcmp(counters[column], counter) == 0) {
			*found = spread(row, (enum column)column);
			return !isnan(found->median);
		}
	}
	return false;
}

const char *
harness_rival(const char *name, enum harness_rivals rivals)
{
	const struct row *const mine = row_named(name);
	const struct row *best = NULL;

	for (size_t i = 0; mine && i < row_count; i++) {
		const struct row *const row = &rows[i];

		if (row->workload == mine->workload && is_rival(row->queue, rivals) &&
		    row->count > 0 &&
		    (!best || median(row, TIMES_MUTEX) > median(best, TIMES_MUTEX)))
			best = row;
	}
	return best ? best->name : NULL;
}

/* As "  p50 270, p99 410 ns": as in the results file, without those that too few round trips have. */
static void
print_percentiles(FILE *out, const struct row *row)
{
	static const struct {
		const char *name;
		enum column column;
	} shown[] = {{"p50", P50_NS}, {"p99", P99_NS}, {"p99.9", P999_NS}};
	const char *separator = "  ";

	for (size_t i = 0; i < sizeof(shown) / sizeof(shown[0]); i++) {
		const double ns = median(row, shown[i].column);

		if (isnan(ns))
			continue;
		fprintf(out, "%s%s %.0f", separator, shown[i].name, ns);
		separator = ", ";
	}
	if (separator[0] == ',')
		fputs(" ns", out);
}

static void
print_row(FILE *out, const struct row *row, int name_width)
{
	const struct harness_spread rate = spread(row, ITEMS_PER_SECOND);
	char range[32];
	char text[256];

	snprintf(range, sizeof(range), "%.4g .. %.4g", rate.min * 1e-6, rate.max * 1e-6);
	fprintf(out, "%-*s %9.4g %19s %9.3g %11.4g %11.3g %9.3g", name_width, row->name,
		rate.median * 1e-6, range, median(row, TIMES_MUTEX), median(row, CPU_NS_PER_ITEM),
		median(row, CPU_TIMES_MUTEX), median(row, SWITCHES_PER_1000));
	if (!isnan(median(row, NS_PER_PAIR)))
		fprintf(out, "  %.3g ns a pair", median(row, NS_PER_PAIR));
	print_percentiles(out, row);
	if (!isnan(median(row, SENT_MIN)))
		fprintf(out, "  shares sent %.1f .. %.1f %%, received %.1f .. %.1f %%",
			100 * median(row, SENT_MIN), 100 * median(row, SENT_MAX),
			100 * median(row, RECEIVED_MIN), 100 * median(row, RECEIVED_MAX));
	describe(row, text, sizeof(text));
	fprintf(out, "%s%s\n", text[0] ? "  " : "", text);
}

static bool
has_run(const struct row *row)
{
	return row->count > 0 || row->error[0];
}

/* Workloads in their order; in each the fastest first, what has no numbers last. */
static int
compare_rows(const void *a, const void *b)
{
	const struct row *x = a;
	const struct row *y = b;
	double x_rate = x->count > 0 ? median(x, ITEMS_PER_SECOND) : 0;
	double y_rate = y->count > 0 ? median(y, ITEMS_PER_SECOND) : 0;

	if (x->workload != y->workload)
		return (x->workload > y->workload) - (x->workload < y->workload);
	return (x_rate < y_rate) - (x_rate > y_rate);
}

bool
harness_report(FILE *out, const char *footer)
{
	const struct bench_workload *group = NULL;
	int name_width = 38;
	bool failed = false;

	for (size_t i = 0; i < row_count; i++) {
		if (has_run(&rows[i]) && (int)strlen(rows[i].name) > name_width)
			name_width = (int)strlen(rows[i].name);
	}
	qsort(rows, row_count, sizeof(rows[0]), compare_rows);
	for (size_t i = 0; i < row_count; i++) {
		const struct row *row = &rows[i];

		if (!has_run(row))
			continue;
		if (!group)
			fprintf(out, "\n%-*s %9s %19s %9s %11s %11s %9s\n", name_width,
				"median of repetitions", "Mitems/s", "min .. max", "x mutex",
				"CPU ns/item", "CPU x mutex", "sw/1000");
		else if (group != row->workload)
			fputc('\n', out);
		group = row->workload;
		if (row->count > 0)
			print_row(out, row, name_width);
		if (row->error[0]) {
			fprintf(out, "%-*s FAILED: %s\n", name_width, row->name, row->error);
			failed = true;
		}
	}
	if (group)
		fprintf(out, "\n%s\n", footer);
	return failed;
}
