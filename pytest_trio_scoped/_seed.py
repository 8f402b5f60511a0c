"""The order in which Trio runs tasks that are ready at the same time: ``--trio-seed``.

Trio shuffles them, so that nobody comes to depend on an order.  With a seed, the shuffling in each phase of
each test depends on the seed, the test and the phase, and on nothing that has run before.  So a test that
fails under some order fails under it again, also when it is run alone.

The session's loop is opened before the first test then: what goes on in Trio meanwhile would otherwise
count for the first test that needs it, and for no other.

Imported if there is a seed.  Pinned by ``tests/test_seed.py``.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Generator
from typing import Any

import pytest
import trio

from . import _errors
from ._session import TrioSession
from ._trio_names import deterministic_scheduling, seed_scheduler

#: One more than the greatest seed that is chosen by chance: few enough digits to type.
_CHOICES = 1_000_000

#: In the input of xdist's workers.
_KEY = "trio_seed"


class SeedHooks:
    """Seed the scheduler."""

    def __init__(self, session: TrioSession, config: pytest.Config) -> None:
        self._session = session
        value: str = config.option.trio_seed
        self._is_random = value == "random"
        if self._is_random:
            # A worker of pytest-xdist is told what was chosen.
            chosen: dict[str, str] = getattr(config, "workerinput", {})
            value = chosen.get(_KEY) or str(secrets.randbelow(_CHOICES))
        try:
            self._seed = int(value)
        except ValueError:
            raise pytest.UsageError(_errors.SEED_NOT_KNOWN.format(value=value)) from None
        self._at_end = contextlib.ExitStack()
        self._is_begun = False
        self._use = _Use()

    def pytest_report_header(self, config: pytest.Config) -> str | None:
        """Show the seed with ``-v``."""
        return f"trio seed: {self._seed}" if config.get_verbosity() > 0 else None

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Tell a worker of pytest-xdist, which reads the same command line, what was chosen."""
        node.workerinput[_KEY] = str(self._seed)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Begin with the first test, and the set-up of each."""
        if not self._is_begun:
            self._is_begun = True
            self._at_end.enter_context(deterministic_scheduling())
        if not self._session.has_loop:
            self._session.open_loop()
            self._session.let_loop_settle()
            with self._session.loop.inside():
                trio.lowlevel.add_instrument(self._use)
        self._use.is_seen = False
        self._begin(item, "setup")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> None:
        """Begin anew: the set-up has more to do for a test that is the first to use a wide fixture."""
        self._begin(item, "call")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> None:
        """Begin anew."""
        self._begin(item, "teardown")

    def _begin(self, item: pytest.Item, phase: str) -> None:
        # Of text, since hash() differs from process to process.
        seed_scheduler(f"{self._seed} {phase} {item.nodeid}")

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Name a seed that was chosen by chance where a test has failed that used a loop."""
        report = yield
        is_used = self._use.is_seen or self._session.own_loop is not None
        self._use.is_seen = is_used  # for the tear-down, after which there is no loop of its own
        if report.failed and self._is_random and is_used:
            _add_section(report, _errors.SEED_WAS.format(seed=self._seed))
        return report

    def pytest_unconfigure(self) -> None:
        """Leave Trio as it was."""
        self._at_end.close()


class _Use(trio.abc.Instrument):
    """Sees whether a loop is used."""

    def __init__(self) -> None:
        self.is_seen = False

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self.is_seen = True


def _add_section(report: pytest.TestReport, text: str) -> None:
    """Show ``text`` below the failure, also where captured output is not shown."""
    add = getattr(report.longrepr, "addsection", None)
    if add is not None:
        add("Trio", text)
    else:
        report.sections.append(("Trio", text))
