"""The debugger while many tests are in flight: one prompt at a time, the others wait.

While a prompt is open nothing runs by itself, as it blocks the thread.  But ``await_`` at the prompt, or a
step over an ``await``, lets the loop run, and another test may fail or reach a breakpoint then.

A test that has the prompt, steps on and waits for a fixture whose set-up waits for the prompt fails: the two
wait for each other.  Code of a task that a test has started can't wait in the middle of a step: a breakpoint
there stops at once.

Pinned by ``tests/test_parallel_debugging.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, ExitStack, suppress
from typing import NoReturn, Protocol

import pytest

from ._pytest_names import calling_before_prompts


class _WaitsForUs(Exception):
    """Who has the prompt waits for the caller, so this opens one at once."""


class Pool(Protocol):
    """The tests in flight."""

    def flight(self) -> object | None: ...

    def hold(
        self, key: object, refuse: Callable[[list[str]], NoReturn]
    ) -> AbstractContextManager[None]: ...


class PromptHooks:
    """Let tests wait for the prompt; ``pool`` returns them, None before there are any."""

    def __init__(self, pool: Callable[[], Pool | None]) -> None:
        self._pool = pool
        #: Whose breakpoint has the prompt.
        self._open: dict[object, ExitStack] = {}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop(self) -> Generator[None, object, object]:
        """Wait before a breakpoint stops, and before anything is written."""
        with calling_before_prompts(self._enter):
            return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_exception_interact(self) -> Generator[None, object, object]:
        """Wait before ``--pdb`` shows a failure."""
        stack = ExitStack()
        self._hold(stack)
        result = yield
        stack.close()  # not after "quit", which ends the run: nobody is to get a prompt then
        return result

    def pytest_leave_pdb(self) -> None:
        """Let the next one have the prompt after "continue"."""
        self._leave()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self) -> Generator[None, object, object]:
        """Let the next one have the prompt, also if the test has ended without "continue"."""
        result = yield
        self._leave()
        return result

    def _enter(self) -> None:
        pool = self._pool()
        flight = None if pool is None else pool.flight()
        if flight is not None and flight not in self._open:
            stack = ExitStack()
            self._hold(stack)
            self._open[flight] = stack

    def _leave(self) -> None:
        pool = self._pool()
        flight = None if pool is None else pool.flight()
        stack = self._open.pop(flight, None)
        if stack is not None:
            stack.close()

    def _hold(self, stack: ExitStack) -> None:
        pool = self._pool()
        if pool is None or pool.flight() is None:
            return

        def refuse(_names: list[str]) -> NoReturn:
            raise _WaitsForUs

        with suppress(_WaitsForUs):
            stack.enter_context(pool.hold(PromptHooks, refuse))
