"""Fixtures that crash while tests use them: who is cancelled, who is told, what is torn down when."""

from __future__ import annotations

import re

import pytest
from harness import Suite, every_scope

WIDE = pytest.mark.parametrize("scope", ["class", "module", "package", "session"])

SERVER = """
    class Boom(Exception):
        pass

    go = trio.Event()

    @pytest.fixture(scope={scope!r})
    async def server():
        async def background():
            await go.wait()
            raise Boom("in the background")
        trace("server up")
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(background)
                yield go
                nursery.cancel_scope.cancel()
        finally:
            trace("server down")

    @pytest.fixture(scope={scope!r})
    async def client(server):
        trace("client up")
        yield server
        trace("client down")
"""

NOTE = "Raised in the background of the fixture 'server' (scope {scope!r}), which has crashed."


def suite_of(suite: Suite, scope: str, tests: str) -> None:
    suite.tests(SERVER.format(scope=scope) + tests)


@every_scope
def test_a_running_dependent_is_cancelled_and_fails_with_the_original_exception(
    suite: Suite, scope: str
) -> None:
    suite_of(
        suite,
        scope,
        """
    class TestIt:
        async def test_user(self, client):
            go.set()
            await trio.sleep_forever()
        async def test_bystander(self):
            trace("bystander")
        """,
    )
    result = suite.run_subprocess()
    assert result.phases == {
        "TestIt::test_user": "passed failed passed",
        "TestIt::test_bystander": "passed passed passed",
    }
    # Dependents first, then the fixture, and both before the next test.
    assert result.trace == ["server up", "client up", "client down", "server down", "bystander"]
    assert "Boom: in the background" in result.output
    assert NOTE.format(scope=scope) in result.output
    assert "Cancelled" not in result.output
    assert "Exception Group" not in result.output


@WIDE
def test_later_requests_in_the_scope_are_errors_with_the_same_exception(
    suite: Suite, scope: str
) -> None:
    suite_of(
        suite,
        scope,
        """
    class TestIt:
        async def test_user(self, server):
            go.set()
            await trio.sleep_forever()
        async def test_later(self, server): pass
        def test_later_through_a_dependent(self, client): pass
        async def test_bystander(self): pass
        """,
    )
    result = suite.run_subprocess()
    assert result.phases == {
        "TestIt::test_user": "passed failed passed",
        "TestIt::test_later": "failed passed",
        "TestIt::test_later_through_a_dependent": "failed passed",
        "TestIt::test_bystander": "passed passed passed",
    }
    assert result.trace == ["server up", "server down"]
    assert result.output.count(NOTE.format(scope=scope)) == 3
    assert "Boom: in the background" in result.output


@WIDE
def test_a_crash_that_nobody_asks_for_again_is_an_error_at_the_end_of_the_scope(
    suite: Suite, scope: str
) -> None:
    suite_of(
        suite,
        scope,
        """
    class TestIt:
        async def test_user(self, server): pass
        async def test_bystander(self):
            go.set()
            await trio.testing.wait_all_tasks_blocked()
            trace("bystander")
        async def test_last(self):
            trace("last")
        """,
    )
    suite.write("conftest.py", "import trio.testing\n")
    result = suite.run_subprocess()
    assert result.phases == {
        "TestIt::test_user": "passed passed passed",
        "TestIt::test_bystander": "passed passed passed",
        "TestIt::test_last": "passed passed failed",
    }
    assert result.trace == ["server up", "bystander", "server down", "last"]
    assert NOTE.format(scope=scope) in result.output


@WIDE
def test_a_crash_while_a_test_that_does_not_depend_on_it_runs_is_told_to_who_asks_next(
    suite: Suite, scope: str
) -> None:
    suite_of(
        suite,
        scope,
        """
    class TestIt:
        async def test_user(self, server): pass
        async def test_bystander(self):
            go.set()
            await trio.testing.wait_all_tasks_blocked()
        async def test_next(self, server): pass
        async def test_last(self): pass
        """,
    )
    suite.write("conftest.py", "import trio.testing\n")
    result = suite.run_subprocess()
    assert result.outcomes == {
        "TestIt::test_user": "passed",
        "TestIt::test_bystander": "passed",
        "TestIt::test_next": "error",
        "TestIt::test_last": "passed",
    }


def test_the_next_scope_instance_starts_anew(suite: Suite) -> None:
    suite_of(
        suite,
        "class",
        """
    class TestOne:
        async def test_user(self, server):
            go.set()
            await trio.sleep_forever()
        async def test_later(self, server): pass
    class TestTwo:
        async def test_user(self, request):
            globals()["go"] = trio.Event()
            request.getfixturevalue("server")
        """,
    )
    result = suite.run_subprocess()
    assert result.outcomes == {
        "TestOne::test_user": "failed",
        "TestOne::test_later": "error",
        "TestTwo::test_user": "passed",
    }
    assert result.trace == ["server up", "server down"] * 2


def test_a_test_that_is_run_again_has_it_set_up_anew(suite: Suite) -> None:
    """And so have those that come after it; it is torn down with its scope."""
    suite.write(
        "conftest.py",
        """
        import pytest
        from _pytest.runner import runtestprotocol
        def pytest_runtest_protocol(item, nextitem):
            reports = runtestprotocol(item, nextitem=nextitem, log=False)
            if any(report.failed for report in reports):
                reports = runtestprotocol(item, nextitem=nextitem, log=False)
            for report in reports:
                item.ihook.pytest_runtest_logreport(report=report)
            return True
        """,
    )
    suite_of(
        suite,
        "module",
        """
    has_died = []
    async def test_user(client):
        global go
        dies, go = go, trio.Event()
        if client is dies and not has_died:
            has_died.append(True)
            dies.set()
            await trio.sleep_forever()
        trace("ran again")
    async def test_later(client):
        trace("ran later")
        """,
    )
    result = suite.run()
    assert result.phases["test_user"] == "passed passed passed"
    assert result.trace == [
        *("server up", "client up", "client down", "server down"),
        *("server up", "client up", "ran again", "ran later", "client down", "server down"),
    ]


@every_scope
def test_a_set_up_that_depends_on_it_is_cancelled_and_is_an_error(suite: Suite, scope: str) -> None:
    suite_of(
        suite,
        scope,
        """
    @pytest.fixture
    async def waiting(client):
        go.set()
        await trio.sleep_forever()
    async def test_it(waiting): pass
    async def test_bystander(): pass
        """,
    )
    result = suite.run_subprocess()
    assert result.phases == {
        "test_it": "failed passed",
        "test_bystander": "passed passed passed",
    }
    assert result.trace == ["server up", "client up", "client down", "server down"]
    assert NOTE.format(scope=scope) in result.output


def test_a_set_up_that_does_not_depend_on_it_goes_on(suite: Suite) -> None:
    suite_of(
        suite,
        "module",
        """
    @pytest.fixture(scope="module")
    async def other():
        go.set()
        await trio.testing.wait_all_tasks_blocked()
        trace("other up")
        yield
        trace("other down")
    async def test_it(server, other): trace("never")
    async def test_other(other): trace("other used")
        """,
    )
    suite.write("conftest.py", "import trio.testing\n")
    result = suite.run_subprocess()
    assert result.phases == {
        "test_it": "passed failed passed",
        "test_other": "passed passed passed",
    }
    assert result.trace == ["server up", "other up", "server down", "other used", "other down"]


def test_a_tear_down_goes_on(suite: Suite) -> None:
    suite_of(
        suite,
        "module",
        """
    @pytest.fixture
    async def other(server):
        yield
        go.set()
        await trio.testing.wait_all_tasks_blocked()
        trace("other down")
    async def test_it(other): pass
    async def test_last(): pass
        """,
    )
    suite.write("conftest.py", "import trio.testing\n")
    result = suite.run_subprocess()
    assert result.phases == {"test_it": "passed passed passed", "test_last": "passed passed failed"}
    assert result.trace == ["server up", "other down", "server down"]


@pytest.mark.parametrize("crash", ["before", "meanwhile"])
@pytest.mark.parametrize("kind", ["async", "sync", "finalizer"])
def test_a_tear_down_does_not_wait_for_a_dead_fixture(suite: Suite, crash: str, kind: str) -> None:
    setter = {"before": "go.set()", "meanwhile": "pass"}[crash]
    in_tear_down = {"before": "pass", "meanwhile": "go.set()"}[crash]
    fixture = {
        "async": """
    async def answer(server):
        yield
        await wait()
        """,
        "sync": """
    def answer(server):
        yield
        await_(wait())
        """,
        "finalizer": """
    async def answer(server, request):
        request.addfinalizer(wait)
        """,
    }[kind]
    suite_of(
        suite,
        "module",
        f"""
    async def wait():
        trace("waits")
        {in_tear_down}
        await trio.sleep_forever()
    @pytest.fixture
    {fixture.strip()}
    async def test_it(answer):
        {setter}
        await trio.testing.wait_all_tasks_blocked()
    async def test_next(): pass
        """,
    )
    suite.write(
        "conftest.py",
        "import trio.testing\nfrom pytest_trio_scoped import _crashes\n_crashes.GRACE = 0.05\n",
    )
    result = suite.run_subprocess()
    assert result.trace == ["server up", "waits", "server down"]
    assert "Boom: in the background" in result.output
    assert (
        "The tear-down of the fixture 'answer' (scope 'function') was cancelled: 'server' "
        "(scope 'module'), on which it depends, has crashed, and it did not end within 0.05 s "
        "after that."
    ) in result.output
    assert "Cancelled" not in result.output
    assert "hidden" not in result.output
    assert result.phases == {
        "test_it": "passed failed passed" if crash == "before" else "passed passed failed",
        "test_next": "passed passed passed" if crash == "before" else "passed passed failed",
    }


def test_the_time_of_grace_is_one_for_all_who_depend_on_it(suite: Suite) -> None:
    suite_of(
        suite,
        "module",
        """
    @pytest.fixture
    async def first(server):
        yield
        trace("first")
        await trio.sleep_forever()
    @pytest.fixture
    async def second(first):
        yield
        trace("second")
        await trio.sleep_forever()
    async def test_it(second):
        go.set()
        await trio.sleep_forever()
        """,
    )
    suite.write("conftest.py", "from pytest_trio_scoped import _crashes\n_crashes.GRACE = 0.4\n")
    result = suite.run_subprocess()
    assert result.trace == ["server up", "second", "first", "server down"]
    (seconds,) = re.findall(r" in ([0-9.]+)s", result.output)
    assert 0.4 <= float(seconds) < 0.75
    assert result.output.count("was cancelled: 'server' (scope 'module')") >= 2


@pytest.mark.parametrize(
    ("end", "exit_code"), [("os.kill(os.getpid(), signal.SIGINT)", 2), ("pytest.exit('x', 7)", 7)]
)
def test_the_end_of_the_run_is_not_lost_among_what_fails_with_it(
    suite: Suite, end: str, exit_code: int
) -> None:
    suite_of(
        suite,
        "module",
        f"""
    import os, signal
    @pytest.fixture
    async def dependent(server):
        yield
        {end}
        await trio.sleep(0)
    async def test_it(dependent):
        go.set()
        await trio.sleep_forever()
    async def test_next():
        trace("ran on")
        """,
    )
    result = suite.run_subprocess()
    assert result.exit_code == exit_code, result.output
    assert result.trace == ["server up", "server down"]


def test_a_fixture_that_was_overridden_under_its_own_name(suite: Suite) -> None:
    suite_of(
        suite,
        "module",
        """
    class TestIt:
        @pytest.fixture
        async def server(self, server):
            yield server
            trace("override down")
        async def test_before(self, server): pass
        async def test_it(self, server):
            go.set()
            await trio.sleep_forever()
        async def test_after(self, server): pass
        """,
    )
    result = suite.run_subprocess()
    assert result.outcomes == {
        "TestIt::test_before": "passed",
        "TestIt::test_it": "failed",
        "TestIt::test_after": "error",
    }
    assert result.trace[-2:] == ["override down", "server down"]


@pytest.mark.parametrize("is_cached", [True, False], ids=["cached", "new"])
@pytest.mark.parametrize("kind", ["async def", "def"])
def test_who_asked_for_it_dynamically_for_an_earlier_test(
    suite: Suite, kind: str, is_cached: bool
) -> None:
    suite_of(
        suite,
        "module",
        f"""
    @pytest.fixture(scope="module")
    {kind} asker(request):
        yield request.getfixturevalue("server")
        trace("asker down")
    async def test_before({"server, " if is_cached else ""}asker): pass
    async def test_it(asker):
        go.set()
        await trio.sleep_forever()
    async def test_after(asker): pass
        """,
    )
    result = suite.run_subprocess()
    assert result.outcomes == {"test_before": "passed", "test_it": "failed", "test_after": "error"}
    assert result.trace == ["server up", "asker down", "server down"]


@pytest.mark.parametrize("order", ["inner.set(); go.set()", "go.set(); inner.set()"])
def test_two_that_depend_on_each_other_are_each_told_once(suite: Suite, order: str) -> None:
    suite_of(
        suite,
        "module",
        f"""
    inner = trio.Event()
    @pytest.fixture(scope="module")
    async def second(server):
        async def background():
            await inner.wait()
            raise LookupError("the second")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(background)
            yield
    async def test_it(server, second):
        {order}
        with trio.CancelScope(shield=True):
            await trio.testing.wait_all_tasks_blocked()
        """,
    )
    suite.write("conftest.py", "import trio.testing\n")
    result = suite.run_subprocess()
    assert result.outcomes == {"test_it": "failed"}
    assert result.output.count("Boom: in the background") == 1
    assert result.output.count("LookupError: the second") == 1


def test_what_fails_with_it_is_told_once_beside_it(suite: Suite) -> None:
    suite_of(
        suite,
        "module",
        """
    @pytest.fixture(scope="module")
    def dependent(server):
        yield
        raise LookupError("of the dependent")
    async def test_it(dependent):
        go.set()
        await trio.sleep_forever()
    async def test_after(server): pass
        """,
    )
    result = suite.run_subprocess()
    assert result.outcomes == {"test_it": "failed", "test_after": "error"}
    assert result.output.count("LookupError: of the dependent") == 1
    assert result.output.count(NOTE.format(scope="module")) == 2
    assert "ERROR test_it.py::test_after - test_it.Boom: in the background" in result.output


def test_a_loop_that_is_lost_in_the_tear_down_of_a_dependent(suite: Suite) -> None:
    suite_of(
        suite,
        "module",
        """
    def die():
        raise OSError("the end")
    @pytest.fixture
    async def dependent(server):
        yield
        global go
        go = trio.Event()
        trio.lowlevel.current_trio_token().run_sync_soon(die)
        await trio.sleep_forever()
    async def test_it(dependent):
        go.set()
        await trio.sleep_forever()
    async def test_after(server):
        await trio.sleep(0)
        """,
    )
    result = suite.run_subprocess()
    assert result.outcomes == {"test_it": "failed", "test_after": "passed"}
    assert "OSError: the end" in result.output
    assert "AssertionError" not in result.output


def test_a_tear_down_may_take_its_time_of_grace(suite: Suite) -> None:
    suite_of(
        suite,
        "module",
        """
    @pytest.fixture
    async def answer(server):
        yield
        await trio.sleep(0.02)
        trace("answer down")
    async def test_it(answer):
        go.set()
        await trio.sleep_forever()
    async def test_next(answer_again):
        await trio.sleep(0.5)
    @pytest.fixture
    async def answer_again():
        yield
        await trio.sleep(0.5)
        """,
    )
    suite.write("conftest.py", "from pytest_trio_scoped import _crashes\n_crashes.GRACE = 0.4\n")
    result = suite.run_subprocess()
    assert result.trace == ["server up", "answer down", "server down"]
    # What comes later has all the time it needs.
    assert result.outcomes == {"test_it": "failed", "test_next": "passed"}


@every_scope
def test_the_time_of_grace_is_real_time(suite: Suite, scope: str) -> None:
    suite_of(
        suite,
        scope,
        """
    @pytest.fixture
    async def answer(server):
        yield
        trace("waits")
        await trio.sleep_forever()
    async def test_it(answer, mock_clock):
        go.set()
        await trio.sleep_forever()
        """,
    )
    suite.write("conftest.py", "from pytest_trio_scoped import _crashes\n_crashes.GRACE = 0.2\n")
    result = suite.run_subprocess()
    assert result.trace == ["server up", "waits", "server down"]
    assert result.outcomes == {"test_it": "failed"}


def test_a_tear_down_that_waits_again_and_again_is_cut_short(suite: Suite) -> None:
    suite_of(
        suite,
        "module",
        """
    @pytest.fixture
    async def answer(server):
        yield
        for _ in range(5):
            try:
                await trio.sleep_forever()
            except trio.Cancelled:
                trace("cancelled")
    @pytest.fixture
    def sync_answer(answer):
        yield
        for _ in range(3):
            with pytest.raises(trio.Cancelled):
                await_(trio.sleep_forever())
    async def test_it(sync_answer):
        go.set()
        await trio.sleep_forever()
        """,
    )
    suite.write("conftest.py", "from pytest_trio_scoped import _crashes\n_crashes.GRACE = 0.1\n")
    result = suite.run_subprocess()
    assert result.trace == ["server up", *["cancelled"] * 5, "server down"]
    assert result.outcomes == {"test_it": "failed"}


@pytest.mark.parametrize(
    "test",
    [
        """
    @pytest.mark.usefixtures("server")
    class TestIt(unittest.TestCase):
        def test_it(self):
            await_(crash())
        """,
        """
    @pytest.fixture
    def client(request):
        request.getfixturevalue("server")
        await_(crash())
    def test_it(client): pass
        """,
        """
    async def test_it(request):
        request.getfixturevalue("server")
        with pytest.raises(Boom):
            request.getfixturevalue("waiting")
        await trio.sleep(1)
    @pytest.fixture
    async def waiting(server):
        await crash()
        """,
    ],
    ids=["unittest", "sync_fixture", "told_before"],
)
def test_whoever_is_cancelled_shows_the_crash(suite: Suite, test: str) -> None:
    suite_of(
        suite,
        "module",
        """
    import unittest
    async def crash():
        go.set()
        await trio.sleep_forever()
        """
        + test,
    )
    result = suite.run_subprocess()
    assert len(result.phases) == 1
    assert "failed" in result.phases.popitem()[1]
    assert "Boom: in the background" in result.output
    assert NOTE.format(scope="module") in result.output
    assert "Cancelled" not in result.output
    assert result.trace == ["server up", "server down"]


def test_a_doctest_that_is_cancelled_shows_the_crash(suite: Suite) -> None:
    suite_of(
        suite,
        "module",
        """
    async def crash():
        go.set()
        await trio.sleep_forever()
    def helper():
        '''
        >>> _ = getfixture("server")
        >>> await_(crash())
        '''
        """,
    )
    result = suite.run_subprocess("--doctest-modules")
    assert "Boom: in the background" in result.output
    assert result.trace == ["server up", "server down"]


def test_a_crash_while_a_sync_test_runs_is_noticed_when_the_loop_runs_next(suite: Suite) -> None:
    suite_of(
        suite,
        "module",
        """
    def test_sync(server):
        go.set()
        trace("sync done")
    async def test_next():
        await trio.testing.wait_all_tasks_blocked()
    def test_told(server): pass
        """,
    )
    suite.write("conftest.py", "import trio.testing\n")
    result = suite.run_subprocess()
    assert result.outcomes == {"test_sync": "passed", "test_next": "passed", "test_told": "error"}


@pytest.mark.parametrize("outside", [True, False], ids=["outside", "inside"])
def test_a_wait_of_a_sync_test_is_cancelled(suite: Suite, outside: bool) -> None:
    suite_of(
        suite,
        "module",
        f"""
    @pytest.fixture(autouse=True)
    async def always(server): pass
    async def crash():
        go.set()
        await trio.sleep_forever()
    def test_sync({"" if outside else "server"}):
        await_(crash())
    def test_told(): pass
        """,
    )
    result = suite.run_subprocess()
    assert result.phases == {"test_sync": "passed failed passed", "test_told": "failed passed"}
    assert "Boom: in the background" in result.output
    assert "Cancelled" not in result.output


@every_scope
def test_a_fixture_that_cancels_itself_is_named(suite: Suite, scope: str) -> None:
    suite.tests(
        f"""
        @pytest.fixture(scope={scope!r})
        async def silly():
            with trio.CancelScope() as cancel_scope:
                cancel_scope.cancel()
                yield
        async def test_it(silly):
            await trio.sleep_forever()
        async def test_bystander(): pass
        """
    )
    result = suite.run_subprocess()
    assert result.phases == {
        "test_it": "passed failed passed",
        "test_bystander": "passed passed passed",
    }
    assert (
        f"The fixture 'silly' (scope {scope!r}) cancelled the test, but raised no error."
        in result.output
    )


def test_a_test_that_fails_for_itself_as_well_shows_both(suite: Suite) -> None:
    suite_of(
        suite,
        "module",
        """
    async def test_it(server):
        go.set()
        try:
            await trio.sleep_forever()
        finally:
            raise ValueError("my own")
        """,
    )
    result = suite.run_subprocess()
    assert result.outcomes == {"test_it": "failed"}
    for text in ("Boom: in the background", "ValueError: my own", "a fixture crashed"):
        assert text in result.output


def test_two_crashes_are_both_told(suite: Suite) -> None:
    suite_of(
        suite,
        "module",
        """
    @pytest.fixture(scope="module")
    async def other():
        async def background():
            await go.wait()
            raise KeyError("the other")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(background)
            yield
    async def test_it(server, other):
        go.set()
        await trio.sleep_forever()
        """,
    )
    result = suite.run_subprocess()
    assert result.outcomes == {"test_it": "failed"}
    assert "Boom: in the background" in result.output
    assert "KeyError: 'the other'" in result.output


@every_scope
@pytest.mark.parametrize("kind", ["async def", "def"], ids=["async", "sync"])
def test_the_task_of_an_owned_nursery_crashes_its_owner(
    suite: Suite, scope: str, kind: str
) -> None:
    suite.tests(
        f"""
        @pytest.fixture(scope={scope!r})
        {kind} owner(nursery):
            async def background():
                raise OSError("in the owner's nursery")
            nursery.start_soon(background)
        async def test_it(owner):
            await trio.sleep_forever()
        async def test_bystander(): pass
        """
    )
    result = suite.run_subprocess()
    assert result.outcomes == {"test_it": "failed", "test_bystander": "passed"}
    assert f"the fixture 'owner' (scope {scope!r}), which has crashed" in result.output


def test_teardown_errors_of_dependents_are_not_lost(suite: Suite) -> None:
    suite_of(
        suite,
        "module",
        """
    @pytest.fixture
    async def dependent(server):
        yield
        raise LookupError("of the dependent")
    async def test_it(dependent):
        go.set()
        await trio.sleep_forever()
        """,
    )
    result = suite.run_subprocess()
    assert result.outcomes == {"test_it": "failed"}
    assert "Boom: in the background" in result.output
    assert "LookupError: of the dependent" in result.output


@pytest.mark.parametrize(
    ("raised", "exit_code", "text"),
    [
        ("KeyboardInterrupt", 2, "KeyboardInterrupt"),
        ("pytest.exit.Exception('enough')", 2, "Exit: enough"),
        ("SystemExit(3)", 1, "SystemExit: 3"),
        ("pytest.skip.Exception('why not')", 0, "why not"),
    ],
)
def test_what_is_no_error_acts_as_in_sync_code(
    suite: Suite, raised: str, exit_code: int, text: str
) -> None:
    suite.tests(
        f"""
        go = trio.Event()
        @pytest.fixture(scope="module")
        async def server():
            async def background():
                await go.wait()
                raise {raised}
            async with trio.open_nursery() as nursery:
                nursery.start_soon(background)
                yield
                nursery.cancel_scope.cancel()
        @pytest.fixture(scope="session")
        async def wide():
            yield
            trace("wide down")
        async def test_it(wide, server):
            go.set()
            await trio.sleep_forever()
        """
    )
    result = suite.run_subprocess("-rs")
    assert result.exit_code == exit_code, result.output
    assert text in result.output
    assert result.trace == ["wide down"]


@pytest.mark.parametrize(
    ("cancel", "text"),
    [
        ("raise Boom('late')", "Boom: late"),
        (
            "nursery.cancel_scope.cancel()",
            "The fixture 'server' (scope 'module') cancelled the test",
        ),
    ],
    ids=["raises", "cancels_itself"],
)
def test_a_crash_in_the_last_tear_down_of_the_scope_is_an_error_there(
    suite: Suite, cancel: str, text: str
) -> None:
    suite.tests(
        f"""
        class Boom(Exception):
            pass
        @pytest.fixture(scope="module")
        async def server():
            go = trio.Event()
            async with trio.open_nursery() as nursery:
                async def background():
                    await go.wait()
                    {cancel}
                nursery.start_soon(background)
                yield go
        @pytest.fixture(scope="module")
        async def client(server):
            yield
            server.set()
            await trio.testing.wait_all_tasks_blocked()
        async def test_last(client): pass
        """
    )
    suite.write("test_z.py", "async def test_of_the_next_module(): pass\n")
    suite.write("conftest.py", "import trio.testing\n")
    result = suite.run_subprocess()
    assert result.phases == {
        "test_last": "passed passed failed",
        "test_of_the_next_module": "passed passed passed",
    }
    assert text in result.output


@pytest.mark.parametrize(
    "waiting",
    [
        """
    @pytest.fixture
    async def waiting(request):
        server = request.getfixturevalue("server")
        go.set()
        await trio.sleep_forever()
        """,
        """
    @pytest.fixture
    def waiting(request):
        server = request.getfixturevalue("server")
        async def wait():
            go.set()
            await trio.sleep_forever()
        await_(wait())
        """,
    ],
    ids=["async", "sync"],
)
def test_what_was_asked_for_dynamically_is_depended_on(suite: Suite, waiting: str) -> None:
    suite.tests(
        SERVER.format(scope="module")
        + "    async def test_first(): pass\n"
        + waiting
        + "\n    def test_it(waiting): pass\n"
    )
    result = suite.run_subprocess()
    assert result.outcomes == {"test_first": "passed", "test_it": "error"}
    assert "Boom: in the background" in result.output
    assert "Cancelled" not in result.output


def test_a_test_is_told_of_a_crash_during_a_set_up_it_asked_for(suite: Suite) -> None:
    suite_of(
        suite,
        "function",
        """
    @pytest.fixture
    async def other():
        go.set()
        await trio.testing.wait_all_tasks_blocked()
    async def test_it(server, request):
        request.getfixturevalue("other")
        await trio.sleep_forever()
        """,
    )
    suite.write("conftest.py", "import trio.testing\n")
    result = suite.run_subprocess()
    assert result.outcomes == {"test_it": "failed"}
    assert "Boom: in the background" in result.output


def test_a_nursery_that_was_asked_for_dynamically_crashes_its_owner(suite: Suite) -> None:
    suite.tests(
        """
        async def background():
            raise OSError("in the nursery")
        async def test_it(request):
            request.getfixturevalue("nursery").start_soon(background)
            await trio.sleep_forever()
        @pytest.fixture
        async def owner(request):
            request.getfixturevalue("nursery").start_soon(background)
        async def test_of_owner(owner):
            await trio.sleep_forever()
        async def test_bystander(): pass
        """
    )
    result = suite.run_subprocess()
    assert result.outcomes == {
        "test_it": "failed",
        "test_of_owner": "failed",
        "test_bystander": "passed",
    }
    assert result.output.count("OSError: in the nursery") >= 2
    assert "Cancelled" not in result.output


@pytest.mark.parametrize("test", ["def test_it(wide): pass", "async def test_it(wide): pass"])
def test_what_a_wide_fixture_asks_for_in_its_tear_down_is_no_dependency(
    suite: Suite, test: str
) -> None:
    """The test for which it was set up has ended by then, and with it what pytest knew of names."""
    suite.tests(
        f"""
    @pytest.fixture(scope="session")
    def other():
        return 7
    @pytest.fixture(scope="module")
    def wide(request, other):
        yield
        trace(str(request.getfixturevalue("other")))
    {test}
    def test_last(): pass
        """
    )
    result = suite.run_subprocess("-W", "default")
    assert set(result.outcomes.values()) == {"passed"}, result.output
    assert result.trace == ["7"]


@pytest.mark.parametrize("count", [1, 2])
def test_a_task_in_the_parent_nursery_of_a_test_fails_the_next_one_and_no_more(
    suite: Suite, count: int
) -> None:
    suite.tests(
        f"""
        @pytest.fixture(scope="session")
        async def wide():
            trace("set up")
            yield
            trace("torn down")
        @pytest.fixture
        async def slow(wide):
            yield
            await trio.sleep(0.05)
        async def crash():
            await trio.sleep(0.01)
            raise ValueError("orphan")
        async def test_a(slow):
            for _ in range({count}):
                trio.lowlevel.current_task().parent_nursery.start_soon(crash)
        async def test_b(slow): pass
        async def test_c(slow): pass
        """
    )
    result = suite.run_subprocess()
    assert result.outcomes == {"test_a": "passed", "test_b": "failed", "test_c": "passed"}
    assert result.output.count("ValueError: orphan") >= count
    assert "Raised by a task that an earlier test has started" in result.output
    assert result.trace == ["set up", "torn down"]


def test_no_hook_of_the_users_is_called_on_the_loop_for_a_crash(suite: Suite) -> None:
    suite.write(
        "conftest.py",
        """
        import trio
        def pytest_plugin_registered():
            assert not trio.lowlevel.in_trio_run()
        """,
    )
    suite.tests(
        """
        async def crash():
            raise ValueError("boom")
        @pytest.fixture
        async def crashing():
            async with trio.open_nursery() as nursery:
                yield nursery
        async def test_a(crashing):
            crashing.start_soon(crash)
            await trio.sleep_forever()
        """
    )
    result = suite.run_subprocess()
    assert result.outcomes == {"test_a": "failed"}, result.output
    assert "test_a - ValueError: boom" in result.output
