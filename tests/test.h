/* SPDX-License-Identifier: MIT */
/*
 * test.h - how a test is written here: Criterion, with a time limit on every test.
 *
 * A lost wake-up shows as a hang, so no test may be declared without a limit. The limit is far above
 * what the slowest machine needs; no test fails because something took long.
 */
#ifndef TEST_H
#define TEST_H

#include <criterion/criterion.h>

#define TEST_SECONDS 60

/* TEST(suite, a_sentence_that_says_what_holds) { ... } */
#define TEST(suite, name) Test(suite, name, .timeout = TEST_SECONDS)

#endif
