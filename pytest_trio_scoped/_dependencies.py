"""Which fixture depends on which."""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary, WeakValueDictionary

import pytest

from ._pytest_names import active_fixture

_Fixture = pytest.FixtureDef[Any]


class Dependencies:
    """The dependencies of fixtures that have been set up while there was a loop.

    pytest knows them, but does not tell, and forgets the names' meanings with the test.
    """

    def __init__(self) -> None:
        #: Only of those that have any: each parametrized test function has a fixture per parameter.
        self._direct: WeakKeyDictionary[_Fixture, set[_Fixture]] = WeakKeyDictionary()
        #: The requests of fixtures that have asked for others with ``getfixturevalue``, the oldest first.
        #: pytest keeps that of a live fixture, and nobody should keep that of another.
        self._askers: WeakValueDictionary[_Fixture, pytest.FixtureRequest] = WeakValueDictionary()

    def begin(self, item: pytest.Function, fixturedef: _Fixture) -> None:
        """Note what ``fixturedef`` takes as arguments, at the start of its set-up for ``item``."""
        names = fixturedef.argnames
        required = {each for name in names if (each := active_fixture(item, name)) is not None}
        if required:
            self._direct[fixturedef] = required
        else:
            self._direct.pop(fixturedef, None)
        self._askers.pop(fixturedef, None)

    def add(self, fixturedef: _Fixture, request: pytest.FixtureRequest, required: _Fixture) -> None:
        """Note that ``fixturedef`` has asked for ``required`` with its ``request``."""
        self._direct.setdefault(fixturedef, set()).add(required)
        self._askers[fixturedef] = request

    def askers(self, wanted: _Fixture) -> list[tuple[_Fixture, pytest.FixtureRequest]]:
        """Return those that depend on ``wanted`` and have asked for something, the newest first.

        pytest tears what was taken as an argument down after who took it, and does not know of these.
        """
        found = [item for item in self._askers.items() if self.has(item[0], wanted)]
        return found[::-1]

    def has(self, fixturedef: _Fixture, wanted: _Fixture) -> bool:
        """Say whether ``fixturedef`` depends on ``wanted``, directly or through others."""
        return wanted in self.of(fixturedef)

    def of(self, fixturedef: _Fixture) -> set[_Fixture]:
        """Return what ``fixturedef`` depends on, directly or through others."""
        seen: set[_Fixture] = set()
        pending = [fixturedef]
        while pending:
            new = self._direct.get(pending.pop(), set()) - seen
            seen |= new
            pending += new
        return seen
