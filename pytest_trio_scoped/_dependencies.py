"""Which fixture depends on which."""

from __future__ import annotations

from typing import Any

import pytest

from ._pytest_names import active_fixture

_Fixture = pytest.FixtureDef[Any]


class Dependencies:
    """The dependencies of fixtures that have been set up while there was a loop.

    pytest knows them, but does not tell, and forgets the names' meanings with the test.
    """

    def __init__(self) -> None:
        self._direct: dict[_Fixture, set[_Fixture]] = {}

    def begin(self, item: pytest.Function, fixturedef: _Fixture) -> None:
        """Note what ``fixturedef`` takes as arguments, at the start of its set-up for ``item``."""
        required = (active_fixture(item, name) for name in fixturedef.argnames)
        self._direct[fixturedef] = {each for each in required if each is not None}

    def add(self, fixturedef: _Fixture, required: _Fixture) -> None:
        """Note that the set-up of ``fixturedef`` has asked for ``required``."""
        self._direct.setdefault(fixturedef, set()).add(required)

    def has(self, fixturedef: _Fixture, wanted: _Fixture) -> bool:
        """Say whether ``fixturedef`` depends on ``wanted``, directly or through others."""
        seen: set[_Fixture] = set()
        pending = [fixturedef]
        while pending:
            new = self._direct.get(pending.pop(), set()) - seen
            seen |= new
            pending += new
        return wanted in seen
