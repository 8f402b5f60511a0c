from __future__ import annotations

import gc
import os
import random

import hypothesis.stateful  # noqa: F401  (once, not in each inner run, which forgets what it imports)
import pytest
from harness import Suite

pytest_plugins = ["pytester"]

#: What takes most of the time.  It hangs on the versions of pytest and Trio more than on that of Python.
_SLOW = {
    "test_benchmarks",
    "test_clock_fixtures",
    "test_concurrent_failures",
    "test_crashes",
    "test_ctrl_c",
    "test_drop_in",
    "test_fault_table",
    "test_faulthandler_tree",
    "test_finalizers_order",
    "test_fixtures_like_sync",
    "test_how_to",
    "test_hypothesis",
    "test_lost_loop",
    "test_nested",
    "test_outcomes",
    "test_own_loops",
    "test_own_state_runs",
    "test_ownership",
    "test_parallel_debugging",
    "test_parallel_docs",
    "test_parallel_ends",
    "test_parallel_limits",
    "test_parallel_random",
    "test_parallel_runners",
    "test_parallel_xdist",
    "test_pytest_timeout",
    "test_reporting",
    "test_seed",
    "test_stress_sigint",
    "test_timeline_browser",
    "test_timeouts",
    "test_trio_thread",
    "test_twin_suites",
}

#: What of it hangs little on the versions of pytest and Trio as well.
_ONCE = {
    "test_benchmarks",
    "test_how_to",
    "test_hypothesis",
    "test_parallel_docs",
    "test_parallel_xdist",
    "test_seed",
    "test_stress_sigint",
    "test_timeline_browser",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what takes long, for ``-m "not slow"`` and ``-m "not once"``."""
    for item in items:
        if item.path.stem in _SLOW:
            item.add_marker(pytest.mark.slow)
        if item.path.stem in _ONCE:
            item.add_marker(pytest.mark.once)


def pytest_configure() -> None:
    """Choose the seed of random suites, if the environment does not, for workers of xdist as well."""
    os.environ.setdefault("TRIO_SCOPED_SEED", str(random.SystemRandom().randrange(2**32)))


def pytest_report_header() -> str:
    """Tell the seed."""
    return f"random suites from TRIO_SCOPED_SEED={os.environ['TRIO_SCOPED_SEED']}"


@pytest.fixture
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Suite:
    """An empty inner suite in a folder of its own."""
    return Suite(pytester, monkeypatch)


def pytest_collection_finish() -> None:
    _freeze()


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    if nextitem is not None and nextitem.path != item.path:
        _freeze()


def _freeze() -> None:
    """Take all that is there by now out of the sight of the garbage collector.

    Each inner run ends with several collections (ten in pytest 8), which took longer than the run itself.
    """
    gc.collect()
    gc.freeze()
