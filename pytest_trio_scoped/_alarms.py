"""Alarms by real time, for what has to happen although the loop, or all of pytest, does not go on.

Pinned by ``tests/test_alarms.py``.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Hashable

#: Seconds in which a loop that is not stuck takes a step.
PATIENCE = 1.0


class Alarms:
    """Calls functions at their time, in one thread of its own, which is started for the first alarm."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._alarms: dict[Hashable, tuple[float, Callable[[], object]]] = {}
        #: When the thread will look next.
        self._next_look = math.inf
        self._thread: threading.Thread | None = None
        self._is_closed = False

    def set(self, owner: Hashable, seconds: float, function: Callable[[], object]) -> None:
        """Let ``function`` be called in so many seconds, in place of the owner's former alarm."""
        when = time.monotonic() + seconds
        with self._condition:
            self._alarms[owner] = when, function
            if when >= self._next_look:
                return  # the thread looks early enough, and need not be woken
            self._next_look = when
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="pytest_trio_scoped alarms", daemon=True
                )
                self._thread.start()
            self._condition.notify()

    def drop(self, owner: Hashable) -> None:
        """Forget the owner's alarm, if there is one; it may be under way."""
        with self._condition:
            self._alarms.pop(owner, None)

    def close(self) -> None:
        """Let the thread end."""
        if self._thread is None:
            return
        with self._condition:
            self._is_closed = True
            self._condition.notify()
        self._thread.join()

    def _run(self) -> None:
        while not self._is_closed:
            for function in self._wait():
                function()

    def _wait(self) -> list[Callable[[], object]]:
        with self._condition:
            self._next_look = min((when for when, _ in self._alarms.values()), default=math.inf)
            seconds = self._next_look - time.monotonic()
            if seconds > 0 and not self._is_closed:
                self._condition.wait(min(seconds, threading.TIMEOUT_MAX))
            now = time.monotonic()
            due = [owner for owner, (when, _) in self._alarms.items() if when <= now]
            return [self._alarms.pop(owner)[1] for owner in due]
