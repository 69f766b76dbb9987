"""Which image each training patch is cut from, and its random numbers: the same whatever the number of processes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from monai.transforms import Compose
from torch.utils.data import Dataset
from torch.utils.data.distributed import DistributedSampler

from pipeline.data import Sample
from pipeline.errors import UserError
from pipeline.wording import some_of
from pipeline.workflows.ranks import Ranks

#: share of a data set's patches that are cut around a pixel of one of its phases
_HOLDING = 0.5


class Draw(NamedTuple):
    """One training patch to be made.

    Attributes:
        image: its number in the data set.
        seed: of the random transforms that cut and change it.
    """

    image: int
    seed: int


class DrawPlan:
    """How often each training image is drawn, and for which of its phases.

    One data set of one phase, labelled as a whole, is drawn by area. Otherwise data sets come in equal numbers, or by
    their weights; half of a data set's patches are drawn by labelled area, and the other half is divided among its
    phases, in proportion to one over the root of their areas, into patches that hold that phase: so a phase that is
    rare in a small data set is learned. A common one is in most of the patches anyway.

    Args:
        samples: of the training.
        phases: names of the network's phases, in order.
        weights: of data sets by their names; those that are not named have 1.

    Raises:
        UserError: a weight of no data set, a negative one, or only zeros.
    """

    def __init__(
        self, samples: Sequence[Sample], phases: Sequence[str], weights: Mapping[str, float] | None = None
    ) -> None:
        self._samples, self._phases = samples, tuple(phases)
        sets = dict.fromkeys(sample.dataset for sample in samples)
        weights_of = _set_weights(tuple(sets), weights or {})
        whole = all(sample.labelled == sample.pixels for sample in samples)
        self._holding = np.zeros((len(samples), len(phases)))
        self._anywhere = np.array([float(sample.labelled) for sample in samples])
        self._by_area = len(sets) == len(phases) == 1 and whole
        if not self._by_area:
            for name, weight in weights_of.items():
                self._share_out(np.array([sample.dataset == name for sample in samples]), weight)

    def _share_out(self, members: np.ndarray, weight: float) -> None:
        """Divide a data set's weight among its images and phases."""
        areas = np.array([[sample.phase_pixels.get(name, 0) for name in self._phases] for sample in self._samples])
        areas = np.where(members[:, None], areas, 0).astype(float)
        there = areas.sum(0) > 0
        held = _HOLDING * weight if there.any() else 0.0
        areas = areas[:, there]
        rarity = areas.sum(0) ** -0.5
        self._holding[:, there] += held * rarity / rarity.sum() * areas / areas.sum(0)
        labelled = self._anywhere[members]
        self._anywhere[members] = (weight - held) * labelled / labelled.sum()

    @property
    def image_weights(self) -> list[float]:
        """Of each image, in the samples' order."""
        return [float(weight) for weight in self._anywhere + self._holding.sum(1)]

    @property
    def phase_shares(self) -> list[np.ndarray]:
        """Of each image: which share of its patches is to hold each of the phases, (K,)."""
        weights = np.array(self.image_weights)[:, None]
        return list(np.divide(self._holding, weights, out=np.zeros_like(self._holding), where=weights > 0))

    def items(self, items: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """The samples' items, where they are not just drawn by area each with its `phase_shares`."""
        if self._by_area:
            return list(items)
        return [{**item, "phase_shares": shares} for item, shares in zip(items, self.phase_shares, strict=True)]


def _set_weights(sets: Sequence[str], given: Mapping[str, float]) -> dict[str, float]:
    for name, weight in given.items():
        if name not in sets:
            raise UserError(f"--set_weights {name}: no such data set; there are {some_of(list(sets))}")
        if not weight >= 0:
            raise UserError(f"--set_weights {name}={weight}: give a number of 0 or more")
    weights = {name: float(given.get(name, 1.0)) for name in sets}
    if not any(weights.values()):
        raise UserError("--set_weights: every data set has weight 0; give one of them more")
    return weights


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
