"""Which async tests and fixtures are ours, and which belong to other frameworks."""

from __future__ import annotations

import functools
import types
from collections.abc import Callable
from typing import Any

import pytest
from harness import name_of

from pytest_trio_scoped._ownership import (
    OUR_ATTRIBUTE,
    is_async,
    is_foreign,
    is_marked,
    is_our_fixture,
    is_our_test,
    is_stand_in,
)
from pytest_trio_scoped._session import TrioSession
from pytest_trio_scoped._settings import Settings


async def coroutine_function() -> None: ...
async def async_generator_function() -> Any:
    yield


def function() -> None: ...
def generator_function() -> Any:
    yield


@types.coroutine
def coroutine_of_generator() -> Any:
    yield


@functools.wraps(coroutine_function)
def wrapped_in_sync() -> None: ...


@functools.wraps(function)
async def wrapped_in_async() -> None: ...


class Methods:
    async def method(self) -> None: ...
    def sync_method(self) -> None: ...
    @classmethod
    async def for_class(cls) -> None: ...
    @staticmethod
    async def static() -> Any:
        yield

    async def __call__(self) -> None: ...


class SyncCallable:
    def __call__(self) -> None: ...


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (coroutine_function, True),
        (async_generator_function, True),
        (Methods().method, True),
        (Methods.method, True),
        (Methods.for_class, True),
        (Methods().static, True),
        (functools.partial(coroutine_function), True),
        (functools.partial(functools.partial(async_generator_function)), True),
        (functools.partial(Methods().method), True),
        (wrapped_in_async, True),
        (function, False),
        (generator_function, False),
        (Methods().sync_method, False),
        (functools.partial(function), False),
        (wrapped_in_sync, False),
        (SyncCallable(), False),
        (Methods, False),
        (len, False),
        (int, False),
    ],
    ids=name_of,
)
def test_is_async(function: Callable[..., Any], expected: bool) -> None:
    assert is_async(function) is expected


def of_anyio() -> None: ...


of_anyio.__module__ = "anyio.pytest_plugin"


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (wrapped_in_sync, True),
        (of_anyio, True),
        (function, False),
        (generator_function, False),
        (functools.wraps(function)(lambda: None), False),
        (functools.partial(function), False),
        (len, False),
    ],
    ids=name_of,
)
def test_a_stand_in_hides_an_async_function(function: Callable[..., Any], expected: bool) -> None:
    assert is_stand_in(function) is expected


class FakeItem:
    """As much of an item as ownership asks for."""

    def __init__(
        self, *marks: str, of_class: tuple[str, ...] = (), late: tuple[str, ...] = ()
    ) -> None:
        self.own_markers = [types.SimpleNamespace(name=name) for name in marks]
        self._inherited = [types.SimpleNamespace(name=name) for name in of_class]
        self.obj = types.SimpleNamespace()
        if late:
            self.obj.pytestmark = [types.SimpleNamespace(name=name) for name in late]

    def get_closest_marker(self, name: str) -> object:
        marks = [*self.own_markers, *self._inherited]
        return next((mark for mark in marks if mark.name == name), None)


@pytest.mark.parametrize(
    ("item", "marked"),
    [
        (FakeItem(), False),
        (FakeItem("trio"), True),
        (FakeItem("slow"), False),
        (FakeItem(of_class=("trio",)), True),
        (FakeItem("slow", of_class=("slow",)), False),
        (FakeItem(late=("trio",)), True),
        (FakeItem(late=("parametrize", "trio")), True),
        (FakeItem(late=("parametrize",)), False),
        (FakeItem("asyncio", "trio"), True),
    ],
)
def test_a_mark_counts_however_late_it_came(item: Any, marked: bool) -> None:
    assert is_marked(item, item.obj) is marked


@pytest.mark.parametrize("mark", ["asyncio", "anyio", "twisted"])
def test_marks_of_other_frameworks_make_a_test_foreign(mark: str) -> None:
    own: Any = FakeItem(mark)
    inherited: Any = FakeItem("slow", of_class=(mark,))
    assert is_foreign(own)
    assert is_foreign(inherited)


@pytest.mark.parametrize("mark", ["trio", "slow", "asyncio_mode", "curio"])
def test_other_marks_do_not(mark: str) -> None:
    item: Any = FakeItem(mark)
    assert not is_foreign(item)


#: marks of the test; ours in trio mode; ours without it
OWNERS = [
    ((), True, False),
    (("trio",), True, True),
    (("slow",), True, False),
    (("asyncio",), False, False),
    (("anyio",), False, False),
    (("twisted",), False, False),
    # Whoever marks a test as ours means it, whatever else it is marked as.
    (("asyncio", "trio"), True, True),
]
every_owner = pytest.mark.parametrize(("marks", "in_trio_mode", "without"), OWNERS)


def session(is_trio_mode: bool) -> TrioSession:
    return TrioSession(
        Settings(is_trio_mode=is_trio_mode, run_by="trio"), lambda _: pytest.fail("not asked for")
    )


@every_owner
def test_whose_test_it_is(marks: tuple[str, ...], in_trio_mode: bool, without: bool) -> None:
    item: Any = FakeItem(*marks)
    assert is_our_test(session(True), item) is in_trio_mode
    assert is_our_test(session(False), item) is without


def fixture(**attributes: object) -> Any:
    async def function() -> None: ...

    vars(function).update(attributes)
    return types.SimpleNamespace(func=function)


def request_of(item: object) -> Any:
    return types.SimpleNamespace(_pyfuncitem=item)


@every_owner
def test_a_plain_async_fixture_goes_with_the_test_that_asks_first(
    marks: tuple[str, ...], in_trio_mode: bool, without: bool
) -> None:
    request = request_of(FakeItem(*marks))
    assert is_our_fixture(session(True), fixture(), request) is in_trio_mode
    assert is_our_fixture(session(False), fixture(), request) is without


@every_owner
def test_a_trio_fixture_is_always_ours(
    marks: tuple[str, ...], in_trio_mode: bool, without: bool
) -> None:
    request = request_of(FakeItem(*marks))
    ours = fixture(**{OUR_ATTRIBUTE: True})
    assert is_our_fixture(session(True), ours, request)
    assert is_our_fixture(session(False), ours, request)


@every_owner
def test_a_fixture_of_pytest_asyncio_is_never_ours(
    marks: tuple[str, ...], in_trio_mode: bool, without: bool
) -> None:
    request = request_of(FakeItem(*marks))
    theirs = fixture(_force_asyncio_fixture=True)
    assert not is_our_fixture(session(True), theirs, request)
    assert not is_our_fixture(session(False), theirs, request)


def test_the_name_by_which_pytest_asyncio_marks_its_fixtures_is_still_the_one_we_ask_for() -> None:
    pytest_asyncio = pytest.importorskip("pytest_asyncio")

    async def function() -> None: ...

    pytest_asyncio.fixture(function)
    assert getattr(function, "_force_asyncio_fixture", False) is True


def test_the_item_may_be_no_function() -> None:
    item: Any = FakeItem()
    del item.obj
    assert not is_our_fixture(session(False), fixture(), request_of(item))
    assert is_our_fixture(session(True), fixture(), request_of(item))
