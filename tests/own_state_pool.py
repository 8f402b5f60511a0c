"""A small pool: every test of an inner suite in a greenlet of its own, switched at known points.

A plugin for inner suites.  A test calls ``turn()`` to let all others go on, ``in_child(f)`` to have ``f``
called by a child task of its, ``in_nobody(f)`` to have it called by no test.  With the option
``--one-by-one`` pytest runs the tests as always, and these call ``f`` at once.
"""

from __future__ import annotations

import contextvars
import copy
import logging
import os
import sys
import warnings
from collections import deque
from collections.abc import Callable
from typing import Any

import _pytest.logging
import greenlet
import pytest
from _pytest.assertion import util
from _pytest.runner import SetupState

from pytest_trio_scoped._own_state import OwnState, OwnStates

_pools: list[Pool] = []


def turn() -> None:
    """Let all other tests go on to their next turn."""
    if _pools:
        _pools[-1].main.switch()


def in_nobody(function: Callable[[], object]) -> None:
    """Have ``function`` called by no test, while the caller is in the middle of its turn."""
    if not _pools:
        function()
        return
    states, own = _pools[-1].states, _pools[-1].states._turns.in_place
    states.put(None)
    try:
        contextvars.Context().run(function)
    finally:
        states.put(own)


def in_child(function: Callable[[], object]) -> None:
    """Have ``function`` called by a child task of the caller's test, after a turn of all others."""
    if not _pools:
        function()
        return
    strand = _pools[-1].strand
    strand.children.append((contextvars.copy_context(), function))
    turn()


class Strand:
    def __init__(self, pool: Pool, item: pytest.Item) -> None:
        self.pool, self.item = pool, item
        self.state: OwnState | None = None
        self.greenlet = greenlet.greenlet(self.run)
        self.setup_state = SetupState()
        self.children: list[tuple[contextvars.Context, Callable[[], object]]] = []
        if isinstance(item, pytest.Function):
            request: Any = item._request
            request._arg2fixturedefs = {
                name: tuple(_own_copy(each) for each in definitions)
                for name, definitions in request._arg2fixturedefs.items()
            }

    def run(self) -> None:
        item = self.item
        self.state = self.pool.states.begin(item)
        try:
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)
        finally:
            self.pool.states.end(self.state)


def _own_copy(definition: pytest.FixtureDef[Any]) -> pytest.FixtureDef[Any]:
    if definition.scope != "function":
        return definition
    own: Any = copy.copy(definition)
    own.cached_result = None
    own._finalizers = []
    return own  # type: ignore[no-any-return]


class Pool:
    def __init__(self, session: pytest.Session) -> None:
        self.session = session
        self.states = OwnStates(session.config)
        self.main = greenlet.getcurrent()
        self.strand: Strand

    def run(self) -> None:
        strands = deque(Strand(self, item) for item in self.session.items)
        while strands:
            strand = self.strand = strands.popleft()
            while strand.children:
                context, function = strand.children.pop(0)
                self.states.put(self.states.of_context(context))
                context.run(function)
                self.states.put(None)
            self.states.put(strand.state)
            self.session._setupstate = strand.setup_state
            strand.greenlet.switch()
            if not strand.greenlet.dead:
                strands.append(strand)


def snapshot(config: pytest.Config) -> dict[str, Any]:
    """Return all that is process-wide and changed while tests are in flight."""
    loggers = [logging.getLogger(), *logging.getLogger().manager.loggerDict.values()]
    real = [each for each in loggers if isinstance(each, logging.Logger)]
    capture = config.pluginmanager.get_plugin("capturemanager")
    logs: Any = config.pluginmanager.get_plugin("logging-plugin")
    found: dict[str, Any] = {
        "streams": (sys.stdin, sys.stdout, sys.stderr),
        "filters": (warnings.filters, list(warnings.filters)),
        "showing": (warnings.showwarning, warnings._showwarnmsg_impl, warnings._showwarnmsg),
        "versions": warnings._filters_mutated,
        "assertions": (util._reprcompare, util._assertion_pass, util._config),
        "environment": dict(os.environ),
        "handlers": {each.name: list(each.handlers) for each in real if each.handlers},
        "levels": {each.name: each.level for each in real if each.level},
        "disabled": logging.getLogger().manager.disable,
        "attaching": _pytest.logging.catching_logs,
        "caplog": (pytest.LogCaptureFixture.set_level, pytest.LogCaptureFixture.at_level),
    }
    if capture is not None:
        capturing = capture._global_capturing
        found["capture"] = (capturing, capturing._state, capture._capture_fixture)
    if logs is not None:
        found["collecting"] = (logs.caplog_handler, logs.report_handler)
        found["live"] = getattr(logs.log_cli_handler, "capture_manager", None)
    return found


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--one-by-one", action="store_true")


def pytest_runtestloop(session: pytest.Session) -> bool | None:
    if session.config.option.one_by_one:
        return None
    pool = Pool(session)
    before = snapshot(session.config)
    _pools.append(pool)
    try:
        with pool.states.running():
            pool.run()
    finally:
        _pools.pop()
        after = snapshot(session.config)
    if changed := {name for name, value in before.items() if after[name] != value}:
        sys.stderr.write(f"CHANGED {changed}\n")
        session.shouldfail = f"changed: {changed}"
    if session.testsfailed:
        raise session.Failed(f"{session.testsfailed} failed")
    return True
