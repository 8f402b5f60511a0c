"""Workers of pytest-xdist that die while several tests are in flight in them: the controller's side.

xdist blames the first test that it has sent and of which it has not heard that it has ended, and sends the
others again.  With many in flight that may be another one than the culprit, which then kills the next worker.
So the workers that replace dead ones run one test at a time, where xdist is right.

Pinned by ``tests/test_parallel_xdist.py``.
"""

from __future__ import annotations

from typing import Any

import pytest

from . import _errors

#: In the input of a worker: how many tests it may run at once.
_NUMBER = "trio_parallel"


class ControllerHooks:
    """Tell whom else a crash may be due to, and what a replacement may do."""

    def __init__(self, number: int) -> None:
        self._number = number

    def pytest_configure_node(self, node: Any) -> None:
        """Tell a worker how many tests it may run at once."""
        node.workerinput[_NUMBER] = self._number

    def pytest_testnodedown(self, error: object) -> None:
        """Let those that come from now on run one at a time, if a worker has died."""
        if error:
            self._number = 1

    def pytest_handlecrashitem(self, crashitem: str, report: pytest.TestReport) -> None:
        """Tell of the others in flight."""
        number = report.node.workerinput[_NUMBER]
        if number > 1:
            text = _errors.CRASHED_AMONG_MANY.format(nodeid=crashitem, number=number)
            report.longrepr = f"{report.longrepr}\n{text}"


def number_of(config: pytest.Config, number: int) -> int:
    """Return how many tests this process may run at once, if ``number`` has been asked for."""
    told: dict[str, int] = getattr(config, "workerinput", {})
    return told.get(_NUMBER, number)
