"""skip, xfail, fail, exit, Ctrl-C and quitting the debugger, raised anywhere: as in sync code."""

from __future__ import annotations

import pytest
from harness import Suite
from sync_twin import assert_like_sync, compare, run_quietly, write_async, write_sync

RAISES = {
    "skip": 'pytest.skip("the reason")',
    "xfail": 'pytest.xfail("the reason")',
    "fail": 'pytest.fail("the reason")',
    "fail without traceback": 'pytest.fail("the reason", pytrace=False)',
    "importorskip": 'pytest.importorskip("nosuchmodule")',
    "exit": 'pytest.exit("the reason", returncode=7)',
    "KeyboardInterrupt": 'raise KeyboardInterrupt("the reason")',
    "BdbQuit": "raise bdb.BdbQuit",
    "SystemExit": "raise SystemExit(3)",
    "GeneratorExit": "raise GeneratorExit",
    "AssertionError": "raise AssertionError",
}

PLACES = {
    "test": """
        async def test_first():
            pass

        async def test_a():
            await pause()
            RAISE

        async def test_last():
            pass
    """,
    "test with fixtures": """
        @pytest.fixture(scope="module")
        async def wide():
            trace("wide up")
            yield
            await pause()
            trace("wide down")

        @pytest.fixture
        async def narrow(wide):
            trace("narrow up")
            yield
            await pause()
            trace("narrow down")

        async def helper():
            await pause()
            RAISE

        async def test_a(narrow):
            await helper()

        async def test_last(narrow):
            pass
    """,
    "set-up": """
        @pytest.fixture(scope="module")
        async def wide():
            yield
            await pause()
            trace("wide down")

        @pytest.fixture
        async def thing(wide):
            await pause()
            RAISE
            yield

        async def test_a(thing):
            pass

        async def test_last(wide):
            pass
    """,
    "set-up of a coroutine fixture": """
        @pytest.fixture(scope="session")
        async def thing():
            await pause()
            RAISE

        async def test_a(thing):
            pass

        async def test_b(thing):
            pass
    """,
    "tear-down": """
        @pytest.fixture(scope="module")
        async def wide():
            yield
            await pause()
            trace("wide down")

        @pytest.fixture
        async def thing(wide):
            yield
            await pause()
            RAISE

        async def test_a(thing):
            pass

        async def test_last(wide):
            pass
    """,
    "tear-down at the end": """
        @pytest.fixture(scope="session")
        async def below():
            yield
            await pause()
            trace("below down")

        @pytest.fixture(scope="session")
        async def thing(below):
            yield
            await pause()
            RAISE

        async def test_a(thing):
            await pause()
    """,
}


ENDS = ("exit", "KeyboardInterrupt")


@pytest.mark.parametrize("place", PLACES)
def test_it_acts_as_in_a_sync_test(suite: Suite, place: str) -> None:
    sources = {
        raised: PLACES[place].replace("RAISE", statement)
        for raised, statement in RAISES.items()
        if raised not in ENDS
        # pytest does not cache these, and then trips over its own assertion in the next test.
        and not (
            place == "set-up of a coroutine fixture" and raised in ("SystemExit", "GeneratorExit")
        )
    }
    assert_like_sync(suite, sources, "-rA", "--tb=short")


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("raised", ENDS)
def test_it_ends_the_run_as_in_a_sync_test(suite: Suite, raised: str, place: str) -> None:
    source = PLACES[place].replace("RAISE", RAISES[raised])
    result = assert_like_sync(suite, source, "-rA", "--tb=short")
    assert result.exit_code == (7 if raised == "exit" else 2)
    assert "the reason" in result.output


#: What to put in place of ``await helper()``: the exception comes out of one or more nurseries.
NURSERIES = {
    "child": """
        async with trio.open_nursery() as nursery:
            nursery.start_soon(helper)
            await trio.sleep_forever()
    """,
    "body": """
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            await helper()
    """,
    "nested": """
        async with trio.open_nursery() as outer:
            async with trio.open_nursery() as middle:
                async with trio.open_nursery() as inner:
                    inner.start_soon(helper)
                    await trio.sleep_forever()
    """,
    "twice": """
        async with trio.open_nursery() as nursery:
            nursery.start_soon(helper)
            nursery.start_soon(helper)
    """,
}

SYNC_PLACES = {
    "test": """
        import trio
        async def helper():
            RAISE

        async def test_a():
            BODY

        async def test_last():
            pass
    """,
    "set-up": """
        import trio
        async def helper():
            RAISE

        @pytest.fixture
        async def thing():
            BODY
            yield

        async def test_a(thing):
            pass

        async def test_last():
            pass
    """,
    "tear-down": """
        import trio
        async def helper():
            RAISE

        @pytest.fixture
        async def thing():
            yield
            BODY

        async def test_a(thing):
            pass

        async def test_last():
            pass
    """,
}


IN_NURSERIES = ("skip", "xfail", "fail without traceback", "BdbQuit")


def _beside(source: str, nursery: str) -> tuple[str, str]:
    """Return ``source`` with a plain call and with one in a nursery, on the same lines."""
    lines = NURSERIES[nursery].replace("\n" + " " * 8, "\n" + " " * 12).strip()
    padding = ("\n" + " " * 12 + "pass") * lines.count("\n")
    return source.replace("BODY", "await helper()" + padding), source.replace("BODY", lines)


@pytest.mark.parametrize("nursery", NURSERIES)
def test_it_acts_so_from_within_a_nursery_too(suite: Suite, nursery: str) -> None:
    """With reason and location; of the traceback only the last frame can be the same."""
    plain, nested = {}, {}
    for place, source in SYNC_PLACES.items():
        for raised in IN_NURSERIES:
            name = f"{place} {raised}"
            plain[name], nested[name] = _beside(source.replace("RAISE", RAISES[raised]), nursery)
    write_sync(suite, plain)
    expected = run_quietly(suite, "-rA", "--tb=no", "-p", "no:trio_scoped")
    write_async(suite, nested)
    compare(expected, run_quietly(suite, "-rA", "--tb=no"))


@pytest.mark.parametrize("nursery", ["body", "nested"])
@pytest.mark.parametrize("place", SYNC_PLACES)
@pytest.mark.parametrize("raised", ENDS)
def test_it_ends_the_run_from_within_a_nursery_too(
    suite: Suite, raised: str, place: str, nursery: str
) -> None:
    plain, nested = _beside(SYNC_PLACES[place].replace("RAISE", RAISES[raised]), nursery)
    write_sync(suite, plain)
    expected = run_quietly(suite, "-rA", "--tb=no", "-p", "no:trio_scoped")
    write_async(suite, nested)
    compare(expected, run_quietly(suite, "-rA", "--tb=no"))


@pytest.mark.parametrize("raised", ["skip", "xfail", "exit", "KeyboardInterrupt"])
def test_it_acts_so_in_a_task_of_the_nursery_fixture(suite: Suite, raised: str) -> None:
    helper = f"async def helper():\n    {RAISES[raised]}\n"
    write_sync(suite, f"{helper}async def test_a():\n    await helper()\n    pass\n")
    expected = run_quietly(suite, "-rA", "--tb=no", "-p", "no:trio_scoped")
    write_async(
        suite,
        f"{helper}async def test_a(nursery):\n    nursery.start_soon(helper)\n    await pause()\n",
    )
    compare(expected, run_quietly(suite, "-rA", "--tb=no"))


@pytest.mark.parametrize(
    ("group", "outcome", "exit_code"),
    [
        ('skip("s"), ValueError("v")', "failed", 1),
        ('xfail("s"), ValueError("v")', "failed", 1),
        ('fail("f"), ValueError("v")', "failed", 1),
        ('skip("s"), [ValueError("v")]', "failed", 1),
        ('[skip("s")], [skip("t")]', "skipped", 0),
        ('[xfail("s")], [xfail("t")]', "xfailed", 0),
        ('skip("s"), AssertionError("v")', "failed", 1),
    ],
)
def test_a_verdict_beside_an_error_is_a_failure_that_shows_both(
    suite: Suite, group: str, outcome: str, exit_code: int
) -> None:
    suite.tests(
        f"""
        skip, xfail, fail = pytest.skip.Exception, pytest.xfail.Exception, pytest.fail.Exception

        def build(members):
            return BaseExceptionGroup("group", [
                build(member) if isinstance(member, list) else member for member in members
            ])

        async def test_a():
            raise build([{group}])
        """
    )
    result = suite.run()
    assert result.outcomes == {"test_a": outcome}
    assert result.exit_code == exit_code
    if "v" in group:
        assert "Error: v" in result.output
        assert ("Skipped: s" in result.output) is ("skip" in group)


@pytest.mark.parametrize(
    ("last", "exit_code", "words"),
    [
        ('pytest.exit.Exception("the reason", 9)', 9, "the reason"),
        ("KeyboardInterrupt()", 2, "KeyboardInterrupt"),
        ("bdb.BdbQuit()", 1, "BdbQuit"),
    ],
)
def test_the_end_of_the_run_wins_over_errors_beside_it(
    suite: Suite, last: str, exit_code: int, words: str
) -> None:
    write_async(
        suite,
        f"""
        async def test_a():
            raise BaseExceptionGroup("group", [ValueError("v"), BaseExceptionGroup("g", [{last}])])

        async def test_last():
            trace("ran")
        """,
    )
    result = run_quietly(suite)
    assert result.exit_code == exit_code
    assert words in result.output
    assert result.trace == (["ran"] if "Bdb" in last else [])


def test_a_skip_in_the_background_of_a_fixture_skips_the_set_up_with_its_reason(
    suite: Suite,
) -> None:
    suite.tests(
        """
        async def helper():
            pytest.skip("no such service")

        @pytest.fixture(scope="module")
        async def service():
            async with trio.open_nursery() as nursery:
                nursery.start_soon(helper)
                await trio.sleep_forever()
            yield

        async def test_a(service):
            pass

        async def test_b(service):
            pass
        """
    )
    result = suite.run("-rs")
    assert result.phases == {"test_a": "skipped passed", "test_b": "skipped passed"}
    assert "SKIPPED [1] test_it.py:15: no such service" in result.output
    assert "SKIPPED [1] test_it.py:18: no such service" in result.output


def test_marks_act_as_on_sync_tests(suite: Suite) -> None:
    assert_like_sync(
        suite,
        """
        @pytest.fixture
        async def thing():
            trace("set up")
            yield

        @pytest.mark.skip(reason="marked")
        async def test_skip(thing):
            assert 0

        @pytest.mark.skipif(True, reason="marked")
        async def test_skipif(thing):
            assert 0

        @pytest.mark.xfail(reason="marked")
        async def test_xfail(thing):
            await pause()
            assert 0

        @pytest.mark.xfail(raises=ValueError)
        async def test_xfail_other(thing):
            await pause()
            raise TypeError

        @pytest.mark.xfail(strict=True, reason="strict")
        async def test_xpass(thing):
            await pause()

        @pytest.mark.xfail(run=False, reason="not run")
        async def test_not_run(thing):
            assert 0

        @pytest.mark.parametrize("x", [1, pytest.param(2, marks=pytest.mark.xfail(reason="two"))])
        async def test_parametrized(thing, x):
            assert x == 1
        """,
        "-rA",
    )
