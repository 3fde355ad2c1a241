/* SPDX-License-Identifier: MIT */
/*
 * memory.h - memory for a program that cannot go on without.
 *
 * Where there is none left, one line on stderr says so and the program ends at once with status 1.
 * That is for programs which may be killed at any moment without harm, as sluice-crawl may.
 */
#ifndef MEMORY_H
#define MEMORY_H

#include <stddef.h>

/* Says so, and ends the program. */
_Noreturn void memory_end(void);

/* As calloc(1, size). */
void *memory_new(size_t size);

/* As reallocarray. */
void *memory_resize(void *memory, size_t count, size_t size);

/* As strdup, and as strndup. */
char *memory_copy(const char *text);
char *memory_copy_part(const char *text, size_t length);

#endif
