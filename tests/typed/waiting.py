"""``await_`` returns what ``await`` would return."""

from __future__ import annotations

from collections.abc import Awaitable, Coroutine, Generator
from typing import Any, assert_type

import pytest_trio_scoped
from pytest_trio_scoped import await_


async def five() -> int:
    return 5


async def none() -> None: ...


class Later:
    def __await__(self) -> Generator[Any, Any, str]:
        yield
        return ""


def test_it(words: Awaitable[list[str]], either: Coroutine[Any, Any, int | None]) -> None:
    assert_type(await_(five()), int)
    assert_type(await_(Later()), str)
    assert_type(await_(words), list[str])
    assert_type(await_(either), int | None)
    assert_type(pytest_trio_scoped.await_(five()), int)
    await_(none())
    await_(five)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await_(5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await_()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    await_(five()).upper()  # type: ignore[attr-defined]  # pyright: ignore
    pytest_trio_scoped.wait  # type: ignore[attr-defined]  # pyright: ignore
