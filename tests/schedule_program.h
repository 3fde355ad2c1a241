/* SPDX-License-Identifier: MIT */
/*
 * schedule_program.h - queues under schedule.h: short programs, their record, and its judge.
 *
 * A thread is a string, one letter for each call it makes:
 *
 *	p put        t try_put        u put_until     g get        r try_get        v get_until
 *	P put_many   T try_put_many   (of two items)  G get_many   R try_get_many   (up to two)
 *	d task_done  j join           w join_until    c close      x close_discard  s size, is_closed
 *
 * and "p|gd" are two threads. Every call is recorded with its result and the times of its begin and
 * end; afterwards the record is judged, whatever the program was:
 *
 *   once     every item that was accepted is got once, is dropped, or is still there; no other is
 *   order    of two items, one accepted before the put of the other began, the older is got first; in a
 *            batch the items go in, and come out, in their order
 *   bound    never more items than the capacity
 *   full     EAGAIN or ETIMEDOUT from a put, or a batch cut short, only if the queue may have been full
 *            meanwhile
 *   size     within the capacity, and no more than may have been there meanwhile
 *   empty    likewise; a get that has not returned may have its item already
 *   closed   EPIPE from a put only if closed; no put is accepted that began after close returned
 *   drained  after EPIPE from a get there is nothing, for ever
 *   joined   join returns when every item accepted before is done
 *   asleep   at the end: a get with an item there, a put with room, a join with all done, or any of
 *            the first two on a closed queue, may not sleep. Thread 0 may have been frozen; what that
 *            excuses is written at "frozen" below
 *
 * A call of a lone side, which may store plainly and return, has ended for the judge when its stores have
 * become visible: the others' answers can be of a moment before that.
 *
 * Six flavours are driven, each with items that fit into 8 bytes and with wider ones; CK_SPSC is the same
 * code as CK_SPMC, which is asserted below.
 */
#ifndef SCHEDULE_PROGRAM_H
#define SCHEDULE_PROGRAM_H

#include "schedule.h"

SLUICE_DEFINE(mpmc, uint64_t)
SLUICE_DEFINE_SPMC(spmc, uint64_t)
SLUICE_DEFINE_MPSC(mpsc, uint64_t)
SLUICE_DEFINE_SPSC(spsc, uint64_t)
SLUICE_DEFINE_CK_SPMC(ck_spmc, uint64_t)
SLUICE_DEFINE_CK_MPMC(ck_mpmc, uint64_t)

/* An item that does not fit into a cell; its halves belong together. */
struct pair {
	uint64_t value;
	uint64_t inverse;
};
SLUICE_DEFINE(wide, struct pair)
SLUICE_DEFINE_SPMC(wide_spmc, struct pair)
SLUICE_DEFINE_MPSC(wide_mpsc, struct pair)
SLUICE_DEFINE_SPSC(wide_spsc, struct pair)
SLUICE_DEFINE_CK_SPMC(wide_ck_spmc, struct pair)
SLUICE_DEFINE_CK_MPMC(wide_ck_mpmc, struct pair)

/* All that a flavour is made of: the macros again, to see what they pass on. */
#undef SLUICE_PRIV_DEFINE
#define SLUICE_PRIV_DEFINE(NAME, T, FLAVOUR) NAME = (FLAVOUR),
enum flavour {
	/* clang-format off */
	SLUICE_DEFINE(MPMC, none) SLUICE_DEFINE_SPMC(SPMC, none)
	SLUICE_DEFINE_MPSC(MPSC, none) SLUICE_DEFINE_SPSC(SPSC, none)
	SLUICE_DEFINE_CK_SPSC(CK_SPSC, none) SLUICE_DEFINE_CK_SPMC(CK_SPMC, none)
	SLUICE_DEFINE_CK_MPMC(CK_MPMC, none)
	/* clang-format on */
};
_Static_assert((int)CK_SPSC == (int)CK_SPMC, "what holds for CK_SPMC holds for CK_SPSC");

static inline uint64_t
number_of(uint64_t value)
{
	return value;
}

static inline uint64_t
item_of(uint64_t value)
{
	return value;
}

static inline uint64_t
number_of_pair(struct pair pair)
{
	schedule_require(pair.value == ~pair.inverse, "gets a torn item");
	return pair.value;
}

static inline struct pair
pair_of(uint64_t value)
{
	return (struct pair){value, ~value};
}

static union {
	struct sluice_priv_queue any;
	struct mpmc mpmc;
	struct spmc spmc;
	struct mpsc mpsc;
	struct spsc spsc;
	struct ck_spmc ck_spmc;
	struct ck_mpmc ck_mpmc;
	struct wide wide;
	struct wide_spmc wide_spmc;
	struct wide_mpsc wide_mpsc;
	struct wide_spsc wide_spsc;
	struct wide_ck_spmc wide_ck_spmc;
	struct wide_ck_mpmc wide_ck_mpmc;
} queue;

static const struct timespec future = {1, 0};
static const struct sluice_options at_once = {0, 0, 0};

/* One queue type behind numbers. `how` is the letter of the call. */
struct verbs {
	enum flavour flavour;
	int (*init)(size_t capacity);
	void (*destroy)(void);
	int (*put)(uint64_t value, char how);
	size_t (*put_two)(uint64_t value, char how);
	int (*get)(uint64_t *value, char how);
	size_t (*get_two)(uint64_t value[2], char how);
	int (*task_done)(void);
	int (*join)(bool timed);
	void (*close)(void);
	size_t (*discard)(void);
	size_t (*size)(void);
	bool (*is_closed)(void);
};

#define VERBS(FLAVOUR, NAME, T, ITEM, NUMBER)                                                      \
	static int NAME##_make(size_t capacity)                                                    \
	{                                                                                          \
		return NAME##_init(&queue.NAME, capacity, &at_once);                               \
	}                                                                                          \
	static void NAME##_unmake(void)                                                            \
	{                                                                                          \
		NAME##_destroy(&queue.NAME);                                                       \
	}                                                                                          \
	static int NAME##_any_put(uint64_t value, char how)                                        \
	{                                                                                          \
		return how == 'p'   ? NAME##_put(&queue.NAME, ITEM(value))                         \
		       : how == 'u' ? NAME##_put_until(&queue.NAME, ITEM(value), &future)          \
				    : NAME##_try_put(&queue.NAME, ITEM(value));                    \
	}                                                                                          \
	static size_t NAME##_put_two(uint64_t value, char how)                                     \
	{                                                                                          \
		const T items[2] = {ITEM(value), ITEM(value + 1)};                                 \
                                                                                                   \
		return how == 'P' ? NAME##_put_many(&queue.NAME, items, 2)                         \
				  : NAME##_try_put_many(&queue.NAME, items, 2);                    \
	}                                                                                          \
	static int NAME##_any_get(uint64_t *value, char how)                                       \
	{                                                                                          \
		T item = ITEM(0);                                                                  \
		const int result = how == 'g'   ? NAME##_get(&queue.NAME, &item)                   \
				   : how == 'v' ? NAME##_get_until(&queue.NAME, &item, &future)    \
						: NAME##_try_get(&queue.NAME, &item);              \
                                                                                                   \
		*value = NUMBER(item);                                                             \
		return result;                                                                     \
	}                                                                                          \
	static size_t NAME##_get_two(uint64_t value[2], char how)                                  \
	{                                                                                          \
		T items[2] = {ITEM(0), ITEM(0)};                                                   \
		const size_t moved = how == 'G' ? NAME##_get_many(&queue.NAME, items, 2)           \
						: NAME##_try_get_many(&queue.NAME, items, 2);      \
                                                                                                   \
		value[0] = NUMBER(items[0]);                                                       \
		value[1] = NUMBER(items[1]);                                                       \
		return moved;                                                                      \
	}                                                                                          \
	static int NAME##_done(void)                                                               \
	{                                                                                          \
		return NAME##_task_done(&queue.NAME);                                              \
	}                                                                                          \
	static int NAME##_any_join(bool timed)                                                     \
	{                                                                                          \
		return timed ? NAME##_join_until(&queue.NAME, &future) : NAME##_join(&queue.NAME); \
	}                                                                                          \
	static void NAME##_end(void)                                                               \
	{                                                                                          \
		NAME##_close(&queue.NAME);                                                         \
	}                                                                                          \
	static size_t NAME##_discard(void)                                                         \
	{                                                                                          \
		return NAME##_close_discard(&queue.NAME);                                          \
	}                                                                                          \
	static size_t NAME##_count(void)                                                           \
	{                                                                                          \
		return NAME##_size(&queue.NAME);                                                   \
	}                                                                                          \
	static bool NAME##_has_ended(void)                                                         \
	{                                                                                          \
		return NAME##_is_closed(&queue.NAME);                                              \
	}                                                                                          \
	static const struct verbs NAME##_verbs __attribute__((unused)) = {                         \
		FLAVOUR,        NAME##_make,    NAME##_unmake,   NAME##_any_put,  NAME##_put_two,  \
		NAME##_any_get, NAME##_get_two, NAME##_done,     NAME##_any_join, NAME##_end,      \
		NAME##_discard, NAME##_count,   NAME##_has_ended};

VERBS(MPMC, mpmc, uint64_t, item_of, number_of)
VERBS(SPMC, spmc, uint64_t, item_of, number_of)
VERBS(MPSC, mpsc, uint64_t, item_of, number_of)
VERBS(SPSC, spsc, uint64_t, item_of, number_of)
VERBS(CK_SPMC, ck_spmc, uint64_t, item_of, number_of)
VERBS(CK_MPMC, ck_mpmc, uint64_t, item_of, number_of)
VERBS(MPMC, wide, struct pair, pair_of, number_of_pair)
VERBS(SPMC, wide_spmc, struct pair, pair_of, number_of_pair)
VERBS(MPSC, wide_mpsc, struct pair, pair_of, number_of_pair)
VERBS(SPSC, wide_spsc, struct pair, pair_of, number_of_pair)
VERBS(CK_SPMC, wide_ck_spmc, struct pair, pair_of, number_of_pair)
VERBS(CK_MPMC, wide_ck_mpmc, struct pair, pair_of, number_of_pair)

/* The program that is run, and what it did. */

enum {
	CALLS = 40,
	NOBODY = SCHEDULE_THREADS, /* set_up and check */
	UNFINISHED = -1,
	NEVER = 1 << 30
};

/* A batch of two is two calls that begin and end together. */
struct call {
	char what; /* p put, g get, d task_done, j join, c close, x close_discard, s size */
	unsigned int thread;
	int result;
	uint64_t value;
	unsigned int begin;
	unsigned int end;
	size_t dropped;
};

struct program {
	const struct verbs *verbs;
	const char *name;
	size_t capacity;
	size_t filled; /* before it begins */
	const char *text;
	uint64_t wound; /* see wind() */
	size_t withhold; /* so many of the spare slots of wide items are in the hands of others, for ever */
	bool freezes;
	bool weak; /* as in struct schedule, like all below */
	bool symmetric;
	unsigned int preemptions;
	unsigned int delays;
	unsigned int faults;
};

static struct program program;
static const char *letters[SCHEDULE_THREADS];
static unsigned int calls;
static struct call call[CALLS];
static struct call *current[SCHEDULE_THREADS];
static uint64_t first_ticket; /* how many puts, and gets, the queue had counted to begin with */

static bool
is_ck(void)
{
	return sluice_priv_is_ck((unsigned int)program.verbs->flavour);
}

/* Does a call of this kind move items by plain stores, with no full fence behind them? */
static bool
stores_only(char what)
{
	const unsigned int flavour = (unsigned int)program.verbs->flavour;

	return queue.any.asymmetric && ((what == 'p' && sluice_priv_is_lone_producer(flavour)) ||
					(what == 'g' && sluice_priv_is_lone_consumer(flavour)));
}

/*
 * What the ring itself says was put, got and dropped, whatever calls have returned. Of a queue on cells
 * the three are apart; a close_discard on ck_ring gets what it drops.
 */
static size_t
ring_puts(void)
{
	const struct sluice_priv_cells *const cells = &queue.any.engine.cell.items;
	const uint64_t end = cells->end - 1;
	uint64_t tail;

	if (is_ck())
		return queue.any.engine.ck.ring.p_tail - (uint32_t)first_ticket;
	tail = sluice_priv_cells_tail(cells);
	return sluice_priv_cells_count(&cells->geometry, tail < end ? tail : end) - first_ticket;
}

static size_t
ring_gets(void)
{
	return is_ck() ? queue.any.engine.ck.ring.c_head - (uint32_t)first_ticket
		       : sluice_priv_cells_gets(&queue.any.engine.cell.items) - first_ticket;
}

static size_t
ring_drops(void)
{
	const struct sluice_priv_cells *const cells = &queue.any.engine.cell.items;

	if (is_ck() || cells->rest < 2)
		return 0;
	return sluice_priv_cells_count(&cells->geometry, cells->end - 1) -
	       sluice_priv_cells_count(&cells->geometry, cells->rest - 2);
}

static size_t
ring_items(void)
{
	return ring_puts() - ring_gets() - ring_drops();
}

static struct call *
begin(char what, uint64_t value)
{
	struct call *const c = &call[calls++];

	if (calls > CALLS)
		abort();
	*c = (struct call){what, schedule_now.running, UNFINISHED, value, schedule_time(), NEVER,
			   0};
	return c;
}

static void
end(struct call *c, int result)
{
	c->result = result;
	c->end = schedule_time();
	if (result == 0 && stores_only(c->what))
		schedule_settle(&c->end);
}

static struct call *
begin_second(const struct call *first, uint64_t value)
{
	struct call *const second = begin(first->what, value);

	second->begin = first->begin;
	return second;
}

static void
end_both(struct call *one, int result, struct call *two, int second_result)
{
	end(one, result);
	end(two, second_result);
}

static void
run_letter(unsigned int thread, char letter, uint64_t value)
{
	const struct verbs *const verbs = program.verbs;
	struct call *c = NULL;
	struct call *second;
	size_t moved;
	uint64_t got[2];
	int result;

	schedule_begin_call();
	switch (letter) {
	case 'p':
	case 'u':
	case 't':
		current[thread] = c = begin('p', value);
		end(c, verbs->put(value, letter));
		break;
	case 'P':
	case 'T':
		current[thread] = c = begin('p', value);
		second = begin_second(c, value + 1);
		moved = verbs->put_two(value, letter);
		result = letter == 'P' || queue.any.closed ? EPIPE : EAGAIN;
		end_both(c, moved > 0 ? 0 : result, second, moved > 1 ? 0 : result);
		break;
	case 'g':
	case 'v':
	case 'r':
		current[thread] = c = begin('g', 0);
		result = verbs->get(got, letter);
		schedule_require((result == 0) == (got[0] != 0), "writes an item it did not get");
		c->value = got[0];
		end(c, result);
		break;
	case 'G':
	case 'R':
		current[thread] = c = begin('g', 0);
		second = begin_second(c, 0);
		moved = verbs->get_two(got, letter);
		schedule_require((moved > 0) == (got[0] != 0) && (moved > 1) == (got[1] != 0),
				 "says a wrong number of items");
		c->value = got[0];
		second->value = got[1];
		end_both(c,
			 moved > 0       ? 0
			 : letter == 'G' ? EPIPE
					 : EAGAIN,
			 second, moved > 1 ? 0 : EAGAIN);
		break;
	case 'd':
		current[thread] = c = begin('d', 0);
		end(c, verbs->task_done());
		break;
	case 'j':
	case 'w':
		current[thread] = c = begin('j', 0);
		end(c, verbs->join(letter == 'w'));
		break;
	case 'c':
		current[thread] = c = begin('c', 0);
		verbs->close();
		end(c, 0);
		break;
	case 'x':
		current[thread] = c = begin('x', 0);
		c->dropped = verbs->discard();
		end(c, 0);
		break;
	case 's':
		current[thread] = c = begin('s', 0);
		c->value = verbs->size();
		end(c, verbs->is_closed() ? EPIPE : 0);
		break;
	default:
		schedule_require(false, "has a letter that means nothing");
	}
	current[thread] = NULL;
}

static void
body(unsigned int thread)
{
	uint64_t value = 10 * (thread + 1);

	for (const char *letter = letters[thread]; *letter != '\0' && *letter != '|'; letter++) {
		run_letter(thread, *letter, value);
		value += 2;
	}
}

/*
 * Counters near their wrap. The queue is made to look as if it had been used up to a moment before:
 * every cell stands at one lap and the hints, puts, gets and tasks with it, ck_ring's positions are
 * at 2^32 - 1, and so is every event's epoch. program.wound is the cell ring's ticket that the second
 * lap from there begins with. (Tickets end at 2^64.)
 */
static void
wind_cells(struct sluice_priv_cells *ring, uint64_t lap)
{
	lap -= lap & ring->geometry.mask;
	lap -= ring->geometry.mask + 1;
	ring->head += lap;
	ring->tail += lap;
	for (uint64_t at = 0; at < ring->geometry.bytes; at += SLUICE_PRIV_CELL_BYTES)
		sluice_priv_cells_at(&ring->geometry, at)[SLUICE_PRIV_STATE] += lap;
}

static void
wind(void)
{
	struct sluice_priv_ck_engine *const ck = &queue.any.engine.ck;
	struct sluice_priv_cell_engine *const cell = &queue.any.engine.cell;
	const uint64_t items = program.wound / SLUICE_PRIV_CELL_BYTES + ((uint64_t)1 << 32);

	queue.any.not_empty.epoch = UINT32_MAX;
	queue.any.not_full.epoch = UINT32_MAX;
	queue.any.all_done.epoch = UINT32_MAX;
	if (is_ck()) {
		ck->gate_free.epoch = UINT32_MAX;
		ck->ring.c_head = ck->ring.p_head = ck->ring.p_tail = UINT32_MAX;
		ck->puts = first_ticket = (items | UINT32_MAX) - ((uint64_t)1 << 32);
	} else {
		wind_cells(&cell->items, program.wound);
		first_ticket = sluice_priv_cells_count(&cell->items.geometry, cell->items.head);
	}
	queue.any.done = first_ticket;
}

/* Takes spare slots for good. */
static void
withhold_slots(void)
{
	for (uint64_t i = 0; i < program.withhold; i++)
		(void)sluice_priv_slots_pop(&queue.any.engine.cell.slots);
}

static void
set_up(void)
{
	if (program.verbs->init(program.capacity) != 0)
		abort();
	calls = 0;
	first_ticket = 0;
	memset(current, 0, sizeof(current));
	if (program.wound != 0)
		wind();
	if (program.withhold != 0)
		withhold_slots();
	for (size_t i = 0; i < program.filled; i++) {
		struct call *const c = begin('p', i + 1);

		end(c, program.verbs->put(i + 1, 't'));
	}
}

/* Counting calls: successful ones of a kind that began, or ended, before a time. */

static unsigned int
count_begun(char what, unsigned int before)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < calls; i++)
		n += call[i].what == what && call[i].begin < before &&
		     (call[i].result == 0 || call[i].result == UNFINISHED);
	return n;
}

static unsigned int
count_ended(char what, unsigned int before)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < calls; i++)
		n += call[i].what == what && call[i].end < before && call[i].result == 0;
	return n;
}

static size_t
count_dropped(void)
{
	size_t n = 0;

	for (unsigned int i = 0; i < calls; i++)
		n += call[i].dropped;
	return n;
}

static bool
discarding(void)
{
	return count_begun('x', NEVER) != 0;
}

/* As many, or, if a close_discard has not returned, any number. */
static size_t
dropped_at_most(void)
{
	for (unsigned int i = 0; i < calls; i++) {
		if (call[i].what == 'x' && call[i].result == UNFINISHED)
			return CALLS;
	}
	return count_dropped();
}

static bool
closed_by(unsigned int time)
{
	return count_begun('c', time) + count_begun('x', time) != 0;
}

/* Items that went in, or out, in calls that have not returned. */
static size_t
puts_under_way(void)
{
	return ring_puts() - count_ended('p', NEVER);
}

static size_t
gets_under_way(void)
{
	return ring_gets() - count_ended('g', NEVER) - (is_ck() ? count_dropped() : 0);
}

/* How many threads sleep in a call of this kind. */
static size_t
sleepers(char what)
{
	size_t n = 0;

	for (unsigned int i = 0; i < SCHEDULE_THREADS; i++)
		n += current[i] != NULL && current[i]->what == what && !schedule_is_frozen(i);
	return n;
}

/*
 * Frozen. Thread 0 was suspended for ever inside a call; `frozen` is that call, or NULL. What the others
 * may wait for in vain then is, in the words of the headers:
 *
 *   wake      "A waker suspended between publishing and S3 delays the waiter that it would have woken
 *             (those, if it published several things at once)." Its items are in (out), or closed is
 *             set, or the task counted, and there was no wake call on this event: so many items (so
 *             much room) may have a sleeper beside them as it moved; close and the last task_done
 *             delay all that wait for it.
 *   woken     "A waiter suspended between being woken and its attempt likewise delays one other": one
 *             item (the room for one) may have a sleeper beside it.
 *   drained   CK: "while a put that began before close stays inside, a closed queue is not drained: gets
 *             find what there is, then wait."
 *   gate      CK_MPMC: "in put, at the gate: other producers", while open. It is there from its first
 *             step at the gate up to the wake call of gate_free.
 *
 * Nothing else: no other thread, no other item, and nobody on a closed queue of the cell ring once a
 * close has returned. That a joiner waits for what a frozen get took is no exception: it is not done.
 */
static const struct call *
frozen_in(char what)
{
	const struct call *const frozen = schedule_is_frozen(0) ? current[0] : NULL;
	const struct schedule_thread *const zero = &schedule_now.thread[0];

	return frozen != NULL && frozen->what == what && (zero->changed != NULL || zero->stored)
		       ? frozen
		       : NULL;
}

/* How many items (rooms) of this event may have a sleeper beside them. */
static size_t
wakes_withheld(char waker, size_t published, const struct sluice_priv_event *event, char waiter,
	       size_t taken)
{
	size_t n = 0;

	if (frozen_in(waker) && !schedule_has_woken(0, &event->epoch))
		n += published;
	if (frozen_in(waiter) && schedule_now.thread[0].woken == &event->epoch && taken == 0)
		n++;
	return n;
}

static bool
is_at_the_gate(void)
{
	const struct sluice_priv_ck_engine *const ck = &queue.any.engine.ck;
	const void *const changed = schedule_now.thread[0].changed;

	return program.verbs->flavour == CK_MPMC && frozen_in('p') &&
	       (changed == &ck->gate || changed == &ck->gate_free.word ||
		(changed == &ck->gate_free.epoch && !schedule_has_woken(0, &ck->gate_free.epoch)));
}

/* A close that was frozen before it woke those who wait for this event, and no other close came. */
static bool
close_is_silent(const struct sluice_priv_event *event)
{
	return (frozen_in('c') || frozen_in('x')) && !schedule_has_woken(0, &event->epoch) &&
	       count_ended('c', NEVER) + count_ended('x', NEVER) == 0;
}

/* Of a closed queue on ck_ring, which holds so many items. */
static bool
is_not_drained(size_t items)
{
	const struct call *const put = frozen_in('p');

	if (!is_ck() || put == NULL || schedule_has_woken(0, &queue.any.not_empty.epoch))
		return false;
	for (unsigned int i = 0; i < calls; i++) {
		if ((call[i].what == 'c' || call[i].what == 'x') && call[i].end < put->begin)
			return false;
	}
	return items <= puts_under_way();
}

/* A task was counted, after all others, and nobody was told. */
static bool
last_task_is_silent(void)
{
	for (unsigned int i = 0; i < calls; i++) {
		if (call[i].what == 'd' && call[i].begin > schedule_now.frozen_at &&
		    call[i].result == 0)
			return false;
	}
	return (frozen_in('d') || frozen_in('x')) &&
	       !schedule_has_woken(0, &queue.any.all_done.epoch);
}

/* When nobody can go on: every call has ended, is frozen, or sleeps. */
static bool
may_sleep(unsigned int thread)
{
	struct sluice_priv_queue *const q = &queue.any;
	const size_t items = ring_items();
	const size_t room = program.capacity - items;
	const bool closed = q->closed != 0;
	size_t served;

	switch (current[thread]->what) {
	case 'p':
		if (closed)
			return close_is_silent(&q->not_full) ||
			       (program.verbs->flavour == CK_MPMC &&
				close_is_silent(&q->engine.ck.gate_free));
		if (is_at_the_gate())
			return true;
		served = sleepers('p') < room ? sleepers('p') : room;
		return served <=
		       wakes_withheld('g', gets_under_way(), &q->not_full, 'p', puts_under_way());
	case 'x':
		return is_not_drained(items);
	case 'g':
		if (closed)
			return close_is_silent(&q->not_empty) || is_not_drained(items);
		served = sleepers('g') < items ? sleepers('g') : items;
		return served <=
		       wakes_withheld('p', puts_under_way(), &q->not_empty, 'g', gets_under_way());
	case 'j':
		return q->done != (is_ck() ? q->engine.ck.puts
					   : sluice_priv_cells_puts(&q->engine.cell.items)) ||
		       last_task_is_silent();
	default:
		return false;
	}
}

/* Was one certainly before the other? */
static bool
precedes(const struct call *one, const struct call *other)
{
	return one->thread == other->thread && one->thread != NOBODY ? one < other
								     : one->end < other->begin;
}

static const struct call *
get_of(uint64_t value)
{
	const struct call *found = NULL;

	for (unsigned int i = 0; i < calls; i++) {
		if (call[i].what != 'g' || call[i].result != 0 || call[i].value != value)
			continue;
		schedule_require(found == NULL, "an item is got twice");
		found = &call[i];
	}
	return found;
}

static void
check_put(const struct call *put)
{
	const struct call *const get = get_of(put->value);

	if (put->result == UNFINISHED)
		return;
	if (put->result != 0)
		schedule_require(get == NULL, "an item is got that was not accepted");
	if (put->result == EPIPE)
		schedule_require(closed_by(put->end), "a put fails on an open queue");
	schedule_require(put->result == 0 || put->result == EPIPE || put->result == EAGAIN ||
				 put->result == ETIMEDOUT,
			 "a put has a result that is none");
	/* Without a look at the ring a deadline may pass at the gate of CK_MPMC, and all may without slots. */
	if (program.withhold < SLUICE_PRIV_SPARE_SLOTS &&
	    (put->result == EAGAIN ||
	     (put->result == ETIMEDOUT && program.verbs->flavour != CK_MPMC)))
		schedule_require(count_begun('p', put->end) >=
					 count_ended('g', put->begin) + program.capacity,
				 "a put says full when it is not");
	if (put->result != 0)
		return;
	schedule_require(get == NULL || get->end > put->begin, "an item is got before it is put");
	schedule_require(count_ended('p', put->end + 1) <=
				 count_begun('g', put->end) + program.capacity +
					 (discarding() ? (unsigned int)CALLS : 0),
			 "more items are in than the capacity");
	for (unsigned int i = 0; i < calls; i++) {
		const struct call *const later = &call[i];
		const struct call *later_get;

		if (later->what == 'c' || later->what == 'x')
			schedule_require(later->end > put->begin, "a put is accepted after close");
		if (get == NULL || later->what != 'p' || later->result != 0 ||
		    !precedes(put, later))
			continue;
		later_get = get_of(later->value);
		schedule_require(later_get == NULL || !precedes(later_get, get),
				 "items are got out of order");
	}
}

static void
check_get(const struct call *get)
{
	bool was_put = false;

	if (get->result == UNFINISHED)
		return;
	if (get->result == 0) {
		for (unsigned int i = 0; i < calls; i++)
			was_put |= call[i].what == 'p' && call[i].value == get->value;
		schedule_require(was_put, "an item is got that nobody put");
		return;
	}
	schedule_require(discarding() || count_ended('p', get->begin) <= count_begun('g', get->end),
			 "a get says empty when it is not");
	if (get->result != EPIPE)
		return;
	schedule_require(closed_by(get->end), "a get says drained on an open queue");
	for (unsigned int i = 0; i < calls; i++)
		schedule_require(call[i].what != 'g' || call[i].result != 0 ||
					 call[i].begin < get->end,
				 "an item is got after another get said drained");
}

/* What is left at the end, got as by one thread more. */
static void
drain(void)
{
	for (;;) {
		struct call *const c = begin('g', 0);

		end(c, program.verbs->get(&c->value, 't'));
		if (c->result != 0)
			break;
	}
	calls--; /* says nothing new */
}

/* May everything put have been done, or dropped, at one moment of this join? */
static bool
was_all_done(const struct call *join)
{
	for (unsigned int at = join->begin; at <= join->end; at++) {
		if (count_ended('p', at) <=
		    count_begun('d', at) + (count_begun('x', at) != 0 ? dropped_at_most() : 0))
			return true;
	}
	return false;
}

static void
check_state(const struct call *state)
{
	unsigned int puts = count_begun('p', state->end);

	/* It may count a put that is refused in the end, while the put has not returned. */
	for (unsigned int i = 0; i < calls; i++)
		puts += call[i].what == 'p' && call[i].result == EPIPE &&
			call[i].begin < state->end && call[i].end > state->begin;
	schedule_require(state->value <= program.capacity &&
				 state->value + count_ended('g', state->begin) <= puts,
			 "says a size that never was");
	schedule_require(state->result == 0 || closed_by(state->end),
			 "closed, says is_closed, and it is not");
}

static void
check_calls(void)
{
	const size_t unknown = gets_under_way() + (is_ck() ? count_dropped() : ring_drops());
	size_t missing = 0;
	size_t under_way_put = 0;
	size_t under_way_get = 0;
	bool finished = true;

	for (unsigned int i = 0; i < calls; i++) {
		const struct call *const c = &call[i];

		finished &= c->result != UNFINISHED;
		under_way_put += c->what == 'p' && c->result == UNFINISHED;
		under_way_get += c->result == UNFINISHED && c->what == 'g';
	}
	schedule_require(puts_under_way() <= under_way_put &&
				 ((is_ck() && discarding()) || gets_under_way() <= under_way_get),
			 "an item went in, or out, in no call");
	schedule_require(program.verbs->size() == ring_items() || !finished,
			 "the size is wrong in the end");
	if (finished)
		schedule_require(queue.any.not_empty.word == 0 && queue.any.not_full.word == 0 &&
					 queue.any.all_done.word == 0,
				 "announcements or signals are left behind");
	drain();
	for (unsigned int i = 0; i < calls && schedule_now.wrong == NULL; i++) {
		const struct call *const c = &call[i];

		missing += c->what == 'p' && c->result == 0 && get_of(c->value) == NULL;
		if (c->what == 'p')
			check_put(c);
		else if (c->what == 'g')
			check_get(c);
		else if (c->what == 'd' && c->result == EINVAL)
			schedule_require(count_ended('g', c->begin) <= count_begun('d', c->end),
					 "a task is refused that was got");
		else if (c->what == 'j' && c->result == 0)
			schedule_require(was_all_done(c), "join returns too early");
		else if (c->what == 's')
			check_state(c);
	}
	schedule_require(missing <= unknown, "an item is lost");
	schedule_require(missing == count_dropped() || !finished,
			 "does not drop as many items as it says");
	schedule_require(count_ended('d', NEVER) <= ring_gets(), "more are done than were got");
}

static void
check(void)
{
	if (schedule_now.wrong == NULL)
		check_calls();
	program.verbs->destroy();
}

/* How many threads of a program make one of these calls. */
static unsigned int
threads_that(const char *text, const char *make)
{
	unsigned int n = 0;

	while (*text != '\0') {
		const size_t length = strcspn(text, "|");

		n += strcspn(text, make) < length;
		text += length + (text[length] == '|');
	}
	return n;
}

/* May this program be run on this flavour? */
static bool
fits(const struct verbs *verbs, const char *text)
{
	const unsigned int flavour = (unsigned int)verbs->flavour;

	return (!sluice_priv_is_lone_producer(flavour) || threads_that(text, "ptuPT") <= 1) &&
	       (!sluice_priv_is_lone_consumer(flavour) || threads_that(text, "gvrGR") <= 1 ||
		sluice_priv_is_ck(flavour));
}

static void
run_program(const struct program *of)
{
	char title[100];
	char wound[24] = "";
	struct schedule plan = {.name = title,
				.set_up = set_up,
				.body = body,
				.may_sleep = may_sleep,
				.check = check,
				.preemptions = of->preemptions > 1 ? of->preemptions - SCHEDULE_SLOW
								   : of->preemptions,
				.delays = of->delays,
				.faults = of->faults,
				.freezes = of->freezes,
				.weak = of->weak,
				.symmetric = of->symmetric};

	program = *of;
	cr_assert(fits(of->verbs, of->text), "%s has several of a lone side", of->text);
	if (of->wound != 0)
		(void)snprintf(wound, sizeof(wound), "-at-%llx", (unsigned long long)of->wound);
	(void)snprintf(title, sizeof(title), "%s-%zu-of-%zu%s%s-%s", of->name, of->filled,
		       of->capacity, wound,
		       of->freezes     ? "-frozen"
		       : of->weak      ? "-weak"
		       : of->symmetric ? "-symmetric"
				       : "",
		       of->text);
	letters[plan.threads++] = of->text;
	for (const char *at = of->text; (at = strchr(at, '|')) != NULL;)
		letters[plan.threads++] = ++at;
	schedule_holds(&plan);
}

/* NAME, capacity, of which full, text, bounds, ... */
#define EVERY_SCHEDULE(NAME, CAPACITY, FILLED, TEXT, ...)                                          \
	run_program(&(const struct program){.verbs = &NAME##_verbs,                                \
					    .name = #NAME,                                         \
					    .capacity = (CAPACITY),                                \
					    .filled = (FILLED),                                    \
					    .text = (TEXT),                                        \
					    __VA_ARGS__})

/* The same, in the long form only. */
#define EVERY_SCHEDULE_IF_LONG(...)                                                                \
	do {                                                                                       \
		if (schedule_is_long())                                                            \
			EVERY_SCHEDULE(__VA_ARGS__);                                               \
	} while (0)

#endif
