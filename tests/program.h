/* SPDX-License-Identifier: MIT */
/*
 * program.h - running a program from a test, and judging its end.
 *
 *	struct outcome outcome = run(ARGUMENTS("/bin/program", "--option"));
 *
 *	expect_success(outcome);
 *
 * Or program_start, whatever is to happen meanwhile, program_end.
 */
#ifndef PROGRAM_H
#define PROGRAM_H

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"

#define ARGUMENTS(...) ((const char *const[]){__VA_ARGS__, NULL})

struct outcome {
	int status; /* as waitpid gives it */
	char *out;
	char *err;
};

struct program {
	pid_t pid;
	FILE *err;
};

/* Zeroed memory up to the end of the test, which is a process of its own. */
static inline char *
text_of_size(size_t size)
{
	static char memory[4 * 1024 * 1024];
	static size_t used;
	char *text = &memory[used];

	cr_assert_lt(size, sizeof memory - used);
	used += size + 1;
	return text;
}

static inline char *
contents(FILE *file)
{
	long size;
	char *text;

	cr_assert_eq(fseek(file, 0, SEEK_END), 0);
	size = ftell(file);
	rewind(file);
	text = text_of_size((size_t)size);
	cr_assert_eq(fread(text, 1, (size_t)size, file), (size_t)size);
	return text;
}

/*
 * SIGPIPE is as a shell would leave it, whatever the runner of the tests does with it. A program
 * that hangs is killed with the test that started it.
 */
static inline struct program
program_start(const char *const *arguments, int out)
{
	struct program program = {.err = tmpfile()};

	program.pid = fork();
	if (program.pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		signal(SIGPIPE, SIG_DFL);
		dup2(out, STDOUT_FILENO);
		dup2(fileno(program.err), STDERR_FILENO);
		execv(arguments[0], (char *const *)arguments);
		_exit(127);
	}
	cr_assert_gt(program.pid, 0);
	return program;
}

static inline struct outcome
program_end(struct program program)
{
	struct outcome outcome = {0};

	while (waitpid(program.pid, &outcome.status, 0) < 0)
		cr_assert_eq(errno, EINTR);
	outcome.err = contents(program.err);
	fclose(program.err);
	return outcome;
}

static inline struct outcome
run_with_output(const char *const *arguments, int out)
{
	return program_end(program_start(arguments, out));
}

static inline struct outcome
run(const char *const *arguments)
{
	FILE *out = tmpfile();
	struct outcome outcome = run_with_output(arguments, fileno(out));

	outcome.out = contents(out);
	fclose(out);
	return outcome;
}

static inline void
expect_exit(struct outcome outcome, int status)
{
	cr_expect(WIFEXITED(outcome.status), "wait status %#x, stderr: %s",
		  (unsigned)outcome.status, outcome.err);
	cr_expect_eq(WEXITSTATUS(outcome.status), status);
}

static inline void
expect_success(struct outcome outcome)
{
	expect_exit(outcome, 0);
	cr_expect_str_empty(outcome.err, "stderr: %s", outcome.err);
}

static inline bool
is_one_line(const char *text)
{
	const char *end = strchr(text, '\n');

	return end != NULL && end != text && end[1] == '\0';
}

static inline bool
starts_with(const char *text, const char *start)
{
	return strncmp(text, start, strlen(start)) == 0;
}

static inline void
expect_complaint(struct outcome outcome, int status, const char *start)
{
	expect_exit(outcome, status);
	cr_expect(is_one_line(outcome.err), "stderr: %s", outcome.err);
	cr_expect(starts_with(outcome.err, start), "stderr: %s", outcome.err);
}

#endif
