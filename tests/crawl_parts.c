/* SPDX-License-Identifier: MIT */
/* crawl_parts.c - tests of what the crawler decides by itself: addresses, robots.txt, pages, order. */
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../src/crawl.h"
#include "../src/crawl_address.h"
#include "../src/crawl_frontier.h"
#include "../src/crawl_page.h"
#include "../src/crawl_robots.h"

#include "test.h"

/* Addresses. */

static void
expect_address(const char *base, const char *reference, const char *expected)
{
	char *address = address_resolve(base, reference);

	cr_expect_eq(address == NULL, expected == NULL, "%s: %s", reference, address);
	if (address != NULL && expected != NULL)
		cr_expect_str_eq(address, expected);
	free(address);
}

TEST(address, equal_addresses_are_equal_strings)
{
	static const char *const spellings[] = {
		"http://h.org/a?b",      "HTTP://H.ORG/a?b",     "http://h.org:80/a?b",
		"http://h.org/x/../a?b", "http://h.org/./a?b#c", "http://me:secret@h.org/a?b",
		"  http://h.org/a?b\n",  "http://h.\norg/a?b",
	};

	for (size_t i = 0; i < sizeof spellings / sizeof *spellings; i++)
		expect_address(NULL, spellings[i], "http://h.org/a?b");
}

TEST(address, references_are_resolved_as_browsers_do)
{
	const char *base = "http://h/a/b?c";

	expect_address(base, "d", "http://h/a/d");
	expect_address(base, "../../d", "http://h/d");
	expect_address(base, "/d e", "http://h/d%20e");
	expect_address(base, "?d", "http://h/a/b?d");
	expect_address(base, "#d", base);
	expect_address(base, "", base);
	expect_address(base, "//i", "http://i/");
	expect_address(base, "https://i:443", "https://i/");
	expect_address(base, "http://[::1]:80/x", "http://[::1]/x");
	expect_address(NULL, "h.org", "https://h.org/");
}

TEST(address, a_host_of_other_letters_is_written_in_punycode)
{
	setlocale(LC_CTYPE, "C.UTF-8");
	expect_address("http://h/",
		       "http://b\xc3\xbc"
		       "cher.de/",
		       "http://xn--bcher-kva.de/");
}

TEST(address, what_is_no_address_of_http_is_none)
{
	static const char *const wrong[] = {"mailto:a@b", "javascript:f()", "ftp://h/",
					    "data:,x",    "http://",        "http://h:99999/"};
	char *longest = malloc(10001);

	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		expect_address("http://h/", wrong[i], NULL);
	memset(longest, 'x', 10000);
	longest[10000] = '\0';
	expect_address("http://h/", longest, NULL);
	free(longest);
}

TEST(address, has_a_host_a_site_and_a_path)
{
	char *host = address_host("http://h.org:8080/a?b"),
	     *site = address_site("http://h.org:8080/a?b");

	cr_expect_str_eq(host, "h.org");
	cr_expect_str_eq(site, "http://h.org:8080");
	cr_expect_str_eq(address_path("http://h.org:8080/a?b"), "/a?b");
	free(host);
	free(site);
}

/* robots.txt. */

static bool
allows(const char *text, const char *path)
{
	struct robots *robots = robots_parse(text, strlen(text), "sluice-crawl");
	bool allowed = robots_allow(robots, path);

	robots_free(robots);
	return allowed;
}

static unsigned
delay(const char *text)
{
	struct robots *robots = robots_parse(text, strlen(text), "sluice-crawl");
	unsigned milliseconds = robots_delay(robots);

	robots_free(robots);
	return milliseconds;
}

TEST(robots, nothing_forbids_nothing)
{
	cr_expect(allows("", "/"));
	cr_expect(allows("<html>no such page</html>", "/"));
	cr_expect(allows("Disallow: /", "/"), "it is said to nobody");
	cr_expect(allows("User-agent: *\nDisallow:\n", "/a"));
}

TEST(robots, the_group_that_names_the_program_is_the_one_that_counts)
{
	const char *text =
		"User-agent: *\nDisallow: /\n\nUser-Agent: other\nUser-agent: "
		"Sluice-Crawl/1\nDisallow: /a\n\nUser-agent: sluice-crawler\nDisallow: /b";

	cr_expect_not(allows(text, "/a"));
	cr_expect(allows(text, "/b"));
	cr_expect_not(
		allows("User-agent: sluice-crawler\nAllow: /\nUser-agent: *\nDisallow: /", "/b"));
}

TEST(robots, a_byte_order_mark_is_no_part_of_the_first_line)
{
	cr_expect_not(allows("\xef\xbb\xbfUser-agent: *\nDisallow: /", "/"));
}

TEST(robots, groups_of_one_name_are_one)
{
	const char *text = "User-agent: *\r\nDisallow: /a\rUser-agent: x\nDisallow: /c\n"
			   "User-agent: *\nDisallow: /b # and no more";

	cr_expect_not(allows(text, "/a"));
	cr_expect_not(allows(text, "/b"));
	cr_expect(allows(text, "/c"));
}

TEST(robots, the_longest_rule_decides_and_of_equals_the_one_that_allows)
{
	const char *text = "User-agent: *\nAllow: /a/b\nDisallow: /a\nDisallow: /c\nAllow: /c\n"
			   "Disallow: /d/e\nAllow: /d";

	cr_expect_not(allows(text, "/a/c"));
	cr_expect(allows(text, "/a/b/c"));
	cr_expect(allows(text, "/c"));
	cr_expect_not(allows(text, "/d/e"));
	cr_expect(allows(text, "/d/f"));
}

TEST(robots, stars_and_ends_are_understood)
{
	const char *text = "User-agent: *\nDisallow: /*.gif$\nDisallow: /x*y*z\nDisallow: /end$\n";

	cr_expect_not(allows(text, "/a/b.gif"));
	cr_expect(allows(text, "/a/b.gif?c"));
	cr_expect_not(allows(text, "/xyyyz/"));
	cr_expect(allows(text, "/xz"));
	cr_expect_not(allows(text, "/end"));
	cr_expect(allows(text, "/ending"));
}

TEST(robots, escapes_are_compared_by_what_they_stand_for)
{
	const char *text =
		"User-agent: *\nDisallow: /%7ea\nDisallow: /\xc3\xa9\nDisallow: /b%2fc\n";

	cr_expect_not(allows(text, "/~a"));
	cr_expect_not(allows(text, "/%c3%A9"));
	cr_expect_not(allows(text, "/b%2Fc"));
	cr_expect(allows(text, "/b/c"));
}

TEST(robots, a_delay_is_read_within_reason)
{
	cr_expect_eq(delay("User-agent: *\nCrawl-delay: 1.5"), 1500);
	cr_expect_eq(delay("User-agent: *\nCrawl-delay: 1e99"), 60000);
	cr_expect_eq(delay("User-agent: *\nCrawl-delay: -1"), 0);
	cr_expect_eq(delay("User-agent: *\nCrawl-delay: nan"), 0);
	cr_expect_eq(delay("User-agent: x\nCrawl-delay: 5"), 0);
}

/* Pages: what the site of crawl.c does not have. */

static void
expect_page(const char *charset, const char *text, size_t size, const char *problem,
	    const char *title, size_t length, const char *link)
{
	struct content content;
	const char *found;

	page_begin();
	found = page_read("http://h/d/p", charset, text, size, &content);
	cr_expect_eq(found == NULL, problem == NULL, "%s: %s", text, found);
	if (found != NULL) {
		if (problem != NULL)
			cr_expect_str_eq(found, problem);
		return;
	}
	cr_expect_eq(content.title == NULL, title == NULL, "%s: %s", text, content.title);
	if (content.title != NULL && title != NULL)
		cr_expect_str_eq(content.title, title);
	cr_expect_eq(content.length, length, "%s: %zu", text, content.length);
	cr_expect_eq(content.link_count, link != NULL, "%s: %zu links", text, content.link_count);
	if (content.link_count == 1 && link != NULL)
		cr_expect_str_eq(content.links[0], link);
	content_free(&content);
}

#define PAGE(charset, text, ...) expect_page(charset, text, sizeof(text) - 1, __VA_ARGS__)

TEST(page, the_first_title_counts_and_white_space_does_not)
{
	PAGE(NULL, "<title>\n a \t b </title><title>c</title>", NULL, "a b", 0, NULL);
	PAGE(NULL, "<title></title>", NULL, "", 0, NULL);
	PAGE(NULL, " x<p> y </p>\n<p>z", NULL, NULL, 5, NULL);
	PAGE(NULL, "", NULL, NULL, 0, NULL);
}

TEST(page, links_are_resolved_by_the_base_and_stand_once_each)
{
	PAGE(NULL, "<a href=x></a><a href='./x#y'></a>", NULL, NULL, 0, "http://h/d/x");
	PAGE(NULL, "<a href=x></a><base href=/z/>", NULL, NULL, 0, "http://h/z/x");
	PAGE(NULL, "<map><area href=x></map>", NULL, NULL, 0, "http://h/d/x");
	PAGE(NULL, "<iframe src=x></iframe>", NULL, NULL, 0, "http://h/d/x");
	PAGE(NULL, "<a href='x?a&amp;b'></a>", NULL, NULL, 0, "http://h/d/x?a&b");
	PAGE(NULL, "<!-- <a href=x> --><img src=y><a name=z></a>", NULL, NULL, 0, NULL);
	PAGE(NULL, "<a href=\"x\"", NULL, NULL, 0, "http://h/d/x");
}

TEST(page, the_encoding_is_the_one_that_was_named)
{
	PAGE("latin1", "<title>\x80\xe9</title>", NULL, "\xe2\x82\xac\xc3\xa9", 0, NULL);
	PAGE(NULL, "<meta charset='koi8-r'><title>\xe9</title>", NULL, "\xd0\x98", 0, NULL);
	PAGE("utf-8", "<meta charset='koi8-r'><title>\xc3\xa9</title>", NULL, "\xc3\xa9", 0, NULL);
	PAGE("koi8-r", "\xef\xbb\xbf<title>\xc3\xa9</title>", NULL, "\xc3\xa9", 0, NULL);
	PAGE(NULL, "<meta http-equiv=x content='text/html; charset=utf-8'>\xe9", "broken encoding",
	     NULL, 0, NULL);
	PAGE("utf-8", "\xc3", "broken encoding", NULL, 0, NULL);
	PAGE("no-such", "x", "broken encoding", NULL, 0, NULL);
}

TEST(page, a_nul_is_no_end)
{
	PAGE(NULL, "a\0b<a href=x></a>", NULL, NULL, 3, "http://h/d/x");
}

/* Order. */

static const char *
next(struct frontier *frontier)
{
	const struct address *address = frontier_next(frontier);

	if (address == NULL)
		return "none";
	frontier_hand_out(frontier);
	return address->url + strlen("http://h/");
}

static void
take_back_nothing(struct frontier *frontier)
{
	const struct report report = {0};

	frontier_take_back(frontier, &report);
}

static struct hosts *
host_h(void)
{
	struct hosts *hosts = hosts_new();

	hosts_add(hosts, "h");
	return hosts;
}

TEST(frontier, hands_out_the_least_depth_first_and_each_address_once)
{
	struct hosts *hosts = host_h();
	struct frontier *frontier = frontier_new(hosts, CRAWL_NO_LIMIT, CRAWL_NO_LIMIT);

	frontier_know(frontier, "http://h/known");
	frontier_offer(frontier, "http://h/known", 0, 0);
	frontier_offer(frontier, "http://h/far", 70, 0);
	frontier_offer(frontier, "http://h/a", 1, 0);
	frontier_offer(frontier, "http://h/b", 1, 0);
	frontier_offer(frontier, "http://h/a", 2, 0);
	frontier_offer(frontier, "http://other/", 0, 0);
	frontier_offer(frontier, "http://h/nearer", 9, 0);
	frontier_offer(frontier, "http://h/nearer", 0, 0);
	cr_expect_eq(frontier_size(frontier), 4);
	cr_expect_str_eq(next(frontier), "nearer");
	cr_expect_str_eq(next(frontier), "a");
	frontier_offer(frontier, "http://h/late", 0, 0);
	cr_expect_str_eq(next(frontier), "late");
	cr_expect_str_eq(next(frontier), "b");
	cr_expect_str_eq(next(frontier), "far");
	cr_expect_str_eq(next(frontier), "none");
	frontier_free(frontier);
	hosts_free(hosts);
}

TEST(frontier, a_limited_depth_is_handed_out_when_all_before_it_is_back)
{
	struct hosts *hosts = host_h();
	struct frontier *frontier = frontier_new(hosts, 1, CRAWL_NO_LIMIT);

	frontier_offer(frontier, "http://h/a", 0, 0);
	frontier_offer(frontier, "http://h/b", 0, 0);
	frontier_offer(frontier, "http://h/c", 1, 0);
	frontier_offer(frontier, "http://h/d", 2, 0);
	cr_expect_str_eq(next(frontier), "a");
	cr_expect_str_eq(next(frontier), "b");
	cr_expect_str_eq(next(frontier), "none");
	take_back_nothing(frontier);
	cr_expect_str_eq(next(frontier), "none");
	take_back_nothing(frontier);
	cr_expect_str_eq(next(frontier), "c");
	cr_expect_str_eq(next(frontier), "none");
	take_back_nothing(frontier);
	cr_expect_str_eq(next(frontier), "none");
	cr_expect_eq(frontier_size(frontier), 0);
	frontier_free(frontier);
	hosts_free(hosts);
}

TEST(frontier, no_more_are_handed_out_than_asked_for)
{
	struct hosts *hosts = host_h();
	struct frontier *frontier = frontier_new(hosts, CRAWL_NO_LIMIT, 2);

	frontier_know(frontier, "http://h/known");
	frontier_offer(frontier, "http://h/a", 0, 0);
	frontier_offer(frontier, "http://h/b", 0, 0);
	cr_expect_str_eq(next(frontier), "a");
	cr_expect_str_eq(next(frontier), "none");
	frontier_free(frontier);
	hosts_free(hosts);
}
