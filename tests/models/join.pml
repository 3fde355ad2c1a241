/* SPDX-License-Identifier: MIT */
/*
 * Joining: join returns only when every item put is done, and does not sleep on when that is so.
 *
 * Steps as in queue.h: task_done reads `done`, then the gets, swaps `done` up, F2, looks for waiters,
 * and wakes all if try_join says so; try_join reads `done`, then the puts, by walking from the tail
 * hint. "Every item is done" is meant at the last read of that walk. The joiner does W1 to W6 of park.h.
 * task_done is never refused to who has got an item, and `done` never exceeds the gets.
 *
 * Abstraction. Ring and event of ring.inc and event.inc. The producer makes PUTS attempts, a consumer
 * calls task_done for each item it got. The walk of try_join is one step. With CLOSE, a tombstone stands at the end once all has been
 * got, while the tail hint may still lie a lap behind.
 *
 * Not modelled: closing itself (close.pml), deadlines (park.pml), task_done without an item.
 *
 * Without one of its defences (each is a macro) it fails:
 *   DONE_LAST              try_join reads the puts, then `done`
 *   NO_LOOK                task_done does not look for waiters
 *   LOOK_FIRST             task_done looks for waiters before it swaps
 *   NO_WALK                the puts are taken from the hint
 *   TOMBSTONE_WITHOUT_LAP  a walk takes a tombstone of any lap for the end (with CLOSE)
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
#define SLEEPERS 1

#include "ring.inc"
#include "event.inc"

byte done;
bool put_all;

/* all: is everything done? */
inline try_join(t, s, result, d, all)
{
#ifndef DONE_LAST
	d = done;
#endif
	t = tail;
#ifndef NO_WALK
	atomic {
		seek_tail(t, s, result);
#ifndef DONE_LAST
		assert(d != COUNT(t) || done == filled)
#endif
	};
#endif
	atomic {
#ifdef DONE_LAST
		d = done;
		assert(d != COUNT(t) || done == filled);
#endif
		all = (d == COUNT(t));
#ifdef NO_WALK
		assert(!all || done == filled);
#endif
		t = 0;
		s = 0;
		d = 0;
		result = OK
	}
}

proctype producer(byte id)
{
	byte t, v, result, k;
	short s;

	do
	:: k < PUTS ->
		k++;
		t = tail;
		fill(t, s, v, result, k, tail);
		if
		:: result == OK -> store_hint(tail, late_tail[id], t)
		:: else
		fi;
		atomic { t = 0; s = 0; result = OK }
	:: else -> break
	od;
	put_all = true
}

proctype consumer(byte id)
{
	byte t, v, result, d, w, g, seen, left;
	short s;
	bool all;

	do
	::	t = head;
		take(t, s, v, result);
		if
		:: result == OK ->
			store_hint(head, late_head[id], t);
#ifdef LOOK_FIRST
			seen = waiters;
#endif
			do
			::	d = done;
				t = head;
				seek_head(t, s, result);
				assert(d != COUNT(t));
				atomic {
					t = 0;
					s = 0;
					result = OK;
					if
					:: done == d -> done++; assert(done <= taken); d = 0; break
					:: else -> d = 0
					fi
				}
			od;
#ifndef NO_LOOK
#ifndef LOOK_FIRST
			seen = waiters;
#endif
			if
			:: seen == 0
			:: else ->
				seen = 0;
				try_join(t, s, result, d, all);
				if
				:: all -> event_wake_all(w, g, seen, left)
				:: else
				fi;
				seen = 0;
				all = false
			fi
#endif
		:: result != OK && put_all -> break
		:: result != OK && !put_all
		fi;
		atomic { t = 0; result = OK }
	od
#ifdef CLOSE
	;
	/* Ends the ring if it is empty, as sluice_priv_cells_end does. */
	t = head;
	do
	::	seek_head(t, s, result);
		if
		:: result != NOT_NOW -> break
		:: else
		fi;
		atomic {
			if
			:: state[INDEX(t)] == s -> state[INDEX(t)] = s | TOMBSTONE; break
			:: else
			fi
		}
	od
#endif
}

proctype joiner()
{
	byte t, result, d, e, w, g;
	short s;
	bool all, timed_out;

	do
	::	e = epoch;                       /* W1 */
		waiters++;                       /* W2, F1 */
		try_join(t, s, result, d, all); /* W3 */
		if
		:: all
		:: else ->
			futex_wait(0, e, timed_out); /* W4 */
			e = 0;
			try_join(t, s, result, d, all) /* W5 */
		fi;
		event_leave(w, g); /* W6 */
		if
		:: all -> break
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
		run producer(0);
		run consumer(0);
#if CONSUMERS > 1
		run consumer(1);
#endif
		run joiner()
	};
	timeout; /* all that can move has moved */
	assert(!asleep[0] || done != filled)
}
