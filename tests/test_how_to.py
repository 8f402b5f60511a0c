"""What the how-to pages show is run as it stands there, with the settings that they show."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from harness import Suite

PAGES = sorted((Path(__file__).parent.parent / "docs" / "how-to").glob("*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_samples_run(suite: Suite, page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    samples = re.findall(r"^```python\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    assert samples
    names = [
        _file_of(sample) or f"test_sample_{number}.py" for number, sample in enumerate(samples)
    ]
    for name, sample in zip(names, samples, strict=True):
        suite.write(name, sample)
    settings = re.findall(r"^```ini\n\[pytest\]\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    suite.ini(*settings)
    result = suite.run()
    assert len(result.phases) >= len([name for name in names if not name.endswith("conftest.py")])
    assert set(result.outcomes.values()) == {"passed"}, result.output


def _file_of(sample: str) -> str | None:
    """Return the file that a sample names in its first line."""
    found = re.match(r"# (\S+\.py)\n", sample)
    return found and found[1]
