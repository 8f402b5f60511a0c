"""What a test in flight runs is counted for that test, with pytest-cov's ``--cov-context=test``.

Coverage has one context at a time for all that runs.  pytest-cov sets it when a phase begins; with many tests
in flight each has its own, which is in place while the test has its turn.

Pinned by ``tests/test_neighbours_coverage.py``.
"""

from __future__ import annotations

import sys
from typing import Any

import pytest

from ._own_slots import OwnState

#: Under this name pytest-cov registers what sets the context.
_PLUGIN = "_cov_contexts"


def present_coverage() -> Any | None:
    """Return the ``coverage.Coverage`` that is at work, if there is one."""
    current = getattr(getattr(sys.modules.get("coverage"), "Coverage", None), "current", None)
    return None if current is None else current()


def loses_lines() -> bool:
    """Say whether coverage is at work and is not told of greenlets, which it has to be if it is a tracer."""
    coverage = present_coverage()
    if coverage is None or sys.gettrace() is None:
        return False
    return "greenlet" not in coverage.get_option("run:concurrency")


class OwnCoverage:
    """The contexts of the tests in flight."""

    def __init__(self, config: pytest.Config) -> None:
        is_wanted = config.pluginmanager.has_plugin(_PLUGIN)
        self._coverage = present_coverage() if is_wanted else None
        self.is_wanted = self._coverage is not None
        static = self._coverage.get_option("run:context") if self._coverage is not None else None
        #: What coverage puts before each context.
        self._prefix = f"{static}|" if static else ""

    def swap(self, last: OwnState, state: OwnState) -> None:
        """Put the context of ``state`` in place, and keep that of ``last``."""
        assert self._coverage is not None
        previous = self._coverage.switch_context(state.coverage_context)
        # The static one alone: before the first test.
        last.coverage_context = f"{previous or ''}|".removeprefix(self._prefix).rstrip("|")
