"""A fixture that dies while several tests in flight use it.

All of them are cancelled, and each of them is told.  The fixture is torn down, with its dependents, when the
last of them has left what it was doing; whoever asks for it in the meantime waits for that.

Pinned by ``tests/test_parallel_crashes.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any, Protocol

import pytest
import trio

from ._session import Others, TrioSession
from ._wreck import LoopLost

if TYPE_CHECKING:
    from ._strands import Strand

_Fixture = pytest.FixtureDef[Any]


class Flight(Protocol):
    """A test in flight."""

    @property
    def item(self) -> pytest.Item: ...
    @property
    def strand(self) -> Strand: ...


class OthersInFlight(Others):
    """The tests in flight, as the one sees them that calls.

    ``present`` returns the caller's, ``flights`` all; ``with_turn`` the one that keeps the thread, if it is
    known.  ``is_leaving`` says whether a node is being torn down, and ``hold`` keeps others from it.
    """

    def __init__(
        self,
        session: TrioSession,
        present: Callable[[], Flight | None],
        flights: Callable[[], Collection[Flight]],
        with_turn: Callable[[], Flight | None],
        *,
        is_leaving: Callable[[object], bool],
        hold: Callable[[object], AbstractContextManager[None]],
    ) -> None:
        self._session = session
        self._present = present
        self._flights = flights
        self._with_turn = with_turn
        self._is_leaving = is_leaving
        self._hold = hold
        #: Those that wait here, and do nothing else.
        self._parked: list[Flight] = []
        self._is_sweeping = False
        self._changed = trio.Event()

    are_in_run = True

    @property
    def may_be(self) -> bool:
        """Whether the caller's test overlaps with others."""
        return self._present() is not None

    @contextmanager
    def out_of(self, fixturedef: _Fixture, node: object) -> Iterator[bool]:
        """See the base class."""
        me = self._present()
        if me is None or self._is_leaving(node):
            yield me is None
            return
        uses = self._session.crashes.uses
        is_user = uses(me.item, fixturedef)

        def is_busy() -> bool:
            others = (each for each in self._flights() if each not in self._parked)
            return self._is_sweeping or any(uses(each.item, fixturedef) for each in others)

        with self._parking(me):
            while is_user and is_busy():
                self._wait()
            if is_busy():
                yield False
                return
            self._is_sweeping = True
            try:
                with self._hold(node):  # so that it is not left meanwhile
                    yield not self._is_leaving(node)
            finally:
                self._is_sweeping = False
                self.note_change()

    def have_turn(self, strand: Strand | None) -> bool:
        """See the base class."""
        flight = self._with_turn()
        return flight is not None and flight.strand is not strand

    def wait_for_sweep(self, fixturedef: _Fixture) -> None:
        """Return when the fixture does not live any more, if it has crashed."""
        crashes = self._session.crashes
        if not crashes.is_unswept(fixturedef):
            return
        crashes.sweep_and_raise()  # if nobody uses it
        me = self._present()
        if me is not None:
            with self._parking(me):
                while crashes.is_unswept(fixturedef):
                    self._wait()

    def note_change(self) -> None:
        """Let those look again who wait here.  Not a checkpoint."""
        if not self._parked:
            return
        loop = self._session.present_loop
        changed, self._changed = self._changed, trio.Event()
        if loop is not None and loop.is_open:
            with loop.inside():
                changed.set()

    @contextmanager
    def _parking(self, me: Flight) -> Iterator[None]:
        self._parked.append(me)
        self.note_change()
        try:
            yield
        finally:
            self._parked.remove(me)

    def _wait(self) -> None:
        changed = self._changed

        async def wait() -> None:
            # Another fixture may crash meanwhile, for which this is not to be cancelled.
            with trio.CancelScope(shield=True):
                await changed.wait()

        try:
            self._session.loop.run(wait, name="wait for other tests")
        except LoopLost as lost:
            raised = self._session.lose_loop(lost)
        else:
            return
        raise raised
