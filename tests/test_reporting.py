"""Reports: each failure at its test and phase, and the user's frames only."""

from __future__ import annotations

import re

import pytest
from harness import Result, Suite, every_scope
from sync_twin import assert_like_sync, run_quietly, write_async

#: Sources whose output has to be that of their sync twins.
FAILURES = {
    "body": """
        async def test_a():
            x = 1
            assert x == 2, "why"
    """,
    "after a checkpoint": """
        async def test_a():
            await pause()
            assert [1, 2] == [1, 3]
    """,
    "deep in a chain": """
        async def inner(n):
            await pause()
            if n == 0:
                raise ValueError("deep")
            await inner(n - 1)

        async def outer():
            await inner(2)

        async def test_a():
            await outer()
    """,
    "in a method": """
        class TestIt:
            async def helper(self):
                await pause()
                assert self is None

            async def test_a(self):
                await self.helper()
    """,
    "in sync code below": """
        def helper():
            raise LookupError("sync")

        async def test_a():
            await pause()
            helper()
    """,
    "in a context manager": """
        @contextmanager
        async def manager():
            await pause()
            yield
            await pause()
            raise OSError("on exit")

        async def test_a():
            async with manager():
                await pause()
    """,
    "cause": """
        async def inner():
            await pause()
            raise ValueError("first")

        async def test_a():
            try:
                await inner()
            except ValueError as error:
                raise TypeError("second") from error
    """,
    "context": """
        async def inner():
            await pause()
            raise ValueError("first")

        async def test_a():
            try:
                await inner()
            except ValueError:
                await pause()
                raise TypeError("second")
    """,
    "suppressed context": """
        async def test_a():
            try:
                await pause()
                raise ValueError("first")
            except ValueError:
                raise TypeError("second") from None
    """,
    "finally": """
        async def test_a():
            try:
                await pause()
                1 / 0
            finally:
                await pause()
                trace("finally")
    """,
    "own group": """
        async def test_a():
            await pause()
            raise ExceptionGroup("mine", [ValueError(1), TypeError(2)])
    """,
    "notes": """
        async def test_a():
            await pause()
            error = ValueError("noted")
            error.add_note("a note")
            raise error
    """,
    "fail": """
        async def test_a():
            await pause()
            pytest.fail("the reason")

        async def test_without_traceback():
            pytest.fail("no traceback", pytrace=False)
    """,
    "did not raise": """
        async def test_a():
            with pytest.raises(ValueError):
                await pause()
    """,
    "captured": """
        import logging

        @pytest.fixture
        async def printing():
            print("in set-up")
            yield
            print("in tear-down")

        async def test_a(printing):
            await pause()
            print("in test")
            logging.getLogger().error("logged")
            assert 0
    """,
    "hidden frame": """
        async def check():
            __tracebackhide__ = True
            await pause()
            raise AssertionError("told by a helper")

        async def test_a():
            await check()
    """,
    "parametrized": """
        @pytest.mark.parametrize("x", [1, 2])
        async def test_a(x):
            await pause()
            assert x == 1
    """,
    "set-up of a coroutine fixture": """
        async def inner():
            await pause()
            raise ValueError("set-up")

        @pytest.fixture
        async def thing():
            await inner()

        async def test_a(thing):
            pass

        async def test_b():
            pass
    """,
    "set-up of a generator fixture": """
        async def inner():
            await pause()
            raise ValueError("set-up")

        @pytest.fixture
        async def thing():
            await inner()
            yield

        async def test_a(thing):
            pass
    """,
    "set-up of a fixture of a fixture": """
        @pytest.fixture(scope="module")
        async def wide():
            await pause()
            raise ValueError("cached")
            yield

        @pytest.fixture
        async def thing(wide):
            yield

        async def test_a(thing):
            pass

        async def test_b(thing):
            pass
    """,
    "tear-down": """
        async def inner():
            await pause()
            raise ValueError("tear-down")

        @pytest.fixture
        async def thing():
            yield
            await inner()

        async def test_a(thing):
            await pause()
    """,
    "test and tear-down": """
        @pytest.fixture
        async def thing():
            yield
            await pause()
            raise ValueError("tear-down")

        async def test_a(thing):
            await pause()
            assert 0
    """,
    "two tear-downs": """
        @pytest.fixture
        async def one():
            yield
            await pause()
            raise ValueError("one")

        @pytest.fixture
        async def two(one):
            yield
            await pause()
            raise ValueError("two")

        async def test_a(two):
            pass
    """,
    "getfixturevalue": """
        @pytest.fixture
        async def thing():
            await pause()
            raise ValueError("asked for late")

        async def test_a(request):
            await pause()
            request.getfixturevalue("thing")
    """,
    "second yield": """
        @pytest.fixture
        async def thing():
            yield 1
            await pause()
            yield 2

        async def test_a(thing):
            await pause()
    """,
    "finalizer": """
        def finalizer():
            raise ValueError("finalizer")

        @pytest.fixture
        async def thing(request):
            await pause()
            request.addfinalizer(finalizer)

        async def test_a(thing):
            await pause()
    """,
    "stop iteration": """
        class Odd:
            def __eq__(self, other):
                raise KeyError("in a comparison")

        async def test_a():
            await pause()
            assert Odd() == 1
    """,
}


STYLES = {
    style: [f"--tb={style}", "-ra"] for style in ("long", "short", "line", "native", "no", "auto")
}


@pytest.mark.parametrize(
    "options",
    [*STYLES.values(), ["-vv", "--showlocals", "-rA"]],
    ids=[*STYLES, "locals"],
)
def test_failures_look_like_those_of_the_sync_twin(suite: Suite, options: list[str]) -> None:
    """Each source in a test file of its own."""
    result = assert_like_sync(suite, FAILURES, *options)
    assert result.exit_code == 1
    assert "passed" in result.outcomes.values()
    assert len(result.outcomes) >= 3


def test_a_test_that_returns_something_is_told_so_without_a_frame_of_ours(suite: Suite) -> None:
    source = "async def test_a():\n    return 1\n"
    result = assert_like_sync(suite, source, "-W", "default")
    said = "PytestReturnNotNoneWarning" if pytest.version_tuple >= (9,) else "Expected None"
    assert said in result.output
    write_async(suite, source)
    result = run_quietly(suite)
    assert result.outcomes == {"test_a": "failed"}
    assert "pytest_trio_scoped" not in result.output


def test_a_fixture_that_yields_nothing_is_an_error_that_names_it(suite: Suite) -> None:
    suite.tests(
        """
        @pytest.fixture
        async def thing():
            if 0:
                yield

        async def test_a(thing):
            pass
        """
    )
    result = suite.run()
    assert result.outcomes == {"test_a": "error"}
    assert "ERROR test_it.py::test_a - ValueError: thing did not yield a value" in result.output
    assert "pytest_trio_scoped" not in result.output


@every_scope
@pytest.mark.parametrize("kind", ["return", "yield"])
def test_a_failed_set_up_is_an_error_of_each_test_that_asks(
    suite: Suite, scope: str, kind: str
) -> None:
    result = assert_like_sync(
        suite,
        f"""
        @pytest.fixture(scope={scope!r})
        async def thing():
            await pause()
            trace("set up")
            raise ValueError("set-up")
            {kind}

        class TestIt:
            async def test_a(self, thing):
                pass
            async def test_b(self):
                pass
            async def test_c(self, thing):
                pass
            def test_sync(self, thing):
                pass
        """,
    )
    assert result.phases == {
        "TestIt::test_a": "failed passed",
        "TestIt::test_b": "passed passed passed",
        "TestIt::test_c": "failed passed",
        "TestIt::test_sync": "failed passed",
    }
    assert result.trace == ["set up"] * (3 if scope == "function" else 1)


@every_scope
def test_a_failed_tear_down_is_an_error_of_the_last_test_of_the_scope(
    suite: Suite, scope: str
) -> None:
    result = assert_like_sync(
        suite,
        f"""
        @pytest.fixture(scope={scope!r})
        async def below():
            yield
            trace("below is torn down")

        @pytest.fixture(scope={scope!r})
        async def thing(below):
            yield
            await pause()
            raise ValueError("tear-down")

        class TestIt:
            async def test_a(self, thing):
                assert 0
            async def test_b(self, thing):
                pass
        """,
    )
    each = scope == "function"
    assert result.phases == {
        "TestIt::test_a": "passed failed failed" if each else "passed failed passed",
        "TestIt::test_b": "passed passed failed",
    }
    assert result.trace == ["below is torn down"] * (2 if each else 1)
    assert f"{2 if each else 1} error" in result.output.splitlines()[-1]


def frames(result: Result) -> list[str]:
    """Return the frames that ``--tb=short`` shows."""
    found = re.findall(r"^(\S+\.py):\d+: in (\S+)$", result.output, flags=re.MULTILINE)
    return [f"{path} {function}" for path, function in found]


TRIO_ERRORS = {
    "trio.EndOfChannel": """
        send, receive = trio.open_memory_channel(0)
        await send.aclose()
        await receive.receive()
    """,
    "trio.TooSlowError": """
        with trio.fail_after(0):
            await trio.sleep(1)
    """,
    "trio.BrokenResourceError": """
        send, receive = trio.open_memory_channel(0)
        await receive.aclose()
        await send.send(1)
    """,
    "trio.ClosedResourceError": """
        one, two = trio.testing.memory_stream_pair()
        await one.aclose()
        await one.send_all(b"x")
    """,
    "OSError": """
        await trio.open_tcp_stream("127.0.0.1", 1)
    """,
    "RuntimeError": """
        await trio.to_thread.run_sync(fails)
    """,
}


def _indented(body: str, spaces: int) -> str:
    import textwrap

    return textwrap.indent(textwrap.dedent(body).strip(), " " * spaces)


@pytest.mark.parametrize("where", ["test", "set-up", "tear-down"])
@pytest.mark.parametrize("name", TRIO_ERRORS)
def test_an_exception_from_trio_shows_only_the_users_frames(
    suite: Suite, name: str, where: str
) -> None:
    bodies = {"test": "pass", "set-up": "pass", "tear-down": "pass", where: TRIO_ERRORS[name]}
    source = f"""
import pytest, trio, trio.testing
def fails():
    raise RuntimeError("in a thread")
@pytest.fixture
async def thing():
{_indented(bodies["set-up"], 4)}
    yield
{_indented(bodies["tear-down"], 4)}
async def test_a(thing):
{_indented(bodies["test"], 4)}
"""
    suite.tests(source, prelude=False)
    result = suite.run("--tb=short")
    expected = {"test": "passed failed passed", "set-up": "failed passed"}
    assert result.phases == {"test_a": expected.get(where, "passed passed failed")}
    function = "test_a" if where == "test" else "thing"
    shown = [frame for frame in frames(result) if not frame.endswith(" fails")]
    # contextlib's frame, around fail_after, is no more ours to drop than in sync code.
    shown = [frame for frame in shown if "contextlib.py" not in frame]
    assert set(shown) == {f"test_it.py {function}"}
    assert f"E   {name}" in result.output
    assert "pytest_trio_scoped" not in result.output
    # The cause of a failed connection is a group of errors that never were in the user's code: these
    # keep Trio's frames, or there would be none.
    assert ("/trio/" in result.output) is (name == "OSError")


GROUP = """
    async def child():
        await trio.lowlevel.checkpoint()
        raise ValueError("child")

    async def inner():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(child)
            await trio.sleep_forever()
"""


@pytest.mark.parametrize("style", ["long", "short", "auto"])
def test_a_group_of_the_users_nursery_stays_a_group_without_foreign_frames(
    suite: Suite, style: str
) -> None:
    suite.tests(GROUP + "\n    async def test_a():\n        await inner()\n")
    result = suite.run(f"--tb={style}")
    assert result.outcomes == {"test_a": "failed"}
    assert "ExceptionGroup: Exceptions from Trio nursery (1 sub-exception)" in result.output
    assert "ValueError: child" in result.output
    assert "in child" in result.output
    for name in ("pytest_trio_scoped", "/trio/", "/outcome/", "greenlet"):
        assert name not in result.output


def test_a_group_is_what_the_users_code_catches(suite: Suite) -> None:
    suite.tests(
        GROUP
        + """
    async def test_a():
        with pytest.raises(ExceptionGroup) as info:
            await inner()
        assert [type(error) for error in info.value.exceptions] == [ValueError]
    """
    )
    assert suite.run().outcomes == {"test_a": "passed"}


def test_an_exception_of_the_nursery_fixture_shows_the_childs_frames_and_no_group(
    suite: Suite,
) -> None:
    suite.tests(
        """
        async def child():
            await trio.lowlevel.checkpoint()
            raise ValueError("child")

        async def test_a(nursery):
            nursery.start_soon(child)
            await trio.sleep_forever()
        """
    )
    result = suite.run("--tb=short")
    assert result.outcomes == {"test_a": "failed"}
    assert frames(result) == ["test_it.py child"]
    assert "Group" not in result.output


@pytest.mark.parametrize("kind", ["test", "fixture"])
def test_full_trace_shows_pytest_as_well(suite: Suite, kind: str) -> None:
    suite.tests(
        """
        @pytest.fixture
        async def thing():
            with trio.fail_after(0):
                await trio.sleep(1)

        async def test_test():
            with trio.fail_after(0):
                await trio.sleep(1)

        async def test_fixture(thing):
            pass
        """
    )
    short = suite.run("-k", f"test_{kind}")
    full = suite.run("-k", f"test_{kind}", "--full-trace")
    assert re.search(r"_pytest/\w+\.py:\d+", full.output)
    assert full.output.count("\n") > 5 * short.output.count("\n")
    assert not re.search(r"_pytest/\w+\.py:\d+|/trio/\S+\.py:\d+", short.output)


def test_a_failure_in_an_inside_sync_test_looks_like_that_of_a_plain_one(suite: Suite) -> None:
    result = assert_like_sync(
        suite,
        """
        @pytest.fixture
        async def thing():
            return 1

        @pytest.fixture
        def inside(thing):
            yield thing
            raise ValueError("tear-down of a sync fixture inside")

        def helper(value):
            assert value == 2

        def test_a(inside):
            helper(inside)

        class TestIt:
            def test_b(self, thing):
                helper(thing)
        """,
    )
    assert result.phases == {
        "test_a": "passed failed failed",
        "TestIt::test_b": "passed failed passed",
    }


def test_a_failure_below_await_shows_the_users_frames_only(suite: Suite) -> None:
    suite.tests(
        """
        async def inner():
            await trio.lowlevel.checkpoint()
            raise ValueError("inner")

        def helper():
            await_(inner())

        def test_sync():
            helper()

        async def test_async():
            helper()
        """
    )
    result = suite.run("--tb=short")
    assert result.outcomes == {"test_sync": "failed", "test_async": "failed"}
    assert frames(result) == [
        "test_it.py test_sync",
        "test_it.py helper",
        "test_it.py inner",
        "test_it.py test_async",
        "test_it.py helper",
        "test_it.py inner",
    ]


def test_an_exception_from_trio_below_await_in_a_sync_test_shows_the_users_frames_only(
    suite: Suite,
) -> None:
    suite.tests(
        """
        def helper():
            send, receive = trio.open_memory_channel(0)
            send.close()
            await_(receive.receive())

        def test_sync():
            helper()
        """
    )
    result = suite.run("--tb=short")
    assert result.outcomes == {"test_sync": "failed"}
    assert frames(result) == ["test_it.py test_sync", "test_it.py helper"]
    assert "E   trio.EndOfChannel" in result.output


def test_locations_of_warnings_are_those_of_the_sync_twin(suite: Suite) -> None:
    source = """
        import warnings

        def helper():
            warnings.warn("below", stacklevel=2)

        @pytest.fixture
        async def thing():
            warnings.warn("set-up")
            yield
            warnings.warn("tear-down")

        async def test_a(thing):
            await pause()
            warnings.warn("body")
            helper()
    """
    result = assert_like_sync(suite, source, "-W", "default")
    assert "4 warnings" in result.output


@every_scope
def test_an_exception_group_of_several_tear_downs_looks_like_that_of_sync_ones(
    suite: Suite, scope: str
) -> None:
    assert_like_sync(
        suite,
        f"""
        @pytest.fixture(scope={scope!r})
        async def one():
            yield
            raise ValueError("one")

        @pytest.fixture(scope={scope!r})
        async def two():
            yield
            raise TypeError("two")

        async def test_a(one, two):
            await pause()
        """,
    )


def test_the_reports_of_an_async_suite_have_the_sections_and_places_of_the_sync_twin(
    suite: Suite,
) -> None:
    """The reports as other plugins get them: location, sections, keywords, crash."""
    source = """
        @pytest.fixture(params=[1, 2], ids=["one", "two"])
        async def thing(request):
            print("out", request.param)
            await pause()
            yield
            print("down")

        async def test_a(thing, record_property):
            record_property("key", "value")
            await pause()
            assert 0

        async def test_skipped():
            pytest.skip("because")
    """
    suite.write(
        "conftest.py",
        """
        import json
        from trace import trace
        def pytest_runtest_logreport(report):
            data = report._to_json()
            for name in ("duration", "start", "stop", "keywords", "longrepr"):
                del data[name]
            trace(json.dumps(data, sort_keys=True))
            crash = getattr(report.longrepr, "reprcrash", report.longrepr)
            trace(str(crash))
        """,
    )
    result = assert_like_sync(suite, source)
    assert len(result.trace) == 18


def test_the_async_source_is_what_runs_and_what_is_shown(suite: Suite) -> None:
    """Guards the comparisons above: the async side is async indeed."""
    write_async(suite, "async def test_a():\n    await pause()\n    assert 0\n")
    result = run_quietly(suite)
    assert "async def test_a():" in result.output
    write_async(suite, "async def test_a():\n    await pause()\n    assert 0\n")
    assert (
        "async def functions are not natively supported"
        in run_quietly(
            suite, "-p", "no:trio_scoped", "-o", "addopts=", "-W", "default", "-c", "/dev/null"
        ).output
    )


@pytest.mark.parametrize(
    "end",
    [
        "pass",
        pytest.param(
            "raise ValueError('boom')",
            marks=pytest.mark.skipif(
                pytest.version_tuple < (9,), reason="pytest 8 shows all frames of a group"
            ),
        ),
    ],
)
def test_a_sync_tear_down_that_fails_looks_as_without_the_plugin(suite: Suite, end: str) -> None:
    suite.tests(
        f"""
        @pytest.fixture
        def resource(request):
            request.addfinalizer(lambda: 1 / 0)
            yield
            {end}

        def test_a(resource): pass
        """,
        trio_mode=False,
    )
    outputs = []
    for plugin in ([], ["-p", "no:trio_scoped"]):
        output = run_quietly(suite, *plugin).output
        outputs.append(output[output.index("= ERRORS =") : output.rindex(" in ")])
    assert outputs[0] == outputs[1]


def test_a_task_in_the_nursery_fixture_shows_the_users_frames_only(suite: Suite) -> None:
    suite.tests(
        """
        async def fail():
            raise OSError("boom")
        async def test_a(nursery):
            nursery.start_soon(fail)
            await trio.sleep_forever()
        """
    )
    output = suite.run().output
    assert "OSError: boom" in output
    assert "__aexit__" not in output


def test_the_place_that_asks_for_a_parametrized_fixture_is_told(suite: Suite) -> None:
    source = """
        @pytest.fixture(params=[1, 2])
        async def thing(request):
            await pause()

        @pytest.fixture
        async def other(request):
            request.getfixturevalue("thing")

        async def test_a(request):
            await pause()
            request.getfixturevalue("thing")

        async def test_b(other):
            await pause()
    """
    result = assert_like_sync(suite, source)
    assert set(result.outcomes.values()) == {"failed", "error"}
    assert "test_it.py:11" in result.output
    assert "test_it.py:15" in result.output


@pytest.mark.parametrize("style", ["auto", "short"])
def test_a_sync_set_up_that_fails_beside_an_open_loop_shows_no_frame_of_ours(
    suite: Suite, style: str
) -> None:
    library = """
        @pytest.fixture
        def broken():
            raise ValueError("sync") from LookupError("cause")
    """
    # The frames in the module of the test would hide all above them.
    source = """
        from test_library import broken

        async def test_a():
            await pause()

        def test_b(broken):
            pass
    """
    assert_like_sync(suite, {"library": library, "it": source}, f"--tb={style}")
