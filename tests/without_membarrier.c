/* SPDX-License-Identifier: MIT */
/*
 * without_membarrier.c - without_membarrier PROGRAM ARGUMENTS...: runs PROGRAM where membarrier(2) is
 * forbidden, so that lone sides of its queues use full fences.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <sluice/futex.h>

#include "no_membarrier.h"

int
main(int argc, char **argv)
{
	if (argc < 2) {
		fprintf(stderr, "usage: without_membarrier PROGRAM ARGUMENTS...\n");
		return 2;
	}
	if (!forbid_membarrier(EPERM)) {
		fprintf(stderr, "without_membarrier: no filter of system calls: %s\n",
			strerror(errno));
		return 1;
	}
	if (sluice_priv_fence_heavy_prepare()) {
		fprintf(stderr, "without_membarrier: the filter lets membarrier through\n");
		return 1;
	}
	execv(argv[1], argv + 1);
	fprintf(stderr, "without_membarrier: %s: %s\n", argv[1], strerror(errno));
	return 1;
}
