"""Tests in flight together print, log, warn and explain what they do when they run one by one."""

from __future__ import annotations

import re

import pytest
from harness import Suite

SUITE = '''
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
'''

RECORDER = '''
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
'''


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
    together, output, exit_code = record(overlapping, *arguments)
    assert together == alone
    assert exit_code == expected
