"""Every text that a user can see, whole."""

from __future__ import annotations

import string
from typing import Any

import pytest

from pytest_trio_scoped import _errors

#: ``{constant: (what is filled in, what the user reads)}``
TEXTS: dict[str, tuple[dict[str, Any], str]] = {
    "PYTEST_TRIO_IS_ACTIVE": (
        {},
        (
            "pytest-trio and pytest-trio-scoped are both active, and both run Trio tests.\n"
            "Uninstall pytest-trio, or switch it off with '-p no:trio'."
        ),
    ),
    "ALL_ARE_TAKEN": (
        {"what": "It", "name": "pytest-asyncio", "option": "asyncio_mode"},
        (
            "It, and pytest-asyncio takes all async tests and fixtures, as its mode is 'auto'.\n"
            "Set 'asyncio_mode' to 'strict' and mark its own tests, or switch one of the plugins off with "
            "'-p no:...'."
        ),
    ),
    "IS_FOR_TRIO": ({"nodeid": "test_it.py::test_a"}, "test_it.py::test_a is for Trio"),
    "IS_TRIO_MODE": ({}, "The ini value 'trio_mode' is true"),
    "ASYNC_STEP": (
        {"step": "a pear is added", "location": "test_it.py:7"},
        (
            "The step 'a pear is added' is async; pytest-bdd calls steps and does not await them.\n"
            "test_it.py:7\n"
            "Make it a sync function, and wait with await_()."
        ),
    ),
    "AWAIT_WITHOUT_RUN": (
        {},
        (
            "await_() was called while no test run is in progress in this thread.\n"
            "It works in tests, fixtures, finalizers and hooks between the start and the end of the run, in "
            "the thread that runs pytest; in a worker thread use trio.from_thread.run()."
        ),
    ),
    "AWAIT_IN_TASK": (
        {},
        (
            "await_() was called in a Trio task that runs on the loop itself, so the loop can't be waited "
            "for here.\n"
            "Make the caller async and use 'await'."
        ),
    ),
    "TIMELINE_SUFFIX": (
        {"value": "run.svg"},
        (
            "It is 'run.svg'. Give a file that ends in '.html', for a page, or in '.json', for Perfetto."
        ),
    ),
    "TIMELINE_UNWRITABLE": (
        {"path": "/no/run.html", "reason": "Permission denied"},
        (
            "The option '--trio-timeline' is '/no/run.html', which can't be written: Permission denied.\n"
            "Give a file in a folder in which you may write."
        ),
    ),
    "TIMELINE_WRITTEN": ({"path": "/a/run.html"}, "trio-timeline: /a/run.html"),
    "TIMELINE_NOT_WRITTEN": (
        {"path": "/a/run.html", "reason": "No space left on device"},
        "trio-timeline: /a/run.html can't be written: No space left on device",
    ),
    "INSTRUMENTS_FAILED": ({}, "instruments failed while the test ran"),
    "TEST_IS_A_GENERATOR": (
        {"nodeid": "test_it.py::test_a"},
        (
            "test_it.py::test_a: an async test must not contain 'yield', so it was not run.\n"
            "Remove the 'yield', or move what stands around it to a fixture."
        ),
    ),
    "TEAR_DOWN_CUT_SHORT": (
        {"name": "'a' (scope 'module')", "crashed": "'b' (scope 'session')", "seconds": 5.0},
        (
            "The tear-down of the fixture 'a' (scope 'module') was cancelled: 'b' (scope 'session'), on "
            "which it depends, has crashed, and it did not end within 5 s after that."
        ),
    ),
    "AWAIT_NOT_AWAITABLE": (
        {"value": 42},
        "await_() takes an awaitable, such as the call of an async function, not 42.",
    ),
    "LOOP_IS_LOST": (
        {"reason": ValueError("boom")},
        "The Trio loop of this session has ended (boom) although it is still needed.",
    ),
    "LOOP_LOST_NOTE": (
        {},
        "This ended the Trio loop of the session. What asks for the loop next gets a fresh one.",
    ),
    "OWN_LOOP_LOST_NOTE": ({}, "This ended the Trio loop that the test has of its own."),
    "TWO_CLOCKS": (
        {"nodeid": "test_it.py::test_a", "count": 2, "names": "'mock_clock', 'slow'"},
        (
            "test_it.py::test_a uses 2 clocks: 'mock_clock', 'slow'. A Trio loop runs on one.\n"
            "Remove the others, or run what needs them in a trio.run() of its own."
        ),
    ),
    "CLOCK_AND_WIDE_FIXTURE": (
        {
            "nodeid": "test_it.py::test_a",
            "clock": "'slow'",
            "fixture": "'server' (scope 'module')",
        },
        (
            "test_it.py::test_a uses the clock 'slow', so it has a Trio loop of its own; the fixture "
            "'server' (scope 'module') lives on the loop of the session.\n"
            "Give the fixture the scope 'function', or use 'mock_clock' or 'autojump_clock', which "
            "control the clock of the session's loop."
        ),
    ),
    "RUN_AND_WIDE_FIXTURE": (
        {
            "nodeid": "test_it.py::test_a",
            "run": "qtrio.run()",
            "fixture": "'server' (scope 'module')",
            "remedy": "mark it 'trio(run=trio.run)'",
        },
        (
            "test_it.py::test_a is run by qtrio.run(), so it has a Trio loop of its own; the fixture "
            "'server' (scope 'module') lives on the loop of the session.\n"
            "Give the fixture the scope 'function', or run the test by trio.run: mark it "
            "'trio(run=trio.run)'."
        ),
    ),
    "REMOVE_FROM_MARK": ({}, "remove 'run' from its mark"),
    "REMOVE_FROM_INI": ({}, "mark it 'trio(run=trio.run)'"),
    "WIDE_ON_OWN_LOOP": (
        {"nodeid": "test_it.py::test_a", "fixture": "'server' (scope 'module')"},
        (
            "test_it.py::test_a has a Trio loop of its own and asks for the fixture 'server' (scope "
            "'module') while it runs; that lives on the loop of the session.\n"
            "Request the fixture by name, so that it is known before the test is set up."
        ),
    ),
    "LATE_CLOCK": (
        {"nodeid": "test_it.py::test_a", "clock": "'slow'", "fixture": "'a' (scope 'function')"},
        (
            "'slow' of test_it.py::test_a has turned out to be a clock after the fixture 'a' (scope "
            "'function') had been set up on another loop.\n"
            "Annotate what the clock's fixture returns ('-> trio.abc.Clock'), so that it is set up "
            "first, or let the other one request it."
        ),
    ),
    "LATE_MARK": (
        {
            "nodeid": "test_it.py::test_a",
            "run": "qtrio.run()",
            "fixture": "'a' (scope 'function')",
        },
        (
            "test_it.py::test_a is to be run by qtrio.run(), but was marked 'trio' after the fixture "
            "'a' (scope 'function') had been set up on another loop.\n"
            "Mark it when it is collected."
        ),
    ),
    "RUN_IS_NO_FUNCTION": (
        {"nodeid": "test_it.py::test_a", "run": "qtrio"},
        (
            "test_it.py::test_a is marked 'trio' with run='qtrio', which can't be called.\n"
            "Give a function that takes what trio.run takes."
        ),
    ),
    "RUN_WITHOUT_TEST": (
        {"nodeid": "test_it.py::test_a", "run": "test_it.run()"},
        "test_it.run() was to run test_it.py::test_a, and returned without running it.",
    ),
    "RUN_NOT_KNOWN": (
        {"value": "asyncio"},
        "The ini value 'trio_run' is 'asyncio'. Set it to 'trio' or 'qtrio'.",
    ),
    "QTRIO_IS_MISSING": (
        {"error": ImportError("No module named 'qtrio'")},
        (
            "The ini value 'trio_run' is 'qtrio', which can't be imported: No module named 'qtrio'.\n"
            "Install qtrio, or set 'trio_run' to 'trio'."
        ),
    ),
    "RAISED_AT": (
        {"traceback": '  File "test_it.py", line 3, in crash'},
        'It was raised here:\n  File "test_it.py", line 3, in crash',
    ),
    "FIXTURES_LOST_NOTE": (
        {"names": "'a' (scope 'module')"},
        "Fixtures that lived on the loop are lost and will be set up anew: 'a' (scope 'module').",
    ),
    "CRASHED_NOTE": (
        {"name": "'a' (scope 'module')"},
        "Raised in the background of the fixture 'a' (scope 'module'), which has crashed.",
    ),
    "CANCELLED_SILENTLY": (
        {"name": "'a' (scope 'module')"},
        (
            "The fixture 'a' (scope 'module') cancelled the test, but raised no error.\n"
            "Its own cancel scope, or that of a nursery around its 'yield', was cancelled."
        ),
    ),
    "ENDED_EXAMPLES_NOTE": (
        {"call": "test_a(x=0)"},
        (
            "This ended the search for other examples; it happened while this one ran:\n"
            "    test_a(x=0)"
        ),
    ),
    "SET_UPS_FAILED": (
        {},
        "several fixtures failed while they were set up at the same time",
    ),
    "FIXTURES_WAIT_FOR_EACH_OTHER": (
        {"names": "'a', 'b'"},
        "recursive dependency: the set-ups of these fixtures wait for each other: 'a', 'b'",
    ),
    "FAILED_AND_CRASHED": ({}, "a fixture crashed, and something else failed with it"),
    "LOST_AND_FAILED": (
        {},
        "the Trio loop of the session ended, and fixtures failed to clean up",
    ),
    "LEAKED_CANCEL_SCOPE": (
        {"name": "test_it.py::test_a"},
        (
            "test_it.py::test_a entered a cancel scope and ended without leaving it.\n"
            "Leave the scope with 'with' or an ExitStack."
        ),
    ),
    "TIMED_OUT": (
        {"what": "test_it.py::test_a: the call", "seconds": 0.5, "source": "trio_timeout"},
        "test_it.py::test_a: the call took longer than 0.5 s (trio_timeout).",
    ),
    "NOT_CANCELLED": (
        {},
        "Sync code kept the thread of the tests from Trio, so it was not cancelled.",
    ),
    "CANCELLED": ({}, "It was cancelled; these were the tasks:"),
    "NOT_ENDED": (
        {"seconds": 5.0},
        (
            "It was cancelled, and has not ended within 5 s after that, so the Trio loop was ended; these "
            "were the tasks:"
        ),
    ),
    "STUCK": (
        {"seconds": 1.0},
        (
            "It can't be cancelled: for 1 s sync code has kept the thread of the tests from Trio. These "
            "are the tasks, and what the threads do:"
        ),
    ),
    "NOT_TORN_DOWN": (
        {},
        "Ctrl-C has ended tear-down. These fixtures were not torn down, or not to the end:",
    ),
    "TASK_TREE": ({}, "Tasks of the Trio loop:"),
    "TIMED_OUT_AND_FAILED": (
        {},
        "it took too long, and something failed when it was cancelled",
    ),
    "NO_TIMEOUT": (
        {"where": "The ini value 'trio_timeout'", "value": "soon", "none": 0},
        "The ini value 'trio_timeout' is 'soon'. Give a number of seconds, or 0 for no limit.",
    ),
    "ORPHAN_NOTE": (
        {},
        (
            "Raised by a task that an earlier test has started in the parent nursery of its own task, and "
            "that has outlived the test."
        ),
    ),
    "ORPHANS_FAILED": ({}, "tasks failed that have outlived earlier tests"),
    "LEAKED_TASKS": (
        {"nodeid": "test_it.py::test_a", "names": "'endless'"},
        (
            "test_it.py::test_a has left tasks running that nobody waits for: 'endless'.\n"
            "Start them in a nursery, or let them end with the test."
        ),
    ),
    "MARKED_BUT_SYNC": (
        {"nodeid": "test_it.py::test_a"},
        (
            "test_it.py::test_a is marked 'trio' but is not async, so it would never run on the loop.\n"
            "Make it 'async def', or remove the mark: a sync test may use async fixtures without it."
        ),
    ),
    "THREAD_BUT_ASYNC": (
        {"nodeid": "test_it.py::test_a"},
        (
            "test_it.py::test_a is marked 'trio_thread' but is async, so it belongs on the loop and not in "
            "a worker thread.\n"
            "Remove the mark, or make it a sync function."
        ),
    ),
    "THREAD_AND_TRIO": (
        {"nodeid": "test_it.py::test_a"},
        (
            "test_it.py::test_a is marked both 'trio' and 'trio_thread'; a sync test may use async fixtures "
            "without the first.\n"
            "Remove the mark 'trio'."
        ),
    ),
    "THREAD_NO_FUNCTION": (
        {"nodeid": "test_it.py::TestA::test_a"},
        (
            "test_it.py::TestA::test_a is marked 'trio_thread', but pytest does not run it as a test "
            "function: it is a method of a unittest.TestCase, a doctest, or an item of another plugin.\n"
            "Make it a plain function, or remove the mark."
        ),
    ),
    "THREAD_GETS": (
        {"nodeid": "test_it.py::test_a", "name": "server"},
        (
            "test_it.py::test_a called request.getfixturevalue('server') in a worker thread; pytest sets "
            "fixtures up in its own thread only.\n"
            "Request the fixture by name: as an argument, or with the mark 'usefixtures'."
        ),
    ),
    "BLOCKED_LOOP": (
        {"nodeid": "test_it.py::test_a", "seconds": 5.25, "name": "'server' (scope 'session')"},
        (
            "test_it.py::test_a blocked the Trio loop for 5.2 s, and tasks of the fixture 'server' (scope "
            "'session') had to wait.\n"
            "Mark the test 'trio_thread', which runs it in a worker thread, or wait with await_()."
        ),
    ),
    "SEED_NOT_KNOWN": (
        {"value": "many"},
        "The option '--trio-seed' is 'many'. Give a whole number, or 'random'.",
    ),
    "SEED_WAS": (
        {"seed": 12345},
        "The order of tasks was random; to have the same again: --trio-seed=12345",
    ),
    "LEAKED_NURSERY": (
        {"name": "test_it.py::test_a"},
        (
            "test_it.py::test_a opened a nursery and ended without leaving it, so nobody waits for the "
            "nursery's tasks.\n"
            "They were cancelled. Leave the nursery with 'async with' or an AsyncExitStack."
        ),
    ),
    "TOO_MANY_YIELDS": (
        {"source": "    def f(): ...", "location": "test_it.py:3"},
        "fixture function has more than one 'yield':\n\n    def f(): ...\ntest_it.py:3",
    ),
    "NO_YIELD": ({"name": "numbers"}, "numbers did not yield a value"),
    "ORDER_NOT_KNOWN": (
        {"value": "random"},
        "The ini value 'trio_fixture_order' is 'random'. Set it to 'pytest' or 'plan'.",
    ),
    "FIXTURE_UNKNOWN": (
        {
            "nodeid": "test_it.py::test_a",
            "name": "dbs",
            "chain": "    test_a  test_it.py:3",
            "hint": ": 'db'",
        },
        (
            "test_it.py::test_a can't be set up: there is no fixture 'dbs'.\n"
            "    test_a  test_it.py:3\n"
            "Define it where the test can see it, or correct the name: 'db'."
        ),
    ),
    "FIXTURE_HINT": ({"names": "'db', 'dbm'"}, ": 'db', 'dbm'"),
    "FIXTURE_CYCLE": (
        {"nodeid": "test_it.py::test_a", "name": "db", "chain": "    test_a  test_it.py:3"},
        (
            "test_it.py::test_a can't be set up: the fixture 'db' requests itself.\n"
            "    test_a  test_it.py:3\n"
            "Take out one of these requests."
        ),
    ),
    "FIXTURE_SCOPE": (
        {
            "nodeid": "test_it.py::test_a",
            "wide": "'server' (scope 'session')",
            "narrow": "'db' (scope 'function')",
            "chain": "    test_a  test_it.py:3",
            "narrow_name": "db",
            "scope": "session",
            "wide_name": "server",
        },
        (
            "test_it.py::test_a can't be set up: the fixture 'server' (scope 'session') lasts longer than "
            "'db' (scope 'function'), which it requests.\n"
            "    test_a  test_it.py:3\n"
            "Give 'db' the scope 'session', or 'server' a narrower one."
        ),
    ),
    "FIXTURE_MORE": (
        {"count": 2},
        "Other tests that can't be set up for the same reason: 2.",
    ),
    "SETUP_UNKNOWN": (
        {
            "function": "test_it.py::setup_module",
            "name": "databse",
            "nodeid": "test_it.py::test_a",
            "location": "test_it.py:3",
            "hint": ": 'database'",
        },
        (
            "test_it.py::setup_module requests the fixture 'databse', which does not exist for "
            "test_it.py::test_a.\n"
            "test_it.py:3\n"
            "Define it where the test can see it, or correct the name: 'database'."
        ),
    ),
    "SETUP_HINT": ({"names": "'database'"}, ": 'database'"),
    "SETUP_HELPER": (
        {"function": "setup_directory"},
        "If it is called by other code and not for tests, give setup_directory another name.",
    ),
    "SETUP_SCOPE": (
        {
            "function": "test_it.py::setup_module",
            "scope": "its module",
            "narrow": "'tmp_path' (scope 'function')",
            "name": "tmp_path",
            "location": "test_it.py:3",
        },
        (
            "test_it.py::setup_module is called once for its module, and requests 'tmp_path' "
            "(scope 'function'), which does not last as long.\n"
            "test_it.py:3\n"
            "Give 'tmp_path' a wider scope, or request it in a narrower set-up function."
        ),
    ),
    "SETUP_YIELDS": (
        {"function": "test_it.py::setup_module", "location": "test_it.py:3"},
        (
            "test_it.py::setup_module contains a 'yield'; a set-up function is called, and what it "
            "returns is not used.\n"
            "test_it.py:3\n"
            "Take the 'yield' out, or make it a fixture."
        ),
    ),
    "NO_NUMBER_OF_TESTS": (
        {"where": "The ini value 'trio_parallel'", "value": "many"},
        (
            "The ini value 'trio_parallel' is 'many'. Give how many tests may run at once, 1 or more, or "
            "'auto'."
        ),
    ),
    "PARALLEL_SCOPE_NOT_KNOWN": (
        {"value": "package"},
        "The ini value 'trio_parallel_scope' is 'package'. Set it to 'session', 'module' or 'class'.",
    ),
    "NO_GROUP": (
        {"nodeid": "test_it.py::test_a"},
        (
            "test_it.py::test_a is marked 'trio_group', which takes one argument: the name of the group.\n"
            'Write it as in @pytest.mark.trio_group("database").'
        ),
    ),
    "ALONE_BY_MARK": ({"name": "trio_exclusive"}, "mark 'trio_exclusive'"),
    "ALONE_BY_FIXTURE": ({"name": "capsys"}, "fixture 'capsys'"),
    "ALONE_BY_LOOP": ({}, "a loop of its own"),
    "ALONE_BY_RUNNER": ({"name": "flaky"}, "plugin 'flaky' runs it"),
    "LATE_EXCLUSIVE": (
        {"nodeid": "test_it.py::test_a", "name": "capsys"},
        (
            "test_it.py::test_a asks for 'capsys' with getfixturevalue(), which changes the process for all, "
            "while other tests run.\n"
            "Take it as an argument, or mark the test 'trio_exclusive'."
        ),
    ),
    "LATE_VARIED": (
        {"nodeid": "test_it.py::test_a", "name": "db"},
        (
            "test_it.py::test_a asks for 'db' with getfixturevalue(), while other tests run to which it is "
            "given with a parameter, and one at a time is live.\n"
            "Take it as an argument, or mark the test 'trio_exclusive'."
        ),
    ),
    "LATE_OWN_LOOP": (
        {"nodeid": "test_it.py::test_a"},
        (
            "test_it.py::test_a needs a loop of its own, while other tests run on that of the session.\n"
            "Mark the test 'trio_exclusive'."
        ),
    ),
    "TESTS_WAIT_FOR_EACH_OTHER": (
        {"names": "'test_it.py::test_a', 'test_it.py::test_b'"},
        (
            "Tests that run at once wait for fixtures of each other: 'test_it.py::test_a', "
            "'test_it.py::test_b'.\n"
            "Let each fixture take the others that it needs as arguments, not with getfixturevalue()."
        ),
    ),
    "COVERAGE_LOSES_LINES": (
        {},
        "coverage loses lines of sync code that waits; set 'concurrency = greenlet' in its section [run]",
    ),
    "TESTS_AT_ONCE": (
        {"number": 100, "alone": 2, "count": 40},
        "trio-parallel: up to 100 tests at once, 2 of 40 alone",
    ),
    "TEST_ALONE": (
        {"nodeid": "test_it.py::test_a", "reason": "fixture 'capsys'"},
        "alone: test_it.py::test_a (fixture 'capsys')",
    ),
    "ALL_ALONE": (
        {"name": "flaky"},
        "alone: every test, as plugin 'flaky' may run tests itself",
    ),
    "CRASHED_AMONG_MANY": (
        {"number": 5, "nodeid": "test_it.py::test_a"},
        (
            "Up to 5 tests were in flight, so another one may have crashed the worker than "
            "test_it.py::test_a.\n"
            "The worker that replaces this one runs one test at a time."
        ),
    ),
    "DIRECTORY_FAILED": ({}, "errors while tearing down the fixtures of a directory"),
    "MARKED_UNITTEST": (
        {"nodeid": "test_it.py::TestA::test_a"},
        (
            "test_it.py::TestA::test_a is marked 'trio' but is a method of a unittest.TestCase, which "
            "unittest runs by itself.\n"
            "Make it a method of a plain class, or remove the mark."
        ),
    ),
    "MIGRATE_CHANGE": (
        {"path": "a.py", "line": 3, "old": "import a", "new": "import b"},
        "a.py:3: import a  ->  import b",
    ),
    "MIGRATE_LEFT": (
        {"path": "a.py", "line": 3, "text": "why"},
        "a.py:3: left as it is: why",
    ),
    "MIGRATE_HINT": ({"path": "a.py", "line": 3, "text": "what"}, "a.py:3: hint: what"),
    "MIGRATE_UNREADABLE": (
        {"path": "a.py", "error": "Permission denied"},
        "a.py: left as it is: Permission denied",
    ),
    "MIGRATE_ODD_LINES": ({}, "libcst does not give its lines back as they are"),
    "MIGRATE_TO_WRITE": (
        {"lines": 2, "files": 1},
        "To change: 2 line(s) in 1 file(s). '--write' changes them.",
    ),
    "MIGRATE_WRITTEN": ({"lines": 2, "files": 1}, "Changed: 2 line(s) in 1 file(s)."),
    "MIGRATE_NOTHING": ({}, "Nothing to change."),
    "MIGRATE_NO_PATH": ({"path": "a"}, "a: there is no such file or folder"),
    "MIGRATE_NO_KIND": (
        {"path": "a.md"},
        "a.md: neither Python code nor settings for pytest, tox, nox or pip",
    ),
    "MIGRATE_NO_LIBCST": (
        {},
        "it needs libcst, which is not installed: python -m pip install 'pytest-trio-scoped[migrate]'",
    ),
    "MIGRATE_NO_SUCCESSOR": (
        {"names": "pytest_trio.plugin.automark"},
        "pytest-trio-scoped has nothing in the place of pytest_trio.plugin.automark",
    ),
    "MIGRATE_GENERATED": (
        {},
        "a tool has written this requirement of pytest-trio; change its source, and run it again",
    ),
    "MIGRATE_TWICE": (
        {},
        "pytest-trio and pytest-trio-scoped are both required here; remove the first",
    ),
    "MIGRATE_BY_HAND": (
        {},
        "this requirement of pytest-trio has more than a version; write that of pytest-trio-scoped",
    ),
    "MIGRATE_MENTION": ({}, "pytest-trio is mentioned here"),
    "MIGRATE_SWITCHED_OFF": (
        {"name": "trio"},
        (
            "'-p no:trio' switched pytest-trio off, and does nothing more; '-p no:trio_scoped' switches "
            "pytest-trio-scoped off"
        ),
    ),
    "MIGRATE_TESTING": (
        {},
        "trio.testing is used and not imported in this file; pytest-trio imported it for all",
    ),
    "MIGRATE_WAITS": (
        {"name": "a", "other": "b"},
        (
            "the fixture 'a' waits for something that 'b' does, and neither requests the other; if it is set "
            "up first, that hangs without 'trio_concurrent_fixtures = true'"
        ),
    ),
}
SENTENCES = {name: text for name, text in vars(_errors).items() if name.isupper()}
every_sentence = pytest.mark.parametrize("name", sorted(SENTENCES))


def test_every_sentence_is_in_the_table() -> None:
    assert sorted(TEXTS) == sorted(SENTENCES)


@every_sentence
def test_reads_as_in_the_table(name: str) -> None:
    values, text = TEXTS[name]
    assert SENTENCES[name].format(**values) == text


@every_sentence
def test_is_filled_in_with_what_it_asks_for_and_no_more(name: str) -> None:
    asked = {field for _, field, _, _ in string.Formatter().parse(SENTENCES[name]) if field}
    assert asked == set(TEXTS[name][0])


@every_sentence
def test_has_three_lines_at_most_and_no_jokes(name: str) -> None:
    values, text = TEXTS[name]
    without_source = text.replace(values["source"], "") if "source" in values else text
    assert len([line for line in without_source.splitlines() if line.strip()]) <= 3
    assert "!" not in text
    assert text == text.strip()
