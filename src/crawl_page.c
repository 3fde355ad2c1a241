/* SPDX-License-Identifier: MIT */
/* crawl_page.c - see crawl_page.h. */
#include "crawl_page.h"

#include <ctype.h>
#include <errno.h>
#include <iconv.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <libxml/HTMLparser.h>
#include <libxml/parser.h>

#include "crawl_address.h"
#include "memory.h"

void
page_begin(void)
{
	xmlInitParser();
}

void
page_end(void)
{
	xmlCleanupParser();
}

/* Encodings. */

/* Where a <meta> that names an encoding must stand. */
#define META_BYTES 1024

struct text {
	char *bytes;
	size_t size;
};

/*
 * Into UTF-8, without NULs, which the parser would take for the end. Returns false where the bytes
 * are not in the encoding.
 */
static bool
convert_by(iconv_t converter, const char *bytes, size_t size, struct text *text)
{
	char *in = (char *)(size_t)bytes; /* iconv does not write there */
	size_t room = size + size / 2 + 16;
	char *out;

	text->bytes = out = memory_new(room);
	while (size > 0 && iconv(converter, &in, &size, &out, &room) == (size_t)-1) {
		size_t done = (size_t)(out - text->bytes);

		if (errno != E2BIG) {
			free(text->bytes);
			return false;
		}
		room += size * 2 + 16;
		text->bytes = memory_resize(text->bytes, done + room, 1);
		out = text->bytes + done;
	}
	text->size = (size_t)(out - text->bytes);
	for (char *nul = text->bytes; (nul = memchr(nul, '\0', (size_t)(out - nul))) != NULL;)
		*nul = ' ';
	return true;
}

/*
 * The same, and false where the encoding is not known. gcc 12's analyzer takes for open, and lost,
 * what iconv_open returns when it fails.
 */
#if !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wanalyzer-malloc-leak"
#endif
static bool
convert(const char *charset, const char *bytes, size_t size, struct text *text)
{
	iconv_t converter = iconv_open("UTF-8", charset);
	bool good = false;

	if (converter != (iconv_t)-1) {
		good = convert_by(converter, bytes, size, text);
		iconv_close(converter);
	}
	return good;
}
#if !defined(__clang__)
#pragma GCC diagnostic pop
#endif

/* On the web these names mean more than they say. */
static const char *
meant_by(const char *charset)
{
	static const char *const latin[] = {"iso-8859-1", "iso8859-1", "latin1", "us-ascii",
					    "ascii"};

	for (size_t i = 0; i < sizeof latin / sizeof *latin; i++) {
		if (strcasecmp(charset, latin[i]) == 0)
			return "windows-1252";
	}
	return charset;
}

/* The encoding that the page itself names in a <meta>, in name[]; or false. */
static bool
find_meta(const char *bytes, size_t size, char *name, size_t name_size)
{
	const char *end = bytes + (size < META_BYTES ? size : META_BYTES);
	const char *tag_end;

	for (; (bytes = memchr(bytes, '<', (size_t)(end - bytes))) != NULL; bytes++) {
		if (end - bytes < 6 || strncasecmp(bytes, "<meta", 5) != 0)
			continue;
		tag_end = memchr(bytes, '>', (size_t)(end - bytes));
		if (tag_end == NULL)
			return false;
		for (const char *at = bytes; tag_end - at > 8; at++) {
			size_t length = 0;

			if (strncasecmp(at, "charset", 7) != 0)
				continue;
			for (at += 7; at < tag_end && strchr(" \t\r\n=\"'", *at) != NULL; at++)
				;
			while (at + length < tag_end && length + 1 < name_size &&
			       (isalnum((unsigned char)at[length]) ||
				strchr("-_:.", at[length]) != NULL))
				length++;
			memcpy(name, at, length);
			name[length] = '\0';
			return length > 0;
		}
	}
	return false;
}

static bool
decode(const char *charset, const char *bytes, size_t size, struct text *text)
{
	static const struct {
		const char *bytes;
		size_t size;
		const char *charset;
	} marks[] = {
		{"\xef\xbb\xbf", 3, "UTF-8"},
		{"\xff\xfe", 2, "UTF-16LE"},
		{"\xfe\xff", 2, "UTF-16BE"},
	};
	char name[64];

	for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
		if (size >= marks[i].size && memcmp(bytes, marks[i].bytes, marks[i].size) == 0) {
			bytes += marks[i].size;
			size -= marks[i].size;
			charset = marks[i].charset;
			break;
		}
	}
	if (charset == NULL && find_meta(bytes, size, name, sizeof name))
		charset = strncasecmp(name, "utf-16", 6) == 0 ? "UTF-8" : name; /* it was read */
	if (charset != NULL)
		return convert(meant_by(charset), bytes, size, text);
	return convert("UTF-8", bytes, size, text) || convert("windows-1252", bytes, size, text);
}

/* Text, white space collapsed. */

struct collapsed {
	char *bytes; /* NULL: it is only counted */
	size_t size;
	size_t characters;
	bool space; /* some was met since the last character */
};

/* In UTF-8 every byte that is no continuation begins a character. */
static void
append(struct collapsed *text, const char *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		bool space = strchr(" \t\r\n\f", bytes[i]) != NULL;

		if (!space) {
			if (text->space && text->characters > 0) {
				text->characters++;
				if (text->bytes != NULL)
					text->bytes[text->size++] = ' ';
			}
			if (((unsigned char)bytes[i] & 0xc0) != 0x80)
				text->characters++;
			if (text->bytes != NULL)
				text->bytes[text->size++] = bytes[i];
		}
		text->space = space;
	}
}

/* The parser's reports. */

/*
 * How deep a page may nest, in elements not closed. For each end tag libxml2 looks through all of
 * them: 500 KB of <div> with as much of </p> took it 15 s, with this limit a tenth of one.
 */
#define NESTING_MAX 2000

struct reader {
	const char *url;
	char *base;
	struct collapsed text;
	struct collapsed title;
	size_t room; /* for the bytes of the title */
	bool in_title;
	bool title_seen;
	unsigned open; /* elements */
	bool too_deep;
	unsigned silent;   /* how many <script> and <style> are open */
	char **references; /* as they stand in the page */
	size_t count;
};

static const char *
attribute(const xmlChar **attributes, const char *name)
{
	for (; attributes != NULL && attributes[0] != NULL; attributes += 2) {
		if (strcmp((const char *)attributes[0], name) == 0)
			return (const char *)attributes[1];
	}
	return NULL;
}

static void
start_element(void *argument, const xmlChar *xml_name, const xmlChar **attributes)
{
	struct reader *reader = argument;
	const char *name = (const char *)xml_name;
	const char *reference = NULL;

	if (++reader->open > NESTING_MAX)
		reader->too_deep = true;
	if (strcmp(name, "a") == 0 || strcmp(name, "area") == 0)
		reference = attribute(attributes, "href");
	else if (strcmp(name, "frame") == 0 || strcmp(name, "iframe") == 0)
		reference = attribute(attributes, "src");
	else if (strcmp(name, "title") == 0)
		reader->in_title = true;
	else if (strcmp(name, "script") == 0 || strcmp(name, "style") == 0)
		reader->silent++;
	else if (strcmp(name, "base") == 0 && reader->base == NULL &&
		 attribute(attributes, "href") != NULL)
		reader->base = address_resolve(reader->url, attribute(attributes, "href"));
	if (reference == NULL)
		return;
	if ((reader->count & (reader->count - 1)) ==
	    0) /* a power of two: so many there is room for */
		reader->references =
			memory_resize(reader->references, reader->count > 0 ? 2 * reader->count : 1,
				      sizeof *reader->references);
	reader->references[reader->count++] = memory_copy(reference);
}

static void
end_element(void *argument, const xmlChar *xml_name)
{
	struct reader *reader = argument;
	const char *name = (const char *)xml_name;

	reader->open--;
	if (strcmp(name, "title") == 0) {
		reader->title_seen = true;
		reader->in_title = false;
	} else if ((strcmp(name, "script") == 0 || strcmp(name, "style") == 0) &&
		   reader->silent > 0) {
		reader->silent--;
	}
}

static void
characters(void *argument, const xmlChar *bytes, int count)
{
	struct reader *reader = argument;
	size_t size = (size_t)count;

	if (reader->silent > 0 || (reader->in_title && reader->title_seen))
		return;
	if (!reader->in_title) {
		append(&reader->text, (const char *)bytes, size);
		return;
	}
	if (reader->title.size + size + 1 > reader->room) { /* one more: a space */
		reader->room = 2 * (reader->title.size + size + 1);
		reader->title.bytes = memory_resize(reader->title.bytes, reader->room, 1);
	}
	append(&reader->title, (const char *)bytes, size);
}

static void
parse(struct reader *reader, const struct text *text)
{
	htmlSAXHandler handler = {
		.startElement = start_element,
		.endElement = end_element,
		.characters = characters,
		.ignorableWhitespace = characters,
		.cdataBlock = characters,
	};
	/* In pieces: between two of them it can be given up. */
	const size_t piece_max = 1 << 16;
	htmlParserCtxtPtr parser =
		htmlCreatePushParserCtxt(&handler, reader, NULL, 0, NULL, XML_CHAR_ENCODING_UTF8);

	if (parser == NULL)
		memory_end();
	htmlCtxtUseOptions(parser, HTML_PARSE_NONET | HTML_PARSE_NOERROR | HTML_PARSE_NOWARNING |
					   HTML_PARSE_IGNORE_ENC);
	for (size_t done = 0; done < text->size && !reader->too_deep;) {
		size_t left = text->size - done;
		size_t piece = left < piece_max ? left : piece_max;

		htmlParseChunk(parser, text->bytes + done, (int)piece, 0);
		done += piece;
	}
	htmlParseChunk(parser, NULL, 0, 1);
	htmlFreeParserCtxt(parser);
}

static int
compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Resolves the references in place, drops what is no address, and keeps each once. */
static void
resolve(struct reader *reader, struct content *content)
{
	const char *base = reader->base != NULL ? reader->base : reader->url;
	char **links = reader->references;
	size_t count = 0, kept = 0;

	for (size_t i = 0; i < reader->count; i++) {
		char *reference = links[i];
		char *address = address_resolve(base, reference);

		free(reference);
		if (address != NULL)
			links[count++] = address;
	}
	if (count > 0)
		qsort(links, count, sizeof *links, compare);
	for (size_t i = 0; i < count; i++) {
		if (kept > 0 && strcmp(links[kept - 1], links[i]) == 0)
			free(links[i]);
		else
			links[kept++] = links[i];
	}
	content->links = links;
	content->link_count = kept;
}

const char *
page_read(const char *url, const char *charset, const char *bytes, size_t size,
	  struct content *content)
{
	struct reader reader = {.url = url};
	struct text text;

	if (!decode(charset, size > 0 ? bytes : "", size, &text))
		return "broken encoding";
	parse(&reader, &text);
	free(text.bytes);
	*content = (struct content){.length = reader.text.characters};
	if (reader.title_seen || reader.in_title)
		content->title = memory_copy_part(
			reader.title.bytes != NULL ? reader.title.bytes : "", reader.title.size);
	free(reader.title.bytes);
	resolve(&reader, content);
	free(reader.base);
	if (reader.too_deep) {
		content_free(content);
		*content = (struct content){0};
		return "nested too deeply";
	}
	return NULL;
}

void
content_free(struct content *content)
{
	for (size_t i = 0; i < content->link_count; i++)
		free(content->links[i]);
	free(content->links);
	free(content->title);
}
