"""Fixtures that were set up at the same time are torn down at the same time, each in a strand.

pytest tears down by calling the finalizers of a node, the last one first; each tears one fixture down.
So when fixtures have been set up together, one more finalizer for each of them is added to their node.
The first of these that is called tears all of them down, those that depend on others before these; then
each raises what its fixture has raised, so that pytest reports the errors as it always does.  The
fixtures' own finalizers, which come later, find nothing to do.  One that is torn down before, for another
parameter, takes its finalizer back, as ``_finalizers`` does with pytest's.

Pinned by ``tests/test_concurrent_tear_down.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import copy_context
from functools import partial
from typing import Any

import pytest

from ._directories import Extent, extent_of
from ._outcomes import is_interrupted, needs_our_frame, told_of
from ._pytest_names import finish_fixture, finishers_of_node, item_of
from ._session import TrioSession
from ._strands import Strand, Strands
from ._wreck import LoopLost

_Fixture = pytest.FixtureDef[Any]
_Request = pytest.FixtureRequest
_End = Extent | pytest.Item | pytest.Collector

#: Fewer have nobody to be torn down together with.
_SEVERAL = 2


def tear_down_together(session: TrioSession, requests: Mapping[_Fixture, _Request]) -> None:
    """Let the fixtures that have just been set up be torn down together, those of each node."""
    members_of: dict[_End, dict[_Fixture, _Request]] = {}
    for fixturedef, request in requests.items():
        end = extent_of(fixturedef) or request.node
        members_of.setdefault(end, {})[fixturedef] = request
    for end, members in members_of.items():
        if len(members) >= _SEVERAL:
            _Group(session, members).end_with(end)


def _drop_finalizer(end: _End, request: _Request, finalizer: Callable[[], None]) -> None:
    if isinstance(end, Extent):
        end.drop_finalizer(finalizer)
        return
    for finalizers in finishers_of_node(request):
        if finalizer in finalizers:
            finalizers.remove(finalizer)


class _Group:
    """Fixtures of one node."""

    def __init__(self, session: TrioSession, members: dict[_Fixture, _Request]) -> None:
        self._session = session
        self._members = members
        #: What the tear-downs have raised; known when they have been done.
        self._errors: dict[_Fixture, BaseException] | None = None

    def end_with(self, end: _End) -> None:
        """Let them be torn down at the end of a node, or of a directory."""
        for fixturedef, request in self._members.items():
            finalizer = partial(self.finish, fixturedef)
            end.addfinalizer(finalizer)
            if end is not item_of(request):  # else it is soon over, with all that it has
                drop = partial(_drop_finalizer, end, request, finalizer)
                fixturedef.addfinalizer(partial(self._leave, fixturedef, drop))

    def _leave(self, fixturedef: _Fixture, drop: Callable[[], None]) -> None:
        """Forget one that is torn down by itself."""
        if self._errors is None:
            del self._members[fixturedef]
            drop()

    def finish(self, fixturedef: _Fixture) -> None:
        """Tear all of them down, the first time; raise what the tear-down of ``fixturedef`` has raised.

        Raises KeyboardInterrupt if that came meanwhile.
        """
        __tracebackhide__ = True
        if self._errors is None:
            self._errors = {}
            strands = self._strands()
            if len(strands) >= _SEVERAL:
                self._errors = self._tear_down(strands)
        error = self._errors.pop(fixturedef, None)
        if error is not None:
            __tracebackhide__ = not needs_our_frame(error)
            raise error

    def _strands(self) -> dict[_Fixture, Strand]:
        """Return a strand for the tear-down of each, after those that depend on it.

        None at all if something else depends on one of them, which goes first and is pytest's affair.
        """
        session = self._session
        loop = session.present_loop
        if loop is None or not loop.is_open:
            return {}
        strands: dict[_Fixture, Strand] = {}
        for each, request in self._members.items():
            strands[each] = Strand(loop, each.argname, partial(finish_fixture, each, request))
        for user in session.inside_fixtures:
            for used in session.crashes.required(user) & strands.keys():
                if user not in strands:
                    return {}
                strands[used].after += (strands[user],)
        return strands

    def _tear_down(self, strands: dict[_Fixture, Strand]) -> dict[_Fixture, BaseException]:
        __tracebackhide__ = True
        loop = next(iter(strands.values())).loop

        def give_up_if_interrupted(failed: Strand) -> None:
            if is_interrupted(failed.error):
                together.interrupt()
                together.cancel()

        context = copy_context()
        together = Strands(
            loop, list(strands.values()), give_up_if_interrupted, lambda _: context.copy()
        )
        lost: BaseException | None = None
        try:
            together.run()
        except LoopLost as loop_lost:
            lost = self._session.lose_loop(loop_lost)
        raised = {each: strand.error for each, strand in strands.items() if strand.error}
        for error in raised.values():
            if is_interrupted(error):
                raise KeyboardInterrupt from error
        told = told_of(raised)
        if not told and (lost is not None or raised):
            first = next(iter(raised or strands))
            told[first] = lost or self._session.time_limit.explain(raised[first])
        return told
