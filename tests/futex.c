/* SPDX-License-Identifier: MIT */
/* futex.c - tests of sluice/futex.h: what a sleep reports, deadlines, and heavy fences. */
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/wait.h>

static sigjmp_buf behind_the_end; /* of a call that does not return */
static int yields_left;           /* until a yield leaves the call; 0: none does */

static int
yield_or_leave(void)
{
	if (yields_left > 0 && --yields_left == 0)
		siglongjmp(behind_the_end, 1);
	return sched_yield();
}

#define sched_yield yield_or_leave
#include <sluice/futex.h>
#undef sched_yield

#include "no_membarrier.h"
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
	(void)sluice_priv_fence_heavy_prepare();
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

/* ----------------------------------------------------------------------------- heavy fences -- */

static void
skip_without_membarrier(void)
{
	if (!sluice_priv_fence_heavy_prepare())
		cr_skip_test("there is no membarrier(2) here");
}

/* What waitpid says of a process that runs this. In there no assertion may fail: see lifetime.c. */
static int
status_of_child(void (*body)(void))
{
	const pid_t child = fork();
	int status = -1;

	cr_assert_geq(child, 0);
	if (child == 0) {
		body();
		_exit(0);
	}
	cr_assert_eq(waitpid(child, &status, 0), child);
	return status;
}

TEST(futex, a_heavy_fence_may_be_prepared_again_and_again)
{
	skip_without_membarrier();
	for (int i = 0; i < 3; i++) {
		sluice_priv_fence_heavy();
		cr_assert(sluice_priv_fence_heavy_prepare());
	}
}

TEST(futex, a_forked_process_has_inherited_the_preparation)
{
	skip_without_membarrier();
	cr_assert_eq(status_of_child(sluice_priv_fence_heavy), 0);
}

static unsigned int forbidden_by;

static void
expect_no_preparation(void)
{
	if (!forbid_membarrier(forbidden_by))
		_exit(1);
	errno = 4711;
	if (sluice_priv_fence_heavy_prepare())
		_exit(2);
	if (errno != 4711)
		_exit(3);
}

TEST(futex, where_membarrier_is_missing_or_forbidden_no_heavy_fence_is_promised)
{
	static const unsigned int errors[] = {ENOSYS, EPERM, EINVAL};

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		forbidden_by = errors[i];
		cr_assert_eq(status_of_child(expect_no_preparation), 0);
	}
}

static void
go_on(int signal_number)
{
	siglongjmp(behind_the_end, signal_number);
}

TEST(futex, a_process_whose_heavy_fence_is_forbidden_later_ends)
{
	const struct sigaction action = {.sa_handler = go_on};
	int signal_number;

	skip_without_membarrier();
	cr_assert(forbid_membarrier(EPERM));
	cr_assert_eq(sigaction(SIGABRT, &action, NULL), 0);
	signal_number = sigsetjmp(behind_the_end, 1);
	if (signal_number == 0) {
		sluice_priv_fence_heavy();
		cr_assert_fail("it went on without the fence");
	}
	cr_assert_eq(signal_number, SIGABRT);
}

TEST(futex, a_heavy_fence_for_which_memory_is_short_is_tried_again_and_again)
{
	skip_without_membarrier();
	cr_assert(forbid_membarrier(ENOMEM));
	yields_left = 10;
	if (sigsetjmp(behind_the_end, 1) == 0) {
		sluice_priv_fence_heavy();
		cr_assert_fail("it went on without the fence");
	}
	cr_assert_eq(yields_left, 0);
}
