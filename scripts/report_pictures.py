# SPDX-License-Identifier: MIT
#
# report_pictures.py - draws the sections of report_sections.py with matplotlib, as SVG.
#
# draw(section, Styles(queues)) returns the picture as an <svg> element without colours of its own for
# text, axes and the baseline: these are currentColor, and so light on a dark page. standalone() makes a
# file of it that brings both along. The same section gives the same text, to the byte.
#
# Colours are those of Okabe and Ito, which people tell apart who see few colours. In all pictures a
# queue has the same, and a mark of its own, too. Queues of other libraries, of which there are more
# than colours, have them again with hollow marks and broken lines.
"""Draws the sections of the report, as SVG."""

import html
import io
import math
import re

import matplotlib
import matplotlib.figure
import matplotlib.patches
import matplotlib.ticker

from report_sections import number, percent, shown

# Stands for currentColor until the picture is written.
INK = "#010203"

BLACK, ORANGE, SKY, GREEN, YELLOW, BLUE, VERMILION, PURPLE, GREY = [
    INK,
    "#e69f00",
    "#56b4e9",
    "#009e73",
    "#f0e442",
    "#0072b2",
    "#d55e00",
    "#cc79a7",
    "#999999",
]

STYLES = {
    "mpmc": (BLUE, "o"),
    "mutex": (BLACK, "D"),
    "ck_mpmc": (ORANGE, "s"),
    "ck_stock_mpmc": (VERMILION, "X"),
    "spsc": (GREEN, "^"),
    "spmc": (SKY, "v"),
    "mpsc": (PURPLE, "P"),
    "ck_spsc": (YELLOW, ">"),
    "ck_spmc": (GREY, "<"),
}
OTHERS = [BLUE, VERMILION, GREEN, ORANGE, PURPLE, SKY, BLACK]
OTHERS_MARKS = ["o", "s", "^", "v", "D", "p", "h", "<", ">", "*", "d"]

WIDTH = 4.8  # inches: 9 points are small on a telephone, and no giants on a desk
SETTINGS = {
    "svg.fonttype": "none",  # text stays text
    "font.family": "DejaVu Sans",  # which matplotlib brings along, to measure with
    "font.size": 9,
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.6,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": INK,
    "grid.alpha": 0.18,
    "grid.linewidth": 0.6,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "lines.markersize": 6,
    "hatch.linewidth": 0.8,
    "hatch.color": INK,
}


class Styles:
    """What a queue looks like."""

    def __init__(self, queues):
        others = sorted(set(queues) - STYLES.keys())
        self.others = {
            queue: (OTHERS[i % len(OTHERS)], OTHERS_MARKS[i % len(OTHERS_MARKS)])
            for i, queue in enumerate(others)
        }

    def colour(self, queue):
        """Its colour."""
        return (STYLES.get(queue) or self.others[queue])[0]

    def mark(self, queue):
        """How its mark is drawn."""
        own = queue in STYLES
        colour, mark = STYLES.get(queue) or self.others[queue]
        return {
            "marker": mark,
            "color": colour,
            "markerfacecolor": colour if own else "none",
            "markeredgecolor": INK if own else colour,
            "markeredgewidth": 0.5 if own else 1.4,
        }

    def line(self, axes, queue, x, y, size):
        """Draw marks with lines between them. Yellow on white needs an edge."""
        if self.colour(queue) == YELLOW:
            axes.plot(x, y, color=INK, linewidth=2.6)
        axes.plot(
            x,
            y,
            linewidth=1.6,
            linestyle="-" if queue in STYLES else "--",
            label=shown(queue),
            **self.mark(queue) | {"markersize": size},
        )


def _plain(axis, most):
    """Numbers as people write them, on a logarithmic axis that has room for so many."""
    low, high = axis.get_view_interval()
    steps = (1,) if math.log10(high / low) > 2 else (1, 2, 5)
    axis.set_major_locator(matplotlib.ticker.LogLocator(subs=steps, numticks=most))
    axis.set_major_formatter(matplotlib.ticker.FuncFormatter(_tick))
    axis.set_minor_formatter(matplotlib.ticker.NullFormatter())


def _tick(value, _):
    """A round number; never an exponent."""
    return f"{value:,.{max(0, -math.floor(math.log10(value) + 1e-9))}f}"


def _figure(height):
    figure = matplotlib.figure.Figure(figsize=(WIDTH, height), layout="constrained")
    figure.patch.set_visible(False)
    axes = figure.add_subplot()
    axes.patch.set_visible(False)
    return figure, axes


def _square(queues):
    """A figure with room for a legend of so many queues below it; _legend makes that."""
    return _figure(2.9 + 0.19 * math.ceil(queues / _columns(queues)))


def _columns(queues):
    return 2 if queues in (2, 4) else 3


def _legend(axes):
    handles, labels = axes.get_legend_handles_labels()
    axes.legend(
        handles,
        labels,
        loc="upper center",
        bbox_to_anchor=(0.45, -0.16),
        ncol=_columns(len(labels)),
        handlelength=2.2,
        columnspacing=1.2,
    )


def _name_axes(axes, picture):
    _plain(axes.yaxis, 12)
    axes.set_xlabel(picture["x"])
    axes.set_ylabel(picture["y"])
    _legend(axes)


def _queue_axis(axes, queues):
    """One line for each queue, the first on top."""
    axes.set_yticks(range(len(queues)), [shown(queue) for queue, *_ in queues])
    axes.set_ylim(len(queues) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.grid(False, axis="y")


def _throughput(picture, styles):
    queues = picture["queues"]
    figure, axes = _figure(0.75 + 0.27 * len(queues))
    axes.set_xscale("log")
    for place, (queue, middle, values) in enumerate(queues):
        style = styles.mark(queue)
        axes.plot([min(values), max(values)], [place, place], color=style["color"], linewidth=1.2)
        axes.plot(
            values,
            [place] * len(values),
            linestyle="",
            marker=".",
            color=style["color"],
            alpha=0.55,
        )
        axes.plot([middle], [place], linestyle="", **style | {"markersize": 8})
        axes.annotate(
            number(middle), (1.02, place), xycoords=("axes fraction", "data"), va="center"
        )
    _queue_axis(axes, queues)
    _plain(axes.xaxis, 6)
    axes.set_xlabel(picture["axis"])
    return figure


def _against(picture, styles):
    lines = picture["lines"]
    figure, axes = _square(len(lines))
    axes.set_yscale("log")
    places = picture["places"]
    if picture["log"]:
        axes.set_xscale("log")
        at = {place: place[0] for place in places}
    else:
        at = {place: index for index, place in enumerate(places)}
    for queue, points in lines:
        x = [at[place] for place, _, _, _ in points]
        axes.vlines(
            x,
            [low for _, _, low, _ in points],
            [high for _, _, _, high in points],
            color=styles.colour(queue),
            linewidth=1,
            alpha=0.6,
        )
        styles.line(axes, queue, x, [value for _, value, _, _ in points], 6)
    axes.set_xticks(list(at.values()), [place[1] for place in places])
    axes.minorticks_off()
    _name_axes(axes, picture)
    return figure


def _cpu(picture, styles):
    points = picture["points"]
    figure, axes = _square(len(points))
    axes.set_xscale("log")
    axes.set_yscale("log")
    for queue, x, y in points:
        axes.plot(
            [x], [y], linestyle="", label=shown(queue), **styles.mark(queue) | {"markersize": 8}
        )
    axes.margins(0.08)
    _plain(axes.xaxis, 6)
    _name_axes(axes, picture)
    return figure


def _roundtrip(picture, styles):
    lines = picture["lines"]
    figure, axes = _square(len(lines))
    axes.set_xscale("log")
    axes.set_yscale("log")
    # The slowest 1 of 10, of 100, of 1000: each as wide as the next.
    for queue, points in lines:
        x = [1 / (1 - share) for share, _ in points]
        styles.line(axes, queue, x, [ns for _, ns in points], 4)
    last = max(share for _, points in lines for share, _ in points)
    ticks = [50, 90, 99, 99.9, 99.99, 99.999]
    ticks = [tick for tick in ticks if tick < 100.0001 * last]
    axes.set_xticks([1 / (1 - tick / 100) for tick in ticks], [f"{tick} %" for tick in ticks])
    axes.xaxis.set_minor_locator(matplotlib.ticker.NullLocator())
    _name_axes(axes, picture)
    return figure


def _paced(picture, styles):
    queues = picture["queues"]
    figure, axes = _figure(1.2 + 0.27 * len(queues))
    for place, (queue, running, ready, asleep) in enumerate(queues):
        colour = styles.colour(queue)
        bar = {"height": 0.62, "edgecolor": INK, "linewidth": 0.5}
        axes.barh([place], [running], color=colour, **bar)
        axes.barh([place], [ready], left=[running], color="none", hatch="////", **bar)
        axes.barh([place], [asleep], left=[running + ready], color="none", **bar)
        axes.annotate(
            percent(asleep / 100), (1.02, place), xycoords=("axes fraction", "data"), va="center"
        )
    key = [
        matplotlib.patches.Patch(facecolor=colour, hatch=hatch, edgecolor=INK, linewidth=0.5)
        for colour, hatch in (("#7f7f7f", None), ("none", "////"), ("none", None))
    ]
    _queue_axis(axes, queues)
    axes.set_xlim(0, 100)
    axes.set_xlabel(picture["axis"])
    axes.legend(
        key,
        ["running", "ready, no processor", "asleep"],
        loc="lower right",
        bbox_to_anchor=(1.2, 1),
        ncol=3,
        columnspacing=1.2,
    )
    return figure


PICTURES = {
    "throughput": _throughput,
    "threads": _against,
    "capacity": _against,
    "cpu": _cpu,
    "roundtrip": _roundtrip,
    "paced": _paced,
}


def draw(section, styles):
    """The section's picture as an <svg> element."""
    file = io.StringIO()
    with matplotlib.rc_context(SETTINGS | {"svg.hashsalt": section.name}):
        figure = PICTURES[section.name](section.picture, styles)
        # No date, and nothing else that tells when and by what it was made.
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(file, format="svg", metadata=nothing)
    svg = file.getvalue()
    svg = svg[svg.index("<svg") :].replace(INK, "currentColor")
    # Verdana is as wide. Others are narrower, which does no harm.
    svg = svg.replace("'DejaVu Sans'", "'DejaVu Sans', Verdana, sans-serif")
    # Several pictures stand in one page, where every id must be another.
    svg = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{section.name}-", svg)
    label = html.escape(section.title, quote=True)
    return svg.replace("<svg ", f'<svg class="chart" role="img" aria-label="{label}" ', 1)


def standalone(svg):
    """The picture as a file, with colours for a light and for a dark surrounding."""
    style = (
        "<style>svg{color:#1b1f24;background:#fff}"
        "@media(prefers-color-scheme:dark){svg{color:#e8e6e3;background:#16181d}}</style>"
    )
    return '<?xml version="1.0" encoding="utf-8"?>\n' + re.sub(
        r"(<svg [^>]*>)", rf"\g<1>{style}", svg, count=1
    )
