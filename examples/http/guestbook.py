"""A guest book as a plain ASGI application, on Trio."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import trio

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class Guestbook:
    """POST /entries adds the body as an entry, GET /entries lists the entries as JSON.

    GET /entries/next waits for an entry that is not there yet.
    """

    def __init__(self) -> None:
        self.entries: list[str] = []
        self._changed = trio.Condition()

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            status, answer = await self._answer(scope["method"], scope["path"], receive)
            headers = [(b"content-type", b"application/json")]
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": json.dumps(answer).encode()})
        else:
            raise NotImplementedError(scope["type"])

    async def _live(self, receive: Receive, send: Send) -> None:
        for phase in ("startup", "shutdown"):
            message = await receive()
            assert message["type"] == f"lifespan.{phase}"
            await send({"type": f"lifespan.{phase}.complete"})

    async def _answer(self, method: str, path: str, receive: Receive) -> tuple[int, Any]:
        match method, path:
            case "GET", "/entries":
                return 200, self.entries
            case "POST", "/entries":
                entry = (await read_body(receive)).decode()
                async with self._changed:
                    self.entries.append(entry)
                    self._changed.notify_all()
                return 201, entry
            case "GET", "/entries/next":
                async with self._changed:
                    await self._changed.wait()
                    return 200, self.entries[-1]
            case _:
                return 404, f"{method} {path}: not found"


async def read_body(receive: Receive) -> bytes:
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body", False):
            return body
