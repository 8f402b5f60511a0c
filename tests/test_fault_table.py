"""The published fault table is true: a part of its cells, one for each fault in each place.

All of them: ``python tests/fault_table.py --check``.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from fault_suites import all_cells
from fault_table import PAGE, a_part, published, render

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
    for bad in ("OTHER", "NOT RUN", "NOT TORN DOWN", "leaves pytest.main", "exit code -"):
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


def test_a_part_of_the_cells_comes_to_what_is_published() -> None:
    # In a process of its own, as it forks one for each cell.
    command = [sys.executable, str(_COMMAND), "--part", "--check"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
