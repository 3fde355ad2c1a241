/* SPDX-License-Identifier: MIT */
/*
 * schedule_queue.c - the queues under every schedule: nothing lost, nobody stuck, no answer untrue.
 *
 * schedule_program.h says how a program is written and what is judged. What is driven:
 *
 *                                            narrow and wide items, in
 *   every verb, one or two threads at a time   MPMC (= MPSC), SPMC (= SPSC), CK_SPMC (= CK_SPSC), CK_MPMC
 *   with rivals: put, get, try, until          MPMC, SPMC (consumers), CK_MPMC
 *   close, close_discard against put and get   all
 *   join, task_done                            all
 *   batches                                    all; with rivals MPMC, CK_MPMC
 *   counters near their wrap                   all
 *
 * "every_flavour" below is the table; the other tests go deeper where a flavour has its own code.
 */
#include "schedule_program.h"

/* What a queue of every flavour must stand: one producer, one or two consumers, every verb. */
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

		run_program(&p);
	}
}

TEST(every_flavour, drives_every_verb)
{
	every_verb(&mpmc_verbs, "mpmc");
	every_verb(&spmc_verbs, "spmc");
	every_verb(&ck_spmc_verbs, "ck_spmc");
	every_verb(&ck_mpmc_verbs, "ck_mpmc");
}

TEST(every_flavour, drives_every_verb_with_wide_items)
{
	every_verb(&wide_verbs, "wide");
	every_verb(&wide_spmc_verbs, "wide_spmc");
	every_verb(&wide_ck_spmc_verbs, "wide_ck_spmc");
	every_verb(&wide_ck_mpmc_verbs, "wide_ck_mpmc");
}

/* Tickets where a state passes 2^32, a ticket does, a state passes 2^63, and near the end of tickets. */
static const uint64_t wraps[] = {(uint64_t)1 << 30, (uint64_t)1 << 32, (uint64_t)1 << 61,
				 ((uint64_t)1 << 62) - 1024};

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
	EVERY_WRAP(wide, 1, "pp|gg");
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

TEST(spmc, a_lone_producer_and_the_tombstone)
{
	EVERY_SCHEDULE(spmc, 1, 0, "p|c|g", WITHIN(3, 1, 0));
	EVERY_SCHEDULE(spmc, 1, 0, "pp|c|g|g", WITHIN(2, 0, 0));
	EVERY_SCHEDULE_IF_LONG(spmc, 1, 0, "pp|c|g|g", WITHIN(2, 1, 0));
	EVERY_SCHEDULE(spmc, 2, 1, "pp|c|gg", WITHIN(2, 1, 1));
}

TEST(spmc, a_lone_producer_and_two_consumers_lose_nothing_and_nobody)
{
	EVERY_SCHEDULE(spmc, 1, 0, "pp|g|g", WITHIN(3, 0, 0));
	EVERY_SCHEDULE(spmc, 1, 0, "pp|g|g", WITHIN(2, 1, 0));
	EVERY_SCHEDULE_IF_LONG(spmc, 1, 0, "pp|g|g", WITHIN(3, 1, 0));
	EVERY_SCHEDULE(spmc, 2, 0, "ppp|gg|g", WITHIN(2, 1, 0));
}

TEST(spmc, one_and_one_lose_nothing_and_nobody)
{
	EVERY_SCHEDULE(spmc, 1, 0, "ppp|ggg", WITHIN(3, 1, 0));
	EVERY_SCHEDULE(spmc, 1, 0, "pp|gg", WITHIN(3, 1, 1));
	EVERY_SCHEDULE(spmc, 1, 0, "pp|ggg|c", WITHIN(2, 1, 1));
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

/* Where a locked operation is no full fence, F1, F2 and G1 stand in for it. */
TEST(wide, a_slot_is_used_again_only_when_its_item_is_out)
{
	EVERY_SCHEDULE(wide, 2, 2, "r|rt", WITHIN(2, 0, 0), .withhold = SLUICE_PRIV_SPARE_SLOTS);
}

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
	EVERY_SCHEDULE(ck_spmc, 1, 0, "pp|gg", WITHIN(2, 1, 0), .weak = true);
	EVERY_SCHEDULE(ck_spmc, 1, 0, "p|c|g", WITHIN(2, 1, 0), .weak = true);
	EVERY_SCHEDULE(ck_mpmc, 2, 0, "p|p|gg", WITHIN(1, 1, 0), .weak = true);
	EVERY_SCHEDULE(ck_mpmc, 2, 0, "p|u|c", WITHIN(2, 1, 0), .weak = true);
}
