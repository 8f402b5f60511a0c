"""Sync tests in a worker thread, while the loop runs on: the mark ``trio_thread``.

A sync test runs in pytest's thread, and so does the loop, which stands still meanwhile.  A blocking client
would wait for ever for a server that lives in an async fixture.  With the mark, the test function is
called in a thread of Trio's, and a task waits for it as the task of an async test would: so Ctrl-C and
crashes of fixtures end the wait as usual.  Nothing can stop the thread itself; it is abandoned then.

Fixtures are set up and torn down in pytest's thread.  pytest is not made to be called from two at a time,
so what would set a fixture up from the worker thread is refused.

Pinned by ``tests/test_trio_thread.py``.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Coroutine, Iterable
from functools import partial
from typing import Any

import pytest

from . import _errors
from ._calls import TWIN_ATTRIBUTE
from ._ownership import THREAD_MARK, is_async, is_marked
from ._pytest_names import UnittestItem, call_test_function
from ._session import TrioSession

_Function = Callable[..., Any]


class ThreadHooks:
    """Look for tests that are marked."""

    def __init__(self, session: TrioSession) -> None:
        self._session = session

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Refuse the mark on what pytest does not call as a function."""
        for item in items:
            if isinstance(item, pytest.Function) and not isinstance(item, UnittestItem):
                continue
            if item.get_closest_marker(THREAD_MARK) is not None:
                message = _errors.THREAD_NO_FUNCTION.format(nodeid=item.nodeid)
                item.runtest = partial(pytest.fail, message, pytrace=False)  # type: ignore[method-assign]

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> None:
        """Register the hook that every call of a test pays for only if there are any."""
        if _any_marked(session.items):
            session.config.pluginmanager.register(ThreadCallHooks(self._session))


class ThreadCallHooks:
    """Run the tests that are marked in a worker thread."""

    def __init__(self, session: TrioSession) -> None:
        self._session = session

    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> object | None:
        """Call a twin that waits for the thread in the test's place."""
        __tracebackhide__ = True
        if pyfuncitem.get_closest_marker(THREAD_MARK) is None:
            return None
        function = pyfuncitem.obj
        _refuse(pyfuncitem, function)
        self._session.choice.for_call(pyfuncitem)
        from ._twins import call_twin

        in_thread = _in_thread(pyfuncitem, function)
        pyfuncitem.obj = call_twin(self._session, pyfuncitem, in_thread)
        try:
            call_test_function(pyfuncitem)
        finally:
            pyfuncitem.obj = function
        return True


def _any_marked(items: Iterable[pytest.Item]) -> bool:
    parents = set()
    for item in items:
        parents.add(item.parent)
        for mark in item.own_markers:
            if mark.name == THREAD_MARK:
                return True
    return any(parent.get_closest_marker(THREAD_MARK) for parent in parents if parent)


def _refuse(item: pytest.Function, function: _Function) -> None:
    __tracebackhide__ = True
    hypothesis = getattr(function, "hypothesis", None)
    inner = getattr(hypothesis, "inner_test", function)
    if is_async(inner) or hasattr(function, TWIN_ATTRIBUTE):
        pytest.fail(_errors.THREAD_BUT_ASYNC.format(nodeid=item.nodeid), pytrace=False)
    if is_marked(item, function):
        pytest.fail(_errors.THREAD_AND_TRIO.format(nodeid=item.nodeid), pytrace=False)


def _in_thread(
    item: pytest.Function, function: _Function
) -> Callable[..., Coroutine[Any, Any, object]]:
    """Return an async function that calls ``function`` in a worker thread and waits for it."""
    import trio

    async def wait(**arguments: Any) -> object:
        for value in arguments.values():
            if isinstance(value, pytest.FixtureRequest):
                _keep_in_this_thread(value, item)
        return await trio.to_thread.run_sync(
            partial(function, **arguments),
            abandon_on_cancel=True,
            thread_name=item.name,
            # Trio's own may be used up by the fixtures' threads, which may wait for this very test.
            limiter=trio.CapacityLimiter(1),
        )

    return wait


def _keep_in_this_thread(request: pytest.FixtureRequest, item: pytest.Function) -> None:
    """Let fixtures be asked for in the calling thread only."""
    get = request.getfixturevalue
    own_thread = threading.get_ident()

    def get_in_own_thread(argname: str) -> Any:
        __tracebackhide__ = True
        if threading.get_ident() != own_thread:
            raise RuntimeError(_errors.THREAD_GETS.format(nodeid=item.nodeid, name=argname))
        return get(argname)

    request.getfixturevalue = get_in_own_thread  # type: ignore[method-assign]
