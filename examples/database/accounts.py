"""Accounts in a SQLite file. Each statement runs in a worker thread, so that the loop goes on."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import trio

SCHEMA = "CREATE TABLE accounts (name TEXT PRIMARY KEY, balance INTEGER CHECK (balance >= 0))"


class Database:
    """A connection, for one task at a time."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    async def execute(self, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Run a statement and return its rows. A checkpoint; once begun, it is not cancelled."""

        def run() -> list[tuple[Any, ...]]:
            return self._connection.execute(statement, parameters).fetchall()

        return await trio.to_thread.run_sync(run)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        """Take back what the block has done if an exception leaves it; may be nested."""
        await self.execute("SAVEPOINT block")
        try:
            yield
        except BaseException:
            with trio.CancelScope(shield=True):
                await self.execute("ROLLBACK TO block")
                await self.execute("RELEASE block")
            raise
        await self.execute("RELEASE block")


@asynccontextmanager
async def open_database(path: Path) -> AsyncIterator[Database]:
    # Statements of one connection run in several threads, one after the other. Without an isolation
    # level sqlite3 begins no transactions of its own.
    connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
    try:
        yield Database(connection)
    finally:
        connection.close()


async def open_account(database: Database, name: str, balance: int = 0) -> None:
    await database.execute("INSERT INTO accounts VALUES (?, ?)", name, balance)


async def balances(database: Database) -> dict[str, int]:
    return dict(await database.execute("SELECT name, balance FROM accounts ORDER BY name"))


async def transfer(database: Database, amount: int, source: str, target: str) -> None:
    """Move an amount; raises ``sqlite3.IntegrityError`` if the source has not as much."""
    add = "UPDATE accounts SET balance = balance + ? WHERE name = ?"
    async with database.transaction():
        await database.execute(add, amount, target)
        await database.execute(add, -amount, source)
