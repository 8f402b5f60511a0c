"""A fixture that dies, and a loop that ends, while many tests are in flight."""

from __future__ import annotations

import pytest
from harness import Suite

_SERVER = """
    died = trio.Event()
    begun = []

    @pytest.fixture(scope="session")
    async def server():
        async def die():
            await died.wait()
            raise OSError("the server died")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(die)
            yield 1
        trace("not reached")

    @pytest.fixture
    async def client(server, request):
        yield 2
        trace(f"client of {request.node.name} is down")

    async def meet(count):
        begun.append(1)
        while len(begun) < count:
            await trio.sleep(0)
        died.set()
"""


def _told(output: str) -> list[str]:
    return sorted(line for line in output.splitlines() if line.startswith(("FAILED ", "ERROR ")))


def test_all_tests_that_use_it_are_told_and_no_others(suite: Suite) -> None:
    suite.tests(
        _SERVER
        + """
    @pytest.mark.parametrize("steps", [0, 3, 9])
    async def test_user(client, steps):
        try:
            await meet(4)
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                for _ in range(steps):
                    await trio.sleep(0)
            trace(f"user {steps} has ended")

    async def test_other():
        await meet(4)
        for _ in range(50):
            await trio.sleep(0)
    """
    )
    result = suite.run_subprocess("--trio-parallel=auto")
    assert _told(result.output) == [
        f"FAILED test_it.py::test_user[{steps}] - OSError: the server died" for steps in (0, 3, 9)
    ]
    assert result.outcomes["test_other"] == "passed"
    # The clients are not torn down under tests that still use them.
    last_user = max(index for index, line in enumerate(result.trace) if line.startswith("user"))
    assert all(line.startswith("client") for line in result.trace[last_user + 1 :])
    assert len(result.trace) == 6


def test_who_asks_for_it_afterwards_gets_the_same_error(suite: Suite) -> None:
    suite.tests(
        _SERVER
        + """
    async def test_user(client):
        await meet(1)
        await trio.sleep_forever()

    async def test_late(request):
        await died.wait()
        for _ in range(9):
            await trio.sleep(0)
        with pytest.raises(OSError, match="the server died"):
            request.getfixturevalue("server")
        trace("late has got it")

    @pytest.fixture
    async def waits():
        await died.wait()

    def test_sync(waits, client): pass
    """
    )
    result = suite.run_subprocess("--trio-parallel=auto")
    assert _told(result.output) == [
        "ERROR test_it.py::test_sync - OSError: the server died",
        "FAILED test_it.py::test_user - OSError: the server died",
    ]
    assert "late has got it" in result.trace


def test_who_is_setting_something_up_on_it_is_told_and_others_that_wait_for_that_as_well(
    suite: Suite,
) -> None:
    suite.tests(
        _SERVER
        + """
    @pytest.fixture(scope="module")
    async def slow(server):
        trace("slow begins")
        await meet(2)
        await trio.sleep_forever()

    async def test_a(slow): pass
    async def test_b(slow): pass
    async def test_c(): await meet(2)
    """
    )
    result = suite.run_subprocess("--trio-parallel=auto")
    assert result.outcomes == {"test_a": "error", "test_b": "error", "test_c": "passed"}
    assert result.output.count("the server died") >= 2
    assert result.trace == ["slow begins"]


def test_two_that_die_at_once_are_told_to_all_that_use_either(suite: Suite) -> None:
    suite.tests(
        """
        go = trio.Event()

        def make(name):
            async def fixture():
                async def die():
                    await go.wait()
                    raise OSError(name)
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(die)
                    yield
            return pytest.fixture(scope="session", name=name)(fixture)

        one, two = make("one"), make("two")

        async def test_1(one):
            await trio.sleep_forever()
        async def test_2(two):
            await trio.sleep_forever()
        async def test_12(one, two):
            go.set()
            await trio.sleep_forever()
        async def test_21(two, one):
            await trio.sleep_forever()
        async def test_none():
            await go.wait()
        """
    )
    result = suite.run_subprocess("--trio-parallel=auto")
    assert (outcomes := dict(result.outcomes)).pop("test_21") in {
        "failed",
        "error",
    }  # most likely in its set-up
    assert outcomes == {
        **dict.fromkeys(["test_1", "test_2", "test_12"], "failed"),
        "test_none": "passed",
    }, result.output


def test_the_end_of_the_loop_is_told_to_all_in_flight_and_the_rest_get_a_fresh_one(
    suite: Suite,
) -> None:
    suite.tests(
        """
        @pytest.fixture(scope="session")
        async def server():
            trace("server is up")
            yield 1
            trace("server is down")

        @pytest.fixture
        async def client(server):
            yield
            await trio.sleep(0)

        async def crash():
            raise OSError("the end")

        begun = []

        @pytest.mark.parametrize("number", range(3))
        async def test_lost(client, number):
            begun.append(1)
            while len(begun) < 3:
                await trio.sleep(0)
            if number == 1:
                trio.lowlevel.spawn_system_task(crash)
            await trio.sleep_forever()

        @pytest.mark.parametrize("number", range(3))
        async def test_later(client, number):
            await trio.sleep(0)

        def test_sync(client): pass
        """
    )
    result = suite.run_subprocess("--trio-parallel=3")
    lost = {f"test_lost[{number}]": "failed" for number in range(3)}
    later = {f"test_later[{number}]": "passed" for number in range(3)}
    assert result.outcomes == {**lost, **later, "test_sync": "passed"}, result.output
    assert result.output.count("This ended the Trio loop of the session.") == 3
    assert result.trace == ["server is up", "server is up", "server is down"]


@pytest.mark.parametrize("number", [2, 100])
def test_many_loops_may_be_lost(suite: Suite, number: int) -> None:
    suite.tests(
        """
        async def crash():
            raise OSError("the end")

        @pytest.mark.parametrize("number", range(6))
        async def test_it(number):
            await trio.sleep(0.001 * number)
            trio.lowlevel.spawn_system_task(crash)
            await trio.sleep_forever()
        """
    )
    result = suite.run_subprocess(f"--trio-parallel={number}")
    assert list(result.outcomes.values()) == ["failed"] * 6, result.output


def test_a_crash_that_a_test_of_another_module_comes_to_know(suite: Suite) -> None:
    """It is told at the end of its own module, although it is torn down by the other test."""
    suite.write(
        "test_a.py",
        """
        import pytest, trio
        import helper

        @pytest.fixture(scope="module")
        async def server():
            async def background():
                await helper.go.wait()
                raise LookupError("in the background")
            async with trio.open_nursery() as nursery:
                nursery.start_soon(background)
                yield

        async def test_user(server): pass

        async def test_last():
            await helper.is_over.wait()
        """,
    )
    suite.write(
        "test_b.py",
        """
        import trio, trio.testing
        import helper

        async def test_other():
            while helper.users:
                await trio.lowlevel.checkpoint()
            helper.go.set()
            await trio.testing.wait_all_tasks_blocked()

        async def test_next(): helper.is_over.set()
        """,
    )
    suite.write(
        "helper.py",
        """
        import trio
        go, is_over, users = trio.Event(), trio.Event(), ["test_user"]
        """,
    )
    suite.write(
        "conftest.py",
        """
        import pytest
        @pytest.hookimpl(trylast=True)
        def pytest_runtest_teardown(item):
            import helper
            if item.name in helper.users:
                helper.users.remove(item.name)
        """,
    )
    result = suite.run("--trio-parallel=3")
    assert result.phases == {
        "test_user": "passed passed passed",
        "test_last": "passed passed failed",
        "test_other": "passed passed passed",
        "test_next": "passed passed passed",
    }, result.output
    assert "LookupError: in the background" in result.output
    assert "AssertionError" not in result.output
