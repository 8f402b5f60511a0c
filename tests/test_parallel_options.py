"""How many tests run at once: the option and the ini values; and what they mean for a run."""

from __future__ import annotations

import pytest
from harness import Suite
from subprocesses import lines_of

_TESTS = """
    import pytest, trio, trio.testing
    from trace import trace
    in_flight = 0

    @pytest.mark.parametrize("i", range(12))
    async def test_a(i):
        global in_flight
        in_flight += 1
        trace(f"{in_flight} in flight")
        await trio.testing.wait_all_tasks_blocked(0.001)
        in_flight -= 1
"""


def most(suite: Suite, *arguments: str, ini: str = "") -> int:
    """Return how many tests have been in flight at once."""
    suite.write("test_it.py", _TESTS)
    (suite.path / "trace.txt").unlink(missing_ok=True)
    suite.ini(ini)
    result = suite.run(*arguments)
    assert result.exit_code == 0, result.output
    return max(int(line.split()[0]) for line in result.trace)


@pytest.mark.parametrize(
    ("arguments", "ini", "number"),
    [
        ((), "", 1),
        (("--trio-parallel=1",), "trio_parallel = 5", 1),
        (("--trio-parallel=3",), "", 3),
        (("--trio-parallel", "3"), "trio_parallel = 5", 3),
        (("--trio-parallel=auto",), "", 12),
        ((), "trio_parallel = 5", 5),
        ((), "trio_parallel = auto", 12),
        (("-o", "trio_parallel=4"), "", 4),
        (("--trio-parallel=12",), "", 12),
    ],
)
def test_as_many_run_at_once_as_are_asked_for(
    suite: Suite, arguments: tuple[str, ...], ini: str, number: int
) -> None:
    assert most(suite, *arguments, ini=ini) == number


@pytest.mark.parametrize("value", ["0", "-1", "many", "1.5"])
def test_anything_else_is_a_usage_error(suite: Suite, value: str) -> None:
    suite.tests("async def test_a(): pass")
    result = suite.run(f"--trio-parallel={value}")
    assert (result.exit_code, result.phases) == (pytest.ExitCode.USAGE_ERROR, {})
    told = f"--trio-parallel: It is {value!r}. Give how many tests may run at once, 1 or more, or 'auto'."
    assert told in result.output


@pytest.mark.parametrize("value", ["0", "-1", "many", "1.5"])
def test_so_it_is_in_the_ini_file(suite: Suite, value: str) -> None:
    suite.tests("async def test_a(): pass")
    suite.ini(f"trio_parallel = {value}")
    result = suite.run()
    assert (result.exit_code, result.phases) == (pytest.ExitCode.USAGE_ERROR, {})
    told = f"The ini value 'trio_parallel' is {value!r}. Give how many tests may run at once, 1 or more"
    assert told in result.output


def test_an_unknown_scope_is_a_usage_error(suite: Suite) -> None:
    suite.tests("async def test_a(): pass")
    suite.ini("trio_parallel_scope = package")
    result = suite.run()
    assert result.exit_code == pytest.ExitCode.USAGE_ERROR
    assert "The ini value 'trio_parallel_scope' is 'package'." in result.output


_EVERY = """
    @pytest.fixture(scope="module", params="xy")
    async def wide(request): yield request.param
    async def test_long(wide): await trio.sleep(0.01)
    async def test_short(wide): pass
    async def test_bad(): assert 0
    def test_sync(capsys): pass
    @pytest.mark.skip
    async def test_skipped(): pass
"""


def test_one_at_once_is_as_without_the_option(suite: Suite) -> None:
    suite.tests(_EVERY)
    without, one = suite.run("-v"), suite.run("-v", "--trio-parallel=1")
    assert list(one.phases.items()) == list(without.phases.items())
    assert without.exit_code == one.exit_code == 1

    def tests(output: str) -> list[str]:
        return [line for line in output.splitlines() if line.startswith("test_it.py::")]

    assert tests(one.output) == tests(without.output) != []
    assert "trio-parallel" not in one.output


@pytest.mark.parametrize("option", ["", "--trio-parallel=1"])
def test_nothing_of_it_is_loaded_without_the_option(suite: Suite, option: str) -> None:
    suite.tests("async def test_a(): await trio.sleep(0)")
    source = f"""
        import os, sys
        import pytest
        os.chdir({str(suite.path)!r})
        arguments = ["-q", "-p", "trio_scoped", "-p", "no:cacheprovider", *{option.split()!r}]
        pytest.main(arguments)
        parts = "feeds parallel_xdist xdist_names xdist_crashes parallel_debugging parallel admission "
        parts += "line_up own_fixtures setup_tree held_reports exclusive own_state"
        print(sorted(part for part in parts.split() if f"pytest_trio_scoped._{{part}}" in sys.modules))
    """
    assert lines_of(source, prelude="")[-1] == "[]"


def test_collecting_only_runs_nothing(suite: Suite) -> None:
    suite.tests("async def test_a(): pass")
    result = suite.run("--trio-parallel=3", "--collect-only")
    assert (result.exit_code, result.phases) == (0, {})
    assert "trio-parallel" not in result.output


@pytest.mark.parametrize("option", ["--setup-show", "--setup-plan", "--setup-only"])
def test_set_ups_are_shown_one_after_the_other(suite: Suite, option: str) -> None:
    suite.tests("""
        @pytest.fixture
        async def own(): pass
        async def test_a(own): await trio.sleep(0)
        async def test_b(own): await trio.sleep(0)
    """)
    output = suite.run("--trio-parallel=3", option).output
    both = [line.strip().split()[:3] for line in output.splitlines() if " own" in line]
    assert both[0][:3] == ["SETUP", "F", "own"]
    assert both[1][0] != "SETUP" or "own" in both[1]
    assert "trio-parallel" not in output


def test_an_error_of_the_collection_is_told_as_always(suite: Suite) -> None:
    suite.tests("async def test_a(): pass")
    suite.write("test_broken.py", "assert 0")
    result = suite.run("--trio-parallel=3")
    assert (result.exit_code, result.phases) == (pytest.ExitCode.INTERRUPTED, {})
    result = suite.run("--trio-parallel=3", "--continue-on-collection-errors")
    assert result.exit_code == 1
    assert result.outcomes == {"test_a": "passed"}


def test_a_run_without_tests(suite: Suite) -> None:
    suite.tests("")
    assert suite.run("--trio-parallel=3").exit_code == pytest.ExitCode.NO_TESTS_COLLECTED
    suite.tests("async def test_a(): pass")
    result = suite.run("--trio-parallel=3", "-k", "nothing")
    assert result.exit_code == pytest.ExitCode.NO_TESTS_COLLECTED
