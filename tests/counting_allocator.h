/* SPDX-License-Identifier: MIT */
/*
 * counting_allocator.h - the headers, allocating through functions that count, fail on demand, and
 * overwrite what is freed. In place of <sluice.h>, and before anything that includes it.
 */
#ifndef COUNTING_ALLOCATOR_H
#define COUNTING_ALLOCATOR_H

#include <malloc.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static int allocations;        /* calls so far */
static int failing_allocation; /* this one returns NULL; 0: none */
static int blocks;             /* allocated and not freed */

static void *
counting_calloc(size_t count, size_t bytes)
{
	void *memory = NULL;

	if (++allocations != failing_allocation)
		memory = calloc(count, bytes);
	blocks += memory != NULL;
	return memory;
}

static void
overwriting_free(void *memory)
{
	if (memory != NULL) {
		memset(memory, 0xdd, malloc_usable_size(memory));
		blocks--;
	}
	free(memory);
}

#define calloc counting_calloc
#define free   overwriting_free
#include <sluice.h>
#undef calloc
#undef free

#endif
