"""A training in the background, on the strokes so far, and whether its model is better than the one before."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pipeline.annotations.session import LabelSession
from pipeline.annotations.stroke_store import NOTHING, REST, StrokeStore, label_name, names_of_codes
from pipeline.bundle_files import DEFAULT, default_model
from pipeline.data.phases_file import PHASES_FILE, write_phases_csv
from pipeline.errors import INTERRUPTED, UserError
from pipeline.files import atomic_path
from pipeline.phases import LabelValues
from pipeline.workflows.label_loop.held_out import NO_AGREEMENT, Agreement, PaintedPart, agreement, with_held_out
from pipeline.workflows.label_loop.seen_image import SeenImage
from pipeline.workflows.model_file import load_model

#: in the data set's folder: trainings, and the model that was taken over, which `vlsenet segment` finds there
TRAININGS, MODEL = "trainings", "best.pt"
#: by how much that model was better
_NOTE = "best.json"
_EPOCH = re.compile(r"epoch (\d+)/(\d+)")


@dataclass(frozen=True)
class Verdict:
    """Whether a trained model is better than the one that it started from.

    Attributes:
        model: that was trained.
        before: Dice of the earlier model on held-out strokes; NaN where there are none, or no earlier model knows them.
        after: of the trained one.
        pixels: of the phases in the held-out strokes.
    """

    model: Path
    before: float
    after: float
    pixels: int

    @classmethod
    def of(cls, model: Path, before: Agreement, after: Agreement) -> Verdict:
        """Compare agreements, as if the classes had the shares in the image that both models find on average."""
        each = [one.shares() for one in (before, after) if one.painted]
        shares = {name: float(np.mean([one[name] for one in each])) for name in after.painted}
        return cls(model, before.dice(shares) if before.painted else float("nan"), after.dice(shares), after.pixels)

    @property
    def is_better(self) -> bool:
        """Whether it is to be taken over: a tie is not worse."""
        return not self.after < self.before

    def __str__(self) -> str:
        if not self.pixels:
            return "no stroke was held out: paint three or more of each phase, so that models can be compared"
        word = "better" if self.after > self.before else "as good" if self.is_better else "worse"
        return f"{word} than before: Dice {self.after:.3f} on {self.pixels} held-out pixels, before {self.before:.3f}"


@dataclass(frozen=True)
class Labelled:
    """An image that was painted on.

    Attributes:
        stem: of its file.
        image: its file.
        shape: (H, W) of the image (px).
        parts: with its strokes, and which of these are held out.
    """

    stem: str
    image: Path
    shape: tuple[int, int]
    parts: list[PaintedPart]

    @property
    def learned(self) -> set[int]:
        """Codes of the strokes that are not held out."""
        return {int(code) for part in self.parts for code in np.unique(part.codes[~part.held])} - {NOTHING}


def labelled_images(session: LabelSession) -> list[Labelled]:
    """The images with strokes, and which of these are held out."""
    found = []
    for stem in session.labelled:  # to look at the others would take long, and give them labels
        store: StrokeStore = session.store(stem)
        if painted := {window: store.read(window) for window in store.painted()}:
            parts = with_held_out(painted, store.shape[1], stem)
            found.append(Labelled(stem, session.images[stem], store.shape, parts))
    return found


def write_training_set(folder: Path, images: Sequence[Labelled], session: LabelSession) -> None:
    """Write a data set of the images with strokes, without those that are held out.

    Raises:
        UserError: fewer than two classes were painted, the phases among them.
    """
    names = names_of_codes(session.meaning)
    painted = {code for one in images for code in one.learned}
    if not painted - {REST}:
        raise UserError("no phase was painted: paint some strokes in one, and in the rest of the rock")
    if len(painted) < 2:
        (only,) = painted
        raise UserError(f"only {names[only]} was painted: paint some strokes in the rest of the rock, too")
    if folder.exists():
        shutil.rmtree(folder)
    (folder / "images").mkdir(parents=True)
    (folder / "labels").mkdir()
    for one in images:
        (folder / "images" / one.image.name).symlink_to(one.image.resolve())
        label = StrokeStore(folder / "labels" / label_name(one.stem, one.shape), one.shape, session.meaning)
        for part in one.parts:
            label.write(part.window, np.where(part.held, NOTHING, part.codes))
    write_phases_csv(folder / PHASES_FILE, painted_phases(images, session))


def painted_phases(images: Sequence[Labelled], session: LabelSession) -> LabelValues:
    """The values of the phases that were painted: of one without a stroke nothing can be learned."""
    values = session.meaning.values
    there = {code for one in images for code in one.learned}
    kept = [number for number in range(len(values.phases)) if number + REST + 1 in there]
    return replace(
        values,
        phases=tuple(values.phases[number] for number in kept),
        values=tuple(values.values[number] for number in kept),
    )


class BackgroundTraining:
    """`vlsenet train` in a process of its own.

    Args:
        session: whose strokes are learned.
        settings: further options of the command, such as `--max_epochs`.

    Attributes:
        folder: of the training.
        start: the model that it starts from; None: none fits.
        left_out: phases in which nothing was painted.

    Raises:
        UserError: too little was painted.
    """

    def __init__(self, session: LabelSession, settings: Mapping[str, object] | None = None) -> None:
        self.root = session.root
        earlier = [path.name.removeprefix("run_") for path in (self.root / TRAININGS).glob("run_*")]
        number = 1 + max((int(name) for name in earlier if name.isdecimal()), default=0)
        self.folder = self.root / TRAININGS / f"run_{number:03d}"
        self._data = self.root / TRAININGS / "strokes"
        self.names = names_of_codes(session.meaning)
        self.images = labelled_images(session)
        write_training_set(self._data, self.images, session)
        phases = painted_phases(self.images, session).names
        self.left_out = [name for name in session.meaning.values.names if name not in phases]
        self.start = start_model(self.root, phases)
        command = [sys.executable, "-m", "pipeline.cli", "train", str(self._data), "--output_dir", str(self.folder)]
        if self.start is not None:
            shipped = self.start == default_model()
            command += ["--start_from", DEFAULT if shipped else str(self.start)]
        for name, value in (settings or {}).items():
            command += [f"--{name}", str(value)]
        self.epoch, self.epochs = 0, 0
        self.lines: list[str] = []
        self._process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", bufsize=1
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            for piece in filter(None, (one.strip() for one in line.split("\r"))):
                if found := _EPOCH.search(piece):
                    self.epoch, self.epochs = int(found[1]), int(found[2])
                self.lines.append(piece)

    @property
    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def stop(self) -> None:
        """End it; what it has written stays.

        Not as Ctrl-C would: what a script starts in its background ignores that, and so do its children.
        """
        if self.is_running:
            self._process.terminate()

    def wait(self, seconds: float) -> int:
        """Wait for its end; returns its exit status."""
        status = self._process.wait(seconds)
        self._reader.join(5)
        return status

    @property
    def problem(self) -> str | None:
        """Why it failed, in a line; None where it did not, or was stopped."""
        if self.is_running or self._process.returncode in (0, INTERRUPTED, -signal.SIGTERM):
            return None
        errors = [line for line in self.lines if line.startswith("error:")]
        return (errors or self.lines or ["the training ended"])[-1].removeprefix("error: ")

    def verdict(self, before_reading: Callable[[], None] | None = None) -> Verdict:
        """Compare its best model with the one before, on the strokes that neither learned from.

        Args:
            before_reading: as for `open_volume`.

        Raises:
            UserError: it has no model yet.
        """
        best = self.folder / "checkpoints" / "best.pt"
        if not best.is_file():
            raise UserError(f"{self.folder}: the training has no model yet; let it run for longer")
        before = NO_AGREEMENT if self.start is None else self._score(self.start, before_reading)
        after = self._score(best, before_reading)
        return Verdict.of(best, before, after)

    def _score(self, path: Path, before_reading: Callable[[], None] | None) -> Agreement:
        model, total = load_model(str(path)), NO_AGREEMENT
        for one in self.images:
            held = [part for part in one.parts if part.held.any()]
            if held:
                with SeenImage.opened(one.image, model, before_reading=before_reading) as image:
                    total = sum((agreement(image, part, self.names) for part in held), total)
        return total


def start_model(root: Path, phases: Sequence[str]) -> Path | None:
    """The model that a training starts from: the one taken over before, or the default one; None where neither is of
    these phases."""
    for path in (root / MODEL, default_model()):
        if path is not None and path.is_file():
            known = [phase.name for phase in load_model(str(path)).phases]
            if known == list(phases):
                return path
    return None


def take_over(root: Path, verdict: Verdict) -> Path:
    """Make a trained model the one of the data set's folder, and note by how much it was better.

    A model of that name that none of our trainings has made is kept under another.

    Returns:
        Its path.
    """
    if (root / MODEL).exists() and not (root / _NOTE).exists():
        names = (f"best_before{number}.pt" for number in ("", *range(2, 10**6)))
        (root / MODEL).rename(next(root / name for name in names if not (root / name).exists()))
    with atomic_path(root / MODEL) as partial:
        shutil.copyfile(verdict.model, partial)
    note = {"from": str(verdict.model), "dice_before": verdict.before, "dice": verdict.after, "pixels": verdict.pixels}
    with atomic_path(root / _NOTE) as partial:
        partial.write_text(json.dumps({k: None if v != v else v for k, v in note.items()}, indent=1), encoding="utf-8")
    return root / MODEL
