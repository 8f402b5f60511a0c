"""Beside other plugins and libraries, the real ones: one test after the other, and many at once.

What is not in the extra "test" is in the extra "neighbours".  An inner run loads the plugin that it is
about and no other.  pytest-xdist, pytest-timeout and Hypothesis have files of their own; what coverage
counts is in ``test_neighbours_coverage.py``.
"""

from __future__ import annotations

import json
import re
from importlib.util import find_spec
from pathlib import Path

import pytest
from harness import Suite

AT_ONCE = "--trio-parallel=20"

each_way = pytest.mark.parametrize("way", [(), (AT_ONCE,)], ids=["sequential", "at once"])


def needs(*modules: str) -> pytest.MarkDecorator:
    """Skip a test if a package is missing."""
    missing = [name for name in modules if find_spec(name) is None]
    return pytest.mark.skipif(
        bool(missing), reason=f"{missing} not installed; in .ci/run it is for the step 'neighbours'"
    )


# ---------------------------------------------------------------- runs again


@needs("pytest_rerunfailures")
@each_way
def test_pytest_rerunfailures(suite: Suite, way: tuple[str, ...]) -> None:
    """Wide fixtures live on, narrow ones are new, and what has failed or crashed is set up anew."""
    suite.tests(
        """
        from collections import Counter
        tries = Counter()

        def is_last(name, number):
            tries[name] += 1
            return tries[name] == number

        @pytest.fixture(scope="session")
        async def wide():
            trace("set up wide")
            async with trio.open_nursery() as nursery:
                nursery.start_soon(trio.sleep_forever)
                yield
                nursery.cancel_scope.cancel()
            trace("tear down wide")

        @pytest.fixture
        async def narrow(wide, request):
            assert is_last(request.node, 1)
            yield
            await trio.lowlevel.checkpoint()
            tries[request.node] -= 1

        @pytest.fixture(scope="session")
        async def fails_once():
            assert is_last("fails_once", 2)
            trace("set up fails_once")
            yield
            trace("tear down fails_once")

        @pytest.fixture(scope="session")
        async def crashes_once():
            tries["crashes_once"] += 1
            dies = trio.Event()
            async def serve():
                await dies.wait()
                raise ConnectionError("it died")
            async with trio.open_nursery() as nursery:
                nursery.start_soon(serve)
                yield dies if tries["crashes_once"] == 1 else None
                nursery.cancel_scope.cancel()
            trace("tear down crashes_once")

        @pytest.mark.parametrize("kind", ["a", "b"])
        async def test_third_time(kind, narrow):
            await trio.sleep(0.01)
            assert is_last(kind, 3)

        def test_sync(narrow):
            await_(trio.sleep(0.01))
            assert is_last("sync", 2)

        async def test_never(narrow):
            await trio.sleep(0.01)
            raise ValueError("no luck")

        async def test_set_up(fails_once, narrow): pass

        async def test_crash(crashes_once, narrow):
            if crashes_once is not None:
                crashes_once.set()
                await trio.sleep_forever()

        async def test_hang():
            with trio.fail_after(0.02):
                if not is_last("hang", 2):
                    await trio.sleep_forever()

        """
    )
    result = suite.run("-p", "rerunfailures", "--reruns=2", *way)
    again = "passed rerun passed"
    good = "passed passed passed"
    assert result.phases == {
        **{f"test_third_time[{kind}]": f"{again} {again} {good}" for kind in "ab"},
        "test_sync": f"{again} {good}",
        "test_never": f"{again} {again} passed failed passed",
        "test_set_up": f"rerun passed {good}",
        "test_crash": f"{again} {good}",
        "test_hang": f"{again} {good}",
    }
    assert result.output.count("ValueError: no luck") == 2  # in the traceback and in the summary
    assert "it died" not in result.output
    assert sorted(result.trace) == [
        *("set up fails_once", "set up wide"),
        *("tear down crashes_once", "tear down fails_once", "tear down wide"),
    ]


@needs("pytest_repeat")
@each_way
def test_pytest_repeat(suite: Suite, way: tuple[str, ...]) -> None:
    suite.tests(
        """
        runs = 0
        @pytest.fixture(scope="session")
        async def wide():
            trace("set up wide"); yield; trace(f"tear down wide after {runs}")
        @pytest.fixture(scope="module", params="ab")
        async def module(wide, request):
            yield request.param
        async def test_async(wide):
            global runs
            await trio.sleep(0.01)
            runs += 1
        def test_sync(module):
            global runs
            runs += 1
        """
    )
    result = suite.run("-p", "repeat", "--count=3", *way)
    assert set(result.phases.values()) == {"passed passed passed"}
    assert len(result.phases) == 9
    assert result.trace == ["set up wide", "tear down wide after 9"]


@needs("pytest_randomly")
def test_pytest_randomly(suite: Suite) -> None:
    suite.tests(
        """
        import random
        @pytest.fixture(scope="session")
        async def wide():
            trace("set up wide"); yield; trace("tear down wide")
        @pytest.mark.parametrize("number", range(8))
        async def test_it(wide, number):
            await trio.sleep(0.01)
            trace(random.random())
        """
    )
    arguments = ("-p", "randomly", "--randomly-seed=7")
    first, second = (suite.run(*arguments, *more) for more in ((), ("--randomly-dont-reset-seed",)))
    assert list(first.phases) == list(second.phases) != sorted(first.phases)
    suite.path.joinpath("trace.txt").unlink()
    again = suite.run(*arguments)
    assert again.trace == first.trace
    assert again.trace[0] == "set up wide"
    assert again.trace[-1] == "tear down wide"
    assert len(set(again.trace)) == 10
    suite.path.joinpath("trace.txt").unlink()
    at_once = suite.run(*arguments, AT_ONCE)
    assert sorted(at_once.phases) == sorted(first.phases)
    assert at_once.trace.count("set up wide") == at_once.trace.count("tear down wide") == 1


# ---------------------------------------------------------------- fixtures of others


@needs("pytest_mock")
@each_way
def test_pytest_mock(suite: Suite, way: tuple[str, ...]) -> None:
    suite.tests(
        """
        class Shop:
            async def price(self):
                await trio.sleep(0.01)
                return 1
        shop = Shop()

        @pytest.fixture
        async def sale(mocker):
            mocker.patch.object(Shop, "price", return_value=5)
            yield
            trace(f"in tear-down {await shop.price()}")

        @pytest.mark.parametrize("number", range(3))
        async def test_untouched(number):
            assert await shop.price() == 1

        async def test_patched(sale):
            assert await shop.price() == 5

        def test_sync(sale):
            assert await_(shop.price()) == 5

        async def test_spy(mocker):
            spy = mocker.spy(Shop, "price")
            assert await shop.price() == 1
            spy.assert_awaited_once_with(shop)

        async def test_stub(mocker):
            stub = mocker.async_stub("stub")
            await stub(1)
            stub.assert_awaited_once_with(2)
        """
    )
    result = suite.run("-p", "pytest_mock", *way)
    assert result.outcomes.pop("test_stub") == "failed"
    assert [name for name, outcome in result.outcomes.items() if outcome != "passed"] == [
        "test_stub"
    ]
    assert result.trace == ["in tear-down 5"] * 2
    assert "expected await not found" in result.output
    assert not way or "up to 20 tests at once, 4 of 7 alone" in result.output


_HAS_SUBTESTS = hasattr(pytest, "Subtests")


@(needs() if _HAS_SUBTESTS else needs("pytest_subtests"))
@each_way
def test_subtests(suite: Suite, way: tuple[str, ...]) -> None:
    """Those of pytest 9; before, the plugin pytest-subtests."""
    suite.tests(
        """
        async def check(subtests, number):
            with subtests.test(number=number):
                await trio.sleep(0.01)
                assert number != 1

        async def test_in_a_loop(subtests):
            for number in range(3):
                await check(subtests, number)

        async def test_in_tasks(subtests):
            async with trio.open_nursery() as nursery:
                for number in range(3):
                    nursery.start_soon(check, subtests, number)

        @pytest.fixture
        async def fixture(subtests):
            with subtests.test("in set-up"):
                await trio.sleep(0.01)
            yield

        async def test_fixture(fixture, subtests):
            with subtests.test("skipped"):
                async with trio.open_nursery():
                    pytest.skip("in a nursery")
        """
    )
    result = suite.run(*(() if _HAS_SUBTESTS else ("-p", "subtests")), "-v", *way)
    failed = "passed passed failed passed" + (
        " failed passed" if _HAS_SUBTESTS else " passed passed"
    )
    assert result.phases["test_in_a_loop"] == failed
    in_any_order = sorted(result.phases["test_in_tasks"].split())
    assert in_any_order == sorted(failed.split())
    assert result.phases["test_fixture"] == "passed passed skipped passed passed"
    assert "SUBSKIPPED[skipped] (in a nursery)" in result.output or not _HAS_SUBTESTS
