from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from accounts import SCHEMA, Database, open_account, open_database


@pytest.fixture(scope="session")
async def database_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with the tables and two accounts, made once for the whole session."""
    path = tmp_path_factory.mktemp("database") / "accounts.sqlite"
    async with open_database(path) as database:
        await database.execute(SCHEMA)
        await open_account(database, "Ada", 100)
        await open_account(database, "Grace", 50)
    return path


@pytest.fixture
async def database(database_file: Path) -> AsyncIterator[Database]:
    """A connection for each test, in a transaction that is rolled back: the file stays as it was."""
    async with open_database(database_file) as database:
        await database.execute("BEGIN")
        yield database
        await database.execute("ROLLBACK")
