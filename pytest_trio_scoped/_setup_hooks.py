"""Finding set-up functions when pytest collects; what they are is known to ``_setup_functions``.

A suite without such functions, or with plain sync ones only, pays for the look at each module and class.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import pytest

from ._ownership import is_async
from ._pytest_names import on_xunit_registration
from ._session import TrioSession

#: For each kind, what the set-up functions and the tear-down functions are called; the first one counts.
XUNIT = {
    "module": (("setUpModule", "setup_module"), ("tearDownModule", "teardown_module")),
    "function": (("setup_function",), ("teardown_function",)),
    "class": (("setup_class",), ("teardown_class",)),
    "method": (("setup_method",), ("teardown_method",)),
}

#: The same for the functions in conftests, and for the session in plugins.
CONFTEST = {
    "session": (("setup_session",), ("teardown_session",)),
    "directory": (("setup_directory",), ("teardown_directory",)),
}
_CONFTEST_NAMES = {name for names in CONFTEST.values() for each in names for name in each}


class SetupHooks:
    """Look for set-up functions that pytest can't call by itself."""

    def __init__(self, session: TrioSession, manager: pytest.PytestPluginManager) -> None:
        self._session = session
        self._manager = manager
        #: Those that have been found, once there are some.
        self._fixtures: Any = None
        #: The plugins and conftests that have functions of their own kinds, with the directory of a conftest.
        self._plugins: list[tuple[ModuleType, Path | None]] = []
        #: Which of them have been registered, and at which nodes.
        self._seen: set[tuple[pytest.Collector, ModuleType, str]] = set()

    def pytest_plugin_registered(self, plugin: object) -> None:
        """Note the plugin if it has such functions; called for those that were there before as well."""
        if isinstance(plugin, ModuleType) and not _CONFTEST_NAMES.isdisjoint(vars(plugin)):
            path = Path(plugin.__file__ or "")
            self._plugins.append((plugin, path.parent if path.name == "conftest.py" else None))

    def pytest_collectstart(self, collector: pytest.Collector) -> None:
        """Be there when pytest registers the set-up functions of a module or class."""
        if self._plugins and isinstance(collector, pytest.File):
            self._register_plugins(collector)
        if isinstance(collector, pytest.Module):
            kinds = ("module", "function")
        elif isinstance(collector, pytest.Class):
            kinds = ("class", "method")
        else:
            return
        for kind in kinds:
            on_xunit_registration(collector, kind, partial(self._register, collector, kind))

    def _register(
        self,
        collector: pytest.Module | pytest.Class,
        kind: str,
        register_as_pytest: Callable[[], None],
    ) -> None:
        owner = collector.obj
        names = [_find(owner, each) for each in XUNIT[kind]]
        if self._fixtures is not None and kind == "class":
            self._fixtures.keep_from(collector)
        if any(name is not None and _is_ours(owner, name, kind) for name in names):
            self._need_fixtures().add(collector, owner, kind, *names)
        else:
            register_as_pytest()

    def _register_plugins(self, file: pytest.File) -> None:
        """Register the functions of the conftests above the file, and of plugins."""
        for plugin, directory in self._plugins:
            for kind, names in CONFTEST.items():
                node = _node_for(file, directory, kind)
                if node is None or (node, plugin, kind) in self._seen:
                    continue
                self._seen.add((node, plugin, kind))
                found = [_find(plugin, each) for each in names]
                if any(found):
                    self._need_fixtures().add(
                        node,
                        plugin,
                        kind,
                        *found,
                        place=_place(plugin, directory, file.config.rootpath),
                        directory=directory if kind == "directory" else None,
                    )

    def _need_fixtures(self) -> Any:
        if self._fixtures is None:
            from ._setup_fixtures import SetupFixtures

            self._fixtures = SetupFixtures(self._session)
            self._manager.register(self._fixtures)
        return self._fixtures


def _node_for(file: pytest.File, directory: Path | None, kind: str) -> pytest.Collector | None:
    """Return the node below which the functions of a plugin count, None if the file is not there."""
    if directory is None:
        return file.session if kind == "session" else None
    root = file.config.rootpath
    if directory == root or directory in root.parents:
        return file.session  # as pytest does with the fixtures of such a conftest
    for node in file.listchain():
        if isinstance(node, pytest.Directory) and node.path == directory:
            return node
    return None


def _place(plugin: ModuleType, directory: Path | None, root: Path) -> str:
    """Return what the names of a plugin's functions begin with."""
    if directory is None:
        return plugin.__name__
    path = directory / "conftest.py"
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def _find(owner: object, names: tuple[str, ...]) -> str | None:
    # Asked for each module and class, of which most have none.
    for name in names:
        if isinstance(getattr(owner, name, None), (FunctionType, MethodType)):
            return name
    return None


def _is_ours(owner: object, name: str, kind: str) -> bool:
    """Say whether pytest can't call the function by itself: it is async, or takes more than it passes."""
    function = getattr(owner, name)
    code: CodeType = function.__code__
    passed = 2 if kind == "method" else 1  # with the instance
    has_more = code.co_argcount > passed or code.co_kwonlyargcount
    is_static = code.co_argcount > 1 and isinstance(_raw(owner, name), staticmethod)
    if not (has_more or is_static or hasattr(function, "__wrapped__")):
        return is_async(function)
    from ._setup_functions import SetupFunction

    found = SetupFunction.of(owner, name, kind)
    return found is not None and (found.is_async or bool(found.fixtures))


def _raw(owner: object, name: str) -> object:
    """Return what stands in the class, which ``getattr`` would call."""
    classes = getattr(owner, "__mro__", ())
    return next((vars(each)[name] for each in classes if name in vars(each)), None)
