/* SPDX-License-Identifier: MIT */
/* crawl_fetch.c - see crawl_fetch.h. */
#include "crawl_fetch.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <curl/curl.h>

#include "crawl_address.h"
#include "memory.h"

#define ROBOTS_BYTES_MAX     (512 * 1024)
#define ROBOTS_REDIRECTS_MAX 5L /* both by RFC 9309 */

struct fetcher {
	CURL *curl;
	const struct stop *stop;
	size_t max_bytes;
	char message[CURL_ERROR_SIZE];

	/* The fetch under way. */
	enum fetch_what what;
	struct page *page;
	size_t room;
	bool begun; /* the first bytes of the body have come */
	bool cut;   /* and the rest is not wanted */
};

struct page *
page_new(const struct address *address)
{
	struct page *page = memory_new(sizeof *page);

	page->address = address;
	return page;
}

void
page_free(struct page *page)
{
	free(page->detail);
	free(page->target);
	free(page->type);
	free(page->charset);
	free(page->bytes);
	free(page);
}

void
page_fail(struct page *page, const char *error, const char *detail)
{
	snprintf(page->error, sizeof page->error, "%s", error);
	free(page->detail);
	page->detail = detail != NULL ? memory_copy(detail) : NULL;
}

void
fetch_begin(void)
{
	curl_global_init(CURL_GLOBAL_DEFAULT);
}

void
fetch_end(void)
{
	curl_global_cleanup();
}

/* "text/html; charset=x" into its parts. */
static void
read_type(struct page *page, const char *type)
{
	size_t length = strcspn(type, "; \t");
	const char *charset = strchr(type, ';');

	page->type = memory_copy_part(type, length);
	for (char *c = page->type; *c != '\0'; c++)
		*c = (char)tolower((unsigned char)*c);
	for (; charset != NULL; charset = strchr(charset, ';')) {
		charset += 1 + strspn(charset + 1, " \t");
		if (strncasecmp(charset, "charset=", 8) != 0)
			continue;
		charset += 8 + strspn(charset + 8, "\"' ");
		length = strcspn(charset, "\"'; \t");
		if (length > 0)
			page->charset = memory_copy_part(charset, length);
		return;
	}
}

static bool
is_success(const struct page *page)
{
	return page->status >= 200 && page->status <= 299;
}

/* The header has come: fills in what it says. Returns whether the body is wanted. */
static bool
read_header(struct fetcher *fetcher)
{
	struct page *page = fetcher->page;
	const char *type = NULL;
	curl_off_t size = -1;

	if (fetcher->begun)
		return true;
	fetcher->begun = true;
	curl_easy_getinfo(fetcher->curl, CURLINFO_RESPONSE_CODE, &page->status);
	curl_easy_getinfo(fetcher->curl, CURLINFO_CONTENT_TYPE, &type);
	curl_easy_getinfo(fetcher->curl, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &size);
	if (type != NULL)
		read_type(page, type);
	if (!is_success(page) || fetcher->what == FETCH_ROBOTS)
		return true;
	if (page->type != NULL && strcmp(page->type, "text/html") != 0 &&
	    strcmp(page->type, "application/xhtml+xml") != 0) {
		page_fail(page, "not HTML", page->type);
		return false;
	}
	if (size > 0 && (size_t)size > fetcher->max_bytes) {
		page_fail(page, "too large", NULL);
		return false;
	}
	return true;
}

/* Any other result than `count` makes curl end the transfer with CURLE_WRITE_ERROR. */
static size_t
take_bytes(char *bytes, size_t one, size_t count, void *argument)
{
	struct fetcher *fetcher = argument;
	struct page *page = fetcher->page;
	size_t max = fetcher->what == FETCH_ROBOTS ? ROBOTS_BYTES_MAX : fetcher->max_bytes;
	size_t fits;

	(void)one;
	if (!read_header(fetcher))
		return CURL_WRITEFUNC_ERROR;
	if (!is_success(page)) /* read, so that the connection can be kept */
		return count;
	fits = count <= max - page->size ? count : max - page->size;
	if (page->size + fits > fetcher->room) {
		fetcher->room = 2 * (page->size + fits);
		page->bytes = memory_resize(page->bytes, fetcher->room, 1);
	}
	memcpy(page->bytes + page->size, bytes, fits);
	page->size += fits;
	fetcher->cut = fits < count;
	return fetcher->cut ? CURL_WRITEFUNC_ERROR : count;
}

/* Called often while bytes come, and about once a second while none do. */
static int
is_stopped(void *argument, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
	const struct fetcher *fetcher = argument;

	(void)a, (void)b, (void)c, (void)d;
	return stop_was_called(fetcher->stop);
}

struct fetcher *
fetcher_new(unsigned timeout_ms, size_t max_bytes, const struct stop *stop)
{
	struct fetcher *fetcher = memory_new(sizeof *fetcher);
	CURL *curl = curl_easy_init();
	bool good = curl != NULL;

	fetcher->curl = curl;
	fetcher->stop = stop;
	fetcher->max_bytes = max_bytes;
	good = good && curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, fetcher->message) == CURLE_OK;
	good = good && curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK;
	good = good && curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK;
	good = good &&
	       curl_easy_setopt(curl, CURLOPT_USERAGENT, CRAWL_AGENT "/" CRAWL_VERSION) == CURLE_OK;
	good = good && curl_easy_setopt(curl, CURLOPT_ACCEPT_ENCODING, "") == CURLE_OK; /* any */
	good = good && curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)timeout_ms) == CURLE_OK;
	good = good &&
	       curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)timeout_ms) == CURLE_OK;
	good = good && curl_easy_setopt(curl, CURLOPT_MAXREDIRS, ROBOTS_REDIRECTS_MAX) == CURLE_OK;
	good = good && curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_bytes) == CURLE_OK;
	good = good && curl_easy_setopt(curl, CURLOPT_WRITEDATA, fetcher) == CURLE_OK;
	good = good && curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, is_stopped) == CURLE_OK;
	good = good && curl_easy_setopt(curl, CURLOPT_XFERINFODATA, fetcher) == CURLE_OK;
	good = good && curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L) == CURLE_OK;
	if (!good) {
		fetcher_free(fetcher);
		return NULL;
	}
	return fetcher;
}

void
fetcher_free(struct fetcher *fetcher)
{
	curl_easy_cleanup(fetcher->curl);
	free(fetcher);
}

static const char *
reason_of(const struct fetcher *fetcher, CURLcode code)
{
	long error = 0;

	switch (code) {
	case CURLE_COULDNT_RESOLVE_HOST:
		return "DNS";
	case CURLE_COULDNT_CONNECT:
		curl_easy_getinfo(fetcher->curl, CURLINFO_OS_ERRNO, &error);
		return error == ECONNREFUSED ? "refused" : "unreachable";
	case CURLE_OPERATION_TIMEDOUT:
		return "time-out";
	case CURLE_BAD_CONTENT_ENCODING:
		return "broken encoding";
	case CURLE_TOO_MANY_REDIRECTS:
		return "redirect loop";
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CIPHER:
		return "TLS";
	default:
		return "broken connection";
	}
}

/* A whole answer came. */
static void
judge(struct fetcher *fetcher, const char *url)
{
	struct page *page = fetcher->page;
	const char *target = NULL;
	char status[32];

	curl_easy_getinfo(fetcher->curl, CURLINFO_REDIRECT_URL, &target);
	if (target != NULL) {
		page->target = address_resolve(url, target);
		if (page->target == NULL)
			page_fail(page, "redirect off the hosts", target);
	} else if (!is_success(page)) {
		snprintf(status, sizeof status, "status %ld", page->status);
		page_fail(page, status, NULL);
	}
}

bool
fetcher_fetch(struct fetcher *fetcher, enum fetch_what what, const char *url, struct page *page)
{
	curl_off_t microseconds = 0;
	CURLcode code;

	fetcher->what = what;
	fetcher->page = page;
	fetcher->room = 0;
	fetcher->begun = false;
	fetcher->cut = false;
	fetcher->message[0] = '\0';
	code = curl_easy_setopt(fetcher->curl, CURLOPT_URL, url);
	if (code == CURLE_OK)
		code = curl_easy_setopt(fetcher->curl, CURLOPT_FOLLOWLOCATION,
					what == FETCH_ROBOTS ? 1L : 0L);
	if (code == CURLE_OK)
		code = curl_easy_perform(fetcher->curl);
	curl_easy_getinfo(fetcher->curl, CURLINFO_TOTAL_TIME_T, &microseconds);
	page->milliseconds = (unsigned)(microseconds / 1000);
	if (code == CURLE_ABORTED_BY_CALLBACK && stop_was_called(fetcher->stop))
		return false;
	if (code == CURLE_OK || code == CURLE_TOO_MANY_REDIRECTS)
		read_header(fetcher); /* where there is no body */
	if (code == CURLE_OK) {
		if (page->error[0] == '\0')
			judge(fetcher, url);
	} else if (fetcher->cut && what == FETCH_HTML) {
		page_fail(page, "too large", NULL);
	} else if (!fetcher->cut && page->error[0] == '\0') {
		page_fail(page, reason_of(fetcher, code),
			  fetcher->message[0] != '\0' ? fetcher->message
						      : curl_easy_strerror(code));
	}
	return true;
}
