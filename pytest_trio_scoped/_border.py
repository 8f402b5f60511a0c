"""The border between inside and outside, which a host crosses at each stay.

Inside, the thread is in Trio's state, in the middle of a task step; outside, it knows of no loop.  What
is put aside and put back is in ``_thread_state``; here is on which side the thread is.

Outside, Ctrl-C raises KeyboardInterrupt between any two bytecodes.  So the loop's handler of SIGINT is
the first thing to be put in place and the last to be taken away, and :meth:`Border.enter` and
:meth:`Border.leave` may be called twice.

Pinned by ``tests/test_loop.py``, ``tests/test_interrupt.py`` and ``tests/test_nested.py``.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from signal import default_int_handler

from trio.lowlevel import enable_ki_protection

from ._thread_state import (
    SignalHandler,
    ThreadState,
    replace_sigint_handler,
    take_sigint,
    without_trio,
)


class Border:
    """The border of one loop, in the thread that makes this object; inside, ``handler`` handles SIGINT.

    The loop calls :meth:`enter` and :meth:`leave`, from code that is protected from KeyboardInterrupt.
    """

    def __init__(self, handler: SignalHandler) -> None:
        self._handler = handler
        #: Whether the thread is inside.
        self.is_inside = False
        self._inside = without_trio()
        #: What the running host has left behind.  When a host comes back from a switch, another one may
        #: have left something else since.
        self.left: ThreadState

    def enter(self) -> None:
        """Go inside, unless the thread is there."""
        if self.is_inside:
            return
        replace_sigint_handler(default_int_handler, self._handler)
        self.left = self._inside.swap()
        self.is_inside = True

    def leave(self) -> None:
        """Go outside, unless the thread is there."""
        if not self.is_inside:
            return
        self.is_inside = False
        self._inside = self.left.swap()
        replace_sigint_handler(self._handler, default_int_handler)

    @contextlib.contextmanager
    @enable_ki_protection
    def outside(self) -> Iterator[None]:
        """Run the block outside, wherever the caller is."""
        if not self.is_inside:
            yield
            return
        left = self.left
        self.leave()
        try:
            yield
        finally:
            self.enter()
            self.left = left

    @contextlib.contextmanager
    @enable_ki_protection
    def inside(self) -> Iterator[None]:
        """Run the block, sync code of ours, inside, wherever the caller is."""
        if self.is_inside:
            yield
            return
        self.enter()
        try:
            yield
        finally:
            self.leave()

    def take_sigint(self) -> None:
        """Handle Ctrl-C again after somebody inside has taken it and is done with it."""
        take_sigint(self._handler)
