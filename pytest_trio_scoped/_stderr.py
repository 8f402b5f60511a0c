"""The real stderr, for what has to be told at once, past pytest's capture.

Pinned by ``tests/test_stderr.py``.
"""

from __future__ import annotations

import faulthandler
import os
import sys


class Stderr:
    """A file of its own for what the user sees as stderr.

    pytest points file descriptor 2 elsewhere while a phase of a test runs, so the file is opened before.
    Nothing is written while it is not open, which it never is if the user has closed stderr.
    """

    def __init__(self) -> None:
        self._file: int | None = None

    def open(self) -> None:
        """Open the file, unless that has been done."""
        if self._file is None and sys.__stderr__ is not None:
            self._file = os.dup(sys.__stderr__.fileno())

    def write(self, text: str) -> None:
        """Write ``text`` between empty lines.  In any thread."""
        if self._file is not None:
            os.write(self._file, f"\n{text}\n\n".encode(errors="replace"))

    def dump_threads(self) -> None:
        """Write the stacks of all threads.  In any thread."""
        if self._file is not None:
            faulthandler.dump_traceback(self._file)

    def close(self) -> None:
        """Close the file, if it is open."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
