"""A nursery for who asks for it with ``request.getfixturevalue("nursery")``."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ._requests import Finalizer, give_own_nursery
from ._session import TrioSession


def lend_nursery(session: TrioSession, request: pytest.FixtureRequest) -> None:
    """Let ``request`` open a nursery that lives as long as its owner."""

    def open_one(add_finalizer: Callable[[Finalizer], None]) -> object:
        from ._twins import open_nursery  # imports Trio

        return open_nursery(session, add_finalizer)

    give_own_nursery(request, open_one)
