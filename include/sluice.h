/* SPDX-License-Identifier: MIT */
/*
 * sluice.h - bounded queues for threads, whose put and get sleep when they must.
 *
 *	SLUICE_DEFINE(jobs, struct job)      defines struct jobs, jobs_put(), jobs_get(), ...
 *
 *	struct jobs queue;
 *
 *	jobs_init(&queue, 64, NULL);         holds exactly 64
 *	jobs_put(&queue, job);               producers: 0, or EPIPE once closed
 *	while (jobs_get(&queue, &job) == 0)  consumers: until closed and drained
 *		work(&job);
 *	jobs_close(&queue);                  whoever knows that nothing more will come
 *	jobs_destroy(&queue);
 *
 * Header-only, C11 or C++17, 64-bit Linux; needs Concurrency Kit's headers and links nothing but the C
 * library. Define a queue in any number of source files; everything is static.
 *
 * Vocabulary
 *
 *   item      one value of the type T: a scalar, pointer, struct or union of any size, moved as bytes
 *   capacity  how many items the queue holds at most, exactly; 1 to SLUICE_CAPACITY_MAX
 *   full      the queue holds `capacity` items;  empty: none
 *   closed    NAME_close was called: no further put is accepted
 *   drained   closed, and every accepted item was got: no get will ever find one again
 *   done      an item that was got, and for which NAME_task_done was called
 *   deadline  an absolute time on CLOCK_MONOTONIC; see sluice_deadline()
 *   lone      of producers or consumers: at most one thread is inside such a call at any time
 *
 * Flavours
 *
 *   SLUICE_DEFINE          many producers, many consumers     the cell ring (sluice/cell_ring.h)
 *   SLUICE_DEFINE_SPMC     lone producer, many consumers      "
 *   SLUICE_DEFINE_MPSC     many producers, lone consumer      "
 *   SLUICE_DEFINE_SPSC     lone producer, lone consumer       "
 *   SLUICE_DEFINE_CK_MPMC  many producers, many consumers     ck_ring (sluice/ck_engine.h)
 *   SLUICE_DEFINE_CK_SPMC  lone producer, many consumers      "
 *   SLUICE_DEFINE_CK_SPSC  lone producer, lone consumer       "
 *
 * "Producer" means the put calls, "consumer" the get calls. All others may be called by any thread at
 * any time between init and destroy, close_discard included.
 *
 * Guarantees. try_put, try_get, and every attempt inside the calls that wait:
 *
 *   flavour            put          get         a thread suspended anywhere inside stops
 *   MPMC               lock-free    lock-free   nobody
 *   SPMC               wait-free*   lock-free   nobody
 *   MPSC               lock-free    wait-free*  nobody
 *   SPSC               wait-free*   wait-free*  nobody
 *   CK_SPMC, CK_SPSC   wait-free*   lock-free   nobody**
 *   CK_MPMC            blocking     lock-free   in put, at the gate: other producers; no consumer**
 *
 *   *  Waking a sleeper is lock-free, and so is what happens once the queue is closed.
 *   ** But while a put that began before close stays inside, a closed queue is not drained: gets find
 *      what there is, then wait (try_get: EAGAIN) instead of answering EPIPE; so does close_discard.
 *      At any time, join may wait for the item of a put that is inside and that no get finds yet.
 *
 *   Order is FIFO. MPMC is linearizable: EAGAIN from try_get means that at some moment of the call the
 *   queue was empty, from try_put that it was full. Of the others the same holds among threads that
 *   learn of each other's calls through memory or the system. By the clock alone, what a side that is
 *   alone did may reach another processor some nanoseconds after its call returned, for it uses no
 *   locked instruction: until then a try_get there may say "empty", a try_put "full", size the old
 *   number, and join that nothing is left; so two batches beside each other may end short at once, one
 *   for want of room and one of items. Nothing waits longer for that: whoever goes to sleep makes those
 *   stores arrive first.
 *   What a thread wrote before it put an item is visible to the thread that gets the item. What it
 *   wrote before task_done is visible to whoever returns from join because of it.
 *   Nothing is lost: every put that returned 0 is returned by exactly one get, or counted by exactly
 *   one close_discard, whatever races with close.
 *
 *   Sleeping. A thread that waits looks for some 20 microseconds, behind a stream of items into a large
 *   queue for 80 (Zen 4, where nobody else wants the processor; see struct sluice_options), and then
 *   sleeps on a futex; asleep it costs nothing. Waking sleepers costs a put or get that finds none one
 *   load. Two residues: a thread suspended between its operation and its wake-up call delays the one
 *   waiter that it would have woken (a call that moves a batch: as many as it moved, at most 64; close:
 *   all, until another close; the last task_done, and close_discard: those in join), and a thread suspended
 *   after it was woken, before it looks, delays one waiter that could have had what it was woken for. All others
 *   go on; where that waiter is the only consumer or producer, until the queue is full or empty. The
 *   suspended thread, the next wake that finds more sleepers than wakes under way, or close ends it.
 *
 *   A thread that never goes on keeps what it holds: a get its item (so join does not return), a wide put
 *   one of 64 spare slots, a put inside the gate of a CK_ queue that gate, and a thread between its
 *   operation and its wake-up call the one waiter, until close.
 *
 *   Wide items (sizeof(T) > 8) of many producers in the cell ring: while 64 other puts hold a spare slot,
 *   suspended or copying, and one more has begun before them, try_put may report "full" early, put_until
 *   may time out early, and put yields the processor until one of them goes on (to none of a lower
 *   real-time priority). Where the consumer is alone, its item counts until it is copied out.
 *   A call that gets keeps up to two items on its stack.
 *
 *   The one-sided flavours on the cell ring ask the kernel for membarrier(2), once a process, which takes
 *   some 15 ms in the first init that comes after threads were started. Where it is not to be had, they
 *   use full fences instead. A sandbox that is put up later must not forbid it: the process would be
 *   aborted, rather than lose an item.
 *
 *   Signal handlers interrupt no wait. No call is a cancellation point, none is async-signal-safe, and
 *   errno is left alone, but by an init that fails. A forked child must not use a queue that other
 *   threads were using.
 *
 * Reading order: this file, then include/sluice/platform.h, futex.h, park.h, cell_ring.h, ck_engine.h,
 * queue.h. Names with `priv` in them are not for use.
 */
#ifndef SLUICE_H
#define SLUICE_H

#include <sluice/platform.h>
#include <sluice/futex.h>
#include <sluice/park.h>
#include <sluice/cell_ring.h>
#include <sluice/ck_engine.h>
#include <sluice/queue.h>

/* clang-format off */
#define SLUICE_DEFINE(NAME, T)	       SLUICE_PRIV_DEFINE(NAME, T, 0u)
#define SLUICE_DEFINE_SPMC(NAME, T)    SLUICE_PRIV_DEFINE(NAME, T, SLUICE_PRIV_LONE_PRODUCER)
#define SLUICE_DEFINE_MPSC(NAME, T)    SLUICE_PRIV_DEFINE(NAME, T, SLUICE_PRIV_LONE_CONSUMER)
#define SLUICE_DEFINE_SPSC(NAME, T)    SLUICE_PRIV_DEFINE(NAME, T, SLUICE_PRIV_LONE_PRODUCER | SLUICE_PRIV_LONE_CONSUMER)
#define SLUICE_DEFINE_CK_SPSC(NAME, T) SLUICE_PRIV_DEFINE(NAME, T, SLUICE_PRIV_CK | SLUICE_PRIV_LONE_PRODUCER)
#define SLUICE_DEFINE_CK_SPMC(NAME, T) SLUICE_PRIV_DEFINE(NAME, T, SLUICE_PRIV_CK | SLUICE_PRIV_LONE_PRODUCER)
#define SLUICE_DEFINE_CK_MPMC(NAME, T) SLUICE_PRIV_DEFINE(NAME, T, SLUICE_PRIV_CK)
/* clang-format on */

/*
 * sluice_deadline - the time that lies `nanoseconds` from now on CLOCK_MONOTONIC (clock_gettime(2)),
 * for the _until calls. UINT64_MAX is 584 years from now, and no sum overflows. Any thread; wait-free.
 */
SLUICE_PRIV_API struct timespec
sluice_deadline(uint64_t nanoseconds)
{
	struct timespec at = sluice_priv_now();

	at.tv_sec += (time_t)(nanoseconds / 1000000000u);
	at.tv_nsec += (long)(nanoseconds % 1000000000u);
	if (at.tv_nsec > 999999999) {
		at.tv_nsec -= 1000000000;
		at.tv_sec++;
	}
	return at;
}

/*
 * The functions. Progress of put and get: the table above; "waits" means that the call also sleeps
 * until its condition holds. Ordering: the paragraph under the table.
 *
 * int NAME_init(struct NAME *q, size_t capacity, const struct sluice_options *options)
 *	Makes an empty, open queue. options: how long to look before sleeping (sluice/park.h); NULL for
 *	SLUICE_OPTIONS_DEFAULT. Returns 0; EINVAL: capacity 0 or above SLUICE_CAPACITY_MAX, or an option
 *	above SLUICE_OPTION_MAX; ENOMEM (in a CK_ queue also when the items would need 4 GiB: ck_ring
 *	computes offsets in 32 bits). On failure there is nothing to destroy. No call may run beside it.
 *
 * void NAME_destroy(struct NAME *q)
 *	Frees the memory. Items still queued are forgotten. Every other call must have returned.
 *
 * int NAME_put(struct NAME *q, T item)
 *	Appends the item; waits while full. Returns 0 or EPIPE (closed; the item was not taken).
 *
 * int NAME_try_put(struct NAME *q, T item)
 *	Appends the item if there is room; never sleeps. Returns 0, EAGAIN (full) or EPIPE. In CK_MPMC it
 *	waits for its turn at the gate, looking and yielding; never for room. (So a thread of a real-time
 *	priority must not share a processor with producers of a lower one there.)
 *
 * int NAME_put_until(struct NAME *q, T item, const struct timespec *deadline)
 *	As put, but waits until the deadline at most. Returns 0, ETIMEDOUT, EPIPE, or EINVAL (deadline is
 *	NULL, or tv_nsec is not within 0..999999999; nothing was tried). A deadline in the past means one
 *	attempt: room beats an expired deadline. In CK_MPMC also ETIMEDOUT when its turn at the gate did
 *	not come, which after the deadline it looks for 64 times.
 *
 * int NAME_get(struct NAME *q, T *item)
 *	Takes the oldest item; waits while empty. Returns 0 or EPIPE (drained). *item is written only on
 *	success; this holds for the next two as well.
 *
 * int NAME_try_get(struct NAME *q, T *item)
 *	Takes the oldest item if there is one; never sleeps. Returns 0, EAGAIN (empty) or EPIPE (drained).
 *
 * int NAME_get_until(struct NAME *q, T *item, const struct timespec *deadline)
 *	As get, but waits until the deadline at most. Returns 0, ETIMEDOUT, EPIPE or EINVAL, as put_until.
 *
 * size_t NAME_put_many(struct NAME *q, const T *items, size_t n)
 *	Appends n items in order, waiting for room as often as needed; others' items may come between.
 *	Returns how many went in: n, or less when the queue was closed.
 *
 * size_t NAME_try_put_many(struct NAME *q, const T *items, size_t n)
 *	Appends as many as there is room for now. Returns how many.
 *
 * size_t NAME_get_many(struct NAME *q, T *items, size_t max)
 *	Waits for an item, then takes what is there, in order, up to max. Returns how many; 0 only when
 *	drained, or when max is 0. items[] is written up to the result.
 *
 * size_t NAME_try_get_many(struct NAME *q, T *items, size_t max)
 *	Takes what is there now, up to max. Returns how many.
 *
 * void NAME_close(struct NAME *q)
 *	No put that begins after this is accepted; every waiter is woken; gets drain what was accepted.
 *	Again: no effect. Never waits; lock-free.
 *
 * size_t NAME_close_discard(struct NAME *q)
 *	Closes, and drops what is queued, which counts as done. Returns how many that were; 0 if another
 *	close_discard drops them. Never waits; lock-free. (A CK_ queue: it gets the items itself, and waits
 *	for a put that is under way.)
 *
 * bool NAME_is_closed(const struct NAME *q)
 *	Was it closed? Wait-free.
 *
 * size_t NAME_size(const struct NAME *q)
 *	How many items are queued: a snapshot, within 0..capacity, exact when nothing runs. Lock-free.
 *
 * size_t NAME_capacity(const struct NAME *q)
 *	What init was given. Wait-free.
 *
 * int NAME_task_done(struct NAME *q)
 *	One item that a get returned is finished. Returns 0, or EINVAL when called more often than items
 *	were got (nothing is changed). Any thread; lock-free.
 *
 * int NAME_join(struct NAME *q)
 *	Waits until every item ever put is done; closing alone does not end it. Returns 0. Any thread.
 *
 * int NAME_join_until(struct NAME *q, const struct timespec *deadline)
 *	The same until the deadline at most. Returns 0, ETIMEDOUT, or EINVAL as put_until.
 *
 * put, get, try_put and try_get are inlined wherever they are called, each with one attempt and without
 * the waiting; a compiler left to itself would call them. In one run on 2 cores (Zen 4) that gave, in
 * Mitems/s, 135 against 92 at 4:2/64, 150 against 106 at 8:8/64, 253 against 171 at 1:1/64.
 */
#define SLUICE_PRIV_DEFINE(NAME, T, FLAVOUR)                                                       \
	struct NAME {                                                                              \
		struct sluice_priv_queue priv;                                                     \
	};                                                                                         \
                                                                                                   \
	/* T may have any name; the parameters' end in _ for that reason. */                       \
	typedef T NAME##_priv_item;                                                                \
                                                                                                   \
	SLUICE_PRIV_STATIC_ASSERT(SLUICE_PRIV_ITEM_IS_BYTES(NAME##_priv_item),                     \
				  "Sluice moves items as bytes: T must be trivially copyable");    \
                                                                                                   \
	SLUICE_PRIV_API int NAME##_init(struct NAME *q_, size_t capacity_,                         \
					const struct sluice_options *options_)                     \
	{                                                                                          \
		return sluice_priv_init(&q_->priv, FLAVOUR, sizeof(NAME##_priv_item), capacity_,   \
					options_);                                                 \
	}                                                                                          \
                                                                                                   \
	SLUICE_PRIV_API void NAME##_destroy(struct NAME *q_)                                       \
	{                                                                                          \
		sluice_priv_destroy(&q_->priv, FLAVOUR);                                           \
	}                                                                                          \
                                                                                                   \
	SLUICE_PRIV_INLINE int NAME##_put(struct NAME *q_, NAME##_priv_item item_)                 \
	{                                                                                          \
		return sluice_priv_put(&q_->priv, FLAVOUR, sizeof(NAME##_priv_item), &item_,       \
				       NULL);                                                      \
	}                                                                                          \
                                                                                                   \
	SLUICE_PRIV_INLINE int NAME##_try_put(struct NAME *q_, NAME##_priv_item item_)             \
	{                                                                                          \
		return sluice_priv_try_put(&q_->priv, FLAVOUR, sizeof(NAME##_priv_item), &item_);  \
	}                                                                                          \
                                                                                                   \
	SLUICE_PRIV_API int NAME##_put_until(struct NAME *q_, NAME##_priv_item item_,              \
					     const struct timespec *deadline_)                     \
	{                                                                                          \
		if (!sluice_priv_deadline_valid(deadline_))                                        \
			return EINVAL;                                                             \
		return sluice_priv_put(&q_->priv, FLAVOUR, sizeof(NAME##_priv_item), &item_,       \
				       deadline_);                                                 \
	}                                                                                          \
                                                                                                   \
	SLUICE_PRIV_INLINE int NAME##_get(struct NAME *q_, NAME##_priv_item *item_)                \
	{                                                                                          \
		unsigned char scratch_[2 * sizeof(NAME##_priv_item)];                              \
                                                                                                   \
		return sluice_priv_get(&q_->priv, FLAVOUR, sizeof(NAME##_priv_item), item_,        \
				       scratch_, NULL);                                            \
	}                                                                                          \
                                                                                                   \
	SLUICE_PRIV_INLINE int NAME##_try_get(struct NAME *q_, NAME##_priv_item *item_)            \
	{                                                                                          \
		unsigned char scratch_[sizeof(NAME##_priv_item)];                                  \
                                                                                                   \
		return sluice_priv_try_get(&q_->priv, FLAVOUR, sizeof(NAME##_priv_item), item_,    \
					   scratch_);                                              \
	}                                                                                          \
                                                                                                   \
	SLUICE_PRIV_API int NAME##_get_until(struct NAME *q_, NAME##_priv_item *item_,             \
					     const struct timespec *deadline_)                     \
	{                                                                                          \
		unsigned char scratch_[2 * sizeof(NAME##_priv_item)];                              \
                                                                                                   \
		if (!sluice_priv_deadline_valid(deadline_))                                        \
			return EINVAL;                                                             \
		return sluice_priv_get(&q_->priv, FLAVOUR, sizeof(NAME##_priv_item), item_,        \
				       scratch_, deadline_);                                       \
	}                                                                                          \
                                                                                                   \
	SLUICE_PRIV_API size_t NAME##_put_many(struct NAME *q_, NAME##_priv_item const *items_,    \
					       size_t n_)                                          \
	{                                                                                          \
		return sluice_priv_put_many(&q_->priv, FLAVOUR, sizeof(NAME##_priv_item), items_,  \
					    n_);                                                   \
	}                                                                                          \
                                                                                                   \
	SLUICE_PRIV_API size_t NAME##_try_put_many(struct NAME *q_,                                \
						   NAME##_priv_item const *items_, size_t n_)      \
	{                                                                                          \
		return sluice_priv_try_put_many(&q_->priv, FLAVOUR, sizeof(NAME##_priv_item),      \
						items_, n_);                                       \
	}                                                                                          \
                                                                                                   \
	SLUICE_PRIV_API size_t NAME##_get_many(struct NAME *q_, NAME##_priv_item *items_,          \
					       size_t max_)                                        \
	{                                                                                          \
		unsigned char scratch_[sizeof(NAME##_priv_item)];                                  \
                                                                                                   \
		return sluice_priv_get_many(&q_->priv, FLAVOUR, sizeof(NAME##_priv_item), items_,  \
					    max_, scratch_);                                       \
	}                                                                                          \
                                                                                                   \
	SLUICE_PRIV_API size_t NAME##_try_get_many(struct NAME *q_, NAME##_priv_item *items_,      \
						   size_t max_)                                    \
	{                                                                                          \
		unsigned char scratch_[sizeof(NAME##_priv_item)];                                  \
                                                                                                   \
		return sluice_priv_try_get_many(&q_->priv, FLAVOUR, sizeof(NAME##_priv_item),      \
						items_, max_, scratch_);                           \
	}                                                                                          \
                                                                                                   \
	SLUICE_PRIV_API void NAME##_close(struct NAME *q_)                                         \
	{                                                                                          \
		sluice_priv_close(&q_->priv, FLAVOUR);                                             \
	}                                                                                          \
                                                                                                   \
	SLUICE_PRIV_API size_t NAME##_close_discard(struct NAME *q_)                               \
	{                                                                                          \
		unsigned char item_[sizeof(NAME##_priv_item)];                                     \
		unsigned char scratch_[2 * sizeof(NAME##_priv_item)];                              \
                                                                                                   \
		return sluice_priv_close_discard(&q_->priv, FLAVOUR, sizeof(NAME##_priv_item),     \
						 item_, scratch_);                                 \
	}                                                                                          \
                                                                                                   \
	SLUICE_PRIV_API bool NAME##_is_closed(const struct NAME *q_)                               \
	{                                                                                          \
		return sluice_priv_is_closed(&q_->priv);                                           \
	}                                                                                          \
                                                                                                   \
	SLUICE_PRIV_API size_t NAME##_size(const struct NAME *q_)                                  \
	{                                                                                          \
		return sluice_priv_size(&q_->priv, FLAVOUR);                                       \
	}                                                                                          \
                                                                                                   \
	SLUICE_PRIV_API size_t NAME##_capacity(const struct NAME *q_)                              \
	{                                                                                          \
		return q_->priv.capacity;                                                          \
	}                                                                                          \
                                                                                                   \
	SLUICE_PRIV_API int NAME##_task_done(struct NAME *q_)                                      \
	{                                                                                          \
		return sluice_priv_task_done(&q_->priv, FLAVOUR);                                  \
	}                                                                                          \
                                                                                                   \
	SLUICE_PRIV_API int NAME##_join(struct NAME *q_)                                           \
	{                                                                                          \
		return sluice_priv_join(&q_->priv, FLAVOUR, NULL);                                 \
	}                                                                                          \
                                                                                                   \
	SLUICE_PRIV_API int NAME##_join_until(struct NAME *q_, const struct timespec *deadline_)   \
	{                                                                                          \
		if (!sluice_priv_deadline_valid(deadline_))                                        \
			return EINVAL;                                                             \
		return sluice_priv_join(&q_->priv, FLAVOUR, deadline_);                            \
	}

#endif /* SLUICE_H */
