/* SPDX-License-Identifier: MIT */
/* ck_engine.c - tests of sluice/ck_engine.h: the gate, exact capacity, counters that wrap. */
#include <sluice.h>

#include "threads.h"

SLUICE_DEFINE_CK_MPMC(gated, uint64_t)
SLUICE_DEFINE_CK_SPMC(alone, uint64_t)

TEST(ck_engine, items_that_ck_ring_cannot_address_are_refused)
{
	struct sluice_priv_ck_engine engine;

	/* 2^30 items of 8 bytes: ck_ring computes their offsets in 32 bits. */
	cr_assert_eq(sluice_priv_ck_init(&engine, SLUICE_CAPACITY_MAX, 8), ENOMEM);
	cr_assert_eq(sluice_priv_ck_init(&engine, 1, (size_t)1 << 31), ENOMEM);
}

TEST(ck_engine, drained_is_not_answered_while_a_put_is_inside_the_gate)
{
	struct alone q;
	uint64_t item;

	cr_assert_eq(alone_init(&q, 4, NULL), 0);
	q.priv.engine.ck.gate = 1; /* a put has passed its look at `closed`... */
	alone_close(&q);
	cr_assert_eq(alone_try_get(&q, &item), EAGAIN);
	item = 5;
	cr_assert(_ck_ring_enqueue_sp(&q.priv.engine.ck.ring, q.priv.engine.ck.buffer, &item,
				      sizeof(item), NULL)); /* ...and publishes */
	q.priv.engine.ck.gate = 0;
	cr_assert_eq(alone_try_get(&q, &item), 0);
	cr_assert_eq(item, 5);
	cr_assert_eq(alone_try_get(&q, &item), EPIPE);
	alone_destroy(&q);
}

static void *
put_one(void *opaque)
{
	return gated_put(opaque, 1) == 0 ? NULL : opaque;
}

/* A producer that sleeps for room, and gives up in the end. */
struct late {
	struct gated *q;
	struct timespec deadline;
	struct worker worker;
};

static void *
put_until_late(void *opaque)
{
	struct late *const late = opaque;

	cr_assert_eq(gated_put_until(late->q, 2, &late->deadline), ETIMEDOUT);
	return NULL;
}

static void
late_start(struct late *late, struct gated *q, uint64_t nanoseconds)
{
	late->q = q;
	late->deadline = sluice_deadline(nanoseconds);
	worker_start(&late->worker, put_until_late, late);
	wait_until_asleep(&late->worker);
}

/*
 * Waits until somebody is announced at the gate. Before its deadline that is the late one: it sleeps
 * first, so it is woken first. Behind it, who was woken is not known: false.
 */
static bool
late_reaches_the_gate(const struct late *late)
{
	const struct sluice_priv_event *const gate_free = &late->q->priv.engine.ck.gate_free;
	bool somebody;

	do {
		sched_yield();
		somebody = SLUICE_PRIV_WAITERS(ck_pr_load_64(&gate_free->word)) != 0;
		if (sluice_priv_deadline_passed(&late->deadline))
			return false;
	} while (!somebody);
	return true;
}

/* How long that takes depends on the machine: the tests make the deadline longer until it is enough. */
#define SOON UINT64_C(20000000)

static bool
is_woken_for_room_and_gives_up_at_the_gate(uint64_t nanoseconds)
{
	const struct sluice_options at_once = {0, 0, 0};
	struct late late;
	struct gated q;
	uint64_t item;
	bool reached;

	cr_assert_eq(gated_init(&q, 1, &at_once), 0);
	cr_assert_eq(gated_put(&q, 0), 0);
	q.priv.engine.ck.gate = 1; /* and its holder is suspended */
	late_start(&late, &q, nanoseconds);
	cr_assert_eq(gated_get(&q, &item), 0);
	reached = late_reaches_the_gate(&late);
	worker_join(&late.worker);
	cr_assert_eq(gated_size(&q), 0);
	cr_assert_eq(q.priv.not_full.word, 0);
	cr_assert_eq(q.priv.engine.ck.gate_free.word, 0);
	q.priv.engine.ck.gate = 0;
	gated_destroy(&q);
	return reached;
}

TEST(ck_engine, a_put_that_was_woken_for_room_may_give_up_at_the_gate)
{
	uint64_t nanoseconds = SOON;

	while (!is_woken_for_room_and_gives_up_at_the_gate(nanoseconds))
		nanoseconds *= 2;
}

TEST(ck_engine, producers_sleep_at_the_gate_and_are_let_in_one_by_one)
{
	struct worker workers[4];
	struct gated q;

	cr_assert_eq(gated_init(&q, 8, NULL), 0);
	q.priv.engine.ck.gate = 1;
	for (int i = 0; i < 4; i++)
		worker_start(&workers[i], put_one, &q);
	for (int i = 0; i < 4; i++)
		wait_until_asleep(&workers[i]);
	cr_assert_eq(gated_size(&q), 0);
	sluice_priv_ck_leave(&q.priv.engine.ck, false);
	for (int i = 0; i < 4; i++)
		worker_join(&workers[i]);
	cr_assert_eq(gated_size(&q), 4);
	gated_destroy(&q);
}

TEST(ck_engine, a_turn_that_does_not_come_before_the_deadline_is_a_time_out)
{
	struct gated q;
	struct timespec soon = sluice_deadline(1000000);

	cr_assert_eq(gated_init(&q, 8, NULL), 0);
	q.priv.engine.ck.gate = 1; /* and its holder is suspended */
	cr_assert_eq(gated_put_until(&q, 1, &soon), ETIMEDOUT);
	cr_assert_eq(q.priv.engine.ck.gate_free.word, 0);
	q.priv.engine.ck.gate = 0;
	cr_assert_eq(gated_put_until(&q, 1, &soon), 0); /* room beats an expired deadline */
	gated_destroy(&q);
}

/* ck_ring counts in 32 bits, Sluice in 64: started just below the wrap, as after 2^32 items. */
TEST(ck_engine, counts_stay_true_when_the_counters_of_ck_ring_wrap)
{
	struct alone q;
	uint64_t item;

	cr_assert_eq(alone_init(&q, 5, NULL), 0);
	q.priv.engine.ck.puts = UINT32_MAX - 7;
	q.priv.engine.ck.ring.p_tail = UINT32_MAX - 7;
	q.priv.engine.ck.ring.c_head = UINT32_MAX - 7;
	q.priv.done = UINT32_MAX - 7;
	for (uint64_t i = 0; i < 40; i++) {
		for (uint64_t k = 0; k < 5; k++)
			cr_assert_eq(alone_try_put(&q, i + k), 0);
		cr_assert_eq(alone_try_put(&q, 0), EAGAIN);
		cr_assert_eq(alone_size(&q), 5);
		for (uint64_t k = 0; k < 5; k++) {
			cr_assert_eq(alone_task_done(&q), EINVAL);
			cr_assert_eq(alone_try_get(&q, &item), 0);
			cr_assert_eq(item, i + k);
			cr_assert_eq(alone_task_done(&q), 0);
		}
		cr_assert_eq(alone_join(&q), 0);
	}
	alone_destroy(&q);
}

/* The wake that a producer took before it gave up at the gate must reach the other one. */
static bool
passes_its_wake_on(uint64_t nanoseconds)
{
	struct worker patient;
	struct late late;
	struct gated q;
	uint64_t item;
	bool reached;

	cr_assert_eq(gated_init(&q, 1, NULL), 0);
	cr_assert_eq(gated_put(&q, 0), 0);
	late_start(&late, &q, nanoseconds);
	worker_start(&patient, put_one, &q);
	wait_until_asleep(&patient);
	ck_pr_store_32(&q.priv.engine.ck.gate, 1);
	cr_assert_eq(gated_get(&q, &item), 0);
	reached = late_reaches_the_gate(&late);
	worker_join(&late.worker);
	sluice_priv_ck_leave(&q.priv.engine.ck, false);
	worker_join(&patient); /* hangs if the wake was carried away */
	cr_assert_eq(gated_size(&q), 1);
	gated_destroy(&q);
	return reached;
}

TEST(ck_engine, a_put_that_gives_up_at_the_gate_passes_its_wake_on)
{
	uint64_t nanoseconds = SOON;

	while (!passes_its_wake_on(nanoseconds))
		nanoseconds *= 2;
}

TEST(ck_engine, a_put_whose_deadline_has_passed_does_not_wait_for_ever_at_the_gate)
{
	const struct timespec past = {0, 0};
	struct gated q;

	cr_assert_eq(gated_init(&q, 4, NULL), 0);
	q.priv.engine.ck.gate = 1;
	cr_assert_eq(gated_put_until(&q, 1, &past), ETIMEDOUT);
	gated_destroy(&q);
}

TEST(ck_engine, close_reaches_the_producers_that_sleep_at_the_gate)
{
	struct worker workers[4];
	struct gated q;
	void *refused;

	cr_assert_eq(gated_init(&q, 8, NULL), 0);
	q.priv.engine.ck.gate = 1; /* its holder is suspended for good */
	for (int i = 0; i < 4; i++)
		worker_start(&workers[i], put_one, &q);
	for (int i = 0; i < 4; i++)
		wait_until_asleep(&workers[i]);
	gated_close(&q);
	for (int i = 0; i < 4; i++) {
		cr_assert_eq(pthread_join(workers[i].thread, &refused), 0);
		cr_assert_eq(refused, &q);
	}
	gated_destroy(&q);
}

/* Gets may pass the producers' counter between the two reads that decide about "full". */
TEST(ck_engine, a_consumer_counter_ahead_of_the_producers_that_was_read_is_not_full)
{
	struct sluice_priv_ck_engine engine;

	cr_assert_eq(sluice_priv_ck_init(&engine, 4, sizeof(uint64_t)), 0);
	engine.ring.p_tail = 10;
	for (unsigned int ahead = 0; ahead < 5; ahead++) {
		engine.ring.c_head = 10 + ahead;
		cr_assert_not(sluice_priv_ck_full(&engine));
	}
	engine.ring.c_head = 6;
	cr_assert(sluice_priv_ck_full(&engine));
	sluice_priv_ck_destroy(&engine);
}
