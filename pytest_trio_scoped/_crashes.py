"""Fixtures that die while tests use them, and who is told.

A fixture crashes when a background task of it fails, or when it cancels its own scope.  Then:

- what is running and depends on it is cancelled: a test, or the set-up of a fixture;
- its dependents are torn down, then the fixture itself, which raises what really happened;
- the test that was running is FAILED with that exception, or the set-up is an ERROR with it;
- who asks for the fixture later in its scope gets an ERROR with the same exception;
- if nobody was told, it is an ERROR at the end of the scope.

Tests that do not depend on the fixture notice nothing.

The tear-down is pytest's own (``FixtureDef.finish``), which knows the dependents.  It is done in the
*sweep*: after what was running has ended, or before the next test.  It can't be done at once, in the
middle of somebody's wait.

A fixture is lost when the loop itself ends.  All of them are, then: they are unwound as far as possible
without waiting, and set up anew when they are asked for again, on a fresh loop.

Pinned by ``tests/test_crashes.py`` and ``tests/test_lost_loop.py``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any

import pytest

from . import _errors
from ._exceptions import innermost, prune
from ._outcomes import ENDS_THE_RUN, is_cancelled, needs_our_frame
from ._pytest_names import active_fixture, active_fixtures, finish_fixture, item_of
from ._session import TrioSession

if TYPE_CHECKING:
    from ._lifetime import Lifetime
    from ._wreck import LoopLost

_Fixture = pytest.FixtureDef[Any]

#: In place of the test at hand while it is torn down: nothing is cancelled then.
_TEARING_DOWN: Any = object()


@dataclasses.dataclass(eq=False)
class _Crash:
    """One fixture instance that has crashed."""

    fixturedef: _Fixture
    request: pytest.FixtureRequest
    lifetime: Lifetime
    #: What really happened; known after the sweep.
    error: BaseException | None = None
    traceback: TracebackType | None = None
    is_told: bool = False

    def is_of(self, fixturedef: _Fixture, request: pytest.FixtureRequest) -> bool:
        """Say whether ``request`` asks for this instance."""
        return (
            self.fixturedef is fixturedef
            and self.request.node is request.node
            and getattr(self.request, "param", None) is getattr(request, "param", None)
        )

    def tell(self) -> BaseException:
        """Return what happened, to be raised where it is reported."""
        assert self.error is not None
        self.is_told = True
        return self.error.with_traceback(self.traceback)  # without the frames of earlier reports


class Crashes:
    """The crashes of one session."""

    def __init__(self, session: TrioSession) -> None:
        self._session = session
        self._unswept: list[_Crash] = []
        self._swept: list[_Crash] = []
        #: Whose set-up is under way, the innermost last.
        self._set_ups: list[tuple[pytest.Function, _Fixture]] = []
        #: The test at hand, from its first set-up until its tear-down.
        self._item: pytest.Item | None = None
        #: What fixtures have asked for with ``getfixturevalue``.
        self._asked_for: dict[_Fixture, set[_Fixture]] = {}
        self._is_sweeping = False
        self._dead_nurseries: list[Lifetime] = []

    # ---------------------------------------------------------------- on the loop

    def notice(
        self, fixturedef: _Fixture, request: pytest.FixtureRequest, lifetime: Lifetime
    ) -> None:
        """Note a crash, and cancel what is running if it depends on the fixture."""
        self._unswept.append(_Crash(fixturedef, request, lifetime))
        self._cancel_who_depends()

    def notice_nursery(self, lifetime: Lifetime) -> None:
        """Note that the nursery a test has asked for has crashed, and cancel the test."""
        self._dead_nurseries.append(lifetime)
        if not self._set_ups and self._item is not _TEARING_DOWN:
            self._session.loop.ctrl_c.cancel_wait()

    def _cancel_who_depends(self) -> None:
        """Cancel what is waited for if it depends on a fixture that has crashed."""
        for crash in self._unswept:
            if self._set_ups:
                item, waiting = self._set_ups[-1]
                is_concerned = self._requires(item, waiting, crash.fixturedef)
            else:
                is_concerned = self._item is not None and crash.fixturedef in active_fixtures(
                    self._item
                )
            if is_concerned:
                self._session.loop.ctrl_c.cancel_wait()

    # ---------------------------------------------------------------- in pytest's code

    def sweep(self) -> None:
        """Tear down what has crashed, dependents first."""
        while self._unswept:
            crash = self._unswept.pop()
            raised = None
            self._is_sweeping = True
            try:
                finish_fixture(crash.fixturedef, crash.request)
            except BaseException as error:
                raised = error
            finally:
                self._is_sweeping = False
            if isinstance(raised, ENDS_THE_RUN):
                raise raised
            crash.error = _explain(crash, raised)
            crash.traceback = crash.error.__traceback__
            self._swept.append(crash)
            crash.request.node.addfinalizer(lambda crash=crash: self._end_scope(crash))

    def closed(self, lifetime: Lifetime, raised: BaseException | None) -> BaseException | None:
        """Return what to raise after the tear-down of a fixture that had crashed.

        Outside of a sweep its scope has ended before anybody noticed.
        """
        crash = next((crash for crash in self._unswept if crash.lifetime is lifetime), None)
        if self._is_sweeping or crash is None or isinstance(raised, ENDS_THE_RUN):
            return raised
        self._unswept.remove(crash)
        return _explain(crash, raised)

    def _end_scope(self, crash: _Crash) -> None:
        self._swept.remove(crash)
        if not crash.is_told:
            raise crash.tell()

    def call(self, item: pytest.Function, function: Callable[[], Any]) -> Any:
        """Call ``function``, the test; raise what happened if a fixture of it crashes meanwhile."""
        __tracebackhide__ = True
        self._item = item
        return self._tell(function, lambda crash: crash.fixturedef in active_fixtures(item))

    def set_up(
        self, fixturedef: _Fixture, request: pytest.FixtureRequest, function: Callable[[], Any]
    ) -> Any:
        """Call ``function``, a set-up; raise what happened if what it depends on crashes meanwhile.

        Or has crashed before, or the fixture itself has.
        """
        __tracebackhide__ = True
        for crash in self._swept:
            if crash.is_of(fixturedef, request):
                raised = crash.tell()
                __tracebackhide__ = not needs_our_frame(raised)
                raise raised
        item = item_of(request)
        if self._item is not _TEARING_DOWN:
            self._item = item
        if self._set_ups:
            self.asks_for(self._set_ups[-1][1], fixturedef)
        self._asked_for.pop(fixturedef, None)
        self._set_ups.append((item, fixturedef))

        def is_concerned(crash: _Crash) -> bool:
            return self._requires(item, fixturedef, crash.fixturedef)

        try:
            return self._tell(function, is_concerned)
        finally:
            self._set_ups.pop()
            self._cancel_who_depends()

    def asks_for(self, fixturedef: _Fixture, required: _Fixture | None) -> None:
        """Note that the set-up of ``fixturedef`` has asked for ``required``, not by an argument."""
        if required is not None:
            self._asked_for.setdefault(fixturedef, set()).add(required)

    def _requires(self, item: pytest.Function, fixturedef: _Fixture, wanted: _Fixture) -> bool:
        """Say whether ``fixturedef`` depends on ``wanted``, directly or through others."""
        seen: set[_Fixture] = set()
        pending = [fixturedef]
        while pending:
            current = pending.pop()
            for required in (
                *(active_fixture(item, name) for name in current.argnames),
                *self._asked_for.get(current, ()),
            ):
                if required is not None and required not in seen:
                    seen.add(required)
                    pending.append(required)
        return wanted in seen

    def begin_set_up(self) -> None:
        """Sweep: no test starts while a dead fixture is around."""
        self._item = None
        self.sweep()

    def begin_call(self, item: pytest.Item) -> None:
        """Note the test at hand."""
        self._item = item

    def begin_tear_down(self) -> None:
        """Sweep; from now on nothing is cancelled."""
        self._item = _TEARING_DOWN
        self.sweep()

    def _tell(self, function: Callable[[], Any], is_concerned: Callable[[_Crash], bool]) -> Any:
        __tracebackhide__ = True
        told = self._sweep_if(is_concerned)
        value = None
        own: BaseException | None = None
        if not told:
            try:
                value = function()
            except ENDS_THE_RUN:
                raise
            except BaseException as error:
                own = error
            told = self._sweep_if(
                is_concerned
            )  # outside of the handler, which would become a context
            if own is not None and not (told and is_cancelled(own)):
                told.insert(0, own)
        while self._dead_nurseries and not self._set_ups:
            told = self._close_nursery(told)
        if not told:
            return value
        raised = told[0] if len(told) == 1 else BaseExceptionGroup(_errors.FAILED_AND_CRASHED, told)
        __tracebackhide__ = not needs_our_frame(raised)
        raise raised

    def _close_nursery(self, told: list[BaseException]) -> list[BaseException]:
        try:
            self._dead_nurseries.pop().close()
        except ENDS_THE_RUN:
            raise
        except BaseException as error:
            return [*(one for one in told if not is_cancelled(one)), prune(innermost(error))]
        return told

    def _sweep_if(self, is_concerned: Callable[[_Crash], bool]) -> list[BaseException]:
        concerned = [crash for crash in self._unswept if is_concerned(crash)]
        if concerned:
            self.sweep()
        return [crash.tell() for crash in concerned]

    def lose(self, lost: LoopLost) -> BaseException:
        """Unwind all fixtures after the loop has ended; return what to tell the test at hand."""
        self._unswept.clear()
        live = list(self._session.inside_fixtures.items())
        errors: list[BaseException] = []
        for fixturedef, request in reversed(live):
            try:
                finish_fixture(fixturedef, request)
            except BaseException as error:
                errors.append(error)
        reason = lost.reason()
        names = ", ".join(_describe(fixturedef) for fixturedef, _ in live)
        reason.add_note(_errors.LOOP_LOST_NOTE)
        if names:
            reason.add_note(_errors.FIXTURES_LOST_NOTE.format(names=names))
        if errors:
            return BaseExceptionGroup(_errors.LOST_AND_FAILED, [reason, *errors])
        return reason


def _explain(crash: _Crash, raised: BaseException | None) -> BaseException:
    name = _describe(crash.fixturedef)
    if crash.lifetime.error is None:
        silent = pytest.fail.Exception(_errors.CANCELLED_SILENTLY.format(name=name), pytrace=False)
        if raised is None:
            return silent
        return BaseExceptionGroup(_errors.FAILED_AND_CRASHED, [silent, raised])
    assert raised is not None
    error = innermost(raised)
    if error.__context__ is not None and is_cancelled(error.__context__):
        error.__context__ = None  # only how the fixture learned of it
    error.add_note(_errors.CRASHED_NOTE.format(name=name))
    return error


def _describe(fixturedef: _Fixture) -> str:
    return f"{fixturedef.argname!r} (scope {fixturedef.scope!r})"


class CrashHooks:
    """Sweep between the phases of a test.  Registered when the loop is opened."""

    def __init__(self, crashes: Crashes) -> None:
        self._crashes = crashes

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self) -> None:
        """No test starts while a dead fixture is around."""
        self._crashes.begin_set_up()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> None:
        """Items that are no functions may wait for the loop as well."""
        self._crashes.begin_call(item)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_teardown(self) -> None:
        """What has crashed goes before what has not."""
        self._crashes.begin_tear_down()
