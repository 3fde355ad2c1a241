/* SPDX-License-Identifier: MIT */
/*
 * pipeline.c - tests of the program sluice-pipeline, from outside.
 *
 * Each test starts the real program, waits for its end, and judges its exit status and what it
 * wrote. What threads print comes in any order, so the judges check what must hold in every order:
 * which lines there are, how often, and the order of the lines of one thread. Nothing depends on
 * time; a hang ends at the limit of the test.
 *
 * The suite `memory` limits the program's address space. AddressSanitizer cannot start it then, and
 * those tests say that they were skipped; under valgrind leave that suite out.
 */
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "program.h"
#include "test.h"

#define RUN(...)          run(ARGUMENTS(SLUICE_PIPELINE, __VA_ARGS__))
#define RUN_AT_ONCE(...)  RUN("--fetch-ms", "0", "--process-ms", "0", __VA_ARGS__)
#define SHELL(script)     run(ARGUMENTS("/bin/sh", "-c", script))
#define RUN_TO(path, ...) run_to(path, ARGUMENTS(SLUICE_PIPELINE, __VA_ARGS__))

static struct outcome
run_to(const char *path, const char *const *arguments)
{
	int out = open(path, O_WRONLY | O_CLOEXEC);
	struct outcome outcome;

	cr_assert_geq(out, 0);
	outcome = run_with_output(arguments, out);
	close(out);
	return outcome;
}

/* Judging the lines of the link runs. */

#define THREADS_MAX 16
#define LINKS_MAX   1000

struct judge {
	int producers, consumers, workers, links;
	bool feeder;

	enum {
		UNSEEN,
		WORKING,
		ENDED
	} producer[THREADS_MAX], feeder_state;
	bool consumer_ended[THREADS_MAX], worker_ended[THREADS_MAX];
	int added[LINKS_MAX], got[LINKS_MAX], done[LINKS_MAX];
	bool every_item_done;
};

/* Does the line read exactly like the format with two numbers (or one, or none) in it? */
static bool
reads(const char *line, const char *format, int *a, int *b)
{
	char again[100];

	*a = *b = 0;
	if (strchr(format, '%') != NULL && sscanf(line, format, a, b) < 1)
		return false;
	snprintf(again, sizeof again, format, *a, *b);
	return strcmp(line, again) == 0;
}

static int
count_items(const int *items, int links, int times)
{
	int count = 0;

	for (int i = 0; i < links; i++)
		count += items[i] == times;
	return count;
}

static void
check_range(const char *line, int number, int end)
{
	cr_assert(number >= 0 && number < end, "%s", line);
}

/* Takes down one line, and fails when it must not stand here. */
static void
judge_line(struct judge *judge, const char *line)
{
	int who, item;

	if (reads(line, "producer %d: is working", &who, &item)) {
		check_range(line, who, judge->producers);
		cr_assert_eq(judge->producer[who], UNSEEN, "%s", line);
		judge->producer[who] = WORKING;
	} else if (reads(line, "producer %d: added item %d to the queue", &who, &item)) {
		check_range(line, who, judge->producers);
		check_range(line, item, judge->links);
		cr_assert_eq(judge->producer[who], WORKING, "%s", line);
		judge->added[item]++;
	} else if (reads(line, "producer %d: ending", &who, &item)) {
		check_range(line, who, judge->producers);
		cr_assert_eq(judge->producer[who], WORKING, "%s", line);
		judge->producer[who] = ENDED;
	} else if (reads(line, "consumer %d: get item %d", &who, &item)) {
		check_range(line, who, judge->consumers);
		check_range(line, item, judge->links);
		cr_assert(!judge->consumer_ended[who], "%s", line);
		judge->got[item]++;
	} else if (reads(line, "consumer %d: ending", &who, &item)) {
		check_range(line, who, judge->consumers);
		cr_assert(!judge->consumer_ended[who], "%s", line);
		judge->consumer_ended[who] = true;
	} else if (reads(line, "worker %d: get item %d", &who, &item)) {
		check_range(line, who, judge->workers);
		check_range(line, item, judge->links);
		judge->got[item]++;
	} else if (reads(line, "worker %d: done with item %d", &who, &item)) {
		check_range(line, who, judge->workers);
		check_range(line, item, judge->links);
		cr_assert(!judge->every_item_done, "%s", line);
		judge->done[item]++;
	} else if (reads(line, "main: every item is done", &who, &item)) {
		cr_assert(judge->workers > 0 && !judge->every_item_done, "%s", line);
		judge->every_item_done = true;
	} else if (reads(line, "worker %d: ending", &who, &item)) {
		check_range(line, who, judge->workers);
		cr_assert(judge->every_item_done && !judge->worker_ended[who], "%s", line);
		judge->worker_ended[who] = true;
	} else if (reads(line, "feeder: is working", &who, &item)) {
		cr_assert(judge->feeder && judge->feeder_state == UNSEEN, "%s", line);
		judge->feeder_state = WORKING;
	} else if (reads(line, "feeder: ending", &who, &item)) {
		cr_assert_eq(judge->feeder_state, WORKING, "%s", line);
		judge->feeder_state = ENDED;
	} else {
		cr_assert_fail("not a line of this program: %s", line);
	}
}

/* The two last lines: every result once, in any order, and their number. */
static void
judge_results(const char *text, int links)
{
	int results[LINKS_MAX] = {0}, count = 0, position = 0;
	const char *start = "results: [";
	char last[100];

	cr_assert(starts_with(text, start), "%s", text);
	text += strlen(start);
	for (; *text != ']'; count++) {
		int result;

		cr_assert_eq(sscanf(text, count == 0 ? "%d%n" : ", %d%n", &result, &position), 1,
			     "%s", text);
		cr_assert(result >= 0 && result < 10 * links && result % 10 == 0, "%d", result);
		results[result / 10]++;
		text += position;
	}
	cr_assert_eq(count_items(results, links, 1), links);
	snprintf(last, sizeof last, "]\n%d results\n", links);
	cr_assert_str_eq(text, last);
}

static void
judge_run(struct outcome outcome, struct judge *judge)
{
	char *line = outcome.out;

	expect_success(outcome);
	while (!starts_with(line, "results: ")) {
		char *end = strchr(line, '\n');

		cr_assert_not_null(end, "no results");
		*end = '\0';
		judge_line(judge, line);
		line = end + 1;
	}
	judge_results(line, judge->links);

	for (int i = 0; i < judge->producers; i++)
		cr_expect_eq(judge->producer[i], ENDED, "producer %d", i);
	for (int i = 0; i < judge->consumers; i++)
		cr_expect(judge->consumer_ended[i], "consumer %d", i);
	for (int i = 0; i < judge->workers; i++)
		cr_expect(judge->worker_ended[i], "worker %d", i);
	cr_expect_eq(judge->feeder_state, judge->feeder ? ENDED : UNSEEN);
	cr_expect_eq(judge->every_item_done, judge->workers > 0);
	cr_expect_eq(count_items(judge->got, judge->links, 1), judge->links);
	cr_expect_eq(count_items(judge->added, judge->links, judge->workers > 0 ? 0 : 1),
		     judge->links);
	cr_expect_eq(count_items(judge->done, judge->links, judge->workers > 0 ? 1 : 0),
		     judge->links);
}

/* The classic run. */

TEST(pipeline, by_default_four_producers_and_two_consumers_pass_twenty_links)
{
	judge_run(RUN("--fetch-ms", "0", "--process-ms", "0"),
		  &(struct judge){.producers = 4, .consumers = 2, .links = 20});
}

TEST(pipeline, waiting_producers_and_consumers_lose_nothing)
{
	judge_run(RUN("--fetch-ms", "1", "--process-ms", "2", "--capacity", "2"),
		  &(struct judge){.producers = 4, .consumers = 2, .links = 20});
}

TEST(pipeline, one_producer_and_one_consumer_keep_the_order)
{
	struct outcome outcome =
		RUN_AT_ONCE("--producers", "1", "--consumers", "1", "--links", "5", "--quiet");

	expect_success(outcome);
	cr_expect_str_eq(outcome.out, "results: [0, 10, 20, 30, 40]\n5 results\n");
}

TEST(pipeline, eight_producers_feed_one_consumer)
{
	judge_run(RUN_AT_ONCE("--producers", "8", "--consumers", "1"),
		  &(struct judge){.producers = 8, .consumers = 1, .links = 20});
}

TEST(pipeline, one_producer_feeds_eight_consumers)
{
	judge_run(RUN_AT_ONCE("--producers", "1", "--consumers", "8"),
		  &(struct judge){.producers = 1, .consumers = 8, .links = 20});
}

TEST(pipeline, a_queue_of_one_is_enough)
{
	judge_run(RUN_AT_ONCE("--capacity", "1", "--links", "1000"),
		  &(struct judge){.producers = 4, .consumers = 2, .links = 1000});
}

TEST(pipeline, a_thousand_links_arrive_once_each)
{
	judge_run(RUN_AT_ONCE("--links", "1000"),
		  &(struct judge){.producers = 4, .consumers = 2, .links = 1000});
}

TEST(pipeline, without_links_every_thread_still_ends)
{
	judge_run(RUN_AT_ONCE("--links", "0"), &(struct judge){.producers = 4, .consumers = 2});
}

TEST(pipeline, producers_without_a_link_still_end)
{
	judge_run(RUN_AT_ONCE("--links", "1", "--producers", "8"),
		  &(struct judge){.producers = 8, .consumers = 2, .links = 1});
}

TEST(pipeline, quiet_prints_the_results_only)
{
	struct outcome outcome = RUN_AT_ONCE("--quiet");

	expect_success(outcome);
	judge_results(outcome.out, 20);
}

/* Two stages. */

TEST(pipeline, a_feeder_feeds_the_producers)
{
	judge_run(RUN_AT_ONCE("--feeder"),
		  &(struct judge){.producers = 4, .consumers = 2, .links = 20, .feeder = true});
}

TEST(pipeline, two_stages_of_capacity_one_pass_a_thousand_links)
{
	judge_run(RUN_AT_ONCE("--feeder", "--capacity", "1", "--links", "1000"),
		  &(struct judge){.producers = 4, .consumers = 2, .links = 1000, .feeder = true});
}

TEST(pipeline, a_feeder_with_nothing_to_feed_ends_the_run)
{
	judge_run(RUN_AT_ONCE("--feeder", "--links", "0"),
		  &(struct judge){.producers = 4, .consumers = 2, .feeder = true});
}

/* Workers and join. */

TEST(pipeline, ten_workers_end_after_every_item_is_done)
{
	judge_run(RUN_AT_ONCE("--workers-join"), &(struct judge){.workers = 10, .links = 20});
}

TEST(pipeline, join_waits_for_items_that_take_their_time)
{
	judge_run(RUN("--workers-join", "--fetch-ms", "1", "--process-ms", "1", "--capacity", "1"),
		  &(struct judge){.workers = 10, .links = 20});
}

TEST(pipeline, one_worker_does_a_thousand_links)
{
	judge_run(RUN_AT_ONCE("--workers-join", "--consumers", "1", "--links", "1000"),
		  &(struct judge){.workers = 1, .links = 1000});
}

TEST(pipeline, workers_without_items_still_end)
{
	judge_run(RUN_AT_ONCE("--workers-join", "--links", "0"), &(struct judge){.workers = 10});
}

/* The command line. */

static void
expect_usage_error(struct outcome outcome)
{
	expect_complaint(outcome, 2, "sluice-pipeline: ");
	cr_expect_str_empty(outcome.out);
}

TEST(usage, help_is_printed_on_request)
{
	struct outcome outcome = RUN("--help"), of_digest = RUN("digest", "--help");

	expect_success(outcome);
	cr_expect(starts_with(outcome.out, "Usage: sluice-pipeline "));
	expect_success(of_digest);
	cr_expect_str_eq(of_digest.out, outcome.out);
}

TEST(usage, an_unknown_option_is_an_error)
{
	expect_usage_error(RUN("--bogus"));
	expect_usage_error(RUN("-x"));
	expect_usage_error(RUN("digest", "--bogus", "."));
}

TEST(usage, there_must_be_threads)
{
	expect_usage_error(RUN("--producers", "0"));
	expect_usage_error(RUN("--consumers", "0"));
	expect_usage_error(RUN("--workers-join", "--consumers", "0"));
	expect_usage_error(RUN("digest", "--producers", "0", "."));
	expect_usage_error(RUN("digest", "--consumers", "0", "."));
}

TEST(usage, a_queue_must_hold_something)
{
	expect_usage_error(RUN("--capacity", "0"));
	expect_usage_error(RUN("digest", "--capacity", "0", "."));
}

TEST(usage, a_number_is_made_of_digits_only)
{
	expect_usage_error(RUN("--links", "many"));
	expect_usage_error(RUN("--links", ""));
	expect_usage_error(RUN("--links", "20x"));
	expect_usage_error(RUN("--links", "-1"));
	expect_usage_error(RUN("--links", " 1"));
	expect_usage_error(RUN("--fetch-ms", "0.5"));
	expect_usage_error(RUN("--process-ms", "+1"));
}

TEST(usage, a_number_beyond_its_range_is_an_error)
{
	expect_usage_error(RUN("--producers", "1001"));
	expect_usage_error(RUN("--consumers", "4294967297"));
	expect_usage_error(RUN("--capacity", "1000001"));
	expect_usage_error(RUN("--links", "1000001"));
	expect_usage_error(RUN("--fetch-ms", "3600001"));
	expect_usage_error(RUN("--process-ms", "99999999999999999999999"));
}

TEST(usage, an_option_without_its_number_is_an_error)
{
	expect_usage_error(RUN("--producers"));
}

TEST(usage, a_stray_argument_is_an_error)
{
	expect_usage_error(RUN("digets"));
	expect_usage_error(RUN("--links", "1", "two\nlines"));
}

TEST(usage, workers_have_no_producers_and_no_feeder)
{
	expect_usage_error(RUN("--workers-join", "--producers", "4"));
	expect_usage_error(RUN("--workers-join", "--feeder"));
}

TEST(usage, digest_needs_a_path_and_has_no_links)
{
	expect_usage_error(RUN("digest"));
	expect_usage_error(RUN("digest", "--links", "1", "."));
}

/* Output that cannot be written. */

TEST(output, a_full_device_is_an_error)
{
	const char *complaint = "sluice-pipeline: standard output: ";

	expect_complaint(RUN_TO("/dev/full", "--fetch-ms", "0", "--process-ms", "0"), 1, complaint);
	expect_complaint(RUN_TO("/dev/full", "digest", SLUICE_PIPELINE), 1, complaint);
	expect_complaint(RUN_TO("/dev/full", "--help"), 1, complaint);
}

TEST(output, a_reader_that_is_gone_ends_the_program)
{
	struct outcome outcome;
	int ends[2];

	cr_assert_eq(pipe(ends), 0);
	close(ends[0]);
	outcome = run_with_output(ARGUMENTS(SLUICE_PIPELINE, "--fetch-ms", "0"), ends[1]);
	close(ends[1]);
	cr_expect(WIFSIGNALED(outcome.status) && WTERMSIG(outcome.status) == SIGPIPE);
	cr_expect_str_empty(outcome.err);
}

/* Digests. */

static char folder[PATH_MAX];

static void
write_file(const char *path, size_t size)
{
	FILE *file = fopen(path, "w");
	unsigned noise = (unsigned)size + 1;

	cr_assert_not_null(file, "%s", path);
	for (size_t i = 0; i < size; i++) {
		noise = noise * 1103515245 + 12345;
		putc((int)(noise >> 16 & 0xff), file);
	}
	cr_assert_eq(fclose(file), 0, "%s", path);
}

/* A folder of its own for each test, "tree" in it as the thing to digest. */
static void
plant(void)
{
	static const size_t sizes[] = {0, 1, 65535, 65536, 65537, 131072, 3UL * 1024 * 1024};
	const char *temporary = getenv("TMPDIR");
	char path[100];

	snprintf(folder, sizeof folder, "%s/sluice-XXXXXX", temporary ? temporary : "/tmp");
	cr_assert_not_null(mkdtemp(folder));
	cr_assert_eq(chdir(folder), 0);
	umask(022);
	cr_assert_eq(chmod(".", 0755), 0);
	cr_assert_eq(mkdir("tree", 0755), 0);
	cr_assert_eq(mkdir("tree/a", 0755), 0);
	cr_assert_eq(mkdir("tree/a/b", 0755), 0);
	cr_assert_eq(mkdir("tree/a/b/empty folder", 0755), 0);
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		snprintf(path, sizeof path, "tree/%zu bytes", sizes[i]);
		write_file(path, sizes[i]);
	}
	for (size_t i = 0; i < 100; i++) {
		snprintf(path, sizeof path, "tree/a/b/%zu", i);
		write_file(path, i * i);
	}
	write_file("tree/a/new\nline", 10);
	write_file("tree/a/back\\slash", 11);
	write_file("tree/a/-dash", 12);
	write_file("outside", 13);
	write_file("secret", 14);
	cr_assert_eq(chmod("secret", 0), 0);
	cr_assert_eq(mkdir("closed", 0), 0);
	cr_assert_eq(symlink("../outside", "tree/link"), 0);
	cr_assert_eq(symlink("..", "tree/a/up"), 0);
	cr_assert_eq(symlink("nowhere", "tree/a/dangling"), 0);
	cr_assert_eq(mkfifo("tree/fifo", 0600), 0);
}

static void
fell(void)
{
	FTS *tree;
	FTSENT *entry;

	cr_assert_eq(chmod("closed", 0700), 0);
	tree = fts_open((char *[]){folder, NULL}, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	cr_assert_not_null(tree);
	while ((entry = fts_read(tree)) != NULL) {
		if (entry->fts_info != FTS_D)
			cr_expect_eq(remove(entry->fts_path), 0, "%s", entry->fts_path);
	}
	fts_close(tree);
}

TestSuite(digest, .init = plant, .fini = fell);
TestSuite(memory, .init = plant, .fini = fell);

static int
compare_lines(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The lines of the text in order. */
static char *
sorted(const char *text)
{
	size_t length = strlen(text), count = 0;
	char *copy = memcpy(text_of_size(length), text, length + 1),
	     *result = text_of_size(length + 1);
	char *end = result;
	char **lines = calloc(length + 1, sizeof *lines);

	for (char *line = strtok(copy, "\n"); line != NULL; line = strtok(NULL, "\n"))
		lines[count++] = line;
	qsort(lines, count, sizeof *lines, compare_lines);
	for (size_t i = 0; i < count; i++)
		end = stpcpy(stpcpy(end, lines[i]), "\n");
	free(lines);
	return result;
}

static void
expect_lines_of(struct outcome outcome, const char *script)
{
	struct outcome expected = SHELL(script);

	expect_success(expected);
	cr_assert_str_not_empty(expected.out);
	cr_expect_str_eq(sorted(outcome.out), sorted(expected.out));
}

static void
expect_digests(struct outcome outcome, const char *script)
{
	expect_success(outcome);
	expect_lines_of(outcome, script);
}

static const char digests_of_tree[] = "find tree -type f -exec sha256sum {} +";

/* The rest is done, the status is 1, and stderr is this one line. */
static void
expect_digests_of_tree_but(struct outcome outcome, const char *complaint)
{
	expect_exit(outcome, 1);
	cr_expect_str_eq(outcome.err, complaint);
	expect_lines_of(outcome, digests_of_tree);
}

TEST(digest, prints_what_sha256sum_prints)
{
	expect_digests(RUN("digest", "tree"), digests_of_tree);
}

TEST(digest, prints_the_same_with_any_number_of_threads_and_any_capacity)
{
	static const char *const shapes[][3] = {{"1", "1", "1"},
						{"8", "1", "1"},
						{"1", "8", "3"},
						{"8", "8", "1"},
						{"3", "2", "1000"}};

	for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
		expect_digests(RUN("digest", "--producers", shapes[i][0], "--consumers",
				   shapes[i][1], "--capacity", shapes[i][2], "tree"),
			       digests_of_tree);
	}
}

TEST(digest, takes_files_and_folders_side_by_side)
{
	expect_digests(RUN("digest", "outside", "tree/a", "./outside", "--", "tree/1 bytes"),
		       "sha256sum outside ./outside 'tree/1 bytes'"
		       " && find tree/a -type f -exec sha256sum {} +");
}

TEST(digest, follows_a_symbolic_link_only_where_it_is_named)
{
	expect_digests(RUN("digest", "tree/link", "tree/a/up/a"),
		       "sha256sum tree/link && find tree/a/up/a -type f -exec sha256sum {} +");
}

TEST(digest, names_a_missing_path_and_does_the_rest)
{
	expect_digests_of_tree_but(RUN("digest", "nowhere", "tree"),
				   "sluice-pipeline: nowhere: No such file or directory\n");
	expect_digests_of_tree_but(RUN("digest", "tree", "tree/a/dangling"),
				   "sluice-pipeline: tree/a/dangling: No such file or directory\n");
	expect_digests_of_tree_but(RUN("digest", "", "tree"),
				   "sluice-pipeline: : No such file or directory\n");
	expect_digests_of_tree_but(RUN("digest", "no\nwhere", "tree"),
				   "sluice-pipeline: no\\nwhere: No such file or directory\n");
}

TEST(digest, names_a_file_whose_reading_fails_and_does_the_rest)
{
	expect_digests_of_tree_but(RUN("digest", "/proc/self/mem", "tree"),
				   "sluice-pipeline: /proc/self/mem: Input/output error\n");
}

TEST(digest, names_what_is_neither_a_file_nor_a_folder_and_does_the_rest)
{
	expect_digests_of_tree_but(
		RUN("digest", "tree/fifo", "tree"),
		"sluice-pipeline: tree/fifo: Neither a regular file nor a folder\n");
}

/* Under the rules that the prefix of a shell command sets. */
static struct outcome
run_under(const char *prefix, const char *arguments)
{
	char script[PATH_MAX];

	snprintf(script, sizeof script, "%s '%s' %s", prefix, SLUICE_PIPELINE, arguments);
	return SHELL(script);
}

/* Criterion skips .fini with the test. */
static void
skip_unless_started_under(const char *prefix)
{
	char script[100];

	snprintf(script, sizeof script, "%s true", prefix);
	expect_success(SHELL(script));
	if (run_under(prefix, "--help").status != 0) {
		fell();
		cr_skip_test("the program does not start by %s", prefix);
	}
}

/* Root may read everything. */
TEST(digest, names_what_may_not_be_read_and_does_the_rest)
{
	const char *nobody = geteuid() == 0 ? "exec setpriv --reuid 65534" : "exec";

	skip_unless_started_under(nobody);
	expect_digests_of_tree_but(run_under(nobody, "digest secret tree"),
				   "sluice-pipeline: secret: Permission denied\n");
	expect_digests_of_tree_but(run_under(nobody, "digest tree closed"),
				   "sluice-pipeline: closed: Permission denied\n");
}

TEST(memory, a_thread_that_cannot_be_started_ends_all_others)
{
	static const char *const runs[] = {
		"--producers 1000 --links 1000000 --fetch-ms 0",
		"--producers 1000 --feeder",
		"--consumers 1000",
		"--consumers 1000 --workers-join",
		"digest --producers 1000 /",
		"digest --consumers 1000 /",
	};
	const char *limits = "ulimit -v 400000 && ulimit -s 8192 && exec";

	skip_unless_started_under(limits);
	for (size_t i = 0; i < sizeof runs / sizeof *runs; i++) {
		expect_complaint(run_under(limits, runs[i]), 1,
				 "sluice-pipeline: cannot start a thread: ");
	}
}

TEST(memory, a_file_may_be_larger_than_the_memory)
{
	const char *limits = "ulimit -v 100000 && ulimit -s 256 && exec";

	skip_unless_started_under(limits);
	write_file("large", 0);
	cr_assert_eq(truncate("large", 256L * 1024 * 1024), 0);
	expect_digests(run_under(limits, "digest --producers 1 large"), "sha256sum large");
}
