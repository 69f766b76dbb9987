"""What does another text change: all logits alike, which is a shift of the threshold, or the picture?

    python benchmarks/text_effect.py --checkpoint runs/*/checkpoints/best.pt --image scan.tif

Compares the logits of an image under the model's own text with those under other texts: those of `vlsenet audit` (a
learned text prior is removed from the network, and random features or zeros replace it). Statistics are pinned to
the image, as at inference; BORDER px of it are left out.

shift      mean difference of the logits
picture    spread of the difference over the pixels, relative to the logits' own spread
flips      share of the mask's pixels that change once the shift is taken off
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd
import torch
from _micrograph import normalised
from torch import nn

from pipeline.images import read_image
from pipeline.networks import pin_statistics
from pipeline.text import DEFAULT_PROMPT, TextFeatures
from pipeline.workflows import load_model
from pipeline.workflows.audit_conditions import text_conditions

BORDER = 128
SIDE = 1024


def logits_under(network: nn.Module, image: torch.Tensor, features: TextFeatures) -> torch.Tensor:
    """Logits (H - 2 BORDER, W - 2 BORDER) of an image (1, H, W) under a text."""
    inputs = image[None], features.text[None], features.tokens[None]
    with torch.no_grad():
        logits: torch.Tensor = pin_statistics(network, *inputs)(*inputs)[0, 0]
    return logits[BORDER:-BORDER, BORDER:-BORDER]


def compare(own: torch.Tensor, other: torch.Tensor, threshold: float) -> dict[str, float]:
    """Shift, picture and flips of the logits under another text."""
    difference = other - own
    shift = difference.mean()
    cut = torch.logit(torch.tensor(threshold))
    flips = ((other - shift > cut) != (own > cut)).float().mean()
    return {"shift": float(shift), "picture": float(difference.std() / own.std()), "flips": float(flips)}


def measure(checkpoint: Path, image_path: Path) -> list[dict[str, object]]:
    """A row for each other text."""
    model = load_model(str(checkpoint))
    image = normalised(read_image(image_path))[:, :SIDE, :SIDE]
    if min(image.shape[1:]) < 3 * BORDER:
        raise SystemExit(f"{image_path}: it is too small; each side needs at least {3 * BORDER} px")
    item = {"name": image_path.stem, "prompt": DEFAULT_PROMPT}
    conditions = text_conditions(model, [item])
    maps = {c.name: logits_under(model.network, image, c.features(item)) for c in conditions if c.features}
    own = maps.pop("own")
    return [
        {"checkpoint": str(checkpoint), "text": name, **compare(own, other, model.threshold)}
        for name, other in maps.items()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, nargs="+", required=True, help="best.pt of trainings of VLSE-Net")
    parser.add_argument("--image", type=Path, required=True)
    options = parser.parse_args()
    rows = [row for checkpoint in options.checkpoint for row in measure(checkpoint, options.image)]
    print(pd.DataFrame(rows).to_string(index=False, float_format=lambda value: f"{value:.3g}"))


if __name__ == "__main__":
    main()
