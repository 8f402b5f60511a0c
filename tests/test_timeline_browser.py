"""The page with the run on a time axis, in a real browser."""

from __future__ import annotations

import html.parser
import json
import re
import shutil
import subprocess
import urllib.parse
from pathlib import Path

import pytest
from timelines import HOSTILE, crowd, shop

from pytest_trio_scoped._timeline_history import History
from pytest_trio_scoped._timeline_page import as_page

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
BROWSER = next((path for name in BROWSERS if (path := shutil.which(name))), None)

in_browser = pytest.mark.skipif(
    BROWSER is None, reason=f"needs Chromium; none of these is installed: {', '.join(BROWSERS)}"
)


class Dom(html.parser.HTMLParser):
    """What a browser has made of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.scripts = 0
        #: The texts of elements, by what they are or where they are.
        self.texts: dict[str, str] = {}
        self.body: dict[str, str | None] = {}
        self._path: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.scripts += tag == "script"
        found = dict(attributes)
        if tag == "body":
            self.body = found
        self._path.append(found.get("id") or tag)

    def handle_endtag(self, tag: str) -> None:
        if self._path:
            self._path.pop()

    def handle_data(self, text: str) -> None:
        if self._path:
            where = self._path[-1]
            self.texts[where] = self.texts.get(where, "") + text


def _open(page: Path, fragment: str = "") -> tuple[Dom, list[str]]:
    """Return what a browser makes of a page, and what it writes to its console."""
    assert BROWSER is not None
    folder = page.parent / "profile"
    process = subprocess.run(
        [
            BROWSER,
            "--headless=new",
            "--no-sandbox",  # as root it would not start otherwise
            "--disable-gpu",
            "--no-first-run",
            f"--user-data-dir={folder}",
            "--window-size=1280,900",
            "--enable-logging=stderr",
            "--log-level=0",
            "--dump-dom",
            f"{page.as_uri()}{fragment}",
        ],
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=True,
    )
    return Dom(process.stdout), re.findall(r"CONSOLE:?\S* (.*)", process.stderr)


@in_browser
def test_a_browser_draws_every_bar_and_shows_names_as_text(tmp_path: Path) -> None:
    page = tmp_path / "run.html"
    page.write_text(as_page(shop(HOSTILE, HOSTILE, HOSTILE)), encoding="utf-8", newline="\n")
    dom, console = _open(page, f"#test={urllib.parse.quote(HOSTILE)}")
    assert console == []
    assert dom.body == {
        "data-ready": "yes",
        "data-tests": "3",
        "data-drawn-tests": "3",
        "data-fixtures": "2",
        "data-drawn-fixtures": "2",
        "data-matches": "",
    }
    assert dom.scripts == 2
    assert dom.texts["name"] == HOSTILE
    assert dom.texts["title"] == f"{HOSTILE} - timeline"
    assert dom.texts["h2"] == HOSTILE  # the details of the test that the address names


#: Does what a user does, and notes what is seen then.
_USER = """
<script>
canvas.setPointerCapture = overview.setPointerCapture = () => {};
const seen = {}, box = canvas.getBoundingClientRect();
const span = () => Math.round(view.to - view.from);
function point(kind, x, y, more = {}) {
  const where = { clientX: box.left + x, clientY: box.top + y, button: 0, bubbles: true, cancelable: true };
  const Kind = kind === "wheel" ? WheelEvent : PointerEvent;
  canvas.dispatchEvent(new Kind(kind, { ...where, ...more }));
  draw();
}
const press = (key) => { document.dispatchEvent(new KeyboardEvent("keydown", { key })); draw(); };
draw();
seen.all = drawn.tests;
const before = span(), middle = timeAt(700);
point("wheel", 700, 200, { deltaY: -240 });
seen.isZoomed = span() < before;
seen.isCentred = Math.abs(timeAt(700) - middle) < 1000;
point("wheel", 50, 200, { deltaY: -240 });
seen.isGutterLeftAlone = span() === Math.round(view.to - view.from);
for (let each = 0; each < 12; each += 1) point("wheel", 700, 200, { deltaY: -240 });
seen.few = drawn.tests;
const from = view.from;
point("pointerdown", 700, 200);
point("pointermove", 800, 200);
point("pointerup", 800, 200);
seen.isDragged = view.from < from && $("details").hidden;
press("0");
seen.isWhole = Math.abs(view.from - whole.from) + Math.abs(view.to - whole.to) < 1;
press("n");
seen.first = selected.id;
press("n");
seen.second = selected.id;
seen.details = $("details").querySelector("h2").textContent;
seen.hash = location.hash;
point("pointermove", at((selected.start + selected.stop) / 2), AXIS + selected.row.top - chart.scrollTop + 8);
seen.tip = $("tip").querySelector("h2").textContent;
select({ ...selected, id: "\\ud800 \\ud83d\\ude00" });
seen.odd = location.hash;
press("Escape");
seen.isClosed = $("details").hidden;
$("search").value = "test_42.py";
$("search").dispatchEvent(new Event("input"));
draw();
seen.found = $("found").textContent;
$("search").value = "";
$("search").dispatchEvent(new Event("input"));
$("outcomes").children[0].click();
draw();
seen.failed = $("found").textContent;
fill($("what"), fixtures[0]);
seen.evil = [...$("what").querySelectorAll("h2, dd")].map((each) => each.textContent).slice(0, 5);
seen.elements = [...new Set([...$("what").querySelectorAll("*")].map((each) => each.tagName))].join(" ");
document.body.dataset.seen = JSON.stringify(seen);
</script></body>
"""


@in_browser
def test_a_browser_shows_five_thousand_tests_and_moves_about(tmp_path: Path) -> None:
    text = as_page(crowd(5000))
    text = re.sub(r"<meta http-equiv=[^>]+>", "", text)  # it would not let the user's script run
    page = tmp_path / "run.html"
    page.write_text(text.replace("</body>", _USER), encoding="utf-8", newline="\n")
    dom, console = _open(page, "#test=100%")
    assert console == []
    seen = json.loads(dom.body["data-seen"] or "")
    drawn, few = seen.pop("all"), seen.pop("few")
    assert 500 < drawn < 5000  # not more than can be seen
    assert 0 < few < 20
    assert seen == {
        "isZoomed": True,
        "isCentred": True,
        "isGutterLeftAlone": True,
        "isDragged": True,
        "isWhole": True,
        "first": "test_0.py::test_0",
        "second": "test_2.py::test_100",
        "details": "test_2.py::test_100",
        "hash": "#test=test_2.py%3A%3Atest_100",
        "tip": "test_2.py::test_100",
        "odd": "#test=%EF%BF%BD%20%F0%9F%98%80",
        "isClosed": True,
        "found": "50 found",
        "failed": "50 found",
        "evil": [HOSTILE, "module-scoped, async", HOSTILE, HOSTILE, HOSTILE],
        "elements": "H2 DL DT DD",
    }
    assert dom.body["data-tests"] == "5000"


@in_browser
def test_a_browser_tells_that_no_test_has_run(tmp_path: Path) -> None:
    page = tmp_path / "run.html"
    page.write_text(as_page(History("empty", 0.0)), encoding="utf-8", newline="\n")
    dom, console = _open(page)
    assert console == []
    assert dom.body["data-ready"] == "yes"
