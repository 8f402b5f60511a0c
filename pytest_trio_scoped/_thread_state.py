"""The five thread-wide things by which a thread is "inside Trio", as one value that can be swapped.

While the loop stands still in the middle of a task step and pytest's code runs, the thread still says
"inside Trio".  Code that is not ours to wrap must not see that: it may start a loop of its own, ask
sniffio where it is, or wait for Ctrl-C.  So the five things are put aside together and put back
together:

- Trio's run context, or a nested ``trio.run`` is refused;
- sniffio's name, or libraries believe they are under Trio;
- the async-generator hooks, or generators of others are claimed by Trio;
- the SIGINT handler, or Ctrl-C in a sync test is taken for one in a protected task;
- the signal wakeup file descriptor, or a nested run warns that somebody has taken it.

The last two belong to the main thread; in another thread they are left alone.

Pinned by ``tests/test_thread_state.py``.
"""

from __future__ import annotations

import contextlib
import dataclasses
import signal
import sys
import threading

# signal.signal() turns handlers into enum members, which takes ten times as long as setting one; the
# function of CPython's C module that it wraps takes and returns the same handlers.
from _signal import signal as _set_handler
from collections.abc import Callable, Iterator
from typing import Any, cast

from ._trio_names import run_context, sniffio_local

_AsyncGenHook = Callable[[Any], object] | None
SignalHandler = Callable[[int, Any], object] | int | None

@dataclasses.dataclass(slots=True)
class ThreadState:
    """What one side of the border, inside or outside, has in the thread."""

    run_context: dict[str, object]
    sniffio_name: str | None
    asyncgen_hooks: tuple[_AsyncGenHook, _AsyncGenHook]
    #: ``None`` where the handler is not ours to touch: off the main thread, or set from C.
    sigint: SignalHandler
    wakeup_fd: int

    def swap(self) -> ThreadState:
        """Put this state in place and return the one that was there."""
        attributes = run_context.__dict__
        previous_context = attributes.copy()
        attributes.clear()
        attributes.update(self.run_context)
        previous_name, sniffio_local.name = sniffio_local.name, self.sniffio_name
        hooks = sys.get_asyncgen_hooks()
        sys.set_asyncgen_hooks(*self.asyncgen_hooks)
        if self.sigint is None:
            return ThreadState(previous_context, previous_name, hooks, None, -1)
        wakeup_fd = signal.set_wakeup_fd(self.wakeup_fd, warn_on_full_buffer=False)
        sigint = _set_handler(signal.SIGINT, self.sigint)
        return ThreadState(previous_context, previous_name, hooks, sigint, wakeup_fd)


def without_trio(sigint: SignalHandler) -> ThreadState:
    """Return the state of a thread that knows of no loop, with ``sigint`` as its Ctrl-C handler."""
    return ThreadState({}, None, (None, None), sigint, -1)


def current_sigint_handler() -> SignalHandler:
    """Return the handler of Ctrl-C, or ``None`` where it is not ours to touch."""
    if threading.current_thread() is not threading.main_thread():
        return None
    return cast("SignalHandler", signal.getsignal(signal.SIGINT))


@contextlib.contextmanager
def outside_of_any_run() -> Iterator[None]:
    """Run the block as if the thread were in no Trio run; nothing changes if it is in none."""
    if not run_context.__dict__:
        yield
        return
    handler = current_sigint_handler()
    previous = without_trio(handler and signal.default_int_handler).swap()
    try:
        yield
    finally:
        previous.swap()
