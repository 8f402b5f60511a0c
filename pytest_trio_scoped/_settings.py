"""Options and ini values, parsed once."""

from __future__ import annotations

import argparse
import dataclasses
import math
import pathlib

import pytest

from . import _errors


def add_options(parser: pytest.Parser) -> None:
    """Tell pytest about the options and ini values of this plugin."""
    parser.addini(
        "trio_mode",
        "take all async tests and fixtures as Trio's, without a mark (pytest-trio-scoped)",
        type="bool",
        default=False,
    )
    parser.addini(
        "trio_run",
        "whose run() function runs the tests: trio or qtrio (pytest-trio-scoped)",
        default="trio",
    )
    parser.addini(
        "trio_timeout",
        "seconds that the set-up, the call and the tear-down of a test may take on the loop, each "
        "(pytest-trio-scoped)",
        default="",
    )
    parser.addini(
        "trio_fixture_order",
        "who decides in which order fixtures are set up: pytest, or the plan, in which wider ones come first "
        "(pytest-trio-scoped)",
        default="pytest",
    )
    parser.addini(
        "trio_concurrent_fixtures",
        "set up and tear down async fixtures of a test that do not depend on each other at the same time "
        "(pytest-trio-scoped)",
        type="bool",
        default=False,
    )
    parser.addini(
        "trio_parallel",
        "how many tests may be in flight at once: a number, or auto for 100 (pytest-trio-scoped)",
        default="",
    )
    parser.addini(
        "trio_parallel_scope",
        "tests overlap only within one: session, module or class (pytest-trio-scoped)",
        default="session",
    )
    parser.addini(
        "trio_exclusive_fixtures",
        "names of fixtures whose tests run alone when many run at once (pytest-trio-scoped)",
        type="args",
        default=[],
    )
    group = parser.getgroup("trio", "Trio (pytest-trio-scoped)")
    group.addoption(
        "--trio-parallel",
        type=_parallel_option,
        metavar="N|auto",
        help="run up to N tests at once on one loop; auto is 100, 1 is as without it",
    )
    group.addoption(
        "--trio-timeout",
        type=_seconds_option,
        metavar="SECONDS",
        help="the same for this run, 0 for no limit",
    )
    group.addoption(
        "--trio-seed",
        metavar="N|random",
        help="repeat the order in which Trio runs tasks, by this number; 'random' chooses one",
    )
    group.addoption(
        "--trio-timeline",
        type=_timeline_option,
        metavar="FILE",
        help="write the run on a time axis to a file: a page (.html), or a trace for Perfetto (.json)",
    )
    group.addoption(
        # The names with "=" are whole names for argparse, so that a path may follow the first.
        "--trio-plan",
        "--trio-plan=text",
        dest="trio_plan",
        action="store_const",
        const="text",
        help="run nothing; print which fixtures would be set up where, and what each test needs",
    )
    for name in ("mermaid", "json"):
        group.addoption(
            f"--trio-plan={name}",
            dest="trio_plan",
            action="store_const",
            const=name,
            help=f"the same as {_PLAN_FORMATS[name]}",
        )


_PLAN_FORMATS = {"mermaid": "a Mermaid flowchart", "json": "JSON, for tools"}


def seconds_of(value: str | float | None) -> float:
    """Return a limit in seconds, 0 for none; raise ValueError if ``value`` says none."""
    seconds = 0 if value is None or value == "" else float(value)
    if not 0 <= seconds < math.inf:
        raise ValueError
    return seconds


def _seconds_option(text: str) -> float:
    try:
        return seconds_of(text)
    except ValueError:
        message = _errors.NO_TIMEOUT.format(where="It", value=text, none=0)
        raise argparse.ArgumentTypeError(message) from None


def number_of(text: str) -> int:
    """Return how many tests may be in flight at once; raise ValueError if ``text`` does not say it."""
    number = AUTO if text == "auto" else int(text or "1")
    if number < 1:
        raise ValueError
    return number


def _parallel_option(text: str) -> int:
    try:
        return number_of(text)
    except ValueError:
        message = _errors.NO_NUMBER_OF_TESTS.format(where="It", value=text)
        raise argparse.ArgumentTypeError(message) from None


def _timeline_option(text: str) -> str:
    if pathlib.PurePath(text.lower()).suffix not in {".html", ".json"} or text.endswith("/"):
        raise argparse.ArgumentTypeError(_errors.TIMELINE_SUFFIX.format(value=text))
    return text  # as it is: xdist hands options on to its workers, which takes plain values only


#: How many tests may be in flight at once with "auto".
AUTO = 100


@dataclasses.dataclass(frozen=True)
class Settings:
    """What the user asked for."""

    is_trio_mode: bool
    #: The library whose ``run`` runs the tests, "trio" or "qtrio".
    run_by: str
    #: Seconds that a phase of a test may take on the loop, 0 for no limit, and who says so.
    timeout: float = 0
    timeout_source: str = "trio_timeout"
    #: Whether wider fixtures are set up before narrower ones, for all tests of the run.
    is_order_planned: bool = False
    #: Whether independent async fixtures are set up at the same time.
    has_concurrent_fixtures: bool = False
    #: How many tests may be in flight at once.
    parallel: int = 1
    #: The scope of the node within which tests may overlap.
    parallel_scope: str = "session"
    #: The fixtures whose tests run alone, besides those that are known to change the process.
    exclusive_fixtures: tuple[str, ...] = ()

    @classmethod
    def of(cls, config: pytest.Config) -> Settings:
        """Read the settings of ``config``."""
        run_by = str(config.getini("trio_run"))
        if run_by not in {"trio", "qtrio"}:
            raise pytest.UsageError(_errors.RUN_NOT_KNOWN.format(value=run_by))
        order = str(config.getini("trio_fixture_order"))
        if order not in {"pytest", "plan"}:
            raise pytest.UsageError(_errors.ORDER_NOT_KNOWN.format(value=order))
        scope = str(config.getini("trio_parallel_scope"))
        if scope not in {"session", "module", "class"}:
            raise pytest.UsageError(_errors.PARALLEL_SCOPE_NOT_KNOWN.format(value=scope))
        timeout, source = _timeout_of(config)
        return cls(
            is_trio_mode=bool(config.getini("trio_mode")),
            run_by=run_by,
            timeout=timeout,
            timeout_source=source,
            is_order_planned=order == "plan",
            has_concurrent_fixtures=bool(config.getini("trio_concurrent_fixtures")),
            parallel=_parallel_of(config),
            parallel_scope=scope,
            exclusive_fixtures=tuple(config.getini("trio_exclusive_fixtures")),
        )


def _timeout_of(config: pytest.Config) -> tuple[float, str]:
    timeout = config.getoption("--trio-timeout")
    if timeout is not None:
        return timeout, "--trio-timeout"
    text = config.getini("trio_timeout")
    try:
        return seconds_of(text), "trio_timeout"
    except ValueError:
        message = _errors.NO_TIMEOUT.format(
            where="The ini value 'trio_timeout'", value=text, none=0
        )
        raise pytest.UsageError(message) from None


def _parallel_of(config: pytest.Config) -> int:
    number: int | None = config.getoption("--trio-parallel")
    if number is not None:
        return number
    text = config.getini("trio_parallel")
    try:
        return number_of(text)
    except ValueError:
        where = "The ini value 'trio_parallel'"
        message = _errors.NO_NUMBER_OF_TESTS.format(where=where, value=text)
        raise pytest.UsageError(message) from None
