/* SPDX-License-Identifier: MIT */
/*
 * stepped.h - a call that runs one instruction at a time, and can be left or killed in front of any.
 *
 * The call runs in a process that shares its creator's memory (clone(2) with CLONE_VM), under
 * ptrace(2): its creator lets it go on instruction by instruction, and may kill it without dying
 * itself. Queues, private futexes and allocated memory are the same on both sides, so it runs the
 * very code that a thread would run. A system call counts as one instruction.
 *
 * A step costs some 20 us in a virtual machine. A test that wants to stand in front of every
 * instruction in turn, from the same start each time, therefore keeps the path: the addresses seen so
 * far. The processor's breakpoint register then leads to the end of the path in one go, and the next
 * step makes it longer. Where the register cannot be set, everything is stepped.
 *
 * The process also shares its creator's thread-local storage. Of that a queue's call touches only
 * errno, around a futex call, and puts back what it found; the creator reads errno only where nothing
 * stands between that and the call that failed.
 *
 * The stack is allocated anew each time, so that AddressSanitizer forgets the frames of what was killed.
 */
#ifndef STEPPED_H
#define STEPPED_H

#if !defined(_GNU_SOURCE)
#error "clone() wants _GNU_SOURCE."
#endif

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>

#include "threads.h"

struct stepped {
	int (*body)(void *argument);
	void *argument;
	char *stack;
	pid_t pid;
	int steps;  /* instructions run so far */
	int result; /* of the body, once it has ended */
	bool ended; /* the body has returned */
	bool gone;  /* and so has the process */
};

enum {
	STEPPED_STACK = 64 * 1024,
	STEPPED_LONGEST = 8192, /* more instructions than any call has, sanitizers or not */
};

/* Zeroed: nothing is known. */
struct stepped_path {
	long at[STEPPED_LONGEST]; /* the addresses of its instructions */
	int known;                /* how many of them */
	int sleeps;               /* how many run before and with the one that sleeps, or 0 */
};

enum stepped_state {
	STEPPED_INSIDE, /* stands in front of an instruction */
	STEPPED_ASLEEP, /* sleeps in the system call that is the last of its steps */
	STEPPED_ENDED
};

static int
stepped_main(void *opaque)
{
	struct stepped *const stepped = opaque;

	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
		return 0;
	__asm__ __volatile__("int3" ::: "memory");
	stepped->result = stepped->body(stepped->argument);
	__atomic_store_n(&stepped->ended, true, __ATOMIC_SEQ_CST);
	return 0;
}

static inline bool
stepped_ended(const struct stepped *stepped)
{
	return __atomic_load_n(&stepped->ended, __ATOMIC_SEQ_CST);
}

/* Waits until it stops or is gone; whether it stopped. */
static inline bool
stepped_wait(struct stepped *stepped)
{
	int status;

	cr_assert_eq(waitpid(stepped->pid, &status, 0), stepped->pid);
	stepped->gone = !WIFSTOPPED(status);
	return !stepped->gone;
}

/* body(argument), stopped in front of its first instruction; false where ptrace is not permitted. */
static inline bool
stepped_start(struct stepped *stepped, int (*body)(void *), void *argument)
{
	memset(stepped, 0, sizeof(*stepped));
	stepped->body = body;
	stepped->argument = argument;
	stepped->stack = malloc(STEPPED_STACK);
	cr_assert_not_null(stepped->stack);
	stepped->pid = clone(stepped_main, stepped->stack + STEPPED_STACK,
			     CLONE_VM | CLONE_FS | CLONE_FILES | SIGCHLD, stepped);
	cr_assert_gt(stepped->pid, 0);
	if (!stepped_wait(stepped)) {
		free(stepped->stack);
		return false;
	}
	/* Nothing stays behind when a test fails or runs out of time. */
	cr_assert_eq(ptrace(PTRACE_SETOPTIONS, stepped->pid, NULL, PTRACE_O_EXITKILL), 0);
	return true;
}

/* Lets it go on by itself, to its end. */
static inline void
stepped_finish(struct stepped *stepped)
{
	while (!stepped->gone) {
		cr_assert_eq(ptrace(PTRACE_CONT, stepped->pid, NULL, NULL), 0);
		(void)stepped_wait(stepped);
	}
	cr_assert(stepped_ended(stepped));
	free(stepped->stack);
}

static inline void
stepped_kill(struct stepped *stepped)
{
	cr_assert_eq(kill(stepped->pid, SIGKILL), 0);
	while (stepped_wait(stepped))
		;
	free(stepped->stack);
}

/* One instruction; false if it is a system call that sleeps. stepped_wait() then waits for its end. */
static inline bool
stepped_step(struct stepped *stepped)
{
	const struct worker as_worker = {.tid = stepped->pid};
	bool asleep = false;
	int status;

	cr_assert_eq(ptrace(PTRACE_SINGLESTEP, stepped->pid, NULL, NULL), 0);
	stepped->steps++;
	sched_yield();
	/* Seen asleep first, then not stopped: a stop that comes later is a wake's doing. */
	while (waitpid(stepped->pid, &status, WNOHANG) != stepped->pid) {
		if (asleep)
			return false;
		sched_yield();
		asleep = worker_state(&as_worker) == 'S';
	}
	cr_assert(WIFSTOPPED(status));
	return true;
}

/* Up to n instructions, none of which sleeps. */
static inline enum stepped_state
stepped_run(struct stepped *stepped, int n)
{
	while (n-- > 0 && !stepped_ended(stepped))
		cr_assert(stepped_step(stepped));
	return stepped_ended(stepped) ? STEPPED_ENDED : STEPPED_INSIDE;
}

/* Lets it go on by itself for a while, to its end if nothing holds it up. */
static inline enum stepped_state
stepped_run_freely(struct stepped *stepped)
{
	cr_assert_eq(ptrace(PTRACE_CONT, stepped->pid, NULL, NULL), 0);
	for (int looks = 0; looks < 5 && !stepped_ended(stepped); looks++)
		sched_yield();
	cr_assert_eq(kill(stepped->pid, SIGSTOP), 0);
	return stepped_wait(stepped) && !stepped_ended(stepped) ? STEPPED_INSIDE : STEPPED_ENDED;
}

static inline bool
stepped_break_at(const struct stepped *stepped, long address)
{
	return ptrace(PTRACE_POKEUSER, stepped->pid, offsetof(struct user, u_debugreg[0]),
		      address) == 0 &&
	       ptrace(PTRACE_POKEUSER, stepped->pid, offsetof(struct user, u_debugreg[7]),
		      address != 0 ? 1L : 0L) == 0;
}

static inline long
stepped_at(const struct stepped *stepped)
{
	return ptrace(PTRACE_PEEKUSER, stepped->pid, offsetof(struct user, regs.rip), NULL);
}

static inline bool
stepped_path_is_first(const struct stepped_path *path, int i)
{
	for (int before = 0; before < i; before++)
		if (path->at[before] == path->at[i])
			return false;
	return true;
}

/* Forward along the known path as far as a breakpoint leads, but not beyond k, nor through a sleep. */
static inline void
stepped_leap(struct stepped *stepped, const struct stepped_path *path, int k)
{
	int to = k < path->known ? k : path->known - 1;

	if (stepped->steps < path->sleeps && to >= path->sleeps)
		to = path->sleeps - 1;
	while (to > stepped->steps && !stepped_path_is_first(path, to))
		to--;
	if (to <= stepped->steps || !stepped_break_at(stepped, path->at[to]))
		return;
	cr_assert_eq(ptrace(PTRACE_CONT, stepped->pid, NULL, NULL), 0);
	cr_assert(stepped_wait(stepped), "it ran past its breakpoint");
	cr_assert_eq(stepped_at(stepped), path->at[to]);
	cr_assert(stepped_break_at(stepped, 0));
	stepped->steps = to;
}

/* To the front of its instruction k, if it does not end or fall asleep before. */
static inline enum stepped_state
stepped_to(struct stepped *stepped, struct stepped_path *path, int k)
{
	if (path->known != 0)
		stepped_leap(stepped, path, k);
	for (;;) {
		if (stepped->steps == path->known) {
			cr_assert_lt(path->known, STEPPED_LONGEST);
			path->at[path->known++] = stepped_at(stepped);
		}
		if (stepped_ended(stepped))
			return STEPPED_ENDED;
		if (stepped->steps >= k)
			return STEPPED_INSIDE;
		if (!stepped_step(stepped)) {
			path->sleeps = stepped->steps;
			return STEPPED_ASLEEP;
		}
	}
}

#endif
