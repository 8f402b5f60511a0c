"""Alarms by real time, in a thread of their own."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from pytest_trio_scoped._alarms import Alarms


@pytest.fixture
def alarms() -> Iterator[Alarms]:
    alarms = Alarms()
    yield alarms
    alarms.close()


def test_a_function_is_called_in_another_thread_at_its_time(alarms: Alarms) -> None:
    called = threading.Event()
    seen: list[tuple[float, int]] = []

    def function() -> None:
        seen.append((time.monotonic(), threading.get_ident()))
        called.set()

    begun = time.monotonic()
    alarms.set("owner", 0.05, function)
    assert called.wait(10)
    [(when, ident)] = seen
    assert when >= begun + 0.05
    assert ident != threading.get_ident()


@pytest.mark.parametrize("first", [0.01, 60])
def test_each_owner_has_one_alarm_the_last_that_it_set(alarms: Alarms, first: float) -> None:
    rung = threading.Semaphore(0)
    seen: list[str] = []

    def ring(name: str) -> None:
        seen.append(name)
        rung.release()

    alarms.set("a", 60, lambda: ring("dropped"))
    alarms.set("a", 60, lambda: ring("replaced"))
    alarms.set("b", first, lambda: ring("b"))
    alarms.set("b", 0.02, lambda: ring("b again"))
    alarms.drop("a")
    alarms.drop("somebody who has none")
    assert rung.acquire(timeout=10)
    if seen == ["b"]:  # it was early enough
        assert rung.acquire(timeout=10)
    assert seen[-1] == "b again"


def test_an_alarm_may_set_the_next_one(alarms: Alarms) -> None:
    done = threading.Event()
    count = 0

    def again() -> None:
        nonlocal count
        count += 1
        if count == 3:
            done.set()
        else:
            alarms.set("owner", 0, again)

    alarms.set("owner", 0, again)
    assert done.wait(10)


def test_later_alarms_count_although_the_thread_is_not_woken_for_them(alarms: Alarms) -> None:
    rung = threading.Event()
    alarms.set("first", 0.05, lambda: None)
    for _ in range(2000):  # while the thread is about to look
        alarms.set("often", 0.05, lambda: None)
        alarms.drop("often")
    alarms.set("last", 0.1, rung.set)
    assert rung.wait(10)


def test_no_thread_before_the_first_alarm_and_none_after_close() -> None:
    def names() -> list[str]:
        return [thread.name for thread in threading.enumerate()]

    before = names()
    alarms = Alarms()
    alarms.close()
    assert names() == before
    alarms.set("owner", 3600, lambda: None)
    assert sorted(names()) == sorted([*before, "pytest_trio_scoped alarms"])
    alarms.close()
    assert names() == before
