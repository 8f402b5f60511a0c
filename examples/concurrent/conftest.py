from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import slow_service
import trio


@pytest.fixture(scope="session")
async def service() -> AsyncIterator[tuple[str, int]]:
    """The address of one service for all tests, also for those that run at the same time."""
    async with trio.open_nursery() as nursery:
        yield await nursery.start(slow_service.serve)
        nursery.cancel_scope.cancel()
