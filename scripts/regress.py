# SPDX-License-Identifier: MIT
#
# regress.py - see regress, which runs it.
"""Compares the working tree's queues with those of another revision."""

import contextlib
import os
import pathlib
import platform
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

import results
import verdict

ROOT = pathlib.Path(__file__).resolve().parent.parent
SIDES = ("base", "tree")  # names of one length: paths end up in programs, and move things
MILLISECONDS = 10  # of a measurement
ROUNDS = 10  # of a run
PAIRS = 40
LEAST_PAIRS = 7
PATIENCE = 5  # seconds to end in, when told to


class Failure(Exception):
    """Why nothing can be said; its text is one line."""


class Broken(Exception):
    """What the working tree fails at, and the base does not, in one line."""


# --- Programs ------------------------------------------------------------------------------------


def end(process):
    """End a process and what it has started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    try:
        process.communicate(timeout=PATIENCE)  # until nobody holds its output any more
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def run(*command):
    """The output of a program; if it fails, Failure with the first line that looks like a reason."""
    with subprocess.Popen(
        [str(word) for word in command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,  # a group of its own, which Ctrl-C reaches by way of us
    ) as process:
        try:
            output, errors = process.communicate()
        except BaseException:
            end(process)
            raise
    if process.returncode != 0:
        said = errors + output if process.returncode > 0 else errors  # a signal stands for itself
        lines = [line.strip() for line in said.splitlines() if line.strip()]
        reasons = [line for line in lines if re.search("error|fatal", line, re.IGNORECASE)]
        raise Failure((reasons + lines + [without_words(process.returncode, command[0])])[0])
    return output


def without_words(status, command):
    """How a program has failed that said nothing."""
    how = f"exit status {status}" if status > 0 else f"ended by {signal.Signals(-status).name}"
    return f"{pathlib.Path(command).name}: {how}"


def stop(number, _frame):
    """The signals that ask to end do it by an exception, so that everything is cleaned up."""
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)
    raise SystemExit(128 + number)


# --- The two versions ----------------------------------------------------------------------------


@contextlib.contextmanager
def checked_out(revision):
    """A folder with `base`, the revision's include/, and `tree`, the working tree's; both with its bench/."""
    with contextlib.ExitStack() as stack:
        folder = pathlib.Path(tempfile.mkdtemp(prefix="sluice-regress."))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        base, tree = (folder / side for side in SIDES)

        def remove_base():
            with contextlib.suppress(Failure):
                run("git", "-C", ROOT, "worktree", "remove", "--force", "--force", base)

        stack.callback(remove_base)
        run("git", "-C", ROOT, "worktree", "add", "--quiet", "--detach", base, revision)
        tree.mkdir()
        shutil.copytree(ROOT / "include", tree / "include")
        for version in (base, tree):
            shutil.rmtree(version / "bench", ignore_errors=True)
            shutil.copytree(ROOT / "bench", version / "bench")
            shutil.copy(ROOT / "CMakeLists.txt", version)
        yield folder


def build(folder, targets):
    """Compile the targets of both versions."""
    for side in SIDES:
        options = ("PROGRAMS=OFF", "TESTS=OFF", "BENCH=ON", "PEERS=OFF")
        try:
            run(
                *("cmake", "-S", folder / side, "-B", folder / side / "build"),
                *("-DCMAKE_BUILD_TYPE=Release", "-DSLUICE_REQUIRE_ALL=ON"),
                *(f"-DSLUICE_BUILD_{option}" for option in options),
            )
            run(
                *("cmake", "--build", folder / side / "build"),
                *("--parallel", os.cpu_count(), "--target", *targets),
            )
        except Failure as failure:
            raise Failure(f"{side} does not compile with this bench/: {failure}") from None


def program(folder, side, name):
    """The path of a program that has been built."""
    return folder / side / "build" / "bench" / name


# --- What is compared ----------------------------------------------------------------------------


def of_both(measure, folder, order=SIDES):
    """Side -> what measure(folder, side) found; Broken if it fails for the tree alone."""
    found, failures = {}, {}
    for side in order:
        try:
            found[side] = measure(folder, side)
        except Failure as failure:
            failures[side] = failure
    if "base" in failures:
        who = "base fails, and so does the tree" if "tree" in failures else "base fails"
        raise Failure(f"{who}, so nothing is compared: {failures['base']}")
    if failures:
        raise Broken(failures["tree"])
    return found


def costs(folder, side):
    """Calls -> (instructions, locked ones, fences), as sluice-instructions counts them."""
    _, names, *rows = run(program(folder, side, "sluice-instructions")).splitlines()
    found = {}
    for row in rows:
        for name, cost in zip(
            names.split(), re.findall(r"([\d.]+) \( *([\d.]+), *([\d.]+)\)", row)
        ):
            found[f"{row.split()[0]} {name}"] = tuple(map(float, cost))
    if not found:
        raise Failure("sluice-instructions has counted nothing")
    return found


def compare_instructions(folder):
    """(word, what, text) for each call whose cost differs, or one for all."""
    found = of_both(costs, folder)
    base, tree = found["base"], found["tree"]

    def text(cost):
        return "{:g} ({:g}, {:g})".format(*cost)

    differences = [
        (
            verdict.LOSS if any(map(float.__gt__, after, base[call])) else verdict.GAIN,
            call,
            f"{text(base[call])} -> {text(after)} instructions (locked, fences)",
        )
        for call, after in tree.items()
        if after != base[call]
    ]
    return differences or [(verdict.SAME, f"{len(tree)} calls", "instruction for instruction")]


def speeds(folder, side):
    """Row -> what a fifth of a run's rounds reach, in items a second; and what others had."""
    rounds = {}
    for line in run(program(folder, side, "sluice-speed"), MILLISECONDS, ROUNDS).splitlines():
        row, value = line.split("\t")
        rounds.setdefault(row, []).append(float(value))
    others = rounds.pop("others")[0]
    fast = {
        row: statistics.quantiles(values, n=5, method="inclusive")[-1]
        for row, values in rounds.items()
    }
    return fast, others


def show_progress(done, pairs, started):
    """On a terminal: how far it has come."""
    if sys.stderr.isatty():
        left = (time.monotonic() - started) / done * (pairs - done)
        text = f"pair {done} of {pairs}, {left:.0f} s left" if done < pairs else ""
        print(f"\r{text:40}\r", end="", file=sys.stderr, flush=True)


def measure_pairs(folder, pairs):
    """Row -> the pairs' ratios tree / base; and the shares of the machine that others had."""
    ratios, others = {}, []
    started = time.monotonic()
    for pair in range(pairs):
        found = of_both(speeds, folder, SIDES if pair % 2 == 0 else SIDES[::-1])
        others += [used for _, used in found.values()]
        for row, value in found["tree"][0].items():
            ratios.setdefault(row, []).append(value / found["base"][0][row])
        show_progress(pair + 1, pairs, started)
    return ratios, others


def compare_speed(folder, pairs, tolerance):
    """(word, what, text) for each row, and a line about the machine."""
    ratios, others = measure_pairs(folder, pairs)
    rows = []
    for row, values in ratios.items():
        ratio = results.median(values)
        rows.append((verdict.judge(ratio, tolerance), row, verdict.in_words(ratio)))
    note = f"{pairs} pairs, tolerance {tolerance * 100:g} %; others used "
    return rows, f"{note}{statistics.median(others):.0f} % of the machine."


# --- The program ---------------------------------------------------------------------------------


def markdown(title, rows, notes):
    """The same for a pull request."""
    lines = [f"### {title}", "", "| | what | difference |", "|---|---|---|"]
    lines += [
        f"| {'**loss**' if word == verdict.LOSS else word} | {what} | {text} |"
        for word, what, text in rows
    ]
    return "\n".join([*lines, "", *notes, ""])


def parse_arguments():
    """The command line, as regress tells it."""
    parser = verdict.Arguments(prog="regress")
    parser.add_argument("--only", choices=("instructions", "speed"))
    parser.add_argument("--tolerance", type=verdict.percent, default="4", metavar="PERCENT")
    parser.add_argument("--pairs", type=int, default=PAIRS, metavar="N")
    parser.add_argument("--markdown", type=pathlib.Path, metavar="FILE")
    parser.add_argument("base", metavar="BASE")
    arguments = parser.parse_args()
    if arguments.pairs < LEAST_PAIRS:
        parser.error(f"--pairs: {LEAST_PAIRS} are the least")
    return arguments


def regress(arguments):
    """Compare; returns the exit status."""
    try:
        revision = run(
            *("git", "-C", ROOT, "rev-parse", "--verify", "--quiet", "--end-of-options"),
            f"{arguments.base}^{{commit}}",
        ).strip()
    except Failure:
        raise Failure(f"{arguments.base} is no revision here") from None
    halves = [arguments.only] if arguments.only else ["instructions", "speed"]
    notes = []
    if arguments.only is None and platform.machine() != "x86_64":
        halves.remove("instructions")
        notes.append("Instructions are not counted: that is for x86-64.")
    rows = []
    with checked_out(revision) as folder:
        build(folder, [f"sluice-{half}" for half in halves])
        try:
            if "instructions" in halves:
                rows += compare_instructions(folder)
            if "speed" in halves:
                found, note = compare_speed(folder, arguments.pairs, arguments.tolerance)
                rows += found
                notes.append(note)
        except Broken as broken:
            rows.append((verdict.LOSS, "working tree", f"fails where the base does not: {broken}"))
            notes.append("That ended the comparison.")
    words = [word for word, _, _ in rows]
    notes.append(verdict.tally(words))
    title = f"The working tree and {arguments.base} ({revision[:10]})"
    print(f"{title}\n")
    for word, what, text in rows:
        print(f"{word:8}{what}: {text}")
    print("\n" + "\n".join(notes))
    path = arguments.markdown or ROOT / "build" / "regress.md"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(markdown(title, rows, notes), encoding="utf-8")
    return verdict.exit_status(words)


def main():
    """The program; returns its exit status."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    try:
        return regress(parse_arguments())
    except (Failure, OSError) as failure:
        print(f"regress: {failure}", file=sys.stderr)
        return 2


sys.exit(main())
