"""The one mutable object of a pytest session.

It owns the loop and knows what lives on it.  ``trio`` and ``greenlet`` are imported when the loop is
opened, at the first async need: a suite without Trio tests never pays for them.
"""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import pytest

from . import _errors
from ._alarms import Alarms
from ._pytest_names import active_fixture, fixture_of, has_tear_down, item_of
from ._settings import Settings
from ._stderr import Stderr

if TYPE_CHECKING:
    import trio

    from ._contexts import Layers
    from ._loop import Loop
    from ._strands import Strand
    from ._wreck import LoopLost

T = TypeVar("T")

KEY = pytest.StashKey["TrioSession"]()


class _Running(threading.local):
    """The sessions that run in this thread, the innermost last.

    The one global of this package.  ``await_`` is called from the user's sync code, which has no
    config at hand; sessions nest (a suite that tests a plugin runs pytest in-process).  It is written
    at the start and the end of a run only.
    """

    def __init__(self) -> None:
        self.sessions: list[TrioSession] = []


_running = _Running()


class Crashes(Protocol):
    """What is told about fixtures that die while tests use them (``_crashes``)."""

    def notice(self, fixturedef: Any, request: Any, lifetime: Any) -> None: ...
    def call(self, item: pytest.Function, function: Callable[[], Any]) -> Any: ...
    def set_up(self, fixturedef: Any, request: Any, function: Callable[[], Any]) -> Any: ...
    def required(self, fixturedef: Any) -> set[Any]: ...
    def tell_cancelled(self) -> list[BaseException]: ...
    def tear_down(self, fixturedef: Any, function: Callable[[], Any]) -> Any: ...
    def lose(self, lost: LoopLost, *, is_own: bool) -> BaseException: ...
    def notice_nursery(self, lifetime: Any, strand: Strand | None) -> None: ...
    def asks_for(self, fixturedef: Any, request: Any, required: Any) -> None: ...
    def uses(self, item: object, wanted: Any) -> bool: ...
    def is_unswept(self, fixturedef: Any) -> bool: ...
    def sweep_and_raise(self) -> None: ...
    def begin(self, item: Any) -> None: ...
    def closed(self, lifetime: Any, raised: BaseException | None) -> BaseException | None: ...


class LoopChoice:
    """What is asked before a loop is used for a test; as it stands, all tests are on one loop."""

    def for_set_up(self, fixturedef: Any, request: Any) -> None:
        """Choose the loop for a fixture that is about to be set up inside."""

    def is_open(self, item: pytest.Function) -> bool:
        """Say whether the test may get another loop than the session's."""
        return False

    def for_call(self, item: pytest.Function) -> None:
        """Choose the loop for a test that is about to run inside."""

    def for_request(self, request: pytest.FixtureRequest) -> None:
        """Prepare a request that code inside gets as an argument."""


class Others:
    """The other tests in flight; as it stands, there are none."""

    #: Whether tests overlap at all in this run.
    are_in_run = False

    @property
    def may_be(self) -> bool:
        """Whether others may be in flight beside the test at hand."""
        return False

    def out_of(self, fixturedef: Any, node: Any) -> AbstractContextManager[bool]:
        """Keep them out of a fixture that has crashed, in a block; it gets whether that is the caller's task.

        If the caller uses the fixture, first wait until those have come here, or have ended, that use it too.
        If it does not, it is the task of those; or of who tears ``node`` down, to which the fixture belongs.
        """
        return nullcontext(True)

    def have_turn(self, strand: Strand | None) -> bool:
        """Say whether others than the test in ``strand`` keep the thread.  In any thread."""
        return False


class TimeLimit:
    """Who knows of limits; as it stands, there is none."""

    def explain(self, error: BaseException) -> BaseException:
        """Return what to raise in place of ``error``, which may be a cancellation."""
        return error

    def exceeded(self) -> BaseException | None:
        """Return what the phase at hand fails with if it has exceeded its limit."""
        return None


class TrioSession:
    """What this plugin knows about one pytest session.

    ``make_crashes`` is called when the loop is opened for the first time.
    """

    def __init__(self, settings: Settings, make_crashes: Callable[[TrioSession], Crashes]) -> None:
        self.is_trio_mode = settings.is_trio_mode
        self.crashes: Crashes
        self._make_crashes = make_crashes
        self._loop: Loop | None = None
        self._own_loop: Loop | None = None
        #: Those that are under way, on any loop of the session.
        self.strands: set[Strand] = set()
        self._layers: Layers
        #: Started and opened by those who need them, closed by :meth:`close`.
        self.alarms = Alarms()
        self.stderr = Stderr()
        #: Who decides which test gets a loop of its own.
        self.choice = LoopChoice()
        #: Who cancels what takes too long.
        self.time_limit = TimeLimit()
        #: What is called in place of a sync test that runs inside; it takes the test and its function.
        self.time_sync_test: Callable[[pytest.Function, Callable[..., Any]], Callable[..., Any]] = (
            lambda _, function: function
        )
        #: What is called in place of a sync test that runs in a thread, ``None`` for all others.
        self.thread_twin: Callable[
            [pytest.Function, Callable[..., Any]], Callable[..., Any] | None
        ] = lambda *_: None
        #: Sets up what a planned order puts before the fixtures that a test has at a node.
        self.set_up_ahead: Callable[[Any, Any], None] | None = None
        #: What is called with a fixture that another one has got with ``request.getfixturevalue``.
        self.note_late: Callable[[pytest.FixtureDef[Any]], None] = lambda _: None
        #: Who runs tests at the same time.
        self.others = Others()
        #: The live fixtures whose users run inside, with the request of each, the oldest first: async
        #: ones, and those that depend on one.
        self.inside_fixtures: dict[pytest.FixtureDef[Any], pytest.FixtureRequest] = {}
        #: What Ctrl-C has kept from being torn down: by node, the names of fixtures.
        self.abandoned: dict[str, list[str]] = {}

    @property
    def loop(self) -> Loop:
        """The loop of the test at hand if it has one of its own, else the session's.

        That one is opened if need be.
        """
        if self._own_loop is not None:
            return self._own_loop
        if self._loop is None:
            from ._loop import Loop

            self._prepare_crashes()
            self._loop = Loop(strands=self.strands)
            self._loop.ctrl_c.on_kill = self._abandon_inside
            self._loop.open()
        return self._loop

    def _prepare_crashes(self) -> None:
        if not hasattr(self, "crashes"):
            from ._contexts import Layers, own_context

            self._layers = Layers(own_context())
            self.crashes = self._make_crashes(self)

    @property
    def strand(self) -> Strand | None:
        """The strand to which the calling code belongs, ``None`` if that is the session's host."""
        # Asked a dozen times by each test.
        if not self.strands:
            return None
        loop = self._own_loop or self._loop
        return None if loop is None else loop.strand

    @property
    def layers(self) -> Layers:
        """What fixtures have changed in the context in which pytest itself runs; there has to be a loop.

        For a strand, in that of the strand.
        """
        strand = self.strand
        return self._layers if strand is None else strand.layers

    @property
    def present_loop(self) -> Loop | None:
        """The same, if it has been opened."""
        return self._own_loop or self._loop

    @property
    def has_loop(self) -> bool:
        """Whether there is a loop by now."""
        return self._loop is not None or self._own_loop is not None

    @property
    def own_loop(self) -> Loop | None:
        """The loop of the test at hand if it has one of its own."""
        return self._own_loop

    @property
    def is_inside(self) -> bool:
        """Whether the thread is inside the loop of the test at hand."""
        return self.has_loop and self.loop.is_inside

    def outside(self) -> AbstractContextManager[None]:
        """Run a block outside, wherever the caller is."""
        return self.loop.outside() if self.is_inside else nullcontext()

    def open_own_loop(self, loop: Loop) -> None:
        """Let ``loop`` be the loop until :meth:`close_own_loop`.

        Raises LoopLost if it could not be opened.
        """
        self._prepare_crashes()
        self._own_loop = loop
        loop.ctrl_c.on_kill = self._abandon_inside
        try:
            loop.open()
        finally:
            if not loop.is_open:
                self._own_loop = None

    def close_own_loop(self) -> None:
        """Close what :meth:`open_own_loop` opened, unless it has been closed or lost.

        Raises what came out of the run.
        """
        loop, self._own_loop = self._own_loop, None
        if loop is not None:
            _close(loop, at_once=False)

    def is_current_run(self) -> bool:
        """Say whether the caller is called by the Trio run of the loop of the test at hand."""
        import trio

        if not self.has_loop or not trio.lowlevel.in_trio_run():
            return False
        return trio.lowlevel.current_trio_token() is self.loop.ctrl_c.token

    def open_loop(self) -> None:
        """Open the loop if there is none."""
        self.loop  # noqa: B018

    def let_loop_settle(self) -> None:
        """Let the tasks of the loop take a few steps."""

        async def settle() -> None:
            import trio

            for _ in range(10):
                await trio.lowlevel.checkpoint()

        from ._wreck import LoopLost

        try:
            self.loop.run(settle, name="settle")
        except LoopLost as lost:
            raised = self.lose_loop(lost)
        else:
            return
        raise raised

    def stray_tasks(self) -> frozenset[trio.lowlevel.Task]:
        """Return the tasks on the session's loop, if there is one, that nobody waits for."""
        return frozenset() if self._loop is None else self._loop.stray_tasks()

    def note_get(self, request: pytest.FixtureRequest, argname: str) -> None:
        """Note what a fixture has got with ``request.getfixturevalue``."""
        fixturedef = fixture_of(request)
        if self._loop is None or fixturedef is None:
            return
        required = active_fixture(item_of(request), argname)
        if required is not None:
            self.crashes.asks_for(fixturedef, request, required)
            self.note_late(required)

    def lose_loop(self, lost: LoopLost) -> BaseException:
        """Let go of a loop that has ended by itself; return what to tell the test at hand."""
        own = self._own_loop
        is_own = own is not None and not own.is_open
        if not is_own and (self._loop is None or self._loop.is_open):
            return self.time_limit.explain(lost.reason())  # another strand has come here before
        reason = self.crashes.lose(lost, is_own=is_own)
        lost.__traceback__ = None
        if is_own:
            loop, self._own_loop = own, None
        else:
            loop, self._loop = self._loop, None
        if loop is not None:
            loop.bury()
        return reason

    def abandon(
        self, fixtures: Iterable[tuple[pytest.FixtureDef[Any], pytest.FixtureRequest]]
    ) -> None:
        """Note those that are left as they are, as far as they have something to tear down."""
        for fixturedef, request in fixtures:
            name = fixturedef.argname
            names = self.abandoned.setdefault(request.node.nodeid or "session", [])
            if has_tear_down(fixturedef) and name not in names:
                names.append(name)

    def _abandon_inside(self) -> None:
        self.abandon(self.inside_fixtures.items())

    def start(self) -> None:
        """Make this the session whose loop ``await_`` uses in this thread."""
        _running.sessions.append(self)

    def finish(self, *, at_once: bool = False) -> None:
        """Close the loops; the end of what :meth:`start` began.

        With ``at_once``, without waiting for anything: the user has had enough.
        """
        if self not in _running.sessions:
            return
        _running.sessions.remove(self)
        own, self._own_loop = self._own_loop, None
        try:
            if own is not None:
                _close(own, at_once=at_once)
        finally:
            if self._loop is not None:
                _close(self._loop, at_once=at_once)

    def close(self) -> None:
        """Finish, if that was missed, and give back what is left."""
        try:
            self.finish()
        finally:
            self.alarms.close()
            self.stderr.close()


def _close(loop: Loop, *, at_once: bool) -> None:
    try:
        loop.close(at_once=at_once)
    finally:
        if loop.is_wreck:
            loop.lose_live()
            loop.bury()


def await_(awaitable: Awaitable[T]) -> T:
    """Wait for ``awaitable`` on the session's loop, from sync code in pytest's thread.

    For sync tests, sync fixtures, finalizers, hooks during the run, the pdb prompt, and sync functions
    called by an async test or fixture.  Below an async test or fixture it waits in the task of that
    test or fixture, so its cancel scopes and deadlines count; elsewhere it waits in a task of its own.

    It is a checkpoint wherever the awaitable is one.  While it waits, background tasks of live
    fixtures run.

    Args:
        awaitable: What could stand behind ``await``.

    Returns:
        What ``await`` would return.

    Raises:
        TypeError: ``awaitable`` is none.
        RuntimeError: There is no run in progress in this thread, or the caller is called by a Trio
            task that runs on the loop itself, such as a child task of a test.
        BaseException: Whatever the awaitable raises.

    """
    __tracebackhide__ = True
    if not hasattr(awaitable, "__await__"):
        raise TypeError(_errors.AWAIT_NOT_AWAITABLE.format(value=awaitable))
    try:
        if not _running.sessions:
            raise RuntimeError(_errors.AWAIT_WITHOUT_RUN)
        session = _running.sessions[-1]
        loop = session.loop
        loop.check_caller()
    except BaseException:
        close = getattr(awaitable, "close", None)
        if close is not None:  # a coroutine that is dropped would warn that it was never awaited
            close()
        raise

    async def wait() -> T:
        __tracebackhide__ = True
        return await awaitable

    name = getattr(awaitable, "__qualname__", type(awaitable).__qualname__)
    from ._exceptions import drop_foreign_frames
    from ._wreck import LoopLost

    try:
        return loop.run(wait, name=f"await_({name})")
    except LoopLost as lost:
        raised = session.lose_loop(lost)
    except BaseException as error:
        raised = session.time_limit.explain(error)
    raise drop_foreign_frames(raised)
