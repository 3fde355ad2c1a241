# SPDX-License-Identifier: MIT
#
# verdict.py - what a ratio new / old of two speeds means: in a word, in words, as an exit status.
#
# scripts/compare tells what the words are. The ratios are results.Estimate; a tolerance is a share,
# 0.05 for 5 %.
"""What a ratio of two speeds means."""

import argparse

LOSS = "loss"
UNCLEAR = "unclear"
GAIN = "gain"
SAME = "same"


def judge(ratio, tolerance):
    """The word for the ratio."""
    if ratio.high < 1 - tolerance:
        return LOSS
    if ratio.low < 1 - tolerance:
        return UNCLEAR
    return GAIN if ratio.low > 1 else SAME


def _distance(ratio):
    """How far the ratio is from 1, without its sign: "3 %", "0.4 %"."""
    points = abs(ratio - 1) * 100
    return f"{points:.0f} %" if points >= 9.95 else f"{points:.1f} %".replace(".0 ", " ")


def _side(ratio):
    return "slower" if ratio < 1 else "faster"


def in_words(ratio):
    """As "3 % slower, between 1 % and 6 %"."""
    difference = f"{_distance(ratio.value)} {_side(ratio.value)}"
    if _distance(ratio.value) == "0 %":
        difference = "as fast"
    near, far = ratio.low, ratio.high
    if ratio.value < 1:
        near, far = far, near
    if _side(near) == _side(far) == _side(ratio.value):
        return f"{difference}, between {_distance(near)} and {_distance(far)}"
    return (
        f"{difference}, between {_distance(near)} {_side(near)} and {_distance(far)} {_side(far)}"
    )


def exit_status(words):
    """Of a run that gave these words."""
    if LOSS in words:
        return 1
    return 2 if UNCLEAR in words or not words else 0


def percent(text):
    """The type of an argument that is a percentage, from 0 to 99; a share."""
    value = float(text)
    if not 0 <= value <= 99:
        raise ValueError
    return value / 100


def tally(words):
    """The line under a table: how many rows are what."""
    counts = ", ".join(f"{words.count(word)} {word}" for word in (LOSS, UNCLEAR, GAIN, SAME))
    return f"Of {len(words)} rows {counts}."


class Arguments(argparse.ArgumentParser):
    """One line on stderr and status 2 when the arguments are wrong."""

    def error(self, message):
        self.exit(2, f"{self.prog}: {message}\n")
