"""Tests in flight together print, log, warn and explain what they do when they run one by one."""

from __future__ import annotations

import json
import re
import textwrap
from typing import Any

import pytest
from harness import Suite

SUITE = """
    import contextlib, io, logging, os, sys, threading, unittest, warnings
    import pytest
    from own_state_pool import in_child, turn
    from trace import trace

    log = logging.getLogger("shop")
    quiet = logging.getLogger("quiet")
    quiet.propagate = False

    @pytest.fixture
    def noisy(request):
        name = request.node.name
        print("set-up of", name)
        turn()
        log.warning("set-up of %s", name)
        yield name
        print("tear-down of", name)
        turn()
        print("and its stderr", name, file=sys.stderr)
        log.error("tear-down of %s", name)

    def old(name):
        warnings.warn("told once", UserWarning)

    @pytest.mark.parametrize("number", range(10))
    def test_all(number, noisy, caplog):
        name = noisy
        print("first", name)
        log.warning("first %s", name)
        assert os.environ["PYTEST_CURRENT_TEST"].endswith(f"[{number}] (call)")
        turn()
        assert os.environ["PYTEST_CURRENT_TEST"].endswith(f"[{number}] (call)")
        in_child(lambda: print("child of", name))
        in_child(lambda: log.warning("child of %s", name))
        for _ in range(3):
            old(name)
            turn()
        with pytest.warns(RuntimeWarning, match=f"waits {number}$"):
            turn()
            warnings.warn(f"waits {number}", RuntimeWarning)
            turn()
        with contextlib.redirect_stdout(io.StringIO()) as taken:
            turn()
            print("taken")
            turn()
        assert taken.getvalue() == "taken\\n"
        with caplog.at_level(logging.DEBUG, "shop"):
            turn()
            log.debug("debug %s", name)
        turn()
        log.debug("not at this level")
        quiet.warning("no handler of the root %s", name)
        turn()
        assert {record.args for record in caplog.records} == {(name,)}
        sys.stdout.buffer.write(b"bytes\\n")
        turn()
        assert number % 2, "told"
        assert [number, 1] == [0, number], "compared"

    @pytest.mark.filterwarnings("error")
    def test_error():
        turn()
        with pytest.raises(UserWarning):
            old("error")
        turn()
        old("error")

    @pytest.mark.filterwarnings("always:told once")
    def test_always():
        for _ in range(3):
            old("always")
            turn()

    def test_thread():
        thread = threading.Thread(target=print, args=("of a thread",))
        thread.start()
        thread.join()
        turn()
        with pytest.deprecated_call():
            turn()
            warnings.warn("deprecated", DeprecationWarning)
        assert 0

    class TestUnit(unittest.TestCase):
        def test_unit(self):
            print("unit before")
            turn()
            print("unit after")
            self.assertEqual([1], [2])
"""

RECORDER = """
    import json, re

    warned = []
    reports = []

    def pytest_runtest_logreport(report):
        text = re.sub(r"0x[0-9a-f]+", "", report.longreprtext)
        reports.append([report.nodeid, report.when, report.outcome, report.sections, text])

    def pytest_warning_recorded(warning_message, when, nodeid, location):
        warned.append([nodeid, when, str(warning_message.message), warning_message.lineno])

    def pytest_unconfigure():
        with open("record.json", "w") as file:
            json.dump([sorted(reports), sorted(warned)], file, indent=1)
"""


@pytest.fixture
def overlapping(suite: Suite) -> Suite:
    suite.tests(SUITE, prelude=False)
    suite.write("recorder.py", RECORDER)
    return suite


def record(suite: Suite, *arguments: str) -> tuple[str, str, int]:
    (suite.path / "record.json").unlink(missing_ok=True)
    result = suite.run_subprocess(
        "-p", "own_state_pool", "-p", "recorder", "-W", "default", *arguments
    )
    assert "INTERNALERROR" not in result.output
    assert "CHANGED" not in result.output, result.output
    return (suite.path / "record.json").read_text(), result.output, result.exit_code


@pytest.mark.parametrize(
    "arguments",
    [
        ("--capture=sys",),
        ("--capture=fd",),
        ("--capture=tee-sys",),
        ("-s",),
        ("--log-level=INFO",),
        ("--log-cli-level=INFO",),
        ("-p", "no:logging", "-k", "not all"),
        ("-p", "no:warnings", "-k", "not error and not all"),
        ("-p", "no:assertion"),
        ("-p", "no:capture"),
        ("-W", "error::RuntimeWarning"),
        ("--doctest-modules", "--show-capture=log"),
    ],
    ids=" ".join,
)
def test_sections_are_those_of_a_run_one_by_one(
    overlapping: Suite, arguments: tuple[str, ...]
) -> None:
    alone, *_, expected = record(overlapping, "--one-by-one", *arguments)
    together, _, exit_code = record(overlapping, *arguments)
    assert together == alone
    assert exit_code == expected


def run_together(suite: Suite, source: str, *arguments: str, stdin: str | None = None) -> Any:
    """Return how the tests in ``source`` ended, which are in flight together."""
    suite.tests("from own_state_pool import in_nobody, turn\n" + textwrap.dedent(source))
    suite.write("recorder.py", RECORDER)
    result = suite.run_subprocess("-p", "own_state_pool", "-p", "recorder", *arguments, stdin=stdin)
    assert "INTERNALERROR" not in result.output
    assert "CHANGED" not in result.output, result.output
    return result


def recorded(suite: Suite) -> tuple[list[Any], list[Any]]:
    """Return the sections that are not empty by test and phase, and the warnings by test."""
    reports, warned = json.loads((suite.path / "record.json").read_text())
    sections = [
        (nodeid.partition("::")[2], title, text)
        for nodeid, when, _, sections, _ in reports
        for title, text in sections
        if when == "teardown"
    ]
    return sections, [(nodeid, message) for nodeid, _, message, _ in warned]


def test_what_belongs_to_no_test_is_reported(suite: Suite) -> None:
    result = run_together(
        suite,
        """
        import logging, warnings

        def test_a():
            turn()

        def test_b():
            in_nobody(lambda: print("printed"))
            in_nobody(lambda: logging.getLogger("x").error("logged"))
            in_nobody(lambda: warnings.warn("warned"))

        def test_c():
            turn()
            turn()
            in_nobody(lambda: warnings.warn("warned", RuntimeWarning))

        def test_d():
            with pytest.raises(FutureWarning):
                in_nobody(lambda: warnings.warn("raised", FutureWarning))
        """,
        "-W",
        "default",
        "-W",
        "error::FutureWarning",
    )
    assert result.outcomes == dict.fromkeys(["test_a", "test_b", "test_c", "test_d"], "passed")
    sections, warned = recorded(suite)
    assert sections == [
        ("test_b", "Captured stdout call", "printed\n"),
        ("test_b", "Captured log call", "ERROR    x:test_it.py:13 logged"),
    ]
    assert warned == [("", "warned"), ("", "warned")]


def test_tee_shows_at_once_what_is_captured(suite: Suite) -> None:
    conftest = """
        from own_state_pool import in_nobody
        def pytest_runtest_logfinish(nodeid):
            in_nobody(lambda: print("left after", nodeid))
    """
    suite.write("conftest.py", conftest)
    result = run_together(
        suite,
        """
        def test_a():
            print("of a")
            turn()

        def test_b():
            turn()
            turn()
            in_nobody(lambda: print("of nobody"))
        """,
        "--capture=tee-sys",
    )
    for text in ("of a", "of nobody", "left after test_it.py::test_b"):
        assert result.output.count(text) == 1


def test_debugger_stops_the_capturing_of_its_test(suite: Suite) -> None:
    result = run_together(
        suite,
        """
        def test_a():
            print("before a")
            turn()
            breakpoint()
            print("after a")
            turn()
            assert 0

        def test_b():
            print("before b")
            turn()
            print("after b")
            turn()
        """,
        stdin="print('typed', 6 * 7)\ncontinue\n",
    )
    assert result.outcomes == {"test_a": "failed", "test_b": "passed"}
    assert "typed 42" in result.output
    assert recorded(suite)[0] == [
        ("test_a", "Captured stdout call", "before a\nafter a\n"),
        ("test_b", "Captured stdout call", "before b\nafter b\n"),
    ]


def test_debugger_after_a_failure_shows_what_the_test_has_printed(suite: Suite) -> None:
    result = run_together(
        suite,
        """
        def test_a():
            print("of a")
            turn()
            assert 0

        def test_b():
            print("of b")
            turn()
            turn()
        """,
        "--pdb",
        stdin="continue\n",
    )
    assert result.outcomes == {"test_a": "failed", "test_b": "passed"}
    assert "of a" in result.output.partition("entering PDB")[0]
    assert "of b" not in result.output


def test_live_logs_and_log_files_have_all(suite: Suite) -> None:
    result = run_together(
        suite,
        """
        import logging

        @pytest.mark.parametrize("name", "ab")
        def test_it(name):
            print("before", name)
            turn()
            logging.getLogger("x").info("logged by %s", name)
            print("after", name)
            turn()
            in_nobody(lambda: logging.getLogger("x").info("logged by nobody"))
        """,
        "--log-cli-level=INFO",
        "--log-file=log.txt",
        "--log-file-level=INFO",
    )
    lines = [line for line in result.output.splitlines() if "logged by" in line]
    assert len(lines) == 4
    assert len((suite.path / "log.txt").read_text().splitlines()) == 4
    assert "before" not in result.output


def test_live_logs_of_threads_do_not_stop_the_capturing(suite: Suite) -> None:
    result = run_together(
        suite,
        """
        import logging, threading

        class Slow:
            def __str__(self):
                started.set()
                assert goes_on.wait(20)
                return "logged slowly"

        started, goes_on = threading.Event(), threading.Event()
        threads = []

        def test_a():
            log = logging.getLogger("x")
            threads.append(threading.Thread(target=log.info, args=(Slow(),)))
            threads[0].start()
            assert started.wait(20)
            turn()
            print("captured")

        def test_b():
            goes_on.set()
            threads[0].join()
            turn()
        """,
        "--log-cli-level=INFO",
    )
    assert result.output.count("logged slowly") == 1
    assert "captured" not in result.output


def test_what_caplog_enables_stays_disabled_for_others(suite: Suite) -> None:
    result = run_together(
        suite,
        """
        import logging
        log = logging.getLogger("x")

        def test_disabled():
            logging.disable(logging.CRITICAL)
            turn()
            turn()
            assert not log.isEnabledFor(logging.ERROR)
            turn()
            logging.disable(logging.NOTSET)

        def test_enabled(caplog):
            with caplog.at_level(logging.INFO):
                turn()
                log.info("enabled")
                turn()
            assert caplog.messages == ["enabled"]
        """,
    )
    assert set(result.outcomes.values()) == {"passed"}, result.output


def test_levels_of_caplog_are_those_of_a_test(suite: Suite) -> None:
    result = run_together(
        suite,
        """
        import logging
        log = logging.getLogger("x")

        @pytest.mark.parametrize("level", [10, 20, 30, 40])
        def test_it(level, caplog):
            caplog.set_level(level, logger="x")
            turn()
            assert log.level == level
            for each in (10, 20, 30, 40):
                log.log(each, "at %s", each)
                turn()
            assert [record.levelno for record in caplog.records] == list(range(level, 50, 10))
            with caplog.at_level(50):
                turn()
                assert logging.getLogger().level == 50
            turn()
            assert logging.getLogger().level == 30

        def test_disabled(caplog):
            logging.disable(logging.NOTSET)
            with caplog.at_level(20):
                turn()

        def test_none():
            for _ in range(3):
                turn()
                assert log.level == 0
        """,
    )
    assert set(result.outcomes.values()) == {"passed"}, result.output


def test_level_of_the_logs_is_that_of_the_phase(suite: Suite) -> None:
    result = run_together(
        suite,
        """
        import logging

        @pytest.mark.parametrize("turns", [1, 3, 2])
        def test_it(turns):
            for number in range(turns):
                turn()
                logging.getLogger("x").info("after turn %s", number)
        """,
        "--log-level=INFO",
        "--log-cli-level=ERROR",
        "--log-file-level=ERROR",
    )
    assert set(result.outcomes.values()) == {"passed"}, result.output
    assert [(name, text.count("after")) for name, _, text in recorded(suite)[0]] == [
        ("test_it[1]", 1),
        ("test_it[2]", 2),
        ("test_it[3]", 3),
    ]


def test_logs_are_not_lost_when_a_test_configures_logging(suite: Suite) -> None:
    result = run_together(
        suite,
        """
        import logging, logging.config

        def test_a(caplog):
            for _ in range(3):
                logging.getLogger().error("of a")
                turn()
            assert caplog.messages == ["of a"] * 3

        def test_b():
            turn()
            before = logging.getLogger().handlers[:]
            options = {"version": 1, "disable_existing_loggers": False, "root": {"handlers": []}}
            logging.config.dictConfig(options)
            turn()
            logging.getLogger().handlers[:] = before
        """,
    )
    assert set(result.outcomes.values()) == {"passed"}, result.output


def test_errors_that_nothing_could_catch_are_those_of_a_test(suite: Suite) -> None:
    result = run_together(
        suite,
        """
        import threading

        class Broken:
            def __del__(self):
                raise ValueError("in __del__")

        def fail():
            raise ValueError("in a thread")

        def test_a():
            turn()
            Broken()
            turn()
            turn()

        def test_b():
            turn()
            turn()

        def test_c():
            turn()
            thread = threading.Thread(target=fail)
            thread.start()
            thread.join()
            turn()
            turn()

        def test_d():
            turn()
            turn()
        """,
    )
    assert result.outcomes == {
        "test_a": "failed",
        "test_b": "passed",
        "test_c": "failed",
        "test_d": "passed",
    }


@pytest.mark.skipif(pytest.version_tuple < (9,), reason="subtests are in pytest since 9.0")
def test_subtests_have_what_is_theirs(suite: Suite) -> None:
    result = run_together(
        suite,
        """
        import logging, os

        @pytest.mark.parametrize("name", "ab")
        def test_it(name, subtests):
            with subtests.test("sub"):
                print("printed by", name)
                turn()
                logging.getLogger("x").error("logged by %s", name)
                os.write(1, b"descriptor\\n")
                turn()
                print("again by", name)
                turn()
                assert 0
        """,
    )
    assert result.output.count("descriptor\n") == 2
    printed = re.findall(r"printed by (.)\nagain by (.)\n", result.output)
    logged = re.findall(r"log call -+\n((?:ERROR.*\n)+)", result.output)
    assert printed == [("a", "a"), ("b", "b")]
    assert [re.findall("logged by (.)", section) for section in logged] == [["a"]] * 2 + [["b"]] * 2
