"""What do strokes buy? An honest labeller, simulated, and Dice on other micrographs against labelled pixels.

    python benchmarks/strokes.py runs/strokes --data ../shared/data/nankai --pore_label 2 --tiles 11_1 11_2 11_3 \\
        --score_on '^13_' --start_from runs/without_13/best.pt --seeds 0 1 2

Thin strokes (`_strokes.py`) are painted on some tiles, a share of their pixels, and more in each round. What is scored
are tiles of other micrographs, pooled Dice at the models' own threshold.

way of the further strokes
random       at random, as the first ones
ranked       on the largest mistakes of the arm's own model, and nowhere else
regions      in the regions (128 px) that hold most of its mistakes, there in all phases alike

arm          what learns from the strokes
none         nothing: the model of --start_from as it is
forest       a random forest on scikit-image's multiscale features
features     a random forest on the features of `vlsenet label`'s preview, of the model of --start_from
scratch      VLSE-Net, from random weights
start        VLSE-Net, from the model of --start_from
all          as `start`, from the full masks: what the strokes are held against

The model of --start_from must not know the tiles that are scored: its file lists what it was trained on, and such a
model is refused (`benchmarks/held_out_sources.py` trains models without a source). What is finished is left alone, so
that the command goes on where it stopped; table and curves show all that was scored in the output folder.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
from _stroke_arms import Predict, forest_of, network_features, network_of, plain_features
from _strokes import UNLABELLED, corrected, in_worst_regions, stroked
from PIL import Image

from pipeline.cli.paths import model_named
from pipeline.errors import UserError
from pipeline.files import sha256_of, write_text
from pipeline.workflows import load_model

ARMS = ("none", "forest", "features", "scratch", "start", "all")
WAYS = ("random", "ranked", "regions")
#: how strokes are added to those of an earlier round, where that is not at random
CORRECTIONS = {"ranked": corrected, "regions": in_worst_regions}
WITHOUT_STROKES = ("none", "all")
#: the way of the first strokes, which all ways begin with; the file of a training's score
FIRST, SCORE = "first", "score.json"


class Tiles:
    """The tiles of a data set with full masks."""

    def __init__(self, data: Path, pore_label: int) -> None:
        self._data, self._pore = data, pore_label

    def image(self, name: str) -> Path:
        """Its file."""
        return self._data / "images" / f"{name}.png"

    def truth(self, name: str) -> np.ndarray:
        """1 in pores, 0 elsewhere, (H, W), uint8."""
        label = np.asarray(Image.open(self._data / "labels" / f"{name}.png"))
        return (label == self._pore).astype(np.uint8)

    def names(self, pattern: str) -> list[str]:
        """Those whose names a regular expression finds."""
        return sorted(path.stem for path in (self._data / "images").glob("*.png") if re.search(pattern, path.stem))


def dice(predict: Predict, tiles: Tiles, names: Sequence[str]) -> float:
    """Pooled over tiles."""
    both = found = there = 0
    for name in names:
        predicted, truth = predict(tiles.image(name)), tiles.truth(name) == 1
        both, found, there = both + (predicted & truth).sum(), found + predicted.sum(), there + truth.sum()
    return float(2 * both / max(1, found + there))


def write_set(folder: Path, labels: dict[Path, np.ndarray]) -> None:
    """A data set of tiles with strokes."""
    for name in ("images", "labels"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for path, label in labels.items():
        link = folder / "images" / path.name
        if not link.exists():
            link.symlink_to(path.resolve())
        Image.fromarray(label).save(folder / "labels" / path.name)
    write_text(folder / "phases.csv", f"value,phase\n1,pore\n0,rest\n{UNLABELLED},unlabelled\n")


def trained(
    folder: Path, labels: dict[Path, np.ndarray], start: Path | None, seed: int, given: Sequence[str]
) -> Predict:
    """A network that `vlsenet train` makes of labels."""
    best = folder / "run" / "checkpoints" / "best.pt"
    if not best.is_file():
        write_set(folder / "set", labels)
        command = [
            sys.executable,
            "-m",
            "pipeline.cli",
            "train",
            str(folder / "set"),
            "--output_dir",
            str(folder / "run"),
        ]
        command += ["--set", f"seed={seed}", *given, *(["--start_from", str(start)] if start else [])]
        command += ["--resume"] if (folder / "run").is_dir() else []
        subprocess.run(command, check=True)
    return network_of(load_model(str(best)))


class Benchmark:
    """All arms on the same tiles."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._given = options
        self._tiles = Tiles(options.data, options.pore_label)
        self._scored = self._tiles.names(options.score_on)
        self._start = load_model(model_named(str(options.start_from)))
        known = set(self._start.data["train_images"])
        leaked = [name for name in self._scored if sha256_of(self._tiles.image(name)) in known]
        if leaked:
            raise UserError(
                f"--start_from {options.start_from}: it was trained on {leaked[0]} and {len(leaked) - 1} more of the "
                "tiles that are scored; give a model that was trained without them"
            )

    def _full(self) -> dict[Path, np.ndarray]:
        return {self._tiles.image(name): self._tiles.truth(name) for name in self._given.tiles}

    def _learn(self, arm: str, folder: Path, labels: dict[Path, np.ndarray], seed: int) -> Predict:
        if arm == "forest":
            return forest_of(labels, plain_features, seed)
        if arm == "features":
            return forest_of(labels, network_features(self._start), seed)
        start = None if arm == "scratch" else self._start.path
        return trained(folder, labels, start, seed, self._given.train)

    def _rounds(self, arm: str, way: str, seed: int) -> None:
        """Score one arm for each share. The first strokes are the same for all ways, and are learned once."""
        shares = self._given.shares
        folders = [
            self._given.output / f"{arm}_{way if place else FIRST}_{seed}_{shares[place]:g}"
            for place in range(len(shares))
        ]
        if all((folder / SCORE).is_file() for folder in folders):
            return
        draw = np.random.default_rng(seed)
        labels: dict[Path, np.ndarray] = {}
        predict: Predict | None = None
        for place, (share, folder) in enumerate(zip(shares, folders, strict=True)):
            for path, truth in self._full().items():
                if way == "random" or predict is None:
                    own = np.random.default_rng([seed, *path.name.encode()])  # the same beginning: strokes add up
                    labels[path] = stroked(truth, share, own)
                else:
                    wrong = predict(path) != (truth == 1)
                    labels[path] = CORRECTIONS[way](truth, labels[path], wrong, share, draw)
            if way == "random" and (folder / SCORE).is_file():
                continue
            predict = self._learn(arm, folder, labels, seed)
            self._score(folder, predict, arm=arm, way=way if place else FIRST, seed=seed, share=share)

    def _score(self, folder: Path, predict: Predict, **row: object) -> None:
        if not (folder / SCORE).is_file():
            folder.mkdir(parents=True, exist_ok=True)
            write_text(folder / SCORE, json.dumps({**row, "dice": dice(predict, self._tiles, self._scored)}))

    def run(self) -> None:
        """Score what is left of all arms, ways and seeds."""
        for seed in self._given.seeds:
            for arm in self._given.arms:
                folder = self._given.output / f"{arm}_{seed}"
                if arm == "all":
                    self._score(
                        folder, self._learn(arm, folder, self._full(), seed), arm=arm, way="", seed=seed, share=1.0
                    )
                elif arm == "none":
                    self._score(folder, network_of(self._start), arm=arm, way="", seed=seed, share=0.0)
                else:
                    for way in self._given.ways:
                        self._rounds(arm, way, seed)


def scores_in(folder: Path) -> pd.DataFrame:
    """All that was scored so far, a row for each training."""
    rows = [json.loads(file.read_text(encoding="utf-8")) for file in sorted(folder.glob(f"*/{SCORE}"))]
    return pd.DataFrame(rows).sort_values(["arm", "way", "share", "seed"], ignore_index=True)


def draw(table: pd.DataFrame, path: Path) -> None:
    """The curves: mean over the seeds, and their range."""
    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(6, 4))
    painted = table[~table["arm"].isin(WITHOUT_STROKES)]
    colours = dict(zip(painted["arm"].unique(), pyplot.rcParams["axes.prop_cycle"].by_key()["color"], strict=False))
    for (arm, way), rows in painted[painted["way"] != FIRST].groupby(["arm", "way"], sort=False):
        first = painted[(painted["arm"] == arm) & (painted["way"] == FIRST)]
        shares = pd.concat([first, rows]).groupby("share")["dice"].agg(["mean", "min", "max"])
        line = {"random": "--", "ranked": "-", "regions": ":"}[way]
        axes.plot(100 * shares.index, shares["mean"], line, marker=".", color=colours[arm], label=f"{arm}, {way}")
        axes.fill_between(100 * shares.index, shares["min"], shares["max"], color=colours[arm], alpha=0.1)
    for arm, text, line in (("all", "all labels", ":"), ("none", "before any stroke", "-.")):
        if (whole := table[table["arm"] == arm]["dice"]).size:
            axes.axhline(whole.mean(), color="0.4", linestyle=line, label=text)
    axes.set(xlabel="labelled pixels (%)", ylabel="Dice on other tiles", xscale="log")
    shares = sorted(painted["share"].unique())
    axes.set_xticks([100 * share for share in shares], [f"{100 * share:g}" for share in shares])
    axes.minorticks_off()
    axes.legend(fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5))
    figure.savefig(path, dpi=150, bbox_inches="tight")


def main() -> None:
    """Run what is left, and write the table and the curves."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path)
    parser.add_argument("--data", type=Path, required=True, help="data set with full masks, PNG")
    parser.add_argument("--pore_label", type=int, default=2)
    parser.add_argument("--tiles", nargs="+", required=True, help="names of the tiles that are painted on")
    parser.add_argument("--score_on", required=True, help="regular expression for the tiles that are scored")
    parser.add_argument("--start_from", type=Path, required=True, help="model that knows none of the scored tiles")
    parser.add_argument("--shares", type=float, nargs="+", default=[0.0025, 0.005, 0.01, 0.02])
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=list(ARMS))
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--train", nargs=argparse.REMAINDER, default=[], help="last: further options of vlsenet train")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    try:
        Benchmark(options).run()
    except UserError as error:
        sys.exit(f"error: {error}")
    table = scores_in(options.output)
    table.to_csv(options.output / "strokes.csv", index=False)
    draw(table, options.output / "strokes.png")
    print(table.pivot_table("dice", ["arm", "way"], "share").round(3).to_string())


if __name__ == "__main__":
    main()
