"""Private names of pytest and of Python for what is process-wide; only used with ``--trio-parallel``.

Each with why it is needed and what would replace it, as in ``_pytest_names``.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import SimpleNamespace
from typing import Any

import _pytest.logging as pytest_logging
import pytest
from _pytest.assertion import util
from _pytest.capture import MultiCapture
from _pytest.logging import LogCaptureHandler
from _pytest.threadexception import thread_exceptions
from _pytest.unraisableexception import unraisable_exceptions
from _pytest.warnings import catch_warnings_for_item

from ._own_slots import Slots

pytest_subtests: Any
try:
    import _pytest.subtests as pytest_subtests  # since pytest 9
except ImportError:
    pytest_subtests = None

__all__ = [
    "IS_ATTACHED_TO_ALL_LOGGERS",
    "LogCaptureHandler",
    "MultiCapture",
    "Places",
    "attaching_logs_by",
    "catching_warnings_of_nobody",
    "live_log_without_capture",
    "log_settings",
    "showing_warnings_by",
    "subtests_without_descriptors",
    "unreported_errors",
]

# LogCaptureHandler: what ``caplog.handler`` is; public by its name in the documentation only.
# MultiCapture: what pytest asks for output between the phases, and what ``--pdb`` suspends.  pytest's
# #13768, state for each item, would replace both, and all of this module that has to do with them.

#: Whether pytest attaches its handlers to loggers that do not propagate as well, as since 9.1.
IS_ATTACHED_TO_ALL_LOGGERS = "attached_loggers" in pytest_logging.catching_logs.__slots__

CURRENT_TEST = "PYTEST_CURRENT_TEST"


class Places:
    """The places in the process that a test in flight has for its own while it has its turn."""

    def __init__(self, config: pytest.Config) -> None:
        plugins = config.pluginmanager
        #: What stands in for a plugin that is blocked has the same places.
        self.capture: Any = plugins.get_plugin("capturemanager") or SimpleNamespace(
            _global_capturing=None, _capture_fixture=None
        )
        self.logs: Any = plugins.get_plugin("logging-plugin") or SimpleNamespace(
            caplog_handler=None, report_handler=None
        )

    def swap(self, last: Slots | None, coming: Slots) -> None:
        """Keep what is in place for ``last``, and put what was kept for ``coming`` in place.

        At each change of task, so it is one function.
        """
        capture, logs, environ = self.capture, self.logs, os.environ
        current_test = environ.get(CURRENT_TEST)
        if last is not None:
            last.current_test = current_test
            last.stdout = sys.stdout
            last.stderr = sys.stderr
            last.capture = capture._global_capturing
            last.capture_fixture = capture._capture_fixture
            last.filters = warnings.filters
            last.showwarning = warnings.showwarning
            last.show_message = warnings._showwarnmsg_impl  # type: ignore[attr-defined]
            last.compare = util._reprcompare
            last.assertion_pass = util._assertion_pass
            last.assertion_config = util._config
            last.caplog_handler = logs.caplog_handler
            last.report_handler = logs.report_handler
        sys.stdout = coming.stdout
        sys.stderr = coming.stderr
        capture._global_capturing = coming.capture
        capture._capture_fixture = coming.capture_fixture
        warnings.filters = coming.filters
        warnings.showwarning = coming.showwarning
        warnings._showwarnmsg_impl = coming.show_message  # type: ignore[attr-defined]
        util._reprcompare = coming.compare
        util._assertion_pass = coming.assertion_pass
        util._config = coming.assertion_config
        logs.caplog_handler = coming.caplog_handler
        logs.report_handler = coming.report_handler
        if coming.current_test != current_test:
            if coming.current_test is None:
                del environ[CURRENT_TEST]
            else:
                environ[CURRENT_TEST] = coming.current_test

    def read(self) -> Slots:
        """Return what is in place."""
        slots = Slots()
        self.swap(slots, slots)
        return slots


def catching_warnings_of_nobody(config: pytest.Config) -> AbstractContextManager[None]:
    """Apply the configured filters in the block, and tell pytest of the warnings, as for a test.

    pytest has a block of its own around each test, and none around the run.
    """
    if not config.pluginmanager.has_plugin("warnings"):
        return nullcontext()
    return catch_warnings_for_item(config, config.hook, "runtest", None)


@contextmanager
def showing_warnings_by(
    show: Callable[[Callable[[Any], None], warnings.WarningMessage], None],
    changed: Callable[[], None],
) -> Iterator[Callable[[], None]]:
    """Let ``show`` be called with each warning that is told and with what would show it, in the block.

    And ``changed`` whenever the filters change.  ``showwarning`` is what tests replace, so it is too late.
    Yields what lets each warning be told once more, as ``warnings.catch_warnings`` does by a new version of
    the filters.  From Python 3.14 on filters can be those of a context, which would replace all of this.
    """
    module: Any = warnings
    original, original_mutated = module._showwarnmsg, module._filters_mutated

    def mutated() -> None:
        changed()
        original_mutated()

    module._showwarnmsg = lambda message: show(original, message)
    module._filters_mutated = mutated
    try:
        yield original_mutated
    finally:
        module._showwarnmsg, module._filters_mutated = original, original_mutated


def unreported_errors(config: pytest.Config) -> tuple[deque[Any], deque[Any]]:
    """Return where pytest collects what ``__del__`` and threads raise, for the next phase that ends.

    Without its plugins, nobody adds to what is returned.
    """
    stash = config.stash
    return stash.get(unraisable_exceptions, deque()), stash.get(thread_exceptions, deque())


def log_settings(config: pytest.Config) -> tuple[Any, int | None] | None:
    """Return the formatter and the level of what pytest's logging plugin collects, None without it."""
    plugin = config.pluginmanager.get_plugin("logging-plugin")
    return None if plugin is None else (plugin.formatter, plugin.log_level)


@contextmanager
def attaching_logs_by(
    attach: Callable[[Callable[..., Any], Any, int | None], AbstractContextManager[Any]],
) -> Iterator[None]:
    """Let ``attach`` be called where pytest attaches a handler for a block, with what would do it.

    pytest puts handlers on the root logger and takes them away in the order of a stack.
    """
    modules: list[Any] = [pytest_logging, *([pytest_subtests] if pytest_subtests else [])]
    original = pytest_logging.catching_logs
    for module in modules:
        module.catching_logs = lambda handler, level=None: attach(original, handler, level)
    try:
        yield
    finally:
        for module in modules:
            module.catching_logs = original


@contextmanager
def subtests_without_descriptors() -> Iterator[None]:
    """Let subtests capture what their test prints, and not the descriptors of all."""
    module: Any = pytest_subtests
    if module is None:
        yield
        return
    original = module.FDCapture
    module.FDCapture = module.SysCapture
    try:
        yield
    finally:
        module.FDCapture = original


@contextmanager
def live_log_without_capture(config: pytest.Config) -> Iterator[None]:
    """Let live logs be written without a stop of the capturing, which may be in another test by then.

    Only while the session's own capturing is suspended.
    """
    plugin = config.pluginmanager.get_plugin("logging-plugin")
    handler = getattr(plugin, "log_cli_handler", None)
    original = getattr(handler, "capture_manager", None)
    if original is None:
        yield
        return
    handler.capture_manager = None  # type: ignore[union-attr]
    try:
        yield
    finally:
        handler.capture_manager = original  # type: ignore[union-attr]
