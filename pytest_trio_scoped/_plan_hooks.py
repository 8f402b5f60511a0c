"""The option ``--trio-plan``: print the fixture plan of what has been collected, and run nothing."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ._locations import location_of
from ._ownership import body_of, is_async
from ._plan_formats import as_json, as_mermaid
from ._plan_trace import Event
from ._plan_view import View, text
from ._planning import FixturePlan
from ._pytest_names import is_skipped_by_mark
from ._settings import Settings

_FORMATS: dict[str, Callable[[View], str]] = {"text": text, "mermaid": as_mermaid, "json": as_json}


def prepare(config: pytest.Config) -> None:
    """Leave out what would come between us and the plan."""
    option = config.option
    option.collectonly = False  # its tree; nothing is run in any case
    # xdist: nobody has something to distribute.
    option.numprocesses, option.dist, option.tx = None, "no", []
    if option.trio_plan != "text":
        option.verbose = min(getattr(option, "verbose", 0), -2)  # not there with "-p no:terminal"
        option.disable_warnings = True


class PlanHooks:
    """Print the plan in place of the run."""

    def __init__(self, format_name: str, settings: Settings) -> None:
        self._format = _FORMATS[format_name]
        self._is_order_planned = settings.is_order_planned

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        """Print the plan, unless errors keep pytest from running what it has collected."""
        if session.testsfailed and not session.config.option.continue_on_collection_errors:
            return None
        plan = FixturePlan(session.items)
        events = list(plan.trace(is_order_planned=self._is_order_planned))
        output = self._format(view_of(plan, events, session.config.rootpath))
        reporter: Any = session.config.pluginmanager.get_plugin("terminalreporter")
        if reporter is None:
            sys.stdout.write(f"{output}\n")
        else:
            reporter.ensure_newline()
            if self._format is text:
                reporter.write_line("")
            reporter.write_line(output)
        return True


def view_of(plan: FixturePlan, events: list[Event], root: Path) -> View:
    """Return what is shown of a plan; paths are shown from ``root``."""
    return View(
        plan,
        events,
        name_of=lambda item: item.name,
        node_id_of=lambda item: item.nodeid,
        is_async=lambda item: hasattr(item, "obj") and is_async(body_of(item.obj)),
        is_skipped=is_skipped_by_mark,
        location_of=lambda definition: location_of(definition.func, root),
    )
