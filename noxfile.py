"""The checks of this project, each in a virtual environment of its own: ``nox --list`` shows them.

The tests run against the built wheel, not against the checkout.  What comes after ``--`` goes to pytest:
``nox -s tests-3.12 -- -m "not slow" tests/test_loop.py``.
"""

from __future__ import annotations

import json
from pathlib import Path

import nox

nox.needs_version = ">=2025.2"
nox.options.default_venv_backend = "venv"
nox.options.sessions = ["lint", "types", "docs", "wheel", "neighbours", "tests", "oldest"]

PROJECT = nox.project.load_toml("pyproject.toml")
#: Those of the classifiers.  Which of them is missing on a machine is said, and skipped.
PYTHONS = nox.project.python_versions(PROJECT)


def install(session: nox.Session, *extras: str, besides: tuple[str, ...] = ()) -> None:
    """Build the wheel and install it, and the requirements ``besides``."""
    folder = Path(session.create_tmp()) / "wheel"
    for old in folder.glob("*.whl"):
        old.unlink()
    session.run("python", "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(folder), ".")
    (wheel,) = folder.glob("*.whl")
    session.install(f"{wheel}[{','.join(extras)}]", *besides)


def run_tests(session: nox.Session) -> None:
    """Run pytest by its own command, which leaves the checkout's package out of the path."""
    session.run("pytest", "-p", "no:cacheprovider", *session.posargs)


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Run the tests with the newest dependencies."""
    install(session, "test", besides=("pytest-trio",))
    run_tests(session)


@nox.session(python=PYTHONS)
def oldest(session: nox.Session) -> None:
    """Run the tests with the oldest dependencies that pyproject.toml allows."""
    limits = [each.replace(">=", "==") for each in PROJECT["project"]["dependencies"]]
    install(session, "test", besides=("pytest-trio", *limits))
    run_tests(session)


@nox.session
def neighbours(session: nox.Session) -> None:
    """Run the tests that are about other plugins; these take part only where a test names them."""
    install(session, "test", "neighbours")
    found = map(str, Path("tests").glob("test_neighbours*.py"))
    environment = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    session.run("pytest", "-p", "no:cacheprovider", *(session.posargs or found), env=environment)


@nox.session(python=PYTHONS[-1])
def prereleases(session: nox.Session) -> None:
    """Run the tests with pre-releases of pytest and Trio, if there are any; they may fail."""
    install(session, "test")
    report = Path(session.create_tmp()) / "report.json"
    ask = ["install", "--upgrade", "--pre", "--no-deps", "--dry-run", "--report", str(report)]
    session.run("python", "-m", "pip", *ask, "pytest", "trio", silent=True)
    newer = [each["metadata"] for each in json.loads(report.read_text())["install"]]
    if not newer:
        session.skip("there is no pre-release of pytest or Trio")
    session.install(*(f"{each['name']}=={each['version']}" for each in newer))
    run_tests(session)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and format."""
    session.install("ruff")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """Check the types of the package, and those that its users see, with two checkers."""
    session.install("-e", ".[test,dev]")
    session.run("mypy", "--strict", "pytest_trio_scoped", "tests/typed", "tests/harness.py")
    session.run("pyright")
    session.run("pyright", "--verifytypes", "pytest_trio_scoped", "--ignoreexternal")


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation as a site; a warning is an error."""
    session.install("-e", ".[docs]")
    session.run("sphinx-build", "-W", "--keep-going", "-q", "docs", "docs/_build/html")


@nox.session
def wheel(session: nox.Session) -> None:
    """Build sdist and wheel, and load the plugin from the wheel in an empty environment."""
    folder = Path(session.create_tmp()) / "dist"
    for old in folder.glob("*"):
        old.unlink()
    session.install("build")
    session.run("python", "-m", "build", "--outdir", str(folder), ".", silent=True)
    (built,) = folder.glob("*.whl")
    session.run("python", "-m", "pip", "uninstall", "-q", "-y", "build")
    session.install(str(built))
    session.run("python", "-I", "-W", "error", str(Path("tests/check_wheel.py").resolve()))


@nox.session(default=False)
def benchmarks(session: nox.Session) -> None:
    """Compare with the peers, and put the figures into the docs; takes a while, on a quiet machine."""
    session.install("-e", ".[test]", "pytest-trio", "matplotlib")
    figures = Path(session.create_tmp()) / "figures.json"
    arguments = session.posargs or ("--all",)
    session.run("python", "benchmarks/run.py", "--json", str(figures), *arguments)
    session.run("python", "benchmarks/report.py", str(figures))
