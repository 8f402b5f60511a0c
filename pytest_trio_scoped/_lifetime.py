"""One fixture instance that needs a task of its own, from set-up begun to tear-down finished.

A fixture that yields may hold a nursery or a cancel scope open across its ``yield``, and Trio demands
that it be left in the task that entered it.  The same goes for a fixture that owns a nursery.  So such a
fixture has a task of its own for its whole life, below a supervisor of its own.  Its body is stepped in
a greenlet that this task drives, so that sync code in it can wait for the loop as a host can.

While the fixture is live its task waits for the end, *inside* whatever the fixture has entered.  If that
is cancelled (a background task has crashed, or somebody cancelled the fixture's own scope), the wait
ends with Cancelled.  Then the fixture's users are still there, so the tear-down has to wait all the
same; only then Cancelled is thrown into the fixture where it yielded, as Trio would have done, and its
nursery can raise what really happened.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextvars import Context, copy_context
from typing import Any

import greenlet
import outcome
import trio
from trio.lowlevel import enable_ki_protection

from ._contexts import Changes, Layers
from ._drivers import END, Host
from ._exceptions import join
from ._loop import Loop, unprotected
from ._nursery import own_nursery
from ._states import Event, State, next_state
from ._supervisor import Flag, Supervisor
from ._user_task import UserTask

#: The body of a fixture: an async generator that yields its value once.
Body = AsyncGenerator[Any, None]


class Lifetime:
    """One fixture instance with a task of its own.

    ``make_body`` is called in the fixture's own context and task, and takes the nursery that the
    fixture owns, or ``None`` if ``has_nursery`` is false.  ``on_crash`` is called on the loop when the
    live fixture is cancelled from within.  ``owner`` is what whoever made it knows it by.
    """

    def __init__(
        self,
        loop: Loop,
        name: str,
        make_body: Callable[[trio.Nursery | None], Body],
        *,
        has_nursery: bool,
        on_crash: Callable[[Lifetime], None] | None = None,
        owner: object = None,
    ) -> None:
        self.name = name
        self.owner = owner
        self.state = State.NEW
        self.loop = loop
        self._make_body = make_body
        self._has_nursery = has_nursery
        self._on_crash = on_crash
        self._body: Host | None = None
        #: Whose code waits for the body's.
        self._strand: Any = None
        self._before = copy_context()
        #: The fixture's own, in which its set-up and its tear-down run.
        self.context = self._before.copy()
        self._changes: Changes | None = None
        self._supervisor: Supervisor | None = None
        self._task: UserTask | None = None
        self._is_cancelled = False
        #: Whether it was to end when it had just been set up.
        self._is_given_up = False
        #: Whether its set-up was cancelled when it was about to end well.
        self.was_cancelled = False
        self._opened = trio.Event()
        self._closing = trio.Event()
        self._ended = Flag()
        self._value: Any = None
        #: What the fixture raised, in its set-up or its tear-down.
        self.error: BaseException | None = None

    # ---------------------------------------------------------------- host

    def open(self, *contexts: Context | Layers) -> Any:
        """Set the fixture up and return its value; set what it changed in ``contexts``.

        Raises what the set-up raises.  The fixture has ended then.
        """
        __tracebackhide__ = True
        self._take(Event.OPEN)
        if self.loop.strands:
            self._strand = self.loop.strand
        try:
            self.loop.wait_for(self, self._open)
        except BaseException as error:
            if self._is_up:  # Ctrl-C came, but the set-up paid no heed
                try:
                    with self.loop.shielded():
                        self.close()
                except BaseException as error_in_tear_down:
                    raise error from error_in_tear_down
            elif self._is_given_up and self._has_error_of_its_own and self.error is not error:
                raise error from self.error
            raise
        if self.state is State.CLOSED:
            assert self.error is not None
            raise self.error
        self._belongs_to(None)
        self._changes = Changes(self._before, self.context)
        self._changes.apply(*contexts)
        return self._value

    def close(self) -> None:
        """Tear the fixture down, unless that has been done.

        Raises what the tear-down, or the fixture's background tasks before it, raised.
        """
        __tracebackhide__ = True
        if self.state in (State.CLOSED, State.LOST):
            return
        self._take(Event.CLOSE)
        if self.loop.strands:
            self._belongs_to(self.loop.strand)
        try:
            self.loop.wait_for(self, self._close)
        finally:
            if self._changes is not None:
                self._changes.undo()
        if self.error is not None:
            raise self.error

    def lose(self) -> None:
        """Unwind the body after the loop has ended: what it can clean up without waiting, it does.

        Raises what the body raises of its own.
        """
        if self.state in (State.CLOSED, State.LOST):
            return
        self._take(Event.LOSE)
        if self._changes is not None:
            self._changes.undo()
        if self._body is not None and not self._body.dead:
            self._body.parent = greenlet.getcurrent()  # its own, the loop's greenlet, is dead
            self._body.throw(greenlet.GreenletExit)
        # What is left must not keep the dead run alive.
        self._body = self._supervisor = self._task = None
        if self.error is not None and not isinstance(self.error, greenlet.GreenletExit):
            raise self.error

    def interrupt(self) -> None:
        """Raise KeyboardInterrupt where the set-up or tear-down waits.  Not a checkpoint."""
        if self._task is not None and not self._is_up:
            self._task.interrupt()

    def cancel(self) -> None:
        """Cancel whatever the fixture waits for in its set-up or tear-down.  Not a checkpoint.

        A set-up that pays no heed is followed by the tear-down at once: its scope is cancelled for good.
        """
        if self.state is State.OPENING:
            self._closing.set()
        if not self._is_up:
            self._cancel_task()

    @property
    def has_background_tasks(self) -> bool:
        """Whether tasks run in a nursery that the fixture holds open."""
        return self._task is not None and self._task.has_children

    @property
    def _is_up(self) -> bool:
        """Whether its set-up has ended well and its tear-down has not begun."""
        return self.state in (State.LIVE, State.CRASHED)

    @property
    def _has_error_of_its_own(self) -> bool:
        """Whether it has raised something beside what it was cancelled with."""
        return self.error is not None and not isinstance(self.error, trio.Cancelled)

    def _cancel_task(self) -> None:
        self._is_cancelled = True
        if self._supervisor is not None:
            self._supervisor.cancel()

    def abandon(self) -> None:
        """Let the fixture be torn down, at once or when it is set up.  Not a checkpoint."""
        if self._is_up:
            self._take(Event.CLOSE)
        self._closing.set()

    def _belongs_to(self, strand: Any) -> None:
        self._strand = strand
        if self._body is not None:
            self._body.strand = strand

    def _take(self, event: Event) -> None:
        self.state = next_state(self.state, event)

    async def _open(self) -> None:
        supervisor = self._supervisor = await self.loop.drivers.supervisor()
        supervisor.start_soon(self._drive, name=self.name)
        if self._is_cancelled:
            self._cancel_task()
        given_up: BaseException | None = None
        try:
            await self._opened.wait()
        except trio.Cancelled as cancelled:
            given_up = cancelled
        if given_up is not None:
            if not self._is_up:
                self._cancel_task()  # outside of the handler, whose exception would become a context
            self.abandon()
        if not self._is_up:  # its set-up has failed, or has been given up
            await self._end()
        if given_up is None:
            return
        if self._has_error_of_its_own:
            given_up = self.error
        assert given_up is not None
        try:
            raise given_up
        finally:
            del given_up  # else it would hold itself, by this frame

    async def _close(self) -> None:
        self._closing.set()
        await self._end()

    async def _end(self) -> None:
        await self._ended.wait()
        assert self._supervisor is not None
        supervisor, self._supervisor = self._supervisor, None
        self.error = await self.loop.drivers.release(supervisor, self.error)

    # ---------------------------------------------------------------- task

    @enable_ki_protection
    async def _drive(self) -> None:
        task = trio.lowlevel.current_task()
        user_task = self._task = UserTask()
        body = self._body = Host(self._run)
        body.strand = self._strand
        body.gr_context = task.context = self.context
        self.loop.drivers.hosts[task] = body
        try:
            await self.loop.drivers.serve(body)
            self.error = join(f"errors in {self.name}", self.error, user_task.end())
        finally:
            self.loop.live.pop(self, None)
            self.loop.drivers.drop(task)
            self._opened.set()
            self._ended.set()
            self._take(Event.END)

    @enable_ki_protection
    def _run(self, _message: object) -> Any:
        result = outcome.capture(self.loop.step, self._live())
        if isinstance(result, outcome.Error):
            self.error = result.error
        return END

    async def _live(self) -> None:
        if self._has_nursery:
            async with own_nursery() as nursery:
                await self._live_with(self._make_body(nursery))
        else:
            await self._live_with(self._make_body(None))

    async def _live_with(self, body: Body) -> None:
        try:
            self._value = await unprotected(body.asend, None)
        except StopAsyncIteration:
            raise NoYield from None
        self.loop.live[self] = None
        assert self._body is not None
        self._body.fixture = body
        self._take(Event.YIELD)
        self.was_cancelled = self._is_cancelled
        if self._closing.is_set():  # who asked for it has given up meanwhile
            self._is_given_up = True
            self._take(Event.CLOSE)
        self._opened.set()
        reason: BaseException | None = None
        try:
            await self._closing.wait()
        except trio.Cancelled as error:
            reason = error
            self._take(Event.CANCELLED)
            if self.state is State.CRASHED and self._on_crash is not None:
                self._on_crash(self)
            with trio.CancelScope(shield=True):
                await self._closing.wait()
        except greenlet.GreenletExit as error:
            reason = error
        await unprotected(_finish, body, reason)
        if self._is_given_up and reason is not None:
            raise reason  # who waits for the set-up has to be told, also if the body swallows it


async def _finish(body: Body, reason: BaseException | None) -> None:
    try:
        if reason is None:
            await body.asend(None)
        else:
            await body.athrow(reason)
    except StopAsyncIteration:
        return
    try:
        await body.aclose()
    except BaseExceptionGroup as group:  # a nursery around the second yield wraps what closes it
        _, rest = group.split(GeneratorExit)
        if rest is not None:
            raise rest from None
    raise SecondYield


class NoYield(Exception):
    """The body of a fixture ended where it should have yielded."""


class SecondYield(Exception):
    """The body of a fixture yielded where it should have ended."""
