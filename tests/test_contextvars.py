"""Context variables: down the scopes, across sync and async, never sideways between tests."""

from __future__ import annotations

import pytest
from harness import Suite, every_scope

_VARIABLE = """
import contextlib
from contextvars import ContextVar, copy_context
var = ContextVar("var", default="default")
other = ContextVar("other", default="other default")

@contextlib.contextmanager
def setting(value):
    token = var.set(value)
    try:
        yield
    finally:
        var.reset(token)
"""

KINDS = {
    "async generator": """
        @pytest.fixture(scope="{scope}")
        async def f():
            assert var.get() == "default"
            await trio.lowlevel.checkpoint()
            token = var.set("f")
            await trio.lowlevel.checkpoint()
            yield
            assert var.get() == "f"
            await trio.lowlevel.checkpoint()
            var.reset(token)
            assert var.get() == "default"
        """,
    "async generator with a context manager": """
        @pytest.fixture(scope="{scope}")
        async def f(nursery):
            with setting("f"):
                yield
                await trio.lowlevel.checkpoint()
        """,
    "async generator that resets nothing": """
        @pytest.fixture(scope="{scope}")
        async def f():
            var.set("never seen")
            var.set("f")
            yield
        """,
    "async coroutine": """
        @pytest.fixture(scope="{scope}")
        async def f():
            await trio.lowlevel.checkpoint()
            var.set("f")
        """,
    "async coroutine with a finalizer": """
        @pytest.fixture(scope="{scope}")
        async def f(request):
            token = var.set("f")
            def reset():
                assert var.get() == "f"
                var.reset(token)
                assert var.get() == "default"
            request.addfinalizer(reset)
        """,
    "async coroutine with a nursery": """
        @pytest.fixture(scope="{scope}")
        async def f(nursery):
            var.set("f")
        """,
    "sync generator inside": """
        @trio_fixture(scope="{scope}")
        def f():
            token = var.set("f")
            await_(trio.lowlevel.checkpoint())
            yield
            var.reset(token)
        """,
    "sync inside": """
        @trio_fixture(scope="{scope}")
        def f():
            var.set("f")
        """,
}


@pytest.fixture
def vars_suite(suite: Suite) -> Suite:
    suite.write("variable.py", _VARIABLE)
    return suite


def write_tests(suite: Suite, *sources: str) -> None:
    import textwrap

    text = "\n".join(textwrap.dedent(source) for source in sources)
    suite.tests("from variable import var, other, setting, copy_context\n" + text)


@every_scope
@pytest.mark.parametrize("kind", KINDS)
def test_what_a_fixture_sets_is_seen_until_it_is_torn_down(
    vars_suite: Suite, kind: str, scope: str
) -> None:
    vars_suite.write(
        "conftest.py",
        """
        from trace import trace
        from variable import var
        def pytest_runtest_call(item): trace(f"hook {var.get()}")
        def pytest_runtest_setup(item): trace(f"before {item.name} {var.get()}")
        def pytest_sessionfinish(): trace(f"end {var.get()}")
        """,
    )
    write_tests(
        vars_suite,
        KINDS[kind].format(scope=scope),
        """
        @pytest.fixture
        def sync(f): return var.get()
        @pytest.fixture
        def outside(): return var.get()
        @pytest.fixture
        async def coroutine(f): return var.get()
        @pytest.fixture
        async def generator(coroutine):
            yield var.get()
            assert var.get() == "f"
        class TestIt:
            async def test_async(self, f, sync, outside, coroutine, generator):
                assert [var.get(), sync, outside, coroutine, generator] == ["f"] * 5
                await trio.lowlevel.checkpoint()
                assert var.get() == "f"
                async with trio.open_nursery() as nursery:
                    async def child():
                        assert var.get() == "f"
                    nursery.start_soon(child)
                assert await trio.to_thread.run_sync(var.get) == "f"
                async def get():
                    return var.get()
                assert await_(get()) == "f"
            def test_sync(self, f, sync, outside, generator):
                assert [var.get(), sync, outside, generator] == ["f"] * 4
                async def get():
                    return var.get()
                assert await_(get()) == "f"
            def test_outside(self):
                trace(f"outside {var.get()}")
            async def test_without(self):
                trace(f"without {var.get()}")
        """,
    )
    vars_suite.write(
        "test_later.py",
        "from variable import var\nfrom trace import trace\n"
        "def test_later(): trace(f'later {var.get()}')\n"
        "async def test_later_too(): trace(f'later too {var.get()}')\n",
    )
    result = vars_suite.run()
    assert result.phases == dict.fromkeys(result.phases, "passed passed passed")
    here = "default" if scope == "function" else "f"
    later = "f" if scope in {"session", "package"} else "default"
    assert result.trace == [
        "before test_async default",
        "hook f",
        f"before test_sync {here}",
        "hook f",
        f"before test_outside {here}",
        f"hook {here}",
        f"outside {here}",
        f"before test_without {here}",
        f"hook {here}",
        f"without {here}",
        f"before test_later {later}",
        f"hook {later}",
        f"later {later}",
        f"before test_later_too {later}",
        f"hook {later}",
        f"later too {later}",
        "end default",
    ]


def test_fixtures_nest(vars_suite: Suite) -> None:
    write_tests(
        vars_suite,
        """
        def make(name, scope):
            @pytest.fixture(scope=scope, name=name)
            async def fixture():
                before = var.get()
                with setting(f"{before} {name}"):
                    yield
                    trace(f"{name} down: {var.get()}")
                assert var.get() == before
            return fixture
        s, m, f, g = make("s", "session"), make("m", "module"), make("f", "function"), make("g", "function")
        async def test_a(s, m, f, g): trace("a: " + var.get())
        def test_b(g, f): trace("b: " + var.get())
        async def test_c(): trace("c: " + var.get())
        """,
    )
    result = vars_suite.run()
    assert set(result.outcomes.values()) == {"passed"}
    assert result.trace == [
        "a: default s m f g",
        "g down: default s m f g",
        "f down: default s m f",
        "b: default s m g f",
        "f down: default s m g f",
        "g down: default s m g",
        "c: default s m",
        "m down: default s m",
        "s down: default s",
    ]


def test_what_a_test_sets_never_reaches_another_test(vars_suite: Suite) -> None:
    write_tests(
        vars_suite,
        """
        @pytest.fixture(scope="session", autouse=True)
        async def s():
            other.set("s")
            yield
            assert var.get() == "default"
            assert other.get() == "s"
        @pytest.fixture(autouse=True)
        async def f():
            yield
            trace(f"f down {var.get()} {other.get()}")
        @pytest.fixture
        async def inside(): pass
        async def test_a(nursery):
            assert var.get() == "default"
            var.set("a")
            other.set("a")
            await trio.lowlevel.checkpoint()
            done = trio.Event()
            async def child():
                assert (var.get(), other.get()) == ("a", "a")
                var.set("child")
                done.set()
            nursery.start_soon(child)
            await done.wait()
            assert var.get() == "a"
        async def test_b():
            assert (var.get(), other.get()) == ("default", "s")
            var.set("b")
        def test_inside(inside):
            assert (var.get(), other.get()) == ("default", "s")
            var.set("inside")
            other.set("inside")
        def test_c():
            assert (var.get(), other.get()) == ("default", "s")
        """,
    )
    result = vars_suite.run()
    assert set(result.phases.values()) == {"passed passed passed"}
    assert result.trace == ["f down default s"] * 4


def test_sync_code_and_hooks_are_seen_by_async_code(vars_suite: Suite) -> None:
    vars_suite.write(
        "conftest.py",
        """
        from variable import var, other
        other.set("conftest")
        def pytest_runtest_setup(item): var.set(item.name)
        """,
    )
    write_tests(
        vars_suite,
        """
        third = __import__("contextvars").ContextVar("third", default="default")
        @pytest.fixture
        async def f():
            assert other.get() == "conftest"
            return var.get()
        @pytest.fixture
        def plain():
            token = third.set("plain")
            yield
            third.reset(token)
        @pytest.fixture
        async def on_plain(plain):
            assert third.get() == "plain"
        async def test_a(f, on_plain):
            assert f == var.get() == "test_a"
            assert third.get() == "plain"
            assert other.get() == "conftest"
        async def test_b(f):
            assert f == var.get() == "test_b"
            assert third.get() == "default"
        """,
    )
    result = vars_suite.run()
    assert set(result.phases.values()) == {"passed passed passed"}, result.output


def test_what_a_fixture_sets_is_seen_after_getfixturevalue(vars_suite: Suite) -> None:
    write_tests(
        vars_suite,
        *(
            source.format(scope="function").replace("def f(", f"def f{i}(")
            for i, source in enumerate(KINDS.values())
        ),
        f"""
        names = [f"f{{i}}" for i in range({len(KINDS)})]
        """,
        """
        @pytest.fixture
        async def coroutine(request, name):
            request.getfixturevalue(name)
            assert var.get() == "f"
        @pytest.fixture
        async def generator(request, name):
            request.getfixturevalue(name)
            assert var.get() == "f"
            yield
            assert var.get() == "f"
        @pytest.fixture
        def sync(request, name):
            request.getfixturevalue(name)
            assert var.get() == "f"
            yield
            assert var.get() == "f"
        @pytest.mark.parametrize("name", names)
        class TestIt:
            async def test_async(self, request, name):
                request.getfixturevalue(name)
                assert var.get() == "f"
            def test_sync(self, request, name):
                request.getfixturevalue(name)
                assert var.get() == "f"
            @pytest.mark.parametrize("through", ["coroutine", "generator", "sync"])
            async def test_through(self, request, name, through):
                request.getfixturevalue(through)
                assert var.get() == "f"
            async def test_static(self, name, coroutine, generator, sync):
                assert var.get() == "f"
            async def test_after(self, name):
                assert var.get() == "default"
        """,
    )
    result = vars_suite.run()
    failed = {name for name, phases in result.phases.items() if phases != "passed passed passed"}
    assert failed == set(), result.output
    assert len(result.phases) == 7 * len(KINDS)


def test_a_real_trio_asyncio_loop_of_a_wide_fixture_is_usable(suite: Suite) -> None:
    suite.tests(
        """
        import asyncio, trio_asyncio
        @pytest.fixture(scope="session")
        async def loop():
            async with trio_asyncio.open_loop() as loop:
                yield loop
        @pytest.fixture
        async def future(loop):
            return await trio_asyncio.aio_as_trio(asyncio.sleep)(0, "future")
        async def test_a(loop, future):
            assert trio_asyncio.current_loop.get() is loop
            assert future == "future"
            assert await trio_asyncio.aio_as_trio(asyncio.sleep)(0, 3) == 3
            @trio_asyncio.aio_as_trio
            async def main():
                assert asyncio.get_running_loop() is loop
                task = asyncio.create_task(asyncio.sleep(0, 4))
                return await task
            assert await main() == 4
        def test_b(loop):
            assert await_(trio_asyncio.aio_as_trio(asyncio.sleep)(0, 5)) == 5
        async def test_c():
            assert await trio_asyncio.aio_as_trio(asyncio.sleep)(0, 6) == 6
        @pytest.fixture
        async def own():
            async with trio_asyncio.open_loop() as loop:
                yield loop
        @pytest.fixture
        async def on_own(own):
            async with trio_asyncio.open_loop() as loop:
                yield loop
        @pytest.mark.parametrize("i", range(5))
        async def test_d(loop, own, on_own, i):
            assert len({loop, own, on_own}) == 3
            assert trio_asyncio.current_loop.get() is on_own
        def test_e():
            assert asyncio.run(asyncio.sleep(0, 7)) == 7
        """
    )
    # Since Python 3.12 trio-asyncio's import warns of something that goes with Python 3.14.
    result = suite.run_subprocess("-W", "ignore:'AbstractChildWatcher' is:DeprecationWarning")
    assert result.exit_code == 0, result.output
    assert set(result.phases.values()) == {"passed passed passed"}


def test_what_a_fixture_does_not_set_is_none_of_its_business(vars_suite: Suite) -> None:
    vars_suite.write(
        "conftest.py",
        """
        import pytest
        from trace import trace
        from variable import var, other
        def pytest_runtest_setup(item): var.set(item.name)
        @pytest.hookimpl(trylast=True)
        def pytest_runtest_logfinish(): trace(f"{var.get()}, {other.get()}")
        """,
    )
    write_tests(
        vars_suite,
        """
        @pytest.fixture(scope="module")
        async def generator():
            other.set("m")
            yield
        @pytest.fixture(scope="module")
        async def coroutine():
            other.set("m")
        async def test_a(generator, coroutine): pass
        def test_b(): assert (var.get(), other.get()) == ("test_b", "m")
        async def test_c(): assert (var.get(), other.get()) == ("test_c", "m")
        """,
    )
    result = vars_suite.run()
    assert set(result.phases.values()) == {"passed passed passed"}
    assert result.trace == ["test_a, m", "test_b, m", "test_c, other default"]


@pytest.mark.parametrize("fixture", ["gen", "plain"])
def test_what_a_test_sets_is_not_kept_alive_after_it(vars_suite: Suite, fixture: str) -> None:
    write_tests(
        vars_suite,
        f"""
        import gc, weakref
        class Thing: pass
        things = []
        @pytest.fixture
        async def gen():
            yield
        @pytest.fixture
        def plain():
            await_(trio.sleep(0))
        async def test_a(request):
            thing = Thing()
            things.append(weakref.ref(thing))
            var.set(thing)
            await trio.sleep(0)
            request.getfixturevalue("{fixture}")  # needs one more supervisor
        def test_b():
            gc.collect()
            assert things[0]() is None
        """,
    )
    # A run in this process is recorded, with all arguments of all hooks.
    assert vars_suite.run_subprocess().outcomes == {"test_a": "passed", "test_b": "passed"}
