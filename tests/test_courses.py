"""Whose test, whose set-up, whose tear-down: for the session's host and for each strand."""

from __future__ import annotations

import gc
import weakref
from collections.abc import AsyncGenerator, Callable, Iterator
from contextvars import copy_context
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from pytest_trio_scoped._courses import Courses
from pytest_trio_scoped._crashes import Crashes
from pytest_trio_scoped._lifetime import Lifetime
from pytest_trio_scoped._session import TrioSession
from pytest_trio_scoped._settings import Settings
from pytest_trio_scoped._strands import Strand, Strands


class FakeStrand:
    def __init__(self, parent: FakeStrand | None = None) -> None:
        self.parent = parent
        self.kept: dict[object, Any] = {}


class FakeSession:
    def __init__(self) -> None:
        self.strands: set[FakeStrand] = set()
        self.strand: FakeStrand | None = None


@pytest.fixture
def session() -> Any:
    return FakeSession()


def test_without_strands_there_is_the_hosts(session: Any) -> None:
    courses = Courses(session)
    host = courses.present
    assert host is courses.of(None)
    assert list(courses) == courses.innermost() == [host]
    assert not host.is_part


def test_each_strand_has_its_own(session: Any) -> None:
    courses = Courses(session)
    a, b = strands = FakeStrand(), FakeStrand()
    session.strands |= set(strands)
    session.strand = a
    assert courses.present is courses.of(a)  # type: ignore[arg-type]
    assert len({*courses}) == 3
    of_b = courses.of(b)  # type: ignore[arg-type]
    assert of_b is not courses.of(a)  # type: ignore[arg-type]
    assert (of_b.strand, of_b.is_part) == (b, True)


def test_who_waits_for_parts_of_its_work_is_not_innermost(session: Any) -> None:
    courses = Courses(session)
    test, part = FakeStrand(), None
    part = FakeStrand(test)
    session.strands |= {test, part}
    assert courses.innermost() == [courses.of(part)]  # type: ignore[arg-type]
    session.strands.remove(part)
    assert courses.innermost() == [courses.of(test)]  # type: ignore[arg-type]


def test_a_part_is_of_the_phase_of_its_parent_until_it_begins_a_test_itself(session: Any) -> None:
    courses = Courses(session)
    test = FakeStrand()
    part = FakeStrand(test)
    of_test, of_part = courses.of(test), courses.of(part)  # type: ignore[arg-type]
    host = courses.of(None)
    assert of_part.phase is of_test.phase is host.phase
    of_test = courses.of(FakeStrand())  # type: ignore[arg-type]
    of_test.begin_test()
    of_test.phase.begin("item")
    assert not of_test.is_part
    assert host.phase.item is None
    of_test.begin_test()
    assert of_test.phase.item is None


def test_nothing_is_kept_of_those_that_have_ended(session: Any) -> None:
    courses = Courses(session)
    ended = []
    for _ in range(10):
        strand = FakeStrand()
        session.strands = {strand}
        courses.of(strand)  # type: ignore[arg-type]
        ended.append(weakref.ref(strand))
    del strand
    gc.collect()
    assert [each() for each in ended[:-1]] == [None] * 9


# ------------------------------------------------------------------------ crashes in strands


class FakeFixture:
    """A fixture with a background task that fails when ``event`` is set."""

    scope = "session"
    argnames = ()

    def __init__(self, argname: str) -> None:
        self.argname = argname
        self.event: trio.Event
        self.lifetime: Lifetime
        self._crashes: Any
        self.request: Any = SimpleNamespace(node=SimpleNamespace(addfinalizer=lambda _: None))

    def open(self, session: TrioSession) -> None:
        self._crashes = session.crashes
        self.event = trio.Event()

        async def body(nursery: trio.Nursery | None) -> AsyncGenerator[None, None]:
            async def fail() -> None:
                await self.event.wait()
                raise ValueError(self.argname)

            assert nursery is not None
            nursery.start_soon(fail)
            yield

        notice: Any = partial(self._crashes.notice, self, self.request)
        self.lifetime = Lifetime(
            session.loop, self.argname, body, has_nursery=True, on_crash=notice
        )
        self.lifetime.open()

    def finish(self, _request: object) -> None:
        raised: BaseException | None = None
        try:
            self.lifetime.close()
        except BaseException as error:
            raised = error
        raised = self._crashes.closed(self.lifetime, raised)
        if raised is not None:
            raise raised


@pytest.fixture
def trio_session() -> Iterator[TrioSession]:
    session = TrioSession(Settings(is_trio_mode=True, run_by="trio"), Crashes)
    session.start()
    session.open_loop()
    yield session
    session.close()


def item_using(*fixtures: FakeFixture) -> Any:
    fixture_defs = {fixture.argname: fixture for fixture in fixtures}
    return SimpleNamespace(_request=SimpleNamespace(_fixture_defs=fixture_defs))


@pytest.mark.parametrize("is_long", [False, True])
def test_a_crash_ends_the_tests_that_use_the_fixture_and_no_others(
    trio_session: TrioSession, is_long: bool
) -> None:
    """Three tests at the same time, each in a strand, as if pytest ran them there."""
    loop = trio_session.loop
    crashes: Any = trio_session.crashes
    dying, living = FakeFixture("dying"), FakeFixture("living")
    for each in (dying, living):
        each.open(trio_session)
    ended: dict[str, str] = {}

    def test(name: str, async_fn: Callable[[], Any], *fixtures: FakeFixture) -> None:
        item = item_using(*fixtures)
        crashes.begin_set_up()
        crashes.begin(item)
        try:
            crashes.call(item, lambda: loop.run(async_fn, name=name))
        except ValueError as error:
            ended[name] = f"failed by {error}"
        else:
            ended[name] = "passed"
        crashes.begin_tear_down()

    async def wait_a_while() -> None:
        for _ in range(5):
            await wait_all_tasks_blocked()

    async def kill() -> None:
        await wait_all_tasks_blocked()
        dying.event.set()
        await wait_a_while()

    strands = [
        Strand(loop, "a", lambda: test("a", trio.sleep_forever, dying), is_long=is_long),
        Strand(loop, "b", lambda: test("b", wait_a_while, living), is_long=is_long),
        Strand(loop, "c", lambda: test("c", kill), is_long=is_long),
    ]
    together = Strands(loop, strands, lambda _: None, lambda _: copy_context())
    together.run()
    assert together.errors == []
    assert ended == {"a": "failed by dying", "b": "passed", "c": "passed"}
    living.lifetime.close()


def test_what_does_part_of_a_test_is_cancelled_only_while_it_sets_up_what_depends_on_the_fixture(
    trio_session: TrioSession,
) -> None:
    loop = trio_session.loop
    crashes: Any = trio_session.crashes
    dying = FakeFixture("dying")
    dying.open(trio_session)
    crashes.begin_set_up()
    crashes.begin(item_using(dying))

    async def kill() -> None:
        dying.event.set()
        for _ in range(3):
            await wait_all_tasks_blocked()

    strand = Strand(loop, "a", lambda: loop.run(kill, name="a"))
    together = Strands(loop, [strand], lambda _: None, lambda _: copy_context())
    together.run()
    assert together.errors == []
    assert crashes.sweep() == []


@pytest.mark.parametrize("is_long", [False, True])
def test_a_nursery_that_crashes_ends_the_test_that_asked_for_it(
    trio_session: TrioSession, is_long: bool
) -> None:
    loop = trio_session.loop
    crashes: Any = trio_session.crashes
    ended: dict[str, str] = {}

    async def fail() -> None:
        await wait_all_tasks_blocked()
        raise ValueError("background")

    def test(name: str, async_fn: Callable[..., Any] | None) -> None:
        crashes.begin_set_up()
        strand = loop.strand

        def call() -> None:
            if async_fn is None:
                for _ in range(5):
                    loop.run(wait_all_tasks_blocked, name=name)
                return
            lifetime = Lifetime(
                loop,
                "nursery",
                nursery_body,
                has_nursery=True,
                on_crash=lambda lifetime: crashes.notice_nursery(lifetime, strand),
            )
            nursery = lifetime.open()
            with loop.inside():
                nursery.start_soon(async_fn)
            loop.run(trio.sleep_forever, name=name)

        try:
            crashes.call(item_using(), call)
        except ValueError as error:
            ended[name] = f"failed by {error}"
        else:
            ended[name] = "passed"

    async def nursery_body(nursery: trio.Nursery | None) -> AsyncGenerator[Any, None]:
        yield nursery

    strands = [
        Strand(loop, "a", lambda: test("a", fail), is_long=is_long),
        Strand(loop, "b", lambda: test("b", None), is_long=is_long),
    ]
    together = Strands(loop, strands, lambda _: None, lambda _: copy_context())
    together.run()
    assert together.errors == []
    assert ended == {"a": "failed by background", "b": "passed"}
