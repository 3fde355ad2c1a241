/* SPDX-License-Identifier: MIT */
/*
 * schedule.h - runs the real headers under every schedule, within bounds.
 *
 * A test includes this file first. It defines the ck_pr operations that Sluice and ck_ring use on
 * shared words anew, and the functions of sluice/futex.h that ask the kernel something; then it
 * includes the headers as they are. Each such operation becomes a point where another thread may go
 * on. The threads, 2 to 4, are coroutines on one thread of the system.
 *
 *	static const struct schedule two_threads = {
 *		.name = "two_threads", .threads = 2, .set_up = prepare, .body = run,
 *		.may_sleep = condition_is_false, .check = compare,
 *		WITHIN(2, 1, 1)};           2 preemptions, 1 delay, 1 fault
 *
 *	schedule_holds(&two_threads);    every schedule must be good
 *	schedule_fails(&two_threads);    some schedule must be bad: a test of this file
 *
 * set_up runs before each schedule, body(i) is thread i, check runs after it; a body or check says
 * schedule_require(condition, "what does not hold"). What set_up and check do to shared words happens
 * at once. may_sleep(i) is asked when nobody can go on: may thread i lawfully sleep? If not, its
 * wake-up was lost. Everything must start from set_up, or a path does not lead to the same place twice.
 *
 * A schedule is a path of choices, enumerated depth first by running again and again:
 *   - who goes on. The thread that runs may always go on; taking the processor from it costs one of
 *     `preemptions`. Whoever starts, or follows a thread that sleeps, spins or ends, costs nothing;
 *   - whether a plain store stays in the store buffer, at one of `delays`: the others read what was
 *     there before until its owner's next locked operation, full fence, pause or system call. Stores
 *     behind it wait with it, as TSO demands;
 *     A heavy fence makes all stores visible, whoever's they are. With `symmetric` there is none to be
 *     had, and the light ones are full fences.
 *     With `weak` the same may happen to what a locked operation stored, as on machines where that is
 *     no full fence: loads behind it may be done before the others see it, up to a fence;
 *   - which of the sleepers a wake takes;
 *   - whether a sleep ends for no reason, or a deadline passes, at one of `faults`. A deadline in
 *     the past (tv_sec <= 0) costs nothing; and when nobody else can go on, time passes;
 *   - with `freezes`, before which of its steps thread 0 stops for good, if before any. What it
 *     stored arrives. may_sleep then says what the others may wait for in vain: it may ask
 *     schedule_is_frozen(0), and what that thread did in the call that schedule_begin_call began.
 * A thread that pauses or yields goes on again when another one has written something, or when there
 * is nobody else; if that has helped nobody for long, it counts as asleep.
 *
 * A bad schedule is printed as SLUICE_SCHEDULE=name:path. With that in the environment the test runs
 * this schedule alone and prints each of its steps.
 *
 * What it can show: every bad outcome that so many preemptions, delays and faults can bring about, in
 * programs this short. What it cannot: more than that; orders weaker than TSO, but for what `weak` adds;
 * races on items but for a copy that another one overtakes in its middle.
 *
 * With AddressSanitizer everything works, several times slower: SCHEDULE_SLOW is then 1, else 0.
 */
#ifndef SCHEDULE_H
#define SCHEDULE_H

#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <ucontext.h>

#include <ck_pr.h>

#include "test.h"

/* The number of schedules is given, the time is not: with a sanitizer, or in the long form, it is long. */
#undef TEST_SECONDS
#define TEST_SECONDS 270

#if !defined(CK_F_PR_CAS_64_2_VALUE)
#error "Without ck's double-width compare-and-swap, platform.h takes one that no test can see."
#endif

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#define SCHEDULE_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#define SCHEDULE_SANITIZED 1
#endif
#endif

#if defined(SCHEDULE_SANITIZED)
#define SCHEDULE_SLOW 1
#else
#define SCHEDULE_SLOW 0
#endif

enum {
	SCHEDULE_THREADS = 4,
	SCHEDULE_STACK = 1 << 16,
	SCHEDULE_PATH = 4096,  /* choices in one schedule */
	SCHEDULE_STEPS = 4000, /* a schedule of more steps than this does not end */
	SCHEDULE_SPINS = 150,  /* in vain, if no spinner ever stops by itself after more */
	SCHEDULE_BUFFER = 16,  /* delayed stores at one time */
	SCHEDULE_WAKES = 8,    /* in one call */
	SCHEDULE_SETTLES = 16  /* times that wait for a thread's delayed stores */
};

struct schedule {
	const char *name;
	unsigned int threads;
	void (*set_up)(void);
	void (*body)(unsigned int thread);
	bool (*may_sleep)(unsigned int thread);
	void (*check)(void);
	unsigned int preemptions;
	unsigned int delays;
	unsigned int faults;
	bool freezes;   /* thread 0 */
	bool weak;      /* a locked operation is not a full fence */
	bool symmetric; /* no heavy fences */
};

/* The bounds of a plan. */
#define WITHIN(PREEMPTIONS, DELAYS, FAULTS)                                                        \
	.preemptions = (PREEMPTIONS), .delays = (DELAYS), .faults = (FAULTS)

enum schedule_state {
	SCHEDULE_READY,
	SCHEDULE_SPINNING, /* paused; `writes` is when */
	SCHEDULE_ASLEEP,   /* on `word` */
	SCHEDULE_FROZEN,
	SCHEDULE_ENDED
};

struct schedule_thread {
	enum schedule_state state;
	bool fresh; /* its coroutine must be made anew */
	bool timed; /* asleep with a deadline */
	bool expired;
	uint64_t writes;
	const uint32_t *word;
	const uint32_t *woken; /* on this word, and its announcement stands since */
	const void *changed;   /* in this call, by its last locked operation that wrote */
	bool stored;           /* in this call, plainly */
	unsigned int wakes;    /* in this call, on these words */
	const uint32_t *woke[SCHEDULE_WAKES];
	unsigned int settles; /* these times are yet to come */
	unsigned int *settle[SCHEDULE_SETTLES];
	jmp_buf at;
	ucontext_t start;
	void *stack;
};

/* A store that its owner sees and the others do not: memory holds the new value, this the old one. */
struct schedule_delayed {
	unsigned int owner;
	void *at;
	union {
		uint64_t u64;
		uint32_t u32;
	} old;
};

static struct {
	const struct schedule *plan;
	struct schedule_thread thread[SCHEDULE_THREADS];
	struct schedule_delayed buffer[SCHEDULE_BUFFER];
	unsigned int buffered;
	unsigned int running; /* SCHEDULE_THREADS: none of them */
	unsigned int preemptions;
	unsigned int delays;
	unsigned int faults;
	bool freezes;
	unsigned int frozen_at; /* the time */
	unsigned int spins;     /* while nobody else could go on */
	uint64_t writes;        /* by anybody */
	unsigned int steps;     /* the time, too */
	const char *wrong;      /* what this schedule showed */
	unsigned int wrong_thread;
	bool tracing;
	jmp_buf main;
	ucontext_t main_start;
	unsigned char choice[SCHEDULE_PATH];
	unsigned char ways[SCHEDULE_PATH]; /* of which choice is one; 0: not known yet */
	unsigned int length;
	unsigned int position;
} schedule_now;

static inline bool
schedule_is_hooked(void)
{
	return schedule_now.running != SCHEDULE_THREADS;
}

/* One of `ways` ways to go on; 0 first. */
static unsigned int
schedule_choose(unsigned int ways)
{
	const unsigned int here = schedule_now.position;

	if (ways <= 1)
		return 0;
	if (here == SCHEDULE_PATH) {
		schedule_now.wrong = "has too many choices";
		return 0;
	}
	schedule_now.position++;
	if (here == schedule_now.length) {
		schedule_now.length++;
		schedule_now.choice[here] = 0;
		schedule_now.ways[here] = 0;
	}
	if (schedule_now.ways[here] == 0)
		schedule_now.ways[here] = (unsigned char)ways;
	if (schedule_now.ways[here] != ways || schedule_now.choice[here] >= ways) {
		schedule_now.wrong = "did not go the same way twice";
		return 0;
	}
	return schedule_now.choice[here];
}

/* The path of the next schedule; false: there is none. */
static bool
schedule_next_path(void)
{
	unsigned int n = schedule_now.position;

	while (n > 0 && schedule_now.choice[n - 1] + 1u == schedule_now.ways[n - 1])
		n--;
	schedule_now.length = n;
	if (n == 0)
		return false;
	schedule_now.choice[n - 1]++;
	return true;
}

/* Goes to where another coroutine, or the main program, left off. */
static void __attribute__((noinline)) schedule_switch(jmp_buf *from, struct schedule_thread *to)
{
#if defined(SCHEDULE_SANITIZED)
	static const void *main_stack;
	static size_t main_size;
	void *fake = NULL;

	__sanitizer_start_switch_fiber(&fake, to != NULL ? to->stack : main_stack,
				       to != NULL ? SCHEDULE_STACK : main_size);
	if (from == &schedule_now.main && main_stack == NULL) {
		/* Only finishing a switch tells where we are: go through the motions once. */
		__sanitizer_finish_switch_fiber(fake, &main_stack, &main_size);
		__sanitizer_start_switch_fiber(&fake, to->stack, SCHEDULE_STACK);
	}
#endif
	if (_setjmp(*from) == 0) {
		if (to == NULL)
			_longjmp(schedule_now.main, 1);
		if (to->fresh) {
			to->fresh = false;
			setcontext(&to->start);
		}
		_longjmp(to->at, 1);
	}
#if defined(SCHEDULE_SANITIZED)
	__sanitizer_finish_switch_fiber(fake, NULL, NULL);
#endif
}

/* Gives the processor back to the main program, which picks who goes on. */
static void
schedule_suspend(void)
{
	schedule_switch(&schedule_now.thread[schedule_now.running].at, NULL);
}

static void
schedule_wrong(const char *what)
{
	if (schedule_now.wrong == NULL) {
		schedule_now.wrong = what;
		schedule_now.wrong_thread = schedule_now.running;
	}
	if (schedule_is_hooked())
		schedule_suspend();
}

#define schedule_require(condition, otherwise)                                                     \
	do {                                                                                       \
		if (!(condition))                                                                  \
			schedule_wrong(otherwise);                                                 \
	} while (0)

/* The time, for begin and end of calls: distinct values. */
static inline unsigned int
schedule_time(void)
{
	return ++schedule_now.steps;
}

static inline bool
schedule_is_frozen(unsigned int i)
{
	return schedule_now.thread[i].state == SCHEDULE_FROZEN;
}

/* The running thread begins a call: what it did before does not count any more. */
static inline void
schedule_begin_call(void)
{
	if (schedule_is_hooked()) {
		schedule_now.thread[schedule_now.running].changed = NULL;
		schedule_now.thread[schedule_now.running].stored = false;
		schedule_now.thread[schedule_now.running].wakes = 0;
		schedule_now.thread[schedule_now.running].woken = NULL;
	}
}

/* Has this thread made a wake call on this word, in its call? */
static inline bool
schedule_has_woken(unsigned int i, const uint32_t *word)
{
	const struct schedule_thread *const t = &schedule_now.thread[i];
	bool has = false;

	for (unsigned int n = 0; n < t->wakes; n++)
		has |= t->woke[n] == word;
	return has;
}

/* May this thread go on without anything happening to it? */
static bool
schedule_can_run(unsigned int i)
{
	const struct schedule_thread *const t = &schedule_now.thread[i];

	return t->state == SCHEDULE_READY ||
	       (t->state == SCHEDULE_SPINNING && t->writes != schedule_now.writes);
}

static void
schedule_end_sleep(unsigned int i, bool expired)
{
	schedule_now.thread[i].state = SCHEDULE_READY;
	schedule_now.thread[i].expired |= expired;
	if (schedule_now.tracing)
		printf("  thread %u: its sleep ends%s\n", i,
		       expired ? ", the deadline has passed" : "");
}

/*
 * Who may go on, and why, in the order of the choices. `with_faults`: also those whose sleep would end
 * without a wake.
 */
static unsigned int
schedule_candidates(unsigned int who[2 * SCHEDULE_THREADS], bool expired[2 * SCHEDULE_THREADS],
		    unsigned int but, bool with_faults)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < schedule_now.plan->threads; i++) {
		if (i != but && schedule_can_run(i)) {
			expired[n] = false;
			who[n++] = i;
		}
	}
	for (unsigned int i = 0; with_faults && i < schedule_now.plan->threads; i++) {
		if (schedule_now.thread[i].state != SCHEDULE_ASLEEP)
			continue;
		expired[n] = false;
		who[n++] = i;
		if (schedule_now.thread[i].timed) {
			expired[n] = true;
			who[n++] = i;
		}
	}
	return n;
}

/* Picks the thread that goes on, when the last one cannot. SCHEDULE_THREADS: nobody ever can. */
static unsigned int
schedule_pick(void)
{
	unsigned int who[2 * SCHEDULE_THREADS] = {0};
	bool expired[2 * SCHEDULE_THREADS] = {false};
	unsigned int n;
	unsigned int i;
	bool anybody = false;

	for (i = 0; i < schedule_now.plan->threads; i++)
		anybody |= schedule_can_run(i);
	if (anybody) {
		n = schedule_candidates(who, expired, SCHEDULE_THREADS, schedule_now.faults > 0);
		i = schedule_choose(n);
		if (schedule_now.thread[who[i]].state == SCHEDULE_ASLEEP) {
			schedule_now.faults--;
			schedule_end_sleep(who[i], expired[i]);
		}
		return who[i];
	}
	/* Spinners among themselves: in turn, whoever looked longest ago. */
	for (n = 0, i = 0; i < schedule_now.plan->threads; i++) {
		if (schedule_now.thread[i].state == SCHEDULE_SPINNING &&
		    schedule_now.spins < SCHEDULE_SPINS) {
			schedule_now.spins++;
			schedule_now.writes++;
			return i;
		}
	}
	/* Everybody sleeps, spins in vain, is frozen or has ended. */
	for (i = 0; i < schedule_now.plan->threads; i++) {
		if (schedule_now.thread[i].state != SCHEDULE_ASLEEP &&
		    schedule_now.thread[i].state != SCHEDULE_SPINNING)
			continue;
		if (!schedule_now.plan->may_sleep(i)) {
			schedule_now.wrong = "sleeps while its condition holds";
			schedule_now.wrong_thread = i;
			return SCHEDULE_THREADS;
		}
		if (schedule_now.thread[i].state == SCHEDULE_ASLEEP && schedule_now.thread[i].timed)
			who[n++] = i;
	}
	if (n == 0)
		return SCHEDULE_THREADS;
	i = who[schedule_choose(n)];
	schedule_end_sleep(i, true);
	return i;
}

static void
schedule_flush(unsigned int owner)
{
	struct schedule_thread *const self = &schedule_now.thread[owner];
	unsigned int kept = 0;

	for (unsigned int i = 0; i < schedule_now.buffered; i++) {
		if (schedule_now.buffer[i].owner != owner)
			schedule_now.buffer[kept++] = schedule_now.buffer[i];
		else
			schedule_now.writes++;
	}
	schedule_now.buffered = kept;
	while (self->settles > 0)
		*self->settle[--self->settles] = schedule_time();
}

/*
 * *time is now, or when the last store of the running thread will have become visible. A call of which
 * others can know by its stores alone has then ended for them.
 */
static inline void
schedule_settle(unsigned int *time)
{
	struct schedule_thread *const self = &schedule_now.thread[schedule_now.running];
	bool delayed = false;

	*time = schedule_time();
	if (!schedule_is_hooked())
		return;
	for (unsigned int i = 0; i < schedule_now.buffered; i++)
		delayed |= schedule_now.buffer[i].owner == schedule_now.running;
	if (delayed && self->settles < SCHEDULE_SETTLES)
		self->settle[self->settles++] = time;
	else if (delayed)
		schedule_wrong("delays the ends of too many calls");
}

/* Before every operation on a shared word: does this thread, and who? */
static void __attribute__((noinline)) schedule_point(const char *operation, const void *word)
{
	const unsigned int self = schedule_now.running;
	unsigned int who[2 * SCHEDULE_THREADS];
	bool expired[2 * SCHEDULE_THREADS] = {false};

	if (++schedule_now.steps > SCHEDULE_STEPS)
		schedule_wrong("goes on for ever");
	if (schedule_now.freezes && self == 0 && schedule_choose(2) == 1) {
		if (schedule_now.tracing)
			printf("  thread 0 is frozen before: %s %p\n", operation, word);
		schedule_now.freezes = false;
		schedule_now.frozen_at = schedule_now.steps;
		schedule_flush(self);
		schedule_now.thread[self].state = SCHEDULE_FROZEN;
		schedule_suspend();
	}
	if (schedule_now.preemptions > 0) {
		const unsigned int n =
			schedule_candidates(who, expired, self, schedule_now.faults > 0);
		const unsigned int i = schedule_choose(n + 1);

		if (i > 0) {
			struct schedule_thread *const next = &schedule_now.thread[who[i - 1]];

			schedule_now.preemptions--;
			if (next->state == SCHEDULE_ASLEEP) {
				schedule_now.faults--;
				schedule_end_sleep(who[i - 1], expired[i - 1]);
			}
			next->state = SCHEDULE_READY;
			schedule_now.running = who[i - 1];
			if (schedule_now.tracing)
				printf("  thread %u is preempted by thread %u\n", self, who[i - 1]);
			schedule_switch(&schedule_now.thread[self].at, next);
		}
	}
	if (schedule_now.tracing)
		printf("  thread %u: %s %p\n", self, operation, word);
}

/* Where this thread finds what it may see of a word. */
static inline void *
schedule_seen(const void *word)
{
	for (unsigned int i = 0; i < schedule_now.buffered; i++) {
		if (schedule_now.buffer[i].at == word &&
		    schedule_now.buffer[i].owner != schedule_now.running)
			return &schedule_now.buffer[i].old;
	}
	return (void *)(uintptr_t)word;
}

/* From now on the others do not see what the running thread stores here. */
static void
schedule_delay(void *word, const void *old, size_t size)
{
	struct schedule_delayed *const delayed = &schedule_now.buffer[schedule_now.buffered];

	if (schedule_now.tracing)
		printf("  thread %u: ... which the others cannot see yet\n", schedule_now.running);
	if (schedule_now.buffered == SCHEDULE_BUFFER) {
		schedule_wrong("delays too many stores");
		return;
	}
	schedule_now.buffered++;
	delayed->owner = schedule_now.running;
	delayed->at = word;
	memcpy(&delayed->old, old, size);
}

/* Before a plain store, which will be seen by all at once, or is delayed from now on. */
static void
schedule_store(void *word, size_t size)
{
	const unsigned int self = schedule_now.running;
	bool behind = false;
	bool first = true;
	struct schedule_delayed *delayed;

	schedule_now.thread[self].stored = true;
	for (unsigned int i = schedule_now.buffered; i-- > 0;) {
		delayed = &schedule_now.buffer[i];
		behind |= delayed->owner == self;
		first &= delayed->owner != self || delayed->at != word;
		if (delayed->owner != self && delayed->at == word)
			schedule_flush(
				delayed->owner); /* one of the orders these stores may have */
	}
	if (!behind && (schedule_now.delays == 0 || schedule_choose(2) == 0)) {
		schedule_now.writes++;
		return;
	}
	if (!behind)
		schedule_now.delays--;
	if (first)
		schedule_delay(word, word, size);
}

/* Before a locked operation. */
static void
schedule_locked(const char *operation, const void *word)
{
	schedule_point(operation, word);
	schedule_flush(schedule_now.running);
	for (unsigned int i = schedule_now.buffered; schedule_now.plan->weak && i-- > 0;) {
		/* What another locked operation stored here is seen by this one at least. */
		if (i < schedule_now.buffered && schedule_now.buffer[i].at == word)
			schedule_flush(schedule_now.buffer[i].owner);
	}
}

/*
 * After a locked operation that wrote; what was there before is `old`. An event's announcements stand
 * right before its futex word.
 */
static void
schedule_changed(void *word, const void *old, size_t size)
{
	schedule_now.writes++;
	if (schedule_is_hooked()) {
		struct schedule_thread *const self = &schedule_now.thread[schedule_now.running];

		self->changed = word;
		if ((uintptr_t)self->woken == (uintptr_t)word + sizeof(uint64_t))
			self->woken = NULL;
		if (schedule_now.plan->weak && schedule_now.delays > 0 && schedule_choose(2) == 1) {
			schedule_now.delays--;
			schedule_delay(word, old, size);
		}
	}
}

/* The operations themselves, for words of 32 and 64 bits. */
#define SCHEDULE_OPERATIONS(BITS)                                                                  \
	static inline uint##BITS##_t schedule_load_##BITS(const uint##BITS##_t *word)              \
	{                                                                                          \
		if (!schedule_is_hooked())                                                         \
			return *word;                                                              \
		schedule_point("load", word);                                                      \
		return *(const uint##BITS##_t *)schedule_seen(word);                               \
	}                                                                                          \
                                                                                                   \
	static inline void schedule_store_##BITS(uint##BITS##_t *word, uint##BITS##_t value)       \
	{                                                                                          \
		if (schedule_is_hooked()) {                                                        \
			schedule_point("store", word);                                             \
			schedule_store(word, sizeof(*word));                                       \
		}                                                                                  \
		*word = value;                                                                     \
	}                                                                                          \
                                                                                                   \
	static inline bool schedule_cas_##BITS(uint##BITS##_t *word, uint##BITS##_t expected,      \
					       uint##BITS##_t desired, uint##BITS##_t *found)      \
	{                                                                                          \
		uint##BITS##_t *at = word;                                                         \
		bool won;                                                                          \
                                                                                                   \
		if (schedule_is_hooked()) {                                                        \
			schedule_locked("cas", word);                                              \
			at = schedule_seen(word);                                                  \
		}                                                                                  \
		won = *at == expected;                                                             \
		*found = *at;                                                                      \
		if (won) {                                                                         \
			*at = desired;                                                             \
			schedule_changed(word, &expected, sizeof(expected));                       \
		}                                                                                  \
		return won;                                                                        \
	}                                                                                          \
                                                                                                   \
	static inline bool schedule_plain_cas_##BITS(                                              \
		uint##BITS##_t *word, uint##BITS##_t expected, uint##BITS##_t desired)             \
	{                                                                                          \
		uint##BITS##_t found;                                                              \
                                                                                                   \
		return schedule_cas_##BITS(word, expected, desired, &found);                       \
	}                                                                                          \
                                                                                                   \
	/* Puts old * keep + value, which is an addition or an exchange. */                        \
	static inline uint##BITS##_t schedule_exchange_##BITS(                                     \
		const char *operation, uint##BITS##_t *word, uint##BITS##_t keep,                  \
		uint##BITS##_t value)                                                              \
	{                                                                                          \
		uint##BITS##_t *at = word;                                                         \
		uint##BITS##_t old;                                                                \
                                                                                                   \
		if (schedule_is_hooked()) {                                                        \
			schedule_locked(operation, word);                                          \
			at = schedule_seen(word);                                                  \
		}                                                                                  \
		old = *at;                                                                         \
		*at = old * keep + value;                                                          \
		schedule_changed(word, &old, sizeof(old));                                         \
		return old;                                                                        \
	}

SCHEDULE_OPERATIONS(32)
SCHEDULE_OPERATIONS(64)

static inline bool
schedule_cas_64_2(uint64_t word[2], const uint64_t expected[2], const uint64_t desired[2],
		  uint64_t found[2])
{
	uint64_t *at[2] = {&word[0], &word[1]};
	bool won;

	if (schedule_is_hooked()) {
		schedule_locked("cas", word);
		at[0] = schedule_seen(&word[0]);
		at[1] = schedule_seen(&word[1]);
	}
	found[0] = *at[0];
	found[1] = *at[1];
	won = found[0] == expected[0] && found[1] == expected[1];
	if (won) {
		*at[0] = desired[0];
		*at[1] = desired[1];
		schedule_changed(word, expected, sizeof(*expected));
	}
	return won;
}

static inline void
schedule_fence(void)
{
	if (schedule_is_hooked())
		schedule_flush(schedule_now.running);
}

/* A fence that only counts where a locked operation is none. */
static inline void
schedule_fence_after_locked(void)
{
	if (schedule_now.plan->weak)
		schedule_fence();
}

/* An item wider than a word moves in two parts, between which others may run. */
static inline void
schedule_copy(void *to, const void *from, size_t size)
{
	const size_t first = size > sizeof(uint64_t) ? sizeof(uint64_t) : size;

	memcpy(to, from, first);
	if (size == first)
		return;
	if (schedule_is_hooked())
		schedule_point("copies on", from);
	memcpy((unsigned char *)to + first, (const unsigned char *)from + first, size - first);
}

static inline bool
schedule_fence_heavy_prepare(void)
{
	return !schedule_now.plan->symmetric;
}

/* Every thread passes a full fence, at one moment. */
static inline void
schedule_fence_heavy(void)
{
	if (!schedule_is_hooked())
		return;
	if (schedule_now.plan->symmetric)
		schedule_wrong("passes a heavy fence where there is none");
	schedule_point("heavy fence", NULL);
	for (unsigned int i = 0; i < schedule_now.plan->threads; i++)
		schedule_flush(i);
}

/* A pause or a yield: others first. */
static inline void
schedule_spin(void)
{
	struct schedule_thread *self;

	if (!schedule_is_hooked())
		return;
	self = &schedule_now.thread[schedule_now.running];
	schedule_locked("spin", NULL);
	self->state = SCHEDULE_SPINNING;
	self->writes = schedule_now.writes;
	schedule_suspend();
}

/* Has the deadline passed? It may, at any time. */
static inline bool
schedule_deadline_passed(const struct timespec *deadline)
{
	struct schedule_thread *const self = &schedule_now.thread[schedule_now.running];

	if (deadline->tv_sec <= 0)
		return true;
	if (schedule_is_hooked() && !self->expired && schedule_now.faults > 0 &&
	    schedule_choose(2) == 1) {
		schedule_now.faults--;
		self->expired = true;
	}
	return self->expired;
}

static inline bool
schedule_futex_wait(const uint32_t *word, uint32_t expected, const struct timespec *deadline)
{
	struct schedule_thread *const self = &schedule_now.thread[schedule_now.running];

	if (!schedule_is_hooked())
		abort(); /* set_up and check must not wait */
	schedule_locked("futex wait", word);
	if (*(const uint32_t *)schedule_seen(word) != expected)
		return false;
	if (deadline != NULL && (self->expired || deadline->tv_sec <= 0))
		return true;
	self->state = SCHEDULE_ASLEEP;
	self->timed = deadline != NULL;
	self->word = word;
	schedule_suspend();
	return deadline != NULL && self->expired;
}

static inline void
schedule_futex_wake(const uint32_t *word, int count)
{
	unsigned int sleepers[SCHEDULE_THREADS + 1] = {0};
	struct schedule_thread *const self = &schedule_now.thread[schedule_now.running];

	if (!schedule_is_hooked())
		return;
	schedule_locked("futex wake", word);
	if (self->wakes < SCHEDULE_WAKES)
		self->woke[self->wakes++] = word;
	while (count > 0) {
		unsigned int n = 0;
		unsigned int timed;
		unsigned int i;

		for (i = 0; i < schedule_now.plan->threads; i++) {
			if (schedule_now.thread[i].state == SCHEDULE_ASLEEP &&
			    schedule_now.thread[i].word == word)
				sleepers[n++] = i;
		}
		if (n == 0)
			break;
		/* One of the timed ones may have run out of time before it could be woken. */
		for (timed = 0, i = 0; schedule_now.faults > 0 && i < n; i++) {
			if (schedule_now.thread[sleepers[i]].timed)
				sleepers[SCHEDULE_THREADS] = sleepers[i], timed = 1;
		}
		i = schedule_choose(n + timed);
		if (i == n) {
			schedule_now.faults--;
			schedule_end_sleep(sleepers[SCHEDULE_THREADS], true);
		} else {
			schedule_end_sleep(sleepers[i], false);
			schedule_now.thread[sleepers[i]].woken = word;
			count--;
		}
	}
}

static void
schedule_coroutine(void)
{
#if defined(SCHEDULE_SANITIZED)
	__sanitizer_finish_switch_fiber(NULL, NULL, NULL);
#endif
	for (;;) {
		schedule_now.plan->body(schedule_now.running);
		if (schedule_now.buffered > 0)
			schedule_point("ends", NULL);
		schedule_flush(schedule_now.running);
		schedule_now.writes++;
		schedule_now.thread[schedule_now.running].state = SCHEDULE_ENDED;
		if (schedule_now.tracing)
			printf("  thread %u has ended\n", schedule_now.running);
		schedule_suspend();
	}
}

static void __attribute__((noinline)) schedule_make(struct schedule_thread *t)
{
	if (t->stack == NULL)
		t->stack = malloc(SCHEDULE_STACK);
#if defined(SCHEDULE_SANITIZED)
	__asan_unpoison_memory_region(t->stack, SCHEDULE_STACK);
#endif
	getcontext(&t->start);
	t->start.uc_stack.ss_sp = t->stack;
	t->start.uc_stack.ss_size = SCHEDULE_STACK;
	makecontext(&t->start, schedule_coroutine, 0);
	t->fresh = true;
}

/* Runs one schedule: the path as far as it goes, and the first of the ways from there. */
static void
schedule_run_path(const struct schedule *plan)
{
	unsigned int i;

	schedule_now.plan = plan;
	schedule_now.running = SCHEDULE_THREADS;
	schedule_now.preemptions = plan->preemptions;
	schedule_now.delays = plan->delays;
	schedule_now.faults = plan->faults;
	schedule_now.freezes = plan->freezes;
	schedule_now.spins = 0;
	schedule_now.buffered = 0;
	schedule_now.position = 0;
	schedule_now.steps = 0;
	schedule_now.writes = 1;
	schedule_now.wrong = NULL;
	for (i = 0; i < plan->threads; i++) {
		struct schedule_thread *const t = &schedule_now.thread[i];

		/* One that came to its end can begin again; another would go on where it stopped. */
		if (t->state != SCHEDULE_ENDED || t->stack == NULL)
			schedule_make(t);
		t->state = SCHEDULE_READY;
		t->expired = false;
		t->woken = NULL;
		t->changed = NULL;
		t->stored = false;
		t->wakes = 0;
		t->settles = 0;
	}
	plan->set_up();
	while (schedule_now.wrong == NULL) {
		const unsigned int next = schedule_pick();

		if (next == SCHEDULE_THREADS)
			break;
		schedule_now.thread[next].state = SCHEDULE_READY;
		schedule_now.running = next;
		schedule_switch(&schedule_now.main, &schedule_now.thread[next]);
		schedule_now.running = SCHEDULE_THREADS;
	}
	plan->check();
}

static void
schedule_print_path(void)
{
	unsigned int n = schedule_now.position;

	while (n > 0 && schedule_now.choice[n - 1] == 0)
		n--;
	printf("  SLUICE_SCHEDULE='%s:", schedule_now.plan->name);
	for (unsigned int i = 0; i < n; i++)
		putchar("0123456789abcdef"[schedule_now.choice[i]]);
	printf("'\n");
}

/* If the environment asks for one schedule: its path. */
static const char *
schedule_asked_for(const struct schedule *plan)
{
	const char *const asked = getenv("SLUICE_SCHEDULE");
	const size_t n = strlen(plan->name);

	return asked != NULL && strncmp(asked, plan->name, n) == 0 && asked[n] == ':'
		       ? asked + n + 1
		       : NULL;
}

/* Runs them all, up to the first bad one. Returns whether all were good. */
static bool
schedule_explore(const struct schedule *plan)
{
	const char *asked = schedule_asked_for(plan);
	const clock_t begin = clock();
	unsigned long count = 0;

	schedule_now.length = 0;
	schedule_now.tracing = asked != NULL;
	for (; asked != NULL && *asked != '\0' && schedule_now.length < SCHEDULE_PATH; asked++) {
		const char digit[2] = {*asked, '\0'};

		schedule_now.ways[schedule_now.length] = 0;
		schedule_now.choice[schedule_now.length++] =
			(unsigned char)strtoul(digit, NULL, 16);
	}
	do {
		schedule_run_path(plan);
		count++;
	} while (!schedule_now.tracing && schedule_now.wrong == NULL && schedule_next_path());
	printf("%s: %lu schedules, %.2f s (%u threads, %u preemptions, %u delays, %u faults%s)\n",
	       plan->name, count, (double)(clock() - begin) / CLOCKS_PER_SEC, plan->threads,
	       plan->preemptions, plan->delays, plan->faults,
	       plan->freezes     ? ", thread 0 may freeze"
	       : plan->weak      ? ", weak"
	       : plan->symmetric ? ", no heavy fences"
				 : "");
	if (schedule_now.wrong != NULL) {
		if (schedule_now.wrong_thread < plan->threads)
			printf("  thread %u", schedule_now.wrong_thread);
		printf("  %s\n", schedule_now.wrong);
		schedule_print_path();
	}
	fflush(stdout);
	return schedule_now.wrong == NULL;
}

/* SLUICE_TEST_LONG=1: wider bounds, for minutes. */
static inline bool
schedule_is_long(void)
{
	const char *const asked = getenv("SLUICE_TEST_LONG");

	return asked != NULL && strcmp(asked, "1") == 0;
}

/*
 * What AddressSanitizer sees in these schedules, it sees with a preemption fewer than where there were several,
 * in half the time; the orders themselves are explored without it.
 */
static inline void
schedule_holds(const struct schedule *plan)
{
	struct schedule explored = *plan;

#if defined(__SANITIZE_ADDRESS__)
	if (explored.preemptions > 1 && !schedule_is_long())
		explored.preemptions--;
#endif
	cr_assert(schedule_explore(&explored), "%s: %s", plan->name, schedule_now.wrong);
}

static inline void
schedule_fails(const struct schedule *plan)
{
	cr_assert_not(schedule_explore(plan), "%s: no bad schedule was found", plan->name);
}

/* From here on every use of these names is hooked, those in ck_ring.h included. */
#undef ck_pr_load_32
#undef ck_pr_load_64
#undef ck_pr_load_uint
#undef ck_pr_store_32
#undef ck_pr_store_64
#undef ck_pr_store_uint
#undef ck_pr_fence_memory
#undef ck_pr_fence_atomic_load
#define ck_pr_load_32(from)               schedule_load_32(from)
#define ck_pr_load_64(from)               schedule_load_64(from)
#define ck_pr_load_uint(from)             schedule_load_32(from)
#define ck_pr_store_32(to, value)         schedule_store_32(to, value)
#define ck_pr_store_64(to, value)         schedule_store_64(to, value)
#define ck_pr_store_uint(to, value)       schedule_store_32(to, value)
#define ck_pr_cas_32(at, old, new)        schedule_plain_cas_32(at, old, new)
#define ck_pr_cas_64(at, old, new)        schedule_plain_cas_64(at, old, new)
#define ck_pr_cas_uint(at, old, new)      schedule_plain_cas_32(at, old, new)
#define ck_pr_cas_uint_value(at, o, n, f) schedule_cas_32(at, o, n, f)
#define ck_pr_cas_64_2_value(at, o, n, f) schedule_cas_64_2(at, o, n, f)
#define ck_pr_fas_32(at, value)           schedule_exchange_32("exchange", at, 0, value)
#define ck_pr_add_32(at, value)           ((void)schedule_exchange_32("add", at, 1, value))
#define ck_pr_add_64(at, value)           ((void)schedule_exchange_64("add", at, 1, value))
#define ck_pr_inc_32(at)                  ((void)schedule_exchange_32("add", at, 1, 1))
#define ck_pr_or_64(at, value)            ((void)schedule_exchange_64("or", at, 1, value)) /* 0 */
#define ck_pr_fence_memory()              schedule_fence()
#define ck_pr_fence_atomic_load()         schedule_fence_after_locked()
#define ck_pr_stall()                     schedule_spin()
#define SLUICE_PRIV_BACK_OFF              0 /* whoever was overtaken tries again at once */
#define memcpy(to, from, size)            schedule_copy(to, from, size)

/* futex.h is compiled, but what asks the kernel something goes by another name there. */
#define sluice_priv_futex_wait          schedule_unused_futex_wait
#define sluice_priv_futex_wake          schedule_unused_futex_wake
#define sluice_priv_yield               schedule_unused_yield
#define sluice_priv_deadline_passed     schedule_unused_deadline_passed
#define sluice_priv_fence_heavy_prepare schedule_unused_fence_heavy_prepare
#define sluice_priv_fence_heavy         schedule_unused_fence_heavy
#include <sluice/futex.h>
#undef sluice_priv_futex_wait
#undef sluice_priv_futex_wake
#undef sluice_priv_yield
#undef sluice_priv_deadline_passed
#undef sluice_priv_fence_heavy_prepare
#undef sluice_priv_fence_heavy
#define sluice_priv_futex_wait          schedule_futex_wait
#define sluice_priv_futex_wake          schedule_futex_wake
#define sluice_priv_yield               schedule_spin
#define sluice_priv_deadline_passed     schedule_deadline_passed
#define sluice_priv_fence_heavy_prepare schedule_fence_heavy_prepare
#define sluice_priv_fence_heavy         schedule_fence_heavy

#include <sluice.h>
#undef memcpy

#endif
