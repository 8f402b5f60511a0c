"""Histories of runs for the tests of ``--trio-timeline``, and what a trace file has to be like."""

from __future__ import annotations

import random
from typing import Any

from pytest_trio_scoped._timeline_history import History, Process

#: What would leave a script element, a text or a line of JavaScript if it was not escaped.
HOSTILE = (
    "</script><script>document.title='owned'</script><!--<img src=x onerror=alert(1)>"
    "\u2028\u2029&lt;\"'\\"
)


def note_test(
    process: Process, number: int, node_id: str, times: list[float], outcome: str = "passed"
) -> None:
    """Note a whole test: four times are the borders of its phases."""
    process.note(("turn", number, node_id))
    for name, start, stop in zip(("set-up", "call", "tear-down"), times, times[1:], strict=False):
        process.note(("begun", number, name, start))
        ended = outcome if name == "call" else "passed"
        process.note(("ended", number, name, stop, ended))


def note_fixture(  # noqa: PLR0917
    process: Process, number: int, label: str, scope: str, times: list[float], node_id: str = ""
) -> None:
    """Note a whole fixture: set-up begun, live, tear-down begun, torn down."""
    opened, live, closing, closed = times
    about = (label, scope, node_id, "test_a.py::test_1", "conftest.py:3", True)
    process.note(("opening", number, *about, opened))
    process.note(("live", number, live))
    process.note(("closing", number, closing))
    process.note(("closed", number, closed))


def shop(title: str = "shop", name: str = "test_a.py::test_1", fixture: str = "server") -> History:
    """Return a run of three tests with two fixtures."""
    history = History(title, 1_800_000_000.0)
    process = history.process("")
    note_fixture(process, 1, fixture, "session", [0.1, 0.2, 0.9, 1.0])
    note_test(process, 2, name, [0.1, 0.3, 0.4, 0.5])
    note_fixture(process, 3, "client", "function", [0.25, 0.3, 0.4, 0.45], name)
    note_test(process, 4, "test_a.py::TestB::test_2", [0.5, 0.6, 0.7, 0.8], "failed")
    note_test(process, 5, "test_a.py::test_3", [0.8, 0.81, 0.85, 1.0], "xfailed")
    return history


def crowd(number: int) -> History:
    """Return a run of many tests, up to ten at once, one in a hundred of which fails; and an evil fixture."""
    chance = random.Random(1)
    history = History("crowd", 1_800_000_000.0)
    process = history.process("")
    process.note(("opening", -1, HOSTILE, "module", HOSTILE, HOSTILE, HOSTILE, True, 0.0))
    for each in range(number):
        start = each / 100
        steps = [start + step + chance.random() / 50 for step in (0, 0.02, 0.04, 0.06)]
        outcome = "passed" if each % 100 else "failed"
        note_test(process, 2 * each, f"test_{each // 50}.py::test_{each}", steps, outcome)
        note_fixture(process, 2 * each + 1, "client", "function", steps)
    return history


def assert_valid(document: dict[str, Any]) -> None:
    """Check what the Trace Event Format asks for: the fields of each event, and that durations nest."""
    threads: dict[tuple[int, int], list[dict[str, Any]]] = {}
    for event in document["traceEvents"]:
        assert isinstance(event["pid"], int)
        assert isinstance(event["tid"], int)
        assert isinstance(event["name"], str)
        if event["ph"] == "M":
            assert set(event["args"]) == {"sort_index" if "sort" in event["name"] else "name"}
            continue
        assert event["ph"] == "X"
        assert isinstance(event["ts"], int)
        assert event["dur"] >= 0
        threads.setdefault((event["pid"], event["tid"]), []).append(event)
    for events in threads.values():
        is_open: list[int] = []
        for event in sorted(events, key=lambda each: each["ts"]):  # stable, as readers do it
            stop = event["ts"] + event["dur"]
            while is_open and is_open[-1] <= event["ts"]:
                is_open.pop()
            assert all(stop <= outer for outer in is_open), event
            is_open.append(stop)
