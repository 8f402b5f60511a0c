"""What a test in flight prints: one stream for all tests, which asks whose turn it is.

The stream is the same for all tests, as pytest's is: a handler that a session fixture has made for
``sys.stderr`` writes for the test that logs.  File descriptors can't be told apart, so the session's own
capturing is suspended while tests are in flight, and what subprocesses print goes to the terminal.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ._own_slots import OwnState, Turns
from ._pytest_state_names import MultiCapture, subtests_without_descriptors

ENCODING = "utf-8"


class OwnOutput:
    """The streams of a session, and the capturing of each test.

    ``capturing`` is the session's own.
    """

    def __init__(self, turns: Turns, capturing: Any) -> None:
        self._capturing = capturing
        self._turns = turns
        self._stdin = _SharedInput(capturing.in_)
        self._streams = [
            RoutedStream(turns, "stdout", "out", capturing.out),
            RoutedStream(turns, "stderr", "err", capturing.err),
        ]

    @contextmanager
    def running(self) -> Iterator[None]:
        """Suspend the session's own capturing in the block; what no phase has taken is shown at its end."""
        was_started = self._capturing.is_started()
        if was_started:
            self._capturing.suspend_capturing()
        for stream in self._streams:
            stream.terminal = getattr(sys, stream.name)
        try:
            with subtests_without_descriptors():
                yield
        finally:
            for stream in self._streams:
                stream.show_rest()
            if was_started:
                self._capturing.resume_capturing()

    def begin(self, state: OwnState) -> None:
        """Give ``state``, which is not in place, a capturing of its own; to be suspended once it is."""
        captures: Any = [_OwnCapture(state, stream) for stream in self._streams]
        stdin: Any = None if self._stdin.shared is None else self._stdin
        state.capture = MultiCapture(stdin, *captures)


class _SharedInput:
    """The session's capturing of stdin, which only the session may end."""

    def __init__(self, shared: Any) -> None:
        self.shared = shared

    def suspend(self) -> None:
        self.shared.suspend()

    def resume(self) -> None:
        self.shared.resume()

    def start(self) -> None:
        pass

    def done(self) -> None:
        pass


class _OwnCapture:
    """What pytest asks for the output of one test on one stream."""

    EMPTY_BUFFER = ""

    def __init__(self, state: OwnState, stream: RoutedStream) -> None:
        self._state = state
        self._stream = stream

    def start(self) -> None:
        setattr(sys, self._stream.name, self._stream)

    resume = start

    def suspend(self) -> None:
        setattr(sys, self._stream.name, self._stream.terminal)

    done = suspend

    def snap(self) -> str:
        return self._stream.take(self._state)

    def writeorg(self, data: str) -> None:
        self._stream.terminal.write(data)
        self._stream.terminal.flush()


class RoutedStream(io.TextIOBase):
    """Stands for ``sys.stdout`` or ``sys.stderr`` while pytest captures the output of a test in flight.

    Somebody may keep it: while no tests may be in flight, it is the stream of the session's capturing.
    """

    def __init__(self, turns: Turns, name: str, kept_in: str, capture: Any) -> None:
        self._turns = turns
        self._kept_in = kept_in
        self._of_session = capture.tmpfile
        self._errors = self._of_session.errors or "strict"
        #: With ``--capture=tee-sys``.
        self._is_shown = hasattr(self._of_session, "_other")
        self._buffer = _RoutedBuffer(self)
        self.name = name
        self.terminal: Any = None

    # ---------------------------------------------------------------- what the user's code calls

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        elsewhere = self._elsewhere()
        if elsewhere is not None:
            elsewhere.write(text)
        else:
            self._keep(text.encode(ENCODING, self._errors))
            if self._is_shown:
                self.terminal.write(text)
        return len(text)

    def write_bytes(self, data: Any) -> int:
        """Do what is expected of ``buffer.write``."""
        elsewhere = self._elsewhere()
        if elsewhere is not None:
            elsewhere.buffer.write(data)
        else:
            self._keep(bytes(data))
        return memoryview(data).nbytes

    def flush(self) -> None:
        if self._turns.in_place is None:
            self._of_session.flush()
        elif self._is_shown:
            self.terminal.flush()

    def fileno(self) -> int:
        """Return the terminal's, where the session's stream has one."""
        if self._turns.in_place is not None and self._of_session.fileno() >= 0:
            return int(self.terminal.fileno())
        return int(self._of_session.fileno())

    def close(self) -> None:
        """Do nothing: it is the stream of all tests."""

    def reconfigure(self, **options: object) -> None:
        """Do nothing: what is written is decoded again, in the same way."""

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return False

    @property
    def buffer(self) -> _RoutedBuffer:
        return self._buffer

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return ENCODING

    @property
    def errors(self) -> str:  # type: ignore[override]
        return self._errors

    # ---------------------------------------------------------------- where it goes

    def _elsewhere(self) -> Any:
        """Return the stream that the caller's output belongs to, None if it is kept for the section."""
        state = self._turns.current()
        if state is None:
            return self._of_session
        if state is self._turns.in_place:
            return None
        stream = getattr(
            state, self.name
        )  # the caller is a thread, and its test may have replaced it
        return None if stream is self else stream

    def _keep(self, data: bytes) -> None:
        state = self._turns.current() or self._turns.base
        getattr(state, self._kept_in).append(data)

    def take(self, state: OwnState) -> str:
        """Take what was printed for ``state`` since the last time, and what belongs to no test."""
        text = self._take(state)
        base = self._turns.base
        return text if state is base else self._take(base) + text

    def _take(self, state: OwnState) -> str:
        kept: list[bytes] = getattr(state, self._kept_in)
        if not kept:
            return ""
        count = len(kept)  # a thread may add to it meanwhile
        text = b"".join(kept[:count]).decode(ENCODING, "replace")
        del kept[:count]
        return text

    def show_rest(self) -> None:
        """Write what no phase has taken to the terminal."""
        rest = self._take(self._turns.base)
        if rest and not self._is_shown:
            self.terminal.write(rest)
            self.terminal.flush()


class _RoutedBuffer(io.RawIOBase):
    """The bytes of a routed stream."""

    def __init__(self, stream: RoutedStream) -> None:
        self._stream = stream

    def write(self, data: Any) -> int:
        return self._stream.write_bytes(data)

    def flush(self) -> None:
        self._stream.flush()

    def fileno(self) -> int:
        return self._stream.fileno()

    def close(self) -> None:
        """Do nothing."""

    def writable(self) -> bool:
        return True
