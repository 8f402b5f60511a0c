"""Fixtures that are set up at the same time, and set-up functions, directories, the planned order, memory."""

from __future__ import annotations

import pytest
from concurrent_suites import TRACED, ok, run, write
from harness import Suite

# ------------------------------------------------------------------------ set-up functions


@pytest.mark.parametrize("define", ["def", "async def"])
def test_set_up_functions_stay_where_they_are(suite: Suite, define: str) -> None:
    """They are there for what they do, on which nobody says that it depends."""
    result = run(
        suite,
        TRACED
        + f"""
traced("a", scope="module", autouse=True)
traced("b", scope="module", autouse=True)
traced("c", autouse=True)
traced("d", autouse=True)

{define} setup_module(module, tmp_path_factory):
    trace("setup_module")
{define} teardown_module(module, tmp_path_factory):
    trace("teardown_module")
{define} setup_function(function, tmp_path):
    trace("setup_function")
{define} teardown_function(function, tmp_path):
    trace("teardown_function")

async def test_it():
    trace("test")
""",
    )
    trace = ok(result)
    names = [line for line in trace if "setup" in line or "teardown" in line or line == "test"]
    assert names == [
        "setup_module",
        "setup_function",
        "test",
        "teardown_function",
        "teardown_module",
    ]
    assert trace.index("setup_module") == 0
    assert trace.index("setup_function") < trace.index("c begins")
    assert trace.index("d is up") < trace.index("test")
    begun = [line for line in trace if line.endswith("begins")]
    assert {*begun[:2]} == {"a begins", "b begins"}
    assert trace.index("b begins") < trace.index("a is up")  # nor do they keep others apart


PAIR = """
    @pytest.fixture(scope="module")
    async def a():
        await meet("up", 2)
        yield "a"
        await meet("down", 2)
        trace("down")

    @pytest.fixture(scope="module")
    async def b():
        await meet("up", 2)
        yield "b"
        await meet("down", 2)
        trace("down")
"""


def test_a_set_up_function_takes_what_is_set_up_at_the_same_time(suite: Suite) -> None:
    result = run(
        suite,
        PAIR
        + """
    async def setup_module(module, a, b):
        trace(f"setup_module {a} {b}")
    async def teardown_module(module, a, b):
        trace(f"teardown_module {a} {b}")

    async def test_it(): pass
        """,
    )
    assert ok(result) == ["setup_module a b", "teardown_module a b", "down", "down"]


# ------------------------------------------------------------------------ directories

FOLDERS = """
import pytest
from meet import meet
from pytest_trio_scoped import trio_fixture
from trace import trace

@trio_fixture(scope="directory"{options})
async def first(request):
    name = request.path.parent.name
    await meet(f"up {{name}}", 2)
    yield name
    await meet(f"down {{name}}", 2)
    trace(f"down {{name}}")
    {failure}

@trio_fixture(scope="directory"{options})
async def second(request):
    name = request.path.parent.name
    await meet(f"up {{name}}", 2)
    yield name
    await meet(f"down {{name}}", 2)
    trace(f"down {{name}}")
"""


def _folders(suite: Suite, options: str = "", failure: str = "") -> None:
    write(suite, "def test_nothing(): pass\n")
    suite.write("conftest.py", FOLDERS.format(options=options, failure=failure))
    for name in ("one", "two"):
        suite.write(
            f"{name}/test_{name}.py",
            """
            from pathlib import Path
            from trace import trace

            async def test_a(first, second):
                assert first == second == Path(__file__).parent.name
                trace(f"a in {first}")

            async def test_b(second, first):
                trace(f"b in {first}")
            """,
        )


def test_those_of_a_directory_go_together(suite: Suite) -> None:
    _folders(suite)
    result = suite.run("one", "two")
    assert ok(result) == [
        *("a in one", "b in one", "down one", "down one"),
        *("a in two", "b in two", "down two", "down two"),
    ]


def test_one_of_a_directory_that_fails_in_its_tear_down_is_told(suite: Suite) -> None:
    _folders(suite, failure="raise ValueError(name)")
    result = suite.run("one", "two")
    assert result.trace == [
        *("a in one", "b in one", "down one", "down one"),
        *("a in two", "b in two", "down two", "down two"),
    ]
    told = [line for line in result.output.splitlines() if line.startswith("ERROR ")]
    assert told == [
        f"ERROR {name}/test_{name}.py::test_b - ValueError: {name}" for name in ("one", "two")
    ]


# ------------------------------------------------------------------------ the planned order

ORDERED = (
    TRACED
    + """
traced("narrow_a"); traced("narrow_b")
traced("module_a", scope="module"); traced("module_b", scope="module")
traced("wide_a", scope="session"); traced("wide_b", scope="session")
traced("later_a", scope="session"); traced("later_b", scope="session")

async def test_first(narrow_a, module_a, wide_a, narrow_b, wide_b, module_b):
    trace("test_first")

async def test_later(later_a, later_b):
    trace("test_later")
"""
)


def test_in_the_planned_order_those_of_one_scope_go_together(suite: Suite) -> None:
    write(suite, ORDERED, "trio_fixture_order = plan")
    trace = ok(suite.run())
    up = trace[: trace.index("test_first")]
    scopes = [
        next(scope for scope in ("wide", "later", "module", "narrow") if line.startswith(scope))
        for line in up
    ]
    assert scopes == [*["wide"] * 4, *["later"] * 4, *["module"] * 4, *["narrow"] * 4]
    for scope in ("wide", "module", "narrow"):
        lines = [line for line in up if line.startswith(scope)]
        assert {*lines[:2]} == {f"{scope}_a begins", f"{scope}_b begins"}
    later = [line for line in up if line.startswith("later")]
    assert later == ["later_a begins", "later_a is up", "later_b begins", "later_b is up"]
    down = trace[trace.index("test_later") + 1 :]
    assert {*down[:4]} == {
        f"module_{letter} {word}" for letter in "ab" for word in ("ends", "is down")
    }


def test_what_the_plan_sets_up_for_others_leaves_the_test_as_it_is(suite: Suite) -> None:
    """It is set up by another request, which no strand must take for that of the test."""
    write(
        suite,
        TRACED
        + """
traced("wide", scope="session")
for name in ("a", "b"):
    traced(name, scope="module")
    traced(f"own_{name}")

async def test_first(a, b, own_a, own_b, request):
    assert {*request.node.funcargs} >= {"a", "b", "own_a", "own_b"}
    assert "wide" not in request.node.funcargs
    assert request.getfixturevalue("a") == "a"

async def test_later(wide): pass
""",
        "trio_fixture_order = plan",
    )
    trace = ok(suite.run())
    assert trace[:2] == ["wide begins", "wide is up"]


def test_what_is_got_late_sets_up_nothing_for_others(suite: Suite) -> None:
    """Two that did so at the same time would each take the other's request for that of the test."""
    write(
        suite,
        TRACED
        + """
traced("wide", scope="session")
traced("late_a", scope="module"); traced("late_b", scope="module")

@pytest.fixture
async def a(request):
    await meet("both", 2)
    return request.getfixturevalue("late_a")

@pytest.fixture
async def b(request):
    await meet("both", 2)
    return request.getfixturevalue("late_b")

async def test_first(a, b, request):
    assert {*request.node.funcargs} >= {"a", "b"}
    trace("test_first")

async def test_later(wide): pass
""",
        "trio_fixture_order = plan",
    )
    trace = ok(suite.run())
    assert trace.index("test_first") < trace.index("wide begins")


# ------------------------------------------------------------------------ memory

_COUNT = """
    import pytest
    from trace import trace

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(item):
        yield
        known = [each._fixtureinfo.name2fixturedefs.values() for each in item.session.items]
        fixtures = {each for found in known for several in found for each in several}
        on_fixtures = sum(len(each._finalizers) for each in fixtures)
        nodes = item.session._setupstate.stack
        trace(f"{on_fixtures} {sum(len(finalizers) for finalizers, _ in nodes.values())}")
        return True
"""


def _counts(suite: Suite) -> list[str]:
    result = suite.run()
    assert set(result.outcomes.values()) == {"passed"}, result.output
    return result.trace[:-1]  # the last test ends it all


@pytest.mark.parametrize("scope", ["session", "module"])
def test_finalizers_do_not_grow_with_the_tests(suite: Suite, scope: str) -> None:
    write(
        suite,
        f"""
        @pytest.fixture(scope="{scope}")
        async def wide_a(): yield
        @pytest.fixture(scope="{scope}")
        async def wide_b(): yield
        @pytest.fixture
        async def a(wide_a): yield
        @pytest.fixture
        async def b(wide_b): yield

        @pytest.mark.parametrize("i", range(6))
        async def test_it(a, b, i): pass
        """,
    )
    suite.write("conftest.py", _COUNT)
    assert len(set(_counts(suite))) == 1


@pytest.mark.parametrize("scope", ["session", "module", "directory"])
def test_nor_with_the_parameters(suite: Suite, scope: str) -> None:
    """Each pair is torn down for the next one, before the end of its scope."""
    write(
        suite,
        f"""
        from pytest_trio_scoped import trio_fixture

        @trio_fixture(scope="{scope}")
        async def a(request):
            await meet(f"a up {{request.param}}", 1)
            yield request.param
        @trio_fixture(scope="{scope}")
        async def b(request):
            yield request.param

        @pytest.mark.parametrize(("a", "b"), [(i, i) for i in range(6)], indirect=True)
        async def test_it(a, b):
            assert a == b
        """,
    )
    suite.write("conftest.py", _COUNT)
    assert len(set(_counts(suite))) == 1


def test_those_that_are_left_after_one_has_gone_still_go_together(suite: Suite) -> None:
    result = run(
        suite,
        PAIR
        + """
    @pytest.fixture(scope="module")
    async def parted(request):
        yield request.param
        trace(f"parted {request.param}")

    @pytest.mark.parametrize("parted", [1, 2], indirect=True)
    async def test_it(a, parted, b): pass
        """,
    )
    trace = ok(result)
    assert trace[0] == "parted 1"
    assert sorted(trace[1:]) == ["down", "down", "parted 2"]
