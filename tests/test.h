/* SPDX-License-Identifier: MIT */
/*
 * test.h - how a test is written here: Criterion, with a time limit on every test.
 *
 * A lost wake-up shows as a hang, so no test may be declared without a limit. The limit is far above
 * what the slowest machine needs; no test fails because something took long.
 *
 * With TEST_RUNNER the small runner of runner.h takes Criterion's place, for ThreadSanitizer, under
 * which Criterion crashes.
 */
#ifndef TEST_H
#define TEST_H

#if !defined(TEST_SECONDS)
#define TEST_SECONDS 60
#endif

#if defined(TEST_RUNNER)
#include "runner.h"
#else
#include <criterion/criterion.h>

/* TEST(suite, a_sentence_that_says_what_holds) { ... } */
#define TEST(suite, name) Test(suite, name, .timeout = TEST_SECONDS)
#endif

#endif
