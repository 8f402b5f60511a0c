"""Which tests run alone when many run at once, and why.

Those that change the process for everybody: the fixtures of theirs that do so are known by their names.  What
a test does by itself can't be known; the mark ``trio_exclusive`` says it.

Pinned by ``tests/test_exclusive.py``.
"""

from __future__ import annotations

from collections.abc import Collection

import pytest

from . import _errors
from ._ownership import body_of, is_async
from ._settings import Settings

#: Our mark, and those of well-known plugins that change the process for one test, or order tests.
MARKS = (
    *("trio_exclusive", "no_cover", "disable_socket", "enable_socket", "allow_hosts"),
    *("dependency", "order"),
)
GROUP_MARK = "trio_group"

#: The fixtures of pytest, of well-known plugins and of ours that change the process.
CHANGE_THE_PROCESS = frozenset(
    {
        "capsys",
        "capsysbinary",
        "capfd",
        "capfdbinary",
        "capteesys",
        "monkeypatch",
        "recwarn",
        "pytester",
        "testdir",
        "mocker",
        "class_mocker",
        "module_mocker",
        "package_mocker",
        "session_mocker",
        # They measure time, put coverage aside, or share one server, which each empties for itself.
        "benchmark",
        "benchmark_weave",
        "no_cover",
        "httpserver",
        "httpserver_ipv4",
        "httpserver_ipv6",
        "socket_disabled",
        "socket_enabled",
        "mock_clock",
        "autojump_clock",
    }
)


if not hasattr(pytest, "Subtests"):  # the plugin pytest-subtests, which captures by itself
    CHANGE_THE_PROCESS |= {"subtests"}

#: The group of all tests of Hypothesis, which keeps in one place what the example at hand is.
_HYPOTHESIS = object()

#: Whose functions run a test, and may do so while they run others.
_RUN_SEVERAL = frozenset({"_pytest", "pytest_rerunfailures"})


class Exclusive:
    """Says of each test whether it runs alone; all do with a ``runner``, a plugin that runs them itself."""

    def __init__(self, settings: Settings, runner: str | None = None) -> None:
        self.runner = runner
        self._names = CHANGE_THE_PROCESS.union(settings.exclusive_fixtures)
        self._settings = settings
        self._lookahead: object = None

    def reason(self, item: pytest.Item) -> str | None:
        """Return why ``item`` runs alone, ``None`` if it need not."""
        for name in MARKS:
            if item.get_closest_marker(name) is not None:
                return _errors.ALONE_BY_MARK.format(name=name)
        names = getattr(item, "fixturenames", ())
        found = self._names.intersection(names)
        if found:
            return _errors.ALONE_BY_FIXTURE.format(name=min(found, key=names.index))
        if isinstance(item, pytest.Function) and self._has_own_loop(item):
            return _errors.ALONE_BY_LOOP
        if self.runner is not None:
            return _errors.ALONE_BY_RUNNER.format(name=self.runner)
        return None

    def is_exclusive_fixture(self, name: str) -> bool:
        """Say whether a test that has this fixture runs alone."""
        return name in self._names

    def _has_own_loop(self, item: pytest.Function) -> bool:
        """Say whether the test may get a loop of its own: by its mark, the ini value, or a clock."""
        marks = item.iter_markers("trio")
        if any(mark.kwargs.get("run") is not None for mark in marks):
            return True
        if self._settings.run_by != "trio" and is_async(body_of(item.obj)):
            return True
        return bool(self._clocks(item))

    def _clocks(self, item: pytest.Function) -> Collection[str]:
        from ._lookahead import Lookahead

        if self._lookahead is None:
            self._lookahead = Lookahead()
        assert isinstance(self._lookahead, Lookahead)
        return self._lookahead.clocks(item)


def runner_of(config: pytest.Config) -> str | None:
    """Return the name of a plugin that may run tests in place of pytest.

    Whether it does is decided by the plugin for each test, and not known before.
    """
    for implementation in config.hook.pytest_runtest_protocol.get_hookimpls():
        if implementation.wrapper or implementation.hookwrapper:
            continue
        module = getattr(implementation.function, "__module__", "")
        if module.partition(".")[0] not in _RUN_SEVERAL:
            return implementation.plugin_name
    return None


def groups_of(item: pytest.Item) -> list[object]:
    """Return the groups of the test; raise UsageError if a mark names none."""
    groups: list[object] = []
    if hasattr(getattr(item, "obj", None), "hypothesis"):
        groups.append(_HYPOTHESIS)
    for mark in item.iter_markers(GROUP_MARK):
        if len(mark.args) != 1 or mark.kwargs or not isinstance(mark.args[0], str):
            raise pytest.UsageError(_errors.NO_GROUP.format(nodeid=item.nodeid))
        groups.append(mark.args[0])
    return groups
