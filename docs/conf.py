"""The documentation as a site: ``sphinx-build -W docs docs/_build``.

The pages are read on the hosting site's file view as well, so their links are ordinary relative ones.  Those
that lead out of this folder are turned to the site's own pages here.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx

DOCS = Path(__file__).parent
ROOT = DOCS.parent

project = "pytest-trio-scoped"
author = "pytest-trio-scoped maintainers"
project_copyright = author

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
]
exclude_patterns = ["_build"]

myst_heading_anchors = 4

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_inherit_docstrings = False

html_theme = "furo"
html_title = "pytest-trio-scoped"
html_show_copyright = False

#: What a page of the site shows in place of its own text, which says where to find these files.
TEXT_OF = {
    "readme": [ROOT / "README.md"],
    "changelog": [ROOT / "CHANGELOG.md"],
    "examples": sorted((ROOT / "examples").glob("*/README.md")),
}
PAGE_OF = {path: DOCS / f"{page}.md" for page, paths in TEXT_OF.items() for path in paths}
PAGE_OF[ROOT / "examples"] = DOCS / "examples.md"
PAGE_OF |= {path.parent: DOCS / "examples.md" for path in TEXT_OF["examples"]}

#: A link to a file, or to a heading in one.
_LINK = re.compile(r"\[([^\[\]]*)\]\(([^)\s#:]+)(#[^)\s]*)?\)")

_FENCED = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)


def setup(app: Sphinx) -> None:
    """Tell Sphinx what to do with each page that it reads."""
    app.connect("source-read", _read)


def _read(_app: Sphinx, page: str, source: list[str]) -> None:
    path = DOCS / f"{page}.md"
    if page == "examples":
        parts = [_text(path, path)]
        for readme in TEXT_OF[page]:
            parts += [_text(readme, path).replace("# ", "## ", 1), _files(readme.parent)]
        source[0] = "\n".join(parts)
    else:
        (shown,) = TEXT_OF.get(page, [path])
        source[0] = _text(shown, path)


def _text(shown: Path, page: Path) -> str:
    """Return the text of ``shown`` with links as they are to be in ``page``."""

    def link(found: re.Match[str]) -> str:
        label, target, anchor = found[1], Path(os.path.normpath(shown.parent / found[2])), found[3]
        if target in PAGE_OF:
            folder = target if target.is_dir() else target.parent
            anchor = f"#{folder.name}" if folder.parent == ROOT / "examples" else anchor
            target = PAGE_OF[target]
        elif DOCS not in target.parents and (target.is_dir() or target.suffix == ".md"):
            return label  # the site does not have it
        path = os.path.relpath(target, page.parent).replace(os.sep, "/")
        return f"[{label}]({path}{anchor or ''})"

    parts = _FENCED.split(shown.read_text(encoding="utf-8"))
    parts[::2] = [_LINK.sub(link, part) for part in parts[::2]]
    return "".join(parts)


def _files(folder: Path) -> str:
    """Return what shows the files of an example."""
    blocks = []
    for file in sorted(folder.glob("*.py")):
        name = os.path.relpath(file, DOCS).replace(os.sep, "/")
        blocks.append(f"`{file.name}`:\n\n```{{literalinclude}} {name}\n:language: python\n```\n")
    return "\n".join(blocks)
