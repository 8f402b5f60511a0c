"""A TCP server that sends back what it receives."""

from __future__ import annotations

from functools import partial

import trio


async def echo(stream: trio.SocketStream) -> None:
    async for chunk in stream:
        await stream.send_all(chunk)


async def serve(
    *, task_status: trio.TaskStatus[tuple[str, int]] = trio.TASK_STATUS_IGNORED
) -> None:
    """Serve on a free port of the loopback interface; report the address when ready."""
    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(partial(trio.serve_tcp, echo, 0, host="127.0.0.1"))
        task_status.started(listeners[0].socket.getsockname())


async def exchange(stream: trio.SocketStream, message: bytes) -> bytes:
    """Send a message and wait until as many bytes have come back."""
    reply = b""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(stream.send_all, message)
        while len(reply) < len(message):
            chunk = await stream.receive_some()
            if not chunk:
                raise ConnectionError(f"the server hung up after {len(reply)} bytes")
            reply += chunk
    return reply
