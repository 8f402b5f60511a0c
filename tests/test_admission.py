"""Which tests may start while others are in flight: the line without pytest."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_trio_scoped._admission import Admission


def run(admission: Admission, *, limit: int, choose: Callable[[list[int]], int]) -> list[set[int]]:
    """Run the line with up to ``limit`` in flight; return who was in flight together at each start."""
    flying: list[int] = []
    seen = []
    while True:
        while len(flying) < limit and (index := admission.take()) is not None:
            flying.append(index)
            seen.append(set(flying))
        if not flying:
            return seen
        ended = flying.pop(choose(flying))
        admission.end(ended)


def test_without_bounds_all_start_in_order() -> None:
    admission = Admission([{}, {}, {}], [(), (), ()])
    assert [admission.take() for _ in range(4)] == [0, 1, 2, None]


def test_a_stage_begins_when_the_one_before_has_ended_and_others_pass_by() -> None:
    admission = Admission([{"db": 0}, {"db": 0}, {"db": 1}, {}], [()] * 4)
    assert [admission.take() for _ in range(4)] == [0, 1, 3, None]
    admission.end(1)
    assert admission.take() is None
    admission.end(0)
    assert [admission.take() for _ in range(2)] == [2, None]


def test_of_a_group_one_runs_at_a_time_in_order() -> None:
    admission = Admission([{}] * 4, [("g",), ("g",), (), ("g",)])
    assert [admission.take() for _ in range(3)] == [0, 2, None]
    admission.end(0)
    assert [admission.take() for _ in range(2)] == [1, None]
    admission.end(1)
    assert admission.take() == 3


def test_who_waits_for_two_things_waits_for_both() -> None:
    admission = Admission([{"a": 0}, {"b": 0}, {"a": 1, "b": 1}], [()] * 3)
    assert [admission.take() for _ in range(3)] == [0, 1, None]
    admission.end(0)
    assert admission.take() is None
    admission.end(1)
    assert admission.take() == 2


tests = st.tuples(
    st.dictionaries(st.sampled_from("abc"), st.booleans(), max_size=3),
    st.sets(st.sampled_from("xy"), max_size=2),
)


@settings(deadline=None, max_examples=150)
@given(st.lists(tests, max_size=30), st.integers(1, 8), st.integers())
def test_all_run_once_stages_in_order_groups_one_by_one(
    line: list[tuple[dict[str, bool], set[str]]], limit: int, seed: int
) -> None:
    at = dict.fromkeys("abc", 0)
    stages = []
    for steps, _ in line:
        for sequence, is_next in steps.items():
            at[sequence] += is_next
        stages.append({sequence: at[sequence] for sequence in steps})
    groups = [each for _, each in line]
    chance = random.Random(seed)
    seen = run(
        Admission(stages, groups), limit=limit, choose=lambda all_: chance.randrange(len(all_))
    )

    assert len(seen) == len(line)
    assert set().union(*seen) == set(range(len(line)))
    started: list[int] = []
    for together in seen:
        assert len(together) <= limit
        for sequence in "abc":
            assert (
                len({stages[each][sequence] for each in together if sequence in stages[each]}) <= 1
            )
        for group in "xy":
            assert sum(group in groups[each] for each in together) <= 1
        started += together - set(started)
    for sequence in "abc":
        order = [stages[each][sequence] for each in started if sequence in stages[each]]
        assert order == sorted(order)


@pytest.mark.parametrize("count", [40_000])
def test_the_time_is_nearly_linear(count: int) -> None:
    def seconds(count: int) -> float:
        stages = [{"all": index // 50, "db": index // 200} for index in range(count)]
        groups = [(f"g{index % 3}",) if index % 5 == 0 else ("g",) for index in range(count)]
        begin = time.perf_counter()
        run(Admission(stages, groups), limit=20, choose=lambda _: 0)
        return time.perf_counter() - begin

    small = min(seconds(count // 4) for _ in range(3))
    assert seconds(count) < 4 * small * 3


def test_who_waits_for_another_group_does_not_keep_its_own_group_from_the_next() -> None:
    admission = Admission([{}] * 4, [("a",), ("b",), ("a", "b"), ("a",)])
    assert [admission.take() for _ in range(3)] == [0, 1, None]
    admission.end(0)
    assert admission.take() == 3
