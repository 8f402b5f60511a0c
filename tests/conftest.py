from __future__ import annotations

import pytest
from harness import Suite

pytest_plugins = ["pytester"]


@pytest.fixture
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Suite:
    """An empty inner suite in a folder of its own."""
    return Suite(pytester, monkeypatch)
