"""Which async tests and fixtures are ours, and which are foreign."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from ._pytest_names import item_of
from ._session import TrioSession

_ASYNC_FLAGS = inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR

#: Marks of other frameworks.  What they mark is left alone, in trio mode too.
_FOREIGN_MARKS = ("asyncio", "anyio", "twisted")

#: Set on functions by other frameworks' fixture decorators (pytest-asyncio's).
_FOREIGN_ATTRIBUTE = "_force_asyncio_fixture"

#: The mark of sync tests that run in a worker thread.
THREAD_MARK = "trio_thread"

#: Set on functions by ``trio_fixture``.
OUR_ATTRIBUTE = "_pytest_trio_scoped_fixture"


def is_async(function: Callable[..., Any]) -> bool:
    """Say whether ``function`` is a coroutine function or an async generator function.

    Asked for every fixture that is set up, so it looks at the flags first, which a method has too.
    """
    code = getattr(function, "__code__", None)
    if code is not None:
        return bool(code.co_flags & _ASYNC_FLAGS)
    return inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)


def is_async_generator(function: Callable[..., Any]) -> bool:
    """Say whether ``function`` is an async generator function."""
    code = getattr(function, "__code__", None)
    if code is not None:
        return bool(code.co_flags & inspect.CO_ASYNC_GENERATOR)
    return inspect.isasyncgenfunction(function)


def is_inside(function: Callable[..., Any]) -> bool:
    """Say whether a fixture is async, or ours by its decorator: set up inside, whatever it requests."""
    return is_async(function) or hasattr(function, OUR_ATTRIBUTE)


def body_of(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function that the user has written: that below Hypothesis's, if there is one."""
    handle = getattr(function, "hypothesis", None)
    return function if handle is None else getattr(handle, "inner_test", function)


def is_marked(item: pytest.Item, function: object) -> bool:
    """Say whether the test has our mark, however late it came."""
    return (
        # Most have it as their own; looking there first saves the walk up to the session.
        _has_mark(item.own_markers)
        or item.get_closest_marker("trio") is not None
        or _has_mark(getattr(function, "pytestmark", ()))
    )


def _has_mark(marks: Iterable[pytest.Mark]) -> bool:
    return "trio" in [mark.name for mark in marks]  # any() takes longer


def is_foreign(item: pytest.Item) -> bool:
    """Say whether the test belongs to another framework."""
    return any(item.get_closest_marker(name) is not None for name in _FOREIGN_MARKS)


def is_stand_in(function: Callable[..., Any]) -> bool:
    """Say whether a sync function stands for an async one that somebody else runs.

    pytest-asyncio and anyio put such a function in place of a test or fixture before we see it.
    """
    module = getattr(function, "__module__", None)
    return module == "anyio.pytest_plugin" or is_async(inspect.unwrap(function))


def is_our_test(session: TrioSession, item: pytest.Function) -> bool:
    """Say whether an async test is ours to run."""
    return is_marked(item, item.obj) or (session.is_trio_mode and not is_foreign(item))


def is_our_fixture(
    session: TrioSession, fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
) -> bool:
    """Say whether an async fixture is ours to set up, for the test that asks for it first."""
    return is_ours_for(session, fixturedef.func, item_of(request))


def is_ours_for(session: TrioSession, function: Callable[..., Any], item: pytest.Item) -> bool:
    """Say whether the async function of a fixture is ours if ``item`` asks for it first."""
    if hasattr(function, OUR_ATTRIBUTE):
        return True
    if hasattr(function, _FOREIGN_ATTRIBUTE):
        return False
    return (
        _has_mark(item.own_markers)  # before "item.obj", which takes as long as all the rest
        or is_marked(item, getattr(item, "obj", None))
        or (session.is_trio_mode and not is_foreign(item))
    )


def is_nursery(fixturedef: pytest.FixtureDef[Any]) -> bool:
    """Say whether this is the fixture ``nursery``, which stands for one of the asker's own."""
    return getattr(fixturedef.func, "__module__", None) == f"{__package__}._builtin_fixtures"
