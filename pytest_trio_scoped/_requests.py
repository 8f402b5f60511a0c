"""The ``request`` that tests and fixtures get as an argument, made fit for a loop."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
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
        try:
            value = get(argname)
        except pytest.fail.Exception as error:
            _blame_caller(error, request.config.rootpath)
            raise
        note(argname)
        return open_nursery(add) if value is NURSERY else value

    request.getfixturevalue = get_own  # type: ignore[method-assign]


def _blame_caller(error: Any, root: Path) -> None:
    """Let a ``pytest.fail.Exception`` tell where the user asks for a fixture, if it tells where
    ``get_own`` does.

    pytest takes the frame that calls ``getfixturevalue()`` for the user's, in the error for a fixture with
    parameters that is asked for without one.
    Pinned by ``test_the_place_that_asks_for_a_parametrized_fixture_is_told``.
    """
    traceback = error.__traceback__  # begins with ``get_own``
    assert traceback is not None
    caller = traceback.tb_frame.f_back
    assert caller is not None
    own = f"Requested here:\n{_shown(__file__, root)}:{traceback.tb_lineno}"
    place = f"Requested here:\n{_shown(caller.f_code.co_filename, root)}:{caller.f_lineno}"
    if error.msg is not None:
        error.msg = error.msg.replace(own, place)


def _shown(path: str, root: Path) -> str:
    """Return the path as pytest shows it there."""
    is_below = Path(path).is_relative_to(root)
    return str(Path(path).relative_to(root)) if is_below else path
