from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from functools import partial

import pytest
import trio
from chat import Chat
from trio_websocket import WebSocketConnection, open_websocket

Enter = Callable[[], AbstractAsyncContextManager[WebSocketConnection]]


@pytest.fixture(scope="session")
async def chat_port() -> AsyncIterator[int]:
    """One server for the whole session."""
    async with trio.open_nursery() as nursery:
        server = await nursery.start(Chat().serve)
        yield server.port
        nursery.cancel_scope.cancel()


@pytest.fixture
def enter(chat_port: int, request: pytest.FixtureRequest) -> Enter:
    """Opens connections to a room that no other test is in."""
    return partial(open_websocket, "127.0.0.1", chat_port, f"/{request.node.name}", use_ssl=False)


@pytest.fixture
async def ada(enter: Enter) -> AsyncIterator[WebSocketConnection]:
    """The first in the room."""
    async with enter() as connection:
        assert await connection.get_message() == "1 here"
        yield connection


@pytest.fixture
async def grace(enter: Enter, ada: WebSocketConnection) -> AsyncIterator[WebSocketConnection]:
    """The second."""
    async with enter() as connection:
        assert await connection.get_message() == "2 here"
        yield connection
