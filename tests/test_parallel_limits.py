"""What the page on the limits of tests at once says.

A test here that fails because a limit is gone is good news: the page has a sentence less.
"""

from __future__ import annotations

import re

import pytest
from harness import Suite

AT_ONCE = "--trio-parallel=10"


def section(output: str, name: str, of: str = "") -> str:
    """Return the section called ``name`` in the report of the test ``of``, or the first of all."""
    report = output.partition(f"_ {of} _")[2].partition("\n___")[0] + "\n===" if of else output
    found = re.search(rf"^-+ {name} -+\n(.*?)(?=^[-_=]{{3,}})", report, re.MULTILINE | re.DOTALL)
    return found[1] if found else ""


# ---------------------------------------------------------------- output, logs, warnings


def test_what_a_subprocess_prints_goes_to_the_terminal(suite: Suite) -> None:
    suite.tests("""
        import os, subprocess, sys
        async def test_process():
            print("said here")
            await trio.run_process([sys.executable, "-c", "print('said by a process')"])
            os.write(2, b"written to a descriptor\\n")
            assert 0
        def test_capfd(capfd):
            subprocess.run([sys.executable, "-c", "print('captured')"])
            assert capfd.readouterr().out == "captured\\n"
    """)
    result = suite.run_subprocess(AT_ONCE)
    assert section(result.output, "Captured stdout call") == "said here\n"
    assert "Captured stderr" not in result.output
    assert result.output.count("\nsaid by a process\n") == 1
    assert result.output.count("written to a descriptor\n") == 1
    captured = suite.run_subprocess()
    assert section(captured.output, "Captured stdout call") == "said here\nsaid by a process\n"


#: The turn of the second test ends when the thread of the first has done what it does.
_THREADS = """
    import logging, threading, warnings
    has_turn, is_done, is_over = threading.Event(), threading.Event(), trio.Event()
    log = logging.getLogger("shop")

    def in_the_turn_of_the_other(do):
        has_turn.wait(10)
        do()
        is_done.set()

    def take_turn():
        has_turn.set()
        is_done.wait(10)
"""


def test_threads_have_the_levels_of_the_test_that_has_its_turn(suite: Suite) -> None:
    suite.tests(
        _THREADS
        + """
    async def test_owner(caplog):
        def talk():
            log.debug("at a level that the test has set")
            log.warning("loud enough for all")
        with caplog.at_level(logging.DEBUG, "shop"):
            await trio.to_thread.run_sync(in_the_turn_of_the_other, talk)
        assert caplog.messages == ["loud enough for all"]
    async def test_other():
        await __import__("trio.testing").testing.wait_all_tasks_blocked()
        take_turn()
    """
    )
    assert suite.run_subprocess(AT_ONCE).outcomes == {
        "test_owner": "passed",
        "test_other": "passed",
    }


def test_threads_have_the_warning_filters_of_the_test_that_has_its_turn(suite: Suite) -> None:
    suite.tests(
        _THREADS
        + """
    async def test_owner():
        with pytest.warns(UserWarning) as seen:
            warnings.warn("by the test", UserWarning)
            await trio.to_thread.run_sync(
                in_the_turn_of_the_other, lambda: warnings.warn("by its thread", UserWarning)
            )
        assert [str(each.message) for each in seen] == ["by the test"]
    @pytest.mark.filterwarnings("ignore")
    async def test_other():
        await __import__("trio.testing").testing.wait_all_tasks_blocked()
        take_turn()
    """
    )
    assert suite.run_subprocess(AT_ONCE).outcomes == {
        "test_owner": "passed",
        "test_other": "passed",
    }


@pytest.mark.parametrize("is_helped", [False, True])
def test_a_thread_of_the_threading_module_prints_for_the_test_that_has_its_turn(
    suite: Suite, is_helped: bool
) -> None:
    suite.tests(
        _THREADS
        + f"""
    from contextvars import copy_context
    is_helped = {is_helped}
    async def test_owner():
        talk = lambda: print("said by a thread")
        run = [copy_context().run] * is_helped + [in_the_turn_of_the_other, talk]
        threading.Thread(target=run[0], args=run[1:]).start()
        await is_over.wait()
        assert 0, "owner"
    async def test_other():
        take_turn()
        is_over.set()
        assert 0, "other"
    """
    )
    output = suite.run_subprocess(AT_ONCE).output
    said = [section(output, "Captured stdout call", name) for name in ("test_owner", "test_other")]
    assert said == (["said by a thread\n", ""] if is_helped else ["", "said by a thread\n"])


_SERVER = """
    import logging
    log = logging.getLogger("server")

    @pytest.fixture(scope="session")
    async def server():
        send, receive = trio.open_memory_channel(0)
        async def serve():
            async for reply in receive:
                log.warning("served")
                print("printed by the server")
                reply.set()
        async with trio.open_nursery() as inner:
            inner.start_soon(serve)
            yield send
            send.close()

    async def ask(server):
        reply = trio.Event()
        await server.send(reply)
        await reply.wait()
"""


def test_what_a_wide_fixture_does_in_its_tasks_counts_for_its_first_user_in_flight(
    suite: Suite,
) -> None:
    suite.tests(
        _SERVER
        + """
    has_asked = trio.Event()
    async def test_first(server, caplog):
        await has_asked.wait()
        assert caplog.messages == ["served"]
        assert 0
    async def test_second(server, caplog):
        await ask(server)
        has_asked.set()
        assert caplog.messages == []
        assert 0
    @pytest.mark.trio_exclusive
    async def test_alone(server, caplog):
        await ask(server)
        assert caplog.messages == ["served"]
    """
    )
    result = suite.run(AT_ONCE)
    assert section(result.output, "Captured stdout call", "test_first") == "printed by the server\n"
    assert section(result.output, "Captured stdout call", "test_second") == ""
    assert re.findall(r"^>\s+(.*)$", result.output, re.MULTILINE) == ["assert 0", "assert 0"]
    assert result.outcomes["test_alone"] == "passed"


def test_what_a_wide_fixture_does_after_that_goes_to_the_phase_that_ends_next(
    suite: Suite,
) -> None:
    suite.tests(
        _SERVER
        + """
    has_asked = trio.Event()
    async def test_first(server): pass
    async def test_second(server, caplog):
        await settle()
        await ask(server)
        has_asked.set()
        await settle()
        assert caplog.messages == []
    async def test_third():
        await has_asked.wait()
        assert 0
    async def settle():
        await __import__("trio.testing").testing.wait_all_tasks_blocked()
    """
    )
    result = suite.run(AT_ONCE)
    assert result.outcomes["test_second"] == "passed"
    assert section(result.output, "Captured stdout call", "test_third") == "printed by the server\n"
    assert "served" in section(result.output, "Captured log call", "test_third")


def test_a_redirection_that_a_wide_fixture_holds_open_is_that_of_its_first_user(
    suite: Suite,
) -> None:
    suite.tests("""
        import contextlib, io
        @pytest.fixture(scope="session")
        async def taken():
            with contextlib.redirect_stdout(io.StringIO()) as taken:
                yield taken
        is_up = trio.Event()
        @pytest.fixture
        async def later(): await is_up.wait()
        async def test_first(taken):
            is_up.set()
            print("by the first")
        async def test_second(later, taken):
            print("by the second")
            with open("taken.txt", "w") as file: file.write(taken.getvalue())
    """)
    taken = {}
    for arguments in ((), ("-s",), (AT_ONCE,), ("-s", AT_ONCE)):
        assert set(suite.run_subprocess(*arguments).outcomes.values()) == {"passed"}
        taken[arguments] = (suite.path / "taken.txt").read_text()
    assert taken == {
        (): "",
        ("-s",): "by the first\nby the second\n",
        (AT_ONCE,): "",
        ("-s", AT_ONCE): "by the first\n",
    }


def test_live_logs_of_tests_are_mixed(suite: Suite) -> None:
    suite.tests("""
        import logging
        events = [trio.Event(), trio.Event()]
        async def test_first():
            logging.warning("1 by the first")
            events[0].set()
            await events[1].wait()
            logging.warning("3 by the first")
        async def test_second():
            await events[0].wait()
            logging.warning("2 by the second")
            events[1].set()
    """)
    output = suite.run("-o", "log_cli=true", AT_ONCE).output
    assert re.findall(r"\d by the \w+", output) == [
        "1 by the first",
        "2 by the second",
        "3 by the first",
    ]


# ---------------------------------------------------------------- time limits, tasks, instruments


def test_faulthandler_counts_from_the_last_beginning_to_the_first_end(suite: Suite) -> None:
    suite.write(
        "conftest.py",
        """
        import faulthandler
        called = []
        later, cancel = faulthandler.dump_traceback_later, faulthandler.cancel_dump_traceback_later
        def dump_traceback_later(*args, **kwargs):
            called.append("from now on")
            later(*args, **kwargs)
        def cancel_dump_traceback_later():
            called.append("no more")
            cancel()
        faulthandler.dump_traceback_later = dump_traceback_later
        faulthandler.cancel_dump_traceback_later = cancel_dump_traceback_later
        """,
    )
    suite.tests("""
        from conftest import called
        async def test_long():
            with trio.fail_after(5):
                while "no more" not in called:
                    await trio.sleep(0)
            assert called == ["from now on", "from now on", "no more"]
        async def test_short(): pass
    """)
    result = suite.run_subprocess("-o", "faulthandler_timeout=60", AT_ONCE)
    assert set(result.outcomes.values()) == {"passed"}, result.output


def test_the_tree_of_a_time_limit_shows_the_tasks_of_all_tests(suite: Suite) -> None:
    suite.tests("""
        @pytest.mark.trio(timeout=0.2)
        async def test_hangs():
            try:
                await trio.sleep_forever()
            finally:
                is_over.set()
        is_over = trio.Event()
        async def test_other():
            await is_over.wait()
    """)
    result = suite.run(AT_ONCE)
    assert result.outcomes == {"test_hangs": "failed", "test_other": "passed"}
    assert re.search(r"^E? *- test_it.py::test_other$", result.output, re.MULTILINE), result.output


def test_an_instrument_of_a_fixture_sees_the_tasks_of_all_tests(suite: Suite) -> None:
    suite.tests("""
        class Names(trio.abc.Instrument):
            def __init__(self): self.names = set()
            def before_task_step(self, task): self.names.add(task.name)
        @pytest.fixture
        def names(): return Names()
        has_begun, has_waited = trio.Event(), trio.Event()
        async def test_first(names):
            has_begun.set()
            await has_waited.wait()
            assert "test_it.py::test_second" in names.names
        async def test_second():
            await has_begun.wait()
            await trio.lowlevel.checkpoint()
            has_waited.set()
    """)
    assert set(suite.run(AT_ONCE).outcomes.values()) == {"passed"}


def test_a_system_task_is_told_at_each_test_that_was_called_when_it_began(suite: Suite) -> None:
    suite.tests("""
        has_leaked, is_late_called = trio.Event(), trio.Event()
        @pytest.fixture
        async def after_the_leak(): await has_leaked.wait()

        async def test_innocent(): await has_leaked.wait()
        async def test_guilty():
            trio.lowlevel.spawn_system_task(trio.sleep_forever, name="leak")
            has_leaked.set()
            await is_late_called.wait()
        async def test_late(after_the_leak): is_late_called.set()
    """)
    output = suite.run("-W", "default", AT_ONCE).output
    told = re.findall(r"PytestWarning: test_it.py::(\w+) has left tasks running", output)
    assert sorted(told) == ["test_guilty", "test_innocent"]


# ---------------------------------------------------------------- the process, order, fixtures


def test_what_a_test_does_to_the_process_is_seen_by_others_unless_it_is_marked(
    suite: Suite,
) -> None:
    suite.tests("""
        import os, random
        MARKS = [pytest.mark.trio_exclusive] if os.environ.get("MARKED") else []
        pytestmark = MARKS
        events = []
        async def wait(event):
            if not MARKS:
                await event.wait()
        is_set, is_seen = trio.Event(), trio.Event()
        async def test_first(tmp_path):
            before = os.getcwd()
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("SHOP", "open")
                patch.chdir(tmp_path)
                is_set.set()
                await wait(is_seen)
        async def test_second():
            await wait(is_set)
            seen = os.environ.get("SHOP")
            is_seen.set()
            assert seen == (None if MARKS else "open")
    """)
    assert set(suite.run(AT_ONCE).outcomes.values()) == {"passed"}


def test_fixtures_of_a_module_stay_up_until_its_exclusive_tests_have_run(suite: Suite) -> None:
    suite.write(
        "conftest.py",
        """
        import pytest, trio
        from trace import trace
        is_quick_over = trio.Event()
        @pytest.fixture(scope="module")
        async def server(request):
            yield
            trace(f"tear-down in {request.module.__name__}")
        """,
    )
    suite.write(
        "test_a.py",
        """
        from conftest import is_quick_over, trace
        async def test_slow():
            await is_quick_over.wait()
            trace("slow")
        """,
    )
    suite.write(
        "test_b.py",
        """
        from conftest import is_quick_over, pytest, trace
        @pytest.mark.trio_exclusive
        async def test_alone(server): trace("alone")
        async def test_quick(server):
            is_quick_over.set()
            trace("quick")
        """,
    )
    suite.write(
        "test_c.py",
        """
        from conftest import trace
        async def test_late(server): trace("late")
        """,
    )
    suite.ini()
    assert suite.run(AT_ONCE).trace == [
        "quick",
        "slow",
        "alone",
        "tear-down in test_b",
        "late",
        "tear-down in test_c",
    ]


def test_an_instrument_that_fails_is_an_error_of_the_test_that_ends_next(suite: Suite) -> None:
    suite.tests("""
        is_up, is_other_over = trio.Event(), trio.Event()
        class Broken(trio.abc.Instrument):
            def before_task_step(self, task): raise OSError("broken")
        @pytest.fixture
        def instrument(): return Broken()
        async def test_guilty(instrument):
            is_up.set()
            await __import__("trio.testing").testing.wait_all_tasks_blocked()
        async def test_other(): await is_up.wait()
    """)
    result = suite.run("-p", "no:logging", AT_ONCE)
    assert result.outcomes == {"test_guilty": "passed", "test_other": "error"}


def test_a_seed_does_not_repeat_for_one_test_what_it_did_for_many(suite: Suite) -> None:
    suite.tests("""
        async def test_order():
            order = []
            async def note(number):
                await steps()
                order.append(number)
            async with trio.open_nursery() as nursery:
                for number in range(9):
                    nursery.start_soon(note, number)
            trace(order)
        @pytest.mark.parametrize("number", range(20))
        async def test_other(number): await steps()
        async def steps():
            for _ in range(9):
                await trio.lowlevel.checkpoint()
    """)
    seed = "--trio-seed=1"
    suite.run_subprocess(seed)
    suite.run_subprocess(seed, "test_it.py::test_order")
    suite.run_subprocess(seed, AT_ONCE)
    suite.run_subprocess(seed, AT_ONCE, "test_it.py::test_order")
    one_by_one, alone, at_once, alone_at_once = suite.read_trace()
    assert one_by_one == alone
    assert at_once not in {alone, alone_at_once}


def test_tests_that_count_on_others_begin_before_those_have_ended(suite: Suite) -> None:
    suite.tests("""
        made = []
        async def test_makes():
            await __import__("trio.testing").testing.wait_all_tasks_blocked()
            made.append("table")
        async def test_uses(): assert made == ["table"]
    """)
    assert suite.run(AT_ONCE).outcomes == {"test_makes": "passed", "test_uses": "failed"}
    suite.ini("trio_parallel_scope = class")
    assert suite.run(AT_ONCE).outcomes["test_uses"] == "failed"
    suite.write(
        "conftest.py",
        """
        import pytest
        def pytest_collection_modifyitems(items):
            for item in items:
                item.add_marker(pytest.mark.trio_exclusive)
    """,
    )
    assert suite.run(AT_ONCE).outcomes["test_uses"] == "passed"


def test_nothing_is_set_up_ahead_for_tests_to_come(suite: Suite) -> None:
    suite.tests("""
        @pytest.fixture(scope="session")
        async def wide():
            trace("wide")

        @pytest.fixture(scope="module")
        async def middle():
            trace("middle")

        @pytest.fixture(scope="class", autouse=True)
        async def narrow():
            trace("narrow")

        class TestIt:
            async def test_first(self): trace("first")
            @pytest.mark.trio_exclusive
            async def test_alone(self): trace("alone")
            @pytest.mark.trio_exclusive
            async def test_last(self, middle, wide): trace("last")
    """)
    suite.ini("trio_fixture_order = plan")
    one = suite.run()
    assert one.trace == ["wide", "middle", "narrow", "first", "alone", "last"]
    suite.write("trace.txt", "")
    many = suite.run(AT_ONCE)
    assert many.trace == ["narrow", "first", "alone", "wide", "middle", "last"]


def test_pytest_timeout_neither_stops_nor_fails_sync_code(suite: Suite) -> None:
    pytest.importorskip("pytest_timeout")
    suite.tests("""
        import time
        def test_stuck():
            for _ in range(10):
                time.sleep(0.02)
        async def test_other(): pass
    """)
    arguments = ("-p", "pytest_timeout", "--timeout=0.1")
    assert suite.run_subprocess(*arguments).outcomes["test_stuck"] == "failed"
    assert suite.run_subprocess(*arguments, AT_ONCE).outcomes["test_stuck"] == "passed"
    suite.write(
        "conftest.py",
        """
        import pytest
        def pytest_collection_modifyitems(items):
            items[0].add_marker(pytest.mark.trio_exclusive)
    """,
    )
    assert suite.run_subprocess(*arguments, AT_ONCE).outcomes["test_stuck"] == "failed"


def test_tests_with_the_next_parameter_begin_when_all_with_the_last_have_ended(
    suite: Suite,
) -> None:
    suite.tests("""
        @pytest.fixture(scope="session", params="ab")
        async def wide(request): return request.param
        async def test_slow(wide):
            for _ in range(5):
                await __import__("trio.testing").testing.wait_all_tasks_blocked()
            trace(f"slow {wide}")
        async def test_quick(wide): trace(f"quick {wide}")
    """)
    assert suite.run(AT_ONCE).trace == ["quick a", "slow a", "quick b", "slow b"]


def test_what_a_wide_fixture_sets_in_context_variables_is_seen_by_those_that_use_it(
    suite: Suite,
) -> None:
    suite.tests("""
        from contextvars import ContextVar
        variable = ContextVar("variable", default="unset")

        @pytest.fixture(scope="session")
        async def wide():
            variable.set("set")

        async def test_first(wide): trace(f"first {variable.get()}")
        async def test_other(): trace(f"other {variable.get()}")
        @pytest.mark.trio_exclusive
        async def test_alone(wide): trace(f"alone {variable.get()}")
    """)
    assert suite.run().trace == ["first set", "other set", "alone set"]
    suite.write("trace.txt", "")
    many = suite.run(AT_ONCE)
    assert sorted(many.trace) == ["alone set", "first set", "other unset"]
