from __future__ import annotations

import socket

import pytest
import trio
from echo_server import exchange

from pytest_trio_scoped import await_


async def test_a_message_comes_back(client: trio.SocketStream) -> None:
    assert await exchange(client, b"hello") == b"hello"


async def test_a_message_larger_than_any_buffer_comes_back(client: trio.SocketStream) -> None:
    message = bytes(range(256)) * 16_384

    assert await exchange(client, message) == message


async def test_clients_do_not_hear_each_other(echo_address: tuple[str, int]) -> None:
    replies = {}

    async def talk(name: str) -> None:
        async with await trio.open_tcp_stream(*echo_address) as stream:
            replies[name] = await exchange(stream, name.encode())

    names = [f"client {number}" for number in range(50)]
    async with trio.open_nursery() as nursery:
        for name in names:
            nursery.start_soon(talk, name)

    assert replies == {name: name.encode() for name in names}


async def test_fixtures_can_be_asked_for_while_the_test_runs(
    request: pytest.FixtureRequest,
) -> None:
    client = request.getfixturevalue("client")

    assert await exchange(client, b"late") == b"late"


def test_sync_tests_use_the_same_server(client: trio.SocketStream) -> None:
    assert await_(exchange(client, b"from sync code")) == b"from sync code"


async def test_blocking_clients_belong_in_a_thread(echo_address: tuple[str, int]) -> None:
    """A blocking call in pytest's thread would keep the server from answering it."""

    def talk() -> bytes:
        with socket.create_connection(echo_address, timeout=10) as connection:
            connection.sendall(b"blocking")
            connection.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: connection.recv(1024), b""))

    assert await trio.to_thread.run_sync(talk) == b"blocking"
