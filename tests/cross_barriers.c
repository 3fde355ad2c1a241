/* SPDX-License-Identifier: MIT */
/*
 * cross_barriers.c - the places where AArch64 needs a barrier, each in a function of its own.
 *
 * Nothing here runs. cross.sh compiles it, disassembles it, and looks at each function for a barrier
 * of the right kind between two accesses; which, its list says. Two things make the places visible:
 *
 * - Waking is a call of an external function, and so is a heavy fence, so that where they are can be seen.
 * - ck's acquire fence is a full one on AArch64. Here it is what its name promises, or it would stand
 *   in for F1 and F2 wherever one of these were missing.
 */
#include <ck_pr.h>

#define ck_pr_fence_acquire() __asm__ __volatile__("dmb ishld" : : : "memory")

#include <sluice/futex.h>

void heavy(void);

#define sluice_priv_fence_heavy() heavy()

#include <sluice/park.h>

void wake(struct sluice_priv_event *event);

#define sluice_priv_event_wake(event, n)  wake(event)
#define sluice_priv_event_wake_all(event) wake(event)

#include <sluice.h>

#define PLACE __attribute__((noinline)) extern

/* ------------------------------------------------------------------------------- platform.h -- */

/* What comes before the swap, and what comes behind it. */
#define SWAP(name, swap)                                                                           \
	PLACE uint64_t name(uint64_t *before, uint64_t *word, const uint64_t *behind);             \
	uint64_t name(uint64_t *before, uint64_t *word, const uint64_t *behind)                    \
	{                                                                                          \
		ck_pr_store_64(before, 1);                                                         \
		swap;                                                                              \
		return ck_pr_load_64(behind);                                                      \
	}

SWAP(swap_64, (void)sluice_priv_cas_64_acq_rel(word, 2, 3))
SWAP(swap_32, (void)sluice_priv_cas_32_acq_rel((uint32_t *)(void *)word, 2, 3))
SWAP(swap_64_2, (void)sluice_priv_cas_64_2_acq_rel(word, word + 2, word + 4))
SWAP(exchange_32, (void)sluice_priv_exchange_32_acq_rel((uint32_t *)(void *)word, 3))
SWAP(full_after_swap, ck_pr_inc_64(word); sluice_priv_fence_full_after_atomic())

/* What a lone side does, and what it does where there is no heavy fence. */
SWAP(light, ck_pr_store_64(word, 2); sluice_priv_fence_light(true))
SWAP(light_without_heavy, ck_pr_store_64(word, 2); sluice_priv_fence_light(false))

PLACE uint64_t load_64(const uint64_t *word, const uint64_t *behind);
uint64_t
load_64(const uint64_t *word, const uint64_t *behind)
{
	return sluice_priv_load_64_acquire(word) + ck_pr_load_64(behind);
}

PLACE uint32_t load_32(const uint32_t *word, const uint32_t *behind);
uint32_t
load_32(const uint32_t *word, const uint32_t *behind)
{
	return sluice_priv_load_32_acquire(word) + ck_pr_load_32(behind);
}

PLACE void store_64(uint64_t *before, uint64_t *word);
void
store_64(uint64_t *before, uint64_t *word)
{
	ck_pr_store_64(before, 1);
	sluice_priv_store_64_release(word, 2);
}

/* ----------------------------------------------------------------------------------- park.h -- */

/* W1, W2, F1, W3. */
PLACE uint64_t announce(struct sluice_priv_event *event, const uint64_t *state);
uint64_t
announce(struct sluice_priv_event *event, const uint64_t *state)
{
	const uint32_t epoch = ck_pr_load_32(&event->epoch);

	sluice_priv_event_announce(event);
	return ck_pr_load_64(state) + epoch;
}

/* ------------------------------------------------------------------------------ cell_ring.h -- */

static inline struct sluice_priv_geometry
geometry(unsigned char *base, uint64_t mask)
{
	struct sluice_priv_geometry g;

	g.base = base;
	g.mask = mask;
	g.laps = ~mask;
	g.bytes = mask + 1;
	return g;
}

PLACE int fill(struct sluice_priv_cells *ring, unsigned char *base, uint64_t mask, uint64_t value);
int
fill(struct sluice_priv_cells *ring, unsigned char *base, uint64_t mask, uint64_t value)
{
	const struct sluice_priv_geometry g = geometry(base, mask);
	uint64_t ticket = value;

	return sluice_priv_cells_fill(ring, &g, false, &ticket, value);
}

PLACE int fill_alone(struct sluice_priv_cells *ring, unsigned char *base, uint64_t mask,
		     uint64_t value);
int
fill_alone(struct sluice_priv_cells *ring, unsigned char *base, uint64_t mask, uint64_t value)
{
	const struct sluice_priv_geometry g = geometry(base, mask);
	uint64_t ticket = value;

	return sluice_priv_cells_fill(ring, &g, true, &ticket, value);
}

PLACE uint64_t take(struct sluice_priv_cells *ring, unsigned char *base, uint64_t mask,
		    uint64_t ticket);
uint64_t
take(struct sluice_priv_cells *ring, unsigned char *base, uint64_t mask, uint64_t ticket)
{
	const struct sluice_priv_geometry g = geometry(base, mask);
	uint64_t value = 0;

	(void)sluice_priv_cells_take(ring, &g, false, &ticket, &value);
	return value;
}

PLACE uint64_t take_alone(struct sluice_priv_cells *ring, unsigned char *base, uint64_t mask,
			  uint64_t ticket);
uint64_t
take_alone(struct sluice_priv_cells *ring, unsigned char *base, uint64_t mask, uint64_t ticket)
{
	const struct sluice_priv_geometry g = geometry(base, mask);
	uint64_t value = 0;

	(void)sluice_priv_cells_take(ring, &g, true, &ticket, &value);
	return value;
}

/* What a lone consumer reads before it frees the cell. */
PLACE uint64_t free_alone(unsigned char *base, uint64_t mask, uint64_t ticket,
			  const uint64_t *item);
uint64_t
free_alone(unsigned char *base, uint64_t mask, uint64_t ticket, const uint64_t *item)
{
	const struct sluice_priv_geometry g = geometry(base, mask);
	const uint64_t read = ck_pr_load_64(item);

	sluice_priv_cells_free(&g, ticket);
	return read;
}

/* E1, D2. */
PLACE void deciding(struct sluice_priv_cells *ring, uint64_t *end, uint64_t *rest);
void
deciding(struct sluice_priv_cells *ring, uint64_t *end, uint64_t *rest)
{
	const struct sluice_priv_sides sides = {true, true, true};

	*end = sluice_priv_cells_end(ring, sides.asymmetric);
	*rest = sluice_priv_cells_rest(ring, sides.asymmetric);
}

/* ------------------------------------------------------------------------------ ck_engine.h -- */

PLACE bool ck_enqueue(struct ck_ring *ring, uint64_t *buffer, uint64_t item);
bool
ck_enqueue(struct ck_ring *ring, uint64_t *buffer, uint64_t item)
{
	return _ck_ring_enqueue_sp(ring, buffer, &item, sizeof(item), NULL);
}

PLACE bool ck_dequeue(struct ck_ring *ring, const uint64_t *buffer, uint64_t *item);
bool
ck_dequeue(struct ck_ring *ring, const uint64_t *buffer, uint64_t *item)
{
	return _ck_ring_dequeue_mc(ring, buffer, item, sizeof(*item));
}

/* G1: the gate is taken, then `closed` is looked at. */
PLACE uint32_t ck_enter_alone(struct sluice_priv_ck_engine *engine, const uint32_t *closed);
uint32_t
ck_enter_alone(struct sluice_priv_ck_engine *engine, const uint32_t *closed)
{
	(void)sluice_priv_ck_enter(engine, true, closed, NULL, false, NULL);
	return ck_pr_load_32(closed);
}

/* C2: between whatever was seen or done before (here a store) and the look at the gate. */
PLACE int ck_end(uint32_t *before, const struct sluice_priv_ck_engine *engine);
int
ck_end(uint32_t *before, const struct sluice_priv_ck_engine *engine)
{
	ck_pr_store_32(before, 1);
	return sluice_priv_ck_end(engine);
}

/* ---------------------------------------------------------------------------------- queue.h -- */

/* F2 in the verbs. A pointer to each keeps it in the object file, under its own name. */
#define VERBS(NAME, T)                                                                             \
	extern int (*const NAME##_put_at)(struct NAME *, T);                                       \
	extern int (*const NAME##_get_at)(struct NAME *, T *);                                     \
	extern int (*const NAME##_task_done_at)(struct NAME *);                                    \
	extern void (*const NAME##_close_at)(struct NAME *);                                       \
	int (*const NAME##_put_at)(struct NAME *, T) = NAME##_try_put;                             \
	int (*const NAME##_get_at)(struct NAME *, T *) = NAME##_try_get;                           \
	int (*const NAME##_task_done_at)(struct NAME *) = NAME##_task_done;                        \
	void (*const NAME##_close_at)(struct NAME *) = NAME##_close;

struct wide {
	uint64_t words[3];
};

SLUICE_DEFINE(mpmc, uint64_t)
VERBS(mpmc, uint64_t)
SLUICE_DEFINE(mpmc_wide, struct wide)
VERBS(mpmc_wide, struct wide)
SLUICE_DEFINE_SPMC(spmc, uint64_t)
VERBS(spmc, uint64_t)
SLUICE_DEFINE_MPSC(mpsc, uint64_t)
VERBS(mpsc, uint64_t)
SLUICE_DEFINE_SPSC(spsc, uint64_t)
VERBS(spsc, uint64_t)
SLUICE_DEFINE_CK_MPMC(ck_mpmc, uint64_t)
VERBS(ck_mpmc, uint64_t)
SLUICE_DEFINE_CK_SPSC(ck_spsc, uint64_t)
VERBS(ck_spsc, uint64_t)
