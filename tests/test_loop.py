"""The Trio run in a greenlet: who waits for whom, and what happens when things go wrong in it."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
import sys
import threading
import traceback
import weakref
from collections.abc import Awaitable, Callable, Generator, Iterator
from contextvars import ContextVar, copy_context
from typing import Any

import greenlet
import pytest
import trio
from harness import name_of
from loops import count_tasks, open_loop, snapshot
from subprocesses import lines_of
from trio.testing import wait_all_tasks_blocked

from pytest_trio_scoped import _errors
from pytest_trio_scoped._loop import Loop
from pytest_trio_scoped._user_task import Leak
from pytest_trio_scoped._wreck import LoopLost

variable: ContextVar[str] = ContextVar("variable", default="nothing")


@pytest.fixture
def loop() -> Iterator[Loop]:
    with open_loop() as loop:
        yield loop


async def seven() -> int:
    await trio.sleep(0)
    return 7


def works(loop: Loop) -> bool:
    """Say whether the loop still does what it is for, with a real wait."""

    async def body() -> bool:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep, 0)
            event = trio.Event()
            nursery.start_soon(lambda: _set(event))
            await event.wait()
        await trio.sleep(0.0001)
        return loop.run(seven, name="nested") == 7

    return loop.run(body, name="works")


async def _set(event: trio.Event) -> None:
    event.set()


# ------------------------------------------------------------------------ open and close


def test_is_open_between_open_and_close_only() -> None:
    loop = Loop()
    seen = [loop.is_open]
    loop.open()
    seen.append(loop.is_open)
    loop.close()
    seen.append(loop.is_open)
    assert seen == [False, True, False]


def test_close_twice_and_close_without_open_do_nothing() -> None:
    loop = Loop()
    loop.close()
    loop.open()
    loop.close()
    before = snapshot()
    loop.close()
    assert snapshot() == before


def test_loops_can_be_opened_one_after_the_other_and_one_in_the_other() -> None:
    with open_loop() as first, open_loop() as second:
        assert works(first)
        assert works(second)
        assert works(first)
    with open_loop() as third:
        assert works(third)


def test_a_loop_can_be_opened_below_a_test_of_another() -> None:
    async def body(outer: Loop) -> None:
        with outer.outside(), open_loop() as inner:
            assert works(inner)
        await trio.sleep(0)

    with open_loop() as outer:
        outer.run(body, outer, name="test")
        assert works(outer)


@pytest.mark.parametrize("use", ["run", "wait_for"])
def test_a_closed_loop_refuses_and_leaves_the_thread_as_it_is(use: str) -> None:
    with open_loop() as loop:
        assert works(loop)
    before = snapshot()
    for _ in range(2):
        with pytest.raises(LoopLost, match=r"has ended \(it was closed\)"):
            if use == "run":
                loop.run(seven, name="late")
            else:
                loop.wait_for(Wait(), seven)
        assert snapshot() == before
        assert not loop.is_inside
    assert trio.run(seven) == 7


def test_a_loop_that_was_never_opened_refuses() -> None:
    source = """
        loop = Loop()
        before = snapshot()
        try:
            loop.run(trio.sleep, 0, name="early")
        except Exception as error:
            print("refused")
        print(snapshot() == before, loop.is_inside)
    """
    assert lines_of(source) == ["refused", "True False"]


# ------------------------------------------------------------------------ run


def test_runs_in_a_task_of_its_own_with_the_name_and_the_arguments(loop: Loop) -> None:
    async def body(*arguments: object) -> tuple[object, ...]:
        await trio.sleep(0)
        task = trio.lowlevel.current_task()
        return task, task.name, arguments

    first, name, arguments = loop.run(body, 1, "two", name="test_it.py::test_a")
    second, *_ = loop.run(body, name="test_it.py::test_b")
    assert (name, arguments) == ("test_it.py::test_a", (1, "two"))
    assert first is not second


def test_runs_from_inside_in_the_task_of_the_caller(loop: Loop) -> None:
    async def task() -> object:
        await trio.sleep(0)
        return trio.lowlevel.current_task()

    async def body() -> None:
        mine = trio.lowlevel.current_task()
        assert loop.run(task, name="ignored") is mine
        assert await task() is mine

        async def nested() -> object:
            return loop.run(task, name="ignored")

        assert loop.run(nested, name="ignored") is mine
        assert mine.name == "test"

    loop.run(body, name="test")


def test_runs_from_outside_of_a_test_in_a_task_of_its_own(loop: Loop) -> None:
    async def name() -> str:
        await trio.sleep(0)
        return trio.lowlevel.current_task().name

    async def body(depth: int) -> list[str]:
        names = [await name()]
        if depth:
            with loop.outside():
                names += loop.run(body, depth - 1, name=f"test {depth - 1}")
        return [*names, await name()]

    assert loop.run(body, 3, name="test 3") == [
        "test 3",
        "test 2",
        "test 1",
        "test 0",
        "test 0",
        "test 1",
        "test 2",
        "test 3",
    ]


def test_code_that_never_waits_never_leaves_the_host(loop: Loop) -> None:
    """Not even for Trio's bookkeeping: it costs what a sync call costs."""
    host = greenlet.getcurrent()

    async def body() -> bool:
        return greenlet.getcurrent() is host

    assert loop.run(body, name="test")


def test_a_traceback_shows_one_ordinary_stack(loop: Loop) -> None:
    async def deep() -> list[str]:
        await trio.sleep(0)
        return [entry.name for entry in traceback.extract_stack()]

    def sync_helper() -> list[str]:
        return loop.run(deep, name="ignored")

    async def body() -> list[str]:
        return sync_helper()

    names = loop.run(body, name="test")
    here = "test_a_traceback_shows_one_ordinary_stack"
    assert [name for name in names if name in {here, "body", "sync_helper", "deep"}] == [
        here,
        "body",
        "sync_helper",
        "deep",
    ]


def test_background_tasks_run_while_a_test_waits_and_only_then(loop: Loop) -> None:
    ticks: list[int] = []

    async def ticker() -> None:
        while True:
            ticks.append(len(ticks))
            await trio.sleep(0)

    async def body() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ticker)
            assert ticks == []
            for _ in range(5):
                await trio.sleep(0)
            assert len(ticks) > 2
            nursery.cancel_scope.cancel()

    loop.run(body, name="test")


@pytest.mark.parametrize("has_shield", [True, False])
def test_a_stay_within_a_cancelled_test_is_cancelled_unless_it_is_shielded(
    loop: Loop, has_shield: bool
) -> None:
    """Also where it has to open a supervisor first, which may not fail half way."""
    steps: list[str] = []

    async def clean_up() -> None:
        steps.append("begun")
        await trio.sleep(0)
        steps.append("done")

    async def body() -> bool:
        with trio.CancelScope() as cancel_scope:
            cancel_scope.cancel()
            with trio.CancelScope(shield=has_shield), loop.outside():
                loop.run(clean_up, name="clean-up")
        await trio.sleep(0)
        return cancel_scope.cancelled_caught

    for _ in range(2):
        steps.clear()
        assert loop.run(body, name="test") is not has_shield
        assert steps == (["begun", "done"] if has_shield else ["begun"])
        assert works(loop)


def test_threads_and_messages_from_them_work(loop: Loop) -> None:
    async def body() -> list[object]:
        return [
            await trio.to_thread.run_sync(trio.from_thread.run, seven),
            await trio.to_thread.run_sync(trio.from_thread.run_sync, trio.lowlevel.in_trio_task),
        ]

    assert loop.run(body, name="test") == [7, True]


def test_cancel_scopes_and_deadlines_work_across_sync_code(loop: Loop) -> None:
    async def body() -> list[bool]:
        with trio.move_on_after(0) as timeout:
            loop.run(trio.sleep_forever, name="ignored")
        with trio.CancelScope() as cancel_scope:
            cancel_scope.cancel()
            loop.run(seven, name="ignored")
        return [timeout.cancelled_caught, cancel_scope.cancelled_caught]

    assert loop.run(body, name="test") == [True, True]


def test_nurseries_and_cancel_scopes_may_be_entered_and_left_in_sync_code(loop: Loop) -> None:
    async def body() -> list[str]:
        ends = []

        async def child() -> None:
            await trio.sleep(0)
            ends.append("child")

        manager = trio.open_nursery()
        nursery = loop.run(manager.__aenter__, name="ignored")
        nursery.start_soon(child)
        loop.run(manager.__aexit__, None, None, None, name="ignored")
        return [*ends, "test"]

    assert loop.run(body, name="test") == ["child", "test"]


def test_a_child_task_can_not_make_the_loop_wait_for_itself(loop: Loop) -> None:
    async def child() -> None:
        loop.run(seven, name="impossible")

    async def child_that_waits() -> None:
        loop.wait_for(Wait(), seven)

    async def body(child: Callable[[], Awaitable[None]]) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(child)

    for function in (child, child_that_waits):
        with pytest.raises(ExceptionGroup) as caught:
            loop.run(body, function, name="test")
        (error,) = caught.value.exceptions
        assert (type(error), str(error)) == (RuntimeError, _errors.AWAIT_IN_TASK)
        assert works(loop)


def test_a_child_task_outside_can_not_either(loop: Loop) -> None:
    source = """
        async def child(loop):
            with loop.outside():
                loop.run(trio.sleep, 0, name="impossible")
        async def body(loop):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(child, loop)
        with open_loop() as loop:
            try:
                loop.run(body, loop, name="test")
            except* RuntimeError as group:
                print(str(group.exceptions[0]).split(",")[0])
            loop.run(trio.sleep, 0, name="next")
    """
    assert lines_of(source) == ["await_() was called in a Trio task that runs on the loop itself"]


# ------------------------------------------------------------------------ what is thrown


@contextlib.contextmanager
def no_unraisable() -> Iterator[None]:
    """Whatever is dropped in disorder in the block, is an error of the test."""
    complaints: list[object] = []
    previous, sys.unraisablehook = sys.unraisablehook, complaints.append
    try:
        yield
        gc.collect()
    finally:
        sys.unraisablehook = previous
    assert complaints == []


class Custom(BaseException):
    """An error that nobody has heard of."""


ERRORS = [ValueError, Custom, KeyboardInterrupt, SystemExit, GeneratorExit, greenlet.GreenletExit]


@pytest.mark.parametrize("kind", ERRORS)
@pytest.mark.parametrize("waits", [True, False], ids=["after waiting", "at once"])
def test_raises_what_the_function_raises(
    loop: Loop, kind: type[BaseException], waits: bool
) -> None:
    error = kind("boom")

    async def body() -> None:
        if waits:
            await trio.sleep(0)
        raise error

    with no_unraisable():
        with pytest.raises(kind) as caught:
            loop.run(body, name="test")
        assert works(loop)
    assert caught.value is error
    assert error.__context__ is None
    assert error.__cause__ is None


@pytest.mark.parametrize("kind", [StopIteration, StopAsyncIteration])
def test_stops_that_would_end_a_coroutine_are_errors(loop: Loop, kind: type[Exception]) -> None:
    async def body() -> None:
        raise kind("boom")

    with pytest.raises((RuntimeError, StopAsyncIteration)) as caught:
        loop.run(body, name="test")
    assert kind.__name__ in repr(caught.value)
    assert works(loop)


def test_an_error_where_the_coroutine_is_made_is_raised(loop: Loop) -> None:
    def body(wrong: int) -> Any:
        raise AssertionError

    with pytest.raises(TypeError, match="missing 1 required"):
        loop.run(body, name="test")
    assert works(loop)


@pytest.mark.parametrize("value", [None, 42, "text"])
def test_what_can_not_be_awaited_is_a_type_error(loop: Loop, value: Any) -> None:
    with pytest.raises(TypeError, match="can't be used in 'await' expression"):
        loop.run(lambda: value, name="test")
    assert works(loop)


class Foreign:
    """Yields something that is no trap of Trio's."""

    def __init__(self, *values: object) -> None:
        self.values = values

    def __await__(self) -> Generator[object, object, str]:
        yield from self.values
        return "done"


@pytest.mark.parametrize("value", [None, 42, "text", object(), asyncio.sleep, (1, 2)], ids=name_of)
def test_an_awaitable_of_another_library_is_a_type_error_at_the_await(
    loop: Loop, value: object
) -> None:
    seen: list[str] = []

    async def body() -> str:
        try:
            await Foreign(value)
        except TypeError as error:
            seen.append(str(error))
        await trio.sleep(0)
        return "went on"

    assert loop.run(body, name="test") == "went on"
    assert len(seen) == 1
    assert "trio" in seen[0]
    assert works(loop)


def test_a_future_of_asyncio_is_a_type_error_at_the_await(loop: Loop) -> None:
    async def body() -> None:
        policy = asyncio.new_event_loop()
        try:
            await policy.create_future()
        finally:
            policy.close()

    with pytest.raises(TypeError, match="unrecognized yield message <Future pending>"):
        loop.run(body, name="test")
    assert works(loop)


def test_an_awaitable_of_another_library_that_wants_to_go_on_is_thrown_at_again(loop: Loop) -> None:
    class Stubborn:
        def __await__(self) -> Generator[object, object, list[str]]:
            caught = []
            for number in range(3):
                try:
                    yield number
                except TypeError as error:
                    caught.append(type(error).__name__)
            return caught

    async def body() -> list[str]:
        return await Stubborn()

    assert loop.run(body, name="test") == ["TypeError"] * 3
    assert works(loop)


@pytest.mark.parametrize("number", [1, 2])
def test_a_coroutine_that_ignores_its_cancellation_goes_on(loop: Loop, number: int) -> None:
    async def body() -> str:
        with trio.CancelScope() as cancel_scope:
            cancel_scope.cancel()
            for _ in range(number):
                with contextlib.suppress(trio.Cancelled):
                    await trio.sleep_forever()
        await trio.sleep(0)
        return "done"

    assert loop.run(body, name="test") == "done"


# ------------------------------------------------------------------------ greenlets of the user's own


def greenlet_spawn(loop: Loop, function: Callable[[Callable[[Awaitable[Any]], Any]], Any]) -> Any:
    """Do what SQLAlchemy does: sync code in a greenlet, which its parent awaits for."""
    parent = greenlet.getcurrent()

    async def drive() -> Any:
        def await_only(awaitable: Awaitable[Any]) -> Any:
            return parent.switch(awaitable)

        child = greenlet.greenlet(function)
        result = child.switch(await_only)
        while child:
            result = child.switch(await result)
        return result

    return drive()


def test_sync_code_in_a_greenlet_may_be_awaited_for_by_its_parent(loop: Loop) -> None:
    async def body() -> int:
        return await greenlet_spawn(
            loop, lambda await_only: await_only(seven()) + await_only(seven())
        )  # type: ignore[no-any-return]

    assert loop.run(body, name="test") == 14


def test_a_greenlet_within_a_test_may_wait_by_itself(loop: Loop) -> None:
    async def body() -> list[object]:
        mine = trio.lowlevel.current_task()

        async def task() -> object:
            await trio.sleep(0)
            return trio.lowlevel.current_task()

        child = greenlet.greenlet(lambda: loop.run(task, name="ignored"))
        found = child.switch()
        await trio.sleep(0)
        return [found is mine, child.dead, await task() is mine]

    assert loop.run(body, name="test") == [True, True, True]
    assert works(loop)


def test_a_greenlet_may_wait_in_turns_with_its_parent(loop: Loop) -> None:
    steps: list[str] = []

    async def body() -> None:
        parent = greenlet.getcurrent()

        def sync() -> None:
            for number in range(3):
                loop.run(seven, name="ignored")
                steps.append(f"child {number}")
                parent.switch()

        child = greenlet.greenlet(sync)
        for number in range(3):
            child.switch()
            await trio.sleep(0)
            steps.append(f"parent {number}")
        child.switch()
        assert child.dead

    loop.run(body, name="test")
    assert steps == ["child 0", "parent 0", "child 1", "parent 1", "child 2", "parent 2"]
    assert works(loop)


def test_a_greenlet_outside_may_have_a_stay_of_its_own(loop: Loop) -> None:
    async def name() -> str:
        await trio.sleep(0)
        return trio.lowlevel.current_task().name

    assert greenlet.greenlet(lambda: loop.run(name, name="mine")).switch() == "mine"
    assert works(loop)


def test_an_error_in_a_greenlet_within_a_test_reaches_its_parent(loop: Loop) -> None:
    async def fail() -> None:
        await trio.sleep(0)
        raise ValueError("boom")

    async def body() -> str:
        with pytest.raises(ValueError, match="boom"):
            greenlet.greenlet(lambda: loop.run(fail, name="ignored")).switch()
        await trio.sleep(0)
        return "went on"

    assert loop.run(body, name="test") == "went on"


# ------------------------------------------------------------------------ wait_for


class Wait:
    """Something that the host waits for."""

    def __init__(self) -> None:
        self.is_cancelled = False

    def cancel(self) -> None:
        self.is_cancelled = True


def test_wait_for_runs_in_the_driver_that_is_there(loop: Loop) -> None:
    async def task() -> trio.lowlevel.Task:
        await trio.sleep(0)
        return trio.lowlevel.current_task()

    async def body() -> bool:
        return loop.wait_for(Wait(), task) is trio.lowlevel.current_task()

    main = loop.wait_for(Wait(), task)
    assert loop.wait_for(Wait(), task) is main
    assert loop.run(body, name="test")
    assert loop.run(task, name="test") is not main


def test_wait_for_raises_what_it_waits_for(loop: Loop) -> None:
    async def fail() -> None:
        await trio.sleep(0)
        raise ValueError("boom")

    for _ in range(2):
        with pytest.raises(ValueError, match="boom"):
            loop.wait_for(Wait(), fail)
    assert works(loop)


# ------------------------------------------------------------------------ contexts


def test_without_a_context_code_runs_in_that_of_the_caller(loop: Loop) -> None:
    async def body() -> str:
        await trio.sleep(0)
        seen = variable.get()
        variable.set("from inside")
        return seen

    def host() -> list[str]:
        variable.set("from the host")
        return [loop.run(body, name="test"), variable.get()]

    assert copy_context().run(host) == ["from the host", "from inside"]
    assert variable.get() == "nothing"


@pytest.mark.parametrize("from_inside", [True, False])
def test_with_a_context_code_and_its_child_tasks_run_in_it(loop: Loop, from_inside: bool) -> None:
    context = copy_context()
    context.run(variable.set, "given")
    seen: list[str] = []

    async def child() -> None:
        seen.append(variable.get())
        variable.set("from the child")

    async def body() -> None:
        seen.append(variable.get())
        async with trio.open_nursery() as nursery:
            nursery.start_soon(child)
        seen.append(variable.get())
        variable.set("from inside")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(child)

    async def caller() -> None:
        loop.run(body, name="ignored", context=context)
        await trio.sleep(0)
        seen.append(variable.get())

    if from_inside:
        loop.run(caller, name="test")
    else:
        loop.run(body, name="test", context=context)
        seen.append(variable.get())
    assert seen == ["given", "given", "given", "from inside", "nothing"]
    assert context[variable] == "from inside"


def test_the_task_has_the_context_too(loop: Loop) -> None:
    """Trio's own callbacks and what greenback does look there."""
    context = copy_context()

    async def body() -> bool:
        return trio.lowlevel.current_task().context is context

    assert loop.run(body, name="test", context=context)


def test_what_one_test_sets_another_does_not_see(loop: Loop) -> None:
    async def body(value: str) -> str:
        seen = variable.get()
        variable.set(value)
        await trio.sleep(0)
        return seen

    assert [loop.run(body, str(n), name="test", context=copy_context()) for n in range(3)] == [
        "nothing"
    ] * 3


def test_the_context_of_the_caller_is_back_after_an_error(loop: Loop) -> None:
    async def body() -> None:
        variable.set("inside")
        raise ValueError("boom")

    async def caller() -> None:
        with pytest.raises(ValueError, match="boom"):
            loop.run(body, name="ignored", context=copy_context())
        assert variable.get() == "nothing"

    with pytest.raises(ValueError, match="boom"):
        loop.run(body, name="test", context=copy_context())
    assert variable.get() == "nothing"
    loop.run(caller, name="test")


# ------------------------------------------------------------------------ a task left in disorder


async def leak(
    *, nurseries: int = 1, child: Callable[..., Any] | None = trio.sleep_forever
) -> None:
    for _ in range(nurseries):
        nursery = await trio.open_nursery().__aenter__()
        if child is not None:
            nursery.start_soon(child)
            await wait_all_tasks_blocked()


@pytest.mark.parametrize("nurseries", [1, 3])
@pytest.mark.parametrize("child", [None, trio.sleep_forever])
def test_a_leaked_nursery_fails_the_guilty_test_only(
    loop: Loop, nurseries: int, child: Any
) -> None:
    async def body() -> None:
        await leak(nurseries=nurseries, child=child)

    for _ in range(2):
        with pytest.raises(RuntimeError) as caught:
            loop.run(body, name="test_it.py::test_a")
        assert str(caught.value) == _errors.LEAKED_NURSERY.format(name="test_it.py::test_a")
        assert works(loop)


def test_a_leaked_nursery_beside_an_error_is_reported_with_it(loop: Loop) -> None:
    async def body() -> None:
        await leak()
        raise ValueError("boom")

    with pytest.raises(ExceptionGroup) as caught:
        loop.run(body, name="test_a")
    assert caught.value.message == "errors in test_a and in the task it ran in"
    assert [type(error) for error in caught.value.exceptions] == [ValueError, Leak]
    assert works(loop)


def test_the_children_of_a_leaked_nursery_have_ended_when_the_test_has(loop: Loop) -> None:
    ends: list[str] = []

    async def child() -> None:
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(0)
            ends.append("child")

    with pytest.raises(RuntimeError):
        loop.run(lambda: leak(child=child), name="test_a")
    assert ends == ["child"]
    assert works(loop)


def test_a_leaked_nursery_in_a_stay_within_a_test_fails_that_stay(loop: Loop) -> None:
    async def body() -> str:
        with loop.outside(), pytest.raises(RuntimeError, match=r"^inner opened a nursery"):
            loop.run(leak, name="inner")
        await trio.sleep(0)
        return "went on"

    assert loop.run(body, name="test") == "went on"
    assert works(loop)


@pytest.mark.parametrize("is_cancelled", [True, False])
def test_a_leaked_cancel_scope_is_named_and_harms_nobody(loop: Loop, is_cancelled: bool) -> None:
    async def body() -> str:
        cancel_scope = trio.CancelScope(deadline=trio.current_time() + 0.001).__enter__()
        if is_cancelled:
            cancel_scope.cancel()
        return "done"

    for _ in range(2):
        with pytest.raises(
            Leak, match=r"^test entered a cancel scope and ended without leaving it"
        ):
            loop.run(body, name="test")
        assert works(loop)


def test_a_test_that_cancels_its_supervisor_is_ended_and_the_next_works(loop: Loop) -> None:
    async def body() -> None:
        nursery = trio.lowlevel.current_task().parent_nursery
        assert nursery is not None
        nursery.cancel_scope.cancel()
        await trio.sleep_forever()

    with pytest.raises(trio.Cancelled):
        loop.run(body, name="test")
    assert works(loop)


@pytest.mark.parametrize("before", range(4))
def test_a_task_that_a_stay_leaves_in_its_parent_nursery_and_that_fails_at_once_fails_that_stay(
    loop: Loop, before: int
) -> None:
    async def fail() -> None:
        raise ValueError("orphan")

    async def body() -> None:
        nursery = trio.lowlevel.current_task().parent_nursery
        assert nursery is not None
        nursery.start_soon(fail)

    for _ in range(before):
        assert works(loop)
    for _ in range(10):  # Trio shuffles the tasks that are due
        with pytest.raises(ValueError, match=r"^orphan$"):
            loop.run(body, name="test")
    assert works(loop)


@pytest.mark.parametrize("steps", range(1, 8))
@pytest.mark.parametrize("before", range(4))
def test_a_task_that_a_stay_leaves_in_its_parent_nursery_and_that_fails_later_is_told_once(
    loop: Loop, before: int, steps: int
) -> None:
    told: list[BaseException] = []

    async def fail() -> None:
        for _ in range(steps):
            await trio.lowlevel.checkpoint()
        raise ValueError("orphan")

    async def body() -> None:
        nursery = trio.lowlevel.current_task().parent_nursery
        assert nursery is not None
        nursery.start_soon(fail)

    def run(async_fn: Callable[[], Awaitable[object]]) -> None:
        try:
            loop.run(async_fn, name="test")
        except ValueError as error:
            told.append(error)
        except BaseExceptionGroup as group:  # in the middle of a stay that was cancelled for it
            told.extend(error for error in group.exceptions if isinstance(error, ValueError))

    for _ in range(before):
        assert works(loop)
    run(body)
    for _ in range(10):
        run(seven)
    assert [str(error) for error in told] == ["orphan"]
    assert works(loop)


def test_supervisors_that_are_cancelled_between_two_stays_harm_nobody(loop: Loop) -> None:
    nurseries: list[trio.Nursery] = []

    async def body() -> None:
        nursery = trio.lowlevel.current_task().parent_nursery
        assert nursery is not None
        nurseries.append(nursery)

    for _ in range(4):
        loop.run(body, name="test")
    with loop.inside():
        for nursery in nurseries:
            nursery.cancel_scope.cancel()
    assert works(loop)


@pytest.mark.parametrize("before", range(4))
def test_the_greenlet_that_waits_goes_on_whoever_has_waited_before(loop: Loop, before: int) -> None:
    def body() -> str:
        with pytest.raises(Leak):  # so that the main task has to go on
            loop.run(leak, name="test")
        return "went on"

    for _ in range(before):
        assert works(loop)
    assert greenlet.greenlet(body).switch() == "went on"
    assert works(loop)


# ------------------------------------------------------------------------ many stays


def test_stays_use_the_same_supervisor_again(loop: Loop) -> None:
    async def supervisor() -> object:
        await trio.sleep(0)
        return trio.lowlevel.current_task().parent_nursery

    tasks = count_tasks(loop)
    assert len({loop.run(supervisor, name="test") for _ in range(20)}) == 1
    assert count_tasks(loop) == tasks


def test_what_is_due_when_a_stay_ends_runs_before_the_host_goes_on(loop: Loop) -> None:
    received: list[int] = []

    async def receive(channel: trio.MemoryReceiveChannel[int]) -> None:
        while True:
            received.append(await channel.receive())

    async def start() -> trio.MemorySendChannel[int]:
        send, receiving = trio.open_memory_channel[int](0)
        trio.lowlevel.spawn_system_task(receive, receiving)
        await wait_all_tasks_blocked()
        return send

    send = loop.run(start, name="start")
    for number in range(40):  # Trio shuffles the tasks that are due
        loop.run(send.send, number, name="test")
        assert received == list(range(number + 1))


def test_a_thousand_stays_leave_nothing_behind(loop: Loop) -> None:
    class Thing:
        """Something that a test leaves in its variables."""

    async def body(thing: Thing) -> None:
        await trio.sleep(0)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(seven)

    def stays(count: int) -> list[weakref.ref[Thing]]:
        references = []
        for _ in range(count):
            thing = Thing()
            references.append(weakref.ref(thing))
            loop.run(body, thing, name="test", context=copy_context())
        return references

    stays(10)
    tasks = count_tasks(loop)
    gc.collect()
    before = len(gc.get_objects())
    references = stays(1000)
    gc.collect()
    assert [reference for reference in references if reference() is not None] == []
    del references
    assert len(gc.get_objects()) - before < 100
    assert count_tasks(loop) == tasks


def test_a_stay_that_fails_leaves_nothing_behind(loop: Loop) -> None:
    async def fail(how: int) -> None:
        if how == 0:
            raise ValueError("boom")
        if how == 1:
            await leak()
        with trio.fail_after(0):
            await trio.sleep_forever()

    def stays(count: int) -> None:
        for number in range(count):
            with contextlib.suppress(Exception):
                loop.run(fail, number % 3, name="test", context=copy_context())

    stays(6)
    tasks = count_tasks(loop)
    gc.collect()
    before = len(gc.get_objects())
    stays(90)
    gc.collect()
    assert len(gc.get_objects()) - before < 100
    assert count_tasks(loop) == tasks


# ------------------------------------------------------------------------ other threads


@pytest.mark.parametrize("use", ["run", "wait_for", "close"])
def test_another_thread_is_refused_and_does_no_harm(use: str) -> None:
    source = """
        class Wait:
            def cancel(self): pass

        def use(loop, how):
            before = snapshot()
            try:
                if how == "run":
                    loop.run(trio.sleep, 0, name="other thread")
                elif how == "wait_for":
                    loop.wait_for(Wait(), trio.sleep, 0)
                else:
                    loop.close()
            except Exception as error:
                print("refused")
            print(snapshot() == before)

        async def body(loop):
            await trio.to_thread.run_sync(use, loop, sys.argv[1])
            await trio.sleep(0)

        with open_loop() as loop:
            thread = threading.Thread(target=use, args=(loop, sys.argv[1]))
            thread.start()
            thread.join()
            loop.run(body, loop, name="test")
            print(loop.run(trio.sleep, 0, name="next"))
    """
    assert lines_of(source, use) == ["refused", "True", "refused", "True", "None"]


def test_a_loop_of_another_thread_works_there() -> None:
    results: list[bool] = []

    def body() -> None:
        with open_loop() as loop:
            results.append(works(loop))

    with open_loop() as mine:
        thread = threading.Thread(target=body)
        thread.start()
        thread.join()
        assert works(mine)
    assert results == [True]


# ------------------------------------------------------------------------ the loop dies

#: Ways for a loop to die, each as the body of ``async def die()``.
DEATHS = {
    "an error in a callback": """
        def boom(): raise ValueError("boom")
        trio.lowlevel.current_trio_token().run_sync_soon(boom)
        await trio.sleep_forever()
    """,
    "an error of a system task": """
        async def boom(): raise ValueError("boom")
        trio.lowlevel.spawn_system_task(boom)
        await trio.sleep_forever()
    """,
    "an error of a signal handler in the middle of epoll": """
        def boom(*_): raise ValueError("boom")
        signal.signal(signal.SIGALRM, boom)
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        await trio.sleep_forever()
    """,
    "an abort function that raises": """
        def abort(_): raise ValueError("boom")
        with trio.move_on_after(0.001):
            await trio.lowlevel.wait_task_rescheduled(abort)
    """,
}

PLACES = {
    "in a test": """
        def scenario(loop):
            loop.run(die, name="test")
    """,
    "in a test within a test": """
        def scenario(loop):
            def inner():
                with loop.outside():
                    loop.run(die, name="inner")
            async def body():
                await trio.sleep(0)
                try:
                    inner()
                finally:
                    print("inside", loop.is_inside, "outer unwound")
            loop.run(body, name="test")
    """,
    "in sync code below a test": """
        def scenario(loop):
            async def body():
                await trio.sleep(0)
                loop.run(die, name="ignored")
            loop.run(body, name="test")
    """,
    "in a greenlet below a test": """
        def scenario(loop):
            async def body():
                await trio.sleep(0)
                value = greenlet.greenlet(lambda: loop.run(die, name="ignored")).switch()
                print("the greenlet returned", value)
            loop.run(body, name="test")
    """,
    "in a greenlet outside": """
        def scenario(loop):
            value = greenlet.greenlet(lambda: loop.run(die, name="test")).switch()
            print("the greenlet returned", value)
    """,
    "while the test's own clean-up waits": """
        def scenario(loop):
            async def body():
                try:
                    await die()
                finally:
                    await trio.sleep(0)
            loop.run(body, name="test")
    """,
    "in a test that swallows everything": """
        def scenario(loop):
            async def body():
                while True:
                    try:
                        await die()
                    except Exception:
                        pass
            loop.run(body, name="test")
    """,
}

AFTERWARDS = """
        loop = Loop()
        loop.open()
        before = snapshot()
        try:
            scenario(loop)
        except LoopLost as error:
            print("LoopLost", type(error.__cause__).__name__)
            cause = error.__cause__
        print("thread as before", snapshot() == before, loop.is_inside, loop.is_open)
        try:
            loop.run(trio.sleep, 0, name="next")
        except LoopLost as error:
            print("LoopLost again", error.__cause__ is cause)
        try:
            loop.close()
        except BaseException as error:
            print("close", error is cause)
        print("thread as before", snapshot() == before)
        with open_loop() as fresh:
            print("fresh", fresh.run(trio.sleep, 0, name="test"))
"""


def _death(death: str, place: str) -> list[str]:
    die = "        async def die():\n" + "\n".join(
        f"    {line}" for line in DEATHS[death].splitlines()
    )
    # If Trio's own innermost code fails, it drops its tasks where they stand, and Python complains.
    is_noisy = death != "an error in a callback" and "system task" not in death
    return lines_of(die + PLACES[place] + AFTERWARDS, is_noisy=is_noisy)


WHAT_IS_LEFT = [
    "thread as before True False False",
    "LoopLost again True",
    "close True",
    "thread as before True",
    "fresh None",
]


@pytest.mark.parametrize("death", DEATHS)
def test_a_loop_that_dies_is_reported_with_its_cause_and_never_hangs(death: str) -> None:
    lost, *rest = _death(death, "in a test")
    assert lost.startswith("LoopLost ")
    assert lost != "LoopLost NoneType"
    assert rest == WHAT_IS_LEFT


@pytest.mark.parametrize("place", PLACES)
def test_a_loop_may_die_anywhere(place: str) -> None:
    said, *rest = _death("an error in a callback", place)
    if place == "in a test within a test":
        assert said == "inside True outer unwound"
        said, *rest = rest
    assert said == "LoopLost TrioInternalError"
    assert rest == WHAT_IS_LEFT


def test_an_error_of_an_instrument_does_not_kill_the_loop(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(trio.abc.Instrument):
        def before_task_step(self, task: trio.lowlevel.Task) -> None:
            raise ValueError("boom")

    async def body() -> str:
        trio.lowlevel.add_instrument(Broken())
        await trio.sleep(0)
        return "went on"

    with open_loop() as loop:
        assert loop.run(body, name="test") == "went on"
        assert works(loop)
    assert "Broken" in caplog.text or "boom" in caplog.text


def test_a_loop_may_die_between_two_tests_and_the_next_one_is_told() -> None:
    source = """
        def boom(): raise ValueError("boom")
        async def start():
            token = trio.lowlevel.current_trio_token()
            return token
        loop = Loop()
        loop.open()
        before = snapshot()
        token = loop.run(start, name="test")
        token.run_sync_soon(boom)
        for _ in range(2):
            try:
                loop.run(trio.sleep, 0.01, name="next")
            except LoopLost as error:
                print(type(error.__cause__).__name__, snapshot() == before)
        try:
            loop.close()
        except trio.TrioInternalError as error:
            print("close", "boom" in "".join(traceback.format_exception(error)))
    """
    assert lines_of(source) == ["TrioInternalError True"] * 2 + ["close True"]


def test_a_loop_that_can_not_be_opened_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(_self: Loop) -> None:
        raise OSError("no loop today")

    before = snapshot()
    monkeypatch.setattr(Loop, "_main", refuse)
    loop = Loop()
    with pytest.raises(LoopLost, match="no loop today") as caught:
        loop.open()
    assert isinstance(caught.value.__cause__, OSError)
    assert snapshot() == before


def test_a_loop_that_dies_while_it_is_closed_raises_what_came_out() -> None:
    source = """
        def boom(): raise ValueError("boom")
        class Killer:
            def abandon(self):
                trio.lowlevel.current_trio_token().run_sync_soon(boom)
        loop = Loop()
        loop.open()
        before = snapshot()
        loop.live[Killer()] = None
        try:
            loop.close()
        except trio.TrioInternalError as error:
            print("boom" in "".join(traceback.format_exception(error)))
        print(snapshot() == before, loop.is_open, loop.is_inside)
    """
    assert lines_of(source) == ["True", "True False False"]


# ------------------------------------------------------------------------ close with something live


def test_close_abandons_what_is_live_the_youngest_first() -> None:
    order: list[str] = []

    class Live:
        def __init__(self, name: str) -> None:
            self.name = name

        def abandon(self) -> None:
            order.append(self.name)

    with open_loop() as loop:
        for name in "abc":
            loop.live[Live(name)] = None
    assert order == ["c", "b", "a"]


def test_ctrl_c_in_its_own_handler_is_trios_again_after_close() -> None:
    with open_loop() as loop:
        assert works(loop)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert trio.run(seven) == 7


def test_what_is_shielded_is_not_cancelled_inside_and_outside(loop: Loop) -> None:
    async def cancelled() -> None:
        with trio.CancelScope() as cancel_scope:
            cancel_scope.cancel()
            with loop.shielded():
                await trio.lowlevel.checkpoint()
                with loop.outside():
                    loop.run(trio.lowlevel.checkpoint, name="test")
            with loop.outside(), loop.shielded():
                loop.run(trio.lowlevel.checkpoint, name="test")
            with pytest.raises(trio.Cancelled):
                await trio.lowlevel.checkpoint()

    loop.run(cancelled, name="test")
    with loop.shielded():
        loop.run(trio.lowlevel.checkpoint, name="test")
    loop.close()
    with loop.shielded():
        pass


def test_who_comes_back_from_outside_after_the_end_of_the_loop_stays_outside() -> None:
    loop = Loop()
    before = snapshot()
    loop.open()

    async def end_it() -> None:
        with loop.outside():
            loop.close(at_once=True)

    with pytest.raises(LoopLost):
        loop.run(end_it, name="test")
    assert snapshot() == before
    loop.bury()
