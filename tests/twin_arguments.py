"""How a generated suite is run: the arguments of pytest."""

from __future__ import annotations

import random

from twin_parts import Description

#: Those that do not show source lines take half of the time.
_STYLES = ("auto", "short", "long", *("native",) * 3, *("line",) * 4)


def runs(source: random.Random, suite: Description) -> list[list[str]]:
    """Return the arguments of each run; several for those that hang on the one before."""
    cases = [case for place in suite.places() for case in place.cases]
    names = [case.name for case in cases] or ["test"]
    chosen = source.choice(names), source.choice(names)
    module = source.choice(suite.modules)
    nodes = [f"{module.name}.py", *(case.key.replace("::", ".py::", 1) for case in cases)]
    kinds: list[list[list[str]]] = [
        [["-x"]],
        [["--maxfail=2"]],
        [["-k", f"{chosen[0]} or {chosen[1]}"]],
        [["-k", f"not {chosen[0]}"]],
        [[source.choice(nodes), source.choice(nodes)]],
        [[], ["--lf"]],
        [["-x"], ["--ff"]],
        [[], ["--ff", "--maxfail=2"]],
        [[], ["--lf", "--lfnf=none"]],
        [["--nf"]],
        [["--stepwise"], ["--stepwise"]],
        [["--stepwise-skip", "--stepwise"]],
        [["--reruns=1"]],
        [["--reruns=2", "--only-rerun=Broken"]],
        [["--setup-show"]],
        [["--setup-only"]],
        [["--setup-plan"]],
        [["--runxfail"]],
        [["-Werror:warned"]],
        [["-q", "--show-capture=log"]],
        [["--deselect", source.choice(nodes)]],
        [["--continue-on-collection-errors", "--strict-markers"]],
    ]
    runs = source.choice(kinds) if source.random() < 0.5 else [[]]
    if runs[0] and runs[0][0].startswith("--setup"):
        # Their names are printed, see ``twin_intended.py``.
        for place in suite.places():
            place.setups = [each for each in place.setups if place.is_unittest]
    if runs[0] and runs[0][0].startswith("--reruns"):
        # pytest loses the tear-down that comes after such an error of a rerun, see ``twin_intended.py``.
        for place in suite.places():
            for each in place.fixtures:
                each.kind = "yield" if each.kind == "two yields" else each.kind
    looks = [f"--tb={source.choice(_STYLES)}"]
    if source.random() < 0.7:
        looks.append("--assert=plain")
    looks += [each for each in ("-v", "-rA", "-l") if source.random() < 0.1]
    return [[*run, *looks] for run in runs]
