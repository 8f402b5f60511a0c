"""What one test in flight has of the process, and whose turn it is."""

from __future__ import annotations

import threading
from contextvars import ContextVar
from typing import Any


class Slots:
    """What is swapped: the values for one test while others have their turn; stale while it has its own."""

    __slots__ = (
        "assertion_config",
        "assertion_pass",
        "caplog_handler",
        "capture",
        "capture_fixture",
        "compare",
        "current_test",
        "filters",
        "report_handler",
        "show_message",
        "showwarning",
        "stderr",
        "stdout",
    )

    assertion_config: Any
    assertion_pass: Any
    #: Where pytest's logging plugin collects what ``caplog`` shows, and the section of the report.
    caplog_handler: Any
    report_handler: Any
    #: pytest's capturing between and in the phases.
    capture: Any
    capture_fixture: Any
    #: Who explains a comparison that failed.
    compare: Any
    #: The environment variable ``PYTEST_CURRENT_TEST``.
    current_test: str | None
    filters: Any
    showwarning: Any
    show_message: Any
    stderr: Any
    stdout: Any

    def copy_to(self, other: Slots) -> None:
        """Give ``other`` the same values."""
        for name in Slots.__slots__:
            setattr(other, name, getattr(self, name))

    def drop(self) -> None:
        """Let go of all values."""
        for name in Slots.__slots__:
            setattr(self, name, None)


class OwnState(Slots):
    """What one test in flight has of the process; one more, the base, is for what belongs to no test.

    Context variables of tasks that outlive the test refer to it.
    """

    __slots__ = (
        *("coverage_context", "err", "errors", "is_over", "levels", "log_handlers", "out", "told"),
        "turns",
    )

    def __init__(self, turns: Turns, initial: Slots) -> None:
        initial.copy_to(self)
        self.turns = turns
        #: What was printed since the last phase.
        self.out: list[bytes] = []
        self.err: list[bytes] = []
        #: What was raised in the test's turns where nothing could catch it, until its phase ends.
        self.errors: tuple[list[Any], ...] = ()
        #: The handlers that get the test's records, while they are attached.
        self.log_handlers: tuple[Any, ...] = ()
        #: The levels that the test has changed: those of others while it has its turn, else its own.
        self.levels: dict[Any, int] = {}
        #: The warnings that are told once and have been.
        self.told: set[Any] = set()
        #: Under which what it runs is counted.
        self.coverage_context = ""
        self.is_over = False

    def drop(self) -> None:
        super().drop()
        self.log_handlers = self.errors = ()
        self.out, self.err = [], []
        self.levels, self.told = {}, set()


class Turns:
    """Whose turn it is.

    ``current`` is asked by all that is shared by the tests in flight: streams, handlers, what shows warnings.
    """

    def __init__(self) -> None:
        self._thread = threading.get_ident()
        #: Not to be used while no tests may be in flight.
        self.base: OwnState
        self.in_place: OwnState | None = None

    def current(self) -> OwnState | None:
        """Return the state of the test that the caller belongs to; None while no tests may be in flight.

        In the thread of the loop that is the one in place.  Other threads have the context of the task that
        has started them, if Trio has; a thread without any is taken for one of the test in place.
        """
        in_place = self.in_place
        if in_place is None or threading.get_ident() == self._thread:
            return in_place
        state = OWNER.get()
        if state is None or state.turns is not self:
            return in_place
        return self.base if state.is_over else state


#: Set for the tasks and threads of a test in flight.
OWNER: ContextVar[OwnState | None] = ContextVar("pytest_trio_scoped_owner", default=None)
