"""The training loss: Dice, binary cross-entropy and, where the network has it, region alignment."""

from __future__ import annotations

import torch
from monai.losses import DiceLoss
from torch import nn
from torch.nn import functional as F

from pipeline.networks.inputs import SegmentationOutput


class SegmentationLoss(nn.Module):
    """`dice_weight * Dice + bce_weight * BCE + alignment_weight * mean(alignment)`, Dice and BCE averaged over phases.

    Each phase counts the same, whatever its share of the labels; pixels where nothing is known count nowhere, and a
    phase of which nothing is known in the batch is left out of the average. For one phase with labels everywhere this
    is MONAI's `DiceCELoss(sigmoid=True, batch=True)`.

    Dice is pooled over the batch. A single crop may hold no pore: its own Dice is then zero whatever is predicted,
    with next to no gradient, and crops with few pores would weigh as much as those with many. Pooled, false pores in
    a pore-free crop cost what they cost elsewhere, and the loss follows the pooled Dice that is reported.

    Where the training starts from an earlier model and labels are sparse, that model answers for pixels of which
    nothing is known (`unlearned`): `earlier_weight * J * BCE` against its probabilities is added (learning without
    forgetting, Li and Hoiem, arXiv 1606.09282). Otherwise strokes, which hold more of a rare phase than the image, make
    the network find too much of it. J is how far the earlier model is right where the labels know it (`trust`).
    """

    def __init__(
        self,
        dice_weight: float = 1.0,
        bce_weight: float = 1.0,
        alignment_weight: float = 0.07,
        earlier_weight: float = 1.0,
    ) -> None:
        """
        Args:
            dice_weight: weight of the Dice loss.
            bce_weight: weight of the binary cross-entropy.
            alignment_weight: weight of the region alignment loss (published: 0.07).
            earlier_weight: weight of the earlier model's answers.
        """
        super().__init__()
        self.dice = DiceLoss(batch=True, reduction="none")
        self.dice_weight, self.bce_weight, self.alignment_weight = dice_weight, bce_weight, alignment_weight
        self.earlier_weight = earlier_weight

    def forward(self, prediction: torch.Tensor | SegmentationOutput, target: torch.Tensor) -> torch.Tensor:
        """
        Args:
            prediction: logits (N, K, H, W), or a network's `SegmentationOutput`.
            target: true mask (N, K, H, W) in [0, 1], negative where nothing is known.

        Returns:
            The loss, a scalar in float32; of a batch of which nothing is known, that of the alignment alone.

        Raises:
            ValueError: logits and target of other shapes, or of unlike ones.
        """
        logits = prediction.logits if isinstance(prediction, SegmentationOutput) else prediction
        if logits.ndim != 4 or logits.shape != target.shape:
            raise ValueError(
                f"logits and target must both be (N, K, H, W), not {tuple(logits.shape)} and {tuple(target.shape)}"
            )
        # sums over a batch of pixels are too long for half precision
        loss = self._of_phases(logits.float(), target.float())
        if isinstance(prediction, SegmentationOutput):
            loss = loss + self.alignment_weight * prediction.alignment.mean()
            if prediction.earlier is not None:
                earlier = prediction.earlier.float().sigmoid()
                loss = loss + self.earlier_weight * unlearned(logits.float(), target.float(), earlier)
        return loss

    def _of_phases(self, logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        known = (target >= 0).float()
        target = target.clamp_min(0)
        pixels = known.sum((0, 2, 3))
        crossentropy = F.binary_cross_entropy_with_logits(logits, target, known, reduction="none")
        dice = self.dice(logits.sigmoid() * known, target).flatten()
        loss = self.dice_weight * dice + self.bce_weight * crossentropy.sum((0, 2, 3)) / pixels.clamp_min(1)
        # nothing of a phase known: no overlap and no area, a Dice loss of 0, no cross-entropy
        return loss.sum() / (pixels > 0).sum().clamp_min(1)


def unlearned(logits: torch.Tensor, target: torch.Tensor, earlier: torch.Tensor) -> torch.Tensor:
    """How far a network has gone from an earlier one where nothing is known: cross-entropy against its probabilities,
    each phase as far as it is to be trusted, averaged over the phases of which something is known.

    Only the earlier model's more common answer counts, for a rare phase its no. Most of a rare phase that it finds may
    be false although it is often right on strokes, which hold as much of each; its no is right nearly everywhere, and
    is what strokes say too seldom.

    Args:
        logits: (N, K, H, W).
        target: (N, K, H, W) in [0, 1], negative where nothing is known. A sample counts for the phases of which it
            knows something: of the others, a network has no logits there.
        earlier: probabilities (N, K, H, W).
    """
    known = target >= 0
    usual = (earlier >= 0.5) == (earlier.mean((0, 2, 3), keepdim=True) >= 0.5)
    unknown = (~known & known.any(3, keepdim=True).any(2, keepdim=True) & usual).float()
    away = F.binary_cross_entropy_with_logits(logits, earlier, unknown, reduction="none").sum((0, 2, 3))
    mean = away / unknown.sum((0, 2, 3)).clamp_min(1)
    return (trust(target, earlier) * mean).sum() / known.any(3).any(2).any(0).sum().clamp_min(1)


def trust(target: torch.Tensor, earlier: torch.Tensor) -> torch.Tensor:
    """How far an earlier model is right about each phase (K,), 0 to 1: Youden's J (Cancer 3, 1950) of its
    probabilities.

    That is their mean over the pixels of the phase, less that over the others. It does not depend on how many of each
    were labelled; a model that knows nothing of a phase has 0, and so has one in a batch without both.

    Args:
        target: (N, K, H, W) in [0, 1], negative where nothing is known.
        earlier: probabilities (N, K, H, W).
    """
    inside, outside = target.clamp_min(0), (1 - target) * (target >= 0)
    pixels = [where.sum((0, 2, 3)) for where in (inside, outside)]
    found = [(earlier * where).sum((0, 2, 3)) for where in (inside, outside)]
    gain = found[0] / pixels[0].clamp_min(1) - found[1] / pixels[1].clamp_min(1)
    return gain.clamp_min(0) * (pixels[0] > 0) * (pixels[1] > 0)
