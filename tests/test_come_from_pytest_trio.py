"""What the page on coming from pytest-trio says of both plugins, and that it leaves no name out."""

from __future__ import annotations

import ast
import importlib.metadata
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness import Suite

from pytest_trio_scoped._migrate_names import MODULES

PAGE = Path(__file__).parent.parent / "docs" / "how-to" / "come-from-pytest-trio.md"
TEXT = re.sub(r"^```.*?^```", "", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
#: What stands in code style, and its parts.
CODE = re.findall(r"`([^`]+)`", TEXT)
WORDS = {word for code in CODE for word in [code, *re.findall(r"\w+", code)]}

#: What pytest-trio 0.8.0 has, for where it is not installed.
NAMES = {
    *("trio_fixture", "__version__", "nursery", "mock_clock", "autojump_clock", "automark"),
    *("choose_run", "canary", "handle_fixture", "TrioFixture", "TrioTestContext"),
    *("NURSERY_FIXTURE_PLACEHOLDER", "pytest_addoption", "pytest_configure"),
    *("pytest_collection_modifyitems", "pytest_fixture_setup", "pytest_runtest_call"),
    *("trio_mode", "trio_run", "trio"),
}


def trees_of_pytest_trio() -> Iterator[ast.Module]:
    """Yield its modules unimported: that would change Trio's scheduling for this process."""
    try:
        files = importlib.metadata.files("pytest-trio") or []
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("pytest-trio is not installed; .ci/run installs it for its other runs")
    for file in files:
        if len(file.parts) == 2 and file.parts[0] == "pytest_trio" and file.suffix == ".py":
            yield ast.parse(Path(str(file.locate())).read_text(encoding="utf-8"))


def names_of(tree: ast.Module) -> Iterator[str]:
    """Yield the names a module defines or exports, of hooks and fixtures, ini values and marks."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Assign):
            yield from (target.id for target in node.targets if isinstance(target, ast.Name))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            texts = [arg.value for arg in node.args if isinstance(arg, ast.Constant)]
            if node.func.attr in {"addini", "addoption"}:
                yield texts[0]
            elif node.func.attr == "addinivalue_line":
                yield re.split(r"\W", texts[1])[0]


def is_public(name: str) -> bool:
    return not name.startswith("_") or name == "__version__"


def test_the_page_has_every_name() -> None:
    assert sorted((NAMES | set(MODULES)) - WORDS) == []


def test_the_names_are_those_of_the_pytest_trio_that_is_installed() -> None:
    found = {name for tree in trees_of_pytest_trio() for name in names_of(tree)}
    assert {name for name in found if is_public(name)} - {"__all__"} == NAMES - {"__version__"} | (
        found & {"__version__"}
    )


#: Tests by name, and how they end: under pytest-trio, and here.  Each is a row of the page's table.
DIFFERENT = {
    "test_sync_test": ("error", "passed"),
    "test_wide_fixture": ("error", "passed"),
    "test_getfixturevalue": ("failed", "passed"),
    "test_usefixtures": ("failed", "passed"),
    "TestClass::test_autouse": ("failed", "passed"),
    "TestClass::test_self": ("failed", "passed"),
    "test_order": ("failed", "passed"),
    "test_set_up_fails": ("failed", "error"),
    "test_two_clocks": ("failed", "error"),
    "test_two_yields": ("failed", "error"),
    "test_given": ("failed", "passed"),
    "test_before_run": ("passed", "failed"),
    "test_one_loop[a]": ("passed", "passed"),
    "test_one_loop[b]": ("failed", "passed"),
    "test_raises": ("failed", "failed"),
    "test_crash": ("failed", "failed"),
    "test_silent": ("failed", "failed"),
    "test_after_crashes": ("passed", "passed"),
    "test_skip_in_nursery": ("skipped", "skipped"),
    "test_variable": ("passed", "passed"),
}

SUITE = """
    import contextvars
    from hypothesis import HealthCheck, given, settings, strategies as st
    import pytest, trio

    log = []
    variable = contextvars.ContextVar("variable", default=0)

    @pytest.fixture
    async def one():
        log.append("one")
        return 1
    def test_sync_test(one): assert one == 1

    @pytest.fixture(scope="session")
    async def wide(): return 1
    async def test_wide_fixture(wide): assert wide == 1

    async def test_getfixturevalue(request): assert request.getfixturevalue("one") == 1

    @pytest.fixture
    async def used(): log.append("used")
    @pytest.mark.usefixtures("used")
    async def test_usefixtures(): assert "used" in log

    class TestClass:
        @pytest.fixture(autouse=True)
        async def auto(self): log.append("auto")
        @pytest.fixture
        async def own(self): self.value = 1
        async def test_autouse(self): assert "auto" in log
        async def test_self(self, own): assert self.value == 1

    @pytest.fixture
    async def first(): log.append("first")
    @pytest.fixture
    def second(): log.append("second")
    async def test_order(first, second): assert log[-2:] == ["first", "second"]

    @pytest.fixture
    async def broken(): raise ValueError
    async def test_set_up_fails(broken): pass

    async def test_two_clocks(mock_clock, autojump_clock): pass

    @pytest.fixture
    async def twice():
        yield 1
        yield 2
    async def test_two_yields(twice): pass

    @pytest.fixture
    async def counted(): log.append("counted")
    @given(x=st.integers())
    @settings(max_examples=3, suppress_health_check=list(HealthCheck), database=None)
    async def test_given(counted, x): assert log.count("counted") == 1

    class Instrument(trio.abc.Instrument):
        def before_run(self): log.append("before_run")
    @pytest.fixture
    def instrument(): return Instrument()
    async def test_before_run(instrument): assert "before_run" in log

    @pytest.mark.parametrize("x", ["a", "b"])
    async def test_one_loop(x):
        log.append(trio.lowlevel.current_trio_token())
        assert x == "a" or log[-1] is log[-2]

    async def test_raises(): raise ValueError("raised")

    async def fail(): raise KeyError("background")
    @pytest.fixture
    async def crashing(nursery):
        nursery.start_soon(fail)
        try:
            yield
        except trio.Cancelled:
            log.append("cancelled")
            raise
    async def test_crash(crashing): await trio.sleep_forever()

    @pytest.fixture
    async def silent():
        with trio.CancelScope() as cancel_scope:
            cancel_scope.cancel()
            try:
                yield
            except trio.Cancelled:
                log.append("cancelled")
                raise
    async def test_silent(silent): await trio.sleep_forever()
    def test_after_crashes(): assert log.count("cancelled") == 2

    async def skip(): pytest.skip("in a nursery")
    async def test_skip_in_nursery():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(skip)

    @pytest.fixture
    async def sets(): variable.set(1)
    async def test_variable(sets): assert variable.get() == 1
"""


def test_what_is_different_here(suite: Suite) -> None:
    suite.tests(SUITE, prelude=False)
    result = suite.run("-rA", "--tb=line")
    assert result.outcomes == {name: here for name, (_, here) in DIFFERENT.items()}, result.output
    assert "ValueError: raised" in result.output
    assert "ExceptionGroup" not in result.output


def test_what_is_different_under_pytest_trio(suite: Suite) -> None:
    next(trees_of_pytest_trio())
    suite.tests(SUITE, prelude=False)
    result = suite.run_subprocess(
        "-p", "no:trio_scoped", "-p", "trio", "-W", "default", "-rA", "--tb=line"
    )
    assert result.outcomes == {name: there for name, (there, _) in DIFFERENT.items()}, result.output
    assert "ValueError('raised') [single exception in ExceptionGroup]" in result.output
