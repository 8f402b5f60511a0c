"""The thread-wide signs of being inside Trio are swapped at the border, all of them or none."""

from __future__ import annotations

import asyncio
import gc
import signal
import socket
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import anyio
import pytest
import sniffio
import trio
from harness import name_of
from loops import open_loop, snapshot
from subprocesses import lines_of
from trio.testing import wait_all_tasks_blocked

from pytest_trio_scoped import _thread_state
from pytest_trio_scoped._loop import Loop
from pytest_trio_scoped._thread_state import (
    ThreadState,
    outside_of_any_run,
    replace_sigint_handler,
    without_trio,
)
from pytest_trio_scoped._trio_names import run_context


def firstiter(_generator: Any) -> None: ...
def finalizer(_generator: Any) -> None: ...
def handler(_signum: int, _frame: object) -> None: ...


@pytest.fixture
def wakeup_fd() -> Iterator[int]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        yield ours.fileno()
        signal.set_wakeup_fd(-1)


@pytest.fixture
def loop() -> Iterator[Loop]:
    with open_loop() as loop:
        yield loop


@pytest.fixture(autouse=True)
def _restore_the_handler_of_ctrl_c() -> Iterator[None]:
    before = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, before)


# ------------------------------------------------------------------------ the swap itself


def test_swap_puts_all_in_place_and_a_second_one_puts_them_back(wakeup_fd: int) -> None:
    before = snapshot()
    state = ThreadState({"runner": 1, "task": 2}, "trio", (firstiter, finalizer), wakeup_fd)
    previous = state.swap()
    there = snapshot()
    again = previous.swap()
    assert there == {
        "run context": {"runner": 1, "task": 2},
        "sniffio": "trio",
        "asyncgen hooks": (firstiter, finalizer),
        "SIGINT": before["SIGINT"],
        "wakeup fd": wakeup_fd,
    }
    assert snapshot() == before
    assert again == state


def test_swap_takes_what_the_thread_has_now_and_not_what_it_was_given(wakeup_fd: int) -> None:
    state = ThreadState({"runner": 1}, "trio", (firstiter, finalizer), wakeup_fd)
    previous = state.swap()
    run_context.__dict__["task"] = 2
    sys.set_asyncgen_hooks(None, None)
    again = previous.swap()
    assert again == ThreadState({"runner": 1, "task": 2}, "trio", (None, None), wakeup_fd)
    assert state.run_context == {"runner": 1}
    assert not run_context.__dict__


EVERY_HANDLER = [signal.SIG_IGN, signal.SIG_DFL, signal.default_int_handler, handler]


def another(_signum: int, _frame: object) -> None: ...


@pytest.mark.parametrize("there", EVERY_HANDLER, ids=name_of)
@pytest.mark.parametrize("old", [signal.default_int_handler, handler], ids=name_of)
def test_a_handler_of_ctrl_c_is_replaced_if_it_is_the_one(there: Any, old: Any) -> None:
    signal.signal(signal.SIGINT, there)
    assert replace_sigint_handler(old, another) == there
    assert signal.getsignal(signal.SIGINT) == (another if there is old else there)


def test_a_handler_of_ctrl_c_is_not_replaced_off_the_main_thread() -> None:
    there = signal.getsignal(signal.SIGINT)
    assert in_thread(lambda: replace_sigint_handler(there, handler)) is there  # type: ignore[arg-type]
    assert signal.getsignal(signal.SIGINT) is there


def in_thread(function: Callable[[], object]) -> object:
    """Call ``function`` in another thread and return its value, or raise what it raises."""
    result: list[object] = []
    errors: list[BaseException] = []

    def body() -> None:
        try:
            result.append(function())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return result[0]


def test_off_the_main_thread_signals_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python would refuse; this says that nobody even tries."""

    def refuse(*arguments: object, **_options: object) -> Any:
        pytest.fail(f"a signal function was called with {arguments}")

    async def body(loop: Loop) -> int:
        await trio.sleep(0)
        with loop.outside():
            return trio.run(seven)

    async def seven() -> int:
        await trio.sleep(0)
        return 7

    def scenario() -> object:
        before = snapshot()
        assert without_trio() == ThreadState({}, None, (None, None), None)
        previous = ThreadState({"task": 1}, "trio", (firstiter, None), None).swap()
        assert snapshot()["run context"] == {"task": 1}
        previous.swap()
        assert snapshot() == before
        with open_loop() as loop:
            return loop.run(body, loop, name="test")

    with monkeypatch.context() as patched:
        patched.setattr(_thread_state, "_set_handler", refuse)
        patched.setattr(signal, "set_wakeup_fd", refuse)
        value = in_thread(scenario)
    assert value == 7


# ------------------------------------------------------------------------ outside of a loop


async def look_around() -> list[object]:
    await trio.sleep(0)
    return [
        sniffio.current_async_library(),
        trio.lowlevel.in_trio_run(),
        trio.lowlevel.in_trio_task(),
    ]


def look_around_in_sync_code() -> list[object]:
    try:
        name: object = sniffio.current_async_library()
    except sniffio.AsyncLibraryNotFoundError:
        name = None
    return [name, trio.lowlevel.in_trio_run(), trio.lowlevel.in_trio_task()]


def test_inside_and_outside_look_different_at_every_border(loop: Loop) -> None:
    async def body() -> list[list[object]]:
        seen = [await look_around(), look_around_in_sync_code()]
        with loop.outside():
            seen.append(look_around_in_sync_code())
            with loop.outside():
                seen.append(look_around_in_sync_code())
            seen.append(look_around_in_sync_code())
            seen.append(loop.run(look_around, name="inner"))
            seen.append(look_around_in_sync_code())
        return [*seen, await look_around(), look_around_in_sync_code()]

    inside, outside = ["trio", True, True], [None, False, False]
    assert look_around_in_sync_code() == outside
    assert loop.run(body, name="test") == [
        inside,
        inside,
        outside,
        outside,
        outside,
        inside,
        outside,
        inside,
        inside,
    ]
    assert look_around_in_sync_code() == outside


async def seven_of_trio() -> int:
    await trio.sleep(0)
    assert sniffio.current_async_library() == "trio"
    return 7


async def seven_of_asyncio() -> int:
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, print)
    await asyncio.sleep(0)
    return 7


async def seven_of_anyio() -> int:
    await anyio.sleep(0)
    return 7


RUNS: dict[str, Callable[[], int]] = {
    "trio.run": lambda: trio.run(seven_of_trio),
    "asyncio.run": lambda: asyncio.run(seven_of_asyncio()),
    "anyio.run on trio": lambda: anyio.run(seven_of_anyio, backend="trio"),
    "anyio.run on asyncio": lambda: anyio.run(seven_of_anyio, backend="asyncio"),
    "trio.run in a thread": lambda: in_thread(lambda: trio.run(seven_of_trio)),  # type: ignore[dict-item,return-value]
    "another session's loop": lambda: in_another_loop(),  # noqa: PLW0108 (defined below)
}


def in_another_loop() -> int:
    with open_loop() as another:
        return another.run(seven_of_trio, name="another")


every_run = pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)


@every_run
def test_a_sync_test_may_run_a_loop_of_its_own_while_ours_is_open(
    loop: Loop, run: Callable[[], int]
) -> None:
    assert run() == 7
    assert loop.run(seven_of_trio, name="test") == 7
    assert run() == 7


@every_run
def test_outside_of_a_running_test_too(loop: Loop, run: Callable[[], int]) -> None:
    async def body() -> int:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            await wait_all_tasks_blocked()
            there = snapshot()
            with loop.outside():
                value = run()
            assert snapshot() == there
            await trio.sleep(0)
            nursery.cancel_scope.cancel()
        return value

    assert loop.run(body, name="test") == 7


def test_outside_comes_back_inside_after_an_error(loop: Loop) -> None:
    async def body() -> None:
        with pytest.raises(ValueError, match="boom"), loop.outside():
            raise ValueError("boom")
        await seven_of_trio()

    loop.run(body, name="test")


def test_a_handler_of_ctrl_c_set_outside_stays_outside_and_is_kept(loop: Loop) -> None:
    signal.signal(signal.SIGINT, handler)
    loop.run(seven_of_trio, name="test")
    assert signal.getsignal(signal.SIGINT) is handler
    signal.signal(signal.SIGINT, signal.default_int_handler)


def test_an_async_generator_first_iterated_outside_is_not_claimed_by_trio(loop: Loop) -> None:
    async def numbers() -> Any:
        yield 1

    def iterate() -> weakref.ref[Any]:
        generator = numbers()
        with pytest.raises(StopIteration):
            generator.asend(None).send(None)
        return weakref.ref(generator)

    async def body() -> weakref.ref[Any]:
        with loop.outside():
            return iterate()

    reference = loop.run(body, name="test")
    gc.collect()
    assert reference() is None
    assert iterate()() is None


def test_a_wakeup_fd_that_the_user_had_set_is_back_after_close_and_outside(wakeup_fd: int) -> None:
    signal.set_wakeup_fd(wakeup_fd)
    with open_loop() as loop:
        assert snapshot()["wakeup fd"] == wakeup_fd
        loop.run(seven_of_trio, name="test")
        assert snapshot()["wakeup fd"] == wakeup_fd
    assert signal.set_wakeup_fd(-1) == wakeup_fd


def test_nested_runs_get_on_with_a_handler_that_was_set_from_c(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_thread_state, "_get_handler", lambda _signum: None)
    monkeypatch.setattr(signal, "getsignal", lambda _signum: None)  # which is where Trio asks
    loop = Loop()
    loop.open()
    try:
        value = trio.run(seven_of_trio)  # warns if it finds the wakeup fd of ours
    finally:
        loop.close()
    assert value == 7


# ------------------------------------------------------------------------ outside of any run


def test_outside_of_any_run_changes_nothing_where_there_is_none() -> None:
    before = snapshot()
    with outside_of_any_run():
        assert snapshot() == before
    assert snapshot() == before


def test_outside_of_any_run_puts_a_foreign_run_aside() -> None:
    async def main() -> None:
        there = snapshot()
        with outside_of_any_run():
            assert look_around_in_sync_code() == [None, False, False]
            assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
            assert [run() for run in RUNS.values()] == [7] * len(RUNS)
        assert snapshot() == there
        await trio.sleep(0)

    before = snapshot()
    trio.run(main)
    assert snapshot() == before


def test_outside_of_any_run_works_off_the_main_thread() -> None:
    async def main() -> int:
        with outside_of_any_run():
            return trio.run(seven_of_trio)

    assert in_thread(lambda: trio.run(main)) == 7


# ------------------------------------------------------------------------ Ctrl-C that is ignored


def test_ctrl_c_that_is_ignored_stays_ignored_on_both_sides() -> None:
    source = """
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        async def body(loop):
            signal.raise_signal(signal.SIGINT)
            await trio.sleep(0)
            print(signal.getsignal(signal.SIGINT) == signal.SIG_IGN)
            with loop.outside():
                signal.raise_signal(signal.SIGINT)
            return 7
        with open_loop() as loop:
            signal.raise_signal(signal.SIGINT)
            print(loop.run(body, loop, name="test"))
        print(signal.getsignal(signal.SIGINT) == signal.SIG_IGN)
    """
    assert lines_of(source) == ["True", "7", "True"]
