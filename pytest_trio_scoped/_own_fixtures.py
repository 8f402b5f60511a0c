"""Definitions of fixtures of which each test in flight has its own.

pytest keeps the value of a fixture, and its finalizers, in its definition, and all tests share that.  Here a
narrow fixture has a copy of its definition for each test, and a wide one a copy for each node of its scope,
as long as that node is set up.  Whoever asks for a wide one while somebody sets it up waits for that.

Pinned by ``tests/test_parallel_fixtures.py``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import pytest

from ._planning import FixturePlan
from ._pytest_names import (
    copy_definition,
    definitions_of,
    execute_definition,
    finish_fixture,
    has_failed,
    item_of,
    own_definitions,
    scope_node,
    visible_definitions,
)

_Fixture = pytest.FixtureDef[Any]


class OwnFixtures:
    """The copies.

    ``hold`` keeps others from a wide fixture while one is at it; ``use`` is called in between, with the
    fixture and what sets it up or returns its value; ``refuse`` may raise, with the test, a name that it
    asks for, and what that stands for.
    """

    def __init__(
        self,
        plan: FixturePlan,
        hold: Callable[[object], AbstractContextManager[object]],
        use: Callable[[_Fixture, Callable[[], Any]], Any],
        refuse: Callable[[pytest.Item, str, Sequence[_Fixture]], object],
    ) -> None:
        self._plan = plan
        self._hold = hold
        self._use = use
        self._refuse = refuse
        #: By node and definition.
        self._wide: dict[object, dict[_Fixture, _Fixture]] = defaultdict(dict)
        #: The tests that have had theirs, and those of them that are run again.
        self._given: set[pytest.Item] = set()
        self._again: set[pytest.Item] = set()

    def give(self, item: pytest.Item) -> None:
        """Let ``item`` have its own, from its first set-up on."""
        (self._again if item in self._given else self._given).add(item)
        known = definitions_of(item)
        if known is None:
            return
        wide: dict[_Fixture, str] = {
            instance.definition: instance.scope for instance in self._plan.wide(item)
        }

        def look_up(name: str) -> Sequence[_Fixture] | None:
            __tracebackhide__ = True
            found = known.get(name)
            if found is None:  # asked for with "getfixturevalue"
                found = visible_definitions(item, name)
                self._refuse(item, name, found)
                scopes: dict[_Fixture, str] = {each: each.scope for each in found}
            else:
                scopes = wide
            return [self._copy(item, each, scopes.get(each, "function")) for each in found]

        own_definitions(item, look_up)

    def leave(self, node: object) -> None:
        """Forget the fixtures of a node, which have been torn down with it."""
        self._wide.pop(node, None)

    def _copy(self, item: pytest.Item, fixturedef: _Fixture, scope: str) -> _Fixture:
        node = scope_node(item, fixturedef, scope)
        if node is item:
            return copy_definition(fixturedef)
        wide = self._wide[node]
        if fixturedef not in wide:
            wide[fixturedef] = copy_definition(fixturedef, self._execute)
        return wide[fixturedef]

    def _execute(self, fixturedef: _Fixture, request: pytest.FixtureRequest) -> Any:
        __tracebackhide__ = True

        def execute() -> Any:
            __tracebackhide__ = True
            with self._hold(fixturedef):
                if item_of(request) in self._again and has_failed(fixturedef):
                    # pytest-rerunfailures wants it set up anew, and knows of pytest's own definition only.
                    finish_fixture(fixturedef, request)
                return execute_definition(fixturedef, request)

        return self._use(fixturedef, execute)
