"""What the names that a test requests stand for, and what is wrong with them."""

from __future__ import annotations

import dataclasses

import pytest

from pytest_trio_scoped._plan_steps import Problem, Steps


@dataclasses.dataclass(frozen=True)
class Fixture:
    """A fixture definition as pytest has them, as far as it matters."""

    name: str
    argnames: tuple[str, ...] = ()
    scope: str = "function"


def _steps(names: str, *fixtures: Fixture, **scopes: str) -> Steps:
    """Resolve ``names`` where ``fixtures`` are visible; the later override the earlier."""
    return Steps(
        names.split(),
        lambda name: [fixture for fixture in fixtures if fixture.name == name],
        scopes=scopes,
    )


def _edges(steps: Steps) -> list[tuple[str, list[str]]]:
    return [
        (step.name, [steps.steps[position].name for position in step.requires])
        for step in steps.steps
    ]


def _problems(steps: Steps) -> list[tuple[str, str]]:
    return [(problem.what, " ".join(problem.names)) for problem in steps.problems]


def test_requirements_come_first_and_once() -> None:
    steps = _steps("c b a", Fixture("a"), Fixture("b", ("a",)), Fixture("c", ("request", "b", "a")))
    assert _edges(steps) == [("a", []), ("b", ["a"]), ("c", ["b", "a"])]
    assert steps.problems == []


def test_the_last_definition_counts_and_requests_the_one_before_by_its_own_name() -> None:
    lower, middle, upper = Fixture("x"), Fixture("x", ("x",)), Fixture("x", ("x",), "function")
    fixtures = [
        lower,
        middle,
        dataclasses.replace(upper, argnames=("x", "y")),
        Fixture("y", ("x",)),
    ]
    steps = _steps("x y", *fixtures)
    assert [step.definition for step in steps.steps] == [*fixtures[:2], fixtures[3], fixtures[2]]
    # While the last "x" is set up, "y" gets the one before.
    assert [step.requires for step in steps.steps] == [(), (0,), (1,), (1, 2)]


def test_an_override_may_be_requested_through_others() -> None:
    first, second = Fixture("x"), Fixture("x", ("y",))
    steps = _steps("x", first, second, Fixture("y", ("x",)))
    assert [step.definition for step in steps.steps] == [first, Fixture("y", ("x",)), second]


def test_a_parameter_may_give_a_scope() -> None:
    steps = _steps("x", Fixture("x"), x="module")
    assert [step.scope for step in steps.steps] == ["module"]


def test_names_the_way_to_an_unknown_fixture() -> None:
    a, b = Fixture("a", ("b",)), Fixture("b", ("nobody",))
    steps = _steps("a somebody", a, b)
    assert steps.problems == [
        Problem("unknown", ("a", "b", "nobody"), (a, b)),
        Problem("unknown", ("somebody",), ()),
    ]
    assert _edges(steps) == [("b", []), ("a", ["b"])]


def test_what_a_fixture_requests_is_not_taken_for_the_test_s_own_request() -> None:
    """pytest's list of names has it, at the end."""
    assert _problems(_steps("a nobody", Fixture("a", ("nobody",)))) == [("unknown", "a nobody")]


def test_names_the_way_around_a_cycle() -> None:
    a, b = Fixture("a", ("b",)), Fixture("b", ("a",))
    steps = _steps("a b", a, b)
    assert steps.problems == [Problem("cycle", ("a", "b", "a"), (a, b))]


def test_a_fixture_that_requests_itself_and_overrides_nothing_is_a_cycle() -> None:
    assert _problems(_steps("a", Fixture("a", ("a",)))) == [("cycle", "a a")]


WIDE, NARROW = Fixture("wide", ("narrow",), "module"), Fixture("narrow", (), "class")


def test_names_the_way_to_a_narrower_scope() -> None:
    steps = _steps("top", WIDE, NARROW, Fixture("top", ("wide",)))
    top = Fixture("top", ("wide",))
    assert steps.problems == [
        Problem("scope", ("top", "wide", "narrow"), (top, WIDE, NARROW), "module")
    ]


@pytest.mark.parametrize("names", ["narrow wide", "wide narrow"])
def test_the_order_of_set_up_hides_no_scope(names: str) -> None:
    assert _problems(_steps(names, WIDE, NARROW)) == [("scope", "wide narrow")]


@pytest.mark.parametrize("scope", ["module", "package", "session"])
def test_a_requirement_may_be_as_wide_or_wider(scope: str) -> None:
    assert _problems(_steps("wide", WIDE, Fixture("narrow", (), scope))) == []


def test_the_scope_of_a_parameter_counts_for_who_requests_and_not_for_what_is_requested() -> None:
    """As in pytest: a wide fixture may request one whose parameter has a narrow scope, and is rebuilt."""
    db, client = Fixture("db", (), "module"), Fixture("client", ("db",), "module")
    assert _problems(_steps("client", db, client, db="function")) == []
    user, narrow = Fixture("user", ("narrow",)), Fixture("narrow")
    assert _problems(_steps("user", user, narrow, user="module")) == [("scope", "user narrow")]
