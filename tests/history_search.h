/* SPDX-License-Identifier: MIT */
/*
 * history_search.h - whether a small history is linearizable, exactly.
 *
 * Looks for an order of the operations that keeps each thread's own and the order of time, and in which
 * the queue described in history.h gives every recorded result: depth first, one operation after the
 * other (Wing and Gong, "Testing and verifying concurrent objects", J. Parallel Distrib. Comput. 17,
 * 1993), never going on twice from the same place (Lowe, "Testing for linearizability", Concurrency and
 * Computation 29(4), 2017). A place is how far each thread has come, and the state of the queue.
 */
#ifndef HISTORY_SEARCH_H
#define HISTORY_SEARCH_H

#include "history.h"

#define HISTORY_SEARCH_OPS    64
#define HISTORY_SEARCH_PLACES 200000

enum history_verdict {
	HISTORY_NOT_LINEARIZABLE,
	HISTORY_LINEARIZABLE,
	HISTORY_UNDECIDED /* too many operations, or too many places */
};

/* Compared as bytes, so there is no padding. Items go by the number of their put. */
struct history_place {
	uint64_t looked; /* once closed: a put that began no later can have found it open */
	uint8_t next[HISTORY_THREADS];
	uint8_t queue[HISTORY_SEARCH_OPS];
	uint8_t length;
	uint8_t closed;
	uint8_t drained;
	uint8_t valid;
	uint8_t unused[4];
};

struct history_search {
	const struct history *history;
	uint64_t settled;
	unsigned int items;
	uint32_t values[HISTORY_SEARCH_OPS];               /* of each item */
	const struct history_op *gets[HISTORY_SEARCH_OPS]; /* NULL: never got */
	unsigned int getters[HISTORY_SEARCH_OPS];          /* the thread */
	struct history_place *places;                      /* a hash table */
	size_t room;                                       /* a power of two */
	size_t used;
	bool gave_up;
};

/* The item of this value; `items` if there is none. */
static inline unsigned int
history_search_item(const struct history_search *s, uint32_t value)
{
	unsigned int item = 0;

	while (item < s->items && s->values[item] != value)
		item++;
	return item;
}

/* Can item a be ahead of item b? Not if b is got before a, or a never and b is. */
static inline bool
history_search_may_lead(const struct history_search *s, unsigned int a, unsigned int b)
{
	const struct history_op *const get_a = s->gets[a];
	const struct history_op *const get_b = s->gets[b];

	if (get_a == NULL || get_b == NULL)
		return get_b == NULL;
	if (s->getters[a] == s->getters[b])
		return get_a < get_b;
	return get_b->end >= get_a->begin;
}

/* The operation that a thread does next; NULL at its end. */
static inline const struct history_op *
history_search_next(const struct history_search *s, const struct history_place *at, unsigned int t)
{
	const struct history_log *const log = &s->history->logs[t];

	return at->next[t] < log->count ? &log->ops[at->next[t]] : NULL;
}

static inline bool
history_search_put(const struct history_search *s, struct history_place *at,
		   const struct history_op *op)
{
	const bool full = at->length == s->history->capacity;
	const bool open = !at->closed || op->begin <= at->looked;
	const unsigned int item = history_search_item(s, op->value);

	switch (op->result) {
	case HISTORY_NOT_NOW:
		return full && open;
	case HISTORY_CLOSED:
		return at->closed;
	case HISTORY_SHORT:
		return full || at->closed;
	case HISTORY_GAVE_UP:
		return open;
	default:
		break;
	}
	if (full || !open || at->drained)
		return false;
	/* Not needed, but it ends most searches early. */
	for (unsigned int i = 0; i < at->length; i++) {
		if (!history_search_may_lead(s, at->queue[i], item))
			return false;
	}
	at->queue[at->length++] = (uint8_t)item;
	return true;
}

static inline bool
history_search_get(const struct history_search *s, struct history_place *at,
		   const struct history_op *op)
{
	switch (op->result) {
	case HISTORY_NOT_NOW:
		return at->length == 0 &&
		       (!at->closed || (s->history->gated && op->begin <= s->settled));
	case HISTORY_SHORT:
		return at->length == 0;
	case HISTORY_CLOSED:
		at->drained = true;
		return at->closed && at->length == 0;
	default:
		break;
	}
	if (at->length == 0 || s->values[at->queue[0]] != op->value)
		return false;
	at->length--;
	memmove(at->queue, at->queue + 1, at->length);
	at->queue[at->length] = 0;
	return true;
}

static inline uint64_t
history_search_hash(const struct history_place *at)
{
	const unsigned char *const bytes = (const unsigned char *)at;
	uint64_t hash = 0xcbf29ce484222325u; /* FNV-1a */

	for (size_t i = 0; i < sizeof(*at); i++)
		hash = (hash ^ bytes[i]) * 0x100000001b3u;
	return hash ^ hash >> 32;
}

/* Remembers a place. False if it was known. */
static inline bool
history_search_visit(struct history_search *s, const struct history_place *at)
{
	uint64_t i = history_search_hash(at);

	for (; s->places[i & (s->room - 1)].valid; i++) {
		if (memcmp(&s->places[i & (s->room - 1)], at, sizeof(*at)) == 0)
			return false;
	}
	s->places[i & (s->room - 1)] = *at;
	s->used++;
	return true;
}

/* Makes the table four times as large. */
static inline void
history_search_grow(struct history_search *s)
{
	struct history_place *const old = s->places;
	const size_t n = s->room;

	s->room *= 4;
	s->used = 0;
	s->places = history_allocate(s->room, sizeof(*s->places));
	for (size_t i = 0; i < n; i++) {
		if (old[i].valid)
			(void)history_search_visit(s, &old[i]);
	}
	free(old);
}

/* Can all that is left be done from here? */
static inline bool
history_search_from(struct history_search *s, const struct history_place *at)
{
	uint64_t first_end = HISTORY_NEVER;
	bool left = false;

	if (!history_search_visit(s, at))
		return false;
	if (s->used == HISTORY_SEARCH_PLACES) {
		s->gave_up = true;
		return false;
	}
	if (2 * s->used > s->room)
		history_search_grow(s);
	for (unsigned int t = 0; t < s->history->threads; t++) {
		const struct history_op *const op = history_search_next(s, at, t);

		if (op != NULL) {
			first_end = history_min(first_end, op->end);
			left = true;
		}
	}
	if (!left)
		return at->length == 0 || !s->history->drained;
	for (unsigned int t = 0; t < s->history->threads && !s->gave_up; t++) {
		const struct history_op *const op = history_search_next(s, at, t);
		struct history_place then = *at;
		bool fits = true;

		/* What begins after another has ended cannot be next before it. */
		if (op == NULL || op->begin > first_end)
			continue;
		then.next[t]++;
		if (op->kind == HISTORY_PUT) {
			fits = history_search_put(s, &then, op);
		} else if (op->kind == HISTORY_GET) {
			fits = history_search_get(s, &then, op);
		} else if (!then.closed) {
			/* It can be as late as the first end among all that is left. */
			then.closed = true;
			then.looked = first_end;
		}
		if (fits && history_search_from(s, &then))
			return true;
	}
	return false;
}

static inline enum history_verdict
history_search(const struct history *h)
{
	struct history_search s = {.history = h, .settled = history_surely_settled(h), .room = 256};
	struct history_place start;
	bool found;

	if (history_length(h) > HISTORY_SEARCH_OPS)
		return HISTORY_UNDECIDED;
	HISTORY_FOR_EACH(h, op)
	{
		if (op->kind == HISTORY_PUT && op->result == HISTORY_DONE)
			s.values[s.items++] = op->value;
	}
	for (unsigned int t = 0; t < h->threads; t++) {
		for (size_t i = 0; i < h->logs[t].count; i++) {
			const struct history_op *const op = &h->logs[t].ops[i];
			const unsigned int item = history_search_item(&s, op->value);

			if (op->kind != HISTORY_GET || op->result != HISTORY_DONE)
				continue;
			if (item == s.items || s.gets[item] != NULL)
				return HISTORY_NOT_LINEARIZABLE;
			s.gets[item] = op;
			s.getters[item] = t;
		}
	}
	memset(&start, 0, sizeof(start));
	start.valid = true;
	s.places = history_allocate(s.room, sizeof(*s.places));
	found = history_search_from(&s, &start);
	free(s.places);
	if (s.gave_up)
		return HISTORY_UNDECIDED;
	return found ? HISTORY_LINEARIZABLE : HISTORY_NOT_LINEARIZABLE;
}

#endif
