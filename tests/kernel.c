/* SPDX-License-Identifier: MIT */
/*
 * kernel.c - what the kernel does with threads and processes that use a queue.
 *
 * For every flavour that it concerns: a process is stopped and continued, over and over, while it moves
 * items; one close has a thousand sleepers to wake; a real-time thread shares a processor with the
 * thread that it waits for. Nothing depends on how fast the machine is: a stop is one that waitpid()
 * saw, after items have moved since the last one, and sleepers sleep for certain. Threads that never
 * go on show as the time limit.
 *
 * Threads stopped one by one, at every instruction: frozen.c. A few sleepers and a close, for all
 * flavours: the specification.
 */
#define _GNU_SOURCE /* sched_setaffinity */
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "calls.h"

/* -------------------------------------------------------------------------- stop and go on -- */

enum {
	THREADS = 2 /* on each side, where the flavour allows more than one */
};

/* What the stopped process and its parent share. */
struct stopped {
	const struct flavour *flavour;
	void *q;
	uint64_t moved; /* how many items were got; more of them means that it runs */
	uint64_t put;   /* sums of numbers; got must come to the same */
	uint64_t got;
	uint32_t enough;
};

/* No assertion in here or in the next: in a forked process they would hang the runner. */
static void *
put_until_enough(void *opaque)
{
	struct stopped *const shared = opaque;

	for (uint64_t i = 1; __atomic_load_n(&shared->enough, __ATOMIC_SEQ_CST) == 0; i++) {
		const struct timespec soon = sluice_deadline(50000);
		const int result = i % 2 == 0 ? shared->flavour->put(shared->q, i)
					      : shared->flavour->put_until(shared->q, i, &soon);

		if (result == 0)
			__atomic_add_fetch(&shared->put, i, __ATOMIC_SEQ_CST);
		else if (result != ETIMEDOUT)
			_exit(2);
	}
	return NULL;
}

static void *
get_until_closed(void *opaque)
{
	struct stopped *const shared = opaque;

	for (uint64_t i = 0;; i++) {
		const struct timespec soon = sluice_deadline(50000);
		uint64_t number;
		const int result = i % 2 == 0
					   ? shared->flavour->get(shared->q, &number)
					   : shared->flavour->get_until(shared->q, &number, &soon);

		if (result == EPIPE)
			return NULL;
		if (result == 0) {
			__atomic_add_fetch(&shared->got, number, __ATOMIC_SEQ_CST);
			__atomic_add_fetch(&shared->moved, 1, __ATOMIC_SEQ_CST);
			if (shared->flavour->task_done(shared->q) != 0)
				_exit(3);
		} else if (result != ETIMEDOUT) {
			_exit(4);
		}
	}
}

static int
run_to_be_stopped(struct stopped *shared)
{
	const struct flavour *const flavour = shared->flavour;
	const int producers = flavour->lone_producer ? 1 : THREADS;
	const int consumers = flavour->lone_consumer ? 1 : THREADS;
	pthread_t putting[THREADS];
	pthread_t getting[THREADS];

	shared->q = malloc(sizeof(struct sluice_priv_queue));
	if (shared->q == NULL || flavour->init(shared->q, 2, &at_once) != 0)
		return 1;
	for (int i = 0; i < consumers; i++)
		if (pthread_create(&getting[i], NULL, get_until_closed, shared) != 0)
			return 1;
	for (int i = 0; i < producers; i++)
		if (pthread_create(&putting[i], NULL, put_until_enough, shared) != 0)
			return 1;
	for (int i = 0; i < producers; i++)
		pthread_join(putting[i], NULL);
	if (flavour->join(shared->q) != 0 || flavour->size(shared->q) != 0)
		return 5;
	flavour->close(shared->q);
	for (int i = 0; i < consumers; i++)
		pthread_join(getting[i], NULL);
	flavour->destroy(shared->q);
	return shared->put == shared->got ? 0 : 6;
}

static void
wait_for_news(pid_t child, int options)
{
	int status;

	cr_assert_eq(waitpid(child, &status, options), child);
	cr_assert(options == WUNTRACED ? WIFSTOPPED(status) : WIFCONTINUED(status),
		  "the process ended early: status %d", status);
}

static void
goes_on_after_stops(const struct flavour *flavour)
{
	struct stopped *const shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
					    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status;
	pid_t child;

	cr_assert_neq((void *)shared, MAP_FAILED);
	shared->flavour = flavour;
	child = fork();
	cr_assert_geq(child, 0);
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL); /* should the time limit end this test */
		_exit(run_to_be_stopped(shared));
	}
	for (int round = rounds(50); round > 0; round--) {
		const uint64_t moved = __atomic_load_n(&shared->moved, __ATOMIC_SEQ_CST);

		while (__atomic_load_n(&shared->moved, __ATOMIC_SEQ_CST) == moved &&
		       waitpid(child, &status, WNOHANG) == 0)
			sched_yield();
		cr_assert_eq(kill(child, SIGSTOP), 0);
		wait_for_news(child, WUNTRACED);
		cr_assert_eq(kill(child, SIGCONT), 0);
		wait_for_news(child, WCONTINUED);
	}
	__atomic_store_n(&shared->enough, 1, __ATOMIC_SEQ_CST);
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %d", status);
	munmap(shared, sizeof(*shared));
}

TEST(stops, a_process_that_is_stopped_and_continued_goes_on_and_loses_nothing)
{
	with_every_flavour(goes_on_after_stops);
}

/* ------------------------------------------------------------------------ a thousand sleepers -- */

enum {
	CROWD = 500
};

static void
start_with_small_stack(struct worker *worker, struct call *call)
{
	pthread_attr_t attributes;
	int result;

	cr_assert_eq(pthread_attr_init(&attributes), 0);
	cr_assert_eq(pthread_attr_setstacksize(&attributes, (size_t)256 << 10), 0);
	*worker = (struct worker){.body = make_call, .argument = call};
	result = pthread_create(&worker->thread, &attributes, worker_main, worker);
	if (result == EAGAIN)
		cr_skip_test("a thousand threads are more than this system permits");
	cr_assert_eq(result, 0);
	pthread_attr_destroy(&attributes);
}

/* A full and an empty queue, with as many asleep as the flavour allows. Width makes no difference. */
static void
close_ends_a_crowd(const struct flavour *flavour)
{
	static struct worker workers[2][CROWD];
	static struct call calls[2][CROWD];
	const enum verb verbs[2] = {PUT, GET};
	const bool lone[2] = {flavour->lone_producer, flavour->lone_consumer};

	if (flavour->bytes > sizeof(uint64_t))
		return;
	for (int s = 0; s < 2; s++) {
		void *const q = queue_to_wait_in(flavour, verbs[s]);

		for (int i = 0; i < (lone[s] ? 1 : CROWD); i++) {
			calls[s][i] = (struct call){.flavour = flavour,
						    .q = q,
						    .verb = verbs[s],
						    .number = SECOND,
						    .result = -1};
			start_with_small_stack(&workers[s][i], &calls[s][i]);
		}
	}
	for (int s = 0; s < 2; s++)
		for (int i = 0; i < (lone[s] ? 1 : CROWD); i++)
			wait_until_asleep(&workers[s][i]);
	for (int s = 0; s < 2; s++)
		flavour->close(calls[s][0].q);
	for (int s = 0; s < 2; s++) {
		void *const q = calls[s][0].q;
		uint64_t number;

		for (int i = 0; i < (lone[s] ? 1 : CROWD); i++) {
			worker_join(&workers[s][i]);
			cr_assert_eq(calls[s][i].result, EPIPE);
		}
		if (verbs[s] == PUT)
			expect_get(flavour, q, FIRST);
		cr_assert_eq(flavour->try_get(q, &number), EPIPE);
		cr_assert_eq(((struct sluice_priv_queue *)q)->not_empty.word, 0);
		cr_assert_eq(((struct sluice_priv_queue *)q)->not_full.word, 0);
		queue_delete(flavour, q);
	}
}

TEST(crowd, one_close_ends_the_wait_of_a_thousand_threads)
{
	with_every_flavour(close_ends_a_crowd);
}

/* -------------------------------------------------------------------------------- priorities -- */

/* This thread, and those it starts, on one processor. */
static void
share_one_processor(void)
{
	cpu_set_t all;
	cpu_set_t one;
	size_t cpu = 0;

	cr_assert_eq(sched_getaffinity(0, sizeof(all), &all), 0);
	while (!CPU_ISSET(cpu, &all))
		cpu++;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	cr_assert_eq(sched_setaffinity(0, sizeof(one), &one), 0);
}

/* This thread before all others, however long it runs. */
static int
become_real_time(void)
{
	const struct sched_param parameter = {.sched_priority = 1};

	return pthread_setschedparam(pthread_self(), SCHED_FIFO, &parameter);
}

static void *
try_to_become_real_time(void *opaque)
{
	*(int *)opaque = become_real_time();
	return NULL;
}

static void
skip_without_real_time(void)
{
	struct worker worker;
	int result;

	worker_start(&worker, try_to_become_real_time, &result);
	worker_join(&worker);
	if (result != 0)
		cr_skip_test("SCHED_FIFO is not permitted here: %s", strerror(result));
}

static void *
call_in_real_time(void *opaque)
{
	cr_assert_eq(become_real_time(), 0);
	return make_call(opaque);
}

/*
 * The holder of the gate has the lower priority and the same processor: it can only go on when the
 * other sleeps. (A put that spun would never be asleep, and this one would wait for ever.)
 */
TEST(priorities, a_real_time_put_sleeps_at_the_gate_until_its_holder_has_left)
{
	skip_without_real_time();
	share_one_processor();
	for (size_t i = 0; i < COUNT(flavours); i++) {
		const struct flavour *const flavour = &flavours[i];
		struct call calls[2];

		if (!flavour->ck || flavour->lone_producer)
			continue;
		for (int timed = 0; timed < 2; timed++) {
			struct worker worker;

			calls[timed] =
				(struct call){.flavour = flavour,
					      .q = queue_to_wait_in(flavour, PUT_AT_GATE),
					      .verb = timed != 0 ? PUT_UNTIL_AT_GATE : PUT_AT_GATE,
					      .deadline = sluice_deadline(UINT64_MAX),
					      .number = SECOND,
					      .result = -1};
			worker_start(&worker, call_in_real_time, &calls[timed]);
			wait_until_asleep(&worker);
			cr_assert_not(has_returned(&calls[timed]));
			let_one_return(flavour, calls[timed].q, PUT_AT_GATE, 0);
			worker_join(&worker);
			cr_assert_eq(calls[timed].result, 0);
			expect_get(flavour, calls[timed].q, SECOND);
			queue_delete(flavour, calls[timed].q);
		}
	}
}

struct putter {
	const struct flavour *flavour;
	void *q;
	uint64_t chance;
	uint64_t count; /* in real time: how many to put; else how many were put */
	uint32_t *over; /* set when all in real time are put */
};

/* Puts 1 to count, each after a short sleep, so that it takes the processor away at any point. */
static void *
put_in_real_time(void *opaque)
{
	struct putter *const me = opaque;

	cr_assert_eq(become_real_time(), 0);
	for (uint64_t number = 1; number <= me->count; number++) {
		const struct timespec moment = {0, (long)(chance(&me->chance) % 20000)};

		clock_nanosleep(CLOCK_MONOTONIC, 0, &moment, NULL);
		cr_assert_eq(me->flavour->put(me->q, number), 0);
	}
	__atomic_store_n(me->over, 1, __ATOMIC_SEQ_CST);
	return NULL;
}

/* Puts 1, 2, ... all the while, and closes. */
static void *
put_meanwhile(void *opaque)
{
	struct putter *const me = opaque;

	while (__atomic_load_n(me->over, __ATOMIC_SEQ_CST) == 0)
		cr_assert_eq(me->flavour->put(me->q, ++me->count), 0);
	me->flavour->close(me->q);
	return NULL;
}

static void
takes_two_priorities(const struct flavour *flavour)
{
	void *const q = queue_new(flavour, 1000, NULL);
	struct sluice_priv_queue *const priv = q;
	uint32_t over = 0;
	struct putter urgent = {flavour, q, chance_seed(), (uint64_t)rounds(1500), &over};
	struct putter patient = {flavour, q, 0, 0, &over};
	struct worker workers[2];
	uint64_t number;
	uint64_t sum = 0;

	if (flavour->lone_producer) {
		queue_delete(flavour, q);
		return;
	}
	worker_start(&workers[0], put_meanwhile, &patient);
	worker_start(&workers[1], put_in_real_time, &urgent);
	while (flavour->get(q, &number) == 0)
		sum += number;
	worker_join(&workers[0]);
	worker_join(&workers[1]);
	cr_assert_eq(sum, urgent.count * (urgent.count + 1) / 2 +
				  patient.count * (patient.count + 1) / 2);
	if (flavour->ck)
		printf("  sleepers at the gate were woken %u times\n",
		       (unsigned int)priv->engine.ck.gate_free.epoch);
	queue_delete(flavour, q);
}

TEST(priorities, puts_of_two_priorities_on_one_processor_all_arrive)
{
	skip_without_real_time();
	share_one_processor();
	with_every_flavour(takes_two_priorities);
}
