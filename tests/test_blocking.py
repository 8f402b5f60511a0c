"""Sync tests that block the loop under the tasks of a fixture."""

from __future__ import annotations

import time

import pytest
from harness import Result, Suite

from pytest_trio_scoped import _errors, _starvation

#: ``block(seconds)`` lets time pass for the plugin, and for nobody else.
SERVER = """
    from pytest_trio_scoped import _starvation

    def block(seconds):
        _starvation.monotonic.now += seconds

    @pytest.fixture(scope="session")
    async def server():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            yield nursery
            nursery.cancel_scope.cancel()
"""


class Clock:
    """In place of ``time.monotonic``."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let inner tests decide how much time passes."""
    monkeypatch.setattr(_starvation, "monotonic", Clock())


def text(test: str, seconds: float, name: str = "'server' (scope 'session')") -> str:
    """Return the first line of what is told."""
    told = _errors.BLOCKED_LOOP.format(nodeid=f"test_it.py::{test}", seconds=seconds, name=name)
    return told.splitlines()[0]


def run(suite: Suite, source: str, *arguments: str) -> Result:
    """Run tests beside the server; a warning is shown and not raised."""
    suite.tests(SERVER + source)
    return suite.run("-W", "always::pytest.PytestWarning", *arguments)


def test_a_sync_test_that_blocks_under_a_server_is_told_once(suite: Suite) -> None:
    result = run(
        suite,
        """
    def test_a(server):
        block(5.1)

    def test_b(server):
        block(6)
        """,
    )
    assert set(result.outcomes.values()) == {"passed"}
    assert result.output.count("blocked the Trio loop") == 1
    assert text("test_a", 5.1) in result.output
    assert "  test_it.py:17: PytestWarning" in result.output


def test_it_is_a_warning_that_may_be_an_error_beside_the_tests_own(suite: Suite) -> None:
    suite.tests(
        SERVER
        + """
    def test_a(server):
        block(5.1)
        raise TimeoutError("gave up")
        """
    )
    result = suite.run()
    assert result.phases == {"test_a": "passed failed failed"}
    assert "TimeoutError: gave up" in result.output
    assert text("test_a", 5.1) in result.output


@pytest.mark.parametrize(
    "fixture",
    [
        """
    @pytest.fixture
    def client(server): ...
        """,
        """
    @pytest.fixture(scope="module")
    async def client(server): ...
        """,
    ],
)
def test_a_server_below_other_fixtures_counts(suite: Suite, fixture: str) -> None:
    source = """
    def test_a(client): ...

    def test_b(client):
        block(5.1)
    """
    assert text("test_b", 5.1) in run(suite, fixture + source).output


def test_a_fixture_that_owns_a_nursery_counts(suite: Suite) -> None:
    source = """
    @pytest.fixture
    async def starter(nursery):
        nursery.start_soon(trio.sleep_forever)

    def test_a(starter):
        block(5.1)
    """
    assert text("test_a", 5.1, "'starter' (scope 'function')") in run(suite, source).output


def test_each_wait_for_the_loop_begins_a_new_stretch(suite: Suite) -> None:
    result = run(
        suite,
        """
    @pytest.fixture
    async def late():
        await trio.lowlevel.checkpoint()

    def test_a(server):
        block(4)
        await_(trio.lowlevel.checkpoint())
        block(4)

    def test_b(server, request):
        block(4)
        request.getfixturevalue("late")
        block(4)

    def test_c(server):
        block(4)
        await_(trio.lowlevel.checkpoint())
        block(6)
        await_(trio.lowlevel.checkpoint())
        """,
    )
    assert set(result.outcomes.values()) == {"passed"}
    assert result.output.count("blocked the Trio loop") == 1
    assert text("test_c", 6) in result.output


def test_what_an_await_does_that_does_not_wait_is_no_chance(suite: Suite) -> None:
    source = """
    async def nothing():
        pass

    def test_a(server):
        block(4)
        await_(nothing())
        block(4)
    """
    assert text("test_a", 8) in run(suite, source).output


def test_others_are_not_told(suite: Suite) -> None:
    result = run(
        suite,
        """
    @pytest.fixture(scope="module")
    async def quiet():
        async with trio.open_nursery() as nursery:
            yield nursery

    @pytest.fixture
    async def plain():
        return 1

    async def test_async(server):
        block(6)

    def test_of_another_fixture(quiet, plain):
        block(6)

    def test_outside():
        block(6)

    def test_short(server):
        block(5)

    @pytest.mark.trio_thread
    def test_in_thread(server):
        block(6)

    @pytest.fixture
    def sync_one(server):
        block(6)

    def test_set_up(sync_one):
        pass
        """,
    )
    assert set(result.outcomes.values()) == {"passed"}
    assert "blocked the Trio loop" not in result.output


def test_tasks_that_the_test_starts_in_the_fixture_count(suite: Suite) -> None:
    source = """
    @pytest.fixture
    async def quiet():
        async with trio.open_nursery() as nursery:
            yield nursery
            nursery.cancel_scope.cancel()

    def test_a(quiet):
        quiet.start_soon(trio.sleep_forever)
        block(6)
    """
    assert text("test_a", 6, "'quiet' (scope 'function')") in run(suite, source).output


def test_an_override_elsewhere_is_not_taken_for_the_fixture(suite: Suite) -> None:
    suite.write(
        "test_later/test_sub.py",
        """
        import pytest
        from test_it import block

        @pytest.fixture
        async def server():
            yield

        def test_a(server):
            block(6)
        """,
    )
    source = """
    def test_first(server): ...
    """
    result = run(suite, source)
    assert set(result.outcomes.values()) == {"passed"}, result.output
    assert len(result.outcomes) == 2
    assert "blocked the Trio loop" not in result.output


def test_the_debugger_may_take_its_time(suite: Suite) -> None:
    source = """
    import pdb

    @pytest.fixture
    def no_prompt(monkeypatch):
        monkeypatch.setattr(pdb.Pdb, "set_trace", lambda *_: block(60))

    def test_a(server, no_prompt):
        breakpoint()
    """
    result = run(suite, source)
    assert result.outcomes == {"test_a": "passed"}, result.output
    assert "blocked the Trio loop" not in result.output


def test_nobody_pays_but_sync_tests_inside(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    timed = _starvation.StarvationHooks._timed

    def count(self: _starvation.StarvationHooks, item: pytest.Function, function: object) -> object:
        made.append(item.name)
        return timed(self, item, function)  # type: ignore[arg-type]

    monkeypatch.setattr(_starvation.StarvationHooks, "_timed", count)
    run(
        suite,
        """
    async def test_a(server): ...
    def test_b(): ...
    def test_c(server): ...
        """,
    )
    assert made == ["test_c"]


def test_nothing_is_left_on_the_loop(suite: Suite) -> None:
    result = run(
        suite,
        """
    def test_a(server): ...

    async def test_b():
        instruments = trio._core._run.GLOBAL_RUN_CONTEXT.runner.instruments["_all"]
        assert not [each for each in instruments if isinstance(each, _starvation._Steps)]
        """,
    )
    assert set(result.outcomes.values()) == {"passed"}, result.output


def test_by_the_real_clock(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_starvation, "monotonic", time.monotonic)
    monkeypatch.setattr(_starvation, "PATIENCE", 0.01)
    source = """
    import time

    def test_a(server):
        time.sleep(0.02)
    """
    assert "test_it.py::test_a blocked the Trio loop for" in run(suite, source).output


def test_the_limit_is_five_seconds() -> None:
    assert _starvation.PATIENCE == 5
