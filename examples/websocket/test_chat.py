from __future__ import annotations

import pytest
import trio
from chat import PATIENCE, Enter
from trio.testing import MockClock
from trio_websocket import WebSocketConnection

from pytest_trio_scoped import await_


async def test_a_message_is_heard_by_both(
    ada: WebSocketConnection, grace: WebSocketConnection
) -> None:
    await ada.send_message("good morning")

    assert await grace.get_message() == "good morning"
    assert await ada.get_message() == "good morning"


async def test_who_has_left_is_gone(ada: WebSocketConnection, enter: Enter) -> None:
    async with enter() as barbara:
        assert await barbara.get_message() == "2 here"

    async with enter() as edith:
        assert await edith.get_message() == "2 here"


async def test_fifty_guests_hear_each_other(enter: Enter) -> None:
    heard: list[str | bytes] = []
    is_full = trio.Event()

    async def visit(name: str) -> None:
        async with enter() as connection:
            if await connection.get_message() == "50 here":
                is_full.set()
            await is_full.wait()
            await connection.send_message(name)
            heard.extend([await connection.get_message() for _ in range(50)])

    names = [f"guest {number}" for number in range(50)]
    async with trio.open_nursery() as nursery:
        for name in names:
            nursery.start_soon(visit, name)

    assert sorted(heard) == sorted(names * 50)


def test_sync_tests_use_the_same_server(
    ada: WebSocketConnection, grace: WebSocketConnection
) -> None:
    await_(ada.send_message("from sync code"))

    assert await_(grace.get_message()) == "from sync code"


async def test_who_is_silent_for_ten_minutes_is_asked(
    ada: WebSocketConnection, autojump_clock: MockClock
) -> None:
    """The clock is also that of the server, which has been running for the whole session."""
    autojump_clock.autojump_threshold = 0.01  # the network is slower than such a clock
    begin = trio.current_time()

    assert await ada.get_message() == "are you still there?"

    assert trio.current_time() - begin == pytest.approx(PATIENCE, abs=1)
