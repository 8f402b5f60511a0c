"""Who may import whom: a new module has to be given a row here, which is its design review."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from subprocesses import lines_of

import pytest_trio_scoped

#: A module imports only from rows above its own.
ROWS: tuple[tuple[str, ...], ...] = (
    (
        "_errors",
        "_states",
        "_placeholder",
        "_trio_names",
        "_contexts",
        "_exceptions",
        "_alarms",
        "_stderr",
        "_code_names",
        "_locations",
        "_plan_parts",
        "_own_slots",
        "_admission",
        "_timeline_history",
    ),
    (
        "_supervisor",
        "_thread_state",
        "_nursery",
        "_user_task",
        "_wreck",
        "_plan",
        "_plan_steps",
        "_migrate_names",
        "_migrate_hints",
        "_timeline_lanes",
    ),
    (
        "_drivers",
        "_border",
        "_ctrl_c",
        "_plan_trace",
        "_migrate_settings",
        "_timeline_trace",
        "_timeline_page",
    ),
    ("_loop", "_plan_view", "_plan_order", "_migrate_toml", "_migrate_python"),
    ("_lifetime", "_claims", "_clock", "_task_tree", "_plan_formats", "_migrate_files"),
    ("_strands",),
    ("_bodies",),
    (
        "_settings",
        "_pytest_names",
        "_pytest_state_names",
        "_outcomes",
        "_requests",
        "_phases",
        "_describe",
        "_may_pass",
        "_held_reports",
        "_xdist_names",
        "_timeline_xdist",
    ),
    (
        "_session",
        "_blame",
        "_dependencies",
        "_setup_tree",
        "_own_coverage",
        "_own_logs",
        "_own_output",
        "_own_warnings",
    ),
    ("_courses",),
    (
        "_ownership",
        "_crashes",
        "_leaks",
        "_instrument_errors",
        "_starvation",
        "_timeouts",
        "_twins",
        "_own_state",
    ),
    (
        "_lending",
        "_lookahead",
        "_crash_hooks",
        "_hypothesis_tests",
        "_kinds",
        "_setup_functions",
    ),
    ("_directories",),
    ("_setup_fixtures", "_concurrent_tear_down"),
    ("_concurrent_set_up",),
    (
        "_auto_modes",
        "_bdd_steps",
        "_calls",
        "_concurrent_fixtures",
        "_collection",
        "_finalizers",
        "_fixture_check",
        "_fixtures",
        "_own_loops",
        "_planning",
        "_run",
        "_setup_hooks",
        "_timeout_hooks",
        "_exclusive",
    ),
    ("_line_up", "_own_fixtures"),
    ("_parallel_crashes", "_stretch"),
    ("_feeds",),
    ("_parallel",),
    (
        "_builtin_fixtures",
        "_check_hooks",
        "_clock_fixtures",
        "_debugging",
        "_faulthandler_tree",
        "_fixture_order",
        "_plan_hooks",
        "_pytest_timeout",
        "_seed",
        "_threads",
        "_parallel_hooks",
        "_timeline",
    ),
    ("_parallel_xdist", "_parallel_debugging", "_xdist_crashes"),
    ("plugin", "__init__", "enable_trio_mode", "migrate"),
)
ROW = {module: row for row, modules in enumerate(ROWS) for module in modules}
#: The rows down to this one could be a library of their own.
LAST_WITHOUT_PYTEST = ROW["_bodies"]
#: Whose import belongs to which modules.
OWNERS = {
    "_pytest": {"_pytest_names", "_pytest_state_names"},
    "libcst": {"_migrate_hints", "_migrate_python"},
    "sniffio": {"_trio_names"},
    "trio._": {"_trio_names"},
}
#: The modules whose task it is to touch private names of others.
TOUCH_PRIVATE_NAMES = {"_pytest_names", "_pytest_state_names", "_trio_names", "_xdist_names"}
#: Imported at the first async need, and not before.
LAZY = {"trio", "greenlet", "outcome", "sniffio"}

FOLDER = Path(pytest_trio_scoped.__file__).parent
TREES = {path.stem: ast.parse(path.read_text()) for path in FOLDER.rglob("*.py")}
every_module = pytest.mark.parametrize("module", sorted(TREES))


def imports(module: str) -> Iterator[str]:
    """Yield what ``module`` imports, at its top or in a function; own modules as ``.name``."""
    for node in ast.walk(TREES[module]):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = "." * node.level + (node.module or "")
            yield from ([start] if node.module else (f".{alias.name}" for alias in node.names))
            yield from (f"{start}.{alias.name}" for alias in node.names if not node.level)


def test_every_module_has_a_row() -> None:
    assert sorted(TREES) == sorted(ROW)
    assert sum(len(row) for row in ROWS) == len(ROW)


@every_module
def test_imports_only_from_rows_above(module: str) -> None:
    own = {name.removeprefix(".") for name in imports(module) if name.startswith(".")}
    assert own <= set(ROW)
    assert {name for name in own if ROW[name] >= ROW[module]} == set()
    assert not [name for name in imports(module) if name.startswith("pytest_trio_scoped")]


@every_module
def test_upper_rows_know_nothing_of_pytest(module: str) -> None:
    of_pytest = {
        name for name in imports(module) if name.startswith(("pytest", "_pytest", "pluggy"))
    }
    assert not of_pytest or ROW[module] > LAST_WITHOUT_PYTEST


@every_module
def test_imports_private_modules_of_others_in_one_place(module: str) -> None:
    for start, owners in OWNERS.items():
        assert module in owners or not [name for name in imports(module) if name.startswith(start)]


@every_module
def test_touches_no_private_attributes_of_others(module: str) -> None:
    if module in TOUCH_PRIVATE_NAMES:
        return
    private = [
        f"{ast.unparse(node)} in line {node.lineno}"
        for node in ast.walk(TREES[module])
        if isinstance(node, ast.Attribute)
        and node.attr.startswith("_")
        and not node.attr.startswith("__")
        and not (isinstance(node.value, ast.Name) and node.value.id in {"self", "cls"})
    ]
    assert private == []


@every_module
def test_nothing_hangs_on_the_command_that_migrates(module: str) -> None:
    """Its modules could be deleted, and libcst is imported for it alone."""
    names = {name.removeprefix(".") for name in imports(module)}
    is_of_it = module.removeprefix("_").startswith("migrate")
    assert is_of_it or not {name for name in names if "migrate" in name}


@pytest.mark.parametrize("module", ["plugin", "enable_trio_mode", "__init__"])
def test_imports_no_trio_when_the_plugin_is_loaded(module: str) -> None:
    source = f"""
        import sys
        import pytest_trio_scoped.{module}
        print(sorted({LAZY!r} & set(sys.modules)))
        import pytest_trio_scoped._twins
        print(sorted({LAZY!r} & set(sys.modules)))
    """
    assert lines_of(source, prelude="") == ["[]", str(sorted(LAZY))]
