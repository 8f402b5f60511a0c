"""Time limits: what has not ended in time is cancelled on the loop, and its tasks are shown.

A *watch* is one limit while it counts.  Its alarm goes off in a thread of its own, by real time.  Then:

- What the host waits for is cancelled in a step of the loop, after the tree of tasks has been noted.
- If the loop does not get to that within a second, the thread is stuck in sync code.  Nobody can end
  that; what it is stuck in is written to stderr, and the rest is done when it has ended.
- What has not ended five seconds after it was cancelled (it is shielded, or starts again and again) ends
  with the loop: the loop is killed, its fixtures are lost, and the next test gets a fresh one.
- In a tear-down, what comes after that (the next fixture) has the whole limit again; in a set-up or call,
  it is cancelled as well.

The phase fails with the limit and the tree, whatever its code has made of the cancellation.

Pinned by ``tests/test_timeouts.py``.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import pytest
import trio

from . import _errors
from ._alarms import PATIENCE
from ._exceptions import everything_in
from ._outcomes import ENDS_THE_RUN, is_cancelled
from ._session import TimeLimit, TrioSession
from ._task_tree import describe_tasks, describe_tasks_of_stuck
from ._wreck import Killed, kill

if TYPE_CHECKING:
    from ._ctrl_c import Wait
    from ._loop import Loop
    from ._strands import Strand

#: Seconds that what has been cancelled may take to end.
GRACE = 5.0

#: Seconds until it is looked again whether anything waits for the loop.
_POLL = 0.1


class _Limited:
    """What one test in flight is limited by."""

    def __init__(self) -> None:
        self.watches: list[Watch] = []
        #: What the code of the phase was told; it may have caught that.
        self.raised: BaseException | None = None


class Timeouts(TimeLimit):
    """The watches of one session."""

    def __init__(self, session: TrioSession) -> None:
        self._session = session
        self._hosts = _Limited()

    @property
    def _present(self) -> _Limited:
        return self._of(_strand_of_test(self._session))

    def _of(self, strand: Strand | None) -> _Limited:
        """Return what the test in a strand is limited by, or for ``None`` that in the session's host."""
        if strand is None:
            return self._hosts
        limited: _Limited | None = strand.kept.get(self)
        if limited is None:
            limited = strand.kept[self] = _Limited()
        return limited

    def begin(self, what: str, seconds: float, source: str, *, in_parts: bool = True) -> Watch:
        """Watch what begins now; ``source`` is where the limit comes from.

        With ``in_parts`` what comes after something that was cancelled has the whole limit again.
        """
        text = _errors.TIMED_OUT.format(what=what, seconds=seconds, source=source)
        watch = Watch(self._session, text, seconds, in_parts=in_parts)
        self._present.watches.append(watch)
        return watch

    def end_all(self) -> None:
        """Watch nothing: the user has a look at it with a debugger, or ends the run."""
        for strand in (None, *self._session.strands):
            for watch in self._of(strand).watches:
                watch.end()

    def explain(self, error: BaseException) -> BaseException:
        """Return what to raise outside in place of ``error``, which may come of a limit."""
        present = self._present
        other = error.failure if isinstance(error, _KilledByLimit) else error
        if not present.watches or self._session.is_inside:
            return other
        if isinstance(error, BaseExceptionGroup):
            rest = error.split(trio.Cancelled)[1]
            if rest is error:
                return error
        elif isinstance(error, (trio.Cancelled, _KilledByLimit)):
            rest = None
        else:
            return error
        failure = self._take_failure()
        if failure is None:
            return other
        present.raised = _joined(failure, rest)
        return present.raised

    def exceeded(self) -> BaseException | None:
        """Return what the phase at hand fails with if it has exceeded its limit."""
        failure = self._take_failure()
        if failure is not None:
            self._present.raised = failure
        return self._present.raised

    def conclude(self, raised: BaseException | None) -> BaseException | None:
        """Return what to report of a phase that ended with ``raised``."""
        failure = self.exceeded()
        present = self._present
        present.raised = None
        present.watches = [watch for watch in present.watches if not watch.is_over]
        if failure is None or isinstance(raised, ENDS_THE_RUN):
            return raised
        if raised is None or is_cancelled(raised):
            return failure
        told = {id(error) for error in everything_in(raised)}
        is_told = any(id(error) in told for error in everything_in(failure))
        return raised if is_told else _joined(failure, raised)

    def _take_failure(self) -> BaseException | None:
        texts = [text for watch in self._present.watches if (text := watch.take()) is not None]
        return pytest.fail.Exception("\n\n".join(texts), pytrace=False) if texts else None


class _KilledByLimit(Killed):
    """Ends the loop, which is told to all tests in flight by one ``failure``."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.failure = pytest.fail.Exception(text, pytrace=False)


def _joined(failure: BaseException, other: BaseException | None) -> BaseException:
    if other is None:
        return failure
    return BaseExceptionGroup(_errors.TIMED_OUT_AND_FAILED, [failure, other])


def _strand_of_test(session: TrioSession) -> Strand | None:
    """Return the strand that runs the test at hand, ``None`` if that is the session's host."""
    strand = session.strand
    if strand is None:
        return None
    strand = strand.outermost  # it may set up a fixture of the test beside others
    return strand if strand.is_long else None


class Watch:
    """One limit while it counts."""

    def __init__(
        self,
        session: TrioSession,
        text: str,
        seconds: float,
        *,
        in_parts: bool,
    ) -> None:
        self._session = session
        self._text = text
        self._seconds = seconds
        self._in_parts = in_parts
        self._strand = _strand_of_test(session)
        self.is_over = False
        #: The outermost of what was cancelled.
        self._wait: Wait | None = None
        self._cancelled_at = 0.0
        #: What happened and nobody was told of.
        self._failure: str | None = None
        session.alarms.set(self, seconds, self.expire)

    def end(self) -> None:
        """Watch no more."""
        self.is_over = True
        self._session.alarms.drop(self)

    def take(self) -> str | None:
        """Return what to tell of the limit if it was exceeded, once."""
        text, self._failure = self._failure, None
        return text

    # ---------------------------------------------------------------- in the thread of the alarms

    def expire(self) -> None:
        """Let what is waited for be cancelled.  In any thread, or in a signal handler."""
        if self.is_over:  # it ended while the alarm went off
            return
        loop = self._session.present_loop
        if loop is not None and self._session.others.have_turn(self._strand):
            # It waits for the others' code, maybe, and does not end before the loop gets there.  Asked first:
            # it may wait for nothing but its turn, and is not to be blamed when it gets that.
            loop.run_soon(partial(self._cancel_if_not_kept_waiting, loop, time.monotonic()))
            return
        if loop is None or not self._waits(loop):
            # Sync code that is not ours to end; it counts if something is waited for after it.
            self._session.alarms.set(self, _POLL, self.expire)
            return
        self._failure = self._tell(_errors.NOT_CANCELLED)  # if it ends before the loop gets there
        self._ask(loop, self._cancel)

    def _ask(self, loop: Loop, function: Callable[[Loop], None]) -> None:
        self._session.alarms.set(self, PATIENCE, partial(self._report_stuck, loop))
        loop.run_soon(partial(function, loop))

    def _report_stuck(self, loop: Loop) -> None:
        if self.is_over:
            return
        if not loop.is_open:
            self.expire()
            return
        stuck = _errors.STUCK.format(seconds=PATIENCE)
        self._session.stderr.write(self._tell(stuck, describe_tasks_of_stuck(loop)))
        self._session.stderr.dump_threads()

    def _look(self, loop: Loop) -> None:
        if self.is_over:
            return
        if self._wait not in self._waits(loop):
            seconds = self._seconds if self._in_parts else _POLL
            self._session.alarms.set(self, seconds, self.expire)
        elif time.monotonic() < self._cancelled_at + GRACE:
            self._session.alarms.set(self, _POLL, partial(self._look, loop))
        else:
            self._ask(loop, self._kill)

    def _waits(self, loop: Loop) -> list[Wait]:
        return loop.ctrl_c.waits_of(self._strand)

    def _tell(self, *details: str) -> str:
        return f"{self._text}\n" + "\n\n".join(details)

    # ---------------------------------------------------------------- on the loop

    def _cancel_if_not_kept_waiting(self, loop: Loop, since: float) -> None:
        """Cancel it, or give it the whole limit again if it was sync code of others that kept the thread."""
        if time.monotonic() < since + _POLL:
            self._cancel(loop)
        elif not self.is_over:
            self._session.alarms.set(self, self._seconds, self.expire)

    def _cancel(self, loop: Loop) -> None:
        self._session.alarms.drop(self)
        if self.is_over:
            return
        waits = self._waits(loop)
        if not waits:
            self._session.alarms.set(self, _POLL, self.expire)
            return
        self._wait = waits[0]
        self._failure = self._tell(_errors.CANCELLED, describe_tasks(loop))
        loop.ctrl_c.cancel_waits(self._strand)
        self._cancelled_at = time.monotonic()
        self._session.alarms.set(self, _POLL, partial(self._look, loop))

    def _kill(self, loop: Loop) -> None:
        self._session.alarms.drop(self)
        if self.is_over or self._wait not in self._waits(loop):
            return
        text = self._tell(_errors.NOT_ENDED.format(seconds=GRACE), describe_tasks(loop))
        self._failure = text
        self._session.stderr.write(text)
        trio.lowlevel.spawn_system_task(kill, _KilledByLimit(text))
