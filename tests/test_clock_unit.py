"""What a test may do to the clock of a loop, without pytest around it."""

from __future__ import annotations

import math
import time

import trio
from loops import open_loop
from trio.testing import MockClock

from pytest_trio_scoped._clock import go_on_at_real_speed, go_on_by, tell_threshold
from pytest_trio_scoped._loop import Loop


def _time(loop: Loop) -> float:
    with loop.inside():
        return trio.current_time()


def _sleep(loop: Loop, seconds: float) -> None:
    loop.run(trio.sleep, seconds, name="sleep")


def test_a_loop_starts_on_its_clock() -> None:
    clock = MockClock(autojump_threshold=0)
    loop = Loop(clock=clock)
    loop.open()
    try:
        assert _time(loop) == 0
        _sleep(loop, 86400)
        assert _time(loop) == 86400
        with loop.inside():
            assert trio.lowlevel.current_clock() is clock
    finally:
        loop.close()


def test_a_loop_is_run_by_what_it_is_given() -> None:
    calls: list[tuple[object, ...]] = []

    def run(async_fn: object, **arguments: object) -> None:
        calls.append(("begin", arguments))
        trio.run(async_fn)  # type: ignore[arg-type]
        calls.append(("end",))

    loop = Loop(run)
    loop.open()
    assert calls == [("begin", {"clock": None})]
    _sleep(loop, 0)
    loop.close()
    assert calls[1:] == [("end",)]


def test_goes_on_by_another_clock_on_the_next_whole_second() -> None:
    with open_loop() as loop:
        before = _time(loop)
        clock = MockClock()
        go_on_by(loop, clock)
        now = _time(loop)
        assert before <= now <= math.ceil(before + 1)
        assert now == int(now)
        assert now == _time(loop)
        with loop.inside():
            assert trio.lowlevel.current_clock() is clock
        clock.jump(86400)
        assert _time(loop) == now + 86400


def test_what_was_set_before_counts() -> None:
    with open_loop() as loop:
        clock = MockClock(autojump_threshold=0)
        clock.jump(1000)
        before = _time(loop)
        go_on_by(loop, clock)
        now = _time(loop)
        assert before + 1000 <= now
        _sleep(loop, 86400)
        assert _time(loop) == now + 86400


def test_deadlines_are_kept() -> None:
    """A background task that has begun to sleep by one clock wakes up by the other."""
    with open_loop() as loop:
        woken = trio.Event()

        async def sleep() -> None:
            await trio.sleep(3600)
            woken.set()

        async def start() -> None:
            loop.drivers.home.start_soon(sleep)
            await trio.lowlevel.checkpoint()

        loop.run(start, name="start")
        before = _time(loop)
        go_on_by(loop, MockClock(autojump_threshold=0))
        loop.run(woken.wait, name="wait")
        assert 3599 < _time(loop) - before < 3602


def test_real_time_goes_on_from_there() -> None:
    with open_loop() as loop:
        clock = MockClock(autojump_threshold=0)
        go_on_by(loop, clock)
        _sleep(loop, 86400)
        then = _time(loop)
        go_on_at_real_speed(loop, clock)
        assert (clock.rate, clock.autojump_threshold) == (1.0, math.inf)
        assert then <= _time(loop) < then + 60
        assert then < _time(loop)

        start = time.perf_counter()
        _sleep(loop, 0.02)
        assert time.perf_counter() - start > 0.015  # it does not jump any more


def test_one_mock_clock_follows_another() -> None:
    with open_loop() as loop:
        times = [_time(loop)]
        for _ in range(3):
            clock = MockClock(autojump_threshold=0)
            go_on_by(loop, clock)
            times.append(_time(loop))
            _sleep(loop, 10)
            go_on_at_real_speed(loop, clock)
            times.append(_time(loop))
        assert times == sorted(times)


def test_a_threshold_that_is_set_outside_is_told() -> None:
    with open_loop() as loop:
        clock = MockClock()
        go_on_by(loop, clock)
        clock.autojump_threshold = 0
        tell_threshold(loop)
        before = _time(loop)
        _sleep(loop, 86400)
        assert _time(loop) == before + 86400


def test_a_loop_that_has_ended_needs_no_clock() -> None:
    clock = MockClock()
    with open_loop() as loop:
        go_on_by(loop, clock)
    go_on_at_real_speed(loop, clock)
    assert clock.rate == 1.0
