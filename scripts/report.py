# SPDX-License-Identifier: MIT
#
# report.py - what scripts/report runs; see there.
"""What a results file of scripts/bench says, for people to look at."""

import json
import pathlib
import sys

import jinja2

import results
import report_pictures
import report_sections

SCRIPTS = pathlib.Path(__file__).resolve().parent


def write(found, text, folder):
    """Write everything into the folder; text is that of the results file."""
    sections = report_sections.sections(found)
    styles = report_pictures.Styles(row.queue for row in found.rows.values())
    charts = {
        section.name: report_pictures.draw(section, styles)
        for section in sections
        if section.picture
    }
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(SCRIPTS),
        autoescape=lambda name: name.endswith(".html"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["cell"] = markdown_cell
    for template, name in (("report_page.html", "index.html"), ("report_page.md", "report.md")):
        page = environment.get_template(template).render(
            facts=report_sections.facts(found),
            failures=report_sections.failures(found),
            sections=sections,
            charts=charts,
        )
        (folder / name).write_text(page, encoding="utf-8")
    for old in folder.glob("chart-*.svg"):
        old.unlink()
    for name, svg in charts.items():
        path = folder / f"chart-{name}.svg"
        path.write_text(report_pictures.standalone(svg), encoding="utf-8")
    tracking = json.dumps(report_sections.tracking(found), indent=2, ensure_ascii=False)
    (folder / "tracking.json").write_text(tracking + "\n", encoding="utf-8")
    (folder / "results.json").write_bytes(text)


def markdown_cell(text):
    """The text as it is, in a cell of a table: what Markdown or HTML would act upon is escaped."""
    special = {character: f"\\{character}" for character in "\\`*_[]|~"}
    special |= {"<": "&lt;", "&": "&amp;", "\n": " "}
    return "".join(special.get(character, character) for character in text)


def main(arguments):
    """The program; returns its exit status."""
    if len(arguments) not in (1, 2) or arguments[0].startswith("-"):
        print("usage: scripts/report RESULTS.json [FOLDER]", file=sys.stderr)
        return 2
    folder = pathlib.Path(*arguments[1:] or [SCRIPTS.parent / "build" / "report"])
    try:
        found = results.load(arguments[0])
        text = pathlib.Path(arguments[0]).read_bytes()
        folder.mkdir(parents=True, exist_ok=True)
        write(found, text, folder)
    except results.Unusable as error:
        print(f"report: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"report: {error.filename}: {error.strerror}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
