"""Where does the time of a test go? Prints the CPU time of the run loop for each test, by whose code runs."""

import argparse
import json
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from measure import environment_of, write_suite
from suites import ALL_AT_ONCE, OURS, ROWS, SYNC, Side

#: What is looked at: heading, row, side.
_COLUMNS = (
    ("sync no-op", "noop", SYNC),
    ("async no-op", "noop", OURS),
    ("sync, three fixtures", "fixtures", SYNC),
    ("async, three fixtures", "fixtures", OURS),
    ("all at once", "parallel", ALL_AT_ONCE),
)
#: Parts of paths, and whose code it is; the first one that fits.
_PARTS = {
    "/pytest_trio_scoped/": "pytest-trio-scoped",
    "/_pytest/": "pytest",
    "/pluggy/": "pytest",
    "/trio/": "Trio",
    "<attrs generated methods trio": "Trio",
    "outcome": "Trio",
}
_REST = "the standard library, and the suite"


def main() -> None:
    options = _parse_options()
    times = {heading: Counter[str]() for heading, _, _ in _COLUMNS}
    functions = Counter[str]()
    with tempfile.TemporaryDirectory() as folder:
        for heading, name, side in _COLUMNS:
            (row,) = (row for row in ROWS if row.name == name)
            path = Path(folder) / heading
            write_suite(row, side, options.tests, path)
            for _ in range(options.rounds):
                for (file, function), seconds in _run(side, path).items():
                    a_test = seconds / options.tests / options.rounds * 1e6
                    times[heading][_owner(file)] += a_test
                    if heading == options.functions:
                        functions[f"{Path(file).name} {function}"] += a_test
    _print(times)
    for function, microseconds in functions.most_common(30):
        print(f"{microseconds:6.1f} us  {function}")


def _parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="runs of each suite (default 5)")
    parser.add_argument("--tests", type=int, default=1000, help="tests a suite (default 1000)")
    headings = [heading for heading, _, _ in _COLUMNS]
    parser.add_argument("--functions", choices=headings, help="also the functions of one column")
    return parser.parse_args()


def _run(side: Side, folder: Path) -> dict[tuple[str, str], float]:
    """Run the suite; return the seconds of CPU by file and function."""
    environment = environment_of(side, folder / "stopwatch.json")
    environment["PYTEST_PLUGINS"] += ",sampler"
    environment["SAMPLER_RESULT"] = str(folder / "sampler.json")
    subprocess.run(
        [sys.executable, *side.command],
        check=True,
        cwd=folder,
        env=environment,
        stdout=subprocess.DEVNULL,
    )
    result = json.loads((folder / "sampler.json").read_text())
    count = sum(number for *_, number in result["found"])
    return {
        (file, function): result["seconds"] * number / count
        for file, function, number in result["found"]
    }


def _owner(file: str) -> str:
    return next((owner for part, owner in _PARTS.items() if part in file), _REST)


def _print(times: dict[str, Counter[str]]) -> None:
    print("| microseconds of CPU a test | " + " | ".join(times) + " |")
    print("| --- " * (len(times) + 1) + "|")
    for owner in dict.fromkeys((*_PARTS.values(), _REST)):
        print(f"| {owner} | " + " | ".join(f"{each[owner]:.0f}" for each in times.values()) + " |")
    print("| all | " + " | ".join(f"{each.total():.0f}" for each in times.values()) + " |")


if __name__ == "__main__":
    main()
