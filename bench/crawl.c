/* SPDX-License-Identifier: MIT */
/*
 * crawl.c - sluice-bench-crawl: the crawler on Sluice's queues against the crawler on mutex queues.
 *
 *	sluice-bench-crawl CRAWLER BASELINE [PAIRS]
 *
 * Both programs are the same source (src/crawl_queues.h). Each crawls the site of the tests
 * (tests/crawl_site.h, on loopback, in this process) with 4 producers, 2 consumers and capacity 64,
 * from an empty database in a folder of its own; its own clock says how long. The order alternates
 * from pair to pair, and the ratio is the median of the pairs'.
 *
 * This is no measurement of queues: a page costs a fetch, a parse and a share of a transaction, a
 * thousand times what it costs to hand it on. It shows what is left of the difference in a program
 * that does something else.
 *
 * Exit status 0; 1 when a crawl failed or did not store the whole site; 2 for a wrong command line.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crawl_site.h"

#define PAGES     2000
#define PAIRS     11
#define PAIRS_MAX 1000

static struct site site;

/* Removes what a crawl leaves in the current folder. */
static void
clear(void)
{
	unlink("crawl.db");
	unlink("crawl.db-wal");
	unlink("crawl.db-shm");
}

static double
number_of(const char *json, const char *key)
{
	const char *found = strstr(json, key);

	return found != NULL ? strtod(found + strlen(key), NULL) : -1;
}

/* Returns the seconds, or a negative number when the crawl failed. */
static double
crawl(const char *program)
{
	int ends[2], status;
	char json[4096];
	size_t size = 0;
	ssize_t got;
	pid_t child;

	if (pipe(ends) != 0)
		return -1;
	child = fork();
	if (child == 0) {
		dup2(ends[1], STDOUT_FILENO);
		close(ends[0]);
		close(ends[1]);
		execl(program, program, "--json", "--delay", "0", "--max-bytes", "300000", site.url,
		      (char *)NULL);
		_exit(127);
	}
	close(ends[1]);
	while ((got = read(ends[0], json + size, sizeof json - 1 - size)) > 0)
		size += (size_t)got;
	close(ends[0]);
	json[size] = '\0';
	clear();
	if (child < 0 || waitpid(child, &status, 0) != child || status != 0 ||
	    (size_t)number_of(json, "\"addresses\": ") != site.page_count)
		return -1;
	return number_of(json, "\"seconds\": ");
}

static int
compare(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double
median(double *values, unsigned count)
{
	qsort(values, count, sizeof *values, compare);
	return (values[(count - 1) / 2] + values[count / 2]) / 2;
}

static int
run_pairs(const char *const programs[2], unsigned pairs)
{
	static double seconds[2][PAIRS_MAX], ratios[PAIRS_MAX];

	for (unsigned pair = 0; pair < pairs; pair++) {
		for (unsigned turn = 0; turn < 2; turn++) {
			unsigned which = (pair + turn) % 2;

			seconds[which][pair] = crawl(programs[which]);
			if (seconds[which][pair] <= 0) {
				fprintf(stderr, "sluice-bench-crawl: %s did not store the site\n",
					programs[which]);
				return EXIT_FAILURE;
			}
		}
		ratios[pair] = seconds[1][pair] / seconds[0][pair];
	}
	printf("crawl/p:4/c:2/cap:64, %zu addresses, medians of %u pairs\n", site.page_count,
	       pairs);
	printf("  sluice %8.3f s\n", median(seconds[0], pairs));
	printf("  mutex  %8.3f s\n", median(seconds[1], pairs));
	median(ratios, pairs); /* sorts them */
	printf("  sluice is %.2f times as fast (%.2f .. %.2f)\n", median(ratios, pairs), ratios[0],
	       ratios[pairs - 1]);
	return EXIT_SUCCESS;
}

int
main(int argc, char **argv)
{
	char folder[] = "/tmp/sluice-bench-crawl-XXXXXX";
	unsigned pairs = argc == 4 ? (unsigned)strtoul(argv[3], NULL, 10) : PAIRS;
	char *programs[2];
	int status;

	if (argc < 3 || argc > 4 || pairs == 0 || pairs > PAIRS_MAX) {
		fputs("usage: sluice-bench-crawl CRAWLER BASELINE [PAIRS, at most 1000]\n", stderr);
		return 2;
	}
	programs[0] = realpath(argv[1], NULL);
	programs[1] = realpath(argv[2], NULL);
	if (programs[0] == NULL || programs[1] == NULL || mkdtemp(folder) == NULL ||
	    chdir(folder) != 0) {
		perror("sluice-bench-crawl");
		return EXIT_FAILURE;
	}
	setenv("no_proxy", "*", 1);
	site_start(&site, PAGES);
	status = run_pairs((const char *const *)programs, pairs);
	clear();
	rmdir(folder);
	free(programs[0]);
	free(programs[1]);
	return status;
}
