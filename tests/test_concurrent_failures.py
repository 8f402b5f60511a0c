"""What happens when one of the fixtures that are set up at the same time fails."""

from __future__ import annotations

import textwrap

import pytest
from concurrent_suites import run, write
from harness import Suite

#: ``failing`` fails when ``up`` is up and ``waiting`` waits.
SOURCE = """
import gc, os, signal, threading
from trio.testing import wait_all_tasks_blocked

@pytest.fixture(scope=SCOPE)
async def up(request):
    request.addfinalizer(lambda: trace("finalizer"))
    yield "up"
    await trio.sleep(0)
    trace("up down")

@pytest.fixture(scope=SCOPE)
async def waiting(request):
    request.addfinalizer(finalize)
    trace("waits")
    try:
        if is_first:
            await trio.sleep_forever()
    except BaseException as error:
        trace(type(error).__name__)
        raise
    finally:
        with trio.CancelScope(shield=True):
            await trio.sleep(0)
        if is_first:
            trace("cleaned up")
    yield "waiting"
    trace("waiting down")

async def finalize():
    await trio.sleep(0)
    trace("finalized")

@pytest.fixture(scope=SCOPE)
async def never(waiting):
    trace("never comes")

@pytest.fixture(scope=SCOPE)
async def failing():
    await wait_all_tasks_blocked()
    if is_first:
        FAIL
    yield "failing"

is_first = True

async def test_it(up, waiting, never, failing): pass

def test_is_over():
    global is_first
    is_first = False
    trace("over")

async def test_next(up, waiting): trace([up, waiting])

async def test_again(up, failing): trace([up, failing])
"""

FAILURES = {
    "raise ValueError('boom')": ("error", "ValueError: boom"),
    "pytest.fail('boom')": ("error", "Failed: boom"),
    "pytest.skip('why')": ("skipped", "why"),
    "pytest.xfail('why')": ("xfailed", "why"),
    "raise BaseException('boom')": ("error", "BaseException: boom"),
    "raise ExceptionGroup('boom', [ValueError('inner')])": ("error", "ExceptionGroup: boom"),
    "return": ("error", "ValueError: failing did not yield a value"),
    "trio.lowlevel.spawn_system_task(boom)\n        await trio.sleep_forever()": (
        "error",
        "ZeroDivisionError",
    ),
}


@pytest.mark.parametrize("failure", list(FAILURES)[:-1])
@pytest.mark.parametrize("scope", ["function", "session"])
def test_a_failure_cancels_the_others_and_is_the_one_reported(
    suite: Suite,
    scope: str,
    failure: str,
) -> None:
    source = SOURCE.replace("SCOPE", repr(scope)).replace("FAIL", failure)
    result = run(suite, source, "-rA")
    word, message = FAILURES[failure]
    is_remembered = scope == "session" and "BaseException" not in failure
    assert result.outcomes == {
        "test_it": word,
        "test_is_over": "passed",
        "test_next": "passed",
        "test_again": word if is_remembered else "passed",
    }
    assert message in result.output
    assert "Cancelled" not in result.output
    trace = result.trace
    assert trace[:4] == ["waits", "Cancelled", "cleaned up", "finalized"]
    assert "never comes" not in trace
    if scope == "function":
        assert trace[4:7] == ["up down", "finalizer", "over"]
        downs = ["up down", "waiting down", "finalizer", "finalized"]
        assert trace[7:9] == ["waits", "['up', 'waiting']"]
        assert sorted(trace[9:13]) == sorted(downs)
        assert trace[13:] == ["['up', 'failing']", "up down", "finalizer"]
    else:
        expected = ["over", "waits", "['up', 'waiting']"]
        if not is_remembered:
            expected.append("['up', 'failing']")
        assert trace[4 : 4 + len(expected)] == expected
        assert sorted(trace[4 + len(expected) :]) == sorted(
            ["up down", "waiting down", "finalizer", "finalized"]
        )


def test_it_looks_as_if_they_had_been_set_up_one_after_the_other(suite: Suite) -> None:
    source = """
        import trio.testing

        async def helper():
            raise ValueError("boom")

        @pytest.fixture
        async def a():
            await trio.testing.wait_all_tasks_blocked()
            yield

        @pytest.fixture
        async def b(request):
            await trio.testing.wait_all_tasks_blocked()
            await helper()
            yield

        async def test_it(a, b): pass
        """
    write(suite, source)
    output = suite.run().output
    suite.ini()
    assert output.splitlines()[:-1] == suite.run().output.splitlines()[:-1]


@pytest.mark.parametrize(
    "source",
    [
        "def test_it(a, b, missing): pass",
        """
        @pytest.fixture
        async def c(missing): pass
        async def test_it(a, b, c): pass
        """,
        """
        @pytest.fixture(scope="session")
        async def c(d): pass
        @pytest.fixture
        async def d(): pass
        async def test_it(a, c): pass
        """,
        """
        @pytest.fixture
        async def c(d): pass
        @pytest.fixture
        async def d(c): pass
        async def test_it(a, b, c): pass
        """,
    ],
    ids=["test requests what is missing", "fixture does", "scopes do not fit", "cycle"],
)
def test_wrong_requests_are_told_as_pytest_does(suite: Suite, source: str) -> None:
    fixtures = """
        @pytest.fixture
        async def a(): pass
        @pytest.fixture
        async def b(): pass
        """
    write(suite, textwrap.dedent(fixtures) + textwrap.dedent(source))
    output = suite.run().output
    suite.ini()
    assert output.splitlines()[:-1] == suite.run().output.splitlines()[:-1]


def test_for_a_failure_that_pytest_knows_nothing_else_is_begun(suite: Suite) -> None:
    source = """
        @pytest.fixture(scope="module")
        async def failing(): raise ValueError

        @pytest.fixture
        async def before(): trace("before")

        @pytest.fixture
        async def after(): trace("after")

        async def test_it(failing): pass
        async def test_again(before, failing, after): pass
        """
    write(suite, source)
    for seed in range(5):
        result = suite.run(f"--trio-seed={seed}")
        assert set(result.outcomes.values()) == {"error"}
    assert result.trace == []


def test_others_that_fail_while_they_are_cancelled_are_reported_too(suite: Suite) -> None:
    result = run(
        suite,
        """
        from trio.testing import wait_all_tasks_blocked

        async def fail_when_cancelled():
            try:
                await trio.sleep_forever()
            finally:
                raise KeyError("second")

        @pytest.fixture
        async def a():
            async with trio.open_nursery() as nursery:
                nursery.start_soon(fail_when_cancelled)
                yield

        @pytest.fixture
        async def b():
            async with trio.open_nursery() as nursery:
                nursery.start_soon(fail_when_cancelled)
                await trio.sleep_forever()
                yield

        @pytest.fixture
        async def c():
            await wait_all_tasks_blocked()
            raise ValueError("first")

        async def test_it(b, c): pass
        """,
    )
    assert result.outcomes == {"test_it": "error"}
    assert "several fixtures failed while they were set up at the same time" in result.output
    first, second = result.output.index("ValueError: first"), result.output.index("KeyError")
    assert first < second
    assert "Cancelled: " not in result.output.replace("trio.Cancelled: cancelled", "")


# ------------------------------------------------------------------------ who ends the run

INTERRUPTED = """
from trio.testing import wait_all_tasks_blocked

@pytest.fixture(scope="session")
async def wide():
    yield
    trace("wide down")

@pytest.fixture
async def up(wide):
    yield "up"
    await trio.sleep(0)
    trace("up down")

@pytest.fixture
async def waiting(wide):
    try:
        await trio.sleep_forever()
    finally:
        trace("left")

@pytest.fixture
async def failing(wide):
    await wait_all_tasks_blocked()
    END

async def test_it(up, waiting, failing): trace("never comes")
async def test_next(): trace("never comes")
"""


@pytest.mark.parametrize(
    ("end", "output"),
    [
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("pytest.exit('enough')", "_pytest.outcomes.Exit: enough"),
    ],
)
def test_the_end_of_the_run_is_no_failure(suite: Suite, end: str, output: str) -> None:
    write(suite, INTERRUPTED.replace("END", end))
    result = suite.run_subprocess()
    assert result.exit_code == 2
    assert f"!!! {output} !!!" in result.output
    assert result.trace == ["left", "up down", "wide down"]
    assert "Cancelled" not in result.output
    assert result.phases == {}


def test_dash_x_tears_down_what_is_up(suite: Suite) -> None:
    write(suite, INTERRUPTED.replace("END", "raise ValueError"))
    result = suite.run("-x")
    assert result.exit_code == 1
    assert result.trace == ["left", "up down", "wide down"]


# ------------------------------------------------------------------------ crashes

CRASH = """
from trio.testing import wait_all_tasks_blocked

crash = trio.Event()
seen = []

async def background():
    await crash.wait()
    raise ValueError("boom")

@pytest.fixture(scope="module")
async def server():
    async with trio.open_nursery() as nursery:
        nursery.start_soon(background)
        try:
            yield "server"
        finally:
            trace("server down")
"""


def test_a_crash_cancels_the_set_ups_that_depend_on_it(suite: Suite) -> None:
    result = run(
        suite,
        CRASH
        + """
async def wait(name):
    try:
        await trio.sleep_forever()
    finally:
        with trio.CancelScope(shield=True):
            await trio.sleep(0)
            await trio.sleep(0)
        trace(f"{name} left")

@pytest.fixture
async def client(server): await wait("client")

@pytest.fixture
async def other_client(server):
    await wait("client")
    yield

@pytest.fixture
async def late_client(request):
    request.getfixturevalue("server")
    await wait("client")

@pytest.fixture
async def trigger():
    await wait_all_tasks_blocked()
    crash.set()
    await wait("trigger")

async def test_it(client, other_client, late_client, trigger): pass
async def test_next(server): pass
async def test_last(): trace("last")
""",
    )
    assert result.outcomes == {"test_it": "error", "test_next": "error", "test_last": "passed"}
    assert sorted(result.trace[:4]) == ["client left"] * 3 + ["trigger left"]
    assert result.trace[4:] == ["server down", "last"]
    assert result.output.count("E       ValueError: boom") == 2
    assert "Raised in the background of the fixture 'server' (scope 'module')" in result.output
    assert "Cancelled" not in result.output


def test_a_crash_and_what_fails_with_it_are_told_together(suite: Suite) -> None:
    result = run(
        suite,
        CRASH
        + """
@pytest.fixture
async def client(server): await trio.sleep_forever()

@pytest.fixture
async def trigger():
    await wait_all_tasks_blocked()
    crash.set()
    try:
        await trio.sleep_forever()
    finally:
        raise KeyError("trigger")

async def test_it(client, trigger): pass
async def test_last(): pass
""",
    )
    assert result.phases == {"test_it": "failed passed", "test_last": "passed passed passed"}
    assert "several fixtures failed while they were set up at the same time" in result.output
    assert "| KeyError: 'trigger'" in result.output
    assert "| ValueError: boom" in result.output
    assert "Cancelled" not in result.output.replace("trio.Cancelled: cancelled", "")


def test_a_crash_of_which_no_set_up_depends_is_the_tests(suite: Suite) -> None:
    result = run(
        suite,
        CRASH
        + """
@pytest.fixture
async def trigger():
    await wait_all_tasks_blocked()
    crash.set()
    await wait_all_tasks_blocked()
    trace("trigger up")

async def test_it(server, trigger): trace("never comes")
async def test_last(): trace("last")
""",
    )
    assert result.phases["test_it"] == "passed failed passed"
    assert result.outcomes["test_last"] == "passed"
    assert result.trace == ["trigger up", "server down", "last"]


def test_a_crash_while_the_test_runs_cancels_it(suite: Suite) -> None:
    result = run(
        suite,
        CRASH
        + """
@pytest.fixture
async def other(): pass

async def test_it(server, other):
    crash.set()
    await trio.sleep_forever()
""",
    )
    assert result.phases["test_it"] == "passed failed passed"
    assert "E       ValueError: boom" in result.output


def test_what_depends_on_a_crash_is_not_begun(suite: Suite) -> None:
    result = run(
        suite,
        CRASH
        + """
@pytest.fixture
async def trigger():
    await wait_all_tasks_blocked()
    crash.set()
    await wait_all_tasks_blocked()
    yield
    trace("trigger down")

@pytest.fixture
async def client(server, trigger): trace("never comes")

async def test_it(client): pass
""",
    )
    assert result.outcomes == {"test_it": "error"}
    assert result.trace == ["server down", "trigger down"]
    assert "E       ValueError: boom" in result.output


def test_a_crash_while_others_are_torn_down_is_reported(suite: Suite) -> None:
    result = run(
        suite,
        CRASH
        + """
@pytest.fixture(scope="module")
async def client(server):
    yield
    crash.set()
    await wait_all_tasks_blocked()
    trace("client down")

@pytest.fixture(scope="module")
async def other():
    yield
    await wait_all_tasks_blocked()
    await wait_all_tasks_blocked()
    trace("other down")

async def test_it(client, other): pass
""",
    )
    assert result.phases == {"test_it": "passed passed failed"}
    assert sorted(result.trace) == ["client down", "other down", "server down"]
    assert result.output.count("ValueError: boom") >= 1
    assert "Raised in the background of the fixture 'server' (scope 'module')" in result.output


# ------------------------------------------------------------------------ the loop ends

LOST = {
    "a system task crashes": """
        trio.lowlevel.spawn_system_task(crash)
        await trio.sleep_forever()
    """,
    "a callback raises": """
        trio.lowlevel.current_trio_token().run_sync_soon(raise_it)
        await trio.sleep_forever()
    """,
}


@pytest.mark.parametrize("how", LOST)
@pytest.mark.parametrize("when", ["set-up", "tear-down"])
def test_the_loop_ends_meanwhile(suite: Suite, how: str, when: str) -> None:
    result_of = LOST[how]
    source = f"""
from trio.testing import wait_all_tasks_blocked

def raise_it():
    raise ValueError("boom")

async def crash():
    raise_it()

@pytest.fixture(scope="session")
async def up():
    trace("up")
    try:
        yield
    finally:
        trace("up left")

@pytest.fixture
async def waits():
    try:
        if "{when}" == "set-up" and is_first:
            await trio.sleep_forever()
        yield
        if is_first:
            await trio.sleep_forever()
    finally:
        trace("left")

@pytest.fixture
async def ends():
    if "{when}" == "tear-down":
        yield
    await wait_all_tasks_blocked()
    if is_first:
        {result_of.strip()}
    if "{when}" == "set-up":
        yield

@pytest.fixture
async def third():
    yield
    if is_first:
        await trio.sleep_forever()

is_first = True

async def test_it(up, waits, ends, third): pass

def test_is_over():
    global is_first
    is_first = False
    trace("over")

async def test_next(up, waits, ends, third): trace("next")
"""
    write(suite, source)
    result = suite.run_subprocess()
    assert result.outcomes == {"test_it": "error", "test_is_over": "passed", "test_next": "passed"}
    assert result.exit_code == 1
    assert sorted(result.trace[:3]) == ["left", "up", "up left"]
    assert result.trace[3:] == ["over", "up", "next", "left", "up left"]
    assert "This ended the Trio loop of the session." in result.output
    assert "ValueError: boom" in result.output
    for word in ("never awaited", "Exception ignored", "GreenletExit", "Cancelled"):
        assert word not in result.output


# ------------------------------------------------------------------------ Ctrl-C

SIGINT = {
    "set-up waits": "await trio.sleep_forever()\n    yield",
    "set-up is busy": "while True: pass\n    yield",
    "set-up is shielded": "with trio.CancelScope(shield=True): await trio.sleep_forever()\n    yield",
    "tear-down waits": "yield\n    await ready()\n    await trio.sleep_forever()",
    "tear-down is busy": "yield\n    await ready()\n    while True: pass",
    "tear-down is shielded": (
        "yield\n    await ready()\n    with trio.CancelScope(shield=True): await trio.sleep_forever()"
    ),
}


@pytest.mark.parametrize("place", SIGINT)
def test_ctrl_c_ends_the_run_with_what_is_up_torn_down(suite: Suite, place: str) -> None:
    ready = "await ready()" if "set-up" in place else "pass"
    write(
        suite,
        f"""
from trio.testing import wait_all_tasks_blocked

@pytest.fixture(scope="session")
async def wide():
    yield
    await trio.sleep(0)
    trace("wide down")

@pytest.fixture(scope="session")
async def wide_too():
    yield
    await trio.sleep(0)
    trace("wide down")

@pytest.fixture
async def narrow(wide):
    yield
    try:
        await trio.sleep_forever() if {"tear-down" in place} else await trio.sleep(0)
    finally:
        trace("narrow left")

async def ready():
    await wait_all_tasks_blocked()
    trace("ready")

@pytest.fixture
async def victim(wide, wide_too):
    {ready}
    {SIGINT[place]}

@pytest.fixture
async def sibling(wide):
    if {"set-up" in place}:
        await trio.sleep_forever()
    yield
    await trio.sleep(0)

async def test_it(narrow, victim, sibling): pass
async def test_after(): trace("ran on")
""",
    )
    process = suite.start()
    suite.wait_for_trace("ready")
    suite.interrupt(process)
    result = suite.finish(process, seconds=15)
    assert result.exit_code == 2, result.output
    assert "!!! KeyboardInterrupt !!!" in result.output
    assert "ran on" not in result.trace
    assert sorted(result.trace) == ["narrow left", "ready", "wide down", "wide down"]
    for word in ("Warning", "never awaited", "Exception ignored", "INTERNALERROR", "Cancelled"):
        assert word not in result.output


# ------------------------------------------------------------------------ the loop ends twice

ENDS = """
turn = 0

async def end():
    async def crash():
        raise OSError("the end")
    trio.lowlevel.spawn_system_task(crash)
    await trio.sleep_forever()

for name in ("a", "b", "c"):
    exec(f'''
@pytest.fixture(scope="{scope}")
async def {{name}}():
    global turn
    trace("{{name}} begins")
    await meet(f"turn {{{{turn}}}}", 3)
    if turn < 2 and "{{name}}" == "b":
        turn += 1
        await end()
    if turn < 2:
        await trio.sleep_forever()
    yield
''')

async def test_1(a, b, c): pass
async def test_2(a, b, c): pass
async def test_3(a, b, c): pass
"""


@pytest.mark.parametrize("scope", ["function", "session"])
def test_each_loop_that_ends_while_they_are_set_up_is_told_once_and_replaced(
    suite: Suite, scope: str
) -> None:
    write(suite, ENDS.format(scope=scope))
    result = suite.run()
    assert result.outcomes == {"test_1": "error", "test_2": "error", "test_3": "passed"}
    told = [line for line in result.output.splitlines() if line.startswith("ERROR ")]
    assert told == [f"ERROR test_it.py::test_{number} - OSError: the end" for number in (1, 2)]
    assert sorted(result.trace) == sorted(["a begins", "b begins", "c begins"] * 3)


@pytest.mark.parametrize(
    "how", ["pytest.skip('so')", "raise ValueError('so')", "pytest.exit('so')"]
)
def test_those_that_come_to_their_yield_although_they_are_cancelled_are_undone(
    suite: Suite, how: str
) -> None:
    """They may not wait for anything, or shield it."""
    result = run(
        suite,
        f"""
        from trio.testing import wait_all_tasks_blocked
        has_begun = trio.Event()
        @pytest.fixture
        async def deaf():
            has_begun.set()
            with trio.CancelScope(shield=True):
                await wait_all_tasks_blocked()
            with pytest.raises(trio.Cancelled):
                yield
            trace("deaf undone")
        @pytest.fixture
        async def busy(deaf): trace("never begun")
        @pytest.fixture
        async def ends():
            await has_begun.wait()
            {how}
        async def test_it(ends, deaf, busy): trace("never comes")
        async def test_next(): trace("next")
        """,
    )
    assert "Cancelled" not in result.output
    if "exit" in how:
        assert result.trace == ["deaf undone"]
        assert result.phases == {}
        assert "Exit: so" in result.output
    else:
        assert result.trace == ["deaf undone", "next"]
        setup = "skipped" if "skip" in how else "failed"
        assert result.phases == {"test_it": f"{setup} passed", "test_next": "passed passed passed"}


def test_what_one_raises_while_it_is_set_up_for_a_cancelled_one_is_told(suite: Suite) -> None:
    result = run(
        suite,
        """
        from trio.testing import wait_all_tasks_blocked
        @pytest.fixture
        async def inner():
            try:
                await trio.sleep_forever()
            finally:
                raise KeyError("inner")
            yield
        @pytest.fixture
        async def outer(request): request.getfixturevalue("inner")
        @pytest.fixture
        async def failing():
            await wait_all_tasks_blocked()
            raise ValueError("first")
        async def test_it(outer, failing): trace("never comes")
        async def test_inside(request):
            with trio.move_on_after(0):
                request.getfixturevalue("inner")
        """,
    )
    assert result.phases == {"test_it": "failed passed", "test_inside": "passed failed passed"}
    assert "| ValueError: first" in result.output
    assert "| KeyError: 'inner'" in result.output
    assert result.output.count("E           KeyError: 'inner'") == 1
    assert "_lifetime.py" not in result.output
