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
every_freeze_beside_others(const struct verbs *verbs, const char *name)
{
	struct program p = {.verbs = verbs,
			    .name = name,
			    .freezes = true,
			    .preemptions = 1u + schedule_is_long()};
	static const struct {
		const char *text;
		size_t capacity;
		size_t filled;
	} programs[] = {
		/* a producer is frozen */
		{"p|g|g", 2, 1},
		{"pp|gg|g", 1, 0},
		{"p|g|c", 1, 0},
		{"p|g|g|c", 1, 0},
		{"p|g|x", 2, 1},
		{"p|v|r", 1, 0},
		{"pp|gg|j", 1, 0},
		{"P|g|g", 2, 0},
		{"P|G|c", 1, 0},
		{"T|G|R", 2, 0},
		{"p|p|gg", 1, 0},
		{"p|p|p|g", 2, 2},
		{"p|p|c", 1, 1},
		{"p|tt|rr", 1, 0},
		{"u|u|g", 1, 1},
		{"p|P|gg", 2, 0},
		{"p|g|g|p", 2, 0},
		{"p|p|c|g", 1, 0},
		/* a consumer is frozen */
		{"g|pp|g", 1, 0},
		{"g|p|g", 1, 1},
		{"gg|pp|g", 2, 2},
		{"G|pp|g", 2, 0},
		{"g|p|c", 1, 1},
		{"gd|gd|j", 2, 2},
		{"g|p|x", 1, 1},
		{"R|pp|g", 2, 2},
		{"g|p|p|g", 1, 1},
		{"g|p|p", 2, 2},
		{"G|p|p", 2, 2},
		{"v|g|p|p", 1, 0},
		/* whoever closes, joins or is done with a task is frozen */
		{"c|p|g", 1, 0},
		{"c|p|gg|c", 1, 0},
		{"x|p|g", 2, 1},
		{"x|p|g|c", 1, 1},
		{"j|pp|gdgd", 1, 0},
		{"w|gd|j", 1, 1},
		{"c|g|g|c", 1, 0},
		{"c|p|p|c", 1, 1},
	};

	for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++) {
		p.text = programs[i].text;
		p.capacity = programs[i].capacity;
		p.filled = programs[i].filled;
		if (fits(verbs, p.text))
			run_program(&p);
	}
}

TEST(frozen, mpmc_stops_nobody)
{
	every_freeze_beside_others(&mpmc_verbs, "mpmc");
}

TEST(frozen, mpmc_with_wide_items_stops_nobody)
{
	every_freeze_beside_others(&wide_verbs, "wide");
}

TEST(frozen, spmc_stops_nobody)
{
	every_freeze_beside_others(&spmc_verbs, "spmc");
}

TEST(frozen, spmc_with_wide_items_stops_nobody)
{
	every_freeze_beside_others(&wide_spmc_verbs, "wide_spmc");
}

TEST(frozen, mpsc_stops_nobody)
{
	every_freeze_beside_others(&mpsc_verbs, "mpsc");
}

TEST(frozen, mpsc_with_wide_items_stops_nobody)
{
	every_freeze_beside_others(&wide_mpsc_verbs, "wide_mpsc");
}

TEST(frozen, spsc_stops_nobody)
{
	every_freeze_beside_others(&spsc_verbs, "spsc");
}

TEST(frozen, spsc_with_wide_items_stops_nobody)
{
	every_freeze_beside_others(&wide_spsc_verbs, "wide_spsc");
}

TEST(frozen, ck_spmc_stops_nobody_but_delays_the_end)
{
	every_freeze_beside_others(&ck_spmc_verbs, "ck_spmc");
}

TEST(frozen, ck_mpmc_stops_producers_only_and_delays_the_end)
{
	every_freeze_beside_others(&ck_mpmc_verbs, "ck_mpmc");
}

/*
 * Slots of wide items. Of the spare ones 63 are in the hands of others for ever, so there is one. The frozen
 * put has claimed the cell that all want; another steps over it by way of the spare slot; a third that finds
 * none meanwhile goes on when it can, though it is room that it wants and nobody makes any.
 */
TEST(frozen, a_put_that_finds_no_spare_slot_does_not_sleep)
{
	EVERY_FREEZE(wide, 3, 0, "p|p|p", WITHIN(2, 0, 0), .withhold = SLUICE_PRIV_SPARE_SLOTS - 1);
}
