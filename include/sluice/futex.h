/* SPDX-License-Identifier: MIT */
/*
 * futex.h - the system calls: sleep, wake, yield, the clock, the heavy fence. No policy.
 *
 * Sources: futex(2), clock_gettime(2), sched_yield(2), membarrier(2).
 *
 * What a sleep reports is a hint and no more: it may end because of a wake, a signal handler, a
 * changed word, or for no reason. The caller looks at its own condition. The one thing that it has
 * to be told is that the deadline has passed.
 *
 * The C library hides syscall() and clock_gettime() from a strict -std=c11 program, and Sluice
 * defines no feature-test macro on its user's behalf. Both are therefore declared here under names
 * of our own that stand for the same symbols. Neither is a cancellation point. errno is left as it
 * was found: the library's results are return values.
 */
#ifndef SLUICE_FUTEX_H
#define SLUICE_FUTEX_H

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <sched.h>
#include <sys/syscall.h>
#include <time.h>

#include <sluice/platform.h>

SLUICE_PRIV_EXTERN long sluice_priv_syscall(long number, ...) __asm__("syscall");
SLUICE_PRIV_EXTERN int sluice_priv_clock_gettime(int clock,
						 struct timespec *now) __asm__("clock_gettime");

#define SLUICE_PRIV_CLOCK_MONOTONIC 1 /* a number of the kernel's ABI: clock_gettime(2) */

SLUICE_PRIV_STATIC_ASSERT(sizeof(((struct timespec *)0)->tv_sec) == 8 && sizeof(long) == 8,
			  "the kernel reads deadlines as two 64-bit words");

SLUICE_PRIV_INLINE struct timespec
sluice_priv_now(void)
{
	struct timespec now;

	(void)sluice_priv_clock_gettime(SLUICE_PRIV_CLOCK_MONOTONIC, &now);
	return now;
}

/* A deadline that futex(2) and the contract accept. Negative seconds are lawful: long ago. */
SLUICE_PRIV_INLINE bool
sluice_priv_deadline_valid(const struct timespec *deadline)
{
	return deadline != NULL && deadline->tv_nsec >= 0 && deadline->tv_nsec <= 999999999;
}

SLUICE_PRIV_INLINE bool
sluice_priv_deadline_passed(const struct timespec *deadline)
{
	const struct timespec now = sluice_priv_now();

	if (now.tv_sec != deadline->tv_sec)
		return now.tv_sec > deadline->tv_sec;
	return now.tv_nsec >= deadline->tv_nsec;
}

/*
 * Sleeps while *word is `expected`, until woken or until the deadline (absolute CLOCK_MONOTONIC,
 * valid; NULL: for ever). Returns true only if the deadline has passed.
 *
 * What the kernel answers, and why false covers all but one:
 *   0          woken, perhaps spuriously
 *   EAGAIN     *word had changed already: there is news
 *   EINTR      a signal handler ran; a timed wait is not restarted even under SA_RESTART
 *   ETIMEDOUT  the deadline has passed: true
 * Negative seconds would be EINVAL to the kernel; they are answered here. In a sandbox that forbids
 * futexes Sluice does not work: waiting there is a loop over the call that fails.
 */
SLUICE_PRIV_COLD bool
sluice_priv_futex_wait(const uint32_t *word, uint32_t expected, const struct timespec *deadline)
{
	const int saved = errno;
	bool timed_out = false;

	if (deadline != NULL && deadline->tv_sec < 0)
		return true;
	/* The BITSET form is the one whose time-out is absolute, so that a restart cannot stretch it. */
	if (sluice_priv_syscall(SYS_futex, word, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, expected,
				deadline, NULL, FUTEX_BITSET_MATCH_ANY) == -1)
		timed_out = errno == ETIMEDOUT;
	errno = saved;
	return timed_out;
}

/* Wakes at most `count` threads that sleep on word. */
SLUICE_PRIV_COLD void
sluice_priv_futex_wake(const uint32_t *word, int count)
{
	const int saved = errno;

	(void)sluice_priv_syscall(SYS_futex, word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, count, NULL,
				  NULL, 0);
	errno = saved;
}

/*
 * The asymmetric fence. Of two threads that each write one word and then read the other's, one at
 * least must see the other: that takes a full fence between write and read on both sides. Where one
 * side comes a million times a second and the other hardly ever, the first does with none (a light
 * fence, platform.h) if the second makes all processors that run threads of this process pass a full
 * fence (a heavy one). What such a thread wrote before that moment is then seen by the caller, and
 * what it reads after that moment sees what the caller wrote.
 *
 * The kernel does it with MEMBARRIER_CMD_PRIVATE_EXPEDITED: 2 to 4 microseconds on 2 processors. It wants
 * to be told beforehand, once for a process; with several threads that takes some 15 ms, the first time.
 */

/* Returns whether heavy fences are to be had: there is a kernel, and perhaps a sandbox, to ask. */
SLUICE_PRIV_COLD bool
sluice_priv_fence_heavy_prepare(void)
{
	const int saved = errno;
	const bool prepared =
		sluice_priv_syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0,
				    0) == 0 &&
		sluice_priv_syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) == 0;

	errno = saved;
	return prepared;
}

/*
 * The heavy fence, for who has prepared it. Of what it can fail for, a lack of kernel memory passes.
 * Should a sandbox forbid later what it has allowed at first, no promise could be kept: the process ends,
 * as the C library ends it when a futex fails.
 */
SLUICE_PRIV_COLD void
sluice_priv_fence_heavy(void)
{
	const int saved = errno;

	for (; sluice_priv_syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) != 0;
	     (void)sched_yield())
		if (errno != ENOMEM)
			abort();
	errno = saved;
}

SLUICE_PRIV_INLINE void
sluice_priv_yield(void)
{
	(void)sched_yield();
}

#endif /* SLUICE_FUTEX_H */
