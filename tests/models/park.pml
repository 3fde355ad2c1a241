/* SPDX-License-Identifier: MIT */
/*
 * park.h: no waiter sleeps while its condition holds and nobody is on the way to wake a waiter.
 *
 * Steps as in park.h: a waiter does W1 W2 F1 W3 W4 W5 W6, a waker F2 S1 S2 S3. With LONE, F2 is light, which
 * is no step, and F1 is heavy.
 *
 * Abstraction. The structure is a number of items and the flag `closed`; an attempt takes an item,
 * learns that the queue is closed, or fails, in one step. Each waker puts its items once, by a plain
 * store that stays in its store buffer until it is flushed; F2 waits for that. Which sleepers a wake takes is open.
 * With PASSER_BY, somebody may take an item without waiting; with CLOSER, the queue may be closed; with
 * DEADLINES, waits may end spuriously or by time-out. With FREEZE, waker 0 may be suspended for good between S1 and S3: then as many waiters as it has
 * signalled may sleep on, and none once close has returned.
 *
 * Not modelled: the looking before W1 (each look is a passer-by's), the epoch's coming round, a waiter
 * that comes again for a second item.
 *
 * Without one of its defences (each is a macro) it fails:
 *   EPOCH_LATE                 W1 after W2
 *   NO_ATTEMPT                 no W3
 *   NO_F1                      W2 still in a store buffer at W3
 *   NO_F2                      the items still in a store buffer at S1
 *   NO_HEAVY                   F1 is not heavy (with LONE)
 *   GIVES_UP_WOKEN             whoever returns late from W4 leaves without W5, though it was woken
 *   SIGNAL_KEPT                W6 leaves the signal
 *   WAKE_ONE                   S1 with 1 where n were published
 *   NO_S2                      the epoch is not advanced
 *   NO_S3                      nobody is woken
 *   WAKE_ALL_LEAVES_EPOCH      the same for close
 *   WAKE_ALL_ONLY_UNSIGNALLED  close trusts that a signal will be followed by its wake (with FREEZE)
 *   TIMED_OUT_BLIND            a time-out leaves without W5; nobody sleeps on for that, but the wait gives
 *                              up beside an item (room and items beat the deadline)
 */
#ifndef WAITERS
#define WAITERS 2
#endif
#ifndef WAKERS
#define WAKERS 2
#endif
#ifndef ITEMS /* of waker 0; the others put 1 */
#define ITEMS 1
#endif

#define SLEEPERS WAITERS
#include "event.inc"

byte items;
bool closed;
bool close_returned;
byte late[WAKERS];     /* store buffers of the wakers */
bool unseen[WAITERS];  /* announcements not yet visible: only without F1 */
byte held;             /* signals of a waker that was suspended for good */

active proctype memory()
{
end:	do
	:: atomic { late[0] > 0 -> items = items + late[0]; late[0] = 0 }
#if WAKERS > 1
	:: atomic { late[1] > 0 -> items = items + late[1]; late[1] = 0 }
#endif
#if WAKERS > 2
	:: atomic { late[2] > 0 -> items = items + late[2]; late[2] = 0 }
#endif
#ifdef NO_F1
	:: atomic { unseen[0] -> waiters++; unseen[0] = false }
#if WAITERS > 1
	:: atomic { unseen[1] -> waiters++; unseen[1] = false }
#endif
#endif
	od
}

/* A heavy fence. */
inline flush_all()
{
	atomic {
		items = items + late[0];
		late[0] = 0;
#if WAKERS > 1
		items = items + late[1];
		late[1] = 0;
#endif
#if WAKERS > 2
		items = items + late[2];
		late[2] = 0;
#endif
		skip
	}
}

inline attempt(finished)
{
	atomic {
		if
		:: items > 0 -> items--; finished = true
		:: items == 0 && closed -> finished = true
		:: else
		fi
	}
}

proctype waiter(byte id)
{
	byte e, w, s;
	bool finished, timed_out;

	do
	:: 
#ifndef EPOCH_LATE
		e = epoch; /* W1 */
#endif
#ifdef NO_F1
		unseen[id] = true;
#else
		waiters++; /* W2, F1 */
#endif
#ifdef EPOCH_LATE
		e = epoch;
#endif
#if defined(LONE) && !defined(NO_HEAVY)
		flush_all(); /* F1 again */
#endif
#ifndef NO_ATTEMPT
		attempt(finished); /* W3 */
#endif
		!unseen[id]; /* the system call and W6 empty the store buffer */
		if
		:: finished
		:: else ->
			futex_wait(id, e, timed_out); /* W4 */
			e = 0;
			if
#ifdef GIVES_UP_WOKEN
			:: !calm -> timed_out = true
#endif
#ifdef TIMED_OUT_BLIND
			:: timed_out -> assert(items == 0)
			:: !timed_out -> attempt(finished)
#else
			:: attempt(finished) /* W5 */
#endif
			fi
		fi;
		event_leave(w, s); /* W6 */
		if
		:: finished || timed_out -> break
		:: else
		fi
	od
}

proctype waker(byte id; byte n)
{
	byte w, s, taken, left;

	late[id] = n; /* publish */
#if !defined(NO_F2) && !defined(LONE)
	late[id] == 0; /* F2 */
#endif
	if
	:: waiters == 0 -> goto done
	:: waiters != 0
	fi;
#ifdef WAKE_ONE
	n = 1;
#endif
	event_signal(n, w, s, taken, late[id] == 0); /* S1 */
	if
	:: taken == 0
	:: else ->
#ifdef FREEZE
		if
		:: true
		:: id == 0 -> held = taken; goto done
		fi;
#endif
#ifndef NO_S2
		epoch++; /* S2 */
#endif
#ifdef FREEZE
		if
		:: true
		:: id == 0 -> held = taken; goto done
		fi;
#endif
#ifndef NO_S3
		futex_wake(taken, left) /* S3 */
#endif
	fi;
done:	skip
}

#ifdef PASSER_BY
proctype passer_by()
{
	bool finished;

	if
	:: attempt(finished)
	:: true
	fi
}

#endif
#ifdef CLOSER
proctype closer()
{
	byte w, s, taken, left;

	if
	:: true ->
		closed = true; /* an exchange, and F2 */
		event_wake_all(w, s, taken, left);
		close_returned = true
	:: true
	fi
}
#endif

init {
	atomic {
		run waiter(0);
#if WAITERS > 1
		run waiter(1);
#endif
#if WAITERS > 2
		run waiter(2);
#endif
		run waker(0, ITEMS);
#if WAKERS > 1
		run waker(1, 1);
#endif
#if WAKERS > 2
		run waker(2, 1);
#endif
#ifdef PASSER_BY
		run passer_by();
#endif
#ifdef CLOSER
		run closer();
#endif
		skip
	};
	timeout; /* all that can move has moved */
	assert(signals <= waiters && waiters == SLEEPING);
	assert(items == 0 || SLEEPING <= held);
	assert(!close_returned || SLEEPING == 0)
}
