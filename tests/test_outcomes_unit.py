"""What a test says about its end counts in exception groups, too."""

from __future__ import annotations

import bdb

import pytest
from harness import name_of

from pytest_trio_scoped._outcomes import Held, act_as_in_sync_code, told_of

SKIP, SKIP_TOO = pytest.skip.Exception("a"), pytest.skip.Exception("b")
XFAIL, FAIL, FAIL_TOO = (
    pytest.xfail.Exception("x"),
    pytest.fail.Exception("f"),
    pytest.fail.Exception("g"),
)
EXIT, CTRL_C, QUIT = pytest.exit.Exception("stop"), KeyboardInterrupt(), bdb.BdbQuit()
BUG, SYSTEM_EXIT = ValueError("bug"), SystemExit(3)


def group(*errors: BaseException) -> BaseException:
    return BaseExceptionGroup("group", errors)


@pytest.mark.parametrize(
    "error", [SKIP, XFAIL, FAIL, EXIT, CTRL_C, QUIT, BUG, SYSTEM_EXIT], ids=name_of
)
def test_an_error_by_itself_stays_as_it_is(error: BaseException) -> None:
    assert act_as_in_sync_code(error) is error


@pytest.mark.parametrize("error", [SKIP, XFAIL, FAIL, EXIT, CTRL_C, QUIT], ids=name_of)
@pytest.mark.parametrize("depth", [1, 2, 5])
def test_is_taken_out_of_groups_of_any_depth(error: BaseException, depth: int) -> None:
    nested = error
    for _ in range(depth):
        nested = group(nested)
    assert act_as_in_sync_code(nested) is error


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (group(SKIP, SKIP_TOO), SKIP),
        (group(group(SKIP_TOO), SKIP), SKIP_TOO),
        (group(FAIL, group(FAIL_TOO)), FAIL),
        # The end of the run wins over everything, the strongest request first.
        (group(BUG, EXIT), EXIT),
        (group(SKIP, group(BUG, CTRL_C)), CTRL_C),
        (group(EXIT, CTRL_C), CTRL_C),
        (group(QUIT, EXIT), EXIT),
        (group(QUIT, BUG, SKIP), QUIT),
    ],
    ids=name_of,
)
def test_several_come_down_to_one(error: BaseException, expected: BaseException) -> None:
    assert act_as_in_sync_code(error) is expected


@pytest.mark.parametrize(
    "error",
    [
        group(BUG),
        group(SYSTEM_EXIT),
        group(SKIP, BUG),
        group(group(XFAIL), group(BUG)),
        group(FAIL, BUG),
        group(SKIP, XFAIL),
        group(SKIP, FAIL),
        group(XFAIL, FAIL),
    ],
    ids=name_of,
)
def test_a_group_that_says_anything_else_stays_a_group(error: BaseException) -> None:
    assert act_as_in_sync_code(error) is error


def test_of_errors_that_come_together_each_is_told_once_and_no_cancellation() -> None:
    error, other = ValueError("boom"), KeyError("other")
    group = ExceptionGroup("both", [error, other])
    assert told_of({"a": error, "b": error}) == {"a": error}
    assert told_of({"a": error, "b": group}) == {"b": group}
    assert told_of({"a": group, "b": error}) == {"a": group}
    assert told_of({"a": error, "b": Held(), "c": other}) == {"a": error, "c": other}
    mixed = told_of({"a": BaseExceptionGroup("mixed", [Held(), error])})
    assert list(mixed["a"].exceptions) == [error]  # type: ignore[attr-defined]
    assert told_of({"a": BaseExceptionGroup("held", [Held()])}) == {}
