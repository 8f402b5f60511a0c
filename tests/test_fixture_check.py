"""Tests that can't be set up are errors of the collection; what pytest lets pass still passes."""

from __future__ import annotations

import textwrap

import pytest
from harness import Result, Suite


def _errors(result: Result) -> list[str]:
    """Return the messages of the errors of the collection."""
    messages: list[list[str]] = []
    for line in result.output.splitlines():
        if line.startswith("_") and "ERROR collecting" in line:
            messages.append([])
        elif line.startswith(("=", "!")):
            if messages:
                break
        elif messages:
            messages[-1].append(line)
    return ["\n".join(message) for message in messages]


def _refuses(suite: Suite, source: str, *messages: str, arguments: tuple[str, ...] = ()) -> None:
    suite.tests(source)
    result = suite.run(*arguments)
    assert _errors(result) == [textwrap.dedent(message).strip() for message in messages]
    assert result.exit_code == pytest.ExitCode.INTERRUPTED
    count = f"{len(messages)} error{'s' if len(messages) > 1 else ''} during collection"
    assert f"Interrupted: {count}" in result.output
    assert result.phases == {}
    assert result.trace == []


def test_a_fixture_that_does_not_exist(suite: Suite) -> None:
    _refuses(
        suite,
        """
        @pytest.fixture
        def server(databse): trace("never")

        @pytest.fixture
        def database(): trace("never")

        def test_before(): trace("never")

        async def test_a(server): trace("never")
        """,
        """
        test_it.py::test_a can't be set up: there is no fixture 'databse'.
            test_a  test_it.py:13
            -> server  test_it.py:5
            -> databse
        Define it where the test can see it, or correct the name: 'database'.
        """,
    )


def test_a_fixture_that_no_name_comes_close_to(suite: Suite) -> None:
    _refuses(
        suite,
        "async def test_a(qqqqq): pass",
        """
        test_it.py::test_a can't be set up: there is no fixture 'qqqqq'.
            test_a  test_it.py:4
            -> qqqqq
        Define it where the test can see it, or correct the name.
        """,
    )


def test_a_cycle(suite: Suite) -> None:
    _refuses(
        suite,
        """
        @pytest.fixture
        async def a(b): pass

        @pytest.fixture
        def b(a): pass

        def test_a(b): pass
        """,
        """
        test_it.py::test_a can't be set up: the fixture 'b' requests itself.
            test_a  test_it.py:11
            -> b  test_it.py:8
            -> a  test_it.py:5
            -> b
        Take out one of these requests.
        """,
    )


def test_a_scope_that_is_too_narrow(suite: Suite) -> None:
    suite.write("conftest.py", "import pytest\n@pytest.fixture\ndef narrow(): pass")
    _refuses(
        suite,
        """
        @pytest.fixture(scope="module")
        async def wide(narrow): pass

        @pytest.fixture
        async def top(wide): pass

        async def test_a(top): pass

        @pytest.mark.parametrize("x", [1, 2])
        async def test_b(wide, x): pass
        """,
        """
        test_it.py::test_a can't be set up: the fixture 'wide' (scope 'module') lasts longer than \
'narrow' (scope 'function'), which it requests.
            test_a  test_it.py:11
            -> top  test_it.py:8
            -> wide  test_it.py:5
            -> narrow  conftest.py:2
        Give 'narrow' the scope 'module', or 'wide' a narrower one.
        Other tests that can't be set up for the same reason: 2.
        """,
    )


def test_a_scope_that_is_too_narrow_in_the_order_of_set_up_only(suite: Suite) -> None:
    # Requested in the order of the arguments, each would find what the other one overrides.
    suite.write(
        "conftest.py",
        "import pytest\n"
        "@pytest.fixture(scope='module')\ndef a(): pass\n"
        "@pytest.fixture(scope='module')\ndef b(): pass",
    )
    _refuses(
        suite,
        """
        @pytest.fixture(scope="module")
        def b(a): pass

        @pytest.fixture
        def a(b): pass

        async def test_a(a, b): pass
        """,
        """
        test_it.py::test_a can't be set up: the fixture 'b' (scope 'module') lasts longer than \
'a' (scope 'function'), which it requests.
            test_a  test_it.py:11
            -> b  test_it.py:5
            -> a  test_it.py:8
        Give 'a' the scope 'module', or 'b' a narrower one.
        """,
    )


def test_each_cause_is_an_error_of_its_own(suite: Suite) -> None:
    suite.tests("async def test_a(one, two): pass\nasync def test_b(one): pass")
    assert [message.splitlines()[0] for message in _errors(suite.run())] == [
        "test_it.py::test_a can't be set up: there is no fixture 'one'.",
        "test_it.py::test_a can't be set up: there is no fixture 'two'.",
        "test_it.py::test_b can't be set up: there is no fixture 'one'.",
    ]


BROKEN = "async def test_a(nobody): trace('never')\nasync def test_b(): trace('b')"


def test_the_rest_runs_if_the_user_wants_to_go_on(suite: Suite) -> None:
    suite.tests(BROKEN)
    result = suite.run("--continue-on-collection-errors")
    assert result.outcomes == {"test_a": "error", "test_b": "passed"}
    assert result.trace == ["b"]
    assert "there is no fixture 'nobody'" in result.output
    assert "fixture 'nobody' not found" in result.output
    assert result.exit_code == pytest.ExitCode.TESTS_FAILED


def test_what_is_not_selected_is_not_looked_at(suite: Suite) -> None:
    suite.tests(BROKEN)
    assert suite.run("-k", "test_b").outcomes == {"test_b": "passed"}


@pytest.mark.parametrize("option", ["--collect-only", "--setup-plan", "--trio-plan"])
def test_is_found_without_a_run(suite: Suite, option: str) -> None:
    _refuses(
        suite,
        BROKEN,
        """
        test_it.py::test_a can't be set up: there is no fixture 'nobody'.
            test_a  test_it.py:4
            -> nobody
        Define it where the test can see it, or correct the name.
        """,
        arguments=(option,),
    )


@pytest.mark.parametrize("option", ["--fixtures", "--fixtures-per-test"])
def test_lists_of_fixtures_are_not_kept_back(suite: Suite, option: str) -> None:
    suite.tests(BROKEN)
    result = suite.run(option)
    assert result.exit_code == 0
    assert "can't be set up" not in result.output


def test_each_worker_of_xdist_finds_it_and_it_is_reported_once(suite: Suite) -> None:
    suite.tests(BROKEN)
    result = suite.run_subprocess("-p", "xdist", "-n", "2")
    assert len(_errors(result)) == 1
    assert result.exit_code != 0


def test_the_errors_are_counted_with_those_of_others(suite: Suite) -> None:
    suite.write("test_other.py", "import nothing_of_this_name")
    suite.tests(BROKEN)
    result = suite.run()
    assert "collected 2 items / 2 errors" in result.output
    assert "Interrupted: 2 errors during collection" in result.output


# ------------------------------------------------------------- whose tests


def test_with_the_plan_every_test_is_looked_at(suite: Suite) -> None:
    suite.tests("def test_a(nobody): pass", trio_mode=False)
    assert len(_errors(suite.run("--trio-plan"))) == 1


@pytest.mark.parametrize("mark", ["", "@pytest.mark.asyncio", "@pytest.mark.anyio"])
def test_suites_of_others_are_left_alone(suite: Suite, mark: str) -> None:
    suite.write("conftest.py", "import pytest\n@pytest.fixture\nasync def unused(): pass")
    suite.tests(
        f"""
        pytestmark = pytest.mark.filterwarnings("ignore")

        def test_a(nobody): pass

        def test_b(unused, nobody): pass

        {mark}
        async def test_c(nobody): pass
        """,
        trio_mode=False,
    )
    suite.ini("markers = asyncio\n  anyio", trio_mode=False)
    result = suite.run()
    assert _errors(result) == []
    assert result.outcomes == dict.fromkeys(["test_a", "test_b", "test_c"], "error")


@pytest.mark.parametrize(
    "source",
    [
        "@pytest.mark.trio\nasync def test_a(nobody): pass",
        "@trio_fixture\ndef ours(): pass\ndef test_a(ours, nobody): pass",
        "def test_a(nursery, nobody): pass\nasync def test_async(): pass",
    ],
    ids=["marked", "trio_fixture", "nursery"],
)
def test_ours_are_looked_at_without_the_mode(suite: Suite, source: str) -> None:
    suite.tests(source, trio_mode=False)
    assert len(_errors(suite.run())) == 1


def test_a_sync_test_of_a_trio_suite_is_left_to_pytest(suite: Suite) -> None:
    suite.tests("def test_a(nobody): pass\nasync def test_b(): pass")
    result = suite.run()
    assert result.outcomes == {"test_a": "error", "test_b": "passed"}


def test_an_async_test_of_unittest_is_left_to_pytest(suite: Suite) -> None:
    suite.tests(
        """
        import unittest

        @pytest.mark.usefixtures("nobody")
        class TestA(unittest.IsolatedAsyncioTestCase):
            async def test_a(self): pass

        async def test_b(): pass
        """
    )
    result = suite.run()
    assert result.outcomes == {"TestA::test_a": "error", "test_b": "passed"}


# ------------------------------------------------------------- what may pass


SILENT = {
    "skip": "@pytest.mark.skip\nasync def test_a(nobody): pass",
    "skipif": "@pytest.mark.skipif(True, reason='x')\nasync def test_a(nobody): pass",
    "xfail": "@pytest.mark.xfail\nasync def test_a(nobody): pass",
    "mark of the module": "pytestmark = pytest.mark.skip\nasync def test_a(nobody): pass",
    "mark of a parameter": """
        @pytest.mark.parametrize("x", [pytest.param(1, marks=pytest.mark.skip)])
        async def test_a(nobody, x): pass
    """,
    "no parameters": "@pytest.mark.parametrize('x', [])\nasync def test_a(nobody, x): pass",
    "autouse fixture": """
        @pytest.fixture(autouse=True)
        def only_with_docker(): pytest.skip("no docker")
        async def test_a(nobody): pass
    """,
    "a fixture's helper": """
        def need(condition):
            if not condition: raise pytest.skip.Exception("no docker")
        @pytest.fixture(autouse=True, scope="session")
        def only_with_docker(): need(False)
        async def test_a(nobody): pass
    """,
    "SkipTest": """
        import unittest
        @pytest.fixture(autouse=True)
        def only_with_docker(): raise unittest.SkipTest("no docker")
        async def test_a(nobody): pass
    """,
    "setup_module": "def setup_module(): pytest.skip('x')\nasync def test_a(nobody): pass",
    "setup_function": "def setup_function(): pytest.skip('x')\nasync def test_a(nobody): pass",
    "setup_method": """
        class TestA:
            def setup_method(self): pytest.skip("x")
            async def test_a(self, nobody): pass
    """,
    "dynamic": """
        async def test_a(request):
            with pytest.raises(pytest.FixtureLookupError):
                request.getfixturevalue("nobody")
    """,
    "direct parameter": "@pytest.mark.parametrize('x', [1])\nasync def test_a(x): pass",
    "builtin": "async def test_a(request, tmp_path, capsys, pytestconfig, caplog): pass",
    "override": """
        @pytest.fixture
        async def tmp_path(tmp_path): return tmp_path
        async def test_a(tmp_path): pass
    """,
    "parameter with a scope": """
        @pytest.fixture(scope="module")
        async def db(request): return request.param
        @pytest.fixture(scope="module")
        async def client(db): return db
        @pytest.mark.parametrize("db", [1], indirect=True, scope="function")
        async def test_a(client): pass
    """,
    "unittest": """
        import unittest
        class TestA(unittest.TestCase):
            def test_a(self): pass
        async def test_b(): pass
    """,
}


@pytest.mark.parametrize("source", SILENT.values(), ids=SILENT)
def test_passes_as_without_the_plugin(suite: Suite, source: str) -> None:
    suite.tests(source)
    result = suite.run()
    assert _errors(result) == []
    assert set(result.outcomes.values()) <= {"passed", "skipped", "xfailed"}, result.output
    assert result.outcomes


HOOKS = {
    "skips": """
        def pytest_runtest_setup(item):
            pytest.skip("not today")
    """,
    "marks": """
        def pytest_collection_modifyitems(items):
            items[0].add_marker("skip")
    """,
    "skips in a helper": """
        def not_today():
            pytest.skip("not today")
        def pytest_runtest_protocol(item):
            item.addfinalizer
        def pytest_runtest_setup(item):
            not_today()
    """,
    "fills in": """
        @pytest.hookimpl(tryfirst=True)
        def pytest_runtest_setup(item):
            item.funcargs["nobody"] = 1
    """,
    "fills in early": """
        def pytest_collection_modifyitems(items):
            items[0].funcargs["nobody"] = 1
    """,
    "registers": """
        def pytest_runtestloop(session):
            register = session._fixturemanager._register_fixture
            arguments = {"name": "nobody", "func": lambda: 1}
            if hasattr(pytest, "register_fixture"):
                register(node=session, **arguments)
            else:
                register(nodeid="", **arguments)
    """,
    "registers early": """
        def pytest_collection_modifyitems(session, items):
            class Plugin:
                @pytest.fixture
                def nobody(self): return 1
            session.config.pluginmanager.register(Plugin())
    """,
}


@pytest.mark.parametrize("hook", HOOKS.values(), ids=HOOKS)
def test_hooks_may_let_a_test_pass(suite: Suite, hook: str) -> None:
    suite.write("conftest.py", "import pytest\n" + textwrap.dedent(hook))
    suite.tests("async def test_a(nobody): pass")
    result = suite.run()
    assert _errors(result) == []
    assert set(result.outcomes.values()) <= {"passed", "skipped"}, result.output


def test_a_hook_that_provides_fixtures_hides_no_scope(suite: Suite) -> None:
    suite.write("conftest.py", "def pytest_runtest_setup(item): item.funcargs['x'] = 1")
    suite.tests(
        """
        @pytest.fixture
        def narrow(): pass
        @pytest.fixture(scope="module")
        async def wide(narrow): pass
        async def test_a(wide): pass
        async def test_b(nobody): pass
        """
    )
    (message,) = _errors(suite.run())
    assert "lasts longer than 'narrow'" in message


def test_doctests_and_items_of_others_are_left_alone(suite: Suite) -> None:
    suite.write(
        "conftest.py",
        """
        import pytest
        class Item(pytest.Item):
            def runtest(self): pass
        class File(pytest.File):
            def collect(self):
                yield Item.from_parent(self, name="line")
        def pytest_collect_file(file_path, parent):
            if file_path.suffix == ".lines":
                return File.from_parent(parent, path=file_path)
        """,
    )
    suite.write("a.lines", "")
    suite.tests('"""\n>>> 1\n1\n"""\nasync def test_a(): pass', prelude=False)
    result = suite.run("--doctest-modules")
    assert set(result.outcomes.values()) == {"passed"}
    assert len(result.outcomes) == 3
