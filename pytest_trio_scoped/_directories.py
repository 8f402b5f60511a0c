"""Fixtures of which there is one instance for each directory.

pytest has no such scope.  It takes these fixtures as package-scoped, and its package is that of the
definition, not of the test.  So when all has been collected, the tests of each directory get a copy of the
definition of their own, which pytest handles as any other.  It is torn down with the file of the last test
of the directory: not earlier if tests of another directory come in between, which ends a package.

A ``setup_directory`` is the same with a tree of directories in place of one.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from . import _errors
from ._pytest_names import (
    DirectoryFixture,
    finish_fixture,
    known_definitions,
    tell_request,
    visible_definitions,
)
from ._setup_functions import pair_of

#: Set on the functions of fixtures with this scope.
DIRECTORY_ATTRIBUTE = "_pytest_trio_scoped_directory"

_HOOKS = "trio_scoped_directories"


def directory_scope(*, fixture_name: str, config: pytest.Config) -> str:
    """Return the scope that pytest takes such a fixture for; called when it is registered."""
    hooks_of(config).names.add(fixture_name)
    return "package"


def is_for_one_directory(fixturedef: pytest.FixtureDef[Any]) -> bool:
    """Say whether it is a fixture with the scope "directory"."""
    return hasattr(fixturedef.func, DIRECTORY_ATTRIBUTE)


def hooks_of(config: pytest.Config) -> DirectoryHooks:
    """Return the hooks of a session, which are there from the first such fixture on."""
    manager = config.pluginmanager
    hooks: DirectoryHooks | None = manager.get_plugin(_HOOKS)
    if hooks is None:
        hooks = DirectoryHooks()
        manager.register(hooks, _HOOKS)
    return hooks


class Extent:
    """The tests below one node: how many are to come, and which fixtures live for them."""

    def __init__(self, directory: Path | None, has_below: bool) -> None:
        #: Grows with the number of tests that may be in it.
        self.width = (-len(directory.parts) if directory else 0, has_below)
        self.to_come = 0
        #: What tears down each fixture, in the order of set-up, and other finalizers.
        self._finalizers: dict[object, Callable[[], object]] = {}

    def note(self, fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest) -> None:
        """Note that a fixture lives."""
        self._finalizers.pop(fixturedef, None)
        self._finalizers[fixturedef] = partial(finish_fixture, fixturedef, request)

    def addfinalizer(self, finalizer: Callable[[], object]) -> None:
        """Let ``finalizer`` be called at the end, before what has been added earlier."""
        self._finalizers[finalizer] = finalizer

    def drop_finalizer(self, finalizer: Callable[[], object]) -> None:
        """Let it not be called, if it has not been."""
        self._finalizers.pop(finalizer, None)

    def end(self) -> None:
        """Tear down what is live if no test is to come."""
        if self.to_come > 0:
            return
        errors: list[BaseException] = []
        while self._finalizers:
            _, finalizer = self._finalizers.popitem()
            try:
                finalizer()
            except BaseException as error:
                errors.append(error)
        if errors:
            from ._outcomes import needs_our_frame  # imports Trio

            raised = _one_of(errors)
            __tracebackhide__ = not needs_our_frame(raised)
            raise raised


def _one_of(errors: list[BaseException]) -> BaseException:
    """Return what to raise for all: one as itself, what ends the run as itself, and else a group."""
    from ._outcomes import act_as_in_sync_code  # imports Trio

    if len(errors) == 1:
        return errors[0]
    group = BaseExceptionGroup(_errors.DIRECTORY_FAILED, errors)
    raised = act_as_in_sync_code(group)
    if raised is not group or isinstance(group, Exception):
        return raised
    # Behind a group that is no Exception pytest leaves the nodes around the directory standing.
    return ExceptionGroup(_errors.DIRECTORY_FAILED, [_as_exception(error) for error in errors])


def _as_exception(error: BaseException) -> Exception:
    """Return a verdict, such as ``pytest.fail``, as an exception that may be one of several."""
    if isinstance(error, Exception):
        return error
    return AssertionError(f"{type(error).__name__}: {error}").with_traceback(error.__traceback__)


def extent_of(fixturedef: pytest.FixtureDef[Any]) -> Extent | None:
    """Return at whose end a fixture for a directory is torn down, None for any other."""
    extent: Extent | None = getattr(fixturedef, "extent", None)
    return extent


class DirectoryHooks:
    """Give the tests of each directory definitions of their own, and end what these have set up."""

    def __init__(self) -> None:
        #: The names of the fixtures with the scope "directory".
        self.names: set[str] = set()
        self._extents: dict[tuple[Path | None, bool], Extent] = {}
        self._copies: dict[tuple[object, Extent], DirectoryFixture] = {}
        self._of_item: dict[pytest.Item, tuple[Extent, ...]] = {}
        #: The tests that have begun, with the extents that they may still use.
        self._in_flight: dict[pytest.Item, dict[Extent, None]] = {}
        self._ended_with: set[tuple[pytest.Collector, Extent]] = set()

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Replace the definitions by copies, where a test requests them by name.

        Registered late, so this is called before others look at scopes.
        """
        self._replace_all(session)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> None:
        """Do the same for what may be asked for while a test runs, and count the tests."""
        for item in session.items:
            known = known_definitions(item)
            for name in self.names.difference(known):
                if found := visible_definitions(item, name):
                    known[name] = found
        self._replace_all(session)
        for item in session.items:
            for extent in self._of_item.get(item, ()):
                extent.to_come += 1

    def _replace_all(self, session: pytest.Session) -> None:
        replaced: dict[int, tuple[tuple[pytest.Collector, Extent], ...]] = {}
        for item in session.items:
            known = known_definitions(item)
            if id(known) not in replaced:  # one for all tests of a function
                replaced[id(known)] = self._replace(item, known)
            extents = replaced[id(known)]
            if extents:
                tell_request(item)
                found = dict.fromkeys(extent for _, extent in extents)
                # The narrowest first: it may hang on others.
                self._of_item[item] = tuple(sorted(found, key=lambda each: each.width))
            for node, extent in extents:
                self._end_with(node, extent)

    def _replace(
        self, item: pytest.Item, known: dict[str, Any]
    ) -> tuple[tuple[pytest.Collector, Extent], ...]:
        """Replace what ``known`` has; return what ends when, with the node that is left then."""
        ends: dict[tuple[pytest.Collector, Extent], None] = {}
        for name, definitions in known.items():
            made = []
            for each in definitions:
                place = _place(item, each)
                if place is None:
                    made.append(each)
                    continue
                node, path, has_below = place
                extent = self._extents.setdefault((path, has_below), Extent(path, has_below))
                ends[node, extent] = None
                made.append(self._copy(each, extent, item.session, path, is_for_tree=has_below))
            if made != list(definitions):
                known[name] = made
        return tuple(ends)

    def _copy(
        self,
        fixturedef: pytest.FixtureDef[Any],
        extent: Extent,
        session: pytest.Session,
        directory: Path,
        *,
        is_for_tree: bool,
    ) -> pytest.FixtureDef[Any]:
        if isinstance(fixturedef, DirectoryFixture):
            return fixturedef
        key = fixturedef, extent
        if key not in self._copies:
            copy = self._copies[key] = DirectoryFixture(
                fixturedef, session, directory, is_for_tree=is_for_tree
            )
            copy.extent = extent
        return self._copies[key]

    def _end_with(self, node: pytest.Collector, extent: Extent) -> None:
        """Look whether the extent is over when ``node`` has been torn down, with all else that it has."""
        if (node, extent) not in self._ended_with:
            self._ended_with.add((node, extent))
            end = partial(self._end_after, node, extent)
            node.teardown = partial(_in_order, node.teardown, end)  # type: ignore[method-assign]

    def _end_after(self, node: pytest.Collector, extent: Extent) -> None:
        """End the extent if no test is to come; those below ``node``, which is torn down, are over."""
        __tracebackhide__ = True
        for item in self._in_flight:
            if node in item.iter_parents():
                self._leave(item, extent)
        extent.end()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> None:
        """Note that the test has still to leave."""
        if item in self._of_item:
            self._in_flight[item] = dict.fromkeys(self._of_item[item])

    @pytest.hookimpl(tryfirst=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
    ) -> None:
        """Note that the fixture lives."""
        extent = extent_of(fixturedef)
        if extent is not None:
            extent.note(fixturedef, request)

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> None:
        """End what is over although no node has been left: a last test that is skipped enters none."""
        __tracebackhide__ = True
        for extent in self._of_item.get(item, ()):
            self._leave(item, extent)
            extent.end()
        self._in_flight.pop(item, None)

    def _leave(self, item: pytest.Item, extent: Extent) -> None:
        """Note that whatever the test had in the extent has been torn down."""
        left = self._in_flight.get(item, {})
        if extent in left:
            del left[extent]
            extent.to_come -= 1


def _place(
    item: pytest.Item, fixturedef: pytest.FixtureDef[Any]
) -> tuple[pytest.Collector, Path, bool] | None:
    """Return where the instance for this test lives: the node, the directory, whether with those below."""
    pair = pair_of(fixturedef)
    chain = item.listchain()
    if pair is not None and pair.directory is not None:
        for node in chain:
            if isinstance(node, pytest.Directory) and node.path == pair.directory:
                return node, pair.directory, True
        return item.session, pair.directory, True
    if not is_for_one_directory(fixturedef):
        return None
    for directory, node in reversed(list(itertools.pairwise(chain))):
        if isinstance(directory, pytest.Directory) and isinstance(node, pytest.Collector):
            return node, directory.path, False
    return item.session, item.path.parent, False


def _in_order(first: Callable[[], object], second: Callable[[], object]) -> None:
    """Call the second also if the first fails."""
    __tracebackhide__ = True
    try:
        first()
    finally:
        second()
