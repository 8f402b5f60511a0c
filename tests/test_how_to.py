"""What the how-to pages show is run as it stands there."""

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
    for number, sample in enumerate(samples):
        suite.write(f"test_sample_{number}.py", sample)
    result = suite.run_subprocess()
    assert len(result.phases) >= len(samples)
    assert set(result.outcomes.values()) == {"passed"}, result.output
