# SPDX-License-Identifier: MIT
#
# report_sections.py - what scripts/report says of a results file, in sections.
#
# sections() makes them: each a title that says the finding, computed from the numbers, a picture's
# data (report_pictures.py draws it) and the table below the picture. A section for which the file
# has no rows is left out, and so is a row of a kind that is not known here from every section but the
# last: that one has all rows, by workload.
#
# A value is the median of the repetitions.
"""What the report of a results file says, in sections."""

import dataclasses
import math
import re
import statistics

import results as results_module

# What Sluice's queues, and the baseline, are called in a sentence; others by the name in their rows.
NAMES = {
    "mpmc": "Sluice MPMC",
    "spmc": "Sluice SPMC",
    "mpsc": "Sluice MPSC",
    "spsc": "Sluice SPSC",
    "ck_mpmc": "Sluice CK_MPMC",
    "ck_spmc": "Sluice CK_SPMC",
    "ck_spsc": "Sluice CK_SPSC",
    "ck_stock_mpmc": "stock ck_ring",
    "mutex": "the mutex",
}
BASELINE = "mutex"

# Numbers of a run that no remark of the last table repeats: what stands in a column of some table,
# what follows from it, and what the library adds.
SHOWN = re.compile(
    r"items_per_second|times_mutex|cpu_ns_per_item|cpu_times_mutex|switches_per_1000"
    r"|mutex_items_per_second|p[\d.]+_ns|(running|ready|asleep)_share|(wall|cpu)_seconds"
    r"|(per_)?family.*_index|repetition.*|threads|iterations|(real|cpu)_time"
)


@dataclasses.dataclass
class Section:
    """A finding, with its picture and its table."""

    name: str  # of the picture, too: chart-NAME.svg
    title: str  # the finding
    text: str  # what is shown
    heads: list  # of the table's columns; the first holds names, the last may hold text
    rows: list  # of lists of str, one for each column
    picture: dict = None  # what report_pictures.py needs; None: there is nothing to draw
    group_starts: frozenset = frozenset()  # indexes of rows with which a group begins


def shown(queue):
    """What a queue is called in tables and pictures."""
    return NAMES.get(queue, queue).removeprefix("the ")


def number(value):
    """Three digits that count, and never an exponent."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    decimals = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:,.{decimals}f}"


def percent(share):
    """A share of 0 to 1, in percent; never 100 when something is left, never 0 for something."""
    value = 100 * share
    if 0 < value < 0.01:
        return "< 0.01 %"
    if 99.995 <= value < 100:
        return "> 99.99 %"
    return f"{value:.2f} %" if 99 < value < 100 else f"{number(value)} %"


def duration(ns):
    """Nanoseconds in the unit that suits them."""
    for unit, size in (("s", 1e9), ("ms", 1e6), ("µs", 1e3)):
        if ns >= size:
            return f"{number(ns / size)} {unit}"
    return f"{number(ns)} ns"


def median(row, counter):
    """The median of a counter of the row; None where no repetition has it."""
    values = row.values(counter)
    return statistics.median(values) if values else None


def is_measured(row):
    """Whether any repetition of it has a throughput."""
    return bool(row.values("items_per_second"))


def mega(row):
    """The row's throughput in million items a second; NaN if it has none."""
    return statistics.median(row.values("items_per_second") or [math.nan]) / 1e6


def _interval(row, counter, scale=1.0):
    """The interval of the median, as text; "" where the repetitions are too few."""
    values = row.values(counter)
    if len(values) < 2:
        return ""
    estimate = results_module.median(values)
    return f"{number(estimate.low * scale)} .. {number(estimate.high * scale)}"


def _range(row, counter, scale=1.0):
    """The smallest and the largest value, as text."""
    values = row.values(counter)
    return f"{number(min(values) * scale)} .. {number(max(values) * scale)}" if values else ""


def _cell(value, form=number):
    return "" if value is None or math.isnan(value) else form(value)


def _remarks(row):
    """What a reader must know of the row beside its numbers."""
    parts = [f"FAILED: {row.error}"] if row.error else []
    return ", ".join(parts + ([row.label] if row.label else []))


def _measured(rows):
    """Those with a throughput, the fastest first."""
    found = [row for row in rows if is_measured(row)]
    return sorted(found, key=lambda row: (-mega(row), row.name))


def _lead(rows):
    """The row that titles speak of: Sluice's MPMC, or another of Sluice's, or the first."""

    def rank(row):
        sluice = NAMES.get(row.queue, "").startswith("Sluice")
        return (row.queue != "mpmc", not sluice, -mega(row))

    return min(rows, key=rank)


def _baseline(rows):
    return next((row for row in rows if row.queue == BASELINE), None)


def _begin(name):
    """As the first word of a sentence."""
    return name[0].upper() + name[1:]


def _name(row):
    return NAMES.get(row.queue, row.queue)


def _with_baseline(text, lead, rows, say):
    """The text, and what is to be said of the baseline if that is another row."""
    baseline = _baseline(rows)
    if baseline is None or baseline is lead:
        return text
    return f"{text}; {say(baseline)}"


# --- 4:2/64 ----------------------------------------------------------------------------------------

HEADLINE = {"p": "4", "c": "2", "cap": "64"}


def _headline_rows(results):
    return _measured(
        row for row in results.rows.values() if row.kind == "transfer" and row.arguments == HEADLINE
    )


def _throughput(results):
    rows = _headline_rows(results)
    if not rows:
        return None
    lead = _lead(rows)
    title = f"{_begin(_name(lead))} moves {number(mega(lead))} million items a second"
    times = median(lead, "times_mutex")
    if times is not None and lead.queue != BASELINE:
        title += f", {number(times)} times the mutex"
    return Section(
        "throughput",
        title,
        "4 producers, 2 consumers, capacity 64, items of 8 bytes. Every repetition is a dot, "
        "their median the large mark. Further right is faster; the axis is logarithmic. What the "
        "mutex's own ratio is away from 1 is the error of the method.",
        ["queue", "Mitems/s", "95 % interval", "min .. max", "× mutex", "95 % interval", "runs"]
        + ["remarks"],
        [
            [
                shown(row.queue),
                number(mega(row)),
                _interval(row, "items_per_second", 1e-6),
                _range(row, "items_per_second", 1e-6),
                _cell(median(row, "times_mutex")),
                _interval(row, "times_mutex"),
                str(len(row.values("items_per_second"))),
                _remarks(row),
            ]
            for row in rows
        ],
        {
            "axis": "million items a second",
            "queues": [
                (row.queue, mega(row), [value / 1e6 for value in row.values("items_per_second")])
                for row in rows
            ],
        },
    )


def _cpu(results):
    rows = [row for row in _headline_rows(results) if median(row, "cpu_ns_per_item")]
    if not rows:
        return None
    lead = _lead(rows)
    title = _with_baseline(
        f"{_begin(_name(lead))} spends {number(median(lead, 'cpu_ns_per_item'))} ns of "
        "processor time on an item",
        lead,
        rows,
        lambda row: f"{_name(row)} {number(median(row, 'cpu_ns_per_item'))} ns",
    )
    return Section(
        "cpu",
        title,
        "The same rows: the processor time that all threads together spend on an item, user and "
        "system, against throughput. Down and to the right is better; both axes are logarithmic.",
        ["queue", "CPU ns/item", "min .. max", "× mutex", "Mitems/s"],
        [
            [
                shown(row.queue),
                number(median(row, "cpu_ns_per_item")),
                _range(row, "cpu_ns_per_item"),
                _cell(median(row, "cpu_times_mutex")),
                number(mega(row)),
            ]
            for row in sorted(rows, key=lambda row: median(row, "cpu_ns_per_item"))
        ],
        {
            "x": "million items a second",
            "y": "CPU ns an item",
            "points": [(row.queue, mega(row), median(row, "cpu_ns_per_item")) for row in rows],
        },
    )


# --- Against a quantity ----------------------------------------------------------------------------


def _against(results, name, key, least, what, text, picture):
    """
    Throughput of each queue that has the least number of places, against what key() makes of the
    arguments of a transfer: None for a row that is not part of it, else the sort key and the text of
    its place on the axis.
    """
    table = {}
    for row in results.rows.values():
        place = key(row.arguments) if row.kind == "transfer" and is_measured(row) else None
        if place:
            table.setdefault(row.queue, {})[place] = row
    table = {queue: rows for queue, rows in table.items() if len(rows) >= least}
    places = sorted({place for rows in table.values() for place in rows})
    if len(places) < 2:
        return None
    # Who has most places stands first, in the order of the fastest.
    queues = sorted(
        table,
        key=lambda queue: (-len(table[queue]), -max(mega(row) for row in table[queue].values())),
    )
    lead = _lead([max(table[queue].values(), key=mega) for queue in queues]).queue

    def span(queue):
        values = [mega(row) for row in table[queue].values()]
        return f"{number(min(values))} to {number(max(values))}"

    first, last = (min(table[lead])[1], max(table[lead])[1])
    title = f"{_begin(NAMES.get(lead, lead))} moves {span(lead)} million items a second"
    title += f" {what.format(first, last)}"
    if BASELINE in table and lead != BASELINE:
        title += f", {NAMES[BASELINE]} {span(BASELINE)}"
    return Section(
        name,
        title,
        text,
        ["Mitems/s"] + [place[1] for place in places],
        [
            [shown(queue)]
            + [
                number(mega(table[queue][place])) if place in table[queue] else ""
                for place in places
            ]
            for queue in queues
        ],
        picture
        | {
            "y": "million items a second",
            "places": places,
            "lines": [
                (
                    queue,
                    [
                        (
                            place,
                            mega(row),
                            min(row.values("items_per_second")) / 1e6,
                            max(row.values("items_per_second")) / 1e6,
                        )
                        for place, row in sorted(table[queue].items())
                    ],
                )
                for queue in queues
            ],
        },
    )


def _whole(text):
    """The number of an argument; None if it is none."""
    return int(text) if text.isdigit() else None


def _threads(results):
    def key(arguments):
        if arguments.keys() != HEADLINE.keys() or arguments["cap"] != HEADLINE["cap"]:
            return None
        producers, consumers = _whole(arguments["p"]), _whole(arguments["c"])
        if producers is None or consumers is None:
            return None
        return (producers + consumers, f"{producers}:{consumers}")

    return _against(
        results,
        "threads",
        key,
        1,
        "from {} to {} threads",
        "Producers:consumers, ordered by how many they are together; capacity 64, items of 8 bytes. "
        "Medians, with the smallest and largest repetition; logarithmic upwards.",
        {"x": "producers:consumers", "log": False},
    )


def _capacity(results):
    def key(arguments):
        if arguments.keys() != HEADLINE.keys() or arguments | {"cap": "64"} != HEADLINE:
            return None
        capacity = _whole(arguments["cap"])
        return (capacity, f"{capacity:,}") if capacity else None

    return _against(
        results,
        "capacity",
        key,
        2,
        "from capacity {} to {}",
        "4 producers, 2 consumers, items of 8 bytes. Medians, with the smallest and largest "
        "repetition; both axes are logarithmic.",
        {"x": "capacity", "log": True},
    )


# --- Waiting ---------------------------------------------------------------------------------------


def _of_kind(results, kind):
    """The measured rows of the workload of that kind that has most of them."""
    workloads = {}
    for row in results.rows.values():
        if row.kind == kind and is_measured(row):
            workloads.setdefault(row.workload, []).append(row)
    return max(workloads.values(), key=len, default=[])


def _percentiles(row):
    """share -> nanoseconds, of the counters named p50_ns, p99.9_ns and so on."""
    names = {name for numbers in row.repetitions for name in numbers}
    found = (re.fullmatch(r"p([\d.]+)_ns", name) for name in names)
    return {float(match[1]) / 100: median(row, match[0]) for match in found if match}


def _roundtrip(results):
    rows = [row for row in _of_kind(results, "roundtrip") if 0.5 in _percentiles(row)]
    if not rows:
        return None
    rows.sort(key=lambda row: (_percentiles(row)[0.5], row.name))
    tables = {row.queue: _percentiles(row) for row in rows}
    shares = sorted({share for table in tables.values() for share in table})
    lead = _lead(rows)
    title = _with_baseline(
        f"Half of all round trips through {_name(lead)} take {duration(tables[lead.queue][0.5])} "
        "or less",
        lead,
        rows,
        lambda row: f"through {_name(row)} {duration(tables[row.queue][0.5])}",
    )
    return Section(
        "roundtrip",
        title,
        "Two threads, two queues of capacity 1: a number goes there and back, one at a time. The "
        "share of round trips that take no longer than so much, towards the slowest; both axes are "
        "logarithmic. Medians of the repetitions' percentiles.",
        ["ns"] + [_share_name(share) for share in shares],
        [
            [shown(row.queue)] + [_cell(tables[row.queue].get(share)) for share in shares]
            for row in rows
        ],
        {
            "y": "round trip, ns",
            "x": "share of the round trips that take no longer",
            "lines": [
                (
                    row.queue,
                    [pair for pair in sorted(tables[row.queue].items()) if pair[0] < 1],
                )
                for row in rows
            ],
        },
    )


def _share_name(share):
    return {0.0: "min", 0.5: "median", 1.0: "max"}.get(share, f"{100 * share:.6g} %")


def _paced(results):
    rows = [row for row in _of_kind(results, "paced") if median(row, "running_share") is not None]
    if not rows:
        return None
    rows.sort(key=lambda row: (median(row, "running_share"), row.name))

    def shares(row):
        """Running, ready, neither: what does not run sleeps where the kernel does not tell."""
        running = median(row, "running_share")
        ready = median(row, "ready_share")
        return running, ready, max(0, 1 - running - (ready or 0))

    lead = _lead(rows)
    title = _with_baseline(
        f"With little to do, the threads of {_name(lead)} sleep {percent(shares(lead)[2])} of the "
        "time",
        lead,
        rows,
        lambda row: f"those of {_name(row)} {percent(shares(row)[2])}",
    )
    return Section(
        "paced",
        title,
        "4 producers sleep 300 µs before each item, as if fetching it, 2 consumers 100 µs after each, "
        "as if processing it. Of the time of all threads, they run in one part, and are ready in "
        "another, but have no processor.",
        ["queue", "asleep", "ready", "running", "CPU s", "wall s", "CPU ns/item", "switches/1000"],
        [
            [
                shown(row.queue),
                percent(shares(row)[2]),
                _cell(shares(row)[1], percent),
                percent(shares(row)[0]),
                _cell(median(row, "cpu_seconds")),
                _cell(median(row, "wall_seconds")),
                _cell(median(row, "cpu_ns_per_item")),
                _cell(median(row, "switches_per_1000")),
            ]
            for row in rows
        ],
        {
            "axis": "share of the threads' time, %",
            "queues": [(row.queue, *(100 * (share or 0) for share in shares(row))) for row in rows],
        },
    )


# --- All rows --------------------------------------------------------------------------------------


def _counters(row):
    """Those that no column shows, as text."""
    names = sorted({name for numbers in row.repetitions for name in numbers})
    return ", ".join(
        f"{name} {number(median(row, name))}" for name in names if not SHOWN.fullmatch(name)
    )


def _all(results):
    groups = {}
    for row in results.rows.values():
        groups.setdefault(row.workload, []).append(row)
    rows = []
    starts = set()
    headline = next((row.workload for row in _headline_rows(results)), None)
    # The headline, then workloads in the order of their names, numbers by value.
    for workload in sorted(
        groups, key=lambda workload: (workload != headline, _by_number(workload))
    ):
        starts.add(len(rows))
        measured = _measured(groups[workload])
        rows += measured + [row for row in groups[workload] if row not in measured]
    failed = sum(1 for row in rows if row.error)
    title = f"All {len(rows)} rows"
    if failed:
        title += f", of which {failed} failed"
    return Section(
        "rows",
        title,
        "By workload, in each the fastest first. Medians of the repetitions. The ratios to the mutex "
        "are those within a repetition; the interval holds their median with a probability of 95 % "
        "(bootstrap).",
        ["row", "Mitems/s", "min .. max", "× mutex", "95 % interval"]
        + ["CPU ns/item", "CPU × mutex", "switches/1000", "runs", "remarks"],
        [
            [
                row.name,
                _cell(mega(row)),
                _range(row, "items_per_second", 1e-6),
                _cell(median(row, "times_mutex")),
                _interval(row, "times_mutex"),
                _cell(median(row, "cpu_ns_per_item")),
                _cell(median(row, "cpu_times_mutex")),
                _cell(median(row, "switches_per_1000")),
                str(len(row.values("items_per_second"))),
                ", ".join(part for part in (_remarks(row), _counters(row)) if part),
            ]
            for row in rows
        ],
        group_starts=frozenset(starts),
    )


def _by_number(text):
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", text)]


def sections(results):
    """The sections that the rows allow, in their order; the last has all rows."""
    makers = (_throughput, _threads, _capacity, _cpu, _roundtrip, _paced, _all)
    return [section for section in (make(results) for make in makers) if section]


def tracking(results):
    """The throughput of each row, for what draws curves over commits, and wants bigger to be better."""
    return [
        {
            "name": row.name,
            "unit": "Mitems/s",
            "value": mega(row),
            "range": _range(row, "items_per_second", 1e-6),
            "extra": f"median of {len(row.values('items_per_second'))}",
        }
        for row in results.rows.values()
        if is_measured(row)
    ]


def failures(results):
    """One line for each row that failed."""
    return [f"{row.name}: {row.error}" for row in results.rows.values() if row.error]


def facts(results):
    """What must stand beside the numbers: (what, text) in order."""
    context = results.context

    def known(*keys):
        return next((str(context[key]) for key in keys if context.get(key) not in (None, "")), "")

    repetitions = sorted({len(row.repetitions) for row in results.rows.values()})
    counts = f"{repetitions[0]}"
    if len(repetitions) > 1:
        counts += f" to {repetitions[-1]}"
    shuffled = {"true": ", all of them shuffled over the whole run"}.get(known("shuffled"), "")
    processors = known("num_cpus")
    said = [
        (
            "Machine",
            known("processor", "machine") + (f", {processors} processors" if processors else ""),
        ),
        ("Kernel", known("kernel")),
        ("Compiler", ", ".join(part for part in (known("compiler"), known("flags")) if part)),
        ("Frequency governor", known("governor")),
        ("Commit", known("commit")),
        ("Date", known("date")),
        ("Repetitions", f"{counts} of every row{shuffled}"),
        ("Method", known("method")),
    ]
    return [(what, text or "unknown") for what, text in said]
