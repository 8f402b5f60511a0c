"""Where async suites are meant to differ from their sync twins, so that the generator does not write it.

``docs/explanation/the-same-as-pytest.md`` gives the same list to users.
"""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Intended:
    """A difference; the name is that in the docs."""

    name: str
    why: str
    #: A test module that shows it, async; nothing where the difference is in what is printed only.
    source: str = ""
    #: Lines of what there is to compare: the sync twin has the first one, and the async suite the second.
    sync: str = ""
    ours: str = ""
    arguments: tuple[str, ...] = ()
    #: The versions of pytest that differ.
    majors: tuple[int, ...] = (8, 9)


INTENDED = (
    Intended(
        "Mistakes are found before the run",
        "All that is needed to see them is known then.",
        "async def test_a(nothing): pass",
        sync="setup test_it.py::test_a failed",
        ours="collect test_it.py::test_a failed: test_it.py::test_a can't be set up: "
        "there is no fixture 'nothing'.",
    ),
    Intended(
        "Context variables end with the fixture that sets them",
        "Each fixture and test is a task; and what outlives its scope would reach other tests.",
        """
from contextvars import ContextVar
variable = ContextVar("variable", default="default")
@pytest.fixture
async def sets():
    variable.set("set")
async def test_a(sets): pass
async def test_b(): trace(variable.get())
""",
        sync="set",
        ours="default",
    ),
    Intended(
        "`StopIteration` out of an async function is a `RuntimeError`",
        "Python does that to every coroutine.",
        "async def test_a(): raise StopIteration",
        sync="  StopIteration:  ",
        ours="  RuntimeError: coroutine raised StopIteration ",
    ),
    Intended(
        "An async test with a `yield` is collected and fails",
        "pytest refuses generators when it collects; async ones it does not look at.",
        "async def test_a(): yield",
        sync="exit code 2",
        ours="exit code 1",
    ),
    Intended(
        "A set-up that ends with `SystemExit` is undone",
        "pytest keeps the fixture half set up, and fails an assertion of its own when it is asked for again.",
        """
@pytest.fixture(scope="module")
async def leaves(wide):
    trace("up")
    raise SystemExit
@pytest.fixture(scope="module")
async def wide():
    yield
async def test_a(leaves): pass
async def test_b(leaves): pass
""",
        sync="  AssertionError:  ",
        ours="",
        majors=(9,),
    ),
    Intended(
        "What pytest loses is torn down at the end",
        "A tear-down that ends with `SystemExit` or Ctrl-C, or with a verdict beside an error, keeps pytest "
        "from the tear-downs that come after it.",
        """
@pytest.fixture
async def outer():
    yield
    trace("outer is down")
@pytest.fixture
async def leaves(outer):
    yield
    raise SystemExit
async def test_a(leaves): pass
""",
        sync="",
        ours="outer is down",
    ),
    Intended(
        "What pytest loses is torn down at the end",
        "A second `yield` is failed with a verdict.",
        """
@pytest.fixture
async def outer():
    yield
    trace("outer is down")
@pytest.fixture
async def leaves(request, outer):
    def fail(): raise Broken
    request.addfinalizer(fail)
    yield
    yield
async def test_a(leaves): pass
""",
        sync="",
        ours="outer is down",
    ),
    Intended(
        "What pytest loses is torn down at the end",
        "pytest 8 does not tear down a fixture that a tear-down was the first to ask for.",
        """
@pytest.fixture
async def late():
    yield
    trace("late is down")
@pytest.fixture
async def asks(request):
    yield
    with pytest.raises(AssertionError):
        request.getfixturevalue("late")
async def test_a(asks): pass
""",
        sync="",
        ours="late is down",
        majors=(8,),
    ),
    Intended(
        "A fixture is not torn down by what it no longer uses",
        "pytest leaves a finalizer on each fixture that was ever requested, which this plugin takes back.",
        """
up = []
@pytest.fixture(scope="session")
async def wide(request, base):
    up.append("wide")
    yield
    up.clear()
class TestOuter:
    @pytest.fixture(scope="session")
    async def base(self, request): pass
    class TestFirst:
        @pytest.mark.parametrize("base", [1], indirect=True)
        async def test_a(self, base, wide): pass
    class TestMiddle:
        @pytest.fixture(scope="session")
        async def base(self): pass
        @pytest.mark.parametrize("wide", [1], indirect=True)
        async def test_b(self, wide): pass
    class TestLast:
        @pytest.mark.parametrize("base", [1, 2], indirect=True)
        async def test_c(self, base, request): trace(f"{request.node.name} with {up}")
""",
        sync="test_c[2] with []",
        ours="test_c[2] with ['wide']",
    ),
    Intended(
        "Set-up methods are for the methods of their own class",
        "pytest looks for the function in the instance of the inner class, and fails or calls it twice.",
        """
class TestOuter:
    async def setup_method(self): trace("up")
    class TestInner:
        async def test_a(self): pass
""",
        sync="  AttributeError: 'TestInner' object has no attribute 'setup_method' ",
        ours="call test_it.py::TestOuter::TestInner::test_a passed",
    ),
    Intended(
        "Set-up functions have names in `--setup-show`",
        "They are the user's; pytest shows a name that it has made up.",
        """
async def setup_module(): pass
async def test_a(): pass
""",
        sync="|     SETUP    M _xunit_setup_module_fixture_test_it",
        ours="|     SETUP    M test_it.py::setup_module",
        arguments=("--setup-show",),
    ),
    Intended(
        "pytest's own warnings of a fixture name a line of the plugin",
        "pytest names the place that calls it, which is the plugin.",
    ),
    Intended(
        "An error that comes out of pytest alone shows no frames",
        "pytest shows all of its own there; those between a test and a fixture it asks for are other ones.",
    ),
)


def is_intended(lines: list[str]) -> bool:
    """Say whether a run shows what only a suite that was made smaller can come to."""
    return any(" can't be set up: " in line or " available fixtures: " in line for line in lines)
