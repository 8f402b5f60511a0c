"""An echo server and its client on Trio, the same code under a plugin and under bare `trio.run`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from time import perf_counter

import trio

PAYLOAD = b"x" * 64


async def _echo(stream: trio.SocketStream) -> None:
    async for data in stream:
        await stream.send_all(data)


@asynccontextmanager
async def echo_server() -> AsyncIterator[int]:
    """The port of a server on loopback TCP."""
    async with trio.open_nursery() as nursery:
        serve = partial(trio.serve_tcp, _echo, 0, host="127.0.0.1")
        [listener] = await nursery.start(serve)
        yield listener.socket.getsockname()[1]
        nursery.cancel_scope.cancel()


async def make_round_trips(port: int, count: int) -> float:
    """Seconds for so many round trips over one connection, without connecting."""
    async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
        begun = perf_counter()
        for _ in range(count):
            await stream.send_all(PAYLOAD)
            assert await stream.receive_some(len(PAYLOAD)) == PAYLOAD
        return perf_counter() - begun


async def _main(count: int) -> float:
    async with echo_server() as port:
        return await make_round_trips(port, count)


def run_bare(count: int) -> float:
    """Server and client in a loop of their own."""
    return trio.run(_main, count)
