"""What the plan says happens in a run is what pytest does, set-up for set-up and tear-down for tear-down."""

from __future__ import annotations

import pytest
from harness import Suite
from plan_suites import SUITES

#: Writes down what is planned and what happens: when, which fixture, with which parameter, at which node.
_RECORDER = """
    import pytest
    from pytest_trio_scoped import FixturePlan
    from trace import trace

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtestloop(session):
        _plan(session)  # when items and names have been sorted
        return (yield)

    def _plan(session):
        is_planned = session.config.getini("trio_fixture_order") == "plan"
        for event in FixturePlan(session.items).trace(is_order_planned=is_planned):
            if event.instance is None:
                trace(f"planned test {event.item.nodeid}")
            else:
                param = event.instance.param_id is not None
                instance = event.instance
                trace(f"planned {event.what} {instance.name} {param} of {instance.node_id!r}")

    live = {}  # before pytest 9, the request of a tear-down may be that of the next set-up

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(fixturedef, request):
        result = yield
        param = hasattr(request, "param")
        live[fixturedef] = f"{request.fixturename} {param} of {request.node.nodeid!r}"
        trace(f"setup {live[fixturedef]}")
        return result

    def pytest_fixture_post_finalizer(fixturedef):
        if fixturedef in live:
            trace(f"teardown {live.pop(fixturedef)}")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_call(item):
        trace(f"test {item.nodeid}")
"""

#: Lets tests of all files take turns.
_ALTERNATING = """
    import itertools

    def pytest_collection_modifyitems(items):
        files = {}
        for item in items:
            files.setdefault(item.path, []).append(item)
        turns = itertools.zip_longest(*files.values())
        items[:] = [item for turn in turns for item in turn if item is not None]
"""
_BACKWARDS = """
    def pytest_collection_modifyitems(items):
        items.reverse()
"""


@pytest.mark.parametrize("order", ["pytest", "plan"])
@pytest.mark.parametrize("name", sorted(SUITES))
def test_a_run_is_as_planned(suite: Suite, name: str, order: str) -> None:
    suite.write("recorder.py", _RECORDER)
    suite.ini(trio_mode=False)
    for file, source in SUITES[name].items():
        suite.write(file, source)
    result = suite.run("-p", "recorder", "-o", f"trio_fixture_order={order}")
    assert set(result.outcomes.values()) == {"passed"}, result.output
    planned = [line[8:] for line in result.trace if line.startswith("planned ")]
    happened = [line for line in result.trace if not line.startswith("planned ")]
    assert planned == happened
    assert [line for line in happened if line.startswith("setup")]
    if order == "plan" and not any(" True of " in line for line in happened):
        assert _is_nested(happened)


@pytest.mark.parametrize("order", ["pytest", "plan"])
@pytest.mark.parametrize("moved", ["", _BACKWARDS, _ALTERNATING], ids=["as it is", "back", "turns"])
def test_directories_are_kept_as_planned(suite: Suite, moved: str, order: str) -> None:
    suite.write("recorder.py", _RECORDER + moved)
    suite.ini()
    suite.write(
        "conftest.py",
        """
        import pytest
        from pytest_trio_scoped import trio_fixture
        @trio_fixture(scope="directory", params=[1, 2])
        def d(): yield
        @trio_fixture(scope="directory", autouse=True)
        async def a(request): yield
        @pytest.fixture(scope="module")
        def m(): yield
        """,
    )
    suite.write("a/conftest.py", "def setup_directory(): pass\ndef teardown_directory(): pass")
    suite.write("a/__init__.py", "")
    test = "def test_a(d, m): pass\nclass TestA:\n    def test_b(self, m): pass\ndef test_c(): pass"
    for name in ("a/test_a.py", "a/b/test_b.py", "a/b/test_c.py", "c/test_d.py", "test_e.py"):
        suite.write(name, test)
    result = suite.run("-p", "recorder", "-o", f"trio_fixture_order={order}")
    assert set(result.outcomes.values()) == {"passed"}, result.output
    lines = [line.partition(" of ")[0] for line in result.trace]  # to pytest, it is the session's
    planned = [line[8:] for line in lines if line.startswith("planned ")]
    assert planned == [line for line in lines if not line.startswith("planned ")]


def _is_nested(happened: list[str]) -> bool:
    """Say whether what is set up last is torn down first, all through."""
    live: list[str] = []
    for line in happened:
        what, _, rest = line.partition(" ")
        if what == "setup":
            live.append(rest)
        elif what == "teardown" and live.pop() != rest:
            return False
    return not live
