"""A pytest plugin that counts, 20 times in a run, what must not grow; see ``endurance.py``."""

import gc
import json
import os
import sys
import threading
from pathlib import Path
from time import perf_counter

import pytest

_TESTS = int(os.environ["PROBE_TESTS"])
_STEP = max(1, _TESTS // 22)
#: What is made once takes its time.
_FIRST = 2 * _STEP
_samples: list[dict[str, float]] = []
_ended = 0
_seconds_counting = 0.0


_collected: set[pytest.FixtureDef[object]] = set()


def pytest_collection_finish() -> None:
    """Note what may be out of the garbage collector's sight while tests run."""
    _collected.update(each for each in gc.get_objects() if type(each) is pytest.FixtureDef)


def pytest_runtest_logfinish() -> None:
    global _ended, _seconds_counting  # noqa: PLW0603
    _ended += 1
    if _ended < _FIRST or _ended % _STEP:
        return
    begun = perf_counter()
    _samples.append({"tests": _ended, "seconds": begun - _seconds_counting, **_counts()})
    _seconds_counting += perf_counter() - begun


def pytest_sessionfinish() -> None:
    Path(os.environ["PROBE_RESULT"]).write_text(json.dumps(_samples))


def _counts() -> dict[str, float]:
    gc.collect()
    modules = sys.modules
    task = modules["trio.lowlevel"].Task if "trio" in modules else ()
    greenlet = modules["greenlet"].greenlet if "greenlet" in modules else ()
    objects = gc.get_objects()
    fixtures = _collected.union(each for each in objects if type(each) is pytest.FixtureDef)
    return {
        "memory": _memory(),
        "tasks": sum(isinstance(each, task) for each in objects),
        "greenlets": sum(isinstance(each, greenlet) for each in objects),
        "finalizers": sum(len(each._finalizers) for each in fixtures),  # noqa: SLF001
        "descriptors": len(list(Path("/proc/self/fd").iterdir())),
        "threads": threading.active_count(),
    }


def _memory() -> int:
    """Return how many bytes of memory the process has."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
