"""What has happened in a run, and when: put together from events.

The events are plain tuples, so that a worker of pytest-xdist can send them to its controller.  Times are
seconds since the start of the run.

Pinned by ``tests/test_timeline_history.py``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

#: What happens, to which turn or lifetime (a number), and what there is to know about it.
Event = tuple[Any, ...]

_CUT_SHORT = ("crashed", "interrupted")

#: What outweighs what in a test that has ended in several ways; "" is what only some plugin knows.
_GRAVEST_FIRST = ("crashed", "failed", "interrupted", "", "xfailed", "xpassed", "skipped", "passed")


@dataclasses.dataclass(slots=True)
class Phase:
    """The set-up, the call or the tear-down of a test."""

    name: str
    start: float
    #: None as long as it goes on.
    stop: float | None = None
    #: passed, failed, skipped, xfailed, xpassed; "interrupted" or "crashed" if the run went on no further.
    outcome: str = "interrupted"


def _rank(outcome: str) -> int:
    return _GRAVEST_FIRST.index(outcome if outcome in _GRAVEST_FIRST else "")


@dataclasses.dataclass(slots=True)
class Turn:
    """One run of a test; there are several if it is run again."""

    node_id: str
    phases: list[Phase] = dataclasses.field(default_factory=list)

    @property
    def start(self) -> float:
        """When its set-up began."""
        return self.phases[0].start

    @property
    def stop(self) -> float:
        """When its last phase ended."""
        last = self.phases[-1]
        return last.start if last.stop is None else last.stop

    @property
    def outcome(self) -> str:
        """That of the gravest phase; "error" if something other than the call failed, and that did not."""
        outcomes = {phase.outcome for phase in self.phases}
        gravest = min(outcomes, key=_rank)
        failed = [phase.name for phase in self.phases if phase.outcome == "failed"]
        return "error" if gravest == "failed" and "call" not in failed else gravest

    @property
    def is_over(self) -> bool:
        """Whether nothing more can come."""
        last = self.phases[-1]
        return last.stop is not None and (last.name == "tear-down" or last.outcome in _CUT_SHORT)

    def cut_short(self, now: float, outcome: str) -> None:
        """End it at some other point than its tear-down.

        A worker tells of the begin of a phase together with its end, so it may be in one that is not known.
        """
        last = self.phases[-1]
        if last.stop is None:
            last.stop, last.outcome = now, outcome
        else:
            name = "call" if last.name == "set-up" else "tear-down"
            self.phases.append(Phase(name, last.stop, now, outcome))


@dataclasses.dataclass(slots=True)
class Life:
    """One fixture instance, from set-up begun to tear-down finished."""

    #: Its name, with its parameter.
    label: str
    scope: str
    #: The id of the node of its scope.
    node_id: str
    #: The test for which it is set up.
    test_id: str
    #: Where it is defined.
    location: str
    is_async: bool
    start: float
    #: When the set-up ended, when the tear-down began, and when that ended; None for what did not come.
    live: float | None = None
    closing: float | None = None
    closed: float | None = None
    is_failed: bool = False

    @property
    def stop(self) -> float:
        """When there was nothing left of it."""
        # What a failed set-up has left is kept by pytest.
        closed = None if self.is_failed else self.closed
        times = (closed, self.closing, self.live, self.start)
        return next(time for time in times if time is not None)

    @property
    def name(self) -> str:
        """Its name, without its parameter."""
        return self.label.partition("[")[0]


class Process:
    """What has happened in one process."""

    def __init__(self, name: str) -> None:
        #: That of the worker; empty where there are none.
        self.name = name
        self._turns: dict[int, Turn] = {}
        self._lives: dict[int, Life] = {}

    @property
    def turns(self) -> list[Turn]:
        """Those of which something has happened."""
        return [turn for turn in self._turns.values() if turn.phases]

    @property
    def lives(self) -> list[Life]:
        """All lifetimes, the oldest first."""
        return list(self._lives.values())

    def note(self, event: Event) -> None:
        """Take note of an event."""
        what, number, *values = event
        if what == "turn":
            self._turns[number] = Turn(*values)
        elif what == "begun":
            self._turns[number].phases.append(Phase(*values))
        elif what == "ended":
            name, stop, outcome = values
            phases = [each for each in self._turns[number].phases if each.name == name]
            if len(phases) == 1 and phases[0].outcome == "failed":
                outcome = "failed"  # a subtest has; pytest says so of the test when it shows it
            for phase in phases:
                phase.stop, phase.outcome = stop, outcome
        elif what == "opening":
            self._lives[number] = Life(*values)
        elif what == "failed":
            life = self._lives[number]
            life.is_failed, life.live = True, values[0]
        else:
            setattr(self._lives[number], what, values[0])

    def crash(self, node_id: str, now: float) -> None:
        """Note that the process has died while it ran a test; others may have been in flight."""
        for turn in self.turns:
            if turn.node_id == node_id and not turn.is_over:
                turn.cut_short(now, "crashed")
                break
        else:
            # It has told of nothing that came after what it has told of last.
            start = max((each.stop for each in self.turns), default=now)
            self._turns[-1] = Turn(node_id, [Phase("set-up", start, now, "crashed")])
        self.end(now)

    def cut_short(self, now: float) -> None:
        """End the tests that nothing else has ended."""
        for turn in self.turns:
            if not turn.is_over:
                turn.cut_short(now, "interrupted")

    def end(self, now: float) -> None:
        """End all that nothing else has ended."""
        self.cut_short(now)
        for life in self._lives.values():
            if life.closed is None:
                life.closed = now


class History:
    """What has happened in all processes of a run.

    ``began`` is when it began, in seconds since the epoch; ``title`` is what the run is called.
    """

    def __init__(self, title: str, began: float) -> None:
        self.title = title
        self.began = began
        self._processes: dict[str, Process] = {}

    def process(self, name: str) -> Process:
        """Return the one of that name, made if it is new."""
        if name not in self._processes:
            self._processes[name] = Process(name)
        return self._processes[name]

    @property
    def processes(self) -> list[Process]:
        """All of them, sorted by the numbers of their workers."""
        return sorted(self._processes.values(), key=lambda each: (len(each.name), each.name))

    @property
    def stop(self) -> float:
        """When the last thing ended."""
        stops = [turn.stop for process in self.processes for turn in process.turns]
        stops += [life.stop for process in self.processes for life in process.lives]
        return max(stops, default=0.0)

    def end(self, now: float) -> None:
        """End all that nothing else has ended."""
        for process in self.processes:
            process.end(now)

    def outcomes(self) -> dict[str, int]:
        """Return how many tests have ended in which way, the gravest first."""
        counts: dict[str, int] = {}
        for process in self.processes:
            for turn in process.turns:
                counts[turn.outcome] = counts.get(turn.outcome, 0) + 1
        order = ("crashed", "interrupted", "error", "failed", "passed", "skipped")
        return {each: counts[each] for each in dict.fromkeys((*order, *counts)) if each in counts}


#: Turns a history into the text of a file.
Format = Callable[[History], str]


def microseconds(seconds: float) -> int:
    """Return a time as files have it.  What does not overlap does not overlap afterwards."""
    return round(seconds * 1_000_000)
