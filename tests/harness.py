"""Run inner suites and get data back: how each phase of each test ended, and what the suite traced.

An inner suite writes down what happens with ``from trace import trace; trace("set up a")``; the lines
survive the end of the inner run, so tear-down after the last test is visible.
"""

from __future__ import annotations

import dataclasses
import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

EVERY_SCOPE = ("function", "class", "module", "package", "session")

every_scope = pytest.mark.parametrize("scope", EVERY_SCOPE)
every_mode = pytest.mark.parametrize("trio_mode", [True, False], ids=["trio_mode", "marked"])

#: A conftest: what is stuck or shielded is given up soon.
IMPATIENT = """
import pytest_trio_scoped._timeouts as timeouts
timeouts.PATIENCE = timeouts.GRACE = 0.4
"""

_TRACE_MODULE = """
import os
_path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "trace.txt")
def trace(line):
    with open(_path, "a") as file:
        file.write(f"{line}\\n")
"""


def name_of(value: object) -> str:
    """Return a test id without an address, which would differ from process to process."""
    return re.sub(r" at 0x[0-9a-f]+", "", repr(value))


@dataclasses.dataclass
class Result:
    """What one run of an inner suite came to."""

    exit_code: int
    #: ``{"test_a": "passed passed passed"}``: set-up, call, tear-down; node ids without the file.
    phases: dict[str, str]
    #: What the suite traced.
    trace: list[str]
    #: Everything the run printed.
    output: str

    @property
    def outcomes(self) -> dict[str, str]:
        """One word for each test: passed, failed, skipped, xfailed, xpassed or error."""
        return {name: _one_word(phases) for name, phases in self.phases.items()}


def _one_word(phases: str) -> str:
    words = phases.split()
    setup, teardown = words[0], words[-1]
    if setup == "failed" or (teardown == "failed" and len(words) != 2):
        return "error"
    if setup in ("skipped", "xfailed"):
        return setup
    return words[1]


class Recorder:
    """A plugin that writes down how each phase ended."""

    def __init__(self) -> None:
        self.phases: dict[str, list[str]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        outcome: str = report.outcome
        if hasattr(report, "wasxfail"):
            outcome = {"skipped": "xfailed", "passed": "xpassed"}.get(outcome, outcome)
        self.phases.setdefault(report.nodeid.partition("::")[2], []).append(outcome)


# The same, for a run in a subprocess: it leaves the phases in a file.
_RECORDER_MODULE = """
import json, pytest
phases = {}
is_worker = False
def pytest_configure(config):
    global is_worker
    is_worker = hasattr(config, "workerinput")
def pytest_runtest_logreport(report):
    if is_worker:  # of xdist: the controller gets its reports
        return
    outcome = report.outcome
    if hasattr(report, "wasxfail"):
        outcome = {"skipped": "xfailed", "passed": "xpassed"}.get(outcome, outcome)
    phases.setdefault(report.nodeid.partition("::")[2], []).append(outcome)
    with open("phases.json", "w") as file:
        json.dump(phases, file)
"""


class Suite:
    """An inner suite in a folder of its own."""

    def __init__(self, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
        self.pytester = pytester
        self.path: Path = pytester.path
        self._is_trio_mode: bool | None = None
        monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
        monkeypatch.delenv("CI", raising=False)  # pytest's output is longer there
        monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
        monkeypatch.syspath_prepend(pytester.path)
        self.write("trace.py", _TRACE_MODULE)

    def write(self, name: str, source: str) -> Path:
        """Write a file of the suite; ``source`` is dedented."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(source))
        return path

    def tests(self, source: str, *, trio_mode: bool = True, prelude: bool = True) -> None:
        """Write ``test_it.py``, with the usual imports in front of ``source``, and the ini file."""
        imports = (
            "import pytest, trio\n"
            "from pytest_trio_scoped import await_, trio_fixture\n"
            "from trace import trace\n"
        )
        self.write("test_it.py", (imports if prelude else "") + textwrap.dedent(source))
        self.ini(trio_mode=trio_mode)

    def ini(self, *lines: str, trio_mode: bool = True) -> None:
        """Write the ini file."""
        mode = "trio_mode = true\n" if trio_mode else ""
        self.write("pytest.ini", "[pytest]\n" + mode + "\n".join(lines) + "\n")

    def _arguments(self, arguments: tuple[str, ...]) -> list[str]:
        # By its entry point: by its module, pytest 8.4 warns that it was imported before.
        plugin = [] if "no:trio_scoped" in arguments else ["-p", "trio_scoped"]
        return ["-p", "no:cacheprovider", "-W", "error", *plugin, *arguments]

    def run(self, *arguments: str) -> Result:
        """Run the suite in this process."""
        recorder = Recorder()
        if not (self.path / "pytest.ini").exists():
            self.ini()
        result = self.pytester.runpytest_inprocess(*self._arguments(arguments), plugins=[recorder])
        phases = {name: " ".join(words) for name, words in recorder.phases.items()}
        output = "\n".join(result.outlines + result.errlines)
        return Result(int(result.ret), phases, self.read_trace(), output)

    def start(self, *arguments: str, **options: object) -> subprocess.Popen[str]:
        """Start the suite in a subprocess; see :meth:`finish`."""
        self.write("phases_recorder.py", _RECORDER_MODULE)
        if not (self.path / "pytest.ini").exists():
            self.ini()
        command = [sys.executable, "-m", "pytest", "-p", "phases_recorder"]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(self.path), *sys.path])}
        process: subprocess.Popen[str] = subprocess.Popen(
            [*command, *self._arguments(arguments)],
            cwd=self.path,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            **options,  # type: ignore[call-overload]
        )
        return process

    def finish(
        self, process: subprocess.Popen[str], *, stdin: str | None = None, seconds: float = 30
    ) -> Result:
        """Wait for a subprocess, at most ``seconds``; a run that hangs fails with its output."""
        import json

        try:
            output, _ = process.communicate(stdin, timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            output, _ = process.communicate()
            pytest.fail(f"the inner run hangs:\n{output}\ntrace: {self.read_trace()}")
        file = self.path / "phases.json"
        raw = json.loads(file.read_text()) if file.exists() else {}
        phases = {name: " ".join(words) for name, words in raw.items()}
        return Result(process.returncode, phases, self.read_trace(), output)

    def run_subprocess(
        self, *arguments: str, stdin: str | None = None, seconds: float = 30
    ) -> Result:
        """Run the suite in a subprocess with a time limit."""
        return self.finish(self.start(*arguments), stdin=stdin, seconds=seconds)

    def wait_for_trace(self, line: str, *, seconds: float = 20) -> None:
        """Wait until a started suite has traced ``line``."""
        deadline = time.monotonic() + seconds
        while line not in self.read_trace():
            if time.monotonic() > deadline:
                pytest.fail(f"the inner run never traced {line!r}, only {self.read_trace()}")
            time.sleep(0.01)

    def interrupt(self, process: subprocess.Popen[str]) -> None:
        """Send a real SIGINT."""
        process.send_signal(signal.SIGINT)

    def read_trace(self) -> list[str]:
        """Return what the suite has traced so far."""
        file = self.path / "trace.txt"
        return file.read_text().splitlines() if file.exists() else []
