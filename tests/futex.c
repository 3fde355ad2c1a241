/* SPDX-License-Identifier: MIT */
/* futex.c - tests of sluice/futex.h: what a sleep reports, and deadlines. */
#include <signal.h>

#include <sluice/futex.h>

#include "threads.h"

TEST(futex, a_wait_on_a_word_that_has_changed_returns_at_once)
{
	const uint32_t word = 1;

	cr_assert_not(sluice_priv_futex_wait(&word, 0, NULL));
}

TEST(futex, only_a_passed_deadline_is_reported_as_such)
{
	static const struct timespec past[] = {{0, 0}, {-1, 0}, {-1, 999999999}, {INT64_MIN, 5}};
	const struct timespec far = {INT64_MAX, 999999999};
	const uint32_t word = 0;

	for (size_t i = 0; i < sizeof(past) / sizeof(past[0]); i++)
		cr_assert(sluice_priv_futex_wait(&word, 0, &past[i]));
	cr_assert_not(sluice_priv_futex_wait(&word, 1, &far));
}

TEST(futex, errno_is_left_alone)
{
	const struct timespec past = {0, 0};
	const uint32_t word = 0;

	errno = 4711;
	(void)sluice_priv_futex_wait(&word, 0, &past);
	(void)sluice_priv_futex_wait(&word, 1, NULL);
	sluice_priv_futex_wake(&word, 1);
	cr_assert_eq(errno, 4711);
}

TEST(futex, deadlines_are_valid_if_their_nanoseconds_are)
{
	cr_assert_not(sluice_priv_deadline_valid(NULL));
	cr_assert_not(sluice_priv_deadline_valid(&(struct timespec){0, -1}));
	cr_assert_not(sluice_priv_deadline_valid(&(struct timespec){0, 1000000000}));
	cr_assert(sluice_priv_deadline_valid(&(struct timespec){0, 999999999}));
	cr_assert(sluice_priv_deadline_valid(&(struct timespec){-5, 0}));
	cr_assert(sluice_priv_deadline_valid(&(struct timespec){INT64_MAX, 0}));
}

TEST(futex, a_deadline_passes_in_the_nanosecond_it_names)
{
	struct timespec now = sluice_priv_now();

	cr_assert(sluice_priv_deadline_passed(&now));
	now.tv_sec += 1000;
	cr_assert_not(sluice_priv_deadline_passed(&now));
	cr_assert(sluice_priv_deadline_passed(&(struct timespec){-1, 999999999}));
	cr_assert_not(sluice_priv_deadline_passed(&(struct timespec){INT64_MAX, 0}));
}

static uint32_t sleepers_word;

static void *
sleep_once(void *opaque)
{
	const struct timespec *const deadline = opaque;

	return sluice_priv_futex_wait(&sleepers_word, 0, deadline) ? opaque : NULL;
}

static void
do_nothing(int signal_number)
{
	(void)signal_number;
}

TEST(futex, a_signal_handler_ends_a_timed_sleep_and_that_is_not_a_time_out)
{
	static struct timespec far = {INT64_MAX, 0};
	struct sigaction action = {.sa_handler = do_nothing, .sa_flags = SA_RESTART};
	struct worker sleeper;
	void *timed_out;

	cr_assert_eq(sigaction(SIGUSR1, &action, NULL), 0);
	worker_start(&sleeper, sleep_once, &far);
	wait_until_asleep(&sleeper);
	cr_assert_eq(pthread_kill(sleeper.thread, SIGUSR1), 0);
	cr_assert_eq(pthread_join(sleeper.thread, &timed_out), 0);
	cr_assert_null(timed_out);
}
