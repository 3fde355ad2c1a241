/* SPDX-License-Identifier: MIT */
/*
 * runner.c - tests of runner.h: one test for every way to pass, to fail and to be skipped.
 *
 * tsan.sh runs it and knows how many of each there are: a runner that counts a failure as a success
 * would make every test behind it worthless.
 */
#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define TEST_SECONDS 2 /* which one test here must wait for */
#include "test.h"

static int plain;

static void *
fail_an_assertion(void *opaque)
{
	cr_assert_eq(opaque, &plain);
	return NULL;
}

static void *
write_plain(void *opaque)
{
	plain = 1;
	return opaque;
}

TEST(passes, a_test_whose_assertions_hold)
{
	cr_assert(true);
	cr_assert_not(false, "with %d %s", 2, "words");
	cr_assert_eq(1 + 1, 2);
	cr_assert_arr_eq("ab", "ac", 1);
}

TEST(passes, a_test_that_ends_by_itself)
{
	exit(0);
}

TEST(is_skipped, a_test_that_says_so)
{
	cr_skip_test("not today");
}

TEST(fails, an_assertion)
{
	cr_assert_lt(2, 1, "%d is not less than %d", 2, 1);
}

TEST(fails, an_assertion_in_another_thread)
{
	pthread_t thread;

	cr_assert_eq(pthread_create(&thread, NULL, fail_an_assertion, NULL), 0);
	pthread_join(thread, NULL);
}

TEST(fails, an_assertion_in_a_forked_process_that_nobody_asks_about)
{
	const pid_t child = fork();

	if (child == 0)
		fail_an_assertion(NULL);
	waitpid(child, NULL, 0);
}

TEST(fails, a_test_that_crashes)
{
	abort();
}

TEST(fails, a_test_that_does_not_end)
{
	for (;;)
		pause();
}

TEST(fails, a_test_whose_threads_race)
{
	pthread_t thread;

	cr_assert_eq(pthread_create(&thread, NULL, write_plain, NULL), 0);
	plain = 2;
	pthread_join(thread, NULL);
	cr_assert_gt(plain, 0);
}
