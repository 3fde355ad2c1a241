/* SPDX-License-Identifier: MIT */
/*
 * crawl_summary.h - what the crawler says: while it runs on one line of a terminal, and at its end.
 */
#ifndef CRAWL_SUMMARY_H
#define CRAWL_SUMMARY_H

#include <stdatomic.h>
#include <stdbool.h>

#include "crawl_cycle.h"
#include "crawl_store.h"

/* Of this run. */
struct counts {
	atomic_ulong stored; /* addresses */
	atomic_ulong errors; /* those of them without a page or redirect */
	atomic_bool stopped; /* by a signal */
	atomic_bool failed;  /* to store something */
	struct timespec begin;
};

/* Writes over the line with news, and ends that line. */
void summary_progress(const struct counts *counts, struct cycle *cycle);
void summary_progress_end(void);

/* Prints the whole on stdout, as text or JSON. */
bool summary_print(const struct counts *counts, const struct cycle *cycle, struct store *store,
		   const struct store_totals *totals, bool json);

#endif
