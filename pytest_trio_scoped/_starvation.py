"""Sync tests that block the loop while a server in a fixture has to wait.

While sync code runs the loop stands still, in the middle of a step of the test's task.  A blocking client
then waits for a server that can't answer, until the client gives up, and nothing says why.  So the steps
of such a test are timed: a step that lasts for long, while tasks of a fixture that the test uses have to
wait, is told, once in a session.  An instrument sees where a step ends, which is wherever the test waits
for the loop, by ``await_`` or otherwise.

Pinned by ``tests/test_blocking.py``.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from functools import partial
from time import monotonic
from typing import Any

import pytest
import trio

from . import _errors
from ._describe import describe
from ._lifetime import Lifetime
from ._loop import Loop
from ._pytest_names import active_fixtures
from ._session import TrioSession

#: Seconds for which a sync test may block the loop before it is told of.
PATIENCE = 5.0

_Function = Callable[..., Any]


class StarvationHooks:
    """Time the sync tests that run inside.  Registered when the loop is opened."""

    def __init__(self, session: TrioSession) -> None:
        self._session = session
        self._is_told = False
        session.time_sync_test = self._timed

    def pytest_enter_pdb(self) -> None:
        """A user who looks around in the debugger blocks the loop, and knows it."""
        self._is_told = True

    def _timed(self, item: pytest.Function, function: _Function) -> _Function:
        """Return a function that calls ``function``, the test, and looks for how long it blocks."""
        if self._is_told:
            return function

        def timed(**arguments: Any) -> Any:
            __tracebackhide__ = True
            steps = _Steps(partial(self._end_step, item, self._session.loop))
            trio.lowlevel.add_instrument(steps)
            try:
                return function(**arguments)
            finally:
                steps.end()
                with contextlib.suppress(KeyError):  # Trio drops one that has raised
                    trio.lowlevel.remove_instrument(steps)

        return timed

    def _end_step(self, item: pytest.Function, loop: Loop, seconds: float) -> None:
        if self._is_told or seconds <= PATIENCE:
            return
        name = _starved_fixture(item, loop)
        if name is None:
            return
        self._is_told = True
        text = _errors.BLOCKED_LOOP.format(nodeid=item.nodeid, seconds=seconds, name=name)
        # Later, as it may be an error for the user, and must not take the place of the test's own.
        item.addfinalizer(partial(item.warn, pytest.PytestWarning(text)))


class _Steps(trio.abc.Instrument):
    """Calls ``on_end`` with the seconds that each step of the current task has taken."""

    def __init__(self, on_end: Callable[[float], None]) -> None:
        self._on_end = on_end
        self._task = trio.lowlevel.current_task()
        self._start = monotonic()

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        if task is self._task:
            self._start = monotonic()

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        if task is self._task:
            self.end()

    def end(self) -> None:
        """End the step at hand, or a part of it."""
        self._on_end(monotonic() - self._start)


def _starved_fixture(item: pytest.Function, loop: Loop) -> str | None:
    """Return the name of a live fixture of the test that has tasks in the background, if there is one."""
    used = active_fixtures(item)
    for lifetime in loop.live:
        if isinstance(lifetime, Lifetime) and lifetime.has_background_tasks:
            for fixturedef in used:
                if lifetime.owner is fixturedef:
                    return describe(fixturedef)
    return None
