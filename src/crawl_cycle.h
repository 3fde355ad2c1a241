/* SPDX-License-Identifier: MIT */
/*
 * crawl_cycle.h - the circle of bounded queues: what runs in which thread, and how it ends.
 *
 *                 +---- [addresses] ----> producers ---- [pages] ----+
 *                 |                       (fetch)                    v
 *              frontier                                          consumers (digest)
 *                 ^                                                  |
 *                 +--------------------- [reports] ------------------+
 *
 * Who writes such a circle with three puts that wait has written a deadlock. One page with more
 * links than all queues hold is enough: the frontier waits for room among the addresses, the
 * producers therefore for room among the pages, the consumers therefore for room among the reports,
 * and the frontier, which alone could make that, waits already.
 *
 * It cannot deadlock here, because the frontier never waits for room. It keeps what it has not yet
 * handed out in a list of its own, without a bound, puts with try_put as many as fit, and waits for
 * nothing but the next report. So reports always get room; hence every consumer goes on; hence pages
 * get room; hence every producer goes on; hence addresses get room.
 *
 * Nor does anything lie still while there is something to do. The frontier needs no wake-up when
 * there is room for addresses again, for one comes anyway: each address that is handed out leads to
 * exactly one report. When the frontier waits with addresses in its list, its last try_put found the
 * queue full (or only the next depth waits, see crawl_frontier.h); then there are addresses under
 * way, each of them will come back as a report, and after each the frontier hands out what has room.
 * What this costs: producers may find no address while as many as the queue holds are fetched and
 * not yet digested; so the queue holds one for each producer at least.
 *
 * It ends by join(), exactly when no address is left and nothing is in flight: task_done is called
 * for an address by the frontier, when it has taken in the report and, behind that, has handed out
 * what had room. Whenever every address that was ever put is done, nothing in the list is left to be
 * handed out. For look at the last task_done. Before it the frontier handed out until nothing was
 * left, or a try_put found the queue full, or only the next depth was left while others were under
 * way; but those in the queue or under way then are not done even now, as only this thread says so,
 * one by one, later. So it was the first, and nothing was added since. The other way round, an
 * address that is queued, fetched, digested or reported on is not done, and join waits for it.
 * Then the queues are closed in the direction of flow, and every thread runs out of work.
 *
 * cycle_stop ends it early: the addresses are closed and discarded, which counts them as done; what
 * was fetched is digested and reported on as ever, so that join returns. A fetch that was broken off
 * has no page; its producer says itself that the address is done.
 *
 * Memory: at most capacity + producers + consumers * CYCLE_BATCH pages exist at a time.
 */
#ifndef CRAWL_CYCLE_H
#define CRAWL_CYCLE_H

#include <stdatomic.h>
#include <stddef.h>

#include "crawl_frontier.h"
#include "crawl_queues.h"

/* Pages that a consumer takes at once, and at most what the queue holds: one transaction each. */
#define CYCLE_BATCH 16

/* What the threads do, besides waiting for each other. number counts the producers from 0. */
struct cycle_work {
	/* Returns the page for the address, or NULL when the crawl is being stopped. */
	struct page *(*fetch)(void *job, unsigned number, const struct address *address);
	/* Takes the pages over, and makes the report of each. */
	void (*digest)(void *job, struct page *const *pages, size_t count, struct report **reports);
};

/* Nanoseconds, of all threads of a role together. */
struct cycle_waits {
	atomic_ullong producers_for_addresses;
	atomic_ullong producers_for_room;
	atomic_ullong consumers_for_pages;
	atomic_ullong consumers_for_room;
};

struct cycle {
	struct addresses addresses;
	struct pages pages;
	struct reports reports;
	struct frontier *frontier;
	const struct cycle_work *work;
	void *job;
	struct cycle_waits waits;
	atomic_size_t
		waiting; /* addresses that the frontier has not handed out, for who is curious */
};

/* The frontier has been offered the seeds. Returns 0, EINVAL or ENOMEM. */
int cycle_init(struct cycle *cycle, unsigned producers, unsigned capacity,
	       struct frontier *frontier, const struct cycle_work *work, void *job);

/* Returns when all is done, or stopped: 0, or the error of a thread that could not be started. */
int cycle_run(struct cycle *cycle, unsigned producers, unsigned consumers);

/* Hands no further address out. Any thread, any number of times, between init and destroy. */
void cycle_stop(struct cycle *cycle);

void cycle_destroy(struct cycle *cycle);

#endif
