"""What is process-wide becomes the own of each test in flight.

pytest and Python keep in one place what belongs to the test that runs: where it prints, who is told of its
warnings, its log handlers, how a failed comparison is explained.  With many tests in flight on one thread
each has values of its own, and those of the test whose task takes a step are in place.  A context variable
says to which test a task or a thread belongs; its value is inherited by what they start.

What belongs to no test, as the tasks of a wide fixture whose first user has ended, has the *base*: what it
prints and logs is added to the section of the next phase that ends, and what it warns of is told at the end.
Threads take no turns.  What they print and log, and who is told of their warnings, is decided by their
context; levels and filters are those in place.

Pinned by ``tests/test_own_state.py`` and ``tests/test_own_state_runs.py``.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from contextvars import Context

import pytest

from ._own_coverage import OwnCoverage
from ._own_logs import OwnLogs, swap_levels
from ._own_output import OwnOutput
from ._own_slots import OWNER, OwnState, Slots, Turns
from ._own_warnings import OwnWarnings
from ._pytest_state_names import Places, catching_warnings_of_nobody, unreported_errors

__all__ = ["OwnState", "OwnStates"]


class OwnStates:
    """The states of the tests in flight.  To be used in the thread in which it was made."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._places = Places(config)
        self._turns = Turns()
        self._errors = unreported_errors(config)
        self._warnings = OwnWarnings(self._turns)
        self._logs = OwnLogs(self._turns, config)
        self._coverage = OwnCoverage(config)
        self._output: OwnOutput | None = None
        self._live: set[OwnState] = set()
        #: What a test begins with.
        self._initial = Slots()

    @property
    def in_place(self) -> OwnState | None:
        """The state of the test that has its turn; ``None`` while no tests may be in flight."""
        return self._turns.in_place

    @contextmanager
    def running(self) -> Iterator[None]:
        """Let tests be in flight in the block.  Everything process-wide is as before then.

        Tests that are still in flight at its end have lost their states.
        """
        places, turns = self._places, self._turns
        with ExitStack() as stack:
            capturing = places.read().capture
            if self._output is None and getattr(capturing, "out", None) is not None:
                self._output = OwnOutput(turns, capturing)
            if self._output is not None:
                stack.enter_context(self._output.running())
            stack.enter_context(self._logs.running(lambda: sys.stderr))
            outer = self._initial = places.read()
            base = turns.base = OwnState(turns, outer)
            if self._output is not None:
                self._output.begin(base)
            stack.callback(places.swap, None, outer)
            places.swap(None, base)
            turns.in_place = base
            stack.callback(self._leave)
            if self._output is not None:
                base.capture.resume_capturing()
            stack.enter_context(self._warnings.running())
            stack.enter_context(catching_warnings_of_nobody(self._config))
            stack.callback(self._end_all)
            yield

    def _end_all(self) -> None:
        for state in list(self._live):
            self.end(state)
        self.put(None)

    def _leave(self) -> None:
        self._turns.in_place = None

    @contextmanager
    def uncaptured(self) -> Iterator[None]:
        """Let the base be in place in the block, and nothing be captured, as between two tests.

        For hooks that report.
        """
        self.put(None)
        capture = self._turns.base.capture
        is_captured = self._output is not None and capture.is_started()
        if is_captured:
            capture.suspend_capturing()
        try:
            yield
        finally:
            self.put(None)
            if is_captured:
                capture.resume_capturing()

    def begin(self, item: pytest.Item) -> OwnState:
        """Make the state of a test, which belongs to the calling context from now on, and put it in place."""
        state = OwnState(self._turns, self._initial)
        self._logs.begin(state)
        if self._output is not None:
            self._output.begin(state)
        self._live.add(state)
        OWNER.set(state)
        self.put(state)
        if self._output is not None:
            state.capture.suspend_capturing()
        return state

    def end(self, state: OwnState) -> None:
        """The test's protocol is over: put the base in place, which gets what the test has left."""
        self.put(None)
        self._live.discard(state)
        if not state.is_over:
            state.is_over = True
            self._give_errors(state)
            self._turns.base.out += state.out
            self._turns.base.err += state.err
            state.drop()

    def put(self, state: OwnState | None) -> None:
        """Put ``state`` in place, or the base if it is None or over.  Does nothing if it is there already."""
        turns = self._turns
        last = turns.in_place
        if state is last or last is None:
            return
        if state is None or state.is_over:
            state = turns.base
            if state is last:
                return
        self._places.swap(last, state)
        turns.in_place = state
        unraisable, of_threads = self._errors
        if (unraisable or of_threads) and last is not turns.base:
            last.errors = tuple(
                [errors.popleft() for _ in range(len(errors))] for errors in self._errors
            )
        if state.errors:
            self._give_errors(state)
        self._logs.keep_router()
        if last.levels or state.levels:
            swap_levels(last, state)
        if self._warnings.has_notes:
            self._warnings.forget()
        if self._coverage.is_wanted:
            self._coverage.swap(last, state)

    def _give_errors(self, state: OwnState) -> None:
        for errors, own in zip(self._errors, state.errors, strict=False):  # none has none
            errors.extend(own)
        state.errors = ()

    def of_context(self, context: Context) -> OwnState | None:
        """Return the state of the test in flight to which ``context`` belongs."""
        state = context.get(OWNER)
        if state is None or state.is_over or state.turns is not self._turns:
            return None
        return state
