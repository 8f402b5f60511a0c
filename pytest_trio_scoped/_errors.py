"""Every sentence that a user can be shown.

The user's thing comes first, then what happened, then what to do.
"""

from __future__ import annotations

PYTEST_TRIO_IS_ACTIVE = (
    "pytest-trio and pytest-trio-scoped are both active, and both run Trio tests.\n"
    "Uninstall pytest-trio, or switch it off with '-p no:trio'."
)

ALL_ARE_TAKEN = (
    "{what}, and {name} takes all async tests and fixtures, as its mode is 'auto'.\n"
    "Set '{option}' to 'strict' and mark its own tests, or switch one of the plugins off with '-p no:...'."
)

IS_FOR_TRIO = "{nodeid} is for Trio"

IS_TRIO_MODE = "The ini value 'trio_mode' is true"

ASYNC_STEP = (
    "The step {step!r} is async; pytest-bdd calls steps and does not await them.\n"
    "{location}\n"
    "Make it a sync function, and wait with await_()."
)

AWAIT_WITHOUT_RUN = (
    "await_() was called while no test run is in progress in this thread.\n"
    "It works in tests, fixtures, finalizers and hooks between the start and the end of the run, "
    "in the thread that runs pytest; in a worker thread use trio.from_thread.run()."
)

AWAIT_IN_TASK = (
    "await_() was called in a Trio task that runs on the loop itself, so the loop can't be waited for here.\n"
    "Make the caller async and use 'await'."
)

AWAIT_NOT_AWAITABLE = (
    "await_() takes an awaitable, such as the call of an async function, not {value!r}."
)

LOOP_IS_LOST = "The Trio loop of this session has ended ({reason}) although it is still needed."

LOOP_LOST_NOTE = (
    "This ended the Trio loop of the session. What asks for the loop next gets a fresh one."
)

OWN_LOOP_LOST_NOTE = "This ended the Trio loop that the test has of its own."

TWO_CLOCKS = (
    "{nodeid} uses {count} clocks: {names}. A Trio loop runs on one.\n"
    "Remove the others, or run what needs them in a trio.run() of its own."
)

CLOCK_AND_WIDE_FIXTURE = (
    "{nodeid} uses the clock {clock}, so it has a Trio loop of its own; the fixture {fixture} lives on the "
    "loop of the session.\n"
    "Give the fixture the scope 'function', or use 'mock_clock' or 'autojump_clock', which control the clock "
    "of the session's loop."
)

RUN_AND_WIDE_FIXTURE = (
    "{nodeid} is run by {run}, so it has a Trio loop of its own; the fixture {fixture} lives on the loop of "
    "the session.\n"
    "Give the fixture the scope 'function', or run the test by trio.run: {remedy}."
)

REMOVE_FROM_MARK = "remove 'run' from its mark"

REMOVE_FROM_INI = "mark it 'trio(run=trio.run)'"

WIDE_ON_OWN_LOOP = (
    "{nodeid} has a Trio loop of its own and asks for the fixture {fixture} while it runs; that lives on the "
    "loop of the session.\n"
    "Request the fixture by name, so that it is known before the test is set up."
)

LATE_CLOCK = (
    "{clock} of {nodeid} has turned out to be a clock after the fixture {fixture} had been set up on "
    "another loop.\n"
    "Annotate what the clock's fixture returns ('-> trio.abc.Clock'), so that it is set up first, or let "
    "the other one request it."
)

LATE_MARK = (
    "{nodeid} is to be run by {run}, but was marked 'trio' after the fixture {fixture} had been set up on "
    "another loop.\n"
    "Mark it when it is collected."
)

RUN_IS_NO_FUNCTION = (
    "{nodeid} is marked 'trio' with run={run!r}, which can't be called.\n"
    "Give a function that takes what trio.run takes."
)

RUN_WITHOUT_TEST = "{run} was to run {nodeid}, and returned without running it."

RUN_NOT_KNOWN = "The ini value 'trio_run' is {value!r}. Set it to 'trio' or 'qtrio'."

ORDER_NOT_KNOWN = "The ini value 'trio_fixture_order' is {value!r}. Set it to 'pytest' or 'plan'."

QTRIO_IS_MISSING = (
    "The ini value 'trio_run' is 'qtrio', which can't be imported: {error}.\n"
    "Install qtrio, or set 'trio_run' to 'trio'."
)

NOT_TORN_DOWN = "Ctrl-C has ended tear-down. These fixtures were not torn down, or not to the end:"

RAISED_AT = "It was raised here:\n{traceback}"

FIXTURES_LOST_NOTE = "Fixtures that lived on the loop are lost and will be set up anew: {names}."

ORPHAN_NOTE = (
    "Raised by a task that an earlier test has started in the parent nursery of its own task, and that has "
    "outlived the test."
)

ORPHANS_FAILED = "tasks failed that have outlived earlier tests"

CRASHED_NOTE = "Raised in the background of the fixture {name}, which has crashed."

ENDED_EXAMPLES_NOTE = (
    "This ended the search for other examples; it happened while this one ran:\n    {call}"
)

CANCELLED_SILENTLY = (
    "The fixture {name} cancelled the test, but raised no error.\n"
    "Its own cancel scope, or that of a nursery around its 'yield', was cancelled."
)

TEAR_DOWN_CUT_SHORT = (
    "The tear-down of the fixture {name} was cancelled: {crashed}, on which it depends, has crashed, "
    "and it did not end within {seconds:g} s after that."
)

FAILED_AND_CRASHED = "a fixture crashed, and something else failed with it"

LOST_AND_FAILED = "the Trio loop of the session ended, and fixtures failed to clean up"

TEST_IS_A_GENERATOR = (
    "{nodeid}: an async test must not contain 'yield', so it was not run.\n"
    "Remove the 'yield', or move what stands around it to a fixture."
)

INSTRUMENTS_FAILED = "instruments failed while the test ran"

MARKED_BUT_SYNC = (
    "{nodeid} is marked 'trio' but is not async, so it would never run on the loop.\n"
    "Make it 'async def', or remove the mark: a sync test may use async fixtures without it."
)

THREAD_BUT_ASYNC = (
    "{nodeid} is marked 'trio_thread' but is async, so it belongs on the loop and not in a worker thread.\n"
    "Remove the mark, or make it a sync function."
)

THREAD_AND_TRIO = (
    "{nodeid} is marked both 'trio' and 'trio_thread'; a sync test may use async fixtures without the "
    "first.\n"
    "Remove the mark 'trio'."
)

THREAD_NO_FUNCTION = (
    "{nodeid} is marked 'trio_thread', but pytest does not run it as a test function: it is a method of a "
    "unittest.TestCase, a doctest, or an item of another plugin.\n"
    "Make it a plain function, or remove the mark."
)

THREAD_GETS = (
    "{nodeid} called request.getfixturevalue({name!r}) in a worker thread; pytest sets fixtures up in its "
    "own thread only.\n"
    "Request the fixture by name: as an argument, or with the mark 'usefixtures'."
)

BLOCKED_LOOP = (
    "{nodeid} blocked the Trio loop for {seconds:.1f} s, and tasks of the fixture {name} had to wait.\n"
    "Mark the test 'trio_thread', which runs it in a worker thread, or wait with await_()."
)

SEED_NOT_KNOWN = "The option '--trio-seed' is {value!r}. Give a whole number, or 'random'."

SEED_WAS = "The order of tasks was random; to have the same again: --trio-seed={seed}"

LEAKED_NURSERY = (
    "{name} opened a nursery and ended without leaving it, so nobody waits for the nursery's tasks.\n"
    "They were cancelled. Leave the nursery with 'async with' or an AsyncExitStack."
)

LEAKED_CANCEL_SCOPE = (
    "{name} entered a cancel scope and ended without leaving it.\n"
    "Leave the scope with 'with' or an ExitStack."
)

TIMED_OUT = "{what} took longer than {seconds:g} s ({source})."

NOT_CANCELLED = "Sync code kept the thread of the tests from Trio, so it was not cancelled."

CANCELLED = "It was cancelled; these were the tasks:"

NOT_ENDED = (
    "It was cancelled, and has not ended within {seconds:g} s after that, so the Trio loop was ended; "
    "these were the tasks:"
)

STUCK = (
    "It can't be cancelled: for {seconds:g} s sync code has kept the thread of the tests from Trio. "
    "These are the tasks, and what the threads do:"
)

TASK_TREE = "Tasks of the Trio loop:"

TIMED_OUT_AND_FAILED = "it took too long, and something failed when it was cancelled"

NO_TIMEOUT = "{where} is {value!r}. Give a number of seconds, or {none} for no limit."

LEAKED_TASKS = (
    "{nodeid} has left tasks running that nobody waits for: {names}.\n"
    "Start them in a nursery, or let them end with the test."
)

SET_UPS_FAILED = "several fixtures failed while they were set up at the same time"

FIXTURES_WAIT_FOR_EACH_OTHER = (
    "recursive dependency: the set-ups of these fixtures wait for each other: {names}"
)

TOO_MANY_YIELDS = "fixture function has more than one 'yield':\n\n{source}\n{location}"

NO_YIELD = "{name} did not yield a value"

FIXTURE_UNKNOWN = (
    "{nodeid} can't be set up: there is no fixture {name!r}.\n"
    "{chain}\n"
    "Define it where the test can see it, or correct the name{hint}."
)

FIXTURE_HINT = ": {names}"

FIXTURE_CYCLE = (
    "{nodeid} can't be set up: the fixture {name!r} requests itself.\n"
    "{chain}\n"
    "Take out one of these requests."
)

FIXTURE_SCOPE = (
    "{nodeid} can't be set up: the fixture {wide} lasts longer than {narrow}, which it requests.\n"
    "{chain}\n"
    "Give {narrow_name!r} the scope {scope!r}, or {wide_name!r} a narrower one."
)

FIXTURE_MORE = "Other tests that can't be set up for the same reason: {count}."

SETUP_UNKNOWN = (
    "{function} requests the fixture {name!r}, which does not exist for {nodeid}.\n"
    "{location}\n"
    "Define it where the test can see it, or correct the name{hint}."
)

SETUP_HINT = ": {names}"

SETUP_HELPER = "If it is called by other code and not for tests, give {function} another name."

SETUP_SCOPE = (
    "{function} is called once for {scope}, and requests {narrow}, which does not last as long.\n"
    "{location}\n"
    "Give {name!r} a wider scope, or request it in a narrower set-up function."
)

SETUP_YIELDS = (
    "{function} contains a 'yield'; a set-up function is called, and what it returns is not used.\n"
    "{location}\n"
    "Take the 'yield' out, or make it a fixture."
)

DIRECTORY_FAILED = "errors while tearing down the fixtures of a directory"

MARKED_UNITTEST = (
    "{nodeid} is marked 'trio' but is a method of a unittest.TestCase, which unittest runs by itself.\n"
    "Make it a method of a plain class, or remove the mark."
)

NO_NUMBER_OF_TESTS = (
    "{where} is {value!r}. Give how many tests may run at once, 1 or more, or 'auto'."
)

PARALLEL_SCOPE_NOT_KNOWN = (
    "The ini value 'trio_parallel_scope' is {value!r}. Set it to 'session', 'module' or 'class'."
)

NO_GROUP = (
    "{nodeid} is marked 'trio_group', which takes one argument: the name of the group.\n"
    'Write it as in @pytest.mark.trio_group("database").'
)

ALONE_BY_MARK = "mark {name!r}"

ALONE_BY_FIXTURE = "fixture {name!r}"

ALONE_BY_LOOP = "a loop of its own"

ALONE_BY_RUNNER = "plugin {name!r} runs it"

ALL_ALONE = "alone: every test, as plugin {name!r} may run tests itself"

LATE_EXCLUSIVE = (
    "{nodeid} asks for {name!r} with getfixturevalue(), which changes the process for all, while other tests "
    "run.\n"
    "Take it as an argument, or mark the test 'trio_exclusive'."
)

LATE_VARIED = (
    "{nodeid} asks for {name!r} with getfixturevalue(), while other tests run to which it is given with a "
    "parameter, and one at a time is live.\n"
    "Take it as an argument, or mark the test 'trio_exclusive'."
)

LATE_OWN_LOOP = (
    "{nodeid} needs a loop of its own, while other tests run on that of the session.\n"
    "Mark the test 'trio_exclusive'."
)

COVERAGE_LOSES_LINES = (
    "coverage loses lines of sync code that waits; "
    "set 'concurrency = greenlet' in its section [run]"
)

TESTS_AT_ONCE = "trio-parallel: up to {number} tests at once, {alone} of {count} alone"

TEST_ALONE = "alone: {nodeid} ({reason})"

CRASHED_AMONG_MANY = (
    "Up to {number} tests were in flight, so another one may have crashed the worker than {nodeid}.\n"
    "The worker that replaces this one runs one test at a time."
)

TESTS_WAIT_FOR_EACH_OTHER = (
    "Tests that run at once wait for fixtures of each other: {names}.\n"
    "Let each fixture take the others that it needs as arguments, not with getfixturevalue()."
)

MIGRATE_CHANGE = "{path}:{line}: {old}  ->  {new}"

MIGRATE_LEFT = "{path}:{line}: left as it is: {text}"

MIGRATE_HINT = "{path}:{line}: hint: {text}"

MIGRATE_UNREADABLE = "{path}: left as it is: {error}"

MIGRATE_ODD_LINES = "libcst does not give its lines back as they are"

MIGRATE_TO_WRITE = "To change: {lines} line(s) in {files} file(s). '--write' changes them."

MIGRATE_WRITTEN = "Changed: {lines} line(s) in {files} file(s)."

MIGRATE_NOTHING = "Nothing to change."

MIGRATE_NO_PATH = "{path}: there is no such file or folder"

MIGRATE_NO_KIND = "{path}: neither Python code nor settings for pytest, tox, nox or pip"

MIGRATE_NO_LIBCST = (
    "it needs libcst, which is not installed: python -m pip install 'pytest-trio-scoped[migrate]'"
)

MIGRATE_NO_SUCCESSOR = "pytest-trio-scoped has nothing in the place of {names}"

MIGRATE_GENERATED = (
    "a tool has written this requirement of pytest-trio; change its source, and run it again"
)

MIGRATE_TWICE = "pytest-trio and pytest-trio-scoped are both required here; remove the first"

MIGRATE_BY_HAND = (
    "this requirement of pytest-trio has more than a version; write that of pytest-trio-scoped"
)

MIGRATE_MENTION = "pytest-trio is mentioned here"

MIGRATE_SWITCHED_OFF = (
    "'-p no:{name}' switched pytest-trio off, and does nothing more; '-p no:trio_scoped' switches "
    "pytest-trio-scoped off"
)

MIGRATE_TESTING = (
    "trio.testing is used and not imported in this file; pytest-trio imported it for all"
)

MIGRATE_WAITS = (
    "the fixture {name!r} waits for something that {other!r} does, and neither requests the other; if it is "
    "set up first, that hangs without 'trio_concurrent_fixtures = true'"
)

TIMELINE_SUFFIX = (
    "It is {value!r}. Give a file that ends in '.html', for a page, or in '.json', for Perfetto."
)

TIMELINE_UNWRITABLE = (
    "The option '--trio-timeline' is {path!r}, which can't be written: {reason}.\n"
    "Give a file in a folder in which you may write."
)

TIMELINE_WRITTEN = "trio-timeline: {path}"

TIMELINE_NOT_WRITTEN = "trio-timeline: {path} can't be written: {reason}"
