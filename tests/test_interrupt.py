"""Ctrl-C, always a real SIGINT: comes out once, wherever it strikes, and the loop goes on working."""

from __future__ import annotations

import pytest
from subprocesses import lines_of

#: ``interrupt_when_idle()``: SIGINT strikes when the loop has nothing to do but wait, by a thread, so that
#: it interrupts the wait itself.  ``outcome_of(f)``: what comes out of it.
HELPERS = """
import contextlib, itertools, time
from pytest_trio_scoped._lifetime import Lifetime

class _WhenIdle(trio.abc.Instrument):
    def __init__(self, count):
        self.count = count
    def before_io_wait(self, timeout):
        if timeout > 0.05 and self.count:
            self.count -= 1
            main = threading.main_thread().ident
            threading.Timer(0.005, signal.pthread_kill, (main, signal.SIGINT)).start()

def interrupt_when_idle(count=1):
    trio.lowlevel.add_instrument(_WhenIdle(count))

def interrupt():
    signal.raise_signal(signal.SIGINT)

def busy():
    threading.Timer(0.01, signal.pthread_kill, (threading.get_ident(), signal.SIGINT)).start()
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        pass
    print("nobody stopped the busy loop")

async def seven():
    await trio.sleep(0)
    return 7

def outcome_of(function):
    try:
        return function()
    except BaseException as error:
        return type(error).__name__

def works(loop):
    async def body():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep, 0.001)
        return loop.run(seven, name="nested")
    return loop.run(body, name="works") == 7

class Body:
    def __init__(self, up=None, down=None):
        self.up, self.down = up, down
    async def __call__(self, nursery):
        try:
            if self.up:
                await self.up()
            print("up")
            yield "value"
            if self.down:
                await self.down()
            print("down")
        finally:
            print("end")

async def sleep():
    interrupt_when_idle()
    await trio.sleep_forever()

async def sync_busy():
    await trio.sleep(0)
    busy()

async def busy_child():
    async with trio.open_nursery() as nursery:
        nursery.start_soon(sync_busy)
        nursery.start_soon(trio.sleep_forever)
"""


def interrupted(source: str, *, is_noisy: bool = False) -> list[str]:
    indented = "\n".join("    " + line for line in source.strip("\n").splitlines())
    lines = (
        HELPERS
        + "\nwith open_loop() as loop:\n"
        + indented
        + "\n    print(works(loop), works(loop))\n"
    )
    return lines_of(lines, is_noisy=is_noisy)


#: where Ctrl-C strikes -> a function that has to be interrupted by it
PLACES = {
    "while a test sleeps": "lambda: loop.run(sleep, name='test')",
    "while a test computes": "lambda: loop.run(sync_busy, name='test')",
    "while a child task computes": "lambda: loop.run(busy_child, name='test')",
    "while a thread is waited for": """
        lambda: loop.run(thread, name='test')
    """,
    "while sync code below a test waits": "lambda: loop.run(sync_helper, name='test')",
    "while a stay within a test waits": "lambda: loop.run(inner_stay, name='test')",
    "while sync code outside of a test computes": "lambda: loop.run(busy_outside, name='test')",
    "before the first wait": "lambda: loop.run(at_once, name='test')",
    "in code that Trio protects": "lambda: loop.run(protected, name='test')",
    "in sync code without a test": "busy",
}
BODIES = """
async def thread():
    await trio.to_thread.run_sync(threading.Timer(0.01, signal.pthread_kill,
        (threading.main_thread().ident, signal.SIGINT)).run)
    await trio.sleep(0)

async def sync_helper():
    loop.run(sleep, name='ignored')

async def inner_stay():
    await trio.sleep(0)
    with loop.outside():
        loop.run(sleep, name='inner')

async def busy_outside():
    with loop.outside():
        busy()

async def at_once():
    interrupt()

@trio.lowlevel.enable_ki_protection
async def protected():
    interrupt()
    print("went on")
    await trio.sleep_forever()
"""


@pytest.mark.parametrize("place", PLACES)
def test_comes_out_once_and_the_loop_works_afterwards(place: str) -> None:
    said = interrupted(BODIES + f"print(outcome_of({PLACES[place].strip()}))")
    if place == "in code that Trio protects":
        assert said.pop(0) == "went on"
    if place == "while a child task computes":
        assert said[0] in {"KeyboardInterrupt", "BaseExceptionGroup"}
        said[0] = "KeyboardInterrupt"
    assert said == ["KeyboardInterrupt", "True True"]


def test_the_clean_up_of_an_interrupted_test_may_wait_behind_a_shield() -> None:
    source = """
async def body():
    try:
        await sleep()
    finally:
        with trio.CancelScope(shield=True):
            await trio.sleep(0.001)
        print("clean")
print(outcome_of(lambda: loop.run(body, name='test')))
"""
    assert interrupted(source) == ["clean", "KeyboardInterrupt", "True True"]


def test_comes_out_although_the_test_swallows_its_cancellation() -> None:
    source = """
async def body():
    with contextlib.suppress(trio.Cancelled):
        await sleep()
    return "done"
print(outcome_of(lambda: loop.run(body, name='test')))
"""
    assert interrupted(source) == ["KeyboardInterrupt", "True True"]


def test_a_second_one_cuts_the_clean_up_short() -> None:
    source = """
async def body():
    interrupt_when_idle(2)
    try:
        await trio.sleep_forever()
    finally:
        with trio.CancelScope(shield=True):
            await trio.sleep_forever()
async def stubborn():
    try:
        await sleep()
    except trio.Cancelled:
        busy()
print(outcome_of(lambda: loop.run(stubborn, name='test')))
"""
    assert interrupted(source) == ["KeyboardInterrupt", "True True"]


def test_a_second_one_ends_the_loop_wherever_on_it_it_comes() -> None:
    """Raised in an instrument it would be taken for the instrument's failure, and the loop would go on."""
    source = """
class Second(trio.abc.Instrument):
    is_done = False
    def before_task_step(self, task):
        if loop.ctrl_c.is_requested and not self.is_done:
            self.is_done = True
            interrupt()
async def body():
    trio.lowlevel.add_instrument(Second())
    try:
        await sleep()
    finally:
        with trio.CancelScope(shield=True):
            await trio.sleep_forever()
loop = Loop()
loop.open()
print(outcome_of(lambda: loop.run(body, name='test')), loop.is_wreck)
loop.bury()
"""
    assert lines_of(HELPERS + source) == ["KeyboardInterrupt True"]


def test_may_be_caught_by_the_test_where_it_computes() -> None:
    source = """
async def body():
    try:
        busy()
    except KeyboardInterrupt:
        await trio.sleep(0)
        return "caught"
print(loop.run(body, name='test'))
"""
    assert interrupted(source) == ["caught", "True True"]


def test_the_error_that_it_hides_is_its_cause() -> None:
    source = """
async def body():
    try:
        await sleep()
    finally:
        raise ValueError("boom")
try:
    loop.run(body, name='test')
except KeyboardInterrupt as error:
    print(repr(error.__cause__))
"""
    assert interrupted(source) == ["ValueError('boom')", "True True"]


# ------------------------------------------------------------------------ lifetimes

LIFETIMES = {
    "while the set-up sleeps": ("Body(up=sleep)", ["end", "KeyboardInterrupt"]),
    "while the set-up computes": ("Body(up=sync_busy)", ["end", "KeyboardInterrupt"]),
    "while a child task of the set-up computes": (
        "Body(up=busy_child)",
        ["end", "KeyboardInterrupt"],
    ),
    "while the tear-down sleeps": ("Body(down=sleep)", ["up", "end", "KeyboardInterrupt"]),
    "while the tear-down computes": ("Body(down=sync_busy)", ["up", "end", "KeyboardInterrupt"]),
}


@pytest.mark.parametrize("place", LIFETIMES)
def test_interrupts_lifetimes_of_both_kinds_from_both_sides(place: str) -> None:
    body, expected = LIFETIMES[place]
    source = f"""
async def inside():
    await trio.sleep(0)
    outside()
def outside():
    lifetime.open()
    lifetime.close()
for has_nursery in (True, False):
    for function in (outside, lambda: loop.run(inside, name='test')):
        lifetime = Lifetime(loop, "fixture", {body}, has_nursery=has_nursery)
        said = outcome_of(function)
        print("KeyboardInterrupt" if "child" in {place!r} and said == "BaseExceptionGroup" else said)
        print(list(loop.live), works(loop))
"""
    assert interrupted(source) == [*[*expected, "[] True"] * 4, "True True"]


def test_a_set_up_that_pays_no_heed_is_torn_down() -> None:
    source = """
async def up():
    with contextlib.suppress(KeyboardInterrupt):
        await sleep()
lifetime = Lifetime(loop, "fixture", Body(up=up), has_nursery=False)
print(outcome_of(lifetime.open))
print(list(loop.live))
"""
    assert interrupted(source) == ["up", "end", "KeyboardInterrupt", "[]", "True True"]


@pytest.mark.parametrize(
    ("down", "cause"), [("raise ValueError('down')", "ValueError('down')"), ("pass", "None")]
)
def test_what_its_tear_down_raises_then_is_the_cause(down: str, cause: str) -> None:
    source = f"""
async def up():
    with contextlib.suppress(KeyboardInterrupt):
        await sleep()
class Fixture(Body):
    async def __call__(self, nursery):
        await up()
        try:
            yield
        finally:
            {down}
lifetime = Lifetime(loop, "fixture", Fixture(), has_nursery=False)
try:
    lifetime.open()
except KeyboardInterrupt as error:
    print(repr(error.__cause__))
"""
    assert interrupted(source)[-2:] == [cause, "True True"]


def test_a_fixture_is_torn_down_if_it_strikes_just_after_its_set_up() -> None:
    """Then nothing of the fixture's waits, and the host does not yet run: if so, by Trio's order of tasks."""
    source = """
class Up(Body):
    async def __call__(self, nursery):
        trio.lowlevel.enable_ki_protection(lambda: interrupt())()
        for _ in range(self.up):
            await trio.lowlevel.cancel_shielded_checkpoint()
        ups.append(self.up)
        try:
            yield
            await trio.sleep(0)
        finally:
            downs.append(self.up)

ups, downs = [], []
for count in range(5):
    for _ in range(20):
        print(outcome_of(Lifetime(loop, "fixture", Up(up=count), has_nursery=False).open), end=" ")
print(ups == downs)
"""
    assert interrupted(source) == ["KeyboardInterrupt " * 100 + "True", "True True"]


@pytest.mark.parametrize("has_nursery", [True, False])
def test_live_ones_do_not_notice_that_a_test_is_interrupted(has_nursery: bool) -> None:
    source = f"""
lifetime = Lifetime(loop, "fixture", Body(down=seven), has_nursery={has_nursery})
print(lifetime.open())
print(outcome_of(lambda: loop.run(sleep, name='test')))
print(works(loop))
lifetime.close()
"""
    assert interrupted(source) == [
        "up",
        "value",
        "KeyboardInterrupt",
        "True",
        "down",
        "end",
        "True True",
    ]


def test_a_background_task_that_computes_is_interrupted_and_its_fixture_says_so() -> None:
    source = """
class Busy(Body):
    async def __call__(self, nursery):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.work)
            yield
    async def work(self):
        await go.wait()
        busy()
go = trio.Event()
async def test():
    go.set()
    await trio.sleep(0.05)
lifetime = Lifetime(loop, "fixture", Busy(), has_nursery=False)
lifetime.open()
said = [outcome_of(lambda: loop.run(test, name='test')), outcome_of(lifetime.close)]
print("KeyboardInterrupt" in said or "BaseExceptionGroup" in said)
"""
    assert interrupted(source) == ["True", "True True"]


# ------------------------------------------------------------------------ whose handler


def test_a_handler_of_the_users_own_is_called_on_both_sides() -> None:
    source = (
        HELPERS
        + """
calls = []
def handler(*_):
    calls.append("inside" if trio.lowlevel.in_trio_run() else "outside")
signal.signal(signal.SIGINT, handler)
async def body(loop):
    interrupt()
    await trio.sleep(0)
    interrupt()
    with loop.outside():
        interrupt()
    return 7
with open_loop() as loop:
    interrupt()
    print(loop.run(body, loop, name="test"))
    interrupt()
print(calls, signal.getsignal(signal.SIGINT) is handler)
"""
    )
    outside_inside = "['outside', 'inside', 'inside', 'outside', 'outside']"
    assert lines_of(source) == ["7", f"{outside_inside} True"]


def test_a_handler_that_a_sync_fixture_sets_counts_inside() -> None:
    source = """
calls = []
previous = signal.signal(signal.SIGINT, lambda *_: calls.append("handler"))
async def body():
    interrupt()
    await trio.sleep(0)
    return signal.getsignal(signal.SIGINT) is not previous
print(loop.run(body, name="test"), calls)
signal.signal(signal.SIGINT, previous)
print(outcome_of(lambda: loop.run(sleep, name='test')))
"""
    assert interrupted(source) == ["True ['handler']", "KeyboardInterrupt", "True True"]


def test_a_handler_that_an_async_fixture_sets_counts_outside_too() -> None:
    source = """
calls = []
async def set_up():
    return signal.signal(signal.SIGINT, lambda *_: calls.append("handler"))
async def tear_down(previous):
    signal.signal(signal.SIGINT, previous)
previous = loop.run(set_up, name="fixture")
interrupt()
loop.run(seven, name="test")
interrupt()
loop.run(tear_down, previous, name="fixture")
print(calls)
print(outcome_of(interrupt))
print(outcome_of(lambda: loop.run(sleep, name='test')))
"""
    assert interrupted(source) == [
        "['handler', 'handler']",
        "KeyboardInterrupt",
        "KeyboardInterrupt",
        "True True",
    ]


def test_trios_own_signal_receiver_works_in_a_test() -> None:
    source = """
async def body():
    with trio.open_signal_receiver(signal.SIGINT) as signals:
        interrupt()
        async for number in signals:
            return number == signal.SIGINT
print(loop.run(body, name="test"))
print(outcome_of(lambda: loop.run(sleep, name='test')))
"""
    assert interrupted(source) == ["True", "KeyboardInterrupt", "True True"]


# ------------------------------------------------------------------------ at the worst moment

WORST = """
# Python 3.12 and 3.13 tell a tracer of few bytecodes, unless it has asked for them before the call.
EVENT = "opcode" if sys.version_info < (3, 12) else "line"
ENOUGH = 50 if EVENT == "opcode" else 20

class Strike:
    # Sends SIGINT before the n-th bytecode of this package that runs in this thread.
    def __init__(self, number):
        self.left = number
        self.has_struck = False
    def trace(self, frame, event, argument):
        if "pytest_trio_scoped" not in frame.f_code.co_filename:
            return None
        frame.f_trace_opcodes = EVENT == "opcode"
        frame.f_trace_lines = EVENT == "line"
        if event == EVENT and not self.has_struck:
            self.left -= 1
            if self.left < 0:
                self.has_struck = True
                sys.settrace(None)
                interrupt()
        return self.trace

def strike(number, function):
    strike = Strike(number)
    sys.settrace(strike.trace)
    try:
        said = outcome_of(function)
    except KeyboardInterrupt:
        said = "KeyboardInterrupt"
    finally:
        sys.settrace(None)
    return strike.has_struck, said

async def body():
    await trio.sleep(0)
    with loop.outside():
        pass
    loop.run(seven, name="ignored")
    return "done"

before = snapshot()
for number in itertools.count():
    has_struck, said = strike(number, lambda: loop.run(body, name="test"))
    problem = None
    if not has_struck:
        break
    if said != "KeyboardInterrupt":
        problem = f"came out: {said}"
    elif snapshot() != before or loop.is_inside:
        problem = "the thread is not as before"
    elif not works(loop):
        problem = "does not work"
    if problem:
        print(number, problem)
        os._exit(0)
print("struck everywhere", number > ENOUGH)
"""


def test_strikes_before_every_bytecode_of_ours_in_a_test_and_comes_out_once() -> None:
    # As in any code of a user's, it may strike between the call of an async function and its "await".
    assert interrupted(WORST, is_noisy=True) == ["struck everywhere True", "True True"]


def test_strikes_while_the_loop_is_opened_and_closed() -> None:
    source = (
        HELPERS
        + WORST[: WORST.index("async def body")]
        + """
def open_and_close():
    loop = Loop()
    try:
        loop.open()
    finally:
        loop.close()

before = snapshot()
for number in itertools.count():
    has_struck, said = strike(number, open_and_close)
    if not has_struck:
        break
    if said != "KeyboardInterrupt" or snapshot() != before:
        print(number, said, snapshot() == before)
        os._exit(0)
print("struck everywhere", number > ENOUGH)
"""
    )
    assert lines_of(source) == ["struck everywhere True"]
