"""Describe random suites: everything pytest can do with fixtures and tests, at least a little of each.

What the generator leaves out on purpose, since it is meant to differ, stands in ``twin_intended.py``.
"""

from __future__ import annotations

import itertools
import random
from collections import defaultdict
from collections.abc import Iterable

import twin_arguments
import twin_steps
from twin_parts import Case, Description, Fixture, Parametrize, Place, SetUp

SCOPES = ("function", "class", "module", "package", "session")
_WIDTHS = {scope: width for width, scope in enumerate(SCOPES)}
_SETUPS = {
    "module": ("setup_module", "teardown_module", "setup_function", "teardown_function"),
    "class": ("setup_class", "teardown_class", "setup_method", "teardown_method"),
    # Not for methods, see ``twin_intended.py``.
    "outer class": ("setup_class", "teardown_class"),
    "unittest": ("setUpClass", "setUp", "tearDown"),
}
_VALUES = ("1", "2", "'a'", "None", "0.5", "(1, 2)")
_GENERATE_TESTS = """
def pytest_generate_tests(metafunc):
    if "generated" in metafunc.fixturenames:
        metafunc.parametrize("generated", [1, 2], indirect=True)
"""
_ORDERS = (
    "items.reverse()",
    "items.sort(key=lambda item: hash_of(item.nodeid))",
    "items.sort(key=lambda item: item.name)",
)
_MODIFY_ITEMS = """
def hash_of(text):
    import zlib
    return zlib.crc32(text.encode())
def pytest_collection_modifyitems(items):
    {}
"""


class Generator:
    """Describes one suite."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        #: The scope of each fixture name; wider or equal ones may be requested.
        self._scopes: dict[str, str] = {}
        #: Names to which tests may pass parameters.
        self._indirect: set[str] = set()
        #: For each name, where wide fixtures are that request it.
        self._wanted: dict[str, set[str]] = defaultdict(set)
        self._tests = itertools.count()
        self._steps = twin_steps.Steps(self.random)

    def chance(self, probability: float) -> bool:
        """Say yes with a probability."""
        return self.random.random() < probability

    def few(self, most: int) -> int:
        """Return a number, more often a small one."""
        return min(self.random.randint(0, most), self.random.randint(0, most))

    def description(self) -> Description:
        """Describe the suite."""
        for number in range(self.random.randint(2, 7)):
            name = f"f{number}"
            self._scopes[name] = self.random.choice(SCOPES)
            if self.chance(0.2):
                self._indirect.add(name)
        folders = ["", *self.random.sample(["a/", "b/", "a/c/"], self.few(3))]
        if "a/c/" in folders and "a/" not in folders:
            folders.append("a/")
        folders.sort()
        packages = [folder for folder in folders if folder and self.chance(0.7)]
        if "a/c/" in packages and "a/" not in packages:
            packages.append("a/")
        visible: dict[str, set[str]] = {}
        conftests = []
        for folder in folders:
            outer = set().union(*(visible[each] for each in visible if folder.startswith(each)))
            place = Place(f"{folder}conftest")
            visible[folder] = self._fixtures(place, outer, self.random.randint(0, 3))
            if not folder and self.chance(0.1):
                place.source = _MODIFY_ITEMS.format(self.random.choice(_ORDERS))
            conftests.append(place)
        modules = []
        for number in range(self.random.choice([1, 1, 2, 3])):
            folder = self.random.choice(folders)
            modules.append(self._module(f"{folder}test_m{number}", visible[folder]))
        ini = []
        if self.chance(0.05) and visible[""]:
            ini.append(f"usefixtures = {self.random.choice(sorted(visible['']))}")
        if self.chance(0.05):
            ini.append("xfail_strict = true")
        suite = Description(packages, conftests, modules, ini, [])
        suite.runs = twin_arguments.runs(self.random, suite)
        return suite

    # ------------------------------------------------------------------ places

    def _module(self, name: str, outer: set[str]) -> Place:
        place = Place(name)
        visible = self._fixtures(place, outer, self.few(3))
        if self.chance(0.15):
            place.marks = [self._mark(visible) for _ in range(self.random.randint(1, 2))]
        if self.chance(0.1):
            place.source = _GENERATE_TESTS
            key = f"{name}::generated"
            place.fixtures.append(
                Fixture(
                    key,
                    "generated",
                    [],
                    self._steps.of_set_up(key, [], []),
                    self.random.choice(SCOPES),
                )
            )
            visible = {*visible, "generated"}
        self._cases(place, visible, self.random.randint(1, 4))
        self._set_ups(place, "module", 0.15)
        for number in range(self.random.choice([0, 0, 1, 1, 2])):
            place.classes.append(self._class(f"{name}::TestIt{number}", visible, place.classes))
        return place

    def _class(self, name: str, outer: set[str], others: list[Place], *, depth: int = 0) -> Place:
        place = Place(name)
        bases = [each for each in others if not each.is_unittest and not each.classes]
        inherited: set[str] = set()
        if self.chance(0.12) and not depth:
            place.base = "unittest.TestCase"
        elif bases and self.chance(0.4):
            base = self.random.choice(bases)
            place.base = base.name.rpartition("::")[2]
            inherited = {each.name for each in base.fixtures}
        visible = self._fixtures(place, outer, self.few(3), inherited)
        if self.chance(0.25):
            place.marks = [self._mark(visible) for _ in range(self.random.randint(1, 2))]
        self._cases(place, visible, self.random.randint(0 if place.base else 1, 3))
        if not place.base and self.chance(0.15):
            self._parametrize_all(place, visible)
        if not depth and not place.base and self.chance(0.15):
            place.classes.append(self._class(f"{name}::TestInner", visible, [], depth=1))
        kind = "unittest" if place.is_unittest else "class"
        self._set_ups(place, "outer class" if place.classes else kind, 0.2)
        return place

    def _fixtures(
        self, place: Place, outer: set[str], number: int, inherited: Iterable[str] = ()
    ) -> set[str]:
        """Add fixtures; return the names that can be requested in the place."""
        # What a wide fixture requests means one thing, see ``twin_intended.py``.
        free = [each for each in sorted(self._scopes) if not self._is_wanted_around(each, place)]
        names = sorted(self.random.sample(free, min(number, len(free))))
        inner = set(inherited)
        for name in names:
            place.fixtures.append(self._fixture(f"{place.name}::{name}", name, outer, inner))
            inner.add(name)
        return outer | inner

    def _is_wanted_around(self, name: str, place: Place) -> bool:
        """Say whether a wide fixture further out requests the name."""
        outer = (each.removesuffix("conftest") for each in self._wanted[name])
        base = f"{place.name.rpartition('::')[0]}::{place.base}"
        return any(place.name.startswith(each) or each == base for each in outer)

    def _set_ups(self, place: Place, kind: str, probability: float) -> None:
        for name in _SETUPS[kind]:
            if self.chance(probability):
                key = f"{place.name}::{name}"
                is_tear_down = name.lower().startswith("teardown")
                steps = self._steps.of_function(key, 0.12, is_tear_down=is_tear_down)
                place.setups.append(SetUp(key, name, [], steps, takes_node=self.chance(0.5)))

    # ------------------------------------------------------------------ functions

    def _fixture(self, key: str, name: str, outer: set[str], inner: set[str]) -> Fixture:
        scope = self._scopes[name]
        usable = [
            each
            for each in sorted(outer | inner)
            if each in self._scopes
            and _WIDTHS[self._scopes[each]] >= _WIDTHS[scope]
            # What it overrides comes from further out; all others have lower numbers.
            and (each < name or (each == name and each in outer))
        ]
        requests = [each for each in usable if self.chance(0.4)]
        late = [each for each in usable if each not in requests and each != name]
        if scope == "function":
            requests += self._steps.built_in(0.05)
        else:
            for each in (*requests, *late):
                self._wanted[each].add(key.rpartition("::")[0])
        self.random.shuffle(requests)
        fixture = Fixture(key, name, requests, [], scope)
        is_yield = self.chance(0.65)
        fixture.kind = "yield" if is_yield else "return"
        if self.chance(0.05):
            fixture.kind = self.random.choice(["no yield", "two yields"])
        fixture.around = self.random.choice(["", "", "finally", "except", "with"])
        # A second yield is failed with a verdict, and no error may be beside one, see ``twin_intended.py``.
        may_fail_later = fixture.kind != "two yields"
        fixture.steps = self._steps.of_set_up(key, late, requests, may_fail_later=may_fail_later)
        if is_yield:
            fixture.after = self._steps.of_tear_down(key, late, requests)
        if name in self._indirect:
            fixture.params = self._values() if self.chance(0.2) else []
        elif self.chance(0.2):
            fixture.params = self._values()
        fixture.is_autouse = self.chance(0.12)
        fixture.is_renamed = self.chance(0.06)
        fixture.is_scope_dynamic = self.chance(0.05)
        return fixture

    def _cases(self, place: Place, visible: set[str], number: int) -> None:
        for _ in range(number):
            name = f"test_{next(self._tests)}"
            make = self._unittest_case if place.is_unittest else self._case
            place.cases.append(make(f"{place.name}::{name}", name, visible))

    def _unittest_case(self, key: str, name: str, _visible: set[str]) -> Case:
        return Case(key, name, [], self._steps.of_function(key, 0.2))

    def _case(self, key: str, name: str, visible: set[str]) -> Case:
        requests = [each for each in sorted(visible) if self.chance(0.35)]
        late = [each for each in sorted(visible) if each not in requests]
        case = Case(key, name, requests, [])
        for each in requests:
            if each in self._indirect and self.chance(0.7):
                scope = self.random.choice(["", "", self._scopes[each]])
                mark = Parametrize(each, self._values(), is_indirect=True, scope=scope)
                case.parametrized.append(mark)
            elif self._scopes.get(each) == "function" and self.chance(0.03):
                case.parametrized.append(Parametrize(each, self._values()))
        for extra in ("x", "y"):
            if self.chance(0.1):
                scope = self.random.choice(SCOPES) if self.chance(0.3) else ""
                case.parametrized.append(
                    Parametrize(extra, self._values(), scope=scope, is_with_ids=self.chance(0.2))
                )
        self.random.shuffle(case.parametrized)
        requests += self._steps.built_in(0.15)
        self.random.shuffle(requests)
        case.steps = self._steps.of_test(key, late, requests)
        if self.chance(0.25):
            case.marks = [self._mark(visible) for _ in range(self.random.choice([1, 1, 2]))]
        return case

    def _parametrize_all(self, place: Place, visible: set[str]) -> None:
        """Let a mark of the class pass parameters to its tests, which have to take them."""
        taken = {each.name for case in place.cases for each in case.parametrized}
        names = [name for name in sorted(visible & self._indirect) if name not in taken]
        if not names:
            return
        name = self.random.choice(names)
        for case in place.cases:
            if name not in case.requests:
                case.requests.append(name)
        place.marks.append(f"parametrize({name!r}, [{', '.join(self._values())}], indirect=True)")

    def _values(self) -> list[str]:
        return list(map(self._value, self.random.sample(_VALUES, self.random.choice([1, 2, 2, 3]))))

    def _value(self, value: str) -> str:
        if self.chance(0.06):
            return f"pytest.param({value}, marks=pytest.mark.{self._mark(())})"
        if self.chance(0.03):
            return f"pytest.param({value}, id='same')"
        return value

    def _mark(self, visible: Iterable[str]) -> str:
        names = sorted(visible)
        if names and self.chance(0.4):
            count = self.random.randint(1, min(2, len(names)))
            return f"usefixtures({', '.join(map(repr, self.random.sample(names, count)))})"
        return self.random.choice(twin_steps.MARKS)
