"""Async fixtures that are set up at the same time: which ones, and when.

The fixtures of a test are gone through in pytest's order.  Async ones that follow each other without a
sync one between them make a *stretch*, within which those that do not depend on each other are set up at
the same time (``_concurrent_set_up``).  A sync fixture stays where it is: what comes before it is
up by then, and what comes after it waits for it, as it may set up what nobody says they depend on.  So
does a set-up function, sync or async, which is there for nothing else.

With ``trio_fixture_order = plan`` the wider ones come first: a stretch is of one scope, and what the plan
puts before that is set up before.

What is found to be up stays out of this: pytest only looks it up.  Where it can't be told beforehand which
fixture a name stands for (overrides that ask for each other), all is left to pytest.

Pinned by ``tests/test_concurrent_fixtures.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, partial
from typing import Any

import pytest

from ._ownership import is_async, is_nursery, is_our_fixture
from ._pytest_names import (
    active_fixture,
    definitions,
    fill_first,
    finish_fixture,
    is_argument,
    param_scopes,
    request_of,
    scope_node,
)
from ._session import TrioSession
from ._setup_functions import pair_of

_Fixture = pytest.FixtureDef[Any]

#: Among the names, but pytest makes a new one for whoever asks.
_REQUEST = "request"

#: Fewer have nobody to be set up together with.
_SEVERAL = 2


class ConcurrentFixtureHooks:
    """Set async fixtures up before pytest comes to them."""

    def __init__(self, session: TrioSession) -> None:
        self._session = session

    @cached_property
    def _stretches(self) -> Any:
        """Made at the first need, as it imports Trio."""
        from ._concurrent_set_up import Stretches

        return Stretches(self._session)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Be there when the fixtures of the test are about to be set up."""
        if isinstance(item, pytest.Function):
            fill_first(item, partial(self._set_up, item))

    def _set_up(self, item: pytest.Function) -> None:
        __tracebackhide__ = True
        required = requirements_in_order(item)
        if sum(_is_async(item, name) for name in required) >= _SEVERAL:
            _Walk(self._session, item, required, self._set_up_together).go()

    def _set_up_together(self, item: pytest.Function, required: dict[str, list[str]]) -> None:
        __tracebackhide__ = True
        self._stretches.set_up(item, required)


def requirements_in_order(item: pytest.Function) -> dict[str, list[str]]:
    """Return the fixtures of a test in pytest's order, and what each takes as an argument.

    Empty if that can't be told.
    """
    required: dict[str, list[str]] = {}
    open_names: list[str] = []

    def visit(name: str) -> bool:
        """Say whether all is clear so far."""
        if name in required:
            return True
        if name in open_names:
            return False
        open_names.append(name)
        names = [] if _takes_more_after_itself(item, name) else _names_taken(item, name)
        is_clear = all(visit(each) for each in names)
        open_names.pop()
        required[name] = names
        return is_clear

    return required if all(visit(name) for name in item.fixturenames) else {}


def _names_taken(item: pytest.Function, name: str) -> list[str]:
    """Return what is taken by all that the name means."""
    taken = [each for fixturedef in _meant(item, name) for each in fixturedef.argnames]
    return [each for each in dict.fromkeys(taken) if each != name]


def _takes_more_after_itself(item: pytest.Function, name: str) -> bool:
    """Say whether an override takes anything after what it overrides, which is set up after that.

    It is left to pytest as a whole.
    """
    for fixturedef in _meant(item, name):
        names = [each for each in fixturedef.argnames if each != _REQUEST]
        if name in names[:-1]:
            return True
    return False


def _meant(item: pytest.Function, name: str) -> list[_Fixture]:
    """Return what is set up by ``name``: a fixture, and the one that it overrides if it takes that."""
    found: list[_Fixture] = []
    for fixturedef in reversed(definitions(item, name)):
        found.append(fixturedef)
        if name not in fixturedef.argnames:
            break
    return found


def _is_async(item: pytest.Function, name: str) -> bool:
    return any(is_async(fixturedef.func) for fixturedef in definitions(item, name)[-1:])


class _Walk:
    """One walk through the fixtures of a test."""

    def __init__(
        self,
        session: TrioSession,
        item: pytest.Function,
        required: dict[str, list[str]],
        set_up_together: Callable[[pytest.Function, dict[str, list[str]]], None],
    ) -> None:
        self._session = session
        self._item = item
        self._request = request_of(item)
        self._required = required
        self._set_up_together = set_up_together
        callspec = getattr(item, "callspec", None)
        self._params: dict[str, object] = {} if callspec is None else callspec.params
        self._stretch: list[str] = []
        #: At whose end those of the stretch are torn down; known where the order is planned.
        self._node: pytest.Item | pytest.Collector | None = None

    def go(self) -> None:
        """Set up what can be set up together, and what comes before that."""
        __tracebackhide__ = True
        for name in self._required:
            if self._is_up(name) or self._has_no_effect(name):
                self._request.getfixturevalue(name)
            elif self._may_be_concurrent(name):
                self._follow_plan(name)
                self._finish_former(name)
                self._stretch.append(name)
            elif not self._is_missing(name):
                self._end_stretch()
                self._request.getfixturevalue(name)
        self._end_stretch()

    # ---------------------------------------------------------------- what it is

    def _is_up(self, name: str) -> bool:
        """Say whether pytest would only look it up."""
        if active_fixture(self._item, name) is not None:
            return True
        meant = _meant(self._item, name)
        return bool(meant) and all(self._has_instance(fixturedef) for fixturedef in meant)

    def _has_instance(self, fixturedef: _Fixture) -> bool:
        """Say whether there is an instance with the parameter of this test, or the error of its set-up."""
        if fixturedef.cached_result is None:
            return False
        key = fixturedef.cached_result[1]
        param = self._params.get(fixturedef.argname)
        try:
            return bool(param == key)
        except (ValueError, RuntimeError):  # as pytest does: arrays can't be compared like this
            return param is key

    def _has_no_effect(self, name: str) -> bool:
        fixturedefs = definitions(self._item, name)
        return name == _REQUEST or (
            bool(fixturedefs) and all(is_argument(each) or is_nursery(each) for each in fixturedefs)
        )

    def _is_missing(self, name: str) -> bool:
        """Say whether a fixture requests what does not exist, which is told where that is set up."""
        return not definitions(self._item, name) and any(
            name in names for names in self._required.values()
        )

    def _may_be_concurrent(self, name: str) -> bool:
        """Say whether it is async, all of it, and ours."""
        meant = _meant(self._item, name)
        if not meant or _takes_more_after_itself(self._item, name):
            return False
        return all(
            is_async(fixturedef.func)
            and pair_of(fixturedef) is None
            and is_our_fixture(self._session, fixturedef, self._request)
            for fixturedef in meant
        )

    def _is_narrow(self, name: str) -> bool:
        # "parametrize" may give it another scope than that of its definition.
        return name in self._params or any(
            fixturedef.scope == "function" for fixturedef in _meant(self._item, name)
        )

    # ---------------------------------------------------------------- set up

    def _follow_plan(self, name: str) -> None:
        """Where the order is planned, set up what comes before those of the scope of this one."""
        __tracebackhide__ = True
        set_up_ahead = self._session.set_up_ahead
        if set_up_ahead is None:
            return
        fixturedef = definitions(self._item, name)[-1]
        scope = param_scopes(self._item).get(name)
        node = scope_node(self._item, fixturedef, scope.value if scope else fixturedef.scope)
        if node is not self._node:
            self._end_stretch()
            self._node = node
            set_up_ahead(self._item, node)

    def _finish_former(self, name: str) -> None:
        """Tear down an instance with another parameter, and what depends on it, before anything is set up.

        Of two that are set up at the same time, both might come to tear down the same dependent.
        """
        __tracebackhide__ = True
        for fixturedef in _meant(self._item, name):
            request = self._session.inside_fixtures.get(fixturedef)
            if request is not None and not self._has_instance(fixturedef):
                finish_fixture(fixturedef, request)

    def _end_stretch(self) -> None:
        __tracebackhide__ = True
        names, self._stretch = self._stretch, []
        if any(self._is_narrow(name) for name in names):
            if self._session.choice.is_open(self._item):
                self._set_up([name for name in names if not self._is_narrow(name)])
                names = [name for name in names if self._is_narrow(name)]
            if len(names) >= _SEVERAL:
                fixturedef = definitions(self._item, names[0])[-1]
                self._session.choice.for_set_up(fixturedef, self._request)
        self._set_up(names)

    def _set_up(self, names: list[str]) -> None:
        __tracebackhide__ = True
        if len(names) >= _SEVERAL:
            self._set_up_together(self._item, {name: self._required[name] for name in names})
        else:
            for name in names:
                self._request.getfixturevalue(name)
