"""Fixtures that die while tests use them, and who is told.

A fixture crashes when a background task of it fails, or when it cancels its own scope.  Then:

- what is running and depends on it is cancelled: a test, or the set-up of a fixture;
- its dependents are torn down, then the fixture itself, which raises what really happened; a
  dependent's tear-down has a time of grace, as it may wait for what is dead;
- the test that was running is FAILED with that exception, or the set-up is an ERROR with it;
- who asks for the fixture later in its scope gets an ERROR with the same exception; a test that was told
  before is one that is run again (by pytest-rerunfailures, say), and has the fixture set up anew;
- if nobody was told, it is an ERROR at the end of the scope.

Tests that do not depend on the fixture notice nothing.

The tear-down is pytest's own (``FixtureDef.finish``), which knows the dependents but for those that asked
with ``getfixturevalue``; they go first.  It is done in the *sweep*: after what was running has ended, or
before the next test.  It can't be done at once, in the middle of somebody's wait.

A fixture is lost when the loop itself ends.  All of them are, then: they are unwound as far as possible
without waiting, and set up anew when they are asked for again, on a fresh loop.

Pinned by ``tests/test_crashes.py`` and ``tests/test_lost_loop.py``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from . import _errors
from ._blame import Crash, add_note, errors_of, one_of
from ._courses import Course, Courses, TearDown
from ._dependencies import Dependencies
from ._describe import describe
from ._exceptions import innermost, prune
from ._outcomes import ENDS_THE_RUN, Held, is_cancelled, needs_our_frame
from ._pytest_names import active_fixtures, at_end_of_scope, finish_fixture, item_of
from ._session import TrioSession
from ._states import State

if TYPE_CHECKING:
    from ._lifetime import Lifetime
    from ._strands import Strand
    from ._wreck import LoopLost

_Fixture = pytest.FixtureDef[Any]

#: Seconds that a tear-down may still take when a fixture that it depends on has crashed.
GRACE = 5.0

#: Seconds until what a tear-down waits for after that is cancelled as well.
_AGAIN = 0.1

#: In place of the test at hand while it is torn down.
_TEARING_DOWN: Any = object()


class Crashes:
    """The crashes of one session."""

    def __init__(self, session: TrioSession) -> None:
        self._session = session
        self._unswept: list[Crash] = []
        self._sweeping: Crash | None = None
        self._swept: list[Crash] = []
        #: Called when something is cancelled for a crash for the first time.
        self.on_first_cancelled: Callable[[], object] | None = None
        self._dependencies = Dependencies()
        self._courses = Courses(session)
        #: Whose set-up has raised because the loop was lost.
        self._lost_set_ups: list[tuple[_Fixture, pytest.FixtureRequest]] = []

    # ---------------------------------------------------------------- on the loop

    def notice(
        self, fixturedef: _Fixture, request: pytest.FixtureRequest, lifetime: Lifetime
    ) -> None:
        """Note a crash, and cancel what is running if it depends on the fixture."""
        deadline = time.monotonic() + GRACE
        self._unswept.append(Crash(fixturedef, request, lifetime, deadline))
        self._cancel_who_depends()

    def notice_nursery(self, lifetime: Lifetime, strand: Strand | None) -> None:
        """Note that the nursery a test in ``strand`` has asked for has crashed, and cancel the test."""
        course = self._courses.of(strand)
        course.phase.dead_nurseries.append(lifetime)
        if not course.set_ups and course.phase.item is not _TEARING_DOWN:
            lifetime.loop.ctrl_c.cancel_wait(strand)

    def _cancel_who_depends(self) -> None:
        """Cancel what is waited for if it depends on a fixture that has crashed."""
        for course in self._courses.innermost():
            self._cancel_if_it_depends(course)

    def _cancel_if_it_depends(self, course: Course) -> None:
        if course.tear_downs:
            self._limit(course.tear_downs[-1])
            return
        for crash in self._unswept:
            if course.set_ups:
                waiting, _ = course.set_ups[-1]
                is_concerned = self._depends_on(waiting, crash)
            else:
                is_concerned = not course.is_part and self._uses(course.phase.item, crash)
            if is_concerned:
                course.phase.cancelled_for.append(crash)
                if self.on_first_cancelled is not None:
                    self.on_first_cancelled()
                    self.on_first_cancelled = None
                loop = self._session.loop if course.strand is None else course.strand.loop
                loop.ctrl_c.cancel_wait(course.strand)

    def _depends_on(self, fixturedef: _Fixture, crash: Crash) -> bool:
        return self._dependencies.has(fixturedef, crash.fixturedef)

    # ---------------------------------------------------------------- in pytest's code

    def sweep(self) -> list[BaseException]:
        """Tear down what has crashed, dependents first; return what else has failed in that."""
        errors: list[BaseException] = []
        left: list[Crash] = []
        while crash := next((each for each in self._unswept[::-1] if each not in left), None):
            with self._session.others.out_of(crash.fixturedef, crash.request.node) as is_ours:
                if not is_ours:
                    left.append(crash)
                elif crash in self._unswept:
                    errors += self._sweep(crash)
        return errors

    def _sweep(self, crash: Crash) -> list[BaseException]:
        self._unswept.remove(crash)
        self._sweeping = crash
        errors: list[BaseException] = []
        dependents = self._dependencies.askers(crash.fixturedef)
        try:
            for fixturedef, request in (*dependents, (crash.fixturedef, crash.request)):
                errors += errors_of(partial(finish_fixture, fixturedef, request))
        except ENDS_THE_RUN as end:
            # The caller raises it; other tests in flight that use the fixture, or ask for it, have to.
            crash.error, crash.traceback = end, end.__traceback__
            self._swept.append(crash)
            raise
        finally:
            self._sweeping = None
        if crash.error is not None:  # else the loop was lost meanwhile, and the fixture with it
            self._swept.append(crash)
            at_end_of_scope(crash.fixturedef, crash.request, partial(self._end_scope, crash))
        return errors

    def is_unswept(self, fixturedef: _Fixture) -> bool:
        """Say whether the fixture has crashed and is still to be torn down."""
        return any(crash.fixturedef is fixturedef for crash in self._pending())

    def closed(self, lifetime: Lifetime, raised: BaseException | None) -> BaseException | None:
        """Return what to raise after the tear-down of a fixture that had crashed, which raised this.

        In a sweep that is nothing, as the sweep knows whom to tell; outside of one the scope has ended
        before anybody noticed.
        """
        crash = next((crash for crash in self._pending() if crash.lifetime is lifetime), None)
        if crash is None or lifetime.state is State.LOST or isinstance(raised, ENDS_THE_RUN):
            return raised
        crash.happened(raised)
        if self._sweeping:
            return None
        self._unswept.remove(crash)
        return crash.error

    def _end_scope(self, crash: Crash) -> None:
        if crash.is_over:
            # pytest-rerunfailures forgets what the node was told to do when the fixture was set up anew.
            finish_fixture(crash.fixturedef, crash.request)
        elif crash in self._swept:  # else the loop was lost meanwhile
            self._swept.remove(crash)
            if not crash.is_told and not crash.was_cancelled:
                raised = crash.tell()
                __tracebackhide__ = not needs_our_frame(raised)
                raise raised

    def call(self, item: pytest.Function, function: Callable[[], Any]) -> Any:
        """Call ``function``, the test; raise what happened if a fixture of it crashes meanwhile."""
        __tracebackhide__ = True
        course = self._courses.present
        course.phase.item = item
        return self._tell(course, function, lambda crash: self._uses(item, crash))

    def set_up(
        self, fixturedef: _Fixture, request: pytest.FixtureRequest, function: Callable[[], Any]
    ) -> Any:
        """Call ``function``, a set-up; raise what happened if what it depends on crashes meanwhile.

        Or has crashed before, or the fixture itself has.
        """
        __tracebackhide__ = True
        item = item_of(request)
        for crash in self._swept:
            if crash.is_of(fixturedef, request):
                if item in crash.told:  # it is run again
                    self._swept.remove(crash)
                    crash.is_over = True
                    break
                raised = crash.tell(item)
                __tracebackhide__ = not needs_our_frame(raised)
                raise raised
        course = self._courses.present
        phase = course.phase
        if phase.item is not _TEARING_DOWN:
            phase.item = item
        self._dependencies.begin(item, fixturedef)
        course.set_ups.append((fixturedef, request))
        tell = self._leave_to_parent if course.is_part else self._tell
        try:
            return tell(course, function, partial(self._depends_on, fixturedef))
        finally:
            course.set_ups.pop()
            loop = self._session.present_loop
            if self._unswept and loop is not None and loop.is_open:
                with loop.inside():  # with tests in flight it may be another one that is cancelled
                    self._cancel_who_depends()

    def _leave_to_parent(
        self, course: Course, function: Callable[[], Any], is_concerned: Callable[[Crash], bool]
    ) -> Any:
        """Call ``function``, a set-up in a strand; raise Held if a fixture that concerns it has crashed.

        Not to be swept here: other strands may be about to leave what depends on the fixture.
        """
        __tracebackhide__ = True
        self._hold(course, is_concerned)
        value = function()
        self._hold(course, is_concerned)
        return value

    def _hold(self, course: Course, is_concerned: Callable[[Crash], bool]) -> None:
        __tracebackhide__ = True
        concerned = [crash for crash in self._unswept if is_concerned(crash)]
        if concerned:
            course.phase.cancelled_for += concerned
            raise Held

    def required(self, fixturedef: _Fixture) -> set[_Fixture]:
        """Return what ``fixturedef`` depends on, directly or through others."""
        return self._dependencies.of(fixturedef)

    def asks_for(
        self, fixturedef: _Fixture, request: pytest.FixtureRequest, required: _Fixture
    ) -> None:
        """Note that ``fixturedef`` has asked for ``required`` with its ``request``."""
        self._dependencies.add(fixturedef, request, required)

    def _uses(self, item: object, crash: Crash) -> bool:
        return self.uses(item, crash.fixturedef)

    def uses(self, item: object, wanted: _Fixture) -> bool:
        """Say whether ``item`` uses the fixture ``wanted``, directly or through others.

        One that is hidden behind an override, or was got by ``getfixturevalue`` for an earlier test, is
        not among those of the item.
        """
        return any(
            used is wanted or self._dependencies.has(used, wanted) for used in active_fixtures(item)
        )

    def tear_down(self, fixturedef: _Fixture, function: Callable[[], Any]) -> Any:
        """Call ``function``, a tear-down; cut it short if what it depends on has crashed, or does so."""
        __tracebackhide__ = True
        loop = self._session.loop
        course = self._courses.present
        waits = loop.ctrl_c.waits_of(course.strand)
        tear_down = TearDown(fixturedef, loop, course, len(waits))
        course.tear_downs.append(tear_down)
        if self._unswept or self._sweeping:
            self._limit(tear_down)
        try:
            return function()
        except BaseException as error:
            crash = self._crash_below(fixturedef)
            if crash is None or not is_cancelled(error) or not tear_down.is_cut_short:
                raise
        finally:
            course.tear_downs.pop()
            if tear_down.is_limited:
                self._session.alarms.drop(tear_down)
        message = _errors.TEAR_DOWN_CUT_SHORT.format(
            name=describe(fixturedef), crashed=describe(crash.fixturedef), seconds=GRACE
        )
        __tracebackhide__ = False  # without any frame pytest says that all are hidden
        raise pytest.fail.Exception(message, pytrace=False)

    def _limit(self, tear_down: TearDown) -> None:
        """Give the tear-down its time of grace if something that it depends on has crashed."""
        crash = self._crash_below(tear_down.fixturedef)
        if crash is not None:
            # By real time: the loop's clock may stand still, or jump.
            seconds = max(0, crash.deadline - time.monotonic())
            tear_down.is_limited = True
            self._session.alarms.set(tear_down, seconds, partial(self._end_grace, tear_down))

    def _end_grace(self, tear_down: TearDown) -> None:
        tear_down.loop.run_soon(partial(self._cut_short, tear_down))

    def _cut_short(self, tear_down: TearDown) -> None:
        if tear_down.is_under_way:
            tear_down.cut_short()
            # And what it waits for next.
            self._session.alarms.set(tear_down, _AGAIN, partial(self._end_grace, tear_down))

    def _crash_below(self, fixturedef: _Fixture) -> Crash | None:
        """Return a crash, not yet swept, of something that ``fixturedef`` depends on."""
        for crash in self._pending():
            if self._dependencies.has(fixturedef, crash.fixturedef):
                return crash
        return None

    def _pending(self) -> list[Crash]:
        return [*self._unswept, self._sweeping] if self._sweeping else self._unswept

    def begin(self, item: Any) -> None:
        """Note the test at hand, at the start of a phase."""
        self._courses.present.phase.begin(item)

    def begin_set_up(self) -> None:
        """Sweep: no test starts while a dead fixture is around."""
        self._courses.present.begin_test()
        # What pytest has cached of them would be told to who asks next, who has a fresh loop.
        while self._lost_set_ups:
            finish_fixture(*self._lost_set_ups.pop())
        if self._unswept:
            self.sweep_and_raise()

    def begin_tear_down(self) -> None:
        """Sweep; from now on no test is cancelled."""
        self._courses.present.phase.begin(_TEARING_DOWN)
        if self._unswept:
            self.sweep_and_raise()

    def sweep_and_raise(self) -> None:
        """Sweep; raise what else has failed in that."""
        __tracebackhide__ = True
        if not self._unswept:
            return
        others = self.sweep()
        if not others:
            return
        raised = one_of(others)
        __tracebackhide__ = not needs_our_frame(raised)
        raise raised

    def explain(self, raised: BaseException) -> BaseException:
        """Return what to report in place of ``raised``, which comes out of a phase of a test.

        Items and sync fixtures that we do not call can be cancelled as well, while they wait for the
        loop; and so can a test that has been told of the crash and has caught that.
        """
        told = self.tell_cancelled() if is_cancelled(raised) else []
        return one_of(told) if told else raised

    def tell_cancelled(self) -> list[BaseException]:
        """Return the crashes for which something was cancelled in this phase; sweep if there are any."""
        cancelled_for = self._courses.present.phase.cancelled_for
        if not cancelled_for:
            return []
        others = self.sweep()
        crashes = dict.fromkeys(cancelled_for)
        return [*self._told(crashes), *others]

    def _told(self, crashes: Iterable[Crash]) -> Iterator[BaseException]:
        """Yield what to tell of the crashes to the test at hand."""
        item = self._courses.present.phase.item
        return (crash.tell(item) for crash in crashes if crash.error is not None)

    def _tell(
        self, course: Course, function: Callable[[], Any], is_concerned: Callable[[Crash], bool]
    ) -> Any:
        __tracebackhide__ = True
        told = self._sweep_if(is_concerned) if self._unswept else []
        value = None
        own: BaseException | None = None
        if not told:
            try:
                value = function()
            except ENDS_THE_RUN:
                raise
            except BaseException as error:
                own = error
            # Outside of the handler, whose exception would become a context.
            told = self._sweep_if(is_concerned) if self._unswept else []
            if not told and course.phase.cancelled_for:
                told = self.tell_cancelled()  # another test has swept
            if own is not None and not (told and is_cancelled(own)):
                told.insert(0, own)
        while course.phase.dead_nurseries and not course.set_ups:
            told = self._close_nursery(course.phase.dead_nurseries.pop(), told)
        if not told:
            return value
        raised = one_of(told)
        __tracebackhide__ = not needs_our_frame(raised)
        raise raised

    def _close_nursery(self, nursery: Lifetime, told: list[BaseException]) -> list[BaseException]:
        try:
            nursery.close()
        except ENDS_THE_RUN:
            raise
        except BaseException as error:
            return [*(one for one in told if not is_cancelled(one)), prune(innermost(error))]
        return told

    def _sweep_if(self, is_concerned: Callable[[Crash], bool]) -> list[BaseException]:
        concerned = [crash for crash in self._unswept if is_concerned(crash)]
        if not concerned:
            return []
        others = self.sweep()
        return [*self._told(concerned), *others]

    def lose(self, lost: LoopLost, *, is_own: bool) -> BaseException:
        """Unwind all fixtures after the loop has ended; return what to tell the test at hand.

        With ``is_own`` it was the test's own loop, on which nothing lives but what is the test's.
        """

        def is_lost(request: pytest.FixtureRequest) -> bool:
            return not is_own or request.scope == "function"

        self._unswept = [crash for crash in self._unswept if not is_lost(crash.request)]
        # Those that the end of the loop has cancelled are among them; they are set up anew, too.
        self._swept = [crash for crash in self._swept if not is_lost(crash.request)]
        for course in self._courses:
            course.phase.cancelled_for.clear()
            self._lost_set_ups += course.set_ups
        live = [entry for entry in self._session.inside_fixtures.items() if is_lost(entry[1])]
        errors: list[BaseException] = []
        for fixturedef, request in reversed(live):
            errors += errors_of(partial(finish_fixture, fixturedef, request))
        reason = self._session.time_limit.explain(lost.reason())
        names = ", ".join(describe(fixturedef) for fixturedef, _ in live)
        add_note(reason, _errors.OWN_LOOP_LOST_NOTE if is_own else _errors.LOOP_LOST_NOTE)
        if names:
            add_note(reason, _errors.FIXTURES_LOST_NOTE.format(names=names))
        if errors:
            return BaseExceptionGroup(_errors.LOST_AND_FAILED, [reason, *errors])
        return reason
