"""Test calls: who runs a test, inside or outside."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Generator
from functools import cached_property
from typing import Any

import pytest

from . import _errors
from ._lending import prepare_request
from ._ownership import body_of, is_async, is_async_generator, is_marked, is_our_test, is_stand_in
from ._pytest_names import active_fixture, call_test_function, requested_names
from ._session import TrioSession


class CallHooks:
    """Run async tests, and sync ones that depend on an async fixture, on the loop."""

    def __init__(self, session: TrioSession) -> None:
        self._session = session

    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> object | None:
        """Call the test's twin in its place.

        Not first: a mark that another hook sets here with ``tryfirst`` still counts.
        """
        __tracebackhide__ = True
        function = pyfuncitem.obj
        if hasattr(function, TWIN_ATTRIBUTE):
            return None
        twin = self.twin(pyfuncitem)
        if twin is None:
            return None
        pyfuncitem.obj = twin
        try:
            call_test_function(pyfuncitem)
        finally:
            pyfuncitem.obj = function
        return True

    def twin(self, item: pytest.Function) -> Callable[..., Any] | None:
        """Return what to call in place of the test function, ``None`` for the function itself."""
        function = item.obj
        body = body_of(function)
        if is_async(body) and is_our_test(self._session, item):
            if is_async_generator(body):
                pytest.fail(_errors.TEST_IS_A_GENERATOR.format(nodeid=item.nodeid), pytrace=False)
            return self._inside_twin(item, function)
        if is_async(function):
            return None
        return self._twin_of_sync(item, function)

    def _inside_twin(
        self, item: pytest.Function, function: Callable[..., Any]
    ) -> Callable[..., Any]:
        self._session.choice.for_call(item)
        if body_of(function) is not function:
            from ._hypothesis_tests import examples_twin

            return examples_twin(self._session, item, function)
        twin: Callable[..., Any] = self._twins.call_twin(self._session, item, function)
        return twin

    def _twin_of_sync(
        self, item: pytest.Function, function: Callable[..., Any]
    ) -> Callable[..., Any] | None:
        in_thread = self._session.thread_twin(item, function)
        if in_thread is not None:
            return in_thread
        body = body_of(function)
        if is_marked(item, function) and (body is function or not is_stand_in(body)):
            pytest.fail(_errors.MARKED_BUT_SYNC.format(nodeid=item.nodeid), pytrace=False)
        names = requested_names(item)
        if "request" in names:
            request = item.funcargs["request"]
            assert isinstance(request, pytest.FixtureRequest)
            prepare_request(self._session, request)
        if not self._session.has_loop:
            return None
        used = [name for mark in item.iter_markers("usefixtures") for name in mark.args]
        inside = self._session.inside_fixtures
        # Asked for by name: with an autouse fixture alone a test stays outside.
        asks = any(active_fixture(item, name) in inside for name in (*names, *used))
        if asks and not is_stand_in(body):
            if body is function:
                function = self._session.time_sync_test(item, function)
            return self._inside_twin(item, function)
        twin: Callable[..., Any] = self._twins.outside_call_twin(self._session, item, function)
        return twin

    @cached_property
    def _twins(self) -> Any:
        """The module, imported once: at the first async need, as it imports Trio."""
        # "from . import" would find one that a run of pytest within a test has taken out of sys.modules.
        return importlib.import_module("._twins", __package__)


class EarlyCallHooks:
    """Put the twin of a test that is known to be ours in place before any other plugin sees the test.

    As under pytest-trio: conftests mark or wrap what is still async when it is called, and would do so
    with ours, to which they may not be equal (a bound method takes no mark).
    """

    def __init__(self, calls: CallHooks) -> None:
        self._calls = calls

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> Generator[None, object, object]:
        """Replace the function for the call."""
        __tracebackhide__ = True
        function = pyfuncitem.obj
        twin = self.twin(pyfuncitem) if is_async(function) else None
        if twin is None:
            return (yield)
        setattr(twin, TWIN_ATTRIBUTE, True)
        pyfuncitem.obj = twin
        try:
            return (yield)
        finally:
            pyfuncitem.obj = function

    def twin(self, item: pytest.Function) -> Callable[..., Any] | None:
        """Return the twin of an async test, ``None`` if it is not ours."""
        return self._calls.twin(item)


#: Set on the twin of an async test, and copied by ``--trace`` to the function that it wraps around it.
TWIN_ATTRIBUTE = "_pytest_trio_scoped_twin"
