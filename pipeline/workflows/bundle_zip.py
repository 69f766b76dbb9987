"""A trained model as a MONAI bundle in one zip file, for machines that have the package and nothing of the project."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

import pipeline
from pipeline.bundle_files import DEFAULT_MODEL, config_folder, data_file
from pipeline.errors import UserError
from pipeline.files import atomic_path
from pipeline.foreground.measurement import BOTH
from pipeline.workflows.bundle_card import card_text, score_names
from pipeline.workflows.model_file import TrainedModel, load_model, read_model_file

METADATA = "configs/metadata.json"
CARD = "docs/README.md"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
#: networks, as `metadata.json` describes them
_KINDS = {
    "vlsenet": "A U-Net with language-driven semantic calibration (LSCM) and anisotropic structure refinement (ASRM)",
    "unet": "A U-Net",
}
#: what the images of the network are, by what the training did with shading
_SHADING = {True: "shading taken out", False: "shading left in", BOTH: "with shading taken out, and with it left in"}
#: of every file, so that the same model gives the same bytes
_DATE = (1980, 1, 1, 0, 0, 0)
#: of every file once it is unpacked: others of the machine may read it, too
_MODE = 0o100644


@dataclass(frozen=True)
class BundleFacts:
    """What only the user knows of a bundle.

    Attributes:
        name: of the bundle and its folder: letters, digits, `_` and `-`.
        authors: of the model.
        licence: of the weights, in words.
        data_source: where its training images come from.
    """

    name: str
    authors: str = "not stated"
    licence: str = "not stated"
    data_source: str = "not stated"

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise UserError(f"--name {self.name}: give letters, digits, _ and -, such as shale_pores")


def write_bundle(
    checkpoint: str, folder: Path, facts: BundleFacts, scores: str | None = None, overwrite: bool = False
) -> Path:
    """Write `NAME_vVERSION.zip` with the configs, the model, its card, metadata and licence.

    Args:
        checkpoint: the model's file.
        folder: of the zip file; made if missing.
        facts: what only the user knows.
        scores: folder of an evaluation, or its `summary.json`; None: the card has no scores.
        overwrite: whether an earlier zip file is replaced.

    Returns:
        The zip file.

    Raises:
        UserError: there is such a file, the model can't be read, the scores are of another model, or the disk refuses.
    """
    path = folder / f"{facts.name}_v{pipeline.__version__}.zip"
    if path.exists() and not overwrite:
        raise UserError(f"{path} is there already: --overwrite replaces it, --name gives it another name")
    model = load_model(checkpoint)
    evaluation = None if scores is None else _evaluation(Path(scores), model)
    source = json.loads((config_folder() / "metadata.json").read_text(encoding="utf-8"))
    metadata = bundle_metadata(source, model, facts, evaluation)
    content: dict[str, bytes] = {
        f"configs/{file.name}": file.read_bytes() for file in sorted(config_folder().iterdir()) if file.is_file()
    }
    content |= {
        METADATA: (json.dumps(metadata, indent=4, ensure_ascii=False) + "\n").encode(),
        DEFAULT_MODEL: _model_bytes(checkpoint),
        CARD: card_text(model, facts.name, metadata, facts.licence, evaluation).encode(),
    }
    for name in ("bundle/LICENSE", *(["bundle/docs/data_license.txt"] if model.about else [])):
        if (found := data_file(name)) is not None:
            content[name.removeprefix("bundle/")] = found.read_bytes()
    try:
        with atomic_path(path) as partial, zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as bundle:
            for name, data in sorted(content.items()):
                entry = zipfile.ZipInfo(f"{facts.name}/{name}", _DATE)
                entry.external_attr = _MODE << 16
                bundle.writestr(entry, data, zipfile.ZIP_DEFLATED)
    except OSError as error:
        raise UserError(f"cannot write {path} ({error.strerror or error}); name another folder") from error
    return path


def bundle_metadata(
    source: Mapping[str, Any], model: TrainedModel, facts: BundleFacts, evaluation: Mapping[str, Any] | None
) -> dict[str, Any]:
    """`metadata.json` of a model's own bundle.

    Args:
        source: that of the package.
        model: in the bundle.
        facts: what only the user knows.
        evaluation: `summary.json` of an evaluation, if there is one.
    """
    phases = [phase.name for phase in model.phases]
    channels = int(model.network_settings.get("in_channels", 1))
    (image,), (pred,) = (source["network_data_format"][kind].values() for kind in ("inputs", "outputs"))
    shown = {"0": "grey"} if channels == 1 else {"0": "grey, without shading", "1": "grey, with its shading"}
    found = ", ".join(phases)
    normalised = "mean 0 and standard deviation 1 over the whole micrograph"
    return {
        **source,
        "changelog": {pipeline.__version__: "written by vlsenet bundle"},
        "version": pipeline.__version__,
        "required_packages_version": {**source["required_packages_version"], "vlsenet": pipeline.__version__},
        "name": model.about["title"] if model.about else facts.name,
        "task": f"Segmentation of {found} in scanning electron micrographs of rock",
        "description": f"{_KINDS[model.network_settings['network']]} that finds {found} in SEM images of rock, and "
        "measures their share",
        "authors": facts.authors,
        "copyright": f"weights: {facts.licence}; configs: {source['copyright']}",
        "data_source": facts.data_source,
        "image_classes": f"{channels} channel(s), {normalised}, {_SHADING[model.shading]}",
        "label_classes": f"{len(phases)} channel(s): {found}",
        "pred_classes": f"{len(phases)} channel(s), logits of {found}",
        "eval_metrics": {} if evaluation is None else score_names(evaluation),
        "network_data_format": {
            "inputs": {"image": {**image, "num_channels": channels, "channel_def": shown}},
            "outputs": {
                "pred": {
                    **pred,
                    "num_channels": len(phases),
                    "channel_def": {str(number): f"logit of {name}" for number, name in enumerate(phases)},
                }
            },
        },
    }


def _model_bytes(checkpoint: str) -> bytes:
    """The model's file; of `last.pt` without what only resuming a training needs."""
    content = read_model_file(checkpoint)
    if "training" not in content:
        return Path(checkpoint).read_bytes()
    buffer = io.BytesIO()
    torch.save({name: value for name, value in content.items() if name != "training"}, buffer)
    return buffer.getvalue()


def _evaluation(path: Path, model: TrainedModel) -> dict[str, Any]:
    """The summary of an evaluation of this model.

    Raises:
        UserError: there is none, or it is of another model.
    """
    file = path / "summary.json" if path.is_dir() else path
    try:
        summary: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        scored = summary["checkpoint_sha256"], score_names(summary)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"--scores {path}: no summary.json of vlsenet evaluate there; give its folder") from error
    if scored[0] != model.sha256:
        raise UserError(f"--scores {path}: these are the scores of another model than {model.path}; evaluate this one")
    return summary
