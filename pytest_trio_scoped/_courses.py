"""What pytest's code is at, in the session's host and in each strand: set-ups, tear-downs, a test.

``_crashes`` asks, when a fixture dies, who has to be told.

Pinned by ``tests/test_courses.py``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from ._blame import Crash
from ._session import TrioSession

if TYPE_CHECKING:
    from ._lifetime import Lifetime
    from ._loop import Loop
    from ._strands import Strand

_Fixture = pytest.FixtureDef[Any]


@dataclasses.dataclass(eq=False)
class TearDown:
    """One that is under way."""

    fixturedef: _Fixture
    loop: Loop
    course: Course
    #: How many waits there were before it.
    depth: int
    is_limited: bool = False
    #: Whether the time was up before it had ended.
    is_cut_short: bool = False

    @property
    def is_under_way(self) -> bool:
        """Whether it has not ended."""
        return self in self.course.tear_downs

    def cut_short(self) -> None:
        """Cancel whatever it waits for.  Called on the loop."""
        self.is_cut_short = True
        self.loop.ctrl_c.cancel_waits(self.course.strand, after=self.depth)


class Phase:
    """The phase of a test."""

    def __init__(self) -> None:
        #: The test at hand, from its first set-up until its tear-down.
        self.item: Any = None
        #: The crashes for which the phase was cancelled.
        self.cancelled_for: list[Crash] = []
        #: Those the test has asked for, and which have crashed.
        self.dead_nurseries: list[Lifetime] = []

    def begin(self, item: Any) -> None:
        """Begin another one."""
        self.item = item
        self.cancelled_for.clear()


class Course:
    """What a strand is at, or for ``None`` the session's host.

    A strand that has begun no test of its own does part of the phase of its parent's.
    """

    def __init__(self, strand: Strand | None, phase: Phase, *, is_part: bool) -> None:
        self.strand = strand
        self.phase = phase
        self.is_part = is_part
        #: Whose set-up is under way, the innermost last.
        self.set_ups: list[tuple[_Fixture, pytest.FixtureRequest]] = []
        #: Whose tear-down is under way, the innermost last.
        self.tear_downs: list[TearDown] = []

    def begin_test(self) -> None:
        """Begin the first phase of a test."""
        if self.is_part:
            self.is_part = False
            self.phase = Phase()
        self.phase.begin(None)


class Courses:
    """Those of one session."""

    def __init__(self, session: TrioSession) -> None:
        self._session = session
        self._strands = session.strands
        self._hosts = Course(None, Phase(), is_part=False)

    @property
    def present(self) -> Course:
        """What the caller is at."""
        return self.of(self._session.strand) if self._strands else self._hosts

    def of(self, strand: Strand | None) -> Course:
        """Return what a strand is at, or for ``None`` the session's host."""
        if strand is None:
            return self._hosts
        course: Course | None = strand.kept.get(self)
        if course is None:
            phase = self.of(strand.parent).phase
            course = strand.kept[self] = Course(strand, phase, is_part=True)
        return course

    def __iter__(self) -> Iterator[Course]:
        yield self._hosts
        for strand in list(self._strands):
            yield self.of(strand)

    def innermost(self) -> list[Course]:
        """Return those that do not wait for strands which do part of their work."""
        waiting = {strand.parent for strand in self._strands}
        return [course for course in self if course.strand not in waiting]
