"""The Trio side of the loop: tasks that drive greenlets.

A driver is a Trio task that lets a greenlet run, yields the traps of the greenlet's code to Trio, and
brings the answers back.  Everything here runs in the loop's greenlet.

Pinned by ``tests/test_loop.py``.
"""

from __future__ import annotations

import types
from collections.abc import AsyncGenerator, Generator
from contextvars import Context
from typing import Any

import greenlet
import trio
from trio.lowlevel import enable_ki_protection

from . import _errors
from ._exceptions import join
from ._supervisor import Flag, Supervisor
from ._user_task import UserTask


class Host(greenlet.greenlet):
    """A greenlet that a driver has started: below it, code may wait for the loop.

    ``fixture`` is the generator of the fixture that lives in it.
    """

    fixture: AsyncGenerator[Any, None] | None = None


class Command:
    """What a host says to its driver, other than a trap for Trio."""


class Stay(Command):
    """Start a task of its own and let it drive the host from now on."""

    def __init__(self, host: greenlet.greenlet, name: str, context: Context | None) -> None:
        self.host = host
        self.name = name
        self.context = context
        self.ended = Flag()
        self.problem: BaseException | None = None
        self.supervisor: Supervisor | None = None
        self.task: UserTask | None = None
        self.is_cancelled = False

    def cancel(self) -> None:
        """Cancel the task.  Not a checkpoint."""
        self.is_cancelled = True
        if self.supervisor is not None:
            self.supervisor.cancel()

    def interrupt(self) -> None:
        """Raise KeyboardInterrupt where the task is blocked.  Not a checkpoint."""
        if self.task is not None:
            self.task.interrupt()


END = Command()  # the host is done with this driver
CLOSE = Command()  # the main task shall end, and the loop with it
KILL = Command()  # the loop shall end under whatever runs on it


class Throw:
    """An answer to a trap that Trio wants to be thrown, not sent."""

    def __init__(self, error: BaseException) -> None:
        self.error = error


class Drivers:
    """The driving tasks of one loop, in its nursery ``home``."""

    def __init__(self) -> None:
        self.home: trio.Nursery
        #: Who has switched to the loop's greenlet last: the one to bring the answer to.  Not always the
        #: host itself: the user's code may use greenlets of its own.
        self.caller = greenlet.getcurrent()
        #: The greenlets in which tasks run the user's code.
        self.hosts: dict[trio.lowlevel.Task, greenlet.greenlet] = {}
        self._free_supervisors: list[Supervisor] = []
        #: What nobody was told of yet.
        self._orphaned: list[BaseException] = []

    @enable_ki_protection
    @types.coroutine
    def serve(self, target: greenlet.greenlet) -> Generator[Any, Any, Command]:
        """Drive ``target``: yield its traps to Trio, until it says that it is done with this driver."""
        message = None
        while True:
            trap = target.switch(message)
            target = self.caller
            if isinstance(trap, Command):
                if not isinstance(trap, Stay):
                    return trap
                yield from self._stay(trap)
                message = trap = None  # the test's context must not be kept alive
                continue
            try:
                message = yield trap
            except GeneratorExit:
                raise
            except BaseException as error:
                message = Throw(error)

    @enable_ki_protection
    async def _stay(self, stay: Stay) -> None:
        supervisor = stay.supervisor = await self.supervisor()
        supervisor.start_soon(self._drive_stay, stay, name=stay.name)
        if stay.is_cancelled:
            supervisor.cancel()
        # Below a user's task this is user code that runs outside: the task's cancel scopes count for it.
        await stay.ended.wait(stay.cancel)
        problem = await self.release(supervisor, stay.problem)
        orphaned, self._orphaned = self._orphaned, []
        stay.problem = join(_errors.ORPHANS_FAILED, problem, *orphaned)

    @enable_ki_protection
    async def _drive_stay(self, stay: Stay) -> None:
        task = stay.task = UserTask()
        self.hosts[task.task] = stay.host
        if stay.context is not None:
            task.task.context = stay.context
        try:
            await self.serve(stay.host)
            stay.problem = task.end()
        finally:
            del self.hosts[task.task]
            stay.ended.set()

    # ---------------------------------------------------------------- for lifetimes (task)

    @enable_ki_protection
    async def supervisor(self) -> Supervisor:
        """Return a supervisor for one user task.  A checkpoint if a new one has to be opened."""
        while self._free_supervisors:
            supervisor = self._free_supervisors.pop()
            if not supervisor.is_broken:
                return supervisor
            # By a task in its nursery that is not the one it was for.
            error = await supervisor.wait_broken()
            if error is not None:
                error.add_note(_errors.ORPHAN_NOTE)
                self._orphaned.append(error)
        supervisor = Supervisor()
        # The caller may be cancelled and still has something to tear down.
        with trio.CancelScope(shield=True):
            await self.home.start(supervisor.run)
        return supervisor

    @enable_ki_protection
    async def release(
        self, supervisor: Supervisor, problem: BaseException | None
    ) -> BaseException | None:
        """Take ``supervisor`` back after its user task has ended; return what it did wrong.

        ``problem`` is what is known already and explains what came out of a broken supervisor.
        """
        if not supervisor.is_broken:
            self._free_supervisors.append(supervisor)
            return problem
        error = await supervisor.wait_broken()
        return problem or error


async def kill(error: BaseException) -> None:
    """End the Trio run at once, by ``error``: Trio gives up when an abort function raises."""

    def fail(_raise_cancel: object) -> trio.lowlevel.Abort:
        raise error

    with trio.CancelScope() as cancel_scope:
        cancel_scope.cancel()
        await trio.lowlevel.wait_task_rescheduled(fail)
