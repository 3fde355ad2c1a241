/* SPDX-License-Identifier: MIT */
/*
 * cell_ring.h: every item accepted is taken once and in order, and the answers full and empty are true.
 *
 * Steps as in cell_ring.h: the walks, fill, take, then the store of the hint (ring.inc).
 * "In order" is the order of the successful swaps, or of a lone side's stores; "true" is meant at the read
 * of the cell (A1), of what is visible then. The ring never holds more than its capacity, and a walk never
 * goes back.
 *
 * Abstraction. 1 or 2 producers make PUTS attempts each, 1 or 2 consumers GETS attempts each, all with
 * one item. Ticket START comes first, so that few items cross a lap. The lap of a capacity of 3 has
 * P = 4 tickets, of which the ring uses 3.
 *
 * Not modelled: batches, wide items, closing (close.pml), counts (join.pml).
 *
 * Without one of its defences (each is a macro) it fails:
 *   JUMP_A_LAP_TOO_FAR  behind_taken goes on from the lap of the state, not the one before
 *   JUMP_AS_IF_TAKEN    behind_filled goes on from the lap before, though the cell is full
 *   HINT_FIRST          the hint is stored before the cell is filled
 *   PLAIN_VALUE         with two producers: the value stored, then the state alone swapped
 *   VALUE_BEFORE_STATE  the get reads the value before the state
 *   CAPACITY_ONE_MORE   the lap ends an index too late
 *   CAPACITY_ONE_LESS   the lap ends an index too early
 *   STATE_BEFORE_VALUE  a lone producer stores the state, then the value
 *   FREED_FIRST         a lone consumer frees the cell before it has read the value
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
#define PUTS 2
#endif
#ifndef GETS
#define GETS 2
#endif
#define LATE_HINTS

#include "ring.inc"

proctype producer(byte id)
{
	byte t, v, result, k, s;

	do
	:: k < PUTS ->
		k++;
		t = SEEN(THE_PRODUCER, TAIL);
		fill(t, s, v, result, 1 + id * PUTS + k);
		if
		:: result == OK ->
#ifdef LONE_PRODUCER
			t = NEXT(t);
			store(PRODUCER, TAIL, t)
#else
			t = NEXT(t);
			store_hint(TAIL, late_tail[id], t)
#endif
		:: else
		fi;
		atomic { t = 0; s = 0; result = OK }
	:: else -> break
	od
}

proctype consumer(byte id)
{
	byte t, v, result, k, s;

	do
	:: k < GETS ->
		k++;
		t = SEEN(THE_CONSUMER, HEAD);
		take(t, s, v, result);
		if
		:: result == OK ->
#ifdef LONE_CONSUMER
#ifndef FREED_FIRST
			free_cell(t)
#else
			skip
#endif
#else
			t = NEXT(t);
			store_hint(HEAD, late_head[id], t)
#endif
		:: else
		fi;
		atomic { t = 0; s = 0; v = 0; result = OK }
	:: else -> break
	od
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
		skip
	}
}
