/* SPDX-License-Identifier: MIT */
/*
 * park.c - tests of sluice/park.h: the packed word, step by step, and sleeping for real.
 *
 * The steps W1 to W6 and S1 to S3 are those of the header. Most tests run both sides in one thread and
 * look at the word between the steps, where every interleaving can be written down.
 */
#include <sluice/park.h>

#include "threads.h"

static const struct sluice_options at_once = {0, 0, 0};

static uint32_t
waiters(const struct sluice_priv_event *event)
{
	return SLUICE_PRIV_WAITERS(ck_pr_load_64(&event->word));
}

static uint32_t
signals(const struct sluice_priv_event *event)
{
	return SLUICE_PRIV_SIGNALS(ck_pr_load_64(&event->word));
}

TEST(park, waking_an_event_that_nobody_waits_for_changes_nothing)
{
	struct sluice_priv_event event;

	sluice_priv_event_init(&event);
	sluice_priv_event_wake(&event, 1);
	sluice_priv_event_wake_all(&event);
	cr_assert_eq(event.word, 0);
	cr_assert_eq(event.epoch, 0);
}

TEST(park, a_waiter_attempts_after_it_announced_itself_and_before_it_sleeps)
{
	struct sluice_priv_event event;
	struct sluice_priv_wait wait;

	sluice_priv_event_init(&event);
	wait = sluice_priv_wait_begin(&event, &at_once, NULL);
	cr_assert(sluice_priv_wait_step(&wait)); /* W1, W2, F1: now comes W3 */
	cr_assert_eq(waiters(&event), 1);
	sluice_priv_wait_end(&wait); /* W3 succeeded: W6 */
	cr_assert_eq(event.word, 0);
}

TEST(park, a_signal_between_announcement_and_sleep_prevents_the_sleep)
{
	struct sluice_priv_event event;
	struct sluice_priv_wait wait;

	sluice_priv_event_init(&event);
	wait = sluice_priv_wait_begin(&event, &at_once, NULL);
	cr_assert(sluice_priv_wait_step(&wait));
	sluice_priv_event_wake(&event, 1);
	cr_assert_eq(signals(&event), 1);
	cr_assert(sluice_priv_wait_step(&wait)); /* W4 must return: the epoch has moved */
	sluice_priv_wait_end(&wait);
	cr_assert_eq(event.word, 0);
}

TEST(park, signals_never_exceed_waiters)
{
	struct sluice_priv_event event;

	sluice_priv_event_init(&event);
	sluice_priv_event_announce(&event);
	sluice_priv_event_announce(&event);
	sluice_priv_event_announce(&event);
	sluice_priv_event_wake(&event, 2);
	cr_assert(waiters(&event) == 3 && signals(&event) == 2 && event.epoch == 1);
	sluice_priv_event_wake(&event, 5);
	cr_assert(waiters(&event) == 3 && signals(&event) == 3 && event.epoch == 2);
	sluice_priv_event_wake(&event, 1);
	cr_assert(signals(&event) == 3 && event.epoch == 2);
	sluice_priv_event_wake(&event, SIZE_MAX);
	cr_assert(signals(&event) == 3 && event.epoch == 2);
}

TEST(park, whoever_leaves_takes_one_signal_along)
{
	struct sluice_priv_event event;

	sluice_priv_event_init(&event);
	sluice_priv_event_announce(&event);
	sluice_priv_event_announce(&event);
	sluice_priv_event_wake(&event, 1);
	sluice_priv_event_leave(&event);
	cr_assert(waiters(&event) == 1 && signals(&event) == 0);
	sluice_priv_event_leave(&event);
	cr_assert_eq(event.word, 0);
}

TEST(park, wake_all_advances_the_epoch_even_when_everyone_has_a_signal)
{
	struct sluice_priv_event event;

	sluice_priv_event_init(&event);
	sluice_priv_event_announce(&event);
	sluice_priv_event_wake(&event, 1);
	sluice_priv_event_wake_all(&event); /* whoever carries that wake may be suspended */
	cr_assert(signals(&event) == 1 && event.epoch == 2);
}

TEST(park, a_timed_out_waiter_attempts_once_more_and_then_gives_up)
{
	struct sluice_priv_event event;
	struct sluice_priv_wait wait;
	struct timespec soon = sluice_priv_now();

	soon.tv_sec += 1000;
	sluice_priv_event_init(&event);
	wait = sluice_priv_wait_begin(&event, &at_once, &soon);
	cr_assert(sluice_priv_wait_step(&wait)); /* W1, W2, F1 */
	soon.tv_sec -= 1000;                     /* now it has passed */
	cr_assert(sluice_priv_wait_step(&wait)); /* W4 times out, W5 is owed */
	cr_assert_eq(waiters(&event), 1);
	cr_assert_not(sluice_priv_wait_step(&wait));
	sluice_priv_wait_end(&wait);
	cr_assert_eq(event.word, 0);
}

TEST(park, a_deadline_that_has_passed_before_allows_no_waiting)
{
	static const struct sluice_options long_look = {1000, 1000, 1000};
	const struct timespec past = {0, 0};
	struct sluice_priv_event event;
	struct sluice_priv_wait wait;

	sluice_priv_event_init(&event);
	wait = sluice_priv_wait_begin(&event, &long_look, &past);
	cr_assert_not(sluice_priv_wait_step(&wait));
	sluice_priv_wait_end(&wait);
	cr_assert_eq(event.word, 0);
}

TEST(park, the_deadline_is_looked_at_before_every_look)
{
	static const struct sluice_options options = {3, 1, 3};
	struct timespec deadline = sluice_priv_now();
	struct sluice_priv_event event;
	struct sluice_priv_wait wait;

	sluice_priv_event_init(&event);
	for (int looks = 0; looks < 3 + 3; looks++) {
		deadline.tv_sec += 1000;
		wait = sluice_priv_wait_begin(&event, &options, &deadline);
		for (int i = 0; i < looks; i++)
			cr_assert(sluice_priv_wait_step(&wait));
		deadline.tv_sec -= 1000; /* now it has passed */
		cr_assert_not(sluice_priv_wait_step(&wait));
		sluice_priv_wait_end(&wait);
		cr_assert_eq(event.word, 0);
	}
}

TEST(park, it_looks_as_often_as_the_options_say_and_then_announces_itself)
{
	static const struct sluice_options options = {3, 2, 4};
	struct sluice_priv_event event;
	struct sluice_priv_wait wait;

	sluice_priv_event_init(&event);
	wait = sluice_priv_wait_begin(&event, &options, NULL);
	for (int i = 0; i < 3 + 4; i++) {
		cr_assert(sluice_priv_wait_step(&wait));
		cr_assert_eq(event.word, 0);
	}
	cr_assert(sluice_priv_wait_step(&wait));
	cr_assert_eq(waiters(&event), 1);
	sluice_priv_wait_end(&wait);
}

TEST(park, bursts_are_short_unless_many_items_have_passed_since_the_last_wait)
{
	static const struct sluice_options options = {8, 100, 0};
	static const struct sluice_options fewer = {8, 3, 0};
	struct sluice_priv_event event;
	struct sluice_priv_wait wait;

	sluice_priv_event_init(&event);
	wait = sluice_priv_wait_begin(&event, &fewer, NULL);
	cr_assert_eq(wait.pauses, 3);
	wait = sluice_priv_wait_begin(&event, &options, NULL);
	cr_assert_eq(wait.pauses, SLUICE_PRIV_PAUSES_MIN);
	sluice_priv_wait_tune(&wait, 1000, 2, 0); /* the ring is small */
	cr_assert_eq(wait.pauses, SLUICE_PRIV_PAUSES_MIN);
	event.passed = UINT32_MAX;
	wait = sluice_priv_wait_begin(&event, &options, NULL);
	sluice_priv_wait_tune(&wait, 49, 2, 1000); /* the count goes round */
	cr_assert_eq(wait.pauses, 50);
	wait = sluice_priv_wait_begin(&event, &options, NULL);
	sluice_priv_wait_tune(&wait, 149, 2, 70);
	cr_assert_eq(wait.pauses, 70);
	wait = sluice_priv_wait_begin(&event, &options, NULL);
	sluice_priv_wait_tune(&wait, 349, 2, 1000);
	cr_assert_eq(wait.pauses, 100);
	wait = sluice_priv_wait_begin(&event, &options, NULL);
	sluice_priv_wait_tune(&wait, 350, 2, 1000);
	cr_assert_eq(wait.pauses, SLUICE_PRIV_PAUSES_MIN);
	wait = sluice_priv_wait_begin(&event, &options, NULL);
	sluice_priv_wait_tune(&wait, 330, 2, 1000); /* another was here, who counted more */
	cr_assert_eq(wait.pauses, SLUICE_PRIV_PAUSES_MIN);
	wait = sluice_priv_wait_begin(&event, &options, &(struct timespec){0});
	sluice_priv_wait_tune(&wait, 430, 2, 1000); /* there is a deadline */
	cr_assert_eq(wait.pauses, SLUICE_PRIV_PAUSES_TIMED);
	wait = sluice_priv_wait_begin(&event, &options, NULL);
	sluice_priv_wait_tune(&wait, 440, 7, 1000); /* ten that take longer */
	cr_assert_eq(wait.pauses, 35);
}

TEST(park, without_bursts_nothing_is_learnt)
{
	struct sluice_priv_event event;
	struct sluice_priv_wait wait;

	sluice_priv_event_init(&event);
	wait = sluice_priv_wait_begin(&event, &at_once, NULL);
	sluice_priv_wait_tune(&wait, 1000, 2, 1000);
	cr_assert_eq(wait.pauses, 0);
	cr_assert_eq(event.passed, 0);
}

TEST(park, each_burst_is_half_as_long_as_the_one_before)
{
	static const struct sluice_options options = {8, 100, 0};
	static const unsigned pauses[] = {50, 25, 12, 6, 6, 6, 6};
	struct sluice_priv_event event;
	struct sluice_priv_wait wait;

	sluice_priv_event_init(&event);
	wait = sluice_priv_wait_begin(&event, &options, NULL);
	sluice_priv_wait_tune(&wait, 50, 2, 1000);
	for (int i = 0; i < 7; i++) {
		cr_assert_eq(wait.pauses, pauses[i], "burst %d: %u", i, wait.pauses);
		cr_assert(sluice_priv_wait_step(&wait));
	}
}

TEST(park, without_an_event_it_never_sleeps)
{
	struct sluice_priv_wait wait = sluice_priv_wait_begin(NULL, &at_once, NULL);

	for (int i = 0; i < 100; i++)
		cr_assert(sluice_priv_wait_step(&wait));
	sluice_priv_wait_end(&wait);
}

/* One flag, many who wait for it: the smallest structure that an event can guard. */
struct flag {
	struct sluice_priv_event event;
	uint32_t tokens;
};

static int
take_token(struct flag *flag)
{
	uint32_t tokens;

	do {
		tokens = sluice_priv_load_32_acquire(&flag->tokens);
		if (tokens == 0)
			return EAGAIN;
	} while (!sluice_priv_cas_32_acq_rel(&flag->tokens, tokens, tokens - 1));
	return 0;
}

static void *
wait_for_token(void *opaque)
{
	struct flag *const flag = opaque;
	int result = take_token(flag);
	struct sluice_priv_wait wait = sluice_priv_wait_begin(&flag->event, &at_once, NULL);

	while (result == EAGAIN && sluice_priv_wait_step(&wait))
		result = take_token(flag);
	sluice_priv_wait_end(&wait);
	return NULL;
}

TEST(park, one_wake_of_n_releases_n_sleepers_and_no_wake_is_lost)
{
	enum {
		SLEEPERS = 12
	};
	struct worker workers[SLEEPERS];
	struct flag flag;

	flag.tokens = 0;
	sluice_priv_event_init(&flag.event);
	for (int i = 0; i < SLEEPERS; i++)
		worker_start(&workers[i], wait_for_token, &flag);
	for (int i = 0; i < SLEEPERS; i++)
		wait_until_asleep(&workers[i]);
	cr_assert_eq(waiters(&flag.event), SLEEPERS);
	for (uint32_t n = 1; n + 1 <= SLEEPERS / 2; n += 2) { /* 1 + 3 + 5 sleepers */
		ck_pr_add_32(&flag.tokens, n);
		sluice_priv_fence_full_after_atomic();
		sluice_priv_event_wake(&flag.event, n);
	}
	ck_pr_add_32(&flag.tokens, 3);
	sluice_priv_fence_full_after_atomic();
	sluice_priv_event_wake(&flag.event, 3);
	for (int i = 0; i < SLEEPERS; i++)
		worker_join(&workers[i]);
	cr_assert_eq(flag.tokens, 0);
	cr_assert_eq(flag.event.word, 0);
}
