"""Sync tests in a worker thread: the mark ``trio_thread``."""

from __future__ import annotations

import time

import pytest
from harness import Suite

from pytest_trio_scoped import _errors

#: An echo server on a loopback port, which lives in the loop, and a client that blocks.
ECHO = """
    import os, socket, sys, threading, warnings
    from contextvars import ContextVar
    from functools import partial

    async def echo(stream):
        async for chunk in stream:
            await stream.send_all(chunk)

    @pytest.fixture(scope="session")
    async def address():
        async with trio.open_nursery() as nursery:
            serve = partial(trio.serve_tcp, echo, 0, host="127.0.0.1")
            listeners = await nursery.start(serve)
            yield listeners[0].socket.getsockname()
            trace("server down")
            nursery.cancel_scope.cancel()

    def talk(address):
        with socket.create_connection(address, timeout=20) as client:
            client.sendall(b"hello")
            return client.recv(100)

    def is_pytests_thread():
        return threading.current_thread() is threading.main_thread()
"""

#: Marked, they pass.
BLOCKING = """
    @pytest.mark.trio_thread
    def test_a(address):
        assert not is_pytests_thread()
        assert talk(address) == b"hello"
"""


def test_a_blocking_client_talks_to_a_server_in_a_fixture(suite: Suite) -> None:
    suite.tests(ECHO + BLOCKING)
    result = suite.run_subprocess()
    assert result.phases == {"test_a": "passed passed passed"}, result.output
    assert result.trace == ["server down"]


def test_the_mark_is_registered_and_described(suite: Suite) -> None:
    suite.tests("def test_a(): pass")
    assert "@pytest.mark.trio_thread: run this sync test in a worker thread" in (
        suite.run("--markers").output
    )
    suite.tests("@pytest.mark.trio_thread\ndef test_a(): pass")
    assert suite.run("--strict-markers").outcomes == {"test_a": "passed"}


def test_marks_on_classes_and_modules_count(suite: Suite) -> None:
    suite.tests(
        ECHO
        + """
    @pytest.mark.trio_thread
    class TestMarked:
        def test_a(self):
            assert not is_pytests_thread()

        class TestInner:
            def test_b(self):
                assert not is_pytests_thread()

    class TestOther:
        def test_c(self):
            assert is_pytests_thread()
        """
    )
    suite.write(
        "test_module.py",
        """
        import pytest, threading

        pytestmark = pytest.mark.trio_thread

        def test_d():
            assert threading.current_thread() is not threading.main_thread()
        """,
    )
    result = suite.run()
    assert set(result.outcomes.values()) == {"passed"}, result.output
    assert len(result.outcomes) == 4


def test_a_mark_that_a_fixture_sets_counts(suite: Suite) -> None:
    suite.tests(
        ECHO
        + """
    @pytest.fixture
    def marked(request):
        request.applymarker(pytest.mark.trio_thread)

    def test_a(marked):
        assert not is_pytests_thread()
        """
    )
    assert suite.run().outcomes == {"test_a": "passed"}


def test_set_up_and_tear_down_stay_in_pytests_thread(suite: Suite) -> None:
    suite.tests(
        ECHO
        + """
    @pytest.fixture
    def sync_one(address, request):
        request.addfinalizer(lambda: trace(f"finalizer {is_pytests_thread()}"))
        trace(f"up {is_pytests_thread()}")
        yield
        trace(f"down {is_pytests_thread()}")

    @pytest.fixture
    async def async_one():
        trace(f"async up {is_pytests_thread()}")
        yield
        trace(f"async down {is_pytests_thread()}")

    @pytest.mark.trio_thread
    def test_a(sync_one, async_one, request):
        request.addfinalizer(lambda: trace(f"own finalizer {is_pytests_thread()}"))
        trace(f"test {is_pytests_thread()}")
        """
    )
    result = suite.run()
    assert result.outcomes == {"test_a": "passed"}, result.output
    assert result.trace == [
        "up True",
        "async up True",
        "test False",
        "own finalizer True",
        "async down True",
        "down True",
        "finalizer True",
        "server down",
    ]


def test_without_any_fixture_it_opens_the_loop(suite: Suite) -> None:
    suite.tests(
        """
        @pytest.mark.trio_thread
        def test_a():
            trio.from_thread.run(trio.sleep, 0)
        """
    )
    assert suite.run().outcomes == {"test_a": "passed"}


def test_verdicts_are_those_of_a_sync_test(suite: Suite) -> None:
    suite.tests(
        """
        pytestmark = pytest.mark.trio_thread

        def test_fail():
            assert 1 == 2

        def test_pytest_fail():
            pytest.fail("no reason")

        def test_skip():
            pytest.skip("no time")

        def test_xfail():
            pytest.xfail("known")

        @pytest.mark.xfail(raises=ZeroDivisionError)
        def test_marked_xfail():
            1 / 0

        @pytest.mark.parametrize("x", [1, 2])
        def test_parameters(x, tmp_path):
            assert x == 1

        def test_raises():
            with pytest.raises(ValueError, match="boom"):
                raise ValueError("boom")

        def test_system_exit():
            raise SystemExit(3)

        def test_returns():
            return 1
        """
    )
    result = suite.run("-rs")
    assert result.outcomes == {
        "test_fail": "failed",
        "test_pytest_fail": "failed",
        "test_skip": "skipped",
        "test_xfail": "xfailed",
        "test_marked_xfail": "xfailed",
        "test_parameters[1]": "passed",
        "test_parameters[2]": "failed",
        "test_raises": "passed",
        "test_system_exit": "failed",
        "test_returns": "failed",
    }
    assert "SKIPPED [1] test_it.py:14: no time" in result.output
    assert "Did you mean to use `assert` instead of `return`?" in result.output


def test_a_failure_shows_the_users_frames_only(suite: Suite) -> None:
    suite.tests(
        """
        def helper():
            raise ValueError("boom")

        @pytest.mark.trio_thread
        def test_a(nursery):
            helper()
        """
    )
    result = suite.run("--tb=short")
    frames = [line for line in result.output.splitlines() if ": in " in line]
    assert frames == ["test_it.py:10: in test_a", "test_it.py:6: in helper"], result.output


def test_pytest_exit_ends_the_run(suite: Suite) -> None:
    suite.tests(
        ECHO
        + """
    @pytest.mark.trio_thread
    def test_a(address):
        pytest.exit("enough", returncode=7)

    def test_b(): pass
        """
    )
    result = suite.run_subprocess()
    assert result.exit_code == 7
    assert "enough" in result.output
    assert "test_b" not in result.phases
    assert result.trace == ["server down"]


def test_keyboard_interrupt_ends_the_run(suite: Suite) -> None:
    suite.tests(
        ECHO
        + """
    @pytest.mark.trio_thread
    def test_a(address):
        raise KeyboardInterrupt

    def test_b(): pass
        """
    )
    result = suite.run_subprocess()
    assert result.exit_code == 2, result.output
    assert "test_b" not in result.phases
    assert result.trace == ["server down"]


def test_ctrl_c_ends_the_wait_for_a_thread_that_blocks(suite: Suite) -> None:
    suite.tests(
        ECHO
        + """
    @pytest.mark.trio_thread
    def test_a(address):
        trace("ready")
        threading.Event().wait(60)
        """
    )
    process = suite.start()
    suite.wait_for_trace("ready")
    start = time.monotonic()
    suite.interrupt(process)
    result = suite.finish(process)
    assert time.monotonic() - start < 2
    assert result.exit_code == 2, result.output
    assert result.trace == ["ready", "server down"]


def test_a_crash_of_a_fixture_ends_the_wait(suite: Suite) -> None:
    suite.tests(
        ECHO
        + """
    @pytest.fixture(scope="module")
    async def fragile():
        crash = trio.Event()

        async def wait():
            await crash.wait()
            raise ValueError("boom")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait)
            yield crash

    @pytest.mark.trio_thread
    def test_a(fragile):
        trio.from_thread.run_sync(fragile.set)
        threading.Event().wait(60)

    @pytest.mark.trio_thread
    def test_b(address):
        assert talk(address) == b"hello"
        """
    )
    result = suite.run_subprocess()
    assert result.outcomes == {"test_a": "failed", "test_b": "passed"}, result.output
    assert "ValueError: boom" in result.output
    assert "Raised in the background of the fixture 'fragile'" in result.output


@pytest.mark.parametrize("capture", ["sys", "fd"])
def test_output_is_captured(suite: Suite, capture: str) -> None:
    suite.tests(
        ECHO
        + """
    @pytest.mark.trio_thread
    def test_a():
        print("on stdout")
        os.write(2, b"on descriptor 2")
        assert 0

    @pytest.mark.trio_thread
    def test_b(capsys):
        print("caught")
        assert capsys.readouterr().out == "caught\\n"
        """
    )
    result = suite.run_subprocess(f"--capture={capture}")
    assert result.outcomes == {"test_a": "failed", "test_b": "passed"}, result.output
    call = result.output.partition("Captured stdout call")[2]
    assert "on stdout" in call
    assert ("on descriptor 2" in call.partition("Captured stderr call")[2]) is (capture == "fd")


def test_logs_patches_and_warnings_work(suite: Suite) -> None:
    suite.tests(
        ECHO
        + """
    import logging

    pytestmark = pytest.mark.trio_thread

    def test_log(caplog):
        logging.getLogger("mine").warning("spoken")
        assert caplog.messages == ["spoken"]

    def test_patch(monkeypatch):
        monkeypatch.setenv("MINE", "1")
        assert os.environ["MINE"] == "1"

    def test_recorded(recwarn):
        warnings.warn("mind", UserWarning)
        assert [str(each.message) for each in recwarn] == ["mind"]

    def test_expected():
        with pytest.warns(UserWarning, match="mind"):
            warnings.warn("mind", UserWarning)

    def test_is_error():
        warnings.warn("mind", UserWarning)

    @pytest.mark.filterwarnings("ignore:mind")
    def test_ignored():
        warnings.warn("mind", UserWarning)
        """
    )
    result = suite.run()
    assert result.outcomes == {
        "test_log": "passed",
        "test_patch": "passed",
        "test_recorded": "passed",
        "test_expected": "passed",
        "test_is_error": "failed",
        "test_ignored": "passed",
    }, result.output


def test_trio_from_thread_works(suite: Suite) -> None:
    suite.tests(
        ECHO
        + """
    @pytest.fixture
    async def channel():
        send, receive = trio.open_memory_channel(1)
        async with send, receive:
            yield send, receive

    @pytest.mark.trio_thread
    def test_a(channel, nursery):
        send, receive = channel
        trio.from_thread.run_sync(nursery.start_soon, send.send, "hello")
        assert trio.from_thread.run(receive.receive) == "hello"
        with pytest.raises(trio.WouldBlock):
            trio.from_thread.run_sync(receive.receive_nowait)
        """
    )
    result = suite.run_subprocess()
    assert result.outcomes == {"test_a": "passed"}, result.output


def test_the_nursery_is_the_tests_own_and_cancelled_after_it(suite: Suite) -> None:
    suite.tests(
        """
        async def endless():
            try:
                await trio.sleep_forever()
            finally:
                trace("cancelled")

        import threading
        import trio.testing

        @pytest.mark.trio_thread
        def test_a(nursery):
            trio.from_thread.run_sync(nursery.start_soon, endless)
            trio.from_thread.run(trio.testing.wait_all_tasks_blocked)
            trace("end of test")

        @pytest.mark.trio_thread
        def test_b(nursery):
            async def crash():
                raise ValueError("boom")
            trio.from_thread.run_sync(nursery.start_soon, crash)
            threading.Event().wait(60)
        """
    )
    result = suite.run_subprocess()
    assert result.outcomes == {"test_a": "passed", "test_b": "failed"}, result.output
    assert result.trace == ["end of test", "cancelled"]
    assert "ValueError: boom" in result.output


def test_context_variables_of_fixtures_are_seen_and_those_of_the_test_are_its_own(
    suite: Suite,
) -> None:
    suite.tests(
        ECHO
        + """
    variable = ContextVar("variable", default="unset")

    @pytest.fixture(scope="module")
    async def wide():
        variable.set("wide")
        yield
        trace(variable.get())

    @pytest.fixture
    def narrow(wide):
        assert variable.get() == "wide"
        token = variable.set("narrow")
        yield
        trace(variable.get())
        variable.reset(token)

    @pytest.mark.trio_thread
    def test_a(narrow):
        assert variable.get() == "narrow"
        variable.set("of the test")

    def test_b(wide):
        assert variable.get() == "wide"
        """
    )
    result = suite.run()
    assert set(result.outcomes.values()) == {"passed"}, result.output
    assert result.trace == ["narrow", "wide"]


def test_await_says_what_to_use_in_a_worker_thread(suite: Suite) -> None:
    suite.tests(
        """
        @pytest.mark.trio_thread
        def test_a():
            await_(trio.sleep(0))
        """
    )
    result = suite.run()
    assert result.outcomes == {"test_a": "failed"}
    assert "in a worker thread use trio.from_thread.run()" in result.output


@pytest.mark.parametrize("name", ["sync_one", "address"])
def test_fixtures_can_not_be_asked_for_in_the_thread(suite: Suite, name: str) -> None:
    suite.tests(
        ECHO
        + f"""
    @pytest.fixture
    def sync_one():
        trace("up")

    @pytest.mark.trio_thread
    def test_a(request):
        request.addfinalizer(lambda: trace(request.getfixturevalue("request") is request))
        request.getfixturevalue({name!r})
        """
    )
    result = suite.run()
    assert result.phases == {"test_a": "passed failed passed"}, result.output
    text = _errors.THREAD_GETS.format(nodeid="test_it.py::test_a", name=name)
    assert all(line in result.output for line in text.splitlines())
    assert result.trace == ["True"]  # in pytest's thread they can


@pytest.mark.parametrize("trio_mode", [True, False])
def test_async_tests_refuse_the_mark(suite: Suite, trio_mode: bool) -> None:
    suite.tests(
        """
        @pytest.mark.trio
        @pytest.mark.trio_thread
        async def test_a():
            trace("ran")
        """,
        trio_mode=trio_mode,
    )
    result = suite.run()
    assert result.phases == {"test_a": "passed failed passed"}
    assert result.trace == []
    text = _errors.THREAD_BUT_ASYNC.format(nodeid="test_it.py::test_a")
    assert all(line in result.output for line in text.splitlines())


def test_foreign_async_tests_refuse_the_mark(suite: Suite) -> None:
    suite.tests(
        """
        @pytest.mark.trio_thread
        async def test_a():
            trace("ran")
        """,
        trio_mode=False,
    )
    result = suite.run()
    assert result.outcomes == {"test_a": "failed"}
    assert "test_it.py::test_a is marked 'trio_thread' but is async" in result.output


def test_the_mark_trio_beside_it_is_refused(suite: Suite) -> None:
    suite.tests(
        """
        @pytest.mark.trio
        @pytest.mark.trio_thread
        def test_a():
            trace("ran")
        """
    )
    result = suite.run()
    assert result.outcomes == {"test_a": "failed"}
    assert result.trace == []
    text = _errors.THREAD_AND_TRIO.format(nodeid="test_it.py::test_a")
    assert all(line in result.output for line in text.splitlines())


def test_what_is_no_test_function_refuses_the_mark(suite: Suite) -> None:
    suite.write(
        "conftest.py",
        """
        import pytest

        @pytest.hookimpl(tryfirst=True)
        def pytest_collection_modifyitems(items):
            for item in items:
                item.add_marker("trio_thread")
        """,
    )
    suite.write("doc.txt", ">>> 1\n2\n")
    suite.tests(
        """
        import unittest

        class TestA(unittest.TestCase):
            def test_a(self):
                trace("ran")
        """
    )
    result = suite.run("--doctest-glob=*.txt", ".")
    assert result.outcomes == {"TestA::test_a": "failed", "doc.txt": "failed"}, result.output
    assert result.trace == []
    for nodeid in ("test_it.py::TestA::test_a", "doc.txt::doc.txt"):
        text = _errors.THREAD_NO_FUNCTION.format(nodeid=nodeid)
        assert all(line in result.output for line in text.splitlines())


def test_a_clock_counts_as_for_an_async_test(suite: Suite) -> None:
    suite.tests(
        """
        @pytest.fixture
        async def alone():
            return trio.lowlevel.current_clock()

        @pytest.fixture(scope="module")
        async def wide():
            return None

        pytestmark = pytest.mark.trio_thread

        def test_own_loop(alone, mock_clock):
            assert alone is mock_clock
            mock_clock.jump(5)
            assert trio.from_thread.run_sync(trio.current_time) == 5

        class TestAutomatic:
            @pytest.fixture(autouse=True)
            async def automatic(self):
                pass

            def test_automatic(self, mock_clock):
                assert trio.from_thread.run_sync(trio.lowlevel.current_clock) is mock_clock

        def test_shared_loop(wide, mock_clock):
            before = trio.from_thread.run_sync(trio.current_time)
            mock_clock.jump(5)
            assert trio.from_thread.run_sync(trio.current_time) == before + 5

        def test_jumps(autojump_clock):
            trio.from_thread.run(trio.sleep, 3600)
        """
    )
    result = suite.run_subprocess()
    assert set(result.outcomes.values()) == {"passed"}, result.output
    assert len(result.outcomes) == 4


def test_fixtures_that_use_up_trios_threads_do_not_block_it(suite: Suite) -> None:
    suite.tests(
        """
        import threading

        @pytest.fixture
        async def greedy():
            end = threading.Event()
            limiter = trio.to_thread.current_default_thread_limiter()
            limiter.total_tokens = 1
            async with trio.open_nursery() as nursery:
                nursery.start_soon(trio.to_thread.run_sync, end.wait)
                while not limiter.borrowed_tokens:
                    await trio.lowlevel.checkpoint()
                yield end
                end.set()

        @pytest.mark.trio_thread
        def test_a(greedy):
            greedy.set()
        """
    )
    result = suite.run_subprocess()
    assert result.outcomes == {"test_a": "passed"}, result.output


def test_the_function_is_the_tests_own_again_afterwards(suite: Suite) -> None:
    suite.tests(
        """
        @pytest.fixture
        def look(request):
            function = request.function
            yield
            assert request.node.obj is function

        @pytest.mark.trio_thread
        def test_a(look):
            pass
        """
    )
    assert suite.run().phases == {"test_a": "passed passed passed"}


def test_a_hypothesis_test_runs_in_the_thread(suite: Suite) -> None:
    suite.tests(
        ECHO
        + """
    from hypothesis import given, settings, strategies

    @pytest.mark.trio_thread
    @settings(max_examples=5, database=None, deadline=None)
    @given(text=strategies.text())
    def test_a(address, text):
        assert not is_pytests_thread()
        assert talk(address) == b"hello"
        """
    )
    result = suite.run_subprocess("-p", "_hypothesis_pytestplugin")
    assert result.outcomes == {"test_a": "passed"}, result.output
