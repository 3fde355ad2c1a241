/* SPDX-License-Identifier: MIT */
/*
 * compile.c - every function of every flavour, for several types of items, as C and as C++.
 *
 * compile.sh compiles this file in many ways. What it does when run is little: each queue hands
 * on a few items through each call, and the exit status tells whether they arrived. Compiled with
 * SECOND_UNIT it becomes a second source file of that program (compiled with FIRST_UNIT), which
 * defines the same queues.
 */
#include <sluice.h>

#include <string.h>

struct wide {
	char bytes[24];
};

#define EXPECT(condition) (wrong += (condition) ? 0 : 1)

/* clang-format 14 unlearns the tabs inside macros. */
/* clang-format off */
/* item is put nine times, three at a time. Returns how many expectations failed. */
#define DEFINE_CHECK(NAME, T)                                                                      \
	/* As users write it: whether item has a value is known by the result alone. */            \
	static int NAME##_move(struct NAME *q, T *to)                                              \
	{                                                                                          \
		T item;                                                                            \
		const int result = NAME##_get(q, &item);                                           \
                                                                                                   \
		if (result == 0)                                                                   \
			*to = item;                                                                \
		return result;                                                                     \
	}                                                                                          \
                                                                                                   \
	static int NAME##_check(T item)                                                            \
	{                                                                                          \
		const struct timespec later = sluice_deadline(UINT64_MAX);                         \
		T in[3];                                                                           \
		T out[9];                                                                          \
		struct NAME q;                                                                     \
		int wrong = 0;                                                                     \
		int i;                                                                             \
                                                                                                   \
		for (i = 0; i < 3; i++)                                                            \
			in[i] = item;                                                              \
		memset(out, 0, sizeof(out));                                                       \
		EXPECT(NAME##_init(&q, 3, NULL) == 0);                                             \
		EXPECT(NAME##_capacity(&q) == 3);                                                  \
                                                                                                   \
		EXPECT(NAME##_put(&q, item) == 0);                                                 \
		EXPECT(NAME##_try_put(&q, item) == 0);                                             \
		EXPECT(NAME##_put_until(&q, item, &later) == 0);                                   \
		EXPECT(NAME##_size(&q) == 3);                                                      \
		EXPECT(NAME##_move(&q, &out[0]) == 0);                                             \
		EXPECT(NAME##_try_get(&q, &out[1]) == 0);                                          \
		EXPECT(NAME##_get_until(&q, &out[2], &later) == 0);                                \
                                                                                                   \
		EXPECT(NAME##_put_many(&q, in, 3) == 3);                                           \
		EXPECT(NAME##_get_many(&q, &out[3], 3) == 3);                                      \
		EXPECT(NAME##_try_put_many(&q, in, 3) == 3);                                       \
		EXPECT(NAME##_try_get_many(&q, &out[6], 3) == 3);                                  \
		for (i = 0; i < 9; i++)                                                            \
			EXPECT(memcmp(&out[i], &item, sizeof(T)) == 0);                            \
                                                                                                   \
		for (i = 0; i < 9; i++)                                                            \
			EXPECT(NAME##_task_done(&q) == 0);                                         \
		EXPECT(NAME##_join(&q) == 0);                                                      \
		EXPECT(NAME##_join_until(&q, &later) == 0);                                        \
                                                                                                   \
		EXPECT(NAME##_put(&q, item) == 0);                                                 \
		NAME##_close(&q);                                                                  \
		EXPECT(NAME##_is_closed(&q));                                                      \
		EXPECT(NAME##_close_discard(&q) == 1);                                             \
		NAME##_destroy(&q);                                                                \
		return wrong;                                                                      \
	}

#define DEFINE(DEFINER, NAME, T)                                                                   \
	DEFINER(NAME, T)                                                                           \
	DEFINE_CHECK(NAME, T)
/* clang-format on */

DEFINE(SLUICE_DEFINE, mpmc_number, uint64_t)
DEFINE(SLUICE_DEFINE_SPMC, spmc_number, uint64_t)
DEFINE(SLUICE_DEFINE_MPSC, mpsc_number, uint64_t)
DEFINE(SLUICE_DEFINE_SPSC, spsc_number, uint64_t)
DEFINE(SLUICE_DEFINE_CK_MPMC, ck_mpmc_number, uint64_t)
DEFINE(SLUICE_DEFINE_CK_SPMC, ck_spmc_number, uint64_t)
DEFINE(SLUICE_DEFINE_CK_SPSC, ck_spsc_number, uint64_t)

DEFINE(SLUICE_DEFINE, mpmc_wide, struct wide)
DEFINE(SLUICE_DEFINE_SPMC, spmc_wide, struct wide)
DEFINE(SLUICE_DEFINE_MPSC, mpsc_wide, struct wide)
DEFINE(SLUICE_DEFINE_SPSC, spsc_wide, struct wide)
DEFINE(SLUICE_DEFINE_CK_MPMC, ck_mpmc_wide, struct wide)
DEFINE(SLUICE_DEFINE_CK_SPMC, ck_spmc_wide, struct wide)
DEFINE(SLUICE_DEFINE_CK_SPSC, ck_spsc_wide, struct wide)

/* One of each engine is enough for these, which differ from a number by their type only. */
DEFINE(SLUICE_DEFINE, mpmc_text, const char *)
DEFINE(SLUICE_DEFINE_CK_MPMC, ck_mpmc_text, const char *)
DEFINE(SLUICE_DEFINE, mpmc_letter, char)
DEFINE(SLUICE_DEFINE_CK_MPMC, ck_mpmc_letter, char)

static int
check(void)
{
	const uint64_t number = UINT64_MAX;
	const struct wide wide = {"twenty-three letters..."};
	const char *const text = "text";

	return mpmc_number_check(number) + spmc_number_check(number) + mpsc_number_check(number) +
	       spsc_number_check(number) + ck_mpmc_number_check(number) +
	       ck_spmc_number_check(number) + ck_spsc_number_check(number) + mpmc_wide_check(wide) +
	       spmc_wide_check(wide) + mpsc_wide_check(wide) + spsc_wide_check(wide) +
	       ck_mpmc_wide_check(wide) + ck_spmc_wide_check(wide) + ck_spsc_wide_check(wide) +
	       mpmc_text_check(text) + ck_mpmc_text_check(text) + mpmc_letter_check('s') +
	       ck_mpmc_letter_check('s');
}

int second_unit(void);

#ifdef SECOND_UNIT
int
second_unit(void)
{
	return check();
}
#else
int
main(void)
{
	int wrong = check();

#ifdef FIRST_UNIT
	wrong += second_unit();
#endif
	return wrong != 0;
}
#endif
