"""How a Trio run is ended under whatever runs on it, and what is left of one that ended by itself."""

from __future__ import annotations

import contextlib
import ctypes
import traceback
import warnings
from collections.abc import Iterator
from pathlib import Path

import trio

from . import _errors
from ._exceptions import everything_in, innermost_cause, prune


class LoopLost(RuntimeError):
    """The loop has ended although somebody still needs it."""

    def reason(self) -> BaseException:
        """Return what ended the loop, without what Trio has put around it."""
        if self.__cause__ is None:
            return RuntimeError(str(self))
        error = innermost_cause(self.__cause__)
        error.__cause__ = error.__context__ = None
        return error


class Killed(Exception):
    """Why somebody here has ended a loop."""


def let_go(error: BaseException) -> None:
    """Turn the tracebacks of ``error``, which ended a run, into a note.

    Frames keep their callers, and so all of the dead run, alive.  Where Trio's run loop was waiting
    its generator is closed here, which it warns of.
    """
    with warnings.catch_warnings(action="ignore"):
        for each in everything_in(error):
            for frame, _ in traceback.walk_tb(each.__traceback__):
                # Whoever keeps the frames (a debugger, a plugin that dumps stacks) would have this done
                # later, and the generator's end would clear the run context of the next loop.
                if frame.f_code is trio.run.__code__:
                    frame.f_locals["gen"].close()
    cause = innermost_cause(error)
    # The second Ctrl-C says enough, and so does who kills a loop.
    if not isinstance(cause, (KeyboardInterrupt, Killed)):
        where = "".join(traceback.format_tb(prune(cause).__traceback__))
        cause.add_note(_errors.RAISED_AT.format(traceback=where.rstrip()))
    with warnings.catch_warnings(action="ignore"):
        for each in everything_in(error):
            each.__traceback__ = None


def bury(root: trio.lowlevel.Task) -> None:
    """Clean up what can be cleaned up of a dead run, and keep the rest from being collected, for good.

    The user's tasks are closed: what they hold with ``with`` or ``finally`` (sockets, above all) is let
    go of, as far as it goes without waiting.  But the run itself was stopped in the middle, and what
    Python finds of it when it collects garbage complains, in the middle of somebody else's test.
    """
    with warnings.catch_warnings(action="ignore"):
        for task in list(_tasks_below(root)):
            if not _is_machinery(task):
                with contextlib.suppress(BaseException):
                    task.coro.close()
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(root))


def _tasks_below(task: trio.lowlevel.Task) -> Iterator[trio.lowlevel.Task]:
    """Yield the tasks in the nurseries of ``task``, the innermost first."""
    for nursery in task.child_nurseries:
        for child in nursery.child_tasks:
            yield from _tasks_below(child)
            yield child


def _is_machinery(task: trio.lowlevel.Task) -> bool:
    """Say whether ``task`` is one of this package's, or Trio's own for ``run_sync_soon``."""
    code = task.coro.cr_code
    return code.co_filename.startswith(str(Path(__file__).parent)) or task.name.startswith("<")


async def kill(error: BaseException) -> None:
    """End the Trio run at once, by ``error``: Trio gives up when an abort function raises."""

    def fail(_raise_cancel: object) -> trio.lowlevel.Abort:
        raise error

    with trio.CancelScope() as cancel_scope:
        cancel_scope.cancel()
        await trio.lowlevel.wait_task_rescheduled(fail)
