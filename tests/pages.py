"""The Markdown pages of this repository, and the code blocks in them."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
#: The pages of the site.
SITE = sorted(path for path in DOCS.rglob("*.md") if "_build" not in path.parts)
#: All that is read in the hosting site's file view.
ALL = sorted([*SITE, *ROOT.glob("*.md"), *ROOT.glob("examples/*/README.md")])

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FENCED = re.compile(r"^(```+)[^\n]*\n.*?^\1$", re.MULTILINE | re.DOTALL)


@dataclasses.dataclass(frozen=True)
class Block:
    """A code block of a page."""

    language: str
    text: str
    #: The paragraph above it.
    above: str

    @property
    def file(self) -> str | None:
        """The file that its first line names in a comment."""
        found = re.match(r"# (\S+\.\w+)\n", self.text)
        return found and found[1]

    @property
    def is_marked_as_not_run(self) -> bool:
        """Whether the page says, right above, that it is not run, and why."""
        return re.search(r"\*Not run: [^*]+\*$", self.above) is not None


def name_of(page: Path) -> str:
    """Return the path of a page in the repository."""
    return page.relative_to(ROOT).as_posix()


def text_of(page: Path) -> str:
    """Return the text of a page."""
    return page.read_text(encoding="utf-8")


def prose_of(page: Path) -> str:
    """Return the text of a page without what is in fences."""
    return _FENCED.sub("", text_of(page))


def blocks_of(page: Path, *languages: str) -> list[Block]:
    """Return the code blocks of a page in these languages, or all."""
    text = text_of(page)
    return [
        Block(found[1], found[2], text[: found.start()].rstrip().rpartition("\n\n")[2])
        for found in _BLOCK.finditer(text)
        if not languages or found[1] in languages
    ]
