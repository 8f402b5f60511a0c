"""What a run does, event by event, if pytest sets up and tears down what is planned.

pytest keeps a wide fixture to the end of its node, where the plan lets it die with its last user; and it
leaves a node when the next item is elsewhere, and sets its fixtures up anew when it comes back.  There is
one value at a time for a definition.  At the end of a node the youngest is torn down first, and before a
fixture, whatever requires it.  What lives for a directory is kept for as long as tests of it are to come.

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
    run = _Run(ahead, _last_of_directories(plan))
    chains = [*(plan.kind(item).chain for item in plan.items), ()]
    steps = enumerate(zip(plan.items, chains, chains[1:], strict=False))
    for index, (item, chain, next_chain) in steps:
        for instance in plan.needs(item):
            run.request(item, instance)
        yield from run.take_events(item, is_set_up=True)
        yield Event("test", item)
        run.leave(None)
        for place in reversed(chain):
            if place not in next_chain:
                run.leave(place)
                run.end_directories(place, index)
        yield from run.take_events(item, is_set_up=False)


#: A directory, and whether those below it count as well.
_Extent = tuple[Place, bool]


def _extent_of(instance: Instance) -> _Extent | None:
    if instance.scope != "directory" or instance.home is None:
        return None
    return instance.home, getattr(instance.definition, "is_for_tree", False)


def _last_of_directories(plan: Plan) -> dict[_Extent, int]:
    """Return the last item of each directory for which something lives, by its position.

    Items that need nothing of it count as well: they might ask for it when they run.
    """
    extents = {
        extent for item in plan.items for each in plan.wide(item) if (extent := _extent_of(each))
    }
    last: dict[_Extent, int] = {}
    for index, item in enumerate(plan.items) if extents else ():
        folders = [each for each in plan.kind(item).chain if each.scope not in ("module", "class")]
        for extent in ((folders[-1], False), *((each, True) for each in folders)):
            if extent in extents:
                last[extent] = index
        for each in plan.wide(item):
            if extent := _extent_of(each):
                last[extent] = index
    return last


class _Run:
    def __init__(
        self, ahead: Callable[[Item, Place], Iterable[Instance]], last: dict[_Extent, int]
    ) -> None:
        self._ahead = ahead
        #: The last item of each directory for which something lives.
        self._last = last
        self._live: dict[Hashable, Instance] = {}
        #: The definitions of what has been set up at a place; None is the item's.
        self._set_up: dict[Place | _Extent | None, list[Hashable]] = {}
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
        where = _extent_of(instance) or instance.home
        self._set_up.setdefault(where, []).append(instance.definition)
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

    def end_directories(self, place: Place, index: int) -> None:
        """Tear down what lives for a directory of which no item comes after the one at ``index``.

        That is done when its node has been left, ``place``; without those below, that of the file.
        """
        if place.scope == "class":
            return
        for extent in [each for each in self._last if each in self._set_up]:
            home, is_for_tree = extent
            if self._last[extent] <= index and (place is home or not is_for_tree):
                self.leave(extent)

    def leave(self, place: Place | _Extent | None) -> None:
        """Tear down what has been set up at ``place``."""
        for definition in reversed(self._set_up.pop(place, ())):
            if definition in self._live:  # it may be another instance, that lives elsewhere
                self._finish(self._live[definition])

    def _finish(self, instance: Instance) -> None:
        for dependent in reversed(self._dependents.pop(instance.definition, {})):
            if dependent in self._live:
                self._finish(self._live[dependent])
        del self._live[instance.definition]
        # What it has left on others and on its node goes with it (``_finalizers``); pytest alone would keep
        # that, and tear the next instance down too early if it lives elsewhere or on something else.
        for required in instance.requires:
            self._dependents.get(required.definition, {}).pop(instance.definition, None)
        where = _extent_of(instance) or instance.home
        if instance.definition in self._set_up.get(where, ()):
            self._set_up[where].remove(instance.definition)
        self._events.append(("teardown", instance))
