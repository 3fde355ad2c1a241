/* SPDX-License-Identifier: MIT */
/*
 * schedule_park.c - sluice/park.h under every schedule: no wake-up is lost.
 *
 * A pool of tokens stands for a lock-free structure, an event for "there is a token". The first tests
 * are of schedule.h itself: the event used wrongly, which it must find.
 */
#include "schedule.h"

static const struct sluice_options at_once = {0, 0, 0};
static const struct timespec future = {1, 0};

static struct {
	struct sluice_priv_event event;
	uint32_t tokens;
	uint32_t closed;
	unsigned int taken;
	unsigned int gave_up;
	bool waiting[SCHEDULE_THREADS];
	uint32_t unsent[SCHEDULE_THREADS]; /* given, and not past S3 */
	bool closing[SCHEDULE_THREADS];    /* closed, and not past S3 */
} pool;

static void
set_up(void)
{
	memset(&pool, 0, sizeof(pool));
}

static int
take(void)
{
	for (;;) {
		const uint32_t tokens = ck_pr_load_32(&pool.tokens);

		if (tokens == 0)
			return ck_pr_load_32(&pool.closed) != 0 ? EPIPE : EAGAIN;
		if (ck_pr_cas_32(&pool.tokens, tokens, tokens - 1)) {
			pool.taken++;
			return 0;
		}
	}
}

static void
take_waiting(unsigned int thread, const struct timespec *deadline)
{
	int result = take();
	struct sluice_priv_wait wait = sluice_priv_wait_begin(&pool.event, &at_once, deadline);

	pool.waiting[thread] = true;
	while (result == EAGAIN && sluice_priv_wait_step(&wait))
		result = take();
	/* Whatever wake it got is used. */
	schedule_now.thread[thread].woken = NULL;
	sluice_priv_wait_end(&wait);
	pool.waiting[thread] = false;
	pool.gave_up += result != 0;
	schedule_require(deadline != NULL || result != EAGAIN, "gives up without a deadline");
}

static void
give(uint32_t n)
{
	const unsigned int self = schedule_now.running;

	ck_pr_add_32(&pool.tokens, n);
	pool.unsent[self] = n;
	sluice_priv_fence_full_after_atomic();
	sluice_priv_event_wake(&pool.event, n);
	pool.unsent[self] = 0;
}

static bool excuse_nobody;

/*
 * Nobody, while there is a token, or closed. If thread 0 was frozen, it may have a wake for each token
 * it gave without having passed S3, or the one that it got and did not use; or it closed without
 * having passed S3, and nobody else has.
 */
static bool
may_sleep(unsigned int thread)
{
	uint32_t sleepers = 0;
	uint32_t withheld = 0;

	(void)thread;
	if (excuse_nobody)
		return pool.tokens == 0 && pool.closed == 0;
	for (unsigned int i = 0; i < schedule_now.plan->threads; i++)
		sleepers += pool.waiting[i] && !schedule_is_frozen(i);
	if (schedule_is_frozen(0))
		withheld = pool.unsent[0] + (schedule_now.thread[0].woken != NULL);
	if (pool.closed != 0)
		return schedule_is_frozen(0) && pool.closing[0];
	return (pool.tokens < sleepers ? pool.tokens : sleepers) <= withheld;
}

static void
check(void)
{
	for (unsigned int i = 0; i < SCHEDULE_THREADS; i++) {
		if (pool.waiting[i])
			return;
	}
	schedule_require(schedule_now.wrong != NULL || pool.event.word == 0,
			 "leaves announcements or signals behind");
}

/* What a test runs: two kinds of threads. Those below `first` run `one`, the others `other`. */
static unsigned int first;
static void (*one)(unsigned int thread);
static void (*other)(unsigned int thread);

static void
body(unsigned int thread)
{
	(thread < first ? one : other)(thread);
}

/* Name, threads, bounds, ... */
#define PLAN(NAME, THREADS, ...)                                                                   \
	((const struct schedule){.name = NAME,                                                     \
				 .threads = (THREADS),                                             \
				 .set_up = set_up,                                                 \
				 .body = body,                                                     \
				 .may_sleep = may_sleep,                                           \
				 .check = check,                                                   \
				 __VA_ARGS__})

static void
program(unsigned int n, void (*first_n)(unsigned int), void (*rest)(unsigned int))
{
	first = n;
	one = first_n;
	other = rest;
}

static void
waits(unsigned int thread)
{
	take_waiting(thread, NULL);
}

static void
waits_with_a_deadline(unsigned int thread)
{
	take_waiting(thread, &future);
}

/* Thread 0 waits with a deadline, thread 1 without. */
static void
waits_either_way(unsigned int thread)
{
	take_waiting(thread, thread == 0 ? &future : NULL);
}

static void
gives_one(unsigned int thread)
{
	(void)thread;
	give(1);
}

static void
gives_two(unsigned int thread)
{
	(void)thread;
	give(2);
}

static void
gives_two_singly(unsigned int thread)
{
	(void)thread;
	give(1);
	give(1);
}

static void
closes(unsigned int thread)
{
	pool.closing[thread] = true;
	ck_pr_store_32(&pool.closed, 1);
	ck_pr_fence_memory(); /* F2 */
	sluice_priv_event_wake_all(&pool.event);
	pool.closing[thread] = false;
}

static void
closes_without_a_fence(unsigned int thread)
{
	(void)thread;
	ck_pr_store_32(&pool.closed, 1);
	sluice_priv_event_wake_all(&pool.event);
}

static void
closes_without_a_wake(unsigned int thread)
{
	(void)thread;
	ck_pr_store_32(&pool.closed, 1);
}

static void
gives_two_and_wakes_one(unsigned int thread)
{
	(void)thread;
	ck_pr_add_32(&pool.tokens, 2);
	sluice_priv_event_wake(&pool.event, 1);
}

TEST(schedule, finds_a_wake_up_that_is_never_sent)
{
	program(1, waits, closes_without_a_wake);
	schedule_fails(&PLAN("never_sent", 2, WITHIN(0, 0, 0)));
}

TEST(schedule, finds_a_wake_up_lost_to_a_store_buffer_and_only_with_delayed_stores)
{
	program(1, waits, closes_without_a_fence);
	schedule_holds(&PLAN("no_fence_no_delay", 2, WITHIN(3, 0, 1)));
	schedule_fails(&PLAN("no_fence", 2, WITHIN(2, 1, 0)));
}

TEST(schedule, finds_one_wake_too_few)
{
	program(2, waits, gives_two_and_wakes_one);
	schedule_fails(&PLAN("one_wake_too_few", 3, WITHIN(2, 0, 0)));
}

/* Waits as if a sleep could end for one reason only: that it was woken, and for a token. */
static void
believes_in_wakes(unsigned int thread)
{
	const uint32_t epoch = ck_pr_load_32(&pool.event.epoch);

	(void)thread;
	sluice_priv_event_announce(&pool.event);
	if (take() == EAGAIN) {
		(void)sluice_priv_futex_wait(&pool.event.epoch, epoch, NULL);
		schedule_require(take() == 0, "was woken for nothing");
	}
	sluice_priv_event_leave(&pool.event);
}

/* Thread 0 gives up when it is woken after its deadline. */
static void
believes_in_deadlines(unsigned int thread)
{
	const uint32_t epoch = ck_pr_load_32(&pool.event.epoch);

	if (thread != 0) {
		waits(thread);
		return;
	}
	sluice_priv_event_announce(&pool.event);
	if (take() == EAGAIN) {
		(void)sluice_priv_futex_wait(&pool.event.epoch, epoch, &future);
		if (!sluice_priv_deadline_passed(&future))
			(void)take();
	}
	sluice_priv_event_leave(&pool.event);
}

TEST(schedule, ends_a_sleep_for_no_reason_at_any_moment)
{
	program(1, believes_in_wakes, gives_one);
	schedule_holds(&PLAN("no_spurious_wake", 2, WITHIN(3, 0, 0)));
	schedule_fails(&PLAN("spurious_wake", 2, WITHIN(0, 0, 1)));
}

TEST(schedule, lets_a_deadline_pass_at_any_moment)
{
	program(2, believes_in_deadlines, gives_one);
	schedule_holds(&PLAN("in_time", 3, WITHIN(2, 0, 0)));
	schedule_fails(&PLAN("late", 3, WITHIN(2, 0, 1)));
}

TEST(schedule, freezes_whoever_everybody_waits_for)
{
	program(1, gives_one, waits);
	schedule_holds(&PLAN("not_frozen", 2, WITHIN(2, 0, 0)));
	excuse_nobody = true;
	schedule_fails(&PLAN("frozen", 2, WITHIN(0, 0, 0), .freezes = true));
	excuse_nobody = false;
}

TEST(park, no_wake_up_is_lost_between_two_waiters_and_two_wakers)
{
	program(2, waits, gives_one);
	schedule_holds(&PLAN("two_and_two", 4, WITHIN(2, 1, 1)));
}

TEST(park, no_wake_up_is_lost_between_one_waiter_and_one_waker)
{
	program(1, waits, gives_one);
	schedule_holds(&PLAN("one_and_one", 2, WITHIN(4, 1, 1)));
}

TEST(park, one_wake_of_two_wakes_two)
{
	program(2, waits, gives_two);
	schedule_holds(&PLAN("wake_of_two", 3, WITHIN(3, 0, 1)));
}

TEST(park, two_wakes_of_one_wake_two)
{
	program(2, waits, gives_two_singly);
	schedule_holds(&PLAN("two_wakes", 3, WITHIN(3, 0, 1)));
}

TEST(park, a_timed_waiter_leaves_no_wake_unused)
{
	program(2, waits_either_way, gives_one);
	schedule_holds(&PLAN("timed_and_not", 3, WITHIN(3, 0, 1)));
}

TEST(park, timed_waiters_always_come_back)
{
	program(2, waits_with_a_deadline, gives_one);
	schedule_holds(&PLAN("timed", 4, WITHIN(2, 0, 1)));
}

TEST(park, wake_all_wakes_all)
{
	program(2, waits, closes);
	schedule_holds(&PLAN("close", 3, WITHIN(3, 1, 1)));
}

/* Two steal and give back, so that a waiter which was woken finds nothing and sleeps again. */
static void
takes_and_gives(unsigned int thread)
{
	(void)thread;
	give(1);
	if (take() == 0)
		give(1);
}

TEST(park, a_waiter_that_was_overtaken_is_woken_again)
{
	program(2, waits, takes_and_gives);
	schedule_holds(&PLAN("overtaken", 3, WITHIN(3, 0, 1)));
	schedule_holds(&PLAN("overtaken_by_two", 4, WITHIN(2, 0, 0)));
}

/* The last thread gives, the one before closes. */
static void
closes_or_gives(unsigned int thread)
{
	if (thread == 2)
		closes(thread);
	else
		give(1);
}

TEST(park, wake_all_wakes_those_whose_wake_is_under_way_too)
{
	program(2, waits, closes_or_gives);
	schedule_holds(&PLAN("close_beside_a_wake", 4, WITHIN(2, 0, 1)));
}

/* What the others do when thread 0 may be frozen. */
static void
waits_closes_gives(unsigned int thread)
{
	if (thread == 1)
		waits(thread);
	else if (thread == 2)
		closes(thread);
	else
		gives_one(thread);
}

static void
waits_waits_gives(unsigned int thread)
{
	if (thread < 3)
		waits(thread);
	else
		gives_two_singly(thread);
}

static void
waits_waits_closes(unsigned int thread)
{
	if (thread < 3)
		waits(thread);
	else
		closes(thread);
}

static void
gives_one_without_a_fence(unsigned int thread)
{
	(void)thread;
	ck_pr_add_32(&pool.tokens, 1);
	sluice_priv_event_wake(&pool.event, 1);
}

TEST(schedule, finds_a_locked_operation_taken_for_a_fence_and_only_where_it_is_none)
{
	program(1, waits, gives_one_without_a_fence);
	schedule_holds(&PLAN("strong", 2, WITHIN(3, 1, 0)));
	schedule_fails(&PLAN("weak", 2, WITHIN(2, 1, 0), .weak = true));
}

/* F1 and F2, which x86 has for nothing. */
TEST(park, fences_keep_every_wake)
{
	program(1, waits, gives_one);
	schedule_holds(&PLAN("weak_one_and_one", 2, WITHIN(3, 2, 0), .weak = true));
	program(2, waits, gives_one);
	schedule_holds(&PLAN("weak_two_and_two", 4, WITHIN(1, 1, 0), .weak = true));
	program(2, waits, closes);
	schedule_holds(&PLAN("weak_close", 3, WITHIN(2, 2, 0), .weak = true));
}

TEST(park, a_frozen_waker_keeps_its_own_wake_and_no_other)
{
	program(1, gives_one, waits_waits_gives);
	schedule_holds(&PLAN("frozen_waker", 4, WITHIN(1, 0, 0), .freezes = true));
	program(1, gives_two, waits_waits_gives);
	schedule_holds(&PLAN("frozen_waker_of_two", 4, WITHIN(1, 0, 0), .freezes = true));
}

TEST(park, a_frozen_waiter_keeps_the_wake_it_got_and_no_other)
{
	program(1, waits, waits_waits_gives);
	schedule_holds(&PLAN("frozen_waiter", 4, WITHIN(1, 0, 0), .freezes = true));
	program(1, waits_with_a_deadline, waits_waits_gives);
	schedule_holds(&PLAN("frozen_timed_waiter", 4, WITHIN(1, 0, 0), .freezes = true));
}

TEST(park, wake_all_wakes_those_whose_waker_is_frozen)
{
	program(1, gives_one, waits_closes_gives);
	schedule_holds(&PLAN("close_beside_a_frozen_waker", 4, WITHIN(2, 0, 0), .freezes = true));
	program(1, gives_two, waits_waits_closes);
	schedule_holds(
		&PLAN("close_beside_a_frozen_waker_of_two", 4, WITHIN(1, 0, 0), .freezes = true));
	program(1, closes, waits_waits_closes);
	schedule_holds(
		&PLAN("two_closes_of_which_one_is_frozen", 4, WITHIN(1, 0, 0), .freezes = true));
}
