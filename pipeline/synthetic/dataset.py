"""Write a folder of synthetic SEM images: images, labels, prompts, the truth and a split."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TypeAlias

import numpy as np
from PIL import Image

from pipeline.errors import UserError
from pipeline.files import atomic_path
from pipeline.synthetic.sample import MIN_SIDE, SyntheticSample, generate
from pipeline.synthetic.settings import MAX_POROSITY, SceneSettings

FOLDERS = ("images", "labels", "text")
TABLES = ("truth.csv", "split.csv")
OWN_NAME = re.compile(r"\.?sem_\d{4,}(-[0-9a-f]{12})?\.(png|txt)")
"""What `write_dataset` leaves: its files, and the temporary ones of a run that was killed."""

Range: TypeAlias = tuple[float, float]


@dataclass(frozen=True)
class DatasetSettings:
    """What a synthetic data set varies from image to image; ranges are ``(low, high)``, drawn uniformly.

    Attributes:
        porosity: pore area over imaged area.
        anisotropy: alignment, 0 to 1.
        orientation_deg: preferred direction, degrees.
        scene: everything else; its grain and organic fractions vary by 40 % either way.
    """

    porosity: Range = (0.05, 0.15)
    anisotropy: Range = (0.2, 0.9)
    orientation_deg: Range = (0.0, 180.0)
    scene: SceneSettings = field(default_factory=SceneSettings)

    def __post_init__(self) -> None:
        """Check the ranges.

        Raises:
            UserError: when a range is reversed or leaves what a scene allows.
        """
        limits = {"porosity": (0, MAX_POROSITY), "anisotropy": (0, 1), "orientation_deg": (-360, 360)}
        for name, (lowest, highest) in limits.items():
            low, high = getattr(self, name)
            if not lowest <= low <= high <= highest:
                raise UserError(
                    f"{name} must be a range (low, high) within {lowest:g} to {highest:g}, got ({low:g}, {high:g})"
                )

    def draw(self, rng: np.random.Generator) -> SceneSettings:
        """Draw the settings of one image."""
        return replace(
            self.scene,
            porosity=float(rng.uniform(*self.porosity)),
            anisotropy=float(rng.uniform(*self.anisotropy)),
            orientation_deg=float(rng.uniform(*self.orientation_deg)),
            grain_fraction=min(0.9, float(self.scene.grain_fraction * rng.uniform(0.6, 1.4))),
            organic_fraction=min(0.3, float(self.scene.organic_fraction * rng.uniform(0.6, 1.4))),
        )


def write_dataset(
    output_dir: str | Path,
    count: int,
    shape: tuple[int, int],
    seed: int = 0,
    settings: DatasetSettings | None = None,
    val: float = 0.2,
    test: float = 0.2,
    overwrite: bool = False,
    on_sample: Callable[[str], None] | None = None,
) -> None:
    """Write `count` samples and their tables.

    ``images/NAME.png`` and ``labels/NAME.png`` (0 and 255), ``text/NAME.txt`` (the prompt), ``truth.csv``
    (name, seed, porosity, settings as JSON: what `generate` needs to make the image again) and ``split.csv``
    (name, source, split; every image is its own source). Each file is written beside its name, then renamed.

    Args:
        output_dir: made when it is not there.
        count: number of images.
        shape: ``(H, W)`` in pixels.
        seed: of the whole set; other seeds share no image with it.
        settings: what varies; the defaults when left out.
        val: number of validation images, or their share when below 1.
        test: number of test images, or their share when below 1.
        overwrite: replace a set that this function wrote before.
        on_sample: called with the name after each sample.

    Raises:
        UserError: when a number is out of range, or the folder is not empty and `overwrite` is off,
            or holds files of another origin among the images, labels or texts.
    """
    settings = DatasetSettings() if settings is None else settings
    if min(shape) < MIN_SIDE:
        raise UserError(f"size must be at least {MIN_SIDE} pixels in height and width, got {shape[0]} x {shape[1]}")
    if seed < 0:
        raise UserError(f"seed must not be negative, got {seed}")
    splits = _assign_splits(count, val, test, seed)
    output_dir = Path(output_dir)
    _prepare_folder(output_dir, overwrite)

    truth = [["name", "seed", "porosity", "settings"]]
    for index in range(count):
        name = f"sem_{index + 1:04d}"
        # Hashing (seed, index) keeps sets of neighbouring seeds apart, which seed + index would not.
        sequence = np.random.SeedSequence([seed, index])
        sample_seed = int(sequence.generate_state(1)[0])
        sample = generate(shape, sample_seed, settings.draw(np.random.default_rng(sequence)))
        _write_sample(output_dir, name, sample)
        settings_json = json.dumps(asdict(sample.settings))
        truth.append([name, str(sample_seed), repr(sample.porosity), settings_json])
        if on_sample is not None:
            on_sample(name)
    _write_table(output_dir / "truth.csv", truth)
    rows = [[row[0], row[0], split] for row, split in zip(truth[1:], splits, strict=True)]
    _write_table(output_dir / "split.csv", [["name", "source", "split"], *rows])


def _assign_splits(count: int, val: float, test: float, seed: int) -> list[str]:
    """Draw the split of each image; at least one image stays for training."""
    if count < 1:
        raise UserError(f"count must be at least 1, got {count}")
    numbers = {}
    for name, amount in (("val", val), ("test", test)):
        if amount < 0 or (amount >= 1 and amount != int(amount)):
            raise UserError(f"{name} must be a whole number of images or a share below 1, got {amount:g}")
        numbers[name] = int(amount) if amount >= 1 else round(amount * count)
    train = count - sum(numbers.values())
    if train < 1:
        raise UserError(
            f"{numbers['val']} validation and {numbers['test']} test images leave none of {count} "
            "for training: raise count, or lower val or test"
        )
    splits = ["train"] * train + ["val"] * numbers["val"] + ["test"] * numbers["test"]
    return [splits[i] for i in np.random.default_rng(seed).permutation(count)]


def _prepare_folder(output_dir: Path, overwrite: bool) -> None:
    """Make the folders; clear out an earlier set where `overwrite` allows it."""
    if output_dir.exists() and not output_dir.is_dir():
        raise UserError(f"{output_dir} is a file, not a folder: choose another output folder")
    if output_dir.is_dir() and any(output_dir.iterdir()) and not overwrite:
        raise UserError(f"{output_dir} is not empty: choose another folder, or --overwrite the synthetic set in it")
    present = [path for name in FOLDERS for path in sorted((output_dir / name).glob("*"))]
    foreign = [path for path in present if not OWN_NAME.fullmatch(path.name)]
    if foreign:
        raise UserError(f"{foreign[0]} was not written by this command ({len(foreign)} such): choose another folder")
    try:
        # The tables go first: an interrupted run must not leave a table that names missing files.
        for path in [*(output_dir / name for name in TABLES), *present]:
            path.unlink(missing_ok=True)
        for name in FOLDERS:
            (output_dir / name).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot write into {output_dir}: {error.strerror}") from error


def _write_sample(output_dir: Path, name: str, sample: SyntheticSample) -> None:
    """Write image, label and prompt."""
    for folder, pixels in (("images", sample.image), ("labels", sample.label * np.uint8(255))):
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, format="PNG")
        _write(output_dir / folder / f"{name}.png", buffer.getvalue())
    _write(output_dir / "text" / f"{name}.txt", (sample.prompt + "\n").encode())


def _write_table(path: Path, rows: list[list[str]]) -> None:
    """Write a CSV file with Unix line ends."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    _write(path, text.getvalue().encode())


def _write(path: Path, content: bytes) -> None:
    """Write a whole file or none."""
    try:
        with atomic_path(path) as temporary:
            temporary.write_bytes(content)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}") from error
