"""Which tests may pass although they can't be set up.

A test that is skipped before its fixtures are looked for passes whatever they are; so does one that is
expected to fail; and a hook may hand a test what it requests, or define a fixture when the run has begun.
pytest finds out when it comes to the test.  Who wants to know earlier has to guess: from the marks, and from
the names in the code of hooks and fixtures.  What is named for no reason costs nothing but the early word.

Pinned by ``tests/test_fixture_check.py``.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator
from types import FunctionType
from typing import Any

import pytest

from ._code_names import names_in, values_named_in

_MARKS = ("skip", "skipif", "xfail")
#: Hooks in which others may skip a test, or give it fixtures.
_HOOKS = ("pytest_runtestloop", "pytest_runtest_protocol", "pytest_runtest_setup")
_SKIPPING = ("skip", "xfail")
_PROVIDING = ("funcargs", "register_fixture", "parsefactories")
#: The functions of a module or class that pytest calls as fixtures, by a name that it makes up.
_SET_UP_FUNCTIONS = (
    "setup_module",
    "setUpModule",
    "setup_function",
    "setup_class",
    "setUpClass",
    "setup_method",
    "setUp",
)
#: How far functions are followed that a function calls.
_DEPTH = 1


def may_be_skipped(item: pytest.Item, fixtures: Iterable[Callable[..., Any]]) -> bool:
    """Say whether ``item`` may pass without being set up; ``fixtures`` are those that it requests."""
    if any(item.get_closest_marker(name) is not None for name in _MARKS):
        return True
    functions = (*_hooks(item), *fixtures, *_set_up_functions(item))
    return any(_mentions(function, _SKIPPING) for function in functions)


def may_be_provided(item: pytest.Item) -> bool:
    """Say whether somebody may provide ``item`` with fixtures that do not exist yet."""
    return any(_mentions(function, _PROVIDING) for function in _hooks(item))


def _hooks(item: pytest.Item) -> Iterator[Callable[..., Any]]:
    """Yield what plugins and conftests do before the fixtures of ``item`` are set up."""
    for name in _HOOKS:
        for implementation in getattr(item.ihook, name).get_hookimpls():
            yield implementation.function


def _set_up_functions(item: pytest.Item) -> Iterator[Callable[..., Any]]:
    for holder in (getattr(item, "module", None), getattr(item, "cls", None)):
        for name in _SET_UP_FUNCTIONS:
            if hasattr(holder, name):
                yield getattr(holder, name)


def _is_known(function: Callable[..., Any]) -> bool:
    """Say whether ``function`` is pytest's own or ours."""
    module = getattr(function, "__module__", None) or ""
    return module.startswith(("_pytest.", f"{__package__}."))


def _mentions(function: Any, words: tuple[str, ...], depth: int = _DEPTH) -> bool:
    function = inspect.unwrap(getattr(function, "__func__", function))
    if not isinstance(function, FunctionType) or _is_known(function):
        return False
    names = [name.lower() for name in names_in(function.__code__)]  # "SkipTest", "Skipped"
    if any(word in name for name in names for word in words):
        return True
    return depth > 0 and any(
        _mentions(value, words, depth - 1) for value in values_named_in(function)
    )
