"""What the stress test checks; ``python tests/stress_sigint.py`` makes the runs."""

from __future__ import annotations

import pytest
from stress_sigint import unbalanced


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
