/* SPDX-License-Identifier: MIT */
/*
 * instructions.c - sluice-instructions: what a call costs, where no noise reaches it.
 *
 * A child process makes each call between two breakpoints, and is single-stepped (ptrace(2)) from one
 * to the other. Counted are instructions, locked ones (with a lock prefix, or an exchange with memory),
 * and full fences (mfence). What the test's own frame costs is taken off: the instructions of a call
 * that does nothing. Nobody waits, the queues hold some items, and a thousand calls went before, so
 * this is the fast path. Each call is made for every cell of a line, of which the first costs more
 * (cell_ring.h), and the numbers are the means. They repeat exactly with the same compiler.
 *
 * The first line names the compiler; bench/instructions.txt keeps what came out, and a test compares.
 */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sluice.h>

#if !defined(__x86_64__)
#error "sluice-instructions counts instructions of x86-64."
#endif

enum {
	CAPACITY = 64,
	LINE = 4,  /* cells in one */
	ITEMS = 8, /* that are queued */
	WARM_UP = 1000,
	LONGEST = 60,     /* seconds: then SIGALRM ends the program */
	BREAKPOINT = 0xcc /* int3 */
};

static volatile int result;
static volatile uint64_t taken;

static void __attribute__((noinline)) nothing(void)
{
	result = 0;
}

struct calls {
	const char *name;
	void (*open)(void);
	void (*call[4])(void);
};

static const char *const call_names[4] = {"try_put", "try_get", "put", "get"};

#define CALLS(NAME, DEFINE)                                                                        \
	DEFINE(NAME, uint64_t)                                                                     \
	static struct NAME NAME##_queue;                                                           \
	static void __attribute__((noinline)) NAME##_call_try_put(void)                            \
	{                                                                                          \
		result = NAME##_try_put(&NAME##_queue, 1);                                         \
	}                                                                                          \
	static void __attribute__((noinline)) NAME##_call_put(void)                                \
	{                                                                                          \
		result = NAME##_put(&NAME##_queue, 1);                                             \
	}                                                                                          \
	static void __attribute__((noinline)) NAME##_call_try_get(void)                            \
	{                                                                                          \
		uint64_t item = 0;                                                                 \
                                                                                                   \
		result = NAME##_try_get(&NAME##_queue, &item);                                     \
		taken = item;                                                                      \
	}                                                                                          \
	static void __attribute__((noinline)) NAME##_call_get(void)                                \
	{                                                                                          \
		uint64_t item = 0;                                                                 \
                                                                                                   \
		result = NAME##_get(&NAME##_queue, &item);                                         \
		taken = item;                                                                      \
	}                                                                                          \
	static void NAME##_open(void)                                                              \
	{                                                                                          \
		if (NAME##_init(&NAME##_queue, CAPACITY, NULL) != 0)                               \
			exit(1);                                                                   \
		for (int i = 0; i < ITEMS; i++)                                                    \
			NAME##_call_put();                                                         \
		for (int i = 0; i < WARM_UP; i++) {                                                \
			NAME##_call_put();                                                         \
			NAME##_call_get();                                                         \
		}                                                                                  \
	}                                                                                          \
	static const struct calls NAME##_calls = {                                                 \
		#NAME,                                                                             \
		NAME##_open,                                                                       \
		{NAME##_call_try_put, NAME##_call_try_get, NAME##_call_put, NAME##_call_get}};

CALLS(mpmc, SLUICE_DEFINE)
CALLS(spmc, SLUICE_DEFINE_SPMC)
CALLS(mpsc, SLUICE_DEFINE_MPSC)
CALLS(spsc, SLUICE_DEFINE_SPSC)
CALLS(ck_mpmc, SLUICE_DEFINE_CK_MPMC)
CALLS(ck_spmc, SLUICE_DEFINE_CK_SPMC)
CALLS(ck_spsc, SLUICE_DEFINE_CK_SPSC)

static const struct calls *const flavours[] = {
	&mpmc_calls,    &spmc_calls,    &mpsc_calls,    &spsc_calls,
	&ck_mpmc_calls, &ck_spmc_calls, &ck_spsc_calls, NULL};

/* The child: every call, each between two breakpoints. */
static void
between_breakpoints(void (*call)(void))
{
	__asm__ __volatile__("int3" ::: "memory");
	call();
	__asm__ __volatile__("int3" ::: "memory");
}

static void
make_every_call(void)
{
	between_breakpoints(nothing);
	for (size_t i = 0; flavours[i] != NULL; i++) {
		flavours[i]->open();
		for (int k = 0; k < 4 * LINE; k++)
			between_breakpoints(flavours[i]->call[k / LINE]);
	}
}

struct cost {
	long instructions;
	long locked;
	long fences;
};

/* Adds what stands at this place in the text, which parent and child share. */
static void
count(struct cost *cost, const unsigned char *at)
{
	bool lock = false;

	cost->instructions++;
	/* Prefixes: operand size, segments, repetition, lock, REX. */
	while (*at == 0x66 || *at == 0x2e || *at == 0x3e || *at == 0x64 || *at == 0x65 ||
	       *at == 0xf2 || *at == 0xf3 || *at == 0xf0 || (*at & 0xf0) == 0x40)
		lock |= *at++ == 0xf0;
	/* xchg with memory locks by itself. */
	if (lock || ((at[0] == 0x86 || at[0] == 0x87) && at[1] < 0xc0))
		cost->locked++;
	if (at[0] == 0x0f && at[1] == 0xae && at[2] == 0xf0)
		cost->fences++;
}

static void
give_up(const char *what)
{
	perror(what);
	exit(1);
}

/* Lets the child go on until it traps. */
static void
until_trap(pid_t child, enum __ptrace_request how)
{
	int status;

	if (ptrace(how, child, NULL, NULL) != 0)
		give_up("ptrace");
	if (waitpid(child, &status, 0) != child || !WIFSTOPPED(status) ||
	    WSTOPSIG(status) != SIGTRAP) {
		fprintf(stderr, "sluice-instructions: the child does not stop where it should\n");
		exit(1);
	}
}

static const unsigned char *
stands_at(pid_t child)
{
	struct user_regs_struct registers;

	if (ptrace(PTRACE_GETREGS, child, NULL, &registers) != 0)
		give_up("ptrace");
	return (const unsigned char *)(uintptr_t)registers.rip;
}

/* What the child does from its next breakpoint to the one behind that. */
static struct cost
next_call(pid_t child)
{
	struct cost cost = {0, 0, 0};
	const unsigned char *at;

	until_trap(child, PTRACE_CONT);
	for (at = stands_at(child); *at != BREAKPOINT; at = stands_at(child)) {
		count(&cost, at);
		until_trap(child, PTRACE_SINGLESTEP);
	}
	until_trap(child, PTRACE_CONT);
	return cost;
}

/* The next call, for every cell of a line: the sums. */
static struct cost
next_line(pid_t child)
{
	struct cost sum = {0, 0, 0};

	for (int i = 0; i < LINE; i++) {
		const struct cost cost = next_call(child);

		sum.instructions += cost.instructions;
		sum.locked += cost.locked;
		sum.fences += cost.fences;
	}
	return sum;
}

int
main(void)
{
	pid_t child;
	int status;
	struct cost frame;

	printf("gcc %s, x86-64; capacity %d, items of 8 bytes; instructions (locked, fences)\n",
	       __VERSION__, CAPACITY);
	printf("%-8s", "");
	for (int k = 0; k < 4; k++)
		printf(" %14s", call_names[k]);
	printf("\n");
	fflush(stdout);

	child = fork();
	if (child < 0)
		give_up("fork");
	if (child == 0) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
			give_up("ptrace");
		raise(SIGSTOP);
		make_every_call();
		_exit(0);
	}
	if (waitpid(child, &status, 0) != child || !WIFSTOPPED(status))
		give_up("waitpid");
	/* A queue that has lost an item lets a get wait for ever: that ends both. */
	if (ptrace(PTRACE_SETOPTIONS, child, NULL, (void *)PTRACE_O_EXITKILL) != 0)
		give_up("ptrace");
	alarm(LONGEST);
	frame = next_call(child);
	for (size_t i = 0; flavours[i] != NULL; i++) {
		printf("%-8s", flavours[i]->name);
		for (int k = 0; k < 4; k++) {
			const struct cost cost = next_line(child);

			printf(" %6.2f (%2g,%2g)",
			       (double)cost.instructions / LINE - (double)frame.instructions,
			       (double)cost.locked / LINE, (double)cost.fences / LINE);
		}
		printf("\n");
	}
	if (ptrace(PTRACE_CONT, child, NULL, NULL) != 0 || waitpid(child, &status, 0) != child ||
	    !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		fprintf(stderr, "sluice-instructions: the child did not end well\n");
		return 1;
	}
	return 0;
}
