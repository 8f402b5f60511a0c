"""Does anything grow while 50,000 tests run?  Prints what a test adds; exit code 1 if it adds up."""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_HERE = Path(__file__).parent
_TESTS_A_FILE = 100
#: What must be the same at the end as at the beginning.
COUNTS = ("tasks", "greenlets", "finalizers", "descriptors", "threads")
#: Bytes that a test may add more than its sync twin, whose report pytest keeps.
MEMORY_ALLOWED = 200
#: How often longer a test of the last quarter may take than one of the first.
TIME_ALLOWED = 1.5
#: With fewer tests one that happens to be slow would decide, or what is made once.
MANY = 10_000

_CONFTEST = """\
import trio
import pytest


@pytest.fixture(scope="session")
async def address():
    async def answer(stream):
        async for chunk in stream:
            await stream.send_all(chunk)

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(trio.serve_tcp, answer, 0)
        yield listeners[0].socket.getsockname()[:2]
        nursery.cancel_scope.cancel()


@pytest.fixture(scope="module")
async def table(address):
    rows = []
    yield rows
    await trio.lowlevel.checkpoint()
    rows.clear()


@pytest.fixture
async def row(table):
    table.append(1)
    yield table
    await trio.lowlevel.checkpoint()
    table.pop()


@pytest.fixture
async def stream(address):
    async with await trio.open_tcp_stream(*address) as stream:
        yield stream
"""
_TESTS = """\
import pytest
import trio


@pytest.mark.parametrize("number", range({waiting}))
async def test_wait(row, number):
    await trio.sleep(0)


@pytest.mark.parametrize("number", range({talking}))
async def test_talk(row, stream, nursery, number):
    nursery.start_soon(trio.sleep_forever)
    await stream.send_all(b"%d" % number)
    assert await stream.receive_some() == b"%d" % number


@pytest.mark.parametrize("number", range({failing}))
async def test_fail(row, number):
    with pytest.raises(trio.TooSlowError):
        with trio.fail_after(0):
            await trio.sleep(1)
    raise pytest.skip.Exception("skipped")


@pytest.mark.parametrize("number", range({sync}))
def test_sync(row, number):
    row.append(number)
    row.pop()
"""
_SYNC_CONFTEST = """\
import pytest


@pytest.fixture(scope="module")
def table():
    yield []


@pytest.fixture
def row(table):
    yield table
"""
_SYNC_TESTS = """\
import pytest


@pytest.mark.parametrize("number", range({passing}))
def test_sync(row, number):
    pass


@pytest.mark.parametrize("number", range({failing}))
def test_skip(row, number):
    raise pytest.skip.Exception("skipped")
"""

Sample = Mapping[str, float]


@dataclass(frozen=True)
class Run:
    """One way to run the suite."""

    name: str
    arguments: tuple[str, ...] = ()
    is_async: bool = True

    def write(self, tests: int, folder: Path) -> None:
        numbers = {"waiting": 60, "talking": 10, "failing": 10, "sync": 20, "passing": 90}
        folder.mkdir()
        mode = "trio_mode = true\n" if self.is_async else ""
        (folder / "pytest.ini").write_text(f"[pytest]\n{mode}filterwarnings = error\n")
        (folder / "conftest.py").write_text(_CONFTEST if self.is_async else _SYNC_CONFTEST)
        text = (_TESTS if self.is_async else _SYNC_TESTS).format(**numbers)
        for number in range(tests // _TESTS_A_FILE):
            (folder / f"test_{number}.py").write_text(text)

    def command(self) -> list[str]:
        plugin = ("-p", "pytest_trio_scoped.plugin") if self.is_async else ()
        probe = ("-p", "endurance_probe")
        return ["-m", "pytest", "-q", "-p", "no:cacheprovider", *probe, *plugin, *self.arguments]


RUNS = (
    Run("sync twin", is_async=False),
    Run("one after the other"),
    Run("--trio-parallel=100", ("--trio-parallel=100",)),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tests", type=int, default=50_000, help="tests a run (default 50,000)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every sample here")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        samples = {run.name: _run(run, options.tests, Path(folder) / run.name) for run in RUNS}
    if options.json:
        options.json.write_text(json.dumps(samples, indent=2) + "\n")
    problems = _report(samples)
    for problem in problems:
        print("GROWS:", problem)
    sys.exit(bool(problems))


def _run(run: Run, tests: int, folder: Path) -> list[Sample]:
    run.write(tests, folder)
    result = folder / "samples.json"
    path = os.pathsep.join(filter(None, [str(_HERE), os.environ.get("PYTHONPATH", "")]))
    done = subprocess.run(
        [sys.executable, *run.command()],
        check=False,
        cwd=folder,
        env={
            **os.environ,
            "PYTHONPATH": path,
            "PYTHONDEVMODE": "1",
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "PROBE_RESULT": str(result),
            "PROBE_TESTS": str(tests),
        },
        capture_output=True,
        text=True,
        timeout=3600,
    )
    passed, skipped = tests * 9 // 10, tests // 10
    if done.returncode != 0 or f"{passed} passed, {skipped} skipped" not in done.stdout:
        sys.exit(f"{run.name}: exit code {done.returncode}\n{done.stdout[-3000:]}{done.stderr}")
    samples: list[Sample] = json.loads(result.read_text())
    return samples


def _report(samples: Mapping[str, Sequence[Sample]]) -> list[str]:
    """Print what each run comes to; return what has grown."""
    twin = _slope(samples[RUNS[0].name], "memory")
    problems = []
    heading = ("", "us a test", "last / first quarter", "bytes a test", *COUNTS)
    print("".join(f"{each:<22}" for each in heading))
    for name, taken in samples.items():
        seconds = _slope(taken, "seconds")
        ratio = _slope(_last_quarter(taken), "seconds") / _slope(_first_quarter(taken), "seconds")
        memory = _slope(taken, "memory")
        growth = {count: _growth(taken, count) for count in COUNTS}
        cells = [name, f"{seconds * 1e6:.0f}", f"{ratio:.2f}", f"{memory:.0f}"]
        cells += [f"{growth[count]:+.0f} of {taken[-1][count]:.0f}" for count in COUNTS]
        print("".join(f"{each:<22}" for each in cells))
        if name == RUNS[0].name:
            continue
        problems += [f"{name}: {count}" for count in COUNTS if growth[count] > 0]
        are_many = taken[-1]["tests"] > MANY
        if memory - twin > MEMORY_ALLOWED * (1 if are_many else 5):
            problems.append(f"{name}: memory, {memory - twin:.0f} bytes a test more than the twin")
        if ratio > TIME_ALLOWED and are_many:
            problems.append(f"{name}: time")
    return problems


def _slope(samples: Sequence[Sample], what: str) -> float:
    """Return by how much a test lets it grow: a straight line through the samples."""
    tests = [sample["tests"] for sample in samples]
    return statistics.linear_regression(tests, [sample[what] for sample in samples]).slope


def _growth(samples: Sequence[Sample], what: str) -> float:
    """Return how much more there is at least in the last quarter than at most in the first.

    What the tests in flight have comes and goes.
    """
    before = max(sample[what] for sample in _first_quarter(samples))
    return max(0, min(sample[what] for sample in _last_quarter(samples)) - before)


def _first_quarter(samples: Sequence[Sample]) -> Sequence[Sample]:
    return samples[: len(samples) // 4]


def _last_quarter(samples: Sequence[Sample]) -> Sequence[Sample]:
    return samples[-len(samples) // 4 :]


if __name__ == "__main__":
    main()
