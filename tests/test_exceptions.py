"""Exceptions are joined, and lose the frames that are not the user's."""

from __future__ import annotations

import traceback
from collections.abc import Callable

import outcome
import pytest
import trio

from pytest_trio_scoped import _exceptions
from pytest_trio_scoped._exceptions import join, prune, single


def functions_of(error: BaseException) -> list[str]:
    return [entry.name for entry in traceback.extract_tb(error.__traceback__)]


def files_of(error: BaseException) -> set[str]:
    return {entry.filename for entry in traceback.extract_tb(error.__traceback__)}


def raised_by(function: Callable[[], object]) -> BaseException:
    with pytest.raises(BaseException) as caught:
        function()
    return caught.value


A, B, C = ValueError("a"), KeyboardInterrupt(), OSError("c")


@pytest.mark.parametrize(
    ("errors", "expected"),
    [((), None), ((None, None), None), ((A,), A), ((None, B, None), B)],
)
def test_none_or_one_is_joined_to_itself(
    errors: tuple[BaseException | None, ...], expected: BaseException | None
) -> None:
    assert join("message", *errors) is expected


@pytest.mark.parametrize(
    ("errors", "kind"),
    [((A, None, C), ExceptionGroup), ((A, B, C), BaseExceptionGroup), ((A, A), ExceptionGroup)],
)
def test_several_are_joined_to_a_group_that_says_what_was_done(
    errors: tuple[BaseException | None, ...], kind: type
) -> None:
    group = join("closing the shop", *errors)
    assert type(group) is kind
    assert isinstance(group, BaseExceptionGroup)
    assert group.message == "closing the shop"
    assert group.exceptions == tuple(error for error in errors if error is not None)


def test_single_takes_one_layer_off_a_group_of_one() -> None:
    inner = ExceptionGroup("inner", [A])
    two = ExceptionGroup("two", [A, C])
    assert single(ExceptionGroup("one", [A])) is A
    assert single(ExceptionGroup("one", [inner])) is inner
    assert single(two) is two


async def fail() -> None:
    raise ValueError("boom")


def test_prune_keeps_the_users_frames_and_their_order() -> None:
    error = raised_by(lambda: trio.run(fail))
    assert files_of(error) > {__file__}
    assert prune(error) is error
    assert functions_of(error)[-2:] == ["<lambda>", "fail"]
    assert files_of(error) == {__file__}


def test_prune_reaches_into_groups_causes_and_contexts() -> None:
    async def main() -> None:
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(fail)
                nursery.start_soon(fail)
        except* ValueError as group:
            raise OSError("effect") from group

    error = raised_by(lambda: trio.run(main))
    members: list[BaseException] = []

    def collect(error: BaseException | None) -> None:
        if error is not None and error not in members:
            members.append(error)
            collect(error.__cause__)
            collect(error.__context__)
            for member in getattr(error, "exceptions", ()):
                collect(member)

    prune(error)
    collect(error)
    leaves = [member for member in members if type(member) is ValueError]
    assert len(leaves) == 2
    assert {path for member in members for path in files_of(member)} == {__file__}
    assert [functions_of(leaf) for leaf in leaves] == [["fail"], ["fail"]]


def test_prune_leaves_a_traceback_alone_that_has_no_frame_of_the_users() -> None:
    error = raised_by(lambda: trio.run(fail))
    while (
        error.__traceback__ is not None
        and error.__traceback__.tb_frame.f_code.co_filename == __file__
    ):
        error.__traceback__ = error.__traceback__.tb_next
    assert error.__traceback__ is not None
    while error.__traceback__.tb_next.tb_frame.f_code.co_filename != __file__:  # type: ignore[union-attr]
        error.__traceback__ = error.__traceback__.tb_next  # type: ignore[union-attr]
    error.__traceback__.tb_next = None  # type: ignore[union-attr]
    before = functions_of(error)
    assert before
    prune(error)
    assert functions_of(error) == before


def test_prune_drops_all_frames_of_a_group_that_has_none_of_the_users() -> None:
    """pytest before 9.0 can't show a group all frames of which are hidden."""
    group = ExceptionGroup("of ours", [ValueError("a")])
    result = outcome.capture(outcome.Error(group).unwrap)
    assert isinstance(result, outcome.Error)
    assert group.__traceback__ is not None
    prune(group)
    assert group.__traceback__ is None


@pytest.mark.parametrize("link", ["__cause__", "__context__"])
def test_prune_survives_exceptions_in_a_ring(link: str) -> None:
    first, second = ValueError("a"), ValueError("b")
    setattr(first, link, second)
    setattr(second, link, first)
    assert prune(first) is first
    assert getattr(second, link) is first


def test_prune_does_without_a_traceback() -> None:
    group = ExceptionGroup("never raised", [ValueError("nor this")])
    assert prune(group) is group
    assert group.__traceback__ is None


@pytest.mark.parametrize("module", [outcome, trio, _exceptions])
def test_frames_of_these_packages_are_dropped(module: object) -> None:
    path = module.__file__  # type: ignore[attr-defined]
    namespace: dict[str, Callable[[Callable[[], None]], None]] = {}
    exec(compile("def foreign(function): function()", path, "exec"), namespace)

    def user() -> None:
        raise ValueError

    error = raised_by(lambda: namespace["foreign"](user))
    assert "foreign" in functions_of(error)
    prune(error)
    assert "foreign" not in functions_of(error)
    assert functions_of(error)[-1] == "user"


def test_frames_of_a_package_with_a_similar_name_are_kept() -> None:
    path = trio.__file__.replace("trio/__init__.py", "trio_of_mine/__init__.py")
    namespace: dict[str, Callable[[], None]] = {}
    exec(compile("def neighbour(): raise ValueError", path, "exec"), namespace)
    error = prune(raised_by(namespace["neighbour"]))
    assert functions_of(error)[-1] == "neighbour"
