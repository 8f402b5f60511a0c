"""Sync twins of the user's functions: what pytest calls instead, and what waits for the loop.

Imported at the first async need.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, Callable
from contextvars import Context, copy_context
from functools import partial
from typing import Any, Final

import pytest
import trio

from . import _errors
from ._contexts import Changes, own_context
from ._exceptions import prune
from ._lifetime import Lifetime, NoYield, SecondYield
from ._nursery import own_nursery
from ._outcomes import act_as_in_sync_code
from ._pytest_names import call_fixture_function, fixture_source
from ._session import TrioSession

Function = Callable[..., Any]
Arguments = dict[str, Any]


class _Nursery:
    def __repr__(self) -> str:
        return "<the nursery of whoever asks for it as an argument>"


#: What pytest hands to whoever asks for ``nursery``; a nursery of their own takes its place.
NURSERY: Final = _Nursery()


# -------------------------------------------------------------------- tests


def call_twin(session: TrioSession, item: pytest.Function, function: Function) -> Function:
    """Return a sync function that runs the test in a task called by its node id.

    ``function`` may be sync: that is a sync test that runs inside.
    """

    def twin(**arguments: Any) -> Any:
        __tracebackhide__ = True
        context = copy_context()
        _prepare_requests(session, arguments, context)
        return _run(session, function, arguments, name=item.nodeid, context=context)

    return twin


async def _call(function: Function, arguments: Arguments) -> Any:
    owned = _take_nurseries(arguments)
    if not owned:
        return await _await_if_needed(function(**arguments))
    async with own_nursery() as nursery:
        return await _await_if_needed(function(**arguments, **dict.fromkeys(owned, nursery)))


async def _await_if_needed(value: Any) -> Any:
    return await value if inspect.iscoroutine(value) else value


def _take_nurseries(arguments: Arguments) -> list[str]:
    """Take the arguments that ask for a nursery out of ``arguments``; return their names."""
    names = [name for name, value in arguments.items() if value is NURSERY]
    for name in names:
        del arguments[name]
    return names


def _run(
    session: TrioSession, function: Function, arguments: Arguments, *, name: str, context: Context
) -> Any:
    __tracebackhide__ = True
    try:
        return session.loop.run(_call, function, arguments, name=name, context=context)
    except BaseException as error:
        raised = act_as_in_sync_code(prune(error))
    raise raised


# -------------------------------------------------------------------- fixtures


def fixture_twin(
    session: TrioSession,
    fixturedef: pytest.FixtureDef[Any],
    request: pytest.FixtureRequest,
    function: Function,
) -> Function:
    """Return a sync function that sets the fixture up on the loop and sees to its tear-down."""
    name = f"fixture {fixturedef.argname!r}"

    def twin(**arguments: Any) -> Any:
        __tracebackhide__ = True
        live = session.inside_fixtures
        live.add(fixturedef)
        # The first finalizer is the last to be called.
        request.addfinalizer(partial(live.discard, fixturedef))
        needs_task = (
            inspect.isasyncgenfunction(function)
            or inspect.isgeneratorfunction(function)
            or any(value is NURSERY for value in arguments.values())
        )
        set_up = _set_up_in_own_task if needs_task else _set_up_in_stay
        return set_up(session, request, name, function, arguments)

    return twin


def _set_up_in_stay(
    session: TrioSession,
    request: pytest.FixtureRequest,
    name: str,
    function: Function,
    arguments: Arguments,
) -> Any:
    __tracebackhide__ = True
    requester = own_context()
    before = copy_context()
    context = before.copy()
    _prepare_requests(session, arguments, context)
    value = _run(session, function, arguments, name=name, context=context)
    changes = Changes(before, context)
    if changes:
        changes.apply(requester, session.loop.host_context)
        request.addfinalizer(changes.undo)
    return value


def _set_up_in_own_task(
    session: TrioSession,
    request: pytest.FixtureRequest,
    name: str,
    function: Function,
    arguments: Arguments,
) -> Any:
    __tracebackhide__ = True
    requester = own_context()

    def make_body(nursery: trio.Nursery | None) -> AsyncGenerator[Any, None]:
        arguments.update(dict.fromkeys(owned, nursery))
        if inspect.isasyncgenfunction(function):
            body: AsyncGenerator[Any, None] = function(**arguments)
            return body
        if inspect.isgeneratorfunction(function):
            return _generator_body(function, arguments)
        return _plain_body(function, arguments)

    owned = _take_nurseries(arguments)
    lifetime = Lifetime(session.loop, name, make_body, has_nursery=bool(owned))
    _prepare_requests(session, arguments, lifetime.context)
    try:
        value = lifetime.open(requester, session.loop.host_context)
    except NoYield:
        raised: BaseException = ValueError(_errors.NO_YIELD.format(name=request.fixturename))
    except BaseException as error:
        raised = act_as_in_sync_code(prune(error))
    else:
        request.addfinalizer(partial(_close, lifetime, function))
        return value
    raise raised


def _close(lifetime: Lifetime, function: Function) -> None:
    __tracebackhide__ = True
    try:
        lifetime.close()
    except SecondYield:
        source, location = fixture_source(function)
        message = _errors.TOO_MANY_YIELDS.format(source=source, location=location)
        raised: BaseException = pytest.fail.Exception(message, pytrace=False)
        __tracebackhide__ = False  # where all is hidden pytest says so, below the message
    except BaseException as error:
        raised = act_as_in_sync_code(prune(error))
    else:
        return
    raise raised


async def _plain_body(function: Function, arguments: Arguments) -> AsyncGenerator[Any, None]:
    yield await _await_if_needed(function(**arguments))


async def _generator_body(function: Function, arguments: Arguments) -> AsyncGenerator[Any, None]:
    generator = function(**arguments)
    try:
        value = next(generator)
    except StopIteration:
        return
    try:
        yield value
    except BaseException as error:
        resume = partial(generator.throw, error)
    else:
        resume = partial(next, generator)
    try:
        resume()
    except StopIteration:
        return
    try:
        yield  # the second one, which is refused
    finally:
        generator.close()


def outside_twin(
    session: TrioSession, request: pytest.FixtureRequest, function: Function
) -> Function:
    """Return a function that calls ``function``, and finalizers, outside although the caller is inside."""

    def call_outside(inner: Function) -> Any:
        __tracebackhide__ = True
        with session.loop.outside():
            return inner()

    def twin(**arguments: Any) -> Any:
        __tracebackhide__ = True
        add = request.addfinalizer
        request.addfinalizer = lambda finalizer: add(partial(call_outside, finalizer))  # type: ignore[method-assign]
        return call_outside(partial(call_fixture_function, function, request, arguments))

    return twin


# -------------------------------------------------------------------- requests


def _prepare_request(
    session: TrioSession, request: pytest.FixtureRequest, context: Context
) -> None:
    """Make ``request`` fit for code that runs inside.

    Finalizers that are added through it run inside and in ``context``, that of the code.  A nursery
    that is asked for by ``getfixturevalue`` is the asker's own.
    """
    add = request.addfinalizer
    get = request.getfixturevalue

    def add_inside(finalizer: Function) -> None:
        name = f"finalizer of {request.fixturename or request.node.nodeid!r}"
        add(partial(_run, session, finalizer, {}, name=name, context=context))

    def get_own(argname: str) -> Any:
        __tracebackhide__ = True
        return own_value(session, get(argname), add)

    request.addfinalizer = add_inside  # type: ignore[method-assign]
    request.getfixturevalue = get_own  # type: ignore[method-assign]


def own_value(session: TrioSession, value: Any, add_finalizer: Function) -> Any:
    """Return ``value``, or a nursery of the caller's own if that is what it stands for."""
    return _open_nursery(session, add_finalizer) if value is NURSERY else value


def _open_nursery(session: TrioSession, add_finalizer: Function) -> trio.Nursery:
    async def make_body(nursery: trio.Nursery | None) -> AsyncGenerator[Any, None]:
        yield nursery

    lifetime = Lifetime(session.loop, "nursery", make_body, has_nursery=True)
    nursery: trio.Nursery = lifetime.open()
    add_finalizer(partial(_close, lifetime, make_body))
    return nursery


def _prepare_requests(session: TrioSession, arguments: Arguments, context: Context) -> None:
    for value in arguments.values():
        if isinstance(value, pytest.FixtureRequest):
            _prepare_request(session, value, context)
