/* SPDX-License-Identifier: MIT */
/* crawl_options.c - the command line of sluice-crawl. */
#include "crawl.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arguments.h"
#include "crawl_address.h"
#include "crawl_hosts.h"
#include "memory.h"
#include "report.h"

#define THREADS_MAX  1000
#define CAPACITY_MAX 1000000
#define NUMBER_MAX   1000000000
#define SECONDS_MAX  86400

static const char help[] =
	"Usage: sluice-crawl [OPTION]... URL...\n"
	"       sluice-crawl --resume [OPTION]... [URL]...\n"
	"\n"
	"Fetches the pages at the given addresses, and all that they lead to on the same hosts,\n"
	"each once, and stores titles, lengths and links in an SQLite database. A page that fails\n"
	"is a row with its reason. Prints a summary.\n"
	"  --producers N    threads that fetch (4; at most 1000)\n"
	"  --consumers N    threads that parse and store (2; at most 1000)\n"
	"  --capacity N     pages that wait between them (64; at most 1000000)\n"
	"  --depth N        links to follow from a given address, one after the other (no limit)\n"
	"  --max-pages N    addresses to store, those of earlier runs included (no limit)\n"
	"  --max-bytes N    a page may have (8388608)\n"
	"  --host NAME      another host to crawl; may be given several times\n"
	"  --db FILE        where to store (crawl.db)\n"
	"  --resume         go on with what is stored there; nothing is fetched again\n"
	"  --delay SECONDS  between two fetches from one site (0.1); robots.txt may ask for more\n"
	"  --rate N         fetches a second, of all sites (no limit)\n"
	"  --timeout SECONDS  for one page, from beginning to end (30)\n"
	"  --quiet          no progress on the terminal, and no summary\n"
	"  --json           the summary as JSON\n"
	"  --help           print this text\n"
	"\n"
	"Ctrl-C ends it: what was fetched is stored. Ctrl-C again ends it at once. Exit status: 0 "
	"when\n"
	"every given address was fetched, 1 when not, 2 when the command line is wrong.\n";

enum letter {
	PRODUCERS = 1,
	CONSUMERS,
	CAPACITY,
	DEPTH,
	MAX_PAGES,
	MAX_BYTES,
	HOST,
	DB,
	RESUME,
	DELAY,
	RATE,
	TIMEOUT,
	QUIET,
	JSON,
	HELP,
};

static const struct option table[] = {
	{"producers", required_argument, NULL, PRODUCERS},
	{"consumers", required_argument, NULL, CONSUMERS},
	{"capacity", required_argument, NULL, CAPACITY},
	{"depth", required_argument, NULL, DEPTH},
	{"max-pages", required_argument, NULL, MAX_PAGES},
	{"max-bytes", required_argument, NULL, MAX_BYTES},
	{"host", required_argument, NULL, HOST},
	{"db", required_argument, NULL, DB},
	{"resume", no_argument, NULL, RESUME},
	{"delay", required_argument, NULL, DELAY},
	{"rate", required_argument, NULL, RATE},
	{"timeout", required_argument, NULL, TIMEOUT},
	{"quiet", no_argument, NULL, QUIET},
	{"json", no_argument, NULL, JSON},
	{"help", no_argument, NULL, HELP},
	{0},
};

/* Takes the text over. */
static void
append(char ***list, char *text)
{
	size_t count = 0;

	while (*list != NULL && (*list)[count] != NULL)
		count++;
	*list = memory_resize(*list, count + 2, sizeof **list);
	(*list)[count] = text;
	(*list)[count + 1] = NULL;
}

static void
free_list(char **list)
{
	for (char **text = list; text != NULL && *text != NULL; text++)
		free(*text);
	free(list);
}

static bool
add_host(struct crawl_options *options, const char *name)
{
	char *host = hosts_name(name);

	if (host == NULL) {
		report_problem(name, "not the name of a host");
		return false;
	}
	append(&options->hosts, host);
	return true;
}

static bool
add_seed(struct crawl_options *options, const char *text)
{
	char *url = address_resolve(NULL, text);

	if (url == NULL) {
		report_problem(text, "not an address of http or https");
		return false;
	}
	append(&options->seeds, url);
	append(&options->hosts, address_host(url));
	return true;
}

/* One option. What is wrong with it is said. */
static bool
take(struct crawl_options *options, int letter, const char *name)
{
	switch (letter) {
	case PRODUCERS:
		return argument_number(name, 1, THREADS_MAX, &options->producers);
	case CONSUMERS:
		return argument_number(name, 1, THREADS_MAX, &options->consumers);
	case CAPACITY:
		return argument_number(name, 1, CAPACITY_MAX, &options->capacity);
	case DEPTH:
		return argument_number(name, 0, NUMBER_MAX, &options->depth);
	case MAX_PAGES:
		return argument_number(name, 1, NUMBER_MAX, &options->max_pages);
	case MAX_BYTES:
		return argument_number(name, 1, NUMBER_MAX, &options->max_bytes);
	case HOST:
		return add_host(options, optarg);
	case DB:
		options->db = optarg;
		return true;
	case RESUME:
		options->resume = true;
		return true;
	case DELAY:
		return argument_seconds(name, SECONDS_MAX, &options->delay_ms);
	case RATE:
		return argument_number(name, 1, NUMBER_MAX, &options->rate);
	case TIMEOUT:
		return argument_seconds(name, SECONDS_MAX, &options->timeout_ms);
	case QUIET:
		options->quiet = true;
		return true;
	case JSON:
		options->json = true;
		return true;
	default: /* getopt has said what is wrong */
		return false;
	}
}

int
crawl_parse(int argc, char **argv, struct crawl_options *options)
{
	int letter, index;

	*options = (struct crawl_options){
		.producers = 4,
		.consumers = 2,
		.capacity = 64,
		.depth = CRAWL_NO_LIMIT,
		.max_pages = CRAWL_NO_LIMIT,
		.max_bytes = 8 * 1024 * 1024,
		.delay_ms = 100,
		.rate = CRAWL_NO_LIMIT,
		.timeout_ms = 30000,
		.db = "crawl.db",
	};
	while ((letter = getopt_long(argc, argv, "", table, &index)) != -1) {
		if (letter == HELP) {
			fputs(help, stdout);
			return EXIT_SUCCESS;
		}
		if (!take(options, letter, letter == '?' ? NULL : table[index].name))
			return EXIT_USAGE;
	}
	for (; optind < argc; optind++) {
		if (!add_seed(options, argv[optind]))
			return EXIT_USAGE;
	}
	if (options->seeds == NULL && !options->resume) {
		report_problem("no URL given", "--help tells more");
		return EXIT_USAGE;
	}
	return -1;
}

void
crawl_options_free(struct crawl_options *options)
{
	free_list(options->hosts);
	free_list(options->seeds);
}
