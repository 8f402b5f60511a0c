"""Which lines of Python code change that was written for pytest-trio, and to what."""

from __future__ import annotations

import ast
import textwrap

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_trio_scoped import _errors

pytest.importorskip("libcst", reason="libcst is not installed")

from pytest_trio_scoped._migrate_python import migrate_python

#: What is written, and what becomes of it.
CHANGES = {
    "import pytest_trio": "import pytest_trio_scoped",
    "import pytest_trio as x": "import pytest_trio_scoped as x",
    "import pytest_trio as x\nimport pytest_trio as x\nx.trio_fixture": (
        "import pytest_trio_scoped as x\nimport pytest_trio_scoped as x\nx.trio_fixture"
    ),
    "import  os , pytest_trio  # why": "import  os , pytest_trio_scoped  # why",
    "import pytest_trio.enable_trio_mode": "import pytest_trio_scoped.enable_trio_mode",
    "import pytest_trio.enable_trio_mode as x": "import pytest_trio_scoped.enable_trio_mode as x",
    "from pytest_trio import trio_fixture": "from pytest_trio_scoped import trio_fixture",
    "from pytest_trio import trio_fixture as x": "from pytest_trio_scoped import trio_fixture as x",
    "from pytest_trio import (trio_fixture,)": "from pytest_trio_scoped import (trio_fixture,)",
    "from pytest_trio import *": "from pytest_trio_scoped import *",
    "from pytest_trio import enable_trio_mode": "from pytest_trio_scoped import enable_trio_mode",
    "from pytest_trio.plugin import trio_fixture": "from pytest_trio_scoped import trio_fixture",
    "from pytest_trio.enable_trio_mode import *  # type: ignore": (
        "from pytest_trio_scoped.enable_trio_mode import *  # type: ignore"
    ),
    "def f():\n    import pytest_trio\n    return pytest_trio.trio_fixture": (
        "def f():\n    import pytest_trio_scoped\n    return pytest_trio_scoped.trio_fixture"
    ),
    "import pytest_trio\n@pytest_trio . trio_fixture\ndef pytest_trio_x(): pass": (
        "import pytest_trio_scoped\n@pytest_trio_scoped . trio_fixture\ndef pytest_trio_x(): pass"
    ),
    "import pytest_trio\nf(pytest_trio=pytest_trio.trio_fixture, x=a.pytest_trio)": (
        "import pytest_trio_scoped\nf(pytest_trio=pytest_trio_scoped.trio_fixture, x=a.pytest_trio)"
    ),
    "import pytest_trio.enable_trio_mode\nx = pytest_trio.enable_trio_mode": (
        "import pytest_trio_scoped.enable_trio_mode\nx = pytest_trio_scoped.enable_trio_mode"
    ),
    # The name has another meaning as well, so it stays.
    "try:\n    import pytest_trio\nexcept ImportError:\n    pytest_trio = None": (
        "try:\n    import pytest_trio_scoped as pytest_trio\n"
        "except ImportError:\n    pytest_trio = None"
    ),
    "import pytest_trio\ndef f(pytest_trio): pytest_trio.trio_fixture": (
        "import pytest_trio_scoped as pytest_trio\ndef f(pytest_trio): pytest_trio.trio_fixture"
    ),
    "import pytest_trio\ngetattr(pytest_trio, 'trio_fixture')": (
        "import pytest_trio_scoped as pytest_trio\ngetattr(pytest_trio, 'trio_fixture')"
    ),
    "pytest_trio = pytest.importorskip('pytest_trio')": (
        "pytest_trio = pytest.importorskip('pytest_trio_scoped')"
    ),
    'importlib.import_module("pytest_trio.enable_trio_mode")': (
        'importlib.import_module("pytest_trio_scoped.enable_trio_mode")'
    ),
    "pytest_plugins = 'pytest_trio.plugin'": "pytest_plugins = 'pytest_trio_scoped.plugin'",
    "pytest_plugins = ['pytester', 'pytest_trio']": (
        "pytest_plugins = ['pytester', 'pytest_trio_scoped']"
    ),
    'pytest_plugins: tuple[str, ...] = ("trio",)': (
        'pytest_plugins: tuple[str, ...] = ("trio_scoped",)'
    ),
    "pytest_plugins += [r'pytest_trio.enable_trio_mode', *others]": (
        "pytest_plugins += [r'pytest_trio_scoped.enable_trio_mode', *others]"
    ),
    "pytest_plugins = 'pytester, pytest_trio.plugin,x'": (
        "pytest_plugins = 'pytester, pytest_trio_scoped.plugin,x'"
    ),
}

#: What only looks like it.
SIMILAR = [
    "import my_pytest_trio, pytest_trio_scoped, pytest_triopg",
    "from .pytest_trio import trio_fixture",
    "from . import pytest_trio",
    "from pytest_trio_tools import trio_fixture",
    "# import pytest_trio",
    '"""Uses pytest_trio: import pytest_trio; see pytest-trio."""',
    "pytest_trio.trio_fixture",
    "x = {'trio': 'pytest-trio'}",
    "pytest_plugins = ['my_trio', 'pytest_trio_tools']",
    "f('trio')",
    "install_requires = ['pytest-trio']",
]

#: What has to be done by hand: the names that the remark has.
LEFT = {
    "from pytest_trio import __version__": "pytest_trio.__version__",
    "from pytest_trio import trio_fixture, __version__": "pytest_trio.__version__",
    "from pytest_trio import plugin": "pytest_trio.plugin",
    "from pytest_trio.plugin import nursery, automark": (
        "pytest_trio.plugin.nursery, pytest_trio.plugin.automark"
    ),
    "from pytest_trio._tests import helpers": "pytest_trio._tests.helpers",
    "from pytest_trio.enable_trio_mode import pytest_fixture_setup": (
        "pytest_trio.enable_trio_mode.pytest_fixture_setup"
    ),
    "import pytest_trio.plugin": "pytest_trio.plugin",
    "import pytest_trio.plugin as x": "pytest_trio.plugin",
    "import pytest_trio\npytest_trio.trio_fixture\npytest_trio.__version__": "pytest_trio.__version__",
    "import pytest_trio as x\nx.trio_fixture\nx.plugin.automark": "pytest_trio.plugin.automark",
    "import pytest_trio.enable_trio_mode\npytest_trio = pytest_trio": "pytest_trio",
}

#: The file, the line of the remark, and what it says.
HINTS = {
    "import trio\n\nx = trio.testing.MockClock()\ny = trio.testing.Sequencer": (
        3,
        _errors.MIGRATE_TESTING,
    ),
    "x = 'pytest_trio.plugin'": (1, _errors.MIGRATE_MENTION),
    "pytest.importorskip('pytest_trio', minversion='0.8')": (1, _errors.MIGRATE_MENTION),
    (
        "@pytest.fixture\nasync def a():\n    await up.wait()\n"
        "@trio_fixture(scope='session')\nasync def b(x):\n    up.set()\n"
    ): (3, _errors.MIGRATE_WAITS.format(name="a", other="b")),
}

NO_HINTS = [
    "import trio.testing\nx = trio.testing.MockClock()",
    "from trio import testing\nimport trio\nx = trio.testing.MockClock()",
    "import trio\nfrom trio.testing import Sequencer\nx = trio.testing.MockClock()",
    # One requests the other, also through a third.
    (
        "@fixture\nasync def a(b):\n    await up.wait()\n"
        "@fixture\ndef b(c): pass\n@fixture\nasync def c():\n    up.set()\n"
    ).replace("@fixture\ndef", "@fixture\nasync def"),
    # What a fixture waits for is its own.
    (
        "@fixture\nasync def a():\n    up = trio.Event()\n    await up.wait()\n"
        "@fixture\nasync def b():\n    up = trio.Event()\n    up.set()\n"
    ),
    "async def a():\n    await up.wait()\nasync def b():\n    up.set()\n",
]


@pytest.mark.parametrize("source", CHANGES)
def test_changes(source: str) -> None:
    new, remarks = migrate_python(source)
    assert new == CHANGES[source]
    assert remarks == []
    assert migrate_python(new) == (new, [])
    ast.parse(new)


@pytest.mark.parametrize("source", SIMILAR)
def test_leaves_alone_what_is_only_similar(source: str) -> None:
    assert migrate_python(source) == (source, [])


@pytest.mark.parametrize("source", LEFT)
def test_leaves_and_names_what_has_no_successor(source: str) -> None:
    new, remarks = migrate_python(source)
    assert new == source
    assert {remark.text for remark in remarks} == {
        _errors.MIGRATE_NO_SUCCESSOR.format(names=LEFT[source])
    }
    assert all(remark.is_left for remark in remarks)


@pytest.mark.parametrize("source", HINTS)
def test_hints(source: str) -> None:
    new, remarks = migrate_python(source)
    assert new == source
    assert [(remark.line, remark.text, remark.is_left) for remark in remarks] == [
        (*HINTS[source], False)
    ]


@pytest.mark.parametrize("source", NO_HINTS)
def test_no_hints(source: str) -> None:
    assert migrate_python(source) == (source, [])


def test_requirements_in_setup_files() -> None:
    source = textwrap.dedent(
        """
        '''pytest-trio'''
        setup(
            name="pytest-trio",
            keywords=["pytest-trio"],
            install_requires=['trio', "pytest-trio>=0.6.0,<0.7.0", "pytest-trio-tools"],
            tests_require="pytest-trio",
            extras_require={"test": ("Pytest.Trio ; python_version >= '3.8'",)},
        )
        session.install("pytest", "pytest-trio[x]==0.8", *more)
        """
    )
    new, remarks = migrate_python(source, is_setup=True)
    changed = {
        old.strip(): made.strip()
        for old, made in zip(source.splitlines(), new.splitlines(), strict=True)
        if old != made
    }
    assert changed == {
        """install_requires=['trio', "pytest-trio>=0.6.0,<0.7.0", "pytest-trio-tools"],""": (
            """install_requires=['trio', "pytest-trio-scoped", "pytest-trio-tools"],"""
        ),
        'tests_require="pytest-trio",': 'tests_require="pytest-trio-scoped",',
        """extras_require={"test": ("Pytest.Trio ; python_version >= '3.8'",)},""": (
            """extras_require={"test": ("pytest-trio-scoped ; python_version >= '3.8'",)},"""
        ),
        'session.install("pytest", "pytest-trio[x]==0.8", *more)': (
            'session.install("pytest", "pytest-trio-scoped", *more)'
        ),
    }
    assert remarks == []
    assert migrate_python(source) == (source, [])


def test_what_is_no_python_is_refused_with_the_line() -> None:
    with pytest.raises(ValueError, match="line 2"):
        migrate_python("import pytest_trio\nprint 'a'\n")


@pytest.mark.parametrize("source", ["(" * 3000 + ")" * 3000, "+".join("1" * 20_000)])
def test_what_is_nested_too_deeply_is_refused(source: str) -> None:
    with pytest.raises(ValueError, match=r"too (many nested parentheses|deeply)"):
        migrate_python(f"import pytest_trio\n{source}\n")


def test_form_feeds_stay() -> None:
    assert migrate_python("\fimport pytest_trio\n\f\n")[0] == "\fimport pytest_trio_scoped\n\f\n"
    assert migrate_python("import os,\fpytest_trio")[0] == "import os,\fpytest_trio_scoped"
    in_block = "if x:\n    import pytest_trio\n\f\n    \fimport y\n\f"
    assert migrate_python(in_block)[0] == in_block.replace("trio", "trio_scoped")


def test_lines_that_libcst_drops_are_a_reason_to_leave_the_file() -> None:
    with pytest.raises(ValueError, match="does not give its lines back"):
        migrate_python("\\\nimport pytest_trio\n")
    with pytest.raises(ValueError, match="does not give its lines back"):
        migrate_python("import pytest_trio \\\n  .enable_trio_mode\n")


def test_a_part_of_a_name_of_a_plugin_is_no_name() -> None:
    source = "pytest_plugins = ['my_' 'trio']\n"
    assert migrate_python(source) == (source, [])


_SPACE = st.sampled_from([" ", "  ", "\t", " \\\n  "])
_END = st.sampled_from(["\n", "\r\n", "  # pytest_trio, pytest-trio\n", "\n\n\f\n"])


@st.composite
def _modules(draw: st.DrawFn) -> str:
    sources = draw(st.lists(st.sampled_from([*CHANGES, *SIMILAR, *LEFT, *HINTS]), max_size=5))
    text = draw(st.sampled_from(["", "\f", "# coding: utf-8\n", "#!/usr/bin/python\r\n"]))
    for number, source in enumerate(sources):
        indented = textwrap.indent(
            "pass\n" + source, draw(_SPACE.filter(lambda space: "\\" not in space))
        )
        space = draw(_SPACE) if "#" not in source else " "
        spaced = indented.replace("import ", "import" + space)
        text += f"def f{number}():\n{spaced}{draw(_END)}"
    return text


@given(_modules())
@settings(max_examples=100, deadline=None)
def test_whatever_it_is_only_the_names_change(source: str) -> None:
    new, _ = migrate_python(source)
    again, remarks = migrate_python(new)
    assert again == new
    assert not [remark for remark in remarks if remark.line > len(new.splitlines())]
    # Put back what has changed, and it is what it was.
    back = new.replace("pytest_trio_scoped as pytest_trio", "pytest_trio")
    back = back.replace("pytest_trio_scoped", "pytest_trio").replace("trio_scoped", "trio")
    old = source.replace("pytest_trio_scoped", "pytest_trio").replace(
        "pytest_trio.plugin import", "pytest_trio import"
    )
    assert back.replace("pytest_trio.plugin import", "pytest_trio import") == old
