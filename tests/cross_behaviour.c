/* SPDX-License-Identifier: MIT */
/*
 * cross_behaviour.c - a few threads on every flavour, for machines where the other tests do not run.
 *
 * Producers put numbers, consumers get them and sum them up; the main thread joins the queue, closes
 * it, and compares the sum. Small capacities, so that both sides sleep; items of 8 bytes and wider.
 */
#include <pthread.h>
#include <stdio.h>

#include <sluice.h>

#define ITEMS 3000u /* from each producer */

struct wide {
	uint64_t number;
	uint64_t same[2];
};

static uint64_t
narrow_make(uint64_t number)
{
	return number;
}

static uint64_t
narrow_number(uint64_t item)
{
	return item;
}

static struct wide
wide_make(uint64_t number)
{
	return (struct wide){number, {number, number}};
}

/* 0 if it is torn. */
static uint64_t
wide_number(struct wide item)
{
	return item.same[0] == item.number && item.same[1] == item.number ? item.number : 0;
}

/* clang-format 14 unlearns the tabs inside macros. */
/* clang-format off */
#define DEFINE(DEFINER, NAME, T, WIDTH, PRODUCERS, CONSUMERS)                                      \
	DEFINER(NAME, T)                                                                           \
                                                                                                   \
	static void *NAME##_produce(void *queue)                                                   \
	{                                                                                          \
		for (uint64_t i = 1; i <= ITEMS; i++)                                              \
			if (NAME##_put(queue, WIDTH##_make(i)) != 0)                               \
				return NULL;                                                       \
		return NULL;                                                                       \
	}                                                                                          \
                                                                                                   \
	static void *NAME##_consume(void *queue)                                                   \
	{                                                                                          \
		uint64_t *const sum = calloc(1, sizeof(*sum));                                     \
		T item;                                                                            \
                                                                                                   \
		while (NAME##_get(queue, &item) == 0) {                                            \
			*sum += WIDTH##_number(item);                                              \
			NAME##_task_done(queue);                                                   \
		}                                                                                  \
		return sum;                                                                        \
	}                                                                                          \
                                                                                                   \
	/* Is every number got once, as far as the sum tells? */                                   \
	static bool NAME##_check(size_t capacity)                                                  \
	{                                                                                          \
		pthread_t producers[PRODUCERS];                                                    \
		pthread_t consumers[CONSUMERS];                                                    \
		uint64_t total = 0;                                                                \
		struct NAME q;                                                                     \
                                                                                                   \
		if (NAME##_init(&q, capacity, NULL) != 0)                                          \
			return false;                                                              \
		for (size_t i = 0; i < CONSUMERS; i++)                                             \
			pthread_create(&consumers[i], NULL, NAME##_consume, &q);                   \
		for (size_t i = 0; i < PRODUCERS; i++)                                             \
			pthread_create(&producers[i], NULL, NAME##_produce, &q);                   \
		for (size_t i = 0; i < PRODUCERS; i++)                                             \
			pthread_join(producers[i], NULL);                                          \
		NAME##_join(&q);                                                                   \
		NAME##_close(&q);                                                                  \
		for (size_t i = 0; i < CONSUMERS; i++) {                                           \
			void *sum;                                                                 \
                                                                                                   \
			pthread_join(consumers[i], &sum);                                          \
			total += *(uint64_t *)sum;                                                 \
			free(sum);                                                                 \
		}                                                                                  \
		NAME##_destroy(&q);                                                                \
		printf("%s, capacity %zu: %llu\n", #NAME, capacity, (unsigned long long)total);    \
		return total == (uint64_t)PRODUCERS * ITEMS * (ITEMS + 1) / 2;                     \
	}
/* clang-format on */

DEFINE(SLUICE_DEFINE, mpmc, uint64_t, narrow, 4, 2)
DEFINE(SLUICE_DEFINE, mpmc_wide, struct wide, wide, 4, 2)
DEFINE(SLUICE_DEFINE_SPMC, spmc, uint64_t, narrow, 1, 4)
DEFINE(SLUICE_DEFINE_MPSC, mpsc, uint64_t, narrow, 4, 1)
DEFINE(SLUICE_DEFINE_SPSC, spsc, uint64_t, narrow, 1, 1)
DEFINE(SLUICE_DEFINE_SPSC, spsc_wide, struct wide, wide, 1, 1)
DEFINE(SLUICE_DEFINE_CK_MPMC, ck_mpmc, uint64_t, narrow, 4, 2)
DEFINE(SLUICE_DEFINE_CK_MPMC, ck_mpmc_wide, struct wide, wide, 4, 2)
DEFINE(SLUICE_DEFINE_CK_SPMC, ck_spmc, uint64_t, narrow, 1, 4)
DEFINE(SLUICE_DEFINE_CK_SPSC, ck_spsc, uint64_t, narrow, 1, 1)

int
main(void)
{
	static bool (*const checks[])(size_t capacity) = {
		mpmc_check,      mpmc_wide_check, spmc_check,         mpsc_check,    spsc_check,
		spsc_wide_check, ck_mpmc_check,   ck_mpmc_wide_check, ck_spmc_check, ck_spsc_check,
	};
	static const size_t capacities[] = {1, 3, 64};
	int wrong = 0;

	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++)
		for (size_t c = 0; c < sizeof(capacities) / sizeof(capacities[0]); c++)
			if (!checks[i](capacities[c]))
				wrong++;
	return wrong != 0;
}
