"""One fixture instance with a task of its own, from set-up begun to tear-down finished."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextvars import Context, ContextVar, copy_context
from typing import Any

import greenlet
import pytest
import trio
from loops import count_tasks, open_loop
from subprocesses import lines_of
from trio.testing import wait_all_tasks_blocked

from pytest_trio_scoped import _errors
from pytest_trio_scoped._contexts import own_context
from pytest_trio_scoped._lifetime import Lifetime, NoYield, SecondYield
from pytest_trio_scoped._loop import Loop

variable: ContextVar[str] = ContextVar("variable", default="nothing")


@pytest.fixture
def loop() -> Iterator[Loop]:
    with open_loop() as loop:
        yield loop


@pytest.fixture
def trace() -> list[str]:
    return []


Step = Callable[[], Awaitable[object]]
Make = Callable[..., Lifetime]


async def nothing() -> None: ...


async def wait() -> None:
    await trio.sleep(0)


async def seven() -> int:
    await trio.sleep(0)
    return 7


async def fail() -> None:
    await trio.sleep(0)
    raise ValueError("boom")


@pytest.fixture
def make(loop: Loop, trace: list[str]) -> Make:
    """Make a lifetime that traces; ``up`` and ``down`` are awaited before and after its ``yield``."""

    def make(
        up: Step = wait, down: Step = wait, *, name: str = "a", has_nursery: bool = False
    ) -> Lifetime:
        async def body(nursery: trio.Nursery | None) -> AsyncGenerator[object, None]:
            try:
                await up()
                trace.append(f"{name} up")
                yield nursery or name
                await down()
                trace.append(f"{name} down")
            finally:
                trace.append(f"{name} end")

        return Lifetime(loop, name, body, has_nursery=has_nursery)

    return make


every_kind = pytest.mark.parametrize("has_nursery", [False, True], ids=["plain", "owns a nursery"])

#: From where a lifetime is opened and closed.
SIDES: dict[str, Callable[[Loop, Callable[[], Any]], Any]] = {
    "outside": lambda _loop, function: function(),
    "inside": lambda loop, function: loop.run(as_async(function), name="test"),
    "outside of a test": lambda loop, function: loop.run(
        as_async(outside(loop, function)), name="test"
    ),
    "in a greenlet": lambda _loop, function: greenlet.greenlet(function).switch(),
}
every_side = pytest.mark.parametrize("side", SIDES.values(), ids=SIDES)


def as_async(function: Callable[[], Any]) -> Step:
    async def call() -> Any:
        return function()

    return call


def outside(loop: Loop, function: Callable[[], Any]) -> Callable[[], Any]:
    def call() -> Any:
        with loop.outside():
            return function()

    return call


# ------------------------------------------------------------------------ open and close


@every_kind
@every_side
def test_is_set_up_and_torn_down(
    loop: Loop, make: Make, trace: list[str], side: Any, has_nursery: bool
) -> None:
    lifetime = make(has_nursery=has_nursery)
    value = side(loop, lifetime.open)
    assert isinstance(value, trio.Nursery) if has_nursery else value == "a"
    assert trace == ["a up"]
    assert list(loop.live) == [lifetime]
    side(loop, lifetime.close)
    assert trace == ["a up", "a down", "a end"]
    assert list(loop.live) == []


@every_kind
def test_may_be_opened_on_one_side_and_closed_on_the_other(
    loop: Loop, make: Make, trace: list[str], has_nursery: bool
) -> None:
    for first in SIDES.values():
        for second in SIDES.values():
            trace.clear()
            lifetime = make(has_nursery=has_nursery)
            first(loop, lifetime.open)
            second(loop, lifetime.close)
            assert trace == ["a up", "a down", "a end"]


def test_one_task_with_the_name_enters_and_leaves(loop: Loop, make: Make) -> None:
    seen: list[trio.lowlevel.Task] = []

    async def look() -> None:
        await trio.sleep(0)
        seen.append(trio.lowlevel.current_task())

    lifetime = make(look, look, name="fixture 'numbers'")
    lifetime.open()
    lifetime.close()
    assert seen[0] is seen[1]
    assert seen[0].name == "fixture 'numbers'"


def test_may_yield_inside_nurseries_and_cancel_scopes(loop: Loop, trace: list[str]) -> None:
    async def body(_nursery: object) -> AsyncGenerator[trio.Event, None]:
        with trio.CancelScope():
            async with trio.open_nursery() as nursery:
                event = trio.Event()

                async def background() -> None:
                    await event.wait()
                    trace.append("background")

                nursery.start_soon(background)
                with trio.CancelScope():
                    yield event
            trace.append("nursery left")

    async def use(event: trio.Event) -> None:
        event.set()
        await wait_all_tasks_blocked()
        trace.append("test")

    lifetime = Lifetime(loop, "a", body, has_nursery=False)
    loop.run(use, lifetime.open(), name="test")
    loop.run(use, trio.Event(), name="test")
    lifetime.close()
    assert trace == ["background", "test", "test", "nursery left"]


def test_its_background_tasks_run_while_tests_wait(loop: Loop, make: Make) -> None:
    ticks: list[int] = []

    async def ticker() -> None:
        while True:
            ticks.append(1)
            await trio.sleep(0)

    lifetime = make(has_nursery=True)
    loop.run(as_async(lambda: lifetime.open().start_soon(ticker)), name="test")
    for _ in range(5):
        loop.run(wait, name="test")
    assert len(ticks) >= 5
    lifetime.close()
    count = len(ticks)
    loop.run(wait, name="test")
    assert len(ticks) == count


def test_several_live_at_once_and_may_be_closed_in_any_order(
    loop: Loop, make: Make, trace: list[str]
) -> None:
    lifetimes = [make(name=name, has_nursery=name == "b") for name in "abc"]
    for lifetime in lifetimes:
        lifetime.open()
    for number in (1, 0, 2):
        lifetimes[number].close()
    assert trace == [
        "a up",
        "b up",
        "c up",
        "b down",
        "b end",
        "a down",
        "a end",
        "c down",
        "c end",
    ]


# ------------------------------------------------------------------------ errors


class Custom(BaseException):
    """An error that nobody has heard of."""


ERRORS = [ValueError, Custom, KeyboardInterrupt, SystemExit]


def raising(error: BaseException, *, waits: bool = True) -> Step:
    async def step() -> None:
        if waits:
            await trio.sleep(0)
        raise error

    return step


@every_kind
@every_side
@pytest.mark.parametrize("kind", ERRORS)
@pytest.mark.parametrize("waits", [True, False], ids=["after waiting", "at once"])
def test_an_error_in_the_set_up_is_raised_and_ends_it(  # noqa: PLR0917 (each is a table)
    loop: Loop, make: Make, trace: list[str], side: Any, has_nursery: bool, kind: Any, waits: bool
) -> None:
    error = kind("boom")
    lifetime = make(raising(error, waits=waits), has_nursery=has_nursery)
    with pytest.raises(kind) as caught:
        side(loop, lifetime.open)
    assert caught.value is error
    assert trace == ["a end"]
    assert list(loop.live) == []
    assert loop.run(seven, name="next") == 7


@every_kind
@every_side
@pytest.mark.parametrize("kind", ERRORS)
def test_an_error_in_the_tear_down_is_raised(  # noqa: PLR0917 (each is a table)
    loop: Loop, make: Make, trace: list[str], side: Any, has_nursery: bool, kind: Any
) -> None:
    error = kind("boom")
    lifetime = make(down=raising(error), has_nursery=has_nursery)
    lifetime.open()
    with pytest.raises(kind) as caught:
        side(loop, lifetime.close)
    assert caught.value is error
    assert trace == ["a up", "a end"]
    assert list(loop.live) == []
    assert loop.run(seven, name="next") == 7


def test_errors_of_the_body_and_of_its_nursery_come_out_together(loop: Loop, make: Make) -> None:
    lifetime = make(down=raising(OSError("down"), waits=False), has_nursery=True)
    nursery = lifetime.open()

    async def fail_in_the_end() -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise ValueError("task")

    async def start() -> None:
        nursery.start_soon(fail_in_the_end)
        await wait_all_tasks_blocked()

    loop.run(start, name="test")
    with pytest.raises(ExceptionGroup) as caught:
        lifetime.close()
    assert {type(error) for error in caught.value.exceptions} == {OSError, ValueError}


@pytest.mark.parametrize("kind", [StopIteration, StopAsyncIteration])
@pytest.mark.parametrize("phase", ["up", "down"])
def test_stops_that_would_end_a_generator_are_errors(
    loop: Loop, make: Make, kind: type[Exception], phase: str
) -> None:
    lifetime = make(**{phase: raising(kind("boom"), waits=False)})
    with pytest.raises(RuntimeError, match=kind.__name__):
        lifetime.open()
        lifetime.close()
    assert list(loop.live) == []


def test_an_error_where_the_body_is_made_is_raised(loop: Loop) -> None:
    def make_body(_nursery: object) -> Any:
        raise ValueError("boom")

    with pytest.raises(ValueError, match="boom"):
        Lifetime(loop, "a", make_body, has_nursery=True).open()
    assert loop.run(seven, name="next") == 7


@every_kind
@every_side
def test_a_body_without_a_yield(loop: Loop, trace: list[str], side: Any, has_nursery: bool) -> None:
    async def body(_nursery: object) -> AsyncGenerator[None, None]:
        await trio.sleep(0)
        trace.append("ran")
        if not trace:
            yield

    with pytest.raises(NoYield):
        side(loop, Lifetime(loop, "a", body, has_nursery=has_nursery).open)
    assert trace == ["ran"]
    assert list(loop.live) == []


@every_kind
@every_side
def test_a_body_with_a_second_yield(
    loop: Loop, trace: list[str], side: Any, has_nursery: bool
) -> None:
    async def body(_nursery: object) -> AsyncGenerator[int, None]:
        try:
            yield 1
            async with trio.open_nursery() as nursery:
                nursery.start_soon(trio.sleep_forever)
                yield 2
        finally:
            trace.append("end")

    lifetime = Lifetime(loop, "a", body, has_nursery=has_nursery)
    assert side(loop, lifetime.open) == 1
    with pytest.raises(SecondYield):
        side(loop, lifetime.close)
    assert trace == ["end"]
    assert list(loop.live) == []
    assert loop.run(seven, name="next") == 7


# ------------------------------------------------------------------------ cancellation


@every_kind
def test_a_test_may_cancel_the_set_up_that_it_asked_for(
    loop: Loop, make: Make, trace: list[str], has_nursery: bool
) -> None:
    lifetime = make(trio.sleep_forever, has_nursery=has_nursery)

    async def body() -> bool:
        with trio.move_on_after(0.001) as cancel_scope:
            lifetime.open()
        await trio.sleep(0)
        return cancel_scope.cancelled_caught

    assert loop.run(body, name="test")
    assert trace == ["a end"]
    assert list(loop.live) == []
    assert loop.run(seven, name="next") == 7


def test_a_cancelled_set_up_may_clean_up_behind_a_shield(
    loop: Loop, make: Make, trace: list[str]
) -> None:
    async def up() -> None:
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(0)
            trace.append("clean")

    async def body() -> None:
        with trio.move_on_after(0.001):
            make(up).open()

    loop.run(body, name="test")
    assert trace == ["clean", "a end"]


def test_a_test_that_is_cancelled_already_does_not_begin_a_set_up_that_it_forgets(
    loop: Loop, make: Make, trace: list[str]
) -> None:
    async def body() -> bool:
        with trio.CancelScope() as cancel_scope:
            cancel_scope.cancel()
            make(trio.sleep_forever).open()
        return cancel_scope.cancelled_caught

    before = count_tasks(loop)
    assert loop.run(body, name="test")
    assert trace in ([], ["a end"])
    assert list(loop.live) == []
    assert count_tasks(loop) <= before + 1  # a supervisor to be used again


def test_a_cancelled_test_still_tears_down(loop: Loop, make: Make, trace: list[str]) -> None:
    """The tear-down has a task of its own, which the test's cancel scope does not reach."""
    lifetime = make()

    async def body() -> None:
        lifetime.open()
        with trio.CancelScope() as cancel_scope:
            cancel_scope.cancel()
            lifetime.close()

    loop.run(body, name="test")
    assert trace == ["a up", "a down", "a end"]


def test_an_error_of_a_cancelled_set_up_is_not_lost(loop: Loop, make: Make) -> None:
    """It replaces the cancellation, as it does in any code on Trio."""

    async def up() -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise ValueError("on the way out")

    async def body() -> None:
        with trio.move_on_after(0.001):
            make(up).open()

    with pytest.raises(ValueError, match="on the way out"):
        loop.run(body, name="test")


# ------------------------------------------------------------------------ crashes in the background


@every_kind
@every_side
def test_a_crash_in_the_background_comes_out_at_close_and_the_tear_down_runs(
    loop: Loop, trace: list[str], side: Any, has_nursery: bool
) -> None:
    crash = trio.Event()

    async def background() -> None:
        await crash.wait()
        raise ValueError("boom")

    async def body(own: trio.Nursery | None) -> AsyncGenerator[None, None]:
        try:
            if own is not None:
                own.start_soon(background)
                yield
            else:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(background)
                    yield
        finally:
            trace.append("torn down")

    async def let_it_crash() -> None:
        crash.set()
        await wait_all_tasks_blocked()
        trace.append("test")

    lifetime = Lifetime(loop, "a", body, has_nursery=has_nursery)
    lifetime.open()
    loop.run(let_it_crash, name="test")
    assert trace == ["test"]
    with pytest.raises(ValueError if has_nursery else ExceptionGroup) as caught:
        side(loop, lifetime.close)
    error = caught.value.exceptions[0] if isinstance(caught.value, ExceptionGroup) else caught.value
    assert repr(error) == "ValueError('boom')"
    assert trace == ["test", "torn down"]
    assert loop.run(seven, name="next") == 7


@pytest.mark.parametrize("when", ["at once", "later"])
def test_a_fixture_that_cancels_itself_is_torn_down_at_close_and_not_before(
    loop: Loop, trace: list[str], when: str
) -> None:
    async def body(_nursery: object) -> AsyncGenerator[trio.CancelScope, None]:
        with trio.CancelScope() as cancel_scope:
            if when == "at once":
                cancel_scope.cancel()
            try:
                yield cancel_scope
            except trio.Cancelled:
                trace.append("cancelled")
                raise
            finally:
                trace.append("torn down")
        trace.append("scope left")

    lifetime = Lifetime(loop, "a", body, has_nursery=False)
    lifetime.open().cancel()
    loop.run(wait_all_tasks_blocked, name="test")
    assert trace == []
    lifetime.close()
    assert trace == ["cancelled", "torn down", "scope left"]


def test_a_cancelled_fixture_may_wait_in_its_tear_down_behind_a_shield(
    loop: Loop, trace: list[str]
) -> None:
    async def body(_nursery: object) -> AsyncGenerator[trio.CancelScope, None]:
        with trio.CancelScope() as cancel_scope:
            try:
                yield cancel_scope
            finally:
                with trio.CancelScope(shield=True):
                    await trio.sleep(0)
                trace.append("torn down")

    lifetime = Lifetime(loop, "a", body, has_nursery=False)
    lifetime.open().cancel()
    lifetime.close()
    assert trace == ["torn down"]


def test_a_fixture_that_swallows_its_cancellation_ends_well(loop: Loop) -> None:
    async def body(_nursery: object) -> AsyncGenerator[trio.CancelScope, None]:
        with trio.CancelScope() as cancel_scope:
            with contextlib.suppress(trio.Cancelled):
                yield cancel_scope
            await trio.lowlevel.cancel_shielded_checkpoint()

    lifetime = Lifetime(loop, "a", body, has_nursery=False)
    lifetime.open().cancel()
    lifetime.close()
    assert loop.run(seven, name="next") == 7


# ------------------------------------------------------------------------ a task left in disorder


@every_kind
@pytest.mark.parametrize("phase", ["up", "down"])
def test_a_nursery_leaked_by_a_body_fails_its_tear_down_only(
    loop: Loop, make: Make, has_nursery: bool, phase: str
) -> None:
    async def leak() -> None:
        nursery = await trio.open_nursery().__aenter__()
        nursery.start_soon(trio.sleep_forever)

    other = make()
    other.open()
    lifetime = make(**{phase: leak}, name="fixture 'a'", has_nursery=has_nursery)
    lifetime.open()
    assert loop.run(seven, name="test") == 7
    with pytest.raises(BaseException) as caught:
        lifetime.close()
    if not has_nursery:
        assert str(caught.value) == _errors.LEAKED_NURSERY.format(name="fixture 'a'")
    assert list(loop.live) == [other]
    assert loop.run(seven, name="next") == 7
    other.close()


# ------------------------------------------------------------------------ sync code below a body


def test_sync_code_below_a_body_may_wait(loop: Loop, make: Make) -> None:
    async def wait_in_sync_code() -> None:
        mine = trio.lowlevel.current_task()
        assert loop.run(seven, name="ignored") == 7
        assert greenlet.greenlet(lambda: loop.run(seven, name="ignored")).switch() == 7
        with loop.outside():
            assert loop.run(seven, name="inner") == 7
            assert trio.run(seven) == 7
        await trio.sleep(0)
        assert trio.lowlevel.current_task() is mine

    for side in SIDES.values():
        lifetime = make(wait_in_sync_code, wait_in_sync_code)
        side(loop, lifetime.open)
        side(loop, lifetime.close)


@every_kind
@every_side
def test_lifetimes_may_be_opened_and_closed_below_bodies(
    loop: Loop, make: Make, trace: list[str], side: Any, has_nursery: bool
) -> None:
    def nested(depth: int) -> Lifetime:
        if depth == 0:
            return make(name="0", has_nursery=has_nursery)
        inner = nested(depth - 1)
        return make(
            as_async(inner.open), as_async(inner.close), name=str(depth), has_nursery=has_nursery
        )

    lifetime = nested(3)
    side(loop, lifetime.open)
    assert loop.run(seven, name="test") == 7
    side(loop, lifetime.close)
    ups = [f"{n} up" for n in range(4)]
    downs = [f"{n} {what}" for n in range(4) for what in ("down", "end")]
    assert trace == [*ups, *downs]


def test_a_lifetime_opened_below_a_body_may_outlive_it(
    loop: Loop, make: Make, trace: list[str]
) -> None:
    inner = make(name="inner")
    outer = make(as_async(inner.open), name="outer")
    outer.open()
    outer.close()
    assert loop.run(seven, name="test") == 7
    inner.close()
    assert trace == ["inner up", "outer up", "outer down", "outer end", "inner down", "inner end"]


def test_an_error_below_a_nested_body_goes_up_through_all(
    loop: Loop, make: Make, trace: list[str]
) -> None:
    inner = make(fail, name="inner")
    middle = make(as_async(inner.open), name="middle")
    outer = make(as_async(middle.open), name="outer")
    with pytest.raises(ValueError, match="boom"):
        outer.open()
    assert trace == ["inner end", "middle end", "outer end"]
    assert list(loop.live) == []


def test_a_cancelled_nested_set_up_is_cancelled_at_every_depth(
    loop: Loop, make: Make, trace: list[str]
) -> None:
    inner = make(trio.sleep_forever, name="inner")
    outer = make(as_async(inner.open), name="outer")

    async def body() -> bool:
        with trio.move_on_after(0.001) as cancel_scope:
            outer.open()
        return cancel_scope.cancelled_caught

    assert loop.run(body, name="test")
    assert trace == ["inner end", "outer end"]
    assert loop.run(seven, name="next") == 7


def test_a_child_task_can_not_open_one(loop: Loop, make: Make, trace: list[str]) -> None:
    async def child() -> None:
        make().open()

    async def body() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(child)

    with pytest.raises(ExceptionGroup) as caught:
        loop.run(body, name="test")
    assert str(caught.value.exceptions[0]) == _errors.AWAIT_IN_TASK
    assert trace == []
    assert loop.run(seven, name="next") == 7


# ------------------------------------------------------------------------ context variables


def changing(value: str, trace: list[str]) -> Callable[[object], AsyncGenerator[str, None]]:
    async def body(_nursery: object) -> AsyncGenerator[str, None]:
        token = variable.set(value)
        await trio.sleep(0)
        yield value
        trace.append(f"tear-down sees {variable.get()}")
        variable.reset(token)
        await trio.sleep(0)

    return body


@every_kind
@every_side
def test_what_the_set_up_changes_is_set_where_it_was_asked_for_and_taken_back(
    loop: Loop, trace: list[str], side: Any, has_nursery: bool
) -> None:
    target, other = Context(), Context()
    target.run(variable.set, "old")
    lifetime = Lifetime(loop, "a", changing("new", trace), has_nursery=has_nursery)
    side(loop, lambda: lifetime.open(target))
    assert target[variable] == "new"
    assert variable not in other
    assert variable.get() == "nothing"
    side(loop, lifetime.close)
    assert target[variable] == "old"
    assert trace == ["tear-down sees new"]


def test_the_set_up_sees_the_context_of_whoever_makes_the_lifetime(loop: Loop) -> None:
    async def body(_nursery: object) -> AsyncGenerator[str, None]:
        yield variable.get()

    def host() -> list[str]:
        variable.set("from the host")
        lifetime = Lifetime(loop, "a", body, has_nursery=False)
        variable.set("changed since")
        seen = [lifetime.open()]
        lifetime.close()
        return seen

    assert copy_context().run(host) == ["from the host"]


def test_background_tasks_and_sync_code_below_a_body_see_its_variables(
    loop: Loop, trace: list[str]
) -> None:
    async def background() -> None:
        trace.append(f"background sees {variable.get()}")

    async def look() -> str:
        return variable.get()

    async def body(_nursery: object) -> AsyncGenerator[None, None]:
        variable.set("new")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(background)
        trace.append(f"sync code sees {loop.run(look, name='ignored')}")
        yield

    lifetime = Lifetime(loop, "a", body, has_nursery=False)
    lifetime.open()
    lifetime.close()
    assert trace == ["background sees new", "sync code sees new"]
    assert variable.get() == "nothing"


@pytest.mark.parametrize("phase", ["up", "down"])
def test_changes_are_gone_after_an_error(loop: Loop, phase: str) -> None:
    async def body(_nursery: object) -> AsyncGenerator[None, None]:
        variable.set("new")
        if phase == "up":
            await fail()
        yield
        await fail()

    lifetime = Lifetime(loop, "a", body, has_nursery=False)
    target = Context()
    with pytest.raises(ValueError, match="boom"):
        lifetime.open(target)
        assert target[variable] == "new"
        lifetime.close()
    assert variable not in target


def test_a_test_and_the_host_see_the_changes_as_long_as_it_lives(
    loop: Loop, trace: list[str]
) -> None:
    async def look() -> str:
        await trio.sleep(0)
        return variable.get()

    def host() -> list[str]:
        lifetime = Lifetime(loop, "a", changing("new", trace), has_nursery=False)
        seen = [loop.run(look, name="test", context=copy_context())]
        lifetime.open(own_context())
        seen += [variable.get(), loop.run(look, name="test", context=copy_context())]
        lifetime.close()
        return [*seen, variable.get(), loop.run(look, name="test", context=copy_context())]

    assert copy_context().run(host) == ["nothing", "new", "new", "nothing", "nothing"]


# ------------------------------------------------------------------------ the end of the loop


@every_kind
def test_is_torn_down_with_the_loop_if_nobody_closes_it(
    trace: list[str], has_nursery: bool
) -> None:
    async def background() -> None:
        try:
            await trio.sleep_forever()
        finally:
            trace.append("background ended")

    async def body(own: trio.Nursery | None) -> AsyncGenerator[None, None]:
        async with trio.open_nursery() as nursery:
            (own or nursery).start_soon(background)
            try:
                yield
            finally:
                trace.append("torn down")

    with open_loop() as loop:
        Lifetime(loop, "a", body, has_nursery=has_nursery).open()
        loop.run(wait_all_tasks_blocked, name="test")
    assert sorted(trace) == ["background ended", "torn down"]


def test_its_own_crash_does_not_keep_the_loop_from_closing(trace: list[str]) -> None:
    async def body(_nursery: object) -> AsyncGenerator[None, None]:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(fail)
            try:
                yield
            finally:
                trace.append("torn down")

    with open_loop() as loop:
        Lifetime(loop, "a", body, has_nursery=False).open()
        loop.run(wait_all_tasks_blocked, name="test")
    assert trace == ["torn down"]


DEATHS = {
    "an error in a callback": "token.run_sync_soon(boom)",
    "an error of a system task": "trio.lowlevel.spawn_system_task(async_boom)",
}

LOST = """
from pytest_trio_scoped._lifetime import Lifetime

def boom():
    raise ValueError("boom")

async def async_boom():
    raise ValueError("boom")

class Body:
    def __init__(self, name, up=None, down=None):
        self.name, self.up, self.down = name, up, down
    async def __call__(self, nursery):
        try:
            if self.up:
                await self.up()
            yield
            if self.down:
                await self.down()
        finally:
            print(self.name, "end")

async def die():
    token = trio.lowlevel.current_trio_token()
    {death}
    await trio.sleep_forever()

def outcome_of(function):
    try:
        return function()
    except BaseException as error:
        return type(error).__name__

loop = Loop()
loop.open()
before = snapshot()
live = Lifetime(loop, "live", Body("live"), has_nursery={has_nursery})
live.open()
{scenario}
print(outcome_of(live.close))
print(outcome_of(loop.close))
print(snapshot() == before)
"""

SCENARIOS = {
    "while a test runs": "print(outcome_of(lambda: loop.run(die, name='test')))",
    "while one is set up": (
        "print(outcome_of(Lifetime(loop, 'a', Body('a', up=die), has_nursery=False).open))"
    ),
    "while one is torn down": (
        "a = Lifetime(loop, 'a', Body('a', down=die), has_nursery=False)\n"
        "a.open()\n"
        "print(outcome_of(a.close))"
    ),
}


@every_kind
@pytest.mark.parametrize("death", DEATHS)
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_loop_that_dies_takes_the_live_ones_with_it_and_says_so(
    death: str, scenario: str, has_nursery: bool
) -> None:
    source = LOST.format(death=DEATHS[death], scenario=SCENARIOS[scenario], has_nursery=has_nursery)
    said = lines_of(source)
    ends = [line for line in said if line.endswith(" end")]
    rest = [line for line in said if not line.endswith(" end")]
    assert sorted(ends) == (
        ["live end"] if scenario == "while a test runs" else ["a end", "live end"]
    )
    # By then the live one has been torn down, and was told of it on the dying loop.
    assert rest == ["LoopLost", "None", "TrioInternalError", "True"]


# ------------------------------------------------------------------------ many lifetimes


@every_kind
def test_five_hundred_lifetimes_leave_nothing_behind(loop: Loop, has_nursery: bool) -> None:
    async def body(_nursery: object) -> AsyncGenerator[None, None]:
        await trio.sleep(0)
        yield
        await trio.sleep(0)

    def lifetimes(count: int) -> None:
        for _ in range(count):
            lifetime = Lifetime(loop, "a", body, has_nursery=has_nursery)
            lifetime.open(own_context())
            lifetime.close()

    count_tasks(loop)  # a stay's task drives the host from now on, which takes a supervisor
    lifetimes(5)
    tasks = count_tasks(loop)
    gc.collect()
    before = len(gc.get_objects())
    lifetimes(500)
    gc.collect()
    assert len(gc.get_objects()) - before < 100
    assert count_tasks(loop) == tasks


def test_set_ups_that_fail_leave_nothing_behind(loop: Loop, make: Make, trace: list[str]) -> None:
    def lifetimes(count: int) -> None:
        for number in range(count):
            with pytest.raises(ValueError, match="boom"):
                lifetime = make(fail) if number % 2 else make(down=fail, has_nursery=True)
                lifetime.open()
                lifetime.close()
        trace.clear()

    count_tasks(loop)  # as above
    lifetimes(6)
    tasks = count_tasks(loop)
    gc.collect()
    before = len(gc.get_objects())
    lifetimes(60)
    gc.collect()
    assert len(gc.get_objects()) - before < 100
    assert count_tasks(loop) == tasks
