/* SPDX-License-Identifier: MIT */
/*
 * runner.h - runs tests without Criterion, in programs that cannot be linked with it.
 *
 * The same test files, compiled with -DTEST_RUNNER: TEST and the cr_ words they use mean the same. As
 * there, each test is a process of its own, and has failed if it does not end with exit status 0 within
 * its time. ThreadSanitizer ends a process in which it reported something with status 66.
 *
 *	program [PATTERN...]    all tests, or those whose suite::name matches one of the shell patterns
 *
 * Prints a line for each test, then `N passed, N failed`, and fails unless some passed and none failed.
 * An assertion ends its process at once and fails the test, also from another thread or in a process
 * that the test forked. One source file to a program.
 */
#ifndef RUNNER_H
#define RUNNER_H

#include <fnmatch.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	RUNNER_FAILED = 1,
	RUNNER_SKIPPED = 77
};

struct runner_test {
	const char *name;
	void (*body)(void);
	struct runner_test *next;
};

static struct runner_test *runner_first;
static struct runner_test **runner_last = &runner_first;
static int *runner_failures; /* of the test that runs; shared by all its processes */

#define TEST(suite, name)                                                                          \
	static void suite##_##name(void);                                                          \
	__attribute__((constructor)) static void suite##_##name##_add(void)                        \
	{                                                                                          \
		static struct runner_test test = {#suite "::" #name, suite##_##name, NULL};        \
                                                                                                   \
		*runner_last = &test;                                                              \
		runner_last = &test.next;                                                          \
	}                                                                                          \
	static void suite##_##name(void)

/* format: what the test says beside; "" is nothing. */
static inline void
runner_require(bool holds, const char *file, int line, const char *what, const char *format, ...)
{
	va_list arguments;

	if (holds)
		return;
	__atomic_fetch_add(runner_failures, 1, __ATOMIC_RELAXED);
	fprintf(stderr, "%s:%d: %s ", file, line, what);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	_exit(RUNNER_FAILED);
}

#define RUNNER_REQUIRE(holds, what, ...)                                                           \
	runner_require(holds, __FILE__, __LINE__, what, __VA_ARGS__)
#define RUNNER_TRUE(a, ...)           RUNNER_REQUIRE(a, #a, __VA_ARGS__)
#define RUNNER_FALSE(a, ...)          RUNNER_REQUIRE(!(a), "not " #a, __VA_ARGS__)
#define RUNNER_COMPARE(op, a, b, ...) RUNNER_REQUIRE((a)op(b), #a " " #op " " #b, __VA_ARGS__)
#define RUNNER_SAME(a, b, bytes, ...)                                                              \
	RUNNER_REQUIRE(memcmp(a, b, bytes) == 0, #a " and " #b " are the same bytes", __VA_ARGS__)

/* The "" is the format if the test says nothing beside, else it is one argument too many. */
#define cr_assert(...)          RUNNER_TRUE(__VA_ARGS__, "")
#define cr_assert_not(...)      RUNNER_FALSE(__VA_ARGS__, "")
#define cr_assert_null(...)     RUNNER_FALSE(__VA_ARGS__, "")
#define cr_assert_not_null(...) RUNNER_FALSE(!__VA_ARGS__, "")
#define cr_assert_eq(...)       RUNNER_COMPARE(==, __VA_ARGS__, "")
#define cr_assert_lt(...)       RUNNER_COMPARE(<, __VA_ARGS__, "")
#define cr_assert_leq(...)      RUNNER_COMPARE(<=, __VA_ARGS__, "")
#define cr_assert_gt(...)       RUNNER_COMPARE(>, __VA_ARGS__, "")
#define cr_assert_geq(...)      RUNNER_COMPARE(>=, __VA_ARGS__, "")
#define cr_assert_arr_eq(...)   RUNNER_SAME(__VA_ARGS__, "")
#define cr_assert_fail(...)     RUNNER_REQUIRE(false, "", __VA_ARGS__)
#define cr_skip_test(...)       (puts(__VA_ARGS__), fflush(stdout), _exit(RUNNER_SKIPPED))

/* Returns the exit status of the test, 128 + the number of the signal that ended it. */
static inline int
runner_run(const struct runner_test *test)
{
	int status = 0;
	pid_t child;

	*runner_failures = 0;
	fflush(NULL);
	child = fork();
	if (child == 0) {
		alarm(TEST_SECONDS); /* SIGALRM ends the process */
		test->body();
		exit(0);
	}
	if (child == -1 || waitpid(child, &status, 0) != child)
		return RUNNER_FAILED;
	if (WIFSIGNALED(status))
		return 128 + WTERMSIG(status);
	return *runner_failures != 0 ? RUNNER_FAILED : WEXITSTATUS(status);
}

static inline bool
runner_selects(int count, char **patterns, const char *name)
{
	bool selects = count == 0;

	for (int i = 0; i < count; i++)
		selects |= fnmatch(patterns[i], name, 0) == 0;
	return selects;
}

int
main(int argc, char **argv)
{
	int passed = 0;
	int failed = 0;

	runner_failures = mmap(NULL, sizeof(*runner_failures), PROT_READ | PROT_WRITE,
			       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (runner_failures == MAP_FAILED)
		return RUNNER_FAILED;
	for (const struct runner_test *test = runner_first; test != NULL; test = test->next) {
		int status;

		if (!runner_selects(argc - 1, argv + 1, test->name))
			continue;
		status = runner_run(test);
		passed += status == 0;
		failed += status != 0 && status != RUNNER_SKIPPED;
		if (status == 0)
			printf("[PASS] %s\n", test->name);
		else if (status == RUNNER_SKIPPED)
			printf("[SKIP] %s\n", test->name);
		else
			printf("[FAIL] %s: status %d\n", test->name, status);
	}
	printf("%d passed, %d failed\n", passed, failed);
	return passed > 0 && failed == 0 ? 0 : RUNNER_FAILED;
}

#endif
