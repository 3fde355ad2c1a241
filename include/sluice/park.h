/* SPDX-License-Identifier: MIT */
/*
 * park.h - the event count, and the one waiting loop.
 *
 * An event count lets a thread sleep until a condition on a lock-free structure may hold, at the
 * price of one load for those who change the structure while nobody sleeps. One event stands for one
 * condition ("not empty", "not full", "all done", "the gate is free").
 *
 * The side that waits:
 *
 *	result = attempt();
 *	wait = sluice_priv_wait_begin(&event, &options, deadline);
 *	while (result == EAGAIN && sluice_priv_wait_step(&wait))
 *		result = attempt();
 *	sluice_priv_wait_end(&wait);
 *
 * The side that makes the condition true:
 *
 *	publish();                          an atomic read-modify-write, or a store, and the fence F2
 *	sluice_priv_event_wake(&event, n);  n: how many attempts may now succeed
 *
 * The protocol. A waiter that has looked long enough
 *	W1  reads the epoch
 *	W2  announces itself: waiters += 1
 *	F1  full fence; a heavy one, where the wakers' is a light one
 *	W3  attempts
 *	W4  sleeps while the epoch is what W1 read
 *	W5  attempts, also after a time-out
 *	W6  takes its announcement back, and one signal with it if there is one
 * and begins again at W1 if it still has nothing. A waker
 *	F2  has passed a full fence since it published; or a light one, if F1 of this event is heavy
 *	S1  reads the word; while waiters > signals it adds min(n, waiters - signals) signals to it
 *	S2  advances the epoch
 *	S3  wakes that many sleepers
 *
 * Theorem. No waiter sleeps while its condition holds, and nobody is on the way to wake a waiter, or
 * has been woken and is on the way to attempt.
 *
 * Proof. Take a waiter that sleeps at W4, and the publication that made its condition true.
 * F1 and F2 are both full fences, or one is the heavy and one the light half of an asymmetric one
 * (futex.h), so either W3 saw the publication (then it would not have slept),
 * or S1 saw the announcement. (1) If S1 then found waiters > signals, it signals: the epoch that
 * this waiter read at W1, before it announced itself, is older than S2, so W4 either returns at once
 * or is among the sleepers of S3. S3 wakes one sleeper for each signal; whoever is woken attempts
 * (W5). (2) If S1 found waiters == signals, then every announced waiter, ours among them, has a
 * signal that was added after its announcement or stands for one of those announced with it; each of
 * these signals is followed by its own S2 and S3, on the way or past. Since signals never exceed
 * waiters and a waiter that leaves takes a signal with it, signals can be counted too low (one wake
 * too many) but never too high.
 * This is why the epoch is read before the announcement: the other way round a signal may fall
 * between the two, the waiter sleeps on the new epoch with that signal still counted, and every
 * later waker finds waiters == signals and stays silent for ever. And it is why whoever was woken
 * attempts (W5), late or not: to give up instead would carry away a wake that was meant for an item.
 * After a time-out the attempt also lets an item beat the deadline. An attempt that gives up before
 * it has looked at the condition must pass a wake on (queue.h does, at the gate of CK_MPMC and when busy).
 *
 * Residues, honestly. A waker suspended between publishing and S3 delays the waiter that it would
 * have woken (those, if it published several things at once), until it runs again. A waiter suspended
 * between being woken and its attempt (W5) likewise delays one other that waits for the same thing: it
 * has the wake. Everybody else goes on, and close wakes all. An epoch comes round after 2^32 wakes: a
 * waiter suspended between W1 and W4 during exactly that many would sleep on.
 *
 * Before it parks, a thread looks in bursts: it pauses without looking, then attempts once, a few
 * times over; then it yields the processor a few times, attempting after each. The pauses leave the
 * other side's cache lines alone and let it run a stretch of the ring; the yields let it run at all
 * when it has no core. See SLUICE_OPTIONS_DEFAULT for the numbers.
 *
 * How long the first burst is, is learnt: four times as long as those items take, at best, that have passed
 * since the last wait at the same event. Where items stream, who looks again at once finds a few, and soon
 * waits again, beside the other side in the same lines; who lets a part of the ring run finds it whole. Where
 * they come singly, the next one may come at once and is not to be kept waiting. Each burst is half as long as
 * the one before, down to a few pauses, since what has not come in that time has stopped streaming. Who waits
 * for no items (in join, at a gate) has short bursts only.
 */
#ifndef SLUICE_PARK_H
#define SLUICE_PARK_H

#include <sluice/futex.h>

/*
 * struct sluice_options - how long a thread looks before it sleeps.
 *
 * bursts: how often it pauses and attempts; pauses: how many pause instructions a burst has at most
 * (fewer where the ring is small, where little has passed since the last wait, where there is a deadline,
 * in join, and at the gate of a CK_ queue); yields: how often it then yields and attempts. Each may be 0
 * and at most SLUICE_OPTION_MAX. All 0: sleep at once. The whole of it should stay within tens of
 * microseconds, or idle threads cost something.
 */
struct sluice_options {
	unsigned int bursts;
	unsigned int pauses;
	unsigned int yields;
};

#define SLUICE_OPTION_MAX 1000000u

/*
 * The defaults; what NULL options mean. Chosen by scripts/sweep on 2 cores of an AMD EPYC (Zen 4), where a
 * pause takes 26 ns, a yield to nobody 0.4 us, and waking a thread on another core 25 us. Items a second
 * as multiples of the default's, medians of 7 repetitions (the error of one is some 5 %, at 1:1/64 10), and
 * how soon a thread sleeps for which nothing comes, after a stream, when bursts are longest:
 *
 *   bursts, pauses, yields   4:2/64   1:4/64   1:1/64   4:2/1   4:2/1024   4:2/65536   asleep after
 *        8    1024      32    1        1        1       1        1          1             77 us
 *        8    1024       4    1.01     0.86     0.88    1.01     1.00       1.07          59
 *        2    1024       4    0.98     0.68     0.47    0.92     0.99       0.99          47
 *        8      64      32    1.06     0.99     1.00    0.99     0.99       0.59          28
 *        8       8      32    1.02     1.03     1.05    0.96     0.68       0.52          25
 *        2       8       4    1.07     0.71     0.45    0.80     0.70       0.53           9
 *
 * Many pauses serve large rings, and no other has them. Bursts and yields keep who is late from sleeping:
 * who sleeps before the other side has woken up makes that one late, and so the two take turns at it.
 */
/* clang-format off */
#define SLUICE_OPTIONS_DEFAULT { 8, 1024, 32 }
/* clang-format on */

/*
 * word: | 63 .. 32 waiters announced | 31 .. 0 signals given to them |    signals <= waiters
 *
 *   waiters  signals
 *      0        0      nobody waits: a waker reads this word and is done
 *      w      s < w    w - s of the waiters may be asleep with no wake on the way
 *      w        w      every waiter has been signalled: wakers keep silent
 *
 * epoch: the futex word; advances with every wake.
 * heavy: F1 is a heavy fence, because those who wake here are a lone side, whose F2 is a light one.
 *        Constant; false unless the owner of the event sets it before its use.
 * passed: how many items had passed when the last wait began, modulo 2^32; of 2^31 and more since then
 *         nothing is learnt. A hint, apart from what wakers read.
 */
struct sluice_priv_event {
	uint64_t word;
	uint32_t epoch;
	bool heavy;
	char pad0[SLUICE_PRIV_LINE];
	uint32_t passed;
	char pad1[SLUICE_PRIV_LINE];
};

#define SLUICE_PRIV_WAITER     ((uint64_t)1 << 32)
#define SLUICE_PRIV_WAITERS(w) ((uint32_t)((w) >> 32))
#define SLUICE_PRIV_SIGNALS(w) ((uint32_t)(w))

SLUICE_PRIV_INLINE void
sluice_priv_event_init(struct sluice_priv_event *event)
{
	event->word = 0;
	event->epoch = 0;
	event->heavy = false;
	event->passed = 0;
}

/* Takes up to n signals off the unsignalled waiters; returns how many. S1. */
SLUICE_PRIV_INLINE uint32_t
sluice_priv_event_signal(struct sluice_priv_event *event, uint32_t n)
{
	for (;;) {
		const uint64_t word = sluice_priv_load_64_acquire(&event->word);
		const uint32_t unsignalled = SLUICE_PRIV_WAITERS(word) - SLUICE_PRIV_SIGNALS(word);
		const uint32_t taken = n < unsignalled ? n : unsignalled;

		if (taken == 0 || sluice_priv_cas_64_acq_rel(&event->word, word, word + taken))
			return taken;
	}
}

/* S2, S3. */
SLUICE_PRIV_INLINE void
sluice_priv_event_advance(struct sluice_priv_event *event, int sleepers)
{
	ck_pr_fence_release();
	ck_pr_inc_32(&event->epoch);
	sluice_priv_futex_wake(&event->epoch, sleepers);
}

SLUICE_PRIV_COLD void
sluice_priv_event_wake_some(struct sluice_priv_event *event, size_t n)
{
	const uint32_t taken =
		sluice_priv_event_signal(event, n < INT_MAX ? (uint32_t)n : (uint32_t)INT_MAX);

	if (taken != 0)
		sluice_priv_event_advance(event, (int)taken);
}

/*
 * Wakes up to n waiters. The caller has published, and has passed F2 since: an atomic
 * read-modify-write followed by sluice_priv_fence_full_after_atomic(), or, if the event is heavy,
 * sluice_priv_fence_light().
 */
SLUICE_PRIV_INLINE void
sluice_priv_event_wake(struct sluice_priv_event *event, size_t n)
{
	if (SLUICE_PRIV_UNLIKELY(ck_pr_load_64(&event->word) != 0))
		sluice_priv_event_wake_some(event, n);
}

/*
 * Wakes every waiter, those with a signal under way too: whoever carries it may be suspended.
 * F2 as above.
 */
SLUICE_PRIV_COLD void
sluice_priv_event_wake_all(struct sluice_priv_event *event)
{
	if (SLUICE_PRIV_WAITERS(sluice_priv_load_64_acquire(&event->word)) == 0)
		return;
	(void)sluice_priv_event_signal(event, UINT32_MAX);
	sluice_priv_event_advance(event, INT_MAX);
}

/* W2, F1. */
SLUICE_PRIV_INLINE void
sluice_priv_event_announce(struct sluice_priv_event *event)
{
	ck_pr_fence_acquire(); /* W1 stays before W2 */
	ck_pr_add_64(&event->word, SLUICE_PRIV_WAITER);
	sluice_priv_fence_full_after_atomic(); /* F1: pairs with F2 of every waker */
	if (event->heavy)
		sluice_priv_fence_heavy(); /* F1 again: with F2 of a lone side */
}

/* W6. */
SLUICE_PRIV_INLINE void
sluice_priv_event_leave(struct sluice_priv_event *event)
{
	uint64_t word;
	uint64_t left;

	do {
		word = sluice_priv_load_64_acquire(&event->word);
		left = word - SLUICE_PRIV_WAITER - (SLUICE_PRIV_SIGNALS(word) != 0);
	} while (!sluice_priv_cas_64_acq_rel(&event->word, word, left));
}

/* Where a waiting thread stands: what it did last. */
enum sluice_priv_wait_phase {
	SLUICE_PRIV_LOOKING,   /* pausing, then yielding */
	SLUICE_PRIV_ANNOUNCED, /* W2 done, W3 under way */
	SLUICE_PRIV_WOKEN,     /* W4 done, W5 under way */
	SLUICE_PRIV_TIMED_OUT  /* W4 ended by the deadline, W5 under way */
};

struct sluice_priv_wait {
	struct sluice_priv_event *event; /* NULL: never sleep, look and yield for ever */
	const struct timespec *deadline; /* valid, or NULL: for ever */
	const struct sluice_options *options;
	unsigned int bursts; /* done so far */
	unsigned int yields;
	unsigned int pauses; /* in the next burst */
	uint32_t epoch;      /* of W1 */
	enum sluice_priv_wait_phase phase;
};

/* Bursts are not shorter than this, if the options allow it: a line takes that long between two cores. */
#define SLUICE_PRIV_PAUSES_MIN 4u
/* Nor longer than this where there is a deadline, which is looked at before each. */
#define SLUICE_PRIV_PAUSES_TIMED 64u

/* A wait whose bursts are short. */
SLUICE_PRIV_INLINE struct sluice_priv_wait
sluice_priv_wait_begin(struct sluice_priv_event *event, const struct sluice_options *options,
		       const struct timespec *deadline)
{
	struct sluice_priv_wait wait;

	wait.event = event;
	wait.deadline = deadline;
	wait.options = options;
	wait.bursts = 0;
	wait.yields = 0;
	wait.pauses =
		options->pauses < SLUICE_PRIV_PAUSES_MIN ? options->pauses : SLUICE_PRIV_PAUSES_MIN;
	wait.epoch = 0;
	wait.phase = SLUICE_PRIV_LOOKING;
	return wait;
}

/*
 * Makes the first burst as long as suits a stream, if there is one, by the number of items that have passed
 * by now but had not when the last wait began; at most `most` pauses. pace: how long an item takes at best,
 * in eighths of a pause. Four times that is right for narrow items and wide ones, and where a line takes 30 ns
 * from one core to another or 165: with once, 64 bytes at 4:2/65536 moved 24 Mitems/s in place of 60.
 * Without bursts there is nothing to learn for.
 */
SLUICE_PRIV_INLINE void
sluice_priv_wait_tune(struct sluice_priv_wait *wait, uint32_t passed, size_t pace, size_t most)
{
	int32_t stretch;
	size_t pauses;

	if (wait->options->bursts == 0)
		return;
	stretch = (int32_t)(passed - ck_pr_load_32(&wait->event->passed));
	pauses = stretch > 0 ? (size_t)stretch * pace / 2 : 0; /* below: another has counted more */
	ck_pr_store_32(&wait->event->passed, passed);
	if (pauses > most)
		pauses = most;
	if (wait->deadline != NULL && pauses > SLUICE_PRIV_PAUSES_TIMED)
		pauses = SLUICE_PRIV_PAUSES_TIMED;
	if (pauses > wait->pauses)
		wait->pauses = pauses < wait->options->pauses ? (unsigned int)pauses
							      : wait->options->pauses;
}

/*
 * One step of waiting, taken after an attempt has failed. Returns true when it is time for the next
 * attempt, false when the deadline has passed and the last attempt has been made.
 */
SLUICE_PRIV_COLD bool
sluice_priv_wait_step(struct sluice_priv_wait *wait)
{
	switch (wait->phase) {
	case SLUICE_PRIV_LOOKING:
		/* Every time, since a yield may cost time slices. The attempt just made was the last. */
		if (wait->deadline != NULL && sluice_priv_deadline_passed(wait->deadline))
			return false;
		if (wait->bursts < wait->options->bursts) {
			unsigned int i;

			wait->bursts++;
			for (i = 0; i < wait->pauses; i++)
				ck_pr_stall();
			if (wait->pauses / 2 >= SLUICE_PRIV_PAUSES_MIN)
				wait->pauses /= 2;
			return true;
		}
		if (wait->yields < wait->options->yields || wait->event == NULL) {
			wait->yields++;
			sluice_priv_yield();
			return true;
		}
		break;
	case SLUICE_PRIV_ANNOUNCED:
		wait->phase = sluice_priv_futex_wait(&wait->event->epoch, wait->epoch,
						     wait->deadline) /* W4 */
				      ? SLUICE_PRIV_TIMED_OUT
				      : SLUICE_PRIV_WOKEN;
		return true;
	case SLUICE_PRIV_WOKEN:
		sluice_priv_event_leave(wait->event);
		wait->phase = SLUICE_PRIV_LOOKING;
		if (wait->deadline != NULL && sluice_priv_deadline_passed(wait->deadline))
			return false;
		break;
	case SLUICE_PRIV_TIMED_OUT:
		return false;
	}
	wait->epoch = ck_pr_load_32(&wait->event->epoch); /* W1 */
	sluice_priv_event_announce(wait->event);
	wait->phase = SLUICE_PRIV_ANNOUNCED;
	return true;
}

/* Ends the waiting, whatever came of it. */
SLUICE_PRIV_INLINE void
sluice_priv_wait_end(struct sluice_priv_wait *wait)
{
	if (wait->phase != SLUICE_PRIV_LOOKING)
		sluice_priv_event_leave(wait->event); /* W6 */
	wait->phase = SLUICE_PRIV_LOOKING;
}

#endif /* SLUICE_PARK_H */
