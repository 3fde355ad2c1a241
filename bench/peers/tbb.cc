/* SPDX-License-Identifier: MIT */
/*
 * tbb.cc - oneTBB's concurrent_bounded_queue.
 *
 * libtbb-dev 2021.8; https://oneapi-spec.uxlfoundation.org, concurrent_bounded_queue. push and pop
 * wait, and sleep after a while. set_capacity makes it hold exactly what is asked for. Its abort()
 * ends only those calls that wait at that moment, so that the end of a transfer is a pill here, too.
 */
#include <tbb/concurrent_queue.h>

#include "cxx_ring.h"
#include "pill.h"

template <typename Item> class TbbRing
{
      public:
	explicit TbbRing(size_t capacity)
	{
		queue.set_capacity(static_cast<std::ptrdiff_t>(capacity));
	}

	size_t
	capacity() const
	{
		return static_cast<size_t>(queue.capacity());
	}

	void
	push(const Item &item)
	{
		queue.push(item);
	}

	void
	pop(Item &item)
	{
		queue.pop(item);
	}

	bool
	try_push(const Item &item)
	{
		return queue.try_push(item);
	}

	bool
	try_pop(Item &item)
	{
		return queue.try_pop(item);
	}

	/* Waits while full: consumers make room until they find it. */
	void
	push_pill(const Item &pill)
	{
		queue.push(pill);
	}

      private:
	tbb::concurrent_bounded_queue<Item> queue;
};

CXX_PILL_RING(ring8, TbbRing<bench_item8>, bench_item8)
CXX_PILL_RING(ring64, TbbRing<bench_item64>, bench_item64)
PILL_QUEUE(peer_tbb, "tbb", ring8, bench_item8, NULL)
PILL_QUEUE(peer_tbb64, "tbb", ring64, bench_item64, NULL)
