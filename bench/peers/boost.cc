/* SPDX-License-Identifier: MIT */
/*
 * boost.cc - Boost.Lockfree's queue, of a fixed size given at run time.
 *
 * libboost1.74-dev; https://www.boost.org/doc/libs/1_74_0/doc/html/lockfree.html. A linked list of
 * nodes from a free list: no operation sleeps, push fails when there is no node. It holds what is
 * asked for, but at most 65534: a node is named by 16 bits, and one is always in use.
 */
#include <boost/lockfree/queue.hpp>

#include <algorithm>

#include "cxx_ring.h"
#include "try_only.h"

template <typename Item> class BoostRing
{
      public:
	explicit BoostRing(size_t capacity) : held(std::min<size_t>(capacity, 65534)), queue(held)
	{
	}

	size_t
	capacity() const
	{
		return held;
	}

	bool
	push(const Item &item)
	{
		return queue.bounded_push(item);
	}

	bool
	pop(Item &item)
	{
		return queue.pop(item);
	}

      private:
	size_t held;
	boost::lockfree::queue<Item, boost::lockfree::fixed_sized<true>> queue;
};

CXX_TRY_ONLY_RING(ring8, BoostRing<bench_item8>, bench_item8)
CXX_TRY_ONLY_RING(ring64, BoostRing<bench_item64>, bench_item64)
TRY_ONLY_SPIN(peer_boost_spin, "boost_spin", ring8, bench_item8, NULL)
TRY_ONLY_YIELD(peer_boost_yield, "boost_yield", ring8, bench_item8, NULL)
TRY_ONLY_SPIN(peer_boost_spin64, "boost_spin", ring64, bench_item64, NULL)
TRY_ONLY_YIELD(peer_boost_yield64, "boost_yield", ring64, bench_item64, NULL)
