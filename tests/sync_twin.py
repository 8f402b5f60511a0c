"""Run an async suite and its sync twin, and compare everything that they print.

The twin is the same source without ``async`` and ``await``, run without this plugin.  Sources may use
``pause()`` (a checkpoint; nothing in the twin) and ``contextmanager`` (the async or the sync one).
"""

from __future__ import annotations

import difflib
import re
import shutil
import textwrap
from collections.abc import Callable

import pytest
from harness import Recorder, Result, Suite

_ASYNC_HELPERS = """
import trio
from contextlib import asynccontextmanager as contextmanager
async def pause():
    await trio.lowlevel.checkpoint()
"""

_SYNC_HELPERS = """
from contextlib import contextmanager
def pause():
    pass
"""

_PRELUDE = "import bdb, pytest\nfrom pause import contextmanager, pause\nfrom trace import trace\n"

_CONTEXTLIB = {
    "_AsyncGeneratorContextManager": "_GeneratorContextManager",
    "__aexit__": "__exit__",
    "__aenter__": "__enter__",
    "anext(": "next(",
}


def without_async(text: str) -> str:
    """Return ``text`` without the words ``async`` and ``await``."""
    return re.sub(r"\b(async|await) ", "", text)


def run_quietly(suite: Suite, *arguments: str) -> Result:
    """Run the suite in this process, as ``suite.run`` does; a KeyboardInterrupt in it stays in it."""
    recorder = Recorder()
    result = suite.pytester.runpytest_inprocess(
        *suite._arguments(arguments), plugins=[recorder], no_reraise_ctrlc=True
    )
    phases = {name: " ".join(words) for name, words in recorder.phases.items()}
    output = "\n".join(result.outlines + result.errlines)
    return Result(int(result.ret), phases, suite.read_trace(), output)


Source = str | dict[str, str]


def write_async(suite: Suite, source: Source) -> None:
    """Write the async suite: one test file, or one for each name in ``source``."""
    _write(suite, source, _ASYNC_HELPERS, str)
    suite.ini()


def write_sync(suite: Suite, source: Source) -> None:
    """Write its twin."""
    _write(suite, source, _SYNC_HELPERS, without_async)
    suite.ini(trio_mode=False)


def _write(suite: Suite, source: Source, helpers: str, change: Callable[[str], str]) -> None:
    (suite.path / "trace.txt").unlink(missing_ok=True)
    shutil.rmtree(suite.path / "__pycache__", ignore_errors=True)
    suite.write("pause.py", helpers)
    sources = {"it": source} if isinstance(source, str) else source
    for name, text in sources.items():
        file = f"test_{name.replace(' ', '_').replace('-', '_')}.py"
        suite.write(file, _PRELUDE + change(textwrap.dedent(text)))


def assert_like_sync(suite: Suite, source: Source, *arguments: str) -> Result:
    """Compare exit code, phases, trace and the whole output of ``source`` and its twin.

    Returns the result of ``source``.
    """
    write_sync(suite, source)
    expected = run_quietly(suite, *arguments, "-p", "no:trio_scoped")
    write_async(suite, source)
    result = run_quietly(suite, *arguments)
    compare(expected, result)
    return result


def compare(expected: Result, result: Result) -> None:
    """Fail with a diff where ``result`` is not what the sync twin gave."""
    __tracebackhide__ = True
    diff = "\n".join(
        difflib.unified_diff(_lines(expected), _lines(result), "sync", "async", lineterm="")
    )
    if diff:
        pytest.fail(diff)


def _lines(result: Result) -> list[str]:
    phases = [f"{name}: {words}" for name, words in result.phases.items()]
    return [f"exit code {result.exit_code}", *phases, *result.trace, *normal(result.output)]


def normal(output: str) -> list[str]:
    """Return the lines of ``output`` without what may differ between a test and its twin."""
    output = without_async(output)
    output = re.sub(r"\b\d+\.\d\ds\b", "N.NNs", output)
    output = re.sub(r"<function FixtureHooks\S+", "<function thing", output)
    output = re.sub(r"0x[0-9a-f]+", "0x", output)
    output = re.sub(
        r"^plugins: .*\n|^.*plugin=<pytest_trio_scoped.*\n", "", output, flags=re.MULTILINE
    )
    if pytest.version_tuple < (9,):
        # There pytest calls out that our frames are hidden, and is one line off in an async generator.
        output = re.sub(r"^All traceback entries are hidden.*\n", "", output, flags=re.MULTILINE)
        output = re.sub(r"(test_second_yield\.py):\d+", r"\1:N", output)
    output = re.sub(r"={3,}", "===", output)
    # contextlib has two classes for the two kinds of context managers.
    output = re.sub(r"contextlib.py:\d+", "contextlib.py:N", output)
    for name, twin in _CONTEXTLIB.items():
        output = output.replace(name, twin)
    # Markers below a part of a line, whose length depends on "await".
    output = re.sub(r"^[\s|]*[~^]+[\s|~^]*\n", "", output, flags=re.MULTILINE)
    return without_native_frames(output).splitlines()


def without_native_frames(output: str) -> str:
    """Return ``output`` without frames outside the suite; ``--tb=native`` shows pytest's own."""
    return re.sub(
        r'^[ |]*File "(?!.*/(?:test_\w+|pause)\.py").*\n(?:[ |]+(?!File ").*\n)?',
        "",
        output,
        flags=re.MULTILINE,
    )
