"""A fixture plan for tools: as JSON, and as a Mermaid diagram."""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterator

from ._plan_parts import Instance, Place
from ._plan_view import View, label


def as_json(view: View) -> str:
    """Return the plan as JSON; ``docs/reference/fixture-plan.md`` describes each field."""
    set_ups = view.set_ups
    number = {instance: position for position, instance in enumerate(set_ups)}
    items = list(dict.fromkeys(view.plan.items))
    number_of_item = {item: position for position, item in enumerate(items)}
    document = {
        "version": 1,
        "tests": [
            {
                "node_id": view.node_id_of(item),
                "is_async": view.is_async(item),
                "needs": [number[each] for each in view.plan.needs(item) if each in number],
            }
            for item in items
        ],
        "instances": [
            {
                "name": instance.name,
                "scope": instance.scope,
                "param_id": instance.param_id,
                "node_id": instance.node_id,
                "is_async": instance.is_async,
                "requires": [number[each] for each in instance.requires if each in number],
                "users": [number_of_item[item] for item in instance.users],
                "set_ups": times,
                "location": view.location_of(instance.definition),
            }
            for instance, times in set_ups.items()
        ],
        "events": [
            {
                "what": event.what,
                "test": number_of_item[event.item],
                "instance": None if event.instance is None else number[event.instance],
            }
            for event in view.events
            if event.instance is None or event.instance in number
        ],
        "summary": {
            "tests": len(view.plan.items),
            "instances": len(set_ups),
            "set_ups": sum(set_ups.values()),
            "async_side_by_side": view.widest_stretch(),
        },
    }
    return (
        "{\n" + ",\n".join(f'"{key}": {_lines(value)}' for key, value in document.items()) + "\n}"
    )


def _lines(value: object) -> str:
    """Return the JSON of ``value``, with a line for each element of a list."""
    if not isinstance(value, list) or not value:
        return json.dumps(value)
    return "[\n" + ",\n".join(json.dumps(each) for each in value) + "\n]"


def as_mermaid(view: View) -> str:
    """Return the plan as a Mermaid flowchart: from each fixture to what requests it."""
    return "\n".join(_Diagram(view).lines())


class _Diagram:
    def __init__(self, view: View) -> None:
        self._view = view
        self._names: dict[Hashable, str] = {}
        #: What stands in the box of a place: its instances and tests, and other places.
        self._inner: dict[Place | None, dict[Hashable, None]] = {}
        items = dict.fromkeys(view.plan.items)
        for item in items:
            chain = view.around(item)
            for outer, place in zip((None, *chain), chain, strict=False):
                self._inner.setdefault(outer, {})[place] = None
            for instance in view.plan.needs(item):
                if not instance.is_argument:
                    home = instance.home or chain[-1]
                    self._inner.setdefault(home, {})[instance] = None
            self._inner.setdefault(chain[-1], {})[item] = None

    def lines(self) -> Iterator[str]:
        yield "flowchart LR"
        yield "  classDef async stroke-dasharray: 5 5"
        yield from self._box(None, "  ")
        yield from self._arrows()

    def _box(self, place: Place | None, indent: str) -> Iterator[str]:
        for each in self._inner.get(place, ()):
            if isinstance(each, Place):
                yield f'{indent}subgraph {self._name(each, "p")}["{_escaped(each.node_id or "session")}"]'
                yield from self._box(each, indent + "  ")
                yield f"{indent}end"
            elif isinstance(each, Instance):
                style = ":::async" if each.is_async else ""
                yield f'{indent}{self._name(each, "f")}(["{_escaped(label(each))}"]){style}'
            else:
                style = ":::async" if self._view.is_async(each) else ""
                name = _escaped(self._view.name_of(each))
                yield f'{indent}{self._name(each, "t")}["{name}"]{style}'

    def _arrows(self) -> Iterator[str]:
        for instance in self._view.instances:
            for required in instance.requires:
                if not required.is_argument:
                    yield f"  {self._names[required]} --> {self._names[instance]}"
        for item in dict.fromkeys(self._view.plan.items):
            needs = [each for each in self._view.plan.needs(item) if not each.is_argument]
            inner = {required for each in needs for required in each.requires}
            for each in needs:
                if each not in inner:
                    yield f"  {self._names[each]} --> {self._names[item]}"

    def _name(self, thing: Hashable, letter: str) -> str:
        return self._names.setdefault(thing, f"{letter}{len(self._names)}")


def _escaped(text: str) -> str:
    """Return ``text`` as Mermaid wants it between quotes."""
    return text.replace("#", "#35;").replace('"', "#quot;").replace("<", "#lt;").replace("\n", " ")
