"""Which files a migration looks at, how each is read and changed, and how it is written back."""

from __future__ import annotations

import io
import os
import shutil
import tokenize
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ._migrate_names import Remark
from ._migrate_settings import (
    Migrated,
    lines_of,
    look_for_mentions,
    migrate_ini,
    migrate_lock,
    migrate_requirements,
)
from ._migrate_toml import migrate_toml

#: Folders of others: installed, built, or kept by a tool.
_SKIPPED = {
    *(".git", ".hg", ".svn", ".venv", "venv", ".tox", ".nox", ".eggs", "build", "dist"),
    *("node_modules", "site-packages", "__pycache__", "__pypackages__"),
    *(".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis"),
}
_TOML = {"pyproject.toml", "pytest.toml", ".pytest.toml", "tox.toml", "hatch.toml", "Pipfile"}
_INI = {"setup.cfg", "tox.ini", "pytest.ini", ".pytest.ini", "mypy.ini", ".mypy.ini"}
_CODE = {".py", ".pyi"}
_SETUP = {"setup.py", "noxfile.py"}
#: Code without one of these is not parsed.
_SIGNS = (b"pytest_trio", b"pytest-trio", b"trio.testing", b"fixture", b"pytest_plugins")

Migrate = Callable[[str], Migrated]


@dataclass(frozen=True)
class Change:
    """One line that changes."""

    line: int
    old: str
    new: str


@dataclass(frozen=True)
class File:
    """What has been found in a file."""

    path: Path
    changes: list[Change]
    remarks: list[Remark]
    #: What is to be written.
    data: bytes = b""
    #: Why it could not be looked at.
    error: str = ""


def files_in(path: Path) -> Iterator[Path]:
    """Yield the files below ``path`` that may have something to change, or ``path`` if it is a file.

    No links are followed, so that nothing outside is changed, and nothing twice.
    """
    if not path.is_dir():
        yield path
        return
    for folder, folders, names in os.walk(path):
        folders[:] = sorted(
            name
            for name in folders
            if name not in _SKIPPED
            and not name.endswith(".egg-info")
            and not Path(folder, name, "pyvenv.cfg").exists()
        )
        for name in sorted(names):
            file = Path(folder, name)
            if migrate_for(file) is not None and not file.is_symlink() and file.is_file():
                yield file


def migrate_for(path: Path) -> Migrate | None:
    """Return what changes the text of such a file, None if nothing does."""
    name = path.name
    if path.suffix in _CODE:
        return partial(_migrate_python, is_setup=name in _SETUP)
    if name in _TOML:
        return migrate_toml
    if name in _INI:
        return migrate_ini
    if path.suffix in {".txt", ".in"}:
        stem = path.stem.lower()
        is_list = "requirement" in stem or "constraint" in stem
        return migrate_requirements if is_list or path.parent.name == "requirements" else None
    if path.suffix == ".lock" or name == "pylock.toml":
        return migrate_lock
    return look_for_mentions if path.suffix in {".yml", ".yaml"} else None


def _migrate_python(text: str, *, is_setup: bool) -> Migrated:
    from ._migrate_python import migrate_python  # imports libcst, which may not be there

    return migrate_python(text, is_setup=is_setup)


def look_at(path: Path) -> File | None:
    """Find out what to change in a file; None if there is nothing to say of it."""
    migrate = migrate_for(path)
    if migrate is None:
        return None
    try:
        data = path.read_bytes()
    except OSError as error:
        return File(path, [], [], error=error.strerror or str(error))
    signs = _SIGNS if path.suffix in _CODE else (b"trio",)
    if not any(sign in data.lower() for sign in signs):
        return None
    try:
        encoding = _encoding_of(path, data)
        text = data.decode(encoding)
        new, remarks = migrate(text)
    except (ValueError, SyntaxError, RecursionError) as error:
        # Most of what can't be parsed is not meant to be, and has nothing to do with pytest-trio.
        is_ours = any(sign in data.lower() for sign in _SIGNS[:2])
        return File(path, [], [], error=" ".join(str(error).split())) if is_ours else None
    pairs = zip(lines_of(text), lines_of(new), strict=True)
    changes = [
        Change(number, old.strip(), made.strip())
        for number, ((old, _), (made, _)) in enumerate(pairs, 1)
        if old != made
    ]
    if not changes and not remarks:
        return None
    return File(path, changes, remarks, new.encode(encoding))


def _encoding_of(path: Path, data: bytes) -> str:
    if path.suffix in _CODE:
        return tokenize.detect_encoding(io.BytesIO(data).readline)[0]
    return "utf-8-sig" if data.startswith(b"\xef\xbb\xbf") else "utf-8"


def write(file: File) -> None:
    """Write what has changed: all of it or, with an OSError, nothing."""
    with file.path.open("r+b"):  # or a file that is read-only would be replaced
        pass
    path = file.path.resolve()
    new = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        new.write_bytes(file.data)
        shutil.copymode(path, new)
        new.replace(path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise


def look_at_all(paths: Iterable[Path]) -> Iterator[File]:
    """Look at each file once."""
    seen = set()
    for path in paths:
        for file in files_in(path):
            real = file.resolve()
            if real not in seen:
                seen.add(real)
                found = look_at(file)
                if found is not None:
                    yield found
