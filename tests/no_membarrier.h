/* SPDX-License-Identifier: MIT */
/*
 * no_membarrier.h - this process, and what it starts, without membarrier(2): as in a sandbox, or on a
 * kernel that does not have it.
 */
#ifndef NO_MEMBARRIER_H
#define NO_MEMBARRIER_H

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

/* From here on membarrier answers with this error, and nothing else has changed. Whether that is so. */
static inline bool
forbid_membarrier(unsigned int error)
{
	/* The number of the call, and an answer. Who calls it by another ABI's number is not asked for. */
	struct sock_filter instructions[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_membarrier, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = {sizeof(instructions) / sizeof(instructions[0]),
					   instructions};

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

#endif
