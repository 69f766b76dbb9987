"""The training loss: Dice, binary cross-entropy and, where the network has it, region alignment."""

from __future__ import annotations

import torch
from monai.losses import DiceCELoss
from torch import nn

from pipeline.networks.inputs import SegmentationOutput


class PoreSegmentationLoss(nn.Module):
    """`dice_weight * Dice + bce_weight * BCE + alignment_weight * mean(alignment)` for one pore logit.

    Dice is pooled over the batch. A single crop may hold no pore: its own Dice is then zero whatever is predicted,
    with next to no gradient, and crops with few pores would weigh as much as those with many. Pooled, false pores in
    a pore-free crop cost what they cost elsewhere, and the loss follows the pooled Dice that is reported.
    """

    def __init__(self, dice_weight: float = 1.0, bce_weight: float = 1.0, alignment_weight: float = 0.07) -> None:
        """
        Args:
            dice_weight: weight of the Dice loss.
            bce_weight: weight of the binary cross-entropy.
            alignment_weight: weight of the region alignment loss (published: 0.07).
        """
        super().__init__()
        # for one channel MONAI's DiceCELoss takes the binary cross-entropy of the logit
        self.segmentation = DiceCELoss(sigmoid=True, batch=True, lambda_dice=dice_weight, lambda_ce=bce_weight)
        self.alignment_weight = alignment_weight

    def forward(self, prediction: torch.Tensor | SegmentationOutput, target: torch.Tensor) -> torch.Tensor:
        """
        Args:
            prediction: logits (N, 1, H, W), or a network's `SegmentationOutput`.
            target: true mask (N, 1, H, W) in [0, 1].

        Returns:
            The loss, a scalar in float32.

        Raises:
            ValueError: more than one logit per pixel, or a target of another shape.
        """
        logits = prediction.logits if isinstance(prediction, SegmentationOutput) else prediction
        if logits.ndim != 4 or logits.shape[1] != 1 or logits.shape != target.shape:
            raise ValueError(
                f"logits and target must both be (N, 1, H, W), not {tuple(logits.shape)} and {tuple(target.shape)}"
            )
        # sums over a batch of pixels are too long for half precision
        loss = self.segmentation(logits.float(), target.float())
        if isinstance(prediction, SegmentationOutput):
            loss = loss + self.alignment_weight * prediction.alignment.mean()
        return loss
