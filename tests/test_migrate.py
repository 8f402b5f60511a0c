"""The command: which files it looks at, what it prints, how it writes and how it ends."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_trio_scoped import _errors
from pytest_trio_scoped.migrate import main

pytest.importorskip("libcst", reason="libcst is not installed")

CODE = "import pytest_trio\n"
NEW_CODE = "import pytest_trio_scoped\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory of the command."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(folder: Path, name: str, text: str | bytes = CODE) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_lists_then_writes_then_has_nothing_to_do(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = write(
        folder, "tests/conftest.py", "from pytest_trio import trio_fixture  # x\n\n" + CODE
    )
    settings = write(folder, "pyproject.toml", "[project]\ndependencies = ['pytest-trio>=0.8']\n")
    before = code.read_bytes(), settings.read_bytes()
    lines = [
        "pyproject.toml:2: dependencies = ['pytest-trio>=0.8']  ->  dependencies = ['pytest-trio-scoped']",
        (
            "tests/conftest.py:1: from pytest_trio import trio_fixture  # x  ->  "
            "from pytest_trio_scoped import trio_fixture  # x"
        ),
        "tests/conftest.py:3: import pytest_trio  ->  import pytest_trio_scoped",
    ]

    assert main(["."]) == 1
    assert capsys.readouterr().out.splitlines() == [
        *lines,
        _errors.MIGRATE_TO_WRITE.format(lines=3, files=2),
    ]
    assert (code.read_bytes(), settings.read_bytes()) == before

    assert main(["--write", "."]) == 0
    assert capsys.readouterr().out.splitlines() == [
        *lines,
        _errors.MIGRATE_WRITTEN.format(lines=3, files=2),
    ]
    assert code.read_text() == "from pytest_trio_scoped import trio_fixture  # x\n\n" + NEW_CODE
    after = code.read_bytes(), settings.read_bytes()

    for arguments in (["."], [".", "--write"]):
        assert main(arguments) == 0
        assert capsys.readouterr().out == _errors.MIGRATE_NOTHING + "\n"
    assert (code.read_bytes(), settings.read_bytes()) == after


def test_what_is_left_ends_in_1_and_a_hint_does_not(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(folder, "a.py", "import trio\ntrio.testing.MockClock\n")
    assert main(["--write", "."]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"a.py:2: hint: {_errors.MIGRATE_TESTING}",
        _errors.MIGRATE_NOTHING,
    ]
    write(folder, "b.py", "import pytest_trio.plugin\n")
    write(folder, "c.py")
    text = _errors.MIGRATE_NO_SUCCESSOR.format(names="pytest_trio.plugin")
    assert main(["--write", "b.py", "c.py"]) == 1
    assert capsys.readouterr().out.splitlines() == [
        f"b.py:1: left as it is: {text}",
        "c.py:1: import pytest_trio  ->  import pytest_trio_scoped",
        _errors.MIGRATE_WRITTEN.format(lines=1, files=1),
    ]
    assert main(["."]) == 1


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"\xef\xbb\xbfimport pytest_trio\r\n", b"\xef\xbb\xbfimport pytest_trio_scoped\r\n"),
        (
            b"# coding: latin-1\nx = '\xe9'\nimport pytest_trio  # \xe9\n",
            b"# coding: latin-1\nx = '\xe9'\nimport pytest_trio_scoped  # \xe9\n",
        ),
        (
            b"#!/bin/x\n# -*- coding: shift_jis -*-\nx = '\x83\\'\nimport pytest_trio\r\n\r\n",
            b"#!/bin/x\n# -*- coding: shift_jis -*-\nx = '\x83\\'\nimport pytest_trio_scoped\r\n\r\n",
        ),
        (
            b"import pytest_trio\r\nx=1\ry=2\n\tz='\xe2\x80\xa8\x0b'",
            None,  # what is indented like this is no Python
        ),
        (
            b"import pytest_trio\r\nx = 1\ry = 2\nz = '\xe2\x80\xa8\x0b'",
            b"import pytest_trio_scoped\r\nx = 1\ry = 2\nz = '\xe2\x80\xa8\x0b'",
        ),
    ],
)
def test_bytes_that_are_no_name_stay(folder: Path, old: bytes, new: bytes | None) -> None:
    path = write(folder, "a.py", old)
    assert main(["--write", "a.py"]) == (0 if new else 1)
    assert path.read_bytes() == (new or old)


def test_a_byte_order_mark_of_settings_stays(folder: Path) -> None:
    path = write(folder, "requirements.txt", b"\xef\xbb\xbfpytest-trio\r\ntrio\r\n")
    assert main(["--write", "."]) == 0
    assert path.read_bytes() == b"\xef\xbb\xbfpytest-trio-scoped\r\ntrio\r\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import pytest_trio\nprint 'a'\n", "line 2"),
        (b"# coding: nosuch\nimport pytest_trio\n", "unknown encoding"),
        (b"import pytest_trio\nx = '\xe9'\n", "invalid"),
        ("import pytest_trio\nx = 1" + " + 1" * 1500, "recursion"),
    ],
    ids=["syntax", "no encoding", "encoding", "long"],
)
def test_what_cannot_be_read_is_named_and_left(
    folder: Path, capsys: pytest.CaptureFixture[str], text: str | bytes, message: str
) -> None:
    path = write(folder, "a.py", text)
    before = path.read_bytes()
    write(folder, "b.py")
    assert main(["--write", "."]) == 1
    first, *rest = capsys.readouterr().out.splitlines()
    assert first.startswith("a.py: left as it is: ")
    assert message in first
    assert rest == [
        "b.py:1: import pytest_trio  ->  import pytest_trio_scoped",
        _errors.MIGRATE_WRITTEN.format(lines=1, files=1),
    ]
    assert path.read_bytes() == before


def test_what_cannot_be_parsed_and_does_not_mention_it_is_nobodys_business(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(folder, "template.py", "{{ fixture }} trio.testing {% if %}\n")
    write(folder, "pyproject.toml", "[fixture\n")
    assert main(["."]) == 0
    assert capsys.readouterr().out == _errors.MIGRATE_NOTHING + "\n"


@pytest.mark.skipif(sys.platform == "win32", reason="permissions")
def test_a_file_that_cannot_be_read_or_written_is_named(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(folder, "a.py")
    write(folder, "b.py")
    real = {"read": Path.read_bytes, "write": Path.write_bytes}

    def read(path: Path) -> bytes:
        if path.name == "a.py":
            raise PermissionError(13, "Permission denied")
        return real["read"](path)

    def refuse(path: Path, data: bytes) -> int:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(Path, "read_bytes", read)
    monkeypatch.setattr(Path, "write_bytes", refuse)
    assert main(["--write", "."]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "a.py: left as it is: Permission denied",
        "b.py: left as it is: Read-only file system",
    ]


def test_a_disk_that_is_full_loses_nothing(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(folder, "a.py").chmod(0o640)
    real = Path.write_bytes

    def fill(path: Path, data: bytes) -> int:
        real(path, data[:7])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", fill)
        assert main(["--write", "."]) == 1
    assert capsys.readouterr().out == "a.py: left as it is: No space left on device\n"
    assert [(each.name, each.read_text()) for each in folder.iterdir()] == [("a.py", CODE)]
    (folder / "link.py").symlink_to("a.py")
    assert main(["--write", "link.py"]) == 0
    assert (folder / "link.py").is_symlink()
    assert "pytest_trio_scoped" in (folder / "a.py").read_text()
    assert (folder / "a.py").stat().st_mode & 0o777 == 0o640


def test_folders_of_others_and_links_are_left_out(folder: Path) -> None:
    skipped = [
        write(folder, f"{name}/a.py")
        for name in (
            *(
                ".git",
                ".venv",
                "venv",
                ".tox",
                ".nox",
                "build",
                "dist",
                "node_modules",
                "x.egg-info",
            ),
            *("tests/__pycache__", ".mypy_cache", "lib/site-packages/pytest_trio"),
        )
    ]
    write(folder, "my-env/pyvenv.cfg", "")
    skipped.append(write(folder, "my-env/lib/a.py"))
    skipped.append(write(folder, "docs/a.md"))
    outside = write(folder.parent / "outside", "a.py")
    taken = [write(folder, "src/a.py"), write(folder, ".github/a.py")]
    if sys.platform != "win32":
        (folder / "linked").symlink_to(outside.parent)
        (folder / "linked.py").symlink_to(outside)
        (folder / "dangling.py").symlink_to(folder / "nothing.py")
        os.mkfifo(folder / "pipe.py")
    assert main(["--write", "."]) == 0
    assert {path.read_text() for path in [*skipped, outside]} == {CODE}
    assert {path.read_text() for path in taken} == {NEW_CODE}
    # What is named is meant.
    assert main(["--write", "build", ".venv/a.py"]) == 0
    assert (folder / "build/a.py").read_text() == NEW_CODE
    assert (folder / ".venv/a.py").read_text() == NEW_CODE


def test_a_file_is_looked_at_once(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(folder, "src/a.py")
    assert main([".", "src", "src/a.py", "./src/../src/a.py"]) == 1
    assert capsys.readouterr().out.count("import pytest_trio_scoped") == 1


def test_settings_and_lists_are_known_by_their_names(folder: Path) -> None:
    ini, line = "[pytest]\naddopts = -p trio\n", "pytest-trio\n"
    files = {
        **dict.fromkeys(["setup.cfg", "tox.ini", "a/pytest.ini"], ini),
        **dict.fromkeys(["requirements.txt", "test-requirements.in", "requirements/dev.txt"], line),
        **dict.fromkeys(["pyproject.toml", "Pipfile"], "[x.dependencies]\npytest-trio = '*'\n"),
        "setup.py": "setup(tests_require=['pytest-trio'])\n",
        "conftest.py": "pytest_plugins = ['trio']\n",
        "noxfile.py": "session.install('pytest-trio')\n",
    }
    for name, text in files.items():
        write(folder, name, text)
    others = {"notes.txt": line, "a.py": "x = ['pytest-trio']\n", "README.md": line}
    for name, text in others.items():
        write(folder, name, text)
    assert main(["--write", "."]) == 0
    for name, text in files.items():
        new = text.replace("pytest-trio", "pytest-trio-scoped").replace("-p trio", "-p trio_scoped")
        new = new.replace("'trio'", "'trio_scoped'")
        assert (folder / name).read_text() == new
    for name, text in others.items():
        assert (folder / name).read_text() == text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the following arguments are required: PATH"),
        (["nothing"], _errors.MIGRATE_NO_PATH.format(path="nothing")),
        (["a.md"], _errors.MIGRATE_NO_KIND.format(path="a.md")),
        (["--wirte", "."], "unrecognized arguments: --wirte"),
    ],
)
def test_mistakes_end_in_2(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    write(folder, "a.md")
    with pytest.raises(SystemExit) as info:
        main(arguments)
    assert info.value.code == 2
    assert message in capsys.readouterr().err


def test_without_libcst_it_says_what_to_install(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "libcst", None)
    write(folder, "a.py")
    with pytest.raises(SystemExit) as info:
        main(["."])
    assert info.value.code == 2
    assert capsys.readouterr().err.splitlines()[-1].endswith(_errors.MIGRATE_NO_LIBCST)


def test_it_is_a_command(folder: Path) -> None:
    """Its output is what a pipe takes that knows ASCII alone."""
    write(folder, "a.py", "import pytest_trio  # \u00e9\n".encode())
    package = Path(_errors.__file__).parent.parent
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "pytest_trio_scoped.migrate", "."],
        env={**os.environ, "PYTHONPATH": str(package), "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.stderr == b""
    assert done.returncode == 1
    assert done.stdout.splitlines()[0] == (
        rb"a.py:1: import pytest_trio  # \xe9  ->  import pytest_trio_scoped  # \xe9"
    )
