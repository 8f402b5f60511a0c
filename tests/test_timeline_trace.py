"""Traces for Perfetto and chrome://tracing."""

from __future__ import annotations

import json
from typing import Any

from timelines import HOSTILE, assert_valid, crowd, shop

from pytest_trio_scoped._timeline_history import History
from pytest_trio_scoped._timeline_trace import as_trace


def _read(history: History) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(as_trace(history))
    return document


def test_the_whole_trace_of_a_run() -> None:
    document = _read(shop())
    assert_valid(document)
    assert document["displayTimeUnit"] == "ms"
    assert document["otherData"] == {"run": "shop", "began": "2027-01-15T08:00:00+00:00"}
    threads = {
        event["tid"]: event["args"]["name"]
        for event in document["traceEvents"]
        if event["name"] == "thread_name"
    }
    assert threads == {1: "server (session)", 2: "tests", 3: "client (function)"}
    bars = [
        (event["tid"], event["cat"], event["name"], event["ts"], event["dur"])
        for event in document["traceEvents"]
        if event["ph"] == "X"
    ]
    assert bars[:7] == [
        (1, "fixture", "server", 100_000, 900_000),
        (1, "phase", "set-up", 100_000, 100_000),
        (1, "phase", "tear-down", 900_000, 100_000),
        (2, "test", "test_a.py::test_1", 100_000, 400_000),
        (2, "phase", "set-up", 100_000, 200_000),
        (2, "phase", "call", 300_000, 100_000),
        (2, "phase", "tear-down", 400_000, 100_000),
    ]
    tests = [event for event in document["traceEvents"] if event.get("cat") == "test"]
    assert [(each["args"]["outcome"], each["cname"]) for each in tests] == [
        ("passed", "good"),
        ("failed", "terrible"),
        ("xfailed", "yellow"),
    ]


def test_what_has_not_ended_is_there() -> None:
    history = History("a", 0.0)
    process = history.process("gw3")
    process.note(("turn", 1, "a"))
    process.note(("begun", 1, "set-up", 1.0))
    process.note(("opening", 2, "f", "session", "", "a", "c.py:1", False, 1.0))
    process.cut_short(2.0)
    history.end(2.0)
    document = _read(history)
    assert_valid(document)
    assert document["traceEvents"][0]["args"] == {"name": "gw3"}
    bars = [(each["name"], each["dur"]) for each in document["traceEvents"] if each["ph"] == "X"]
    assert bars == [
        ("f", 1_000_000),
        ("set-up", 1_000_000),
        ("a", 1_000_000),
        ("set-up", 1_000_000),
    ]


def test_tests_that_overlap_are_on_threads_that_nest() -> None:
    assert_valid(_read(crowd(300)))


def test_an_empty_run_is_a_trace() -> None:
    assert _read(History("a", 0.0))["traceEvents"] == []


def test_names_are_kept_as_they_are() -> None:
    document = _read(shop(HOSTILE, HOSTILE, HOSTILE))
    assert document["otherData"]["run"] == HOSTILE
    assert {HOSTILE} <= {event["name"] for event in document["traceEvents"]}
