/* SPDX-License-Identifier: MIT */
/* crawl_mutex.h - the baseline as the queue of src/crawl_queues.h: CRAWL_QUEUES_HEADER names it. */
#ifndef BENCH_QUEUES_CRAWL_MUTEX_H
#define BENCH_QUEUES_CRAWL_MUTEX_H

#include "mutex.h"

#define CRAWL_DEFINE_SPMC MUTEX_QUEUE_DEFINE
#define CRAWL_DEFINE_MPMC MUTEX_QUEUE_DEFINE
#define CRAWL_DEFINE_MPSC MUTEX_QUEUE_DEFINE

#endif
