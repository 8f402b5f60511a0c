"""Context variables of fixtures that are set up at the same time, as if it had been in the declared order."""

from __future__ import annotations

from concurrent_suites import ok, run, run_in_any_order
from harness import Suite

PRELUDE = """
from contextvars import ContextVar
from trio.testing import wait_all_tasks_blocked

v = ContextVar("v", default="none")
w = ContextVar("w", default="none")

async def turns(count):
    for _ in range(count):
        await wait_all_tasks_blocked()
"""


def test_the_last_declared_wins_whoever_is_first(suite: Suite) -> None:
    trace = run_in_any_order(
        suite,
        PRELUDE
        + """
@pytest.fixture
async def a():
    await meet("up", 3)
    await turns(2)
    token = v.set("a")
    yield
    await turns(2)
    trace(f"a down: {v.get()}")
    v.reset(token)

@pytest.fixture
async def b():
    await meet("up", 3)
    token = v.set("b")
    yield
    trace(f"b down: {v.get()}")
    v.reset(token)

@pytest.fixture
async def c():
    await meet("up", 3)
    w.set("c")

@pytest.fixture
def sync(b): return v.get(), w.get()

def test_it(a, b, c, sync): trace((v.get(), w.get(), sync))
def test_after(): trace((v.get(), w.get()))
async def test_reverse(b, a, c): trace((v.get(), w.get()))
def test_end(): trace((v.get(), w.get()))
""",
    )
    assert trace == [
        "('b', 'c', ('b', 'c'))",
        "b down: b",
        "a down: a",
        "('none', 'none')",
        "('a', 'c')",
        "b down: b",
        "a down: a",
        "('none', 'none')",
    ]


def test_a_fixture_sees_what_those_have_set_that_it_depends_on(suite: Suite) -> None:
    trace = run_in_any_order(
        suite,
        PRELUDE
        + """
@pytest.fixture
async def earlier(): v.set("earlier")

@pytest.fixture
def sync(earlier): pass

@pytest.fixture
async def a(): v.set("a")

@pytest.fixture
async def b(a): w.set("b")

@pytest.fixture
async def c():
    await turns(3)
    v.set("c")

@pytest.fixture
async def seen_by_sibling():
    await turns(5)
    return v.get(), w.get()

@pytest.fixture
async def seen_below_b(b): return v.get(), w.get()

@pytest.fixture
async def seen_below_both(c, b):
    yield v.get(), w.get()
    trace(("down", v.get(), w.get()))

@pytest.fixture
async def asker(request):
    before = v.get(), w.get()
    request.getfixturevalue("b")
    await turns(1)
    return before, (v.get(), w.get())

@pytest.fixture
async def late_asker(request):
    await turns(4)
    request.getfixturevalue("b")
    return v.get(), w.get()

async def test_it(sync, a, b, c, seen_by_sibling, seen_below_b, seen_below_both, asker, late_asker):
    trace(seen_by_sibling)
    trace(seen_below_b)
    trace(seen_below_both)
    trace(asker)
    trace(late_asker)
    trace((v.get(), w.get()))
async def test_end(): trace((v.get(), w.get()))
""",
    )
    assert trace == [
        "('earlier', 'none')",
        "('a', 'b')",
        "('c', 'b')",
        "(('earlier', 'none'), ('a', 'b'))",
        "('a', 'b')",
        "('c', 'b')",
        "('down', 'c', 'b')",
        "('none', 'none')",
    ]


def test_what_is_asked_for_late_keeps_what_it_has_set_for_its_own_scope(suite: Suite) -> None:
    trace = run_in_any_order(
        suite,
        PRELUDE
        + """
@pytest.fixture(scope="module")
async def wide():
    token = v.set("wide")
    yield
    trace(f"wide down: {v.get()}")
    v.reset(token)

@pytest.fixture(scope="module")
async def top(wide):
    token = v.set("top")
    yield
    v.reset(token)

@pytest.fixture(scope="module")
def sync_wide():
    token = w.set("sync")
    yield
    trace(f"sync down: {w.get()}")
    w.reset(token)

@pytest.fixture
async def a(request):
    request.getfixturevalue("top")
    request.getfixturevalue("sync_wide")
    await turns(1)
    return v.get(), w.get()

@pytest.fixture
async def b():
    await turns(2)
    return v.get(), w.get()

async def test_it(a, b): trace((a, b, v.get(), w.get()))
async def test_next(): trace((v.get(), w.get()))
""",
    )
    assert trace == [
        "(('top', 'sync'), ('none', 'none'), 'top', 'sync')",
        "('top', 'sync')",
        "sync down: sync",
        "wide down: wide",
    ]


def test_of_one_that_failed_nothing_is_left(suite: Suite) -> None:
    result = run(
        suite,
        PRELUDE
        + """
@pytest.fixture(scope="module")
async def a(): v.set("a")

@pytest.fixture(scope="module")
async def b():
    w.set("b")
    try:
        await trio.sleep_forever()
    finally:
        w.set("finally b")

@pytest.fixture
async def c():
    w.set("c")
    await turns(2)
    raise ValueError

async def test_it(a, b, c): pass
def test_next(): trace((v.get(), w.get()))
""",
    )
    assert result.outcomes == {"test_it": "error", "test_next": "passed"}
    assert result.trace == ["('a', 'none')"]


def test_with_a_new_parameter_nothing_of_the_former_one_is_left(suite: Suite) -> None:
    """What is torn down then is not what was set up last."""
    suite.write(
        "test_later.py",
        """
        from test_it import v, w
        from trace import trace

        def test_it(): trace((v.get(), w.get()))
        """,
    )
    result = run(
        suite,
        PRELUDE
        + """
@pytest.fixture(scope="module", params=["p", "q"])
async def a(request): v.set(request.param)

@pytest.fixture(scope="module")
async def b():
    v.set("b")
    w.set("b")

def test_it(a, b): trace((v.get(), w.get()))
""",
    )
    assert ok(result) == ["('b', 'b')", "('q', 'b')", "('none', 'none')"]


def test_what_is_asked_for_late_sees_what_those_have_set_that_it_takes(suite: Suite) -> None:
    trace = run_in_any_order(
        suite,
        PRELUDE
        + """
@pytest.fixture
async def slow():
    await turns(2)
    v.set("slow")

@pytest.fixture
async def quick():
    w.set("quick")

@pytest.fixture
def sync_late(slow, quick): return v.get(), w.get()

@pytest.fixture
async def late(slow, quick): return v.get(), w.get()

@pytest.fixture
async def a(request):
    await turns(1)
    return request.getfixturevalue("sync_late")

@pytest.fixture
async def b(request):
    await turns(1)
    return request.getfixturevalue("late")

async def test_it(a, b, slow, quick): trace((a, b))
""",
    )
    assert trace == ["(('slow', 'quick'), ('slow', 'quick'))"]
