/* SPDX-License-Identifier: MIT */
/* report.c - see report.h. */
#include "report.h"

#include <stdlib.h>
#include <string.h>

static const char *program_name = "sluice";

void
report_begin(const char *program)
{
	program_name = program;
	setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
	setvbuf(stderr, NULL, _IOLBF, BUFSIZ);
}

int
report_end(int status)
{
	if (ferror(stdout) || fclose(stdout) != 0) {
		report_problem("standard output", "write error");
		return EXIT_FAILURE;
	}
	return status;
}

const char *
report_program(void)
{
	return program_name;
}

bool
report_needs_escape(const char *name)
{
	return strpbrk(name, "\\\n\r") != NULL;
}

void
report_name(FILE *stream, const char *name)
{
	flockfile(stream);
	for (; *name != '\0'; name++) {
		switch (*name) {
		case '\\':
			fputs("\\\\", stream);
			break;
		case '\n':
			fputs("\\n", stream);
			break;
		case '\r':
			fputs("\\r", stream);
			break;
		default:
			putc(*name, stream);
		}
	}
	funlockfile(stream);
}

void
report_problem(const char *name, const char *reason)
{
	flockfile(stderr);
	fprintf(stderr, "%s: ", program_name);
	report_name(stderr, name);
	fprintf(stderr, ": %s\n", reason);
	funlockfile(stderr);
}
