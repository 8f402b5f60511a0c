"""A run in the Trace Event Format, which Perfetto and chrome://tracing open.

Events with a duration ("X") have to nest on their thread, and of two that begin together the outer one comes
first.  So each lane is a thread; phases stand within their test, set-up and tear-down within their fixture.

Pinned by ``tests/test_timeline_trace.py``.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from typing import Any

from ._timeline_history import History, Life, Turn, microseconds
from ._timeline_lanes import Lane, lanes_of

_Fields = dict[str, Any]

#: Names of colours that the format reserves.
_COLOURS = {"passed": "good", "skipped": "grey", "xfailed": "yellow", "xpassed": "yellow"}
_BAD = "terrible"


def as_trace(history: History) -> str:
    """Return the text of a file for Perfetto; times are microseconds since the start of the run."""
    began = dt.datetime.fromtimestamp(history.began, dt.UTC)
    document = {
        "displayTimeUnit": "ms",
        "otherData": {"run": history.title, "began": began.isoformat()},
    }
    events = ",\n".join(json.dumps(event) for event in _events(history))
    return f'{json.dumps(document)[:-1]}, "traceEvents": [\n{events}\n]}}\n'


def _events(history: History) -> Iterator[_Fields]:
    for pid, process in enumerate(history.processes, 1):
        name = process.name or "pytest"
        yield _about("process_name", pid, 0, name=name)
        yield _about("process_sort_index", pid, 0, sort_index=pid)
        for tid, lane in enumerate(lanes_of(process), 1):
            where = {"pid": pid, "tid": tid}
            title = lane.name if lane.kind == "test" else f"{lane.name} ({lane.kind})"
            yield _about("thread_name", pid, tid, name=title)
            yield _about("thread_sort_index", pid, tid, sort_index=tid)
            for event in _bars(lane):
                yield {**event, **where}


def _about(what: str, pid: int, tid: int, **arguments: object) -> _Fields:
    return {"name": what, "ph": "M", "pid": pid, "tid": tid, "args": arguments}


def _bars(lane: Lane) -> Iterator[_Fields]:
    for turn in lane.turns:
        yield from _test(turn)
    for life in lane.lives:
        yield from _fixture(life)


def _test(turn: Turn) -> Iterator[_Fields]:
    details = {"id": turn.node_id, "outcome": turn.outcome}
    bar = _complete(turn.node_id, "test", turn.start, turn.stop, details)
    yield {**bar, "cname": _COLOURS.get(turn.outcome, _BAD)}
    for phase in turn.phases:
        stop = phase.start if phase.stop is None else phase.stop
        yield _complete(phase.name, "phase", phase.start, stop, {"outcome": phase.outcome})


def _fixture(life: Life) -> Iterator[_Fields]:
    details = {
        "scope": life.scope,
        "of": life.node_id,
        "set up for": life.test_id,
        "defined in": life.location,
        "is_async": life.is_async,
        "is_failed": life.is_failed,
    }
    yield _complete(life.label, "fixture", life.start, life.stop, details)
    yield _complete(
        "set-up", "phase", life.start, life.stop if life.live is None else life.live, {}
    )
    if life.closing is not None:
        yield _complete("tear-down", "phase", life.closing, life.stop, {})


def _complete(name: str, category: str, start: float, stop: float, details: _Fields) -> _Fields:
    begin = microseconds(start)
    duration = microseconds(stop) - begin
    return {
        "name": name,
        "cat": category,
        "ph": "X",
        "ts": begin,
        "dur": duration,
        "args": details,
    }
