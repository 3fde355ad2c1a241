/* SPDX-License-Identifier: MIT */
/*
 * cxx_ring.h - the functions that try_only.h and pill.h ask for, out of a C++ class.
 *
 *	class Ring {
 *		explicit Ring(size_t capacity);
 *		size_t capacity() const;
 *		push, pop and so on, with an Item, or an Item & to be set
 *	};
 *	CXX_TRY_ONLY_RING(ring8, Ring, bench_item8)
 *	CXX_PILL_RING(ring8, Ring, bench_item8)
 */
#ifndef BENCH_PEERS_CXX_RING_H
#define BENCH_PEERS_CXX_RING_H

#include <new>

#include "../queue.h"

/* What throws is short of memory. */
#define CXX_RING(NAME, CLASS)                                                                      \
	struct NAME {                                                                              \
		CLASS *ring;                                                                       \
	};                                                                                         \
                                                                                                   \
	static int NAME##_init(NAME *r, size_t capacity)                                           \
	{                                                                                          \
		try {                                                                              \
			r->ring = new CLASS(capacity);                                             \
			return 0;                                                                  \
		} catch (const std::bad_alloc &) {                                                 \
			return ENOMEM;                                                             \
		}                                                                                  \
	}                                                                                          \
                                                                                                   \
	static void NAME##_destroy(NAME *r)                                                        \
	{                                                                                          \
		delete r->ring;                                                                    \
	}                                                                                          \
                                                                                                   \
	static inline size_t NAME##_capacity(const NAME *r)                                        \
	{                                                                                          \
		return r->ring->capacity();                                                        \
	}

#define CXX_TRY_ONLY_RING(NAME, CLASS, ITEM)                                                       \
	CXX_RING(NAME, CLASS)                                                                      \
                                                                                                   \
	static inline bool NAME##_push(NAME *r, ITEM item)                                         \
	{                                                                                          \
		return r->ring->push(item);                                                        \
	}                                                                                          \
                                                                                                   \
	static inline bool NAME##_pop(NAME *r, ITEM *item)                                         \
	{                                                                                          \
		return r->ring->pop(*item);                                                        \
	}

#define CXX_PILL_RING(NAME, CLASS, ITEM)                                                           \
	CXX_RING(NAME, CLASS)                                                                      \
                                                                                                   \
	static inline void NAME##_push(NAME *r, ITEM item)                                         \
	{                                                                                          \
		r->ring->push(item);                                                               \
	}                                                                                          \
                                                                                                   \
	static inline void NAME##_pop(NAME *r, ITEM *item)                                         \
	{                                                                                          \
		r->ring->pop(*item);                                                               \
	}                                                                                          \
                                                                                                   \
	static inline bool NAME##_try_push(NAME *r, ITEM item)                                     \
	{                                                                                          \
		return r->ring->try_push(item);                                                    \
	}                                                                                          \
                                                                                                   \
	static inline bool NAME##_try_pop(NAME *r, ITEM *item)                                     \
	{                                                                                          \
		return r->ring->try_pop(*item);                                                    \
	}                                                                                          \
                                                                                                   \
	static inline void NAME##_push_pill(NAME *r, ITEM pill)                                    \
	{                                                                                          \
		r->ring->push_pill(pill);                                                          \
	}

#endif
