"""Ctrl-C anywhere: the scripts that try many places, each with a bounded number of tries."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

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


@pytest.mark.parametrize(
    ("script", "options"),
    [("interrupt_trio.py", []), ("stress_sigint.py", ["--runs", "12", "--seed", "1"])],
)
def test_ends_the_run_wherever_it_strikes(script: str, options: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, Path(__file__).with_name(script), *options],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1].endswith(" 0 failures")
