from __future__ import annotations

import asyncpg
import notes
import pytest
from trio_asyncio import aio_as_trio

from pytest_trio_scoped import await_


async def test_notes_are_found_by_their_words(connection: asyncpg.Connection) -> None:
    await notes.add(connection, "garden", "water the roses")
    await notes.add(connection, "market", "apples, pears, roses")

    assert await notes.titles(connection, "Roses") == ["garden", "market"]
    assert await notes.titles(connection, "pears") == ["market"]


@pytest.mark.parametrize("number", range(20))
async def test_each_test_finds_the_table_empty(connection: asyncpg.Connection, number: int) -> None:
    await notes.add(connection, f"note {number}", "text")

    assert await notes.titles(connection) == [f"note {number}"]


async def test_all_notes_are_added_or_none(connection: asyncpg.Connection) -> None:
    await notes.add(connection, "garden", "water the roses")

    with pytest.raises(asyncpg.UniqueViolationError):
        await notes.add_all(connection, {"attic": "tidy up", "garden": "cut the grass"})

    assert await notes.titles(connection) == ["garden"]


async def test_other_connections_do_not_see_what_a_test_writes(
    connection: asyncpg.Connection, pool: asyncpg.Pool
) -> None:
    await notes.add(connection, "garden", "water the roses")

    async with aio_as_trio(pool.acquire()) as other:
        assert await notes.titles(other) == []


def test_sync_tests_use_the_same_connection(connection: asyncpg.Connection) -> None:
    await_(notes.add(connection, "market", "apples"))

    assert await_(notes.titles(connection)) == ["market"]
