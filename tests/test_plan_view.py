"""What a plan looks like, made by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pytest_trio_scoped._locations import location_of
from pytest_trio_scoped._plan import Plan
from pytest_trio_scoped._plan_formats import as_json, as_mermaid
from pytest_trio_scoped._plan_parts import Kind, Place, Step
from pytest_trio_scoped._plan_trace import trace
from pytest_trio_scoped._plan_view import View, text

SESSION = Place("", 0, "session")
FOLDER = Place("api", 1)
PACKAGE = Place("api/v1", 2, "package")
MODULE = Place("api/v1/test_a.py", 3, "module")
CLASS = Place("api/v1/test_a.py::TestA", 4, "class")


def _view(plan: Plan) -> View:
    return View(
        plan,
        list(trace(plan)),
        name_of=lambda item: item,
        node_id_of=lambda item: f"api/v1/test_a.py::{item}",
        is_async=lambda item: item == "test_a",
        location_of=lambda definition: f"conftest.py:{len(definition)}",
    )


@pytest.fixture
def plan() -> Plan:
    """Three tests: two in a module, one of them twice with other parameters, and one in a class."""
    db = Step("db", "session", "db")
    server = Step("server", "module", "server", (0,), is_async=True)
    cache = Step("cache", "module", "cache", (), is_async=True)
    value = Step("value", "function", "value", is_argument=True)
    user = Step("user", "function", "user", (1, 2), is_async=True)
    module = [SESSION, FOLDER, PACKAGE, MODULE]
    kind = Kind(
        [db, server, cache, value, user], [SESSION, MODULE, MODULE, None, None], module, [0]
    )
    admin = Step("admin", "class", "admin", (0,))
    of_class = Kind([db, admin], [SESSION, CLASS], [*module, CLASS], [0])
    plan = Plan(
        lambda item, step: {"db": (item[-2], item[-2]), "value": ("1", 1)}.get(step.name),
    )
    plan.add("test_a[x]", "api/v1/test_a.py::test_a[x]", kind, (0,))
    plan.add("test_b[x]", "api/v1/test_a.py::TestA::test_b[x]", of_class, (0,))
    plan.add("test_a[y]", "api/v1/test_a.py::test_a[y]", kind, (1,))
    return plan


def test_as_text(plan: Plan) -> None:
    assert text(_view(plan)).splitlines() == [
        "session",
        "  + db[x]",
        "  module api/v1/test_a.py",
        "    + server (async)",
        "    + cache (async)",
        "    test_a[x]: db[x], server, cache, user",
        "    class TestA",
        "      + admin",
        "      test_b[x]: db[x], admin",
        "    - server",
        "  - db[x]",
        "  + db[y]",
        "  module api/v1/test_a.py",
        "    + server (async)",
        "    test_a[y]: db[y], server, cache, user",
        "",
        "fixture         scope     set up  tests  requests       defined in",
        "db              session   2       3                     conftest.py:2",
        "server (async)  module    2       2      db             conftest.py:6",
        "cache (async)   module    1       2                     conftest.py:5",
        "user (async)    function  2       2      server, cache  conftest.py:4",
        "admin           class     1       1      db             conftest.py:5",
        "",
        "3 tests, 8 fixture instances, 8 set-ups; at most 2 async fixtures side by side",
    ]


def test_a_folder_is_shown_where_a_fixture_lives() -> None:
    plan = Plan()
    plan.add(
        "test_a",
        "",
        Kind([Step("p", "package", "p")], [PACKAGE], [SESSION, FOLDER, PACKAGE, MODULE]),
    )
    assert text(_view(plan)).splitlines()[:6] == [
        "session",
        "  package api/v1",
        "    + p",
        "    module api/v1/test_a.py",
        "      test_a (async): p",
        "",
    ]


def test_without_fixtures_there_is_no_table() -> None:
    plan = Plan()
    plan.add("test_b", "", Kind([], [], [SESSION, MODULE]))
    assert text(_view(plan)).splitlines() == [
        "session",
        "  module api/v1/test_a.py",
        "    test_b",
        "",
        "1 test, 0 fixture instances, 0 set-ups; at most 0 async fixtures side by side",
    ]


def _widest(*steps: Step) -> int:
    plan = Plan()
    plan.add("test_a", "", Kind(steps, [None] * len(steps), [SESSION]))
    return _view(plan).widest_stretch()


def test_the_widest_stretch_counts_async_fixtures_that_need_not_wait_for_each_other() -> None:
    a, b = Step("a", "function", "a", is_async=True), Step("b", "function", "b", is_async=True)
    sync = Step("sync", "function", "sync")
    assert _widest(a, b, sync) == 2
    assert _widest(a, sync) == 1
    assert _widest(a, Step("c", "function", "c", (0,), is_async=True)) == 1
    assert _widest(sync, Step("c", "function", "c", (0,), is_async=True), a) == 2
    assert _widest() == 0


def test_the_widest_stretch_is_that_of_one_test() -> None:
    plan = Plan()
    for number in range(2):
        step = Step("a", "function", "a", is_async=True)
        plan.add(f"test_{number}", "", Kind([step], [None], [SESSION]))
    assert _view(plan).widest_stretch() == 1


def test_as_json(plan: Plan) -> None:
    document = json.loads(as_json(_view(plan)))
    assert list(document) == ["version", "tests", "instances", "events", "summary"]
    assert document["version"] == 1
    assert document["tests"][0] == {
        "node_id": "api/v1/test_a.py::test_a[x]",
        "is_async": False,
        "needs": [0, 1, 2, 3],
    }
    assert document["instances"][1] == {
        "name": "server",
        "scope": "module",
        "param_id": None,
        "node_id": "api/v1/test_a.py",
        "is_async": True,
        "requires": [0],
        "users": [0],
        "set_ups": 1,
        "location": "conftest.py:6",
    }
    assert document["instances"][0]["param_id"] == "x"
    assert document["events"][:6] == [
        {"what": "setup", "test": 0, "instance": 0},
        {"what": "setup", "test": 0, "instance": 1},
        {"what": "setup", "test": 0, "instance": 2},
        {"what": "setup", "test": 0, "instance": 3},
        {"what": "test", "test": 0, "instance": None},
        {"what": "teardown", "test": 0, "instance": 3},
    ]
    assert document["summary"] == {
        "tests": 3,
        "instances": 8,
        "set_ups": 8,
        "async_side_by_side": 2,
    }


def test_json_of_an_empty_plan() -> None:
    document = json.loads(as_json(_view(Plan())))
    assert document["tests"] == document["instances"] == document["events"] == []


def test_as_mermaid(plan: Plan) -> None:
    assert as_mermaid(_view(plan)).splitlines() == [
        "flowchart LR",
        "  classDef async stroke-dasharray: 5 5",
        '  subgraph p0["session"]',
        '    subgraph p1["api/v1/test_a.py"]',
        '      f2(["server"]):::async',
        '      f3(["cache"]):::async',
        '      f4(["user"]):::async',
        '      t5["test_a[x]"]',
        '      subgraph p6["api/v1/test_a.py::TestA"]',
        '        f7(["admin"])',
        '        t8["test_b[x]"]',
        "      end",
        '      f9(["server"]):::async',
        '      f10(["user"]):::async',
        '      t11["test_a[y]"]',
        "    end",
        '    f12(["db[x]"])',
        '    f13(["db[y]"])',
        "  end",
        "  f12 --> f2",
        "  f2 --> f4",
        "  f3 --> f4",
        "  f12 --> f7",
        "  f13 --> f9",
        "  f9 --> f10",
        "  f3 --> f10",
        "  f4 --> t5",
        "  f7 --> t8",
        "  f10 --> t11",
    ]


def test_mermaid_gets_no_sign_that_it_would_take_for_its_own() -> None:
    plan = Plan()
    plan.add('test_b["<#>\n"]', "", Kind([], [], [SESSION]))
    assert '    t1["test_b[#quot;#lt;#35;> #quot;]"]' in as_mermaid(_view(plan)).splitlines()


HERE = Path(__file__).parent


def test_a_location_is_below_the_root_or_by_the_end_of_its_path() -> None:
    line = test_as_json.__code__.co_firstlineno
    assert location_of(test_as_json, HERE.parent) == f"tests/test_plan_view.py:{line}"
    assert location_of(test_as_json, HERE / "elsewhere") == f".../tests/test_plan_view.py:{line}"


class Callable:
    def __call__(self) -> None: ...

    @classmethod
    def method(cls) -> None: ...


@pytest.mark.parametrize(
    ("function", "expected"),
    [(Callable(), "test_plan_view.Callable"), (Callable, "test_plan_view.Callable"), (len, None)],
)
def test_what_has_no_code_is_located_by_its_class(function: Any, expected: str | None) -> None:
    assert location_of(function, HERE) == (expected or "builtins.builtin_function_or_method")


def test_a_location_is_that_of_the_function_below() -> None:
    import functools

    line = Callable.method.__func__.__code__.co_firstlineno  # type: ignore[attr-defined]
    assert location_of(Callable.method, HERE) == f"test_plan_view.py:{line}"
    assert location_of(functools.partial(Callable.method), HERE) == f"test_plan_view.py:{line}"
