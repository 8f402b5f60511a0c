"""Which tests and fixtures are ours, and that all others are left alone."""

from __future__ import annotations

import pytest
from harness import Suite, every_mode

ASYNCIO = ("-p", "pytest_asyncio.plugin")
ANYIO = ("-p", "anyio.pytest_plugin")

_WHERE = """
import sniffio
async def where():
    return sniffio.current_async_library()
"""


@pytest.fixture
def where(suite: Suite) -> Suite:
    suite.write("where.py", _WHERE)
    return suite


MARKED = {
    "function": """
        @pytest.mark.trio
        async def test_it(f): trace(f)
        """,
    "class": """
        @pytest.mark.trio
        class TestIt:
            async def test_it(self, f): trace(f)
        """,
    "pytestmark": """
        pytestmark = pytest.mark.trio
        async def test_it(f): trace(f)
        """,
    "pytestmark list": """
        pytestmark = [pytest.mark.trio]
        class TestIt:
            async def test_it(self, f): trace(f)
        """,
    "class pytestmark": """
        class TestIt:
            pytestmark = [pytest.mark.trio]
            async def test_it(self, f): trace(f)
        """,
    "inherited": """
        @pytest.mark.trio
        class Base:
            async def test_it(self, f): trace(f)
        class TestIt(Base): pass
        """,
    "parameter": """
        @pytest.mark.parametrize("x", [pytest.param(1, marks=pytest.mark.trio)])
        async def test_it(x, f): trace(f)
        """,
    "twice": """
        pytestmark = pytest.mark.trio
        @pytest.mark.trio
        @pytest.mark.trio()
        async def test_it(f): trace(f)
        """,
}
_FIXTURE = """
@pytest.fixture
async def f():
    await trio.lowlevel.checkpoint()
    yield "f"
    await trio.lowlevel.checkpoint()
    trace("f down")
"""


def dedent(source: str) -> str:
    import textwrap

    return textwrap.dedent(source)


@every_mode
@pytest.mark.parametrize("how", MARKED)
def test_a_marked_test_and_its_fixtures_are_ours(suite: Suite, how: str, trio_mode: bool) -> None:
    suite.tests(_FIXTURE + dedent(MARKED[how]), trio_mode=trio_mode)
    result = suite.run("--strict-markers", "--strict-config")
    assert list(result.phases.values()) == ["passed passed passed"]
    assert result.trace == ["f", "f down"]


LATE = {
    "collection": """
        import pytest
        def pytest_collection_modifyitems(items):
            for item in items:
                item.add_marker(pytest.mark.trio)
        """,
    "collection, by name": """
        def pytest_collection_modifyitems(items):
            for item in items:
                item.add_marker("trio")
        """,
    "itemcollected": """
        def pytest_itemcollected(item):
            item.add_marker("trio")
        """,
    "set-up": """
        def pytest_runtest_setup(item):
            item.add_marker("trio")
        """,
    "request.applymarker": """
        import pytest
        @pytest.fixture(autouse=True)
        def mark(request):
            request.applymarker("trio")
        """,
}


@pytest.mark.parametrize("when", LATE)
def test_a_mark_may_come_late(suite: Suite, when: str) -> None:
    suite.write("conftest.py", LATE[when])
    suite.tests(_FIXTURE + "async def test_it(f): trace(f)\n", trio_mode=False)
    result = suite.run()
    assert result.phases == {"test_it": "passed passed passed"}
    assert result.trace == ["f", "f down"]


def test_a_mark_may_come_with_the_call(suite: Suite) -> None:
    """As in a suite that parametrizes its tests over event loops."""
    suite.write(
        "conftest.py",
        """
        import inspect, pytest
        @pytest.hookimpl(tryfirst=True)
        def pytest_pyfunc_call(pyfuncitem):
            if inspect.iscoroutinefunction(pyfuncitem.obj):
                pytest.mark.trio(pyfuncitem.obj)
        """,
    )
    suite.tests(
        """
        async def test_it(monkeypatch):
            trace(await trio.to_thread.run_sync(lambda: 3))
        class TestIt:
            def test_sync(self): pass
        """,
        trio_mode=False,
    )
    result = suite.run()
    assert set(result.phases.values()) == {"passed passed passed"}
    assert result.trace == ["3"]


def test_without_trio_mode_the_unmarked_are_not_ours(suite: Suite) -> None:
    suite.tests(
        """
        async def f(): trace("f")
        g = pytest.fixture(f, name="g")
        h = pytest.fixture(f, name="h")
        f = pytest.fixture(f, name="f")
        @trio_fixture
        async def ours():
            trace("ours")
            return 1
        async def test_a(): trace("never")
        async def test_b(f): trace("never")
        def test_c(g): trace("never")
        def test_d(ours): trace(f"d {ours}")
        @pytest.mark.trio
        async def test_e(h, ours): pass
        """,
        trio_mode=False,
    )
    result = suite.run()
    assert result.phases == {
        "test_a": "passed failed passed",
        "test_b": "failed passed",
        "test_c": "failed passed",
        "test_d": "passed passed passed",
        "test_e": "passed passed passed",
    }
    assert result.trace == ["ours", "d 1", "f", "ours"]
    assert result.output.count("pytest does not natively support it") == 2
    assert "async def functions are not natively supported" in result.output


@pytest.mark.parametrize("value", ["1", "true", "yes", "on"])
def test_trio_mode_takes_all_async_tests_and_fixtures(suite: Suite, value: str) -> None:
    suite.tests(_FIXTURE + "async def test_a(f): trace(f)\ndef test_b(f): trace('b')\n")
    suite.ini(f"trio_mode = {value}", trio_mode=False)
    result = suite.run("--strict-config")
    assert result.phases == {
        "test_a": "passed passed passed",
        "test_b": "passed passed passed",
    }
    assert result.trace == ["f", "f down", "b", "f down"]


@pytest.mark.parametrize("value", ["0", "false", "no", "off"])
def test_trio_mode_may_be_off(suite: Suite, value: str) -> None:
    suite.tests("async def test_a(): trace('never')\n", trio_mode=False)
    suite.ini(f"trio_mode = {value}", trio_mode=False)
    assert suite.run().outcomes == {"test_a": "failed"}


@pytest.mark.parametrize(
    "source",
    [
        "from pytest_trio_scoped.enable_trio_mode import *",
        "from pytest_trio_scoped.enable_trio_mode import pytest_collection_modifyitems",
    ],
)
def test_a_conftest_may_switch_trio_mode_on(suite: Suite, source: str) -> None:
    suite.write("conftest.py", source)
    suite.tests(
        _FIXTURE
        + dedent(
            """
            async def test_a(f): trace(f)
            def test_b(f): trace("b")
            @pytest.mark.asyncio
            async def test_c(): trace("never")
            """
        ),
        trio_mode=False,
    )
    suite.ini("markers = asyncio", trio_mode=False)
    result = suite.run("--strict-markers")
    assert result.outcomes == {"test_a": "passed", "test_b": "passed", "test_c": "failed"}
    assert result.trace == ["f", "f down", "b", "f down"]
    assert suite.run("-m", "trio").phases == {"test_a": "passed passed passed"}


def test_the_conftest_of_an_installed_package_may_switch_trio_mode_on(suite: Suite) -> None:
    suite.write("package/__init__.py", "")
    suite.write(
        "package/conftest.py", "from pytest_trio_scoped.enable_trio_mode import *\nimport package"
    )
    suite.write("package/_tests/__init__.py", "")
    suite.write(
        "package/_tests/test_it.py",
        "import pytest, trio\nfrom trace import trace\n"
        + _FIXTURE
        + "async def test_a(f): trace(f)",
    )
    suite.ini(trio_mode=False)
    result = suite.run("--pyargs", "package")
    assert result.phases == {"test_a": "passed passed passed"}
    assert result.trace == ["f", "f down"]
    assert suite.run("--pyargs", "package", "-m", "not trio").phases == {}


@pytest.mark.parametrize("trio_mode", [True, False])
def test_minus_m_selects(suite: Suite, trio_mode: bool) -> None:
    suite.tests(
        """
        async def test_async(): pass
        @pytest.mark.trio
        async def test_marked(): pass
        def test_sync(): pass
        @pytest.mark.anyio
        async def test_foreign(): pass
        class TestIt:
            async def test_method(self): pass
            @staticmethod
            async def test_static(): pass
        async def test_generator():
            yield
        """,
        trio_mode=trio_mode,
    )
    suite.ini("markers = anyio", trio_mode=trio_mode)
    expected = {"test_marked"}
    if trio_mode:
        expected |= {"test_async", "TestIt::test_method", "TestIt::test_static"}
    selected = set(suite.run("-m", "trio").phases) - {"test_generator"}
    assert selected == expected
    others = set(suite.run("-m", "not trio").phases)
    assert others >= {"test_sync", "test_foreign"}
    assert not others & expected


def test_answers_to_the_name_of_pytest_trio(suite: Suite) -> None:
    suite.write(
        "conftest.py",
        """
        from trace import trace
        def pytest_collection_modifyitems(config):
            trace(config.pluginmanager.has_plugin("trio"))
            trace(config.pluginmanager.hasplugin("trio_scoped"))
        """,
    )
    suite.tests("def test_it(pytestconfig): trace(pytestconfig.pluginmanager.has_plugin('trio'))")
    assert suite.run().trace == ["True", "True", "True"]


@every_mode
def test_trio_fixture_takes_every_argument_of_pytest_fixture(suite: Suite, trio_mode: bool) -> None:
    suite.tests(
        """
        seen = []
        @trio_fixture
        async def bare(): return "bare"
        @trio_fixture()
        async def empty(): yield "empty"
        @trio_fixture(scope="module")
        async def module(): yield object()
        @trio_fixture(scope=lambda fixture_name, config: "module")
        async def dynamic(): return object()
        @trio_fixture(params=["x", "y"], ids=["first", "second"])
        async def params(request): return request.param
        @trio_fixture(params=[1, 2], ids=lambda x: f"n{x}", scope="module")
        def sync_params(request):
            assert trio.lowlevel.in_trio_task()
            yield request.param
        @trio_fixture(name="other")
        async def named(): return "named"
        @trio_fixture(autouse=True)
        async def auto(): trace("auto")
        class TestIt:
            @trio_fixture
            async def method(self):
                self.x = 3
                yield self
            @trio_fixture
            @staticmethod
            async def static(): return "static"
            @trio_fixture(scope="class")
            @classmethod
            async def cls(cls): yield cls
            @trio_fixture(scope="class")
            @classmethod
            def sync_cls(cls):
                assert trio.lowlevel.in_trio_task()
                return cls
            def test_methods(self, method, static, cls, sync_cls):
                assert method is self
                assert self.x == 3
                assert static == "static"
                assert cls is sync_cls is TestIt
        def test_a(bare, empty, other):
            assert [bare, empty, other] == ["bare", "empty", "named"]
        def test_b(module, dynamic):
            seen.append({module, dynamic})
        @pytest.mark.trio
        async def test_c(module, dynamic):
            assert seen == [{module, dynamic}]
        def test_d(params): trace(params)
        def test_e(sync_params): trace(sync_params)
        """,
        trio_mode=trio_mode,
    )
    result = suite.run()
    assert result.phases == dict.fromkeys(
        [
            *("TestIt::test_methods", "test_a", "test_b", "test_c"),
            *("test_d[first]", "test_d[second]", "test_e[n1]", "test_e[n2]"),
        ],
        "passed passed passed",
    )
    assert [line for line in result.trace if line != "auto"] == ["x", "y", "1", "2"]
    assert result.trace.count("auto") == 8


def test_trio_fixture_refuses_what_pytest_fixture_refuses(suite: Suite) -> None:
    suite.tests(
        """
        def test_it():
            with pytest.raises(TypeError):
                trio_fixture(nonsense=1)(lambda: None)
            with pytest.raises(ValueError, match="more than once"):
                @trio_fixture
                @pytest.fixture
                async def f(): pass
            with pytest.raises(ValueError, match="class fixtures not supported"):
                @trio_fixture
                class F: pass
        """
    )
    result = suite.run()
    assert result.phases == {"test_it": "passed passed passed"}, result.output


@every_mode
def test_a_marked_sync_function_is_an_error(suite: Suite, trio_mode: bool) -> None:
    suite.tests(
        """
        @pytest.mark.trio
        def test_sync(): trace("never")
        @pytest.mark.trio
        class TestIt:
            def test_method(self, nursery): trace("never")
            async def test_async(self): trace("async")
        """,
        trio_mode=trio_mode,
    )
    result = suite.run()
    assert result.phases == {
        "test_sync": "passed failed passed",
        "TestIt::test_method": "passed failed passed",
        "TestIt::test_async": "passed passed passed",
    }
    assert result.trace == ["async"]
    for name in ["test_it.py::test_sync", "test_it.py::TestIt::test_method"]:
        assert (
            f"{name} is marked 'trio' but is not async, so it would never run on the loop.\n"
            "Make it 'async def', or remove the mark: a sync test may use async fixtures without it."
        ) in result.output


@every_mode
def test_an_async_generator_is_no_test(suite: Suite, trio_mode: bool) -> None:
    suite.tests(
        """
        @pytest.mark.trio
        async def test_generator():
            trace("never")
            yield
        async def test_after_pause(): await trio.lowlevel.checkpoint()
        """,
        trio_mode=trio_mode,
    )
    result = suite.run()
    assert result.outcomes["test_generator"] in {"failed", "error"}
    assert result.trace == []
    assert "never awaited" not in result.output


@every_mode
def test_a_test_that_returns_something_is_treated_as_a_sync_one(
    suite: Suite, trio_mode: bool
) -> None:
    suite.tests(
        """
        @pytest.mark.trio
        async def test_one():
            return 3
        def test_two():
            return 3
        """,
        trio_mode=trio_mode,
    )
    result = suite.run()
    assert result.phases == {
        "test_one": "passed failed passed",
        "test_two": "passed failed passed",
    }
    # Which words pytest has for it depends on its version.
    said = [line for line in result.output.splitlines() if " returned " in line]
    assert said
    of_async, of_sync = said[::2], said[1::2]
    assert of_async == [line.replace("test_two", "test_one") for line in of_sync]


@every_mode
def test_a_test_with_a_yield_is_refused(suite: Suite, trio_mode: bool) -> None:
    suite.tests(
        """
        @pytest.mark.trio
        async def test_it():
            trace("runs")
            yield
        """,
        trio_mode=trio_mode,
    )
    result = suite.run()
    assert result.outcomes == {"test_it": "failed"}
    assert "test_it.py::test_it: an async test must not contain 'yield'" in result.output
    assert result.trace == []


def test_other_kinds_of_items_are_untouched(suite: Suite) -> None:
    suite.write(
        "conftest.py",
        """
        import pytest
        from trace import trace
        class Item(pytest.Item):
            def runtest(self): trace("custom item")
            def reportinfo(self): return self.path, 0, self.name
        class File(pytest.File):
            def collect(self): yield Item.from_parent(self, name="item")
        def pytest_collect_file(file_path, parent):
            if file_path.suffix == ".custom":
                return File.from_parent(parent, path=file_path)
        """,
    )
    suite.write("it.custom", "")
    suite.write("it.txt", ">>> 1 + 1\n2\n")
    suite.tests(
        '''
        import unittest
        def documented():
            """
            >>> 1 + 1
            2
            """
        class SyncCase(unittest.TestCase):
            def setUp(self): trace("setUp")
            def test_sync(self): trace("unittest")
        class AsyncCase(unittest.IsolatedAsyncioTestCase):
            async def test_async(self):
                import sniffio
                trace(sniffio.current_async_library())
        async def test_ours():
            await trio.lowlevel.checkpoint()
        '''
    )
    result = suite.run_subprocess(
        "--doctest-modules", "--doctest-glob=*.txt", "test_it.py", "it.custom", "it.txt"
    )
    assert result.phases == dict.fromkeys(
        [
            *("test_it.documented", "SyncCase::test_sync", "AsyncCase::test_async", "test_ours"),
            *("item", "it.txt"),
        ],
        "passed passed passed",
    ), result.output
    assert result.trace == ["setUp", "unittest", "asyncio", "custom item"]


@every_mode
def test_a_marked_unittest_is_an_error(suite: Suite, trio_mode: bool) -> None:
    suite.tests(
        """
        import unittest
        class Case(unittest.TestCase):
            @pytest.mark.trio
            async def test_async(self): trace("never")
            def test_sync(self): trace("sync")
        """,
        trio_mode=trio_mode,
    )
    result = suite.run_subprocess()
    assert result.phases == {
        "Case::test_async": "passed failed passed",
        "Case::test_sync": "passed passed passed",
    }
    assert result.trace == ["sync"]
    assert "is marked 'trio' but is a method of a unittest.TestCase" in result.output
    assert "never awaited" not in result.output


@every_mode
@pytest.mark.parametrize("loop_scope", ["function", "session"])
def test_each_test_runs_once_on_its_own_loop(
    where: Suite, trio_mode: bool, loop_scope: str
) -> None:
    """With pytest-asyncio in strict mode, and anyio's plugin."""
    where.tests(
        """
        import pytest_asyncio
        from where import where
        pytest_plugins = []
        async def say(text):
            trace(f"{text} {await where()}")
        @pytest_asyncio.fixture(loop_scope="session", scope="session")
        async def asyncio_wide():
            await say("asyncio_wide up"); yield; await say("asyncio_wide down")
        @pytest_asyncio.fixture
        async def asyncio_fixture():
            await say("asyncio_fixture up"); yield; await say("asyncio_fixture down")
        @pytest.fixture(scope="session")
        async def anyio_fixture(anyio_backend):
            await say("anyio_fixture up"); yield; await say("anyio_fixture down")
        @pytest.fixture(scope="session")
        def anyio_backend(): return "asyncio"
        @trio_fixture(scope="session")
        async def trio_wide():
            await say("trio_wide up"); yield; await say("trio_wide down")
        @pytest.fixture
        async def plain():
            await say("plain up"); yield; await say("plain down")

        @pytest.fixture
        def on_plain(plain):
            trace(f"on_plain {'inside' if trio.lowlevel.in_trio_run() else 'outside'}")

        @pytest.mark.trio
        async def test_trio(trio_wide, plain, on_plain):
            await say("test_trio")
        @pytest.mark.asyncio
        async def test_asyncio(asyncio_wide, asyncio_fixture):
            await say("test_asyncio")
        @pytest.mark.anyio
        async def test_anyio(anyio_fixture):
            await say("test_anyio")
        @pytest.mark.trio
        async def test_trio_again(trio_wide):
            await say("test_trio_again")
        @pytest.mark.filterwarnings("ignore:asyncio test")  # pytest-asyncio takes it for a mistake
        @pytest.mark.asyncio
        async def test_asyncio_with_our_fixture(trio_wide, asyncio_wide):
            await say("test_asyncio_with_our_fixture")
        @pytest.mark.anyio
        async def test_anyio_plain(plain, on_plain):
            await say("test_anyio_plain")
        @pytest_asyncio.fixture
        async def asyncio_on_trio(trio_wide):
            await say("asyncio_on_trio up"); yield; await say("asyncio_on_trio down")
        @pytest.fixture
        async def anyio_on_trio(anyio_backend, trio_wide):
            await say("anyio_on_trio up"); yield; await say("anyio_on_trio down")
        @pytest.mark.filterwarnings("ignore:asyncio test")
        @pytest.mark.asyncio
        async def test_asyncio_on_trio(asyncio_on_trio):
            await say("test_asyncio_on_trio")
        @pytest.mark.anyio
        async def test_anyio_on_trio(anyio_on_trio):
            await say("test_anyio_on_trio")
        def test_sync(asyncio_wide, trio_wide):
            trace("test_sync")
        """,
        trio_mode=trio_mode,
    )
    where.ini(
        f"asyncio_default_fixture_loop_scope = {loop_scope}",
        f"asyncio_default_test_loop_scope = {loop_scope}",
        "asyncio_mode = strict",
        trio_mode=trio_mode,
    )
    result = where.run_subprocess(*ASYNCIO, *ANYIO)
    assert result.phases == dict.fromkeys(
        [
            *("test_trio", "test_asyncio", "test_anyio", "test_trio_again"),
            *("test_asyncio_with_our_fixture", "test_anyio_plain"),
            *("test_asyncio_on_trio", "test_anyio_on_trio", "test_sync"),
        ],
        "passed passed passed",
    ), result.output
    assert result.exit_code == 0
    assert result.trace[:-3] == [
        *("trio_wide up trio", "plain up trio", "on_plain inside", "test_trio trio"),
        "plain down trio",
        *("asyncio_wide up asyncio", "asyncio_fixture up asyncio", "test_asyncio asyncio"),
        "asyncio_fixture down asyncio",
        *("anyio_fixture up asyncio", "test_anyio asyncio"),
        "test_trio_again trio",
        "test_asyncio_with_our_fixture asyncio",
        *("plain up asyncio", "on_plain outside", "test_anyio_plain asyncio"),
        "plain down asyncio",
        *(f"{name} asyncio" for name in ["asyncio_on_trio up", "test_asyncio_on_trio"]),
        "asyncio_on_trio down asyncio",
        *(f"{name} asyncio" for name in ["anyio_on_trio up", "test_anyio_on_trio"]),
        "anyio_on_trio down asyncio",
        "test_sync",
    ]
    assert sorted(result.trace[-3:]) == [
        "anyio_fixture down asyncio",
        "asyncio_wide down asyncio",
        "trio_wide down trio",
    ]


def test_foreign_marks_are_left_alone_without_their_plugins(suite: Suite) -> None:
    suite.tests(
        _FIXTURE
        + dedent(
            """
            @pytest.mark.asyncio
            async def test_asyncio(): trace("never")
            @pytest.mark.anyio
            async def test_anyio(): trace("never")
            @pytest.mark.twisted
            async def test_twisted(f): trace("never")
            @pytest.mark.asyncio
            class TestIt:
                async def test_method(self): trace("never")
                @pytest.fixture
                async def own(self):
                    yield self
                    trace("own down")
                @pytest.mark.trio
                async def test_both(self, own): trace("both")
            """
        )
    )
    suite.ini("markers =", "  asyncio", "  anyio", "  twisted")
    result = suite.run()
    assert result.outcomes == {
        "test_asyncio": "failed",
        "test_anyio": "failed",
        "test_twisted": "error",
        "TestIt::test_method": "failed",
        "TestIt::test_both": "passed",
    }
    assert result.trace == ["both", "own down"]


def test_anyio_tests_on_trio_run_beside_ours(where: Suite) -> None:
    where.tests(
        """
        from where import where
        @pytest.fixture(scope="session", params=["trio", "asyncio"])
        def anyio_backend(request): return request.param
        @pytest.fixture(scope="session")
        async def ours():
            async with trio.open_nursery() as nursery:
                nursery.start_soon(trio.sleep_forever)
                yield trio.lowlevel.current_trio_token()
                nursery.cancel_scope.cancel()
        async def test_ours(ours):
            assert ours is trio.lowlevel.current_trio_token()
            trace(await where())
        @pytest.mark.anyio
        async def test_anyio():
            trace(await where())
        async def test_ours_too(ours):
            assert ours is trio.lowlevel.current_trio_token()
            trace(await where())
        """
    )
    result = where.run_subprocess(*ANYIO)
    assert result.exit_code == 0, result.output
    assert set(result.phases.values()) == {"passed passed passed"}
    assert sorted(result.trace) == ["asyncio", "trio", "trio", "trio"]


def test_fixtures_of_pytest_asyncio_are_left_alone_without_its_plugin(suite: Suite) -> None:
    suite.tests(
        """
        import pytest_asyncio
        @pytest_asyncio.fixture
        async def theirs(): trace("never")
        @pytest.mark.trio
        async def test_it(theirs): trace("never")
        """
    )
    result = suite.run_subprocess()
    assert result.phases == {"test_it": "failed passed"}
    assert result.trace == []
    assert "requested an async fixture 'theirs', with no plugin or hook" in result.output


def test_minus_m_selects_hypothesis_tests_of_trio_mode(suite: Suite) -> None:
    suite.tests(
        """
        from hypothesis import given, strategies as st
        @given(x=st.integers())
        async def test_async(x): pass
        @given(x=st.integers())
        def test_sync(x): pass
        """
    )
    arguments = ("-p", "_hypothesis_pytestplugin", "--collect-only", "-q", "-m")
    assert "test_it.py::test_async\n" in suite.run_subprocess(*arguments, "trio").output
    assert "test_it.py::test_sync\n" in suite.run_subprocess(*arguments, "not trio").output
    assert "test_sync" not in suite.run_subprocess(*arguments, "trio").output
