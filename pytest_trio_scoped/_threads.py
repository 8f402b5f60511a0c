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
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

import pytest

from . import _errors
from ._ownership import THREAD_MARK, body_of, is_async, is_marked
from ._pytest_names import UnittestItem
from ._session import TrioSession

_Function = Callable[..., Any]


class ThreadHooks:
    """Run the tests that are marked in a worker thread."""

    def __init__(self, session: TrioSession) -> None:
        self._session = session
        session.thread_twin = self._twin
        #: Whether the tests of a module or class are marked by it.
        self._mark_above: tuple[object, bool] = (None, False)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> None:
        """Refuse the mark on async tests, and on what pytest does not call as a function."""
        for item in session.items:
            if not self._is_marked(item):
                continue
            if not isinstance(item, pytest.Function) or isinstance(item, UnittestItem):
                _refuse(item, _errors.THREAD_NO_FUNCTION)
            elif is_async(body_of(item.obj)):
                _refuse(item, _errors.THREAD_BUT_ASYNC)

    def _twin(self, item: pytest.Function, function: _Function) -> _Function | None:
        """Return what waits for the thread, to be called in place of a sync test that is marked."""
        if not self._is_marked(item):
            return None
        if is_marked(item, function):
            pytest.fail(_errors.THREAD_AND_TRIO.format(nodeid=item.nodeid), pytrace=False)
        self._session.choice.for_call(item)
        from ._twins import call_twin

        return call_twin(self._session, item, _in_thread(item, function))

    def _is_marked(self, item: pytest.Item) -> bool:
        if THREAD_MARK in [mark.name for mark in item.own_markers]:
            return True
        parent, is_above = self._mark_above
        if parent is not item.parent:  # the walk up is taken once, as every test of the suite asks
            assert item.parent is not None
            is_above = item.parent.get_closest_marker(THREAD_MARK) is not None
            self._mark_above = item.parent, is_above
        return is_above


def _refuse(item: pytest.Item, text: str) -> None:
    message = text.format(nodeid=item.nodeid)
    item.runtest = partial(pytest.fail, message, pytrace=False)  # type: ignore[method-assign]


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
