"""What the examples say of themselves, where running them does not show it."""

from __future__ import annotations

import re
import time
from pathlib import Path

from harness import Suite

ROOT = Path(__file__).parent.parent


def test_each_has_its_place_and_its_command() -> None:
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    names = sorted(path.parent.name for path in (ROOT / "examples").glob("[a-z]*/README.md"))
    assert sorted(re.findall(r"\(\.\./examples/(\w+)/README\.md\)", index)) == names
    for name in names:
        readme = (ROOT / "examples" / name / "README.md").read_text(encoding="utf-8")
        assert f"    python -m pytest examples/{name}\n" in readme


#: Instead of waiting, the service waits until this is called for all tests.
_UNTIL_ALL_WAIT = """
waiting: list[float] = []
all_wait = trio.Event()
async def until_all_wait(seconds: float) -> None:
    waiting.append(seconds)
    if sum(waiting) >= 19.99:
        all_wait.set()
    with trio.fail_after(20):
        await all_wait.wait()
"""


def test_twenty_seconds_of_waiting_go_on_at_once(suite: Suite) -> None:
    """So the suite takes the 0.2 seconds of one test, and the computing.

    The latter is 0.2 to 0.3 seconds on a machine that is not busy, which this one may be.
    """
    folder = ROOT / "examples" / "concurrent"
    for file in [*folder.glob("*.py"), folder.parent / "pytest.ini"]:
        suite.write(file.name, file.read_text(encoding="utf-8"))
    service = (suite.path / "slow_service.py").read_text(encoding="utf-8")
    assert "\nDELAY = 0.2\n" in service
    assert service.count("await trio.sleep(DELAY)") == 1
    waits = service.replace("await trio.sleep(DELAY)", "await until_all_wait(DELAY)")
    suite.write("slow_service.py", waits + _UNTIL_ALL_WAIT)
    begin = time.process_time()
    result = suite.run()
    computing = time.process_time() - begin
    assert list(result.outcomes.values()) == ["passed"] * 100
    assert computing < 2
