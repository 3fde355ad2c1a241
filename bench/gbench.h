/* SPDX-License-Identifier: MIT */
/*
 * gbench.h - drive Google Benchmark from C.
 *
 * Usage. Two files, this one and gbench.cc, which is compiled as C++17 and linked with the
 * library. They need nothing else and work with Google Benchmark 1.7 and later.
 *
 *	static void copy(struct gbench_state *st, void *user)
 *	{
 *		struct buffers *b = user;
 *		size_t length = (size_t)gbench_arg(st, 0);
 *
 *		while (gbench_keep_running(st)) {
 *			memcpy(b->to, b->from, length);
 *			gbench_escape(b->to);
 *		}
 *		gbench_set_bytes_processed(st, gbench_iterations_done(st) * gbench_arg(st, 0));
 *	}
 *
 *	int main(int argc, char **argv)
 *	{
 *		gbench_init(&argc, argv, NULL);
 *		if (gbench_unrecognised(argc, argv))
 *			return 2;
 *		struct gbench *bench = gbench_register("copy", copy, &buffers);
 *		gbench_range(bench, 8, 65536);
 *		gbench_run_all(NULL, NULL);
 *		gbench_shutdown();
 *	}
 *
 * Every --benchmark_* option of the library works as its manual says, --benchmark_out among them.
 *
 * Guarantees. No exception leaves gbench.cc: what throws there (in practice: no memory) ends the
 * program. Strings and arrays are copied, except where a call says how long it keeps them. Calls on
 * a struct gbench_state belong to the thread that runs the body, everything else to the main
 * thread.
 *
 * Why it is shaped like this. The library names a benchmark by a C++ callable and leaves no room
 * for a user pointer in its setup and teardown, so that each registration here owns one object with
 * the three C functions and their pointer. An iteration costs one call into gbench.cc, 1 to 2 ns:
 * a body faster than some 50 ns should take its iterations in batches.
 */
#ifndef GBENCH_H
#define GBENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
#define GBENCH_NOEXCEPT noexcept
extern "C" {
#else
#define GBENCH_NOEXCEPT
#endif

struct gbench;       /* a registered benchmark: one body, run once for each set of arguments */
struct gbench_state; /* a body that is running */

/* Setup, body and teardown have one type; user is the pointer given to gbench_register. */
typedef void gbench_fn(struct gbench_state *st, void *user);

/* The unit of the console's time columns. */
enum gbench_unit {
	GBENCH_NANOSECOND,
	GBENCH_MICROSECOND,
	GBENCH_MILLISECOND,
	GBENCH_SECOND,
};

/* What is done to a counter's value before it is reported; combine with |. */
enum gbench_counter_flags {
	GBENCH_PLAIN = 0,                /* nothing */
	GBENCH_RATE = 1,                 /* divide by the measured time in seconds */
	GBENCH_PER_THREAD = 2,           /* divide by the number of threads */
	GBENCH_TIMES_ITERATIONS = 4,     /* multiply by the number of iterations */
	GBENCH_PER_ITERATION = 8,        /* divide by the number of iterations */
	GBENCH_INVERT = -2147483647 - 1, /* take the reciprocal, after all others */
};

/*
 * A finished run: one repetition of a benchmark with one set of arguments, or an aggregate over its
 * repetitions. Everything in it lives until the callback that gets it returns.
 */
struct gbench_run {
	const char *name;      /* in full, such as "copy/8", for an aggregate "copy/8_median" */
	const char *function;  /* the name given to gbench_register */
	const char *aggregate; /* NULL, or "mean", "median", "stddev", "cv" */
	const char *label;     /* "" when the body set none */
	const char *error;     /* NULL, or what the body said to gbench_skip_with_error */
	int64_t repetition;    /* counted from 0; -1 for an aggregate */
	int64_t repetitions;   /* how many there are of this benchmark */
	int64_t iterations;    /* of the body's loop; for an aggregate the repetitions behind it */
	double real_time;      /* seconds per iteration, manual time under gbench_use_manual_time */
	double cpu_time;       /* likewise; in the aggregate "cv" both are that quotient */
	const void *counters;  /* for gbench_run_counter */
};

/*
 * Called for every finished run. Returns whether the console shall show it; the file of
 * --benchmark_out holds all of them.
 */
typedef bool gbench_run_fn(const struct gbench_run *run, void *user);

/* --- The program ------------------------------------------------------------------------------ */

/*
 * gbench_init - take the library's options out of *argc and argv.
 * The last of several equal options counts, so that a program sets its own defaults by putting them
 * before the user's. help, or NULL for the library's own, is what --help calls before it exits with
 * status 0. Call it before everything else; argv must live as long as the program.
 */
void gbench_init(int *argc, char **argv, void (*help)(void)) GBENCH_NOEXCEPT;

/*
 * gbench_unrecognised - what gbench_init left over that is not the program's name.
 * Returns false when nothing is. Otherwise it names the first in one line on stderr and returns
 * true; exit status 2 is the custom.
 */
bool gbench_unrecognised(int argc, char **argv) GBENCH_NOEXCEPT;

/* Print the library's own options on stdout: the second half of a program's help. */
void gbench_print_options(void) GBENCH_NOEXCEPT;

/* Add "key: value" to what the console and the file say about the machine. Each key once. */
void gbench_context(const char *key, const char *value) GBENCH_NOEXCEPT;

/*
 * The library's version, such as "1.9.1". Releases before 1.8.4 cannot tell: for them it is what
 * gbench.cc was compiled with as GBENCH_LIBRARY_VERSION, or "unknown". The string is static.
 */
const char *gbench_library_version(void) GBENCH_NOEXCEPT;

/* Whether stdout gets the readable format, not that of --benchmark_format=json or csv. */
bool gbench_console(void) GBENCH_NOEXCEPT;

/*
 * gbench_run_all - run every registered benchmark that --benchmark_filter admits.
 * Shows each on stdout and writes the file of --benchmark_out. on_run, which may be NULL (show
 * all), sees every run after the last repetition of its benchmark, first the repetitions, then the
 * aggregates; under --benchmark_report_aggregates_only and --benchmark_display_aggregates_only it
 * sees the aggregates alone.
 * Returns how many benchmarks were admitted; with --benchmark_list_tests they are only listed.
 */
size_t gbench_run_all(gbench_run_fn *on_run, void *user) GBENCH_NOEXCEPT;

/*
 * gbench_admits - whether --benchmark_filter admits a benchmark of this full name: with its
 * arguments, and "/manual_time" or what else the library adds. Tells how much there is to run.
 */
bool gbench_admits(const char *name) GBENCH_NOEXCEPT;

/* That run's counter of that name, in *value. Returns false, *value untouched, if there is none. */
bool gbench_run_counter(const struct gbench_run *run, const char *name,
			double *value) GBENCH_NOEXCEPT;

/* Release what the library holds; the last call. */
void gbench_shutdown(void) GBENCH_NOEXCEPT;

/* --- Registration: between gbench_init and gbench_run_all ------------------------------------- */

/*
 * gbench_register - make body known under a name.
 * user is handed to body, setup and teardown as it is. Names may repeat. The handle is for the
 * calls below and lives until gbench_shutdown.
 */
struct gbench *gbench_register(const char *name, gbench_fn *body, void *user) GBENCH_NOEXCEPT;

/*
 * Sets of arguments. Each call adds to those there are, all of one benchmark have the same number
 * of arguments, and the benchmark runs once for each set. The values become part of its name, as
 * "/p:4/c:2" where gbench_arg_names names them and as "/4/2" where it does not.
 */
void gbench_args(struct gbench *bench, const int64_t *values, size_t count) GBENCH_NOEXCEPT;
void gbench_arg_names(struct gbench *bench, const char *const *names, size_t count) GBENCH_NOEXCEPT;

/* One argument: low, high and the powers of the multiplier (8 by default) in between. */
void gbench_range(struct gbench *bench, int64_t low, int64_t high) GBENCH_NOEXCEPT;

/* count arguments: all combinations of such ranges, bounds[i] being {low, high} of the i-th. */
void gbench_ranges(struct gbench *bench, const int64_t (*bounds)[2], size_t count) GBENCH_NOEXCEPT;

/* One argument: low, low + step, and so on up to high. */
void gbench_dense_range(struct gbench *bench, int64_t low, int64_t high, int step) GBENCH_NOEXCEPT;

/* The multiplier, 2 or more, of the ranges that are added after this call. */
void gbench_range_multiplier(struct gbench *bench, int multiplier) GBENCH_NOEXCEPT;

/*
 * How much is run. Repetitions are whole runs, reported one by one and then as aggregates. A run
 * has as many iterations as fill the least time, which they are tried for, or exactly the number
 * set here. Each overrides the library's option of the same name; iterations and least time exclude
 * each other. All numbers are above 0.
 */
void gbench_repetitions(struct gbench *bench, int repetitions) GBENCH_NOEXCEPT;
void gbench_iterations(struct gbench *bench, int64_t iterations) GBENCH_NOEXCEPT;
void gbench_min_time(struct gbench *bench, double seconds) GBENCH_NOEXCEPT;

/*
 * Which time counts, for the least time and for rates. The default is the CPU time of the thread
 * that runs the body. Real time is the clock on the wall. Manual time is what the body passes to
 * gbench_set_iteration_time. Process CPU time is that of all threads, also those the body started.
 * Real and manual time exclude each other.
 */
void gbench_use_real_time(struct gbench *bench) GBENCH_NOEXCEPT;
void gbench_use_manual_time(struct gbench *bench) GBENCH_NOEXCEPT;
void gbench_measure_process_cpu(struct gbench *bench) GBENCH_NOEXCEPT;

/* The unit in which the time of this benchmark is shown and written. */
void gbench_unit(struct gbench *bench, enum gbench_unit unit) GBENCH_NOEXCEPT;

/* Run the body in count threads at once. Each call adds a number of threads to run with. */
void gbench_threads(struct gbench *bench, int count) GBENCH_NOEXCEPT;

/*
 * Around every run of the body, outside the measured time: before its first and after its last
 * thread. A run that only serves to find the number of iterations is a run too. Both may read
 * arguments; setup may also skip with an error, after which the body's loop ends at once.
 */
void gbench_setup(struct gbench *bench, gbench_fn *setup) GBENCH_NOEXCEPT;
void gbench_teardown(struct gbench *bench, gbench_fn *teardown) GBENCH_NOEXCEPT;

/* --- In the body ------------------------------------------------------------------------------ */

/*
 * gbench_keep_running - whether there is another iteration; the condition of the body's loop.
 * The time runs from its first call to the one that returns false, and with several threads the
 * first and the last call wait for all of them. The body must not return before it returned false,
 * except after gbench_skip_with_error.
 */
bool gbench_keep_running(struct gbench_state *st) GBENCH_NOEXCEPT;

/* The same for a loop whose every turn does count iterations; the last turn may overshoot. */
bool gbench_keep_running_batch(struct gbench_state *st, int64_t count) GBENCH_NOEXCEPT;

/* The time in seconds that this iteration took: once per iteration, under manual time. */
void gbench_set_iteration_time(struct gbench_state *st, double seconds) GBENCH_NOEXCEPT;

/* Leave out of the measured time what lies between these two. A pair costs about 0.5 us itself. */
void gbench_pause_timing(struct gbench_state *st) GBENCH_NOEXCEPT;
void gbench_resume_timing(struct gbench_state *st) GBENCH_NOEXCEPT;

/* The index-th argument, from 0, of the set this run is for. There must be one. */
int64_t gbench_arg(const struct gbench_state *st, size_t index) GBENCH_NOEXCEPT;

/* How many iterations this thread did: after the loop all of this run's. */
int64_t gbench_iterations_done(const struct gbench_state *st) GBENCH_NOEXCEPT;

/* This thread's index, from 0, and how many there are. */
int gbench_thread_index(const struct gbench_state *st) GBENCH_NOEXCEPT;
int gbench_thread_count(const struct gbench_state *st) GBENCH_NOEXCEPT;

/*
 * gbench_set_counter - report value, changed as flags say, under a name.
 * A second call with that name replaces the first; what several threads set is added up.
 */
void gbench_set_counter(struct gbench_state *st, const char *name, double value,
			int flags) GBENCH_NOEXCEPT;

/* After the loop: items or bytes of all its iterations, reported as a number per second. */
void gbench_set_items_processed(struct gbench_state *st, int64_t items) GBENCH_NOEXCEPT;
void gbench_set_bytes_processed(struct gbench_state *st, int64_t bytes) GBENCH_NOEXCEPT;

/* Text at the end of the benchmark's line. */
void gbench_set_label(struct gbench_state *st, const char *label) GBENCH_NOEXCEPT;

/* Report the run as failed with this reason and no numbers; the loop ends at its next condition. */
void gbench_skip_with_error(struct gbench_state *st, const char *reason) GBENCH_NOEXCEPT;

/* --- Against the optimiser -------------------------------------------------------------------- */

/* Have the value, a scalar, computed here, and memory up to date as for gbench_clobber_memory. */
#define gbench_do_not_optimize(value) __asm__ volatile("" : : "r,m"(value) : "memory")

/* Assume that somebody reads and writes, from here on, what object points to. */
static inline void
gbench_escape(void *object)
{
	__asm__ volatile("" : : "r"(object) : "memory");
}

/* Complete all pending writes to memory that has escaped, and read it anew afterwards. */
static inline void
gbench_clobber_memory(void)
{
	__asm__ volatile("" : : : "memory");
}

#ifdef __cplusplus
}
#endif

#endif
