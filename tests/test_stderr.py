"""The real stderr, past capture."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from harness import Suite

from pytest_trio_scoped._stderr import Stderr

#: Traces the threads of the alarms, and whether stderr has been opened.
_LOOK = """
import threading
from pytest_trio_scoped._session import KEY
def look(config):
    trace([thread.name for thread in threading.enumerate()].count("pytest_trio_scoped alarms"))
    trace(config.stash[KEY].stderr._file is not None)
"""


def test_what_is_written_goes_to_the_file_that_stderr_was_when_it_was_opened(
    capfd: pytest.CaptureFixture[str],
) -> None:
    stderr = Stderr()
    with capfd.disabled():
        real = os.fstat(2)
        stderr.open()
        file = stderr._file
        assert file is not None
        stderr.open()  # once is enough
        assert stderr._file == file
        assert os.path.samestat(os.fstat(file), real)
    assert not os.path.samestat(os.fstat(2), real)
    stderr.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(file)
    stderr.close()


def test_text_stands_between_empty_lines_and_threads_follow(
    capfd: pytest.CaptureFixture[str],
) -> None:
    stderr = Stderr()
    stderr.open()
    stderr.write("told \udcff")
    stderr.dump_threads()
    stderr.close()
    text = capfd.readouterr().err
    assert text.startswith("\ntold ?\n\n")
    assert "in test_text_stands_between_empty_lines_and_threads_follow" in text


@pytest.mark.parametrize("is_closed_by_user", [False, True])
def test_nothing_is_written_where_there_is_no_file(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, is_closed_by_user: bool
) -> None:
    stderr = Stderr()
    if is_closed_by_user:
        monkeypatch.setattr("sys.__stderr__", None)
        stderr.open()
    stderr.write("told")
    stderr.dump_threads()
    stderr.close()
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("ini", "trace"),
    [
        ("", ["0", "False"]),
        ("trio_timeout = 60", ["1", "True"]),
        ("faulthandler_timeout = 60", ["1", "True"]),
        ("trio_timeout = 60\nfaulthandler_timeout = 60", ["1", "True"]),
    ],
)
def test_who_needs_it_has_one_thread_and_one_file_and_who_does_not_has_none(
    suite: Suite, ini: str, trace: list[str]
) -> None:
    suite.tests(_LOOK + "async def test_a(request): look(request.config)\n")
    suite.ini(ini)
    files, threads = set(Path("/dev/fd").iterdir()), threading.active_count()
    result = suite.run()
    assert result.outcomes == {"test_a": "passed"}
    assert result.trace == trace
    assert set(Path("/dev/fd").iterdir()) <= files  # garbage of others may have been collected
    assert threading.active_count() <= threads
