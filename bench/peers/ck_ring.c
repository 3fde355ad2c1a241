/* SPDX-License-Identifier: MIT */
/* ck_ring.c - ck_ring (see ck_mpmc_ring.h), its callers spinning or yielding. */
#include "ck_mpmc_ring.h"
#include "try_only.h"

CK_RING(ring8, bench_item8)
CK_RING(ring64, bench_item64)

TRY_ONLY_SPIN(peer_ck_ring_spin, "ck_ring_spin", ring8, bench_item8, NULL)
TRY_ONLY_YIELD(peer_ck_ring_yield, "ck_ring_yield", ring8, bench_item8, NULL)
TRY_ONLY_SPIN(peer_ck_ring_spin64, "ck_ring_spin", ring64, bench_item64, NULL)
TRY_ONLY_YIELD(peer_ck_ring_yield64, "ck_ring_yield", ring64, bench_item64, NULL)
