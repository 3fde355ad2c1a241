/* SPDX-License-Identifier: MIT */
/* arguments.c - see arguments.h. */
#include "arguments.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report.h"

/* Digits only, up to max; moves *text behind them. */
static bool
digits(const char **text, unsigned max, unsigned *value)
{
	char *end;
	unsigned long parsed;

	if (!isdigit((unsigned char)**text))
		return false;
	errno = 0;
	parsed = strtoul(*text, &end, 10);
	if (errno != 0 || parsed > max)
		return false;
	*text = end;
	*value = (unsigned)parsed;
	return true;
}

bool
argument_number(const char *option, unsigned min, unsigned max, unsigned *value)
{
	const char *text = optarg;
	unsigned parsed;

	if (!digits(&text, max, &parsed) || *text != '\0' || parsed < min) {
		fprintf(stderr, "%s: --%s takes a number from %u to %u\n", report_program(), option,
			min, max);
		return false;
	}
	*value = parsed;
	return true;
}

bool
argument_seconds(const char *option, unsigned max, unsigned *milliseconds)
{
	const char *text = optarg;
	unsigned seconds = 0, thousandths = 0;
	bool good = digits(&text, max, &seconds);

	if (good && *text == '.') {
		const char *decimals = ++text;
		size_t count;

		good = digits(&text, 999, &thousandths);
		count = (size_t)(text - decimals);
		good = good && count <= 3;
		for (; count < 3; count++)
			thousandths *= 10;
	}
	if (!good || *text != '\0' || (seconds == max && thousandths > 0)) {
		fprintf(stderr, "%s: --%s takes seconds from 0 to %u, as 2 or 0.25\n",
			report_program(), option, max);
		return false;
	}
	*milliseconds = seconds * 1000 + thousandths;
	return true;
}
