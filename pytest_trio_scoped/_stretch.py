"""A stretch: a time in which tests overlap, and what the loop does meanwhile.

One test is started in each step of the loop, so that those in flight get on while many sync tests run.
What is process-wide is put in place for a test when a task of it takes a step, or its strand goes on.

Pinned by ``tests/test_parallel.py``.
"""

from __future__ import annotations

from contextvars import copy_context
from typing import TYPE_CHECKING, Protocol

import trio
from trio.lowlevel import enable_ki_protection

from ._held_reports import Held
from ._loop import Loop
from ._own_state import OwnState, OwnStates
from ._strands import Strand

if TYPE_CHECKING:
    import pytest

    from ._thread_state import ThreadState


class Flight:
    """A test in flight."""

    def __init__(self, index: int, number: int, item: pytest.Item) -> None:
        #: Its place in the line, and in the session.
        self.index = index
        self.number = number
        self.item = item
        self.strand: Strand
        self.state: OwnState | None = None
        self.is_tearing_down = False
        #: Its reports.
        self.held: Held = []
        #: What it was interrupted by, when another one had ended the run.
        self.interrupt: KeyboardInterrupt | None = None


class Pool(Protocol):
    """Where the tests come from, and who is told of them."""

    states: OwnStates

    @property
    def may_come(self) -> bool: ...
    def next(self) -> int | None: ...
    def runs_alone(self, index: int) -> bool: ...
    def make_flight(self, index: int) -> Flight: ...
    def ended(self, flight: Flight) -> None: ...
    def put_state_of(self, strand: Strand | None) -> None: ...
    def stop(self) -> None: ...
    def interrupt(self) -> None: ...
    def cancel(self) -> None: ...


class Stretch:
    """A time in which tests overlap, from ``index`` on, if that is known.

    It is what the session's host waits for.
    """

    def __init__(self, pool: Pool, loop: Loop, index: int | None, limit: int) -> None:
        self._pool = pool
        self._loop = loop
        self._next = index
        self._limit = limit
        self._in_flight = 0
        self._has_ended = trio.Event()
        self._left: ThreadState
        #: A test that comes next, and runs alone.
        self.left_over: int | None = None

    def cancel(self) -> None:
        """Cancel what is in flight.  Not a checkpoint."""
        self._pool.cancel()

    def interrupt(self) -> None:
        """Raise KeyboardInterrupt in all that is in flight.  Not a checkpoint."""
        self._pool.stop()
        self._pool.interrupt()

    @enable_ki_protection
    async def run(self) -> None:
        """Start one test in each step of the loop, so that those in flight get on as well."""
        self._left = self._loop.left
        steps = _Steps(self._pool, self._loop)
        trio.lowlevel.add_instrument(steps)
        self._loop.on_switch = self._pool.put_state_of
        try:
            async with trio.open_nursery() as nursery:
                steps.own_nurseries.add(nursery)
                while (index := await self._take()) is not None:
                    self._in_flight += 1
                    flight = self._pool.make_flight(index)
                    nursery.start_soon(self._drive, flight, name=flight.item.nodeid)
                    await trio.lowlevel.checkpoint()
        finally:
            self._loop.on_switch = None
            trio.lowlevel.remove_instrument(steps)

    async def _take(self) -> int | None:
        while True:
            if self._in_flight < self._limit:
                index, self._next = self._next, None
                if index is None:
                    index = self._pool.next()
                if index is not None and self._pool.runs_alone(index):
                    self.left_over = index
                    return None
                if index is not None or not (self._in_flight or self._pool.may_come):
                    return index
            self._has_ended = trio.Event()
            await self._has_ended.wait()

    @enable_ki_protection
    async def _drive(self, flight: Flight) -> None:
        # Here, so that this task belongs to the test as well, and those that it starts.
        flight.state = self._pool.states.begin(flight.item)
        await flight.strand.drive(copy_context(), self._left)
        if flight.strand.has_ended:  # else the loop is about to end
            self._pool.ended(flight)
        self._in_flight -= 1
        self._has_ended.set()

    def wake(self) -> None:
        """Look again whether a test may start.  In any thread."""
        self._loop.run_soon(self._look_again)

    def _look_again(self) -> None:
        self._has_ended.set()


class _Steps(trio.abc.Instrument):
    """Puts the state of a test in place when a task of the test takes a step."""

    def __init__(self, pool: Pool, loop: Loop) -> None:
        self._pool = pool
        self._states = pool.states
        self._hosts = loop.drivers.hosts
        self._starter = trio.lowlevel.current_task()
        #: Those of which the tasks run none, either, but in strands, which have their states put in place.
        self.own_nurseries = {loop.drivers.home}

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        if task is self._starter:
            return  # it runs no code of the user's
        strand = getattr(self._hosts.get(task), "strand", None)
        if strand is not None:
            self._pool.put_state_of(strand)
        elif task.parent_nursery not in self.own_nurseries:
            self._states.put(self._states.of_context(task.context))
