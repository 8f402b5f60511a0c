"""A plan is one of pytest's items."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, assert_type

import pytest

from pytest_trio_scoped import FixturePlan


def pytest_collection_finish(session: pytest.Session) -> None:
    plan = FixturePlan(session.items)
    assert_type(plan.items, list[pytest.Item])
    for item in plan.items:
        for instance in plan.setup(item):
            assert_type(instance.name, str)
            assert_type(instance.scope, str)
            assert_type(instance.param_id, str | None)
            assert_type(instance.node_id, str)
            assert_type(instance.is_async, bool)
            assert_type(instance.is_argument, bool)
            assert_type(instance.requires[0].name, str)
        assert_type(plan.needs(item)[0].name, str)
        assert_type(plan.teardown(item)[0].name, str)
        assert_type(plan.make_room(item)[0].name, str)
    assert_type(plan.live[0].name, str)
    assert_type(plan.instances[0].name, str)
    for event in plan.trace(is_order_planned=True):
        assert_type(event.what, Literal["setup", "test", "teardown"])


def names(plan: FixturePlan, item: pytest.Item) -> Iterator[str]:
    yield from (instance.name for instance in plan.needs(item))
    plan.setup(item.nodeid)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    plan.instance  # type: ignore[attr-defined]  # pyright: ignore
