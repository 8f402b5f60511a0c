from __future__ import annotations

from collections.abc import AsyncIterator

import echo_server
import pytest
import trio


@pytest.fixture(scope="session")
async def echo_address() -> AsyncIterator[tuple[str, int]]:
    """One server for the whole session. Its nursery stays open across the yield."""
    async with trio.open_nursery() as nursery:
        yield await nursery.start(echo_server.serve)
        nursery.cancel_scope.cancel()


@pytest.fixture
async def client(echo_address: tuple[str, int]) -> AsyncIterator[trio.SocketStream]:
    """A new connection for each test, to the server that all tests share."""
    async with await trio.open_tcp_stream(*echo_address) as stream:
        yield stream
