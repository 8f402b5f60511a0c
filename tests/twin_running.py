"""Have suites run one after the other in another process, which is a new one if it does not survive one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any, Self

WORKER = Path(__file__).parent / "twin_worker.py"


class Runner:
    """Runs suites; ``limit`` is how long one of them may take, in seconds."""

    def __init__(self, limit: float = 30) -> None:
        self._limit = limit
        self._process: subprocess.Popen[str] | None = None
        self._errors: IO[str]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def run(
        self, folder: Path, runs: Sequence[Sequence[str]], *, is_with_plugin: bool
    ) -> list[str]:
        """Run the suite in ``folder``, once for each list of arguments; return what there is to compare."""
        process = self._process or self._start()
        assert process.stdin is not None
        assert process.stdout is not None
        request: dict[str, Any] = {"folder": str(folder), "runs": runs, "seconds": self._limit}
        process.stdin.write(json.dumps({**request, "is_with_plugin": is_with_plugin}) + "\n")
        process.stdin.flush()
        if answer := process.stdout.readline():
            lines: list[str] = json.loads(answer)
            return lines
        code = process.wait()
        self._errors.seek(0)
        text = self._errors.read()
        self.close()
        return [f"the process has ended with code {code}", *text.splitlines()]

    def _start(self) -> subprocess.Popen[str]:
        environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "COLUMNS": "100"}
        for name in ("CI", "GITHUB_ACTIONS", "PYTEST_ADDOPTS", "PYTEST_CURRENT_TEST"):
            environment.pop(name, None)
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115
        self._process = subprocess.Popen(
            [sys.executable, str(WORKER)],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )
        return self._process

    def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.close()
        process.wait(self._limit)
        process.stdout.close()
        self._errors.close()
