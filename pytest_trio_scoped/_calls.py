"""Test calls: who runs a test, inside or outside."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import pytest

from . import _errors
from ._ownership import is_async, is_marked, is_our_test, is_stand_in
from ._pytest_names import active_fixture, call_test_function, requested_names
from ._requests import lend_nurseries
from ._session import TrioSession


class CallHooks:
    """Run async tests, and sync ones that depend on an async fixture, on the loop."""

    def __init__(self, session: TrioSession) -> None:
        self._session = session

    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> object | None:
        """Call the test's twin in its place.

        Late among the hooks, so that a mark that another hook sets here still counts.
        """
        __tracebackhide__ = True
        twin = self.twin(pyfuncitem)
        if twin is None:
            return None
        function = pyfuncitem.obj
        pyfuncitem.obj = twin
        try:
            call_test_function(pyfuncitem)
        finally:
            pyfuncitem.obj = function
        return True

    def twin(self, item: pytest.Function) -> Callable[..., Any] | None:
        """Return what to call in place of the test function, ``None`` for the function itself."""
        function = item.obj
        if is_async(function):
            if not is_our_test(self._session, item):
                return None
        elif hasattr(function, _TWIN_ATTRIBUTE) or not self._is_inside(item, function):
            return None
        from ._twins import call_twin

        return call_twin(self._session, item, function)

    def _is_inside(self, item: pytest.Function, function: Callable[..., Any]) -> bool:
        """Say whether a sync test asks by name for a fixture whose users run inside."""
        if is_marked(item, function) and not _is_hypothesis_test(function):
            pytest.fail(_errors.MARKED_BUT_SYNC.format(nodeid=item.nodeid), pytrace=False)
        names = requested_names(item)
        if "request" in names:
            request = item.funcargs["request"]
            assert isinstance(request, pytest.FixtureRequest)
            lend_nurseries(self._session, request)
        inside = self._session.inside_fixtures
        if not inside:
            return False
        used = [name for mark in item.iter_markers("usefixtures") for name in mark.args]
        asks = any(active_fixture(item, name) in inside for name in (*names, *used))
        return asks and not is_stand_in(function)


def _is_hypothesis_test(function: Callable[..., Any]) -> bool:
    return hasattr(function, "hypothesis")


#: Set on the twin of an async test, and copied by ``--trace`` to the function that it wraps around it.
_TWIN_ATTRIBUTE = "_pytest_trio_scoped_twin"


class TraceHooks:
    """With ``--trace``: step into the async test, and not into the creation of its coroutine."""

    def __init__(self, calls: CallHooks) -> None:
        self._calls = calls

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> Generator[None, object, object]:
        """Put the twin in place before pytest wraps the debugger around the test function."""
        function = pyfuncitem.obj
        twin = self._calls.twin(pyfuncitem) if is_async(function) else None
        if twin is not None:
            setattr(twin, _TWIN_ATTRIBUTE, True)
            pyfuncitem.obj = twin
        try:
            return (yield)
        finally:
            pyfuncitem.obj = function
