"""Finalizers that have done their work are removed, and nothing else is."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
from harness import Suite

from pytest_trio_scoped._pytest_names import finishers_of_node, finishers_with, withdraw_finisher

OFF = ("-p", "no:trio_scoped_finalizers")

every_kind = pytest.mark.parametrize("define", ["def", "async def"], ids=["sync", "async"])

#: Traces after each test how many finalizers pytest keeps on fixtures and nodes.
_COUNT = """
    import pytest
    from trace import trace

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(item):
        yield
        known = [each._fixtureinfo.name2fixturedefs.values() for each in item.session.items]
        fixtures = {each for found in known for several in found for each in several}
        on_fixtures = sum(len(each._finalizers) for each in fixtures)
        nodes = item.session._setupstate.stack
        trace(f"{on_fixtures} {sum(len(finalizers) for finalizers, _ in nodes.values())}")
        return True
"""


def counts(suite: Suite, *arguments: str, conftest: str = "") -> list[str]:
    """Run the suite, and return what was counted after each test but the last one, which ends it all."""
    (suite.path / "trace.txt").unlink(missing_ok=True)
    suite.write("conftest.py", _COUNT + conftest)
    result = suite.run(*arguments)
    assert result.exit_code == 0, result.output
    return result.trace[:-1]


def check_flat(suite: Suite, conftest: str = "") -> None:
    """Check that there is as much after each test, and would be more and more without the removal."""
    found = counts(suite, conftest=conftest)
    assert len(found) > 3
    assert len(set(found)) == 1
    kept = counts(suite, *OFF, conftest=conftest)
    assert len(set(kept)) == len(found)


# -------------------------------------------------------------------- what is removed


@every_kind
def test_five_fixtures_of_each_test_on_a_session_fixture(suite: Suite, define: str) -> None:
    suite.tests(
        f"""
        @pytest.fixture(scope="session")
        {define} wide():
            yield

        @pytest.fixture
        {define} a(wide): yield

        @pytest.fixture
        {define} b(wide, a): return 1

        @pytest.fixture
        {define} c(b, wide, request): request.addfinalizer(lambda: None)

        @pytest.fixture
        {define} d(request, wide): return request.getfixturevalue("c")

        @pytest.fixture
        def e(wide, d): yield

        @pytest.mark.parametrize("number", range(20))
        {define} test_it(a, b, c, d, e, number): pass
        """
    )
    check_flat(suite)


@every_kind
def test_wide_fixtures_on_wider_ones(suite: Suite, define: str) -> None:
    suite.tests(
        f"""
        @pytest.fixture(scope="session")
        {define} top(): yield

        @pytest.fixture(scope="module")
        {define} middle(top): yield

        @pytest.fixture(scope="class")
        {define} bottom(middle, top): yield

        class Tests:
            {define} test_it(self, bottom): pass

        TestA, TestB, TestC, TestD, TestE = (type("Test", (Tests,), {{}}) for _ in range(5))
        """
    )
    check_flat(suite)


@every_kind
def test_a_session_fixture_that_gets_one_parameter_after_the_other(
    suite: Suite, define: str
) -> None:
    suite.tests(
        f"""
        @pytest.fixture(scope="session")
        {define} top(): yield

        @pytest.fixture(scope="session")
        {define} wide(request, top): yield

        @pytest.fixture(scope="session")
        {define} on_wide(wide): yield

        @pytest.fixture(scope="session")
        {define} alone(request): return request.param

        @pytest.mark.parametrize("wide, alone", [(n, n) for n in range(10)], indirect=True)
        {define} test_it(on_wide, wide, alone): pass
        """
    )
    check_flat(suite)


@every_kind
def test_a_function_fixture_whose_parameter_has_a_wider_scope(suite: Suite, define: str) -> None:
    suite.tests(
        f"""
        @pytest.fixture
        {define} narrow(request): yield

        @pytest.fixture
        {define} on_narrow(narrow): yield

        @pytest.mark.parametrize("narrow", [1], indirect=True, scope="session")
        @pytest.mark.parametrize("number", range(10))
        {define} test_it(on_narrow, number): pass
        """
    )
    check_flat(suite)


@every_kind
def test_a_fixture_that_has_the_name_of_what_it_asks_for(suite: Suite, define: str) -> None:
    suite.tests(
        f"""
        @pytest.fixture(scope="session", name="base")
        {define} base_of_all(): yield

        class TestIt:
            @pytest.fixture
            {define} base(self, base): yield

            @pytest.mark.parametrize("number", range(10))
            {define} test_it(self, base, number): pass
        """
    )
    check_flat(suite)


@every_kind
def test_set_ups_and_tear_downs_that_fail(suite: Suite, define: str) -> None:
    suite.tests(
        f"""
        @pytest.fixture(scope="session")
        {define} wide(): yield

        @pytest.fixture
        {define} fails(wide): raise ValueError

        @pytest.fixture
        {define} fails_late(wide):
            yield
            raise ValueError

        @pytest.fixture
        {define} skips(wide): pytest.skip("no")

        @pytest.mark.parametrize("number", range(5))
        @pytest.mark.parametrize("name", ["fails", "fails_late", "skips"])
        {define} test_it(request, number, name): request.getfixturevalue(name)
        """
    )
    suite.write("conftest.py", _COUNT)
    result = suite.run()
    assert sorted(set(result.phases.values())) == [
        "passed failed passed",
        "passed passed failed",
        "passed skipped passed",
    ]
    assert len(set(result.trace[:-1])) == 1


def test_fixtures_that_a_plugin_sets_up_itself(suite: Suite) -> None:
    suite.tests(
        """
        @pytest.fixture(scope="session")
        def wide(): yield

        @pytest.fixture
        def narrow(wide): raise AssertionError

        @pytest.mark.parametrize("number", range(10))
        def test_it(narrow, number): pass
        """
    )
    conftest = """
    @pytest.hookimpl(tryfirst=True)
    def pytest_fixture_setup(fixturedef):
        if fixturedef.argname == "narrow":
            fixturedef.cached_result = (1, None, None)
            return 1
    """
    check_flat(suite, conftest)


def test_crashes_that_end_fixtures_early(suite: Suite) -> None:
    suite.tests(
        """
        @pytest.fixture(scope="session")
        async def wide():
            async with trio.open_nursery() as nursery:
                yield nursery

        @pytest.fixture
        async def crashes(wide):
            async with trio.open_nursery() as nursery:
                yield nursery

        @pytest.fixture
        async def on_crashes(crashes, wide):
            yield

        async def fail(): raise ValueError

        @pytest.mark.parametrize("number", range(10))
        @pytest.mark.xfail(raises=ValueError, strict=True)
        async def test_it(on_crashes, crashes, number):
            crashes.start_soon(fail)
            await trio.sleep_forever()
        """
    )
    check_flat(suite)


@every_kind
def test_no_request_of_a_test_outlives_it(suite: Suite, define: str) -> None:
    suite.tests(
        f"""
        import gc

        @pytest.fixture(scope="session")
        {define} wide(): yield

        {define} test_first(wide, tmp_path_factory): pass

        @pytest.fixture
        {define} a(wide, tmp_path): yield

        @pytest.fixture
        {define} late(request, wide): return request.getfixturevalue("a")

        @pytest.mark.parametrize("number", range(10))
        {define} test_it(late, number): pass

        def test_look(request):
            gc.collect()
            found = [each for each in gc.get_objects() if isinstance(each, pytest.FixtureRequest)]
            trace(sorted(repr(each) for each in found))
        """
    )
    # In a process of its own: pytester keeps the arguments of all hooks.
    result = suite.run_subprocess()
    expected = (
        "['<FixtureRequest for <Function test_first>>', '<FixtureRequest for <Function test_look>>', "
        "\"<SubRequest 'tmp_path_factory' for <Function test_first>>\", "
        "\"<SubRequest 'wide' for <Function test_first>>\"]"
    )
    assert result.trace == [expected]


# -------------------------------------------------------------------- what is not


@every_kind
def test_who_depends_on_another_fixture_by_now_is_left_alone(suite: Suite, define: str) -> None:
    # The one case in which a spent finalizer of pytest's does something, and that is wrong.
    suite.write(
        "conftest.py",
        f"""
        import pytest
        from trace import trace

        def pytest_collection_modifyitems(items):
            items.sort(key=lambda item: "abcd".index(item.name[5]))

        @pytest.fixture(scope="session")
        {define} base(request):
            yield
            trace(f"-base{{request.param}}")

        @pytest.fixture(scope="module")
        {define} on_base(base):
            yield
            trace("-on_base")
        """,
    )
    suite.write(
        "test_a.py",
        f"""
        import pytest

        @pytest.mark.parametrize("base", [1], indirect=True)
        {define} test_a(on_base): pass
        """,
    )
    suite.write(
        "test_b.py",
        f"""
        import pytest
        from trace import trace

        pytestmark = pytest.mark.filterwarnings("ignore:.*instance method")

        class TestIt:
            @pytest.fixture(scope="session")
            {define} base(self): pass

            {define} test_b(self, on_base): trace("test_b")
            {define} test_d(self, on_base): trace("test_d")

        @pytest.mark.parametrize("base", [2], indirect=True)
        {define} test_c(base): trace("test_c")
        """,
    )
    suite.ini(trio_mode=define != "def")
    expected = ["-on_base", "test_b", "-base1", "test_c", "test_d", "-on_base", "-base2"]
    assert suite.run().trace == expected
    (suite.path / "trace.txt").unlink()
    stock = suite.run(*OFF).trace
    assert stock == ["-on_base", "test_b", "-on_base", "-base1", *expected[3:]]


class _Fixture:
    """As much of a fixture's definition as counts here."""

    def __init__(self, *argnames: str, finalizers: object = None) -> None:
        self.argnames = argnames
        self._finalizers = finalizers

    def finish(self, request: object) -> None: ...


class _EqualsEverything:
    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = None  # type: ignore[assignment]

    def __call__(self) -> None: ...


def test_of_all_finalizers_only_the_own_one_is_withdrawn() -> None:
    request, other = SimpleNamespace(), SimpleNamespace()
    fixture: Any = _Fixture()
    others: list[Callable[[], object]] = [
        _EqualsEverything(),
        partial(fixture.finish, request=other),
        partial(_Fixture().finish, request=request),
        partial(print, request=request),
        partial(fixture.finish, request),
        lambda: fixture.finish(request),
        fixture.finish,
    ]
    own = partial(fixture.finish, request=request)
    first, middle, last = [own, *others], [*others[:3], own, *others[3:]], [*others, own]
    withdraw_finisher(fixture, request, [first, middle, last, others])  # type: ignore[arg-type]
    for found in (first, middle, last):
        assert [id(each) for each in found] == [id(each) for each in others]


def test_only_fixtures_that_outlive_a_test_are_looked_at() -> None:
    request = SimpleNamespace()
    fixture: Any = _Fixture("wide", "narrow", "unknown", "request")
    finishers = [partial(fixture.finish, request=request)]
    wide, narrow = _Fixture(finalizers=finishers), _Fixture(finalizers=[*finishers])
    request._fixture_defs = {"wide": wide, "narrow": narrow}
    (found,) = finishers_with(fixture, request, {wide})  # type: ignore[arg-type]
    assert found is finishers


# -------------------------------------------------------------------- where pytest keeps them otherwise


@pytest.mark.parametrize(
    "keep",
    [
        lambda finisher: deque([finisher]),
        lambda finisher: {1: finisher},
        lambda _: [],
        lambda finisher: [finisher.__call__],
        lambda finisher: [partial(finisher.func, finisher.keywords["request"])],
        lambda finisher: [finisher, print],
    ],
    ids=[
        "in a deque",
        "in a dict",
        "not",
        "as a function",
        "as another partial",
        "not as the last",
    ],
)
def test_unknown_ways_to_keep_finalizers_are_left_alone(keep: Callable[[Any], Any]) -> None:
    request = SimpleNamespace()
    fixture: Any = _Fixture("wide")
    wide = _Fixture(finalizers=keep(partial(fixture.finish, request=request)))
    request._fixture_defs = {"wide": wide}
    assert finishers_with(fixture, request, {wide}) == []  # type: ignore[arg-type]


def test_unknown_ways_to_know_fixtures_are_left_alone() -> None:
    fixture: Any = _Fixture("wide")
    wide: Any = _Fixture()
    del wide._finalizers
    request: Any = SimpleNamespace(_fixture_defs={"wide": wide})
    assert finishers_with(fixture, request, {wide}) == []
    del request._fixture_defs
    assert finishers_with(fixture, request, {wide}) == []


@pytest.mark.parametrize(
    "session",
    [
        SimpleNamespace(),
        SimpleNamespace(_setupstate=SimpleNamespace()),
        SimpleNamespace(_setupstate=SimpleNamespace(stack={})),
        SimpleNamespace(_setupstate=SimpleNamespace(stack={"node": None})),
        SimpleNamespace(_setupstate=SimpleNamespace(stack={"node": ()})),
        SimpleNamespace(_setupstate=SimpleNamespace(stack={"node": ({}, None)})),
        SimpleNamespace(_setupstate=SimpleNamespace(stack=["node"])),
    ],
    ids=str,
)
def test_unknown_ways_to_set_nodes_up_are_left_alone(session: object) -> None:
    request: Any = SimpleNamespace(session=session, node="node")
    assert finishers_of_node(request) == []


_OTHER_PYTEST = """
    import collections, pytest
    from _pytest.runner import SetupState

    original = pytest.FixtureDef.__init__

    def with_deque(self, *args, **kwargs):
        original(self, *args, **kwargs)
        self._finalizers = collections.deque()

    def with_functions(self, finalizer):
        self._finalizers.append(lambda: finalizer())
"""


@pytest.mark.parametrize(
    "change", ["__init__ = with_deque", "addfinalizer = with_functions"], ids=["deque", "functions"]
)
@every_kind
def test_a_pytest_that_keeps_them_otherwise_works_as_without_the_removal(
    suite: Suite, change: str, define: str
) -> None:
    suite.write("conftest.py", f"{_OTHER_PYTEST}\n    pytest.FixtureDef.{change}\n")
    suite.tests(
        f"""
        @pytest.fixture(scope="session", params=[1, 2])
        {define} wide(request):
            yield request.param
            trace(f"-wide{{request.param}}")

        @pytest.fixture(scope="module")
        {define} middle(wide):
            yield
            trace("-middle")

        @pytest.fixture
        {define} narrow(wide, middle):
            yield
            trace("-narrow")

        {define} test_a(narrow): pass
        {define} test_b(middle): pass
        """
    )
    result = suite.run_subprocess()  # it changes a class of pytest's
    assert set(result.outcomes.values()) == {"passed"}, result.output
    assert result.trace == ["-narrow", "-middle", "-wide1", "-narrow", "-middle", "-wide2"]


# -------------------------------------------------------------------- and what this plugin keeps itself

_SIZES = """
    import gc, pytest, weakref
    from trace import trace

    def containers(owner, path, seen):
        if id(owner) in seen:
            return
        seen.add(id(owner))
        if isinstance(owner, weakref.WeakKeyDictionary):
            owner = dict(owner)
        if isinstance(owner, dict | list | set | frozenset | tuple):
            yield path, len(owner)
            members = [*owner.values(), *owner] if isinstance(owner, dict) else owner
            for member in members:
                yield from containers(member, f"{path}[]", seen)
        elif type(owner).__module__.startswith("pytest_trio_scoped") and not isinstance(owner, type):
            for name in dir(owner) if hasattr(type(owner), "__slots__") else vars(owner):
                yield from containers(getattr(owner, name), f"{path}.{name}", seen)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(item):
        yield
        seen = set()
        sizes = {}
        for plugin in item.config.pluginmanager.get_plugins():
            for path, size in containers(plugin, type(plugin).__name__, seen):
                sizes[path] = sizes.get(path, 0) + size
        trace(dict(sorted(sizes.items())))
        return True
"""


def test_no_entry_of_a_test_is_kept(suite: Suite) -> None:
    tests = "\n".join(
        f"""
@pytest.mark.parametrize("x", [1])
async def test_{number}(gen, late, outside, x, request, mock_clock): request.getfixturevalue("other")
@pytest.mark.parametrize("x", [1])
def test_sync_{number}(gen, late, outside, x, nursery): pass
"""
        for number in range(8)
    )
    suite.write("conftest.py", _SIZES)
    suite.tests(
        """
        import contextvars

        variable = contextvars.ContextVar("variable")

        @pytest.fixture(scope="session")
        async def wide(): yield

        @pytest.fixture(scope="module")
        async def middle(wide, nursery): return 1

        @pytest.fixture
        async def gen(wide, middle, request):
            request.addfinalizer(lambda: None)
            variable.set(1)
            yield

        @pytest.fixture
        async def late(request, nursery): return request.getfixturevalue("gen")

        @pytest.fixture
        async def other(gen): yield

        @pytest.fixture
        def outside(tmp_path): yield
        """
        + tests.replace("\n", "\n        ")
    )
    result = suite.run_subprocess("--trio-timeout=60")
    assert set(result.outcomes.values()) == {"passed"}, result.output
    assert "_direct" in result.trace[0]
    assert "'FinalizerHooks._wide': 0" in result.trace[-1]
    # The first tests set up what stays; the last one tears it down.
    asynchronous, sync = set(result.trace[2:-2:2]), set(result.trace[3:-1:2])
    assert (len(asynchronous), len(sync)) == (1, 1)


def test_the_last_finisher_stays_with_the_node(suite: Suite) -> None:
    # pytest-rerunfailures puts the finalizers of wide nodes aside and back, and counts on it.
    suite.write(
        "conftest.py",
        """
        import functools
        from trace import trace
        def pytest_fixture_post_finalizer(fixturedef, request):
            finalizers, _ = request.session._setupstate.stack.get(request.node, ([], None))
            kept = [each for each in finalizers if getattr(each, "func", None) == fixturedef.finish]
            trace(f"{fixturedef.argname} has {len(kept)}")
        """,
    )
    suite.tests("""
        @pytest.fixture(scope="module", params=[1, 2, 3])
        async def wide(request):
            yield
        async def test_a(wide): pass
    """)
    result = suite.run()
    assert set(result.outcomes.values()) == {"passed"}
    # At the end of the module its node is gone.
    assert result.trace == ["wide has 1", "wide has 1", "wide has 0"]
