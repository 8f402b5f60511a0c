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
        #: For each test in flight.
        self._watches: dict[pytest.Item, Watch] = {}
        #: The settings of those of which all is limited.
        self._limited: dict[pytest.Item, Any] = {}
        #: Those of which a phase has ended, or failed.
        self._cancelled: set[pytest.Item] = set()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self) -> None:
        """Open the file that is written to; it is too late for that when a test is called."""
        self._session.stderr.open()

    @pytest.hookimpl(tryfirst=True)
    def pytest_timeout_set_timer(self, item: pytest.Item, settings: Any) -> bool | None:
        """Watch an async test in place of pytest-timeout."""
        if not self._is_ours(item):
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
        if self._is_ours(item):
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
        self._cancelled.add(item)
        watch = self._watches.pop(item, None)
        if watch is not None:
            watch.end()
        return True if self._is_ours(item) else None

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> None:
        """Watch the tear-down of a test that has failed, which pytest-timeout does not."""
        if item in self._cancelled and item in self._limited:
            self._begin(item, self._limited[item])

    def _note(self, item: pytest.Item, settings: Any) -> None:
        self._limited.pop(item, None)
        if not settings.func_only:
            self._limited[item] = settings
        self._cancelled.discard(item)

    def _begin(self, item: pytest.Item, settings: Any) -> None:
        what = f"{item.nodeid}: the call" if settings.func_only else item.nodeid
        timeouts = self._hooks.timeouts(item.config)
        self._watches[item] = timeouts.begin(what, settings.timeout, _SOURCE)

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
            self._watches[item].expire()

    def _is_ours(self, item: pytest.Item) -> bool:
        """Say whether the test is watched by us: an async one, or one of many, for there is one alarm."""
        return self._session.others.may_be or (
            isinstance(item, pytest.Function)
            and is_async(body_of(item.obj))
            and is_our_test(self._session, item)
        )
