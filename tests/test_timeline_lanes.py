"""How a run is laid out."""

from __future__ import annotations

import itertools
import random

from timelines import crowd, note_fixture, note_test

from pytest_trio_scoped._timeline_history import Phase, Process, Turn
from pytest_trio_scoped._timeline_lanes import lanes_of, packed


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
    lanes = [(each.kind, each.name, len(each.lives)) for each in lanes_of(process)]
    assert lanes == [
        ("session", "s", 1),
        ("module", "m", 2),
        ("module", "n", 1),
        ("module", "n", 1),
        ("test", "tests", 0),
        ("test", "tests", 0),
        ("function", "f", 1),
    ]


def test_every_bar_of_a_crowd_is_in_one_lane() -> None:
    history = crowd(300)
    [process] = history.processes
    lanes = list(lanes_of(process))
    assert sum(len(lane.turns) for lane in lanes) == 300
    assert sum(len(lane.lives) for lane in lanes) == 301
