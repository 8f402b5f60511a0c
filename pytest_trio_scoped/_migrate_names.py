"""What pytest-trio's names have become, for the command that changes suites written for it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from . import _errors

OLD, NEW = "pytest_trio", "pytest_trio_scoped"
OLD_DISTRIBUTION, NEW_DISTRIBUTION = "pytest-trio", "pytest-trio-scoped"

#: What has a successor: the module, and the names that may be imported from it.
MODULES = {
    OLD: (NEW, {"trio_fixture", "enable_trio_mode", "*"}),
    f"{OLD}.plugin": (NEW, {"trio_fixture"}),
    f"{OLD}.enable_trio_mode": (
        f"{NEW}.enable_trio_mode",
        {"pytest_collection_modifyitems", "*"},
    ),
}
#: Those of which a module has taken the place, and not only something in it.
IMPORTABLE = MODULES.keys() - {f"{OLD}.plugin"}

#: What may stand behind "-p" and in ``pytest_plugins``: entry points and modules.
PLUGINS = {
    "trio": "trio_scoped",
    OLD: NEW,
    f"{OLD}.plugin": f"{NEW}.plugin",
    f"{OLD}.enable_trio_mode": f"{NEW}.enable_trio_mode",
}

# A distribution's name may be written with any of these between its parts, and in any case.
_NAME = r"pytest[-_.]+trio"
_REQUIREMENT = re.compile(
    rf"(?P<before>\s*){_NAME}(\s*\[[^\]]*\])?(\s*\(?[<>=!~][^;@#]*?\)?)?(?P<after>\s*(;.*)?)",
    re.IGNORECASE,
)
_PLUGIN_TO_REQUIRE = re.compile(rf"(?<!\S){_NAME}([<>=!~]\S*)?(?!\S)", re.IGNORECASE)
_OPTION = re.compile(
    r"(?<!\S)(?P<before>-p\s*)(?P<no>no:)?(?P<name>trio|pytest_trio(\.\w+)*)(?!\S)"
)
#: The package or the distribution, but not as a part of a URL or of another name.
_MENTION = re.compile(r"(?<![\w./-])pytest[-_]trio(?![\w-])(?!\.readthedocs)", re.IGNORECASE)


@dataclass(frozen=True)
class Remark:
    """What the user has to look at."""

    line: int
    text: str
    #: Whether the suite does not work with it, or only may not.
    is_left: bool = False


def is_name(text: str) -> bool:
    """Say whether ``text`` is the name of pytest-trio's distribution."""
    return re.fullmatch(_NAME, text, re.IGNORECASE) is not None


def mentions(text: str) -> bool:
    """Say whether ``text`` has the name of the package or the distribution as a word."""
    return _MENTION.search(text) is not None


def requirement(text: str) -> str | None:
    """Return the successor of a requirement of pytest-trio, None if ``text`` is none.

    Versions are those of another distribution, so they go; an environment marker stays.
    """
    found = _REQUIREMENT.fullmatch(text)
    return found and found["before"] + NEW_DISTRIBUTION + found["after"]


def required_plugins(text: str) -> str:
    """Replace the distribution among those of pytest's ini value ``required_plugins``."""
    return _PLUGIN_TO_REQUIRE.sub(NEW_DISTRIBUTION, text)


def options(text: str, remark: Callable[[str], None]) -> str:
    """Replace the plugin's name behind "-p" in command line options."""

    def replace(found: re.Match[str]) -> str:
        name = found["name"]
        if found["no"]:
            remark(_errors.MIGRATE_SWITCHED_OFF.format(name=name))
        elif name in PLUGINS:
            return found["before"] + PLUGINS[name]
        return found[0]

    return _OPTION.sub(replace, text)


def plugins(text: str) -> str:
    """Replace the plugin's name in a value of ``pytest_plugins``, where pytest splits at commas."""
    return ",".join(
        each.replace(each.strip(), PLUGINS.get(each.strip(), each.strip()))
        if each.strip()
        else each
        for each in text.split(",")
    )
