"""The U-Net baseline: MONAI's BasicUNet behind the interface of this package."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from monai.networks.nets.basic_unet import BasicUNet, UpCat
from torch import nn

from pipeline.networks.blocks import ACTIVATION, norm_spec
from pipeline.networks.inputs import Encoded, check_image, crop_to, pad_to_stride
from pipeline.networks.surroundings import Surroundings, with_surroundings


class DecoderStage(nn.Module):
    """MONAI's `UpCat`, for a skip that is there and of twice the size: the network's input is padded once for that.

    `UpCat` asks each time whether there is a skip, in a way that cuts a compiled network into pieces, and pads each
    stage.
    """

    def __init__(self, stage: UpCat, skip_channels: int) -> None:
        super().__init__()
        self.skip_channels = skip_channels
        self.upsample = stage.upsample
        self.convs = stage.convs

    def forward(self, x: torch.Tensor, skip: torch.Tensor) -> torch.Tensor:
        """Upsample x (N, G, H / 2, W / 2), and merge it with the skip (N, C, H, W) to (N, D, H, W)."""
        merged: torch.Tensor = self.convs(torch.cat([skip, self.upsample(x)], dim=1))
        return merged


class UNet(BasicUNet):
    """MONAI's BasicUNet in 2-D with four poolings and bilinear upsampling.

    Against BasicUNet as it comes: inputs of any size from 16 x 16 are padded to what the poolings need and cropped
    again; convolutions before a norm have no bias; and upsampling is aligned to pixel corners, not to the centres of
    the first and last pixel, because the latter shifts features by an amount that depends on the tile's size.
    """

    #: the parts that `encode` runs; all others are those of `decode`
    ENCODER: tuple[str, ...] = ("conv_0", "down_1", "down_2", "down_3", "down_4", "surroundings")
    #: whether `decode` answers one phrase at a time, or all phases in one pass
    BY_PHRASE = False

    def __init__(
        self,
        in_channels: int = 1,
        out_channels: int = 1,
        features: Sequence[int] = (16, 32, 64, 128, 256),
        norm: str = "instance",
        reach: int | None = None,
    ) -> None:
        """
        Args:
            in_channels: channels of the image.
            out_channels: logits per pixel, one for each phase.
            features: widths of the four levels and the bottleneck.
            norm: `batch`, `instance` or `group`.
            reach: how far it sees beyond the image (px), one of `surroundings.REACHES`; None: not at all.

        Raises:
            ValueError: not five widths, or an unknown norm.
        """
        if len(features) != 5:
            raise ValueError(f"features must be five widths, four levels and the bottleneck, not {list(features)}")
        super().__init__(
            spatial_dims=2,
            in_channels=in_channels,
            out_channels=out_channels,
            features=(*features, features[0]),
            act=ACTIVATION,
            norm=norm_spec(norm, *features),
            bias=False,
            upsample="nontrainable",
        )
        self.in_channels = in_channels
        self.reach = reach
        self.surroundings = None if reach is None else Surroundings(reach, features[-1], features[0])
        for level, skip_channels in enumerate(features[:-1], start=1):
            name = f"upcat_{level}"
            setattr(self, name, DecoderStage(cast(UpCat, self.get_submodule(name)), skip_channels))
        for module in self.modules():
            if isinstance(module, nn.Upsample):
                module.align_corners = False

    def forward(
        self,
        image: torch.Tensor,
        text: torch.Tensor | None = None,
        tokens: torch.Tensor | None = None,
        mask: torch.Tensor | None = None,
        view: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """
        Args:
            image: (N, C, H, W), sides of 16 pixels or more.
            text: not read; here so that all networks are called alike.
            tokens: not read.
            mask: not read.
            view: what lies around the image, as for `Surroundings`; not read by a network without them.

        Returns:
            Logits (N, out_channels, H, W).

        Raises:
            ValueError: an image that does not fit the network.
        """
        return self.decode(self.encode(image, view))

    def encode(self, image: torch.Tensor, view: torch.Tensor | None = None) -> Encoded:
        """The first half of the network: features of images (N, C, H, W), and of what lies around them.

        Raises:
            ValueError: an image that does not fit the network.
        """
        check_image(image, self.in_channels)
        x1 = self.conv_0(pad_to_stride(image))
        x2 = self.down_1(x1)
        x3 = self.down_2(x2)
        x4 = self.down_3(x3)
        bottleneck = self.down_4(x4)
        if self.surroundings is None:
            return Encoded((x1, x2, x3, x4), bottleneck, image)
        around = self.surroundings(view, image, bottleneck)
        return Encoded((x1, x2, x3, x4), bottleneck + around.bottleneck.to(bottleneck.dtype), image, around.last)

    def decode(
        self, encoded: Encoded, text: torch.Tensor | None = None, tokens: torch.Tensor | None = None
    ) -> torch.Tensor:
        """The second half: logits (N, out_channels, H, W) of what `encode` returned; text and tokens are not read."""
        x1, x2, x3, x4 = encoded.skips
        x = self.upcat_4(encoded.bottleneck, x4)
        x = self.upcat_3(x, x3)
        x = self.upcat_2(x, x2)
        x = self.upcat_1(x, x1)
        return crop_to(with_surroundings(self.final_conv, x, encoded.around), encoded.image)
