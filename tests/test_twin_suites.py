"""Random suites come to the same async under this plugin as sync under pytest alone.

With as many suites as in CI, or more of them with ``TRIO_SCOPED_TWINS=2000`` in the environment;
``TRIO_SCOPED_SEED`` chooses which.  ``twin_suites.py`` is a script for thousands, and says what is compared.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from sync_twin import without_async
from twin_generator import Generator
from twin_intended import INTENDED, Intended
from twin_parts import Case, Description, Fixture, Place
from twin_rendering import HEAD, Renderer, write
from twin_running import Runner
from twin_shrinking import shrink
from twin_suites import difference, problem_with
from twin_worker import without_sections

_COUNT = int(os.environ.get("TRIO_SCOPED_TWINS", "100"))
_AT_ONCE = 25
_PAGE = Path(__file__).parent.parent / "docs" / "explanation" / "the-same-as-pytest.md"


@pytest.fixture(scope="module")
def runner() -> Iterator[Runner]:
    with Runner() as runner:
        yield runner


@pytest.mark.parametrize("number", range(0, _COUNT, _AT_ONCE))
def test_comes_to_what_pytest_comes_to(runner: Runner, number: int) -> None:
    first = int(os.environ["TRIO_SCOPED_SEED"]) + number  # the head of the run tells it
    for seed in range(first, first + min(_AT_ONCE, _COUNT - number)):
        problem = problem_with(seed, runner)
        assert problem is None, problem


def test_a_seed_makes_one_suite() -> None:
    assert Generator(1).description() == Generator(1).description()
    assert Generator(1).description() != Generator(2).description()


def test_renderings_agree_line_by_line() -> None:
    for seed in range(20):
        suite = Generator(seed).description()
        sync = Renderer(lambda _key: False).files(suite, trio_mode=False)
        other = Renderer(lambda _key: True).files(suite, trio_mode=True)
        for name in sync.keys() - {"pytest.ini"}:
            text = without_async(other[name]).replace("hold()", "pause()")
            assert text == sync[name].replace("hold()", "pause()")


def test_most_of_what_is_described_happens(runner: Runner, tmp_path: Path) -> None:
    """A generator that goes wrong would find nothing."""
    outcomes = {"setup failed": 0, "call passed": 0, "call failed": 0, "teardown failed": 0}
    for seed in range(20):
        suite = Generator(seed).description()
        write(Renderer(lambda _key: True).files(suite, trio_mode=True), tmp_path / str(seed))
        lines = runner.run(tmp_path / str(seed), [[]], is_with_plugin=True)
        for line in lines:
            words = line.split()
            key = f"{words[0]} {words[-1]}" if words else ""
            if key in outcomes:
                outcomes[key] += 1
    assert outcomes["call passed"] > 50, outcomes
    assert all(outcomes.values()), outcomes


# What is different is found, and made small.


def _suite(*steps: str) -> Description:
    fixture = Fixture("conftest::f0", "f0", [], [], "module", kind="yield")
    cases = [
        Case("test_it::test_a", "test_a", ["f0"], [*steps, "WAIT"]),
        Case("test_it::test_b", "test_b", ["f0"], ["WAIT", "WAIT"]),
    ]
    return Description(
        [], [Place("conftest", [fixture])], [Place("test_it", cases=cases)], [], [[]]
    )


def test_a_suite_without_a_difference(runner: Runner) -> None:
    assert difference(_suite(), 0, runner) is None


@pytest.mark.parametrize(
    "step",
    [
        "trace(is_async)",
        "assert not is_async",
        "told(is_async)",
        "raise Broken(is_async)",
        "if is_async: raise Broken('more')",
        "try:\n    assert not is_async\nexcept AssertionError:\n    raise Broken from None\nraise Broken",
        "if is_async: request.addfinalizer(lambda: end('more'))",
    ],
)
def test_a_difference_is_found(runner: Runner, step: str) -> None:
    code = "is_async = bool(test_a.__code__.co_flags & 0x80)"
    found = difference(_suite(code, step), 0, runner)
    assert found is not None
    assert found.variant == "async"


def test_only_what_pytest_alone_shows_is_left_out_of_its_output() -> None:
    text = """\
= ERRORS =
_ ERROR at setup of TestIt.test_a _
frames of pytest
_ _ _ _ _
more frames
_ ERROR at setup of test_b _
frames of the suite
= FAILURES =
_ TestIt.test_a _
others
= short test summary info =
ERROR test_it.py::TestIt::test_a
"""
    left = without_sections(text, {"ERROR at setup of TestIt.test_a"})
    assert left == text.replace("frames of pytest\n_ _ _ _ _\nmore frames\n", "")


def test_a_suite_is_made_as_small_as_it_gets() -> None:
    suite = Generator(3).description()
    kept = next(code.key for code in suite.codes() if isinstance(code, Case))

    def has_it(smaller: Description) -> bool:
        return kept in [code.key for code in smaller.codes()]

    suite = shrink(suite, has_it)
    assert [code.key for code in suite.codes()] == [kept]
    assert suite.conftests == suite.packages == suite.ini == suite.runs == []
    assert [code.steps for code in suite.codes()] == [[]]


def test_a_suite_that_does_not_end_is_told_of(tmp_path: Path) -> None:
    write({"test_it.py": "import time\ndef test_a(): time.sleep(60)", "pytest.ini": ""}, tmp_path)
    with Runner(limit=3) as runner:
        lines = runner.run(tmp_path, [[]], is_with_plugin=False)
        assert lines[0] == "the process has ended with code 1"
        assert any("in test_a" in line for line in lines)
        write({"test_it.py": "def test_a(): pass"}, tmp_path)
        assert "exit code 0" in runner.run(tmp_path, [[]], is_with_plugin=False)


# What is meant to be different.


@pytest.mark.parametrize(
    "each", [each for each in INTENDED if each.source], ids=lambda each: each.name
)
def test_an_intended_difference_is_one(runner: Runner, tmp_path: Path, each: Intended) -> None:
    if pytest.version_tuple[0] not in each.majors:
        pytest.skip(f"pytest {pytest.version_tuple[0]} does what is done here")
    source = HEAD + each.source
    lines = {}
    for kind, text in {"sync": without_async(source), "ours": source}.items():
        mode = "trio_mode = true" if kind == "ours" else ""
        write({"test_it.py": text, "pytest.ini": f"[pytest]\n{mode}\n"}, tmp_path / kind)
        is_with_plugin = kind == "ours"
        lines[kind] = runner.run(
            tmp_path / kind, [[*each.arguments]], is_with_plugin=is_with_plugin
        )
    assert not each.sync or each.sync in lines["sync"]
    assert not each.ours or each.ours in lines["ours"]
    assert not each.sync or each.sync not in lines["ours"]
    assert not each.ours or each.ours not in lines["sync"]


@pytest.mark.parametrize("each", INTENDED, ids=lambda each: each.name)
def test_an_intended_difference_is_documented(each: Intended) -> None:
    assert f"**{each.name}.**" in _PAGE.read_text(encoding="utf-8")
