/* SPDX-License-Identifier: MIT */
/*
 * item.h - what the compared queues carry: numbers, in items of several widths.
 *
 *	bench_item64 item = bench_item64_of(7);
 *	bench_item64_number(&item)			7
 *	bench_item64_none()				a place for one
 *
 * An item is full of its number, and is read in full: one that a queue has torn yields a number
 * that nobody sent, and the sums differ.
 */
#ifndef BENCH_ITEM_H
#define BENCH_ITEM_H

#include <stddef.h>
#include <stdint.h>

#define BENCH_TORN UINT64_MAX

#define BENCH_ITEM(NAME, WORDS)                                                                    \
	typedef struct {                                                                           \
		uint64_t word[WORDS];                                                              \
	} NAME;                                                                                    \
                                                                                                   \
	static inline NAME NAME##_of(uint64_t number)                                              \
	{                                                                                          \
		NAME item = {{0}};                                                                 \
                                                                                                   \
		for (size_t i = 0; i < (WORDS); i++)                                               \
			item.word[i] = number;                                                     \
		return item;                                                                       \
	}                                                                                          \
                                                                                                   \
	static inline NAME NAME##_none(void)                                                       \
	{                                                                                          \
		NAME item = {{0}};                                                                 \
		return item;                                                                       \
	}                                                                                          \
                                                                                                   \
	static inline uint64_t NAME##_number(const NAME *item)                                     \
	{                                                                                          \
		uint64_t differences = 0;                                                          \
                                                                                                   \
		for (size_t i = 1; i < (WORDS); i++)                                               \
			differences |= item->word[i] ^ item->word[0];                              \
		return differences ? BENCH_TORN : item->word[0];                                   \
	}

typedef uint64_t bench_item8;

static inline bench_item8
bench_item8_of(uint64_t number)
{
	return number;
}

static inline bench_item8
bench_item8_none(void)
{
	return 0;
}

static inline uint64_t
bench_item8_number(const bench_item8 *item)
{
	return *item;
}

BENCH_ITEM(bench_item24, 3)
BENCH_ITEM(bench_item64, 8)
BENCH_ITEM(bench_item200, 25)

#endif
