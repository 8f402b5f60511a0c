"""Hypothesis tests: examples on the loop, each as a test of its own, and reports as of sync tests."""

from __future__ import annotations

import json
import signal
import textwrap

import pytest
from harness import Result, Suite
from sync_twin import assert_like_sync
from test_lost_loop import ENDINGS

PRELUDE = """
import random
from contextvars import ContextVar
import hypothesis
from hypothesis import HealthCheck, assume, example, given, note, seed, settings, target
from hypothesis import strategies as st
few = settings(max_examples=5, database=None, deadline=None)
many = settings(few, max_examples=100)
narrow_fixtures = settings(few, suppress_health_check=[HealthCheck.function_scoped_fixture])
"""
#: By its entry point, as in the harness.
PLUGIN = ("-p", "hypothesispytest")


def write(suite: Suite, source: str, *, trio_mode: bool = True) -> None:
    suite.tests(PRELUDE + textwrap.dedent(source), trio_mode=trio_mode)


def run(suite: Suite, source: str, *arguments: str, trio_mode: bool = True) -> Result:
    write(suite, source, trio_mode=trio_mode)
    return suite.run(*PLUGIN, *arguments)


def run_subprocess(suite: Suite, source: str, *arguments: str, stdin: str | None = None) -> Result:
    write(suite, source)
    return suite.run_subprocess(*PLUGIN, *arguments, stdin=stdin)


# -------------------------------------------------------------------- which tests, and how often

CHECK = """
    trace("example")
    await trio.sleep(0)
    assert trio.lowlevel.current_task().name.startswith("test_it.py::")
"""
IN_METHOD = textwrap.indent(CHECK, "    ")


@pytest.mark.parametrize("place", ["outside", "inside", "module", "mode"])
def test_the_mark_may_stand_on_either_side(suite: Suite, place: str) -> None:
    mark = "@pytest.mark.trio"
    source = f"""
{"pytestmark = pytest.mark.trio" if place == "module" else ""}
{mark if place == "outside" else ""}
@few
@given(x=st.integers())
{mark if place == "inside" else ""}
async def test_a(x):{CHECK}
"""
    result = run(suite, source, trio_mode=place == "mode")
    assert result.phases == {"test_a": "passed passed passed"}, result.output
    assert result.trace == ["example"] * 5


def test_functions_and_methods_with_and_without_parametrize(suite: Suite) -> None:
    result = run(
        suite,
        f"""
@few
@pytest.mark.parametrize("y", [1, 2])
@given(x=st.integers())
async def test_function(x, y):{CHECK}
    assert y in (1, 2)
@few
@given(x=st.integers(), z=st.none())
async def test_many(x, **others):{CHECK}
    assert others == {{"z": None}}
@few
@given(st.integers())
async def test_positional(x):{CHECK}
@few
@given(st.data(), st.none())
async def test_drawn(data, x):{CHECK}
    data.draw(st.integers())
class TestClass:
    @few
    @given(x=st.integers())
    async def test_method(self, x):{IN_METHOD}
        assert type(self).__name__ == "TestClass"
    @few
    @given(x=st.integers())
    @pytest.mark.parametrize("y", [3])
    async def test_both(self, x, *, y):{IN_METHOD}
        assert y == 3
""",
    )
    assert len(result.phases) == 7
    assert set(result.phases.values()) == {"passed passed passed"}, result.output
    assert result.trace == ["example"] * 5 * 7


def test_without_a_mark_they_are_left_to_hypothesis(suite: Suite) -> None:
    source = "@given(x=st.integers())\nasync def test_a(x): trace('never')\n"
    result = run(suite, source, trio_mode=False)
    assert result.outcomes == {"test_a": "failed"}
    assert "Hypothesis doesn't know how to run async test functions" in result.output
    assert result.trace == []


@pytest.mark.parametrize("name", ["anyio", "asyncio"])
def test_those_of_other_frameworks_are_left_to_them(suite: Suite, name: str) -> None:
    pytest.importorskip({"asyncio": "pytest_asyncio"}.get(name, name))
    write(
        suite,
        f"""
        import sniffio
        @few
        @given(x=st.integers())
        async def test_ours(x): trace("ours")
        @pytest.mark.{name}
        @few
        @given(x=st.integers())
        async def test_theirs(x):
            import asyncio
            asyncio.get_running_loop()
            trace("theirs")
        @pytest.fixture
        def anyio_backend(): return "asyncio"
        """.replace("sniffio", "sys"),
    )
    result = suite.run_subprocess(*PLUGIN, "-p", name, "-W", "default")
    assert set(result.phases.values()) == {"passed passed passed"}, result.output
    assert result.trace == ["ours"] * 5 + ["theirs"] * 5


def test_what_others_run_stays_outside_with_a_fixture_of_ours_as_well(suite: Suite) -> None:
    pytest.importorskip("pytest_asyncio")
    write(
        suite,
        """
        @trio_fixture(scope="module")
        async def ours(): return trio.lowlevel.current_trio_token()
        @pytest.mark.asyncio
        @few
        @given(x=st.integers())
        async def test_theirs(x, ours):
            with pytest.raises(RuntimeError): trio.lowlevel.current_trio_token()
            trace("theirs")
        """,
        trio_mode=False,
    )
    result = suite.run_subprocess(*PLUGIN, "-p", "asyncio", "-W", "default")
    assert set(result.phases.values()) == {"passed passed passed"}, result.output
    assert result.trace == ["theirs"] * 5


def test_what_the_user_runs_is_left_alone(suite: Suite) -> None:
    result = run(
        suite,
        """
        import functools
        @pytest.mark.trio
        @few
        @given(x=st.integers())
        async def test_a(x): trace("by hand")
        inner = test_a.hypothesis.inner_test
        @functools.wraps(inner)
        def by_hand(**arguments): trio.run(functools.partial(inner, **arguments))
        test_a.hypothesis.inner_test = by_hand
        """,
    )
    assert result.phases == {"test_a": "passed passed passed"}, result.output
    assert result.trace == ["by hand"] * 5


def test_a_mark_on_a_sync_test_is_refused(suite: Suite) -> None:
    source = """
        @pytest.mark.trio
        @given(x=st.integers())
        def test_a(x): trace("never")
    """
    result = run(suite, source)
    assert result.outcomes == {"test_a": "failed"}
    assert "test_a is marked 'trio' but is not async" in result.output
    assert result.trace == []


def test_a_test_that_yields_is_refused(suite: Suite) -> None:
    source = """
        @given(x=st.integers())
        async def test_a(x):
            trace("never")
            yield
    """
    result = run(suite, source)
    assert result.outcomes == {"test_a": "failed"}
    assert "an async test must not contain 'yield'" in result.output
    assert result.trace == []


def test_the_users_function_is_put_back(suite: Suite) -> None:
    result = run(
        suite,
        """
        async def inner(x): assert x is None
        test_a = few(given(x=st.none())(inner))
        test_b = few(given(x=st.integers())(inner))
        def test_last():
            assert test_a.hypothesis.inner_test is inner
            assert test_b.hypothesis.inner_test is inner
        """,
    )
    assert list(result.outcomes.values()) == ["passed", "failed", "passed"], result.output


# -------------------------------------------------------------------- an example is like a test


def test_each_example_has_a_task_a_context_and_a_nursery_of_its_own(suite: Suite) -> None:
    result = run(
        suite,
        """
        variable = ContextVar("variable", default="unset")
        tasks, nurseries, live = [], [], []
        @pytest.fixture(scope="module", autouse=True)
        async def wide():
            variable.set("by the fixture")
        async def leaked(task_status):
            live.append(1)
            task_status.started()
            try: await trio.sleep_forever()
            finally: live.remove(1)
        @few
        @given(x=st.integers())
        async def test_a(x, nursery):
            assert variable.get() == "by the fixture"
            variable.set("by the example")
            assert not live
            await nursery.start(leaked)
            tasks.append(trio.lowlevel.current_task())
            nurseries.append(nursery)
        async def test_last():
            assert variable.get() == "by the fixture"
            assert not live
            assert len(set(tasks)) == len(set(nurseries)) == 5
        """,
    )
    assert set(result.outcomes.values()) == {"passed"}, result.output


def test_what_hypothesis_runs_itself_has_the_context_of_the_test(suite: Suite) -> None:
    result = run(
        suite,
        """
        variable = ContextVar("variable", default="unset")
        class TestClass:
            def setup_example(self):
                variable.set("by the set-up")
            @few
            @given(x=st.integers())
            async def test_a(self, x):
                assert variable.get() == "by the set-up"
        def test_last():
            assert variable.get() == "unset"
        """,
    )
    assert set(result.outcomes.values()) == {"passed"}, result.output


def test_fixtures_are_set_up_once_for_the_test(suite: Suite) -> None:
    fixtures = "".join(
        f"""
@pytest.fixture(scope="{scope}")
async def {scope}_fixture():
    trace("{scope} up")
    async with trio.open_nursery() as nursery:
        yield nursery
        nursery.cancel_scope.cancel()
    trace("{scope} down")
"""
        for scope in ("session", "module", "class", "function")
    )
    result = run(
        suite,
        fixtures
        + """
@narrow_fixtures
@given(x=st.integers())
async def test_a(x, session_fixture, module_fixture, class_fixture, function_fixture):
    event = trio.Event()
    function_fixture.start_soon(event.set)
    await event.wait()
    trace("example")
""".replace("event.set", "set_it, event")
        + """
async def set_it(event): event.set()
""",
    )
    assert result.phases == {"test_a": "passed passed passed"}, result.output
    assert result.trace == [
        *(f"{scope} up" for scope in ("session", "module", "class", "function")),
        *["example"] * 5,
        *(f"{scope} down" for scope in ("function", "class", "module", "session")),
    ]


def test_a_nursery_that_an_example_does_not_leave_fails_it(suite: Suite) -> None:
    result = run(
        suite,
        """
        @seed(1)
        @many
        @given(x=st.integers())
        async def test_a(x):
            if x > 9:
                await trio.open_nursery().__aenter__()
        async def test_last(): pass
        """,
    )
    assert result.outcomes == {"test_a": "failed", "test_last": "passed"}
    assert "test_it.py::test_a opened a nursery and ended without leaving it" in result.output
    assert "x=10,\n" in result.output


def test_finalizers_of_a_request_run_once_at_the_end(suite: Suite) -> None:
    result = run(
        suite,
        """
        @few
        @given(x=st.integers())
        async def test_a(x, request):
            async def finalizer():
                await trio.sleep(0)
                trace("finalizer")
            request.addfinalizer(finalizer)
            trace("example")
        """,
    )
    assert result.phases == {"test_a": "passed passed passed"}, result.output
    assert result.trace == ["example"] * 5 + ["finalizer"] * 5


def test_a_sync_test_that_depends_on_an_async_fixture_is_treated_alike(suite: Suite) -> None:
    result = run(
        suite,
        """
        @pytest.fixture(scope="module")
        async def wide(): return 1
        tasks, nurseries = [], []
        @few
        @given(x=st.integers())
        def test_a(x, wide, nursery):
            await_(trio.sleep(0))
            assert not nurseries or not nurseries[-1].child_tasks
            nursery.start_soon(trio.sleep_forever)
            nurseries.append(nursery)
            tasks.append(trio.lowlevel.current_task())
        @few
        @given(x=st.integers())
        def test_outside(x):
            with pytest.raises(RuntimeError): trio.lowlevel.current_task()
            trio.run(trio.sleep, 0)
        def test_last(): assert len(set(tasks)) == 5
        """,
    )
    assert set(result.outcomes.values()) == {"passed"}, result.output


@pytest.mark.parametrize("run_function", ["", "run=other"])
def test_every_example_is_on_the_own_loop_of_a_test(suite: Suite, run_function: str) -> None:
    result = run(
        suite,
        f"""
        def other(async_fn, **options):
            trace("other")
            return trio.run(async_fn, **options)
        tokens = set()
        @pytest.mark.trio({run_function})
        @narrow_fixtures
        @given(x=st.integers())
        async def test_a(x, autojump_clock):
            start = trio.current_time()
            await trio.sleep(3600)
            assert trio.current_time() == start + 3600
            trace(trio.current_time())
            assert trio.lowlevel.current_clock() is autojump_clock
            tokens.add(trio.lowlevel.current_trio_token())
        async def test_last():
            assert len(tokens) == 1
            assert trio.lowlevel.current_trio_token() not in tokens
        """,
    )
    assert set(result.outcomes.values()) == {"passed"}, result.output
    called = ["other"] if run_function else []
    assert result.trace == [*called, "3600.0", "7200.0", "10800.0", "14400.0", "18000.0"]


def test_an_autouse_fixture_is_on_the_own_loop_too(suite: Suite) -> None:
    result = run(
        suite,
        """
        @pytest.fixture(autouse=True)
        async def token(): return trio.lowlevel.current_trio_token()
        @narrow_fixtures
        @given(x=st.integers())
        async def test_a(x, token, mock_clock):
            assert trio.lowlevel.current_trio_token() is token
        @narrow_fixtures
        @given(x=st.integers())
        async def test_b(x, mock_clock):
            assert trio.lowlevel.current_clock() is mock_clock
        """,
    )
    assert set(result.phases.values()) == {"passed passed passed"}, result.output


def test_wide_fixtures_of_a_test_with_a_run_function_are_an_error_of_the_set_up(
    suite: Suite,
) -> None:
    result = run(
        suite,
        """
        @pytest.fixture(scope="module")
        async def wide(): pass
        @pytest.mark.trio(run=lambda *args, **options: trio.run(*args, **options))
        @given(x=st.integers())
        async def test_a(x, wide): trace("never")
        """,
    )
    assert result.phases == {"test_a": "failed passed"}
    assert "the fixture 'wide' (scope 'module') lives on the loop of the session" in result.output


# -------------------------------------------------------------------- what Hypothesis does


def test_failures_look_like_those_of_the_sync_twin(suite: Suite) -> None:
    """Shrinking, ``note``, ``target``, explicit examples, several failures, and explanations."""
    source = PRELUDE.replace("ContextVar\n", "ContextVar\nimport random\n") + textwrap.dedent(
        """
        few = settings(database=None, deadline=None)
        @pytest.fixture(scope="module")
        async def wide():
            yield 1
        @seed(1)
        @few
        @given(x=st.integers(), y=st.booleans())
        async def test_shrunk(x, y, wide):
            note(f"noted {x}")
            await pause()
            if x > 99:
                x += wide
            assert x < 100
        @seed(1)
        @few
        @given(x=st.integers(0, 1000))
        async def test_target(x):
            await pause()
            target(x, label="the size")
            assert x < 900
        @few
        @example(x=3)
        @example(x=4)
        @given(x=st.integers())
        async def test_explicit(x):
            await pause()
            assert x != 3
        @seed(1)
        @few
        @given(x=st.integers())
        async def test_two_failures(x):
            await pause()
            if x > 10: raise ValueError(x)
            if x < -10: raise KeyError(x)
        @few
        @example(x=3).xfail()
        @given(x=st.integers(5, 6))
        async def test_expected(x):
            await pause()
            assert x != 3
        class TestClass:
            @seed(1)
            @few
            @pytest.mark.parametrize("y", [1, 2])
            @given(x=st.integers())
            async def test_method(self, x, y):
                await pause()
                assert x < 50
        @seed(1)
        @few
        @given(x=st.integers())
        async def test_returns(x): return x
        @seed(1)
        @few
        @given(x=st.integers())
        async def test_impossible(x): assume(False)
        @pytest.fixture
        async def narrow(): pass
        @few
        @given(x=st.integers())
        async def test_narrow_fixture(x, narrow): pass
        @few
        @given(x=st.integers())
        async def test_skipped(x): pytest.skip("the reason")
        @seed(1)
        @few
        @given(x=st.integers())
        async def test_xfailed(x):
            if x > 3: pytest.xfail("the reason")
        @few
        @given(x=st.integers())
        async def test_group(x):
            raise ExceptionGroup("a group", [ValueError("one"), ValueError("two")])
        """
    )
    result = assert_like_sync(suite, source, *PLUGIN, "-ra")
    outcomes = list(result.outcomes.values())
    assert outcomes == ["failed"] * 4 + ["passed"] + ["failed"] * 5 + ["skipped", "xfailed"] + [
        "failed"
    ]
    assert "These lines were always and only run by failing" in result.output
    assert "pytest_trio_scoped" not in result.output


def test_explanations_name_no_lines_of_trio_and_ours(suite: Suite) -> None:
    result = run(
        suite,
        """
        @seed(1)
        @many
        @given(x=st.integers())
        async def test_a(x):
            async def child():
                await trio.sleep(0)
                if x > 9:
                    raise ValueError
            async with trio.open_nursery() as nursery:
                nursery.start_soon(child)
        def test_last():
            from hypothesis.internal.scrutineer import should_trace_file
            assert should_trace_file(trio.__file__)
        """,
    )
    assert result.outcomes == {"test_a": "failed", "test_last": "passed"}
    _, _, explanation = result.output.partition("only run by failing")
    lines = [line for line in explanation.splitlines() if ".py:" in line]
    assert lines[0].endswith(f"{suite.path}/test_it.py:21")
    assert not [line for line in lines if "/trio/" in line or "pytest_trio_scoped" in line]


def test_what_hypothesis_raises_in_a_nursery_is_no_failure(suite: Suite) -> None:
    """``assume``, and running out of data, in the test and in child tasks."""
    result = run(
        suite,
        """
        @many
        @given(x=st.integers(), data=st.data())
        async def test_a(x, data):
            async def child(number):
                await trio.sleep(0)
                assume(x % 3 != number)
                if data.draw(st.booleans()):
                    data.draw(st.lists(st.binary(max_size=3000), max_size=3))
            async with trio.open_nursery() as nursery:
                nursery.start_soon(child, 1)
                nursery.start_soon(child, 2)
                assume(x != 7)
            trace("kept")
        """,
    )
    assert result.phases == {"test_a": "passed passed passed"}, result.output
    assert set(result.trace) == {"kept"}


def test_a_deadline_counts_what_the_example_waits(suite: Suite) -> None:
    result = run(
        suite,
        """
        @settings(few, deadline=20)
        @given(x=st.none())
        async def test_a(x): await trio.sleep(0.1)
        """,
    )
    assert result.outcomes == {"test_a": "failed"}
    assert "DeadlineExceeded" in result.output
    assert "Unreliable" not in result.output


def test_a_deadline_does_not_count_that_the_loop_is_opened(suite: Suite) -> None:
    result = run_subprocess(
        suite,
        """
        import time
        from pytest_trio_scoped import _loop
        class SlowLoop(_loop.Loop):
            def open(self):
                time.sleep(1)
                super().open()
        @pytest.fixture(autouse=True)
        def slow(monkeypatch): monkeypatch.setattr(_loop, "Loop", SlowLoop)
        @settings(few, deadline=600)
        @given(x=st.integers())
        async def test_a(x): trace("example")
        """,
    )
    assert result.phases == {"test_a": "passed passed passed"}, result.output


def test_the_database_remembers_failures(suite: Suite) -> None:
    source = """
        @pytest.mark.parametrize("y", [1, 2])
        @given(x=st.integers())
        async def test_a(x, y):
            trace(x)
            await trio.sleep(0)
            assert x < 12345
    """
    first = run_subprocess(suite, source, "-k1")
    (suite.path / "trace.txt").unlink()
    second = run_subprocess(suite, source, "-k1")
    assert first.outcomes == second.outcomes == {"test_a[1]": "failed"}
    assert first.trace[-1] == second.trace[0] == "12345"


def test_a_seed_gives_the_same_examples_again(suite: Suite) -> None:
    source = """
        @few
        @given(x=st.integers())
        async def test_a(x): trace(x)
    """
    first = run_subprocess(suite, source, "--hypothesis-seed=7").trace
    (suite.path / "trace.txt").unlink()
    assert run_subprocess(suite, source, "--hypothesis-seed=7").trace == first
    assert len(set(first)) > 1


def test_the_debugger_comes_with_minus_minus_trace(suite: Suite) -> None:
    source = """
        @few
        @given(x=st.integers())
        async def test_a(x):
            await trio.sleep(0)
            trace("example")
    """
    result = run_subprocess(suite, source, "--trace", stdin="c\n")
    assert result.outcomes == {"test_a": "passed"}, result.output
    assert result.trace == ["example"] * 5
    assert "(Pdb)" in result.output


# -------------------------------------------------------------------- scheduling

SCHEDULE = """
orders = []
async def note_order():
    order = []
    async def child(name):
        for _ in range(10):
            order.append(name)
            await trio.lowlevel.checkpoint()
    async with trio.open_nursery() as nursery:
        for name in range(5):
            nursery.start_soon(child, name)
    orders.append(tuple(order))
"""


def test_trio_schedules_every_example_alike(suite: Suite) -> None:
    """Also after one has failed, whose task can't be used again."""
    source = """
@few
@seed(1)
@given(x=st.integers())
async def test_a(x, nursery):
    await note_order()
    assert x == 0
@few
@given(x=st.integers())
async def test_b(x):
    await note_order()
@few
@given(x=st.integers())
def test_sync(x, wide):
    await_(note_order())
@pytest.fixture(scope="module")
async def wide(): pass
def test_last():
    assert len(orders) > 12
    assert len(set(orders)) == 1
@few
@given(st.random_module())
async def test_random_module(_):
    await note_order()
async def test_varied():
    assert len(set(orders)) > 2
async def test_free():
    orders.clear()
    for _ in range(5): await note_order()
    assert len(set(orders)) > 1
"""
    write(suite, SCHEDULE + source)
    result = suite.run(*PLUGIN)
    outcomes = {**result.outcomes}
    assert outcomes.pop("test_a") == "failed"
    assert set(outcomes.values()) == {"passed"}, result.output


def test_the_scheduler_is_as_before_after_the_test(
    suite: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without Trio's own plugin for Hypothesis, which switches this on for good."""
    monkeypatch.setenv("HYPOTHESIS_NO_PLUGINS", "1")
    result = run_subprocess(
        suite,
        SCHEDULE
        + """
from trio._core import _run
def state(): return _run._ALLOW_DETERMINISTIC_SCHEDULING, _run._r.getstate()
@pytest.fixture(autouse=True)
def compare():
    before = state()
    yield
    assert not before[0]
    assert before == state()
@pytest.fixture(scope="module", autouse=True)
async def loop(): await trio.sleep(0)
@few
@given(x=st.integers())
async def test_a(x):
    await note_order()
    assert state()[0]
def test_last():
    assert len(orders) == 5
    assert len(set(orders)) == 1
""",
    )
    assert set(result.outcomes.values()) == {"passed"}, result.output


# -------------------------------------------------------------------- ends


@pytest.mark.parametrize("in_nursery", [True, False])
@pytest.mark.parametrize(
    ("end", "outcome", "exit_code"),
    [
        ('pytest.skip("the reason")', "skipped", 0),
        ('pytest.xfail("the reason")', "xfailed", 0),
        ('pytest.fail("the reason")', "failed", 1),
        ('pytest.exit("the reason", returncode=7)', None, 7),
        ("raise KeyboardInterrupt", None, 2),
    ],
    ids=["skip", "xfail", "fail", "exit", "KeyboardInterrupt"],
)
def test_ends_of_a_test_count_in_an_example(
    suite: Suite, in_nursery: bool, end: str, outcome: str | None, exit_code: int
) -> None:
    call = "await within_a_nursery()" if in_nursery else "end()"
    result = run_subprocess(
        suite,
        f"""
        @pytest.fixture(scope="session")
        async def wide():
            yield
            await trio.sleep(0)
            trace("down")
        def end():
            {end}
        async def within_a_nursery():
            async def child(): end()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(child)
        @few
        @given(x=st.integers(0, 2))
        async def test_a(x, wide):
            trace("example")
            {call}
        """,
    )
    assert result.exit_code == exit_code, result.output
    if outcome is not None:
        assert result.outcomes == {"test_a": outcome}
    assert result.trace[-1] == "down"
    is_verdict = outcome in ("xfailed", "failed")
    assert is_verdict or result.trace == ["example", "down"]  # the first is the last


def test_ctrl_c_ends_the_run(suite: Suite) -> None:
    write(
        suite,
        """
        @pytest.fixture(scope="session")
        async def wide():
            yield
            trace("down")
        @few
        @given(x=st.integers())
        async def test_a(x, wide):
            trace("waits")
            await trio.sleep_forever()
        """,
    )
    process = suite.start(*PLUGIN)
    suite.wait_for_trace("waits")
    process.send_signal(signal.SIGINT)
    result = suite.finish(process)
    assert result.exit_code == 2, result.output
    assert result.trace == ["waits", "down"]
    assert "KeyboardInterrupt" in result.output


def test_ctrl_c_counts_while_a_failure_is_shown(suite: Suite) -> None:
    """Hypothesis runs what it has found once more, and would put Ctrl-C in a group with the rest."""
    result = run_subprocess(
        suite,
        """
        last = []
        @many
        @seed(1)
        @given(x=st.integers())
        async def test_a(x):
            if hypothesis.currently_in_test_context() and hypothesis.control.should_note():
                raise KeyboardInterrupt
            if x > 9: raise ValueError
            if x < -9: raise KeyError
        def test_last(): trace("never")
        """,
    )
    assert result.exit_code == 2, result.output
    assert result.trace == []


CRASHING = """
@pytest.fixture(scope="module")
async def server():
    requests, receive = trio.open_memory_channel(1)
    done = trio.Event()
    async def serve():
        async for x in receive:
            if x == 3:
                raise OSError("the server has crashed")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve)
        yield requests
        nursery.cancel_scope.cancel()
"""


@pytest.mark.parametrize("is_patient", [True, False])
def test_a_crashed_fixture_ends_the_test(suite: Suite, is_patient: bool) -> None:
    """Whether the example is cancelled by that or is about to end by itself."""
    wait = "await trio.sleep_forever()"
    shielded = "with trio.CancelScope(shield=True): await trio.testing.wait_all_tasks_blocked()"
    result = run(
        suite,
        CRASHING
        + f"""
import trio.testing
@few
@example(x=3)
@example(x=4)
@given(x=st.integers())
async def test_a(x, server):
    trace(x)
    await server.send(x)
    {wait if is_patient else shielded}
async def test_same_scope(server): trace("never")
async def test_other(): pass
""",
    )
    outcomes = {"test_a": "failed", "test_same_scope": "error", "test_other": "passed"}
    assert result.outcomes == outcomes, result.output
    assert result.trace == ["3"]
    assert "OSError: the server has crashed" in result.output
    note = "This ended the search for other examples; it happened while this one ran:\n"
    assert note in result.output
    assert "test_a(server=<" in result.output
    assert "Cancelled" not in result.output
    assert "_Ended" not in result.output


def test_the_next_run_begins_with_the_example_of_a_crash(suite: Suite) -> None:
    source = (
        CRASHING.replace("x == 3", "x > 300")
        + """
@given(x=st.integers())
async def test_a(x, server):
    trace(x)
    await server.send(x)
    await trio.sleep_forever() if x > 300 else None
"""
    )
    first = run_subprocess(suite, source)
    (suite.path / "trace.txt").unlink()
    second = run_subprocess(suite, source)
    assert first.outcomes == second.outcomes == {"test_a": "failed"}
    assert second.trace == first.trace[-1:]


def test_failures_that_were_found_before_a_crash_are_told(suite: Suite) -> None:
    result = run(
        suite,
        CRASHING
        + """
@few
@example(x=2)
@example(x=3)
@given(x=st.integers())
async def test_a(x, server):
    assert x != 2
    await server.send(x)
    await trio.sleep_forever()
""",
    )
    assert result.outcomes == {"test_a": "failed"}
    assert "OSError: the server has crashed" in result.output
    assert "AssertionError: assert 2 != 2" in result.output
    assert "_Ended" not in result.output


def test_a_fixture_that_cancels_an_example_is_named_with_the_example(suite: Suite) -> None:
    result = run(
        suite,
        """
        @pytest.fixture(scope="module")
        async def scope():
            with trio.CancelScope() as cancel_scope:
                yield cancel_scope
        @few
        @given(x=st.none())
        async def test_a(x, scope):
            trace(x)
            scope.cancel()
            await trio.sleep_forever()
        """,
    )
    assert result.outcomes == {"test_a": "failed"}
    assert result.trace == ["None"]
    assert "The fixture 'scope' (scope 'module') cancelled the test" in result.output
    assert ", x=None)" in result.output


@pytest.mark.parametrize("ending", list(ENDINGS))
def test_a_lost_loop_ends_the_test(suite: Suite, ending: str) -> None:
    body = textwrap.indent(textwrap.dedent(ENDINGS[ending]), "    ")
    result = run_subprocess(
        suite,
        f"""
@few
@given(x=st.integers())
async def test_a(x):
    trace("example")
{body}
@few
@given(x=st.integers())
async def test_last(x):
    await trio.sleep(0)
""",
    )
    assert result.outcomes == {"test_a": "failed", "test_last": "passed"}, result.output
    assert result.trace == ["example"]
    assert "OSError: the end" in result.output
    assert "This ended the search for other examples" in result.output


# -------------------------------------------------------------------- the rest


def test_hypothesis_is_not_imported_for_a_suite_without_it(suite: Suite) -> None:
    suite.tests(
        """
        import sys
        @pytest.fixture(scope="module")
        async def wide(): return 1
        async def test_a(wide): pass
        def test_last(wide):
            trace(json.dumps([name for name in sys.modules if "hypothesis" in name]))
        """.replace("import sys", "import json, sys")
    )
    result = suite.run_subprocess()
    assert set(result.outcomes.values()) == {"passed"}, result.output
    assert [json.loads(line) for line in result.trace] == [[]]


MACHINE = """
from functools import wraps
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from hypothesis.stateful import initialize
def sync(method):
    @wraps(method)
    def waiting(*args, **arguments):
        return await_(method(*args, **arguments))
    return waiting
@seed(1)
class Channel(RuleBasedStateMachine):
    @initialize()
    def open(self):
        self.expected = []
        self.sender, self.receiver = trio.open_memory_channel(100)
    @rule(x=st.integers())
    def send(self, x):
        self.expected.append(x)
        await_(self.sender.send(x))
    @rule()
    @sync
    async def receive(self):
        if self.expected:
            assert await self.receiver.receive() == self.expected.pop(0) WRONG
    @invariant()
    def counts(self):
        statistics = self.sender.statistics()
        assert statistics.current_buffer_used == len(self.expected)
"""


@pytest.mark.parametrize("is_right", [True, False])
def test_rules_of_a_state_machine_may_wait(suite: Suite, is_right: bool) -> None:
    result = run_subprocess(
        suite,
        MACHINE.replace("WRONG", "" if is_right else "+ 1")
        + """
TestChannel = Channel.TestCase
TestChannel.settings = settings(many, stateful_step_count=10)
def test_with_fixture(wide):
    task = trio.lowlevel.current_task()
    @seed(1)
    class InTest(Channel):
        @rule()
        def look(self): assert trio.lowlevel.current_task() is task
    run_state_machine_as_test(InTest, settings=TestChannel.settings)
@pytest.fixture(scope="module")
async def wide(): return []
""",
    )
    outcome = "passed" if is_right else "failed"
    assert result.outcomes == {
        "TestChannel::runTest": outcome,
        "test_with_fixture": outcome,
    }, result.output
    assert is_right or "state.send(x=0)\n" in result.output


@pytest.mark.parametrize("caught", ["pass", "raise ValueError(x)"])
@pytest.mark.parametrize("uses", ["", "server"])
def test_a_limit_ends_the_search_whatever_the_example_makes_of_it(
    suite: Suite, caught: str, uses: str
) -> None:
    kind, wait = (
        ("def", "await_(trio.sleep_forever())")
        if uses
        else ("async def", "await trio.sleep_forever()")
    )
    source = f"""
    @pytest.fixture(scope="session")
    async def server():
        yield
    @many
    @given(x=st.integers())
    {kind} test_it({uses + ", " if uses else ""}x):
        trace("example")
        try:
            {wait}
        except BaseException:
            {caught}
    """
    result = run_subprocess(suite, source, "--trio-timeout=0.6")
    assert result.outcomes == {"test_it": "failed"}
    assert "took longer than 0.6 s" in result.output
    assert result.trace == ["example"]


@pytest.mark.parametrize("limit", ["trio_timeout", "pytest-timeout"])
def test_a_limit_that_is_exceeded_ends_the_search(suite: Suite, limit: str) -> None:
    source = """
    @many
    @given(x=st.integers())
    async def test_it(x):
        trace("example")
        if x > 5:
            await trio.sleep_forever()
    async def test_next(): pass
    """
    ours = ["--trio-timeout=0.6"]
    theirs = ["-p", "pytest_timeout", "--timeout=0.6"]
    result = run_subprocess(suite, source, *(ours if limit == "trio_timeout" else theirs))
    assert result.outcomes == {"test_it": "failed", "test_next": "passed"}
    assert "took longer than 0.6 s" in result.output
    assert "in test_it: await trio.sleep_forever()" in result.output
    assert "This ended the search for other examples" in result.output
    assert result.output.count("took longer than") <= 3  # in the failure and in the summary
