/* SPDX-License-Identifier: MIT */
/*
 * threads.h - threads in tests: start, rendezvous by state instead of by sleeping, chance with a seed.
 *
 * wait_until_asleep() makes "the other thread is blocked in the call" a fact rather than a hope: it
 * polls the kernel's own view of the thread until that says "sleeping", or until the thread has ended.
 */
#ifndef THREADS_H
#define THREADS_H

#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "test.h"

struct worker {
	pthread_t thread;
	pid_t tid; /* 0 until it runs */
	void *(*body)(void *);
	void *argument;
};

static inline void *
worker_main(void *opaque)
{
	struct worker *const worker = opaque;

	__atomic_store_n(&worker->tid, (pid_t)syscall(SYS_gettid), __ATOMIC_RELEASE);
	return worker->body(worker->argument);
}

static inline void
worker_start(struct worker *worker, void *(*body)(void *), void *argument)
{
	worker->tid = 0;
	worker->body = body;
	worker->argument = argument;
	cr_assert_eq(pthread_create(&worker->thread, NULL, worker_main, worker), 0);
}

static inline void
worker_join(struct worker *worker)
{
	cr_assert_eq(pthread_join(worker->thread, NULL), 0);
}

/* The thread's state letter in /proc/TID/stat; 'X' when it has gone. */
static inline char
worker_state(const struct worker *worker)
{
	char path[64];
	char line[512];
	const char *behind_name = NULL;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat",
		 (int)__atomic_load_n(&worker->tid, __ATOMIC_ACQUIRE));
	file = fopen(path, "r");
	if (file == NULL)
		return 'X';
	if (fgets(line, sizeof(line), file) != NULL)
		behind_name = strrchr(line, ')');
	fclose(file);
	return behind_name != NULL ? behind_name[2] : 'X';
}

static inline void
wait_until_asleep(const struct worker *worker)
{
	char state;

	do {
		sched_yield();
		state = __atomic_load_n(&worker->tid, __ATOMIC_ACQUIRE) != 0 ? worker_state(worker)
									     : '?';
	} while (state != 'S' && state != 'X');
}

/* SLUICE_TEST_SCALE multiplies the length of the stress tests. */
static inline uint64_t
stress_scale(void)
{
	const char *const text = getenv("SLUICE_TEST_SCALE");
	const long scale = text != NULL ? strtol(text, NULL, 10) : 1;

	return scale > 0 ? (uint64_t)scale : 1;
}

/* xorshift64*: Marsaglia, "Xorshift RNGs", J. Stat. Softw. 8(14), 2003. The state is never 0. */
static inline uint64_t
chance(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1du;
}

/* SLUICE_TEST_SEED, or the time; printed, so that a failure can be repeated. */
static inline uint64_t
chance_seed(void)
{
	const char *const text = getenv("SLUICE_TEST_SEED");
	struct timespec now;
	uint64_t seed;

	clock_gettime(CLOCK_REALTIME, &now);
	seed = text != NULL ? strtoull(text, NULL, 10)
			    : (uint64_t)now.tv_sec * 1000000007u + (uint64_t)now.tv_nsec;
	printf("SLUICE_TEST_SEED=%llu\n", (unsigned long long)seed);
	return seed | 1;
}

#endif
