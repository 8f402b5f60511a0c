"""Small suites with one fault in one place: what the fault table is made of.

A *cell* is a kind of fault, the place where it happens, the scope of the fixture that it happens in, and
whether tests run at once.  Its suite has the faulty fixture, a test that is guilty of the fault or uses the
fixture first, other users of the fixture, and bystanders: tests in the same class, module and package and
elsewhere, and fixtures of every scope that trace that they were set up and torn down.

The fault happens once, so what comes later shows whether all is in order again.
"""

from __future__ import annotations

import dataclasses
import re
import textwrap
from pathlib import Path

from harness import EVERY_SCOPE

#: Seconds that a phase may take where the fault is one that only a limit ends, and elsewhere.
LIMIT, LONG_LIMIT = 1.5, 20.0

MODES = ("sequential", "parallel")

_SLEEP = "await trio.sleep_forever()"


@dataclasses.dataclass(frozen=True)
class Fault:
    """A kind of fault: what is done, and whether sync code can do it without the loop."""

    code: str
    is_sync: bool = False
    #: Only a time limit ends it.
    needs_limit: bool = False


FAULTS = {
    "exception": Fault('raise ValueError("FAULT")', is_sync=True),
    "exception group": Fault(
        'raise ExceptionGroup("FAULT", [ValueError("one"), KeyError("two")])', is_sync=True
    ),
    "BaseException": Fault('raise Odd("FAULT")', is_sync=True),
    "skip": Fault('pytest.skip("FAULT")', is_sync=True),
    "xfail": Fault('pytest.xfail("FAULT")', is_sync=True),
    "pytest.exit": Fault('pytest.exit("FAULT", 7)', is_sync=True),
    "SystemExit": Fault('raise SystemExit("FAULT")', is_sync=True),
    "Ctrl-C": Fault("os.kill(os.getpid(), signal.SIGINT)\nawait sleep(60)", is_sync=True),
    "cancelled from outside": Fault(
        f"""
        task = trio.lowlevel.current_task()
        async def cancel():
            task.parent_nursery.cancel_scope.cancel()
        trio.lowlevel.spawn_system_task(cancel)
        {_SLEEP}
        """
    ),
    "never returns": Fault(_SLEEP, needs_limit=True),
    "never returns, shielded": Fault(
        f"with trio.CancelScope(shield=True):\n    {_SLEEP}", needs_limit=True
    ),
    "blocks in sync code": Fault(
        f"time.sleep({LIMIT * 1.6})\nawait sleep(0.2)", is_sync=True, needs_limit=True
    ),
    "leaks a nursery": Fault("await trio.open_nursery().__aenter__()"),
    "leaks a cancel scope": Fault("trio.CancelScope().__enter__()"),
    "leaks a system task": Fault("trio.lowlevel.spawn_system_task(trio.sleep_forever)"),
    "leaks a task in the parent nursery": Fault(
        "trio.lowlevel.current_task().parent_nursery.start_soon(trio.sleep_forever)"
    ),
    "yields twice": Fault("", is_sync=True),
    "never yields": Fault("", is_sync=True),
    "background crash": Fault(f"crash.set()\n{_SLEEP}"),
}

#: Places in a fixture, which has a scope.
IN_FIXTURES = ("set-up", "set-up without yield", "tear-down", "finalizer", "background task")
IN_TESTS = ("call", "child task", "task in `nursery`")
IN_HOOKS = (
    "pytest_runtest_setup",
    "pytest_runtest_call",
    "pytest_runtest_teardown",
    "pytest_fixture_setup",
    "pytest_runtest_logreport",
)
PLACES = (*IN_FIXTURES, *IN_TESTS, *IN_HOOKS)


@dataclasses.dataclass(frozen=True)
class Cell:
    """One fault in one place."""

    fault: str
    place: str
    #: Of the faulty fixture; "" where the place is none in a fixture.
    scope: str
    mode: str

    def __str__(self) -> str:
        return " / ".join(filter(None, (self.fault, self.place, self.scope, self.mode)))

    @property
    def kind(self) -> Fault:
        """What is done."""
        return FAULTS[self.fault]

    @property
    def has_sync_twin(self) -> bool:
        """Whether plain pytest can run it, on the same suite without "async"."""
        return (
            self.kind.is_sync
            and not self.kind.needs_limit
            and self.mode == "sequential"
            and (self.place in (*IN_HOOKS, "call") or self.place in IN_FIXTURES[:4])
        )


_YIELDS = {"yields twice": "tear-down", "never yields": "set-up"}


def why_not(fault: str, place: str) -> str:
    """Say why a fault can't be in a place, or is another one there; "" if it can."""
    if _YIELDS.get(fault, place) != place:
        return "only a fixture that yields can, and there it is in another place"
    if fault == "background crash" and place not in ("set-up", "tear-down", "finalizer"):
        return "it is the place 'background task'"
    if fault == "blocks in sync code" and place in IN_HOOKS:
        return "it takes its time, as under pytest alone: no limit ends sync code outside"
    if fault.startswith("never returns") and place == "pytest_runtest_logreport":
        return "it hangs until Ctrl-C, as under pytest alone: no limit counts between the phases"
    if fault == "leaks a task in the parent nursery" and place in (
        "child task",
        "background task",
        "task in `nursery`",
    ):
        return "it is 'never returns' there"
    return ""


def all_cells() -> list[Cell]:
    """Return every cell that makes sense."""
    return [
        Cell(fault, place, scope, mode)
        for place in PLACES
        for fault in FAULTS
        if not why_not(fault, place)
        for scope in (EVERY_SCOPE if place in IN_FIXTURES else ("",))
        for mode in MODES
    ]


# ---------------------------------------------------------------------------- the suite

_HELPERS = """
import os, signal, time
import pytest
IMPORTS

class Odd(BaseException):
    pass

_path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "trace.txt")

def trace(*words):
    with open(_path, "a") as file:
        print(*words, file=file)

def at_hand():
    return os.environ.get("PYTEST_CURRENT_TEST", "nobody")

def there(request):
    key = f"faulty {request.scope} {request.node.name}"
    trace("up", key)
    return key

def gone(key):
    trace("unwound", key)
    trace("down", key)
    trace("faulty down in", at_hand())

_happened = False

def happens():
    global _happened
    if _happened:
        return False
    _happened = True
    trace("fault", "in", at_hand())
    return True

async def fault():
    if happens():
FAULT
"""

_ASYNC = """
import trio, trio.testing
from trio import sleep
from pytest_trio_scoped import await_
from trio.testing import wait_all_tasks_blocked as settle

go, begun, user_is_ready, crash = (trio.Event() for _ in range(4))
channels = []

async def checkpoint():
    await trio.lowlevel.checkpoint()

async def ask():
    answer = trio.Event()
    await channels[-1].send(answer)
    with trio.fail_after(LONG):
        await answer.wait()
"""

_PLAIN = """
from time import sleep
def checkpoint(): pass
ask = settle = checkpoint
"""

_CONFTEST = """
import pytest
from helpers import *
GRACE

SERVER

def live(scope, wider):
    @pytest.fixture(scope=scope, name=f"bystander_{scope}")
    async def bystander(request):
        await checkpoint()
        trace("up", scope, request.node.name)
        try:
            yield
        finally:
            trace("unwound", scope, request.node.name)
            await checkpoint()
            trace("down", scope, request.node.name)
    return bystander

fixtures = [live(scope, None) for scope in ("session", "package", "module", "class", "function")]
for _number, _fixture in enumerate(fixtures):
    globals()[f"_fixture_{_number}"] = _fixture

@pytest.fixture
async def bystanders(
    server, bystander_session, bystander_package, bystander_module, bystander_class,
    bystander_function,
):
    pass

HOOK
"""

_SERVER = """
@pytest.fixture(scope="session")
async def server():
    send, receive = trio.open_memory_channel(0)
    async def serve():
        async for question in receive:
            question.set()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve, name="server of the bystanders")
        channels.append(send)
        trace("up server")
        try:
            yield
        finally:
            trace("unwound server")
            await checkpoint()
            send.close()
            trace("down server")
"""

_PLAIN_SERVER = """
@pytest.fixture(scope="session")
def server():
    trace("up server")
    try:
        yield
    finally:
        trace("unwound server")
        trace("down server")
"""

_PACKAGE_CONFTEST = """
import pytest
from helpers import *

SHAKY

@pytest.fixture(scope=SCOPE)
async def faulty(ARGUMENTS):
BODY

@pytest.fixture(scope=SCOPE)
async def second():
    WAIT

@pytest.fixture
async def dependent(request, second, faulty):
    trace("up dependent", request.node.name)
    try:
        yield
    finally:
        trace("unwound dependent", request.node.name)
        await checkpoint()
        trace("down dependent", request.node.name)
"""

_SHAKY = """
GUILTY = ("test_guilty", "TestIt", "test_a.py", "package", "")

@pytest.fixture(scope=SCOPE)
async def shaky(request):
    async def background():
        await crash.wait()
        raise LookupError("CRASH")
    async with trio.open_nursery() as nursery:
        if not crash.is_set() and request.node.name in GUILTY:
            nursery.start_soon(background)
        try:
            yield
        finally:
            nursery.cancel_scope.cancel()
"""

_TEST_A = """
import pytest
from helpers import *

async def test_before(bystanders):
    await ask()

class TestIt:
    async def test_guilty(self, bystanders, faultyNURSERY):
        await ask()
CALL

    async def test_user(self, bystanders, dependent):
        await ask()
USER

    async def test_beside(self, bystanders):
        await ask()

async def test_after(bystanders):
    await ask()

def test_sync(bystanders):
    pass
"""

_TEST_B = """
from helpers import *

async def test_next(bystanders):
    await ask()

async def test_far_user(bystanders, dependent):
    await ask()
"""

_TEST_Z = """
from helpers import *

async def test_elsewhere(bystanders):
    await ask()
"""

#: What stands in the faulty fixture.
_BODIES = {
    "healthy": """
        key = there(request)
        try:
            yield
        finally:
            gone(key)
    """,
    "set-up": """
        BEGIN
        await fault()
        key = there(request)
        try:
            yield
        finally:
            gone(key)
    """,
    "set-up without yield": """
        BEGIN
        await fault()
    """,
    "tear-down": """
        key = there(request)
        yield
        gone(key)
        await fault()
    """,
    "finalizer": """
        key = there(request)
        request.addfinalizer(lambda: gone(key))
        request.addfinalizer(fault)
    """,
    "background task": """
        key = there(request)
        async def background():
            await go.wait()
            await fault()
        try:
            async with trio.open_nursery() as nursery:
                if SCOPE != "function" or request.node.name == "test_guilty":
                    nursery.start_soon(background)
                yield
        finally:
            gone(key)
    """,
    "yields twice": """
        key = there(request)
        yield
        gone(key)
        if happens():
            yield
    """,
    "never yields": """
        BEGIN
        if happens():
            return
        key = there(request)
        yield
        gone(key)
    """,
}

_CALLS = {
    "call": "await fault()",
    "child task": """
        async with trio.open_nursery() as children:
            children.start_soon(fault)
    """,
    "task in `nursery`": """
        nursery.start_soon(fault)
        await settle()
    """,
}

_HOOKS = {
    "pytest_runtest_setup": ("item", "item.name == 'test_guilty'"),
    "pytest_runtest_call": ("item", "item.name == 'test_guilty'"),
    "pytest_runtest_teardown": ("item", "item.name == 'test_guilty'"),
    "pytest_fixture_setup": ("fixturedef", "fixturedef.argname == 'faulty'"),
    "pytest_runtest_logreport": (
        "report",
        "report.nodeid.endswith('test_guilty') and report.when == 'call'",
    ),
}


def without_async(text: str) -> str:
    """Return ``text`` without the words ``async`` and ``await``."""
    return re.sub(r"\b(async|await) ", "", text)


def write_suite(cell: Cell, folder: Path, *, is_plain: bool = False) -> None:
    """Write the suite of a cell; ``is_plain`` for plain pytest, without "async"."""
    for name, source in _sources(cell, is_plain=is_plain).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(without_async(source) if is_plain else source)


def _sources(cell: Cell, *, is_plain: bool) -> dict[str, str]:
    limit = LIMIT if cell.kind.needs_limit else LONG_LIMIT
    ini = "" if is_plain else f"trio_mode = true\ntrio_timeout = {limit}\n"
    imports = _PLAIN if is_plain else _ASYNC.replace("LONG", str(LONG_LIMIT))
    return {
        "pytest.ini": "[pytest]\n" + ini,
        "helpers.py": _HELPERS.replace("IMPORTS", imports).replace(
            "FAULT\n", _indented(cell.kind.code or "pass", 8) + "\n"
        ),
        "conftest.py": _conftest(cell, is_plain=is_plain),
        "package/__init__.py": "",
        "package/conftest.py": _package_conftest(cell, is_plain=is_plain),
        "package/test_a.py": _test_a(cell),
        "package/test_b.py": _TEST_B,
        "test_z.py": _TEST_Z,
    }


#: There a user waits for the set-up of another test, and its own limit would come at the same time.
_WAITED_FOR = Cell("never returns", "pytest_fixture_setup", "", "parallel")
_LONG_LIMIT_OF_USER = f"""
def pytest_collection_modifyitems(items):
    for item in items:
        if item.name == "test_user":
            item.add_marker(pytest.mark.trio(timeout={LONG_LIMIT}))
"""


def _conftest(cell: Cell, *, is_plain: bool) -> str:
    # Where nothing is waited for, a wait would be seen.
    is_waited_for = cell.kind.needs_limit or cell.fault == "background crash"
    short, long = (0.3, 1.5) if is_waited_for else (LONG_LIMIT, LONG_LIMIT)
    grace = (
        ""
        if is_plain
        else f"""
import pytest_trio_scoped._crashes, pytest_trio_scoped._timeouts
pytest_trio_scoped._timeouts.PATIENCE = pytest_trio_scoped._timeouts.GRACE = {short}
pytest_trio_scoped._crashes.GRACE = {long}
"""
    )
    hook = ""
    if cell.place in IN_HOOKS:
        arguments, condition = _HOOKS[cell.place]
        is_direct = cell.kind.is_sync
        code = textwrap.dedent(cell.kind.code).replace("await sleep", "time.sleep")
        fault = "if happens():\n" + _indented(code, 4) if is_direct else "await_(fault())"
        hook = (
            f"@pytest.hookimpl(tryfirst=True)\ndef {cell.place}({arguments}):\n"
            f"    if {condition}:\n{_indented(fault, 8)}\n"
        )
    if cell == _WAITED_FOR:
        hook += _LONG_LIMIT_OF_USER
    return (
        _CONFTEST.replace("GRACE", grace)
        .replace("SERVER", _PLAIN_SERVER if is_plain else _SERVER)
        .replace("HOOK", hook)
    )


def _package_conftest(cell: Cell, *, is_plain: bool) -> str:
    kind = cell.fault if cell.fault in _BODIES else cell.place
    body = _BODIES[kind if cell.place in IN_FIXTURES else "healthy"]
    is_before = cell.place in IN_FIXTURES and cell.mode == "parallel"
    begin = "begun.set()" if is_before else ""
    if is_before and "BEGIN" not in body:
        body = "BEGIN\n" + textwrap.dedent(body)
    has_crash = cell.fault == "background crash"
    return (
        _PACKAGE_CONFTEST.replace("SHAKY", _SHAKY if has_crash else "")
        .replace("ARGUMENTS", "request, shaky" if has_crash else "request")
        .replace("WAIT", "await begun.wait()" if is_before else "pass")
        .replace("BODY", _indented(body.replace("BEGIN", begin), 4))
        .replace("SCOPE", repr(cell.scope or "module"))
    )


def _test_a(cell: Cell) -> str:
    call = _CALLS.get(cell.place, "")
    user = ""
    if cell.place == "background task":
        call = "go.set()\nawait settle()"
        if cell.mode == "parallel":
            call = "await user_is_ready.wait()\n" + call
            user = "user_is_ready.set()\nawait settle()"
    nursery = ", nursery" if cell.place == "task in `nursery`" else ""
    return (
        _TEST_A.replace("NURSERY", nursery)
        .replace("CALL", _indented(call, 8))
        .replace("USER", _indented(user, 8))
    )


def _indented(code: str, width: int) -> str:
    return textwrap.indent(textwrap.dedent(code).strip("\n"), " " * width)
