"""The loop ends by itself: the test at hand is told, and the run goes on with a fresh loop."""

from __future__ import annotations

import pytest
from harness import Suite

#: How a loop ends: the body of an async test.
ENDINGS = {
    "system task": """
        async def crash():
            raise OSError("the end")
        trio.lowlevel.spawn_system_task(crash)
        await trio.sleep_forever()
    """,
    "callback": """
        def crash():
            raise OSError("the end")
        trio.lowlevel.current_trio_token().run_sync_soon(crash)
        await trio.sleep_forever()
    """,
    "abort function": """
        def crash(_):
            raise OSError("the end")
        with trio.CancelScope() as cancel_scope:
            cancel_scope.cancel()
            await trio.lowlevel.wait_task_rescheduled(crash)
    """,
    "signal handler": """
        import signal
        def crash(*_):
            raise OSError("the end")
        signal.signal(signal.SIGALRM, crash)
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        await trio.sleep_forever()
    """,
}

every_ending = pytest.mark.parametrize(
    "ending", list(ENDINGS), ids=lambda name: name.replace(" ", "_")
)

FIXTURES = """
    @pytest.fixture(scope="session")
    async def wide():
        trace("wide up")
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(trio.sleep_forever)
                yield trio.lowlevel.current_trio_token()
                nursery.cancel_scope.cancel()
        finally:
            trace("wide down")

    @pytest.fixture
    async def narrow(wide):
        yield
        trace("narrow down")
"""


@every_ending
def test_the_test_at_hand_fails_and_later_tests_set_up_anew(suite: Suite, ending: str) -> None:
    body = "\n".join("    " + line for line in ENDINGS[ending].splitlines())
    suite.tests(
        FIXTURES
        + """
    async def test_before(wide): pass
    async def test_it(narrow):"""
        + body
        + """
    async def test_after(wide):
        assert wide is trio.lowlevel.current_trio_token()
        await trio.sleep(0)
    def test_sync_after(wide):
        await_(trio.sleep(0))
    async def test_plain_after():
        await trio.sleep(0)
        """
    )
    result = suite.run_subprocess()
    assert result.phases == {
        "test_before": "passed passed passed",
        "test_it": "passed failed passed",
        "test_after": "passed passed passed",
        "test_sync_after": "passed passed passed",
        "test_plain_after": "passed passed passed",
    }, result.output
    assert result.trace.count("wide up") == 2
    assert result.trace.count("wide down") == 2
    assert "OSError: the end" in result.output
    assert "This ended the Trio loop of the session." in result.output
    assert "'wide' (scope 'session'), 'narrow' (scope 'function')" in result.output
    assert "Warning" not in result.output
    assert "Exception ignored" not in result.output


def test_a_wide_fixture_whose_set_up_it_ended_is_set_up_anew(suite: Suite) -> None:
    body = "\n".join("    " + line for line in ENDINGS["system task"].splitlines())
    suite.tests(
        """
    ups = []
    async def ending():"""
        + body
        + """
    @pytest.fixture(scope="session")
    async def wide():
        ups.append(1)
        if len(ups) == 1:
            await ending()
        yield
    async def test_it(wide): pass
    async def test_after(wide): pass
        """
    )
    result = suite.run_subprocess()
    assert result.phases == {"test_it": "failed passed", "test_after": "passed passed passed"}


@every_ending
@pytest.mark.parametrize("place", ["set-up", "tear-down", "await_"])
def test_it_is_told_in_each_phase(suite: Suite, ending: str, place: str) -> None:
    body = "\n".join("    " + line for line in ENDINGS[ending].splitlines())
    fixture = {
        "set-up": "await ending(); yield",
        "tear-down": "yield; await ending()",
        "await_": "yield",
    }[place]
    suite.tests(
        FIXTURES
        + f"""
    async def ending():{body}
    @pytest.fixture
    async def breaking(wide):
        {fixture}
    def test_it(breaking):
        {"await_(ending())" if place == "await_" else "pass"}
    async def test_after(wide):
        await trio.sleep(0)
        """
    )
    result = suite.run_subprocess()
    expected = {
        "set-up": "failed passed",
        "tear-down": "passed passed failed",
        "await_": "passed failed passed",
    }[place]
    assert result.phases == {"test_it": expected, "test_after": "passed passed passed"}, (
        result.output
    )
    assert "OSError: the end" in result.output


def test_a_loop_that_ends_while_nothing_waits_is_noticed_by_who_waits_next(suite: Suite) -> None:
    suite.tests(
        """
        async def crash():
            await trio.sleep(0.1)
            raise OSError("the end")
        async def test_it():
            trio.lowlevel.spawn_system_task(crash)
        async def test_next():
            await trio.sleep_forever()
        async def test_after():
            await trio.sleep(0)
        """
    )
    result = suite.run_subprocess("-W", "default")
    assert result.outcomes == {"test_it": "passed", "test_next": "failed", "test_after": "passed"}
    assert "OSError: the end" in result.output


def test_a_loop_that_ends_just_after_a_test_is_that_tests_affair(suite: Suite) -> None:
    """In its call or in its tear-down, by Trio's order of tasks."""
    suite.tests(
        """
        async def crash():
            raise OSError("the end")
        @pytest.mark.parametrize("i", range(10))
        async def test_it(i):
            trio.lowlevel.spawn_system_task(crash)
        async def test_after():
            await trio.sleep(0)
        """
    )
    result = suite.run_subprocess("-W", "default")
    outcomes = result.outcomes
    assert outcomes.pop("test_after") == "passed"
    assert len(outcomes) == 10
    assert set(outcomes.values()) <= {"failed", "error"}
    assert "OSError: the end" in result.output


def test_a_frame_that_is_kept_does_not_clear_the_next_loop_when_it_goes(suite: Suite) -> None:
    suite.tests(
        FIXTURES
        + """
    import gc, signal, sys
    kept = []
    def crash(signum, frame):
        frames = []
        while frame is not None:
            frames.append(frame)
            frame = frame.f_back
        frames.append(frames)  # a cycle, which only the garbage collector finds
        raise OSError("the end")
    async def test_it():
        signal.signal(signal.SIGALRM, crash)
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        await trio.sleep_forever()
    async def test_after(wide):
        gc.collect()
        await trio.sleep(0)
    async def test_later(wide):
        await trio.sleep(0)
        """
    )
    result = suite.run_subprocess()
    assert result.outcomes == {"test_it": "failed", "test_after": "passed", "test_later": "passed"}


@pytest.mark.parametrize("place", ["set-up", "tear-down"])
def test_what_is_cut_short_is_unwound(suite: Suite, place: str) -> None:
    set_up, tear_down = (
        ("await ending()", "pass") if place == "set-up" else ("pass", "await ending()")
    )
    body = "\n".join("    " + line for line in ENDINGS["signal handler"].splitlines())
    suite.tests(
        f"""
        async def ending():{body}
        @pytest.fixture
        async def cut():
            try:
                {set_up}
                yield
                {tear_down}
            finally:
                trace("finally")
        async def test_it(cut): pass
        async def test_after(): await trio.sleep(0)
        """
    )
    result = suite.run_subprocess()
    assert result.trace == ["finally"]
    assert result.outcomes == {"test_it": "error", "test_after": "passed"}


def test_what_the_end_of_the_loop_has_cancelled_is_set_up_anew(suite: Suite) -> None:
    suite.tests(
        """
        @pytest.fixture(scope="session")
        async def wide():
            trace("set up wide")
            yield
        @pytest.fixture
        async def narrow(wide):
            await trio.sleep(0.02)
        async def crash():
            await trio.sleep(0.01)
            raise ValueError("the end")
        async def test_it(request):
            trio.lowlevel.spawn_system_task(crash)
            request.getfixturevalue("narrow")
        def test_sync(): pass
        async def test_after(narrow): pass
        async def test_later(narrow): pass
        """
    )
    result = suite.run_subprocess()
    assert result.outcomes == {
        "test_it": "failed",
        "test_sync": "passed",
        "test_after": "passed",
        "test_later": "passed",
    }
    assert result.trace == ["set up wide", "set up wide"]


def test_sync_finalizers_of_an_async_fixture_are_called_all_the_same(suite: Suite) -> None:
    suite.tests(
        """
        def die():
            raise OSError("the end")
        async def wait():
            trace("never")
        @pytest.fixture
        async def thing(request):
            request.addfinalizer(lambda: trace("sync"))
            request.addfinalizer(wait)
        async def test_it(thing):
            trio.lowlevel.current_trio_token().run_sync_soon(die)
            await trio.sleep_forever()
        """
    )
    result = suite.run_subprocess()
    assert result.trace == ["sync"]
    assert result.phases == {"test_it": "passed failed passed"}
    assert result.output.count("OSError: the end") <= 2
    assert "TrioInternalError" not in result.output
