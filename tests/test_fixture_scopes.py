"""Async fixtures of every scope: one loop, set up once per node, torn down at its end."""

from __future__ import annotations

from harness import Suite, every_scope


@every_scope
def test_is_set_up_on_the_one_loop(suite: Suite, scope: str) -> None:
    suite.tests(
        f"""
        @pytest.fixture(scope={scope!r})
        async def token():
            trace("up")
            yield trio.lowlevel.current_trio_token()
            trace("down")

        class TestIt:
            async def test_a(self, token):
                assert token is trio.lowlevel.current_trio_token()
                trace("a")
            async def test_b(self, token):
                assert token is trio.lowlevel.current_trio_token()
                trace("b")
        """
    )
    result = suite.run()
    assert set(result.outcomes.values()) == {"passed"}
    once = ["up", "a", "b", "down"]
    assert result.trace == (["up", "a", "down", "up", "b", "down"] if scope == "function" else once)
