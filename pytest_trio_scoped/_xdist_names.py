"""Names of pytest-xdist that are not public, on a worker.

A worker runs the tests whose numbers its controller sends, one after the other, in its own loop.  xdist has
no hook for running several of them at once.  If it had one, this module would not be needed.

Pinned by ``tests/test_parallel_xdist.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

#: What the channel passes on when it has been closed.
_CLOSED = None


class Worker:
    """The part of xdist that talks with the controller (``xdist.remote.WorkerInteractor``)."""

    def __init__(self, config: pytest.Config) -> None:
        # The module runs as a script, so its class can't be imported; it is registered under no name.
        [self._worker] = (
            plugin
            for plugin in config.pluginmanager.get_plugins()
            if type(plugin).__name__ == "WorkerInteractor"
        )

    def listen(
        self, on_command: Callable[[], object], on_steal: Callable[[list[int]], object]
    ) -> None:
        """Receive commands; each is told afterwards, in another thread, but those that ask for tests back."""

        def receive(command: Any) -> None:
            if command is _CLOSED:
                command = "shutdown", {}
            name, arguments = command
            if name == "steal":
                on_steal(arguments["indices"])
            else:
                self._worker.handle_command(command)
                on_command()

        self._worker.channel.setcallback(receive, endmarker=_CLOSED)

    def lock(self) -> Any:
        """Return a context manager: in the block no test comes or goes.  It may be nested."""
        return self._worker.torun.lock()

    def take(self) -> int | None:
        """Take the number of the next test out of the queue.

        Raises EOFError if there will not be any, which it does once; returns None if there is none now.
        """
        with self.lock() as queue:
            if not queue:
                return None
            number = queue.popleft()
        if isinstance(number, int):
            return int(number)
        raise EOFError

    def give_back(self, numbers: Sequence[int]) -> bool:
        """Give tests back that are still in the queue, for another worker to run.

        If there are none, return False, and the controller goes on waiting for an answer.
        """
        with self.lock() as queue:
            still_there = set(queue).intersection(numbers)
            if still_there:
                self._worker.steal(list(still_there))
        return bool(still_there)

    def give_nothing_back(self) -> None:
        """Tell that there are none."""
        self._worker.steal([])

    def begin_report(self, number: int) -> None:
        """Note whose reports come."""
        self._worker.item_index = number

    def end(self, number: int, seconds: float) -> None:
        """Tell that a test has ended, so that more are sent; ``seconds`` is how long it took."""
        self._worker.sendevent("runtest_protocol_complete", item_index=number, duration=seconds)
