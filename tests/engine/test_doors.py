"""The same pixel of the same image has the same probability at every door of the engine."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tifffile
import torch
import zarr
from monai.engines import SupervisedEvaluator
from PIL import Image

from pipeline.engine.inferer import MicrographInferer
from pipeline.engine.prediction import PredictionSettings
from pipeline.images import read_image
from pipeline.options import default
from pipeline.synthetic import generate
from pipeline.workflows import ScanSegmentation
from pipeline.workflows.bundle_workflow import run_config
from pipeline.workflows.model_file import TrainedModel
from tests.images.microscope.bars import one_line
from tests.workflows.export.cases import trained_model, write_checkpoint
from tests.workflows.scan.files import scans_table, settings_of

pytestmark = pytest.mark.usefixtures("undrawn")
CPU = torch.device("cpu")
ENGINE = {"precision": "float32", "chunk_size": 256, "halo": 128}
#: a step of the store, which holds 8 bits
STEP = 1 / 255


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> TrainedModel:
    return trained_model(tmp_path_factory.mktemp("model"))


def inferred(model: TrainedModel, image: np.ndarray, size: float | None = None, **settings: Any) -> np.ndarray:
    """Probability (H, W) that the inferer gives to an image."""
    features = model.text.get("pore")
    inferer = MicrographInferer(PredictionSettings(**{**ENGINE, **settings}), model.data["pixel_sizes_nm"])
    return inferer(
        torch.from_numpy(image.astype(np.float32))[None, None],
        model.network,
        text=features.text[None],
        tokens=features.tokens[None],
        pixel_size_nm=torch.tensor([[size or np.nan] * 2]),
        name=["image"],
    )[0, 0].numpy()


def segmented(model: TrainedModel, path: Path, folder: Path, **settings: Any) -> tuple[np.ndarray, np.ndarray]:
    """Mask (H, W), and probability in steps of 1/255, that a scan's segmentation writes."""
    chosen = settings_of(**{**ENGINE, "report": False, **settings})
    ScanSegmentation(str(path), folder, model, chosen).run()
    written = zarr.open_group(str(folder / "segmentation.ome.zarr"), mode="r")["0"]
    return np.asarray(written[0, 0, 0]) > 0, np.asarray(written[0, 1, 0]) / 255


def rock(*size: int, seed: int = 0) -> np.ndarray:
    return generate(size, seed=seed).image


def with_blank_ground() -> np.ndarray:
    image = rock(330, 440).astype(np.float32)
    image[:, 320:] = image[:70] = -9999
    return image


def drifting() -> np.ndarray:
    return (rock(200, 500).astype(np.uint16) * np.linspace(60, 200, 500)).astype(np.uint16)


IMAGES = {
    "smaller than a chunk": (rock(180, 201), {}),
    "several chunks": (rock(290, 560), {}),
    "several chunks, each norm in its own way": (rock(280, 300), {"statistics": "network"}),
    "blank ground": (with_blank_ground(), {}),
    "shading, 16 bit": (drifting(), {}),
    "mirrored": (rock(200, 270), {"mirror": True}),
    "batches": (rock(290, 560), {"batch": 3}),
}


@pytest.mark.parametrize("case", IMAGES)
def test_the_inferer_and_the_segmentation_agree(tmp_path: Path, model: TrainedModel, case: str) -> None:
    image, settings = IMAGES[case]
    tifffile.imwrite(tmp_path / "a.tif", image)
    mask, stored = segmented(model, tmp_path / "a.tif", tmp_path / "out", **settings)
    probability = inferred(model, image, **settings)
    assert probability.dtype == np.float32
    assert np.abs(probability - stored).max() <= 0.5001 * STEP
    np.testing.assert_array_equal(probability >= 0.5, mask)
    assert 0 < mask.mean() < 1
    if case == "blank ground":
        assert not probability[:, 320:].any()


def test_another_layout_of_chunks_gives_the_same(model: TrainedModel) -> None:
    image = rock(290, 400)
    maps = [inferred(model, image, chunk_size=size) for size in (None, 256, 128)]
    for other in maps[1:]:
        assert np.abs(maps[0] - other).max() < 1e-4


def test_an_info_bar_is_cut_off_before(tmp_path: Path, model: TrainedModel) -> None:
    image = rock(300, 250)
    Image.fromarray(np.vstack([image, one_line(40, 250, 0, 255)])).save(tmp_path / "a.png")
    mask, stored = segmented(model, tmp_path / "a.png", tmp_path / "out")
    assert mask.shape == (340, 250)
    assert not mask[300:].any()
    assert np.abs(inferred(model, image) - stored[:300]).max() <= 0.5001 * STEP


@pytest.mark.parametrize("size", [13.0, 47.0])
def test_an_image_of_another_pixel_size(tmp_path: Path, model: TrainedModel, size: float) -> None:
    knowing = dataclasses.replace(model, data={**model.data, "pixel_sizes_nm": [20.0, 22.0]})
    image = rock(150, 270)
    Image.fromarray(image).save(tmp_path / "a.png")
    mask, stored = segmented(knowing, tmp_path / "a.png", tmp_path / "out", pixel_size_nm=size)
    probability = inferred(knowing, image, size)
    assert np.abs(probability - stored).max() <= 0.5001 * STEP
    np.testing.assert_array_equal(probability >= 0.5, mask)
    as_it_is = inferred(knowing, image)
    assert np.abs(probability - as_it_is).max() > 0.1  # it matters
    np.testing.assert_array_equal(inferred(knowing, image, size, rescale=False), as_it_is)


def test_real_images(tmp_path: Path, model: TrainedModel, shared: Path) -> None:
    files = [shared / "nankai" / "images" / name for name in ("11_1.png", "13_4.png")]
    part = tmp_path / "part.png"  # of a mosaic, over the borders of its tiles
    Image.fromarray(read_image(shared / "nankai" / "mosaics" / "11_image.png")[200:760, 250:810]).save(part)
    for path in [*files, part]:
        mask, stored = segmented(model, path, tmp_path / path.stem, chunk_size=512)
        probability = inferred(model, read_image(path), chunk_size=512)
        assert np.abs(probability - stored).max() <= 0.5001 * STEP, path.name
        np.testing.assert_array_equal(probability >= 0.5, mask)


def test_several_images_in_a_batch_each_with_its_text(model: TrainedModel) -> None:
    images = [rock(200, 220, seed=seed) for seed in range(2)]
    texts = [model.text.get(prompt) for prompt in model.text.prompts[:2]]
    inferer = MicrographInferer(PredictionSettings(**ENGINE))
    batch = torch.from_numpy(np.stack(images)[:, None].astype(np.float32))
    text, tokens = (torch.stack([getattr(of, name) for of in texts]) for name in ("text", "tokens"))
    together = inferer(batch, model.network, text=text, tokens=tokens)
    for i in range(2):
        alone = inferer(batch[i : i + 1], model.network, text=text[i : i + 1], tokens=tokens[i : i + 1])
        assert torch.equal(together[i], alone[0])
    other = inferer(batch[:1], model.network, text=text[1:], tokens=tokens[1:])
    assert not torch.allclose(together[0], other[0], atol=1e-3)


def test_any_monai_evaluator_takes_it(model: TrainedModel) -> None:
    features = model.text.get("pore")
    image = rock(100, 120)
    items = [
        {
            "image": torch.from_numpy(image.astype(np.float32))[None, None],
            "text": features.text,
            "tokens": features.tokens,
        }
    ]

    def prepare(batch, device=None, non_blocking=False, **_):
        extra = {name: batch[name][None] for name in ("text", "tokens")}
        return batch["image"], None, (), extra

    evaluator = SupervisedEvaluator(
        device=CPU,
        val_data_loader=items,
        network=model.network,
        inferer=MicrographInferer(PredictionSettings(**ENGINE)),
        prepare_batch=prepare,
        decollate=False,
    )
    evaluator.run()
    np.testing.assert_array_equal(evaluator.state.output["pred"][0, 0], inferred(model, image))


def test_an_image_without_contrast_has_no_pore_and_is_named(model: TrainedModel, caplog) -> None:
    assert not inferred(model, np.full((64, 80), 9.0)).any()
    assert "image: no rock found" in caplog.text


def test_the_engine_has_the_defaults_of_the_options() -> None:
    for field in dataclasses.fields(PredictionSettings):
        for command in ("train", "evaluate", "inference", "audit", "scan"):  # one default for all
            assert default(command, field.name) == field.default, (command, field.name)


def test_the_dice_of_an_evaluation_is_that_of_the_mask_of_a_segmentation(tmp_path: Path) -> None:
    """Through the commands' own configs, with an info bar, blank ground and several chunks."""
    rng = np.random.default_rng(0)
    for folder in ("images", "labels", "text"):
        (tmp_path / "rock" / folder).mkdir(parents=True)
    blank = rock(140, 300).copy()
    blank[:, 200:] = 0
    images = {
        "plain": rock(120, 280),
        "barred": np.vstack([rock(230, 200, seed=2), one_line(40, 200, 0, 255)]),
        "blank": blank,
    }
    for name, image in images.items():
        Image.fromarray(image).save(tmp_path / "rock" / "images" / f"{name}.png")
        truth = np.where(rng.random(image.shape) < 0.1, 2, 1).astype(np.uint8)
        Image.fromarray(truth).save(tmp_path / "rock" / "labels" / f"{name}.png")
        (tmp_path / "rock" / "text" / f"{name}.txt").write_text("thin pores")
    write_checkpoint(tmp_path / "best.pt")
    common = {"checkpoint": str(tmp_path / "best.pt"), "device": "cpu", "chunk_size": 256, "precision": "float32"}
    data, scans = str(tmp_path / "rock"), str(tmp_path / "rock" / "images")
    for sentences in (False, True):
        out = tmp_path / f"out_{sentences}"
        common |= {"sentences": sentences, "logging_file": False}
        run_config("evaluate", dataset_dir=data, split="all", output_dir=str(out / "scores"), **common)
        run_config("scan", input=scans, report=False, output_dir=str(out / "scans"), **common)
        run_config("inference", input=scans, output_dir=str(out / "masks"), **common)
        scores = pd.read_csv(out / "scores" / "per_image.csv").set_index("name")
        asked = "thin pores" if sentences else "pore"
        assert set(scores["prompt"]) == set(scans_table(out / "scans")["prompt"]) == {asked}
        assert set(pd.read_csv(out / "masks" / "porosity.csv")["prompt"]) == {asked}
        assert json.loads((out / "scores" / "summary.json").read_text())["sentences"] is sentences
        for name in images:
            store = out / "scans" / name / "segmentation.ome.zarr"
            mask = np.asarray(zarr.open_group(str(store), mode="r")["0"][0, 0, 0]) > 0
            truth = read_image(tmp_path / "rock" / "labels" / f"{name}.png") == 2
            if name == "barred":
                assert not mask[230:].any()
                mask, truth = mask[:230], truth[:230]
            dice = 2 * (mask & truth).sum() / (mask.sum() + truth.sum())
            assert scores.loc[name, "dice"] == pytest.approx(dice, abs=1e-6)
            plain = np.asarray(Image.open(out / "masks" / "masks" / f"{name}.png")) > 0
            np.testing.assert_array_equal(plain[: len(mask)], mask)
