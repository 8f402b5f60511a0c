"""What is set up and torn down when is the same with and without the removal of spent finalizers."""

from __future__ import annotations

import re

import pytest
from fixture_scenarios import SCENARIOS, Scenario, random_scenario
from harness import Suite

OFF = ("-p", "no:trio_scoped_finalizers")
STOCK = ("-p", "no:trio_scoped")


def course(suite: Suite, scenario: Scenario, *arguments: str) -> dict[str, object]:
    """Return all that can be seen of one run of the scenario from outside."""
    (suite.path / "trace.txt").unlink(missing_ok=True)
    result = suite.run("--setup-show", "-rA", "--tb=line", *scenario.arguments, *arguments)
    lines = result.output.splitlines()
    shown = [line for line in lines if re.search("(SETUP|TEARDOWN) +[SPMCF] |fixtures used:", line)]
    summary = [line for line in lines if re.match("[A-Z]+ .*::", line)]
    return {
        "trace": result.trace,
        "phases": result.phases,
        "exit code": result.exit_code,
        "shown": shown,
        "summary": summary,
    }


def write(suite: Suite, scenario: Scenario, define: str) -> None:
    for name, source in scenario.written(define).items():
        (suite.path / name).parent.mkdir(parents=True, exist_ok=True)
        suite.write(name, source)
    suite.ini(trio_mode=define != "def")


@pytest.mark.parametrize(
    ("scenario", "define"),
    [
        pytest.param(scenario, define, id=f"{scenario.name}-{define.split()[0]}")
        for scenario in SCENARIOS
        for define in (["def"] if scenario.is_sync_only else ["def", "async def"])
    ],
)
def test_the_course_of_a_run_is_the_same(suite: Suite, scenario: Scenario, define: str) -> None:
    write(suite, scenario, define)
    with_it = course(suite, scenario)
    assert with_it["shown"]
    assert with_it == course(suite, scenario, *OFF)
    if define == "def":
        assert with_it == course(suite, scenario, *STOCK)


@pytest.mark.parametrize("seed", range(15))
def test_the_course_of_a_random_run_is_the_same(suite: Suite, seed: int) -> None:
    scenario = random_scenario(seed)
    write(suite, scenario, "async def" if seed % 2 else "def")
    assert course(suite, scenario) == course(suite, scenario, *OFF)
