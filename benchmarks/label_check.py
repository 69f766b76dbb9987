"""How often the label check finds planted errors, and how often it doubts masks that were left alone.

python benchmarks/label_check.py --dataset_dir ../shared/data/nankai --pore_label 2
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from pathlib import Path

import numpy as np
from scipy.ndimage import affine_transform

from pipeline.data import index_dataset
from pipeline.data.label_fit import doubt_kind, fit_label


def planted(mask: np.ndarray) -> dict[str, np.ndarray]:
    """A mask (H, W) with each of the errors, by its name."""
    height, width = mask.shape
    one = np.eye(2)

    def warped(matrix: np.ndarray, offset: tuple[float, float] = (0.0, 0.0)) -> np.ndarray:
        return affine_transform(mask.astype(np.uint8), matrix, offset, order=0) > 0

    errors = {"none": mask}
    for shift in (3, 5, 10):
        errors[f"shift of {shift} px down"] = warped(one, (-shift, 0))
        errors[f"shift of {shift} px left"] = warped(one, (0, shift))
    for drift in (4, 6, 10):
        errors[f"sideways drift from 0 px at the top to {drift} px at the bottom"] = warped(
            np.array([[1, 0], [-drift / height, 1]])
        )
        errors[f"vertical drift from 0 px at the top to {drift} px at the bottom"] = warped(
            np.array([[1 - drift / height, 0], [0, 1]])
        )
    scale = 1 / 1.02
    errors["stretch of 2 % about the centre"] = warped(
        one * scale, ((height - 1) / 2 * (1 - scale), (width - 1) / 2 * (1 - scale))
    )
    errors["stretch of 2 % about the corner"] = warped(one * scale)
    errors["inverted"] = ~mask
    errors["upside down"] = mask[::-1]
    return errors


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset_dir", type=Path, required=True, help="folder with images/ and labels/")
    parser.add_argument("--pore_label", type=int, help="label value that means pore")
    options = parser.parse_args()
    index = index_dataset(options.dataset_dir, pore_label=options.pore_label, divide=False)
    kinds: dict[str, Counter[str | None]] = {}
    used = 0.0
    for sample in index.samples:
        image, mask = sample.read_image(), sample.read_label() == index.pore_label
        for name, wrong in planted(mask).items():
            start = time.process_time()
            fit = fit_label(image, wrong)
            used += time.process_time() - start
            kinds.setdefault(name, Counter())[doubt_kind(fit) if fit else None] += 1
    count = len(index.samples)
    print("| planted | doubted | as |\n|---|---:|---|")
    for name, found in kinds.items():
        doubts = ", ".join(f"{kind} {n}" for kind, n in found.most_common() if kind)
        print(f"| {name} | {count - found[None]} of {count} | {doubts} |")
    print(f"\n{1000 * used / (count * len(kinds)):.0f} ms of processor time for each mask")


if __name__ == "__main__":
    main()
