"""What has happened in a run, put together from events."""

from __future__ import annotations

import itertools
import random

import pytest
from timelines import crowd, note_fixture, note_test, shop

from pytest_trio_scoped._timeline_history import History, Life, Phase, Process, Turn, packed


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


def test_a_second_report_of_a_phase_replaces_the_first() -> None:
    """As with subtests, whose reports are made while the call goes on."""
    process = Process("")
    process.note(("turn", 1, "a"))
    process.note(("begun", 1, "call", 1.0))
    process.note(("ended", 1, "call", 2.0, "failed"))
    process.note(("ended", 1, "call", 3.0, "passed"))
    assert process.turns[0].phases == [Phase("call", 1.0, 3.0, "passed")]


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


def test_a_crash_before_anything_has_been_told_of() -> None:
    process = Process("gw0")
    note_test(process, 1, "a", [1.0, 2.0, 3.0, 4.0])
    process.crash("b", 5.0)
    assert process.turns[1] == Turn("b", [Phase("set-up", 4.0, 5.0, "crashed")])


def test_bars_of_a_lane_do_not_overlap_and_lanes_are_few() -> None:
    chance = random.Random(2)
    for _ in range(200):
        turns = []
        for number in range(chance.randrange(12)):
            start = chance.randrange(20)
            stop = start + chance.randrange(6)
            turns.append(Turn(str(number), [Phase("call", start, stop, "passed")]))
        lanes = packed(turns)
        assert sorted(turn.node_id for lane in lanes for turn in lane) == sorted(
            turn.node_id for turn in turns
        )
        for lane in lanes:
            assert all(one.stop <= two.start for one, two in itertools.pairwise(lane))
        most = max(
            (sum(each.start <= time + 0.5 < each.stop for each in turns) for time in range(26)),
            default=0,
        )
        has_points = any(each.start == each.stop for each in turns)
        assert len(lanes) == most or (has_points and len(lanes) >= most)


def test_lanes_stand_from_wide_to_narrow_each_name_by_itself() -> None:
    process = Process("")
    note_fixture(process, 1, "f", "function", [0.0, 1.0, 2.0, 3.0])
    note_fixture(process, 2, "m[a]", "module", [0.0, 1.0, 2.0, 3.0])
    note_fixture(process, 3, "m[b]", "module", [3.0, 4.0, 5.0, 6.0])
    note_fixture(process, 4, "s", "session", [0.0, 1.0, 8.0, 9.0])
    note_fixture(process, 5, "n", "module", [0.0, 1.0, 2.0, 3.0])
    note_fixture(process, 6, "n", "module", [2.0, 3.0, 4.0, 5.0])  # at the same time as the other
    note_test(process, 7, "a", [0.0, 1.0, 2.0, 3.0])
    note_test(process, 8, "b", [2.5, 3.0, 3.5, 4.0])
    lanes = [(each.kind, each.name, len(each.lives)) for each in process.lanes()]
    assert lanes == [
        ("session", "s", 1),
        ("module", "m", 2),
        ("module", "n", 1),
        ("module", "n", 1),
        ("test", "tests", 0),
        ("test", "tests", 0),
        ("function", "f", 1),
    ]


def test_workers_are_sorted_by_their_numbers() -> None:
    history = History("a", 0.0)
    for name in ("gw10", "gw2", "gw0"):
        history.process(name)
    assert [process.name for process in history.processes] == ["gw0", "gw2", "gw10"]


def test_every_bar_of_a_crowd_is_in_one_lane() -> None:
    history = crowd(300)
    [process] = history.processes
    lanes = list(process.lanes())
    assert sum(len(lane.turns) for lane in lanes) == 300
    assert sum(len(lane.lives) for lane in lanes) == 301
