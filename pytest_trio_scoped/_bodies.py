"""The bodies of fixtures: every kind of function as an async generator that yields once."""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, Callable
from functools import partial
from typing import Any, cast

import trio
from trio.lowlevel import disable_ki_protection, enable_ki_protection

from ._lifetime import Body
from ._nursery import own_nursery
from ._placeholder import NURSERY

Function = Callable[..., Any]
Arguments = dict[str, Any]


def take_nurseries(arguments: Arguments) -> list[str]:
    """Take the arguments that ask for a nursery out of ``arguments``; return their names."""
    names = [name for name, value in arguments.items() if value is NURSERY]
    for name in names:
        del arguments[name]
    return names


async def call(function: Function, arguments: Arguments) -> Any:
    """Call an async or sync function with a nursery of its own if it asks for one."""
    owned = take_nurseries(arguments) if arguments else None
    if not owned:
        return await _await_if_needed(function(**arguments))
    async with own_nursery() as nursery:
        return await _await_if_needed(function(**arguments, **dict.fromkeys(owned, nursery)))


async def _await_if_needed(value: Any) -> Any:
    return await value if inspect.iscoroutine(value) else value


def needs_own_task(function: Function, arguments: Arguments) -> bool:
    """Say whether the fixture does something on the loop between its set-up and its tear-down."""
    return (
        inspect.isasyncgenfunction(function)
        or inspect.isgeneratorfunction(function)
        or any(value is NURSERY for value in arguments.values())
    )


def body_maker(
    function: Function, arguments: Arguments
) -> tuple[Callable[[trio.Nursery | None], Body], bool]:
    """Return what makes the body of the fixture, given its nursery, and whether it owns one."""
    owned = take_nurseries(arguments)

    def make_body(nursery: trio.Nursery | None) -> Body:
        arguments.update(dict.fromkeys(owned, nursery))
        if inspect.isasyncgenfunction(function):
            return cast("Body", function(**arguments))
        if inspect.isgeneratorfunction(function):
            return _generator_body(function, arguments)
        return _plain_body(function, arguments)

    return make_body, bool(owned)


async def nursery_body(nursery: trio.Nursery | None) -> AsyncGenerator[trio.Nursery | None, None]:
    """The body of a nursery that is asked for while its owner runs."""
    yield nursery


async def _plain_body(function: Function, arguments: Arguments) -> AsyncGenerator[Any, None]:
    yield await _await_if_needed(function(**arguments))


@enable_ki_protection
async def _generator_body(function: Function, arguments: Arguments) -> AsyncGenerator[Any, None]:
    generator = function(**arguments)
    try:
        value = _unprotected(next, generator)
    except StopIteration:
        return
    except KeyboardInterrupt:
        # It may have come after the "yield" and before the value got here; then the set-up is complete.
        if inspect.getgeneratorstate(generator) == inspect.GEN_SUSPENDED:
            next(generator, None)
        raise
    try:
        yield value
    except BaseException as error:
        resume = partial(generator.throw, error)
    else:
        resume = partial(next, generator)
    try:
        _unprotected(resume)
    except StopIteration:
        return
    try:
        yield  # the second one, which is refused
    finally:
        generator.close()


@disable_ki_protection
def _unprotected(function: Function, *args: object) -> Any:
    """Call the user's code: below this Ctrl-C is raised on the spot."""
    return function(*args)
