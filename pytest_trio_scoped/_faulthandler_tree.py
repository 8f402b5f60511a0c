"""The task tree after the dump of ``faulthandler_timeout``, which knows of threads only.

Pinned by ``tests/test_faulthandler_tree.py``.
"""

from __future__ import annotations

from collections.abc import Generator
from functools import partial
from typing import TYPE_CHECKING

import pytest

from . import _errors
from ._alarms import PATIENCE
from ._session import TrioSession

if TYPE_CHECKING:
    from ._loop import Loop

#: Seconds after pytest's own dump.
_DELAY = 0.1


def faulthandler_seconds(config: pytest.Config) -> float:
    """Return after how long pytest dumps the stacks of a test, 0 for never."""
    is_there = config.pluginmanager.has_plugin("faulthandler")
    return float(config.getini("faulthandler_timeout") or 0) if is_there else 0


class FaulthandlerHooks:
    """Dump the tree of tasks after so many ``seconds``.  Registered if there is such a limit."""

    def __init__(self, session: TrioSession, seconds: float) -> None:
        self._session = session
        self._seconds = seconds

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self) -> None:
        """Open the file that is written to."""
        self._session.stderr.open()

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_protocol(self) -> Generator[None, object, object]:
        """Set the alarm for one test."""
        self._session.alarms.set(self, self._seconds + _DELAY, self._ask)
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

    def _stop(self) -> None:
        self._session.alarms.drop(self)

    def _ask(self) -> None:
        loop = self._session.present_loop
        if loop is None:
            return
        # Greenlets are looked at from their own thread, unless that is stuck in one of them.
        self._session.alarms.set(self, PATIENCE, partial(self._dump, loop))
        loop.run_soon(partial(self._dump, loop))

    def _dump(self, loop: Loop) -> None:
        from ._task_tree import describe_tasks_of_stuck

        self._stop()
        self._session.stderr.write(f"{_errors.TASK_TREE}\n\n{describe_tasks_of_stuck(loop)}")
