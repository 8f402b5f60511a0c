"""Settings for pytest-trio in TOML files, changed in place, so that the format stays.

``tomllib`` says whether it is TOML; where the strings are, and for which key, is found here.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass

from . import _errors
from ._migrate_names import (
    NEW_DISTRIBUTION,
    PLUGINS,
    Remark,
    is_name,
    mentions,
    options,
    required_plugins,
    requirement,
)
from ._migrate_settings import Migrated, migrate_ini

_TOKEN = re.compile(
    r'(?P<multi>"""(?:\\.|[^\\])*?"{3,5}|\'\'\'.*?\'{3,5})'
    r'|(?P<string>"(?:\\.|[^"\\\r\n])*"|\'[^\'\r\n]*\')'
    r"|(?P<comment>#[^\r\n]*)"
    r"|(?P<open>[\[{])|(?P<close>[\]}])|(?P<equal>=)|(?P<end>[\r\n]+)"
    r"|(?P<other>[^\"'#\[\]{}=\r\n]+)",
    re.DOTALL,
)
_PART = re.compile(r"\"[^\"]*\"|'[^']*'|[\w-]+")

Path = tuple[str, ...]


@dataclass(frozen=True)
class _Token:
    """A string among the values of a key, or the key itself."""

    path: Path
    start: int
    text: str
    is_key: bool = False


def migrate_toml(text: str) -> Migrated:
    """Change pyproject.toml and the like; raise ValueError if it is no TOML."""
    tomllib.loads(text)
    change = _Change(text)
    for token in _tokens(text):
        change.look_at(token)
    new = change.text()
    try:
        tomllib.loads(new)
    except ValueError:  # the successor is there already, under the same table
        line = change.remark_line()
        return text, [Remark(line, _errors.MIGRATE_TWICE, is_left=True)]
    return new, change.remarks


class _Change:
    """The edits of one file."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._edits: list[tuple[int, str, str]] = []
        #: The key whose value is a version of pytest-trio.
        self._versioned: Path | None = None
        #: The option before this one in a list.
        self._last: tuple[Path, str] | None = None
        self.remarks: list[Remark] = []

    def text(self) -> str:
        made, done = [], 0
        for start, old, new in self._edits:
            made += [self._text[done:start], new]
            done = start + len(old)
        return "".join(made) + self._text[done:]

    def remark_line(self) -> int:
        return self._line(self._edits[0][0])

    def look_at(self, token: _Token) -> None:
        if token.is_key:
            self._look_at_key(token)
            return
        quote = re.match(r"\"\"\"|'''|\"|'", token.text)
        assert quote is not None
        size = quote.end()
        value = token.text[size:-size]
        new = self._new_value(token, value)
        if new != value:
            self._edits.append((token.start + size, value, new))
        elif mentions(value) and not self._is_remarked(token):
            self._remark(token, _errors.MIGRATE_MENTION)

    def _look_at_key(self, token: _Token) -> None:
        *table, key = token.path
        if not any(_is_dependency(part) for part in table):
            return
        if any(is_name(part) for part in table):
            self._leave(token)
        elif is_name(key):
            if re.match(r"\s*=\s*\{", self._text[token.start + len(token.text) :]):
                self._leave(token)
                return
            self._versioned = token.path
            self._edits.append((token.start, token.text, _quoted_like(token.text)))

    def _leave(self, token: _Token) -> None:
        """Leave to the user what says more of pytest-trio than a version: a repository, a marker."""
        self.remarks.append(Remark(self._line(token.start), _errors.MIGRATE_BY_HAND, is_left=True))

    def _new_value(self, token: _Token, value: str) -> str:
        path = token.path
        if path == self._versioned:
            return "*"
        if path[-1] == "addopts":
            return self._option(token, value)
        if path[-1] == "required_plugins":
            return required_plugins(value)
        if path[-1] == "legacy_tox_ini":
            line = self._line(token.start)
            new, remarks = migrate_ini(value)
            self.remarks += [Remark(line + each.line - 1, each.text) for each in remarks]
            return new
        if any(_is_dependency(part) for part in path):
            new_requirement = requirement(value)
            return value if new_requirement is None else new_requirement
        return value

    def _option(self, token: _Token, value: str) -> str:
        last, self._last = self._last, (token.path, value)
        if last == (token.path, "-p"):
            name = value.removeprefix("no:")
            if name != value and name in PLUGINS:
                self._remark(token, _errors.MIGRATE_SWITCHED_OFF.format(name=name))
            return PLUGINS.get(value, value)
        return options(value, lambda text: self._remark(token, text))

    def _remark(self, token: _Token, text: str) -> None:
        self.remarks.append(Remark(self._line(token.start), text))

    def _is_remarked(self, token: _Token) -> bool:
        first, last = self._line(token.start), self._line(token.start + len(token.text))
        return any(first <= each.line <= last for each in self.remarks)

    def _line(self, position: int) -> int:
        return len(re.findall(r"\r\n|\n|\r", self._text[:position])) + 1


def _quoted_like(text: str) -> str:
    quote = text[0] if text[0] in "\"'" else ""
    return quote + NEW_DISTRIBUTION + quote


def _is_dependency(part: str) -> bool:
    return "dependenc" in part or "require" in part or part in _OTHER_TABLES


#: Tables and keys with requirements that do not say so in their name: tox, poetry, pipenv.
_OTHER_TABLES = {"deps", "extras", "packages", "dev-packages"}


def _tokens(text: str) -> Iterator[_Token]:
    """Yield keys and strings, in order; comments have none."""
    table: Path = ()
    statement: list[tuple[int, str]] = []
    parts = _TOKEN.finditer(text)
    for found in parts:
        if found.lastgroup == "equal":
            path = table + _parts("".join(part for _, part in statement))
            start, part = statement[-1]
            key = list(_PART.finditer(part))[-1]
            yield _Token(path, start + key.start(), key[0], is_key=True)
            yield from _strings(parts, path)
            statement = []
        elif found.lastgroup == "end":
            head = "".join(part for _, part in statement)
            if head.startswith("["):
                table = _parts(head)
            statement = []
        elif found.lastgroup != "comment" and found[0].strip():
            statement.append((found.start(), found[0]))


def _strings(parts: Iterator[re.Match[str]], path: Path) -> Iterator[_Token]:
    """Yield the strings of a value, up to its end."""
    depth = 0
    for found in parts:
        if found.lastgroup == "open":
            depth += 1
        elif found.lastgroup == "close":
            depth -= 1
        elif found.lastgroup in {"string", "multi"}:
            yield _Token(path, found.start(), found[0])
        elif found.lastgroup == "end" and not depth:
            return


def _parts(text: str) -> Path:
    return tuple(found[0].strip("\"'") for found in _PART.finditer(text))
