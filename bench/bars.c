/* SPDX-License-Identifier: MIT */
/* bars.c - see bars.h. */
#include "bars.h"

#include <stddef.h>
#include <string.h>

/* What of a row is compared with the bar. */
enum measure {
	MEDIAN,            /* of the counter */
	MEDIAN_TO_MEDIAN,  /* that, as a multiple of the same of another row */
	SLOWEST_TO_MEDIAN, /* the smallest value, as a multiple of the median */
};

struct bar {
	const char *label;
	const char *row;
	const char *counter;
	const char *other; /* row, for MEDIAN_TO_MEDIAN, or NULL */
	enum measure measure;
	enum harness_rivals rivals;
	double least; /* 0: there is none */
	double most;
};

/* clang-format off */
#define RATE(LABEL, ROW, LEAST, RIVALS) \
	{ LABEL ", times the mutex", ROW, "times_mutex", NULL, MEDIAN, RIVALS, LEAST, 0 }
#define P50(LABEL, ROW) \
	{ LABEL ", p50 to the mutex's", ROW, "p50_times_mutex", NULL, MEDIAN, HARNESS_NOBODY, 0, 0.01 }
static const struct bar bars[] = {
	RATE("4:2/64 MPMC",           "transfer/mpmc/p:4/c:2/cap:64",          75, HARNESS_EVERYBODY),
	RATE("8:8/64 MPMC",           "transfer/mpmc/p:8/c:8/cap:64",          70, HARNESS_SLEEPERS),
	RATE("1:4/64 SPMC",           "transfer/spmc/p:1/c:4/cap:64",          60, HARNESS_SLEEPERS),
	RATE("4:1/64 MPSC",           "transfer/mpsc/p:4/c:1/cap:64",          60, HARNESS_SLEEPERS),
	RATE("1:1/64 SPSC",           "transfer/spsc/p:1/c:1/cap:64",          70, HARNESS_SLEEPERS),
	RATE("1:1/1024 SPSC",         "transfer/spsc/p:1/c:1/cap:1024",        12, HARNESS_SLEEPERS),
	RATE("4:2/1024 MPMC",         "transfer/mpmc/p:4/c:2/cap:1024",        17, HARNESS_SLEEPERS),
	RATE("4:2/65536 MPMC",        "transfer/mpmc/p:4/c:2/cap:65536",       12, HARNESS_SLEEPERS),
	RATE("4:2/1 MPMC",            "transfer/mpmc/p:4/c:2/cap:1",           30, HARNESS_SLEEPERS),
	RATE("64:32/64 MPMC",         "transfer/mpmc/p:64/c:32/cap:64",        55, HARNESS_SLEEPERS),
	RATE("4:2/64 MPMC, 64 bytes", "transfer/mpmc/p:4/c:2/cap:64/bytes:64", 30, HARNESS_SLEEPERS),
	{ "4:2/1024 MPMC, batches of 32, times single items",
	  "transfer/mpmc/p:4/c:2/cap:1024/bytes:8/batch:32", "items_per_second",
	  "transfer/mpmc/p:4/c:2/cap:1024", MEDIAN_TO_MEDIAN, HARNESS_NOBODY, 3, 0 },
	P50("round trip MPMC", "roundtrip/mpmc"),
	P50("round trip SPSC", "roundtrip/spsc"),
	{ "try pair MPMC, times two 16-byte CAS", "trypair/mpmc", "ns_per_pair",
	  "trypair/cas16", MEDIAN_TO_MEDIAN, HARNESS_NOBODY, 0, 1.15 },
	{ "try pair SPSC, ns", "trypair/spsc", "ns_per_pair", NULL, MEDIAN, HARNESS_NOBODY, 0, 4 },
	{ "4:2/64 MPMC, slowest run to the median", "transfer/mpmc/p:4/c:2/cap:64",
	  "items_per_second", NULL, SLOWEST_TO_MEDIAN, HARNESS_NOBODY, 0.5, 0 },
};
/* clang-format on */

#define BAR_COUNT (sizeof(bars) / sizeof(bars[0]))

bool
bars_mention(const char *row, enum harness_rivals *rivals)
{
	bool mentioned = false;

	*rivals = HARNESS_NOBODY;
	for (size_t i = 0; i < BAR_COUNT; i++) {
		if (strcmp(bars[i].row, row) == 0) {
			mentioned = true;
			if (bars[i].rivals > *rivals)
				*rivals = bars[i].rivals;
		} else if (bars[i].other && strcmp(bars[i].other, row) == 0) {
			mentioned = true;
		}
	}
	return mentioned;
}

/* Returns false if what it takes was not measured. */
static bool
measure(const struct bar *bar, double *value, char *range, size_t size)
{
	struct harness_spread mine;
	struct harness_spread other = {1, 1, 1};

	if (!harness_spread(bar->row, bar->counter, &mine) ||
	    (bar->other && !harness_spread(bar->other, bar->counter, &other)))
		return false;
	range[0] = '\0';
	if (bar->measure == SLOWEST_TO_MEDIAN) {
		*value = mine.min / mine.median;
		return true;
	}
	*value = mine.median / other.median;
	if (bar->measure == MEDIAN)
		snprintf(range, size, "%.3g .. %.3g", mine.min, mine.max);
	return true;
}

static const char *
verdict(bool met)
{
	return met ? "met" : "NOT MET";
}

/* Returns whether the bar is met, or was not measured. */
static bool
report_bar(FILE *out, const struct bar *bar)
{
	char range[48];
	double value;
	bool met;

	fprintf(out, "%-48s %s %6.4g ", bar->label,
		bar->least > 0 ? ">=" : "<=", bar->least > 0 ? bar->least : bar->most);
	if (!measure(bar, &value, range, sizeof(range))) {
		fprintf(out, "%9s\n", "not measured");
		return true;
	}
	met = bar->least > 0 ? value >= bar->least : value <= bar->most;
	fprintf(out, "%9.4g %21s  %s\n", value, range, verdict(met));
	return met;
}

/* Likewise whether the row is ahead of those it must be ahead of. */
static bool
report_rival(FILE *out, const struct bar *bar, enum harness_rivals rivals)
{
	const char *const rival = harness_rival(bar->row, rivals);
	struct harness_spread mine;
	struct harness_spread its;
	bool met;

	if (!rival || !harness_spread(bar->row, "times_mutex", &mine) ||
	    !harness_spread(rival, "times_mutex", &its))
		return true;
	met = mine.median > its.median;
	fprintf(out, "%-48s %9.4g %9.4g  %-48s %s\n", bar->row, mine.median, its.median, rival,
		verdict(met));
	return met;
}

static bool
report_rivals(FILE *out, enum harness_rivals rivals)
{
	bool met = true;
	bool any = false;

	for (size_t i = 0; i < BAR_COUNT; i++) {
		if (bars[i].rivals < rivals || !harness_rival(bars[i].row, rivals))
			continue;
		if (!any)
			fprintf(out, "\n%-48s %9s %9s  %s\n", "ahead of others", "x mutex",
				"x mutex",
				rivals == HARNESS_SLEEPERS ? "the fastest of those that sleep"
							   : "the fastest of all");
		any = true;
		met &= report_rival(out, &bars[i], rivals);
	}
	return met;
}

static bool
any_measured(void)
{
	struct harness_spread spread;
	bool any = false;

	for (size_t i = 0; i < BAR_COUNT; i++)
		any |= harness_spread(bars[i].row, bars[i].counter, &spread);
	return any;
}

bool
bars_report(FILE *out)
{
	bool met = true;

	if (!any_measured())
		return true;
	fprintf(out, "\n%-48s %9s %9s %21s\n", "bar", "asked", "median", "min .. max");
	for (size_t i = 0; i < BAR_COUNT; i++)
		met &= report_bar(out, &bars[i]);
	met &= report_rivals(out, HARNESS_SLEEPERS);
	met &= report_rivals(out, HARNESS_EVERYBODY);
	return met;
}
