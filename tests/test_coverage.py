"""Coverage of an async suite is complete, with default settings."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from harness import Suite

SOURCE = """
import pytest, trio
from pytest_trio_scoped import await_

async def helper(x):
    await trio.lowlevel.checkpoint()
    if x:
        y = 1
    else:
        y = 2
    await trio.sleep(0)
    return y

@pytest.fixture(scope="session")
async def wide():
    async with trio.open_nursery() as nursery:
        nursery.start_soon(background)
        await trio.lowlevel.checkpoint()
        yield 1
        await trio.lowlevel.checkpoint()
        nursery.cancel_scope.cancel()
    after = 1

async def background():
    await trio.sleep(0)
    for _ in range(2):
        await trio.sleep(0)
    await trio.sleep_forever()

@pytest.fixture
async def plain(wide):
    await trio.lowlevel.checkpoint()
    value = await helper(True)
    return value

@pytest.fixture
async def late(request):
    value = request.getfixturevalue("plain")
    await trio.lowlevel.checkpoint()
    yield value
    await trio.lowlevel.checkpoint()
    after = 2

@pytest.fixture
def sync_inside(late):
    value = await_(helper(False))
    yield value
    after = 3

async def test_async(plain, late):
    await helper(False)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(helper, True)
        await trio.sleep(0)
    after = 4

def test_sync(late):
    assert late == 1
    assert await_(helper(False)) == 2
    after = 5

def test_sync_asks(request):
    value = request.getfixturevalue("plain")
    assert value == 1
    after = 6

async def test_raises(sync_inside):
    with pytest.raises(ValueError):
        try:
            await trio.lowlevel.checkpoint()
            raise ValueError
        finally:
            await trio.lowlevel.checkpoint()
            after = 7
    after = 8
"""

ASKS_LATE = """
import pytest, trio

@pytest.fixture
async def late():
    await trio.lowlevel.checkpoint()
    yield 1
    await trio.lowlevel.checkpoint()
    after = 1

def test_sync(request):
    value = request.getfixturevalue("late")
    assert value == 1
    after = 2

async def test_async(request):
    await trio.lowlevel.checkpoint()
    value = request.getfixturevalue("late")
    await trio.lowlevel.checkpoint()
    after = 3

@pytest.fixture
async def asking(request):
    value = request.getfixturevalue("late")
    await trio.lowlevel.checkpoint()
    yield value
    after = 4

async def test_of_asking(asking):
    await trio.lowlevel.checkpoint()
    after = 5
"""


@pytest.mark.parametrize("source", ["static", "late", "at once"])
@pytest.mark.parametrize("branch", [True, False], ids=["branch", "lines"])
@pytest.mark.parametrize("core", ["default", "ctrace", "pytrace", "sysmon"])
def test_every_line_of_an_async_suite_is_covered(
    suite: Suite, core: str, branch: bool, source: str
) -> None:
    """Also where a generator fixture is set up late, while the frame that asks for it is running.

    Then coverage has to be told of the greenlets, or it loses lines of that frame.  Of many tests at once it
    loses those of sync code that has waited.
    """
    if source != "static" and core == "default":
        pytest.skip("the default is one of the other cores")
    if source != "static" and core == "pytrace":
        pytest.skip("coverage's tracer in Python knows nothing of greenlets")
    if core == "sysmon" and sys.version_info < ((3, 14) if branch else (3, 12)):
        pytest.skip("this Python has no sys.monitoring that coverage can use here")
    suite.tests(ASKS_LATE if source == "late" else SOURCE, prelude=False)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(suite.path), *sys.path])}
    environment.pop("COVERAGE_CORE", None)
    if core != "default":
        environment["COVERAGE_CORE"] = core

    def coverage(*arguments: str) -> None:
        process = subprocess.run(
            [sys.executable, "-m", "coverage", *arguments],
            cwd=suite.path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=40,
            check=False,
        )
        assert process.returncode == 0, process.stdout + process.stderr
        assert "CoverageWarning" not in process.stdout + process.stderr

    coverage(
        "run",
        *(["--branch"] if branch else []),
        *(["--concurrency=greenlet"] if source != "static" and core != "sysmon" else []),
        "--include=test_it.py",
        *["-m", "pytest", "-p", "trio_scoped", "-p", "no:cacheprovider", "-W", "error"],
        *(["--trio-parallel=10"] if source == "at once" else []),
    )
    coverage("json")
    file = json.loads((suite.path / "coverage.json").read_text())["files"]["test_it.py"]
    assert file["missing_lines"] == []
    assert file.get("missing_branches", []) == []
    assert file["summary"]["covered_lines"] > 20
