"""The twin of `echo_trio` on asyncio streams."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import perf_counter

PAYLOAD = b"x" * 64


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


@asynccontextmanager
async def echo_server() -> AsyncIterator[int]:
    """The port of a server on loopback TCP."""
    async with await asyncio.start_server(_echo, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


async def make_round_trips(port: int, count: int) -> float:
    """Seconds for so many round trips over one connection, without connecting."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    begun = perf_counter()
    for _ in range(count):
        writer.write(PAYLOAD)
        await writer.drain()
        assert await reader.read(len(PAYLOAD)) == PAYLOAD
    seconds = perf_counter() - begun
    writer.close()
    await writer.wait_closed()
    return seconds


async def _main(count: int) -> float:
    async with echo_server() as port:
        return await make_round_trips(port, count)


def run_bare(count: int) -> float:
    """Server and client in a loop of their own."""
    return asyncio.run(_main(count))
