"""What pytest-cov counts, the real one: lines, branches, and contexts, also of many tests at once."""

from __future__ import annotations

from importlib.util import find_spec

import pytest
from harness import Result, Suite

AT_ONCE = "--trio-parallel=20"

pytestmark = pytest.mark.skipif(
    find_spec("pytest_cov") is None,
    reason="not installed: pytest_cov; .ci/run does that for its run 'neighbours'",
)

#: What is covered; each line says by whom.
_LIBRARY = """
import trio
async def served(task_status=trio.TASK_STATUS_IGNORED):
    task_status.started()                               # test_a|setup
    try:
        await trio.sleep_forever()                      # test_a|setup
    finally:
        closed = True                                   # the last
async def double(number):
    await trio.sleep(0.01)                              # test_a|setup test_b|run
    if number:                                          # test_a|setup test_b|run
        doubled = 2 * number                            # test_a|setup
    else:
        doubled = 0                                     # test_b|run
    await trio.sleep(0.01)                              # test_a|setup test_b|run
    return doubled                                      # test_a|setup test_b|run
def alone():
    return 1                                            # test_a|run
def waits(await_):
    await_(trio.sleep(0.01))                            # test_c|run
    after = 2                                           # test_c|run
    return after                                        # test_c|run
"""

_TESTS = """
import library
@pytest.fixture(scope="session")
async def server():
    async with trio.open_nursery() as nursery:
        await nursery.start(library.served)
        yield
        nursery.cancel_scope.cancel()
@pytest.fixture
async def doubled(server):
    return await library.double(1)
async def test_a(doubled):
    assert doubled == 2
    await trio.sleep(0.02)
    assert library.alone() == 1
async def test_b(server):
    assert await library.double(0) == 0
def test_c(server):
    assert library.waits(await_) == 2
"""


def run(suite: Suite, *arguments: str, greenlets: bool = True) -> Result:
    """Run the suite, with coverage told of greenlets or not."""
    suite.tests(_TESTS)
    suite.write("library.py", _LIBRARY)
    setting = "concurrency = greenlet\n" if greenlets else ""
    suite.write(".coveragerc", f"[run]\ncontext = nightly\n{setting}")
    report = ("--cov=library", "--cov-report=term-missing", "--cov-branch")
    return suite.run_subprocess("-p", "pytest_cov.plugin", *report, *arguments)


def contexts_of(suite: Suite) -> dict[int, set[str]]:
    """Return who has run which line of the library, from coverage's data."""
    import coverage

    data = coverage.CoverageData(str(suite.path / ".coverage"))
    data.read()
    (file,) = data.measured_files()
    return {
        line: {
            context.removeprefix("nightly|").removeprefix("test_it.py::") for context in contexts
        }
        for line, contexts in data.contexts_by_lineno(file).items()
    }


@pytest.mark.parametrize("way", [(), (AT_ONCE,)], ids=["sequential", "at once"])
def test_lines_branches_and_contexts(suite: Suite, way: tuple[str, ...]) -> None:
    """Each line is counted for the test that has run it, also if others run in between."""
    result = run(suite, "--cov-context=test", *way)
    assert set(result.outcomes.values()) == {"passed"}
    (line,) = (line for line in result.output.splitlines() if line.startswith("library.py"))
    assert line.split()[-1] == "100%"
    contexts = contexts_of(suite)
    for number, text in enumerate(_LIBRARY.splitlines(), start=1):
        _, mark, names = text.partition("# ")
        if names == "the last":
            assert [name.partition("|")[2] for name in contexts[number]] == ["teardown"]
        elif mark:
            found = {name for name in contexts[number] if not name.endswith("|teardown")}
            assert found == set(names.split()), text
    assert max(contexts) <= len(_LIBRARY.splitlines())
    assert "coverage loses lines" not in result.output


def test_it_is_said_when_lines_will_be_lost(suite: Suite) -> None:
    """Of sync code that waits, with many tests at once and coverage not told of greenlets."""
    result = run(suite, AT_ONCE, greenlets=False)
    said = "  coverage loses lines of sync code that waits; set 'concurrency = greenlet' in its section [run]"
    assert said in result.output.splitlines()


@pytest.mark.skipif(find_spec("xdist") is None, reason="pytest-xdist is not installed")
def test_with_workers_of_xdist(suite: Suite) -> None:
    result = run(suite, AT_ONCE, "-p", "xdist.plugin", "-n2", "--cov-context=test")
    assert set(result.outcomes.values()) == {"passed"}
    (line,) = (line for line in result.output.splitlines() if line.startswith("library.py"))
    assert line.split()[-1] == "100%"
    names = {name for contexts in contexts_of(suite).values() for name in contexts}
    assert {"test_a|run", "test_b|run", "test_c|run"} <= names
