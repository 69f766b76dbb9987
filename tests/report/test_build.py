from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pipeline.report import FIGURE_NAMES, Report, plots
from tests.report.conftest import Maker

NOISE = np.random.default_rng(0).integers(0, 255, (200, 300)).astype(np.uint8)


def figures(report: Report) -> dict[str, str]:
    return {
        figure.name: figure.value.replace("\u00a0", " ").replace("\u202f", "") for figure in report.content.key_figures
    }


def test_key_figures_are_those_of_the_mask(
    report: Report, synthetic_mask: np.ndarray, synthetic_table: pd.DataFrame
) -> None:
    table = synthetic_table
    found = figures(report)
    assert float(found["Porosity"].removesuffix(" %")) == pytest.approx(100 * synthetic_mask.mean(), rel=0.005)
    assert found["Pores"] == str(len(table))
    whole = table[~table["touches_border"]]
    median = np.quantile(whole["equivalent_diameter_px"], 0.5, method="inverted_cdf")
    assert float(found["Median pore size"].removesuffix(" nm")) == pytest.approx(20 * median, rel=0.005)
    assert found["Pixel size"] == "20 nm"
    assert found["Rock analysed"] == "192 µm²"  # 600 x 800 px of 0.02 µm
    # the pores were drawn along 30 degrees, counter-clockwise
    note = next(figure.note for figure in report.content.key_figures if figure.name == "Anisotropy")
    direction = float(note.partition("along ")[2].partition("°")[0])
    assert direction == pytest.approx(30, abs=6)
    assert 0.4 < float(found["Anisotropy"]) < 1


def test_plots_and_figures_are_the_same(report: Report) -> None:
    names = [plot.name for plot in report.content.plots]
    assert list(report.figures) == names
    assert names == list(FIGURE_NAMES)
    assert all(plot.svg.lstrip().startswith("<?xml") and plot.caption.endswith(".") for plot in report.content.plots)


def test_tables_have_a_text_for_each_column(report: Report, synthetic_table: pd.DataFrame) -> None:
    tables = {table.title: table for table in report.content.tables}
    assert set(tables) == {"Pores in numbers", "Largest pores", "Along x and y"}
    for table in tables.values():
        assert all(len(row) == len(table.columns) for row in table.rows)
    largest = synthetic_table.nlargest(10, "area_px").iloc[0]
    shown = tables["Largest pores"]
    assert shown.rows[0][0] == str(largest["pore"])
    assert shown.boxes[0] == tuple(largest[f"bbox_{side}_px"] for side in ("x", "y", "width", "height"))
    areas = synthetic_table.query("not touches_border")["area_px"] * 0.02**2
    row = dict(zip(tables["Pores in numbers"].columns, tables["Pores in numbers"].rows[0], strict=True))
    assert row["measure"] == "Area (µm²)"
    assert float(row["P50"].replace("\u202f", "")) == pytest.approx(np.percentile(areas, 50), rel=0.005)


def test_what_is_known_of_model_and_image_is_told(report: Report) -> None:
    facts = {group.title: dict(group.items) for group in report.content.facts}
    assert facts["Model"] == {"Checkpoint": "a/best.pt"}
    assert facts["Settings"] == {"Text prior": "<b>pore</b>", "Threshold": "0.5"}
    assert facts["Versions"] == {"x": "1"}
    text = " ".join(text for _, text in report.content.caveats)
    assert "(here 7 of them)" in text
    assert "two-dimensional" in text


def test_no_pore(make: Maker) -> None:
    made = make(NOISE, np.zeros(NOISE.shape, bool))
    assert figures(made) == {
        "Porosity": "0 %", "Pores": "0", "Median pore size": "–", "Anisotropy": "–", "Pixel size": "not known",
        "Rock analysed": "60000 px²",
    }  # fmt: skip
    assert {plot.name for plot in made.content.plots} == {"porosity_map"}
    assert "nan" not in " ".join([*made.content.summary, *(text for _, text in made.content.caveats)])


def test_nothing_but_pore(make: Maker) -> None:
    made = make(NOISE, np.ones(NOISE.shape, bool))
    assert figures(made)["Porosity"] == "100 %"
    assert figures(made)["Median pore size"] == "–"  # the one pore goes on beyond the border


def test_one_pore_in_a_strip_and_an_empty_manifest(make: Maker) -> None:
    mask = np.zeros((20, 500), bool)
    mask[8:11, 10:40] = True
    made = make(np.resize(NOISE, mask.shape), mask, pixel_size_nm=1000.0, manifest={})
    assert figures(made)["Median pore size"] == "10.7 µm"  # 90 px
    assert made.content.facts == ()
    rows = {row[0]: row[1:] for row in next(t for t in made.content.tables if t.title == "Along x and y").rows}
    assert rows["Median chord length (µm)"][:2] == ("30.0", "3.00")


def test_a_stack_shows_one_slice_and_measures_all(make: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plots, "as_svg", lambda figure: "")  # drawing takes the most time
    mask = np.zeros((3, 200, 300), bool)
    mask[0, 50:60, 50:70] = mask[1, 20:50, 20:60] = mask[2, 100:104, 100:104] = True
    made = make(NOISE, mask, shown_slice=1, path="folder/of_slices")
    assert made.content.title == "of_slices"
    assert figures(made)["Pores"] == "3"
    largest = next(table for table in made.content.tables if table.title == "Largest pores")
    assert largest.columns[1] == "slice"
    assert largest.boxes == ((20, 20, 40, 30), None, None)
    assert made.content.pictures.caption == "Slice 2 of 3."


def test_a_volume_counts_bodies_and_not_their_sections(make: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plots, "as_svg", lambda figure: "")
    mask = np.zeros((2, 200, 300), bool)
    mask[:, 50:60, 50:70] = True
    volume = {"slices": 2, "slice_spacing_nm": 20.0, "connectivity": {"pores": 1}, "caveats": []}
    made = make(NOISE, mask, shown_slice=1, pixel_size_nm=10.0, manifest={"volume": volume})
    assert figures(made)["Pores"] == "1"
    assert figures(made)["Rock analysed"] == "0.240 µm³"
    told = next(figure.note for figure in made.content.key_figures if figure.name == "Pores")
    assert told == "bodies in space; 2 sections through them in the slices"
    assert "2 slices thick" in dict(made.content.method)["Interval"]


def test_pixels_that_are_not_square_and_warnings_are_told(make: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plots, "as_svg", lambda figure: "")
    mask = np.zeros(NOISE.shape, bool)
    mask[50:60, 50:80] = True
    taken = {"pixel_height_nm": 10.0, "pixel_width_nm": 12.0, "warnings": ["two sizes <disagree>"], "voltage_kv": 2.0}
    made = make(NOISE, mask, pixel_size_nm=11.0, acquisition=taken)
    caveats = dict(made.content.caveats)
    assert caveats["Image file"] == "two sizes <disagree>"
    assert "12 nm wide and 10 nm high" in caveats["Pixels that are not square"]
    assert dict(made.content.facts[0].items)["Acceleration voltage"] == "2\u00a0kV"
