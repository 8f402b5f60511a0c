"""What this plugin and others do with the same small suites; docs/explanation/comparison.md has the answers.

    python benchmarks/compare.py [--only=PROBE]

prints a line for each probe and plugin: the exit code, how the tests ended, and what the suite printed.
Peers that are not installed are left out.  Those that run asyncio get the same suite in terms of asyncio.
POSIX only.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_TRIO = """
    from contextlib import asynccontextmanager
    import trio
    sleep = trio.sleep
    def loop():
        return id(trio.lowlevel.current_trio_token())
    def run(function):
        return trio.run(function)
    @asynccontextmanager
    async def background(*functions):
        async with trio.open_nursery() as nursery:
            for function in functions:
                nursery.start_soon(function)
            yield nursery
            nursery.cancel_scope.cancel()
"""
_ASYNCIO = """
    import asyncio
    from contextlib import asynccontextmanager
    sleep = asyncio.sleep
    def loop():
        return id(asyncio.get_running_loop())
    def run(function):
        return asyncio.run(function())
    @asynccontextmanager
    async def background(*functions):
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(function()) for function in functions]
            yield group
            for task in tasks:
                task.cancel()
"""
#: Plugin: its distribution, what loads it, the ini file, how the tests are written, and what a conftest adds.
PLUGINS = {
    "pytest-trio-scoped": ("trio_scoped", "trio_mode = true", _TRIO, ""),
    "pytest-trio": ("pytest_trio.plugin", "trio_mode = true", _TRIO, ""),
    "anyio": (
        "anyio.pytest_plugin",
        "anyio_mode = auto",
        _TRIO,
        """
        import pytest
        @pytest.fixture(scope="session")
        def anyio_backend(): return "trio"
        """,
    ),
    "pytest-asyncio": (
        "pytest_asyncio.plugin",
        """
        asyncio_mode = auto
        asyncio_default_fixture_loop_scope = session
        asyncio_default_test_loop_scope = session
        """,
        _ASYNCIO,
        "",
    ),
    "pytest-asyncio-cooperative": (
        "pytest_asyncio_cooperative.plugin",
        "",
        _ASYNCIO,
        """
        import inspect
        def pytest_collection_modifyitems(items):
            for item in items:
                if inspect.iscoroutinefunction(getattr(item, "function", None)):
                    item.add_marker("asyncio_cooperative")
        """,
    ),
}
_PYTEST = [sys.executable, "-m", "pytest", "-q", "-s", "-rA", "--tb=line"]
#: What each suite begins with.
_PRELUDE = "import pytest\nfrom lib import background, loop, run, sleep\n"
PROBES = {
    "session fixture, one loop": """
        @pytest.fixture(scope="session")
        async def wide():
            print("SET UP")
            yield loop()
        async def test_a(wide): print("SAME", wide == loop())
        async def test_b(wide): print("SAME", wide == loop())
    """,
    "session fixture that holds a nursery open": """
        @pytest.fixture(scope="session")
        async def ticks():
            seen = []
            async def tick():
                while True:
                    seen.append(1)
                    await sleep(0.01)
            async with background(tick):
                yield seen
        async def test_a(ticks): await sleep(0.1); assert len(ticks) > 2
        async def test_b(ticks):
            before = len(ticks)
            await sleep(0.1)
            assert len(ticks) > before
    """,
    "sync test with an async fixture": """
        @pytest.fixture
        async def value(): return 42
        def test_a(value): assert value == 42
    """,
    "getfixturevalue() in an async test": """
        @pytest.fixture
        async def value(): return 42
        async def test_a(request): assert request.getfixturevalue("value") == 42
    """,
    "autouse and usefixtures": """
        done = []
        @pytest.fixture(autouse=True)
        async def auto(): done.append("auto")
        @pytest.fixture
        async def used(): done.append("used")
        @pytest.mark.usefixtures("used")
        async def test_a(): assert sorted(done) == ["auto", "used"]
    """,
    "self of a fixture method": """
        class TestA:
            @pytest.fixture
            async def value(self): self.value = 42
            async def test_a(self, value): assert self.value == 42
    """,
    "context variable of a fixture": """
        from contextvars import ContextVar
        name = ContextVar("name", default="nobody")
        @pytest.fixture(scope="module")
        async def named(): name.set("somebody")
        async def test_a(named): assert name.get() == "somebody"
        async def test_b(named): assert name.get() == "somebody"
    """,
    "a task in a module fixture fails": """
        @pytest.fixture(scope="module")
        async def server():
            async def crash():
                await sleep(0.2)
                raise ValueError("OOPS")
            async with background(crash):
                yield
        async def test_uses_it(server): await sleep(3)
        async def test_does_not(): pass
    """,
    "a task in a function fixture fails": """
        @pytest.fixture
        async def server():
            async def crash():
                await sleep(0.2)
                raise ValueError("OOPS")
            async with background(crash):
                yield
        async def test_uses_it(server): await sleep(3)
        async def test_does_not(): pass
    """,
    "a test leaves a nursery open": """
        kept = []
        async def test_leaks():
            kept.append(background())
            await kept[0].__aenter__()
        async def test_next(): await sleep(0)
    """,
    "Ctrl-C in an async test": """
        @pytest.fixture
        async def around():
            yield
            print("TORN DOWN", flush=True)
        async def test_waits(around):
            open("waits", "w").close()
            async with background():
                await sleep(5)
        async def test_next(): print("NEXT RAN", flush=True)
    """,
    "skip in a child task": """
        async def test_a():
            async def child(): pytest.skip("the reason")
            async with background(child):
                await sleep(1)
    """,
    "loop of its own in a sync test": """
        @pytest.fixture(scope="session")
        async def wide(): yield
        async def test_a(wide): pass
        def test_b():
            async def main(): return 42
            assert run(main) == 42
    """,
    "ten tests that wait 0.5 s": """
        @pytest.mark.parametrize("number", range(10))
        async def test_a(number): await sleep(0.5)
    """,
}
#: Options with which a plugin is at its best in a probe.
OPTIONS = {
    ("pytest-trio-scoped", "ten tests that wait 0.5 s"): ["--trio-parallel=10"],
}


def main() -> None:
    """Run the probes that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", choices=PROBES, help="one of the probes")
    only = parser.parse_args().only
    plugins = {name: found for name in PLUGINS if (found := _version(name))}
    print(f"Python {sys.version.split()[0]}, pytest {version('pytest')}, trio {version('trio')};")
    print(", ".join(f"{name} {found}" for name, found in plugins.items()))
    for probe in [only] if only else PROBES:
        print(f"\n{probe}")
        for plugin in plugins:
            print(f"  {plugin:27} {_run(plugin, probe)}", flush=True)


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _run(plugin: str, probe: str) -> str:
    module, ini, lib, conftest = PLUGINS[plugin]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        path.joinpath("pytest.ini").write_text("[pytest]\n" + textwrap.dedent(ini))
        path.joinpath("conftest.py").write_text(textwrap.dedent(conftest))
        path.joinpath("lib.py").write_text(textwrap.dedent(lib))
        path.joinpath("test_it.py").write_text(_PRELUDE + textwrap.dedent(PROBES[probe]))
        begin = time.monotonic()
        process = subprocess.Popen(
            [*_PYTEST, "-p", module, *OPTIONS.get((plugin, probe), [])],
            cwd=folder,
            env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if "Ctrl-C" in probe:
            while not path.joinpath("waits").exists() and process.poll() is None:
                time.sleep(0.05)
            time.sleep(0.3)
            process.send_signal(signal.SIGINT)
        try:
            output, _ = process.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            output, _ = process.communicate()
            return f"HANGS; {_gist(output)}"
        seconds = time.monotonic() - begin
        return f"exit code {process.returncode}, {seconds:.1f} s; {_gist(output)}"


def _gist(output: str) -> str:
    words = re.findall(r"SET UP|SAME \w+|TORN DOWN|NEXT RAN|OOPS|the reason", output)
    ends = re.findall(r"^(PASSED|FAILED|ERROR|SKIPPED)(?: \[1\])? (\S+)", output, re.MULTILINE)
    told = [f"{end} {name.rpartition('::')[2]}" for end, name in ends]
    return "; ".join([*dict.fromkeys(told), *dict.fromkeys(words)])


if __name__ == "__main__":
    main()
