/* SPDX-License-Identifier: MIT */
/* crawl_store.c - see crawl_store.h. */
#include "crawl_store.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include <sqlite3.h>

#include "crawl_address.h"
#include "memory.h"
#include "report.h"

static const char schema[] =
	"CREATE TABLE seeds (url TEXT PRIMARY KEY) WITHOUT ROWID;"
	"CREATE TABLE hosts (name TEXT PRIMARY KEY) WITHOUT ROWID;"
	"CREATE TABLE pages (id INTEGER PRIMARY KEY, url TEXT NOT NULL UNIQUE, depth INTEGER NOT "
	"NULL,"
	" hops INTEGER NOT NULL, status INTEGER NOT NULL, error TEXT, detail TEXT, target TEXT,"
	" type TEXT, bytes INTEGER NOT NULL, title TEXT, length INTEGER NOT NULL,"
	" milliseconds INTEGER NOT NULL);"
	"CREATE INDEX redirects ON pages (target) WHERE target IS NOT NULL;"
	"CREATE TABLE links (page INTEGER NOT NULL REFERENCES pages, url TEXT NOT NULL,"
	" PRIMARY KEY (page, url)) WITHOUT ROWID;";

enum statement {
	BEGIN,
	COMMIT,
	ROLLBACK,
	ADD_SEED,
	ADD_HOST,
	ADD_PAGE,
	ADD_LINK,
	FIND_LOOP,
	MARK_LOOP,
	HOSTS,
	PAGES,
	WAITING,
	SUM,
	ERRORS,
	STATEMENTS
};

static const char *const sql[STATEMENTS] = {
	[BEGIN] = "BEGIN IMMEDIATE",
	[COMMIT] = "COMMIT",
	[ROLLBACK] = "ROLLBACK",
	[ADD_SEED] = "INSERT OR IGNORE INTO seeds VALUES (?)",
	[ADD_HOST] = "INSERT OR IGNORE INTO hosts VALUES (?)",
	[ADD_PAGE] = "INSERT INTO pages (url, depth, hops, status, error, detail, target, type, "
		     "bytes, title, length, milliseconds) VALUES (?,?,?,?,?,?,?,?,?,?,?,?)",
	[ADD_LINK] = "INSERT INTO links VALUES (?, ?)",
	/* Does the target ?2 lead back to ?1, or to what is known to lead into a circle? */
	[FIND_LOOP] = "WITH RECURSIVE way(url) AS (VALUES (?2) UNION"
		      "  SELECT target FROM pages JOIN way USING (url) WHERE target IS NOT NULL)"
		      " SELECT 1 FROM way WHERE url = ?1 OR EXISTS (SELECT 1 FROM pages"
		      "  WHERE pages.url = way.url AND error = 'redirect loop') LIMIT 1",
	/* ?1, and whatever leads there. */
	[MARK_LOOP] = "WITH RECURSIVE way(url) AS (VALUES (?1) UNION"
		      "  SELECT pages.url FROM pages JOIN way ON target = way.url)"
		      " UPDATE pages SET error = 'redirect loop' WHERE url IN way",
	[HOSTS] = "SELECT name FROM hosts",
	[PAGES] = "SELECT url FROM pages",
	[WAITING] = "SELECT url, min(depth), hops FROM ("
		    "  SELECT url, 0 AS depth, 0 AS hops FROM seeds"
		    "  UNION ALL SELECT links.url, pages.depth + 1, 0 FROM links"
		    "   JOIN pages ON pages.id = links.page"
		    "  UNION ALL SELECT target, depth, hops + 1 FROM pages"
		    "   WHERE target IS NOT NULL AND error IS NULL)"
		    " WHERE url NOT IN (SELECT url FROM pages) GROUP BY url ORDER BY min(depth)",
	[SUM] = "SELECT count(*) FILTER (WHERE error IS NULL AND target IS NULL),"
		" count(*) FILTER (WHERE error IS NULL AND target IS NOT NULL),"
		" count(error),"
		" coalesce(sum(bytes) FILTER (WHERE error IS NULL), 0),"
		" (SELECT count(*) FROM links),"
		" (WITH RECURSIVE way(seed, url) AS (SELECT url, url FROM seeds UNION"
		"   SELECT seed, target FROM pages JOIN way USING (url) WHERE target IS NOT NULL)"
		"  SELECT count(*) FROM seeds WHERE NOT EXISTS (SELECT 1 FROM way JOIN pages USING "
		"(url)"
		"   WHERE seed = seeds.url AND error IS NULL AND target IS NULL))"
		" FROM pages",
	[ERRORS] = "SELECT error, count(*) FROM pages WHERE error IS NOT NULL"
		   " GROUP BY error ORDER BY count(*) DESC, error",
};

struct store {
	char *path;
	int lock_file;
	sqlite3 *db;
	sqlite3_stmt *statements[STATEMENTS];
	pthread_mutex_t turn;
	bool broken; /* something could not be stored, which was said: once is enough */
};

/* Says what SQLite says. Returns false. */
static bool
fail(const struct store *store)
{
	report_problem(store->path,
		       store->db != NULL ? sqlite3_errmsg(store->db) : strerror(ENOMEM));
	return false;
}

/* Steps to the next row, or to the end, where the statement is made ready for its next use. */
static bool
step(struct store *store, enum statement which, bool *row)
{
	sqlite3_stmt *statement = store->statements[which];
	int result = sqlite3_step(statement);

	*row = result == SQLITE_ROW;
	if (result != SQLITE_ROW && result != SQLITE_DONE) {
		fail(store);
		sqlite3_reset(statement);
		return false;
	}
	if (result == SQLITE_DONE)
		sqlite3_reset(statement);
	return true;
}

/* Runs what gives no rows, or one of which only the being there counts. */
static bool
run(struct store *store, enum statement which, bool *row)
{
	bool there;
	bool good = step(store, which, &there);

	if (good && there)
		sqlite3_reset(store->statements[which]);
	if (row != NULL)
		*row = there;
	return good;
}

/* What is bound lives longer than the use of it. Fails only as step does, later. */
static void
bind_text(struct store *store, enum statement which, int place, const char *text)
{
	sqlite3_bind_text(store->statements[which], place, text, -1, SQLITE_STATIC);
}

static void
bind_number(struct store *store, enum statement which, int place, uint64_t number)
{
	sqlite3_bind_int64(store->statements[which], place, (sqlite3_int64)number);
}

static const char *
column(struct store *store, enum statement which, int place)
{
	return (const char *)sqlite3_column_text(store->statements[which], place);
}

/* Others may read meanwhile, and a reader may hold up a writer: as long as it takes. */
static int
wait_for_others(void *nothing, int attempts)
{
	struct timespec pause = {.tv_nsec = 1000000};

	(void)nothing, (void)attempts;
	nanosleep(&pause, NULL);
	return 1;
}

/*
 * The lock is on the file itself and lasts as long as the descriptor. It must stay open for as long
 * as SQLite works on the file: to close any descriptor of a file drops SQLite's own locks on it.
 */
static bool
take_file(struct store *store, bool resume)
{
	int flags = O_RDWR | O_CLOEXEC | (resume ? 0 : O_CREAT | O_EXCL);

	store->lock_file = open(store->path, flags, 0666);
	if (store->lock_file < 0) {
		report_problem(store->path, errno == EEXIST ? "is there already; --resume goes on "
							      "with it, --db FILE names another"
							    : strerror(errno));
		return false;
	}
	if (flock(store->lock_file, LOCK_EX | LOCK_NB) != 0) {
		report_problem(store->path, errno == EWOULDBLOCK ? "another crawl is using it"
								 : strerror(errno));
		return false;
	}
	return true;
}

/* A crawl may be killed before its tables are there: to go on with that is to begin. */
static bool
make_tables(struct store *store)
{
	sqlite3_stmt *statement;
	bool there;

	if (sqlite3_prepare_v2(store->db, "SELECT 1 FROM sqlite_schema LIMIT 1", -1, &statement,
			       NULL) != SQLITE_OK)
		return fail(store);
	there = sqlite3_step(statement) == SQLITE_ROW;
	if (sqlite3_finalize(statement) != SQLITE_OK)
		return fail(store);
	if (there)
		return true;
	if (sqlite3_exec(store->db, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK ||
	    sqlite3_exec(store->db, schema, NULL, NULL, NULL) != SQLITE_OK ||
	    sqlite3_exec(store->db, "COMMIT", NULL, NULL, NULL) != SQLITE_OK)
		return fail(store);
	return true;
}

static bool
prepare(struct store *store)
{
	if (sqlite3_open_v2(store->path, &store->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX,
			    NULL) != SQLITE_OK ||
	    sqlite3_busy_handler(store->db, wait_for_others, NULL) != SQLITE_OK ||
	    sqlite3_exec(store->db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;", NULL,
			 NULL, NULL) != SQLITE_OK)
		return fail(store);
	if (!make_tables(store))
		return false;
	for (int i = 0; i < STATEMENTS; i++) {
		if (sqlite3_prepare_v3(store->db, sql[i], -1, SQLITE_PREPARE_PERSISTENT,
				       &store->statements[i], NULL) != SQLITE_OK)
			return fail(store);
	}
	return true;
}

struct store *
store_open(const char *path, bool resume)
{
	struct store *store = memory_new(sizeof *store);

	pthread_mutex_init(&store->turn, NULL);
	store->path = memory_copy(path);
	if (!take_file(store, resume) || !prepare(store)) {
		store_close(store);
		return NULL;
	}
	return store;
}

bool
store_close(struct store *store)
{
	bool good = true;

	for (int i = 0; i < STATEMENTS; i++)
		sqlite3_finalize(store->statements[i]);
	if (sqlite3_close(store->db) != SQLITE_OK)
		good = fail(store);
	if (store->lock_file >= 0)
		close(store->lock_file);
	pthread_mutex_destroy(&store->turn);
	free(store->path);
	free(store);
	return good;
}

/* Transactions: begin takes the turn, end gives it back, and keeps what was done if all of it was. */

static bool
begin(struct store *store)
{
	pthread_mutex_lock(&store->turn);
	return !store->broken && run(store, BEGIN, NULL);
}

static bool
end(struct store *store, bool good)
{
	good = good && run(store, COMMIT, NULL);
	if (!good && !sqlite3_get_autocommit(store->db))
		run(store, ROLLBACK, NULL);
	store->broken = !good;
	pthread_mutex_unlock(&store->turn);
	return good;
}

static bool
add_texts(struct store *store, enum statement which, char *const *texts)
{
	bool good = true;

	for (; texts != NULL && *texts != NULL && good; texts++) {
		bind_text(store, which, 1, *texts);
		good = run(store, which, NULL);
	}
	return good;
}

bool
store_remember(struct store *store, char *const *seeds, char *const *hosts)
{
	return end(store, begin(store) && add_texts(store, ADD_SEED, seeds) &&
				  add_texts(store, ADD_HOST, hosts));
}

static bool
recall_hosts(struct store *store, struct hosts *hosts)
{
	bool row = true, good = true;

	while (good && (good = step(store, HOSTS, &row)) && row)
		hosts_add(hosts, column(store, HOSTS, 0));
	return good;
}

static bool
recall_pages(struct store *store, struct frontier *frontier)
{
	bool row = true, good = true;

	while (good && (good = step(store, PAGES, &row)) && row)
		frontier_know(frontier, column(store, PAGES, 0));
	return good;
}

static bool
recall_waiting(struct store *store, struct frontier *frontier)
{
	sqlite3_stmt *statement = store->statements[WAITING];
	bool row = true, good = true;

	while (good && (good = step(store, WAITING, &row)) && row)
		frontier_offer(frontier, column(store, WAITING, 0),
			       (unsigned)sqlite3_column_int64(statement, 1),
			       (unsigned)sqlite3_column_int64(statement, 2));
	return good;
}

bool
store_recall(struct store *store, struct hosts *hosts, struct frontier *frontier)
{
	return end(store, begin(store) && recall_hosts(store, hosts) &&
				  recall_pages(store, frontier) && recall_waiting(store, frontier));
}

static bool
add_page(struct store *store, const struct store_row *row)
{
	const struct page *page = row->page;
	const struct content *content = row->content;
	const struct address *address = page->address;

	bind_text(store, ADD_PAGE, 1, address->url);
	bind_number(store, ADD_PAGE, 2, address->depth);
	bind_number(store, ADD_PAGE, 3, address->hops);
	bind_number(store, ADD_PAGE, 4, (uint64_t)page->status);
	bind_text(store, ADD_PAGE, 5, page->error[0] != '\0' ? page->error : NULL);
	bind_text(store, ADD_PAGE, 6, page->detail);
	bind_text(store, ADD_PAGE, 7, page->target);
	bind_text(store, ADD_PAGE, 8, page->type);
	bind_number(store, ADD_PAGE, 9, page->size);
	bind_text(store, ADD_PAGE, 10, content != NULL ? content->title : NULL);
	bind_number(store, ADD_PAGE, 11, content != NULL ? content->length : 0);
	bind_number(store, ADD_PAGE, 12, page->milliseconds);
	return run(store, ADD_PAGE, NULL);
}

static bool
add_links(struct store *store, const struct content *content)
{
	bool good = true;

	bind_number(store, ADD_LINK, 1, (uint64_t)sqlite3_last_insert_rowid(store->db));
	for (size_t i = 0; i < content->link_count && good; i++) {
		bind_text(store, ADD_LINK, 2, content->links[i]);
		good = run(store, ADD_LINK, NULL);
	}
	return good;
}

static bool
mark_loop(struct store *store, const struct page *page)
{
	bool found;

	bind_text(store, FIND_LOOP, 1, page->address->url);
	bind_text(store, FIND_LOOP, 2, page->target);
	if (!run(store, FIND_LOOP, &found))
		return false;
	bind_text(store, MARK_LOOP, 1, page->address->url);
	return !found || run(store, MARK_LOOP, NULL);
}

bool
store_rows(struct store *store, const struct store_row *rows, size_t count)
{
	bool good = begin(store);

	for (size_t i = 0; i < count && good; i++) {
		good = add_page(store, &rows[i]);
		if (good && rows[i].content != NULL)
			good = add_links(store, rows[i].content);
		if (good && rows[i].page->target != NULL)
			good = mark_loop(store, rows[i].page);
	}
	return end(store, good);
}

bool
store_sum(struct store *store, struct store_totals *totals)
{
	uint64_t *const numbers[] = {&totals->pages, &totals->redirects, &totals->errors,
				     &totals->bytes, &totals->links,     &totals->seeds_failed};
	bool row, good;

	pthread_mutex_lock(&store->turn);
	good = step(store, SUM, &row);
	for (int i = 0; i < 6 && good; i++)
		*numbers[i] = (uint64_t)sqlite3_column_int64(store->statements[SUM], i);
	sqlite3_reset(store->statements[SUM]);
	pthread_mutex_unlock(&store->turn);
	return good;
}

bool
store_errors(struct store *store, void (*say)(void *argument, const char *reason, uint64_t count),
	     void *argument)
{
	bool row = true, good = true;

	pthread_mutex_lock(&store->turn);
	while (good && (good = step(store, ERRORS, &row)) && row)
		say(argument, column(store, ERRORS, 0),
		    (uint64_t)sqlite3_column_int64(store->statements[ERRORS], 1));
	pthread_mutex_unlock(&store->turn);
	return good;
}
