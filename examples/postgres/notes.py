"""Notes in PostgreSQL. The client, asyncpg, is written for asyncio; these functions are for Trio."""

from __future__ import annotations

import asyncpg
from trio_asyncio import aio_as_trio

SCHEMA = """
CREATE TABLE notes (
    id integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    title text NOT NULL UNIQUE,
    body text NOT NULL
)
"""


@aio_as_trio
async def create_tables(connection: asyncpg.Connection) -> None:
    await connection.execute(SCHEMA)


@aio_as_trio
async def add(connection: asyncpg.Connection, title: str, body: str) -> None:
    """Raises ``asyncpg.UniqueViolationError`` if there is a note with that title."""
    await connection.execute("INSERT INTO notes (title, body) VALUES ($1, $2)", title, body)


@aio_as_trio
async def titles(connection: asyncpg.Connection, word: str = "") -> list[str]:
    """Return the titles of the notes that have a word in them."""
    rows = await connection.fetch(
        "SELECT title FROM notes WHERE body ILIKE '%' || $1 || '%' ORDER BY title", word
    )
    return [row["title"] for row in rows]


@aio_as_trio
async def add_all(connection: asyncpg.Connection, notes: dict[str, str]) -> None:
    """Add all of them or none."""
    async with connection.transaction():
        for title, body in notes.items():
            await connection.execute("INSERT INTO notes (title, body) VALUES ($1, $2)", title, body)
