"""The one mutable object of a pytest session.

It owns the loop and knows what lives on it.  ``trio`` and ``greenlet`` are imported when the loop is
opened, at the first async need: a suite without Trio tests never pays for them.
"""

from __future__ import annotations

import threading
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from . import _errors
from ._settings import Settings

if TYPE_CHECKING:
    from ._loop import Loop

T = TypeVar("T")

KEY = pytest.StashKey["TrioSession"]()


class _Running(threading.local):
    """The sessions that run in this thread, the innermost last.

    The one global of this package.  ``await_`` is called from the user's sync code, which has no
    config at hand; sessions nest (a suite that tests a plugin runs pytest in-process).  It is written
    at the start and the end of a run only.
    """

    def __init__(self) -> None:
        self.sessions: list[TrioSession] = []


_running = _Running()


class TrioSession:
    """What this plugin knows about one pytest session."""

    def __init__(self, settings: Settings) -> None:
        self.is_trio_mode = settings.is_trio_mode
        self._loop: Loop | None = None
        #: The live fixtures whose users run inside: async ones, and those that depend on one.
        self.inside_fixtures: set[pytest.FixtureDef[Any]] = set()

    @property
    def loop(self) -> Loop:
        """The session's loop, opened if need be."""
        if self._loop is None or not self._loop.is_open:
            from ._loop import Loop

            self._loop = Loop()
            self._loop.open()
        return self._loop

    @property
    def is_inside(self) -> bool:
        """Whether the thread is inside this session's loop."""
        return self._loop is not None and self._loop.is_inside

    def start(self) -> None:
        """Make this the session whose loop ``await_`` uses in this thread."""
        _running.sessions.append(self)

    def finish(self) -> None:
        """Close the loop; the end of what :meth:`start` began."""
        if self not in _running.sessions:
            return
        try:
            if self._loop is not None:
                self._loop.close()
        finally:
            _running.sessions.remove(self)


def await_(awaitable: Awaitable[T]) -> T:
    """Wait for ``awaitable`` on the session's loop, from sync code in pytest's thread.

    For sync tests, sync fixtures, finalizers, hooks during the run, the pdb prompt, and sync functions
    called by an async test or fixture.  Below an async test or fixture it waits in the task of that
    test or fixture, so its cancel scopes and deadlines count; elsewhere it waits in a task of its own.

    It is a checkpoint wherever the awaitable is one.  While it waits, background tasks of live
    fixtures run.

    Args:
        awaitable: What could stand behind ``await``.

    Returns:
        What ``await`` would return.

    Raises:
        TypeError: ``awaitable`` is none.
        RuntimeError: There is no run in progress in this thread, or the caller is called by a Trio
            task that runs on the loop itself, such as a child task of a test.
        BaseException: Whatever the awaitable raises.

    """
    __tracebackhide__ = True
    if not hasattr(awaitable, "__await__"):
        raise TypeError(_errors.AWAIT_NOT_AWAITABLE.format(value=awaitable))
    try:
        if not _running.sessions:
            raise RuntimeError(_errors.AWAIT_WITHOUT_RUN)
        loop = _running.sessions[-1].loop
        loop.check_caller()
    except BaseException:
        close = getattr(awaitable, "close", None)
        if close is not None:  # a coroutine that is dropped would warn that it was never awaited
            close()
        raise

    async def wait() -> T:
        __tracebackhide__ = True
        return await awaitable

    name = getattr(awaitable, "__qualname__", type(awaitable).__qualname__)
    try:
        return loop.run(wait, name=f"await_({name})")
    except BaseException as error:
        from ._exceptions import prune_below_caller

        raise prune_below_caller(error)  # noqa: B904 - the same exception
