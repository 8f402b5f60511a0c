"""Which fixtures may turn out to be clocks, before they are set up.

A Trio loop is on one clock for all its life, so the clock has to be known when the first async fixture
of the test is set up, which may be before the clock's turn.  A clock is known by its value only.  So
the fixtures that *may* give one are set up first: those whose code, or a function that it calls, names
a class of clocks, or whose return annotation does, or which are parametrized with one; and those that
depend on such a fixture.  All others keep pytest's order.  What is overlooked here is told to the user
(``LATE_CLOCK``).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from types import FunctionType
from typing import Any

import pytest
from trio.abc import Clock

from ._code_names import values_named_in
from ._ownership import is_inside
from ._pytest_names import definitions

#: How far the functions are followed that a fixture calls.
_DEPTH = 2


class Lookahead:
    """What is known of the fixtures of one session."""

    def __init__(self) -> None:
        #: By function: pytest has one for all parameters of tests, and a fixture for each function's.
        self._is_suspect: dict[FunctionType, bool] = {}
        #: The last list of names without a suspect: the same for all tests made of one function.
        self._harmless: list[str] | None = None

    def clocks(self, item: pytest.Function) -> list[str]:
        """Return the names of the fixtures that may be clocks, and wait for no loop, in pytest's order."""
        names = item.fixturenames
        callspec = getattr(item, "callspec", None)
        suspects = set()
        if callspec is not None:
            suspects = {name for name, value in callspec.params.items() if isinstance(value, Clock)}
        if names is not self._harmless:
            found = {name for name in names if self._may_give_clock(item, name)}
            if not found:
                self._harmless = names
            suspects |= found
        if not suspects:
            return []
        return [
            name
            for name in names
            if not suspects.isdisjoint(required := {name, *requirements(item, name)})
            and not any(needs_loop(item, each) for each in required)
        ]

    def _may_give_clock(self, item: pytest.Function, name: str) -> bool:
        return any(self._is_suspicious(fixturedef.func) for fixturedef in definitions(item, name))

    def _is_suspicious(self, function: Callable[..., Any]) -> bool:
        function = getattr(function, "__func__", function)
        if not isinstance(function, FunctionType):  # it need not have a hash
            return _leads_to_clock(function)
        is_suspect = self._is_suspect.get(function)
        if is_suspect is None:
            is_suspect = self._is_suspect[function] = _leads_to_clock(function)
        return is_suspect


def requirements(item: pytest.Function, name: str) -> Iterator[str]:
    """Yield the names of all fixtures that the fixture ``name`` depends on, but those asked for late."""
    seen = {name}
    pending = [name]
    while pending:
        for fixturedef in definitions(item, pending.pop()):
            for required in fixturedef.argnames:
                if required not in seen:
                    seen.add(required)
                    pending.append(required)
                    yield required


def needs_loop(item: pytest.Function, name: str) -> bool:
    """Say whether the fixture ``name`` is async, or ours by its decorator."""
    return any(is_inside(fixturedef.func) for fixturedef in definitions(item, name))


def _leads_to_clock(function: Any, depth: int = _DEPTH) -> bool:
    function = inspect.unwrap(getattr(function, "__func__", function))
    if not isinstance(function, FunctionType):
        return False
    annotation = function.__annotations__.get("return", "")
    if "Clock" in str(annotation):
        return True
    for value in (annotation, *values_named_in(function)):
        if isinstance(value, type) and issubclass(value, Clock):
            return True
        if isinstance(value, Clock):
            return True
        # Trio's own functions name its clocks as well.
        is_followed = isinstance(value, FunctionType) and not value.__module__.startswith("trio.")
        if depth and is_followed and _leads_to_clock(value, depth - 1):
            return True
    return False
