"""What does an async suite cost under this plugin, and under others? Prints a table of ratios."""

import argparse
import json
import platform
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from measure import Ratio, Sample, ratio, sample_row
from suites import OURS, PEERS, ROWS, Row, Side

CLOCKS = {
    "loop": "run loop",
    "trips": "round trips",
    "peak": "memory growth",
    "cpu": "process CPU",
    "wall": "process wall",
}
DISTRIBUTIONS = (
    "pytest-trio-scoped",
    "pytest",
    "trio",
    "greenlet",
    "pytest-trio",
    "anyio",
    "pytest-asyncio",
)
NAME_WIDTH = 24


def main() -> None:
    options = _parse_options()
    versions = _versions()
    report: dict[str, object] = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": versions,
        "rounds": options.rounds,
        "tests": options.tests,
    }
    print(f"{report['date']}  {platform.system()} {platform.machine()}")
    print("  ".join(f"{name} {number}" for name, number in versions.items()))
    print(
        f"best of alternating runs, {options.tests:,} tests a suite; "
        "in brackets the median, lowest and highest ratio of neighbouring runs"
    )
    asked = options.only or [row.name for row in ROWS if options.all or not row.is_long]
    rows = [row for row in ROWS if row.name in asked]
    with tempfile.TemporaryDirectory() as folder:
        report["rows"] = [_compare(row, options, Path(folder) / row.name) for row in rows]
    if options.json:
        options.json.write_text(json.dumps(report, indent=2) + "\n")


def _parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="runs of each side (default 5)")
    parser.add_argument("--tests", type=int, default=1000, help="tests a suite (default 1000)")
    parser.add_argument("--only", action="append", choices=[row.name for row in ROWS])
    parser.add_argument("--all", action="store_true", help="also the rows that take minutes each")
    parser.add_argument("--peers", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every sample here")
    return parser.parse_args()


def _versions() -> dict[str, str]:
    found = {"Python": platform.python_version()}
    for name in DISTRIBUTIONS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            is_checkout = name == OURS.name and OURS.is_installed
            found[name] = "(checkout)" if is_checkout else "(not installed)"
    return found


def _compare(row: Row, options: argparse.Namespace, folder: Path) -> dict[str, object]:
    clocks = [row.clock, *(clock for clock in ("loop", "cpu", "wall") if clock != row.clock)]
    pairs = [pair for pair in row.pairs if options.peers or pair[0] not in PEERS]
    can = [pair for pair in pairs if pair[0].is_installed and pair[0] not in row.cannot]
    sides = list(dict.fromkeys(side for pair in can for side in pair))
    rounds = 1 if row.has_one_round else options.rounds * row.times_rounds
    samples = sample_row(row, sides, options.tests * row.times_tests, rounds, folder)
    goal = f"goal {row.goal}" if row.goal else "no goal"
    print(f"\n{row.name}: {row.title} ({goal}, rounds: {rounds})")
    print(" " * NAME_WIDTH + "".join(_heading(clock, clock == row.clock) for clock in clocks))
    ratios: dict[str, dict[str, Ratio]] = {}
    for subject, baseline in pairs:
        if (subject, baseline) not in can:
            print(f"{subject.name:{NAME_WIDTH}}{row.cannot.get(subject, 'not installed')}")
            continue
        found = {c: ratio(samples[subject], samples[baseline], c) for c in clocks}
        ratios[subject.name] = found
        print(
            f"{subject.name:{NAME_WIDTH}}{_ratio_line(row, found)}{_verdict(row, subject, found)}"
        )
    for baseline in dict.fromkeys(baseline for _, baseline in can):
        print(f"{baseline.name:{NAME_WIDTH}}{_amounts_line(samples[baseline], clocks)}")
    sys.stdout.flush()
    return {
        "name": row.name,
        "goal": row.goal,
        "clock": row.clock,
        "title": row.title,
        "cannot": {side.name: why for side, why in row.cannot.items()},
        "ratios": {
            name: {clock: asdict(value) for clock, value in found.items()}
            for name, found in ratios.items()
        },
        "samples": {side.name: list(taken) for side, taken in samples.items()},
    }


def _heading(clock: str, is_first: bool) -> str:
    return f"{CLOCKS[clock]:<32}" if is_first else f"{CLOCKS[clock]:<14}"


def _ratio_line(row: Row, found: dict[str, Ratio]) -> str:
    text = ""
    for clock, value in found.items():
        if clock == row.clock:
            spread = f"({value.median:.3f}, {value.lowest:.3f} to {value.highest:.3f})"
            text += f"{value.best:<7.3f}{spread:<25}"
        else:
            text += f"{value.best:<14.3f}"
    return text


def _amounts_line(taken: Sequence[Sample], clocks: Sequence[str]) -> str:
    best = [_amount(clock, min(sample[clock] for sample in taken)) for clock in clocks]
    return f"{best[0]:<32}" + "".join(f"{text:<14}" for text in best[1:])


def _amount(clock: str, value: float) -> str:
    return f"{value / 1e6:.1f} MB" if clock == "peak" else f"{value:.2f} s"


def _verdict(row: Row, subject: Side, found: dict[str, Ratio]) -> str:
    if row.goal is None or subject.plugin != OURS.plugin:
        return ""
    return "goal met" if found[row.clock].best <= row.goal else "GOAL MISSED"


if __name__ == "__main__":
    main()
