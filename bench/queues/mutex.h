/* SPDX-License-Identifier: MIT */
/*
 * mutex.h - the baseline: Sluice's contract on one mutex and condition variables.
 *
 *	MUTEX_QUEUE_DEFINE(jobs, struct job)	struct jobs and jobs_put(), jobs_get(), ...
 *
 * Every function has the name, the effect and the results that sluice.h documents, for any number
 * of producers and consumers; the options of init are checked and otherwise without effect, for
 * nothing here looks before it sleeps.
 *
 * It is what a textbook would write, as good as that gets: a fixed array, nothing allocated after
 * init, items stored by value, indexes that wrap by comparison, one signal for each item or room
 * that appears, a broadcast only where every waiter has something to do. Signals are given while
 * the lock is held: after unlocking, the same code moves a half (4:2, capacity 64) to a quarter
 * (4:1) as many items on two cores. Whoever beats this beats the method, not the implementation.
 *
 * Correct because everything but the constants is read and written under the lock. No signal gets
 * lost: a waiter that is signalled attempts again, also if its deadline passed meanwhile, and every
 * item and every room is signalled for itself, not only the first.
 */
#ifndef BENCH_QUEUES_MUTEX_H
#define BENCH_QUEUES_MUTEX_H

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <sluice.h>

/* Everything but the array of items. */
struct mutex_queue {
	pthread_mutex_t lock;
	pthread_cond_t not_empty;
	pthread_cond_t not_full;
	pthread_cond_t all_done;
	size_t capacity;
	size_t head;     /* the oldest item */
	size_t tail;     /* the next free place */
	size_t count;    /* items held */
	uint64_t undone; /* items got, for which task_done has not been called */
	bool closed;
};

/* What to do while a condition does not hold. */
struct mutex_queue_patience {
	bool waits;
	const struct timespec *deadline; /* NULL: for ever */
};

static const struct mutex_queue_patience mutex_queue_at_once = {false, NULL};
static const struct mutex_queue_patience mutex_queue_for_ever = {true, NULL};

static inline struct mutex_queue_patience
mutex_queue_until(const struct timespec *deadline)
{
	return (struct mutex_queue_patience){true, deadline};
}

static inline bool
mutex_queue_deadline_valid(const struct timespec *deadline)
{
	return deadline && deadline->tv_nsec >= 0 && deadline->tv_nsec <= 999999999;
}

/* The array is the caller's: it knows the type. */
static inline int
mutex_queue_init(struct mutex_queue *q, size_t capacity, const struct sluice_options *options)
{
	pthread_condattr_t monotonic;

	if (capacity == 0 || capacity > SLUICE_CAPACITY_MAX)
		return EINVAL;
	if (options && (options->bursts > SLUICE_OPTION_MAX ||
			options->pauses > SLUICE_OPTION_MAX || options->yields > SLUICE_OPTION_MAX))
		return EINVAL;
	*q = (struct mutex_queue){.capacity = capacity};
	/* None of these can fail with these arguments on Linux, where they allocate nothing. */
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_mutex_init(&q->lock, NULL);
	pthread_cond_init(&q->not_empty, &monotonic);
	pthread_cond_init(&q->not_full, &monotonic);
	pthread_cond_init(&q->all_done, &monotonic);
	pthread_condattr_destroy(&monotonic);
	return 0;
}

static inline void
mutex_queue_destroy(struct mutex_queue *q)
{
	pthread_cond_destroy(&q->all_done);
	pthread_cond_destroy(&q->not_full);
	pthread_cond_destroy(&q->not_empty);
	pthread_mutex_destroy(&q->lock);
}

/*
 * Sleeps on cond as long as patience allows, the lock held before and after. Returns 0 when it is
 * time for another look at the condition, EAGAIN or ETIMEDOUT when that look is the last.
 */
static inline int
mutex_queue_wait(struct mutex_queue *q, pthread_cond_t *cond, struct mutex_queue_patience patience)
{
	const struct timespec *deadline = patience.deadline;
	struct timespec at;
	int cancelstate;
	int result;

	if (!patience.waits)
		return EAGAIN;
	/* The contract has no cancellation points. */
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancelstate);
	if (!deadline || deadline->tv_sec > INT_MAX) {
		/* 68 years after boot is never, which spares every libc its limits. */
		result = pthread_cond_wait(cond, &q->lock);
	} else {
		/* Before boot is past, as 0 is, but systems refuse negative times. */
		at = deadline->tv_sec < 0 ? (struct timespec){0, 0} : *deadline;
		result = pthread_cond_timedwait(cond, &q->lock, &at);
	}
	pthread_setcancelstate(cancelstate, NULL);
	return result;
}

/*
 * Takes the lock when there is room for an item. Returns 0, the lock held, or, not held, EPIPE
 * (closed), EAGAIN or ETIMEDOUT.
 */
static inline int
mutex_queue_lock_room(struct mutex_queue *q, struct mutex_queue_patience patience)
{
	int waited = 0;

	pthread_mutex_lock(&q->lock);
	while (!q->closed && q->count == q->capacity && waited == 0)
		waited = mutex_queue_wait(q, &q->not_full, patience);
	if (!q->closed && q->count < q->capacity)
		return 0;
	if (q->closed)
		waited = EPIPE;
	pthread_mutex_unlock(&q->lock);
	return waited;
}

/* The same when there is an item: EPIPE is closed and drained. */
static inline int
mutex_queue_lock_item(struct mutex_queue *q, struct mutex_queue_patience patience)
{
	int waited = 0;

	pthread_mutex_lock(&q->lock);
	while (!q->closed && q->count == 0 && waited == 0)
		waited = mutex_queue_wait(q, &q->not_empty, patience);
	if (q->count > 0)
		return 0;
	if (q->closed)
		waited = EPIPE;
	pthread_mutex_unlock(&q->lock);
	return waited;
}

/* index + n, both at most capacity, on the ring. */
static inline size_t
mutex_queue_advance(const struct mutex_queue *q, size_t index, size_t n)
{
	index += n;
	return index < q->capacity ? index : index - q->capacity;
}

/* Ends what mutex_queue_lock_room began: n items stand at the tail. */
static inline void
mutex_queue_unlock_filled(struct mutex_queue *q, size_t n)
{
	q->tail = mutex_queue_advance(q, q->tail, n);
	q->count += n;
	while (n-- > 0)
		pthread_cond_signal(&q->not_empty);
	pthread_mutex_unlock(&q->lock);
}

/* Ends what mutex_queue_lock_item began: n items at the head were copied. */
static inline void
mutex_queue_unlock_taken(struct mutex_queue *q, size_t n)
{
	q->head = mutex_queue_advance(q, q->head, n);
	q->count -= n;
	q->undone += n;
	while (n-- > 0)
		pthread_cond_signal(&q->not_full);
	pthread_mutex_unlock(&q->lock);
}

/* Up to limit items of size bytes from items to the tail; fits between the two calls above. */
static inline size_t
mutex_queue_copy_in(const struct mutex_queue *q, char *ring, size_t size, const char *items,
		    size_t limit)
{
	size_t room = q->capacity - q->count;
	size_t n = limit < room ? limit : room;
	size_t unbroken = q->capacity - q->tail < n ? q->capacity - q->tail : n;

	memcpy(ring + q->tail * size, items, unbroken * size);
	memcpy(ring, items + unbroken * size, (n - unbroken) * size);
	return n;
}

/* Up to limit items from the head to items. */
static inline size_t
mutex_queue_copy_out(const struct mutex_queue *q, const char *ring, size_t size, char *items,
		     size_t limit)
{
	size_t n = limit < q->count ? limit : q->count;
	size_t unbroken = q->capacity - q->head < n ? q->capacity - q->head : n;

	memcpy(items, ring + q->head * size, unbroken * size);
	memcpy(items + unbroken * size, ring, (n - unbroken) * size);
	return n;
}

static inline size_t
mutex_queue_put_many(struct mutex_queue *q, char *ring, size_t size, const char *items, size_t n,
		     struct mutex_queue_patience patience)
{
	size_t done = 0;
	size_t now;

	while (done < n && mutex_queue_lock_room(q, patience) == 0) {
		now = mutex_queue_copy_in(q, ring, size, items + done * size, n - done);
		mutex_queue_unlock_filled(q, now);
		done += now;
	}
	return done;
}

static inline size_t
mutex_queue_get_many(struct mutex_queue *q, const char *ring, size_t size, char *items, size_t max,
		     struct mutex_queue_patience patience)
{
	size_t n;

	if (max == 0 || mutex_queue_lock_item(q, patience) != 0)
		return 0;
	n = mutex_queue_copy_out(q, ring, size, items, max);
	mutex_queue_unlock_taken(q, n);
	return n;
}

/* The lock held: is every item that was ever put done? Those still queued are not. */
static inline bool
mutex_queue_done(const struct mutex_queue *q)
{
	return q->count == 0 && q->undone == 0;
}

static inline size_t
mutex_queue_close(struct mutex_queue *q, bool discard)
{
	size_t dropped = 0;

	pthread_mutex_lock(&q->lock);
	if (discard) {
		dropped = q->count;
		q->head = q->tail;
		q->count = 0;
		if (mutex_queue_done(q))
			pthread_cond_broadcast(&q->all_done);
	}
	q->closed = true;
	pthread_cond_broadcast(&q->not_empty);
	pthread_cond_broadcast(&q->not_full);
	pthread_mutex_unlock(&q->lock);
	return dropped;
}

static inline bool
mutex_queue_is_closed(struct mutex_queue *q)
{
	bool closed;

	pthread_mutex_lock(&q->lock);
	closed = q->closed;
	pthread_mutex_unlock(&q->lock);
	return closed;
}

static inline size_t
mutex_queue_size(struct mutex_queue *q)
{
	size_t size;

	pthread_mutex_lock(&q->lock);
	size = q->count;
	pthread_mutex_unlock(&q->lock);
	return size;
}

static inline int
mutex_queue_task_done(struct mutex_queue *q)
{
	int result = EINVAL;

	pthread_mutex_lock(&q->lock);
	if (q->undone > 0) {
		q->undone--;
		if (mutex_queue_done(q))
			pthread_cond_broadcast(&q->all_done);
		result = 0;
	}
	pthread_mutex_unlock(&q->lock);
	return result;
}

static inline int
mutex_queue_join(struct mutex_queue *q, struct mutex_queue_patience patience)
{
	int waited = 0;

	pthread_mutex_lock(&q->lock);
	while (!mutex_queue_done(q) && waited == 0)
		waited = mutex_queue_wait(q, &q->all_done, patience);
	if (mutex_queue_done(q))
		waited = 0;
	pthread_mutex_unlock(&q->lock);
	return waited;
}

#define MUTEX_QUEUE_API static inline __attribute__((unused))

#define MUTEX_QUEUE_DEFINE(NAME, T)                                                                \
	typedef T NAME##_item_type; /* T may have any name, that of a parameter as well */         \
                                                                                                   \
	struct NAME {                                                                              \
		struct mutex_queue queue;                                                          \
		NAME##_item_type *ring;                                                            \
	};                                                                                         \
                                                                                                   \
	MUTEX_QUEUE_API int NAME##_init(struct NAME *q, size_t capacity,                           \
					const struct sluice_options *options)                      \
	{                                                                                          \
		int error = mutex_queue_init(&q->queue, capacity, options);                        \
                                                                                                   \
		if (error)                                                                         \
			return error;                                                              \
		q->ring = (NAME##_item_type *)calloc(capacity, sizeof(NAME##_item_type));          \
		if (q->ring)                                                                       \
			return 0;                                                                  \
		mutex_queue_destroy(&q->queue);                                                    \
		return ENOMEM;                                                                     \
	}                                                                                          \
                                                                                                   \
	MUTEX_QUEUE_API void NAME##_destroy(struct NAME *q)                                        \
	{                                                                                          \
		mutex_queue_destroy(&q->queue);                                                    \
		free(q->ring);                                                                     \
	}                                                                                          \
                                                                                                   \
	MUTEX_QUEUE_API int NAME##_put_one(struct NAME *q, NAME##_item_type item,                  \
					   struct mutex_queue_patience patience)                   \
	{                                                                                          \
		int error = mutex_queue_lock_room(&q->queue, patience);                            \
                                                                                                   \
		if (error)                                                                         \
			return error;                                                              \
		q->ring[q->queue.tail] = item;                                                     \
		mutex_queue_unlock_filled(&q->queue, 1);                                           \
		return 0;                                                                          \
	}                                                                                          \
                                                                                                   \
	MUTEX_QUEUE_API int NAME##_get_one(struct NAME *q, NAME##_item_type *item,                 \
					   struct mutex_queue_patience patience)                   \
	{                                                                                          \
		int error = mutex_queue_lock_item(&q->queue, patience);                            \
                                                                                                   \
		if (error)                                                                         \
			return error;                                                              \
		*item = q->ring[q->queue.head];                                                    \
		mutex_queue_unlock_taken(&q->queue, 1);                                            \
		return 0;                                                                          \
	}                                                                                          \
                                                                                                   \
	MUTEX_QUEUE_API int NAME##_put(struct NAME *q, NAME##_item_type item)                      \
	{                                                                                          \
		return NAME##_put_one(q, item, mutex_queue_for_ever);                              \
	}                                                                                          \
                                                                                                   \
	MUTEX_QUEUE_API int NAME##_try_put(struct NAME *q, NAME##_item_type item)                  \
	{                                                                                          \
		return NAME##_put_one(q, item, mutex_queue_at_once);                               \
	}                                                                                          \
                                                                                                   \
	MUTEX_QUEUE_API int NAME##_put_until(struct NAME *q, NAME##_item_type item,                \
					     const struct timespec *deadline)                      \
	{                                                                                          \
		if (!mutex_queue_deadline_valid(deadline))                                         \
			return EINVAL;                                                             \
		return NAME##_put_one(q, item, mutex_queue_until(deadline));                       \
	}                                                                                          \
                                                                                                   \
	MUTEX_QUEUE_API int NAME##_get(struct NAME *q, NAME##_item_type *item)                     \
	{                                                                                          \
		return NAME##_get_one(q, item, mutex_queue_for_ever);                              \
	}                                                                                          \
                                                                                                   \
	MUTEX_QUEUE_API int NAME##_try_get(struct NAME *q, NAME##_item_type *item)                 \
	{                                                                                          \
		return NAME##_get_one(q, item, mutex_queue_at_once);                               \
	}                                                                                          \
                                                                                                   \
	MUTEX_QUEUE_API int NAME##_get_until(struct NAME *q, NAME##_item_type *item,               \
					     const struct timespec *deadline)                      \
	{                                                                                          \
		if (!mutex_queue_deadline_valid(deadline))                                         \
			return EINVAL;                                                             \
		return NAME##_get_one(q, item, mutex_queue_until(deadline));                       \
	}                                                                                          \
                                                                                                   \
	MUTEX_QUEUE_API size_t NAME##_put_many(struct NAME *q, NAME##_item_type const *items,      \
					       size_t n)                                           \
	{                                                                                          \
		return mutex_queue_put_many(&q->queue, (char *)q->ring, sizeof(NAME##_item_type),  \
					    (const char *)items, n, mutex_queue_for_ever);         \
	}                                                                                          \
                                                                                                   \
	MUTEX_QUEUE_API size_t NAME##_try_put_many(struct NAME *q, NAME##_item_type const *items,  \
						   size_t n)                                       \
	{                                                                                          \
		return mutex_queue_put_many(&q->queue, (char *)q->ring, sizeof(NAME##_item_type),  \
					    (const char *)items, n, mutex_queue_at_once);          \
	}                                                                                          \
                                                                                                   \
	MUTEX_QUEUE_API size_t NAME##_get_many(struct NAME *q, NAME##_item_type *items,            \
					       size_t max)                                         \
	{                                                                                          \
		return mutex_queue_get_many(&q->queue, (const char *)q->ring,                      \
					    sizeof(NAME##_item_type), (char *)items, max,          \
					    mutex_queue_for_ever);                                 \
	}                                                                                          \
                                                                                                   \
	MUTEX_QUEUE_API size_t NAME##_try_get_many(struct NAME *q, NAME##_item_type *items,        \
						   size_t max)                                     \
	{                                                                                          \
		return mutex_queue_get_many(&q->queue, (const char *)q->ring,                      \
					    sizeof(NAME##_item_type), (char *)items, max,          \
					    mutex_queue_at_once);                                  \
	}                                                                                          \
                                                                                                   \
	MUTEX_QUEUE_API void NAME##_close(struct NAME *q)                                          \
	{                                                                                          \
		mutex_queue_close(&q->queue, false);                                               \
	}                                                                                          \
                                                                                                   \
	MUTEX_QUEUE_API size_t NAME##_close_discard(struct NAME *q)                                \
	{                                                                                          \
		return mutex_queue_close(&q->queue, true);                                         \
	}                                                                                          \
                                                                                                   \
	MUTEX_QUEUE_API bool NAME##_is_closed(const struct NAME *q)                                \
	{                                                                                          \
		return mutex_queue_is_closed((struct mutex_queue *)&q->queue);                     \
	}                                                                                          \
                                                                                                   \
	MUTEX_QUEUE_API size_t NAME##_size(const struct NAME *q)                                   \
	{                                                                                          \
		return mutex_queue_size((struct mutex_queue *)&q->queue);                          \
	}                                                                                          \
                                                                                                   \
	MUTEX_QUEUE_API size_t NAME##_capacity(const struct NAME *q)                               \
	{                                                                                          \
		return q->queue.capacity;                                                          \
	}                                                                                          \
                                                                                                   \
	MUTEX_QUEUE_API int NAME##_task_done(struct NAME *q)                                       \
	{                                                                                          \
		return mutex_queue_task_done(&q->queue);                                           \
	}                                                                                          \
                                                                                                   \
	MUTEX_QUEUE_API int NAME##_join(struct NAME *q)                                            \
	{                                                                                          \
		return mutex_queue_join(&q->queue, mutex_queue_for_ever);                          \
	}                                                                                          \
                                                                                                   \
	MUTEX_QUEUE_API int NAME##_join_until(struct NAME *q, const struct timespec *deadline)     \
	{                                                                                          \
		if (!mutex_queue_deadline_valid(deadline))                                         \
			return EINVAL;                                                             \
		return mutex_queue_join(&q->queue, mutex_queue_until(deadline));                   \
	}

#endif
