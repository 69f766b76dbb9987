"""A network for one text: what the text decides is folded into the layers beside it, and no text is read any more.

For one scan and one phrase, gamma and beta of every modulation, the text adapters, keys and values of the attention,
and the text's part of the last convolution are numbers. So are, with pinned statistics, the channel factors of skip
gates.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from typing import NamedTuple, cast

import torch
from torch import nn
from torch.nn import functional as F

from pipeline.networks.blocks import LeftOut, SpatialMean
from pipeline.networks.fused_convolution import (
    ActivatedConvolution,
    JoinedConvolution,
    bias_of,
    convolution_in,
    convolution_of,
)
from pipeline.networks.inputs import STRIDE
from pipeline.networks.kernels import runs_now
from pipeline.networks.lscm import SemanticModulation, TextAdapter, TextHead, TokenCrossAttention
from pipeline.networks.pinning import PinnedMean
from pipeline.networks.skip_gate import SkipGate
from pipeline.networks.unet import DecoderStage
from pipeline.networks.vlsenet import VLSENet

#: a factor of channels is at least so large where others are divided by it; 0 would be rounding beside features
_SMALLEST = 1e-6


class Affine(NamedTuple):
    """What a modulation does to each channel: `features * scale + shift`, (C,) each."""

    scale: torch.Tensor
    shift: torch.Tensor


def with_constant_text(network: VLSENet, text: torch.Tensor | None, tokens: torch.Tensor | None) -> None:
    """Fold a text into a network, in place: the same function, which reads no text.

    Args:
        network: with pinned statistics, its norms folded away (`fuse_norms`), in evaluation mode.
        text: global feature of one phrase (1, D), or None where the network reads none.
        tokens: of the phrase (1, L, D), likewise.

    Raises:
        ValueError: the statistics are not pinned, or a text is missing or does not fit the network.
    """
    if any(isinstance(module, SpatialMean) and not isinstance(module, PinnedMean) for module in network.modules()):
        raise ValueError("a text is folded into a network with pinned statistics: pin them first")
    # in full precision, whatever the network runs in
    device = next(network.parameters()).device.type
    single = torch.autocast(device, enabled=False) if torch.amp.is_autocast_available(device) else nullcontext()
    with torch.no_grad(), single:
        if network.switches.read_global_text:
            _fold_text(network, network.features_of("text", text, 2, 1))
        else:
            _fold_gates(network, [None] * len(network.skip_gates))
        attention = network.lscm.cross_attention
        if isinstance(attention, TokenCrossAttention):
            asked = network.features_of("tokens", tokens, 3, 1)
            network.lscm.cross_attention = ConstantAttention(attention, asked)
    network.lscm.alignment = LeftOut()
    network.learned_text = None
    unread = (
        "modulate_skips",
        "modulate_bottleneck",
        "modulate_decoder",
        "text_adapters",
        "cross_attention",
        "text_head",
    )
    network.switches = replace(network.switches, **dict.fromkeys(unread, False))


def _fold_text(network: VLSENet, text: torch.Tensor) -> None:
    lscm = network.lscm
    _fold_gates(network, [_affine(module, text) for module in lscm.skips])
    lscm.bottleneck = _constant(_affine(lscm.bottleneck, text))
    if isinstance(lscm.head, TextHead):
        network.final_conv = _with_text_head(network.final_conv, lscm.head, text)
        lscm.head = LeftOut()
    for level, (module, adapter) in enumerate(zip(lscm.decoder, lscm.adapters, strict=True)):
        own = _affine(module, text)
        if isinstance(adapter, TextAdapter):
            own = own or _nothing(convolution_in(adapter.h[1]))
            lscm.adapters[level] = ConstantAdapter(adapter, text, own)
            _scale_what_follows(network, level, own.scale)
        # what the surroundings add is not modulated; by the reach, as the branch itself is the encoder's
        elif own is not None and level == 0 and network.reach is None:
            network.final_conv = _after(own, network.final_conv)
        else:
            lscm.adapters[level] = _constant(own)
        lscm.decoder[level] = LeftOut()


def _fold_gates(network: VLSENet, affines: list[Affine | None]) -> None:
    for level, (gate, own) in enumerate(zip(network.skip_gates, affines, strict=True)):
        folded = isinstance(gate, SkipGate)
        if isinstance(gate, SkipGate):
            network.skip_gates[level] = ConstantGate(gate, own or _nothing(gate.skip_to_spatial, of_inputs=True), level)
        network.lscm.skips[level] = LeftOut() if folded else _constant(own)


def _affine(module: nn.Module, text: torch.Tensor) -> Affine | None:
    if not isinstance(module, SemanticModulation):
        return None
    mean = None if module.mean is None else cast(PinnedMean, module.mean).mean[None]
    scale, shift = module.scale_and_shift(text, mean)
    return Affine(scale[0], shift[0])


def _nothing(convolution: nn.Conv2d, of_inputs: bool = False) -> Affine:
    """For the outputs of a convolution, or for its inputs."""
    weight = convolution.weight
    ones = weight.new_ones(weight.shape[1 if of_inputs else 0])
    return Affine(ones, torch.zeros_like(ones))


def _constant(affine: Affine | None) -> nn.Module:
    """A modulation by constants as one step, which batch norm's kernel is in every layout; None: nothing to do."""
    if affine is None:
        return LeftOut()
    channels = len(affine.scale)
    step = nn.BatchNorm2d(channels, eps=1.0, device=affine.scale.device, dtype=affine.scale.dtype).eval()
    step.running_var = torch.zeros_like(affine.scale)  # and 1, the eps, divide by 1: some PyTorch refuses an eps of 0
    step.weight, step.bias = (nn.Parameter(value.clone(), requires_grad=False) for value in affine)
    return _OneInput(step)


class _OneInput(nn.Module):
    """A layer where a modulation was, called as that."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, features: torch.Tensor, *_: torch.Tensor | None) -> torch.Tensor:
        result: torch.Tensor = self.layer(features)
        return result


def _after(affine: Affine, convolution: nn.Conv2d) -> nn.Conv2d:
    """A 1x1 convolution of what an affine gives, of what that gets."""
    weight = convolution.weight
    bias = bias_of(convolution) + weight.flatten(1) @ affine.shift
    return convolution_of(weight * affine.scale[:, None, None], bias)


def _with_text_head(convolution: nn.Conv2d, head: TextHead, text: torch.Tensor) -> nn.Conv2d:
    weight, bias = head.to_weight_bias(text)[0].tensor_split([-1])
    return convolution_of(convolution.weight + weight[:, None, None], bias_of(convolution) + bias)


def _scale_what_follows(network: VLSENet, level: int, scale: torch.Tensor) -> None:
    """Let the stage and gate that read a decoder feature multiply its channels."""
    stage = cast(DecoderStage, network.get_submodule(f"upcat_{level}"))
    first = next((layer for layer in stage.upsample if isinstance(layer, nn.Conv2d)), None)
    if first is not None:
        _scale_inputs(first, scale)
    else:  # what it upsamples comes after the skip
        merging = convolution_in(stage.convs.get_submodule("conv_0"))
        _scale_inputs(merging, F.pad(scale, (stage.skip_channels, 0), value=1.0))
    gate = network.skip_gates[level - 1]
    if isinstance(gate, ConstantGate):
        _scale_inputs(gate.decoder_to_spatial, scale)


def _scale_inputs(convolution: nn.Conv2d, scale: torch.Tensor) -> None:
    _set(convolution, convolution.weight * scale[:, None, None], convolution.bias)


def _set(convolution: nn.Conv2d, weight: torch.Tensor, bias: torch.Tensor | None) -> None:
    """Give a convolution weights of its own: those of other phrases' decoders may be the same parameters."""
    convolution.weight = nn.Parameter(weight.detach(), requires_grad=False)
    convolution.bias = None if bias is None else nn.Parameter(bias.detach(), requires_grad=False)


class ConstantGate(nn.Module):
    """Modulation of a skip and its `SkipGate`, with channel factors that are constants.

    Args:
        gate: its weights are used.
        affine: the modulation of the skip before it.
        level: of the skip; there sides are multiples of 16 px, halved so many times.
    """

    strength: torch.Tensor

    def __init__(self, gate: SkipGate, affine: Affine, level: int) -> None:
        super().__init__()
        decoder_mean, skip_mean = (cast(PinnedMean, one).mean for one in (gate.decoder_mean, gate.skip_mean))
        factors = gate.channel_factors(decoder_mean[None].to(affine.scale), skip_mean[None].to(affine.scale))[0]
        plain, channels = _after(affine, gate.skip_to_spatial), len(factors)
        self.skip_to_spatial, self.decoder_to_spatial = gate.skip_to_spatial, gate.decoder_to_spatial
        _set(self.skip_to_spatial, plain.weight, None)
        _set(self.decoder_to_spatial, gate.decoder_to_spatial.weight, plain.bias)  # upsampling leaves it as it is
        self.register_buffer("strength", gate.spatial_strength.tanh().to(factors.dtype), persistent=False)
        weight = torch.diag(affine.scale * factors)[..., None, None]
        self.scale = JoinedConvolution(convolution_of(weight, affine.shift * factors), "mul")
        together = STRIDE >> level
        one_pixel = self.strength.expand(channels, 1)
        spread = torch.block_diag(*[one_pixel] * together)[..., None, None]
        self.spread = convolution_of(spread, factors.new_ones(len(spread)))

    def forward(self, skip: torch.Tensor, decoder: torch.Tensor) -> torch.Tensor:
        """Gate the skip (N, C, H, W) by the decoder feature (N, G, H / 2, W / 2)."""
        coarse = F.interpolate(self.decoder_to_spatial(decoder), scale_factor=2.0, mode="bilinear", align_corners=False)
        spatial = self.skip_to_spatial(skip).add_(coarse).tanh_()
        if runs_now(spatial):
            return self.scale(skip, self._factors(spatial))  # type: ignore[no-any-return]
        scaled: torch.Tensor = self.scale.convolution(skip)
        return torch.addcmul(scaled, scaled, (self.strength * spatial).to(scaled.dtype))

    def _factors(self, spatial: torch.Tensor) -> torch.Tensor:
        """What each pixel is multiplied by in all of its channels, from the gate (N, 1, H, W), on a CPU.

        A CPU broadcasts a pixel over its channels in a loop of its own. So the pixels of a line are taken together, as
        channels, and a convolution repeats each of them.
        """
        batch, _, height, width = spatial.shape
        lines = spatial.view(batch, height, -1, self.spread.in_channels).movedim(-1, 1)
        repeated: torch.Tensor = self.spread(lines).movedim(1, -1)
        return repeated.reshape(batch, height, width, -1).movedim(-1, 1)


class ConstantAdapter(nn.Module):
    """Modulation and `TextAdapter` of a decoder feature, but for the modulation's scale.

    The scale of the features themselves is left to what reads the sum: with it, they could not be added by the
    convolution that ends the adapter.

    Args:
        adapter: its weights are used.
        text: (1, D).
        affine: the modulation before it.
    """

    def __init__(self, adapter: TextAdapter, text: torch.Tensor, affine: Affine) -> None:
        super().__init__()
        gamma, beta = adapter.to_gamma_beta(text)[0].chunk(2)
        size = affine.scale.abs().clamp(min=_SMALLEST)
        divisor = torch.where(affine.scale < 0, -size, size)
        self.first = ActivatedConvolution(_after(affine, convolution_in(adapter.h[0])), "gelu")
        weight = convolution_in(adapter.h[1]).weight * (adapter.strength * (1 + gamma) / divisor)[:, None, None, None]
        self.second = JoinedConvolution(convolution_of(weight, (adapter.strength * beta + affine.shift) / divisor))

    def forward(self, x: torch.Tensor, *_: torch.Tensor | None) -> torch.Tensor:
        """Refine the features x (N, C, H, W)."""
        refined: torch.Tensor = self.second(self.first(x), x)
        return refined


class ConstantAttention(nn.Module):
    """`TokenCrossAttention` with keys and values that are constants.

    Args:
        attention: its weights are used.
        tokens: (1, L, D).
    """

    def __init__(self, attention: TokenCrossAttention, tokens: torch.Tensor) -> None:
        super().__init__()
        block = attention.attention
        read = attention.text_norm(tokens)
        self.scale = block.scale
        self.keys, self.values = (
            nn.Parameter(block.input_rearrange(project(read)), requires_grad=False)
            for project in (block.to_k, block.to_v)
        )
        self.norm = attention.visual_norm
        self.to_queries = convolution_of(block.to_q.weight[..., None, None], block.to_q.bias)
        gate = attention.to_gate(tokens.mean(dim=1)).sigmoid()[0]
        last = block.out_proj
        self.join = JoinedConvolution(convolution_of((last.weight * gate[:, None])[..., None, None], last.bias * gate))

    def forward(self, x: torch.Tensor, *_: torch.Tensor | None) -> torch.Tensor:
        """Let the features x (N, C, H, W) read the tokens."""
        normalised = self.norm(x.movedim(1, -1)).movedim(-1, 1)
        queries = self.to_queries(normalised).movedim(1, -1).flatten(1, 2)
        batch, heads = len(x), self.keys.shape[1]
        queries = queries.unflatten(-1, (heads, -1)).transpose(1, 2)
        keys, values = (one.to(queries.dtype).expand(batch, -1, -1, -1) for one in (self.keys, self.values))
        read = F.scaled_dot_product_attention(queries, keys, values, scale=self.scale)
        read = read.transpose(1, 2).flatten(2).unflatten(1, x.shape[2:]).movedim(-1, 1)
        joined: torch.Tensor = self.join(read, x)
        return joined
