/* SPDX-License-Identifier: MIT */
/*
 * Closing and discarding: every item accepted is got once or counted as dropped once, no other is got, and
 * after a get has answered EPIPE none gets an item.
 *
 * Steps as in queue.h and cell_ring.h. A put looks at `closed`, fills, passes F2, looks again, and if the
 * queue is closed has the end decided (E1 to E3). A get takes, passes F2, looks at `closed`, and if it is
 * has the rest decided (D2 to D4); if it found nothing, or nothing of its own, it answers EPIPE when the
 * queue is closed and the first ticket not yet taken is not below the rest. With DISCARD there is a
 * close_discard (D1), else a close. Besides: a put that begins after close returned is refused.
 *
 * Abstraction. The ring of ring.inc, with lone sides or without. Producers make PUTS attempts each;
 * consumers go on until EPIPE; close comes at any time.
 *
 * Not modelled: waiting (park.pml), wide items, the gate of the CK flavours.
 *
 * Without one of its defences (each is a macro) it fails:
 *   NO_HEAVY_FENCE      with a lone side: E1 and D2 are full fences of the thread that decides only
 *   NO_LIGHT_FENCE      with SYMMETRIC: F2 of a lone side is no full fence
 *   END_STORED          the end is stored by whoever found none, not swapped in
 *   NO_WALK_TO_THE_END  the end is decided at the hint
 *   REST_STORED         the rest likewise (with DISCARD, like all below but the last five)
 *   NOT_MARKED          D1 and D4 are one swap: nobody can see that a discard has begun
 *   CLAIMED_LATE        a lone consumer stores `head` when it knows that the item is its own
 *   LOOKS_ONCE          a put does not look at `closed` again
 *   TAKES_ALL           a get does not ask whether what it took is its own
 *   NO_FLAG             a put does not look at `closed` before it begins
 *   DRAINED_WHEN_EMPTY  a get answers EPIPE for an empty, closed ring without an end
 *   CLOSED_FIRST        likewise, and looks at `closed` before the ring
 */
#ifndef CAPACITY
#define CAPACITY 2
#endif
#if CAPACITY == 3
#define MASK 3
#else
#define MASK (CAPACITY - 1)
#endif
#ifndef START
#define START (2 * MASK + 1)
#endif
#ifndef PRODUCERS
#define PRODUCERS 2
#endif
#ifndef CONSUMERS
#define CONSUMERS 2
#endif
#ifndef PUTS
#define PUTS 1
#endif

#include "ring.inc"

/* Ghosts: what the calls have answered. */
byte accepted;
byte delivered;
byte dropped;
bool drained;

proctype producer(byte id)
{
	byte t, v, result, k, s, e, w;
	bool after_close, refused;

	do
	:: k < PUTS ->
		k++;
		atomic {
			after_close = closed; /* close is one step, so it has returned */
#ifndef NO_FLAG
			if
			:: closed -> break
			:: else
			fi
#endif
		};
		t = SEEN(THE_PRODUCER, TAIL);
		fill(t, s, v, result, 1 + id * PUTS + k);
		if
		:: result == OK ->
			fence_light(THE_PRODUCER); /* F2 */
#ifndef LOOKS_ONCE
			if
			:: closed ->
				decide_end(THE_PRODUCER, e, w, s, result);
				atomic { refused = (t >= e); e = 0 }
			:: !closed
			fi;
#endif
			if
			:: refused -> break
			:: else ->
				atomic { accepted++; assert(!after_close); t = NEXT(t) };
#ifdef LONE_PRODUCER
				store(PRODUCER, TAIL, t)
#else
				store_hint(TAIL, v, t)
#endif
			fi
		:: else
		fi;
		atomic { t = 0; s = 0; v = 0; result = OK }
	:: else -> break
	od
}

proctype consumer(byte id)
{
	byte t, v, result, s, e, r, w;
	bool saw, after_drained, own;

	do
	::	after_drained = drained;
#ifdef CLOSED_FIRST
		saw = closed;
#endif
		t = SEEN(THE_CONSUMER, HEAD);
		take(t, s, v, result);
		own = false;
		if
		:: result == OK ->
			fence_light(THE_CONSUMER); /* F2 */
			own = true;
#ifndef TAKES_ALL
			if
			:: closed ->
				decide_rest(THE_CONSUMER, e, r, w, s, result);
				atomic { own = (t < e); e = 0 }
			:: !closed
			fi
#endif
		:: else
		fi;
		if
		:: own ->
			atomic { delivered++; assert(!after_drained) };
#ifdef LONE_CONSUMER
#ifdef CLAIMED_LATE
			w = NEXT(t);
			store(CONSUMER, HEAD, w);
			w = 0;
#endif
			free_cell(t)
#else
			t = NEXT(t);
			store_hint(HEAD, v, t)
#endif
		:: else ->
#ifndef CLOSED_FIRST
			saw = closed; /* C1 */
#endif
			if
			:: !saw -> skip /* EAGAIN */
			:: else ->
#if defined(DRAINED_WHEN_EMPTY) || defined(CLOSED_FIRST)
				drained = true;
				break
#else
				decide_rest(THE_CONSUMER, e, r, w, s, result);
				w = SEEN(THE_CONSUMER, HEAD);
				walk_head(THE_CONSUMER, w, s, result);
				if
				:: w >= e -> drained = true; break
				:: else
				fi
#endif
			fi
		fi;
		atomic { t = 0; s = 0; v = 0; e = 0; w = 0; result = OK; saw = false }
	od
}

proctype closer()
{
#ifdef DISCARD
	byte e, l, r, w, s, result;

	closed = true;
	decide_end(NOBODY, l, w, s, result);
#ifdef NOT_MARKED
	w = SEEN(NOBODY, HEAD);
	walk_head(NOBODY, w, s, result);
	atomic {
		e = (w < l -> w : l);
		the_rest = e + 2
	};
	dropped = COUNT(l) - COUNT(e)
#else
	the_rest = 1; /* D1: the only close_discard there is */
	decide_rest(NOBODY, e, r, w, s, result);
	dropped = COUNT(l) - COUNT(e)
#endif
#else
	closed = true
#endif
}

init {
	byte i;

	atomic {
		begin(i);
		i = 0;
		run producer(0);
#if PRODUCERS > 1
		run producer(1);
#endif
		run consumer(0);
#if CONSUMERS > 1
		run consumer(1);
#endif
		run closer()
	};
	timeout; /* all that can move has moved */
	assert(accepted == delivered + dropped)
}
