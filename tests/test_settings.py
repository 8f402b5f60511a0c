"""Options and ini values are parsed once, into something that can't be changed."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from pytest_trio_scoped._settings import Settings, add_options


class RecordingParser:
    def __init__(self) -> None:
        self.ini: dict[str, dict[str, Any]] = {}
        self.options: dict[str, dict[str, Any]] = {}

    def addini(self, name: str, help: str, **options: Any) -> None:  # noqa: A002 (pytest's name)
        self.ini[name] = {"help": help, **options}

    def getgroup(self, name: str, description: str) -> RecordingParser:
        assert (name, description) == ("trio", "Trio (pytest-trio-scoped)")
        return self

    def addoption(self, *names: str, **options: Any) -> None:
        self.options[" ".join(names)] = options


class FakeConfig:
    def __init__(self, **values: Any) -> None:
        self.values = values

    def getini(self, name: str) -> Any:
        defaults = {
            "trio_mode": False,
            "trio_run": "trio",
            "trio_fixture_order": "pytest",
            "trio_concurrent_fixtures": False,
            "trio_parallel_scope": "session",
        }
        return self.values.get(name, defaults.get(name, ""))

    def getoption(self, name: str) -> Any:
        return self.values.get(name)


def test_every_ini_value_says_what_it_does_and_who_reads_it() -> None:
    parser = RecordingParser()
    add_options(parser)  # type: ignore[arg-type]
    assert parser.ini == {
        "trio_mode": {
            "help": "take all async tests and fixtures as Trio's, without a mark (pytest-trio-scoped)",
            "type": "bool",
            "default": False,
        },
        "trio_run": {
            "help": "whose run() function runs the tests: trio or qtrio (pytest-trio-scoped)",
            "default": "trio",
        },
        "trio_timeout": {
            "help": (
                "seconds that the set-up, the call and the tear-down of a test may take on the loop, each "
                "(pytest-trio-scoped)"
            ),
            "default": "",
        },
        "trio_fixture_order": {
            "help": (
                "who decides in which order fixtures are set up: pytest, or the plan, in which wider ones "
                "come first (pytest-trio-scoped)"
            ),
            "default": "pytest",
        },
        "trio_concurrent_fixtures": {
            "help": (
                "set up and tear down async fixtures of a test that do not depend on each other at the same "
                "time (pytest-trio-scoped)"
            ),
            "type": "bool",
            "default": False,
        },
        "trio_parallel": {
            "help": (
                "how many tests may be in flight at once: a number, or auto for 100 (pytest-trio-scoped)"
            ),
            "default": "",
        },
        "trio_parallel_scope": {
            "help": "tests overlap only within one: session, module or class (pytest-trio-scoped)",
            "default": "session",
        },
        "trio_exclusive_fixtures": {
            "help": (
                "names of fixtures whose tests run alone when many run at once (pytest-trio-scoped)"
            ),
            "type": "args",
            "default": [],
        },
    }


def test_every_option_says_what_it_does() -> None:
    parser = RecordingParser()
    add_options(parser)  # type: ignore[arg-type]
    del parser.options["--trio-timeout"]["type"]
    del parser.options["--trio-parallel"]["type"]
    del parser.options["--trio-timeline"]["type"]
    plan = {"dest": "trio_plan", "action": "store_const"}
    assert parser.options == {
        "--trio-parallel": {
            "metavar": "N|auto",
            "help": "run up to N tests at once on one loop; auto is 100, 1 is as without it",
        },
        "--trio-timeout": {"metavar": "SECONDS", "help": "the same for this run, 0 for no limit"},
        "--trio-seed": {
            "metavar": "N|random",
            "help": "repeat the order in which Trio runs tasks, by this number; 'random' chooses one",
        },
        "--trio-timeline": {
            "metavar": "FILE",
            "help": (
                "write the run on a time axis to a file: a page (.html), or a trace for Perfetto (.json)"
            ),
        },
        "--trio-plan --trio-plan=text": {
            **plan,
            "const": "text",
            "help": "run nothing; print which fixtures would be set up where, and what each test needs",
        },
        "--trio-plan=mermaid": {
            **plan,
            "const": "mermaid",
            "help": "the same as a Mermaid flowchart",
        },
        "--trio-plan=json": {**plan, "const": "json", "help": "the same as JSON, for tools"},
    }


@pytest.mark.parametrize("value", [True, False])
def test_reads_the_mode(value: bool) -> None:
    settings = Settings.of(FakeConfig(trio_mode=value, trio_run="trio"))  # type: ignore[arg-type]
    assert settings == Settings(is_trio_mode=value, run_by="trio")


@pytest.mark.parametrize("value", [True, False])
def test_reads_whether_fixtures_are_concurrent(value: bool) -> None:
    settings = Settings.of(FakeConfig(trio_concurrent_fixtures=value))  # type: ignore[arg-type]
    assert settings == Settings(is_trio_mode=False, run_by="trio", has_concurrent_fixtures=value)


@pytest.mark.parametrize("value", ["trio", "qtrio"])
def test_reads_whose_run_function_runs_the_tests(value: str) -> None:
    settings = Settings.of(FakeConfig(trio_mode=True, trio_run=value))  # type: ignore[arg-type]
    assert settings == Settings(is_trio_mode=True, run_by=value)


def test_refuses_other_libraries() -> None:
    with pytest.raises(pytest.UsageError, match="'trio_run' is 'asyncio'"):
        Settings.of(FakeConfig(trio_mode=True, trio_run="asyncio"))  # type: ignore[arg-type]


@pytest.mark.parametrize(("value", "is_planned"), [("pytest", False), ("plan", True)])
def test_reads_the_order_of_fixtures(value: str, is_planned: bool) -> None:
    settings = Settings.of(FakeConfig(trio_fixture_order=value))  # type: ignore[arg-type]
    assert settings.is_order_planned is is_planned


def test_refuses_other_orders() -> None:
    with pytest.raises(pytest.UsageError, match="'trio_fixture_order' is 'random'"):
        Settings.of(FakeConfig(trio_fixture_order="random"))  # type: ignore[arg-type]


def test_asks_for_every_ini_value_that_it_declares() -> None:
    parser = RecordingParser()
    add_options(parser)  # type: ignore[arg-type]
    config = FakeConfig()
    asked: list[str] = []
    config.getini = lambda name: asked.append(name) or FakeConfig().getini(name)  # type: ignore[func-returns-value,method-assign]
    Settings.of(config)  # type: ignore[arg-type]
    assert sorted(asked) == sorted(parser.ini)


@pytest.mark.parametrize(
    ("ini", "option", "expected"),
    [
        ("", None, (0, "trio_timeout")),
        ("0", None, (0, "trio_timeout")),
        ("1.5", None, (1.5, "trio_timeout")),
        ("1.5", 3.0, (3.0, "--trio-timeout")),
        ("1.5", 0.0, (0, "--trio-timeout")),
    ],
)
def test_reads_the_timeout_and_who_says_so(ini: str, option: float | None, expected: Any) -> None:
    config = FakeConfig(**{"trio_timeout": ini, "--trio-timeout": option})
    settings = Settings.of(config)  # type: ignore[arg-type]
    assert (settings.timeout, settings.timeout_source) == expected


def test_can_not_be_changed() -> None:
    settings = Settings(is_trio_mode=False, run_by="trio")
    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.is_trio_mode = True  # type: ignore[misc]


@pytest.mark.parametrize(
    ("ini", "option", "expected"),
    [("", None, 1), ("auto", None, 100), ("7", None, 7), ("1", None, 1), ("7", 3, 3)],
)
def test_reads_how_many_tests_may_run_at_once(ini: str, option: int | None, expected: int) -> None:
    config = FakeConfig(trio_parallel=ini, **{"--trio-parallel": option})
    assert Settings.of(config).parallel == expected  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["0", "-1", "many", "1.5", " "])
def test_refuses_what_is_no_number_of_tests(text: str) -> None:
    with pytest.raises(pytest.UsageError, match=f"'trio_parallel' is '{text}'"):
        Settings.of(FakeConfig(trio_parallel=text))  # type: ignore[arg-type]


@pytest.mark.parametrize("scope", ["session", "module", "class"])
def test_reads_within_what_tests_overlap(scope: str) -> None:
    settings = Settings.of(FakeConfig(trio_parallel_scope=scope, trio_exclusive_fixtures=["db"]))  # type: ignore[arg-type]
    assert (settings.parallel_scope, settings.exclusive_fixtures) == (scope, ("db",))


def test_refuses_other_scopes() -> None:
    with pytest.raises(pytest.UsageError, match="'trio_parallel_scope' is 'package'"):
        Settings.of(FakeConfig(trio_parallel_scope="package"))  # type: ignore[arg-type]
