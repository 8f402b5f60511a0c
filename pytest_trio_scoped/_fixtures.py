"""Fixtures: who sets them up, inside or outside.

pytest keeps its own fixture machinery.  For the moment of one set-up the fixture's function is replaced
by a sync one, its twin, which waits for the loop; so caching, parameters, finalizers and ``--setup-*``
are pytest's.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from functools import cached_property
from typing import Any, Literal, TypeAlias, TypeVar, overload

import pytest

from ._lending import prepare_request
from ._ownership import OUR_ATTRIBUTE, is_inside, is_our_fixture, is_stand_in
from ._pytest_names import (
    active_fixture,
    bound_fixture_function,
    finish_failed_set_up,
    item_of,
    replace_fixture_function,
)
from ._session import TrioSession

Function = TypeVar("Function", bound=Callable[..., object])
ScopeOfPytest: TypeAlias = Literal["session", "package", "module", "class", "function"]
Scope: TypeAlias = ScopeOfPytest | Literal["directory"]


class FixtureHooks:
    """Set up async fixtures, and sync ones that depend on an async one, on the loop."""

    def __init__(self, session: TrioSession) -> None:
        self._session = session

    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
    ) -> None:
        """Replace the function by its twin if it has to wait, or to run on the other side.

        Not a wrapper: that would cost every set-up of every fixture.  The twin puts the function back
        before it does anything else.
        """
        session = self._session
        function = fixturedef.func
        if is_inside(function):
            if not is_our_fixture(session, fixturedef, request):
                return
            self._replace_once(fixturedef, request, self._twin(fixturedef, request))
        elif session.inside_fixtures and self._depends_on_inside(fixturedef, request):
            self._replace_once(fixturedef, request, self._twin(fixturedef, request))
        else:
            if "request" in fixturedef.argnames:
                prepare_request(session, request)
            if session.has_loop:
                self._replace_once(fixturedef, request, self._outside_twin(fixturedef, request))

    def _twin(
        self, fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
    ) -> Callable[..., Any]:
        bound = bound_fixture_function(fixturedef, request)
        twin: Callable[..., Any] = self._twins.FixtureTwin(
            self._session, fixturedef, request, bound
        )
        return twin

    def _outside_twin(
        self, fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
    ) -> Callable[..., Any]:
        bound = bound_fixture_function(fixturedef, request)
        twin: Callable[..., Any] = self._twins.outside_twin(
            self._session, fixturedef, request, bound
        )
        return twin

    @cached_property
    def _twins(self) -> Any:
        """The module, imported once: at the first async need, as it imports Trio."""
        # "from . import" would find one that a run of pytest within a test has taken out of sys.modules.
        return importlib.import_module("._twins", __package__)

    def _depends_on_inside(
        self, fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
    ) -> bool:
        item = item_of(request)
        inside = self._session.inside_fixtures
        asks = any(active_fixture(item, name) in inside for name in fixturedef.argnames)
        return asks and not is_stand_in(fixturedef.func)

    def _replace_once(
        self,
        fixturedef: pytest.FixtureDef[Any],
        request: pytest.FixtureRequest,
        twin: Callable[..., Any],
    ) -> None:
        function = fixturedef.func

        def put_back_and_call(**arguments: Any) -> Any:
            __tracebackhide__ = True
            replace_fixture_function(fixturedef, function)
            try:
                return twin(**arguments)
            except (Exception, pytest.fail.Exception, pytest.skip.Exception):
                raise
            except BaseException as error:
                self._forget_set_up(fixturedef, request, error)
                raise

        replace_fixture_function(fixturedef, put_back_and_call)

    def _forget_set_up(
        self,
        fixturedef: pytest.FixtureDef[Any],
        request: pytest.FixtureRequest,
        error: BaseException,
    ) -> None:
        """Tear down what a set-up has left that ended by no error of its own: it was cancelled.

        pytest takes note of errors only, since after anything else the run is over for it.  But here
        the run goes on, and the fixture may be asked for again.
        Pinned by ``test_a_cancelled_set_up_is_undone_and_may_be_done_again``.
        """
        loop = self._session.present_loop
        with nullcontext() if loop is None else loop.shielded():
            finish_failed_set_up(fixturedef, request, error)


# What is decorated keeps its type.  pytest's own decorator gives a FixtureFunctionDefinition, a private class
# that takes any call and has lost the signature; so types say nothing of it, and editors neither.  With the
# function's own type, both show its signature and what it returns, and a fixture that is used without being
# requested is a mistake for a type checker: it has not the attributes of its value, and can't be awaited.
@overload
def trio_fixture(
    function: Function,
    /,
    *,
    scope: Scope | Callable[[str, pytest.Config], ScopeOfPytest] = ...,
    params: Iterable[object] | None = ...,
    autouse: bool = ...,
    ids: Sequence[object | None] | Callable[[Any], object | None] | None = ...,
    name: str | None = ...,
) -> Function: ...
@overload
def trio_fixture(
    *,
    scope: Scope | Callable[[str, pytest.Config], ScopeOfPytest] = ...,
    params: Iterable[object] | None = ...,
    autouse: bool = ...,
    ids: Sequence[object | None] | Callable[[Any], object | None] | None = ...,
    name: str | None = ...,
) -> Callable[[Function], Function]: ...
def trio_fixture(function: Callable[..., Any] | None = None, /, **arguments: Any) -> Any:
    """Make a fixture that is set up on the session's Trio loop, whatever the mode.

    For a sync function it means that it runs inside, where ``trio.lowlevel.current_task()`` and
    ``nursery.start_soon()`` work.

    Args:
        function: The function, if the decorator is used without arguments.
        arguments: Every argument of ``pytest.fixture``: ``scope``, ``params``, ``autouse``, ``ids``,
            ``name``.  With the scope "directory", which pytest does not have, there is one instance for
            each directory that has a test using it.

    """
    if function is None:
        return lambda function: _trio_fixture(function, arguments)
    return _trio_fixture(function, arguments)


def _trio_fixture(function: Callable[..., Any], arguments: dict[str, Any]) -> Any:
    # The function below a classmethod or staticmethod is what pytest hands to the hooks.
    below = getattr(function, "__func__", function)
    setattr(below, OUR_ATTRIBUTE, True)
    if arguments.get("scope") == "directory":
        from ._directories import DIRECTORY_ATTRIBUTE, directory_scope

        setattr(below, DIRECTORY_ATTRIBUTE, True)
        arguments = {**arguments, "scope": directory_scope}
    return pytest.fixture(**arguments)(function)
