"""Plain uses in suites that were written for pytest-trio.

Marks that come late, ``enable_trio_mode`` and ``has_plugin("trio")`` have their tests in
``test_ownership.py``; context variables theirs in ``test_contextvars.py``.
"""

from __future__ import annotations

import importlib.util

import pytest
from harness import Suite, every_mode

STRICT = ("--strict-markers", "--strict-config")


@every_mode
def test_nursery_in_sync_fixtures(suite: Suite, trio_mode: bool) -> None:
    suite.tests(
        """
        import trio.testing
        async def serve(task_status=trio.TASK_STATUS_IGNORED, *, receive=None):
            task_status.started()
            try:
                async for item in receive:
                    trace(item)
            finally:
                trace("served")
        async def run(receive):
            await serve(receive=receive)
        @pytest.fixture
        def plain(nursery):
            send, receive = trio.open_memory_channel(3)
            nursery.start_soon(run, receive)
            return send
        @pytest.fixture
        def generator(nursery):
            send, receive = trio.open_memory_channel(3)
            nursery.start_soon(run, receive)
            yield send
            send.send_nowait("bye")
            send.close()
        @trio_fixture
        def ours(nursery):
            send, receive = trio.open_memory_channel(3)
            nursery.start_soon(run, receive)
            return send
        @trio_fixture
        def ours_alone():
            return trio.lowlevel.current_task()
        @pytest.fixture(params=["a", "b"])
        def on_plain(plain, request):
            plain.send_nowait(f"on_plain {request.param}")
            return plain
        @pytest.mark.trio
        async def test_plain(plain):
            await plain.send("plain")
            await trio.testing.wait_all_tasks_blocked()
        @pytest.mark.trio
        async def test_generator(generator):
            await generator.send("generator")
            await trio.testing.wait_all_tasks_blocked()
        @pytest.mark.trio
        async def test_ours(ours, ours_alone):
            assert isinstance(ours_alone, trio.lowlevel.Task)
            await ours.send("ours")
            await trio.testing.wait_all_tasks_blocked()
        @pytest.mark.trio
        async def test_on_plain(on_plain, plain):
            assert on_plain is plain
            await trio.testing.wait_all_tasks_blocked()
        """,
        trio_mode=trio_mode,
    )
    result = suite.run()
    assert set(result.phases.values()) == {"passed passed passed"}
    assert result.trace == [
        *("plain", "served", "generator", "bye", "served", "ours", "served"),
        *("on_plain a", "served", "on_plain b", "served"),
    ]


def test_trio_testing_is_there_without_an_import(suite: Suite) -> None:
    """As in the tests of trio-parallel, of which one hung for want of it."""
    suite.tests("""
        @pytest.fixture
        async def blocked():
            await trio.testing.wait_all_tasks_blocked()
        def test_it(blocked): pass
    """)
    # Not in this process, where others have imported it.
    assert suite.run_subprocess().outcomes == {"test_it": "passed"}


def test_groups_of_nurseries_come_as_they_are(suite: Suite) -> None:
    """Some suites unwrap the groups of nurseries, others expect failures to be groups."""
    suite.tests(
        """
        async def crash(error):
            raise error
        async def test_one_of_the_test_s_own():
            async with trio.open_nursery() as nursery:
                nursery.start_soon(crash, ValueError("a"))
        async def test_expected():
            with pytest.raises(ExceptionGroup) as info:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(crash, ValueError("a"))
            assert info.value.message == "Exceptions from Trio nursery (1 sub-exception)" or (
                "nursery" in info.value.message)
            with pytest.RaisesGroup(pytest.RaisesExc(ValueError, match="b")):
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(crash, ValueError("b"))
        @pytest.mark.xfail(raises=ExceptionGroup, strict=True)
        async def test_xfail():
            async with trio.open_nursery() as nursery:
                nursery.start_soon(crash, ValueError("a"))
        """
    )
    suite.write(
        "conftest.py",
        """
        import pytest
        from trace import trace
        @pytest.hookimpl(wrapper=True)
        def pytest_runtest_call(item):
            try:
                return (yield)
            except BaseExceptionGroup as group:
                trace(f"{item.name}: {group.exceptions!r}")
                raise
        """,
    )
    result = suite.run()
    assert result.outcomes == {
        "test_one_of_the_test_s_own": "failed",
        "test_expected": "passed",
        "test_xfail": "xfailed",
    }
    assert result.trace == [
        "test_one_of_the_test_s_own: (ValueError('a'),)",
        "test_xfail: (ValueError('a'),)",
    ]


def test_parametrized_sync_fixtures_on_async_ones(suite: Suite) -> None:
    suite.tests(
        """
        @pytest.fixture(params=[1, 2])
        async def base(request):
            await trio.lowlevel.checkpoint()
            yield request.param
        @pytest.fixture(params=["a", "b"])
        def on_base(base, request):
            return f"{base}{request.param}"
        @pytest.fixture(params=[None], ids=["x"], scope="module")
        def module(): return "m"
        @pytest.fixture
        def indirect(request, on_base):
            yield f"{on_base}{request.param}"
        @pytest.mark.parametrize("indirect", ["i"], indirect=True)
        async def test_it(on_base, indirect, module):
            trace(f"{on_base} {indirect} {module}")
        """
    )
    result = suite.run()
    assert set(result.outcomes.values()) == {"passed"}
    assert result.trace == ["1a 1ai m", "2a 2ai m", "1b 1bi m", "2b 2bi m"]


def test_functions_wrapped_by_decorators(suite: Suite) -> None:
    suite.tests(
        """
        import contextlib, functools
        from unittest import mock
        def slow(function):
            @functools.wraps(function)
            async def wrapper(*args, **kwargs):
                await trio.lowlevel.checkpoint()
                trace("wrapper")
                return await function(*args, **kwargs)
            return wrapper
        def with_value(function):
            @functools.wraps(function)
            async def wrapper(self, value):
                return await function(self, value=value + 1)
            return wrapper
        @pytest.fixture
        @slow
        async def value():
            return 1
        @slow
        async def test_a(value, nursery):
            assert value == 1
            nursery.start_soon(trio.sleep_forever)
        class TestIt:
            @with_value
            async def test_b(self, value):
                trace(f"b {value}")
            @mock.patch("os.getcwd", return_value="/nowhere")
            async def test_c(self, getcwd, value):
                import os
                assert os.getcwd() == "/nowhere"
                trace(f"c {value}")
            @staticmethod
            @slow
            async def test_d(value):
                trace(f"d {value}")
            test_partial = None
        @contextlib.asynccontextmanager
        async def manager():
            trace("manager up")
            yield
            trace("manager down")
        @manager()
        async def test_e(value):
            trace(f"e {value}")
        """
    )
    result = suite.run()
    assert set(result.phases.values()) == {"passed passed passed"}, result.output
    assert result.trace == [
        *("wrapper", "wrapper"),
        *("wrapper", "b 2"),
        *("wrapper", "c 1"),
        *("wrapper", "wrapper", "d 1"),
        *("wrapper", "manager up", "e 1", "manager down"),
    ]


def test_tests_awaited_by_tests_and_fixtures(suite: Suite) -> None:
    suite.tests(
        """
        @pytest.mark.trio
        async def test_a(x=1):
            await trio.lowlevel.checkpoint()
            trace(f"a {x}")
        @pytest.fixture
        async def f():
            await test_a(2)
            yield
            await test_a(3)
        async def test_b(f):
            await test_a(x=4)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(test_a, 5)
        class TestIt:
            async def test_c(self): trace("c")
            async def test_d(self):
                await self.test_c()
        def test_e():
            trio.run(test_a, 6)
        """
    )
    result = suite.run()
    assert set(result.phases.values()) == {"passed passed passed"}
    assert result.trace == ["a 1", "a 2", "a 4", "a 5", "a 3", "c", "c", "a 6"]


@pytest.mark.parametrize("source", ["filterwarnings = error", ""])
def test_no_warning_and_nothing_unregistered_of_our_own(suite: Suite, source: str) -> None:
    suite.tests(
        """
        @pytest.fixture(scope="session")
        async def s(nursery): yield
        @pytest.mark.trio
        async def test_a(s, nursery): await trio.sleep(0)
        """
    )
    suite.ini(source, "trio_mode = 1", trio_mode=False)
    result = suite.run(*STRICT)
    assert result.exit_code == 0, result.output
    assert "Warning" not in result.output
    assert "warnings summary" not in result.output
    assert "trio: run this async test" in suite.run("--markers").output
    assert "trio_mode (bool)" in " ".join(suite.run("--help").output.split())


def test_strict_markers_still_refuse_others(suite: Suite) -> None:
    suite.tests("@pytest.mark.tri\nasync def test_a(): pass")
    result = suite.run(*STRICT)
    assert result.phases == {}
    assert "'tri' not found in `markers`" in result.output


@pytest.mark.parametrize("distribution", ["one", "load", "loadfile"])
def test_beside_xdist(suite: Suite, distribution: str) -> None:
    suite.tests(
        """
        @pytest.fixture(scope="session")
        async def s():
            async with trio.open_nursery() as nursery:
                nursery.start_soon(trio.sleep_forever)
                yield trio.lowlevel.current_trio_token()
                nursery.cancel_scope.cancel()
            trace("down")
        @pytest.mark.parametrize("i", range(8))
        async def test_a(s, i):
            assert s is trio.lowlevel.current_trio_token()
            await trio.sleep(0)
        def test_b(s):
            assert trio.lowlevel.in_trio_task()
        """
    )
    arguments = ["-n0"] if distribution == "one" else ["-n2", "--dist", distribution]
    result = suite.run_subprocess("-p", "xdist.plugin", *arguments)
    assert result.exit_code == 0, result.output
    assert list(result.phases.values()) == ["passed passed passed"] * 9
    assert set(result.trace) == {"down"}
    assert len(result.trace) == (2 if distribution == "load" else 1)


@every_mode
def test_beside_hypothesis(suite: Suite, trio_mode: bool) -> None:
    """Its sync tests are left alone, as is a database of its own."""
    suite.tests(
        """
        from hypothesis import given, settings, strategies as st
        @pytest.fixture(scope="module")
        async def m():
            yield 1
        @pytest.mark.trio
        async def test_before(m): await trio.sleep(0)
        @settings(max_examples=5, database=None)
        @given(x=st.integers())
        def test_sync(x):
            assert trio.run(trio.to_thread.run_sync, int) == 0
        """.replace("(m)", "(m)" if trio_mode else "()"),
        trio_mode=trio_mode,
    )
    result = suite.run_subprocess("-p", "_hypothesis_pytestplugin")
    assert set(result.phases.values()) == {"passed passed passed"}, result.output


@pytest.mark.skipif(importlib.util.find_spec("pytest_timeout") is None, reason="not installed")
def test_beside_timeout(suite: Suite) -> None:
    suite.tests(
        """
        @pytest.mark.timeout(60)
        async def test_a(nursery):
            await trio.sleep(0)
        """
    )
    result = suite.run_subprocess("-p", "pytest_timeout", *STRICT)
    assert result.phases == {"test_a": "passed passed passed"}, result.output


def test_rerun_of_a_test_by_another_plugin(suite: Suite) -> None:
    """As pytest-rerunfailures and pytest-retry do it: the same item again, set up anew."""
    suite.write(
        "conftest.py",
        """
        import pytest
        from _pytest.runner import runtestprotocol
        @pytest.hookimpl(tryfirst=True)
        def pytest_runtest_protocol(item, nextitem):
            hook = item.ihook
            hook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
            for _ in range(3):
                reports = runtestprotocol(item, nextitem=nextitem, log=False)
                if not any(report.failed for report in reports):
                    break
            for report in reports:
                hook.pytest_runtest_logreport(report=report)
            hook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
            return True
        """,
    )
    suite.tests(
        """
        runs = []
        @pytest.fixture(scope="module")
        async def m():
            trace("m up"); yield; trace("m down")
        @pytest.fixture
        async def f(m, request):
            trace("f up")
            request.getfixturevalue("nursery").start_soon(trio.sleep_forever)
            yield
            await trio.lowlevel.checkpoint()
            trace("f down")
        async def test_flaky(f, request, nursery):
            runs.append(request.getfixturevalue("nursery"))
            await trio.lowlevel.checkpoint()
            assert len(runs) == 3
            assert len({*runs, nursery}) == 4
        def test_flaky_sync(f, request):
            runs.append(1)
            assert request.getfixturevalue("nursery")
            assert len(runs) == 5
        """
    )
    result = suite.run()
    assert set(result.phases.values()) == {"passed passed passed"}, result.output
    assert result.trace == [
        *("m up", *["f up", "f down"] * 4, "m down"),
        *("m up", "f up", "f down", "m down"),
    ]


def test_lazy_for_sync_suites(suite: Suite) -> None:
    """Neither the plugin, nor a sync test that takes ``request``, imports Trio."""
    suite.write(
        "test_it.py",
        """
        import sys, pytest
        @pytest.fixture
        def f(request):
            return request.getfixturevalue("tmp_path")
        def test_a(request, f):
            assert request.getfixturevalue("f") is f
            assert not {"trio", "greenlet", "outcome"} & set(sys.modules)
        @pytest.mark.parametrize("x", [1])
        def test_b(x, capsys, monkeypatch, request):
            assert not {"trio", "greenlet", "outcome"} & set(sys.modules)
        """,
    )
    result = suite.run_subprocess()
    assert result.phases == {
        "test_a": "passed passed passed",
        "test_b[1]": "passed passed passed",
    }, result.output


def test_pytest_trio_active_is_refused(suite: Suite) -> None:
    if importlib.util.find_spec("pytest_trio") is None:
        suite.write("pytest_trio/__init__.py", "")
        suite.write("pytest_trio/plugin.py", "")
    suite.tests("def test_a(): trace('never')")
    result = suite.run_subprocess("-p", "pytest_trio.plugin", "-W", "ignore")
    assert result.exit_code == 4
    assert result.trace == []
    assert "pytest-trio and pytest-trio-scoped are both active" in result.output
    assert suite.run_subprocess("-p", "no:trio").exit_code == 0


def test_set_up_methods_around_async_tests_are_sync_and_outside(suite: Suite) -> None:
    suite.tests(
        """
        async def five():
            await trio.sleep(0)
            return 5
        def setup_module(): assert trio.run(five) == 5
        def teardown_module(): assert trio.run(five) == 5
        class TestIt:
            def setup_method(self, method):
                self.x = trio.run(five)
                trace(method.__name__)
            def teardown_method(self):
                trace(self.x)
            async def test_a(self):
                assert self.x == await five()
                self.x = 6
        """
    )
    result = suite.run()
    assert result.phases == {"TestIt::test_a": "passed passed passed"}
    assert result.trace == ["test_a", "6"]


def test_a_hook_that_marks_what_is_async_leaves_marked_methods_alone(suite: Suite) -> None:
    suite.write(
        "conftest.py",
        """
        import inspect, pytest
        @pytest.hookimpl(tryfirst=True)
        def pytest_pyfunc_call(pyfuncitem):
            if inspect.iscoroutinefunction(pyfuncitem.obj):
                pyfuncitem.obj = pytest.mark.trio(pyfuncitem.obj)
        """,
    )
    suite.tests(
        """
        class TestIt:
            @pytest.mark.trio
            async def test_it(self):
                await trio.sleep(0)
        """,
        trio_mode=False,
    )
    assert suite.run().outcomes == {"TestIt::test_it": "passed"}
