"""The process that runs generated suites: requests come in and facts go out as lines of JSON.

If a suite takes too long, it says where it is and ends.
"""

from __future__ import annotations

import contextlib
import faulthandler
import gc
import importlib
import io
import json
import os
import re
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
import trio  # noqa: F401  (once, not in each run)
import twin_life
from sync_twin import normal, without_async

_NOT_WANTED = (
    *("faulthandler", "doctest", "pastebin", "legacypath"),
    *("threadexception", "unraisableexception"),
)
#: By what in the arguments asks for them.
_MAY_BE_WANTED = {
    "--reruns": ("debugging",),
    "--setup": ("setuponly", "setupplan"),
    "--ff --lf --nf --stepwise": ("cacheprovider", "stepwise"),
}
_DIFFERS = {
    r"0x[0-9a-f]+": "0x",
    r"Instant\([^)]*\)": "Instant",
    # The state of pytest, with the finalizers that are there.
    r"AssertionError: \(<.*": "AssertionError: (<state>)",
    # The place in pytest from which it says that there was no yield.
    r"(/_pytest/fixtures\.py):\d+: ValueError": r"\1:N: ValueError",
}
if pytest.version_tuple < (9,):
    # The place of a second yield, which is one line off there in an async generator.
    _DIFFERS[r"^((?:  )?FOLDER/\S+\.py):\d+ ?$"] = r"\1:N"
#: They are among the facts.
_WARNINGS = re.compile(r"^=+ warnings summary =+\n.*?^-- Docs: [^\n]*\n", re.DOTALL | re.MULTILINE)
#: The head of what is told of a phase; between frames there are lines without a word.
_HEAD_OF_SECTION = re.compile(r"^(_+ [^_\n].* _+\n|=+ .* =+\n)", re.MULTILINE)
#: One error in ``--tb=line`` that comes from elsewhere than the suite.
_LINE_FROM_ELSEWHERE = re.compile(
    r"^\S*/(?:_pytest|pluggy|pytest_trio_scoped)/\S+:\d+: .*\n", re.MULTILINE
)
#: Between the frames of a traceback.
_BORDER = re.compile(r"^((?:_ )+_?\n)", re.MULTILINE)
#: What ends a frame; with an exception's name, if it was raised there.
_PLACE = re.compile(r"^(\S+):\d+: (\w?)", re.MULTILINE)


class Recorder:
    """A plugin that writes down what a run does."""

    def __init__(self, folder: Path) -> None:
        self.lines: list[str] = []
        #: Phases that have failed with an error that comes out of pytest alone, as its output calls them.
        self.without_frames: set[str] = set()
        self._folder = folder

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Note the order."""
        self.lines += [f"item {item.nodeid}" for item in session.items]

    def pytest_deselected(self, items: list[pytest.Item]) -> None:
        """Note what is left out."""
        self.lines += [f"deselected {item.nodeid}" for item in items]

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note how the collection of a node has ended."""
        if not report.passed:
            self.lines.append(f"collect {report.nodeid} {report.outcome}: {report.longreprtext}")

    def pytest_fixture_setup(self, fixturedef: Any, request: pytest.FixtureRequest) -> None:
        """Note what plugins are told of a fixture of the suite."""
        if fixturedef.argname.isidentifier() and fixturedef.argname[0] != "_":
            twin_life.lines.append(f"set up {fixturedef.argname} for {request.node.nodeid}")

    @pytest.hookimpl(tryfirst=True)
    def pytest_fixture_post_finalizer(self, fixturedef: Any) -> None:
        """Note it, unless it has not been there any more."""
        name = fixturedef.argname
        if fixturedef.cached_result is not None and name.isidentifier() and name[0] != "_":
            twin_life.lines.append(f"finished {name}")

    def pytest_warning_recorded(self, warning_message: Any, when: str, nodeid: str) -> None:
        """Note a warning."""
        kind, text = warning_message.category, warning_message.message
        line = f"warning at {when} of {nodeid}: {kind.__name__} {text}"
        if not issubclass(kind, pytest.PytestWarning):  # see ``twin_intended.py``
            line += f" at {warning_message.filename}:{warning_message.lineno}"
        self.lines.append(line)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Note how a phase has ended, and with what."""
        # Its place among what is traced.
        twin_life.lines.append(f"= {call.when} {item.nodeid}")
        report = yield
        line = f"{report.when} {report.nodeid} {report.outcome}"
        if hasattr(report, "wasxfail"):
            line += f" xfail({report.wasxfail})"
        self.lines.append(line)
        self.lines.append(f"  {report.location} {report.user_properties}")
        for name, text in report.sections:
            self.lines += [f"  {name}: {each}" for each in text.splitlines()]
        if call.excinfo is not None:
            error = call.excinfo.value
            self.lines += self.exception(error, "  ")
            if report.failed and not any(self._places(error)):
                at = {"setup": "ERROR at setup of ", "teardown": "ERROR at teardown of "}
                self.without_frames.add(f"{at.get(call.when, '')}{report.head_line}")
        return report

    def exception(self, error: BaseException, indent: str) -> Generator[str]:
        notes = getattr(error, "__notes__", "")
        yield f"{indent}{type(error).__name__}: {error} {notes}"
        yield f"{indent} at {', '.join(self._places(error)) or 'nowhere'}"
        for each in error.exceptions if isinstance(error, BaseExceptionGroup) else ():
            yield from self.exception(each, f"{indent}  | ")
        if error.__cause__ is not None:
            yield from self.exception(error.__cause__, f"{indent}  cause ")
        elif error.__context__ is not None and not error.__suppress_context__:
            yield from self.exception(error.__context__, f"{indent}  context ")

    def _places(self, error: BaseException) -> Generator[str]:
        """Yield the lines of the suite that it has come through."""
        traceback = error.__traceback__
        while traceback is not None:
            path = Path(traceback.tb_frame.f_code.co_filename)
            if path.is_relative_to(self._folder):
                yield f"{path.relative_to(self._folder)}:{traceback.tb_lineno}"
            traceback = traceback.tb_next


def run(folder: Path, arguments: list[str], *, is_with_plugin: bool) -> list[str]:
    """Run the suite; return what there is to compare."""
    recorder = Recorder(folder)
    unwanted = [*_NOT_WANTED]
    for words, plugins in _MAY_BE_WANTED.items():
        if not any(each.startswith(tuple(words.split())) for each in arguments):
            unwanted += plugins
    options = [
        *("-p", "trio_scoped" if is_with_plugin else "no:trio_scoped", "--capture=sys"),
        *(f"-pno:{name}" for name in unwanted),
        *("--rootdir", str(folder), "-c", str(folder / "pytest.ini"), *arguments),
        f"--basetemp={folder.parent / 'tmp'}",
    ]
    if any(each.startswith("--reruns") for each in arguments):
        options += ["-p", "rerunfailures"]
    twin_life.forget()
    twin_life.is_with_plugin = is_with_plugin
    known, paths, here = set(sys.modules), list(sys.path), Path.cwd()
    output = io.StringIO()
    os.chdir(folder)
    try:
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
            recorder.lines.append(f"exit code {int(pytest.main(options, plugins=[recorder]))}")
    except BaseException as error:
        recorder.lines += ["raised", *recorder.exception(error, "  ")]
    finally:
        os.chdir(here)
        os.environ.pop("PYTEST_CURRENT_TEST", None)
        sys.path[:] = paths
        for name in set(sys.modules) - known:
            if str(folder) in str(getattr(sys.modules[name], "__file__", "")):
                del sys.modules[name]
        importlib.invalidate_caches()
    text = _without_paths(output.getvalue(), folder)
    if "--tb=line" in arguments:
        text = _LINE_FROM_ELSEWHERE.sub("", text)
    text = without_sections(text, recorder.without_frames)
    text = _without_frames_of_pytest(_WARNINGS.sub("", text))
    facts = [*recorder.lines, "", *twin_life.lines, ""]
    return [
        *_told(_without_paths("\n".join(facts), folder)).splitlines(),
        *(f"| {line}" for line in normal(_told(text))),
    ]


def _without_paths(text: str, folder: Path) -> str:
    return text.replace(str(folder), "FOLDER").replace(str(folder.parent), "ABOVE")


def without_sections(text: str, titles: set[str]) -> str:
    """Return the text without what is shown of these phases: the frames of pytest, and nothing else."""
    first, *parts = _HEAD_OF_SECTION.split(text)
    sections = zip(parts[::2], parts[1::2], strict=True)
    return first + "".join(
        head if head.strip("_ \n") in titles else head + body for head, body in sections
    )


def _without_frames_of_pytest(text: str) -> str:
    """Return the text without the calls within pytest between a test and a fixture that it asks for."""
    text = re.sub(
        r"^\S*/(?:_pytest|pluggy)/\S+:\d+: in .*\n(?: .*\n)*", "", text, flags=re.MULTILINE
    )
    kept: list[str] = []
    for each in _BORDER.split(text):
        shown = each
        place = _PLACE.search(each)
        if place and re.search("/(?:_pytest|pluggy)/", place[1]):
            if not place[2]:
                continue
            # What it has raised is all that is the same, and not how far to the right.
            lines = each[: place.start()].splitlines()
            errors = [f"E {line[1:].strip()}" for line in lines if line.startswith("E ")]
            shown = "\n".join([*errors, each[place.start() :]])
        if not (kept and _BORDER.match(shown) and _BORDER.match(kept[-1])):
            kept.append(shown)
    return "".join(kept)


def _told(text: str) -> str:
    """Return the text without what differs from run to run, or from one rendering to another."""
    text = without_async(text).replace("hold()", "pause()")
    for expression, replacement in _DIFFERS.items():
        text = re.sub(expression, replacement, text, flags=re.MULTILINE)
    return text


def main() -> None:
    """Answer requests until there are no more."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what is printed past pytest does not belong to the answers
    sys.dont_write_bytecode = True
    gc.collect()
    gc.freeze()
    gc.disable()  # a sixth of the time
    for number, line in enumerate(sys.stdin):
        if number % 50 == 49:
            gc.collect()
        request = json.loads(line)
        faulthandler.dump_traceback_later(request["seconds"], exit=True)
        facts = []
        for arguments in request["runs"]:
            facts += [f"### pytest {' '.join(arguments)}"]
            facts += run(
                Path(request["folder"]), arguments, is_with_plugin=request["is_with_plugin"]
            )
        faulthandler.cancel_dump_traceback_later()
        answers.write(json.dumps(facts) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
