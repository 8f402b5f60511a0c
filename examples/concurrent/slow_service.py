"""A service that takes its time, as databases, browsers and the services of others do."""

from __future__ import annotations

from functools import partial

import trio

#: Seconds until the answer to each question.
DELAY = 0.2


async def answer(stream: trio.SocketStream) -> None:
    """Answer each line that comes with the square of the number on it."""
    async with stream:
        async for line in stream:
            await trio.sleep(DELAY)
            await stream.send_all(b"%d\n" % int(line) ** 2)


async def serve(
    *, task_status: trio.TaskStatus[tuple[str, int]] = trio.TASK_STATUS_IGNORED
) -> None:
    """Serve on a free port of the loopback interface; report the address when ready."""
    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(partial(trio.serve_tcp, answer, 0, host="127.0.0.1"))
        task_status.started(listeners[0].socket.getsockname())


async def ask(address: tuple[str, int], number: int) -> int:
    """Have a number squared."""
    async with await trio.open_tcp_stream(*address) as stream:
        await stream.send_all(b"%d\n" % number)
        return int(await stream.receive_some())
