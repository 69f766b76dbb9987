"""Same pixel, same answer? Compares two shifted tilings of an image, for each checkpoint and way of statistics.

    python benchmarks/seams.py --checkpoint runs/*/checkpoints/best.pt --image scan.tif

Every pixel is taken from the tile in whose middle it lies, with no blending, at least HALO px from the tile's border;
pixels within HALO of the image's own border are left out. The second tiling is shifted by SHIFT px, a multiple of 16
(other shifts pool other blocks of pixels, which no halo fixes).
"""

from __future__ import annotations

import argparse
import itertools
from pathlib import Path

import pandas as pd
import torch
from _micrograph import normalised
from torch import nn

from pipeline.engine.certificate import Seam
from pipeline.engine.pinned_network import SIDE, STATISTICS, TILES, pinned, rock_tiles
from pipeline.foreground.measurement import Foreground
from pipeline.images import read_image
from pipeline.images.volume import volume_of_array
from pipeline.networks.inputs import STRIDE
from pipeline.text import DEFAULT_PROMPT
from pipeline.tiling.chunk_plan import ChunkPlan
from pipeline.tiling.windows import Windows
from pipeline.workflows import load_model


def tiled(
    network: nn.Module, image: torch.Tensor, text: dict[str, torch.Tensor], tile: int, halo: int, shift: int
) -> torch.Tensor:
    """Probability (H, W) of an image (1, H, W), from tiles that start at `shift`; NaN where no tile's middle lies."""
    height, width = image.shape[1:]
    probability = torch.full((height, width), float("nan"))
    middle = slice(halo, tile - halo)
    starts = [range(shift, side - tile + 1, tile - 2 * halo) for side in (height, width)]
    for top, left in itertools.product(*starts):
        with torch.no_grad():
            logits = network(image[None, :, top : top + tile, left : left + tile], **text)[0, 0]
        part = probability[top : top + tile, left : left + tile]
        part[middle, middle] = logits.sigmoid()[middle, middle]
    return probability


def measure(checkpoint: Path, image_path: Path, tile: int, halos: list[int], shift: int) -> list[dict[str, object]]:
    """A row for each way of statistics and each halo."""
    model = load_model(str(checkpoint))
    raw = read_image(image_path)
    image = normalised(raw)
    height, width = image.shape[1:]
    if min(height, width) < tile + shift:
        raise SystemExit(f"{image_path}: it is {width} x {height} px, but at least {tile + shift} px are needed")
    features = model.text.get(DEFAULT_PROMPT)
    with volume_of_array(raw, str(image_path)) as volume:
        windows = Windows(ChunkPlan(*volume.shape), 0)
        foreground = Foreground.measured(volume, windows, skip_empty=True, flatten_shading=True)
        tiles = torch.from_numpy(rock_tiles(volume, windows, foreground, SIDE, TILES))
    of_image = pinned(model.network, tiles, features, "float32")
    text = {"text": features.text[None], "tokens": features.tokens[None]}
    rows: list[dict[str, object]] = []
    for way, halo in itertools.product(STATISTICS, halos):
        network = of_image if way == "micrograph" else model.network
        maps = [tiled(network, image, text, tile, halo, start) for start in (0, shift)]
        settings = {name: model.network_settings[name] for name in ("network", "norm")}
        seam = Seam.between(*(one[None] for one in maps), model.thresholds)
        rows.append({"checkpoint": str(checkpoint), **settings, "statistics": way, "halo": halo, **vars(seam)})
    return rows


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, nargs="+", required=True, help="best.pt of trainings")
    parser.add_argument("--image", type=Path, required=True, help="an image larger than several tiles")
    parser.add_argument("--tile", type=int, default=512, help="side of a tile (px)")
    parser.add_argument(
        "--halo", type=int, nargs="+", default=[32, 64, 128], help="border of a tile that is not used (px)"
    )
    parser.add_argument("--shift", type=int, default=64, help="shift between the two tilings (px)")
    parser.add_argument("--output", type=Path, help="also write the table as CSV")
    options = parser.parse_args()
    if any(number % STRIDE for number in (options.tile, options.shift, *options.halo)):
        parser.error(f"--tile, --halo and --shift must be multiples of {STRIDE}")
    for step in (options.tile - 2 * halo for halo in options.halo):
        if step <= 0 or options.shift % step == 0:
            parser.error(
                f"tiles of {options.tile} px keep a middle of {step} px: it must be above 0, and --shift must not be "
                "a multiple of it, or both tilings are the same"
            )
    rows: list[dict[str, object]] = []
    for checkpoint in options.checkpoint:
        rows += measure(checkpoint, options.image, options.tile, options.halo, options.shift)
    table = pd.DataFrame(rows)
    print(table.to_string(index=False, float_format=lambda value: f"{value:.2g}"))
    if options.output:
        table.to_csv(options.output, index=False)


if __name__ == "__main__":
    main()
