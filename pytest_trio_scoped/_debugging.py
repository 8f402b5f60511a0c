"""The debugger: it shows the user's frames, and Ctrl-C survives it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import pytest

from ._calls import CallHooks, EarlyCallHooks
from ._session import TrioSession

#: Where stepping does not stop.  The code that waits for the loop stands between the user's frames.
_SKIPPED = {"pytest_trio_scoped.*", "trio._core.*", "outcome.*"}


class DebugHooks:
    """Step over the machinery, and give Ctrl-C back to the loop when the debugger is left."""

    def __init__(self, session: TrioSession) -> None:
        self._session = session

    def pytest_enter_pdb(self, pdb: Any) -> None:
        """Skip our modules when the user steps."""
        pdb.skip = {*(pdb.skip or ()), *_SKIPPED}

    def pytest_leave_pdb(self) -> None:
        """Take Ctrl-C back: ``continue`` leaves a handler behind that would stop in Trio's run loop."""
        if self._session.is_inside:
            self._session.loop.take_sigint()


class TraceHooks(EarlyCallHooks):
    """With ``--trace``: stop at the first line of the async test, not in the code that runs it.

    pytest starts the debugger around the call of the test function, which is our twin.  So nothing
    stops until the user's function is about to be called.
    """

    def __init__(self, session: TrioSession, calls: CallHooks) -> None:
        super().__init__(calls)
        self._session = session
        self._is_starting = False
        self._pdb: Any = None

    @pytest.hookimpl(trylast=True)
    def pytest_enter_pdb(self, pdb: Any) -> None:
        """Stop nowhere yet, if this is the debugger that pytest has made for the test."""
        if self._is_starting:
            self._pdb = pdb
            pdb.skip = {"*"}

    def twin(self, item: pytest.Function) -> Callable[..., Any] | None:
        """Return the twin of a test that stops at its first line."""
        function = item.obj
        item.obj = self._stopping(function)
        try:
            twin = super().twin(item)
        finally:
            item.obj = function
        if twin is not None:
            self._session.open_loop()  # while nothing is traced
            self._is_starting = True
        return twin

    def _stopping(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        async def stopping(**arguments: Any) -> Any:
            self._is_starting = False
            self._pdb.skip = _SKIPPED
            return await function(**arguments)

        return stopping
