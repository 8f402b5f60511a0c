"""Context variables are carried from a fixture to whoever comes later, and taken back."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from contextvars import Context, ContextVar, copy_context

import greenlet
import pytest

from pytest_trio_scoped._contexts import Changes, Layers, in_context, own_context

variable: ContextVar[object] = ContextVar("variable")
other: ContextVar[object] = ContextVar("other", default="default")


def context_with(**values: object) -> Context:
    context = Context()
    for name, value in values.items():
        context.run({"variable": variable, "other": other}[name].set, value)
    return context


def changed_by(before: Context, *steps: tuple[ContextVar[object], object]) -> Changes:
    after = before.copy()
    for changed, value in steps:
        after.run(changed.set, value)
    return Changes(before, after)


# ------------------------------------------------------------------------ own_context, in_context


def test_own_context_is_the_one_that_is_written_to() -> None:
    def write() -> None:
        variable.set("written")
        assert own_context()[variable] == "written"
        assert own_context() is own_context()

    copy_context().run(write)


def test_a_fresh_greenlet_gets_a_context_of_its_own_when_asked() -> None:
    def body() -> list[object]:
        context = own_context()
        variable.set("greenlet")
        return [context[variable], own_context() is context]

    assert greenlet.greenlet(body).switch() == ["greenlet", True]
    assert variable.get(None) is None


def test_in_context_reads_and_writes_and_goes_back() -> None:
    context = context_with(variable="there")
    here = own_context()
    with in_context(context):
        assert variable.get() == "there"
        variable.set("written")
        assert own_context() is context
    assert own_context() is here
    assert variable.get(None) is None
    assert context[variable] == "written"


def test_in_context_goes_back_after_an_error() -> None:
    here = own_context()
    with pytest.raises(ValueError, match="boom"), in_context(Context()):
        raise ValueError("boom")
    assert own_context() is here


def test_in_context_takes_a_context_that_another_greenlet_has_entered() -> None:
    context = Context()
    main = greenlet.getcurrent()

    def body() -> object:
        def entered() -> object:
            variable.set("first")
            main.switch()
            return variable.get()

        return context.run(entered)

    entered = greenlet.greenlet(body)
    entered.switch()
    with pytest.raises(RuntimeError, match="already entered"):
        context.run(int)
    with in_context(context):
        assert variable.get() == "first"
        variable.set("second")
    assert entered.switch() == "second"


def test_in_context_takes_the_context_that_the_caller_is_in() -> None:
    def body() -> None:
        with in_context(own_context()):
            variable.set("same")
        assert variable.get() == "same"

    copy_context().run(body)


# ------------------------------------------------------------------------ what counts as a change

SAME = object()


@pytest.mark.parametrize(
    ("before", "step", "is_change"),
    [
        ({}, lambda: None, False),
        ({}, lambda: variable.set(1), True),
        ({}, lambda: variable.set(None), True),
        ({"variable": 1}, lambda: variable.set(2), True),
        ({"variable": SAME}, lambda: variable.set(SAME), False),
        ({"variable": [1]}, lambda: variable.set([1]), True),
        ({}, lambda: variable.reset(variable.set(1)), False),
        ({"variable": 1}, lambda: variable.reset(variable.set(2)), False),
        ({}, lambda: other.set("default"), True),
    ],
    ids=[
        "nothing",
        "set",
        "set to None",
        "overwritten",
        "same object",
        "equal object",
        "reset",
        "reset to old",
        "set to default",
    ],
)
def test_a_change_is_what_is_not_the_same_object_as_before(
    before: dict[str, object], step: Callable[[], object], is_change: bool
) -> None:
    context = context_with(**before)
    after = context.copy()
    after.run(step)
    assert bool(Changes(context, after)) is is_change


def test_a_variable_that_only_the_other_context_has_is_left_alone() -> None:
    target = context_with(other="mine")
    changes = changed_by(context_with(other="theirs"), (variable, "new"))
    changes.apply(target)
    assert dict(target) == {other: "mine", variable: "new"}
    changes.undo()
    assert dict(target) == {other: "mine"}


# ------------------------------------------------------------------------ apply and undo


def test_undo_gives_back_the_old_value_or_none() -> None:
    without, having = Context(), context_with(variable="old")
    changes = changed_by(Context(), (variable, "new"))
    changes.apply(without, having)
    assert [without[variable], having[variable]] == ["new", "new"]
    changes.undo()
    assert variable not in without
    assert having[variable] == "old"


def test_the_same_context_twice_is_changed_once() -> None:
    context = context_with(variable="old")
    changes = changed_by(Context(), (variable, "new"))
    changes.apply(context, context)
    changes.undo()
    assert context[variable] == "old"


def test_applied_twice_in_a_row_it_is_undone_in_reverse() -> None:
    context = context_with(variable="old")
    changes = changed_by(Context(), (variable, "new"))
    changes.apply(context)
    changes.apply(context)
    changes.undo()
    assert context[variable] == "old"


def test_fixtures_on_top_of_each_other_are_undone_in_reverse() -> None:
    context = context_with(variable="old")
    first = changed_by(context, (variable, "first"), (other, "first"))
    first.apply(context)
    second = changed_by(context, (variable, "second"))
    second.apply(context)
    assert (context[variable], context[other]) == ("second", "first")
    second.undo()
    assert (context[variable], context[other]) == ("first", "first")
    first.undo()
    assert dict(context) == {variable: "old"}


def test_undo_without_apply_and_undo_twice_do_nothing() -> None:
    context = context_with(variable="old")
    changes = changed_by(Context(), (variable, "new"))
    changes.undo()
    changes.apply(context)
    changes.undo()
    context.run(variable.set, "later")
    changes.undo()
    assert context[variable] == "later"


def test_a_value_set_later_by_somebody_else_is_taken_back_too() -> None:
    """The instance is gone, and with it what was built on its value."""
    context = context_with(variable="old")
    changes = changed_by(Context(), (variable, "new"))
    changes.apply(context)
    context.run(variable.set, "by somebody else")
    changes.undo()
    assert context[variable] == "old"


def test_works_on_a_context_that_is_in_use() -> None:
    def body() -> None:
        changes = changed_by(own_context(), (variable, "new"))
        changes.apply(own_context())
        assert variable.get() == "new"
        changes.undo()
        assert variable.get(None) is None

    copy_context().run(body)


# ------------------------------------------------------------------------ layers


def test_of_the_layers_of_a_context_the_last_counts_whichever_goes_first() -> None:
    for order in itertools.permutations(range(3)):
        context = context_with(variable="old")
        layers = Layers(context)
        changes = [
            changed_by(Context(), (variable, "a"), (other, "a")),
            changed_by(Context(), (other, "b")),
            changed_by(Context(), (variable, "c")),
        ]
        for each in changes:
            each.apply(layers)
        assert [context[variable], context[other]] == ["c", "b"]
        gone: set[int] = set()
        for i in order:
            changes[i].undo()
            gone.add(i)
            left = "".join(str(each) for each in range(3) if each not in gone)
            expected = {
                "12": "cb",
                "02": "ca",
                "01": "ab",
                "0": "aa",
                "1": "ob",
                "2": "c-",
                "": "o-",
            }
            found = str(context[variable])[0] + str(context.get(other, "-"))
            assert found == expected[left]
        assert dict(context) == {variable: "old"}


def test_a_context_and_its_layers_are_changed_once() -> None:
    context = context_with(variable="old")
    layers = Layers(context)
    changes = changed_by(Context(), (variable, "new"))
    changes.apply(context, layers, context)
    assert list(layers) == [changes]
    changes.undo()
    assert list(layers) == []
    assert context[variable] == "old"


def test_nothing_is_no_layer() -> None:
    layers = Layers(Context())
    changed_by(Context()).apply(layers)
    assert list(layers) == []


def test_what_came_from_others_can_be_left_out() -> None:
    theirs = changed_by(Context(), (variable, SAME))
    mine = changed_by(Context(), (variable, SAME), (other, "mine"))
    mine.leave_out([theirs])
    context = Context()
    mine.apply(context)
    assert dict(context) == {other: "mine"}
