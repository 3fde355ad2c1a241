/* SPDX-License-Identifier: MIT */
/*
 * crawl_held.h - src/crawl_cycle.c as tests/crawl_cycle.c tests it; included there, and before its text.
 *
 * Reports are taken back, and threads are started, by functions of the test. With NAIVE the put of addresses that tries is the
 * one that waits.
 */
#ifndef CRAWL_HELD_H
#define CRAWL_HELD_H

#include "../src/crawl_cycle.h"

void take_back(struct frontier *frontier, const struct report *report);

#define frontier_take_back take_back
#define crew_start         start_crew /* crew.h declares it */
#if defined(NAIVE)
#define addresses_try_put addresses_put
#endif

#endif
