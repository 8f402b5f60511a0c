from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import notes
import pytest
import trio_asyncio
from postgres_server import find_programs, open_server
from trio_asyncio import aio_as_trio


@pytest.fixture(scope="session")
async def postgres(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[dict[str, Any]]:
    """A server for the whole session: what it takes to connect to it."""
    programs = find_programs()
    if programs is None:
        pytest.skip("no PostgreSQL server is installed (Debian's package: postgresql)")
    log = tmp_path_factory.mktemp("postgres") / "log.txt"
    async with open_server(programs, log) as arguments:
        yield arguments


@pytest.fixture(scope="session")
async def asyncio_loop() -> AsyncIterator[None]:
    """An asyncio loop inside the Trio loop, for all tests and fixtures that ask for this one."""
    async with trio_asyncio.open_loop():
        yield


@pytest.fixture(scope="session")
async def pool(postgres: dict[str, Any], asyncio_loop: None) -> AsyncIterator[asyncpg.Pool]:
    """Up to ten connections, to a database that has the tables."""
    async with aio_as_trio(asyncpg.create_pool(**postgres, min_size=1, max_size=10)) as pool:
        async with aio_as_trio(pool.acquire()) as connection:
            await notes.create_tables(connection)
        yield pool


@pytest.fixture
async def connection(pool: asyncpg.Pool) -> AsyncIterator[asyncpg.Connection]:
    """A connection for each test, in a transaction that is rolled back.

    So tests may run at the same time; where two write the same key, one waits for the other's end.
    """
    async with aio_as_trio(pool.acquire()) as connection:
        transaction = connection.transaction()
        await aio_as_trio(transaction.start)()
        yield connection
        await aio_as_trio(transaction.rollback)()
