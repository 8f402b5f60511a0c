"""Random suites run with many tests at once come to what they come to one test after the other.

With as many suites as in CI, or more of them with ``TRIO_SCOPED_SUITES=5000`` in the environment;
``parallel_suites.py`` is a script for thousands.  Seven of eight run on a clock that jumps when all tasks
wait, so that they take half as long.  What is compared and checked:

- the outcome of each phase of each test is the same, and so is what it raises in its tear-down;
- a tear-down of a wide fixture that fails is told of as often, by a test of its node: the last one to end;
- each fixture instance is live as long as whatever uses it, and ends with its node; there is one of each
  definition in each node at a time, so parameters take turns;
- an instance is set up as often.  Where tests of another node come in between those of its node, or of the
  node of a fixture it uses, one after the other it is set up for each stretch of them; at once it need not
  be, so up to that often;
- tests that are exclusive are alone, of a group there is one at a time, and in all at most as many as
  allowed;
- what a test and its own fixtures print, log and warn of is told as theirs, all of it;
- what is process-wide is as before, and nothing is left set up, claimed or kept.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from parallel_suites import Generator, Run, differences, problem_with, run

_COUNT = int(os.environ.get("TRIO_SCOPED_SUITES", "200"))
#: Others with each version of pytest.
_FIRST = 100_000 * pytest.version_tuple[0]
_AT_ONCE = 10


@pytest.fixture(autouse=True)
def _own_plugins_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")


@pytest.mark.parametrize("first", range(0, _COUNT, _AT_ONCE))
def test_comes_to_the_same(tmp_path: Path, first: int) -> None:
    for seed in range(_FIRST + first, _FIRST + min(first + _AT_ONCE, _COUNT)):
        problem = problem_with(seed, tmp_path / str(seed), runs=1)
        assert problem is None, problem


def test_a_seed_makes_one_suite() -> None:
    assert Generator(1).suite() == Generator(1).suite()
    assert Generator(1).suite() != Generator(2).suite()


# What is checked is found: each of these suites breaks one rule.

_HEAD = """
import pytest, trio
from parallel_lives import Broken, Life, pause, using

"""


def found_in(folder: Path, source: str, *, number: int = 3, other: str | None = None) -> list[str]:
    """Run a module, or another one than one test after the other; return what is found."""
    (folder / "pytest.ini").write_text("[pytest]\ntrio_mode = true\n")
    module = folder / "test_it.py"
    module.write_text(_HEAD + source)
    one = run(folder, 1)
    assert one.watcher.order, one.output
    module.write_text(_HEAD + (other or source))
    many: Run = run(folder, number)
    return differences(one, many)


_WIDE = """
@pytest.fixture(scope="module")
async def wide(request):
    life = Life("wide", request, [])
    yield life
    life.begin_end()
    life.end(fails=False)

"""


def test_nothing_is_found_in_what_is_right(tmp_path: Path) -> None:
    source = """
async def test_a(request, wide):
    with using(request, wide):
        await pause(3)
async def test_b(request, wide):
    with using(request, wide):
        await pause(3)
"""
    assert found_in(tmp_path, _WIDE + source) == []


def test_another_outcome_is_found(tmp_path: Path) -> None:
    good, bad = ["def test_a(request):\n    with using(request): ", ""][0], "assert 0"
    assert found_in(tmp_path, good + "pass", other=good + bad) == [
        "exit code 0 became 1",
        "test_it.py::test_a: ['passed', 'passed', 'passed'] became ['passed', 'failed', 'passed']",
    ]


def test_another_number_of_set_ups_is_found(tmp_path: Path) -> None:
    test = "def test_a(request, wide):\n    with using(request, wide): pass\n"
    twice = _WIDE.replace(
        "    yield", "    life.end(fails=False)\n    life = life.again()\n    yield"
    )
    twice = twice.replace("life.again()", "Life('wide', request, [])")
    assert found_in(tmp_path, _WIDE + test, other=twice + test) == [
        "('wide', 'Module test_it.py', 'None'): 1 set-ups became 2"
    ]


def test_what_ends_with_a_fixture_that_it_uses_may_be_set_up_less_often(tmp_path: Path) -> None:
    """One of scope "package" in a module is the session's, and ends with the package all the same."""
    packages = """
@pytest.fixture(scope="package")
def mine(request):
    life = Life("mine", request, [])
    request.addfinalizer(lambda: life.end_at_once(fails=False))
    return life
"""
    module = """
@pytest.fixture(scope="package")
def above(request, mine):
    life = Life("above NAME", request, [mine])
    request.addfinalizer(lambda: life.end_at_once(fails=False))
    return life
@pytest.mark.parametrize("value", [0, 1], scope="session")
def test_it(request, value, above):
    with using(request, above): pass
"""
    (tmp_path / "pytest.ini").write_text("[pytest]\ntrio_mode = true\n")
    for name in "ab":
        folder = tmp_path / name
        folder.mkdir()
        (folder / "__init__.py").touch()
        (folder / "conftest.py").write_text(_HEAD + packages)
        (folder / f"test_{name}.py").write_text(_HEAD + module.replace("NAME", name))
    one, many = run(tmp_path, 1), run(tmp_path, 4)
    assert list(one.record.set_ups.values()) == [2, 2, 2, 2]
    assert list(many.record.set_ups.values()) == [1, 1, 1, 1]
    assert differences(one, many) == []


def test_use_of_what_is_torn_down_is_found(tmp_path: Path) -> None:
    source = """
@pytest.fixture
def narrow(request):
    life = Life("narrow", request, [])
    life.end(fails=False)
    return life
def test_a(request, narrow):
    with using(request, narrow): pass
"""
    life = "<narrow None in Function test_it.py::test_a>"
    found = [
        f"test_it.py::test_a gets {life}, which is not live",
        f"test_it.py::test_a uses {life}, which is not live any more",
    ]
    assert found_in(tmp_path, source) == [f"one after the other: {each}" for each in found] + found


def test_what_is_said_in_the_name_of_another_test_is_found(tmp_path: Path) -> None:
    source = """
def test_a(request):
    with using(request): print("said by test_b")
"""
    told = "test_b said in Captured stdout call of test_it.py::test_a"
    assert found_in(tmp_path, source) == [f"one after the other: {told}", told]


def test_what_outlives_its_node_is_found(tmp_path: Path) -> None:
    source = """
def test_a(request):
    with using(request): Life("own", request, [])
"""
    told = "outlive Function test_it.py::test_a: ['<own None in Function test_it.py::test_a>']"
    assert found_in(tmp_path, source) == [f"one after the other: {told}", told]
