"""What strands are at, of which one at a time may be.

What they want done is not always known beforehand, so two of them may come to want the same.  Then one
does it, and the other one waits for that.

Pinned by ``tests/test_strands.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, NoReturn

import trio

from ._loop import Loop

#: Raises an error, and gets the names of the strands that wait for each other.
Refuse = Callable[[list[str]], NoReturn]


class Claims:
    """What the strands of a session are at; ``loop`` returns the loop that they are on."""

    def __init__(self, loop: Callable[[], Loop]) -> None:
        self._loop = loop
        self._claims: dict[Hashable, Claim] = {}

    def is_free(self, key: Hashable) -> bool:
        """Say whether no strand is at ``key``."""
        return key not in self._claims

    def hold(self, key: Hashable, refuse: Refuse) -> Claim | _Nothing:
        """Return what lets the caller be at ``key`` in a block; if another strand is, wait for that first.

        ``refuse`` is called where the other one waits for this one.  The session's host waits for nobody.
        """
        __tracebackhide__ = True
        loop = self._loop()
        strand = loop.strand
        if strand is None or not loop.is_open:
            return _NOTHING
        while (claim := self._claims.get(key)) is not None and claim.strand is not strand:
            claim.wait(loop, strand, refuse)
        if claim is None:
            claim = self._claims[key] = Claim(self._claims, key, strand, loop)
        return claim


class Claim:
    """Something that a strand is at; one that is within itself is entered several times."""

    def __init__(
        self, claims: dict[Hashable, Claim], key: Hashable, strand: Any, loop: Loop
    ) -> None:
        self.strand = strand
        self._claims = claims
        self._key = key
        self._loop = loop
        self._depth = 0
        self.is_over = False
        #: Made for the first who waits.
        self._has_ended: trio.Event | None = None

    def __enter__(self) -> None:
        self._depth += 1

    def __exit__(self, *_: object) -> None:
        self._depth -= 1
        if self._depth:
            return
        del self._claims[self._key]
        self.is_over = True
        if self._has_ended is not None and self._loop.is_open:
            with self._loop.inside():
                self._has_ended.set()

    def wait(self, loop: Loop, strand: Any, refuse: Refuse) -> None:
        """Wait, as ``strand``, until it has ended.  A checkpoint."""
        __tracebackhide__ = True
        names = [strand.name]
        other: Claim | None = self
        # One whose claim has ended waits no more, also when it has not come to run again.
        while other is not None and not other.is_over:
            if other.strand is strand:
                refuse(names)
            names.append(other.strand.name)
            other = other.strand.awaited
        if self._has_ended is None:
            self._has_ended = trio.Event()
        strand.awaited = self
        try:
            loop.run(self._has_ended.wait, name=f"wait for {self.strand.name}")
        finally:
            strand.awaited = None


class _Nothing:
    """What the session's host holds."""

    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...


_NOTHING = _Nothing()
