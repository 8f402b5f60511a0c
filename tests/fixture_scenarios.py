"""Suites whose fixtures are set up and torn down in every way there is, as data.

After the kinds of cases in pytest's own ``testing/python/fixtures.py``.  ``DEF`` stands for ``def`` or
``async def``; a plain ``def`` is sync in both.  Every file begins with :data:`PRELUDE`.
"""

from __future__ import annotations

import dataclasses
import random
import textwrap

PRELUDE = "import pytest, unittest\nfrom trace import trace\n"


@dataclasses.dataclass(frozen=True)
class Scenario:
    """One suite: its files by name, and the arguments it is run with."""

    name: str
    files: dict[str, str]
    arguments: tuple[str, ...] = ()
    is_sync_only: bool = False

    def written(self, define: str) -> dict[str, str]:
        """Return the files with ``define`` for ``DEF``."""
        return {
            name: PRELUDE + textwrap.dedent(source).replace("DEF ", f"{define} ")
            for name, source in self.files.items()
        }


def _one(name: str, source: str, *arguments: str, is_sync_only: bool = False) -> Scenario:
    return Scenario(name, {"test_it.py": source}, arguments, is_sync_only)


SCENARIOS = (
    # ------------------------------------------------------------ parameters
    _one(
        "parameters_of_all_scopes",
        """
        @pytest.fixture(scope="session", params=[1, 2])
        DEF wide(request):
            trace(f"+wide{request.param}")
            yield request.param
            trace(f"-wide{request.param}")

        @pytest.fixture(scope="class", params="ab")
        DEF middle(request, wide):
            trace(f"+middle{request.param}{wide}")
            yield request.param
            trace(f"-middle{request.param}{wide}")

        @pytest.fixture(params=[True, False])
        DEF narrow(request, middle):
            request.addfinalizer(lambda: trace(f"-narrow{request.param}"))
            return request.param

        DEF test_a(narrow): pass
        DEF test_b(wide): pass

        class TestIt:
            DEF test_c(self, middle): pass
            DEF test_d(self, narrow, wide): pass
        """,
    ),
    _one(
        "a_new_parameter_takes_unparametrized_dependents_with_it",
        """
        @pytest.fixture(scope="session", params=[1, 2, 3])
        DEF base(request):
            trace(f"+base{request.param}")
            yield request.param
            trace(f"-base{request.param}")

        @pytest.fixture(scope="session")
        DEF on_base(base):
            trace(f"+on_base{base}")
            yield base
            trace(f"-on_base{base}")

        @pytest.fixture(scope="module")
        DEF on_that(on_base):
            trace(f"+on_that{on_base}")
            yield
            trace(f"-on_that{on_base}")

        @pytest.fixture(scope="session")
        DEF apart():
            trace("+apart")
            yield
            trace("-apart")

        DEF test_a(on_that): pass
        DEF test_b(on_base, apart): pass
        DEF test_c(base): pass
        """,
    ),
    _one(
        "parameters_that_no_order_can_keep_together",
        """
        @pytest.fixture(scope="session")
        DEF first(request):
            trace(f"+first{request.param}")
            yield request.param
            trace(f"-first{request.param}")

        @pytest.fixture(scope="session")
        DEF second(request, first):
            trace(f"+second{request.param}{first}")
            yield
            trace(f"-second{request.param}{first}")

        @pytest.fixture(scope="module")
        DEF on_both(first, second):
            trace("+on_both")
            yield
            trace("-on_both")

        @pytest.mark.parametrize("first, second", [(1, 1), (2, 1), (1, 2), (2, 2)], indirect=True)
        class TestIt:
            DEF test_a(self, first, second): pass
            DEF test_b(self, on_both): pass
            DEF test_c(self, on_both, second): pass
        """,
    ),
    _one(
        "parameters_without_equality",
        """
        class Odd:
            def __eq__(self, other): raise RuntimeError
            __hash__ = object.__hash__
            def __repr__(self): return "odd"

        @pytest.fixture(scope="module", params=[Odd(), Odd()], ids="xy")
        DEF odd(request):
            trace("+odd")
            yield
            trace("-odd")

        @pytest.fixture
        DEF on_odd(odd):
            yield
            trace("-on_odd")

        DEF test_a(on_odd): pass
        DEF test_b(odd): pass
        """,
    ),
    _one(
        "scopes_given_with_the_parameters",
        """
        @pytest.fixture
        DEF narrow(request):
            trace(f"+narrow{request.param}")
            yield request.param
            trace(f"-narrow{request.param}")

        @pytest.fixture
        DEF on_narrow(narrow):
            trace(f"+on_narrow{narrow}")
            yield
            trace(f"-on_narrow{narrow}")

        @pytest.fixture
        DEF on_plain(plain):
            trace(f"+on_plain{plain}")
            yield
            trace(f"-on_plain{plain}")

        @pytest.mark.parametrize("narrow", [1, 2], indirect=True, scope="module")
        class TestIt:
            DEF test_a(self, on_narrow): pass
            DEF test_b(self, narrow, on_narrow): pass

        @pytest.mark.parametrize("plain", [1, 2], scope="session")
        DEF test_c(on_plain): pass

        @pytest.mark.parametrize("plain", [1, 2], scope="session")
        DEF test_d(on_plain, plain): pass
        """,
    ),
    _one(
        "a_scope_that_is_computed",
        """
        def scope(fixture_name, config):
            return "session" if fixture_name == "wide" else "function"

        @pytest.fixture(scope=scope)
        DEF wide():
            trace("+wide")
            yield
            trace("-wide")

        @pytest.fixture(scope=scope)
        DEF narrow(wide):
            trace("+narrow")
            yield
            trace("-narrow")

        DEF test_a(narrow): pass
        DEF test_b(narrow): pass
        """,
    ),
    # ------------------------------------------------------------ dependencies
    _one(
        "a_diamond_over_all_scopes",
        """
        @pytest.fixture(scope="session")
        DEF top():
            trace("+top")
            yield
            trace("-top")

        @pytest.fixture(scope="module")
        DEF left(top):
            trace("+left")
            yield
            trace("-left")

        @pytest.fixture(scope="class")
        DEF right(top):
            trace("+right")
            yield
            trace("-right")

        @pytest.fixture
        DEF bottom(right, left, top):
            trace("+bottom")
            yield
            trace("-bottom")

        DEF test_a(bottom): pass
        DEF test_b(left, bottom): pass

        class TestIt:
            DEF test_c(self, bottom): pass
            DEF test_d(self, right): pass
            DEF test_e(self, bottom, top): pass
        """,
    ),
    _one(
        "autouse_in_every_place",
        """
        @pytest.fixture(scope="session", autouse=True)
        DEF everywhere():
            trace("+everywhere")
            yield
            trace("-everywhere")

        @pytest.fixture(scope="module", autouse=True)
        DEF here(late):
            trace("+here")
            yield
            trace("-here")

        @pytest.fixture(scope="session")
        DEF late(everywhere):
            trace("+late")
            yield
            trace("-late")

        DEF test_a(late): pass

        class TestIt:
            @pytest.fixture(scope="class", autouse=True)
            DEF inner(self, request):
                trace("+inner")
                request.addfinalizer(lambda: trace("-inner"))

            @pytest.fixture(autouse=True)
            DEF each(self, inner, late):
                trace("+each")
                yield
                trace("-each")

            DEF test_b(self): pass

            @pytest.mark.usefixtures("late")
            DEF test_c(self, each): pass
        """,
    ),
    _one(
        "asked_for_late",
        """
        @pytest.fixture(scope="session")
        DEF wide():
            trace("+wide")
            yield ["value"]
            trace("-wide")

        @pytest.fixture(scope="session")
        DEF inner(request):
            value = request.getfixturevalue("wide")
            trace("+inner")
            yield
            trace(f"-inner {value}")

        @pytest.fixture
        DEF narrow(wide):
            trace("+narrow")
            yield
            trace("-narrow")

        DEF test_a(inner): pass
        DEF test_b(request): request.getfixturevalue("narrow")
        DEF test_c(request, narrow): request.getfixturevalue("inner")
        """,
    ),
    _one(
        "asked_for_again_while_torn_down",
        """
        @pytest.fixture(scope="module", params=[1, 2])
        DEF wide(request):
            trace("+wide")
            yield request.param
            trace("-wide")

        @pytest.fixture
        DEF narrow(request, wide):
            request.addfinalizer(lambda: trace(f"-narrow {request.getfixturevalue('wide')}"))

        DEF test_a(narrow): pass
        DEF test_b(narrow, wide): pass
        """,
    ),
    # ------------------------------------------------------------ overrides
    Scenario(
        "overrides_that_ask_for_what_they_override",
        {
            "conftest.py": """
                @pytest.fixture(scope="session")
                DEF base():
                    trace("+base of conftest")
                    yield 1
                    trace("-base of conftest")

                @pytest.fixture
                DEF on_base(base):
                    trace(f"+on_base{base}")
                    yield
                    trace(f"-on_base{base}")
            """,
            "test_a.py": """
                DEF test_a(on_base): pass
                DEF test_b(on_base, base): pass
            """,
            "test_b.py": """
                @pytest.fixture(scope="module")
                DEF base(base):
                    trace("+base of module")
                    yield base + 1
                    trace("-base of module")

                DEF test_c(on_base): pass

                class TestIt:
                    @pytest.fixture
                    DEF base(self, base):
                        trace("+base of class")
                        yield base + 1
                        trace("-base of class")

                    DEF test_d(self, on_base): pass
                    DEF test_e(self, on_base, base): pass

                DEF test_f(on_base): pass
            """,
            "test_c.py": """
                DEF test_g(on_base): pass
            """,
        },
    ),
    Scenario(
        "overrides_with_parameters",
        {
            "conftest.py": """
                @pytest.fixture(scope="session", params=[1, 2])
                DEF base(request):
                    trace(f"+base{request.param}")
                    yield request.param
                    trace(f"-base{request.param}")

                @pytest.fixture(scope="session")
                DEF on_base(base):
                    trace(f"+on_base{base}")
                    yield
                    trace(f"-on_base{base}")
            """,
            "test_a.py": "DEF test_a(on_base): pass\n",
            "test_b.py": """
                @pytest.fixture(scope="module", params="xy")
                DEF on_base(request, on_base, base):
                    trace(f"+{request.param} on_base{base}")
                    yield
                    trace(f"-{request.param} on_base{base}")

                DEF test_b(on_base): pass
            """,
            "test_c.py": """
                @pytest.fixture(scope="session")
                DEF base():
                    trace("+base of module")
                    yield 3
                    trace("-base of module")

                DEF test_c(on_base): pass
            """,
        },
    ),
    Scenario(
        "packages",
        {
            "one/__init__.py": "",
            "one/conftest.py": """
                @pytest.fixture(scope="package", autouse=True)
                DEF of_package():
                    trace("+of_package one")
                    yield
                    trace("-of_package one")
            """,
            "one/test_a.py": "DEF test_a(of_package): pass\n",
            "one/inner/__init__.py": "",
            "one/inner/conftest.py": """
                @pytest.fixture(scope="package")
                DEF of_package(of_package):
                    trace("+of_package inner")
                    yield
                    trace("-of_package inner")

                @pytest.fixture(scope="module")
                DEF of_module(of_package):
                    trace("+of_module")
                    yield
                    trace("-of_module")
            """,
            "one/inner/test_b.py": "DEF test_b(of_module): pass\nDEF test_c(of_package): pass\n",
            "one/inner/test_c.py": "DEF test_d(of_module): pass\n",
            "two/test_d.py": "DEF test_e(): pass\n",
        },
    ),
    # ------------------------------------------------------------ failures
    _one(
        "set_ups_that_fail",
        """
        @pytest.fixture(scope="session")
        DEF wide():
            trace("+wide")
            yield
            trace("-wide")

        @pytest.fixture(scope="module")
        DEF fails(wide, request):
            request.addfinalizer(lambda: trace("-fails"))
            trace("+fails")
            raise ValueError("no")

        @pytest.fixture(scope="module", params=[1, 2])
        DEF fails_once(request, wide):
            request.addfinalizer(lambda: trace(f"-fails_once{request.param}"))
            if request.param == 1:
                raise ValueError("no")

        @pytest.fixture
        DEF skips(wide):
            pytest.skip("no")

        @pytest.fixture
        DEF on_skips(skips, wide):
            raise AssertionError

        @pytest.fixture
        DEF expected(wide):
            pytest.xfail("no")

        DEF test_a(fails): pass
        DEF test_b(wide, fails): pass
        DEF test_c(fails_once): pass
        DEF test_d(fails_once, wide): pass
        DEF test_e(on_skips): pass
        DEF test_f(expected): pass
        DEF test_g(wide): pass
        """,
    ),
    _one(
        "tear_downs_that_fail",
        """
        def fail(name):
            trace(f"-{name}")
            raise ValueError(name)

        @pytest.fixture(scope="session", params=[1, 2])
        DEF wide(request):
            trace(f"+wide{request.param}")
            yield
            fail(f"wide{request.param}")

        @pytest.fixture(scope="module")
        DEF middle(wide, request):
            request.addfinalizer(lambda: fail("middle's third"))
            request.addfinalizer(lambda: fail("middle's second"))
            yield
            fail("middle")

        @pytest.fixture
        DEF narrow(middle, wide):
            yield
            fail("narrow")

        DEF test_a(narrow): pass
        DEF test_b(narrow): assert False
        DEF test_c(wide): pass
        """,
    ),
    _one(
        "more_than_one_yield_and_none",
        """
        @pytest.fixture(scope="module")
        DEF wide():
            yield
            trace("-wide")
            yield

        @pytest.fixture
        DEF narrow(wide):
            if False:
                yield

        DEF test_a(wide): pass
        DEF test_b(narrow): pass
        DEF test_c(narrow): pass
        """,
    ),
    _one(
        "a_scope_mismatch_and_a_missing_fixture",
        """
        @pytest.fixture
        DEF narrow():
            trace("narrow")

        @pytest.fixture(scope="session")
        DEF wide(request):
            request.getfixturevalue("narrow")

        @pytest.fixture(scope="module")
        DEF lost(request):
            request.getfixturevalue("nowhere")

        DEF test_a(wide): pass
        DEF test_b(lost, wide): pass
        DEF test_c(lost): pass
        """,
    ),
    _one(
        "the_run_ends_in_a_set_up",
        """
        @pytest.fixture(scope="session")
        DEF wide():
            trace("+wide")
            yield
            trace("-wide")

        @pytest.fixture(scope="module")
        DEF middle(wide):
            trace("+middle")
            yield
            trace("-middle")

        @pytest.fixture
        DEF leaves(middle):
            pytest.exit("enough")

        DEF test_a(middle): pass
        DEF test_b(leaves): pass
        DEF test_c(): pass
        """,
    ),
    _one(
        "the_run_ends_in_a_tear_down",
        """
        @pytest.fixture(scope="session")
        DEF wide():
            trace("+wide")
            yield
            trace("-wide")

        @pytest.fixture
        DEF leaves(wide):
            yield
            trace("-leaves")
            pytest.exit("enough")

        DEF test_a(wide): pass
        DEF test_b(leaves): pass
        DEF test_c(): pass
        """,
    ),
    _one(
        "the_first_failure_ends_the_run",
        """
        @pytest.fixture(scope="session", params=[1, 2])
        DEF wide(request):
            yield
            trace(f"-wide{request.param}")

        @pytest.fixture(scope="module")
        DEF middle(wide):
            yield
            trace("-middle")

        DEF test_a(middle): pass
        DEF test_b(middle): assert False
        DEF test_c(middle): pass
        """,
        "-x",
    ),
    # ------------------------------------------------------------ finalizers of the user's
    _one(
        "finalizers_of_all_kinds",
        """
        from functools import partial

        def note(text="note", request=None):
            trace(f"{text} of {request.fixturename if request else None}")

        @pytest.fixture(scope="session")
        DEF wide(request):
            request.addfinalizer(note)
            request.addfinalizer(note)
            request.addfinalizer(partial(note, "partial", request=request))
            request.node.addfinalizer(partial(note, "of node", request=request))
            return request

        @pytest.fixture
        DEF narrow(request, wide):
            wide.addfinalizer(partial(note, "for wide", request=request))
            wide.addfinalizer(note)
            request.node.addfinalizer(partial(note, "for the item", request=request))
            request.node.session.addfinalizer(partial(note, "for the session", request=request))

        DEF test_a(narrow): pass
        DEF test_b(narrow): pass
        DEF test_c(narrow, request): request.addfinalizer(partial(note, "of the test"))
        """,
    ),
    _one(
        "finalizers_that_equal_everything",
        """
        class Equal:
            def __init__(self, text): self.text = text
            def __eq__(self, other): return True
            __hash__ = None
            def __call__(self): trace(self.text)

        @pytest.fixture(scope="session")
        DEF wide(request):
            request.addfinalizer(Equal("-first"))
            return request

        @pytest.fixture
        DEF narrow(request, wide):
            wide.addfinalizer(Equal("-for wide"))
            request.addfinalizer(Equal("-narrow"))

        DEF test_a(narrow): pass
        DEF test_b(narrow): pass
        """,
    ),
    # ------------------------------------------------------------ plugins
    Scenario(
        "finished_early_by_a_plugin",
        {
            "conftest.py": """
                live = {}

                @pytest.hookimpl(wrapper=True)
                def pytest_fixture_setup(fixturedef, request):
                    live[fixturedef] = request
                    return (yield)

                @pytest.hookimpl(tryfirst=True)
                def pytest_runtest_setup(item):
                    for fixturedef, request in list(live.items()):
                        if fixturedef.argname == "base" and item.name == "test_b":
                            trace("early")
                            fixturedef.finish(request)
            """,
            "test_it.py": """
                @pytest.fixture(scope="session")
                DEF base():
                    trace("+base")
                    yield
                    trace("-base")

                @pytest.fixture(scope="module")
                DEF on_base(base):
                    trace("+on_base")
                    yield
                    trace("-on_base")

                DEF test_a(on_base): pass
                DEF test_b(on_base): pass
                DEF test_c(on_base, base): pass
            """,
        },
    ),
    Scenario(
        "a_hook_that_raises",
        {
            "conftest.py": """
                def pytest_fixture_setup(fixturedef, request):
                    if fixturedef.argname == "refused" and request.param == 1:
                        raise ValueError("refused")
            """,
            "test_it.py": """
                @pytest.fixture(scope="session")
                DEF wide():
                    yield
                    trace("-wide")

                @pytest.fixture(scope="module", params=[1, 2])
                DEF refused(request, wide):
                    yield
                    trace("-refused")

                DEF test_a(refused): pass
                DEF test_b(refused, wide): pass
            """,
        },
    ),
    Scenario(
        "items_in_any_order_and_twice",
        {
            "conftest.py": """
                def pytest_collection_modifyitems(items):
                    items[:] = [*items[::2], *items[1::2], *items[::-1]]
            """,
            "test_it.py": """
                @pytest.fixture(scope="session", params=[1, 2])
                DEF wide(request):
                    trace(f"+wide{request.param}")
                    yield
                    trace(f"-wide{request.param}")

                @pytest.fixture(scope="class")
                DEF middle(wide):
                    trace("+middle")
                    yield
                    trace("-middle")

                @pytest.fixture
                DEF narrow(middle):
                    yield
                    trace("-narrow")

                class TestA:
                    DEF test_a(self, narrow): pass
                    DEF test_b(self, middle): pass

                class TestB:
                    DEF test_c(self, narrow): pass
                    DEF test_d(self, wide, narrow): pass
            """,
        },
    ),
    _one(
        "nothing_but_the_plan",
        """
        @pytest.fixture(scope="session", params=[1, 2])
        DEF wide(request):
            raise AssertionError

        @pytest.fixture
        DEF narrow(wide):
            raise AssertionError

        DEF test_a(narrow): pass
        DEF test_b(wide): pass
        """,
        "--setup-plan",
    ),
    # ------------------------------------------------------------ not for async ones
    _one(
        "xunit_functions",
        """
        @pytest.fixture(scope="session")
        def wide():
            trace("+wide")
            yield
            trace("-wide")

        @pytest.fixture(scope="module", autouse=True)
        def middle(wide):
            yield
            trace("-middle")

        def setup_module(): trace("+module")
        def teardown_module(): trace("-module")
        def setup_function(): trace("+function")
        def teardown_function(): trace("-function")

        def test_a(wide): pass

        class TestIt:
            def setup_class(cls): trace("+class")
            def teardown_class(cls): trace("-class")
            def setup_method(self): trace("+method")
            def teardown_method(self): trace("-method")
            def test_b(self, middle): pass
            def test_c(self): pass
        """,
        is_sync_only=True,
    ),
    _one(
        "unittest_classes",
        """
        @pytest.fixture(scope="session")
        def wide():
            trace("+wide")
            yield
            trace("-wide")

        @pytest.fixture(scope="class")
        def middle(wide):
            yield
            trace("-middle")

        @pytest.mark.usefixtures("middle")
        class ThingTest(unittest.TestCase):
            @classmethod
            def setUpClass(cls): trace("+class")
            @classmethod
            def tearDownClass(cls): trace("-class")

            @pytest.fixture(autouse=True)
            def each(self, wide):
                trace("+each")
                yield
                trace("-each")

            def setUp(self): self.addCleanup(trace, "cleanup")
            def test_a(self): pass
            def test_b(self): self.fail()
        """,
        is_sync_only=True,
    ),
    _one(
        "a_set_up_that_leaves_the_process",
        """
        @pytest.fixture(scope="session")
        def wide():
            trace("+wide")
            yield
            trace("-wide")

        @pytest.fixture
        def leaves(wide, request):
            request.addfinalizer(lambda: trace("-leaves"))
            raise SystemExit

        def test_a(leaves): pass
        def test_b(leaves): pass
        def test_c(wide): pass
        """,
        is_sync_only=True,
    ),
    _one(
        "set_up_only",
        """
        @pytest.fixture(scope="session", params=[1, 2])
        def wide(request):
            yield
            trace(f"-wide{request.param}")

        @pytest.fixture
        def narrow(wide):
            yield
            trace("-narrow")

        def test_a(narrow): pass
        def test_b(wide): pass
        """,
        "--setup-only",
        is_sync_only=True,
    ),
)

_SCOPES = ("session", "package", "module", "class", "function")


def random_scenario(seed: int) -> Scenario:
    """Return a suite of three modules with fixtures and tests by chance, some of which fail."""
    dice = random.Random(seed)
    names: dict[str, int] = {}
    blocks = []
    for number in range(dice.randint(4, 9)):
        name, scope = f"f{number}", dice.randrange(len(_SCOPES))
        known = [each for each, rank in names.items() if rank <= scope]
        blocks.append(_random_fixture(dice, name, scope, known))
        names[name] = scope
    files = {"conftest.py": "\n".join(blocks)}
    for module in range(3):
        overridden = dice.choice(list(names)) if dice.random() < 0.5 else None
        own = []
        if overridden is not None:
            wider = dice.randint(max(names[overridden], 2), 4)
            own.append(_random_fixture(dice, overridden, wider, [overridden]))
        own += [_random_test(dice, f"test_{number}", list(names)) for number in range(4)]
        own.append(
            f"class TestIt:\n{textwrap.indent(_random_test(dice, 'test_m', list(names), 'self'), '    ')}"
        )
        files[f"test_{module}.py"] = "\n".join(own)
    return Scenario(f"random {seed}", files)


def _random_fixture(dice: random.Random, name: str, scope: int, known: list[str]) -> str:
    required = dice.sample(known, min(len(known), dice.randint(0, 3)))
    if name in known and name not in required:
        required.append(name)
    params = f", params={list(range(dice.randint(1, 3)))}" if dice.random() < 0.3 else ""
    autouse = ", autouse=True" if dice.random() < 0.15 else ""
    about = "{request.fixturename}{getattr(request, 'param', '')} {request.node.name}"
    define = dice.choice(["DEF", "DEF", "def"])
    lines = [
        f"@pytest.fixture(scope={_SCOPES[scope]!r}{params}{autouse})",
        f"{define} {name}({', '.join(['request', *required])}):",
        f'    trace(f"+{about}")',
    ]
    late = [each for each in known if each not in required and each != name]
    if late and dice.random() < 0.3:
        lines.append(f"    request.getfixturevalue({dice.choice(late)!r})")
    if dice.random() < 0.1:
        lines.append("    raise ValueError" if dice.random() < 0.5 else "    pytest.skip('no')")
    if dice.random() < 0.3:
        lines.append(f'    request.addfinalizer(lambda: trace(f"finalizer of {about}"))')
    lines += ["    yield", f'    trace(f"-{about}")']
    if dice.random() < 0.15:
        lines.append("    raise ValueError")
    return "\n".join(lines) + "\n"


def _random_test(dice: random.Random, name: str, known: list[str], *first: str) -> str:
    required = dice.sample(known, dice.randint(0, 3))
    body = "assert False" if dice.random() < 0.1 else "pass"
    return f"DEF {name}({', '.join([*first, *required])}): {body}\n"
