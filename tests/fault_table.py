"""Run every kind of fault in every place, and say in a table what is reported where.

``python tests/fault_table.py`` runs all cells (see ``fault_suites.py``), prints what is wrong with any, and
writes ``docs/reference/fault-table.md``.  Each cell runs in a process of its own, which is forked from this
one, where everything has been imported: so a cell may be hit by a signal, or hang, and costs no start-up.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import gc
import importlib
import json
import os
import pkgutil
import re
import signal
import sys
import tempfile
import textwrap
import time
import traceback
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import hypothesis.stateful  # noqa: F401  (imported once, for all cells)
import pytest
import trio.testing  # noqa: F401
from fault_suites import (
    FAULTS,
    IN_FIXTURES,
    LONG_LIMIT,
    MODES,
    PLACES,
    Cell,
    all_cells,
    why_not,
    write_suite,
)
from harness import EVERY_SCOPE

import pytest_trio_scoped

#: Seconds after which a cell is killed, which none should need.
HARD_LIMIT = 60.0

#: Seconds in which all cells end: less than any wait where there should be none.
SOON = 0.6 * LONG_LIMIT

PAGE = Path(__file__).parent.parent / "docs" / "reference" / "fault-table.md"

#: What an exception is called in the table: by a text in it that is ours, else by its type.
_OURS = {
    r"took longer than [\d.]+ s .*\n.*so the Trio loop was ended": "limit, loop ended",
    r"took longer than [\d.]+ s": "limit",
    r"opened a nursery and ended without": "leaked nursery",
    r"entered a cancel scope and ended without": "leaked cancel scope",
    r"cancelled the test, but raised no error": "cancelled by the fixture",
    r"The tear-down of the fixture .* was cancelled": "tear-down cut short",
    r"has left tasks running that nobody waits for": "leaked task",
    r"fixture function has more than one 'yield'": "two yields",
    r"did not yield a value": "no yield",
}

#: What no report and no output should show.
_UGLY = (
    "traceback entries are hidden",
    "pytest_trio_scoped/",
    "site-packages/trio/",
    "greenlet.",
    "Cancelled",
    "never awaited",
    "Exception ignored",
    "TrioInternalError",
    "AssertionError",
    "was garbage collected",
    "RuntimeError",
)


# ---------------------------------------------------------------------------- in the child


class Recorder:
    """A plugin that writes down each report, each warning, and why the run ended."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, **what: Any) -> None:
        with self._path.open("a") as file:
            file.write(json.dumps(what) + "\n")

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
        report = yield
        error = None if call.excinfo is None else call.excinfo.value
        report._labels = None if error is None else label_of(error)
        return report

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        outcome: str = report.outcome
        if hasattr(report, "wasxfail"):
            outcome = {"skipped": "xfailed", "passed": "xpassed"}.get(outcome, outcome)
        self.write(
            kind="report",
            test=report.nodeid.rpartition("::")[2],
            when=report.when,
            outcome=outcome,
            label=getattr(report, "_labels", None),
            text=report.longreprtext,
        )

    def pytest_warning_recorded(self, warning_message: Any, when: str, nodeid: str) -> None:
        self.write(
            kind="warning",
            test=nodeid.rpartition("::")[2],
            when=when,
            label=label_of(warning_message.message),
            text=str(warning_message.message),
        )


def label_of(error: BaseException) -> str:
    """Return what an exception is called in the table."""
    if isinstance(error, BaseExceptionGroup):
        inner = ", ".join(sorted(label_of(each) for each in error.exceptions))
        return f"{type(error).__name__}({inner})"
    for pattern, label in _OURS.items():
        if re.search(pattern, str(error)):
            return label
    return type(error).__name__


def _run_child(folder: Path, options: list[str]) -> int:
    os.chdir(folder)
    output = os.open("output.txt", os.O_WRONLY | os.O_CREAT)
    os.dup2(output, 1)
    os.dup2(output, 2)
    recorder = Recorder(folder / "record.txt")
    try:
        code = int(pytest.main(["-p", "no:cacheprovider", *options], plugins=[recorder]))
    except SystemExit as error:
        print("SystemExit left pytest.main", flush=True)
        code = error.code if isinstance(error.code, int) else 1
    except BaseException as error:
        recorder.write(kind="left", label=label_of(error))
        traceback.print_exc()
        code = 1
    gc.collect()
    sys.stdout.flush()
    sys.stderr.flush()
    return code


# ---------------------------------------------------------------------------- in the parent


@dataclasses.dataclass
class Run:
    """What one run of a suite came to."""

    exit_code: int
    is_killed: bool
    seconds: float
    records: list[dict[str, Any]]
    trace: list[str]
    output: str


def run_all(jobs: Iterable[tuple[Any, Cell, bool]], root: Path, at_once: int) -> Iterator[Any]:
    """Yield ``(key, Run)`` for each ``(key, cell, is_plain)``, as they end."""
    for module in pkgutil.iter_modules(pytest_trio_scoped.__path__):
        importlib.import_module(f"pytest_trio_scoped.{module.name}")
    gc.collect()
    gc.freeze()
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    os.environ["COLUMNS"] = "120"
    sys.dont_write_bytecode = True
    running: dict[int, tuple[Any, Path, float, bool]] = {}
    pending = list(enumerate(jobs))[::-1]
    while pending or running:
        while pending and len(running) < at_once:
            number, (key, cell, is_plain) = pending.pop()
            folder = root / str(number)
            write_suite(cell, folder, is_plain=is_plain)
            options = [] if is_plain else ["-p", "trio_scoped"]
            if cell.mode == "parallel" and not is_plain:
                options.append("--trio-parallel=4")
            sys.stdout.flush()
            pid = os.fork()
            if not pid:
                code = 99
                with contextlib.suppress(BaseException):
                    sys.path.insert(0, str(folder))
                    code = _run_child(folder, options)
                os._exit(code)
            running[pid] = key, folder, time.monotonic(), False
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid:
            key, folder, began, is_killed = running.pop(pid)
            code = os.waitstatus_to_exitcode(status)
            yield key, _result(folder, code, is_killed, time.monotonic() - began)
            continue
        time.sleep(0.005)
        for pid, (key, folder, began, is_killed) in running.items():
            if not is_killed and time.monotonic() > began + HARD_LIMIT:
                os.kill(pid, signal.SIGKILL)
                running[pid] = key, folder, began, True


def _result(folder: Path, code: int, is_killed: bool, seconds: float) -> Run:
    def lines(name: str) -> list[str]:
        path = folder / name
        return path.read_text(errors="replace").splitlines() if path.exists() else []

    records = [json.loads(line) for line in lines("record.txt")]
    return Run(
        code, is_killed, seconds, records, lines("trace.txt"), "\n".join(lines("output.txt"))
    )


# ---------------------------------------------------------------------------- what it came to

TESTS = (
    "test_before",
    "test_guilty",
    "test_user",
    "test_beside",
    "test_after",
    "test_sync",
    "test_next",
    "test_far_user",
    "test_elsewhere",
)
_IN_CLASS = ("test_guilty", "test_user", "test_beside")
_IN_MODULE = ("test_before", *_IN_CLASS, "test_after", "test_sync")
_IN_PACKAGE = (*_IN_MODULE, "test_next", "test_far_user")
_IN_SCOPE = {
    "function": ("test_guilty",),
    "class": _IN_CLASS,
    "module": _IN_MODULE,
    "package": _IN_PACKAGE,
    "session": TESTS,
}
_PHASES = {"setup": "set-up", "call": "call", "teardown": "tear-down"}


def roles_of(cell: Cell, run: Run) -> dict[str, str]:
    """Say of each test that may be told of the fault why that is so; guilty, user, or last of the scope."""
    is_wide = cell.place == "pytest_fixture_setup"
    in_scope = _IN_SCOPE["module" if is_wide else cell.scope or "function"]
    users = [test for test in ("test_user", "test_far_user") if test in in_scope]
    roles = {"test_guilty": "", **dict.fromkeys(users, "users")}
    if is_wide and any("fault in" in line and "test_user" in line for line in run.trace):
        roles = {"test_guilty": "users", "test_user": ""}  # who came first
    downs = [line.split()[2] for line in run.trace if line.startswith("down function")]
    ended = [test for test in downs if test in in_scope]
    places = [line for line in run.trace if line.startswith(("fault in", "faulty down in"))]
    lasts = {line.rpartition("::")[2].split()[0] for line in places if "(teardown)" in line}
    for test in (lasts | set(ended[-1:])) & set(in_scope):
        roles[test + " teardown"] = roles.get(test + " teardown", "last test of the scope")
    if not is_wide:
        roles["test_guilty teardown"] = ""
    return roles


def verdict(cell: Cell, run: Run) -> str:
    """Return what is reported of a cell, in one line, the same on each machine."""
    roles = roles_of(cell, run)
    parts: dict[str, list[str]] = {}
    told: dict[str, set[str]] = {}
    for record in run.records:
        if record["kind"] == "left":
            parts.setdefault(f"leaves pytest.main as {record['label']}", [])
            continue
        role, text = _told(cell, roles, record)
        if not text:
            continue
        texts = parts.setdefault(role, [])
        if text not in texts:
            texts.append(text)
        told.setdefault(role, set()).add(record["test"])
    ends = run.exit_code not in (0, 1)
    lines = []
    for role in sorted(parts):
        name = role
        if role == "users" and not ends:
            users = {test for test in roles if roles[test] == "users" and " " not in test}
            missing = sorted(users - told[role])
            name = f"users but {' '.join(missing)}" if missing else role
        texts = ", ".join(sorted(parts[role]))
        lines.append(f"{name}: {texts}" if name and texts else name or texts)
    if ends:
        lines.append(f"the run ends, exit code {run.exit_code}")
    lines += _rest(run, ends=ends, is_parallel=cell.mode == "parallel")
    if is_told_by_time(cell):
        lines.append(BY_TIME)
    return "; ".join(lines) or "nothing"


#: With tests in flight it depends on the order of their steps at which of them a leaked task is told.
BY_TIME = "tests being called when it began: warning leaked task"


#: Where it began while a test was being called, so that at least that one is told.
TOLD_IN_CALL = ("call", "child task", "task in `nursery`", "pytest_runtest_call")


def is_told_by_time(cell: Cell) -> bool:
    """Say whether it is a matter of time which test is told."""
    return cell.mode == "parallel" and cell.fault in (
        "leaks a system task",
        "leaks a task in the parent nursery",
    )


def _told(cell: Cell, roles: dict[str, str], record: dict[str, Any]) -> tuple[str, str]:
    """Return who is told what, "" if that is nothing to tell of."""
    test, when, label = record["test"], record["when"], record["label"]
    role = roles.get(f"{test} {when}", roles.get(test, f"OTHER {test}"))
    if record["kind"] == "warning":
        if label == "leaked task":
            # At the end of a test, which may be the last of the scope.
            role = roles.get(f"{test} teardown", role)
            if is_told_by_time(cell):
                return "", ""
        return (role, f"warning {label}") if test else ("", f"warning {label} of no test")
    if record["outcome"] == "passed":
        return "", ""
    word = record["outcome"]
    if word == "failed":
        word = "FAILED" if when == "call" else "ERROR"
    label = "" if word in ("skipped", "xfailed") else f" {label}"
    return role, f"{_PHASES[when]} {word}{label}"


def _rest(run: Run, *, ends: bool, is_parallel: bool) -> Iterator[str]:
    """Say what was not torn down and what was not run."""
    up, unwound, down = (
        Counter(line.partition(" ")[2] for line in run.trace if line.startswith(word + " "))
        for word in ("up", "unwound", "down")
    )
    if twice := (unwound - up) | (down - up):
        yield f"TORN DOWN TWICE: {', '.join(sorted(twice))}"
    never = up - unwound
    if never:
        yield f"NOT TORN DOWN: {', '.join(sorted(never))}"
    if unwound - down and not (ends and is_parallel):  # which is a matter of time
        yield "other fixtures are only unwound"
    if not ends:
        told = {r["test"] for r in run.records if r["kind"] == "report" and r["when"] == "setup"}
        missing = [test for test in TESTS if test not in told]
        if missing:
            yield f"NOT RUN: {', '.join(missing)}"


def torn_down_late(run: Run) -> list[str]:
    """Return which fixtures were still there for a test outside of their scope."""
    live: set[str] = set()
    late = []
    for line in run.trace:
        word, _, key = line.partition(" ")
        if word == "up":
            live.add(key)
        elif word == "down":
            live.discard(key)
        if line.startswith("up function "):
            test = key.removeprefix("function ")
            late += [
                f"TORN DOWN LATE: {each}, after the set-up of {test}"
                for each in sorted(live)
                if each != "server" and each.rpartition(" ")[2] not in _nodes_around(test)
            ]
    return late


def _nodes_around(test: str) -> Iterator[str]:
    yield from ("", test)  # "" is the session
    if test in _IN_CLASS:
        yield "TestIt"
    if test in _IN_PACKAGE:
        yield "package"
        yield "test_a.py" if test in _IN_MODULE else "test_b.py"
    else:
        yield "test_z.py"


def wrong_reports(run: Run) -> Iterator[str]:
    """Yield which reports are missing, or there twice, and an exit code that does not go with them."""
    reports = [record for record in run.records if record["kind"] == "report"]
    counts = Counter((each["test"], each["when"]) for each in reports)
    is_up = {
        each["test"] for each in reports if (each["when"], each["outcome"]) == ("setup", "passed")
    }
    for test in TESTS:
        for when, expected in {"setup": 1, "call": int(test in is_up), "teardown": 1}.items():
            if counts[test, when] != expected:
                yield f"{counts[test, when]} REPORTS of {test}, {_PHASES[when]}"
    code = int(any(each["outcome"] == "failed" for each in reports))
    if run.exit_code != code:
        yield f"exit code {run.exit_code}"


def _has_leak(run: Run) -> bool:
    return any(record["label"] == "leaked task" for record in run.records)


def when_of(run: Run) -> str:
    """Say in how long it was reported."""
    labels = " ".join(record["label"] or "" for record in run.records)
    if "loop ended" in labels:
        return "limit and grace"
    if "limit" in labels:
        return "limit"
    return "grace" if "cut short" in labels else "at once"


def _shown(run: Run) -> str:
    texts = [record.get("text", "") for record in run.records]
    # The stacks of what is stuck show everything.
    return "\n".join(
        texts
        if any("Current thread" in each for each in (run.output, *texts))
        else [run.output, *texts]
    )


_BAD = ("OTHER", "NOT RUN", "NOT TORN DOWN", "TORN DOWN TWICE", "but test")


def complaints(cell: Cell, run: Run) -> list[str]:
    """Return what is wrong with a cell by rule."""
    found = []
    text = verdict(cell, run)
    if run.is_killed:
        found.append("HANGS")
    elif run.seconds > SOON:
        found.append(f"took {run.seconds:.0f} s")
    if run.exit_code < 0 or run.exit_code > 7:
        found.append(f"exit code {run.exit_code}")
    found += [word for word in _BAD if word in text]
    if "only unwound" not in text and cell.mode == "sequential":
        found += torn_down_late(run)
    found += () if "the run ends" in text else wrong_reports(run)
    if is_told_by_time(cell) and cell.place in TOLD_IN_CALL and not _has_leak(run):
        found.append("nothing is reported")
    shown = _shown(run)
    found += [f"ugly: {word}" for word in _UGLY if word in shown]
    if text == "nothing":
        found.append("nothing is reported")
    if "limit" in when_of(run) and not cell.kind.needs_limit:
        found.append("only the limit ends it")
    if "INTERNALERROR" in shown:
        found.append("INTERNALERROR")
    return found


#: What may look wrong and is meant: the fault and the place, patterns of the whole; of the complaint; why.
EXPLAINED = (
    (
        "cancelled from outside",
        ".*",
        "ugly: Cancelled|ugly: pytest_trio_scoped/",
        "Trio's own exception says who cancelled it.",
    ),
    (
        "leaks a (system task|task in the parent nursery)",
        "set-up.*|.*_setup|.*logreport",
        "nothing is reported",
        "What a fixture starts may be meant to last, so it is taken as given.",
    ),
    (
        "leaks a cancel scope",
        "background task|child task|task in `nursery`",
        "nothing is reported",
        "The scope ends with its task; Trio does not mind either.",
    ),
    (
        "leaks a nursery",
        "background task|child task|task in `nursery`",
        "ugly: .*",
        "It is Trio that says so, by its own error.",
    ),
    (
        "cancelled from outside|never returns",
        "child task|task in `nursery`",
        "nothing is reported",
        "A nursery may be cancelled by its owner, and the fixture `nursery` is, when the test has ended.",
    ),
    (
        ".*",
        "pytest_runtest_teardown|pytest_fixture_setup",
        "OTHER|ugly: (AssertionError|RuntimeError|traceback entries are hidden)|but test",
        "pytest itself takes such a hook's error amiss: the next test, or user, gets an `AssertionError`.",
    ),
    (
        ".*",
        "pytest_runtest_logreport",
        "INTERNALERROR|ugly: .*",
        "An error where reports are handled ends any run of pytest with exit code 3.",
    ),
    (
        "never yields",
        "set-up",
        "ugly: traceback entries are hidden",
        "There is no line to point to; the fixture's is told below the error.",
    ),
    (
        "background crash",
        "tear-down|finalizer",
        "ugly: (pytest_trio_scoped/|traceback entries are hidden)",
        "pytest shows a group of errors of a tear-down with all frames.",
    ),
    (
        "blocks in sync code",
        "background task",
        "OTHER|but test|ugly: pytest_trio_scoped/",
        "It is not known whose task keeps the thread, so who waits fails.",
    ),
)


def unexplained(cell: Cell, run: Run) -> list[str]:
    """Return what is wrong with a cell and not known to be so."""
    return [
        complaint
        for complaint in complaints(cell, run)
        if not any(
            re.fullmatch(fault, cell.fault)
            and re.fullmatch(place, cell.place)
            and re.fullmatch(what, complaint)
            for fault, place, what, _ in EXPLAINED
        )
    ]


# ---------------------------------------------------------------------------- the page

_HEAD = """# Fault table

What is reported where when something goes wrong, for every kind of fault in every place. The table is made
by running: `python tests/fault_table.py` writes a small suite for each of its {count} cells, with the fault
once, other tests in the same class, module and package and elsewhere, and fixtures of every scope, and
runs it in a process of its own. On 2026-11-22 all of them came to what stands here with pytest 9.2.0 and
Trio 0.35.0, and with pytest 8.4.0 and Trio 0.31.0 (Python 3.11.7), in about three minutes each. CI runs
one cell for each fault in each place, others each time, and fails if one does not.

Unless the row says otherwise, every other test has run and passed, each phase of each test is reported once,
every other fixture was torn down once and at the end of its scope, and the exit code is 1 if anything has
failed, else 0.

- The *scope* is that of the fixture in which the fault is.
- What is *reported*: a phase of the test, ERROR in its set-up or tear-down or FAILED in its call, with the
  type of the exception. *users* are other tests with the same instance of the fixture; the *last test of
  the scope* is the one with which it is torn down. *OTHER* tests have nothing to do with it.
- *limit* is a [time limit](../how-to/debug-a-hang.md), which is set in all cells; *leaked ...*, *cancelled
  by the fixture* and the like are [messages](../explanation/crashes-and-blame.md) of this plugin.
- *Only unwound*: `finally` blocks ran up to the first `await`, as the loop had ended, or pytest gave
  the fixtures up.
- *How soon*: after the limit, after the time of grace that follows it or a crash, or at once; no cell
  hangs, but for those that are said to where they are left out.
"""

_NOTES = """
## What may surprise

- **Other fixtures are only unwound** after a tear-down or finalizer that raises what is no `Exception`
  (`SystemExit`, Ctrl-C, Trio's `Cancelled`): pytest gives up what else is to be torn down at the same
  node, and that is unwound when the loop is closed. Plain pytest leaves it for good. With
  `--trio-parallel` it is torn down.
- **pytest 8.4 differs**: it tears more down after what is no `Exception`, and a user that comes after a
  failed `pytest_fixture_setup` gets no `AssertionError`.
- **With `--trio-parallel` a leaked task is not traced to one test**: those that were being called when
  it began are told, all of them. If none was, as in a set-up before the first call, nobody is.
- **With `--trio-parallel`, a fixture whose set-up ends in the very step in which the run does** is only
  unwound.
"""


def row_of(cell: Cell, run: Run) -> tuple[str, str]:
    """Return what stands in the table for a cell: what is reported, and how soon."""
    return verdict(cell, run).replace("|", "/"), when_of(run)


def render(found: dict[Cell, tuple[str, str]]) -> str:
    """Return the page."""
    lines = [_HEAD.format(count=len(found))]
    for place in PLACES:
        title = f"`{place}` of another plugin" if place.startswith("pytest_") else place
        lines += [f"\n## In: {title}\n", f"| {' | '.join(_COLUMNS)} |", "| --- " * 5 + "|"]
        why: dict[str, list[str]] = {}
        for fault in FAULTS:
            reason = why_not(fault, place)
            if reason:
                why.setdefault(reason, []).append(fault)
            else:
                lines += _rows(fault, place, found)
        lines += [f"\nNot here ({reason}): {', '.join(each)}." for reason, each in why.items()]
    lines.append(_NOTES.rstrip())
    for fault, place, _, reason in EXPLAINED:
        names = [name for name in FAULTS if re.fullmatch(fault, name)]
        places = [name for name in PLACES if re.fullmatch(place, name)]
        who = "Any fault" if len(names) == len(FAULTS) else ", ".join(names)
        where = "any place" if len(places) == len(PLACES) else ", ".join(places)
        text = f"**{who}**, in {where}: {reason}"
        lines += textwrap.wrap(text, 105, initial_indent="- ", subsequent_indent="  ")
    return "\n".join(lines) + "\n"


_COLUMNS = ("Fault", "Scope", "Reported", "With `--trio-parallel`", "How soon")
_SAME = "the same"


def _rows(fault: str, place: str, found: dict[Cell, tuple[str, str]]) -> list[str]:
    groups: dict[tuple[str, ...], list[str]] = {}
    for scope in EVERY_SCOPE if place in IN_FIXTURES else ("",):
        one, many = (found[Cell(fault, place, scope, mode)] for mode in MODES)
        parallel = _SAME if one == many else many[0]
        soon = one[1] if one[1] == many[1] else f"{one[1]} / {many[1]}"
        groups.setdefault((one[0], parallel, soon), []).append(scope)
    return [
        f"| {fault} | {', '.join(scopes)} | {' | '.join(texts)} |"
        for texts, scopes in groups.items()
    ]


def published(page: str) -> dict[Cell, tuple[str, str]]:
    """Return what stands in the page, for each cell."""
    found = {}
    place = ""
    for line in page.splitlines():
        if line.startswith("## In: "):
            place = re.sub(r"`(pytest_\w+)` of another plugin", r"\1", line[7:])
        elif line.startswith("| ") and not line.startswith(("| Fault", "| ---")):
            fault, scopes, one, many, soon = (text.strip() for text in line.split("|")[1:-1])
            for scope in scopes.split(", "):
                soons = soon.split(" / ")
                both = (one, one if many == _SAME else many)
                for mode, text, when in zip(MODES, both, (soons[0], soons[-1]), strict=True):
                    found[Cell(fault, place, scope, mode)] = (text, when)
    return found


def a_part() -> list[Cell]:
    """Return one cell for each fault in each place, which CI runs; the seed of a run says which."""
    seed = int(os.environ.get("TRIO_SCOPED_SEED", "0"))
    cells: dict[tuple[str, str], list[Cell]] = {}
    for cell in all_cells():
        cells.setdefault((cell.fault, cell.place), []).append(cell)
    return [
        each[(zlib.crc32(repr(key).encode()) + seed) % len(each)] for key, each in cells.items()
    ]


def main() -> int:
    """Run cells; write the page, or compare with it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare with the page, don't write")
    parser.add_argument("--part", action="store_true", help="run one cell for each fault and place")
    parser.add_argument("-n", type=int, default=4, help="cells at once")
    parser.add_argument("words", nargs="*", help="run the cells that have all of these words")
    options = parser.parse_args()
    chosen = [
        cell
        for cell in (a_part() if options.part else all_cells())
        if all(word in str(cell) for word in options.words)
    ]
    expected = published(PAGE.read_text()) if PAGE.exists() else {}
    table = Table(expected, is_checked=options.check)
    with tempfile.TemporaryDirectory() as root:
        jobs = [(cell, cell, False) for cell in chosen]
        for cell, run in run_all(jobs, Path(root) / "all", options.n):
            table.add(cell, run)
        # On a busy machine a limit may strike somebody else as well: those once more, by themselves.
        again = [(cell, cell, False) for cell in table.bad if cell.kind.needs_limit]
        for cell, run in run_all(again, Path(root) / "again", 1):
            table.add(cell, run)
        if not options.part:
            jobs = [(cell, cell, True) for cell in chosen if cell.has_sync_twin]
            for cell, run in run_all(jobs, Path(root) / "twins", options.n):
                table.compare_with_twin(cell, run)
    for problem in table.bad.values():
        print(problem)
    print(f"{len(table.found)} cells, {len(table.bad)} bad")
    if not options.check:
        PAGE.write_text(render(expected | table.found))
    return int(bool(table.bad))


def is_as_published(cell: Cell, row: tuple[str, str], expected: tuple[str, str] | None) -> bool:
    """Compare with the page, which was made with a newer pytest than the oldest."""
    if expected is None or row == expected:
        return expected is not None
    if pytest.version_tuple >= (9,):
        return False
    unwound = "; other fixtures are only unwound"
    is_same = [text.replace(unwound, "") for text in row] == [
        text.replace(unwound, "") for text in expected
    ]
    return is_same or cell.place == "pytest_fixture_setup"


class Table:
    """What was found, and what is wrong with it."""

    def __init__(self, expected: dict[Cell, tuple[str, str]], *, is_checked: bool) -> None:
        self._expected = expected
        self._is_checked = is_checked
        self.found: dict[Cell, tuple[str, str]] = {}
        self.bad: dict[Cell, str] = {}

    def add(self, cell: Cell, run: Run) -> None:
        """Take what one run came to."""
        self.bad.pop(cell, None)
        row = self.found[cell] = row_of(cell, run)
        wrong = unexplained(cell, run)
        if self._is_checked and not is_as_published(cell, row, self._expected.get(cell)):
            wrong.append(f"published is {self._expected.get(cell)}")
        if wrong:
            output = run.output if self._is_checked else ""
            self.bad[cell] = f"{cell}: {row}: {', '.join(wrong)}\n{output}"

    def compare_with_twin(self, cell: Cell, run: Run) -> None:
        """See whether plain pytest reports the same of the suite without "async"."""
        text = verdict(cell, run)
        # pytest does not expect these there: it leaves fixtures, and forgets half-done set-ups.
        is_odd = cell.fault in ("BaseException", "SystemExit", "Ctrl-C")
        if not is_odd and text != self.found[cell][0]:
            self.bad[cell] = f"{cell}: {self.found[cell]}: plain pytest has {text}"


if __name__ == "__main__":
    sys.exit(main())
