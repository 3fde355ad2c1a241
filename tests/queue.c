/* SPDX-License-Identifier: MIT */
/*
 * queue.c - tests of sluice/queue.h beside the specification: memory that runs out, layout, and counts
 * at the very moment at which the end of a queue is decided.
 */
#include "steps.h"

#include "counting_allocator.h"
#include "test.h"

struct parcel {
	char bytes[24];
};

struct chest {
	char bytes[1024];
};

SLUICE_DEFINE(narrow, uint64_t)
SLUICE_DEFINE(wide, struct parcel)
SLUICE_DEFINE(crate, struct chest)
SLUICE_DEFINE_CK_MPMC(gated, struct parcel)

#define LESSER(a, b)  ((a) < (b) ? (a) : (b))
#define GREATER(a, b) ((a) < (b) ? (b) : (a))

/* 100 items pass in and out, which stand for EACH / 2 pauses; 1000 would be allowed, by the options. */
#define LEARNS(NAME, FLAVOUR, ITEM, CAPACITY, EACH, PAUSES)                                        \
	do {                                                                                       \
		static const struct sluice_options options = {1, 1000, 0};                         \
		static const struct timespec past = {0, 0};                                        \
		struct NAME q;                                                                     \
		ITEM item = {0};                                                                   \
                                                                                                   \
		cr_assert_eq(NAME##_init(&q, CAPACITY, &options), 0);                              \
		for (int i = 0; i < 100; i++) {                                                    \
			cr_assert_eq(NAME##_put(&q, item), 0);                                     \
			cr_assert_eq(                                                              \
				sluice_priv_wait_for_room(&q.priv, FLAVOUR, sizeof(ITEM), NULL)    \
					.pauses,                                                   \
				GREATER(SLUICE_PRIV_PAUSES_MIN, (EACH) / 2u));                     \
			if (i < 99)                                                                \
				cr_assert_eq(NAME##_get(&q, &item), 0);                            \
		}                                                                                  \
		cr_assert_eq(                                                                      \
			sluice_priv_wait_for_item(&q.priv, FLAVOUR, sizeof(ITEM), NULL).pauses,    \
			LESSER(LESSER(PAUSES, 1000u), 99u * (EACH) / 2));                          \
		for (int i = 0; i < 100; i++) {                                                    \
			cr_assert_eq(NAME##_get(&q, &item), 0);                                    \
			cr_assert_eq(NAME##_put(&q, item), 0);                                     \
		}                                                                                  \
		cr_assert_eq(NAME##_get(&q, &item), 0);                                            \
		cr_assert_eq(                                                                      \
			sluice_priv_wait_for_room(&q.priv, FLAVOUR, sizeof(ITEM), NULL).pauses,    \
			LESSER(LESSER(PAUSES, 1000u), 100u * (EACH) / 2));                         \
		cr_assert_eq(                                                                      \
			sluice_priv_wait_for_item(&q.priv, FLAVOUR, sizeof(ITEM), &past).pauses,   \
			LESSER(PAUSES, SLUICE_PRIV_PAUSES_TIMED));                                 \
		NAME##_destroy(&q);                                                                \
	} while (0)

TEST(queue, bursts_are_as_long_as_what_passed_and_as_the_ring_allows)
{
	LEARNS(narrow, 0u, uint64_t, 2, 2, SLUICE_PRIV_PAUSES_MIN);
	LEARNS(narrow, 0u, uint64_t, 64, 2, 8u);
	LEARNS(narrow, 0u, uint64_t, 1024, 2, 128u);
	LEARNS(wide, 0u, struct parcel, 64, 7, 28u);
	LEARNS(wide, 0u, struct parcel, 1024, 7, 448u);
	LEARNS(crate, 0u, struct chest, 64, 32, 128u);
	LEARNS(crate, 0u, struct chest, 1024, 32, 2048u);
	LEARNS(gated, SLUICE_PRIV_CK, struct parcel, 64, 7, 28u);
	LEARNS(gated, SLUICE_PRIV_CK, struct parcel, 1024, 7, 448u);
}

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
	RUNS_OUT_OF_MEMORY(wide, 2); /* items, slots */
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

/*
 * Whoever decides the end has walked to where it is (E2), and has not swapped it in yet (E3). A put that
 * is in flight fills a cell meanwhile, and a get takes the item: both will be told that they came late.
 */
struct late {
	struct narrow *q;
	uint64_t walked_to;
};

static void
late_begin(struct late *late, struct narrow *q)
{
	struct sluice_priv_cells *const ring = &q->priv.engine.cell.items;
	uint64_t ticket = 0;
	uint64_t value;

	cr_assert_eq(narrow_init(q, 2, NULL), 0);
	narrow_close(q);
	late->q = q;
	late->walked_to = sluice_priv_cells_tail(ring);
	cr_assert_eq(sluice_priv_cells_fill(ring, &ring->geometry, false, &ticket, 5), 0);
	cr_assert_eq(sluice_priv_cells_take(ring, &ring->geometry, false, &ticket, &value), 0);
}

static void
late_end(void *opaque)
{
	struct late *const late = opaque;
	struct sluice_priv_cells *const ring = &late->q->priv.engine.cell.items;

	(void)sluice_priv_cas_64_acq_rel(&ring->end, 0, late->walked_to + 1);
}

TEST(queue, an_item_that_may_yet_be_refused_is_nobodys_task)
{
	struct narrow q;
	struct late late;

	late_begin(&late, &q);
	(void)narrow_task_done(
		&q); /* once more than anything was got, or not: as the end will be */
	late_end(&late);
	(void)narrow_task_done(&q);
	cr_assert_leq(q.priv.done, sluice_priv_gets(&q.priv, 0));
	cr_assert_eq(narrow_task_done(&q), EINVAL);
	cr_assert_eq(narrow_join(&q), 0);
	narrow_destroy(&q);
}

TEST(queue, the_size_never_counts_more_gets_than_puts)
{
	bool happened = true;

	for (int at = 1; happened; at++) {
		struct narrow q;
		struct late late;

		late_begin(&late, &q);
		interruption = late_end;
		interruption_argument = &late;
		steps_to_interruption = at;
		cr_assert_leq(narrow_size(&q), 1);
		happened = steps_to_interruption == 0;
		steps_to_interruption = 0;
		cr_assert_eq(narrow_size(&q), 0);
		narrow_destroy(&q);
		cr_assert(happened || at > 3);
	}
}

/* The queue is closed and drained; then puts that came late fill it with what is not accepted. */
static void
fill_behind_the_end(void *opaque)
{
	struct narrow *const queue = opaque;
	struct sluice_priv_cells *const ring = &queue->priv.engine.cell.items;
	uint64_t ticket = 0;
	uint64_t item;

	narrow_close(queue);
	while (narrow_try_get(queue, &item) == 0)
		;
	while (sluice_priv_cells_fill(ring, &ring->geometry, false, &ticket, 5) == 0)
		;
}

TEST(queue, a_put_that_finds_it_full_of_refused_items_is_refused_too)
{
	bool happened = true;

	for (int at = 1; happened; at++) {
		struct narrow queue;
		int result;

		cr_assert_eq(narrow_init(&queue, 2, NULL), 0);
		interruption = fill_behind_the_end;
		interruption_argument = &queue;
		steps_to_interruption = at;
		result = narrow_try_put(&queue, 1);
		happened = steps_to_interruption == 0;
		steps_to_interruption = 0;
		cr_assert(result == 0 || result == EPIPE, "at step %d it answers %d", at, result);
		narrow_destroy(&queue);
		cr_assert(happened || at > 3);
	}
}

/* As if 64 puts were in their copies, and one more, which was first, had claimed the first cell. */
static void
take_all_slots(struct wide *q)
{
	struct sluice_priv_cell_engine *const engine = &q->priv.engine.cell;

	while (sluice_priv_slots_pop(&engine->slots) != SLUICE_PRIV_NO_SLOT)
		;
	sluice_priv_cells_at(&engine->items.geometry, 0)[SLUICE_PRIV_STATE] |=
		SLUICE_PRIV_CELL_CLAIMED;
}

static void
return_slot(void *opaque)
{
	struct wide *const q = opaque;

	sluice_priv_slots_push(&q->priv.engine.cell.slots, q->priv.capacity);
}

TEST(queue, a_put_that_finds_no_spare_slot_looks_until_one_comes_back)
{
	const struct parcel parcel = {"whole"};
	struct parcel got = {{0}};
	struct wide q;

	cr_assert_eq(wide_init(&q, 2, NULL), 0);
	take_all_slots(&q);
	interruption = return_slot;
	interruption_argument = &q;
	steps_to_interruption = 1000;
	cr_assert_eq(wide_put(&q, parcel), 0);
	cr_assert_eq(steps_to_interruption, 0);
	cr_assert_eq(wide_get(&q, &got), 0);
	cr_assert_arr_eq(&got, &parcel, sizeof(got));
	wide_destroy(&q);
}

TEST(queue, a_put_that_finds_no_spare_slot_says_full_or_late)
{
	static const struct timespec past = {0, 0};
	const struct parcel parcel = {{0}};
	struct wide q;
	struct timespec soon;

	cr_assert_eq(wide_init(&q, 2, NULL), 0);
	take_all_slots(&q);
	cr_assert_eq(wide_try_put(&q, parcel), EAGAIN);
	cr_assert_eq(wide_try_put_many(&q, &parcel, 1), 0);
	cr_assert_eq(wide_put_until(&q, parcel, &past), ETIMEDOUT);
	soon = sluice_deadline(5000000);
	cr_assert_eq(wide_put_until(&q, parcel, &soon), ETIMEDOUT);
	cr_assert_eq(wide_size(&q), 0);
	wide_close(&q);
	cr_assert_eq(wide_put_until(&q, parcel, &past), EPIPE);
	wide_destroy(&q);
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
		offsetof(struct sluice_priv_queue, not_empty.passed),
		offsetof(struct sluice_priv_queue, not_full.word),
		offsetof(struct sluice_priv_queue, not_full.passed),
		offsetof(struct sluice_priv_queue, all_done.word),
		offsetof(struct sluice_priv_queue, engine.cell.items.geometry),
		offsetof(struct sluice_priv_queue, engine.cell.items.tail),
		offsetof(struct sluice_priv_queue, engine.cell.items.head),
		offsetof(struct sluice_priv_queue, engine.cell.slots),
	};

	for (size_t i = 1; i < sizeof(apart) / sizeof(apart[0]); i++)
		cr_assert_geq(apart[i] - apart[i - 1], SLUICE_PRIV_LINE);
}
