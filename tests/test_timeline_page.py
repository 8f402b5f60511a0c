"""The page with the run on a time axis: what it is made of."""

from __future__ import annotations

import base64
import hashlib
import json
import re

from timelines import HOSTILE, shop

from pytest_trio_scoped._timeline_page import as_data, as_page


def test_no_name_means_anything_to_html() -> None:
    history = shop(HOSTILE, HOSTILE, HOSTILE)
    page = as_page(history)
    assert page.count("</script>") == page.count("<script") == 2
    assert "<!--" not in page
    assert page.isascii() or not re.search("[\u2028\u2029]", page)
    data = as_data(history)
    assert re.search("[<>&\u2028\u2029]", data) is None
    document = json.loads(data)
    assert document["title"] == HOSTILE
    assert document["processes"][0]["lanes"][0]["name"] == HOSTILE.partition("[")[0]
    assert document["processes"][0]["lanes"][1]["bars"][0]["id"] == HOSTILE


def test_only_the_script_of_the_page_may_run_and_nothing_is_loaded() -> None:
    page = as_page(shop())
    [policy] = re.findall(r'Content-Security-Policy" content="([^"]+)"', page)
    script = page.rpartition("<script>")[2].partition("</script>")[0]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'")
    assert re.findall(r"""(?:src|href|url)[=(]["']?(\S+?)["'>)]""", page) == ["data:,"]
    assert not re.findall(r"https?://", page)


def test_what_the_page_gets() -> None:
    document = json.loads(as_data(shop()))
    [process] = document.pop("processes")
    assert document == {
        "title": "shop",
        "began": 1_800_000_000.0,
        "stop": 1_000_000,
        "outcomes": {"failed": 1, "passed": 1, "xfailed": 1},
    }
    kinds = [(lane["kind"], lane["name"], len(lane["bars"])) for lane in process["lanes"]]
    assert kinds == [("session", "server", 1), ("test", "tests", 3), ("function", "client", 1)]
    assert process["lanes"][0]["bars"] == [
        {
            "id": "server",
            "of": "",
            "test": "test_a.py::test_1",
            "at": "conftest.py:3",
            "async": True,
            "failed": False,
            "start": 100_000,
            "live": 200_000,
            "closing": 900_000,
            "stop": 1_000_000,
        }
    ]
    assert process["lanes"][1]["bars"][1] == {
        "id": "test_a.py::TestB::test_2",
        "outcome": "failed",
        "start": 500_000,
        "stop": 800_000,
        "phases": [
            ["set-up", 500_000, 600_000, "passed"],
            ["call", 600_000, 700_000, "failed"],
            ["tear-down", 700_000, 800_000, "passed"],
        ],
    }
