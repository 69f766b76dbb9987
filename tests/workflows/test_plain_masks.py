from __future__ import annotations

import json
import sys
from types import SimpleNamespace

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import tifffile
import torch
from ignite.engine import Engine
from PIL import Image

from pipeline.errors import UserError
from pipeline.phase_colours import phase_colours
from pipeline.phases import Phase
from pipeline.visual import phase_overlay
from pipeline.workflows import PlainMasks

PORES = {"about": None, "phases": (Phase.of("pore"),), "thresholds_for": lambda given: (given,)}
MODEL = SimpleNamespace(sha256="abc", path="best.pt", **PORES)
SETTINGS = {"halo": 128, "mirror": True}


def segment(
    results: PlainMasks, names: list[str], folder, suffix: str = ".png", bars: tuple[int, int] = (0, 0)
) -> None:
    """Run the handler on an engine whose probabilities are a ramp from 0 to 1 along x."""

    def infer(engine, name):
        ramp = torch.linspace(0, 1, 10).repeat(1, 6, 1)
        engine.state.batch = [
            {
                "name": name,
                "image_path": str(folder / f"{name}{suffix}"),
                "rows": torch.tensor([bars[0], bars[0] + 6]),
                "height": sum(bars) + 6,
                "prompt": "pore",
            }
        ]
        return [{"image": ramp, "pred": ramp}]

    engine = Engine(infer)
    results.attach(engine)
    engine.run(names)


def test_files_hold_mask_probability_and_porosity(tmp_path):
    segment(PlainMasks(str(tmp_path), MODEL, "pore", 0.5, SETTINGS), ["b", "a"], tmp_path)
    mask = np.asarray(Image.open(tmp_path / "masks" / "a.png"))
    np.testing.assert_array_equal(mask, np.repeat([[0] * 5 + [255] * 5], 6, axis=0))
    np.testing.assert_allclose(tifffile.imread(tmp_path / "probability" / "a.tif")[0], np.linspace(0, 1, 10), atol=1e-6)
    table = pd.read_csv(tmp_path / "porosity.csv")
    assert list(table["name"]) == ["a", "b"]
    assert list(table["porosity"]) == [0.5, 0.5]
    assert list(table[["width", "height"]].iloc[0]) == [10, 6]
    assert json.loads((tmp_path / "manifest.json").read_text())["checkpoint_sha256"] == "abc"
    assert not list(tmp_path.rglob(".*"))


def test_of_several_phases_masks_hold_numbers_and_the_table_area_fractions(tmp_path):
    probability = torch.tensor([[[0.9, 0.3, 0.2, 0.6]] * 2, [[0.1, 0.45, 0.2, 0.7]] * 2])  # (K, H, W)
    phases = (Phase.of("pore"), Phase.of("clay", "clay between grains"))
    given = []
    model = SimpleNamespace(
        sha256="abc", path="best.pt", about=None, phases=phases, thresholds_for=lambda x: given.append(x) or (0.5, 0.4)
    )

    def infer(engine, name):
        engine.state.batch = [
            {
                "name": name,
                "image_path": str(tmp_path / f"{name}.png"),
                "rows": torch.tensor([1, 3]),
                "height": 3,
                "prompt": [["pore"], ["clay between grains"]],
            }
        ]
        return [{"image": torch.linspace(0, 1, 4).repeat(1, 2, 1), "pred": probability}]

    engine = Engine(infer)
    thresholds = {"pore": 0.5, "clay": 0.4}
    results = PlainMasks(str(tmp_path), model, ["pore", "clay between grains"], thresholds, SETTINGS)
    results.attach(engine)
    engine.run(["a"])
    assert given == [thresholds]
    mask = np.asarray(Image.open(tmp_path / "masks" / "a.png"))
    np.testing.assert_array_equal(mask, [[0] * 4, [1, 2, 0, 2], [1, 2, 0, 2]])
    assert tifffile.imread(tmp_path / "probability" / "a.tif").shape == (2, 3, 4)
    overlay = np.asarray(Image.open(tmp_path / "overlays" / "a.png"))
    expected = phase_overlay(np.linspace(0, 1, 4)[None].repeat(2, 0), mask[1:], phase_colours(["pore", "clay"]))
    np.testing.assert_array_equal(overlay, expected)
    table = pd.read_csv(tmp_path / "area_fractions.csv")
    assert table[["pore/area_fraction", "clay/area_fraction"]].iloc[0].to_list() == [0.25, 0.5]
    assert table["prompt"][0] == "pore, clay between grains"
    assert json.loads((tmp_path / "manifest.json").read_text())["phases"] == ["pore", "clay"]
    again = PlainMasks(str(tmp_path), model, ["pore", "clay between grains"], thresholds, SETTINGS)
    assert again.finished(resume=True) == {"a"}
    again.print_porosity()
    assert not (tmp_path / "porosity.csv").exists()


def test_an_info_bar_holds_no_pore_and_is_not_counted(tmp_path):
    segment(PlainMasks(str(tmp_path), MODEL, "pore", 0.5, SETTINGS), ["a"], tmp_path, bars=(3, 2))
    for file in (tmp_path / "masks" / "a.png", tmp_path / "probability" / "a.tif"):
        pixels = tifffile.imread(file) if file.suffix == ".tif" else np.asarray(Image.open(file))
        assert pixels.shape == (11, 10)
        assert pixels[3:9].any()
        assert not pixels[:3].any()
        assert not pixels[9:].any()
    assert pd.read_csv(tmp_path / "porosity.csv").porosity.to_list() == [0.5]


def test_a_nifti_mask_lies_in_the_image(tmp_path):
    affine = np.diag([0.5, 0.25, 1, 1])
    nib.save(nib.Nifti1Image(np.zeros((10, 6), np.float32), affine), tmp_path / "a.nii.gz")
    segment(PlainMasks(str(tmp_path), MODEL, "pore", 0.5, SETTINGS), ["a"], tmp_path, ".nii.gz")
    mask = nib.load(tmp_path / "masks" / "a.nii.gz")
    np.testing.assert_allclose(mask.affine, affine)
    assert mask.shape == (10, 6)
    np.testing.assert_array_equal(np.asarray(mask.dataobj)[:, 0] > 0, [False] * 5 + [True] * 5)


def test_rows_of_an_overwritten_run_do_not_pass_for_new_ones(tmp_path):
    segment(PlainMasks(str(tmp_path), MODEL, "pore", 0.5, SETTINGS), ["a", "NA"], tmp_path)
    assert PlainMasks(str(tmp_path), MODEL, "pore", 0.5, SETTINGS).finished(resume=True) == {"a", "NA"}
    other = PlainMasks(str(tmp_path), SimpleNamespace(sha256="xyz", path="b", **PORES), "pore", 0.5, SETTINGS)
    killed = Engine(lambda engine, name: sys.exit())  # --overwrite, killed before the first image
    other.attach(killed)
    with pytest.raises(SystemExit):
        killed.run(["a"])
    assert not (tmp_path / "porosity.csv").exists()


def test_it_goes_on_only_with_the_same_model_and_prompt(tmp_path):
    segment(PlainMasks(str(tmp_path), MODEL, "pore", 0.5, SETTINGS), ["a"], tmp_path)
    again = PlainMasks(str(tmp_path), MODEL, "pore", 0.5, SETTINGS)
    assert again.finished(resume=True) == {"a"}
    segment(again, ["b"], tmp_path)
    assert list(pd.read_csv(tmp_path / "porosity.csv")["name"]) == ["a", "b"]
    assert PlainMasks(str(tmp_path), MODEL, "pore", 0.5, SETTINGS).finished(resume=False) == set()
    with pytest.raises(UserError, match=r"other settings .prompt was pore, now \"thin pores\""):
        PlainMasks(str(tmp_path), MODEL, "thin pores", 0.5, SETTINGS).finished(resume=True)
    with pytest.raises(UserError, match=r"\(halo was 128, now 64\)"):
        PlainMasks(str(tmp_path), MODEL, "pore", 0.5, {**SETTINGS, "halo": 64}).finished(resume=True)
    with pytest.raises(UserError, match=r"model .SHA-256. was "):
        PlainMasks(str(tmp_path), SimpleNamespace(sha256="xyz", path="b", **PORES), "pore", 0.5, SETTINGS).finished(
            resume=True
        )
