/* SPDX-License-Identifier: MIT */
/* crew.c - see crew.h. */
#include "crew.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

struct crew_member {
	pthread_t thread;
	void (*work)(void *job, unsigned number);
	void *job;
	unsigned number;
};

static void *
run_member(void *argument)
{
	struct crew_member *member = argument;

	member->work(member->job, member->number);
	return NULL;
}

int
crew_start(struct crew *crew, unsigned size, void (*work)(void *job, unsigned number), void *job)
{
	crew->size = 0;
	crew->members = calloc(size, sizeof *crew->members);
	if (crew->members == NULL)
		return ENOMEM;
	for (unsigned number = 0; number < size; number++) {
		struct crew_member *member = &crew->members[number];
		int error;

		*member = (struct crew_member){.work = work, .job = job, .number = number};
		error = pthread_create(&member->thread, NULL, run_member, member);
		if (error != 0)
			return error;
		crew->size++;
	}
	return 0;
}

void
crew_join(struct crew *crew)
{
	for (size_t i = 0; i < crew->size; i++)
		pthread_join(crew->members[i].thread, NULL);
	free(crew->members);
}
