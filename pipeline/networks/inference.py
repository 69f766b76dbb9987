"""The form that a network takes for inference: the same function, in fewer and larger steps."""

from __future__ import annotations

import copy
import itertools
from typing import cast

import torch
from monai.networks.blocks import Convolution
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

from pipeline.networks.asrm import ASRM
from pipeline.networks.constant_text import with_constant_text
from pipeline.networks.context import ContextBlock
from pipeline.networks.folded_refinement import FoldedASRM, FoldedContext
from pipeline.networks.fused_convolution import JoinedConvolution, activated, convolution_in, convolution_of
from pipeline.networks.pinning import NORMS, PinnedPhrases
from pipeline.networks.unet import DecoderStage
from pipeline.networks.vlsenet import VLSENet


def fuse_norms(network: nn.Module) -> nn.Module:
    """Fold each batch norm into the convolution before it: the same function, with fewer passes over the features.

    A batch norm in evaluation mode scales and shifts each channel by constants, and so does the convolution's own
    weight and bias. Instance and group norm take their statistics from the tile, and stay; `pin_statistics` turns them
    into batch norms.

    Args:
        network: any network of this package, of which every convolution with a norm is MONAI's `Convolution`; it is
            left as it is.

    Returns:
        A copy, in evaluation mode. It can't be trained further, as nothing is normalised any more.
    """
    fused = copy.deepcopy(network).eval()
    for block in list(fused.modules()):
        children = dict(block.named_children())
        if not isinstance(block, Convolution) or "adn" not in children:
            continue
        for name, norm in list(children["adn"].named_children())[:1]:  # what follows the convolution at once
            if isinstance(norm, nn.BatchNorm2d):
                block.conv = fuse_conv_bn_eval(cast(nn.Conv2d, children["conv"]), norm)
                delattr(children["adn"], name)
    return fused


#: what the rows of a 3x3 kernel read, for either of the two fine rows in a coarse one: shares of the coarse rows
#: before, at and after (outer) for the fine rows before, at and after (inner), which lie a quarter of a coarse row off
_SHARES = (
    ((0.75, 0.25, 0.0), (0.25, 0.75, 0.75), (0.0, 0.0, 0.25)),
    ((0.25, 0.0, 0.0), (0.75, 0.75, 0.25), (0.0, 0.25, 0.75)),
)

#: fine pixels from the border where the four kernels do not hold, and coarse pixels from there that they depend on
_BORDER, _STRIP = 2, 2


class LowResolutionStage(nn.Module):
    """`DecoderStage` without the upsampled map and its concatenation with the skip: the same function.

    Bilinear upsampling by two and the 3x3 convolution after it are linear. Together they are four 3x3 convolutions of
    the coarse map, one for each of the four fine pixels in a coarse one, with as many operations. What is left out are
    two large maps, which take a CPU longer to write than to convolve.

    At the border, where upsampling repeats the last pixel and the convolution reads zeros, the stage is computed as
    `DecoderStage` does it.
    """

    def __init__(self, stage: DecoderStage) -> None:
        """
        Args:
            stage: whose layers to use. A norm between the first convolution and its activation is applied as ever.
        """
        super().__init__()
        self.skip_channels = stage.skip_channels
        self.upsample = stage.upsample
        self.first = stage.convs.get_submodule("conv_0")
        self.second = stage.convs.get_submodule("conv_1")
        whole = convolution_in(self.first)
        self.merge = JoinedConvolution(convolution_of(whole.weight[:, : self.skip_channels], whole.bias, padding=1))
        weight = whole.weight.detach()[:, self.skip_channels :]
        shares = torch.tensor(_SHARES, dtype=weight.dtype, device=weight.device)
        # outputs in the order in which the fine map lies in memory: its two rows, its two columns, channels
        with torch.autocast(weight.device.type, enabled=False):
            kernels = torch.einsum("rak,cbl,oikl->rcoiab", shares, shares, weight).flatten(0, 2)
        self.kernels = nn.Parameter(kernels, requires_grad=False)

    def forward(self, x: torch.Tensor, skip: torch.Tensor) -> torch.Tensor:
        """From x (N, G, H / 2, W / 2) and the skip (N, C, H, W) to (N, D, H, W)."""
        result: torch.Tensor = self.second(self.first.get_submodule("adn")(self._convolved(x, skip)))
        return result

    def _convolved(self, x: torch.Tensor, skip: torch.Tensor) -> torch.Tensor:
        convolution = convolution_in(self.first)
        *layers, upsampling = self.upsample
        for layer in layers:
            x = layer(x)
        merged: torch.Tensor = self.merge(skip, self._upsampled(x))
        for axis, last in itertools.product((2, 3), (False, True)):
            fine = [_end(skip, axis, 2 * _STRIP, last), upsampling(_end(x, axis, _STRIP, last))]
            exact = convolution(torch.cat(fine, dim=1))
            _end(merged, axis, _BORDER, last).copy_(_end(exact, axis, _BORDER, last))
        return merged

    def _upsampled(self, x: torch.Tensor) -> torch.Tensor:
        """What the upsampled map adds, (N, D, H, W)."""
        coarse = F.conv2d(x, self.kernels, padding=1).movedim(1, -1)
        # (N, H / 2, W / 2, 4 D) to (N, H, W, D): a coarse pixel has two pieces of two fine pixels each, in two rows
        rows = coarse.unflatten(-1, (2, -1)).transpose(2, 3).contiguous()
        return rows.flatten(1, 2).unflatten(-1, (2, -1)).flatten(2, 3).movedim(-1, 1)


def _end(maps: torch.Tensor, axis: int, length: int, last: bool) -> torch.Tensor:
    """The first or last `length` rows or columns of maps (N, C, H, W), or all where there are fewer."""
    length = min(length, maps.shape[axis])
    return maps.narrow(axis, maps.shape[axis] - length if last else 0, length)


def inference_form(
    network: nn.Module, text: torch.Tensor | None = None, tokens: torch.Tensor | None = None
) -> nn.Module:
    """A copy for inference on the device where the network is: norms with fixed statistics folded away, channels last.

    With a text it is for this text alone: what the text decides is folded into the layers beside it, and whatever text
    the copy is called with is not read (`constant_text`). Within autocast, it is for its precision alone.

    On a CPU, which waits for memory more than for arithmetic, decoder stages convolve before they upsample
    (`LowResolutionStage`), and convolutions end with what follows them (`fused_convolution`).

    Args:
        network: any network of this package; it is left as it is.
        text: global feature, the same in each row of (N, D), or for K phrases of (N, K, D); None: the network reads
            none, or each call has its own. Of a network with pinned statistics only.
        tokens: (N, L, D) or (N, K, L, D), likewise.

    Returns:
        A copy, in evaluation mode, that can't be trained further.
    """
    network = fuse_norms(network).to(memory_format=torch.channels_last)
    if text is not None or tokens is not None:
        _fold_texts(network, text, tokens)
    device = next(network.parameters()).device
    for parent in list(network.modules()):
        for name, module in list(parent.named_children()):
            if (replacement := _replacement(module, device)) is not None:
                setattr(parent, name, replacement)
    if device.type == "cpu":
        for module in network.modules():
            if isinstance(module, nn.LeakyReLU):
                module.inplace = False  # in half precision twice as fast there
            if isinstance(module, ASRM) and module.gate is not None:  # snakes sample map by map
                module.branches.to(memory_format=torch.contiguous_format)
                module.gate.to(memory_format=torch.contiguous_format)
        _fuse_activations(network)
    if torch.amp.is_autocast_available(device.type) and torch.is_autocast_enabled(device.type):
        return InPrecision(network, torch.get_autocast_dtype(device.type))
    return network


class InPrecision(nn.Module):
    """A network that runs in one precision, with its weights kept in it, in place of autocast's conversions.

    Norms and what is written to run in single precision does so as ever.

    Args:
        network: in its form for inference.
        kind: the precision.
    """

    def __init__(self, network: nn.Module, kind: torch.dtype) -> None:
        super().__init__()
        self.network = network
        self.kind = kind
        for module in network.modules():
            if not isinstance(module, NORMS):
                for name, parameter in module.named_parameters(recurse=False):
                    setattr(module, name, nn.Parameter(parameter.to(kind), requires_grad=False))

    def forward(
        self,
        image: torch.Tensor,
        text: torch.Tensor | None = None,
        tokens: torch.Tensor | None = None,
        mask: torch.Tensor | None = None,
        view: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """As the network's own."""
        around = {} if view is None else {"view": view.to(self.kind)}
        text, tokens = (None if feature is None else feature.to(self.kind) for feature in (text, tokens))
        with torch.autocast(image.device.type, enabled=False):
            result: torch.Tensor = self.network(image.to(self.kind), text, tokens, **around)
        return result


def _fold_texts(network: nn.Module, text: torch.Tensor | None, tokens: torch.Tensor | None) -> None:
    if isinstance(network, PinnedPhrases):
        for phrase, decoder in enumerate(network.decoders):
            with_constant_text(cast(VLSENet, decoder), *(_first(one, phrase) for one in (text, tokens)))
    elif isinstance(network, VLSENet):
        with_constant_text(network, *(_first(one) for one in (text, tokens)))


def _first(feature: torch.Tensor | None, phrase: int | None = None) -> torch.Tensor | None:
    """The first row (1, ...) of a phrase's features (N, ...), or of one of K phrases (N, K, ...)."""
    if feature is None:
        return None
    return feature[:1] if phrase is None else feature[:1, phrase]


def _replacement(module: nn.Module, device: torch.device) -> nn.Module | None:
    """What computes the same in fewer steps on this device; None: nothing does."""
    if isinstance(module, DecoderStage) and device.type == "cpu":
        return LowResolutionStage(module)
    if isinstance(module, (ASRM, ContextBlock)) and not any(isinstance(part, NORMS) for part in module.modules()):
        return FoldedASRM(module) if isinstance(module, ASRM) else FoldedContext(module)
    return None


def _fuse_activations(network: nn.Module) -> None:
    """Put `ActivatedConvolution` in the place of convolutions that have nothing but an activation after them."""
    for parent in list(network.modules()):
        for name, block in list(parent.named_children()):
            if isinstance(parent, LowResolutionStage) and block is parent.first:
                continue
            if (fused := activated(block)) is not None:
                setattr(parent, name, fused)
