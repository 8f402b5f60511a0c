"""The plan on plain names, scopes and edges."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_trio_scoped._plan import Plan
from pytest_trio_scoped._plan_parts import Instance, Kind, Place, Step

SESSION = Place("", 0)
MODULES = [Place("a.py", 1), Place("b.py", 1)]


@dataclasses.dataclass(frozen=True)
class Fixture:
    """A fixture of a made-up suite: narrow, or at the module or the session; it may have parameters."""

    name: str
    level: int
    requires: tuple[int, ...]
    is_parametrized: bool


@st.composite
def suites(draw: st.DrawFn) -> Plan:
    """Draw a plan for a random DAG of fixtures, in which nothing requires what is narrower."""
    fixtures: list[Fixture] = []
    for number in range(draw(st.integers(1, 7))):
        level = draw(st.integers(0, 2))
        possible = [each for each, fixture in enumerate(fixtures) if fixture.level <= level]
        requires = draw(
            st.sets(st.sampled_from(possible), max_size=3) if possible else st.just(set())
        )
        fixtures.append(Fixture(f"f{number}", level, tuple(sorted(requires)), draw(st.booleans())))
    plan = Plan(_param_of)
    kinds: dict[Any, Kind] = {}
    items = [draw_item(draw, fixtures, number) for number in range(draw(st.integers(1, 12)))]
    for item in draw(st.lists(st.sampled_from(items), min_size=1, max_size=20)):
        _, module, params, wanted = item
        kind = kinds.get((module, wanted))
        if kind is None:
            kind = kinds[module, wanted] = make_kind(fixtures, module, wanted)
        keys = tuple(params[kind.steps[each].name] for each in kind.varied)
        plan.add(item, f"{module.node_id}::{item[0]}", kind, keys)
    return plan


def _param_of(item: Any, step: Step) -> tuple[str, int] | None:
    params = item[2]
    return (str(params[step.name]), params[step.name]) if step.name in params else None


class Item(tuple[Any, ...]):
    """A test, equal to itself only."""

    __slots__ = ()
    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other


def draw_item(draw: st.DrawFn, fixtures: list[Fixture], number: int) -> Item:
    module = draw(st.sampled_from(MODULES))
    wanted = draw(st.frozensets(st.sampled_from(range(len(fixtures))), max_size=4))
    params = {each.name: draw(st.integers(0, 1)) for each in fixtures if each.is_parametrized}
    return Item((number, module, params, wanted))


def make_kind(fixtures: list[Fixture], module: Place, wanted: frozenset[int]) -> Kind:
    needed = set(wanted)
    for each in reversed(range(len(fixtures))):
        if each in needed:
            needed.update(fixtures[each].requires)
    order = sorted(needed)
    position = {each: number for number, each in enumerate(order)}
    steps, homes = [], []
    for each in order:
        fixture = fixtures[each]
        scope = ("session", "module", "function")[fixture.level]
        requires = tuple(position[required] for required in fixture.requires)
        steps.append(Step(fixture.name, scope, fixture, requires))
        homes.append((SESSION, module, None)[fixture.level])
    varied = [
        number
        for number, each in enumerate(order)
        if fixtures[each].is_parametrized and homes[number] is not None
    ]
    return Kind(steps, homes, [SESSION, module], varied)


class Walk:
    """Sets up and tears down what the plan says, and looks whether that is right at each step."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.live: list[Instance] = []

    def run(self, item: Any) -> None:
        self.end(self.plan.make_room(item))
        for instance in self.plan.setup(item):
            assert instance not in self.live
            assert set(instance.requires) <= set(self.live)
            assert instance in self.plan.needs(item)
            self.live.append(instance)
            self.look()
        assert set(self.plan.needs(item)) <= set(self.live)
        assert list(self.plan.live) == self.live
        self.end(self.plan.teardown(item))
        assert all(instance.scope != "function" for instance in self.live)

    def end(self, dying: list[Instance]) -> None:
        for instance in dying:
            self.live.remove(instance)
            assert not [each for each in self.live if instance in each.requires]
        assert list(self.plan.live) == self.live

    def look(self) -> None:
        """Look for two instances of a fixture with different parameters."""
        varied = [each.definition for each in self.live if each.is_varied]
        assert len(varied) == len(set(varied))


@given(suites())
def test_a_run_in_order(plan: Plan) -> None:
    walk = Walk(plan)
    for number, item in enumerate(plan.items):
        assert plan.make_room(item) == []
        walk.run(item)
        to_come = plan.items[number + 1 :]
        for instance in walk.live:  # nothing outlives its last user
            assert any(user in to_come for user in instance.users)
    assert walk.live == []
    for instance in plan.instances:
        assert instance.users


@given(suites(), st.data())
def test_a_run_in_any_order_with_items_left_out_and_repeated(
    plan: Plan, data: st.DataObject
) -> None:
    walk = Walk(plan)
    for item in data.draw(st.lists(st.sampled_from(plan.items), max_size=20)):
        walk.run(item)
    for item in plan.items:
        for _ in plan.items:  # "teardown" without "setup": it does not come
            walk.end(plan.teardown(item))
    assert walk.live == []


@given(suites())
def test_users_are_all_that_need_an_instance(plan: Plan) -> None:
    instances = plan.instances
    assert len(set(instances)) == len(instances)
    for instance in instances:
        needing = [item for item in dict.fromkeys(plan.items) if instance in plan.needs(item)]
        assert instance.users == needing


@given(suites())
def test_an_unvaried_instance_is_set_up_once(plan: Plan) -> None:
    started = [
        each for item in plan.items for each in (*plan.setup(item), *plan.teardown(item)[:0])
    ]
    for instance in plan.instances:
        if not instance.is_varied and instance.scope != "function":
            assert started.count(instance) == 1


def _plan(*wanted: str, params: dict[str, list[int]] | None = None) -> Plan:
    """Plan a test for each word, which is made of the letters of session fixtures; 'd' requires 'c'."""
    plan = Plan()
    for number, word in enumerate(wanted):
        steps = [Step(name, "session", name) for name in word if name != "d"]
        if "d" in word:
            steps.append(Step("d", "session", "d", (word.index("c"),)))
        varied = [each for each, step in enumerate(steps) if step.name in (params or {})]
        kind = Kind(steps, [SESSION] * len(steps), [SESSION], varied)
        keys = tuple((params or {})[steps[each].name][number] for each in varied)
        plan.add(number, f"test_{number}", kind, keys)
    return plan


def _names(instances: list[Instance]) -> str:
    return "".join(f"{each.name}{'' if each.key is None else each.key}" for each in instances)


def _lifetimes(plan: Plan) -> list[tuple[str, str]]:
    return [(_names(plan.setup(item)), _names(plan.teardown(item))) for item in plan.items]


def test_lives_from_its_first_to_its_last_user() -> None:
    assert _lifetimes(_plan("a", "ab", "b", "c")) == [("a", ""), ("b", "a"), ("", "b"), ("c", "c")]


def test_the_youngest_dies_first() -> None:
    assert _lifetimes(_plan("ab", "ba")) == [("ab", ""), ("", "ba")]


def test_a_parametrized_instance_dies_before_the_next_one_comes() -> None:
    plan = _plan("c", "a", "c", "c", params={"c": [1, 0, 2, 1]})
    assert _lifetimes(plan) == [("c1", "c1"), ("a", "a"), ("c2", "c2"), ("c1", "c1")]
    assert [str(each.key) for each in plan.instances] == ["1", "None", "2"]


def test_what_requires_a_parametrized_instance_dies_with_it() -> None:
    plan = _plan("cd", "c", "c", "cd", params={"c": [1, 1, 2, 1]})
    assert _lifetimes(plan) == [("c1d", ""), ("", "dc1"), ("c2", "c2"), ("c1d", "dc1")]
    assert [each.name for each in plan.instances] == ["c", "d", "c"]


def test_an_item_out_of_its_turn_finds_room() -> None:
    plan = _plan("cd", "cd", "cd", params={"c": [1, 1, 2]})
    first, second, last = plan.items
    assert _names(plan.setup(first)) == "c1d"
    assert plan.teardown(first) == []
    assert _names(plan.make_room(last)) == "dc1"
    assert _names(plan.setup(last)) == "c2d"
    assert _names(plan.teardown(last)) == "dc2"
    assert _names(plan.setup(second)) == "c1d"
    assert _names(plan.teardown(second)) == "dc1"


def test_room_is_made_by_set_up_if_nobody_has_asked_for_it() -> None:
    plan = _plan("cd", "c", params={"c": [1, 2]})
    first, last = plan.items
    plan.setup(first)
    assert _names(plan.setup(last)) == "c2"
    assert _names(list(plan.live)) == "c2"


def test_turns_that_are_left_out_do_not_keep_the_next_from_living_on() -> None:
    plan = _plan("c", "c", "c", params={"c": [1, 2, 2]})
    _, second, last = plan.items
    assert _names(plan.setup(second)) == "c2"
    assert plan.teardown(second) == []
    assert plan.setup(last) == []
    assert _names(plan.teardown(last)) == "c2"


def test_the_closest_to_the_item_dies_first_even_if_it_is_older() -> None:
    plan = Plan()
    plan.add(1, "test_1", Kind([Step("m", "module", "m")], [MODULES[0]], [SESSION, MODULES[0]]))
    steps = [Step("m", "module", "m"), Step("s", "session", "s")]
    plan.add(2, "test_2", Kind(steps, [MODULES[0], SESSION], [SESSION, MODULES[0]]))
    assert _lifetimes(plan) == [("m", ""), ("s", "ms")]


def test_a_second_run_of_an_item_sets_up_what_has_died() -> None:
    plan = _plan("ab", "b")
    first, second = plan.items
    assert _names(plan.setup(first)) == "ab"
    assert _names(plan.teardown(first)) == "a"
    assert _names(plan.setup(first)) == "a"
    assert _names(plan.teardown(first)) == "a"
    assert _names(plan.setup(second)) == ""
    assert _names(plan.teardown(second)) == "b"


def test_the_instances_of_a_test_are_forgotten_with_it_unless_all_were_asked_for() -> None:
    kind = Kind([Step("f", "function", "f")], [None], [SESSION])
    plan = Plan()
    plan.add("test", "test", kind)
    (instance,) = plan.setup("test")
    assert plan.needs("test") == (instance,)
    assert plan.teardown("test") == [instance]
    assert plan.needs("test") != (instance,)
    assert plan.instances == plan.needs("test")


def test_what_requires_a_narrow_instance_is_narrow() -> None:
    steps = [Step("db", "function", "db"), Step("client", "module", "client", (0,))]
    kind = Kind(steps, [None, MODULES[0]], [SESSION, MODULES[0]])
    plan = Plan()
    plan.add(1, "test_1", kind)
    plan.add(2, "test_2", kind)
    assert _lifetimes(plan) == [("dbclient", "clientdb")] * 2
    assert [each.node_id for each in plan.instances] == ["test_1", "a.py", "test_2", "a.py"]


def test_what_a_shared_instance_requires_lives_as_long_as_it_does() -> None:
    """For the second test "base" stands for another fixture, but "x" has been made with the first."""
    first = Kind(
        [Step("base", "session", "base of all"), Step("x", "session", "x", (0,))],
        [SESSION, SESSION],
        [SESSION],
    )
    second = Kind(
        [Step("base", "session", "another"), Step("x", "session", "x", (0,))],
        [SESSION, SESSION],
        [SESSION],
    )
    plan = Plan()
    plan.add(1, "test_1", first)
    plan.add(2, "test_2", second)
    assert _lifetimes(plan) == [("basex", ""), ("base", "basexbase")]


def test_an_unknown_item_is_an_error() -> None:
    plan = Plan()
    with pytest.raises(KeyError):
        plan.setup("test")
