from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.engine import Journal, ScanStore
from pipeline.images.rectangles import Roi, Rows
from pipeline.measure.porosity import Porosity, measure_porosity
from pipeline.report.overview import overview_figure, write_overview
from pipeline.tiling.chunk_plan import ChunkPlan
from tests.engine.scans import part, probability_of, write_all
from tests.images.arrays import ArraySource

SCAN = np.random.default_rng(0).integers(0, 255, (400, 300), dtype=np.uint8)
ROI = Roi(20, 50, 250, 330)
PLAN = ChunkPlan(*SCAN.shape, chunk=64, block=32, roi=ROI)


@pytest.fixture
def segmented(tmp_path: Path) -> tuple[ScanStore, dict[str, Porosity]]:
    store = write_all(tmp_path / "out.ome.zarr", PLAN)
    with Journal.open(tmp_path / "journal", {}) as journal:
        for index in range(len(PLAN)):
            journal.add(index, store.write_chunk(index, part(PLAN, probability_of(PLAN), index)[None], [0.5]))
        return store, {"pore": measure_porosity(PLAN, journal.entries())}


def test_the_line_is_drawn_where_the_info_bar_begins(segmented: tuple[ScanStore, dict[str, Porosity]]) -> None:
    source = ArraySource(SCAN)
    scan, pores, *others = overview_figure(source, *segmented, rows=Rows(0, 340)).axes[:4]
    for panel in (scan, pores):
        assert [list(line.get_ydata()) for line in panel.lines] == [[340 - ROI.y] * 2]
    assert not any(panel.lines for panel in others)
    assert not any(panel.lines for panel in overview_figure(source, *segmented, rows=Rows(0, 400)).axes)


def test_all_panels_show_the_region_in_its_place(segmented: tuple[ScanStore, dict[str, Porosity]]) -> None:
    panels = overview_figure(ArraySource(SCAN), *segmented).axes[:4]
    for panel in panels:
        assert panel.get_xlim() == (0, 250)
        assert panel.get_ylim() == (330, 0)
    for panel in panels[:3]:
        assert panel.images[0].get_extent() == [0, 250, 330, 0]
    fields = segmented[1]["pore"].fields[0]
    np.testing.assert_array_equal(panels[3].images[0].get_array(), fields)
    shown = panels[2].images[0].get_array()
    assert shown.mean() == pytest.approx(probability_of(PLAN).mean(), abs=0.01)


def test_a_scan_is_named_by_its_file(segmented: tuple[ScanStore, dict[str, Porosity]]) -> None:
    assert (
        overview_figure(ArraySource(SCAN), *segmented).get_suptitle() == f"array.tif: porosity {segmented[1]['pore']}"
    )


@pytest.mark.parametrize(
    ("path", "page", "title"),
    [
        ("rock/s07.png", None, "rock: porosity {} of all 3 slices\nshown: slice 2, s07.png"),
        ("rock/a$b$.tif", 1, "a\\$b\\$.tif: porosity {} of all 3 slices\nshown: slice 2"),
        ("../here/../s07.png", None, "above: porosity {} of all 3 slices\nshown: slice 2, s07.png"),
        ("s07.png", None, "here: porosity {} of all 3 slices\nshown: slice 2, s07.png"),
    ],
)
def test_a_stack_is_named_and_the_slice_that_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, page: int | None, title: str
) -> None:
    """The porosity is of all slices, and none of them gives it its name."""
    (tmp_path / "above" / "here").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "above" / "here")
    plan = ChunkPlan(100, 80, depth=3, chunk=64, block=32)
    store = write_all(tmp_path / "out.ome.zarr", plan)
    with Journal.open(tmp_path / "journal", {}) as journal:
        for index in range(len(plan)):
            journal.add(index, store.write_chunk(index, part(plan, probability_of(plan), index)[None], [0.5]))
        porosity = measure_porosity(plan, journal.entries())
    source = ArraySource(SCAN[:100, :80])
    source.path, source.page = path, page
    assert overview_figure(source, store, {"pore": porosity}, slice_=1).get_suptitle() == title.format(porosity)


def test_it_is_written_as_a_picture(tmp_path: Path, segmented: tuple[ScanStore, dict[str, Porosity]]) -> None:
    from PIL import Image

    write_overview(tmp_path / "overview.png", ArraySource(SCAN), *segmented)
    with Image.open(tmp_path / "overview.png") as picture:
        assert picture.size[0] == 1320
        assert len(np.unique(np.asarray(picture.convert("L")))) > 100


def test_a_long_title_is_not_cut_off(segmented: tuple[ScanStore, dict[str, Porosity]]) -> None:
    source = ArraySource(SCAN)
    source.path = "a scan with a long name " * 12 + ".tif"
    figure = overview_figure(source, *segmented)
    figure.draw_without_rendering()
    title = figure._suptitle.get_window_extent()
    assert 0 <= title.x0 < title.x1 <= figure.bbox.width
