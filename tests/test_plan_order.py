"""The planned order, made by hand: what is sorted, and what is set up ahead."""

from __future__ import annotations

import pytest

from pytest_trio_scoped._plan import Plan
from pytest_trio_scoped._plan_order import Ahead, sorted_names
from pytest_trio_scoped._plan_parts import Item, Kind, Place, Step

SESSION = Place("", 0)
MODULE, OTHER = Place("a.py", 1), Place("b.py", 1)
CLASS = Place("a.py::A", 2)
HOMES = {"s": SESSION, "m": MODULE, "o": OTHER, "c": CLASS, "f": None}
SCOPES = {"s": "session", "m": "module", "o": "module", "c": "class", "f": "function"}


def _kind(names: str, chain: list[Place], varied: str = "", **requires: str) -> Kind:
    """Make a kind that needs fixtures whose first letter says where they live."""
    order = names.split()
    steps = [
        Step(
            name,
            SCOPES[name[0]],
            name,
            tuple(order.index(each) for each in requires.get(name, "").split()),
        )
        for name in order
    ]
    homes = [HOMES[name[0]] for name in order]
    return Kind(steps, homes, chain, [order.index(name) for name in varied.split()])


@pytest.mark.parametrize(
    ("names", "autouse", "parametrized", "expected"),
    [
        ("f c m s", "", "", "s m c f"),
        ("m1 m2 s", "m2", "", "s m2 m1"),
        ("m1 m2 m3", "m3", "m1", "m3 m2 m1"),
        ("m1 m2 m3", "m1 m3", "m1", "m3 m1 m2"),
        ("f1 nobody m", "", "", "m f1 nobody"),
        ("f2 f1", "", "", "f2 f1"),
    ],
)
def test_names_are_sorted(names: str, autouse: str, parametrized: str, expected: str) -> None:
    kind = _kind(" ".join(name for name in names.split() if name != "nobody"), [SESSION, MODULE])
    assert (
        sorted_names(kind, names.split(), autouse.split(), parametrized.split()) == expected.split()
    )


def test_what_requires_a_parametrized_fixture_is_as_late() -> None:
    kind = _kind("m1 m2 m3", [SESSION, MODULE], m2="m1")
    assert sorted_names(kind, ["m1", "m2", "m3"], [], ["m1"]) == ["m3", "m1", "m2"]


def test_what_requires_a_narrower_fixture_is_as_narrow() -> None:
    """As far as its scope allows that: with a parameter that has been given another scope."""
    kind = _kind("c s m", [SESSION, MODULE, CLASS], s="c")
    assert sorted_names(kind, ["s", "c", "m"], [], []) == ["m", "s", "c"]


def _ahead(*tests: tuple[Item, Kind], before: Place = CLASS, item: Item = 1) -> list[str]:
    plan = Plan()
    for each, kind in tests:
        plan.add(each, f"test_{each}", kind, tuple(0 for _ in kind.varied))
    return [instance.name for instance in Ahead(plan).before(item, before)]


IN_CLASS = [SESSION, MODULE, CLASS]


def test_wider_instances_of_tests_to_come_in_the_node_are_ahead() -> None:
    tests = (1, _kind("c", IN_CLASS)), (2, _kind("s m c2 f", IN_CLASS))
    assert _ahead(*tests) == ["s", "m"]
    assert _ahead(*tests, before=MODULE) == ["s"]
    assert _ahead(*tests, before=SESSION) == []


def test_the_widest_are_first() -> None:
    assert _ahead((1, _kind("m c", IN_CLASS)), (2, _kind("s c", IN_CLASS))) == ["s", "m"]


def test_parametrized_instances_are_left_to_their_tests() -> None:
    kind = _kind("s1 s2 s3", IN_CLASS, "s1", s2="s1")
    assert _ahead((1, kind)) == ["s3"]


def test_a_visit_ends_when_the_node_is_left() -> None:
    tests = [
        (1, _kind("c", IN_CLASS)),
        (2, _kind("m", [SESSION, MODULE])),
        (3, _kind("s c", IN_CLASS)),
        (4, _kind("s2", [SESSION, OTHER])),
    ]
    assert _ahead(*tests) == []
    assert _ahead(*tests, item=3) == ["s"]
    assert _ahead(*tests, before=MODULE) == ["s"]
    assert _ahead(*tests, before=OTHER, item=4) == ["s2"]


def test_an_unknown_item_has_nothing_ahead() -> None:
    assert _ahead((1, _kind("s c", IN_CLASS)), item=2) == []
