"""Suites whose fixtures pytest sets up and tears down in ways worth planning for.

``{name: {file: source}}``; every file begins with ``import pytest``.
"""

from __future__ import annotations

import textwrap

_SUITES: dict[str, dict[str, str]] = {
    "every_scope": {
        "pkg/__init__.py": "",
        "pkg/conftest.py": """
            @pytest.fixture(scope="session")
            def s(): yield
            @pytest.fixture(scope="package")
            def p(s): yield
            @pytest.fixture(scope="module")
            def m(p): yield
            @pytest.fixture(scope="class")
            def c(m): yield
            @pytest.fixture
            def f(c): yield
        """,
        "pkg/test_a.py": """
            class TestA:
                def test_a(self, f): pass
                def test_b(self, f): pass
            def test_c(f): pass
            def test_d(m): pass
        """,
        "pkg/test_b.py": "def test_a(f): pass\ndef test_b(): pass",
        "pkg/inner/__init__.py": "",
        "pkg/inner/test_c.py": "def test_a(f): pass",
        "test_z.py": "def test_a(): pass",
    },
    "nested_packages": {
        "a/__init__.py": "",
        "a/conftest.py": "@pytest.fixture(scope='package')\ndef outer(): yield",
        "a/b/__init__.py": "",
        "a/b/conftest.py": "@pytest.fixture(scope='package')\ndef inner(outer): yield",
        "a/b/test_a.py": "def test_a(inner): pass",
        "a/b/test_b.py": "def test_a(outer, inner): pass",
        "a/test_c.py": "def test_a(outer): pass",
        "no_package/conftest.py": "@pytest.fixture(scope='package')\ndef loose(): yield",
        "no_package/test_d.py": "def test_a(loose): pass",
        "no_package/test_e.py": "def test_a(loose): pass",
    },
    "class_scope_without_a_class": {
        "test_a.py": """
            @pytest.fixture(scope="class")
            def c(): yield
            @pytest.fixture(scope="class", autouse=True)
            def auto(): yield
            def test_a(c): pass
            def test_b(c): pass
            class TestA:
                def test_a(self, c): pass
                class TestInner:
                    def test_b(self, c): pass
                def test_c(self, c): pass
        """
    },
    "autouse_and_usefixtures": {
        "pytest.ini": "[pytest]\nusefixtures = by_ini\n",
        "conftest.py": """
            @pytest.fixture(scope="module")
            def by_ini(): yield
            @pytest.fixture(scope="session", autouse=True)
            def auto_s(): yield
            @pytest.fixture(autouse=True)
            def auto_f(by_mark): yield
            @pytest.fixture(scope="class")
            def by_mark(): yield
        """,
        "test_a.py": """
            pytestmark = pytest.mark.usefixtures("by_mark")
            @pytest.fixture(autouse=True, scope="module")
            def auto_m(request): yield
            def test_a(): pass
            @pytest.mark.usefixtures("last")
            def test_b(): pass
            @pytest.fixture(scope="module")
            def last(): yield
            class TestA:
                @pytest.fixture(autouse=True)
                def method(self, last): yield
                def test_a(self): pass
        """,
    },
    "overrides": {
        "conftest.py": """
            @pytest.fixture(scope="session")
            def base(): yield
            @pytest.fixture(scope="session")
            def x(base): yield
            @pytest.fixture
            def y(x): yield
        """,
        "test_a.py": """
            @pytest.fixture
            def x(x, z): yield
            @pytest.fixture
            def z(x): yield
            def test_a(y): pass
            def test_b(x, z): pass
            class TestA:
                @pytest.fixture
                def x(self, x): yield
                def test_a(self, y, x): pass
        """,
        "test_b.py": """
            @pytest.fixture(scope="session")
            def base(): yield
            def test_a(y): pass
            @pytest.mark.parametrize("x", ["direct"])
            def test_b(y, x): pass
            @pytest.mark.parametrize("base", ["direct"], scope="session")
            def test_c(y): pass
        """,
    },
    "params": {
        "conftest.py": """
            @pytest.fixture(scope="session", params=["a", "b"])
            def p(request): yield
            @pytest.fixture(scope="session")
            def on_p(p): yield
            @pytest.fixture(scope="session")
            def plain(): yield
            @pytest.fixture(scope="module")
            def m(on_p, plain): yield
        """,
        "test_a.py": """
            def test_a(plain): pass
            def test_b(m): pass
            def test_c(plain, on_p): pass
            def test_d(m, p): pass
        """,
        "test_b.py": """
            @pytest.fixture(params=[1, 2])
            def f(request, m): yield
            def test_a(f): pass
            @pytest.mark.parametrize("other", ["x", "y"])
            def test_b(p, other): pass
            def test_c(): pass
        """,
    },
    "several_on_one_parameter": {
        "conftest.py": """
            @pytest.fixture(scope="session")
            def p(request): yield
            @pytest.fixture(scope="module")
            def first(p): yield
            @pytest.fixture(scope="session")
            def second(p): yield
        """,
        "test_a.py": """
            @pytest.mark.parametrize("p", [1], indirect=True)
            def test_a(first): pass
            @pytest.mark.parametrize("p", [1], indirect=True)
            def test_b(second): pass
        """,
        "test_b.py": """
            @pytest.mark.parametrize("p", [1, 2], indirect=True)
            def test_b(second, first): pass
        """,
    },
    "overrides_ahead": {
        "pkg/__init__.py": "",
        "pkg/conftest.py": """
            @pytest.fixture(scope="package")
            def f(): yield
            @pytest.fixture(scope="module")
            def m(): yield
            @pytest.fixture(scope="session")
            def s(t): yield
            @pytest.fixture(scope="session")
            def t(request): yield
        """,
        "pkg/test_a.py": """
            @pytest.fixture(scope="package")
            def f(f): yield
            class TestA:
                def test_a(self, m): pass
                def test_b(self, f): pass
        """,
        "pkg/test_b.py": """
            @pytest.mark.parametrize("t", [1], indirect=True)
            def test_a(m, t): pass
            def test_b(m, s): pass
        """,
    },
    "params_back_and_forth": {
        "conftest.py": """
            def pytest_collection_modifyitems(items):
                items.sort(key=lambda item: item.name[-2])
            @pytest.fixture(scope="module", params=["a", "b"])
            def p(request): yield
            @pytest.fixture(scope="module")
            def on_p(p): yield
            @pytest.fixture(scope="module")
            def late(): yield
        """,
        "test_a.py": """
            @pytest.mark.parametrize("n", [1, 3])
            @pytest.mark.parametrize("p", ["a"], indirect=True)
            def test_a(on_p, n): pass
            @pytest.mark.parametrize("n", [2, 4])
            @pytest.mark.parametrize("p", ["b"], indirect=True)
            def test_b(late, on_p, n): pass
            @pytest.mark.parametrize("n", [1, 2, 3])
            def test_c(late, n): pass
        """,
    },
    "indirect": {
        "test_a.py": """
            @pytest.fixture(scope="module")
            def db(request): yield
            @pytest.fixture(scope="module")
            def client(db): yield
            @pytest.fixture
            def user(client, request): yield
            @pytest.mark.parametrize("db", ["x", "y"], indirect=True)
            def test_a(client): pass
            @pytest.mark.parametrize("db", ["y"], indirect=True)
            def test_b(client): pass
            @pytest.mark.parametrize("user, n", [("u", 1), ("v", 2)], indirect=["user"])
            def test_c(user, n): pass
            @pytest.mark.parametrize("db", ["z"], indirect=True, scope="function")
            def test_d(client): pass
            def test_e(client): pass
            @pytest.mark.parametrize("user", ["w"], indirect=True, scope="module")
            def test_f(user): pass
            @pytest.mark.parametrize("user", ["w"], indirect=True, scope="module")
            def test_g(user): pass
        """
    },
    "direct": {
        "test_a.py": """
            @pytest.fixture(scope="module")
            def reader(value): yield
            @pytest.mark.parametrize("value", [1, 2], scope="module")
            def test_a(value, reader): pass
            @pytest.mark.parametrize("value", [1, 2], scope="module")
            def test_b(value, reader): pass
            @pytest.mark.parametrize("value", [1, 2])
            @pytest.mark.parametrize("other", [3])
            def test_c(value, other): pass
            class TestA:
                @pytest.mark.parametrize("value", [1, 2], scope="class")
                def test_a(self, value): pass
                @pytest.mark.parametrize("value", [1, 2], scope="class")
                def test_b(self, value): pass
        """
    },
    "equal_params_that_are_not_the_same": {
        "test_a.py": """
            @pytest.fixture(scope="module")
            def db(request): yield
            @pytest.mark.parametrize("db", [{"port": 1}], indirect=True)
            def test_a(db): pass
            @pytest.mark.parametrize("db", [{"port": 1}, {"port": 2}], indirect=True)
            def test_b(db): pass
            @pytest.mark.parametrize("db", [True], indirect=True)
            def test_c(db): pass
            @pytest.mark.parametrize("db", [1], indirect=True)
            def test_d(db): pass
        """
    },
    "dynamic_scope": {
        "conftest.py": """
            def scope(fixture_name, config):
                return "session" if fixture_name == "wide" else "module"
            @pytest.fixture(scope=scope)
            def wide(): yield
            @pytest.fixture(scope=scope)
            def other(wide): yield
        """,
        "test_a.py": "def test_a(other): pass",
        "test_b.py": "def test_a(other): pass",
    },
    "modules_in_turns": {
        "conftest.py": """
            def pytest_collection_modifyitems(items):
                items.sort(key=lambda item: item.name)
            @pytest.fixture(scope="module")
            def m(s): yield
            @pytest.fixture(scope="session")
            def s(): yield
        """,
        "test_a.py": "def test_1(m): pass\ndef test_3(m): pass",
        "test_b.py": "def test_2(m): pass\ndef test_4(m): pass\ndef test_5(s): pass",
    },
    "items_that_come_twice": {
        "conftest.py": """
            def pytest_collection_modifyitems(items):
                items += [items[0]]
            @pytest.fixture(scope="module")
            def m(): yield
            @pytest.fixture
            def f(m): yield
        """,
        "test_a.py": "def test_a(f): pass\ndef test_b(): pass",
    },
    "xunit_and_unittest": {
        "test_a.py": """
            import unittest
            def setup_module(): pass
            def teardown_module(): pass
            def setup_function(): pass
            @pytest.fixture(scope="class")
            def c(): yield
            class TestA:
                @classmethod
                def setup_class(cls): pass
                def setup_method(self): pass
                def test_a(self, c): pass
            class TestB(unittest.TestCase):
                @classmethod
                def setUpClass(cls): pass
                @pytest.mark.usefixtures("c")
                def test_b(self): pass
            def test_c(): pass
        """
    },
    "doctests_and_items_of_others": {
        "pytest.ini": "[pytest]\naddopts = --doctest-modules\n",
        "conftest.py": """
            class Item(pytest.Item):
                def runtest(self): pass
            class File(pytest.File):
                def collect(self):
                    yield Item.from_parent(self, name="line")
            def pytest_collect_file(file_path, parent):
                if file_path.suffix == ".lines":
                    return File.from_parent(parent, path=file_path)
            @pytest.fixture(autouse=True, scope="module")
            def auto(): yield
        """,
        "a.lines": "",
        "test_b.py": '"""\n>>> 1\n1\n"""\ndef test_a(tmp_path): pass',
    },
    "parameters_with_a_narrower_scope": {
        "conftest.py": """
            @pytest.fixture(scope="session")
            def s(request): yield
        """,
        "test_a.py": """
            class TestA:
                @pytest.mark.parametrize("s", [1, 2], indirect=True, scope="module")
                def test_a(self, s): pass
            class TestB:
                def test_b(self, s): pass
        """,
        "test_b.py": "def test_a(s): pass",
    },
    "set_up_anew_on_another_fixture": {
        "conftest.py": """
            @pytest.fixture(scope="session")
            def s(): yield
            @pytest.fixture(scope="module", params=[1, 2])
            def m(s, request): yield
        """,
        "test_a.py": "def test_a(m): pass",
        "test_b.py": """
            @pytest.mark.parametrize("s", [1, 2], scope="module")
            def test_b(m, s): pass
            class TestB:
                @pytest.mark.parametrize("s", [1, 2], indirect=True, scope="package")
                def test_d(self, m, s): pass
        """,
    },
    "async_functions": {
        "pytest.ini": "[pytest]\ntrio_mode = true\n",
        "test_a.py": """
            import trio
            @pytest.fixture(scope="session")
            async def server(nursery): yield
            @pytest.fixture
            async def client(server): return 1
            @pytest.mark.trio
            async def test_a(client): pass
            def test_b(client): pass
            @pytest.mark.trio
            async def test_c(autojump_clock, nursery): pass
        """,
    },
}

SUITES: dict[str, dict[str, str]] = {
    name: {
        file: ("import pytest\n" if file.endswith(".py") else "") + textwrap.dedent(source)
        for file, source in files.items()
    }
    for name, files in _SUITES.items()
}
