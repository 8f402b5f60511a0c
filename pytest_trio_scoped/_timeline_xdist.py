"""The timeline of a run with pytest-xdist: workers send what they note, and the controller writes the file.

It travels with the reports of the tests, so that little is lost if a worker dies; and what comes after the
last report, with the output of the worker.

Pinned by ``tests/test_timeline_xdist.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import pytest

from ._timeline_history import Event, History

#: In the input and the output of a worker, and in the reports that it sends.
_KEY = "trio_timeline"


def began(config: pytest.Config) -> float:
    """Return when the run of a worker's controller began, in seconds since the epoch."""
    told: dict[str, float] = config.workerinput  # type: ignore[attr-defined]
    return told[_KEY]


class WorkerHooks:
    """Send what is noted."""

    def __init__(self, config: pytest.Config) -> None:
        self._config: Any = config
        self._events: list[Event] = []
        self.note = self._events.append

    def _take(self) -> list[Event]:
        events = list(self._events)
        self._events.clear()
        return events

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Send it with a report."""
        setattr(report, _KEY, self._take())

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_sessionfinish(self) -> Generator[None, object, object]:
        """Send the rest."""
        try:
            return (yield)
        finally:
            self._config.workeroutput[_KEY] = self._take()


class ControllerHooks:
    """Receive it."""

    def __init__(self, history: History, now: Callable[[], float]) -> None:
        self._history = history
        self._now = now

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Tell a worker from when on time is counted."""
        node.workerinput[_KEY] = self._history.began

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: Any) -> None:
        """Take what comes with a report, and leave it as others expect it."""
        process = self._history.process(report.node.gateway.id)
        for event in vars(report).pop(_KEY, ()):
            process.note(event)

    @pytest.hookimpl(optionalhook=True)
    def pytest_handlecrashitem(self, crashitem: str, report: Any) -> None:
        """Note that a worker has died."""
        self._history.process(report.node.gateway.id).crash(crashitem, self._now())

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take the rest, once: after Ctrl-C a worker goes down twice.  One that has died has left none."""
        for event in getattr(node, "workeroutput", {}).pop(_KEY, ()):
            self._history.process(node.gateway.id).note(event)
