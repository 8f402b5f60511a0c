"""Strands: several sync functions at the same time, each of which may wait for the loop as a host does.

A strand is a greenlet of its own that a task of its own drives; it begins outside, as pytest's code does,
and may do all that this does: any number of stays, set-ups and tear-downs.  While one of them waits another
one runs, so it is where they wait that they take turns, and nowhere else.

    host                       loop's greenlet              strands
    run() ----------------->   a task for each  <-------->  function, outside
                               ...                            set-ups, which go inside and wait
    <-----------------------   all have ended

A function starts when those that it comes after have ended.  What they ask for is not always known
before, so two of them may come to want the same thing done (``Strands.once``): then one does it, and the
other one waits for that.

Each strand has waits of its own, and layers of context variables.  To cancel one is to cancel what it waits
for, one wait after the other, as Ctrl-C does with the host; no cancel scope is around it, as its stays may
pass it on from task to task (``_drivers.Relay``).

Pinned by ``tests/test_strands.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from contextvars import Context
from typing import Any, TypeVar

import greenlet
import outcome
import trio
from trio.lowlevel import enable_ki_protection

from ._claims import Claim, Claims, Refuse
from ._contexts import Layers
from ._ctrl_c import Wait
from ._drivers import END, Command, Host
from ._loop import Loop
from ._thread_state import ThreadState

T = TypeVar("T")


class Strand:
    """One function, called ``name``, that starts when all of ``after`` have ended.

    With ``is_long`` the tasks of its stays pass it on, as they do with the session's host; that is worth
    while for more than a few of them.
    """

    def __init__(
        self,
        loop: Loop,
        name: str,
        function: Callable[[], object],
        after: Iterable[Strand] = (),
        *,
        is_long: bool = False,
    ) -> None:
        self.loop = loop
        self.name = name
        self.function = function
        self.after = tuple(after)
        self.is_long = is_long
        #: Whose code waits for it, ``None`` for the session's host; known once it is run.
        self.parent: Strand | None = None
        #: What it waits for, the innermost last.
        self.waits: list[Wait] = []
        #: How often it is shielded.
        self.shields = 0
        self.is_cancelled = False
        #: Whether it was blocked when it was to be interrupted, or not.
        self.is_interrupted = False
        #: What fixtures have changed in its context.
        self.layers = Layers(Context())
        self.has_ended = False
        #: What it has raised, if it has.
        self.error: BaseException | None = None
        #: What it waits for of another one's.
        self.awaited: Claim | None = None
        #: What others keep of it, by who keeps it; it goes with the strand.
        self.kept: dict[object, Any] = {}
        self._host: Host | None = None
        self._left: ThreadState

    @property
    def outermost(self) -> Strand:
        """The strand of which it does a part of the work, directly or through others, or itself."""
        return self if self.parent is None else self.parent.outermost

    def cancel(self) -> None:
        """Cancel whatever it waits for, now and later.  Not a checkpoint."""
        self.is_cancelled = True
        for wait in list(self.waits):
            wait.cancel()

    def interrupt(self) -> None:
        """Raise KeyboardInterrupt where it is blocked.  Not a checkpoint."""
        self.is_interrupted = True
        for wait in self.waits[-1:]:
            wait.interrupt()

    @property
    def cancels_waits(self) -> bool:
        """Whether what it begins to wait for is to be cancelled."""
        return self.is_cancelled and not self.shields

    # ---------------------------------------------------------------- task

    @enable_ki_protection
    async def drive(self, context: Context, left: ThreadState) -> None:
        """Let the function run from its start to its end, with ``context`` for the strand's own.

        ``left`` is what it finds outside.
        """
        self.layers.context = context
        self._left = left
        host = self._host = Host(self._run)
        host.strand = self
        host.gr_context = context
        drivers = self.loop.drivers
        if self.is_long:
            await drivers.serve_long(host, context.copy())
        else:
            await drivers.serve(host)
        if self.has_ended:  # else the loop is about to end
            self._host = None

    @enable_ki_protection
    def _run(self, _message: object) -> Command:
        result = outcome.capture(self.loop.call_outside, self.function, self._left)
        if isinstance(result, outcome.Error):
            self.error = result.error
        self.has_ended = True
        self.loop.come_inside()
        return END

    def unwind(self) -> None:
        """End it after the loop has ended under it."""
        if self._host is not None and not self._host.dead:
            self._host.parent = greenlet.getcurrent()  # its own, the loop's greenlet, is dead
            self._host.throw(greenlet.GreenletExit)


class Strands:
    """Several strands.

    ``on_error`` is called, on the loop, with one that has failed; ``make_context`` with one that begins, for
    its context.
    """

    def __init__(
        self,
        loop: Loop,
        strands: Sequence[Strand],
        on_error: Callable[[Strand], None],
        make_context: Callable[[Strand], Context],
    ) -> None:
        self._loop = loop
        self._strands = strands
        self._on_error = on_error
        self._make_context = make_context
        self._waiting = list(strands)
        #: In the order in which they have ended.
        self._ended: list[Strand] = []
        self._nursery: trio.Nursery
        self._left: ThreadState
        self._claims = Claims(lambda: loop)

    @property
    def errors(self) -> list[BaseException]:
        """What they have raised, the first that failed first."""
        in_order = dict.fromkeys((*self._ended, *self._strands))
        return [each.error for each in in_order if each.error is not None]

    # ---------------------------------------------------------------- host

    def run(self) -> None:
        """Run them all and come back when all have ended; what they raise is in ``errors``.

        One that comes after another one starts as well if that has failed, unless ``on_error`` cancels
        it.  Raises LoopLost, and KeyboardInterrupt.
        """
        __tracebackhide__ = True
        parent = self._loop.strand
        for strand in self._strands:
            strand.parent = parent
        self._loop.add_strands(self._strands)
        try:
            self._loop.wait_for(self, self._run)
        finally:
            for strand in self._strands:
                strand.unwind()
            self._loop.drop_strands(self._strands)

    def cancel(self) -> None:
        """Cancel what all of them wait for, and start no other one.  Not a checkpoint."""
        self._waiting.clear()
        for strand in self._strands:
            strand.cancel()

    def interrupt(self) -> None:
        """Raise KeyboardInterrupt in each of them where it waits.  Not a checkpoint."""
        for strand in self._strands:
            strand.interrupt()

    # ---------------------------------------------------------------- task

    @enable_ki_protection
    async def _run(self) -> None:
        self._left = self._loop.left
        async with trio.open_nursery() as self._nursery:
            self._start_ready()

    def _start_ready(self) -> None:
        for strand in list(self._waiting):
            if all(each.has_ended for each in strand.after):
                self._waiting.remove(strand)
                self._nursery.start_soon(self._drive, strand, name=strand.name)

    @enable_ki_protection
    async def _drive(self, strand: Strand) -> None:
        if strand.is_cancelled:
            return
        await strand.drive(self._make_context(strand), self._left)
        self._ended.append(strand)
        if strand.error is not None:
            self._on_error(strand)
        self._start_ready()

    # ---------------------------------------------------------------- strands

    def once(self, key: Hashable, function: Callable[[], T], refuse: Refuse) -> T:
        """Call ``function``; if another strand is at it by the same ``key``, wait for that first.

        ``refuse`` raises an error where the other one waits for this one, and gets the names of both and
        of those in between.
        """
        __tracebackhide__ = True
        with self._claims.hold(key, refuse):
            return function()
