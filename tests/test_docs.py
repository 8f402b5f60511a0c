"""The documentation as a whole: links lead somewhere, blocks are run, nothing that there is is left out."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pages
import pytest
import test_how_to
from test_errors import TEXTS

MESSAGES = pages.DOCS / "reference" / "messages.md"
#: Python that is not run with the rest of its page, as it is to fail, has the language "py".  Who runs it:
PY_RUN_ELSEWHERE = {
    "docs/how-to/plan-fixtures.md": "test_plan_docs.py",
    "docs/how-to/see-the-run-on-a-time-axis.md": "test_timeline_docs.py",
}


# ---------------------------------------------------------------- links


def test_links_lead_somewhere() -> None:
    wrong = []
    for page in pages.ALL:
        for target, anchor in re.findall(r"\]\(([^)\s#]*)(?:#([^)\s]*))?\)", pages.prose_of(page)):
            if re.match(r"\w+:", target):
                continue
            path = (page.parent / target).resolve() if target else page
            if not path.exists() or (anchor and anchor not in set(_anchors(path))):
                wrong.append(f"{pages.name_of(page)}: {target}#{anchor}")
    assert wrong == []


def _anchors(page: Path) -> Iterator[str]:
    """Yield the anchors of the headings, as the hosting site and MyST make them."""
    for heading in re.findall(r"^#+ +(.*)$", pages.prose_of(page), re.MULTILINE):
        text = re.sub(r"[^\w\- ]", "", heading.lower())
        yield text.strip().replace(" ", "-")


def test_the_front_page_links_to_every_page() -> None:
    index = pages.DOCS / "index.md"
    linked = set(re.findall(r"\]\(([^)\s#]+)", pages.prose_of(index)))
    there = {page.relative_to(pages.DOCS).as_posix() for page in pages.SITE}
    assert there - linked == {"index.md", "readme.md", "changelog.md", "examples.md"}


def _conf() -> ModuleType:
    spec = importlib.util.spec_from_file_location("conf", pages.DOCS / "conf.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_site_has_pages_for_what_is_outside_of_its_folder() -> None:
    conf = _conf()
    page = conf.DOCS / "index.md"
    text = conf._text(page, page)
    assert "(readme.md)" in text
    assert "(examples.md#echo)" in text
    text = conf._text(conf.ROOT / "README.md", conf.DOCS / "readme.md")
    assert "(how-to/control-time.md)" in text
    assert "(changelog.md)" in text


@pytest.mark.parametrize(
    ("link", "in_site"),
    [
        ("[a](../README.md#why)", "[a](readme.md#why)"),
        ("[a](../examples)", "[a](examples.md)"),
        ("[a](../examples/echo)", "[a](examples.md#echo)"),
        ("[a](../examples/echo/README.md)", "[a](examples.md#echo)"),
        ("[a](../examples/echo/conftest.py)", "[a](../examples/echo/conftest.py)"),
        ("[a](../benchmarks/README.md)", "a"),
        ("[a](../tests)", "a"),
        ("[a](how-to/control-time.md#x)", "[a](how-to/control-time.md#x)"),
        ("[a](https://trio.readthedocs.io)", "[a](https://trio.readthedocs.io)"),
        ("![a](pictures/plan.png)", "![a](pictures/plan.png)"),
        ("```python\nf[a](../tests)\n```", "```python\nf[a](../tests)\n```"),
    ],
)
def test_links_in_the_site(tmp_path: Path, link: str, in_site: str) -> None:
    conf = _conf()
    shown = tmp_path / "docs" / "page.md"
    shown.parent.mkdir()
    shown.write_text(link)
    conf.ROOT, conf.DOCS = tmp_path, tmp_path / "docs"
    conf.PAGE_OF = {
        tmp_path / path.relative_to(pages.ROOT): tmp_path / page.relative_to(pages.ROOT)
        for path, page in conf.PAGE_OF.items()
    }
    for folder in ("examples/echo", "tests"):
        (tmp_path / folder).mkdir(parents=True)
    assert conf._text(shown, shown) == in_site


# ---------------------------------------------------------------- blocks


def test_every_python_block_is_run_or_says_why_not() -> None:
    left = []
    for page in pages.ALL:
        name = pages.name_of(page)
        blocks = pages.blocks_of(page, "python", "py", "pycon")
        who = {
            "python": "test_how_to.py"
            if page in test_how_to.PAGES
            else test_how_to.RUN_ELSEWHERE.get(name),
            "py": PY_RUN_ELSEWHERE.get(name),
        }
        for block in blocks:
            test = who.get(block.language)
            is_run = test is not None and Path(__file__).with_name(test).exists()
            if not is_run and not block.is_marked_as_not_run:
                left.append(f"{name}:\n{block.text}")
    assert left == []


def test_every_block_can_be_told_by_its_fence() -> None:
    """What is indented, or has no language, is found by no test."""
    wrong = []
    for page in pages.ALL:
        opening = re.findall(r"^ *```.*$", pages.text_of(page), re.MULTILINE)[::2]
        known = re.compile(r"```(\w+|\{[\w-]+\})")
        wrong += [f"{pages.name_of(page)}: {each}" for each in opening if not known.fullmatch(each)]
    assert wrong == []


def test_options_that_are_shown_exist(pytestconfig: pytest.Config) -> None:
    shown = re.compile(r"--trio-[a-z]+(?:-[a-z]+)*")
    known = set(shown.findall(_help(pytestconfig)))
    for page in pages.ALL:
        assert set(shown.findall(pages.text_of(page))) <= known, page


def test_commands_have_options_that_exist(pytestconfig: pytest.Config) -> None:
    known = set(re.findall(r"(?<=[ ,])--?[a-z][\w-]*", _help(pytestconfig)))
    known |= {"-n"}  # where pytest-xdist is not loaded
    for page in pages.ALL:
        for block in pages.blocks_of(page, "sh", "console"):
            for arguments in re.findall(r"(?:^|[;&$] |-m )pytest\b(.*)", block.text, re.MULTILINE):
                assert set(re.findall(r"(?<= )--?[a-z][\w-]*", arguments)) <= known, arguments


def test_settings_that_are_shown_exist(pytestconfig: pytest.Config) -> None:
    for page in pages.ALL:
        for block in pages.blocks_of(page, "ini"):
            for name in re.findall(r"^(\w+) *=", block.text, re.MULTILINE):
                pytestconfig.getini(name)  # raises ValueError


def _help(config: pytest.Config) -> str:
    return config._parser.optparser.format_help()


# ---------------------------------------------------------------- what there is


def test_every_message_is_listed_as_it_is() -> None:
    listed = re.findall(
        r"^### `(\w+)`\n\n```text\n(.*?)\n```\n\n\*\*When:\*\* \S.*?\n\n\*\*What to do:\*\* \S",
        pages.text_of(MESSAGES),
        re.MULTILINE | re.DOTALL,
    )
    missing = sorted(TEXTS.keys() - dict(listed).keys())
    assert missing == [], "\n".join(
        f"### `{name}`\n\n```text\n{TEXTS[name][1]}\n```\n\n**When:** ...\n\n**What to do:** ...\n"
        for name in missing
    )
    assert dict(listed) == {name: text for name, (_, text) in TEXTS.items()}
    assert len(listed) == len(TEXTS)


def test_every_fixture_is_listed() -> None:
    from pytest_trio_scoped import _builtin_fixtures, _clock_fixtures

    page = pages.text_of(pages.DOCS / "reference" / "fixtures.md")
    there = {
        name
        for module in (_builtin_fixtures, _clock_fixtures)
        for name, value in vars(module).items()
        if hasattr(value, "_fixture_function_marker")
    }
    assert set(re.findall(r"^## `(\w+)`", page, re.MULTILINE)) == there


def test_every_mark_is_listed() -> None:
    options = pages.text_of(pages.DOCS / "reference" / "options.md").partition("## Marks")[2]
    page = pages.text_of(pages.DOCS / "reference" / "marks.md")
    listed = set(re.findall(r"^## `(\w+)", page, re.MULTILINE))
    assert listed == set(re.findall(r"^\| `(\w+)", options, re.MULTILINE))


def test_every_public_name_is_listed() -> None:
    import pytest_trio_scoped

    page = pages.text_of(pages.DOCS / "reference" / "python-api.md")
    assert set(re.findall(r"^## `(\w+)`", page, re.MULTILINE)) == set(pytest_trio_scoped.__all__)
