"""Loops without pytest around them, and what the thread looks like beside them."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import greenlet
import trio

from pytest_trio_scoped._loop import Loop
from pytest_trio_scoped._trio_names import run_context, sniffio_local


def snapshot() -> dict[str, object]:
    """Return the five thread-wide things by which a thread is inside Trio."""
    found: dict[str, object] = {
        "run context": dict(run_context.__dict__),
        "sniffio": sniffio_local.name,
        "asyncgen hooks": tuple(sys.get_asyncgen_hooks()),
    }
    if threading.current_thread() is threading.main_thread():
        wakeup_fd = signal.set_wakeup_fd(-1)
        signal.set_wakeup_fd(wakeup_fd, warn_on_full_buffer=False)
        found |= {"SIGINT": signal.getsignal(signal.SIGINT), "wakeup fd": wakeup_fd}
    return found


@contextmanager
def open_loop() -> Iterator[Loop]:
    """Open a loop for the block; the thread, and the context of the host, have to be as before then."""
    before = snapshot()
    context = greenlet.getcurrent().gr_context
    loop = Loop()
    loop.open()
    try:
        assert snapshot() == before
        yield loop
        assert snapshot() == before
    finally:
        loop.close()
    assert not loop.is_open
    assert snapshot() == before
    assert context is None or greenlet.getcurrent().gr_context is context


def count_tasks(loop: Loop) -> int:
    """Return how many tasks the loop has, without those of the count itself."""

    async def nothing() -> None:
        pass

    loop.run(nothing, name="count")  # from now on the tasks pass the host on

    async def count() -> int:
        root = trio.lowlevel.current_root_task()
        assert root is not None
        pending, found = [root], 0
        while pending:
            task = pending.pop()
            found += 1
            pending += [child for nursery in task.child_nurseries for child in nursery.child_tasks]
        return found - 1

    return loop.run(count, name="count")
