/* SPDX-License-Identifier: MIT */
/* crawl_site.c - see crawl_site.h. */
#define _GNU_SOURCE /* asprintf */
#include "crawl_site.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define LARGE_BYTES 200000

static void *
must(void *pointer)
{
	if (pointer == NULL)
		abort();
	return pointer;
}

__attribute__((format(printf, 1, 2))) static char *
print(const char *format, ...)
{
	va_list arguments;
	char *text;

	va_start(arguments, format);
	if (vasprintf(&text, format, arguments) < 0)
		abort();
	va_end(arguments);
	return text;
}

/* Making the site. */

static struct site_page *
add(struct site *site, char *path)
{
	struct site_page *page;

	if ((site->page_count & (site->page_count - 1)) == 0)
		site->pages = must(
			realloc(site->pages, (site->page_count > 0 ? 2 * site->page_count : 1) *
						     sizeof *site->pages));
	page = &site->pages[site->page_count++];
	*page = (struct site_page){.path = path, .status = 200, .header = "", .type = "text/html"};
	return page;
}

static void
append(struct site_page *page, const char *text)
{
	size_t size = strlen(text);

	page->body = must(realloc(page->body, page->size + size + 1));
	memcpy(page->body + page->size, text, size + 1);
	page->size += size;
}

/* A link as it is written, and what it means; no text of its own. */
static void
link_to(struct site_page *page, const char *reference, char *url)
{
	char *element = print("<a href=\"%s\"></a>", reference);

	append(page, element);
	free(element);
	for (size_t i = 0; i < page->link_count; i++) {
		if (strcmp(page->links[i], url) == 0) {
			free(url);
			return;
		}
	}
	page->links = must(realloc(page->links, (page->link_count + 1) * sizeof *page->links));
	page->links[page->link_count++] = url;
}

static char *
url_of(const struct site *site, const char *path)
{
	return print("http://127.0.0.1:%u%s", site->port, path);
}

static void
link_within(const struct site *site, struct site_page *page, const char *path)
{
	link_to(page, path, url_of(site, path));
}

/* The text is plain, its white space single. */
static void
title(struct site_page *page, char *text)
{
	append(page, "<!DOCTYPE html><html><head><title>");
	append(page, text);
	append(page, "</title></head><body>");
	page->title = text;
}

static void
text(struct site_page *page, const char *words)
{
	append(page, "<p>");
	append(page, words);
	append(page, "</p>");
	page->length += strlen(words);
}

/* One of the numbered pages: a binary tree, with further links in other spellings. */
static void
add_numbered(struct site *site, unsigned i, unsigned count)
{
	struct site_page *page = add(site, print("/p/%u", i));
	char *path;

	title(page, print("Page %u", i));
	text(page, "Some words.");
	for (unsigned child = 2 * i + 1; child <= 2 * i + 2; child++) {
		if (child < count) {
			path = print("/p/%u", child);
			link_within(site, page, path);
			free(path);
		}
	}
	path = print("%u", (i * 7 + 1) % count); /* beside it */
	link_to(page, path, print("http://127.0.0.1:%u/p/%s", site->port, path));
	free(path);
	path = print("../p/./%u#part", (i * 31 + 3) % count);
	link_to(page, path, print("http://127.0.0.1:%u/p/%u", site->port, (i * 31 + 3) % count));
	free(path);
	link_to(page, "/", url_of(site, "/"));
	link_to(page, "#top", url_of(site, page->path));
	link_to(page, "http://elsewhere.invalid", print("http://elsewhere.invalid/"));
	append(page,
	       "<a href=\"mailto:someone@elsewhere.invalid\"></a><a href=\"javascript:f()\"></a>"
	       "<script>var no = '<a href=\"/script\">';</script><style>p { }</style>");
	if (i % 50 == 7) { /* a large one */
		char *words = must(malloc(LARGE_BYTES + 1));

		memset(words, 'x', LARGE_BYTES);
		words[LARGE_BYTES] = '\0';
		text(page, words);
		free(words);
	}
	if (i % 200 == 13)
		page->slow_ms = 20;
}

static void
add_redirect(struct site *site, char *path, int status, char *to, char *url)
{
	struct site_page *page = add(site, path);

	page->status = status;
	page->header = print("Location: %s\r\n", to);
	page->target = url;
	free(to);
}

static struct site_page *
add_wrong(struct site *site, const char *path, const char *error)
{
	struct site_page *page = add(site, print("%s", path));

	append(page, "<title>Wrong</title><a href=\"/never\"></a>");
	page->error = error;
	return page;
}

static void
add_status(struct site *site, const char *path, int status, const char *error)
{
	add_wrong(site, path, error)->status = status;
}

/* <title>Zipped</title>Small<a href="/p/0"></a> by gzip -n9 */
static const unsigned char zipped[] = {
	0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03, 0xb3, 0x29, 0xc9, 0x2c, 0xc9,
	0x49, 0xb5, 0x8b, 0xca, 0x2c, 0x28, 0x48, 0x4d, 0xb1, 0xd1, 0x87, 0xf0, 0x82, 0x73, 0x13,
	0x73, 0x72, 0x6c, 0x12, 0x15, 0x32, 0x8a, 0x52, 0xd3, 0x6c, 0x95, 0xf4, 0x0b, 0xf4, 0x0d,
	0x94, 0xec, 0x6c, 0xf4, 0x13, 0xed, 0x00, 0x70, 0xac, 0xc9, 0x79, 0x2d, 0x00, 0x00, 0x00};

static void
add_body(struct site *site, const char *path, const void *bytes, size_t size,
	 const char *page_title, size_t length)
{
	struct site_page *page = add(site, print("%s", path));

	page->body = must(malloc(size));
	memcpy(page->body, bytes, size);
	page->size = size;
	page->title = print("%s", page_title);
	page->length = length;
}

#define BODY(site, path, bytes, title, length)                                                     \
	add_body(site, path, bytes, sizeof(bytes) - 1, title, length)

static void
add_odd_pages(struct site *site)
{
	struct site_page *page;

	BODY(site, "/latin1", "<title>caf\xe9</title>na\xefve", "caf\xc3\xa9", 5);
	BODY(site, "/utf16", "\xff\xfe<\0t\0i\0t\0l\0e\0>\0\xe9\0<\0/\0t\0i\0t\0l\0e\0>\0y\0",
	     "\xc3\xa9", 1);
	BODY(site, "/entities", "<title>a &amp;\n b</title> x  &eacute;<br>&lt; ", "a & b", 4);
	BODY(site, "/xhtml?a=1", "<html><title>X</title>x</html>", "X", 1);
	site->pages[site->page_count - 1].type = "application/xhtml+xml";
	page = add(site, print("/empty"));
	page->body = print("%s", "");
	page = add(site, print("/base"));
	append(page, "<base href=\"/p/\">");
	link_to(page, "1", url_of(site, "/p/1"));
	page = add(site, print("/zipped"));
	page->header = "Content-Encoding: gzip\r\n";
	page->body = must(malloc(sizeof zipped));
	memcpy(page->body, zipped, sizeof zipped);
	page->size = sizeof zipped;
	page->title = print("Zipped");
	page->length = strlen("Small");
	page->links = must(malloc(sizeof *page->links));
	page->links[page->link_count++] = url_of(site, "/p/0");
}

static void
add_wrong_pages(struct site *site)
{
	struct site_page *page;
	char *large;

	add_status(site, "/e/404", 404, "status 404");
	add_status(site, "/e/410", 410, "status 410");
	add_status(site, "/e/500", 500, "status 500");
	add_status(site, "/e/503", 503, "status 503");
	add_wrong(site, "/plain.txt", "not HTML")->type = "text/plain";
	add_wrong(site, "/image.png", "not HTML")->type = "image/png";
	add_wrong(site, "/nothing.png", "not HTML")->type = "image/png";
	site->pages[site->page_count - 1].size = 0;
	add_wrong(site, "/hang-up", "broken connection")->manner = SITE_HANG_UP;
	add_wrong(site, "/cut", "broken connection")->manner = SITE_CUT;
	add_wrong(site, "/private/1", "robots.txt")->forbidden = true;
	add_wrong(site, "/broken.zip.html", "broken encoding")->header =
		"Content-Encoding: gzip\r\n";
	page = add_wrong(site, "/broken-encoding", "broken encoding");
	append(page, "\xc3\x28");
	page->type = "text/html; charset=utf-8";
	page = add_wrong(site, "/unknown-encoding", "broken encoding");
	page->type = "text/html; charset=\"no-such-thing\"";
	page = add_wrong(site, "/deep", "nested too deeply");
	for (int i = 0; i < 5000; i++)
		append(page, "<div>");
	large = must(malloc(SITE_MAX_BYTES + 2));
	memset(large, 'x', SITE_MAX_BYTES + 1);
	large[SITE_MAX_BYTES + 1] = '\0';
	append(add_wrong(site, "/huge", "too large"), large);
	page = add_wrong(site, "/huge-unannounced", "too large");
	page->manner = SITE_UNANNOUNCED;
	append(page, large);
	free(large);
}

static void
add_redirects(struct site *site)
{
	static const char *const loops[][2] = {
		{"/loop/a", "/loop/b"},  {"/loop/b", "/loop/c"},    {"/loop/c", "/loop/a"},
		{"/loop/in", "/loop/b"}, {"/loop/in2", "/loop/in"}, {"/loop/self", "/loop/self"},
	};

	for (unsigned i = 0; i < 40; i++) {
		static const int statuses[] = {301, 302, 303, 307, 308};
		char *to = print("/p/%u", i * 3);

		add_redirect(site, print("/r/%u", i), statuses[i % 5], to, url_of(site, to));
	}
	add_redirect(site, print("/chain/0"), 302, print("1"), url_of(site, "/chain/1"));
	add_redirect(site, print("/chain/1"), 302, print("../chain/2#x"), url_of(site, "/chain/2"));
	add_redirect(site, print("/chain/2"), 302, url_of(site, "/behind"),
		     url_of(site, "/behind"));
	BODY(site, "/behind", "<title>Behind redirects</title>", "Behind redirects", 0);
	for (size_t i = 0; i < sizeof loops / sizeof *loops; i++) {
		add_redirect(site, print("%s", loops[i][0]), 302, print("%s", loops[i][1]),
			     url_of(site, loops[i][1]));
		site->pages[site->page_count - 1].error = "redirect loop";
	}
	for (unsigned i = 0; i <= 10; i++) { /* there is no end to them, but to patience */
		char *to = print("/long/%u", i + 1);

		add_redirect(site, print("/long/%u", i), 302, to, url_of(site, to));
	}
	site->pages[site->page_count - 1].error = "too many redirects";
	add_redirect(site, print("/away"), 302, print("http://elsewhere.invalid/"),
		     print("http://elsewhere.invalid/"));
	site->pages[site->page_count - 1].error = "redirect off the hosts";
	add_redirect(site, print("/to-ftp"), 302, print("ftp://elsewhere.invalid/"), NULL);
	site->pages[site->page_count - 1].error = "redirect off the hosts";
	add_redirect(site, print("/to-private"), 302, print("/private/2"),
		     url_of(site, "/private/2"));
	add_wrong(site, "/private/2", "robots.txt")->forbidden = true;
}

/* Whom nobody links to, "/" does: also the last of the pages, which is an address without a server. */
static void
add_start(struct site *site, unsigned count)
{
	static const char *const elsewhere[] = {"/p/",     "/r/",     "/private/2", "/loop/b",
						"/loop/c", "/chain/", "/behind",    "/long/"};
	static const char *const beginnings[] = {"/chain/0", "/long/0", "/p/0"};
	struct site_page *start, *refused;
	size_t others = site->page_count;

	refused = add(site, print("%s", ""));
	refused->url = print("http://127.0.0.1:1/");
	refused->error = "refused";
	start = add(site, print("/"));
	title(start, print("Start"));
	text(start, "From here.");
	for (size_t i = 0; i < others; i++) {
		const char *path = site->pages[i].path;
		bool led_to = false;

		for (size_t j = 0; j < sizeof elsewhere / sizeof *elsewhere; j++)
			led_to = led_to || strncmp(path, elsewhere[j], strlen(elsewhere[j])) == 0;
		for (size_t j = 0; j < sizeof beginnings / sizeof *beginnings; j++)
			led_to = led_to && strcmp(path, beginnings[j]) != 0;
		if (!led_to)
			link_within(site, start, path);
	}
	link_to(start, "http://127.0.0.1:1", print("http://127.0.0.1:1/"));
	for (unsigned i = 0; i < 40; i++) { /* a numbered page leads to a redirect */
		char *path = print("/p/%u", (i * 53) % count);
		char *redirect = print("/r/%u", i);

		for (size_t j = 0; j < others; j++) {
			if (strcmp(site->pages[j].path, path) == 0)
				link_within(site, &site->pages[j], redirect);
		}
		free(path);
		free(redirect);
	}
}

static int
compare(const void *a, const void *b)
{
	return strcmp(((const struct site_page *)a)->path, ((const struct site_page *)b)->path);
}

struct site_page *
site_find(struct site *site, const char *path)
{
	struct site_page key = {.path = (char *)(uintptr_t)path};

	return bsearch(&key, site->pages, site->page_count, sizeof key, compare);
}

struct site_page *
site_find_url(struct site *site, const char *url)
{
	size_t length = strlen(site->url) - 1;

	if (strcmp(url, "http://127.0.0.1:1/") == 0)
		return site_find(site, "");
	return strncmp(url, site->url, length) == 0 ? site_find(site, url + length) : NULL;
}

static bool
come_nearer(struct site *site, const char *url, unsigned depth)
{
	struct site_page *page = site_find_url(site, url);

	if (page == NULL || page->depth <= depth)
		return false;
	page->depth = depth;
	return true;
}

/* What cannot be read leads nowhere, and a redirect is no step. */
static void
find_depths(struct site *site)
{
	bool changed = true;

	for (size_t i = 0; i < site->page_count; i++)
		site->pages[i].depth = SITE_FAR;
	site_find(site, "/")->depth = 0;
	while (changed) {
		changed = false;
		for (size_t i = 0; i < site->page_count; i++) {
			struct site_page *page = &site->pages[i];
			bool loop =
				page->error != NULL && strcmp(page->error, "redirect loop") == 0;

			if (page->depth == SITE_FAR || (page->error != NULL && !loop))
				continue;
			if (page->target != NULL)
				changed |= come_nearer(site, page->target, page->depth);
			for (size_t j = 0; j < page->link_count; j++)
				changed |= come_nearer(site, page->links[j], page->depth + 1);
		}
	}
}

/* The server. */

static bool
send_all(int fd, const char *bytes, size_t size)
{
	while (size > 0) {
		ssize_t sent = send(fd, bytes, size, MSG_NOSIGNAL);

		if (sent < 0 && errno != EINTR)
			return false;
		if (sent > 0) {
			bytes += sent;
			size -= (size_t)sent;
		}
	}
	return true;
}

/* Returns whether the connection may go on. */
static bool
answer(int fd, const struct site_page *page)
{
	bool announced = page->manner != SITE_UNANNOUNCED;
	size_t extra = page->manner == SITE_CUT ? 10 : 0;
	char *length = announced ? print("Content-Length: %zu\r\n", page->size + extra) : NULL;
	char *type = page->type != NULL ? print("Content-Type: %s\r\n", page->type) : NULL;
	char *head = print("HTTP/1.1 %d -\r\n%s%s%s%s\r\n", page->status, page->header,
			   type != NULL ? type : "", announced ? length : "",
			   announced ? "" : "Connection: close\r\n");
	size_t head_size;
	bool good;

	if (page->slow_ms > 0)
		nanosleep(&(struct timespec){.tv_nsec = page->slow_ms * 1000000L}, NULL);
	/* In one piece, so that no body waits for its head to be acknowledged. */
	head_size = strlen(head);
	head = must(realloc(head, head_size + page->size + 1));
	if (page->size > 0)
		memcpy(head + head_size, page->body, page->size);
	good = send_all(fd, head, head_size + page->size);
	free(head);
	free(type);
	free(length);
	return good && page->manner == SITE_WHOLE;
}

static bool
respond(struct site *site, int fd, char *request)
{
	static const struct site_page missing = {.status = 404, .header = ""};
	char *path = request + strlen("GET ");
	struct site_page *page;

	if (strncmp(request, "GET ", 4) != 0)
		return false;
	site->agents += strstr(request, "\r\nUser-Agent: sluice-crawl/") != NULL;
	path[strcspn(path, " \r\n")] = '\0';
	if (strcmp(path, "/robots.txt") == 0) {
		site->robots_requests++;
		if (site->on_request != NULL)
			site->on_request(site, NULL, 0);
		return site->robots.manner != SITE_HANG_UP && answer(fd, &site->robots);
	}
	page = site_find(site, path);
	if (page == NULL) {
		site->strays++;
		return answer(fd, &missing);
	}
	page->requests++;
	if (site->on_request != NULL)
		site->on_request(site, page, ++site->requests);
	else
		site->requests++;
	if (page->manner == SITE_HANG_UP)
		return false;
	while (page->manner == SITE_NEVER && recv(fd, request, 1, 0) > 0)
		;
	return page->manner != SITE_NEVER && answer(fd, page);
}

struct connection {
	struct site *site;
	int fd;
};

static void *
serve(void *argument)
{
	struct connection *connection = argument;
	char request[8192];
	size_t size = 0;
	bool good = true;

	while (good) {
		ssize_t got = recv(connection->fd, request + size, sizeof request - 1 - size, 0);

		if (got <= 0)
			break;
		size += (size_t)got;
		request[size] = '\0';
		if (request[0] != 'G') /* TLS, for one */
			break;
		/* Nobody sends a request before the answer to the last. */
		if (strstr(request, "\r\n\r\n") == NULL)
			continue;
		good = respond(connection->site, connection->fd, request);
		size = 0;
	}
	close(connection->fd);
	free(connection);
	return NULL;
}

static void
start_thread(void *(*work)(void *), void *argument)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, work, argument) != 0)
		abort();
	pthread_detach(thread);
}

static void *
listen_for_ever(void *argument)
{
	struct site *site = argument;

	for (;;) {
		struct connection *connection = must(malloc(sizeof *connection));

		connection->site = site;
		do
			connection->fd = accept(site->listener, NULL, NULL);
		while (connection->fd < 0);
		start_thread(serve, connection);
	}
	return NULL;
}

/* Not allocated, as tests put other texts in its place. */
static char robots[] = "# for all\nUser-agent: *\nDisallow: /private/\n";

void
site_start(struct site *site, unsigned count)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof address;

	if (count == 0)
		abort();
	*site = (struct site){.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
	if (site->listener < 0 || bind(site->listener, (struct sockaddr *)&address, size) != 0 ||
	    listen(site->listener, 100) != 0 ||
	    getsockname(site->listener, (struct sockaddr *)&address, &size) != 0)
		abort();
	site->port = ntohs(address.sin_port);
	snprintf(site->url, sizeof site->url, "http://127.0.0.1:%u/", site->port);

	site->robots = (struct site_page){
		.status = 200,
		.header = "",
		.type = "text/plain",
		.body = robots,
		.size = strlen(robots),
	};
	for (unsigned i = 0; i < count; i++)
		add_numbered(site, i, count);
	add_odd_pages(site);
	add_wrong_pages(site);
	add_redirects(site);
	add_start(site, count);
	qsort(site->pages, site->page_count, sizeof *site->pages, compare);
	for (size_t i = 0; i < site->page_count; i++) {
		if (site->pages[i].url == NULL)
			site->pages[i].url = url_of(site, site->pages[i].path);
	}
	find_depths(site);
	start_thread(listen_for_ever, site);
}
