"""How good is a model on a micrograph that it has not seen? Leaves whole sources out, and chooses nothing on them.

    python benchmarks/held_out_sources.py ../shared/data --output_dir runs/default_model

For each source of Nankai with more than one tile, models are trained without it (`scripts/train_default_model.py`) and
scored on all of its tiles: weights of the last epoch, threshold 0.5. Beside them stand Otsu's threshold, and what one
would take without a network: a random forest on scikit-image's multiscale features, trained on the same tiles, with
the grey levels of each source brought to the same mean and spread.

usual      Nankai's other sources, the training's own augmentation: the recipe of the default model
large_patches  as usual, with 3 patches of 320 px in a step in place of 8 of 192 px
quick      as usual, with 4 patches of 128 px in a step in place of 8 of 192 px
unet       as quick, by U-Net
varied     as quick, with `wide_augmentation`
pretrained as quick, starting from a training on synthetic images of every look
wide       as quick, with `wide_augmentation`, synthetic images of every look, and the three patches of the published
           method

Each also with `_mirrored`: the same model, averaged over four mirrorings, as the commands do it with such images.

What is finished is left alone, so that the command goes on where it stopped.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from skimage.feature import multiscale_basic_features

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))
from train_default_model import (
    LARGE_PATCHES,
    LEFT_OUT,
    PRETRAINED,
    QUICK,
    UNET,
    USUAL,
    VARIED,
    WIDE,
    data_sets,
    scored,
    source_of,
)

#: ways to train, by name
RECIPES = {recipe.name: recipe for recipe in (USUAL, LARGE_PATCHES, QUICK, UNET, VARIED, PRETRAINED, WIDE)}

#: at the end of a way's name
MIRRORED = "_mirrored"

#: of the forest: pixels of each training tile, trees, least pixels of a leaf
PIXELS, TREES, LEAF = 2000, 100, 5


def tiles(folder: Path) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Image, of mean 0 and spread 1 over its source, and true pores of each tile."""
    names = sorted(file.stem for file in (folder / "images").iterdir())
    images = {name: np.asarray(Image.open(folder / "images" / f"{name}.png"), np.float32) for name in names}
    levels = {}
    for source in {source_of(name) for name in names}:
        grey = np.concatenate([image.ravel() for name, image in images.items() if source_of(name) == source])
        levels[source] = grey.mean(), grey.std()
    result = {}
    for name, image in images.items():
        mean, spread = levels[source_of(name)]
        pore = np.asarray(Image.open(folder / "labels" / f"{name}.png")) == 2
        result[name] = (image - mean) / spread, pore
    return result


def features(image: np.ndarray) -> np.ndarray:
    """Those of each pixel, (pixels, D)."""
    found = multiscale_basic_features(image, sigma_min=0.5, sigma_max=16)
    return found.reshape(-1, found.shape[-1])


def forest(data: Path, work: Path, left_out: str, seed: int) -> pd.DataFrame:
    """Scores of a random forest on a source that it was not trained on, a row for each tile."""
    from sklearn.ensemble import RandomForestClassifier

    file = work / "forest" / f"{left_out}_seed{seed}.csv"
    if file.exists():
        return pd.read_csv(file, dtype={"source": str, "left_out": str})
    random = np.random.default_rng(seed)
    every = tiles(data_sets(data, work, left_out, False)[0])
    asked, answers = [], []
    for name, (image, pore) in every.items():
        if source_of(name) != left_out:
            chosen = random.choice(pore.size, PIXELS, replace=False)
            asked.append(features(image)[chosen])
            answers.append(pore.ravel()[chosen])
    trees = RandomForestClassifier(TREES, min_samples_leaf=LEAF, random_state=seed, n_jobs=1)
    trees.fit(np.concatenate(asked), np.concatenate(answers))
    rows = []
    for name, (image, pore) in every.items():
        if source_of(name) == left_out:
            found = trees.predict(features(image)).reshape(pore.shape)
            rows.append({"name": name, "source": left_out, **counts(found, pore)})
    table = pd.DataFrame(rows).assign(recipe="random forest", seed=seed, left_out=left_out)
    file.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(file, index=False)
    return table


def counts(found: np.ndarray, pore: np.ndarray) -> dict[str, float]:
    """Dice and porosities of a tile, and what pools them."""
    both = int((found & pore).sum())
    return {
        "dice": 2 * both / max(1, int(found.sum() + pore.sum())),
        "porosity_predicted": float(found.mean()),
        "porosity_true": float(pore.mean()),
        "pixels": pore.size,
    }


def otsu_of(table: pd.DataFrame) -> pd.DataFrame:
    """Otsu's scores on the same tiles, as `evaluate` keeps them."""
    return table.assign(recipe="Otsu", dice=table["otsu_dice"], porosity_predicted=np.nan)


def pooled_dice(table: pd.DataFrame) -> float:
    """Of all pixels together: each tile's Dice weighs as much as its found and true pores have pixels."""
    weight = (table["porosity_predicted"] + table["porosity_true"]) * table["pixels"]
    return float((table["dice"] * weight).sum() / weight.sum()) if weight.notna().all() else float("nan")


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """A row for each way and source, and for each way over all: means over tiles, their spread over seeds."""
    rows = []
    for recipe, of_recipe in table.groupby("recipe", sort=False):
        for source, part in [*of_recipe.groupby("left_out"), ("all", of_recipe)]:
            error = (part["porosity_predicted"] - part["porosity_true"]).abs()
            seeds = part.groupby("seed")["dice"].mean()
            rows.append(
                {
                    "": recipe,
                    "left out": source,
                    "tiles": part["name"].nunique(),
                    "seeds": len(seeds),
                    "mean Dice": part["dice"].mean(),
                    "± over seeds": seeds.std() if len(seeds) > 1 else float("nan"),
                    "lowest tile": part["dice"].min(),
                    "pooled Dice": pooled_dice(part),
                    "porosity error": error.mean(),
                    "bias": (part["porosity_predicted"] - part["porosity_true"]).mean(),
                }
            )
    return pd.DataFrame(rows)


def tables(data: Path, work: Path, way: str, left_out: str, seed: int) -> list[pd.DataFrame]:
    """Scores of one way, and Otsu's beside the usual one."""
    if way == "forest":
        return [forest(data, work, left_out, seed)]
    recipe = RECIPES[way.removesuffix(MIRRORED)]
    table = scored(data, work, recipe, left_out, seed, mirror=way.endswith(MIRRORED)).assign(recipe=way)
    return [table, otsu_of(table)] if way == "usual" else [table]


WAYS = ("forest", *(name + mirrored for name in RECIPES for mirrored in ("", MIRRORED)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder with nankai, nankai_17 and vlse")
    parser.add_argument("--output_dir", type=Path, default=Path("runs/default_model"))
    parser.add_argument("--leave_out", nargs="+", default=LEFT_OUT)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--only", nargs="+", choices=WAYS, default=WAYS, help="ways to compare")
    given = parser.parse_args()
    found = [
        table
        for source in given.leave_out
        for seed in given.seeds
        for way in given.only
        for table in tables(given.data, given.output_dir, way, source, seed)
    ]
    table = pd.concat(found, ignore_index=True)
    shown = summary(table)
    shown.to_csv(given.output_dir / "held_out_sources.csv", index=False)
    print(shown.to_string(index=False, float_format=lambda value: f"{value:.4f}"))


if __name__ == "__main__":
    main()
