/* SPDX-License-Identifier: MIT */
/* queues.c - where queues in C are instantiated for the comparison; see queues.h. */
#include "queues.h"

#include <sluice.h>

#include "queues/cas16.h"
#include "queues/ck_stock_mpmc.h"
#include "queues/mutex.h"

SLUICE_DEFINE(mpmc, bench_item8)
SLUICE_DEFINE_SPMC(spmc, bench_item8)
SLUICE_DEFINE_MPSC(mpsc, bench_item8)
SLUICE_DEFINE_SPSC(spsc, bench_item8)
SLUICE_DEFINE_CK_MPMC(ck_mpmc, bench_item8)
SLUICE_DEFINE_CK_SPMC(ck_spmc, bench_item8)
SLUICE_DEFINE_CK_SPSC(ck_spsc, bench_item8)
MUTEX_QUEUE_DEFINE(mutex, bench_item8)

#define MANY_TO_MANY .producers = BENCH_ANY, .consumers = BENCH_ANY
#define ONE_TO_MANY  .producers = 1, .consumers = BENCH_ANY
#define MANY_TO_ONE  .producers = BENCH_ANY, .consumers = 1
#define ONE_TO_ONE   .producers = 1, .consumers = 1

BENCH_QUEUE(mpmc, bench_item8, .name = "mpmc", MANY_TO_MANY)
BENCH_QUEUE(spmc, bench_item8, .name = "spmc", ONE_TO_MANY)
BENCH_QUEUE(mpsc, bench_item8, .name = "mpsc", MANY_TO_ONE)
BENCH_QUEUE(spsc, bench_item8, .name = "spsc", ONE_TO_ONE)
BENCH_QUEUE(ck_mpmc, bench_item8, .name = "ck_mpmc", MANY_TO_MANY)
BENCH_QUEUE(ck_spmc, bench_item8, .name = "ck_spmc", ONE_TO_MANY)
BENCH_QUEUE(ck_spsc, bench_item8, .name = "ck_spsc", ONE_TO_ONE)
BENCH_QUEUE(ck_stock_mpmc, bench_item8, .name = "ck_stock_mpmc", MANY_TO_MANY, .may_be_cut = true)
BENCH_QUEUE(mutex, bench_item8, .name = "mutex", MANY_TO_MANY, .note = "baseline")

/* A single thread is its producer, and leaves no place for a consumer. */
BENCH_QUEUE(cas16, bench_item8, .name = "cas16", .producers = 1, .consumers = 0,
	    .note = "two compare-and-swaps, the floor")

/* By batches. */

BENCH_QUEUE_BATCH(mpmc, bench_item8, .name = "mpmc", MANY_TO_MANY)
BENCH_QUEUE_BATCH(ck_mpmc, bench_item8, .name = "ck_mpmc", MANY_TO_MANY)
BENCH_QUEUE_BATCH(spmc, bench_item8, .name = "spmc", ONE_TO_MANY)
BENCH_QUEUE_BATCH(ck_spmc, bench_item8, .name = "ck_spmc", ONE_TO_MANY)
BENCH_QUEUE_BATCH(mpsc, bench_item8, .name = "mpsc", MANY_TO_ONE)
BENCH_QUEUE_BATCH(spsc, bench_item8, .name = "spsc", ONE_TO_ONE)
BENCH_QUEUE_BATCH(ck_spsc, bench_item8, .name = "ck_spsc", ONE_TO_ONE)
BENCH_QUEUE_BATCH(mutex, bench_item8, .name = "mutex", MANY_TO_MANY, .note = "baseline")

/* Wide items. */

#define WIDE(BYTES)                                                                                \
	SLUICE_DEFINE(mpmc##BYTES, bench_item##BYTES)                                              \
	SLUICE_DEFINE_SPMC(spmc##BYTES, bench_item##BYTES)                                         \
	SLUICE_DEFINE_MPSC(mpsc##BYTES, bench_item##BYTES)                                         \
	SLUICE_DEFINE_SPSC(spsc##BYTES, bench_item##BYTES)                                         \
	SLUICE_DEFINE_CK_MPMC(ck_mpmc##BYTES, bench_item##BYTES)                                   \
	MUTEX_QUEUE_DEFINE(mutex##BYTES, bench_item##BYTES)                                        \
	BENCH_QUEUE(mpmc##BYTES, bench_item##BYTES, .name = "mpmc", MANY_TO_MANY)                  \
	BENCH_QUEUE(spmc##BYTES, bench_item##BYTES, .name = "spmc", ONE_TO_MANY)                   \
	BENCH_QUEUE(mpsc##BYTES, bench_item##BYTES, .name = "mpsc", MANY_TO_ONE)                   \
	BENCH_QUEUE(spsc##BYTES, bench_item##BYTES, .name = "spsc", ONE_TO_ONE)                    \
	BENCH_QUEUE(ck_mpmc##BYTES, bench_item##BYTES, .name = "ck_mpmc", MANY_TO_MANY)            \
	BENCH_QUEUE(mutex##BYTES, bench_item##BYTES, .name = "mutex", MANY_TO_MANY,                \
		    .note = "baseline")

WIDE(24)
WIDE(64)
WIDE(200)

#ifdef BENCH_PEERS
#include "peers/peers.h"
#define PEER(NAME) &NAME##_bench,
#else
#define BENCH_EACH_PEER(PEER)
#endif

/* clang-format off */
const struct bench_queue *const bench_queues[] = {
	&mpmc_bench,       &ck_mpmc_bench,       &ck_stock_mpmc_bench, &mutex_bench,
	&spmc_bench,       &ck_spmc_bench,       &mpsc_bench,
	&spsc_bench,       &ck_spsc_bench,       &cas16_bench,
	&mpmc_batch_bench, &ck_mpmc_batch_bench, &mutex_batch_bench,
	&spmc_batch_bench, &ck_spmc_batch_bench, &mpsc_batch_bench,
	&spsc_batch_bench, &ck_spsc_batch_bench,
	&mpmc24_bench,     &ck_mpmc24_bench,     &mutex24_bench,
	&spmc24_bench,     &mpsc24_bench,        &spsc24_bench,
	&mpmc64_bench,     &ck_mpmc64_bench,     &mutex64_bench,
	&spmc64_bench,     &mpsc64_bench,        &spsc64_bench,
	&mpmc200_bench,    &ck_mpmc200_bench,    &mutex200_bench,
	&spmc200_bench,    &mpsc200_bench,       &spsc200_bench,
	BENCH_EACH_PEER(PEER)
};
/* clang-format on */
const size_t bench_queue_count = sizeof(bench_queues) / sizeof(bench_queues[0]);

#ifdef BENCH_PEERS
const bool bench_with_peers = true;
#else
const bool bench_with_peers = false;
#endif

const struct bench_queue *
bench_baseline(const struct bench_queue *queue)
{
	static const struct bench_queue *const mutexes[] = {
		&mutex_bench, &mutex_batch_bench, &mutex24_bench, &mutex64_bench, &mutex200_bench,
	};

	for (size_t i = 0; i < sizeof(mutexes) / sizeof(mutexes[0]); i++) {
		if (mutexes[i]->item_bytes == queue->item_bytes &&
		    mutexes[i]->batch == queue->batch)
			return mutexes[i];
	}
	return NULL;
}
