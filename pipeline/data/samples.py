"""A checked list of images with labels, sources and splits, and what identifies it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.data.fingerprints import hash_of
from pipeline.data.problems import Problem
from pipeline.data.splits import SPLITS, SplitRow
from pipeline.errors import UserError
from pipeline.images import read_image, read_label
from pipeline.images.rectangles import Roi, Rows
from pipeline.phases import PORE, LabelValues, Phase, united
from pipeline.wording import some_of


@dataclass(frozen=True)
class Sample:
    """One image with its label, or a part of it.

    Attributes:
        name: The stem of both files; of a part, with the split behind it.
        image: The image file.
        label: The label file.
        source: The micrograph (or specimen) that it is a part of.
        split: train, val or test.
        prompt: Its own text, where there is one.
        shape: (H, W) of what is imaged, pixels; the files may have an info bar below or above it.
        values: What the label's values mean, as in all of its data set.
        labelled: Pixels of which it is known what they are.
        phase_pixels: Labelled pixels of each phase that its data set names, in the data set's order.
        image_sha256: Of the image file's bytes.
        label_sha256: Of the label file's bytes.
        dataset: The name of its data set, which tells several apart.
        part: What of the image it is, without its info bar; None for all of it.
        imaged: Rows of the image file that its image is; None: those from the first on.
    """

    name: str
    image: Path
    label: Path
    source: str
    split: str
    prompt: str | None
    shape: tuple[int, int]
    values: LabelValues
    labelled: int
    phase_pixels: Mapping[str, int]
    image_sha256: str
    label_sha256: str
    dataset: str = ""
    part: Roi | None = None
    imaged: Rows | None = None

    @property
    def rows(self) -> Rows:
        """Rows of the image file that are imaged, which it is, or is a part of."""
        return Rows(0, self.shape[0]) if self.imaged is None else self.imaged

    def read_image(self) -> np.ndarray:
        """Grey values (H, W), without an info bar; as `pipeline.images.read_image`."""
        return self._own(read_image(self.image))

    def read_label(self) -> np.ndarray:
        """Label values (H, W), without an info bar; as `pipeline.images.read_label`."""
        return self._own(read_label(self.label))

    def read_codes(self, names: Sequence[str] | None = None) -> np.ndarray:
        """Codes (H, W), uint8, of the label: the phase's number from 1, 0 for none, 255 where not known.

        Args:
            names: Of phases, whose order gives the numbers, such as a model's; None: those of its data set.
        """
        return self.values.codes(self.read_label(), names)

    def _own(self, pixels: np.ndarray) -> np.ndarray:
        """Its part of all pixels of a file."""
        height, width = self.shape
        top, left = (0, 0) if self.part is None else (self.part.y, self.part.x)
        if self.imaged is not None and len(pixels) != self.imaged.number:  # a label may be drawn without the bar
            top += self.imaged.first
        return pixels[top : top + height, left : left + width]

    @property
    def split_row(self) -> SplitRow:
        """What `split.csv` says of it."""
        stem = self.name if self.part is None else self.name.removesuffix(f"_{self.split}")
        return SplitRow(stem, self.source, self.split, "" if self.part is None else str(self.part))

    @property
    def pixels(self) -> int:
        """Number of pixels."""
        return self.shape[0] * self.shape[1]

    @property
    def areas(self) -> dict[str, float]:
        """Share of each phase in the labelled pixels, 0 to 1."""
        return {name: pixels / self.labelled if self.labelled else 0.0 for name, pixels in self.phase_pixels.items()}

    @property
    def porosity(self) -> float:
        """Share of the phase pore in the labelled pixels, 0 to 1; 0 where it is not among the phases."""
        return self.areas.get(PORE, 0.0)

    @property
    def pore_pixels(self) -> int:
        """Number of pore pixels in the label."""
        return self.phase_pixels.get(PORE, 0)


@dataclass(frozen=True)
class DatasetIndex:
    """All usable samples of a data set, or of several; those of each data set sorted by name.

    Attributes:
        roots: The data sets' folders, absolute.
        samples: The samples of all splits.
        values: What the values in each data set's labels mean; no phases where nobody had to know.
        notes: What the log should say: how it was split, what was passed over.
        skipped: What `skip_bad` left out, and why.
    """

    roots: tuple[Path, ...]
    samples: tuple[Sample, ...]
    values: tuple[LabelValues, ...]
    notes: tuple[str, ...] = ()
    skipped: tuple[Problem, ...] = ()

    @property
    def place(self) -> str:
        """The folders, as messages name them."""
        return some_of([str(root) for root in self.roots])

    @property
    def phases(self) -> tuple[Phase, ...]:
        """The phases of all data sets, each once, in order of appearance."""
        return united(values.phases for values in self.values)

    @property
    def pore_label(self) -> int | None:
        """The label value that means pore; None where there is none, or several."""
        labels = {values.pore_label for values in self.values if PORE in values.names}
        return labels.pop() if len(labels) == 1 else None

    @property
    def one_micrograph(self) -> bool:
        """Whether parts of one micrograph are in two splits, so that it is no other one that validates."""
        return any(sample.part is not None for sample in self.samples)

    def select(self, split: str) -> list[Sample]:
        """Return the samples of one split.

        Raises:
            UserError: There are none.
        """
        chosen = [sample for sample in self.samples if sample.split == split]
        if not chosen:
            count = Counter(sample.split for sample in self.samples)
            there = ", ".join(f"{s} ({count[s]} images)" for s in SPLITS if count[s])
            raise UserError(f"{self.place}: no image is in the split '{split}'; existing splits: {there}")
        return chosen

    def fingerprint(self) -> dict[str, Any]:
        """Return what identifies the data, to be kept with a trained model; made of JSON's types.

        Keys: `hash` (short, over all that follows but sentences, which are asked or not), `pore_label`, `splits`
        (images, sources, pixels, pore pixels and porosity for each) and `files` (name, source, split, hashes, sentence,
        shape, pixels and pore pixels for each). `pipeline.data.fingerprints` compares two.
        Where there is more than pore and rock, also `values` (what those of each data set mean), and for each split
        and file the labelled pixels and those of each phase.
        No path is in it, so a copy of the folder elsewhere has the same fingerprint.
        """
        content: dict[str, Any] = {
            "pore_label": self.pore_label,
            "splits": split_totals(self.samples),
            "files": [self._identity(sample) for sample in self.samples],
        }
        if not self._only_pores:
            content["values"] = [values.to_dict() for values in self.values]
        return {"hash": hash_of(content), **content}

    @property
    def _only_pores(self) -> bool:
        """Whether it is one data set without named phases, whose fingerprint is that of earlier versions."""
        return len(self.values) == 1 and (not self.values[0].phases or self.values[0].pores_only)

    def _identity(self, sample: Sample) -> dict[str, Any]:
        """What identifies one sample."""
        identity: dict[str, Any] = {
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
        if sample.part is not None:
            identity["part"] = list(sample.part)
        if not self._only_pores:
            identity |= {"labelled": sample.labelled, "phase_pixels": dict(sample.phase_pixels)}
            identity["values"] = self.values.index(sample.values)
        return identity


def split_totals(samples: Sequence[Sample]) -> dict[str, dict[str, Any]]:
    """Return images, sources, pixels, pore pixels and porosity of each split that has samples.

    Where there is more than pore and rock, also the labelled pixels and `areas`, the share of each phase in those of
    the data sets that name it.
    """
    more = not all(sample.values.pores_only or not sample.values.phases for sample in samples)
    totals: dict[str, dict[str, Any]] = {}
    for split in SPLITS:
        members = [sample for sample in samples if sample.split == split]
        if members:
            pixels, pore = sum(s.pixels for s in members), sum(s.pore_pixels for s in members)
            of_pores = sum(s.labelled for s in members if PORE in s.phase_pixels)
            totals[split] = {
                "images": len(members),
                "sources": len({sample.source for sample in members}),
                "pixels": pixels,
                "pore_pixels": pore,
                "porosity": pore / of_pores if of_pores else 0.0,
            }
            if more:
                totals[split] |= {"labelled": sum(s.labelled for s in members), "areas": areas_of(members)}
    return totals


def areas_of(samples: Sequence[Sample]) -> dict[str, float]:
    """Share of each phase in the labelled pixels of the samples whose data set names it, 0 to 1."""
    pixels, labelled = Counter[str](), Counter[str]()
    for sample in samples:
        for name, count in sample.phase_pixels.items():
            pixels[name] += count
            labelled[name] += sample.labelled
    return {name: pixels[name] / labelled[name] if labelled[name] else 0.0 for name in labelled}
