"""The option ``--trio-timeline``: note what happens in the run, and write it to a file at its end.

Imported with that option only.

Pinned by ``tests/test_timeline.py``.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Generator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from . import _errors
from ._locations import location_of
from ._ownership import is_async
from ._planning import id_of_param
from ._pytest_names import is_argument, item_of
from ._timeline_history import Event, Format, History
from ._timeline_page import as_page
from ._timeline_trace import as_trace

_FORMATS: dict[str, Format] = {".html": as_page, ".json": as_trace}

_TURN = pytest.StashKey[int]()

#: What fixtures are called that pytest makes of functions such as "setup_module".
_SET_UP_FUNCTIONS = ("_xunit_", "_unittest_")


class Clock:
    """Tells how many seconds have gone by since ``began``, a time since the epoch; never goes backwards."""

    def __init__(self, began: float) -> None:
        self._tick = time.perf_counter  # a test may put something else in its place in the module
        self._offset = time.time() - began - self._tick()

    def now(self) -> float:
        """Return the seconds."""
        return self._offset + self._tick()


class RecorderHooks:
    """Note what this process does with tests and fixtures."""

    def __init__(self, note: Callable[[Event], object], clock: Clock, root: Path) -> None:
        self._note = note
        self._now = clock.now
        self._root = root
        self._numbers = itertools.count()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Begin with a test, which may be run several times."""
        number = item.stash[_TURN] = next(self._numbers)
        self._note(("turn", number, item.nodeid))
        self._begin(item, "set-up")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> None:
        """Begin with the call."""
        self._begin(item, "call")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> None:
        """Begin with the tear-down."""
        self._begin(item, "tear-down")

    def _begin(self, item: pytest.Item, phase: str) -> None:
        if _TURN in item.stash:  # not if a plugin has left out the set-up
            self._note(("begun", item.stash[_TURN], phase, self._now()))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Note the end of a phase, before whatever others do about it, and then how it ended."""
        stop = self._now()
        report = yield
        if _TURN in item.stash:
            phase = {"setup": "set-up", "teardown": "tear-down"}.get(call.when, call.when)
            self._note(("ended", item.stash[_TURN], phase, stop, _outcome_of(report)))
        return report

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
    ) -> Generator[None, object, object]:
        """Note the set-up, and let the tear-down be noted: the first finalizer is the last to be called."""
        __tracebackhide__ = True
        if is_argument(fixturedef):
            return (yield)
        number = next(self._numbers)
        self._note(("opening", number, *self._describe(fixturedef, request), self._now()))
        fixturedef.addfinalizer(partial(self._note_time, "closed", number))
        try:
            value = yield
        except BaseException:
            self._note_time("failed", number)
            raise
        self._note_time("live", number)
        # What depends on the fixture adds finalizers to it that are called before this one.
        fixturedef.addfinalizer(partial(self._note_time, "closing", number))
        return value

    def _note_time(self, what: str, number: int) -> None:
        self._note((what, number, self._now()))

    def _describe(
        self, fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
    ) -> tuple[str, str, str, str, str, bool]:
        item = item_of(request)
        name = label = fixturedef.argname
        if hasattr(item, "callspec") and name in item.callspec.params:
            label = f"{name}[{id_of_param(item, name)}]"
        elif name.startswith(_SET_UP_FUNCTIONS):
            label = name.partition("_fixture_")[0].lstrip("_").partition("_")[2]
        elif "::" in name:  # a set-up function that is ours
            label = name.rpartition("::")[2]
        scope: str = fixturedef.scope
        function = fixturedef.func
        return (
            label,
            scope if scope == "directory" else request.scope,  # which parameters may have given it
            request.node.nodeid,
            item.nodeid,
            location_of(function, self._root),
            is_async(function),
        )


def _outcome_of(report: pytest.TestReport) -> str:
    outcome: str = report.outcome
    if hasattr(report, "wasxfail"):
        return {"skipped": "xfailed", "passed": "xpassed"}.get(outcome, outcome)
    return outcome


class WriterHooks:
    """Write the file when all is over, however the run has ended."""

    def __init__(self, path: Path, history: History, clock: Clock) -> None:
        self._path = path
        self._history = history
        self._clock = clock
        self._has_run = False
        self._line = ""

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self) -> None:
        """Note that there is something to write; with "--fixtures", or a path that is wrong, there is not."""
        self._has_run = True

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_sessionfinish(self) -> Generator[None, object, object]:
        """Write it when pytest has torn everything down, and before the summary is printed."""
        for process in self._history.processes:
            process.cut_short(self._clock.now())
        try:
            return (yield)
        finally:
            self._history.end(self._clock.now())
            if self._has_run:
                self._write()

    def _write(self) -> None:
        text = _FORMATS[self._path.suffix.lower()](self._history)
        try:
            self._path.write_text(text, encoding="utf-8", newline="\n")
        except OSError as error:
            reason = error.strerror
            self._line = _errors.TIMELINE_NOT_WRITTEN.format(path=str(self._path), reason=reason)
        else:
            self._line = _errors.TIMELINE_WRITTEN.format(path=str(self._path))

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Tell where it is."""
        if self._line:
            terminalreporter.write_sep("-", self._line)


def register(config: pytest.Config, *, is_controller: bool) -> None:
    """Register what notes and what writes.

    Raises UsageError if the file can't be written.
    """
    manager, root = config.pluginmanager, config.rootpath
    if hasattr(config, "workerinput"):
        from ._timeline_xdist import WorkerHooks, began

        worker = WorkerHooks(config)
        manager.register(RecorderHooks(worker.note, Clock(began(config)), root))
        manager.register(worker)
        return
    path = _writable(config)
    history = History(root.name, time.time())
    clock = Clock(history.began)
    if is_controller:
        from ._timeline_xdist import ControllerHooks

        manager.register(ControllerHooks(history, clock.now))
    else:
        manager.register(RecorderHooks(history.process("").note, clock, root))
    manager.register(WriterHooks(path, history, clock))


def _writable(config: pytest.Config) -> Path:
    """Return the path of the file, when it is known that it can be written; its folder is made if need be."""
    path = config.invocation_params.dir / config.option.trio_timeline
    try:
        path = config.invocation_params.dir / Path(config.option.trio_timeline).expanduser()
        is_new = not path.exists()
        if not path.parent.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab"):
            pass
        if is_new:
            path.unlink(missing_ok=True)  # by another run that begins just now
    except (OSError, ValueError, RuntimeError) as error:  # as for "\0", and for "~nobody"
        reason = getattr(error, "strerror", None) or str(error)
        message = _errors.TIMELINE_UNWRITABLE.format(path=str(path), reason=reason)
        raise pytest.UsageError(message) from None
    return path
