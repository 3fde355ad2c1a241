/* SPDX-License-Identifier: MIT */
/*
 * frozen.c - a thread stopped at any instruction of put or get stops nobody whom it must not stop.
 *
 * One thread runs a single put (or get) with the processor's trap flag set: after each instruction the
 * SIGTRAP handler runs, and in front of the k-th instruction it stays there, frozen. Meanwhile other
 * threads (here: the main one) put and get through several laps. Then the frozen thread goes on, and
 * everything put must have been got exactly once, in order. This for every k, every flavour, and items
 * that lie in the cell as well as wide ones.
 *
 * And a queue closed around a frozen put: a get that waits must come to its end once the put goes on.
 *
 * What others may do meanwhile is what the table of guarantees in sluice.h says. A violation shows as
 * a call that does not come back (the time limit) or as a result that should not be.
 */
#define _GNU_SOURCE /* REG_EFL */
#include <signal.h>
#include <ucontext.h>

#include <sluice.h>

#include "threads.h"

#if defined(__x86_64__)

struct wide {
	uint64_t number;
	uint64_t padding[2];
};

/* clang-format off */
#define FOR_EACH_FLAVOUR(DO)                                                                       \
	DO(mpmc, SLUICE_DEFINE) DO(spmc, SLUICE_DEFINE_SPMC) DO(mpsc, SLUICE_DEFINE_MPSC)          \
	DO(spsc, SLUICE_DEFINE_SPSC) DO(ck_mpmc, SLUICE_DEFINE_CK_MPMC)                            \
	DO(ck_spmc, SLUICE_DEFINE_CK_SPMC) DO(ck_spsc, SLUICE_DEFINE_CK_SPSC)
/* clang-format on */

struct subject {
	void (*open)(void);
	void (*close)(void);
	void (*end)(void);
	int (*put)(uint64_t number);
	int (*try_put)(uint64_t number);
	int (*get)(uint64_t *number);
	int (*try_get)(uint64_t *number);
};

enum {
	CAPACITY = 4,
	LAPS = 3
};

/* clang-format off */
#define SUBJECT(NAME, T, FROM_NUMBER, TO_NUMBER)                                                   \
	static struct NAME NAME##_queue;                                                           \
	static void NAME##_s_open(void)                                                            \
	{ cr_assert_eq(NAME##_init(&NAME##_queue, CAPACITY, NULL), 0); }                           \
	static void NAME##_s_close(void) { NAME##_close(&NAME##_queue); }                          \
	static void NAME##_s_end(void) { NAME##_destroy(&NAME##_queue); }                          \
	static int NAME##_s_put(uint64_t n) { return NAME##_put(&NAME##_queue, FROM_NUMBER); }     \
	static int NAME##_s_try_put(uint64_t n)                                                    \
	{ return NAME##_try_put(&NAME##_queue, FROM_NUMBER); }                                     \
	static int NAME##_s_get(uint64_t *n)                                                       \
	{ T t; const int r = NAME##_get(&NAME##_queue, &t); if (r == 0) *n = TO_NUMBER; return r; }\
	static int NAME##_s_try_get(uint64_t *n)                                                   \
	{ T t; const int r = NAME##_try_get(&NAME##_queue, &t); if (r == 0) *n = TO_NUMBER; return r; } \
	static const struct subject NAME##_subject = {                                             \
		NAME##_s_open, NAME##_s_close, NAME##_s_end, NAME##_s_put, NAME##_s_try_put,       \
		NAME##_s_get, NAME##_s_try_get                                                                   \
	};
#define SUBJECTS(FLAVOUR, DEFINE)                                                                  \
	DEFINE(FLAVOUR, uint64_t)                                                                  \
	SUBJECT(FLAVOUR, uint64_t, n, t)                                                           \
	DEFINE(FLAVOUR##_wide, struct wide)                                                        \
	SUBJECT(FLAVOUR##_wide, struct wide, ((struct wide){n, {n, n}}), t.number)
/* clang-format on */

FOR_EACH_FLAVOUR(SUBJECTS)

/* The freezing thread. */
static struct {
	const struct subject *subject;
	bool gets;
	int steps;       /* instructions run so far */
	int freeze_at;   /* frozen in front of this one */
	uint32_t frozen; /* 1: it is */
	uint32_t thaw;   /* 1: it may go on */
	uint32_t ended;
	int result;
	uint64_t number;
} cold;

#define TRAP_FLAG 0x100

static void
on_trap(int signal_number, siginfo_t *info, void *context)
{
	ucontext_t *const at = context;

	(void)signal_number;
	if (info->si_code != TRAP_TRACE) { /* the int3 before and behind the operation */
		at->uc_mcontext.gregs[REG_EFL] ^= TRAP_FLAG;
		return;
	}
	if (++cold.steps != cold.freeze_at)
		return;
	__atomic_store_n(&cold.frozen, 1, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(&cold.thaw, __ATOMIC_SEQ_CST) == 0)
		sched_yield();
}

static void *
run_step_by_step(void *unused)
{
	(void)unused;
	__asm__ __volatile__("int3" ::: "memory");
	cold.result = cold.gets ? cold.subject->get(&cold.number) : cold.subject->put(cold.number);
	__asm__ __volatile__("int3" ::: "memory");
	__atomic_store_n(&cold.ended, 1, __ATOMIC_SEQ_CST);
	return NULL;
}

/* What the main thread may do while the other is frozen. */
enum allowance {
	PUT_AND_GET,
	ONLY_PUT,
	ONLY_GET
};

enum {
	FIRST = 100, /* the main thread's numbers; the frozen put's own is 1 */
	FROZEN_NUMBER = 1
};

struct account {
	uint64_t next_put;
	uint64_t next_got; /* the least number of the main thread that may still come */
	int from_frozen;   /* how often the frozen put's item was got */
	int skipped;       /* how many numbers did not come: the frozen get may have one */
	uint64_t missing;
};

static void
account_got(struct account *account, uint64_t number)
{
	if (number == FROZEN_NUMBER) {
		account->from_frozen++;
		return;
	}
	cr_assert_geq(number, account->next_got);
	if (number > account->next_got) {
		account->missing = account->next_got;
		account->skipped += (int)(number - account->next_got);
	}
	account->next_got = number + 1;
}

static void
put_one(const struct subject *subject, struct account *account)
{
	cr_assert_eq(subject->try_put(account->next_put), 0);
	account->next_put++;
}

static void
get_one(const struct subject *subject, struct account *account)
{
	uint64_t number;

	cr_assert_eq(subject->try_get(&number), 0);
	account_got(account, number);
}

/* Freezes the operation in front of instruction k. Returns false when it has no so many. */
static bool
freeze_at(const struct subject *subject, bool gets, enum allowance allowance, int k)
{
	struct account account = {FIRST, FIRST, 0, 0, 0};
	struct worker worker;
	uint64_t number;
	bool froze;

	subject->open();
	put_one(subject, &account);
	put_one(subject, &account);
	memset(&cold, 0, sizeof(cold));
	cold.subject = subject;
	cold.gets = gets;
	cold.freeze_at = k;
	cold.number = FROZEN_NUMBER;
	worker_start(&worker, run_step_by_step, NULL);
	while (__atomic_load_n(&cold.frozen, __ATOMIC_SEQ_CST) == 0 &&
	       __atomic_load_n(&cold.ended, __ATOMIC_SEQ_CST) == 0)
		sched_yield();
	froze = cold.frozen != 0;
	if (froze) {
		switch (allowance) {
		case PUT_AND_GET:
			for (int i = 0; i < LAPS * CAPACITY; i++) {
				put_one(subject, &account);
				get_one(subject, &account);
			}
			break;
		case ONLY_PUT: /* two are in; the frozen get may hold one of them */
			put_one(subject, &account);
			put_one(subject, &account);
			break;
		case ONLY_GET:
			get_one(subject, &account);
			get_one(subject, &account);
			if (subject->try_get(&number) == 0)
				account_got(&account, number);
			break;
		}
		__atomic_store_n(&cold.thaw, 1, __ATOMIC_SEQ_CST);
	}
	worker_join(&worker);
	cr_assert_eq(cold.result, 0);
	while (subject->try_get(&number) == 0)
		account_got(&account, number);
	if (gets) {
		if (account.skipped == 0) /* it got the last one */
			account.missing = account.next_got++;
		cr_assert_leq(account.skipped, 1);
		cr_assert_eq(cold.number, account.missing);
		cr_assert_eq(account.from_frozen, 0);
	} else {
		cr_assert_eq(account.skipped, 0);
		cr_assert_eq(account.from_frozen, 1);
	}
	cr_assert_eq(account.next_got, account.next_put);
	subject->end();
	return froze;
}

/* The getter that waits while a put is frozen and the queue is closed. */
static struct {
	const struct subject *subject;
	int got;
	int result;
} getter;

static void *
get_to_the_end(void *unused)
{
	uint64_t number;

	(void)unused;
	while ((getter.result = getter.subject->get(&number)) == 0)
		getter.got++;
	return NULL;
}

/*
 * A put frozen in front of instruction k, a get that sleeps, close, and the put goes on: the get must
 * come to its end, with the item if the put says so. Returns false when the put has no so many.
 */
static bool
close_while_frozen_at(const struct subject *subject, int k)
{
	struct worker putting;
	struct worker getting;
	bool froze;

	subject->open();
	memset(&cold, 0, sizeof(cold));
	cold.subject = subject;
	cold.freeze_at = k;
	cold.number = FROZEN_NUMBER;
	worker_start(&putting, run_step_by_step, NULL);
	while (__atomic_load_n(&cold.frozen, __ATOMIC_SEQ_CST) == 0 &&
	       __atomic_load_n(&cold.ended, __ATOMIC_SEQ_CST) == 0)
		sched_yield();
	froze = cold.frozen != 0;
	memset(&getter, 0, sizeof(getter));
	getter.subject = subject;
	worker_start(&getting, get_to_the_end, NULL);
	wait_until_asleep(&getting);
	subject->close();
	wait_until_asleep(&getting); /* it has ended, or it waits for the put to leave */
	__atomic_store_n(&cold.thaw, 1, __ATOMIC_SEQ_CST);
	worker_join(&putting);
	worker_join(&getting);
	cr_assert_eq(getter.result, EPIPE);
	cr_assert(cold.result == 0 || cold.result == EPIPE);
	cr_assert_eq(getter.got, cold.result == 0);
	subject->end();
	return froze;
}

#define CLOSE_WHILE_FROZEN(FLAVOUR)                                                                \
	TEST(frozen, a_get_ends_when_the_queue_is_closed_around_a_put_of_##FLAVOUR)                \
	{                                                                                          \
		struct sigaction action = {.sa_sigaction = on_trap, .sa_flags = SA_SIGINFO};       \
		int k = 1;                                                                         \
                                                                                                   \
		cr_assert_eq(sigaction(SIGTRAP, &action, NULL), 0);                                \
		while (close_while_frozen_at(&FLAVOUR##_subject, k))                               \
			k++;                                                                       \
		cr_assert_gt(k, 10);                                                               \
	}

CLOSE_WHILE_FROZEN(mpmc)
CLOSE_WHILE_FROZEN(spsc)
CLOSE_WHILE_FROZEN(ck_mpmc)
CLOSE_WHILE_FROZEN(ck_spsc)

static void
freeze_everywhere(const char *name, const struct subject *subject, bool gets,
		  enum allowance allowance)
{
	struct sigaction action = {.sa_sigaction = on_trap, .sa_flags = SA_SIGINFO};
	int k = 1;

	cr_assert_eq(sigaction(SIGTRAP, &action, NULL), 0);
	while (freeze_at(subject, gets, allowance, k))
		k++;
	cr_assert_gt(k, 10, "the operation was not stepped through");
	printf("%s: frozen in front of each of its %d instructions\n", name, k - 1);
}

#define FROZEN(FLAVOUR, VERB, ALLOWANCE)                                                           \
	TEST(frozen, VERB##_of_##FLAVOUR)                                                          \
	{                                                                                          \
		const bool gets = strcmp(#VERB, "get") == 0;                                       \
                                                                                                   \
		freeze_everywhere(#FLAVOUR " " #VERB, &FLAVOUR##_subject, gets, ALLOWANCE);        \
		freeze_everywhere(#FLAVOUR " " #VERB ", wide items", &FLAVOUR##_wide_subject,      \
				  gets, ALLOWANCE);                                                \
	}

FROZEN(mpmc, put, PUT_AND_GET)
FROZEN(mpmc, get, PUT_AND_GET)
FROZEN(spmc, put, ONLY_GET)
FROZEN(spmc, get, PUT_AND_GET)
FROZEN(mpsc, put, PUT_AND_GET)
FROZEN(mpsc, get, ONLY_PUT)
FROZEN(spsc, put, ONLY_GET)
FROZEN(spsc, get, ONLY_PUT)
FROZEN(ck_mpmc, put, ONLY_GET)
FROZEN(ck_mpmc, get, PUT_AND_GET)
FROZEN(ck_spmc, put, ONLY_GET)
FROZEN(ck_spmc, get, PUT_AND_GET)
FROZEN(ck_spsc, put, ONLY_GET)
FROZEN(ck_spsc, get, ONLY_PUT)

#else

TEST(frozen, needs_the_trap_flag_of_x86_64)
{
	cr_skip_test("this processor has no trap flag that a handler can set");
}

#endif
