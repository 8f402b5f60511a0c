from __future__ import annotations

import gc

import hypothesis.stateful  # noqa: F401  (once, not in each inner run, which forgets what it imports)
import pytest
from harness import Suite

pytest_plugins = ["pytester"]


@pytest.fixture
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Suite:
    """An empty inner suite in a folder of its own."""
    return Suite(pytester, monkeypatch)


def pytest_collection_finish() -> None:
    """Take all that is there by now out of the sight of the garbage collector.

    Each inner run ends with several collections (ten in pytest 8), which took longer than the run itself.
    """
    gc.collect()
    gc.freeze()
