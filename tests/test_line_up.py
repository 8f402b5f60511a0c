"""The order in which tests may start, with items that are names and a plan that is a table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pytest

from pytest_trio_scoped._line_up import Line


class Item:
    """A test of a module."""

    def __init__(self, name: str, module: str) -> None:
        self.name = name
        self.module = module
        self.parent = module

    def getparent(self, kind: type) -> str | None:
        """Return the module."""
        return self.module if kind is pytest.Module else None


class Instance:
    """A wide fixture as it is while it has one parameter, in one node."""

    def __init__(self, definition: str, home: str = "session") -> None:
        self.definition = definition
        self.home = home


class Table:
    """A plan: the wide instances of each item."""

    def __init__(self, wide: Mapping[Any, tuple[Instance, ...]]) -> None:
        self._wide = wide

    def wide(self, item: Any) -> tuple[Instance, ...]:
        """Return those of an item."""
        return self._wide.get(item, ())


def make_items(names: str) -> list[Any]:
    """Return items of these names; the first letter is that of the module."""
    return [Item(name, name[0]) for name in names.split()]


def names_of(items: Iterable[Any]) -> str:
    """Return the names of items."""
    return " ".join(item.name for item in items)


def ordered(items: list[Any], alone: str, wide: Mapping[Any, tuple[Instance, ...]] = {}) -> str:
    """Return the order of the items, of which some run alone."""
    made = line(items, alone, wide)
    return names_of(made.item(index) for index in range(len(items)))


def line(
    items: list[Any],
    alone: str = "",
    wide: Mapping[Any, tuple[Instance, ...]] = {},
    *,
    groups_of: Callable[[Any], Iterable[str]] = lambda _item: (),
    node_of: Callable[[Any], object] = lambda _item: None,
) -> Line:
    """Return the line of the items, of which some run alone."""
    those = {item: "" for item in items if item.name in alone.split()}
    plan: Any = Table(wide)
    made = Line(items, plan, those, groups_of, node_of)
    for number in range(len(items)):
        made.add(number)
    made.close()
    return made


def rounds(made: Line) -> list[str]:
    """Return who runs together: all that may start do, and all of them end before others start."""
    found = []
    while (index := made.take()) is not None:
        together = [index]
        while (index := made.take()) is not None:
            together.append(index)
        found.append(names_of(made.item(each) for each in together))
        for each in together:
            made.end(each)
    return found


# ---------------------------------------------------------------- order


def test_without_any_alone_the_order_is_kept() -> None:
    assert ordered(make_items("a1 b1 a2"), "") == "a1 b1 a2"


def test_those_alone_come_behind_their_neighbours_of_the_module() -> None:
    assert ordered(make_items("a1 a2 a3 b1 b2 a4"), "a1 a3 b1") == "a2 a1 a3 b2 b1 a4"


def test_those_alone_stay_where_their_parameters_are() -> None:
    items = make_items("a1 a2 a3 a4")
    one, two = Instance("f"), Instance("f")
    wide = {items[0]: (one,), items[1]: (one,), items[2]: (two,), items[3]: (two,)}
    assert ordered(items, "a1 a3", wide) == "a2 a1 a4 a3"


def test_one_instance_of_a_fixture_parts_no_neighbours() -> None:
    items = make_items("a1 a2 a3")
    only = Instance("f")
    assert ordered(items, "a1", {items[1]: (only,)}) == "a2 a3 a1"


# ---------------------------------------------------------------- who may start


def test_all_may_run_together() -> None:
    items = make_items("a1 a2 b1")
    assert rounds(line(items)) == ["a1 a2 b1"]


def test_one_alone_waits_for_all_before_it_and_all_behind_it_wait() -> None:
    items = make_items("a1 a2 a3 a4 b1 b2")
    assert rounds(line(items, "a3 a4 b2")) == ["a1 a2", "a3", "a4", "b1", "b2"]


def test_the_instances_of_a_fixture_take_turns_and_others_pass_by() -> None:
    items = make_items("a1 a2 a3 a4")
    one, two, other = Instance("f"), Instance("f"), Instance("g")
    wide = {items[0]: (one, other), items[1]: (two, other), items[2]: (one,), items[3]: (other,)}
    assert rounds(line(items, "", wide)) == ["a1 a4", "a2", "a3"]


def test_a_fixture_that_only_some_tests_give_a_parameter_takes_turns_as_well() -> None:
    # Neither instance is told from the other by what it is; that there are two of them counts.
    items = make_items("a1 a2")
    wide = {items[0]: (Instance("f"),), items[1]: (Instance("f"),)}
    assert rounds(line(items, "", wide)) == ["a1", "a2"]


def test_instances_in_different_nodes_are_live_together() -> None:
    items = make_items("a1 a2 b1 b2")
    wide = {item: (Instance("f", item.module),) for item in items}
    assert rounds(line(items, "", wide)) == ["a1 b1", "a2 b2"]


def test_nodes_take_turns() -> None:
    items = make_items("a1 a2 b1 a3")
    made = line(items, node_of=lambda item: item.module)
    assert rounds(made) == ["a1 a2", "b1", "a3"]


def test_of_a_group_one_runs_at_a_time() -> None:
    items = make_items("a1 a2 b1")
    made = line(items, groups_of=lambda item: [item.module])
    assert rounds(made) == ["a1 b1", "a2"]


def test_an_item_that_comes_twice_does_not_overlap_with_itself() -> None:
    first, second = make_items("a1 a2")
    items = [first, second, first]
    assert rounds(line(items)) == ["a1 a2", "a1"]


def test_more_may_come_when_others_have_ended() -> None:
    items = make_items("a1 a2 a3 b1")
    plan: Any = Table(
        {items[0]: (one := Instance("f"),), items[2]: (Instance("f"),), items[3]: (one,)}
    )
    made = Line(items, plan, {items[1]: ""}, lambda _item: ("g",), lambda _item: None)
    made.add(0)
    assert rounds(made) == ["a1"]
    made.add(1)
    assert made.take() is None  # it waits for neighbours
    made.add(3)
    assert made.alone_to_come == 1
    made.add(2)
    assert rounds(made) == ["a2", "b1", "a3"]
    assert made.alone_to_come == 0
    assert not made.close()
