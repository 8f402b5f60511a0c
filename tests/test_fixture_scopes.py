"""Async fixtures of every scope: one loop, set up once per node, torn down at its end."""

from __future__ import annotations

from harness import EVERY_SCOPE, Suite, every_mode, every_scope


@every_scope
def test_is_set_up_on_the_one_loop(suite: Suite, scope: str) -> None:
    suite.tests(
        f"""
        @pytest.fixture(scope={scope!r})
        async def token():
            trace("up")
            yield trio.lowlevel.current_trio_token()
            trace("down")

        class TestIt:
            async def test_a(self, token):
                assert token is trio.lowlevel.current_trio_token()
                trace("a")
            async def test_b(self, token):
                assert token is trio.lowlevel.current_trio_token()
                trace("b")
        """
    )
    result = suite.run()
    assert set(result.outcomes.values()) == {"passed"}
    once = ["up", "a", "b", "down"]
    assert result.trace == (["up", "a", "down", "up", "b", "down"] if scope == "function" else once)


@every_mode
def test_everything_shares_one_loop(suite: Suite, trio_mode: bool) -> None:
    names = [f"{kind}_{scope}" for scope in EVERY_SCOPE for kind in ("coroutine", "generator")]
    suite.write(
        "conftest.py",
        "import trio\nfrom pytest_trio_scoped import trio_fixture\n"
        + "".join(
            f"""
@trio_fixture(scope={scope!r})
async def coroutine_{scope}():
    await trio.lowlevel.checkpoint()
    return trio.lowlevel.current_trio_token()
@trio_fixture(scope={scope!r})
async def generator_{scope}():
    token = trio.lowlevel.current_trio_token()
    yield token
    await trio.lowlevel.checkpoint()
    assert token is trio.lowlevel.current_trio_token()
"""
            for scope in EVERY_SCOPE
        ),
    )
    source = f"""
        tokens = set()
        @pytest.fixture
        def sync({", ".join(names)}):
            assert len({{trio.lowlevel.current_trio_token(), {", ".join(names)}}}) == 1
            return trio.lowlevel.current_trio_token()
        @pytest.mark.trio
        async def test_a({", ".join(names)}, sync):
            here = trio.lowlevel.current_trio_token()
            assert {{here, {", ".join(names)}, sync}} == {{here}}
            tokens.add(here)
        def test_b({", ".join(names)}, sync):
            here = trio.lowlevel.current_trio_token()
            assert {{here, {", ".join(names)}, sync}} == {{here}}
            tokens.add(here)
        @pytest.mark.trio
        async def test_c():
            await trio.sleep(0)
            tokens.add(trio.lowlevel.current_trio_token())
            assert len(tokens) == 1
    """
    suite.tests(source, trio_mode=trio_mode)
    result = suite.run()
    assert result.phases == dict.fromkeys(["test_a", "test_b", "test_c"], "passed passed passed")


@every_scope
@every_mode
def test_a_generator_is_entered_and_left_in_one_task(
    suite: Suite, scope: str, trio_mode: bool
) -> None:
    fixture = "pytest.fixture" if trio_mode else "trio_fixture"
    suite.tests(
        f"""
        import trio.testing
        @{fixture}(scope={scope!r})
        async def f(nursery):
            task = trio.lowlevel.current_task()
            await trio.lowlevel.checkpoint()
            yield task
            assert trio.lowlevel.current_task() is task
            await trio.lowlevel.checkpoint()
            assert trio.lowlevel.current_task() is task
            trace(task.name)
        @{fixture}(scope={scope!r})
        def sync(f):
            task = trio.lowlevel.current_task()
            await_(trio.lowlevel.checkpoint())
            yield task
            await_(trio.lowlevel.checkpoint())
            assert trio.lowlevel.current_task() is task
            trace(task.name)
        class TestIt:
            @pytest.mark.trio
            async def test_a(self, f, sync):
                assert len({{f, sync, trio.lowlevel.current_task()}}) == 3
                assert trio.lowlevel.current_task().name == "test_it.py::TestIt::test_a"
        """,
        trio_mode=trio_mode,
    )
    result = suite.run()
    assert result.phases == {"TestIt::test_a": "passed passed passed"}
    assert result.trace == ["fixture 'sync'", "fixture 'f'"]


@every_scope
def test_may_yield_inside_nurseries_and_cancel_scopes(suite: Suite, scope: str) -> None:
    suite.tests(
        f"""
        import contextlib
        import trio.testing

        async def serve(receive, name):
            try:
                async for reply in receive:
                    reply.set()
            finally:
                trace(name + " served")
        @pytest.fixture(scope={scope!r})
        async def in_nursery():
            async with trio.open_nursery() as nursery:
                send, receive = trio.open_memory_channel(0)
                nursery.start_soon(serve, receive, "in_nursery")
                yield send
                nursery.cancel_scope.cancel()
        @pytest.fixture(scope={scope!r})
        async def in_cancel_scope(in_nursery):
            with trio.CancelScope() as cancel_scope:
                yield cancel_scope
                cancel_scope.cancel()
                await trio.sleep_forever()
            trace("in_cancel_scope down")
        @pytest.fixture(scope={scope!r})
        async def in_move_on_after(in_cancel_scope):
            with trio.move_on_after(3600) as cancel_scope:
                yield cancel_scope
            assert not cancel_scope.cancelled_caught
            with trio.fail_after(3600), trio.CancelScope(shield=True):
                await trio.lowlevel.checkpoint()
            trace("in_move_on_after down")
        @pytest.fixture(scope={scope!r})
        async def in_stack(in_move_on_after):
            async with contextlib.AsyncExitStack() as stack:
                nursery = await stack.enter_async_context(trio.open_nursery())
                send, receive = trio.open_memory_channel(0)
                await stack.enter_async_context(send)
                nursery.start_soon(serve, receive, "in_stack")
                stack.enter_context(trio.CancelScope())
                yield send
            trace("in_stack down")
        class TestIt:
            async def test_a(self, in_stack, in_nursery):
                for send in [in_stack, in_nursery]:
                    event = trio.Event()
                    await send.send(event)
                    await event.wait()
                with trio.CancelScope() as cancel_scope:
                    cancel_scope.cancel()
                    await trio.sleep_forever()
            async def test_skips(self, in_stack, in_nursery):
                await trio.lowlevel.checkpoint()
                pytest.skip("in between")
            async def test_fails(self, in_stack, in_nursery):
                raise ValueError
            def test_b(self, in_stack, in_nursery):
                for send in [in_stack, in_nursery]:
                    event = trio.Event()
                    await_(send.send(event))
                    await_(event.wait())
        """
    )
    result = suite.run()
    assert result.phases == {
        "TestIt::test_a": "passed passed passed",
        "TestIt::test_skips": "passed skipped passed",
        "TestIt::test_fails": "passed failed passed",
        "TestIt::test_b": "passed passed passed",
    }
    once = [
        "in_stack served",
        "in_stack down",
        "in_move_on_after down",
        "in_cancel_scope down",
        "in_nursery served",
    ]
    assert result.trace == once * (4 if scope == "function" else 1)


def test_sibling_fixtures_may_be_left_in_any_order(suite: Suite) -> None:
    """A new parameter tears a wide fixture down below a narrower or a later one."""
    suite.tests(
        """
        @pytest.fixture(scope="session", params=[1, 2])
        async def wide(request):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(trio.sleep_forever)
                yield request.param
                nursery.cancel_scope.cancel()
            trace(f"wide {request.param} down")
        @pytest.fixture(scope="session")
        async def later():
            async with trio.open_nursery() as nursery:
                nursery.start_soon(trio.sleep_forever)
                with trio.CancelScope():
                    yield
                nursery.cancel_scope.cancel()
            trace("later down")
        async def test_it(wide, later):
            trace(f"test {wide}")
            await trio.lowlevel.checkpoint()
        """
    )
    result = suite.run()
    assert set(result.outcomes.values()) == {"passed"}
    assert result.trace == ["test 1", "wide 1 down", "test 2", "wide 2 down", "later down"]


@every_scope
def test_a_second_yield_is_refused_and_the_generator_closed(suite: Suite, scope: str) -> None:
    suite.tests(
        f"""
        @pytest.fixture(scope={scope!r})
        async def twice():
            task = trio.lowlevel.current_task()
            async with trio.open_nursery() as nursery:
                try:
                    yield 1
                    yield 2
                finally:
                    assert trio.lowlevel.current_task() is task
                    nursery.cancel_scope.cancel()
                    trace("closed")
        @pytest.fixture(scope={scope!r})
        def sync_twice(twice):
            try:
                yield 1
                yield 2
            finally:
                trio.lowlevel.current_task()
                trace("sync closed")
        async def test_a(twice, sync_twice):
            pass
        """
    )
    result = suite.run()
    assert result.phases == {"test_a": "passed passed failed"}
    assert result.trace == ["sync closed", "closed"]
    assert "fixture function has more than one 'yield'" in result.output
    assert "async def twice():" in result.output
    assert "def sync_twice(twice):" in result.output


@every_scope
def test_a_generator_that_does_not_yield_is_an_error(suite: Suite, scope: str) -> None:
    suite.tests(
        f"""
        @pytest.fixture(scope={scope!r})
        async def never():
            if trio.lowlevel.current_task():
                return
            yield
        @pytest.fixture(scope={scope!r})
        async def ok():
            return 1
        @pytest.fixture(scope={scope!r})
        def sync_never(ok):
            if ok:
                return
            yield
        async def test_a(never): pass
        async def test_b(sync_never): pass
        async def test_c(ok): pass
        """
    )
    result = suite.run()
    assert result.phases == {
        "test_a": "failed passed",
        "test_b": "failed passed",
        "test_c": "passed passed passed",
    }
    assert "ValueError: never did not yield a value" in result.output
    assert "ValueError: sync_never did not yield a value" in result.output


def test_getfixturevalue_waits_in_the_task_and_cancel_scope_of_the_caller(suite: Suite) -> None:
    suite.tests(
        """
        @pytest.fixture
        async def hanging():
            try:
                await trio.sleep_forever()
            finally:
                trace("hanging cancelled")
        @pytest.fixture
        async def hanging_generator():
            async with trio.open_nursery():
                try:
                    await trio.sleep_forever()
                    yield
                finally:
                    trace("hanging_generator cancelled")
        @pytest.fixture
        def on_hanging(hanging_generator):
            trace("never")
        @pytest.fixture
        def dynamic(request):
            request.getfixturevalue("hanging")
            trace("never")
        @pytest.fixture
        async def on_dynamic(request):
            request.getfixturevalue("dynamic")
            trace("never")
        @pytest.fixture
        async def generator_on_dynamic(request):
            request.getfixturevalue("dynamic")
            trace("never")
            yield
        @pytest.fixture
        def awaiting():
            try:
                await_(trio.sleep_forever())
            finally:
                trace("awaiting cancelled")
        @pytest.mark.parametrize("name", ["hanging", "hanging_generator", "on_hanging",
            "dynamic", "on_dynamic", "generator_on_dynamic", "awaiting"])
        async def test_it(request, name):
            with trio.CancelScope() as cancel_scope:
                async def cancel():
                    await trio.testing.wait_all_tasks_blocked()
                    cancel_scope.cancel()
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(cancel)
                    request.getfixturevalue(name)
                    trace("never")
            assert cancel_scope.cancelled_caught
            await trio.lowlevel.checkpoint()
            trace("test goes on")
        import trio.testing
        """
    )
    result = suite.run_subprocess()
    assert set(result.phases.values()) == {"passed passed passed"}
    assert result.trace == [
        *("hanging cancelled", "test goes on"),
        *("hanging_generator cancelled", "test goes on") * 2,
        *("hanging cancelled", "test goes on") * 3,
        *("awaiting cancelled", "test goes on"),
    ]


def test_getfixturevalue_lets_other_tasks_run_while_it_waits(suite: Suite) -> None:
    suite.tests(
        """
        @pytest.fixture
        async def slow(events):
            events[0].set()
            await events[1].wait()
            yield "slow"
            events[2].set()
            await events[3].wait()
        @pytest.fixture(scope="module")
        async def events():
            events = [trio.Event() for _ in range(4)]
            async def answer(i):
                await events[i].wait()
                trace(i)
                events[i + 1].set()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(answer, 0)
                nursery.start_soon(answer, 2)
                yield events
        @pytest.fixture
        def through(request):
            return request.getfixturevalue("slow")
        async def test_it(request):
            trace(request.getfixturevalue("through"))
        """
    )
    result = suite.run_subprocess()
    assert result.phases == {"test_it": "passed passed passed"}
    assert result.trace == ["0", "slow", "2"]


def test_getfixturevalue_in_a_child_task_is_refused(suite: Suite) -> None:
    """A child task is stepped by Trio itself: nobody could wait there for the loop."""
    suite.tests(
        """
        @pytest.fixture
        async def coroutine():
            await trio.lowlevel.checkpoint()
        @pytest.fixture
        async def generator():
            yield
        @pytest.fixture
        def plain():
            return 1
        async def test_it(request, nursery):
            done = trio.Event()
            async def child():
                for name in ["coroutine", "generator"]:
                    with pytest.raises(RuntimeError, match="runs on the loop itself"):
                        request.getfixturevalue(name)
                done.set()
            nursery.start_soon(child)
            await done.wait()
            trace("refused")
        async def test_after(coroutine, generator):
            trace("after")
        """
    )
    result = suite.run_subprocess()
    assert result.phases == {
        "test_it": "passed passed passed",
        "test_after": "passed passed passed",
    }
    assert result.trace == ["refused", "after"]


@every_scope
def test_a_cancelled_set_up_is_undone_and_may_be_done_again(suite: Suite, scope: str) -> None:
    suite.tests(
        f"""
        is_slow = [True]
        async def step():
            await trio.lowlevel.checkpoint()
            if is_slow:
                await trio.sleep_forever()
        @pytest.fixture(scope={scope!r})
        async def base(request):
            async def finalizer():
                await trio.lowlevel.checkpoint()
                trace("base's finalizer")
            request.addfinalizer(finalizer)
            request.getfixturevalue("nursery").start_soon(trio.sleep_forever)
            await step()
            trace("base")
        @pytest.fixture(scope={scope!r})
        async def generator(request):
            request.getfixturevalue("base")
            trace("generator up")
            yield
            trace("generator down")
        @pytest.fixture(scope={scope!r})
        def sync(request):
            request.addfinalizer(lambda: trace("sync's finalizer"))
            request.getfixturevalue("generator")
            trace("sync up")
            yield
            trace("sync down")
        @trio_fixture(scope={scope!r})
        def inside(request):
            request.addfinalizer(lambda: trace("inside's finalizer"))
            request.getfixturevalue("generator")
            trace("inside")
        class TestIt:
            @pytest.mark.parametrize("name", ["base", "generator", "inside"])
            async def test_a(self, request, name):
                is_slow[:] = [True]
                with trio.move_on_after(0) as cancel_scope:
                    request.getfixturevalue(name)
                trace(cancel_scope.cancelled_caught)
                is_slow.clear()
                request.getfixturevalue(name)
                request.getfixturevalue("sync")
                await trio.lowlevel.checkpoint()
        """
    )
    result = suite.run_subprocess()
    assert result.exit_code == 0, result.output
    assert set(result.outcomes.values()) == {"passed"}
    if scope == "function":
        generator = ["base", "generator up", "sync up"]
        down = ["sync down", "sync's finalizer", "generator down", "base's finalizer"]
        assert result.trace == [
            *("base's finalizer", "True", *generator, *down),
            *("base's finalizer", "True", *generator, *down),
            *("base's finalizer", "inside's finalizer", "True", "base", "generator up", "inside"),
            *("sync up", "sync down", "sync's finalizer", "inside's finalizer"),
            *("generator down", "base's finalizer"),
        ]
    else:
        assert result.trace == [
            *("base's finalizer", "True", "base", "generator up", "sync up", "False", "inside"),
            *("False", "inside's finalizer", "sync down", "sync's finalizer", "generator down"),
            "base's finalizer",
        ]


def test_async_finalizers_are_awaited_in_sync_code_outside_too(suite: Suite) -> None:
    suite.tests(
        """
        async def finalizer():
            await trio.sleep(0)
            trace("finalizer")
        @pytest.fixture
        def sync(request):
            request.addfinalizer(finalizer)
            request.addfinalizer(lambda: trace("last added"))
        def test_fixture(sync): trace("test_fixture")
        def test_request(request):
            request.addfinalizer(finalizer)
        """
    )
    result = suite.run_subprocess()
    assert set(result.outcomes.values()) == {"passed"}
    assert result.trace == ["test_fixture", "last added", "finalizer", "finalizer"]
