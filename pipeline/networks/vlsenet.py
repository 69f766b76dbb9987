"""VLSE-Net: a U-Net calibrated by language (LSCM) and refined along thin structures (ASRM)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
from torch import nn

from pipeline.networks.asrm import ASRM
from pipeline.networks.blocks import part
from pipeline.networks.context import ContextBlock
from pipeline.networks.inputs import (
    Encoded,
    SegmentationOutput,
    check_mask,
    check_text,
    crop_to,
    pad_to_stride,
    phrase_count,
)
from pipeline.networks.known_pairs import Pairs
from pipeline.networks.learned_text import LearnedText
from pipeline.networks.lscm import LSCM
from pipeline.networks.skip_gate import SkipGate
from pipeline.networks.surroundings import with_surroundings
from pipeline.networks.switches import Switches
from pipeline.networks.unet import UNet

DEFAULT = Switches()


class VLSENet(UNet):
    """The U-Net of this package with the parts of VLSE-Net in their places.

    It takes text features as tensors: the text is encoded once, elsewhere. With every switch off it has the
    parameters of `UNet` and computes what that computes.

    The encoder reads no text. So of several phrases asked about an image each takes a pass of the decoder alone.
    """

    ENCODER = (*UNet.ENCODER, "asrm_skip")
    BY_PHRASE = True

    def __init__(
        self,
        in_channels: int = 1,
        phases: int = 1,
        features: Sequence[int] = (16, 32, 64, 128, 256),
        text_dim: int = 1024,
        norm: str = "instance",
        learned_text: bool = False,
        switches: Switches = DEFAULT,
        reach: int | None = None,
    ) -> None:
        """
        Args:
            in_channels: channels of the image.
            phases: that it is trained for; decides on learned text, and on the parts that tell phases apart. It can be
                asked any number of phrases.
            features: widths of the four levels and the bottleneck.
            text_dim: D of the text features.
            norm: `batch`, `instance` or `group`, for the U-Net and its additions alike (published: batch for the
                U-Net, group for the additions).
            learned_text: add a learned text prior, or use it alone where no text is given.
            switches: which parts to build.
            reach: as for `UNet`.

        Raises:
            ValueError: not five widths, an unknown norm, or more phases than learned text has room for.
        """
        super().__init__(in_channels, 1, features, norm, reach)
        self.text_dim = text_dim
        self.switches = switches = switches.of(phases)
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
        self.learned_text = LearnedText(text_dim, phases) if learned_text and switches.train_with_text else None

    def forward(  # type: ignore[override]  # in training it returns more than its baseline
        self,
        image: torch.Tensor,
        text: torch.Tensor | None = None,
        tokens: torch.Tensor | None = None,
        mask: torch.Tensor | None = None,
        view: torch.Tensor | None = None,
    ) -> torch.Tensor | SegmentationOutput:
        """
        Args:
            image: (N, C, H, W), sides of 16 pixels or more.
            text: global text feature (N, D), or of K phrases (N, K, D). Needed by modulation, text adapters, head and
                alignment, unless learned.
            tokens: text token features (N, L, D), or of K phrases (N, K, L, D). Needed by cross-attention, unless
                learned.
            mask: true mask (N, K, H, W) in [0, 1], negative where nothing is known. Read in training: for the alignment
                loss, and phrases of which nothing is known in a sample are not decoded for it.
            view: what lies around the image, as for `UNet`.

        Returns:
            Logits (N, K, H, W), K = 1 for one phrase. In training, with a mask and the alignment part:
            `SegmentationOutput`.

        Raises:
            ValueError: an input that is missing, or that does not fit the network or the image.
        """
        encoded = self.encode(image, view)
        if mask is None or not self.training:
            return self.decode(encoded, text, tokens)
        text, tokens, count = self._asked(encoded, text, tokens, self.switches.alignment)
        check_mask(mask, image, count or 1)
        if count is not None:
            return self._train_several(encoded, text, tokens, mask)
        logits, bottleneck = self._decoded(encoded, text, tokens)
        if not self.switches.alignment or self.switches.contrast:  # a single phrase has no other to be contrasted with
            return logits
        return SegmentationOutput(logits, self.lscm.alignment(bottleneck, text, pad_to_stride(mask, "constant")))

    def _train_several(
        self, encoded: Encoded, text: torch.Tensor | None, tokens: torch.Tensor | None, mask: torch.Tensor
    ) -> torch.Tensor | SegmentationOutput:
        pairs = Pairs(mask)
        own_text, own_tokens = (None if feature is None else pairs.of(feature) for feature in (text, tokens))
        logits, bottleneck = self._decoded(pairs.encoded(encoded), own_text, own_tokens)
        logits = pairs.spread(logits.squeeze(1))
        if not self.switches.alignment:
            return logits
        region = pad_to_stride(mask, "constant")
        if self.switches.contrast:
            return SegmentationOutput(logits, self.lscm.alignment(encoded.bottleneck, text, region))
        of_pairs = self.lscm.alignment(bottleneck, own_text, pairs.of(region).unsqueeze(1))
        return SegmentationOutput(logits, pairs.mean(of_pairs))

    def encode(self, image: torch.Tensor, view: torch.Tensor | None = None) -> Encoded:
        """The first half of the network, which reads no text: features of images (N, C, H, W), and around them.

        Raises:
            ValueError: an image that does not fit the network.
        """
        encoded = super().encode(image, view)
        *skips, deepest = encoded.skips
        return encoded._replace(skips=(*skips, self.asrm_skip(deepest)))

    def decode(
        self, encoded: Encoded, text: torch.Tensor | None = None, tokens: torch.Tensor | None = None
    ) -> torch.Tensor:
        """The second half, once for each phrase.

        Args:
            encoded: as `encode` returned it; stays as it is.
            text: as for the whole network.
            tokens: likewise.

        Returns:
            Logits (N, K, H, W), K = 1 for one phrase.

        Raises:
            ValueError: a text that is missing, or that does not fit the network or the image.
        """
        text, tokens, count = self._asked(encoded, text, tokens)
        if count is None:
            return self._decoded(encoded, text, tokens)[0]
        # phrase after phrase, in the memory of one
        of_phrase = ((None if t is None else t[:, k] for t in (text, tokens)) for k in range(count))
        return torch.cat([self._decoded(encoded, *features)[0] for features in of_phrase], dim=1)

    def _decoded(
        self, encoded: Encoded, text: torch.Tensor | None, tokens: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits (N, 1, H, W) of one phrase for each sample, and the calibrated bottleneck."""
        skips = [self.lscm.calibrate_skip(level, skip, text) for level, skip in enumerate(encoded.skips)]

        # Bottleneck
        x = self.lscm.calibrate_bottleneck(encoded.bottleneck, text)
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

        def head(features: torch.Tensor) -> torch.Tensor:
            return self.lscm.calibrate_logits(self.final_conv(features), features, text)

        logits = with_surroundings(head, x, encoded.around)
        return crop_to(logits, encoded.image), bottleneck

    def _asked(
        self, encoded: Encoded, text: torch.Tensor | None, tokens: torch.Tensor | None, aligned: bool = False
    ) -> tuple[torch.Tensor | None, torch.Tensor | None, int | None]:
        """The text's features as given, learned, or both; those that are not read are None. And how many phrases they
        are of, None: one, without an axis of its own."""
        batch = encoded.image.shape[0]  # `len` would make it a constant of an exported graph
        reads_text = self.switches.read_global_text or aligned
        ask = self.features_of
        asked_text = ask("text", text, 2, batch) if reads_text else None
        asked_tokens = ask("tokens", tokens, 3, batch) if self.switches.cross_attention else None
        read = phrase_count(asked_text, asked_tokens)
        return asked_text, asked_tokens, phrase_count(text, tokens) if read is None else read

    def features_of(self, name: str, given: torch.Tensor | None, dims: int, batch: int) -> torch.Tensor:
        """The text's features, `text` or `tokens`: as given, learned, or both.

        Args:
            name: which.
            given: as for the whole network.
            dims: 2 for `text`, 3 for `tokens`.
            batch: N of the image.

        Raises:
            ValueError: they are missing, or don't fit the network or the image.
        """
        if self.learned_text is None:
            return check_text(name, given, dims, batch, self.text_dim)
        if given is not None:
            check_text(name, given, dims, batch, self.text_dim)
        return self.learned_text.text(given, batch) if name == "text" else self.learned_text.tokens(given, batch)
