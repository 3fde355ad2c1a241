/* SPDX-License-Identifier: MIT */
/* report.c - see report.h. */
#include "report.h"

#include <string.h>

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
	fputs("sluice-pipeline: ", stderr);
	report_name(stderr, name);
	fprintf(stderr, ": %s\n", reason);
	funlockfile(stderr);
}
