/* SPDX-License-Identifier: MIT */
/* crawl_address.c - see crawl_address.h. */
#include "crawl_address.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

#include "memory.h"

/* Longer ones are traps more often than addresses. */
#define ADDRESS_BYTES_MAX 4096

/* To set a part that is not there to nothing is no error. */
static bool
strip_user(CURLU *url)
{
	return curl_url_set(url, CURLUPART_USER, NULL, 0) == CURLUE_OK &&
	       curl_url_set(url, CURLUPART_PASSWORD, NULL, 0) == CURLUE_OK;
}

/* curl has made the scheme small already. */
static void
make_host_small(char *url)
{
	const char *end = address_path(url);

	for (char *c = url; c < end; c++)
		*c = (char)tolower((unsigned char)*c);
}

/*
 * As browsers do: white space around a reference is not part of it, and line ends and tabs nowhere.
 * Other control characters make it no address, which curl sees to. The fragment goes here, too.
 */
static char *
trim(const char *reference)
{
	const char *end = reference + strcspn(reference, "#");
	char *trimmed, *to;

	while (reference < end && (unsigned char)*reference <= ' ')
		reference++;
	while (end > reference && (unsigned char)end[-1] <= ' ')
		end--;
	trimmed = to = memory_copy_part(reference, (size_t)(end - reference));
	for (const char *from = trimmed; *from != '\0'; from++) {
		if (strchr("\t\r\n", *from) == NULL)
			*to++ = *from;
	}
	*to = '\0';
	return trimmed;
}

char *
address_resolve(const char *base, const char *reference)
{
	CURLU *url = curl_url();
	char *trimmed = trim(reference);
	char *text = NULL, *result = NULL;

	if (base != NULL && *trimmed == '\0') { /* curl would take it for "." */
		free(trimmed);
		trimmed = memory_copy(base);
	}
	if (url != NULL && strlen(trimmed) <= ADDRESS_BYTES_MAX &&
	    (base == NULL || curl_url_set(url, CURLUPART_URL, base, 0) == CURLUE_OK) &&
	    curl_url_set(url, CURLUPART_URL, trimmed,
			 CURLU_URLENCODE | (base == NULL ? CURLU_DEFAULT_SCHEME : 0)) ==
		    CURLUE_OK &&
	    strip_user(url) &&
	    curl_url_get(url, CURLUPART_URL, &text, CURLU_NO_DEFAULT_PORT | CURLU_PUNYCODE) ==
		    CURLUE_OK &&
	    strlen(text) <= ADDRESS_BYTES_MAX &&
	    (strncmp(text, "http://", 7) == 0 || strncmp(text, "https://", 8) == 0)) {
		result = memory_copy(text);
		make_host_small(result);
	}
	curl_free(text);
	free(trimmed);
	curl_url_cleanup(url);
	return result;
}

const char *
address_path(const char *url)
{
	const char *host = strstr(url, "://") + strlen("://");

	return host + strcspn(host, "/?");
}

char *
address_site(const char *url)
{
	return memory_copy_part(url, (size_t)(address_path(url) - url));
}

char *
address_host(const char *url)
{
	const char *host = strstr(url, "://") + strlen("://");
	size_t length = *host == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":/?");

	return memory_copy_part(host, length);
}
