"""Tests with a Trio loop of their own: on a clock, or run by a function that is not ``trio.run``.

A loop is on one clock for all its life, so a test that brings a clock needs another one than the session's.
It is opened when it is needed first: for the first function-scoped async fixture of the test, or at
the end of its set-up.  From then on it is *the* loop for whatever waits, until the test is torn down.
What was set up before, outside, is torn down after it has been closed.

The session's loop stands still meanwhile, in the middle of a task step, as it does while a sync test
runs.  So a fixture that lives there can't be used by such a test.  With ``mock_clock`` and
``autojump_clock`` there is a way out: the test stays on the session's loop and they control its clock
(``_clock_fixtures``).

Clocks are known by the type of what a fixture gives, as under pytest-trio, never by its name.  Values
of fixtures that run inside do not count: their clock, if they give one, is that of the loop they are on.

Pinned by ``tests/test_own_loops.py``, ``tests/test_clock_fixtures.py`` and ``tests/test_run_functions.py``.
"""

from __future__ import annotations

import contextlib
import importlib
import weakref
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

import pytest

from . import _errors
from ._describe import describe
from ._ownership import THREAD_MARK, body_of, is_async, is_nursery, is_our_test
from ._pytest_names import (
    UnittestItem,
    active_fixtures,
    being_set_up,
    finish_fixture,
    item_of,
    request_of,
    requested_names,
)
from ._session import LoopChoice, TrioSession

if TYPE_CHECKING:
    from trio.abc import Clock, Instrument

    from ._lookahead import Lookahead
    from ._loop import Loop

Run = Callable[..., object]


class TakeOver(Protocol):
    """Lets a test control the clock of the session's loop, if it can (``_clock_fixtures``)."""

    def __call__(self, item: pytest.Function, clock: Clock, loop: Loop, /) -> bool: ...


def _nothing() -> None: ...


class OwnLoops(LoopChoice):
    """Chooses the loop of each test.

    ``run_by`` names the library whose function ``run`` runs the tests that do not say it themselves.  Tests
    are not called at all if ``is_set_up_only``.
    """

    def __init__(
        self,
        session: TrioSession,
        run_by: str = "trio",
        take_over: TakeOver = lambda *_: False,
        *,
        is_set_up_only: bool = False,
    ) -> None:
        self._session = session
        self._run_by = run_by
        self._take_over = take_over
        self._is_set_up_only = is_set_up_only
        self._lookahead: Lookahead | None = None
        #: The test, by its request, which has async fixtures of its own by now.
        self._begun: Callable[[], object] = _nothing
        #: What runs the tests of a module or class that have no function of their own.
        self._run_above: tuple[object, Run | None] = (None, None)
        #: The test that has been set up.
        self._ready: Callable[[], object] = _nothing

    # ---------------------------------------------------------------- when

    def for_set_up(
        self, fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
    ) -> None:
        """Before the first async fixture of a test, set its clocks up and choose its loop."""
        __tracebackhide__ = True
        item = item_of(request)
        if request.scope != "function":
            if self._session.own_loop is not None and not is_nursery(fixturedef):
                # pytest keeps the error for the scope; who asks for it next is not concerned.
                item.addfinalizer(partial(finish_fixture, fixturedef, request))
                _fail(_errors.WIDE_ON_OWN_LOOP, item, fixture=describe(fixturedef))
            return
        top = request_of(item)
        if top is self._begun():
            return
        self._begun = weakref.ref(top)
        if self._runs_inside(item):
            self._set_clocks_up(item, request)
            self._choose(item)

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Choose the loop of an async test when everything has been set up."""
        __tracebackhide__ = True
        if (
            isinstance(item, pytest.Function)
            and is_async(body_of(item.obj))
            and not isinstance(item, UnittestItem)
            and is_our_test(self._session, item)
            and not self._is_set_up_only
        ):
            self.for_call(item)

    def is_open(self, item: pytest.Function) -> bool:
        """Say whether the test may get a loop of its own, for which its wide fixtures have to be up."""
        if (
            self._session.own_loop is not None
            or request_of(item) is self._begun()
            or not self._runs_inside(item)
        ):
            return False
        clocks, _ = self._clocks_and_instruments(item)
        return bool(clocks) or self._run_of(item) is not None or bool(self._clocks_ahead(item))

    def for_call(self, item: pytest.Function) -> None:
        """Choose the loop, unless that has been done at the end of the set-up: a mark may come late."""
        __tracebackhide__ = True
        top = request_of(item)
        if top is self._ready():
            return
        self._begun = self._ready = weakref.ref(top)
        self._choose(item)

    def for_request(self, request: pytest.FixtureRequest) -> None:
        """Let nobody on an own loop ask for a fixture that lives on the session's, and is up already."""
        if self._session.own_loop is None:
            return
        get = request.getfixturevalue

        def get_if_on_this_loop(argname: str) -> Any:
            __tracebackhide__ = True
            value = get(argname)
            self._refuse_wide(item_of(request))
            return value

        request.getfixturevalue = get_if_on_this_loop  # type: ignore[method-assign]

    def _runs_inside(self, item: pytest.Item) -> bool:
        """Say whether the test will run inside, before all that it depends on has been set up."""
        if not isinstance(item, pytest.Function) or isinstance(item, UnittestItem):
            return False
        if is_async(body_of(item.obj)):
            return is_our_test(self._session, item)
        if item.get_closest_marker(THREAD_MARK) is not None:
            return True
        from ._lookahead import needs_loop, requirements

        used = [name for mark in item.iter_markers("usefixtures") for name in mark.args]
        return any(
            needs_loop(item, each)
            for name in (*requested_names(item), *used)
            for each in (name, *requirements(item, name))
        )

    def _set_clocks_up(self, item: pytest.Function, request: pytest.FixtureRequest) -> None:
        for name in self._clocks_ahead(item):
            if name not in being_set_up(request):
                request_of(item).getfixturevalue(name)

    def _clocks_ahead(self, item: pytest.Function) -> list[str]:
        if self._lookahead is None:
            from ._lookahead import Lookahead

            self._lookahead = Lookahead()
        return self._lookahead.clocks(item)

    # ---------------------------------------------------------------- which

    def _choose(self, item: pytest.Function) -> None:
        __tracebackhide__ = True
        clocks, instruments = self._clocks_and_instruments(item)
        clock = _only_clock(item, clocks) if clocks else None
        own = self._session.own_loop
        if own is None:
            run = self._run_of(item)
            if run is not None or clock is not None:
                self._choose_other(item, run, clock, clocks)
        else:
            self._refuse_wide(item)
            if clock is not None and clock is not own.clock:
                self._refuse_late(item, clock, clocks)
        if clock is not None:
            from ._clock import tell_threshold

            tell_threshold(self._session.loop)
        if instruments:
            _attach(item, self._session.loop, instruments)

    def _choose_other(
        self,
        item: pytest.Function,
        run: Run | None,
        clock: Clock | None,
        clocks: dict[str, Clock],
    ) -> None:
        __tracebackhide__ = True
        if self._session.others.may_be:
            _fail(_errors.LATE_OWN_LOOP, item)
        wide = self._live_fixture(item, is_wide=True)
        if wide is None:
            narrow = self._live_fixture(item, is_wide=False)
            if narrow is not None and clock is not None:
                self._refuse_late(item, clock, clocks)
            if narrow is not None:
                _fail(_errors.LATE_MARK, item, run=_name_of(run), fixture=describe(narrow))
            self._open(item, run, clock)
        elif run is not None and is_async(body_of(item.obj)):
            is_marked = any("run" in mark.kwargs for mark in item.iter_markers("trio"))
            remedy = _errors.REMOVE_FROM_MARK if is_marked else _errors.REMOVE_FROM_INI
            _fail(
                _errors.RUN_AND_WIDE_FIXTURE,
                item,
                run=_name_of(run),
                fixture=describe(wide),
                remedy=remedy,
            )
        elif clock is not None and not self._take_over(item, clock, self._session.loop):
            _fail(
                _errors.CLOCK_AND_WIDE_FIXTURE,
                item,
                clock=_names_of(clock, clocks),
                fixture=describe(wide),
            )

    def _clocks_and_instruments(
        self, item: pytest.Function
    ) -> tuple[dict[str, Clock], list[Instrument]]:
        clocks: dict[str, Clock] = {}
        instruments: list[Instrument] = []
        inside = self._session.inside_fixtures
        outside = [each for each in active_fixtures(item) if each not in inside]
        if not outside:
            return clocks, instruments
        from trio.abc import Clock, Instrument

        for fixturedef in outside:
            if fixturedef.cached_result is None:
                continue
            value: Any = fixturedef.cached_result[0]
            # Not isinstance(), which runs code of values that stand in for others.
            if issubclass(type(value), Clock):
                clocks[fixturedef.argname] = value
            if issubclass(type(value), Instrument):
                instruments.append(value)
        return clocks, instruments

    def _run_of(self, item: pytest.Function) -> Run | None:
        import trio

        run = _run_in(item.own_markers)
        if run is None:
            parent, run = self._run_above
            if parent is not item.parent:  # the walk up takes as long as all the rest here
                run = _run_in(item.iter_markers()) or self._default_run(item)
                self._run_above = item.parent, run
        if run is not None and not callable(run):
            _fail(_errors.RUN_IS_NO_FUNCTION, item, run=run)
        return None if run is trio.run else run

    def _default_run(self, item: pytest.Function) -> Run | None:
        if self._run_by == "trio":
            return None
        try:
            run: Run = importlib.import_module(self._run_by).run
        except ImportError as error:
            _fail(_errors.QTRIO_IS_MISSING, item, error=error)
        return run

    def _live_fixture(
        self, item: pytest.Function, *, is_wide: bool
    ) -> pytest.FixtureDef[Any] | None:
        """Return the first fixture of the test that lives on a loop, wide or function-scoped."""
        inside = self._session.inside_fixtures
        for fixturedef in active_fixtures(item):
            request = inside.get(fixturedef)
            if request is None or is_nursery(fixturedef):
                continue
            if (request.scope != "function") is is_wide:
                return fixturedef
        return None

    # ---------------------------------------------------------------- open and refuse

    def _open(self, item: pytest.Function, run: Run | None, clock: Clock | None) -> None:
        from ._loop import Loop
        from ._outcomes import needs_our_frame
        from ._wreck import LoopLost

        __tracebackhide__ = True
        loop = Loop(run, clock=clock, strands=self._session.strands)
        item.addfinalizer(self._close)
        try:
            self._session.open_own_loop(loop)
        except LoopLost as lost:
            if not loop.is_wreck:
                _fail(_errors.RUN_WITHOUT_TEST, item, run=_name_of(run))
            reason = lost.reason()
        else:
            return
        __tracebackhide__ = not needs_our_frame(reason)
        raise reason

    def _close(self) -> None:
        __tracebackhide__ = True
        from ._exceptions import prune

        try:
            self._session.close_own_loop()
        except BaseException as error:
            raised = prune(error)
        else:
            return
        raise raised

    def _refuse_wide(self, item: pytest.Function) -> None:
        wide = self._live_fixture(item, is_wide=True)
        if wide is not None:
            _fail(_errors.WIDE_ON_OWN_LOOP, item, fixture=describe(wide))

    def _refuse_late(
        self, item: pytest.Function, clock: Clock, clocks: dict[str, Clock]
    ) -> NoReturn:
        fixturedef = self._live_fixture(item, is_wide=False)
        assert fixturedef is not None
        _fail(
            _errors.LATE_CLOCK,
            item,
            clock=_names_of(clock, clocks),
            fixture=describe(fixturedef),
        )


def _run_in(marks: Iterable[pytest.Mark]) -> Any:
    for mark in marks:
        if mark.name == "trio" and mark.kwargs.get("run") is not None:
            return mark.kwargs["run"]
    return None


def _only_clock(item: pytest.Function, clocks: dict[str, Clock]) -> Clock:
    """Return the clock of the test: one that it asks for itself counts more than those of its fixtures."""
    own = [name for name in requested_names(item) if name in clocks]
    names = own or list(clocks)
    if len(own) > 1 or len({id(clocks[name]) for name in names}) > 1:
        _fail(
            _errors.TWO_CLOCKS,
            item,
            count=len(names),
            names=", ".join(repr(name) for name in names),
        )
    return clocks[names[0]]


def _attach(item: pytest.Function, loop: Loop, instruments: list[Instrument]) -> None:
    import trio

    def detach() -> None:
        if loop.is_open:
            with loop.inside():
                for instrument in instruments:
                    with contextlib.suppress(KeyError):  # Trio drops one that has raised
                        trio.lowlevel.remove_instrument(instrument)

    item.addfinalizer(detach)
    with loop.inside():
        for instrument in instruments:
            trio.lowlevel.add_instrument(instrument)


def _names_of(clock: Clock | None, clocks: dict[str, Clock]) -> str:
    return ", ".join(repr(name) for name, value in clocks.items() if value is clock)


def _name_of(run: object) -> str:
    name = getattr(run, "__qualname__", None)
    return repr(run) if name is None else f"{getattr(run, '__module__', '')}.{name}()"


def _fail(text: str, item: pytest.Function, **values: object) -> NoReturn:
    pytest.fail(text.format(nodeid=item.nodeid, **values), pytrace=False)
