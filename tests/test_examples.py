"""What the examples say of themselves, where running them does not show it."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree as ET

from harness import Suite

ROOT = Path(__file__).parent.parent


def test_each_has_its_place_and_its_command() -> None:
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    names = sorted(path.parent.name for path in (ROOT / "examples").glob("[a-z]*/README.md"))
    assert sorted(re.findall(r"\(\.\./examples/(\w+)/README\.md\)", index)) == names
    for name in names:
        readme = (ROOT / "examples" / name / "README.md").read_text(encoding="utf-8")
        assert f"    python -m pytest examples/{name}\n" in readme


def test_twenty_seconds_of_tests_take_less_than_one(suite: Suite) -> None:
    folder = ROOT / "examples" / "concurrent"
    for file in [*folder.glob("*.py"), folder.parent / "pytest.ini"]:
        suite.write(file.name, file.read_text(encoding="utf-8"))
    assert "trio_parallel = 100\n" in (suite.path / "pytest.ini").read_text(encoding="utf-8")
    # Whatever else this machine does can only make it slower.
    assert any(_seconds(suite) < 1 for _ in range(5))


def _seconds(suite: Suite) -> float:
    """Return what pytest says that the suite took; each test has waited as long as it says."""
    result = suite.run("--junitxml=times.xml")
    assert set(result.outcomes.values()) == {"passed"}
    cases = ET.parse(suite.path / "times.xml").iter("testcase")
    times = [float(case.attrib["time"]) for case in cases]
    assert len(times) == 100
    assert min(times) >= 0.2
    return float(re.findall(r" 100 passed in ([0-9.]+)s ", result.output)[-1])
