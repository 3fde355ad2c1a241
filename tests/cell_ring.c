/* SPDX-License-Identifier: MIT */
/*
 * cell_ring.c - tests of sluice/cell_ring.h: tickets, laps, hints that lag behind, the end, slots.
 *
 * One thread; what others would have done is written down as a hint moved back, a slot held, and so on.
 * Where it matters at which moment they do it, a call is interrupted at each of its steps in turn.
 */
#include <stdio.h>

#include "steps.h"

#include <sluice/cell_ring.h>

#include "test.h"

static const size_t capacities[] = {1, 2, 3, 4, 5, 7, 8, 63, 64, 65, 100};

#define FOR_EACH_CAPACITY(capacity)                                                                \
	for (size_t at = 0, capacity;                                                              \
	     at < sizeof(capacities) / sizeof(capacities[0]) && (capacity = capacities[at], true); \
	     at++)

static void
ring_open(struct sluice_priv_cells *ring, size_t capacity)
{
	cr_assert_eq(sluice_priv_cells_init(ring, capacity), 0);
}

static int
ring_put(struct sluice_priv_cells *ring, uint64_t value)
{
	const struct sluice_priv_geometry *const g = &ring->geometry;
	uint64_t ticket = ring->tail;
	const int result = sluice_priv_cells_fill(ring, g, false, &ticket, value);

	if (result == 0)
		ring->tail = sluice_priv_cells_next(g, ticket);
	return result;
}

static int
ring_get(struct sluice_priv_cells *ring, uint64_t *value)
{
	const struct sluice_priv_geometry *const g = &ring->geometry;
	uint64_t ticket = ring->head;
	const int result = sluice_priv_cells_take(ring, g, false, &ticket, value);

	if (result == 0)
		ring->head = sluice_priv_cells_next(g, ticket);
	return result;
}

TEST(cell_ring, tickets_visit_every_cell_in_turn_and_count_without_gaps)
{
	FOR_EACH_CAPACITY(capacity)
	{
		struct sluice_priv_cells ring;
		uint64_t ticket = 0;

		ring_open(&ring, capacity);
		for (uint64_t i = 0; i < 5 * capacity; i++) {
			cr_assert_eq((ticket & ring.geometry.mask) / SLUICE_PRIV_CELL_BYTES,
				     i % capacity);
			cr_assert_eq(sluice_priv_cells_count(&ring.geometry, ticket), i);
			ticket = sluice_priv_cells_next(&ring.geometry, ticket);
		}
		sluice_priv_cells_destroy(&ring);
	}
}

TEST(cell_ring, cells_are_aligned_for_the_double_width_swap)
{
	FOR_EACH_CAPACITY(capacity)
	{
		struct sluice_priv_cells ring;

		ring_open(&ring, capacity);
		for (uint64_t i = 0; i < ring.geometry.bytes; i += SLUICE_PRIV_CELL_BYTES)
			cr_assert_eq((uintptr_t)sluice_priv_cells_at(&ring.geometry, i) % 16, 0);
		sluice_priv_cells_destroy(&ring);
	}
}

TEST(cell_ring, large_rings_hold_their_capacity_too)
{
	const size_t capacity = 20000;
	struct sluice_priv_cells ring;
	uint64_t value;

	ring_open(&ring, capacity);
	for (int lap = 0; lap < 2; lap++) {
		for (uint64_t i = 0; i < capacity; i++)
			cr_assert_eq(ring_put(&ring, i), 0);
		cr_assert_eq(ring_put(&ring, 0), EAGAIN);
		for (uint64_t i = 0; i < capacity; i++) {
			cr_assert_eq(ring_get(&ring, &value), 0);
			cr_assert_eq(value, i);
		}
		cr_assert_eq(ring_get(&ring, &value), EAGAIN);
	}
	sluice_priv_cells_destroy(&ring);
}

/*
 * A thread suspended before it stores its hint stores it when it runs again, however late. So at every
 * point of the ring's life every earlier ticket may become the hint. All of them, for both hints.
 */
TEST(cell_ring, a_hint_may_be_moved_back_to_any_earlier_ticket)
{
	FOR_EACH_CAPACITY(capacity)
	{
		struct sluice_priv_cells ring;
		uint64_t old[4 * 100 + 1];
		uint64_t value;
		size_t stored = 0;

		if (capacity > 8)
			continue;
		ring_open(&ring, capacity);
		old[stored++] = 0;
		for (uint64_t i = 0; i < 4 * capacity; i++) {
			for (size_t h = 0; h < stored; h++) {
				ring.tail = old[h];
				cr_assert_eq(sluice_priv_cells_puts(&ring), i);
			}
			cr_assert_eq(ring_put(&ring, i), 0);
			old[stored++] = ring.tail;
			for (size_t h = 0; h < stored - 1; h++) {
				ring.head = old[h];
				ring.tail = old[h];
				cr_assert_eq(sluice_priv_cells_puts(&ring), i + 1);
				cr_assert_eq(sluice_priv_cells_gets(&ring), i);
			}
			ring.head = 0;
			ring.tail = 0;
			cr_assert_eq(ring_get(&ring, &value), 0);
			cr_assert_eq(value, i);
			ring.head = 0;
			cr_assert_eq(ring_get(&ring, &value), EAGAIN);
		}
		sluice_priv_cells_destroy(&ring);
	}
}

TEST(cell_ring, full_and_empty_are_seen_from_any_hint)
{
	FOR_EACH_CAPACITY(capacity)
	{
		struct sluice_priv_cells ring;
		uint64_t value;

		ring_open(&ring, capacity);
		for (uint64_t i = 0; i < 3 * capacity; i++) {
			while (ring_put(&ring, i) == 0)
				;
			ring.tail = 0;
			cr_assert_eq(ring_put(&ring, 0), EAGAIN);
			ring.head = 0;
			cr_assert_eq(sluice_priv_cells_puts(&ring) - sluice_priv_cells_gets(&ring),
				     capacity);
			cr_assert_eq(ring_get(&ring, &value), 0);
		}
		sluice_priv_cells_destroy(&ring);
	}
}

/* ----------------------------------------------------------------------------- end and rest -- */

static const struct sluice_priv_sides many = {false, false, false};

TEST(cell_ring, the_end_is_decided_once_and_the_counts_stay_true)
{
	FOR_EACH_CAPACITY(capacity)
	{
		for (uint64_t items = 0; items < 3 * capacity; items++) {
			struct sluice_priv_cells ring;
			uint64_t value;
			uint64_t end;

			ring_open(&ring, capacity);
			for (uint64_t i = 0; i < items; i++) {
				cr_assert_eq(ring_put(&ring, i), 0);
				cr_assert_eq(ring_get(&ring, &value), 0);
			}
			end = sluice_priv_cells_end(&ring, false);
			cr_assert_eq(sluice_priv_cells_count(&ring.geometry, end), items);
			cr_assert(sluice_priv_cells_drained(&ring, false));
			/* Whatever is put and taken behind it, also from hints that lag behind by laps. */
			for (int late = 0; late < 3; late++) {
				cr_assert_eq(sluice_priv_cells_end(&ring, false), end);
				cr_assert_eq(sluice_priv_cells_puts(&ring), items);
				cr_assert_eq(sluice_priv_cells_gets(&ring), items);
				ring.tail = 0;
				ring.head = 0;
				cr_assert_eq(ring_put(&ring, 1), 0);
				cr_assert_eq(ring_get(&ring, &value), 0);
			}
			sluice_priv_cells_destroy(&ring);
		}
	}
}

TEST(cell_ring, a_ring_is_drained_when_all_below_its_end_are_taken)
{
	struct sluice_priv_cells ring;
	uint64_t value;

	ring_open(&ring, 2);
	cr_assert_eq(ring_put(&ring, 5), 0);
	cr_assert_eq(ring_put(&ring, 6), 0);
	cr_assert_not(sluice_priv_cells_drained(&ring, false));
	cr_assert_eq(ring_get(&ring, &value), 0);
	cr_assert_eq(ring_put(&ring, 7), 0); /* too late: the end is decided */
	cr_assert_not(sluice_priv_cells_drained(&ring, false));
	cr_assert_eq(ring_get(&ring, &value), 0);
	cr_assert_eq(value, 6);
	cr_assert(sluice_priv_cells_drained(&ring, false));
	sluice_priv_cells_destroy(&ring);
}

TEST(cell_ring, the_rest_is_decided_once_and_nothing_in_it_is_taken_for_got)
{
	FOR_EACH_CAPACITY(capacity)
	{
		for (uint64_t taken = 0; taken <= capacity; taken++) {
			struct sluice_priv_cells ring;
			uint64_t value;
			uint64_t rest;

			ring_open(&ring, capacity);
			for (uint64_t i = 0; i < capacity; i++)
				cr_assert_eq(ring_put(&ring, i), 0);
			for (uint64_t i = 0; i < taken; i++)
				cr_assert_eq(ring_get(&ring, &value), 0);
			cr_assert_eq(sluice_priv_cells_gets(&ring), taken);
			cr_assert_eq(sluice_priv_cells_discard(&ring, false), capacity - taken);
			cr_assert_eq(sluice_priv_cells_puts(&ring), taken); /* it counts no more */
			cr_assert_eq(sluice_priv_cells_gets(&ring), taken);
			rest = sluice_priv_cells_rest(&ring, false);
			cr_assert_eq(sluice_priv_cells_count(&ring.geometry, rest), taken);
			while (ring_get(&ring, &value) == 0)
				;
			cr_assert_eq(sluice_priv_cells_discard(&ring, false), 0);
			cr_assert_eq(sluice_priv_cells_rest(&ring, false), rest);
			cr_assert(sluice_priv_cells_drained(&ring, false));
			cr_assert_eq(sluice_priv_cells_puts(&ring), taken);
			cr_assert_eq(sluice_priv_cells_gets(&ring), taken);
			sluice_priv_cells_destroy(&ring);
		}
	}
}

TEST(cell_ring, without_a_discard_the_rest_is_what_lies_behind_the_end)
{
	struct sluice_priv_cells ring;

	ring_open(&ring, 2);
	cr_assert_eq(ring_put(&ring, 5), 0);
	cr_assert_eq(sluice_priv_cells_rest(&ring, false), sluice_priv_cells_end(&ring, false));
	cr_assert_eq(sluice_priv_cells_rest(&ring, false), ring.tail);
	sluice_priv_cells_destroy(&ring);
}

/* ---------------------------------------------------------------------------- a lone consumer -- */

TEST(cell_ring, what_a_lone_consumer_has_claimed_is_gone_though_its_cell_is_not_free)
{
	FOR_EACH_CAPACITY(capacity)
	{
		struct sluice_priv_cells ring;
		const struct sluice_priv_geometry *const g = &ring.geometry;
		uint64_t ticket = 0;
		uint64_t value;

		ring_open(&ring, capacity);
		for (uint64_t lap = 0; lap < 3; lap++) {
			for (uint64_t i = 0; i < capacity; i++)
				cr_assert_eq(ring_put(&ring, lap + i), 0);
			for (uint64_t i = 0; i < capacity; i++) {
				uint64_t behind;

				cr_assert_eq(
					sluice_priv_cells_take(&ring, g, true, &ticket, &value), 0);
				cr_assert_eq(value, lap + i);
				behind = sluice_priv_cells_next(g, ticket);
				cr_assert_eq(ring.head, behind);
				cr_assert_eq(sluice_priv_cells_head(&ring), behind);
				cr_assert_eq(sluice_priv_cells_puts(&ring) -
						     sluice_priv_cells_gets(&ring),
					     capacity - i - 1);
				if (i == capacity - 1) /* all are claimed, one is not free */
					cr_assert_eq(sluice_priv_cells_seek_head(&ring, g, &behind),
						     EAGAIN);
				if (i == 0)
					cr_assert_eq(ring_put(&ring, 0), EAGAIN);
				sluice_priv_cells_free(g, ticket);
				ticket = sluice_priv_cells_next(g, ticket);
			}
			cr_assert_eq(sluice_priv_cells_take(&ring, g, true, &ticket, &value),
				     EAGAIN);
			cr_assert_eq(ring.head, ticket);
		}
		sluice_priv_cells_destroy(&ring);
	}
}

TEST(cell_ring, in_a_ring_of_one_cell_nothing_can_be_got_while_the_lone_consumer_reads)
{
	struct sluice_priv_cells ring;
	struct sluice_priv_place place;
	uint64_t ticket = 0;
	uint64_t value;

	ring_open(&ring, 1);
	cr_assert_eq(ring_put(&ring, 5), 0);
	cr_assert_eq(sluice_priv_cells_take(&ring, &ring.geometry, true, &ticket, &value), 0);
	place = sluice_priv_cells_walk_head(&ring.geometry, ring.head);
	cr_assert_eq(place.result, EAGAIN);
	cr_assert_eq(place.ticket, ring.head);
	cr_assert_eq(sluice_priv_cells_end(&ring, false), ring.head);
	cr_assert(sluice_priv_cells_drained(&ring, false));
	cr_assert_eq(sluice_priv_cells_discard(&ring, false), 0);
	sluice_priv_cells_destroy(&ring);
}

/* -------------------------------------------------------------------------------- wide items -- */

struct wide {
	uint64_t words[3];
};

static int
wide_put(struct sluice_priv_cell_engine *engine, struct sluice_priv_sides sides, uint64_t value)
{
	const struct wide item = {{value, value + 1, value + 2}};
	const uint32_t closed = 0;
	size_t moved;

	return sluice_priv_cell_put(engine, sides, &closed, (const unsigned char *)&item, 1,
				    sizeof(item), &moved);
}

/* The first word of the item, or NOTHING. */
#define NOTHING UINT64_MAX

static uint64_t
wide_get(struct sluice_priv_cell_engine *engine, struct sluice_priv_sides sides)
{
	const uint32_t closed = 0;
	unsigned char scratch[sizeof(struct wide)];
	struct wide item;

	if (sluice_priv_cell_get(engine, sides, &closed, (unsigned char *)&item, 1, sizeof(item),
				 scratch) == 0)
		return NOTHING;
	cr_assert(item.words[1] == item.words[0] + 1 && item.words[2] == item.words[0] + 2);
	return item.words[0];
}

static void
wide_init(struct sluice_priv_cell_engine *engine, struct sluice_priv_sides sides, size_t capacity)
{
	cr_assert_eq(
		sluice_priv_cell_init(engine, sides.lone_producer, capacity, sizeof(struct wide)),
		0);
}

/* As a put does that goes no further: the cell of this ticket, which is free. */
static void
claim(const struct sluice_priv_cell_engine *engine, uint64_t ticket)
{
	uint64_t *const cell = sluice_priv_cells_at(&engine->items.geometry, ticket);

	cr_assert_eq(cell[SLUICE_PRIV_STATE],
		     sluice_priv_cells_free_state(&engine->items.geometry, ticket));
	cell[SLUICE_PRIV_STATE] |= SLUICE_PRIV_CELL_CLAIMED;
}

/* Takes all that are on the stack, and puts them back. `slots` says of each whether it was seen. */
static size_t
count_spare(const struct sluice_priv_cell_engine *engine, bool *slots)
{
	uint64_t taken[SLUICE_PRIV_SPARE_SLOTS + 1];
	size_t count = 0;

	while ((taken[count] = sluice_priv_slots_pop(&engine->slots)) != SLUICE_PRIV_NO_SLOT) {
		cr_assert_not(slots[taken[count]], "a slot is in two places");
		slots[taken[count]] = true;
		count++;
		cr_assert_leq(count, SLUICE_PRIV_SPARE_SLOTS);
	}
	for (size_t i = 0; i < count; i++)
		sluice_priv_slots_push(&engine->slots, taken[i]);
	return count;
}

/* Each slot belongs to one cell, or is on the stack, but for so many. */
static void
assert_slots(const struct sluice_priv_cell_engine *engine, size_t missing)
{
	const struct sluice_priv_geometry *const g = &engine->items.geometry;
	bool slots[4096] = {false};

	for (uint64_t offset = 0; offset < g->bytes; offset += SLUICE_PRIV_CELL_BYTES) {
		const uint64_t slot = sluice_priv_cells_at(g, offset)[SLUICE_PRIV_VALUE] ^
				      sluice_priv_slot_of_cell(g, offset);

		cr_assert_lt(slot, g->bytes / SLUICE_PRIV_CELL_BYTES + SLUICE_PRIV_SPARE_SLOTS);
		cr_assert_not(slots[slot], "a slot is in two places");
		slots[slot] = true;
	}
	cr_assert_eq(count_spare(engine, slots), SLUICE_PRIV_SPARE_SLOTS - missing);
}

static const struct sluice_priv_sides all_sides[] = {
	{false, false, false}, {true, false, false}, {false, true, false}, {true, true, false}};

#define FOR_EACH_SIDES(sides)                                                                      \
	for (size_t sides##_at = 0; sides##_at < 4; sides##_at++)                                  \
		for (const struct sluice_priv_sides sides = all_sides[sides##_at], *once = &sides; \
		     once != NULL; once = NULL)

/* A cell's value that names its own slot is 0, so only a put that steps over another changes one. */
TEST(cell_ring, each_cell_has_its_slot_and_keeps_it)
{
	FOR_EACH_SIDES(sides)
	{
		FOR_EACH_CAPACITY(capacity)
		{
			struct sluice_priv_cell_engine engine;

			wide_init(&engine, sides, capacity);
			for (uint64_t lap = 0; lap < 3; lap++) {
				for (uint64_t i = 0; i < capacity; i++) {
					cr_assert_eq(wide_put(&engine, sides, lap + i), 0);
					cr_assert_eq(*sluice_priv_slot_at(&engine.slots, i),
						     lap + i);
				}
				cr_assert_eq(wide_put(&engine, sides, 0), EAGAIN);
				for (uint64_t i = 0; i < capacity; i++)
					cr_assert_eq(wide_get(&engine, sides), lap + i);
				cr_assert_eq(wide_get(&engine, sides), NOTHING);
			}
			if (!sides.lone_producer)
				assert_slots(&engine, 0);
			sluice_priv_cell_destroy(&engine);
		}
	}
}

TEST(cell_ring, puts_step_over_claimed_cells_as_long_as_there_are_spare_slots)
{
	FOR_EACH_CAPACITY(capacity)
	{
		struct sluice_priv_cell_engine engine;
		size_t claims = 0;

		wide_init(&engine, many, capacity);
		for (uint64_t lap = 0; claims < SLUICE_PRIV_SPARE_SLOTS; lap++) {
			for (uint64_t i = 0; i < capacity; i++) {
				if (claims < SLUICE_PRIV_SPARE_SLOTS && (lap + i) % 3 != 1) {
					claim(&engine, engine.items.tail);
					claims++;
				}
				cr_assert_eq(wide_put(&engine, many, lap + i), 0);
			}
			cr_assert_eq(wide_put(&engine, many, 0), EAGAIN);
			cr_assert_eq(sluice_priv_cells_puts(&engine.items), (lap + 1) * capacity);
			for (uint64_t i = 0; i < capacity; i++)
				cr_assert_eq(wide_get(&engine, many), lap + i);
			cr_assert_eq(wide_get(&engine, many), NOTHING);
		}
		assert_slots(&engine, SLUICE_PRIV_SPARE_SLOTS);
		claim(&engine, engine.items.tail);
		cr_assert_eq(wide_put(&engine, many, 1), EBUSY);
		cr_assert_eq(wide_get(&engine, many), NOTHING);
		cr_assert_eq(sluice_priv_cells_puts(&engine.items),
			     sluice_priv_cells_gets(&engine.items));
		sluice_priv_slots_push(&engine.slots, 0); /* whichever: one that comes back */
		cr_assert_eq(wide_put(&engine, many, 2), 0);
		cr_assert_eq(wide_get(&engine, many), 2);
		sluice_priv_cell_destroy(&engine);
	}
}

/* Any earlier ticket may be the hint, as above, also when a put has claimed the next cell. */
TEST(cell_ring, a_claimed_cell_is_a_free_one_from_whichever_hint_it_is_seen)
{
	FOR_EACH_CAPACITY(capacity)
	{
		struct sluice_priv_cell_engine engine;
		struct sluice_priv_cells *const ring = &engine.items;
		uint64_t old[3 * 8];

		if (capacity > 8)
			continue;
		wide_init(&engine, many, capacity);
		for (uint64_t i = 0; i < 3 * capacity; i++) {
			old[i] = ring->tail;
			claim(&engine, ring->tail);
			for (uint64_t h = 0; h <= i; h++) {
				ring->tail = old[h];
				ring->head = old[h];
				cr_assert_eq(sluice_priv_cells_puts(ring), i);
				cr_assert_eq(sluice_priv_cells_gets(ring), i);
				cr_assert_eq(wide_get(&engine, many), NOTHING);
			}
			ring->tail = old[0];
			cr_assert_eq(wide_put(&engine, many, i), 0);
			ring->head = old[0];
			cr_assert_eq(wide_get(&engine, many), i);
		}
		sluice_priv_cell_destroy(&engine);
	}
}

/* Its item goes into the next free cell, or out of the full ring, and the slot it does not need on the stack. */
TEST(cell_ring, a_put_that_was_stepped_over_goes_on_with_its_slot)
{
	FOR_EACH_CAPACITY(capacity)
	{
		for (uint64_t others = 1; others <= capacity; others++) {
			struct sluice_priv_cell_engine engine;
			const struct wide item = {{77, 78, 79}};
			uint64_t ticket = 0;
			int result;

			wide_init(&engine, many, capacity);
			claim(&engine, 0);
			for (uint64_t i = 0; i < others; i++)
				cr_assert_eq(wide_put(&engine, many, i), 0);
			assert_slots(&engine, 1);
			sluice_priv_slot_write(sluice_priv_slot_at(&engine.slots, 0),
					       (const unsigned char *)&item, sizeof(item));
			result = sluice_priv_cell_fill_aside(&engine, &ticket, 0, NULL,
							     sizeof(item));
			cr_assert_eq(result, others < capacity ? 0 : EAGAIN);
			assert_slots(&engine, 0);
			for (uint64_t i = 0; i < others; i++)
				cr_assert_eq(wide_get(&engine, many), i);
			cr_assert_eq(wide_get(&engine, many), result == 0 ? 77 : NOTHING);
			sluice_priv_cell_destroy(&engine);
		}
	}
}

TEST(cell_ring, slots_lie_in_pairs_of_lines_of_their_own_or_closely_packed)
{
	for (size_t bytes = 9; bytes < 300; bytes++) {
		for (size_t capacity = 1; capacity <= 4096; capacity *= 16) {
			const size_t pairs = (bytes + 127) / 128 * 128;
			const size_t count = capacity + SLUICE_PRIV_SPARE_SLOTS;
			struct sluice_priv_slots slots;

			cr_assert_eq(sluice_priv_slots_init(&slots, capacity,
							    SLUICE_PRIV_SPARE_SLOTS, bytes),
				     0);
			cr_assert_eq((uintptr_t)slots.base % (2 * SLUICE_PRIV_LINE), 0);
			cr_assert_eq((uintptr_t)slots.spare % 16, 0);
			cr_assert_lt((uintptr_t)slots.spare, (uintptr_t)slots.base);
			cr_assert_geq((uintptr_t)slots.spare, (uintptr_t)slots.memory);
			if (count * pairs <= 256 * 1024)
				cr_assert_eq(slots.apart, pairs);
			else
				cr_assert_eq(slots.apart, (bytes + 7) / 8 * 8);
			memset(slots.base, 0xff, count * slots.apart);
			free(slots.memory);
		}
	}
}

TEST(cell_ring, items_go_through_slots_whole_whatever_their_size)
{
	for (size_t bytes = 9; bytes < 300; bytes++) {
		for (int owned = 0; owned < 2; owned++) {
			unsigned char item[300];
			unsigned char out[300];
			uint64_t slot[300 / 8 + 2];

			for (size_t i = 0; i < sizeof(item); i++)
				item[i] = (unsigned char)(i + bytes);
			memset(slot, 0xff, sizeof(slot));
			memset(out, 0xee, sizeof(out));
			sluice_priv_slot_write(slot, item, bytes);
			cr_assert_eq(((unsigned char *)slot)[(bytes + 7) / 8 * 8], 0xff);
			sluice_priv_slot_read(slot, owned != 0, out, bytes);
			cr_assert_arr_eq(out, item, bytes);
			cr_assert_eq(out[bytes], 0xee);
			sluice_priv_slot_read(slot, owned != 0, out, bytes);
			cr_assert_arr_eq(out, item, bytes, "reading has changed it");
		}
	}
}

/* Or puts that wait for room would take each other's slots for nothing. */
TEST(cell_ring, a_put_into_a_full_ring_does_not_touch_the_slots)
{
	FOR_EACH_SIDES(sides)
	{
		struct sluice_priv_cell_engine engine;

		wide_init(&engine, sides, 2);
		cr_assert_eq(wide_put(&engine, sides, 1), 0);
		cr_assert_eq(wide_put(&engine, sides, 2), 0);
		cr_assert_eq(wide_put(&engine, sides, 3), EAGAIN);
		cr_assert_eq(*sluice_priv_slot_at(&engine.slots, 0), 1);
		cr_assert_eq(*sluice_priv_slot_at(&engine.slots, 1), 2);
		if (!sides.lone_producer)
			assert_slots(&engine, 0);
		sluice_priv_cell_destroy(&engine);
	}
}

/* ------------------------------------------------------------------------------ interruptions -- */

/*
 * One engine, a call that is interrupted, and what is done meanwhile. Items are numbers, below 64; a set
 * of them is a word. A put here is one that has looked at `closed` before: it is in flight.
 */
struct scene {
	struct sluice_priv_cell_engine engine;
	struct sluice_priv_sides sides;
	size_t item_size;
	uint32_t closed;
	uint64_t next; /* number to put */
	uint64_t accepted;
	uint64_t got;
	uint64_t dropped; /* how many */
};

static int
scene_put(struct scene *s)
{
	const uint64_t number = s->next++;
	const struct wide item = {{number, number + 1, number + 2}};
	size_t moved;
	const int result =
		sluice_priv_cell_put(&s->engine, s->sides, &s->closed, (const unsigned char *)&item,
				     1, s->item_size, &moved);

	cr_assert_eq(moved, result == 0);
	if (result == 0)
		s->accepted |= (uint64_t)1 << number;
	return result;
}

static bool
scene_get(struct scene *s)
{
	const struct wide untouched = {{99, 98, 97}};
	unsigned char scratch[sizeof(struct wide)];
	struct wide item = untouched;

	if (sluice_priv_cell_get(&s->engine, s->sides, &s->closed, (unsigned char *)&item, 1,
				 s->item_size, scratch) == 0) {
		cr_assert_arr_eq(&item, &untouched, sizeof(item), "a get that fails has written");
		return false;
	}
	if (s->item_size == sizeof(item))
		cr_assert(item.words[1] == item.words[0] + 1 && item.words[2] == item.words[0] + 2);
	cr_assert_eq(s->got >> item.words[0] & 1, 0, "an item came twice");
	s->got |= (uint64_t)1 << item.words[0];
	return true;
}

/* Until a get may answer EPIPE. */
static void
scene_drain(struct scene *s)
{
	do {
		while (scene_get(s))
			;
	} while (!sluice_priv_cells_drained(&s->engine.items, s->sides.asymmetric));
}

static void
interrupt_put(void *opaque)
{
	(void)scene_put(opaque);
}

static void
interrupt_get(void *opaque)
{
	(void)scene_get(opaque);
}

static void
interrupt_close(void *opaque)
{
	struct scene *const s = opaque;

	ck_pr_store_32(&s->closed, 1);
}

static void
interrupt_end(void *opaque)
{
	struct scene *const s = opaque;

	interrupt_close(s);
	(void)sluice_priv_cells_end(&s->engine.items, s->sides.asymmetric);
}

static void
interrupt_drain(void *opaque)
{
	interrupt_close(opaque);
	scene_drain(opaque);
}

static void
interrupt_discard(void *opaque)
{
	struct scene *const s = opaque;

	interrupt_close(s);
	s->dropped += sluice_priv_cells_discard(&s->engine.items, s->sides.asymmetric);
}

static void
interrupt_put_and_drain(void *opaque)
{
	interrupt_put(opaque);
	interrupt_drain(opaque);
}

static void
interrupt_put_and_discard(void *opaque)
{
	interrupt_put(opaque);
	interrupt_discard(opaque);
}

/* Whose part in it is a put, a get; of these one of a kind may be under way where the side is alone. */
struct deed {
	const char *name;
	void (*run)(void *scene);
	bool puts;
	bool gets;
};

static const struct deed deeds[] = {
	{"put", interrupt_put, true, false},
	{"get", interrupt_get, false, true},
	{"close", interrupt_close, false, false},
	{"close and the end", interrupt_end, false, false},
	{"close and drain", interrupt_drain, false, true},
	{"discard", interrupt_discard, false, false},
	{"put, close and drain", interrupt_put_and_drain, true, true},
	{"put and discard", interrupt_put_and_discard, true, false},
};

#define DEEDS (sizeof(deeds) / sizeof(deeds[0]))

/* What was accepted has been got or dropped, each item once; and the counts say so. */
static void
scene_judge(struct scene *s, const struct deed *call, const struct deed *meanwhile, int at)
{
	const struct sluice_priv_cells *const ring = &s->engine.items;
	const uint64_t accepted = (uint64_t)__builtin_popcountll(s->accepted);
	const uint64_t got = (uint64_t)__builtin_popcountll(s->got);

	cr_assert_eq(s->got & ~s->accepted, 0, "%s at step %d of %s: a refused item was got",
		     meanwhile->name, at, call->name);
	cr_assert_eq(got + s->dropped, accepted, "%s at step %d of %s: %d of %d are missing",
		     meanwhile->name, at, call->name, (int)(accepted - got - s->dropped),
		     (int)accepted);
	cr_assert_eq(sluice_priv_cells_puts(ring), got);
	cr_assert_eq(sluice_priv_cells_gets(ring), got);
	if (sluice_priv_cell_wide(s->item_size) && !s->sides.lone_producer)
		assert_slots(&s->engine, 0);
}

/* A deed at one step of another, with so many items inside at the beginning. Was there such a step? */
static bool
interrupted(const struct deed *call, const struct deed *meanwhile, struct sluice_priv_sides sides,
	    size_t item_size, size_t capacity, uint64_t items, int at)
{
	struct scene s = {.sides = sides, .item_size = item_size};
	bool happened;

	cr_assert_eq(sluice_priv_cell_init(&s.engine, sides.lone_producer, capacity, item_size), 0);
	for (uint64_t i = 0; i < items; i++)
		cr_assert_eq(scene_put(&s), 0);
	interruption = meanwhile->run;
	interruption_argument = &s;
	steps_to_interruption = at;
	call->run(&s);
	happened = steps_to_interruption == 0;
	steps_to_interruption = 0;
	interrupt_drain(&s);
	/* Puts that still come are refused. When they have filled the ring it is full to the next. */
	for (uint64_t i = 0; i < capacity + 1; i++)
		cr_assert_neq(scene_put(&s), 0);
	scene_drain(&s);
	scene_judge(&s, call, meanwhile, at);
	sluice_priv_cell_destroy(&s.engine);
	return happened;
}

/* Returns how many steps there were. */
static int
interrupt_everywhere(const struct deed *call, struct sluice_priv_sides sides, size_t item_size)
{
	int steps = 0;

	for (size_t d = 0; d < DEEDS; d++) {
		if ((sides.lone_producer && call->puts && deeds[d].puts) ||
		    (sides.lone_consumer && call->gets && deeds[d].gets))
			continue;
		for (size_t capacity = 1; capacity <= 3; capacity++) {
			for (uint64_t items = 0; items <= capacity; items++) {
				int at = 1;

				while (interrupted(call, &deeds[d], sides, item_size, capacity,
						   items, at))
					at++;
				steps += at - 1;
			}
		}
	}
	return steps;
}

static void
interrupt_with(struct sluice_priv_sides sides)
{
	int all = 0;

	for (int lone = 0; lone < 4; lone++) {
		sides.lone_producer = lone % 2 != 0;
		sides.lone_consumer = lone / 2 != 0;
		for (size_t d = 0; d < DEEDS; d++) {
			const int steps =
				interrupt_everywhere(&deeds[d], sides, sizeof(uint64_t)) +
				interrupt_everywhere(&deeds[d], sides, sizeof(struct wide));

			cr_assert(steps > 100 || deeds[d].run == interrupt_close);
			all += steps;
		}
	}
	printf("%d interruptions\n", all);
}

/* What takes the top of the stack, and what brings it back with others above or below. */
static void
interrupt_pop(void *slots)
{
	(void)sluice_priv_slots_pop(slots);
}

static void
interrupt_push(void *slots)
{
	sluice_priv_slots_push(slots, 7);
}

static void
interrupt_pop_and_back(void *opaque)
{
	const struct sluice_priv_slots *const slots = opaque;
	const uint64_t top = sluice_priv_slots_pop(slots);
	const uint64_t next = sluice_priv_slots_pop(slots);

	memset(sluice_priv_slot_at(slots, top), 0xff, 16);
	sluice_priv_slots_push(slots, top); /* and the next one is in use */
	(void)next;
}

/* Returns how many steps there were. Slots 0 to 2 are on the stack, 3 is pushed, 7 by who comes between. */
static int
interrupt_stack(bool pushes, void (*meanwhile)(void *), const char *expected)
{
	int at;

	for (at = 1;; at++) {
		struct sluice_priv_slots slots;
		char found[16] = " ";
		bool happened;
		uint64_t slot;

		cr_assert_eq(sluice_priv_slots_init(&slots, 8, 0, 16), 0);
		for (slot = 0; slot < 3; slot++)
			sluice_priv_slots_push(&slots, slot);
		interruption = meanwhile;
		interruption_argument = &slots;
		steps_to_interruption = at;
		if (pushes)
			sluice_priv_slots_push(&slots, 3);
		else
			cr_assert_neq(sluice_priv_slots_pop(&slots), SLUICE_PRIV_NO_SLOT);
		happened = steps_to_interruption == 0;
		steps_to_interruption = 0;
		while ((slot = sluice_priv_slots_pop(&slots)) != SLUICE_PRIV_NO_SLOT)
			snprintf(found + strlen(found), sizeof(found) - strlen(found), "%d",
				 (int)slot);
		free(slots.memory);
		if (!happened)
			return at - 1;
		snprintf(found + strlen(found), sizeof(found) - strlen(found), " ");
		cr_assert_not_null(strstr(expected, found), "at step %d: %s", at, found);
	}
}

TEST(cell_ring, the_stack_of_spare_slots_loses_none_and_gives_none_twice)
{
	cr_assert_gt(interrupt_stack(false, interrupt_pop, " 0 "), 3);
	cr_assert_gt(interrupt_stack(false, interrupt_push, " 710 210 "), 3);
	cr_assert_gt(interrupt_stack(false, interrupt_pop_and_back, " 0 1 "), 3);
	cr_assert_gt(interrupt_stack(true, interrupt_pop, " 310 210 "), 3);
	cr_assert_gt(interrupt_stack(true, interrupt_push, " 37210 73210 "), 3);
	cr_assert_gt(interrupt_stack(true, interrupt_pop_and_back, " 320 310 "), 3);
}

TEST(cell_ring, whatever_comes_between_two_steps_each_accepted_item_is_got_or_dropped_once)
{
	const struct sluice_priv_sides sides = {false, false, false};

	interrupt_with(sides);
}

TEST(cell_ring, and_so_it_is_with_asymmetric_fences)
{
	const struct sluice_priv_sides sides = {false, false, true};

	if (!sluice_priv_fence_heavy_prepare())
		cr_skip_test("there is no membarrier(2) here");
	interrupt_with(sides);
}
