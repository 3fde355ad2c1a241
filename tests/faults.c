/* SPDX-License-Identifier: MIT */
/*
 * faults.c - what the world does to threads that wait: signals, foreign wakes, deadlines.
 *
 * For every flavour and every call that waits. The calls sleep for certain (wait_until_asleep), and
 * what is done to them is counted in what they noticed: handlers that ran, sleepers that the kernel
 * says it woke. So nothing here depends on how fast the machine is. Where two things race (a wake and
 * a deadline, say) both ends are lawful, and what is asserted holds for either: nothing is lost,
 * nothing comes twice, nobody sleeps for good. Sleeping for good shows as the time limit.
 *
 * What stands elsewhere: futex.c has the answers of one sleep; park.c each step of the protocol;
 * the specification, for all flavours, malformed deadlines where there is room and an item, expired
 * ones, and close with a few sleepers; schedule_park.c and schedule_queue.c time-outs and spurious
 * wakes in every order, for the shortest programs; ck_engine.c turns at the gate that do not come;
 * kernel.c stops, crowds and priorities.
 */
#include <signal.h>

#include "calls.h"

/* ------------------------------------------------------------- a thread asleep in each call -- */

/* One of each call, each with a queue of its own. */
struct sleepers {
	const struct flavour *flavour;
	size_t count;
	struct call calls[VERBS];
	struct worker workers[VERBS];
};

static void
start_every_call(struct sleepers *sleepers, const struct flavour *flavour, struct timespec deadline)
{
	sleepers->flavour = flavour;
	sleepers->count = 0;
	for (int verb = 0; verb < VERBS; verb++) {
		struct call *const call = &sleepers->calls[sleepers->count];

		if ((verb == PUT_AT_GATE || verb == PUT_UNTIL_AT_GATE) &&
		    (!flavour->ck || flavour->lone_producer))
			continue;
		*call = (struct call){.flavour = flavour,
				      .q = queue_to_wait_in(flavour, (enum verb)verb),
				      .verb = (enum verb)verb,
				      .deadline = deadline,
				      .number = SECOND,
				      .result = -1};
		worker_start(&sleepers->workers[sleepers->count], make_call, call);
		sleepers->count++;
	}
	for (size_t i = 0; i < sleepers->count; i++)
		wait_until_asleep(&sleepers->workers[i]);
}

/* Every call is still waiting. */
static void
expect_asleep(const struct sleepers *sleepers)
{
	for (size_t i = 0; i < sleepers->count; i++)
		cr_assert_not(has_returned(&sleepers->calls[i]), "call %d returned %d",
			      (int)sleepers->calls[i].verb, sleepers->calls[i].result);
}

/* Lets every call return, those that have timed out excepted, and looks at what it left. */
static void
end_every_call(struct sleepers *sleepers)
{
	const struct flavour *const flavour = sleepers->flavour;
	uint64_t number;

	for (size_t i = 0; i < sleepers->count; i++) {
		struct call *const call = &sleepers->calls[i];
		const bool late = has_returned(call) && call->result == ETIMEDOUT;
		const bool puts = call->verb <= PUT_UNTIL_AT_GATE;

		let_one_return(flavour, call->q, call->verb, puts ? FIRST : SECOND);
		worker_join(&sleepers->workers[i]);
		cr_assert_eq(call->result, late ? ETIMEDOUT : 0);
		if (puts ? !late : late && call->verb == GET_UNTIL)
			expect_get(flavour, call->q, SECOND);
		if (call->verb == GET || (call->verb == GET_UNTIL && !late))
			cr_assert_eq(call->number, SECOND);
		cr_assert_eq(flavour->try_get(call->q, &number), EAGAIN);
		queue_delete(flavour, call->q);
	}
}

/* ---------------------------------------------------------------------------------- signals -- */

static void
count_signal(int signal_number)
{
	(void)signal_number;
	if (handled_here != NULL)
		__atomic_add_fetch(handled_here, 1, __ATOMIC_SEQ_CST);
}

struct storm {
	struct sleepers *sleepers;
	uint32_t over;
};

/* Signals all sleepers, by turns, until it is over; those who have gone do not mind. */
static void *
signal_for_ever(void *opaque)
{
	struct storm *const storm = opaque;

	while (__atomic_load_n(&storm->over, __ATOMIC_SEQ_CST) == 0)
		for (size_t i = 0; i < storm->sleepers->count; i++)
			syscall(SYS_tgkill, getpid(), storm->sleepers->workers[i].tid, SIGUSR1);
	return NULL;
}

static void
storm_begin(struct storm *storm, struct worker *worker, struct sleepers *sleepers, int flags)
{
	const struct sigaction action = {.sa_handler = count_signal, .sa_flags = flags};

	cr_assert_eq(sigaction(SIGUSR1, &action, NULL), 0);
	*storm = (struct storm){.sleepers = sleepers};
	worker_start(worker, signal_for_ever, storm);
}

static void
storm_end(struct storm *storm, struct worker *worker)
{
	__atomic_store_n(&storm->over, 1, __ATOMIC_SEQ_CST);
	worker_join(worker);
}

static const int restart_or_not[] = {0, SA_RESTART};

static void
sleeps_through_signals(const struct flavour *flavour)
{
	const uint32_t enough = (uint32_t)rounds(200);
	struct sleepers sleepers;
	struct worker worker;
	struct storm storm;

	for (size_t f = 0; f < COUNT(restart_or_not); f++) {
		start_every_call(&sleepers, flavour, sluice_deadline(UINT64_MAX));
		storm_begin(&storm, &worker, &sleepers, restart_or_not[f]);
		for (size_t i = 0; i < sleepers.count; i++)
			while (__atomic_load_n(&sleepers.calls[i].handled, __ATOMIC_SEQ_CST) <
				       enough &&
			       !has_returned(&sleepers.calls[i]))
				sched_yield();
		expect_asleep(&sleepers);
		end_every_call(&sleepers); /* while the storm goes on */
		storm_end(&storm, &worker);
	}
}

TEST(signals, handlers_end_no_wait_and_lose_nothing)
{
	with_every_flavour(sleeps_through_signals);
}

static void
times_out_under_signals(const struct flavour *flavour)
{
	struct sleepers sleepers;
	struct worker worker;
	struct storm storm;

	for (size_t f = 0; f < COUNT(restart_or_not); f++) {
		start_every_call(&sleepers, flavour, sluice_deadline(5000000));
		storm_begin(&storm, &worker, &sleepers, restart_or_not[f]);
		for (size_t i = 0; i < sleepers.count; i++) {
			const struct call *const call = &sleepers.calls[i];

			while (is_timed(call->verb) && !has_returned(call))
				sched_yield();
			if (is_timed(call->verb)) {
				cr_assert_eq(call->result, ETIMEDOUT);
				cr_assert(call->end.tv_sec > call->deadline.tv_sec ||
					  (call->end.tv_sec == call->deadline.tv_sec &&
					   call->end.tv_nsec >= call->deadline.tv_nsec));
			} else {
				cr_assert_not(has_returned(call));
			}
		}
		end_every_call(&sleepers);
		storm_end(&storm, &worker);
	}
}

TEST(signals, a_deadline_passes_at_its_time_however_often_handlers_run)
{
	with_every_flavour(times_out_under_signals);
}

/* ---------------------------------------------------------------------------- foreign wakes -- */

/* Wakes whoever sleeps on the event, though nothing has happened. Returns how many that were. */
static uint64_t
wake_for_nothing(const struct sluice_priv_event *event)
{
	return (uint64_t)syscall(SYS_futex, &event->epoch, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, INT_MAX,
				 NULL, NULL, 0);
}

static void
sleeps_through_foreign_wakes(const struct flavour *flavour)
{
	const uint64_t enough = (uint64_t)rounds(200);
	uint64_t woken[VERBS] = {0};
	struct sleepers sleepers;

	start_every_call(&sleepers, flavour, sluice_deadline(UINT64_MAX));
	for (size_t i = 0; i < sleepers.count; i++) {
		const struct call *const call = &sleepers.calls[i];
		const struct sluice_priv_queue *const q = call->q;

		while (woken[i] < enough && !has_returned(call)) {
			woken[i] += wake_for_nothing(&q->not_empty) +
				    wake_for_nothing(&q->not_full) + wake_for_nothing(&q->all_done);
			if (flavour->ck)
				woken[i] += wake_for_nothing(&q->engine.ck.gate_free);
			sched_yield();
		}
	}
	expect_asleep(&sleepers);
	end_every_call(&sleepers);
}

TEST(wakes, a_thread_that_is_woken_for_nothing_sleeps_on)
{
	with_every_flavour(sleeps_through_foreign_wakes);
}

/* -------------------------------------------------------------------------------- deadlines -- */

static const struct timespec malformed[] = {
	{0, -1}, {0, 1000000000}, {INT64_MAX, INT64_MAX}, {INT64_MAX, -1}, {-1, INT64_MIN}};

/* The specification asks where there is room and an item; here is neither, or all is over. */
static void
refuses_malformed_deadlines(const struct flavour *flavour)
{
	for (int verb = 0; verb < 2 * VERBS; verb++) {
		const bool closed = verb >= VERBS;
		uint64_t number = 4711;
		size_t size;
		void *q;

		if (verb % VERBS == PUT_AT_GATE || verb % VERBS == PUT_UNTIL_AT_GATE)
			continue;
		q = queue_to_wait_in(flavour, (enum verb)(verb % VERBS));
		if (closed)
			flavour->close(q);
		size = flavour->size(q);
		for (size_t i = 0; i <= COUNT(malformed); i++) {
			const struct timespec *const bad =
				i < COUNT(malformed) ? &malformed[i] : NULL;

			cr_assert_eq(flavour->put_until(q, SECOND, bad), EINVAL);
			cr_assert_eq(flavour->join_until(q, bad), EINVAL);
			cr_assert_eq(flavour->get_until(q, &number, bad), EINVAL);
		}
		cr_assert_eq(number, 4711);
		cr_assert_eq(flavour->size(q), size);
		cr_assert_eq(((struct sluice_priv_queue *)q)->not_empty.word, 0);
		cr_assert_eq(((struct sluice_priv_queue *)q)->not_full.word, 0);
		cr_assert_eq(((struct sluice_priv_queue *)q)->all_done.word, 0);
		queue_delete(flavour, q);
	}
}

TEST(deadlines, malformed_ones_are_refused_whether_a_queue_is_full_or_empty_or_closed)
{
	with_every_flavour(refuses_malformed_deadlines);
}

static void
waits_for_far_deadlines(const struct flavour *flavour)
{
	const struct timespec far[] = {
		{INT64_MAX, 0}, {INT64_MAX, 999999999}, sluice_deadline(UINT64_MAX)};
	struct sleepers sleepers;

	for (size_t i = 0; i < COUNT(far); i++) {
		start_every_call(&sleepers, flavour, far[i]);
		expect_asleep(&sleepers);
		end_every_call(&sleepers);
	}
}

TEST(deadlines, until_the_end_of_time_is_a_wait_like_any_other)
{
	with_every_flavour(waits_for_far_deadlines);
}

/*
 * The race of a deadline with what the call waits for. The deed is done `lead` nanoseconds before the
 * deadline; a time-out makes the lead longer, a success shorter, so that it hovers about the point
 * where either may come first.
 */
static struct {
	uint64_t chance;
	int64_t lead;
	uint64_t in_time;
	uint64_t late;
} race;

static void
wait_until_just_before(const struct timespec *deadline)
{
	int64_t ahead;

	do {
		const struct timespec now = sluice_deadline(0);

		ahead = (deadline->tv_sec - now.tv_sec) * 1000000000 + deadline->tv_nsec -
			now.tv_nsec;
	} while (ahead > race.lead);
}

static void
count_outcome(int result)
{
	const int64_t step = (int64_t)(chance(&race.chance) % 8000);
	const int64_t limit = 200000;

	if (result == ETIMEDOUT) {
		race.late++;
		race.lead = race.lead < limit ? race.lead + step : 0;
	} else {
		race.in_time++;
		race.lead = race.lead > -limit ? race.lead - step : 0;
	}
}

/*
 * A timed call sleeps, and behind it, where the flavour allows, a patient one of the same kind. One
 * deed lets one of them return. If it is the timed one, the next deed is the other's; if it has timed
 * out, the deed must reach the other. (So a wake that a timed call carries away shows as a hang.)
 */
static void
race_with_a_deadline(const struct flavour *flavour, enum verb timed, bool by_closing)
{
	const enum verb patient = (enum verb)(timed - 1);
	const bool puts = timed == PUT_UNTIL;
	const bool alone =
		puts ? flavour->lone_producer : timed == GET_UNTIL && flavour->lone_consumer;
	struct worker workers[2];
	struct call calls[2];
	uint64_t next = puts ? FIRST : SECOND;
	uint64_t number;
	void *const q = queue_to_wait_in(flavour, timed);

	calls[0] = (struct call){.flavour = flavour,
				 .q = q,
				 .verb = timed,
				 .deadline = sluice_deadline(300000),
				 .number = SECOND,
				 .result = -1};
	calls[1] = (struct call){
		.flavour = flavour, .q = q, .verb = patient, .number = THIRD, .result = -1};
	worker_start(&workers[0], make_call, &calls[0]);
	wait_until_asleep(&workers[0]);
	if (!alone) {
		worker_start(&workers[1], make_call, &calls[1]);
		wait_until_asleep(&workers[1]);
	}
	wait_until_just_before(&calls[0].deadline);
	if (by_closing)
		flavour->close(q);
	else
		let_one_return(flavour, q, timed, next);
	worker_join(&workers[0]);
	cr_assert(calls[0].result == ETIMEDOUT || calls[0].result == (by_closing ? EPIPE : 0));
	count_outcome(calls[0].result);

	if (by_closing) {
		if (!alone)
			worker_join(&workers[1]);
		cr_assert(alone || calls[1].result == EPIPE);
		if (puts)
			expect_get(flavour, q, FIRST);
		cr_assert_eq(flavour->try_get(q, &number), EPIPE);
		queue_delete(flavour, q);
		return;
	}
	if (timed == JOIN_UNTIL) {
		worker_join(&workers[1]); /* one deed is enough for all */
	} else if (alone) {
		if (puts ? calls[0].result == 0 : calls[0].result == ETIMEDOUT)
			expect_get(flavour, q, SECOND);
	} else if (calls[0].result == 0) {
		let_one_return(flavour, q, patient, puts ? SECOND : THIRD);
		worker_join(&workers[1]);
		cr_assert(puts || (calls[0].number == SECOND && calls[1].number == THIRD));
	} else {
		worker_join(&workers[1]);
		cr_assert(puts || calls[1].number == SECOND);
	}
	cr_assert(alone || calls[1].result == 0);
	if (puts && !alone)
		expect_get(flavour, q, THIRD);
	cr_assert_eq(flavour->try_get(q, &number), EAGAIN);
	queue_delete(flavour, q);
}

static void
races_with_deadlines(const struct flavour *flavour)
{
	for (int round = rounds(25); round > 0; round--) {
		race_with_a_deadline(flavour, PUT_UNTIL, false);
		race_with_a_deadline(flavour, PUT_UNTIL, true);
		race_with_a_deadline(flavour, GET_UNTIL, false);
		race_with_a_deadline(flavour, GET_UNTIL, true);
		race_with_a_deadline(flavour, JOIN_UNTIL, false);
	}
}

TEST(deadlines, whoever_times_out_beside_a_wake_has_nothing_and_carries_nothing_away)
{
	race.chance = chance_seed();
	race.lead = 20000;
	with_every_flavour(races_with_deadlines);
	printf("%llu in time, %llu late\n", (unsigned long long)race.in_time,
	       (unsigned long long)race.late);
}
