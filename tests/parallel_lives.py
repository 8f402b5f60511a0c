"""What generated suites call: each fixture instance is a ``Life`` that knows who uses it.

A rule that is broken is noted in ``record.problems``; nothing is raised, so that the run goes on.
"""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
import trio

log = logging.getLogger("suite")


class Broken(Exception):
    """What a fixture or a test of a suite raises."""


class Record:
    """What happens in one run."""

    def __init__(self) -> None:
        self.problems: list[str] = []
        #: How often each instance has been set up: by definition, node and parameter.
        self.set_ups: Counter[tuple[str, str, str]] = Counter()
        #: By label: the nodes with which an instance has ended, its own and those of what it has used.
        self.nodes: dict[str, set[str]] = defaultdict(set)
        #: What is live: at most one of each definition in each node.
        self.live: dict[tuple[str, str], Life] = {}

    def check(self, is_right: object, text: str) -> None:
        """Note a problem unless it is right, once."""
        if not is_right and text not in self.problems:
            self.problems.append(text)


#: That of the run at hand.
records: list[Record] = []


def name_of_node(node: Any) -> str:
    """Return a name for a node of which there is one."""
    return f"{type(node).__name__} {node.nodeid}"


def label_of(definition: str, node: str, param: str) -> str:
    """Return a label for a fixture instance."""
    return f"<{definition} {param} in {node}>"


class Life:
    """A fixture instance, from the first line of its function to the last of its tear-down."""

    def __init__(self, definition: str, request: Any, requires: Iterable[Life]) -> None:
        self.record = records[-1]
        node = name_of_node(request.node)
        param = repr(getattr(request, "param", None))
        self.label = label_of(definition, node, param)
        self.place = definition, node
        #: Live fixtures and running tests that use this.
        self.users: list[str] = []
        self.requires: list[Life] = []
        self.is_live = True
        self.record.nodes[self.label].add(node)
        self.item = request._pyfuncitem.nodeid if request.scope == "function" else None
        for each in requires:
            self.take(each)
        self.record.set_ups[(*self.place, param)] += 1
        other = self.record.live.get(self.place)
        self.record.check(other is None, f"{self.label} is set up while {other} is live")
        self.record.live[self.place] = self
        self.say()

    def __str__(self) -> str:
        return self.label

    def take(self, other: Life) -> None:
        """Use another fixture from now on."""
        self.record.check(other.is_live, f"{self.label} gets {other}, which is not live")
        other.users.append(self.label)
        self.requires.append(other)
        self.record.nodes[self.label] |= self.record.nodes[other.label]

    def say(self) -> None:
        """Print, log and warn, if this belongs to one test."""
        if self.item is not None:
            say(self.item)

    def fail(self, is_skip: bool) -> None:
        """Let the set-up fail."""
        self._end()
        if is_skip:
            pytest.skip(f"set-up of {self.label}")
        raise Broken(f"set-up of {self.label}")

    def begin_end(self) -> None:
        """Check that nobody uses this, and that what it uses is there."""
        self.record.check(not self.users, f"{self.label} is torn down, and used by {self.users}")
        for each in self.requires:
            self.record.check(each.is_live, f"{self.label} is torn down after {each}")
        self.say()

    def end(self, *, fails: bool) -> None:
        """Be torn down."""
        self._end()
        if fails:
            raise Broken(f"tear-down of {self.label}")

    def end_at_once(self, *, fails: bool) -> None:
        """Be torn down without a wait; for a finalizer."""
        self.begin_end()
        self.end(fails=fails)

    def _end(self) -> None:
        for each in self.requires:
            each.users.remove(self.label)
        self.is_live = False
        del self.record.live[self.place]


class Use:
    """A test that runs."""

    def __init__(self, request: Any) -> None:
        self.record = records[-1]
        self.item = request.node.nodeid
        self.lives: list[Life] = []

    def take(self, life: object) -> None:
        """Use a fixture from now on."""
        if isinstance(life, Life):
            self.record.check(life.is_live, f"{self.item} gets {life}, which is not live")
            life.users.append(self.item)
            self.lives.append(life)


@contextlib.contextmanager
def using(request: Any, *lives: object) -> Iterator[Use]:
    """Use fixtures in the block."""
    use = Use(request)
    for each in lives:
        use.take(each)
    say(use.item)
    try:
        yield use
        say(use.item)
    finally:
        for life in use.lives:
            use.record.check(life.is_live, f"{use.item} uses {life}, which is not live any more")
            life.users.remove(use.item)


def say(item: str) -> None:
    """Print, log and warn in the name of a test."""
    print(f"said by {item}")  # noqa: T201
    log.warning("logged by %s", item)
    warnings.warn(f"warned by {item}", UserWarning, stacklevel=1)


async def pause(steps: int) -> None:
    """Let others run, for some steps or a little while."""
    if steps > 3:
        await trio.sleep(steps / 4000)
    for _ in range(min(steps, 3)):
        await trio.lowlevel.checkpoint()
