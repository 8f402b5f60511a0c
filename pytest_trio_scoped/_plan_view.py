"""A fixture plan as text.

The first part is the run: what is set up where, and what each test needs.  The second is a table of the
fixtures.  The last line sums it up.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Hashable, Iterable, Sequence
from functools import cached_property
from typing import Any

from ._plan import Plan
from ._plan_parts import Instance, Item, Place
from ._plan_trace import Event

LEGEND = "+ is set up   - is torn down before the end of its scope"

_ALWAYS_SHOWN = ("session", "module", "class")

_COLUMNS = ("fixture", "scope", "set up", "tests", "requests", "defined in")


@dataclasses.dataclass(frozen=True)
class View:
    """What is shown of a plan."""

    plan: Plan
    #: What happens in the run.
    events: Sequence[Event]
    #: Returns the name of an item below its node, and its whole id.
    name_of: Callable[[Any], str]
    node_id_of: Callable[[Any], str]
    #: Says whether an item is an async test.
    is_async: Callable[[Any], bool]
    #: Returns where a definition is, as ``path:line``.
    location_of: Callable[[Any], str]
    #: Says whether an item is skipped by a mark, so that it needs nothing.
    is_skipped: Callable[[Any], bool] = lambda _item: False

    @cached_property
    def instances(self) -> list[Instance]:
        """Return all instances but arguments."""
        return [each for each in self.plan.instances if not each.is_argument]

    @cached_property
    def set_ups(self) -> dict[Instance, int]:
        """Return how often each instance is set up."""
        counts = dict.fromkeys(self.instances, 0)
        for event in self.events:
            if event.what == "setup" and event.instance in counts:
                counts[event.instance] += 1
        return counts

    @cached_property
    def _homes(self) -> set[Place | None]:
        return {each.home for each in self.instances}

    def around(self, item: Item) -> list[Place]:
        """Return the places around an item that are worth showing: folders only where a fixture lives."""
        chain = self.plan.kind(item).chain
        return [each for each in chain if each.scope in _ALWAYS_SHOWN or each in self._homes]

    def widest_stretch(self) -> int:
        """Return how many async fixtures one test sets up of which none has to wait for another."""
        widest = 0
        #: How many async fixtures are set up one after the other up to this one.
        depths: dict[Instance, int] = {}
        for event in self.events:
            if event.what == "test":
                depths.clear()
            elif event.what == "setup" and event.instance is not None:
                requires = [depths.get(each, 0) for each in event.instance.requires]
                depths[event.instance] = max(requires, default=0) + event.instance.is_async
                depth = depths[event.instance]
                alike = [each for each in depths if each.is_async and depths[each] == depth]
                widest = max(widest, len(alike))
        return widest


def text(view: View) -> str:
    """Return the plan for people."""
    parts = ["\n".join(_Outline(view).lines), _table(view), _summary(view)]
    return "\n\n".join(part for part in parts if part)


def label(instance: Instance) -> str:
    """Return the name of an instance with its parameter."""
    return instance.name if instance.param_id is None else f"{instance.name}[{instance.param_id}]"


class _Outline:
    """The run, in the order in which it happens, indented by the collection tree."""

    def __init__(self, view: View) -> None:
        self.lines: list[str] = []
        self._view = view
        #: The places whose headings are above the next line.
        self._open: list[Place] = []
        for event in view.events:
            instance = event.instance
            if instance is None:
                self._show_test(event.item)
            elif instance.is_argument or instance.home is None:
                continue
            elif event.what == "setup":
                self._show(event.item, instance.home, f"+ {_describe(instance)}")
            elif event.is_early:
                # That of another directory stands there.
                is_around = instance.home in view.around(event.item)
                item = event.item if is_around else instance.users[0]
                self._show(item, instance.home, f"- {label(instance)}")

    def _show_test(self, item: Item) -> None:
        view = self._view
        needs = [label(each) for each in view.plan.needs(item) if not each.is_argument]
        name = f"{view.name_of(item)} (async)" if view.is_async(item) else view.name_of(item)
        if view.is_skipped(item):
            name += " (skipped)"
        self._show(item, None, f"{name}: {', '.join(needs)}" if needs else name)

    def _show(self, item: Item, home: Place | None, line: str) -> None:
        """Add a line below the headings of the places around it."""
        around = self._view.around(item)
        if home is not None:
            around = around[: around.index(home) + 1]
        is_open = True
        for depth, place in enumerate(around):
            is_open = is_open and self._open[depth : depth + 1] == [place]
            if not is_open:
                self.lines.append("  " * depth + _heading(place))
        self._open = around
        self.lines.append("  " * len(around) + line)


def _heading(place: Place) -> str:
    name = place.node_id.rpartition("::")[2]
    return f"{place.scope or 'directory'} {name}".rstrip()


def _describe(instance: Instance) -> str:
    return f"{label(instance)} (async)" if instance.is_async else label(instance)


def _table(view: View) -> str:
    """Return a line for each fixture, whatever its parameters and however many instances it has."""
    instances_of: dict[Hashable, list[Instance]] = {}
    set_ups = view.set_ups
    for instance in set_ups:
        # One for each directory has a definition for each.
        definition = getattr(instance.definition, "original", instance.definition)
        instances_of.setdefault(definition, []).append(instance)
    if not instances_of:
        return ""
    rows = [_COLUMNS]
    for definition, instances in instances_of.items():
        first = instances[0]
        users = {user for instance in instances for user in instance.users}
        requests = dict.fromkeys(each.name for instance in instances for each in instance.requires)
        rows.append(
            (
                f"{first.name} (async)" if first.is_async else first.name,
                first.scope,
                str(sum(set_ups[instance] for instance in instances)),
                str(len(users)),
                ", ".join(requests),
                view.location_of(definition),
            )
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(_aligned(row, widths) for row in rows)


def _aligned(cells: Iterable[str], widths: Sequence[int]) -> str:
    return "  ".join(map(str.ljust, cells, widths)).rstrip()


def _summary(view: View) -> str:
    set_ups = view.set_ups
    return (
        f"{_count(len(view.plan.items), 'test')}, {_count(len(set_ups), 'fixture instance')}, "
        f"{_count(sum(set_ups.values()), 'set-up')}; "
        f"at most {_count(view.widest_stretch(), 'async fixture')} side by side"
    )


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
