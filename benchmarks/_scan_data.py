"""What the benchmark of whole scans segments, and what with: synthetic scans of any size, untrained models."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import tifffile
import torch

from pipeline.data import DatasetIndex
from pipeline.networks import build_network
from pipeline.phases import LabelValues
from pipeline.synthetic import generate
from pipeline.text import DEFAULT_PROMPT, build_text_source, build_text_store
from pipeline.workflows import model_content
from pipeline.workflows.scan.results import STORE

#: sides of the images that a scan is made of, and of the tiles of its file (px)
IMAGE, TILE = 1024, 512
_IMAGES = 3
#: widths of a network that costs next to nothing
TINY = (4, 4, 4, 4, 4)


def write_scan(path: Path, side: int, seed: int = 0) -> None:
    """Write a synthetic scan (side x side px) as a tiled TIFF, a tile at a time.

    A few images are set side by side, each turned and mirrored at random.
    """
    images = [generate((IMAGE, IMAGE), seed=seed + number).image for number in range(_IMAGES)]
    random = np.random.default_rng(seed)
    count = -(-side // IMAGE)
    chosen = random.integers(0, (_IMAGES, 4, 2), (count, count, 3))

    def tiles() -> Iterator[np.ndarray]:
        for y in range(0, side, TILE):
            for x in range(0, side, TILE):
                number, turns, mirrored = chosen[y // IMAGE, x // IMAGE]
                image = np.rot90(images[number], turns)
                image = image[:, ::-1] if mirrored else image
                yield np.ascontiguousarray(image[y % IMAGE :, x % IMAGE :][:TILE, :TILE])

    tifffile.imwrite(
        path,
        tiles(),
        shape=(side, side),
        dtype=np.uint8,
        tile=(TILE, TILE),
        compression="zlib",
        compressionargs={"level": 1},
        bigtiff=side**2 > 2**31,
    )


def write_model(
    path: Path, network: str = "vlsenet", features: Sequence[int] | None = None, reach: int | None = None
) -> None:
    """Write a model file with untrained weights: the small preset, or of the widths given."""
    torch.manual_seed(0)
    source = build_text_source("learned")
    learned = network == "vlsenet"
    settings = {"network": network, "text_dim": source.dim, "norm": "instance", "learned_text": learned, "reach": reach}
    if features is not None:
        settings["features"] = list(features)
    made = build_network(**settings)
    data = DatasetIndex((path.parent,), (), (LabelValues.of_pore(1),))
    store = build_text_store(source, [DEFAULT_PROMPT])
    torch.save(model_content(made, settings, store, data, {"val_threshold": 0.5}), path)


def hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of each file of a segmentation whose bytes may not depend on how often it was interrupted.

    The store but for its attributes, which hold the mark of the run; porosity; and the picture.
    """
    store = folder / STORE
    files = [file for file in store.rglob("*") if file.is_file() and file.name != ".zattrs"]
    files += [folder / name for name in ("porosity.json", "porosity_fields.csv", "overview.png")]
    return {str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}
