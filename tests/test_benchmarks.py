"""The rows of ``benchmarks/`` for tests at once can be run, and come to something."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

RUN = Path(__file__).parent.parent / "benchmarks" / "run.py"


def _ratios(row: str, tests: int, tmp_path: Path) -> dict[str, dict[str, Any]]:
    file = tmp_path / "report.json"
    command = [sys.executable, str(RUN), "--no-peers", "--rounds=1", f"--only={row}"]
    done = subprocess.run(
        [*command, f"--tests={tests}", f"--json={file}"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
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
    assert set(ratios) == {"pytest-trio-scoped", "xdist, -n 2"}


def test_nothing_grows_with_the_number_of_tests() -> None:
    command = [sys.executable, str(RUN.with_name("endurance.py")), "--tests=1000"]
    done = subprocess.run(
        command,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr


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
