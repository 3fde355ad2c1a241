/* SPDX-License-Identifier: MIT */
/*
 * crew.h - the threads of one role, started together and joined together.
 *
 * A crew that could not be started in full still holds the threads that did start, so the normal
 * end of a program is its end after a failure too: close the queues, join the crews. A crew that is
 * all zeros has no threads; joining it returns at once.
 */
#ifndef CREW_H
#define CREW_H

#include <stddef.h>

struct crew {
	struct crew_member *members;
	size_t size;
};

/*
 * crew_start - call work(job, number) in `size` new threads, number counting from 0.
 * Returns 0, or the error of the thread that could not be started (EAGAIN, ENOMEM).
 */
int crew_start(struct crew *crew, unsigned size, void (*work)(void *job, unsigned number),
	       void *job);

/* crew_join - wait until every thread of the crew has returned. */
void crew_join(struct crew *crew);

#endif
