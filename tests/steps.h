/* SPDX-License-Identifier: MIT */
/*
 * steps.h - a call that is interrupted at one of its steps, where another makes a call of its own, whole.
 *
 *	interruption = do_something;        it gets interruption_argument
 *	steps_to_interruption = n;
 *	call();                             do_something() happens at its n-th step
 *	happened = steps_to_interruption == 0;
 *
 * A step is where the headers have a fence, be it a compiler's, or have stored a word; so there is one
 * between any two accesses that threads race for. One thread does all of it. Before anything that includes the headers.
 * (schedule.h goes through all orders of short programs.)
 */
#ifndef STEPS_H
#define STEPS_H

#include <ck_pr.h>

static void (*interruption)(void *argument);
static void *interruption_argument;
static int steps_to_interruption; /* 0: none, or it has happened */

static inline void
step(void)
{
	if (steps_to_interruption > 0 && --steps_to_interruption == 0)
		interruption(interruption_argument);
}

static inline void
store_64(uint64_t *to, uint64_t value)
{
	ck_pr_store_64(to, value);
	step();
}

#undef ck_pr_store_64
#undef ck_pr_barrier
#undef ck_pr_fence_acquire
#undef ck_pr_fence_release
#undef ck_pr_fence_memory
#undef ck_pr_fence_atomic_load
#define ck_pr_store_64(to, value) store_64(to, value)
#define ck_pr_barrier()           step()
#define ck_pr_fence_acquire()     step()
#define ck_pr_fence_release()     step()
#define ck_pr_fence_memory()      step()
#define ck_pr_fence_atomic_load() step()

#endif
