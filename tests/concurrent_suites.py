"""Inner suites whose fixtures are set up at the same time."""

from __future__ import annotations

import textwrap

from harness import Result, Suite

#: ``await meet("up", 2)`` comes back when two have called it, so it never does in fixtures that are set up
#: one after the other.
MEET = """
import trio

_guests, _is_complete = {}, {}

async def meet(place, count):
    _guests[place] = _guests.get(place, 0) + 1
    event = _is_complete.setdefault(place, trio.Event())
    if _guests[place] == count:
        event.set()
    with trio.fail_after(5):
        await event.wait()
"""


def write(suite: Suite, source: str, *ini: str) -> None:
    """Write the suite and its ini file, with ``ini`` among its lines."""
    suite.write("meet.py", MEET)
    suite.tests("from meet import meet\n" + textwrap.dedent(source))
    suite.ini("trio_concurrent_fixtures = true", *ini)


def run(suite: Suite, source: str, *arguments: str) -> Result:
    """Write the suite and run it in this process."""
    write(suite, source)
    return suite.run(*arguments)


def ok(result: Result) -> list[str]:
    """Return the trace of a run in which all has passed."""
    assert set(result.outcomes.values()) == {"passed"}, result.output
    assert result.exit_code == 0
    return result.trace


def run_in_any_order(suite: Suite, source: str) -> list[str]:
    """Return the trace of a suite that passes, which is the same whatever Trio runs first."""
    write(suite, source)
    traces = []
    for seed in range(5):
        (suite.path / "trace.txt").unlink(missing_ok=True)
        traces.append(ok(suite.run(f"--trio-seed={seed}")))
    assert all(trace == traces[0] for trace in traces)
    return traces[0]


TRACED = """
def traced(name, *names, scope="function", word="async def", **options):
    wait = "await trio.lowlevel.checkpoint()" if word == "async def" else "pass"
    source = f'''
@pytest.fixture(scope={scope!r}, **options)
{word} {name}({", ".join(names)}):
    trace("{name} begins")
    {wait}
    {wait}
    trace("{name} is up")
    yield "{name}"
    trace("{name} ends")
    {wait}
    {wait}
    trace("{name} is down")
'''
    exec(source, globals() | {"options": options}, made := {})
    globals()[name] = made[name]
"""
