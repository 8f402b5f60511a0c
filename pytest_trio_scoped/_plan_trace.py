"""What a run does, event by event, if pytest sets up and tears down what is planned.

pytest keeps a wide fixture to the end of its node, where the plan lets it die with its last user; and it
leaves a node when the next item is elsewhere, and sets its fixtures up anew when it comes back.  There is
one value at a time for a definition.  At the end of a node the youngest is torn down first, and before a
fixture, whatever requires it.

Pinned by ``tests/test_plan_trace.py``, by comparison with what pytest does.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Literal

from ._plan import Plan
from ._plan_parts import Instance, Item, Place


@dataclasses.dataclass(frozen=True, slots=True)
class Event:
    """Something that happens in a run."""

    what: Literal["setup", "test", "teardown"]
    #: For which test, or after which.
    item: Item
    #: What is set up or torn down; None for a test.
    instance: Instance | None = None
    #: Whether it is torn down before the end of its scope, for one with another parameter.
    is_early: bool = False


def trace(
    plan: Plan, ahead: Callable[[Item, Place], Iterable[Instance]] = lambda _item, _place: ()
) -> Iterator[Event]:
    """Yield what happens in a run of all items in which nothing fails and nothing is requested late.

    ``ahead`` returns what is set up before a fixture of a place that an item needs, if it is not live.
    """
    run = _Run(ahead)
    chains = [*(plan.kind(item).chain for item in plan.items), ()]
    for item, chain, next_chain in zip(plan.items, chains, chains[1:], strict=False):
        for instance in plan.needs(item):
            run.request(item, instance)
        yield from run.take_events(item, is_set_up=True)
        yield Event("test", item)
        run.leave(None)
        for place in reversed(chain):
            if place not in next_chain:
                run.leave(place)
        yield from run.take_events(item, is_set_up=False)


class _Run:
    def __init__(self, ahead: Callable[[Item, Place], Iterable[Instance]]) -> None:
        self._ahead = ahead
        self._live: dict[Hashable, Instance] = {}
        #: The definitions of what has been set up at a place; None is the item's.
        self._set_up: dict[Place | None, list[Hashable]] = {}
        #: For each definition, which others have been set up on it, the last one last.
        self._dependents: dict[Hashable, dict[Hashable, None]] = {}
        self._events: list[tuple[Literal["setup", "teardown"], Instance]] = []

    def take_events(self, item: Item, *, is_set_up: bool) -> Iterator[Event]:
        """Return what has happened since the last time, for ``item``."""
        for what, instance in self._events:
            yield Event(what, item, instance, is_early=is_set_up and what == "teardown")
        self._events.clear()

    def request(self, item: Item, instance: Instance) -> None:
        """Set ``instance`` up, unless its definition has a value for the same parameter."""
        live = self._live.get(instance.definition)
        if live is not None:
            if live.key == instance.key:
                return
            self._finish(live)
        if instance.home is not None:
            for wider in self._ahead(item, instance.home):
                if wider.definition not in self._live:
                    self._request_all(item, wider)
        self._live[instance.definition] = instance
        self._events.append(("setup", instance))
        self._set_up.setdefault(instance.home, []).append(instance.definition)
        for required in instance.requires:
            # What the name stood for when a shared instance was planned need not be live.
            live = self._live.get(required.definition)
            if live is not None:
                dependents = self._dependents.setdefault(live.definition, {})
                dependents.pop(instance.definition, None)  # so that it is the last
                dependents[instance.definition] = None

    def _request_all(self, item: Item, instance: Instance) -> None:
        for each in instance.requires:
            self._request_all(item, each)
        self.request(item, instance)

    def leave(self, place: Place | None) -> None:
        """Tear down what has been set up at ``place``."""
        for definition in reversed(self._set_up.pop(place, ())):
            if definition in self._live:  # it may be another instance, that lives elsewhere
                self._finish(self._live[definition])

    def _finish(self, instance: Instance) -> None:
        # Like pytest, this does not forget a dependent that has been set up again on something else.
        for dependent in reversed(self._dependents.pop(instance.definition, {})):
            if dependent in self._live:
                self._finish(self._live[dependent])
        del self._live[instance.definition]
        self._events.append(("teardown", instance))
