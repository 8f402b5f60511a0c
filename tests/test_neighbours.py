"""Beside other plugins and libraries, the real ones: one test after the other, and many at once.

What is not in the extra "test" is in the extra "neighbours".  An inner run loads the plugin that it is
about and no other.  pytest-xdist, pytest-timeout and Hypothesis have files of their own; what coverage
counts is in ``test_neighbours_coverage.py``.
"""

from __future__ import annotations

import json
import re
import tomllib
from importlib.util import find_spec
from pathlib import Path

import pytest
from harness import Result, Suite

AT_ONCE = "--trio-parallel=20"

each_way = pytest.mark.parametrize("way", [(), (AT_ONCE,)], ids=["sequential", "at once"])


def needs(*modules: str) -> pytest.MarkDecorator:
    """Skip a test if a package is missing."""
    missing = [name for name in modules if find_spec(name) is None]
    names = ", ".join(missing)
    return pytest.mark.skipif(
        bool(missing), reason=f"not installed: {names}; .ci/run does that for its run 'neighbours'"
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


@needs("pytest_order", "pytest_dependency")
@each_way
def test_pytest_order_and_pytest_dependency(suite: Suite, way: tuple[str, ...]) -> None:
    suite.tests(
        """
        @pytest.mark.dependency(depends=["test_fails"])
        async def test_skipped(): pass
        @pytest.mark.dependency
        @pytest.mark.order("first")
        async def test_fails():
            await trio.sleep(0.01)
            trace("first")
            raise ValueError
        @pytest.mark.dependency
        @pytest.mark.order("second")
        async def test_passes():
            await trio.sleep(0.01)
            trace("second")
        @pytest.mark.dependency(depends=["test_passes"])
        async def test_runs():
            trace("third")
        """
    )
    result = suite.run("-p", "pytest_order", "-p", "dependency", *way)
    assert result.outcomes == {
        "test_fails": "failed",
        "test_passes": "passed",
        "test_skipped": "skipped",
        "test_runs": "passed",
    }
    assert result.trace == ["first", "second", "third"]


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
    if _HAS_SUBTESTS:
        assert result.phases["test_fixture"] == "passed passed skipped passed passed"
        assert "SUBSKIPPED[skipped] (in a nursery)" in result.output
    else:  # it does not look for the skip in the nursery's group
        assert result.phases["test_fixture"] == "passed passed failed passed passed"


# ---------------------------------------------------------------- other kinds of tests


_FEATURE = """
Feature: A shop
  Scenario: Sync steps
    Given an empty basket
    When an apple is bought
    Then there is one thing in the basket

  Scenario: An async step
    Given an empty basket
    When a pear is bought
    Then there is one thing in the basket
"""

_STEPS = """
from pytest_bdd import given, scenarios, then, when
scenarios("shop.feature")

@pytest.fixture(scope="session")
async def shop():
    yield "shop"

@pytest.fixture
async def basket(shop):
    return []

@given("an empty basket")
def _(basket):
    assert basket == []

@when("an apple is bought")
def _(basket):
    await_(trio.sleep(0.01))
    basket.append("apple")

@when("a pear is bought")
async def _(basket):
    basket.append("pear")

@then("there is one thing in the basket")
def _(basket):
    assert len(basket) == 1
"""


@needs("pytest_bdd")
@each_way
def test_an_async_step_of_pytest_bdd_is_refused(suite: Suite, way: tuple[str, ...]) -> None:
    """pytest-bdd calls it and awaits nothing; sync steps wait with ``await_()``."""
    suite.tests(_STEPS)
    suite.write("shop.feature", _FEATURE)
    result = suite.run("-p", "pytest-bdd", *way)
    assert result.phases["test_sync_steps"] == "passed passed passed"
    assert result.phases["test_an_async_step"] == "passed failed passed"
    assert (
        "The step 'a pear is bought' is async; pytest-bdd calls steps and does not await them.\n"
        "test_it.py:25\n"
        "Make it a sync function, and wait with await_().\n"
    ) in result.output


@each_way
def test_unittest_and_doctest(suite: Suite, way: tuple[str, ...]) -> None:
    """Items of others are as they were, and may start loops of their own."""
    suite.tests(
        '''
        import unittest

        def double(number):
            """
            >>> double(2)
            4
            >>> import trio; trio.run(trio.sleep, 0)
            """
            return 2 * number

        @pytest.fixture(scope="session")
        async def wide():
            yield 1

        class TestPlain(unittest.TestCase):
            @classmethod
            def setUpClass(cls):
                cls.numbers = [1]
            def test_sync(self):
                trio.run(trio.sleep, 0)
                self.assertEqual(double(self.numbers[0]), 2)

        class TestAsyncio(unittest.IsolatedAsyncioTestCase):
            async def test_asyncio(self):
                import asyncio
                await asyncio.sleep(0.01)

        async def test_ours(wide):
            await trio.sleep(0.01)
            assert wide == 1
        '''
    )
    result = suite.run("--doctest-modules", *way)
    assert result.outcomes == dict.fromkeys(
        ("test_it.double", "TestPlain::test_sync", "TestAsyncio::test_asyncio", "test_ours"),
        "passed",
    )


# ---------------------------------------------------------------- other loops


# Not "-p asyncio": that is a module of Python's.
_ASYNCIO = ("-p", "pytest_asyncio.plugin")
_LOOP_SCOPE = "asyncio_default_fixture_loop_scope = function"


@needs("pytest_asyncio", "anyio")
@each_way
def test_pytest_asyncio_and_anyio_in_one_suite_with_ours(
    suite: Suite, way: tuple[str, ...]
) -> None:
    suite.tests(
        """
        import asyncio, anyio, pytest_asyncio, sniffio

        async def library():
            await anyio.sleep(0.01)
            return sniffio.current_async_library()

        @pytest.fixture(scope="session")
        async def ours():
            yield await library()

        @pytest_asyncio.fixture
        async def of_asyncio():
            yield await library()

        @pytest.fixture
        async def of_anyio(anyio_backend):
            yield await library()

        async def test_trio(ours):
            assert (ours, await library()) == ("trio", "trio")

        @pytest.mark.asyncio
        async def test_asyncio(of_asyncio):
            assert (of_asyncio, await library()) == ("asyncio", "asyncio")

        @pytest.mark.anyio
        async def test_anyio(of_anyio, anyio_backend_name):
            assert (of_anyio, await library()) == (anyio_backend_name, anyio_backend_name)

        def test_sync(ours):
            assert (ours, await_(library())) == ("trio", "trio")

        async def test_trio_again(ours):
            assert (ours, await library()) == ("trio", "trio")
        """
    )
    suite.ini(_LOOP_SCOPE)
    result = suite.run_subprocess(*_ASYNCIO, "-p", "anyio", *way)
    names = ["test_trio", "test_asyncio", "test_sync", "test_trio_again"]
    assert result.outcomes == dict.fromkeys(
        [*names, "test_anyio[asyncio]", "test_anyio[trio]"], "passed"
    )


_SOURCES = {
    # What says that the test is for Trio, and whether it is refused.
    "ini": ("trio_mode = true", "", "", "The ini value 'trio_mode' is true"),
    "mark": ("", "", "@pytest.mark.trio", " is for Trio"),
    "conftest": ("", "from pytest_trio_scoped.enable_trio_mode import *", "", "is for Trio"),
    "neither": ("", "", "", None),
}


@needs("pytest_asyncio")
@pytest.mark.parametrize("source", ["ini", "mark"])
def test_pytest_asyncio_in_its_mode_auto_is_refused(suite: Suite, source: str) -> None:
    _write_mode(suite, source, "asyncio_mode = auto", _LOOP_SCOPE)
    _is_refused(suite.run_subprocess(*_ASYNCIO), source, "asyncio_mode", "pytest-asyncio")


@needs("anyio")
@pytest.mark.parametrize("source", _SOURCES)
def test_anyio_in_its_mode_auto_is_refused(suite: Suite, source: str) -> None:
    _write_mode(suite, source, "anyio_mode = auto")
    _is_refused(suite.run("-p", "anyio"), source, "anyio_mode", "AnyIO's plugin")


def _write_mode(suite: Suite, source: str, *settings: str) -> None:
    setting, conftest, mark, _ = _SOURCES[source]
    suite.tests(f"{mark}\nasync def test_a(): trace('ran')\n")
    suite.write("conftest.py", conftest)
    suite.ini(setting, *settings, trio_mode=False)


def _is_refused(result: Result, source: str, option: str, name: str) -> None:
    *_, what = _SOURCES[source]
    if what is None:
        assert set(result.outcomes.values()) == {"passed"}
        assert result.trace
        return
    text = (
        f"{what}, and {name} takes all async tests and fixtures, as its mode is 'auto'.\n"
        f"Set '{option}' to 'strict' and mark its own tests, or switch one of the plugins off"
    )
    assert result.exit_code == pytest.ExitCode.USAGE_ERROR
    assert text in result.output
    assert result.trace == []


@needs("xdist", "pytest_asyncio")
def test_workers_of_xdist_refuse_in_a_report(suite: Suite) -> None:
    """What they say at start is not shown."""
    suite.tests("@pytest.mark.trio\nasync def test_a(): trace('ran')\ndef test_b(): pass\n")
    suite.ini("asyncio_mode = auto", _LOOP_SCOPE, trio_mode=False)
    result = suite.run_subprocess("-p", "xdist.plugin", "-n1", *_ASYNCIO)
    assert result.outcomes == {"test_a": "error", "test_b": "passed"}
    assert "test_it.py::test_a is for Trio, and pytest-asyncio takes all async" in result.output


@needs("pytest_tornasync")
@each_way
def test_a_plugin_that_claims_every_coroutine_test(suite: Suite, way: tuple[str, ...]) -> None:
    """pytest-tornasync would run async tests itself; it does run sync tests, so they are outside."""
    suite.tests(
        """
        @pytest.fixture
        async def inside():
            yield trio.lowlevel.current_trio_token()
        async def test_async(inside):
            await trio.sleep(0.01)
            assert inside is trio.lowlevel.current_trio_token()
        def test_sync(inside):
            assert not trio.lowlevel.in_trio_run()
            await_(trio.sleep(0.01))
        """
    )
    result = suite.run_subprocess("-W", "default", "-p", "tornado", *way)
    assert result.outcomes == {"test_async": "passed", "test_sync": "passed"}


@needs("trio_asyncio")
@each_way
def test_trio_asyncio(suite: Suite, way: tuple[str, ...]) -> None:
    """A loop of asyncio that a session fixture opens is there in tests and in fixtures."""
    suite.tests(
        """
        import asyncio, trio_asyncio
        wait = trio_asyncio.aio_as_trio(asyncio.sleep)

        @pytest.fixture(scope="session")
        async def loop():
            async with trio_asyncio.open_loop() as loop:
                yield loop

        @pytest.fixture
        async def waits(loop):
            await wait(0.01)
            yield
            await wait(0.01)
            trace("waited in tear-down")

        async def test_async(waits, loop):
            await wait(0.01)
            assert trio_asyncio.current_loop.get() is loop

        def test_sync(waits):
            await_(wait(0.01))
        """
    )
    # Importing it changes asyncio's policy for the process, and is warned of since Python 3.12.
    ignored = "ignore:'AbstractChildWatcher' is:DeprecationWarning"
    result = suite.run_subprocess("-W", ignored, *way)
    assert result.outcomes == {"test_async": "passed", "test_sync": "passed"}, result.output
    assert result.trace == ["waited in tear-down"] * 2


@needs("greenback")
@each_way
def test_greenback(suite: Suite, way: tuple[str, ...]) -> None:
    """Its portal may be in the task of a test, of a fixture and of their children, beside ``await_``."""
    suite.tests(
        """
        import greenback

        async def work(number):
            await trio.sleep(0.01)
            return number

        def theirs(number):
            return greenback.await_(work(number))

        def ours(number):
            return await_(work(number))

        async def both():
            return theirs(1) + ours(2)

        @pytest.fixture(scope="session")
        async def wide():
            await greenback.ensure_portal()
            yield theirs(1)
            trace(f"tear down wide {theirs(2)}")

        @pytest.fixture(scope="session")
        async def tree():
            async with greenback.portals_for_tree(), trio.open_nursery() as nursery:
                yield nursery
                trace(f"tear down tree {theirs(3)}")

        async def test_portal(wide):
            await greenback.ensure_portal()
            assert [wide, theirs(2), ours(3), theirs(4)] == [1, 2, 3, 4]
            assert greenback.await_(both()) == await_(both()) == await both() == 3

        async def test_late(request):
            await greenback.ensure_portal()
            assert request.getfixturevalue("wide") == theirs(1)

        async def test_portal_for_a_while():
            assert await greenback.with_portal_run(both) == 3
            assert await greenback.with_portal_run_sync(theirs, 1) == 1
            async with greenback.portals_for_tree():
                assert await both() == 3
            assert ours(1) == await work(1)
            await greenback.ensure_portal()
            assert await both() == 3

        async def test_children(tree):
            async def child():
                trace(f"child {theirs(0)}")
            tree.start_soon(child)
            async with greenback.portals_for_tree(), trio.open_nursery() as nursery:
                nursery.start_soon(child)
            await trio.sleep(0.05)

        @pytest.mark.trio(timeout=0.05)
        async def test_hang():
            await greenback.ensure_portal()
            greenback.await_(trio.sleep_forever())

        async def test_clock(autojump_clock):
            await greenback.ensure_portal()
            greenback.await_(trio.sleep(3600))
            assert trio.current_time() == 3600

        async def test_leaves_a_nursery():
            await greenback.ensure_portal()
            await trio.open_nursery().__aenter__()
            theirs(1)

        def test_sync(wide):
            with pytest.raises(RuntimeError, match="create a greenback portal for this task"):
                theirs(1)
            assert ours(1) == 1
        """
    )
    result = suite.run_subprocess(*way)
    failed = {"test_hang", "test_leaves_a_nursery"}
    assert {name for name, word in result.outcomes.items() if word != "passed"} == failed
    assert "in test_hang: greenback.await_(trio.sleep_forever())" in result.output
    assert "test_leaves_a_nursery opened a nursery and ended without leaving it" in result.output
    assert sorted(result.trace) == [*["child 0"] * 2, "tear down tree 3", "tear down wide 2"]


# ---------------------------------------------------------------- reports


@needs("allure_pytest")
@each_way
def test_allure(suite: Suite, way: tuple[str, ...]) -> None:
    """It asks every finalizer of a fixture for its arguments."""
    suite.tests(
        """
        @pytest.fixture(scope="session")
        def sync_wide():
            yield 1
        @pytest.fixture(scope="session")
        async def wide(sync_wide):
            yield 2
        @pytest.fixture
        async def narrow(wide):
            return 3
        def test_sync(sync_wide): pass
        async def test_async(narrow):
            print("printed")
            assert narrow == 4
        """
    )
    result = suite.run("-p", "allure_pytest", "--alluredir=reports", *way)
    assert result.outcomes == {"test_sync": "passed", "test_async": "failed"}
    reports = [json.loads(file.read_text()) for file in suite.path.glob("reports/*-result.json")]
    assert {report["name"]: report["status"] for report in reports} == result.outcomes
    (failure,) = (report for report in reports if report["status"] == "failed")
    assert failure["statusDetails"]["message"] == "AssertionError: assert 3 == 4"
    assert [attachment["name"] for attachment in failure["attachments"]] == ["stdout"]


# ---------------------------------------------------------------- the page


_PAGE = Path(__file__).parent.parent / "docs" / "reference" / "neighbours.md"


@needs("pytest_benchmark")
@each_way
def test_the_benchmark_of_the_page(suite: Suite, way: tuple[str, ...]) -> None:
    (sample,) = re.findall(
        r"^```python\n(.*?)^```", _PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    suite.tests(sample, prelude=False)
    result = suite.run("-p", "benchmark", "--benchmark-max-time=0.02", *way)
    assert set(result.phases.values()) == {"passed passed passed"}
    (line,) = (line for line in result.output.splitlines() if re.match(r"test_\w+ +[\d.]+ ", line))
    # Ten times a millisecond, measured in milliseconds: no coroutine that nobody awaits.
    assert "(time in ms)" in result.output
    assert float(line.split()[1]) >= 10
    assert not way or "1 of 1 alone" in result.output


def test_the_page_has_a_row_for_each_package() -> None:
    text = _PAGE.read_text(encoding="utf-8")
    rows = {row.partition(" | ")[0] for row in re.findall(r"^\| (.*)$", text, re.MULTILINE)}
    with (_PAGE.parents[2] / "pyproject.toml").open("rb") as file:
        packages = tomllib.load(file)["project"]["optional-dependencies"]["neighbours"]
    assert packages
    assert set(packages) <= rows
