"""A small pytest plugin that every measured suite runs under: it measures the run loop and counts.

It is registered last (through PYTEST_PLUGINS), so its wrapper stands around those of all other
plugins. What was counted shows that a plugin really ran the bodies of the tests it calls passed.
"""

import json
import os
import resource
import sys
from collections.abc import Generator
from pathlib import Path
from time import perf_counter

import pytest

ran: list[int] = []
"""Every test body adds one element."""

round_trips: list[float] = []
"""Seconds that a test spent in nothing but round trips."""


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> Generator[None, object, object]:
    peak = _peak()
    begun = perf_counter()
    try:
        return (yield)
    finally:
        seconds = perf_counter() - begun
        result = {
            "loop": seconds,
            "trips": sum(round_trips),
            "peak": _peak() - peak,
            "ran": len(ran),
        }
        _write(result, getattr(session.config, "workerinput", {}).get("workerid"))


def _write(result: dict[str, float], worker: str | None) -> None:
    """Write the result to its file; a worker of xdist has one of its own, for who started it."""
    file = Path(os.environ["STOPWATCH_RESULT"])
    if worker is not None:
        file = file.with_name(f"{file.name}.{worker}")
    else:
        for each in file.parent.glob(f"{file.name}.*"):
            result["ran"] += json.loads(each.read_text())["ran"]
            each.unlink()
    file.write_text(json.dumps(result))


def _peak() -> int:
    """Return how many bytes of memory the process has had at most."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
