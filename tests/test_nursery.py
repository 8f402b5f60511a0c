"""The nursery that a test or a fixture owns: cancelled at its end, no group around a single error."""

from __future__ import annotations

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from pytest_trio_scoped._nursery import own_nursery


async def fail(error: BaseException) -> None:
    raise error


def test_is_cancelled_at_the_end_of_the_block_and_waited_for() -> None:
    ends = []

    async def background() -> None:
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.lowlevel.checkpoint()
            ends.append("task")

    async def main() -> None:
        async with own_nursery() as nursery:
            nursery.start_soon(background)
            await wait_all_tasks_blocked()
            ends.append("block")

    trio.run(main)
    assert ends == ["block", "task"]


def test_is_cancelled_if_the_block_raises() -> None:
    async def main() -> None:
        async with own_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            await wait_all_tasks_blocked()
            raise ValueError("block")

    with pytest.raises(ValueError, match=r"^block$") as caught:
        trio.run(main)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


@pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt, SystemExit, GeneratorExit])
def test_raises_one_error_of_a_task_as_itself(kind: type[BaseException]) -> None:
    error = kind("task")

    async def main() -> None:
        async with own_nursery() as nursery:
            nursery.start_soon(fail, error)
            await trio.sleep_forever()

    with pytest.raises(kind) as caught:
        trio.run(main)
    assert caught.value is error
    assert error.__context__ is None


def test_raises_several_errors_as_a_group() -> None:
    async def main() -> None:
        async with own_nursery() as nursery:
            nursery.start_soon(fail, ValueError("task"))
            raise OSError("block")

    with pytest.raises(ExceptionGroup) as caught:
        trio.run(main)
    assert {type(error) for error in caught.value.exceptions} == {OSError, ValueError}


def test_a_group_that_the_user_raises_stays_a_group() -> None:
    group = ExceptionGroup("mine", [ValueError()])

    async def main() -> None:
        async with own_nursery():
            raise group

    with pytest.raises(ExceptionGroup) as caught:
        trio.run(main)
    assert (caught.value.message, caught.value.exceptions) == ("mine", group.exceptions)


def test_a_cancel_scope_around_it_works_as_around_any_nursery() -> None:
    async def main() -> bool:
        with trio.CancelScope() as cancel_scope:
            async with own_nursery() as nursery:
                nursery.start_soon(trio.sleep_forever)
                cancel_scope.cancel()
                await trio.sleep_forever()
        return cancel_scope.cancelled_caught

    assert trio.run(main)
