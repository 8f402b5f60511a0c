from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import AsyncIterator, Generator
from functools import partial
from pathlib import Path

import httpx
import pytest
import trio

LOG = pytest.StashKey[Path]()
LENGTH_BEFORE = pytest.StashKey[int]()


@pytest.fixture(scope="session")
async def website(
    tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config
) -> AsyncIterator[tuple[str, trio.Process]]:
    """Python's own web server in a process: its address, and the process.

    If it ends by itself, `trio.run_process` raises, and the tests that use it fail with that, at once.
    """
    folder = tmp_path_factory.mktemp("website")
    (folder / "index.html").write_text("<title>Hello</title>")
    log = pytestconfig.stash[LOG] = tmp_path_factory.mktemp("log") / "website.txt"
    command = [sys.executable, "-u", "-m", "http.server", "--bind=127.0.0.1", "0"]
    async with trio.open_nursery() as nursery:
        # To a file, and not to a pipe: what is written there can be read when the loop stands still.
        with log.open("wb") as output:
            run = partial(
                trio.run_process,
                command,
                cwd=folder,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # so that Ctrl-C is not for the process as well
            )
            process = await nursery.start(run)
        with trio.fail_after(30):
            while not (said := re.search(r"\((http://.*)/\)", log.read_text())):
                await trio.sleep(0.01)
        yield said[1], process
        nursery.cancel_scope.cancel()


@pytest.fixture(scope="session")
async def http(website: tuple[str, trio.Process]) -> AsyncIterator[httpx.AsyncClient]:
    """One client for all tests."""
    async with httpx.AsyncClient(base_url=website[0], trust_env=False) as client:
        yield client


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    log = item.config.stash.get(LOG, None)
    item.stash[LENGTH_BEFORE] = log.stat().st_size if log else 0


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show with a failed test what the process has written since the test began."""
    report = yield
    log = item.config.stash.get(LOG, None)
    if report.failed and log and "website" in getattr(item, "fixturenames", ()):
        written = log.read_bytes()[item.stash[LENGTH_BEFORE] :]
        report.sections.append(("Log of the website", written.decode(errors="replace")))
    return report
