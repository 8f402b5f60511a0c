"""What the how-to page on tests at once says, where no other test does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from harness import Suite

from pytest_trio_scoped import plugin

PAGE = (Path(__file__).parent.parent / "docs" / "how-to" / "run-tests-concurrently.md").read_text(
    encoding="utf-8"
)
REFERENCE = (Path(__file__).parent.parent / "docs" / "reference" / "options.md").read_text(
    encoding="utf-8"
)
AT_ONCE = "--trio-parallel=10"


def _blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)


def test_the_run_says_who_is_alone_and_why(suite: Suite) -> None:
    for sample in _blocks("python"):
        suite.write(sample.partition("\n")[0].removeprefix("# "), sample)
    suite.ini(*[block.removeprefix("[pytest]\n") for block in _blocks("ini")])
    (said,) = _blocks("text")
    # In the order of the names of the files.
    result = suite.run("-v", "test_shop.py", "test_mail.py")
    assert said in result.output
    assert set(result.outcomes.values()) == {"passed"}
    assert said.splitlines()[0] in suite.run().output
    assert "alone:" not in suite.run().output


def test_the_fixtures_that_are_named_are_those_that_make_a_test_exclusive() -> None:
    from pytest_trio_scoped._exclusive import CHANGE_THE_PROCESS, MARKS

    mockers = {name for name in CHANGE_THE_PROCESS if name.endswith("_mocker")}
    others = {*mockers, "subtests", *MARKS}
    listed = PAGE.partition("## Exclusive tests")[2].partition("```")[0]
    assert set(re.findall(r"`(\w+)`", listed)) - others == CHANGE_THE_PROCESS - others


@pytest.mark.parametrize("option", ["--trio-parallel=1", "--setup-show", "--trace"])
def test_one_after_the_other(suite: Suite, option: str) -> None:
    suite.tests("""
        in_flight = []
        @pytest.mark.parametrize("number", range(3))
        async def test_it(number):
            in_flight.append(number)
            await trio.sleep(0)
            assert in_flight == [number]
            in_flight.clear()
    """)
    result = suite.run_subprocess(AT_ONCE, option, stdin="continue\n" * 3)
    assert set(result.outcomes.values()) == {"passed"}, result.output
    assert "tests at once" not in result.output


def test_sync_tests_run_whole_and_let_others_go_on_where_they_await(suite: Suite) -> None:
    suite.tests("""
        is_waiting, is_released = trio.Event(), trio.Event()
        @pytest.fixture
        async def inside(): pass
        def test_sync(inside):
            is_waiting.set()
            await_(is_released.wait())
        async def test_async():
            await is_waiting.wait()
            is_released.set()
    """)
    assert set(suite.run_subprocess(AT_ONCE).outcomes.values()) == {"passed"}


def test_tests_in_threads_overlap(suite: Suite) -> None:
    suite.tests("""
        import threading
        both = threading.Barrier(2)
        @pytest.mark.trio_thread
        @pytest.mark.parametrize("number", range(2))
        def test_it(number): both.wait(10)
    """)
    assert set(suite.run_subprocess(AT_ONCE).outcomes.values()) == {"passed"}


def test_a_limit_counts_while_a_set_up_waits_for_that_of_another_test(suite: Suite) -> None:
    suite.write(
        "conftest.py",
        """
        failed = []
        def pytest_runtest_logreport(report):
            if report.failed:
                failed.append(report.nodeid)
        """,
    )
    suite.tests("""
        from conftest import failed
        @pytest.fixture(scope="session")
        async def wide():
            with trio.fail_after(10):
                while not failed:
                    await trio.sleep(0.01)
        async def test_patient(wide): pass
        @pytest.mark.trio(timeout=0.1)
        async def test_limited(wide): pass
    """)
    result = suite.run_subprocess(AT_ONCE)
    assert result.outcomes == {"test_patient": "passed", "test_limited": "error"}


def test_ctrl_c_interrupts_all_and_tears_all_down(suite: Suite) -> None:
    suite.tests("""
        begun = []
        @pytest.fixture
        async def around(request):
            yield
            trace(f"tear-down of {request.node.name}")
        @pytest.mark.parametrize("number", range(3))
        async def test_it(around, number):
            begun.append(number)
            if len(begun) == 3:
                trace("all wait")
            await trio.sleep_forever()
    """)
    process = suite.start(AT_ONCE)
    suite.wait_for_trace("all wait")
    suite.interrupt(process)
    result = suite.finish(process)
    assert result.exit_code == 2
    assert sorted(result.trace[1:]) == [f"tear-down of test_it[{number}]" for number in range(3)]


def test_the_reference_has_every_option_ini_value_and_mark() -> None:
    from test_settings import RecordingParser

    from pytest_trio_scoped._settings import add_options

    options, inis, marks = (
        {name for row in re.findall(r"^\| (`.*?) \|", part, re.MULTILINE) for name in _names(row)}
        for part in REFERENCE.split("\n## ")[1:]
    )
    parser = RecordingParser()
    add_options(parser)  # type: ignore[arg-type]
    assert options == {name.partition("=")[0] for names in parser.options for name in names.split()}
    assert inis == set(parser.ini)
    source = Path(plugin.__file__).read_text(encoding="utf-8")
    assert marks == set(re.findall(r'^    "(trio\w*)[(:]', source, re.MULTILINE))


def _names(row: str) -> list[str]:
    return re.findall(r"`(-?-?[\w-]+)", row)


def test_all_others_stand_still_at_the_prompt(suite: Suite) -> None:
    suite.tests("""
        is_at_prompt = False
        async def test_debugged():
            global is_at_prompt
            is_at_prompt = True
            breakpoint()
            is_at_prompt = False
            await trio.sleep(0)
        async def test_other():
            for _ in range(10):
                assert not is_at_prompt
                await trio.sleep(0)
    """)
    result = suite.run_subprocess(AT_ONCE, stdin="p 6 * 7\nc\n")
    assert set(result.outcomes.values()) == {"passed"}, result.output
    assert "(Pdb) 42" in result.output
