"""The ini value ``trio_fixture_order``."""

from __future__ import annotations

import textwrap

import pytest
from harness import Suite

#: Traces what is set up and torn down, with the letter of its scope, and which test runs.
_RECORDER = """
    import pytest
    from trace import trace

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(fixturedef, request):
        result = yield
        if not fixturedef.argname.startswith("_"):
            trace(f"SETUP {fixturedef.scope[0].upper()} {fixturedef.argname}")
        return result

    def pytest_fixture_post_finalizer(fixturedef):
        if fixturedef.cached_result is not None and not fixturedef.argname.startswith("_"):
            trace(f"TEARDOWN {fixturedef.scope[0].upper()} {fixturedef.argname}")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_call(item):
        trace(item.name)
"""

#: The example of the documentation.
EXAMPLE = """
    @pytest.fixture(scope="module")
    def m(): yield

    class TestF:
        @pytest.fixture(scope="class", autouse=True)
        @classmethod
        def c(cls): yield

        def test_f1(self): pass

        def test_f2(self, m): pass
"""


def _run(suite: Suite, source: str, *arguments: str, order: str = "plan") -> list[str]:
    """Run and return what was traced."""
    suite.write("recorder.py", _RECORDER)
    suite.tests(source)
    suite.ini(f"trio_fixture_order = {order}")
    return suite.run("-p", "recorder", *arguments).trace


def test_wider_fixtures_of_tests_to_come_are_set_up_before_narrower_ones(suite: Suite) -> None:
    assert _run(suite, EXAMPLE) == [
        "SETUP M m",
        "SETUP C c",
        "test_f1",
        "test_f2",
        "TEARDOWN C c",
        "TEARDOWN M m",
    ]


def test_what_no_selected_test_needs_is_not_set_up(suite: Suite) -> None:
    assert _run(suite, EXAMPLE, "-k", "test_f1") == ["SETUP C c", "test_f1", "TEARDOWN C c"]


def test_the_default_is_the_order_of_pytest(suite: Suite) -> None:
    order = ["SETUP C c", "test_f1", "SETUP M m", "test_f2", "TEARDOWN C c", "TEARDOWN M m"]
    assert _run(suite, EXAMPLE, order="pytest") == order
    suite.ini()
    (suite.path / "trace.txt").unlink()
    assert suite.run("-p", "recorder").trace == order


@pytest.mark.parametrize("value", ["", "random", "Plan"])
def test_another_value_is_an_error(suite: Suite, value: str) -> None:
    suite.tests("def test_a(): pass")
    suite.ini(f"trio_fixture_order = {value}")
    result = suite.run()
    assert result.exit_code == pytest.ExitCode.USAGE_ERROR
    assert f"The ini value 'trio_fixture_order' is {value!r}." in result.output


ASYNC = EXAMPLE.replace("def ", "async def ").replace("pass", "await trio.lowlevel.checkpoint()")


def test_async_fixtures_and_tests(suite: Suite) -> None:
    assert _run(suite, ASYNC) == _run_again(suite, EXAMPLE)


def _run_again(suite: Suite, source: str) -> list[str]:
    (suite.path / "trace.txt").unlink()
    return _run(suite, source)


def test_a_suite_without_trio(suite: Suite) -> None:
    suite.write("recorder.py", _RECORDER)
    suite.ini("trio_fixture_order = plan", trio_mode=False)
    suite.write("test_it.py", "import pytest\n" + textwrap.dedent(EXAMPLE))
    suite.write(
        "conftest.py",
        """
        import sys
        from trace import trace
        def pytest_unconfigure():
            trace("trio" in sys.modules)
        """,
    )
    result = suite.run_subprocess("-p", "recorder", "-p", "no:anyio", "-p", "no:hypothesispytest")
    assert result.trace[:2] == ["SETUP M m", "SETUP C c"], result.output
    assert result.trace[-1] == "False"


def test_among_equals_autouse_is_first_and_what_is_parametrized_last(suite: Suite) -> None:
    trace = _run(
        suite,
        """
        @pytest.fixture(scope="module", params=[1, 2])
        def parametrized(request): yield
        @pytest.fixture(scope="module")
        def on_parametrized(parametrized): yield
        @pytest.fixture(scope="module")
        def plain(): yield
        @pytest.fixture(scope="session")
        def wide(): yield
        @pytest.fixture(scope="module", autouse=True)
        def auto(): yield
        @pytest.fixture
        def narrow(): yield
        def test_a(narrow, on_parametrized, plain, wide): pass
        """,
    )
    assert trace == [
        "SETUP S wide",
        "SETUP M auto",
        "SETUP M plain",
        "SETUP M parametrized",
        "SETUP M on_parametrized",
        "SETUP F narrow",
        "test_a[1]",
        "TEARDOWN F narrow",
        "TEARDOWN M on_parametrized",
        "TEARDOWN M parametrized",
        "SETUP M parametrized",
        "SETUP M on_parametrized",
        "SETUP F narrow",
        "test_a[2]",
        "TEARDOWN F narrow",
        "TEARDOWN M on_parametrized",
        "TEARDOWN M parametrized",
        "TEARDOWN M plain",
        "TEARDOWN M auto",
        "TEARDOWN S wide",
    ]


def test_all_that_a_fixture_ahead_requires_comes_with_it_and_the_widest_first(suite: Suite) -> None:
    trace = _run(
        suite,
        """
        @pytest.fixture(scope="session")
        def base(): yield
        @pytest.fixture(scope="module")
        def m(base): yield
        @pytest.fixture(scope="session")
        def late(): yield
        class TestA:
            @pytest.fixture(scope="class", autouse=True)
            @classmethod
            def c(cls): yield
            def test_a(self): pass
            def test_b(self, m): pass
        def test_c(late): pass
        """,
    )
    assert trace[:5] == ["SETUP S base", "SETUP S late", "SETUP M m", "SETUP C c", "test_a"]


def test_a_fixture_is_not_set_up_for_tests_after_the_node_has_been_left(suite: Suite) -> None:
    suite.write("test_z.py", "import pytest\ndef test_z(s): pass")
    suite.write("conftest.py", "import pytest\n@pytest.fixture(scope='session')\ndef s(): yield")
    trace = _run(suite, EXAMPLE, "test_it.py", "test_z.py")
    assert trace[-4:] == ["TEARDOWN M m", "SETUP S s", "test_z", "TEARDOWN S s"]


def test_what_the_test_at_hand_does_not_see_waits_for_its_own(suite: Suite) -> None:
    trace = _run(
        suite,
        """
        @pytest.fixture(scope="module")
        def m(): yield
        @pytest.fixture(scope="module", autouse=True)
        def a(): yield
        def test_a(): pass
        class TestA:
            @pytest.fixture(scope="session")
            @classmethod
            def hidden(cls): yield
            def test_b(self, hidden): pass
        """,
    )
    assert trace[:4] == ["SETUP M a", "test_a", "SETUP S hidden", "test_b"]


@pytest.mark.parametrize("override", ["s", "base"])
def test_what_means_something_else_for_the_test_at_hand_waits(suite: Suite, override: str) -> None:
    trace = _run(
        suite,
        f"""
        @pytest.fixture(scope="session")
        def base(): yield "module's"
        @pytest.fixture(scope="session")
        def s(base): yield base
        @pytest.fixture(scope="module", autouse=True)
        def auto(): yield
        class TestA:
            @pytest.fixture(scope="session")
            @classmethod
            def {override}(cls): yield "class's"
            def test_a(self): pass
        def test_b(s):
            assert s == "module's"
        """,
    )
    assert [line for line in trace if line.startswith("SETUP S ")] == ["SETUP S base", "SETUP S s"]
    assert trace.index("test_b") > trace.index("SETUP S s") > trace.index("test_a") or (
        override == "s" and trace[0] == "SETUP S base"
    )


def test_a_failure_is_that_of_the_test_that_requests_the_fixture(suite: Suite) -> None:
    source = EXAMPLE.replace("def m(): yield", "async def m(): raise ValueError('no m')")
    suite.write("recorder.py", "")
    suite.tests(source)
    suite.ini("trio_fixture_order = plan")
    result = suite.run()
    assert result.outcomes == {"TestF::test_f1": "passed", "TestF::test_f2": "error"}
    assert result.output.count("ValueError: no m") == 2  # the traceback and the summary


def test_a_skip_is_that_of_the_test_that_requests_the_fixture(suite: Suite) -> None:
    suite.tests(EXAMPLE.replace("def m(): yield", "def m(): pytest.skip('no m')"))
    suite.ini("trio_fixture_order = plan")
    assert suite.run().outcomes == {"TestF::test_f1": "passed", "TestF::test_f2": "skipped"}


def test_an_exit_in_a_fixture_ahead_ends_the_run(suite: Suite) -> None:
    suite.tests(EXAMPLE.replace("def m(): yield", "def m(): pytest.exit('enough')"))
    suite.ini("trio_fixture_order = plan")
    result = suite.run()
    assert result.phases == {}
    assert "enough" in result.output


def test_a_test_does_not_depend_on_what_is_set_up_ahead(suite: Suite) -> None:
    """It is not blamed for a crash, is not inside, and knows nothing of it."""
    suite.tests(
        """
        @pytest.fixture(scope="module")
        async def m():
            async with trio.open_nursery() as nursery:
                nursery.start_soon(crash)
                yield

        async def crash():
            await trio.sleep(0.01)
            raise ValueError("crashed")

        class TestF:
            @pytest.fixture(scope="class", autouse=True)
            @classmethod
            def c(cls): yield

            async def test_f1(self, request):
                assert "m" not in request.fixturenames
                with pytest.raises(trio.TooSlowError), trio.fail_after(0.2):
                    await trio.sleep_forever()

            def test_sync(self):
                trio.run(trio.lowlevel.checkpoint)

            async def test_f2(self, m): pass
        """
    )
    suite.ini("trio_fixture_order = plan")
    result = suite.run()
    assert result.outcomes == {
        "TestF::test_f1": "passed",
        "TestF::test_sync": "passed",
        "TestF::test_f2": "error",
    }, result.output


def test_a_test_with_a_clock_of_its_own(suite: Suite) -> None:
    suite.tests(
        """
        from trio.testing import MockClock

        @pytest.fixture(scope="module")
        async def m(): yield

        @pytest.fixture
        def clock() -> MockClock: return MockClock(autojump_threshold=0)

        class TestF:
            @pytest.fixture(scope="class", autouse=True)
            @classmethod
            def c(cls): yield

            @pytest.fixture
            async def narrow(self, clock): yield

            async def test_f1(self, narrow, request):
                await trio.sleep(1000)
                request.getfixturevalue("dynamic")

            async def test_f2(self, m, s): pass

        @pytest.fixture(scope="module")
        def dynamic(): yield

        @pytest.fixture(scope="session")
        async def s(): yield
        """
    )
    suite.ini("trio_fixture_order = plan")
    result = suite.run()
    assert set(result.outcomes.values()) == {"passed"}, result.output


def test_nothing_is_set_up_ahead_while_a_test_is_on_a_loop_of_its_own(suite: Suite) -> None:
    suite.write(
        "conftest.py",
        """
        import pytest
        from trace import trace
        @pytest.hookimpl(tryfirst=True, wrapper=True)
        def pytest_fixture_setup(fixturedef):
            trace(fixturedef.argname)
            return (yield)
        """,
    )
    suite.tests(
        """
        @pytest.fixture(scope="session")
        async def s(): yield

        @pytest.fixture(scope="module")
        def dynamic(): yield

        async def test_a(autojump_clock, request):
            request.getfixturevalue("dynamic")

        async def test_b(s): pass
        """
    )
    suite.ini("trio_fixture_order = plan")
    result = suite.run()
    assert set(result.outcomes.values()) == {"passed"}, result.output
    assert result.trace == ["autojump_clock", "dynamic", "s"]


def test_setup_plan_shows_the_order(suite: Suite) -> None:
    suite.tests(EXAMPLE)
    suite.ini("trio_fixture_order = plan")
    words = [line.split() for line in suite.run("--setup-plan").output.splitlines()]
    assert [word[2] for word in words if word[:1] == ["SETUP"]] == ["m", "c"]


def test_the_plan_shows_the_order(suite: Suite) -> None:
    suite.tests(EXAMPLE)
    suite.ini("trio_fixture_order = plan")
    lines = [line.strip() for line in suite.run("--trio-plan").output.splitlines()]
    start = lines.index("module test_it.py")
    assert lines[start + 1 : start + 5] == ["+ m", "class TestF", "+ c", "test_f1: c"]


def test_a_worker_of_xdist_sets_up_what_its_tests_need_and_no_more(suite: Suite) -> None:
    """It does not know which of the tests it will run."""
    suite.tests(EXAMPLE)
    suite.write("recorder.py", _RECORDER)
    suite.ini("trio_fixture_order = plan")
    result = suite.run_subprocess("-p", "xdist", "-p", "recorder", "-n", "2", "--dist", "each")
    assert set(result.outcomes.values()) == {"passed"}, result.output
    assert result.trace.count("SETUP M m") == 2
    assert result.trace.index("SETUP C c") < result.trace.index("SETUP M m")


def test_an_item_that_comes_again(suite: Suite) -> None:
    suite.write(
        "conftest.py",
        """
        def pytest_collection_modifyitems(items):
            items.append(items[0])
        """,
    )
    assert _run(suite, EXAMPLE)[:3] == ["SETUP M m", "SETUP C c", "test_f1"]
