"""Where the tests come from that run at once, and who is told of them.

Pinned by ``tests/test_parallel_xdist.py``, where they come from somewhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from ._line_up import Line


class Feed:
    """All tests of the session at once."""

    #: Whether more tests may come when there is none to start.
    may_come = False
    #: Whether another process decides what is run, and what it means when that fails or is stopped.
    is_remote = False

    _line: Line

    def begin(
        self,
        items: Sequence[pytest.Item],
        line: Line,
        expect: Callable[[Sequence[pytest.Item]], None],
    ) -> None:
        """Fill the line.  ``expect`` is told of all that will come, before they are in line."""
        self._line = line
        expect(items)
        for number in range(len(items)):
            line.add(number)
        line.close()

    def take(self) -> int | None:
        """Return the next in the line that may start now."""
        return self._line.take()

    def listen(self, wake: Callable[[], object]) -> None:
        """Call ``wake`` in any thread when more have come.  Called once, when the run begins."""

    def start(self, number: int) -> None:
        """Note that a test starts."""

    def wait_for_more(self, number: int) -> None:
        """Return when it is known what a test has to tear down, before it does."""

    def report(self, number: int) -> None:
        """Note that the reports of a test are about to be handed on."""

    def end(self, number: int, seconds: float) -> None:
        """Note that a test has ended, so many seconds after its start."""
