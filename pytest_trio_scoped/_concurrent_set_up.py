"""Fixtures of a test that are set up at the same time, each in a strand.

In a strand it is pytest's own ``getfixturevalue`` that sets the fixture up, with all that belongs to it.
What a fixture requests by name is up before its strand starts; what it asks for later may be under way
in another strand, which it then waits for.

The first that fails cancels the others: what they have done so far is undone, and pytest takes no note of
it, so that the next test that needs them sets them up.  Those that are up stay so, as they would if
they had been set up before the one that failed.

**Context variables.**  Each fixture sees what those have set that it depends on, and what was set before the
stretch.  When all are up, what each has set is set again in pytest's own context, in the order in which they
would have been set up one after the other, so that the same one wins.

Imported when it is needed.  Pinned by ``tests/test_concurrent_fixtures.py``, ``_failures`` and ``_contexts``.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable, Iterator
from contextvars import Context, copy_context
from functools import partial
from typing import Any, NoReturn

import pytest

from . import _errors
from ._concurrent_tear_down import tear_down_together
from ._contexts import Changes, own_context
from ._exceptions import join
from ._outcomes import ENDS_THE_RUN, act_as_in_sync_code, is_interrupted, needs_our_frame, told_of
from ._pytest_names import Execute, active_fixture, request_of, set_ups_passed_to
from ._session import TrioSession
from ._strands import Strand, Strands
from ._wreck import LoopLost

_Fixture = pytest.FixtureDef[Any]
_Request = pytest.FixtureRequest


class Stretches:
    """Those of a session, of which several may be under way, if tests are."""

    def __init__(self, session: TrioSession) -> None:
        self._session = session
        #: Under way, by their strands.
        self._of: dict[Strand | None, _Stretch] = {}
        self._watch = contextlib.ExitStack()

    def set_up(self, item: pytest.Function, required: dict[str, list[str]]) -> None:
        """Set up the fixtures that are the keys of ``required``, each after those of its values.

        Raises what the first that failed has raised, or a group if others failed when they were cancelled.
        """
        __tracebackhide__ = True
        self._session.open_loop()
        stretch = _Stretch(self._session, item, required)
        with self.under_way(stretch, stretch.strands):
            stretch.set_up()

    @contextlib.contextmanager
    def under_way(self, stretch: _Stretch, strands: Iterable[Strand]) -> Iterator[None]:
        """Let ``stretch`` be told in the block of what is set up, and asked for, in its strands."""
        if not self._of:
            self._watch.enter_context(set_ups_passed_to(self._once))
            self._session.note_late = self._see
        mine: dict[Strand | None, _Stretch] = dict.fromkeys(strands, stretch)
        self._of |= mine
        try:
            yield
        finally:
            for strand in mine:
                del self._of[strand]
            if not self._of:
                self._session.note_late = lambda _: None
                self._watch.close()

    def _once(self, fixturedef: _Fixture, execute: Execute, request: _Request) -> Any:
        __tracebackhide__ = True
        stretch = self._of.get(self._session.strand)
        return execute() if stretch is None else stretch.once(fixturedef, execute, request)

    def _see(self, fixturedef: _Fixture) -> None:
        stretch = self._of.get(self._session.strand)
        if stretch is not None:
            stretch.see(fixturedef)


class _Stretch:
    """What is set up at the same time."""

    def __init__(
        self, session: TrioSession, item: pytest.Function, required: dict[str, list[str]]
    ) -> None:
        self._session = session
        self._item = item
        get = request_of(item).getfixturevalue
        self._strands: dict[str, Strand] = {}
        for name, names in required.items():
            after = [self._strands[each] for each in names if each in self._strands]
            self._strands[name] = Strand(session.loop, name, partial(get, name), after)
        strands = list(self._strands.values())
        self._together = Strands(session.loop, strands, self._give_up, self._make_context)
        self._context = copy_context()
        #: What has been set up, well or not, and by which request.
        self._requests: dict[_Fixture, _Request] = {}
        self._owners: dict[Changes, _Fixture] = {}
        #: Whose changes are in the context of each strand.
        self._seen: dict[Strand, set[_Fixture]] = {}
        #: What has come there since.
        self._late: dict[Strand, list[Changes]] = {}

    @property
    def strands(self) -> Iterable[Strand]:
        return self._strands.values()

    def set_up(self) -> None:
        __tracebackhide__ = True
        session = self._session
        raised: BaseException | None = None
        try:
            self._together.run()
        except BaseException as error:
            raised = error
        for changes in self._changes(set(self._owners.values())):
            changes.apply(session.layers)
        tear_down_together(session, self._requests)
        failure = _conclude(session, self._together.errors, raised)
        if failure is not None:
            __tracebackhide__ = not needs_our_frame(failure)
            raise failure

    def _give_up(self, failed: Strand) -> None:
        if is_interrupted(failed.error):
            self._together.interrupt()
        self._together.cancel()

    # ---------------------------------------------------------------- in a strand

    def once(self, fixturedef: _Fixture, execute: Execute, request: _Request) -> Any:
        """Let one strand at a time set ``fixturedef`` up, and others that ask for it wait."""
        __tracebackhide__ = True

        def set_up() -> Any:
            __tracebackhide__ = True
            strand = self._session.strand
            if strand is None:  # the loop has ended
                return execute()
            before = fixturedef.cached_result
            try:
                return execute()
            finally:
                if fixturedef.cached_result is not before:  # else it was up, or has been undone
                    self._requests[fixturedef] = request
                    self._seen[strand].add(fixturedef)
                self._note_changes(strand, fixturedef)

        def refuse(cycle: list[str]) -> NoReturn:
            __tracebackhide__ = True
            names = ", ".join(repr(name) for name in cycle)
            request.raiseerror(_errors.FIXTURES_WAIT_FOR_EACH_OTHER.format(names=names))

        for name in fixturedef.argnames:
            taken = active_fixture(self._item, name)
            if taken is not None:
                self.see(taken)
        value = self._together.once(fixturedef, set_up, refuse)
        self.see(fixturedef)
        return value

    # ---------------------------------------------------------------- context variables

    def _make_context(self, strand: Strand) -> Context:
        context = self._context.copy()
        seen = self._seen[strand] = set()
        for each in strand.after:
            fixturedef = active_fixture(self._item, each.name)
            if fixturedef is not None:
                seen |= {fixturedef, *self._session.crashes.required(fixturedef)}
        for changes in self._changes(seen):
            changes.set_in(context)
        return context

    def see(self, fixturedef: _Fixture) -> None:
        """Let the caller see what a fixture has set that another strand may have set up."""
        strand = self._session.strand
        if strand is None or not self._owners:  # mostly nobody changes any
            return
        seen = self._seen[strand]
        new = {fixturedef, *self._session.crashes.required(fixturedef)} - seen
        seen |= new
        for changes in self._changes(new):
            changes.set_in(own_context())
            self._late.setdefault(strand, []).append(changes)

    def _note_changes(self, strand: Strand, fixturedef: _Fixture) -> None:
        """Note what ``fixturedef`` has changed, and not those that it has asked for meanwhile."""
        late = self._late.setdefault(strand, [])
        for changes in strand.layers:
            if changes not in self._owners:
                self._owners[changes] = fixturedef
                changes.leave_out(late)
                late.append(changes)

    def _changes(self, fixturedefs: Collection[_Fixture]) -> list[Changes]:
        """Return what these fixtures have changed, in the order in which it counts."""
        if not self._owners:
            return []
        return [
            changes
            for fixturedef in self._in_order()
            if fixturedef in fixturedefs
            for changes, owner in self._owners.items()
            if owner is fixturedef
        ]

    def _in_order(self) -> list[_Fixture]:
        """Return those that have changed something as they would come one after the other."""
        owners = dict.fromkeys(self._owners.values())
        found: dict[_Fixture, None] = {}
        for name in self._strands:
            fixturedef = active_fixture(self._item, name)
            if fixturedef is not None:
                required = self._session.crashes.required(fixturedef)
                found |= dict.fromkeys(each for each in owners if each in required)
                found[fixturedef] = None
        return [each for each in (found | owners) if each in owners]


def _conclude(
    session: TrioSession, errors: list[BaseException], raised: BaseException | None
) -> BaseException | None:
    """Return what to tell of what strands have raised, and of what has come out of their run."""
    if raised is not None and not isinstance(raised, LoopLost):
        return raised
    if not errors and raised is None:
        return None
    for error in errors:
        if isinstance(error, ENDS_THE_RUN):
            return error
    told = [*errors, *session.crashes.tell_cancelled()]
    if raised is not None:
        told.append(session.lose_loop(raised))
    told = list(told_of(dict(enumerate(told))).values())
    if not told:
        told = [session.time_limit.explain(errors[0])]
    failure = join(_errors.SET_UPS_FAILED, *told)
    return None if failure is None else act_as_in_sync_code(failure)
