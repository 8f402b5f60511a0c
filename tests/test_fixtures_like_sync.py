"""What async fixtures do and when, held against sync twins of the same suites.

Each suite in the table below is written once, async.  It is run as written, with only its tests or only
its fixtures async, and with every second fixture async; and what it traces, and how each phase of each
test ends, has to be what the sync twin of the whole suite comes to.
"""

from __future__ import annotations

import dataclasses
import itertools
import re
import sys
import textwrap
from collections.abc import Callable

import pytest
from harness import Result, Suite

_HEAD = """\
import functools
import pytest, trio
from trace import trace

async def pause():
    await trio.lowlevel.checkpoint()

def sync_pause():
    pass

"""


@dataclasses.dataclass
class Example:
    """The files of one suite, and how it is run."""

    files: dict[str, str]
    arguments: tuple[str, ...] = ()
    ini: tuple[str, ...] = ()
    #: Whether there is a sense in suites of which one half is sync.
    has_halves: bool = True


EXAMPLES: dict[str, Example] = {}

FIVE_SCOPES = """
    @pytest.fixture(scope="session")
    async def s():
        trace("s up"); await pause()
        yield "s"
        await pause(); trace("s down")
    @pytest.fixture(scope="package")
    async def p(s):
        trace("p up"); await pause()
        yield s + "p"
        await pause(); trace("p down")
    @pytest.fixture(scope="module")
    async def m(p):
        trace("m up"); await pause()
        yield p + "m"
        await pause(); trace("m down")
    @pytest.fixture(scope="class")
    async def c(m):
        trace("c up"); await pause()
        yield m + "c"
        await pause(); trace("c down")
    @pytest.fixture
    async def f(c):
        trace("f up"); await pause()
        yield c + "f"
        await pause(); trace("f down")
    @pytest.fixture
    async def value(f):
        trace("value"); await pause()
        return f + "v"
"""

USERS = """
    async def test_a(value):
        trace("a " + value); await pause()
    async def test_b(m):
        trace("b " + m); await pause()
    class TestOne:
        async def test_a(self, c):
            trace("One.a " + c); await pause()
        async def test_b(self, value):
            trace("One.b " + value); await pause()
    class TestTwo:
        async def test_a(self, value):
            trace("Two.a " + value); await pause()
        class TestNested:
            async def test_a(self, c, f):
                trace("Nested.a " + c + f); await pause()
    async def test_c(p):
        trace("c " + p); await pause()
"""

EXAMPLES["every scope in two modules"] = Example(
    {"conftest.py": FIVE_SCOPES, "test_1.py": USERS, "test_2.py": USERS}
)
_PACKAGES = {
    "conftest.py": FIVE_SCOPES,
    "one/conftest.py": """
        @pytest.fixture(scope="package")
        async def p(s):
            trace("one's p up"); await pause()
            yield s + "p1"
            trace("one's p down")
    """,
    "one/test_1.py": USERS,
    "one/deep/test_2.py": USERS,
    "one/deep/er/conftest.py": """
        @pytest.fixture(scope="package")
        async def p(p):
            trace("er's p up"); await pause()
            yield p + "p2"
            trace("er's p down")
    """,
    "one/deep/er/test_3.py": USERS,
    "one/test_4.py": USERS,
    "two/test_5.py": USERS,
    "test_6.py": USERS,
}
EXAMPLES["packages without __init__"] = Example(_PACKAGES)
EXAMPLES["packages with __init__"] = Example(
    {
        **_PACKAGES,
        **dict.fromkeys(["one/__init__.py", "one/deep/__init__.py", "two/__init__.py"], ""),
        "one/deep/er/__init__.py": "",
    }
)
EXAMPLES["set-up order is pytest's own"] = Example(
    {
        "test_it.py": """
        @pytest.fixture
        async def a(b):
            trace("a up"); yield; trace("a down")
        @pytest.fixture
        async def b():
            trace("b up"); await pause(); yield; await pause(); trace("b down")
        @pytest.fixture
        def sync(a):
            trace("sync up"); yield; trace("sync down")
        @pytest.fixture
        async def last(sync, wide):
            trace("last up"); yield; await pause(); trace("last down")
        @pytest.fixture(scope="module")
        async def wide():
            trace("wide up"); yield; trace("wide down")
        @pytest.fixture(autouse=True)
        async def auto():
            trace("auto up"); yield; trace("auto down")
        async def test_it(last, b, sync, a):
            trace("test")
        async def test_other(a, wide):
            trace("other")
        """
    }
)
EXAMPLES["parametrized at every scope"] = Example(
    {
        "test_it.py": """
        @pytest.fixture(scope="session", params=[1, 2])
        async def s(request):
            trace(f"s{request.param} up"); await pause()
            yield request.param
            await pause(); trace(f"s{request.param} down")
        @pytest.fixture(scope="module", params=["x", "y"], ids=str.upper)
        async def m(request, s):
            trace(f"m{request.param} up"); await pause()
            yield f"{s}{request.param}"
            await pause(); trace(f"m{request.param} down")
        @pytest.fixture(params=[None, 0])
        async def f(request, m):
            await pause()
            return f"{m}{request.param}"
        async def test_a(s):
            trace(f"a {s}")
        async def test_b(m):
            trace(f"b {m}")
        async def test_c(f, s):
            trace(f"c {f}{s}"); await pause()
        class TestIt:
            async def test_d(self, m):
                trace(f"d {m}")
        """
    }
)
EXAMPLES["indirect"] = Example(
    {
        "test_it.py": """
        @pytest.fixture
        async def f(request):
            trace(f"f{request.param} up"); await pause()
            yield request.param
            trace(f"f{request.param} down")
        @pytest.fixture(scope="module")
        async def m(request):
            trace(f"m{request.param} up")
            yield request.param
            await pause(); trace(f"m{request.param} down")
        @pytest.fixture(scope="module")
        async def on_m(m):
            trace(f"on_m{m} up"); await pause()
            yield m
            await pause(); trace(f"on_m{m} down")
        @pytest.mark.parametrize("f", [1, 2], indirect=True)
        async def test_a(f):
            trace(f"a {f}")
        @pytest.mark.parametrize(("f", "plain"), [(1, 2), (3, 4)], indirect=["f"])
        async def test_b(f, plain):
            trace(f"b {f} {plain}")
        @pytest.mark.parametrize("m", [1, 2], indirect=True, scope="module")
        async def test_c(m):
            trace(f"c {m}")
        @pytest.mark.parametrize("m", [2, 1], indirect=True, scope="module")
        async def test_d(m, on_m):
            trace(f"d {m}")
        @pytest.mark.parametrize("m", [1, 1], indirect=True, scope="function")
        async def test_e(m):
            trace(f"e {m}")
        @pytest.mark.parametrize("func", [1])
        @pytest.mark.parametrize("name", [2])
        @pytest.mark.parametrize("function", [3])
        @pytest.mark.parametrize("item", [4])
        @pytest.mark.parametrize("session", [5])
        @pytest.mark.parametrize("args", [6])
        @pytest.mark.parametrize("context", [7])
        async def test_f(func, name, function, item, session, args, context):
            trace(f"f {func}{name}{function}{item}{session}{args}{context}")
        """
    }
)
EXAMPLES["fixtures called like our own arguments"] = Example(
    {
        "test_it.py": """
        @pytest.fixture
        async def function():
            await pause()
            return 1
        @pytest.fixture
        async def name(function):
            yield function + 1
        @pytest.fixture
        async def session(name, function):
            yield name + function
        @pytest.fixture
        async def arguments(session):
            yield session + 1
        @pytest.fixture
        async def context(arguments):
            yield arguments + 1
        @pytest.fixture
        async def loop(context):
            yield context + 1
        async def test_it(function, name, session, arguments, context, loop):
            trace([function, name, session, arguments, context, loop])
        """
    }
)
EXAMPLES["autouse"] = Example(
    {
        "conftest.py": """
        @pytest.fixture(autouse=True, scope="session")
        async def s():
            trace("s up"); await pause(); yield; await pause(); trace("s down")
        @pytest.fixture(autouse=True)
        async def f():
            trace("f up"); await pause(); yield; await pause(); trace("f down")
        """,
        "test_1.py": """
        @pytest.fixture(autouse=True, scope="module")
        async def m():
            trace("m up"); yield; await pause(); trace("m down")
        @pytest.fixture(autouse=True)
        async def value():
            trace("value")
        class TestIt:
            @pytest.fixture(autouse=True, scope="class")
            @classmethod
            async def c(cls):
                trace(f"c up {cls.__name__}"); yield; await pause(); trace("c down")
            @pytest.fixture(autouse=True)
            async def own(self, c):
                trace("own up"); yield; trace("own down")
            async def test_a(self):
                trace("It.a")
            async def test_b(self, f):
                trace("It.b")
        async def test_c():
            trace("c")
        """,
        "test_2.py": """
        async def test_d():
            trace("d")
        def test_sync():
            trace("sync")
        """,
    }
)
EXAMPLES["usefixtures"] = Example(
    {
        "conftest.py": """
        @pytest.fixture(scope="module")
        async def m():
            trace("m up"); await pause(); yield; await pause(); trace("m down")
        @pytest.fixture(scope="class")
        async def c():
            trace("c up"); await pause(); yield; await pause(); trace("c down")
        @pytest.fixture
        async def f():
            trace("f up"); await pause(); yield; await pause(); trace("f down")
        @pytest.fixture
        async def ini():
            trace("ini up"); await pause(); yield; trace("ini down")
        """,
        "test_1.py": """
        pytestmark = pytest.mark.usefixtures("m")
        @pytest.mark.usefixtures("f")
        async def test_a():
            trace("a")
        @pytest.mark.usefixtures("c")
        class TestIt:
            @pytest.mark.usefixtures("f")
            async def test_b(self):
                trace("b")
            async def test_c(self):
                trace("c")
        """,
        "test_2.py": """
        @pytest.mark.usefixtures("f", "m")
        def test_d():
            trace("d")
        def test_e():
            trace("e")
        """,
    },
    ini=("usefixtures = ini",),
)
EXAMPLES["overridden"] = Example(
    {
        "plug.py": """
        @pytest.fixture
        async def f():
            trace("plugin up"); await pause(); yield "plugin"; await pause(); trace("plugin down")
        @pytest.fixture(scope="session")
        async def wide():
            trace("plugin's wide up"); yield "wide"; await pause(); trace("plugin's wide down")
        """,
        "conftest.py": """
        @pytest.fixture
        async def f(f, wide):
            trace("conftest up"); await pause(); yield f + " conftest"; trace("conftest down")
        """,
        "deep/conftest.py": """
        @pytest.fixture
        async def f(f):
            trace("deep up"); yield f + " deep"; await pause(); trace("deep down")
        @pytest.fixture(scope="module")
        async def wide(wide):
            trace("deep's wide up"); yield wide + " deep"; trace("deep's wide down")
        """,
        "deep/test_1.py": """
        @pytest.fixture
        async def f(f):
            trace("module up"); await pause(); yield f + " module"; trace("module down")
        async def test_a(f):
            trace(f)
        class TestIt:
            @pytest.fixture
            async def f(self, f):
                trace("class up"); yield f + " class"; await pause(); trace("class down")
            async def test_b(self, f, wide):
                trace(f + wide)
        class TestSub(TestIt):
            @pytest.fixture
            def f(self, f):
                trace("sub up"); yield f + " sub"; trace("sub down")
            async def test_c(self, f):
                trace(f)
        """,
        "test_2.py": """
        @pytest.fixture
        def f():
            return "not on f"
        async def test_d(f):
            trace(f)
        @pytest.mark.parametrize("f", ["direct"])
        async def test_e(f):
            trace(f)
        """,
    },
    arguments=("-p", "plug"),
)
EXAMPLES["methods"] = Example(
    {
        "test_it.py": """
        class Base:
            @pytest.fixture
            async def f(self):
                self.x = ["f up"]; await pause()
                yield self
                trace(self.x); await pause()
            @pytest.fixture
            async def g(self, f):
                assert f is self
                self.x.append("g"); await pause()
                return self
            @pytest.fixture
            def h(self, g):
                self.x.append("h")
                yield self
                self.x.append("h down")
            @pytest.fixture(scope="class")
            @classmethod
            async def c(cls):
                trace(f"c up {cls.__name__}"); await pause()
                yield cls
                await pause(); trace(f"c down {cls.__name__}")
            @pytest.fixture(scope="class")
            @classmethod
            async def cc(cls, c):
                await pause()
                return (cls, c)
            @pytest.fixture
            @staticmethod
            async def s(cc):
                trace("s up"); yield cc; await pause(); trace("s down")
            async def test_a(self, f, g, h):
                assert f is g is h is self
                self.x.append("a")
            async def test_b(self, g):
                assert g is self
                assert self.x == ["f up", "g"]
            async def test_c(self, cc, s):
                assert cc is s
                trace([cls.__name__ for cls in cc])
        class TestOne(Base):
            pass
        class TestTwo(Base):
            @pytest.fixture
            async def g(self, f):
                assert f is self
                f.x.append("Two's g")
                yield f
                f.x.append("Two's g down")
        """
    }
)
EXAMPLES["methods of a plugin object"] = Example(
    {
        "conftest.py": """
        class Plugin:
            @pytest.fixture
            async def f(self, request):
                trace(type(self).__name__ + " up"); await pause()
                yield self
                trace(type(self).__name__ + " down")
        def pytest_configure(config):
            config.pluginmanager.register(Plugin())
        """,
        "test_it.py": """
        async def test_a(f):
            trace(type(f).__name__)
        class TestIt:
            async def test_b(self, f):
                trace(type(f).__name__)
        """,
    }
)
EXAMPLES["request"] = Example(
    {
        "test_it.py": """
        def describe(request):
            return f"{request.fixturename} {request.scope} {request.node.name} {request.function and 1}"
        @pytest.fixture
        async def f(request):
            trace(describe(request)); await pause()
            request.addfinalizer(lambda: trace("f 1"))
            request.addfinalizer(functools.partial(trace, "f 2"))
            yield request
            await pause(); trace("f down")
            request.addfinalizer(lambda: trace("f 3"))
        @pytest.fixture(params=["p"])
        async def g(request, f):
            assert request.param == "p"
            trace(describe(request))
            request.addfinalizer(lambda: trace("g 1"))
            await pause()
            return request
        @pytest.fixture
        def h(request, g):
            request.addfinalizer(lambda: trace("h 1"))
            return request
        async def test_a(request, f, g, h):
            assert request.node is f.node is g.node is h.node
            assert request.node.name == "test_a[p]"
            assert request.function is f.function
            trace(request.fixturenames)
            request.addfinalizer(lambda: trace("a 1"))
            request.node.addfinalizer(lambda: trace("a 2"))
        class TestIt:
            @pytest.fixture(scope="class")
            @classmethod
            async def c(cls, request):
                trace(f"c {request.scope} {request.node.name} {request.cls.__name__}"); await pause()
                request.addfinalizer(lambda: trace("c 1"))
                yield
                trace("c down")
            async def test_b(self, c, f):
                assert f.instance is self
                assert f.cls is TestIt
                trace(f.node.name)
        """
    }
)
EXAMPLES["async finalizers"] = Example(
    {
        "test_it.py": """
        @pytest.fixture(scope="module")
        async def m(request):
            async def finalizer_1():
                await pause(); trace("m 1")
            async def finalizer_2():
                trace("m 2"); await pause()
            request.addfinalizer(finalizer_1)
            request.addfinalizer(finalizer_2)
            yield
            trace("m down")
        @pytest.fixture
        async def f(request, m):
            async def finalizer_3(text):
                await pause(); trace(text)
            request.addfinalizer(functools.partial(finalizer_3, "f 1"))
            await pause()
        async def test_a(f):
            trace("a")
        async def test_b(f):
            trace("b")
        """
    }
)
_DYNAMIC = """
    @pytest.fixture(scope="session")
    async def s():
        trace("s up"); await pause(); yield "s"; await pause(); trace("s down")
    @pytest.fixture(scope="module")
    async def m(request):
        trace("m up"); await pause()
        value = request.getfixturevalue("s")
        yield value + "m"
        await pause(); trace("m down")
    @pytest.fixture
    async def f():
        trace("f up"); await pause(); yield "f"; await pause(); trace("f down")
    @pytest.fixture
    async def g(request):
        trace("g up"); await pause()
        value = request.getfixturevalue("f") + request.getfixturevalue("m")
        await pause()
        return value + "g"
    @pytest.fixture
    def plain():
        trace("plain up"); yield "plain"; trace("plain down")
    @pytest.fixture
    def sync(request):
        trace("sync up")
        yield request.getfixturevalue("g") + "sync"
        trace("sync down")
    @pytest.fixture
    async def on_sync(request):
        value = request.getfixturevalue("sync")
        trace("on_sync up"); await pause()
        yield value + "on" + request.getfixturevalue("plain")
        await pause(); trace("on_sync down")
    @pytest.fixture
    async def failing():
        await pause()
        raise ValueError("boom")
"""
EXAMPLES["getfixturevalue from everywhere"] = Example(
    {
        "conftest.py": _DYNAMIC,
        "test_it.py": """
        async def test_a(request):
            trace("a"); await pause()
            trace(request.getfixturevalue("f")); await pause()
            assert request.getfixturevalue("f") is request.getfixturevalue("f")
            trace(request.getfixturevalue("m"))
        async def test_b(request, f):
            trace("b")
            trace(request.getfixturevalue("on_sync"))
        def test_c(request):
            trace("c")
            trace(request.getfixturevalue("on_sync"))
            trace(request.getfixturevalue("g"))
        async def test_d(on_sync, request):
            trace("d " + on_sync)
            trace(request.getfixturevalue("plain"))
        async def test_e(request):
            with pytest.raises(ValueError, match="boom"):
                request.getfixturevalue("failing")
            await pause()
            with pytest.raises(ValueError, match="boom"):
                request.getfixturevalue("failing")
            trace("e")
        def test_f(request):
            with pytest.raises(ValueError, match="boom"):
                request.getfixturevalue("failing")
            trace("f " + request.getfixturevalue("s"))
        async def test_g(request):
            with pytest.raises(pytest.FixtureLookupError):
                request.getfixturevalue("nothing")
            request.getfixturevalue("failing")
        class TestIt:
            @pytest.fixture
            async def own(self, request):
                self.value = request.getfixturevalue("g"); await pause()
                return self
            async def test_h(self, request):
                assert request.getfixturevalue("own") is self
                trace("h " + self.value)
        """,
        "test_other.py": """
        async def test_i(request):
            for name in ["m", "plain", "sync"]:
                trace(request.getfixturevalue(name)); await pause()
        """,
    }
)
EXAMPLES["failing set-ups"] = Example(
    {
        "test_it.py": """
        @pytest.fixture(scope="module")
        async def ok():
            trace("ok up"); yield; await pause(); trace("ok down")
        @pytest.fixture(scope="module")
        async def wide(ok):
            trace("wide up"); await pause()
            raise ValueError("wide")
            yield
        @pytest.fixture
        async def f(ok):
            trace("f up"); yield; trace("f down")
        @pytest.fixture
        async def coroutine(f):
            trace("coroutine up"); await pause()
            raise ValueError("coroutine")
        @pytest.fixture
        async def skipping(f):
            await pause()
            pytest.skip("why")
        @pytest.fixture
        async def skipping_too(f):
            await pause()
            pytest.skip("why")
            yield
        @pytest.fixture
        async def xfailing(f):
            await pause()
            pytest.xfail("why")
        @pytest.fixture
        async def not_yielding(f):
            trace("not_yielding")
            if not f: return
            yield
        @pytest.fixture
        async def with_finalizer(request):
            request.addfinalizer(lambda: trace("finalizer"))
            await pause()
            raise ValueError("with_finalizer")
        @pytest.fixture
        async def with_finally():
            try:
                await pause()
                raise ValueError("with_finally")
                yield
            finally:
                trace("finally")
        async def test_a(wide):
            trace("never")
        async def test_b(wide):
            trace("never")
        async def test_c(coroutine):
            trace("never")
        async def test_d(f, skipping):
            trace("never")
        async def test_e(skipping_too):
            trace("never")
        async def test_f(xfailing):
            trace("never")
        async def test_g(not_yielding):
            trace("never")
        async def test_h(with_finalizer):
            trace("never")
        async def test_i(with_finally):
            trace("never")
        async def test_j(f):
            trace("j")
        """
    }
)
EXAMPLES["failing tests and tear-downs"] = Example(
    {
        "test_it.py": """
        @pytest.fixture(scope="session")
        async def s():
            trace("s up"); yield; await pause(); trace("s down")
            raise ValueError("s")
        @pytest.fixture(scope="module")
        async def m(s):
            trace("m up"); yield; trace("m down"); await pause()
            raise ValueError("m")
        @pytest.fixture
        async def f(m):
            trace("f up"); yield; await pause(); trace("f down")
            raise ValueError("f")
        @pytest.fixture
        async def g(f):
            trace("g up")
            try:
                yield
            except BaseException as error:
                trace(f"never {error!r}")
                raise
            finally:
                await pause(); trace("g down")
        @pytest.fixture
        async def skipping(g):
            yield
            trace("skipping down")
            pytest.skip("in tear-down")
        @pytest.fixture
        async def twice(g):
            trace("twice up")
            yield 1
            trace("twice down")
            yield 2
            trace("never")
        async def test_a(g):
            trace("a"); await pause()
        async def test_b(g):
            trace("b"); await pause()
            raise ValueError("b")
        async def test_c(g):
            trace("c"); await pause()
            pytest.skip("c")
        async def test_d(skipping):
            trace("d")
        async def test_e(twice):
            trace("e")
        @pytest.mark.xfail
        async def test_f(g):
            trace("f"); await pause()
            raise ValueError
        async def test_g(m):
            trace("g")
        """
    }
)
EXAMPLES["-x"] = Example(
    {
        "conftest.py": FIVE_SCOPES,
        "test_1.py": USERS
        + """
    async def test_d(value):
        await pause()
        raise ValueError
    async def test_e(value):
        trace("never")
    """,
        "test_2.py": USERS,
    },
    arguments=("-x",),
)
EXAMPLES["the same function in two fixtures"] = Example(
    {
        "test_it.py": """
        async def function(request):
            trace(f"{request.fixturename} up"); await pause()
            yield request.fixturename
            trace(f"{request.fixturename} down")
        one = pytest.fixture(function, name="one")
        two = pytest.fixture(function, name="two", scope="module")
        async def test_a(one, two):
            trace(one + two)
        async def test_b(two, one):
            trace(two + one)
        """
    }
)
EXAMPLES["wrapped functions and partials"] = Example(
    {
        "test_it.py": """
        def wrapped(function):
            @functools.wraps(function)
            async def wrapper(*args, **kwargs):
                trace("wrapper"); await pause()
                return await function(*args, **kwargs)
            return wrapper
        @pytest.fixture
        @wrapped
        async def f():
            await pause()
            return "f"
        @wrapped
        async def test_a(f):
            trace("a " + f)
        @pytest.mark.parametrize("x", [1, 2])
        @wrapped
        async def test_b(f, x):
            trace(f"b {f}{x}")
        async def test_c(f):
            await test_a(f)
        """
    },
    has_halves=False,
)


_DEF = re.compile(r"\s*(?:async )?def (\w+)")


def _convert(source: str, is_sync: Callable[[str], bool]) -> str:
    """Make the functions sync for which ``is_sync(name)``; nested ones go with the outer one."""
    lines = []
    is_inside_sync, indent = False, 0
    for original in textwrap.dedent(source).splitlines():
        line = original
        depth = len(line) - len(line.lstrip())
        match = _DEF.match(line)
        if match and (depth <= indent or not lines):
            is_inside_sync, indent = is_sync(match[1]), depth
        elif line.strip() and depth <= indent:
            is_inside_sync, indent = False, 99
        if is_inside_sync:
            line = re.sub(r"\b(?:async|await) ", "", line).replace("pause()", "sync_pause()")
        lines.append(line)
    return "\n".join(lines)


@pytest.fixture(autouse=True)
def _no_bytecode(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep pytest from taking a file for the one it has compiled less than a second ago."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)


def _run(
    suite: Suite,
    example: Example,
    is_sync: Callable[[str], bool],
    *arguments: str,
) -> Result:
    (suite.path / "trace.txt").unlink(missing_ok=True)
    for name, source in example.files.items():
        suite.write(name, _HEAD + _convert(source, is_sync) if source else "")
    is_with_plugin = "no:trio_scoped" not in arguments
    suite.ini("addopts = --import-mode=importlib", *example.ini, trio_mode=is_with_plugin)
    return suite.run(*example.arguments, *arguments)


def _facts(result: Result) -> tuple[object, ...]:
    return result.exit_code, result.trace, result.phases


def _everything(_name: str) -> bool:
    return True


def _nothing(_name: str) -> bool:
    return False


def _tests(name: str) -> bool:
    return name.startswith("test_")


def _fixtures(name: str) -> bool:
    return not _tests(name)


def _every_second_fixture() -> Callable[[str], bool]:
    answers = itertools.cycle([True, False])
    return lambda name: _fixtures(name) and next(answers)


@pytest.mark.parametrize("example", EXAMPLES.values(), ids=EXAMPLES)
def test_does_what_its_sync_twin_does(suite: Suite, example: Example) -> None:
    twin = _run(suite, example, _everything, "-p", "no:trio_scoped")
    assert twin.trace
    assert not any("never" in line for line in twin.trace)
    facts = _facts(twin)
    assert _facts(_run(suite, example, _nothing)) == facts
    if example.has_halves:
        assert _facts(_run(suite, example, _tests)) == facts
        assert _facts(_run(suite, example, _fixtures)) == facts
        assert _facts(_run(suite, example, _every_second_fixture())) == facts


@pytest.mark.parametrize("option", ["--setup-show", "--setup-only", "--setup-plan"])
@pytest.mark.parametrize(
    "name", ["every scope in two modules", "parametrized at every scope", "indirect", "autouse"]
)
def test_is_shown_as_its_sync_twin_is(suite: Suite, name: str, option: str) -> None:
    def shown(result: Result) -> tuple[object, ...]:
        lines = [
            line.split()
            for line in result.output.splitlines()
            if re.search(r"SETUP|TEARDOWN|fixtures used", line)
        ]
        return result.exit_code, result.trace, lines

    twin = shown(_run(suite, EXAMPLES[name], _everything, option, "-p", "no:trio_scoped"))
    assert twin[2]
    assert shown(_run(suite, EXAMPLES[name], _nothing, option)) == twin
