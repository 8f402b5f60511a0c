"""What is done at the borders of a test's phases while there is a loop.

Every test pays for every implementation of a hook, and pluggy takes longer to call one than what is done
here takes.  So there is one for each border, and who wants to be called there says so.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest


class PhaseEdgeHooks:
    """Calls who wants to be called, in order.  Registered when the loop is opened."""

    def __init__(self) -> None:
        self.before_set_up: list[Callable[[], object]] = []
        self.before_call: list[Callable[[pytest.Item], object]] = []
        self.before_tear_down: list[Callable[[], object]] = []
        self.after_tear_down: list[Callable[[pytest.Item], object]] = []

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self) -> None:
        """Before any fixture of the test is set up."""
        __tracebackhide__ = True
        for act in self.before_set_up:
            act()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> None:
        """Before the test is called."""
        __tracebackhide__ = True
        for act in self.before_call:
            act(item)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_teardown(self) -> None:
        """Before any fixture is torn down."""
        __tracebackhide__ = True
        for act in self.before_tear_down:
            act()

    # Not a wrapper, which would show in the tracebacks of tear-downs.
    @pytest.hookimpl(trylast=True, specname="pytest_runtest_teardown")
    def pytest_end_of_runtest_teardown(self, item: pytest.Item) -> None:
        """After all that is torn down with the test."""
        __tracebackhide__ = True
        for act in self.after_tear_down:
            act(item)
