/* SPDX-License-Identifier: MIT */
/*
 * report.h - file names and complaints, each on exactly one line whatever a name contains.
 *
 * A line is written by one call into stdio, or under the lock of its stream: lines of different
 * threads never mix.
 */
#ifndef REPORT_H
#define REPORT_H

#include <stdbool.h>
#include <stdio.h>

/* Does the name contain what sha256sum escapes: a backslash, a newline or a carriage return? */
bool report_needs_escape(const char *name);

/* Writes the name with those three as \\, \n and \r. */
void report_name(FILE *stream, const char *name);

/* Writes "sluice-pipeline: NAME: REASON" to stderr. */
void report_problem(const char *name, const char *reason);

#endif
