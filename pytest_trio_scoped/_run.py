"""The run of a session: from the start of its run loop to the end of its last tear-down."""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager

import pytest

from . import _errors
from ._leaks import abandoned_generators_shown
from ._ownership import is_async
from ._pytest_names import is_set_up, set_up_fixtures
from ._session import TrioSession


class RunHooks:
    """Keep the loop from the first async need until the widest fixtures have been torn down."""

    def __init__(self, session: TrioSession, early_calls: object) -> None:
        self._session = session
        self._early_calls = early_calls

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, object, object]:
        """Start the run.  It is finished below: pytest tears wide fixtures down after this hook."""
        self._session.start()
        functions = (item.obj for item in session.items if isinstance(item, pytest.Function))
        if any(map(is_async, functions)):
            # A wrapper costs every call of a test, so a suite without async tests does not have it.
            session.config.pluginmanager.register(self._early_calls)
        with _outside_of_foreign_runs(), abandoned_generators_shown(session.config):
            return (yield)

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None, object, object]:
        """Close the loop when pytest has torn everything down, and before the summary is printed.

        pytest does not expect Ctrl-C here, and would end without a word of what the run has found.
        """
        had_loop = self._session.has_loop
        result = None
        fixtures = set_up_fixtures(session)
        try:
            with _outside_of_foreign_runs():
                try:
                    result = yield
                except KeyboardInterrupt:  # most likely the second: pytest was tearing down
                    self._session.abandon(each for each in fixtures if is_set_up(each[0]))
                    self._session.finish(at_once=True)
                    raise
                finally:
                    self._session.finish()
        except KeyboardInterrupt:
            if not had_loop:
                raise
            interrupt = pytest.ExceptionInfo.from_current()
            session.config.hook.pytest_keyboard_interrupt(excinfo=interrupt)
            session.exitstatus = pytest.ExitCode.INTERRUPTED
        return result

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Tell what Ctrl-C has kept from being torn down."""
        lines = [
            f"  {node}: {', '.join(map(repr, names))}"
            for node, names in self._session.abandoned.items()
            if names
        ]
        if lines:
            terminalreporter.write_line("\n".join((_errors.NOT_TORN_DOWN, *lines)))

    def pytest_unconfigure(self) -> None:
        """Close the loop if Ctrl-C kept :meth:`pytest_sessionfinish` from it, and all else."""
        self._session.close()


@contextmanager
def _outside_of_foreign_runs() -> Iterator[None]:
    """Put aside a Trio run in which ``pytest.main`` was called.

    That is an async test of a suite that runs pytest in-process, or a Trio program.
    """
    if "trio" not in sys.modules:
        yield
        return
    from ._thread_state import outside_of_any_run

    with outside_of_any_run():
        yield
