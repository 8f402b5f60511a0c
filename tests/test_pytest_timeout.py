"""Beside the real pytest-timeout."""

from __future__ import annotations

import pytest
from harness import IMPATIENT, Result, Suite

_TESTS = """
import time
@pytest.fixture(scope="session")
async def server():
    trace("set up server")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.sleep_forever, name="accept")
        yield
        nursery.cancel_scope.cancel()
    trace("torn down server")
@pytest.fixture
async def narrow():
    yield
    await trio.lowlevel.checkpoint()
    trace("torn down narrow")
@pytest.fixture
async def hangs_in_tear_down():
    yield
    await trio.sleep_forever()
@pytest.fixture
async def hangs_in_set_up():
    await trio.sleep_forever()
"""


@pytest.fixture
def timed(suite: Suite) -> Suite:
    suite.write("conftest.py", IMPATIENT)
    return suite


def run(suite: Suite, source: str, *arguments: str) -> Result:
    suite.tests(_TESTS + source)
    return suite.run_subprocess("-p", "pytest_timeout", "--timeout=0.5", *arguments)


every_method = pytest.mark.parametrize("method", ["signal", "thread"])


@every_method
def test_an_async_test_that_hangs_is_cancelled_and_the_run_goes_on(
    timed: Suite, method: str
) -> None:
    result = run(
        timed,
        """
async def test_a(server, narrow):
    await trio.sleep_forever()
async def test_b(server): pass
""",
        f"--timeout-method={method}",
    )
    assert result.phases == {"test_a": "passed failed passed", "test_b": "passed passed passed"}
    assert result.trace == ["set up server", "torn down narrow", "torn down server"]
    assert "test_it.py::test_a took longer than 0.5 s (pytest-timeout)." in result.output
    assert "in test_a: await trio.sleep_forever()" in result.output
    assert "_pytest_timeout.py" not in result.output


@pytest.mark.parametrize("kind", ["async def", "def"])
@pytest.mark.parametrize("method", ["signal"])
def test_set_ups_and_tear_downs_too(timed: Suite, kind: str, method: str) -> None:
    hang = "await trio.sleep_forever()" if kind == "async def" else "await_(trio.sleep_forever())"
    result = run(
        timed,
        f"""
{kind} test_a(server, hangs_in_set_up): pass
{kind} test_b(server, hangs_in_tear_down): pass
{kind} test_c(server, hangs_in_tear_down):
    {hang}
{kind} test_d(server): pass
""",
        f"--timeout-method={method}",
    )
    assert result.phases == {
        "test_a": "failed passed",
        "test_b": "passed passed failed",
        "test_c": "passed failed failed",
        "test_d": "passed passed passed",
    }
    assert result.trace == ["set up server", "torn down server"]


def test_sync_tests_stay_with_pytest_timeout_and_the_loop_survives(timed: Suite) -> None:
    result = run(
        timed,
        """
def test_plain():
    time.sleep(60)
def test_inside(server):
    time.sleep(60)
def test_waits(server):
    await_(trio.sleep_forever())
async def test_last(server): pass
""",
    )
    assert result.outcomes == {
        "test_plain": "failed",
        "test_inside": "failed",
        "test_waits": "failed",
        "test_last": "passed",
    }
    assert result.trace == ["set up server", "torn down server"]
    # Both of pytest-timeout's own; the third is the one that was waiting in Trio's run loop.
    lines = result.output.splitlines()
    told = [line for line in lines if line.startswith("E ") and "Timeout (>0.5s) from" in line]
    assert len(told) == 2
    assert "test_it.py::test_waits took longer than 0.5 s (pytest-timeout)." in result.output


@pytest.mark.parametrize(
    ("mark", "source"),
    [
        ("timeout(0.2)", "test_it.py::test_a took longer than 0.2 s"),
        ("timeout(0.2, func_only=True)", "test_it.py::test_a: the call took longer than 0.2 s"),
        ("timeout(0.2, method='thread')", "test_it.py::test_a took longer than 0.2 s"),
    ],
)
def test_its_mark(timed: Suite, mark: str, source: str) -> None:
    result = run(
        timed,
        f"""
@pytest.mark.{mark}
async def test_a():
    await trio.sleep_forever()
@pytest.mark.timeout(0)
async def test_b():
    await trio.sleep(0.7)
""",
    )
    assert result.outcomes == {"test_a": "failed", "test_b": "passed"}
    assert source in result.output


def test_its_ini_value(timed: Suite) -> None:
    timed.tests("async def test_a(): await trio.sleep_forever()")
    timed.ini("timeout = 0.3")
    result = timed.run_subprocess("-p", "pytest_timeout")
    assert result.outcomes == {"test_a": "failed"}
    assert "took longer than 0.3 s (pytest-timeout)" in result.output


def test_func_only_does_not_count_the_set_up(timed: Suite) -> None:
    result = run(
        timed,
        """
@pytest.fixture
async def slow():
    await trio.sleep(0.4)
@pytest.mark.timeout(0.3, func_only=True)
async def test_a(slow): pass
""",
    )
    assert result.outcomes == {"test_a": "passed"}


@pytest.mark.parametrize("func_only", [True, False])
def test_what_a_test_is_stuck_in_is_told_at_once_past_capture(
    timed: Suite, func_only: bool
) -> None:
    result = run(
        timed,
        f"""
def blocks():
    time.sleep(1.5)
@pytest.mark.timeout(0.5, func_only={func_only})
async def test_a():
    blocks()
""",
    )
    assert result.outcomes == {"test_a": "failed"}
    before, _, _ = result.output.partition("FAILURES")
    assert "It can't be cancelled: for 0.4 s sync code has kept the thread" in before
    assert "in blocks\n" in before


@pytest.mark.parametrize("which", ["earlier", "later"])
def test_beside_a_limit_of_ours_the_earlier_counts(timed: Suite, which: str) -> None:
    ours = 0.2 if which == "earlier" else 10
    result = run(timed, "async def test_a(): await trio.sleep_forever()", f"--trio-timeout={ours}")
    assert result.outcomes == {"test_a": "failed"}
    source = "0.2 s (--trio-timeout)" if which == "earlier" else "0.5 s (pytest-timeout)"
    assert f"took longer than {source}" in result.output


def test_a_debugger_has_all_the_time(timed: Suite) -> None:
    timed.tests(
        """
        import time
        async def test_a():
            breakpoint()
            time.sleep(0.8)
            await trio.sleep(0)
        """
    )
    arguments = ("-p", "pytest_timeout", "--timeout=0.5", "--capture=no")
    result = timed.run_subprocess(*arguments, stdin="continue\n")
    assert result.outcomes == {"test_a": "passed"}, result.output
