"""When crashes are noticed between the phases of a test.  Registered when the loop is opened."""

from __future__ import annotations

import pytest

from ._crashes import Crashes
from ._phases import PhaseEdgeHooks


class CrashHooks:
    """Sweep between the phases of a test."""

    def __init__(
        self, crashes: Crashes, phases: PhaseEdgeHooks, manager: pytest.PytestPluginManager
    ) -> None:
        self._crashes = crashes
        self._manager = manager
        # No test starts while a dead fixture is around.
        phases.before_set_up.append(crashes.begin_set_up)
        # Items that are no functions may wait for the loop as well.
        phases.before_call.append(crashes.begin)
        # What has crashed goes before what has not.
        phases.before_tear_down.append(crashes.begin_tear_down)
        # What crashes while this test is torn down is this test's affair.
        phases.after_tear_down.append(lambda _: crashes.sweep_and_raise())
        crashes.on_first_cancelled = self._watch_reports

    def _watch_reports(self) -> None:
        # Not pytest's register(), which calls hooks of the user's: this is called on the loop.
        super(pytest.PytestPluginManager, self._manager).register(CrashReportHooks(self._crashes))


class CrashReportHooks:
    """Say why something of a test was cancelled.  Registered when that happens first."""

    def __init__(self, crashes: Crashes) -> None:
        self._crashes = crashes

    def pytest_runtest_makereport(self, call: pytest.CallInfo[None]) -> None:
        """Report the crash for which something of the test was cancelled."""
        if call.excinfo is not None:
            raised = self._crashes.explain(call.excinfo.value)
            if raised is not call.excinfo.value:
                call.excinfo = pytest.ExceptionInfo.from_exception(raised)
