"""Which lines of settings change that were written for pytest-trio, and to what."""

from __future__ import annotations

import textwrap
import tomllib

import pytest

from pytest_trio_scoped import _errors
from pytest_trio_scoped._migrate_names import options, plugins, required_plugins, requirement
from pytest_trio_scoped._migrate_settings import (
    Migrated,
    look_for_mentions,
    migrate_ini,
    migrate_lock,
    migrate_requirements,
)
from pytest_trio_scoped._migrate_toml import migrate_toml


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("pytest-trio", "pytest-trio-scoped"),
        ("  Pytest_Trio  ", "  pytest-trio-scoped  "),
        ("pytest.trio", "pytest-trio-scoped"),
        ("pytest-trio==0.8.0", "pytest-trio-scoped"),
        ("pytest-trio >= 0.7, < 1", "pytest-trio-scoped"),
        ("pytest-trio~=0.8", "pytest-trio-scoped"),
        ("pytest-trio (>=0.8)", "pytest-trio-scoped"),
        ("pytest-trio[a,b]!=0.6", "pytest-trio-scoped"),
        (
            "pytest-trio>=0.8; python_version >= '3.8'",
            "pytest-trio-scoped; python_version >= '3.8'",
        ),
        (
            'pytest-trio ; sys_platform == "linux"',
            'pytest-trio-scoped ; sys_platform == "linux"',
        ),
        ("pytest-trio-scoped", None),
        ("my-pytest-trio", None),
        ("pytest-trio2", None),
        ("pytest-trio-websocket>=1", None),
        ("pytest trio", None),
        ("trio", None),
        ("pytest-trio @ git+https://example.org/x", None),
        ("see pytest-trio", None),
        ("", None),
    ],
)
def test_requirement(old: str, new: str | None) -> None:
    assert requirement(old) == new
    assert new is None or requirement(new) is None


@pytest.mark.parametrize(
    ("old", "new", "remarks"),
    [
        ("-p trio -ra", "-p trio_scoped -ra", []),
        ("-ptrio", "-ptrio_scoped", []),
        ("-v -p pytest_trio.plugin", "-v -p pytest_trio_scoped.plugin", []),
        ("-p pytest_trio", "-p pytest_trio_scoped", []),
        (
            "-p pytest_trio.enable_trio_mode",
            "-p pytest_trio_scoped.enable_trio_mode",
            [],
        ),
        ("-p no:trio -ra", "-p no:trio -ra", ["trio"]),
        ("-p no:pytest_trio.plugin", "-p no:pytest_trio.plugin", ["pytest_trio.plugin"]),
        ("-p trio_scoped -p trio2 -p no:asyncio -k trio", None, []),
        ("-p no:trio_scoped", None, []),
        ("--pp trio", None, []),
    ],
)
def test_options(old: str, new: str | None, remarks: list[str]) -> None:
    found: list[str] = []
    assert options(old, found.append) == (old if new is None else new)
    assert found == [_errors.MIGRATE_SWITCHED_OFF.format(name=name) for name in remarks]


def test_plugins() -> None:
    assert plugins("trio") == "trio_scoped"
    assert plugins(" a,pytest_trio.plugin ,,b") == " a,pytest_trio_scoped.plugin ,,b"
    assert plugins("pytest_trio_scoped, triox") == "pytest_trio_scoped, triox"


def test_required_plugins() -> None:
    assert (
        required_plugins("x pytest-trio>=0.8 pytest-trio-y") == "x pytest-trio-scoped pytest-trio-y"
    )


def _changed(source: str, migrated: Migrated) -> dict[int, str]:
    """Return the lines that are new, by number; they are at their place, and no others differ."""
    old, new = source.split("\n"), migrated[0].split("\n")
    assert len(old) == len(new)
    return {
        number: made
        for number, (line, made) in enumerate(zip(old, new, strict=True), 1)
        if line != made
    }


def _remarks(migrated: Migrated) -> list[tuple[int, str, bool]]:
    return [(remark.line, remark.text, remark.is_left) for remark in migrated[1]]


INI = """\
# pytest-trio is what we use
[metadata]
name = pytest-trio
keywords = pytest-trio
[options]
tests_require = pytest-trio>=0.6
install_requires =
\ttrio
\tpytest-trio >= 0.7.0  \r
    # pytest-trio
[options.extras_require]
s_pytest_trio =
    pytest-trio ; python_version > "3"
all = %(s_pytest_trio)s
[testenv]
deps =
    py3{8,9}: pytest-trio<1  # pytest-trio
    -rrequirements.txt
commands = pip install pytest-trio
    pytest https://github.com/python-trio/pytest-trio
[tool:pytest]
trio_mode = true
required_plugins = pytest-trio>=0.8 pytest-xdist
addopts = -ra
    -p trio
    -p no:trio
    -p no:pytest_trio.plugin
"""


def test_ini() -> None:
    migrated = migrate_ini(INI)
    assert _changed(INI, migrated) == {
        6: "tests_require = pytest-trio-scoped",
        9: "\tpytest-trio-scoped  \r",
        13: '    pytest-trio-scoped ; python_version > "3"',
        17: "    py3{8,9}: pytest-trio-scoped  # pytest-trio",
        23: "required_plugins = pytest-trio-scoped pytest-xdist",
        25: "    -p trio_scoped",
    }
    assert _remarks(migrated) == [
        (3, _errors.MIGRATE_MENTION, False),
        (4, _errors.MIGRATE_MENTION, False),
        (19, _errors.MIGRATE_MENTION, False),
        (26, _errors.MIGRATE_SWITCHED_OFF.format(name="trio"), False),
        (27, _errors.MIGRATE_SWITCHED_OFF.format(name="pytest_trio.plugin"), False),
    ]
    assert migrate_ini(migrated[0])[0] == migrated[0]


REQUIREMENTS = """\
# pytest-trio
pytest-trio
pytest-trio==0.8.0  # as long as it works: pytest-trio
  pytest_trio>=0.7 ; python_version < "3.12"\r
pytest-trio-websocket
trio  # via pytest-trio
-e git+https://example.org/x#egg=pytest-trio
pytest-trio @ https://example.org/y.whl
"""


def test_requirements() -> None:
    migrated = migrate_requirements(REQUIREMENTS)
    assert _changed(REQUIREMENTS, migrated) == {
        2: "pytest-trio-scoped",
        3: "pytest-trio-scoped  # as long as it works: pytest-trio",
        4: '  pytest-trio-scoped ; python_version < "3.12"\r',
    }
    assert _remarks(migrated) == [
        (7, _errors.MIGRATE_MENTION, False),
        (8, _errors.MIGRATE_MENTION, False),
    ]


@pytest.mark.parametrize(
    "source",
    [
        "#\n# This file is autogenerated by pip-compile with Python 3.12\n#\npytest-trio==0.8.0\n",
        "# This file was autogenerated by uv\ntrio==1\n\npytest-trio==0.8.0\n",
        "trio\n\n\npytest-trio==0.8.0 \\\n    --hash=sha256:00\n",
        "trio\n\n\npytest-trio==0.8.0 --hash=sha256:00\n",
    ],
)
def test_what_a_tool_has_written_is_left(source: str) -> None:
    migrated = migrate_requirements(source)
    assert migrated[0] == source
    assert _remarks(migrated) == [(4, _errors.MIGRATE_GENERATED, True)]


def test_lock_files_and_yaml() -> None:
    lock = '[[package]]\nname = "pytest-trio"\nurl = "https://x/pytest-trio-1"\n'
    assert _remarks(migrate_lock(lock)) == [(2, _errors.MIGRATE_GENERATED, True)]
    assert migrate_lock(lock.replace("trio", "trio-scoped")) == (
        lock.replace("trio", "trio-scoped"),
        [],
    )
    yaml = "# pytest-trio\nrun: pip install pytest-trio  # x\nuses: python-trio/pytest-trio\n"
    assert _remarks(look_for_mentions(yaml)) == [(2, _errors.MIGRATE_MENTION, False)]


TOML = """\
[build-system]
requires = ["hatchling"]  # no "pytest-trio"
[project]
name = "pytest-trio"
keywords = [ "pytest-trio" ]
requires-python = ">=3.11"
dependencies = ["trio", 'pytest-trio>=0.8', # "pytest-trio"
  "pytest-trio-websocket",
    "pytest-trio[x] ; python_version < '3.12'",
]
[project.urls]
pytest-trio = "https://example.org/pytest-trio"
[project.optional-dependencies]
test = [
    # pytest-trio
    "pytest_trio",\r
]
"a.b" = ['''pytest-trio''']
[dependency-groups]
dev = [{ include-group = "test" }, "Pytest-Trio==0.8.0"]
[tool.hatch.envs.test]
extra-dependencies = ["pytest-trio"]
scripts.all = "pip install pytest-trio"
[tool.poetry.dev-dependencies]
pytest-trio = "^0.8"
[tool.poetry.group.test.dependencies]
"pytest-trio" = ">=0.7" # note
[tool.tox]
deps = ["pytest-trio"]
legacy_tox_ini = \"\"\"
[testenv]
deps =
    pytest-trio
commands = pip install pytest-trio
\"\"\"
[tool.pytest.ini_options]
addopts = ["-ra", "-p", "trio", "-p", "no:trio", "-p", "asyncio"]
required_plugins = "pytest-trio pytest-xdist"
[tool.pytest]
addopts = "-p pytest_trio.plugin"
[[tool.mypy.overrides]]
module = "pytest_trio.*"
[pytest]
addopts = "-p no:pytest_trio.plugin"
"""


def test_toml() -> None:
    migrated = migrate_toml(TOML)
    assert _changed(TOML, migrated) == {
        7: """dependencies = ["trio", 'pytest-trio-scoped', # "pytest-trio\"""",
        9: "    \"pytest-trio-scoped ; python_version < '3.12'\",",
        16: '    "pytest-trio-scoped",\r',
        18: "\"a.b\" = ['''pytest-trio-scoped''']",
        20: 'dev = [{ include-group = "test" }, "pytest-trio-scoped"]',
        22: 'extra-dependencies = ["pytest-trio-scoped"]',
        25: 'pytest-trio-scoped = "*"',
        27: '"pytest-trio-scoped" = "*" # note',
        29: 'deps = ["pytest-trio-scoped"]',
        33: "    pytest-trio-scoped",
        37: 'addopts = ["-ra", "-p", "trio_scoped", "-p", "no:trio", "-p", "asyncio"]',
        38: 'required_plugins = "pytest-trio-scoped pytest-xdist"',
        40: 'addopts = "-p pytest_trio_scoped.plugin"',
    }
    assert _remarks(migrated) == [
        (4, _errors.MIGRATE_MENTION, False),
        (5, _errors.MIGRATE_MENTION, False),
        (23, _errors.MIGRATE_MENTION, False),
        (34, _errors.MIGRATE_MENTION, False),
        (37, _errors.MIGRATE_SWITCHED_OFF.format(name="trio"), False),
        (42, _errors.MIGRATE_MENTION, False),
        (44, _errors.MIGRATE_SWITCHED_OFF.format(name="pytest_trio.plugin"), False),
    ]
    tomllib.loads(migrated[0])
    assert migrate_toml(migrated[0])[0] == migrated[0]


@pytest.mark.parametrize(
    ("source", "text"),
    [
        (
            "[tool.poetry.dependencies]\npytest-trio = { git = 'x', rev = '1' }\n",
            _errors.MIGRATE_BY_HAND,
        ),
        (
            "[tool.poetry.dependencies.pytest-trio]\nversion = '^0.8'\n",
            _errors.MIGRATE_BY_HAND,
        ),
        (
            "[tool.poetry.dependencies]\npytest-trio = '*'\npytest-trio-scoped = '*'\n",
            _errors.MIGRATE_TWICE,
        ),
    ],
)
def test_toml_that_is_left(source: str, text: str) -> None:
    migrated = migrate_toml(source)
    assert migrated[0] == source
    assert _remarks(migrated) == [(2, text, True)]


@pytest.mark.parametrize(
    "source",
    [
        "a = [[1, 2], ['pytest-trio']]\n[x]\ny = {a = 1, b = ['q']}\nz.\"w\".v = 1 # x\n",
        "a = '''\n[dependencies]\nb = \"pytest-trio\"\n'''\ndates = 1979-05-27T07:32:00Z\n",
        '"dependencies" = "\\"pytest-trio"\nc = """a"""""\n',
        textwrap.dedent(
            """
            [[a]]
              b = [ # pytest-trio "
                1,
              ] # '
            [a.dependencies]
            """
        ),
    ],
)
def test_other_toml_stays(source: str) -> None:
    tomllib.loads(source)
    assert migrate_toml(source)[0] == source
    # The scanner is in step at the end.
    end = "[last.requires]\nx = ['pytest-trio']\n"
    assert migrate_toml(source + end)[0] == source + end.replace("trio", "trio-scoped")


def test_what_is_no_toml_is_refused() -> None:
    with pytest.raises(ValueError, match="line 1"):
        migrate_toml("dependencies = [pytest-trio]\n")
