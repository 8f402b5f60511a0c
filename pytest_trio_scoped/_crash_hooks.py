"""When crashes are noticed between the phases of a test.  Registered when the loop is opened."""

from __future__ import annotations

import pytest

from ._crashes import Crashes


class CrashHooks:
    """Sweep between the phases of a test."""

    def __init__(self, crashes: Crashes) -> None:
        self._crashes = crashes

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self) -> None:
        """No test starts while a dead fixture is around."""
        self._crashes.begin_set_up()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> None:
        """Items that are no functions may wait for the loop as well."""
        self._crashes.begin(item)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_teardown(self) -> None:
        """What has crashed goes before what has not."""
        self._crashes.begin_tear_down()

    @pytest.hookimpl(trylast=True, specname="pytest_runtest_teardown")
    def pytest_end_of_runtest_teardown(self) -> None:
        """What crashes while this test is torn down is this test's affair."""
        self._crashes.sweep_and_raise()

    def pytest_runtest_makereport(self, call: pytest.CallInfo[None]) -> None:
        """Report the crash for which something of the test was cancelled."""
        if call.excinfo is not None:
            raised = self._crashes.explain(call.excinfo.value)
            if raised is not call.excinfo.value:
                call.excinfo = pytest.ExceptionInfo.from_exception(raised)
