"""The Trio side of the loop: tasks that drive greenlets.

A driver is a Trio task that lets a greenlet run, yields the traps of the greenlet's code to Trio, and
brings the answers back.  Everything here runs in the loop's greenlet.

Pinned by ``tests/test_loop.py``.
"""

from __future__ import annotations

import types
from collections.abc import AsyncGenerator, Generator
from contextvars import Context, copy_context
from functools import partial
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

    ``fixture`` is the generator of the fixture that lives in it; ``strand`` is the strand (``_strands``)
    whose code waits for it, ``None`` if that is the session's host.
    """

    fixture: AsyncGenerator[Any, None] | None = None
    strand: Any = None


def current_host() -> Host | None:
    """Return the greenlet of ours in which the caller runs, ``None`` for that of the session's host."""
    caller: greenlet.greenlet | None = greenlet.getcurrent()
    while caller is not None and not isinstance(caller, Host):
        caller = caller.parent  # the user's code may use greenlets of its own
    return caller


class Command:
    """What a host says to its driver, other than a trap for Trio."""


class Stay(Command):
    """Start a task of its own and let it drive the host from now on."""

    def __init__(self, host: greenlet.greenlet, name: str, context: Context | None) -> None:
        self.host = host
        self.name = name
        self.context = context
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


class Relay:
    """A stay, or several: the task of each passes the host on to that of the next.

    Else the driver below would have to be woken after each stay, which takes Trio as long as the rest.
    """

    def __init__(self, stay: Stay, *, is_relayed: bool, context: Context | None = None) -> None:
        self.is_relayed = is_relayed
        #: Of which the tasks between two stays get a copy.
        self.context = context
        self.ended = Flag()
        #: The stay at hand; ``None`` between two.
        self.stay: Stay | None = stay
        #: The host of the last one, which need not be that of the first.
        self.host = stay.host
        #: What the host has said between two stays, to the driver below.
        self.command: Command | None = None

    def begin(self, stay: Stay, supervisor: Supervisor) -> None:
        """Note the stay, and the supervisor of its task."""
        self.stay = stay
        self.host = stay.host
        stay.supervisor = supervisor
        if stay.is_cancelled:
            supervisor.cancel()

    def cancel(self) -> None:
        """Cancel the task of the stay at hand.  Not a checkpoint."""
        if self.stay is not None:
            self.stay.cancel()


END = Command()  # the host is done with this driver
CLOSE = Command()  # the main task shall end, and the loop with it
KILL = Command()  # the loop shall end under whatever runs on it


class Throw:
    """An answer to a trap that Trio wants to be thrown, not sent."""

    def __init__(self, error: BaseException) -> None:
        self.error = error


class Drivers:
    """The driving tasks of one loop, in its nursery ``home``."""

    def __init__(self, loops_greenlet: greenlet.greenlet) -> None:
        self.home: trio.Nursery
        #: Who has switched to the loop's greenlet last: the one to bring the answer to.  Not always the
        #: host itself: the user's code may use greenlets of its own.
        self.caller = greenlet.getcurrent()
        #: The greenlets in which tasks run the user's code.
        self.hosts: dict[trio.lowlevel.Task, greenlet.greenlet] = {}
        #: Where the drivers are that are not in the loop's greenlet: the user's code may have put its task's
        #: coroutine into a greenlet (``greenback.ensure_portal`` does).
        self.moved: dict[trio.lowlevel.Task, greenlet.greenlet] = {}
        self._greenlet = loops_greenlet
        self._free_supervisors: list[Supervisor] = []
        #: What nobody was told of yet.
        self._orphaned: list[BaseException] = []
        #: What was left in the nurseries of supervisors, which are used again all the same.
        self._left: dict[Supervisor, frozenset[trio.lowlevel.Task]] = {}

    @enable_ki_protection
    @types.coroutine
    def serve(
        self, target: greenlet.greenlet, *, returns_stays: bool = False
    ) -> Generator[Any, Any, Command]:
        """Drive ``target``: yield its traps to Trio, until it says that it is done with this driver.

        Or, with ``returns_stays``, until it wants another one.
        """
        message = None
        while True:
            if self.moved or greenlet.getcurrent() is not self._greenlet:
                self._note_where()
            trap = target.switch(message)
            target = self.caller
            if isinstance(trap, Command):
                if returns_stays or not isinstance(trap, Stay):
                    return trap
                yield from self._stay(Relay(trap, is_relayed=False))
                message = trap = None  # the test's context must not be kept alive
                continue
            try:
                message = yield trap
            except GeneratorExit:
                raise
            except BaseException as error:
                message = Throw(error)

    def _note_where(self) -> None:
        """Note in which greenlet the driver at hand is; what it drives ends there as well."""
        task = trio.lowlevel.current_task()
        driver = greenlet.getcurrent()
        if driver is not self._greenlet:
            self.moved[task] = driver
        elif self.moved.pop(task, None) is None:
            return
        host = self.hosts.get(task)
        if isinstance(host, Host):  # not the session's, which never ends
            host.parent = driver

    def drop(self, task: trio.lowlevel.Task) -> None:
        """Note that a task has ended that has driven a host."""
        del self.hosts[task]
        self.moved.pop(task, None)

    @enable_ki_protection
    async def serve_long(self, host: greenlet.greenlet, context: Context | None = None) -> Command:
        """Drive a host of many stays until it says that it is done, or that the loop shall end.

        With ``context`` the tasks between two stays begin in a copy of that, else in an empty one.
        """
        said: Command | None = None
        while True:
            if said is None:
                said = await self.serve(host, returns_stays=True)
            if not isinstance(said, Stay):
                return said
            relay = Relay(said, is_relayed=True, context=context)
            said = None  # as long as this waits, the test's context must not be kept alive
            await self._stay(relay)
            host, said = relay.host, relay.command
            del relay

    @enable_ki_protection
    async def _stay(self, relay: Relay) -> None:
        """Let a task of its own drive the host, and wait until the host comes back to this driver.

        If it is relayed it may come back much later, or with a command.
        """
        supervisor = self._free_supervisor()
        if supervisor is None:
            await self._drop_broken()
            supervisor = self._free_supervisor()
        if supervisor is not None:
            self._begin_stay(relay, supervisor)
        else:
            supervisor = Supervisor()
            begin = partial(copy_context().run, self._begin_stay, relay, supervisor)
            self.home.start_soon(supervisor.run, begin)
            del begin
        del supervisor
        # Below a user's task this is user code that runs outside: the task's cancel scopes count for it.
        await relay.ended.wait(relay.cancel)
        last, relay.stay = relay.stay, None
        if last is not None:
            assert last.supervisor is not None
            if last.supervisor.has_children():
                # Left there by the user's code; if they fail at once, this stay is told.
                await trio.lowlevel.cancel_shielded_checkpoint()
            await self._drop_broken()
            last.problem = await self.release(last.supervisor, last.problem)
            if self._orphaned:
                orphaned, self._orphaned = self._orphaned, []
                last.problem = join(_errors.ORPHANS_FAILED, last.problem, *orphaned)

    def _begin_stay(self, relay: Relay, supervisor: Supervisor) -> None:
        stay = relay.stay
        assert stay is not None
        relay.begin(stay, supervisor)
        supervisor.start_soon(self._drive_stay, relay, name=stay.name)

    @enable_ki_protection
    async def _drive_stay(self, relay: Relay) -> None:
        stay = relay.stay
        assert stay is not None
        task = stay.task = UserTask()
        self.hosts[task.task] = stay.host
        if stay.context is not None:
            task.task.context = stay.context
        is_passed_on = False
        try:
            await self.serve(stay.host)
            stay.problem = task.end()
            is_passed_on = relay.is_relayed and self._pass_on(relay, stay, task)
        finally:
            self.drop(task.task)
            if not is_passed_on:
                relay.ended.set()

    def _pass_on(self, relay: Relay, last: Stay, task: UserTask) -> bool:
        """Let a fresh task drive the host from the next step on, if all is in order.

        Until the next stay, whose task it becomes.
        """
        assert last.supervisor is not None
        if last.problem is not None or last.supervisor.is_broken or self._orphaned:
            return False
        if last.supervisor.has_children(besides=task.task):
            return False  # the driver below gives them the time to fail
        relay.stay = None
        start = partial(last.supervisor.start_soon, name="<between tests>")
        # In a context of its own, since it outlives the test.
        (relay.context or Context()).run(start, self._stand_by, relay, last.host, last.supervisor)
        return True

    @enable_ki_protection
    async def _stand_by(
        self, relay: Relay, host: greenlet.greenlet, supervisor: Supervisor
    ) -> None:
        said = await self.serve(host, returns_stays=True)
        if isinstance(said, Stay) and not supervisor.is_broken:
            trio.lowlevel.current_task().name = said.name
            relay.begin(said, supervisor)
            del said
            await self._drive_stay(relay)
        else:
            self._free_supervisors.append(supervisor)
            relay.command = said
            relay.ended.set()

    def orphans(self) -> frozenset[trio.lowlevel.Task]:
        """Return the tasks that the user's code has left in the nurseries around it."""
        left = {each: tasks & each.children for each, tasks in self._left.items()}
        self._left = {each: tasks for each, tasks in left.items() if tasks}
        return frozenset().union(*self._left.values())

    def _free_supervisor(self) -> Supervisor | None:
        """Return one that is there, and not broken, without waiting: most often there is one."""
        if self._free_supervisors and not self._free_supervisors[-1].is_broken:
            return self._free_supervisors.pop()
        return None

    # ---------------------------------------------------------------- for lifetimes (task)

    @enable_ki_protection
    async def supervisor(self) -> Supervisor:
        """Return a supervisor for one user task.  A checkpoint if a new one has to be opened."""
        await self._drop_broken()
        return self._free_supervisor() or await self._new_supervisor()

    async def _drop_broken(self) -> None:
        """Drop the supervisors that are next and were broken by a task they were not for."""
        while self._free_supervisors and self._free_supervisors[-1].is_broken:
            error = await self._free_supervisors.pop().wait_broken()
            if error is not None:
                error.add_note(_errors.ORPHAN_NOTE)
                self._orphaned.append(error)

    async def _new_supervisor(self) -> Supervisor:
        supervisor = Supervisor()
        is_ready = Flag()
        self.home.start_soon(supervisor.run, is_ready.set)
        await is_ready.wait()  # the caller may be cancelled and still has something to tear down
        return supervisor

    @enable_ki_protection
    async def release(
        self, supervisor: Supervisor, problem: BaseException | None
    ) -> BaseException | None:
        """Take ``supervisor`` back after its user task has ended; return what it did wrong.

        ``problem`` is what is known already and explains what came out of a broken supervisor.
        """
        if not supervisor.is_broken:
            if supervisor.has_children():
                self._left[supervisor] = supervisor.children
            self._free_supervisors.append(supervisor)
            return problem
        error = await supervisor.wait_broken()
        return problem or error
