"""What a test in flight warns of: each test is told once what is to be told once, as if it ran alone.

Python keeps a note in the module that warns, and forgets it when the filters change.  With many tests in
flight the notes of one test would silence another, so they are forgotten at the next change of turns;
then a test would be told again what it knows, so here is what it was told.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from ._own_slots import Turns
from ._pytest_state_names import showing_warnings_by


class OwnWarnings:
    """Who is told of a warning."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self._forget: Callable[[], None]
        #: Whether there are notes of the test in place.
        self.has_notes = False

    @contextmanager
    def running(self) -> Iterator[None]:
        """Tell the tests in flight apart in the block."""
        with showing_warnings_by(self._show, self._filters_changed) as self._forget:
            yield

    def forget(self) -> None:
        """Forget the notes that Python has made for the test that has had its turn."""
        self.has_notes = False
        self._forget()

    def _filters_changed(self) -> None:
        state = self._turns.current()
        if state is not None and state.told:
            state.told.clear()

    def _show(self, show: Callable[[Any], None], message: Any) -> None:
        state = self._turns.current()
        key = (str(message.message), message.category, message.lineno)
        notes = _notes(inspect.currentframe(), message)
        self.has_notes |= notes is None or key in notes
        if state is not None and notes is not None and key in notes:
            told = (message.filename, *key)
            if told in state.told:
                return
            state.told.add(told)
        if state is None or state is self._turns.in_place:
            show(message)
        else:  # a thread, while another test has its turn
            state.show_message(message)


def _notes(frame: FrameType | None, message: Any) -> Any:
    """Return the notes of the module that has warned, which have this warning if it is to be told once.

    None if it was not that of a caller.
    """
    while frame is not None:
        if frame.f_lineno == message.lineno and frame.f_code.co_filename == message.filename:
            return frame.f_globals.get("__warningregistry__", ())
        frame = frame.f_back
    return None
