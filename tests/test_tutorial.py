"""The tutorial, step by step: files are written and commands are called in the order of the page."""

from __future__ import annotations

import re
import shlex

import pages
from harness import Suite

PAGE = pages.DOCS / "tutorial" / "first-suite.md"


def test_what_the_tutorial_shows_is_what_comes_out(suite: Suite) -> None:
    for block in pages.blocks_of(PAGE, "ini", "python", "console"):
        if block.language == "ini":
            suite.write("pytest.ini", block.text)
        elif block.language == "python":
            assert block.file, block.text
            suite.write(block.file, block.text)
        else:
            command, _, expected = block.text.partition("\n")
            start, arguments = command.split("pytest", 1)
            assert start == "$ python -m "
            output = _without_times(suite.run(*shlex.split(arguments)).output)
            parts = [
                re.escape(part) for part in re.split(r"(?m)^\.\.\.\n", _without_times(expected))
            ]
            assert re.fullmatch("(?s:.*)".join(parts), output), f"{command}\n{output}"
        if "hang" in block.text and block.language == "console":
            (suite.path / "test_hang.py").unlink()  # as the page says


def _without_times(text: str) -> str:
    text = re.sub(r"in [\d.]+s", "in N s", text)
    text = re.sub(r"(?m)\) \.$", ").", text)  # a space that pytest 8 does not have
    return "\n".join(line.rstrip() for line in text.splitlines()) + "\n"
