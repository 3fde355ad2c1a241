/* SPDX-License-Identifier: MIT */
/*
 * history.h - what threads did to a queue and when, and whether a bounded FIFO queue can explain it.
 *
 * Each thread records its operations in a log of its own: what it called, what came back, and the
 * time before the call and after the return. A history is linearizable if every operation can be
 * given one instant between those two times so that, done one after the other at these instants, they
 * all give the recorded results.
 *
 *	begin = history_begin();                      in each thread
 *	error = jobs_try_put(&queue, value);
 *	end = history_end();
 *	history_add(log, HISTORY_PUT, result, value, begin, end);
 *
 *	wrong = history_wrong(&history, &culprit);    when all have returned; NULL: nothing found
 *
 * The queue that the history is held against. Puts and gets are instants, as above; capacity is exact.
 * Close is an instant too, but a put looks at it before it takes effect, so a put that was under way
 * may still be accepted after it: until the first get that answers "drained", after which none is.
 *
 * history_wrong() is fast, O(n log n), and never gives a false alarm, but it may miss something;
 * history_search.h decides small histories exactly. The idea, that a queue is wrong if and only if it
 * does one of a few simple things, is from Henzinger, Sezgin and Vafeiadis, "Aspect-oriented
 * linearizability proofs", CONCUR 2013. In each of the checks "before" means: ended at an earlier time
 * than the other began, or was called earlier by the same thread. Whatever is before takes effect
 * before; and what is not before is assumed to be possible.
 *
 *   fresh    An item is got that was never put, or before its put. A queue makes nothing up.
 *   once     An item is got twice; or, all threads being told "drained", an accepted one never.
 *   order    a is ahead of b, that is, a is put before b or got before b; so in any explanation a is
 *            both put and got before b. This narrows the times at which their puts and gets can take
 *            effect. Wrong if some operation has no time left: say, a put before b, b got before a.
 *   bound    An item is surely inside from the end of its put to the begin of its get: no explanation
 *            can do without it there. Wrong if more than the capacity are surely inside at one time.
 *   empty    A get says "empty" and at all times from its begin to its end some item is surely inside.
 *   full     An item may be inside from the begin of its put to the end of its get. A put says "full"
 *            and at no time from its begin to its end as many as the capacity may be inside.
 *   closed   A close has surely taken effect when a close, or a call that was told so, has returned.
 *            A put that begins later must be told so as well, and a get must not say "empty". Nobody
 *            may be told so before the first close has begun.
 *   drained  A get was told "drained", which is for ever, and an item is got only later.
 *
 * An item's times are the narrowed ones throughout. Narrowing is done once in each direction, by four
 * sorts, not repeated until nothing changes.
 *
 * A call that moves a batch is recorded as one operation for each item, all with the times of the
 * call: each took effect at some instant in the call, so no time is excluded that should not be. Being
 * of one thread, they keep their order. What a batch says by being short (see HISTORY_SHORT) is one
 * more operation behind them.
 *
 * Times are CLOCK_MONOTONIC in nanoseconds, which no two threads see in different orders; a call costs
 * 20 ns here. Equal times exclude nothing.
 */
#ifndef HISTORY_H
#define HISTORY_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define HISTORY_THREADS 8
#define HISTORY_NEVER   UINT64_MAX /* a time */
#define HISTORY_ALIEN   UINT32_MAX /* a value that nobody put, such as half of an item */

enum history_kind {
	HISTORY_PUT,
	HISTORY_GET,
	HISTORY_CLOSE
};

/*
 *                    put                                   get
 */
enum history_result {
	HISTORY_DONE,    /* accepted                              got the value */
	HISTORY_NOT_NOW, /* full                                  empty */
	HISTORY_CLOSED,  /* closed                                drained */
	HISTORY_SHORT,   /* a batch ended here: full, or closed   a batch ended here: empty */
	HISTORY_GAVE_UP  /* not closed, and nothing else          */
};

struct history_op {
	uint64_t begin;
	uint64_t end;
	uint32_t value; /* unique for each accepted put, below `values` of the history */
	uint8_t kind;
	uint8_t result;
};

/* What one thread did, in its order. */
struct history_log {
	struct history_op *ops;
	size_t count;
	size_t room;
};

struct history {
	struct history_log logs[HISTORY_THREADS];
	unsigned int threads;
	uint32_t values;
	size_t capacity;
	bool drained; /* what was accepted and not got is lost */
	bool gated; /* a put under way when the queue was closed makes gets say "empty", not "drained" */
};

/* --------------------------------------------------------------------------------- recording -- */

static inline void *
history_allocate(size_t count, size_t bytes_each)
{
	void *const memory = calloc(count + 1, bytes_each);

	if (memory == NULL)
		abort();
	return memory;
}

static inline void
history_log_init(struct history_log *log, size_t room)
{
	log->ops = history_allocate(room, sizeof(*log->ops));
	memset(log->ops, 0xff, room * sizeof(*log->ops)); /* no page faults while recording */
	log->count = 0;
	log->room = room;
}

static inline void
history_destroy(struct history *h)
{
	for (unsigned int t = 0; t < h->threads; t++)
		free(h->logs[t].ops);
}

/* No instruction before is still to come when the time is read: the C library sees to that. */
static inline uint64_t
history_end(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* And no load behind has happened yet. Stores need no care: a begin that is early excludes nothing. */
static inline uint64_t
history_begin(void)
{
	const uint64_t now = history_end();

#ifdef __x86_64__
	__builtin_ia32_lfence();
#else
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
#endif
	return now;
}

static inline void
history_add(struct history_log *log, enum history_kind kind, enum history_result result,
	    uint32_t value, uint64_t begin, uint64_t end)
{
	if (log->count == log->room)
		abort();
	log->ops[log->count++] =
		(struct history_op){begin, end, value, (uint8_t)kind, (uint8_t)result};
}

/* ---------------------------------------------------------------------------------- checking -- */

struct history_window {
	uint64_t begin;
	uint64_t end;
};

/* When its put and its get take effect; both times NEVER: not at all. */
struct history_item {
	struct history_window at[2]; /* HISTORY_PUT, HISTORY_GET */
};

struct history_time {
	uint64_t time;
	uint32_t value;
};

#define HISTORY_FOR_EACH(h, op)                                                                    \
	for (unsigned int t_ = 0; t_ < (h)->threads; t_++)                                         \
		for (const struct history_op *op = (h)->logs[t_].ops;                              \
		     op < (h)->logs[t_].ops + (h)->logs[t_].count; op++)

static inline uint64_t
history_min(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static inline uint64_t
history_max(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static inline int
history_compare(const void *a, const void *b)
{
	const uint64_t x = ((const struct history_time *)a)->time;
	const uint64_t y = ((const struct history_time *)b)->time;

	return (x > y) - (x < y);
}

static inline int
history_compare_times(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a;
	const uint64_t y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* fresh, once. Fills in the items. */
static inline const char *
history_collect(const struct history *h, struct history_item *items, struct history_op *culprit)
{
	memset(items, 0xff, h->values * sizeof(*items)); /* NEVER */
	HISTORY_FOR_EACH(h, op)
	{
		struct history_window *window;

		if (op->result != HISTORY_DONE || op->kind == HISTORY_CLOSE)
			continue;
		*culprit = *op;
		if (op->value >= h->values)
			return "fresh";
		window = &items[op->value].at[op->kind];
		if (window->begin != HISTORY_NEVER)
			return "once";
		*window = (struct history_window){op->begin, op->end};
	}
	HISTORY_FOR_EACH(h, op)
	{
		const struct history_item *item;

		if (op->result != HISTORY_DONE || op->kind == HISTORY_CLOSE)
			continue;
		item = &items[op->value];
		*culprit = *op;
		/* A get without a put as well, that being NEVER. */
		if (item->at[HISTORY_GET].end < item->at[HISTORY_PUT].begin)
			return "fresh";
		if (h->drained && item->at[HISTORY_GET].begin == HISTORY_NEVER)
			return "once";
	}
	return NULL;
}

/* Narrows by what each thread put, or got, in its order: of two items the former is ahead. */
static inline void
history_narrow_by_thread(const struct history_log *log, enum history_kind kind,
			 struct history_item *items)
{
	struct history_window put = {0, HISTORY_NEVER};
	struct history_window get = {0, HISTORY_NEVER};

	for (const struct history_op *op = log->ops; op < log->ops + log->count; op++) {
		struct history_item *item;

		if (op->result != HISTORY_DONE || op->kind != kind)
			continue;
		item = &items[op->value];
		put.begin = history_max(put.begin, item->at[HISTORY_PUT].begin);
		get.begin = history_max(get.begin, item->at[HISTORY_GET].begin);
		item->at[HISTORY_PUT].begin = put.begin;
		item->at[HISTORY_GET].begin = get.begin;
	}
	for (const struct history_op *op = log->ops + log->count; op-- > log->ops;) {
		struct history_item *item;

		if (op->result != HISTORY_DONE || op->kind != kind)
			continue;
		item = &items[op->value];
		put.end = history_min(put.end, item->at[HISTORY_PUT].end);
		get.end = history_min(get.end, item->at[HISTORY_GET].end);
		item->at[HISTORY_PUT].end = put.end;
		item->at[HISTORY_GET].end = get.end;
	}
}

/*
 * Narrows the times of puts by what was got earlier, or of gets by what was put earlier (`by` says
 * which): a is ahead of b if its window ends before that of b begins.
 */
static inline void
history_narrow_by_time(struct history_item *items, uint32_t values, enum history_kind by,
		       struct history_time *begins, struct history_time *ends)
{
	const enum history_kind other = by == HISTORY_PUT ? HISTORY_GET : HISTORY_PUT;
	struct history_window bound = {0, HISTORY_NEVER};
	size_t n = 0;
	size_t seen = 0;

	for (uint32_t v = 0; v < values; v++) {
		if (items[v].at[HISTORY_PUT].begin == HISTORY_NEVER)
			continue;
		begins[n] = (struct history_time){items[v].at[by].begin, v};
		ends[n] = (struct history_time){items[v].at[by].end, v};
		n++;
	}
	qsort(begins, n, sizeof(*begins), history_compare);
	qsort(ends, n, sizeof(*ends), history_compare);
	for (size_t b = 0; b < n; b++) {
		struct history_window *const window = &items[begins[b].value].at[other];

		for (; seen < n && ends[seen].time < begins[b].time; seen++)
			bound.begin =
				history_max(bound.begin, items[ends[seen].value].at[other].begin);
		window->begin = history_max(window->begin, bound.begin);
	}
	seen = n;
	for (size_t a = n; a-- > 0;) {
		struct history_window *const window = &items[ends[a].value].at[other];

		for (; seen > 0 && begins[seen - 1].time > ends[a].time; seen--)
			bound.end =
				history_min(bound.end, items[begins[seen - 1].value].at[other].end);
		window->end = history_min(window->end, bound.end);
	}
}

/* order. */
static inline const char *
history_narrow(const struct history *h, struct history_item *items, struct history_op *culprit)
{
	struct history_time *const begins = history_allocate(h->values, sizeof(*begins));
	struct history_time *const ends = history_allocate(h->values, sizeof(*ends));
	const char *wrong = NULL;

	for (unsigned int t = 0; t < h->threads; t++) {
		history_narrow_by_thread(&h->logs[t], HISTORY_PUT, items);
		history_narrow_by_thread(&h->logs[t], HISTORY_GET, items);
	}
	history_narrow_by_time(items, h->values, HISTORY_PUT, begins, ends);
	history_narrow_by_time(items, h->values, HISTORY_GET, begins, ends);
	free(begins);
	free(ends);
	HISTORY_FOR_EACH(h, op)
	{
		struct history_window *at;

		if (op->result != HISTORY_DONE || op->kind == HISTORY_CLOSE)
			continue;
		at = items[op->value].at;
		/* And an item is put before it is got. */
		at[HISTORY_GET].begin = history_max(at[HISTORY_GET].begin, at[HISTORY_PUT].begin);
		at[HISTORY_PUT].end = history_min(at[HISTORY_PUT].end, at[HISTORY_GET].end);
		if (wrong == NULL && (at[HISTORY_PUT].begin > at[HISTORY_PUT].end ||
				      at[HISTORY_GET].begin > at[HISTORY_GET].end)) {
			*culprit = *op;
			wrong = "order";
		}
	}
	return wrong;
}

/*
 * The times at which at least `threshold` items are inside, as windows apart from each other and in
 * order; returns how many windows. Surely inside, the ends of an item's time not being part of it
 * (something may come and go there); or perhaps inside, the ends being part.
 */
static inline size_t
history_inside(const struct history_item *items, uint32_t values, bool surely, uint64_t threshold,
	       struct history_window *windows)
{
	uint64_t *const begins = history_allocate(values, sizeof(*begins));
	uint64_t *const ends = history_allocate(values, sizeof(*ends));
	uint64_t inside = 0;
	size_t found = 0;
	size_t n = 0;
	size_t b = 0;
	size_t e = 0;

	for (uint32_t v = 0; v < values; v++) {
		const struct history_window put = items[v].at[HISTORY_PUT];
		const struct history_window get = items[v].at[HISTORY_GET];

		if (put.begin == HISTORY_NEVER || (surely && put.end >= get.begin))
			continue;
		begins[n] = surely ? put.end : put.begin;
		ends[n] = surely ? get.begin : get.end;
		n++;
	}
	qsort(begins, n, sizeof(*begins), history_compare_times);
	qsort(ends, n, sizeof(*ends), history_compare_times);
	while (e < n) {
		if (b < n && (begins[b] < ends[e] || (!surely && begins[b] == ends[e]))) {
			if (++inside == threshold)
				windows[found].begin = begins[b];
			b++;
		} else {
			if (inside-- == threshold)
				windows[found++].end = ends[e];
			e++;
		}
	}
	free(begins);
	free(ends);
	return found;
}

/* The last window that begins before this time; NULL if none does. */
static inline const struct history_window *
history_window_before(const struct history_window *windows, size_t n, uint64_t time)
{
	size_t low = 0;

	while (low < n) {
		const size_t middle = low + (n - low) / 2;

		if (windows[middle].begin < time)
			low = middle + 1;
		else
			n = middle;
	}
	return low > 0 ? &windows[low - 1] : NULL;
}

/* bound, empty, full. */
static inline const char *
history_count(const struct history *h, const struct history_item *items, struct history_op *culprit)
{
	struct history_window *const some = history_allocate(h->values, sizeof(*some));
	struct history_window *const filled = history_allocate(h->values, sizeof(*filled));
	const size_t n_some = history_inside(items, h->values, true, 1, some);
	const char *wrong = NULL;
	size_t n_filled = history_inside(items, h->values, true, h->capacity + 1, filled);

	if (n_filled != 0) {
		*culprit = (struct history_op){.begin = filled->begin, .end = filled->end};
		wrong = "bound";
	}
	n_filled = history_inside(items, h->values, false, h->capacity, filled);
	HISTORY_FOR_EACH(h, op)
	{
		const struct history_window *window;

		if (wrong != NULL)
			break;
		*culprit = *op;
		if (op->kind == HISTORY_GET &&
		    (op->result == HISTORY_NOT_NOW || op->result == HISTORY_SHORT)) {
			window = history_window_before(some, n_some, op->begin);
			if (window != NULL && op->end < window->end)
				wrong = "empty";
		} else if (op->kind == HISTORY_PUT && op->result == HISTORY_NOT_NOW) {
			window = history_window_before(filled, n_filled, op->end + 1);
			if (window == NULL || window->end < op->begin)
				wrong = "full";
		}
	}
	free(some);
	free(filled);
	return wrong;
}

/* The latest time at which a close can have taken effect. */
static inline uint64_t
history_surely_closed(const struct history *h)
{
	uint64_t closed = HISTORY_NEVER;

	HISTORY_FOR_EACH(h, op)
	{
		if (op->kind == HISTORY_CLOSE || op->result == HISTORY_CLOSED)
			closed = history_min(closed, op->end);
	}
	return closed;
}

/*
 * A get that begins later than this does not find a closed queue "empty". In a gated queue that takes
 * until every put that was under way has returned.
 */
static inline uint64_t
history_surely_settled(const struct history *h)
{
	const uint64_t closed = history_surely_closed(h);
	uint64_t settled = closed;

	HISTORY_FOR_EACH(h, op)
	{
		if (h->gated && op->kind == HISTORY_PUT && op->begin <= closed)
			settled = history_max(settled, op->end);
	}
	return settled;
}

/* closed, drained. */
static inline const char *
history_ending(const struct history *h, const struct history_item *items,
	       struct history_op *culprit)
{
	const uint64_t closed = history_surely_closed(h);
	const uint64_t settled = history_surely_settled(h);
	uint64_t closing = HISTORY_NEVER;
	uint64_t drained = HISTORY_NEVER;

	HISTORY_FOR_EACH(h, op)
	{
		if (op->kind == HISTORY_CLOSE)
			closing = history_min(closing, op->begin);
		if (op->kind == HISTORY_GET && op->result == HISTORY_CLOSED)
			drained = history_min(drained, op->end);
	}
	HISTORY_FOR_EACH(h, op)
	{
		const bool told = op->result == HISTORY_CLOSED || op->result == HISTORY_SHORT;

		*culprit = *op;
		if (op->result == HISTORY_CLOSED && op->end < closing)
			return "closed";
		if (op->kind == HISTORY_PUT && op->begin > closed && !told)
			return "closed";
		if (op->kind == HISTORY_GET && op->begin > settled && op->result == HISTORY_NOT_NOW)
			return "closed";
		if (op->kind == HISTORY_PUT && op->result == HISTORY_DONE &&
		    items[op->value].at[HISTORY_GET].begin > drained)
			return "drained";
	}
	return NULL;
}

/*
 * The name of a check that the history fails, with an operation that has to do with it (bound: with a
 * time); NULL if it passes all.
 */
static inline const char *
history_wrong(const struct history *h, struct history_op *culprit)
{
	struct history_item *const items = history_allocate(h->values, sizeof(*items));
	const char *wrong = history_collect(h, items, culprit);

	if (wrong == NULL)
		wrong = history_narrow(h, items, culprit);
	if (wrong == NULL)
		wrong = history_count(h, items, culprit);
	if (wrong == NULL)
		wrong = history_ending(h, items, culprit);
	free(items);
	return wrong;
}

static inline size_t
history_length(const struct history *h)
{
	size_t length = 0;

	for (unsigned int t = 0; t < h->threads; t++)
		length += h->logs[t].count;
	return length;
}

/* The operations that have to do with these times. */
static inline void
history_print(const struct history *h, uint64_t from, uint64_t to)
{
	static const char *const kinds[] = {"put", "get", "close"};
	static const char *const results[] = {"done", "not now", "closed", "short", "gave up"};

	printf("capacity %zu%s%s\n", h->capacity, h->drained ? ", drained" : "",
	       h->gated ? ", gated" : "");
	for (unsigned int t = 0; t < h->threads; t++) {
		for (size_t i = 0; i < h->logs[t].count; i++) {
			const struct history_op *const op = &h->logs[t].ops[i];

			if (op->begin <= to && op->end >= from)
				printf("thread %u  %llu to %llu  %s %u: %s\n", t,
				       (unsigned long long)op->begin, (unsigned long long)op->end,
				       kinds[op->kind], op->value, results[op->result]);
		}
	}
}

/* SLUICE_TEST_LONG=1 makes tests this much longer. */
static inline int
history_times(int n)
{
	const char *const text = getenv("SLUICE_TEST_LONG");

	return text != NULL && strcmp(text, "1") == 0 ? 5 * n : n;
}

#endif
