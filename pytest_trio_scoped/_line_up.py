"""The order in which tests may start when many run at once.

It is the order of the run, but that of several neighbours those that run alone come last.  Neighbours follow
each other, in one module and with the same parameters of wide fixtures; one pause serves them all.

Pinned by ``tests/test_line_up.py``.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence

import pytest

from ._admission import Admission
from ._plan_parts import Instance
from ._planning import FixturePlan

#: The sequence whose stages are tests that run alone, and all between two of them.
_ALONE = object()
#: The one whose stages are the nodes within which tests overlap.
_NODE = object()

_Key = tuple[Hashable, ...]


class Line:
    """The line of those of ``collection`` that are put into it, the first to come in front.

    Those ``alone`` come behind their neighbours.  Wide parameters come one after the other, and items overlap
    within one ``node_of`` only.  An item that is in the collection twice does not overlap with itself.
    """

    def __init__(
        self,
        collection: Sequence[pytest.Item],
        plan: FixturePlan,
        alone: Mapping[pytest.Item, object],
        groups_of: Callable[[pytest.Item], Iterable[Hashable]],
        node_of: Callable[[pytest.Item], Hashable],
    ) -> None:
        self._collection = collection
        self._alone = alone
        # Of all, so that what is wrong with one is told before any runs.
        self._groups = [tuple(groups_of(item)) for item in collection]
        self._node_of = node_of
        self._varied = _Varied(collection, plan)
        self._twice = {item for item, times in Counter(collection).items() if times > 1}
        self._counters: dict[Hashable, _Counter] = defaultdict(_Counter)
        self._admission = Admission()
        self._pause = 0
        #: The place in the collection of each that is in the line.
        self.numbers: list[int] = []
        #: Those that wait for more neighbours.
        self._late: list[int] = []
        self._last: _Key = ()
        #: How many are in the line that run alone and have not ended.
        self.alone_to_come = 0

    def item(self, index: int) -> pytest.Item:
        """Return who stands at ``index``."""
        return self._collection[self.numbers[index]]

    def add(self, number: int) -> None:
        """Put an item at the end, given by its place in the collection."""
        item = self._collection[number]
        module = item.getparent(pytest.Module) or item.parent
        key = (module, *self._varied.of(item).items())
        if key != self._last:
            self.close()
            self._last = key
        if item in self._alone:
            self._late.append(number)
        else:
            self._admit(number)

    def close(self) -> bool:
        """Take it that the last one has no more neighbours; return whether that puts somebody in line."""
        late, self._late = self._late, []
        for number in late:
            self._admit(number)
        return bool(late)

    def take(self) -> int | None:
        """Return the first that may start now; see ``Admission``."""
        return self._admission.take()

    def end(self, index: int) -> None:
        """Note that one is no longer in flight."""
        self.alone_to_come -= self.item(index) in self._alone
        self._admission.end(index)

    def _admit(self, number: int) -> None:
        self.numbers.append(number)
        item = self._collection[number]
        is_alone = item in self._alone
        self.alone_to_come += is_alone
        self._pause += is_alone
        stages: dict[Hashable, int] = {
            _NODE: self._counters[_NODE].stage(self._node_of(item)),
            _ALONE: self._pause,
        }
        self._pause += is_alone
        for sequence, value in self._varied.of(item).items():
            stages[sequence] = self._counters[sequence].stage(value)
        twice = (item,) if item in self._twice else ()
        self._admission.add(stages, (*self._groups[number], *twice))


def with_parameters(items: Iterable[pytest.Item], plan: FixturePlan) -> frozenset[object]:
    """Return the definitions of the wide fixtures that have a parameter for one of the items."""
    needed = {plan.wide(item) for item in items}
    return frozenset(
        each.definition for instances in needed for each in instances if each.param_id is not None
    )


class _Varied:
    """Knows of which wide fixtures there are several instances in one node: one at a time is live.

    That hangs on all items: a fixture without a parameter is varied where another test gives it one.
    """

    def __init__(self, items: Iterable[pytest.Item], plan: FixturePlan) -> None:
        self._plan = plan
        self._of: dict[tuple[Instance, ...], Mapping[Hashable, Instance]] = {}
        found: dict[Hashable, set[Instance]] = defaultdict(set)
        for instances in {plan.wide(item) for item in items}:
            for instance in instances:
                found[_fixture_of(instance)].add(instance)
        self._several = {fixture for fixture, instances in found.items() if len(instances) > 1}

    def of(self, item: pytest.Item) -> Mapping[Hashable, Instance]:
        """Return the instances of such fixtures that the item needs."""
        instances = self._plan.wide(item)
        if instances not in self._of:
            by_fixture = {_fixture_of(each): each for each in instances}
            self._of[instances] = {
                fixture: each for fixture, each in by_fixture.items() if fixture in self._several
            }
        return self._of[instances]


def _fixture_of(instance: Instance) -> Hashable:
    """Return what ``instance`` is one of several instances of."""
    return instance.definition, instance.home


class _Counter:
    """Numbers the stretches of equal values that follow each other."""

    def __init__(self) -> None:
        self._number = 0
        self._last: object = None

    def stage(self, value: object) -> int:
        if self._number == 0 or value is not self._last:
            self._number += 1
            self._last = value
        return self._number
