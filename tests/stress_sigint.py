"""Send SIGINT at random moments into a suite that does everything.

    python tests/stress_sigint.py --runs 300 --seed 1

Every run has to end within its limit, with exit code 2 (unless the signal came after the end), with every
fixture that was set up torn down, in reverse order, and with nothing on the terminal that tells of a
mess.  Prints one line for each failure and a summary.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SUITE = """
import contextlib, functools, os, time
import pytest, trio
from pytest_trio_scoped import await_

_file = os.open("trace.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)

@contextlib.contextmanager
def traced(name):
    # Ctrl-C may be raised wherever Python code is entered or left.  So what is traced is written by one
    # call into C, in one piece; and what is traced as up is below the "try".
    up, down = (functools.partial(os.write, _file, f"{word} {name}\\n".encode()) for word in ("up", "down"))
    try:
        up()
        yield
    finally:
        down()

async def echo(stream):
    with contextlib.suppress(trio.BrokenResourceError):
        async for chunk in stream:
            await stream.send_all(chunk)

@pytest.fixture(scope="session")
async def server():
    with traced("server"):
        async with trio.open_nursery() as nursery:
            listeners = await nursery.start(lambda task_status: trio.serve_tcp(
                echo, 0, host="127.0.0.1", task_status=task_status))
            yield listeners[0].socket.getsockname()
            nursery.cancel_scope.cancel()

@pytest.fixture(scope="module")
async def ticker(server):
    with traced("ticker"):
        async def tick():
            while True:
                await trio.sleep(0.001)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(tick)
            yield
            nursery.cancel_scope.cancel()

@pytest.fixture(scope="module")
def sync_module(ticker):
    with traced("sync_module"):
        yield

@pytest.fixture
async def client(server):
    with traced("client"):
        async with await trio.open_tcp_stream(*server) as stream:
            yield stream
            await trio.sleep(0.001)

@pytest.fixture
def sync_client(client):
    with traced("sync_client"):
        yield client

async def talk(stream):
    await stream.send_all(b"x")
    assert await stream.receive_some(1) == b"x"

@pytest.mark.parametrize("i", range(COUNT))
class TestIt:
    async def test_async(self, client, ticker, i):
        for _ in range(3):
            await talk(client)
    def test_sync(self, sync_client, sync_module, i):
        await_(talk(sync_client))
    def test_outside(self, i):
        trio.run(trio.sleep, 0.001)
    async def test_busy(self, i):
        end = time.monotonic() + 0.003
        while time.monotonic() < end:
            pass
    async def test_children(self, nursery, ticker, i):
        nursery.start_soon(trio.sleep_forever)
        async with trio.open_nursery() as inner:
            inner.start_soon(trio.sleep, 0.002)
    async def test_dynamic(self, request, i):
        await talk(request.getfixturevalue("client"))
    async def test_thread(self, i):
        await trio.to_thread.run_sync(time.sleep, 0.002)
"""

MESS = ("Warning", "Exception ignored", "INTERNALERROR", "never awaited", " failed", " error")


def run_once(delay: float, *, limit: float) -> str | None:
    """Interrupt one run ``delay`` seconds after its first test; return what went wrong."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        (path / "test_it.py").write_text(SUITE.replace("COUNT", "40"))
        (path / "pytest.ini").write_text("[pytest]\ntrio_mode = true\n")
        options = ["-q", "-p", "no:cacheprovider", "-p", "trio_scoped", "-W", "error"]
        process = subprocess.Popen(
            [sys.executable, "-m", "pytest", *options],
            cwd=path,
            env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONFAULTHANDLER": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        trace = path / "trace.txt"
        while process.poll() is None and not (trace.exists() and trace.stat().st_size):
            time.sleep(0.002)
        time.sleep(delay)
        process.send_signal(signal.SIGINT)
        started = time.monotonic()
        try:
            output, _ = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGABRT)  # faulthandler says where it stands
            return f"still running after {limit} s:\n{process.communicate()[0]}"
        seconds = time.monotonic() - started
        problems = []
        # After the summary the signal finds Python ending, where anything may be struck; and a finalizer
        # that is struck outside swallows KeyboardInterrupt, as in any Python program.
        is_late = " passed in " in output or "__del__" in output
        if process.returncode not in ((0, 1, 2, -signal.SIGINT) if is_late else (2,)):
            problems.append(f"exit code {process.returncode}")
        if seconds > 2:
            problems.append(f"took {seconds:.1f} s")
        if not is_late:
            problems += [f"says {text!r}" for text in MESS if text in output]
        problems += unbalanced(trace.read_text().splitlines())
        return f"{', '.join(problems)}:\n{output}" if problems else None


def unbalanced(lines: list[str]) -> list[str]:
    """Return what is wrong with the order of set-ups and tear-downs."""
    live: list[str] = []
    for line in lines:
        event, name = line.split()
        if event == "up":
            live.append(name)
        elif name not in live:
            return [f"{name} torn down without having been set up"]
        else:
            live.remove(name)
    return [f"not torn down: {', '.join(live)}"] if live else []


def main() -> int:
    """Run the stress test; return the number of failures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=300)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--limit", type=float, default=20, help="seconds a run may take to end")
    arguments = parser.parse_args()
    seed = random.randrange(2**32) if arguments.seed is None else arguments.seed
    print(f"seed {seed}", flush=True)
    source = random.Random(seed)
    failures = 0
    for number in range(arguments.runs):
        delay = source.uniform(0, 1.2)
        problem = run_once(delay, limit=arguments.limit)
        if problem:
            failures += 1
            print(f"run {number}, interrupted after {delay:.4f} s: {problem}", flush=True)
    print(f"{arguments.runs} runs, {failures} failures")
    return failures


if __name__ == "__main__":
    sys.exit(min(main(), 1))
