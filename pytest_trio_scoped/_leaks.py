"""Tasks that outlive the test that started them.

A task in a nursery belongs to whoever owns the nursery: a test, or a live fixture.  A system task
belongs to the loop, which outlives the test by far; under ``trio.run`` it would have ended with the test.
The same goes for one that was started in the nursery around the test, by ``current_task().parent_nursery``.
So such tasks that were started while a test was called, and still run after its tear-down, are named; if
several tests were called then, at each of them, since nothing says whose it is.

Coroutines that nobody awaited and async generators that nobody closed are named by Python and Trio, in
warnings at the test that dropped them.  Python hides the second kind by default; here it is shown.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from . import _errors
from ._phases import PhaseEdgeHooks
from ._session import TrioSession

if TYPE_CHECKING:
    import trio


#: How Trio calls its own system tasks that close abandoned async generators.
_TRIOS_OWN = "close asyncgen"


@contextlib.contextmanager
def abandoned_generators_shown(config: pytest.Config) -> Iterator[None]:
    """Let Trio's warning about them be seen in the block unless the user has said otherwise.

    What is said here once is below whatever pytest puts in place for each test.
    """
    if not config.pluginmanager.has_plugin("warnings"):
        yield
        return
    with warnings.catch_warnings():
        message = "Async generator .* was garbage collected"
        warnings.filterwarnings("default", message=message, category=ResourceWarning)
        yield


class Leaks:
    """Compares the tasks that nobody waits for, before and after a test.  Made when the loop is opened."""

    def __init__(self, session: TrioSession, phases: PhaseEdgeHooks) -> None:
        self._session = session
        #: For each test that is being called; the last, for tests whose set-up has failed.
        self._before: dict[pytest.Item, frozenset[trio.lowlevel.Task]] = {}
        self._last: frozenset[trio.lowlevel.Task] = frozenset()
        phases.before_call.append(self._begin)
        phases.after_tear_down.append(self._end)

    def _begin(self, item: pytest.Item) -> None:
        """Take what fixtures have started as given."""
        self._last = self._before[item] = self._session.stray_tasks()

    def _end(self, item: pytest.Item) -> None:
        """Warn of what is left."""
        leaked = self._session.stray_tasks() - self._before.pop(item, self._last)
        if leaked:
            self._session.let_loop_settle()  # what is about to end is no leak
            self._warn(item, leaked & self._session.stray_tasks())

    @staticmethod
    def _warn(item: pytest.Item, leaked: frozenset[trio.lowlevel.Task]) -> None:
        names = ", ".join(
            sorted(repr(task.name) for task in leaked if not task.name.startswith(_TRIOS_OWN))
        )
        if not names:
            return
        text = _errors.LEAKED_TASKS.format(nodeid=item.nodeid, names=names)
        item.warn(pytest.PytestWarning(text))
