"""Many tests at once on the session's loop.

Each test in flight has a strand (``_strands``): a greenlet, driven by a task, that runs pytest's whole
protocol for it, from the first hook to the last.  What pytest has once and a test in flight needs for itself
is in modules of its own: nodes that are set up (``_setup_tree``), fixtures (``_own_fixtures``), output and
the like (``_own_state``), reports (``_held_reports``).  Which tests may overlap is known to ``_line_up``.

A *stretch* is a time in which tests overlap.  Between two of them tests run alone, as they do without this.

Pinned by ``tests/test_parallel.py``.
"""

from __future__ import annotations

import gc
import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from . import _errors
from ._claims import Claims, Refuse
from ._exclusive import Exclusive, groups_of, runner_of
from ._feeds import Feed
from ._held_reports import Held, HeldReports
from ._line_up import Line, with_parameters
from ._outcomes import is_cancelled
from ._own_fixtures import OwnFixtures
from ._own_state import OwnStates
from ._parallel_crashes import OthersInFlight
from ._planning import FixturePlan
from ._pytest_names import replace_setup_state
from ._session import TrioSession
from ._settings import Settings
from ._setup_tree import SetupTree
from ._strands import Strand
from ._stretch import Flight, Stretch
from ._wreck import LoopLost

if TYPE_CHECKING:
    from ._contexts import Changes

_NODES: dict[str, type[pytest.Collector]] = {"module": pytest.Module, "class": pytest.Class}


#: More than Python itself freezes when it starts.
_PYTHONS_OWN = 1000


@contextmanager
def _collected_tests_frozen() -> Iterator[None]:
    """Keep the garbage collector from what is there by now, in the block; it lives to the end of the run.

    With many tests in flight the collector would go through it again and again, for a fifth of the time.
    """
    # By somebody else, who needs it.  Python 3.12 freezes a few hundred objects of its own.
    is_frozen = gc.get_freeze_count() > _PYTHONS_OWN
    if not is_frozen:
        gc.freeze()
    try:
        yield
    finally:
        if not is_frozen:
            gc.unfreeze()


class Pool:
    """The tests of one run."""

    def __init__(
        self,
        trio_session: TrioSession,
        session: pytest.Session,
        settings: Settings,
        feed: Feed,
    ) -> None:
        self._trio_session = trio_session
        self._session = session
        self._settings = settings
        self.exclusive = Exclusive(settings, runner_of(session.config))
        items = session.items
        #: Those that run alone, and why.
        self.alone = {
            item: reason for item in items if (reason := self.exclusive.reason(item)) is not None
        }
        plan = self._plan = FixturePlan(items)
        self._following = dict(itertools.pairwise(items))
        self._line = Line(items, plan, self.alone, groups_of, self._node_of)
        self._feed = feed
        self._stretch: Stretch | None = None
        self._claims = Claims(lambda: trio_session.loop)
        self.states = OwnStates(session.config)
        self._fixtures = OwnFixtures(plan, self._hold, self._use, self._refuse_late)
        self._nodes = SetupTree(
            (), self._item_at_hand, self._hold, self._claims.is_free, self._fixtures.leave
        )
        self._reports = HeldReports(session, self._held)
        self._flights: dict[Strand, Flight] = {}
        self._others = OthersInFlight(
            trio_session,
            self.flight,
            self._flights.values,
            self._flight_with_turn,
            is_leaving=self._nodes.is_leaving,
            hold=self._hold,
        )
        trio_session.others = self._others
        self._item_alone: pytest.Item | None = None
        self._number_alone: int | None = None
        self._expected: list[pytest.Item] = []
        #: What wide fixtures have changed in the contexts of their users.
        self._changes: dict[object, list[Changes]] = {}
        self._failed = 0
        self.is_stopping = False
        self._started: set[pytest.Item] = set()
        self._unwound: Flight | None = None
        self._first_error: BaseException | None = None
        #: Whether tests were interrupted, as the run is to end.
        self._is_interrupted = False
        feed.begin(items, self._line, self._expect)

    def _expect(self, items: Sequence[pytest.Item]) -> None:
        self._expected += items
        self._nodes.expect(items)

    # ---------------------------------------------------------------- host

    def run(self) -> None:
        """Run all tests; raise what ends the run early, as pytest's own loop does."""
        __tracebackhide__ = True
        self._failed = self._session.testsfailed
        replace_setup_state(self._session, self._nodes)
        self._reports.install()
        self._feed.listen(self._wake)
        with _collected_tests_frozen():
            self._run_all()
        if self._feed.is_remote:
            return
        if self._session.shouldfail:
            raise self._session.Failed(self._session.shouldfail)
        if self._session.shouldstop:
            raise self._session.Interrupted(self._session.shouldstop)

    def _run_all(self) -> None:
        __tracebackhide__ = True
        try:
            while (index := self.next()) is not None or self.may_come:
                if index is not None and self.runs_alone(index):
                    self._run_alone(index)
                else:
                    self._run_stretch(index)
        finally:
            self._reports.remove()

    def _run_alone(self, index: int) -> None:
        __tracebackhide__ = True
        item = self._item_alone = self._line.item(index)
        number = self._number_alone = self._line.numbers[index]
        self._start(item, number)
        self._feed.report(number)
        try:
            seconds = self._run_protocol(item)
        finally:
            self._item_alone = self._number_alone = None
        self._line.end(index)
        self._feed.end(number, seconds)
        self._stop_if_wanted()

    def _run_stretch(self, index: int | None) -> None:
        __tracebackhide__ = True
        loop = self._trio_session.loop
        stretch = self._stretch = Stretch(self, loop, index, self._settings.parallel)
        try:
            with self.states.running():
                try:
                    loop.wait_for(stretch, stretch.run)
                except LoopLost as lost:
                    self._trio_session.lose_loop(lost)
                    self._trio_session.open_loop()  # for what the tests in flight still have to do
                finally:
                    self._unwind()
        finally:
            self._stretch = None
            loop.drop_strands(list(self._flights))
            self._flights.clear()
        error, self._first_error = self._first_error, None
        if error is not None:
            raise error
        if stretch.left_over is not None and not self.is_stopping:
            self._run_alone(stretch.left_over)

    def _unwind(self) -> None:
        """End what is in flight after the loop has ended under it."""
        for flight in list(self._flights.values()):
            self._unwound = flight
            try:
                flight.strand.unwind()
            finally:
                self._unwound = None

    def _stop_if_wanted(self) -> None:
        if self._session.shouldfail or self._session.shouldstop:
            self.stop()

    def stop(self) -> None:
        """Start no test any more."""
        if not self.is_stopping:
            self.is_stopping = True
            self._nodes.give_up(item for item in self._expected if item not in self._started)

    # ---------------------------------------------------------------- in a strand

    def make_flight(self, index: int) -> Flight:
        """Return the flight of a test that is about to start."""
        flight = Flight(index, self._line.numbers[index], self._line.item(index))
        strand = Strand(
            self._trio_session.loop,
            flight.item.nodeid,
            partial(self._fly, flight),
            is_long=True,
        )
        flight.strand = strand
        self._flights[strand] = flight
        self._start(flight.item, flight.number)  # not in its strand: it counts from now on
        strand.loop.add_strands([strand])
        return flight

    def _fly(self, flight: Flight) -> None:
        __tracebackhide__ = True
        try:
            seconds = self._run_protocol(flight.item)
        finally:
            assert flight.state is not None
            self.states.end(flight.state)
            self._hand_on(flight)
        self._feed.end(flight.number, seconds)

    def _start(self, item: pytest.Item, number: int) -> None:
        self._started.add(item)
        self._feed.start(number)

    def _run_protocol(self, item: pytest.Item) -> float:
        __tracebackhide__ = True
        next_item = self._following.get(item)
        start = time.perf_counter()
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=next_item)
        return time.perf_counter() - start

    def begin_tear_down(self) -> None:
        """Note that the calling test is about to be torn down, for which it is interrupted no more."""
        flight = self.flight()
        if flight is not None:
            flight.is_tearing_down = True
            flight.strand.is_cancelled = False  # it has paid no heed

    def before_tear_down(self) -> None:
        """Wait until it is known what has to be torn down with the calling test."""
        flight = self.flight()
        number = self._number_alone if flight is None else flight.number
        if number is not None and not self.is_stopping:
            self._feed.wait_for_more(number)

    def _hand_on(self, flight: Flight) -> None:
        """Hand the reports on, one test after the other."""
        with self.states.uncaptured():
            while flight.held:
                self._feed.report(flight.number)
                flight.held.pop(0)()
        self._stop_if_wanted()

    def flight(self) -> Flight | None:
        """Return the test in flight to which the caller belongs."""
        if self._unwound is not None:
            return self._unwound
        strand = self._trio_session.strand
        return None if strand is None else self._flights.get(strand.outermost)

    def _flight_with_turn(self) -> Flight | None:
        """Return the test in flight that keeps the thread, if it is known.  In any thread."""
        state = self.states.in_place
        flights = list(self._flights.values())
        return next((each for each in flights if each.state is state), None)

    def _item_at_hand(self) -> pytest.Item | None:
        flight = self.flight()
        return self._item_alone if flight is None else flight.item

    def _held(self, report: pytest.TestReport | None) -> Held | None:
        flight = self.flight()
        if report is not None:
            self._count_failed(report, flight)
        return None if flight is None else flight.held

    def give_fixtures(self, item: pytest.Item) -> None:
        """Let the test have fixtures of its own, before the first is set up."""
        self._fixtures.give(item)
        if self._trio_session.has_loop:
            # From now on it may use fixtures that others have set up.
            self._trio_session.crashes.begin(item)

    def note_error(self, error: BaseException) -> None:
        """Note what the calling test is about to report."""
        flight = self.flight()
        if flight is None:
            return
        flight.interrupt = None
        if self._is_interrupted and is_cancelled(error):
            # It was not blocked when it was to be interrupted.
            flight.interrupt = KeyboardInterrupt()
        elif self._first_error is not None and isinstance(error, KeyboardInterrupt):
            flight.interrupt = error

    def _count_failed(self, report: pytest.TestReport, flight: Flight | None) -> None:
        """Stop if there are enough failures, before their reports are handed on.

        Raises KeyboardInterrupt in place of a report of it, which there would be with "--pdb", if another
        test has ended the run.
        """
        if flight is not None and flight.interrupt is not None:
            raise flight.interrupt
        if report.failed and not hasattr(report, "wasxfail"):
            self._failed += 1
            enough = self._session.config.getvalue("maxfail")
            if enough and self._failed >= enough:
                self.stop()

    # ---------------------------------------------------------------- fixtures

    def _hold(self, key: object) -> AbstractContextManager[None]:
        def refuse(names: list[str]) -> NoReturn:
            text = _errors.TESTS_WAIT_FOR_EACH_OTHER
            pytest.fail(text.format(names=", ".join(map(repr, names))), pytrace=False)

        return self.hold(key, refuse)

    def hold(self, key: object, refuse: Refuse) -> AbstractContextManager[None]:
        """Return a block in which one test in flight is at a time; see ``Claims``."""
        return self._claims.hold(key, refuse)

    def _use(
        self,
        fixturedef: pytest.FixtureDef[Any],
        execute: Callable[[], Any],
    ) -> Any:
        """Set a wide fixture up or take it; what it has set in context variables is set here as well."""
        __tracebackhide__ = True
        session = self._trio_session
        if not session.has_loop:
            return execute()
        self._others.wait_for_sweep(fixturedef)
        before = set(session.layers)
        value = execute()
        layers = session.layers
        new = [changes for changes in layers if changes not in before]
        if new:
            self._changes[fixturedef] = new
            fixturedef.addfinalizer(partial(self._forget_changes, fixturedef))
        for changes in self._changes.get(fixturedef, ()):
            if changes not in set(layers):
                if session.strand is None:
                    changes.apply(layers)
                else:  # the context ends with the test
                    layers.add(changes)
        return value

    def _forget_changes(self, fixturedef: pytest.FixtureDef[Any]) -> None:
        self._changes.pop(fixturedef, None)

    def _refuse_late(
        self, item: pytest.Item, name: str, found: Sequence[pytest.FixtureDef[Any]]
    ) -> None:
        __tracebackhide__ = True
        if self.flight() is None:
            return
        if self.exclusive.is_exclusive_fixture(name):
            text = _errors.LATE_EXCLUSIVE
        elif not self._with_parameters.isdisjoint(found):
            text = _errors.LATE_VARIED
        else:
            return
        pytest.fail(text.format(nodeid=item.nodeid, name=name), pytrace=False)

    @cached_property
    def _with_parameters(self) -> frozenset[object]:
        return with_parameters(self._session.items, self._plan)

    def _node_of(self, item: pytest.Item) -> object:
        kind = _NODES.get(self._settings.parallel_scope)
        return None if kind is None else item.getparent(kind) or item.parent

    # ---------------------------------------------------------------- stretch

    def runs_alone(self, index: int) -> bool:
        """Say whether a test runs alone."""
        return self._line.item(index) in self.alone

    def next(self) -> int | None:
        """Return the next test that may start now."""
        return None if self.is_stopping else self._feed.take()

    @property
    def may_come(self) -> bool:
        """Whether more tests may come when there is none to start."""
        return self._feed.may_come and not self.is_stopping

    def _wake(self) -> None:
        if self._stretch is not None:
            self._stretch.wake()

    def ended(self, flight: Flight) -> None:
        """Note that a test is no longer in flight.  Called on the loop."""
        strand = flight.strand
        strand.loop.drop_strands([strand])
        del self._flights[strand]
        self._others.note_change()
        self._line.end(flight.index)
        error = strand.error
        if error is None:
            return
        # Ctrl-C, or what else ends a run at once: nothing of the kind ends in a report.
        if self._first_error is None:
            self._first_error = error
            self.stop()
            self._interrupt(self._called())
            if isinstance(error, KeyboardInterrupt) and self._stretch is not None:
                strand.loop.ctrl_c.note_interrupt(self._stretch)

    def interrupt(self) -> None:
        """Raise KeyboardInterrupt in the tests, where they wait.  Not a checkpoint.

        Tear-downs are left to end, unless there is nothing else to interrupt.
        """
        self._interrupt(self._called() or list(self._flights.values()))

    def cancel(self) -> None:
        """Cancel what is interrupted.  Not a checkpoint."""
        for flight in self._called():
            flight.strand.cancel()

    def _called(self) -> list[Flight]:
        return [flight for flight in self._flights.values() if not flight.is_tearing_down]

    def _interrupt(self, flights: list[Flight]) -> None:
        self._is_interrupted = True
        for flight in flights:
            strand = flight.strand
            strand.interrupt()
            if flight.is_tearing_down:
                strand.loop.ctrl_c.cancel_wait(strand)  # what comes after it is torn down
            else:
                strand.cancel()

    def put_state_of(self, strand: Strand | None) -> None:
        """Put the state of the test in place whose strand it is."""
        if strand is None:
            return  # the session's host, which runs no code of the user's now
        flight = self._flights.get(strand.outermost)
        self.states.put(None if flight is None else flight.state)
