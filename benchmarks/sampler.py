"""A small pytest plugin that looks where the run loop is, every two milliseconds of CPU.

A sample is counted for the function that runs, with what it calls in C.  More often would wake up Trio's loop
more than a test does.
"""

import json
import os
import signal
from collections import Counter
from collections.abc import Generator
from pathlib import Path
from time import process_time
from types import FrameType

import pytest

INTERVAL = 0.002

_found: Counter[tuple[str, str]] = Counter()


def _count(_signal: int, frame: FrameType | None) -> None:
    if frame is not None:
        _found[frame.f_code.co_filename, frame.f_code.co_qualname] += 1


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtestloop() -> Generator[None, object, object]:
    signal.signal(signal.SIGPROF, _count)
    begun = process_time()
    signal.setitimer(signal.ITIMER_PROF, INTERVAL, INTERVAL)
    try:
        return (yield)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        seconds = process_time() - begun
        found = [[*place, count] for place, count in _found.items()]
        result = json.dumps({"seconds": seconds, "found": found})
        Path(os.environ["SAMPLER_RESULT"]).write_text(result)
