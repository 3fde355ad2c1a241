/* SPDX-License-Identifier: MIT */
/*
 * report.h - what a program says: its streams, file names and complaints, each on exactly one line
 * whatever a name contains.
 *
 * A line is written by one call into stdio, or under the lock of its stream: lines of different
 * threads never mix.
 *
 * Both streams are line buffered, so that lines appear as things happen, even in a pipe, and each
 * in one write. Writing to a pipe that nobody reads ends the program by SIGPIPE, as it ends every
 * filter; where that signal is ignored it is a failed write like any other.
 */
#ifndef REPORT_H
#define REPORT_H

#include <stdbool.h>
#include <stdio.h>

#define EXIT_USAGE 2 /* the status for a wrong command line */

/* The first call of a program: its name, with which its complaints begin. */
void report_begin(const char *program);

/* The last call: closes stdout, and returns the status of the program, a failure if that failed. */
int report_end(int status);

/* The name that report_begin was given. */
const char *report_program(void);

/* Does the name contain what sha256sum escapes: a backslash, a newline or a carriage return? */
bool report_needs_escape(const char *name);

/* Writes the name with those three as \\, \n and \r. */
void report_name(FILE *stream, const char *name);

/* Writes "PROGRAM: NAME: REASON" to stderr. */
void report_problem(const char *name, const char *reason);

#endif
