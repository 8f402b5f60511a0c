"""The ``request`` that tests and fixtures get as an argument, made fit for a loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ._placeholder import NURSERY

Finalizer = Callable[[], object]


def run_finalizers_with(request: pytest.FixtureRequest, run: Callable[[Finalizer], object]) -> None:
    """Let what is added with ``request.addfinalizer`` be called by ``run``."""
    add = request.addfinalizer

    def add_finalizer(finalizer: Finalizer) -> None:
        def finish() -> None:
            __tracebackhide__ = True
            run(finalizer)

        add(finish)

    request.addfinalizer = add_finalizer  # type: ignore[method-assign]


def watch_get(
    request: pytest.FixtureRequest,
    note: Callable[[str], object],
    open_nursery: Callable[[Callable[[Finalizer], None]], object],
) -> None:
    """Let ``note`` know what is asked for with ``request.getfixturevalue``; give own nurseries.

    ``open_nursery`` opens one, and takes a function that adds a finalizer.
    """
    add = request.addfinalizer
    get = request.getfixturevalue

    def get_own(argname: str) -> Any:
        __tracebackhide__ = True
        value = get(argname)
        note(argname)
        return open_nursery(add) if value is NURSERY else value

    request.getfixturevalue = get_own  # type: ignore[method-assign]
