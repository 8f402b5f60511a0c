"""A few runs of the stress test; ``python tests/stress_sigint.py`` makes hundreds."""

from __future__ import annotations

import random

import pytest
from stress_sigint import run_once, unbalanced

RUNS = 12


@pytest.mark.parametrize("number", range(RUNS))
def test_a_run_that_is_interrupted_ends_in_order(number: int) -> None:
    # Spread over the run, so that each test meets another part of it.
    delay = random.uniform(number, number + 1) / RUNS
    problem = run_once(delay, limit=30)
    assert problem is None, f"interrupted after {delay:.4f} s: {problem}"


@pytest.mark.parametrize(
    ("trace", "problems"),
    [
        (["up a", "up b", "down b", "down a"], []),
        (["up a"], ["not torn down: a"]),
        (["up a", "down a", "down a"], ["a torn down without having been set up"]),
    ],
)
def test_the_trace_is_checked(trace: list[str], problems: list[str]) -> None:
    assert unbalanced(trace) == problems
