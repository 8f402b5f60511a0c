"""The published fault table is true: a part of its cells, one for each fault in each place.

All of them: ``python tests/fault_table.py --check``.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from fault_suites import Cell, all_cells
from fault_table import PAGE, TESTS, Run, a_part, complaints, published, render

_COMMAND = Path(__file__).parent / "fault_table.py"


def test_every_cell_is_published_and_the_page_is_what_the_command_writes() -> None:
    page = PAGE.read_text()
    found = published(page)
    assert set(found) == set(all_cells())
    assert render(found) == page


def test_no_published_cell_hangs_or_blames_others_or_leaves_anything() -> None:
    rows = {
        cell: text
        for cell, (text, _) in published(PAGE.read_text()).items()
        # pytest's own answer to a hook that fails there.
        if cell.place not in ("pytest_runtest_teardown", "pytest_fixture_setup")
    }
    for bad in ("OTHER", "NOT RUN", "TORN DOWN", "leaves pytest.main", "exit code -"):
        assert [str(cell) for cell, text in rows.items() if bad in text] == []


def test_a_part_has_every_fault_in_every_place_and_every_scope_and_mode() -> None:
    part = a_part()
    for name in ("fault", "place", "scope", "mode"):
        assert {getattr(cell, name) for cell in part} == {
            getattr(cell, name) for cell in all_cells()
        }
    assert {(cell.fault, cell.place) for cell in part} == {
        (cell.fault, cell.place) for cell in all_cells()
    }


_CELL = Cell("exception", "call", "", "sequential")


def _run() -> Run:
    """Make up a run of the cell as it should be."""
    passed = [
        {"kind": "report", "test": test, "when": when, "outcome": "passed", "label": None}
        for test in TESTS
        for when in ("setup", "call", "teardown")
    ]
    guilty = next(
        each for each in passed if each["test"] == "test_guilty" and each["when"] == "call"
    )
    guilty.update(outcome="failed", label="ValueError")
    trace = ["up class TestIt", "up function test_guilty", "unwound function test_guilty"]
    trace += ["down function test_guilty", "unwound class TestIt", "down class TestIt"]
    trace += [f"{word} function test_after" for word in ("up", "unwound", "down")]
    return Run(1, False, 1.0, passed, trace, "")


def _is_as_it_should_be(_run: Run) -> None: ...


def _loses_a_report(run: Run) -> None:
    del run.records[1]


def _reports_twice(run: Run) -> None:
    run.records.append(run.records[-1])


def _blames_another(run: Run) -> None:
    run.records[-1].update(outcome="failed", label="ValueError")


def _ends_well(run: Run) -> None:
    run.exit_code = 0


def _hangs(run: Run) -> None:
    run.is_killed = True


def _waits(run: Run) -> None:
    run.seconds = 15.0


def _does_not_run(run: Run) -> None:
    del run.records[-3:]


def _tears_down_twice(run: Run) -> None:
    run.trace += run.trace[2:4]


def _does_not_tear_down(run: Run) -> None:
    del run.trace[4:6]


def _tears_down_late(run: Run) -> None:
    run.trace.append(run.trace.pop(4))
    run.trace.append(run.trace.pop(4))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (_is_as_it_should_be, []),
        (_loses_a_report, ["0 REPORTS of test_before, call"]),
        (_reports_twice, ["2 REPORTS of test_elsewhere, tear-down"]),
        (_blames_another, ["OTHER"]),
        (_ends_well, ["exit code 0"]),
        (_hangs, ["HANGS"]),
        (_waits, ["took 15 s"]),
        (_does_not_run, ["NOT RUN"]),
        (_tears_down_twice, ["TORN DOWN TWICE"]),
        (_does_not_tear_down, ["NOT TORN DOWN"]),
        (_tears_down_late, ["TORN DOWN LATE"]),
    ],
)
def test_what_is_wrong_with_a_run_is_seen(
    change: Callable[[Run], None], expected: list[str]
) -> None:
    run = _run()
    change(run)
    found = complaints(_CELL, run)
    assert [each for each in expected if not any(one.startswith(each) for one in found)] == []
    assert bool(found) is bool(expected), found


def test_a_part_of_the_cells_comes_to_what_is_published() -> None:
    # In a process of its own, as it forks one for each cell.
    command = [sys.executable, str(_COMMAND), "--part", "--check"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
