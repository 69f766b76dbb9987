"""Probabilities of a trained network on labelled images, for scripts that ask more of them than an evaluation."""

from __future__ import annotations

from pathlib import Path

import torch
from ignite.engine import Events
from monai.bundle import ConfigParser

from pipeline.bundle_files import config_files
from pipeline.options import move_to_entries

Images = list[tuple[torch.Tensor, torch.Tensor]]


def evaluated_images(checkpoint: Path, split: str, options: dict[str, object]) -> Images:
    """Probability of pore and true mask, (1, H, W) each, of each image of a split, by `evaluate.yaml`.

    Args:
        checkpoint: `best.pt` of a training.
        split: `train`, `val` or `test`.
        options: overrides of `evaluate.yaml`, the data set among them.
    """
    parser = ConfigParser()
    parser.read_config(config_files("evaluate"))
    parser.update({"checkpoint": str(checkpoint), "split": split, "handlers": [], **options})
    move_to_entries(parser.get())
    parser.get_parsed_content("text")
    evaluator = parser.get_parsed_content("evaluator")
    found: Images = []

    def keep() -> None:
        found.extend(
            (torch.as_tensor(image["probability"]), torch.as_tensor(image["label"])) for image in evaluator.state.output
        )

    evaluator.add_event_handler(Events.ITERATION_COMPLETED, keep)
    evaluator.run()
    return found
