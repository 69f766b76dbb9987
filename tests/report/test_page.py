"""The page in a browser: a probe in a copy of it uses the viewer, and writes down what happened."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.report import Report, write_report
from tests.report.conftest import Maker

_BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
_OPTIONS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip

_PROBE = """
<script>
const errors = [];
addEventListener("error", (event) => errors.push(event.message));
addEventListener("load", () => {
  const stage = document.querySelector(".stage");
  const sheet = document.querySelector(".sheet");
  stage.setPointerCapture = () => {}; // made up pointers can't be captured
  const frame = () => stage.getBoundingClientRect();
  const now = () => {
    const at = new DOMMatrix(sheet.style.transform);
    return { zoom: at.a, x: at.e, y: at.f };
  };
  const pointer = (kind, id, x, y) => stage.dispatchEvent(new PointerEvent(kind, {
    pointerId: id, button: 0, bubbles: true, clientX: frame().left + x, clientY: frame().top + y }));
  const key = (name) => stage.dispatchEvent(new KeyboardEvent("keydown", { key: name, cancelable: true }));
  const wheelX = stage.clientWidth / 2 + 40;
  const wheel = () => {
    const event = new WheelEvent("wheel", { deltaY: -200, clientX: frame().left + wheelX,
      clientY: frame().top + 80, cancelable: true });
    stage.dispatchEvent(event);
    return event.defaultPrevented;
  };
  const shown = () => [...document.querySelectorAll(".layer:not([hidden])")].map((image) => image.classList[1]);
  const found = { width: innerWidth, overflow: document.documentElement.scrollWidth - innerWidth, fit: now() };
  found.stage = [stage.clientWidth, stage.clientHeight];
  found.wheelBefore = wheel();
  stage.focus({ preventScroll: true });
  found.wheelAfter = wheel();
  found.wheel = now();
  pointer("pointerdown", 1, 100, 80); pointer("pointermove", 1, 60, 50); pointer("pointerup", 1, 60, 50);
  found.drag = now();
  key("ArrowLeft"); found.left = now();
  key("+"); found.plus = now();
  key("-"); found.minus = now();
  key("0"); found.zero = now();
  pointer("pointerdown", 1, 100, 80); pointer("pointerdown", 2, 140, 80);
  pointer("pointermove", 2, 180, 80);
  pointer("pointerup", 1, 100, 80); pointer("pointerup", 2, 180, 80);
  found.pinch = now();
  key("2"); found.two = shown();
  document.querySelector("input[value=none]").click(); found.none = shown();
  key("1"); found.one = shown();
  document.querySelector("[data-zoom=fit]").click();
  document.querySelector("[data-box]").click();
  const box = document.querySelector(".box").getBoundingClientRect();
  found.box = [box.left - frame().left - 1, box.top - frame().top - 1, box.width, box.height];
  found.boxZoom = now();
  found.bar = document.querySelector(".scale-bar span").textContent;
  found.barWidth = document.querySelector(".scale-bar span").offsetWidth;
  found.errors = errors;
  const place = document.createElement("pre");
  place.id = "probe";
  place.textContent = JSON.stringify(found);
  document.body.append(place);
});
</script>
"""


@pytest.fixture(scope="module", params=[(1280, 900), (500, 900)], ids=["desktop", "narrow"])
def probed(request: pytest.FixtureRequest, report: Report, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    page: Path = tmp_path_factory.mktemp("browser") / "report.html"
    write_report(page, report)
    return _probed(page, _PROBE, request.param)


def _probed(page: Path, probe: str, size: tuple[int, int]) -> dict[str, Any]:
    """What a probe finds in a page in a window of this size (px)."""
    if _BROWSER is None:
        pytest.skip("no Chromium is installed")
    page.write_text(page.read_text(encoding="utf-8").replace("</body>", f"{probe}</body>"), encoding="utf-8")
    width, height = size
    command = [
        _BROWSER, *_OPTIONS, f"--user-data-dir={page.parent / 'profile'}", f"--window-size={width},{height}",
        "--virtual-time-budget=2000", "--dump-dom", page.as_uri(),
    ]  # fmt: skip
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    except subprocess.TimeoutExpired:
        pytest.skip("this Chromium doesn't come to an end without a display")
    found = re.search(r'<pre id="probe">(.*?)</pre>', done.stdout, re.DOTALL)
    assert found is not None, done.stderr[-2000:]
    return json.loads(html.unescape(found.group(1)))


def test_the_page_fits_the_window(probed: dict[str, Any]) -> None:
    assert probed["errors"] == []
    assert probed["overflow"] <= 0


def test_the_whole_scan_is_shown_first(probed: dict[str, Any]) -> None:
    width, height = probed["stage"]
    assert probed["fit"]["zoom"] == pytest.approx(min(width / 800, height / 600), rel=1e-3)
    assert probed["zero"] == pytest.approx(probed["fit"], abs=0.01)


def test_the_wheel_zooms_once_the_picture_was_chosen(probed: dict[str, Any]) -> None:
    assert (probed["wheelBefore"], probed["wheelAfter"]) == (False, True)
    factor = probed["wheel"]["zoom"] / probed["fit"]["zoom"]
    assert factor == pytest.approx(2.718 ** (200 / 300), rel=0.01)
    # what lies under the pointer stays there
    for axis, at in (("x", probed["stage"][0] / 2 + 40), ("y", 80)):
        before = (at - probed["fit"][axis]) / probed["fit"]["zoom"]
        assert (at - probed["wheel"][axis]) / probed["wheel"]["zoom"] == pytest.approx(before, abs=2)


def test_dragging_and_keys_move(probed: dict[str, Any]) -> None:
    assert probed["drag"]["x"] == pytest.approx(probed["wheel"]["x"] - 40, abs=0.01)
    assert probed["drag"]["y"] == pytest.approx(probed["wheel"]["y"] - 30, abs=0.01)
    assert probed["left"]["x"] == pytest.approx(probed["drag"]["x"] + 60, abs=0.01)
    assert probed["plus"]["zoom"] == pytest.approx(1.4 * probed["left"]["zoom"], rel=1e-3)
    assert probed["minus"] == pytest.approx(probed["left"], abs=0.01)


def test_two_fingers_zoom(probed: dict[str, Any]) -> None:
    assert probed["pinch"]["zoom"] == pytest.approx(2 * probed["fit"]["zoom"], rel=1e-3)


def test_layers(probed: dict[str, Any]) -> None:
    assert (probed["one"], probed["two"], probed["none"]) == (["overlay"], ["probability"], [])


def test_a_pore_of_the_table_is_shown_in_the_middle(probed: dict[str, Any], report: Report) -> None:
    table = next(table for table in report.tables if table.boxes)
    assert table.boxes[0] is not None
    x, y, width, height, _ = table.boxes[0]
    at = probed["boxZoom"]
    expected = [at["x"] + x * at["zoom"], at["y"] + y * at["zoom"], width * at["zoom"], height * at["zoom"]]
    assert probed["box"] == pytest.approx(expected, abs=0.6)
    left, top, wide, high = probed["box"]
    assert left >= 0
    assert top >= 0
    assert left + wide <= probed["stage"][0] + 1
    assert top + high <= probed["stage"][1] + 1


def test_the_scale_bar_is_as_long_as_it_says(probed: dict[str, Any]) -> None:
    length, unit = probed["bar"].split("\u00a0")
    nm = float(length.replace(",", "")) * {"nm": 1, "µm": 1000}[unit]
    assert probed["barWidth"] == pytest.approx(nm / 20 * probed["boxZoom"]["zoom"], abs=1)


_STACK_PROBE = """
<script>
const errors = [];
addEventListener("error", (event) => errors.push(event.message));
addEventListener("load", () => {
  const shown = () => [...document.querySelectorAll(".sheet img:not([hidden])")]
    .map((image) => `${image.dataset.slice ?? "first"} ${image.className}`).sort();
  const slider = document.querySelector(".slices input");
  const told = () => document.querySelector(".slices output").textContent;
  const stage = document.querySelector(".stage");
  const key = (name) => stage.dispatchEvent(new KeyboardEvent("keydown", { key: name, cancelable: true }));
  const found = { start: [shown(), told()] };
  slider.value = 0; slider.dispatchEvent(new Event("input")); found.slid = [shown(), told()];
  document.querySelector("input[value=none]").click(); found.plain = shown();
  key("PageDown"); found.next = [shown(), told()];
  document.querySelector("input[value=probability]").click(); found.probability = [shown(), told()];
  document.querySelector("[data-box]").click(); found.body = [shown(), told()];
  found.box = !document.querySelector(".box").hidden;
  found.sheet = getComputedStyle(document.querySelector(".sheet-of-slices")).display;
  found.overflow = document.documentElement.scrollWidth - innerWidth;
  found.errors = errors;
  const place = document.createElement("pre");
  place.id = "probe";
  place.textContent = JSON.stringify(found);
  document.body.append(place);
});
</script>
"""


def test_a_slider_goes_through_the_slices(make: Maker, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    mask = np.zeros((5, 120, 160), bool)
    mask[0, 20:40, 20:60] = mask[3, 50:70, 20:60] = True
    made = make(random.integers(0, 255, (120, 160)).astype(np.uint8), mask, shown_slice=2)
    page = tmp_path / "report.html"
    write_report(page, made)
    found = _probed(page, _STACK_PROBE, (390, 900))
    assert found["errors"] == []
    assert found["start"] == [["first layer overlay", "first scan"], "3 of 5"]
    assert found["slid"] == [["0 layer overlay", "0 scan"], "1 of 5"]
    assert found["plain"] == ["0 scan"]
    assert found["next"] == [["1 scan"], "2 of 5"]
    # which the slice in the middle has alone
    assert found["probability"] == [["first layer probability", "first scan"], "3 of 5"]
    # the largest section is the first slice's
    assert found["body"] == [["0 layer overlay", "0 scan"], "1 of 5"]
    assert found["box"]
    assert found["sheet"] == "none"
    assert found["overflow"] <= 0
