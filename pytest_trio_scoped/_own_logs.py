"""What a test in flight logs: one handler for all tests, which hands a record to the handlers of its test.

Handlers that others attach, and levels that others set, are for the whole process, as they are when one
test runs at a time.  A test's own are the two handlers of pytest's logging plugin, and the levels that
``caplog`` or that plugin has set for it.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

import pytest

from ._own_slots import OwnState, Turns
from ._pytest_state_names import (
    IS_ATTACHED_TO_ALL_LOGGERS,
    LogCaptureHandler,
    attaching_logs_by,
    live_log_without_capture,
    log_settings,
)


class OwnLogs:
    """The handlers and levels of the tests in flight."""

    def __init__(self, turns: Turns, config: pytest.Config) -> None:
        self._config = config
        self._turns = turns
        self._root = logging.getLogger()
        self._settings = log_settings(config)
        self._shared = _SharedText()
        self._router = _LogRouter(turns, self._shared)
        self._routed: list[logging.Logger] = []

    @contextmanager
    def running(self, terminal: Callable[[], Any]) -> Iterator[None]:
        """Hand records out in the block; what no phase has taken is written to ``terminal`` at its end."""
        if self._settings is None:
            yield
            return
        self._shared.setFormatter(self._settings[0])
        with ExitStack() as stack:
            stack.enter_context(attaching_logs_by(self._attach))
            stack.enter_context(live_log_without_capture(self._config))
            stack.enter_context(_noting_levels(self._note))
            stack.callback(self._show_rest, terminal)
            stack.callback(self._remove_routers)
            self.keep_router()
            yield

    def _show_rest(self, terminal: Callable[[], Any]) -> None:
        if rest := self._shared.take():
            terminal().write(rest)

    def begin(self, state: OwnState) -> None:
        """Give ``state``, which is not in place, handlers of its own."""
        if self._settings is not None:
            state.caplog_handler = _OwnHandler(state)
            state.report_handler = _OwnReportHandler(state, self._shared)
            state.log_handlers = (state.caplog_handler, state.report_handler)
            for handler in state.log_handlers:
                handler.setFormatter(self._settings[0])

    # ---------------------------------------------------------------- attaching

    def _attach(
        self, attach: Callable[..., Any], handler: logging.Handler, level: int | None
    ) -> AbstractContextManager[Any]:
        if not isinstance(handler, _OwnHandler):  # a subtest's
            state = self._turns.in_place
            handler.addFilter(lambda _: self._turns.current() is state)
            return attach(handler, level)  # type: ignore[no-any-return]
        self.keep_router()
        if IS_ATTACHED_TO_ALL_LOGGERS and not isinstance(handler, _OwnReportHandler):
            self._add_routers()  # once for both; they are attached together
        return _Attached(handler, self._root, level, self._note)

    def keep_router(self) -> None:
        """Attach the router again if somebody has taken all handlers away, as ``dictConfig`` does."""
        if self._settings is not None and self._router not in self._root.handlers:
            self._add_router(self._root)

    def _add_routers(self) -> None:
        """Attach the router to the loggers that do not propagate, as pytest does with its handlers."""
        for logger in list(self._root.manager.loggerDict.values()):
            if isinstance(logger, logging.Logger) and not logger.propagate:
                self._add_router(logger)

    def _add_router(self, logger: logging.Logger) -> None:
        if self._router not in logger.handlers:
            logger.addHandler(self._router)
            self._routed.append(logger)

    def _remove_routers(self) -> None:
        while self._routed:
            self._routed.pop().removeHandler(self._router)

    # ---------------------------------------------------------------- levels

    def _note(self, *keys: Any) -> None:
        """Let what the test in place now does to these levels be its own."""
        state = self._turns.in_place
        if state is not None:
            for key in keys:
                state.levels.setdefault(key, _level(key))


def swap_levels(last: OwnState, coming: OwnState) -> None:
    """Put the levels in place that ``coming`` has changed, and take those of ``last`` away.

    What both have in common is left alone: each change makes logging forget what all loggers have found out.
    """
    others, own = last.levels, coming.levels
    # What it has set back by now is no longer its own.
    last.levels = {key: level for key in others if (level := _level(key)) != others[key]}
    coming.levels = {key: others.get(key, _level(key)) for key in own}
    for key in others.keys() | own.keys():
        level = own[key] if key in own else others[key]
        if _level(key) != level:
            _set_level(key, level)


def _level(key: Any) -> int:
    level: int = key.disable if isinstance(key, logging.Manager) else key.level
    return level


def _set_level(key: Any, level: int) -> None:
    if isinstance(key, logging.Manager):
        logging.disable(level)
    else:
        key.setLevel(level)


@contextmanager
def _noting_levels(note: Callable[..., None]) -> Iterator[None]:
    """Call ``note`` before ``caplog`` changes levels."""
    fixture: Any = pytest.LogCaptureFixture
    set_level, at_level = fixture.set_level, fixture.at_level

    def noted(change: Callable[..., Any]) -> Callable[..., Any]:
        def changed(caplog: Any, level: int | str, logger: str | None = None) -> Any:
            changed_logger = logging.getLogger(logger)
            note(changed_logger, changed_logger.manager)
            return change(caplog, level, logger)

        return changed

    fixture.set_level, fixture.at_level = noted(set_level), noted(at_level)
    try:
        yield
    finally:
        fixture.set_level, fixture.at_level = set_level, at_level


class _OwnHandler(LogCaptureHandler):
    """Collects the records of one test."""

    def __init__(self, state: OwnState) -> None:
        super().__init__()
        self._state = state
        #: Set by pytest for each phase.
        self.is_attached = False

    def handle(self, record: logging.LogRecord) -> Any:
        """Take a record of the test.  A test may have attached it to a logger that others use as well."""
        turns = self._state.turns
        return turns.current() in (self._state, turns.base) and super().handle(record)


class _Attached:
    """A block in which a handler of one test is attached, as pytest's own: six times in each test."""

    __slots__ = ("_handler", "_level", "_level_before", "_note", "_root")

    def __init__(
        self,
        handler: _OwnHandler,
        root: logging.Logger,
        level: int | None,
        note: Callable[[logging.Logger], object],
    ) -> None:
        self._handler = handler
        self._root = root
        self._level = level
        self._level_before = 0
        self._note = note

    def __enter__(self) -> _OwnHandler:
        handler, root, level = self._handler, self._root, self._level
        handler.is_attached = True
        if level is not None:
            handler.setLevel(level)
            self._note(root)
            self._level_before = root.level
            root.setLevel(min(root.level, level))
        return handler

    def __exit__(self, *_: object) -> None:
        if self._level is not None:
            self._root.setLevel(self._level_before)
        self._handler.is_attached = False


class _OwnReportHandler(_OwnHandler):
    """The one whose text becomes a section of the report."""

    def __init__(self, state: OwnState, shared: _SharedText) -> None:
        super().__init__(state)
        self._shared = shared

    def reset(self) -> None:
        super().reset()
        self.stream = _SectionText(self._shared)


class _SectionText(io.StringIO):
    """The log of a phase; once it is over, with what belongs to no test."""

    def __init__(self, shared: _SharedText) -> None:
        super().__init__()
        self._shared = shared

    def getvalue(self) -> str:
        return self._shared.take() + super().getvalue()


class _SharedText(logging.StreamHandler[io.StringIO]):
    """Collects what belongs to no test."""

    def __init__(self) -> None:
        super().__init__(io.StringIO())

    def take(self) -> str:
        """Return what was collected since the last time."""
        stream = self.stream
        if not stream.tell():
            return ""
        self.setStream(io.StringIO())  # waits for a thread that writes
        return stream.getvalue()


class _LogRouter(logging.Handler):
    """Hands each record to the handlers of its test."""

    def __init__(self, turns: Turns, shared: _SharedText) -> None:
        super().__init__()
        self._turns = turns
        self._shared = shared

    def handle(self, record: logging.LogRecord) -> bool:
        """Without a lock, for the handlers have their own."""
        state = self._turns.current()
        handlers = [each for each in state.log_handlers if each.is_attached] if state else []
        for handler in handlers or [self._shared]:
            if record.levelno >= handler.level:
                handler.handle(record)
        return True
