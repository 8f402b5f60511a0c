"""What README.md shows is run as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

from harness import Suite

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    """Return the code blocks of README.md in ``language``."""
    return re.findall(rf"^```{language}\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)


def test_the_sample_runs(suite: Suite) -> None:
    (ini,) = blocks("ini")
    (sample,) = blocks("python")
    suite.write("pytest.ini", ini)
    suite.write("test_echo.py", sample)
    result = suite.run_subprocess()
    assert result.outcomes == {
        "test_async": "passed",
        "test_sync": "passed",
        "test_late": "passed",
    }
    assert "3 passed" in README
    assert "3 passed" in result.output
