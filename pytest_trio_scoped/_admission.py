"""Which of many tests may start while others are in flight.

The tests stand in a line.  What keeps two of them apart is said by *stages* and *groups*:

- A *sequence* is gone through in stages, one after the other: the parameters of a wide fixture are the stages
  of one sequence.  A test of a stage starts when all tests of the earlier stages have ended.
- Of the tests of a group one runs at a time.

The first in the line that has not ended may always run as far as stages go, so the line comes to its end.

This knows nothing of pytest.  Pinned by ``tests/test_admission.py``.
"""

from __future__ import annotations

import heapq
from collections import defaultdict, deque
from collections.abc import Hashable, Iterable, Mapping, Sequence


class Admission:
    """The line, with those in flight.

    For each test: at which stage of which sequences it is, and its groups.  The stages of a sequence are
    numbers that do not fall from one test to the next that has the sequence.  More may come at the end.
    """

    def __init__(
        self,
        stages: Sequence[Mapping[Hashable, int]] = (),
        groups: Sequence[Iterable[Hashable]] = (),
    ) -> None:
        self._stages: list[Mapping[Hashable, int]] = []
        self._groups: list[tuple[Hashable, ...]] = []
        self._sequences: dict[Hashable, _Stages] = defaultdict(_Stages)
        self._busy: set[Hashable] = set()
        #: Who waits for a group, in the order of the line.
        self._waiting: dict[Hashable, deque[int]] = defaultdict(deque)
        self._next = 0
        #: Those before ``_next`` that may start, as far as is known.
        self._released: list[int] = []
        for each, of_groups in zip(stages, groups, strict=True):
            self.add(each, of_groups)

    def add(self, stages: Mapping[Hashable, int], groups: Iterable[Hashable]) -> None:
        """Put one at the end of the line."""
        self._stages.append(stages)
        self._groups.append(tuple(groups))
        for sequence, stage in stages.items():
            self._sequences[sequence].add(stage)

    def take(self) -> int | None:
        """Return the first in the line that may start now, which is in flight from now on.

        ``None`` if there is none until one that is in flight ends, or for good.
        """
        while (index := self._candidate()) is not None:
            if not self._is_kept_back(index):
                self._busy.update(self._groups[index])
                return index
        return None

    def end(self, index: int) -> None:
        """Note that one is no longer in flight."""
        for sequence in self._stages[index]:
            self._release(self._sequences[sequence].end())
        for group in self._groups[index]:
            self._busy.remove(group)
            self._release_next(group)

    def _candidate(self) -> int | None:
        if self._released:
            return heapq.heappop(self._released)
        if self._next == len(self._stages):
            return None
        self._next += 1
        return self._next - 1

    def _is_kept_back(self, index: int) -> bool:
        """Say whether it may not start; then it is released by what it waits for."""
        for sequence, stage in self._stages[index].items():
            if self._sequences[sequence].keeps_back(index, stage):
                return True
        groups = self._groups[index]
        for group in groups:
            if group in self._busy:
                self._waiting[group].append(index)
                for other in groups:
                    if other not in self._busy:
                        self._release_next(other)  # in its place, which it has not taken
                return True
        return False

    def _release_next(self, group: Hashable) -> None:
        if waiting := self._waiting.get(group):
            self._release([waiting.popleft()])

    def _release(self, indices: Iterable[int]) -> None:
        for index in indices:
            heapq.heappush(self._released, index)


class _Stages:
    """One sequence: how many are still to end in each stage, the present one first."""

    def __init__(self) -> None:
        self._left: deque[tuple[int, int]] = deque()
        self._waiting: dict[int, list[int]] = defaultdict(list)

    def add(self, stage: int) -> None:
        if self._left and self._left[-1][0] == stage:
            self._left[-1] = (stage, self._left[-1][1] + 1)
        else:
            self._left.append((stage, 1))

    def keeps_back(self, index: int, stage: int) -> bool:
        if self._left[0][0] == stage:
            return False
        self._waiting[stage].append(index)
        return True

    def end(self) -> Iterable[int]:
        """Note that one of the present stage has ended; return who may start by that."""
        stage, left = self._left[0]
        if left > 1:
            self._left[0] = (stage, left - 1)
            return ()
        self._left.popleft()
        return self._waiting.pop(self._left[0][0], ()) if self._left else ()
