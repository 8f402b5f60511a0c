"""The public FixturePlan, built from items that pytest has collected."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from typing import Any

import pytest
from harness import Suite
from plan_suites import SUITES
from subprocesses import lines_of

from pytest_trio_scoped import FixturePlan

Collect = Callable[..., list[pytest.Item]]


class _Finished:
    """A plugin that keeps what has been collected, in the order of the run."""

    items: list[pytest.Item]

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self.items = session.items


@pytest.fixture
def collect(suite: Suite) -> Collect:
    """Collect the tests of a file, or of a suite."""

    def collect(source: str | dict[str, str]) -> list[pytest.Item]:
        suite.ini()
        if isinstance(source, str):
            source = {"test_it.py": "import pytest\n" + textwrap.dedent(source)}
        for file, text in source.items():
            suite.write(file, text)
        finished = _Finished()
        arguments = ["--collect-only", "-p", "no:cacheprovider", "-p", "trio_scoped"]
        suite.pytester.inline_run(*arguments, plugins=[finished])
        return finished.items

    return collect


def _walk(plan: FixturePlan, items: list[pytest.Item]) -> list[str]:
    """Return what is set up and torn down around each item."""
    lines = []
    for item in items:
        before = " ".join(map(_name, plan.setup(item)))
        after = " ".join(map(_name, plan.teardown(item)))
        lines.append(f"{before} | {item.name} | {after}")
    return lines


def _name(instance: Any) -> str:
    return instance.name if instance.param_id is None else f"{instance.name}[{instance.param_id}]"


SUITE = """
    @pytest.fixture(scope="session", params=["sqlite", "postgres"])
    def db(request): yield

    @pytest.fixture(scope="module")
    async def client(db): yield

    @pytest.fixture(autouse=True)
    def clean(): yield

    def test_a(client): pass

    class TestB:
        def test_b(self, tmp_path): pass
"""


def test_an_instance_says_all_about_itself(collect: Collect) -> None:
    items = collect(SUITE)
    plan = FixturePlan(items)
    instances = {(_name(each), each.node_id): each for each in plan.instances}
    db = instances["db[sqlite]", ""]
    assert (db.name, db.scope, db.param_id, db.requires) == ("db", "session", "sqlite", ())
    assert db.users == [item for item in items if item.name == "test_a[sqlite]"]
    assert not db.is_async
    client = next(each for each in plan.instances if each.name == "client")
    assert (client.scope, client.param_id, client.node_id) == ("module", None, "test_it.py")
    assert client.requires == (db,)
    assert client.is_async
    assert isinstance(client.definition, pytest.FixtureDef)
    assert repr(client) == "<Instance client of 'test_it.py'>"
    assert repr(db) == "<Instance db[sqlite] of ''>"
    clean = instances["clean", "test_it.py::TestB::test_b"]
    assert clean.users == [item for item in items if item.name == "test_b"]


def test_says_what_is_set_up_and_torn_down_for_each_item(collect: Collect) -> None:
    items = collect(SUITE)
    assert _walk(FixturePlan(items), items) == [
        "db[sqlite] client clean | test_a[sqlite] | clean client db[sqlite]",
        "db[postgres] client clean | test_a[postgres] | clean client db[postgres]",
        "tmp_path_factory clean tmp_path | test_b | tmp_path clean tmp_path_factory",
    ]


def test_an_argument_of_a_parametrized_test_is_told_from_a_fixture(collect: Collect) -> None:
    items = collect(
        """
        @pytest.fixture
        def f(request): pass

        @pytest.mark.parametrize("f", ["x"], indirect=True)
        @pytest.mark.parametrize("a", [object()])
        @pytest.mark.parametrize("b, c", [(1, [2])])
        def test_a(a, b, c, f): pass
        """
    )
    found = {each.name: (each.param_id, each.is_argument) for each in FixturePlan(items).instances}
    assert found == {"f": ("x", False), "a": ("a0", True), "b": ("1", True), "c": ("c0", True)}


def test_the_id_of_a_parameter_is_that_in_the_name_of_the_test(collect: Collect) -> None:
    items = collect(
        """
        @pytest.fixture(params=[object()], ids=["by fixture"])
        def f(request): pass

        @pytest.mark.parametrize("a", [pytest.param(1, id="by-test")])
        def test_a(f, a): pass
        """
    )
    found = {each.name: each.param_id for each in FixturePlan(items).instances}
    assert found == {"f": "by fixture", "a": "by-test"}


@pytest.mark.parametrize("name", sorted(SUITES))
def test_what_a_plan_sets_up_it_tears_down(collect: Collect, name: str) -> None:
    items = collect(SUITES[name])
    plan = FixturePlan(items)
    live: list[Any] = []
    for item in items:
        for instance in plan.setup(item):
            assert set(instance.requires) <= set(live)
            live.append(instance)
        assert set(plan.needs(item)) <= set(live)
        for instance in plan.teardown(item):
            live.remove(instance)
            assert not [each for each in live if instance in each.requires]
    assert live == []
    assert plan.live == ()


def test_lives_as_pytest_has_it_where_the_last_user_is_the_last_of_the_scope(
    collect: Collect,
) -> None:
    source = """
        @pytest.fixture(scope="session")
        def s(): pass
        @pytest.fixture(scope="module", autouse=True)
        def m(s): pass
        @pytest.fixture(scope="class")
        def c(m): pass
        @pytest.fixture
        def f(c): pass
        def test_a(s): pass
        class TestB:
            def test_b(self, f): pass
            def test_c(self, c): pass
    """
    items = collect(source)
    assert _walk(FixturePlan(items), items) == [
        "s m | test_a | ",
        "c f | test_b | f",
        " | test_c | c m s",
    ]


def test_an_item_that_it_does_not_know_is_planned_when_it_comes(collect: Collect) -> None:
    items = collect(SUITE)
    plan = FixturePlan(items[1:])
    assert _walk(plan, items[:1]) == [
        "db[sqlite] client clean | test_a[sqlite] | clean client db[sqlite]"
    ]
    assert plan.live == ()


def test_an_item_may_be_run_again_and_come_twice(collect: Collect) -> None:
    items = collect(
        """
        @pytest.fixture(scope="module")
        def m(): pass
        @pytest.fixture
        def f(m): pass
        def test_a(f): pass
        def test_b(): pass
        """
    )
    twice = [*items, items[0]]
    plan = FixturePlan(twice)
    again = "m f | test_a | f m"  # the plan did not know of it
    walk = _walk(plan, [*twice, items[0]])
    assert walk == ["m f | test_a | f", " | test_b | ", "f | test_a | f m", again]


def test_asked_for_all_instances_it_keeps_them(collect: Collect) -> None:
    items = collect(SUITE)
    plan = FixturePlan(items)
    instances = plan.instances
    started = [each for item in items for each in (plan.setup(item), plan.teardown(item))[0]]
    assert set(started) == set(instances)
    assert set(plan.instances) == set(instances)


def test_an_empty_plan() -> None:
    plan = FixturePlan([])
    assert plan.instances == plan.live == ()


def test_leaves_out_what_does_not_exist(collect: Collect) -> None:
    items = collect(
        """
        @pytest.fixture
        def f(nobody, loop): pass
        @pytest.fixture
        def loop(f): pass
        def test_a(f): pass
        """
    )
    assert _walk(FixturePlan(items), items) == ["loop f | test_a | f loop"]


class _Odd:
    """A parameter that compares with nothing."""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        raise ValueError("no truth in this")


def test_any_object_may_be_a_parameter(collect: Collect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pytest, "odd", [_Odd(), _Odd()], raising=False)
    items = collect(
        """
        @pytest.fixture(scope="module", params=pytest.odd)
        def m(request): pass
        def test_a(m): pass
        def test_b(m): pass
        """
    )
    walk = _walk(FixturePlan(items), items)
    assert walk == [
        "m[m0] | test_a[m0] | ",
        " | test_b[m0] | m[m0]",
        "m[m1] | test_a[m1] | ",
        " | test_b[m1] | m[m1]",
    ]


def test_a_fixture_that_only_one_of_two_like_items_sees(collect: Collect) -> None:
    """A plugin may give a single item a definition of its own."""
    items = collect(
        """
        @pytest.fixture
        def f(g): pass
        @pytest.fixture
        def g(): pass
        def test_a(f): pass
        def test_b(f): pass
        """
    )
    first, second = items
    definitions = second._fixtureinfo.name2fixturedefs  # type: ignore[attr-defined]
    definitions["f"] = definitions["g"]
    walk = _walk(FixturePlan(items), items)
    assert walk == ["g f | test_a | f g", "f g | test_b | g f"]
    assert first is items[0]


def test_is_not_imported_with_the_package() -> None:
    source = """
        import sys
        import pytest_trio_scoped
        print("pytest_trio_scoped._planning" in sys.modules)
        print(pytest_trio_scoped.FixturePlan.__module__, "trio" in sys.modules)
        try:
            pytest_trio_scoped.nothing
        except AttributeError as error:
            print(error)
    """
    assert lines_of(source, prelude="") == [
        "False",
        "pytest_trio_scoped._planning False",
        "module 'pytest_trio_scoped' has no attribute 'nothing'",
    ]
