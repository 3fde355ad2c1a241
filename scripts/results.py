# SPDX-License-Identifier: MIT
#
# results.py - results files of sluice-bench, and the statistics that are done with them.
#
# A results file is what `scripts/bench --benchmark_out=FILE` writes, in Google Benchmark's JSON.
# load() makes a Results of it: its context, and its rows in the order of the file, each with what
# its single repetitions counted (bench/harness.c has the counters). Aggregates are left out: who
# needs a median takes it of the repetitions.
#
# Every repetition has measured the queue and, next to it, the mutex: its counter times_mutex is
# items_per_second / mutex_items_per_second. Ratios are taken within a repetition and summarised
# then, never the other way round, because what disturbs the machine disturbs both.
#
# Medians, because a disturbed repetition can be off by any factor. Their intervals come from the
# bootstrap: the repetitions are drawn anew, with replacement, 9999 times, and the middle 95 % of
# what the estimate then is are the interval. The draws are the same in every run, and so is the
# result.
#
# For Debian's python3-scipy (scripts/setup --results), so for scripts that begin with
# #!/usr/bin/python3 -B, where -B leaves no __pycache__ in scripts/.
"""Results files of sluice-bench, and the statistics that are done with them."""

import dataclasses
import json
import math
import re

import numpy
import scipy.stats

CONFIDENCE = 0.95
RESAMPLES = 9999


class Unusable(Exception):
    """A file that cannot be used; its text is one line that says which and why."""


@dataclasses.dataclass
class Row:
    """A row of the comparison: a workload and a queue."""

    name: str  # as transfer/mpmc/p:4/c:2/cap:64
    label: str = ""  # what the bench says of the queue
    error: str = ""  # why a repetition failed
    repetitions: list = dataclasses.field(default_factory=list)  # of dict: counter -> number

    @property
    def kind(self):
        """What is done: transfer, roundtrip, ..."""
        return self.name.split("/")[0]

    @property
    def queue(self):
        """Which queue it is done with; "" if the name does not tell."""
        return (self.name.split("/") + [""])[1]

    @property
    def arguments(self):
        """What the name says after the queue: {"p": "4", "c": "2", "cap": "64"}."""
        parts = (part.partition(":") for part in self.name.split("/")[2:])
        return {key: value for key, _, value in parts}

    @property
    def workload(self):
        """The name without the queue: equal for the rows that compare with each other."""
        parts = self.name.split("/")
        return "/".join(parts[:1] + parts[2:])

    @property
    def title(self):
        """The name for a reader: 4:2/64 mpmc, roundtrip spsc, ..."""
        rest = dict(self.arguments)
        if not {"p", "c", "cap"} <= rest.keys():
            return " ".join(self.name.split("/"))
        title = f"{rest.pop('p')}:{rest.pop('c')}/{rest.pop('cap')} {self.queue}"
        if self.kind != "transfer":
            title = f"{self.kind} {title}"
        return " ".join([title, *(f"{key}:{value}" for key, value in rest.items())])

    def values(self, counter):
        """The counter's value in each repetition that has it."""
        return [numbers[counter] for numbers in self.repetitions if counter in numbers]


@dataclasses.dataclass
class Results:
    """A results file."""

    path: str
    context: dict  # as the file has it
    rows: dict  # name -> Row

    @property
    def machine(self):
        """What makes two runs comparable without a baseline."""
        return tuple(
            self.context.get(key) for key in ("host_name", "num_cpus", "processor", "kernel")
        )


def load(path):
    """Read a results file, or raise Unusable."""
    try:
        with open(path, encoding="utf-8") as file:
            document = json.load(file)
    except OSError as error:
        raise Unusable(f"{path}: {error.strerror}") from None
    except (ValueError, RecursionError):  # no JSON, or no text at all
        raise Unusable(f"{path}: is not JSON") from None
    try:
        context, runs = document["context"], document["benchmarks"]
        results = Results(str(path), dict(context), {})
        for run in runs:
            _add(results.rows, run)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise Unusable(f"{path}: is not a results file of Google Benchmark") from None
    if not any(row.values("items_per_second") or row.error for row in results.rows.values()):
        raise Unusable(f"{path}: has no repetition that counts items per second")
    return results


def _add(rows, run):
    """Add a run, as the file has it, to the row it belongs to."""
    if run.get("run_type") == "aggregate":
        return
    name = run.get("run_name") or run["name"]
    # What the library adds, as far as it says nothing of the workload.
    name = re.sub(
        r"(/(iterations|repeats|min_time):[^/]*)*(/(manual|real|process)_time)*$", "", name
    )
    row = rows.setdefault(name, Row(name))
    if run.get("error_occurred"):
        row.error = str(run.get("error_message", "")) or "failed"
        return
    row.label = run.get("label", row.label)
    row.repetitions.append(
        {
            key: float(value)
            for key, value in run.items()
            if isinstance(value, (int, float)) and math.isfinite(value)
        }
    )


@dataclasses.dataclass(frozen=True)
class Estimate:
    """A value, and the interval that holds it with a probability of CONFIDENCE."""

    value: float
    low: float
    high: float


def _bootstrap(statistic, *samples):
    """The statistic of the samples, each drawn anew by itself."""
    if min(len(sample) for sample in samples) < 2:
        raise ValueError("an interval needs two values at least")
    interval = scipy.stats.bootstrap(
        samples,
        statistic,
        n_resamples=RESAMPLES,
        vectorized=True,
        confidence_level=CONFIDENCE,
        method="percentile",
        random_state=numpy.random.default_rng(1),
    ).confidence_interval
    return Estimate(
        float(statistic(*map(numpy.asarray, samples), axis=-1)),
        float(interval.low),
        float(interval.high),
    )


def median(values):
    """The median as an Estimate; of two values at least."""
    return _bootstrap(numpy.median, values)


def ratio_of_medians(values, reference):
    """The median of values as a multiple of that of reference; an Estimate."""

    def ratio(sample, reference, axis):
        return numpy.median(sample, axis=axis) / numpy.median(reference, axis=axis)

    return _bootstrap(ratio, values, reference)


def mann_whitney(values, reference):
    """How probable it is that two equal queues yield values that differ this much, or more."""
    return float(scipy.stats.mannwhitneyu(values, reference).pvalue)
