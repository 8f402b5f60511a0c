"""Many tests at once on a worker of pytest-xdist.

A worker is sent tests little by little, and more when some have ended.  As many as may be are in flight at
once; the others stay in xdist's queue, from where they may be taken back.

What a test has to tear down hangs on what comes next.  xdist's own loop therefore does not start a test
before it knows the next one.  Here all start at once, and the last that is in flight waits before its
tear-down, until it is known whether more come.  A controller sends more, or says that there are none, at the
latest when but one of those that it has sent is left; so one waits at most.

A controller whose tests are distributed by "worksteal" asks for tests back, as soon as another worker has
nothing to do, and if it gets none it asks again at once.  It gets an answer when that may have changed.

Pinned by ``tests/test_parallel_xdist.py``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Sequence
from typing import TYPE_CHECKING

import pytest
import trio
from trio.lowlevel import enable_ki_protection

from ._feeds import Feed
from ._parallel_hooks import ParallelHooks
from ._session import TrioSession
from ._wreck import LoopLost
from ._xdist_names import Worker

if TYPE_CHECKING:
    from ._line_up import Line
    from ._loop import Loop


class WorkerFeed(Feed):
    """The tests that the controller sends."""

    is_remote = True

    def __init__(self, worker: Worker, session: TrioSession) -> None:
        self._worker = worker
        self._session = session
        self.may_come = True
        #: What has been taken from the queue and is not in line yet.
        self._ahead: deque[int] = deque()
        #: How many are expected that have not started.
        self._unstarted = 0
        #: Those in flight; of these, those that have got to their tear-down.
        self._in_flight: set[int] = set()
        self._ending: set[int] = set()
        self._wait: _Wait | None = None
        self._is_asked = False

    def begin(
        self,
        items: Sequence[pytest.Item],
        line: Line,
        expect: Callable[[Sequence[pytest.Item]], None],
    ) -> None:
        """See the base class."""
        self._items = items
        self._line = line
        self._expect = expect

    def listen(self, wake: Callable[[], object]) -> None:
        """See the base class."""

        def on_command() -> None:
            wake()
            if (wait := self._wait) is not None:
                wait.wake()

        self._worker.listen(on_command, self._on_steal)

    def take(self) -> int | None:
        """See the base class."""
        while (index := self._line.take()) is None:
            if not self._line.alone_to_come and self._look_ahead():
                self._line.add(self._ahead.popleft())
                self._look_ahead()
            elif self._in_flight or not self._line.close():
                return None
        return index

    def _look_ahead(self) -> bool:
        """Say whether it is known what comes next."""
        if self._ahead:
            return True
        try:
            number = self._worker.take() if self.may_come else None
        except EOFError:
            self.may_come = False
            return False
        if number is None:
            return False
        self._ahead.append(number)
        self._unstarted += 1
        self._expect([self._items[number]])
        return True

    def start(self, number: int) -> None:
        """See the base class."""
        with self._worker.lock():
            self._in_flight.add(number)
        self._unstarted -= 1

    def report(self, number: int) -> None:
        """See the base class."""
        self._worker.begin_report(number)

    def end(self, number: int, seconds: float) -> None:
        """See the base class."""
        # A controller takes this for a hint, and sends a worker whose tests are long no more for a time,
        # which is right if it has some that it has not started.
        self._worker.end(number, seconds if self._ahead else 0)
        with self._worker.lock():
            self._in_flight.discard(number)
            self._answer()
        self._ending.discard(number)

    # ---------------------------------------------------------------- tear-down

    def wait_for_more(self, number: int) -> None:
        """See the base class."""
        self._ending.add(number)
        if self._wait is not None or self._is_clear():
            return
        loop = self._session.loop
        with self._worker.lock():
            self._wait = wait = _Wait(loop, self._is_clear)
            self._answer()
        try:
            loop.wait_for(wait, wait.run)
        except LoopLost:
            pass  # whoever uses it next tells of that
        finally:
            self._wait = None

    def _is_clear(self) -> bool:
        """Say whether there are others whose end it is to tear down what is wide, or there will be none."""
        if self._in_flight > self._ending or self._unstarted:
            return True
        return self._look_ahead() or not self.may_come

    # ---------------------------------------------------------------- asked for tests

    def _on_steal(self, numbers: list[int]) -> None:
        with self._worker.lock():
            if not self._worker.give_back(numbers):
                self._is_asked = True
                if len(self._in_flight) == (self._wait is not None):
                    self._answer()

    def _answer(self) -> None:
        """Tell that there are none to be given back, if that has been asked."""
        if self._is_asked:
            self._is_asked = False
            self._worker.give_nothing_back()


class _Wait:
    """What a test waits for before its tear-down."""

    def __init__(self, loop: Loop, is_over: Callable[[], bool]) -> None:
        self._loop = loop
        self._is_over = is_over
        self._scope = trio.CancelScope()
        self._news = trio.Event()

    def wake(self) -> None:
        """Look again.  In any thread."""
        self._loop.run_soon(self._look_again)

    def _look_again(self) -> None:
        self._news.set()

    def cancel(self) -> None:
        """Wait no longer.  Not a checkpoint."""
        self._scope.cancel()

    def interrupt(self) -> None:
        """Do nothing: it is cancelled as well."""

    @enable_ki_protection
    async def run(self) -> None:
        """Wait."""
        with self._scope:
            while not self._is_over():
                self._news = trio.Event()
                await self._news.wait()


class WorkerHooks:
    """Let a test wait between its call and its tear-down, where that is in neither's time."""

    def __init__(self, parallel: ParallelHooks) -> None:
        self._parallel = parallel

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, call: pytest.CallInfo[None]
    ) -> Generator[None, object, object]:
        """Wait after the last phase before the tear-down."""
        report = yield
        if call.when == "call" or (call.when == "setup" and call.excinfo is not None):
            self._parallel.before_tear_down()
        return report
