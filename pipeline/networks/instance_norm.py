"""Instance norm by the kernel of group norm."""

from __future__ import annotations

import torch
from monai.networks.layers.factories import Norm
from torch import nn
from torch.nn import functional as F

from pipeline.networks.recording import is_recording

#: by which MONAI's blocks find it
NAME = "INSTANCE_AS_GROUPS"


class InstanceNorm(nn.InstanceNorm2d):
    """`nn.InstanceNorm2d` without running statistics: the same weights, the same function.

    PyTorch computes instance norm as the batch norm of one sample with N x C channels, for which it repeats all weights
    N times: four small copies for each norm. Group norm with one group for each channel is the same in one step, and
    its kernel is several times as fast on a CPU. On a GPU it would run in float32 where autocast asks for less, and
    exported graphs have one operation for instance norm.
    """

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Normalise each channel of each sample of the features (N, C, H, W) over H and W."""
        if features.device.type != "cpu" or is_recording():
            return super().forward(features)
        # its kernel for channels-last takes the variance as a difference of large numbers
        return F.group_norm(features.contiguous(), self.num_features, self.weight, self.bias, self.eps)


Norm.add_factory_callable(NAME, lambda dim: InstanceNorm)
