"""A run as one page of HTML that needs nothing else.

Names of tests and fixtures are data of the suite.  They stand in the page as JSON in which no character means
anything to HTML, and the page shows them as text only.  In case of a mistake in that, the page allows no
script but its own.

Pinned by ``tests/test_timeline_page.py`` and, in a browser, by ``tests/test_timeline_browser.py``.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.resources
import json
from typing import Any

from ._timeline_history import History, Life, Turn, microseconds
from ._timeline_lanes import Lane, lanes_of

#: What has a meaning within a script element, whatever its type.  JSON has it in texts only.
_ESCAPES = {ord(each): f"\\u{ord(each):04x}" for each in "<>&"}


def as_page(history: History) -> str:
    """Return the page."""
    folder = importlib.resources.files(__package__)
    template = folder.joinpath("timeline.html").read_text(encoding="utf-8")
    script = template.rpartition("<script>")[2].partition("</script>")[0]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    before, after = template.replace("@SCRIPT@", f"sha256-{digest}").split("@RUN@")
    return f"{before}{as_data(history)}{after}"


def as_data(history: History) -> str:
    """Return what the page shows, as JSON that may stand in a script element."""
    document = {
        "title": history.title,
        "began": history.began,
        "stop": microseconds(history.stop),
        "outcomes": history.outcomes(),
        "processes": [
            {"name": process.name, "lanes": [_lane(lane) for lane in lanes_of(process)]}
            for process in history.processes
        ],
    }
    return json.dumps(document, separators=(",", ":")).translate(_ESCAPES)


def _lane(lane: Lane) -> dict[str, Any]:
    bars = [_test(each) for each in lane.turns] + [_fixture(each) for each in lane.lives]
    return {"kind": lane.kind, "name": lane.name, "bars": bars}


def _time(seconds: float | None) -> int | None:
    return None if seconds is None else microseconds(seconds)


def _test(turn: Turn) -> dict[str, Any]:
    return {
        "id": turn.node_id,
        "outcome": turn.outcome,
        "start": _time(turn.start),
        "stop": _time(turn.stop),
        "phases": [
            [each.name, _time(each.start), _time(each.stop), each.outcome] for each in turn.phases
        ],
    }


def _fixture(life: Life) -> dict[str, Any]:
    return {
        "id": life.label,
        "of": life.node_id,
        "test": life.test_id,
        "at": life.location,
        "async": life.is_async,
        "failed": life.is_failed,
        "start": _time(life.start),
        "live": _time(life.live),
        "closing": _time(life.closing),
        "stop": _time(life.stop),
    }
