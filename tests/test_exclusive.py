"""Which tests run alone when many run at once, why, and which of a group."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from harness import Suite

from pytest_trio_scoped._exclusive import CHANGE_THE_PROCESS, MARKS, Exclusive
from pytest_trio_scoped._settings import Settings

AT_ONCE = "--trio-parallel=10"

#: Traces who is in flight together with another one.
_WATCH = """
    import pytest
    from trace import trace
    in_flight = []
    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(item):
        in_flight.append(item.name)
        if len(in_flight) > 1:
            trace(" ".join(sorted(in_flight)))
        yield
        in_flight.remove(item.name)
        return True
"""


def item_with(*names: str, mark: str | None = None) -> Any:
    """Return an item with these fixtures and a mark."""

    def get_closest_marker(name: str) -> str | None:
        return mark if name == mark else None

    return SimpleNamespace(get_closest_marker=get_closest_marker, fixturenames=list(names))


# ---------------------------------------------------------------- why


@pytest.mark.parametrize("name", sorted(CHANGE_THE_PROCESS))
def test_fixtures_that_change_the_process(name: str) -> None:
    exclusive = Exclusive(Settings(is_trio_mode=True, run_by="trio"))
    assert exclusive.reason(item_with("tmp_path", name)) == f"fixture {name!r}"
    assert exclusive.is_exclusive_fixture(name)


def test_the_names_are_those_of_the_documentation() -> None:
    named = "capsys capsysbinary capfd capfdbinary capteesys monkeypatch recwarn mocker"
    clocks = "mock_clock autojump_clock"
    assert {*named.split(), *clocks.split()} <= CHANGE_THE_PROCESS


def test_the_ini_list_adds_names() -> None:
    settings = Settings(is_trio_mode=True, run_by="trio", exclusive_fixtures=("database",))
    exclusive = Exclusive(settings)
    assert exclusive.reason(item_with("database", "capsys")) == "fixture 'database'"
    assert exclusive.reason(item_with("capsys")) == "fixture 'capsys'"
    assert exclusive.reason(item_with("tmp_path")) is None
    assert exclusive.is_exclusive_fixture("database")
    assert not exclusive.is_exclusive_fixture("tmp_path")


@pytest.mark.parametrize("mark", MARKS)
def test_marks_count_for_items_without_fixtures_too(mark: str) -> None:
    exclusive = Exclusive(Settings(is_trio_mode=True, run_by="trio"))
    item = item_with(mark=mark)
    del item.fixturenames
    assert exclusive.reason(item) == f"mark {mark!r}"


def test_tests_that_have_a_loop_of_their_own(suite: Suite) -> None:
    suite.tests("""
        import trio.testing
        @pytest.fixture
        def clock():
            return trio.testing.MockClock()
        @pytest.mark.trio(run=trio.run)
        async def test_run(): pass
        async def test_clock(clock): pass
        def test_sync(): trio.run(trio.sleep, 0)
        async def test_plain(): await trio.sleep(0)
    """)
    result = suite.run(AT_ONCE, "-v")
    assert set(result.outcomes.values()) == {"passed"}, result.output
    for name in ("test_run", "test_clock"):
        assert f"  alone: test_it.py::{name} (a loop of its own)" in result.output
    assert "at once, 2 of 4 alone" in result.output


# ---------------------------------------------------------------- alone


_SUITE = """
    @pytest.fixture(scope="session")
    async def settings(monkeypatch_session): pass
    @pytest.fixture(scope="session")
    def monkeypatch_session():
        with pytest.MonkeyPatch.context() as patch:
            yield patch
    @pytest.fixture
    async def own(monkeypatch): pass

    @pytest.mark.parametrize("i", range(3))
    async def test_a(i): await trio.sleep(0.001)
    async def test_settings(settings): await trio.sleep(0.001)
    async def test_patch(monkeypatch): await trio.sleep(0.001)
    async def test_through_another_one(own): await trio.sleep(0.001)
    @pytest.mark.trio_exclusive
    async def test_mark(): await trio.sleep(0.001)
    async def test_b(): await trio.sleep(0.001)
    async def test_c(): await trio.sleep(0.001)
"""


def test_run_alone_behind_their_neighbours(suite: Suite) -> None:
    suite.tests(_SUITE)
    suite.ini("trio_exclusive_fixtures = settings")
    suite.write("conftest.py", _WATCH)
    result = suite.run(AT_ONCE, "-v")
    together = ["test_a[0]", "test_a[1]", "test_a[2]", "test_b", "test_c"]
    assert result.trace[-1] == " ".join(together)
    assert {name for line in result.trace for name in line.split()} == set(together)
    alone = ["test_settings", "test_patch", "test_through_another_one", "test_mark"]
    assert list(result.phases)[-4:] == alone
    assert "trio-parallel: up to 10 tests at once, 4 of 9 alone" in result.output
    reasons = {
        "test_settings": "fixture 'settings'",
        "test_patch": "fixture 'monkeypatch'",
        "test_through_another_one": "fixture 'monkeypatch'",
        "test_mark": "mark 'trio_exclusive'",
    }
    for name, reason in reasons.items():
        assert f"  alone: test_it.py::{name} ({reason})" in result.output


def test_without_verbose_the_number_is_told_and_no_reasons(suite: Suite) -> None:
    suite.tests(_SUITE)
    output = suite.run(AT_ONCE).output
    assert "trio-parallel: up to 10 tests at once, 3 of 9 alone" in output
    assert "alone: test_it.py" not in output


def test_items_that_a_plugin_changes_late_are_those_that_run(suite: Suite) -> None:
    suite.tests(_SUITE)
    suite.write(
        "conftest.py",
        _WATCH
        + """
    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(session):
        del session.items[:3]
        session.items.append(session.items[-1])
    """,
    )
    result = suite.run(AT_ONCE)
    assert "3 of 9 alone" in result.output
    assert result.trace[-1] == "test_b test_c test_settings"
    assert result.phases.pop("test_c") == "passed passed passed passed passed passed"
    assert set(result.phases.values()) == {"passed passed passed"}
    assert len(result.phases) == 5


@pytest.mark.parametrize("where", ["module", "class"])
def test_the_mark_of_a_module_or_class_counts_for_its_tests(suite: Suite, where: str) -> None:
    mark = "pytestmark = pytest.mark.trio_exclusive"
    suite.tests(f"""
        {mark if where == "module" else ""}
        class TestIt:
            {mark if where == "class" else ""}
            async def test_a(self): await trio.sleep(0)
            async def test_b(self): await trio.sleep(0)
    """)
    suite.write("conftest.py", _WATCH)
    result = suite.run(AT_ONCE)
    assert (result.trace, len(result.phases)) == ([], 2)


@pytest.mark.parametrize("name", ["capsys", "monkeypatch", "recwarn", "database"])
@pytest.mark.parametrize("by", ["test", "fixture"])
def test_asking_late_is_an_error_where_others_run(suite: Suite, name: str, by: str) -> None:
    suite.tests(f"""
        @pytest.fixture
        def database(): pass
        @pytest.fixture
        async def own(request):
            if {by == "fixture"}:
                request.getfixturevalue({name!r})
        async def test_late(own, request):
            if {by == "test"}:
                request.getfixturevalue({name!r})
        @pytest.mark.trio_exclusive
        async def test_alone(own, request):
            request.getfixturevalue({name!r})
        async def test_other(): pass
    """)
    suite.ini("trio_exclusive_fixtures = database")
    result = suite.run(AT_ONCE)
    assert result.outcomes == {
        "test_late": "failed" if by == "test" else "error",
        "test_alone": "passed",
        "test_other": "passed",
    }
    told = f"test_it.py::test_late asks for {name!r} with getfixturevalue(), which changes the "
    assert told in result.output
    assert "or mark the test 'trio_exclusive'." in result.output


# ---------------------------------------------------------------- groups


def test_one_of_a_group_at_a_time_beside_others(suite: Suite) -> None:
    suite.tests("""
        @pytest.mark.trio_group("g")
        @pytest.mark.parametrize("i", range(3))
        async def test_g(i): await trio.sleep(0.001)
        @pytest.mark.trio_group("h")
        @pytest.mark.trio_group("g")
        async def test_both(): await trio.sleep(0.001)
        @pytest.mark.trio_group("h")
        async def test_h(): await trio.sleep(0.001)
        async def test_other(): await trio.sleep(0.01)
    """)
    suite.write("conftest.py", _WATCH)
    result = suite.run(AT_ONCE)
    assert set(result.outcomes.values()) == {"passed"}
    assert "test_g[0] test_h test_other" in result.trace
    for line in result.trace:
        assert sum("g" in name or name == "test_both" for name in line.split()) <= 1
        assert sum(name in ("test_h", "test_both") for name in line.split()) <= 1


@pytest.mark.parametrize("arguments", ["", "1", "'a', 'b'", "name='a'"])
@pytest.mark.parametrize("where", ["test", "module"])
def test_a_group_without_a_name_is_a_usage_error(suite: Suite, arguments: str, where: str) -> None:
    mark = f"pytest.mark.trio_group({arguments})"
    suite.tests(f"""
        {"pytestmark = " + mark if where == "module" else ""}
        {"@" + mark if where == "test" else ""}
        async def test_a(): pass
        async def test_b(): pass
    """)
    result = suite.run(AT_ONCE)
    assert (result.exit_code, result.phases) == (pytest.ExitCode.USAGE_ERROR, {})
    assert "test_it.py::test_a is marked 'trio_group', which takes one argument" in result.output
    assert "INTERNALERROR" not in result.output
