"""The options of `predict` and `segment`: those of `vlsenet segment`, by the same names, with the same checks."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from types import MappingProxyType
from typing import Any, TypedDict

from pipeline.api.given import plain
from pipeline.engine.prediction import PredictionSettings
from pipeline.errors import UserError
from pipeline.options import options_of
from pipeline.options.kinds import Text
from pipeline.wording import nearest
from pipeline.workflows.items import asked_prompts
from pipeline.workflows.model_file import TrainedModel, refuse_other_shading
from pipeline.workflows.scan import ScanSettings, chosen_phases

_COMMAND = "scan"


class ScanOptions(TypedDict, total=False):
    """How a scan is segmented; what is not given is as in `vlsenet segment`, whose guide has a table of all.

    Attributes:
        pixel_size_nm: side of a pixel (nm); default: as the file says. `scale-bar`: as the bar drawn in it says.
        slice_spacing_nm: distance of the slices of a stack (nm).
        threshold: probability from which a pixel is pore, or of a phase by its name; default: the model's.
        phases: some of the model's phases, by name.
        prompt: what a single phase is asked for with.
        invert: pores are bright in this scan.
        info_bar: the microscope's strip of text: `auto`, `keep`, or its height (px). An array has none: `keep`.
        roi: x, y, width and height of the part that is segmented (px).
        min_pore_area_px: smallest pore in the table (px); mask and porosity keep them all.
        skip_empty: neither segment nor count resin and blank border around the rock.
        rescale: show the network an image of another pixel size at that of its training.
        flatten_shading: remove slow changes of brightness; default: as in the training.
        mirror: average over four mirrorings of each window; `auto`: of images of up to 2048 x 2048 px.
        halo: border read around each chunk (px).
        chunk_size: side of the chunks that are computed at a time (px).
        batch: chunks in one forward pass.
        precision: `auto`, `float32` or `bfloat16`.
        statistics: what norms compute their statistics over: `micrograph` or `network`.
        sentences: ask a scan with its own sentence, where there is one.
    """

    pixel_size_nm: float | str | None
    slice_spacing_nm: float | None
    threshold: float | str | Mapping[str, float]
    phases: str | Sequence[str] | None
    prompt: str | None
    invert: bool
    info_bar: str | int
    roi: str | Sequence[int] | None
    min_pore_area_px: int
    skip_empty: bool
    rescale: bool
    flatten_shading: bool | str | None
    mirror: bool | str
    halo: int
    chunk_size: int | None
    batch: int | None
    precision: str
    statistics: str
    sentences: bool


def scan_settings(
    model: TrainedModel, options: Mapping[str, Any], of_segment: Mapping[str, Any] = MappingProxyType({})
) -> ScanSettings:
    """The settings of a scan, whose text the model has learnt afterwards.

    Args:
        model: that is asked.
        options: those that were given, of `ScanOptions`.
        of_segment: `stack`, `page`, `report` and `formats`, which `Model.segment` alone takes.

    Raises:
        UserError: one is not known, or has a wrong value.
    """
    for name in options:
        if name not in ScanOptions.__annotations__:
            meant = nearest(name, ScanOptions.__annotations__)
            hint = f"did you mean {meant}?" if meant else f"choose from {', '.join(ScanOptions.__annotations__)}"
            raise UserError(f"unknown argument {name}; {hint}")
    given = {name: plain(value) for name, value in {**options, **of_segment}.items()}
    if given.get("threshold", 0) is None:  # as for other options whose default is the model's
        del given["threshold"]
    for name, value in given.items():
        if name != "phases":
            check_argument(name, value)
    phases = chosen_phases(model, given.pop("phases", None))
    prompt = asked_prompts(phases, given.pop("prompt", None), given.get("sentences", False))
    threshold = model.thresholds_for(given.pop("threshold", model.threshold), phases)
    engine = {field.name for field in fields(PredictionSettings)}
    prediction = replace(PredictionSettings(), **{name: value for name, value in given.items() if name in engine})
    others = {name: value for name, value in given.items() if name not in engine}
    refuse_other_shading(model.shading, prediction.flatten_shading, model.path)
    return ScanSettings(prompt, threshold, prediction.with_shading(model.shading), phases, **others)


def check_argument(name: str, value: Any) -> None:
    """Check an argument as the option of that name.

    Raises:
        UserError: another value; the message has it as Python writes it, as `"10"` and 10 are told apart.
    """
    option = options_of(_COMMAND)[name]
    if value is None and option.default is None:
        return
    if (problem := option.kind.problem(value)) is not None:
        raise UserError(f"{name}={reprlib.repr(value)}: {problem}")
    if isinstance(option.kind, Text) and not isinstance(value, str):
        raise UserError(f"{name}={reprlib.repr(value)}: give text")
    option.kind.check(name, value)
