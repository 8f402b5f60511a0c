"""Which collected items need the same fixtures at the same place, and what these are."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import pytest

from ._ownership import is_async
from ._plan_parts import Instance, Kind, Place
from ._plan_steps import Problem, Steps
from ._pytest_names import (
    DirectoryFixture,
    definitions_of,
    initial_names,
    is_argument,
    param_scopes,
    scope_node,
    visible_definitions,
)

_NODES: dict[str, type] = {
    "session": pytest.Session,
    "package": pytest.Package,
    "module": pytest.Module,
    "class": pytest.Class,
}


class Kinds:
    """The kinds of the items of a session."""

    def __init__(self) -> None:
        #: Why the items of a kind can't be set up.
        self.problems: dict[Kind, list[Problem]] = {}
        #: What the items of a kind see, and the kind.
        self._kinds: dict[Hashable, tuple[object, Kind]] = {}
        self._chains: dict[object, tuple[Place, ...]] = {}
        self._places: dict[object, Place] = {}
        self._sees: dict[tuple[Kind, Instance], bool] = {}

    def kind(self, item: pytest.Item) -> Kind:
        """Return the kind of the item, which is that of all that see the same definitions."""
        definitions = definitions_of(item)
        names: tuple[str, ...] = ()
        if definitions is not None:
            names = tuple(item.fixturenames)  # type: ignore[attr-defined]
        seen = definitions, param_scopes(item)
        key: Hashable = (item.parent, names)
        known, kind = self._kinds.get(key, (None, None))
        if kind is not None and known != seen:
            # It has definitions of its own, which stand for the arguments of a parametrized test.
            key = (item.parent, names, id(definitions))
            known, kind = self._kinds.get(key, (None, None))
        if kind is None:
            kind = self._make_kind(item, names)
            self._kinds[key] = seen, kind
        return kind

    def _make_kind(self, item: pytest.Item, names: Sequence[str]) -> Kind:
        resolved = _steps(item, names)
        parametrized = param_scopes(item)
        chain = self._chain(item)
        homes: list[Place | None] = []
        for step in resolved.steps:
            node = scope_node(item, step.definition, step.scope)
            homes.append(None if node is item else self._places[node])
        varied = [
            position
            for position, step in enumerate(resolved.steps)
            if homes[position] is not None and step.name in parametrized
        ]
        kind = Kind(resolved.steps, homes, chain, varied)
        if resolved.problems:  # find the way to them from what the test requests itself
            requests = dict.fromkeys((*initial_names(item), *names))
            # In that order overrides may hide what pytest runs into.
            self.problems[kind] = _steps(item, list(requests)).problems or resolved.problems
        return kind

    def place(self, node: object) -> Place | None:
        """Return the place of a node, if it is around an item seen so far."""
        return self._places.get(node)

    def sees(self, item: pytest.Item, instance: Instance) -> bool:
        """Say whether ``item``, too, would get a wide ``instance`` by its name.

        The name, or that of something it requires, may mean another fixture for it.
        """
        key = self.kind(item), instance
        if key not in self._sees:
            steps = _steps(item, [instance.name]).steps
            parametrized = param_scopes(item)
            self._sees[key] = {step.definition for step in steps} == _definitions_in(
                instance
            ) and not any(step.name in parametrized for step in steps)
        return self._sees[key]

    def _chain(self, item: pytest.Item) -> tuple[Place, ...]:
        """Return the places of the nodes around the item."""
        chain = self._chains.get(item.parent)
        if chain is None:
            nodes = item.listchain()[:-1]
            for depth, node in enumerate(nodes):
                if node not in self._places:
                    self._places[node] = Place(node.nodeid, depth, _scope_of(node))
            chain = self._chains[item.parent] = tuple(self._places[node] for node in nodes)
        return chain


def _steps(item: pytest.Item, names: Sequence[str]) -> Steps:
    definitions = definitions_of(item) or {}
    scopes = {name: scope.value for name, scope in param_scopes(item).items()}
    for name in [name for name, scope in scopes.items() if scope == "package"]:
        # What pytest takes for the scope of such a fixture is no scope of its parameters.
        if any(isinstance(each, DirectoryFixture) for each in definitions.get(name, ())[-1:]):
            del scopes[name]
    return Steps(
        names,
        lambda name: definitions.get(name) or visible_definitions(item, name),
        is_async=lambda definition: is_async(definition.func),  # type: ignore[attr-defined]
        is_argument=is_argument,  # type: ignore[arg-type]
        scopes=scopes,
    )


def _definitions_in(instance: Instance) -> set[object]:
    """Return the definitions of ``instance`` and of all that it requires."""
    required = (_definitions_in(each) for each in instance.requires)
    return {instance.definition}.union(*required)


def _scope_of(node: object) -> str:
    for scope, kind in _NODES.items():
        if isinstance(node, kind):
            return scope
    return ""
