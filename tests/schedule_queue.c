/* SPDX-License-Identifier: MIT */
/*
 * schedule_queue.c - the queues under every schedule: nothing lost, nobody stuck, no answer untrue.
 *
 * schedule_program.h says how a program is written and what is judged. What is driven:
 *
 *                                            narrow and wide items, in
 *   every verb, one or two threads at a time   MPMC, SPMC, MPSC, SPSC, CK_SPMC (= CK_SPSC), CK_MPMC
 *   with rivals: put, get, try, until          MPMC, SPMC (consumers), MPSC (producers), CK_MPMC
 *   close, close_discard against put and get   all
 *   join, task_done                            all
 *   batches                                    all; with rivals MPMC, CK_MPMC
 *   counters near their wrap                   all
 *   lone sides, with and without heavy fences  SPMC, MPSC, SPSC
 *
 * "every_flavour" below is the table; the other tests go deeper where a flavour has its own code.
 */
#include "schedule_program.h"

/* What a queue must stand: one producer, one or two consumers, every verb. */
static const struct {
	const char *text;
	size_t capacity;
	size_t filled;
} verbs_in_turn[] = {
	{"pp|gg", 1, 0},   {"tt|rr", 1, 0},   {"uu|vv", 1, 0},  {"tP|gG", 1, 0}, {"TT|RR", 2, 1},
	{"ps|gs|c", 1, 0}, {"P|G|c", 1, 0},   {"T|R|x", 2, 1},  {"P|G|G", 2, 0}, {"uc|vv", 1, 0},
	{"pj|gd", 1, 0},   {"tw|gd|r", 1, 0}, {"j|gd|w", 1, 1}, {"P|x|G", 1, 0}, {"p|gd|x|j", 1, 0},
};

static void
every_verb(const struct verbs *verbs, const char *name)
{
	for (size_t i = 0; i < sizeof(verbs_in_turn) / sizeof(verbs_in_turn[0]); i++) {
		const bool two_threads =
			strlen(verbs_in_turn[i].text) == 5 && verbs_in_turn[i].text[2] == '|';
		const struct program p = {.verbs = verbs,
					  .name = name,
					  .text = verbs_in_turn[i].text,
					  .capacity = verbs_in_turn[i].capacity,
					  .filled = verbs_in_turn[i].filled,
					  .preemptions = 1u + schedule_is_long(),
					  .delays = 1,
					  .faults = two_threads};

		if (fits(verbs, p.text))
			run_program(&p);
	}
}

TEST(every_flavour, drives_every_verb)
{
	every_verb(&mpmc_verbs, "mpmc");
	every_verb(&spmc_verbs, "spmc");
	every_verb(&mpsc_verbs, "mpsc");
	every_verb(&spsc_verbs, "spsc");
	every_verb(&ck_spmc_verbs, "ck_spmc");
	every_verb(&ck_mpmc_verbs, "ck_mpmc");
}

TEST(every_flavour, drives_every_verb_with_wide_items)
{
	every_verb(&wide_verbs, "wide");
	every_verb(&wide_spmc_verbs, "wide_spmc");
	every_verb(&wide_mpsc_verbs, "wide_mpsc");
	every_verb(&wide_spsc_verbs, "wide_spsc");
	every_verb(&wide_ck_spmc_verbs, "wide_ck_spmc");
	every_verb(&wide_ck_mpmc_verbs, "wide_ck_mpmc");
}

/* Tickets where 2^32 is passed, and 2^63, and near the end of tickets. */
static const uint64_t wraps[] = {(uint64_t)1 << 32, (uint64_t)1 << 63, UINT64_MAX - (1 << 16) + 1};

static void
every_wrap(const struct verbs *verbs, const char *name, size_t capacity, const char *text)
{
	for (size_t i = 0; i < sizeof(wraps) / sizeof(wraps[0]); i++) {
		const struct program p = {.verbs = verbs,
					  .name = name,
					  .text = text,
					  .capacity = capacity,
					  .wound = wraps[i],
					  .preemptions = 1u + schedule_is_long(),
					  .faults = 1};

		run_program(&p);
	}
}

#define EVERY_WRAP(NAME, CAPACITY, TEXT) every_wrap(&NAME##_verbs, #NAME, CAPACITY, TEXT)

TEST(counters, of_the_cell_ring_pass_their_round_numbers)
{
	EVERY_WRAP(mpmc, 1, "ppp|ggg");
	EVERY_WRAP(mpmc, 3, "pp|pp|gg|gg");
	EVERY_WRAP(mpmc, 2, "TT|tr|RR");
	EVERY_WRAP(mpmc, 2, "Pj|gdgd");
	EVERY_WRAP(mpmc, 1, "pp|gg|c");
	EVERY_WRAP(mpmc, 1, "pp|g|x");
	EVERY_WRAP(spmc, 1, "ppp|ggg");
	EVERY_WRAP(spmc, 3, "PP|GG|c");
	EVERY_WRAP(mpsc, 3, "P|P|GG");
	EVERY_WRAP(mpsc, 1, "pp|gg|x");
	EVERY_WRAP(spsc, 1, "ppp|ggg");
	EVERY_WRAP(spsc, 3, "pp|gg|x");
	EVERY_WRAP(wide, 1, "pp|gg");
	EVERY_WRAP(wide_spsc, 1, "pp|gg");
	EVERY_WRAP(wide, 2, "Ps|sG|c");
}

TEST(counters, of_ck_ring_pass_their_round_numbers)
{
	EVERY_WRAP(ck_mpmc, 1, "pp|p|ggg");
	EVERY_WRAP(ck_mpmc, 2, "TT|tr|RR");
	EVERY_WRAP(ck_mpmc, 1, "pp|gg|c");
	EVERY_WRAP(ck_spmc, 3, "PP|GG|c");
	EVERY_WRAP(ck_spmc, 2, "Pj|gdgd");
	EVERY_WRAP(wide_ck_spmc, 1, "ps|sgs");
}

TEST(counters, of_events_pass_2_to_the_32)
{
	EVERY_WRAP(mpmc, 1, "v|g|p|p");
	EVERY_WRAP(mpmc, 1, "p|pp|ggg");
	EVERY_WRAP(mpmc, 1, "g|g|c");
}

TEST(batches, keep_their_order_and_wake_as_many_as_they_move)
{
	EVERY_SCHEDULE(mpmc, 2, 2, "G|p|p", WITHIN(2, 0, 1));
	EVERY_SCHEDULE(mpmc, 2, 2, "R|p|p|gg", WITHIN(1, 0, 0));
	EVERY_SCHEDULE(mpmc, 2, 0, "T|g|g", WITHIN(2, 1, 0));
	EVERY_SCHEDULE(mpmc, 2, 0, "P|P|GG", WITHIN(2, 0, 0));
	EVERY_SCHEDULE(mpmc, 3, 1, "P|T|G|R", WITHIN(1, 0, 0));
	EVERY_SCHEDULE(mpmc, 1, 0, "P|G|G", WITHIN(2, 1, 0));
	EVERY_SCHEDULE(mpmc, 2, 1, "P|T|c|GR", WITHIN(1, 0, 0));
	EVERY_SCHEDULE(spmc, 2, 2, "gG|P", WITHIN(3, 0, 1));
	EVERY_SCHEDULE(wide, 2, 0, "P|P|GG", WITHIN(1, 0, 0));
	EVERY_SCHEDULE(ck_mpmc, 2, 0, "P|P|GG", WITHIN(1, 0, 0));
	EVERY_SCHEDULE(ck_mpmc, 2, 2, "G|p|p", WITHIN(2, 0, 0));
	EVERY_SCHEDULE(ck_mpmc, 2, 0, "P|g|g", WITHIN(2, 0, 0));
}

/* More than one part, which no program of letters is long enough for. */
enum {
	LONG_BATCH = SLUICE_PRIV_PART + 2
};
static uint64_t long_batch[LONG_BATCH];
static size_t long_batch_got;
static bool long_batch_waited;
static size_t longest_batch_got;

static void
set_up_long_batch(void)
{
	if (mpmc_init(&queue.mpmc, LONG_BATCH, &at_once) != 0)
		abort();
	long_batch_got = 0;
	long_batch_waited = false;
}

static void
move_long_batch(unsigned int thread)
{
	uint64_t items[LONG_BATCH];

	for (uint64_t i = 0; i < LONG_BATCH; i++)
		items[i] = i;
	if (thread == 0) {
		long_batch_got = mpmc_get_many(&queue.mpmc, long_batch, LONG_BATCH);
		return;
	}
	long_batch_waited = schedule_now.thread[0].state == SCHEDULE_ASLEEP;
	if (mpmc_put_many(&queue.mpmc, items, LONG_BATCH) != LONG_BATCH)
		schedule_wrong("puts less than a batch");
}

static bool
may_never_sleep(unsigned int thread)
{
	(void)thread;
	return false;
}

static void
check_long_batch(void)
{
	schedule_require(schedule_now.wrong != NULL || long_batch_got != 0, "gets nothing");
	if (long_batch_waited && long_batch_got > longest_batch_got)
		longest_batch_got = long_batch_got;
	long_batch_got += mpmc_try_get_many(&queue.mpmc, &long_batch[long_batch_got],
					    LONG_BATCH - long_batch_got);
	for (uint64_t i = 0; i < LONG_BATCH && schedule_now.wrong == NULL; i++)
		schedule_require(i < long_batch_got && long_batch[i] == i,
				 "loses an item of a batch, or its order");
	mpmc_destroy(&queue.mpmc);
}

TEST(batches, a_get_many_that_waited_goes_on_behind_its_first_part)
{
	longest_batch_got = 0;
	schedule_holds(&(const struct schedule){.name = "long_batch",
						.threads = 2,
						.set_up = set_up_long_batch,
						.body = move_long_batch,
						.may_sleep = may_never_sleep,
						.check = check_long_batch,
						WITHIN(1, 0, 0)});
	cr_assert_eq(longest_batch_got, LONG_BATCH);
}

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
	EVERY_SCHEDULE(mpmc, 2, 0, "P|g|g", WITHIN(2, 0, 1));
}

TEST(mpmc, every_room_wakes_a_producer_also_when_there_was_some_before)
{
	EVERY_SCHEDULE(mpmc, 2, 2, "p|p|gg", WITHIN(2, 0, 1));
	EVERY_SCHEDULE(mpmc, 1, 1, "P|p|ggg", WITHIN(2, 0, 0));
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
	EVERY_SCHEDULE(mpmc, 2, 1, "g|pgd|j", WITHIN(2, 0, 0));
}

TEST(mpmc, the_size_is_within_the_capacity_and_within_what_was_put)
{
	EVERY_SCHEDULE(mpmc, 1, 1, "gp|s", WITHIN(2, 0, 0));
	EVERY_SCHEDULE(mpmc, 2, 0, "tr|s", WITHIN(2, 0, 0));
}

TEST(mpmc, a_deadline_costs_nobody_a_wake)
{
	EVERY_SCHEDULE(mpmc, 1, 0, "v|g|p", WITHIN(3, 0, 1));
	EVERY_SCHEDULE(mpmc, 1, 1, "u|p|g", WITHIN(3, 0, 1));
	EVERY_SCHEDULE(mpmc, 1, 1, "u|u|v|r", WITHIN(2, 0, 1));
}

/* One producer and one consumer at most, as every flavour may have; beside them whoever closes and joins. */
struct case_of_closing {
	const char *text;
	size_t capacity;
	size_t filled;
	unsigned int preemptions;
};

/* Also without heavy fences, if the flavour has any. */
static void
every_case(const struct verbs *verbs, const char *name, const struct case_of_closing *cases,
	   size_t n)
{
	const unsigned int flavour = (unsigned int)verbs->flavour;
	const bool lone = !sluice_priv_is_ck(flavour) && (sluice_priv_is_lone_producer(flavour) ||
							  sluice_priv_is_lone_consumer(flavour));

	for (size_t i = 0; i < n * (1 + lone); i++) {
		const struct case_of_closing *const this = &cases[i % n];
		const struct program p = {.verbs = verbs,
					  .name = name,
					  .text = this->text,
					  .capacity = this->capacity,
					  .filled = this->filled,
					  .preemptions = this->preemptions + schedule_is_long(),
					  .delays = 1,
					  .symmetric = i >= n};

		run_program(&p);
	}
}

#define EVERY_CASE(NAME, CASES)                                                                    \
	every_case(&NAME##_verbs, #NAME, CASES, sizeof(CASES) / sizeof((CASES)[0]))

static const struct case_of_closing a_put_under_way[] = {
	{"p|c|g", 1, 0, 2}, {"p|cr", 1, 0, 3},  {"p|x|g", 1, 0, 2},
	{"tt|cr", 2, 0, 2}, {"P|c|R", 2, 0, 1},
};

static const struct case_of_closing a_get_under_way[] = {
	{"g|x", 1, 1, 3}, {"gg|x", 2, 2, 2},  {"r|x|x", 2, 1, 2}, {"G|x", 2, 2, 2},
	{"R|x", 3, 3, 2}, {"p|x|r", 2, 1, 2}, {"r|xs", 2, 2, 2},
};

static const struct case_of_closing a_join_beside_it[] = {
	{"p|c|j", 1, 0, 2},  {"p|gd|x|j", 1, 0, 1}, {"gd|x|j", 2, 2, 2},
	{"pcj|gd", 1, 0, 2}, {"d|x|r", 2, 1, 2},
};

TEST(closing, accepts_a_put_that_is_under_way_or_refuses_it)
{
	EVERY_CASE(mpmc, a_put_under_way);
	EVERY_CASE(spmc, a_put_under_way);
	EVERY_CASE(mpsc, a_put_under_way);
	EVERY_CASE(spsc, a_put_under_way);
	EVERY_CASE(wide, a_put_under_way);
	EVERY_CASE(wide_spmc, a_put_under_way);
	EVERY_CASE(wide_mpsc, a_put_under_way);
	EVERY_CASE(wide_spsc, a_put_under_way);
	EVERY_CASE(ck_spmc, a_put_under_way);
	EVERY_CASE(ck_mpmc, a_put_under_way);
}

TEST(closing, drops_an_item_or_leaves_it_to_a_get_that_is_under_way)
{
	EVERY_CASE(mpmc, a_get_under_way);
	EVERY_CASE(spmc, a_get_under_way);
	EVERY_CASE(mpsc, a_get_under_way);
	EVERY_CASE(spsc, a_get_under_way);
	EVERY_CASE(wide, a_get_under_way);
	EVERY_CASE(wide_spmc, a_get_under_way);
	EVERY_CASE(wide_mpsc, a_get_under_way);
	EVERY_CASE(wide_spsc, a_get_under_way);
	EVERY_CASE(ck_spmc, a_get_under_way);
	EVERY_CASE(ck_mpmc, a_get_under_way);
}

TEST(closing, lets_a_join_return_when_all_that_was_accepted_is_done_or_dropped)
{
	EVERY_CASE(mpmc, a_join_beside_it);
	EVERY_CASE(spmc, a_join_beside_it);
	EVERY_CASE(mpsc, a_join_beside_it);
	EVERY_CASE(spsc, a_join_beside_it);
	EVERY_CASE(ck_spmc, a_join_beside_it);
	EVERY_CASE(ck_mpmc, a_join_beside_it);
}

/* A refused item is in its cell, and no item. */
TEST(closing, a_refused_put_makes_nothing_full_and_counts_nowhere)
{
	EVERY_SCHEDULE(mpmc, 1, 0, "t|t|x", WITHIN(2, 0, 0));
	EVERY_SCHEDULE(mpmc, 1, 0, "t|t|cr", WITHIN(2, 0, 0));
	EVERY_SCHEDULE(mpsc, 1, 0, "t|t|cr", WITHIN(2, 0, 0));
	EVERY_SCHEDULE(mpmc, 2, 0, "p|s|x", WITHIN(2, 0, 0));
	EVERY_SCHEDULE(mpmc, 2, 1, "s|x", WITHIN(2, 0, 0));
	EVERY_SCHEDULE(mpmc, 1, 0, "d|x", WITHIN(2, 0, 0));
	EVERY_SCHEDULE_IF_LONG(mpmc, 1, 0, "p|s|r|x", WITHIN(4, 0, 0));
	EVERY_SCHEDULE_IF_LONG(mpmc, 1, 0, "p|d|r|x", WITHIN(4, 0, 0));
	EVERY_SCHEDULE(mpmc, 1, 0, "p|cr|j", WITHIN(3, 0, 0));
	EVERY_SCHEDULE(mpmc, 1, 1, "x|d|r", WITHIN(4, 0, 0));
}

/* F1, which is heavy for the sake of a lone side's waker. */
TEST(lone, sides_wake_whoever_waits_for_them)
{
	for (unsigned int symmetric = 0; symmetric < 2; symmetric++) {
		EVERY_SCHEDULE(spmc, 1, 0, "p|g", WITHIN(2, 1, 1), .symmetric = symmetric);
		EVERY_SCHEDULE(spmc, 2, 0, "pp|g|g", WITHIN(2, 1, 0), .symmetric = symmetric);
		EVERY_SCHEDULE(mpsc, 1, 1, "p|g", WITHIN(2, 1, 1), .symmetric = symmetric);
		EVERY_SCHEDULE(mpsc, 2, 2, "p|p|gg", WITHIN(2, 1, 0), .symmetric = symmetric);
		EVERY_SCHEDULE(mpsc, 1, 0, "p|p|gg", WITHIN(2, 1, 0), .symmetric = symmetric);
		EVERY_SCHEDULE(spsc, 1, 0, "pp|gg", WITHIN(2, 1, 1), .symmetric = symmetric);
		EVERY_SCHEDULE(spsc, 2, 2, "p|g", WITHIN(3, 1, 1), .symmetric = symmetric);
		EVERY_SCHEDULE(spsc, 2, 0, "ppp|ggg", WITHIN(2, 2, 0), .symmetric = symmetric);
		EVERY_SCHEDULE(wide_spmc, 1, 1, "pp|gg", WITHIN(2, 1, 0), .symmetric = symmetric);
		EVERY_SCHEDULE(wide_mpsc, 1, 1, "pp|gg", WITHIN(2, 1, 0), .symmetric = symmetric);
		EVERY_SCHEDULE(wide_spsc, 1, 1, "pp|gg", WITHIN(2, 1, 0), .symmetric = symmetric);
	}
}

TEST(lone, a_consumer_frees_a_cell_when_it_has_read_it)
{
	EVERY_SCHEDULE(mpsc, 1, 1, "t|t|rr", WITHIN(3, 1, 0));
	EVERY_SCHEDULE(spsc, 1, 1, "tt|rr", WITHIN(3, 2, 0));
	EVERY_SCHEDULE(wide_spsc, 1, 1, "tt|rr", WITHIN(3, 2, 0));
	EVERY_SCHEDULE(wide_mpsc, 1, 1, "t|t|rr", WITHIN(2, 1, 0));
	EVERY_SCHEDULE(wide_mpsc, 3, 2, "pp|ggg", WITHIN(2, 1, 0));
}

TEST(spmc, a_lone_producer_beside_close)
{
	EVERY_SCHEDULE(spmc, 1, 0, "p|c|g", WITHIN(3, 1, 0));
	EVERY_SCHEDULE(spmc, 1, 0, "pp|c|g|g", WITHIN(2, 0, 0));
	EVERY_SCHEDULE_IF_LONG(spmc, 1, 0, "pp|c|g|g", WITHIN(2, 1, 0));
	EVERY_SCHEDULE(spmc, 2, 1, "pp|c|gg", WITHIN(2, 1, 0));
}

TEST(spmc, a_lone_producer_and_two_consumers_lose_nothing_and_nobody)
{
	EVERY_SCHEDULE(spmc, 1, 0, "pp|g|g", WITHIN(3, 0, 0));
	EVERY_SCHEDULE(spmc, 1, 0, "pp|g|g", WITHIN(2, 1, 0));
	EVERY_SCHEDULE_IF_LONG(spmc, 1, 0, "pp|g|g", WITHIN(3, 1, 0));
	EVERY_SCHEDULE(spmc, 2, 0, "pp|gg|g", WITHIN(2, 1, 0));
}

TEST(spmc, one_and_one_lose_nothing_and_nobody)
{
	EVERY_SCHEDULE(spmc, 1, 0, "ppp|ggg", WITHIN(2, 1, 0));
	EVERY_SCHEDULE(spmc, 1, 0, "pp|gg", WITHIN(3, 1, 0));
	EVERY_SCHEDULE(spmc, 1, 0, "pp|ggg|c", WITHIN(2, 1, 0));
	EVERY_SCHEDULE(spmc, 2, 1, "p|c|x", WITHIN(3, 1, 0));
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
	EVERY_SCHEDULE_IF_LONG(ck_mpmc, 2, 2, "t|u|p|gg", WITHIN(2, 0, 1));
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
	EVERY_SCHEDULE(ck_mpmc, 1, 0, "p|gdd", WITHIN(2, 0, 0));
}

TEST(ck_mpmc, a_get_that_loses_its_item_to_another_leaves_its_target_alone)
{
	EVERY_SCHEDULE(ck_mpmc, 1, 1, "r|r", WITHIN(2, 0, 0));
}

TEST(ck_spmc, one_and_one_lose_nothing_and_nobody)
{
	EVERY_SCHEDULE(ck_spmc, 1, 0, "pp|gg", WITHIN(3, 1, 1));
	EVERY_SCHEDULE(ck_spmc, 1, 0, "pp|ggg|c", WITHIN(2, 1, 0));
}

TEST(wide, items_go_through_slots_whole_and_once)
{
	EVERY_SCHEDULE(wide, 1, 0, "p|p|gg", WITHIN(2, 1, 0));
	EVERY_SCHEDULE(wide, 1, 0, "pp|p|g|gg", WITHIN(1, 0, 0));
	EVERY_SCHEDULE(wide, 1, 0, "p|c|g", WITHIN(2, 1, 1));
	EVERY_SCHEDULE(wide_spmc, 1, 0, "pp|g|g", WITHIN(2, 1, 0));
}

/* Capacity 2, full; three that sleep, two rooms, two wakes. One claims, one gives up: the third must hear. */
TEST(wide, a_put_that_gives_up_busy_passes_its_wake_on)
{
	EVERY_SCHEDULE(wide, 2, 2, "p|u|p|G", WITHIN(1, 0, 1), .withhold = SLUICE_PRIV_SPARE_SLOTS);
}

TEST(wide, a_put_steps_over_one_that_has_claimed)
{
	EVERY_SCHEDULE(wide, 2, 0, "p|p|gg", WITHIN(2, 0, 0));
	EVERY_SCHEDULE(wide, 2, 0, "p|p|p|ggg", WITHIN(1, 0, 0));
	EVERY_SCHEDULE(wide, 3, 0, "p|p|p|gg", WITHIN(1, 0, 0),
		       .withhold = SLUICE_PRIV_SPARE_SLOTS - 1);
	EVERY_SCHEDULE(wide_mpsc, 2, 0, "p|p|gg", WITHIN(2, 1, 0));
}

/* Where a locked operation is no full fence, F1, F2, E1, D2 and G1 stand in for it. */
TEST(weak, fences_keep_every_wake)
{
	EVERY_SCHEDULE(mpmc, 1, 0, "p|g", WITHIN(2, 1, 0), .weak = true);
	EVERY_SCHEDULE(mpmc, 1, 1, "p|g", WITHIN(2, 1, 0), .weak = true);
	EVERY_SCHEDULE(mpmc, 1, 1, "gd|j", WITHIN(2, 1, 0), .weak = true);
	EVERY_SCHEDULE(mpmc, 1, 0, "g|c", WITHIN(2, 1, 0), .weak = true);
	EVERY_SCHEDULE(mpmc, 1, 1, "p|c", WITHIN(2, 1, 0), .weak = true);
	EVERY_SCHEDULE(mpmc, 1, 0, "p|p|gg", WITHIN(1, 1, 0), .weak = true);
	EVERY_SCHEDULE(spmc, 1, 0, "pp|gg", WITHIN(2, 1, 0), .weak = true);
	EVERY_SCHEDULE(spmc, 1, 0, "p|c|g", WITHIN(2, 1, 0), .weak = true);
	EVERY_SCHEDULE(mpsc, 1, 1, "pp|gg", WITHIN(2, 1, 0), .weak = true);
	EVERY_SCHEDULE(wide, 1, 0, "p|p|gg", WITHIN(1, 1, 0), .weak = true);
	EVERY_SCHEDULE(wide, 1, 1, "pp|gg", WITHIN(1, 1, 0), .weak = true);
	EVERY_SCHEDULE(mpmc, 1, 0, "p|cr", WITHIN(3, 1, 0), .weak = true);
	EVERY_SCHEDULE(mpmc, 1, 1, "g|x", WITHIN(3, 1, 0), .weak = true);
	EVERY_SCHEDULE(ck_spmc, 1, 0, "pp|gg", WITHIN(2, 1, 0), .weak = true);
	EVERY_SCHEDULE(ck_spmc, 1, 0, "p|c|g", WITHIN(2, 1, 0), .weak = true);
	EVERY_SCHEDULE(ck_mpmc, 2, 0, "p|p|gg", WITHIN(1, 1, 0), .weak = true);
	EVERY_SCHEDULE(ck_mpmc, 2, 0, "p|u|c", WITHIN(2, 1, 0), .weak = true);
}
