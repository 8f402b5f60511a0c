"""The debugger: post mortem, breakpoint(), --trace, await_ at the prompt."""

from __future__ import annotations

import sys

from harness import Suite

#: Since Python 3.13 ``breakpoint()`` stops at its own line, before that at the next one.
FROM_BREAKPOINT = "n\n" if sys.version_info >= (3, 13) else ""

FAILING = """
    @pytest.fixture
    async def thing():
        yield 20
        await trio.lowlevel.checkpoint()
        trace("down")

    async def answer(x):
        await trio.lowlevel.checkpoint()
        return x + 1

    async def inner(value):
        await trio.lowlevel.checkpoint()
        assert value == 21

    async def test_a(thing):
        await inner(thing)

    async def test_b():
        trace("ran on")
"""


def test_post_mortem_of_an_async_test_stands_in_the_users_frame(suite: Suite) -> None:
    suite.tests(FAILING)
    result = suite.run_subprocess("--pdb", stdin="p value\nup\np thing\ndown\nargs\nc\n")
    assert result.exit_code == 1
    assert result.outcomes == {"test_a": "failed", "test_b": "passed"}
    assert "(4)inner()" not in result.output
    assert "inner()\n-> assert value == 21" in result.output
    assert "test_a()\n-> await inner(thing)" in result.output
    assert result.output.count("(Pdb) 20\n") == 2
    assert "(Pdb) value = 20\n" in result.output
    assert result.trace == ["down", "ran on"]


def test_await_works_at_the_post_mortem_prompt(suite: Suite) -> None:
    suite.tests(FAILING)
    stdin = "p await_(answer(41))\nup\np await_(answer(thing)) * 2\nc\n"
    result = suite.run_subprocess("--pdb", stdin=stdin)
    assert "(Pdb) 42\n" in result.output
    assert result.output.count("(Pdb) 42\n") == 2
    assert result.trace == ["down", "ran on"]


def test_quitting_ends_the_run_with_everything_torn_down(suite: Suite) -> None:
    suite.tests(FAILING)
    result = suite.run_subprocess("--pdb", stdin="q\n")
    assert result.exit_code == 2
    assert "!!! _pytest.outcomes.Exit: Quitting debugger !!!" in result.output
    assert result.trace == ["down"]
    assert "Warning" not in result.output


def test_breakpoint_steps_over_an_await_and_stays_in_the_test(suite: Suite) -> None:
    suite.tests(
        """
        async def answer(x):
            await trio.sleep(0.01)
            return x + 1

        async def test_a():
            breakpoint()
            first = await answer(1)
            second = await answer(first)
            assert second == 3
            trace("done")
        """
    )
    stdin = FROM_BREAKPOINT + "n\np first\nn\np second\np await_(answer(second))\nc\n"
    result = suite.run_subprocess(stdin=stdin)
    assert result.outcomes == {"test_a": "passed"}
    places = [line for line in result.output.splitlines() if line.startswith("-> ")]
    assert places[-2:] == ["-> second = await answer(first)", "-> assert second == 3"]
    for answer in ("2", "3", "4"):
        assert f"(Pdb) {answer}\n" in result.output
    assert "pytest_trio_scoped" not in result.output


def test_breakpoint_steps_into_an_awaited_function(suite: Suite) -> None:
    suite.tests(
        """
        async def answer(x):
            y = x + 1
            return y

        async def test_a():
            breakpoint()
            assert await answer(1) == 2
        """
    )
    result = suite.run_subprocess(stdin=FROM_BREAKPOINT + "s\nn\nn\np y\nup\nc\n")
    assert result.outcomes == {"test_a": "passed"}
    assert "answer()\n-> y = x + 1" in result.output
    assert "(Pdb) 2\n" in result.output
    assert "test_a()\n-> assert await answer(1) == 2" in result.output


def test_await_works_at_the_prompt_in_a_sync_test(suite: Suite) -> None:
    suite.tests(
        """
        @pytest.fixture(scope="session")
        async def send():
            send, receive = trio.open_memory_channel(1)
            await send.send("hello")
            yield receive

        async def answer(x):
            await trio.sleep(0.01)
            return x + 1

        def test_outside():
            breakpoint()
            pass

        def test_inside(send):
            breakpoint()
            pass
        """
    )
    stdin = "p await_(answer(1))\nc\np await_(send.receive())\np await_(answer(2))\nc\n"
    result = suite.run_subprocess(stdin=stdin)
    assert set(result.outcomes.values()) == {"passed"}
    for answer in ("2", "'hello'", "3"):
        assert f"(Pdb) {answer}\n" in result.output


def test_quitting_at_a_breakpoint_ends_the_run(suite: Suite) -> None:
    suite.tests(
        """
        @pytest.fixture(scope="session")
        async def wide():
            yield
            await trio.lowlevel.checkpoint()
            trace("down")

        async def child():
            breakpoint()
            pass

        async def test_a(wide):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(child)

        async def test_b():
            trace("ran on")
        """
    )
    result = suite.run_subprocess(stdin="q\n")
    assert result.exit_code == 2
    assert "Quitting debugger" in result.output
    assert "Group" not in result.output
    assert result.trace == ["down"]


def test_trace_steps_into_the_body_of_an_async_test(suite: Suite) -> None:
    suite.tests(
        """
        @pytest.fixture
        async def thing():
            yield 20

        async def test_a(thing):
            value = thing + 1
            await trio.lowlevel.checkpoint()
            trace(value)

        def test_b():
            value = 2
            trace(value)
        """
    )
    result = suite.run_subprocess("--trace", stdin="n\nn\np value\nc\nn\np value\nc\n")
    assert result.outcomes == {"test_a": "passed", "test_b": "passed"}
    assert "test_a()\n-> value = thing + 1" in result.output
    assert "test_b()\n-> value = 2" in result.output
    assert "(Pdb) 21\n" in result.output
    assert "(Pdb) 2\n" in result.output
    assert result.trace == ["21", "2"]


def test_post_mortem_of_a_set_up_and_of_a_tear_down(suite: Suite) -> None:
    suite.tests(
        """
        @pytest.fixture
        async def up():
            here = "set-up"
            await trio.lowlevel.checkpoint()
            raise ValueError

        @pytest.fixture
        async def down():
            here = "tear-down"
            yield
            await trio.lowlevel.checkpoint()
            raise ValueError

        async def test_up(up):
            pass

        async def test_down(down):
            pass
        """
    )
    result = suite.run_subprocess("--pdb", stdin="p here\nc\np here\nc\n")
    assert "(Pdb) 'set-up'\n" in result.output
    assert "(Pdb) 'tear-down'\n" in result.output
    assert result.phases == {"test_up": "failed passed", "test_down": "passed passed failed"}


def test_ctrl_c_after_continuing_from_a_breakpoint_ends_the_run(suite: Suite) -> None:
    """In sync code pdb's handler of SIGINT would stop at the next line; that would be Trio's here."""
    suite.tests(
        """
        @pytest.fixture(scope="session")
        async def wide():
            yield
            await trio.sleep(0)
            trace("down")

        async def test_a(wide):
            breakpoint()
            trace("ready")
            await trio.sleep(100)

        async def test_b():
            trace("ran on")
        """
    )
    process = suite.start()
    assert process.stdin is not None
    process.stdin.write("c\n")
    process.stdin.flush()
    suite.wait_for_trace("ready", seconds=8)
    suite.interrupt(process)
    result = suite.finish(process, seconds=10)
    assert (result.exit_code, result.trace) == (2, ["ready", "down"])
    assert "Warning" not in result.output


def test_a_debugger_class_of_the_users_is_used(suite: Suite) -> None:
    suite.tests(FAILING)
    result = suite.run_subprocess("--pdb", "--pdbcls=pdb:Pdb", stdin="p value\nc\n")
    assert "(Pdb) 20\n" in result.output
