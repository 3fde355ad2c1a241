/* SPDX-License-Identifier: MIT */
/*
 * bench_bars.c - does bench/bars.h judge what was measured by what was asked?
 *
 * The harness is played by a table of numbers. At first every row is better than any bar.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../bench/bars.h"
#include "test.h"

/* What the harness would have measured of one row; of all others it is as `good` says. */
static const char *special_row = "";
static const char *special_counter = "";
static struct harness_spread special;
static const char *rival;
static double rival_times_mutex;
static bool measured_nothing;

static struct harness_spread
good(const char *counter)
{
	if (strcmp(counter, "times_mutex") == 0)
		return (struct harness_spread){900, 1000, 1100};
	if (strcmp(counter, "items_per_second") == 0)
		return (struct harness_spread){9e6, 10e6, 11e6};
	return (struct harness_spread){0.0009, 0.001, 0.0011};
}

bool
harness_spread(const char *row, const char *counter, struct harness_spread *spread)
{
	if (measured_nothing)
		return false;
	*spread = good(counter);
	if (rival && strcmp(row, rival) == 0)
		*spread = (struct harness_spread){0, rival_times_mutex, 0};
	else if (strcmp(row, special_row) == 0 && strcmp(counter, special_counter) == 0)
		*spread = special;
	else if (strstr(row, "/batch:32"))
		*spread = (struct harness_spread){39e6, 40e6, 41e6};
	return true;
}

const char *
harness_rival(const char *row, enum harness_rivals rivals)
{
	(void)row;
	(void)rivals;
	return rival;
}

static char said[8192];

static bool
report(void)
{
	FILE *const out = fmemopen(said, sizeof(said), "w");
	bool met;

	cr_assert_not_null(out);
	met = bars_report(out);
	cr_assert_eq(fclose(out), 0);
	return met;
}

/* How many lines say so. */
static int
lines_with(const char *text)
{
	int n = 0;

	for (const char *at = said; (at = strstr(at, text)) != NULL; at += strlen(text))
		n++;
	return n;
}

/* The row has this median; its other numbers are as far away as they like. */
static bool
report_with(const char *row, const char *counter, double median)
{
	special_row = row;
	special_counter = counter;
	special = (struct harness_spread){median * 0.9, median, median * 1.1};
	return report();
}

TEST(bars, are_met_by_rows_that_are_better)
{
	cr_assert(report());
	cr_assert_eq(lines_with("  NOT MET"), 0);
	cr_assert_eq(lines_with("  met"), 17);
}

TEST(bars, that_ask_for_a_rate_are_met_exactly_at_it_and_missed_below)
{
	cr_assert(report_with("transfer/mpmc/p:4/c:2/cap:64", "times_mutex", 75));
	cr_assert_not(report_with("transfer/mpmc/p:4/c:2/cap:64", "times_mutex", 74.99));
	cr_assert_eq(lines_with("  NOT MET"), 1);
	cr_assert_not_null(strstr(said, "4:2/64 MPMC, times the mutex"));
	cr_assert_not(report_with("transfer/spsc/p:1/c:1/cap:1024", "times_mutex", 11.9));
	cr_assert_not(report_with("transfer/mpmc/p:64/c:32/cap:64", "times_mutex", 54));
}

TEST(bars, that_ask_for_little_time_are_missed_above)
{
	cr_assert(report_with("roundtrip/mpmc", "p50_times_mutex", 0.01));
	cr_assert_not(report_with("roundtrip/mpmc", "p50_times_mutex", 0.0101));
	cr_assert(report_with("trypair/spsc", "ns_per_pair", 4));
	cr_assert_not(report_with("trypair/spsc", "ns_per_pair", 4.1));
}

TEST(bars, may_be_about_a_multiple_of_another_row)
{
	/* The floor is 0.001 here. */
	cr_assert(report_with("trypair/mpmc", "ns_per_pair", 0.00114));
	cr_assert_not(report_with("trypair/mpmc", "ns_per_pair", 0.00116));
	/* Batches: 40 million items a second. */
	cr_assert(report_with("transfer/mpmc/p:4/c:2/cap:1024", "items_per_second", 13e6));
	cr_assert_not(report_with("transfer/mpmc/p:4/c:2/cap:1024", "items_per_second", 14e6));
}

TEST(bars, see_the_slowest_run)
{
	special_row = "transfer/mpmc/p:4/c:2/cap:64";
	special_counter = "items_per_second";
	special = (struct harness_spread){5e6, 10e6, 11e6};
	cr_assert(report());
	special.min = 4.9e6;
	cr_assert_not(report());
	cr_assert_eq(lines_with("  NOT MET"), 1);
}

TEST(bars, are_missed_behind_another_library)
{
	rival = "transfer/other/p:4/c:2/cap:64";
	rival_times_mutex = 999;
	cr_assert(report());
	/* Eleven transfers, and the first again among all. */
	cr_assert_eq(lines_with(rival), 12);
	rival_times_mutex = 1001;
	cr_assert_not(report());
	cr_assert_eq(lines_with(" NOT MET"), 12);
}

TEST(bars, say_nothing_where_nothing_was_measured)
{
	measured_nothing = true;
	cr_assert(report());
	cr_assert_eq(said[0], '\0');
}

TEST(bars, mention_their_rows_those_they_compare_with_and_nothing_else)
{
	enum harness_rivals rivals;

	cr_assert(bars_mention("transfer/mpmc/p:4/c:2/cap:64", &rivals));
	cr_assert_eq(rivals, HARNESS_EVERYBODY);
	cr_assert(bars_mention("transfer/spsc/p:1/c:1/cap:64", &rivals));
	cr_assert_eq(rivals, HARNESS_SLEEPERS);
	cr_assert(bars_mention("trypair/cas16", &rivals));
	cr_assert_eq(rivals, HARNESS_NOBODY);
	cr_assert_not(bars_mention("transfer/spsc/p:1/c:1/cap:64/pin:one", &rivals));
	cr_assert_not(bars_mention("transfer/mutex/p:4/c:2/cap:64", &rivals));
}
