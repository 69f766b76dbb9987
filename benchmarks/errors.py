"""Where do the wrong pixels lie, and what Dice could a network reach at all with such labels?

    python benchmarks/errors.py runs/*/checkpoints/best.pt --dataset_dir nankai --pore_label 2

For each checkpoint, on the images of each of `--splits`, by default those that it was trained on and the validation
images, each window once, at the threshold of the best Dice on these images, or at `--threshold`:

dice             pooled over all pixels
own_threshold    the same with the best threshold of each image: no calibration does better
near_1, near_2   share of the wrong pixels that have one of the other true class within 1 px (2 px)
missed, made_up  share in true pores of which nothing was found, and in found pores of which nothing is true
inside           Dice leaving out all pixels that have one of the other true class within 1 px
area_edges       share of the area that is found too much (below 0: too little) within 2 px of the true edges
area_missed, area_made_up  the same farther from them: what is missed there (below 0), and what is made up

Below, what the labels alone decide: the Dice of the true masks against themselves with every edge moved by a pixel.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from _evaluated import Images, evaluated_images
from scipy import ndimage

from pipeline.metrics import ProbabilityHistogram
from pipeline.metrics.pore_counts import PoreCounts

CORNERS_TOUCH = np.ones((3, 3))
ONE_STEP = ndimage.generate_binary_structure(2, 1)
Mask = np.ndarray


def counts(found: Mask, truth: Mask) -> PoreCounts:
    """Of two masks of equal shape."""
    return PoreCounts.of(torch.from_numpy(found), torch.from_numpy(truth))


def edge_distance(truth: Mask) -> np.ndarray:
    """Distance (px) of each pixel (H, W) to the nearest one of the other class; inf where there is none."""
    if truth.all() or not truth.any():
        return np.full(truth.shape, np.inf)
    return np.where(truth, ndimage.distance_transform_edt(truth), ndimage.distance_transform_edt(~truth))


def outside_of(mask: Mask, other: Mask) -> Mask:
    """The pixels (H, W) of a mask's bodies, connected at corners too, that share no pixel with another mask."""
    bodies, count = ndimage.label(mask, CORNERS_TOUCH)
    shared = np.zeros(count + 1, bool)
    shared[np.unique(bodies[other])] = True
    shared[0] = True
    return ~shared[bodies]


def anatomy(images: Images, threshold: float | None = None) -> dict[str, float]:
    """The row of one checkpoint and split; without a threshold, at that of the best Dice on these images."""
    histograms = [ProbabilityHistogram.of(*image) for image in images]
    if threshold is None:
        threshold = sum(histograms[1:], histograms[0]).best_threshold(1 / 256, 255 / 256)
    pooled = own = inside = PoreCounts()
    wrong = near_1 = near_2 = missed = made_up = 0
    area = {"area_edges": 0, "area_missed": 0, "area_made_up": 0}
    for (probability, label), histogram in zip(images, histograms, strict=True):
        found, truth = probability[0].numpy() >= threshold, label[0].numpy() > 0
        distance, errors = edge_distance(truth), found != truth
        pooled += counts(found, truth)
        own += histogram.counts_at(histogram.best_threshold(1 / 256, 255 / 256))
        inside += counts(found[distance > 1], truth[distance > 1])
        wrong += int(errors.sum())
        near_1 += int((errors & (distance <= 1)).sum())
        near_2 += int((errors & (distance <= 2)).sum())
        missed += int(outside_of(truth, found).sum())
        made_up += int(outside_of(found, truth).sum())
        area["area_edges"] += int((found & (distance <= 2)).sum()) - int((truth & (distance <= 2)).sum())
        area["area_missed"] -= int((errors & truth & (distance > 2)).sum())
        area["area_made_up"] += int((errors & found & (distance > 2)).sum())
    shares = {"near_1": near_1, "near_2": near_2, "missed": missed, "made_up": made_up}
    return {
        "dice": pooled.dice,
        "own_threshold": own.dice,
        **{name: pixels / max(wrong, 1) for name, pixels in shares.items()},
        "inside": inside.dice,
        **{name: pixels / sum(label.numel() for _, label in images) for name, pixels in area.items()},
    }


def moved(images: Images, move: Callable[..., Mask]) -> float:
    """Pooled Dice of the true masks with their edges moved, against the true masks."""
    total = PoreCounts()
    for _, label in images:
        truth = label[0].numpy() > 0
        # beyond the image it continues as at its border
        total += counts(move(np.pad(truth, 1, mode="edge"), ONE_STEP)[1:-1, 1:-1], truth)
    return total.dice


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoints", nargs="+", type=Path)
    parser.add_argument("--dataset_dir", required=True)
    parser.add_argument("--pore_label", type=int, default=None)
    parser.add_argument("--splits", nargs="+", choices=["train", "val", "test"], default=["train", "val"])
    parser.add_argument("--threshold", type=float, default=None)
    arguments = parser.parse_args()
    options = {"dataset_dir": arguments.dataset_dir, "pore_label": arguments.pore_label}
    rows, of_split = [], {}
    for checkpoint in arguments.checkpoints:
        for split in arguments.splits:
            of_split[split] = evaluated_images(checkpoint, split, options)
            rows.append(
                {"checkpoint": str(checkpoint), "split": split, **anatomy(of_split[split], arguments.threshold)}
            )
            print(rows[-1], flush=True)
    print(pd.DataFrame(rows).round(4).to_string(index=False))
    for split, images in of_split.items():
        grown, shrunk = moved(images, ndimage.binary_dilation), moved(images, ndimage.binary_erosion)
        print(f"{split}: true masks one pixel wider: Dice {grown:.4f}; one pixel narrower: {shrunk:.4f}")


if __name__ == "__main__":
    main()
