/* SPDX-License-Identifier: MIT */
/*
 * crawl_page.h - from the bytes of an HTML page to what is kept of it.
 *
 *   title    the text of its first <title>, white space collapsed; NULL if there is none
 *   length   characters of its text outside <title>, <script> and <style>: a run of white space
 *            counts as one, none at either end
 *   links    where <a>, <area>, <frame> and <iframe> lead, by <base> where there is one: canonical
 *            addresses, each once, in the order of their bytes
 *
 * The bytes are read by the encoding of their byte order mark; else of the Content-Type; else of the
 * page's <meta>; else as UTF-8 if they are UTF-8, and as windows-1252 if not, as browsers do. What
 * is not in the encoding that was named is an error of the page.
 *
 * The parser is libxml2's for HTML, which reports elements as it meets them: no tree is built, and
 * nothing recurses however deep a page nests.
 *
 * Any number of threads, after one call of page_begin.
 */
#ifndef CRAWL_PAGE_H
#define CRAWL_PAGE_H

#include <stddef.h>

struct content {
	char *title;
	size_t length;
	size_t link_count;
	char **links;
};

/* Once, before there are threads; and once when there are none any more. */
void page_begin(void);
void page_end(void);

/*
 * page_read - reads the page that stands at the canonical address url. charset: of the Content-Type,
 * or NULL. bytes: may be NULL where there are none. Returns NULL, the content to be freed by content_free, or why it cannot be read.
 */
const char *page_read(const char *url, const char *charset, const char *bytes, size_t size,
		      struct content *content);
void content_free(struct content *content);

#endif
