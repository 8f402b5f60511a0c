"""Python code written for pytest-trio, changed into code for its successor.

libcst says what is an import, a use of it, or a string that names a plugin; only lines in which one of these
changes are touched.  It loses some form feeds, so what it writes is compared with what it has read, line by
line, and what differs is taken over.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator

import libcst as cst
from libcst.metadata import MetadataWrapper, PositionProvider

from . import _errors
from ._migrate_hints import Hints, dotted
from ._migrate_names import IMPORTABLE, MODULES, NEW, OLD, Remark, mentions, plugins, requirement
from ._migrate_settings import Migrated, lines_of

#: Functions whose first argument may be the name of a module to import.
_IMPORTING = {"importorskip", "import_module", "find_spec", "__import__"}
#: The arguments of setup() that may have the name of a distribution and require nothing.
_NO_REQUIREMENTS = {"name", "keywords", "classifiers", "description", "long_description", "url"}


def migrate_python(text: str, *, is_setup: bool = False) -> Migrated:
    """Change imports, uses of them and names of plugins; raise ValueError if it can't be parsed.

    With ``is_setup``, requirements as well, as in setup.py and noxfile.py.
    """
    code = text.rstrip()
    try:
        with warnings.catch_warnings(action="ignore"):
            ast.parse(
                code
            )  # libcst dies, and the process with it, of what is nested too deeply for Python
        module = cst.parse_module(code)
    except SyntaxError as error:
        raise ValueError(f"line {error.lineno}: {error.msg}") from error
    except (RecursionError, MemoryError) as error:
        raise ValueError(f"it is nested too deeply: {error}") from error
    except cst.ParserSyntaxError as error:
        raise ValueError(f"line {error.raw_line}: {error.message}") from error
    wrapper = MetadataWrapper(module, unsafe_skip_copy=True)
    search = _Search(is_setup=is_setup)
    wrapper.module.visit(search)
    search.decide()
    remarks = [*search.remarks, *Hints(wrapper.module).remarks]
    if remarks:
        positions = wrapper.resolve(PositionProvider)
        placed = [
            Remark(positions[node].start.line, words, is_left) for node, words, is_left in remarks
        ]
    else:
        placed = []
    new = wrapper.module.visit(_Replace(search.replacements))
    merged = _merge(code, module.code, new.code) + text[len(code) :]
    return merged, sorted(placed, key=lambda each: each.line)


def _merge(text: str, read: str, written: str) -> str:
    """Take over the lines in which what was written differs from what was read."""
    lines, read_lines, written_lines = lines_of(text), lines_of(read), lines_of(written)
    if not len(lines) == len(read_lines) == len(written_lines):  # such as a "\\" within a name
        raise ValueError(_errors.MIGRATE_ODD_LINES)
    merged = []
    for (line, end), (old, _), (new, _) in zip(lines, read_lines, written_lines, strict=True):
        if old == new:
            merged.append(line + end)
        else:
            before, _, after = line.rpartition(old)  # behind a form feed
            merged.append(before + new + after + end)
    return "".join(merged)


class _Replace(cst.CSTTransformer):
    """Replaces nodes by others."""

    def __init__(self, replacements: dict[cst.CSTNode, cst.CSTNode]) -> None:
        super().__init__()
        self._replacements = replacements

    def on_leave(  # type: ignore[override]
        self, original_node: cst.CSTNode, updated_node: cst.CSTNode
    ) -> cst.CSTNode:
        return self._replacements.get(original_node, updated_node)


class _Search(cst.CSTVisitor):
    """Finds what has to be replaced, and what can't be."""

    def __init__(self, *, is_setup: bool) -> None:
        super().__init__()
        self._is_setup = is_setup
        self.replacements: dict[cst.CSTNode, cst.CSTNode] = {}
        #: A node, and the other fields of a remark at it.
        self.remarks: list[tuple[cst.CSTNode, str, bool]] = []
        #: ``import pytest_trio``, which binds the name.
        self._bindings: list[cst.ImportAlias] = []
        #: ``a.b.c``, with the node of the first name.
        self._uses: list[tuple[str, cst.Name]] = []
        #: Whether the name means something else as well, or stands alone.
        self._has_others = False
        #: ``import pytest_trio as x``, by what it binds.
        self._aliases: dict[str, list[cst.ImportAlias]] = {}
        self._done: set[cst.CSTNode] = set()

    # ---------------------------------------------------------------- imports

    def visit_ImportFrom(self, node: cst.ImportFrom) -> bool:
        name = dotted(node.module) if node.module and not node.relative else ""
        if not isinstance(node.names, cst.ImportStar):
            for alias in node.names:
                self._has_others |= (alias.evaluated_alias or alias.evaluated_name) == OLD
        if name != OLD and not name.startswith(f"{OLD}."):
            return False
        new, known = MODULES.get(name, ("", set[str]()))
        wanted = ["*"]
        if not isinstance(node.names, cst.ImportStar):
            wanted = [alias.evaluated_name for alias in node.names]
        if missing := [each for each in wanted if each not in known]:
            self._leave(node, [f"{name}.{each}" for each in missing])
        else:
            assert node.module is not None
            self.replacements[node.module] = cst.parse_expression(new)
        return False

    def visit_Import(self, node: cst.Import) -> bool:
        for alias in node.names:
            name = alias.evaluated_name
            self._has_others |= alias.evaluated_alias == OLD != name
            if name != OLD and not name.startswith(f"{OLD}."):
                continue
            if name not in IMPORTABLE:
                self._leave(alias, [name])
            elif alias.evaluated_alias is None:
                self._bindings.append(alias)
            else:
                self._aliases.setdefault(alias.evaluated_alias, []).append(alias)
        return False

    # ---------------------------------------------------------------- uses

    def visit_Attribute(self, node: cst.Attribute) -> bool:
        if name := dotted(node):
            base: cst.BaseExpression = node
            while isinstance(base, cst.Attribute):
                base = base.value
            assert isinstance(base, cst.Name)
            self._uses.append((name, base))
        else:
            node.value.visit(self)
        return False

    def visit_Arg(self, node: cst.Arg) -> bool:
        keyword = node.keyword.value if node.keyword else ""
        if keyword not in _NO_REQUIREMENTS:
            if "require" in keyword:
                self._look_for_requirements(node.value)
            node.value.visit(self)
        return False

    def visit_Name(self, node: cst.Name) -> None:
        self._has_others |= node.value == OLD

    def decide(self) -> None:
        """Replace the bindings and their uses, or leave all of them."""
        for name, aliases in self._aliases.items():
            for alias in aliases:
                self._decide_alias(name, alias)
        if not self._bindings:
            return
        uses = [(name, base) for name, base in self._uses if base.value == OLD]
        known = {f"{module}.{each}" for module in IMPORTABLE for each in MODULES[module][1]}
        missing = [name for name, _ in uses if name not in known]
        is_dotted = any(alias.evaluated_name != OLD for alias in self._bindings)
        if missing or (self._has_others and is_dotted):
            for alias in self._bindings:
                self._leave(alias, missing or [OLD])
            return
        for alias in self._bindings:
            if self._has_others:
                # The name has other meanings in this file, so it stays.
                new_alias = alias.with_changes(
                    name=cst.Name(NEW), asname=cst.AsName(name=cst.Name(OLD))
                )
                self.replacements[alias] = new_alias
            else:
                new, _ = MODULES[alias.evaluated_name]
                self.replacements[alias.name] = cst.parse_expression(new)
        if not self._has_others:
            for _, base in uses:
                self.replacements[base] = base.with_changes(value=NEW)

    def _decide_alias(self, name: str, alias: cst.ImportAlias) -> None:
        new, names = MODULES[alias.evaluated_name]
        known = {f"{name}.{each}" for each in names}
        wanted = [used for used, _ in self._uses if used.partition(".")[0] == name]
        if missing := [each for each in wanted if each not in known]:
            self._leave(alias, [each.replace(name, alias.evaluated_name, 1) for each in missing])
        else:
            self.replacements[alias.name] = cst.parse_expression(new)

    # ---------------------------------------------------------------- strings

    def visit_Assign(self, node: cst.Assign) -> None:
        if any(dotted(target.target) == "pytest_plugins" for target in node.targets):
            self._look_for_plugins(node.value)

    def visit_AnnAssign(self, node: cst.AnnAssign) -> None:
        if dotted(node.target) == "pytest_plugins" and node.value:
            self._look_for_plugins(node.value)

    def visit_AugAssign(self, node: cst.AugAssign) -> None:
        if dotted(node.target) == "pytest_plugins":
            self._look_for_plugins(node.value)

    def _look_for_plugins(self, value: cst.BaseExpression) -> None:
        for string in _strings(value):
            self._replace_string(string, plugins(_inner(string)))

    def visit_Call(self, node: cst.Call) -> None:
        function = dotted(node.func).rpartition(".")[2]
        if (
            function in _IMPORTING
            and node.args
            and isinstance(node.args[0].value, cst.SimpleString)
        ):
            string = node.args[0].value
            # What it has as __version__ is not that of pytest-trio.
            is_plain = not any(
                arg.keyword and arg.keyword.value == "minversion" for arg in node.args
            )
            name = _inner(string)
            if name in IMPORTABLE and is_plain:
                self._replace_string(string, MODULES[name][0])
        elif self._is_setup and isinstance(node.func, cst.Attribute):  # session.install() of nox
            for arg in node.args:
                self._look_for_requirements(arg.value)

    def visit_Element(self, node: cst.Element) -> None:
        self._look_for_requirements(node.value)

    def _look_for_requirements(self, node: cst.BaseExpression) -> None:
        if self._is_setup and isinstance(node, cst.SimpleString):
            self._replace_string(node, requirement(_inner(node)) or _inner(node))

    def visit_SimpleString(self, node: cst.SimpleString) -> None:
        text = _inner(node)
        is_word = text.replace(".", "").replace("_", "").isidentifier()
        if node not in self._done and is_word and text.startswith(OLD) and mentions(text):
            self.remarks.append((node, _errors.MIGRATE_MENTION, False))

    def _replace_string(self, node: cst.SimpleString, new: str) -> None:
        old = _inner(node)
        if new != old and node not in self._done:
            self._done.add(node)
            start = node.prefix + node.quote
            self.replacements[node] = node.with_changes(value=start + new + node.quote)

    def _leave(self, node: cst.CSTNode, names: list[str]) -> None:
        text = _errors.MIGRATE_NO_SUCCESSOR.format(names=", ".join(dict.fromkeys(names)))
        self.remarks.append((node, text, True))


def _inner(node: cst.SimpleString) -> str:
    """Return what stands between the quotes, escapes as they are written."""
    return node.raw_value


def _strings(node: cst.CSTNode) -> Iterator[cst.SimpleString]:
    if isinstance(node, cst.SimpleString):
        yield node
    if isinstance(node, cst.ConcatenatedString):  # each is but a part of a name
        return
    for child in node.children:
        yield from _strings(child)
