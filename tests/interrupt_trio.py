"""Raise SIGINT once at each line of Trio's own code that a stretch of Trio code comes through.

    python tests/interrupt_trio.py

Whatever Trio was about to do then, the code has to end, with KeyboardInterrupt and nothing else, and
the loop has to close in order.  Each line is tried in a process of its own, with a time limit.  Prints a
line for each failure and a summary.
"""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType
from typing import Any

import trio

from pytest_trio_scoped._loop import Loop

SECONDS = 5
ENDED_WELL = ["KeyboardInterrupt()", "closed"]


async def work() -> None:
    """Use what tests use most."""

    async def start(*, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.sleep, 0)
        await nursery.start(start)
        send, receive = trio.open_memory_channel[int](0)
        nursery.start_soon(send.send, 1)
        assert await receive.receive() == 1
        event = trio.Event()
        nursery.start_soon(event.wait)
        await trio.sleep(0)
        event.set()
        async with trio.Lock():
            pass
        with trio.move_on_after(0.001):
            await trio.sleep(1)
        with trio.CancelScope() as cancel_scope:
            cancel_scope.cancel()
            await trio.sleep(0)
        await trio.to_thread.run_sync(int)
        nursery.cancel_scope.cancel()


def interrupt_first_not_in(tried: set[str], tell: int) -> None:
    """Raise SIGINT at the first line of Trio's that is not in ``tried``; write which to ``tell``."""

    def on_call(frame: FrameType, event: str, arg: Any) -> Any:
        return on_line if frame.f_globals.get("__name__", "").startswith("trio.") else None

    def on_line(frame: FrameType, event: str, arg: Any) -> Any:
        place = f"{frame.f_code.co_filename}:{frame.f_lineno}"
        if event == "line" and place not in tried:
            sys.settrace(None)
            os.write(tell, f"{place}\n".encode())
            signal.raise_signal(signal.SIGINT)
        return on_line

    sys.settrace(on_call)


def run(tried: set[str], tell: int) -> None:
    """Run :func:`work` with an interrupt; write where that came and how it ended to ``tell``."""

    async def main() -> None:
        interrupt_first_not_in(tried, tell)
        try:
            await work()
        finally:
            sys.settrace(None)

    signal.alarm(SECONDS)
    loop = Loop()
    loop.open()
    try:
        loop.run(main, name="work")
    except BaseException as error:
        os.write(tell, f"{error!r}\n".encode())
    try:
        loop.close()
    except BaseException as error:
        os.write(tell, f"{error!r}\n".encode())
    else:
        os.write(tell, b"closed\n")


def run_in_child(tried: set[str]) -> list[str]:
    """Return what a child process has to tell."""
    told, tell = os.pipe()
    child = os.fork()
    if not child:
        try:
            run(tried, tell)
        finally:
            os._exit(0)
    os.close(tell)
    with os.fdopen(told) as file:
        lines = file.read().splitlines()
    os.waitpid(child, 0)
    return lines


def main() -> int:
    """Try every line; return the number of failures."""
    tried: set[str] = set()
    failures = 0
    while True:
        place, *ending = run_in_child(tried)
        if place == "closed":
            break
        tried.add(place)
        if ending != ENDED_WELL:
            failures += 1
            print(f"{place}: {', '.join(ending) or 'hangs'}")
    print(f"{len(tried)} lines, {failures} failures")
    return failures


if __name__ == "__main__":
    sys.exit(min(main(), 1))
