/* SPDX-License-Identifier: MIT */
/*
 * history_queue.c - what threads do to a real queue is recorded and must be linearizable.
 *
 * Compiled once for each flavour and for the mutex baseline, as specification.c is; the build defines
 * QUEUE_HEADER, QUEUE_DEFINE, LONE_PRODUCER, LONE_CONSUMER, and
 *
 *   GATED   1: puts hold a gate (the CK_ flavours). Then a closed queue stays "empty", not "drained",
 *           while a put that began before the close is inside; and where producers take turns, a
 *           put_until may time out for want of its turn, which says nothing about room.
 *
 * That is all in which the flavours' promises differ here. sluice.h gives the word "linearizable" to
 * MPMC; but order, capacity, what "full", "empty" and "drained" mean, and that nothing is lost, it says
 * of all, and those together are what history.h checks. Wide items count as any: sluice.h allows an
 * early "full" only with 64 threads inside.
 *
 * The main thread sends signals at random, whose handler sleeps: so threads stop in the middle of
 * calls, for long. Runs show what happened in them; that nothing else can happen they cannot show.
 */
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <time.h>

#include QUEUE_HEADER
#include "history.h"
#include "history_search.h"
#include "threads.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ------------------------------------------------------------------------------ one operation -- */

enum verb {
	PUT,
	TRY_PUT,
	PUT_UNTIL,
	PUT_MANY,
	TRY_PUT_MANY,
	GET,
	TRY_GET,
	GET_UNTIL,
	GET_MANY,
	TRY_GET_MANY,
	VERBS
};

enum {
	MOST = 80 /* items in a batch; more than a queue moves in one part */
};

struct call {
	enum verb verb;
	size_t n; /* items to put, or to get at most */
	size_t moved;
	int error; /* of a verb that moves one */
	struct timespec deadline;
	uint64_t begin;
	uint64_t end;
	uint32_t values[MOST];
};

/* An item is its value and words that follow from it, so that half an item is no item. */
static void
words_make(uint64_t *words, size_t n, uint32_t value)
{
	for (size_t i = 0; i < n; i++)
		words[i] = i == 0 ? value : words[i - 1] * 0x9e3779b97f4a7c15u + 1;
}

static uint32_t
words_value(const uint64_t *words, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		if (words[i] != words[i - 1] * 0x9e3779b97f4a7c15u + 1)
			return HISTORY_ALIEN;
	}
	return words[0] < HISTORY_ALIEN ? (uint32_t)words[0] : HISTORY_ALIEN;
}

/*
 * A lone side of a cell ring publishes by plain stores, which may still be on their way to the other
 * processors when its call returns: by a clock, though by nothing else, a try_get elsewhere may say
 * "empty" for some nanoseconds more. (sluice.h gives the word "linearizable" to MPMC only.) The stamp of
 * its end is therefore taken when they have arrived. All other sides' calls are stamped as they return.
 * For the same reason what a lone side's batch says of the queue at its end, when its own items or the
 * room it made may not be seen yet, is not held against it.
 */
static bool
publishes_by_stores(enum verb verb)
{
	static const bool of_side[] = {LONE_PRODUCER && !GATED, LONE_CONSUMER && !GATED};

	return of_side[verb >= GET];
}

/* A queue for items of one width, seen through functions. */
struct kind {
	const char *name;
	void *(*create)(size_t capacity);
	void (*delete)(void *queue);
	void (*close)(void *queue);
	void (*call)(void *queue, struct call *call);
};

/* clang-format off */
#define KIND(NAME, WORDS)                                                                          \
	struct NAME##_item { uint64_t words[WORDS]; };                                             \
	QUEUE_DEFINE(NAME, struct NAME##_item)                                                     \
	static void *NAME##_k_create(size_t capacity)                                              \
	{                                                                                          \
		struct NAME *const q = malloc(sizeof(*q));                                         \
		cr_assert_not_null(q);                                                             \
		cr_assert_eq(NAME##_init(q, capacity, NULL), 0);                                   \
		return q;                                                                          \
	}                                                                                          \
	static void NAME##_k_delete(void *q) { NAME##_destroy(q); free(q); }                       \
	static void NAME##_k_close(void *q) { NAME##_close(q); }                                   \
	static void NAME##_k_call(void *q, struct call *c)                                         \
	{                                                                                          \
		struct NAME##_item items[MOST] = {{{0}}};                                            \
		size_t moved = 0;                                                                  \
		int error = 0;                                                                     \
		for (size_t i = 0; i < c->n; i++)                                                  \
			words_make(items[i].words, WORDS, c->values[i]);                           \
		c->begin = history_begin();                                                        \
		switch (c->verb) {                                                                 \
		case PUT: error = NAME##_put(q, items[0]); break;                                  \
		case TRY_PUT: error = NAME##_try_put(q, items[0]); break;                          \
		case PUT_UNTIL: error = NAME##_put_until(q, items[0], &c->deadline); break;        \
		case PUT_MANY: moved = NAME##_put_many(q, items, c->n); break;                     \
		case TRY_PUT_MANY: moved = NAME##_try_put_many(q, items, c->n); break;             \
		case GET: error = NAME##_get(q, &items[0]); break;                                 \
		case TRY_GET: error = NAME##_try_get(q, &items[0]); break;                         \
		case GET_UNTIL: error = NAME##_get_until(q, &items[0], &c->deadline); break;       \
		case GET_MANY: moved = NAME##_get_many(q, items, c->n); break;                     \
		default: moved = NAME##_try_get_many(q, items, c->n);                              \
		}                                                                                  \
		if (publishes_by_stores(c->verb))                                                  \
			__atomic_thread_fence(__ATOMIC_SEQ_CST);                                   \
		c->end = history_end();                                                            \
		c->error = error;                                                                  \
		c->moved = moved;                                                                  \
		for (size_t i = 0; c->verb >= GET && i < c->n; i++)                                \
			c->values[i] = words_value(items[i].words, WORDS);                         \
	}                                                                                          \
	static const struct kind NAME##_kind = {                                                   \
		#NAME, NAME##_k_create, NAME##_k_delete, NAME##_k_close, NAME##_k_call             \
	};

KIND(narrow, 1)
KIND(wide, 5)
/* clang-format on */

static const struct kind *const kinds[] = {&narrow_kind, &wide_kind};

/* What the result says, by sluice.h's words for each verb. GAVE_UP stands for nothing to say. */
static enum history_result
call_refusal(const struct call *c)
{
	switch (c->verb) {
	case PUT_MANY:
		return c->moved < c->n ? HISTORY_CLOSED : HISTORY_GAVE_UP;
	case TRY_PUT_MANY:
	case TRY_GET_MANY:
		return c->moved < c->n ? HISTORY_SHORT : HISTORY_GAVE_UP;
	case GET_MANY:
		if (c->moved == 0)
			return HISTORY_CLOSED;
		return c->moved < c->n ? HISTORY_SHORT : HISTORY_GAVE_UP;
	default:
		break;
	}
	if (c->error == EPIPE)
		return HISTORY_CLOSED;
	if (c->error == EAGAIN && (c->verb == TRY_PUT || c->verb == TRY_GET))
		return HISTORY_NOT_NOW;
	if (c->error == ETIMEDOUT && c->verb == GET_UNTIL)
		return HISTORY_NOT_NOW;
	if (c->error == ETIMEDOUT && c->verb == PUT_UNTIL)
		return GATED && !LONE_PRODUCER ? HISTORY_GAVE_UP : HISTORY_NOT_NOW;
	cr_assert_eq(c->error, 0, "verb %d answers %d", c->verb, c->error);
	return HISTORY_GAVE_UP;
}

/*
 * Does it and records it. Returns false when told that the queue is closed, or drained. What moves
 * nothing is recorded only as long as there is ample room: leaving it out excludes nothing.
 */
static bool
call(const struct kind *kind, void *q, struct call *c, struct history_log *log)
{
	const enum history_kind side = c->verb < GET ? HISTORY_PUT : HISTORY_GET;
	const bool stores = publishes_by_stores(c->verb);
	enum history_result refusal;

	kind->call(q, c);
	if (c->verb != PUT_MANY && c->verb != TRY_PUT_MANY && c->verb != GET_MANY &&
	    c->verb != TRY_GET_MANY)
		c->moved = c->error == 0;
	cr_assert_leq(c->moved, c->n);
	for (size_t i = 0; i < c->moved; i++)
		history_add(log, side, HISTORY_DONE, c->values[i], c->begin, c->end);
	refusal = call_refusal(c);
	if (refusal == HISTORY_SHORT && c->moved != 0 && stores)
		return true;
	if (c->moved < c->n && (refusal == HISTORY_CLOSED || log->count < log->room / 2))
		history_add(log, side, refusal,
			    side == HISTORY_PUT ? c->values[c->moved] : HISTORY_ALIEN, c->begin,
			    c->end);
	return refusal != HISTORY_CLOSED;
}

/* ----------------------------------------------------------------------------------- threads -- */

enum {
	CALLERS = HISTORY_THREADS - 1, /* and the main thread */
	TELLINGS = 3 /* how often a thread must be told that it is over, to see that it stays so */
};

struct party {
	const struct kind *kind;
	void *q;
	struct history history;
	unsigned int producers;
	unsigned int threads; /* producers first; the main thread's log comes behind them */
	uint32_t per_producer;
	unsigned int left;    /* threads that have not ended */
	unsigned int round;   /* of bursts */
	unsigned int arrived; /* at the end of the round */
	bool over;
};

struct caller {
	struct party *party;
	struct worker worker;
	unsigned int id;
	uint64_t chance;
	uint32_t next; /* value to put */
	uint32_t last;
};

static uint64_t
below(uint64_t *state, uint64_t n)
{
	return chance(state) % n;
}

/* Stops a thread wherever it is, for as long as it takes others to do much. */
static void
nap(int signal)
{
	const struct timespec time = {0, 20000};
	const int error = errno;

	(void)signal;
	nanosleep(&time, NULL);
	errno = error;
}

static void
allow_naps(void)
{
	struct sigaction action;

	memset(&action, 0, sizeof(action));
	action.sa_handler = nap;
	cr_assert_eq(sigaction(SIGUSR1, &action, NULL), 0);
	/* Short sleeps are to be short. By default they are 50 us longer. */
	cr_assert_eq(prctl(PR_SET_TIMERSLACK, 1), 0);
}

static void
send_to_nap(struct caller *callers, const struct party *party, uint64_t *state)
{
	/* A thread that has ended is still there to be joined, and takes no notice. */
	(void)pthread_kill(callers[below(state, party->threads)].worker.thread, SIGUSR1);
}

/* Fills in a call of this verb; false if there is nothing left to put. */
static bool
prepare(struct caller *me, struct call *c, enum verb verb, size_t n)
{
	c->verb = verb;
	c->deadline = sluice_deadline(below(&me->chance, 5000));
	c->n = n;
	if (verb >= GET)
		return true;
	c->n = (size_t)history_min(n, me->last - me->next);
	for (uint32_t i = 0; i < c->n; i++)
		c->values[i] = me->next + i;
	return c->n != 0;
}

static bool
verb_is_batch(enum verb verb)
{
	return verb == PUT_MANY || verb == TRY_PUT_MANY || verb == GET_MANY || verb == TRY_GET_MANY;
}

static void
party_start(struct party *party, struct caller *callers, void *(*body)(void *), uint64_t *state)
{
	party->left = party->threads;
	for (unsigned int i = 0; i < party->threads; i++) {
		callers[i].party = party;
		callers[i].id = i;
		callers[i].chance = chance(state) | 1;
		worker_start(&callers[i].worker, body, &callers[i]);
	}
}

static void
close_recorded(struct party *party)
{
	const uint64_t begin = history_begin();

	party->kind->close(party->q);
	history_add(&party->history.logs[party->threads], HISTORY_CLOSE, HISTORY_DONE,
		    HISTORY_ALIEN, begin, history_end());
}

static void
judge(const struct party *party)
{
	const struct history *const h = &party->history;
	struct history_op culprit = {0};
	const char *const wrong = history_wrong(h, &culprit);

	if (wrong != NULL) {
		printf("%u producers, %u consumers, %s items. %s: value %u, times %llu to %llu\n",
		       party->producers, party->threads - party->producers, party->kind->name,
		       wrong, culprit.value, (unsigned long long)culprit.begin,
		       (unsigned long long)culprit.end);
		history_print(h, culprit.begin, culprit.end);
	}
	cr_assert_null(wrong, "not linearizable: %s", wrong);
}

/* --------------------------------------------------------------------------------- long runs -- */

static void *
run_caller(void *opaque)
{
	struct caller *const me = opaque;
	struct party *const party = me->party;
	const bool produces = me->id < party->producers;
	int told = 0;

	while (told < TELLINGS) {
		const enum verb verb =
			(enum verb)((produces ? PUT : GET) + below(&me->chance, GET));
		const size_t most = below(&me->chance, 16) == 0 ? MOST : 6;
		struct call c;

		if (!prepare(me, &c, verb, verb_is_batch(verb) ? 1 + below(&me->chance, most) : 1))
			break;
		told += !call(party->kind, party->q, &c, &party->history.logs[me->id]);
		if (produces)
			__atomic_store_n(&me->next, me->next + (uint32_t)c.moved, __ATOMIC_RELAXED);
	}
	__atomic_fetch_sub(&party->left, 1, __ATOMIC_RELEASE);
	return NULL;
}

static uint64_t
puts_so_far(const struct party *party, const struct caller *callers)
{
	uint64_t puts = 0;

	for (unsigned int i = 0; i < party->producers; i++)
		puts += __atomic_load_n(&callers[i].next, __ATOMIC_RELAXED) -
			i * party->per_producer;
	return puts;
}

/* Returns how many operations there were. */
static size_t
long_run(const struct kind *kind, size_t capacity, unsigned int producers, unsigned int consumers,
	 bool close_in_the_middle, uint64_t *state)
{
	const uint32_t items = (uint32_t)history_times(2500);
	struct party party = {.kind = kind,
			      .q = kind->create(capacity),
			      .producers = producers,
			      .threads = producers + consumers,
			      .per_producer = items / producers};
	struct history *const h = &party.history;
	const uint64_t all = (uint64_t)producers * party.per_producer;
	const uint64_t close_after = close_in_the_middle ? below(state, all) : all;
	struct caller callers[CALLERS];
	size_t operations;
	bool closed = false;

	h->threads = party.threads + 1;
	h->values = (uint32_t)all;
	h->capacity = capacity;
	h->gated = GATED;
	h->drained = true;
	for (unsigned int t = 0; t < h->threads; t++)
		history_log_init(&h->logs[t], 2 * items + 256);
	for (unsigned int i = 0; i < producers; i++) {
		callers[i].next = i * party.per_producer;
		callers[i].last = callers[i].next + party.per_producer;
	}
	party_start(&party, callers, run_caller, state);
	while (__atomic_load_n(&party.left, __ATOMIC_ACQUIRE) != 0) {
		const struct timespec time = {0, (long)below(state, 100000)};

		if (!closed && puts_so_far(&party, callers) >= close_after) {
			close_recorded(&party);
			closed = true;
		}
		send_to_nap(callers, &party, state);
		nanosleep(&time, NULL);
	}
	for (unsigned int i = 0; i < party.threads; i++)
		worker_join(&callers[i].worker);
	judge(&party);
	operations = history_length(h);
	history_destroy(h);
	kind->delete (party.q);
	return operations;
}

TEST(history_queue, long_runs_pass_every_fast_check)
{
	static const size_t capacities[] = {1, 2, 3, 64};
	const unsigned int consumers = LONE_CONSUMER ? 1 : 2;
	uint64_t state = chance_seed();
	size_t operations = 0;

	allow_naps();
	for (size_t c = 0; c < COUNT(capacities); c++) {
		for (unsigned int i = 0; i < 8; i++) {
			const unsigned int producers = LONE_PRODUCER ? 1 : i & 1 ? 4 : 2;

			operations += long_run(kinds[i >> 1 & 1], capacities[c], producers,
					       consumers, i >> 2 & 1, &state);
		}
	}
	printf("%zu operations\n", operations);
}

/* ------------------------------------------------------------------------------ short bursts -- */

static const enum verb burst_verbs[] = {TRY_PUT, PUT_UNTIL, TRY_PUT_MANY,
					TRY_GET, GET_UNTIL, TRY_GET_MANY};

enum {
	BURST_PUT_VERBS = 3,
	BURST_CALLS = 18, /* of all threads together */
	BURST_BATCH =
		2, /* with what is said of a batch, and the main thread's, this stays below 64 */
	BURST_VALUES = BURST_CALLS * BURST_BATCH
};

static void *
burst_caller(void *opaque)
{
	struct caller *const me = opaque;
	struct party *const party = me->party;
	const bool produces = me->id < party->producers;
	const unsigned int calls = BURST_CALLS / party->threads;

	for (unsigned int round = 1;; round++) {
		for (int looks = 0; __atomic_load_n(&party->round, __ATOMIC_ACQUIRE) < round;
		     looks++) {
			if (looks > 1000)
				sched_yield();
		}
		if (party->over)
			return NULL;
		me->next = me->id * calls * BURST_BATCH;
		me->last = me->next + calls * BURST_BATCH;
		for (unsigned int i = 0; i < calls; i++) {
			const enum verb verb = burst_verbs[(produces ? 0 : BURST_PUT_VERBS) +
							   below(&me->chance, BURST_PUT_VERBS)];
			struct call c;

			if (!prepare(me, &c, verb, verb_is_batch(verb) ? BURST_BATCH : 1))
				break;
			(void)call(party->kind, party->q, &c, &party->history.logs[me->id]);
			me->next += (uint32_t)c.moved;
		}
		__atomic_fetch_add(&party->arrived, 1, __ATOMIC_RELEASE);
	}
}

/* What is left inside is got by the main thread. */
static void
drain_recorded(struct party *party)
{
	struct call c = {.verb = TRY_GET, .n = 1};

	do {
		(void)call(party->kind, party->q, &c, &party->history.logs[party->threads]);
	} while (c.error == 0);
}

/* Returns how many histories were too large for the search. */
static int
bursts(const struct kind *kind, size_t capacity, unsigned int producers, unsigned int consumers,
       unsigned int rounds, uint64_t *state)
{
	struct party party = {.kind = kind,
			      .q = kind->create(capacity),
			      .producers = producers,
			      .threads = producers + consumers};
	struct history *const h = &party.history;
	struct caller callers[CALLERS];
	int undecided = 0;

	h->threads = party.threads + 1;
	h->values = BURST_VALUES;
	h->capacity = capacity;
	h->gated = GATED;
	h->drained = true;
	for (unsigned int t = 0; t < h->threads; t++)
		history_log_init(&h->logs[t], 2 * HISTORY_SEARCH_OPS);
	party_start(&party, callers, burst_caller, state);
	for (unsigned int round = 1; round <= rounds; round++) {
		const bool closes = below(state, 4) == 0;
		enum history_verdict verdict;

		party.arrived = 0;
		for (unsigned int t = 0; t < h->threads; t++)
			h->logs[t].count = 0;
		__atomic_store_n(&party.round, round, __ATOMIC_RELEASE);
		if (below(state, 4) == 0)
			send_to_nap(callers, &party, state);
		if (closes)
			close_recorded(&party);
		while (__atomic_load_n(&party.arrived, __ATOMIC_ACQUIRE) < party.threads)
			sched_yield();
		drain_recorded(&party);
		judge(&party);
		verdict = history_search(h);
		if (verdict == HISTORY_NOT_LINEARIZABLE)
			history_print(h, 0, HISTORY_NEVER);
		cr_assert_neq(verdict, HISTORY_NOT_LINEARIZABLE);
		undecided += verdict == HISTORY_UNDECIDED;
		if (closes) {
			kind->delete (party.q);
			party.q = kind->create(capacity);
		}
	}
	party.over = true;
	__atomic_store_n(&party.round, rounds + 1, __ATOMIC_RELEASE);
	for (unsigned int i = 0; i < party.threads; i++)
		worker_join(&callers[i].worker);
	history_destroy(h);
	kind->delete (party.q);
	return undecided;
}

TEST(history_queue, short_bursts_are_linearizable_by_exact_search)
{
	static const unsigned int shapes[][2] = {{1, 1}, {2, 2}, {4, 2}};
	const unsigned int rounds = (unsigned int)history_times(100);
	uint64_t state = chance_seed();
	unsigned int all = 0;
	int undecided = 0;

	allow_naps();
	for (size_t capacity = 1; capacity <= 3; capacity++) {
		for (size_t i = 0; i < COUNT(shapes) * COUNT(kinds); i++) {
			const unsigned int *const shape = shapes[i / COUNT(kinds)];

			undecided += bursts(kinds[i % COUNT(kinds)], capacity,
					    LONE_PRODUCER ? 1 : shape[0],
					    LONE_CONSUMER ? 1 : shape[1], rounds, &state);
			all += rounds;
		}
	}
	printf("%u histories, %d of them too large for the search\n", all, undecided);
}
