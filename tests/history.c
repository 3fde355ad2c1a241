/* SPDX-License-Identifier: MIT */
/*
 * history.c - the checkers of histories are held against histories whose truth is known.
 *
 * Good ones are made by running a queue that is right, one operation after the other, and then
 * stretching the time of each operation around the instant at which it was done. Broken ones are good
 * ones with a lie in them; the exact search says which of these can still be explained, and itself is
 * held against trying all orders. At the end, threads record what toy queues do that are wrong on
 * purpose.
 */
#include <assert.h>
#include <errno.h>

#include "history.h"
#include "history_search.h"
#include "threads.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---------------------------------------------------------------------- histories by chance -- */

enum {
	STEP = 16, /* time between two operations of the run */
	MAX_OPS = 60
};

/* How a history is made. */
struct recipe {
	unsigned int threads;
	unsigned int ops;
	size_t capacity;
	uint64_t stretch; /* how far an operation may reach beyond its instant */
};

/* An operation of the run, and the time before which it must have begun. */
struct done {
	struct history_op *op;
	uint64_t at;
	uint64_t begun_by;
};

static uint64_t
below(uint64_t *state, uint64_t n)
{
	assert(n > 0);
	return chance(state) % n;
}

static void
history_make_room(struct history *h, const struct recipe *recipe)
{
	memset(h, 0, sizeof(*h));
	h->threads = recipe->threads;
	h->capacity = recipe->capacity;
	for (unsigned int t = 0; t < h->threads; t++)
		history_log_init(&h->logs[t], recipe->ops + 2);
}

/* Moves the begin and the end of a thread's operations away from their instants, but not across. */
static void
stretch(struct done *list, size_t n, uint64_t most, uint64_t *state)
{
	for (size_t i = 0; i < n; i++) {
		const uint64_t before = i > 0 ? list[i - 1].op->end : 0;
		const uint64_t behind = i + 1 < n ? list[i + 1].begun_by : UINT64_MAX / 2;
		const uint64_t room_before = history_min(list[i].begun_by - before, most);
		const uint64_t room_behind = history_min(behind - list[i].at, most);

		list[i].op->begin = list[i].begun_by - below(state, room_before + 1);
		list[i].op->end = list[i].at + below(state, room_behind + 1);
	}
}

/* Now and then makes two neighbours one batch. */
static void
join_batches(struct history_log *log, uint64_t *state)
{
	for (size_t i = 1; i < log->count; i++) {
		struct history_op *const a = &log->ops[i - 1];
		struct history_op *const b = &log->ops[i];
		size_t first = i - 1;

		if (a->kind != b->kind || a->kind == HISTORY_CLOSE || a->result != HISTORY_DONE ||
		    b->result != HISTORY_DONE || below(state, 4) != 0)
			continue;
		b->begin = a->begin;
		while (first > 0 && log->ops[first - 1].begin == a->begin &&
		       log->ops[first - 1].end == a->end)
			first--;
		for (; first < i; first++)
			log->ops[first].end = b->end;
	}
}

/*
 * A run of the queue that history.h describes, with a close in some. A thread whose last operation
 * lies before the close may put as if it had looked at the queue before.
 */
static void
history_make(struct history *h, const struct recipe *recipe, uint64_t *state)
{
	struct done *lists[HISTORY_THREADS] = {NULL};
	uint32_t *const queue = history_allocate(recipe->ops, sizeof(*queue));
	size_t head = 0;
	size_t tail = 0;
	uint64_t closed_at = HISTORY_NEVER;
	bool drained = false;
	const unsigned int close_step = (unsigned int)below(state, 2u * recipe->ops);
	const uint64_t puts_of_8 = 3 + below(state, 3);
	const bool empty_it = below(state, 2) == 0;

	history_make_room(h, recipe);
	for (unsigned int t = 0; t < h->threads; t++)
		lists[t] = history_allocate(recipe->ops + 2, sizeof(*lists[t]));
	for (unsigned int step = 0; step < recipe->ops || (empty_it && head != tail); step++) {
		const unsigned int t = (unsigned int)below(state, h->threads);
		struct history_log *const log = &h->logs[t];
		struct done *const list = lists[t];
		const uint64_t at = (step + 1) * STEP;
		const bool full = tail - head == h->capacity;
		const bool empty = tail == head;
		uint64_t begun_by = at;
		enum history_kind kind = below(state, 8) < puts_of_8 ? HISTORY_PUT : HISTORY_GET;
		enum history_result result = HISTORY_DONE;
		uint32_t value = 0;

		if (log->count == log->room)
			continue;
		if (step >= recipe->ops)
			kind = HISTORY_GET;
		else if (step == close_step)
			kind = HISTORY_CLOSE;
		if (kind == HISTORY_CLOSE) {
			closed_at = at;
		} else if (kind == HISTORY_PUT) {
			const bool late = closed_at != HISTORY_NEVER && below(state, 2) == 0 &&
					  (log->count == 0 || list[log->count - 1].at < closed_at);

			if (late)
				begun_by = closed_at;
			if (closed_at != HISTORY_NEVER && (!late || (drained && !full)))
				result = HISTORY_CLOSED;
			else if (full)
				result = HISTORY_NOT_NOW;
			if (result != HISTORY_DONE && below(state, 4) == 0)
				result = HISTORY_SHORT;
			value = h->values++;
			if (result == HISTORY_DONE)
				queue[tail++] = value;
		} else if (!empty) {
			value = queue[head++];
		} else if (below(state, 4) == 0) {
			result = HISTORY_SHORT;
		} else if (closed_at != HISTORY_NEVER) {
			result = HISTORY_CLOSED;
			drained = true;
		} else {
			result = HISTORY_NOT_NOW;
		}
		history_add(log, kind, result, value, at, at);
		list[log->count - 1] = (struct done){&log->ops[log->count - 1], at, begun_by};
	}
	h->drained = head == tail && below(state, 2) == 0;
	for (unsigned int t = 0; t < h->threads; t++) {
		stretch(lists[t], h->logs[t].count, recipe->stretch, state);
		join_batches(&h->logs[t], state);
	}
	for (unsigned int t = 0; t < HISTORY_THREADS; t++)
		free(lists[t]);
	free(queue);
}

static void
history_make_small(struct history *h, unsigned int most_ops, uint64_t *state)
{
	static const uint64_t reach[] = {0, STEP, 3 * STEP, 10 * STEP, 100 * STEP};
	struct recipe recipe;

	recipe.threads = 2 + (unsigned int)below(state, 4);
	recipe.ops = 2 + (unsigned int)below(state, most_ops - 1);
	recipe.capacity = 1 + below(state, 4);
	recipe.stretch = reach[below(state, 5)];
	history_make(h, &recipe, state);
}

TEST(history, no_false_alarm_in_20000_good_histories)
{
	uint64_t state = chance_seed();
	int undecided = 0;

	for (int i = 0; i < history_times(20000); i++) {
		struct history h;
		struct history_op culprit;
		const char *wrong;
		enum history_verdict verdict;

		history_make_small(&h, MAX_OPS, &state);
		wrong = history_wrong(&h, &culprit);
		verdict = history_search(&h);
		undecided += verdict == HISTORY_UNDECIDED;
		if (wrong != NULL || verdict == HISTORY_NOT_LINEARIZABLE)
			history_print(&h, 0, HISTORY_NEVER);
		cr_assert_null(wrong, "%s", wrong);
		cr_assert_neq(verdict, HISTORY_NOT_LINEARIZABLE);
		history_destroy(&h);
	}
	printf("the search was too large %d times in %d\n", undecided, history_times(20000));
	cr_assert_lt(undecided, history_times(20000) / 20);
}

TEST(history, no_false_alarm_in_long_good_histories)
{
	static const size_t capacities[] = {1, 2, 3, 64};
	uint64_t state = chance_seed();

	for (unsigned int i = 0; i < 8; i++) {
		const struct recipe recipe = {2 + i % 5, (unsigned int)history_times(20000),
					      capacities[i % 4], (i + 1) * STEP};
		struct history h;
		struct history_op culprit;
		const char *wrong;

		history_make(&h, &recipe, &state);
		wrong = history_wrong(&h, &culprit);
		cr_assert_null(wrong, "%s", wrong);
		history_destroy(&h);
	}
}

/* --------------------------------------------------------------------------------------- lies -- */

enum lie {
	SWAPPED,      /* two gets got each other's item */
	DOUBLED,      /* one got what another got as well */
	LOST,         /* a get never was, so its item stayed inside */
	SAYS_EMPTY,   /* a get that said so, somewhere */
	SAYS_FULL,    /* a put that said so */
	SAYS_CLOSED,  /* a put or a get that was told so */
	ONE_TOO_MANY, /* the capacity is one less */
	LATE,         /* a put was accepted, not told that the queue is closed */
	LIES
};

static const char *const lie_names[] = {"swapped",   "doubled",     "lost",         "says empty",
					"says full", "says closed", "one too many", "late"};

/* One of the operations of this kind and result; NULL if there is none. */
static struct history_op *
any_op(const struct history *h, enum history_kind kind, enum history_result result, uint64_t *state)
{
	struct history_op *chosen = NULL;
	uint64_t n = 0;

	for (unsigned int t = 0; t < h->threads; t++) {
		for (size_t i = 0; i < h->logs[t].count; i++) {
			struct history_op *const op = &h->logs[t].ops[i];

			if (op->kind == kind && op->result == result && below(state, ++n) == 0)
				chosen = op;
		}
	}
	return chosen;
}

/* Between two operations of some thread, or behind its last. */
static bool
insert(struct history *h, enum history_kind kind, enum history_result result, uint64_t *state)
{
	struct history_log *const log = &h->logs[below(state, h->threads)];
	const size_t i = below(state, log->count + 1);
	const uint64_t from = i > 0 ? log->ops[i - 1].end : 0;
	const uint64_t to = i < log->count ? log->ops[i].begin : from + STEP;
	struct history_op *const op = &log->ops[i];

	/* A batch has no gaps. */
	if (log->count == log->room || to < from)
		return false;
	memmove(op + 1, op, (log->count - i) * sizeof(*op));
	log->count++;
	op->begin = from + below(state, to - from + 1);
	op->end = op->begin + below(state, to - op->begin + 1);
	op->kind = (uint8_t)kind;
	op->result = (uint8_t)result;
	op->value = h->values++;
	return true;
}

/* False if there is no occasion for it. */
static bool
tell(enum lie lie, struct history *h, uint64_t *state)
{
	struct history_op *const a = any_op(h, HISTORY_GET, HISTORY_DONE, state);
	struct history_op *const b = any_op(h, HISTORY_GET, HISTORY_DONE, state);
	struct history_op *const refused = any_op(h, HISTORY_PUT, HISTORY_CLOSED, state);
	uint32_t value;

	switch (lie) {
	case SWAPPED:
	case DOUBLED:
		if (a == b)
			return false;
		value = a->value;
		a->value = b->value;
		if (lie == SWAPPED)
			b->value = value;
		return true;
	case LOST:
		for (unsigned int t = 0; a != NULL && t < h->threads; t++) {
			struct history_log *const log = &h->logs[t];

			if (a < log->ops || a >= log->ops + log->count)
				continue;
			log->count--;
			memmove(a, a + 1, (size_t)(log->ops + log->count - a) * sizeof(*a));
		}
		return a != NULL;
	case SAYS_EMPTY:
		return insert(h, HISTORY_GET, HISTORY_NOT_NOW, state);
	case SAYS_FULL:
		return insert(h, HISTORY_PUT, HISTORY_NOT_NOW, state);
	case SAYS_CLOSED:
		return insert(h, below(state, 2) == 0 ? HISTORY_PUT : HISTORY_GET, HISTORY_CLOSED,
			      state);
	case ONE_TOO_MANY:
		h->capacity--;
		return h->capacity != 0;
	default:
		if (refused != NULL)
			refused->result = HISTORY_DONE;
		return refused != NULL;
	}
}

/*
 * The judge's judge. Do these operations, in this order, give these results? history.h's words again,
 * written down in another way than in the search.
 */
static bool
explains(const struct history *h, const struct history_op *const *order, size_t n)
{
	uint32_t queue[MAX_OPS] = {0};
	size_t head = 0;
	size_t tail = 0;
	bool closed = false;
	bool drained = false;
	uint64_t last_look = HISTORY_NEVER;

	for (size_t i = 0; i < n; i++) {
		const struct history_op *const op = order[i];
		const bool full = tail - head == h->capacity;
		const bool empty = tail == head;
		bool right[HISTORY_GAVE_UP + 1] = {false};

		if (op->kind == HISTORY_CLOSE) {
			for (size_t j = i; !closed && j < n; j++)
				last_look = history_min(last_look, order[j]->end);
			closed = true;
			continue;
		}
		if (op->kind == HISTORY_PUT) {
			const bool may = !closed || op->begin <= last_look;

			right[HISTORY_DONE] = may && !full && !drained;
			right[HISTORY_NOT_NOW] = may && full;
			right[HISTORY_CLOSED] = closed;
			right[HISTORY_SHORT] = full || closed;
			right[HISTORY_GAVE_UP] = may;
		} else {
			right[HISTORY_DONE] = !empty && queue[head] == op->value;
			right[HISTORY_NOT_NOW] = empty && !closed;
			right[HISTORY_CLOSED] = empty && closed;
			right[HISTORY_SHORT] = empty;
		}
		if (!right[op->result])
			return false;
		if (op->result == HISTORY_DONE && op->kind == HISTORY_PUT)
			queue[tail++] = op->value;
		else if (op->result == HISTORY_DONE)
			head++;
		else if (op->result == HISTORY_CLOSED && op->kind == HISTORY_GET)
			drained = true;
	}
	return head == tail || !h->drained;
}

/* Tries all orders that keep the time and each thread's own. */
static bool
some_order_explains(const struct history *h, const struct history_op **order, size_t n,
		    size_t *next)
{
	uint64_t first_end = HISTORY_NEVER;
	bool left = false;

	for (unsigned int t = 0; t < h->threads; t++) {
		if (next[t] < h->logs[t].count) {
			first_end = history_min(first_end, h->logs[t].ops[next[t]].end);
			left = true;
		}
	}
	if (!left)
		return explains(h, order, n);
	for (unsigned int t = 0; t < h->threads; t++) {
		if (next[t] == h->logs[t].count || h->logs[t].ops[next[t]].begin > first_end)
			continue;
		order[n] = &h->logs[t].ops[next[t]++];
		if (some_order_explains(h, order, n + 1, next))
			return true;
		next[t]--;
	}
	return false;
}

TEST(history, the_search_finds_what_trying_all_orders_finds)
{
	uint64_t state = chance_seed();
	int broken = 0;
	int good = 0;

	while (broken + good < history_times(20000)) {
		const struct history_op *order[MAX_OPS];
		size_t next[HISTORY_THREADS] = {0};
		struct history h;
		struct history_op culprit;
		bool right;

		history_make_small(&h, 6, &state);
		for (uint64_t lies = below(&state, 3); lies > 0; lies--)
			(void)tell((enum lie)below(&state, LIES), &h, &state);
		if (history_length(&h) <= 8 && h.capacity != 0) {
			right = some_order_explains(&h, order, 0, next);
			if (right != (history_search(&h) == HISTORY_LINEARIZABLE))
				history_print(&h, 0, HISTORY_NEVER);
			cr_assert_eq(history_search(&h),
				     right ? HISTORY_LINEARIZABLE : HISTORY_NOT_LINEARIZABLE);
			cr_assert(!right || history_wrong(&h, &culprit) == NULL);
			good += right;
			broken += !right;
		}
		history_destroy(&h);
	}
	printf("%d good, %d broken\n", good, broken);
	cr_assert_gt(good, history_times(2000));
	cr_assert_gt(broken, history_times(2000));
}

TEST(history, the_search_finds_every_lie_and_the_fast_checks_95_in_100)
{
	uint64_t state = chance_seed();
	int all_found = 0;
	int all_broken = 0;

	for (enum lie lie = 0; lie < LIES; lie++) {
		int broken = 0;
		int found = 0;
		int harmless = 0;

		while (broken < history_times(2000)) {
			struct history h;
			struct history_op culprit;

			history_make_small(&h, MAX_OPS - 20, &state);
			if (tell(lie, &h, &state)) {
				const enum history_verdict verdict = history_search(&h);
				const bool wrong = history_wrong(&h, &culprit) != NULL;

				if (wrong && verdict == HISTORY_LINEARIZABLE)
					history_print(&h, 0, HISTORY_NEVER);
				cr_assert_not(wrong && verdict == HISTORY_LINEARIZABLE);
				harmless += verdict == HISTORY_LINEARIZABLE;
				broken += verdict == HISTORY_NOT_LINEARIZABLE;
				found += verdict == HISTORY_NOT_LINEARIZABLE && wrong;
			}
			history_destroy(&h);
		}
		printf("%-12s  not linearizable %5d (still linearizable %5d); fast checks %5.1f "
		       "%%\n",
		       lie_names[lie], broken, harmless, 100.0 * found / broken);
		all_broken += broken;
		all_found += found;
	}
	printf("fast checks found %.1f %% of %d\n", 100.0 * all_found / all_broken, all_broken);
	cr_assert_geq(100.0 * all_found / all_broken, 95.0);
}

/* --------------------------------------------------------------------------------------- toys -- */

/* What a queue under a lock does wrong, every hundredth time if not said otherwise. */
enum flaw {
	NONE,
	EMPTY_WITH_ITEMS,    /* a get says "empty" though there is an item */
	FULL_WITH_ROOM,      /* a put says "full" though there is room */
	LAST_IN_FIRST_OUT,   /* a get takes the newest item */
	FORGETS,             /* a put returns 0 and the item is gone */
	REPEATS,             /* a get leaves the item inside */
	HOLDS_ONE_MORE,      /* always */
	DROPS_WHEN_CLOSED,   /* close forgets what is inside */
	ACCEPTS_WHEN_CLOSED, /* a put after close */
	DRAINED_WITH_ITEMS,  /* a get says "drained" with items inside */
	FLAWS
};

struct toy {
	pthread_mutex_t lock;
	enum flaw flaw;
	size_t capacity;
	size_t head;
	size_t tail;
	unsigned int calls;
	bool closed;
	uint32_t items[8];
};

static bool
toy_now(struct toy *toy, enum flaw flaw)
{
	return toy->flaw == flaw && ++toy->calls % 100 == 0;
}

static int
toy_try_put(struct toy *toy, uint32_t item)
{
	const size_t capacity = toy->capacity + (toy->flaw == HOLDS_ONE_MORE);
	int result = 0;

	pthread_mutex_lock(&toy->lock);
	if (toy->closed && !toy_now(toy, ACCEPTS_WHEN_CLOSED))
		result = EPIPE;
	else if (toy->tail - toy->head == capacity || toy_now(toy, FULL_WITH_ROOM))
		result = EAGAIN;
	else if (!toy_now(toy, FORGETS))
		toy->items[toy->tail++ % COUNT(toy->items)] = item;
	pthread_mutex_unlock(&toy->lock);
	return result;
}

static int
toy_try_get(struct toy *toy, uint32_t *item)
{
	int result = 0;

	pthread_mutex_lock(&toy->lock);
	if (toy->tail == toy->head)
		result = toy->closed ? EPIPE : EAGAIN;
	else if (toy_now(toy, EMPTY_WITH_ITEMS))
		result = EAGAIN;
	else if (toy->closed && toy->flaw == DRAINED_WITH_ITEMS)
		result = EPIPE;
	else if (toy->tail - toy->head > 1 && toy_now(toy, LAST_IN_FIRST_OUT))
		*item = toy->items[--toy->tail % COUNT(toy->items)];
	else if (toy_now(toy, REPEATS))
		*item = toy->items[toy->head % COUNT(toy->items)];
	else
		*item = toy->items[toy->head++ % COUNT(toy->items)];
	pthread_mutex_unlock(&toy->lock);
	return result;
}

static void
toy_close(struct toy *toy)
{
	pthread_mutex_lock(&toy->lock);
	toy->closed = true;
	if (toy->flaw == DROPS_WHEN_CLOSED)
		toy->head = toy->tail;
	pthread_mutex_unlock(&toy->lock);
}

static enum history_result
result_of(int error)
{
	return error == 0 ? HISTORY_DONE : error == EPIPE ? HISTORY_CLOSED : HISTORY_NOT_NOW;
}

/* Two producers and two consumers; the first producer closes in the middle. */
enum {
	TOY_PUTS = 2000,
	MANY_GETS = 6 * TOY_PUTS
};

struct player {
	struct toy *toy;
	struct history_log *log;
	uint32_t first_value;
};

static void *
toy_producer(void *opaque)
{
	struct player *const me = opaque;

	for (uint32_t i = 0; i < TOY_PUTS; i++) {
		const uint64_t begin = history_begin();
		const int error = toy_try_put(me->toy, me->first_value + i);

		history_add(me->log, HISTORY_PUT, result_of(error), me->first_value + i, begin,
			    history_end());
		if (error == EAGAIN)
			sched_yield();
		if (i == TOY_PUTS / 2 && me->first_value == 0) {
			const uint64_t close_begin = history_begin();

			toy_close(me->toy);
			history_add(me->log, HISTORY_CLOSE, HISTORY_DONE, 0, close_begin,
				    history_end());
		}
	}
	return NULL;
}

static void *
toy_consumer(void *opaque)
{
	struct player *const me = opaque;
	int told = 0;

	while (told < 100) {
		uint32_t value = HISTORY_ALIEN;
		const uint64_t begin = history_begin();
		const int error = toy_try_get(me->toy, &value);

		/* What is not recorded excludes nothing, and what moves nothing may be very much. */
		if (error != EAGAIN || me->log->count < MANY_GETS)
			history_add(me->log, HISTORY_GET, result_of(error), value, begin,
				    history_end());
		told += error == EPIPE;
		if (error != 0)
			sched_yield();
	}
	return NULL;
}

static const char *
toy_run(enum flaw flaw)
{
	struct toy toy = {.lock = PTHREAD_MUTEX_INITIALIZER, .flaw = flaw, .capacity = 3};
	struct history h = {.threads = 4, .values = 2 * TOY_PUTS, .capacity = 3};
	struct history_op culprit;
	struct player players[4];
	struct worker workers[4];
	const char *wrong;

	for (uint32_t t = 0; t < 4; t++) {
		/* A flaw may repeat every item but a few. */
		history_log_init(&h.logs[t], t < 2 ? TOY_PUTS + 1 : MANY_GETS + 4 * TOY_PUTS);
		players[t] = (struct player){&toy, &h.logs[t], t < 2 ? t * TOY_PUTS : 0};
	}
	for (size_t t = 0; t < 4; t++)
		worker_start(&workers[t], t < 2 ? toy_producer : toy_consumer, &players[t]);
	for (size_t t = 0; t < 4; t++)
		worker_join(&workers[t]);
	/* What is wrong at the end must be seen as such, not as a loss. */
	h.drained = flaw != ACCEPTS_WHEN_CLOSED && flaw != DRAINED_WITH_ITEMS;
	wrong = history_wrong(&h, &culprit);
	history_destroy(&h);
	return wrong;
}

TEST(history, a_toy_queue_is_rejected_for_each_of_its_flaws_and_not_without)
{
	static const char *const expected[FLAWS] = {
		[EMPTY_WITH_ITEMS] = "empty",
		[FULL_WITH_ROOM] = "full",
		[LAST_IN_FIRST_OUT] = "order",
		[FORGETS] = "once",
		[REPEATS] = "once",
		[HOLDS_ONE_MORE] = "bound",
		[DROPS_WHEN_CLOSED] = "once",
		[ACCEPTS_WHEN_CLOSED] = "closed",
		[DRAINED_WITH_ITEMS] = "drained",
	};

	for (enum flaw flaw = NONE; flaw < FLAWS; flaw++) {
		const char *wrong = NULL;
		int runs = 0;

		/* What goes wrong once in a run, at close, may find nothing to go wrong with. */
		while (wrong == NULL && runs < 50) {
			wrong = toy_run(flaw);
			runs++;
		}
		printf("flaw %d: %s after %d runs\n", (int)flaw, wrong != NULL ? wrong : "right",
		       runs);
		if (flaw == NONE)
			cr_assert_null(wrong, "%s", wrong);
		else
			cr_assert_str_eq(wrong != NULL ? wrong : "right", expected[flaw]);
	}
}

/*
 * A ring in which a put first takes a ticket and then publishes the item in the ticket's cell. An item
 * that was put is invisible as long as a put before it is stopped in between: FIFO, nothing lost, and
 * yet not linearizable.
 */
struct ticket_ring {
	uint32_t items[4];
	bool published[4];
	size_t head;
	size_t tail;
};

static void
ticket_ring_publish(struct ticket_ring *ring, size_t ticket, uint32_t item)
{
	ring->items[ticket] = item;
	ring->published[ticket] = true;
}

static int
ticket_ring_try_get(struct ticket_ring *ring, uint32_t *item)
{
	if (!ring->published[ring->head])
		return EAGAIN;
	*item = ring->items[ring->head++];
	return 0;
}

TEST(history, a_ring_that_hides_an_item_behind_a_put_that_is_stopped_is_rejected)
{
	struct ticket_ring ring = {.head = 0};
	struct history h = {.threads = 3, .values = 2, .capacity = 4, .drained = true};
	struct history_op culprit;
	const uint64_t begin = history_begin();
	const size_t stopped = ring.tail++;
	uint64_t then = history_begin();
	uint32_t value = HISTORY_ALIEN;

	for (size_t t = 0; t < 3; t++)
		history_log_init(&h.logs[t], 3);
	ticket_ring_publish(&ring, ring.tail++, 1);
	history_add(&h.logs[1], HISTORY_PUT, HISTORY_DONE, 1, then, history_end());
	then = history_begin();
	cr_assert_eq(ticket_ring_try_get(&ring, &value), EAGAIN);
	history_add(&h.logs[2], HISTORY_GET, HISTORY_NOT_NOW, value, then, history_end());
	ticket_ring_publish(&ring, stopped, 0);
	history_add(&h.logs[0], HISTORY_PUT, HISTORY_DONE, 0, begin, history_end());
	for (uint32_t i = 0; i < 2; i++) {
		then = history_begin();
		cr_assert_eq(ticket_ring_try_get(&ring, &value), 0);
		cr_assert_eq(value, i);
		history_add(&h.logs[2], HISTORY_GET, HISTORY_DONE, value, then, history_end());
	}
	cr_assert_str_eq(history_wrong(&h, &culprit), "empty");
	cr_assert_eq(history_search(&h), HISTORY_NOT_LINEARIZABLE);
	/* Without the lie the rest is in order. */
	memmove(&h.logs[2].ops[0], &h.logs[2].ops[1], 2 * sizeof(h.logs[2].ops[0]));
	h.logs[2].count--;
	cr_assert_null(history_wrong(&h, &culprit));
	cr_assert_eq(history_search(&h), HISTORY_LINEARIZABLE);
	history_destroy(&h);
}
