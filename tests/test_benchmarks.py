"""The rows of ``benchmarks/`` for tests at once can be run, and come to something."""

from __future__ import annotations

import importlib
import json
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from runpy import run_path
from typing import Any

import pages
import pytest
from harness import Suite

RUN = Path(__file__).parent.parent / "benchmarks" / "run.py"


def _run_script(script: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, str(script), *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _ratios(row: str, tests: int, tmp_path: Path) -> dict[str, dict[str, Any]]:
    file = tmp_path / "report.json"
    what = (f"--only={row}", f"--tests={tests}", f"--json={file}")
    _run_script(RUN, "--no-peers", "--rounds=1", *what)
    (found,) = json.loads(file.read_text())["rows"]
    ratios: dict[str, dict[str, Any]] = found["ratios"]
    return ratios


def test_tests_at_once_take_no_longer_than_a_few_of_them(tmp_path: Path) -> None:
    # 50 tests of 0.1 s: 0.1 s at best, 5 s one after the other.
    assert _ratios("parallel", 50, tmp_path)["--trio-parallel=1000"]["loop"]["best"] < 15


@pytest.mark.skipif(find_spec("xdist") is None, reason="compares with pytest-xdist")
def test_others_take_longer(tmp_path: Path) -> None:
    ratios = _ratios("parallel-others", 20, tmp_path)
    assert ratios["pytest-trio-scoped"]["loop"]["best"] > 2
    assert ratios["sync tests"]["loop"]["best"] > 2
    assert set(ratios) == {"pytest-trio-scoped", "xdist, -n 2", "sync tests"}


def test_it_is_told_where_the_time_goes() -> None:
    output = _run_script(RUN.with_name("where.py"), "--rounds=1", "--tests=300")
    rows = [line.strip("| ").split(" | ") for line in output.splitlines()]
    cells = {owner: [int(cell) for cell in rest] for owner, *rest in rows[2:]}
    assert rows[0][1:] == [
        *("sync no-op", "async no-op", "sync, three fixtures", "async, three fixtures"),
        "all at once",
    ]
    ours, trio = cells["pytest-trio-scoped"], cells["Trio"]
    assert ours[0] == ours[2] == trio[0] == trio[2] == 0
    # Of each column there are some dozens of samples only.
    assert 0 < sum(trio) < sum(cells["all"]) / 2
    assert 0 < sum(ours) < sum(cells["all"]) / 2
    assert sum(cells["pytest"]) > 0


def test_nothing_grows_with_the_number_of_tests() -> None:
    _run_script(RUN.with_name("endurance.py"), "--tests=1000")


def test_growth_is_measured(tmp_path: Path) -> None:
    assert _ratios("parallel-growth", 5, tmp_path)["--trio-parallel=1000"]["loop"]["best"] < 40


def test_the_page_has_the_figures_that_were_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(RUN.parent)
    report = importlib.import_module("report")
    page = report.PAGE.read_text(encoding="utf-8")
    figures = json.loads(report.FIGURES.read_text(encoding="utf-8"))
    assert report.with_figures(page, figures) == page
    assert "| `noop`: async no-op test / sync twin | 1.05 |" in page
    assert "<svg" in report.PICTURE.read_text(encoding="utf-8")


def test_what_the_comparison_says_of_this_plugin_is_so(suite: Suite) -> None:
    """What it says of others is from a run of the script."""
    compare = run_path(str(RUN.with_name("compare.py")))
    probes: dict[str, str] = compare["PROBES"]
    table = pages.text_of(pages.DOCS / "explanation" / "comparison.md").partition("## How it was")[
        2
    ]
    assert not [probe for probe in probes if f"`{probe}`" not in table]
    _, ini, lib, _ = compare["PLUGINS"]["pytest-trio-scoped"]
    suite.write("pytest.ini", f"[pytest]\n{ini}")
    suite.write("lib.py", lib)
    modules = {}
    for number, (probe, source) in enumerate(probes.items()):
        if "Ctrl-C" not in probe and "ten tests" not in probe:  # other tests hold that
            modules[f"test_{number}.py"] = probe
            text = compare["textwrap"].dedent(source)
            suite.write(f"test_{number}.py", compare["_PRELUDE"] + text)
    output = suite.run("-q", "-s", "-rA", "--tb=line").output
    ends = re.findall(r"^(PASSED|FAILED|ERROR) (test_\d+.py)::(\w+)", output, re.MULTILINE)
    failed = {f"{modules[module]}: {test}" for end, module, test in ends if end != "PASSED"}
    assert failed == {
        "a task in a module fixture fails: test_uses_it",
        "a task in a function fixture fails: test_uses_it",
        "a test leaves a nursery open: test_leaks",
    }
    assert output.count("SET UP") == 1
    assert output.count("SAME True") == 2
    assert re.search(r"^SKIPPED .*the reason", output, re.MULTILINE)
    assert {module for _, module, _ in ends} == modules.keys() - {
        module for module, probe in modules.items() if "skip" in probe
    }
