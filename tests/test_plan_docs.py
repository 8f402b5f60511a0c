"""What the pages on the fixture plan show is what comes out."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness import Suite

import pytest_trio_scoped
from pytest_trio_scoped._plan_parts import Instance

DOCS = Path(__file__).parent.parent / "docs"
HOW_TO = (DOCS / "how-to" / "plan-fixtures.md").read_text(encoding="utf-8")
REFERENCE = (DOCS / "reference" / "fixture-plan.md").read_text(encoding="utf-8")


def _blocks(page: str, *languages: str) -> list[str]:
    found = re.findall(r"^```(\w+)\n(.*?)^```", page, flags=re.MULTILINE | re.DOTALL)
    return [text for language, text in found if language in languages]


SHOP, MISTAKE, NEST = _blocks(HOW_TO, "python", "py")
SHOP_PLAN, SHOP_DIAGRAM, MISTAKE_ERROR, NEST_PLAN = _blocks(HOW_TO, "text")


def _plan(suite: Suite, name: str, sample: str) -> str:
    suite.write(name, sample)
    lines = suite.run("--trio-plan", name).output.splitlines()
    end = next(number for number, line in enumerate(lines) if line.endswith("side by side"))
    return "\n".join(lines[lines.index("session") : end + 1]) + "\n"


def test_the_plan_of_the_shop(suite: Suite) -> None:
    assert _plan(suite, "test_shop.py", SHOP) == SHOP_PLAN


def test_the_diagram_of_the_shop_and_its_picture(suite: Suite) -> None:
    suite.write("test_shop.py", SHOP)
    result = suite.run("--trio-plan=mermaid", "test_shop.py")
    assert result.output.strip() + "\n" == SHOP_DIAGRAM
    # The picture says from which source it has been drawn; draw it again if that has changed.
    digest = hashlib.sha256(SHOP_DIAGRAM.encode()).hexdigest()
    picture = (DOCS / "pictures" / "plan.png").read_bytes()
    assert b"tEXtSource-SHA256\0" + digest.encode() in picture


def test_the_mistake(suite: Suite) -> None:
    suite.write("test_mistake.py", MISTAKE)
    assert MISTAKE_ERROR in suite.run().output + "\n"


def test_the_order(suite: Suite) -> None:
    suite.ini(*_blocks(HOW_TO, "ini")[0].splitlines()[1:])
    assert _plan(suite, "test_nest.py", NEST) == NEST_PLAN


def test_the_hook_of_the_reference(suite: Suite) -> None:
    (hook,) = _blocks(REFERENCE, "python")
    suite.write("conftest.py", hook)
    suite.tests("@pytest.fixture\nasync def f(): pass\nasync def test_a(f): pass")
    result = suite.run("-s")
    assert result.output.count("test_it.py::test_a ['f']") == 2


def _names_in_table(page: str, heading: str) -> list[str]:
    table = page.split(heading, 1)[1].split("\n\n", 1)[0]
    return re.findall(r"^\| `([^`]+)`", table, flags=re.MULTILINE)


def test_every_attribute_of_an_instance_is_described() -> None:
    described = set(_names_in_table(REFERENCE, "| attribute | type | meaning |"))
    internal = {"step", "home", "place", "key", "is_varied", "pending"}
    public = {name for name in dir(Instance) if not name.startswith("_")}
    assert described == public - internal


def test_every_method_of_the_plan_is_described() -> None:
    described = _names_in_table(REFERENCE, "| method or property | what it gives |")
    for name in described:
        assert hasattr(pytest_trio_scoped.FixturePlan, re.split(r"[.(]", name)[1])


def _fields(value: Any, start: str = "") -> Iterator[str]:
    for key, each in value.items():
        name = f"{start}{key}"
        yield name
        if isinstance(each, dict):
            yield from _fields(each, f"{name}.")
        elif isinstance(each, list) and each and isinstance(each[0], dict):
            yield from _fields(each[0], f"{name}[].")


def test_every_field_is_described(suite: Suite) -> None:
    suite.write("test_shop.py", SHOP)
    document = json.loads(suite.run("--trio-plan=json").output)
    table = REFERENCE.split("## The JSON")[1].split("## Errors")[0]
    described = re.findall(r"^\| `([^`]+)`", table, flags=re.MULTILINE)
    assert described == list(_fields(document))
