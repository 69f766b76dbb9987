"""Scores of a model on labelled images, image by image and pooled, compared with Otsu's threshold."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from ignite.engine import Events
from monai.engines import SupervisedEvaluator

from pipeline.comparison.evaluation_page import PAGE, write_evaluation_page
from pipeline.csv_tables import write_csv
from pipeline.data import DatasetIndex, Sample
from pipeline.errors import UserError
from pipeline.files import files_together, write_text
from pipeline.metrics import Tolerances
from pipeline.phases import PORE, picture_name, taken_by_others
from pipeline.tracking.provenance import versions
from pipeline.visual import error_overlay, mask_overlay, write_png
from pipeline.workflows.model_file import TrainedModel
from pipeline.workflows.phase_evaluation import PhaseEvaluation, as_json

logger = logging.getLogger("vlsenet")


def evaluation_samples(index: DatasetIndex, split: str, model: TrainedModel) -> list[Sample]:
    """The samples of a split (or ``all``), with a warning for those that the model was trained on.

    Phases of the labels that a model of several phases does not know are warned of, too.

    Raises:
        UserError: the split is empty, or its labels name none of the model's phases.
    """
    samples = list(index.samples) if split == "all" else index.select(split)
    _check_phases(index, samples, model)
    train_images = set(model.data["train_images"])
    trained_on = [sample.name for sample in samples if sample.image_sha256 in train_images]
    if trained_on:
        logger.warning(
            "%d of %d images were in the model's training data, so their scores say little: %s",
            len(trained_on),
            len(samples),
            ", ".join(trained_on[:6]),
        )
    return samples


def _check_phases(index: DatasetIndex, samples: Sequence[Sample], model: TrainedModel) -> None:
    known = [phase.name for phase in model.phases]
    named = dict.fromkeys(name for sample in samples for name in sample.values.names)
    if not set(named) & set(known):
        raise UserError(
            f"the labels of {', '.join(map(str, index.roots))} name {', '.join(named)}, and {model.path} knows "
            f"{', '.join(known)}: there is nothing to score; give the phases the model's names, by --phases or in "
            "phases.csv"
        )
    unknown = [name for name in named if name not in known]
    if unknown and len(known) > 1:
        logger.warning(
            "the labels name %s, which the model does not know: such pixels count as none of its phases (%s)",
            ", ".join(unknown),
            ", ".join(known),
        )


def evaluation_about(
    model: TrainedModel, index: DatasetIndex, split: str, threshold: Any, settings: Mapping[str, Any]
) -> dict[str, Any]:
    """How the numbers of a summary were obtained; ``settings`` are those of the prediction, and the text asked."""
    return {
        "checkpoint": str(model.path),
        "model": model.about,
        "checkpoint_sha256": model.sha256,
        "network": model.network_settings,
        "dataset_dir": ", ".join(map(str, index.roots)),
        "data_fingerprint": index.fingerprint()["hash"],
        "split": split,
        "threshold": model.named(model.thresholds_for(threshold)),
        "model_threshold": model.threshold,
        **settings,
        "reads_prompt": model.reads_prompt,
        "pore_label": index.pore_label,
        "versions": versions(),
    }


class EvaluationReport:
    """Collects the scores of each image; at the end writes them, and prints a table.

    Writes to ``output_dir``:

    - ``report.html``: all of it on one page.
    - ``per_image.csv``: the scores of :class:`pipeline.metrics.PoreScores`, and the text asked; ``otsu_dice`` is the
      Dice of Otsu's threshold on the same image without its shading, and ``dice_at_half`` that of a probability of
      0.5, where the evaluator's output has a ``probability``;
    - ``per_pore.csv``: every true pore, and how much of it was found (:class:`pipeline.metrics.TruePores`);
    - ``summary.json``: means over the images, pooled scores, the counts that they come from, and ``suited_threshold``:
      the threshold of the best pooled Dice on these images, with that Dice and the pooled porosity; null where that
      Dice is not clearly better than that of calling everything pore. It was chosen with the true masks, so it is not a
      score of the model; it is for further images of the same kind. Of several phases, those of the others stay as they
      are in use;
    - ``overlays/NAME.png`` (true positive, false positive, false negative) and ``truth/NAME.png`` (true pores).

    Of several phases the tables have a row for each phase that an image's labels name, with a column ``phase``, and
    ``area_...`` instead of ``porosity_...``; the summary has all of this for each phase in ``phases``, and the means
    over phases beside it; pictures are NAME_PHASE.png.

    Args:
        output_dir: folder of the results.
        about: copied into the summary.
        tolerances: of the surface Dice, the boundary F1 and the recall of small pores.
        pixel_sizes: nm, by the image's name, where known.
        phases: names of the phases, in the order of the masks' channels.
    """

    def __init__(
        self,
        output_dir: str,
        about: Mapping[str, Any],
        tolerances: Tolerances | None = None,
        pixel_sizes: Mapping[str, float] | None = None,
        phases: Sequence[str] = (PORE,),
    ) -> None:
        self._output_dir = Path(output_dir)
        self._about = dict(about)
        self._tolerances = tolerances or Tolerances()
        self._pixel_sizes = pixel_sizes or {}
        self._several = len(phases) > 1
        self._phases = [PhaseEvaluation(phase, self._tolerances, self._several) for phase in phases]

    def attach(self, evaluator: SupervisedEvaluator) -> None:
        """Collect from ``evaluator``, whose output holds image (1, H, W), masks (``pred``) and label (K, H, W)."""
        evaluator.add_event_handler(Events.ITERATION_COMPLETED, self._collect)
        evaluator.add_event_handler(Events.COMPLETED, self._write)

    def _collect(self, evaluator: SupervisedEvaluator) -> None:
        for batch, output in zip(evaluator.state.batch, evaluator.state.output, strict=True):
            (image,), targets, masks = (np.asarray(output[key].cpu()) for key in ("image", "label", "pred"))
            probabilities = np.asarray(output["probability"].float().cpu()) if "probability" in output else None
            taken = None if probabilities is None else self._taken(probabilities, targets)
            for number, phase in enumerate(self._phases):
                if (targets[number] >= 0).any():
                    probability, its = (None if one is None else one[number] for one in (probabilities, taken))
                    self._score(phase, batch, image, masks[number] > 0, targets[number], probability, its, number)

    def _taken(self, probabilities: np.ndarray, targets: np.ndarray) -> np.ndarray | None:
        """`taken_by_others` (K, H, W) of phases that the labels name; None of one phase, or without thresholds."""
        used = [self._threshold("threshold", number) for number in range(len(self._phases))]
        if not self._several or None in used:
            return None
        named = (targets >= 0).any(axis=(1, 2), keepdims=True)
        return taken_by_others(np.where(named, probabilities, -1), [one for one in used if one is not None])

    def _score(
        self,
        phase: PhaseEvaluation,
        batch: Mapping[str, Any],
        image: np.ndarray,
        predicted: np.ndarray,
        target: np.ndarray,
        probability: np.ndarray | None,
        taken: np.ndarray | None,
        number: int,
    ) -> None:
        name, prompt = batch["name"], batch["prompt"]
        about = {"name": name, "source": batch["source"], **({"phase": phase.phase} if self._several else {})}
        asked = prompt if isinstance(prompt, str) else prompt[number]
        further: dict[str, Any] = {"pixel_size_nm": self._pixel_sizes.get(name), "prompt": asked}
        phase.add(about, image, predicted, target, probability, further, taken)
        file = picture_name(name, phase.phase if self._several else None)
        for folder, picture in {
            "overlays": error_overlay(image, predicted & (target >= 0), target > 0),
            "truth": mask_overlay(image, target > 0),
        }.items():
            write_png(self._output_dir / folder / file, picture)

    def _write(self, _: SupervisedEvaluator) -> None:
        scored = [phase for phase in self._phases if len(phase)]
        summary = self._summary(scored)
        tables = pd.concat([phase.table for phase in scored], ignore_index=True)
        objects = pd.concat([phase.objects for phase in scored], ignore_index=True)
        with files_together(self._output_dir) as path_of:
            write_csv(path_of("per_image.csv"), tables, "%.6f")  # renamed last: it marks a finished evaluation
            write_csv(path_of("per_pore.csv"), objects, "%.4g")
            write_text(path_of("summary.json"), json.dumps(summary, indent=2, allow_nan=False))
            write_evaluation_page(self._output_dir, summary, {phase.phase: phase.table for phase in scored})
        for number, phase in enumerate(self._phases):
            if not len(phase):
                logger.warning("no image has labels for the phase %s", phase.phase)
                continue
            if self._several:
                print(f"{phase.phase}:")
            print(phase.printed())
            phase.log_thresholds(self._threshold("threshold", number), self._threshold("model_threshold", number))
            phase.warn_of_simpler()
        logger.info("scores and pictures: %s", self._output_dir / PAGE)

    def _threshold(self, name: str, number: int) -> float | None:
        """A phase's threshold of those in `about`: one number for all, or a mapping by name."""
        given = self._about.get(name)
        return float(given[self._phases[number].phase]) if isinstance(given, Mapping) else given

    def _summary(self, scored: Sequence[PhaseEvaluation]) -> dict[str, Any]:
        about = {**self._about, "tolerances": asdict(self._tolerances)}
        if not self._several:
            return {**about, "phase": self._phases[0].phase, **scored[0].summary()}
        phases = {phase.phase: phase.summary() for phase in scored}
        means = {
            kind: {
                score: as_json(float(np.nanmean([np.nan if v is None else v for v in values])))
                for score, values in _by_score([summary[kind] for summary in phases.values()]).items()
                if any(value is not None for value in values)
            }
            for kind in ("mean", "pooled")
        }
        pixels = {name: summary["pixels"] for name, summary in phases.items()}
        return {**about, "images": max(map(len, scored)), "pixels": pixels, **means, "phases": phases}


def _by_score(phases: Sequence[Mapping[str, float | None]]) -> dict[str, list[float | None]]:
    """The values of each score that all phases have."""
    return {score: [phase[score] for phase in phases] for score in phases[0] if all(score in phase for phase in phases)}
