"""pytest inside pytest, inside Trio, off the main thread, several times, and under xdist."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import pytest
from harness import Suite

#: An inner suite with a loop of its own, which has to be another one than the outer's.
INNER = '''
INNER = """
import pytest, trio
from pytest_trio_scoped import await_

@pytest.fixture(scope="session")
async def wide():
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.sleep_forever)
        yield trio.lowlevel.current_trio_token()
        nursery.cancel_scope.cancel()

async def test_async(wide):
    await trio.sleep(0.001)
    assert trio.lowlevel.current_trio_token() is wide

def test_sync(wide):
    assert await_(current()) is wide

async def current():
    await trio.lowlevel.checkpoint()
    return trio.lowlevel.current_trio_token()

def test_outside():
    trio.run(trio.sleep, 0)

async def test_fails(wide):
    await trio.lowlevel.checkpoint()
    assert 0
"""
SYNC = """
def test_a():
    pass
"""
CRASH = """
import pytest, trio

@pytest.fixture
async def crashing():
    async with trio.open_nursery() as nursery:
        yield nursery

async def crash():
    raise ValueError("boom")

async def test_a(crashing):
    crashing.start_soon(crash)
    await trio.sleep_forever()
"""
def run(pytester, source=None):
    pytester.makeini("[pytest]\\ntrio_mode = true")
    pytester.makepyfile(source or INNER)
    return pytester.runpytest_inprocess("-p", "trio_scoped", "-p", "no:cacheprovider", "-W", "error")
'''

OUTER = {
    "sync test outside": """
        def test_a(pytester):
            run(pytester).assert_outcomes(passed=3, failed=1)
            run(pytester, SYNC).assert_outcomes(passed=1)
    """,
    "sync test outside with a live fixture": """
        async def test_first(ticking):
            await trio.sleep(0)

        def test_a(pytester):
            run(pytester).assert_outcomes(passed=3, failed=1)
            run(pytester, SYNC).assert_outcomes(passed=1)

        async def test_last(ticking):
            assert trio.lowlevel.current_trio_token() is ticking
    """,
    "sync test inside": """
        def test_a(ticking, pytester):
            assert trio.lowlevel.current_trio_token() is ticking
            run(pytester).assert_outcomes(passed=3, failed=1)
            run(pytester, SYNC).assert_outcomes(passed=1)
            assert trio.lowlevel.current_trio_token() is ticking
            await_(trio.sleep(0))
    """,
    "async test": """
        async def test_a(ticking, pytester):
            await trio.sleep(0)
            task = trio.lowlevel.current_task()
            run(pytester).assert_outcomes(passed=3, failed=1)
            run(pytester, SYNC).assert_outcomes(passed=1)
            assert trio.lowlevel.current_task() is task
            assert trio.lowlevel.current_trio_token() is ticking
            await trio.sleep(0)
    """,
    "async fixture": """
        @pytest.fixture
        async def inner(ticking, pytester, monkeypatch):
            import os
            name = os.environ["PYTEST_CURRENT_TEST"]
            await trio.sleep(0)
            run(pytester).assert_outcomes(passed=3, failed=1)
            os.environ["PYTEST_CURRENT_TEST"] = name  # pytest expects its own back
            await trio.sleep(0)
            yield
            run(pytester).assert_outcomes(passed=3, failed=1)
            os.environ["PYTEST_CURRENT_TEST"] = name
            await trio.sleep(0)

        async def test_a(inner):
            await trio.sleep(0)
    """,
    "sync code below await_": """
        async def below(pytester):
            await trio.sleep(0)
            return run(pytester)

        def test_a(ticking, pytester):
            await_(below(pytester)).assert_outcomes(passed=3, failed=1)
    """,
}

TICKING = """
    @pytest.fixture(scope="session")
    async def ticking():
        async def tick():
            while True:
                await trio.sleep(0.001)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(tick)
            yield trio.lowlevel.current_trio_token()
            nursery.cancel_scope.cancel()
        trace("ticking down")
"""


@pytest.mark.parametrize("place", OUTER)
def test_in_process_sessions_work_in(suite: Suite, place: str) -> None:
    source = INNER + textwrap.dedent(TICKING) + textwrap.dedent(OUTER[place])
    suite.tests(source)
    result = suite.run_subprocess("-p", "pytester")
    assert set(result.outcomes.values()) == {"passed"}, result.output
    assert result.trace == (["ticking down"] if "ticking" in OUTER[place] else [])


def test_in_process_sessions_work_where_trio_is_not_imported(suite: Suite) -> None:
    """What the first of them imports, Trio as well, pytester takes out of sys.modules at its end."""
    outer = """
        def test_a(pytester):
            run(pytester).assert_outcomes(passed=3, failed=1)

        def test_b(pytester):
            run(pytester).assert_outcomes(passed=3, failed=1)

        def test_c(pytester):
            result = run(pytester, CRASH)
            result.assert_outcomes(failed=1)
            assert "Cancelled" not in result.stdout.str()
    """
    suite.tests(INNER + textwrap.dedent(outer), prelude=False)
    result = suite.run_subprocess("-p", "pytester")
    assert set(result.outcomes.values()) == {"passed"}, result.output


def _program(suite: Suite, source: str) -> str:
    """Run a program beside the suite and return what it printed; it must print nothing to stderr."""
    suite.write("program.py", source)
    process = subprocess.run(
        [sys.executable, "-W", "error", "program.py"],
        cwd=suite.path,
        env={**os.environ, "PYTHONPATH": str(suite.path)},
        capture_output=True,
        text=True,
        timeout=40,
        check=False,
    )
    # greenlet 3.1 may say this when a thread with greenlets ends with the program.
    complaints = [line for line in process.stderr.splitlines() if "greenlet: WARNING" not in line]
    assert complaints == []
    assert process.returncode == 0, process.stdout
    return process.stdout


SUITE = """
    @pytest.fixture(scope="session")
    async def wide():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            yield trio.lowlevel.current_trio_token()
            await trio.sleep(0)
            nursery.cancel_scope.cancel()
        trace("down")

    async def test_async(wide):
        await trio.sleep(0.001)
        assert trio.lowlevel.current_trio_token() is wide

    def test_sync(wide):
        await_(trio.sleep(0))

    def test_outside():
        trio.run(trio.sleep, 0)
"""

MAIN = 'pytest.main(["-q", "-p", "trio_scoped", "-p", "no:cacheprovider", "-W", "error"])'


def test_pytest_main_works_inside_trio_run(suite: Suite) -> None:
    suite.tests(SUITE)
    output = _program(
        suite,
        f"""
        import pytest, trio

        async def main():
            task = trio.lowlevel.current_task()
            await trio.sleep(0)
            assert {MAIN} == 0
            assert trio.lowlevel.current_task() is task
            await trio.sleep(0)

        trio.run(main)
        """,
    )
    assert "3 passed" in output
    assert suite.read_trace() == ["down"]


def test_pytest_main_works_in_a_thread_of_trio(suite: Suite) -> None:
    suite.tests(SUITE)
    output = _program(
        suite,
        f"""
        import pytest, trio

        async def main():
            assert await trio.to_thread.run_sync(lambda: {MAIN}) == 0

        trio.run(main)
        """,
    )
    assert "3 passed" in output


def test_pytest_works_off_the_main_thread_and_leaves_signals_alone(suite: Suite) -> None:
    suite.tests(
        SUITE
        + """
    def test_thread():
        import threading
        assert threading.current_thread() is not threading.main_thread()
    """
    )
    output = _program(
        suite,
        f"""
        import pytest, signal, threading

        handler = lambda *args: None
        signal.signal(signal.SIGINT, handler)
        codes = []
        thread = threading.Thread(target=lambda: codes.append({MAIN}))
        thread.start()
        thread.join()
        assert codes == [0]
        assert signal.getsignal(signal.SIGINT) is handler
        assert signal.set_wakeup_fd(-1) == -1
        """,
    )
    assert "4 passed" in output
    assert suite.read_trace() == ["down"]


def test_pytest_main_several_times_in_a_process_is_each_time_a_fresh_loop(suite: Suite) -> None:
    suite.tests(SUITE)
    output = _program(
        suite,
        f"""
        import pytest, signal, sys

        for _ in range(3):
            assert {MAIN} == 0
            sys.modules.pop("test_it", None)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        assert signal.set_wakeup_fd(-1) == -1
        assert sys.get_asyncgen_hooks() == (None, None)
        """,
    )
    assert output.count("3 passed") == 3
    assert suite.read_trace() == ["down"] * 3


def test_two_runs_at_the_same_time_in_two_threads_keep_to_their_own_loops(suite: Suite) -> None:
    """One of them waits in the middle until the other has run from start to end."""
    suite.tests(SUITE)
    suite.write(
        "slow/test_slow.py",
        """
        import sys, pytest, trio
        from pytest_trio_scoped import await_

        @pytest.fixture(scope="session")
        async def wide():
            yield trio.lowlevel.current_trio_token()

        async def test_a(wide):
            program = sys.modules["__main__"]
            program.started.set()
            assert program.finished.wait(20)
            await trio.sleep(0)
            assert trio.lowlevel.current_trio_token() is wide

        def test_b(wide):
            await_(trio.sleep(0))
        """,
    )
    suite.write("slow/pytest.ini", "[pytest]\ntrio_mode = true\n")
    _program(
        suite,
        """
        import pytest, threading

        started, finished = threading.Event(), threading.Event()
        codes = {}
        options = ["-p", "trio_scoped", "-p", "no:cacheprovider", "-p", "no:terminal",
                   "-p", "no:capture", "-p", "no:logging"]

        def slow():
            codes["slow"] = pytest.main([*options, "--rootdir=slow", "-c", "slow/pytest.ini", "slow"])

        thread = threading.Thread(target=slow)
        thread.start()
        assert started.wait(20)
        codes["fast"] = pytest.main([*options, "test_it.py"])
        finished.set()
        thread.join()
        assert codes == {"slow": 0, "fast": 0}, codes
        """,
    )


XDIST = """
    import os

    @pytest.fixture(scope="session")
    async def wide():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            trace(f"up {os.environ['PYTEST_XDIST_WORKER']}")
            yield trio.lowlevel.current_trio_token()
            await trio.sleep(0)
            nursery.cancel_scope.cancel()
        trace(f"down {os.environ['PYTEST_XDIST_WORKER']}")

    @pytest.mark.parametrize("x", range(6))
    async def test_async(wide, x):
        await trio.sleep(0.001)
        assert trio.lowlevel.current_trio_token() is wide
        trace(f"ran {os.environ['PYTEST_XDIST_WORKER']}")

    def test_sync(wide):
        await_(trio.sleep(0))

    async def test_fails(wide):
        await trio.sleep(0)
        assert 0
"""


def _run_xdist(suite: Suite, *options: str, exit_code: int = 1) -> str:
    """Not with the harness's recorder: each worker would write its file."""
    process = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-Werror",
            "-pno:cacheprovider",
            "-ptrio_scoped",
            "-pxdist",
            *options,
        ],
        cwd=suite.path,
        env={**os.environ, "PYTHONPATH": str(suite.path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert process.returncode == exit_code, process.stdout + process.stderr
    assert "Warning" not in process.stdout + process.stderr
    return process.stdout


@pytest.mark.parametrize(
    "options", [["-n2"], ["-n2", "--dist=loadfile"], ["-n2", "--dist=worksteal"]], ids=" ".join
)
def test_xdist_runs_one_loop_and_one_session_fixture_in_each_worker(
    suite: Suite, options: list[str]
) -> None:
    suite.tests(XDIST)
    output = _run_xdist(suite, *options)
    assert "1 failed, 7 passed" in output
    trace = suite.read_trace()
    workers = {line.split()[1] for line in trace}
    assert workers <= {"gw0", "gw1"}
    for worker in workers:
        first, *middle, last = [line for line in trace if line.endswith(worker)]
        assert (first, last) == (f"up {worker}", f"down {worker}")
        assert set(middle) <= {f"ran {worker}"}
    assert sum(line.startswith("ran ") for line in trace) == 6


def test_every_worker_of_xdist_tears_down_after_a_failure_with_x(suite: Suite) -> None:
    suite.tests(XDIST.replace("range(6)", "range(2)"))
    _run_xdist(suite, "-n2", "-x", exit_code=2)
    trace = suite.read_trace()
    up = sorted(line.split()[1] for line in trace if line.startswith("up "))
    assert up
    assert up == sorted(line.split()[1] for line in trace if line.startswith("down "))
