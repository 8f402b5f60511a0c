"""What generated suites call, sync and async alike: all that happens is traced."""

from __future__ import annotations

import itertools
import logging
import warnings
from collections import Counter
from types import TracebackType
from typing import Any

import pytest
import trio

log = logging.getLogger("suite")


class Broken(Exception):
    """What fixtures and tests of a suite raise."""


#: What has happened in the run at hand.
lines: list[str] = []
_counts: Counter[str] = Counter()
_pauses = itertools.count()


def forget() -> None:
    """Begin anew, for the next run."""
    lines.clear()
    _counts.clear()


def trace(text: object) -> None:
    """Note that something happens."""
    lines.append(str(text))
    print(text)  # noqa: T201


def count(key: str) -> int:
    """Return how often this has been called with ``key``."""
    _counts[key] += 1
    return _counts[key]


def made(key: str, request: Any, *others: object) -> str:
    """Trace a set-up; return a value that tells of the instance and of those that it is made of."""
    param = f"[{request.param}]" if hasattr(request, "param") else ""
    value = f"{key}{param}#{count(key)}({', '.join(map(brief, others))})"
    trace(f"+ {value} {request.scope} {request.fixturename} {request.node.nodeid}")
    return value


def used(key: str, request: Any, *others: object) -> None:
    """Trace that a test, or a set-up function without a request, runs."""
    node = "" if request is None else request.node.nodeid
    trace(f"! {key} {node} {', '.join(map(brief, others))}")


def seen(instance: Any, key: str) -> None:
    """Trace what has been called on the instance of a class."""
    calls = vars(instance).setdefault("calls", [])
    calls.append(key)
    trace(f"{type(instance).__name__}: {calls}")


def brief(value: object) -> str:
    """Return what to call a value in a trace."""
    return value if isinstance(value, str) else type(value).__name__


def names_in(request: Any) -> list[str]:
    """Return the fixtures of a test, without what set-up functions are to pytest."""
    return sorted(each for each in request.fixturenames if each.isidentifier() and each[0] != "_")


def told(text: str) -> None:
    """Let output, log and warnings take note."""
    print(f"said {text}")  # noqa: T201
    log.warning("logged %s", text)
    warnings.warn(f"warned {text}", UserWarning, stacklevel=2)


def end(text: str, error: str = "", *, waits: bool = False) -> None:
    """Be a finalizer; ``error`` says what it raises."""
    if waits:
        hold()
    trace(f"- {text}")
    if error == "skip":
        pytest.skip(text)
    if error == "xfail":
        pytest.xfail(text)
    if error:
        raise Broken(text)


class block:  # noqa: N801
    """A context manager, sync and async."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __enter__(self) -> None:
        trace(f"> {self.name}")

    def __exit__(
        self, kind: object, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        trace(f"< {self.name} {type(error).__name__}")

    async def __aenter__(self) -> None:
        self._cancel_scope = trio.CancelScope()
        self._cancel_scope.__enter__()
        await pause()
        self.__enter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await pause()
        self.__exit__(kind, error, traceback)
        self._cancel_scope.__exit__(kind, error, traceback)


async def pause() -> None:
    """Wait, in one way or another."""
    match next(_pauses) % 4:
        case 0:
            await trio.lowlevel.checkpoint()
        case 1:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(trio.lowlevel.checkpoint)
        case 2:
            with trio.move_on_after(0):
                await trio.sleep_forever()
        case _:
            await trio.sleep(0)


def hold() -> None:
    """Wait, in sync code; nothing without a plugin that could."""
    if is_with_plugin:
        from pytest_trio_scoped import await_

        await_(pause())


is_with_plugin = False
