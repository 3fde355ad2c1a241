/* SPDX-License-Identifier: MIT */
/*
 * crawl_stop.h - a sleep that can be ended for everybody and for good.
 *
 * It is a queue into which nobody ever puts: to sleep is to get from it until a deadline, and to
 * close it wakes every sleeper, those to come included.
 */
#ifndef CRAWL_STOP_H
#define CRAWL_STOP_H

#include <stdbool.h>

#include <sluice.h>

SLUICE_DEFINE(whistle, char)

struct stop {
	struct whistle whistle;
};

/* Returns 0 or ENOMEM. */
static inline int
stop_init(struct stop *stop)
{
	return whistle_init(&stop->whistle, 1, NULL);
}

static inline void
stop_destroy(struct stop *stop)
{
	whistle_destroy(&stop->whistle);
}

/* Any thread, any number of times. */
static inline void
stop_call(struct stop *stop)
{
	whistle_close(&stop->whistle);
}

static inline bool
stop_was_called(const struct stop *stop)
{
	return whistle_is_closed(&stop->whistle);
}

/* Sleeps until that time on CLOCK_MONOTONIC. Returns false when stop_call ended it, or came before. */
static inline bool
stop_sleep_until(struct stop *stop, struct timespec time)
{
	char nothing;

	return whistle_get_until(&stop->whistle, &nothing, &time) == ETIMEDOUT;
}

#endif
