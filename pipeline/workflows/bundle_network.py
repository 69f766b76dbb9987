"""The network as programs that know MONAI's bundles take it: an image alone in, logits out, weights from `model.pt`."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from pipeline.networks.surroundings import reach_of_network, view_of_whole
from pipeline.text import TextFeatures, TextStore
from pipeline.workflows.export.exported_graph import TRACED_SIZE
from pipeline.workflows.items import Prompts
from pipeline.workflows.model_file import TrainedModel


class PromptedNetwork(nn.Module):
    """A network with the text that it is asked with, and nothing around its images.

    Args:
        network: called as `network(image, text, tokens)`.
        features: of the prompt, or of those of K phases.
    """

    text: torch.Tensor
    tokens: torch.Tensor

    def __init__(self, network: nn.Module, features: TextFeatures) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("text", features.text.clone())
        self.register_buffer("tokens", features.tokens.clone())

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Logits (N, K, H, W) of images (N, C, H, W)."""
        count = image.shape[0]
        text, tokens = (feature.expand(count, *feature.shape) for feature in (self.text, self.tokens))
        reach = reach_of_network(self.network)
        around = {} if reach is None else {"view": view_of_whole(image, reach)}
        logits: torch.Tensor = self.network(image, text, tokens, **around)
        return logits

    def __prepare_scriptable__(self) -> nn.Module:
        """What `torch.jit.script` takes in its place, as MONAI's `ckpt_export` calls it: scripting fails on the
        networks, and a traced one is the same."""
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            channels = int(getattr(self.network, "in_channels", 1))
            batch, *size = TRACED_SIZE
            example = torch.zeros(batch, channels, *size, device=self.text.device)
            traced: nn.Module = torch.jit.trace(self.eval(), example, check_trace=False)
        return traced


class BundleNetwork(nn.Module):
    """A model's network, on its own: for `verify_net_in_out`, `ckpt_export` and programs that read bundles.

    The engine of the commands gives it more than an image: the statistics of the whole micrograph, and what lies around
    a window. Here an image is a whole micrograph, around which nothing lies; the view of it is made from the image, so
    that its shading is left in only where a channel has it.

    Args:
        model: whose network it is; both share the weights.
        asked: the text that it is asked with, as `asked_prompts` gives it.

    Raises:
        UserError: the text is not stored.
    """

    def __init__(self, model: TrainedModel, asked: Prompts) -> None:
        super().__init__()
        self._asked = asked
        self.graph = PromptedNetwork(model.network, model.text.together(asked)).to(model.device)
        self.eval()

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Logits of each phase.

        Args:
            image: (N, C, H, W), mean 0 and spread 1 over the micrograph, sides of 16 pixels or more.

        Returns:
            (N, K, H, W).
        """
        logits: torch.Tensor = self.graph(image)
        return logits

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> Any:
        """Take the weights and the text of a model file, as `torch.load` gives it, or a state of this module."""
        if "vlsenet_format" not in state_dict:
            return super().load_state_dict(state_dict, strict, assign)
        text = TextStore()
        text.load_state_dict(state_dict["text"])
        features = text.together(self._asked)
        self.graph.text.copy_(features.text)
        self.graph.tokens.copy_(features.tokens)
        return self.graph.network.load_state_dict(state_dict["network"], strict, assign)
