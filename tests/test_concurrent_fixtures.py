"""With ``trio_concurrent_fixtures`` independent async fixtures of a test are set up at the same time."""

from __future__ import annotations

import textwrap

import pytest
from concurrent_suites import TRACED, ok, run, run_in_any_order, write
from harness import EVERY_SCOPE, Suite, every_scope

# ------------------------------------------------------------------------ at the same time


@every_scope
def test_independent_fixtures_are_set_up_and_torn_down_at_the_same_time(
    suite: Suite, scope: str
) -> None:
    suite.write("__init__.py", "")
    result = run(
        suite,
        f"""
        @pytest.fixture(scope="{scope}")
        async def a():
            await meet("up", 3)
            yield "a"
            await meet("down", 3)
            trace("down")

        @pytest.fixture(scope="{scope}")
        async def b():
            await meet("up", 3)
            yield "b"
            await meet("down", 3)
            trace("down")

        @pytest.fixture(scope="{scope}")
        async def c():
            async with trio.open_nursery():
                await meet("up", 3)
                yield "c"
                await meet("down", 3)
                trace("down")

        class TestIt:
            async def test_it(self, a, b, c):
                trace(a + b + c)
        """,
    )
    assert ok(result) == ["abc", "down", "down", "down"]


def test_fixtures_of_different_scopes_and_kinds_are_set_up_at_the_same_time(
    suite: Suite,
) -> None:
    """Scopes decide when they are torn down, not whether they depend on each other."""
    kinds = [(scope, word) for scope in EVERY_SCOPE for word in ("yield", "return")]
    source = "".join(
        f"""
@pytest.fixture(scope="{scope}")
async def {scope}_{word}():
    await meet("up", {len(kinds)})
    {word} "{scope}"
"""
        for scope, word in kinds
    )
    names = ", ".join(f"{scope}_{word}" for scope, word in kinds)
    result = run(suite, source + f"async def test_it({names}): trace([{names}])")
    assert ok(result) == [str([scope for scope, _ in kinds])]


@pytest.mark.parametrize(
    "test",
    ["async def test_it(a, b): pass", "def test_it(a, b): pass"],
    ids=["async test", "sync test"],
)
def test_for_sync_tests_too(suite: Suite, test: str) -> None:
    source = """
        @pytest.fixture
        async def a(): await meet("up", 2)

        @pytest.fixture
        async def b(): await meet("up", 2)
        """
    assert ok(run(suite, textwrap.dedent(source) + test)) == []


def test_however_they_are_requested(suite: Suite) -> None:
    result = run(
        suite,
        """
        import unittest

        @pytest.fixture
        async def a():
            await meet("up", 4)
            yield
            await meet("down", 4)
            trace("down")

        @pytest.fixture(autouse=True)
        async def b():
            await meet("up", 4)
            yield
            await meet("down", 4)
            trace("down")

        @pytest.fixture
        async def c():
            await meet("up", 4)
            yield
            await meet("down", 4)
            trace("down")

        @pytest.fixture
        async def d():
            await meet("up", 4)
            yield
            await meet("down", 4)
            trace("down")

        @pytest.fixture
        def sync(d): pass

        @pytest.mark.usefixtures("a")
        async def test_it(c, sync): trace("test")
        """,
    )
    assert ok(result) == ["test", "down", "down", "down", "down"]


def test_fixture_methods_get_the_instance_of_the_test(suite: Suite) -> None:
    trace = run_in_any_order(
        suite,
        """
        class TestIt:
            @pytest.fixture
            async def a(self):
                self.seen = ["a"]
                await meet("up", 2)
                self.seen.append("a")

            @pytest.fixture
            async def b(self):
                await meet("up", 2)
                self.other = "b"

            async def test_it(self, a, b): trace(self.seen + [self.other])
        """,
    )
    assert trace == ["['a', 'a', 'b']"]


def test_unittest_methods_too(suite: Suite) -> None:
    result = run(
        suite,
        """
        import unittest

        class TestIt(unittest.TestCase):
            @pytest.fixture(autouse=True)
            async def a(self):
                await meet("up", 2)
                yield
                await meet("down", 2)
                trace("down")

            @pytest.fixture(autouse=True)
            async def b(self):
                await meet("up", 2)
                yield
                await meet("down", 2)
                trace("down")

            def test_it(self): trace("test")
        """,
    )
    assert ok(result) == ["test", "down", "down"]


def test_without_trio_mode_only_what_is_ours(suite: Suite) -> None:
    write(
        suite,
        """
        @trio_fixture
        async def a(): await meet("up", 2)

        @pytest.fixture
        async def b(): await meet("up", 2)

        @pytest.mark.trio
        async def test_it(a, b): trace("test")
        """,
    )
    suite.ini("trio_concurrent_fixtures = true", trio_mode=False)
    assert ok(suite.run()) == ["test"]


def test_fixtures_with_nurseries_of_their_own(suite: Suite) -> None:
    result = run(
        suite,
        """
        @pytest.fixture(scope="session")
        async def a(nursery):
            nursery.start_soon(trio.sleep_forever)
            await meet("up", 3)
            return nursery

        @pytest.fixture(scope="session")
        async def b(nursery):
            nursery.start_soon(trio.sleep_forever)
            await meet("up", 3)
            return nursery

        @pytest.fixture(scope="session")
        async def first(): await meet("up", 3)

        async def test_it(first, a, b): assert a is not b
        """,
    )
    assert ok(result) == []


# ------------------------------------------------------------------------ in order


def test_a_fixture_waits_for_what_it_depends_on_and_for_nothing_else(suite: Suite) -> None:
    trace = run_in_any_order(
        suite,
        """
        @pytest.fixture
        async def slow():
            await meet("slow and top", 2)
            yield
            await meet("slow and bottom", 2)

        @pytest.fixture
        async def bottom():
            yield ["bottom"]
            await meet("slow and bottom", 2)
            trace("bottom down")

        @pytest.fixture
        async def middle(bottom):
            yield [*bottom, "middle"]
            trace("middle down")

        @pytest.fixture
        async def top(middle):
            await meet("slow and top", 2)
            yield [*middle, "top"]
            trace("top down")

        async def test_it(slow, top): trace(top)
        """,
    )
    assert trace == ["['bottom', 'middle', 'top']", "top down", "middle down", "bottom down"]


def test_sync_fixtures_stay_where_they_are(suite: Suite) -> None:
    result = run(
        suite,
        TRACED
        + """
traced("a1")
traced("a2")
traced("sync", word="def")
traced("a3")
traced("a4")

async def test_it(a1, a2, sync, a3, a4): trace("test")
""",
    )
    trace = ok(result)
    assert [trace.index(line) for line in ("sync begins", "sync is up")] == [4, 5]
    assert [line.split()[0] for line in trace[6:10]].count("a3") == 2
    assert trace[10] == "test"
    assert sorted(trace[11:15]) == ["a3 ends", "a3 is down", "a4 ends", "a4 is down"]
    assert trace[15:17] == ["sync ends", "sync is down"]
    assert sorted(trace[17:]) == ["a1 ends", "a1 is down", "a2 ends", "a2 is down"]


def test_a_sync_fixture_that_is_up_or_a_parameter_stands_between_none(suite: Suite) -> None:
    result = run(
        suite,
        """
        @pytest.fixture(scope="module")
        def wide():
            trace("wide")

        @pytest.fixture
        async def a(wide): await meet("up", 2)

        @pytest.fixture
        async def b(wide): await meet("up", 2)

        def test_first(wide): pass

        @pytest.mark.parametrize("x", [1])
        async def test_it(a, wide, x, request, b): pass
        """,
    )
    assert ok(result) == ["wide"]


def test_what_depends_on_a_parameter_gets_the_right_one(suite: Suite) -> None:
    result = run(
        suite,
        """
        @pytest.fixture
        async def a(x):
            await meet(f"up {x} {test}", 2)
            return x

        @pytest.fixture
        async def b(x):
            await meet(f"up {x} {test}", 2)
            return -x

        test = 0

        @pytest.mark.parametrize("x", [1, 2])
        async def test_it(a, b): trace((a, b))

        class TestWide:
            @pytest.fixture(scope="class")
            @classmethod
            async def c(cls, x):
                await meet(f"up {x}", 2)
                return x

            @pytest.fixture(scope="class")
            @classmethod
            async def d(cls, x):
                await meet(f"up {x}", 2)
                return -x

            @pytest.mark.parametrize("x", [3, 4], scope="class")
            async def test_it(self, c, d): trace((c, d))

            @pytest.mark.parametrize("x", [3, 4], scope="class")
            async def test_again(self, c, d): trace((c, d))
        """,
    )
    assert ok(result) == [
        "(1, -1)",
        "(2, -2)",
        "(3, -3)",
        "(3, -3)",
        "(4, -4)",
        "(4, -4)",
    ]


def test_wide_fixtures_with_parameters(suite: Suite) -> None:
    """Nothing of the former instances is left when the new ones are set up."""
    result = run(
        suite,
        """
        from contextlib import asynccontextmanager
        live = set()

        @asynccontextmanager
        async def alone(name, param=None, before=()):
            assert name not in live
            await trio.lowlevel.checkpoint()
            live.add(name)
            yield param
            await trio.lowlevel.checkpoint()
            assert not live.intersection(before)
            live.remove(name)
            trace(f"{name} down")

        @pytest.fixture(scope="module", params=[1, 2])
        async def x(request):
            async with alone("x", request.param, before="ab") as value: yield value

        @pytest.fixture(scope="module")
        async def a(x):
            async with alone("a", x) as value: yield value

        @pytest.fixture(scope="module")
        async def b(x):
            async with alone("b", x) as value: yield value

        @pytest.fixture(scope="module", params=[3, 4])
        async def y(request):
            async with alone("y", request.param) as value: yield value

        async def test_it(x, y, a, b): trace((x, y)); assert a == b == x
        async def test_again(x, y, a, b): trace((x, y)); assert a == b == x
        """,
    )
    trace = ok(result)
    assert [line for line in trace if line[0] == "("] == [
        *["(1, 3)"] * 2,
        *["(1, 4)"] * 2,
        *["(2, 4)"] * 2,
        *["(2, 3)"] * 2,
    ]
    downs = [line for line in trace if line[0] != "("]
    assert {name: downs.count(f"{name} down") for name in "abxy"} == {
        "a": 2,
        "b": 2,
        "x": 2,
        "y": 3,
    }


def test_what_depends_on_two_former_instances_is_gone_before_both(suite: Suite) -> None:
    result = run(
        suite,
        """
        from trio.testing import wait_all_tasks_blocked
        live = set()

        @pytest.fixture(scope="module")
        async def x(request):
            yield request.param
            assert not live
            trace("down")

        @pytest.fixture(scope="module")
        async def y(request):
            yield request.param
            assert not live
            trace("down")

        @pytest.fixture(scope="module")
        async def user(x, y):
            live.add("user")
            yield x, y
            await wait_all_tasks_blocked()
            live.remove("user")
            trace("user down")

        @pytest.mark.parametrize("x, y", [(1, 3), (2, 4)], indirect=True, scope="module")
        async def test_it(user): trace(user)
        """,
    )
    downs = ["user down", "down", "down"]
    assert ok(result) == ["(1, 3)", *downs, "(2, 4)", *downs]


def test_overriding_fixtures(suite: Suite) -> None:
    suite.write(
        "conftest.py",
        """
        import pytest
        @pytest.fixture(scope="module")
        async def a(): return ["outer"]
        @pytest.fixture
        async def b(a): return [*a, "b"]
        """,
    )
    trace = run_in_any_order(
        suite,
        """
        @pytest.fixture
        async def a(a):
            await meet("up", 2)
            return [*a, "inner"]

        @pytest.fixture
        async def c():
            await meet("up", 2)

        async def test_it(a, b, c): trace(b)
        """,
    )
    assert trace == ["['outer', 'inner', 'b']"]


def test_overrides_that_ask_for_each_other_are_left_to_pytest(suite: Suite) -> None:
    suite.write(
        "conftest.py",
        """
        import pytest
        @pytest.fixture
        async def a(): return ["outer"]
        @pytest.fixture
        async def b(a): return [*a, "b"]
        """,
    )
    result = run(
        suite,
        """
        @pytest.fixture
        async def a(b): return [*b, "inner"]

        @pytest.fixture
        async def c(): pass

        async def test_it(a, b, c): trace(a)
        """,
    )
    assert ok(result) == ["['outer', 'b', 'inner']"]


def test_sync_fixtures_around_an_override_keep_their_order(suite: Suite) -> None:
    suite.write(
        "conftest.py",
        """
        import pytest
        from trace import trace
        @pytest.fixture
        async def a(): trace("outer")
        """,
    )
    result = run(
        suite,
        """
        @pytest.fixture
        def sync(): trace("sync")

        @pytest.fixture
        async def a(a, sync): trace("inner")

        @pytest.fixture
        async def c(): trace("c")

        async def test_it(a, c): pass
        """,
    )
    assert ok(result) == ["outer", "sync", "inner", "c"]


# ------------------------------------------------------------------------ asked for late


@pytest.mark.parametrize("asker", ["a", "z"])
def test_one_that_is_under_way_is_waited_for(suite: Suite, asker: str) -> None:
    trace = run_in_any_order(
        suite,
        f"""
        @pytest.fixture
        async def {asker}(request):
            await meet("up", 2)
            b = request.getfixturevalue("b")
            yield ["{asker}", b]
            trace("asker down")

        @pytest.fixture
        async def b():
            await meet("up", 2)
            await trio.testing.wait_all_tasks_blocked()
            trace("b up")
            yield "b"
            await trio.testing.wait_all_tasks_blocked()
            trace("b down")

        import trio.testing
        async def test_it({", ".join(sorted([asker, "b"]))}): trace({asker})
        """,
    )
    assert trace == ["b up", f"['{asker}', 'b']", "asker down", "b down"]


def test_it_is_waited_for_below_a_sync_fixture_and_in_sync_fixtures(suite: Suite) -> None:
    result = run(
        suite,
        """
        import trio.testing

        @pytest.fixture
        async def a(request):
            await meet("up", 3)
            yield request.getfixturevalue("sync_by_name")
            trace("a down")

        @pytest.fixture
        async def b(request):
            await meet("up", 3)
            yield request.getfixturevalue("sync_late")
            trace("b down")

        @pytest.fixture
        async def c():
            await meet("up", 3)
            await trio.testing.wait_all_tasks_blocked()
            trace("c up")
            yield "c"
            trace("c down")

        @pytest.fixture
        def sync_by_name(c):
            yield ["by name", c]
            trace("sync down")

        @pytest.fixture
        def sync_late(request):
            yield ["late", request.getfixturevalue("c")]
            trace("sync down")

        async def test_it(a, b, c): trace([a, b])
        """,
    )
    trace = ok(result)
    assert trace[:2] == ["c up", "[['by name', 'c'], ['late', 'c']]"]
    assert sorted(trace[2:4]) == ["a down", "b down"]
    assert trace[4:] == ["sync down", "sync down", "c down"]


def test_two_ask_for_the_same_that_nobody_knew_of(suite: Suite) -> None:
    trace = run_in_any_order(
        suite,
        """
        import trio.testing

        @pytest.fixture(scope="module")
        async def late():
            trace("late up")
            await trio.testing.wait_all_tasks_blocked()
            yield object()
            trace("late down")

        @pytest.fixture
        async def a(request):
            await meet("up", 2)
            yield request.getfixturevalue("late")
            trace("down")

        @pytest.fixture
        async def b(request):
            await meet("up", 2)
            yield request.getfixturevalue("late")
            trace("down")

        async def test_it(a, b): assert a is b
        async def test_again(late): pass
        """,
    )
    assert trace == ["late up", "down", "down", "late down"]


def test_one_whose_turn_has_not_come_is_set_up_for_who_asks(suite: Suite) -> None:
    trace = run_in_any_order(
        suite,
        """
        @pytest.fixture
        async def a(request):
            await meet("up", 2)
            yield request.getfixturevalue("top")

        @pytest.fixture
        async def b():
            await meet("up", 2)
            yield "b"
            trace("b down")

        @pytest.fixture
        def sync(): trace("sync")

        @pytest.fixture
        async def top(b):
            yield [b, "top"]
            trace("top down")

        async def test_it(a, b, sync, top): trace(a); assert a is top
        """,
    )
    assert trace == ["sync", "['b', 'top']", "top down", "b down"]


def test_fixtures_that_wait_for_each_other_are_an_error(suite: Suite) -> None:
    result = run(
        suite,
        """
        @pytest.fixture
        async def a(request):
            await meet("up", 3)
            try:
                request.getfixturevalue("b")
            finally:
                trace("a left")

        @pytest.fixture
        async def b(request):
            await meet("up", 3)
            try:
                request.getfixturevalue("c")
            finally:
                trace("b left")

        @pytest.fixture
        async def c(request):
            await meet("up", 3)
            try:
                request.getfixturevalue("a")
            finally:
                trace("c left")

        async def test_it(a, b, c): pass
        async def test_next(): pass
        """,
    )
    assert result.outcomes == {"test_it": "error", "test_next": "passed"}
    assert sorted(result.trace) == ["a left", "b left", "c left"]
    assert "the set-ups of these fixtures wait for each other: '" in result.output


def test_a_fixture_that_asks_for_itself_is_the_error_that_it_is_in_pytest(
    suite: Suite,
) -> None:
    result = run(
        suite,
        """
        @pytest.fixture
        async def a(request): request.getfixturevalue("a")

        @pytest.fixture
        async def b(): pass

        async def test_it(a, b): pass
        """,
    )
    assert result.outcomes == {"test_it": "error"}
    assert "recursive dependency involving fixture 'a' detected" in result.output


# ------------------------------------------------------------------------ when it does not apply


def test_it_is_off_unless_it_is_asked_for(suite: Suite) -> None:
    suite.tests(
        TRACED
        + """
traced("a")
traced("b")

async def test_it(a, b):
    import sys
    trace([name for name in sys.modules if "_concurrent" in name or "_strands" in name])
"""
    )
    code = "import sys; [sys.modules.pop(n) for n in list(sys.modules) if '_concurrent' in n]"
    suite.write("conftest.py", code)
    assert ok(suite.run_subprocess()) == [
        "a begins",
        "a is up",
        "b begins",
        "b is up",
        "[]",
        "b ends",
        "b is down",
        "a ends",
        "a is down",
    ]


def test_ten_take_as_long_as_one(suite: Suite) -> None:
    """By the clock of the test exactly; by real time, for wide ones, with a margin."""
    names = ", ".join(f"f{i}" for i in range(10))
    fixtures = """
        @pytest.fixture
        async def f{i}():
            await trio.sleep(1)
            yield
            await trio.sleep(1)
        @pytest.fixture(scope="session")
        async def wide_f{i}():
            await trio.sleep(0.1)
            yield
    """
    wide_names = names.replace("f", "wide_f")
    trace = ok(
        run(
            suite,
            "import time\n"
            + "".join(textwrap.dedent(fixtures).format(i=i) for i in range(10))
            + textwrap.dedent(f"""
            @pytest.fixture
            def clock(autojump_clock):
                yield
                trace(f"torn down at {{autojump_clock.current_time()}}")
            async def test_virtual(clock, {names}): trace(f"set up at {{trio.current_time()}}")
            @pytest.fixture(scope="session")
            async def loop(): await trio.sleep(0)
            @pytest.fixture(scope="session")
            def start(loop): return time.monotonic()
            def test_real(start, {wide_names}):
                assert time.monotonic() - start < 0.5  # one by one it is 1 s at least
            """),
        )
    )
    assert trace == ["set up at 1.0", "torn down at 2.0"]
