"""Run suites in child processes, turn by turn, and turn the samples into ratios."""

import json
import os
import re
import resource
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from suites import Row, Side

Sample = Mapping[str, float]
"""Seconds by clock: loop (pytest's run loop), trips (round trips), cpu and wall (the process).

And in bytes: peak (by how much the run loop lets the memory of the process grow at most).
"""

_TIME_LIMIT = 600
_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Ratio:
    best: float
    """Best run of one side / best run of the other."""
    median: float
    """Of the ratios of neighbouring runs, as are the next two."""
    lowest: float
    highest: float


def ratio(subject: Sequence[Sample], baseline: Sequence[Sample], clock: str) -> Ratio:
    ours = [sample[clock] for sample in subject]
    theirs = [sample[clock] for sample in baseline]
    by_round = [a / b for a, b in zip(ours, theirs, strict=True)]
    return Ratio(
        best=min(ours) / min(theirs),
        median=statistics.median(by_round),
        lowest=min(by_round),
        highest=max(by_round),
    )


def sample_row(
    row: Row, sides: Sequence[Side], tests: int, rounds: int, folder: Path
) -> dict[Side, list[Sample]]:
    """Run A B C, A B C, ...; a warm-up run of each side comes first, which also compiles its files."""
    expected = {side: 1 if row.has_one_test else tests // side.share for side in sides}
    folders = {side: folder / str(number) for number, side in enumerate(sides)}
    for side in sides:
        write_suite(row, side, tests // side.share, folders[side])
    samples: dict[Side, list[Sample]] = {side: [] for side in sides}
    for number in range(0 if row.is_warmed_up else 1, rounds + 1):
        for side in sides:
            _show_progress(f"{row.name} {number}/{rounds} {side.name}")
            sample = _run(side, folders[side], expected[side])
            if number > 0:
                samples[side].append(sample)
    _show_progress("")
    return samples


def _show_progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def write_suite(row: Row, side: Side, tests: int, folder: Path) -> None:
    """Write the files of a side into a new folder."""
    folder.mkdir(parents=True)
    (folder / "pytest.ini").write_text(f"[pytest]\n{side.ini}\n")
    for name, text in row.write(side, tests).items():
        (folder / name).write_text(text)


def _run(side: Side, folder: Path, expected: int) -> Sample:
    command = [sys.executable, *side.command]
    result = folder / "result.json"
    result.unlink(missing_ok=True)
    cpu_before = _children_cpu()
    begun = perf_counter()
    done = subprocess.run(
        command,
        check=False,
        cwd=folder,
        env=environment_of(side, result),
        capture_output=True,
        text=True,
        timeout=_TIME_LIMIT,
    )
    wall = perf_counter() - begun
    cpu = _children_cpu() - cpu_before
    counted: dict[str, float] = json.loads(result.read_text()) if result.exists() else {"ran": 0}
    is_passed = re.search(rf"^{expected} passed in ", done.stdout, re.MULTILINE)
    if done.returncode != 0 or not is_passed or counted["ran"] != expected:
        sys.exit(
            f"\n{side.name}: {expected} tests should have passed; exit code {done.returncode}, "
            f"{counted['ran']} bodies ran\n{' '.join(command)}\n"
            f"{done.stdout[-3000:]}{done.stderr[-3000:]}"
        )
    in_loop = {clock: counted[clock] for clock in ("loop", "trips", "peak")}
    return {**in_loop, "cpu": cpu, "wall": wall}


def environment_of(side: Side, result: Path) -> dict[str, str]:
    """Return the environment to run a side in, with ``stopwatch``, which writes ``result``."""
    dropped = ("PYTEST_ADDOPTS", "PYTEST_DISABLE_PLUGIN_AUTOLOAD", "PYTHONDONTWRITEBYTECODE")
    environment = {name: value for name, value in os.environ.items() if name not in dropped}
    import_path = [str(_HERE), environment.get("PYTHONPATH", "")]
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, import_path))
    environment["PYTHONHASHSEED"] = "0"
    environment["PYTEST_PLUGINS"] = "stopwatch"
    environment["STOPWATCH_RESULT"] = str(result)
    if not side.has_autoload:
        environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    return environment


def _children_cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
