/* SPDX-License-Identifier: MIT */
/*
 * Joining: join returns only when every item put is done, and does not sleep on when that is so.
 *
 * Steps as in queue.h: task_done reads `done`, then the gets, swaps `done` up, F2, looks for waiters,
 * and wakes all if try_join says so; try_join reads `done`, then the puts, by walking from the tail
 * hint. With CLOSE, either looks afterwards whether the queue is closed, and if so has end and rest decided
 * and cuts its count off there. "Every item is done" is meant at the last read of the walk, or at the cut.
 * The joiner does W1 to W6 of park.h. task_done is never refused to who has got an item, is refused to who
 * has not, and `done` never exceeds the gets.
 *
 * Abstraction. Ring and event of ring.inc and event.inc. The producer makes PUTS attempts, a consumer
 * calls task_done for each item it got. The walk of a count is one step. With CLOSE, the queue is closed at
 * any time, and the closer has the end decided, as a get would that finds the queue empty; with DISCARD it
 * drops what is queued, and wakes the joiner if that was all. With OVERCALLED somebody calls task_done who
 * got nothing, and nobody joins.
 *
 * Not modelled: deadlines (park.pml), lone sides (close.pml).
 *
 * Without one of its defences (each is a macro) it fails:
 *   DONE_LAST           try_join reads the puts, then `done`
 *   NO_LOOK             task_done does not look for waiters
 *   LOOK_FIRST          task_done looks for waiters before it swaps
 *   NO_WALK             the puts are taken from the hint
 *   COUNTS_REFUSED      try_join does not cut the puts off (with CLOSE)
 *   TRUSTS_THE_GETS     task_done does not cut the gets off (with CLOSE, OVERCALLED)
 *   CUT_FIRST           task_done counts the gets when end and rest are decided (with DISCARD, OVERCALLED)
 *   DISCARDS_SILENTLY   a close_discard does not look for waiters (with DISCARD)
 */
#ifndef CAPACITY
#define CAPACITY 1
#endif
#if CAPACITY == 3
#define MASK 3
#else
#define MASK (CAPACITY - 1)
#endif
#ifndef START
#define START (MASK + 1)
#endif
#ifndef CONSUMERS
#define CONSUMERS 2
#endif
#ifndef PUTS
#define PUTS 2
#endif
#ifdef DISCARD
#define CLOSE
#endif
#define SLEEPERS 1

#include "ring.inc"
#include "event.inc"

byte done;
bool put_all;

byte accepted; /* ghost: by puts that have returned */

/* What counts in the end, as far as it is decided. */
#define LIMIT                                                                                      \
	(the_rest > 1 -> COUNT(the_rest - 2) : (the_end != 0 -> COUNT(the_end - 1) : 255))
#define DROPPED (the_rest > 1 -> COUNT(the_end - 1) - COUNT(the_rest - 2) : 0)
#define ALL_DONE (done == (filled < LIMIT -> filled : LIMIT))

/* n: a count, cut off. */
inline cut(t, s, result, n, e, r)
{
#ifdef CLOSE
	if
	:: closed ->
		decide_rest(NOBODY, e, r, t, s, result);
		atomic {
			n = (n < COUNT(e) -> n : COUNT(e));
			e = 0
		}
	:: !closed
	fi
#else
	skip
#endif
}

/* all: is everything done? */
inline try_join(t, s, result, d, n, e, r, all)
{
#ifndef DONE_LAST
	d = done;
#endif
	t = memory[TAIL];
	atomic {
#ifndef NO_WALK
		walk_tail(NOBODY, t, s, result);
#endif
		n = COUNT(t);
		all = ALL_DONE;
		t = 0;
		s = 0;
		result = OK
	};
#ifndef COUNTS_REFUSED
	cut(t, s, result, n, e, r);
#endif
	atomic {
#ifdef DONE_LAST
		d = done;
		all = false;
#endif
		assert(d != n || all || ALL_DONE);
		all = (d == n);
		n = 0;
		d = 0
	}
}

inline wake_joins(t, s, result, d, n, e, r, w, sg, seen, left, all)
{
#ifndef LOOK_FIRST
	seen = waiters;
#endif
	if
	:: seen == 0
	:: else ->
		seen = 0;
		try_join(t, s, result, d, n, e, r, all);
		if
		:: all -> event_wake_all(w, sg, seen, left)
		:: else
		fi;
		atomic { seen = 0; all = false }
	fi
}

/* counted: has it been? */
inline task_done(t, s, result, d, n, e, r, counted, w, sg, seen, left, all)
{
	counted = false;
#ifdef LOOK_FIRST
	seen = waiters;
#endif
	do
	::	d = done;
#ifdef CUT_FIRST
		n = 255;
		cut(t, s, result, n, e, r);
		t = memory[HEAD];
		atomic {
			walk_head(NOBODY, t, s, result);
			n = (COUNT(t) < LIMIT -> COUNT(t) : LIMIT);
			t = 0;
			s = 0;
			result = OK
		};
#else
		t = memory[HEAD];
		atomic {
			walk_head(NOBODY, t, s, result);
			n = COUNT(t);
			t = 0;
			s = 0;
			result = OK
		};
#ifndef TRUSTS_THE_GETS
		cut(t, s, result, n, e, r);
#endif
#endif
		atomic {
			if
			:: d == n -> d = 0; n = 0; break
			:: d != n && done == d -> done++; counted = true; d = 0; n = 0; break
			:: else -> d = 0; n = 0
			fi
		}
	od;
#ifndef NO_LOOK
	if
	:: !counted
	:: else -> wake_joins(t, s, result, d, n, e, r, w, sg, seen, left, all)
	fi
#else
	skip
#endif
}

proctype producer()
{
	byte t, v, result, k, s, e, w;
	bool refused;

	do
	:: k < PUTS && !closed ->
		k++;
		t = memory[TAIL];
		fill(t, s, v, result, k);
		if
		:: result == OK ->
			if
			:: closed ->
				decide_end(NOBODY, e, w, s, result);
				atomic { refused = (t >= e); e = 0 }
			:: !closed
			fi;
			if
			:: refused -> break
			:: else ->
				atomic { accepted++; t = NEXT(t) };
				store_hint(TAIL, v, t)
			fi
		:: else
		fi;
		atomic { t = 0; s = 0; v = 0; result = OK }
	:: else -> break
	od;
	put_all = true
}

proctype consumer()
{
	byte t, v, result, d, w, g, sg, seen, left, s, e, r;
	bool all, mine, counted, last;

	do
	::	last = put_all;
		t = memory[HEAD];
		take(t, s, v, result);
		mine = (result == OK);
#ifdef CLOSE
		if
		:: mine && closed ->
			decide_rest(NOBODY, e, r, w, s, result);
			atomic { mine = (t < e); e = 0; result = OK }
		:: else
		fi;
#endif
		if
		:: mine ->
			t = NEXT(t);
			store_hint(HEAD, v, t);
			atomic { t = 0; v = 0 };
			task_done(t, s, result, d, g, e, r, counted, w, sg, seen, left, all);
#ifndef OVERCALLED
			assert(counted);
#endif
			atomic { counted = false; mine = false }
		:: result != OK && last -> break
		:: result != OK && !last
		:: result == OK && !mine
		fi;
		atomic { t = 0; v = 0; s = 0; result = OK }
	od
}

#ifdef CLOSE
proctype closer()
{
	byte t, result, d, w, n, sg, seen, left, s, e, r;
	bool all;

	closed = true;
	decide_end(NOBODY, e, w, s, result);
	e = 0;
#ifdef DISCARD
	the_rest = 1; /* D1: the only close_discard there is */
	decide_rest(NOBODY, e, r, w, s, result);
	e = 0;
#ifndef DISCARDS_SILENTLY
	wake_joins(t, s, result, d, n, e, r, w, sg, seen, left, all)
#endif
#endif
}
#endif

#ifdef OVERCALLED
proctype overcaller()
{
	byte t, result, d, w, n, sg, seen, left, s, e, r;
	bool all, counted;

	task_done(t, s, result, d, n, e, r, counted, w, sg, seen, left, all);
	counted = false
}
#endif

proctype joiner()
{
	byte t, result, d, n, ep, w, g, s, e, r, before;
	bool all, timed_out;

	before = accepted;
	do
	::	ep = epoch;                             /* W1 */
		waiters++;                              /* W2, F1 */
		try_join(t, s, result, d, n, e, r, all); /* W3 */
		if
		:: all
		:: else ->
			futex_wait(0, ep, timed_out); /* W4 */
			ep = 0;
			try_join(t, s, result, d, n, e, r, all) /* W5 */
		fi;
		event_leave(w, g); /* W6 */
		if
		:: all -> assert(done >= COUNT(START) + before || done == LIMIT); break
		:: else
		fi
	od
}

init {
	byte i;

	atomic {
		begin(i);
		i = 0;
		done = taken;
		run producer();
#if CONSUMERS > 0
		run consumer();
#endif
#if CONSUMERS > 1
		run consumer();
#endif
#ifdef CLOSE
		run closer();
#endif
#ifdef OVERCALLED
		run overcaller();
#endif
#ifndef OVERCALLED
		run joiner();
#endif
		skip
	};
	timeout; /* all that can move has moved */
	assert(done == COUNT(START) + accepted - DROPPED && !asleep[0])
}
