/* SPDX-License-Identifier: MIT */
/*
 * crawl.c - tests of the program sluice-crawl, from outside, against a site that knows the truth.
 *
 * Each test starts the real program and a real server (crawl_site.h), and then compares the database
 * with what the site says must be there: row by row, link by link, and how often the server was
 * asked. Nothing depends on time: where something is to happen in the middle of a crawl, the server
 * does it when a certain request comes.
 */
#include <pty.h>
#include <sched.h>
#include <stdint.h>
#include <sys/stat.h>
#include <time.h>

#include <sqlite3.h>

#include "crawl_site.h"
#include "program.h"

#define PAGES 2000 /* numbered ones */

static struct site site;
static char folder[] = "/tmp/test-crawl-XXXXXX";

static void
set_up(void)
{
	cr_assert_not_null(mkdtemp(folder));
	cr_assert_eq(chdir(folder), 0);
	/* What the surroundings say of proxies is not meant for loopback. */
	setenv("no_proxy", "*", 1);
}

static void
tear_down(void)
{
	static const char *const files[] = {"crawl.db", "crawl.db-wal", "crawl.db-shm", "other.db"};

	for (size_t i = 0; i < sizeof files / sizeof *files; i++)
		unlink(files[i]);
	rmdir(folder);
}

TestSuite(crawl, .init = set_up, .fini = tear_down);
TestSuite(ending, .init = set_up, .fini = tear_down);
TestSuite(usage, .init = set_up, .fini = tear_down);

/* The program with what every crawl here needs, and more. */
#define CRAWL(...)                                                                                 \
	ARGUMENTS(SLUICE_CRAWL, "--delay", "0", "--max-bytes", "300000", "--timeout", "60",        \
		  __VA_ARGS__)
#define RUN(...) run(ARGUMENTS(SLUICE_CRAWL, __VA_ARGS__))

/* The database. */

static sqlite3 *
open_db(void)
{
	sqlite3 *db;

	cr_assert_eq(sqlite3_open_v2("crawl.db", &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
	return db;
}

/* The one number or text that the query gives. */
static const char *
value(const char *query)
{
	sqlite3 *db = open_db();
	sqlite3_stmt *statement;
	const char *found;
	char *copy;

	cr_assert_eq(sqlite3_prepare_v2(db, query, -1, &statement, NULL), SQLITE_OK, "%s: %s",
		     query, sqlite3_errmsg(db));
	cr_assert_eq(sqlite3_step(statement), SQLITE_ROW, "%s", query);
	found = (const char *)sqlite3_column_text(statement, 0);
	if (found == NULL)
		found = "";
	copy = memcpy(text_of_size(strlen(found)), found, strlen(found));
	sqlite3_finalize(statement);
	sqlite3_close(db);
	return copy;
}

static long
number(const char *query)
{
	return strtol(value(query), NULL, 10);
}

static bool
same(const char *a, const char *b)
{
	return strcmp(a != NULL ? a : "", b != NULL ? b : "") == 0;
}

static const char *
column(sqlite3_stmt *statement, int place)
{
	return (const char *)sqlite3_column_text(statement, place);
}

/* Does the row say what the site knows? The columns are those of the query below. */
static void
check_row(sqlite3_stmt *row, const struct site_page *page)
{
	bool fetched = page->error == NULL && page->target == NULL;

	cr_expect(same(column(row, 1), page->error), "%s: error %s, not %s", page->url,
		  column(row, 1), page->error);
	cr_expect(same(column(row, 2), page->target), "%s: target %s", page->url, column(row, 2));
	cr_expect(same(column(row, 3), fetched ? page->title : NULL), "%s: title %s", page->url,
		  column(row, 3));
	cr_expect_eq(sqlite3_column_int64(row, 4), fetched ? (sqlite3_int64)page->length : 0,
		     "%s: length %lld", page->url, sqlite3_column_int64(row, 4));
	if (fetched)
		cr_expect_eq(sqlite3_column_int(row, 5), 200, "%s", page->url);
}

static void
check_links(sqlite3 *db, sqlite3_int64 id, const struct site_page *page)
{
	size_t count = page->error == NULL ? page->link_count : 0, stored = 0;
	sqlite3_stmt *links;

	sqlite3_prepare_v2(db, "SELECT url FROM links WHERE page = ?", -1, &links, NULL);
	sqlite3_bind_int64(links, 1, id);
	for (; sqlite3_step(links) == SQLITE_ROW; stored++) {
		bool known = false;

		for (size_t i = 0; i < count && !known; i++)
			known = same(page->links[i], column(links, 0));
		cr_expect(known, "%s does not lead to %s", page->url, column(links, 0));
	}
	sqlite3_finalize(links);
	cr_expect_eq(stored, count, "%s: %zu links, not %zu", page->url, stored, count);
}

/*
 * Exactly what can be reached by `depth` links is stored, each once (the database keeps an address
 * from being twice in it), as it is. exact: with the depth that each has.
 */
static void
expect_site_to_depth(unsigned depth, bool exact)
{
	sqlite3 *db = open_db();
	sqlite3_stmt *rows;
	size_t stored = 0, reachable = 0;

	for (size_t i = 0; i < site.page_count; i++)
		reachable += site.pages[i].depth <= depth;
	cr_assert_eq(
		sqlite3_prepare_v2(db,
				   "SELECT url, error, target, title, length, status, id, depth"
				   " FROM pages",
				   -1, &rows, NULL),
		SQLITE_OK);
	for (; sqlite3_step(rows) == SQLITE_ROW; stored++) {
		const struct site_page *page = site_find_url(&site, column(rows, 0));

		cr_assert_not_null(page, "%s is not on the site", column(rows, 0));
		cr_expect_leq(page->depth, depth, "%s is too far away", page->url);
		if (exact)
			cr_expect_eq(sqlite3_column_int64(rows, 7), page->depth, "%s", page->url);
		check_row(rows, page);
		check_links(db, sqlite3_column_int64(rows, 6), page);
	}
	cr_expect_eq(stored, reachable, "%zu rows, not %zu", stored, reachable);
	sqlite3_finalize(rows);
	sqlite3_close(db);
	cr_expect_str_eq(value("PRAGMA integrity_check"), "ok");
}

static void
expect_site(void)
{
	expect_site_to_depth(SITE_FAR, false);
}

/*
 * curl asks again where a connection that it had kept was closed without an answer: so of the
 * address that hangs up nothing is said.
 */
static void
expect_one_request_for_each(void)
{
	for (size_t i = 0; i < site.page_count; i++) {
		const struct site_page *page = &site.pages[i];
		unsigned expected = page->forbidden || same(page->error, "refused") ? 0 : 1;

		if (page->manner != SITE_HANG_UP)
			cr_expect_eq(page->requests, expected, "%s: %u requests", page->url,
				     page->requests);
	}
	cr_expect_eq(site.strays, 0);
}

/* How many pages were asked for; once or, as curl may do with one that hangs up, more often. */
static unsigned
pages_asked_for(void)
{
	unsigned count = 0;

	for (size_t i = 0; i < site.page_count; i++)
		count += site.pages[i].requests != 0;
	return count;
}

/* Whole crawls. */

static void
crawl_whole(const char *producers, const char *consumers, const char *capacity)
{
	site_start(&site, PAGES);
	expect_success(run(CRAWL("--producers", producers, "--consumers", consumers, "--capacity",
				 capacity, site.url)));
	expect_site();
	expect_one_request_for_each();
	cr_expect_eq(site.robots_requests, 1);
}

TEST(crawl, one_producer_and_one_consumer_find_the_whole_site)
{
	crawl_whole("1", "1", "64");
}

TEST(crawl, one_producer_and_one_consumer_find_it_by_queues_of_one)
{
	crawl_whole("1", "1", "1");
}

TEST(crawl, four_producers_and_two_consumers_find_the_whole_site)
{
	crawl_whole("4", "2", "64");
}

TEST(crawl, four_producers_and_two_consumers_find_it_by_queues_of_one)
{
	crawl_whole("4", "2", "1");
}

TEST(crawl, eight_producers_and_one_consumer_find_the_whole_site)
{
	crawl_whole("8", "1", "64");
}

TEST(crawl, eight_producers_and_one_consumer_find_it_by_queues_of_one)
{
	crawl_whole("8", "1", "1");
}

TEST(crawl, every_request_names_the_program)
{
	site_start(&site, 200);
	expect_success(run(CRAWL(site.url)));
	cr_expect_eq(site.agents, site.requests + site.robots_requests);
}

/* Storage that stands still: a transaction of ours keeps every other from writing. */

static sqlite3 *blocker;

static void
block_storage(void)
{
	blocker = open_db();
	sqlite3_busy_timeout(blocker, 1000000);
	cr_assert_eq(sqlite3_exec(blocker, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
}

static void
unblock_storage(void)
{
	cr_assert_eq(sqlite3_exec(blocker, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(blocker);
}

static atomic_bool blocked;

static void
block_at_the_hundredth(struct site *of, struct site_page *page, unsigned request)
{
	(void)of, (void)page;
	if (request == 100) {
		block_storage();
		blocked = true;
	}
}

/*
 * While nothing is stored, no more is fetched than crawl_cycle.h says that there can be pages: with 8
 * producers, 1 consumer and queues of one that is 10, where the site has 2000. (What is looked for
 * is more than that. So it does not matter whether the crawler had come to rest when it was.) Then
 * storage goes on, and so must all the rest.
 */
TEST(crawl, storage_at_a_standstill_holds_up_fetching_until_it_goes_on)
{
	struct program program;
	unsigned asked_for;
	long stored;

	site_start(&site, PAGES);
	site.on_request = block_at_the_hundredth;
	program = program_start(CRAWL("--producers", "8", "--consumers", "1", "--capacity", "1",
				      "--quiet", site.url),
				STDOUT_FILENO);
	while (!blocked)
		sched_yield();
	for (unsigned seen = 0, times = 0; times < 10000; times++) {
		if (seen != site.requests)
			times = 0;
		seen = site.requests;
		sched_yield();
	}
	stored = number("SELECT count(*) FROM pages WHERE error IS NOT 'refused'");
	asked_for = pages_asked_for();
	cr_expect_leq(asked_for, stored + 8 + 1 + 1, "%u pages asked for, %ld stored", asked_for,
		      stored);
	unblock_storage();
	expect_success(program_end(program));
	expect_site();
	expect_one_request_for_each();
}

/* Being ended. */

static atomic_int crawler;
static unsigned signal_at; /* which request; 0 is that for robots.txt */
static int signal_number;

static void
send_signal(struct site *of, struct site_page *page, unsigned request)
{
	(void)of, (void)page;
	while (crawler == 0) /* whom it will be about */
		sched_yield();
	if (request == signal_at)
		kill(crawler, signal_number);
}

static struct outcome
crawl_until(const char *const *arguments, unsigned request, int with)
{
	FILE *out = tmpfile();
	struct program program;
	struct outcome outcome;

	signal_at = request;
	signal_number = with;
	crawler = 0;
	site.on_request = send_signal;
	program = program_start(arguments, fileno(out));
	crawler = program.pid;
	outcome = program_end(program);
	site.on_request = NULL;
	outcome.out = contents(out);
	fclose(out);
	return outcome;
}

/* The addresses that are stored, and which therefore must not be asked for again. */
static void
mark_stored(bool *is_stored)
{
	sqlite3 *db = open_db();
	sqlite3_stmt *rows;

	sqlite3_prepare_v2(db, "SELECT url FROM pages", -1, &rows, NULL);
	while (sqlite3_step(rows) == SQLITE_ROW)
		is_stored[site_find_url(&site, column(rows, 0)) - site.pages] = true;
	sqlite3_finalize(rows);
	sqlite3_close(db);
}

static void
resume_and_expect_the_rest(void)
{
	bool *is_stored = calloc(site.page_count, sizeof *is_stored);
	long before = number("SELECT count(*) FROM pages");

	cr_expect_str_eq(value("PRAGMA integrity_check"), "ok");
	mark_stored(is_stored);
	for (size_t i = 0; i < site.page_count; i++)
		site.pages[i].requests = 0;
	expect_success(run(CRAWL("--resume", "--quiet")));
	expect_site();
	for (size_t i = 0; i < site.page_count; i++) {
		const struct site_page *page = &site.pages[i];

		if (is_stored[i])
			cr_expect_eq(page->requests, 0, "%s was fetched again", page->url);
	}
	cr_expect_lt(before, number("SELECT count(*) FROM pages"));
	free(is_stored);
}

TEST(ending, killed_it_leaves_a_whole_database_and_goes_on_from_there)
{
	for (unsigned request = 1; request <= 1700; request += 566) {
		struct outcome outcome;

		if (request == 1)
			site_start(&site, PAGES);
		site.requests = 0;
		outcome = crawl_until(CRAWL(site.url), request, SIGKILL);
		cr_assert(WIFSIGNALED(outcome.status) && WTERMSIG(outcome.status) == SIGKILL);
		resume_and_expect_the_rest();
		cr_assert_eq(unlink("crawl.db"), 0);
	}
}

/* In the middle of a crawl comes a signal that asks to end. */
static void
expect_end_by(int number_of_signal)
{
	struct outcome outcome;

	site_start(&site, PAGES);
	outcome = crawl_until(CRAWL(site.url), 700, number_of_signal);
	expect_success(outcome);
	cr_expect_not_null(strstr(outcome.out, "\nstopped; --resume goes on\n"), "%s", outcome.out);
	/* At most those are missing whose fetch was broken off: one of each producer. */
	cr_expect_geq(number("SELECT count(*) FROM pages"), (long)pages_asked_for() - 4);
	resume_and_expect_the_rest();
}

TEST(ending, interrupted_it_stores_what_was_fetched_sums_up_and_can_go_on)
{
	expect_end_by(SIGINT);
}

TEST(ending, a_request_to_terminate_is_taken_like_an_interrupt)
{
	expect_end_by(SIGTERM);
}

/* The time-out is a day. */
TEST(ending, interrupted_it_waits_for_no_answer)
{
	char address[100];

	site_start(&site, 200);
	site_find(&site, "/empty")->manner = SITE_NEVER;
	snprintf(address, sizeof address, "%sempty", site.url);
	expect_exit(crawl_until(ARGUMENTS(SLUICE_CRAWL, "--delay", "0", "--timeout", "86400",
					  "--quiet", address),
				1, SIGINT),
		    1);
	cr_expect_eq(number("SELECT count(*) FROM pages"), 0);
	site_find(&site, "/empty")->manner = SITE_WHOLE;
	expect_success(run(CRAWL("--resume", "--quiet", "--depth", "0")));
	cr_expect_eq(number("SELECT count(*) FROM pages"), 1);
}

/* A signal is taken when it is pending no more. */
static bool
is_pending(pid_t pid, int which)
{
	char path[64], line[256];
	unsigned long long pending = 0;
	FILE *file;

	snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
	file = fopen(path, "r");
	cr_assert_not_null(file);
	while (fgets(line, sizeof line, file) != NULL) {
		if (sscanf(line, "ShdPnd: %llx", &pending) == 1)
			break;
	}
	fclose(file);
	return (pending >> (which - 1) & 1) != 0;
}

TEST(ending, interrupted_twice_it_ends_at_once)
{
	struct program program;
	struct outcome outcome;

	site_start(&site, PAGES);
	site.on_request = block_at_the_hundredth;
	program = program_start(CRAWL("--quiet", site.url), STDOUT_FILENO);
	while (!blocked)
		sched_yield();
	kill(program.pid, SIGINT); /* storage stands still: it cannot end by this */
	while (is_pending(program.pid, SIGINT))
		sched_yield();
	kill(program.pid, SIGINT);
	outcome = program_end(program);
	cr_expect(WIFSIGNALED(outcome.status) && WTERMSIG(outcome.status) == SIGINT);
	unblock_storage();
	site.on_request = NULL;
	resume_and_expect_the_rest();
}

TEST(ending, interrupted_between_polite_pauses_it_ends)
{
	site_start(&site, PAGES);
	/* The first page would be fetched a day after robots.txt. */
	expect_exit(crawl_until(ARGUMENTS(SLUICE_CRAWL, "--delay", "86400", "--quiet", site.url), 0,
				SIGINT),
		    1);
	cr_expect_eq(site.requests, 0);
}

/* What it cannot store it says, once, and ends; and what it could store is whole. */
TEST(ending, storage_that_fails_ends_it_with_one_line)
{
	struct outcome outcome;

	site_start(&site, PAGES);
	outcome = run(ARGUMENTS("/bin/sh", "-c", "trap '' XFSZ; ulimit -f 1000; exec \"$0\" \"$@\"",
				SLUICE_CRAWL, "--delay", "0", "--max-bytes", "300000", site.url));
	expect_complaint(outcome, 1, "sluice-crawl: crawl.db: ");
	cr_expect_lt(site.requests, PAGES, "it went on fetching");
	resume_and_expect_the_rest();
}

/* Within limits. */

TEST(crawl, a_depth_is_the_least_number_of_links_and_redirects_are_none)
{
	static const char *const depths[] = {"0", "1", "2", "5", "8"};

	site_start(&site, PAGES);
	for (size_t i = 0; i < sizeof depths / sizeof *depths; i++) {
		expect_success(run(CRAWL("--depth", depths[i], "--quiet", site.url)));
		expect_site_to_depth((unsigned)atoi(depths[i]), true);
		cr_assert_eq(unlink("crawl.db"), 0);
	}
}

TEST(crawl, a_greater_depth_can_be_resumed_with)
{
	site_start(&site, PAGES);
	expect_success(run(CRAWL("--depth", "2", "--quiet", site.url)));
	expect_success(run(CRAWL("--depth", "6", "--quiet", "--resume")));
	expect_site_to_depth(6, true);
	expect_success(run(CRAWL("--quiet", "--resume")));
	expect_site();
	cr_expect_eq(site.robots_requests, 3);
}

TEST(crawl, no_more_pages_are_stored_than_asked_for)
{
	site_start(&site, PAGES);
	expect_success(run(CRAWL("--max-pages", "123", "--quiet", site.url)));
	cr_expect_eq(number("SELECT count(*) FROM pages"), 123);
	expect_success(run(CRAWL("--max-pages", "123", "--quiet", "--resume")));
	cr_expect_eq(number("SELECT count(*) FROM pages"), 123);
	expect_success(run(CRAWL("--max-pages", "200", "--quiet", "--resume")));
	cr_expect_eq(number("SELECT count(*) FROM pages"), 200);
	expect_success(run(CRAWL("--quiet", "--resume")));
	expect_site();
	expect_one_request_for_each();
}

/* Hosts and politeness. */

TEST(crawl, other_hosts_are_crawled_when_they_are_named)
{
	char localhost[100];

	site_start(&site, 200);
	snprintf(localhost, sizeof localhost, "http://localhost:%u/", site.port);
	expect_success(
		run(CRAWL("--quiet", "--depth", "0", "--host", "LocalHost", site.url, localhost)));
	cr_expect_eq(number("SELECT count(*) FROM pages"), 2);
	cr_expect_eq(number("SELECT count(*) FROM hosts"), 2);
	cr_expect_eq(site.robots_requests, 2, "one for each site");
}

TEST(crawl, what_robots_txt_forbids_is_a_row_and_no_request)
{
	char address[100];

	site_start(&site, 200);
	snprintf(address, sizeof address, "%sprivate/1", site.url);
	expect_exit(run(CRAWL("--quiet", address)), 1);
	cr_expect_str_eq(value("SELECT error FROM pages"), "robots.txt");
	cr_expect_eq(site.requests, 0);
}

/* What is sent as robots.txt from now on; text is kept. */
static void
set_robots(int status, const char *text)
{
	site.robots.status = status;
	site.robots.body = (char *)(uintptr_t)text;
	site.robots.size = strlen(text);
}

/* Crawls "/" alone. error: that of its row, or NULL. */
static void
expect_start(const char *error, const char *detail)
{
	expect_exit(run(CRAWL("--quiet", "--depth", "0", site.url)), error != NULL);
	cr_expect_str_eq(value("SELECT error FROM pages"), error != NULL ? error : "");
	cr_expect(starts_with(value("SELECT detail FROM pages"), detail), "%s",
		  value("SELECT detail FROM pages"));
	cr_expect_eq(site_find(&site, "/")->requests, error == NULL);
	site_find(&site, "/")->requests = 0;
	cr_assert_eq(unlink("crawl.db"), 0);
}

#define FORBID_ALL "User-agent: *\nDisallow: /\n"

TEST(crawl, where_robots_txt_cannot_be_had_nothing_is_fetched)
{
	site_start(&site, 200);
	set_robots(500, "");
	expect_start("robots.txt", "robots.txt: status 500");
	set_robots(200, "User-agent: *\n");
	site.robots.manner = SITE_CUT;
	expect_start("broken connection", "robots.txt: ");
	site.robots.manner = SITE_HANG_UP;
	expect_start("broken connection", "robots.txt: ");
}

TEST(crawl, where_there_is_no_robots_txt_nothing_is_forbidden)
{
	site_start(&site, 200);
	set_robots(404, FORBID_ALL);
	expect_start(NULL, "");
	set_robots(403, FORBID_ALL);
	expect_start(NULL, "");
}

/* And where there are more than five there is none. */
TEST(crawl, robots_txt_may_be_five_redirects_away)
{
	struct site_page *page;

	site_start(&site, 200);
	page = site_find(&site, "/plain.txt");
	free(page->body);
	page->body = (char *)(uintptr_t)FORBID_ALL;
	page->size = strlen(page->body);
	set_robots(302, "");
	site.robots.header = "Location: /plain.txt\r\n";
	expect_start("robots.txt", "not allowed");
	cr_expect_eq(page->requests, 1);
	site.robots_requests = 0;
	site.robots.header = "Location: /robots.txt\r\n";
	expect_start(NULL, "");
	cr_expect_eq(site.robots_requests, 1 + 5);
}

/* That is more than pages may have here; what is behind it does not count. */
TEST(crawl, half_a_mebibyte_of_robots_txt_is_read)
{
	const size_t limit = 512 * 1024;
	char *text = text_of_size(limit + strlen(FORBID_ALL));

	site_start(&site, 200);
	memset(text, '#', limit);
	memcpy(text + limit - strlen(FORBID_ALL) - 1, "\n" FORBID_ALL, strlen(FORBID_ALL) + 1);
	text[limit] = '\0';
	set_robots(200, text);
	expect_start("robots.txt", "not allowed");
	memset(text, '#', limit);
	memcpy(text + limit - 1, "\n" FORBID_ALL, strlen(FORBID_ALL) + 1);
	set_robots(200, text);
	expect_start(NULL, "");
}

static double
seconds_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/*
 * It may take longer, on a busy machine; never shorter. Of the ten pages one is on a host where nothing
 * listens, and robots.txt is fetched too: that makes ten fetches from the site, and nine pauses.
 */
static void
expect_spread(const char *option, const char *amount, double seconds)
{
	double begin = seconds_now();

	expect_success(run(ARGUMENTS(SLUICE_CRAWL, "--delay", "0", option, amount, "--max-pages",
				     "10", "--quiet", site.url)));
	cr_expect_geq(seconds_now() - begin, 9 * seconds);
	cr_assert_eq(unlink("crawl.db"), 0);
}

TEST(crawl, delay_and_rate_keep_fetches_apart)
{
	site_start(&site, PAGES);
	site_find(&site, "/")->link_count = 0;
	expect_spread("--delay", "0.03", 0.03);
	expect_spread("--rate", "20", 0.05);
}

/* The ten pages of expect_spread are nine fetches from the site; before robots.txt nobody knows. */
TEST(crawl, a_delay_that_robots_txt_asks_for_is_kept)
{
	double begin;

	site_start(&site, PAGES);
	site_find(&site, "/")->link_count = 0;
	set_robots(200, "User-agent: *\nCrawl-delay: 0.04\n");
	begin = seconds_now();
	expect_success(run(CRAWL("--max-pages", "10", "--quiet", site.url)));
	cr_expect_geq(seconds_now() - begin, 8 * 0.04);
}

/* Failures of the first page. */

static void
expect_failure(const char *url, const char *timeout, const char *error)
{
	expect_exit(
		run(ARGUMENTS(SLUICE_CRAWL, "--quiet", "--delay", "0", "--timeout", timeout, url)),
		1);
	cr_expect_str_eq(value("SELECT error FROM pages"), error);
	cr_expect_eq(number("SELECT count(*) FROM pages"), 1);
	cr_assert_eq(unlink("crawl.db"), 0);
}

/* With what the site has of "/huge", sent in this manner. */
static void
expect_huge(size_t size, int manner, const char *error)
{
	struct site_page *page = site_find(&site, "/huge");
	char address[100];

	page->size = size;
	page->manner = manner;
	snprintf(address, sizeof address, "%shuge", site.url);
	expect_exit(run(CRAWL("--quiet", "--depth", "0", address)), error[0] != '\0');
	cr_expect_str_eq(value("SELECT error FROM pages"), error);
	cr_assert_eq(unlink("crawl.db"), 0);
}

TEST(crawl, a_page_may_have_max_bytes_and_of_one_that_announces_more_nothing_is_awaited)
{
	site_start(&site, 200);
	expect_huge(SITE_MAX_BYTES, SITE_WHOLE, "");
	expect_huge(SITE_MAX_BYTES, SITE_UNANNOUNCED, "");
	expect_huge(SITE_MAX_BYTES + 1, SITE_WHOLE, "too large");
	expect_huge(SITE_MAX_BYTES + 1, SITE_UNANNOUNCED, "too large");
	expect_huge(SITE_MAX_BYTES - 1, SITE_CUT, "too large"); /* ten more were announced */
}

/* No name has a part of more than 63 letters: to know that, nobody has to be asked. */
TEST(crawl, a_seed_that_fails_is_a_row_and_status_1)
{
	char address[100];

	site_start(&site, 200);
	expect_failure(
		"http://aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/",
		"60", "DNS");
	expect_failure("http://127.0.0.1:1/", "60", "refused");
	site_find(&site, "/empty")->manner = SITE_NEVER;
	snprintf(address, sizeof address, "%sempty", site.url);
	expect_failure(address, "1", "time-out");
	snprintf(address, sizeof address, "https://127.0.0.1:%u/", site.port);
	expect_failure(address, "60", "TLS");
	snprintf(address, sizeof address, "%snowhere", site.url);
	expect_failure(address, "60", "status 404");
}

TEST(crawl, a_seed_may_be_a_redirect_and_one_that_fails_is_enough_for_status_1)
{
	char good[100], bad[100];

	site_start(&site, 200);
	snprintf(good, sizeof good, "%schain/0", site.url);
	snprintf(bad, sizeof bad, "%sloop/in2", site.url);
	expect_success(run(CRAWL("--quiet", "--depth", "0", good)));
	cr_assert_eq(unlink("crawl.db"), 0);
	expect_exit(run(CRAWL("--quiet", "--depth", "0", good, bad)), 1);
	cr_expect_eq(number("SELECT count(*) FROM pages WHERE error = 'redirect loop'"), 5);
}

/* What it says. */

TEST(usage, a_wrong_command_line_is_one_line_and_status_2)
{
	static const char *const wrong[][3] = {
		{NULL},
		{"--bogus", "http://h/"},
		{"--producers", "0", "http://h/"},
		{"--consumers", "1001", "http://h/"},
		{"--capacity", "0", "http://h/"},
		{"--capacity", "x", "http://h/"},
		{"--depth", "-1", "http://h/"},
		{"--max-pages", "0", "http://h/"},
		{"--delay", "1.2345", "http://h/"},
		{"--delay", ".5", "http://h/"},
		{"--timeout", "100000", "http://h/"},
		{"--rate", "0", "http://h/"},
		{"--host", "a/b", "http://h/"},
		{"--host", "", "http://h/"},
		{"ftp://h/"},
		{"http://"},
		{""},
	};

	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		struct outcome outcome =
			run(ARGUMENTS(SLUICE_CRAWL, wrong[i][0], wrong[i][1], wrong[i][2]));

		expect_complaint(outcome, 2, "sluice-crawl: ");
		cr_expect_str_empty(outcome.out);
	}
	cr_expect_neq(access("crawl.db", F_OK), 0);
}

TEST(usage, help_is_printed_on_request)
{
	struct outcome outcome = RUN("--help");

	expect_success(outcome);
	cr_expect(starts_with(outcome.out, "Usage: sluice-crawl "));
}

TEST(usage, a_database_is_never_written_over_by_accident)
{
	const char *complaint = "sluice-crawl: crawl.db: ";

	site_start(&site, 200);
	expect_complaint(RUN("--resume"), 1, complaint); /* there is none */
	expect_success(run(CRAWL("--quiet", "--depth", "0", site.url)));
	expect_complaint(RUN(site.url), 1, complaint); /* there is one */
	cr_assert_eq(unlink("crawl.db"), 0);
	cr_assert_eq(mkdir("crawl.db", 0700), 0);
	expect_complaint(RUN("--resume"), 1, complaint);
	cr_assert_eq(rmdir("crawl.db"), 0);
}

TEST(usage, a_file_that_is_no_database_is_left_alone)
{
	static const char text[] = "These are my notes, and they are no database by any means.\n";
	FILE *file = fopen("crawl.db", "w+");

	for (int i = 0; i < 100; i++)
		fputs(text, file);
	fflush(file);
	expect_complaint(RUN("--resume"), 1, "sluice-crawl: crawl.db: ");
	cr_expect(starts_with(contents(file), text));
	fclose(file);
}

static void
start_another(struct site *of, struct site_page *page, unsigned request)
{
	(void)of, (void)page;
	if (request == 1)
		expect_complaint(RUN("--resume"), 1,
				 "sluice-crawl: crawl.db: another crawl is using it\n");
}

TEST(usage, a_database_has_one_crawl_at_a_time)
{
	site_start(&site, 200);
	site.on_request = start_another;
	expect_success(run(CRAWL("--quiet", "--depth", "1", site.url)));
	cr_expect_gt(site.requests, 1);
}

/* SQLite reads the JSON. */
static long
json_number(const char *json, const char *path)
{
	sqlite3 *db;
	sqlite3_stmt *statement;
	long found;

	cr_assert_eq(sqlite3_open(":memory:", &db), SQLITE_OK);
	sqlite3_prepare_v2(db, "SELECT json_extract(?1, ?2) WHERE json_valid(?1)", -1, &statement,
			   NULL);
	sqlite3_bind_text(statement, 1, json, -1, SQLITE_STATIC);
	sqlite3_bind_text(statement, 2, path, -1, SQLITE_STATIC);
	cr_assert_eq(sqlite3_step(statement), SQLITE_ROW, "not JSON: %s", json);
	cr_expect_neq(sqlite3_column_type(statement, 0), SQLITE_NULL, "no %s: %s", path, json);
	found = (long)sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	sqlite3_close(db);
	return found;
}

/* The number behind the name at the beginning of a line. */
static long
text_number(const char *text, const char *name)
{
	char line[100];
	const char *found;

	snprintf(line, sizeof line, "\n%s ", name);
	found = starts_with(text, line + 1) ? text - 1 : strstr(text, line);
	cr_assert_not_null(found, "no %s: %s", name, text);
	return strtol(found + strlen(line), NULL, 10);
}

TEST(usage, the_summary_says_what_is_stored_as_text_and_as_json)
{
	static const char *const figures[][2] = {
		{"pages", "SELECT count(*) FROM pages WHERE error IS NULL AND target IS NULL"},
		{"redirects",
		 "SELECT count(*) FROM pages WHERE error IS NULL AND target IS NOT NULL"},
		{"errors", "SELECT count(*) FROM pages WHERE error IS NOT NULL"},
		{"bytes", "SELECT sum(bytes) FROM pages WHERE error IS NULL"},
		{"links", "SELECT count(*) FROM links"},
	};
	static const char *const waits[] = {
		"$.seconds", "$.producers_waited_for_room", "$.producers_waited_for_addresses",
		"$.consumers_waited_for_pages", "$.consumers_waited_for_room"};
	struct outcome text, json;

	site_start(&site, 200);
	text = run(CRAWL(site.url));
	json = run(CRAWL("--resume", "--json"));
	expect_success(text);
	expect_success(json);
	cr_expect(is_one_line(json.out));
	for (size_t i = 0; i < sizeof figures / sizeof *figures; i++) {
		char path[100];

		snprintf(path, sizeof path, "$.%s", figures[i][0]);
		cr_expect_eq(json_number(json.out, path), number(figures[i][1]), "%s", path);
		cr_expect_eq(text_number(text.out, figures[i][0]), number(figures[i][1]), "%s",
			     path);
	}
	for (size_t i = 0; i < sizeof waits / sizeof *waits; i++)
		cr_expect_geq(json_number(json.out, waits[i]), 0);
	cr_expect_eq(text_number(text.out, "addresses in this run"), (long)site.page_count);
	cr_expect_eq(json_number(json.out, "$.addresses"), 0);
	cr_expect_eq(text_number(text.out, "  redirect loop"), 6);
	cr_expect_eq(json_number(json.out, "$.errors_by_reason.\"redirect loop\""), 6);
}

TEST(usage, quiet_is_quiet)
{
	struct outcome outcome;

	site_start(&site, 200);
	outcome = run(CRAWL("--quiet", site.url));
	expect_success(outcome);
	cr_expect_str_empty(outcome.out);
}

/* On a terminal there is a line that is written over, and the last is that of the end. */
TEST(usage, a_terminal_sees_the_progress)
{
	const char *const *arguments = CRAWL("--max-pages", "50", site.url);
	char seen[65536];
	size_t size = 0;
	int terminal, status;
	ssize_t got;
	pid_t child;

	site_start(&site, 200);
	child = forkpty(&terminal, NULL, NULL, NULL);
	if (child == 0) {
		execv(arguments[0], (char *const *)arguments);
		_exit(127);
	}
	/* Ends with an error when nobody has the other end open any more. */
	while ((got = read(terminal, seen + size, sizeof seen - 1 - size)) > 0)
		size += (size_t)got;
	seen[size] = '\0';
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_expect_eq(status, 0, "%s", seen);
	cr_expect_not_null(strstr(seen, "\r"), "%s", seen);
	cr_expect_not_null(strstr(seen, " errors, queue 0 of 64\x1b[K\r\n"), "%s", seen);
}
