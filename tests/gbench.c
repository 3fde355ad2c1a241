/* SPDX-License-Identifier: MIT */
/*
 * gbench.c - tests of bench/gbench.h: what a C program registers is what Google Benchmark runs.
 *
 * Each test is a process of its own, so each begins with a library that knows no benchmark.
 */
#include <stdio.h>
#include <string.h>

#include "gbench.h"
#include "test.h"

enum {
	MAX_RUNS = 32
};

/* Every finished run, as the callback saw it. */
static struct {
	char name[128];
	char aggregate[16];
	char label[32];
	char error[64];
	int64_t repetition;
	int64_t iterations;
	double real_time;
	double plain;
	double rate;
	double per_iteration;
	bool has_plain;
} runs[MAX_RUNS];
static size_t run_count;

static bool
keep(const struct gbench_run *run, void *user)
{
	cr_assert_eq(user, &run_count);
	cr_assert_lt(run_count, MAX_RUNS);
	snprintf(runs[run_count].name, sizeof(runs[0].name), "%s", run->name);
	snprintf(runs[run_count].aggregate, sizeof(runs[0].aggregate), "%s",
		 run->aggregate != NULL ? run->aggregate : "");
	snprintf(runs[run_count].label, sizeof(runs[0].label), "%s", run->label);
	snprintf(runs[run_count].error, sizeof(runs[0].error), "%s",
		 run->error != NULL ? run->error : "");
	runs[run_count].repetition = run->repetition;
	runs[run_count].iterations = run->iterations;
	runs[run_count].real_time = run->real_time;
	runs[run_count].has_plain = gbench_run_counter(run, "plain", &runs[run_count].plain);
	gbench_run_counter(run, "rate", &runs[run_count].rate);
	gbench_run_counter(run, "per_iteration", &runs[run_count].per_iteration);
	run_count++;
	return false; /* nothing on the console */
}

static void
begin(void)
{
	static char *arguments[] = {"test", "--benchmark_min_time=0.001", NULL};
	int count = 2;

	gbench_init(&count, arguments, NULL);
	cr_assert_eq(count, 1);
}

static size_t
run_all(void)
{
	return gbench_run_all(keep, &run_count);
}

static int calls_of_setup;
static int calls_of_teardown;
static int64_t iterations_seen;

static void
count_iterations(struct gbench_state *st, void *user)
{
	int64_t *const seen = user;

	while (gbench_keep_running(st))
		(*seen)++;
	cr_assert_eq(gbench_iterations_done(st), *seen);
}

TEST(gbench, the_user_pointer_arrives_and_the_loop_runs_as_often_as_set)
{
	begin();
	gbench_iterations(gbench_register("loop", count_iterations, &iterations_seen), 1234);
	cr_assert_eq(run_all(), 1);
	cr_assert_eq(iterations_seen, 1234);
	cr_assert_eq(runs[0].iterations, 1234);
	cr_assert_str_eq(runs[0].name, "loop/iterations:1234");
	gbench_shutdown();
}

static void
report_arguments(struct gbench_state *st, void *user)
{
	(void)user;
	while (gbench_keep_running(st))
		;
	gbench_set_counter(st, "plain", (double)(gbench_arg(st, 0) * 100 + gbench_arg(st, 1)),
			   GBENCH_PLAIN);
	gbench_set_label(st, "labelled");
}

TEST(gbench, named_arguments_make_the_name_and_arrive_in_the_body)
{
	static const char *const names[] = {"p", "c"};
	struct gbench *bench;

	begin();
	bench = gbench_register("pair", report_arguments, NULL);
	gbench_arg_names(bench, names, 2);
	gbench_args(bench, (const int64_t[]){4, 2}, 2);
	gbench_args(bench, (const int64_t[]){1, 3}, 2);
	gbench_iterations(bench, 1);
	cr_assert_eq(run_all(), 2);
	cr_assert_str_eq(runs[0].name, "pair/p:4/c:2/iterations:1");
	cr_assert_str_eq(runs[1].name, "pair/p:1/c:3/iterations:1");
	cr_assert_eq(runs[0].plain, 402);
	cr_assert_eq(runs[1].plain, 103);
	cr_assert_str_eq(runs[0].label, "labelled");
	gbench_shutdown();
}

static void
take_two_seconds(struct gbench_state *st, void *user)
{
	(void)user;
	while (gbench_keep_running(st))
		gbench_set_iteration_time(st, 2.0);
	gbench_set_counter(st, "plain", 7, GBENCH_PLAIN);
	gbench_set_counter(st, "rate", 40, GBENCH_RATE);
	gbench_set_counter(st, "per_iteration", 40, GBENCH_PER_ITERATION);
}

TEST(gbench, manual_time_is_what_the_body_says_and_rates_follow_it)
{
	struct gbench *bench;

	begin();
	bench = gbench_register("manual", take_two_seconds, NULL);
	gbench_use_manual_time(bench);
	gbench_iterations(bench, 5);
	cr_assert_eq(run_all(), 1);
	cr_assert_float_eq(runs[0].real_time, 2.0, 1e-9);
	cr_assert_eq(runs[0].plain, 7);
	cr_assert_float_eq(runs[0].rate, 4.0, 1e-9); /* 40 in 5 times 2 seconds */
	cr_assert_float_eq(runs[0].per_iteration, 8.0, 1e-9);
	gbench_shutdown();
}

static void
idle(struct gbench_state *st, void *user)
{
	(void)user;
	while (gbench_keep_running(st))
		;
}

TEST(gbench, admits_what_the_library_runs)
{
	static const char *const names[] = {"a", "b", "ab/p:4", "c.d"};
	static char *const filters[] = {"",        "all",   ".", "a", "-a", "^b",
					"a.*4|d$", "c\\.d", "-", "(", "x"};
	const size_t name_count = sizeof(names) / sizeof(names[0]);

	begin();
	for (size_t i = 0; i < name_count; i++)
		gbench_iterations(gbench_register(names[i], idle, NULL), 1);
	for (size_t f = 0; f < sizeof(filters) / sizeof(filters[0]); f++) {
		char option[64];
		char *arguments[] = {"test", option, NULL};
		int count = 2;
		size_t admitted = 0;
		char name[64];

		snprintf(option, sizeof(option), "--benchmark_filter=%s", filters[f]);
		gbench_init(&count, arguments, NULL);
		for (size_t i = 0; i < name_count; i++) {
			snprintf(name, sizeof(name), "%s/iterations:1", names[i]);
			admitted += gbench_admits(name);
		}
		run_count = 0;
		cr_assert_eq(admitted, run_all(), "%s admits %zu", filters[f], admitted);
	}
	gbench_shutdown();
}

TEST(gbench, repetitions_come_one_by_one_and_then_as_aggregates)
{
	struct gbench *bench;
	size_t single = 0;

	begin();
	bench = gbench_register("repeated", take_two_seconds, NULL);
	gbench_use_manual_time(bench);
	gbench_iterations(bench, 1);
	gbench_repetitions(bench, 3);
	cr_assert_eq(run_all(), 1);
	while (single < run_count && runs[single].aggregate[0] == '\0') {
		cr_assert_eq(runs[single].repetition, (int64_t)single);
		single++;
	}
	cr_assert_eq(single, 3);
	cr_assert_str_eq(runs[3].aggregate, "mean");
	cr_assert_eq(runs[3].repetition, -1);
	cr_assert_float_eq(runs[3].real_time, 2.0, 1e-9);
	gbench_shutdown();
}

static void
fail(struct gbench_state *st, void *user)
{
	gbench_skip_with_error(st, user);
	while (gbench_keep_running(st))
		cr_assert_fail("an iteration of a skipped run");
}

TEST(gbench, a_skipped_run_carries_its_reason_and_no_counters)
{
	static char reason[] = "sums differ";

	begin();
	gbench_register("failing", fail, reason);
	cr_assert_eq(run_all(), 1);
	cr_assert_str_eq(runs[0].error, reason);
	cr_assert_not(runs[0].has_plain);
	gbench_shutdown();
}

static void
set_up(struct gbench_state *st, void *user)
{
	cr_assert_eq(gbench_arg(st, 0), 9);
	cr_assert_eq(user, &iterations_seen);
	calls_of_setup++;
}

static void
tear_down(struct gbench_state *st, void *user)
{
	(void)st;
	(void)user;
	cr_assert_eq(calls_of_setup, calls_of_teardown + 1);
	calls_of_teardown++;
}

static void
spin(struct gbench_state *st, void *user)
{
	(void)user;
	cr_assert_eq(calls_of_setup, calls_of_teardown + 1);
	while (gbench_keep_running(st))
		;
}

TEST(gbench, setup_and_teardown_surround_every_run_once_however_many_threads_it_has)
{
	struct gbench *bench;

	begin();
	bench = gbench_register("surrounded", spin, &iterations_seen);
	gbench_args(bench, (const int64_t[]){9}, 1);
	gbench_iterations(bench, 10);
	gbench_repetitions(bench, 3);
	gbench_threads(bench, 4);
	gbench_setup(bench, set_up);
	gbench_teardown(bench, tear_down);
	cr_assert_eq(run_all(), 1);
	cr_assert_eq(calls_of_setup, 3);
	cr_assert_eq(calls_of_teardown, 3);
	gbench_shutdown();
}

TEST(gbench, arguments_that_are_not_the_library_s_are_left_and_complained_about)
{
	static char *arguments[] = {"test", "--benchmark_repetitions=2", "--nonsense", NULL};
	int count = 3;

	gbench_init(&count, arguments, NULL);
	cr_assert_eq(count, 2);
	cr_assert_str_eq(arguments[1], "--nonsense");
	cr_assert(gbench_unrecognised(count, arguments));
	cr_assert_not(gbench_unrecognised(1, arguments));
}
