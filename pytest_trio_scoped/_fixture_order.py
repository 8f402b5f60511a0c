"""The ini value ``trio_fixture_order = plan``: set wider fixtures up before narrower ones, for all tests.

pytest goes on setting up whatever a test requests, by the names in ``item.fixturenames``.  These are sorted
before the run.  What tests to come need is set up when pytest is about to set up a narrower fixture, for
the test at hand but unknown to it: a failure is kept for those who request it, as pytest keeps it.

Pinned by ``tests/test_fixture_order.py``.
"""

from __future__ import annotations

import bdb
from collections.abc import Generator
from typing import Any

import pytest

from ._kinds import Kinds
from ._plan_order import sorted_names
from ._plan_parts import Kind
from ._planning import FixturePlan
from ._pytest_names import autouse_names, item_of, param_scopes, set_up_apart
from ._session import TrioSession


class OrderHooks:
    """Set fixtures up in the order of the plan."""

    def __init__(self, session: TrioSession) -> None:
        self._session = session
        session.set_up_ahead = self._set_up_ahead
        self._plan = FixturePlan(())

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, object, object]:
        """Plan what will run, after everybody who sorts and drops tests."""
        sort_names(session.items)
        # A worker of xdist has all tests and runs some of them, it does not know which.
        if not hasattr(session.config, "workerinput"):
            self._plan = FixturePlan(session.items)
        return (yield)

    @pytest.hookimpl(tryfirst=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
    ) -> None:
        """Set up what is wider and will be needed before this fixture has been torn down."""
        # Before several are set up at the same time, this has been done.
        if self._session.strand is None:
            self._set_up_ahead(item_of(request), request.node)

    def _set_up_ahead(self, item: pytest.Function, node: pytest.Item | pytest.Collector) -> None:
        # A test on a loop of its own keeps the session's from waiting.
        if isinstance(node, pytest.Item) or self._session.own_loop is not None:
            return
        # Tests that overlap have definitions of their own, and no order among each other.
        if self._session.others.are_in_run:
            return
        for instance in self._plan.ahead(item, node):
            if instance.definition.cached_result is None:
                _set_up(item, instance.name)


def _set_up(item: pytest.Function, name: str) -> None:
    try:
        set_up_apart(item, name)
    except (pytest.exit.Exception, bdb.BdbQuit):
        raise
    except (Exception, pytest.fail.Exception, pytest.skip.Exception):
        return  # pytest has kept it for those who request the fixture


def sort_names(items: list[pytest.Item]) -> None:
    """Sort what each item requests; items that need the same share a list, as with pytest."""
    kinds = Kinds()
    names_of: dict[Kind, list[str]] = {}
    for item in items:
        kind = kinds.kind(item)
        if not kind.steps:
            continue
        if kind not in names_of:
            names = item.fixturenames  # type: ignore[attr-defined]
            names_of[kind] = sorted_names(kind, names, autouse_names(item), param_scopes(item))
        item.fixturenames = names_of[kind]  # type: ignore[attr-defined]
