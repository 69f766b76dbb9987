"""VLSE-Net: a U-Net calibrated by language (LSCM) and refined along thin structures (ASRM)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
from torch import nn

from pipeline.networks.asrm import ASRM
from pipeline.networks.blocks import part
from pipeline.networks.context import ContextBlock
from pipeline.networks.inputs import SegmentationOutput, check_image, check_mask, check_text, crop_to, pad_to_stride
from pipeline.networks.lscm import LSCM, LearnedText
from pipeline.networks.skip_gate import SkipGate
from pipeline.networks.switches import Switches
from pipeline.networks.unet import UNet

DEFAULT = Switches()


class VLSENet(UNet):
    """The U-Net of this package with the parts of VLSE-Net in their places.

    It takes text features as tensors: the text is encoded once, elsewhere. With every switch off it has the
    parameters of `UNet` and computes what that computes.
    """

    def __init__(
        self,
        in_channels: int = 1,
        out_channels: int = 1,
        features: Sequence[int] = (16, 32, 64, 128, 256),
        text_dim: int = 1024,
        norm: str = "instance",
        learned_text: bool = False,
        switches: Switches = DEFAULT,
    ) -> None:
        """
        Args:
            in_channels: channels of the image.
            out_channels: logits per pixel.
            features: widths of the four levels and the bottleneck.
            text_dim: D of the text features.
            norm: `batch`, `instance` or `group`, for the U-Net and its additions alike (published: batch for the
                U-Net, group for the additions).
            learned_text: add a learned text prior, or use it alone where no text is given.
            switches: which parts to build.

        Raises:
            ValueError: not five widths, or an unknown norm.
        """
        super().__init__(in_channels, out_channels, features, norm)
        self.text_dim = text_dim
        self.switches = switches
        *levels, bottleneck = features

        def asrm(on: bool, channels: int) -> nn.Module:
            return part(on, partial(ASRM, channels, norm, switches.snake_horizontal, switches.snake_vertical))

        self.lscm = LSCM(features, text_dim, norm, switches)
        self.asrm_skip = asrm(switches.asrm_skip, levels[-1])
        self.asrm_bottleneck = asrm(switches.asrm_bottleneck, bottleneck)
        self.asrm_decoder = asrm(switches.asrm_decoder, levels[-1])
        self.context = part(switches.context, partial(ContextBlock, bottleneck, norm))
        self.skip_gates = nn.ModuleList(
            part(switches.skip_gate, partial(SkipGate, skip, decoder))
            for skip, decoder in zip(levels, features[1:], strict=True)
        )
        self.learned_text = LearnedText(text_dim) if learned_text and switches.train_with_text else None

    def forward(  # type: ignore[override]  # in training it returns more than its baseline
        self,
        image: torch.Tensor,
        text: torch.Tensor | None = None,
        tokens: torch.Tensor | None = None,
        mask: torch.Tensor | None = None,
    ) -> torch.Tensor | SegmentationOutput:
        """
        Args:
            image: (N, C, H, W), sides of 16 pixels or more.
            text: global text feature (N, D). Needed by modulation, text adapters and alignment, unless learned.
            tokens: text token features (N, L, D). Needed by cross-attention, unless learned.
            mask: true mask (N, 1, H, W) in [0, 1]. Read in training for the alignment loss.

        Returns:
            Logits (N, out_channels, H, W). In training, with a mask and the alignment part: `SegmentationOutput`.

        Raises:
            ValueError: an input that is missing, or that does not fit the network or the image.
        """
        check_image(image, self.in_channels)
        region = mask if self.training and self.switches.alignment else None
        if region is not None:
            check_mask(region, image)
        batch = image.shape[0]
        reads_text = self.switches.read_global_text or region is not None
        text = self._features("text", text, 2, batch) if reads_text else None
        tokens = self._features("tokens", tokens, 3, batch) if self.switches.cross_attention else None

        # Encoder
        x1 = self.conv_0(pad_to_stride(image))
        x2 = self.down_1(x1)
        x3 = self.down_2(x2)
        x4 = self.down_3(x3)

        # Skips
        skips = [x1, x2, x3, self.asrm_skip(x4)]
        skips = [self.lscm.calibrate_skip(level, skip, text) for level, skip in enumerate(skips)]

        # Bottleneck
        x = self.down_4(x4)
        x = self.lscm.calibrate_bottleneck(x, text)
        x = self.asrm_bottleneck(x)
        x = self.context(x)
        x = bottleneck = self.lscm.attend_tokens(x, tokens)

        # Decoder
        x = self.upcat_4(x, self.skip_gates[3](skips[3], x))
        x = self.asrm_decoder(x)
        x = self.lscm.calibrate_decoder(3, x, text)

        x = self.upcat_3(x, self.skip_gates[2](skips[2], x))
        x = self.lscm.calibrate_decoder(2, x, text)

        x = self.upcat_2(x, self.skip_gates[1](skips[1], x))
        x = self.lscm.calibrate_decoder(1, x, text)

        x = self.upcat_1(x, self.skip_gates[0](skips[0], x))
        x = self.lscm.calibrate_decoder(0, x, text)

        logits = crop_to(self.final_conv(x), image)
        if region is None:
            return logits
        return SegmentationOutput(logits, self.lscm.alignment(bottleneck, text, pad_to_stride(region, "constant")))

    def _features(self, name: str, given: torch.Tensor | None, dims: int, batch: int) -> torch.Tensor:
        """The text's features, `text` (N, D) or `tokens` (N, L, D): as given, learned, or both."""
        if self.learned_text is None:
            return check_text(name, given, dims, batch, self.text_dim)
        if given is not None:
            check_text(name, given, dims, batch, self.text_dim)
        return self.learned_text.text(given, batch) if name == "text" else self.learned_text.tokens(given, batch)
