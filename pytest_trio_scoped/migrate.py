"""``python -m pytest_trio_scoped.migrate PATH...``: change what was written for pytest-trio."""

from __future__ import annotations

import argparse
import importlib.util
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from . import _errors
from ._migrate_files import File, look_at_all, migrate_for, write


def main(arguments: Sequence[str] | None = None) -> int:
    """List what has to change, or change it with ``--write``.

    Returns:
        0 if nothing is left to change, 1 if something is, 2 for a mistake in the arguments.

    """
    parser = argparse.ArgumentParser(
        prog="python -m pytest_trio_scoped.migrate",
        description="List what has to change in a suite that was written for pytest-trio: imports, "
        "requirements and settings.",
        epilog="Exit code: 0 if nothing is left to change, 1 if something is, 2 for a mistake here.",
    )
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="a file or a folder")
    parser.add_argument("--write", action="store_true", help="change the files")
    options = parser.parse_args(arguments)
    for path in options.paths:
        if not path.exists():
            parser.error(_errors.MIGRATE_NO_PATH.format(path=path))
        if path.is_file() and migrate_for(path) is None:
            parser.error(_errors.MIGRATE_NO_KIND.format(path=path))
    if importlib.util.find_spec("libcst") is None:
        parser.error(_errors.MIGRATE_NO_LIBCST)
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")  # lines are shown as they are
    return _run(options.paths, is_writing=options.write)


def _run(paths: Sequence[Path], *, is_writing: bool) -> int:
    lines = files = left = 0
    for file in look_at_all(paths):
        error = file.error
        if is_writing and file.changes:
            try:
                write(file)
            except OSError as failure:
                error = failure.strerror or str(failure)
        for message in _messages(file, error):
            sys.stdout.write(message + "\n")
        left += bool(error) + sum(remark.is_left for remark in file.remarks)
        if not error:
            lines += len(file.changes)
            files += bool(file.changes)
    if lines:
        text = _errors.MIGRATE_WRITTEN if is_writing else _errors.MIGRATE_TO_WRITE
        sys.stdout.write(text.format(lines=lines, files=files) + "\n")
    elif not left:
        sys.stdout.write(_errors.MIGRATE_NOTHING + "\n")
    return 1 if left or (lines and not is_writing) else 0


def _messages(file: File, error: str) -> Iterator[str]:
    if error:
        yield _errors.MIGRATE_UNREADABLE.format(path=file.path, error=error)
        return
    for change in file.changes:
        yield _errors.MIGRATE_CHANGE.format(
            path=file.path, line=change.line, old=change.old, new=change.new
        )
    for remark in file.remarks:
        text = _errors.MIGRATE_LEFT if remark.is_left else _errors.MIGRATE_HINT
        yield text.format(path=file.path, line=remark.line, text=remark.text)


if __name__ == "__main__":
    sys.exit(main())
