"""What has happened in a run, put together from events."""

from __future__ import annotations

import pytest
from timelines import note_fixture, note_test, shop

from pytest_trio_scoped._timeline_history import History, Life, Phase, Process, Turn


def test_a_test_has_its_phases() -> None:
    process = Process("")
    note_test(process, 7, "a", [1.0, 2.0, 3.5, 4.0], "failed")
    assert process.turns == [
        Turn(
            "a",
            [
                Phase("set-up", 1.0, 2.0, "passed"),
                Phase("call", 2.0, 3.5, "failed"),
                Phase("tear-down", 3.5, 4.0, "passed"),
            ],
        )
    ]
    [turn] = process.turns
    assert (turn.start, turn.stop, turn.outcome) == (1.0, 4.0, "failed")


def test_a_fixture_has_its_times() -> None:
    process = Process("")
    note_fixture(process, 1, "server[tcp]", "module", [1.0, 2.0, 3.0, 4.0], "test_a.py")
    [life] = process.lives
    assert life == Life(
        "server[tcp]",
        "module",
        "test_a.py",
        "test_a.py::test_1",
        "conftest.py:3",
        True,
        1.0,
        2.0,
        3.0,
        4.0,
    )
    assert (life.name, life.stop) == ("server", 4.0)


def test_a_failed_set_up_is_all_there_is_of_a_fixture() -> None:
    process = Process("")
    process.note(("opening", 1, "a", "session", "", "t", "c.py:1", False, 1.0))
    process.note(("failed", 1, 2.0))
    process.note(("closed", 1, 9.0))  # pytest keeps what it has left to the end of the scope
    [life] = process.lives
    assert life.is_failed
    assert life.stop == 2.0


@pytest.mark.parametrize(
    ("phases", "outcome"),
    [
        (["passed", "passed", "passed"], "passed"),
        (["passed", "failed", "passed"], "failed"),
        (["failed", None, "passed"], "error"),
        (["passed", "passed", "failed"], "error"),
        (["passed", "failed", "failed"], "failed"),
        (["skipped", None, "passed"], "skipped"),
        (["xfailed", None, "passed"], "xfailed"),
        (["passed", "xpassed", "passed"], "xpassed"),
        (["passed", "xfailed", "failed"], "error"),
        (["passed", "interrupted", None], "interrupted"),
        (["passed", "failed", "interrupted"], "failed"),
        (["passed", "crashed", None], "crashed"),
        (["passed", "known bug", "passed"], "known bug"),
        (["rerun", None, None], "rerun"),
    ],
)
def test_the_outcome_of_a_test(phases: list[str | None], outcome: str) -> None:
    names = ("set-up", "call", "tear-down")
    turn = Turn(
        "a", [Phase(name, 0.0, 1.0, how) for name, how in zip(names, phases, strict=True) if how]
    )
    assert turn.outcome == outcome


def test_outcomes_are_counted_the_gravest_first() -> None:
    assert list(shop().outcomes().items()) == [("failed", 1), ("passed", 1), ("xfailed", 1)]


def test_a_second_report_of_a_phase_replaces_the_first_but_for_a_failure() -> None:
    """As with subtests, whose reports are made while the call goes on."""
    process = Process("")
    process.note(("turn", 1, "a"))
    process.note(("begun", 1, "call", 1.0))
    process.note(("ended", 1, "call", 2.0, "skipped"))
    process.note(("ended", 1, "call", 3.0, "passed"))
    assert process.turns[0].phases == [Phase("call", 1.0, 3.0, "passed")]
    process.note(("ended", 1, "call", 4.0, "failed"))
    process.note(("ended", 1, "call", 5.0, "passed"))
    assert process.turns[0].phases == [Phase("call", 1.0, 5.0, "failed")]


def test_what_is_cut_short_ends_with_the_run() -> None:
    history = History("a", 0.0)
    process = history.process("")
    process.note(("turn", 1, "a"))
    process.note(("begun", 1, "set-up", 1.0))
    process.note(("opening", 2, "f", "session", "", "a", "c.py:1", False, 1.0))
    process.cut_short(2.0)
    history.end(3.0)
    [turn], [life] = process.turns, process.lives
    assert turn.phases == [Phase("set-up", 1.0, 2.0, "interrupted")]
    assert (life.live, life.closing, life.stop) == (None, None, 3.0)
    assert history.stop == 3.0


def test_a_test_that_has_not_begun_is_not_shown() -> None:
    process = Process("")
    process.note(("turn", 1, "a"))
    assert process.turns == []


def test_a_crash_in_a_phase_that_has_been_told_of() -> None:
    process = Process("gw0")
    process.note(("turn", 1, "a"))
    process.note(("begun", 1, "call", 1.0))
    process.crash("a", 2.0)
    assert process.turns[0].phases == [Phase("call", 1.0, 2.0, "crashed")]


def test_a_crash_after_what_has_been_told_of() -> None:
    process = Process("gw0")
    process.note(("turn", 1, "a"))
    process.note(("begun", 1, "set-up", 1.0))
    process.note(("ended", 1, "set-up", 1.5, "passed"))
    process.crash("a", 2.0)
    assert process.turns[0].phases[1:] == [Phase("call", 1.5, 2.0, "crashed")]


def test_a_crash_ends_the_others_in_flight_and_the_fixtures() -> None:
    history = History("a", 0.0)
    process = history.process("gw0")
    note_test(process, 0, "b", [0.0, 0.1, 0.2, 0.3])  # has been run before
    for number, node_id in enumerate(("a", "b"), 1):
        process.note(("turn", number, node_id))
        process.note(("begun", number, "set-up", 1.0))
        process.note(("ended", number, "set-up", 1.5, "passed"))
    process.note(("opening", 3, "f", "session", "", "a", "c.py:1", False, 1.0))
    process.crash("b", 2.0)
    history.end(9.0)
    _, a, b = process.turns
    assert a.phases[1:] == [Phase("call", 1.5, 2.0, "interrupted")]
    assert b.phases[1:] == [Phase("call", 1.5, 2.0, "crashed")]
    assert history.stop == 2.0


def test_a_test_whose_tear_down_is_not_known_was_cut_short() -> None:
    """A worker that is stopped tells of the set-up, and no more."""
    process = Process("gw0")
    process.note(("turn", 1, "a"))
    for name, start in (("set-up", 1.0), ("call", 2.0)):
        process.note(("begun", 1, name, start))
        process.note(("ended", 1, name, start + 1, "passed"))
    process.cut_short(4.0)
    process.cut_short(5.0)
    assert process.turns[0].phases[2:] == [Phase("tear-down", 3.0, 4.0, "interrupted")]


def test_a_crash_before_anything_has_been_told_of() -> None:
    process = Process("gw0")
    note_test(process, 1, "a", [1.0, 2.0, 3.0, 4.0])
    process.crash("b", 5.0)
    assert process.turns[1] == Turn("b", [Phase("set-up", 4.0, 5.0, "crashed")])


def test_workers_are_sorted_by_their_numbers() -> None:
    history = History("a", 0.0)
    for name in ("gw10", "gw2", "gw0"):
        history.process(name)
    assert [process.name for process in history.processes] == ["gw0", "gw2", "gw10"]
