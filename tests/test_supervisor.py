"""Supervisors hold a nursery for one user task at a time and catch what comes out of it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from pytest_trio_scoped._supervisor import Flag, Supervisor
from pytest_trio_scoped._user_task import Leak, UserTask


@contextlib.asynccontextmanager
async def supervisor() -> AsyncIterator[Supervisor]:
    async with trio.open_nursery() as nursery:
        supervisor = Supervisor()
        is_ready = Flag()
        nursery.start_soon(supervisor.run, is_ready.set)
        await is_ready.wait()
        yield supervisor
        nursery.cancel_scope.cancel()


async def fail(error: BaseException) -> None:
    raise error


# ------------------------------------------------------------------------ flags


def test_a_flag_that_is_set_does_not_make_its_waiter_wait() -> None:
    async def main() -> None:
        flag = Flag()
        flag.set()
        flag.set()
        with trio.testing.assert_no_checkpoints():
            await flag.wait()

    trio.run(main)


def test_a_flag_wakes_its_waiter_once() -> None:
    steps = []

    async def main() -> None:
        flag = Flag()

        async def wait() -> None:
            await flag.wait()
            steps.append("woken")
            await trio.sleep(0)
            steps.append("on")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait)
            await wait_all_tasks_blocked()
            assert steps == []
            flag.set()
            flag.set()

    trio.run(main)
    assert steps == ["woken", "on"]


def test_a_waiter_of_a_flag_pays_no_heed_to_cancellation() -> None:
    steps = []

    async def main() -> None:
        flag = Flag()

        async def wait() -> None:
            await flag.wait()
            steps.append("woken")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait)
            nursery.cancel_scope.cancel()
            with trio.CancelScope(shield=True):
                await wait_all_tasks_blocked()
                assert steps == []
                flag.set()
                await wait_all_tasks_blocked()
        assert steps == ["woken"]

    trio.run(main)


@pytest.mark.parametrize("is_cancelled", [True, False])
def test_a_waiter_of_a_flag_may_ask_to_be_told_once_that_it_is_cancelled(
    is_cancelled: bool,
) -> None:
    told: list[str] = []

    async def main() -> None:
        flag = Flag()
        with trio.CancelScope() as outer, trio.CancelScope() as inner:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(flag.wait, lambda: told.append("cancelled"))
                await wait_all_tasks_blocked()
                if is_cancelled:
                    inner.cancel()
                    outer.cancel()
                flag.set()

    trio.run(main)
    assert told == ["cancelled"] * is_cancelled


# ------------------------------------------------------------------------ supervisors


def test_stays_whole_while_its_user_tasks_end_well() -> None:
    async def main() -> None:
        async with supervisor() as held:
            ran = []

            async def user(number: int) -> None:
                assert trio.lowlevel.current_task().name == f"user {number}"
                await trio.sleep(0)
                ran.append(number)

            for number in range(3):
                held.start_soon(user, number, name=f"user {number}")
                await wait_all_tasks_blocked()
                assert not held.is_broken
            assert ran == [0, 1, 2]

    trio.run(main)


@pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt, SystemExit, GeneratorExit])
def test_what_comes_out_of_the_user_task_breaks_it_and_nothing_else(
    kind: type[BaseException],
) -> None:
    error = kind("boom")

    async def main() -> None:
        async with supervisor() as held:
            held.start_soon(fail, error, name="user")
            await wait_all_tasks_blocked()
            assert held.is_broken
            assert await held.wait_broken() is error

    trio.run(main)


def test_several_errors_come_out_as_a_group() -> None:
    async def main() -> None:
        async with supervisor() as held:
            held.start_soon(fail, ValueError("a"), name="one")
            held.start_soon(fail, OSError("b"), name="two")
            error = await held.wait_broken()
            assert isinstance(error, ExceptionGroup)
            assert {type(member) for member in error.exceptions} == {ValueError, OSError}

    trio.run(main)


def test_cancel_ends_the_user_task_without_an_error() -> None:
    async def main() -> None:
        async with supervisor() as held:
            held.start_soon(trio.sleep_forever, name="user")
            await wait_all_tasks_blocked()
            held.cancel()
            assert held.is_broken
            assert await held.wait_broken() is None

    trio.run(main)


def test_the_error_of_a_cancelled_user_task_is_not_lost() -> None:
    async def user() -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise ValueError("on the way out")

    async def main() -> None:
        async with supervisor() as held:
            held.start_soon(user, name="user")
            await wait_all_tasks_blocked()
            held.cancel()
            error = await held.wait_broken()
            assert repr(error) == repr(ValueError("on the way out"))

    trio.run(main)


def test_ends_with_the_loop_without_an_error() -> None:
    async def main() -> None:
        async with supervisor() as held:
            held.start_soon(trio.sleep_forever, name="user")
            await wait_all_tasks_blocked()
        assert await held.wait_broken() is None

    trio.run(main)


# ------------------------------------------------------------------------ leaked nurseries


def test_a_task_without_open_nurseries_has_leaked_none() -> None:
    async def main() -> Leak | None:
        task = UserTask()
        async with trio.open_nursery():
            pass
        return task.end()

    assert trio.run(main) is None


@pytest.mark.parametrize("count", [1, 2])
def test_the_children_of_a_leaked_nursery_are_cancelled(count: int) -> None:
    ends = []

    async def child() -> None:
        try:
            await trio.sleep_forever()
        finally:
            ends.append("child")

    async def user() -> None:
        task = UserTask()
        for _ in range(count):
            nursery = await trio.open_nursery().__aenter__()
            nursery.start_soon(child)
        await wait_all_tasks_blocked()
        assert isinstance(task.end(), Leak)

    async def main() -> None:
        async with supervisor() as held:
            held.start_soon(user, name="user")
            error = await held.wait_broken()
            assert "Nursery stack" in str(error)
        assert ends == ["child"] * count

    trio.run(main)
