"""How a fixture is called in what a user is told."""

from __future__ import annotations

from typing import Any

import pytest


def describe(fixturedef: pytest.FixtureDef[Any]) -> str:
    """Return the name and the scope of a fixture."""
    return f"{fixturedef.argname!r} (scope {fixturedef.scope!r})"
