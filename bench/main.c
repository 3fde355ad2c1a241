/* SPDX-License-Identifier: MIT */
/*
 * main.c - sluice-bench: compare Sluice's queues with a mutex and with each other.
 *
 * See usage below. Exit status 0; 1 when a row failed its verification, or a bar is not met; 2 when
 * the command line was wrong or its filter admits nothing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bars.h"
#include "crawl.h"
#include "gbench.h"
#include "harness.h"
#include "machine.h"
#include "queues.h"

static void
usage(void)
{
	puts("sluice-bench: compare Sluice's queues with a mutex and with each other\n"
	     "\n"
	     "  --quick   only the headline and the one-sided queues at capacity 64, under a "
	     "minute;\n"
	     "            where the peers were built, 4:2 and 1:1 at capacity 64, under 3 minutes\n"
	     "  --bars    the rows that Sluice makes claims about, 20 times each, and at the "
	     "end whether\n"
	     "            the claims hold; where the peers were built, 5 times each, those that "
	     "claims\n"
	     "            are made about; under 4 minutes\n"
	     "  --crawl   the crawler on Sluice's queues and on mutex queues; half a minute\n"
	     "  --help    this text\n"
	     "\n"
	     "Rows are named transfer/QUEUE/p:PRODUCERS/c:CONSUMERS/cap:CAPACITY (and /bytes:ITEM"
	     "\n"
	     "where items are wide, /bytes:8/batch:N where they move by batches, /pin:apart or "
	     "/pin:one\n"
	     "where threads are pinned), fair/QUEUE/..., roundtrip/QUEUE, trypair/QUEUE and "
	     "paced/QUEUE. The options of Google Benchmark choose among them\n"
	     "(--benchmark_filter=transfer/.*/p:4/c:2) and write files (--benchmark_out=FILE).\n"
	     "Unless they say otherwise, every row runs 9 times (5 in the full run with peers), "
	     "all\n"
	     "rows shuffled.\n");
	gbench_print_options();
}

/* Takes an option of our own out of the arguments. Returns whether it was there. */
static bool
take_option(int *argc, char **argv, const char *option)
{
	bool found = false;
	int kept = 1;

	for (int i = 1; i < *argc; i++) {
		if (strcmp(argv[i], option) == 0)
			found = true;
		else
			argv[kept++] = argv[i];
	}
	*argc = kept;
	return found;
}

/* The value of the last option that begins so, "" if there is none. */
static const char *
option_value(char *const *arguments, const char *option)
{
	const char *value = "";

	for (; *arguments; arguments++) {
		if (strncmp(*arguments, option, strlen(option)) == 0)
			value = *arguments + strlen(option);
	}
	return value;
}

/* What must stand beside the numbers of a results file. */
static void
tell_context(const char *machine, const char *repetitions, const char *shuffled)
{
	const char *const commit = getenv("SLUICE_COMMIT");

	gbench_context("machine", machine);
	machine_tell(gbench_context);
	gbench_context("google_benchmark", gbench_library_version());
	gbench_context("commit", commit && commit[0] ? commit : "unknown");
	gbench_context("repetitions", repetitions);
	gbench_context("shuffled", shuffled);
	gbench_context("method",
		       "Each repetition measures the queue and the mutex queue, side by side, "
		       "and checks that as many items arrive as were sent, with the same sum; "
		       "or a program on each, and checks that it stored everything.");
}

/* Nothing where the crawler is not built, and so there is nothing to run. */
static void
register_crawl(void)
{
#ifdef SLUICE_CRAWL
	crawl_register();
#endif
}

int
main(int argc, char **argv)
{
	const bool quick = take_option(&argc, argv, "--quick");
	const bool only_bars = take_option(&argc, argv, "--bars");
	const bool only_crawl = take_option(&argc, argv, "--crawl");
	char default_repetitions[48];
	/*
	 * Stand before the user's, which thereby override them. An iteration is a whole measurement
	 * and long enough, so that any least time makes it one to a repetition.
	 */
	char *const defaults[] = {
		default_repetitions,
		"--benchmark_min_time=0.001",
		"--benchmark_enable_random_interleaving=true",
	};
	const size_t default_count = sizeof(defaults) / sizeof(defaults[0]);
	int count = argc + (int)default_count;
	char **arguments = calloc((size_t)count + 1, sizeof(*arguments));
	const char *repetitions;
	const char *shuffled;
	char machine[512];
	char footer[600];
	struct machine_use before;
	size_t ran;
	FILE *table;
	bool failed;

	if (!arguments)
		abort();
	snprintf(default_repetitions, sizeof(default_repetitions), "--benchmark_repetitions=%d",
		 only_bars                    ? BARS_REPETITIONS
		 : bench_with_peers && !quick ? 5
					      : 9);
	arguments[0] = argv[0];
	memcpy(arguments + 1, defaults, sizeof(defaults));
	memcpy(arguments + 1 + default_count, argv + 1, (size_t)(argc - 1) * sizeof(*argv));
	/* The library takes its options out. */
	repetitions = option_value(arguments, "--benchmark_repetitions=");
	shuffled = option_value(arguments, "--benchmark_enable_random_interleaving=");
	gbench_init(&count, arguments, usage);
	if (gbench_unrecognised(count, arguments))
		return 2;

	machine_describe(machine, sizeof(machine));
	tell_context(machine, repetitions, shuffled);
	if (only_bars)
		harness_register_for(bars_mention, BARS_PEER_REPETITIONS);
	else if (only_crawl)
		register_crawl();
	else
		harness_register(quick);
	before = machine_use();
	ran = harness_run(strtoul(repetitions, NULL, 10));
	snprintf(footer, sizeof(footer), "%s\nOthers used %.0f %% of the machine.", machine,
		 100 * machine_others(before, machine_use()));

	/* Under --benchmark_format=json or csv stdout belongs to the library. */
	table = gbench_console() ? stdout : stderr;
	failed = harness_report(table, footer);
	if (only_bars)
		failed |= !bars_report(table);
	gbench_shutdown();
	free(arguments);
	if (ran == 0)
		return 2;
	return failed ? 1 : 0;
}
