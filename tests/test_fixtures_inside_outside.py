"""Code that depends on an async fixture runs inside; all other sync code runs outside."""

from __future__ import annotations

import pytest
from harness import Suite, every_mode, every_scope

_SIDES = """
import asyncio, signal, sys
import anyio, pytest, sniffio, trio
from trace import trace

def side():
    if trio.lowlevel.in_trio_task():
        trio.lowlevel.current_task()
        trio.current_time()
        assert sniffio.current_async_library() == "trio"
        assert sys.get_asyncgen_hooks() != (None, None)
        return "inside"
    assert not trio.lowlevel.in_trio_run()
    return "outside"

def say(text):
    trace(f"{text} {side()}")

async def _double(x):
    await anyio.lowlevel.checkpoint()
    return x * 2

async def _asyncio_main():
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGUSR1, print)
    loop.add_signal_handler(signal.SIGINT, print)
    await asyncio.sleep(0)
    loop.remove_signal_handler(signal.SIGINT)
    return await asyncio.to_thread(lambda: 4)

async def _generator():
    try:
        yield 1
    finally:
        trace_is_closed.append(1)

trace_is_closed = []

def start_loops():
    '''What is refused inside.'''
    assert side() == "outside"
    with pytest.raises(sniffio.AsyncLibraryNotFoundError):
        sniffio.current_async_library()
    with pytest.raises(RuntimeError):
        trio.lowlevel.current_task()
    handler, fd = signal.getsignal(signal.SIGINT), signal.set_wakeup_fd(-1)
    assert handler is signal.default_int_handler
    assert fd == -1
    assert sys.get_asyncgen_hooks() == (None, None)
    generator = _generator()
    with pytest.raises(StopIteration):
        generator.asend(None).send(None)
    with pytest.raises(StopIteration):
        generator.aclose().send(None)
    assert trace_is_closed.pop() == 1
    assert trio.run(trio.to_thread.run_sync, lambda: 4) == 4
    assert anyio.run(_double, 2, backend="trio") == 4
    assert anyio.run(_double, 2, backend="asyncio") == 4
    assert asyncio.run(_asyncio_main()) == 4
    assert signal.getsignal(signal.SIGINT) is handler
    assert side() == "outside"
"""

_PRELUDE = """
import pytest, trio
from pytest_trio_scoped import await_, trio_fixture
from trace import trace
from sides import say, side, start_loops
"""


@pytest.fixture
def sides(suite: Suite) -> Suite:
    suite.write("sides.py", _SIDES)
    return suite


def write_tests(suite: Suite, source: str, *, trio_mode: bool = True) -> None:
    import textwrap

    suite.tests(_PRELUDE + textwrap.dedent(source), trio_mode=trio_mode, prelude=False)


@every_scope
def test_sync_code_is_inside_if_it_asks_by_name_for_an_async_fixture(
    sides: Suite, scope: str
) -> None:
    write_tests(
        sides,
        f"""
        @pytest.fixture(scope={scope!r})
        async def generator():
            yield 1
        @pytest.fixture(scope={scope!r})
        async def coroutine():
            return 1
        @pytest.fixture(scope={scope!r})
        def plain(generator, request):
            request.addfinalizer(lambda: say("plain's finalizer"))
            say("plain")
            return 2
        @pytest.fixture(scope={scope!r})
        def deep(plain):
            say("deep up")
            yield 3
            say("deep down")
        @pytest.fixture(scope={scope!r})
        def on_coroutine(coroutine):
            say("on_coroutine up")
            yield 4
            say("on_coroutine down")
        @pytest.fixture(scope={scope!r})
        def alone(request):
            say("alone up")
            request.addfinalizer(lambda: say("alone's finalizer"))
            yield 5
            say("alone down")

        class TestIt:
            def test_generator(self, generator, request):
                say("test_generator")
                request.addfinalizer(lambda: say("test's finalizer"))
            def test_coroutine(self, coroutine):
                say("test_coroutine")
            def test_plain(self, alone, plain):
                say("test_plain")
            def test_deep(self, deep, on_coroutine):
                say("test_deep")
            @pytest.mark.usefixtures("deep")
            def test_used(self):
                say("test_used")
            def test_alone(self, alone, request):
                request.addfinalizer(lambda: say("test's finalizer"))
                say("test_alone")
                start_loops()
        """,
    )
    result = sides.run()
    assert result.phases == dict.fromkeys(result.phases, "passed passed passed")
    plain_down = ["plain's finalizer inside"]
    deep = ["plain inside", "deep up inside"]
    alone_down = ["alone down outside", "alone's finalizer outside"]
    if scope == "function":
        expected = [
            "test_generator inside",
            "test's finalizer inside",
            "test_coroutine inside",
            "alone up outside",
            "plain inside",
            "test_plain inside",
            *plain_down,
            *alone_down,
            *deep,
            "on_coroutine up inside",
            "test_deep inside",
            "on_coroutine down inside",
            "deep down inside",
            *plain_down,
            *deep,
            "test_used inside",
            "deep down inside",
            *plain_down,
            "alone up outside",
            "test_alone outside",
            "test's finalizer outside",
            *alone_down,
        ]
    else:
        expected = [
            "test_generator inside",
            "test's finalizer inside",
            "test_coroutine inside",
            "alone up outside",
            "plain inside",
            "test_plain inside",
            "deep up inside",
            "on_coroutine up inside",
            "test_deep inside",
            "test_used inside",
            "test_alone outside",
            "test's finalizer outside",
            "on_coroutine down inside",
            "deep down inside",
            *plain_down,
            *alone_down,
        ]
    assert result.trace == expected


def test_wide_usefixtures_and_pytestmark_put_a_sync_test_inside(sides: Suite) -> None:
    write_tests(
        sides,
        """
        pytestmark = pytest.mark.usefixtures("f")
        @pytest.fixture
        async def f(): pass
        def test_a(): say("a")
        class TestIt:
            def test_b(self): say("b")
        """,
    )
    sides.write(
        "test_other.py",
        _PRELUDE
        + """
@pytest.fixture(scope="class")
async def c(): yield
@pytest.mark.usefixtures("c")
class TestIt:
    def test_c(self): say("c")
    def test_d(self): say("d")
def test_e(): say("e")
""",
    )
    result = sides.run()
    assert set(result.outcomes.values()) == {"passed"}
    assert result.trace == ["a inside", "b inside", "c inside", "d inside", "e outside"]


def test_a_name_means_the_fixture_that_it_stands_for_in_the_test(sides: Suite) -> None:
    write_tests(
        sides,
        """
        @pytest.fixture(scope="session")
        async def f():
            return "async"
        @pytest.fixture(scope="session")
        def on_f(f):
            say("on_f " + f)
        def test_a(f, on_f): say("a " + f)
        class TestIt:
            @pytest.fixture
            def f(self): return "sync"
            @pytest.fixture
            def on_f_too(self, f): say("on_f_too " + f)
            def test_b(self, f, on_f_too): say("b " + f)
            def test_c(self, f): say("c " + f)
        class TestOverride:
            @pytest.fixture
            def f(self, f):
                say("override")
                return f + " overridden"
            def test_d(self, f): say("d " + f)
        @pytest.mark.parametrize("f", ["direct"])
        def test_e(f): say("e " + f)
        """,
    )
    result = sides.run()
    assert set(result.outcomes.values()) == {"passed"}
    assert result.trace == [
        "on_f async inside",
        "a async inside",
        "on_f_too sync outside",
        "b sync outside",
        "c sync outside",
        "override inside",
        "d async overridden inside",
        "e direct outside",
    ]


@every_scope
def test_an_autouse_async_fixture_leaves_sync_tests_outside(sides: Suite, scope: str) -> None:
    write_tests(
        sides,
        f"""
        @pytest.fixture(scope={scope!r}, autouse=True)
        async def auto():
            async with trio.open_nursery() as nursery:
                nursery.start_soon(trio.sleep_forever)
                say("auto")
                yield 1
                nursery.cancel_scope.cancel()
        @pytest.fixture
        def plain():
            start_loops()
            yield
            start_loops()
        class TestIt:
            async def test_async(self, plain):
                say("async")
            def test_sync(self, plain, request):
                start_loops()
                request.addfinalizer(start_loops)
                say("sync")
            def setup_method(self):
                start_loops()
            def teardown_method(self):
                start_loops()
            @classmethod
            def setup_class(cls):
                start_loops()
            @classmethod
            def teardown_class(cls):
                start_loops()
        """,
    )
    result = sides.run()
    assert result.phases == dict.fromkeys(result.phases, "passed passed passed")
    assert result.trace == (
        ["auto inside", "async inside", "auto inside", "sync outside"]
        if scope == "function"
        else ["auto inside", "async inside", "sync outside"]
    )


def test_hooks_run_outside(sides: Suite) -> None:
    sides.write(
        "conftest.py",
        """
        import pytest
        from sides import start_loops, say
        def pytest_runtest_setup(item): start_loops(); say("setup")
        def pytest_runtest_teardown(item): start_loops(); say("teardown")
        def pytest_runtest_logreport(report): start_loops(); say("report")
        def pytest_sessionfinish(session): start_loops(); say("finish")
        def pytest_unconfigure(config): start_loops(); say("unconfigure")
        @pytest.hookimpl(wrapper=True)
        def pytest_runtest_call(item):
            say("before call"); start_loops()
            try:
                return (yield)
            finally:
                start_loops(); say("after call")
        """,
    )
    write_tests(
        sides,
        """
        @pytest.fixture(scope="session")
        async def s():
            yield
        async def test_a(s):
            say("a"); await trio.lowlevel.checkpoint()
        """,
    )
    result = sides.run()
    assert result.phases == {"test_a": "passed passed passed"}
    assert result.trace == [
        "setup outside",
        "report outside",
        "before call outside",
        "a inside",
        "after call outside",
        "report outside",
        "teardown outside",
        "report outside",
        "finish outside",
        "unconfigure outside",
    ]


def test_what_only_works_inside_works_in_sync_code(sides: Suite) -> None:
    write_tests(
        sides,
        """
        import trio.testing

        class Server:
            def __init__(self):
                self.event = trio.Event()
                self.send, self.receive = trio.open_memory_channel(9)
                self.got = []
            async def serve(self):
                await self.event.wait()
                async for item in self.receive:
                    self.got.append(item)
        @pytest.fixture(scope="module")
        async def server():
            async with trio.open_nursery() as nursery:
                server = Server()
                nursery.start_soon(server.serve)
                yield server
                nursery.cancel_scope.cancel()
        @pytest.fixture
        def started(server, nursery):
            nursery.start_soon(server.send.send, "task of a fixture")
            server.event.set()
            server.send.send_nowait("up")
            yield server
            server.send.send_nowait("down")
            server.event.set()
        def test_sync(started, nursery):
            started.send.send_nowait("test")
            nursery.start_soon(started.send.send, "task of a test")
            await_(trio.testing.wait_all_tasks_blocked())
            trace(sorted(started.got))
            assert trio.lowlevel.current_task() is not trio.lowlevel.current_root_task()
        async def test_async(server):
            await trio.testing.wait_all_tasks_blocked()
            trace(server.got[-1])
        """,
    )
    result = sides.run()
    assert set(result.outcomes.values()) == {"passed"}
    assert result.trace == [str(["task of a fixture", "task of a test", "test", "up"]), "down"]


def test_sync_code_inside_has_a_task_called_after_it(sides: Suite) -> None:
    write_tests(
        sides,
        """
        def name():
            return trio.lowlevel.current_task().name
        @pytest.fixture
        async def f():
            trace(name())
        @pytest.fixture
        def g(f):
            trace(name())
            task = trio.lowlevel.current_task()
            yield
            assert trio.lowlevel.current_task() is task
        def test_it(g):
            trace(name())
        """,
    )
    result = sides.run()
    assert result.phases == {"test_it": "passed passed passed"}
    assert result.trace == ["fixture 'f'", "fixture 'g'", "test_it.py::test_it"]


@every_mode
def test_sync_fixtures_that_async_code_asks_for_by_getfixturevalue_are_outside(
    sides: Suite, trio_mode: bool
) -> None:
    write_tests(
        sides,
        """
        pytestmark = []
        M = pytest.mark.trio
        @pytest.fixture
        def inner():
            say("inner up"); start_loops()
            yield
            say("inner down"); start_loops()
        @pytest.fixture
        def plain(request, inner):
            say("plain"); start_loops()
            def finalizer():
                say("plain's finalizer"); start_loops()
            request.addfinalizer(finalizer)
            return 1
        @pytest.fixture(scope="module")
        def wide():
            say("wide up"); start_loops()
            yield 2
            say("wide down"); start_loops()
        @pytest.fixture
        def dynamic(request):
            say("dynamic up"); start_loops()
            value = request.getfixturevalue("coroutine")
            say("dynamic goes on"); start_loops()
            yield value
            say("dynamic down"); start_loops()
        @pytest.fixture
        async def coroutine(request):
            say("coroutine")
            request.getfixturevalue("plain")
            say("coroutine goes on")
            await trio.lowlevel.checkpoint()
        @pytest.fixture
        async def generator(request):
            request.getfixturevalue("plain")
            say("generator up")
            yield
            say("generator down")
        @M
        async def test_in_test(request):
            with trio.CancelScope() as scope:
                assert request.getfixturevalue("plain") == 1
                assert request.getfixturevalue("wide") == 2
                say("test_in_test")
                scope.cancel()
                await trio.sleep_forever()
        @M
        async def test_in_coroutine(coroutine):
            say("test_in_coroutine")
        @M
        async def test_in_generator(generator, wide):
            say("test_in_generator")
        @M
        async def test_through_both(request):
            request.getfixturevalue("dynamic")
            say("test_through_both")
            await trio.lowlevel.checkpoint()
        def test_in_inside_test(tail, request):
            request.getfixturevalue("plain")
            say("test_in_inside_test")
        @trio_fixture
        def tail(request):
            request.getfixturevalue("inner")
            say("tail up")
            yield
            say("tail down")
        """,
        trio_mode=trio_mode,
    )
    result = sides.run()
    assert result.phases == dict.fromkeys(result.phases, "passed passed passed")
    up = ["inner up outside", "plain outside"]
    down = ["plain's finalizer outside", "inner down outside"]
    assert result.trace == [
        *up,
        "wide up outside",
        "test_in_test inside",
        *down,
        "coroutine inside",
        *up,
        "coroutine goes on inside",
        "test_in_coroutine inside",
        *down,
        *up,
        "generator up inside",
        "test_in_generator inside",
        "generator down inside",
        *down,
        "dynamic up outside",
        "coroutine inside",
        *up,
        "coroutine goes on inside",
        "dynamic goes on outside",
        "test_through_both inside",
        "dynamic down outside",
        *down,
        "inner up outside",
        "tail up inside",
        "plain outside",
        "test_in_inside_test inside",
        "plain's finalizer outside",
        "tail down inside",
        "inner down outside",
        "wide down outside",
    ]


def test_a_fixture_set_up_outside_from_async_code_may_fail_and_go_on(sides: Suite) -> None:
    write_tests(
        sides,
        """
        @pytest.fixture
        def failing():
            start_loops()
            raise ValueError("boom")
        @pytest.fixture
        def skipping():
            start_loops()
            pytest.skip("why")
        @pytest.fixture
        def failing_down():
            yield
            start_loops()
            raise ValueError("down")
        async def test_a(request):
            with pytest.raises(ValueError, match="boom"):
                request.getfixturevalue("failing")
            say("a"); await trio.lowlevel.checkpoint()
        async def test_b(request):
            request.getfixturevalue("skipping")
        async def test_c(request):
            request.getfixturevalue("failing_down")
        def test_d():
            start_loops()
        async def test_e():
            say("e"); await trio.lowlevel.checkpoint()
        """,
    )
    result = sides.run()
    assert result.phases == {
        "test_a": "passed passed passed",
        "test_b": "passed skipped passed",
        "test_c": "passed passed failed",
        "test_d": "passed passed passed",
        "test_e": "passed passed passed",
    }
    assert result.trace == ["a inside", "e inside"]


def test_trio_fixture_puts_a_sync_function_and_its_users_inside(sides: Suite) -> None:
    write_tests(
        sides,
        """
        @trio_fixture
        def plain():
            say("plain")
            return trio.lowlevel.current_trio_token()
        @trio_fixture(scope="module")
        def generator(request):
            request.addfinalizer(lambda: say("finalizer"))
            task = trio.lowlevel.current_task()
            say("generator up")
            yield task
            assert trio.lowlevel.current_task() is task
            say("generator down")
        @pytest.fixture
        def on_it(plain):
            say("on_it")
            return plain
        def test_a(plain, on_it):
            assert plain is on_it is trio.lowlevel.current_trio_token()
            say("a")
        @pytest.mark.usefixtures("generator")
        def test_b():
            say("b")
        def test_c():
            say("c")
        """,
        trio_mode=False,
    )
    result = sides.run()
    assert result.phases == dict.fromkeys(result.phases, "passed passed passed")
    assert result.trace == [
        "plain inside",
        "on_it inside",
        "a inside",
        "generator up inside",
        "b inside",
        "c outside",
        "generator down inside",
        "finalizer inside",
    ]


def test_a_sync_test_may_run_pytest_while_the_loop_is_alive(sides: Suite) -> None:
    sides.write("inner/test_inner.py", "async def test_it(): import trio; await trio.sleep(0)")
    sides.write("inner/pytest.ini", "[pytest]\ntrio_mode = true")
    write_tests(
        sides,
        """
        @pytest.fixture(scope="session", autouse=True)
        async def auto():
            async with trio.open_nursery() as nursery:
                nursery.start_soon(trio.sleep_forever)
                yield
                nursery.cancel_scope.cancel()
        def run():
            return pytest.main(["inner", "-c", "inner/pytest.ini", "-p", "no:cacheprovider",
                "-p", "pytest_trio_scoped.plugin"])
        def test_outside():
            assert run() == 0
            start_loops()
        async def test_async():
            token = trio.lowlevel.current_trio_token()
            assert run() == 0
            assert token is trio.lowlevel.current_trio_token()
            await trio.lowlevel.checkpoint()
        """,
    )
    result = sides.run("test_it.py")
    assert result.phases == {
        "test_outside": "passed passed passed",
        "test_async": "passed passed passed",
    }


def test_finalizers_of_a_cancelled_set_up_are_on_the_side_of_the_fixture(sides: Suite) -> None:
    write_tests(
        sides,
        """
        @pytest.fixture
        async def hanging(request):
            request.addfinalizer(lambda: say("hanging's finalizer"))
            await trio.sleep_forever()
        @pytest.fixture
        def inner():
            yield
            start_loops()
            say("inner down")
        @pytest.fixture
        def plain(request, inner):
            request.addfinalizer(lambda: (start_loops(), say("plain's finalizer")))
            request.getfixturevalue("hanging")
        async def test_a(request):
            with trio.move_on_after(0) as cancel_scope:
                request.getfixturevalue("plain")
            assert cancel_scope.cancelled_caught
            say("test")
        """,
    )
    result = sides.run()
    assert result.phases == {"test_a": "passed passed passed"}
    assert result.trace == [
        "hanging's finalizer inside",
        "plain's finalizer outside",
        "test inside",
        "inner down outside",
    ]
