"""An order of set-up in which wider fixtures come first, so that set-up and tear-down nest like a stack.

pytest sorts what one test needs by scope.  But a fixture of a class may be set up for its first test, and
one of the module around it later, for the second; then the class's is torn down first although it was
set up first.  So before anything is set up at a node, the wider fixtures are that any test to come at the
node needs, up to the moment when the run leaves the node.

Those with a parameter are left to the test that needs them: for another test there is none.
Pinned by ``tests/test_plan_order.py``.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from ._plan import Plan
from ._plan_parts import Instance, Item, Kind, Place
from ._plan_steps import SCOPES


def sorted_names(
    kind: Kind, names: Sequence[str], autouse: Collection[str], parametrized: Collection[str]
) -> list[str]:
    """Return the names that tests of a kind request in the order of set-up.

    The wider come first; among equals autouse fixtures come first, and parametrized ones last, with those
    that require one: then a change of the parameter disturbs as little as possible.
    """
    step_of = {step.name: position for position, step in enumerate(kind.steps)}
    depths: list[float] = []
    is_varied: list[bool] = []
    for step, home in zip(kind.steps, kind.homes, strict=True):
        own = float("inf") if home is None else home.depth
        depths.append(max((own, *(depths[each] for each in step.requires))))
        requires = any(is_varied[each] for each in step.requires)
        is_varied.append(requires or step.name in parametrized)

    def key(name: str) -> tuple[float, int, bool, bool]:
        position = step_of.get(name)
        if position is None:  # it does not exist; so pytest has it
            return float("inf"), 0, True, False
        width = SCOPES.index(kind.steps[position].scope)
        return depths[position], -width, name not in autouse, is_varied[position]

    return sorted(names, key=key)


class _Visit:
    """A stretch of the run during which it does not leave a place."""

    __slots__ = ("_wide", "ahead", "place")

    def __init__(self, place: Place) -> None:
        self.place = place
        #: The wide instances of the tests of the visit, the same ones once only.
        self._wide: dict[tuple[Instance, ...], None] = {}
        #: Those that are worth setting up first, when somebody has asked for them.
        self.ahead: list[Instance] | None = None

    def add(self, wide: tuple[Instance, ...]) -> None:
        self._wide[wide] = None

    def find_ahead(self) -> list[Instance]:
        if self.ahead is None:
            used = dict.fromkeys(instance for wide in self._wide for instance in wide)
            found = [each for each in used if not each.is_varied and self._is_wider(each)]
            self.ahead = sorted(found, key=_depth)
        return self.ahead

    def _is_wider(self, instance: Instance) -> bool:
        return _depth(instance) < self.place.depth


class Ahead:
    """What is set up before the first fixture of a node, for the sake of tests to come."""

    def __init__(self, plan: Plan) -> None:
        self._visits: dict[Item, tuple[_Visit, ...]] = {}
        visits: tuple[_Visit, ...] = ()
        chain: tuple[Place, ...] = ()
        for item in plan.items:
            if plan.kind(item).chain is not chain:
                chain = plan.kind(item).chain
                places = zip(chain, (*visits, *([None] * len(chain))), strict=False)
                visits = tuple(
                    visit if visit is not None and visit.place is place else _Visit(place)
                    for place, visit in places
                )
            self._visits[item] = visits
            for visit in visits:
                visit.add(plan.wide(item))

    def before(self, item: Item, place: Place) -> list[Instance]:
        """Return what to set up before a fixture of ``place`` that ``item`` needs, the widest first.

        Whoever asks has to leave out what is live, and what the item can't see.
        """
        for visit in self._visits.get(item, ()):
            if visit.place is place:
                return visit.find_ahead()
        return []


def _depth(instance: Instance) -> float:
    return float("inf") if instance.place is None else instance.place.depth
