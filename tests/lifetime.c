/* SPDX-License-Identifier: MIT */
/*
 * lifetime.c - a queue's memory: an init that gets none, a destroy as early as allowed, and fork.
 *
 * For every flavour. The headers allocate through counting_allocator.h, which fails on demand and
 * overwrites what is freed. The queue itself lies in a page that is taken away after destroy. So
 * a thread that touches a queue after its last call has returned dies, with AddressSanitizer or
 * without. (Destroying earlier, as soon as the own get has returned but not yet the put that woke it,
 * is not allowed: every call must have returned.)
 *
 * queue.c counts the allocations of each kind of init and checks that bad arguments make none.
 */
#define _GNU_SOURCE /* MAP_ANONYMOUS */
#include "counting_allocator.h"

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "flavours.h"

/* ------------------------------------------------------------------------------------- init -- */

/* A queue that was made after failures is as good as any. */
static void
expect_sound(const struct flavour *flavour, void *q, uint64_t capacity)
{
	for (uint64_t i = 0; i < capacity; i++)
		cr_assert_eq(flavour->try_put(q, i), 0);
	cr_assert_eq(flavour->try_put(q, 0), EAGAIN);
	for (uint64_t i = 0; i < capacity; i++)
		expect_get(flavour, q, i);
	flavour->destroy(q);
	cr_assert_eq(blocks, 0);
}

static void
survives_failing_allocations(const struct flavour *flavour)
{
	struct sluice_priv_queue q;
	int result;

	memset(&q, 0xa5, sizeof(q));
	failing_allocation = 0;
	do {
		failing_allocation++;
		allocations = 0;
		result = flavour->init(&q, 5, NULL);
		if (result != 0) {
			cr_assert_eq(result, ENOMEM);
			cr_assert_eq(blocks, 0);
		}
	} while (result != 0);
	cr_assert_gt(failing_allocation, 1);
	failing_allocation = 0;
	expect_sound(flavour, &q, 5);
}

TEST(lifetime, whichever_allocation_fails_init_says_so_and_keeps_nothing)
{
	with_every_flavour(survives_failing_allocations);
}

static void
asks_for_too_much(const struct flavour *flavour)
{
	struct sluice_priv_queue q;

	cr_assert_eq(flavour->init(&q, SLUICE_CAPACITY_MAX, NULL), ENOMEM);
	cr_assert_eq(blocks, 0);
	cr_assert_eq(flavour->init(&q, 5, NULL), 0);
	expect_sound(flavour, &q, 5);
}

TEST(lifetime, the_greatest_capacity_is_refused_where_memory_is_short)
{
	const struct rlimit little = {(rlim_t)1 << 30, RLIM_INFINITY};

	if (ADDRESS_SANITIZER)
		cr_skip_test("AddressSanitizer needs all addresses: they cannot be limited");
	cr_assert_eq(setrlimit(RLIMIT_AS, &little), 0);
	with_every_flavour(asks_for_too_much);
}

/* ---------------------------------------------------------------------------------- destroy -- */

enum {
	PEERS = 3, /* on each side, where the flavour allows more than one */
	ITEMS = 4  /* of each producer */
};

struct peers {
	const struct flavour *flavour;
	void *q;
	uint32_t returned; /* how many threads have made their last call */
	uint32_t got;
	uint32_t broken;
};

static void *
put_some(void *opaque)
{
	struct peers *const peers = opaque;

	for (uint64_t i = 0; i < ITEMS; i++)
		if (peers->flavour->put(peers->q, i) != 0)
			__atomic_store_n(&peers->broken, 1, __ATOMIC_SEQ_CST);
	__atomic_add_fetch(&peers->returned, 1, __ATOMIC_SEQ_CST);
	return NULL;
}

static void *
get_to_the_end(void *opaque)
{
	struct peers *const peers = opaque;
	uint64_t number;

	while (peers->flavour->get(peers->q, &number) == 0) {
		__atomic_add_fetch(&peers->got, 1, __ATOMIC_SEQ_CST);
		if (number >= ITEMS || peers->flavour->task_done(peers->q) != 0)
			__atomic_store_n(&peers->broken, 1, __ATOMIC_SEQ_CST);
	}
	__atomic_add_fetch(&peers->returned, 1, __ATOMIC_SEQ_CST);
	return NULL;
}

static void
wait_for_returns(const struct peers *peers, uint32_t count)
{
	while (__atomic_load_n(&peers->returned, __ATOMIC_SEQ_CST) < count)
		sched_yield();
}

/* The peers' threads may still run when the queue goes; their calls have returned. */
static void
use_and_destroy(const struct flavour *flavour)
{
	const uint32_t producers = flavour->lone_producer ? 1 : PEERS;
	const uint32_t consumers = flavour->lone_consumer ? 1 : PEERS;
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct worker putting[PEERS];
	struct worker getting[PEERS];
	struct peers peers = {.flavour = flavour};

	/* Every round takes fresh pages, and what was taken away stays away. */
	peers.q = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	cr_assert_neq(peers.q, MAP_FAILED);
	cr_assert_leq(sizeof(struct sluice_priv_queue), page);
	cr_assert_eq(flavour->init(peers.q, 2, &at_once), 0);
	for (uint32_t i = 0; i < consumers; i++)
		worker_start(&getting[i], get_to_the_end, &peers);
	for (uint32_t i = 0; i < producers; i++)
		worker_start(&putting[i], put_some, &peers);
	wait_for_returns(&peers, producers);
	cr_assert_eq(flavour->join(peers.q), 0);
	flavour->close(peers.q);
	wait_for_returns(&peers, producers + consumers);
	flavour->destroy(peers.q);
	cr_assert_eq(mprotect(peers.q, page, PROT_NONE), 0);

	for (uint32_t i = 0; i < producers; i++)
		worker_join(&putting[i]);
	for (uint32_t i = 0; i < consumers; i++)
		worker_join(&getting[i]);
	cr_assert_eq(peers.got, producers * ITEMS);
	cr_assert_eq(peers.broken, 0);
	cr_assert_eq(blocks, 0);
}

static void
is_destroyed_again_and_again(const struct flavour *flavour)
{
	for (int round = rounds(80); round > 0; round--)
		use_and_destroy(flavour);
}

TEST(lifetime, a_queue_may_go_as_soon_as_every_call_has_returned)
{
	with_every_flavour(is_destroyed_again_and_again);
}

/* ------------------------------------------------------------------------------------- fork -- */

/*
 * In a forked process no assertion may fail, since that hangs the runner: it ends with a code that
 * says what went wrong, or 0, and the parent judges.
 */
static int
end_of(pid_t child)
{
	int status = -1;

	cr_assert_gt(child, 0);
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_assert(WIFEXITED(status), "status %d", status);
	return WEXITSTATUS(status);
}

static pid_t
fork_mortal(void)
{
	const pid_t child = fork();

	if (child == 0)
		prctl(PR_SET_PDEATHSIG, SIGKILL); /* should the time limit end this test */
	return child;
}

static void *
put_three(void *opaque)
{
	struct peers *const peers = opaque;

	return peers->flavour->put(peers->q, 3) == 0 ? NULL : opaque;
}

/* With 1 and 2 in a queue of 2: gets them, has a sleeping put woken, and ends the queue. */
static int
use_the_copy(const struct flavour *flavour, void *q)
{
	struct peers peers = {.flavour = flavour, .q = q};
	struct worker worker = {.body = put_three, .argument = &peers};
	uint64_t number;
	void *failed;

	if (flavour->size(q) != 2 || flavour->try_put(q, 3) != EAGAIN)
		return 1;
	if (pthread_create(&worker.thread, NULL, worker_main, &worker) != 0)
		return 2;
	wait_until_asleep(&worker);
	for (uint64_t i = 1; i <= 3; i++)
		if (flavour->get(q, &number) != 0 || number != i || flavour->task_done(q) != 0)
			return 3;
	if (pthread_join(worker.thread, &failed) != 0 || failed != NULL)
		return 4;
	flavour->close(q);
	if (flavour->get(q, &number) != EPIPE || flavour->join(q) != 0)
		return 5;
	flavour->destroy(q);
	return 0;
}

static void
has_two_copies_after_fork(const struct flavour *flavour)
{
	void *const q = queue_new(flavour, 2, &at_once);
	uint64_t number;
	pid_t child;

	cr_assert_eq(flavour->put(q, 1), 0);
	cr_assert_eq(flavour->put(q, 2), 0);
	child = fork_mortal();
	if (child == 0)
		_exit(use_the_copy(flavour, q));
	cr_assert_eq(end_of(child), 0);
	cr_assert_eq(flavour->size(q), 2);
	expect_get(flavour, q, 1);
	expect_get(flavour, q, 2);
	cr_assert_eq(flavour->try_get(q, &number), EAGAIN); /* neither closed nor fed */
	queue_delete(flavour, q);
}

TEST(lifetime, a_forked_process_may_use_its_copy_of_a_queue_that_no_other_thread_used)
{
	with_every_flavour(has_two_copies_after_fork);
}

static void *
get_three(void *opaque)
{
	struct peers *const peers = opaque;
	uint64_t number;

	return peers->flavour->get(peers->q, &number) == 0 && number == 3 ? NULL : opaque;
}

static void
sleeps_through_forks(const struct flavour *flavour)
{
	struct peers peers = {.flavour = flavour, .q = queue_new(flavour, 2, &at_once)};
	struct worker worker;
	void *failed;

	worker_start(&worker, get_three, &peers);
	for (int round = rounds(2); round > 0; round--) {
		pid_t child;

		wait_until_asleep(&worker);
		child = fork_mortal();
		if (child == 0)
			_exit(7);
		cr_assert_eq(end_of(child), 7);
		child = fork_mortal();
		if (child == 0) {
			execl("/bin/sh", "sh", "-c", "exit 8", (char *)NULL);
			_exit(9);
		}
		cr_assert_eq(end_of(child), 8);
	}
	wait_until_asleep(&worker);
	cr_assert_eq(flavour->put(peers.q, 3), 0);
	cr_assert_eq(pthread_join(worker.thread, &failed), 0);
	cr_assert_null(failed);
	queue_delete(flavour, peers.q);
}

TEST(lifetime, forked_processes_that_exit_or_exec_disturb_no_thread_that_waits)
{
	with_every_flavour(sleeps_through_forks);
}
