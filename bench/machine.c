/* SPDX-License-Identifier: MIT */
/* machine.c - see machine.h; proc(5) describes the files. */
#include "machine.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#ifdef __clang__
#define COMPILER __VERSION__
#else
#define COMPILER "gcc " __VERSION__
#endif

/* What the build passes to the compiler; only it can tell. */
#ifndef BENCH_FLAGS
#define BENCH_FLAGS "unknown flags"
#endif

#define GOVERNOR "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"

/* The processor's name as the kernel has it; "unknown processor" where it has none. */
static void
read_processor(char *name, size_t size)
{
	FILE *file = fopen("/proc/cpuinfo", "r");
	char line[256];

	snprintf(name, size, "unknown processor");
	while (file && fgets(line, sizeof(line), file)) {
		if (strncmp(line, "model name", 10) != 0)
			continue;
		line[strcspn(line, "\n")] = '\0';
		snprintf(name, size, "%s", strchr(line, ':') + 2);
		break;
	}
	if (file)
		fclose(file);
}

void
machine_describe(char *text, size_t size)
{
	char processor[128];
	char date[32];
	struct utsname system;
	time_t now = time(NULL);

	read_processor(processor, sizeof(processor));
	uname(&system);
	strftime(date, sizeof(date), "%Y-%m-%d %H:%M UTC", gmtime(&now));
	snprintf(text, size, "%s, %ld cores, %s %s, %s, %s, %s", processor,
		 sysconf(_SC_NPROCESSORS_ONLN), system.sysname, system.release, COMPILER,
		 BENCH_FLAGS, date);
}

/* Of the first processor; a virtual machine has no say in it. */
static void
read_governor(char *name, size_t size)
{
	FILE *file = fopen(GOVERNOR, "r");

	if (!file || !fgets(name, (int)size, file))
		snprintf(name, size, "none");
	name[strcspn(name, "\n")] = '\0';
	if (file)
		fclose(file);
}

void
machine_tell(void (*tell)(const char *what, const char *value))
{
	char text[256];
	struct utsname system;

	read_processor(text, sizeof(text));
	tell("processor", text);
	uname(&system);
	snprintf(text, sizeof(text), "%s %s %s", system.sysname, system.release, system.machine);
	tell("kernel", text);
	tell("compiler", COMPILER);
	tell("flags", BENCH_FLAGS);
	read_governor(text, sizeof(text));
	tell("governor", text);
}

static double
seconds(struct timeval t)
{
	return (double)t.tv_sec + (double)t.tv_usec * 1e-6;
}

struct machine_use
machine_use(void)
{
	/* user, nice, system, idle, iowait, irq, softirq, steal */
	unsigned long long t[8] = {0};
	const double tick = 1.0 / (double)sysconf(_SC_CLK_TCK);
	FILE *file = fopen("/proc/stat", "r");
	struct machine_use use;
	struct rusage own;

	if (file) {
		if (fscanf(file, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &t[0], &t[1], &t[2],
			   &t[3], &t[4], &t[5], &t[6], &t[7]) != 8)
			memset(t, 0, sizeof(t));
		fclose(file);
	}
	getrusage(RUSAGE_SELF, &own);
	use.busy = tick * (double)(t[0] + t[1] + t[2] + t[5] + t[6] + t[7]);
	use.total = use.busy + tick * (double)(t[3] + t[4]);
	use.own = seconds(own.ru_utime) + seconds(own.ru_stime);
	return use;
}

double
machine_others(struct machine_use before, struct machine_use after)
{
	const double total = after.total - before.total;
	const double others = (after.busy - before.busy) - (after.own - before.own);

	/* The two clocks differ by a tick or two, so that very little may come out negative. */
	return total > 0 && others > 0 ? others / total : 0;
}
