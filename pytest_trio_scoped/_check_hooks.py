"""When to look for tests that can't be set up: if there is anything async, or a plan is asked for."""

from __future__ import annotations

import pytest

from ._ownership import body_of, is_async, is_inside
from ._pytest_names import all_definitions
from ._session import TrioSession


class CheckHooks:
    """Report tests that can't be set up as errors of the collection."""

    def __init__(self, session: TrioSession, *, is_for_all: bool) -> None:
        self._session = session
        self._is_for_all = is_for_all

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Look at what will run, and report it before pytest sums the collection up."""
        option = session.config.option
        is_listing = option.showfixtures or option.show_fixtures_per_test
        if not is_listing and (self._is_for_all or _is_anything_async(session)):
            from ._fixture_check import check

            check(session, self._session, is_for_all=self._is_for_all)


def _is_anything_async(session: pytest.Session) -> bool:
    """Say whether there is an async test or fixture, without a look at what tests request."""
    for each in all_definitions(session):
        is_own = str(getattr(each.func, "__module__", "")).startswith(f"{__package__}.")
        if is_inside(each.func) and not is_own:
            return True
    functions = (item.obj for item in session.items if isinstance(item, pytest.Function))
    return any(is_async(body_of(function)) for function in functions)
