"""Sync twins of the user's functions: what pytest calls instead, and what waits for the loop.

Imported at the first async need.
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable
from contextvars import Context, copy_context
from functools import partial
from typing import Any

import pytest
import trio

from . import _errors
from ._bodies import Arguments, Function, body_maker, call, needs_own_task, nursery_body
from ._contexts import Changes, Layers, in_context, own_context
from ._exceptions import prune
from ._lifetime import Lifetime, NoYield, SecondYield
from ._outcomes import act_as_in_sync_code, is_cancelled, needs_our_frame
from ._pytest_names import call_fixture_function, fixture_of, fixture_source
from ._requests import Finalizer, run_finalizers_with, watch_get
from ._session import TrioSession
from ._states import State
from ._wreck import LoopLost


def run_inside(
    session: TrioSession, function: Function, arguments: Arguments, *, name: str, context: Context
) -> Any:
    """Call the user's function inside, in a task called ``name``, and tidy what it raises."""
    __tracebackhide__ = True
    try:
        return session.loop.run(call, function, arguments, name=name, context=context)
    except LoopLost as lost:
        raised = session.lose_loop(lost)
    except BaseException as error:
        raised = act_as_in_sync_code(session.time_limit.explain(prune(error)))
    __tracebackhide__ = not needs_our_frame(raised)
    raise raised


def prepare_requests(session: TrioSession, arguments: Arguments, context: Context) -> None:
    """Let finalizers that are added inside run inside, and in the same context."""
    loop = session.present_loop
    for request in arguments.values():
        if not isinstance(request, pytest.FixtureRequest):
            continue
        name = f"finalizer of {request.fixturename or request.node.nodeid!r}"

        owner = fixture_of(request)

        def run(finalizer: Finalizer, name: str = name, owner: Any = owner) -> Any:
            __tracebackhide__ = True
            if loop is not None and not loop.is_open:
                return _unwind(finalizer, context)
            function = partial(run_inside, session, finalizer, {}, name=name, context=context)
            return function() if owner is None else session.crashes.tear_down(owner, function)

        open_one = partial(open_nursery, session, request)
        watch_get(request, partial(session.note_get, request), open_one)
        session.choice.for_request(request)
        run_finalizers_with(request, run)


def _unwind(finalizer: Finalizer, context: Context) -> None:
    """Call a finalizer after the loop has ended, as far as it goes without waiting."""
    with in_context(context):
        value = finalizer()
    if inspect.iscoroutine(value):
        value.close()


def open_nursery(
    session: TrioSession,
    request: pytest.FixtureRequest,
    add_finalizer: Callable[[Finalizer], None],
) -> trio.Nursery:
    """Open a nursery for the owner of ``request``, who has begun to run without one."""
    owner = fixture_of(request)
    strand = session.strand

    def on_crash(lifetime: Lifetime) -> None:
        if owner is None:
            session.crashes.notice_nursery(lifetime, strand)
        else:
            session.crashes.notice(owner, request, lifetime)

    session.open_loop()
    lifetime = Lifetime(session.loop, "nursery", nursery_body, has_nursery=True, on_crash=on_crash)
    nursery: trio.Nursery = lifetime.open()
    add_finalizer(partial(_close, session, lifetime, nursery_body))
    return nursery


# -------------------------------------------------------------------- tests


def call_twin(session: TrioSession, item: pytest.Function, function: Function) -> Function:
    """Return a sync function that runs the test in a task called by its node id.

    ``function`` may be sync: that is a sync test that runs inside.
    """

    def twin(**arguments: Any) -> Any:
        __tracebackhide__ = True
        context = copy_context()
        prepare_requests(session, arguments, context)
        session.open_loop()  # if this is the first need, so that there are crashes to tell
        run = partial(run_inside, session, function, arguments, name=item.nodeid, context=context)
        return session.crashes.call(item, run)

    return twin


def outside_call_twin(session: TrioSession, item: pytest.Function, function: Function) -> Function:
    """Return a function that runs a sync test outside, while a loop is open.

    What it sets in context variables stays its own, as with a test on the loop; and it may wait for
    the loop, so a fixture may crash meanwhile.
    """

    def twin(**arguments: Any) -> Any:
        __tracebackhide__ = True

        def run() -> Any:
            __tracebackhide__ = True
            with in_context(copy_context()):
                return function(**arguments)

        return session.crashes.call(item, run)

    return twin


# -------------------------------------------------------------------- fixtures


class FixtureTwin:
    """The twin of a fixture's function, for one set-up: on the loop, with its tear-down."""

    def __init__(
        self,
        session: TrioSession,
        fixturedef: pytest.FixtureDef[Any],
        request: pytest.FixtureRequest,
        function: Function,
    ) -> None:
        self._session = session
        self._fixturedef = fixturedef
        self._request = request
        self._function = function
        self._name = f"fixture {fixturedef.argname!r}"

    def __call__(self, **arguments: Any) -> Any:
        """Set the fixture up and return its value."""
        __tracebackhide__ = True
        session, request = self._session, self._request
        session.choice.for_set_up(self._fixturedef, request)
        session.open_loop()
        session.inside_fixtures[self._fixturedef] = request
        # The first finalizer is the last to be called.
        request.addfinalizer(self._leave)
        requester = own_context()
        is_long = needs_own_task(self._function, arguments)
        set_up = self._set_up_in_own_task if is_long else self._set_up_in_stay
        run = partial(set_up, arguments, requester, session.layers)
        return session.crashes.set_up(self._fixturedef, request, run)

    def _leave(self) -> None:
        self._session.inside_fixtures.pop(self._fixturedef, None)

    def _set_up_in_stay(self, arguments: Arguments, *requesters: Context | Layers) -> Any:
        __tracebackhide__ = True
        before = copy_context()
        context = before.copy()
        add_finalizer = self._request.addfinalizer
        prepare_requests(self._session, arguments, context)
        session, name = self._session, self._name
        value = run_inside(session, self._function, arguments, name=name, context=context)
        changes = Changes(before, context)
        if changes:
            changes.apply(*requesters)
            add_finalizer(changes.undo)
        return value

    def _set_up_in_own_task(self, arguments: Arguments, *requesters: Context | Layers) -> Any:
        __tracebackhide__ = True
        session, request = self._session, self._request
        add_finalizer = request.addfinalizer
        notice = partial(session.crashes.notice, self._fixturedef, request)
        make_body, has_nursery = body_maker(self._function, arguments)
        lifetime = Lifetime(
            session.loop,
            self._name,
            make_body,
            has_nursery=has_nursery,
            on_crash=notice,
            owner=self._fixturedef,
        )
        prepare_requests(session, arguments, lifetime.context)
        try:
            value = lifetime.open(*requesters)
        except NoYield:
            raised: BaseException = ValueError(_errors.NO_YIELD.format(name=request.fixturename))
        except LoopLost as lost:
            with contextlib.suppress(BaseException):
                lifetime.lose()
            raised = session.lose_loop(lost)
        except BaseException as error:
            raised = act_as_in_sync_code(session.time_limit.explain(prune(error)))
        else:
            close = partial(_close, session, lifetime, self._function)
            add_finalizer(partial(session.crashes.tear_down, self._fixturedef, close))
            return value
        __tracebackhide__ = not needs_our_frame(raised)
        raise raised


def _close(session: TrioSession, lifetime: Lifetime, function: Function) -> None:
    __tracebackhide__ = True
    had_crashed = lifetime.state is State.CRASHED
    raised: BaseException | None = None
    try:
        if lifetime.loop.is_open:
            lifetime.close()
        else:
            lifetime.lose()
    except SecondYield:
        source, location = fixture_source(function)
        message = _errors.TOO_MANY_YIELDS.format(source=source, location=location)
        raised = pytest.fail.Exception(message, pytrace=False)
    except LoopLost as lost:
        with contextlib.suppress(BaseException):
            lifetime.lose()
        raised = session.lose_loop(lost)
    except BaseException as error:
        raised = act_as_in_sync_code(session.time_limit.explain(prune(error)))
        is_told = lifetime.loop.ctrl_c.was_raised and isinstance(raised, KeyboardInterrupt)
        if had_crashed and is_told:
            return  # the host knows of the Ctrl-C that struck the fixture's background task
    if had_crashed:
        raised = session.crashes.closed(lifetime, raised)
    if raised is None or (lifetime.was_cancelled and is_cancelled(raised)):
        return  # why it was cancelled is told by whoever did it
    __tracebackhide__ = not needs_our_frame(raised)
    raise raised


def outside_twin(
    session: TrioSession,
    fixturedef: pytest.FixtureDef[Any],
    request: pytest.FixtureRequest,
    function: Function,
) -> Function:
    """Return a function that sets a sync fixture up outside, while a loop is open.

    Also when the caller, who asks for it dynamically, is inside.  What the fixture sets in context
    variables reaches who comes later, and is gone after its tear-down.
    """

    def call_outside(inner: Function) -> Any:
        __tracebackhide__ = True
        with session.outside():
            return inner()

    def twin(**arguments: Any) -> Any:
        __tracebackhide__ = True
        requesters = own_context(), session.layers
        before = copy_context()
        context = before.copy()
        add_finalizer = request.addfinalizer

        def run(inner: Function) -> Any:
            __tracebackhide__ = True
            with in_context(context):
                return call_outside(inner)

        run_finalizers_with(request, run)
        set_up = partial(call_fixture_function, function, request, arguments)
        value = session.crashes.set_up(fixturedef, request, partial(run, set_up))
        changes = Changes(before, context)
        if changes:
            changes.apply(*requesters)
            add_finalizer(changes.undo)
        return value

    return twin
