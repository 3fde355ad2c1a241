/* SPDX-License-Identifier: MIT */
/*
 * flavours.h - every flavour of queue, seen through functions, so that one test can go through all.
 *
 * Each flavour comes twice: with numbers as items, and with wide items made of a number, which cell
 * rings move through slots. A number comes back from a wide item only if the item is whole.
 *
 *	static void
 *	holds_one(const struct flavour *flavour)
 *	{
 *		void *const q = queue_new(flavour, 1, NULL);
 *		...
 *	}
 *	TEST(suite, each_holds_one) { with_every_flavour(holds_one); }
 *
 * A queue is a void * here, and the same address is its struct sluice_priv_queue, for tests that look
 * inside or reach in.
 */
#ifndef FLAVOURS_H
#define FLAVOURS_H

#include <sluice.h>

#include "threads.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct flavour {
	const char *name;
	bool lone_producer;
	bool lone_consumer;
	bool ck;
	size_t bytes; /* of an item */
	int (*init)(void *q, size_t capacity, const struct sluice_options *options);
	void (*destroy)(void *q);
	int (*put)(void *q, uint64_t number);
	int (*try_put)(void *q, uint64_t number);
	int (*put_until)(void *q, uint64_t number, const struct timespec *deadline);
	int (*get)(void *q, uint64_t *number);
	int (*try_get)(void *q, uint64_t *number);
	int (*get_until)(void *q, uint64_t *number, const struct timespec *deadline);
	void (*close)(void *q);
	size_t (*size)(const void *q);
	int (*task_done)(void *q);
	int (*join)(void *q);
	int (*join_until)(void *q, const struct timespec *deadline);
};

struct wide_item {
	uint64_t number;
	uint64_t inverse;
	uint64_t again;
};

#define NOT_WHOLE UINT64_MAX

static inline uint64_t
narrow_make(uint64_t number)
{
	return number;
}

static inline uint64_t
narrow_number(uint64_t item)
{
	return item;
}

static inline struct wide_item
wide_make(uint64_t number)
{
	return (struct wide_item){number, ~number, number};
}

static inline uint64_t
wide_number(struct wide_item item)
{
	return item.inverse == ~item.number && item.again == item.number ? item.number : NOT_WHOLE;
}

/* clang-format off */
#define FLAVOUR_GET(CALL, T, MAKE, NUMBER)                                                         \
	T item = MAKE(NOT_WHOLE);                                                                  \
	const int result = CALL;                                                                   \
	if (result == 0)                                                                           \
		*n = NUMBER(item);                                                                 \
	return result;

#define FLAVOUR_FUNCTIONS(NAME, T, MAKE, NUMBER)                                                   \
	static int NAME##_f_init(void *q, size_t capacity, const struct sluice_options *options)   \
	{ return NAME##_init(q, capacity, options); }                                              \
	static void NAME##_f_destroy(void *q) { NAME##_destroy(q); }                               \
	static int NAME##_f_put(void *q, uint64_t n) { return NAME##_put(q, MAKE(n)); }            \
	static int NAME##_f_try_put(void *q, uint64_t n) { return NAME##_try_put(q, MAKE(n)); }    \
	static int NAME##_f_put_until(void *q, uint64_t n, const struct timespec *deadline)        \
	{ return NAME##_put_until(q, MAKE(n), deadline); }                                         \
	static int NAME##_f_get(void *q, uint64_t *n)                                              \
	{ FLAVOUR_GET(NAME##_get(q, &item), T, MAKE, NUMBER) }                                     \
	static int NAME##_f_try_get(void *q, uint64_t *n)                                          \
	{ FLAVOUR_GET(NAME##_try_get(q, &item), T, MAKE, NUMBER) }                                 \
	static int NAME##_f_get_until(void *q, uint64_t *n, const struct timespec *deadline)       \
	{ FLAVOUR_GET(NAME##_get_until(q, &item, deadline), T, MAKE, NUMBER) }                     \
	static void NAME##_f_close(void *q) { NAME##_close(q); }                                   \
	static size_t NAME##_f_size(const void *q) { return NAME##_size(q); }                      \
	static int NAME##_f_task_done(void *q) { return NAME##_task_done(q); }                     \
	static int NAME##_f_join(void *q) { return NAME##_join(q); }                               \
	static int NAME##_f_join_until(void *q, const struct timespec *deadline)                   \
	{ return NAME##_join_until(q, deadline); }

/* DO(NAME, the macro that defines it, lone producer?, lone consumer?, on ck_ring?) */
#define FOR_EACH_FLAVOUR(DO)                                                                       \
	DO(mpmc,    SLUICE_DEFINE,         false, false, false)                                    \
	DO(spmc,    SLUICE_DEFINE_SPMC,    true,  false, false)                                    \
	DO(mpsc,    SLUICE_DEFINE_MPSC,    false, true,  false)                                    \
	DO(spsc,    SLUICE_DEFINE_SPSC,    true,  true,  false)                                    \
	DO(ck_mpmc, SLUICE_DEFINE_CK_MPMC, false, false, true)                                     \
	DO(ck_spmc, SLUICE_DEFINE_CK_SPMC, true,  false, true)                                     \
	DO(ck_spsc, SLUICE_DEFINE_CK_SPSC, true,  true,  true)

#define FLAVOUR_DEFINE(NAME, DEFINE, LONE_PRODUCER, LONE_CONSUMER, CK)                             \
	DEFINE(NAME, uint64_t)                                                                     \
	FLAVOUR_FUNCTIONS(NAME, uint64_t, narrow_make, narrow_number)                              \
	DEFINE(NAME##_wide, struct wide_item)                                                      \
	FLAVOUR_FUNCTIONS(NAME##_wide, struct wide_item, wide_make, wide_number)

#define FLAVOUR_ROW(NAME, TEXT, T, LONE_PRODUCER, LONE_CONSUMER, CK)                               \
	{ TEXT, LONE_PRODUCER, LONE_CONSUMER, CK, sizeof(T), NAME##_f_init, NAME##_f_destroy,      \
	  NAME##_f_put, NAME##_f_try_put, NAME##_f_put_until, NAME##_f_get, NAME##_f_try_get,      \
	  NAME##_f_get_until, NAME##_f_close, NAME##_f_size, NAME##_f_task_done, NAME##_f_join,    \
	  NAME##_f_join_until },

#define FLAVOUR_ROWS(NAME, DEFINE, LONE_PRODUCER, LONE_CONSUMER, CK)                               \
	FLAVOUR_ROW(NAME, #NAME, uint64_t, LONE_PRODUCER, LONE_CONSUMER, CK)                       \
	FLAVOUR_ROW(NAME##_wide, #NAME ", wide items", struct wide_item, LONE_PRODUCER,            \
		    LONE_CONSUMER, CK)
/* clang-format on */

FOR_EACH_FLAVOUR(FLAVOUR_DEFINE)

static const struct flavour flavours[] = {FOR_EACH_FLAVOUR(FLAVOUR_ROWS)};

/* Says which flavour is at it, so that a test which hangs or dies has said where. */
static inline void
with_every_flavour(void (*test)(const struct flavour *flavour))
{
	for (size_t i = 0; i < COUNT(flavours); i++) {
		printf("%s\n", flavours[i].name);
		fflush(stdout);
		test(&flavours[i]);
	}
}

/* Sleep at once, without looking first. */
static const struct sluice_options at_once = {0, 0, 0};

static inline void *
queue_new(const struct flavour *flavour, size_t capacity, const struct sluice_options *options)
{
	void *const q = malloc(sizeof(struct sluice_priv_queue));

	cr_assert_not_null(q);
	cr_assert_eq(flavour->init(q, capacity, options), 0);
	return q;
}

static inline void
queue_delete(const struct flavour *flavour, void *q)
{
	flavour->destroy(q);
	free(q);
}

/* The next item must be this number. Waits for it. */
static inline void
expect_get(const struct flavour *flavour, void *q, uint64_t number)
{
	uint64_t got;

	cr_assert_eq(flavour->get(q, &got), 0);
	cr_assert_eq(got, number);
}

/* How often something is done: five times as often when SLUICE_TEST_LONG=1. */
static inline int
rounds(int in_short)
{
	const char *const text = getenv("SLUICE_TEST_LONG");

	return text != NULL && strcmp(text, "1") == 0 ? 5 * in_short : in_short;
}

#if defined(__SANITIZE_ADDRESS__)
#define ADDRESS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ADDRESS_SANITIZER 1
#endif
#endif
#if !defined(ADDRESS_SANITIZER)
#define ADDRESS_SANITIZER 0
#endif

#endif
