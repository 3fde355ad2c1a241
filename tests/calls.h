/* SPDX-License-Identifier: MIT */
/*
 * calls.h - a thread in a call that has to wait, and what lets it return.
 *
 *	call.q = queue_to_wait_in(flavour, GET);
 *	worker_start(&worker, make_call, &call);
 *	wait_until_asleep(&worker);
 *	...
 *	let_one_return(flavour, call.q, GET, SECOND);
 *	worker_join(&worker);
 *
 * A thread makes its call once and keeps no assertion: what came of it stands in the struct call.
 */
#ifndef CALLS_H
#define CALLS_H

#include "flavours.h"

/* Each timed one follows the same call without a deadline. */
enum verb {
	PUT,
	PUT_UNTIL,
	PUT_AT_GATE, /* of CK_MPMC, with the gate held; likewise */
	PUT_UNTIL_AT_GATE,
	GET,
	GET_UNTIL,
	JOIN,
	JOIN_UNTIL,
	VERBS
};

static inline bool
is_timed(enum verb verb)
{
	return verb == PUT_UNTIL || verb == PUT_UNTIL_AT_GATE || verb == GET_UNTIL ||
	       verb == JOIN_UNTIL;
}

struct call {
	const struct flavour *flavour;
	void *q;
	enum verb verb;
	struct timespec deadline;
	uint64_t number; /* what it puts, or got */
	int result;
	struct timespec end; /* when it returned, if it is timed */
	uint32_t returned;
	uint32_t handled; /* how many signals its thread has handled */
};

static _Thread_local uint32_t *handled_here; /* of the call that this thread is in */

static inline void *
make_call(void *opaque)
{
	struct call *const call = opaque;
	const struct flavour *const flavour = call->flavour;

	handled_here = &call->handled;
	switch (call->verb) {
	case PUT:
	case PUT_AT_GATE:
		call->result = flavour->put(call->q, call->number);
		break;
	case PUT_UNTIL:
	case PUT_UNTIL_AT_GATE:
		call->result = flavour->put_until(call->q, call->number, &call->deadline);
		break;
	case GET:
		call->result = flavour->get(call->q, &call->number);
		break;
	case GET_UNTIL:
		call->result = flavour->get_until(call->q, &call->number, &call->deadline);
		break;
	case JOIN:
		call->result = flavour->join(call->q);
		break;
	default:
		call->result = flavour->join_until(call->q, &call->deadline);
	}
	call->end = sluice_deadline(0);
	handled_here = NULL;
	__atomic_store_n(&call->returned, 1, __ATOMIC_SEQ_CST);
	return NULL;
}

static inline bool
has_returned(const struct call *call)
{
	return __atomic_load_n(&call->returned, __ATOMIC_SEQ_CST) != 0;
}

enum {
	FIRST = 1, /* the item that is there before the call */
	SECOND = 2,
	THIRD = 3
};

/* A queue of capacity 1 in which this call has to wait. */
static inline void *
queue_to_wait_in(const struct flavour *flavour, enum verb verb)
{
	void *const q = queue_new(flavour, 1, &at_once);
	struct sluice_priv_queue *const priv = q;

	switch (verb) {
	case PUT:
	case PUT_UNTIL:
		cr_assert_eq(flavour->put(q, FIRST), 0);
		break;
	case PUT_AT_GATE:
	case PUT_UNTIL_AT_GATE:
		cr_assert(sluice_priv_ck_try_enter(&priv->engine.ck));
		break;
	case JOIN:
	case JOIN_UNTIL:
		cr_assert_eq(flavour->put(q, FIRST), 0);
		expect_get(flavour, q, FIRST);
		break;
	default:
		break;
	}
	return q;
}

/* Makes the condition true for which one such call waits. */
static inline void
let_one_return(const struct flavour *flavour, void *q, enum verb verb, uint64_t next)
{
	struct sluice_priv_queue *const priv = q;

	switch (verb) {
	case PUT:
	case PUT_UNTIL:
		expect_get(flavour, q, next);
		break;
	case PUT_AT_GATE:
	case PUT_UNTIL_AT_GATE:
		sluice_priv_ck_leave(&priv->engine.ck, false);
		break;
	case GET:
	case GET_UNTIL:
		cr_assert_eq(flavour->put(q, next), 0);
		break;
	default:
		cr_assert_eq(flavour->task_done(q), 0);
	}
}

#endif
