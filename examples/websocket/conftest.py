from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import trio
from chat import Chat, Enter, door
from trio_websocket import WebSocketConnection


@pytest.fixture(scope="session")
async def chat_port() -> AsyncIterator[int]:
    """One server for the whole session."""
    async with trio.open_nursery() as nursery:
        server = await nursery.start(Chat().serve)
        yield server.port
        nursery.cancel_scope.cancel()


@pytest.fixture
def enter(chat_port: int, request: pytest.FixtureRequest) -> Enter:
    """Opens a connection to a room that no other test is in."""
    return door(chat_port, request.node.name)


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
