# SPDX-License-Identifier: MIT
#
# compare.py - see compare, which runs it.
"""Compares two results files of sluice-bench."""

import sys

import results
import verdict

LEAST = 5  # repetitions; of fewer no interval means much


def measured(old, new, same_machine):
    """The values of two rows that can be compared, as two lists; empty ones if there are none."""
    for counter in ("times_mutex", "items_per_second"):
        values = old.values(counter), new.values(counter)
        if all(values) and (same_machine or counter == "times_mutex"):
            return values
    return [], []


def compare(old, new, same_machine, tolerance):
    """What became of a row: a word, and the rest of the line."""
    if old.error:
        return verdict.UNCLEAR, f"failed before: {old.error}"
    if new.error:
        return verdict.LOSS, f"fails: {new.error}"
    before, after = measured(old, new, same_machine)
    if not before:
        return verdict.UNCLEAR, "other machines, and nothing that relates it to the mutex"
    if min(len(before), len(after)) < LEAST:
        return (
            verdict.UNCLEAR,
            f"{len(before)} and {len(after)} repetitions, and {LEAST} are the least",
        )
    ratio = results.ratio_of_medians(after, before)
    probability = results.mann_whitney(after, before)
    return (
        verdict.judge(ratio, tolerance),
        f"{verdict.in_words(ratio)} (p = {probability:.2g})",
    )


def main():
    """The program; returns its exit status."""
    parser = verdict.Arguments(prog="compare")
    parser.add_argument("--tolerance", type=verdict.percent, default="10", metavar="PERCENT")
    parser.add_argument("old", metavar="OLD.json")
    parser.add_argument("new", metavar="NEW.json")
    arguments = parser.parse_args()
    try:
        old, new = results.load(arguments.old), results.load(arguments.new)
    except results.Unusable as error:
        print(f"compare: {error}", file=sys.stderr)
        return 2
    # The mutex is what the others are measured by.
    names = [name for name, row in new.rows.items() if name in old.rows and row.queue != "mutex"]
    if not names:
        print("compare: the files have no row in common, but the mutex's", file=sys.stderr)
        return 2
    same_machine = old.machine == new.machine
    if not same_machine:
        print("Two machines: as multiples of the mutex on each.\n")
    words = []
    for name in names:
        word, text = compare(old.rows[name], new.rows[name], same_machine, arguments.tolerance)
        words.append(word)
        print(f"{word:8}{new.rows[name].title}: {text}")
    print(f"\nTolerance {arguments.tolerance * 100:g} %. {verdict.tally(words)}")
    for path, rows in ((arguments.old, old.rows), (arguments.new, new.rows)):
        lone = sum(1 for name in rows if name not in old.rows or name not in new.rows)
        if lone:
            print(f"Rows that only {path} has: {lone}.")
    return verdict.exit_status(words)


sys.exit(main())
