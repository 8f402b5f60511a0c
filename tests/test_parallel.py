"""Many tests at once: how many, in which order, and what they see of each other."""

from __future__ import annotations

import pytest
from harness import Suite


@pytest.mark.parametrize("number", [2, 5, 30])
def test_as_many_as_allowed_are_in_flight_when_there_is_work(suite: Suite, number: int) -> None:
    suite.tests(
        f"""
        in_flight = 0
        most = 0

        @pytest.mark.parametrize("index", range(30))
        async def test_it(index):
            global in_flight, most
            in_flight += 1
            most = max(most, in_flight)
            with trio.fail_after(5):
                while most < {number}:
                    await trio.sleep(0)
            in_flight -= 1

        @pytest.mark.trio_exclusive
        def test_most():
            assert in_flight == 0
            trace(f"{{most}} at once")
        """
    )
    result = suite.run_subprocess(f"--trio-parallel={number}")
    assert set(result.outcomes.values()) == {"passed"}, result.output
    assert result.trace == [f"{number} at once"]


def test_they_begin_in_order_and_sync_tests_run_whole(suite: Suite) -> None:
    suite.tests(
        """
        @pytest.fixture(autouse=True)
        def begins(request):
            trace(f"{request.node.name} begins")

        @pytest.mark.parametrize("index", range(6))
        async def test_async(index):
            for _ in range(20):
                await trio.sleep(0)

        @pytest.mark.parametrize("index", range(6))
        def test_sync(index):
            trace(f"test_sync[{index}] ends")
        """
    )
    result = suite.run("--trio-parallel=auto")
    begins = [line for line in result.trace if line.endswith("begins")]
    assert begins == [f"test_{kind}[{i}] begins" for kind in ("async", "sync") for i in range(6)]
    for index in range(6):
        begin = result.trace.index(f"test_sync[{index}] begins")
        assert result.trace[begin + 1] == f"test_sync[{index}] ends"


def test_while_many_sync_tests_run_those_in_flight_get_on(suite: Suite) -> None:
    suite.tests(
        """
        steps = 0

        async def test_async():
            global steps
            while steps < 20:
                await trio.sleep(0)
                steps += 1

        @pytest.mark.parametrize("index", range(30))
        def test_sync(index):
            trace(steps)
        """
    )
    result = suite.run("--trio-parallel=auto")
    steps = [int(line) for line in result.trace]
    assert steps == sorted(steps)
    assert len(set(steps)) >= 10


def test_who_uses_a_wide_fixture_sees_what_it_has_set_in_context_variables(suite: Suite) -> None:
    suite.tests(
        """
        from contextvars import ContextVar

        wide_variable = ContextVar("wide", default="unset")
        narrow_variable = ContextVar("narrow", default="unset")

        @pytest.fixture(scope="session")
        async def wide():
            await trio.sleep(0)
            wide_variable.set("set")
            yield
            assert wide_variable.get() == "set"

        @pytest.fixture
        async def narrow(wide, request):
            assert narrow_variable.get() == "unset"
            narrow_variable.set(request.node.name)
            await trio.sleep(0)
            yield

        @pytest.mark.parametrize("index", range(5))
        async def test_async(narrow, request, index):
            for _ in range(10):
                await trio.sleep(0)
                assert wide_variable.get() == "set"
                assert narrow_variable.get() == request.node.name

        def test_sync(narrow, request):
            assert wide_variable.get() == "set"
            assert narrow_variable.get() == request.node.name

        async def test_none():
            assert narrow_variable.get() == "unset"

        @pytest.mark.trio_exclusive
        async def test_alone(wide):
            assert wide_variable.get() == "set"
            assert narrow_variable.get() == "unset"

        @pytest.mark.trio_exclusive
        def test_alone_sync(wide):
            assert wide_variable.get() == "set"
        """
    )
    result = suite.run("--trio-parallel=auto")
    assert set(result.outcomes.values()) == {"passed"}, result.output


@pytest.mark.parametrize("is_frozen", [False, True])
def test_what_was_collected_is_frozen_for_the_run_unless_somebody_has_done_that(
    suite: Suite, is_frozen: bool
) -> None:
    suite.write(
        "conftest.py",
        f"""
        import gc, pytest
        from trace import trace

        def pytest_configure():
            if {is_frozen}:
                gc.freeze()
                trace(gc.get_freeze_count() > 1000)

        @pytest.hookimpl(trylast=True)
        def pytest_unconfigure():
            trace(gc.get_freeze_count() > 1000)
        """,
    )
    suite.tests(
        """
        import gc

        async def test_it():
            trace(gc.get_freeze_count() > 1000)
        """
    )
    result = suite.run_subprocess("--trio-parallel=auto")
    assert result.trace == (["True"] * 3 if is_frozen else ["True", "False"])
