from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch
from monai.data import CacheDataset, DataLoader
from monai.transforms import Compose, RandFlipd, RandGaussianNoised

from pipeline.errors import UserError
from pipeline.transforms import RandShadingd
from pipeline.workflows import DrawnPatches, PatchSampler, Ranks

ALONE = Ranks()


def sampler(ranks: Ranks = ALONE, epoch: int = 1, seed: int = 0, weights=(1.0, 2.0, 5.0)) -> PatchSampler:
    made = PatchSampler(weights, batches=5, batch_size=12, seed=seed, ranks=ranks)
    made.set_epoch(epoch)
    return made


@pytest.mark.parametrize("count", [2, 3, 4])
def test_the_parts_of_the_processes_make_up_each_batch_of_one(count: int) -> None:
    whole = list(sampler())
    parts = [list(sampler(Ranks(rank, count))) for rank in range(count)]
    assert [len(sampler(Ranks(rank, count))) for rank in range(count)] == [60 // count] * count
    share = 12 // count
    for batch in range(5):
        gathered = [draw for part in parts for draw in part[batch * share : (batch + 1) * share]]
        assert gathered == whole[batch * 12 : (batch + 1) * 12]


def test_epochs_and_seeds_differ_and_repeat() -> None:
    assert list(sampler(epoch=2)) == list(sampler(epoch=2))
    drawn = [tuple(sampler(epoch=epoch, seed=seed)) for epoch in (1, 2) for seed in (0, 1)]
    assert len(set(drawn)) == 4
    seeds = [draw.seed for draws in drawn for draw in draws]
    assert len(set(seeds)) == len(seeds)


def test_images_are_drawn_in_proportion_to_their_weights() -> None:
    counts = Counter(draw.image for epoch in range(60) for draw in sampler(epoch=epoch))
    expected = np.array([1, 2, 5]) / 8 * 3600
    assert all(abs(counts[i] - n) < 5 * np.sqrt(n) for i, n in enumerate(expected))


def test_a_batch_that_can_not_be_shared_is_refused() -> None:
    with pytest.raises(UserError, match="--batch_size 12 can't be divided equally among 5 processes"):
        sampler(Ranks(0, 5))


def loader(workers: int, ranks: Ranks = ALONE) -> DataLoader:
    transform = Compose(
        [
            RandFlipd("image", prob=0.5, spatial_axis=1),
            RandShadingd("image", prob=0.5),
            RandGaussianNoised("image", prob=0.8),
        ]
    )
    images = [{"image": torch.arange(64.0).reshape(1, 8, 8) + k} for k in range(3)]
    dataset = CacheDataset(images, transform, progress=False)
    patches = DrawnPatches(dataset, transform)
    return DataLoader(patches, batch_size=12 // ranks.count, sampler=sampler(ranks), num_workers=workers)


def test_patches_depend_neither_on_processes_nor_on_workers() -> None:
    whole = [torch.as_tensor(batch["image"]) for batch in loader(0)]
    assert len(torch.unique(torch.cat(whole), dim=0)) > 50  # of 60: the transforms do differ
    for batches in ([loader(0, Ranks(rank, 2)) for rank in (0, 1)], [loader(2)]):
        for wanted, *parts in zip(whole, *batches, strict=True):
            assert torch.equal(torch.cat([torch.as_tensor(part["image"]) for part in parts]), wanted)
