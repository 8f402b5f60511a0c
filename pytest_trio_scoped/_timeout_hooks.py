"""The limits on the phases of a test: the ini value, the option and the argument of the mark.

Pinned by ``tests/test_timeouts.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pytest

from . import _errors
from ._ownership import body_of, is_async
from ._session import TrioSession
from ._settings import Settings, seconds_of

if TYPE_CHECKING:
    from ._timeouts import Timeouts, Watch


class TimeoutHooks:
    """Have the phases of tests watched if any limit is set."""

    def __init__(self, session: TrioSession, settings: Settings) -> None:
        self._session = session
        self._settings = settings
        self._timeouts: Timeouts | None = None

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> None:
        """Register the hooks of each phase, which cost every test, only where there is a limit."""
        if self._settings.timeout or _any_marked(session.items):
            self._session.stderr.open()
            phases = PhaseHooks(self.timeouts(session.config), self._settings)
            session.config.pluginmanager.register(phases)

    def timeouts(self, config: pytest.Config) -> Timeouts:
        """Return who watches, made when it is asked for first."""
        if self._timeouts is None:
            from ._timeouts import Timeouts

            self._timeouts = self._session.time_limit = Timeouts(self._session)
            config.pluginmanager.register(ReportHooks(self._timeouts))
        return self._timeouts


class ReportHooks:
    """Report what took too long."""

    def __init__(self, timeouts: Timeouts) -> None:
        self._timeouts = timeouts

    # Not first: for a unittest method pytest's own implementation of this hook sets "call.excinfo".
    def pytest_runtest_makereport(self, call: pytest.CallInfo[None]) -> None:
        """Let the phase that has ended fail if it has exceeded a limit."""
        raised = None if call.excinfo is None else call.excinfo.value
        reported = self._timeouts.conclude(raised)
        if reported is not None and reported is not raised:
            try:
                raise reported.with_traceback(None if raised is None else raised.__traceback__)
            except BaseException:
                call.excinfo = pytest.ExceptionInfo.from_current()

    def pytest_enter_pdb(self) -> None:
        """Give the user all the time there is."""
        self._timeouts.end_all()

    @pytest.hookimpl(tryfirst=True)
    def pytest_keyboard_interrupt(self) -> None:
        """The phase at hand has ended without a report, by Ctrl-C or "pytest.exit"."""
        self._timeouts.end_all()


class PhaseHooks:
    """Watch each phase of each test."""

    def __init__(self, timeouts: Timeouts, settings: Settings) -> None:
        self._timeouts = timeouts
        self._settings = settings
        #: For each test in flight.
        self._watches: dict[pytest.Item, Watch] = {}

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Watch the set-up."""
        self._begin(item, "set-up")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> None:
        """Watch the call."""
        self._begin(item, "call")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> None:
        """Watch the tear-down."""
        self._begin(item, "tear-down")

    # Registered after ReportHooks, so it is called before them.
    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> None:
        """The phase has ended."""
        watch = self._watches.pop(item, None)
        if watch is not None:
            watch.end()

    def _begin(self, item: pytest.Item, phase: str) -> None:
        seconds, source, problem = self._limit_of(item)
        if problem and phase == "set-up":  # once is enough
            pytest.fail(problem, pytrace=False)
        if seconds:
            what = f"{item.nodeid}: the {phase}"
            in_parts = phase == "tear-down"
            watch = self._timeouts.begin(what, seconds, source, in_parts=in_parts)
            self._watches[item] = watch

    def _limit_of(self, item: pytest.Item) -> tuple[float, str, str]:
        """Return the limit, where it comes from, and what is wrong with it."""
        for mark in item.iter_markers("trio"):
            if "timeout" in mark.kwargs:
                value = mark.kwargs["timeout"]
                try:
                    return seconds_of(value), "the timeout of its mark 'trio'", ""
                except (TypeError, ValueError):
                    where = f"{item.nodeid} is marked 'trio'; the timeout"
                    text = _errors.NO_TIMEOUT.format(where=where, value=value, none=None)
                    return 0, "", text
        return self._settings.timeout, self._settings.timeout_source, ""


def _any_marked(items: Sequence[pytest.Item]) -> bool:
    parents = set()
    for item in items:
        parents.add(item.parent)
        for mark in item.own_markers:
            if _is_limit(mark) and _is_async(item):
                return True
    above = (parent for parent in parents if parent and any(map(_is_limit, parent.iter_markers())))
    return any(_is_async(item) for parent in above for item in items if item.parent is parent)


def _is_async(item: pytest.Item) -> bool:
    return isinstance(item, pytest.Function) and is_async(body_of(item.obj))


def _is_limit(mark: pytest.Mark) -> bool:
    return mark.name == "trio" and "timeout" in mark.kwargs
