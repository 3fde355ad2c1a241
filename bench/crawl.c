/* SPDX-License-Identifier: MIT */
/* crawl.c - see crawl.h. */
#include "crawl.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crawl_site.h"
#include "harness.h"
#include "queues.h"
#include "workloads.h"

#define PAGES 2000

/* They stand side by side. */
static const char *const sluice_program = SLUICE_CRAWL;
static const char *const mutex_program = SLUICE_CRAWL "-mutex";

static const struct bench_workload workload = {
	.kind = "crawl",
	.producers = 4,
	.consumers = 2,
	.capacity = 64,
	.item_bytes = sizeof(bench_item8),
	.batch = 1,
	.has_arguments = true,
};

static struct site site;

static double
number_of(const char *json, const char *key)
{
	const char *found = strstr(json, key);

	return found != NULL ? strtod(found + strlen(key), NULL) : NAN;
}

/* Becomes the program. */
static void
become(const char *program, const char *folder, int out)
{
	setenv("no_proxy", "*", 1);
	if (dup2(out, STDOUT_FILENO) >= 0 && chdir(folder) == 0)
		execl(program, program, "--json", "--producers", "4", "--consumers", "2",
		      "--capacity", "64", "--delay", "0", "--max-bytes", "300000", site.url,
		      (char *)NULL);
	_exit(127);
}

/* Runs it to its end. Returns whether it ended well. json: what it printed. */
static bool
run(const char *program, const char *folder, char *json, size_t room, struct rusage *use)
{
	int ends[2], status;
	size_t size = 0;
	ssize_t got;
	pid_t child;

	if (pipe(ends) != 0)
		return false;
	child = fork();
	if (child == 0)
		become(program, folder, ends[1]);
	close(ends[1]);
	while ((got = read(ends[0], json + size, room - 1 - size)) > 0)
		size += (size_t)got;
	close(ends[0]);
	json[size] = '\0';
	return child > 0 && wait4(child, &status, 0, use) == child && status == 0;
}

static void
clear(const char *folder)
{
	static const char *const files[] = {"crawl.db", "crawl.db-wal", "crawl.db-shm"};
	char path[100];

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, files[i]);
		unlink(path);
	}
	rmdir(folder);
}

static double
seconds(struct timeval time)
{
	return (double)time.tv_sec + (double)time.tv_usec * 1e-6;
}

static const char *
measure(const struct bench_queue *queue, const struct bench_workload *what,
	struct bench_result *result)
{
	const bool baseline = queue == bench_baseline(queue);
	char folder[] = "/tmp/sluice-bench-crawl-XXXXXX";
	char json[4096];
	struct rusage use;
	bool good;

	if (site.page_count == 0)
		site_start(&site, PAGES);
	if (mkdtemp(folder) == NULL)
		return "no folder can be made in /tmp";
	good = run(baseline ? mutex_program : sluice_program, folder, json, sizeof(json), &use);
	clear(folder);
	if (!good)
		return "the crawler did not end well";
	*result = (struct bench_result){
		.items = site.page_count,
		.seconds = number_of(json, "\"seconds\": "),
		.thread_seconds = NAN,
		.cpu_seconds = seconds(use.ru_utime) + seconds(use.ru_stime),
		.ready_seconds = NAN,
		.switches = (uint64_t)(use.ru_nvcsw + use.ru_nivcsw),
		.capacity = what->capacity,
	};
	if (number_of(json, "\"addresses\": ") != (double)site.page_count)
		return "not the whole site was stored";
	return result->seconds > 0 ? NULL : "the crawler does not tell how long it took";
}

void
crawl_register(void)
{
	for (size_t i = 0; i < bench_queue_count; i++) {
		const struct bench_queue *queue = bench_queues[i];

		if (bench_admits(queue, &workload) &&
		    (strcmp(queue->name, "mpmc") == 0 || queue == bench_baseline(queue)))
			harness_register_measured(&workload, queue, measure);
	}
}
