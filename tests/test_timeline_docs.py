"""What the page on the time axis says of its sample is what comes out."""

from __future__ import annotations

import json
import re
from pathlib import Path

from harness import Suite

DOCS = Path(__file__).parent.parent / "docs"
HOW_TO = (DOCS / "how-to" / "see-the-run-on-a-time-axis.md").read_text(encoding="utf-8")


def test_the_sample_has_the_lanes_of_the_picture(suite: Suite) -> None:
    suite.ini()
    for sample in re.findall(r"^```py(?:thon)?\n(.*?)^```", HOW_TO, flags=re.MULTILINE | re.DOTALL):
        [name] = re.findall(r"^# (\S+\.py)$", sample, flags=re.MULTILINE)[:1]
        suite.write(name, sample)
    result = suite.run("--trio-parallel=4", "--trio-timeline=run.json")
    outcomes = sorted(result.outcomes.values())
    assert outcomes == ["failed"] + ["passed"] * 9 + ["skipped", "xfailed"]
    events = json.loads((suite.path / "run.json").read_text())["traceEvents"]
    lanes = [event["args"]["name"] for event in events if event["name"] == "thread_name"]
    assert lanes[0] == "server (session)"
    assert {"database (module)", "account (class)"} <= set(lanes)
    assert lanes.count("tests") == 4
    assert lanes[-1] == "client (function)"
    assert {event["cat"] for event in events if event["ph"] == "X"} == {"test", "fixture", "phase"}


def test_the_pictures_are_there_and_small() -> None:
    for picture in re.findall(r"!\[[^]]+\]\((\S+)\)", HOW_TO):
        path = DOCS / "how-to" / picture
        assert path.read_bytes().startswith(b"\x89PNG")
        assert path.stat().st_size < 150_000
