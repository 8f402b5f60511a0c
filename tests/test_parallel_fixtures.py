"""Fixtures of tests that run at once: whose they are, and how long they live."""

from __future__ import annotations

import pytest
from harness import Suite, every_scope

AT_ONCE = "--trio-parallel=10"


@every_scope
@pytest.mark.parametrize("define", ["def", "async def"])
def test_two_tests_share_what_is_wide_and_nothing_else(
    suite: Suite, scope: str, define: str
) -> None:
    suite.tests(f"""
        arrived = []
        both = trio.Event()

        async def meet(value):
            arrived.append(value)
            if len(arrived) == 2:
                both.set()
            await both.wait()

        @pytest.fixture(scope="{scope}")
        {define} it():
            yield object()
        class TestIt:
            async def test_a(self, it): await meet(it)
            async def test_b(self, it):
                await meet(it)
                assert (arrived[0] is arrived[1]) is ({scope!r} != "function")
    """)
    suite.ini("filterwarnings = ignore:.*-scoped fixtures defined")
    assert set(suite.run(AT_ONCE).outcomes.values()) == {"passed"}


def test_a_slow_set_up_is_waited_for_by_all_and_done_once(suite: Suite) -> None:
    suite.tests("""
        waiting = 0
        @pytest.fixture(scope="session")
        async def it():
            trace("set up")
            while waiting < 4:
                await trio.sleep(0)
            yield 1
            trace("tear down")
        @pytest.fixture
        async def before():
            global waiting
            waiting += 1
        @pytest.mark.parametrize("i", range(4))
        async def test_a(before, i, request):
            assert request.getfixturevalue("it") == 1
            trace("test")
    """)
    result = suite.run(AT_ONCE)
    assert set(result.outcomes.values()) == {"passed"}
    assert result.trace == ["set up", *["test"] * 4, "tear down"]


def test_a_set_up_that_fails_is_told_to_all_and_done_once(suite: Suite) -> None:
    suite.tests("""
        @pytest.fixture(scope="module")
        async def it():
            trace("set up")
            await trio.sleep(0.001)
            raise OSError("of all")
        @pytest.mark.parametrize("i", range(4))
        async def test_a(it, i): pass
    """)
    result = suite.run(AT_ONCE)
    assert set(result.outcomes.values()) == {"error"}
    assert result.trace == ["set up"]
    assert result.output.count("E       OSError: of all") == 4


def test_a_module_is_left_while_another_one_goes_on(suite: Suite) -> None:
    suite.write(
        "conftest.py",
        """
        import pytest, trio
        from trace import trace
        left = trio.Event()
        @pytest.fixture(scope="module")
        async def it(request):
            yield request.node.name
            trace(f"tear down {request.node.name}")
            if request.node.name == "test_short.py":
                left.set()
        """,
    )
    head = "from conftest import left\nfrom trace import trace\n"
    suite.write(
        "test_long.py",
        head
        + "async def test_a(it):\n    await left.wait()\n    trace(it)\n    assert it == 'test_long.py'\n",
    )
    suite.write("test_short.py", head + "async def test_a(it):\n    assert it == 'test_short.py'\n")
    result = suite.run(AT_ONCE)
    assert result.exit_code == 0, result.output
    assert result.trace == ["tear down test_short.py", "test_long.py", "tear down test_long.py"]


def test_an_override_is_that_of_its_module_only(suite: Suite) -> None:
    suite.write(
        "conftest.py",
        """
        import pytest, trio
        @pytest.fixture(scope="session")
        async def it():
            await trio.sleep(0.001)
            return "outer"
        """,
    )
    suite.write(
        "test_a.py",
        """
        import pytest, trio
        @pytest.fixture(scope="session")
        async def it(it):
            await trio.sleep(0.001)
            return it + " inner"
        async def test_a(it): assert it == "outer inner"
        """,
    )
    suite.write("test_b.py", "async def test_b(it): assert it == 'outer'")
    assert suite.run(AT_ONCE).outcomes == {"test_a": "passed", "test_b": "passed"}


def test_parameters_take_turns(suite: Suite) -> None:
    suite.tests("""
        @pytest.fixture(scope="module", params="xy")
        async def it(request):
            trace(f"set up {request.param}")
            yield request.param
            trace(f"tear down {request.param}")
        @pytest.fixture(scope="module")
        async def on_it(it):
            trace(f"set up on {it}")
            yield it
            trace(f"tear down on {it}")
        @pytest.mark.parametrize("i", range(3))
        async def test_a(on_it, it, i):
            await trio.sleep(0.001)
            assert it == on_it
            trace(f"test {it}")
    """)
    result = suite.run(AT_ONCE)
    assert set(result.outcomes.values()) == {"passed"}
    assert result.trace == [
        line
        for it in "xy"
        for line in (
            *(f"set up {it}", f"set up on {it}", *[f"test {it}"] * 3),
            *(f"tear down on {it}", f"tear down {it}"),
        )
    ]


def test_a_fixture_that_one_test_gives_a_parameter_is_not_taken_from_the_others(
    suite: Suite,
) -> None:
    suite.tests("""
        @pytest.fixture(scope="session")
        async def it(request):
            yield request.__dict__.get("param", "none")
            trace("tear down")
        async def test_plain(it):
            await trio.sleep(0.005)
            trace(f"test {it}")
        @pytest.mark.parametrize("it", ["given"], indirect=True)
        async def test_given(it):
            trace(f"test {it}")
    """)
    assert suite.run(AT_ONCE).trace == [
        *("test none", "tear down", "test given", "tear down"),
    ]


@pytest.mark.parametrize("name", ["it", "on_it"])
def test_asking_late_for_what_others_give_a_parameter_is_an_error(suite: Suite, name: str) -> None:
    suite.tests(f"""
        @pytest.fixture(scope="session")
        async def it(request):
            me = ["up"]
            yield me
            me.append("gone")
        @pytest.fixture(scope="session")
        async def on_it(it): pass
        @pytest.mark.parametrize("it", [1], indirect=True)
        async def test_given(it):
            await trio.sleep(0.005)
            assert it == ["up"]
        async def test_late(request):
            request.getfixturevalue({name!r})
        @pytest.mark.trio_exclusive
        async def test_alone(request):
            request.getfixturevalue({name!r})
    """)
    result = suite.run(AT_ONCE)
    assert result.outcomes == {
        "test_given[1]": "passed",
        "test_late": "failed",
        "test_alone": "passed",
    }
    assert (
        "test_it.py::test_late asks for 'it' with getfixturevalue(), while other" in result.output
    )


def test_two_fixtures_that_ask_late_for_each_others_are_refused(suite: Suite) -> None:
    suite.tests("""
        both = trio.Event()
        begun = []
        async def begin():
            begun.append(1)
            if len(begun) == 2:
                both.set()
            await both.wait()
        @pytest.fixture(scope="session")
        async def one(request):
            await begin()
            request.getfixturevalue("two")
        @pytest.fixture(scope="session")
        async def two(request):
            await begin()
            request.getfixturevalue("one")
        async def test_one(one): pass
        async def test_two(two): pass
    """)
    result = suite.run(AT_ONCE)
    assert "error" in result.outcomes.values()
    assert (
        "Tests that run at once wait for fixtures of each other: 'test_it.py::test_"
        in result.output
    )


def test_who_waits_is_not_refused_when_it_is_about_to_go_on(suite: Suite) -> None:
    # test_b waits for "one"; test_a, which has set it up, then wants "two", which test_b has begun.
    suite.tests("""
        @pytest.fixture(scope="module")
        async def one():
            await trio.sleep(0.001)
        @pytest.fixture(scope="module")
        def two(one): pass
        async def test_a(one, two): pass
        async def test_b(two): pass
    """)
    assert suite.run(AT_ONCE).outcomes == {"test_a": "passed", "test_b": "passed"}


@pytest.mark.parametrize("define", ["def", "async def"])
def test_finalizers_do_not_pile_up(suite: Suite, define: str) -> None:
    suite.tests(f"""
        @pytest.fixture(scope="session")
        {define} wide():
            yield
        @pytest.fixture
        {define} own(wide):
            yield
        @pytest.mark.parametrize("i", range(60))
        async def test_a(own, i, request):
            await trio.sleep(0)
            wide = request._fixture_defs["wide"]
            node = request.session._setupstate.stack[request.session][0]
            trace(max(len(wide._finalizers), len(node)))
    """)
    result = suite.run("--trio-parallel=3")
    assert set(result.outcomes.values()) == {"passed"}
    assert max(map(int, result.trace)) < 12


def test_what_a_test_sets_in_a_context_variable_is_its_own_and_a_wide_fixtures_is_everybodys(
    suite: Suite,
) -> None:
    suite.tests("""
        import contextvars
        of_test = contextvars.ContextVar("of_test")
        of_fixture = contextvars.ContextVar("of_fixture")
        @pytest.fixture(scope="module")
        async def wide():
            of_fixture.set("set")
            yield
        @pytest.mark.parametrize("i", range(3))
        async def test_a(wide, i):
            of_test.set(i)
            await trio.sleep(0.001 * i)
            assert of_test.get() == i
            assert of_fixture.get() == "set"
        async def test_without():
            await trio.sleep(0)
            assert of_fixture.get(None) is None
    """)
    assert set(suite.run(AT_ONCE).outcomes.values()) == {"passed"}
