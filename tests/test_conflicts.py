"""pytest-trio in the same run: refused in words; blocked, its name is answered to."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys

import pytest
from harness import Suite

from pytest_trio_scoped import _errors

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("pytest_trio") is None,
    reason="pytest-trio is not installed; .ci/run installs it for its other runs",
)

_MESSAGE = (
    "ERROR: pytest-trio and pytest-trio-scoped are both active, and both run Trio tests.\n"
    "Uninstall pytest-trio, or switch it off with '-p no:trio'.\n"
)


def _run(suite: Suite, *arguments: str, autoload: bool) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(suite.path)}
    if autoload:
        del environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"]
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:anyio", "-p", "no:asyncio", *arguments],
        cwd=suite.path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


@pytest.mark.parametrize(
    ("arguments", "autoload"),
    [
        ([], True),
        (["-p", "trio"], True),
        (["-p", "trio_scoped"], True),
        (["-p", "trio", "-p", "trio_scoped"], False),
        (["-p", "trio_scoped", "-p", "trio"], False),
        (["-p", "pytest_trio.plugin", "-p", "pytest_trio_scoped.plugin"], False),
        (["-p", "pytest_trio_scoped.plugin", "-p", "pytest_trio.plugin"], False),
        (["--collect-only"], True),
    ],
    ids=str,
)
def test_both_active_are_refused_in_words(
    suite: Suite, arguments: list[str], autoload: bool
) -> None:
    suite.tests("async def test_a():\n    trace('ran')\n")
    process = _run(suite, *arguments, autoload=autoload)
    assert process.returncode == 4, process.stdout + process.stderr
    assert process.stderr.strip() == _MESSAGE.strip()
    assert suite.read_trace() == []


def test_the_message_is_the_one_in_the_module_of_messages() -> None:
    assert f"ERROR: {_errors.PYTEST_TRIO_IS_ACTIVE}\n" == _MESSAGE


@pytest.mark.parametrize("autoload", [True, False])
def test_with_pytest_trio_blocked_its_suites_run_and_its_name_is_answered_to(
    suite: Suite, autoload: bool
) -> None:
    suite.tests(
        """
        async def test_a(nursery, pytestconfig):
            manager = pytestconfig.pluginmanager
            assert manager.has_plugin("trio")
            assert manager.hasplugin("trio")
            assert manager.get_plugin("trio") is not None
            assert not manager.has_plugin("pytest_trio.plugin")
            trace("ran")
        """
    )
    arguments = ["-p", "no:trio", *([] if autoload else ["-p", "trio_scoped"])]
    process = _run(suite, *arguments, autoload=autoload)
    assert process.returncode == 0, process.stdout + process.stderr
    assert suite.read_trace() == ["ran"]


def test_the_name_is_answered_to_from_configuration_on(suite: Suite) -> None:
    """Suites ask in ``pytest_collection_modifyitems``, and mark their tests themselves."""
    suite.tests("async def test_a():\n    await trio.sleep(0)\n", trio_mode=False)
    suite.write(
        "conftest.py",
        """
        import inspect, pytest
        def pytest_collection_modifyitems(config, items):
            assert config.pluginmanager.has_plugin("trio")
            for item in items:
                if inspect.iscoroutinefunction(item.obj):
                    item.add_marker(pytest.mark.trio)
        """,
    )
    assert suite.run().outcomes == {"test_a": "passed"}


def test_a_conftest_that_loads_pytest_trio_is_refused_too(suite: Suite) -> None:
    suite.tests("async def test_a():\n    trace('ran')\n")
    suite.write("conftest.py", 'pytest_plugins = ["pytest_trio.plugin"]\n')
    process = _run(suite, "-p", "trio_scoped", autoload=False)
    assert process.returncode == 4, process.stdout + process.stderr
    assert "both active" in process.stderr
    assert suite.read_trace() == []
