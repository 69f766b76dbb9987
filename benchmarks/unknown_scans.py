"""Is an image that a model does not know recognised? Distances of public and made images from the training's.

    python benchmarks/unknown_scans.py ../shared/data

A distance is given as a multiple of the limit of `like`: above 1 an image is `unlike` the training, above 1.5 `far
off`.
Nankai's sources are each compared with a description that leaves them out; everything else with that of the model
(`--checkpoint`, by default the one that comes with vlsenet).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import skimage
from PIL import Image

from pipeline.cli.paths import model_named
from pipeline.engine.familiarity import FAR, Familiarity
from pipeline.engine.prediction import PredictionSettings
from pipeline.errors import UserError
from pipeline.synthetic.dataset import DatasetSettings
from pipeline.synthetic.sample import generate
from pipeline.workflows.model_file import read_model_file
from pipeline.workflows.training_look import image_features

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))
from train_default_model import LEFT_OUT, WATCHING, source_of

MOST = 6  # images of a set
PHOTOGRAPHS = ("page", "coins", "gravel", "brick", "grass", "camera", "moon")


def features(image: np.ndarray) -> np.ndarray:
    """Of the windows (M, D) of an image (H, W) of unknown pixel size."""
    return image_features(image.astype(np.float32), PredictionSettings(), (), (np.nan, np.nan))


def read(files: Iterable[Path]) -> list[np.ndarray]:
    """The first files of a folder as images (H, W)."""
    return [np.asarray(Image.open(file).convert("L")) for file in sorted(files)[:MOST]]


def sets(data: Path) -> Iterator[tuple[str, list[np.ndarray]]]:
    """Images of other materials, and of none."""
    yield "the published method's patches of a shale", read((data / "vlse" / "patch_images").iterdir())
    yield "FIB-SEM slices of a shale", read((data / "shale_stack").iterdir())
    for folder in sorted(file for file in (data / "phases").iterdir() if file.is_dir()):
        yield folder.name, read((folder / "images").iterdir())
    random = np.random.default_rng(0)
    yield "noise: uniform, normal", [random.uniform(0, 255, (300, 300)), random.normal(128, 30, (300, 300))]
    ramp = np.broadcast_to(np.linspace(0, 255, 300), (300, 300))
    yield "gradients", [ramp, ramp + ramp.T]
    yield "photographs of scikit-image", [getattr(skimage.data, name)() for name in PHOTOGRAPHS]
    looks = DatasetSettings(varied=True)
    yield (
        "synthetic rock of every look",
        [generate((384, 384), seed, looks.draw(np.random.default_rng(seed))).image for seed in range(12)],
    )


def left_out(data: Path) -> Iterator[tuple[str, list[float]]]:
    """Each source of Nankai, over the limit of a description of the others; one-tile sources train none of them."""
    files = [*(data / "nankai" / "images").iterdir(), *(data / "nankai_17" / "images").iterdir()]
    tiles = {file.stem: features(np.asarray(Image.open(file))) for file in sorted(files)}
    for source in (*LEFT_OUT, *WATCHING):
        known = {name: own for name, own in tiles.items() if source_of(name) not in (source, *WATCHING)}
        others = [own for name, own in tiles.items() if source_of(name) in WATCHING and source_of(name) != source]
        description = Familiarity.fitted([*known.values()], [source_of(name) for name in known], others)
        own = [own for name, own in tiles.items() if source_of(name) == source]
        yield f"Nankai {source}, left out", [description.distance.of(tile) / description.like for tile in own]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder with nankai, nankai_17, vlse, shale_stack and phases")
    parser.add_argument("--checkpoint", default="default")
    given = parser.parse_args()
    kept = read_model_file(model_named(given.checkpoint))["data"].get("familiarity")
    if kept is None:
        raise UserError(f"{given.checkpoint} does not say what its training images look like")
    model = Familiarity.from_dict(kept)
    rows = [*left_out(given.data)]
    rows += [
        (name, [model.distance.of(features(one)) / model.like for one in images]) for name, images in sets(given.data)
    ]
    print("| images | number | distance: median (lowest to highest) | like | unlike | far off |")
    print("|---|---:|---|---:|---:|---:|")
    for name, found in rows:
        off = pd.Series(found)
        counts = f"{(off <= 1).sum()} | {((off > 1) & (off <= FAR)).sum()} | {(off > FAR).sum()}"
        print(f"| {name} | {len(off)} | {off.median():.2f} ({off.min():.2f} to {off.max():.2f}) | {counts} |")


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        raise SystemExit(f"error: {error}") from None
