/* SPDX-License-Identifier: MIT */
/*
 * Closing: after a get has answered EPIPE nothing is accepted, and everything accepted was got before.
 *
 * Steps as in queue.h and cell_ring.h: a put looks at `closed`, then does fill; a get does take, finds
 * the ring empty, looks at `closed` (C1), and swaps the tombstone in (sluice_priv_cells_end), or begins
 * again if that finds an item. Besides: a put that begins after close returned answers EPIPE.
 *
 * Abstraction. The ring of ring.inc. Producers make PUTS attempts each; consumers go on until EPIPE;
 * close comes at any time.
 *
 * Not modelled: waiting (park.pml), wide items, the gate of the CK flavours.
 *
 * Without one of its defences (each is a macro) it fails:
 *   NO_TOMBSTONE      the get answers EPIPE for an empty, closed ring at once
 *   TOMBSTONE_STORED  the tombstone is stored, not swapped in
 *   LONE_STORE        a lone producer stores the state, instead of swapping it
 *   NO_FLAG           a put does not look at `closed`
 *   CLOSED_FIRST      the get looks at `closed` before the take, and trusts both, without a tombstone
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

bool closed;
bool drained; /* ghost: some get has answered EPIPE */

proctype producer(byte id)
{
	byte t, v, result, k;
	short s;
	bool late;

	do
	:: k < PUTS ->
		k++;
		atomic {
			late = closed; /* close is one step, so it has returned */
#ifndef NO_FLAG
			if
			:: closed -> break
			:: else
			fi
#endif
		};
		t = tail;
		fill(t, s, v, result, 1 + id * PUTS + k, tail);
		assert(result != OK || !late);
		if
		:: result == OK -> store_hint(tail, late_tail[id], t)
		:: else
		fi;
		atomic { t = 0; s = 0; result = OK }
	:: else -> break
	od
}

proctype consumer(byte id)
{
	byte t, v, result;
	short s;
	bool saw;

	do
	::
#ifdef CLOSED_FIRST
		saw = closed;
#endif
		t = head;
		take(t, s, v, result);
		if
		:: result == OK ->
			store_hint(head, late_head[id], t)
		:: else ->
#ifndef CLOSED_FIRST
			saw = closed; /* C1 */
#endif
			if
			:: !saw -> skip /* EAGAIN */
			:: else ->
#if defined(NO_TOMBSTONE) || defined(CLOSED_FIRST)
				result = ENDED;
#else
				t = head;
				do
				::	seek_head(t, s, result);
					if
					:: result != NOT_NOW -> break
					:: else
					fi;
					atomic {
						if
#ifdef TOMBSTONE_STORED
						:: true ->
#else
						:: state[INDEX(t)] == s ->
#endif
							state[INDEX(t)] = FREE_STATE(t) | TOMBSTONE;
							result = ENDED;
							break
						:: else
						fi
					}
				od;
#endif
				atomic {
					s = 0;
					if
					:: result == ENDED ->
						assert(filled == taken);
						drained = true;
						break
					:: else
					fi
				}
			fi
		fi;
		atomic { t = 0; result = OK; saw = false }
	od
}

proctype closer()
{
	closed = true
}

/* Nothing is accepted behind the back of whoever was told that the queue is drained. */
active proctype judge()
{
end:	atomic { drained && filled != taken -> assert(false) }
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
	}
}
