"""The tree of tasks, as text."""

from __future__ import annotations

import contextlib
import contextvars
import inspect
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import greenlet
import pytest
import trio
import trio.testing
from loops import open_loop

from pytest_trio_scoped._lifetime import Lifetime
from pytest_trio_scoped._loop import Loop
from pytest_trio_scoped._task_tree import describe_tasks, describe_tasks_of_stuck


@pytest.fixture
def loop() -> Iterator[Loop]:
    with open_loop() as loop:
        yield loop


def tree_of(loop: Loop, async_fn: Any) -> list[str]:
    """Return the tree while ``async_fn`` waits, which is cancelled then; lines without their numbers."""
    trees: list[str] = []

    async def describe() -> None:
        await trio.testing.wait_all_tasks_blocked()
        trees.append(describe_tasks(loop))
        loop.ctrl_c.cancel_waits()

    async def run() -> None:
        trio.lowlevel.spawn_system_task(describe, name="<describe>")
        await async_fn()

    with contextlib.suppress(trio.Cancelled, BaseExceptionGroup):
        loop.run(run, name="test_it.py::test_a")
    here = re.escape(Path(__file__).name)
    return [re.sub(rf"\S*{here}:\d+", "HERE", line) for line in trees[0].splitlines()]


def test_the_line_where_the_user_waits_and_not_where_trio_does(loop: Loop) -> None:
    async def helper() -> None:
        await trio.sleep_forever()

    async def test() -> None:
        await helper()

    assert tree_of(loop, test) == [
        "- test_it.py::test_a",
        "  HERE in helper: await trio.sleep_forever()",
    ]


def test_child_tasks_below_their_parents(loop: Loop) -> None:
    async def grandchild() -> None:
        await trio.sleep_forever()

    async def child() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(grandchild, name="grandchild")

    async def test() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(child, name="child")
            nursery.start_soon(trio.sleep_forever, name="nothing but Trio's code")
            await trio.Event().wait()

    assert tree_of(loop, test) == [
        "- test_it.py::test_a",
        "  HERE in test: await trio.Event().wait()",
        "  - child",
        "    HERE in child: async with trio.open_nursery() as nursery:",
        "    - grandchild",
        "      HERE in grandchild: await trio.sleep_forever()",
        "  - nothing but Trio's code",
    ]


def test_sync_code_between(loop: Loop) -> None:
    async def inner() -> None:
        await trio.sleep_forever()

    def sync() -> None:
        loop.run(inner, name="inner")

    async def test() -> None:
        sync()

    assert tree_of(loop, test)[1:] == ["  HERE in inner: await trio.sleep_forever()"]


def test_outside_below_a_task(loop: Loop) -> None:
    async def inner() -> None:
        await trio.sleep_forever()

    async def test() -> None:
        with loop.outside():
            loop.run(inner, name="below")

    assert tree_of(loop, test) == [
        "- below",
        "  HERE in inner: await trio.sleep_forever()",
        "- test_it.py::test_a",
        "  HERE in inner: await trio.sleep_forever()",
    ]


def test_async_generators_on_the_way(loop: Loop) -> None:
    @contextlib.asynccontextmanager
    async def opened() -> AsyncIterator[None]:
        await trio.sleep_forever()
        yield

    async def test() -> None:
        async with opened():
            pass

    assert tree_of(loop, test)[1:] == ["  HERE in opened: await trio.sleep_forever()"]


def test_a_live_fixture_at_its_yield_and_what_runs_in_it(loop: Loop) -> None:
    async def beat() -> None:
        await trio.sleep_forever()

    async def body(nursery: trio.Nursery | None) -> AsyncIterator[int]:
        assert nursery is not None
        nursery.start_soon(beat, name="beat")
        yield 7
        nursery.cancel_scope.cancel()

    lifetime = Lifetime(loop, "fixture 'server'", body, has_nursery=True)  # type: ignore[arg-type]
    lifetime.open(contextvars.Context())
    assert tree_of(loop, trio.sleep_forever)[-4:] == [
        "- fixture 'server'",
        "  HERE in body: yield 7",
        "  - beat",
        "    HERE in beat: await trio.sleep_forever()",
    ]
    lifetime.close()


def test_system_tasks_of_the_user(loop: Loop) -> None:
    async def background() -> None:
        await trio.sleep_forever()

    async def test() -> None:
        trio.lowlevel.spawn_system_task(background, name="background")
        await trio.sleep_forever()

    tree = tree_of(loop, test)
    assert tree[:2] == ["- background", "  HERE in background: await trio.sleep_forever()"]


def test_what_has_ended_is_not_shown(loop: Loop) -> None:
    async def nothing() -> None: ...

    loop.run(nothing, name="test_it.py::test_before")
    with loop.inside():
        assert describe_tasks(loop) == ""


def test_the_running_task_without_a_place(loop: Loop) -> None:
    async def test() -> str:
        return describe_tasks(loop)

    assert loop.run(test, name="test_it.py::test_a") == "- test_it.py::test_a"


def test_another_greenlet_of_the_users(loop: Loop) -> None:
    async def test() -> None:
        greenlet.greenlet(lambda: loop.run(trio.sleep_forever, name="inner")).switch()

    assert tree_of(loop, test)[0] == "- test_it.py::test_a"


def test_no_loop_no_tasks() -> None:
    assert describe_tasks(Loop()) == ""


def test_never_raises_in_another_thread(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_task: object) -> None:
        raise RuntimeError("Set changed size during iteration")

    monkeypatch.setattr(trio.lowlevel.Task, "child_nurseries", property(fail))
    text = describe_tasks_of_stuck(loop)
    monkeypatch.undo()
    assert text == (
        "(They have changed meanwhile: RuntimeError('Set changed size during iteration'))"
    )


def test_trio_still_walks_what_has_nothing_but_a_coroutine() -> None:
    # Private use of a public method: all that it asks of a task is its coroutine.
    source = inspect.getsource(trio.lowlevel.Task.iter_await_frames)
    assert set(re.findall(r"self\.\w+", source)) == {"self.coro"}
