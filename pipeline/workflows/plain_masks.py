"""Masks, probabilities, overlays and porosity of images, written image by image."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd
import tifffile
from ignite.engine import Events
from monai.engines import SupervisedEvaluator
from PIL import Image

from pipeline.changed_settings import changed_settings
from pipeline.csv_tables import read_csv, write_csv
from pipeline.errors import UserError
from pipeline.files import atomic_path, name_that_fits, write_text
from pipeline.phase_colours import phase_colours
from pipeline.phases import PORE, decided, metric_of
from pipeline.tracking.provenance import versions
from pipeline.visual import phase_overlay, write_png
from pipeline.workflows.items import Prompts
from pipeline.workflows.model_file import TrainedModel

logger = logging.getLogger("vlsenet")


class PlainMasks:
    """Writes the results of each image.

    ``masks/NAME.png`` holds 0 and 255 (255: pore) at the image's own size, ``probability/NAME.tif`` the probability
    of pore (float32, 0 to 1), ``overlays/NAME.png`` the pores over the image, ``porosity.csv`` one row for each
    image, ``manifest.json`` what produced them. An info bar holds no pore in mask and probability, and is not counted
    in the porosity. For a NIfTI image, ``masks/NAME.nii.gz`` lies in its coordinates.
    ``porosity.csv`` is rewritten after each image, last of its files, so that all results it lists are complete.

    Of a model that knows other phases than pore alone, the masks hold the number of each pixel's phase, from 1 in the
    model's order, 0 for none; the probability is (K, H, W), and ``area_fractions.csv`` replaces ``porosity.csv``.

    Args:
        output_dir: folder of the results.
        model: what segments.
        prompt: text prior of the images without a sentence of their own.
        threshold: pixels at or above this probability are pore; of several phases as `TrainedModel.thresholds_for`
            takes it.
        settings: all else that affects the results; an interrupted run resumes only with the same settings.
    """

    def __init__(
        self,
        output_dir: str,
        model: TrainedModel,
        prompt: Prompts,
        threshold: float | str | Mapping[str, float],
        settings: Mapping[str, Any],
    ) -> None:
        self._output_dir = Path(output_dir)
        self._phases = [phase.name for phase in model.phases]
        self._pores_alone = self._phases == [PORE]
        self._table = self._output_dir / ("porosity.csv" if self._pores_alone else "area_fractions.csv")
        self._manifest = self._output_dir / "manifest.json"
        self._thresholds = model.thresholds_for(threshold)
        self._made_by = {"checkpoint_sha256": model.sha256, "prompt": prompt, "threshold": threshold, **settings}
        self._about = {
            "checkpoint": str(model.path),
            "model": model.about,
            "phases": self._phases,
            **self._made_by,
            "versions": versions(),
        }
        self._rows: list[dict[str, Any]] = []

    def finished(self, resume: bool) -> set[str]:
        """Names of the images that an interrupted run has finished; none unless ``resume``.

        Raises:
            UserError: the earlier results came from another checkpoint or prompt, or can't be read.
        """
        if not resume:
            return set()
        try:
            earlier = json.loads(self._manifest.read_text())
            self._rows = read_csv(self._table, dtype={"name": str}, keep_default_na=False).to_dict("records")
        except (OSError, ValueError) as error:
            raise UserError(
                f"--resume: {self._output_dir} can't be resumed ({error}); --overwrite starts from scratch"
            ) from error
        made_by = json.loads(json.dumps(self._made_by))  # as it was read back: tuples are lists
        if changed := changed_settings({name: earlier.get(name) for name in made_by}, made_by):
            raise UserError(
                f"--resume: the results in {self._output_dir} were made with other settings ({'; '.join(changed)}); "
                "use the original ones, or choose another --output_dir"
            )
        return {row["name"] for row in self._rows}

    def attach(self, evaluator: SupervisedEvaluator) -> None:
        """Write for each image of ``evaluator``: its ``image`` (1, H, W) and probabilities ``pred`` (K, H, W)."""
        evaluator.add_event_handler(Events.STARTED, self._begin)
        evaluator.add_event_handler(Events.ITERATION_COMPLETED, self._collect)
        evaluator.add_event_handler(Events.COMPLETED, lambda _: self.print_porosity())

    def _begin(self, _: SupervisedEvaluator) -> None:
        if not self._rows:  # earlier rows must not pass for this manifest's
            self._table.unlink(missing_ok=True)
        write_text(self._manifest, json.dumps(self._about, indent=2))

    def _collect(self, evaluator: SupervisedEvaluator) -> None:
        for batch, output in zip(evaluator.state.batch, evaluator.state.output, strict=True):
            image = np.asarray(output["image"].cpu())[0]
            probability = np.asarray(output["pred"].float().cpu())
            beyond = int(batch["rows"][0]), int(batch["height"]) - int(batch["rows"][1])
            self._write_image(
                Path(batch["image_path"]), batch["name"], _one_text(batch["prompt"]), image, probability, beyond
            )

    def _write_image(
        self,
        file: Path,
        name: str,
        prompt: str,
        image: np.ndarray,
        probability: np.ndarray,
        info_bars: tuple[int, int],
    ) -> None:
        """``image`` is (H, W) and ``probability`` (K, H, W), between info bars of so many rows."""
        codes = decided(probability, self._thresholds)
        bars = (info_bars, (0, 0))
        mask = np.pad(np.where(codes, 255, 0).astype(np.uint8) if self._pores_alone else codes, bars)
        shown = np.pad(probability.astype(np.float32), ((0, 0), *bars))
        with atomic_path(self._output_dir / "masks" / name_that_fits(name, after=".png")) as partial:
            Image.fromarray(mask).save(partial)
        if file.name.lower().endswith((".nii", ".nii.gz")):
            affine = nib.load(file).affine  # type: ignore[attr-defined]
            with atomic_path(self._output_dir / "masks" / name_that_fits(name, after=".nii.gz")) as partial:
                nib.save(nib.Nifti1Image(mask.T, affine), partial)  # NIfTI's first axis is x
        with atomic_path(self._output_dir / "probability" / name_that_fits(name, after=".tif")) as partial:
            tifffile.imwrite(partial, shown[0] if self._pores_alone else shown, compression="zlib", predictor=True)
        overlay = phase_overlay(image, codes, phase_colours(self._phases))
        write_png(self._output_dir / "overlays" / name_that_fits(name, after=".png"), overlay)
        self._rows.append({"name": name, **self._found(codes), "pixels": codes.size} | _described(codes, prompt, file))
        write_csv(self._table, pd.DataFrame(self._rows).sort_values("name"), "%.6f")

    def _found(self, codes: np.ndarray) -> dict[str, float]:
        """The row's numbers of an image's phases (H, W)."""
        if self._pores_alone:
            return {"porosity": (codes == 1).mean(), "pore_pixels": int((codes == 1).sum())}
        return {name: (codes == number).mean() for number, name in enumerate(self._columns, start=1)}

    @property
    def _columns(self) -> list[str]:
        """Columns of the table with area fractions."""
        return ["porosity"] if self._pores_alone else [metric_of(name, "area_fraction") for name in self._phases]

    def print_porosity(self) -> None:
        """Print the porosity, or the area fractions, of every image, and where the files are."""
        shown = pd.DataFrame(self._rows)[["name", *self._columns, "width", "height"]].sort_values("name")
        print(shown.to_string(index=False, float_format=lambda value: f"{value:.4f}"))
        logger.info("masks, probabilities, overlays and %s: %s", self._table.name, self._output_dir)


def _described(codes: np.ndarray, prompt: str, file: Path) -> dict[str, Any]:
    """What a row says of an image itself."""
    return {"width": codes.shape[1], "height": codes.shape[0], "prompt": prompt, "file": str(file)}


def _one_text(prompt: Any) -> str:
    """The prompts of an image as one text; those of several phases come in lists, as the loader nests them."""
    return prompt if isinstance(prompt, str) else ", ".join(map(_one_text, prompt))
