"""``await_`` waits for the loop from any sync code in pytest's thread."""

from __future__ import annotations

import gc
import textwrap
from collections.abc import Generator
from typing import Any

import pytest
from harness import Suite

from pytest_trio_scoped import await_
from pytest_trio_scoped._errors import AWAIT_IN_TASK, AWAIT_WITHOUT_RUN


def test_works_in_sync_tests_fixtures_finalizers_and_hooks(suite: Suite) -> None:
    suite.write(
        "conftest.py",
        """
        import pytest, trio
        from pytest_trio_scoped import await_
        from trace import trace

        async def say(text):
            await trio.lowlevel.checkpoint()
            trace(text)
            return text

        def pytest_runtestloop(session): await_(say("hook: runtestloop"))
        def pytest_runtest_protocol(item): await_(say("hook: protocol"))
        def pytest_runtest_setup(item): await_(say("hook: setup"))
        def pytest_runtest_teardown(item): await_(say("hook: teardown"))
        def pytest_fixture_setup(fixturedef): await_(say("hook: fixture " + fixturedef.argname))
        def pytest_sessionfinish(session): await_(say("hook: sessionfinish"))
        @pytest.hookimpl(trylast=True)
        def pytest_runtest_logfinish(nodeid): await_(say("hook: logfinish"))
        @pytest.fixture(scope="session")
        def wide(request):
            request.addfinalizer(lambda: await_(say("wide's finalizer")))
            await_(say("wide up"))
            yield
            await_(say("wide down"))
        """,
    )
    suite.tests(
        """
        from conftest import say
        @pytest.fixture
        def plain(wide, request):
            request.addfinalizer(lambda: await_(say("plain's finalizer")))
            return await_(say("plain"))
        def test_it(plain, request):
            request.addfinalizer(lambda: await_(say("test's finalizer")))
            assert await_(say("test")) == "test"
            assert not trio.lowlevel.in_trio_run()
        """,
        trio_mode=False,
    )
    result = suite.run_subprocess()
    assert result.phases == {"test_it": "passed passed passed"}
    assert result.exit_code == 0
    assert result.trace == [
        "hook: runtestloop",
        "hook: protocol",
        "hook: setup",
        "hook: fixture wide",
        "wide up",
        "hook: fixture plain",
        "plain",
        "test",
        "hook: teardown",
        "test's finalizer",
        "plain's finalizer",
        "wide down",
        "wide's finalizer",
        "hook: logfinish",
        "hook: sessionfinish",
    ]


def test_works_in_sync_code_called_by_async_code(suite: Suite) -> None:
    suite.tests(
        """
        import trio.testing
        def helper(async_fn, *args):
            return await_(async_fn(*args))
        async def nested():
            return helper(task) is trio.lowlevel.current_task()
        async def task():
            await trio.lowlevel.checkpoint()
            return trio.lowlevel.current_task()
        @pytest.fixture(scope="module")
        async def coroutine():
            assert helper(task) is trio.lowlevel.current_task()
            return helper(task)
        @pytest.fixture(scope="module")
        async def generator():
            assert helper(task) is trio.lowlevel.current_task()
            async with trio.open_nursery() as nursery:
                yield
                assert helper(task) is trio.lowlevel.current_task()
                nursery.cancel_scope.cancel()
        async def test_it(coroutine, generator):
            assert helper(task) is trio.lowlevel.current_task()
            assert helper(nested)
            await trio.lowlevel.checkpoint()
            assert sorted([helper(task).name, "z"], key=lambda _: helper(task).name)
            trace("it")
        async def test_cancel_scopes_count(nursery):
            for depth in range(2):
                with trio.CancelScope() as cancel_scope:
                    cancel_scope.cancel()
                    helper(*([helper_async] * depth), trio.sleep_forever)
                assert cancel_scope.cancelled_caught
            with pytest.raises(trio.TooSlowError), trio.fail_after(0):
                helper(trio.sleep_forever)
            with trio.CancelScope(shield=True) as outer:
                outer.cancel()
                with trio.CancelScope(shield=True):
                    assert helper(task)
            trace("cancel scopes")
        async def helper_async(async_fn):
            return helper(async_fn)
        async def test_other_tasks_run_meanwhile(nursery):
            event = trio.Event()
            async def child():
                await trio.testing.wait_all_tasks_blocked()
                event.set()
            nursery.start_soon(child)
            helper(event.wait)
            trace("meanwhile")
        def test_inside(coroutine):
            assert helper(task) is trio.lowlevel.current_task()
            trace("inside")
        """
    )
    result = suite.run_subprocess()
    assert set(result.outcomes.values()) == {"passed"}
    assert result.trace == ["it", "cancel scopes", "meanwhile", "inside"]


def test_returns_and_raises_what_the_awaitable_does(suite: Suite) -> None:
    suite.tests(
        """
        class Awaitable:
            def __await__(self):
                yield from trio.lowlevel.checkpoint().__await__()
                return 3
        async def raising(error):
            await trio.lowlevel.checkpoint()
            raise error
        def check():
            assert await_(Awaitable()) == 3
            assert await_(trio.sleep(0)) is None
            for kind in [ValueError, StopIteration, StopAsyncIteration, LookupError, SystemExit]:
                error = kind("boom")
                with pytest.raises(BaseException) as info:
                    await_(raising(error))
                if kind is not StopIteration:
                    assert info.value is error
            group = ExceptionGroup("g", [ValueError()])
            with pytest.raises(ExceptionGroup) as info:
                await_(raising(group))
            assert info.value is group
            generator = agen()
            assert await_(anext(generator)) == 1
            assert await_(generator.aclose()) is None
        async def agen():
            yield 1
        def test_outside():
            check()
        async def test_inside():
            check()
            await trio.lowlevel.checkpoint()
        @pytest.fixture
        async def f():
            check()
            yield
            check()
        def test_fixture(f):
            check()
        """
    )
    result = suite.run_subprocess()
    assert set(result.outcomes.values()) == {"passed"}, result.output


def test_code_outside_stays_outside_of_the_loop(suite: Suite) -> None:
    suite.tests(
        """
        async def callback(function):
            await trio.lowlevel.checkpoint()
            return function()
        def test_it():
            names = []
            async def record():
                names.append(trio.lowlevel.current_task().name)
                await trio.lowlevel.checkpoint()
            await_(record())
            assert not trio.lowlevel.in_trio_run()
            assert trio.run(callback, lambda: 5) == 5
            with pytest.raises(ZeroDivisionError):
                await_(callback(lambda: 1 / 0))
            assert not trio.lowlevel.in_trio_run()
            assert trio.run(callback, lambda: 5) == 5
            # below a loop of the test's own, the session's is still there
            assert trio.run(callback, lambda: await_(callback(lambda: 6))) == 6
            trace(names)
        """
    )
    result = suite.run_subprocess()
    assert result.phases == {"test_it": "passed passed passed"}
    assert result.trace == ["['await_(test_it.<locals>.record)']"]


WRONG_CALLERS = {
    "a child task": (
        """
        async def test_it(nursery):
            async def child():
                with pytest.raises(RuntimeError, match="runs on the loop itself") as info:
                    await_(trio.sleep(0))
                trace(str(info.value))
            async with trio.open_nursery() as nursery:
                nursery.start_soon(child)
        """,
        [
            *AWAIT_IN_TASK.splitlines(),
        ],
    ),
    "a greenlet of a child task": (
        """
        import greenlet
        async def test_it(nursery):
            async def child():
                def below():
                    with pytest.raises(RuntimeError, match="runs on the loop itself") as info:
                        await_(trio.sleep(0))
                    trace(str(info.value))
                greenlet.greenlet(below).switch()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(child)
        """,
        [
            *AWAIT_IN_TASK.splitlines(),
        ],
    ),
    "another thread": (
        """
        async def test_it():
            def thread():
                with pytest.raises(RuntimeError) as info:
                    await_(trio.sleep(0))
                trace(str(info.value))
            await trio.to_thread.run_sync(thread)
        """,
        [
            AWAIT_WITHOUT_RUN.splitlines()[0],
            AWAIT_WITHOUT_RUN.splitlines()[1],
        ],
    ),
    "the background task of a fixture": (
        """
        @pytest.fixture(scope="session")
        async def f():
            async def child():
                with pytest.raises(RuntimeError) as info:
                    await_(trio.sleep(0))
                trace(str(info.value).splitlines()[0][:40])
            async with trio.open_nursery() as nursery:
                nursery.start_soon(child)
                yield
        async def test_it(f):
            await trio.testing.wait_all_tasks_blocked()
        import trio.testing
        """,
        ["await_() was called in a Trio task that "],
    ),
    "a callback of the loop": (
        """
        async def test_it():
            event = trio.Event()
            def callback():
                with pytest.raises(RuntimeError) as info:
                    await_(trio.sleep(0))
                trace(str(info.value).splitlines()[0][:40])
                event.set()
            trio.lowlevel.current_trio_token().run_sync_soon(callback)
            await event.wait()
        """,
        ["await_() was called in a Trio task that "],
    ),
    "something not awaitable": (
        """
        async def test_async():
            for value in [None, 3, trio.sleep, iter([]), object]:
                with pytest.raises(TypeError, match="takes an awaitable") as info:
                    await_(value)
            with pytest.raises(TypeError) as info:
                await_([1, 2])
            trace(str(info.value))
        def test_it():
            with pytest.raises(TypeError) as info:
                await_("text")
            trace(str(info.value))
        """,
        [
            "await_() takes an awaitable, such as the call of an async function, not [1, 2].",
            "await_() takes an awaitable, such as the call of an async function, not 'text'.",
        ],
    ),
}


@pytest.mark.parametrize("caller", WRONG_CALLERS)
def test_is_refused_with_a_clear_error(suite: Suite, caller: str) -> None:
    source, trace = WRONG_CALLERS[caller]
    suite.tests(
        textwrap.dedent(source)
        + textwrap.dedent(
            """
            async def test_after():
                await trio.sleep(0)
            """
        )
    )
    result = suite.run_subprocess()
    assert set(result.outcomes.values()) == {"passed"}, result.output
    assert result.trace == trace
    assert "never awaited" not in result.output


def test_is_refused_without_a_run(suite: Suite) -> None:
    suite.write(
        "conftest.py",
        """
        import pytest, trio
        from pytest_trio_scoped import await_
        from trace import trace
        def attempt(name):
            with pytest.raises(RuntimeError, match="no test run is in progress") as info:
                await_(trio.sleep(0))
            trace(name)
        attempt("import")
        def pytest_configure(config): attempt("configure")
        def pytest_sessionstart(session): attempt("sessionstart")
        def pytest_collection_modifyitems(items): attempt("collection")
        def pytest_unconfigure(config): attempt("unconfigure")
        """,
    )
    suite.tests("async def test_it(): await trio.sleep(0)")
    result = suite.run_subprocess()
    assert result.phases == {"test_it": "passed passed passed"}
    assert result.exit_code == 0
    assert result.trace == ["import", "configure", "sessionstart", "collection", "unconfigure"]


def test_uses_the_innermost_session() -> None:
    """This test's own session is a run in progress, too."""

    class Ready:
        def __await__(self) -> Generator[Any, Any, int]:
            return 4
            yield

    assert await_(Ready()) == 4


def test_leaves_no_coroutine_behind_when_it_refuses(recwarn: pytest.WarningsRecorder) -> None:
    import threading

    async def never() -> None:
        raise AssertionError

    errors: list[BaseException] = []

    def thread() -> None:
        try:
            await_(never())
        except RuntimeError as error:
            errors.append(error)

    worker = threading.Thread(target=thread)
    worker.start()
    worker.join()
    errors[0].__traceback__ = None
    gc.collect()
    assert len(errors) == 1
    assert not list(recwarn)
