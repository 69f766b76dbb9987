"""The export of a model, from checkpoint to checked files and a manifest."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from pipeline.errors import UserError, first_line
from pipeline.files import atomic_path, sha256_of, write_text
from pipeline.foreground.measurement import BOTH
from pipeline.networks import reads_tile
from pipeline.networks.inputs import STRIDE
from pipeline.networks.surroundings import FACTOR, view_margin
from pipeline.phases import PORE
from pipeline.tracking.provenance import versions
from pipeline.workflows.export.export_formats import FORMATS, check_formats, write_text_features
from pipeline.workflows.export.exported_graph import OUTPUT, ExportSource, Inputs
from pipeline.workflows.items import Prompts
from pipeline.workflows.model_file import TrainedModel

logger = logging.getLogger("vlsenet")

#: Largest difference of probability that passes.
TOLERANCE = 1e-4
#: N, H, W: smallest, odd, thin and wide sizes; none is the size that was traced.
CHECKED_SIZES = ((1, 16, 16), (1, 64, 64), (3, 37, 51), (1, 17, 200), (2, 128, 96))

MANIFEST = "export.json"
TEXT_FILE = "text_features.safetensors"


def verify(source: ExportSource, run: Callable[[Inputs], torch.Tensor], file: str) -> dict[str, float]:
    """Compare an exported graph with the network at several sizes.

    Args:
        source: what was exported.
        run: the written file as a function of its inputs.
        file: its name, for messages.

    Returns:
        Largest difference of probability at each size `NxHxW`.

    Raises:
        UserError: it fails at a size, or differs by more than the tolerance.
    """
    differences = {}
    for size in CHECKED_SIZES:
        inputs = source.inputs(*size)
        name = "x".join(map(str, size))
        with torch.no_grad():
            expected = source.graph(**inputs)
            try:
                probability = run(inputs)
            except Exception as error:  # each runtime has its own errors
                raise _refused(file, f"fails on images of {name} ({first_line(error)})") from error
        if probability.shape != expected.shape:
            raise _refused(file, f"returns shape {tuple(probability.shape)} for images of {name}")
        differences[name] = float((probability - expected).abs().max())
        if not differences[name] <= TOLERANCE:
            raise _refused(file, f"differs from PyTorch by {differences[name]:.1e} on images of {name}")
    return differences


def _refused(file: str, what: str) -> UserError:
    return UserError(f"{file} was not written: the exported network {what}; remove its format from --formats")


def export_model(
    model: TrainedModel,
    output_dir: str,
    asked: Prompts,
    threshold: float | str | Mapping[str, float],
    formats: str | Iterable[str],
    text_inputs: bool = False,
) -> None:
    """Write a model in several formats, each checked against PyTorch before it gets its final name.

    The graph takes images (N, C, H, W) of any number and size and gives the probability of each of the model's phases.
    `export.json`, which is written last, says what a user of the files must know; each file holds the same information.

    Args:
        model: on the CPU, with the prompts in its text store.
        output_dir: folder of the files.
        asked: the prompt of a single phase, or those of the model's phases; built into the graph.
        threshold: pixels at or above this probability are the phase, by name where there are several; for the manifest.
        formats: names, see `FORMATS`.
        text_inputs: leave the text features as inputs; `text_features.safetensors` then holds the stored ones.

    Raises:
        UserError: an unknown format, a format whose packages are missing, text inputs for a network without text, or
            an exported network whose output differs.
    """
    chosen = check_formats(formats)
    features, limits = model.text.together(asked), model.named(model.thresholds_for(threshold))
    sources = {name: ExportSource(model, features, text_inputs, FORMATS[name].of_whole) for name in chosen}
    folder = Path(output_dir)
    for name in (MANIFEST, TEXT_FILE, *(kind.file for kind in FORMATS.values())):
        (folder / name).unlink(missing_ok=True)  # an earlier export's files must not pass for this one's
    files: dict[str, Any] = {}
    for name in chosen:
        kind, source = FORMATS[name], sources[name]
        logger.info("%s: exporting to %s", name, folder / kind.file)
        with atomic_path(folder / kind.file) as partial:
            kind.write(source, partial, json.dumps(_about(source, asked, limits)))
            differences = verify(source, kind.load(partial), kind.file)
        files[name] = {
            "file": kind.file,
            "inputs": list(source.axes),
            "sha256": sha256_of(folder / kind.file),
            "largest_difference": max(differences.values()),
            "difference_by_size": differences,
            "versions": {package: version(package) for package in kind.needs},
        }
    if text_inputs:
        write_text_features(model.text, folder / TEXT_FILE)
    about = _about(max(sources.values(), key=lambda one: len(one.axes)), asked, limits)  # with the inputs of all files
    write_text(
        folder / MANIFEST,
        json.dumps({**about, "checkpoint": str(model.path), "model": model.about, "files": files}, indent=2),
    )
    for name, file in files.items():
        print(f"{name:<14}{folder / file['file']}   largest difference from PyTorch {file['largest_difference']:.1e}")


_BY = "(pipeline.transforms.NormaliseMicrographd)"
#: what follows the normalisation of grey levels, by what the training did with shading
_SHADING = {
    False: "",
    True: f", then shading taken out {_BY}",
    BOTH: f"; channel 0 with shading then taken out, channel 1 with shading left in {_BY}",
}


#: what the second input of a network with surroundings is
_VIEW = (
    "the micrograph around the image (pipeline.foreground.coarse.CoarseMicrograph), each pixel the mean of {factor} x "
    "{factor} of the image's: channel 0 the grey level, normalised as the image, with shading left in, channel 1 the "
    "share that lies inside of the micrograph; both 0 outside. The image, padded below and to the right to a multiple "
    "of {stride} and at least 32 px, and {margin} pixels of the view beyond it on each side"
)


def _about(source: ExportSource, asked: Prompts, threshold: float | dict[str, float]) -> dict[str, Any]:
    model = source.model
    names = [phase.name for phase in model.phases]
    shapes = {}
    for name, example in source.inputs(1, STRIDE, STRIDE).items():
        axes = source.axes[name]
        shapes[name] = [axes.get(axis, size) for axis, size in enumerate(example.shape)]
    inputs: dict[str, Any] = {name: {"shape": shape, "dtype": "float32"} for name, shape in shapes.items()}
    normalisation = f"mean 0 and standard deviation 1 over the whole micrograph{_SHADING[model.shading]}"
    inputs["image"] |= {
        "normalisation": normalisation,
        "smallest_side": STRIDE,
    }
    if model.reach is not None and "view" in inputs:
        inputs["view"] |= {
            "factor": FACTOR,
            "margin": view_margin(model.reach),
            "meaning": _VIEW.format(factor=FACTOR, margin=view_margin(model.reach), stride=STRIDE),
        }
    return {
        "inputs": inputs,
        "output": {
            "name": OUTPUT,
            "shape": ["batch", len(names), "height", "width"],
            "meaning": "probability of pore" if names == [PORE] else "probability of each of the phases, in order",
        },
        "phases": names,
        "threshold": threshold,
        "prompt": asked if source.reads_text and not source.text_inputs else None,
        "text": {**model.text.provenance, "file": TEXT_FILE if source.text_inputs else None},
        "statistics": "of each image given" if reads_tile(model.network) else "fixed",
        "tolerance": TOLERANCE,
        "checkpoint_sha256": model.sha256,
        "network": model.network_settings,
        "versions": versions(),
    }
