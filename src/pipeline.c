/* SPDX-License-Identifier: MIT */
/*
 * pipeline.c - the command line of sluice-pipeline.
 *
 * Exit status: 0 when all went well, 1 when something could not be done, 2 when the command line is
 * wrong; then one line on stderr says why and nothing else happens.
 */
#include "pipeline.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arguments.h"
#include "report.h"

#define THREADS_MAX      1000
#define CAPACITY_MAX     1000000
#define LINKS_MAX        1000000
#define MILLISECONDS_MAX 3600000

static const char help[] =
	"Usage: sluice-pipeline [OPTION]...\n"
	"       sluice-pipeline digest [OPTION]... PATH...\n"
	"\n"
	"Producers fetch links and put them into a bounded queue, consumers get and process\n"
	"them: pretended work that shows the queue. Prints the results in the order of their\n"
	"completion.\n"
	"  --producers N    threads that fetch (4; at most 1000)\n"
	"  --consumers N    threads that process (2; at most 1000)\n"
	"  --capacity N     what the queue holds (64; at most 1000000)\n"
	"  --links N        how many links there are (20; at most 1000000)\n"
	"  --fetch-ms N     how long it takes to fetch one (300; at most 3600000)\n"
	"  --process-ms N   how long it takes to process one (100; at most 3600000)\n"
	"  --feeder         a further thread feeds the links to the producers by a queue\n"
	"  --workers-join   no producers: consumers (10) fetch and process, main waits until\n"
	"                   every item is done\n"
	"  --quiet          print the results only\n"
	"\n"
	"digest prints the SHA-256 of every regular file in the given files and folders, in the\n"
	"format of sha256sum, as they get ready. Symbolic links inside folders are left out.\n"
	"  --producers N    threads that read files (4; at most 1000)\n"
	"  --consumers N    threads that compute digests (2; at most 1000)\n"
	"  --capacity N     what each queue holds, in files or in chunks of 64 KiB (64; at most\n"
	"                   1000000)\n"
	"\n"
	"Both:\n"
	"  --help           print this text\n";

enum letter {
	PRODUCERS = 1,
	CONSUMERS,
	CAPACITY,
	LINKS,
	FETCH_MS,
	PROCESS_MS,
	QUIET,
	FEEDER,
	WORKERS_JOIN,
	HELP,
};

static const struct option link_options[] = {
	{"producers", required_argument, NULL, PRODUCERS},
	{"consumers", required_argument, NULL, CONSUMERS},
	{"capacity", required_argument, NULL, CAPACITY},
	{"links", required_argument, NULL, LINKS},
	{"fetch-ms", required_argument, NULL, FETCH_MS},
	{"process-ms", required_argument, NULL, PROCESS_MS},
	{"quiet", no_argument, NULL, QUIET},
	{"feeder", no_argument, NULL, FEEDER},
	{"workers-join", no_argument, NULL, WORKERS_JOIN},
	{"help", no_argument, NULL, HELP},
	{0},
};

static const struct option digest_options[] = {
	{"producers", required_argument, NULL, PRODUCERS},
	{"consumers", required_argument, NULL, CONSUMERS},
	{"capacity", required_argument, NULL, CAPACITY},
	{"help", no_argument, NULL, HELP},
	{0},
};

/* Returns the exit status when the program ends here, or -1 when it goes on. */
static int
parse_options(int argc, char **argv, const struct option *table, struct options *options)
{
	int letter, index;

	while ((letter = getopt_long(argc, argv, "", table, &index)) != -1) {
		bool good = true;

		switch (letter) {
		case PRODUCERS:
			good = argument_number(table[index].name, 1, THREADS_MAX,
					       &options->producers);
			break;
		case CONSUMERS:
			good = argument_number(table[index].name, 1, THREADS_MAX,
					       &options->consumers);
			break;
		case CAPACITY:
			good = argument_number(table[index].name, 1, CAPACITY_MAX,
					       &options->capacity);
			break;
		case LINKS:
			good = argument_number(table[index].name, 0, LINKS_MAX, &options->links);
			break;
		case FETCH_MS:
			good = argument_number(table[index].name, 0, MILLISECONDS_MAX,
					       &options->fetch_ms);
			break;
		case PROCESS_MS:
			good = argument_number(table[index].name, 0, MILLISECONDS_MAX,
					       &options->process_ms);
			break;
		case QUIET:
			options->quiet = true;
			break;
		case FEEDER:
			options->feeder = true;
			break;
		case WORKERS_JOIN:
			options->workers_join = true;
			break;
		case HELP:
			fputs(help, stdout);
			return EXIT_SUCCESS;
		default: /* getopt has said what is wrong */
			return EXIT_USAGE;
		}
		if (!good)
			return EXIT_USAGE;
	}
	return -1;
}

static int
run_digest(int argc, char **argv)
{
	struct options options = {.producers = 4, .consumers = 2, .capacity = 64};
	int status = parse_options(argc, argv, digest_options, &options);

	if (status >= 0)
		return status;
	if (optind == argc) {
		report_problem("digest", "no PATH given");
		return EXIT_USAGE;
	}
	return pipeline_digest(&options, &argv[optind]);
}

static int
run_links(int argc, char **argv)
{
	struct options options = {.capacity = 64, .links = 20, .fetch_ms = 300, .process_ms = 100};
	int status = parse_options(argc, argv, link_options, &options);

	if (status >= 0)
		return status;
	if (optind < argc) {
		report_problem(argv[optind], "unexpected argument");
		return EXIT_USAGE;
	}
	if (options.workers_join && (options.producers > 0 || options.feeder)) {
		report_problem("--workers-join", "has no producers and no feeder");
		return EXIT_USAGE;
	}
	if (options.producers == 0)
		options.producers = 4;
	if (options.consumers == 0)
		options.consumers = options.workers_join ? 10 : 2;
	return options.workers_join ? pipeline_workers(&options) : pipeline_links(&options);
}

int
main(int argc, char **argv)
{
	static char name[] = "sluice-pipeline"; /* what getopt begins its messages with */
	int status;

	report_begin(name);
	if (argc > 1 && strcmp(argv[1], "digest") == 0) {
		argc--;
		argv++;
		argv[0] = name;
		status = run_digest(argc, argv);
	} else {
		argv[0] = name;
		status = run_links(argc, argv);
	}
	return report_end(status);
}
