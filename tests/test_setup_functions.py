"""Set-up functions of modules, classes and tests: async ones are awaited, and all may take fixtures."""

from __future__ import annotations

import re

import pytest
from harness import Suite, every_mode

EVERY_FUNCTION = """
    import sys

    {define} setup_module(module):
        trace(f"setup_module {{module.__name__}}")
    {define} teardown_module(module):
        trace(f"teardown_module {{module.__name__}}")
    {define} setup_function(function):
        trace(f"setup_function {{function.__name__}}")
    {define} teardown_function(function):
        trace(f"teardown_function {{function.__name__}}")

    @pytest.fixture(scope="module", autouse=True)
    def wide():
        trace("wide")
    @pytest.fixture(autouse=True)
    def narrow():
        trace("narrow")

    @pytest.mark.trio
    async def test_a():
        trace("test_a")
    def test_b():
        trace("test_b")

    class TestIt:
        @classmethod
        {define} setup_class(cls):
            trace(f"setup_class {{cls.__name__}}")
        @classmethod
        {define} teardown_class(cls):
            trace(f"teardown_class {{cls.__name__}}")
        {define} setup_method(self, method):
            self.mine = method.__name__
            trace(f"setup_method {{method.__name__}}")
        {define} teardown_method(self):
            trace(f"teardown_method {{self.mine}}")
        @pytest.fixture(autouse=True)
        def of_class(self):
            trace("of_class")
        def test_c(self):
            assert self.mine == "test_c"
        @pytest.mark.trio
        async def test_d(self):
            assert self.mine == "test_d"

    class TestHeir(TestIt):
        pass

    def test_z():
        trace("test_z")
"""


@every_mode
def test_async_ones_are_called_when_sync_ones_are(suite: Suite, trio_mode: bool) -> None:
    suite.tests(EVERY_FUNCTION.format(define="def"), trio_mode=trio_mode)
    like_sync = suite.run()
    (suite.path / "trace.txt").unlink()
    suite.tests(EVERY_FUNCTION.format(define="async def"), trio_mode=trio_mode)
    result = suite.run()
    assert set(result.outcomes.values()) == {"passed"}, result.output
    assert (result.trace, result.phases) == (like_sync.trace, like_sync.phases)
    assert len(result.trace) == 35


def test_they_run_on_the_loop_of_the_session(suite: Suite) -> None:
    suite.tests(
        """
        tokens = set()
        async def note():
            await trio.sleep(0)
            tokens.add(trio.lowlevel.current_trio_token())
        async def setup_module(): await note()
        async def setup_function(): await note()
        async def teardown_function(): await note()
        async def teardown_module():
            await note()
            trace(len(tokens))
        def test_sync(): pass
        async def test_async(): await note()
        """
    )
    assert suite.run().trace == ["1"]


@pytest.mark.parametrize("define", ["def", "async def"])
def test_further_parameters_are_fixtures(suite: Suite, define: str) -> None:
    suite.tests(
        f"""
        @pytest.fixture(scope="module")
        async def server():
            trace("server")
            yield "server"
            trace("end of server")

        @pytest.fixture
        def client(server):
            return server + "'s client"

        {define} setup_module(module, server): trace(f"setup_module {{module.__name__}} {{server}}")
        {define} teardown_module(_, *, server): trace(f"teardown_module {{server}}")
        {define} setup_function(client, request, server):
            trace(f"setup_function {{client.__name__}} {{request.node.name}} {{server}}")
        def test_a(): pass

        class TestIt:
            @classmethod
            {define} setup_class(cls, server): trace(f"setup_class {{cls.__name__}} {{server}}")
            {define} setup_method(self, it, client): trace(f"setup_method {{it.__name__}} {{client}}")
            @staticmethod
            {define} teardown_method(it, client): trace(f"teardown_method {{it.__name__}} {{client}}")
            async def test_b(self): pass
        """
    )
    assert suite.run().trace == [
        "server",
        "setup_module test_it server",
        "setup_function test_a test_a server",
        "setup_class TestIt server",
        "setup_method test_b server's client",
        "teardown_method test_b server's client",
        "teardown_module server",
        "end of server",
    ]


def test_the_fixtures_of_a_tear_down_are_there_before_the_set_up_and_outlive_both(
    suite: Suite,
) -> None:
    suite.tests(
        """
        @pytest.fixture(scope="module")
        def late():
            trace("late")
            yield
            trace("end of late")
        def setup_module(): trace("setup_module")
        async def teardown_module(module, late): trace("teardown_module")
        def test_a(): pass
        """
    )
    assert suite.run().trace == ["late", "setup_module", "teardown_module", "end of late"]


def test_a_parametrized_fixture_parametrizes_the_tests_below(suite: Suite) -> None:
    suite.tests(
        """
        @pytest.fixture(scope="module", params=["x", "y"])
        def name(request): return request.param
        async def setup_module(module, name): trace(f"up {name}")
        async def teardown_module(module, name): trace(f"down {name}")
        def test_a(): trace("a")
        class TestIt:
            def test_b(self): trace("b")
        """
    )
    result = suite.run()
    assert list(result.phases) == [
        "test_a[x]",
        "TestIt::test_b[x]",
        "test_a[y]",
        "TestIt::test_b[y]",
    ]
    assert result.trace == ["up x", "a", "b", "down x", "up y", "a", "b", "down y"]


def test_what_is_not_called_for_a_test_requests_nothing_there(suite: Suite) -> None:
    suite.tests(
        """
        @pytest.fixture(params=[1, 2])
        def number(request): return request.param
        async def setup_function(function, number): trace(f"{function.__name__} {number}")
        def test_a(): pass
        class TestIt:
            async def setup_method(self, method, number): trace(f"{method.__name__} {number}")
            def test_b(self): pass
            class TestInner:
                def test_c(self): pass
        """
    )
    result = suite.run()
    expected = ["test_a[1]", "test_a[2]", "TestIt::test_b[1]", "TestIt::test_b[2]"]
    assert list(result.phases) == [*expected, "TestIt::TestInner::test_c"]
    assert result.trace == ["test_a 1", "test_a 2", "test_b 1", "test_b 2"]


@pytest.mark.parametrize("kind", ["module", "function"])
def test_a_set_up_that_fails_is_an_error_of_every_test_below(suite: Suite, kind: str) -> None:
    suite.tests(
        f"""
        async def setup_{kind}(it):
            await trio.sleep(0)
            raise ValueError("no set-up")
        async def teardown_{kind}(it): trace("never")
        def test_a(): trace("never")
        async def test_b(): trace("never")
        """
    )
    result = suite.run()
    assert result.phases == dict.fromkeys(["test_a", "test_b"], "failed passed")
    assert result.trace == []
    assert result.output.count("E       ValueError: no set-up") == 2
    assert "_setup_functions.py" not in result.output


def test_a_tear_down_that_fails_is_an_error(suite: Suite) -> None:
    suite.tests(
        """
        async def setup_module(): trace("up")
        async def teardown_module(): raise ValueError("no tear-down")
        def test_a(): pass
        def test_b(): pass
        """
    )
    result = suite.run()
    assert result.phases == {"test_a": "passed passed passed", "test_b": "passed passed failed"}
    assert "E   ValueError: no tear-down" in result.output
    assert "_setup_functions.py" not in result.output


def test_a_sync_function_beside_an_async_one_runs_outside(suite: Suite) -> None:
    suite.tests(
        """
        @pytest.fixture(scope="module")
        async def server(): yield
        def setup_module(): trace(trio.run(trio.sleep, 0))
        async def teardown_module(): trace(trio.lowlevel.in_trio_run())
        async def setup_function(function, server): pass
        def teardown_function(function): trace(trio.lowlevel.in_trio_run())
        class TestIt:
            async def setup_method(self): pass
            def teardown_method(self, method, server): trace(trio.lowlevel.in_trio_task())
            async def test_b(self): pass
        async def test_a(): pass
        """
    )
    result = suite.run()
    assert set(result.outcomes.values()) == {"passed"}, result.output
    assert result.trace == ["None", "True", "False", "True"]


def test_the_tear_down_closes_what_the_set_up_has_opened(suite: Suite) -> None:
    suite.tests(
        """
        class TestIt:
            async def setup_method(self):
                self.manager = trio.open_nursery()
                self.nursery = await self.manager.__aenter__()
                self.nursery.start_soon(trio.sleep_forever)
            async def teardown_method(self):
                self.nursery.cancel_scope.cancel()
                await self.manager.__aexit__(None, None, None)
                trace("closed")
            async def test_a(self): assert len(self.nursery.child_tasks) == 1
        """
    )
    result = suite.run()
    assert (result.outcomes, result.trace) == ({"TestIt::test_a": "passed"}, ["closed"])


def test_the_tear_down_leaves_a_nursery_of_the_set_up_in_which_a_task_has_failed(
    suite: Suite,
) -> None:
    suite.tests(
        """
        import trio.testing

        class TestIt:
            async def setup_method(self):
                self.manager = trio.open_nursery()
                self.nursery = await self.manager.__aenter__()

            async def teardown_method(self):
                trace("tear-down")
                await self.manager.__aexit__(None, None, None)

            async def fail(self):
                raise ValueError("boom")

            async def test_a(self):
                self.nursery.start_soon(self.fail)
                await trio.sleep_forever()

            async def test_b(self):
                self.nursery.cancel_scope.cancel()
                await trio.testing.wait_all_tasks_blocked()
        """
    )
    result = suite.run("-rA")
    assert result.phases == {
        "TestIt::test_a": "passed failed passed",
        "TestIt::test_b": "passed failed passed",
    }
    assert result.trace == ["tear-down", "tear-down"]
    assert "ValueError: boom" in result.output
    assert "cancelled the test, but raised no error" in result.output
    assert "opened a nursery" not in result.output


def test_a_nursery_of_a_set_up_that_fails_cancels_its_tear_down(suite: Suite) -> None:
    suite.tests(
        """
        async def fail():
            raise ValueError("boom")

        async def setup_function(function, nursery):
            nursery.start_soon(fail)

        async def teardown_function():
            trace("tear-down")
            await trio.sleep_forever()

        async def test_a():
            await trio.sleep_forever()
        """
    )
    result = suite.run()
    assert result.phases == {"test_a": "passed failed passed"}
    assert result.trace == ["tear-down"]
    assert "ValueError: boom" in result.output


def test_a_nursery_lasts_until_after_the_tear_down(suite: Suite) -> None:
    suite.tests(
        """
        async def serve():
            try:
                await trio.sleep_forever()
            finally:
                trace("cancelled")
        async def setup_module(module, nursery): nursery.start_soon(serve)
        async def teardown_module(): trace("tear-down")
        async def test_a(): await trio.testing.wait_all_tasks_blocked()
        """
    )
    assert suite.run().trace == ["tear-down", "cancelled"]


def test_context_variables_reach_the_tests(suite: Suite) -> None:
    suite.tests(
        """
        import contextvars
        name = contextvars.ContextVar("name", default="nobody")
        async def setup_module(): name.set("module")
        async def teardown_module(): trace(name.get())
        def test_a(): assert name.get() == "module"
        async def test_b(): assert name.get() == "module"
        """
    )
    result = suite.run()
    assert (set(result.outcomes.values()), result.trace) == ({"passed"}, ["module"])


def test_a_test_with_a_loop_of_its_own_is_set_up_there(suite: Suite) -> None:
    suite.tests(
        """
        class TestIt:
            async def setup_method(self): await trio.sleep(1000)
            async def teardown_method(self): trace(trio.current_time())
            async def test_a(self, autojump_clock): assert trio.current_time() == 1000
        """
    )
    result = suite.run()
    assert (result.outcomes, result.trace) == ({"TestIt::test_a": "passed"}, ["1000.0"])


def test_plain_sync_ones_are_left_to_pytest(suite: Suite) -> None:
    suite.tests(
        """
        import functools
        def setup_module(module=None): trace("setup_module")
        def setup_function(function, verbose=False, *rest, **more): trace(f"{verbose} {rest} {more}")
        class TestIt:
            def setup_class(self): trace("setup_class")
            def setup_method(self, method): trace("setup_method")
            async def test_a(self): pass
        async def test_b(): pass
        """
    )
    result = suite.run("--setup-show")
    assert result.trace == ["setup_module", "setup_class", "setup_method", "False () {}"]
    for name in ("module", "function", "class", "method"):
        assert f"_xunit_setup_{name}_fixture" in result.output


def test_what_decorators_pass_is_left_to_pytest(suite: Suite) -> None:
    suite.tests(
        """
        import functools
        from unittest import mock

        def giving_a_value(function):
            @functools.wraps(function)
            def decorated(*arguments):
                return function(*arguments, 42)
            return decorated

        @mock.patch("os.getcwd")
        @mock.patch("os.listdir")
        def setup_module(first, second): trace("module")

        @giving_a_value
        def setup_function(value): trace(f"function {value}")

        class TestIt:
            @mock.patch("os.getcwd")
            def setup_method(self, method, mocked): trace("method")

            @giving_a_value
            def teardown_method(self, method, value): trace(f"end of method {value}")

            def test_a(self): pass

        def test_b(): pass
        """
    )
    result = suite.run()
    assert set(result.outcomes.values()) == {"passed"}, result.output
    assert result.trace == ["module", "method", "end of method 42", "function 42"]


def test_async_ones_may_be_decorated_by_mock(suite: Suite) -> None:
    suite.tests(
        """
        from unittest import mock

        @pytest.fixture(scope="session")
        async def database(): return "database"

        @mock.patch("os.getcwd")
        async def setup_module(module, mocked, database):
            assert isinstance(mocked, mock.Mock)
            trace(f"module {database}")

        class TestIt:
            @mock.patch("os.getcwd", new=None)
            @mock.patch("os.listdir")
            async def setup_method(self, method, mocked, database):
                assert isinstance(mocked, mock.Mock)
                trace(f"method {database}")

            def test_a(self): pass
        """
    )
    result = suite.run()
    assert result.outcomes == {"TestIt::test_a": "passed"}, result.output
    assert result.trace == ["module database", "method database"]


def test_a_fixture_called_like_a_set_up_function_stays_one(suite: Suite) -> None:
    suite.tests(
        """
        @pytest.fixture(scope="module", autouse=True)
        async def setup_module(): trace("fixture")
        async def test_a(): pass
        """
    )
    assert suite.run().trace == ["fixture"]


@pytest.mark.parametrize(("trio_mode", "mark"), [(False, "skipif('False')"), (True, "asyncio")])
def test_without_a_test_of_ours_an_async_one_is_left_to_pytest(
    suite: Suite, trio_mode: bool, mark: str
) -> None:
    suite.ini("markers = asyncio")
    suite.tests(
        f"""
        pytestmark = pytest.mark.{mark}
        async def setup_module(): trace("never")
        def teardown_module(): trace("teardown_module")
        def test_a(): pass
        """,
        trio_mode=trio_mode,
    )
    result = suite.run("-W", "ignore::RuntimeWarning", "-o", "markers=asyncio", "-p", "no:asyncio")
    assert result.outcomes == {"test_a": "passed"}, result.output
    assert result.trace == ["teardown_module"]


def test_one_test_of_ours_is_enough_although_another_comes_first(suite: Suite) -> None:
    suite.tests(
        """
        async def setup_module(): trace("setup_module")
        def test_a(): trace("a")
        @pytest.mark.trio
        async def test_b(): trace("b")
        """,
        trio_mode=False,
    )
    assert suite.run().trace == ["setup_module", "a", "b"]


def test_unittest_classes_may_have_an_async_setup_class(suite: Suite) -> None:
    suite.tests(
        """
        import unittest
        class TestIt(unittest.TestCase):
            @classmethod
            async def setup_class(cls): cls.value = 1
            def test_a(self): self.assertEqual(self.value, 1)
        """
    )
    assert suite.run().outcomes == {"TestIt::test_a": "passed"}


SHOWN = """
    @pytest.fixture(scope="module")
    def server(): "The server."
    async def setup_module(module, server): "Start it."
    class TestIt:
        def teardown_method(self, method, server): pass
        async def test_a(self): pass
"""


@pytest.mark.parametrize("option", ["--setup-show", "--setup-plan"])
def test_names_are_those_of_the_functions(suite: Suite, option: str) -> None:
    suite.tests(SHOWN)
    lines = [line.strip() for line in suite.run(option, "-p", "no:asyncio").output.splitlines()]
    assert [line for line in lines if line.startswith(("SETUP", "TEARDOWN"))] == [
        "SETUP    M server",
        "SETUP    M test_it.py::setup_module (fixtures used: server)",
        "SETUP    F test_it.py::TestIt::teardown_method (fixtures used: server)",
        "TEARDOWN F test_it.py::TestIt::teardown_method",
        "TEARDOWN M test_it.py::setup_module",
        "TEARDOWN M server",
    ]


def test_fixtures_per_test_shows_the_functions(suite: Suite) -> None:
    suite.tests(SHOWN + "    def setup_function(function, server): pass\n")
    output = suite.run("--fixtures-per-test").output
    # pytest 8 names the line after it.
    assert re.search(
        r"^test_it.py::setup_module -- test_it.py:[78]\n    Start it.", output, re.MULTILINE
    )
    assert re.search(
        r"^test_it.py::TestIt::teardown_method -- test_it.py:(9|10)$", output, re.MULTILINE
    )
    assert "setup_function" not in output


def _collection_errors(suite: Suite, source: str, *arguments: str) -> str:
    suite.tests(source)
    result = suite.run(*arguments)
    assert result.exit_code == pytest.ExitCode.INTERRUPTED
    assert (result.phases, result.trace) == ({}, [])
    return result.output


def test_an_unknown_name_is_an_error_of_the_collection(suite: Suite) -> None:
    output = _collection_errors(
        suite,
        """
        @pytest.fixture
        def database(): trace("never")
        def setup_function(function, databse): trace("never")
        def test_a(): trace("never")
        def test_b(): trace("never")
        """,
    )
    assert (
        "test_it.py::setup_function requests the fixture 'databse', which does not exist for "
        "test_it.py::test_a.\n"
        "test_it.py:7\n"
        "Define it where the test can see it, or correct the name: 'database'."
    ) in output
    assert "Interrupted: 1 error during collection" in output


def test_what_is_skipped_by_a_mark_may_take_what_does_not_exist(suite: Suite) -> None:
    suite.tests(
        """
        @pytest.mark.skipif(True, reason="no database")
        class TestIt:
            def setup_class(cls, database): trace("never")
            async def setup_method(self, method, database): trace("never")
            async def test_a(self): trace("never")
            def test_b(self): trace("never")

        def test_c(): pass
        """
    )
    result = suite.run()
    assert result.outcomes == {
        "TestIt::test_a": "skipped",
        "TestIt::test_b": "skipped",
        "test_c": "passed",
    }
    assert result.trace == []


def test_a_narrow_fixture_is_an_error_of_the_collection(suite: Suite) -> None:
    output = _collection_errors(
        suite,
        """
        class TestIt:
            @classmethod
            async def teardown_class(cls, tmp_path): trace("never")
            async def test_a(self): trace("never")
        """,
    )
    assert (
        "test_it.py::TestIt::teardown_class is called once for its class, and requests 'tmp_path' "
        "(scope 'function'), which does not last as long.\n"
        "test_it.py:6\n"
        "Give 'tmp_path' a wider scope, or request it in a narrower set-up function."
    ) in output


def test_a_yield_is_an_error_of_the_collection(suite: Suite) -> None:
    output = _collection_errors(
        suite, "async def setup_module():\n    yield\ndef test_a(): trace('never')"
    )
    assert "ERROR collecting test_it.py" in output
    assert "test_it.py::setup_module contains a 'yield'" in output
    assert "test_it.py:4\nTake the 'yield' out, or make it a fixture." in output


@pytest.mark.parametrize("is_used", [False, True])
def test_nothing_is_loaded_for_a_suite_without_them(suite: Suite, is_used: bool) -> None:
    suite.tests(
        f"""
        {"async def" if is_used else "def"} setup_module(): pass
        class TestIt:
            def setup_method(self, method): pass
            async def test_a(self, pytestconfig):
                plugins = pytestconfig.pluginmanager.get_plugins()
                names = {{type(plugin).__name__ for plugin in plugins}}
                trace(names.isdisjoint({{"SetupFixtures", "DirectoryHooks"}}))
        """
    )
    assert suite.run().trace == [str(not is_used)]


def test_a_plan_shows_them(suite: Suite) -> None:
    suite.write("conftest.py", "async def setup_directory(): pass")
    suite.tests(SHOWN)
    output = suite.run("--trio-plan").output
    for name in ("test_it.py::setup_module", "test_it.py::TestIt::teardown_method"):
        assert name in output
    assert "conftest.py::setup_directory" in output


def test_a_mistake_is_told_once(suite: Suite) -> None:
    output = _collection_errors(
        suite, "async def setup_module(module, nobody): trace('never')\nasync def test_a(): pass"
    )
    assert "Interrupted: 1 error during collection" in output
