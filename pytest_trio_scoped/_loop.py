"""The Trio run of a session, in a greenlet of its own.

pytest drives, Trio waits.  A coroutine is stepped in the greenlet that runs pytest's code (the *host*),
as any function is called there; only what it yields to Trio, its traps, travels to the loop's greenlet.
There a Trio task, the *driver* of this host, yields the trap to Trio and brings the answer back:

    loop's greenlet                                host greenlet
    a driver, a Trio task                          run(async_fn)
      trap = host.switch(answer)     <----------     trap = coro.send(answer)
      answer = yield trap            ---------->     ... until StopIteration: the value

So pytest's flow of control is a Trio task.  No trap, no switch; sync code at any depth can wait for the
loop; a traceback shows one ordinary stack.

Who drives whom:

- The main task drives the session's host until the first test.
- A *stay* is a stretch during which a task of its own drives the host, below a supervisor.  All user
  code runs in one, since a task that was left in disorder (a nursery never left) can't be mended: it
  has to end, and its supervisor catches what comes out of it.
- Between two stays a fresh task drives the host, which becomes the task of the second one.  If anything
  is out of order the main task does, which can't be hurt.
- A strand (``_strands``) is one more host beside the session's, driven by a task of its own.
- A lifetime (``_lifetime``) has a greenlet of its own, driven by a task of its own in the same way, so
  that sync code below a generator fixture can wait as well.

**Inside and outside.**  While pytest's own code runs, the loop stands in the middle of a task step.
The thread-wide signs of that are put aside whenever a host is outside (``_border``); Ctrl-C has a module
of its own (``_ctrl_c``), and so have the tasks (``_drivers``).

**The end of the loop.**  Close ends it in order.  It may also end by itself: an exception is raised in
Trio's run loop (by somebody's signal handler, say), or a system task crashes, upon which Trio cancels
everything.  Then every wait of a host raises LoopLost, and what lived on the loop is lost.

Pinned by ``tests/test_loop.py``.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator
from contextlib import AbstractContextManager
from contextvars import Context
from functools import partial
from types import FrameType
from typing import Any, NoReturn, Protocol, TypeVar

import greenlet
import outcome
import trio
import trio.testing  # pytest-trio imports it, and so not all who use it do
from trio.lowlevel import disable_ki_protection, enable_ki_protection

from . import _errors
from ._border import Border
from ._ctrl_c import CtrlC, Wait
from ._drivers import (
    CLOSE,
    END,
    KILL,
    Command,
    Drivers,
    Host,
    Stay,
    Throw,
    current_host,
)
from ._exceptions import is_foreign_file, join
from ._thread_state import ThreadState
from ._trio_names import CancelStatus, cancel_status, is_cancelled
from ._wreck import LoopLost, bury, kill, let_go

T = TypeVar("T")


class Closable(Protocol):
    """What lives on the loop."""

    def abandon(self) -> None:
        """End soon, although nobody waits for it.  Not a checkpoint."""

    def lose(self) -> None:
        """Unwind after the run has ended under it."""


class Loop:
    """The Trio run of a session, or of one test.

    ``run`` is ``trio.run``, or what shall be called in its place; it gets the clock.  ``strands`` is the
    set in which all strands of the session are while they are under way.

    Belongs to the thread that opened it.  Whoever calls a method marked *host* stands in a greenlet
    that is driven by this loop; a method marked *task* is called in the loop's greenlet.
    """

    def __init__(
        self,
        run: Callable[..., object] | None = None,
        *,
        clock: trio.abc.Clock | None = None,
        strands: set[Any] | None = None,
    ) -> None:
        self._run_trio = partial(run or trio.run, clock=clock)
        #: What it runs on, ``None`` for Trio's own.
        self.clock = clock
        self._thread = threading.get_ident()
        self._greenlet = greenlet.greenlet(self._run)
        self._switch: Callable[[object], Any] = self._greenlet.switch
        self._host = greenlet.getcurrent()
        self.ctrl_c = CtrlC(self._greenlet)
        self.drivers = Drivers(self._greenlet)
        self._border = Border(self.ctrl_c.handler)
        self._root_task: trio.lowlevel.Task | None = None
        self._system_nursery: trio.Nursery | None = None
        #: Of the main task.
        self._cancel_status: CancelStatus
        self._own_tasks: frozenset[trio.lowlevel.Task] = frozenset()
        #: What has to be abandoned if the loop is closed before it, the oldest first.
        self.live: dict[Closable, None] = {}
        self._result: outcome.Outcome[object] | None = None
        self.strands: set[Any] = set() if strands is None else strands
        #: Called when a host goes on while there are strands, with its strand.
        self.on_switch: Callable[[Any], object] | None = None

    # ---------------------------------------------------------------- open and close (host)

    @property
    def is_open(self) -> bool:
        """Whether the loop's greenlet has been started and has not ended."""
        return bool(self._greenlet)

    @property
    def root_task(self) -> trio.lowlevel.Task | None:
        """Trio's first task, above all others."""
        return self._root_task

    @property
    def is_wreck(self) -> bool:
        """Whether the Trio run has ended by itself."""
        return isinstance(self._result, outcome.Error)

    @property
    def is_inside(self) -> bool:
        """Whether the thread is inside: in Trio's state, in the middle of a task step."""
        return self._border.is_inside

    @enable_ki_protection
    def open(self) -> None:
        """Start the Trio run and stop it in the first step of its main task."""
        self._border.enter()
        try:
            self._greenlet.switch()
        finally:
            self._border.leave()
        if not self.is_open:
            raise self._lost()
        self._own_tasks = self.stray_tasks()
        self.ctrl_c.raise_if_requested(None)

    @enable_ki_protection
    def close(self, *, at_once: bool = False) -> None:
        """End the Trio run.

        What is live is abandoned: torn down in a cancelled scope.  With ``at_once`` nothing is waited
        for, not even that.

        Raises what came out of the run, which is nothing unless Trio itself failed, and
        KeyboardInterrupt if Ctrl-C came meanwhile.
        """
        if self.is_open:
            self.check_caller()
            self._border.enter()
            try:
                self._hop(KILL if at_once else CLOSE)
            finally:
                self._border.leave()
        if at_once:
            return
        error = self._result.error if isinstance(self._result, outcome.Error) else None
        self.ctrl_c.raise_if_requested(error)
        if error is not None:
            raise error

    def _lost(self) -> LoopLost:
        reason = self._result.error if isinstance(self._result, outcome.Error) else None
        error = LoopLost(_errors.LOOP_IS_LOST.format(reason=reason or "it was closed"))
        error.__cause__ = reason
        return error

    def lose_live(self) -> None:
        """Unwind what is live after the run has ended by itself, the newest first."""
        for closable in reversed(self.live):
            with contextlib.suppress(Exception):
                closable.lose()

    def bury(self) -> None:
        """Clean up what is left of a run that ended by itself, after :meth:`lose_live`."""
        root, self._root_task = self._root_task, None
        self._system_nursery = None
        if root is not None:
            bury(root)

    def stray_tasks(self) -> frozenset[trio.lowlevel.Task]:
        """Return the tasks that nobody waits for: system tasks, and those that others have left."""
        if self._system_nursery is None:
            return frozenset()
        return (self._system_nursery.child_tasks - self._own_tasks) | self.drivers.orphans()

    # ---------------------------------------------------------------- strands (host)

    @property
    def strand(self) -> Any:
        """The strand to which the calling code belongs, ``None`` if that is the session's host."""
        if not self.strands:
            return None
        host: Any = greenlet.getcurrent()
        if type(host) is not Host:  # most callers are in one
            host = current_host()
        strand = None if host is None else host.strand
        # In a session within a fixture the caller may stand in a strand of the outer one's loop.
        return strand if strand is not None and strand.loop is self else None

    def add_strands(self, strands: Iterable[Any]) -> None:
        """Note that strands begin."""
        self.strands.update(strands)
        self._switch = self._switch_among_strands

    def drop_strands(self, strands: Iterable[Any]) -> None:
        """Note that strands have ended."""
        self.strands.difference_update(strands)

    def _switch_among_strands(self, message: object) -> Any:
        left = self._border.left
        try:
            return self._present_driver().switch(message)
        finally:
            self._border.left = left
            if self.on_switch is not None:
                self.on_switch(self.strand)

    def _present_driver(self) -> greenlet.greenlet:
        """Return the greenlet in which the driver of the caller, who is inside, waits for it."""
        moved = self.drivers.moved
        return moved.get(trio.lowlevel.current_task(), self._greenlet) if moved else self._greenlet

    @property
    def left(self) -> ThreadState:
        """What the caller, who is inside, has left outside."""
        return self._border.left

    @enable_ki_protection
    def call_outside(self, function: Callable[[], object], left: ThreadState) -> None:
        """Call ``function``, which is all of a strand, outside, where ``left`` is; be inside at the end."""
        __tracebackhide__ = True
        self._border.left = left
        self._border.leave()
        try:
            function()
        finally:
            self.come_inside()

    def come_inside(self) -> None:
        """Be inside from now on, also if Ctrl-C has kept the caller from it, unless the loop has ended."""
        if self._greenlet:
            self._border.enter()

    # ---------------------------------------------------------------- inside and outside (host)

    def outside(self) -> AbstractContextManager[None]:
        """Run the block outside, wherever the caller is."""
        return self._border.outside()

    def inside(self) -> AbstractContextManager[None]:
        """Run the block, sync code of ours, inside, wherever the caller is."""
        return self._border.inside()

    @contextlib.contextmanager
    @enable_ki_protection
    def shielded(self) -> Iterator[None]:
        """Run the block where no cancellation by others than the block itself counts, but for Ctrl-C's.

        For what has to be torn down although somebody has been cancelled.
        """
        strand = self.strand
        cancel_scope = trio.CancelScope(shield=True) if self.is_inside and self._greenlet else None
        if cancel_scope is not None:
            cancel_scope.__enter__()
        if strand is not None:
            strand.shields += 1
        try:
            yield
        finally:
            if strand is not None:
                strand.shields -= 1
            if cancel_scope is not None and self._greenlet:
                cancel_scope.__exit__(None, None, None)

    # ---------------------------------------------------------------- Ctrl-C

    def take_sigint(self) -> None:
        """Handle Ctrl-C again after somebody inside has taken it and is done with it."""
        self._border.take_sigint()

    def run_soon(self, function: Callable[[], object]) -> None:
        """Call ``function`` in the next step of the loop, if there is one.  In any thread."""
        self.ctrl_c.run_soon(function)

    def may_raise_in(self, frame: FrameType | None) -> bool:
        """Say whether a signal handler called in ``frame`` may raise: in no code of Trio's or ours."""
        if self._border.is_inside:
            return self.ctrl_c.may_raise_in(frame)
        return frame is None or not is_foreign_file(frame.f_code.co_filename)

    # ---------------------------------------------------------------- run (host)

    @enable_ki_protection
    def run(
        self,
        async_fn: Callable[..., Awaitable[T]],
        *args: object,
        name: str,
        context: Context | None = None,
    ) -> T:
        """Run the user's ``async_fn(*args)`` in the calling greenlet and return its value.

        From outside it runs in a task of its own, called ``name``; from inside, in the task that drives
        the caller.  With ``context`` the code runs in that context, else in the caller's own.

        Raises what the function raises, and KeyboardInterrupt if Ctrl-C came while it waited.
        """
        __tracebackhide__ = True
        self.check_caller()
        host = greenlet.getcurrent()
        previous_context = host.gr_context
        if self._border.is_inside:
            try:
                if context is not None:
                    host.gr_context = context
                return self.step(unprotected(async_fn, *args))
            finally:
                host.gr_context = previous_context
        stay = Stay(host, name, context)
        value: T
        error: BaseException | None = None
        self._border.enter()
        try:
            waits = self.ctrl_c.begin(stay, self.strand if self.strands else None)
            self._hop(stay)
            if context is not None:
                host.gr_context = context
            try:
                value = self.step(unprotected(async_fn, *args))
            except BaseException as raised:
                error = _without_last_frame(raised)
            host.gr_context = previous_context
            waits.pop()
            self._hop(END)
            self._end_if_broken_down()
        finally:
            self._border.leave()
        if stay.problem is not None:
            error = join(f"errors in {name} and in the task it ran in", error, stay.problem)
        if error is not None or self.ctrl_c.is_requested or not self._greenlet:
            self._raise(error)
        return value

    @enable_ki_protection
    def wait_for(
        self, wait: Wait, async_fn: Callable[..., Coroutine[Any, Any, T]], *args: object
    ) -> T:
        """Run ``async_fn(*args)``, code of ours that can't do harm, on the caller's present driver.

        Ctrl-C cancels ``wait``; ``async_fn`` has to come to an end then.
        """
        __tracebackhide__ = True
        self.check_caller()
        if self._border.is_inside:
            waits = self.ctrl_c.begin(wait, self.strand if self.strands else None)
            try:
                return self.step(async_fn(*args))
            finally:
                waits.pop()
        value: T
        error: BaseException | None = None
        self._border.enter()
        try:
            waits = self.ctrl_c.begin(wait, self.strand if self.strands else None)
            try:
                value = self.step(async_fn(*args))
            except BaseException as raised:
                error = _without_last_frame(raised)
            waits.pop()
            self._end_if_broken_down()
        finally:
            self._border.leave()
        if error is not None or self.ctrl_c.is_requested or not self._greenlet:
            self._raise(error)
        return value

    def _end_if_broken_down(self) -> None:
        """Let the loop end if the main task is cancelled, which it is only if Trio is breaking down.

        A crash of somebody's system task does that.
        """
        strand = self.strand if self.strands else None
        if strand is not None and not strand.is_long:
            return  # whoever waits for the strands will come here
        if self.ctrl_c.waits_of(strand) or not self._greenlet:
            return  # with waits the driver is a stay, and whoever waits for that will come here
        if is_cancelled(self._cancel_status):
            self._hop(CLOSE)  # from a strand: it is not driven any more, until it is unwound

    def _raise(self, error: BaseException | None) -> NoReturn:
        """Raise what there is to be raised, outside: Ctrl-C first, then the end of the loop."""
        __tracebackhide__ = True
        self.ctrl_c.raise_if_requested(error)
        if not self._greenlet:
            raise self._lost()
        strand = self.strand
        if strand is not None and strand.is_long and strand.is_interrupted:
            # Its task may have been about to go on, and has been cancelled only.
            strand.is_interrupted = False
            if not isinstance(error, KeyboardInterrupt):
                raise KeyboardInterrupt from error
        assert error is not None
        raise error

    def check_caller(self) -> None:
        """Raise an error if the loop can't be waited for here.

        That is RuntimeError in another thread and in a task on the loop itself, LoopLost if the loop
        has ended.
        """
        caller: greenlet.greenlet | None = greenlet.getcurrent()
        if caller is self._host and self._greenlet:
            return  # most callers; a greenlet belongs to a thread
        if threading.get_ident() != self._thread:
            raise RuntimeError(_errors.AWAIT_WITHOUT_RUN)
        if not self._greenlet:
            raise self._lost()
        # Nor in a greenlet that a task on the loop has started.
        while caller is not None and not isinstance(caller, Host):
            if caller is self._greenlet:
                raise RuntimeError(_errors.AWAIT_IN_TASK)
            caller = caller.parent

    @enable_ki_protection
    def step(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Step ``coroutine`` in the calling greenlet, on the task that drives it, to its end."""
        __tracebackhide__ = True
        answer: Any = None
        try:
            while True:
                if type(answer) is Throw:
                    trap = coroutine.throw(answer.error)
                else:
                    trap = coroutine.send(answer)
                answer = self._hop(trap)
        except StopIteration as stop:
            value: T = stop.value
            return value

    def _hop(self, message: object) -> Any:
        """Switch to the loop's greenlet with a trap or a command; return the answer.

        When the loop has ended, the answer is to unwind, as it is to a greenlet that is thrown away.
        """
        if not self._greenlet:
            return Throw(greenlet.GreenletExit())
        if not self._border.is_inside:
            self._border.enter()  # Ctrl-C kept somebody from coming back inside
        self.drivers.caller = greenlet.getcurrent()
        switch = self._switch_among_strands if self.drivers.moved else self._switch
        try:
            answer = switch(message)
        except greenlet.GreenletExit as error:
            return Throw(error)
        return Throw(greenlet.GreenletExit()) if answer is CLOSE else answer

    # ---------------------------------------------------------------- the loop's greenlet (task)

    @enable_ki_protection
    def _run(self) -> Command:
        self._result = outcome.capture(self._run_trio, self._main)
        if isinstance(self._result, outcome.Error):
            let_go(self._result.error)
        # Whoever waits is told, which is not always who has made this greenlet.  The body of a lifetime
        # can't be, as its parent is this greenlet; then it is the host that waits for the lifetime.
        with contextlib.suppress(ValueError):
            self._greenlet.parent = self.drivers.caller
        return CLOSE

    @enable_ki_protection
    async def _main(self) -> None:
        self.ctrl_c.token = trio.lowlevel.current_trio_token()
        self._root_task = trio.lowlevel.current_root_task()
        self._system_nursery = trio.lowlevel.spawn_system_task(_nothing).parent_nursery
        self._cancel_status = cancel_status(trio.lowlevel.current_task())
        async with trio.open_nursery() as self.drivers.home:
            try:
                if await self.drivers.serve_long(self._host) is KILL:
                    await kill(KeyboardInterrupt())
            finally:
                for closable in reversed(self.live):
                    closable.abandon()
                self.drivers.home.cancel_scope.cancel()


def _without_last_frame(error: BaseException) -> BaseException:
    """Return ``error``, which is about to be raised once more in the function that has caught it."""
    assert error.__traceback__ is not None
    return error.with_traceback(error.__traceback__.tb_next)


async def _nothing() -> None:
    """Tell, by the task that it is, where system tasks are."""


@disable_ki_protection
async def unprotected(async_fn: Callable[..., Awaitable[T]], *args: object) -> T:
    """The root of all user code in a host: below it Ctrl-C is raised on the spot."""
    __tracebackhide__ = True
    return await async_fn(*args)
