/* SPDX-License-Identifier: MIT */
/*
 * arguments.h - numbers on a command line.
 *
 * Each reads the argument of the option that getopt has just met (optarg). Where it is not what the
 * option takes, one line on stderr says what would be, and the result is false.
 */
#ifndef ARGUMENTS_H
#define ARGUMENTS_H

#include <stdbool.h>

/* A whole number from min to max. */
bool argument_number(const char *option, unsigned min, unsigned max, unsigned *value);

/* Seconds from 0 to max, with up to three decimals, as milliseconds. */
bool argument_seconds(const char *option, unsigned max, unsigned *milliseconds);

#endif
