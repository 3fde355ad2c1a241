/* SPDX-License-Identifier: MIT */
/*
 * schedule_queue.c - the queues under every schedule: nothing lost, nobody stuck, no answer untrue.
 *
 * A thread is a string, one letter for each call it makes:
 *
 *	p put    t try_put    u put_until    2 put_many of two items      c close
 *	g get    r try_get    v get_until    d task_done after a get      x close_discard
 *	j join   w join_until
 *
 * and "p|gd" are two threads. Every call is recorded with its result and the times of its begin and
 * end; afterwards the record is judged, whatever the program was:
 *
 *   once     every item that was accepted is got once, is dropped, or is still there; no other is
 *   order    of two items, one accepted before the put of the other began, the older is got first
 *   bound    never more items than the capacity
 *   full     EAGAIN or ETIMEDOUT from a put only if the queue may have been full meanwhile
 *   empty    likewise; a get that has not returned may have its item already
 *   closed   EPIPE from a put only if closed; no put is accepted that began after close returned
 *   drained  after EPIPE from a get there is nothing, for ever
 *   joined   join returns when every item accepted before is done
 *   asleep   at the end: a get with an item there, a put with room, a join with all done, or any of
 *            the first two on a closed queue, may not sleep
 */
#include "schedule.h"

SLUICE_DEFINE(mpmc, uint64_t)
SLUICE_DEFINE_SPMC(spmc, uint64_t)
SLUICE_DEFINE_SPSC(spsc, uint64_t)
SLUICE_DEFINE_CK_SPSC(ck_spsc, uint64_t)
SLUICE_DEFINE_CK_MPMC(ck_mpmc, uint64_t)

/* An item that does not fit into a cell; its halves belong together. */
struct pair {
	uint64_t value;
	uint64_t inverse;
};
SLUICE_DEFINE(wide, struct pair)
SLUICE_DEFINE_SPMC(wide_spmc, struct pair)

static uint64_t
number_of(uint64_t value)
{
	return value;
}

static uint64_t
item_of(uint64_t value)
{
	return value;
}

static uint64_t
number_of_pair(struct pair pair)
{
	schedule_require(pair.value == ~pair.inverse, "gets a torn item");
	return pair.value;
}

static struct pair
pair_of(uint64_t value)
{
	return (struct pair){value, ~value};
}

static union {
	struct sluice_priv_queue any;
	struct mpmc mpmc;
	struct spmc spmc;
	struct spsc spsc;
	struct ck_spsc ck_spsc;
	struct ck_mpmc ck_mpmc;
	struct wide wide;
	struct wide_spmc wide_spmc;
} queue;

static const struct timespec future = {1, 0};
static const struct sluice_options at_once = {0, 0, 0};

/* One queue type behind numbers. How long: 'p' waits, 'u' until a deadline, 't' not at all. */
struct verbs {
	int (*init)(size_t capacity);
	void (*destroy)(void);
	int (*put)(uint64_t value, char how);
	size_t (*put_many)(uint64_t value);
	int (*get)(uint64_t *value, char how);
	int (*task_done)(void);
	int (*join)(bool timed);
	void (*close)(void);
	size_t (*discard)(void);
	size_t (*size)(void);
};

#define VERBS(NAME, T, ITEM, NUMBER)                                                               \
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
	static size_t NAME##_put_two(uint64_t value)                                               \
	{                                                                                          \
		const T items[2] = {ITEM(value), ITEM(value + 1)};                                 \
                                                                                                   \
		return NAME##_put_many(&queue.NAME, items, 2);                                     \
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
	static const struct verbs NAME##_verbs = {                                                 \
		NAME##_make, NAME##_unmake,   NAME##_any_put, NAME##_put_two, NAME##_any_get,      \
		NAME##_done, NAME##_any_join, NAME##_end,     NAME##_discard, NAME##_count};

VERBS(mpmc, uint64_t, item_of, number_of)
VERBS(spmc, uint64_t, item_of, number_of)
VERBS(spsc, uint64_t, item_of, number_of)
VERBS(ck_spsc, uint64_t, item_of, number_of)
VERBS(ck_mpmc, uint64_t, item_of, number_of)
VERBS(wide, struct pair, pair_of, number_of_pair)
VERBS(wide_spmc, struct pair, pair_of, number_of_pair)

/* The program that is run, and what it did. */

enum {
	CALLS = 24,
	UNFINISHED = -1,
	NEVER = 1 << 30
};

struct call {
	char what; /* p put, g get, d task_done, j join, c close, x close_discard */
	int result;
	uint64_t value;
	unsigned int begin;
	unsigned int end;
	size_t dropped;
};

static const struct verbs *verbs;
static size_t capacity;
static const char *letters[SCHEDULE_THREADS];
static unsigned int calls;
static struct call call[CALLS];
static struct call *current[SCHEDULE_THREADS];
static size_t prefilled;

static struct call *
begin(char what, uint64_t value)
{
	struct call *const c = &call[calls++];

	*c = (struct call){what, UNFINISHED, value, schedule_time(), NEVER, 0};
	return c;
}

static void
end(struct call *c, int result)
{
	c->result = result;
	c->end = schedule_time();
}

static void
run_letter(unsigned int thread, char letter, uint64_t value)
{
	const char how = letter;
	struct call *c;
	struct call *second;
	size_t moved;
	uint64_t got;
	int result;

	switch (letter) {
	case 'p':
	case 'u':
	case 't':
		current[thread] = c = begin('p', value);
		end(c, verbs->put(value, how));
		break;
	case '2':
		current[thread] = c = begin('p', value);
		second = begin('p', value + 1);
		second->begin = c->begin + 1; /* behind the first, as far as order goes */
		moved = verbs->put_many(value);
		end(c, moved > 0 ? 0 : EPIPE);
		end(second, moved > 1 ? 0 : EPIPE);
		break;
	case 'g':
	case 'v':
	case 'r':
		current[thread] = c = begin('g', 0);
		result = verbs->get(&got, how);
		schedule_require((result == 0) == (got != 0), "writes an item it did not get");
		c->value = got;
		end(c, result);
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

static void
set_up(void)
{
	if (verbs->init(capacity) != 0)
		abort();
	calls = 0;
	memset(current, 0, sizeof(current));
	for (size_t i = 0; i < prefilled; i++) {
		struct call *const c = begin('p', i + 1);

		end(c, verbs->put(i + 1, 't'));
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

static bool
discarding(void)
{
	return count_begun('x', NEVER) != 0;
}

static bool
closed_by(unsigned int time)
{
	return count_begun('c', time) + count_begun('x', time) != 0;
}

/* When nobody can go on: every call has ended, or sleeps and has changed nothing. */
static bool
may_sleep(unsigned int thread)
{
	const unsigned int puts = count_ended('p', NEVER);
	const unsigned int gets = count_ended('g', NEVER);
	const struct call *const c = current[thread];

	if (discarding())
		return false;
	switch (c->what) {
	case 'p':
		return puts - gets >= capacity && !closed_by(NEVER);
	case 'g':
		return puts <= gets && !closed_by(NEVER);
	case 'j':
		return puts != count_ended('d', NEVER);
	default:
		return false;
	}
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
	/* At the gate of CK_MPMC a deadline may pass without a look at the ring. */
	if (put->result == EAGAIN || (put->result == ETIMEDOUT && verbs != &ck_mpmc_verbs))
		schedule_require(count_begun('p', put->end) >=
					 count_ended('g', put->begin) + capacity,
				 "a put says full when it is not");
	if (put->result != 0)
		return;
	schedule_require(get == NULL || get->end > put->begin, "an item is got before it is put");
	schedule_require(count_ended('p', put->end + 1) <=
				 count_begun('g', put->end) + capacity +
					 (discarding() ? (unsigned int)CALLS : 0),
			 "more items are in than the capacity");
	for (unsigned int i = 0; i < calls; i++) {
		const struct call *const later = &call[i];
		const struct call *later_get;

		if (later->what == 'c' || later->what == 'x')
			schedule_require(later->end > put->begin, "a put is accepted after close");
		if (later->what != 'p' || later->result != 0 || later->begin <= put->end)
			continue;
		later_get = get_of(later->value);
		if (later_get == NULL)
			continue;
		schedule_require(get != NULL || discarding(), "an item is passed over");
		schedule_require(get == NULL || later_get->end > get->begin,
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

static void
check(void)
{
	size_t left = 0;
	size_t accepted = 0;
	size_t got = 0;
	size_t dropped = 0;
	bool said_drained = false;
	bool finished = schedule_now.wrong == NULL;
	uint64_t value;

	for (unsigned int i = 0; i < calls && schedule_now.wrong == NULL; i++) {
		const struct call *const c = &call[i];

		finished &= c->result != UNFINISHED;
		accepted += c->what == 'p' && c->result == 0;
		got += c->what == 'g' && c->result == 0;
		dropped += c->dropped;
		said_drained |= c->what == 'g' && c->result == EPIPE;
		if (c->what == 'p')
			check_put(c);
		else if (c->what == 'g')
			check_get(c);
		else if (c->what == 'd' && c->result == EINVAL)
			schedule_require(count_ended('g', c->begin) <= count_begun('d', c->end),
					 "a task is refused that was got");
		else if (c->what == 'j' && c->result == 0)
			schedule_require(discarding() || count_ended('p', c->begin) <=
								 count_begun('d', c->end),
					 "join returns too early");
	}
	if (schedule_now.wrong == NULL) {
		schedule_require(count_ended('d', NEVER) <= got, "more are done than were got");
		schedule_require(verbs->size() == accepted - got - dropped,
				 "the size is wrong in the end");
		while (verbs->get(&value, 't') == 0) {
			left++;
			got++;
		}
		schedule_require(accepted == got + dropped,
				 "an item is lost, or came from nowhere");
		schedule_require(!said_drained || left == 0, "drained, said a get, and it was not");
	}
	if (finished && schedule_now.wrong == NULL)
		schedule_require(queue.any.not_empty.word == 0 && queue.any.not_full.word == 0 &&
					 queue.any.all_done.word == 0,
				 "announcements or signals are left behind");
	verbs->destroy();
}

struct bounds {
	unsigned int preemptions;
	unsigned int delays;
	unsigned int faults;
};

#define WITHIN(PREEMPTIONS, DELAYS, FAULTS) ((struct bounds){(PREEMPTIONS), (DELAYS), (FAULTS)})

static void
every_schedule(const struct verbs *of, const char *name, size_t holds, size_t filled,
	       const char *program, struct bounds bounds)
{
	char title[100];
	struct schedule plan = {.name = title,
				.set_up = set_up,
				.body = body,
				.may_sleep = may_sleep,
				.check = check,
				.preemptions = bounds.preemptions > 1
						       ? bounds.preemptions - SCHEDULE_SLOW
						       : bounds.preemptions,
				.delays = bounds.delays,
				.faults = bounds.faults};

	(void)snprintf(title, sizeof(title), "%s-%zu-of-%zu-%s", name, filled, holds, program);
	verbs = of;
	capacity = holds;
	prefilled = filled;
	letters[plan.threads++] = program;
	for (const char *at = program; (at = strchr(at, '|')) != NULL;)
		letters[plan.threads++] = ++at;
	schedule_holds(&plan);
}

/* NAME, capacity, of which full, program */
#define EVERY_SCHEDULE(NAME, ...) every_schedule(&NAME##_verbs, #NAME, __VA_ARGS__)

TEST(mpmc, two_producers_and_two_consumers_lose_nothing_and_nobody)
{
	EVERY_SCHEDULE(mpmc, 1, 0, "p|p|g|g", WITHIN(2, 0, 0));
	EVERY_SCHEDULE(mpmc, 1, 0, "p|p|g|g", WITHIN(1, 1, 1));
	EVERY_SCHEDULE(mpmc, 2, 0, "pp|p|gg|g", WITHIN(1, 1, 0));
	EVERY_SCHEDULE(mpmc, 1, 0, "pp|p|gg|g", WITHIN(1, 0, 1));
}

TEST(mpmc, one_producer_and_one_consumer_lose_nothing_and_nobody)
{
	EVERY_SCHEDULE(mpmc, 1, 0, "pp|gg", WITHIN(3, 1, 1));
	EVERY_SCHEDULE(mpmc, 2, 0, "ppp|ggg", WITHIN(3, 0, 0));
}

TEST(mpmc, a_capacity_that_is_no_power_of_two_is_exact_over_laps)
{
	EVERY_SCHEDULE(mpmc, 3, 2, "pp|p|ggg", WITHIN(2, 0, 0));
	EVERY_SCHEDULE(mpmc, 3, 3, "tt|gg|r", WITHIN(2, 0, 0));
}

TEST(mpmc, try_put_and_try_get_tell_the_truth)
{
	EVERY_SCHEDULE(mpmc, 1, 0, "tt|t|rr", WITHIN(3, 0, 0));
	EVERY_SCHEDULE(mpmc, 1, 1, "tr|rt|rr", WITHIN(3, 0, 0));
	EVERY_SCHEDULE(mpmc, 2, 1, "tt|rt|rr", WITHIN(2, 1, 0));
}

TEST(mpmc, every_item_wakes_a_consumer_also_when_there_was_one_before)
{
	EVERY_SCHEDULE(mpmc, 2, 0, "pp|g|g", WITHIN(2, 0, 1));
	EVERY_SCHEDULE(mpmc, 2, 0, "2|g|g", WITHIN(2, 0, 1));
}

TEST(mpmc, every_room_wakes_a_producer_also_when_there_was_some_before)
{
	EVERY_SCHEDULE(mpmc, 2, 2, "p|p|gg", WITHIN(2, 0, 1));
	EVERY_SCHEDULE(mpmc, 1, 1, "2|p|ggg", WITHIN(2, 0, 0));
}

TEST(mpmc, a_put_that_raced_with_close_is_refused_or_got)
{
	EVERY_SCHEDULE(mpmc, 1, 0, "p|c|g", WITHIN(3, 1, 0));
	EVERY_SCHEDULE(mpmc, 2, 0, "p|c|gg", WITHIN(2, 1, 1));
	EVERY_SCHEDULE(mpmc, 1, 0, "p|c|r|g", WITHIN(2, 0, 0));
}

TEST(mpmc, close_wakes_all)
{
	EVERY_SCHEDULE(mpmc, 1, 0, "g|g|c", WITHIN(3, 1, 1));
	EVERY_SCHEDULE(mpmc, 1, 1, "p|p|c", WITHIN(3, 1, 1));
	EVERY_SCHEDULE(mpmc, 1, 0, "g|g|p|c", WITHIN(2, 0, 0));
	EVERY_SCHEDULE(mpmc, 1, 1, "p|p|g|c", WITHIN(2, 0, 0));
}

TEST(mpmc, what_close_discard_drops_is_counted)
{
	EVERY_SCHEDULE(mpmc, 2, 1, "p|x|g", WITHIN(2, 0, 0));
}

TEST(mpmc, join_returns_when_all_is_done_and_not_before)
{
	EVERY_SCHEDULE(mpmc, 1, 1, "gd|j", WITHIN(4, 1, 1));
	EVERY_SCHEDULE(mpmc, 2, 1, "pj|gd|gd", WITHIN(2, 0, 1));
	EVERY_SCHEDULE(mpmc, 2, 2, "gd|gd|j|w", WITHIN(2, 0, 0));
	EVERY_SCHEDULE(mpmc, 1, 1, "gd|d|j", WITHIN(3, 0, 0));
}

TEST(mpmc, a_deadline_costs_nobody_a_wake)
{
	EVERY_SCHEDULE(mpmc, 1, 0, "v|g|p", WITHIN(3, 0, 1));
	EVERY_SCHEDULE(mpmc, 1, 1, "u|p|g", WITHIN(3, 0, 1));
	EVERY_SCHEDULE(mpmc, 1, 1, "u|u|v|r", WITHIN(2, 0, 1));
}

TEST(spmc, a_lone_producer_and_the_tombstone)
{
	EVERY_SCHEDULE(spmc, 1, 0, "p|c|g", WITHIN(3, 1, 0));
	EVERY_SCHEDULE(spmc, 1, 0, "pp|c|g|g", WITHIN(2, 1, 0));
	EVERY_SCHEDULE(spmc, 2, 1, "pp|c|gg", WITHIN(2, 1, 1));
}

TEST(spmc, a_lone_producer_and_two_consumers_lose_nothing_and_nobody)
{
	EVERY_SCHEDULE(spmc, 1, 0, "pp|g|g", WITHIN(3, 1, 0));
	EVERY_SCHEDULE(spmc, 2, 0, "ppp|gg|g", WITHIN(2, 1, 0));
}

TEST(spsc, one_and_one_lose_nothing_and_nobody)
{
	EVERY_SCHEDULE(spsc, 1, 0, "ppp|ggg", WITHIN(3, 1, 0));
	EVERY_SCHEDULE(spsc, 1, 0, "pp|gg", WITHIN(3, 1, 1));
	EVERY_SCHEDULE(spsc, 1, 0, "pp|ggg|c", WITHIN(2, 1, 1));
	EVERY_SCHEDULE(spsc, 2, 1, "p|c|x", WITHIN(3, 1, 0));
}

TEST(ck_mpmc, two_producers_take_turns_at_the_gate)
{
	EVERY_SCHEDULE(ck_mpmc, 1, 0, "p|p|gg", WITHIN(2, 1, 1));
	EVERY_SCHEDULE(ck_mpmc, 1, 0, "pp|p|g|gg", WITHIN(1, 1, 0));
	EVERY_SCHEDULE(ck_mpmc, 2, 1, "t|t|rr", WITHIN(2, 1, 0));
}

TEST(ck_mpmc, a_put_that_gives_up_at_the_gate_costs_nobody_a_wake)
{
	EVERY_SCHEDULE(ck_mpmc, 1, 1, "u|p|g", WITHIN(2, 0, 1));
	EVERY_SCHEDULE(ck_mpmc, 2, 2, "p|u|p|gg", WITHIN(1, 0, 1));
	EVERY_SCHEDULE(ck_mpmc, 2, 2, "t|u|p|gg", WITHIN(2, 0, 1));
}

TEST(ck_mpmc, a_put_that_raced_with_close_is_refused_or_got)
{
	EVERY_SCHEDULE(ck_mpmc, 1, 0, "p|c|g", WITHIN(3, 1, 0));
	EVERY_SCHEDULE(ck_mpmc, 1, 0, "p|p|c|gg", WITHIN(2, 0, 0));
	EVERY_SCHEDULE(ck_mpmc, 1, 1, "p|x|g", WITHIN(2, 0, 0));
}

TEST(ck_mpmc, join_returns_when_all_is_done_and_not_before)
{
	EVERY_SCHEDULE(ck_mpmc, 2, 1, "pj|gd|gd", WITHIN(2, 1, 0));
}

TEST(ck_spsc, one_and_one_lose_nothing_and_nobody)
{
	EVERY_SCHEDULE(ck_spsc, 1, 0, "pp|gg", WITHIN(3, 1, 1));
	EVERY_SCHEDULE(ck_spsc, 1, 0, "pp|ggg|c", WITHIN(2, 1, 0));
}

TEST(wide, items_go_through_slots_whole_and_once)
{
	EVERY_SCHEDULE(wide, 1, 0, "p|p|gg", WITHIN(2, 1, 0));
	EVERY_SCHEDULE(wide, 1, 0, "pp|p|g|gg", WITHIN(1, 0, 0));
	EVERY_SCHEDULE(wide, 1, 0, "p|c|g", WITHIN(2, 1, 1));
	EVERY_SCHEDULE(wide_spmc, 1, 0, "pp|g|g", WITHIN(2, 1, 0));
}
