"""Train the model that comes with vlsenet, from public data, and measure it on sources that it has not seen.

    python scripts/train_default_model.py ../shared/data --output_dir runs/default_model --publish

1. The public images are linked into data sets: one with all sources, and one for each source that is left out.
2. Networks are trained without 11, 13 and 17 in turn, and one on all: the model. Nothing is chosen: the weights are
   those of the last epoch, the threshold is 0.5. So sources 12 and 14, which watch the trainings, are unknown to all.
3. Each network is scored on the source that it was trained without, the model on 12 and 14. Their area fractions go
   into the model's file, as the error of such a model on another micrograph, with a description of the training images,
   whose limits come from left-out sources.

Results lie in the output folder: `held_out.csv`, and `model.pt`, in half precision; `--publish` writes that into
`bundle/models`. A training that was interrupted goes on where it stopped, a finished one is left alone. On one CPU core
each of the four takes some twenty minutes.

The data folder has `nankai` and `nankai_17` (images and labels NAME_TILE.png, 2 is pore) and, for the recipe `wide` of
benchmarks/held_out_sources.py, `vlse` (patch_images, patch_mask); bundle/models/README.md says where they come from.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

#: left out in turn: the sources with more than one tile
LEFT_OUT = ("11", "13", "17")
#: sources of one tile each; they watch a training, and choose nothing
WATCHING = ("12", "14")
EPOCHS = 40
#: of every training; the only validation is that of the last epoch, so that no epoch is chosen
TRAINING = {"max_epochs": EPOCHS, "val_interval": EPOCHS}
SMALL_PATCHES = ("--set", "batch_size=4", "--set", "patch_size=128")
SYNTHETIC = {"--count": "64", "--size": "384,384", "--seed": "7", "--val": "0", "--test": "0"}
SHARES = "nankai=0.65, varied=0.3, vlse=0.05"
THRESHOLD = 0.5
TITLE = "vlsenet's default model for pores (VLSE-Net, small)"


@dataclass(frozen=True)
class Recipe:
    """How a model is trained.

    Attributes:
        name: of its folder.
        options: of `vlsenet train`.
        further: whether synthetic images and those of the published method are added to Nankai's.
        pretrained: whether it starts with a network that was trained on the synthetic images.
    """

    name: str
    options: tuple[str, ...]
    further: bool = False
    pretrained: bool = False


#: as `vlsenet train` does it: 8 patches of 192 px in a step
USUAL = Recipe("usual", ())
#: as many pixels in a step in patches that show more around each pixel
LARGE_PATCHES = Recipe("large_patches", ("--set", "batch_size=3", "--set", "patch_size=320"))
#: with a quarter of the pixels in a step, for less time; and by the baseline
QUICK = Recipe("quick", SMALL_PATCHES)
UNET = Recipe("unet", (*SMALL_PATCHES, "--network", "unet"))
#: the same with patches varied far more, and starting from synthetic images of every look
VARIED = Recipe("varied", (*SMALL_PATCHES, "--set", "wide_augmentation=true"))
PRETRAINED = Recipe("pretrained", SMALL_PATCHES, pretrained=True)
#: patches varied far more, synthetic images of every look, and the published method's own patches, all at once
WIDE = Recipe("wide", (*VARIED.options, "--set_weights", SHARES), further=True)
#: of the model that comes along: the better one on sources left out
DEFAULT = USUAL


def vlsenet(*words: object) -> None:
    """Run a command of this checkout."""
    subprocess.run([sys.executable, "-m", "pipeline.cli", *map(str, words)], check=True)


def source_of(name: str) -> str:
    """Tiles of Nankai are named SOURCE_TILE."""
    return name.partition("_")[0]


def linked(folder: Path, files: Iterable[Path]) -> list[str]:
    """Links to files in a folder; their stems."""
    folder.mkdir(parents=True, exist_ok=True)
    stems = []
    for file in sorted(files):
        link = folder / file.name
        if not link.exists():
            link.symlink_to(file.resolve())
        stems.append(file.stem)
    return stems


def write_rows(path: Path, rows: Sequence[Sequence[str]]) -> None:
    with path.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)


def data_sets(data: Path, work: Path, left_out: str | None, further: bool) -> list[Path]:
    """Make the data sets of a training: Nankai without a source, and if asked for synthetic and published images."""
    folder = work / "data" / (left_out or "all")
    nankai, vlse = folder / "nankai", folder / "vlse"
    for kind in ("images", "labels"):
        names = linked(nankai / kind, [*(data / "nankai" / kind).iterdir(), *(data / "nankai_17" / kind).iterdir()])
    split = {name: "test" if source_of(name) == left_out else "train" for name in names}
    split |= {name: "val" for name in names if source_of(name) in WATCHING}
    write_rows(nankai / "split.csv", [["name", "source", "split"], *([n, source_of(n), split[n]] for n in names)])
    write_rows(nankai / "phases.csv", [["value", "phase"], ["2", "pore"]])
    if not further:
        return [nankai]
    for kind in ("patch_images", "patch_mask"):
        patches = linked(vlse / kind, (data / "vlse" / kind).iterdir())
    write_rows(vlse / "split.csv", [["name", "source", "split"], *([n, n, "train"] for n in patches)])
    return [nankai, synthetic_set(work, val=0), vlse]


def synthetic_set(work: Path, val: int) -> Path:
    """Synthetic images of every look, some of which watch a training on them alone."""
    folder = work / ("varied_and_val" if val else "varied")
    if not (folder / "truth.csv").exists():
        options = [word for pair in (SYNTHETIC | {"--val": str(val)}).items() for word in pair]
        vlsenet("synthetic", folder, "--varied", "--overwrite", *options)
    return folder


def synthetic_start(work: Path, seed: int) -> Path:
    """A network trained on synthetic images alone."""
    run = work / "synthetic" / f"seed{seed}"
    return run_training(run, [synthetic_set(work, val=8)], seed, SMALL_PATCHES)


def trained(data: Path, work: Path, recipe: Recipe, left_out: str | None, seed: int) -> Path:
    """Train without a source, or on all; the model's file."""
    run = work / recipe.name / (left_out or "all") / f"seed{seed}"
    start = ("--start_from", str(synthetic_start(work, seed))) if recipe.pretrained else ()
    return run_training(run, data_sets(data, work, left_out, recipe.further), seed, (*recipe.options, *start))


def run_training(run: Path, sets: Sequence[Path], seed: int, given: Sequence[str]) -> Path:
    """Train, or go on, unless it is finished; the model's file."""
    best, last = run / "checkpoints" / "best.pt", run / "checkpoints" / "last.pt"
    if not finished(last):
        options = [word for name, value in TRAINING.items() for word in ("--set", f"{name}={value}")]
        go_on = "--resume" if last.exists() else "--overwrite"
        vlsenet("train", *sets, "--output_dir", run, "--set", f"seed={seed}", *options, *given, go_on)
    return best


def finished(last: Path) -> bool:
    from pipeline.workflows.checkpoints import read_training

    return last.exists() and read_training(last, "remove it")["epoch"] >= EPOCHS


def scored(
    data: Path, work: Path, recipe: Recipe, left_out: str | None, seed: int, split: str = "test", mirror: bool = False
) -> pd.DataFrame:
    """Scores of a left-out source (`test`) or the watching ones (`val`), a row for each tile, by `vlsenet evaluate`."""
    best = trained(data, work, recipe, left_out, seed)
    folder = best.parents[1] / (f"{split}_mirrored" if mirror else split)
    if not (folder / "summary.json").exists():
        dataset = data_sets(data, work, left_out, False)[0]
        words = "--split", split, "--set", f"threshold={THRESHOLD}", "--set", f"mirror={str(mirror).lower()}"
        vlsenet("evaluate", dataset, "--checkpoint", best, "--output_dir", folder, "--tracking_uri", "none", *words)
    table = pd.read_csv(folder / "per_image.csv", dtype={"source": str})
    return table.assign(recipe=recipe.name, seed=seed, left_out=left_out or "none")


def held_out(table: pd.DataFrame) -> list[dict[str, object]]:
    """As a model file keeps the area fractions of images that it was not trained on."""
    rows = table.to_dict("records")
    return [
        {
            "source": row["source"],
            "found": row["porosity_predicted"],
            "true": row["porosity_true"],
            "pixels": row["pixels"],
        }
        for row in rows
    ]


def publish(best: Path, table: pd.DataFrame, known: dict[str, object], trained_on: str, target: Path) -> None:
    """Write the model's file as it is shipped: half precision, with what is said of it and what was measured.

    Args:
        best: the training's model.
        table: scores on images that it, or the same training without a source, has not seen.
        known: what its training images look like.
        trained_on: the same in words.
        target: the file.
    """
    import torch

    from pipeline.files import atomic_path
    from pipeline.workflows.model_file import read_model_file

    content = read_model_file(str(best))
    content["network"] = {
        name: value.half() if value.is_floating_point() else value for name, value in content["network"].items()
    }
    content["threshold"] = THRESHOLD
    about = {
        "title": TITLE,
        "trained_on": trained_on,
        "licence": "Apache-2.0; of the training data: MIT (bundle/models/README.md)",
    }
    content["data"] |= {"about": about, "held_out": {"pore": held_out(table)}, "familiarity": known}
    target.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(target) as partial, partial.open("wb") as file:
        torch.save(content, file)


def described(data: Path, work: Path) -> dict[str, object]:
    """What the training's tiles look like, with limits from left-out sources, those of the training in turn."""
    from PIL import Image

    from pipeline.engine.familiarity import Familiarity
    from pipeline.engine.prediction import PredictionSettings
    from pipeline.workflows.training_look import image_features

    folder = data_sets(data, work, None, False)[0]
    features: dict[str, list[np.ndarray]] = {"train": [], "val": []}
    sources: dict[str, list[str]] = {"train": [], "val": []}
    for name, source, split in pd.read_csv(folder / "split.csv", dtype=str).itertuples(index=False):
        image = np.asarray(Image.open(folder / "images" / f"{name}.png"), np.float32)
        features[split].append(image_features(image, PredictionSettings(), (), (np.nan, np.nan)))
        sources[split].append(source)
    return Familiarity.fitted(features["train"], sources["train"], features["val"]).to_dict()


def in_words(data: Path, work: Path) -> str:
    """What the model was trained on."""
    table = pd.read_csv(data_sets(data, work, None, False)[0] / "split.csv", dtype=str)
    train = table[table["split"] == "train"]
    return (
        f"{len(train)} SEM tiles (398 x 343 pixels, pixel size not known) of {train['source'].nunique()} micrographs "
        "of mudrock from the Nankai Trough"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder with nankai, nankai_17 and vlse")
    parser.add_argument("--output_dir", type=Path, default=Path("runs/default_model"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--publish", action="store_true", help="write bundle/models/model.pt")
    given = parser.parse_args()
    data, work = given.data, given.output_dir
    tables = [scored(data, work, DEFAULT, left_out, given.seed) for left_out in LEFT_OUT]
    table = pd.concat([*tables, scored(data, work, DEFAULT, None, given.seed, "val")], ignore_index=True)
    table.to_csv(work / "held_out.csv", index=False)
    models = Path(__file__).resolve().parents[1] / "bundle" / "models"
    target = (models if given.publish else work) / "model.pt"
    best = trained(data, work, DEFAULT, None, given.seed)
    publish(best, table, described(data, work), in_words(data, work), target)
    print(json.dumps({"model": str(target), "bytes": target.stat().st_size}))


if __name__ == "__main__":
    main()
