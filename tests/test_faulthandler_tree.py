"""The tree of tasks after pytest's own dump of stacks."""

from __future__ import annotations

import pytest
from harness import Suite


@pytest.mark.parametrize("wait", ["await trio.sleep(1.5)", "time.sleep(2.5)"])
def test_the_tree_follows_the_dump_although_the_test_passes(suite: Suite, wait: str) -> None:
    suite.tests(
        f"""
        import time
        @pytest.fixture(scope="session")
        async def server(nursery):
            nursery.start_soon(trio.sleep_forever, name="accept")
            yield
        async def test_a(server):
            {wait}
        async def test_b(server): pass
        """
    )
    suite.ini("faulthandler_timeout = 0.5")
    result = suite.run_subprocess()
    assert result.outcomes == {"test_a": "passed", "test_b": "passed"}
    stacks, _, tree = result.output.partition("Tasks of the Trio loop:")
    assert "Timeout (0:00:00.500000)!" in stacks
    assert "- test_it.py::test_a\n" in tree
    assert "- fixture 'server'\n" in tree
    assert "- accept\n" in tree
    if "trio" in wait:
        assert "in test_a: await trio.sleep(1.5)" in tree


@pytest.mark.parametrize("setting", ["", "faulthandler_timeout = 0.3"])
def test_nothing_without_a_loop_or_without_the_setting(suite: Suite, setting: str) -> None:
    suite.tests(
        """
        import time
        def test_a():
            time.sleep(0.6)
        """
    )
    suite.ini(setting)
    result = suite.run_subprocess()
    assert result.outcomes == {"test_a": "passed"}
    assert "Tasks of the Trio loop" not in result.output
    assert ("Timeout (0:00:00.300000)!" in result.output) is bool(setting)


def test_a_debugger_is_not_disturbed(suite: Suite) -> None:
    suite.tests(
        """
        import time
        async def test_a():
            breakpoint()
            time.sleep(0.6)
            await trio.sleep(0)
        """
    )
    suite.ini("faulthandler_timeout = 0.3")
    result = suite.run_subprocess("--capture=no", stdin="continue\n")
    assert result.outcomes == {"test_a": "passed"}
    assert "Tasks of the Trio loop" not in result.output
