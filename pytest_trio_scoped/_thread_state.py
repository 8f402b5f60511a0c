"""The five thread-wide things by which a thread is "inside Trio".

While the loop stands still in the middle of a task step and pytest's code runs, the thread still says
"inside Trio".  Code that is not ours to wrap must not see that: it may start a loop of its own, ask
sniffio where it is, or wait for Ctrl-C.  So the five things are put aside together and put back
together, four of them as one value that can be swapped:

- Trio's run context, or a nested ``trio.run`` is refused;
- sniffio's name, or libraries believe they are under Trio;
- the async-generator hooks, or generators of others are claimed by Trio;
- the signal wakeup file descriptor, or a nested run warns that somebody has taken it;
- the SIGINT handler, or Ctrl-C in a sync test is taken for one in a protected task.  Only Python's own
  handler gives way to ours and comes back; one that the user has set counts inside and outside.

The last two belong to the main thread; in another thread they are left alone.

Pinned by ``tests/test_thread_state.py``.
"""

from __future__ import annotations

import contextlib
import signal
import threading

# signal.signal() turns handlers into enum members, which takes ten times as long as setting one.  The
# functions of CPython's C module below it take and return the bare handlers, and no enum members.
from _signal import getsignal as _get_handler  # type: ignore[import-not-found]
from _signal import signal as _set_handler
from collections.abc import AsyncGenerator, Callable, Iterator
from signal import set_wakeup_fd
from sys import get_asyncgen_hooks, set_asyncgen_hooks
from threading import get_ident
from typing import Any, NamedTuple

from ._trio_names import run_context, sniffio_local

_AsyncGenHook = Callable[[AsyncGenerator[Any, Any]], None] | None
SignalHandler = Callable[[int, Any], object] | int | None

#: Asking each time would take longer than all else at the border.
_MAIN_THREAD = threading.main_thread().ident

#: The bare number: an enum member has to be asked for it.
_SIGINT = int(signal.SIGINT)


class ThreadState(NamedTuple):
    """What one side of the border, inside or outside, has in the thread, but for the SIGINT handler."""

    run_context: dict[str, object]
    sniffio_name: str | None
    asyncgen_hooks: tuple[_AsyncGenHook, _AsyncGenHook]
    #: ``None`` off the main thread.
    wakeup_fd: int | None

    def swap(self) -> ThreadState:
        """Put this state in place and return the one that was there."""
        # Each test pays for this twice, and for each fixture four times.
        context, name, hooks, wakeup_fd = self
        attributes = run_context.__dict__
        previous_context = attributes.copy()
        if previous_context:
            attributes.clear()
        if context:
            attributes.update(context)
        previous_name = sniffio_local.name
        sniffio_local.name = name
        previous_hooks = get_asyncgen_hooks()
        set_asyncgen_hooks(*hooks)
        if wakeup_fd is not None:
            wakeup_fd = set_wakeup_fd(wakeup_fd, warn_on_full_buffer=False)
        return ThreadState(previous_context, previous_name, previous_hooks, wakeup_fd)


def without_trio() -> ThreadState:
    """Return the state of a thread that knows of no loop."""
    return ThreadState({}, None, (None, None), -1 if get_ident() == _MAIN_THREAD else None)


def replace_sigint_handler(old: SignalHandler, new: SignalHandler) -> SignalHandler:
    """Let ``new`` handle Ctrl-C if ``old`` does; return who did.  Any other handler is the user's."""
    handler: SignalHandler = _get_handler(_SIGINT)
    if handler is old and get_ident() == _MAIN_THREAD:
        _set_handler(_SIGINT, new)
    return handler


def take_sigint(handler: SignalHandler) -> None:
    """Let ``handler`` handle Ctrl-C, whoever does."""
    if get_ident() == _MAIN_THREAD:
        _set_handler(_SIGINT, handler)


@contextlib.contextmanager
def outside_of_any_run() -> Iterator[None]:
    """Run the block as if the thread were in no Trio run; nothing changes if it is in none."""
    if not run_context.__dict__:
        yield
        return
    previous = without_trio().swap()
    handler = _get_handler(_SIGINT)
    replace_sigint_handler(handler, signal.default_int_handler)
    try:
        yield
    finally:
        replace_sigint_handler(signal.default_int_handler, handler)
        previous.swap()
