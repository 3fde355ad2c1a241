/* SPDX-License-Identifier: MIT */
/*
 * machine.h - what must stand beside a number: the machine, and who else used it.
 *
 *	machine_describe(text, sizeof(text));
 *	machine_tell(tell);		the same in parts, and what more there is
 *	struct machine_use before = machine_use();
 *	...
 *	printf("others: %.0f %%\n", 100 * machine_others(before, machine_use()));
 */
#ifndef BENCH_MACHINE_H
#define BENCH_MACHINE_H

#include <stddef.h>

/* Processor seconds of the whole machine since boot, and those of this process. */
struct machine_use {
	double total; /* idle time included */
	double busy;
	double own;
};

/* Processor, cores, kernel, compiler, its flags, date; cut off after size - 1 characters. */
void machine_describe(char *text, size_t size);

/*
 * Calls tell for each: the processor, the kernel, the compiler, its flags, and the policy by which
 * the processors' frequency is governed.
 */
void machine_tell(void (*tell)(const char *what, const char *value));

/* Now, to the kernel's clock tick (10 ms). All 0 where /proc/stat cannot be read. */
struct machine_use machine_use(void);

/*
 * The share of the machine, 0 to 1, that went to other processes and, on a virtual machine, to
 * other guests. A few hundredths are normal; with a tenth, a comparison of threads that need every
 * core says little.
 */
double machine_others(struct machine_use before, struct machine_use after);

#endif
