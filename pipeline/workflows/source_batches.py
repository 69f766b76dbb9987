"""Training batches whose patches all come from one micrograph."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch.utils.data import Sampler

from pipeline.data import Sample


class SourceBatchSampler(Sampler[list[int]]):
    """Indices of samples, a list for each batch, all of the same source.

    Then statistics over a batch are those of a micrograph, as they are in evaluation and inference. Sources, and the
    images within one, are drawn in proportion to their area.

    Args:
        samples: the training images, in the order of the data set.
        batch_size: patches in a batch.
        batches: batches in an epoch.
    """

    def __init__(self, samples: Sequence[Sample], batch_size: int, batches: int) -> None:
        self._batch_size = batch_size
        self._batches = batches
        sources = sorted({sample.source for sample in samples})
        # a row of weights for each source: zero for the images of others
        self._weights = torch.tensor(
            [[sample.pixels if sample.source == source else 0 for sample in samples] for source in sources],
            dtype=torch.float64,
        )

    def __len__(self) -> int:
        return self._batches

    def __iter__(self) -> Iterator[list[int]]:
        sources = torch.multinomial(self._weights.sum(1), self._batches, replacement=True)
        for source in sources:
            yield torch.multinomial(self._weights[source], self._batch_size, replacement=True).tolist()
