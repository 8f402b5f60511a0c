"""Options and ini values, parsed once."""

from __future__ import annotations

import dataclasses

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


@dataclasses.dataclass(frozen=True)
class Settings:
    """What the user asked for."""

    is_trio_mode: bool
    #: The library whose ``run`` runs the tests.
    library: str

    @classmethod
    def of(cls, config: pytest.Config) -> Settings:
        """Read the settings of ``config``."""
        library = str(config.getini("trio_run"))
        if library not in {"trio", "qtrio"}:
            raise pytest.UsageError(_errors.RUN_NOT_KNOWN.format(value=library))
        return cls(is_trio_mode=bool(config.getini("trio_mode")), library=library)
