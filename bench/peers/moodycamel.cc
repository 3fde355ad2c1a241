/* SPDX-License-Identifier: MIT */
/*
 * moodycamel.cc - BlockingConcurrentQueue, bounded by its own LightweightSemaphore.
 *
 * libconcurrentqueue-dev 1.0.3; https://github.com/cameron314/concurrentqueue. It has no bound: a
 * semaphore of the kind that the queue itself uses counts the room, so that it holds exactly what is
 * asked for. Who waits looks 10,000 times and then sleeps (the library's default). It is first in,
 * first out for the items of one producer only.
 */
#include <concurrentqueue/blockingconcurrentqueue.h>

#include "cxx_ring.h"
#include "pill.h"

template <typename Item> class MoodycamelRing
{
      public:
	explicit MoodycamelRing(size_t capacity)
	    : queue(capacity), held(capacity),
	      room(static_cast<moodycamel::LightweightSemaphore::ssize_t>(capacity))
	{
	}

	size_t
	capacity() const
	{
		return held;
	}

	void
	push(const Item &item)
	{
		room.wait();
		push_pill(item);
	}

	void
	pop(Item &item)
	{
		queue.wait_dequeue(item);
		room.signal();
	}

	bool
	try_push(const Item &item)
	{
		if (!room.tryWait())
			return false;
		push_pill(item);
		return true;
	}

	bool
	try_pop(Item &item)
	{
		if (!queue.try_dequeue(item))
			return false;
		room.signal();
		return true;
	}

	void
	push_pill(const Item &pill)
	{
		if (!queue.enqueue(pill))
			std::abort(); /* no memory */
	}

      private:
	moodycamel::BlockingConcurrentQueue<Item> queue;
	size_t held;
	alignas(BENCH_ALIGNMENT) moodycamel::LightweightSemaphore room;
};

CXX_PILL_RING(ring8, MoodycamelRing<bench_item8>, bench_item8)
CXX_PILL_RING(ring64, MoodycamelRing<bench_item64>, bench_item64)
PILL_QUEUE(peer_moodycamel, "moodycamel", ring8, bench_item8, "bounded by a semaphore")
PILL_QUEUE(peer_moodycamel64, "moodycamel", ring64, bench_item64, "bounded by a semaphore")
