"""The hooks of ``--trio-parallel``.  Imported with that option only."""

from __future__ import annotations

import pytest

from . import _errors
from ._feeds import Feed
from ._own_coverage import loses_lines
from ._parallel import Pool
from ._session import TrioSession
from ._settings import Settings


class ParallelHooks:
    """Run many tests at once."""

    def __init__(self, trio_session: TrioSession, settings: Settings, feed: Feed) -> None:
        self._trio_session = trio_session
        self._settings = settings
        self._feed = feed
        self._pool: Pool | None = None
        #: The tests for which the pool has been made.
        self._items: list[pytest.Item] = []

    @pytest.hookimpl(tryfirst=True)  # pytest's own prints the lines below
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Find out which tests may overlap; what is wrong with their marks is told before any runs."""
        if not session.config.option.collectonly:
            self._make_pool(session)

    def _make_pool(self, session: pytest.Session) -> None:
        self._items = list(session.items)
        self._pool = Pool(self._trio_session, session, self._settings, self._feed)

    def pytest_report_collectionfinish(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> list[str]:
        """Tell how many tests run alone, and with "-v" why."""
        pool = self._pool
        if pool is None:
            return []
        number, alone, count = self._settings.parallel, len(pool.alone), len(items)
        lines = [_errors.TESTS_AT_ONCE.format(number=number, alone=alone, count=count)]
        if pool.exclusive.runner is not None:
            lines.append("  " + _errors.ALL_ALONE.format(name=pool.exclusive.runner))
        if loses_lines():
            lines.append("  " + _errors.COVERAGE_LOSES_LINES)
        if config.get_verbosity() > 0:
            for item, reason in pool.alone.items():
                lines.append("  " + _errors.TEST_ALONE.format(nodeid=item.nodeid, reason=reason))
        return lines

    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        """Run the tests in place of pytest's own loop."""
        __tracebackhide__ = True
        if self._pool is None:
            return None
        goes_on = self._feed.is_remote or session.config.option.continue_on_collection_errors
        if session.testsfailed and not goes_on:
            return None  # pytest tells of that
        if session.items != self._items:  # another plugin has changed them since
            self._make_pool(session)
        self._pool.run()
        return True

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Give the test fixtures of its own."""
        if self._pool is not None:
            self._pool.give_fixtures(item)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_teardown(self) -> None:
        """Note that the test is torn down."""
        if self._pool is not None:
            self._pool.begin_tear_down()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_makereport(self, call: pytest.CallInfo[None]) -> None:
        """Note a test that is interrupted; with "--pdb" pytest would go on with it."""
        if self._pool is not None and call.excinfo is not None:
            self._pool.note_error(call.excinfo.value)

    @property
    def pool(self) -> Pool | None:
        """The tests, when they are known."""
        return self._pool

    def before_tear_down(self) -> None:
        """Wait until it is known what has to be torn down with the calling test."""
        if self._pool is not None:
            self._pool.before_tear_down()
