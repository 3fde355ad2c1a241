/* SPDX-License-Identifier: MIT */
/*
 * crawl.h - rows of the comparison in which a whole program runs: sluice-crawl on Sluice's queues, and
 * the same source on mutex queues (src/crawl_queues.h).
 *
 *	crawl_register();
 *
 * An item is an address. Each measurement starts the program, which crawls the site of the tests
 * (tests/crawl_site.h, on loopback, in this process) with 4 producers, 2 consumers and capacity 64,
 * into an empty database in a folder of its own; the program's own clock says how long. It fails
 * unless the whole site is stored.
 *
 * This is no measurement of queues: a page costs a fetch, a parse and a share of a transaction, a
 * thousand times what it costs to hand it on. It shows what is left of the difference in a program
 * that does something else.
 */
#ifndef BENCH_CRAWL_H
#define BENCH_CRAWL_H

/* Instead of harness_register: crawl/mpmc/p:4/c:2/cap:64 (Sluice's queues), and crawl/mutex/... */
void crawl_register(void);

#endif
