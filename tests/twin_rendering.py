"""Write a described suite into files; line by line the same, whichever functions are async."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path

from twin_parts import Case, Code, Description, Fixture, Parametrize, Place, SetUp

HEAD = """\
import unittest
import pytest
from twin_life import Broken, block, count, end, hold, log, made, names_in, pause, seen, told, trace, used

"""


class Renderer:
    """Renders a suite; ``is_async`` says of a function, by its key, what it is."""

    def __init__(self, is_async: Callable[[str], bool]) -> None:
        self._is_async = is_async

    def files(self, suite: Description, *, trio_mode: bool) -> dict[str, str]:
        """Return the files of the suite."""
        files = {f"{folder}__init__.py": "" for folder in suite.packages}
        for place in (*suite.conftests, *suite.modules):
            files[f"{place.name}.py"] = HEAD + self._place(place, "")
        ini = [*(["trio_mode = true"] if trio_mode else ["# no plugin"]), *suite.ini]
        files["pytest.ini"] = "\n".join(["[pytest]", *ini, ""])
        return files

    def _place(self, place: Place, self_: str) -> str:
        parts = [place.source] if place.source else []
        if place.marks:
            parts.append(
                f"pytestmark = [{', '.join(f'pytest.mark.{each}' for each in place.marks)}]\n"
            )
        parts += [self._fixture(each, self_) for each in place.fixtures]
        parts += [self._setup(each, self_, place) for each in place.setups]
        parts += [self._case(each, self_, place) for each in place.cases]
        for each in place.classes:
            name, base = each.name.rpartition("::")[2], f"({each.base})" if each.base else ""
            body = self._place(each, "self, ") or "pass\n"
            parts.append(f"class {name}{base}:\n{textwrap.indent(body, '    ')}\n")
        return "\n".join(parts)

    def _fixture(self, fixture: Fixture, self_: str) -> str:
        options = [f"scope={fixture.scope!r}"]
        if fixture.is_scope_dynamic:
            options = [f"scope=lambda fixture_name, config: {fixture.scope!r}"]
        if fixture.params:
            options.append(f"params=[{', '.join(fixture.params)}]")
        if fixture.is_autouse:
            options.append("autouse=True")
        name = fixture.name
        if fixture.is_renamed:
            options.append(f"name={name!r}")
            name = f"make_{name}"
        end = "trace('- ' + value)"
        body = [f"value = made({_names(repr(fixture.key), 'request', *fixture.requests)})"]
        body += [*_seen(fixture.key, self_), *fixture.steps]
        match fixture.kind:
            case "return":
                body.append("return value")
            case "no yield":
                body.append("if not value:\n    yield value")
            case "two yields":
                body += ["yield value", *fixture.after, "yield 'twice'", "trace('never')"]
            case _:
                body += _around(fixture.around, fixture.key, [*fixture.after, end])
        head = f"{name}({self_}{_names('request', *fixture.requests)})"
        return f"@pytest.fixture({', '.join(options)})\n{self._function(fixture, head, body)}"

    def _case(self, case: Case, self_: str, place: Place) -> str:
        if place.is_unittest:
            body = [f"used({case.key!r}, None)", *case.steps]
            return self._function(case, f"{case.name}(self)", body, is_sync=True)
        direct = [each.name for each in case.parametrized if each.name not in case.requests]
        arguments = _names("request", *case.requests, *direct)
        marks = [*case.marks, *map(_parametrize, case.parametrized)]
        decorators = "".join(f"@pytest.mark.{each}\n" for each in marks)
        body = [f"used({case.key!r}, {arguments})", *_seen(case.key, self_), *case.steps]
        return decorators + self._function(case, f"{case.name}({self_}{arguments})", body)

    def _setup(self, setup: SetUp, self_: str, place: Place) -> str:
        is_of_class = setup.name in ("setup_class", "teardown_class", "setUpClass")
        first = ["cls"] if is_of_class else ["self"] if self_ else []
        passed = ["node"] if setup.takes_node and not is_of_class else []
        names = [f"{each}.__name__" for each in (*passed, *first) if each != "self"]
        body = [f"used({_names(repr(setup.key), 'None', *names)})", *setup.steps]
        if "self" in first:
            body[1:1] = _seen(setup.key, self_)
        decorator = "@classmethod\n" if is_of_class else ""
        head = f"{setup.name}({', '.join([*first, *passed])})"
        return decorator + self._function(setup, head, body, is_sync=place.is_unittest)

    def _function(self, code: Code, head: str, body: list[str], *, is_sync: bool = False) -> str:
        is_async = not is_sync and self._is_async(code.key)
        text = "\n".join(body)
        text = text.replace("WAIT", "await pause()" if is_async else "hold()")
        text = text.replace("WITH", "async with" if is_async else "with")
        define = "async def" if is_async else "def"
        text = text.replace("DEFINE", define)
        return f"{define} {head}:\n{textwrap.indent(text, '    ')}\n"


def _around(around: str, key: str, after: list[str]) -> list[str]:
    rest = "\n".join(after)
    match around:
        case "finally":
            return [f"try:\n    yield value\nfinally:\n{textwrap.indent(rest, '    ')}"]
        case "except":
            caught = "except BaseException as error:\n    trace(f'never {error!r}')\n    raise"
            return [f"try:\n    yield value\n{caught}\nelse:\n{textwrap.indent(rest, '    ')}"]
        case "with":
            return [f"WITH block({key!r}):\n    yield value\n{textwrap.indent(rest, '    ')}"]
    return ["yield value", *after]


def _seen(key: str, self_: str) -> list[str]:
    return [f"seen(self, {key!r})"] if self_ else []


def _names(*names: str) -> str:
    return ", ".join(dict.fromkeys(names))


def _parametrize(parametrize: Parametrize) -> str:
    options = [repr(parametrize.name), f"[{', '.join(parametrize.values)}]"]
    if parametrize.is_indirect:
        options.append("indirect=True")
    if parametrize.scope:
        options.append(f"scope={parametrize.scope!r}")
    if parametrize.is_with_ids:
        options.append("ids=lambda value: f'id{value}'")
    return f"parametrize({', '.join(options)})"


def write(files: dict[str, str], folder: Path) -> None:
    """Write the files below the folder."""
    for name, source in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)
