"""The state of a test in flight, without an inner session: the states are those of the run at hand."""

from __future__ import annotations

import contextvars
import gc
import io
import logging
import os
import sys
import threading
import warnings
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import _pytest.logging
import pytest
import trio
from _pytest.assertion import util
from own_state_pool import snapshot

from pytest_trio_scoped._own_slots import OWNER, Slots
from pytest_trio_scoped._own_state import OwnState, OwnStates


@pytest.fixture
def states(pytestconfig: pytest.Config) -> OwnStates:
    return OwnStates(pytestconfig)


@pytest.fixture
def is_captured(pytestconfig: pytest.Config) -> None:
    """Skip a test about what is captured if nothing is."""
    if not capture_manager(pytestconfig).is_globally_capturing():
        pytest.skip("this run is not captured")


needs_capture = pytest.mark.usefixtures("is_captured")


@pytest.fixture(autouse=True)
def restored(pytestconfig: pytest.Config) -> Iterator[None]:
    before = snapshot(pytestconfig)
    owner = OWNER.set(None)
    yield
    OWNER.reset(owner)
    after = snapshot(pytestconfig)
    for each in (before, after):
        del each["environment"]["PYTEST_CURRENT_TEST"]  # another phase
    assert {name: after[name] for name in before if before[name] != after[name]} == {}


def begin(states: OwnStates, item: pytest.Item) -> tuple[OwnState, contextvars.Context]:
    """Begin a test that is captured, in a context of its own, and put the base in place."""
    context = contextvars.Context()
    state = context.run(states.begin, item)
    capture = capture_manager(item.config)._global_capturing
    capture.resume_capturing()
    states.put(None)
    return state, context


def capture_manager(config: pytest.Config) -> Any:
    return config.pluginmanager.get_plugin("capturemanager")


def taken(states: OwnStates, state: OwnState, config: pytest.Config) -> tuple[str, str]:
    """Return what would become the sections of the phase that ends now."""
    states.put(state)
    captured = capture_manager(config)._global_capturing.readouterr()
    states.put(None)
    return captured.out, captured.err


def in_thread(context: contextvars.Context, function: Callable[..., object], *args: object) -> None:
    """Call ``function`` in a thread, in a copy of ``context`` as ``trio.to_thread.run_sync`` does."""
    thread = threading.Thread(target=context.copy().run, args=(function, *args))
    thread.start()
    thread.join()


# ---------------------------------------------------------------- slots

PLACES: dict[str, tuple[Callable[[pytest.Config], Any], str]] = {
    "stdout": (lambda _: sys, "stdout"),
    "stderr": (lambda _: sys, "stderr"),
    "filters": (lambda _: warnings, "filters"),
    "showwarning": (lambda _: warnings, "showwarning"),
    "show_message": (lambda _: warnings, "_showwarnmsg_impl"),
    "compare": (lambda _: util, "_reprcompare"),
    "assertion_pass": (lambda _: util, "_assertion_pass"),
    "assertion_config": (lambda _: util, "_config"),
    "capture": (capture_manager, "_global_capturing"),
    "capture_fixture": (capture_manager, "_capture_fixture"),
    "caplog_handler": (
        lambda config: config.pluginmanager.get_plugin("logging-plugin"),
        "caplog_handler",
    ),
    "report_handler": (
        lambda config: config.pluginmanager.get_plugin("logging-plugin"),
        "report_handler",
    ),
}


def test_each_slot_has_its_place() -> None:
    assert {*PLACES, "current_test"} == set(Slots.__slots__)


@pytest.mark.parametrize("name", PLACES)
def test_a_test_finds_what_it_has_put_in_place(
    name: str, states: OwnStates, request: pytest.FixtureRequest
) -> None:
    find, attribute = PLACES[name]
    place = find(request.config)
    found = []
    with states.running():
        own = [begin(states, request.node)[0] for _ in range(3)]
        base = getattr(place, attribute)
        for number, state in enumerate(own):
            states.put(state)
            setattr(place, attribute, [number])
        for state in reversed(own):
            states.put(state)
            found.append(getattr(place, attribute))
        states.put(None)
        assert getattr(place, attribute) is base
    assert found == [[2], [1], [0]]


def test_the_environment_names_the_test_in_place(
    states: OwnStates, request: pytest.FixtureRequest
) -> None:
    before = os.environ["PYTEST_CURRENT_TEST"]
    with states.running():
        (first, _), (second, _) = begin(states, request.node), begin(states, request.node)
        states.put(first)
        os.environ["PYTEST_CURRENT_TEST"] = "first"
        states.put(second)
        assert os.environ["PYTEST_CURRENT_TEST"] == before
        del os.environ["PYTEST_CURRENT_TEST"]
        states.put(first)
        assert os.environ["PYTEST_CURRENT_TEST"] == "first"
        states.put(second)
        assert "PYTEST_CURRENT_TEST" not in os.environ
        states.put(None)
        assert os.environ["PYTEST_CURRENT_TEST"] == before


def test_everything_is_as_before_after_an_exception(
    states: OwnStates, request: pytest.FixtureRequest
) -> None:
    before = snapshot(request.config)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), states.running():
            state, _ = begin(states, request.node)
            begin(states, request.node)
            states.put(state)
            sys.stdout = io.StringIO()
            warnings.filters = []  # type: ignore[assignment]
            raise ZeroDivisionError
        assert snapshot(request.config) == before
        assert state.is_over
        states.put(state)  # does nothing


def test_a_test_that_has_ended_has_no_turn(
    states: OwnStates, request: pytest.FixtureRequest
) -> None:
    with states.running():
        base = sys.stdout
        state, context = begin(states, request.node)
        assert states.of_context(context) is state
        states.put(state)
        sys.stdout = io.StringIO()
        states.end(state)
        assert sys.stdout is base
        assert states.of_context(context) is None
        states.put(state)
        assert sys.stdout is base
        states.end(state)
    assert states.of_context(contextvars.Context()) is None


def test_a_context_of_other_states_belongs_to_nobody(
    states: OwnStates, request: pytest.FixtureRequest
) -> None:
    with states.running():
        _, context = begin(states, request.node)
        assert OwnStates(request.config).of_context(context) is None


def test_what_has_ended_keeps_nothing_alive(
    states: OwnStates, request: pytest.FixtureRequest
) -> None:
    with states.running():
        state, context = begin(states, request.node)
        states.put(state)
        kept = sys.stdout = io.StringIO()
        seen = [weakref.ref(kept), *(weakref.ref(each) for each in state.log_handlers)]
        states.end(state)
        del kept
        gc.collect()
        assert [each() for each in seen] == [None, None, None]
        assert context[OWNER] is state


def test_errors_that_nothing_could_catch_are_kept_for_their_test(
    states: OwnStates, request: pytest.FixtureRequest
) -> None:
    unraisable: Any = states._errors[0]
    with states.running():
        (first, _), (second, _) = begin(states, request.node), begin(states, request.node)
        states.put(first)
        unraisable.append("of the first")
        states.put(second)
        assert list(unraisable) == []
        states.put(first)
        assert list(unraisable) == ["of the first"]
        states.put(second)
        states.end(first)
        assert list(unraisable) == ["of the first"]  # of the next phase that ends
        unraisable.clear()


# ---------------------------------------------------------------- output


@needs_capture
def test_what_belongs_to_no_test_is_in_the_next_section(
    states: OwnStates, request: pytest.FixtureRequest
) -> None:
    with states.running():
        state, _ = begin(states, request.node)
        other, _ = begin(states, request.node)
        print("of nobody")
        sys.stderr.write("neither\n")
        states.put(state)
        print("of the test")
        assert taken(states, state, request.config) == ("of nobody\nof the test\n", "neither\n")
        assert taken(states, other, request.config) == ("", "")
        states.put(state)
        print("left")
        states.end(state)
        assert taken(states, other, request.config) == ("left\n", "")


@needs_capture
def test_what_no_phase_has_taken_is_shown(
    states: OwnStates, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    capture_manager(request.config).suspend()
    terminal = io.StringIO()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setattr(sys, "stderr", terminal)
    with states.running():
        state, _ = begin(states, request.node)
        print("of nobody")
        logging.getLogger("shop").warning("logged by nobody")
        states.put(state)
        print("never taken")
        assert terminal.getvalue() == ""
    shown = terminal.getvalue()
    monkeypatch.undo()
    capture_manager(request.config).resume()
    assert "logged by nobody" in shown
    assert [line for line in shown.splitlines() if "logged" not in line] == [
        "of nobody",
        "never taken",
    ]


@needs_capture
def test_nothing_is_captured_between_tests(
    states: OwnStates, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    with states.running():
        state, _ = begin(states, request.node)
        captured = sys.stdout
        states.put(state)
        with states.uncaptured():
            terminal = sys.stdout
            states.put(state)
            assert sys.stdout is captured
            states.put(None)
            assert sys.stdout is terminal is not captured
        assert sys.stdout is captured


@needs_capture
def test_a_thread_prints_for_its_test(states: OwnStates, request: pytest.FixtureRequest) -> None:
    with states.running():
        (first, of_first), (second, _) = begin(states, request.node), begin(states, request.node)
        states.put(second)
        in_thread(of_first, print, "of the first")
        in_thread(contextvars.Context(), print, "of whose turn it is")
        of_first.run(print, "in the thread of the loop")
        states.put(first)
        sys.stdout = replaced = io.StringIO()
        states.put(second)
        in_thread(of_first, print, "replaced")
        assert replaced.getvalue() == "replaced\n"
        states.put(first)
        sys.stdout = second.stdout
        assert taken(states, first, request.config)[0] == "of the first\n"
        assert taken(states, second, request.config)[0] == (
            "of whose turn it is\nin the thread of the loop\n"
        )
        states.end(first)
        states.put(second)
        in_thread(of_first, print, "too late")
        assert taken(states, second, request.config)[0] == "too late\n"


@needs_capture
def test_a_stream_that_is_kept_is_that_of_all_tests(
    states: OwnStates, request: pytest.FixtureRequest
) -> None:
    with states.running():
        (first, _), (second, _) = begin(states, request.node), begin(states, request.node)
        states.put(first)
        kept = sys.stdout
        states.end(first)
        states.put(second)
        kept.write("for the second\n")
        assert taken(states, second, request.config)[0] == "for the second\n"
    capture_manager(request.config).read_global_capture()
    kept.write("for the session\n")
    kept.flush()
    assert capture_manager(request.config).read_global_capture().out == "for the session\n"
    with states.running():
        third, _ = begin(states, request.node)
        states.put(third)
        assert sys.stdout is kept


def descriptor(stream: Any) -> int | None:
    """Return the number of the stream's descriptor, None if it has none, as with ``--capture=sys``."""
    try:
        return int(stream.fileno())
    except io.UnsupportedOperation:
        return None


@needs_capture
def test_the_stream_is_like_the_one_of_pytest(
    states: OwnStates, request: pytest.FixtureRequest
) -> None:
    expected = sys.stdout
    with states.running():
        state, _ = begin(states, request.node)
        states.put(state)
        stream: Any = sys.stdout
        assert (stream.isatty(), stream.writable(), stream.closed) == (False, True, False)
        assert (stream.encoding.lower(), stream.errors) == (
            expected.encoding.lower(),
            expected.errors,
        )
        numbers = {descriptor(stream), descriptor(stream.buffer)}
        assert numbers == {None if descriptor(expected) is None else stream.terminal.fileno()}
        stream.close()
        stream.reconfigure(encoding="ascii")
        assert stream.write("ä\n") == 2
        assert stream.buffer.write(b"\xc3") == 1
        assert stream.buffer.write(memoryview(b"\xa4\n")) == 2
        stream.writelines(["a", "b"])
        stream.flush()
        stream.buffer.flush()
        with pytest.raises(TypeError, match="must be str, not bytes"):
            stream.write(b"bytes")
        assert taken(states, state, request.config)[0] == "ä\nä\nab"


@needs_capture
def test_tasks_and_threads_of_a_trio_run(states: OwnStates, request: pytest.FixtureRequest) -> None:
    """As the pool does it: an instrument says whose turn it is."""

    class Turns(trio.abc.Instrument):
        def before_task_step(self, task: trio.lowlevel.Task) -> None:
            states.put(states.of_context(task.context))

    sections = {}

    async def child(name: str) -> None:
        for _ in range(3):
            await trio.lowlevel.checkpoint()
            print("child of", name)

    async def test(name: str) -> None:
        state = states.begin(request.node)
        capture = capture_manager(request.config)._global_capturing
        capture.resume_capturing()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(child, name)
            await trio.lowlevel.checkpoint()
            await trio.to_thread.run_sync(print, "thread of", name)
        capture.suspend_capturing()
        sections[name] = sorted(capture.readouterr().out.splitlines())
        states.end(state)

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            for name in names:
                nursery.start_soon(test, name)

    names = [f"test {number}" for number in range(10)]
    with states.running():
        trio.run(main, instruments=[Turns()])
    assert sections == {
        name: sorted([*[f"child of {name}"] * 3, f"thread of {name}"]) for name in names
    }


# ---------------------------------------------------------------- warnings


def warn() -> None:
    warnings.warn("old", UserWarning, stacklevel=1)


@contextmanager
def two_in_flight(states: OwnStates, item: pytest.Item) -> Iterator[dict[OwnState, list[Any]]]:
    """Let two tests be in flight that record their warnings; action "default"."""
    with states.running():
        logs = {}
        for _ in range(2):
            state, _ = begin(states, item)
            states.put(state)
            warnings.filters = []  # type: ignore[assignment]
            log: list[Any] = []
            warnings._showwarnmsg_impl = log.append  # type: ignore[attr-defined]
            warnings.showwarning = warnings._showwarning_orig  # type: ignore[attr-defined]
            logs[state] = log
        yield logs


def test_each_test_is_told_once(states: OwnStates, request: pytest.FixtureRequest) -> None:
    with two_in_flight(states, request.node) as told:
        for _ in range(3):
            for state in told:
                states.put(state)
                warn()
                warn()
        assert [len(log) for log in told.values()] == [1, 1]


def test_a_test_is_told_again_after_its_filters_have_changed(
    states: OwnStates, request: pytest.FixtureRequest
) -> None:
    with two_in_flight(states, request.node) as told:
        first, second = told
        for state in (first, second):
            states.put(state)
            warn()
        states.put(first)
        with warnings.catch_warnings():
            warn()
        warn()
        states.put(second)
        warn()
        assert [len(log) for log in told.values()] == [3, 1]


def test_what_is_always_told_is(states: OwnStates, request: pytest.FixtureRequest) -> None:
    with two_in_flight(states, request.node) as told:
        first, second = told
        states.put(first)
        warn()
        states.put(second)
        warnings.simplefilter("always")
        for _ in range(3):
            warn()
            states.put(first)
            states.put(second)
        assert [len(log) for log in told.values()] == [1, 3]


def test_no_other_test_hides_an_error(states: OwnStates, request: pytest.FixtureRequest) -> None:
    with two_in_flight(states, request.node) as told:
        first, second = told
        states.put(first)
        warn()
        states.put(second)
        states.put(first)  # what was noted is forgotten by now
        registry: dict[Any, Any] = {}
        warnings.warn_explicit("explicit", UserWarning, "f.py", 1, registry=registry)
        states.put(second)
        warnings.filters = [("error", None, Warning, None, 0)]
        with pytest.raises(UserWarning, match="explicit"):
            warnings.warn_explicit("explicit", UserWarning, "f.py", 1, registry=registry)
        states.put(first)
        warnings.filters = []  # type: ignore[assignment]
        warn()
        states.put(second)
        with pytest.raises(UserWarning, match="old"):
            warn()


def test_the_test_of_a_thread_is_told(states: OwnStates, request: pytest.FixtureRequest) -> None:
    with states.running():
        logs = []
        contexts = []
        for _ in range(2):
            state, context = begin(states, request.node)
            states.put(state)
            logs.append([])
            contexts.append(context)
            warnings.filters = []  # type: ignore[assignment]
            warnings._showwarnmsg_impl = logs[-1].append  # type: ignore[attr-defined]
        in_thread(contexts[0], warn)
        assert [len(log) for log in logs] == [1, 0]


# ---------------------------------------------------------------- logs


Attach = Callable[[OwnState], Any]


@pytest.fixture
def attach(states: OwnStates, pytestconfig: pytest.Config) -> Iterator[Callable[[OwnState], Any]]:
    """A function that begins a phase of a test, as the logging plugin does, and returns its handler."""
    plugin: Any = pytestconfig.pluginmanager.get_plugin("logging-plugin")
    entered = []  # a generator that nobody keeps ends

    def attach(state: OwnState) -> Any:
        states.put(state)
        catching: Any = _pytest.logging.catching_logs(plugin.report_handler, level=None)
        entered.append(catching)
        handler = catching.__enter__()
        handler.reset()
        return handler

    yield attach
    for catching in entered:
        catching.__exit__(None, None, None)


def messages(handler: Any) -> list[str]:
    return [record.getMessage() for record in handler.records]


def test_a_thread_logs_for_its_test(
    states: OwnStates, request: pytest.FixtureRequest, attach: Attach
) -> None:
    log = logging.getLogger("shop")
    with states.running():
        (first, of_first), (second, _) = begin(states, request.node), begin(states, request.node)
        handlers = [attach(state) for state in (first, second)]
        in_thread(of_first, log.warning, "of the first")
        in_thread(contextvars.Context(), log.warning, "of whose turn it is")
        log.warning("of the second")
        handlers[0].setLevel(logging.ERROR)
        in_thread(of_first, log.warning, "below the level")
        assert [messages(handler) for handler in handlers] == [
            ["of the first"],
            ["of whose turn it is", "of the second"],
        ]


def test_logs_of_nobody_are_in_the_next_section(
    states: OwnStates, request: pytest.FixtureRequest, attach: Attach
) -> None:
    log = logging.getLogger("shop")
    with states.running():
        (first, _), (second, _) = begin(states, request.node), begin(states, request.node)
        handlers = [attach(state) for state in (first, second)]
        log.warning("of the second")
        states.put(None)
        log.warning("of nobody")
        outside, _ = begin(states, request.node)
        states.put(outside)
        log.warning("nobody")  # of a test that is in no phase
        sections = [handler.stream.getvalue() for handler in reversed(handlers)]
        assert [section.count("nobody") for section in sections] == [2, 0]
        assert ["second" in section for section in sections] == [True, False]


def test_a_handler_that_is_attached_elsewhere_takes_what_is_its_tests(
    states: OwnStates, request: pytest.FixtureRequest, attach: Attach
) -> None:
    quiet = logging.getLogger("quiet")
    quiet.propagate = False
    try:
        with states.running():
            (first, _), (second, _) = begin(states, request.node), begin(states, request.node)
            handlers = [attach(state) for state in (first, second)]
            for handler in handlers:
                quiet.removeHandler(handler)
                quiet.addHandler(handler)
            count = len(handlers[1].records)
            quiet.warning("of the second")
            assert messages(handlers[0]) == []
            assert set(messages(handlers[1])[count:]) == {"of the second"}
            for handler in handlers:
                quiet.removeHandler(handler)
    finally:
        quiet.propagate = True


def test_handlers_and_levels_that_a_test_sets_itself_are_for_all(
    states: OwnStates, request: pytest.FixtureRequest, attach: Attach
) -> None:
    root, log = logging.getLogger(), logging.getLogger("shop")
    handler = logging.NullHandler()
    with states.running():
        (first, _), (second, _) = begin(states, request.node), begin(states, request.node)
        states.put(first)
        root.addHandler(handler)
        log.setLevel(logging.DEBUG)
        states.put(second)
        states._logs._note(log)  # as caplog does, which has set it back
        states.put(first)
        log.setLevel(logging.INFO)
        states.put(second)
        assert log.level == logging.INFO
        states.put(first)
        log.setLevel(logging.DEBUG)
        states.put(second)
        assert handler in root.handlers
        assert log.isEnabledFor(logging.DEBUG)
        states.end(first)
        assert handler in root.handlers
    root.removeHandler(handler)
    log.setLevel(logging.NOTSET)


def test_levels_that_two_tests_share_are_left_alone(
    states: OwnStates, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With ``--log-level``, all have changed the level of the root logger."""
    root, changes = logging.getLogger(), []
    before = root.level
    with states.running():
        own = [begin(states, request.node)[0] for _ in range(2)]
        for state in own:
            states.put(state)
            states._logs._note(root)
            root.setLevel(logging.INFO)
        monkeypatch.setattr(root, "setLevel", changes.append)
        for state in own:
            states.put(state)
            assert root.level == logging.INFO
        assert changes == []
        monkeypatch.undo()
        states.put(None)
        assert root.level == before


def test_logs_are_told_after_all_handlers_have_been_taken_away(
    states: OwnStates, request: pytest.FixtureRequest, attach: Attach
) -> None:
    root = logging.getLogger()
    before = list(root.handlers)
    with states.running():
        (first, _), (second, _) = begin(states, request.node), begin(states, request.node)
        handler = attach(first)
        states.put(second)
        root.handlers.clear()
        states.put(first)
        root.warning("told")
        assert messages(handler) == ["told"]
    root.handlers[:] = before
