"""Finalizers that have done their work are removed.

pytest lets each set-up of a fixture leave a finalizer on every fixture that it takes as an argument, so
that dependents are torn down first.  It stays there after the dependent has been torn down, to the end
of the wider scope: ten thousand tests leave ten thousand finalizers that do nothing on a session fixture,
each with the request of a test that is long over (pytest's issue 4871).

So each set-up that leaves something on what outlives it gets one finalizer more, the first, and thus the
last to be called.  It takes back what the set-up has left.  All others stay, in their order.

The node of a wide scope collects them too, when a fixture is set up in it for one parameter after the other.
There the last one stays, until the next set-up, there or for another node: pytest-rerunfailures puts the
finalizers of a node aside and back, and what is set up in between is torn down by the one that was there
before.

Pinned by ``tests/test_finalizers.py``.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from ._pytest_names import (
    Finalizers,
    drop_finishers,
    finishers_of_node,
    finishers_with,
    item_of,
    withdraw_finisher,
)

_Fixture = pytest.FixtureDef[Any]


class FinalizerHooks:
    """Let each fixture, sync or async, take back what its set-up has left on others."""

    def __init__(self) -> None:
        #: The live fixtures that may outlive a test; what is left on others ends with the test.
        self._wide: set[_Fixture] = set()
        #: The node for which each was set up last, and where its finalizers are.
        self._last: dict[_Fixture, tuple[object, list[Finalizers]]] = {}

    @pytest.hookimpl(tryfirst=True)
    def pytest_fixture_setup(self, fixturedef: _Fixture, request: pytest.FixtureRequest) -> None:
        """Add the finalizer that takes back, if there will be something to take back."""
        lists = finishers_with(fixturedef, request, self._wide)
        if request.node is not item_of(request):
            self._wide.add(fixturedef)
            fixturedef.addfinalizer(partial(self._leave, fixturedef))
            node, left = self._last.get(fixturedef, (None, []))
            here = finishers_of_node(request)
            drop_finishers(fixturedef, here if node is request.node else [*here, *left])
            self._last[fixturedef] = (request.node, here)
        if lists:
            fixturedef.addfinalizer(partial(withdraw_finisher, fixturedef, request, lists))

    def _leave(self, fixturedef: _Fixture) -> None:
        # Not a method of the set: allure-pytest asks finalizers for their arguments, which only what is
        # written in Python can tell.  So it is with all finalizers that go to fixtures.
        self._wide.discard(fixturedef)
