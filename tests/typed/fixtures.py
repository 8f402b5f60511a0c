"""What ``trio_fixture`` decorates keeps its type, so that its misuse is seen.

A line that is wrong names the error that both type checkers have to find there. If one finds none, it
complains about the comment.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, Literal, assert_type

import pytest
import trio

from pytest_trio_scoped import await_, trio_fixture


@trio_fixture
async def number() -> int:
    return 1


@trio_fixture(scope="session", params=["a", 2], ids=["a", None], autouse=True, name="words")
async def stream(number: int, nursery: trio.Nursery) -> AsyncIterator[str]:
    yield str(number)


@trio_fixture()
def task(number: int) -> trio.lowlevel.Task:
    return trio.lowlevel.current_task()


def scope_of(fixture_name: str, config: pytest.Config) -> Literal["module", "session"]:
    return "module"


@trio_fixture(scope=scope_of, ids=str)
async def dynamic() -> None: ...


@trio_fixture(scope="directory")
async def of_directory() -> None: ...


class TestIt:
    @trio_fixture
    async def method(self, number: int) -> str:
        return ""

    @trio_fixture
    @staticmethod
    def static(number: int) -> str:
        return ""

    @classmethod
    @trio_fixture(scope="class")
    async def of_class(cls) -> str:
        return ""


def made(name: str) -> int:
    return len(name)


as_function: Callable[[], Coroutine[Any, Any, int]] = number
as_iterator: Callable[[int, trio.Nursery], AsyncIterator[str]] = stream
as_sync: Callable[[int], trio.lowlevel.Task] = task
as_method: Callable[[int], Coroutine[Any, Any, str]] = TestIt().method
as_static: Callable[[int], str] = TestIt.static
as_class_method: Callable[[], Coroutine[Any, Any, str]] = TestIt.of_class
assert_type(trio_fixture(made)(name="a"), int)
assert_type(trio_fixture(made, scope="class")("a"), int)
assert_type(trio_fixture(scope="class")(made)("a"), int)


async def test_without_request() -> None:
    number + 1  # type: ignore[operator]  # pyright: ignore[reportOperatorIssue]
    await number  # type: ignore[misc]  # pyright: ignore[reportGeneralTypeIssues]
    stream.upper()  # type: ignore[attr-defined]  # pyright: ignore[reportFunctionMemberAccess]


def test_sync_without_request() -> None:
    await_(number)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    task.name  # type: ignore[attr-defined]  # pyright: ignore[reportFunctionMemberAccess]


trio_fixture(scope="suite")  # type: ignore[call-overload]  # pyright: ignore
trio_fixture(skope="session")  # type: ignore[call-overload]  # pyright: ignore
trio_fixture(autouse="yes")  # type: ignore[call-overload]  # pyright: ignore
trio_fixture(3)  # type: ignore[call-overload]  # pyright: ignore
