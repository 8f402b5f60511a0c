"""Load the plugin from where it is installed; run by nox, in an environment with nothing but the wheel."""

import importlib.metadata
import importlib.resources

import pytest_trio_scoped

files = importlib.metadata.files("pytest-trio-scoped") or []
folders = {file.parts[0] for file in files if ".dist-info" not in file.parts[0]}
assert folders == {"pytest_trio_scoped"}, folders
for name in ("py.typed", "timeline.html"):
    assert importlib.resources.files(pytest_trio_scoped).joinpath(name).is_file(), name
(entry,) = importlib.metadata.entry_points(group="pytest11")
assert entry.name == "trio_scoped", entry
entry.load()
print(entry, "from", importlib.metadata.version("pytest-trio-scoped"))
