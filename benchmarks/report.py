"""Put figures of ``run.py --json FILE`` into the documentation: the tables of a page, and a picture.

Without a file, the figures that are there already are written once more.
"""

import argparse
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import suites

_HERE = Path(__file__).parent
FIGURES = _HERE / "figures.json"
PAGE = _HERE.parent / "docs" / "explanation" / "how-fast-it-is.md"
PICTURE = PAGE.with_suffix(".svg")
BEGIN, END = "<!-- figures: written by benchmarks/report.py -->", "<!-- end of the figures -->"

#: The sides that have a column or a bar of their own, by name.
OURS = suites.OURS.name
PEERS = tuple(side.name for side in suites.PEERS)
XDIST = suites.TWO_PROCESSES.name
DRAWN = (
    ("noop", "wait", "fixtures", "waiting-fixtures"),
    ("tcp", "start-up", "memory", "parallel-others"),
)

Figures = Mapping[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", type=Path, help="what run.py has written, in parts")
    files = parser.parse_args().files
    figures = merged([json.loads(file.read_text()) for file in files or [FIGURES]])
    FIGURES.write_text(json.dumps(figures, indent=1) + "\n")
    PAGE.write_text(with_figures(PAGE.read_text(), figures))
    draw(figures)


def merged(parts: Iterable[Figures]) -> Figures:
    """Return figures that were measured with the same versions as one; later rows replace earlier ones."""
    first, *others = parts
    rows = {row["name"]: row for row in first["rows"]}
    for part in others:
        for key in ("versions", "tests"):
            if part[key] != first[key]:
                raise SystemExit(f"{key}: {part[key]} is not {first[key]}")
        rows.update({row["name"]: row for row in part["rows"]})
    for row in rows.values():
        row.pop("samples", None)
    return {**first, "rows": list(rows.values())}


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
        if not set(row["ratios"]) <= {OURS, *PEERS}:
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
        cells = [f"{side}: {_cell(row, side)}" for side in (*row["ratios"], *row["cannot"])]
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

    rows = {row["name"]: row for row in figures["rows"]}
    axes_of_all: Any
    figure, axes_of_all = plt.subplots(2, 4, figsize=(11, 5.2), sharey=True)
    for names, axes_of_row in zip(DRAWN, axes_of_all, strict=True):
        for name, axes in zip(names, axes_of_row, strict=True):
            _draw_row(axes, rows[name])
    axes_of_all[0][0].invert_yaxis()
    figure.suptitle(
        "a suite / its sync twin or what else stands in the table; less is better", y=0.02
    )
    figure.subplots_adjust(hspace=0.35)
    figure.set_facecolor("white")
    figure.savefig(PICTURE, bbox_inches="tight", metadata={"Date": None})


def _draw_row(axes: Any, row: Mapping[str, Any]) -> None:
    sides = (OURS, *PEERS, XDIST)
    found = [row["ratios"].get(side) for side in sides]
    best = [0 if each is None else each[row["clock"]]["best"] for each in found]
    bars = axes.barh(sides, best, color=["#2a9d8f", *["#9aa5b1"] * (len(sides) - 1)])
    labels = [
        f"{value:.2f}" if value else "cannot" if side in row["cannot"] else ""
        for side, value in zip(sides, best, strict=True)
    ]
    axes.bar_label(bars, labels, padding=3)
    axes.axvline(1, color="#444444", linewidth=0.8)
    axes.set_xlim(0, max(best) * 1.35)
    axes.set_title(row["name"])
    axes.spines[["top", "right"]].set_visible(False)


if __name__ == "__main__":
    main()
