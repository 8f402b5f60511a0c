"""What a test leaves behind is named at that test."""

from __future__ import annotations

import pytest
from harness import Suite


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (
            "await trio.open_nursery().__aenter__()",
            "test_guilty opened a nursery and ended without leaving it",
        ),
        (
            "trio.CancelScope().__enter__()",
            "test_guilty entered a cancel scope and ended without leaving it",
        ),
        (
            "trio.move_on_after(0).__enter__()",
            "test_guilty entered a cancel scope and ended without leaving it",
        ),
    ],
    ids=["nursery", "cancel_scope", "cancelled_scope"],
)
def test_a_leaked_scope_fails_the_guilty_test_only(suite: Suite, body: str, text: str) -> None:
    suite.tests(
        f"""
        @pytest.fixture(scope="session")
        async def wide():
            yield
            await trio.sleep(0)
            trace("wide down")
        async def test_guilty(wide):
            {body}
        async def test_a(wide): await trio.sleep(0)
        async def test_b(): await trio.sleep(0)
        def test_c(wide): await_(trio.sleep(0))
        """
    )
    result = suite.run_subprocess()
    assert result.outcomes == {
        "test_guilty": "failed",
        "test_a": "passed",
        "test_b": "passed",
        "test_c": "passed",
    }
    assert result.trace == ["wide down"]
    assert text in result.output


@pytest.mark.parametrize("where", ["test", "set-up", "tear-down"])
def test_a_leak_beside_an_error_is_shown_with_it(suite: Suite, where: str) -> None:
    suite.tests(
        f"""
        async def fail(here):
            if here == {where!r}:
                await trio.open_nursery().__aenter__()
                raise KeyError("boom")
        @pytest.fixture
        async def fixture():
            await fail("set-up")
            yield
            await fail("tear-down")
        async def test_a(fixture):
            await fail("test")
        async def test_b(): pass
        """
    )
    result = suite.run()
    assert result.outcomes["test_b"] == "passed", result.output
    assert "KeyError: 'boom'" in result.output
    assert "opened a nursery and ended without leaving it" in result.output
    assert "entries are hidden" not in result.output


@pytest.mark.parametrize("count", [1, 2])
def test_an_instrument_that_fails_is_an_error_of_its_test(suite: Suite, count: int) -> None:
    suite.tests(
        f"""
        class Broken(trio.abc.Instrument):
            def before_task_step(self, task):
                raise OSError("no disk")
        async def test_before():
            await trio.sleep(0)
        async def test_guilty():
            for _ in range({count}):
                trio.lowlevel.add_instrument(Broken())
            await trio.sleep(0)
        async def test_after():
            await trio.sleep(0)
        """
    )
    result = suite.run_subprocess()
    assert result.phases == {
        "test_before": "passed passed passed",
        "test_guilty": "passed passed failed",
        "test_after": "passed passed passed",
    }
    assert result.output.count("OSError: no disk") >= count
    assert "'before_task_step' on instrument <test_it.Broken object" in result.output
    assert ("instruments failed while the test ran (2 sub-exceptions)" in result.output) == (
        count == 2
    )


def test_an_instrument_of_a_run_of_the_tests_own_is_not_ours(suite: Suite) -> None:
    suite.tests(
        """
        class Broken(trio.abc.Instrument):
            def before_task_step(self, task):
                raise OSError("no disk")
        async def test_before():
            await trio.sleep(0)
        def test_it():
            trio.run(trio.sleep, 0, instruments=[Broken()])
        """
    )
    assert suite.run_subprocess().outcomes == {"test_before": "passed", "test_it": "passed"}


def test_system_tasks_of_the_first_test_on_the_loop_are_named(suite: Suite) -> None:
    suite.tests(
        """
        async def endless():
            await trio.sleep_forever()
        async def test_guilty():
            trio.lowlevel.spawn_system_task(endless)
        """
    )
    result = suite.run_subprocess("-W", "always")
    assert "test_it.py::test_guilty" in result.output
    assert "endless" in result.output


def test_system_tasks_that_outlive_their_test_are_named_there(suite: Suite) -> None:
    suite.tests(
        """
        async def endless():
            await trio.sleep_forever()
        async def test_before(): pass
        async def test_guilty():
            trio.lowlevel.spawn_system_task(endless)
        async def test_after(): await trio.sleep(0)
        """
    )
    result = suite.run_subprocess("-W", "default")
    assert set(result.outcomes.values()) == {"passed"}
    assert (
        "test_guilty has left tasks running that nobody waits for: 'test_it.endless'."
        in result.output
    )
    assert "test_after has left" not in result.output
    strict = suite.run_subprocess()
    assert strict.phases["test_guilty"] == "passed passed failed"
    assert strict.outcomes["test_after"] == "passed"


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("trio.sleep(0)", "RuntimeWarning: coroutine 'sleep' was never awaited"),
        ("await anext(generator())", "ResourceWarning: Async generator 'test_it.generator'"),
    ],
    ids=["coroutine", "generator"],
)
def test_what_was_dropped_is_named_there(suite: Suite, body: str, text: str) -> None:
    suite.tests(
        f"""
        async def generator():
            try:
                yield
            finally:
                await trio.sleep(0)
        async def test_before(): pass
        async def test_guilty():
            {body}
        async def test_after(): await trio.sleep(0)
        """
    )
    shown = suite.run_subprocess("-W", "default::UserWarning")
    assert set(shown.outcomes.values()) == {"passed"}, shown.output
    summary = shown.output.partition("warnings summary")[2]
    assert "test_it.py::test_guilty" in summary
    assert text in summary
    assert "test_it.py::test_after" not in summary


def test_a_system_task_that_is_about_to_end_is_no_leak(suite: Suite) -> None:
    suite.tests(
        """
        async def test_before(): await trio.sleep(0)
        async def test_it():
            trio.lowlevel.spawn_system_task(trio.sleep, 0)
        """
    )
    assert set(suite.run_subprocess().outcomes.values()) == {"passed"}


def test_a_task_that_is_left_in_the_nursery_around_the_test_is_named(suite: Suite) -> None:
    suite.tests(
        """
        async def endless():
            await trio.sleep_forever()
        async def test_before(): await trio.sleep(0)
        async def test_guilty():
            trio.lowlevel.current_task().parent_nursery.start_soon(endless)
        async def test_after(): await trio.sleep(0)
        async def test_last(): await trio.sleep(0)
        """
    )
    result = suite.run("-W", "default")
    assert set(result.outcomes.values()) == {"passed"}
    assert result.output.count("has left tasks running") == 1
    assert "test_guilty has left tasks running that nobody waits for: 'test_it.endless'" in (
        result.output
    )
