"""A fixture that waits for nothing takes few rounds of Trio's loop."""

from __future__ import annotations

from harness import Suite


def test_a_generator_fixture_takes_two_rounds_for_its_set_up_and_two_for_its_tear_down(
    suite: Suite,
) -> None:
    suite.write(
        "rounds.py",
        """
        import trio

        class Rounds(trio.abc.Instrument):
            count = 0

            def before_io_wait(self, timeout):
                self.count += 1

        rounds = Rounds()
        """,
    )
    suite.write(
        "conftest.py",
        """
        import pytest
        from rounds import rounds
        from trace import trace

        def told(item, phase):
            before = rounds.count
            yield
            trace(f"{item.name} {phase} {rounds.count - before}")

        @pytest.hookimpl(wrapper=True, tryfirst=True)
        def pytest_runtest_setup(item):
            yield from told(item, "up")

        @pytest.hookimpl(wrapper=True, tryfirst=True)
        def pytest_runtest_teardown(item):
            yield from told(item, "down")
        """,
    )
    suite.tests(
        """
        from rounds import rounds

        @pytest.fixture(scope="session", autouse=True)
        async def counting():
            trio.lowlevel.add_instrument(rounds)
            yield
            trio.lowlevel.remove_instrument(rounds)

        @pytest.fixture
        async def thing():
            yield

        async def test_first(thing): pass
        async def test_with(thing): pass
        async def test_without(): pass
        async def test_last(): pass
        """
    )
    trace = suite.run().trace
    assert [line for line in trace if line.startswith(("test_with ", "test_without "))] == [
        "test_with up 2",
        "test_with down 2",
        "test_without up 0",
        "test_without down 0",
    ]
