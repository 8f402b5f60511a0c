"""Several stretches at the same time, as there are if tests run at the same time: each hears of its own."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import pytest

from pytest_trio_scoped._concurrent_set_up import Stretches


class FakeSession:
    def __init__(self) -> None:
        self.strand: str | None = None
        self.note_late: Any = lambda _: None


class FakeStretch:
    def __init__(self) -> None:
        self.heard: list[object] = []

    def once(self, fixturedef: Any, execute: Any, request: object) -> Any:
        self.heard.append(request)
        return execute()

    def see(self, fixturedef: object) -> None:
        self.heard.append(fixturedef)


def test_each_hears_of_its_own_strands_until_it_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    def execute(fixturedef: object, request: object) -> str:
        return f"executed for {request}"

    monkeypatch.setattr(pytest.FixtureDef, "execute", execute)
    session: Any = FakeSession()
    stretches = Stretches(session)
    first, second = FakeStretch(), FakeStretch()
    any_def: Any = object.__new__(pytest.FixtureDef)

    def set_up_and_see(strand: str | None, what: str) -> None:
        session.strand = strand
        assert any_def.execute(what) == f"executed for {what}"
        session.note_late(f"late {what}")

    of_first, of_second = ExitStack(), ExitStack()
    of_first.enter_context(stretches.under_way(first, ["a", "b"]))  # type: ignore[arg-type,list-item]
    set_up_and_see("a", "1")
    of_second.enter_context(stretches.under_way(second, ["c"]))  # type: ignore[arg-type,list-item]
    set_up_and_see("b", "2")
    set_up_and_see("c", "3")
    set_up_and_see(None, "4")
    of_first.close()
    set_up_and_see("c", "5")
    set_up_and_see("a", "6")
    of_second.close()
    set_up_and_see("c", "7")
    assert first.heard == ["1", "late 1", "2", "late 2"]
    assert second.heard == ["3", "late 3", "5", "late 5"]
    assert pytest.FixtureDef.execute is execute
