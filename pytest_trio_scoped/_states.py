"""The life of one fixture instance on the loop, as a table.

    new -> opening -> live -> closing -> closed
                        \\-> crashed -> closing

A crash is an exception that left a background task of the fixture, or a cancellation of the fixture's
own scope; nobody has torn it down yet.  A fixture is lost when the loop ends under it.

Pinned by ``tests/test_states.py``.
"""

from __future__ import annotations

import enum

# Of strings, since those are hashed and compared without a call into Python.


class State(enum.StrEnum):
    """Where a fixture instance is in its life."""

    NEW = "new"
    OPENING = "opening"
    LIVE = "live"
    CRASHED = "crashed"
    CLOSING = "closing"
    CLOSED = "closed"
    LOST = "lost"


class Event(enum.StrEnum):
    """What happens to a fixture instance."""

    OPEN = "open"
    YIELD = "yield"
    CANCELLED = "cancelled"
    CLOSE = "close"
    END = "end"
    LOSE = "lose"


_TABLE: dict[State, dict[Event, State]] = {
    State.NEW: {Event.OPEN: State.OPENING},
    State.OPENING: {
        Event.YIELD: State.LIVE,
        Event.END: State.CLOSED,  # the set-up failed
        Event.LOSE: State.LOST,
    },
    State.LIVE: {
        Event.CANCELLED: State.CRASHED,
        Event.CLOSE: State.CLOSING,
        Event.LOSE: State.LOST,
    },
    State.CRASHED: {Event.CLOSE: State.CLOSING, Event.LOSE: State.LOST},
    State.CLOSING: {
        Event.CANCELLED: State.CLOSING,  # before it has noticed that it shall close
        Event.CLOSE: State.CLOSING,  # the loop is closed meanwhile
        Event.END: State.CLOSED,
        Event.LOSE: State.LOST,
    },
    State.CLOSED: {Event.CLOSE: State.CLOSED},
    State.LOST: {Event.CLOSE: State.LOST, Event.END: State.LOST},
}


class IllegalEvent(Exception):
    """A fixture instance was asked for what its state does not allow: a mistake of this package."""

    def __init__(self, state: State, event: Event) -> None:
        super().__init__(f"a fixture that is {state.value} can't take the event {event.value!r}")


def next_state(state: State, event: Event) -> State:
    """Return the state after ``event``; raise IllegalEvent if ``state`` does not allow it."""
    try:
        return _TABLE[state][event]
    except KeyError:
        raise IllegalEvent(state, event) from None
