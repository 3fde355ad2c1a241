/* SPDX-License-Identifier: MIT */
/*
 * glib.c - GLib's GAsyncQueue, bounded by a POSIX semaphore.
 *
 * libglib2.0-dev 2.74; https://docs.gtk.org/glib/struct.AsyncQueue.html. A list under a mutex and a
 * condition variable: sleeps. It has no bound; a semaphore counts the room, so that it holds exactly
 * what is asked for. It carries pointers other than NULL: an item of 8 bytes travels as one, a wider
 * one is copied to memory that the producer allocates and the consumer frees.
 */
#include <semaphore.h>

#include <glib.h>

#include "pill.h"

static inline gpointer
pack8(bench_item8 item)
{
	return (gpointer)(uintptr_t)(item + 1);
}

static inline bench_item8
unpack8(gpointer packed)
{
	return (uintptr_t)packed - 1;
}

static inline gpointer
pack64(bench_item64 item)
{
	bench_item64 *packed = g_malloc(sizeof(*packed));

	*packed = item;
	return packed;
}

static inline bench_item64
unpack64(gpointer packed)
{
	bench_item64 item = *(bench_item64 *)packed;

	g_free(packed);
	return item;
}

#define GLIB(NAME, ITEM, PACK, UNPACK)                                                             \
	struct NAME {                                                                              \
		GAsyncQueue *queue;                                                                \
		size_t capacity;                                                                   \
		char pad[BENCH_ALIGNMENT];                                                         \
		sem_t room;                                                                        \
	};                                                                                         \
                                                                                                   \
	static int NAME##_init(struct NAME *r, size_t capacity)                                    \
	{                                                                                          \
		r->queue = g_async_queue_new();                                                    \
		r->capacity = capacity;                                                            \
		return sem_init(&r->room, 0, (unsigned int)capacity);                              \
	}                                                                                          \
                                                                                                   \
	static void NAME##_destroy(struct NAME *r)                                                 \
	{                                                                                          \
		gpointer left;                                                                     \
                                                                                                   \
		while ((left = g_async_queue_try_pop(r->queue)))                                   \
			(void)UNPACK(left);                                                        \
		g_async_queue_unref(r->queue);                                                     \
		sem_destroy(&r->room);                                                             \
	}                                                                                          \
                                                                                                   \
	static inline size_t NAME##_capacity(const struct NAME *r)                                 \
	{                                                                                          \
		return r->capacity;                                                                \
	}                                                                                          \
                                                                                                   \
	static inline void NAME##_push_pill(struct NAME *r, ITEM pill)                             \
	{                                                                                          \
		g_async_queue_push(r->queue, PACK(pill));                                          \
	}                                                                                          \
                                                                                                   \
	static inline void NAME##_push(struct NAME *r, ITEM item)                                  \
	{                                                                                          \
		while (sem_wait(&r->room) != 0) /* a signal */                                     \
			;                                                                          \
		g_async_queue_push(r->queue, PACK(item));                                          \
	}                                                                                          \
                                                                                                   \
	static inline bool NAME##_try_push(struct NAME *r, ITEM item)                              \
	{                                                                                          \
		if (sem_trywait(&r->room) != 0)                                                    \
			return false;                                                              \
		g_async_queue_push(r->queue, PACK(item));                                          \
		return true;                                                                       \
	}                                                                                          \
                                                                                                   \
	static inline void NAME##_pop(struct NAME *r, ITEM *item)                                  \
	{                                                                                          \
		*item = UNPACK(g_async_queue_pop(r->queue));                                       \
		sem_post(&r->room);                                                                \
	}                                                                                          \
                                                                                                   \
	static inline bool NAME##_try_pop(struct NAME *r, ITEM *item)                              \
	{                                                                                          \
		gpointer packed = g_async_queue_try_pop(r->queue);                                 \
                                                                                                   \
		if (!packed)                                                                       \
			return false;                                                              \
		*item = UNPACK(packed);                                                            \
		sem_post(&r->room);                                                                \
		return true;                                                                       \
	}

GLIB(ring8, bench_item8, pack8, unpack8)
GLIB(ring64, bench_item64, pack64, unpack64)
PILL_QUEUE(peer_glib, "glib", ring8, bench_item8, "bounded by a semaphore")
PILL_QUEUE(peer_glib64, "glib", ring64, bench_item64, "bounded by a semaphore, items by malloc")
