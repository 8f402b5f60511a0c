"""Several functions at the same time, each of which may wait for the loop as a host does."""

from __future__ import annotations

import gc
import random
import signal
import weakref
from collections.abc import AsyncGenerator, Callable, Iterator
from contextvars import ContextVar, copy_context
from typing import Any

import pytest
import trio
from loops import open_loop, snapshot
from trio.testing import wait_all_tasks_blocked

from pytest_trio_scoped._lifetime import Lifetime
from pytest_trio_scoped._loop import Loop
from pytest_trio_scoped._session import TrioSession
from pytest_trio_scoped._settings import Settings
from pytest_trio_scoped._strands import Strand, Strands
from pytest_trio_scoped._trio_names import deterministic_scheduling
from pytest_trio_scoped._user_task import Leak
from pytest_trio_scoped._wreck import Killed, LoopLost, kill

variable: ContextVar[str] = ContextVar("variable", default="nothing")


@pytest.fixture
def loop() -> Iterator[Loop]:
    with open_loop() as loop:
        yield loop


@pytest.fixture
def trace() -> list[str]:
    return []


def strands(
    loop: Loop, *made: Strand, on_error: Callable[[Strand], object] = lambda _: None
) -> Strands:
    return Strands(loop, made, lambda strand: on_error(strand) and None, lambda _: copy_context())


def wait(loop: Loop, async_fn: Callable[..., Any] = trio.lowlevel.checkpoint, *args: Any) -> Any:
    return loop.run(async_fn, *args, name="test")


def test_they_take_turns_where_they_wait(loop: Loop) -> None:
    first, second = trio.Event(), trio.Event()

    def one() -> None:
        wait(loop, first.wait)
        with loop.inside():
            second.set()

    def two() -> None:
        with loop.inside():
            first.set()
        wait(loop, second.wait)

    both = strands(loop, Strand(loop, "one", one), Strand(loop, "two", two))
    both.run()
    assert both.errors == []
    assert first.is_set()
    assert second.is_set()


def test_each_starts_when_those_before_it_have_ended(loop: Loop, trace: list[str]) -> None:
    def function(name: str) -> Callable[[], None]:
        def run() -> None:
            trace.append(f"{name} begins")
            wait(loop)
            trace.append(f"{name} ends")

        return run

    a = Strand(loop, "a", function("a"))
    b = Strand(loop, "b", function("b"), [a])
    c = Strand(loop, "c", function("c"), [a, b])
    strands(loop, c, b, a).run()
    assert trace == ["a begins", "a ends", "b begins", "b ends", "c begins", "c ends"]


@pytest.mark.parametrize("seed", range(5))
def test_random_orders_are_kept(loop: Loop, seed: int) -> None:
    numbers = random.Random(seed)
    ended: set[str] = set()
    made: list[Strand] = []
    for i in range(12):
        before = numbers.sample(made, numbers.randint(0, min(3, len(made))))

        def run(
            name: str = str(i),
            count: int = numbers.randint(0, 3),
            names: frozenset[str] = frozenset(each.name for each in before),
        ) -> None:
            assert names <= ended
            for _ in range(count):
                wait(loop)
            ended.add(name)

        made.append(Strand(loop, str(i), run, before))
    all_of_them = strands(loop, *made)
    all_of_them.run()
    assert all_of_them.errors == []
    assert len(ended) == 12


def test_a_strand_begins_outside_and_is_where_its_code_is(loop: Loop) -> None:
    outside = snapshot()

    async def inside() -> tuple[str, object]:
        await trio.lowlevel.checkpoint()
        return trio.lowlevel.current_task().name, loop.strand

    def run() -> None:
        assert snapshot() == outside
        assert loop.strand is strand
        assert wait(loop, inside) == ("test", strand)
        assert snapshot() == outside

    strand = Strand(loop, "a", run)
    assert loop.strand is None
    both = strands(loop, strand, Strand(loop, "b", lambda: wait(loop)))
    both.run()
    assert both.errors == []
    assert loop.strand is None


def test_a_strand_of_another_loop_is_none_of_this_one(loop: Loop) -> None:
    def run() -> None:
        with open_loop() as other:
            assert other.strand is None
            assert other.run(_seven, name="test") == 7

    both = strands(loop, Strand(loop, "a", run), Strand(loop, "b", lambda: wait(loop)))
    both.run()
    assert both.errors == []


async def _seven() -> int:
    await trio.lowlevel.checkpoint()
    return 7


def test_each_has_a_context_of_its_own(loop: Loop) -> None:
    seen: list[str] = []

    def run() -> None:
        seen.append(variable.get())
        variable.set("changed")
        wait(loop)
        seen.append(variable.get())

    def test() -> None:
        variable.set("host's")
        strands(loop, Strand(loop, "a", run), Strand(loop, "b", run)).run()
        assert variable.get() == "host's"

    copy_context().run(test)
    assert seen == ["host's", "host's", "changed", "changed"]


# ------------------------------------------------------------------------ errors


def fail(error: BaseException) -> None:
    raise error


@pytest.mark.parametrize("kind", [ValueError, BaseException, KeyboardInterrupt, SystemExit])
def test_the_others_go_on_after_an_error_unless_they_are_cancelled(
    loop: Loop, trace: list[str], kind: type[BaseException]
) -> None:
    error = kind("boom")

    def other() -> None:
        wait(loop, wait_all_tasks_blocked)
        trace.append("other")

    failing = Strand(loop, "a", lambda: fail(error))
    both = strands(loop, failing, Strand(loop, "b", other), Strand(loop, "c", other, [failing]))
    both.run()
    assert both.errors == [error]
    assert trace == ["other", "other"]


def test_the_first_error_is_the_first(loop: Loop) -> None:
    first, second = ValueError("first"), ValueError("second")

    def late() -> None:
        wait(loop, wait_all_tasks_blocked)
        raise second

    both = strands(loop, Strand(loop, "a", late), Strand(loop, "b", lambda: fail(first)))
    both.run()
    assert both.errors == [first, second]


def test_cancelled_ones_end_where_they_wait_and_the_rest_is_not_begun(
    loop: Loop, trace: list[str]
) -> None:
    def waiting() -> None:
        try:
            wait(loop, trio.sleep_forever)
        finally:
            trace.append("left")
            with pytest.raises(trio.Cancelled):  # and whatever it waits for next
                wait(loop)
            with loop.shielded():
                wait(loop)
            trace.append("cleaned up")

    def failing() -> None:
        wait(loop, wait_all_tasks_blocked)
        raise ValueError("boom")

    a = Strand(loop, "a", waiting)
    b = Strand(loop, "b", failing)
    c = Strand(loop, "c", lambda: trace.append("begun"), [b])
    together = strands(loop, a, b, c, on_error=lambda _: together.cancel())
    together.run()
    assert [type(error) for error in together.errors] == [ValueError, trio.Cancelled]
    assert trace == ["left", "cleaned up"]


def test_what_has_not_begun_when_another_one_fails_is_not_begun(
    loop: Loop, trace: list[str]
) -> None:
    def run(name: str) -> None:
        trace.append(name)
        raise ValueError(name)

    made = [Strand(loop, name, lambda name=name: run(name)) for name in "abc"]  # type: ignore[misc]
    together = strands(loop, *made, on_error=lambda _: together.cancel())
    together.run()
    assert len(trace) == 1


def test_interrupted_ones_get_ctrl_c_through_a_shield(loop: Loop, trace: list[str]) -> None:
    async def shielded() -> None:
        with trio.CancelScope(shield=True):
            try:
                await trio.sleep_forever()
            finally:
                trace.append("left")

    def failing() -> None:
        wait(loop, wait_all_tasks_blocked)
        raise ValueError("boom")

    together = strands(
        loop,
        Strand(loop, "a", lambda: wait(loop, shielded)),
        Strand(loop, "b", failing),
        on_error=lambda _: together.interrupt(),
    )
    together.run()
    assert [type(error) for error in together.errors] == [ValueError, KeyboardInterrupt]
    assert trace == ["left"]


def test_ctrl_c_is_raised_in_one_of_them_and_once(loop: Loop) -> None:
    def run() -> None:
        wait(loop, trio.sleep_forever)

    def interrupting() -> None:
        wait(loop, wait_all_tasks_blocked)
        with loop.inside():
            trio.lowlevel.spawn_system_task(_raise_sigint, signal.raise_signal)
        wait(loop, trio.sleep_forever)

    together = strands(
        loop,
        Strand(loop, "a", run),
        Strand(loop, "b", interrupting),
        on_error=lambda _: together.cancel(),
    )
    together.run()
    kinds = {type(error) for error in together.errors}
    assert KeyboardInterrupt in kinds
    assert kinds <= {KeyboardInterrupt, trio.Cancelled}


@trio.lowlevel.enable_ki_protection
async def _raise_sigint(raise_signal: Callable[[int], None]) -> None:
    raise_signal(signal.SIGINT)


@pytest.mark.parametrize("is_long", [False, True], ids=["short", "long"])
@pytest.mark.parametrize("stays_before", [0, 3])
@pytest.mark.parametrize("how", ["killed", "system task"])
def test_when_the_loop_ends_all_are_unwound(
    trace: list[str], is_long: bool, stays_before: int, how: str
) -> None:
    loop = Loop()
    loop.open()

    def waiting() -> None:
        for _ in range(stays_before):
            wait(loop)
        try:
            wait(loop, trio.sleep_forever)
        finally:
            trace.append("left")

    async def crash() -> None:
        raise OSError("the end")

    def ending() -> None:
        for _ in range(stays_before + 1):
            wait(loop, wait_all_tasks_blocked)
        with loop.inside():
            if how == "killed":
                trio.lowlevel.spawn_system_task(kill, Killed("killed"))
            else:
                trio.lowlevel.spawn_system_task(crash)
        wait(loop, trio.sleep_forever)

    before = snapshot()
    together = strands(
        loop,
        Strand(loop, "a", waiting, is_long=is_long),
        Strand(loop, "b", ending, is_long=is_long),
        Strand(loop, "c", waiting, is_long=is_long),
    )
    with pytest.raises(LoopLost):
        together.run()
    kinds = {type(error) for error in together.errors}
    assert kinds == {LoopLost} if how == "killed" else kinds <= {LoopLost, trio.Cancelled}
    assert len(together.errors) == 3
    assert trace == ["left", "left"]
    assert snapshot() == before
    loop.bury()


def test_nothing_begins_on_a_loop_that_has_ended(trace: list[str]) -> None:
    loop = Loop()
    loop.open()
    together = strands(loop, Strand(loop, "a", lambda: trace.append("a")))
    loop.close()
    with pytest.raises(LoopLost):
        together.run()
    assert trace == []


# ------------------------------------------------------------------------ once


def refuse(names: list[str]) -> Any:
    raise RecursionError(names)


@pytest.mark.parametrize("seed", range(6))
def test_what_two_want_is_done_by_one_at_a_time(loop: Loop, seed: int) -> None:
    done: dict[str, str] = {}
    busy: set[str] = set()

    def do(key: str) -> str:
        def work() -> str:
            assert key not in busy
            if key not in done:
                busy.add(key)
                wait(loop, wait_all_tasks_blocked)
                busy.remove(key)
                done[key] = f"{key} done"
            return done[key]

        return together.once(key, work, refuse)

    def run() -> None:
        assert do("x") == "x done"
        assert do("y") == "y done"

    made = [Strand(loop, name, run) for name in "abc"]
    together = strands(loop, *made)
    with deterministic_scheduling() as numbers:
        numbers.seed(seed)
        together.run()
    assert together.errors == []


def test_who_does_it_may_come_back_to_it(loop: Loop) -> None:
    def run() -> None:
        inner = together.once("x", lambda: together.once("x", lambda: 7, refuse), refuse)
        assert inner == 7

    together = strands(loop, Strand(loop, "a", run))
    together.run()
    assert together.errors == []


def test_outside_of_strands_it_is_just_done(loop: Loop) -> None:
    assert strands(loop).once("x", lambda: 7, refuse) == 7


def test_after_an_error_the_next_one_does_it(loop: Loop) -> None:
    calls: list[str] = []

    def work() -> None:
        calls.append("call")
        wait(loop, wait_all_tasks_blocked)
        raise ValueError("boom")

    made = [Strand(loop, name, lambda: together.once("x", work, refuse)) for name in "ab"]
    together = strands(loop, *made)
    together.run()
    assert [type(error) for error in together.errors] == [ValueError, ValueError]
    assert calls == ["call", "call"]


@pytest.mark.parametrize("count", [2, 3])
def test_who_waits_for_who_waits_is_refused(loop: Loop, count: int) -> None:
    names = "abc"[:count]

    def run(i: int) -> None:
        def work() -> None:
            wait(loop, wait_all_tasks_blocked)
            together.once(names[(i + 1) % count], lambda: None, refuse)

        together.once(names[i], work, refuse)

    made = [Strand(loop, names[i], lambda i=i: run(i)) for i in range(count)]  # type: ignore[misc]
    together = strands(loop, *made)
    together.run()
    (error,) = together.errors
    assert isinstance(error, RecursionError)
    assert sorted(error.args[0]) == sorted(names)


def test_one_that_is_cancelled_while_it_waits_for_another_one_ends(loop: Loop) -> None:
    def work() -> None:
        wait(loop, wait_all_tasks_blocked)
        made[1].cancel()
        wait(loop, wait_all_tasks_blocked)

    def second() -> None:
        wait(loop)
        together.once("x", lambda: None, refuse)

    made = [
        Strand(loop, "a", lambda: together.once("x", work, refuse)),
        Strand(loop, "b", second),
    ]
    together = strands(loop, *made)
    together.run()
    assert [type(error) for error in together.errors] == [trio.Cancelled]
    assert made[1].error is together.errors[0]


def test_what_a_set_up_raises_when_its_strand_is_cancelled_is_not_lost(loop: Loop) -> None:
    """Other than under a cancel scope of the user's, which ends what asks for the fixture."""

    async def body(_nursery: trio.Nursery | None) -> AsyncGenerator[None, None]:
        try:
            await trio.sleep_forever()
        finally:
            raise ValueError("boom")
        yield

    def failing() -> None:
        wait(loop, wait_all_tasks_blocked)
        raise KeyError("first")

    lifetime = Lifetime(loop, "a", body, has_nursery=False)
    together = strands(
        loop,
        Strand(loop, "a", lifetime.open),
        Strand(loop, "b", failing),
        on_error=lambda _: together.cancel(),
    )
    together.run()
    assert [type(error) for error in together.errors] == [KeyError, ValueError]
    assert lifetime.state == "closed"


def test_a_tear_down_in_a_strand_that_is_cancelled_is_cancelled(loop: Loop) -> None:
    """It is in a task of its own, which the strand's cancel scope does not reach."""

    async def body(_nursery: trio.Nursery | None) -> AsyncGenerator[None, None]:
        yield
        with trio.fail_after(5):
            await trio.sleep_forever()

    def failing() -> None:
        wait(loop, wait_all_tasks_blocked)
        raise KeyError("first")

    lifetime = Lifetime(loop, "a", body, has_nursery=False)
    lifetime.open()
    together = strands(
        loop,
        Strand(loop, "a", lifetime.close),
        Strand(loop, "b", failing),
        on_error=lambda _: together.cancel(),
    )
    together.run()
    assert [type(error) for error in together.errors] == [KeyError, trio.Cancelled]


def test_nothing_is_left_of_a_strand(loop: Loop) -> None:
    gc.collect()
    gc.disable()
    try:
        lifetime = Lifetime(loop, "a", _nothing_to_do, has_nursery=False)
        strand = Strand(loop, "a", lifetime.open)
        left = weakref.ref(strand)
        strands(loop, strand).run()
        del strand
        wait(loop)
        assert left() is None
        lifetime.close()
    finally:
        gc.enable()


async def _nothing_to_do(_nursery: trio.Nursery | None) -> AsyncGenerator[None, None]:
    yield


# ------------------------------------------------------------------------ many stays in each


@pytest.fixture(params=[False, True], ids=["short", "long"])
def is_long(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


class Meeting:
    """Where stays of several strands meet, turn by turn, so that they are under way at the same time."""

    def __init__(self, loop: Loop, count: int) -> None:
        self._loop = loop
        self._count = count
        self._turns: dict[int, trio.Event] = {}
        self.arrived: list[int] = []

    async def _meet(self, turn: int) -> None:
        self.arrived.append(turn)
        event = self._turns.setdefault(turn, trio.Event())
        if self.arrived.count(turn) == self._count:
            event.set()
        await event.wait()

    def meet(self, turn: int) -> None:
        self._loop.run(self._meet, turn, name="meet")


def test_each_does_many_stays_whatever_becomes_of_those_of_the_others(
    loop: Loop, is_long: bool
) -> None:
    meeting = Meeting(loop, 3)
    before = snapshot()

    async def fail() -> None:
        await wait_all_tasks_blocked()
        loop.ctrl_c.cancel_wait(cancelled)
        raise ValueError("boom")

    async def leave_nursery_open() -> None:
        await trio.open_nursery().__aenter__()
        await wait_all_tasks_blocked()

    def run(bad: Callable[[], Any], expected: type[BaseException]) -> None:
        meeting.meet(0)
        meeting.meet(1)
        with pytest.raises(expected):
            wait(loop, bad)
        assert snapshot() == before
        meeting.meet(2)
        meeting.meet(3)
        assert snapshot() == before
        assert loop.strand.waits == []

    cancelled = Strand(loop, "b", lambda: run(trio.sleep_forever, trio.Cancelled), is_long=is_long)
    all_of_them = strands(
        loop,
        Strand(loop, "a", lambda: run(fail, ValueError), is_long=is_long),
        cancelled,
        Strand(loop, "c", lambda: run(leave_nursery_open, Leak), is_long=is_long),
    )
    all_of_them.run()
    assert all_of_them.errors == []
    assert meeting.arrived == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]
    assert loop.run(_seven, name="after") == 7
    assert loop.ctrl_c.waits == []
    assert loop.strands == set()


def test_the_stays_of_a_long_one_pass_it_on(loop: Loop, is_long: bool) -> None:
    names: list[str] = []

    def note() -> None:
        with loop.inside():
            names.append(trio.lowlevel.current_task().name)

    def run() -> None:
        for _ in range(3):
            wait(loop)
            note()

    for _ in range(3):  # nothing is passed on before there has been more than one
        wait(loop)
    strands(loop, Strand(loop, "a", run, is_long=is_long)).run()
    assert set(names) == {"<between tests>" if is_long else "a"}


def test_each_opens_and_closes_lifetimes_between_its_stays(loop: Loop, is_long: bool) -> None:
    trace: dict[str, list[str]] = {"a": [], "b": []}

    def run(name: str) -> None:
        def note(text: str) -> None:
            strand = loop.strand
            assert strand is not None
            assert strand.name == name
            trace[name].append(text)

        async def body(_nursery: trio.Nursery | None) -> AsyncGenerator[str, None]:
            note("set up")
            wait(loop)  # sync code that waits
            await wait_all_tasks_blocked()
            yield name
            wait(loop)
            await wait_all_tasks_blocked()
            note("tear down")

        lifetime = Lifetime(loop, name, body, has_nursery=False)
        for _ in range(2):
            wait(loop, wait_all_tasks_blocked)
        assert lifetime.open() == name
        wait(loop, wait_all_tasks_blocked)
        note("up")
        lifetime.close()
        wait(loop, wait_all_tasks_blocked)

    made = [Strand(loop, name, lambda name=name: run(name), is_long=is_long) for name in trace]  # type: ignore[misc]
    both = strands(loop, *made)
    both.run()
    assert both.errors == []
    assert trace == {name: ["set up", "up", "tear down"] for name in trace}


def test_each_comes_back_to_what_it_has_left_outside(loop: Loop, is_long: bool) -> None:
    """A run of its own, say: another one that comes back meanwhile must not find itself there."""
    inner = trio.Event()

    def look() -> dict[str, object]:
        found = snapshot()
        del found["SIGINT"]  # whoever has taken that keeps it
        return found

    def within_a_run_of_its_own() -> None:
        async def main() -> None:
            here = look()
            assert here != before
            wait(loop, inner.wait)
            assert look() == here
            await trio.lowlevel.checkpoint()

        trio.run(main)
        assert look() == before

    def beside_it() -> None:
        for _ in range(3):
            wait(loop, wait_all_tasks_blocked)
            assert look() == before
            trio.run(trio.lowlevel.checkpoint)
        with loop.inside():
            inner.set()

    before = look()
    both = strands(
        loop,
        Strand(loop, "a", within_a_run_of_its_own, is_long=is_long),
        Strand(loop, "b", beside_it, is_long=is_long),
        on_error=lambda _: both.cancel(),
    )
    both.run()
    assert both.errors == []


def test_one_may_have_others_do_part_of_its_work(loop: Loop, is_long: bool) -> None:
    seen: list[tuple[str, str | None]] = []

    def part() -> None:
        wait(loop, wait_all_tasks_blocked)
        strand = loop.strand
        seen.append((strand.name, strand.parent and strand.parent.name))

    def run() -> None:
        parts = strands(loop, Strand(loop, "part 1", part), Strand(loop, "part 2", part))
        parts.run()
        assert parts.errors == []
        part()

    both = strands(
        loop,
        Strand(loop, "a", run, is_long=is_long),
        Strand(loop, "b", part, is_long=is_long),
    )
    both.run()
    assert both.errors == []
    assert sorted(seen, key=str) == [
        ("a", None),
        ("b", None),
        ("part 1", "a"),
        ("part 2", "a"),
    ]


def test_cancelling_one_cancels_those_that_do_part_of_its_work(loop: Loop, is_long: bool) -> None:
    errors: list[BaseException] = []

    def run() -> None:
        parts = strands(
            loop, *(Strand(loop, name, lambda: wait(loop, trio.sleep_forever)) for name in "xy")
        )
        try:
            parts.run()
        finally:
            errors.extend(parts.errors)

    def cancelling() -> None:
        wait(loop, wait_all_tasks_blocked)
        with loop.inside():
            first.cancel()

    first = Strand(loop, "a", run, is_long=is_long)
    both = strands(loop, first, Strand(loop, "b", cancelling, is_long=is_long))
    both.run()
    assert both.errors == []
    assert [type(error) for error in errors] == [trio.Cancelled, trio.Cancelled]


def test_ctrl_c_ends_long_ones_where_they_wait(loop: Loop, is_long: bool) -> None:
    def run() -> None:
        for _ in range(3):
            wait(loop)
        wait(loop, trio.sleep_forever)

    def interrupting() -> None:
        wait(loop, wait_all_tasks_blocked)
        with loop.inside():
            trio.lowlevel.spawn_system_task(_raise_sigint, signal.raise_signal)
        wait(loop, trio.sleep_forever)

    all_of_them = strands(
        loop,
        *(Strand(loop, name, run, is_long=is_long) for name in "ab"),
        Strand(loop, "c", interrupting, is_long=is_long),
    )
    all_of_them.run()
    assert [type(error) for error in all_of_them.errors] == [KeyboardInterrupt] * 3


# ------------------------------------------------------------------------ what they wait for


class Waiting:
    def __init__(self) -> None:
        self.is_cancelled = False

    def cancel(self) -> None:
        self.is_cancelled = True

    def interrupt(self) -> None: ...


def test_each_has_waits_of_its_own(loop: Loop) -> None:
    a, b = (Strand(loop, name, lambda: None) for name in "ab")
    hosts, outer, inner, other = (Waiting() for _ in range(4))
    ctrl_c = loop.ctrl_c
    waits = [
        ctrl_c.begin(wait, strand)
        for wait, strand in ((hosts, None), (outer, a), (other, b), (inner, a))
    ]
    assert [ctrl_c.waits_of(each) for each in (None, a, b)] == [[hosts], [outer, inner], [other]]
    assert waits[1] is waits[3] is a.waits
    ctrl_c.cancel_wait(a)
    assert [each.is_cancelled for each in (hosts, outer, inner, other)] == [0, 0, 1, 0]
    ctrl_c.cancel_waits(b)
    assert [each.is_cancelled for each in (hosts, outer, inner, other)] == [0, 0, 1, 1]
    ctrl_c.cancel_waits(a, after=1)
    assert not outer.is_cancelled
    ctrl_c.cancel_wait()
    assert [each.is_cancelled for each in (hosts, outer, inner, other)] == [1, 0, 1, 1]
    ctrl_c.waits.clear()
    ctrl_c.cancel_wait()


def test_what_a_cancelled_one_begins_to_wait_for_is_cancelled(loop: Loop) -> None:
    a = Strand(loop, "a", lambda: None)
    first, second, shielded, third = (Waiting() for _ in range(4))
    loop.ctrl_c.begin(first, a)
    a.cancel()
    loop.ctrl_c.begin(second, a)
    a.shields += 1
    loop.ctrl_c.begin(shielded, a)
    a.shields -= 1
    loop.ctrl_c.begin(third, a)
    assert [each.is_cancelled for each in (first, second, shielded, third)] == [1, 1, 0, 1]


def test_a_loop_that_several_have_lost_takes_the_next_one_not_with_it() -> None:
    class CountingCrashes:
        count = 0

        def lose(self, lost: LoopLost, *, is_own: bool) -> BaseException:
            self.count += 1
            return lost.reason()

    crashes: Any = CountingCrashes()
    session = TrioSession(Settings(is_trio_mode=True, run_by="trio"), lambda _: crashes)

    async def end_it() -> None:
        trio.lowlevel.spawn_system_task(kill, Killed("killed"))
        await trio.sleep_forever()

    losses = []
    session.open_loop()
    for _ in range(2):
        with pytest.raises(LoopLost) as caught:
            session.loop.run(end_it, name="test")
        losses.append(caught.value)
    first, second = losses
    reason = session.lose_loop(first)
    session.open_loop()
    fresh = session.loop
    assert session.lose_loop(second) is reason
    assert session.loop is fresh
    assert crashes.count == 1
    fresh.close()
