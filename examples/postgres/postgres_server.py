"""A PostgreSQL server of one's own, on a free port of the loopback interface; temporary."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import trio

PROGRAMS = ("initdb", "postgres", "pg_isready")

#: Where packages put the programs, as most have them not on PATH.
FOLDERS = (
    "usr/lib/postgresql/*/bin",  # Debian, Ubuntu
    "usr/pgsql-*/bin",  # PostgreSQL's own packages for Red Hat, Fedora
    "usr/local/pgsql/bin",  # built from source
    "opt/homebrew/opt/postgresql*/bin",  # Homebrew
    "usr/local/opt/postgresql*/bin",
    "Applications/Postgres.app/Contents/Versions/*/bin",
)


def find_programs() -> Path | None:
    """Return the folder of the server that is on PATH, or of the newest one in a known place."""
    folders = []
    if postgres := shutil.which("postgres"):
        folders.append(Path(postgres).parent)
    if pg_config := shutil.which("pg_config"):
        said = subprocess.run([pg_config, "--bindir"], capture_output=True, text=True, check=False)
        folders.append(Path(said.stdout.strip()))
    known = [folder for pattern in FOLDERS for folder in Path("/").glob(pattern)]
    folders += sorted(known, key=_version_in, reverse=True)
    for folder in folders:
        if all((folder / program).exists() for program in PROGRAMS):
            return folder
    return None


def _version_in(folder: Path) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", str(folder))]


@asynccontextmanager
async def open_server(programs: Path, log: Path) -> AsyncIterator[dict[str, Any]]:
    """Make a database, serve it while the block runs, and remove it.

    Gives the arguments that ``asyncpg.connect`` needs. The programs write to ``log``.
    """
    # PostgreSQL refuses to run as root.
    user = _another_user() if os.geteuid() == 0 else {}
    password = secrets.token_hex()
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = str(probe.getsockname()[1])

    with tempfile.TemporaryDirectory(prefix="postgres-") as folder, log.open("wb") as output:
        run = partial(
            trio.run_process,
            cwd=folder,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is for pytest: tests are rolled back before it ends
            **user,
        )
        password_file = Path(folder, "password")
        password_file.write_text(password)
        for path in (folder, password_file):
            os.chown(path, user.get("user", -1), user.get("group", -1))
        initdb = [programs / "initdb", "--pgdata=data", "--username=tests", "--pwfile=password"]
        initdb += ["--auth=scram-sha-256", "--encoding=UTF8", "--no-locale", "--no-sync"]
        await run(initdb)

        async with trio.open_nursery() as nursery:
            # It is reached by TCP only, and nothing has to survive a crash of the machine.
            postgres = [programs / "postgres", "-D", "data", "-h", "127.0.0.1", "-p", port]
            postgres += ["-k", "", "-c", "fsync=off"]
            server = await nursery.start(run, postgres)
            is_ready = [programs / "pg_isready", "-h", "127.0.0.1", "-p", port]
            with trio.fail_after(60):
                while (await run(is_ready, check=False)).returncode:
                    await trio.sleep(0.05)
            where = {"host": "127.0.0.1", "port": port, "database": "postgres"}
            yield {**where, "user": "tests", "password": password}
            server.send_signal(signal.SIGINT)  # It hangs up on its clients, and ends.


def _another_user() -> dict[str, Any]:
    """Return the arguments with which a process that root starts runs as somebody else."""
    import pwd

    try:
        entry = pwd.getpwnam("postgres")
    except KeyError:
        entry = pwd.getpwnam("nobody")
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
