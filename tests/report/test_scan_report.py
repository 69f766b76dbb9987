from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline.foreground import shading
from pipeline.measure import porosity
from pipeline.report import PLOTS, Report, method
from pipeline.visual.figure import svg_uri
from tests.report.conftest import Maker

NOISE = np.random.default_rng(0).integers(0, 255, (200, 300)).astype(np.uint8)


def figures(report: Report) -> dict[str, str]:
    return {figure.name: figure.value.replace("\u00a0", " ").replace("\u202f", "") for figure in report.key_figures}


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
    note = next(figure.note for figure in report.key_figures if figure.name == "Anisotropy")
    direction = float(note.partition("along ")[2].partition("°")[0])
    assert direction == pytest.approx(30, abs=6)
    assert 0.4 < float(found["Anisotropy"]) < 1


def test_plots_and_figures_are_the_same(report: Report) -> None:
    names = [plot.name for plot in report.plots]
    assert list(report.figures[0]) == names
    assert names == [name for name in PLOTS if name != "size_distribution_3d"]
    assert all(svg_uri(plot.figure).startswith("data:image/svg+xml;base64,") for plot in report.plots)
    assert all(plot.caption.endswith(".") for plot in report.plots)


def test_tables_have_a_text_for_each_column(report: Report, synthetic_table: pd.DataFrame) -> None:
    tables = {table.title: table for table in report.tables}
    assert set(tables) == {"Pores in numbers", "Largest pores", "Along x and y"}
    for table in tables.values():
        assert all(len(row) == len(table.columns) for row in table.rows)
    largest = synthetic_table.nlargest(10, "area_px").iloc[0]
    shown = tables["Largest pores"]
    assert shown.rows[0][0] == str(largest["pore"])
    assert shown.boxes[0][:4] == tuple(largest[f"bbox_{side}_px"] for side in ("x", "y", "width", "height"))
    areas = synthetic_table.query("not touches_border")["area_px"] * 0.02**2
    row = dict(zip(tables["Pores in numbers"].columns, tables["Pores in numbers"].rows[0], strict=True))
    assert row["measure"] == "Area (µm²)"
    assert float(row["P50"].replace("\u202f", "")) == pytest.approx(np.percentile(areas, 50), rel=0.005)


def test_what_is_known_of_model_and_image_is_told(report: Report) -> None:
    facts = {group.title: dict(group.items) for group in report.facts}
    assert facts["Model"] == {"Checkpoint": "a/best.pt"}
    assert facts["Settings"] == {"Text prior": "<b>pore</b>", "Threshold": "0.5"}
    assert facts["Versions"] == {"x": "1"}
    text = " ".join(text for _, text in report.caveats)
    assert "(here 7 of them)" in text
    assert "two-dimensional" in text


def test_no_pore(make: Maker) -> None:
    made = make(NOISE, np.zeros(NOISE.shape, bool))
    assert figures(made) == {
        "Porosity": "0 %", "Pores": "0", "Median pore size": "–", "Anisotropy": "–", "Pixel size": "not known",
        "Rock analysed": "60000 px²",
    }  # fmt: skip
    assert {plot.name for plot in made.plots} == {"porosity_map"}
    assert "nan" not in " ".join([*made.summary, *(text for _, text in made.caveats)])


def test_nothing_but_pore(make: Maker) -> None:
    made = make(NOISE, np.ones(NOISE.shape, bool))
    assert figures(made)["Porosity"] == "100 %"
    assert figures(made)["Median pore size"] == "–"  # the one pore goes on beyond the border


def test_one_pore_in_a_strip_and_an_empty_manifest(make: Maker) -> None:
    mask = np.zeros((20, 500), bool)
    mask[8:11, 10:40] = True
    made = make(np.resize(NOISE, mask.shape), mask, pixel_size_nm=1000.0, manifest={})
    assert figures(made)["Median pore size"] == "–"
    note = next(one.note for one in made.key_figures if one.name == "Median pore size")
    assert note == "fewer than 10 whole pores (1)"
    assert made.facts == ()
    rows = {row[0]: row[1:] for row in next(t for t in made.tables if t.title == "Along x and y").rows}
    assert rows["Median chord length (µm)"][:2] == ("30.0", "3.00")


def test_a_stack_shows_one_slice_and_measures_all(make: Maker) -> None:
    mask = np.zeros((3, 200, 300), bool)
    mask[0, 50:60, 50:70] = mask[1, 20:50, 20:60] = mask[2, 100:104, 100:104] = True
    made = make(NOISE, mask, shown_slice=1, path="folder/of_slices")
    assert made.title == "of_slices"
    assert figures(made)["Sections of pores"] == "3"
    tables = {table.title: table for table in made.tables}
    largest = tables["Largest sections"]
    assert largest.columns[1] == "slice"
    assert [row[1] for row in largest.rows] == ["2", "1", "3"]  # from 1, as below the picture
    assert "Slices count from 1 (in pores.csv from 0)" in largest.caption
    assert largest.boxes == ((20, 20, 40, 30, 1), (50, 50, 20, 10, 0), (100, 100, 4, 4, 2))
    assert "Sections in numbers" not in tables  # of three
    assert made.pictures.caption == "Slice 2 of 3."
    porosity_map = next(plot for plot in made.plots if plot.name == "porosity_map")
    assert porosity_map.caption.startswith("Slice 2 of 3: ")
    assert made.figures[0]["porosity_map"].axes[0].get_title() == "slice 2 of 3"


def test_copies_of_a_slice_make_nothing_surer(make: Maker) -> None:
    """A stack of 14 identical slices claims what one of them does."""
    mask = np.zeros(NOISE.shape, bool)
    for turn, (y, x) in enumerate((y, x) for y in (20, 70, 120) for x in range(20, 260, 60)):
        size = (16, 6) if turn % 3 == 0 else (6, 16)  # more of them along x, as chance may have it
        mask[y : y + size[0], x : x + size[1]] = True
    alone, stack = make(NOISE, mask), make(NOISE, np.repeat(mask[None], 14, axis=0), shown_slice=7)
    assert figures(alone)["Anisotropy"] == figures(stack)["Anisotropy"]
    for made in (alone, stack):
        assert any("no statistically significant preferred direction" in one for one in made.summary)
        rose = next(plot for plot in made.plots if plot.name == "orientation_rose")
        assert rose.caption.endswith("the line is the mean direction, which is not significant.")
        assert "not significant" in next(one.note for one in made.key_figures if one.name == "Anisotropy")
    assert "divided by 14" in dict(stack.method)["Directions"]
    assert "divided by" not in dict(alone.method)["Directions"]
    of_stack = " ".join(one for pair in (*stack.method, *stack.caveats) for one in pair)
    assert "sections" in of_stack
    assert "sections" in next(one.note for one in stack.key_figures if one.name == "Median size of sections")


CONNECTIVITY = {
    "pores": 2,
    "largest_share": 2000 / 2100,
    "isolated_share": 0.0,
    **{axis: {"percolating_pores": 0, "percolating_share": 0.0, "reaching_share": 0.0} for axis in "xy"},
    "z": {"percolating_pores": 1, "percolating_share": 2000 / 2100, "reaching_share": 1.0},
}


def in_space(made: Report) -> dict[str, Any]:
    assert made.volume is not None
    return {table.title: table for table in made.volume.tables}


def test_a_stack_lists_each_body_once(make: Maker) -> None:
    mask = np.zeros((14, 200, 300), bool)
    mask[2:12, 50:60, 50:70] = mask[12:, 20:30, 100:105] = True
    bodies = pd.DataFrame(
        {
            "pore": [1, 2],
            "volume_voxels": [2000, 100],
            "equivalent_diameter_px": [15.63, 5.76],
            "slices": [10, 2],
            "bbox_x_px": [50, 100],
            "bbox_y_px": [50, 20],
            "bbox_slice": [2, 12],
            "bbox_width_px": [20, 5],
            "bbox_height_px": [10, 10],
            "centroid_x_px": [59.5, 102.0],
            "centroid_y_px": [54.5, 24.5],
            **{f"touches_{axis}_{end}": [False, axis + end == "zmax"] for axis in "xyz" for end in ("min", "max")},
        }
    )
    volume = {"slices": 14, "slice_spacing_nm": None, "connectivity": CONNECTIVITY, "caveats": []}
    made = make(NOISE, mask, shown_slice=7, bodies=bodies, manifest={"volume": volume})
    largest = in_space(made)["Largest pores"]
    assert [row[:3] for row in largest.rows] == [("1", "3 to 12", "2\u202f000"), ("2", "13 to 14", "100")]
    assert [row[-1] for row in largest.rows] == ["no", "yes"]
    assert largest.columns[:3] == ("pore", "slices", "volume (voxels)")
    assert largest.boxes == ((50, 50, 20, 10, 7), (100, 20, 5, 10, 13))
    assert "from 1 (in pores_3d.csv from 0)" in largest.caption
    connections = dict(in_space(made)["Connections"].rows)
    assert connections["Connected fraction along z"] == "95.2\u00a0%"
    assert figures(made)["Connected fraction"] == "0 / 0 / 95.2 %"
    # one pore has no median, and no distribution
    size = next(one for one in made.key_figures if one.name == "Median size of whole 3-D pores")
    assert (size.value, size.note) == ("–", "fewer than 10 3-D pores that reach no face of the stack (1)")
    assert [plot.name for plot in made.volume.plots] == []
    assert made.key_figures.index(size) == 3  # before what was found in the slices
    assert [one.name for one in made.slice_figures] == ["Sections of pores", "Median size of sections", "Anisotropy"]
    scaled = make(
        NOISE,
        mask,
        shown_slice=7,
        bodies=bodies.assign(volume_um3=[2.0, 0.1]),
        pixel_size_nm=100.0,
        manifest={"volume": volume},
    )
    largest = in_space(scaled)["Largest pores"]
    assert largest.columns[2:4] == ("volume (µm³)", "diameter (µm)")
    assert largest.rows[0][2:4] == ("2.00", "1.56")
    # ten of the first are enough; the pore that reaches the last slice is left out, and the headline says so
    many = pd.concat([bodies.iloc[[0] * 10], bodies.iloc[[1]]], ignore_index=True)
    for known, columns, value in (
        ({}, {}, "15.6\u00a0px"),
        ({"pixel_size_nm": 100.0}, {}, "15.6\u00a0px"),  # the slices' distance is not known
        ({"pixel_size_nm": 100.0}, {"volume_um3": [2.0] * 10 + [0.1]}, "1.56\u00a0µm"),
    ):
        made = make(NOISE, mask, shown_slice=7, bodies=many.assign(**columns), manifest={"volume": volume}, **known)
        size = next(one for one in made.key_figures if one.name == "Median size of whole 3-D pores")
        assert size.value == value
        assert "without those that reach a face (0.498\u00a0% of the pore volume); corrected for it" in size.note
        lacking = "" if columns else "distance of slices" if known else "pixel size"
        assert (f"voxels count as cubes, as the {lacking} is not known" in size.note) == bool(lacking)
        (plot,) = made.volume.plots
        assert plot.name == "size_distribution_3d"
        assert ("oxels count as cubes" in plot.caption) == bool(lacking)
        assert in_space(made)["Largest pores"].columns[3] == f"diameter ({value.split()[-1]})"


def test_the_same_quantity_is_the_same_number(make: Maker) -> None:
    """The median of an even number of pores, between which there is a gap."""
    mask = np.zeros(NOISE.shape, bool)
    for place, side in enumerate((5, 10, 20, 30)):
        for top in (20, 80, 140):
            mask[top : top + side, 20 + 60 * place : 20 + 60 * place + side] = True
    made = make(NOISE, mask)
    table = next(table for table in made.tables if table.title == "Pores in numbers")
    row = next(row for row in table.rows if row[0].startswith("Equivalent diameter"))
    median = row[table.columns.index("P50")]
    assert figures(made)["Median pore size"] == f"{median} px"
    assert median == "11.3"  # of the circle of 10 x 10 px


def test_a_model_that_reads_no_prompt_has_none(make: Maker) -> None:
    manifest = {"request": {"threshold": 0.5, "prompt": "large pores"}}

    def text_prior(**known: bool) -> str:
        made = make(NOISE, np.zeros(NOISE.shape, bool), manifest={**manifest, **known})
        return next(dict(group.items)["Text prior"] for group in made.facts if group.title == "Settings")

    assert text_prior() == text_prior(reads_prompt=True) == "large pores"
    assert text_prior(reads_prompt=False) == "none: this model reads no prompt"


def test_a_volume_counts_bodies_and_not_their_sections(make: Maker) -> None:
    mask = np.zeros((2, 200, 300), bool)
    mask[:, 50:60, 50:70] = True
    volume = {"slices": 2, "slice_spacing_nm": 20.0, "connectivity": {**CONNECTIVITY, "pores": 1}, "caveats": []}
    made = make(NOISE, mask, shown_slice=1, pixel_size_nm=10.0, manifest={"volume": volume})
    assert figures(made)["3-D pores"] == "1"
    assert figures(made)["Rock analysed"] == "0.240 µm³"
    told = next(figure.note for figure in made.key_figures if figure.name == "3-D pores")
    assert told.endswith("2 sections in the slices")
    assert "2 slices thick" in dict(made.method)["Interval"]
    assert any("the largest holds 95.2 % of the pore volume" in one.replace("\u00a0", " ") for one in made.summary)


def test_pixels_that_are_not_square_and_warnings_are_told(make: Maker) -> None:
    mask = np.zeros(NOISE.shape, bool)
    mask[50:60, 50:80] = True
    taken = {"pixel_height_nm": 10.0, "pixel_width_nm": 12.0, "warnings": ["two sizes <disagree>"], "voltage_kv": 2.0}
    made = make(NOISE, mask, pixel_size_nm=11.0, acquisition=taken)
    caveats = dict(made.caveats)
    assert caveats["Image file"] == "two sizes <disagree>"
    assert "12 nm wide and 10 nm high" in caveats["Pixels that are not square"]
    assert dict(made.facts[0].items)["Acceleration voltage"] == "2\u00a0kV"


def test_the_method_states_the_constants_in_use(make: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    mask = np.zeros(NOISE.shape, bool)
    mask[50:60, 50:80] = True
    changed = {
        "CELL": 99,
        "DRAWS": 1234,
        "CONFIDENCE": 0.9,
        "NO_DIRECTION": 0.05,
        "LEAST_ROCK": 0.7,
        "SHAPE_AREA_PX": 17,
    }
    for name, value in changed.items():
        monkeypatch.setattr(method, name, value)
    paragraphs = {name: text.replace("\u00a0", " ") for name, text in make(NOISE, mask).method}
    assert "cells of 99 px" in paragraphs["Segmentation"]
    assert "1\u202f234 times; the middle 90 %" in paragraphs["Interval"]
    assert "significance level of 5 %" in paragraphs["Directions"]
    assert "at least 17 px²" in paragraphs["Directions"]
    assert "at least 70 % is rock" in paragraphs["Representative area"]
    # and they are those of the measurements
    monkeypatch.undo()
    assert (method.CELL, method.DRAWS) == (shading.CELL, porosity.DRAWS)
