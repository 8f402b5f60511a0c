"""What was set up at the same time is torn down at the same time, and reported as pytest does."""

from __future__ import annotations

import re

import pytest
from concurrent_suites import ok, run, write
from harness import Result, Suite

FAILING = """
import trio.testing

async def turns(count):
    for _ in range(count):
        await trio.testing.wait_all_tasks_blocked()

@pytest.fixture(scope="{scope}")
async def a():
    yield
    await turns(1)
    trace("a down")
    raise ValueError("a")

@pytest.fixture(scope="{scope}")
async def b():
    await turns(1)
    yield
    trace("b down")
    raise ValueError("b")

@pytest.fixture(scope="{scope}")
async def c():
    await turns(2)
    yield
    await turns(2)
    trace("c down")

@pytest.fixture(scope="{scope}")
async def d(a, b, c):
    yield
    trace("d down")
    raise ValueError("d")

async def test_it(a, b, c, d): pass
async def test_next(): pass
"""


@pytest.mark.parametrize("scope", ["function", "module"])
def test_errors_look_as_if_they_had_been_torn_down_one_by_one(suite: Suite, scope: str) -> None:
    write(suite, FAILING.replace("{scope}", scope))
    concurrent = suite.run()
    suite.ini()
    sequential = suite.run()
    assert told_in(concurrent) == told_in(sequential)
    assert concurrent.phases == sequential.phases
    assert sequential.trace[:4] == ["d down", "b down", "a down", "c down"]
    assert sequential.trace[4:] == ["d down", "c down", "b down", "a down"]


def told_in(result: Result) -> list[str]:
    """Return what is reported; pytest 8 shows its own frames as well, which are not the same."""
    return [line for line in result.output.splitlines() if re.search("Error|Group|---|ERR", line)]


def test_one_error_stays_itself(suite: Suite) -> None:
    result = run(
        suite,
        """
        @pytest.fixture
        async def a():
            yield
            raise ValueError("a")

        @pytest.fixture
        async def b():
            yield
            await meet("alone", 1)
            trace("b down")

        async def test_it(a, b): pass
        """,
    )
    assert result.phases == {"test_it": "passed passed failed"}
    assert result.trace == ["b down"]
    assert "E       ValueError: a" in result.output
    assert "Group" not in result.output


def test_what_fixtures_without_yield_have_to_do_is_done_at_the_same_time_too(suite: Suite) -> None:
    result = run(
        suite,
        """
        async def finish():
            await meet("down", 2)
            trace("down")

        @pytest.fixture
        async def a(request): request.addfinalizer(finish)

        @pytest.fixture
        async def b(request): request.addfinalizer(finish)

        async def test_it(a, b): pass
        """,
    )
    assert ok(result) == ["down", "down"]


def test_what_came_later_goes_first_and_what_came_before_goes_last(suite: Suite) -> None:
    result = run(
        suite,
        """
        import trio.testing

        def fixture(name):
            @pytest.fixture(name=name)
            async def function():
                yield
                await trio.testing.wait_all_tasks_blocked()
                trace(f"{name} down")
            return function

        a, b, c, d = map(fixture, "abcd")

        @pytest.fixture
        def sync():
            yield
            trace("sync down")

        @pytest.fixture
        def first():
            yield
            trace("first down")

        async def test_it(first, a, b, sync, request):
            request.addfinalizer(lambda: trace("own"))
            request.getfixturevalue("c")
            request.getfixturevalue("d")
        """,
    )
    trace = ok(result)
    assert trace[:4] == ["d down", "c down", "own", "sync down"]
    assert sorted(trace[4:6]) == ["a down", "b down"]
    assert trace[6:] == ["first down"]


def test_one_that_has_failed_is_torn_down_before_what_it_took(suite: Suite) -> None:
    result = run(
        suite,
        """
        import trio.testing

        @pytest.fixture
        async def a():
            yield
            await meet("down", 2)
            trace("a down")

        @pytest.fixture
        async def b():
            yield
            await meet("down", 2)
            trace("b down")

        async def finish():
            await trio.testing.wait_all_tasks_blocked()
            trace("finished")

        @pytest.fixture
        async def c(a, b, request):
            request.addfinalizer(finish)
            raise ValueError

        async def test_it(a, b, c): pass
        """,
    )
    assert result.outcomes == {"test_it": "error"}
    assert result.trace[0] == "finished"
    assert sorted(result.trace[1:]) == ["a down", "b down"]


def test_what_pytest_lets_depend_on_narrower_ones_goes_first(suite: Suite) -> None:
    """``parametrize`` may give a wide fixture the scope of the test; what depends on it stays wide."""
    result = run(
        suite,
        """
        import trio.testing
        live = set()

        @pytest.fixture(scope="module")
        async def a(request):
            live.add("a")
            yield
            assert "user" not in live
            trace("a down")

        @pytest.fixture(scope="module")
        async def b(request):
            yield
            assert "user" not in live
            trace("b down")

        @pytest.fixture(scope="module")
        async def user(a, b):
            live.add("user")
            yield
            await trio.testing.wait_all_tasks_blocked()
            live.remove("user")
            trace("user down")

        @pytest.mark.parametrize("a, b", [(1, 1), (2, 2)], indirect=True, scope="function")
        async def test_it(a, b, user): trace("test")
        """,
    )
    trace = ok(result)
    assert [sorted(trace[1:4]), sorted(trace[5:])] == [["a down", "b down", "user down"]] * 2


def test_with_another_parameter_only_the_new_one_is_left(suite: Suite) -> None:
    """And nothing keeps the value of the former one."""
    result = run(
        suite,
        """
        import weakref

        class Value: pass
        former = []

        @pytest.fixture(scope="module", params=[1, 2])
        async def a(request):
            value = Value()
            former.append(weakref.ref(value))
            yield value
            del value
            trace(f"a{request.param} down")

        @pytest.fixture(scope="module")
        async def b():
            yield
            trace("b down")

        async def test_it(a, b):
            trace([each() is None for each in former])
        """,
    )
    trace = ok(result)
    assert trace[:3] == ["[False]", "a1 down", "[True, False]"]
    assert sorted(trace[3:]) == ["a2 down", "b down"]


def test_values_are_gone_when_they_are_torn_down(suite: Suite) -> None:
    result = run(
        suite,
        """
        import gc, weakref

        class Value: pass
        values = weakref.WeakSet()

        @pytest.fixture
        async def a():
            value = Value()
            values.add(value)
            return value

        @pytest.fixture
        async def b():
            value = Value()
            values.add(value)
            yield value

        @pytest.fixture(autouse=True, scope="session")
        def without_collections():
            gc.disable()
            yield
            gc.enable()

        async def test_it(a, b): pass
        def test_next(): trace(len(values))
        """,
    )
    assert ok(result) == ["0"]


def test_on_a_wide_node_each_stretch_goes_at_the_same_time(suite: Suite) -> None:
    result = run(
        suite,
        """
        def fixture(name, place):
            @pytest.fixture(name=name, scope="session")
            async def function():
                yield
                await meet(place, 2)
                trace(f"{place} down")
            return function

        a, b = fixture("a", "first"), fixture("b", "first")
        c, d = fixture("c", "second"), fixture("d", "second")

        async def test_it(a, b): pass
        async def test_next(a, c, d): pass
        """,
    )
    assert ok(result) == ["second down", "second down", "first down", "first down"]


def test_of_many_tests_nothing_is_left(suite: Suite) -> None:
    result = run(
        suite,
        """
        import gc
        from collections import Counter
        @pytest.fixture(scope="session")
        async def wide(): yield
        @pytest.fixture(scope="session")
        async def other(): yield
        @pytest.fixture
        async def a(wide, other): yield
        @pytest.fixture
        async def b(request): yield request.getfixturevalue("wide")
        @pytest.mark.parametrize("number", range(30))
        @pytest.mark.trio(timeout=60)
        async def test_it(a, b, number): pass
        def test_last():
            gc.collect()
            kinds = Counter(type(each).__name__ for each in gc.get_objects())
            names = "Strand", "Strands", "Course", "Layers", "_Group", "_Stretch", "Lifetime"
            trace({name: kinds[name] for name in names if kinds[name] > 5})
        """,
    )
    assert set(result.outcomes.values()) == {"passed"}
    assert result.trace == ["{}"]
