/* SPDX-License-Identifier: MIT */
/*
 * cell_ring.c - tests of sluice/cell_ring.h: tickets, laps, hints that lag behind, tombstones, slots.
 *
 * One thread; what others would have done is written down as a hint moved back, a slot held, and so on.
 */
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
	uint64_t ticket = ring->tail;
	const int result = sluice_priv_cells_fill(&ring->geometry, false, &ticket, value);

	if (result == 0)
		ring->tail = ticket;
	return result;
}

static int
ring_get(struct sluice_priv_cells *ring, uint64_t *value)
{
	uint64_t ticket = ring->head;
	const int result = sluice_priv_cells_take(&ring->geometry, &ticket, value);

	if (result == 0)
		ring->head = ticket;
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
			cr_assert_eq(ticket & ring.geometry.mask, i % capacity);
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
		for (uint64_t i = 0; i < capacity; i++)
			cr_assert_eq((uintptr_t)sluice_priv_cells_at(&ring.geometry, i) % 16, 0);
		sluice_priv_cells_destroy(&ring);
	}
}

TEST(cell_ring, large_rings_are_packed_and_hold_their_capacity_too)
{
	const size_t capacity = SLUICE_PRIV_SPREAD_BYTES / 64 + 1;
	struct sluice_priv_cells ring;
	uint64_t value;

	ring_open(&ring, capacity);
	cr_assert_eq(ring.geometry.stride_log2, 4);
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

TEST(cell_ring, behind_a_tombstone_nothing_is_put_and_the_counts_stay_true)
{
	FOR_EACH_CAPACITY(capacity)
	{
		for (uint64_t items = 0; items < 3 * capacity; items++) {
			struct sluice_priv_cells ring;
			uint64_t value;

			ring_open(&ring, capacity);
			for (uint64_t i = 0; i < items; i++) {
				cr_assert_eq(ring_put(&ring, i), 0);
				cr_assert_eq(ring_get(&ring, &value), 0);
			}
			cr_assert_eq(sluice_priv_cells_end(&ring), EPIPE);
			cr_assert_eq(sluice_priv_cells_end(&ring), EPIPE);
			/* Also from hints that lag behind by laps. */
			for (int late = 0; late < 2; late++) {
				cr_assert_eq(ring_put(&ring, 1), EPIPE);
				cr_assert_eq(ring_get(&ring, &value), EPIPE);
				cr_assert_eq(sluice_priv_cells_puts(&ring), items);
				cr_assert_eq(sluice_priv_cells_gets(&ring), items);
				ring.tail = 0;
				ring.head = 0;
			}
			sluice_priv_cells_destroy(&ring);
		}
	}
}

TEST(cell_ring, a_ring_that_holds_items_does_not_end)
{
	struct sluice_priv_cells ring;
	uint64_t value;

	ring_open(&ring, 2);
	cr_assert_eq(ring_put(&ring, 5), 0);
	cr_assert_eq(sluice_priv_cells_end(&ring), 0);
	cr_assert_eq(ring_put(&ring, 6), 0);
	cr_assert_eq(ring_get(&ring, &value), 0);
	cr_assert_eq(ring_get(&ring, &value), 0);
	cr_assert_eq(value, 6);
	cr_assert_eq(sluice_priv_cells_end(&ring), EPIPE);
	sluice_priv_cells_destroy(&ring);
}

TEST(cell_ring, a_lone_producer_meets_the_tombstone_even_if_it_saw_the_cell_free)
{
	struct sluice_priv_cells ring;
	uint64_t ticket = 0;

	ring_open(&ring, 2);
	cr_assert_eq(sluice_priv_cells_seek_tail(&ring.geometry, &ticket), 0);
	cr_assert_eq(sluice_priv_cells_end(&ring), EPIPE);
	cr_assert_eq(sluice_priv_cells_fill(&ring.geometry, true, &ticket, 1), EPIPE);
	sluice_priv_cells_destroy(&ring);
}

struct wide {
	uint64_t words[3];
};

static int
wide_put(struct sluice_priv_cell_engine *engine, uint64_t value, bool *slot_returned)
{
	const struct wide item = {{value, value + 1, value + 2}};
	size_t moved;

	*slot_returned = false;
	return sluice_priv_cell_put(engine, false, (const unsigned char *)&item, 1, sizeof(item),
				    &moved, slot_returned);
}

static bool
wide_get(struct sluice_priv_cell_engine *engine, struct wide *item)
{
	return sluice_priv_cell_get(engine, (unsigned char *)item, 1, sizeof(*item)) == 1;
}

TEST(cell_ring, threads_that_hold_slots_take_no_room_as_long_as_spare_ones_are_left)
{
	FOR_EACH_CAPACITY(capacity)
	{
		struct sluice_priv_cell_engine engine;
		uint64_t held[SLUICE_PRIV_SPARE_SLOTS];
		struct wide item;
		bool slot_returned;

		cr_assert_eq(sluice_priv_cell_init(&engine, capacity, sizeof(item)), 0);
		for (int i = 0; i < SLUICE_PRIV_SPARE_SLOTS; i++)
			cr_assert_eq(sluice_priv_cell_take_slot(&engine, &held[i]), 0);
		for (uint64_t lap = 0; lap < 3; lap++) {
			for (uint64_t i = 0; i < capacity; i++)
				cr_assert_eq(wide_put(&engine, lap + i, &slot_returned), 0);
			cr_assert_eq(wide_put(&engine, 0, &slot_returned), EAGAIN);
			cr_assert_not(slot_returned); /* full was seen before a slot was taken */
			for (uint64_t i = 0; i < capacity; i++) {
				cr_assert(wide_get(&engine, &item));
				cr_assert_eq(item.words[0], lap + i);
				cr_assert_eq(item.words[2], lap + i + 2);
			}
		}
		sluice_priv_cell_destroy(&engine, sizeof(item));
	}
}

/* Or puts that wait for room would take each other's slots, and wake each other about it, for ever. */
TEST(cell_ring, a_put_into_a_full_ring_does_not_touch_the_slots)
{
	struct sluice_priv_cell_engine engine;
	bool slot_returned;
	uint64_t before;

	cr_assert_eq(sluice_priv_cell_init(&engine, 2, sizeof(struct wide)), 0);
	cr_assert_eq(wide_put(&engine, 1, &slot_returned), 0);
	cr_assert_eq(wide_put(&engine, 2, &slot_returned), 0);
	before = engine.free_slots.head;
	cr_assert_eq(wide_put(&engine, 3, &slot_returned), EAGAIN);
	cr_assert_not(slot_returned);
	cr_assert_eq(engine.free_slots.head, before);
	sluice_priv_cell_destroy(&engine, sizeof(struct wide));
}

TEST(cell_ring, no_slot_is_lost_when_puts_meet_the_tombstone)
{
	struct sluice_priv_cell_engine engine;
	bool slot_returned;
	uint64_t slot;
	size_t slots = 0;

	cr_assert_eq(sluice_priv_cell_init(&engine, 4, sizeof(struct wide)), 0);
	cr_assert_eq(sluice_priv_cells_end(&engine.items), EPIPE);
	for (int i = 0; i < 1000; i++)
		cr_assert_eq(wide_put(&engine, 1, &slot_returned), EPIPE);
	while (sluice_priv_cell_take_slot(&engine, &slot) == 0)
		slots++;
	cr_assert_eq(slots, 4 + SLUICE_PRIV_SPARE_SLOTS);
	sluice_priv_cell_destroy(&engine, sizeof(struct wide));
}
