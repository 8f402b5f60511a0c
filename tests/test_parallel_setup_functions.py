"""Set-up functions and fixtures of directories while many tests are in flight."""

from __future__ import annotations

import pytest
from harness import Suite

_CONFTEST = """
import pytest, trio
from pytest_trio_scoped import trio_fixture
from trace import trace

async def setup_session(request):
    await trio.sleep(0.01)
    trace("set up session")

async def teardown_session():
    trace("tear down session")
"""

_DIRECTORY = """
import trio
from pytest_trio_scoped import trio_fixture
from trace import trace

async def setup_directory(tmp_path_factory):
    await trio.sleep(0.01)
    trace("set up directory")

async def teardown_directory():
    await trio.sleep(0.02)
    trace("tear down directory")

@trio_fixture(scope="directory")
async def server():
    await trio.sleep(0.01)
    trace("set up server")
    yield 5
    await trio.sleep(0.01)
    trace("tear down server")
"""

_MODULE = """
import trio
from trace import trace

async def setup_module(module, tmp_path_factory):
    await trio.sleep(0.01)
    trace(f"set up {__name__}")

async def teardown_module(module):
    await trio.sleep(0.01)
    trace(f"tear down {__name__}")

class TestIt:
    async def setup_class(cls, request):
        trace(f"set up {__name__}.TestIt")

    async def teardown_class(cls):
        trace(f"tear down {__name__}.TestIt")

    async def setup_method(self, method, tmp_path):
        self.path = tmp_path
        await trio.sleep(0.01)

    async def teardown_method(self, method):
        assert self.path.exists()

    async def test_a(self, server):
        trace(f"use {__name__}")
        await trio.sleep(0.03)

    def test_b(self):
        assert self.path.exists()

async def setup_function(function, server):
    await trio.sleep(0.01)

async def test_c(server):
    await trio.sleep(0.01)
    trace(f"use {__name__}")

def test_d():
    pass
"""


@pytest.mark.parametrize("number", [1, 2, 5, 100])
def test_they_enclose_their_tests_and_are_called_once(suite: Suite, number: int) -> None:
    suite.write("conftest.py", _CONFTEST)
    suite.write("a/conftest.py", _DIRECTORY)
    for name in ("one", "two"):
        suite.write(f"a/test_{name}.py", _MODULE)
    suite.write("b/test_other.py", "async def test_other(): pass\n")
    result = suite.run(f"--trio-parallel={number}")
    assert set(result.outcomes.values()) == {"passed"}, result.output
    trace = result.trace
    set_ups = [line.removeprefix("set up ") for line in trace if line.startswith("set up ")]
    tear_downs = [
        line.removeprefix("tear down ") for line in trace if line.startswith("tear down ")
    ]
    modules = ["test_one", "test_one.TestIt", "test_two", "test_two.TestIt"]
    assert sorted(set_ups) == sorted([*modules, "session", "directory", "server"])
    assert sorted(tear_downs) == sorted(set_ups)
    assert (set_ups[0], tear_downs[-1]) == ("session", "session")
    assert tear_downs[-3:-1] == ["server", "directory"]
    for module in ("test_one", "test_two"):
        first, last = trace.index(f"set up {module}"), trace.index(f"tear down {module}")
        used = [index for index, line in enumerate(trace) if line == f"use {module}"]
        assert len(used) == 2
        assert all(first < index < last for index in used)
        assert last < trace.index("tear down server")
        assert first < trace.index(f"tear down {module}.TestIt") < last


def test_a_set_up_that_fails_is_an_error_of_every_test_below_it_and_called_once(
    suite: Suite,
) -> None:
    suite.tests(
        """
        async def setup_module(module, request):
            trace("set up")
            await trio.sleep(0.02)
            raise OSError("no")

        async def teardown_module(module):
            trace("tear down")

        async def test_a(): pass
        async def test_b(): pass
        def test_c(): pass
        """
    )
    result = suite.run("--trio-parallel=auto")
    assert set(result.outcomes.values()) == {"error"}
    assert result.output.count("ERROR test_it.py") == 3
    assert result.trace == ["set up"]
