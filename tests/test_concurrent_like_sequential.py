"""Random suites come to the same whether their fixtures are set up at the same time or one by one."""

from __future__ import annotations

import dataclasses
import random
from collections import Counter

import pytest
from harness import EVERY_SCOPE, Result, Suite

PRELUDE = """
import contextlib
from trace import trace

live = {}

@contextlib.contextmanager
def instance(name, used, param):
    value = f"{name}{'' if param is None else f'#{param}'}({','.join(used.values())})"
    assert name not in live
    for each in used:
        assert live[each][0] == used[each]
        live[each][1].add(name)
    trace(f"up {value}")
    live[name] = value, set()
    yield value
    assert not live[name][1]
    for each in used:
        assert live[each][0] == used[each]
        live[each][1].discard(name)
    del live[name]
    trace(f"down {value}")

async def steps(count):
    for _ in range(count):
        await trio.lowlevel.checkpoint()
"""


@dataclasses.dataclass
class Fixture:
    name: str
    scope: str
    is_async: bool
    is_generator: bool
    taken: list[str]
    late: list[str]
    options: str
    steps: int
    has_param_below: bool

    def source(self) -> str:
        used = ", ".join(f"{name}={name}" for name in self.taken)
        lines = [
            f'@pytest.fixture(scope="{self.scope}"{self.options})',
            f"{self.word} {self.name}({', '.join(['request', *self.taken])}):",
            f"    used = dict({used})",
            f"    {self.step}",
            *(f"    used[{name!r}] = request.getfixturevalue({name!r})" for name in self.late),
            "    param = getattr(request, 'param', None)",
        ]
        if self.is_generator:
            lines += [
                f"    with instance({self.name!r}, used, param) as value:",
                f"        {self.step}",
                "        yield value",
                f"        {self.step}",
            ]
        else:
            lines += [
                f"    trace('up {self.name}')",
                f"    return {self.name!r} + repr((used, param))",
            ]
        return "\n".join([*lines, ""])

    @property
    def word(self) -> str:
        return "async def" if self.is_async else "def"

    @property
    def step(self) -> str:
        return f"await steps({self.steps})" if self.is_async else "pass"


def random_suite(number: int) -> tuple[str, list[Fixture]]:
    """Return the source of a suite with fixtures of all kinds, and the fixtures."""
    numbers = random.Random(number)
    fixtures: list[Fixture] = []
    for i in range(numbers.randint(3, 12)):
        scope = numbers.choice(EVERY_SCOPE)
        wide = [
            each
            for each in fixtures
            if each.is_generator and EVERY_SCOPE.index(each.scope) >= EVERY_SCOPE.index(scope)
        ]
        taken = numbers.sample(wide, numbers.randint(0, min(len(wide), 3)))
        late = [
            each
            for each in wide
            if each not in taken and not each.has_param_below and numbers.random() < 0.15
        ]
        is_async = numbers.random() < 0.75
        has_param = numbers.random() < 0.15
        options = f", params={[*range(numbers.randint(1, 2))]}" if has_param else ""
        if numbers.random() < 0.1:
            options += ", autouse=True"
        fixtures.append(
            Fixture(
                name=f"f{i}",
                scope=scope,
                is_async=is_async,
                is_generator=numbers.random() < 0.8,
                taken=[each.name for each in taken],
                late=[each.name for each in late],
                options=options,
                steps=numbers.randint(0, 4),
                has_param_below=has_param or any(each.has_param_below for each in taken),
            )
        )
    numbers.shuffle(fixtures)
    tests = []
    for i in range(4):
        names = [each.name for each in numbers.sample(fixtures, min(len(fixtures), 4))]
        word = numbers.choice(["async def", "def"])
        values = ", ".join(names)
        body = f"trace(f'test {{request.node.name}} {{[{values}]}}')"
        test = f"{word} test_{i}({', '.join(['request', *names])}): {body}\n"
        tests.append(test if i % 2 else f"class TestIt{i}:\n    @staticmethod\n    {test}")
    source = PRELUDE + "".join(each.source() for each in fixtures) + "".join(tests)
    return source, fixtures


def run(suite: Suite, source: str, *, is_concurrent: bool) -> Result:
    trace = suite.path / "trace.txt"
    trace.unlink(missing_ok=True)
    suite.tests(source)
    suite.write("__init__.py", "")
    suite.ini(f"trio_concurrent_fixtures = {str(is_concurrent).lower()}")
    return suite.run()


def by_test(trace: list[str]) -> list[tuple[Counter[str], str]]:
    """Return what is set up for each test, and what the test has got."""
    found: list[tuple[Counter[str], str]] = []
    ups: Counter[str] = Counter()
    for line in trace:
        if line.startswith("up "):
            ups[line] += 1
        elif line.startswith("test "):
            found.append((ups, line))
            ups = Counter()
    assert not ups
    return found


def before_sync(trace: list[str], fixtures: list[Fixture]) -> list[tuple[str, set[str]]]:
    """Return what a test has up when each sync fixture is, in order."""
    sync = {each.name for each in fixtures if not each.is_async}
    found: list[tuple[str, set[str]]] = []
    ups: set[str] = set()
    for line in trace:
        name = line.removeprefix("up ").partition("(")[0].partition("#")[0]
        if line.startswith("test "):
            ups = set()
        elif line.startswith("up "):
            if name in sync:
                found.append((line, set(ups)))
            ups.add(line)
    return found


@pytest.mark.parametrize("number", range(12))
def test_values_and_set_ups_are_the_same(suite: Suite, number: int) -> None:
    """That dependencies are kept is checked by the fixtures themselves."""
    source, fixtures = random_suite(number)
    sequential = run(suite, source, is_concurrent=False)
    concurrent = run(suite, source, is_concurrent=True)
    assert set(sequential.outcomes.values()) == {"passed"}, source + sequential.output
    assert concurrent.phases == sequential.phases, source + concurrent.output
    assert by_test(concurrent.trace) == by_test(sequential.trace), source
    assert downs(concurrent.trace) == downs(sequential.trace)
    if not any(each.late for each in fixtures):
        assert before_sync(concurrent.trace, fixtures) == before_sync(sequential.trace, fixtures)


def downs(trace: list[str]) -> Counter[str]:
    return Counter(line for line in trace if line.startswith("down "))
