"""Ctrl-C while a thread is inside, and what the hosts wait for.

Inside, the handler of SIGINT is ours.  Where Trio says that the running code is unprotected, which is
the user's code, it raises KeyboardInterrupt on the spot; all code of this package is marked as
protected.  Most of Trio's code is not, although a task that is interrupted while it is made is never
run, and whoever waits for it waits for ever; so what runs in Trio's hands counts as protected here.

A KeyboardInterrupt that may not be raised on the spot is raised where the host's wait is
blocked, as Trio's own would be in its main task, which is never the one that matters here; what is
waited for next is cancelled; and it is raised once more when the host gets back outside.

If a second one comes before that, what is waited for does not obey: then the loop is ended under it, in its
next step (``_wreck.kill``), unless the host has come outside by then.  To raise it wherever it comes would
not do: in a task of Trio's or of ours it breaks that task, and who waits for the task waits for ever; in an
instrument Trio takes it for the instrument's failure.  While tests overlap, the first is raised in one of
them and has been dealt with when that has ended; the second counts as such until the last has.

Pinned by ``tests/test_interrupt.py``, ``tests/test_ctrl_c.py`` and ``tests/interrupt_trio.py``.
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable
from types import FrameType
from typing import Protocol

import greenlet
import trio
from trio.lowlevel import currently_ki_protected

from ._wreck import kill


class Wait(Protocol):
    """What a host waits for."""

    def cancel(self) -> None:
        """Cancel it.  Not a checkpoint."""

    def interrupt(self) -> None:
        """Raise KeyboardInterrupt where it is blocked.  Not a checkpoint."""


class Strand(Protocol):
    """Who waits beside the session's host (``_strands``)."""

    #: What it waits for, the innermost last.
    waits: list[Wait]

    @property
    def cancels_waits(self) -> bool:
        """Whether what it begins to wait for is to be cancelled."""


class CtrlC:
    """The interrupts of one loop, whose greenlet is ``loop_greenlet``."""

    def __init__(self, loop_greenlet: greenlet.greenlet) -> None:
        self._loop_greenlet = loop_greenlet
        #: Wakes the loop; known once the run has begun.
        self.token: trio.lowlevel.TrioToken | None = None
        #: What the session's host waits for, the innermost last; strands have waits of their own.  While
        #: there are any, the host waits for them, and what is done to that wait is done to all of theirs.
        self.waits: list[Wait] = []
        #: Whether KeyboardInterrupt has been raised in a host.
        self.was_raised = False
        #: Whether KeyboardInterrupt is still to be raised in a host.
        self.is_requested = False
        #: The wait of the session's host that was interrupted last.
        self._interrupted: Wait | None = None
        #: Whether the loop is to be ended in its next step.
        self._is_killing = False
        #: Called before the loop is ended.
        self.on_kill: Callable[[], object] = lambda: None
        #: One object for as long as the loop lives: it is compared by identity.
        self.handler = self._on_sigint

    def may_raise_in(self, frame: FrameType | None) -> bool:
        """Say whether ``frame``, in which a signal has come, is code in a host that may fail by it."""
        is_on_loop = greenlet.getcurrent() is self._loop_greenlet
        return not is_on_loop and not currently_ki_protected() and not _is_in_trio(frame)

    def _on_sigint(self, _signum: int, frame: FrameType | None) -> None:
        is_on_loop = greenlet.getcurrent() is self._loop_greenlet
        is_protected = currently_ki_protected()
        is_second = self.is_requested or self._interrupted in self.waits
        is_third = self._is_killing
        # In a background task it is the host's affair as well: who uses the task must not fail first.
        is_on_the_spot = not is_protected and not _is_in_trio(frame)
        if not is_on_the_spot or is_on_loop:
            self._request()
        if is_second:
            self._is_killing = True
            self.run_soon(self._kill)
        if is_on_the_spot or is_third or (is_second and not is_protected):
            raise KeyboardInterrupt  # else code of the user's might keep the loop from its next step

    def _request(self) -> None:
        self.is_requested = True
        self.run_soon(self._interrupt_wait)

    def _kill(self) -> None:
        self._is_killing = False
        # Else the host has come outside, or is about to.
        if self.waits and (self.is_requested or self._interrupted in self.waits):
            self.is_requested = True
            self.on_kill()
            trio.lowlevel.spawn_system_task(kill, KeyboardInterrupt())

    def note_interrupt(self, wait: Wait) -> None:
        """Take it that the next Ctrl-C is the second one as long as ``wait`` is waited for."""
        self._interrupted = wait

    def run_soon(self, function: Callable[[], object]) -> None:
        """Call ``function`` in the next step of the loop, if there is one.  In any thread."""
        if self.token is not None:
            with contextlib.suppress(trio.RunFinishedError):
                self.token.run_sync_soon(function)

    def _interrupt_wait(self) -> None:
        if self.is_requested and self.waits:
            wait = self._interrupted = self.waits[-1]
            wait.interrupt()
            wait.cancel()  # whatever it waits for next

    def begin(self, wait: Wait, strand: Strand | None = None) -> list[Wait]:
        """Note that a strand, or for ``None`` the session's host, begins to wait.

        The end is ``pop()`` of what is returned.
        """
        waits = self.waits if strand is None else strand.waits
        waits.append(wait)
        if self.is_requested or (strand is not None and strand.cancels_waits):
            wait.cancel()
        return waits

    def waits_of(self, strand: Strand | None) -> list[Wait]:
        """Return what a strand, or for ``None`` the session's host, waits for, the innermost last."""
        return self.waits if strand is None else strand.waits

    def cancel_wait(self, strand: Strand | None = None) -> None:
        """Cancel the innermost wait of the strand, if there is any.  Called on the loop."""
        for wait in self.waits_of(strand)[-1:]:
            wait.cancel()

    def cancel_waits(self, strand: Strand | None = None, *, after: int = 0) -> None:
        """Cancel all that the strand waits for, but the outermost ``after``.  Called on the loop."""
        for wait in self.waits_of(strand)[after:]:
            wait.cancel()

    def raise_if_requested(self, cause: BaseException | None) -> None:
        """Raise KeyboardInterrupt in a host, once."""
        __tracebackhide__ = True
        if self.is_requested:
            self.is_requested = False
            self.was_raised = True
            raise KeyboardInterrupt from cause


_COROUTINES = inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR | inspect.CO_ITERABLE_COROUTINE


def _is_in_trio(frame: FrameType | None) -> bool:
    """Say whether ``frame`` is Trio's, or is called by Trio as a function is (no task of its own)."""
    while frame is not None:
        if frame.f_globals.get("__name__", "").partition(".")[0] == "trio":
            return True
        if frame.f_code.co_flags & _COROUTINES:
            return False
        frame = frame.f_back
    return False
