"""Random suites, sync under pytest alone and async under this plugin: do they come to the same?

    python tests/twin_suites.py --runs 2000 --seed 1

A suite hangs on its seed alone; ``--runs 1 --seed S`` repeats one.  Each is described once and rendered three
times: sync, async, and with each function sync or async at random.  The first one, run without this plugin,
is what the others are held against: order, outcomes and exceptions of all phases, what is traced, what is
reported, the exit code, and all that is printed.
"""

from __future__ import annotations

import argparse
import dataclasses
import difflib
import importlib.util
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from twin_generator import Generator
from twin_intended import is_intended
from twin_parts import Description
from twin_rendering import Renderer, write
from twin_running import Runner
from twin_shrinking import shrink


@dataclasses.dataclass
class Difference:
    """What is not the same in one rendering."""

    variant: str
    expected: list[str]
    found: list[str]

    @property
    def is_in_facts(self) -> bool:
        """Whether it is in what happens, and not in what is printed only."""
        found, expected = (
            [line for line in lines if not line.startswith("|")]
            for lines in (self.found, self.expected)
        )
        return found != expected

    def __str__(self) -> str:
        diff = difflib.unified_diff(self.expected, self.found, "sync", self.variant, lineterm="")
        return "\n".join(diff)


def variants(suite: Description, seed: int) -> Iterator[tuple[str, Callable[[str], bool]]]:
    """Yield the renderings to compare: their names, and which functions are async in them."""
    yield "async", lambda _key: True
    # By the key, so that a function is what it was when the suite shrinks.
    yield "mixed", lambda key: random.Random(f"{seed} {key}").random() < 0.5


def difference(suite: Description, seed: int, runner: Runner, only: str = "") -> Difference | None:
    """Run the suite in all renderings; return how one differs, ``None`` if none does."""
    expected = _run(suite, lambda _key: False, runner, is_with_plugin=False)
    for name, is_async in variants(suite, seed):
        if only in ("", name):
            found = _run(suite, is_async, runner, is_with_plugin=True)
            if found != expected:
                return Difference(name, expected, found)
    return None


def _run(
    suite: Description, is_async: Callable[[str], bool], runner: Runner, *, is_with_plugin: bool
) -> list[str]:
    files = Renderer(is_async).files(suite, trio_mode=is_with_plugin)
    with tempfile.TemporaryDirectory(prefix="twin") as folder:
        path = Path(folder).resolve() / "suite"
        write(files, path)
        return runner.run(path, runs_of(suite), is_with_plugin=is_with_plugin)


def runs_of(suite: Description) -> list[list[str]]:
    """Return the arguments of the runs, without those for a plugin that is not there."""
    if importlib.util.find_spec("pytest_rerunfailures") is not None:
        return suite.runs
    words = ("--reruns", "--only-rerun")
    return [[each for each in run if not each.startswith(words)] for run in suite.runs]


def problem_with(seed: int, runner: Runner, *, is_shrunk: bool = True) -> str | None:
    """Return a text on how the suite of the seed differs, ``None`` if it does not."""
    suite = Generator(seed).description()
    found = difference(suite, seed, runner)
    if found is None:
        return None
    name = found.variant
    if is_shrunk:
        is_in_facts = found.is_in_facts

        def still_differs(smaller: Description) -> bool:
            other = difference(smaller, seed, runner, name)
            return (
                other is not None
                and other.is_in_facts == is_in_facts
                and not is_intended(other.found)
            )

        suite = shrink(suite, still_differs)
        found = difference(suite, seed, runner, name) or found
    is_async = dict(variants(suite, seed))[name]
    files = Renderer(is_async).files(suite, trio_mode=True)
    text = "".join(f"# ---- {each}\n{files[each]}\n" for each in files if files[each])
    return f"seed {seed}, {name}, runs: {suite.runs}\n{text}\n{found}\n"


def main() -> int:
    """Run many suites; return the number of those that differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--no-shrink", action="store_true")
    parser.add_argument("--first", action="store_true", help="stop at the first difference")
    arguments = parser.parse_args()
    first = random.randrange(2**32) if arguments.seed is None else arguments.seed
    differing = []
    begin = time.monotonic()
    with Runner() as runner:
        for seed in range(first, first + arguments.runs):
            problem = problem_with(seed, runner, is_shrunk=not arguments.no_shrink)
            if problem is not None:
                differing.append(seed)
                print(problem, flush=True)
                if arguments.first:
                    break
    seconds = time.monotonic() - begin
    seeds = f"seeds {first} to {first + arguments.runs - 1}"
    print(f"{seeds}: {arguments.runs} suites, {len(differing)} differ {differing}, {seconds:.0f} s")
    return len(differing)


if __name__ == "__main__":
    sys.exit(min(main(), 1))
