/* SPDX-License-Identifier: MIT */
/* memory.c - see memory.h. */
#include "memory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "report.h"

/* Not exit: other threads go on meanwhile, with what its handlers would take away. */
void
memory_end(void)
{
	report_problem("cannot go on", strerror(ENOMEM));
	_exit(EXIT_FAILURE);
}

static void *
or_end(void *memory)
{
	if (memory == NULL)
		memory_end();
	return memory;
}

void *
memory_new(size_t size)
{
	return or_end(calloc(1, size));
}

void *
memory_resize(void *memory, size_t count, size_t size)
{
	return or_end(reallocarray(memory, count, size));
}

char *
memory_copy(const char *text)
{
	return or_end(strdup(text));
}

char *
memory_copy_part(const char *text, size_t length)
{
	return or_end(strndup(text, length));
}
