"""What a suite written for pytest-trio may count on, and nobody can change for its authors."""

from __future__ import annotations

import libcst as cst

from . import _errors

#: What is awaited on an object, and what ends the waiting.
_ENDS = {
    "wait": {"set", "notify", "notify_all"},
    "receive": {"send", "send_nowait"},
    "acquire": {"release"},
    "park": {"unpark", "unpark_all"},
}


def dotted(node: cst.CSTNode) -> str:
    """Return ``a.b.c``, or an empty string for anything else."""
    if isinstance(node, cst.Name):
        return node.value
    if isinstance(node, cst.Attribute):
        base = dotted(node.value)
        return base and f"{base}.{node.attr.value}"
    return ""


class _Fixture:
    """What an async fixture waits for and ends the waiting for, as far as it shows."""

    def __init__(self, node: cst.FunctionDef) -> None:
        self.name = node.name.value
        params = node.params
        self.requests = {
            each.name.value
            for each in (*params.params, *params.kwonly_params, *params.posonly_params)
        }
        #: ``{object: (the method that is awaited, where)}``
        self.waits: dict[str, tuple[str, cst.CSTNode]] = {}
        self.calls: set[tuple[str, str]] = set()
        self.local: set[str] = set()


class Hints(cst.CSTVisitor):
    """The remarks on a module, each as a node and the other fields of a remark."""

    def __init__(self, module: cst.Module) -> None:
        super().__init__()
        self.remarks: list[tuple[cst.CSTNode, str, bool]] = []
        self._uses_of_testing: list[cst.CSTNode] = []
        self._has_testing = False
        self._fixtures: dict[str, _Fixture] = {}
        self._current: _Fixture | None = None
        module.visit(self)
        if self._uses_of_testing and not self._has_testing:
            self.remarks.append((self._uses_of_testing[0], _errors.MIGRATE_TESTING, False))
        self._compare()

    # ---------------------------------------------------------------- trio.testing

    def visit_Import(self, node: cst.Import) -> bool:
        names = {alias.evaluated_name for alias in node.names if alias.evaluated_alias is None}
        self._has_testing |= "trio.testing" in names
        return False

    def visit_ImportFrom(self, node: cst.ImportFrom) -> bool:
        name = dotted(node.module) if node.module and not node.relative else ""
        if name == "trio" and not isinstance(node.names, cst.ImportStar):
            self._has_testing |= "testing" in {alias.evaluated_name for alias in node.names}
        self._has_testing |= name == "trio.testing"
        return False

    def visit_Attribute(self, node: cst.Attribute) -> None:
        if dotted(node).startswith("trio.testing."):
            self._uses_of_testing.append(node)

    # ---------------------------------------------------------------- fixtures that wait for each other

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        is_fixture = any(_is_fixture(each.decorator) for each in node.decorators)
        if node.asynchronous and is_fixture and self._current is None:
            self._current = self._fixtures[node.name.value] = _Fixture(node)

    def leave_FunctionDef(self, original_node: cst.FunctionDef) -> None:
        if self._current and self._current.name == original_node.name.value:
            self._current = None

    def visit_AssignTarget(self, node: cst.AssignTarget) -> None:
        if self._current:
            self._current.local.add(dotted(node.target))

    def visit_Await(self, node: cst.Await) -> None:
        if self._current and isinstance(node.expression, cst.Call):
            whose, _, method = dotted(node.expression.func).rpartition(".")
            if whose and method in _ENDS:
                self._current.waits[whose] = method, node

    def visit_Call(self, node: cst.Call) -> None:
        if self._current:
            whose, _, method = dotted(node.func).rpartition(".")
            self._current.calls.add((whose, method))

    def _compare(self) -> None:
        for fixture in self._fixtures.values():
            for whose, (method, node) in fixture.waits.items():
                if whose.partition(".")[0] in fixture.local:
                    continue
                for other in self._fixtures.values():
                    ends = any((whose, each) in other.calls for each in _ENDS[method])
                    if other is not fixture and ends and not self._is_tied(fixture, other):
                        text = _errors.MIGRATE_WAITS.format(name=fixture.name, other=other.name)
                        self.remarks.append((node, text, False))

    def _is_tied(self, one: _Fixture, other: _Fixture) -> bool:
        """Say whether one of the two requests the other, so that their order is fixed."""
        return one.name in self._closure(other) or other.name in self._closure(one)

    def _closure(self, fixture: _Fixture) -> set[str]:
        found: set[str] = set()
        todo = [fixture.name]
        while todo:
            name = todo.pop()
            if name not in found:
                found.add(name)
                todo += self._fixtures[name].requests if name in self._fixtures else ()
        return found


def _is_fixture(decorator: cst.BaseExpression) -> bool:
    function = decorator.func if isinstance(decorator, cst.Call) else decorator
    return dotted(function).rpartition(".")[2] in {"fixture", "trio_fixture"}
