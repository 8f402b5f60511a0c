"""How a run is laid out: in rows in which nothing overlaps.

Pinned by ``tests/test_timeline_lanes.py``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from typing import TypeVar

from ._timeline_history import Life, Process, Turn

#: Wide fixtures stand above the tests, narrow ones below.
KINDS = ("session", "package", "directory", "module", "class", "test", "function")


@dataclasses.dataclass(slots=True)
class Lane:
    """A row of the picture, in which nothing overlaps."""

    #: One of :data:`KINDS`.
    kind: str
    name: str
    turns: list[Turn] = dataclasses.field(default_factory=list)
    lives: list[Life] = dataclasses.field(default_factory=list)


def lanes_of(process: Process) -> Iterator[Lane]:
    """Return the rows of the picture of a process, the first at the top."""
    by_name: dict[tuple[str, str], list[Life]] = {}
    for life in process.lives:
        by_name.setdefault((life.scope, life.name), []).append(life)
    for kind in KINDS:
        if kind == "test":
            for turns in packed(process.turns):
                yield Lane(kind, "tests", turns=turns)
        for (scope, name), lives in by_name.items():
            if scope == kind:
                for some in packed(lives):
                    yield Lane(kind, name, lives=some)


_Bar = TypeVar("_Bar", Turn, Life)


def packed(bars: Iterable[_Bar]) -> list[list[_Bar]]:
    """Return the bars in as few lanes as there have to be for none to overlap."""
    lanes: list[list[_Bar]] = []
    for bar in sorted(bars, key=lambda each: each.start):
        for lane in lanes:
            if lane[-1].stop <= bar.start:
                lane.append(bar)
                break
        else:
            lanes.append([bar])
    return lanes
