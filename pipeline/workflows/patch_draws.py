"""Which image each training patch is cut from, and its random numbers: the same whatever the number of processes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from monai.transforms import Compose
from torch.utils.data import Dataset
from torch.utils.data.distributed import DistributedSampler

from pipeline.errors import UserError
from pipeline.workflows.ranks import Ranks


class Draw(NamedTuple):
    """One training patch to be made.

    Attributes:
        image: its number in the data set.
        seed: of the random transforms that cut and change it.
    """

    image: int
    seed: int


class PatchSampler(DistributedSampler):
    """Draws the images of an epoch's patches, in proportion to their weights, and a seed for each patch.

    An epoch is a number of steps, so that the length of a training does not depend on how many files a micrograph was
    cut into. Everything follows from the seed, the epoch and the patch's place in it. So a batch that several processes
    share holds the patches that one process alone would make, and loader workers change nothing either.

    It is a `DistributedSampler` because MONAI's trainers pass the epoch to such samplers.

    Args:
        weights: of the images.
        batches: of an epoch.
        batch_size: patches in a batch, of all processes together.
        seed: another one draws others.
        ranks: this process and the others, which take equal parts of each batch.

    Raises:
        UserError: the batch can't be divided equally.
    """

    def __init__(self, weights: Sequence[float], batches: int, batch_size: int, seed: int, ranks: Ranks) -> None:
        if batch_size % ranks.count:
            raise UserError(
                f"--batch_size {batch_size} can't be divided equally among {ranks.count} processes: "
                f"give a multiple of {ranks.count}"
            )
        self._weights = torch.as_tensor(weights, dtype=torch.float64)
        self._batches = batches
        self._batch_size = batch_size
        self._ranks = ranks
        super().__init__(
            range(batches * batch_size),  # type: ignore[arg-type]
            ranks.count,
            ranks.rank,
            shuffle=False,
            seed=seed,
        )

    def __iter__(self) -> Iterator[Any]:
        images, seeds = np.random.SeedSequence([self.seed, self.epoch]).spawn(2)
        generator = torch.Generator().manual_seed(int(images.generate_state(1)[0]))
        count = self._batches * self._batch_size
        indices = torch.multinomial(self._weights, count, replacement=True, generator=generator).tolist()
        draws = [Draw(index, seed) for index, seed in zip(indices, seeds.generate_state(count).tolist(), strict=True)]
        for first in range(0, count, self._batch_size):
            yield from self._ranks.share(draws[first : first + self._batch_size])

    def __len__(self) -> int:
        return self._batches * self._batch_size // self._ranks.count


class DrawnPatches(Dataset):
    """A data set that is asked by `Draw`.

    Args:
        dataset: of images; by number.
        transform: its transforms, whose random states are set for each patch.
    """

    def __init__(self, dataset: Dataset, transform: Compose) -> None:
        self._dataset = dataset
        self._transform = transform

    def __getitem__(self, draw: Draw) -> Any:
        self._transform.set_random_state(seed=draw.seed)
        return self._dataset[draw.image]

    def __len__(self) -> int:
        return len(self._dataset)  # type: ignore[arg-type]
