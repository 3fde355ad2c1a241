/* SPDX-License-Identifier: MIT */
/* queues.c - the one place where queues are instantiated for the comparison; see queues.h. */
#include "queues.h"

#include <sluice.h>

#include "queues/ck_stock_mpmc.h"
#include "queues/mutex.h"

SLUICE_DEFINE(mpmc, uint64_t)
SLUICE_DEFINE_SPMC(spmc, uint64_t)
SLUICE_DEFINE_MPSC(mpsc, uint64_t)
SLUICE_DEFINE_SPSC(spsc, uint64_t)
SLUICE_DEFINE_CK_MPMC(ck_mpmc, uint64_t)
SLUICE_DEFINE_CK_SPMC(ck_spmc, uint64_t)
SLUICE_DEFINE_CK_SPSC(ck_spsc, uint64_t)
MUTEX_QUEUE_DEFINE(mutex, uint64_t)

BENCH_QUEUE(mpmc, BENCH_ANY, BENCH_ANY, NULL)
BENCH_QUEUE(spmc, 1, BENCH_ANY, NULL)
BENCH_QUEUE(mpsc, BENCH_ANY, 1, NULL)
BENCH_QUEUE(spsc, 1, 1, NULL)
BENCH_QUEUE(ck_mpmc, BENCH_ANY, BENCH_ANY, NULL)
BENCH_QUEUE(ck_spmc, 1, BENCH_ANY, NULL)
BENCH_QUEUE(ck_spsc, 1, 1, NULL)
BENCH_QUEUE(ck_stock_mpmc, BENCH_ANY, BENCH_ANY, "capacity rounded up to 2^n - 1")
BENCH_QUEUE(mutex, BENCH_ANY, BENCH_ANY, "baseline")

/* In this order the result table lists them. */
const struct bench_queue *const bench_queues[] = {
	&mpmc_bench,    &ck_mpmc_bench, &ck_stock_mpmc_bench, &mutex_bench,   &spmc_bench,
	&ck_spmc_bench, &mpsc_bench,    &spsc_bench,          &ck_spsc_bench,
};
const size_t bench_queue_count = sizeof(bench_queues) / sizeof(bench_queues[0]);
const struct bench_queue *const bench_baseline = &mutex_bench;
