/* SPDX-License-Identifier: MIT */
/*
 * ck_engine.h - the same contract on Concurrency Kit's ck_ring.
 *
 * For whoever wants exactly ck_ring, with put and get that wait. The items move by ck's own spsc and
 * spmc operations (in their form for items of any size, which CK_RING_PROTOTYPE wraps; the macro
 * itself takes only struct tags and is not C++). Around them stands a gate, which a put holds while
 * it is inside:
 *
 * - CK_MPMC. Producers take turns at the gate. ck's own mpmc put makes producers wait for each other
 *   too, in ticket order and spinning, so that one preempted producer stops all the others for its
 *   time slice. At the gate whoever is ready goes first, and the others sleep when it takes long.
 * - CK_SPMC, CK_SPSC. The lone producer enters by an exchange that never waits.
 *
 * Capacity is exact: inside the gate there is one producer, and gets only make room, so comparing the
 * ring's two counters is a check without a race. The ring itself is the next power of two above.
 *
 * Gets are ck's spmc dequeue in all three flavours. With one consumer its compare-and-swap never
 * fails, is the fence that the get owes to sleeping producers (F2 of park.h), and lets close_discard
 * take items beside the consumer.
 *
 * Closing. A put looks at `closed` inside the gate. A get that finds closed (C1), passes a full fence
 * (C2), finds the gate free (C3) and after that the ring empty (C4) answers EPIPE: a put that left
 * before C3 is seen at C4; one that enters after C3 has done its exchange behind the fence and sees
 * closed. While the gate is held the answer is EAGAIN, and queue.h wakes every consumer when a put
 * leaves a closed queue. So close itself never waits. Producers that wait for their turn look at
 * `closed` as well, and close wakes them.
 *
 * Progress, but for waking sleepers. CK_SPMC, CK_SPSC: put wait-free, get lock-free. CK_MPMC: get
 * lock-free, put blocking (a producer suspended inside the gate stops the other producers, never the
 * consumers; it also delays the answer EPIPE). ck's counters have 32 bits: a consumer suspended inside
 * a get while exactly a multiple of 2^32 items pass takes a wrong item, and a producer suspended
 * inside a try_put while more than 2^31 items pass may answer EAGAIN for a queue that is not full.
 */
#ifndef SLUICE_CK_ENGINE_H
#define SLUICE_CK_ENGINE_H

#include <sluice/park.h>

struct sluice_priv_ck_engine {
	unsigned char *buffer;
	unsigned int capacity;
	char pad0[SLUICE_PRIV_LINE];
	struct ck_ring ring; /* keeps its own counters apart */
	char pad1[SLUICE_PRIV_LINE];
	uint32_t gate; /* 0 free, 1 held */
	uint64_t puts; /* how many items were ever put; never behind the ring's own counter */
	char pad2[SLUICE_PRIV_LINE];
	struct sluice_priv_event gate_free;
};

SLUICE_PRIV_INLINE int
sluice_priv_ck_init(struct sluice_priv_ck_engine *engine, size_t capacity, size_t item_size)
{
	unsigned int size = 1;

	/* ck_ring holds one item less than its size, and computes offsets in 32 bits. */
	while (size <= capacity)
		size *= 2;
	if (size > UINT32_MAX / item_size)
		return ENOMEM;
	engine->buffer = (unsigned char *)calloc(size, item_size);
	if (engine->buffer == NULL)
		return ENOMEM;
	engine->capacity = (unsigned int)capacity;
	ck_ring_init(&engine->ring, size);
	engine->gate = 0;
	engine->puts = 0;
	sluice_priv_event_init(&engine->gate_free);
	return 0;
}

SLUICE_PRIV_INLINE void
sluice_priv_ck_destroy(struct sluice_priv_ck_engine *engine)
{
	free(engine->buffer);
}

/*
 * Was the ring full? The producers' counter is read first: it only grows, so if it is a capacity ahead
 * of the consumers', the ring was full when that was read. It may also be behind, since gets may pass
 * what it was; hence the signed comparison, exact for capacities up to 2^30.
 */
SLUICE_PRIV_INLINE bool
sluice_priv_ck_full(const struct sluice_priv_ck_engine *engine)
{
	const unsigned int producer = ck_pr_load_uint(&engine->ring.p_tail);

	ck_pr_fence_load();
	return (int)(producer - ck_pr_load_uint(&engine->ring.c_head)) >= (int)engine->capacity;
}

/* Roughly, modulo 2^32: how much has come and gone meanwhile. */
SLUICE_PRIV_INLINE uint32_t
sluice_priv_ck_puts_about(const struct sluice_priv_ck_engine *engine)
{
	return ck_pr_load_uint(&engine->ring.p_tail);
}

SLUICE_PRIV_INLINE uint32_t
sluice_priv_ck_gets_about(const struct sluice_priv_ck_engine *engine)
{
	return ck_pr_load_uint(&engine->ring.c_head);
}

SLUICE_PRIV_INLINE bool
sluice_priv_ck_try_enter(struct sluice_priv_ck_engine *engine)
{
	return ck_pr_load_32(&engine->gate) == 0 && sluice_priv_cas_32_acq_rel(&engine->gate, 0, 1);
}

/* Returns 0 inside the gate, EPIPE, or EAGAIN while another holds it. */
SLUICE_PRIV_INLINE int
sluice_priv_ck_try_turn(struct sluice_priv_ck_engine *engine, const uint32_t *closed)
{
	if (ck_pr_load_32(closed) != 0)
		return EPIPE;
	return sluice_priv_ck_try_enter(engine) ? 0 : EAGAIN;
}

/* How often a put whose deadline has passed still looks for its turn, since room beats the deadline. */
#define SLUICE_PRIV_LATE_LOOKS 64

/*
 * Waits for its turn. Returns 0 inside the gate, EPIPE, or ETIMEDOUT. If it may sleep, it does so until
 * the deadline, or looks a few times more if that has passed already. If it may not, it looks and yields
 * until its turn comes.
 */
SLUICE_PRIV_COLD int
sluice_priv_ck_wait_turn(struct sluice_priv_ck_engine *engine, const uint32_t *closed,
			 const struct sluice_options *options, bool may_sleep,
			 const struct timespec *deadline)
{
	const bool late = deadline != NULL && sluice_priv_deadline_passed(deadline);
	const bool sleeps = may_sleep && !late;
	struct sluice_priv_wait wait = sluice_priv_wait_begin(sleeps ? &engine->gate_free : NULL,
							      options, sleeps ? deadline : NULL);
	int result = EAGAIN;
	int looks = 0;

	while (result == EAGAIN && !(late && looks++ == SLUICE_PRIV_LATE_LOOKS) &&
	       sluice_priv_wait_step(&wait))
		result = sluice_priv_ck_try_turn(engine, closed);
	sluice_priv_wait_end(&wait);
	return result == EAGAIN ? ETIMEDOUT : result;
}

/* Returns 0 inside the gate, EPIPE, or ETIMEDOUT when the deadline passed before its turn came. */
SLUICE_PRIV_INLINE int
sluice_priv_ck_enter(struct sluice_priv_ck_engine *engine, bool lone_producer,
		     const uint32_t *closed, const struct sluice_options *options, bool may_sleep,
		     const struct timespec *deadline)
{
	int result = 0;

	if (lone_producer)
		(void)sluice_priv_exchange_32_acq_rel(&engine->gate, 1);
	else if (SLUICE_PRIV_UNLIKELY(!sluice_priv_ck_try_enter(engine)))
		result = sluice_priv_ck_wait_turn(engine, closed, options, may_sleep, deadline);
	sluice_priv_fence_full_after_atomic(); /* G1: gate before closed; pairs with C2 */
	return result;
}

/* F2 for whatever was put inside the gate, too. */
SLUICE_PRIV_INLINE void
sluice_priv_ck_leave(struct sluice_priv_ck_engine *engine, bool lone_producer)
{
	(void)sluice_priv_exchange_32_acq_rel(&engine->gate, 0);
	sluice_priv_fence_full_after_atomic();
	if (!lone_producer)
		sluice_priv_event_wake(&engine->gate_free, 1);
}

/*
 * Appends up to n items; *moved is how many. Returns 0 when all went in, else EAGAIN (full), EPIPE
 * (closed) or ETIMEDOUT (its turn at the gate did not come before the deadline).
 */
SLUICE_PRIV_INLINE int
sluice_priv_ck_put(struct sluice_priv_ck_engine *engine, bool lone_producer, const uint32_t *closed,
		   const unsigned char *items, size_t n, size_t item_size, size_t *moved,
		   const struct sluice_options *options, bool may_sleep,
		   const struct timespec *deadline)
{
	int result = 0;
	size_t i = 0;

	*moved = 0;
	if (sluice_priv_ck_full(engine))
		return EAGAIN;
	result = sluice_priv_ck_enter(engine, lone_producer, closed, options, may_sleep, deadline);
	if (SLUICE_PRIV_UNLIKELY(result != 0))
		return result;
	if (SLUICE_PRIV_UNLIKELY(ck_pr_load_32(closed) != 0)) {
		result = EPIPE;
	} else {
		for (; i < n; i++) {
			if (SLUICE_PRIV_UNLIKELY(sluice_priv_ck_full(engine))) {
				/* Items of this call, that nobody else may see yet, do not make it full. */
				ck_pr_fence_memory();
				if (sluice_priv_ck_full(engine)) {
					result = EAGAIN;
					break;
				}
			}
			/* Counted first: an item must not be done before it counts as put. */
			ck_pr_store_64(&engine->puts, engine->puts + 1);
			(void)_ck_ring_enqueue_sp(&engine->ring, engine->buffer,
						  items + i * item_size, (unsigned int)item_size,
						  NULL);
		}
	}
	sluice_priv_ck_leave(engine, lone_producer);
	*moved = i;
	return result;
}

/*
 * Takes up to n items. Returns how many; fewer than n if the ring was found empty. Has passed F2 if there
 * were any.
 * scratch: item_size bytes, since ck copies an item before it knows that it may have it.
 */
SLUICE_PRIV_INLINE size_t
sluice_priv_ck_get(struct sluice_priv_ck_engine *engine, unsigned char *items, size_t n,
		   size_t item_size, unsigned char *scratch)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (!_ck_ring_dequeue_mc(&engine->ring, engine->buffer, scratch,
					 (unsigned int)item_size))
			break;
		ck_pr_fence_acquire();
		memcpy(items + i * item_size, scratch, item_size);
	}
	sluice_priv_fence_full_after_atomic(); /* F2 */
	return i;
}

/*
 * After C1. Returns EPIPE when nothing can come any more, EAGAIN while a put is inside the gate, 0 when
 * there is an item after all. See "Closing" above.
 */
SLUICE_PRIV_INLINE int
sluice_priv_ck_end(const struct sluice_priv_ck_engine *engine)
{
	unsigned int consumer;

	ck_pr_fence_memory();                                /* C2: pairs with G1 */
	if (sluice_priv_load_32_acquire(&engine->gate) != 0) /* C3 */
		return EAGAIN;
	consumer = ck_pr_load_uint(&engine->ring.c_head); /* C4 */
	ck_pr_fence_load();
	return consumer == ck_pr_load_uint(&engine->ring.p_tail) ? EPIPE : 0;
}

/* How many items were ever put. At least what was true when the call began. */
SLUICE_PRIV_INLINE uint64_t
sluice_priv_ck_puts(const struct sluice_priv_ck_engine *engine)
{
	return sluice_priv_load_64_acquire(&engine->puts);
}

/*
 * How many items were ever got, likewise: ck's counter has 32 bits, the high ones come from the
 * count of puts, which is read after it and is ahead by less than 2^32.
 */
SLUICE_PRIV_INLINE uint64_t
sluice_priv_ck_gets(const struct sluice_priv_ck_engine *engine)
{
	const uint32_t consumer = ck_pr_load_uint(&engine->ring.c_head);
	uint64_t puts;

	ck_pr_fence_load();
	puts = ck_pr_load_64(&engine->puts);
	return puts - (uint32_t)((uint32_t)puts - consumer);
}

#endif /* SLUICE_CK_ENGINE_H */
