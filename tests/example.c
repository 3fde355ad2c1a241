/* SPDX-License-Identifier: MIT */
#include <pthread.h>
#include <stdio.h>
#include <sluice.h>

struct job {
	int link;
};

SLUICE_DEFINE(jobs, struct job) /* struct jobs and jobs_put(), jobs_get(), ... */

static struct jobs queue;

static void *
producer(void *first)
{
	for (int link = *(int *)first; link < 20; link += 4)
		jobs_put(&queue, (struct job){link}); /* waits while 64 are queued */
	return NULL;
}

static void *
consumer(void *sum)
{
	struct job job;

	while (jobs_get(&queue, &job) == 0) { /* EPIPE once closed and drained */
		*(int *)sum += job.link;
		jobs_task_done(&queue);
	}
	return NULL;
}

int
main(void)
{
	pthread_t producers[4];
	pthread_t consumers[2];
	int firsts[4] = {0, 1, 2, 3};
	int sums[2] = {0, 0};

	if (jobs_init(&queue, 64, NULL) != 0)
		return 1;
	for (int i = 0; i < 4; i++)
		pthread_create(&producers[i], NULL, producer, &firsts[i]);
	for (int i = 0; i < 2; i++)
		pthread_create(&consumers[i], NULL, consumer, &sums[i]);
	for (int i = 0; i < 4; i++)
		pthread_join(producers[i], NULL);
	jobs_close(&queue); /* nothing more will come; no sentinels */
	for (int i = 0; i < 2; i++)
		pthread_join(consumers[i], NULL);
	printf("the links sum up to %d\n", sums[0] + sums[1]); /* prints: the links sum up to 190 */
	jobs_destroy(&queue);
	return 0;
}
