# SPDX-License-Identifier: MIT
#
# report_page.py FOLDER - looks at what scripts/report made, in a browser, and prints what is wrong.
#
# Chromium opens index.html on a desk and on a telephone, light and dark, and for a printer, and every
# picture by itself. It must report nothing on its console, load nothing from elsewhere, not be wider
# than the screen, and show text that can be read: none cut, none over another, none too pale. The
# numbers in the tables must be those of results.json, whose medians are taken here once more, and
# report.md must have the same cells.
#
# For Debian's python3-selenium and chromium-driver. Exit status: 0 if nothing is wrong, 1 otherwise.
"""Looks at what scripts/report made, in a browser."""

import html
import json
import pathlib
import re
import statistics
import sys
import tempfile

from selenium import webdriver

# Without a sandbox it runs as root, too. It shall ask nobody for anything.
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-dev-shm-usage --disable-quic --no-first-run "
    "--disable-background-networking --disable-component-update --disable-sync"
).split()

# Text that is cut off, lies over another, or has less contrast than 4.5 (WCAG 2, AA).
LOOK = """
const wrong = [];
const channels = colour => colour.match(/[\\d.]+/g).slice(0, 3).map(Number);
const luminance = colour => channels(colour)
  .map(c => c / 255).map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
  .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
const contrast = (a, b) => {
  const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y);
  return (high + 0.05) / (low + 0.05);
};
const page = getComputedStyle(document.body || document.documentElement).backgroundColor;
for (const element of document.querySelectorAll('h1, h2, p, dt, dd, th, td, li')) {
  const colour = getComputedStyle(element).color;
  if (contrast(colour, page) < 4.5)
    wrong.push(`${element.textContent} is ${colour} on ${page}`);
}
for (const svg of document.querySelectorAll('svg.chart')) {
  const frame = svg.getBoundingClientRect();
  const texts = [...svg.querySelectorAll('text')].map(text => [text, text.getBoundingClientRect()]);
  if (frame.width < 200 || texts.length === 0)
    wrong.push(`a picture ${frame.width} wide, with ${texts.length} texts`);
  texts.forEach(([text, box], i) => {
    const name = svg.getAttribute('aria-label') + ': ' + text.textContent;
    if (contrast(getComputedStyle(text).fill, page) < 4.5)
      wrong.push(`${name} is ${getComputedStyle(text).fill} on ${page}`);
    if (box.left < frame.left - 1 || box.right > frame.right + 1 || box.top < frame.top - 1 ||
        box.bottom > frame.bottom + 1)
      wrong.push(`${name} is cut off`);
    for (const [other, its] of texts.slice(i + 1)) {
      const wide = Math.min(box.right, its.right) - Math.max(box.left, its.left);
      const high = Math.min(box.bottom, its.bottom) - Math.max(box.top, its.top);
      // A line of text has space above and below its letters.
      if (wide > 0 && high > 0.3 * Math.min(box.height, its.height))
        wrong.push(`${name} and ${other.textContent} lie over each other`);
    }
  });
}
for (const image of document.images)
  if (!image.complete || image.naturalWidth === 0)
    wrong.push(`image ${image.src} is missing`);
for (const entry of performance.getEntriesByType('resource'))
  wrong.push(`${entry.name} was loaded`);
const root = document.documentElement;
if (document.body && root.scrollWidth > root.clientWidth)
  wrong.push(`the page is ${root.scrollWidth} wide, the screen ${root.clientWidth}`);
return wrong;
"""

TABLES = """
return Object.fromEntries([...document.querySelectorAll('section')].map(section => [
  section.id,
  [...section.querySelectorAll('tr')].map(row => [...row.cells].map(cell => cell.textContent)),
]));
"""


def browser():
    """A Chromium with a profile of its own."""
    options = webdriver.ChromeOptions()
    for flag in FLAGS:
        options.add_argument(flag)
    options.add_argument(f"--user-data-dir={tempfile.mkdtemp()}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = webdriver.chrome.service.Service("/usr/bin/chromedriver")
    return webdriver.Chrome(service=service, options=options)


def look(chromium, path, width, scheme, media="screen"):
    """What is wrong with the page on such a screen."""
    chromium.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600},
    )
    chromium.execute_cdp_cmd(
        "Emulation.setEmulatedMedia",
        {"media": media, "features": [{"name": "prefers-color-scheme", "value": scheme}]},
    )
    chromium.get(path.resolve().as_uri())
    wrong = chromium.execute_script(LOOK)
    wrong += [f"the console says {entry['message']}" for entry in chromium.get_log("browser")]
    return [f"{path.name}, {width}, {scheme}, {media}: {text}" for text in wrong]


# --- Numbers ---------------------------------------------------------------------------------------


def measured(path):
    """The runs of the file: row -> list of dict, without what failed."""
    rows = {}
    for run in json.loads(path.read_text(encoding="utf-8"))["benchmarks"]:
        if run["run_type"] == "iteration":
            name = re.sub("(/repeats:[0-9]+)?/manual_time$", "", run["run_name"])
            rows.setdefault(name, [])
            if not run.get("error_occurred"):
                rows[name].append(run)
    return rows


def expected(runs, counter):
    """The median of the counter, None where there is none."""
    values = [run[counter] for run in runs if counter in run]
    return statistics.median(values) if values else None


def differ(text, value):
    """Whether the text is another number than the value, of which it shows three digits."""
    if value is None:
        return text != ""
    if text in ("< 0.01 %", "> 99.99 %"):
        return min(value, 100 - value) > 0.01
    number = re.fullmatch(r"([\d,.]+)( %)?", text)
    if not number:
        return True
    return abs(float(number[1].replace(",", "")) - value) > 0.0051 * abs(value) + 1e-12


class Table:
    """A table of the page, and what is wrong with it."""

    def __init__(self, name, lines):
        self.name = name
        self.heads, self.lines = lines[0], lines[1:]
        self.wrong = []

    def compare(self, line, head, value):
        """The cell must show the value."""
        text = line[self.heads.index(head)]
        if differ(text, value):
            self.wrong.append(f"{self.name}: {line[0]}, {head}: {text or 'nothing'}, not {value}")


def queue(name):
    """The queue that a table calls so."""
    return {"stock ck_ring": "ck_stock_mpmc"}.get(name, name.removeprefix("Sluice ").lower())


def scaled(value, factor):
    """Times a factor, if there is one."""
    return None if value is None else value * factor


def rows_table(table, rows):
    """All rows are there, once."""
    names = [line[0] for line in table.lines]
    if sorted(names) != sorted(rows):
        table.wrong.append(f"rows are {names}, not {list(rows)}")
        return
    for line in table.lines:
        runs = rows[line[0]]
        table.compare(line, "Mitems/s", scaled(expected(runs, "items_per_second"), 1e-6))
        table.compare(line, "× mutex", expected(runs, "times_mutex"))
        table.compare(line, "CPU ns/item", expected(runs, "cpu_ns_per_item"))
        table.compare(line, "switches/1000", expected(runs, "switches_per_1000"))
        table.compare(line, "runs", len(runs))


def headline_table(table, rows):
    """The tables of 4:2/64."""
    for line in table.lines:
        runs = rows.get(f"transfer/{queue(line[0])}/p:4/c:2/cap:64", [])
        table.compare(line, "Mitems/s", scaled(expected(runs, "items_per_second"), 1e-6))
        times = "cpu_times_mutex" if table.name == "cpu" else "times_mutex"
        table.compare(line, "× mutex", expected(runs, times))
        if table.name == "cpu":
            table.compare(line, "CPU ns/item", expected(runs, "cpu_ns_per_item"))


def against_table(table, rows):
    """Those with a row for each queue and a column for each workload."""
    for line in table.lines:
        for head in table.heads[1:]:
            place = f"p:4/c:2/cap:{head.replace(',', '')}"
            if table.name == "threads":
                producers, consumers = head.split(":")
                place = f"p:{producers}/c:{consumers}/cap:64"
            runs = rows.get(f"transfer/{queue(line[0])}/{place}", [])
            table.compare(line, head, scaled(expected(runs, "items_per_second"), 1e-6))


def roundtrip_table(table, rows):
    """Percentiles."""
    for line in table.lines:
        for head in table.heads[1:]:
            share = {"min": "0", "median": "50", "max": "100"}.get(head, head.removesuffix(" %"))
            runs = rows.get(f"roundtrip/{queue(line[0])}", [])
            table.compare(line, head, expected(runs, f"p{share}_ns"))


def paced_table(table, rows):
    """Shares of time."""
    for line in table.lines:
        runs = rows.get(f"paced/{queue(line[0])}", [])
        running, ready = expected(runs, "running_share"), expected(runs, "ready_share")
        table.compare(line, "running", scaled(running, 100))
        table.compare(line, "ready", scaled(ready, 100))
        table.compare(line, "asleep", 100 * (1 - (running or 0) - (ready or 0)))
        table.compare(line, "CPU s", expected(runs, "cpu_seconds"))


TABLES_OF = {
    "throughput": headline_table,
    "cpu": headline_table,
    "threads": against_table,
    "capacity": against_table,
    "roundtrip": roundtrip_table,
    "paced": paced_table,
    "rows": rows_table,
}


def compare_numbers(tables, rows):
    """What the tables say that results.json does not."""
    wrong = []
    for name, lines in tables.items():
        table = Table(name, lines)
        TABLES_OF[name](table, rows)
        wrong += table.wrong
    return wrong


def compare_markdown(tables, text):
    """Where report.md has other tables."""
    lines = [
        [
            html.unescape(re.sub(r"\\(.)", r"\1", cell)).strip()
            for cell in re.split(r"(?<!\\)\|", line)
        ]
        for line in text.splitlines()
        if line.startswith("| ")
    ]
    cells = [line[1:-1] for line in lines]
    wanted = [[cell.strip() for cell in line] for table in tables.values() for line in table]
    return [f"report.md has no line {line}" for line in wanted if line not in cells]


def compare_tracking(tracked, rows):
    """Where tracking.json has other medians, or other rows than those with a throughput."""
    medians = {name: expected(runs, "items_per_second") for name, runs in rows.items()}
    wanted = {name: value / 1e6 for name, value in medians.items() if value is not None}
    if {point["name"]: point["value"] for point in tracked} != wanted:
        return [f"tracking.json has {tracked}, not {wanted}"]
    return []


def main():
    """The program; returns its exit status."""
    folder = pathlib.Path(sys.argv[1])
    page = folder / "index.html"
    chromium = browser()
    try:
        wrong = []
        for width in (1200, 360):
            for scheme in ("light", "dark"):
                wrong += look(chromium, page, width, scheme)
        wrong += look(chromium, page, 700, "light", "print")
        tables = chromium.execute_script(TABLES)
        titles = [title.text for title in chromium.find_elements("css selector", "h2")]
        alert = [item.text for item in chromium.find_elements("css selector", ".bad li")]
        charts = len(chromium.find_elements("css selector", "svg.chart"))
        if chromium.execute_script("return window.hacked"):
            wrong.append("the page runs what a row is called")
        pictures = sorted(folder.glob("chart-*.svg"))
        if charts != len(pictures) or charts != len(tables) - 1:
            wrong.append(
                f"{charts} pictures on the page, {len(pictures)} files, {len(tables)} tables"
            )
        for path in pictures:
            wrong += look(chromium, path, 1200, "light") + look(chromium, path, 360, "dark")
    finally:
        chromium.quit()
    wrong += compare_numbers(tables, measured(folder / "results.json"))
    wrong += compare_markdown(tables, (folder / "report.md").read_text(encoding="utf-8"))
    tracked = json.loads((folder / "tracking.json").read_text(encoding="utf-8"))
    wrong += compare_tracking(tracked, measured(folder / "results.json"))
    print(*titles, sep="\n")
    print(*(f"alert: {line}" for line in alert), sep="\n")
    print(*(f"WRONG: {line}" for line in wrong), sep="\n")
    return 1 if wrong else 0


sys.exit(main())
