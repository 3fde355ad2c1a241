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
			end = sluice_priv_cells_end(&ring, many);
			cr_assert_eq(sluice_priv_cells_count(&ring.geometry, end), items);
			cr_assert(sluice_priv_cells_drained(&ring, many));
			/* Whatever is put and taken behind it, also from hints that lag behind by laps. */
			for (int late = 0; late < 3; late++) {
				cr_assert_eq(sluice_priv_cells_end(&ring, many), end);
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
	cr_assert_not(sluice_priv_cells_drained(&ring, many));
	cr_assert_eq(ring_get(&ring, &value), 0);
	cr_assert_eq(ring_put(&ring, 7), 0); /* too late: the end is decided */
	cr_assert_not(sluice_priv_cells_drained(&ring, many));
	cr_assert_eq(ring_get(&ring, &value), 0);
	cr_assert_eq(value, 6);
	cr_assert(sluice_priv_cells_drained(&ring, many));
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
			cr_assert_eq(sluice_priv_cells_discard(&ring, many), capacity - taken);
			cr_assert_eq(sluice_priv_cells_puts(&ring), taken); /* it counts no more */
			cr_assert_eq(sluice_priv_cells_gets(&ring), taken);
			rest = sluice_priv_cells_rest(&ring, many);
			cr_assert_eq(sluice_priv_cells_count(&ring.geometry, rest), taken);
			while (ring_get(&ring, &value) == 0)
				;
			cr_assert_eq(sluice_priv_cells_discard(&ring, many), 0);
			cr_assert_eq(sluice_priv_cells_rest(&ring, many), rest);
			cr_assert(sluice_priv_cells_drained(&ring, many));
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
	cr_assert_eq(sluice_priv_cells_rest(&ring, many), sluice_priv_cells_end(&ring, many));
	cr_assert_eq(sluice_priv_cells_rest(&ring, many), ring.tail);
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
	cr_assert_eq(sluice_priv_cells_end(&ring, many), ring.head);
	cr_assert(sluice_priv_cells_drained(&ring, many));
	cr_assert_eq(sluice_priv_cells_discard(&ring, many), 0);
	sluice_priv_cells_destroy(&ring);
}

/* -------------------------------------------------------------------------------- wide items -- */

struct wide {
	uint64_t words[3];
};

static int
wide_put(struct sluice_priv_cell_engine *engine, struct sluice_priv_sides sides, uint64_t value,
	 bool *slot_returned)
{
	const struct wide item = {{value, value + 1, value + 2}};
	const uint32_t closed = 0;
	size_t moved;

	*slot_returned = false;
	return sluice_priv_cell_put(engine, sides, &closed, (const unsigned char *)&item, 1,
				    sizeof(item), &moved, slot_returned);
}

static bool
wide_get(struct sluice_priv_cell_engine *engine, struct sluice_priv_sides sides, struct wide *item)
{
	const uint32_t closed = 0;

	return sluice_priv_cell_get(engine, sides, &closed, (unsigned char *)item, 1,
				    sizeof(*item)) == 1;
}

static uint64_t *
wide_slot(const struct sluice_priv_cell_engine *engine, uint64_t slot)
{
	return sluice_priv_cell_slot(engine, sizeof(struct wide), slot);
}

/* For the item of this ticket. */
static int
wide_take_slot(struct sluice_priv_cell_engine *engine, struct sluice_priv_sides sides,
	       uint64_t ticket, uint64_t *slot)
{
	return sluice_priv_cell_take_slot(engine, sides, sizeof(struct wide), ticket, slot);
}

static bool
is_marked(const struct sluice_priv_cell_engine *engine, uint64_t slot)
{
	return wide_slot(engine, slot)[SLUICE_PRIV_MARK] != 0;
}

static uint64_t
count_marks(const struct sluice_priv_cell_engine *engine, size_t capacity)
{
	uint64_t marks = 0;

	for (uint64_t slot = 0; slot < capacity + SLUICE_PRIV_SPARE_SLOTS; slot++)
		marks += is_marked(engine, slot);
	return marks;
}

/* Those in which slots have marks. */
static const struct sluice_priv_sides marking[] = {
	{false, false, false}, {true, false, false}, {false, true, false}};

#define FOR_EACH_MARKING(sides)                                                                    \
	for (size_t sides##_at = 0; sides##_at < sizeof(marking) / sizeof(marking[0]);             \
	     sides##_at++)                                                                         \
		for (const struct sluice_priv_sides sides = marking[sides##_at], *once = &sides;   \
		     once != NULL; once = NULL)

/* Whichever slots they are: those of the next cells, or any. */
TEST(cell_ring, threads_that_hold_slots_take_no_room_as_long_as_spare_ones_are_left)
{
	FOR_EACH_MARKING(sides)
	{
		FOR_EACH_CAPACITY(capacity)
		{
			struct sluice_priv_cell_engine engine;
			struct wide item;
			bool slot_returned;
			uint64_t held;

			cr_assert_eq(sluice_priv_cell_init(&engine, capacity, sizeof(item)), 0);
			for (uint64_t i = 0; i < SLUICE_PRIV_SPARE_SLOTS; i++)
				cr_assert_eq(wide_take_slot(&engine, sides,
							    i * SLUICE_PRIV_CELL_BYTES, &held),
					     0);
			for (uint64_t lap = 0; lap < 3; lap++) {
				for (uint64_t i = 0; i < capacity; i++)
					cr_assert_eq(
						wide_put(&engine, sides, lap + i, &slot_returned),
						0);
				cr_assert_eq(wide_put(&engine, sides, 0, &slot_returned), EAGAIN);
				cr_assert_not(
					slot_returned); /* full was seen before a slot was taken */
				for (uint64_t i = 0; i < capacity; i++) {
					cr_assert(wide_get(&engine, sides, &item));
					cr_assert_eq(item.words[0], lap + i);
					cr_assert_eq(item.words[2], lap + i + 2);
				}
			}
			cr_assert_eq(count_marks(&engine, capacity), SLUICE_PRIV_SPARE_SLOTS);
			sluice_priv_cell_destroy(&engine, sizeof(item));
		}
	}
}

TEST(cell_ring, every_slot_is_found_whichever_is_the_last_that_is_free)
{
	FOR_EACH_MARKING(sides)
	{
		FOR_EACH_CAPACITY(capacity)
		{
			const uint64_t slots = capacity + SLUICE_PRIV_SPARE_SLOTS;
			struct sluice_priv_cell_engine engine;
			uint64_t slot;

			cr_assert_eq(sluice_priv_cell_init(&engine, capacity, sizeof(struct wide)),
				     0);
			for (uint64_t i = 0; i < slots; i++) {
				cr_assert_eq(wide_take_slot(&engine, sides, 0, &slot), 0);
				cr_assert_lt(slot, slots);
				cr_assert_eq(count_marks(&engine, capacity), i + 1);
			}
			for (uint64_t last = 0; last < slots; last++) {
				cr_assert_eq(wide_take_slot(&engine, sides, 0, &slot), EAGAIN);
				sluice_priv_cell_free_slot(wide_slot(&engine, last));
				cr_assert_eq(wide_take_slot(&engine, sides, 0, &slot), 0);
				cr_assert_eq(slot, last);
			}
			sluice_priv_cell_destroy(&engine, sizeof(struct wide));
		}
	}
}

TEST(cell_ring, without_a_slot_a_put_says_full)
{
	FOR_EACH_MARKING(sides)
	{
		struct sluice_priv_cell_engine engine;
		bool slot_returned;
		uint64_t slot;

		cr_assert_eq(sluice_priv_cell_init(&engine, 2, sizeof(struct wide)), 0);
		while (wide_take_slot(&engine, sides, 0, &slot) == 0)
			;
		cr_assert_eq(wide_put(&engine, sides, 1, &slot_returned), EAGAIN);
		cr_assert_eq(sluice_priv_cells_puts(&engine.items), 0);
		sluice_priv_cell_free_slot(wide_slot(&engine, 1));
		cr_assert_eq(wide_put(&engine, sides, 1, &slot_returned), 0);
		sluice_priv_cell_destroy(&engine, sizeof(struct wide));
	}
}

TEST(cell_ring, slots_do_not_overlap_and_their_words_are_aligned)
{
	for (size_t bytes = 9; bytes < 70; bytes++) {
		const size_t apart = sluice_priv_cell_slot_bytes(bytes);

		cr_assert_geq(apart, sizeof(uint64_t) + bytes);
		cr_assert_lt(apart, 2 * sizeof(uint64_t) + bytes);
		cr_assert_eq(apart % sizeof(uint64_t), 0);
	}
}

/* A get that is being made has taken the ticket, and reads the slot: nobody writes there. */
TEST(cell_ring, a_slot_whose_item_is_being_read_is_not_used_again)
{
	FOR_EACH_MARKING(sides)
	{
		FOR_EACH_CAPACITY(capacity)
		{
			struct sluice_priv_cell_engine engine;
			struct sluice_priv_cells *const ring = &engine.items;
			const struct sluice_priv_geometry *const g = &ring->geometry;
			struct wide item;
			uint64_t ticket = 0;
			uint64_t slot = 0;
			bool slot_returned;

			cr_assert_eq(sluice_priv_cell_init(&engine, capacity, sizeof(item)), 0);
			for (uint64_t i = 0; i < capacity; i++)
				cr_assert_eq(wide_put(&engine, sides, i, &slot_returned), 0);
			cr_assert_eq(sluice_priv_cells_take(ring, g, sides.lone_consumer, &ticket,
							    &slot),
				     0);
			if (sides.lone_consumer) {
				cr_assert_eq(wide_put(&engine, sides, 7, &slot_returned), EAGAIN);
			} else {
				for (uint64_t i = 0; i < 3 * capacity; i++) {
					cr_assert_eq(wide_put(&engine, sides, capacity + i,
							      &slot_returned),
						     0);
					cr_assert(wide_get(&engine, sides, &item));
					cr_assert_eq(item.words[0], i + 1);
				}
			}
			cr_assert(is_marked(&engine, slot));
			memcpy(&item, &wide_slot(&engine, slot)[SLUICE_PRIV_ITEM], sizeof(item));
			cr_assert(item.words[0] == 0 && item.words[1] == 1 && item.words[2] == 2);
			sluice_priv_cell_destroy(&engine, sizeof(item));
		}
	}
}

TEST(cell_ring, where_both_sides_are_alone_each_cell_has_its_slot_without_a_mark)
{
	static const struct sluice_priv_sides alone = {true, true, false};

	FOR_EACH_CAPACITY(capacity)
	{
		struct sluice_priv_cell_engine engine;
		struct wide item;
		bool slot_returned;

		cr_assert_eq(sluice_priv_cell_init(&engine, capacity, sizeof(item)), 0);
		for (uint64_t lap = 0; lap < 3; lap++) {
			for (uint64_t i = 0; i < capacity; i++) {
				cr_assert_eq(wide_put(&engine, alone, lap + i, &slot_returned), 0);
				memcpy(&item, &wide_slot(&engine, i)[SLUICE_PRIV_ITEM],
				       sizeof(item));
				cr_assert_eq(item.words[0], lap + i);
			}
			cr_assert_eq(wide_put(&engine, alone, 0, &slot_returned), EAGAIN);
			cr_assert_eq(count_marks(&engine, capacity), 0);
			for (uint64_t i = 0; i < capacity; i++) {
				cr_assert(wide_get(&engine, alone, &item));
				cr_assert_eq(item.words[2], lap + i + 2);
			}
		}
		sluice_priv_cell_destroy(&engine, sizeof(item));
	}
}

/* Or puts that wait for room would take each other's slots, and wake each other about it, for ever. */
TEST(cell_ring, a_put_into_a_full_ring_does_not_touch_the_slots)
{
	FOR_EACH_MARKING(sides)
	{
		struct sluice_priv_cell_engine engine;
		bool slot_returned;
		uint64_t slot;

		/* The slot of the next cell is free, and has never been written. */
		cr_assert_eq(sluice_priv_cell_init(&engine, 2, sizeof(struct wide)), 0);
		cr_assert_eq(wide_take_slot(&engine, sides, 0, &slot), 0);
		cr_assert_eq(slot, 0);
		cr_assert_eq(wide_put(&engine, sides, 1, &slot_returned), 0);
		cr_assert_eq(wide_put(&engine, sides, 2, &slot_returned), 0);
		sluice_priv_cell_free_slot(wide_slot(&engine, 0));
		cr_assert_eq(wide_put(&engine, sides, 3, &slot_returned), EAGAIN);
		cr_assert_not(slot_returned);
		cr_assert_eq(count_marks(&engine, 2), 2);
		cr_assert_eq(wide_slot(&engine, 0)[SLUICE_PRIV_ITEM], 0);
		sluice_priv_cell_destroy(&engine, sizeof(struct wide));
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
	bool slot_returned = false;
	size_t moved;
	const int result =
		sluice_priv_cell_put(&s->engine, s->sides, &s->closed, (const unsigned char *)&item,
				     1, s->item_size, &moved, &slot_returned);

	cr_assert_eq(moved, result == 0);
	if (result == 0)
		s->accepted |= (uint64_t)1 << number;
	return result;
}

static bool
scene_get(struct scene *s)
{
	const struct wide untouched = {{99, 98, 97}};
	struct wide item = untouched;

	if (sluice_priv_cell_get(&s->engine, s->sides, &s->closed, (unsigned char *)&item, 1,
				 s->item_size) == 0) {
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
	} while (!sluice_priv_cells_drained(&s->engine.items, s->sides));
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
	(void)sluice_priv_cells_end(&s->engine.items, s->sides);
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
	s->dropped += sluice_priv_cells_discard(&s->engine.items, s->sides);
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
}

/* A deed at one step of another, with so many items inside at the beginning. Was there such a step? */
static bool
interrupted(const struct deed *call, const struct deed *meanwhile, struct sluice_priv_sides sides,
	    size_t item_size, size_t capacity, uint64_t items, int at)
{
	struct scene s = {.sides = sides, .item_size = item_size};
	bool happened;

	cr_assert_eq(sluice_priv_cell_init(&s.engine, capacity, item_size), 0);
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
	sluice_priv_cell_destroy(&s.engine, item_size);
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

/* As many gets and puts as make a lap. */
static void
interrupt_lap(void *opaque)
{
	struct sluice_priv_cell_engine *const engine = opaque;
	struct wide item;
	bool slot_returned;

	for (int i = 0; i < 64; i++) {
		cr_assert(wide_get(engine, many, &item));
		cr_assert_eq(wide_put(engine, many, (uint64_t)i, &slot_returned), 0);
	}
}

/*
 * The queue holds 63 of 64, all in the spare slots, since at first no cell's own slot was free. A put that
 * is copying holds the slot of the next cell, a get the last of the spare ones. While a put looks through
 * the marks, a lap of gets and puts moves the items from the slots it has yet to look at into those that
 * it has seen. At no time is the queue full, and no more than two threads are copying.
 */
TEST(cell_ring, a_put_that_found_no_slot_looks_again_when_others_went_on)
{
	bool happened = true;
	int at;

	for (at = 1; happened; at++) {
		struct sluice_priv_cell_engine engine;
		bool slot_returned;
		uint64_t slot;

		cr_assert_eq(sluice_priv_cell_init(&engine, 64, sizeof(struct wide)), 0);
		for (slot = 0; slot < 64; slot++)
			wide_slot(&engine, slot)[SLUICE_PRIV_MARK] = 1;
		for (uint64_t i = 0; i < 63; i++)
			cr_assert_eq(wide_put(&engine, many, i, &slot_returned), 0);
		for (slot = 0; slot < 63; slot++)
			wide_slot(&engine, slot)[SLUICE_PRIV_MARK] = 0;
		for (slot = 64; is_marked(&engine, slot); slot++)
			;
		wide_slot(&engine, slot)[SLUICE_PRIV_MARK] = 1;
		interruption = interrupt_lap;
		interruption_argument = &engine;
		steps_to_interruption = at;
		cr_assert_eq(wide_put(&engine, many, 100, &slot_returned), 0, "at step %d", at);
		happened = steps_to_interruption == 0;
		steps_to_interruption = 0;
		sluice_priv_cell_destroy(&engine, sizeof(struct wide));
	}
	cr_assert_gt(at, 64);
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
