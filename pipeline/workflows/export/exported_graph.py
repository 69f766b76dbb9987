"""What is exported: image to the probability of each phase, with the text built in or as inputs."""

from __future__ import annotations

from functools import cached_property

import torch
from torch import nn
from torch.export import Dim, ExportedProgram
from torch.nn import functional as F

from pipeline.errors import UserError
from pipeline.networks.inputs import STRIDE
from pipeline.networks.surroundings import no_view, reach_of_network, view_of_whole, view_side
from pipeline.text import TextFeatures
from pipeline.workflows.model_file import TrainedModel

OUTPUT = "probability"
#: N, H, W while tracing: no two alike and none of a special form, so that no size is taken for a constant.
TRACED_SIZE = (2, 80, 52)

Inputs = dict[str, torch.Tensor]
Axes = dict[int, str]


class PhaseProbability(nn.Module):
    """A network with the text features that it was given: image to probability of each phase.

    Args:
        network: called as `network(image, text, tokens)`.
        features: built into the graph, for every image: of one prompt, or of those of K phases. None: the graph's
            inputs give them, or the network reads none.
    """

    text: torch.Tensor | None
    tokens: torch.Tensor | None

    def __init__(self, network: nn.Module, features: TextFeatures | None = None) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("text", None if features is None else features.text.clone())
        self.register_buffer("tokens", None if features is None else features.tokens.clone())
        self.eval()

    def forward(
        self, image: torch.Tensor, text: torch.Tensor | None = None, tokens: torch.Tensor | None = None
    ) -> torch.Tensor:
        """
        Args:
            image: (N, C, H, W), mean 0 and spread 1 over the micrograph, sides of 16 pixels or more.
            text: global text feature (N, D), or of K phases (N, K, D), where it is not built in.
            tokens: text token features (N, L, D), or of K phases (N, K, L, D), where they are not built in.

        Returns:
            Probability of each phase (N, K, H, W).
        """
        return self._probability(image, text, tokens)

    def _probability(
        self, image: torch.Tensor, text: torch.Tensor | None, tokens: torch.Tensor | None, **around: torch.Tensor
    ) -> torch.Tensor:
        batch = image.shape[0]
        if self.text is not None:
            text = self.text.expand(batch, *self.text.shape)
        if self.tokens is not None:
            tokens = self.tokens.expand(batch, *self.tokens.shape)
        logits: torch.Tensor = self.network(image, text, tokens, **around)
        return logits.sigmoid()


class PhaseProbabilityInView(PhaseProbability):
    """The same of a network that sees what lies around the image."""

    def forward(  # type: ignore[override]  # the second input is needed, those of texts may be missing
        self,
        image: torch.Tensor,
        view: torch.Tensor,
        text: torch.Tensor | None = None,
        tokens: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """
        Args:
            image: as for `PhaseProbability`.
            view: around the image (N, 2, H', W'), as for the network.
            text: as for `PhaseProbability`.
            tokens: likewise.

        Returns:
            Probability of each phase (N, K, H, W).
        """
        return self._probability(image, text, tokens, view=view)


class PhaseProbabilityOfWhole(PhaseProbability):
    """The same of whole micrographs, around which nothing lies: the view of one is made from its image."""

    def _probability(
        self, image: torch.Tensor, text: torch.Tensor | None, tokens: torch.Tensor | None, **around: torch.Tensor
    ) -> torch.Tensor:
        reach = reach_of_network(self.network)
        if reach is not None:
            around = {"view": view_of_whole(image, reach)}
        return super()._probability(image, text, tokens, **around)


class ExportSource:
    """A trained model ready for export, on the CPU and in float32.

    Args:
        model: what is exported.
        features: text features of the prompt, or of those of the model's phases.
        text_inputs: leave the text features as inputs, rather than building in those given.
        of_whole: take an image for a whole micrograph, rather than what lies around it as an input.

    Raises:
        UserError: text inputs for a network that reads no text.
    """

    def __init__(self, model: TrainedModel, features: TextFeatures, text_inputs: bool, of_whole: bool = False) -> None:
        if text_inputs and not model.reads_text:
            raise UserError(f"--text_inputs: the network in {model.path} reads no text; remove the option")
        self.model = model
        self.features = features
        self.reads_text = model.reads_text
        self.text_inputs = text_inputs
        network = model.network.to("cpu", torch.float32).to(memory_format=torch.contiguous_format)
        self._reach = None if of_whole else model.reach  # of the view that is an input
        kind = PhaseProbability if self._reach is None else PhaseProbabilityInView
        self.graph = (PhaseProbabilityOfWhole if of_whole else kind)(
            network, features if model.reads_text and not text_inputs else None
        )

    @property
    def axes(self) -> dict[str, Axes]:
        """Each input's axes of free size, by name."""
        axes: dict[str, Axes] = {"image": {0: "batch", 2: "height", 3: "width"}}
        if self._reach is not None:
            axes["view"] = {0: "batch", 2: "view_height", 3: "view_width"}
        if self.text_inputs:
            axes |= {"text": {0: "batch"}, "tokens": {0: "batch"}}
        return axes

    def inputs(self, batch: int, height: int, width: int) -> Inputs:
        """Noise of mean 0 and spread 1 as images (N, C, H, W), and where texts are inputs a text of its own for each;
        noise as what lies around them, where the network sees it.

        Random ones of the features' sizes and lengths: a graph that reads the wrong text, or none, must be seen.
        """
        generator = torch.Generator().manual_seed(height * width)
        channels = int(self.model.network_settings.get("in_channels", 1))
        inputs = {"image": torch.randn(batch, channels, height, width, generator=generator)}
        view = no_view(inputs["image"], self._reach)
        if view is not None:
            inputs["view"] = torch.randn(view.shape, generator=generator)
        if self.text_inputs:
            for name, own in (("text", self.features.text), ("tokens", self.features.tokens)):
                inputs[name] = F.normalize(torch.randn(batch, *own.shape, generator=generator), dim=-1)
        return inputs

    @cached_property
    def program(self) -> ExportedProgram:
        """The graph by `torch.export`, which the ONNX file is made from too."""
        smallest = {"batch": 1, "height": STRIDE, "width": STRIDE}
        if self._reach is not None:
            smallest |= dict.fromkeys(("view_height", "view_width"), view_side(STRIDE, self._reach))
        free = {
            name: {axis: Dim.DYNAMIC(min=smallest[size]) for axis, size in axes.items()}
            for name, axes in self.axes.items()
        }
        with torch.no_grad():
            return torch.export.export(self.graph, (), self.inputs(*TRACED_SIZE), dynamic_shapes=free)
