"""pytest-timeout: its limits on tests that wait for the loop.

Its alarm raises an exception wherever the thread is.  In an async test that is most likely Trio's run loop,
which would end by it.  So async tests are watched by us, with its settings.  Sync tests stay with
pytest-timeout, unless the alarm comes while the loop runs, or code that must not be torn apart.

Pinned by ``tests/test_pytest_timeout.py``.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Generator
from functools import partial
from types import FrameType
from typing import TYPE_CHECKING, Any

import pytest

from ._ownership import body_of, is_async, is_our_test
from ._session import TrioSession
from ._timeout_hooks import TimeoutHooks

if TYPE_CHECKING:
    from ._timeouts import Watch

_SOURCE = "pytest-timeout"


class PytestTimeoutHooks:
    """Take the hooks that pytest-timeout has for this.  Registered if it is there."""

    def __init__(self, session: TrioSession, hooks: TimeoutHooks) -> None:
        self._session = session
        self._hooks = hooks
        self._watch: Watch | None = None
        #: The test at hand and its settings, if all of it is limited.
        self._limited: tuple[pytest.Item, Any] | None = None
        self._is_cancelled = False

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self) -> None:
        """Open the file that is written to; it is too late for that when a test is called."""
        self._session.stderr.open()

    @pytest.hookimpl(tryfirst=True)
    def pytest_timeout_set_timer(self, item: pytest.Item, settings: Any) -> bool | None:
        """Watch an async test in place of pytest-timeout."""
        if not self._is_async(item):
            return None
        is_debugging = sys.modules["pytest_timeout"].is_debugging
        if settings.disable_debugger_detection or not is_debugging():
            self._note(item, settings)
            self._begin(item, settings)
        return True

    @pytest.hookimpl(wrapper=True, specname="pytest_timeout_set_timer")
    def pytest_watch_alarm(
        self, item: pytest.Item, settings: Any
    ) -> Generator[None, object, object]:
        """Stand between the alarm of a sync test and pytest-timeout."""
        result = yield
        if self._is_async(item):
            return result
        self._note(item, settings)
        if settings.method == "signal":
            handler = signal.getsignal(signal.SIGALRM)
            if callable(handler):  # else it has chosen a thread after all
                signal.signal(signal.SIGALRM, partial(self._on_alarm, handler, item, settings))
        return result

    @pytest.hookimpl(tryfirst=True)
    def pytest_timeout_cancel_timer(self, item: pytest.Item) -> bool | None:
        """Watch the test no more.  Called also when a phase has failed."""
        self._is_cancelled = True
        if self._watch is not None:
            self._watch.end()
            self._watch = None
        return True if self._is_async(item) else None

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> None:
        """Watch the tear-down of a test that has failed, which pytest-timeout does not."""
        if self._is_cancelled and self._limited is not None and self._limited[0] is item:
            self._begin(*self._limited)

    def _note(self, item: pytest.Item, settings: Any) -> None:
        self._limited = None if settings.func_only else (item, settings)
        self._is_cancelled = False

    def _begin(self, item: pytest.Item, settings: Any) -> None:
        what = f"{item.nodeid}: the call" if settings.func_only else item.nodeid
        timeouts = self._hooks.timeouts(item.config)
        self._watch = timeouts.begin(what, settings.timeout, _SOURCE)

    def _on_alarm(
        self,
        handler: Callable[[int, FrameType | None], object],
        item: pytest.Item,
        settings: Any,
        signum: int,
        frame: FrameType | None,
    ) -> None:
        __tracebackhide__ = True
        loop = self._session.present_loop
        if loop is None or loop.may_raise_in(frame):
            handler(signum, frame)
        else:
            self._begin(item, settings)
            assert self._watch is not None
            self._watch.expire()

    def _is_async(self, item: pytest.Item) -> bool:
        return (
            isinstance(item, pytest.Function)
            and is_async(body_of(item.obj))
            and is_our_test(self._session, item)
        )
