/* SPDX-License-Identifier: MIT */
/*
 * peers.h - the queues of other libraries that the comparison is built with (SLUICE_BUILD_PEERS).
 *
 *	#define ADD(NAME) &NAME##_bench,
 *	BENCH_EACH_PEER(ADD)
 *
 * Each is defined in the file that has its library's name. None of them can be closed: how a
 * transfer ends stands in try_only.h and pill.h, one or the other of which makes the verbs of a
 * queue out of each of them.
 *
 * A peer_NAME64 carries items of 64 bytes.
 */
#ifndef BENCH_PEERS_H
#define BENCH_PEERS_H

#include "../queue.h"

/* clang-format off */
#define BENCH_EACH_PEER(DO) \
	DO(peer_tbb) DO(peer_tbb64) \
	DO(peer_moodycamel) DO(peer_moodycamel64) \
	DO(peer_glib) DO(peer_glib64) \
	DO(peer_boost_spin) DO(peer_boost_spin64) \
	DO(peer_boost_yield) DO(peer_boost_yield64) \
	DO(peer_rte_mp_spin) DO(peer_rte_mp_spin64) \
	DO(peer_rte_mp_yield) DO(peer_rte_mp_yield64) \
	DO(peer_rte_rts_spin) DO(peer_rte_rts_spin64) \
	DO(peer_rte_rts_yield) DO(peer_rte_rts_yield64) \
	DO(peer_rte_hts_spin) DO(peer_rte_hts_spin64) \
	DO(peer_rte_hts_yield) DO(peer_rte_hts_yield64) \
	DO(peer_ck_ring_spin) DO(peer_ck_ring_spin64) \
	DO(peer_ck_ring_yield) DO(peer_ck_ring_yield64) \
	DO(peer_ck_ec) DO(peer_ck_ec64)
/* clang-format on */

#ifdef __cplusplus
extern "C" {
#endif

#define BENCH_DECLARE_PEER(NAME) extern const struct bench_queue NAME##_bench;
BENCH_EACH_PEER(BENCH_DECLARE_PEER)
#undef BENCH_DECLARE_PEER

#ifdef __cplusplus
}
#endif

/* The rest of what BENCH_QUEUE asks for: many to many, and nothing else to say. */
#define PEER_TRAITS(SHOWN, NEVER_SLEEPS, MAY_BE_CUT, NOTE)                                         \
	.name = SHOWN, .producers = BENCH_ANY, .consumers = BENCH_ANY, .note = NOTE,               \
	.never_sleeps = NEVER_SLEEPS, .may_be_cut = MAY_BE_CUT, .peer = true

#endif
