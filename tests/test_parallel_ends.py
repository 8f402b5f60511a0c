"""Ctrl-C, exits and time limits while many tests are in flight."""

from __future__ import annotations

import os
import signal

import pytest
from harness import IMPATIENT, Suite

from pytest_trio_scoped import _errors

_CLIENTS = """
    import os, signal
    import trio.testing

    @pytest.fixture(scope="session")
    async def server():
        yield 1
        await trio.sleep(0.01)
        trace("server is down")

    @pytest.fixture
    async def client(server, request):
        yield 2
        await trio.sleep(0.01)
        trace(f"client of {request.node.name} is down")

    @pytest.fixture
    def sync_client(client, request):
        yield
        trace(f"sync client of {request.node.name} is down")
"""


@pytest.mark.parametrize(
    ("end", "text"),
    [
        ("os.kill(os.getpid(), signal.SIGINT)", "KeyboardInterrupt"),
        ("pytest.exit('enough')", "Exit: enough"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
    ],
)
def test_what_ends_the_run_ends_all_in_flight_and_everything_is_torn_down(
    suite: Suite, end: str, text: str
) -> None:
    suite.tests(
        _CLIENTS
        + f"""
    begun = []

    @pytest.mark.parametrize("number", range(4))
    async def test_it(sync_client, number):
        begun.append(1)
        try:
            while len(begun) < 4:
                await trio.sleep(0)
            if number == 2:
                {end}
            await trio.sleep_forever()
        finally:
            trace(f"test {{number}} ends")

    async def test_later(): trace("later")
    """
    )
    result = suite.run_subprocess("--trio-parallel=4")
    assert result.exit_code == pytest.ExitCode.INTERRUPTED, result.output
    assert text in result.output
    assert "INTERNALERROR" not in result.output
    ends = [f"test {number} ends" for number in range(4)]
    downs = [
        f"{kind} of test_it[{number}] is down"
        for number in range(4)
        for kind in ("sync client", "client")
    ]
    assert sorted(result.trace) == sorted([*ends, *downs, "server is down"]), result.output
    assert sorted(result.trace[:4]) == ends
    assert result.trace[-1] == "server is down"


def test_a_set_up_that_is_cancelled_and_ends_well_when_the_run_ends(suite: Suite) -> None:
    """Its tear-down does not raise Cancelled, which would keep pytest from tearing down what is left."""
    suite.tests(
        _CLIENTS
        + """
    @pytest.fixture(scope="session")
    async def ends_the_run(server):
        async def end():
            await trio.testing.wait_all_tasks_blocked()
            raise KeyboardInterrupt
        async with trio.open_nursery() as nursery:
            nursery.start_soon(end)
            yield

    @pytest.fixture
    async def stubborn(ends_the_run):
        with trio.CancelScope(shield=True):
            await trio.sleep(0.05)
        trace("up")
        try:
            yield
        finally:
            trace("down")

    @pytest.mark.parametrize("number", range(3))
    async def test_it(stubborn, number): await trio.sleep_forever()

    async def test_end(ends_the_run): await trio.sleep_forever()
    """
    )
    result = suite.run_subprocess("--trio-parallel=4")
    assert result.exit_code == pytest.ExitCode.INTERRUPTED, result.output
    assert sorted(result.trace[:-1]) == ["down"] * 3 + ["up"] * 3
    assert result.trace[-1] == "server is down"


@pytest.mark.parametrize("end", ["raise KeyboardInterrupt", "pytest.exit('enough')"])
def test_what_ends_the_run_in_the_background_of_a_wide_fixture_fails_no_test(
    suite: Suite, end: str
) -> None:
    suite.tests(
        _CLIENTS
        + f"""
    begun = []
    all_wait = trio.Event()

    async def wait():
        begun.append(1)
        if len(begun) == 5:
            all_wait.set()
        await trio.sleep_forever()

    @pytest.fixture(scope="module")
    async def wide(server):
        async def work():
            await all_wait.wait()
            {end}
        async with trio.open_nursery() as nursery:
            nursery.start_soon(work)
            yield

    @pytest.mark.parametrize("number", range(3))
    async def test_user(wide, sync_client, number): await wait()

    @pytest.fixture
    async def slow(wide): await wait()

    async def test_set_up(slow): pass

    async def test_asks_when_it_has_crashed(request):
        await all_wait.wait()
        for _ in range(3):
            await trio.sleep(0)
        request.getfixturevalue("wide")
        trace("has got it")

    async def test_other(): await wait()
    """
    )
    result = suite.run_subprocess("--trio-parallel=6", "-v")
    assert result.exit_code == pytest.ExitCode.INTERRUPTED, result.output
    assert "failed" not in result.output
    assert "error" not in result.output
    assert all(set(phases.split()) == {"passed"} for phases in result.phases.values())
    downs = sum(line.endswith("is down") for line in result.trace)
    assert downs == len(result.trace) == 7, result.trace
    assert result.trace[-1] == "server is down"


def test_ctrl_c_from_outside_while_all_wait(suite: Suite) -> None:
    suite.tests(
        _CLIENTS
        + """
    begun = []

    @pytest.mark.parametrize("number", range(3))
    async def test_it(client, number):
        begun.append(1)
        if len(begun) == 3:
            trace("all wait")
        try:
            await trio.sleep_forever()
        finally:
            trace("ends")
    """
    )
    process = suite.start("--trio-parallel=3")
    suite.wait_for_trace("all wait")
    os.kill(process.pid, signal.SIGINT)
    result = suite.finish(process)
    assert result.exit_code == pytest.ExitCode.INTERRUPTED, result.output
    assert result.trace.count("ends") == 3
    assert result.trace[-1] == "server is down"
    assert sum(line.startswith("client") for line in result.trace) == 3


@pytest.mark.parametrize("is_in_code_of_a_test", [False, True])
def test_a_second_ctrl_c_leaves_at_once_and_says_what_is_left(
    suite: Suite, is_in_code_of_a_test: bool
) -> None:
    """Also if what keeps the first from the end is one test's, and all others have long been interrupted."""
    suite.tests(
        _CLIENTS
        + f"""
    import threading

    all_ended = threading.Event()

    def names(task):
        yield task.name
        for nursery in task.child_nurseries:
            for child in nursery.child_tasks:
                yield from names(child)

    def is_in_flight():
        return any("::test_it[" in name for name in names(trio.lowlevel.current_root_task()))

    def until_all_have_ended():
        trace("stuck")
        all_ended.wait(9)
        while trio.from_thread.run_sync(is_in_flight):
            pass

    def for_long():
        trace("all have ended")
        threading.Event().wait(9)

    @pytest.fixture(scope="class")
    async def stuck(server):
        yield
        with trio.CancelScope(shield=True):
            await trio.to_thread.run_sync(until_all_have_ended)
            await trio.to_thread.run_sync(for_long)

    class TestIt:
        async def test_short(self, stuck): pass

    @pytest.fixture
    def no_tear_down(client): return 1

    ended = []

    @pytest.mark.parametrize("number", range(3))
    async def test_it(client, no_tear_down, number):
        try:
            await trio.sleep_forever()
        finally:
            ended.append(number)
            if len(ended) == 3:
                if {is_in_code_of_a_test}:
                    signal.raise_signal(signal.SIGINT)
                all_ended.set()

    async def test_later(): trace("later")
    """
    )
    process = suite.start("--trio-parallel=4")
    signalled = ["stuck"] if is_in_code_of_a_test else ["stuck", "all have ended"]
    for line in signalled:
        suite.wait_for_trace(line)
        os.kill(process.pid, signal.SIGINT)
    result = suite.finish(process, seconds=20)
    assert result.exit_code == pytest.ExitCode.INTERRUPTED, result.output
    assert result.trace == signalled
    assert "!!! KeyboardInterrupt !!!" in result.output
    told = result.output.partition(_errors.NOT_TORN_DOWN)[2].partition("!!!")[0].splitlines()
    tests = [f"  test_it.py::test_it[{number}]: 'client'" for number in range(3)]
    assert sorted(told[1:]) == sorted(
        ["  session: 'server'", "  test_it.py::TestIt: 'stuck'", *tests]
    )
    for word in ("INTERNALERROR", "Warning", "failed"):
        assert word not in result.output


def test_minus_x_finishes_what_is_in_flight_and_starts_nothing_new(suite: Suite) -> None:
    suite.tests(
        _CLIENTS
        + """
    begun = []

    @pytest.mark.parametrize("number", range(3))
    async def test_it(client, number):
        begun.append(1)
        while len(begun) < 3:
            await trio.sleep(0)
        assert number != 1
        await trio.sleep(0.05)

    async def test_later(): trace("later")
    """
    )
    result = suite.run_subprocess("--trio-parallel=3", "-x")
    assert result.outcomes == {
        "test_it[0]": "passed",
        "test_it[1]": "failed",
        "test_it[2]": "passed",
    }
    assert "stopping after 1 failures" in result.output
    assert result.trace[-1] == "server is down"
    assert "later" not in result.trace


def test_errors_of_wide_tear_downs_are_told_with_minus_x(suite: Suite) -> None:
    suite.tests(
        """
        @pytest.fixture(scope="session")
        async def server():
            yield
            raise OSError("not down")

        async def test_bad(server):
            assert 0

        async def test_good(server):
            await trio.sleep(0.02)

        async def test_later(server): trace("later")
        """
    )
    result = suite.run_subprocess("--trio-parallel=2", "-x")
    assert "ERROR test_it.py::test_good - OSError: not down" in result.output
    assert "INTERNALERROR" not in result.output
    assert result.trace == []


def test_each_test_has_its_own_limit(suite: Suite) -> None:
    suite.tests(
        """
        from pytest_trio_scoped import await_

        @pytest.mark.parametrize("seconds", [0, 0.2, 9])
        async def test_it(seconds):
            await trio.sleep(seconds)

        @pytest.mark.trio(timeout=0.1)
        async def test_marked():
            await trio.sleep_forever()

        def test_sync():
            await_(trio.sleep_forever())

        @pytest.fixture
        async def slow():
            await trio.sleep_forever()

        async def test_slow(slow): pass
        """
    )
    result = suite.run_subprocess("--trio-parallel=auto", "--trio-timeout=0.6")
    assert result.outcomes == {
        "test_it[0]": "passed",
        "test_it[0.2]": "passed",
        "test_it[9]": "failed",
        "test_marked": "failed",
        "test_sync": "failed",
        "test_slow": "error",
    }, result.output
    assert "test_marked: the call took longer than 0.1 s" in result.output
    assert "test_slow: the set-up took longer than 0.6 s" in result.output


def test_what_is_in_flight_when_the_debugger_is_left_is_not_reported(suite: Suite) -> None:
    suite.write(
        "conftest.py", "def pytest_exception_interact(): raise pytest.exit('left')\nimport pytest"
    )
    suite.tests(
        _CLIENTS
        + """
    @pytest.mark.parametrize("number", range(3))
    async def test_it(client, number): await trio.sleep_forever()

    async def test_bad(client):
        await trio.testing.wait_all_tasks_blocked()
        assert 0
    """
    )
    result = suite.run_subprocess("--trio-parallel=4", "--pdb")
    assert result.exit_code == pytest.ExitCode.INTERRUPTED, result.output
    assert not [
        name for name in result.phases if "test_it" in name and "failed" in result.phases[name]
    ]
    assert result.trace[-1] == "server is down"
    assert sum(line.startswith("client") for line in result.trace) == 4


def test_a_limit_that_ends_the_loop_fails_all_in_flight_with_the_same_text(suite: Suite) -> None:
    suite.write("conftest.py", IMPATIENT)
    suite.tests(
        """
    @pytest.mark.trio(timeout=0.05)
    async def test_stuck():
        with trio.CancelScope(shield=True):
            await trio.sleep_forever()

    async def test_other(): await trio.sleep_forever()
    """
    )
    result = suite.run_subprocess("--trio-parallel=2")
    assert result.outcomes == {"test_stuck": "failed", "test_other": "failed"}, result.output
    assert "_wreck" not in result.output
    assert "traceback entries are hidden" not in result.output
    failures = result.output.partition("FAILURES")[2]
    assert failures.count("test_stuck: the call took longer than 0.05 s") == 2
    assert failures.count("This ended the Trio loop of the session") == 2


@pytest.mark.parametrize("method", ["signal", "thread"])
def test_pytest_timeouts_limits_are_each_tests_own(suite: Suite, method: str) -> None:
    suite.tests(
        """
        from pytest_trio_scoped import await_

        @pytest.mark.parametrize("number", range(3))
        async def test_it(number):
            await trio.sleep(0.3 if number == 0 else 30)

        def test_sync():
            await_(trio.sleep(30))

        def test_quick(): pass
        """
    )
    options = ("-p", "pytest_timeout", "--timeout=0.8", f"--timeout-method={method}")
    result = suite.run_subprocess("--trio-parallel=auto", *options)
    assert result.outcomes == {
        "test_it[0]": "passed",
        "test_it[1]": "failed",
        "test_it[2]": "failed",
        "test_sync": "failed",
        "test_quick": "passed",
    }, result.output
    assert result.output.count("took longer than 0.8 s (pytest-timeout)") >= 3


def test_a_loop_of_ones_own_is_refused_among_others(suite: Suite) -> None:
    suite.tests(
        """
        import trio.testing

        made = []

        @pytest.fixture
        def hidden():
            return made[0]

        @pytest.fixture(autouse=True, scope="session")
        def make():
            made.append(vars(trio.testing)["Mock" + "Clock"]())

        async def test_a(hidden): pass
        async def test_b(): pass
        """
    )
    result = suite.run_subprocess("--trio-parallel=auto")
    assert result.outcomes["test_b"] == "passed"
    assert result.outcomes["test_a"] == "error"
    assert "Mark the test 'trio_exclusive'." in result.output


@pytest.mark.parametrize("end", ["os.kill(os.getpid(), signal.SIGINT)", "pytest.exit('enough')"])
def test_who_is_set_up_or_torn_down_when_the_run_ends(suite: Suite, end: str) -> None:
    """Whatever step they are at: no test fails by it, and tear-downs end as they should."""
    suite.tests(
        f"""
    import os, signal

    @pytest.fixture
    async def slow(request):
        number = request.node.callspec.params["number"]
        await pause(number)
        trace(f"up {{number}}")
        try:
            yield
        finally:
            trace(f"down {{number}}")
            await pause(9 - number)
            trace(f"gone {{number}}")

    async def pause(steps):
        for _ in range(steps):
            await trio.lowlevel.checkpoint()

    @pytest.mark.parametrize("number", range(10))
    async def test_it(slow, number):
        if number == 4:
            {end}
            await trio.sleep_forever()
        if number > 4:
            await trio.sleep_forever()
    """
    )
    result = suite.run_subprocess("--trio-parallel=10")
    assert result.exit_code == pytest.ExitCode.INTERRUPTED, result.output
    assert "failed" not in " ".join(result.phases.values()), result.output
    traced = [line.split() for line in result.trace]
    numbers = {
        kind: sorted(number for each, number in traced if each == kind)
        for kind in ("up", "down", "gone")
    }
    assert numbers["up"] == numbers["down"]
    # All but one that was cancelled in the step in which it had been set up.
    assert set("01234") <= set(numbers["gone"])


def test_sync_code_of_one_test_takes_no_time_from_others(suite: Suite) -> None:
    suite.tests(
        """
    import time

    async def test_guilty():
        await trio.lowlevel.checkpoint()
        time.sleep(0.8)
        await trio.sleep_forever()

    @pytest.mark.parametrize("number", range(3))
    async def test_other(number):
        await trio.sleep(0.02)
    """
    )
    result = suite.run_subprocess("--trio-parallel=4", "--trio-timeout=0.5")
    assert result.outcomes == {
        "test_guilty": "failed",
        **{f"test_other[{number}]": "passed" for number in range(3)},
    }, result.output
