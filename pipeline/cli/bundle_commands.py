"""The commands that run a config of the bundle: `vlsenet segment`, `train`, `evaluate`, `audit` and `export`."""

from __future__ import annotations

import argparse
import sys

from pipeline.bundle_files import model_named
from pipeline.cli.console import loading, own_messages, quieten_monai
from pipeline.cli.overrides import overrides
from pipeline.cli.parser import Command
from pipeline.cli.paths import existing_folders, existing_input, find_checkpoint, output_folder
from pipeline.errors import SUCCESS
from pipeline.files import name_that_fits


def _segment(given: argparse.Namespace) -> int:
    existing_input(given.input)
    found = _complete(given, output_folder(given.input, "_pores"))
    return run_bundle("scan", f"segmenting {given.input} with {found} into {given.output_dir}", given)


def _train(given: argparse.Namespace) -> int:
    data = existing_folders(given.dataset_dir)
    if getattr(given, "start_from", None) is not None:
        given.start_from = model_named(given.start_from)
    return run_bundle("train", f"training on {data}; results in {given.output_dir}", given)


def _evaluate(given: argparse.Namespace) -> int:
    data = existing_folders(given.dataset_dir)
    found = _complete(given, _named_after_all(given.dataset_dir, "_scores"))
    return run_bundle("evaluate", f"evaluating {found} on {data}; results in {given.output_dir}", given)


def _audit(given: argparse.Namespace) -> int:
    data = existing_folders(given.dataset_dir)
    found = _complete(given, _named_after_all(given.dataset_dir, "_audit"))
    return run_bundle("audit", f"auditing {found} on {data}; results in {given.output_dir}", given)


def _export(given: argparse.Namespace) -> int:
    found = _complete(given, "exported")
    return run_bundle("export", f"exporting {found} into {given.output_dir}", given)


def _named_after_all(folders: list[str], suffix: str) -> str:
    """A folder in the current one, named after all data sets."""
    return name_that_fits("_".join(output_folder(folder, "") for folder in folders), after=suffix)


def _complete(given: argparse.Namespace, output_dir: str) -> str:
    """Fill in the model and the folder of the results where they were not given.

    Returns:
        The model, and in brackets where it was found, unless it was given.

    Raises:
        UserError: there is no model.
    """
    given.checkpoint, where = find_checkpoint(getattr(given, "checkpoint", None))
    if not hasattr(given, "output_dir"):
        given.output_dir = output_dir
    return f"{given.checkpoint}{where}"


def run_bundle(config: str, opening: str, given: argparse.Namespace) -> int:
    """Run a config; returns the exit status.

    Args:
        config: its name, such as `scan`.
        opening: the line printed at the start, as loading PyTorch and MONAI takes seconds.
        given: the command line, as parsed.

    Raises:
        UserError: a wrong `--set`.
        SystemExit: it was interrupted.
        Exception: as the workflow raises it.
    """
    entries = overrides(given, config)
    print(opening, file=sys.stderr, flush=True)
    with own_messages():
        with loading():
            from pipeline.workflows.bundle_workflow import run_config

        quieten_monai()
        run_config(config, logging_file=False, **entries)
    return SUCCESS


SEGMENT = Command(
    "segment scans of any size, stacks or folders: mask, table of pores, porosity, report",
    """\
Writes report.html (open it in a browser), pores.csv, porosity.json and segmentation.ome.zarr; the images of a folder
get a folder of results each. After an interrupt the same command resumes. The model is given by --checkpoint or the
environment variable VLSENET_CHECKPOINT, or is best.pt (or the only .pt) in the current folder, or else the default
model, which comes with vlsenet.

examples:
  # with the model that comes with vlsenet, or best.pt in this folder
  vlsenet segment scan.tif

  vlsenet segment scan.tif --checkpoint runs/first/checkpoints/best.pt --output_dir results

  # every image of a folder, with the pixel size, which the files don't give
  vlsenet segment scans/ --pixel_size_nm 12.5

  # the slices of a FIB-SEM stack as one volume, also as NIfTI
  vlsenet segment slices/ --stack --slice_spacing_nm 10 --formats nifti

  # a part of the scan; only pores of at least 20 px in the table
  vlsenet segment scan.tif --roi 0,0,4096,4096 --min_pore_area_px 20
""",
    _segment,
    options="scan",
    in_front="input",
    set_example="halo=256",
)

TRAIN = Command(
    "train a model on images and masks",
    """\
Writes checkpoints/best.pt (the model to use), pictures of validation images, and an MLflow store with the run.

examples:
  vlsenet train my_rock --output_dir runs/first

  # label value 2 is pore; tiles 11_1.png, 11_2.png ... belong to micrograph 11; 80 epochs
  vlsenet train my_rock --output_dir runs/second --pore_label 2 --group_pattern '^([0-9]+)_' --max_epochs 80

  # label value 2 is pore, 1 silt grain, and about 255 nothing is known; or write it once into phases.csv
  vlsenet train my_rock --output_dir runs/phases --phases "pore=2, silt grain=1" --unlabelled 255

  # one model of several data sets, each with phases of its own
  vlsenet train my_rock her_steel --output_dir runs/both

  # resume after an interrupt
  vlsenet train my_rock --output_dir runs/first --resume

  # adapt a model to a few labelled images of another rock; default is the model that comes with vlsenet
  vlsenet train new_rock --output_dir runs/adapted --start_from default

  # any other option of train.yaml
  vlsenet train my_rock --output_dir runs/third --set learning_rate=1e-3 --set switches::alignment=false
""",
    _train,
    options="train",
    in_front="dataset_dir",
    set_example="learning_rate=1e-3",
)

EVALUATE = Command(
    "score a model on labelled images",
    """\
Prints the table of scores and writes report.html (open it in a browser), per_image.csv, per_pore.csv, summary.json and
overlays/. The model is given by --checkpoint or the environment variable VLSENET_CHECKPOINT, or is best.pt (or the only
.pt) in the current folder, or else the default model, which comes with vlsenet. If best.pt is in the folder of its
training, the scores also go to the training's MLflow run, for vlsenet compare.

examples:
  vlsenet evaluate my_rock --checkpoint runs/first/checkpoints/best.pt

  # all images of another data set, where label value 2 is pore
  vlsenet evaluate other_rock --checkpoint best.pt --split all --pore_label 2 --output_dir runs/first/other_rock

  # two seeds of one variant, compared with runs/unet, which was evaluated in the same way
  vlsenet evaluate my_rock --checkpoint runs/first/checkpoints/best.pt --variant mine --output_dir runs/first/val
  vlsenet evaluate my_rock --checkpoint runs/second/checkpoints/best.pt --variant mine --output_dir runs/second/val
  vlsenet compare runs/first runs/second runs/unet --output_dir comparison
""",
    _evaluate,
    options="evaluate",
    in_front="dataset_dir",
    set_example="mirror=false",
)

AUDIT = Command(
    "measure what the text prior is worth: score a model with its prompts, with other texts and with none",
    """\
Evaluates a model with its own prompts, with prompts exchanged among the images, with 'pore' for all, with an empty
text, with random features and with zeros. Prints the table and writes audit.csv, audit.json and audit.png; the scores
go to MLflow. Prompts of the training need no CLIP. The model is given by --checkpoint or the environment variable
VLSENET_CHECKPOINT, or is best.pt (or the only .pt) in the current folder, or else the default model, which comes with
vlsenet.

examples:
  vlsenet audit my_rock --checkpoint runs/first/checkpoints/best.pt

  # an empty text needs CLIP's text tower if the training did not store its features
  vlsenet audit my_rock --checkpoint best.pt --text_weights RN50.pt --split test --output_dir runs/first/audit
""",
    _audit,
    options="audit",
    in_front="dataset_dir",
    set_example="mirror=false",
)

EXPORT = Command(
    "export a model for other programs: torch.export, ONNX, TorchScript",
    """\
Writes model.pt2, model.onnx and model.ts, each checked against PyTorch, and export.json, which says how to prepare
images. The model is given by --checkpoint or the environment variable VLSENET_CHECKPOINT, or is best.pt (or the only
.pt) in the current folder, or else the default model, which comes with vlsenet.

examples:
  vlsenet export --checkpoint runs/first/checkpoints/best.pt

  # only for ONNX Runtime
  vlsenet export --checkpoint best.pt --formats onnx --output_dir for_onnx
""",
    _export,
    options="export",
    set_example="prompt='rock pore'",
)
