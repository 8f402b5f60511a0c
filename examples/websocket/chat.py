"""A chat room over WebSockets: who says something is heard by everybody in the room."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, suppress
from functools import partial

import trio
from trio_websocket import (
    ConnectionClosed,
    WebSocketConnection,
    WebSocketRequest,
    WebSocketServer,
    open_websocket,
    serve_websocket,
)

#: Opens a connection to a room.
Enter = Callable[[], AbstractAsyncContextManager[WebSocketConnection]]

#: Who is silent for so many seconds is asked.
PATIENCE = 600


class Chat:
    def __init__(self) -> None:
        self._rooms: dict[str, list[WebSocketConnection]] = {}

    async def visit(self, request: WebSocketRequest) -> None:
        """Serve one client. The path of its URL is the name of the room."""
        connection = await request.accept()
        room = self._rooms.setdefault(request.path, [])
        room.append(connection)
        try:
            await connection.send_message(f"{len(room)} here")
            while True:
                message = None
                with trio.move_on_after(PATIENCE):
                    message = await connection.get_message()
                if message is None:
                    await connection.send_message("are you still there?")
                else:
                    await say(message, room)
        except ConnectionClosed:
            pass
        finally:
            room.remove(connection)

    async def serve(
        self, *, task_status: trio.TaskStatus[WebSocketServer] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Serve on a free port of the loopback interface; report the server when it is ready."""
        start = partial(serve_websocket, self.visit, "127.0.0.1", 0, ssl_context=None)
        async with trio.open_nursery() as nursery:
            task_status.started(await nursery.start(start))


async def say(message: str | bytes, room: list[WebSocketConnection]) -> None:
    for member in tuple(room):
        with suppress(ConnectionClosed):  # it is about to be taken out of the room
            await member.send_message(message)


def door(port: int, room: str) -> Enter:
    """Return what a client enters the room by."""
    return partial(open_websocket, "127.0.0.1", port, f"/{room}", use_ssl=False)
