/* SPDX-License-Identifier: MIT */
/*
 * instruction.c - stopped, or killed, at any instruction, a call stops nobody whom it must not stop.
 *
 * One put (or get), the victim, runs by single steps (stepped.h). In front of each of its
 * instructions in turn it is left where it is, or killed. Then others put and get through several
 * laps, and everything is counted: in order, nothing twice, nothing lost but what a killed call had
 * taken. What must hold is the table of guarantees in sluice.h; the numbers it stands on are printed.
 *
 * Four questions, each for every flavour:
 *
 *   laps      Do the others go on? May the queue be closed, drained, joined, destroyed?
 *   closing   Do gets come to their end when the queue is closed around a put that stands?
 *   waking    Consumers (producers) sleep, and the put (get) that should wake them stands. Whom does
 *             that delay?
 *   waiting   The call itself must wait, and is left on its way to sleep, asleep, or on its way back.
 *
 * No clock judges. "Stuck" means: an operation run by single steps is not through after many times
 * the instructions that it needs undisturbed, or answers what cannot be. ck_ring's own mpmc put shows
 * that this would be seen. A violation that only a later lap shows runs into the time limit.
 */
#define _GNU_SOURCE /* clone() */
#include <sched.h>

#include <sluice.h>

#include "../bench/queues/ck_stock_mpmc.h"
#include "stepped.h"
#include "threads.h"

struct wide {
	uint64_t number;
	uint64_t padding[2];
};

/* 0, which nobody put, if the item is torn. A victim calls this too, and must not assert. */
static uint64_t
whole_number(const struct wide *item)
{
	return item->number == item->padding[0] && item->number == item->padding[1] ? item->number
										    : 0;
}

/* Of the tool; and so there is a test that is not skipped, wherever the others are. */
TEST(instruction, a_torn_item_would_be_noticed)
{
	cr_assert_eq(whole_number(&(struct wide){7, {7, 7}}), 7);
	cr_assert_eq(whole_number(&(struct wide){7, {7, 8}}), 0);
	cr_assert_eq(whole_number(&(struct wide){8, {7, 7}}), 0);
}

#if defined(__x86_64__)

enum {
	CAPACITY = 4,
	LAPS = 20,    /* so many that every slot of a wide item could be used again */
	QUEUED = 2,   /* items in the queue when the victim of the laps begins */
	VICTIM = 1,   /* the number that a victim puts */
	FIRST = 100,  /* the others' numbers */
	PATIENCE = 4, /* stuck: not through after so many times the victim's instructions */
	SPARE = SLUICE_PRIV_SPARE_SLOTS
};

static const struct sluice_options sleep_at_once = {0, 0, 0};
static const struct sluice_options look_briefly = {SLUICE_PRIV_LATE_LOOKS, 1, 0};
static const struct timespec long_ago;

/* A queue of one flavour, by numbers. Queues of wide items hold each number three times. */
struct subject {
	const char *name;
	const char *items;
	bool many_producers;
	bool many_consumers;
	uint32_t *gate; /* of the CK_ flavours */
	int (*open)(const struct sluice_options *options);
	void (*close)(void);
	void (*end)(void);
	int (*put)(uint64_t number);
	int (*try_put)(uint64_t number);
	int (*put_now)(uint64_t number); /* as try_put, but waits for the gate a limited time */
	int (*get)(uint64_t *number);
	int (*try_get)(uint64_t *number);
	int (*get_now)(uint64_t *number);
	size_t (*size)(void);
	size_t (*queued)(void); /* what a get would find, also while a put stands */
	size_t (*room)(void);   /* what a put would find, also while a get stands */
	int (*task_done)(void);
	int (*join)(void); /* 0, or ETIMEDOUT at once */
};

/* A lone consumer has its item before the cell is free. */
static size_t
free_cells(const struct sluice_priv_geometry *g)
{
	size_t count = 0;

	for (uint64_t offset = 0; offset < g->bytes; offset += SLUICE_PRIV_CELL_BYTES) {
		const uint64_t state = *sluice_priv_cells_at(g, offset);

		count += (state & SLUICE_PRIV_CELL_FULL) == 0;
	}
	return count;
}

/* clang-format off */
#define SUBJECT(NAME, LABEL, ITEMS, T, TO_ITEM, TO_NUMBER, PRODUCERS, CONSUMERS, CK)               \
	static struct NAME NAME##_queue;                                                           \
	static int NAME##_s_open(const struct sluice_options *o)                                   \
	{ return NAME##_init(&NAME##_queue, CAPACITY, o); }                                        \
	static void NAME##_s_close(void) { NAME##_close(&NAME##_queue); }                          \
	static void NAME##_s_end(void) { NAME##_destroy(&NAME##_queue); }                          \
	static int NAME##_s_put(uint64_t n) { return NAME##_put(&NAME##_queue, TO_ITEM); }         \
	static int NAME##_s_try_put(uint64_t n) { return NAME##_try_put(&NAME##_queue, TO_ITEM); } \
	static int NAME##_s_put_now(uint64_t n)                                                    \
	{ return NAME##_put_until(&NAME##_queue, TO_ITEM, &long_ago); }                            \
	static int NAME##_s_took(int result, const T *t, uint64_t *n)                              \
	{ if (result == 0) { *n = TO_NUMBER; } return result; }                                    \
	static int NAME##_s_get(uint64_t *n)                                                       \
	{ T t; return NAME##_s_took(NAME##_get(&NAME##_queue, &t), &t, n); }                       \
	static int NAME##_s_try_get(uint64_t *n)                                                   \
	{ T t; return NAME##_s_took(NAME##_try_get(&NAME##_queue, &t), &t, n); }                   \
	static int NAME##_s_get_now(uint64_t *n)                                                   \
	{ T t; return NAME##_s_took(NAME##_get_until(&NAME##_queue, &t, &long_ago), &t, n); }      \
	static size_t NAME##_s_size(void) { return NAME##_size(&NAME##_queue); }                   \
	static size_t NAME##_s_queued(void)                                                        \
	{ return CK ? ck_ring_size(&NAME##_queue.priv.engine.ck.ring) : NAME##_s_size(); }         \
	static size_t NAME##_s_room(void)                                                          \
	{ return CK ? CAPACITY - NAME##_s_queued()                                                 \
		    : free_cells(&NAME##_queue.priv.engine.cell.items.geometry); }                 \
	static int NAME##_s_task_done(void) { return NAME##_task_done(&NAME##_queue); }            \
	static int NAME##_s_join(void) { return NAME##_join_until(&NAME##_queue, &long_ago); }     \
	static const struct subject NAME##_subject = {                                             \
		LABEL, ITEMS, PRODUCERS, CONSUMERS,                                                \
		CK ? &NAME##_queue.priv.engine.ck.gate : NULL,                                     \
		NAME##_s_open, NAME##_s_close, NAME##_s_end,                                       \
		NAME##_s_put, NAME##_s_try_put, NAME##_s_put_now,                                  \
		NAME##_s_get, NAME##_s_try_get, NAME##_s_get_now,                                  \
		NAME##_s_size, NAME##_s_queued, NAME##_s_room, NAME##_s_task_done, NAME##_s_join};
#define SUBJECTS(NAME, LABEL, DEFINE, PRODUCERS, CONSUMERS, CK)                                    \
	DEFINE(NAME, uint64_t)                                                                     \
	SUBJECT(NAME, LABEL, "narrow", uint64_t, n, *t, PRODUCERS, CONSUMERS, CK)                   \
	DEFINE(NAME##_wide, struct wide)                                                           \
	SUBJECT(NAME##_wide, LABEL, "wide", struct wide, ((struct wide){n, {n, n}}),               \
		whole_number(t), PRODUCERS, CONSUMERS, CK)
/* clang-format on */

SUBJECTS(mpmc, "MPMC", SLUICE_DEFINE, true, true, false)
SUBJECTS(spmc, "SPMC", SLUICE_DEFINE_SPMC, false, true, false)
SUBJECTS(mpsc, "MPSC", SLUICE_DEFINE_MPSC, true, false, false)
SUBJECTS(spsc, "SPSC", SLUICE_DEFINE_SPSC, false, false, false)
SUBJECTS(ck_mpmc, "CK_MPMC", SLUICE_DEFINE_CK_MPMC, true, true, true)
SUBJECTS(ck_spmc, "CK_SPMC", SLUICE_DEFINE_CK_SPMC, false, true, true)
SUBJECTS(ck_spsc, "CK_SPSC", SLUICE_DEFINE_CK_SPSC, false, false, true)

static bool
gate_held(const struct subject *subject)
{
	return subject->gate != NULL && __atomic_load_n(subject->gate, __ATOMIC_SEQ_CST) != 0;
}

/* A call that can be stepped through. */
struct call {
	int (*put)(uint64_t number); /* one of the two */
	int (*get)(uint64_t *number);
	uint64_t number;
	struct stepped stepped;
};

static int
call_body(void *opaque)
{
	struct call *const call = opaque;

	return call->put != NULL ? call->put(call->number) : call->get(&call->number);
}

static void
call_start(struct call *call)
{
	if (!stepped_start(&call->stepped, call_body, call))
		cr_skip_test("ptrace is not permitted here: nothing can be run by single steps");
}

static struct call
victim_of(const struct subject *subject, bool gets)
{
	return (struct call){.put = gets ? NULL : subject->put,
			     .get = gets ? subject->get : NULL,
			     .number = VICTIM};
}

/* A step to a process on another processor costs ten times as much. */
static void
stay_on_one_processor(void)
{
	const int here = sched_getcpu();
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(here >= 0 ? (size_t)here : 0, &set);
	(void)sched_setaffinity(0, sizeof(set), &set);
}

/*
 * Laps.
 */

/* What the others did, and what they found. */
struct account {
	uint64_t next_put;
	uint64_t next_got;    /* the least of the others' numbers that may still come */
	uint64_t got;         /* how many of those came */
	uint64_t from_victim; /* how often the victim's item came */
};

static void
account_got(struct account *account, const struct subject *subject, uint64_t number)
{
	if (number == VICTIM) {
		account->from_victim++;
		cr_assert_geq(account->next_got, FIRST + QUEUED, "it passed what was put before");
	} else {
		cr_assert_geq(number, account->next_got, "an item out of order, or twice");
		cr_assert_lt(number, account->next_put);
		account->next_got = number + 1;
		account->got++;
	}
	cr_assert_eq(subject->task_done(), 0);
}

static void
put_one(struct account *account, const struct subject *subject)
{
	cr_assert_eq(subject->try_put(account->next_put), 0);
	account->next_put++;
}

static void
put_until_full(struct account *account, const struct subject *subject)
{
	while (subject->try_put(account->next_put) == 0)
		account->next_put++;
}

static void
get_one(struct account *account, const struct subject *subject)
{
	uint64_t number;

	cr_assert_eq(subject->try_get(&number), 0);
	account_got(account, subject, number);
}

/* Returns what ended it. */
static int
get_until_empty(struct account *account, const struct subject *subject)
{
	uint64_t number;
	int result;

	while ((result = subject->try_get(&number)) == 0)
		account_got(account, subject, number);
	return result;
}

/* At how many instructions of a victim what happened. */
struct stuck {
	int put; /* another put was stuck */
	int get; /* another get was stuck */
	int end; /* a closed and drained queue did not say so */
};

struct row {
	int instructions;
	int effect; /* standing in front of this one or a later one, it has put (taken) its item */
	int gate;   /* the gate of a CK_ flavour was held */
	struct stuck stopped;
	struct stuck killed;
	int join; /* a join would wait for ever, though every item got is done */
};

/*
 * Is this call stuck, or does it fail? Undisturbed it would take so many instructions. It is given a
 * while to come to its end by itself, since that is faster, before its instructions are counted.
 */
static bool
is_stuck(struct call *call, int undisturbed)
{
	call_start(call);
	if (stepped_run_freely(&call->stepped) == STEPPED_INSIDE &&
	    stepped_run(&call->stepped, PATIENCE * undisturbed) == STEPPED_INSIDE)
		return true;
	return call->stepped.result != 0;
}

/* Ends what has been stuck, behind a victim that has gone on or was killed; whether it was done at last. */
static bool
end_stuck(struct call *call, bool killed)
{
	if (killed && !stepped_ended(&call->stepped)) {
		stepped_kill(&call->stepped);
		return false;
	}
	stepped_finish(&call->stepped);
	return call->stepped.result == 0;
}

/* One victim and the others. */
struct run {
	const struct subject *subject;
	bool gets; /* the victim */
	bool killed;
	bool held; /* the gate, by the victim */
	bool put_stuck;
	bool get_stuck;
	bool effect; /* the victim had put (taken) its item where it stood */
	struct account account;
	struct call victim;
	struct call putter;
	struct call getter;
};

/* One put and one get; if they come through, laps, to the end of what the queue holds (has room for). */
static void
others_go_on(struct run *run, int instructions)
{
	const struct subject *const subject = run->subject;
	struct account *const account = &run->account;
	const bool may_put = run->gets || subject->many_producers;
	const bool may_get = !run->gets || subject->many_consumers;

	if (may_put) {
		run->putter = (struct call){.put = subject->put_now, .number = account->next_put};
		run->put_stuck = is_stuck(&run->putter, instructions);
		if (!run->put_stuck) {
			stepped_finish(&run->putter.stepped);
			account->next_put++;
		}
	}
	if (may_get) {
		run->getter = (struct call){.get = subject->get_now};
		run->get_stuck = is_stuck(&run->getter, instructions);
		if (run->get_stuck)
			return;
		stepped_finish(&run->getter.stepped);
		account_got(account, subject, run->getter.number);
	}
	for (int i = 0; may_put && may_get && !run->put_stuck && i < LAPS * CAPACITY; i++) {
		put_one(account, subject);
		get_one(account, subject);
	}
	if (may_get)
		(void)get_until_empty(account, subject);
	else
		put_until_full(account, subject);
	if (!run->gets)
		run->effect = account->from_victim != 0;
	else if (may_get)
		run->effect = account->got != account->next_put - FIRST;
	else
		run->effect = account->next_put - FIRST != subject->size();
	if (run->gets && may_get && !run->killed) /* for the victim, if it has nothing yet */
		put_one(account, subject);
}

/* The victim went on to its end. */
static void
check_resumed(struct run *run)
{
	const struct subject *const subject = run->subject;
	struct account *const account = &run->account;

	cr_assert_eq(run->victim.stepped.result, 0);
	if (run->gets) {
		cr_assert_geq(run->victim.number, FIRST);
		cr_assert_eq(subject->task_done(), 0);
	}
	cr_assert_eq(get_until_empty(account, subject), EPIPE);
	cr_assert_eq(account->from_victim, run->gets ? 0 : 1);
	cr_assert_eq(account->got + run->gets, account->next_put - FIRST);
	cr_assert_eq(subject->size(), 0);
	cr_assert_eq(subject->join(), 0);
}

/* The victim was killed. What it may have cost, and nothing else: */
static void
check_killed(struct run *run, struct row *row)
{
	const struct subject *const subject = run->subject;
	struct account *const account = &run->account;
	const bool took = run->gets && run->effect;
	/* If a lone consumer was killed, this thread takes its place. */
	const int end = get_until_empty(account, subject);
	const bool counted = subject->size() != 0; /* as put, and never to come */
	const int join = subject->join();

	cr_assert_eq(end, run->held ? EAGAIN : EPIPE);
	cr_assert_eq(account->from_victim, !run->gets && run->effect);
	cr_assert_eq(account->got + took, account->next_put - FIRST);
	cr_assert_eq(join != 0, took || counted);
	cr_assert(!counted || run->held);
	row->killed.end += end == EAGAIN;
	row->join += join != 0;
}

/*
 * A victim stopped, or killed, in front of its instruction k while others go on. Returns false when it
 * has no so many. *effect: had it put (taken) its item?
 */
static bool
run_laps(const struct subject *subject, bool gets, bool killed, struct stepped_path *path, int k,
	 struct row *row, bool *effect)
{
	struct stuck *const stuck = killed ? &row->killed : &row->stopped;
	struct run run = {.subject = subject, .gets = gets, .killed = killed};
	bool inside;

	run.account = (struct account){FIRST, FIRST, 0, 0};
	cr_assert_eq(subject->open(&look_briefly), 0);
	for (int i = 0; i < QUEUED; i++)
		put_one(&run.account, subject);
	run.victim = victim_of(subject, gets);
	call_start(&run.victim);
	inside = stepped_to(&run.victim.stepped, path, k) == STEPPED_INSIDE;
	if (inside) {
		run.held = gate_held(subject);
		if (killed)
			stepped_kill(&run.victim.stepped);
		others_go_on(&run, row->instructions);
		*effect = run.effect;
		stuck->put += run.put_stuck;
		stuck->get += run.get_stuck;
		row->gate += run.held && !killed;
	}
	if (!inside || !killed)
		stepped_finish(&run.victim.stepped);
	if (run.put_stuck)
		cr_assert_not(end_stuck(&run.putter, killed), "the accounts do not know of it");
	if (run.get_stuck) { /* the table will tell; accounts are at an end */
		(void)end_stuck(&run.getter, killed);
	} else {
		subject->close();
		cr_assert_eq(subject->try_put(VICTIM), EPIPE);
		if (inside && killed)
			check_killed(&run, row);
		else
			check_resumed(&run);
	}
	subject->end();
	return inside;
}

/* Undisturbed: how many instructions there are. */
static int
count_instructions(const struct subject *subject, bool gets, struct stepped_path *path)
{
	struct call victim = victim_of(subject, gets);
	int count;

	cr_assert_eq(subject->open(NULL), 0);
	for (int i = 0; i < QUEUED; i++)
		cr_assert_eq(subject->try_put(FIRST), 0);
	call_start(&victim);
	cr_assert_eq(stepped_to(&victim.stepped, path, STEPPED_LONGEST), STEPPED_ENDED);
	count = victim.stepped.steps;
	stepped_finish(&victim.stepped);
	subject->end();
	cr_assert_gt(count, 10, "the call was not stepped through");
	return count;
}

static struct row
measure(const struct subject *subject, bool gets)
{
	struct stepped_path path = {.known = 0};
	struct row row = {.instructions = count_instructions(subject, gets, &path)};
	bool effect = false;
	int k = 0;

	for (;; k++) {
		const bool before = effect;
		bool after_kill = false;

		if (!run_laps(subject, gets, false, &path, k, &row, &effect))
			break;
		cr_assert(run_laps(subject, gets, true, &path, k, &row, &after_kill));
		cr_assert_eq(effect, after_kill);
		cr_assert(effect || !before, "an item that was put (taken) is not any more");
		if (effect && !before)
			row.effect = k;
	}
	cr_assert(effect);
	cr_assert_eq(k, row.instructions);
	return row;
}

static void
laps(const struct subject *subject)
{
	for (int gets = 0; gets <= 1; gets++) {
		const struct row row = measure(subject, gets != 0);
		const int gate = subject->many_producers ? row.gate : 0;

		printf("laps     %-7s %s %-6s  %3d instructions, %3d before its effect; stopped: "
		       "put %2d, get %d; killed: put %2d, get %d, end %2d, join %3d\n",
		       subject->name, gets ? "get" : "put", subject->items, row.instructions,
		       row.effect, row.stopped.put, row.stopped.get, row.killed.put, row.killed.get,
		       row.killed.end, row.join);
		cr_expect_eq(row.stopped.get, 0);
		cr_expect_eq(row.killed.get, 0);
		/* The gate: other puts while it is held, and no others. Of a lone producer there is none. */
		cr_expect_eq(row.stopped.put, gate);
		cr_expect_eq(row.killed.put, gate);
		cr_expect_eq(row.killed.end, row.gate);
		cr_expect_eq(row.gate != 0, subject->gate != NULL && gets == 0);
		/* What a killed get has taken is never done; what a killed put counts never comes. */
		if (gets)
			cr_expect_eq(row.join, row.instructions - row.effect);
		else
			cr_expect(subject->gate != NULL ? row.join < row.gate : row.join == 0);
	}
}

/* What wakes and waits does so whatever the items are: wide ones only with SLUICE_TEST_LONG. */
static bool
left_to_the_long_form(const struct subject *subject)
{
	return strcmp(subject->items, "wide") == 0 && getenv("SLUICE_TEST_LONG") == NULL;
}

/*
 * Sleepers: threads that put (get) until the queue is closed.
 */

struct sleeper {
	struct worker worker;
	const struct subject *subject;
	bool gets;
	uint64_t moved;
	int result;
};

static void *
sleeper_main(void *opaque)
{
	struct sleeper *const sleeper = opaque;
	uint64_t number = FIRST;

	while ((sleeper->result = sleeper->gets ? sleeper->subject->get(&number)
						: sleeper->subject->put(number)) == 0)
		__atomic_fetch_add(&sleeper->moved, 1, __ATOMIC_SEQ_CST);
	return NULL;
}

static void
sleeper_start(struct sleeper *sleeper, const struct subject *subject, bool gets)
{
	memset(sleeper, 0, sizeof(*sleeper));
	sleeper->subject = subject;
	sleeper->gets = gets;
	worker_start(&sleeper->worker, sleeper_main, sleeper);
}

static uint64_t
moved(const struct sleeper *sleepers, int n)
{
	uint64_t sum = 0;

	for (int i = 0; i < n; i++)
		sum += __atomic_load_n(&sleepers[i].moved, __ATOMIC_SEQ_CST);
	return sum;
}

/* Until all are asleep, or gone. One may wake another before it sleeps itself: hence several rounds. */
static void
settle(const struct sleeper *sleepers, int n)
{
	for (int round = 0; round < 2 * n; round++) {
		const uint64_t before = moved(sleepers, n);

		for (int i = 0; i < n; i++)
			wait_until_asleep(&sleepers[i].worker);
		if (moved(sleepers, n) != before)
			round = -1;
	}
}

static bool
has_gone(const struct sleeper *sleeper)
{
	return worker_state(&sleeper->worker) == 'X';
}

/*
 * Closing.
 */

/*
 * A put stopped in front of its instruction k, a get that waits, close, and the put goes on. Returns
 * false when it has no so many. *stuck: the get cannot end before the put has.
 */
static bool
close_around(const struct subject *subject, struct stepped_path *path, int k, bool *stuck)
{
	struct call victim = victim_of(subject, false);
	struct sleeper getter;
	bool inside;

	cr_assert_eq(subject->open(&sleep_at_once), 0);
	call_start(&victim);
	inside = stepped_to(&victim.stepped, path, k) == STEPPED_INSIDE;
	*stuck = gate_held(subject);
	sleeper_start(&getter, subject, true);
	settle(&getter, 1);
	subject->close();
	settle(&getter, 1);
	cr_assert_eq(!has_gone(&getter), *stuck);
	stepped_finish(&victim.stepped);
	worker_join(&getter.worker);
	cr_assert_eq(getter.result, EPIPE);
	cr_assert(victim.stepped.result == 0 || victim.stepped.result == EPIPE);
	cr_assert_eq(getter.moved, victim.stepped.result == 0);
	subject->end();
	return inside;
}

static void
closing(const struct subject *subject)
{
	struct stepped_path path = {.known = 0};
	int sum = 0;
	bool stuck;
	int k;

	for (k = 0; close_around(subject, &path, k, &stuck); k++)
		sum += stuck;
	cr_assert_gt(k, 10);
	printf("closing  %-7s put %-6s  %3d instructions; stopped: end %2d\n", subject->name,
	       subject->items, k, sum);
	cr_expect_eq(sum != 0, subject->gate != NULL);
}

/*
 * Waking.
 */

struct delays {
	int alone;  /* the victim's item (room) is there, and all sleep */
	int behind; /* after one more put (get), too */
};

/* How many of the sleepers' calls could succeed. */
static size_t
possible(const struct subject *subject, bool sleepers_get)
{
	return sleepers_get ? subject->queued() : subject->room();
}

static int
try_one(const struct subject *subject, bool gets)
{
	uint64_t number = FIRST;

	return gets ? subject->try_get(&number) : subject->try_put(number);
}

/* A victim stopped, or killed, in front of its instruction k while those whom it should wake sleep. */
static bool
wake_late(const struct subject *subject, bool gets, bool killed, struct stepped_path *path, int k,
	  struct delays *delays)
{
	const bool many_rivals = gets ? subject->many_consumers : subject->many_producers;
	const bool many_sleepers = gets ? subject->many_producers : subject->many_consumers;
	const int n = many_sleepers ? 2 : 1;
	struct call victim = victim_of(subject, gets);
	struct sleeper sleepers[2];
	uint64_t by_hand = 0; /* put (got) by this thread */
	uint64_t passed = 0;  /* got (put), likewise */
	uint64_t total;
	bool inside;
	bool held;

	cr_assert_eq(subject->open(&sleep_at_once), 0);
	for (int i = 0; gets && i < CAPACITY; i++)
		cr_assert_eq(subject->try_put(FIRST), 0);
	for (int i = 0; i < n; i++)
		sleeper_start(&sleepers[i], subject, !gets);
	settle(sleepers, n);
	call_start(&victim);
	inside = stepped_to(&victim.stepped, path, k) == STEPPED_INSIDE;
	held = inside && gate_held(subject);
	if (inside && killed)
		stepped_kill(&victim.stepped);
	settle(sleepers, n);
	if (inside && possible(subject, !gets) != 0) {
		cr_assert_eq(moved(sleepers, n), 0);
		delays->alone++;
	}
	if (inside && many_rivals && !held) {
		/* One more. The victim may owe one sleeper its wake; a second one comes for both. */
		cr_assert_eq(try_one(subject, gets), 0);
		by_hand++;
		settle(sleepers, n);
		delays->behind += possible(subject, !gets) != 0;
	} else if (many_sleepers && possible(subject, !gets) != 0) {
		/* Whoever is awake passes by. */
		cr_assert_eq(try_one(subject, !gets), 0);
		passed++;
	}
	if (!inside || !killed) {
		stepped_finish(&victim.stepped);
		settle(sleepers, n);
		cr_assert_eq(possible(subject, !gets), 0, "somebody sleeps on");
	}
	subject->close();
	if (held && killed) {
		/* They sleep for ever, as the table says. This thread opens the gate to end the test. */
		__atomic_store_n(subject->gate, 0, __ATOMIC_SEQ_CST);
		subject->close();
	}
	for (int i = 0; i < n; i++) {
		worker_join(&sleepers[i].worker);
		cr_assert_eq(sleepers[i].result, EPIPE);
	}
	/* What came out (for a get: went in) is what went in (came out): by hand, and the victim's. */
	total = moved(sleepers, n) + passed;
	if (gets)
		total += CAPACITY - subject->queued();
	cr_assert(total == by_hand + 1 || (inside && killed && total == by_hand));
	subject->end();
	return inside;
}

static void
waking(const struct subject *subject)
{
	if (left_to_the_long_form(subject))
		return;
	for (int gets = 0; gets <= 1; gets++) {
		const bool many = gets ? subject->many_producers : subject->many_consumers;
		struct delays stopped = {0, 0};
		struct delays killed = {0, 0};
		struct stepped_path path = {.known = 0};
		int k;

		for (k = 0; wake_late(subject, gets != 0, false, &path, k, &stopped); k++)
			cr_assert(wake_late(subject, gets != 0, true, &path, k, &killed));
		printf("waking   %-7s %s %-6s  %3d instructions; stopped: late %2d, behind another "
		       "%2d; "
		       "killed: late %2d, behind another %2d\n",
		       subject->name, gets ? "get" : "put", subject->items, k, stopped.alone,
		       stopped.behind, killed.alone, killed.behind);
		/* The residue of park.h: between the swap and the wake-up, and for one sleeper. */
		cr_expect_gt(stopped.alone, 0);
		cr_expect_eq(stopped.alone, killed.alone);
		cr_expect_eq(stopped.behind, killed.behind);
		if (many)
			cr_expect_eq(stopped.behind, 0);
		cr_expect_leq(stopped.behind, stopped.alone);
	}
}

/*
 * Waiting.
 */

/*
 * A victim that must wait is stopped, or killed, in front of its instruction k, or killed asleep in
 * it. Behind it another sleeps. Then what both wait for comes once, and once more. Returns false when
 * it has no so many. *late: the other still slept after the first.
 */
static bool
wait_behind(const struct subject *subject, bool gets, bool killed, struct stepped_path *path, int k,
	    bool *late)
{
	struct call victim = victim_of(subject, gets);
	struct stepped *const stepped = &victim.stepped;
	struct sleeper other;
	uint64_t came = 0;
	uint64_t used;
	bool asleep;
	bool alive = true;
	bool inside = true;

	cr_assert_eq(subject->open(&sleep_at_once), 0);
	for (int i = 0; !gets && i < CAPACITY; i++)
		cr_assert_eq(subject->try_put(FIRST), 0);
	call_start(&victim);
	asleep = stepped_to(stepped, path, k) == STEPPED_ASLEEP;
	if (killed && stepped->steps == k) {
		stepped_kill(stepped);
		asleep = alive = false;
	}
	sleeper_start(&other, subject, gets);
	settle(&other, 1);
	cr_assert_eq(try_one(subject, !gets), 0);
	came++;
	if (asleep) { /* the first to sleep is the first to be woken */
		cr_assert(stepped_wait(stepped));
		inside = stepped_to(stepped, path, k) == STEPPED_INSIDE;
		if (killed && inside) {
			stepped_kill(stepped);
			alive = false;
		}
	}
	settle(&other, 1);
	*late = inside && possible(subject, gets) != 0;
	if (inside && !gate_held(subject)) {
		cr_assert(asleep || !*late, "whoever does not sleep needs no wake");
		cr_assert_eq(try_one(subject, !gets), 0);
		came++;
		settle(&other, 1);
		cr_assert_gt(moved(&other, 1), 0, "the second wake went nowhere");
	}
	subject->close();
	if (alive)
		stepped_finish(stepped);
	worker_join(&other.worker);
	cr_assert_eq(other.result, EPIPE);
	used = gets ? came - subject->queued() : came + subject->queued() - CAPACITY;
	if (alive)
		cr_assert_eq(used, other.moved + (stepped->result == 0));
	else
		cr_assert(used == other.moved || used == other.moved + 1);
	subject->end();
	return inside;
}

static void
waiting(const struct subject *subject)
{
	if (left_to_the_long_form(subject))
		return;
	for (int gets = 0; gets <= 1; gets++) {
		int stopped = 0;
		int killed = 0;
		struct stepped_path path = {.known = 0};
		bool late;
		int k;

		if (gets ? !subject->many_consumers : !subject->many_producers)
			continue; /* nobody waits behind a lone one */
		for (k = 0; wait_behind(subject, gets != 0, false, &path, k, &late); k++) {
			stopped += late;
			cr_assert(wait_behind(subject, gets != 0, true, &path, k, &late));
			killed += late;
		}
		printf("waiting  %-7s %s %-6s  %3d instructions; stopped: late %2d; killed: late "
		       "%2d\n",
		       subject->name, gets ? "get" : "put", subject->items, k, stopped, killed);
		/* Between its wake and its attempt; or killed in its sleep, when no wake is spent on it. */
		cr_expect_gt(stopped, 0);
		cr_expect_eq(killed, stopped - 1);
	}
}

/* clang-format off */
#define FLAVOUR(SENTENCE, QUESTION, NAME)                                                          \
	TEST(instruction, SENTENCE##_##NAME)                                                       \
	{                                                                                          \
		stay_on_one_processor();                                                           \
		QUESTION(&NAME##_subject);                                                         \
		QUESTION(&NAME##_wide_subject);                                                    \
	}
#define FLAVOURS_WITH_RIVALS(SENTENCE, QUESTION)                                                   \
	FLAVOUR(SENTENCE, QUESTION, mpmc)                                                          \
	FLAVOUR(SENTENCE, QUESTION, spmc)                                                          \
	FLAVOUR(SENTENCE, QUESTION, mpsc)                                                          \
	FLAVOUR(SENTENCE, QUESTION, ck_mpmc)                                                       \
	FLAVOUR(SENTENCE, QUESTION, ck_spmc)
#define FLAVOURS(SENTENCE, QUESTION)                                                               \
	FLAVOURS_WITH_RIVALS(SENTENCE, QUESTION)                                                   \
	FLAVOUR(SENTENCE, QUESTION, spsc)                                                          \
	FLAVOUR(SENTENCE, QUESTION, ck_spsc)
/* clang-format on */

FLAVOURS(others_go_on_beside_a_call_of, laps)
FLAVOURS(a_get_ends_when_the_queue_is_closed_around_a_put_of, closing)
FLAVOURS(at_most_one_sleeper_is_late_when_its_waker_stands_in, waking)
FLAVOURS_WITH_RIVALS(the_second_wake_comes_wherever_the_first_was_left_in, waiting)

static uint64_t
cells_claimed(void)
{
	const struct sluice_priv_geometry *const g =
		&mpmc_wide_queue.priv.engine.cell.items.geometry;
	uint64_t count = 0;

	for (uint64_t offset = 0; offset < g->bytes; offset += SLUICE_PRIV_CELL_BYTES)
		count += *sluice_priv_cells_at(g, offset) & SLUICE_PRIV_CELL_CLAIMED;
	return count;
}

static void
kill_a_put_in_its_copy(void)
{
	struct call victim = victim_of(&mpmc_wide_subject, false);

	call_start(&victim);
	while (cells_claimed() == 0)
		cr_assert_eq(stepped_run(&victim.stepped, 1), STEPPED_INSIDE);
	stepped_kill(&victim.stepped);
	cr_assert_eq(mpmc_wide_subject.size(), 0);
}

static int
how_many_fit(void)
{
	uint64_t number;
	int count = 0;

	while (mpmc_wide_subject.try_put(FIRST) == 0)
		count++;
	while (mpmc_wide_subject.try_get(&number) == 0)
		;
	return count;
}

TEST(instruction, a_put_killed_in_its_copy_costs_a_slot_and_64_are_spare)
{
	stay_on_one_processor();
	cr_assert_eq(mpmc_wide_subject.open(NULL), 0);
	for (int i = 0; i < SPARE; i++) {
		kill_a_put_in_its_copy();
		cr_assert_eq(how_many_fit(), CAPACITY);
	}
	kill_a_put_in_its_copy();
	cr_assert_eq(how_many_fit(), 0);
	mpmc_wide_subject.end();
}

/*
 * Is this tool blind? ck_ring's mpmc put, stopped between its ticket and its turn, stops every other.
 */
static struct ck_stock_mpmc stock_queue;

static int
stock_put(uint64_t number)
{
	return ck_stock_mpmc_put(&stock_queue, number);
}

static bool
stock_stuck_at(struct stepped_path *path, int k, int instructions, bool *stuck)
{
	struct call victim = {.put = stock_put, .number = VICTIM};
	struct call other = {.put = stock_put, .number = FIRST};
	uint64_t number;
	bool inside;

	cr_assert_eq(ck_stock_mpmc_init(&stock_queue, CAPACITY, NULL), 0);
	call_start(&victim);
	inside = stepped_to(&victim.stepped, path, k) == STEPPED_INSIDE;
	*stuck = is_stuck(&other, instructions);
	stepped_finish(&victim.stepped);
	stepped_finish(&other.stepped);
	cr_assert_eq(ck_stock_mpmc_try_get(&stock_queue, &number), 0);
	cr_assert_eq(ck_stock_mpmc_try_get(&stock_queue, &number), 0);
	cr_assert_eq(ck_stock_mpmc_try_get(&stock_queue, &number), EAGAIN);
	ck_stock_mpmc_destroy(&stock_queue);
	return inside;
}

TEST(instruction, a_put_of_ck_rings_own_mpmc_stops_others)
{
	struct stepped_path path = {.known = 0};
	int sum = 0;
	bool stuck;
	int k;

	stay_on_one_processor();
	for (k = 0; stock_stuck_at(&path, k, 100, &stuck); k++)
		sum += stuck;
	printf("control  ck_ring put narrow  %3d instructions; stopped: put %2d\n", k, sum);
	cr_assert_gt(sum, 0);
	cr_assert_lt(sum, k);
}

#else

TEST(instruction, needs_single_steps_as_x86_64_has_them)
{
	cr_skip_test("how a call is stopped at its first instruction is written for x86-64 only");
}

#endif
