"""What a run does, event by event, if pytest sets up and tears down what is planned.

pytest keeps a wide fixture to the end of its node, where the plan lets it die with its last user; and it
leaves a node when the next item is elsewhere, and sets its fixtures up anew when it comes back.  There is
one value at a time for a definition.  At the end of a node the youngest is torn down first, and before a
fixture, whatever requires it.

Pinned by ``tests/test_plan_trace.py``, by comparison with what pytest does.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Iterator
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


def trace(plan: Plan) -> Iterator[Event]:
    """Yield what happens in a run of all items in which nothing fails and nothing is requested late."""
    run = _Run()
    chains = [*(plan.kind(item).chain for item in plan.items), ()]
    for item, chain, next_chain in zip(plan.items, chains, chains[1:], strict=False):
        for instance in plan.needs(item):
            run.request(instance)
        yield from run.take_events(item, is_set_up=True)
        yield Event("test", item)
        run.leave(None)
        for place in reversed(chain):
            if place not in next_chain:
                run.leave(place)
        yield from run.take_events(item, is_set_up=False)


class _Run:
    def __init__(self) -> None:
        self._live: dict[Hashable, Instance] = {}
        #: What has been set up at a place; None is the item's.
        self._set_up: dict[Place | None, list[Instance]] = {}
        #: What has been set up on what.
        self._dependents: dict[Instance, list[Instance]] = {}
        self._events: list[tuple[Literal["setup", "teardown"], Instance]] = []

    def take_events(self, item: Item, *, is_set_up: bool) -> Iterator[Event]:
        """Return what has happened since the last time, for ``item``."""
        for what, instance in self._events:
            yield Event(what, item, instance, is_early=is_set_up and what == "teardown")
        self._events.clear()

    def request(self, instance: Instance) -> None:
        """Set ``instance`` up, unless its definition has a value for the same parameter."""
        live = self._live.get(instance.definition)
        if live is not None:
            if live.key == instance.key:
                return
            self._finish(live)
        self._live[instance.definition] = instance
        self._events.append(("setup", instance))
        self._set_up.setdefault(instance.home, []).append(instance)
        for required in instance.requires:
            # What the name stood for when a shared instance was planned need not be live.
            live = self._live.get(required.definition)
            if live is not None:
                self._dependents.setdefault(live, []).append(instance)

    def leave(self, place: Place | None) -> None:
        """Tear down what has been set up at ``place``."""
        for instance in reversed(self._set_up.pop(place, ())):
            self._finish(instance)

    def _finish(self, instance: Instance) -> None:
        if self._live.get(instance.definition) is not instance:
            return  # the value is another one by now
        for dependent in reversed(self._dependents.pop(instance, ())):
            self._finish(dependent)
        del self._live[instance.definition]
        self._events.append(("teardown", instance))
