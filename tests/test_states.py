"""The transition table of a fixture's life."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_trio_scoped._states import Event, IllegalEvent, State, next_state

LEGAL = {
    (State.NEW, Event.OPEN): State.OPENING,
    (State.OPENING, Event.YIELD): State.LIVE,
    (State.OPENING, Event.END): State.CLOSED,
    (State.OPENING, Event.LOSE): State.LOST,
    (State.LIVE, Event.CANCELLED): State.CRASHED,
    (State.LIVE, Event.CLOSE): State.CLOSING,
    (State.LIVE, Event.LOSE): State.LOST,
    (State.CRASHED, Event.CLOSE): State.CLOSING,
    (State.CRASHED, Event.LOSE): State.LOST,
    (State.CLOSING, Event.CANCELLED): State.CLOSING,
    (State.CLOSING, Event.CLOSE): State.CLOSING,
    (State.CLOSING, Event.END): State.CLOSED,
    (State.CLOSING, Event.LOSE): State.LOST,
    (State.CLOSED, Event.CLOSE): State.CLOSED,
    (State.LOST, Event.CLOSE): State.LOST,
    (State.LOST, Event.END): State.LOST,
}


@pytest.mark.parametrize("event", Event)
@pytest.mark.parametrize("state", State)
def test_takes_legal_events_and_refuses_all_others(state: State, event: Event) -> None:
    if (state, event) in LEGAL:
        assert next_state(state, event) is LEGAL[state, event]
    else:
        with pytest.raises(
            IllegalEvent, match=f"is {state.value} can't take the event '{event.value}'"
        ):
            next_state(state, event)


@given(st.lists(st.sampled_from(Event)))
def test_an_illegal_event_changes_nothing_and_the_end_is_the_end(events: list[Event]) -> None:
    state = State.NEW
    was_live = False
    for event in events:
        before = state
        try:
            state = next_state(state, event)
        except IllegalEvent:
            assert state is before
        was_live = was_live or state is State.LIVE
        # No way leads back, a crash needs a life, and nobody leaves the end.
        assert not (before is not State.NEW and state is State.NEW)
        assert state is not State.CRASHED or was_live
        if before in (State.CLOSED, State.LOST):
            assert state is before
