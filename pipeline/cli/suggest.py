"""`vlsenet suggest`: what to label next."""

from __future__ import annotations

import argparse
from pathlib import Path

from pipeline.cli.console import own_messages
from pipeline.cli.parser import Command
from pipeline.cli.paths import existing_input, find_checkpoint, output_folder
from pipeline.errors import SUCCESS
from pipeline.options import options_of


def run(options: argparse.Namespace) -> int:
    """Write the suggestions and print the first; returns the exit status.

    Raises:
        UserError: a value, the images, or the model.
    """
    for name, option in options_of("suggest").items():
        option.check(getattr(options, name))
    path = existing_input(options.input)
    checkpoint, where = find_checkpoint(options.checkpoint)
    folder = Path(options.output_dir or output_folder(path, "_suggestions"))
    with own_messages():
        import torch

        from pipeline.workflows.label_loop.suggestion import suggest
        from pipeline.workflows.model_file import load_model

        model = load_model(checkpoint, "cuda:0" if torch.cuda.is_available() else "cpu")
        print(f"asking {checkpoint}{where} what to label next")
        found = suggest(Path(path), model, folder, options.count, min(options.side, 512), options.info_bar)
    if not found:
        return SUCCESS
    print("rank  uncertainty  image, x, y, width, height (px)")
    for rank, one in enumerate(found[:10], start=1):
        print(f"{rank:4}  {one.uncertainty:11.3f}  {one.image.name}, {one.x}, {one.y}, {one.width}, {one.height}")
    return SUCCESS


COMMAND = Command(
    "what to label next: regions of which the model is unsure, unlike those that are labelled",
    """\
Writes suggestions.csv (regions by rank, with their places), images.csv (images by how unsure the model is of them) and
pictures/ (each region with what the model finds in it). Labels that are there, with their unlabelled pixels, are taken
into account. Large images are looked at in parts that are spread over them.

examples:
  # which parts of these images to label first, with the model that comes along
  vlsenet suggest my_rock

  # after a training, where that model is least sure
  vlsenet suggest my_rock --checkpoint runs/first/checkpoints/best.pt --count 50

  # regions of one large scan
  vlsenet suggest scan.tif --side 512
""",
    run,
    options="suggest",
    arguments=(("input", "DATASET|DIR|FILE", "a data set, a folder of images, or an image"),),
)
