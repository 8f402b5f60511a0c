"""What the pages show is run as it stands there, with the settings that they show.

All Python blocks of a page are one suite, which is run once.  A block whose first line names a file goes into
that file; if the page has the file again, the later one counts.
"""

from __future__ import annotations

from pathlib import Path

import pages
import pytest
from harness import Suite

#: Pages that have a test of their own, since it takes more to run them: steps, a plugin, files that fail.
RUN_ELSEWHERE = {
    "README.md": "test_readme.py",
    "docs/tutorial/first-suite.md": "test_tutorial.py",
    "docs/reference/neighbours.md": "test_neighbours.py",
}
#: Importing trio-asyncio changes asyncio's policy for the process, and is warned of since Python 3.12.
WITH_TRIO_ASYNCIO = "come-from-pytest-asyncio"
PAGES = [
    page
    for page in pages.SITE
    if pages.blocks_of(page, "python") and pages.name_of(page) not in RUN_ELSEWHERE
]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_samples_run(suite: Suite, page: Path) -> None:
    files = _write(suite, page)
    if page.stem == WITH_TRIO_ASYNCIO:
        result = suite.run_subprocess("-W", "ignore:'AbstractChildWatcher' is:DeprecationWarning")
    else:
        result = suite.run("--strict-config", "--strict-markers")
    tests = [name for name in files if Path(name).name.startswith("test_")]
    assert tests or result.exit_code == pytest.ExitCode.NO_TESTS_COLLECTED
    assert len(result.phases) >= len(tests), result.output
    assert set(result.outcomes.values()) <= {"passed"}, result.output


@pytest.mark.parametrize("page", ["share-a-server", "share-a-database"])
def test_what_shares_runs_at_once_as_the_page_says(suite: Suite, page: str) -> None:
    _write(suite, pages.DOCS / "how-to" / f"{page}.md")
    result = suite.run("--trio-parallel=10")
    assert set(result.outcomes.values()) == {"passed"}, result.output


def _write(suite: Suite, page: Path) -> dict[str, str]:
    files = {}
    for number, block in enumerate(pages.blocks_of(page, "python")):
        files[block.file or f"test_sample_{number}.py"] = block.text
    for name, text in files.items():
        suite.write(name, text)
    settings = [block.text.removeprefix("[pytest]\n") for block in pages.blocks_of(page, "ini")]
    suite.ini(*(line for text in settings for line in text.splitlines()))
    return files


def test_what_is_there_once_for_all_workers_is_started_once(suite: Suite) -> None:
    pytest.importorskip("xdist")
    for block in pages.blocks_of(pages.DOCS / "how-to" / "scale-out-with-xdist.md", "python"):
        assert block.file
        suite.write(block.file, block.text)
    suite.tests("""
        @pytest.mark.parametrize("number", range(4))
        def test_it(shared, database_name, number): trace(f"{database_name} {shared}")
    """)
    result = suite.run_subprocess("-p", "xdist", "-n", "2")
    assert set(result.outcomes.values()) == {"passed"}, result.output
    assert len({line.partition(" ")[2] for line in result.trace}) == 1
    assert {line.partition(" ")[0] for line in result.trace} <= {"test_gw0", "test_gw1"}
