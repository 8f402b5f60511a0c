"""Tasks that hold a nursery open for one user task at a time.

Whatever the user's code does to the task it runs in (above all: enter a nursery and never leave it)
comes out of the nursery around that task when the task ends, and then this nursery is lost.  So every
user task has a supervisor: a task of its own that holds the nursery.  As opening a nursery costs more
than the rest of starting a task, a supervisor whose user task ended well is used again.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import Context
from functools import partial
from typing import Any

import trio

from ._trio_names import CancelStatus, cancel_status, is_cancelled


class Flag:
    """An event with one waiter, which can't be cancelled while it waits."""

    __slots__ = ("_is_set", "_waiter")

    def __init__(self) -> None:
        self._is_set = False
        self._waiter: trio.lowlevel.Task | None = None

    def set(self) -> None:
        """Wake the waiter, now or when it comes.  Not a checkpoint."""
        self._is_set = True
        if self._waiter is not None:
            trio.lowlevel.reschedule(self._waiter)
            self._waiter = None

    async def wait(self, on_cancel: Callable[[], object] | None = None) -> None:
        """Wait for :meth:`set`.  A checkpoint that ignores cancellation; returns at once if it is set.

        ``on_cancel`` is called, once, when the waiting task is cancelled.
        """
        if not self._is_set:
            self._waiter = trio.lowlevel.current_task()
            await trio.lowlevel.wait_task_rescheduled(partial(_stay_asleep, on_cancel))


def _stay_asleep(
    on_cancel: Callable[[], object] | None, _raise_cancel: object
) -> trio.lowlevel.Abort:
    if on_cancel is not None:
        on_cancel()
    return trio.lowlevel.Abort.FAILED


class Supervisor:
    """One task with one nursery, for one user task at a time."""

    def __init__(self) -> None:
        self._ended = Flag()
        self._error: BaseException | None = None
        self._nursery: trio.Nursery
        self._cancel_status: CancelStatus

    @trio.lowlevel.enable_ki_protection
    async def run(self, on_ready: Callable[[], object]) -> None:
        """Hold the nursery open until a user task breaks it or the loop is closed.

        ``on_ready`` is called when it is open.
        """
        task = trio.lowlevel.current_task()
        # It outlives the test that needed it first, and must not keep it or its context alive.
        task.context = Context()
        try:
            async with trio.open_nursery() as self._nursery:
                self._cancel_status = cancel_status(task)
                on_ready()
                del on_ready
                await trio.sleep_forever()
        except BaseExceptionGroup as group:
            # Cancelled comes when the loop is closed; as the task ends anyway, it may get lost here.
            _, rest = group.split(trio.Cancelled)
            if rest is not None:
                self._error = rest.exceptions[0] if len(rest.exceptions) == 1 else rest
        finally:
            self._ended.set()

    @property
    def is_broken(self) -> bool:
        """Whether its nursery was cancelled, by :meth:`cancel` or by what came out of the user task."""
        # The second question alone would do, but it asks the clock as well.
        return is_cancelled(self._cancel_status) and self._nursery.cancel_scope.cancel_called

    @property
    def children(self) -> frozenset[trio.lowlevel.Task]:
        """The tasks that run in its nursery."""
        return self._nursery.child_tasks

    def has_children(self, *, besides: trio.lowlevel.Task | None = None) -> bool:
        """Say whether tasks run in its nursery, not counting the one ``besides``."""
        return not self._nursery.child_tasks <= {besides}

    def start_soon(self, async_fn: Callable[..., Any], *args: object, name: str) -> None:
        """Start the user task.  Not a checkpoint."""
        self._nursery.start_soon(async_fn, *args, name=name)

    def cancel(self) -> None:
        """Cancel the user task.  Not a checkpoint."""
        self._nursery.cancel_scope.cancel()

    async def wait_broken(self) -> BaseException | None:
        """Wait for the end of a broken supervisor and return what came out of its user task."""
        await self._ended.wait()
        return self._error
