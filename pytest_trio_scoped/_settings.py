"""Options and ini values, parsed once."""

from __future__ import annotations

import dataclasses

import pytest


def add_options(parser: pytest.Parser) -> None:
    """Tell pytest about the options and ini values of this plugin."""
    parser.addini(
        "trio_mode",
        "take all async tests and fixtures as Trio's, without a mark (pytest-trio-scoped)",
        type="bool",
        default=False,
    )


@dataclasses.dataclass(frozen=True)
class Settings:
    """What the user asked for."""

    is_trio_mode: bool

    @classmethod
    def of(cls, config: pytest.Config) -> Settings:
        """Read the settings of ``config``."""
        return cls(is_trio_mode=bool(config.getini("trio_mode")))
