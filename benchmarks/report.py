"""Put figures of ``run.py --json FILE`` into the documentation: the tables of a page, and a picture.

Without a file, the figures that are there already are written once more.
"""

import argparse
import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

_HERE = Path(__file__).parent
FIGURES = _HERE / "figures.json"
PAGE = _HERE.parent / "docs" / "explanation" / "how-fast-it-is.md"
PICTURE = PAGE.with_suffix(".svg")
BEGIN, END = "<!-- figures: written by benchmarks/report.py -->", "<!-- end of the figures -->"

OURS = "pytest-trio-scoped"
PEERS = ("pytest-trio", "anyio on Trio", "anyio on asyncio", "pytest-asyncio")
DRAWN = ("noop", "wait", "fixtures", "waiting-fixtures", "tcp")

Figures = Mapping[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", nargs="?", type=Path, help="what run.py has written")
    file = parser.parse_args().file
    if file is not None:
        shutil.copyfile(file, FIGURES)
    figures = json.loads(FIGURES.read_text())
    for row in figures["rows"]:
        row.pop("samples", None)
    FIGURES.write_text(json.dumps(figures, indent=1) + "\n")
    PAGE.write_text(with_figures(PAGE.read_text(), figures))
    draw(figures)


def with_figures(page: str, figures: Figures) -> str:
    """Return ``page`` with the tables of ``figures`` between its two marks."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return "\n".join([f"{before}{BEGIN}", "", *_lines(figures), "", f"{END}{after}"])


def _lines(figures: Figures) -> Iterator[str]:
    versions = ", ".join(f"{name} {number}" for name, number in figures["versions"].items())
    yield f"Measured on {figures['date'][:10]} with {versions}; {figures['tests']:,} tests a suite."
    yield ""
    yield "| | goal | " + " | ".join((OURS, *PEERS)) + " |"
    yield "| --- " * (len(PEERS) + 3) + "|"
    others = []
    for row in figures["rows"]:
        if not set(PEERS) & set(row["ratios"]):
            others.append(row)
            continue
        cells = [_cell(row, side) for side in (OURS, *PEERS)]
        yield (
            f"| `{row['name']}`: {row['title']} | {row['goal'] or ''} | " + " | ".join(cells) + " |"
        )
    yield ""
    yield "| | goal | |"
    yield "| --- | --- | --- |"
    for row in others:
        cells = [f"{side}: {_cell(row, side)}" for side in row["ratios"]]
        yield f"| `{row['name']}`: {row['title']} | {row['goal'] or ''} | {'<br>'.join(cells)} |"


def _cell(row: Mapping[str, Any], side: str) -> str:
    found = row["ratios"].get(side)
    if found is None:
        return row["cannot"].get(side, "")
    value = found[row["clock"]]
    if value["lowest"] == value["highest"]:
        return f"{value['best']:.2f}"
    return f"{value['best']:.2f} ({value['lowest']:.2f} to {value['highest']:.2f})"


def draw(figures: Figures) -> None:
    """Draw the rows in which all plugins do the same."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams.update({"svg.hashsalt": "figures", "svg.fonttype": "none"})
    from matplotlib import pyplot as plt

    rows = [row for row in figures["rows"] if row["name"] in DRAWN]
    axes_of_all: Any
    figure, axes_of_all = plt.subplots(1, len(rows), figsize=(11, 2.6), sharey=True)
    for axes, row in zip(axes_of_all, rows, strict=True):
        sides = [side for side in (OURS, *PEERS) if side in row["ratios"]]
        best = [row["ratios"][side][row["clock"]]["best"] for side in sides]
        colors = ["#2a9d8f" if side == OURS else "#9aa5b1" for side in sides]
        bars = axes.barh(sides, best, color=colors)
        axes.bar_label(bars, fmt="%.2f", padding=3)
        axes.axvline(1, color="#444444", linewidth=0.8)
        axes.set_xlim(0, max(best) * 1.3)
        axes.set_title(row["name"])
        axes.spines[["top", "right"]].set_visible(False)
    axes_of_all[0].invert_yaxis()
    figure.suptitle(
        "time of a suite / that of its sync twin (1 is the twin; less is better)", y=0.02
    )
    figure.set_facecolor("white")
    figure.savefig(PICTURE, bbox_inches="tight", metadata={"Date": None})


if __name__ == "__main__":
    main()
