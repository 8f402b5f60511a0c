"""Limits on the phases of a test, with real time and real hangs."""

from __future__ import annotations

import re
import types
from typing import Any

import pytest
from harness import IMPATIENT, Suite
from loops import open_loop

from pytest_trio_scoped._alarms import Alarms
from pytest_trio_scoped._timeouts import Timeouts

#: Short enough for a test, long enough for a busy machine to set a test up.
_LIMIT = "0.5"


@pytest.fixture
def limited(suite: Suite) -> Suite:
    suite.write("conftest.py", IMPATIENT)
    suite.ini(f"trio_timeout = {_LIMIT}")
    return suite


def write(suite: Suite, source: str) -> None:
    suite.tests(source)
    suite.ini(f"trio_timeout = {_LIMIT}")


SERVER = """
@pytest.fixture(scope="session")
async def server():
    trace("set up server")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.sleep_forever, name="accept")
        yield
        nursery.cancel_scope.cancel()
    trace("torn down server")
"""


def test_a_test_that_hangs_fails_with_the_limit_and_the_tree_and_the_run_goes_on(
    limited: Suite,
) -> None:
    write(
        limited,
        SERVER
        + """
async def child():
    await trio.sleep_forever()
async def helper():
    await trio.sleep_forever()
@pytest.fixture
async def narrow():
    yield
    await trio.lowlevel.checkpoint()
    trace("torn down narrow")
async def test_a(server, narrow, nursery):
    nursery.start_soon(child, name="child")
    await helper()
async def test_b(server):
    await trio.sleep(0)
""",
    )
    result = limited.run_subprocess("-W", "error")
    assert result.phases == {"test_a": "passed failed passed", "test_b": "passed passed passed"}
    assert result.trace == ["set up server", "torn down narrow", "torn down server"]
    shown = re.sub(r"py:\d+", "py:1", result.output)
    assert (
        "test_it.py::test_a: the call took longer than 0.5 s (trio_timeout).\n"
        "It was cancelled; these were the tasks:\n"
        "\n"
        "- test_it.py::test_a\n"
        "  test_it.py:1 in helper: await trio.sleep_forever()\n"
        "  - child\n"
        "    test_it.py:1 in child: await trio.sleep_forever()\n"
        "- fixture 'narrow'\n"
        "  test_it.py:1 in narrow: yield\n"
        "- fixture 'server'\n"
        "  test_it.py:1 in server: yield\n"
        "  - accept\n"
    ) in shown, shown
    assert "pytest_trio_scoped" not in result.output.partition("FAILURES")[2]


@pytest.mark.parametrize("scope", ["function", "module", "session"])
def test_a_set_up_that_hangs_is_an_error(limited: Suite, scope: str) -> None:
    kind = "return" if scope == "module" else "yield"
    write(
        limited,
        f"""
@pytest.fixture
async def good():
    yield
    trace("torn down good")
@pytest.fixture(scope="{scope}")
async def bad():
    await trio.sleep_forever()
    {kind}
async def test_a(good, bad): pass
async def test_b(): pass
""",
    )
    result = limited.run_subprocess("-W", "error")
    assert result.outcomes == {"test_a": "error", "test_b": "passed"}
    assert "test_it.py::test_a: the set-up took longer than 0.5 s (trio_timeout)." in result.output
    assert "in bad: await trio.sleep_forever()" in result.output
    assert result.trace == (["torn down good"] if scope == "function" else [])


def test_each_tear_down_that_hangs_has_the_limit_for_itself_and_all_are_done(
    limited: Suite,
) -> None:
    write(
        limited,
        """
@pytest.fixture
async def good():
    yield
    await trio.sleep(0.01)
    trace("torn down good")
@pytest.fixture
async def bad():
    yield
    await trio.sleep_forever()
@pytest.fixture
async def worse(request):
    request.addfinalizer(trio.sleep_forever)
@pytest.fixture
def sync_bad():
    yield
    await_(trio.sleep_forever())
async def test_a(good, bad, worse, sync_bad): pass
async def test_b(): pass
""",
    )
    result = limited.run_subprocess("-W", "error")
    assert result.phases == {"test_a": "passed passed failed", "test_b": "passed passed passed"}
    assert result.trace == ["torn down good"]
    assert result.output.count("the tear-down took longer than 0.5 s") >= 3


def test_each_phase_has_the_limit_for_itself(limited: Suite) -> None:
    write(
        limited,
        """
@pytest.fixture
async def slow():
    await trio.sleep(0.8)
    yield
    await trio.sleep(0.8)
async def test_a(slow):
    await trio.sleep(0.8)
""",
    )
    assert limited.run("--trio-timeout=1.5").outcomes == {"test_a": "passed"}


@pytest.mark.parametrize(
    ("setting", "mark", "arguments", "source"),
    [
        ("", "trio(timeout=0.4)", [], "0.4 s (the timeout of its mark 'trio')"),
        ("60", "trio(timeout=0.4)", [], "0.4 s (the timeout of its mark 'trio')"),
        ("60", "trio", ["--trio-timeout=0.4"], "0.4 s (--trio-timeout)"),
        ("", "trio", ["--trio-timeout=0.4"], "0.4 s (--trio-timeout)"),
        ("60", "trio(timeout=0.4)", ["--trio-timeout=0"], "0.4 s (the timeout of its mark 'trio')"),
        ("0.4", "trio", [], "0.4 s (trio_timeout)"),
    ],
)
def test_who_says_so(
    suite: Suite, setting: str, mark: str, arguments: list[str], source: str
) -> None:
    suite.tests(
        f"""
        class TestMany:
            pytestmark = pytest.mark.{mark}
            async def test_a(self):
                await trio.sleep_forever()
        """
    )
    suite.ini(f"trio_timeout = {setting}")
    result = suite.run_subprocess(*arguments)
    assert result.outcomes == {"TestMany::test_a": "failed"}
    assert f"the call took longer than {source}." in result.output


@pytest.mark.parametrize("value", [None, 0])
def test_a_mark_switches_it_off(limited: Suite, value: object) -> None:
    write(
        limited,
        f"""
@pytest.mark.trio(timeout={value})
async def test_a():
    await trio.sleep(0.8)
""",
    )
    assert limited.run().outcomes == {"test_a": "passed"}


def test_an_option_switches_it_off(limited: Suite) -> None:
    write(limited, "async def test_a():\n    await trio.sleep(0.8)")
    assert limited.run("--trio-timeout=0").outcomes == {"test_a": "passed"}


@pytest.mark.parametrize("value", ["'soon'", "-1", "float('nan')", "[]", "float('inf')"])
def test_a_bad_mark_is_an_error(limited: Suite, value: str) -> None:
    write(limited, f"@pytest.mark.trio(timeout={value})\nasync def test_a(): pass")
    result = limited.run()
    assert result.outcomes == {"test_a": "error"}
    assert "test_it.py::test_a is marked 'trio'; the timeout is " in result.output
    assert "Give a number of seconds, or None for no limit." in result.output


@pytest.mark.parametrize("value", ["soon", "-1", "nan"])
def test_a_bad_ini_value_or_option_is_a_usage_error(suite: Suite, value: str) -> None:
    suite.tests("async def test_a(): pass")
    result = suite.run(f"--trio-timeout={value}")
    assert result.exit_code == pytest.ExitCode.USAGE_ERROR
    assert f"--trio-timeout: It is '{value}'. Give a number of seconds" in result.output
    suite.ini(f"trio_timeout = {value}")
    result = suite.run()
    assert result.exit_code == pytest.ExitCode.USAGE_ERROR
    assert f"The ini value 'trio_timeout' is '{value}'. Give a number of seconds" in result.output


@pytest.mark.parametrize("clock", ["mock_clock", "autojump_clock", "server, mock_clock"])
def test_it_is_real_time(limited: Suite, clock: str) -> None:
    write(
        limited,
        SERVER
        + f"""
async def test_a({clock}):
    await trio.sleep_forever()
async def test_b(): pass
""",
    )
    result = limited.run_subprocess()
    assert result.outcomes == {"test_a": "failed", "test_b": "passed"}
    assert "in test_a: await trio.sleep_forever()" in result.output


def test_a_test_that_swallows_its_cancellation_fails_all_the_same(limited: Suite) -> None:
    write(
        limited,
        """
async def test_a():
    try:
        await trio.sleep_forever()
    except trio.Cancelled:
        pass
async def test_b():
    try:
        await trio.sleep_forever()
    finally:
        raise ValueError("its own")
@pytest.mark.xfail
async def test_c():
    await trio.sleep_forever()
async def test_d(): pass
""",
    )
    result = limited.run_subprocess()
    assert result.outcomes == {
        "test_a": "failed",
        "test_b": "failed",
        "test_c": "xfailed",
        "test_d": "passed",
    }
    assert "ValueError: its own" in result.output
    assert "it took too long, and something failed when it was cancelled" in result.output


def test_what_is_shielded_ends_with_the_loop_which_is_said_at_once(limited: Suite) -> None:
    write(
        limited,
        SERVER
        + """
async def test_a(server):
    with trio.CancelScope(shield=True):
        await trio.sleep_forever()
async def test_b(server): pass
""",
    )
    result = limited.run_subprocess()
    assert result.outcomes == {"test_a": "failed", "test_b": "passed"}
    assert result.trace == ["set up server", "set up server", "torn down server"]
    failures = result.output.partition("FAILURES")[2]
    assert "It was cancelled, and has not ended within 0.4 s after that" in failures
    assert "in test_a: await trio.sleep_forever()" in failures
    assert "Fixtures that lived on the loop are lost and will be set up anew: 'server'" in failures
    assert "has not ended within 0.4 s" in result.output.partition("FAILURES")[0]


@pytest.mark.parametrize("place", ["set-up", "tear-down"])
def test_shielded_set_ups_and_tear_downs_end_with_the_loop_too(limited: Suite, place: str) -> None:
    hang = "    with trio.CancelScope(shield=True):\n        await trio.sleep_forever()"
    write(
        limited,
        f"""
@pytest.fixture
async def bad():
{hang if place == "set-up" else ""}
    yield
{hang if place == "tear-down" else ""}
async def test_a(bad): pass
async def test_b(): pass
""",
    )
    result = limited.run_subprocess()
    assert result.outcomes == {"test_a": "error", "test_b": "passed"}
    assert f"test_a: the {place} took longer than 0.5 s" in result.output


@pytest.mark.parametrize("then", ["pass", "await trio.sleep_forever()"])
def test_stuck_in_sync_code_is_reported_at_once_and_fails_when_it_is_over(
    limited: Suite, then: str
) -> None:
    write(
        limited,
        f"""
import time
def blocks():
    time.sleep(1.5)
async def test_a():
    blocks()
    {then}
async def test_b(): pass
""",
    )
    result = limited.run_subprocess()
    assert result.outcomes == {"test_a": "failed", "test_b": "passed"}
    before, _, failures = result.output.partition("FAILURES")
    assert "It can't be cancelled: for 0.4 s sync code has kept the thread" in before
    assert "in blocks\n" in before
    assert "- test_it.py::test_a\n" in before
    expected = "so it was not cancelled" if then == "pass" else "It was cancelled; these were"
    assert expected in failures


def test_sync_tests_are_limited_where_they_wait_for_the_loop_only(limited: Suite) -> None:
    write(
        limited,
        SERVER
        + """
import time
def test_outside(server):
    await_(trio.sleep_forever())
def test_busy(request):
    request.getfixturevalue("server")
    time.sleep(0.6)
def test_plain():
    time.sleep(0.6)
def test_late(request):
    time.sleep(0.5)
    await_(trio.sleep_forever())
""",
    )
    result = limited.run_subprocess()
    assert result.outcomes == {
        "test_outside": "failed",
        "test_busy": "passed",
        "test_plain": "passed",
        "test_late": "failed",
    }


def test_without_a_limit_nothing_is_watched(suite: Suite) -> None:
    suite.tests(
        """
        import threading
        async def test_a(request):
            assert "pytest_trio_scoped alarms" not in [thread.name for thread in threading.enumerate()]
            plugins = request.config.pluginmanager.get_plugins()
            assert "PhaseHooks" not in [type(plugin).__name__ for plugin in plugins]
        """
    )
    assert suite.run().outcomes == {"test_a": "passed"}


def test_a_debugger_has_all_the_time(limited: Suite) -> None:
    write(
        limited,
        """
import time
async def test_a():
    breakpoint()
    time.sleep(0.8)
    await trio.sleep(0)
""",
    )
    result = limited.run_subprocess("--capture=no", stdin="continue\n")
    assert result.outcomes == {"test_a": "passed"}, result.output


def test_ctrl_c_counts_more_than_the_limit(limited: Suite) -> None:
    write(
        limited,
        """
import os, signal
async def test_a():
    try:
        await trio.sleep_forever()
    finally:
        os.kill(os.getpid(), signal.SIGINT)
        trace("struck")
async def test_b(): trace("b")
""",
    )
    result = limited.run_subprocess()
    assert result.exit_code == pytest.ExitCode.INTERRUPTED
    assert "b" not in result.trace


@pytest.mark.parametrize("end", ["pytest.exit('enough', 7)", "os.kill(os.getpid(), signal.SIGINT)"])
def test_no_limit_counts_for_what_is_torn_down_at_the_end_of_the_run(
    limited: Suite, end: str
) -> None:
    write(
        limited,
        f"""
import os, signal
@pytest.fixture(scope="session")
async def server():
    yield
    await trio.sleep(1)
    trace("torn down")
async def test_a(server):
    {end}
    await trio.sleep_forever()
""",
    )
    result = limited.run_subprocess()
    assert result.exit_code == (7 if "exit" in end else pytest.ExitCode.INTERRUPTED)
    assert result.trace == ["torn down"]
    assert "Traceback" not in result.output
    assert "took longer" not in result.output


def test_a_bad_mark_leaves_the_tear_down_alone(limited: Suite) -> None:
    write(
        limited,
        """
@pytest.fixture(scope="module", autouse=True)
def wide():
    yield
    trace("torn down")
async def test_ok(): pass
@pytest.mark.trio(timeout="soon")
async def test_a(): pass
""",
    )
    limited.write("test_other.py", "from trace import trace\nasync def test_b(): trace('b')")
    result = limited.run()
    assert result.phases == {
        "test_ok": "passed passed passed",
        "test_a": "failed passed",
        "test_b": "passed passed passed",
    }
    assert result.trace == ["torn down", "b"]
    assert "During handling" not in result.output


def test_code_that_catches_what_await_raises_fails_all_the_same(limited: Suite) -> None:
    write(
        limited,
        """
import unittest
def test_swallows():
    with pytest.raises(BaseException):
        await_(trio.sleep_forever())
def test_raises():
    try:
        await_(trio.sleep_forever())
    except BaseException:
        raise ValueError("its own")
class TestCase(unittest.TestCase):
    def test_swallows(self):
        with self.assertRaises(BaseException):
            await_(trio.sleep_forever())
    def test_raises(self):
        try:
            await_(trio.sleep_forever())
        except BaseException:
            raise ValueError("its own")
def test_next(): pass
""",
    )
    result = limited.run_subprocess()
    assert result.outcomes == {
        "test_swallows": "failed",
        "test_raises": "failed",
        "TestCase::test_swallows": "failed",
        "TestCase::test_raises": "failed",
        "test_next": "passed",
    }
    assert len(re.findall("Failed: .*took longer than 0.5 s", result.output)) >= 2
    assert result.output.count("ValueError: its own") >= 2


def test_what_a_call_waits_for_after_the_limit_is_cancelled_as_well(limited: Suite) -> None:
    write(
        limited,
        """
def test_a():
    for _ in range(10):
        with pytest.raises(BaseException):
            await_(trio.sleep_forever())
""",
    )
    result = limited.run_subprocess(seconds=20)
    assert result.outcomes == {"test_a": "failed"}
    (seconds,) = re.findall(r" in ([0-9.]+)s", result.output)
    assert float(seconds) < 8


def test_an_alarm_that_goes_off_when_the_phase_ends_does_nothing() -> None:
    with open_loop() as loop:
        session: Any = types.SimpleNamespace(
            present_loop=loop, is_inside=False, alarms=Alarms(), strand=None
        )
        timeouts = Timeouts(session)
        watch = timeouts.begin("test_a", 3600, "trio_timeout")
        watch.end()
        loop.ctrl_c.begin(Fail())  # somebody else waits
        watch.expire()
        loop.ctrl_c.waits.clear()
        assert timeouts.conclude(None) is None
        session.alarms.close()


class Fail:
    def cancel(self) -> None:
        pytest.fail("it was cancelled")

    def interrupt(self) -> None:
        pytest.fail("it was interrupted")


def test_a_test_in_a_worker_thread_has_no_place(limited: Suite) -> None:
    write(
        limited,
        """
import time
@pytest.mark.trio_thread
def test_a():
    time.sleep(1.5)
""",
    )
    result = limited.run_subprocess()
    assert result.outcomes == {"test_a": "failed"}
    assert "- test_it.py::test_a\n" in result.output
    assert "<module>" not in result.output
    assert "runpy" not in result.output


def test_without_stderr_nothing_is_written(limited: Suite) -> None:
    write(limited, "async def test_a(): pass")
    limited.write(
        "conftest.py",
        """
        import sys
        def pytest_collection_finish(): sys.__stderr__ = None
        """,
    )
    assert limited.run_subprocess().outcomes == {"test_a": "passed"}


def test_who_waits_for_its_turn_only_is_not_cut_short_for_sync_code_of_others(suite: Suite) -> None:
    suite.tests(
        """
        import time
        begun = trio.Event()
        @pytest.fixture(scope="session")
        async def begins():
            begun.set()
        @pytest.fixture(scope="session")
        async def shared():
            await begun.wait()
            await trio.testing.wait_all_tasks_blocked()
        @pytest.fixture
        async def blocks(shared):
            await trio.lowlevel.checkpoint()  # while the other one is on its way back from its wait
            time.sleep(0.7)
        @pytest.fixture
        async def own(shared):
            await trio.sleep(0.2)
        @pytest.mark.trio(timeout=None)
        async def test_first(blocks): pass
        async def test_beside(begins, own): pass
        """
    )
    result = suite.run("--trio-parallel=2", "--trio-timeout=0.5")
    assert result.outcomes == {"test_first": "passed", "test_beside": "passed"}, result.output
