"""Private names of pytest and Hypothesis, each with why it is needed and what would replace it.

Nothing else in this package touches a name of theirs that has an underscore or is in an internal module.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from _pytest._code import Source, filter_traceback
from _pytest.compat import getlocation
from _pytest.debugging import pytestPDB
from _pytest.fixtures import (
    TopRequest,
    call_fixture_func,
    get_scope_package,
    resolve_fixture_function,
)
from _pytest.python import get_direct_param_fixture_func
from _pytest.python import pytest_pyfunc_call as _pytest_pyfunc_call
from _pytest.runner import SetupState
from _pytest.skipping import evaluate_skip_marks, evaluate_xfail_marks
from _pytest.unittest import TestCaseFunction as UnittestItem

__all__ = [
    "DirectoryFixture",
    "SetupState",
    "UnittestItem",
    "active_fixture",
    "active_fixtures",
    "all_definitions",
    "at_end_of_scope",
    "autouse_names",
    "being_set_up",
    "bound_fixture_function",
    "call_fixture_function",
    "call_test_function",
    "copy_definition",
    "definitions",
    "definitions_of",
    "drop_finishers",
    "execute_definition",
    "explained_without",
    "fill_first",
    "finish_failed_set_up",
    "finish_fixture",
    "finishers_of_node",
    "finishers_with",
    "fixture_of",
    "fixture_source",
    "has_tear_down",
    "initial_names",
    "is_argument",
    "is_set_up",
    "is_skipped_by_mark",
    "item_of",
    "known_definitions",
    "on_xunit_registration",
    "own_definitions",
    "param_ids",
    "param_scopes",
    "register_fixture",
    "replace_fixture_function",
    "replace_setup_state",
    "request_of",
    "requested_names",
    "scope_node",
    "set_up_apart",
    "set_up_fixtures",
    "set_ups_passed_to",
    "shows_frames",
    "tell_request",
    "visible_definitions",
    "withdraw_finisher",
]

Finalizers = list[Callable[[], object]]

# UnittestItem: the item of a unittest.TestCase method, which unittest itself runs and awaits.  pytest
# has no public name for it.
#
# SetupState: pytest's stack of the nodes that are set up, in ``session._setupstate``.  A setting for several
# tests in flight, or a hook that sets nodes up and leaves them, would replace it.


def bound_fixture_function(
    fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
) -> Callable[..., Any]:
    """Return the fixture's function, bound to the test's own instance where it is a method.

    pytest does this when it calls the function; we call it ourselves, elsewhere.  Every async plugin
    needs it (pytest-asyncio and anyio have copies); a copy of its ten lines would replace it.
    """
    function: Callable[..., Any] = resolve_fixture_function(fixturedef, request)
    return function


def call_fixture_function(
    function: Callable[..., Any], request: pytest.FixtureRequest, arguments: dict[str, Any]
) -> Any:
    """Call a sync fixture function as pytest does, which for a generator adds its finalizer.

    A copy of its ten lines would replace it.
    """
    __tracebackhide__ = True
    return call_fixture_func(function, request, arguments)


def replace_fixture_function(
    fixturedef: pytest.FixtureDef[Any], function: Callable[..., Any]
) -> None:
    """Let pytest call ``function`` for the fixture.

    ``FixtureDef.func`` is public to read.  Writing it is how anyio's plugin makes a sync function out
    of an async one; without it a plugin has to repeat pytest's set-up and write ``cached_result``.
    """
    fixturedef.func = function  # type: ignore[misc]


def item_of(request: pytest.FixtureRequest) -> pytest.Function:
    """Return the test for which ``request`` was made, also where it is a wide fixture's.

    ``request.node`` is the node of the scope.  A public ``request.item`` would replace it.
    """
    return request._pyfuncitem


def fixture_of(request: pytest.FixtureRequest) -> pytest.FixtureDef[Any] | None:
    """Return the definition of the fixture whose request this is, ``None`` for a test's."""
    return getattr(request, "_fixturedef", None)


def active_fixture(item: pytest.Function, name: str) -> pytest.FixtureDef[Any] | None:
    """Return the definition that ``name`` stands for in ``item``, if it has been set up for it.

    An override makes this differ from test to test, so the name alone does not say it.
    """
    request = getattr(item, "_request", None)  # taken away when the test has ended
    return request._fixture_defs.get(name) if request else None


def request_of(item: pytest.Function) -> pytest.FixtureRequest:
    """Return the test's own request, which is a new one each time that the test is run.

    To set a fixture up before its turn, and to tell a second run of the same test from the first.
    A hook that is called with the request before the first fixture is set up would replace it.
    """
    return item._request


def definitions(item: pytest.Function, name: str) -> tuple[pytest.FixtureDef[Any], ...]:
    """Return what ``name`` stands for in ``item``, the one that overrides the others last.

    Known before anything has been set up.  Nothing public says it.
    """
    return tuple(item._fixtureinfo.name2fixturedefs.get(name, ()))


def definitions_of(item: pytest.Item) -> Mapping[str, Sequence[pytest.FixtureDef[Any]]] | None:
    """Return what the names stand for that ``item`` requests; None if it is no item with fixtures."""
    info = getattr(item, "_fixtureinfo", None)
    return None if info is None else info.name2fixturedefs


def visible_definitions(item: pytest.Item, name: str) -> Sequence[pytest.FixtureDef[Any]]:
    """Return what ``name`` stands for in ``item`` if nothing is known before it is run.

    So pytest looks up what a fixture asks for while it is set up; before pytest 9.1, that includes what a
    fixture requests that is overridden.  Slower than the other.
    """
    return item.session._fixturemanager.getfixturedefs(name, item) or ()


def all_definitions(session: pytest.Session) -> Iterator[pytest.FixtureDef[Any]]:
    """Yield all fixtures that are known by now, wherever they are visible.

    A public list of them, as ``--fixtures`` prints it, would replace it.
    """
    manager = session._fixturemanager
    if hasattr(manager, "_get_all_fixture_defs"):  # from pytest 9.1 on
        yield from manager._get_all_fixture_defs()
    else:
        for fixturedefs in manager._arg2fixturedefs.values():  # type: ignore[attr-defined]
            yield from fixturedefs


def param_ids(item: pytest.Item) -> Sequence[str]:
    """Return the ids of the parameters of ``item``, one for each time that it was parametrized.

    The name of the item has them in one piece, and they may contain the dash that is between them.
    """
    return item.callspec._idlist  # type: ignore[attr-defined, no-any-return]


def param_scopes(item: pytest.Item) -> Mapping[str, Any]:
    """Return the scope of each parameter of ``item``, an object whose ``value`` is its name.

    It overrides that of the fixture.  A public ``CallSpec.scope(name)`` would replace it.
    """
    callspec = getattr(item, "callspec", None)
    return {} if callspec is None else callspec._arg2scope


def is_argument(fixturedef: pytest.FixtureDef[Any]) -> bool:
    """Say whether pytest has made the fixture to hand a parameter to a test.

    Its class is one of its own from pytest 9.1 on only.
    """
    return fixturedef.func is get_direct_param_fixture_func


def is_skipped_by_mark(item: pytest.Item) -> bool:
    """Say whether a mark keeps ``item`` from being set up: ``skip``, ``skipif``, ``xfail(run=False)``.

    pytest evaluates them when it comes to the item.  A hook that says what will be skipped would replace it.
    """
    names = {mark.name for mark in item.iter_markers()}
    if names.isdisjoint(("skip", "skipif", "xfail")):
        return False
    if not item.config.pluginmanager.has_plugin("skipping"):
        return False
    try:
        if evaluate_skip_marks(item) is not None:
            return True
        expected = evaluate_xfail_marks(item)
    except (Exception, pytest.fail.Exception):  # a mistake in a condition, which pytest reports
        return True
    return expected is not None and not expected.run and not item.config.option.runxfail


def scope_node(
    item: pytest.Item, fixturedef: pytest.FixtureDef[Any], scope: str
) -> pytest.Item | pytest.Collector:
    """Return the node at whose end the fixture is torn down, if it is set up for ``item``.

    ``SubRequest.node`` says it, but there is none before the set-up.  The package is that where the
    fixture is defined, which nothing public tells.
    """
    if isinstance(fixturedef, DirectoryFixture):
        return fixturedef.node_of(item)
    if scope == "session":
        return item.session
    if scope == "package":
        return get_scope_package(item, fixturedef) or item.session  # type: ignore[return-value]
    if scope == "module":
        return item.getparent(pytest.Module) or item.session
    if scope == "class":
        return item.getparent(pytest.Class) or item
    return item


def replace_setup_state(session: pytest.Session, state: SetupState) -> SetupState:
    """Let ``state`` keep the nodes that are set up; return what did so before."""
    former = session._setupstate
    session._setupstate = state
    return former


def own_definitions(
    item: pytest.Item,
    get: Callable[[str], Sequence[pytest.FixtureDef[Any]] | None],
) -> None:
    """Let the names that ``item`` and its fixtures request stand for what ``get`` returns.

    pytest keeps the value of a fixture in its definition, which all tests share, so there can be one test at
    a time.  Values kept for each node of the scope would replace this.
    """
    request = getattr(item, "_request", None)  # not every item has one
    if request is not None:
        request._arg2fixturedefs = _Definitions(get)


class _Definitions(dict[str, Sequence[pytest.FixtureDef[Any]]]):
    """What the request of one test looks names up in, with ``get`` only."""

    def __init__(self, look_up: Callable[[str], Sequence[pytest.FixtureDef[Any]] | None]) -> None:
        self._look_up = look_up

    def get(self, name: str, default: Any = None) -> Any:
        if name not in self:
            found = self._look_up(name)
            if found is None:
                return default
            self[name] = found
        return self[name]


def copy_definition(
    fixturedef: pytest.FixtureDef[Any],
    execute: Callable[[pytest.FixtureDef[Any], pytest.FixtureRequest], Any] | None = None,
) -> pytest.FixtureDef[Any]:
    """Return a definition like this one, with a value of its own.

    ``execute`` is called with it and a request, when a test wants the value; it calls
    :func:`execute_definition`.
    """
    copy = object.__new__(type(fixturedef))
    vars(copy).update(vars(fixturedef))
    copy.cached_result = None
    copy._finalizers = []  # type: ignore[misc]
    if execute is not None:
        copy.execute = functools.partial(execute, copy)  # type: ignore[method-assign]
    return copy


def execute_definition(fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest) -> Any:
    """Return the value of a fixture, set up if it is not; what pytest calls unless it is told otherwise."""
    __tracebackhide__ = True
    return type(fixturedef).execute(fixturedef, request)  # type: ignore[arg-type]


def has_failed(fixturedef: pytest.FixtureDef[Any]) -> bool:
    """Say whether the set-up of a fixture has failed, and pytest would tell that again.

    ``FixtureDef.cached_result`` is documented nowhere.  Without it, such a fixture is set up once.
    """
    return fixturedef.cached_result is not None and fixturedef.cached_result[2] is not None


def being_set_up(request: pytest.FixtureRequest) -> set[str | None]:
    """Return the names of the fixtures whose set-up waits for that of ``request``, itself included.

    pytest can't tell that a fixture asks for itself when another one is set up before its turn.
    """
    return {each.fixturename for each in request._iter_chain()}


def active_fixtures(item: object) -> Collection[pytest.FixtureDef[Any]]:
    """Return the definitions of all fixtures that have been set up for ``item``, if it is a test."""
    request = getattr(item, "_request", None)  # not every item has one
    return request._fixture_defs.values() if request else ()


def set_up_fixtures(
    session: pytest.Session,
) -> list[tuple[pytest.FixtureDef[Any], pytest.FixtureRequest]]:
    """Return the fixtures that are set up and their requests, the oldest first.

    They are known by their finishers on the stack of nodes; nothing public lists them.
    """
    found: dict[pytest.FixtureDef[Any], pytest.FixtureRequest] = {}
    for finalizers, _ in session._setupstate.stack.values():
        for each in finalizers:
            function: Any = each.func if isinstance(each, functools.partial) else each
            if isinstance(fixturedef := getattr(function, "__self__", None), pytest.FixtureDef):
                found[fixturedef] = each.keywords["request"]  # type: ignore[attr-defined]
    return [entry for entry in found.items() if is_set_up(entry[0])]


def is_set_up(fixturedef: pytest.FixtureDef[Any]) -> bool:
    """Say whether the fixture is set up, and its tear-down has not ended, however."""
    result = fixturedef.cached_result
    return result is not None and result[2] is None


def has_tear_down(fixturedef: pytest.FixtureDef[Any]) -> bool:
    """Say whether the user's code is run when the fixture, which is set up, is torn down."""
    function = fixturedef.func
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        return True
    finalizers: list[Any] = fixturedef._finalizers
    modules = {getattr(getattr(each, "func", each), "__module__", None) for each in finalizers}
    return any(
        each is not None and not each.startswith(("_pytest.", f"{__package__}."))
        for each in modules
    )


def finish_fixture(fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest) -> None:
    """Tear the fixture down now, and before it what depends on it.

    ``FixtureDef.finish`` is called by pytest at the end of the scope; a second time it does nothing.
    pytest's own set-up does the same when a parameter changes.
    """
    fixturedef.finish(request)  # type: ignore[arg-type]


def at_end_of_scope(
    fixturedef: pytest.FixtureDef[Any],
    request: pytest.FixtureRequest,
    function: Callable[[], object],
) -> None:
    """Let ``function`` be called when the scope of a fixture ends, which may have been torn down before.

    With the scope "directory", that is before the end of its node, the session, unless the run is cut
    short; so it may be called twice.
    """
    request.node.addfinalizer(function)
    if isinstance(fixturedef, DirectoryFixture):
        fixturedef.extent.addfinalizer(function)


def finish_failed_set_up(
    fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest, error: BaseException
) -> None:
    """Call the finalizers of a set-up that raised what pytest takes no note of.

    pytest refuses to finish what has no cached result, and then to set it up again.  If its set-up
    cached every exception, nothing would be needed here.
    """
    fixturedef.cached_result = (None, fixturedef.cache_key(request), (error, None))  # type: ignore[arg-type]
    fixturedef.finish(request)  # type: ignore[arg-type]


def finishers_with(
    fixturedef: pytest.FixtureDef[Any],
    request: pytest.FixtureRequest,
    among: Collection[pytest.FixtureDef[Any]],
) -> list[Finalizers]:
    """Return the lists that pytest has just put a finisher of the fixture in, as its set-up begins.

    A finisher is ``partial(fixturedef.finish, request=request)``.  Each fixture that is taken as an
    argument gets it, so that who depends on it is torn down before it; those ``among`` them count.
    Finalizers with handles to withdraw them by (pytest's PR 14104) would replace all that is said of
    finishers here.  Where pytest keeps them in another way, there is no list.
    """
    active = getattr(request, "_fixture_defs", {})
    lists = []
    for name in fixturedef.argnames:
        required = active.get(name)
        if required in among:
            finalizers: Any = getattr(required, "_finalizers", None)
            is_list = type(finalizers) is list and finalizers
            if is_list and _is_finisher(finalizers[-1], fixturedef, request):
                lists.append(finalizers)
    return lists


def finishers_of_node(request: pytest.FixtureRequest) -> list[Finalizers]:
    """Return the list in which pytest will put a finisher as well, for the end of the fixture's scope.

    In a list, for it is there only where pytest keeps it as we know it.
    """
    try:
        finalizers = request.session._setupstate.stack[request.node][0]
    except (AttributeError, LookupError, TypeError):
        return []
    return [finalizers] if type(finalizers) is list else []


def drop_finishers(fixturedef: pytest.FixtureDef[Any], lists: list[Finalizers]) -> None:
    """Drop all finishers of a fixture that is not set up, whatever request they have."""
    for finalizers in lists:
        finalizers[:] = [each for each in finalizers if not _is_finisher(each, fixturedef)]


def withdraw_finisher(
    fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest, lists: list[Finalizers]
) -> None:
    """Take the finisher of a fixture that has been finished out of ``lists``; it would do nothing."""
    for finalizers in lists:
        for index in range(len(finalizers) - 1, -1, -1):  # what ends now came late, as a rule
            if _is_finisher(finalizers[index], fixturedef, request):
                del finalizers[index]
                break


def _is_finisher(
    finalizer: object,
    fixturedef: pytest.FixtureDef[Any],
    request: pytest.FixtureRequest | None = None,
) -> bool:
    """Say whether it finishes the fixture; with ``request``, whether that is also what it was left with."""
    return (
        type(finalizer) is functools.partial
        and (request is None or finalizer.keywords.get("request") is request)
        and finalizer.func == fixturedef.finish
    )


def fill_first(item: pytest.Function, function: Callable[[], object]) -> None:
    """Let ``function`` be called when pytest is about to set up the fixtures of a test, the nodes being up.

    ``pytest_runtest_setup`` is called before the nodes are up, or when all is done; ``Item.setup`` has
    more to do for a unittest method.  The hook named at :func:`request_of` would replace this too.
    """
    request = item._request
    fill = request._fillfixtures

    def fill_after() -> None:
        __tracebackhide__ = True
        del request._fillfixtures
        function()
        fill()

    request._fillfixtures = fill_after  # type: ignore[method-assign]


Execute = Callable[[], Any]


@contextlib.contextmanager
def set_ups_passed_to(
    once: Callable[[pytest.FixtureDef[Any], Execute, pytest.FixtureRequest], Any],
) -> Iterator[None]:
    """Let ``once`` do every set-up in the block: it gets the fixture, what does it, and the request.

    Between the time when ``FixtureDef.execute`` has found that a fixture is not up and the end of its
    set-up, pytest expects nobody else to ask for it, and would set it up twice.  A hook around
    ``execute`` would replace this, or a lock in it.
    """
    execute = pytest.FixtureDef.execute

    def execute_once(fixturedef: Any, request: Any) -> Any:
        __tracebackhide__ = True
        return once(fixturedef, functools.partial(execute, fixturedef, request), request)

    pytest.FixtureDef.execute = execute_once  # type: ignore[assignment,method-assign]
    try:
        yield
    finally:
        pytest.FixtureDef.execute = execute  # type: ignore[method-assign]


def requested_names(item: pytest.Function) -> tuple[str, ...]:
    """Return the fixtures that the test function takes as arguments.

    ``item.fixturenames`` has autouse fixtures and fixtures of fixtures as well.
    """
    return item._fixtureinfo.argnames


def initial_names(item: pytest.Item) -> tuple[str, ...]:
    """Return the fixtures that the test requests itself: by autouse, marks and arguments, in this order.

    ``item.fixturenames`` has fixtures of fixtures as well, sorted by their scope.
    """
    return item._fixtureinfo.initialnames  # type: ignore[attr-defined, no-any-return]


def autouse_names(item: pytest.Item) -> frozenset[str]:
    """Return the names of the autouse fixtures that ``item`` sees.

    ``FixtureDef._autouse`` says the same of one fixture, and is announced to go.
    """
    return frozenset(item.session._fixturemanager._getautousenames(item))


def set_up_apart(item: pytest.Function, name: str) -> None:
    """Set a wide fixture up as if ``item`` requested it, without a trace of it in the item's request.

    pytest can set a fixture up for a test only; nothing public makes a request.
    """
    own = item._request
    item._request = TopRequest(item, _ispytest=True)
    try:
        item._request.getfixturevalue(name)
    finally:
        item._request = own


def call_test_function(item: pytest.Function) -> None:
    """Call ``item.obj`` with its fixtures as pytest does, including its complaint about return values.

    The hook implementation itself, since a hook call would come back to us.
    """
    __tracebackhide__ = True
    _pytest_pyfunc_call(item)


def fixture_source(function: Callable[..., Any]) -> tuple[str, str]:
    """Return the indented source of a fixture and its ``path:line``, as pytest shows them.

    ``inspect`` would replace them.
    """
    return str(Source(function).indent()), getlocation(function)


def shows_frames(error: BaseException) -> bool:
    """Say whether pytest shows a frame of the traceback: one that is not its own, and not hidden.

    An error that shows none needs a frame of ours.  A copy of the test for pytest's own would replace it.
    """
    shown = pytest.ExceptionInfo.from_exception(error)
    return any(filter_traceback(each) and not each.ishidden(shown) for each in shown.traceback)


def register_fixture(
    node: pytest.Collector, name: str, function: Callable[..., Any], scope: Any, *, first: int
) -> None:
    """Register an autouse fixture for the tests below ``node``; public since pytest 9.1.

    It becomes the autouse fixture number ``first`` of its node, as pytest's own fixtures for set-up functions
    come before the user's.  An argument for that would replace the second half.
    """
    manager: Any = node.session._fixturemanager
    if hasattr(pytest, "register_fixture"):
        pytest.register_fixture(name=name, func=function, node=node, scope=scope, autouse=True)
    else:
        manager._register_fixture(
            name=name, func=function, nodeid=node.nodeid, scope=scope, autouse=True
        )
    by_node = getattr(manager, "_node_autousenames", {}).get(node, [])  # since pytest 9.1
    for names in (by_node, manager._nodeid_autousenames.get(node.nodeid, [])):
        if name in names:
            names.remove(name)
            names.insert(first, name)


_XUNIT_REGISTRATIONS = {
    "module": "_register_setup_module_fixture",
    "function": "_register_setup_function_fixture",
    "class": "_register_setup_class_fixture",
    "method": "_register_setup_method_fixture",
}


def on_xunit_registration(
    collector: pytest.Collector, kind: str, register: Callable[[Callable[[], None]], None]
) -> None:
    """Let ``register`` be called when pytest registers its fixture for set-up functions of this kind.

    It gets what pytest would have called.  That is the moment when the module has been imported, errors are
    reported as those of the collection, and no other fixture of the node has been registered.  A hook
    there, or one that calls a set-up function, would replace it.
    """
    name = _XUNIT_REGISTRATIONS[kind]
    as_pytest = getattr(collector, name, None)
    if as_pytest is not None:
        setattr(collector, name, lambda: register(as_pytest))


def known_definitions(item: pytest.Item) -> dict[str, Sequence[pytest.FixtureDef[Any]]]:
    """Return what each name stands for in ``item``, to be changed; all tests of a function share it.

    Empty for items that have no fixtures.
    """
    info = getattr(item, "_fixtureinfo", None)
    found: dict[str, Sequence[pytest.FixtureDef[Any]]] = (
        {} if info is None else info.name2fixturedefs
    )
    return found


def tell_request(item: pytest.Item) -> None:
    """Let the test's request know of changes to :func:`known_definitions`.

    Before pytest 9 it has a copy.
    """
    request = getattr(item, "_request", None)
    if request is not None:
        request._arg2fixturedefs.update(known_definitions(item))


class DirectoryFixture(pytest.FixtureDef[Any]):
    """A definition of which there is one for each directory, with what it has set up.

    pytest has one object for each definition, which knows of one instance at a time.  A public way to make
    a definition, with a scope of one's own, would replace it.
    """

    def __init__(
        self,
        original: pytest.FixtureDef[Any],
        session: pytest.Session,
        directory: Path,
        *,
        is_for_tree: bool,
    ) -> None:
        vars(self).update(vars(original))
        #: What it is a copy of, the same for all directories.
        self.original = original
        #: Whether it is there for the directories below as well.
        self.is_for_tree = is_for_tree
        #: What ends with the directory.
        self.extent: Any = None
        self._directory = directory
        self.cached_result = None
        self._finalizers = []  # type: ignore[misc]
        # pytest looks for the package where it has been defined; it belongs to the session in any case, as a
        # package is left when a test of another one comes in between.
        self.baseid = ""  # type: ignore[misc]
        if hasattr(original, "node"):  # since pytest 9.1
            self.node = session  # type: ignore[misc]

    def node_of(self, item: pytest.Item) -> pytest.Collector:
        """Return the node of the directory above ``item``, which is in it or below it."""
        nodes = [node for node in item.listchain() if isinstance(node, pytest.Directory)]
        found = [node for node in nodes if node.path == self._directory]
        return found[0] if found else item.session

    @property
    def scope(self) -> Any:
        """What is shown of it; for pytest it counts as package-scoped."""
        return "directory"


@contextlib.contextmanager
def explained_without(is_foreign_file: Callable[[str], bool]) -> Iterator[None]:
    """Let Hypothesis not count the lines of such files when it explains a failure, in the block.

    It names the lines that only failing examples run.  How an example gets to the loop and back hangs on
    how the one before has ended, so it would name lines of ours, and stop at them on its way to the
    user's.  A setting for that, or a name for us on its list of unhelpful locations, would replace it.
    """
    tracer: Any = sys.modules.get("hypothesis.internal.scrutineer")
    original: Callable[[str], bool] | None = getattr(tracer, "should_trace_file", None)
    if original is None:
        yield
        return

    @functools.cache
    def should_trace_file(fname: str) -> bool:
        return not is_foreign_file(fname) and original(fname)

    tracer.should_trace_file = should_trace_file
    try:
        yield
    finally:
        tracer.should_trace_file = original


@contextlib.contextmanager
def calling_before_prompts(act: Callable[[], object]) -> Iterator[None]:
    """Call ``act`` in the block before each prompt of the debugger, and before anything is written for it.

    The hook ``pytest_enter_pdb`` is called when capturing has been suspended and a headline written.  A hook
    before that would replace this.
    """
    original = vars(pytestPDB)["_init_pdb"]

    def init_pdb(method: str, *arguments: Any, **options: Any) -> Any:
        act()
        return original.__get__(None, pytestPDB)(method, *arguments, **options)

    pytestPDB._init_pdb = staticmethod(init_pdb)  # type: ignore[method-assign]
    try:
        yield
    finally:
        pytestPDB._init_pdb = original  # type: ignore[method-assign]
