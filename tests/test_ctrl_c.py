"""Ctrl-C: a real SIGINT in a subprocess, wherever the run is."""

from __future__ import annotations

import pytest
from harness import Result, Suite
from sync_twin import write_async, write_sync

from pytest_trio_scoped import _errors

#: Every place ends in a line that waits or is busy for ever, after ``trace("ready")``.
PLACES = {
    "async test sleeps": """
        async def test_a(narrow):
            trace("ready")
            await trio.sleep(100)
    """,
    "async test is busy": """
        async def test_a(narrow):
            trace("ready")
            busy()
    """,
    "async test is busy with checkpoints": """
        async def test_a(narrow):
            trace("ready")
            while True:
                await trio.lowlevel.checkpoint()
    """,
    "async test in a nursery sleeps": """
        async def test_a(narrow):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(trio.sleep, 100)
                trace("ready")
                await trio.sleep(100)
    """,
    "child task is busy": """
        async def child():
            trace("ready")
            busy()

        async def test_a(narrow):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(child)
    """,
    "shielded": """
        async def test_a(narrow):
            with trio.CancelScope(shield=True) as scope:
                trace("ready")
                try:
                    await trio.sleep(100)
                finally:
                    trace("left")
    """,
    "worker thread": """
        async def test_a(narrow):
            trace("ready")
            await trio.to_thread.run_sync(time.sleep, 100, abandon_on_cancel=True)
    """,
    "sync test outside": """
        def test_a():
            trace("ready")
            busy()
    """,
    "sync test outside with live fixtures": """
        async def test_first(narrow):
            pass

        def test_a():
            trace("ready")
            busy()
    """,
    "sync test inside": """
        def test_a(narrow):
            trace("ready")
            busy()
    """,
    "await_ in a sync test": """
        def test_a(narrow):
            trace("ready")
            await_(trio.sleep(100))
    """,
    "trio.run in a sync test": """
        async def main():
            trace("ready")
            await trio.sleep(100)

        async def test_first(narrow):
            pass

        def test_a():
            trio.run(main)
    """,
    "coroutine fixture sleeps": """
        @pytest.fixture
        async def thing(narrow):
            trace("ready")
            await trio.sleep(100)

        async def test_a(thing):
            pass
    """,
    "generator fixture sleeps": """
        @pytest.fixture
        async def thing(narrow):
            trace("ready")
            await trio.sleep(100)
            yield

        async def test_a(thing):
            pass
    """,
    "generator fixture is busy": """
        @pytest.fixture
        async def thing(narrow):
            trace("ready")
            busy()
            yield

        async def test_a(thing):
            pass
    """,
    "sync fixture inside is busy": """
        @pytest.fixture
        def thing(narrow):
            trace("ready")
            busy()
            yield

        async def test_a(thing):
            pass
    """,
    "background task is busy": """
        async def work():
            await trio.sleep(0.05)
            trace("ready")
            busy()

        @pytest.fixture
        async def thing(narrow):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(work)
                try:
                    yield
                finally:
                    trace("thing down")

        async def test_a(thing):
            await trio.sleep(100)
    """,
    "background task of a wide fixture sleeps": """
        @pytest.fixture(scope="session")
        async def thing(wide):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(trio.sleep, 100)
                yield
                nursery.cancel_scope.cancel()
                trace("thing down")

        async def test_a(thing, narrow):
            trace("ready")
            await trio.sleep(100)
    """,
    "tear-down sleeps": """
        @pytest.fixture
        async def thing(narrow):
            yield
            trace("ready")
            await trio.sleep(100)

        async def test_a(thing):
            pass
    """,
    "tear-down is busy": """
        @pytest.fixture
        async def thing(narrow):
            yield
            trace("ready")
            busy()

        async def test_a(thing):
            pass
    """,
}

#: Fixtures of every scope that are live when SIGINT comes.
PRELUDE = """
import time

def busy():
    while True:
        pass

@pytest.fixture(scope="session")
async def wide():
    trace("wide up")
    yield
    await trio.lowlevel.checkpoint()
    trace("wide down")

@pytest.fixture(scope="module")
async def middle(wide):
    trace("middle up")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.sleep_forever)
        yield
        await trio.lowlevel.checkpoint()
        nursery.cancel_scope.cancel()
    trace("middle down")

@pytest.fixture
async def narrow(middle):
    trace("narrow up")
    yield
    await trio.lowlevel.checkpoint()
    trace("narrow down")
"""

AFTER = """
async def test_after():
    trace("ran on")
"""


def assert_clean(result: Result) -> None:
    """Check that the end of a run was silent: no warning, nothing un-awaited, no loop left."""
    for word in ("Warning", "never awaited", "Exception ignored", "INTERNALERROR", "TrioInternal"):
        assert word not in result.output


def _write(suite: Suite, source: str) -> None:
    import textwrap

    suite.tests(PRELUDE + textwrap.dedent(source) + AFTER)
    # The loop is closed when all is done.
    suite.write(
        "conftest.py",
        """
        import atexit, pytest
        from trace import trace
        @pytest.hookimpl(trylast=True)
        def pytest_configure(config):
            from pytest_trio_scoped import _session
            session = config.stash[_session.KEY]
            def look():
                loop = session._loop
                trace("closed" if loop is None or not loop.is_open else "still open")
            atexit.register(look)
        """,
    )


@pytest.mark.parametrize("place", PLACES)
def test_ends_the_run_with_every_live_fixture_torn_down(suite: Suite, place: str) -> None:
    _write(suite, PLACES[place])
    process = suite.start()
    suite.wait_for_trace("ready", seconds=8)
    suite.interrupt(process)
    result = suite.finish(process, seconds=8)
    assert result.exit_code == 2, result.output
    assert "!!! KeyboardInterrupt !!!" in result.output
    assert_clean(result)
    if "narrow up" in result.trace:
        up = [line for line in result.trace if line.endswith(" up")]
        down = [line for line in result.trace if line.endswith(" down")]
        assert up == ["wide up", "middle up", "narrow up"]
        assert [line for line in down if line != "thing down"] == [
            "narrow down",
            "middle down",
            "wide down",
        ]
        assert ("thing down" in down) is ("thing down" in PLACES[place])
    assert "ran on" not in result.trace
    assert result.trace[-1] == "closed"


def test_points_at_the_line_that_was_interrupted(suite: Suite) -> None:
    _write(suite, PLACES["async test sleeps"])
    process = suite.start("--full-trace")
    suite.wait_for_trace("ready", seconds=8)
    suite.interrupt(process)
    result = suite.finish(process)
    assert result.exit_code == 2
    assert "await trio.sleep(100)" in result.output


def test_a_second_one_cuts_tear_down_short_as_in_sync_code(suite: Suite) -> None:
    source = """
        import time
        SLEEP

        @pytest.fixture(scope="session")
        async def wide():
            yield
            trace("wide down")

        @pytest.fixture
        async def stuck(wide):
            yield
            trace("stuck")
            await sleep(100)

        async def test_a(stuck):
            trace("ready")
            await sleep(100)

        async def test_b():
            trace("ran on")
    """
    results = []
    for write, sleep, options in (
        (write_sync, "sleep = time.sleep", ["-p", "no:trio_scoped"]),
        (write_async, "from trio import sleep", []),
    ):
        write(suite, source.replace("SLEEP", sleep))
        process = suite.start(*options)
        suite.wait_for_trace("ready", seconds=8)
        suite.interrupt(process)
        suite.wait_for_trace("stuck", seconds=8)
        suite.interrupt(process)
        results.append(suite.finish(process, seconds=10))
    expected, result = results
    assert_clean(result)
    assert result.phases == expected.phases
    assert result.trace == expected.trace == ["ready", "stuck"]
    # pytest itself is ended by the second one, without a summary.
    assert result.exit_code == 2
    assert "!!! KeyboardInterrupt !!!" in result.output
    assert "no tests ran in" in result.output
    assert f"{_errors.NOT_TORN_DOWN}\n  session: 'wide'\n" in result.output


def test_caught_by_the_test_it_is_the_tests_own(suite: Suite) -> None:
    """As in a sync test: raised on the spot in busy code, so ``pytest.raises`` sees it."""
    suite.tests(
        """
        import os, signal

        async def test_a():
            with pytest.raises(KeyboardInterrupt):
                os.kill(os.getpid(), signal.SIGINT)
                while True:
                    pass

        async def test_b():
            trace("ran on")
        """
    )
    result = suite.run_subprocess(seconds=10)
    assert result.outcomes == {"test_a": "passed", "test_b": "passed"}


def test_a_handler_of_the_tests_own_is_called(suite: Suite) -> None:
    suite.tests(
        """
        import os, signal

        async def test_a():
            with trio.open_signal_receiver(signal.SIGINT) as signals:
                os.kill(os.getpid(), signal.SIGINT)
                async for number in signals:
                    assert number == signal.SIGINT
                    break

        async def test_b():
            trace("ran on")
        """
    )
    result = suite.run_subprocess(seconds=10)
    assert result.outcomes == {"test_a": "passed", "test_b": "passed"}


def test_the_handler_is_pytests_own_outside_and_after_the_run(suite: Suite) -> None:
    suite.tests(
        """
        import signal

        @pytest.fixture(scope="session")
        async def wide():
            yield

        async def test_a(wide):
            assert signal.getsignal(signal.SIGINT) is not signal.default_int_handler

        def test_outside():
            assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
            assert signal.set_wakeup_fd(-1) == -1

        async def test_b(wide):
            pass
        """
    )
    suite.write(
        "conftest.py",
        """
        import atexit, signal
        from trace import trace
        atexit.register(lambda: trace(signal.getsignal(signal.SIGINT) is signal.default_int_handler))
        """,
    )
    result = suite.run_subprocess()
    assert set(result.outcomes.values()) == {"passed"}
    assert result.trace == ["True"]
