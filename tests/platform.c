/* SPDX-License-Identifier: MIT */
/* platform.c - tests of sluice/platform.h: the double-width compare-and-swap, and ck_ring's facts. */
#include <sluice/platform.h>

#include "test.h"

TEST(platform, the_double_width_swap_changes_both_words_or_none)
{
	_Alignas(16) uint64_t cell[2] = {1, 2};
	uint64_t expected[2] = {1, 2};
	uint64_t wrong_first[2] = {0, 2};
	uint64_t wrong_second[2] = {1, 0};
	uint64_t desired[2] = {UINT64_MAX, UINT64_MAX - 1};

	cr_assert_not(sluice_priv_cas_64_2_acq_rel(cell, wrong_first, desired));
	cr_assert_not(sluice_priv_cas_64_2_acq_rel(cell, wrong_second, desired));
	cr_assert(cell[0] == 1 && cell[1] == 2);
	cr_assert(sluice_priv_cas_64_2_acq_rel(cell, expected, desired));
	cr_assert(cell[0] == UINT64_MAX && cell[1] == UINT64_MAX - 1);
	cr_assert(expected[0] == 1 && expected[1] == 2 && desired[0] == UINT64_MAX);
}

TEST(platform, exchange_and_swap_report_what_they_found)
{
	uint32_t word = 3;
	uint64_t wide = UINT64_C(1) << 40;

	cr_assert_eq(sluice_priv_exchange_32_acq_rel(&word, 4), 3);
	cr_assert_not(sluice_priv_cas_32_acq_rel(&word, 3, 5));
	cr_assert(sluice_priv_cas_32_acq_rel(&word, 4, 5));
	cr_assert_eq(sluice_priv_load_32_acquire(&word), 5);
	cr_assert_not(sluice_priv_cas_64_acq_rel(&wide, 0, 1));
	cr_assert(sluice_priv_cas_64_acq_rel(&wide, UINT64_C(1) << 40, UINT64_MAX));
	cr_assert_eq(sluice_priv_load_64_acquire(&wide), UINT64_MAX);
}

/* ck_engine.h builds on both. */
TEST(platform, ck_ring_holds_one_item_less_than_its_size_and_its_counters_only_grow)
{
	struct ck_ring ring;
	uint64_t buffer[4];
	uint64_t item = 7;

	ck_ring_init(&ring, 4);
	for (int i = 0; i < 3; i++)
		cr_assert(_ck_ring_enqueue_sp(&ring, buffer, &item, sizeof(item), NULL));
	cr_assert_not(_ck_ring_enqueue_sp(&ring, buffer, &item, sizeof(item), NULL));
	cr_assert_eq(ring.p_tail, 3);
	for (int i = 0; i < 3; i++)
		cr_assert(_ck_ring_dequeue_mc(&ring, buffer, &item, sizeof(item)));
	cr_assert_not(_ck_ring_dequeue_mc(&ring, buffer, &item, sizeof(item)));
	cr_assert_eq(ring.c_head, 3);
}
