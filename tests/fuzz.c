/* SPDX-License-Identifier: MIT */
/*
 * fuzz.c - any program of calls on one queue, next to an array that says what they must do.
 *
 * libFuzzer invents byte strings and keeps those that reach new code. A string is read as a program:
 *
 *   byte 0   which queue: a flavour, or the mutex baseline, with items of 1, 4, 8 or 24 bytes
 *   byte 1   its capacity, and its age: how many items it pretends to have passed, so that counters wrap
 *   then pairs of bytes: a verb and its argument; an odd one of task_done first moves the cell
 *   ring's hints back, as stores do that come late (not the head of a lone consumer, which is no hint)
 *
 * One thread makes each call on the queue and on the model. The results must be the same, and so must
 * every byte of the caller's items: this shows order, and a target that a failed call has touched.
 * After each call the size, the capacity and the flag must be the same. A call that would wait for
 * ever is left out, as the model tells. AddressSanitizer and UBSan look on.
 *
 * With SLUICE_FUZZ_TRACE in the environment every call is printed before it is made, and its result
 * behind it: a string becomes a program that a person can read, whatever it ends in.
 *
 * What this cannot show: anything that takes two threads.
 */
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sluice.h>
#include "../bench/queues/mutex.h"
#include "near_wrap.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum {
	MAX_BYTES = 24,
	MAX_CAPACITY = 70, /* more than is moved in one part */
	MAX_BATCH = 2 * MAX_CAPACITY
};

enum verb {
	INIT,
	PUT,
	TRY_PUT,
	PUT_UNTIL,
	GET,
	TRY_GET,
	GET_UNTIL,
	PUT_MANY,
	TRY_PUT_MANY,
	GET_MANY,
	TRY_GET_MANY,
	TASK_DONE,
	JOIN,
	JOIN_UNTIL,
	CLOSE,
	CLOSE_DISCARD,
	VERBS, /* those of programs; the others are asked after each call */
	SIZE = VERBS,
	CAPACITY,
	IS_CLOSED
};

static bool
verb_puts(enum verb verb)
{
	return (verb >= PUT && verb <= PUT_UNTIL) || verb == PUT_MANY || verb == TRY_PUT_MANY;
}

static bool
verb_gets(enum verb verb)
{
	return (verb >= GET && verb <= GET_UNTIL) || verb == GET_MANY || verb == TRY_GET_MANY;
}

/* Does it take a deadline? */
static bool
verb_until(enum verb verb)
{
	return verb == PUT_UNTIL || verb == GET_UNTIL || verb == JOIN_UNTIL;
}

/* Is its result a number, rather than 0 or an error? */
static bool
verb_counts(enum verb verb)
{
	return (verb >= PUT_MANY && verb <= TRY_GET_MANY) || verb >= CLOSE_DISCARD;
}

/* A verb with its arguments. items is what it puts, or room for what it gets. */
struct call {
	enum verb verb;
	size_t n; /* INIT: the capacity */
	const struct sluice_options *options;
	const struct timespec *deadline;
	unsigned char *items;
};

/* One item more, which no call may touch. */
#define ROOM ((MAX_BATCH + 1) * MAX_BYTES)

/* ------------------------------------------------------------------------------- the queues -- */

/* A queue for items of one width. call() returns what the function of that name returned. */
struct kind {
	const char *name;
	size_t bytes;
	bool is_sluice;
	unsigned int flavour;
	size_t queue_bytes;
	size_t (*call)(void *queue, struct call *call);
	void (*destroy)(void *queue);
};

/* clang-format off */
#define QUEUE(NAME, DEFINE, BYTES)                                                                 \
	struct NAME##_item { unsigned char bytes[BYTES]; };                                        \
	DEFINE(NAME, struct NAME##_item)                                                           \
                                                                                                   \
	static size_t NAME##_call(void *queue, struct call *call)                                  \
	{                                                                                          \
		struct NAME *const q = queue;                                                      \
		struct NAME##_item *const items = (struct NAME##_item *)call->items;               \
                                                                                                   \
		switch (call->verb) {                                                              \
		case INIT: return (size_t)NAME##_init(q, call->n, call->options);                  \
		case PUT: return (size_t)NAME##_put(q, *items);                                    \
		case TRY_PUT: return (size_t)NAME##_try_put(q, *items);                            \
		case PUT_UNTIL: return (size_t)NAME##_put_until(q, *items, call->deadline);        \
		case GET: return (size_t)NAME##_get(q, items);                                     \
		case TRY_GET: return (size_t)NAME##_try_get(q, items);                             \
		case GET_UNTIL: return (size_t)NAME##_get_until(q, items, call->deadline);         \
		case PUT_MANY: return NAME##_put_many(q, items, call->n);                          \
		case TRY_PUT_MANY: return NAME##_try_put_many(q, items, call->n);                  \
		case GET_MANY: return NAME##_get_many(q, items, call->n);                          \
		case TRY_GET_MANY: return NAME##_try_get_many(q, items, call->n);                  \
		case TASK_DONE: return (size_t)NAME##_task_done(q);                                \
		case JOIN: return (size_t)NAME##_join(q);                                          \
		case JOIN_UNTIL: return (size_t)NAME##_join_until(q, call->deadline);              \
		case CLOSE: NAME##_close(q); return 0;                                             \
		case CLOSE_DISCARD: return NAME##_close_discard(q);                                \
		case SIZE: return NAME##_size(q);                                                  \
		case CAPACITY: return NAME##_capacity(q);                                          \
		case IS_CLOSED: return NAME##_is_closed(q);                                        \
		}                                                                                  \
		abort();                                                                           \
	}                                                                                          \
                                                                                                   \
	static void NAME##_delete(void *q) { NAME##_destroy(q); }

#define KIND(NAME, BYTES, IS_SLUICE, FLAVOUR)                                                      \
	{#NAME, BYTES, IS_SLUICE, FLAVOUR, sizeof(struct NAME), NAME##_call, NAME##_delete}
/* clang-format on */

/* One program for each engine, since this compiles slowly. In each are all its flavours and widths. */
#if defined(FUZZ_CK)
QUEUE(ck_mpmc_1, SLUICE_DEFINE_CK_MPMC, 1)
QUEUE(ck_mpmc_24, SLUICE_DEFINE_CK_MPMC, 24)
QUEUE(ck_spmc_8, SLUICE_DEFINE_CK_SPMC, 8)
QUEUE(ck_spsc_4, SLUICE_DEFINE_CK_SPSC, 4)
QUEUE(mutex_8, MUTEX_QUEUE_DEFINE, 8)
QUEUE(mutex_24, MUTEX_QUEUE_DEFINE, 24)

static const struct kind kinds[] = {
	KIND(ck_mpmc_1, 1, true, SLUICE_PRIV_CK),
	KIND(ck_mpmc_24, 24, true, SLUICE_PRIV_CK),
	KIND(ck_spmc_8, 8, true, SLUICE_PRIV_CK | SLUICE_PRIV_LONE_PRODUCER),
	KIND(ck_spsc_4, 4, true, SLUICE_PRIV_CK | SLUICE_PRIV_LONE_PRODUCER),
	KIND(mutex_8, 8, false, 0),
	KIND(mutex_24, 24, false, 0),
};
#elif defined(FUZZ_CELL)
QUEUE(mpmc_1, SLUICE_DEFINE, 1)
QUEUE(mpmc_24, SLUICE_DEFINE, 24)
QUEUE(spmc_4, SLUICE_DEFINE_SPMC, 4)
QUEUE(spmc_24, SLUICE_DEFINE_SPMC, 24)
QUEUE(mpsc_8, SLUICE_DEFINE_MPSC, 8)
QUEUE(mpsc_24, SLUICE_DEFINE_MPSC, 24)
QUEUE(spsc_8, SLUICE_DEFINE_SPSC, 8)
QUEUE(spsc_24, SLUICE_DEFINE_SPSC, 24)

static const struct kind kinds[] = {
	KIND(mpmc_1, 1, true, 0),
	KIND(mpmc_24, 24, true, 0),
	KIND(spmc_4, 4, true, SLUICE_PRIV_LONE_PRODUCER),
	KIND(mpsc_8, 8, true, SLUICE_PRIV_LONE_CONSUMER),
	KIND(spsc_8, 8, true, SLUICE_PRIV_LONE_PRODUCER | SLUICE_PRIV_LONE_CONSUMER),
	KIND(spsc_24, 24, true, SLUICE_PRIV_LONE_PRODUCER | SLUICE_PRIV_LONE_CONSUMER),
	KIND(spmc_24, 24, true, SLUICE_PRIV_LONE_PRODUCER),
	KIND(mpsc_24, 24, true, SLUICE_PRIV_LONE_CONSUMER),
};
#else
#error "Define FUZZ_CELL or FUZZ_CK."
#endif

/* Makes a new queue what it is after about so many items, each of which was put, got and done. */
static void
queue_age(const struct kind *kind, void *queue, uint64_t items)
{
	struct sluice_priv_queue *const q = queue; /* all that NAME holds */

	if (!kind->is_sluice)
		return; /* it counts nothing */
	if (sluice_priv_is_ck(kind->flavour)) {
		q->engine.ck.puts = items;
		q->engine.ck.ring.p_head = (unsigned int)items;
		q->engine.ck.ring.p_tail = (unsigned int)items;
		q->engine.ck.ring.c_head = (unsigned int)items;
	} else {
		near_wrap_cells(&q->engine.cell.items, items * SLUICE_PRIV_CELL_BYTES);
	}
	q->done = sluice_priv_puts(q, kind->flavour);
}

/* -------------------------------------------------------------------------------- the model -- */

struct model {
	size_t bytes;
	size_t capacity;
	size_t count;
	size_t undone; /* got, but not done */
	bool closed;
	unsigned char items[MAX_CAPACITY * MAX_BYTES]; /* the oldest first */
};

static size_t
least(size_t a, size_t b)
{
	return a < b ? a : b;
}

static size_t
model_append(struct model *m, const unsigned char *items, size_t n)
{
	const size_t moved = m->closed ? 0 : least(n, m->capacity - m->count);

	memcpy(m->items + m->count * m->bytes, items, moved * m->bytes);
	m->count += moved;
	return moved;
}

static size_t
model_take(struct model *m, unsigned char *items, size_t n)
{
	const size_t moved = least(n, m->count);

	memcpy(items, m->items, moved * m->bytes);
	m->count -= moved;
	memmove(m->items, m->items + moved * m->bytes, m->count * m->bytes);
	m->undone += moved;
	return moved;
}

static bool
deadline_valid(const struct timespec *deadline)
{
	return deadline != NULL && deadline->tv_nsec >= 0 && deadline->tv_nsec < 1000000000;
}

static bool
options_valid(const struct sluice_options *o)
{
	return o->bursts <= SLUICE_OPTION_MAX && o->pauses <= SLUICE_OPTION_MAX &&
	       o->yields <= SLUICE_OPTION_MAX;
}

static size_t
model_init(struct model *m, const struct call *c)
{
	if (c->n == 0 || c->n > SLUICE_CAPACITY_MAX || !options_valid(c->options))
		return EINVAL;
	m->capacity = c->n;
	m->count = 0;
	m->undone = 0;
	m->closed = false;
	return 0;
}

static size_t
model_call(struct model *m, struct call *c)
{
	const bool until = verb_until(c->verb);
	size_t dropped;

	if (until && !deadline_valid(c->deadline))
		return EINVAL;
	switch (c->verb) {
	case INIT:
		return model_init(m, c);
	case PUT:
	case TRY_PUT:
	case PUT_UNTIL:
		if (m->closed)
			return EPIPE;
		if (model_append(m, c->items, 1) == 1)
			return 0;
		return until ? ETIMEDOUT : EAGAIN;
	case GET:
	case TRY_GET:
	case GET_UNTIL:
		if (model_take(m, c->items, 1) == 1)
			return 0;
		if (m->closed)
			return EPIPE;
		return until ? ETIMEDOUT : EAGAIN;
	case PUT_MANY:
	case TRY_PUT_MANY:
		return model_append(m, c->items, c->n);
	case GET_MANY:
	case TRY_GET_MANY:
		return model_take(m, c->items, c->n);
	case TASK_DONE:
		if (m->undone == 0)
			return EINVAL;
		m->undone--;
		return 0;
	case JOIN:
	case JOIN_UNTIL:
		return m->count == 0 && m->undone == 0 ? 0 : ETIMEDOUT;
	case CLOSE:
		m->closed = true;
		return 0;
	case CLOSE_DISCARD:
		m->closed = true;
		dropped = m->count;
		m->count = 0;
		return dropped;
	case SIZE:
		return m->count;
	case CAPACITY:
		return m->capacity;
	case IS_CLOSED:
		return m->closed;
	}
	abort();
}

/* Would the call never return? Deadlines that are valid and not past count as never. */
static bool
model_would_wait(const struct model *m, const struct call *c)
{
	const bool in_time = deadline_valid(c->deadline) && c->deadline->tv_sec > 0;
	const bool full = !m->closed && m->count == m->capacity;
	const bool empty = !m->closed && m->count == 0;
	const bool undone = m->count != 0 || m->undone != 0;

	switch (c->verb) {
	case PUT:
		return full;
	case PUT_UNTIL:
		return full && in_time;
	case PUT_MANY:
		return !m->closed && c->n > m->capacity - m->count;
	case GET:
		return empty;
	case GET_UNTIL:
		return empty && in_time;
	case GET_MANY:
		return empty && c->n != 0;
	case JOIN:
		return undone;
	case JOIN_UNTIL:
		return undone && in_time;
	default:
		return false;
	}
}

/* ----------------------------------------------------------------------------- the programs -- */

struct run {
	const struct kind *kind;
	uint64_t age;
	void *queue; /* NULL: none yet */
	struct model model;
	uint64_t first_ticket; /* of the cell ring */
	unsigned char number;  /* of the next item that is put */
	bool traced;
};

/* What an argument chooses from. */
static const struct named_deadline {
	const char *name;
	const struct timespec *at;
} deadlines[] = {
	{"long ago", &(const struct timespec){0, 0}},
	{"before boot", &(const struct timespec){-1, 999999999}},
	{"the beginning of time", &(const struct timespec){LONG_MIN, 0}},
	{"the end of time", &(const struct timespec){LONG_MAX, 999999999}},
	{"NULL", NULL},
	{"tv_nsec -1", &(const struct timespec){0, -1}},
	{"tv_nsec 1000000000", &(const struct timespec){LONG_MAX, 1000000000}},
};

/* The last three are refused. */
static const struct sluice_options options[] = {
	SLUICE_OPTIONS_DEFAULT,
	{0, 0, 0},
	{1, 2, 1},
	{SLUICE_OPTION_MAX + 1, 0, 0},
	{0, SLUICE_OPTION_MAX + 1, 0},
	{0, 0, SLUICE_OPTION_MAX + 1},
};
static const size_t refused_capacities[] = {0, SLUICE_CAPACITY_MAX + 1, SIZE_MAX};

/* One below a wrap each: of a ticket's low half, of ck's counters, of a ticket's sign. */
static const uint64_t ages[] = {0, (UINT64_C(1) << 28) - 1, UINT32_MAX, (UINT64_C(1) << 59) - 1};

/* Items differ in every byte, as long as no more than 256 are about. */
static void
items_make(struct run *r, unsigned char *items, size_t n)
{
	for (size_t i = 0; i < n; i++, r->number++)
		for (size_t b = 0; b < r->kind->bytes; b++)
			*items++ = (unsigned char)((2 * b + 1) * r->number + b);
}

/* What items of one byte would be. */
static void
print_items(const struct run *r, const struct call *c, size_t n)
{
	for (size_t i = 0; i < n; i++)
		fprintf(stderr, "%s%d", i == 0 ? "" : " ", c->items[i * r->kind->bytes]);
}

static const char *
verb_name(enum verb verb)
{
	static const char *const names[] = {
		[INIT] = "init",
		[PUT] = "put",
		[TRY_PUT] = "try_put",
		[PUT_UNTIL] = "put_until",
		[GET] = "get",
		[TRY_GET] = "try_get",
		[GET_UNTIL] = "get_until",
		[PUT_MANY] = "put_many",
		[TRY_PUT_MANY] = "try_put_many",
		[GET_MANY] = "get_many",
		[TRY_GET_MANY] = "try_get_many",
		[TASK_DONE] = "task_done",
		[JOIN] = "join",
		[JOIN_UNTIL] = "join_until",
		[CLOSE] = "close",
		[CLOSE_DISCARD] = "close_discard",
		[SIZE] = "size",
		[CAPACITY] = "capacity",
		[IS_CLOSED] = "is_closed",
	};

	return names[verb];
}

static void
print_call(const struct run *r, const struct call *c)
{
	fprintf(stderr, "%s(", verb_name(c->verb));
	if (verb_puts(c->verb))
		print_items(r, c, c->n);
	else if (c->verb == INIT)
		fprintf(stderr, "capacity %zu, options %u %u %u", c->n, c->options->bursts,
			c->options->pauses, c->options->yields);
	else if (c->verb == GET_MANY || c->verb == TRY_GET_MANY)
		fprintf(stderr, "%zu", c->n);
	for (size_t i = 0; verb_until(c->verb) && i < COUNT(deadlines); i++)
		if (deadlines[i].at == c->deadline)
			fprintf(stderr, "%s%s", verb_puts(c->verb) ? ", " : "", deadlines[i].name);
	fprintf(stderr, ") = ");
}

static void
print_result(const struct run *r, const struct call *c, size_t result)
{
	const size_t got = verb_counts(c->verb) ? least(result, c->n) : result == 0;
	const char *name = NULL;

	if (!verb_counts(c->verb))
		name = result == EINVAL      ? "EINVAL"
		       : result == EAGAIN    ? "EAGAIN"
		       : result == EPIPE     ? "EPIPE"
		       : result == ETIMEDOUT ? "ETIMEDOUT"
					     : NULL;
	if (name != NULL)
		fprintf(stderr, "%s", name);
	else
		fprintf(stderr, "%zu", result);
	if (verb_gets(c->verb) && got != 0) {
		fprintf(stderr, ": ");
		print_items(r, c, got);
	}
}

/* Makes the call on the queue and on the model, which must agree. Returns the result. */
static size_t
agree(struct run *r, struct call *c)
{
	const size_t room = c->verb < VERBS ? (c->n + 1) * r->kind->bytes : 0;
	static unsigned char items[ROOM];
	struct call expected = *c;
	size_t wanted;
	size_t result;

	if (r->traced && c->verb < VERBS)
		print_call(r, c);
	expected.items = memcpy(items, c->items, least(room, ROOM));
	wanted = model_call(&r->model, &expected);
	result = r->kind->call(r->queue, c);
	if (r->traced && c->verb < VERBS) {
		print_result(r, c, result);
		fprintf(stderr, "\n");
	}
	if (result == wanted && memcmp(c->items, items, least(room, ROOM)) == 0)
		return result;
	fprintf(stderr, "%s: %s must be ", r->kind->name, verb_name(c->verb));
	print_result(r, &expected, wanted);
	fprintf(stderr, ", not ");
	print_result(r, c, result);
	fprintf(stderr, "%s\n", result == wanted ? "; or the caller's memory is different" : "");
	abort();
}

/* The cell ring, if that is what the queue is made of. */
static struct sluice_priv_cells *
run_ring(const struct run *r)
{
	struct sluice_priv_queue *const q = r->queue;

	return r->kind->is_sluice && !sluice_priv_is_ck(r->kind->flavour) ? &q->engine.cell.items
									  : NULL;
}

/* What a thread suspended since the first ticket may do to the hints when it goes on. */
static void
run_late_stores(struct run *r)
{
	if (run_ring(r) == NULL)
		return;
	if (r->traced)
		fprintf(stderr, "the hints go back to the first ticket\n");
	run_ring(r)->tail = r->first_ticket;
	if (!sluice_priv_is_lone_consumer(r->kind->flavour))
		run_ring(r)->head = r->first_ticket;
}

static void
run_delete(struct run *r, void *queue)
{
	if (queue != NULL)
		r->kind->destroy(queue);
	free(queue);
}

/* A new queue takes the place of the old one; a refused one does not. */
static void
run_init(struct run *r, struct call *c, unsigned char argument)
{
	void *const old = r->queue;

	c->n = 1 + argument % MAX_CAPACITY;
	c->options = &options[argument / MAX_CAPACITY];
	if (argument >= UCHAR_MAX - 2)
		c->n = refused_capacities[argument - (UCHAR_MAX - 2)];
	else if (argument >= UCHAR_MAX - 4)
		c->options = &options[COUNT(options) - 1 - (UCHAR_MAX - 3 - argument)];
	r->queue = malloc(r->kind->queue_bytes);
	if (agree(r, c) == 0) {
		queue_age(r->kind, r->queue, r->age);
		if (run_ring(r) != NULL)
			r->first_ticket = run_ring(r)->tail;
		run_delete(r, old);
	} else {
		free(r->queue);
		r->queue = old;
	}
}

static void
run_step(struct run *r, enum verb verb, unsigned char argument)
{
	static unsigned char items[ROOM];
	struct call c;

	c.verb = verb;
	c.n = verb_counts(verb) ? argument % (MAX_BATCH + 1) : 1;
	c.options = NULL;
	c.deadline = deadlines[argument % COUNT(deadlines)].at;
	c.items = memset(items, 0xa5, ROOM);
	if (verb_puts(verb))
		items_make(r, c.items, c.n);
	if (verb == TASK_DONE && argument % 2 == 1)
		run_late_stores(r);
	if (verb == INIT)
		run_init(r, &c, argument);
	else if (!model_would_wait(&r->model, &c))
		agree(r, &c);
	for (c.verb = SIZE; c.verb <= IS_CLOSED; c.verb++)
		agree(r, &c);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct run r = {.traced = getenv("SLUICE_FUZZ_TRACE") != NULL};

	if (n < 2)
		return 0;
	r.kind = &kinds[bytes[0] % COUNT(kinds)];
	r.age = ages[bytes[1] % COUNT(ages)];
	r.model.bytes = r.kind->bytes;
	if (r.traced)
		fprintf(stderr, "\n%s, as if %llu items had passed:\n", r.kind->name,
			(unsigned long long)r.age);
	run_step(&r, INIT, bytes[1] / COUNT(ages));
	for (size_t i = 2; i + 1 < n; i += 2)
		run_step(&r, bytes[i] % VERBS, bytes[i + 1]);
	run_delete(&r, r.queue);
	return 0;
}
