"""Collection: the mark that trio mode sets."""

from __future__ import annotations

from functools import partial

import pytest

from . import _errors
from ._ownership import body_of, is_async, is_foreign
from ._pytest_names import UnittestItem
from ._session import TrioSession


class CollectionHooks:
    """Mark the async tests in trio mode, as pytest-trio does, so that ``-m trio`` finds them."""

    def __init__(self, session: TrioSession) -> None:
        self._session = session

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Mark what is ours; refuse a mark where it can't work."""
        if self._session.is_trio_mode:
            mark_async_tests(items)
        for item in items:
            if isinstance(item, UnittestItem) and item.get_closest_marker("trio") is not None:
                message = _errors.MARKED_UNITTEST.format(nodeid=item.nodeid)
                item.runtest = partial(pytest.fail, message, pytrace=False)  # type: ignore[method-assign]


def mark_async_tests(items: list[pytest.Item]) -> None:
    """Add the mark ``trio`` to every async test that is not foreign."""
    for item in items:
        if not isinstance(item, pytest.Function) or isinstance(item, UnittestItem):
            continue
        if is_async(body_of(item.obj)) and not is_foreign(item):
            item.add_marker("trio")
