"""The task tree after the dump of ``faulthandler_timeout``, which knows of threads only.

Pinned by ``tests/test_faulthandler_tree.py``.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from functools import partial
from typing import TYPE_CHECKING

import pytest

from . import _errors
from ._alarms import Alarms
from ._session import TrioSession
from ._timeout_hooks import TimeoutHooks

if TYPE_CHECKING:
    from ._loop import Loop

#: Seconds after pytest's own dump.
_DELAY = 0.1

#: Seconds in which a loop that is not stuck takes a step.
_PATIENCE = 1.0


def faulthandler_seconds(config: pytest.Config) -> float:
    """Return after how long pytest dumps the stacks of a test, 0 for never."""
    is_there = config.pluginmanager.has_plugin("faulthandler")
    return float(config.getini("faulthandler_timeout") or 0) if is_there else 0


class FaulthandlerHooks:
    """Dump the tree of tasks after so many ``seconds``.  Registered if there is such a limit."""

    def __init__(self, session: TrioSession, hooks: TimeoutHooks, seconds: float) -> None:
        self._session = session
        self._hooks = hooks
        self._seconds = seconds
        self._alarms = Alarms()

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_protocol(self) -> Generator[None, object, object]:
        """Set the alarm for one test."""
        self._alarms.set(self, self._seconds + _DELAY, self._ask)
        try:
            return (yield)
        finally:
            self._stop()

    @pytest.hookimpl(tryfirst=True)
    def pytest_enter_pdb(self) -> None:
        """Dump nothing while the user debugs, as pytest."""
        self._stop()

    @pytest.hookimpl(tryfirst=True)
    def pytest_exception_interact(self) -> None:
        """Dump nothing while the user has a look at a failure, as pytest."""
        self._stop()

    def pytest_unconfigure(self) -> None:
        """End the thread of the alarms."""
        self._alarms.close()

    def _stop(self) -> None:
        self._alarms.drop(self)

    def _ask(self) -> None:
        loop = self._session.present_loop
        if loop is None:
            return
        # Greenlets are looked at from their own thread, unless that is stuck in one of them.
        self._alarms.set(self, _PATIENCE, partial(self._dump, loop))
        loop.run_soon(partial(self._dump, loop))

    def _dump(self, loop: Loop) -> None:
        from ._task_tree import describe_tasks_of_stuck

        self._stop()
        text = f"\n{_errors.TASK_TREE}\n\n{describe_tasks_of_stuck(loop)}\n\n"
        if self._hooks.stderr == -1:  # the user has closed it
            return
        os.write(self._hooks.stderr, text.encode(errors="replace"))
