"""Write a folder of synthetic SEM images: images, labels, the truth and a split, and sentences if asked for."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TypeAlias

import numpy as np
from PIL import Image
from skimage.measure import label as connected_components
from skimage.measure import regionprops_table

from pipeline.csv_tables import write_csv_rows
from pipeline.errors import UserError
from pipeline.files import atomic_path
from pipeline.synthetic.looks import any_look
from pipeline.synthetic.sample import MIN_SIDE, PHASES, SyntheticSample, generate
from pipeline.synthetic.scene import MAX_POROSITY, SceneSettings

FOLDERS = ("images", "labels", "text")
TABLES = ("truth.csv", "split.csv", "phases.csv")
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
        varied: draw everything but pixel size and info bar, from ranges far wider than those (`any_look`).
    """

    porosity: Range = (0.05, 0.15)
    anisotropy: Range = (0.2, 0.9)
    orientation_deg: Range = (0.0, 180.0)
    scene: SceneSettings = field(default_factory=SceneSettings)
    varied: bool = False

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
        if self.varied:
            return any_look(self.scene, rng)
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
    text: bool = False,
    phases: bool = False,
    overwrite: bool = False,
    on_sample: Callable[[str], None] | None = None,
) -> None:
    """Write `count` samples and their tables.

    ``images/NAME.png`` and ``labels/NAME.png`` (0 and 255), ``text/NAME.txt`` if asked for, ``truth.csv`` (name,
    seed, porosity, settings as JSON: what `generate` needs to make the image again) and ``split.csv`` (name, source,
    split; every image is its own source). Each file is written beside its name, then renamed.

    Args:
        output_dir: made when it is not there.
        count: number of images.
        shape: ``(H, W)`` in pixels.
        seed: of the whole set; other seeds share no image with it.
        settings: what varies; the defaults when left out.
        val: number of validation images, or their share when below 1.
        test: number of test images, or their share when below 1.
        text: also write a sentence for each image, made from its true mask: for tests of the text path, as a score
            of a model that reads it rests on the answer.
        phases: the labels hold all of `PHASES` (1, 2, 3), named in ``phases.csv``, and not pores alone (255).
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
    _prepare_folder(output_dir, text, overwrite)

    truth = [["name", "seed", "porosity", "settings"]]
    for index in range(count):
        name = f"sem_{index + 1:04d}"
        # Hashing (seed, index) keeps sets of neighbouring seeds apart, which seed + index would not.
        sequence = np.random.SeedSequence([seed, index])
        sample_seed = int(sequence.generate_state(1)[0])
        sample = generate(shape, sample_seed, settings.draw(np.random.default_rng(sequence)))
        _write_images(output_dir, name, sample, phases)
        if text:
            imaged = sample.label[: shape[0] - sample.bar_rows]
            sentence = describe_pores(imaged, sample.settings.pixel_size_nm)
            _write(output_dir / "text" / f"{name}.txt", (sentence + "\n").encode())
        settings_json = json.dumps(asdict(sample.settings))
        truth.append([name, str(sample_seed), repr(sample.porosity), settings_json])
        if on_sample is not None:
            on_sample(name)
    _write_table(output_dir / "truth.csv", truth)
    rows = [[row[0], row[0], split] for row, split in zip(truth[1:], splits, strict=True)]
    _write_table(output_dir / "split.csv", [["name", "source", "split"], *rows])
    if phases:
        named = [[str(value), phase] for value, phase in enumerate(PHASES, start=1)]
        _write_table(output_dir / "phases.csv", [["value", "phase"], *named])


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


def _prepare_folder(output_dir: Path, text: bool, overwrite: bool) -> None:
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
        for name in FOLDERS if text else FOLDERS[:2]:
            (output_dir / name).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot write into {output_dir}: {error.strerror}") from error


def _write_images(output_dir: Path, name: str, sample: SyntheticSample, phases: bool) -> None:
    label = sample.phases if phases else sample.label * np.uint8(255)
    for folder, pixels in (("images", sample.image), ("labels", label)):
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, format="PNG")
        _write(output_dir / folder / f"{name}.png", buffer.getvalue())


def describe_pores(label: np.ndarray, pixel_size_nm: float) -> str:
    """A sentence on density, size, shape, direction and connectivity of the pores, from their true mask.

    Shape and direction are means over the pores' moment ellipses, weighted by area; the direction's strength
    is the mean resultant length of the doubled angles.

    Args:
        label: ``(H, W)``, nonzero where there is pore.
        pixel_size_nm: pixel size, nanometres.
    """
    regions = connected_components(label > 0, connectivity=2)
    names = ("area", "axis_major_length", "axis_minor_length", "orientation")
    table = regionprops_table(regions, properties=names)
    area = table["area"].astype(float)
    if len(area) == 0:
        return "A scanning electron microscopy image of rock showing no visible pores."

    porosity = area.sum() / label.size
    density = _pick(porosity, ((0.03, "sparse"), (0.08, "scattered"), (0.15, "moderately dense")), "dense")
    # Half of the pore area lies in pores larger than this: the many specks do not decide.
    order = np.argsort(area)
    middle = area[order][np.searchsorted(np.cumsum(area[order]), area.sum() / 2)]
    diameter_nm = np.sqrt(4 * middle / np.pi) * pixel_size_nm
    size = f"{diameter_nm / 1000:.2g} µm" if diameter_nm >= 1000 else f"{float(f'{diameter_nm:.2g}'):g} nm"

    weight = area / area.sum()
    # A pore one pixel wide has a minor axis of 0.
    aspect = float(weight @ (table["axis_major_length"] / np.maximum(table["axis_minor_length"], 1.0)))
    shape = _pick(aspect, ((1.8, "rounded"), (2.8, "irregular, moderately elongated")), "thin, elongated")
    # skimage measures from the row axis towards the column axis, that is 90 degrees ahead of the x axis.
    angle = table["orientation"] + np.pi / 2
    resultant = weight @ np.exp(2j * angle)
    direction = np.rad2deg(np.angle(resultant)) / 2
    aligned = abs(resultant) > 0.3 and aspect > 1.8
    course = f"aligned {_direction_name(direction)}" if aligned else "without a preferred direction"
    largest = area.max() / area.sum()
    connectivity = _pick(largest, ((0.08, "mostly isolated"), (0.25, "partly connected")), "well connected")
    return (
        f"A scanning electron microscopy image of rock showing {density}, {shape} pores of about {size}, "
        f"{course} and {connectivity}, covering {100 * porosity:.0f} % of the area."
    )


def _pick(value: float, steps: tuple[tuple[float, str], ...], last: str) -> str:
    """The word of the first step whose limit is above `value`, else `last`."""
    return next((word for limit, word in steps if value < limit), last)


def _direction_name(degrees: float) -> str:
    """Name of an axis's direction; `degrees` counter-clockwise from the x axis, any turn."""
    names = ("horizontally", "along the rising diagonal", "vertically", "along the falling diagonal")
    return names[int(((degrees + 22.5) % 180) // 45)]


def _write_table(path: Path, rows: list[list[str]]) -> None:
    """Write a CSV file with Unix line ends."""
    try:
        write_csv_rows(path, rows)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}") from error


def _write(path: Path, content: bytes) -> None:
    """Write a whole file or none."""
    try:
        with atomic_path(path) as temporary:
            temporary.write_bytes(content)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}") from error
