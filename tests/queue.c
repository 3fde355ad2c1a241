/* SPDX-License-Identifier: MIT */
/*
 * queue.c - tests of sluice/queue.h beside the specification: memory that runs out, and layout.
 */
#include "counting_allocator.h"
#include "test.h"

struct parcel {
	char bytes[24];
};

SLUICE_DEFINE(narrow, uint64_t)
SLUICE_DEFINE(wide, struct parcel)
SLUICE_DEFINE_CK_MPMC(gated, struct parcel)

#define RUNS_OUT_OF_MEMORY(NAME, ALLOCATIONS)                                                      \
	do {                                                                                       \
		struct NAME q;                                                                     \
                                                                                                   \
		for (int n = 1; n <= (ALLOCATIONS); n++) {                                         \
			allocations = 0;                                                           \
			failing_allocation = n;                                                    \
			cr_assert_eq(NAME##_init(&q, 64, NULL), ENOMEM);                           \
			cr_assert_eq(blocks, 0);                                                   \
		}                                                                                  \
		allocations = 0;                                                                   \
		failing_allocation = 0;                                                            \
		cr_assert_eq(NAME##_init(&q, 64, NULL), 0);                                        \
		cr_assert_eq(allocations, ALLOCATIONS);                                            \
		NAME##_destroy(&q);                                                                \
		cr_assert_eq(blocks, 0);                                                           \
	} while (0)

TEST(queue, an_init_that_runs_out_of_memory_says_so_and_keeps_nothing)
{
	RUNS_OUT_OF_MEMORY(narrow, 1);
	RUNS_OUT_OF_MEMORY(wide, 3); /* items, slots, free slots */
	RUNS_OUT_OF_MEMORY(gated, 1);
}

TEST(queue, bad_arguments_allocate_nothing)
{
	const struct sluice_options bad = {SLUICE_OPTION_MAX + 1, 0, 0};
	struct narrow q;

	allocations = 0;
	cr_assert_eq(narrow_init(&q, 0, NULL), EINVAL);
	cr_assert_eq(narrow_init(&q, SLUICE_CAPACITY_MAX + 1, NULL), EINVAL);
	cr_assert_eq(narrow_init(&q, 1, &bad), EINVAL);
	cr_assert_eq(allocations, 0);
}

/* T may be called like anything inside the macros. */
typedef uint32_t item;
typedef struct parcel items;
typedef uint16_t q;

SLUICE_DEFINE(called_item, item)
SLUICE_DEFINE(called_items, items)
SLUICE_DEFINE(called_q, q)

#define MOVES_WHOLE_ITEMS(NAME, TYPE)                                                              \
	do {                                                                                       \
		struct {                                                                           \
			TYPE in[2];                                                                \
			TYPE out[4];                                                               \
			TYPE guard;                                                                \
		} at;                                                                              \
		struct NAME queue;                                                                 \
                                                                                                   \
		memset(&at, 0x5a, sizeof(at));                                                     \
		memset(at.out, 0, sizeof(at.out));                                                 \
		cr_assert_eq(NAME##_init(&queue, 4, NULL), 0);                                     \
		cr_assert_eq(NAME##_put(&queue, at.in[0]), 0);                                     \
		cr_assert_eq(NAME##_put(&queue, at.in[1]), 0);                                     \
		cr_assert_eq(NAME##_put_many(&queue, at.in, 2), 2);                                \
		cr_assert_eq(NAME##_get(&queue, &at.out[0]), 0);                                   \
		cr_assert_eq(NAME##_try_get(&queue, &at.out[1]), 0);                               \
		cr_assert_eq(NAME##_get_many(&queue, &at.out[2], 3), 2);                           \
		cr_assert_arr_eq(at.out, &at.in[0], sizeof(at.in));                                \
		cr_assert_arr_eq(&at.out[2], &at.in[0], sizeof(at.in));                            \
		cr_assert_arr_eq(&at.guard, &at.in[0], sizeof(at.guard));                          \
		NAME##_destroy(&queue);                                                            \
	} while (0)

TEST(queue, item_types_may_have_any_name)
{
	MOVES_WHOLE_ITEMS(called_item, item);
	MOVES_WHOLE_ITEMS(called_items, items);
	MOVES_WHOLE_ITEMS(called_q, q);
}

/* The counters that different threads write must not share a cache line. */
TEST(queue, what_different_sides_write_lies_in_different_lines)
{
	const size_t apart[] = {
		offsetof(struct sluice_priv_queue, closed),
		offsetof(struct sluice_priv_queue, not_empty.word),
		offsetof(struct sluice_priv_queue, not_full.word),
		offsetof(struct sluice_priv_queue, all_done.word),
		offsetof(struct sluice_priv_queue, engine.cell.items.geometry),
		offsetof(struct sluice_priv_queue, engine.cell.items.tail),
		offsetof(struct sluice_priv_queue, engine.cell.items.head),
		offsetof(struct sluice_priv_queue, engine.cell.free_slots.geometry),
		offsetof(struct sluice_priv_queue, engine.cell.free_slots.tail),
		offsetof(struct sluice_priv_queue, engine.cell.free_slots.head),
		offsetof(struct sluice_priv_queue, engine.cell.slots),
	};

	for (size_t i = 1; i < sizeof(apart) / sizeof(apart[0]); i++)
		cr_assert_geq(apart[i] - apart[i - 1], SLUICE_PRIV_LINE);
}
