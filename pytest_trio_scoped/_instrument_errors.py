"""Exceptions of instruments, which Trio writes to a log and forgets."""

from __future__ import annotations

import logging

import pytest

from . import _errors
from ._phases import PhaseEdgeHooks
from ._session import TrioSession

#: Documented by Trio.  Each logger that is there costs every test, so it is made when Trio is there.
_LOGGER = "trio.abc.Instrument"


class InstrumentErrors(logging.Handler):
    """Raise them at the end of the test.  Registered when the loop is opened."""

    def __init__(self, session: TrioSession, phases: PhaseEdgeHooks) -> None:
        super().__init__()
        self._session = session
        self._errors: list[BaseException] = []
        logging.getLogger(_LOGGER).addHandler(self)
        phases.after_tear_down.append(self._raise)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep what an instrument has raised, but not in a run of the user's own."""
        error = record.exc_info[1] if record.exc_info else None
        if error is not None and self._session.is_current_run():
            error.add_note(record.getMessage())
            self._errors.append(error)

    def _raise(self, _: pytest.Item) -> None:
        """Fail the test at hand."""
        if not self._errors:
            return
        errors, self._errors = self._errors, []
        if len(errors) > 1:
            raise BaseExceptionGroup(_errors.INSTRUMENTS_FAILED, errors)
        raise errors[0]

    def pytest_unconfigure(self) -> None:
        """Leave Trio's log alone."""
        logging.getLogger(_LOGGER).removeHandler(self)
