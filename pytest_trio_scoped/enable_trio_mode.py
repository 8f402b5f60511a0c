"""Trio mode without an ini file: ``from pytest_trio_scoped.enable_trio_mode import *`` in a conftest."""

from __future__ import annotations

import pytest

from ._collection import mark_async_tests
from ._session import KEY

__all__ = ["pytest_collection_modifyitems"]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Switch trio mode on for this session."""
    config.stash[KEY].is_trio_mode = True
    mark_async_tests(items)
