"""The entry point: registers the hook objects of each concern, and holds no logic of its own."""

from __future__ import annotations

from functools import partial

import pytest

from . import _builtin_fixtures, _clock_fixtures, _errors
from ._auto_modes import AutoModeHooks, greedy_plugin
from ._calls import CallHooks, EarlyCallHooks
from ._check_hooks import CheckHooks
from ._collection import CollectionHooks
from ._debugging import DebugHooks, TraceHooks
from ._faulthandler_tree import FaulthandlerHooks, faulthandler_seconds
from ._finalizers import FinalizerHooks
from ._fixtures import FixtureHooks
from ._own_loops import OwnLoops
from ._run import RunHooks
from ._session import KEY, Crashes, TrioSession
from ._settings import Settings, add_options
from ._setup_hooks import SetupHooks
from ._threads import ThreadHooks
from ._timeout_hooks import TimeoutHooks

_MARK = (
    "trio: run this async test on the Trio loop of the session; with trio(run=function), on a loop of its "
    "own that the function runs (pytest-trio-scoped)."
)

_EXCLUSIVE_MARK = (
    "trio_exclusive: with --trio-parallel, run this test while no other runs (pytest-trio-scoped)."
)

_GROUP_MARK = (
    "trio_group(name): with --trio-parallel, one test of the group at a time (pytest-trio-scoped)."
)

_THREAD_MARK = (
    "trio_thread: run this sync test in a worker thread, beside the loop (pytest-trio-scoped)."
)


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    """Refuse to work beside pytest-trio, and add the options."""
    _refuse_pytest_trio(pluginmanager)
    add_options(parser)


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Prepare for printing a plan, before xdist decides to distribute the tests."""
    if config.option.trio_plan is not None:
        from ._plan_hooks import prepare

        prepare(config)


def pytest_configure(config: pytest.Config) -> None:
    """Register the hook objects around one session object."""
    manager = config.pluginmanager
    _refuse_pytest_trio(manager)
    config.addinivalue_line("markers", _MARK)
    config.addinivalue_line("markers", _THREAD_MARK)
    config.addinivalue_line("markers", _EXCLUSIVE_MARK)
    config.addinivalue_line("markers", _GROUP_MARK)
    settings = Settings.of(config)
    session = config.stash[KEY] = TrioSession(settings, partial(_make_crashes, manager))
    session.choice = own_loops = OwnLoops(
        session,
        settings.run_by,
        _clock_fixtures.take_over,
        is_set_up_only=config.getoption("setuponly", False),  # with "--setup-plan" as well
    )
    calls = CallHooks(session)
    timeouts = TimeoutHooks(session, settings)
    is_traced = config.getoption("trace", False)  # not there with "-p no:debugging"
    early_calls = TraceHooks(session, calls) if is_traced else EarlyCallHooks(calls)
    for hooks in (
        CollectionHooks(session),
        CheckHooks(session, is_for_all=config.option.trio_plan is not None),
        FixtureHooks(session),
        own_loops,
        calls,
        ThreadHooks(session),
        RunHooks(session, early_calls),
        DebugHooks(session),
        timeouts,
        SetupHooks(session, manager),
    ):
        manager.register(hooks)
    _register_beside_others(config, session, timeouts)
    if seconds := faulthandler_seconds(config):
        manager.register(FaulthandlerHooks(session, seconds))
    if config.option.trio_seed is not None:
        from ._seed import SeedHooks  # imports Trio

        manager.register(SeedHooks(session, config))
    if settings.is_order_planned:
        from ._fixture_order import OrderHooks

        manager.register(OrderHooks(session))
    if config.option.trio_plan is not None:
        from ._plan_hooks import PlanHooks

        manager.register(PlanHooks(config.option.trio_plan, settings))
    if settings.parallel > 1 and not _shows_order(config):
        _register_parallel(config, session, settings)
    _register_timeline(config)
    manager.register(FinalizerHooks(), "trio_scoped_finalizers")
    if settings.has_concurrent_fixtures and not config.getoption("setupplan", False):
        from ._concurrent_fixtures import ConcurrentFixtureHooks

        manager.register(ConcurrentFixtureHooks(session))
    manager.register(_builtin_fixtures, "trio_scoped_fixtures")
    manager.register(_clock_fixtures, "trio_scoped_clock_fixtures")
    # Suites written for pytest-trio ask has_plugin("trio").  The name may be blocked, for pytest-trio.
    manager.unblock("trio")
    manager.register(session, "trio")


def _make_crashes(manager: pytest.PytestPluginManager, session: TrioSession) -> Crashes:
    # They import Trio, or need it.  Not "from . import", which would find what a run of pytest within a
    # test has taken out of sys.modules.
    from ._crash_hooks import CrashHooks
    from ._crashes import Crashes
    from ._instrument_errors import InstrumentErrors
    from ._leaks import Leaks
    from ._phases import PhaseEdgeHooks
    from ._starvation import StarvationHooks

    crashes = Crashes(session)
    phases = PhaseEdgeHooks()
    manager.register(phases)
    manager.register(CrashHooks(crashes, phases, manager))
    Leaks(session, phases)
    manager.register(StarvationHooks(session))
    manager.register(InstrumentErrors(session, phases))
    return crashes


def _register_timeline(config: pytest.Config) -> None:
    option = config.option
    is_run = not (option.collectonly or option.trio_plan is not None)
    is_run = is_run and not config.getoption("setupplan", False)
    if option.trio_timeline is None or not is_run:
        return
    from ._timeline import register

    register(config, is_controller=_is_controller(config))


def _register_beside_others(
    config: pytest.Config, session: TrioSession, timeouts: TimeoutHooks
) -> None:
    manager = config.pluginmanager
    if hasattr(config.hook, "pytest_timeout_set_timer"):
        from ._pytest_timeout import PytestTimeoutHooks

        manager.register(PytestTimeoutHooks(session, timeouts))
    if hasattr(config.hook, "pytest_bdd_before_step"):
        from ._bdd_steps import StepHooks

        manager.register(StepHooks())
    if (greedy := greedy_plugin(config)) is not None:
        manager.register(AutoModeHooks(session, *greedy))


def _register_parallel(config: pytest.Config, session: TrioSession, settings: Settings) -> None:
    from . import _xdist_crashes

    if _is_controller(config):
        config.pluginmanager.register(_xdist_crashes.ControllerHooks(settings.parallel))
        return
    if _xdist_crashes.number_of(config, settings.parallel) == 1:
        return
    from ._feeds import Feed
    from ._parallel_hooks import ParallelHooks

    if hasattr(config, "workerinput"):
        from ._parallel_xdist import WorkerFeed, WorkerHooks
        from ._xdist_names import Worker

        parallel = ParallelHooks(session, settings, WorkerFeed(Worker(config), session))
        config.pluginmanager.register(WorkerHooks(parallel))
    else:
        parallel = ParallelHooks(session, settings, Feed())
    config.pluginmanager.register(parallel)
    if config.pluginmanager.has_plugin("debugging"):
        from ._parallel_debugging import PromptHooks

        config.pluginmanager.register(PromptHooks(lambda: parallel.pool))


def _shows_order(config: pytest.Config) -> bool:
    """Say whether set-ups are to be shown one after the other, or nothing is run."""
    options = ("setupshow", "setuponly", "setupplan", "trio_plan", "trace")
    return any(config.getoption(name, False) for name in options)


def _is_controller(config: pytest.Config) -> bool:
    """Say whether xdist's workers run the tests."""
    return config.getoption("dist", "no") != "no" and not hasattr(config, "workerinput")


def _refuse_pytest_trio(manager: pytest.PytestPluginManager) -> None:
    if manager.has_plugin("trio") or manager.has_plugin("pytest_trio.plugin"):
        raise pytest.UsageError(_errors.PYTEST_TRIO_IS_ACTIVE)
