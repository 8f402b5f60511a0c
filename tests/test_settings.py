"""Options and ini values are parsed once, into something that can't be changed."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from pytest_trio_scoped._settings import Settings, add_options


class RecordingParser:
    def __init__(self) -> None:
        self.ini: dict[str, dict[str, Any]] = {}

    def addini(self, name: str, help: str, **options: Any) -> None:  # noqa: A002 (pytest's name)
        self.ini[name] = {"help": help, **options}


class FakeConfig:
    def __init__(self, **values: Any) -> None:
        self.values = values

    def getini(self, name: str) -> Any:
        return self.values[name]


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
    }


@pytest.mark.parametrize("value", [True, False])
def test_reads_the_mode(value: bool) -> None:
    settings = Settings.of(FakeConfig(trio_mode=value, trio_run="trio"))  # type: ignore[arg-type]
    assert settings == Settings(is_trio_mode=value, library="trio")


@pytest.mark.parametrize("value", ["trio", "qtrio"])
def test_reads_whose_run_function_runs_the_tests(value: str) -> None:
    settings = Settings.of(FakeConfig(trio_mode=True, trio_run=value))  # type: ignore[arg-type]
    assert settings == Settings(is_trio_mode=True, library=value)


def test_refuses_other_libraries() -> None:
    with pytest.raises(pytest.UsageError, match="'trio_run' is 'asyncio'"):
        Settings.of(FakeConfig(trio_mode=True, trio_run="asyncio"))  # type: ignore[arg-type]


def test_asks_for_every_ini_value_that_it_declares() -> None:
    parser = RecordingParser()
    add_options(parser)  # type: ignore[arg-type]
    assert len(dataclasses.fields(Settings)) == len(parser.ini)


def test_can_not_be_changed() -> None:
    settings = Settings(is_trio_mode=False, library="trio")
    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.is_trio_mode = True  # type: ignore[misc]
