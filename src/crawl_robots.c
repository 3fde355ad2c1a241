/* SPDX-License-Identifier: MIT */
/* crawl_robots.c - see crawl_robots.h. */
#include "crawl_robots.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "memory.h"

/* A longer delay than this would be a way to say no, and there are better ones. */
#define DELAY_MS_MAX 60000

struct rule {
	bool allows;
	char *pattern;
};

/* What was said to one name: to this program, or to all. */
struct rules {
	bool given; /* a group with this name was met */
	struct rule *list;
	size_t count;
	unsigned delay_ms;
};

struct robots {
	struct rules own;
	struct rules all;
};

/* Two spellings of one octet are one: escapes in capitals, what may stand plainly plain. */
static char *
normalise(const char *path)
{
	char *result = memory_new(3 * strlen(path) + 1);
	char *to = result;

	while (*path != '\0') {
		unsigned char c = (unsigned char)*path;
		unsigned octet;

		if (c == '%' && isxdigit((unsigned char)path[1]) &&
		    isxdigit((unsigned char)path[2]) && sscanf(path + 1, "%2x", &octet) == 1) {
			if (octet < 0x80 && (isalnum((int)octet) || strchr("-._~", (int)octet)))
				*to++ = (char)octet;
			else
				to += sprintf(to, "%%%02X", octet);
			path += 3;
		} else if (c > ' ' && c < 0x7f) {
			*to++ = (char)c;
			path++;
		} else {
			to += sprintf(to, "%%%02X", c);
			path++;
		}
	}
	*to = '\0';
	return result;
}

static void
add_rule(struct rules *rules, bool allows, const char *pattern)
{
	if (*pattern == '\0') /* "Disallow:" of nothing disallows nothing */
		return;
	rules->list = memory_resize(rules->list, rules->count + 1, sizeof *rules->list);
	rules->list[rules->count++] = (struct rule){allows, normalise(pattern)};
}

static void
set_delay(struct rules *rules, const char *seconds)
{
	double ms = strtod(seconds, NULL) * 1000;

	if (ms > 0) /* and is a number */
		rules->delay_ms = ms < DELAY_MS_MAX ? (unsigned)ms : DELAY_MS_MAX;
}

/* Splits "Key: value # comment". Returns false where there is no colon. */
static bool
split(char *line, char **key, char **value)
{
	char *colon, *end;

	line[strcspn(line, "#")] = '\0';
	colon = strchr(line, ':');
	if (colon == NULL)
		return false;
	*colon = '\0';
	*key = line + strspn(line, " \t");
	for (end = colon; end > *key && isspace((unsigned char)end[-1]); end--)
		end[-1] = '\0';
	*value = colon + 1 + strspn(colon + 1, " \t");
	for (end = *value + strlen(*value); end > *value && isspace((unsigned char)end[-1]); end--)
		end[-1] = '\0';
	return true;
}

/* The name ends where it is followed by what may not stand in one: "sluice-crawl/1.0" is meant. */
static bool
names(const char *value, const char *agent)
{
	size_t length = strlen(agent);

	return strncasecmp(value, agent, length) == 0 && !isalnum((unsigned char)value[length]) &&
	       strchr("_-", value[length]) == NULL;
}

struct robots *
robots_parse(const char *text, size_t size, const char *agent)
{
	struct robots *robots = memory_new(sizeof *robots);
	const char *end = text + size;
	bool for_own = false, for_all = false, in_names = false;

	if (size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		text += 3;
	while (text < end) {
		size_t length = 0;
		char *line, *key, *value;
		bool named;

		while (text + length < end && text[length] != '\n' && text[length] != '\r')
			length++;
		line = memory_copy_part(text, length);
		text += length + 1;
		if (!split(line, &key, &value)) {
			free(line);
			continue;
		}
		named = strcasecmp(key, "user-agent") == 0;
		if (named) {
			if (!in_names) /* a new group */
				for_own = for_all = false;
			for_own = for_own || names(value, agent);
			for_all = for_all || strcmp(value, "*") == 0;
			robots->own.given = robots->own.given || for_own;
		}
		for (int i = 0; i < 2; i++) {
			struct rules *rules = i == 0 ? &robots->own : &robots->all;

			if (!(i == 0 ? for_own : for_all))
				continue;
			if (strcasecmp(key, "allow") == 0)
				add_rule(rules, true, value);
			else if (strcasecmp(key, "disallow") == 0)
				add_rule(rules, false, value);
			else if (strcasecmp(key, "crawl-delay") == 0)
				set_delay(rules, value);
		}
		in_names = named;
		free(line);
	}
	return robots;
}

static void
free_rules(struct rules *rules)
{
	for (size_t i = 0; i < rules->count; i++)
		free(rules->list[i].pattern);
	free(rules->list);
}

void
robots_free(struct robots *robots)
{
	if (robots == NULL)
		return;
	free_rules(&robots->own);
	free_rules(&robots->all);
	free(robots);
}

/*
 * Each "*" takes as little as it can, and more only when what follows it does not fit: only the
 * latest has to be tried again, so the time is bounded by the product of the lengths.
 */
static bool
matches(const char *pattern, const char *path)
{
	const char *star = NULL, *retry = NULL;

	for (;;) {
		if (*pattern == '*') {
			star = ++pattern;
			retry = path;
		} else if (*pattern == '\0' ||
			   (pattern[0] == '$' && pattern[1] == '\0' && *path == '\0')) {
			return true;
		} else if (*path != '\0' && *pattern == *path) {
			pattern++;
			path++;
		} else if (star != NULL && *retry != '\0') {
			path = ++retry;
			pattern = star;
		} else {
			return false;
		}
	}
}

static const struct rules *
rules_for_us(const struct robots *robots)
{
	return robots->own.given ? &robots->own : &robots->all;
}

bool
robots_allow(const struct robots *robots, const char *path)
{
	const struct rules *rules = rules_for_us(robots);
	char *normal = normalise(path);
	size_t longest = 0;
	bool allowed = true;

	for (size_t i = 0; i < rules->count; i++) {
		const struct rule *rule = &rules->list[i];
		size_t length = strlen(rule->pattern);

		if (length < longest || !matches(rule->pattern, normal))
			continue;
		allowed = rule->allows || (length == longest && allowed);
		longest = length;
	}
	free(normal);
	return allowed;
}

unsigned
robots_delay(const struct robots *robots)
{
	return rules_for_us(robots)->delay_ms;
}
