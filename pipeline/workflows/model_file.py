"""The model file: weights with everything that inference needs, readable without running code."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import monai
import torch
from torch import nn

import pipeline
from pipeline.data import DatasetIndex
from pipeline.engine.familiarity import Familiarity
from pipeline.errors import UserError
from pipeline.files import sha256_of
from pipeline.foreground.measurement import BOTH, ShadingChoice
from pipeline.measure.model_error import ModelError
from pipeline.metrics.phase_metrics import THRESHOLD, metric_name
from pipeline.networks import VLSENet, build_network, memory_format
from pipeline.phases import PORE, LabelValues, Phase, phases_from
from pipeline.text import DEFAULT_PROMPT, TextStore, extend_text_store
from pipeline.wording import check_name, named_numbers, some_of
from pipeline.workflows.items import Prompts
from pipeline.workflows.tensor_file import load_tensors

logger = logging.getLogger("vlsenet")

#: what to give in place of a file that is no model
MODEL_REMEDY = "give best.pt of a training, or `default` for the model that comes with vlsenet"
#: of a model file whose network sees surroundings; with several phases, 2, and with one, 1, which earlier versions read
_FORMAT = 3
#: of the training data, where a model file does not say
_UNKNOWN: dict[str, Any] = {
    "pixel_sizes_nm": [],
    "flatten_shading": None,
    "start_from": None,
    "prompt": None,
    "sentences": None,
    "phases": [Phase.of(PORE).to_dict()],
    "values": None,
    "one_micrograph": False,
    "about": None,
    "held_out": {},
    "familiarity": None,
}


@dataclass(frozen=True)
class TrainedModel:
    """A model as it was read from its file.

    Attributes:
        network: in evaluation mode, on the device asked for.
        network_settings: the arguments of ``build_network`` that make it.
        text: the text features that it was trained with; more prompts may be added.
        thresholds: of each phase; pixels at or above this probability are of it; 0.5 unless the validation images gave
            clear evidence for another.
        data: what it was trained on: ``pore_label``, ``values`` (what label values meant, where there was one
            data set), ``phases``, ``one_micrograph`` (whether parts of one micrograph trained and validated),
            ``fingerprint``, ``pixel_sizes_nm`` (empty where not known),
            ``flatten_shading``, ``prompt`` and ``sentences`` (None where not known), ``train_images`` (their SHA-256,
            and those of the trainings before it) and ``start_from`` (SHA-256 of the model that it started from, or
            None); ``about``: of a published model, its `title`, what it was `trained_on` and `licence` in words;
            ``held_out``: by phase, area fractions of images of other micrographs; ``familiarity``: what the training
            images look like, or None.
        path: the file.
        sha256: hash of the file.
    """

    network: nn.Module
    network_settings: dict[str, Any]
    text: TextStore
    thresholds: tuple[float, ...]
    data: dict[str, Any]
    path: Path
    sha256: str

    @property
    def device(self) -> torch.device:
        """Where the network runs."""
        return next(self.network.parameters()).device

    @property
    def about(self) -> dict[str, str] | None:
        """Of a published model, its `title`, what it was `trained_on`, and `licence`."""
        about: dict[str, str] | None = self.data["about"]
        return about

    @property
    def title(self) -> str:
        """What it is called: its own name and what it was trained on, or its file."""
        return f"{self.about['title']}, trained on {self.about['trained_on']}" if self.about else str(self.path)

    @property
    def familiarity(self) -> Familiarity | None:
        """Of its training images; None where the file does not describe them."""
        kept = self.data["familiarity"]
        return None if kept is None else Familiarity.from_dict(kept)

    def error_of(self, phase: str) -> ModelError | None:
        """How far its area fraction of a phase is from the truth on micrographs that it had not seen, where known."""
        return ModelError.of(self.data["held_out"].get(phase, ()))

    @property
    def phases(self) -> tuple[Phase, ...]:
        """What the network is asked for, in the order of its logits."""
        return phases_from(self.data["phases"])

    @property
    def values(self) -> LabelValues | None:
        """What label values meant in its training, where that had one data set; files of earlier versions know pore."""
        if self.data["values"] is not None:
            return LabelValues.from_dict(self.data["values"])
        return None if self.data["pore_label"] is None else LabelValues.of_pore(self.data["pore_label"])

    @property
    def shading(self) -> ShadingChoice:
        """What the training did with shading: it was removed where the file does not say."""
        trained: ShadingChoice | None = self.data["flatten_shading"]
        return True if trained is None else trained

    @property
    def threshold(self) -> float | dict[str, float]:
        """As the option `threshold` takes it: a number for one phase, numbers by name for several."""
        return self.named(self.thresholds)

    def named(self, thresholds: Sequence[float]) -> float | dict[str, float]:
        """Thresholds of all its phases as the option takes them, and results keep them."""
        if len(thresholds) == 1:
            return thresholds[0]
        return {phase.name: value for phase, value in zip(self.phases, thresholds, strict=True)}

    def thresholds_for(
        self, given: float | str | Mapping[str, float], phases: Sequence[Phase] | None = None
    ) -> tuple[float, ...]:
        """The threshold of each phase: as given, or else the model's own.

        Args:
            given: as the option `threshold` takes it: one number for all, or numbers by name.
            phases: of the model; None: all.

        Raises:
            UserError: a name is that of no phase of the model.
        """
        asked = self.phases if phases is None else phases
        found = named_numbers(given) if isinstance(given, str) else given
        if not isinstance(found, Mapping):
            return (float(found),) * len(asked)
        own = {phase.name: value for phase, value in zip(self.phases, self.thresholds, strict=True)}
        for name in found:
            check_name("--threshold", name, tuple(own))
        return tuple(float({**own, **found}[phase.name]) for phase in asked)

    def logits_of(self, phases: Sequence[Phase]) -> list[int] | None:
        """Which of the network's logits are those of some of its phases; None: it gives those that it is asked for."""
        if isinstance(self.network, VLSENet) or len(phases) == len(self.phases):
            return None
        names = [phase.name for phase in self.phases]
        return [names.index(phase.name) for phase in phases]

    @property
    def reach(self) -> int | None:
        """How far the network sees beyond its window (px); None: not at all."""
        reach: int | None = self.network_settings.get("reach")
        return reach

    @property
    def reads_text(self) -> bool:
        """Whether text features change what the network says."""
        return isinstance(self.network, VLSENet) and self.network.switches.read_text

    @property
    def reads_prompt(self) -> bool:
        """Whether a prompt changes what the model says."""
        return self.reads_text and self.text.reads_prompts

    def learn_prompts(self, prompts: Iterable[str], weights: str | None = None) -> TextStore:
        """Encode the prompts that the model does not know yet, by the text tower that it was trained with.

        Returns:
            The model's text store, with these prompts in it.

        Raises:
            UserError: a prompt is new and the tower's weights can't be reached.
        """
        prompts = list(prompts)
        # of several phases the phrases are asked whether anybody wrote them or not
        if not self.reads_prompt and set(prompts) - {DEFAULT_PROMPT, *(phase.prompt for phase in self.phases)}:
            source = f"text_source {self.text.provenance['source']}" if self.reads_text else "a network without text"
            logger.warning("this model has %s and reads no prompt; texts do nothing", source)
        extend_text_store(self.text, prompts, weights=weights)
        return self.text

    def ask(self, prompts: Iterable[Prompts], sentences: bool, weights: str | None = None) -> TextStore:
        """Learn the texts that images are asked with, and log what they are, and whether the training asked otherwise.

        Args:
            prompts: of each image, one or one for each phase.
            sentences: whether they are the images' own sentences, where there are any.
            weights: as for `learn_prompts`.

        Raises:
            UserError: as `learn_prompts`.
        """
        each = [[asked] if isinstance(asked, str) else asked for asked in prompts]
        distinct = list(dict.fromkeys(prompt for asked in each for prompt in asked))
        store = self.learn_prompts(distinct, weights)
        if self.reads_prompt:
            logger.info("text asked: %s", some_of([repr(prompt) for prompt in distinct], max(3, len(self.phases))))
            trained = {name: self.data.get(name) for name in ("prompt", "sentences")}
            if None not in trained.values() and trained["sentences"] != sentences:
                way = "each image's own sentence" if trained["sentences"] else repr(trained["prompt"])
                given = str(trained["sentences"]).lower()
                logger.info("%s was trained with %s: --sentences %s asks likewise", self.path, way, given)
        return store


def model_content(
    network: nn.Module,
    network_settings: Mapping[str, Any],
    text: TextStore,
    data: DatasetIndex,
    metrics: Mapping[str, float],
    pixel_sizes_nm: Sequence[float] = (),
    flatten_shading: ShadingChoice | None = None,
    origin: TrainedModel | None = None,
    asked: Prompts | None = None,
    sentences: bool | None = None,
    areas: Mapping[str, Sequence[Mapping[str, float]]] | None = None,
) -> dict[str, Any]:
    """The content of a model file, for ``torch.save``: tensors and plain values only.

    ``metrics`` are those of the last validation; its thresholds belong to the model. ``pixel_sizes_nm`` are
    those of the training images, as far as they are known; ``flatten_shading``: whether shading was removed from them.
    ``origin``: the model whose weights the training started with; its training images count for this model, too.
    ``asked``: the phrase of each phase; ``sentences``: whether it was each image's own, where there was one.
    ``areas``: area fractions of the validation images by phase (`PhaseMetrics.areas`).
    """
    own = [sample.image_sha256 for sample in data.samples if sample.split == "train"]
    settings = dict(network_settings)
    reach = settings.pop("reach", None)  # earlier versions do not know it
    return {
        "vlsenet_format": _FORMAT if reach is not None else 1 if len(data.phases) == 1 else 2,
        "network": network.state_dict(),
        "network_settings": settings if reach is None else {**settings, "reach": reach},
        "text": text.state_dict(),
        **_kept_thresholds(data.phases, metrics),
        "data": {
            "pore_label": data.pore_label,
            "fingerprint": data.fingerprint()["hash"],
            # the hashes show later whether an image was trained on
            "pixel_sizes_nm": list(pixel_sizes_nm),
            "flatten_shading": flatten_shading,
            "prompt": asked,
            "sentences": sentences,
            "phases": [phase.to_dict() for phase in _asked_with(data.phases, asked)],
            "values": data.values[0].to_dict() if len(data.values) == 1 else None,
            "one_micrograph": data.one_micrograph,
            "train_images": list(dict.fromkeys([*own, *(origin.data["train_images"] if origin else ())])),
            "start_from": origin.sha256 if origin else None,
            "held_out": _held_out(data, areas or {}, origin.data["train_images"] if origin else ()),
        },
        "versions": {"vlsenet": pipeline.__version__, "torch": str(torch.__version__), "monai": monai.__version__},
    }


def _held_out(
    data: DatasetIndex, areas: Mapping[str, Sequence[Mapping[str, float]]], known: Iterable[str]
) -> dict[str, list[dict[str, Any]]]:
    """Area fractions of validation images with their sources, by phase.

    Parts of a micrograph that was trained on say nothing, nor do images that the model before was trained on (`known`,
    their SHA-256).
    """
    if data.one_micrograph or not areas:
        return {}
    samples, seen = data.select("val"), set(known)
    return {
        phase: [
            {"source": samples[int(image["number"])].source, **{k: v for k, v in image.items() if k != "number"}}
            for image in images
            if samples[int(image["number"])].image_sha256 not in seen
        ]
        for phase, images in areas.items()
    }


def _kept_thresholds(phases: Sequence[Phase], metrics: Mapping[str, float]) -> dict[str, Any]:
    """Of one phase as earlier versions read it; 0.5 for a phase that no validation image names."""
    if len(phases) == 1:
        return {"threshold": float(metrics.get(metric_name(THRESHOLD), 0.5))}
    return {"thresholds": [float(metrics.get(metric_name(THRESHOLD, phase.name), 0.5)) for phase in phases]}


def _asked_with(phases: Sequence[Phase], asked: Prompts | None) -> Sequence[Phase]:
    """The phases, each with the phrase that the training asked for it with."""
    if asked is None:
        return phases
    prompts = [asked] if isinstance(asked, str) else asked
    return [Phase(phase.name, prompt) for phase, prompt in zip(phases, prompts, strict=True)]


def read_model_file(path: str) -> dict[str, Any]:
    """Read the content of a model file as :func:`model_content` made it; nothing in it is executed.

    Args:
        path: ``best.pt`` or ``last.pt`` of a training.

    Raises:
        UserError: not a model file, a damaged one, or one of a later version.
    """
    content = load_tensors(path, MODEL_REMEDY)
    if not isinstance(content, dict) or "vlsenet_format" not in content:
        raise UserError(f"{path} is not a VLSE-Net checkpoint; {MODEL_REMEDY}")
    if content["vlsenet_format"] > _FORMAT:
        version = content["versions"]["vlsenet"]
        raise UserError(f"{path} was written by vlsenet {version}; install that version or a later one")
    return {**content, "data": {**_UNKNOWN, **content["data"]}}


def refuse_other_shading(trained: ShadingChoice | None, asked: ShadingChoice | None, path: str | Path) -> None:
    """Refuse images with their shading beside, for a network that takes them without, or the other way round.

    Args:
        trained: what the training did with shading.
        asked: what shall be done now; None: the same.
        path: of the model.

    Raises:
        UserError: the network takes another number of channels.
    """
    if asked is not None and (trained == BOTH) != (asked == BOTH):
        seen = "with and without their shading" if trained == BOTH else "once"
        raise UserError(
            f"--flatten_shading {str(asked).lower()}: {path} was trained on images that it sees {seen}; "
            "leave the option out"
        )


def load_model(
    path: str, device: torch.device | str = "cpu", flatten_shading: ShadingChoice | None = None
) -> TrainedModel:
    """Load the model from a file.

    Args:
        path: ``best.pt`` or ``last.pt`` of a training.
        device: where the network will run.
        flatten_shading: whether shading will be removed from the images; a training that did otherwise is reported.

    Raises:
        UserError: as :func:`read_model_file`.
    """
    content = read_model_file(path)
    trained = content["data"]["flatten_shading"]
    refuse_other_shading(trained, flatten_shading, path)
    if None not in (trained, flatten_shading) and trained != flatten_shading:
        way = "removed from" if trained else "left in"
        logger.warning(
            "%s was trained with shading %s its images: give --flatten_shading %s", path, way, str(trained).lower()
        )
    with torch.device("cpu"):  # a caller's program may have another default, of the type of numbers too
        network = build_network(**content["network_settings"]).float()
        network.load_state_dict(content["network"])
        text = TextStore()
        text.load_state_dict(content["text"])
    model = TrainedModel(
        network.to(device).to(memory_format=memory_format(content["network_settings"]["norm"])).eval(),
        content["network_settings"],
        text,
        tuple(map(float, content["thresholds"] if "thresholds" in content else [content["threshold"]])),
        content["data"],
        Path(path),
        sha256_of(path),
    )
    if model.about:
        logger.info("model: %s", model.title)
    return model
