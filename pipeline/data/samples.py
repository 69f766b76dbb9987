"""A checked list of images with labels, sources and splits, and what identifies it."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.data.problems import Problem
from pipeline.data.splits import SPLITS
from pipeline.errors import UserError
from pipeline.images import read_image, read_label


@dataclass(frozen=True)
class Sample:
    """One image with its label.

    Attributes:
        name: The stem of both files.
        image: The image file.
        label: The label file.
        source: The micrograph (or specimen) that it is a part of.
        split: train, val or test.
        prompt: Its own text, where there is one.
        shape: (H, W) of what is imaged, pixels; the files may have an info bar below it.
        porosity: Share of pore pixels in the label, 0 to 1.
        image_sha256: Of the image file's bytes.
        label_sha256: Of the label file's bytes.
    """

    name: str
    image: Path
    label: Path
    source: str
    split: str
    prompt: str | None
    shape: tuple[int, int]
    porosity: float
    image_sha256: str
    label_sha256: str

    def read_image(self) -> np.ndarray:
        """Grey values (H, W), without an info bar; as `pipeline.images.read_image`."""
        return read_image(self.image)[: self.shape[0]]

    def read_label(self) -> np.ndarray:
        """Classes (H, W), without an info bar; as `pipeline.images.read_label`."""
        return read_label(self.label)[: self.shape[0]]

    @property
    def pixels(self) -> int:
        """Number of pixels."""
        return self.shape[0] * self.shape[1]

    @property
    def pore_pixels(self) -> int:
        """Number of pore pixels in the label."""
        return round(self.porosity * self.pixels)


@dataclass(frozen=True)
class DatasetIndex:
    """All usable samples of a data set, sorted by name.

    Attributes:
        root: The data set's folder, absolute.
        samples: The samples of all splits.
        pore_label: The label value that means pore; None where nobody had to know, and porosities are 0.
        notes: What the log should say: how it was split, what was passed over.
        skipped: What `skip_bad` left out, and why.
    """

    root: Path
    samples: tuple[Sample, ...]
    pore_label: int | None
    notes: tuple[str, ...] = ()
    skipped: tuple[Problem, ...] = ()

    def select(self, split: str) -> list[Sample]:
        """Return the samples of one split.

        Raises:
            UserError: There are none.
        """
        chosen = [sample for sample in self.samples if sample.split == split]
        if not chosen:
            count = Counter(sample.split for sample in self.samples)
            there = ", ".join(f"{s} ({count[s]} images)" for s in SPLITS if count[s])
            raise UserError(f"{self.root}: no image is in the split '{split}'; existing splits: {there}")
        return chosen

    def fingerprint(self) -> dict[str, Any]:
        """Return what identifies the data, to be kept with a trained model; made of JSON's types.

        Keys: `hash` (short, over all that follows), `pore_label`, `splits` (images, sources, pixels, pore pixels
        and porosity for each) and `files` (name, source, split, hashes, shape, pixels and pore pixels for each).
        No path is in it, so a copy of the folder elsewhere has the same fingerprint.
        """
        files = [
            {
                "name": sample.name,
                "source": sample.source,
                "split": sample.split,
                "image_sha256": sample.image_sha256,
                "label_sha256": sample.label_sha256,
                "prompt": sample.prompt,
                "shape": list(sample.shape),
                "pixels": sample.pixels,
                "pore_pixels": sample.pore_pixels,
            }
            for sample in self.samples
        ]
        content = {"pore_label": self.pore_label, "splits": split_totals(self.samples), "files": files}
        text = json.dumps(content, sort_keys=True, ensure_ascii=True)
        return {"hash": hashlib.sha256(text.encode()).hexdigest()[:16], **content}


def split_totals(samples: Sequence[Sample]) -> dict[str, dict[str, Any]]:
    """Return images, sources, pixels, pore pixels and porosity of each split that has samples."""
    totals: dict[str, dict[str, Any]] = {}
    for split in SPLITS:
        members = [sample for sample in samples if sample.split == split]
        if members:
            pixels, pore = sum(s.pixels for s in members), sum(s.pore_pixels for s in members)
            totals[split] = {
                "images": len(members),
                "sources": len({sample.source for sample in members}),
                "pixels": pixels,
                "pore_pixels": pore,
                "porosity": pore / pixels,
            }
    return totals
