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
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from . import _errors
from ._exceptions import innermost
from ._outcomes import ENDS_THE_RUN, is_cancelled, needs_our_frame
from ._pytest_names import active_fixture, active_fixtures, finish_fixture, item_of
from ._session import TrioSession

if TYPE_CHECKING:
    from ._lifetime import Lifetime
    from ._wreck import LoopLost

_Fixture = pytest.FixtureDef[Any]


@dataclasses.dataclass(eq=False)
class _Crash:
    """One fixture instance that has crashed."""

    fixturedef: _Fixture
    request: pytest.FixtureRequest
    lifetime: Lifetime
    #: What really happened; known after the sweep.
    error: BaseException | None = None
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
        return self.error


class Crashes:
    """The crashes of one session."""

    def __init__(self, session: TrioSession) -> None:
        self._session = session
        self._unswept: list[_Crash] = []
        self._swept: list[_Crash] = []
        #: Whose set-up is under way, the innermost last.
        self._set_ups: list[tuple[pytest.Function, _Fixture]] = []
        self._called: pytest.Item | None = None

    # ---------------------------------------------------------------- on the loop

    def notice(
        self, fixturedef: _Fixture, request: pytest.FixtureRequest, lifetime: Lifetime
    ) -> None:
        """Note a crash, and cancel what is running if it depends on the fixture."""
        self._unswept.append(_Crash(fixturedef, request, lifetime))
        if self._set_ups:
            item, waiting = self._set_ups[-1]
            is_concerned = _requires(item, waiting, fixturedef)
        else:
            is_concerned = self._called is not None and fixturedef in active_fixtures(self._called)
        if is_concerned:
            self._session.loop.ctrl_c.cancel_wait()

    # ---------------------------------------------------------------- in pytest's code

    def sweep(self) -> None:
        """Tear down what has crashed, dependents first."""
        while self._unswept:
            crash = self._unswept.pop()
            raised = None
            try:
                finish_fixture(crash.fixturedef, crash.request)
            except BaseException as error:
                raised = error
            if isinstance(raised, ENDS_THE_RUN):
                raise raised
            crash.error = _explain(crash, raised)
            self._swept.append(crash)
            crash.request.node.addfinalizer(lambda crash=crash: self._end_scope(crash))

    def _end_scope(self, crash: _Crash) -> None:
        self._swept.remove(crash)
        if not crash.is_told:
            raise crash.tell()

    def call(self, item: pytest.Function, function: Callable[[], Any]) -> Any:
        """Call ``function``, the test; raise what happened if a fixture of it crashes meanwhile."""
        __tracebackhide__ = True
        self._called = item
        try:
            return self._tell(function, lambda crash: crash.fixturedef in active_fixtures(item))
        finally:
            self._called = None

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
        self._set_ups.append((item, fixturedef))
        try:
            return self._tell(function, lambda crash: _requires(item, fixturedef, crash.fixturedef))
        finally:
            self._set_ups.pop()

    def _tell(self, function: Callable[[], Any], is_concerned: Callable[[_Crash], bool]) -> Any:
        __tracebackhide__ = True
        told = self._sweep_if(is_concerned)
        value = None
        if not told:
            try:
                value = function()
            except ENDS_THE_RUN:
                raise
            except BaseException as error:
                told = self._sweep_if(is_concerned)
                if not (told and is_cancelled(error)):
                    told.insert(0, error)
            else:
                told = self._sweep_if(is_concerned)
        if not told:
            return value
        raised = told[0] if len(told) == 1 else BaseExceptionGroup(_errors.FAILED_AND_CRASHED, told)
        __tracebackhide__ = not needs_our_frame(raised)
        raise raised

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
    error.add_note(_errors.CRASHED_NOTE.format(name=name))
    return error


def _describe(fixturedef: _Fixture) -> str:
    return f"{fixturedef.argname!r} (scope {fixturedef.scope!r})"


def _requires(item: pytest.Function, fixturedef: _Fixture, wanted: _Fixture) -> bool:
    """Say whether ``fixturedef`` depends on ``wanted``, directly or through others."""
    return any(required is wanted for required in _required(item, fixturedef, set()))


def _required(
    item: pytest.Function, fixturedef: _Fixture, seen: set[_Fixture]
) -> Iterator[_Fixture]:
    for name in fixturedef.argnames:
        required = active_fixture(item, name)
        if required is not None and required not in seen:
            seen.add(required)
            yield required
            yield from _required(item, required, seen)


class CrashHooks:
    """Sweep between the phases of a test.  Registered when the loop is opened."""

    def __init__(self, crashes: Crashes) -> None:
        self._crashes = crashes

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self) -> None:
        """No test starts while a dead fixture is around."""
        self._crashes.sweep()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_teardown(self) -> None:
        """What has crashed goes before what has not."""
        self._crashes.sweep()
