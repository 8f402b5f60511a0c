"""Run Python code that may hang, die or be killed in a process of its own, with a time limit."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

_PRELUDE = """
import gc, os, signal, sys, threading, traceback
import greenlet, trio
from pytest_trio_scoped._loop import Loop
from pytest_trio_scoped._wreck import LoopLost
from loops import open_loop, snapshot
"""


def lines_of(
    source: str,
    *arguments: str,
    prelude: str = _PRELUDE,
    is_noisy: bool = False,
    seconds: float = 30,
) -> list[str]:
    """Run ``source`` under ``-W error`` and return the lines that it prints.

    It has to end by itself, within the time, with exit code 0 and, unless it is noisy, with nothing on
    stderr, where Python complains about what is collected in disorder.
    """
    code = prelude + textwrap.dedent(source) + "\nimport gc; gc.collect()\n"
    command = [sys.executable, "-X", "faulthandler", "-W", "error", "-c", code, *arguments]
    try:
        done = subprocess.run(
            command,
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as hang:
        printed = (hang.stdout or b"").decode()
        pytest.fail(f"the process hangs; it printed:\n{printed}")
    if done.returncode != 0 or (done.stderr and not is_noisy):
        pytest.fail(f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done.stdout.splitlines()
