"""Random suites, each run one test after the other and with many tests at once.

    python tests/parallel_suites.py --runs 2000 --seed 1

``test_parallel_random.py`` says what is compared.  A suite hangs on its seed alone; ``--runs 1 --seed S``
repeats one.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import gc
import importlib
import io
import itertools
import logging
import os
import random
import re
import sys
import tempfile
import textwrap
import time
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import parallel_lives
import pytest
import trio.testing
from parallel_lives import Record, label_of, name_of_node

from pytest_trio_scoped._loop import Loop

_SCOPES = ("function", "class", "module", "package", "session")
_WIDTHS = {scope: width for width, scope in enumerate(_SCOPES)}
#: pytest warns of fixtures of these scopes that are methods.
_METHODS_OF = ("Class", "Module", "Package", "Session")
_NOT_WANTED = (
    *("cacheprovider", "faulthandler", "doctest", "pastebin", "junitxml", "stepwise", "unittest"),
    *(
        "setuponly",
        "setupplan",
        "debugging",
        "legacypath",
        "threadexception",
        "unraisableexception",
    ),
)
NUMBERS = (2, 3, 7, 100)
#: In the error of a test that asks late for what others get with a parameter.
LATE = "and one at a time is live."

_HEAD = """
import pytest, trio
from pytest_trio_scoped import await_
from parallel_lives import Broken, Life, pause, using

"""


# ---------------------------------------------------------------------- generator


@dataclasses.dataclass
class Name:
    """What all definitions of a fixture name have in common."""

    name: str
    scope: str
    #: Its tests may give it parameters.
    is_indirect: bool
    #: Instances of it, or of what it requires, follow each other.
    is_varied: bool = False


class Generator:
    """Writes one suite."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.concurrently = self.chance(0.15)
        self.names: list[Name] = []
        self.files: dict[str, str] = {}
        #: For each name, the definitions of wide fixtures that request it, by where they are.
        self._wanted: dict[str, set[str]] = defaultdict(set)
        self._tests = itertools.count()
        self.ini = ["trio_mode = true"]

    def chance(self, probability: float) -> bool:
        """Say yes with a probability."""
        return self.random.random() < probability

    def suite(self) -> dict[str, str]:
        """Return the files of the suite."""
        for number in range(self.random.randint(2, 7)):
            scope = self.random.choice(_SCOPES)
            self.names.append(Name(f"f{number}", scope, is_indirect=self.chance(0.15)))
        folders = ["", *self.random.sample(["a/", "b/", "a/c/"], self.random.randint(0, 3))]
        if "a/c/" in folders and "a/" not in folders:
            folders.append("a/")
        # Outer folders first: what they define is visible further in.
        defined: dict[str, set[str]] = {}
        for folder in sorted(folders):
            outer = set().union(*(defined[other] for other in defined if folder.startswith(other)))
            number = self.random.randint(2 if not folder else 0, 3)
            source, names = self.fixtures(f"{folder}conftest", outer, number, "")
            defined[folder] = outer | names
            if folder:
                self.files[f"{folder}__init__.py"] = ""
            self.files[f"{folder}conftest.py"] = _HEAD + source
        for number in range(self.random.randint(1, 3)):
            folder = self.random.choice(folders)
            self.module(f"{folder}test_m{number}", defined[folder])
        if self.concurrently:
            self.ini.append("trio_concurrent_fixtures = true")
        if self.chance(0.1):
            self.ini.append(f"trio_parallel_scope = {self.random.choice(['module', 'class'])}")
        self.files["pytest.ini"] = "[pytest]\n" + "\n".join(self.ini) + "\n"
        return self.files

    def module(self, path: str, outer: set[str]) -> None:
        """Write a module."""
        source, names = self.fixtures(path, outer, self.random.randint(0, 3), "")
        visible = outer | names
        if self.chance(0.06):
            source = "pytestmark = pytest.mark.trio_group('of a module')\n" + source
        for _ in range(self.random.randint(1, 3)):
            source += self.test(visible, "")
        for number in range(self.random.choice([0, 0, 1, 2])):
            inner, own = self.fixtures(
                f"{path}::TestIt{number}", visible, self.random.randint(0, 2), "self, "
            )
            tests = "".join(
                self.test(visible | own, "self, ") for _ in range(self.random.randint(1, 3))
            )
            source += f"class TestIt{number}:\n" + textwrap.indent(inner + tests, "    ")
        self.files[f"{path}.py"] = _HEAD + source

    def fixtures(self, path: str, outer: set[str], number: int, self_: str) -> tuple[str, set[str]]:
        """Return the source of fixtures, and the names of theirs."""
        source, names = "", set[str]()
        # What a wide fixture requests means one thing: else it would hang on its first user.
        free = [each for each in self.names if not _is_around(self._wanted[each.name], path)]
        chosen = self.random.sample(free, min(number, len(free)))
        for name in sorted(chosen, key=lambda each: each.name):
            source += self.fixture(f"{path}::{name.name}", name, outer, outer | names, self_)
            names.add(name.name)
        return source, names

    def fixture(
        self, definition: str, name: Name, outer: set[str], visible: set[str], self_: str
    ) -> str:
        """Return the source of one fixture."""
        usable = [
            each
            for each in self.names
            if _WIDTHS[each.scope] >= _WIDTHS[name.scope]
            and (each.name in visible if each.name < name.name else each.name in outer)
            and each.name <= name.name
        ]
        requires = [each for each in usable if self.chance(0.4)]
        late = [
            each
            for each in usable
            if each not in requires and not each.is_varied and not each.is_indirect
            # the function of an override asks for what it overrides as an argument only
            and each is not name and self.chance(0.15) and not self.concurrently
        ]  # fmt: skip
        if name.scope != "function":
            for each in (*requires, *late):
                self._wanted[each.name].add(definition.rpartition("::")[0])
        options = [f"scope={name.scope!r}"]
        is_wide = name.scope != "function"
        if self.chance(0.2) and not name.is_indirect:
            options.append(f"params={list(range(self.random.choice([1, 2, 2, 3])))}")
            name.is_varied |= is_wide
        name.is_varied |= any(each.is_varied for each in requires) or (is_wide and name.is_indirect)
        if self.chance(0.12):
            options.append("autouse=True")
        mishap = self.random.choices(["", "fail", "skip", "end"], [85, 5, 4, 6])[0]
        if mishap in ("fail", "skip") and self.concurrently:
            mishap = ""  # how far the others get would hang on the time
        if mishap == "end" and is_wide and name.is_varied:
            mishap = ""  # who sees it would hang on the order
        kind = self.random.choice(["async gen", "async gen", "async", "gen", "def"])
        arguments = ", ".join(["request", *(each.name for each in requires)])
        taken = "".join(f"{each.name}, " for each in requires)
        taken += "".join(f"request.getfixturevalue({each.name!r}), " for each in late)
        lines = [f"life = Life({definition!r}, request, [{taken}])"]
        wait = "await pause({})" if kind.startswith("async") else "None; {}"
        lines.append(wait.format(self.random.randint(0, 8)))
        if mishap in ("fail", "skip"):
            lines.append(f"life.fail({mishap == 'skip'})")
        if kind in ("async", "def"):
            lines.append(f"request.addfinalizer(lambda: life.end_at_once(fails={mishap == 'end'}))")
            lines.append("return life")
        else:
            lines += ["yield life", "life.begin_end()", wait.format(self.random.randint(0, 8))]
            lines.append(f"life.end(fails={mishap == 'end'})")
        head = f"{'async ' if kind.startswith('async') else ''}def {name.name}({self_}{arguments}):"
        decorator = f"@pytest.fixture({', '.join(options)})"
        return f"{decorator}\n{head}\n" + textwrap.indent("\n".join(lines), "    ") + "\n\n"

    def test(self, visible: set[str], self_: str) -> str:
        """Return the source of a test."""
        names = [each for each in self.names if each.name in visible]
        requires = [each for each in names if self.chance(0.3)]
        arguments = ["request", *(each.name for each in requires)]
        decorators = []
        for each in requires:
            if each.is_indirect and self.chance(0.8):
                scope = ", scope='module'" if self.chance(0) else ""
                values = self.random.sample(range(3), self.random.randint(1, 2))
                decorators.append(f"parametrize({each.name!r}, {values}, indirect=True{scope})")
        if self.chance(0.15):
            scope = f", scope={self.random.choice(_SCOPES)!r}" if self.chance(0.5) else ""
            decorators.append(f"parametrize('value', [0, 1]{scope})")
            arguments.append("value")
        if self.chance(0.12):
            name = self.random.choice(["monkeypatch", "capsys", "capsysbinary", "", ""])
            if name:
                arguments.append(name)
            else:
                decorators.append("trio_exclusive")
        if self.chance(0.1):
            decorators.append(f"trio_group({self.random.choice('gh')!r})")
        if self.chance(0.05):
            decorators.append(self.random.choice(["skip", "xfail", "xfail(strict=True)"]))
        is_async = self.chance(0.7)
        ends = ["pass", "assert 0", "pytest.skip()", "pytest.xfail()", "raise Broken"]
        wait = "await pause({})" if is_async else "await_(pause({}))"
        lines = [wait.format(self.random.randint(0, 10))]
        for each in names:
            if each not in requires and not each.is_varied and self.chance(0.06):
                lines.append(f"use.take(request.getfixturevalue({each.name!r}))")
                lines.append(wait.format(self.random.randint(0, 3)))
        lines.append(self.random.choices(ends, [80, 5, 4, 4, 4])[0])
        taken = "".join(f", {each.name}" for each in requires)
        body = f"with using(request{taken}) as use:\n" + textwrap.indent("\n".join(lines), "    ")
        head = f"{'async ' if is_async else ''}def test_{next(self._tests)}({self_}{', '.join(arguments)}):"
        marks = "".join(f"@pytest.mark.{each}\n" for each in decorators)
        return f"{marks}{head}\n" + textwrap.indent(body, "    ") + "\n\n"


def _is_around(places: set[str], path: str) -> bool:
    """Say whether one of the places is around another one: a conftest, a module or a class."""
    folders = {place.removesuffix("conftest") for place in places if place != path}
    return any(path.startswith(folder) for folder in folders)


# ---------------------------------------------------------------------- run


class Watcher:
    """A plugin that writes down what a run does, and checks what can be checked at once."""

    def __init__(self, record: Record, number: int) -> None:
        self.record = record
        self.number = number
        #: By item: how its phases ended, and what wide fixtures raised when they were torn down.
        self.phases: dict[str, list[str]] = {}
        self.torn: list[tuple[str, str]] = []
        self.order: list[str] = []
        self.chains: dict[str, list[str]] = {}
        #: Those whose output goes to a fixture of theirs.
        self.capturing: set[str] = set()
        self.most = 0
        self._to_come: Counter[str] = Counter()
        self._in_flight: list[pytest.Item] = []
        self._nodes_of: str = "session"

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Note the order, and who will use which node."""
        self._nodes_of = session.config.getini("trio_parallel_scope")
        for item in session.items:
            chain = [name_of_node(node) for node in item.listchain()]
            self.order.append(item.nodeid)
            self.chains[item.nodeid] = chain
            self._to_come.update(chain)
            if {"capsys", "capsysbinary"}.intersection(item.fixturenames):  # type: ignore[attr-defined]
                self.capturing.add(item.nodeid)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Iterator[None]:
        """Check that what is process-wide is the same afterwards."""
        before = process_wide()
        try:
            return (yield)
        finally:
            os.environ.pop("PYTEST_CURRENT_TEST", None)  # pytest leaves it if a tear-down fails
            after = process_wide()
            for name, value in before.items():
                self.record.check(after[name] == value, f"{name}: {value} became {after[name]}")
            stack = session._setupstate.stack
            self.record.check(not stack, f"still set up at the end: {list(stack)}")
            for text in left_over(session.config):
                self.record.problems.append(text)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """Check who is in flight together."""
        self._in_flight.append(item)
        self.most = max(self.most, len(self._in_flight))
        self._check_flights()
        try:
            return (yield)
        finally:
            self._check_flights()
            self._in_flight.remove(item)
            for node in reversed(self.chains[item.nodeid]):
                self._to_come[node] -= 1
                if not self._to_come[node]:
                    late = [
                        str(life) for life in self.record.live.values() if life.place[1] == node
                    ]
                    self.record.check(not late, f"outlive {node}: {late}")

    def _check_flights(self) -> None:
        items = self._in_flight
        ids = [item.nodeid for item in items]
        self.record.check(len(items) <= self.number, f"more than {self.number} in flight: {ids}")
        if len(items) > 1:
            self.record.check(not any(map(is_exclusive, items)), f"not alone: {ids}")
        groups = Counter(mark.args for item in items for mark in item.iter_markers("trio_group"))
        self.record.check(all(n == 1 for n in groups.values()), f"{groups} in flight: {ids}")
        kind = {"module": pytest.Module, "class": pytest.Class}.get(self._nodes_of)
        if kind is not None:
            nodes = {item.getparent(kind) or item.parent for item in items}
            self.record.check(len(nodes) < 2, f"not of one {self._nodes_of}: {ids}")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note how a phase has ended, and check that what was said in it was said by the item."""
        outcome: str = report.outcome
        if hasattr(report, "wasxfail"):
            outcome += " (xfail)"
        torn = sorted(set(re.findall(r"tear-down of (<.*>)", report.longreprtext)))
        own = [label for label in torn if label.endswith(f" {report.nodeid}>")]
        wide = [label for label in torn if label not in own]
        if report.when == "teardown":
            self.torn += [(label, report.nodeid) for label in wide]
            if wide and not own:
                outcome = "passed"  # as far as the test itself is concerned
        self.phases.setdefault(report.nodeid, []).append(f"{outcome} {' '.join(own)}".strip())
        for name, text in report.sections:
            for who in re.findall(r"(?:said|logged) by (.*?)\s*$", text, re.MULTILINE):
                self.record.check(who == report.nodeid, f"{who} said in {name} of {report.nodeid}")
        if report.when == "call":
            text = "\n".join(text for _, text in report.sections)
            for verb in ("logged",) if report.nodeid in self.capturing else ("said", "logged"):
                is_there = f"{verb} by {report.nodeid}" in text
                self.record.check(is_there, f"nothing {verb} by {report.nodeid}: {text!r}")

    def pytest_warning_recorded(self, warning_message: Any, nodeid: str) -> None:
        """Check that a warning is told as that of the test that has warned."""
        found = re.match(r"warned by (.*)", str(warning_message.message))
        who = found and found[1]
        self.record.check(who == nodeid, f"{warning_message.message} told of {nodeid!r}")


def is_exclusive(item: pytest.Item) -> bool:
    """Say whether it has to run alone."""
    names = {"monkeypatch", "capsys", "capsysbinary"}.intersection(item.fixturenames)  # type: ignore[attr-defined]
    return bool(names) or item.get_closest_marker("trio_exclusive") is not None


def left_over(config: pytest.Config) -> Iterator[str]:
    """Yield what the tests in flight have left behind in what knows of them."""
    for plugin in config.pluginmanager.get_plugins():
        pool = getattr(plugin, "_pool", None)
        if pool is not None:
            for name, kept in {
                "claims": pool._claims._claims,
                "copies of fixtures": pool._fixtures._wide,
                "flights": pool._flights,
                "changes of context variables": pool._changes,
            }.items():
                if kept:
                    yield f"{name} kept: {kept}"


def process_wide() -> dict[str, object]:
    """Return what a run may not change."""
    from _pytest.assertion import util

    root = logging.getLogger()
    return {
        "stdout": sys.stdout,
        "stderr": sys.stderr,
        "stdin": sys.stdin,
        "warning filters": list(warnings.filters),
        "showwarning": warnings.showwarning,
        "log handlers": list(root.handlers),
        "log level": root.level,
        "log disable": logging.root.manager.disable,
        "comparison": (util._reprcompare, util._assertion_pass),
        "current test": os.environ.get("PYTEST_CURRENT_TEST"),
        "async generators": sys.get_asyncgen_hooks(),
        "working folder": Path.cwd(),
    }


@dataclasses.dataclass
class Run:
    """What one run came to."""

    exit_code: int
    output: str
    record: Record
    watcher: Watcher


@contextlib.contextmanager
def on_virtual_time() -> Iterator[None]:
    """Open loops in the block on a clock that jumps when all tasks wait: half of the time was waiting."""

    def make(**arguments: Any) -> Loop:
        return Loop(**{"clock": trio.testing.MockClock(autojump_threshold=0), **arguments})

    with mock.patch("pytest_trio_scoped._loop.Loop", make):
        yield


def run(folder: Path, number: int, *, is_virtual: bool = False) -> Run:
    """Run the suite in ``folder`` with ``number`` tests at once."""
    record = Record()
    watcher = Watcher(record, number)
    parallel_lives.records.append(record)
    options = [
        *("-p", "trio_scoped", "--capture=sys", "--assert=plain", "--tb=native", "-q"),
        # What is not wanted takes half of the time of a small suite.
        *(f"-pno:{name}" for name in _NOT_WANTED),
        # Of fixtures that are methods.
        *("-W", "error"),
        *(f"-Wignore:{scope}-scoped fixtures defined as instance" for scope in _METHODS_OF),
        *("-W", "always:warned by:UserWarning", f"--trio-parallel={number}"),
        *("--rootdir", str(folder), "-c", str(folder / "pytest.ini")),
    ]
    current = os.environ.pop("PYTEST_CURRENT_TEST", None)
    known, paths, here = set(sys.modules), list(sys.path), Path.cwd()
    output = io.StringIO()
    before = process_wide()
    os.chdir(folder)
    try:
        with contextlib.ExitStack() as stack:
            stack.enter_context(contextlib.redirect_stdout(output))
            stack.enter_context(contextlib.redirect_stderr(output))
            if is_virtual:
                stack.enter_context(on_virtual_time())
            exit_code = int(pytest.main(options, plugins=[watcher]))
    finally:
        os.chdir(here)
        sys.path[:] = paths
        for name in set(sys.modules) - known:
            if str(folder) in str(getattr(sys.modules[name], "__file__", "")):
                del sys.modules[name]
        importlib.invalidate_caches()
        parallel_lives.records.remove(record)
    os.environ.pop("PYTEST_CURRENT_TEST", None)
    after = process_wide()
    if current is not None:
        os.environ["PYTEST_CURRENT_TEST"] = current
    for name, value in before.items():
        record.check(after[name] == value, f"after the run {name}: {value} became {after[name]}")
    record.check(exit_code in (0, 1, 5), f"exit code {exit_code}")
    record.check("INTERNALERROR" not in output.getvalue(), "internal error")
    return Run(exit_code, output.getvalue(), record, watcher)


# ---------------------------------------------------------------------- compare


def differences(one: Run, many: Run) -> list[str]:
    """Return what is different with many at once, and what went wrong."""
    found = [f"one after the other: {each}" for each in one.record.problems]
    found += many.record.problems
    left, right = one.watcher, many.watcher
    # A test that is expected to fail hides the tear-down of a wide fixture, if it is the last to end.
    if one.exit_code != many.exit_code and not left.torn:
        found.append(f"exit code {one.exit_code} became {many.exit_code}")
    for item in left.order:
        if left.phases.get(item) != right.phases.get(item):
            found.append(f"{item}: {left.phases.get(item)} became {right.phases.get(item)}")
    torn, others = (Counter(label for label, _ in each.torn) for each in (left, right))
    for label, item in right.torn:
        node = label.partition(" in ")[2][:-1]
        if node not in right.chains[item]:
            found.append(f"tear-down of {label} failed, and {item} is told")
    nodes = contiguous_nodes(left)
    # An instance may end before its own node: with what it uses.
    contiguous = {label for label, its in one.record.nodes.items() if its <= nodes}
    instances = one.record.set_ups | many.record.set_ups
    for instance in instances:
        count, other = one.record.set_ups[instance], many.record.set_ups[instance]
        is_fine = count == other if label_of(*instance) in contiguous else 1 <= other <= count
        if not is_fine:
            found.append(f"{instance}: {count} set-ups became {other}")
    for label in torn | others:
        count, other = torn[label], others[label]
        if not (count == other if label in contiguous else 1 <= other <= count):
            found.append(f"tear-down of {label} failed {count} times, then {other}")
    return found


def contiguous_nodes(watcher: Watcher) -> set[str]:
    """Return the nodes all of whose tests follow each other, and those of all nodes around them."""
    last: dict[str, int] = {}
    torn = set()
    for index, item in enumerate(watcher.order):
        for node in watcher.chains[item]:
            if last.get(node, index - 1) != index - 1:
                torn.add(node)
            last[node] = index
    return {
        node
        for chain in watcher.chains.values()
        for position, node in enumerate(chain)
        if not torn.intersection(chain[: position + 1])
    }


def hangs_on_order(run: Run) -> bool:
    """Say whether the outcome of a test hangs on which one has come before.

    - A tear-down that fails when a parameter changes is told at the test that comes next, and exclusive tests
      come later than in a run one after the other.
    - What others get with a parameter can't be had with ``getfixturevalue`` while these run.
    """
    at_set_up = r"ERROR at setup of .*\n(?:(?!^_{3,} |^={3,} ).*\n)*.*Broken: tear-down of"
    return LATE in run.output or bool(re.search(at_set_up, run.output, re.MULTILINE))


def problem_with(seed: int, folder: Path, *, runs: int = len(NUMBERS)) -> str | None:
    """Run one suite in all ways; return what went wrong, with its source."""
    generator = Generator(seed)
    files = generator.suite()
    for name, source in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)
    # Each eighth suite waits in real time.
    is_virtual = bool(seed % 8)
    one = run(folder, 1, is_virtual=is_virtual)
    for number in random.Random(seed).sample(NUMBERS, runs):
        many = run(folder, number, is_virtual=is_virtual)
        if hangs_on_order(one) or hangs_on_order(many):
            continue
        if found := differences(one, many):
            listed = "\n".join(f"  {each}" for each in found)
            text = "".join(f"\n# ---- {name}\n{files[name]}" for name in files)
            return f"seed {seed}, {number} at once:\n{listed}\n{text}\n{many.output}"
    return None


def main() -> int:
    """Run many suites; return the number of failures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--seconds", type=float, default=float("inf"))
    arguments = parser.parse_args()
    first = random.randrange(2**32) if arguments.seed is None else arguments.seed
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    failures = done = 0
    gc.freeze()
    end = time.monotonic() + arguments.seconds
    for seed in range(first, first + arguments.runs):
        if time.monotonic() > end:
            break
        done += 1
        with tempfile.TemporaryDirectory() as folder:
            problem = problem_with(seed, Path(folder))
        if problem:
            failures += 1
            print(problem, flush=True)  # noqa: T201
    summary = f"{done} suites, {failures} failures"
    print(f"seeds {first} to {first + done - 1}: {summary}")  # noqa: T201
    return failures


if __name__ == "__main__":
    sys.exit(min(main(), 1))
