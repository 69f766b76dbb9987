"""The form that a network takes for inference: the same function, in fewer and larger steps."""

from __future__ import annotations

import torch
from torch import nn

from pipeline.networks.asrm import ASRM
from pipeline.networks.fusion import fuse_norms
from pipeline.networks.low_resolution import LowResolutionStage
from pipeline.networks.unet import DecoderStage


def inference_form(network: nn.Module) -> nn.Module:
    """A copy for inference on the device where the network is: norms with fixed statistics folded away, channels last.

    On a CPU, which waits for memory more than for arithmetic, decoder stages convolve before they upsample
    (`LowResolutionStage`).

    Args:
        network: any network of this package; it is left as it is.

    Returns:
        A copy, in evaluation mode, that can't be trained further.
    """
    network = fuse_norms(network).to(memory_format=torch.channels_last)
    if next(network.parameters()).device.type != "cpu":
        return network
    for name, module in list(network.named_children()):
        if isinstance(module, DecoderStage):
            setattr(network, name, LowResolutionStage(module))
    for module in network.modules():
        if isinstance(module, ASRM) and module.gate is not None:  # snakes sample map by map
            module.branches.to(memory_format=torch.contiguous_format)
            module.gate.to(memory_format=torch.contiguous_format)
    return network
