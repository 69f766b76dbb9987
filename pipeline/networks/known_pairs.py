"""Several phrases in a training step: only the pairs of sample and phrase that the masks know of are decoded."""

from __future__ import annotations

import torch

from pipeline.networks.inputs import Encoded


class Pairs:
    """Pairs of sample and phrase that go through the decoder, as one batch (P, ...), sample by sample.

    A batch may be mixed of data sets, each with labels for some of the phases. What has no label in a sample would have
    neither loss nor gradient there, and is left out.

    Args:
        mask: true masks (N, K, H, W), negative where nothing is known.
    """

    def __init__(self, mask: torch.Tensor) -> None:
        known = (mask >= 0).flatten(2).any(2)
        # where nothing at all is known, all are decoded: the loss, zero, has to have gradients
        self._known = known | ~known.any()
        self._index = self._known.flatten().nonzero().flatten()
        self._counts: list[int] = self._known.sum(1).tolist()

    def encoded(self, encoded: Encoded) -> Encoded:
        """Each sample's features, once for each of its pairs."""
        first, second, third, fourth = map(self._repeated, encoded.skips)
        around = None if encoded.around is None else self._repeated(encoded.around)
        return Encoded((first, second, third, fourth), self._repeated(encoded.bottleneck), encoded.image, around)

    def of(self, values: torch.Tensor) -> torch.Tensor:
        """Those (P, ...) of the values (N, K, ...) that belong to the pairs."""
        return values.flatten(0, 1)[self._index]

    def spread(self, values: torch.Tensor) -> torch.Tensor:
        """The pairs' values (P, ...) in their places (N, K, ...), 0 elsewhere."""
        everywhere = values.new_zeros(self._known.numel(), *values.shape[1:])
        return everywhere.index_copy(0, self._index, values).unflatten(0, self._known.shape)

    def mean(self, values: torch.Tensor) -> torch.Tensor:
        """Mean (N,) over each sample's pairs of values (P,); 0 for a sample without pairs."""
        return self.spread(values).sum(1) / self._known.sum(1).clamp_min(1)

    def _repeated(self, level: torch.Tensor) -> torch.Tensor:
        # unlike an index that repeats samples, this adds gradients in the same order each time, on a GPU too
        samples = zip(level.split(1), self._counts, strict=True)
        return torch.cat([sample.expand(count, -1, -1, -1) for sample, count in samples])
