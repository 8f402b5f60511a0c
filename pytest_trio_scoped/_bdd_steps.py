"""Async steps of pytest-bdd, which calls them and awaits nothing: a scenario would pass without them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from . import _errors
from ._locations import location_of
from ._ownership import is_async


class StepHooks:
    """Refuse async steps.  Registered if there is pytest-bdd.

    Pinned by ``test_an_async_step_of_pytest_bdd_is_refused``.
    """

    def pytest_bdd_before_step(
        self, request: pytest.FixtureRequest, step: Any, step_func: Callable[..., object]
    ) -> None:
        """Fail the scenario whose next step is async."""
        __tracebackhide__ = True
        if is_async(step_func):
            location = location_of(step_func, request.config.rootpath)
            text = _errors.ASYNC_STEP.format(step=step.name, location=location)
            pytest.fail(text, pytrace=False)
