"""``nursery`` belongs to whoever asks for it, and lives as long as its owner."""

from __future__ import annotations

import textwrap

import pytest
from harness import Suite, every_mode, every_scope

_CHILD = """
async def child(name, task_status=trio.TASK_STATUS_IGNORED):
    trace(name + " starts")
    task_status.started()
    try:
        await trio.sleep_forever()
    finally:
        trace(name + " ends")

async def crash(error):
    await trio.lowlevel.checkpoint()
    raise error
"""

FIXTURES = {
    "async coroutine": """
        @{fixture}(scope="{scope}")
        async def f(nursery):
            await nursery.start(child, "f's child")
            trace("f up")
            return nursery
        """,
    "async generator": """
        @{fixture}(scope="{scope}")
        async def f(nursery):
            await nursery.start(child, "f's child")
            trace("f up")
            yield nursery
            trace("f down")
        """,
    "sync": """
        @{fixture}(scope="{scope}")
        def f(nursery):
            nursery.start_soon(child, "f's child")
            await_(trio.testing.wait_all_tasks_blocked())
            trace("f up")
            return nursery
        """,
    "sync generator": """
        @{fixture}(scope="{scope}")
        def f(nursery):
            nursery.start_soon(child, "f's child")
            await_(trio.testing.wait_all_tasks_blocked())
            trace("f up")
            yield nursery
            trace("f down")
        """,
    "sync through getfixturevalue": """
        @{fixture}(scope="{scope}")
        def f(request):
            nursery = request.getfixturevalue("nursery")
            async def start():
                await nursery.start(child, "f's child")
            await_(start())
            trace("f up")
            return nursery
        """,
    "async coroutine through getfixturevalue": """
        @{fixture}(scope="{scope}")
        async def f(request):
            nursery = request.getfixturevalue("nursery")
            await nursery.start(child, "f's child")
            trace("f up")
            return nursery
        """,
    "async generator through getfixturevalue": """
        @{fixture}(scope="{scope}")
        async def f(request):
            nursery = request.getfixturevalue("nursery")
            await nursery.start(child, "f's child")
            trace("f up")
            yield nursery
            trace("f down")
        """,
    "sync generator through getfixturevalue": """
        @{fixture}(scope="{scope}")
        def f(request):
            nursery = request.getfixturevalue("nursery")
            async def start():
                await nursery.start(child, "f's child")
            await_(start())
            trace("f up")
            yield nursery
            trace("f down")
        """,
}


def write_tests(suite: Suite, source: str, *, trio_mode: bool = True) -> None:
    text = "import trio.testing\n" + _CHILD + textwrap.dedent(source)
    suite.tests(text, trio_mode=trio_mode)


@every_scope
@every_mode
@pytest.mark.parametrize("kind", FIXTURES)
def test_of_a_fixture_lives_as_long_as_the_fixture(
    suite: Suite, kind: str, scope: str, trio_mode: bool
) -> None:
    fixture = "pytest.fixture" if trio_mode else "trio_fixture"
    write_tests(
        suite,
        textwrap.dedent(FIXTURES[kind].format(fixture=fixture, scope=scope))
        + textwrap.dedent(
            """
            class TestIt:
                @pytest.mark.trio
                async def test_a(self, f, nursery):
                    assert f is not nursery
                    assert isinstance(f, trio.Nursery)
                    nursery.start_soon(child, "a's child")
                    await trio.testing.wait_all_tasks_blocked()
                    trace("a")
                def test_b(self, f):
                    async def start():
                        await f.start(child, "b's child in f")
                    await_(start())
                    trace("b")
            """
        ),
        trio_mode=trio_mode,
    )
    result = suite.run()
    assert result.phases == dict.fromkeys(
        ["TestIt::test_a", "TestIt::test_b"], "passed passed passed"
    )
    up = ["f's child starts", "f up"]
    down = ["f down"] if "generator" in kind else []
    test_a = ["a's child starts", "a", "a's child ends"]
    test_b = ["b's child in f starts", "b"]
    ends = ["b's child in f ends", "f's child ends"]
    trace = result.trace
    assert sorted(trace[-2:]) == ends
    if scope == "function":
        assert trace[:-2] == [*up, *test_a, *down, "f's child ends", *up, *test_b, *down]
    else:
        assert trace[:-2] == [*up, *test_a, *test_b, *down]


@every_mode
def test_each_owner_has_its_own(suite: Suite, trio_mode: bool) -> None:
    write_tests(
        suite,
        """
        @trio_fixture(scope="session")
        async def s(nursery): return nursery
        @trio_fixture(scope="module")
        def m(nursery): return nursery
        @trio_fixture
        async def f(nursery, s, m): yield {nursery, s, m}
        @trio_fixture
        def g(nursery, f): yield {nursery, *f}
        @pytest.fixture
        def h(nursery, request, g):
            assert request.getfixturevalue("nursery") is not nursery
            return {nursery, *g}
        @pytest.mark.trio
        async def test_a(nursery, h):
            assert len({nursery, *h}) == 6
            assert {type(n) for n in h} == {trio.Nursery}
        def test_b(request, nursery, h):
            other = request.getfixturevalue("nursery")
            assert len({nursery, other, *h}) == 7
            assert type(nursery) is type(other) is trio.Nursery
        """,
        trio_mode=trio_mode,
    )
    assert suite.run().phases == {
        "test_a": "passed passed passed",
        "test_b": "passed passed passed",
    }


def test_of_a_test_is_cancelled_when_the_test_ends(suite: Suite) -> None:
    write_tests(
        suite,
        """
        @pytest.fixture
        async def f():
            yield
            await trio.testing.wait_all_tasks_blocked()
            trace("f down")
        @pytest.fixture
        async def through(request):
            yield request.getfixturevalue("nursery")
            trace("through down")
        async def test_async(nursery, f):
            await nursery.start(child, "child")
            trace("async")
        def test_sync(nursery, f):
            nursery.start_soon(child, "child")
            trace("sync")
        async def test_failing(nursery, f):
            await nursery.start(child, "child")
            assert not nursery
        async def test_dynamic(request, f):
            await request.getfixturevalue("nursery").start(child, "child")
            trace("dynamic")
        def test_dynamic_sync(request):
            nursery = request.getfixturevalue("nursery")
            async def start():
                await nursery.start(child, "child")
            await_(start())
            trace("dynamic_sync")
        async def test_cancelled_by_the_test(nursery):
            nursery.cancel_scope.cancel()
            await trio.lowlevel.checkpoint()
            trace("never")
        async def test_cancelled_in_a_child(nursery):
            async def cancel():
                nursery.cancel_scope.cancel()
            nursery.start_soon(cancel)
            await trio.lowlevel.checkpoint()
            await trio.lowlevel.checkpoint()
            trace("never")
        async def test_through(through):
            await through.start(child, "child")
            trace("through")
        """,
    )
    result = suite.run()
    assert result.outcomes == dict.fromkeys(result.outcomes, "passed") | {"test_failing": "failed"}
    assert result.trace == [
        "child starts",
        "async",
        "child ends",
        "f down",
        "sync",
        "child starts",
        "child ends",
        "f down",
        "child starts",
        "child ends",
        "f down",
        "child starts",
        "dynamic",
        "child ends",
        "f down",
        "child starts",
        "dynamic_sync",
        "child ends",
        "child starts",
        "through",
        "through down",
        "child ends",
    ]


@pytest.mark.parametrize("name", ["async", "sync", "dynamic"])
def test_of_a_failing_test_adds_no_exception_group(suite: Suite, name: str) -> None:
    signature, body = {
        "async": ("async def test_it(nursery):", "nursery.start_soon(trio.sleep_forever)"),
        "sync": ("def test_it(nursery):", "nursery.start_soon(trio.sleep_forever)"),
        "dynamic": (
            "async def test_it(request):",
            "request.getfixturevalue('nursery').start_soon(trio.sleep_forever)",
        ),
    }[name]
    write_tests(suite, f"{signature}\n    {body}\n    assert 1 == 2\n")
    result = suite.run()
    assert result.phases == {"test_it": "passed failed passed"}
    assert "assert 1 == 2" in result.output
    assert "Group" not in result.output
    assert "During handling" not in result.output
    assert "pytest_trio_scoped" not in result.output


def test_of_a_test_fails_it_when_a_child_crashes(suite: Suite) -> None:
    write_tests(
        suite,
        """
        async def test_waiting(nursery):
            nursery.start_soon(crash, ValueError("waiting"))
            try:
                await trio.sleep_forever()
            finally:
                trace("cancelled")
        async def test_not_waiting(nursery):
            async def crash_when_cancelled():
                try:
                    await trio.sleep_forever()
                finally:
                    raise ValueError("not waiting")
            nursery.start_soon(crash_when_cancelled)
            await trio.testing.wait_all_tasks_blocked()
        def test_sync(nursery):
            nursery.start_soon(crash, ValueError("sync"))
            with pytest.raises(trio.Cancelled):
                await_(trio.sleep_forever())
            trace("sync goes on")
        async def test_twice(nursery):
            nursery.start_soon(crash, ValueError("first"))
            try:
                await trio.sleep_forever()
            finally:
                raise ValueError("second")
        async def test_skipped(nursery):
            nursery.start_soon(crash, pytest.skip.Exception("from a child"))
            await trio.sleep_forever()
        async def test_dynamic(request):
            request.getfixturevalue("nursery").start_soon(crash, ValueError("dynamic"))
            await trio.testing.wait_all_tasks_blocked()
        async def test_after(nursery):
            await nursery.start(child, "child")
        """,
    )
    result = suite.run()
    assert result.phases == {
        "test_waiting": "passed failed passed",
        "test_not_waiting": "passed failed passed",
        "test_sync": "passed failed passed",
        "test_twice": "passed failed passed",
        "test_skipped": "passed skipped passed",
        "test_dynamic": "passed failed passed",
        "test_after": "passed passed passed",
    }
    assert result.trace == ["cancelled", "sync goes on", "child starts", "child ends"]
    for line in [
        "FAILED test_it.py::test_waiting - ValueError: waiting",
        "FAILED test_it.py::test_not_waiting - ValueError: not waiting",
        "FAILED test_it.py::test_sync - ValueError: sync",
        "FAILED test_it.py::test_dynamic - ValueError: dynamic",
    ]:
        assert line in result.output
    assert "FAILED test_it.py::test_twice - ExceptionGroup: " in result.output


@pytest.mark.parametrize("kind", [kind for kind in FIXTURES if "through" not in kind])
def test_of_a_fixture_reports_the_crash_of_a_child(suite: Suite, kind: str) -> None:
    source = textwrap.dedent(FIXTURES[kind].format(fixture="pytest.fixture", scope="module"))
    write_tests(
        suite,
        source
        + textwrap.dedent(
            """
            async def test_a(f):
                f.start_soon(crash, ValueError("boom"))
                await trio.testing.wait_all_tasks_blocked()
            def test_b():
                pass
            """
        ),
    )
    suite.write("test_other.py", "async def test_c(nursery): pass")
    result = suite.run()
    names = [name for name, phases in result.phases.items() if "failed" in phases]
    assert names
    assert set(names) <= {"test_a", "test_b"}
    assert " - ValueError: boom" in result.output
    assert result.trace[:2] == ["f's child starts", "f up"]
    assert result.trace.count("f's child ends") == 1


def test_may_be_overridden(suite: Suite) -> None:
    suite.write(
        "conftest.py",
        """
        import pytest, trio
        @pytest.fixture
        async def nursery(nursery):
            async with trio.open_nursery() as other:
                yield other, nursery
                other.cancel_scope.cancel()
        """,
    )
    write_tests(
        suite,
        """
        @pytest.fixture
        async def f(nursery):
            return nursery
        async def test_a(nursery, f, request):
            assert nursery is f is request.getfixturevalue("nursery")
            assert [type(n) for n in nursery] == [trio.Nursery, trio.Nursery]
            assert nursery[0] is not nursery[1]
            for n in nursery:
                await n.start(child, "child")
        class TestIt:
            @pytest.fixture
            def nursery(self):
                return 3
            def test_b(self, nursery, request):
                assert nursery == request.getfixturevalue("nursery") == 3
        @pytest.mark.parametrize("nursery", [4])
        async def test_c(nursery):
            assert nursery == 4
        """,
    )
    result = suite.run()
    assert set(result.outcomes.values()) == {"passed"}
    assert result.trace == ["child starts"] * 2 + ["child ends"] * 2


def test_may_have_another_name_and_be_merely_used(suite: Suite) -> None:
    write_tests(
        suite,
        """
        @pytest.fixture(params=["nursery", "f"])
        def lazily(request):
            return request.getfixturevalue(argname=request.param)
        @pytest.fixture
        async def f(nursery):
            return nursery
        @pytest.fixture
        def alias(nursery):
            return nursery
        async def test_a(lazily, alias, nursery):
            assert len({lazily, alias, nursery}) == 3
            await lazily.start(child, "child")
        @pytest.mark.usefixtures("nursery")
        def test_b():
            assert trio.lowlevel.in_trio_task()
        @pytest.mark.usefixtures("nursery")
        async def test_c(request):
            assert type(request.getfixturevalue(argname="nursery")) is trio.Nursery
        """,
    )
    result = suite.run()
    assert set(result.outcomes.values()) == {"passed"}
    assert result.trace == ["child starts", "child ends"] * 2


def test_of_a_failing_set_up_is_cancelled(suite: Suite) -> None:
    write_tests(
        suite,
        """
        @pytest.fixture
        async def coroutine(nursery):
            await nursery.start(child, "coroutine's child")
            raise ValueError("coroutine")
        @pytest.fixture
        async def generator(nursery):
            await nursery.start(child, "generator's child")
            raise ValueError("generator")
            yield
        @pytest.fixture
        def sync(nursery):
            await_(nursery.start(child, "sync's child"))
            raise ValueError("sync")
        @pytest.fixture
        async def dynamic(request):
            await request.getfixturevalue("nursery").start(child, "dynamic's child")
            raise ValueError("dynamic")
        @pytest.mark.parametrize("name", ["coroutine", "generator", "sync", "dynamic"])
        def test_it(request, name):
            with pytest.raises(ValueError, match=name):
                request.getfixturevalue(name)
            trace(name)
        """,
    )
    result = suite.run()
    assert set(result.outcomes.values()) == {"passed"}
    assert result.trace == [
        *("coroutine's child starts", "coroutine's child ends", "coroutine"),
        *("generator's child starts", "generator's child ends", "generator"),
        *("sync's child starts", "sync's child ends", "sync"),
        *("dynamic's child starts", "dynamic", "dynamic's child ends"),
    ]
