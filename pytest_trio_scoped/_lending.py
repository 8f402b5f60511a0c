"""The ``request`` of code that runs outside: pytest's own, but for two things.

A nursery that is asked for by ``getfixturevalue`` is the asker's own, and async finalizers are awaited.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial

import pytest

from ._requests import Finalizer, run_finalizers_with, watch_get
from ._session import TrioSession, await_


def prepare_request(session: TrioSession, request: pytest.FixtureRequest) -> None:
    """Make ``request`` fit for sync code that gets it as an argument."""

    def open_one(add_finalizer: Callable[[Finalizer], None]) -> object:
        from ._twins import open_nursery  # imports Trio

        return open_nursery(session, request, add_finalizer)

    watch_get(request, partial(session.note_get, request), open_one)
    run_finalizers_with(request, _finish)


def _finish(finalizer: Finalizer) -> None:
    __tracebackhide__ = True
    value = finalizer()
    if inspect.iscoroutine(value):
        await_(value)
