from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
import trio
from accounts import Database, balances, open_account, open_database, transfer

from pytest_trio_scoped import await_

# SQLite lets one connection write at a time. The mark counts only when many tests run at once.
pytestmark = pytest.mark.trio_group("database")


async def test_money_is_moved(database: Database) -> None:
    await transfer(database, 30, "Ada", "Grace")

    assert await balances(database) == {"Ada": 70, "Grace": 80}


async def test_a_transfer_that_fails_moves_nothing(database: Database) -> None:
    with pytest.raises(sqlite3.IntegrityError):
        await transfer(database, 1_000, "Ada", "Grace")

    assert await balances(database) == {"Ada": 100, "Grace": 50}


async def test_a_transaction_that_is_cancelled_leaves_nothing(database: Database) -> None:
    with trio.CancelScope() as cancel_scope:
        async with database.transaction():
            await transfer(database, 100, "Ada", "Grace")
            cancel_scope.cancel()
            await trio.lowlevel.checkpoint()

    assert await balances(database) == {"Ada": 100, "Grace": 50}


@pytest.mark.parametrize("time", ["first", "second"])
async def test_each_test_finds_the_file_as_it_was(database: Database, time: str) -> None:
    """If the first account were still there, the second could not be opened."""
    await open_account(database, "Barbara")

    assert list(await balances(database)) == ["Ada", "Barbara", "Grace"]


async def test_others_do_not_see_what_a_test_writes(
    database: Database, database_file: Path
) -> None:
    await transfer(database, 30, "Ada", "Grace")

    async with open_database(database_file) as other:
        assert await balances(other) == {"Ada": 100, "Grace": 50}


def test_sync_tests_use_the_same_database(database: Database) -> None:
    await_(transfer(database, 1, "Grace", "Ada"))

    assert await_(balances(database)) == {"Ada": 101, "Grace": 49}
