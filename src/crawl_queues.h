/* SPDX-License-Identifier: MIT */
/*
 * crawl_queues.h - the queues of the crawler, of the kind that is chosen when it is compiled.
 *
 * Sluice's flavours, each as its ends need. A build may name a header of its own in
 * CRAWL_QUEUES_HEADER, with three macros of the same verbs: so the benchmark compares the same
 * crawler on another queue.
 */
#ifndef CRAWL_QUEUES_H
#define CRAWL_QUEUES_H

#if defined(CRAWL_QUEUES_HEADER)
#include CRAWL_QUEUES_HEADER
#else
#include <sluice.h>
#define CRAWL_DEFINE_SPMC SLUICE_DEFINE_SPMC
#define CRAWL_DEFINE_MPMC SLUICE_DEFINE
#define CRAWL_DEFINE_MPSC SLUICE_DEFINE_MPSC
#endif

struct address;
struct page;
struct report;

CRAWL_DEFINE_SPMC(addresses, const struct address *)
CRAWL_DEFINE_MPMC(pages, struct page *)
CRAWL_DEFINE_MPSC(reports, struct report *)

#endif
