"""What is reported when a test fails: pytest runs tests that do, in a process of its own."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
import trio

FAILING = """
import trio

async def test_that_passes(http):
    await http.get("/?passes")

async def test_that_fails(http):
    response = await http.get("/?fails")
    assert response.status_code == 418

async def test_during_which_the_process_ends(http, website):
    await http.get("/?ends")
    url, process = website
    process.kill()
    await trio.sleep_forever()
"""


@pytest.fixture(scope="module")
async def output(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What pytest prints for the failing tests, one after the other."""
    folder = tmp_path_factory.mktemp("failing")
    shutil.copy(Path(__file__).with_name("conftest.py"), folder)
    (folder / "pytest.ini").write_text("[pytest]\ntrio_mode = true\n")
    (folder / "test_failing.py").write_text(FAILING)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider"]
    ended = await trio.run_process(command, cwd=folder, capture_stdout=True, check=False)
    return ended.stdout.decode()


async def test_the_log_is_shown_with_the_tests_that_fail(output: str) -> None:
    assert "2 failed, 1 passed" in output
    # Each has the lines that were written while it ran, and no others.
    _, after_first, after_second = output.split("- Log of the website -")
    assert '"GET /?fails HTTP/1.1" 200' in after_first
    assert '"GET /?ends HTTP/1.1" 200' in after_second
    assert output.count('"GET /') == 2


async def test_a_process_that_ends_fails_the_test_that_uses_it(output: str) -> None:
    assert "died with <Signals.SIGKILL: 9>" in output
    assert "Raised in the background of the fixture 'website' (scope 'session')" in output
