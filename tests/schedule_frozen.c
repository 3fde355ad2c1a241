/* SPDX-License-Identifier: MIT */
/*
 * schedule_frozen.c - one thread is suspended for ever, before each of its steps in turn, under every
 * schedule of the others: they must finish what the guarantees in sluice.h promise.
 *
 * Thread 0, the first of a program, is the one. schedule_program.h says under "frozen" what the others
 * may then wait for in vain, and nothing else is excused. So these programs find a wake that relies on
 * somebody else's wake, and an operation that waits for another one's.
 */
#include "schedule_program.h"

/* As EVERY_SCHEDULE, but the first thread may be frozen. */
#define EVERY_FREEZE(...) EVERY_SCHEDULE(__VA_ARGS__, .freezes = true)

static void
every_freeze_beside_others(const struct verbs *verbs, const char *name, bool lone_producer)
{
	struct program p = {.verbs = verbs,
			    .name = name,
			    .freezes = true,
			    .preemptions = 1u + schedule_is_long()};
	static const struct {
		const char *text;
		size_t capacity;
		size_t filled;
		bool many_producers;
	} programs[] = {
		/* a producer is frozen */
		{"p|g|g", 2, 1, false},
		{"pp|gg|g", 1, 0, false},
		{"p|g|c", 1, 0, false},
		{"p|g|g|c", 1, 0, false},
		{"p|g|x", 2, 1, false},
		{"p|v|r", 1, 0, false},
		{"pp|gg|j", 1, 0, false},
		{"P|g|g", 2, 0, false},
		{"P|G|c", 1, 0, false},
		{"T|G|R", 2, 0, false},
		{"p|p|gg", 1, 0, true},
		{"p|p|p|g", 2, 2, true},
		{"p|p|c", 1, 1, true},
		{"p|tt|rr", 1, 0, true},
		{"u|u|g", 1, 1, true},
		{"p|P|gg", 2, 0, true},
		{"p|g|g|p", 2, 0, true},
		{"p|p|c|g", 1, 0, true},
		/* a consumer is frozen */
		{"g|pp|g", 1, 0, false},
		{"g|p|g", 1, 1, false},
		{"gg|pp|g", 2, 2, false},
		{"G|pp|g", 2, 0, false},
		{"g|p|c", 1, 1, false},
		{"gd|gd|j", 2, 2, false},
		{"g|p|x", 1, 1, false},
		{"R|pp|g", 2, 2, false},
		{"g|p|p|g", 1, 1, true},
		{"g|p|p", 2, 2, true},
		{"G|p|p", 2, 2, true},
		{"v|g|p|p", 1, 0, true},
		/* whoever closes, joins or is done with a task is frozen */
		{"c|p|g", 1, 0, false},
		{"c|p|gg|c", 1, 0, false},
		{"x|p|g", 2, 1, false},
		{"x|p|g|c", 1, 1, false},
		{"j|pp|gdgd", 1, 0, false},
		{"w|gd|j", 1, 1, false},
		{"c|g|g|c", 1, 0, false},
		{"c|p|p|c", 1, 1, true},
	};

	for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++) {
		if (lone_producer && programs[i].many_producers)
			continue;
		p.text = programs[i].text;
		p.capacity = programs[i].capacity;
		p.filled = programs[i].filled;
		run_program(&p);
	}
}

TEST(frozen, mpmc_stops_nobody)
{
	every_freeze_beside_others(&mpmc_verbs, "mpmc", false);
}

TEST(frozen, mpmc_with_wide_items_stops_nobody)
{
	every_freeze_beside_others(&wide_verbs, "wide", false);
}

TEST(frozen, spmc_stops_nobody)
{
	every_freeze_beside_others(&spmc_verbs, "spmc", true);
}

TEST(frozen, spmc_with_wide_items_stops_nobody)
{
	every_freeze_beside_others(&wide_spmc_verbs, "wide_spmc", true);
}

TEST(frozen, ck_spmc_stops_nobody_but_delays_the_end)
{
	every_freeze_beside_others(&ck_spmc_verbs, "ck_spmc", true);
}

TEST(frozen, ck_mpmc_stops_producers_only_and_delays_the_end)
{
	every_freeze_beside_others(&ck_mpmc_verbs, "ck_mpmc", false);
}

/*
 * Slots of wide items. Of the spare ones 63 are in the hands of others for ever, so there is one more
 * than the capacity. The frozen put has it, and room for its item; a second one takes another slot, is
 * overtaken, and gives it back: a third put that found none must hear of that. (sluice.h allows a put
 * to say "full" while 64 others are inside their copies, which is the case here to the end; the code
 * does so only while 65 are.)
 */
TEST(frozen, a_slot_that_comes_back_unused_wakes_a_put)
{
	EVERY_FREEZE(wide, 1, 0, "rp|t|t|p", WITHIN(2, 0, 0),
		     .withhold = SLUICE_PRIV_SPARE_SLOTS - 1);
}
