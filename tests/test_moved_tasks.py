"""A task whose coroutine the user's code has put into a greenlet, as greenback's portals do.

The driver of a host is then in a greenlet of its own, and so is who can be asked to wait.
"""

from __future__ import annotations

import types
from collections.abc import Coroutine, Generator
from functools import partial
from typing import Any

import greenlet
import outcome
import pytest
import trio
from loops import count_tasks, open_loop

from pytest_trio_scoped._lifetime import Lifetime
from pytest_trio_scoped._loop import Loop

portals: dict[trio.lowlevel.Task, greenlet.greenlet] = {}


def step_in_greenlet(portal: greenlet.greenlet, coroutine: Any, step: Any) -> None:
    while True:
        step = portal.switch((step.send(coroutine), greenlet.getcurrent()))


@types.coroutine
def portal_around(task: trio.lowlevel.Task, coroutine: Any) -> Generator[Any, Any, Any]:
    """Step ``coroutine`` in a greenlet, from which it and the task's code send what they wait for."""
    step: Any = outcome.Value((yield "ready"))
    portal = portals[task] = greenlet.getcurrent()
    caller: Any = greenlet.greenlet(partial(step_in_greenlet, portal, coroutine))
    try:
        while True:
            trap, caller = caller.switch(step)
            try:
                step = outcome.Value((yield trap))
            except BaseException as error:
                step = outcome.Error(error)
    except StopIteration as stop:
        return stop.value
    finally:
        del portals[task]


async def ensure_portal() -> None:
    """Put the calling task into a greenlet.  A checkpoint."""
    task = trio.lowlevel.current_task()

    async def shim() -> Any:
        return await portal_around(task, coroutine)

    coroutine, task.coro = task.coro, shim()
    assert task.coro.send(None) == "ready"
    await trio.lowlevel.checkpoint()


def await_by_portal(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Wait by the portal, past the driver."""
    portal = portals[trio.lowlevel.current_task()]
    step: Any = outcome.Value(None)
    try:
        while True:
            step = portal.switch((step.send(coroutine), greenlet.getcurrent()))
    except StopIteration as stop:
        return stop.value


async def seven() -> int:
    await trio.sleep(0)
    return 7


async def use_both(loop: Loop) -> None:
    """Wait in all ways from the same code, one within the other."""

    async def nested() -> int:
        by_portal: int = await_by_portal(seven())
        return by_portal + loop.run(seven, name="nested")

    assert await_by_portal(seven()) == 7
    assert loop.run(nested, name="nested") == 14
    assert await_by_portal(nested()) == 14
    assert await nested() == 14
    assert await seven() == 7


def test_a_test_whose_task_moves_waits_in_all_ways() -> None:
    async def body(loop: Loop) -> None:
        await ensure_portal()
        await use_both(loop)

    with open_loop() as loop:
        before = count_tasks(loop)
        for _ in range(3):
            loop.run(body, loop, name="test")
            assert loop.run(seven, name="next") == 7
        assert count_tasks(loop) == before
        assert not loop.drivers.moved
        assert not portals


def test_it_may_fail_and_be_cancelled() -> None:
    async def fails() -> None:
        await ensure_portal()
        with trio.move_on_after(0.01) as cancel_scope:
            await_by_portal(trio.sleep_forever())
        assert cancel_scope.cancelled_caught
        with trio.move_on_after(0.01) as cancel_scope:
            await trio.sleep_forever()
        assert cancel_scope.cancelled_caught
        raise ValueError("of the test")

    with open_loop() as loop:
        with pytest.raises(ValueError, match="of the test"):
            loop.run(fails, name="test")
        assert loop.run(seven, name="next") == 7
        assert not loop.drivers.moved


@pytest.mark.parametrize("moves", ["set-up", "tear-down"])
def test_so_may_the_task_of_a_lifetime(moves: str) -> None:
    async def fixture(_: object) -> Any:
        if moves == "set-up":
            await ensure_portal()
            await use_both(loop)
        yield "value"
        if moves == "tear-down":
            await ensure_portal()
        await use_both(loop)

    with open_loop() as loop:
        lifetime = Lifetime(loop, "fixture", fixture, has_nursery=False)
        assert lifetime.open() == "value"
        assert loop.run(seven, name="between") == 7
        lifetime.close()
        assert loop.run(seven, name="next") == 7
        assert not loop.drivers.moved
        assert not portals
