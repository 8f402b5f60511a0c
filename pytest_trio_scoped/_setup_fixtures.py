"""The fixtures that set-up functions are to pytest: registered, checked, and ours or not.

Mistakes are reported as errors of the collection, before anything runs.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from . import _errors
from ._directories import hooks_of, is_for_one_directory
from ._locations import location_of
from ._ownership import OUR_ATTRIBUTE, is_foreign, is_marked
from ._pytest_names import (
    all_definitions,
    is_skipped_by_mark,
    known_definitions,
    register_fixture,
    replace_fixture_function,
    visible_definitions,
)
from ._session import TrioSession
from ._setup_functions import SCOPES, Pair, SetupFunction, fixture_function, pair_of

#: From narrow to wide.
_WIDTHS = ("function", "class", "module", "directory", "package", "session")

_OCCASIONS = {
    "session": "the session",
    "directory": "its directory and those below",
    "module": "its module",
    "class": "its class",
    "function": "each test",
    "method": "each test",
}


class SetupFixtures:
    """All set-up functions of a session that pytest does not call by itself."""

    def __init__(self, session: TrioSession) -> None:
        self._session = session
        #: By the node below which they are, with their names as fixtures.
        self._pairs: dict[pytest.Collector, dict[str, Pair]] = {}

    def add(
        self,
        node: pytest.Collector,
        owner: object,
        kind: str,
        set_up: str | None,
        tear_down: str | None,
        *,
        place: str | None = None,
        directory: Path | None = None,
    ) -> None:
        """Register the fixture for these functions of ``owner``, for all tests below ``node``.

        Args:
            node: Where they are visible.
            owner: The module or class that has them.
            kind: "module", "class" and so on.
            set_up: The name of the function.
            tear_down: The same; one of the two may be None.
            place: What the fixture's name begins with; the node's id if it is None.
            directory: The directory that a ``setup_directory`` is for.

        """
        pair = Pair(
            None if set_up is None else SetupFunction.of(owner, set_up, kind),
            None if tear_down is None else SetupFunction.of(owner, tear_down, kind),
            directory,
        )
        function = fixture_function(pair)
        if kind in ("session", "directory") and pair.is_async:
            setattr(function, OUR_ATTRIBUTE, True)  # nobody else knows of it
        if directory is not None:
            hooks_of(node.config)
        name = f"{place or node.nodeid}::{pair.functions[0].name}"
        pairs = self._pairs.setdefault(node, {})
        register_fixture(node, name, function, SCOPES[kind], first=len(pairs))
        pairs[name] = pair

    def keep_from(self, node: pytest.Class) -> None:
        """Let functions that are not called for methods of this class not request their fixtures there."""
        for outer in node.listchain()[:-1]:
            for name, pair in self._pairs.get(outer, {}).items():  # type: ignore[call-overload]
                if pair.functions[0].kind in ("function", "method"):
                    register_fixture(node, name, _do_nothing, "function", first=0)

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Report mistakes, and decide which async functions are awaited."""
        option = session.config.option
        is_listing = option.showfixtures or option.show_fixtures_per_test
        users: dict[pytest.FixtureDef[Any], list[pytest.Item]] = {}
        reported: set[pytest.FixtureDef[Any]] = set()
        for item in session.items:
            for fixturedef, pair in self._pairs_of(item):
                users.setdefault(fixturedef, []).append(item)
                if is_listing or fixturedef in reported:
                    continue
                message = _mistake(item, fixturedef.argname, pair)
                # Nothing is called for a test that is skipped; what it takes may be missing for a reason.
                if message is not None and not is_skipped_by_mark(item):
                    reported.add(fixturedef)
                    report = pytest.CollectReport(item.nodeid, "failed", message, [])
                    item.ihook.pytest_collectreport(report=report)
        for fixturedef, items in users.items():
            _decide(self._session, fixturedef, items)

    def _pairs_of(self, item: pytest.Item) -> Iterator[tuple[pytest.FixtureDef[Any], Pair]]:
        known = known_definitions(item)
        for node in item.listchain():
            for name in self._pairs.get(node, {}):  # type: ignore[call-overload]
                for fixturedef in known.get(name, ())[-1:]:
                    pair = pair_of(fixturedef)
                    if pair is None:
                        # It has kept the name out of the test, which is all it is for.
                        del known[name]
                        item.fixturenames.remove(name)  # type: ignore[attr-defined]
                    else:
                        yield fixturedef, pair


def _decide(
    session: TrioSession, fixturedef: pytest.FixtureDef[Any], items: list[pytest.Item]
) -> None:
    """Let async functions be awaited, if that is for us to do."""
    pair = pair_of(fixturedef)
    if pair is None or not pair.is_async or hasattr(fixturedef.func, OUR_ATTRIBUTE):
        return
    if any(_is_ours(session, item) for item in items):
        setattr(fixturedef.func, OUR_ATTRIBUTE, True)
    else:
        replace_fixture_function(fixturedef, fixture_function(pair, is_awaited=False))


def _is_ours(session: TrioSession, item: pytest.Item) -> bool:
    """Say whether set-up functions above this test are to be awaited for its sake."""
    if is_foreign(item):
        return False
    return session.is_trio_mode or is_marked(item, getattr(item, "obj", None))


def _mistake(item: pytest.Item, name: str, pair: Pair) -> str | None:
    """Return what is wrong with the functions, or what they request for this test; None if all is well."""
    place = name.rpartition("::")[0]
    for function in pair.functions:
        values = {
            "function": f"{place}::{function.name}",
            "location": location_of(function.function, item.config.rootpath),
        }
        if function.is_generator:
            return _errors.SETUP_YIELDS.format(**values)
        for fixture in function.fixtures:
            message = _mistake_with(item, function.kind, fixture, values)
            if message is not None:
                return message
    return None


def _mistake_with(item: pytest.Item, kind: str, fixture: str, values: dict[str, str]) -> str | None:
    if fixture == "request":
        return None
    known = known_definitions(item)
    if not known.get(fixture):
        hint = _hint(item, fixture)
        message = _errors.SETUP_UNKNOWN.format(
            **values, name=fixture, nodeid=item.nodeid, hint=hint
        )
        if kind in ("session", "directory"):  # names that only this plugin gives a meaning
            name = values["function"].rpartition("::")[2]
            message += f" {_errors.SETUP_HELPER.format(function=name)}"
        return message
    narrow = known[fixture][-1]
    width = "directory" if is_for_one_directory(narrow) else narrow.scope
    if _WIDTHS.index(width) >= _WIDTHS.index(SCOPES[kind]):
        return None
    return _errors.SETUP_SCOPE.format(
        **values, scope=_OCCASIONS[kind], narrow=f"{fixture!r} (scope {width!r})", name=fixture
    )


def _hint(item: pytest.Item, name: str) -> str:
    """Return what else may have been meant."""
    names = {each.argname for each in all_definitions(item.session)}
    close = difflib.get_close_matches(name, sorted(names))
    visible = [repr(each) for each in close if visible_definitions(item, each)]
    return _errors.SETUP_HINT.format(names=", ".join(visible)) if visible else ""


def _do_nothing() -> None:
    """In the place of a function that is for other tests."""
