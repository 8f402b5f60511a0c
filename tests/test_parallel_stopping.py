"""Many tests at once with -x: nothing is started any more, and what has started keeps what it needs."""

from __future__ import annotations

from harness import Suite


def test_who_has_just_been_started_keeps_the_session(suite: Suite) -> None:
    """Also if the failure comes before its first step, which is so in about every second run."""
    suite.tests(
        """
        @pytest.fixture(scope="session", autouse=True)
        def s():
            trace("up")
            yield
            trace("down")

        def test_a():
            assert False

        def test_b():
            pass

        def test_c():
            pass
        """
    )
    for run in range(1, 9):
        result = suite.run("--trio-parallel=2", "-x")
        assert result.outcomes["test_a"] == "failed"
        assert result.trace == ["up", "down"] * run


def test_who_was_to_run_alone_next_is_not_started(suite: Suite) -> None:
    suite.tests(
        """
        async def test_a():
            await trio.sleep(0)
            assert False

        def test_b(monkeypatch):
            trace("run")

        async def test_c():
            trace("run")
        """
    )
    result = suite.run("--trio-parallel=2", "-x")
    assert result.outcomes["test_a"] == "failed"
    assert "test_b" not in result.outcomes
